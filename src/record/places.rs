//! Places of the record: what they are and where they lie.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Confidence;

/// What the gazetteer says of a place; empty where it knows none of the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceFact {
    /// `country`, `admin1`, `admin2`, `city`, `region`, `water`, `mountain`, `island`, `desert`, `continent`, `facility`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The country that it is, or lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCodes>,
    /// Degrees north, four decimals at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Degrees east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// GeoNames id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geonames: Option<u32>,
    /// Wikidata id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wikidata: Option<String>,
    /// What decided between the places of the name: `only`, `country`, `container` ("Paris, Texas"), `context` (other
    /// places of the story), `prominence`, `list` (a list of the reader's own).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How sure the desk is that the name means this place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_confidence: Option<Confidence>,
}

/// An entity that stands in a gazetteer or watch list of the reader's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watch {
    /// The entity.
    pub entity: String,
    /// The list's name.
    pub list: String,
    /// The id in the list.
    pub id: String,
}

/// ISO 3166-1 codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountryCodes {
    /// Alpha-2.
    pub iso2: String,
    /// Alpha-3.
    pub iso3: String,
}

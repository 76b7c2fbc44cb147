//! Who and what a story speaks of, as the record tells it.

use super::places::PlaceFact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, SpanText};
pub use crate::extract::entities::{Basis, Gender, MentionKind, RoleTime};

/// A human being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// `p1`, `p2`, …
    pub id: String,
    /// The fullest name that the story has.
    pub name: String,
    /// First names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// How sure the desk is of the best mention.
    pub confidence: Confidence,
    /// Roles in text order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Nationality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<Nationality>,
    /// Gender, from pronouns and honorifics alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<GenderOf>,
    /// Age in years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u8>,
    /// Party, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<SpanText>,
    /// Home town, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<SpanText>,
    /// Where the story speaks of the person, in text order.
    pub mentions: Vec<Mention>,
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// The title alone.
    pub title: String,
    /// Whose role it is: an entity's id or an ISO 3166 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What `of` rests on, where the words beside the title do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_basis: Option<Basis>,
    /// The title and whose it is.
    #[serde(flatten)]
    pub span: SpanText,
    /// When.
    pub time: RoleTime,
}

/// A nationality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nationality {
    /// ISO 3166-1 alpha-2.
    pub iso2: String,
    /// What it rests on.
    pub basis: Basis,
}

/// A gender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GenderOf {
    /// Which.
    pub value: Gender,
    /// What it rests on.
    pub basis: Basis,
}

/// A body: state organ, company, party, club, agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organisation {
    /// `o1`, `o2`, …
    pub id: String,
    /// The fullest name that the story has, or a name that describes it.
    pub name: String,
    /// `government`, `military`, `company`, `news_agency`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Acronym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acronym: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// How sure the desk is of the best mention.
    pub confidence: Confidence,
    /// Where the story speaks of it, in text order.
    pub mentions: Vec<Mention>,
}

/// A nationality, an ethnic, religious or political group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// `g1`, `g2`, …
    pub id: String,
    /// The name.
    pub name: String,
    /// `nationality`, `ethnic`, `religious`, `political`, `family`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How sure the desk is of the best mention.
    pub confidence: Confidence,
    /// Where the story speaks of it, in text order.
    pub mentions: Vec<Mention>,
}

/// An event or a work that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// `n1`, `w1`, …
    pub id: String,
    /// The name.
    pub name: String,
    /// How sure the desk is of its best mention.
    pub confidence: Confidence,
    /// Where the story speaks of it, in text order.
    pub mentions: Vec<Mention>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// `l1`, `l2`, …
    pub id: String,
    /// The name.
    pub name: String,
    /// How sure the desk is of its best mention.
    pub confidence: Confidence,
    /// What it is and where it lies, where the gazetteer knows it.
    #[serde(flatten)]
    pub fact: PlaceFact,
    /// Where the story speaks of it, in text order.
    pub mentions: Vec<Mention>,
}

/// One place where a story speaks of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mention {
    /// Where.
    #[serde(flatten)]
    pub span: SpanText,
    /// How.
    pub kind: MentionKind,
    /// The entity that a metonym stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<String>,
}

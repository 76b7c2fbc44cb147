//! Places for the record: degrees rounded to four decimals.

use crate::{
    extract::places,
    record::{
        Confidence,
        places::{CountryCodes, PlaceFact, Watch},
    },
};

/// The facts of one place.
pub(super) fn fact(fact: Option<&places::Fact>) -> PlaceFact {
    let Some(fact) = fact else { return PlaceFact::default() };
    let rounded = |degrees: f32| (f64::from(degrees) * 10_000.0).round() / 10_000.0;
    PlaceFact {
        kind: Some(fact.kind.name().to_owned()),
        country: fact
            .country
            .map(|country| CountryCodes { iso2: country.iso2.to_owned(), iso3: country.iso3.to_owned() }),
        lat: fact.position.map(|(latitude, _)| rounded(latitude)),
        lon: fact.position.map(|(_, longitude)| rounded(longitude)),
        geonames: fact.geonames,
        wikidata: fact.wikidata.map(str::to_owned),
        rule: Some(fact.rule.name().to_owned()),
        place_confidence: Some(Confidence::from_percent(fact.confidence_percent)),
    }
}

/// The entities that stand in lists.
pub(super) fn watch(places: &places::Places, ids: &[String]) -> Vec<Watch> {
    let hit = |hit: &places::lists::Hit| {
        let entity = ids.get(hit.entity)?.clone();
        Some(Watch { entity, list: hit.list.clone(), id: hit.id.clone() })
    };
    places.watch.iter().filter_map(hit).collect()
}

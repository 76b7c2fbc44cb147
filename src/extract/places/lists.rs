//! Entities + the reader's own lists → ids of those lists, and positions that go before the gazetteer's.
//!
//! ```text
//! list `sites`: id hq-1, name North Works, place, 51.5, -0.1
//! A fire broke out at North Works.   → entity l1: list sites, id hq-1, at 51.5, -0.1
//! ```
//!
//! Listed names are among the story's entities already (`names::listed`).

use super::{Fact, Places, Rule};
use crate::{
    extract::{
        entities::{Entities, Entity, MentionKind},
        names::Class,
    },
    gazetteer::{
        index::Kind,
        lists::{Entry, List},
    },
};

/// Spellings of one entity that are looked up.
const SPELLINGS_MAX: usize = 50;

/// An entity that stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// An index into the entities' list.
    pub entity: usize,
    /// The list's name.
    pub list: String,
    /// The id in it.
    pub id: String,
}

/// Looks every entity up in every list.
pub fn run(text: &str, entities: &Entities, lists: &[List], places: &mut Places) {
    if lists.is_empty() {
        return;
    }
    places.facts.resize(entities.list.len(), None);
    for (at, entity) in entities.list.iter().enumerate() {
        for list in lists {
            let Some(entry) = entry(text, entity, list) else { continue };
            let is_first = places.watch.last().is_none_or(|hit| hit.entity != at);
            places.watch.push(Hit { entity: at, list: list.name.clone(), id: entry.id.clone() });
            if let (Class::Place, Some(position), true) = (entity.class, entry.position, is_first) {
                places.facts[at] = Some(Fact {
                    kind: places.facts[at].map_or(Kind::Facility, |fact| fact.kind),
                    country: entry.country,
                    position: Some(position),
                    geonames: None,
                    wikidata: None,
                    rule: Rule::List,
                    confidence_percent: 100,
                });
            }
        }
    }
}

fn entry<'a>(text: &str, entity: &Entity, list: &'a List) -> Option<&'a Entry> {
    let class = match entity.class {
        Class::Person => "person",
        Class::Organisation => "organisation",
        Class::Place => "place",
        Class::Group => "group",
        Class::Event => "event",
        Class::Work => "work",
    };
    let named = entity.mentions.iter().filter(|m| matches!(m.kind, MentionKind::Name | MentionKind::Acronym));
    let mut spellings = named.take(SPELLINGS_MAX).map(|mention| mention.span.of(text));
    list.find(class, &entity.name).or_else(|| spellings.find_map(|spelling| list.find(class, spelling)))
}

#[cfg(test)]
mod tests {
    use crate::{decode::Hints, extract::Desk, gazetteer::lists::List};

    #[test]
    fn a_list_goes_before_the_gazetteer() {
        let list = List::read("sites", "id,name,class,lat,lon,country\nx-9,Rotterdam,place,42.5,-73.9,US\n").unwrap();
        let text = "The mayor of Rotterdam flew to Paris on Monday.\n";
        let read = |desk: Desk| desk.read_bytes(text.as_bytes(), &Hints::default()).unwrap();
        let record = read(Desk::new().with_lists(vec![list]));
        let place = record.places.iter().find(|place| place.name == "Rotterdam").unwrap();
        assert_eq!((place.fact.lat, place.fact.rule.as_deref()), (Some(42.5), Some("list")));
        assert_eq!(place.fact.country.as_ref().map(|country| country.iso2.as_str()), Some("US"));
        let hits: Vec<_> = record.watch.iter().map(|hit| (&hit.entity, hit.list.as_str(), hit.id.as_str())).collect();
        assert_eq!(hits, [(&place.id, "sites", "x-9")]);
        assert!(read(Desk::new()).watch.is_empty());
    }
}

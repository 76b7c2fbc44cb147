//! Entities for the record: ids in text order, indexes turned into ids.

use super::Put;
use crate::{
    extract::{
        entities::{self, Basis, Owner},
        names::Class,
        places::Places,
    },
    record::{
        Confidence,
        entities::{Entity, GenderOf, Group, Mention, Nationality, Organisation, Person, Place, Role},
    },
};

/// The six lists of the record.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) people: Vec<Person>,
    pub(super) organisations: Vec<Organisation>,
    pub(super) places: Vec<Place>,
    pub(super) groups: Vec<Group>,
    pub(super) named_events: Vec<Entity>,
    pub(super) works: Vec<Entity>,
}

/// The record's id of every entity, in the order of [`entities::Entities::list`].
pub(super) fn ids(entities: &entities::Entities) -> Vec<String> {
    let mut counts = [0_u32; 6];
    let id = |entity: &entities::Entity| {
        let (letter, count) = match entity.class {
            Class::Person => ('p', &mut counts[0]),
            Class::Organisation => ('o', &mut counts[1]),
            Class::Place => ('l', &mut counts[2]),
            Class::Group => ('g', &mut counts[3]),
            Class::Event => ('n', &mut counts[4]),
            Class::Work => ('w', &mut counts[5]),
        };
        *count += 1;
        format!("{letter}{count}")
    };
    entities.list.iter().map(id).collect()
}

impl Put<'_> {
    /// The entities by class.
    pub(super) fn entities(&self, entities: &entities::Entities, ids: &[String], places: &Places) -> Lists {
        let mut lists = Lists::default();
        for (index, (entity, id)) in entities.list.iter().zip(ids).enumerate() {
            let (id, name) = (id.clone(), entity.name.clone());
            let confidence = Confidence::from_percent(entity.confidence_percent);
            let mentions = entity.mentions.iter().map(|mention| Mention {
                span: self.span(mention.span),
                kind: mention.kind,
                stands_for: mention.stands_for.and_then(|index| ids.get(index).cloned()),
            });
            let mentions = mentions.collect();
            let kind = entity.kind.map(str::to_owned);
            match entity.class {
                Class::Person => lists.people.push(Person {
                    id,
                    name,
                    given: entity.given.clone(),
                    family: entity.family.clone(),
                    confidence,
                    roles: entity.roles.iter().map(|role| self.role(role, ids)).collect(),
                    nationality: entity.nationality.map(|(iso2, basis)| Nationality { iso2: iso2.to_owned(), basis }),
                    gender: entity.gender.map(|(value, basis)| GenderOf { value, basis }),
                    age: entity.age,
                    party: entity.party.map(|span| self.span(span)),
                    home: entity.home.map(|span| self.span(span)),
                    mentions,
                }),
                Class::Organisation => lists.organisations.push(Organisation {
                    id,
                    name,
                    kind,
                    acronym: entity.acronym.clone(),
                    country: entity.country.map(str::to_owned),
                    confidence,
                    mentions,
                }),
                Class::Place => {
                    let fact = places.facts.get(index).and_then(Option::as_ref);
                    lists.places.push(Place { id, name, confidence, fact: super::places::fact(fact), mentions });
                }
                Class::Group => lists.groups.push(Group { id, name, kind, confidence, mentions }),
                Class::Event => lists.named_events.push(Entity { id, name, confidence, mentions }),
                Class::Work => lists.works.push(Entity { id, name, confidence, mentions }),
            }
        }
        lists
    }

    fn role(&self, role: &entities::Role, ids: &[String]) -> Role {
        let of = match role.of {
            Some(Owner::Country(iso2)) => Some(iso2.to_owned()),
            Some(Owner::Entity(index)) => ids.get(index).cloned(),
            None => None,
        };
        Role {
            title: role.title.of(self.text).to_owned(),
            of_basis: role.of_basis.filter(|basis| of.is_some() && *basis != Basis::Stated),
            of,
            span: self.span(role.span),
            time: role.time,
        }
    }
}

//! A record as a view reads it: from the contract's JSON, as any consumer does.
//!
//! ```text
//! {"quotes": [{"id": "q1", "type": "direct", "speaker": {"entity": "p1", …}, …}], …}
//!     → Reading { quotes: [Quote { id: "q1", kind: "direct", speaker: Some(…) … }], … }
//! ```
//!
//! Views show what is there and pass over what they do not know: an entry that does not have the
//! shape that is expected is left out, never an error. So a view shows records of other versions
//! of the desk as well.
//!
//! What this does not do: check a record against its schema.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Record, SpanText};

/// What a view shows of one record, beside its text, paragraphs and sentences.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Place, date and agency of the dateline.
    pub(crate) dateline: Vec<SpanText>,
    /// Entities of every class, class by class.
    pub(crate) entities: Vec<Entity>,
    /// Expressions of time.
    pub(crate) times: Vec<Time>,
    /// Quotations.
    pub(crate) quotes: Vec<Quote>,
    /// Chains of sources.
    pub(crate) citations: Vec<Citation>,
    /// What happened.
    pub(crate) events: Vec<Event>,
    /// Counts of people and things, amounts of money and measure.
    pub(crate) figures: Vec<Figure>,
    /// The desk's own words.
    pub(crate) notes: Vec<Note>,
    /// Subjects and keywords.
    pub(crate) topics: Vec<String>,
}

/// The classes of entities: field of the record, what a reader calls it.
pub(crate) const CLASSES: [(&str, &str); 6] = [
    ("people", "person"),
    ("organisations", "organisation"),
    ("places", "place"),
    ("groups", "group"),
    ("named_events", "event"),
    ("works", "work"),
];

/// Somebody or something that the story names.
#[derive(Debug, Deserialize)]
pub(crate) struct Entity {
    /// The record's id.
    pub(crate) id: String,
    /// The name.
    pub(crate) name: String,
    /// `person`, `organisation`, …
    #[serde(skip)]
    pub(crate) class: &'static str,
    /// Where the story speaks of it.
    #[serde(default)]
    pub(crate) mentions: Vec<Mention>,
    /// How sure.
    pub(crate) confidence: Option<f64>,
    /// Roles of a person.
    #[serde(default)]
    pub(crate) roles: Vec<Role>,
    /// `news_agency`, `city`, …
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// A short form.
    pub(crate) acronym: Option<String>,
    /// A code, or an object with codes.
    pub(crate) country: Option<Value>,
    /// An object with a code.
    pub(crate) nationality: Option<Value>,
    /// Degrees north.
    pub(crate) lat: Option<f64>,
    /// Degrees east.
    pub(crate) lon: Option<f64>,
    /// A number of the GeoNames gazetteer.
    pub(crate) geonames: Option<u64>,
}

/// One place where a story speaks of an entity.
#[derive(Debug, Deserialize)]
pub(crate) struct Mention {
    /// Where.
    #[serde(flatten)]
    pub(crate) span: SpanText,
    /// `name`, `pronoun`, …
    #[serde(default)]
    pub(crate) kind: String,
}

/// What a person is.
#[derive(Debug, Deserialize)]
pub(crate) struct Role {
    /// The title.
    pub(crate) title: String,
    /// An entity's id or a country's code.
    pub(crate) of: Option<String>,
    /// `former`, `acting`, …
    pub(crate) time: Option<String>,
}

/// An expression of time.
#[derive(Debug, Deserialize)]
pub(crate) struct Time {
    /// The record's id.
    pub(crate) id: String,
    /// Where.
    #[serde(flatten)]
    pub(crate) span: SpanText,
    /// `DATE`, `DURATION`, …
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    /// TIMEX3.
    #[serde(default)]
    pub(crate) value: String,
    /// TIMEX3 modifier.
    #[serde(rename = "mod")]
    pub(crate) modifier: Option<String>,
}

/// A quotation.
#[derive(Debug, Deserialize)]
pub(crate) struct Quote {
    /// The record's id.
    pub(crate) id: String,
    /// `direct`, `indirect`, `mixed`.
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    /// What was said.
    #[serde(default)]
    pub(crate) content: Vec<SpanText>,
    /// The words that say so.
    pub(crate) cue: Option<Cue>,
    /// Who.
    pub(crate) speaker: Option<Party>,
    /// To whom.
    pub(crate) addressee: Option<Party>,
    /// The quotation that this one stands inside.
    pub(crate) parent: Option<String>,
    /// How sure.
    pub(crate) confidence: Option<f64>,
}

/// The words that report speech.
#[derive(Debug, Deserialize)]
pub(crate) struct Cue {
    /// Where.
    #[serde(flatten)]
    pub(crate) span: SpanText,
}

/// Somebody who speaks or is spoken to.
#[derive(Debug, Deserialize)]
pub(crate) struct Party {
    /// Where; a speaker who is carried over has no place.
    #[serde(flatten)]
    pub(crate) span: Option<SpanText>,
    /// The entity.
    pub(crate) entity: Option<String>,
    /// `name`, `pronoun`, `nominal`, `carried`, `unknown`.
    #[serde(default)]
    pub(crate) resolution: String,
}

/// Whose authority stands behind sentences.
#[derive(Debug, Deserialize)]
pub(crate) struct Citation {
    /// The record's id.
    pub(crate) id: String,
    /// From the publisher inward: ids, or a kind and words.
    #[serde(default)]
    pub(crate) chain: Vec<String>,
    /// Of the last link.
    #[serde(default)]
    pub(crate) kind: String,
    /// How the words reached the publisher.
    pub(crate) via: Option<String>,
    /// What is told of an unnamed source.
    pub(crate) told: Option<String>,
    /// Indices of sentences.
    #[serde(default)]
    pub(crate) sentences: Vec<u32>,
    /// The words that cite.
    #[serde(flatten)]
    pub(crate) span: Option<SpanText>,
    /// How sure.
    pub(crate) confidence: Option<f64>,
}

/// Something that happened.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// The record's id.
    pub(crate) id: String,
    /// The word for it.
    pub(crate) trigger: SpanText,
    /// Entity ids.
    #[serde(default)]
    pub(crate) actor: Vec<String>,
    /// Entity ids.
    #[serde(default)]
    pub(crate) recipient: Vec<String>,
    /// An object with the class.
    pub(crate) plover: Option<Value>,
    /// `asserted`, `reported`.
    pub(crate) reality: Option<String>,
}

/// A count or an amount.
#[derive(Debug, Deserialize)]
pub(crate) struct Figure {
    /// Where.
    #[serde(flatten)]
    pub(crate) span: SpanText,
    /// `killed`, …
    pub(crate) kind: Option<String>,
    /// How many or how much.
    pub(crate) value: Option<Value>,
    /// Of what measure.
    pub(crate) unit: Option<String>,
}

/// The desk's own words.
#[derive(Debug, Deserialize)]
pub(crate) struct Note {
    /// The record's id.
    pub(crate) id: String,
    /// Where.
    #[serde(flatten)]
    pub(crate) span: SpanText,
    /// What it is for.
    #[serde(default)]
    pub(crate) kind: String,
}

impl Reading {
    /// Reads what the record holds.
    pub(crate) fn of(record: &Record) -> Self {
        // A record holds strings and numbers alone: it can always be written.
        Self::of_json(&serde_json::to_value(record).unwrap_or_default())
    }

    /// Reads what a record's JSON holds.
    pub(crate) fn of_json(record: &Value) -> Self {
        let mut entities = Vec::new();
        for (field, class) in CLASSES {
            let of_class: Vec<Entity> = list(record, field);
            entities.extend(of_class.into_iter().map(|entity| Entity { class, ..entity }));
        }
        let dateline = record.get("dateline");
        let part = |name: &str| dateline.and_then(|line| line.get(name)).and_then(|it| SpanText::deserialize(it).ok());
        let mut figures: Vec<Figure> = list(record, "counts");
        figures.extend(list::<Figure>(record, "amounts"));
        let named = |field: &str, name: &str| {
            let entries: Vec<Value> = list(record, field);
            let names: Vec<String> =
                entries.iter().filter_map(|entry| entry.get(name)?.as_str().map(str::to_owned)).collect();
            names
        };
        Self {
            dateline: ["place", "date", "agency"].into_iter().filter_map(part).collect(),
            entities,
            times: list(record, "times"),
            quotes: list(record, "quotes"),
            citations: list(record, "citations"),
            events: list(record, "events"),
            figures,
            notes: list(record, "editorial_notes"),
            topics: [named("topics", "name"), named("keywords", "text")].concat(),
        }
    }

    /// The entity with an id.
    pub(crate) fn entity(&self, id: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.id == id)
    }

    /// What to call somebody who speaks: the entity's name, else the words used.
    pub(crate) fn party_name<'a>(&'a self, party: &'a Party) -> Option<&'a str> {
        let entity = party.entity.as_deref().and_then(|id| self.entity(id));
        entity.map(|entity| entity.name.as_str()).or(party.span.as_ref().map(|span| span.text.as_str()))
    }

    /// A link of a chain in words: `Reuters`, `anonymous: two officials`.
    pub(crate) fn link_name(&self, link: &str) -> String {
        if let Some(entity) = self.entity(link) {
            return entity.name.clone();
        }
        match link.split_once(':') {
            Some((kind, words)) if !words.is_empty() => format!("{kind}: {words}"),
            _ => link.to_owned(),
        }
    }

    /// The speakers in the order in which they first speak, each with the indices of what they said.
    pub(crate) fn speakers(&self) -> Vec<Speaker> {
        let mut speakers: Vec<Speaker> = Vec::new();
        for (index, quote) in self.quotes.iter().enumerate() {
            let name = quote.speaker.as_ref().and_then(|party| self.party_name(party)).map(str::to_owned);
            let entity = quote.speaker.as_ref().and_then(|party| party.entity.clone());
            let known = speakers.iter_mut().find(|known| match (&known.entity, &entity) {
                (None, None) => known.name.as_deref().map(str::to_lowercase) == name.as_deref().map(str::to_lowercase),
                (one, other) => one == other,
            });
            match known {
                Some(known) => known.quotes.push(index),
                None => speakers.push(Speaker { name, entity, quotes: vec![index] }),
            }
        }
        speakers
    }
}

/// Somebody who speaks in a story.
#[derive(Debug)]
pub(crate) struct Speaker {
    /// `None` for those whose speaker is unknown.
    pub(crate) name: Option<String>,
    /// The entity's id.
    pub(crate) entity: Option<String>,
    /// Indices of quotations.
    pub(crate) quotes: Vec<usize>,
}

/// The entries of a list that have the shape that is expected.
fn list<T: DeserializeOwned>(record: &Value, name: &str) -> Vec<T> {
    let entries = record.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| T::deserialize(entry).ok()).collect()
}

/// A kind as a reader writes it: without underscores.
pub(crate) fn plain(kind: &str) -> String {
    kind.replace('_', " ")
}

/// A kind as the contract writes it.
pub(crate) fn written(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_is_passed_over() {
        let reading = Reading::of_json(&json!({
            "quotes": [7, {"id": "q1"}, {"id": "q2", "speaker": {"entity": "p1", "mood": "glad"}, "volume": 11}],
            "people": [{"id": "p1", "name": "Ada Bell"}, {"name": "no id"}],
            "times": "none",
        }));
        assert_eq!(reading.quotes.len(), 2);
        assert_eq!(reading.entities.len(), 1);
        assert_eq!(reading.quotes[1].speaker.as_ref().and_then(|party| reading.party_name(party)), Some("Ada Bell"));
        assert_eq!(reading.speakers().len(), 2);
    }

    #[test]
    fn links_in_words() {
        let reading = Reading::of_json(&json!({"organisations": [{"id": "o1", "name": "Northwire"}]}));
        assert_eq!(reading.link_name("o1"), "Northwire");
        assert_eq!(reading.link_name("anonymous:two officials"), "anonymous: two officials");
        assert_eq!(reading.link_name("unknown"), "unknown");
    }
}

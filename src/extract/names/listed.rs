//! Names and the reader's own lists → names, those of the lists first.
//!
//! ```text
//! list `sites`: North Works, a place
//! A fire broke out at North Works on Monday.
//!                     ^^^^^^^^^^^ place, whatever the model thinks
//! ```
//!
//! A listed name stands over whole tokens and begins with a capital or a figure in the text; of two that begin
//! together the longer one counts. Names of the model that overlap one go, unless they are longer: "North Works
//! Museum" is not North Works.

use super::{Class, Mention};
use crate::{extract::tokens::Token, gazetteer::lists::List};

/// Tokens of a listed name that are looked at.
const TOKENS_MAX: usize = 8;
/// Confidence of a listed name, in hundredths.
const CONFIDENCE: u8 = 100;

/// Puts listed names among the others.
pub fn run(text: &str, tokens: &[Token], names: Vec<Mention>, lists: &[List]) -> Vec<Mention> {
    let longest = lists.iter().map(List::words_max).max().unwrap_or_default().min(TOKENS_MAX);
    if longest == 0 {
        return names;
    }
    let mut found: Vec<Mention> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let mention = (1..=longest).rev().find_map(|length| listed(text, tokens, at, length, lists));
        at = mention.map_or(at + 1, |mention| mention.tokens.1 as usize);
        found.extend(mention);
    }
    // A longer name of the model is another name.
    let is_longer = |listed: &Mention| {
        names
            .iter()
            .any(|name| name.span.overlaps(listed.span) && name.span.contains(listed.span) && name.span != listed.span)
    };
    found.retain(|listed| !is_longer(listed));
    let mut kept: Vec<Mention> = names
        .iter()
        .filter(|name| {
            let first = found.partition_point(|listed| listed.span.end <= name.span.start);
            found.get(first).is_none_or(|listed| !listed.span.overlaps(name.span))
        })
        .copied()
        .collect();
    kept.extend(found);
    kept.sort_by_key(|name| name.span.start);
    kept
}

fn listed(text: &str, tokens: &[Token], at: usize, length: usize, lists: &[List]) -> Option<Mention> {
    let window = tokens.get(at..at + length)?;
    let (first, last) = (window.first()?, window.last()?);
    let span = first.span.cover(last.span);
    let written = span.of(text);
    let large = written.chars().next().is_some_and(|c| c.is_uppercase() || c.is_numeric());
    let entry = (large && first.paragraph == last.paragraph)
        .then(|| lists.iter().find_map(|list| list.find_any(written)))
        .flatten()?;
    let class = match entry.class {
        "person" => Class::Person,
        "organisation" => Class::Organisation,
        "group" => Class::Group,
        "event" => Class::Event,
        "work" => Class::Work,
        _ => Class::Place,
    };
    Some(Mention { span, class, confidence_percent: CONFIDENCE, tokens: (at as u32, (at + length) as u32) })
}

#[cfg(test)]
mod tests {
    use crate::{decode::Hints, extract::Desk, gazetteer::lists::List, record::Record};

    fn read(list: &str, text: &str) -> Record {
        let list = List::read("sites", list).expect("a list");
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        let desk = Desk::new().with_lists(vec![list]);
        desk.read_bytes(envelope.as_bytes(), &Hints::default()).expect("a story")
    }

    #[test]
    fn a_listed_name_is_found_where_the_model_sees_none_and_has_its_class() {
        let list =
            "id,name,aliases,class,lat,lon\nq-1,Quxley Flats,The Flats,place,51.5,-0.1\no-2,Mercy,,organisation,,\n";
        let record = read(list, "Rain fell on Quxley Flats. Mercy sent tents to The Flats, and no mercy was shown.");
        let places: Vec<&str> = record.places.iter().map(|place| place.name.as_str()).collect();
        assert!(places.contains(&"Quxley Flats"), "{places:?}");
        let ids: Vec<&str> = record.watch.iter().map(|watch| watch.id.as_str()).collect();
        assert!(ids.contains(&"q-1") && ids.contains(&"o-2"), "{ids:?}");
        let mercy = record.organisations.iter().find(|body| body.name == "Mercy").expect("Mercy");
        assert_eq!(mercy.mentions.len(), 1, "the word in small letters is no name: {:?}", mercy.mentions);
    }

    #[test]
    fn a_longer_name_stays_what_it_is() {
        let record = read("id,name,class\nb-1,Berlin,person\n", "The Berlin Philharmonic Orchestra played in London.");
        assert!(record.watch.is_empty(), "{:?}", record.watch);
    }
}

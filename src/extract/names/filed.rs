//! Names and the dateline → names that agree with it.
//!
//! ```text
//! ZLATÁ HORA, May 3 (Northwire) - Northwire has learnt that …
//! ^^^^^^^^^^ place   ^^^^^^^^^ organisation, here and below
//! ```
//!
//! The dateline's form tells what its parts are, better than any words around them. A place that is told
//! with its state or country ("SPRINGFIELD, Ohio") keeps the names that were found in it.
//!
//! Needs the tokens to begin and end where the parts do; where they do not, nothing is changed.

use super::{Class, Mention};
use crate::{
    extract::{dateline::Dateline, tokens::Token},
    text::Span,
};

/// Confidence of a name that the dateline's form tells, in hundredths.
const CONFIDENCE: u8 = 99;

/// Puts agency and place of the dateline among the names; the agency's name is one all over the story.
pub fn run(text: &str, tokens: &[Token], dateline: Option<&Dateline>, mut names: Vec<Mention>) -> Vec<Mention> {
    let Some(dateline) = dateline else { return names };
    if let Some(agency) = dateline.agency.and_then(|span| mention(tokens, span, Class::Organisation)) {
        let mark = agency.span.of(text);
        for name in &mut names {
            if name.span.of(text) == mark {
                name.class = Class::Organisation;
            }
        }
        put(&mut names, agency);
    }
    let one_place = dateline.place.filter(|place| !place.of(text).contains([',', '/', '(', ';']));
    if let Some(place) = one_place.and_then(|span| mention(tokens, span, Class::Place)) {
        put(&mut names, place);
    }
    names
}

/// The name over whole tokens.
fn mention(tokens: &[Token], span: Span, class: Class) -> Option<Mention> {
    let first = tokens.partition_point(|token| token.span.end <= span.start);
    let end = tokens.partition_point(|token| token.span.start < span.end);
    let fits = tokens.get(first)?.span.start == span.start && tokens.get(end.checked_sub(1)?)?.span.end == span.end;
    (fits && first < end).then_some(Mention {
        span,
        class,
        confidence_percent: CONFIDENCE,
        tokens: (first as u32, end as u32),
    })
}

/// In text order, in place of what it overlaps.
fn put(names: &mut Vec<Mention>, mention: Mention) {
    names.retain(|name| !name.span.overlaps(mention.span));
    let at = names.partition_point(|name| name.span.start < mention.span.start);
    names.insert(at, mention);
}

#[cfg(test)]
mod tests {
    use crate::{decode::Hints, extract::Desk};

    #[test]
    fn the_agency_is_a_body_and_the_place_a_place_whatever_the_model_thinks() {
        let text = "ZLATÁ HORA, May 3 (Northwire) - Rain fell. Northwire saw it.";
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        let record = Desk::new().read_bytes(envelope.as_bytes(), &Hints::default()).expect("a story");
        let agency = record.organisations.iter().find(|entity| entity.name == "Northwire").expect("the agency");
        assert_eq!(agency.mentions.len(), 2);
        assert!(record.places.iter().any(|place| place.mentions[0].span.text == "ZLATÁ HORA"), "{:?}", record.places);
        let dateline = record.dateline.expect("a dateline");
        assert_eq!(dateline.agency.and_then(|agency| agency.entity), Some(agency.id.clone()));
        assert!(dateline.place.is_some_and(|place| place.entity.is_some()));
    }
}

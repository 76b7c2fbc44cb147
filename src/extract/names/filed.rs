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

/// Letters below which the agency's mark is looked for in the dateline alone: "AA" may be anything.
const LETTERS_MIN: usize = 3;
/// Mentions of the agency that are added.
const AGAIN_MAX: usize = 200;

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
        let seen = again(text, tokens, agency.tokens, mark);
        put(&mut names, agency);
        for mention in seen {
            let at = names.partition_point(|name| name.span.end <= mention.span.start);
            if names.get(at).is_none_or(|name| !name.span.overlaps(mention.span)) {
                names.insert(at, mention);
            }
        }
    }
    let one_place = dateline.place.filter(|place| !place.of(text).contains([',', '/', '(', ';']));
    if let Some(place) = one_place.and_then(|span| mention(tokens, span, Class::Place)) {
        put(&mut names, place);
    }
    names
}

/// Where a name of several letters stands again.
fn again(text: &str, tokens: &[Token], first: (u32, u32), mark: &str) -> Vec<Mention> {
    let length = (first.1 - first.0) as usize;
    if mark.chars().count() < LETTERS_MIN {
        return Vec::new();
    }
    let behind = tokens.windows(length).enumerate().skip(first.1 as usize);
    let same = behind.filter_map(|(at, window)| {
        let span = window.first()?.span.cover(window.last()?.span);
        (span.of(text) == mark).then_some(Mention {
            span,
            class: Class::Organisation,
            confidence_percent: CONFIDENCE,
            tokens: (at as u32, (at + length) as u32),
        })
    });
    same.take(AGAIN_MAX).collect()
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
        let named: Vec<u32> = agency.mentions.iter().map(|m| m.span.start).filter(|start| *start < 50).collect();
        assert_eq!(named, [19, 43]);
        assert!(record.places.iter().any(|place| place.mentions[0].span.text == "ZLATÁ HORA"), "{:?}", record.places);
        let dateline = record.dateline.expect("a dateline");
        assert_eq!(dateline.agency.and_then(|agency| agency.entity), Some(agency.id.clone()));
        assert!(dateline.place.is_some_and(|place| place.entity.is_some()));
    }
}

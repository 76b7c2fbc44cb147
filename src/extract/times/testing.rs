//! Reads a line of text for the tests of the rules.

use super::{Times, run};
use crate::{
    extract::{grammar, layout, sentences, tokens},
    story::{ReferenceTime, TimeBasis},
};

/// The times of a text, with grammar, as of a day.
pub(super) fn read(text: &str, day: Option<&str>) -> Times {
    let layout = layout::read(text, None);
    let tokens = tokens::run(text, &layout, None);
    let sentences = sentences::run(text, &tokens, &layout, None);
    let grammar = grammar::run(text, &tokens, &sentences, grammar::Models::embedded());
    let reference = day.map(|day| ReferenceTime { value: format!("{day}T12:00:00Z"), basis: TimeBasis::Envelope });
    run(text, &tokens, &sentences, &grammar, &[], None, reference.as_ref())
}

/// Fails unless exactly these expressions with these values are read.
#[track_caller]
pub(super) fn values(text: &str, day: Option<&str>, expected: &[(&str, &str)]) {
    let times = read(text, day);
    let found: Vec<(&str, &str)> = times.list.iter().map(|time| (time.span.of(text), time.value.as_str())).collect();
    assert_eq!(found, expected, "in {text:?}");
}

//! Tests of the whole stage, with carets.

mod direct;
mod indirect;
mod lost;
mod marks;

use super::*;
use crate::{
    decode::{Hints, decode},
    extract::{Desk, Findings},
    story::Anomaly,
};

/// Reads a text that is known to be English.
fn read(text: &str) -> (Vec<Quote>, Vec<Anomaly>) {
    let findings = findings(text, &Desk::without_models());
    (findings.quotes, findings.anomalies)
}

fn findings(text: &str, desk: &Desk) -> Findings {
    let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
    let story = decode(envelope.as_bytes(), &Hints::default()).expect("decodes");
    desk.find(&story)
}

/// Content of the first, second … quotation as `1`, `2` …, what was not said, and odd marks.
fn find(text: &str) -> Vec<(&'static str, Span)> {
    const LABELS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];
    const NESTED: [&str; 6] = ["1 inside", "2 inside", "3 inside", "4 inside", "5 inside", "6 inside"];
    let (quotes, anomalies) = read(text);
    let mut found = Vec::new();
    for (index, quote) in quotes.iter().enumerate() {
        let labels = if quote.parent.is_some() { NESTED } else { LABELS };
        found.extend(quote.content.iter().map(|span| (labels[index], *span)));
        found.extend(quote.not_said.iter().map(|span| ("not said", *span)));
    }
    let marks = anomalies.iter().filter(|anomaly| anomaly.code.starts_with("quote."));
    found.extend(marks.filter_map(|anomaly| Some((anomaly.code, anomaly.span?))));
    found
}

/// Who said what: content, cue, speaker, addressee of every quotation, numbered.
fn said(text: &str) -> Vec<(&'static str, Span)> {
    const LABELS: [[&str; 4]; 4] = [
        ["1", "1 cue", "1 speaker", "1 to"],
        ["2", "2 cue", "2 speaker", "2 to"],
        ["3", "3 cue", "3 speaker", "3 to"],
        ["4", "4 cue", "4 speaker", "4 to"],
    ];
    let mut found = Vec::new();
    for (quote, labels) in findings(text, &Desk::new()).quotes.iter().zip(LABELS) {
        found.extend(quote.content.iter().map(|span| (labels[0], *span)));
        found.extend(quote.cue.iter().map(|cue| (labels[1], cue.span)));
        found.extend(quote.speaker.and_then(|speaker| speaker.span).map(|span| (labels[2], span)));
        found.extend(quote.addressee.map(|addressee| (labels[3], addressee.span)));
    }
    found
}

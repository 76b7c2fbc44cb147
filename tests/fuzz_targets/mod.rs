//! What every fuzz target asserts, whoever feeds it: the tests with mutations of the corpus, or
//! cargo-fuzz (`fuzz/`) with inputs that it grows by coverage.

#![allow(dead_code, reason = "each target of cargo-fuzz is a program that uses one of them")]

use std::sync::LazyLock;

use copydesk::{
    decode::{self, Hints},
    extract::Desk,
    story::Format,
};

/// One target: reads the input as a format, or as what it looks like.
pub(crate) fn target(input: &[u8], format: Option<Format>) {
    let hints = Hints { format, ..Hints::default() };
    let stories = match decode::decode_all(input, &hints) {
        Ok(stories) => stories,
        Err(error) => {
            assert!(error.code.starts_with("decode."));
            assert!(error.offset.is_none_or(|offset| offset <= input.len()));
            return;
        }
    };
    assert!(!stories.is_empty());
    for story in stories.iter().flatten() {
        assert!(!story.text.contains('\r') && !story.id.is_empty());
        let spans = story.anomalies.iter().filter_map(|anomaly| anomaly.span);
        for span in spans.chain(story.markup.iter().map(|markup| markup.span)) {
            assert!(story.text.get(span.start()..span.end()).is_some(), "{span:?} does not fit");
        }
    }
}

/// Marks of quotation, and what is taken for one.
const MARKS: [char; 13] = ['"', '\'', '“', '”', '‘', '’', '„', '‚', '«', '»', '‹', '›', '`'];

/// The stages that need no model: fast, and the marks are theirs.
static DESK: LazyLock<Desk> = LazyLock::new(Desk::without_models);

/// The target of quotation marks. The input is a text, a zero byte, and edits of two bytes each: which
/// mark of the text, and whether it is left out or doubled.
pub(crate) fn quotes(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let mut text: Vec<char> = String::from_utf8_lossy(&input[..end]).chars().collect();
    for edit in input.get(end + 1..).unwrap_or_default().chunks_exact(2) {
        let marks: Vec<usize> = (0..text.len()).filter(|at| MARKS.contains(&text[*at])).collect();
        let Some(at) = marks.get(usize::from(edit[0]) % marks.len().max(1)) else { break };
        if edit[1] % 2 == 0 {
            text.remove(*at);
        } else {
            text.insert(*at, text[*at]);
        }
    }
    let text: String = text.into_iter().collect();
    let hints = Hints { format: Some(Format::Plain), ..Hints::default() };
    let Ok(story) = decode::decode(text.as_bytes(), &hints) else { return };
    let findings = DESK.find(&story);
    let fits = |start: usize, end: usize| story.text.get(start..end).is_some();
    for quote in &findings.quotes {
        assert!(!quote.content.is_empty(), "a quotation of nothing");
        assert!(quote.content.iter().all(|span| fits(span.start(), span.end())), "{:?} does not fit", quote.content);
        assert!(quote.content.windows(2).all(|pair| pair[0].end <= pair[1].start), "{:?}", quote.content);
    }
    let again = DESK.find(&story);
    let spans = |findings: &copydesk::extract::Findings| -> Vec<_> {
        findings.quotes.iter().map(|quote| quote.content.clone()).collect()
    };
    assert_eq!(spans(&findings), spans(&again), "the same text gives other quotations");
}

//! Tests of stages, written as text with carets under it.
//!
//! ```text
//! LONDON (Reuters) - Rain fell.
//! ^^^^^^ place
//!         ^^^^^^^ agency
//! ```

use crate::text::Span;

/// Splits marked text into the text and its `(label, piece)` pairs, in text order.
///
/// A line whose first visible character is `^` marks the text line above it. Columns count
/// characters. A final line end is dropped.
pub(crate) fn carets(marked: &str) -> (String, Vec<(String, Span)>) {
    let mut text = String::new();
    let mut line_start = 0;
    let mut found = Vec::new();
    let marked = marked.strip_prefix('\n').unwrap_or(marked);
    let marked = marked.strip_suffix('\n').unwrap_or(marked);
    let mut first = true;
    for line in marked.split('\n') {
        if line.trim_start().starts_with('^') && !first {
            let column = line.chars().take_while(|c| *c == ' ').count();
            let width = line.trim_start().chars().take_while(|c| *c == '^').count();
            let label = line.trim_start().trim_start_matches('^').trim().to_owned();
            let byte_of = |count: usize| {
                let above = crate::text::from(&text, line_start);
                line_start + above.char_indices().nth(count).map_or(above.len(), |(offset, _)| offset)
            };
            found.push((label, Span::new(byte_of(column), byte_of(column + width))));
        } else {
            if !first {
                text.push('\n');
            }
            line_start = text.len();
            text.push_str(line);
            first = false;
        }
    }
    found.sort_by_key(|(label, span)| (span.start, span.end, label.clone()));
    (text, found)
}

/// Fails unless `find` gives exactly the marked pieces.
#[track_caller]
pub(crate) fn check<F>(marked: &str, find: F)
where
    F: FnOnce(&str) -> Vec<(&'static str, Span)>,
{
    let (text, expected) = carets(marked);
    let mut found: Vec<_> = find(&text).into_iter().map(|(label, span)| (label.to_owned(), span)).collect();
    found.sort_by_key(|(label, span)| (span.start, span.end, label.clone()));
    let show = |spans: &[(String, Span)]| {
        spans.iter().map(|(label, span)| format!("{label}: {:?}", span.of(&text))).collect::<Vec<_>>()
    };
    assert_eq!(show(&found), show(&expected), "in {text:?}");
    assert_eq!(found, expected, "the right words in the wrong place in {text:?}");
}

//! Paragraphs → the desk's own words inside the copy.
//!
//! ```text
//! "… with the Front (an organisation outlawed here - MERIDIAN)," he said.
//!                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ legal_status
//!                                                    ^^^^^^^^ author
//! ```
//!
//! Inside a paragraph a note is a parenthesis that is signed, that names itself ("Ed. note"), or
//! `[sic]`. A paragraph that is a note as a whole (changes, messages to editors, credits) is one.
//!
//! What this does not do: take an ordinary parenthesis, or words that a writer put into brackets
//! inside a quotation ("[the mayor]"), for a note.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{Layout, ParagraphKind, is_credit, opening};
use crate::{
    story::Anomaly,
    text::{Span, from, slice, until},
};

/// Notes of one story; what follows is not read, and told.
const NOTES_MAX: usize = 2_000;
/// Bytes of a note inside a paragraph.
const NOTE_BYTES_MAX: usize = 600;
/// Open brackets that wait for their other half.
const DEPTH_MAX: usize = 64;
/// Bytes of a signature.
const AUTHOR_BYTES_MAX: usize = 40;

/// What a note is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Tells the legal standing of somebody that the copy names.
    LegalStatus,
    /// Explains a word or a fact.
    Explanation,
    /// Tells what a version changes.
    Change,
    /// Speaks to other desks.
    Advisory,
    /// Names those who worked on the story.
    Credit,
    /// `[sic]`.
    Sic,
}

/// A note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// With its brackets.
    pub span: Span,
    /// What it is for.
    pub kind: NoteKind,
    /// Who signs it ("TASS", "Ed."), where it is signed.
    pub author: Option<Span>,
}

/// Looks for notes.
pub fn run(text: &str, layout: &Layout, anomalies: &mut Vec<Anomaly>) -> Vec<Note> {
    let mut notes = Vec::new();
    for paragraph in &layout.paragraphs {
        if notes.len() >= NOTES_MAX {
            anomalies.push(Anomaly::at("structure.truncated", Span { end: paragraph.span.start, ..paragraph.span }));
            break;
        }
        let words = paragraph.span.of(text);
        match paragraph.kind {
            ParagraphKind::Note => notes.push(whole(text, paragraph.span)),
            ParagraphKind::Signoff if is_credit(words) => {
                notes.push(Note { span: paragraph.span, kind: NoteKind::Credit, author: None });
            }
            ParagraphKind::Signoff | ParagraphKind::Boilerplate | ParagraphKind::Table => {}
            _ => inside(text, paragraph.span, &mut notes),
        }
    }
    notes
}

/// A paragraph that is a note.
fn whole(text: &str, span: Span) -> Note {
    let words = span.of(text);
    let inner = words.trim_start_matches(['(', '[', '*', ' ']);
    let low = opening(inner, 24).to_lowercase();
    let is_editors_word = ["ed.", "ed ", "editor's note", "editor’s note"].iter().any(|mark| low.starts_with(mark));
    let kind = if is_change(words) {
        NoteKind::Change
    } else if is_editors_word {
        NoteKind::Explanation
    } else {
        NoteKind::Advisory
    };
    let start = span.start() + (words.len() - inner.len());
    let author = is_editors_word.then(|| Span::new(start, start + inner.find([' ', '\'', '’']).unwrap_or(0)));
    Note { span, kind, author: author.filter(|author| !author.is_empty()) }
}

/// Notes between brackets inside a paragraph: one pass with a stack of open brackets.
fn inside(text: &str, paragraph: Span, notes: &mut Vec<Note>) {
    let words = paragraph.of(text);
    let mut open: Vec<(usize, u8)> = Vec::new();
    let first = notes.len();
    for (at, byte) in words.bytes().enumerate() {
        match byte {
            b'(' | b'[' => {
                if open.len() == DEPTH_MAX {
                    open.remove(0);
                }
                open.push((at, byte));
            }
            b')' | b']' => {
                let opener = if byte == b')' { b'(' } else { b'[' };
                let Some((start, _)) = open.pop_if(|(_, found)| *found == opener) else { continue };
                if at + 1 - start <= NOTE_BYTES_MAX && notes.len() < NOTES_MAX {
                    let span = Span::new(paragraph.start() + start, paragraph.start() + at + 1);
                    notes.extend(bracketed(text, span));
                }
            }
            _ => {}
        }
    }
    // An inner bracket closes first; text order asks for the outer one.
    if let Some(found) = notes.get_mut(first..) {
        found.sort_by_key(|note| (note.span.start, std::cmp::Reverse(note.span.end)));
    }
}

/// The note between one pair of brackets, if it is one.
fn bracketed(text: &str, span: Span) -> Option<Note> {
    let inner = Span::new(span.start() + 1, span.end() - 1);
    let words = inner.of(text);
    if words.eq_ignore_ascii_case("sic") {
        return Some(Note { span, kind: NoteKind::Sic, author: None });
    }
    let low = opening(words, 20).to_lowercase();
    let named =
        ["ed. note", "ed note", "ed.:", "ed:", "editor's note", "editor’s note", "eds:", "eds. note", "editors:"];
    if named.iter().any(|mark| low.starts_with(mark)) {
        let speaks_to_desks = low.starts_with("eds") || low.starts_with("editors:");
        let kind = if speaks_to_desks { NoteKind::Advisory } else { NoteKind::Explanation };
        let bytes = words.find([' ', ':', '\'', '’']).unwrap_or(words.len());
        let author = Span::new(inner.start(), inner.start() + bytes);
        return Some(Note { span, kind, author: Some(author) });
    }
    let author = signature(text, inner)?;
    let body = slice(text, inner.start(), author.start());
    Some(Note { span, kind: kind_of(body), author: Some(author) })
}

/// What stands behind the last dash: a name of up to three words with capitals, or "Ed.".
fn signature(text: &str, inner: Span) -> Option<Span> {
    let words = inner.of(text);
    let tail_start = words.ceil_char_boundary(words.len().saturating_sub(AUTHOR_BYTES_MAX));
    let tail = from(words, tail_start);
    let dash =
        [" - ", " – ", " — ", " -- "].iter().filter_map(|dash| tail.rfind(dash).map(|at| at + dash.len())).max()?;
    let name = from(tail, dash).trim();
    let name = if name == "Ed." { name } else { name.trim_end_matches('.') };
    let capitals = name.split(' ').all(|word| word.chars().next().is_some_and(char::is_uppercase));
    let letters = name.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '.' | '-' | '/'));
    let before = until(words, tail_start + dash);
    let says_something = before.split(' ').filter(|word| word.chars().any(char::is_alphabetic)).count() >= 2;
    (capitals && letters && name.split(' ').count() <= 3 && !name.is_empty() && says_something).then_some(())?;
    let start = inner.start() + tail_start + dash + (from(tail, dash).len() - from(tail, dash).trim_start().len());
    Some(Span::new(start, start + name.len()))
}

/// Words that tell a legal standing.
fn kind_of(body: &str) -> NoteKind {
    const LEGAL: [&str; 12] = [
        "banned",
        "outlawed",
        "prohibited",
        "designated",
        "foreign agent",
        "terrorist",
        "extremist",
        "undesirable",
        "recognized as",
        "recognised as",
        "proscribed",
        "blacklisted",
    ];
    let low = body.to_lowercase();
    if LEGAL.iter().any(|word| low.contains(word)) { NoteKind::LegalStatus } else { NoteKind::Explanation }
}

/// Whether a paragraph tells what a version changes: `(Adds quotes)`, `Eds: UPDATES with …`.
pub(super) fn is_change(words: &str) -> bool {
    const VERBS: [&str; 16] = [
        "adds ",
        "updates ",
        "recasts",
        "corrects ",
        "clarifies ",
        "removes ",
        "rewrites",
        "refiles ",
        "fixes ",
        "deletes ",
        "restores ",
        "changes ",
        "repeats ",
        "writes through",
        "edits ",
        "updated with",
    ];
    const OPENINGS: [&str; 4] =
        ["this story corrects", "this story has been corrected", "this version corrects", "this version adds"];
    let low = opening(words, 48).to_lowercase();
    let (inner, framed) = match low.strip_prefix(['(', '[']) {
        Some(inner) => (inner, true),
        None => match low.strip_prefix("eds: ").or_else(|| low.strip_prefix("eds.: ")) {
            Some(inner) => (inner, true),
            None => (low.as_str(), false),
        },
    };
    framed && VERBS.iter().any(|verb| inner.starts_with(verb))
        || OPENINGS.iter().any(|opening| inner.starts_with(opening))
}

/// Whether a change mends a mistake.
pub(super) fn is_correction(words: &str) -> bool {
    let low = opening(words, 80).to_lowercase();
    let inner = low.trim_start_matches(['(', '[']);
    [
        "corrects",
        "clarifies",
        "fixes",
        "refiles",
        "this story corrects",
        "this story has been corrected",
        "this version corrects",
    ]
    .iter()
    .any(|opening| inner.starts_with(opening))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{layout, testing::check};

    fn find(text: &str) -> Vec<(&'static str, Span)> {
        let blocks = layout::split(text, &mut Vec::new());
        let layout = layout::run(text, &blocks, None);
        let label = |kind| match kind {
            NoteKind::LegalStatus => "legal_status",
            NoteKind::Explanation => "explanation",
            NoteKind::Change => "change",
            NoteKind::Advisory => "advisory",
            NoteKind::Credit => "credit",
            NoteKind::Sic => "sic",
        };
        run(text, &layout, &mut Vec::new())
            .into_iter()
            .flat_map(|note| [(label(note.kind), Some(note.span)), ("author", note.author)])
            .filter_map(|(label, span)| span.map(|span| (label, span)))
            .collect()
    }

    #[test]
    fn signed_parentheses() {
        check(
            r#"
"They came with the Front (an organisation outlawed here - MERIDIAN)," he said.
                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ legal_status
                                                           ^^^^^^^^ author
They slept on charpoys (string beds - Ed.) and woke early.
                       ^^^^^^^^^^^^^^^^^^^ explanation
                                      ^^^ author
"#,
            find,
        );
    }

    #[test]
    fn notes_that_name_themselves() {
        check(
            "
The minutes say \"somewheres [sic] safe\" and no more.
                            ^^^^^ sic
He left (Editor's note: by boat) at nine.
        ^^^^^^^^^^^^^^^^^^^^^^^^ explanation
         ^^^^^^ author
",
            find,
        );
    }

    #[test]
    fn paragraphs_that_are_notes() {
        check(
            "
Bells go home

(Adds quotes)
^^^^^^^^^^^^^ change

The bells went home on Monday.

EDITORS: A picture will follow.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ advisory

(Reporting by Ada Quill)
^^^^^^^^^^^^^^^^^^^^^^^^ credit
",
            find,
        );
    }

    #[test]
    fn ordinary_parentheses_are_the_writers() {
        for text in [
            "The party (founded in 1920) lost.",
            "The match (Leeds - Hull) was put off to Monday.",
            "The road (A12 - M25) was closed for the night.",
            "He said \"[the mayor] knew\" and left.",
            "((((((((",
            "))))",
            "A (b [c) d] e.",
        ] {
            assert_eq!(find(text), [], "in {text:?}");
        }
    }
}

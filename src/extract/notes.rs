//! Paragraphs → the desk's own words inside the copy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::text::Span;

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
pub fn run(_text: &str, _layout: &Layout) -> Vec<Note> {
    Vec::new()
}

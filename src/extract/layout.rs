//! Text → paragraphs with kinds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dateline::Dateline;
use crate::{story::Anomaly, text::Span};

/// What a paragraph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParagraphKind {
    /// Headline, slug, byline and other lines above the story proper.
    Header,
    /// The first paragraph of the story proper.
    Lead,
    /// Running text.
    Body,
    /// Mostly somebody's words.
    Quote,
    /// A heading inside the story.
    Crosshead,
    /// What happened before.
    Background,
    /// An item of a list.
    List,
    /// A row of a table.
    Table,
    /// The desk's own words to the reader or to other desks.
    Note,
    /// What ends a transmission: end marks, initials, credits.
    Signoff,
    /// Copyright lines, notices, "about" texts.
    Boilerplate,
}

/// A paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// Without white space at either end.
    pub span: Span,
    /// What it is for.
    pub kind: ParagraphKind,
    /// 0 before the first crosshead, then counting up.
    pub section: u32,
}

/// The paragraphs of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// In text order.
    pub paragraphs: Vec<Paragraph>,
    /// The headline, where the text opens with one.
    pub headline: Option<Span>,
}

/// Lines that are not blank, without white space at either end.
pub fn lines(text: &str) -> Vec<Span> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let span = Span::new(start, start + line.len()).trim(text);
        if !span.is_empty() {
            lines.push(span);
        }
        start += line.len() + 1;
    }
    lines
}

/// Tells the paragraphs apart.
pub fn run(text: &str, _dateline: Option<&Dateline>, _anomalies: &mut Vec<Anomaly>) -> Layout {
    let paragraphs = lines(text)
        .into_iter()
        .enumerate()
        .map(|(index, span)| Paragraph {
            span,
            kind: if index == 0 { ParagraphKind::Lead } else { ParagraphKind::Body },
            section: 0,
        })
        .collect();
    Layout { paragraphs, headline: None }
}

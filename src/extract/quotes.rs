//! Paragraphs → quotations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{layout::Layout, notes::Note};
use crate::{story::Anomaly, text::Span};

/// How words are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteType {
    /// Word for word, between quotation marks.
    Direct,
    /// In the writer's words.
    Indirect,
    /// In the writer's words, with some of the speaker's between marks.
    Mixed,
}

/// A quotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How the words are given.
    pub kind: QuoteType,
    /// What was said, without the quotation marks, in text order.
    pub content: Vec<Span>,
    /// Editorial insertions inside the content.
    pub not_said: Vec<Span>,
    /// Index of the quotation that this one stands inside.
    pub parent: Option<usize>,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

impl Quote {
    /// The content as one text, without what was not said.
    pub fn text_clean(&self, text: &str) -> String {
        let mut clean = String::new();
        for content in &self.content {
            let mut from = content.start();
            for gap in self.not_said.iter().filter(|gap| content.contains(**gap)) {
                push_spaced(&mut clean, Span::new(from, gap.start()).of(text));
                from = gap.end();
            }
            push_spaced(&mut clean, Span::new(from, content.end()).of(text));
        }
        clean
    }
}

/// Appends with one space between, none before punctuation.
fn push_spaced(clean: &mut String, piece: &str) {
    let piece = piece.trim();
    if !clean.is_empty() && !piece.starts_with([',', '.', ';', ':', '!', '?']) && !piece.is_empty() {
        clean.push(' ');
    }
    clean.push_str(piece);
}

/// Looks for quotations.
pub fn run(_text: &str, _layout: &Layout, _notes: &[Note], _anomalies: &mut Vec<Anomaly>) -> Vec<Quote> {
    Vec::new()
}

//! Tokens → sentences.

use std::ops::Range;

use super::{dateline::Dateline, layout::Layout, tokens::Token};
use crate::text::Span;

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Where it stands.
    pub span: Span,
    /// Its tokens.
    pub tokens: Range<u32>,
    /// Index into the layout's paragraphs.
    pub paragraph: u32,
}

/// Groups tokens into sentences.
pub fn run(_text: &str, _tokens: &[Token], layout: &Layout, _dateline: Option<&Dateline>) -> Vec<Sentence> {
    let sentence = |(index, paragraph): (usize, &super::layout::Paragraph)| Sentence {
        span: paragraph.span,
        tokens: 0..0,
        paragraph: index as u32,
    };
    layout.paragraphs.iter().enumerate().map(sentence).collect()
}

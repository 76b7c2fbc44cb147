//! Text → tokens: Universal Dependencies / Penn Treebank conventions, every token a span.

use super::{dateline::Dateline, layout::Layout};
use crate::text::Span;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it stands; tokens never overlap and are in text order.
    pub span: Span,
    /// Index into the layout's paragraphs.
    pub paragraph: u32,
}

/// Splits every paragraph.
pub fn run(text: &str, layout: &Layout, _dateline: Option<&Dateline>) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, paragraph) in layout.paragraphs.iter().enumerate() {
        let mut start = paragraph.span.start();
        for word in paragraph.span.of(text).split(char::is_whitespace) {
            if !word.is_empty() {
                tokens.push(Token { span: Span::new(start, start + word.len()), paragraph: index as u32 });
            }
            start += word.len() + 1;
        }
    }
    tokens
}

//! Header and sign-off lines → authors.

use super::{dateline::Dateline, layout::Layout};
use crate::text::Span;

/// One author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Byline {
    /// The name.
    pub name: Span,
    /// The author's title.
    pub title: Option<Span>,
    /// Where the author reports from.
    pub place: Option<Span>,
}

/// Looks for authors.
pub fn run(_text: &str, _layout: &Layout, _dateline: Option<&Dateline>) -> Vec<Byline> {
    Vec::new()
}

//! Quotations by marks and reports by the parse → one list.
//!
//! ```text
//! Ames said the port was "dead and gone" and that he would sell.
//!           ^^^^^^^^^^^^^^^^^^^^^^^^^^^ mixed
//! ```
//!
//! A report that only repeats a direct quotation is dropped; one that quotes some of its words is
//! mixed; one that stands inside another has it as its parent, when something is uttered there.

use std::cmp::Reverse;

use super::{Quote, QuoteRule, QuoteType, indirect::Report, tree::Tree};
use crate::text::Span;

/// Words of a report outside the marks that make it mixed.
const MIXED_WORDS_MIN: usize = 2;

/// Brings both lists together, in text order, parents first.
pub(super) fn run(tree: &Tree<'_>, mut quotes: Vec<Quote>, reports: Vec<Report>, terms: &[Span]) -> Vec<Quote> {
    let mut pieces: Vec<(Span, usize)> = Vec::new();
    for (index, quote) in quotes.iter().enumerate().filter(|(_, quote)| quote.parent.is_none()) {
        pieces.extend(quote.content.iter().map(|content| (*content, index)));
    }
    pieces.sort_by_key(|(content, _)| content.start);
    let inner = Inner::new(&quotes);
    for report in reports {
        let Report { mut quote, inside } = report;
        if inside {
            // Words between inner marks are known already.
            let known = quote.content.iter().any(|content| {
                let mut over = inner.overlapping(*content);
                over.any(|index| quotes.get(index).is_some_and(|other| same_cue(other, &quote)))
            });
            if !known {
                quotes.push(quote);
            }
            continue;
        }
        let marked_pieces: Vec<(Span, usize)> = quote
            .content
            .iter()
            .flat_map(|content| {
                let first = pieces.partition_point(|(piece, _)| piece.end <= content.start);
                pieces.iter().skip(first).take_while(|(piece, _)| piece.start < content.end).copied()
            })
            .collect();
        let Some((first_piece, direct)) = marked_pieces.first().copied() else {
            let has_term = |content: &Span| {
                let first = terms.partition_point(|term| term.end <= content.start);
                terms.get(first).is_some_and(|term| covers(tree, *content, *term))
            };
            if quote.content.iter().any(has_term) {
                quote.kind = QuoteType::Mixed;
            }
            quotes.push(quote);
            continue;
        };
        let words_outside: usize =
            quote.content.iter().map(|content| words_without(tree, *content, &marked_pieces)).sum();
        let starts_before = quote.content.first().is_some_and(|content| content.start + 1 < first_piece.start);
        let Some(found) = quotes.get_mut(direct) else { continue };
        let whole =
            marked_pieces.iter().all(|(piece, _)| quote.content.iter().any(|content| covers(tree, *content, *piece)));
        let one = found.content.len() == marked_pieces.len() && marked_pieces.iter().all(|(_, index)| *index == direct);
        if words_outside >= MIXED_WORDS_MIN && starts_before && whole && one {
            // The marks hold a part of what the sentence reports.
            found.kind = QuoteType::Mixed;
            found.content = quote.content;
            found.cue = quote.cue;
            found.speaker = quote.speaker;
            found.addressee = quote.addressee;
            found.circumstances = quote.circumstances;
            found.rule = quote.rule;
            found.confidence_percent = found.confidence_percent.min(quote.confidence_percent);
        } else if found.cue.is_none() && found.speaker.is_none() && words_outside < MIXED_WORDS_MIN {
            found.cue = quote.cue;
            found.speaker = quote.speaker;
            found.addressee = quote.addressee;
        } else if words_outside >= MIXED_WORDS_MIN && !same_cue(found, &quote) {
            // Another report: what was said word for word is not its own.
            quote.content.retain(|content| marked_pieces.iter().all(|(piece, _)| !piece.overlaps(*content)));
            if !quote.content.is_empty() {
                quotes.push(quote);
            }
        }
    }
    nest(&quotes)
}

/// The pieces of quotations inside others, for a look-up by place.
struct Inner {
    /// Piece, its quotation, and the furthest end of this and all pieces before it.
    pieces: Vec<(Span, usize, u32)>,
}

impl Inner {
    fn new(quotes: &[Quote]) -> Self {
        let nested = quotes.iter().enumerate().filter(|(_, quote)| quote.parent.is_some());
        let mut pieces: Vec<(Span, usize, u32)> = nested
            .flat_map(|(index, quote)| quote.content.iter().map(move |content| (*content, index, content.end)))
            .collect();
        pieces.sort_by_key(|(content, index, _)| (content.start, *index));
        let mut furthest = 0;
        for piece in &mut pieces {
            furthest = furthest.max(piece.2);
            piece.2 = furthest;
        }
        Self { pieces }
    }

    fn overlapping(&self, span: Span) -> impl Iterator<Item = usize> + '_ {
        let first = self.pieces.partition_point(|(_, _, furthest)| *furthest <= span.start);
        let near = self.pieces.iter().skip(first).take_while(move |(piece, _, _)| piece.start < span.end);
        near.filter(move |(piece, _, _)| piece.overlaps(span)).map(|(_, index, _)| *index)
    }
}

/// Whether a content holds a piece; a comma or stop that American copy puts before the closing mark is no matter.
fn covers(tree: &Tree<'_>, content: Span, piece: Span) -> bool {
    let words = piece.of(tree.input.text).trim_end_matches([',', '.', ';', ' ']).len();
    content.contains(Span { end: piece.start + words as u32, ..piece })
}

fn same_cue(one: &Quote, other: &Quote) -> bool {
    match (&one.cue, &other.cue) {
        (Some(one), Some(other)) => one.span.overlaps(other.span),
        _ => false,
    }
}

/// Words of a span that stand in none of the pieces.
fn words_without(tree: &Tree<'_>, span: Span, pieces: &[(Span, usize)]) -> usize {
    let outside = |token: &usize| {
        tree.input.tokens.get(*token).is_some_and(|token| pieces.iter().all(|(piece, _)| !piece.contains(token.span)))
    };
    let words = tree.tokens_in(span).filter(|token| !tree.is_punctuation(*token));
    words.filter(|token| tree.word(*token) != "that").filter(outside).count()
}

/// Puts the list into text order, gives parents, and drops what is only thought inside another.
fn nest(quotes: &[Quote]) -> Vec<Quote> {
    let mut order: Vec<usize> = (0..quotes.len()).collect();
    let key = |index: &usize| {
        let quote = quotes.get(*index);
        let first = quote.and_then(|quote| quote.content.first()).copied().unwrap_or_default();
        let last = quote.and_then(|quote| quote.content.last()).map_or(0, |content| content.end);
        let direct = quote.is_some_and(|quote| quote.rule == QuoteRule::Marks);
        (first.start, Reverse(last), Reverse(direct), *index)
    };
    order.sort_by_key(key);
    let mut place: Vec<Option<usize>> = vec![None; quotes.len()];
    let mut sorted: Vec<Quote> = Vec::with_capacity(quotes.len());
    // Open quotations around the one at hand, outermost first.
    let mut open: Vec<usize> = Vec::new();
    for index in order {
        let Some(quote) = quotes.get(index) else { continue };
        let Some(first) = quote.content.first().copied() else { continue };
        open.retain(|holder| {
            let last = sorted.get(*holder).and_then(|quote: &Quote| quote.content.last());
            last.is_some_and(|last| last.end > first.start)
        });
        let mut quote = quote.clone();
        // What is reported inside another report ends with it.
        if let (Some(cue), true) = (quote.cue.as_ref().map(|cue| cue.span), quote.rule != QuoteRule::Marks) {
            let around = open
                .iter()
                .rev()
                .filter_map(|holder| sorted.get(*holder))
                .find_map(|outer| outer.content.iter().copied().find(|content| content.contains(cue)));
            if let Some(around) = around {
                for content in &mut quote.content {
                    let end = content.end.min(around.end);
                    *content = Span { start: content.start.max(around.start).min(end), end };
                }
                quote.content.retain(|content| !content.is_empty());
            }
        }
        let holds = |holder: &&usize| {
            sorted.get(**holder).is_some_and(|outer| {
                let whole = |span: Span| outer.content.iter().any(|content| content.contains(span));
                quote.content.iter().all(|content| whole(*content))
                    && quote.cue.as_ref().is_none_or(|cue| quote.rule == QuoteRule::Marks || whole(cue.span))
            })
        };
        let parent = open.iter().rev().find(holds).copied();
        let marked = quote.rule == QuoteRule::Marks;
        let worth = match quote.rule {
            QuoteRule::Marks | QuoteRule::Clause | QuoteRule::Trailing | QuoteRule::Object | QuoteRule::Infinitive => {
                quote.cue.as_ref().is_none_or(|cue| cue.kind.is_speech())
            }
            _ => false,
        };
        if parent.is_some() && !marked && !worth {
            continue;
        }
        // Two reports of one stretch: the first stays.
        let twice =
            !marked && open.iter().any(|other| sorted.get(*other).is_some_and(|other| other.content == quote.content));
        if twice {
            continue;
        }
        if quote.content.is_empty() {
            continue;
        }
        quote.parent = parent.or_else(|| quote.parent.and_then(|parent| place.get(parent).copied().flatten()));
        if let Some(slot) = place.get_mut(index) {
            *slot = Some(sorted.len());
        }
        open.push(sorted.len());
        sorted.push(quote);
    }
    sorted
}

//! Who speaks where the words of the quotation's own sentence do not tell.
//!
//! ```text
//! Ames was not convinced. "It will not hold."
//! ^^^^ the subject of the sentence before
//!
//! "We asked twice," said Ames.
//!                        ^^^^
//! "Nobody answered."          carried
//! ```
//!
//! Carries over one paragraph and no further; then the speaker is unknown.

use std::ops::Range;

use super::{Quote, QuoteType, Resolution, Speaker, SpeakerRule, tree::Phrase, tree::Tree};
use crate::model::{parser::Relation, tagger::Upos};

/// A speaker from the words that tell it.
pub(super) fn from_phrase(tree: &Tree<'_>, phrase: &Phrase) -> Option<Speaker> {
    let span = tree.span(&phrase.range)?;
    let named = || {
        let names = tree.input.names;
        let first = names.partition_point(|name| name.span.end <= span.start);
        let mut inside = names.iter().skip(first).take_while(|name| name.span.start < span.end);
        inside.any(|name| {
            let head = tree.input.tokens.get(phrase.head).map(|token| token.span);
            head.is_some_and(|head| name.span.contains(head))
                || is_apposed(tree, phrase.head, tree.tokens_in(name.span))
        })
    };
    let resolution = match tree.upos(phrase.head) {
        Upos::Pron | Upos::Det if !matches!(tree.word(phrase.head), "someone" | "everyone" | "nobody" | "others") => {
            Resolution::Pronoun
        }
        Upos::Propn => Resolution::Name,
        _ if named() => Resolution::Name,
        _ => Resolution::Nominal,
    };
    Some(Speaker { span: Some(span), head: Some(phrase.head as u32), entity: None, resolution, rule: phrase.rule })
}

/// "the head of the port, Anna Ames": the name stands beside the role.
fn is_apposed(tree: &Tree<'_>, head: usize, name: Range<usize>) -> bool {
    name.into_iter().any(|token| {
        tree.head(token) == Some(head)
            && matches!(tree.relation(token), Relation::Appos | Relation::Flat | Relation::Compound)
    })
}

const NOBODY: Speaker =
    Speaker { span: None, head: None, entity: None, resolution: Resolution::Unknown, rule: SpeakerRule::Nobody };

/// Gives every direct quotation a speaker, at the least an unknown one.
pub(super) fn carry(tree: &Tree<'_>, quotes: &mut [Quote]) {
    // The last one who spoke, and the paragraph of the last words of it.
    let mut last: Option<(Speaker, u32)> = None;
    for index in 0..quotes.len() {
        let Some(quote) = quotes.get(index) else { continue };
        let Some(first) = quote.content.first().map(|content| tree.tokens_in(*content)) else { continue };
        let paragraph = tree.paragraph(first.start).unwrap_or_default();
        let needs = quote.kind == QuoteType::Direct && quote.speaker.is_none();
        let found = if !needs {
            None
        } else if quote.parent.is_some() {
            Some(NOBODY)
        } else {
            let carried = last.filter(|(_, place)| *place + 1 >= paragraph).map(|(speaker, _)| Speaker {
                resolution: Resolution::Carried,
                rule: SpeakerRule::Before,
                ..speaker
            });
            Some(sentence_before(tree, quotes, first.start).or(carried).unwrap_or(NOBODY))
        };
        let Some(quote) = quotes.get_mut(index) else { continue };
        if let Some(found) = found {
            quote.speaker = Some(found);
            let doubt = if found.resolution == Resolution::Unknown { 50 } else { 70 };
            quote.confidence_percent = quote.confidence_percent.min(doubt);
        }
        let speaks = quote.cue.as_ref().is_none_or(|cue| cue.kind.is_speech()) && quote.parent.is_none();
        if let Some(speaker) = quote.speaker.filter(|speaker| speaks && speaker.span.is_some()) {
            let end = quote.content.last().map_or(first.end, |content| tree.tokens_in(*content).start);
            last = Some((speaker, tree.paragraph(end).unwrap_or(paragraph)));
        }
    }
}

/// The subject of the sentence before in the same paragraph, when it is somebody who can speak.
fn sentence_before(tree: &Tree<'_>, quotes: &[Quote], first: usize) -> Option<Speaker> {
    let index = tree.sentence_at(first)?;
    let own = tree.sentence(index)?;
    // The quotation opens its sentence: only marks stand before it.
    if (own.start..first).any(|token| !tree.is_punctuation(token)) {
        return None;
    }
    let before = tree.sentence(index.checked_sub(1)?)?;
    if tree.paragraph(before.start) != tree.paragraph(first) {
        return None;
    }
    let span = tree.span(&before)?;
    let spoken = quotes.iter().rev().find(|quote| {
        quote.speaker.is_some_and(|speaker| speaker.span.is_some_and(|words| span.contains(words)))
            && quote.parent.is_none()
            && quote.cue.as_ref().is_some_and(|cue| cue.kind.is_speech())
    });
    if let Some(speaker) = spoken.and_then(|quote| quote.speaker) {
        return Some(Speaker { resolution: Resolution::Carried, rule: SpeakerRule::Before, ..speaker });
    }
    if quotes.iter().any(|quote| quote.kind == QuoteType::Direct && quote.content.iter().any(|c| c.overlaps(span))) {
        return None;
    }
    let root = before.clone().find(|token| tree.head(*token).is_none_or(|head| !before.contains(&head)))?;
    let subject = tree.subject(root, &before)?;
    let person = tree.upos(subject.head) == Upos::Propn
        || matches!(tree.word(subject.head).to_lowercase().as_str(), "he" | "she" | "they");
    let speaker = from_phrase(tree, &subject).filter(|_| person)?;
    Some(Speaker { resolution: Resolution::Carried, rule: SpeakerRule::SentenceBefore, ..speaker })
}

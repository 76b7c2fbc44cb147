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

use super::{Quote, QuoteRule, QuoteType, Resolution, Speaker, SpeakerRule, tree::Phrase, tree::Tree};
use crate::{
    extract::names::Class,
    model::{parser::Relation, tagger::Upos},
};

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

/// Who spoke last: whom a quotation without words about its speaker goes back to.
#[derive(Clone, Copy)]
struct Last {
    speaker: Speaker,
    /// Of the last words of it.
    paragraph: u32,
    /// In which its last words or its cue stand.
    sentence: usize,
}

/// Gives every direct quotation a speaker, at the least an unknown one.
pub(super) fn carry(tree: &Tree<'_>, quotes: &mut [Quote]) {
    let told = Told::new(tree, quotes);
    let mut last: Option<Last> = None;
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
            let near = last.filter(|last| last.paragraph + 1 >= paragraph);
            let carried = near.filter(|last| !another_between(tree, last, first.start)).map(|last| Speaker {
                resolution: Resolution::Carried,
                rule: SpeakerRule::Before,
                ..last.speaker
            });
            Some(sentence_before(tree, quotes, &told, first.start).or(carried).unwrap_or(NOBODY))
        };
        let Some(quote) = quotes.get_mut(index) else { continue };
        if let Some(found) = found {
            quote.speaker = Some(found);
            let doubt = if found.resolution == Resolution::Unknown { 50 } else { 70 };
            quote.confidence_percent = quote.confidence_percent.min(doubt);
        }
        let speaks = quote.cue.as_ref().is_none_or(|cue| cue.kind.is_speech()) && quote.parent.is_none();
        if !speaks {
            continue;
        }
        match quote.speaker.filter(|speaker| speaker.span.is_some()) {
            Some(speaker) => {
                let end = quote.content.last().map_or(first.start, |content| tree.tokens_in(*content).start);
                let cue = quote.cue.as_ref().map_or(end, |cue| tree.tokens_in(cue.span).start);
                let sentence = tree.sentence_at(end.max(cue)).unwrap_or_default();
                last = Some(Last { speaker, paragraph: tree.paragraph(end).unwrap_or(paragraph), sentence });
            }
            // Somebody spoke, and the desk does not know who: nobody before may be taken for it.
            None if quote.cue.is_some() && quote.rule != QuoteRule::Noun => last = None,
            None => {}
        }
    }
}

/// Whether the copy turns to another person between the last one who spoke and a token.
fn another_between(tree: &Tree<'_>, last: &Last, token: usize) -> bool {
    /// Sentences between two quotations; with more, the copy has turned to something else.
    const MAX: usize = 12;
    let Some(own) = tree.sentence_at(token) else { return false };
    let entity = |head: usize| tree.input.entities.at_token(head as u32);
    let speaker = last.speaker.head.map(|head| head as usize);
    let mut between = (last.sentence + 1..own).filter_map(|index| tree.sentence(index));
    own > last.sentence + 1 + MAX
        || between.any(|sentence| {
            let root = sentence.clone().find(|token| tree.head(*token).is_none_or(|head| !sentence.contains(&head)));
            let Some(subject) = root.and_then(|root| tree.subject(root, &sentence)) else { return false };
            let is_person = entity(subject.head)
                .and_then(|entity| tree.input.entities.list.get(entity))
                .is_some_and(|entity| entity.class == Class::Person);
            let same = speaker.is_some_and(|head| {
                entity(head) == entity(subject.head) || tree.word(head).eq_ignore_ascii_case(tree.word(subject.head))
            });
            is_person && tree.upos(subject.head) != Upos::Pron && !same
        })
}

/// What each sentence holds of quotations.
struct Told {
    /// The last quotation whose speaker is told there.
    speakers: Vec<Option<usize>>,
    /// Whether words between marks stand there.
    marked: Vec<bool>,
}

impl Told {
    fn new(tree: &Tree<'_>, quotes: &[Quote]) -> Self {
        let count = tree.input.sentences.len();
        let mut told = Self { speakers: vec![None; count], marked: vec![false; count] };
        for (index, quote) in quotes.iter().enumerate() {
            let speaks = quote.parent.is_none() && quote.cue.as_ref().is_some_and(|cue| cue.kind.is_speech());
            let words = quote.speaker.and_then(|speaker| speaker.span).filter(|_| speaks);
            let at = words.and_then(|words| tree.sentence_at(tree.tokens_in(words).start));
            if let Some(slot) = at.and_then(|at| told.speakers.get_mut(at)) {
                *slot = Some(index);
            }
            let marked = quote.content.iter().filter(|_| quote.kind == QuoteType::Direct && quote.parent.is_none());
            for tokens in marked.map(|content| tree.tokens_in(*content)) {
                let last = tree.sentence_at(tokens.end.saturating_sub(1).max(tokens.start));
                if let (Some(first), Some(last)) = (tree.sentence_at(tokens.start), last) {
                    told.marked.iter_mut().take(last + 1).skip(first).for_each(|slot| *slot = true);
                }
            }
        }
        told
    }
}

/// The subject of the sentence before in the same paragraph, when it is somebody who can speak.
fn sentence_before(tree: &Tree<'_>, quotes: &[Quote], told: &Told, first: usize) -> Option<Speaker> {
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
    let spoken = told.speakers.get(index - 1).copied().flatten().and_then(|at| quotes.get(at));
    if let Some(speaker) = spoken.and_then(|quote| quote.speaker) {
        return Some(Speaker { resolution: Resolution::Carried, rule: SpeakerRule::Before, ..speaker });
    }
    if told.marked.get(index - 1).copied().unwrap_or_default() {
        return None;
    }
    let root = before.clone().find(|token| tree.head(*token).is_none_or(|head| !before.contains(&head)))?;
    let subject = tree.subject(root, &before)?;
    let person = tree.upos(subject.head) == Upos::Propn
        || matches!(tree.word(subject.head).to_lowercase().as_str(), "he" | "she" | "they");
    let speaker = from_phrase(tree, &subject).filter(|_| person)?;
    Some(Speaker { resolution: Resolution::Carried, rule: SpeakerRule::SentenceBefore, ..speaker })
}

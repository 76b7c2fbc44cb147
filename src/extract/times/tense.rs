//! Which way in time a sentence looks where an expression stands: by the verb that it hangs on.
//!
//! The head of the expression is followed up the tree to the first verb; its form and its
//! auxiliaries tell the tense. Without a tree the words of the sentence do: "will" looks ahead.

use std::ops::Range;

use super::meaning::Side;
use crate::{
    extract::{
        grammar::{self, Grammar},
        tokens::Token,
    },
    model::{
        parser::Relation,
        tagger::{Upos, Xpos},
    },
};

/// How far up the tree the verb is looked for.
const STEPS_MAX: usize = 8;
/// How many tokens around a verb are looked through for its auxiliaries.
const REACH_TOKENS: usize = 12;
/// Verbs that speak of what is still to come: "is expected", "plans to".
const AHEAD: &str = " expect schedule plan intend slate set due hope aim prepare propose ";

/// Verbs whose infinitive has happened when they have.
const DONE: &str = " manage fail begin start continue help get happen prove force compel neglect come go ";

/// The tokens of a story with their grammar.
#[derive(Clone, Copy)]
pub(super) struct Tenses<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
    pub(super) grammar: &'a Grammar,
}

impl Tenses<'_> {
    /// The tense around some tokens of a sentence; none when nothing tells it.
    pub(super) fn around(self, expression: &Range<u32>, sentence: &Range<u32>) -> Option<Side> {
        let told =
            if self.grammar.words.is_empty() { self.by_words(sentence) } else { self.by_tree(expression, sentence) };
        let before = expression.start.checked_sub(1).filter(|before| sentence.contains(before));
        match before {
            Some(before) if self.is(before, &["since"]) => Some(Side::Past),
            // "until Friday" looks ahead unless its verb is in the past.
            Some(before) if self.is(before, &["until", "till", "by"]) && told != Some(Side::Past) => Some(Side::Future),
            _ => told,
        }
    }

    fn is(self, token: u32, words: &[&str]) -> bool {
        let written = self.tokens.get(token as usize).map_or("", |token| token.span.of(self.text));
        words.iter().any(|word| word.eq_ignore_ascii_case(written))
    }

    fn by_words(self, sentence: &Range<u32>) -> Option<Side> {
        let ahead = |token| self.is(token, &["will", "'ll", "’ll", "wo", "shall"]);
        sentence.clone().any(ahead).then_some(Side::Future)
    }

    fn by_tree(self, expression: &Range<u32>, sentence: &Range<u32>) -> Option<Side> {
        let words = &self.grammar.words;
        let mut at = expression.clone().find_map(|token| {
            let head = words.get(token as usize)?.head?;
            (!expression.contains(&head)).then_some(head)
        })?;
        for _ in 0..STEPS_MAX {
            if let Some(side) = self.tense(at, sentence) {
                return Some(side);
            }
            match words.get(at as usize)?.head {
                Some(head) if sentence.contains(&head) => at = head,
                _ => break,
            }
        }
        None
    }

    /// Whether an infinitive tells of what the past verb above it led to: "came from behind to win", "managed to win".
    /// "agreed to meet", "was due to meet" look ahead.
    fn has_happened(self, infinitive: &grammar::Word, sentence: &Range<u32>) -> bool {
        let Some(above) = infinitive.head.filter(|above| sentence.contains(above)) else { return false };
        let lemma = format!(" {} ", self.grammar.lemma(above as usize));
        let led = match infinitive.relation {
            Relation::Advcl => !AHEAD.contains(&lemma),
            Relation::Xcomp => DONE.contains(&lemma),
            _ => false,
        };
        let is_finite = |word: &grammar::Word| matches!(word.xpos, Xpos::Vbd | Xpos::Vbn | Xpos::Vbg);
        led && self.grammar.words.get(above as usize).is_some_and(is_finite)
            && self.tense(above, sentence) == Some(Side::Past)
    }

    /// The tense of a verb with its auxiliaries; none when it has none of its own.
    fn tense(self, verb: u32, sentence: &Range<u32>) -> Option<Side> {
        let words = &self.grammar.words;
        let word = words.get(verb as usize)?;
        let start = verb.saturating_sub(REACH_TOKENS as u32).max(sentence.start);
        let end = verb.saturating_add(REACH_TOKENS as u32).min(sentence.end);
        let (mut helped, mut is_past, mut is_present) = (false, false, false);
        for token in start..end {
            let Some(near) = words.get(token as usize).filter(|near| near.head == Some(verb)) else { continue };
            match near.relation {
                Relation::Aux | Relation::AuxPass | Relation::Cop => {
                    helped = true;
                    if near.xpos == Xpos::Md {
                        return Some(Side::Future);
                    }
                    match near.xpos {
                        Xpos::Vbd => is_past = true,
                        Xpos::Vbz | Xpos::Vbp => {
                            // "has left" has happened.
                            let perfect =
                                matches!(self.grammar.lemma(token as usize), "have") && word.xpos == Xpos::Vbn;
                            is_past |= perfect;
                            is_present |= !perfect;
                        }
                        _ => {}
                    }
                }
                // "was due to resume"
                Relation::Mark if self.is(token, &["due"]) => return Some(Side::Future),
                Relation::Mark if self.is(token, &["to"]) => {
                    return if self.has_happened(word, sentence) { Some(Side::Past) } else { Some(Side::Future) };
                }
                _ => {}
            }
        }
        if is_past {
            return Some(Side::Past);
        }
        let lemma = self.grammar.lemma(verb as usize);
        if is_present {
            let ahead = AHEAD.contains(&format!(" {lemma} ")) || word.xpos == Xpos::Vbg;
            return Some(if ahead { Side::Future } else { Side::Present });
        }
        if helped || !matches!(word.upos, Upos::Verb | Upos::Aux) {
            return None;
        }
        match word.xpos {
            Xpos::Vbd | Xpos::Vbn => Some(Side::Past),
            // "The talks open Monday": news speaks of what is fixed in the present tense.
            Xpos::Vbz | Xpos::Vbp if !matches!(lemma, "be" | "have" | "do" | "say" | "show") => Some(Side::Future),
            Xpos::Vbz | Xpos::Vbp => Some(Side::Present),
            Xpos::Vb => Some(Side::Future),
            _ => None,
        }
    }
}

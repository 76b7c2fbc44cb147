//! The parse, asked in the words of this stage: subjects, noun phrases, verb groups.
//!
//! ```text
//! Ames, who runs the port, has long said that it would close.
//! ^^^^^^^^^^^^^^^^^^^^^^^^ subject
//!                          ^^^^^^^^^^^^^ verb group
//! ```
//!
//! Ranges are ranges of the story's tokens. Does not mend the parse; it only keeps what it gives
//! inside the sentence, and a subject on its side of the verb.

use std::ops::Range;

use super::{Input, SpeakerRule};
use crate::{
    extract::{grammar::Word, sentences::Sentence},
    model::{
        parser::Relation,
        tagger::{Upos, Xpos},
    },
    text::Span,
};

/// Words before a verb that belong to its group.
const GROUP_WORDS_MAX: usize = 6;

/// A subject: its words and the word that they are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::extract) struct Phrase {
    pub(in crate::extract) range: Range<usize>,
    pub(in crate::extract) head: usize,
    pub(in crate::extract) rule: SpeakerRule,
}

pub(in crate::extract) struct Tree<'a> {
    pub(in crate::extract) input: Input<'a>,
    /// First and last token under each token.
    extents: Vec<(u32, u32)>,
    /// Where the children of each token begin in `children`; one more than there are tokens.
    child_starts: Vec<u32>,
    children: Vec<u32>,
}

impl<'a> Tree<'a> {
    pub(in crate::extract) fn new(input: Input<'a>) -> Self {
        let words = &input.grammar.words;
        let mut extents: Vec<(u32, u32)> = (0..words.len() as u32).map(|token| (token, token)).collect();
        let mut child_starts = vec![0_u32; words.len() + 1];
        for word in words {
            if let Some(count) = word.head.and_then(|head| child_starts.get_mut(head as usize + 1)) {
                *count += 1;
            }
        }
        // Leaves first: a word widens the one that it hangs on once all that hang on itself have widened it.
        let mut waiting: Vec<u32> = child_starts.iter().skip(1).copied().collect();
        let mut ready: Vec<usize> = (0..words.len()).filter(|token| waiting.get(*token) == Some(&0)).collect();
        while let Some(token) = ready.pop() {
            let Some(head) = words.get(token).and_then(|word| word.head).map(|head| head as usize) else { continue };
            let below = extents.get(token).copied().unwrap_or_default();
            if let (Some(extent), Some(left)) = (extents.get_mut(head), waiting.get_mut(head)) {
                *extent = (extent.0.min(below.0), extent.1.max(below.1));
                *left -= 1;
                if *left == 0 {
                    ready.push(head);
                }
            }
        }
        for index in 1..child_starts.len() {
            child_starts[index] += child_starts[index - 1];
        }
        let mut next = child_starts.clone();
        let mut children = vec![0; child_starts.last().copied().unwrap_or_default() as usize];
        for (token, word) in words.iter().enumerate() {
            if let Some(slot) = word.head.and_then(|head| next.get_mut(head as usize)) {
                if let Some(child) = children.get_mut(*slot as usize) {
                    *child = token as u32;
                }
                *slot += 1;
            }
        }
        Self { input, extents, child_starts, children }
    }

    fn at(&self, token: usize) -> Option<&Word> {
        self.input.grammar.words.get(token)
    }

    pub(in crate::extract) fn word(&self, token: usize) -> &'a str {
        self.input.tokens.get(token).map_or("", |token| token.span.of(self.input.text))
    }

    pub(in crate::extract) fn lemma(&self, token: usize) -> &'a str {
        self.input.grammar.lemma(token)
    }

    pub(in crate::extract) fn upos(&self, token: usize) -> Upos {
        self.at(token).map_or(Upos::X, |word| word.upos)
    }

    pub(in crate::extract) fn xpos(&self, token: usize) -> Xpos {
        self.at(token).map_or(Xpos::Fw, |word| word.xpos)
    }

    pub(in crate::extract) fn relation(&self, token: usize) -> Relation {
        self.at(token).map_or(Relation::Dep, |word| word.relation)
    }

    pub(in crate::extract) fn head(&self, token: usize) -> Option<usize> {
        self.at(token).and_then(|word| word.head).map(|head| head as usize)
    }

    pub(in crate::extract) fn children(&self, token: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let start = self.child_starts.get(token).copied().unwrap_or_default() as usize;
        let end = self.child_starts.get(token + 1).copied().unwrap_or_default() as usize;
        self.children.get(start..end).unwrap_or_default().iter().map(|child| *child as usize)
    }

    pub(in crate::extract) fn child(&self, token: usize, relations: &[Relation]) -> Option<usize> {
        self.children(token).find(|child| relations.contains(&self.relation(*child)))
    }

    /// All that hangs on a token, itself included, inside a room.
    pub(in crate::extract) fn under(&self, token: usize, room: &Range<usize>) -> Range<usize> {
        let (first, last) = self.extents.get(token).copied().unwrap_or((token as u32, token as u32));
        let start = (first as usize).max(room.start);
        start..(last as usize + 1).min(room.end).max(start)
    }

    pub(in crate::extract) fn is_punctuation(&self, token: usize) -> bool {
        self.upos(token) == Upos::Punct
    }

    pub(in crate::extract) fn is_noun(&self, token: usize) -> bool {
        matches!(self.upos(token), Upos::Noun | Upos::Propn | Upos::Pron | Upos::Num | Upos::Det)
    }

    /// A range without punctuation at either end, quotation marks left where they are.
    pub(in crate::extract) fn trim(&self, range: &Range<usize>) -> Range<usize> {
        let loose = |token: &usize| {
            matches!(self.word(*token), "," | ";" | ":" | "." | "-" | "--" | "—" | "–" | "…" | "..." | ")" | "(")
        };
        let start = range.clone().find(|token| !loose(token)).unwrap_or(range.end);
        let end = (start..range.end).rev().find(|token| !loose(token)).map_or(start, |token| token + 1);
        // A bracket that opens inside keeps its partner.
        let opens = (start..end).filter(|token| self.word(*token) == "(").count();
        let closes = (start..end).filter(|token| self.word(*token) == ")").count();
        let end = if opens > closes && self.word(end) == ")" && end < range.end { end + 1 } else { end };
        start..end
    }

    /// The text under a range.
    pub(in crate::extract) fn span(&self, range: &Range<usize>) -> Option<Span> {
        let first = self.input.tokens.get(range.start)?;
        let last = self.input.tokens.get(range.end.checked_sub(1)?)?;
        (range.start < range.end).then(|| Span { start: first.span.start, end: last.span.end.max(first.span.start) })
    }

    /// The tokens that lie wholly under a span.
    pub(in crate::extract) fn tokens_in(&self, span: Span) -> Range<usize> {
        let start = self.input.tokens.partition_point(|token| token.span.start < span.start);
        let end = self.input.tokens.partition_point(|token| token.span.end <= span.end);
        start..end.max(start)
    }

    /// The index of the sentence that a token stands in.
    pub(in crate::extract) fn sentence_at(&self, token: usize) -> Option<usize> {
        let after = self.input.sentences.partition_point(|sentence| sentence.tokens.start as usize <= token);
        let index = after.checked_sub(1)?;
        self.sentence(index).filter(|range| range.contains(&token)).map(|_| index)
    }

    pub(in crate::extract) fn sentence(&self, index: usize) -> Option<Range<usize>> {
        self.input.sentences.get(index).map(|Sentence { tokens, .. }| tokens.start as usize..tokens.end as usize)
    }

    pub(in crate::extract) fn paragraph(&self, token: usize) -> Option<u32> {
        self.input.tokens.get(token).map(|token| token.paragraph)
    }

    /// A verb with its auxiliaries, negation, adverbs between, and particle.
    pub(in crate::extract) fn verb_group(&self, verb: usize, room: &Range<usize>) -> Range<usize> {
        let mut start = verb;
        while start > room.start && verb - start < GROUP_WORDS_MAX {
            let before = start - 1;
            let belongs = match self.upos(before) {
                Upos::Aux => true,
                Upos::Part => matches!(self.word(before), "not" | "n't" | "n’t"),
                Upos::Adv => self.xpos(before) != Xpos::Wrb && !matches!(self.word(before), "then" | "so" | "thus"),
                _ => false,
            };
            if !belongs || self.head(before) != Some(verb) && self.upos(before) == Upos::Aux {
                break;
            }
            start = before;
        }
        let particle = verb + 1 < room.end && self.relation(verb + 1) == Relation::CompoundPrt;
        let end = if particle && self.head(verb + 1) == Some(verb) { verb + 2 } else { verb + 1 };
        start..end
    }

    /// The dictionary form of a verb group.
    pub(in crate::extract) fn group_lemma(&self, verb: usize, group: &Range<usize>) -> String {
        let mut lemma = self.lemma(verb).to_lowercase();
        for particle in verb + 1..group.end {
            lemma.push(' ');
            lemma.push_str(&self.word(particle).to_lowercase());
        }
        lemma
    }

    pub(in crate::extract) fn is_passive(&self, verb: usize) -> bool {
        self.child(verb, &[Relation::AuxPass, Relation::NsubjPass]).is_some()
    }

    /// A noun with all that belongs to it, on its side of a verb.
    pub(in crate::extract) fn noun_phrase(&self, head: usize, verb: usize, room: &Range<usize>) -> Range<usize> {
        let side = if head < verb {
            room.start..self.verb_group(verb, room).start.max(head + 1).min(verb)
        } else {
            (verb + 1).max(room.start)..room.end
        };
        let mut range = self.under(head, &side);
        if head > verb {
            range.end = self.cut_circumstances(head, range.clone());
        }
        let skip = |token: &usize| {
            self.is_punctuation(*token) || matches!(self.upos(*token), Upos::Cconj | Upos::Sconj | Upos::Adp)
        };
        let start =
            range.clone().take_while(|token| *token < head && skip(token)).last().map_or(range.start, |t| t + 1);
        self.trim(&(start..range.end))
    }

    /// Where the words about a subject behind its verb end: "said Ames | after the vote".
    fn cut_circumstances(&self, head: usize, range: Range<usize>) -> usize {
        let mut end = range.end;
        for token in head + 1..range.end {
            if self.word(token) == "," {
                // An apposition or a relative clause may follow; its own words are not cut.
                break;
            }
            let circumstance = match self.upos(token) {
                Upos::Adp => !matches!(self.word(token), "of" | "for" | "from" | "with" | "at"),
                Upos::Sconj => true,
                Upos::Verb => matches!(self.word(token), "following" | "during" | "speaking" | "referring" | "adding"),
                _ => false,
            };
            if circumstance && self.upos(head) == Upos::Propn {
                end = token;
                break;
            }
        }
        end
    }

    /// What stands behind a verb and tells when, where and how.
    pub(in crate::extract) fn circumstances(
        &self,
        verb: usize,
        room: &Range<usize>,
        taken: &[Range<usize>],
    ) -> Vec<Span> {
        /// Circumstances of one quotation.
        const MAX: usize = 4;
        const RELATIONS: [Relation; 4] =
            [Relation::Obl, Relation::OblUnmarked, Relation::Advcl, Relation::NmodUnmarked];
        let spans =
            self.children(verb).filter(|child| RELATIONS.contains(&self.relation(*child))).filter_map(|child| {
                // "in a statement that it would appeal" ends before what was said.
                let mut range = self.under(child, room);
                let whole = range.clone();
                for other in taken.iter().filter(|other| child < other.start && other.start < whole.end) {
                    let mark = other.start.checked_sub(1).filter(|mark| self.relation(*mark) == Relation::Mark);
                    range.end = range.end.min(mark.unwrap_or(other.start));
                }
                let range = self.trim(&range);
                let free = taken.iter().all(|other| range.end <= other.start || other.end <= range.start);
                let beside = range.end <= verb || range.start > verb;
                if free && beside { self.span(&range) } else { None }
            });
        spans.take(MAX).collect()
    }
}

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

/// Verbs between a cue and the subject that it shares.
const SHARED_MAX: usize = 4;
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
        for (token, word) in words.iter().enumerate() {
            let mut at = word.head;
            // A word widens all that stand above it, until one is wide enough already.
            for _ in 0..words.len() {
                let Some(extent) = at.and_then(|head| extents.get_mut(head as usize)) else { break };
                if extent.0 <= token as u32 && token as u32 <= extent.1 {
                    break;
                }
                *extent = (extent.0.min(token as u32), extent.1.max(token as u32));
                at = at.and_then(|head| words.get(head as usize)).and_then(|word| word.head);
            }
            if let Some(count) = word.head.and_then(|head| child_starts.get_mut(head as usize + 1)) {
                *count += 1;
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

    /// The subject of a verb, its own or one that it shares, inside a room.
    pub(in crate::extract) fn subject(&self, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        self.subject_within(verb, room, SHARED_MAX)
    }

    fn subject_within(&self, verb: usize, room: &Range<usize>, left: usize) -> Option<Phrase> {
        const SUBJECTS: [Relation; 3] = [Relation::Nsubj, Relation::NsubjPass, Relation::NsubjOuter];
        let own = self.children(verb).find(|child| {
            SUBJECTS.contains(&self.relation(*child)) && room.contains(child) && self.upos(*child) != Upos::Sconj
        });
        if let Some(head) = own {
            let range = self.noun_phrase(head, verb, room);
            return (!range.is_empty()).then_some(Phrase { range, head, rule: SpeakerRule::Subject });
        }
        let left = left.checked_sub(1)?;
        let head = match self.cue_above(verb) {
            // "said it would close and added": the parse hangs it on "close".
            Some(cue) if room.contains(&cue) => return self.shared(cue, verb, room, left),
            _ => self.head(verb)?,
        };
        match self.relation(verb) {
            Relation::Conj | Relation::Advcl | Relation::Xcomp | Relation::Parataxis | Relation::Dep
                if room.contains(&head) =>
            {
                if self.is_noun(head) && self.relation(verb) != Relation::Parataxis {
                    return None;
                }
                if let Some(quoted) = self.quoted(head, verb, room) {
                    return Some(quoted);
                }
                self.shared(head, verb, room, left)
            }
            Relation::Acl if room.contains(&head) && head < verb => {
                let range = self.noun_phrase(head, verb, room);
                (!range.is_empty()).then_some(Phrase { range, head, rule: SpeakerRule::Shared })
            }
            _ => None,
        }
    }

    /// "The Gazette quoted Ames as saying": the one who is quoted says it, not the one who quotes.
    fn quoted(&self, quoting: usize, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        if !matches!(self.lemma(quoting), "quote" | "cite") || self.is_passive(quoting) {
            return None;
        }
        let is_as = |child: usize| self.word(child).eq_ignore_ascii_case("as") && child < verb;
        self.children(verb).find(|child| is_as(*child))?;
        let head = self.child(quoting, &[Relation::Obj]).filter(|head| room.contains(head) && *head < verb)?;
        let range = self.trim(&self.under(head, &(quoting + 1..verb.min(room.end))));
        (!range.is_empty()).then_some(Phrase { range, head, rule: SpeakerRule::Shared })
    }

    /// The subject of another verb; what was said is no subject of the words that report it.
    fn shared(&self, head: usize, verb: usize, room: &Range<usize>, left: usize) -> Option<Phrase> {
        let found = self.subject_within(head, room, left)?;
        let apart = found.range.end <= verb || found.range.start > verb;
        apart.then_some(Phrase { rule: SpeakerRule::Shared, ..found })
    }

    /// The verb above a clause, for a finite verb that the parse coordinates with the clause
    /// although only the verb above agrees with it.
    pub(in crate::extract) fn cue_above(&self, verb: usize) -> Option<usize> {
        let finite = |token: usize| matches!(self.xpos(token), Xpos::Vbd | Xpos::Vbz | Xpos::Vbp);
        if self.relation(verb) != Relation::Conj || !finite(verb) || verb.checked_sub(1)? == self.head(verb)? {
            return None;
        }
        let clause = self.head(verb)?;
        let cue = self.head(clause).filter(|_| self.relation(clause) == Relation::Ccomp)?;
        let alone = self.upos(verb.checked_sub(1)?) == Upos::Cconj;
        (alone && cue < clause && clause < verb && !finite(clause) && self.xpos(cue) == self.xpos(verb)).then_some(cue)
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

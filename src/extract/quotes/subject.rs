//! Who a verb is about: its own subject, one that it shares, or the words right before it.
//!
//! ```text
//! The ferry sank, killing two, the coast guard said.
//! ^^^^^^^^^ no        own subject ^^^^^^^^^^^^^^^ the nearest one, on its side
//! The ship was hit by waves, coast guard spokesman Ilse Brandt told reporters.
//!          the parse has none ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the words before
//! ```
//!
//! Where the parse gives a verb two subjects, the nearest is its own; where it gives none, the words from the last
//! comma up to the verb are, if they are a noun's and nothing else.

use std::ops::Range;

use super::{
    SpeakerRule,
    tree::{Phrase, Tree},
};
use crate::{
    extract::names::Class,
    model::{
        parser::Relation,
        tagger::{Upos, Xpos},
    },
};

/// Verbs between a cue and the subject that it shares.
const SHARED_MAX: usize = 4;
/// Words of a name with its role, where the parse gives no subject.
const BESIDE_WORDS_MAX: usize = 25;
/// Heads between a relative clause and the verb of the clause that it stands in.
const ABOVE_MAX: usize = 6;

impl Tree<'_> {
    /// The subject of a verb, its own or one that it shares, inside a room.
    pub(in crate::extract) fn subject(&self, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        self.subject_within(verb, room, SHARED_MAX)
    }

    /// The subject of a verb; the words right before it where the parse gives a finite verb none of its own.
    pub(super) fn subject_or_beside(&self, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        let found = self.subject(verb, room).filter(|phrase| phrase.range.end <= verb || phrase.range.start > verb);
        // A subject that a comma and other words part from the verb is that of what was said.
        let near = |own: &Phrase| {
            let apart =
                |words: &Phrase| own.range.end < words.range.start && self.is_punctuation(words.range.start - 1);
            !self.words_before(verb, room).is_some_and(|words| apart(&words))
        };
        if found.as_ref().is_some_and(|phrase| phrase.rule == SpeakerRule::Subject && near(phrase)) {
            return found;
        }
        self.words_before(verb, room).or(found)
    }

    fn subject_within(&self, verb: usize, room: &Range<usize>, left: usize) -> Option<Phrase> {
        if let Some(own) = self.own_subject(verb, room) {
            return Some(own);
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
                self.phrase(range, head, SpeakerRule::Shared)
            }
            _ => None,
        }
    }

    /// Of several subjects the nearest: the parse hangs that of the words said beside that of the cue.
    fn own_subject(&self, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        const SUBJECTS: [Relation; 3] = [Relation::Nsubj, Relation::NsubjPass, Relation::NsubjOuter];
        let is_subject = |child: &usize| {
            SUBJECTS.contains(&self.relation(*child)) && room.contains(child) && self.upos(*child) != Upos::Sconj
        };
        // "a poll taken in May found": what stands behind a preposition is the subject only where there is no other.
        let is_free = |child: &usize| {
            let start = self.under(*child, room).start;
            self.upos(start) != Upos::Adp && start.checked_sub(1).is_none_or(|before| self.upos(before) != Upos::Adp)
        };
        let subjects = || self.children(verb).take_while(|child| *child < verb).filter(is_subject);
        let before = subjects().filter(is_free).last().or_else(|| subjects().next());
        let behind = self.children(verb).find(|child| *child > verb && is_subject(child));
        let head = match (before, behind) {
            (Some(_), Some(behind)) if self.is_inverted(verb, behind, room) => behind,
            (before, behind) => before.or(behind)?,
        };
        let mut range = self.noun_phrase(head, verb, room);
        if head < verb {
            // "Opposition leader Ilse Brandt": the parse may take role and name for two subjects.
            let nearer = |other: &usize| is_subject(other) && *other < head;
            for other in self.children(verb).filter(nearer) {
                let under = self.noun_phrase(other, verb, room);
                if under.end == range.start && !range.is_empty() && self.upos(other) != Upos::Pron {
                    range.start = under.start;
                }
            }
        }
        self.phrase(range, head, SpeakerRule::Subject)
    }

    /// "…, said her daughter": a comma before the verb and its subject right behind.
    fn is_inverted(&self, verb: usize, behind: usize, room: &Range<usize>) -> bool {
        let before = self.verb_group(verb, room).start.checked_sub(1).filter(|before| room.contains(before));
        before.is_some_and(|before| self.is_punctuation(before))
            && self.under(behind, &(verb + 1..room.end)).start == verb + 1
    }

    /// A phrase about its noun, or about the person whom it ends by naming: "Norland spokesman Ilse Brandt".
    pub(super) fn phrase(&self, range: Range<usize>, head: usize, rule: SpeakerRule) -> Option<Phrase> {
        let span = self.span(&range)?;
        let names = self.input.names;
        let first = names.partition_point(|name| name.span.start < span.start);
        let person = names.iter().skip(first).take_while(|name| name.span.end <= span.end).find_map(|name| {
            let tokens = name.tokens.0 as usize..name.tokens.1 as usize;
            let ends = tokens.end >= range.end || self.word(tokens.end) == ",";
            let one = |token: usize| match self.upos(token) {
                Upos::Noun | Upos::Propn | Upos::Adj | Upos::Num => true,
                Upos::Punct => self.is_tight(token),
                _ => false,
            };
            let joined = (head + 1..tokens.start).all(one);
            (name.class == Class::Person && head < tokens.start && ends && joined).then_some(tokens.start)
        });
        Some(Phrase { range, head: person.unwrap_or(head), rule })
    }

    /// A hyphen inside a word that the tokens part: "Director-General".
    fn is_tight(&self, token: usize) -> bool {
        let span = |token: usize| self.input.tokens.get(token).map(|token| token.span);
        let (Some(own), Some(before), Some(behind)) =
            (span(token), token.checked_sub(1).and_then(span), span(token + 1))
        else {
            return false;
        };
        matches!(self.word(token), "-" | "/" | "&" | ".") && before.end == own.start && own.end == behind.start
    }

    /// The words right before a finite verb, up to a comma, a mark or the beginning, when they are a noun's alone.
    pub(super) fn words_before(&self, verb: usize, room: &Range<usize>) -> Option<Phrase> {
        let group = self.verb_group(verb, room);
        let finite = |token: usize| matches!(self.xpos(token), Xpos::Vbd | Xpos::Vbz | Xpos::Vbp | Xpos::Md);
        if !group.clone().any(finite) || self.is_passive(verb) {
            return None;
        }
        let mut end = group.start;
        // ", however, said": an adverb between commas parts nothing.
        if end >= room.start + 4
            && self.word(end - 1) == ","
            && self.upos(end - 2) == Upos::Adv
            && self.word(end - 3) == ","
        {
            end -= 3;
        }
        let last = end.checked_sub(1).filter(|last| room.contains(last))?;
        let pronoun = self.xpos(last) == Xpos::Prp;
        if !pronoun && !matches!(self.upos(last), Upos::Noun | Upos::Propn) {
            return None;
        }
        let mut start = last;
        while !pronoun && start > room.start && end - start < BESIDE_WORDS_MAX {
            let before = start - 1;
            let belongs = match self.upos(before) {
                Upos::Noun | Upos::Propn | Upos::Num | Upos::Adj => true,
                Upos::Det => !matches!(self.xpos(before), Xpos::Wdt),
                Upos::Pron => self.xpos(before) == Xpos::PrpS,
                Upos::Adp => matches!(self.word(before), "of" | "for" | "at" | "in"),
                Upos::Part => self.xpos(before) == Xpos::Pos,
                Upos::Cconj => self.word(before) == "and",
                Upos::Punct => self.is_tight(before),
                _ => false,
            };
            if !belongs {
                break;
            }
            start = before;
        }
        let free = start == room.start
            || matches!(self.upos(start - 1), Upos::Punct | Upos::Sconj)
            || self.upos(start - 1) == Upos::Cconj;
        while start < last && self.upos(start) == Upos::Cconj {
            start += 1;
        }
        if !free || matches!(self.upos(start), Upos::Adp | Upos::Cconj | Upos::Part) {
            return None;
        }
        let range = start..end;
        let outside = |token: &usize| {
            let is_noun = matches!(self.upos(*token), Upos::Noun | Upos::Propn | Upos::Pron);
            is_noun && self.head(*token).is_none_or(|head| !range.contains(&head))
        };
        let head = range.clone().find(outside).unwrap_or(last);
        // "…, a fruit company, today announced": when, not who.
        let tells_when =
            matches!(self.relation(head), Relation::OblUnmarked | Relation::NmodUnmarked | Relation::Advmod)
                || matches!(self.lemma(head), "today" | "yesterday" | "tomorrow" | "tonight");
        if tells_when {
            return None;
        }
        self.phrase(range.clone(), head, SpeakerRule::Beside)
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
        let mut found = self.subject_within(head, room, left)?;
        // "signed a bill that would raise taxes, saying": no bill says anything; the one who signed does.
        if matches!(self.word(found.head).to_lowercase().as_str(), "that" | "which")
            && let Some(above) = self.clause_above(found.head).filter(|above| room.contains(above))
        {
            found = self.subject_within(above, room, left.checked_sub(1)?)?;
        }
        let apart = found.range.end <= verb || found.range.start > verb;
        apart.then_some(Phrase { rule: SpeakerRule::Shared, ..found })
    }

    /// The verb of the clause that a relative pronoun's clause stands in.
    fn clause_above(&self, pronoun: usize) -> Option<usize> {
        let relative = self.head(pronoun).filter(|verb| self.relation(*verb) == Relation::AclRelcl)?;
        let mut at = self.head(relative)?;
        for _ in 0..ABOVE_MAX {
            if self.upos(at) == Upos::Verb {
                return Some(at);
            }
            at = self.head(at)?;
        }
        None
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
}

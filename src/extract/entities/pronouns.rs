//! Pronouns whose antecedent is clear.
//!
//! A pronoun first looks up the tree: "the ministry said it would appeal" has its antecedent as the
//! subject of the clause above. Only "he" and "she" look back further, and only where one person fits.
//!
//! Leaves a pronoun alone where two could be meant, where nothing is known, and inside quotations
//! unless the antecedent stands in the same one.

use super::{Basis, Draft, Gender, MentionKind, lexicon::lexicon};
use crate::{
    extract::names::Class,
    model::{parser::Relation, tagger::Upos},
};

/// How many heads are climbed in search of a subject.
const CLIMB_MAX: usize = 6;
/// How many sentences "he" and "she" look back.
const SENTENCES_BACK_MAX: u32 = 3;

/// How many tokens of one sentence are looked at.
const SENTENCE_TOKENS_MAX: u32 = 200;

/// Whom a pronoun may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Person(Gender),
    Thing,
    Several,
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word.to_lowercase().as_str() {
        "he" | "him" | "his" | "himself" => Kind::Person(Gender::Male),
        "she" | "her" | "hers" | "herself" => Kind::Person(Gender::Female),
        "it" | "its" | "itself" => Kind::Thing,
        "they" | "them" | "their" | "themselves" => Kind::Several,
        _ => return None,
    })
}

impl Draft<'_> {
    /// Links the pronouns of the story, in text order.
    pub(super) fn pronouns(&mut self) {
        for at in 0..self.words.len() as u32 {
            if self.upos(at) != Upos::Pron && self.relation(at) != Relation::NmodPoss {
                continue;
            }
            let Some(kind) = kind(self.word(at)) else { continue };
            if self.relation(at) == Relation::Expl {
                continue;
            }
            let found = self.above(at, kind).or_else(|| match kind {
                Kind::Person(gender) if !self.quoted[at as usize] => self.behind(at, gender),
                _ => None,
            });
            if let Some(entity) = found {
                self.add(entity, at, at + 1, MentionKind::Pronoun, 80);
                if let Kind::Person(gender) = kind {
                    self.list[entity].gender.get_or_insert((gender, Basis::Pronoun));
                }
            }
        }
    }

    fn fits(&self, entity: usize, kind: Kind, at: u32) -> bool {
        let Some(found) = self.list.get(entity) else { return false };
        match kind {
            Kind::Person(gender) => found.class == Class::Person && self.may_be(entity, gender),
            Kind::Thing => {
                (found.class == Class::Organisation || found.class == Class::Place && found.country.is_some())
                    && !self.is_demonym(at)
            }
            Kind::Several => {
                found.class == Class::Group
                    || self.is_demonym(at)
                    || found.class == Class::Organisation && self.lemma(at) != self.word(at).to_lowercase()
            }
        }
    }

    fn is_demonym(&self, at: u32) -> bool {
        self.owner(at).and_then(|owner| self.list.get(owner)).is_some_and(|entity| {
            entity.mentions.iter().any(|m| m.kind == MentionKind::Demonym && m.tokens.contains(&at))
        })
    }

    /// Whether nothing speaks against the gender.
    fn may_be(&self, entity: usize, gender: Gender) -> bool {
        let Some(entity) = self.list.get(entity) else { return false };
        if let Some((told, _)) = entity.gender {
            return told == gender;
        }
        let given = entity.given.as_deref().unwrap_or_default().to_lowercase();
        let first = given.split([' ', '-']).next().unwrap_or_default();
        lexicon().given_names.get(first).is_none_or(|known| *known == gender)
    }

    /// The subject of a clause above the pronoun.
    fn above(&self, at: u32, kind: Kind) -> Option<usize> {
        let mut node = at;
        for _ in 0..CLIMB_MAX {
            let head = self.head(node)?;
            if head == node {
                return None;
            }
            let sentence = self.read.sentences.get(self.sentence(at) as usize)?;
            let from = sentence.tokens.start.max(at.saturating_sub(SENTENCE_TOKENS_MAX));
            let mut subjects =
                (from..at).filter(|token| self.head(*token) == Some(head) && self.is_subject(*token) && *token != node);
            if let Some(subject) = subjects.next() {
                let same_side = self.quoted[subject as usize] == self.quoted[at as usize];
                let entity = self.owner(subject).filter(|_| same_side);
                // Another pronoun or an unknown subject in between stops the search for a thing.
                match entity {
                    Some(entity) if self.fits(entity, kind, subject) => return Some(entity),
                    None if kind == Kind::Thing && same_side => return None,
                    _ => {}
                }
            }
            node = head;
        }
        None
    }

    /// The one person of the gender in this sentence or the nearest before it.
    fn behind(&self, at: u32, gender: Gender) -> Option<usize> {
        let here = self.sentence(at);
        let paragraph = self.paragraph(at);
        for back in 0..=SENTENCES_BACK_MAX {
            let index = here.checked_sub(back)?;
            let sentence = self.read.sentences.get(index as usize)?;
            let end = if back == 0 { at } else { sentence.tokens.end };
            let mut people: Vec<usize> = Vec::new();
            let mut subjects: Vec<usize> = Vec::new();
            for token in sentence.tokens.start.max(end.saturating_sub(SENTENCE_TOKENS_MAX))..end {
                let Some(entity) = self.owner(token).filter(|owner| self.is(*owner, Class::Person)) else { continue };
                if self.quoted[token as usize] || !self.may_be(entity, gender) {
                    continue;
                }
                if !people.contains(&entity) {
                    people.push(entity);
                }
                if self.is_subject(token) && !subjects.contains(&entity) {
                    subjects.push(entity);
                }
            }
            match (&people[..], &subjects[..]) {
                ([one], _) => return Some(*one),
                ([], _) => {}
                (_, [one]) if back == 0 || self.paragraph(end - 1) + 1 >= paragraph => return Some(*one),
                _ => return None,
            }
        }
        None
    }
}

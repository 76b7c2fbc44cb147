//! Pronouns whose antecedent is clear.
//!
//! A pronoun first looks up the tree: "the ministry said it would appeal" has its antecedent as the
//! subject of the clause above. Only "he" and "she" look back further, and only where one person fits.
//!
//! Leaves a pronoun alone where two could be meant, where nothing is known, and inside quotations
//! unless the antecedent stands in the same one.

use super::{Basis, Draft, Gender, MentionKind, lexicon::lexicon};
use crate::{
    extract::names::{Class, Mention as Name},
    model::{
        parser::Relation,
        tagger::{Upos, Xpos},
    },
};

/// How many heads are climbed in search of a subject.
const CLIMB_MAX: usize = 6;
/// How many sentences "he" and "she" look back.
const SENTENCES_BACK_MAX: u32 = 3;

/// How many tokens of one sentence are looked at.
const SENTENCE_TOKENS_MAX: u32 = 200;

/// How many tokens may stand between a name and the verb whose subject the tree has lost.
const LOST_SUBJECT_TOKENS_MAX: u32 = 5;
/// How many tokens before a role noun its article may stand.
const ROLE_TOKENS_MAX: u32 = 6;

/// What the tree says of whom a pronoun means.
enum Above {
    Found(usize),
    /// Somebody, but not whom.
    Unclear,
    Nobody,
}

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
            let found = match (self.above(at, kind), kind) {
                (Above::Found(entity), _) => Some(entity),
                (Above::Nobody, Kind::Person(gender)) if !self.quoted[at as usize] => self.behind(at, gender),
                _ => None,
            };
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
            Kind::Person(gender) => found.class == Class::Person && !found.is_shared && self.may_be(entity, gender),
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
    fn above(&self, at: u32, kind: Kind) -> Above {
        let mut node = at;
        let Some(sentence) = self.read.sentences.get(self.sentence(at) as usize) else { return Above::Nobody };
        let from = sentence.tokens.start.max(at.saturating_sub(SENTENCE_TOKENS_MAX));
        for _ in 0..CLIMB_MAX {
            let Some(head) = self.head(node).filter(|head| *head != node) else { return Above::Nobody };
            let mut subjects =
                (from..at).filter(|token| self.head(*token) == Some(head) && self.is_subject(*token) && *token != node);
            if let Some(subject) = subjects.next() {
                let same_side = self.quoted[subject as usize] == self.quoted[at as usize];
                let entity = self.owner(subject).filter(|_| same_side);
                // Another pronoun or an unknown subject in between stops the search for a thing.
                match entity {
                    Some(entity) if self.fits(entity, kind, subject) => return Above::Found(entity),
                    Some(entity) if self.list.get(entity).is_some_and(|entity| entity.is_shared) => {
                        return Above::Unclear;
                    }
                    None if kind == Kind::Thing && same_side => return Above::Unclear,
                    _ => {}
                }
            } else if let Kind::Person(_) = kind
                && head < at
                && matches!(
                    self.read.grammar.words.get(head as usize).map(|word| word.xpos),
                    Some(Xpos::Vbd | Xpos::Vbz)
                )
                && let Some(entity) = self.right_before(head, from)
            {
                // A verb whose subject the tree has lost: whoever stands right before it.
                return if self.fits(entity, kind, head) { Above::Found(entity) } else { Above::Nobody };
            }
            node = head;
        }
        Above::Nobody
    }

    /// The person named right before a verb, with nothing but adverbs and commas between.
    fn right_before(&self, verb: u32, from: u32) -> Option<usize> {
        let between = |at: &u32| matches!(self.upos(*at), Upos::Adv | Upos::Punct | Upos::Aux);
        let last = (from..verb).rev().find(|at| !between(at)).filter(|last| verb - last <= LOST_SUBJECT_TOKENS_MAX)?;
        self.owner(last).filter(|owner| self.is(*owner, Class::Person))
    }

    /// The gender of a pronoun whose clause, or one above it, has this name as its subject.
    pub(super) fn pronoun_of(&self, name: &Name) -> Option<Gender> {
        let (start, end) = name.tokens;
        let sentence = self.read.sentences.get(self.sentence(start) as usize)?;
        let is_subject = |head: u32| (start..end).any(|at| self.head(at) == Some(head) && self.is_subject(at));
        (end..sentence.tokens.end.min(end + SENTENCE_TOKENS_MAX)).find_map(|at| {
            let Some(Kind::Person(gender)) = kind(self.word(at)) else { return None };
            if self.quoted[at as usize] != self.quoted[start as usize] {
                return None;
            }
            let mut node = at;
            for _ in 0..CLIMB_MAX {
                let head = self.head(node)?;
                if is_subject(head) {
                    return Some(gender);
                }
                let other = |token: &u32| self.head(*token) == Some(head) && self.is_subject(*token) && *token != node;
                if (sentence.tokens.start..at).any(|token| other(&token)) {
                    return None;
                }
                node = head;
            }
            None
        })
    }

    /// Whether a person stands before a clause whose subject is a pronoun, as somebody beside that subject:
    /// "In addition to Ms. Hale, she …", "Unlike John Smith, he …".
    fn is_beside(&self, person: u32, pronoun: u32) -> bool {
        if !self.is_subject(pronoun) {
            return false;
        }
        let mut node = person;
        for _ in 0..CLIMB_MAX {
            match self.relation(node) {
                Relation::Obl => return self.head(node) == self.head(pronoun) && !self.is_according(node),
                Relation::Nmod | Relation::Flat => {}
                _ => return false,
            }
            let Some(head) = self.head(node) else { return false };
            node = head;
        }
        false
    }

    /// "According to Smith, he …" may well be Smith.
    fn is_according(&self, noun: u32) -> bool {
        let from = noun.saturating_sub(SENTENCE_TOKENS_MAX);
        (from..noun).any(|at| self.head(at) == Some(noun) && matches!(self.lemma(at), "accord" | "according" | "for"))
    }

    /// Whether the sentence speaks, up to a token, of two people by their roles and names neither of them there:
    /// "The Norlandish leader thanked the Sudlandish president for his …".
    fn has_two_roles(&self, from: u32, at: u32) -> bool {
        let described = |at: &u32| {
            let before = at.saturating_sub(ROLE_TOKENS_MAX).max(from);
            self.upos(*at) == Upos::Noun
                && self.owner(*at).is_none()
                && self.relation(*at) != Relation::Compound
                && lexicon().role(self.word(*at)).is_some()
                && !lexicon().is_plural_role(self.word(*at))
                && (before..*at)
                    .any(|token| self.head(token) == Some(*at) && self.word(token).eq_ignore_ascii_case("the"))
        };
        (from..at).filter(described).take(2).count() == 2
    }

    /// The one person of the gender in this sentence or the nearest before it.
    fn behind(&self, at: u32, gender: Gender) -> Option<usize> {
        let here = self.sentence(at);
        let paragraph = self.paragraph(at);
        let mut besides: Vec<usize> = Vec::new();
        for back in 0..=SENTENCES_BACK_MAX {
            let index = here.checked_sub(back)?;
            let sentence = self.read.sentences.get(index as usize)?;
            let end = if back == 0 { at } else { sentence.tokens.end };
            let mut people: Vec<usize> = Vec::new();
            let mut subjects: Vec<usize> = Vec::new();
            let from = sentence.tokens.start.max(end.saturating_sub(SENTENCE_TOKENS_MAX));
            for token in from..end {
                let Some(entity) = self.owner(token).filter(|owner| self.is(*owner, Class::Person)) else { continue };
                if self.quoted[token as usize] || !self.may_be(entity, gender) || besides.contains(&entity) {
                    continue;
                }
                if back == 0 && self.is_beside(token, at) {
                    besides.push(entity);
                    people.retain(|known| *known != entity);
                    continue;
                }
                if !people.contains(&entity) {
                    people.push(entity);
                }
                if self.is_subject(token) && !subjects.contains(&entity) {
                    subjects.push(entity);
                }
            }
            if people.iter().any(|person| self.list.get(*person).is_some_and(|person| person.is_shared)) {
                return None;
            }
            match (&people[..], &subjects[..]) {
                ([one], _) => return Some(*one),
                ([], _) if self.has_two_roles(from, end) => return None,
                ([], _) => {}
                (_, [one]) if back == 0 || self.paragraph(end - 1) + 1 >= paragraph => return Some(*one),
                _ => return None,
            }
        }
        None
    }
}

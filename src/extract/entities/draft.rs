//! The story as the stage reads it, and the entities as they come together.

use std::collections::{HashMap, HashSet};

use super::{Entity, Mention, MentionKind, Read, people::Namesake};
use crate::{
    extract::names::Class,
    gazetteer::countries::Country,
    model::{parser::Relation, tagger::Upos},
    text::Span,
};

/// Entities under way, with the words of the story at hand.
pub(super) struct Draft<'a> {
    pub(super) read: &'a Read<'a>,
    pub(super) words: Vec<&'a str>,
    /// Sentence of each token, one past the last for none.
    pub(super) sentence_of: Vec<u32>,
    /// Whether the token stands inside double quotation marks.
    pub(super) quoted: Vec<bool>,
    pub(super) list: Vec<Entity>,
    /// Family names of the story, folded.
    pub(super) families: HashSet<String>,
    /// Short forms that could be several people's, until pronouns have been looked at.
    pub(super) namesakes: Vec<Namesake>,
    /// How many pairs of names were compared, for the test that says that this grows with the story and no faster.
    pub(super) compared: usize,
    countries: HashMap<&'static str, usize>,
    governments: HashMap<&'static str, usize>,
    /// Entity of the name or description over each token, plus one.
    owners: Vec<u32>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(read: &'a Read<'a>) -> Self {
        let words: Vec<&str> = read.tokens.iter().map(|token| token.span.of(read.text)).collect();
        let mut sentence_of = vec![u32::MAX; words.len()];
        for (index, sentence) in read.sentences.iter().enumerate() {
            let range = sentence.tokens.start as usize..sentence.tokens.end as usize;
            if let Some(within) = sentence_of.get_mut(range) {
                within.fill(index as u32);
            }
        }
        let mut quoted = vec![false; words.len()];
        let (mut paragraph, mut open) = (u32::MAX, false);
        for ((word, token), quoted) in words.iter().zip(read.tokens).zip(&mut quoted) {
            if token.paragraph != paragraph {
                (paragraph, open) = (token.paragraph, false);
            }
            match *word {
                "\"" => open = !open,
                "“" | "``" | "„" | "«" => open = true,
                "”" | "''" | "»" => open = false,
                _ => *quoted = open,
            }
        }
        let owners = vec![0; words.len()];
        Self {
            read,
            words,
            sentence_of,
            quoted,
            list: Vec::new(),
            families: HashSet::new(),
            namesakes: Vec::new(),
            compared: 0,
            countries: HashMap::new(),
            governments: HashMap::new(),
            owners,
        }
    }

    pub(super) fn word(&self, at: u32) -> &'a str {
        self.words.get(at as usize).copied().unwrap_or_default()
    }

    /// The word before, if it stands in the same paragraph.
    pub(super) fn before(&self, at: u32) -> &'a str {
        let same = at.checked_sub(1).filter(|before| self.paragraph(*before) == self.paragraph(at));
        same.map_or("", |before| self.word(before))
    }

    pub(super) fn paragraph(&self, at: u32) -> u32 {
        self.read.tokens.get(at as usize).map_or(u32::MAX, |token| token.paragraph)
    }

    pub(super) fn sentence(&self, at: u32) -> u32 {
        self.sentence_of.get(at as usize).copied().unwrap_or(u32::MAX)
    }

    pub(super) fn upos(&self, at: u32) -> Upos {
        self.read.grammar.words.get(at as usize).map_or(Upos::X, |word| word.upos)
    }

    pub(super) fn relation(&self, at: u32) -> Relation {
        self.read.grammar.words.get(at as usize).map_or(Relation::Dep, |word| word.relation)
    }

    pub(super) fn head(&self, at: u32) -> Option<u32> {
        self.read.grammar.words.get(at as usize).and_then(|word| word.head)
    }

    pub(super) fn lemma(&self, at: u32) -> &str {
        self.read.grammar.lemma(at as usize)
    }

    pub(super) fn is_subject(&self, at: u32) -> bool {
        matches!(self.relation(at), Relation::Nsubj | Relation::NsubjPass | Relation::NsubjOuter)
    }

    /// The token of a range whose head lies outside: the head of the phrase.
    pub(super) fn head_of(&self, start: u32, end: u32) -> u32 {
        let outside = |at: &u32| self.head(*at).is_none_or(|head| head < start || head >= end);
        (start..end).find(outside).unwrap_or(start)
    }

    /// From the first token to the last.
    pub(super) fn span(&self, start: u32, end: u32) -> Option<Span> {
        let first = self.read.tokens.get(start as usize)?;
        let last = self.read.tokens.get((end as usize).checked_sub(1)?)?;
        (start < end).then(|| first.span.cover(last.span))
    }

    /// The entity that a name or description over this token means.
    pub(super) fn owner(&self, at: u32) -> Option<usize> {
        self.owners.get(at as usize).and_then(|owner| owner.checked_sub(1)).map(|owner| owner as usize)
    }

    /// Adds a mention from tokens; a description or pronoun leaves the names inside it in place.
    pub(super) fn add(&mut self, entity: usize, start: u32, end: u32, kind: MentionKind, percent: u8) {
        let Some(span) = self.span(start, end) else { return };
        self.put(entity, Mention { span, tokens: start..end, kind, stands_for: None, confidence_percent: percent });
    }

    pub(super) fn put(&mut self, entity: usize, mention: Mention) {
        for at in mention.tokens.clone() {
            if let Some(owner) = self.owners.get_mut(at as usize)
                && *owner == 0
            {
                *owner = entity as u32 + 1;
            }
        }
        if let Some(entity) = self.list.get_mut(entity) {
            entity.confidence_percent = entity.confidence_percent.max(mention.confidence_percent);
            entity.mentions.push(mention);
        }
    }

    /// Gives a mention that another entity had.
    pub(super) fn move_to(&mut self, entity: usize, mention: Mention) {
        for at in mention.tokens.clone() {
            if let Some(owner) = self.owners.get_mut(at as usize) {
                *owner = entity as u32 + 1;
            }
        }
        self.put(entity, mention);
    }

    pub(super) fn open(&mut self, entity: Entity) -> usize {
        self.list.push(entity);
        self.list.len() - 1
    }

    /// The entry of a country, made if the story has none yet.
    pub(super) fn country(&mut self, country: &'static Country) -> usize {
        if let Some(index) = self.countries.get(country.iso2) {
            return *index;
        }
        let mut entity = Entity::new(Class::Place, country.name.to_owned());
        entity.country = Some(country.iso2);
        let index = self.open(entity);
        self.countries.insert(country.iso2, index);
        index
    }

    /// The entry of a country's government, made if the story has none yet.
    pub(super) fn government(&mut self, country: &'static Country) -> usize {
        if let Some(index) = self.governments.get(country.iso2) {
            return *index;
        }
        let mut entity = Entity::new(Class::Organisation, format!("Government of {}", country.name));
        entity.country = Some(country.iso2);
        entity.kind = Some("government");
        let index = self.open(entity);
        self.governments.insert(country.iso2, index);
        index
    }

    pub(super) fn is(&self, entity: usize, class: Class) -> bool {
        self.list.get(entity).is_some_and(|entity| entity.class == class)
    }
}

/// Whether this is the government of a country itself, not one of its ministries.
pub(super) fn is_government(entity: &Entity) -> bool {
    entity.class == Class::Organisation
        && entity.kind == Some("government")
        && entity.name.starts_with("Government of ")
}

//! A phrase that names a source → its link.
//!
//! ```text
//! a senior official, who spoke on condition of anonymity,
//! ^^^^^^^^^^^^^^^^^ words   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ told
//! a spokesman for the ministry     → the ministry
//! the ministry's report            → the ministry, a document
//! ```

use std::ops::Range;

use super::{CitationKind, Gathering, Known, Link, lexicon::Word};
use crate::{
    extract::{entities::MentionKind, names::Class},
    model::{parser::Relation, tagger::Upos},
    text::Span,
};

/// Words of an unnamed source before what is told of it.
const WORDS_MAX: usize = 16;
/// Unnamed sources of one story that are kept in mind.
const KNOWN_MAX: usize = 500;
/// Kinds of organisations that are media.
const MEDIA_KINDS: [&str; 2] = ["news_agency", "media"];

/// What a phrase is, as a source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) link: Link,
    pub(super) kind: CitationKind,
    pub(super) told: Option<Span>,
    pub(super) of: Vec<usize>,
}

impl Source {
    fn named(entity: usize) -> Self {
        Self { link: Link::Entity(entity), kind: CitationKind::Named, told: None, of: Vec::new() }
    }
}

impl Gathering<'_, '_> {
    /// Whether an entity is a medium.
    pub(super) fn is_media(&self, entity: usize) -> bool {
        let entity = self.input.read.entities.list.get(entity);
        entity.is_some_and(|entity| entity.kind.is_some_and(|kind| MEDIA_KINDS.contains(&kind)))
    }

    /// The source that a phrase tells, with the entity that is known for it.
    pub(super) fn source(&mut self, range: &Range<usize>, head: usize, entity: Option<usize>) -> Option<Source> {
        self.source_that(range, head, entity, false)
    }

    /// The same, with whether the cue is one of showing.
    pub(super) fn source_that(
        &mut self,
        range: &Range<usize>,
        head: usize,
        entity: Option<usize>,
        shows: bool,
    ) -> Option<Source> {
        let tree = self.tree;
        let word = self.sources.word(tree.lemma(head));
        let own = entity.or_else(|| self.input.read.entities.at_token(head as u32));
        if let Some(entity) = own {
            let class = self.input.read.entities.list.get(entity)?.class;
            // "a ministry spokesman said": the name stands before the word for who speaks.
            let mut source = Source::named(self.stands_for(entity, head));
            if self.is_media(entity) {
                source.kind = CitationKind::Media;
            } else if class == Class::Work || word == Some(Word::Document) {
                source.kind = CitationKind::Document;
            }
            if source.link == self.publisher {
                source.kind = CitationKind::Publisher;
            }
            return Some(source);
        }
        let lower = tree.word(head).to_lowercase();
        if tree.upos(head) == Upos::Pron || matches!(lower.as_str(), "both" | "neither" | "each") {
            return None;
        }
        let named = self.named_within(range);
        // What shows something and is nobody is a document: "the map showed".
        let word = word.or(shows.then_some(Word::Document));
        match word {
            Some(Word::Speaker) => {
                if let Some(owner) = named.first() {
                    let kind = if self.is_media(*owner) { CitationKind::Media } else { CitationKind::Named };
                    return Some(Source { kind, ..Source::named(*owner) });
                }
            }
            // "the Anadolu agency", "radio station DZRH": a medium with its name beside it.
            Some(Word::Media) => {
                let name = named.iter().copied().find(|entity| self.is_body(*entity));
                if let Some(name) = name {
                    return Some(Source { kind: CitationKind::Media, ..Source::named(name) });
                }
            }
            // "the Norland health ministry": its country, where the copy knows no more.
            Some(Word::Body) => {
                let words = self.bare(range, head);
                let known = self.told_before(&words, head);
                let link = match (self.owner(range, head), known) {
                    (Some(owner), _) => Link::Entity(owner),
                    (None, Some(known)) => known.link,
                    (None, None) => Link::Body(tree.span(&words)?),
                };
                self.keep(head, &link, None, &[]);
                return Some(Source { link, kind: CitationKind::Named, told: None, of: Vec::new() });
            }
            Some(Word::Document) => {
                let link = match named.first() {
                    Some(owner) => Link::Entity(*owner),
                    None => Link::Document(tree.span(&self.bare(range, head))?),
                };
                return Some(Source { link, kind: CitationKind::Document, told: None, of: Vec::new() });
            }
            _ => {}
        }
        let words = self.bare(range, head);
        let rest = tree.trim(&(words.end..range.end));
        // "the diplomat": the one that was told before.
        if let Some(known) = self.told_before(&words, head) {
            let kind = CitationKind::Anonymous;
            return Some(Source { link: known.link, kind, told: known.told, of: known.of });
        }
        let told = tree.span(&rest).filter(|_| rest.len() > 1);
        let link = Link::Anonymous(tree.span(&words)?);
        let kind = if word == Some(Word::Media) { CitationKind::Media } else { CitationKind::Anonymous };
        if kind == CitationKind::Anonymous {
            self.keep(head, &link, told, &named);
        }
        Some(Source { link, kind, told, of: named })
    }

    /// A metonym stands for whom it stands for: "Baghdad said" is its government, where the copy names it.
    fn stands_for(&self, entity: usize, head: usize) -> usize {
        let entities = self.input.read.entities;
        let mention = entities
            .list
            .get(entity)
            .and_then(|entity| entity.mentions.iter().find(|mention| mention.tokens.contains(&(head as u32))));
        mention
            .filter(|mention| mention.kind == MentionKind::Metonym)
            .and_then(|mention| mention.stands_for)
            .unwrap_or(entity)
    }

    /// The source that "the diplomat", "the police" go back to.
    fn told_before(&self, words: &Range<usize>, head: usize) -> Option<Known> {
        let tree = self.tree;
        let lemma = tree.lemma(head).to_lowercase();
        let definite = tree.word(words.start).eq_ignore_ascii_case("the") && words.len() <= 2;
        self.known.iter().rev().find(|known| definite && known.head == lemma).cloned()
    }

    /// Keeps a source in mind for when the copy comes back to it.
    fn keep(&mut self, head: usize, link: &Link, told: Option<Span>, of: &[usize]) {
        if self.known.len() < KNOWN_MAX {
            let head = self.tree.lemma(head).to_lowercase();
            self.known.push(Known { head, link: link.clone(), told, of: of.to_vec() });
        }
    }

    fn is_body(&self, entity: usize) -> bool {
        self.input.read.entities.list.get(entity).is_some_and(|entity| entity.class == Class::Organisation)
    }

    /// Whose a body is: named before its noun or behind "of"; a place where it only happens to be is no owner.
    fn owner(&self, range: &Range<usize>, head: usize) -> Option<usize> {
        let tree = self.tree;
        let before = self.named_within(&(range.start..head));
        let behind = || {
            let of = tree.word(head + 1).eq_ignore_ascii_case("of") && head + 2 < range.end;
            let found = if of { self.named_within(&(head + 2..range.end)) } else { Vec::new() };
            found.first().copied()
        };
        before.first().copied().or_else(behind)
    }

    /// Bodies, countries and people that a phrase names, in text order.
    fn named_within(&self, range: &Range<usize>) -> Vec<usize> {
        /// Owners of one source.
        const MAX: usize = 4;
        let Some(span) = self.tree.span(range) else { return Vec::new() };
        let entities = self.input.read.entities;
        let mut found = Vec::new();
        for (entity, mention) in entities.within(span) {
            let class = entities.list.get(entity).map(|entity| entity.class);
            let is_owner = matches!(class, Some(Class::Organisation | Class::Place | Class::Group | Class::Person));
            if is_owner && mention.kind != MentionKind::Pronoun && !found.contains(&entity) && found.len() < MAX {
                found.push(entity);
            }
        }
        // A body goes before the country that it is of.
        found.sort_by_key(|entity| entities.list.get(*entity).is_none_or(|entity| entity.class != Class::Organisation));
        found
    }

    /// The words of a source without what is told of it: up to a comma, a relative clause, an adjective behind it.
    fn bare(&self, range: &Range<usize>, head: usize) -> Range<usize> {
        let tree = self.tree;
        let starts_telling = |token: &usize| {
            let word = tree.word(*token);
            matches!(word, "," | "who" | "that" | "which" | "whose" | "—" | "–" | "--" | "(")
                || tree.head(*token) == Some(head)
                    && matches!(
                        tree.relation(*token),
                        Relation::Amod | Relation::Acl | Relation::AclRelcl | Relation::Appos
                    )
        };
        let behind = (head + 1).min(range.end)..range.end;
        let end = behind.clone().find(starts_telling).unwrap_or(range.end);
        // A long source is told by the words up to its noun.
        let end = if end.saturating_sub(range.start) > WORDS_MAX { (head + 1).min(range.end) } else { end };
        tree.trim(&(range.start..end))
    }
}

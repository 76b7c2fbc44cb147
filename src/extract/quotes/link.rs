//! Speakers and addressees → the story's entities.
//!
//! ```text
//! The head of the port, Anna Ames, said … "We asked twice," she said.
//! ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ p1                        ^^^ p1
//! ```
//!
//! The entity of the word that the phrase is about; else the name that stands beside the role; else,
//! for "he" and "she", the person who spoke before; for "I" and "we" inside a quotation, its speaker
//! and whom the speaker speaks for. Does not make entities: whoever has none is told by words alone.

use std::ops::Range;

use super::{Quote, Resolution, tree::Tree};
use crate::{
    extract::{entities::Owner, names::Class},
    model::{parser::Relation, tagger::Upos},
    text::Span,
};

/// Links every speaker and addressee.
pub(super) fn run(tree: &Tree<'_>, quotes: &mut [Quote]) {
    // The person who spoke last, and in which paragraph.
    let mut last: Option<(usize, u32)> = None;
    for index in 0..quotes.len() {
        let Some(quote) = quotes.get(index) else { continue };
        let parent = quote.parent.and_then(|parent| quotes.get(parent)).and_then(|parent| parent.speaker?.entity);
        let paragraph = quote.content.first().map(|content| tree.tokens_in(*content).start);
        let paragraph = paragraph.and_then(|token| tree.paragraph(token)).unwrap_or_default();
        let nested = quote.parent.is_some();
        let speaker = quote.speaker.and_then(|speaker| {
            let (span, head) = (speaker.span?, speaker.head? as usize);
            let told = of_phrase(tree, span, head);
            let word = tree.word(head).to_lowercase();
            match word.as_str() {
                "he" | "she" if told.is_none() && !nested => {
                    last.filter(|(_, place)| *place + 1 >= paragraph).map(|(entity, _)| entity)
                }
                "i" if nested => parent,
                "we" if nested => told.or_else(|| spoken_for(tree, parent?)),
                _ => told,
            }
        });
        let addressee = quote.addressee.and_then(|addressee| of_phrase(tree, addressee.span, addressee.head as usize));
        if let Some(quote) = quotes.get_mut(index) {
            if let Some(known) = quote.speaker.as_mut() {
                known.entity = speaker;
                let is_person = speaker.is_some_and(|entity| class(tree, entity) == Some(Class::Person));
                if is_person && !nested && known.resolution != Resolution::Unknown {
                    last = speaker.map(|entity| (entity, paragraph));
                }
            }
            if let Some(known) = quote.addressee.as_mut() {
                known.entity = addressee;
            }
        }
    }
}

fn class(tree: &Tree<'_>, entity: usize) -> Option<Class> {
    tree.input.entities.list.get(entity).map(|entity| entity.class)
}

/// Whom somebody speaks for by "we": the owner of the role, else nobody but the speaker.
fn spoken_for(tree: &Tree<'_>, speaker: usize) -> Option<usize> {
    let list = &tree.input.entities.list;
    let owner = list.get(speaker)?.roles.iter().find_map(|role| role.of);
    match owner {
        Some(Owner::Entity(entity)) => Some(entity),
        Some(Owner::Country(iso2)) => {
            let country = list.iter().position(|entity| entity.class == Class::Place && entity.country == Some(iso2));
            country.or(Some(speaker))
        }
        None => Some(speaker),
    }
}

/// The entity that a phrase tells of.
fn of_phrase(tree: &Tree<'_>, span: Span, head: usize) -> Option<usize> {
    let entities = tree.input.entities;
    if let Some(entity) = entities.at_token(head as u32) {
        return Some(entity);
    }
    let range = tree.tokens_in(span);
    let beside = entities.within(span).find(|(entity, mention)| {
        let tokens = mention.tokens.start as usize..mention.tokens.end as usize;
        class(tree, *entity) == Some(Class::Person) && stands_beside(tree, head, &tokens, &range)
    });
    if let Some((entity, _)) = beside {
        return Some(entity);
    }
    // "the US side", "the Norland government": who they are the side of.
    let body = matches!(tree.lemma(head), "side" | "government" | "administration" | "authority" | "team");
    let owner = entities.within(span).find(|(_, mention)| (mention.tokens.end as usize) <= head);
    owner.filter(|_| body).map(|(entity, _)| entity)
}

/// A name that says who the role is: "the head of the port, Anna Ames", "Port chief Anna Ames".
fn stands_beside(tree: &Tree<'_>, head: usize, name: &Range<usize>, phrase: &Range<usize>) -> bool {
    let relations = [Relation::Appos, Relation::Flat, Relation::Compound, Relation::NmodDesc];
    let hangs = name.clone().any(|token| tree.head(token) == Some(head) && relations.contains(&tree.relation(token)));
    let owns = matches!(tree.word(name.end), "'s" | "’s" | "'" | "’");
    // The last words of the phrase, behind a comma.
    let ends = name.end == phrase.end && name.start > phrase.start && tree.word(name.start - 1) == ",";
    let follows = name.start == head + 1 && tree.upos(head) == Upos::Noun;
    !owns && (hangs || ends || follows)
}

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
    extract::{
        entities::{MentionKind, Owner},
        names::Class,
    },
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
    let range = tree.tokens_in(span);
    if let Some(entity) = entities.at_token(head as u32) {
        return named_last(tree, span, &range).filter(|_| class(tree, entity) != Some(Class::Person)).or(Some(entity));
    }
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

/// The one person whose name ends a phrase whose head the tree puts elsewhere: "Harbour Board spokesman Carl Berg".
fn named_last(tree: &Tree<'_>, span: Span, phrase: &Range<usize>) -> Option<usize> {
    let within = tree.input.entities.within(span);
    let mut people = within
        .filter(|(entity, mention)| class(tree, *entity) == Some(Class::Person) && mention.kind == MentionKind::Name);
    let (entity, name) = people.next().filter(|_| people.next().is_none())?;
    let before = (name.tokens.start as usize).checked_sub(1)?;
    let is_title = matches!(tree.upos(before), Upos::Noun | Upos::Propn);
    (name.tokens.end as usize == phrase.end && before >= phrase.start && is_title).then_some(entity)
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

#[cfg(test)]
mod tests {
    use crate::{decode::Hints, extract::Desk};

    #[test]
    fn a_spokesman_speaks_and_not_his_house() {
        let text = "The Kremlin said it was ready. Kremlin Spokesman Dmitry Orlov denied this. \
                    The Kremlin's Dmitry Orlov said it was late.";
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        let story = crate::decode::decode(envelope.as_bytes(), &Hints::default()).expect("a story");
        let findings = Desk::new().find(&story);
        let speakers = findings.quotes.iter().filter_map(|quote| quote.speaker?.entity);
        let names: Vec<&str> = speakers.map(|speaker| findings.entities.list[speaker].name.as_str()).collect();
        assert_eq!(names, ["Government of Russia", "Dmitry Orlov", "Dmitry Orlov"]);
    }
}

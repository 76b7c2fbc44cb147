//! Words beside a cue → on what occasion something was said, read from `data/lexicon/occasions.txt`.
//!
//! ```text
//! told reporters on Monday → press_conference
//! said in a statement      → statement
//! ```

use std::sync::LazyLock;

use super::Via;
use crate::{extract::quotes::tree::Tree, model::tagger::Upos};

/// Phrases of one or several words, in the order of the list.
static PHRASES: LazyLock<Vec<(Via, Vec<&'static str>)>> = LazyLock::new(|| {
    let lines = include_str!("../../../data/lexicon/occasions.txt").lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| line.split_once(':')).filter_map(|(via, phrases)| Some((named(via)?, phrases)));
    lines
        .flat_map(|(via, phrases)| phrases.split('|').map(move |words| (via, words.split_whitespace().collect())))
        .collect()
});

fn named(name: &str) -> Option<Via> {
    Some(match name {
        "interview" => Via::Interview,
        "press_conference" => Via::PressConference,
        "social_post" => Via::SocialPost,
        "letter" => Via::Letter,
        "message" => Via::Message,
        "telephone" => Via::Telephone,
        "testimony" => Via::Testimony,
        "broadcast" => Via::Broadcast,
        "speech" => Via::Speech,
        "statement" => Via::Statement,
        "report" => Via::Report,
        _ => return None,
    })
}

/// The occasion that the words under some tokens tell; the first line of the list that fits counts.
pub(super) fn of(tree: &Tree<'_>, tokens: &[usize]) -> Option<Via> {
    let stands = |via: Via, phrase: &[&str]| {
        tokens.iter().any(|token| stands_at(tree, *token, phrase) && (is_deed(via) || tree.upos(*token) != Upos::Verb))
    };
    PHRASES.iter().find(|(via, phrase)| stands(*via, phrase)).map(|(via, _)| *via)
}

/// Whether a verb may tell it: "tweeted", "testified"; "reported" and "stated" tell of no paper.
fn is_deed(via: Via) -> bool {
    matches!(via, Via::SocialPost | Via::Testimony | Via::Broadcast | Via::Telephone)
}

fn stands_at(tree: &Tree<'_>, token: usize, phrase: &[&str]) -> bool {
    !phrase.is_empty()
        && phrase.iter().enumerate().all(|(offset, word)| {
            tree.lemma(token + offset).eq_ignore_ascii_case(word)
                || tree.word(token + offset).eq_ignore_ascii_case(word)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let list = include_str!("../../../data/lexicon/occasions.txt").lines();
        let lines: Vec<&str> = list.filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
        for line in &lines {
            let (name, _) = line.split_once(':').expect("a colon");
            assert!(named(name).is_some(), "{line}");
        }
        assert!(PHRASES.len() > 3 * lines.len());
        assert!(PHRASES.iter().all(|(_, phrase)| !phrase.is_empty()));
    }
}

//! Sentences and attributions by their words alone, before any grammar is known.
//!
//! ```text
//! They dug a cave and stayed in it, he said. Those who walk are lost.
//!                                 ^ an attribution follows
//!                                            ^ the next sentence
//! ```
//!
//! Good enough to pair and mend marks; who spoke is told from the grammar in [`super::direct`].

use super::{CUE_WORDS_MAX, lexicon::Lexicon};
use crate::text::{Span, char_at, from, slice};

/// Words before a full stop that end no sentence.
pub(super) fn is_abbreviation(word: &str) -> bool {
    const WORDS: &str = "Mr Mrs Ms Dr St Gen Sen Rep Gov Lt Col Maj Capt Sgt Prof Rev Jr Sr No vs Inc Corp Co Ltd \
                         Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mt Ft Ave a.m p.m";
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || word.contains('.') || WORDS.split_whitespace().any(|listed| listed == word)
}

/// Where the next sentence begins, between two offsets.
pub(super) fn next_sentence(text: &str, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    for c in slice(text, start, end).chars() {
        let here = at;
        at += c.len_utf8();
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let rest = slice(text, at, end);
        let trimmed = rest.trim_start_matches(['"', '”', '’', '\'', ')']).trim_start();
        let gap = rest.len() - trimmed.len();
        if !slice(text, at, at + gap).contains(char::is_whitespace) {
            continue;
        }
        let word_start = slice(text, start, here).rfind(char::is_whitespace).map_or(start, |space| start + space + 1);
        if c == '.' && is_abbreviation(slice(text, word_start, here).trim_start_matches(['"', '(', '“'])) {
            continue;
        }
        if trimmed.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || c == '\'' || c == '‘') {
            return Some(at + gap);
        }
    }
    None
}

/// Behind `said, ` or `added: ` between two offsets.
pub(super) fn after_intro(text: &str, start: usize, end: usize, lexicon: &Lexicon) -> Option<usize> {
    let words = slice(text, start, end);
    words.char_indices().filter(|(_, c)| matches!(c, ',' | ':')).find_map(|(at, _)| {
        let word = slice(words, 0, at).rsplit(|c: char| !c.is_alphanumeric()).next()?;
        let rest = from(words, at + 1);
        let goes_on =
            rest.trim_start().chars().next().is_some_and(char::is_uppercase) && rest.starts_with(char::is_whitespace);
        (lexicon.is_form(word) && goes_on).then_some(start + at + 1 + (rest.len() - rest.trim_start().len()))
    })
}

/// Behind the comma (or question mark) that an attribution follows: `it, he said.`
pub(super) fn before_attribution(text: &str, room: Span, lexicon: &Lexicon) -> Option<usize> {
    let words = room.of(text);
    words.char_indices().filter(|(_, c)| matches!(c, ',' | '?' | '!')).find_map(|(at, c)| {
        let rest = from(words, at + c.len_utf8());
        let clause = rest.get(..rest.find(['.', ',', ';', ':', '"', '“', '?', '!']).unwrap_or(rest.len()))?;
        let spoken = rest.starts_with(char::is_whitespace) && is_short_attribution(clause, lexicon);
        spoken.then_some(room.start() + at + c.len_utf8())
    })
}

/// `he said`, `said Lavrentyev`, `the head of the council added on Monday`.
fn is_short_attribution(clause: &str, lexicon: &Lexicon) -> bool {
    let is_cue = |word: &str| lexicon.is_form(word);
    let mut words = clause.split_whitespace();
    let first = words.next().unwrap_or("");
    let second = words.next().unwrap_or("");
    let pronoun = matches!(first, "he" | "she" | "they" | "it");
    let name_first = first.chars().next().is_some_and(char::is_uppercase) && first != "I";
    let cue_first = is_cue(first)
        && (second.chars().next().is_some_and(char::is_uppercase)
            || matches!(second, "he" | "she" | "they" | "the" | "a" | "an"));
    let count = clause.split_whitespace().count();
    cue_first
        || (pronoun && is_cue(second))
        || name_first && count <= 6 && clause.split_whitespace().skip(1).any(is_cue) && second != "have"
}

/// Whether words behind a quotation attribute it: a cue before the sentence ends.
pub(super) fn attributes(behind: &str, lexicon: &Lexicon) -> bool {
    let sentence = behind.get(..sentence_end(behind)).unwrap_or(behind);
    let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’').filter(|word| !word.is_empty());
    words.take(CUE_WORDS_MAX).any(|word| lexicon.is_form(word))
}

/// The end of the first sentence, or of the words.
pub(super) fn sentence_end(words: &str) -> usize {
    let mut at = 0;
    while let Some(stop) = from(words, at).find(['.', '!', '?', '"', '“']) {
        let here = at + stop;
        at = here + char_at(words, here).map_or(1, char::len_utf8);
        let word = slice(words, 0, here).rsplit(char::is_whitespace).next().unwrap_or("");
        let goes_on = char_at(words, at).is_some_and(|c| !c.is_whitespace()) || is_abbreviation(word);
        if char_at(words, here) != Some('.') || !goes_on {
            return here;
        }
    }
    words.len()
}

/// Where the last sentence of some words begins.
pub(super) fn next_sentence_last(words: &str) -> usize {
    let mut start = 0;
    while let Some(next) = next_sentence(words, start, words.len()) {
        start = next;
    }
    start
}

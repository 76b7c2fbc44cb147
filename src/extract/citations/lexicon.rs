//! Words for sources, read from `data/lexicon/sources.txt` and from what a user adds.
//!
//! ```text
//! anonymous: source official diplomat
//! media: newspaper broadcaster
//! ```
//!
//! Does not inflect: a word is looked up by the lemma that the grammar gives it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

/// Words that a user may add.
const ADDED_MAX: usize = 10_000;

/// What a word for a source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Anonymous,
    Speaker,
    Media,
    Document,
    Hearsay,
    HandOn,
}

/// A line of a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for SourcesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for SourcesError {}

/// Words for sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    words: HashMap<String, Word>,
}

static BUILT_IN: LazyLock<Arc<Sources>> = LazyLock::new(|| {
    let mut sources = Sources::default();
    // A test reads the list and refuses what cannot be read.
    let _ = sources.extend(include_str!("../../../data/lexicon/sources.txt"));
    Arc::new(sources)
});

impl Sources {
    /// The words that the desk knows, read once a process.
    pub fn built_in() -> &'static Arc<Self> {
        &BUILT_IN
    }

    /// The built-in words and those of a list; a word that is in both means what the list says.
    ///
    /// # Errors
    /// At the first line that cannot be read.
    pub fn with_list(list: &str) -> Result<Self, SourcesError> {
        let mut sources = Self::clone(&BUILT_IN);
        sources.extend(list)?;
        Ok(sources)
    }

    fn extend(&mut self, list: &str) -> Result<(), SourcesError> {
        let mut left = ADDED_MAX;
        for (index, line) in list.lines().enumerate() {
            let told = |problem| SourcesError { line: index + 1, problem };
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (class, words) = line.split_once(':').ok_or_else(|| told("no colon between class and words"))?;
            let class = match class.trim() {
                "anonymous" => Word::Anonymous,
                "speaker" => Word::Speaker,
                "media" => Word::Media,
                "document" => Word::Document,
                "hearsay" => Word::Hearsay,
                "hand_on" => Word::HandOn,
                _ => return Err(told("the class is none of anonymous, speaker, media, document, hearsay, hand_on")),
            };
            let mut some = false;
            for word in words.split_whitespace() {
                left = left.checked_sub(1).ok_or_else(|| told("more than 10,000 words"))?;
                self.words.insert(word.to_lowercase(), class);
                some = true;
            }
            if !some {
                return Err(told("no words behind the colon"));
            }
        }
        Ok(())
    }

    pub(super) fn word(&self, lemma: &str) -> Option<Word> {
        self.words.get(lemma).or_else(|| self.words.get(&lemma.to_lowercase())).copied()
    }

    pub(super) fn is_hearsay(&self, lemma: &str) -> bool {
        self.word(lemma) == Some(Word::Hearsay)
    }

    pub(super) fn hands_on(&self, lemma: &str) -> bool {
        self.word(lemma) == Some(Word::HandOn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_is_built_in_can_be_read() {
        let mut sources = Sources::default();
        assert_eq!(sources.extend(include_str!("../../../data/lexicon/sources.txt")), Ok(()));
        assert_eq!(sources.word("Diplomat"), Some(Word::Anonymous));
        assert!(sources.hands_on("cite") && sources.is_hearsay("reportedly"));
    }

    #[test]
    fn words_are_added_and_faults_are_told_with_their_line() {
        let more = Sources::with_list("# ours\nmedia: zine\ndocument: source\n").unwrap();
        assert_eq!((more.word("zine"), more.word("source")), (Some(Word::Media), Some(Word::Document)));
        for (list, line) in [("media: zine\nmedia zine", 2), ("paper: zine", 1), ("\nmedia:", 2)] {
            assert_eq!(Sources::with_list(list).map_err(|error| error.line), Err(line), "in {list:?}");
        }
    }
}

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
    sync::{Arc, LazyLock},
};

use crate::extract::lists::{ListError, read_list};

/// What a word for a source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Anonymous,
    Body,
    Speaker,
    Media,
    Document,
    Hearsay,
    HandOn,
}

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
    pub fn with_list(list: &str) -> Result<Self, ListError> {
        let mut sources = Self::clone(&BUILT_IN);
        sources.extend(list)?;
        Ok(sources)
    }

    fn extend(&mut self, list: &str) -> Result<(), ListError> {
        read_list(list, |class, words| {
            let class = match class {
                "anonymous" => Word::Anonymous,
                "body" => Word::Body,
                "speaker" => Word::Speaker,
                "media" => Word::Media,
                "document" => Word::Document,
                "hearsay" => Word::Hearsay,
                "hand_on" => Word::HandOn,
                _ => return Err("the class is none of anonymous, body, speaker, media, document, hearsay, hand_on"),
            };
            self.words.extend(words.into_iter().map(|word| (word, class)));
            Ok(())
        })
    }

    pub(super) fn word(&self, lemma: &str) -> Option<Word> {
        self.words.get(lemma).or_else(|| self.words.get(&lemma.to_lowercase())).copied()
    }

    /// Whether a word is one for something written down or for a body that rules: "the study found".
    pub(in crate::extract) fn tells_by_paper(&self, lemma: &str) -> bool {
        matches!(self.word(lemma), Some(Word::Document | Word::Body))
    }

    pub(super) fn is_hearsay(&self, lemma: &str) -> bool {
        self.word(lemma) == Some(Word::Hearsay)
    }

    pub(in crate::extract) fn hands_on(&self, lemma: &str) -> bool {
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

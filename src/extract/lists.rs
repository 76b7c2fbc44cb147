//! Lists of words that a user may read and extend: `key: word word …`, a line each; `#` begins a comment.
//!
//! What a key and its words mean is told by whoever reads them: the words that report speech
//! ([`super::quotes::Lexicon`]), the words for sources ([`super::citations::Sources`]).

use std::fmt;

/// Words of one list.
const WORDS_MAX: usize = 10_000;

/// A line of a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for ListError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ListError {}

/// Gives each line's key and its words, in small letters.
///
/// # Errors
/// At the first line that cannot be read, or that the reader of its words refuses.
pub(super) fn read_list(
    list: &str,
    mut each: impl FnMut(&str, Vec<String>) -> Result<(), &'static str>,
) -> Result<(), ListError> {
    let mut left = WORDS_MAX;
    for (index, line) in list.lines().enumerate() {
        let told = |problem| ListError { line: index + 1, problem };
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (key, words) = line.split_once(':').ok_or_else(|| told("no colon before the words"))?;
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return Err(told("no words behind the colon"));
        }
        left = left.checked_sub(words.len()).ok_or_else(|| told("more than 10,000 words"))?;
        each(key.trim(), words).map_err(told)?;
    }
    Ok(())
}

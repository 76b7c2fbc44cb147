//! Reads and writes CoNLL-U, the table format of Universal Dependencies.
//!
//! Reading is total: a line that is no word line is kept and written back in its place, a
//! missing column reads as `_`. What is read and not changed is written byte for byte alike,
//! apart from line ends (`\r\n` becomes `\n`), repeated blank lines and a missing last newline.

use std::fmt::Write as _;

/// A sentence: comments, words, and the lines that are neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// Lines that begin with `#`.
    pub comments: Vec<String>,
    /// Words, in order.
    pub words: Vec<Word>,
    /// Multiword token and empty node lines, each with the number of words before it.
    pub others: Vec<(usize, String)>,
}

/// One word; an empty column is an empty string and is written `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The form as written.
    pub form: String,
    /// Its dictionary form.
    pub lemma: String,
    /// Universal part of speech.
    pub upos: String,
    /// Part of speech of the language's own set.
    pub xpos: String,
    /// Morphological features.
    pub feats: String,
    /// Number of the head, 0 for the root; absent when not annotated.
    pub head: Option<u32>,
    /// Relation to the head.
    pub deprel: String,
    /// Enhanced dependencies.
    pub deps: String,
    /// Anything else, `SpaceAfter=No` above all.
    pub misc: String,
}

/// Reads all sentences of a text.
pub fn read(text: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut sentence = Sentence::default();
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        if line.trim().is_empty() {
            if sentence != Sentence::default() {
                sentences.push(std::mem::take(&mut sentence));
            }
        } else if line.starts_with('#') {
            sentence.comments.push(line.to_owned());
        } else {
            let mut columns = line.split('\t');
            let number = columns.next().unwrap_or_default();
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                sentence.words.push(word(columns));
            } else {
                sentence.others.push((sentence.words.len(), line.to_owned()));
            }
        }
    }
    if sentence != Sentence::default() {
        sentences.push(sentence);
    }
    sentences
}

fn word<'a>(mut columns: impl Iterator<Item = &'a str>) -> Word {
    // A form or lemma may itself be an underscore; elsewhere it stands for nothing.
    let form = columns.next().unwrap_or("_").to_owned();
    // A carriage return before the line feed that follows the last column would be read as a line end.
    let mut next = || match columns.next().map(|value| value.trim_end_matches('\r')) {
        None | Some("_") => String::new(),
        Some(value) => value.to_owned(),
    };
    let lemma = next();
    let (upos, xpos, feats, head, deprel, deps, misc) = (next(), next(), next(), next(), next(), next(), next());
    Word { form, lemma, upos, xpos, feats, head: head.parse().ok(), deprel, deps, misc }
}

/// Writes sentences, each followed by a blank line.
pub fn write(sentences: &[Sentence]) -> String {
    let mut out = String::new();
    for sentence in sentences {
        for comment in &sentence.comments {
            out.push_str(comment);
            out.push('\n');
        }
        let mut others = sentence.others.iter().peekable();
        for (index, word) in sentence.words.iter().enumerate() {
            while let Some((_, line)) = others.next_if(|(before, _)| *before <= index) {
                out.push_str(line);
                out.push('\n');
            }
            line(&mut out, index + 1, word);
        }
        for (_, line) in others {
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

fn line(out: &mut String, number: usize, word: &Word) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}\t{}", word.form);
    for column in [&word.lemma, &word.upos, &word.xpos, &word.feats] {
        out.push('\t');
        out.push_str(if column.is_empty() { "_" } else { column });
    }
    match word.head {
        Some(head) => {
            let _ = write!(out, "\t{head}");
        }
        None => out.push_str("\t_"),
    }
    for column in [&word.deprel, &word.deps, &word.misc] {
        out.push('\t');
        out.push_str(if column.is_empty() { "_" } else { column });
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "\
# sent_id = 1
# text = He won't.
1\tHe\the\tPRON\tPRP\tCase=Nom\t2\tnsubj\t_\t_
2-3\twon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\two\twill\tAUX\tMD\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t0:root\t_
4\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

1\t_\t_\tSYM\tNFP\t_\t_\t_\t_\t_

";

    #[test]
    fn what_is_read_is_written_back() {
        let sentences = read(SAMPLE);
        assert_eq!(sentences.len(), 2);
        assert_eq!(sentences[0].words[1].lemma, "will");
        assert_eq!(sentences[0].words[1].head, Some(0));
        assert_eq!(write(&sentences), SAMPLE);
    }

    #[test]
    fn a_carriage_return_in_the_last_column_does_not_come_and_go() {
        let once = write(&read("1\t\t\t\t\t\t\t\t\t\r\t"));
        assert_eq!(write(&read(&once)), once);
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_settles(text in "[0-9a-z_#\t\n\r.-]{0,200}") {
            let once = write(&read(&text));
            prop_assert_eq!(write(&read(&once)), once);
        }
    }
}

//! The order of the stages, straight-line code.
//!
//! A stage is one file, pure and total: its inputs stand in its signature, it returns its own
//! findings, and it never fails. What it is unsure of it leaves out or tells as an anomaly.

pub mod byline;
pub mod dateline;
pub mod language;
pub mod layout;
pub mod markup;
pub mod notes;
pub mod quotes;
pub mod sentences;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;

use crate::{
    decode::{self, DecodeError, Hints},
    record::{self, Record},
    story::{Anomaly, Story},
};

/// What the stages found in one story. Spans are bytes of the story's text.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Paragraphs and their kinds.
    pub layout: layout::Layout,
    /// The language of the text.
    pub language: language::Language,
    /// Where, when and by whom the story was filed.
    pub dateline: Option<dateline::Dateline>,
    /// Authors.
    pub bylines: Vec<byline::Byline>,
    /// What the story is in the life of its item.
    pub status: status::Status,
    /// Tokens of the whole text, in text order.
    pub tokens: Vec<tokens::Token>,
    /// Sentences, in text order.
    pub sentences: Vec<sentences::Sentence>,
    /// Quotations, in text order.
    pub quotes: Vec<quotes::Quote>,
    /// The desk's own words inside the copy.
    pub notes: Vec<notes::Note>,
    /// What was odd.
    pub anomalies: Vec<Anomaly>,
}

/// What the desk knows, built once and read-only: one `Desk` serves every thread.
#[derive(Debug, Default)]
pub struct Desk {}

impl Desk {
    /// The desk with its built-in knowledge.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a transmission and reads it.
    ///
    /// # Errors
    /// Those of [`decode::decode`]; reading itself never fails.
    pub fn read_bytes(&self, input: &[u8], hints: &Hints) -> Result<Record, DecodeError> {
        decode::decode(input, hints).map(|story| self.read(story))
    }

    /// Decodes a transmission that may carry several stories and reads each, in the order sent.
    ///
    /// # Errors
    /// Those of [`decode::decode_all`]: outside for the whole, inside for one story.
    pub fn read_all(&self, input: &[u8], hints: &Hints) -> Result<Vec<Result<Record, DecodeError>>, DecodeError> {
        let stories = decode::decode_all(input, hints)?;
        Ok(stories.into_iter().map(|story| story.map(|story| self.read(story))).collect())
    }

    /// Reads a decoded story.
    pub fn read(&self, story: Story) -> Record {
        let findings = self.find(&story);
        record::build(story, &findings)
    }

    /// Runs the stages.
    pub fn find(&self, story: &Story) -> Findings {
        let text = story.text.as_str();
        let mut anomalies = Vec::new();
        let language = language::run(text, story.language.as_deref());
        let blocks = layout::split(text, &mut anomalies);
        let dateline = dateline::run(text, &blocks, &mut anomalies).or_else(|| dateline::declared(story));
        let mut layout = layout::run(text, &blocks, dateline.as_ref());
        markup::run(&mut layout, &story.markup);
        let bylines = byline::run(text, &layout, dateline.as_ref());
        let status = status::weigh(status::run(text, &layout, story), story, &mut anomalies);
        if !language.is_read() {
            anomalies.push(Anomaly::story("language.unsupported"));
        }
        let tokens = tokens::run(text, &layout, dateline.as_ref());
        let sentences = sentences::run(text, &tokens, &layout, dateline.as_ref());
        let notes = notes::run(text, &layout, &mut anomalies);
        let quotes = if language.is_read() { quotes::run(text, &layout, &notes, &mut anomalies) } else { Vec::new() };
        Findings { layout, language, dateline, bylines, status, tokens, sentences, quotes, notes, anomalies }
    }
}

//! The order of the stages, straight-line code.
//!
//! A stage is one file, pure and total: its inputs stand in its signature, it returns its own
//! findings, and it never fails. What it is unsure of it leaves out or tells as an anomaly.

pub mod byline;
pub mod dateline;
pub mod language;
pub mod layout;
pub mod names;
pub mod notes;
pub mod quotes;
pub mod sentences;
pub mod status;
pub mod tokens;

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
};

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
    /// Names, in text order.
    pub names: Vec<names::Mention>,
    /// The names model's version, when there is one.
    pub names_model: Option<String>,
    /// Quotations, in text order.
    pub quotes: Vec<quotes::Quote>,
    /// The desk's own words inside the copy.
    pub notes: Vec<notes::Note>,
    /// What was odd.
    pub anomalies: Vec<Anomaly>,
}

/// What the desk knows, built once and read-only: one `Desk` serves every thread.
#[derive(Clone, Debug)]
pub struct Desk {
    names: Option<Arc<names::Names>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

/// The built-in names model, unpacked once a process.
static NAMES: LazyLock<Option<Arc<names::Names>>> = LazyLock::new(|| names::Names::built_in().ok().map(Arc::new));

thread_local! {
    /// Buffers that one story after the other uses; nothing of a story outlives it here but their size.
    static NAMES_SCRATCH: RefCell<names::Scratch> = RefCell::default();
}

impl Desk {
    /// The desk with its built-in knowledge.
    pub fn new() -> Self {
        Self { names: NAMES.clone() }
    }

    /// The desk with another names model.
    pub fn with_names(names: names::Names) -> Self {
        Self { names: Some(Arc::new(names)) }
    }

    /// Decodes a transmission and reads it.
    ///
    /// # Errors
    /// Those of [`decode::decode`]; reading itself never fails.
    pub fn read_bytes(&self, input: &[u8], hints: &Hints) -> Result<Record, DecodeError> {
        decode::decode(input, hints).map(|story| self.read(story))
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
        let dateline = dateline::run(text, &layout::lines(text), &mut anomalies);
        let layout = layout::run(text, dateline.as_ref(), &mut anomalies);
        let bylines = byline::run(text, &layout, dateline.as_ref());
        let status = status::run(text, &layout, story);
        if !language.is_read() {
            anomalies.push(Anomaly::story("language.unsupported"));
        }
        let tokens = tokens::run(text, &layout, dateline.as_ref());
        let sentences = sentences::run(text, &tokens, &layout, dateline.as_ref());
        let names = match self.names.as_deref().filter(|_| language.is_read()) {
            Some(names) => NAMES_SCRATCH.with_borrow_mut(|scratch| names.run(text, &tokens, &sentences, scratch)),
            None => Vec::new(),
        };
        let names_model = self.names.as_ref().map(|names| names.version.clone());
        let notes = notes::run(text, &layout);
        let quotes = if language.is_read() { quotes::run(text, &layout, &notes, &mut anomalies) } else { Vec::new() };
        Findings {
            layout,
            language,
            dateline,
            bylines,
            status,
            tokens,
            sentences,
            names,
            names_model,
            quotes,
            notes,
            anomalies,
        }
    }
}

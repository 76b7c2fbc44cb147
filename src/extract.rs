//! The order of the stages, straight-line code.
//!
//! A stage is one file, pure and total: its inputs stand in its signature, it returns its own
//! findings, and it never fails. What it is unsure of it leaves out or tells as an anomaly.

pub mod byline;
pub mod citations;
pub mod cluster;
pub mod dateline;
pub mod entities;
pub mod grammar;
pub mod language;
pub mod layout;
mod lists;
pub mod markup;
pub mod names;
pub mod notes;
pub mod places;
pub mod quotes;
pub mod sentences;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;
pub mod times;
pub mod tokens;

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use crate::{
    decode::{self, DecodeError, Hints},
    gazetteer::{index::Index, lists::List},
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
    /// Part of speech, lemma, head and relation of every token.
    pub grammar: grammar::Grammar,
    /// Names, in text order.
    pub names: Vec<names::Mention>,
    /// Who and what the story speaks of.
    pub entities: entities::Entities,
    /// Dates, times, durations and sets, in text order.
    pub times: times::Times,
    /// Where the places lie.
    pub places: places::Places,
    /// The models that were used: name → version.
    pub models: BTreeMap<&'static str, String>,
    /// Quotations, in text order.
    pub quotes: Vec<quotes::Quote>,
    /// Whose authority stands behind which sentences.
    pub citations: Vec<citations::Citation>,
    /// The desk's own words inside the copy.
    pub notes: Vec<notes::Note>,
    /// Keys by which the copy is found again.
    pub cluster: Option<cluster::Cluster>,
    /// What was odd.
    pub anomalies: Vec<Anomaly>,
}

/// What the desk knows, built once and read-only: one `Desk` serves every thread.
#[derive(Clone, Debug)]
pub struct Desk {
    grammar: Option<Cow<'static, grammar::Models>>,
    names: Option<Arc<names::Names>>,
    cues: Arc<quotes::Lexicon>,
    sources: Arc<citations::Sources>,
    lists: Arc<[List]>,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

/// The built-in names model, unpacked once a process.
static NAMES: LazyLock<Option<Arc<names::Names>>> = LazyLock::new(|| names::Names::built_in().ok().map(Arc::new));

/// The built-in gazetteer, laid over the program's own bytes.
static GAZETTEER: LazyLock<Option<Index>> = LazyLock::new(|| Index::built_in().ok());

thread_local! {
    // Buffers that one story after the other uses; nothing of a story outlives it here but their size.
    static GRAMMAR_SCRATCH: RefCell<grammar::Scratch> = RefCell::default();
    static NAMES_SCRATCH: RefCell<names::Scratch> = RefCell::default();
}

impl Desk {
    /// The desk with its built-in knowledge.
    pub fn new() -> Self {
        Self {
            grammar: Some(Cow::Borrowed(grammar::Models::embedded())),
            names: NAMES.clone(),
            lists: Arc::default(),
            cues: quotes::Lexicon::built_in().clone(),
            sources: citations::Sources::built_in().clone(),
        }
    }

    /// A desk that reads structure alone: layout, dateline, status, sentences, quotations, notes;
    /// neither grammar nor names.
    pub fn without_models() -> Self {
        Self { grammar: None, names: None, ..Self::new() }
    }

    /// The desk with another names model.
    #[must_use]
    pub fn with_names(mut self, names: names::Names) -> Self {
        self.names = Some(Arc::new(names));
        self
    }

    /// The desk with gazetteers and watch lists of the reader's own; they go before the built-in one, earlier ones first.
    #[must_use]
    pub fn with_lists(mut self, lists: Vec<List>) -> Self {
        self.lists = lists.into();
        self
    }

    /// The desk with other models for tags and trees.
    #[must_use]
    pub fn with_grammar(mut self, models: grammar::Models) -> Self {
        self.grammar = Some(Cow::Owned(models));
        self
    }

    /// The desk with other words that report speech.
    #[must_use]
    pub fn with_cues(mut self, cues: quotes::Lexicon) -> Self {
        self.cues = Arc::new(cues);
        self
    }

    /// The desk with other words for sources.
    #[must_use]
    pub fn with_sources(mut self, sources: citations::Sources) -> Self {
        self.sources = Arc::new(sources);
        self
    }

    /// Tags and parses CoNLL-U; its tokens and sentences, and its other lines, stay as they are.
    pub fn parse_conllu(&self, input: &str) -> String {
        let models = self.grammar.as_deref();
        models.map_or_else(|| input.to_owned(), |models| grammar::fill_conllu(input, models))
    }

    /// A story that was read, as CoNLL-U.
    pub fn to_conllu(&self, findings: &Findings, text: &str) -> String {
        grammar::to_conllu(text, &findings.tokens, &findings.sentences, &findings.grammar)
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

    /// The status alone: what a worker asks before it makes a story wait.
    pub fn peek(&self, story: &Story) -> status::StatusKind {
        let text = story.text.as_str();
        let mut anomalies = Vec::new();
        let blocks = layout::split(text, &mut anomalies);
        let dateline = dateline::run(text, &blocks, &mut anomalies).or_else(|| dateline::declared(story));
        let mut layout = layout::run(text, &blocks, dateline.as_ref());
        markup::run(&mut layout, &story.markup);
        status::weigh(status::run(text, &layout, story), story, &mut anomalies).kind
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
        let is_read = language.is_read();
        let grammar = match self.grammar.as_deref().filter(|_| is_read) {
            Some(models) => {
                GRAMMAR_SCRATCH.with_borrow_mut(|scratch| grammar::run_with(text, &tokens, &sentences, models, scratch))
            }
            None => grammar::Grammar::default(),
        };
        let names = match self.names.as_deref().filter(|_| is_read) {
            Some(names) => NAMES_SCRATCH.with_borrow_mut(|scratch| names.run(text, &tokens, &sentences, scratch)),
            None => Vec::new(),
        };
        let times = if is_read {
            let reference = story.reference_time.as_ref();
            times::run(text, &tokens, &sentences, &grammar, &names, dateline.as_ref(), reference)
        } else {
            times::Times::default()
        };
        let names = names::filed::run(text, &tokens, dateline.as_ref(), names);
        let gazetteer = GAZETTEER.as_ref().filter(|_| self.names.is_some() && is_read);
        let names = match gazetteer {
            Some(index) => places::recognise::run(text, &tokens, names, index),
            None => names,
        };
        let names = names::listed::run(text, &tokens, names, &self.lists);
        let notes = notes::run(text, &layout, &mut anomalies);
        let entities = entities::run(&entities::Read {
            text,
            layout: &layout,
            dateline: dateline.as_ref(),
            tokens: &tokens,
            sentences: &sentences,
            grammar: &grammar,
            names: &names,
        });
        anomalies.extend(entities.doubts());
        let mark = dateline.as_ref().and_then(|dateline| dateline.agency).map(|mark| mark.of(text));
        let home = mark.or(story.source.as_deref()).and_then(places::publisher::home);
        let mut places =
            gazetteer.map(|index| places::run(text, &entities, dateline.as_ref(), home, index)).unwrap_or_default();
        places::lists::run(text, &entities, &self.lists, &mut places);
        let input = quotes::Input {
            text,
            layout: &layout,
            tokens: &tokens,
            sentences: &sentences,
            grammar: &grammar,
            names: &names,
            entities: &entities,
            notes: &notes,
        };
        let quotes = if is_read { quotes::run(input, &self.cues, &self.sources, &mut anomalies) } else { Vec::new() };
        let citations = citations::run(
            &citations::Input {
                read: input,
                dateline: dateline.as_ref(),
                source: story.source.as_deref(),
                quotes: &quotes,
            },
            &self.sources,
            &self.cues,
        );
        let cluster = cluster::run(text, &layout, dateline.as_ref());
        Findings {
            layout,
            language,
            dateline,
            bylines,
            status,
            tokens,
            sentences,
            grammar,
            names,
            entities,
            times,
            places,
            models: self.models(),
            quotes,
            citations,
            notes,
            cluster,
            anomalies,
        }
    }

    /// The models in use: name → version.
    pub fn models(&self) -> BTreeMap<&'static str, String> {
        let mut models = self.grammar.as_deref().map(grammar::Models::versions).unwrap_or_default();
        models.extend(self.names.iter().map(|_| (names::MODEL, names::VERSION.to_owned())));
        models
    }
}

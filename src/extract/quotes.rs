//! Sentences, grammar, marks → who said what: direct, indirect and mixed quotations.
//!
//! ```text
//! "We will appeal," the ministry said. "It is a matter of law." Ames denied that she had known.
//!  ^^^^^^^^^^^^^^^ content             ^^^^^^^^^^^^^^^^^^^^^ the same quotation
//!                   ^^^^^^^^^^^^ speaker                        ^^^^ speaker    ^^^^^^^^^^^^^ content
//!                                ^^^^ cue, say                       ^^^^^^ cue, deny
//! ```
//!
//! Five steps, a file each. `marks` finds the quotation marks, `pairs` matches them within a
//! paragraph and mends those that were lost, `groups` keeps what is speech and puts the pieces of
//! one utterance together. `direct` finds cue and speaker of each. `indirect` reads the parse for
//! words that report speech and for what stands behind them, `fronted` for what stands before them;
//! `subject` tells who a verb is about. `merge` brings the two together: a
//! report that quotes some of its words is mixed, and what is said inside a quotation has a `parent`.
//!
//! Without grammar (a desk without models, a language that is not read) only the marks are read.
//!
//! What this does not do: weigh whether a report is true, follow a speaker over more than the
//! paragraph before, or tell who stands behind an agency (that is the citations' work).
//!
//! Sources: the quotation habits of AP, Reuters, TASS and British papers; what belongs to cue,
//! source and content follows the annotation guide of PolNeAR (Newell et al. 2018).

pub mod lexicon;

mod direct;
mod fronted;
mod groups;
mod indirect;
mod link;
mod marks;
mod merge;
mod pairs;
mod speaker;
mod subject;
pub(in crate::extract) mod tree;
mod words;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(in crate::extract) use self::direct::source_behind;
pub use self::lexicon::{CueKind, Lexicon};
use self::{pairs::Reader, tree::Tree};
use super::{
    citations::Sources,
    entities::Entities,
    grammar::Grammar,
    layout::{Layout, ParagraphKind},
    names::Mention,
    notes::Note,
    sentences::Sentence,
    tokens::Token,
};
use crate::{
    story::Anomaly,
    text::{Span, char_at},
};

/// Quotations inside quotations.
const DEPTH_MAX: usize = 4;
/// Bytes behind a quotation among which its attribution stands.
const ATTRIBUTION_BYTES_MAX: usize = 240;
/// Words behind a comma among which the cue of an attribution stands.
const CUE_WORDS_MAX: usize = 14;
/// Pieces between marks in one story; what follows is not read, and told.
const PIECES_MAX: usize = 10_000;
/// Lost marks that one story is told of; more are a sign that its marks mean something else.
const LOST_MARKS_MAX: usize = 500;
/// Paragraphs over which one quotation may run.
const CONTINUED_MAX: usize = 200;
/// Quotations in one story; what follows is not read, and told.
const QUOTES_MAX: usize = 20_000;

/// How words are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteType {
    /// Word for word, between quotation marks.
    Direct,
    /// In the writer's words.
    Indirect,
    /// In the writer's words, with some of the speaker's between marks.
    Mixed,
}

/// The form of an attribution: what decided that there is a quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteRule {
    /// Words between quotation marks.
    Marks,
    /// A clause behind the cue: "said that it would appeal".
    Clause,
    /// The cue behind or inside what was said: "it would appeal, the ministry said".
    Trailing,
    /// An infinitive behind the cue: "promised to appeal".
    Infinitive,
    /// An object that is what was said: "denied the charge".
    Object,
    /// Words behind a preposition: "called for a vote".
    Preposition,
    /// A noun that reports: "the claim that it would".
    Noun,
    /// "According to", "in the words of".
    Phrase,
    /// A passive or impersonal cue: "it was reported that", "is expected to".
    Passive,
    /// A name and a colon: "Ames: we shall appeal".
    Colon,
}

/// The words that report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// Where, auxiliaries and particle included: "has said", "pointed out".
    pub span: Span,
    /// The dictionary form: "say", "point out".
    pub lemma: String,
    /// What somebody does by these words.
    pub kind: CueKind,
}

/// By what words a speaker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// By name.
    Name,
    /// By a pronoun.
    Pronoun,
    /// By a role or another description: "the minister", "a source".
    Nominal,
    /// Not told here: carried from the quotation before.
    Carried,
    /// An editor would not know either.
    Unknown,
}

/// What decided who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerRule {
    /// The subject of the cue.
    Subject,
    /// The words beside the cue, where the parse has no subject.
    Beside,
    /// The subject of the verb that the cue hangs on: "left, saying", "said X and added Y".
    Shared,
    /// Behind "by", "of" or "according to", or before "'s".
    Source,
    /// Before a colon.
    Colon,
    /// The speaker of the quotation before; nobody else was named in between.
    Before,
    /// The subject of the sentence before.
    SentenceBefore,
    /// Nobody was found.
    Nobody,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The words that tell it; for a carried speaker those that told it before.
    pub span: Option<Span>,
    /// The word that the span is about, an index into the story's tokens.
    pub head: Option<u32>,
    /// Index into the story's entities.
    pub entity: Option<usize>,
    /// By what words.
    pub resolution: Resolution,
    /// What decided.
    pub rule: SpeakerRule,
}

/// Who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The words that tell it.
    pub span: Span,
    /// The word that the span is about, an index into the story's tokens.
    pub head: u32,
    /// Index into the story's entities.
    pub entity: Option<usize>,
}

/// A quotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How the words are given.
    pub kind: QuoteType,
    /// What was said, without the quotation marks, in text order.
    pub content: Vec<Span>,
    /// The words that report.
    pub cue: Option<Cue>,
    /// Who speaks; none where the grammar was not read.
    pub speaker: Option<Speaker>,
    /// Who is spoken to.
    pub addressee: Option<Addressee>,
    /// When, where and how it was said, in text order.
    pub circumstances: Vec<Span>,
    /// Editorial insertions inside the content.
    pub not_said: Vec<Span>,
    /// Index of the quotation that this one stands inside.
    pub parent: Option<usize>,
    /// What decided that there is a quotation.
    pub rule: QuoteRule,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

impl Quote {
    /// The content as one text, without what was not said and without a comma at the end.
    pub fn text_clean(&self, text: &str) -> String {
        let mut clean = String::new();
        for content in &self.content {
            let mut from = content.start();
            for gap in self.not_said.iter().filter(|gap| content.contains(**gap)) {
                push_spaced(&mut clean, Span::new(from, gap.start()).of(text));
                from = gap.end();
            }
            push_spaced(&mut clean, Span::new(from, content.end()).of(text));
        }
        let said = clean.trim_end_matches([',', ' ']).len();
        clean.truncate(said);
        clean
    }
}

/// Appends with one space between, none before punctuation.
fn push_spaced(clean: &mut String, piece: &str) {
    let piece = piece.trim();
    if !clean.is_empty() && !piece.starts_with([',', '.', ';', ':', '!', '?']) && !piece.is_empty() {
        clean.push(' ');
    }
    clean.push_str(piece);
}

/// What the stage reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The story's text.
    pub text: &'a str,
    /// Paragraphs.
    pub layout: &'a Layout,
    /// Tokens.
    pub tokens: &'a [Token],
    /// Sentences.
    pub sentences: &'a [Sentence],
    /// The parse; empty when the language is not read.
    pub grammar: &'a Grammar,
    /// Names.
    pub names: &'a [Mention],
    /// Who and what the story speaks of.
    pub entities: &'a Entities,
    /// The desk's own words.
    pub notes: &'a [Note],
}

/// Looks for quotations.
pub fn run(input: Input<'_>, lexicon: &Lexicon, sources: &Sources, anomalies: &mut Vec<Anomaly>) -> Vec<Quote> {
    let Input { text, layout, .. } = input;
    let mut reader = Reader { text, lexicon, pieces: Vec::new(), lost_marks: 0, anomalies };
    let paragraphs = &layout.paragraphs;
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if !holds_speech(paragraph.kind) || !has_marks(paragraph.span.of(text)) {
            continue;
        }
        if reader.pieces.len() >= PIECES_MAX || reader.lost_marks >= LOST_MARKS_MAX {
            reader.anomalies.push(Anomaly::at("structure.truncated", first_char(text, paragraph.span)));
            break;
        }
        let below = paragraphs.get(index + 1).filter(|below| holds_speech(below.kind)).map(|below| below.span);
        reader.pair(index, *paragraph, below);
    }
    let (mut quotes, terms) = groups::group(text, layout, input.sentences, reader.pieces, lexicon);
    if !input.grammar.words.is_empty() && input.grammar.words.len() == input.tokens.len() {
        let tree = Tree::new(input);
        direct::run(&tree, lexicon, &mut quotes);
        let reports = indirect::run(&tree, lexicon, sources, &quotes);
        quotes = merge::run(&tree, quotes, reports, &terms);
        speaker::carry(&tree, &mut quotes);
        link::run(&tree, &mut quotes);
    }
    if quotes.len() > QUOTES_MAX {
        if let Some(first) = quotes.get(QUOTES_MAX).and_then(|quote| quote.content.first()) {
            anomalies.push(Anomaly::at("structure.truncated", first_char(text, *first)));
        }
        quotes.truncate(QUOTES_MAX);
    }
    leave_out_notes(&mut quotes, input.notes);
    quotes
}

/// The place where the reading of quotations ended.
fn first_char(text: &str, span: Span) -> Span {
    Span::new(span.start(), span.start() + char_at(text, span.start()).map_or(0, char::len_utf8))
}

/// Kinds of paragraphs in which somebody speaks.
fn holds_speech(kind: ParagraphKind) -> bool {
    kind.is_story()
}

fn has_marks(words: &str) -> bool {
    words.bytes().any(|byte| matches!(byte, b'"' | b'\'' | b'`' | 0xC2 | 0xE2))
}

/// Notes inside the content were not said. Both lists are in text order.
fn leave_out_notes(quotes: &mut [Quote], notes: &[Note]) {
    for quote in quotes {
        for content in &quote.content {
            let first = notes.partition_point(|note| note.span.start < content.start);
            let inside = notes.iter().skip(first).take_while(|note| note.span.start < content.end);
            let mut end = content.start;
            for note in inside.filter(|note| content.contains(note.span)) {
                if note.span.start >= end {
                    quote.not_said.push(note.span);
                    end = note.span.end;
                }
            }
        }
    }
}

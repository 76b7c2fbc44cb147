//! The output contract `copydesk/record/1`: one JSON object a story.
//!
//! The types here *are* the contract; the published schema (`schema/record-1.json`) is derived
//! from them and kept under test, and `docs/RECORD.md` explains it to consumers. Rules that hold
//! for every record: the text is immutable; every finding is a span in Unicode code points with
//! its text beside it; the same bytes, reference time and version give the same record; lists are
//! in text order; what is absent is left out, never `null`.

mod build;
mod citations;
pub mod entities;
pub mod html;
mod lineage;
pub mod ninjs;
pub mod places;
mod quotes;
pub(crate) mod reading;
pub mod times;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    build::build,
    citations::{Citation, CitationKind, CitationRule, Via},
    entities::{Entity, Group, Mention, MentionKind, Organisation, Person, Place},
    quotes::{Addressee, Cue, CueKind, Quote, QuoteRule, QuoteType, Resolution, Speaker, SpeakerRule},
};
pub use crate::lineage::Lineage;
pub use crate::{
    extract::{dateline::AgencyStyle, layout::ParagraphKind, notes::NoteKind, status::StatusKind},
    story::{Format, TimeBasis},
};

/// The value of `schema` in every record of this version.
pub const SCHEMA_ID: &str = "copydesk/record/1";

/// One enriched story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Always `copydesk/record/1`.
    #[schemars(extend("const" = SCHEMA_ID))]
    pub schema: String,
    /// The provider's id, or `sha256:` and the hash of the input bytes.
    pub id: String,
    /// What came in.
    pub raw: Raw,
    /// What read it.
    pub extractor: Extractor,
    /// What relative dates are resolved against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_time: Option<ReferenceTime>,
    /// The language of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Headline, from the wire format or read from the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// Slugline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slugline: Option<String>,
    /// Keyword line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// Which part of a story in parts this is, as transmitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
    /// Words that the transmission says it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_count_declared: Option<u32>,
    /// The provider's number of this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// A summary given outside the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A message to editors given outside the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ednote: Option<String>,
    /// Category as transmitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Urgency, 1 (flash) to 9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<u8>,
    /// The feed that it came by, where the transmission says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Copyright line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copyright: Option<String>,
    /// Authors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bylines: Vec<Byline>,
    /// Where, when and by whom the story was filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dateline: Option<Dateline>,
    /// What the story is in the life of its item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Its place among the versions of its item; stands outside the rule that the same bytes give
    /// the same record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Keys by which the same or nearly the same copy is found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// The decoded text that every offset points into.
    pub text: String,
    /// Paragraphs in text order.
    pub paragraphs: Vec<Paragraph>,
    /// Sentences in text order.
    pub sentences: Vec<Sentence>,
    /// Human beings, by first mention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
    /// Bodies: state organs, companies, parties, clubs, agencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisations: Vec<Organisation>,
    /// Places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// Nationalities, ethnic, religious and political groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Wars, storms, matches, festivals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_events: Vec<Entity>,
    /// Books, films, laws, songs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub works: Vec<Entity>,
    /// Dates, times, durations and sets (TIMEX3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<times::Time>,
    /// Entities that stand in lists of the reader's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<places::Watch>,
    /// Quotations in text order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<Quote>,
    /// Whose authority stands behind which sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// The desk's own words inside the copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editorial_notes: Vec<EditorialNote>,
    /// What was odd, and what was done about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// Fields of the transmission that the desk has no name for, as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// A piece of the text: code points, 0-based, half-open, and the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanText {
    /// First code point.
    pub start: u32,
    /// One past the last code point.
    pub end: u32,
    /// `text[start:end]` of the record.
    pub text: String,
}

/// How sure the desk is, 0 to 1, in steps of a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence {
    percent: u8,
}

impl Confidence {
    /// From hundredths; more than 100 counts as 100.
    pub fn from_percent(percent: u8) -> Self {
        Self { percent: percent.min(100) }
    }
}

impl Serialize for Confidence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.percent) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Ok(Self::from_percent((value * 100.0).round().clamp(0.0, 100.0) as u8))
    }
}

impl JsonSchema for Confidence {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Confidence".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "How sure the desk is, in steps of a hundredth.",
            "type": "number", "minimum": 0, "maximum": 1
        })
    }
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Raw {
    /// The wire format that was read.
    pub format: Format,
    /// The character set that was read, by its WHATWG name in lower case.
    pub encoding: String,
    /// Length of the input in bytes.
    pub bytes: u64,
    /// SHA-256 of the input bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// What read the story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extractor {
    /// Always `copydesk`.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Model name → version.
    pub models: BTreeMap<String, String>,
}

/// What relative dates are resolved against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceTime {
    /// RFC 3339.
    pub value: String,
    /// Where it came from.
    pub basis: TimeBasis,
}

/// The language of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Language {
    /// BCP 47; `und` when unsure.
    pub code: String,
    /// How sure.
    pub confidence: Confidence,
}

/// One author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Byline {
    /// The author's name.
    pub name: String,
    /// The author's title, where the line gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where the author reports from, where the line gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where the name stands; absent for a byline that the format gives beside the text.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanText>,
}

/// Where, when and by whom the story was filed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dateline {
    /// The whole dateline, agency mark included.
    #[serde(flatten)]
    pub span: SpanText,
    /// The place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<DatelinePart>,
    /// The date as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<times::DatelineDate>,
    /// The agency, without its brackets or strokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<DatelinePart>,
    /// How the agency mark is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency_style: Option<AgencyStyle>,
    /// First code point of the story proper.
    pub body_start: u32,
}

/// A part of the dateline and what it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatelinePart {
    /// As written.
    #[serde(flatten)]
    pub span: SpanText,
    /// The id of its entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

/// What the story is in the life of its item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The kind.
    pub kind: StatusKind,
    /// The number of the update or writethru.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Not to be published before (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embargo: Option<String>,
    /// The words that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cue: Option<SpanText>,
}

/// Keys by which the same or nearly the same copy is found again: of the body, without dateline,
/// sign-off, notes and boilerplate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Equal for bodies of the same words.
    pub exact: String,
    /// A sketch; the more of its places agree, the more alike the bodies are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
}

/// A paragraph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paragraph {
    /// First code point.
    pub start: u32,
    /// One past the last code point.
    pub end: u32,
    /// What it is for.
    pub kind: ParagraphKind,
    /// 0 before the first crosshead, then counting up.
    pub section: u32,
}

/// A sentence; the dateline belongs to none, a crosshead is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// First code point.
    pub start: u32,
    /// One past the last code point.
    pub end: u32,
    /// Index into `paragraphs`.
    pub paragraph: u32,
}

/// The desk's own words inside the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EditorialNote {
    /// `x1`, `x2`, …
    pub id: String,
    /// The note with its brackets.
    #[serde(flatten)]
    pub span: SpanText,
    /// What it is for.
    pub kind: NoteKind,
    /// The quotation inside which it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_quote: Option<String>,
}

/// Something odd that was seen, and what was done about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anomaly {
    /// A dotted code from the table in `docs/RECORD.md`.
    pub code: String,
    /// Where, when it has a place.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanText>,
    /// What the desk read instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// How sure the desk is of the repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

/// Characters that the desk read as if they stood in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repair {
    /// The characters.
    pub insert: String,
    /// Code point before which they were read.
    pub at: u32,
}

/// The JSON Schema of a record (draft 2020-12).
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Record).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$id".to_owned(), "https://copydesk.example/schema/record-1.json".into());
        object.insert("title".to_owned(), format!("Enriched record, {SCHEMA_ID}").into());
    }
    schema
}

//! The story: what decoding makes of a transmission, in the trade's words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::Span;

/// A wire format that the desk reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Plain text.
    Plain,
    /// The desk's own JSON envelope around a text or around bytes.
    Envelope,
    /// ANPA 1312, the North American high-speed wire.
    Anpa1312,
    /// IPTC 7901, the wire of the European agencies.
    Iptc7901,
    /// IPTC NITF 3.
    Nitf,
    /// IPTC NewsML-G2.
    NewsmlG2,
    /// IPTC NewsML 1.
    Newsml1,
    /// IPTC ninjs 1 to 3.
    Ninjs,
    /// RSS 2.0.
    Rss,
    /// Atom (RFC 4287).
    Atom,
    /// Plain text under headers as in e-mail (RFC 5322).
    Email,
}

impl Format {
    /// Every format, with the name that records, envelopes and options call it by.
    pub const NAMES: [(Format, &'static str); 11] = [
        (Self::Plain, "plain"),
        (Self::Envelope, "envelope"),
        (Self::Anpa1312, "anpa1312"),
        (Self::Iptc7901, "iptc7901"),
        (Self::Nitf, "nitf"),
        (Self::NewsmlG2, "newsml-g2"),
        (Self::Newsml1, "newsml1"),
        (Self::Ninjs, "ninjs"),
        (Self::Rss, "rss"),
        (Self::Atom, "atom"),
        (Self::Email, "email"),
    ];

    /// The name of the format.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("plain", |(_, name)| name)
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(format, _)| *format)
    }
}

/// What relative dates are resolved against, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceTime {
    /// RFC 3339.
    pub value: String,
    /// Where it came from.
    pub basis: TimeBasis,
}

/// Where a reference time came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeBasis {
    /// The envelope's `reference_time`.
    Envelope,
    /// A message header.
    Header,
    /// The transmission's own date.
    Transmission,
    /// The time at which the broker stored the message.
    Received,
}

/// Something odd that was seen and told, with what was done about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// A dotted code from the table in `docs/RECORD.md`.
    pub code: &'static str,
    /// Where, when it has a place.
    pub span: Option<Span>,
    /// What the desk read instead.
    pub repair: Option<Repair>,
    /// How sure the desk is of the repair, in hundredths.
    pub confidence_percent: Option<u8>,
}

impl Anomaly {
    /// An anomaly of the whole story.
    pub fn story(code: &'static str) -> Self {
        Self { code, span: None, repair: None, confidence_percent: None }
    }

    /// An anomaly with a place.
    pub fn at(code: &'static str, span: Span) -> Self {
        Self { span: Some(span), ..Self::story(code) }
    }
}

/// What the desk supplied in thought; the text itself is never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Characters that were read as if they stood there.
    pub insert: String,
    /// Byte offset in the text.
    pub at: u32,
}

/// What a format's own fields say of the story's place in the life of its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredStatus {
    /// Free to be used; says nothing of earlier versions.
    Usable,
    /// A later version with more in it.
    Update,
    /// A later version that mends a mistake.
    Correction,
    /// A later version that replaces the whole story.
    Writethru,
    /// A message to editors.
    Advisory,
    /// Not to be used for now.
    Withheld,
    /// Never to be used.
    Kill,
}

/// What the markup of a format said of a piece of the text. A hint: kept, not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markup {
    /// Where.
    pub span: Span,
    /// What it said.
    pub kind: MarkupKind,
}

/// Kinds of markup that the desk keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkupKind {
    /// A heading inside the story.
    Heading,
    /// An item of a list.
    ListItem,
    /// A row of a table; cells are set apart by tabs.
    TableRow,
    /// A paragraph of somebody's words (`blockquote`, `bq`).
    Quotation,
    /// A note (`note`, `fn`).
    Note,
    /// A person's name.
    Person,
    /// An organisation's name.
    Organisation,
    /// A place.
    Place,
    /// Somebody's office (`function`).
    Role,
    /// An event's name.
    Event,
    /// A date or time.
    Time,
    /// A sum of money.
    Money,
}

/// A decoded story. `text` is immutable from here on: every span points into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The provider's id, or `sha256:` and the hash of the input bytes.
    pub id: String,
    /// The format that was read.
    pub format: Format,
    /// The character set that was read, by its WHATWG name in lower case.
    pub encoding: &'static str,
    /// Length of the input in bytes.
    pub input_bytes: u64,
    /// SHA-256 of the input, lower-case hexadecimal.
    pub sha256: String,
    /// The decoded text: line ends are LF, nothing else is changed; of formats with structure,
    /// the paragraphs, one a line.
    pub text: String,
    /// The feed or the provider that it came from, where the transmission says so.
    pub source: Option<String>,
    /// Headline given outside the text.
    pub headline: Option<String>,
    /// Slugline given outside the text.
    pub slugline: Option<String>,
    /// Keyword line given outside the text.
    pub keyword: Option<String>,
    /// Category given outside the text.
    pub category: Option<String>,
    /// Urgency, 1 (flash) to 9, given outside the text.
    pub urgency: Option<u8>,
    /// Language given outside the text (BCP 47).
    pub language: Option<String>,
    /// Copyright line given outside the text.
    pub copyright: Option<String>,
    /// Embargo given outside the text (RFC 3339).
    pub embargo: Option<String>,
    /// Version given outside the text.
    pub version: Option<u32>,
    /// Byline given outside the text.
    pub byline: Option<String>,
    /// Dateline given outside the text; where the text does not repeat it, it is the text's
    /// first line.
    pub dateline: Option<String>,
    /// A message to editors given outside the text.
    pub ednote: Option<String>,
    /// A summary given outside the text.
    pub summary: Option<String>,
    /// Which part of a story in parts this is ("1st Add", "2").
    pub take: Option<String>,
    /// Words that the transmission says it holds.
    pub word_count_declared: Option<u32>,
    /// What the format's own fields say of the status.
    pub status: Option<DeclaredStatus>,
    /// What the versions of one story share, where the provider says so.
    pub lineage_key: Option<String>,
    /// What the markup said of pieces of the text, in text order.
    pub markup: Vec<Markup>,
    /// What relative dates are resolved against.
    pub reference_time: Option<ReferenceTime>,
    /// Fields that the desk has no name for, as they came.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// What decoding saw.
    pub anomalies: Vec<Anomaly>,
}

impl Story {
    /// Whether the sender set an embargo of which the time could not be read.
    pub fn has_unread_embargo(&self) -> bool {
        let unread = |anomaly: &Anomaly| matches!(anomaly.code, "embargo.unread" | "envelope.embargo");
        self.embargo.is_none() && self.anomalies.iter().any(unread)
    }

    /// A story without text or facts, for a decoder to fill.
    pub(crate) fn blank(format: Format) -> Self {
        Self {
            id: String::new(),
            format,
            encoding: "utf-8",
            input_bytes: 0,
            sha256: String::new(),
            text: String::new(),
            source: None,
            headline: None,
            slugline: None,
            keyword: None,
            category: None,
            urgency: None,
            language: None,
            copyright: None,
            embargo: None,
            version: None,
            byline: None,
            dateline: None,
            ednote: None,
            summary: None,
            take: None,
            word_count_declared: None,
            status: None,
            lineage_key: None,
            markup: Vec::new(),
            reference_time: None,
            extra: BTreeMap::new(),
            anomalies: Vec::new(),
        }
    }
}

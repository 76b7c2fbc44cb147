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
    /// The decoded text: line ends are LF, nothing else is changed.
    pub text: String,
    /// The feed that it came by, where the envelope says so.
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
    /// What relative dates are resolved against.
    pub reference_time: Option<ReferenceTime>,
    /// Fields that the desk has no name for, as they came.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// What decoding saw.
    pub anomalies: Vec<Anomaly>,
}

impl Story {
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
            reference_time: None,
            extra: BTreeMap::new(),
            anomalies: Vec::new(),
        }
    }
}

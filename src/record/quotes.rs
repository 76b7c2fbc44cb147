//! Quotations in the record: who said what, to whom, and what decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, SpanText};
pub use crate::extract::quotes::{CueKind, QuoteRule, QuoteType, Resolution, SpeakerRule};

/// A quotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quote {
    /// `q1`, `q2`, …
    pub id: String,
    /// Direct, indirect or mixed.
    #[serde(rename = "type")]
    pub kind: QuoteType,
    /// What was said, without the quotation marks.
    pub content: Vec<SpanText>,
    /// The words that report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cue: Option<Cue>,
    /// Who speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaker: Option<Speaker>,
    /// Who is spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addressee: Option<Addressee>,
    /// When, where and how it was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub circumstances: Vec<SpanText>,
    /// Editorial insertions inside the marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_said: Vec<SpanText>,
    /// The quotation that this one stands inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The content of a direct or mixed quotation as one text, without what was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_clean: Option<String>,
    /// What decided that there is a quotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<QuoteRule>,
    /// How sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

/// The words that report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cue {
    /// Auxiliaries and particle included: "has said", "pointed out".
    #[serde(flatten)]
    pub span: SpanText,
    /// The dictionary form: "say", "point out", "according to".
    pub lemma: String,
    /// What somebody does by these words.
    pub kind: CueKind,
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Speaker {
    /// The words that tell it; for a carried speaker those that told it before.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanText>,
    /// The id of the entity that speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// By what words the speaker is told.
    pub resolution: Resolution,
    /// What decided.
    pub rule: SpeakerRule,
}

/// Who is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Addressee {
    /// The words that tell it.
    #[serde(flatten)]
    pub span: SpanText,
    /// The id of the entity that is spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

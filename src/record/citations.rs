//! Citations in the record: whose authority stands behind which sentences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, SpanText};
pub use crate::extract::citations::{CitationKind, CitationRule, Via};

/// Whose authority stands behind some sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// `c1`, `c2`, …
    pub id: String,
    /// From the publisher inward: ids of entities; `anonymous:`, `body:` or `document:` and the words
    /// of the copy; as the first link `publisher`, or `publisher:` and a name, where the story has no entity for it.
    pub chain: Vec<String>,
    /// Of the last link.
    pub kind: CitationKind,
    /// On what occasion, or by what way, the words came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The id of the named event at which it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// What is told of an unnamed source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Ids of those whom an unnamed source belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    /// Indices into `sentences`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<u32>,
    /// The words that cite, where they first stand.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanText>,
    /// What decided.
    pub rule: CitationRule,
    /// How sure.
    pub confidence: Confidence,
}

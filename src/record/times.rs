//! Times in the record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SpanText;
pub use crate::extract::times::{Basis, Modifier, TimeKind};

/// An expression of time (TIMEX3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Time {
    /// `t1`, `t2`, …
    pub id: String,
    /// Where it stands.
    #[serde(flatten)]
    pub span: SpanText,
    /// `DATE`, `TIME`, `DURATION` or `SET`.
    #[serde(rename = "type")]
    pub kind: TimeKind,
    /// TIMEX3 value, resolved as far as it can be told.
    pub value: String,
    /// The value that the text alone gives, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_text_only: Option<String>,
    /// TIMEX3 `mod`.
    #[serde(rename = "mod", skip_serializing_if = "Option::is_none")]
    pub modifier: Option<Modifier>,
    /// The offset of the zone written beside a clock: `-04:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The time that it was resolved against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// What the value rests on beside its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The rule that read it.
    pub rule: String,
}

/// The date of a dateline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatelineDate {
    /// As written.
    #[serde(flatten)]
    pub span: SpanText,
    /// The id of its entry in `times`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

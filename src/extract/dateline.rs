//! First paragraphs → place, date and agency of the dateline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{story::Anomaly, text::Span};

/// How the agency mark is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgencyStyle {
    /// `/TASS/`
    Slashes,
    /// `(Reuters)`
    Parentheses,
    /// `, Kyodo -`
    Bare,
}

/// A dateline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dateline {
    /// From the place to the end of the agency mark, dash left out.
    pub span: Span,
    /// The place as written.
    pub place: Option<Span>,
    /// The date as written.
    pub date: Option<Span>,
    /// The agency without its brackets or strokes.
    pub agency: Option<Span>,
    /// How the agency mark is written.
    pub agency_style: Option<AgencyStyle>,
    /// First byte of the story proper.
    pub body_start: u32,
}

/// Looks for a dateline at the head of the first lines.
pub fn run(_text: &str, _lines: &[Span], _anomalies: &mut Vec<Anomaly>) -> Option<Dateline> {
    None
}

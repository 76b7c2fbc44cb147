//! First and last lines → update, correction, kill, embargo.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::{story::Story, text::Span};

/// What a story is in the life of its item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// The first version.
    #[default]
    Original,
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

/// The status of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The kind.
    pub kind: StatusKind,
    /// The number of the update or writethru.
    pub number: Option<u32>,
    /// The words that say so.
    pub cue: Option<Span>,
}

/// Tells the status.
pub fn run(_text: &str, _layout: &Layout, _story: &Story) -> Status {
    Status::default()
}

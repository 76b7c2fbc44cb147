//! `[inputs]`: what is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subjects::{is_name, is_subject, overlap, within};
use crate::{decode::Packages, service::turns::Lane, story::Format};

/// The inputs by name; a table, so that one key of one input can be overridden by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Inputs(pub std::collections::BTreeMap<String, Input>);

impl Default for Inputs {
    fn default() -> Self {
        Self([("main".to_owned(), Input::default())].into())
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Which subjects of the input stream it reads.
    pub subject: String,
    /// Name of its durable consumer. Workers that share the name share the work.
    pub durable: String,
    /// Where the consumer begins when it is created: a sequence of the input stream. Without it, with
    /// the first story; then nothing may stand on the output streams yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_sequence: Option<u64>,
    /// Stories that may be in the worker at once, 1 to 100000.
    pub stories_max: u32,
    /// Bytes of stories that may be in the worker at once. At least twice
    /// `limits.story_bytes_max`, and 16 KiB above the broker's `max_payload`.
    pub bytes_max: u64,
    /// Deliveries that the broker lets be open over all workers of this input; at least `stories_max`.
    pub ack_pending_max: u32,
    /// The format of its messages; left out, it is told from the content of each. A message's
    /// `Copydesk-Format` header overrules it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What becomes of packages of NewsML-G2.
    pub packages: Packages,
    /// The lane of its stories, `urgent`, `routine` or `backfill`, whatever the copy says of its urgency. A
    /// message's `Copydesk-Lane` or `Copydesk-Urgency` header overrules it. Left out, the copy's urgency decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            subject: "wire.raw.>".to_owned(),
            durable: "copydesk".to_owned(),
            start_sequence: None,
            stories_max: 512,
            bytes_max: 32 * 1024 * 1024,
            ack_pending_max: 20_000,
            format: None,
            packages: Packages::Refuse,
            lane: None,
        }
    }
}

impl Inputs {
    /// What no type can say; each finding goes to `must` with its key. `subjects` are those of the stream.
    pub(super) fn check(&self, subjects: &[String], story_bytes_max: u32, must: &mut impl FnMut(bool, &str, &str)) {
        must(!self.0.is_empty(), "inputs", "is empty");
        let read: Vec<_> = self.0.iter().map(|(name, input)| (name, &input.subject)).collect();
        for (index, (name, subject)) in read.iter().enumerate() {
            for (other, other_subject) in read.iter().skip(index + 1) {
                must(
                    !overlap(subject, other_subject),
                    &format!("inputs.{other}.subject"),
                    &format!("overlaps with that of input `{name}`: a story would be read twice"),
                );
            }
        }
        let mut durables = std::collections::BTreeSet::new();
        for (name, input) in &self.0 {
            let key = |field: &str| format!("inputs.{name}.{field}");
            must(is_name(&input.durable), &key("durable"), "is no consumer name (letters, digits, `-`, `_`)");
            must(durables.insert(&input.durable), &key("durable"), "is used by another input");
            must(is_subject(&input.subject), &key("subject"), "is no subject");
            must(
                within(&input.subject, subjects),
                &key("subject"),
                "is not among `streams.input.subjects`: nothing would ever come",
            );
            must((1..=100_000).contains(&input.stories_max), &key("stories_max"), "is not 1 to 100000");
            must(input.ack_pending_max >= input.stories_max, &key("ack_pending_max"), "is below `stories_max`");
            must(
                input.bytes_max >= 2 * u64::from(story_bytes_max),
                &key("bytes_max"),
                "is below twice `limits.story_bytes_max`",
            );
        }
    }
}

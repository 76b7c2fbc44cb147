//! `[streams]`: where stories come from, and where they go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subjects::{fill, is_name, is_subject, template_rest_is_subject, within};

/// The three streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// Whether streams and consumers that are missing are created. What exists is never changed.
    pub create_missing: bool,
    /// Copies of each stream that is created: 1, 3 or 5.
    pub replicas: u8,
    /// Where raw stories come from.
    pub input: InputStream,
    /// Where enriched records go.
    pub output: OutputStream,
    /// Where stories go that cannot be read.
    pub dead: DeadStream,
    /// Where embargoed stories wait.
    pub held: HeldStream,
    /// What workers must know of each other.
    pub state: StateBucket,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            create_missing: true,
            replicas: 1,
            input: InputStream::default(),
            output: OutputStream::default(),
            dead: DeadStream::default(),
            held: HeldStream::default(),
            state: StateBucket::default(),
        }
    }
}

/// Where raw stories come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputStream {
    /// Name of the stream.
    pub name: String,
    /// Subjects that it captures.
    pub subjects: Vec<String>,
    /// Largest message that it accepts, when the worker creates it. The broker's `max_payload` must be
    /// 64 KiB above, so that a dead letter with its reason always fits.
    pub message_bytes_max: u32,
}

impl Default for InputStream {
    fn default() -> Self {
        Self { name: "WIRE_RAW".to_owned(), subjects: vec!["wire.raw.>".to_owned()], message_bytes_max: 768 * 1024 }
    }
}

/// Where enriched records go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutputStream {
    /// Name of the stream.
    pub name: String,
    /// Subjects that it captures.
    pub subjects: Vec<String>,
    /// Subject of a record. `{agency}`, `{language}`, `{status}` and `{source}` are filled in,
    /// `unknown` where the record has none. Lies within `subjects` and outside those of the input.
    pub subject: String,
    /// How long the stream remembers message ids, and the dead-letter stream too. A story that is
    /// delivered again within it gives no second record. Above twice `delivery.ack_wait_ms`.
    pub duplicate_window_ms: u64,
}

impl Default for OutputStream {
    fn default() -> Self {
        Self {
            name: "WIRE_ENRICHED".to_owned(),
            subjects: vec!["wire.enriched.>".to_owned()],
            subject: "wire.enriched.{agency}".to_owned(),
            duplicate_window_ms: 3_600_000,
        }
    }
}

/// Where stories go that cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadStream {
    /// Name of the stream.
    pub name: String,
    /// Subjects that it captures.
    pub subjects: Vec<String>,
    /// Subject of a dead letter; `{reason}` is filled in. Lies within `subjects` and outside those of
    /// the input.
    pub subject: String,
}

impl Default for DeadStream {
    fn default() -> Self {
        Self {
            name: "WIRE_DEAD".to_owned(),
            subjects: vec!["wire.dead.>".to_owned()],
            subject: "wire.dead.{reason}".to_owned(),
        }
    }
}

/// What workers must know of each other: a key-value bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateBucket {
    /// Name of the bucket.
    pub bucket: String,
}

impl Default for StateBucket {
    fn default() -> Self {
        Self { bucket: "copydesk".to_owned() }
    }
}

/// Where embargoed stories wait, when `embargo.mode` is `hold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeldStream {
    /// Name of the stream.
    pub name: String,
    /// Subjects that it captures.
    pub subjects: Vec<String>,
    /// Subject of a story that waits; `{story}` is filled in with what its versions share.
    pub subject: String,
}

impl Default for HeldStream {
    fn default() -> Self {
        Self {
            name: "WIRE_HELD".to_owned(),
            subjects: vec!["wire.held.>".to_owned()],
            subject: "wire.held.{story}".to_owned(),
        }
    }
}

impl Streams {
    /// What no type can say; each finding goes to `must` with its key.
    pub(super) fn check(&self, is_held: bool, must: &mut impl FnMut(bool, &str, &str)) {
        must(matches!(self.replicas, 1 | 3 | 5), "streams.replicas", "is not 1, 3 or 5");
        let taken = |name: &String| is_held && *name == self.held.name;
        must(
            ![&self.input.name, &self.output.name, &self.dead.name].into_iter().any(taken),
            "streams.held.name",
            "is the name of another stream",
        );
        let names = [&self.input.name, &self.output.name, &self.dead.name, &self.held.name];
        for (name, key) in names.iter().zip(["input", "output", "dead", "held"]) {
            must(is_name(name), &format!("streams.{key}.name"), "is no stream name (letters, digits, `-`, `_`)");
        }
        must(is_name(&self.state.bucket), "streams.state.bucket", "is no bucket name (letters, digits, `-`, `_`)");
        must(
            names[0] != names[1] && names[1] != names[2] && names[0] != names[2],
            "streams",
            "gives one name to two streams",
        );
        let placeholders = ["{agency}", "{language}", "{status}", "{source}"];
        must(
            template_rest_is_subject(&self.output.subject, &placeholders),
            "streams.output.subject",
            "is no subject (known: {agency} {language} {status} {source})",
        );
        must(
            template_rest_is_subject(&self.dead.subject, &["{reason}"]),
            "streams.dead.subject",
            "is no subject (known: {reason})",
        );
        must(
            template_rest_is_subject(&self.held.subject, &["{story}"]) && self.held.subject.contains("{story}"),
            "streams.held.subject",
            "is no subject with {story} in it",
        );
        for (subjects, key) in [
            (&self.held.subjects, "streams.held.subjects"),
            (&self.input.subjects, "streams.input.subjects"),
            (&self.output.subjects, "streams.output.subjects"),
            (&self.dead.subjects, "streams.dead.subjects"),
        ] {
            must(!subjects.is_empty(), key, "is empty");
            must(subjects.iter().all(|subject| is_subject(subject)), key, "holds what is no subject");
        }
        let record = fill(&self.output.subject, &placeholders);
        let letter = fill(&self.dead.subject, &["{reason}"]);
        let held = fill(&self.held.subject, &["{story}"]);
        must(
            within(&held, &self.held.subjects),
            "streams.held.subject",
            "is not among `streams.held.subjects`: no stream would take what waits",
        );
        must(
            within(&record, &self.output.subjects),
            "streams.output.subject",
            "is not among `streams.output.subjects`: no stream would take the records",
        );
        must(
            within(&letter, &self.dead.subjects),
            "streams.dead.subject",
            "is not among `streams.dead.subjects`: no stream would take the dead letters",
        );
        for (subject, key) in
            [(&record, "streams.output.subject"), (&letter, "streams.dead.subject"), (&held, "streams.held.subject")]
        {
            must(
                !within(subject, &self.input.subjects),
                key,
                "is among `streams.input.subjects`: what comes out would go in again",
            );
        }
    }
}

//! What an operator can set: types, defaults, layers, checks.
//!
//! Layers, later ones win: built-in defaults, the file (TOML), `COPYDESK_…` environment
//! variables, `--set key=value` flags. Unknown keys are errors. The types are the single source:
//! environment variable names are derived from their
//! schema, and `config/default.toml` is kept equal to the defaults by a test. A name says its unit:
//! `_ms` milliseconds, `bytes` bytes, `kib` kibibytes.

mod inputs;
mod layers;
mod limits;
mod nats;
mod reference;
mod secret;
mod streams;
mod subjects;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::subjects::covers;
pub(super) use self::subjects::overlap;
pub use self::{
    inputs::{Input, Inputs},
    layers::{ConfigError, Key, Layers, keys},
    limits::{KeyLimits, Keys, Limits},
    nats::{Nats, Tls},
    reference::{reference, with_reference},
    secret::Secret,
    streams::{DeadStream, HeldStream, InputStream, OutputStream, StateBucket, Streams},
};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the broker is reached.
    pub nats: Nats,
    /// The three streams.
    pub streams: Streams,
    /// What is read: one entry an input, each with a durable consumer and permits of its own.
    pub inputs: Inputs,
    /// Waiting, retrying and giving back.
    pub delivery: Delivery,
    /// What is allowed: sizes and rates.
    pub limits: Limits,
    /// The versions of stories.
    pub lineage: Lineage,
    /// Stories that may not be published yet.
    pub embargo: Embargo,
    /// What the desk knows beside what is built in.
    pub desk: Desk,
    /// The CPU pool.
    pub work: Work,
    /// The running ledger.
    pub ledger: Ledger,
    /// The port for probes and metrics, and when the worker calls itself ready.
    pub http: Http,
    /// Logs.
    pub log: Log,
    /// Spans for an OpenTelemetry collector; needs a program built with the feature `otel`.
    pub trace: Trace,
}

/// The versions of stories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lineage {
    /// Whether the versions of each story are kept in the state bucket: then a record says what it
    /// supersedes, a late version says so, and what was killed is not published any more.
    pub enabled: bool,
}

impl Default for Lineage {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Stories that may not be published yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Embargo {
    /// What becomes of them.
    pub mode: EmbargoMode,
}

/// What becomes of a story under an embargo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbargoMode {
    /// Its record is published at once, with the embargo in it.
    #[default]
    Publish,
    /// It waits on a stream of its own until its time.
    Hold,
}

/// Waiting, retrying and giving back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// How long the broker waits for a sign of life before it delivers a story again; at least 1000. The
    /// worker gives one every third of it, counted from receipt.
    pub ack_wait_ms: u64,
    /// How long one request for stories stays open at the broker, 100 to 30000.
    pub pull_expires_ms: u64,
    /// Longest wait for the broker's receipt of a record, before it is sent again with the same id;
    /// at least 100.
    pub publish_timeout_ms: u64,
    /// Longest wait for the broker's confirmation of an acknowledgement; at least 100.
    pub ack_timeout_ms: u64,
    /// First pause before a retry; doubles, with jitter.
    pub retry_delay_min_ms: u64,
    /// Longest pause before a retry.
    pub retry_delay_max_ms: u64,
    /// How long the broker holds a story that a stopping worker gives back; with jitter, between half
    /// and the whole.
    pub give_back_delay_ms: u64,
    /// How long a stopping worker may take to finish what it has begun; at least 5000. One second of it
    /// is kept for closing.
    pub grace_period_ms: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            ack_wait_ms: 30_000,
            pull_expires_ms: 5_000,
            publish_timeout_ms: 5_000,
            ack_timeout_ms: 5_000,
            retry_delay_min_ms: 100,
            retry_delay_max_ms: 5_000,
            give_back_delay_ms: 500,
            grace_period_ms: 25_000,
        }
    }
}

/// What the desk knows beside what is built in. Read again at SIGHUP, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Desk {
    /// Folder with `grammar.model`, `lemma.model` and `names.model`, each in place of the one built in; an empty
    /// text takes those that are built in.
    pub models: String,
    /// Files of gazetteers and watch lists, CSV or NDJSON (docs/GAZETTEER.md); earlier ones go first.
    pub gazetteers: Vec<String>,
    /// Files of words that report speech, in the form of `data/lexicon/cue_verbs.txt`.
    pub cues: Vec<String>,
    /// Files of words for sources, in the form of `data/lexicon/sources.txt`.
    pub sources: Vec<String>,
}

/// The CPU pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Work {
    /// Threads that read stories; 0 means one a core.
    pub threads: u16,
    /// How often a story that comes again may be begun without ever ending, because the worker died,
    /// before it becomes a dead letter unread.
    pub begun_max: u32,
}

impl Default for Work {
    fn default() -> Self {
        Self { threads: 0, begun_max: 3 }
    }
}

/// The running ledger: what was done against what stands for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// How often one worker of the fleet compares what was done since the last comparison with the records,
    /// dead letters and held stories, by their headers; at least 1000, or 0 for never.
    pub check_every_ms: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { check_every_ms: 60_000 }
    }
}

/// The port for probes and metrics, and when the worker calls itself ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port (no host names) of `/livez`, `/readyz` and `/metrics`; port 0 takes a free one,
    /// an empty text turns it off.
    pub listen: String,
    /// How long the broker may be silent before the worker calls itself not ready; at least 3000.
    /// The worker asks it for an answer every second.
    pub silence_max_ms: u64,
    /// How long stories may be in the worker without one of them coming to its end, before the worker
    /// calls itself not ready; at least 1000. Waiting for a rate limit does not count.
    pub stall_max_ms: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned(), silence_max_ms: 5_000, stall_max_ms: 60_000 }
    }
}

/// Spans for an OpenTelemetry collector; needs a program built with the feature `otel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trace {
    /// Where spans are sent (OTLP over HTTP), such as `http://collector:4318/v1/traces`; an empty text
    /// sends none. `traceparent` headers are carried on either way.
    pub endpoint: String,
    /// Name of the service in the traces.
    pub service_name: String,
    /// Share of the stories that get a span, 0 to 1, where the story's own `traceparent` does not say.
    pub sample_ratio: f64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { endpoint: String::new(), service_name: "copydesk".to_owned(), sample_ratio: 1.0 }
    }
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How lines are written: `auto` (text on a terminal, JSON elsewhere), `text` or `json`.
    pub format: LogFormat,
    /// What is written, as a tracing filter: `info`, `copydesk=debug,async_nats=warn`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Subjects of the input stream that no input reads: their stories would wait for ever.
    pub fn unread_subjects(&self) -> Vec<&str> {
        let is_read = |subject: &str| self.inputs.0.values().any(|input| covers(&input.subject, subject));
        self.streams.input.subjects.iter().map(String::as_str).filter(|subject| !is_read(subject)).collect()
    }

    /// What holds when `fresh` is read while this one is in force: its `limits` and its `desk`; and the
    /// sections in which it differs otherwise, which need a restart. What holds is not checked: the
    /// limits may not go with what stays.
    pub fn reloaded(&self, fresh: &Self) -> (Self, Vec<&'static str>) {
        let Self {
            nats,
            streams,
            inputs,
            delivery,
            limits: _,
            lineage,
            embargo,
            desk: _,
            work,
            ledger,
            http,
            log,
            trace,
        } = self;
        let differs = [
            ("nats", *nats != fresh.nats),
            ("streams", *streams != fresh.streams),
            ("inputs", *inputs != fresh.inputs),
            ("delivery", *delivery != fresh.delivery),
            ("lineage", *lineage != fresh.lineage),
            ("embargo", *embargo != fresh.embargo),
            ("work", *work != fresh.work),
            ("ledger", *ledger != fresh.ledger),
            ("http", *http != fresh.http),
            ("log", *log != fresh.log),
            ("trace", *trace != fresh.trace),
        ];
        let held = Self { limits: fresh.limits.clone(), desk: fresh.desk.clone(), ..self.clone() };
        (held, differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect())
    }

    /// What no type can say: each finding names the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, key: &str, what: &str| {
            if !holds {
                wrong.push(format!("`{key}` {what}"));
            }
        };
        self.nats.check(&mut must);
        must(
            matches!(self.ledger.check_every_ms, 0 | 1_000..),
            "ledger.check_every_ms",
            "is neither 0 nor 1000 or more",
        );
        let is_held = self.embargo.mode == EmbargoMode::Hold;
        self.streams.check(is_held, &mut must);
        must(
            !is_held || self.lineage.enabled,
            "embargo.mode",
            "is `hold`, which needs `lineage.enabled`: a kill must find what it kills",
        );
        let delivery = &self.delivery;
        must(delivery.grace_period_ms >= 5_000, "delivery.grace_period_ms", "is below 5000");
        must(delivery.ack_wait_ms >= 1_000, "delivery.ack_wait_ms", "is below 1000");
        must((100..=30_000).contains(&delivery.pull_expires_ms), "delivery.pull_expires_ms", "is not 100 to 30000");
        must(delivery.publish_timeout_ms >= 100, "delivery.publish_timeout_ms", "is below 100");
        must(delivery.ack_timeout_ms >= 100, "delivery.ack_timeout_ms", "is below 100");
        must(
            (1..=delivery.retry_delay_max_ms).contains(&delivery.retry_delay_min_ms),
            "delivery.retry_delay_min_ms",
            "is not between 1 and `delivery.retry_delay_max_ms`",
        );
        must(
            self.streams.output.duplicate_window_ms > delivery.ack_wait_ms.saturating_mul(2),
            "streams.output.duplicate_window_ms",
            "is not above twice `delivery.ack_wait_ms`: a redelivered story would give a second record",
        );
        let limits = &self.limits;
        limits.check(&mut must);
        must(
            limits.story_bytes_max <= self.streams.input.message_bytes_max,
            "limits.story_bytes_max",
            "is above `streams.input.message_bytes_max`",
        );
        self.inputs.check(&self.streams.input.subjects, limits.story_bytes_max, &mut must);
        must((1..=100).contains(&self.work.begun_max), "work.begun_max", "is not 1 to 100");
        must(
            tracing_subscriber::EnvFilter::try_new(&self.log.filter).is_ok(),
            "log.filter",
            "is no tracing filter, such as info or copydesk=debug,async_nats=warn",
        );
        if !self.http.listen.is_empty() {
            must(
                self.http.listen.parse::<std::net::SocketAddr>().is_ok(),
                "http.listen",
                "is no address with a port, such as 127.0.0.1:9464",
            );
        }
        must(self.http.silence_max_ms >= 3_000, "http.silence_max_ms", "is below 3000");
        must(self.http.stall_max_ms >= 1_000, "http.stall_max_ms", "is below 1000");
        let endpoint = &self.trace.endpoint;
        must(
            endpoint.is_empty() || endpoint.starts_with("http://") || endpoint.starts_with("https://"),
            "trace.endpoint",
            "is no address, such as http://collector:4318/v1/traces",
        );
        must(
            endpoint.is_empty() || cfg!(feature = "otel"),
            "trace.endpoint",
            "needs a program built with `--features otel`",
        );
        must(!self.trace.service_name.is_empty(), "trace.service_name", "is empty");
        must((0.0..=1.0).contains(&self.trace.sample_ratio), "trace.sample_ratio", "is not 0 to 1");
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
    }

    #[test]
    fn subjects_that_nobody_reads_are_named() {
        let mut config = Config::default();
        assert!(config.unread_subjects().is_empty());
        config.inputs.0.get_mut("main").expect("main").subject = "wire.raw.fast.>".into();
        assert_eq!(config.unread_subjects(), ["wire.raw.>"]);
    }

    #[test]
    fn inputs_that_share_stories_are_refused() {
        let mut config = Config::default();
        let other = Input { subject: "wire.raw.fast.>".into(), durable: "fast".into(), ..Input::default() };
        config.inputs.0.insert("zfast".into(), other);
        assert!(config.check().join("; ").contains("`inputs.zfast.subject` overlaps"), "{:?}", config.check());
    }

    #[test]
    fn a_reload_takes_limits_and_desk_and_names_the_rest() {
        let running = Config::default();
        let mut fresh = Config::default();
        fresh.limits.story_bytes_max = 700_000;
        fresh.desk.models = "models".into();
        fresh.inputs.0.get_mut("main").expect("main").bytes_max = 99_000_000;
        fresh.log.filter = "debug".into();
        let (held, differs) = running.reloaded(&fresh);
        assert_eq!((&held.limits, &held.desk), (&fresh.limits, &fresh.desk));
        assert_eq!((&held.inputs, &held.log), (&running.inputs, &running.log));
        assert_eq!(differs, ["inputs", "log"]);
        assert_eq!(running.reloaded(&running), (running.clone(), Vec::new()));
    }

    #[test]
    fn each_rule_names_its_key() {
        let broken = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().join("; ")
        };
        let input = |change: fn(&mut Input)| move |c: &mut Config| change(c.inputs.0.get_mut("main").expect("main"));
        let cases: Vec<(String, &str)> = vec![
            (broken(&|c| c.nats.urls.clear()), "nats.urls"),
            (broken(&|c| c.nats.user = Some("u".into())), "nats.password"),
            (broken(&|c| c.streams.replicas = 2), "streams.replicas"),
            (broken(&|c| c.streams.dead.name = "WIRE_RAW".into()), "streams"),
            (broken(&|c| c.streams.input.name = "a.b".into()), "streams.input.name"),
            (broken(&|c| c.streams.state.bucket = "a.b".into()), "streams.state.bucket"),
            (broken(&|c| c.streams.output.subject = "wire.{colour}".into()), "streams.output.subject"),
            (broken(&|c| c.streams.dead.subject = "wire..x".into()), "streams.dead.subject"),
            (broken(&|c| c.delivery.ack_wait_ms = 10), "delivery.ack_wait_ms"),
            (broken(&|c| c.streams.output.duplicate_window_ms = 30_000), "streams.output.duplicate_window_ms"),
            (broken(&|c| c.nats.urls = vec!["nats://u:p@host".into()]), "nats.urls"),
            (broken(&|c| c.nats.ping_interval_ms = 0), "nats.ping_interval_ms"),
            (broken(&|c| c.delivery.grace_period_ms = 0), "delivery.grace_period_ms"),
            (broken(&|c| c.streams.dead.subjects.clear()), "streams.dead.subjects"),
            (broken(&|c| c.streams.output.subject = "elsewhere.{agency}".into()), "streams.output.subject"),
            (broken(&|c| c.streams.input.subjects = vec!["wire.>".into()]), "streams.output.subject"),
            (broken(&input(|i| i.subject = "other.>".into())), "inputs.main.subject"),
            (broken(&|c| c.log.filter = "copydesk=loud".into()), "log.filter"),
            (broken(&|c| c.limits.story_bytes_max = 0), "limits.story_bytes_max"),
            (broken(&|c| c.limits.stories_per_second = -1.0), "limits.stories_per_second"),
            (broken(&|c| c.work.begun_max = 0), "work.begun_max"),
            (broken(&|c| c.limits.fleet_share = 0.0), "limits.fleet_share"),
            (broken(&|c| c.limits.fleet_count = 0), "limits.fleet_count"),
            (
                broken(&|c| {
                    c.limits.fleet_count = 4;
                    c.limits.fleet_share = 0.25;
                }),
                "limits.fleet_count",
            ),
            (broken(&|c| c.limits.rest_every = 0), "limits.rest_every"),
            (broken(&|c| c.limits.urgent_max = 10), "limits.urgent_max"),
            (broken(&|c| c.limits.throttled_delay_ms = 1), "limits.throttled_delay_ms"),
            (broken(&|c| c.limits.each_key.stories_burst = 0), "limits.each_key.stories_burst"),
            (
                broken(&|c| {
                    let wrong = KeyLimits { kib_per_second: -1.0, ..KeyLimits::default() };
                    c.limits.keys.0.insert("a".into(), wrong);
                }),
                "limits.keys.a.kib_per_second",
            ),
            (broken(&|c| c.inputs.0.clear()), "inputs"),
            (broken(&input(|i| i.bytes_max = 1)), "inputs.main.bytes_max"),
            (broken(&input(|i| i.ack_pending_max = 1)), "inputs.main.ack_pending_max"),
            (broken(&|c| c.streams.held.subject = "wire.held".into()), "streams.held.subject"),
            (broken(&|c| c.streams.held.name = "a.b".into()), "streams.held.name"),
            (
                broken(&|c| {
                    c.embargo.mode = EmbargoMode::Hold;
                    c.lineage.enabled = false;
                }),
                "embargo.mode",
            ),
            (broken(&|c| c.http.listen = "nowhere".into()), "http.listen"),
        ];
        for (found, key) in cases {
            assert!(found.contains(&format!("`{key}`")), "expected `{key}` in {found:?}");
        }
    }
}

//! Every metric of the worker, by name, once.
//!
//! Names end in a unit, counters in `_total`; each delivery increments exactly one outcome of
//! [`STORIES`]. `docs/OPERATIONS.md` says what each means to an operator.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, Unit};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::names;

/// Deliveries by what became of them.
pub const STORIES: &str = "copydesk_stories_total";
/// Dead letters by reason.
pub const DEAD_LETTERS: &str = "copydesk_dead_letters_total";
/// Deliveries that were not the first of their story.
pub const REDELIVERIES: &str = "copydesk_redeliveries_total";
/// Stories in the worker.
pub const IN_FLIGHT_STORIES: &str = "copydesk_in_flight_stories";
/// Bytes of stories in the worker.
pub const IN_FLIGHT_BYTES: &str = "copydesk_in_flight_bytes";
/// Time a story spends in each part of the worker.
pub const STAGE_SECONDS: &str = "copydesk_stage_seconds";
/// Time from the broker's storing a story to the end of its delivery here.
pub const LAG_SECONDS: &str = "copydesk_lag_seconds";
/// Requests for stories that failed.
pub const PULL_ERRORS: &str = "copydesk_pull_errors_total";
/// Publications that had to be tried again.
pub const PUBLISH_RETRIES: &str = "copydesk_publish_retries_total";
/// 1 while the output and dead-letter streams take messages, 0 while the worker holds back.
pub const OUTPUT_OPEN: &str = "copydesk_output_open";
/// 1 while connected to the broker.
pub const CONNECTED: &str = "copydesk_broker_connected";
/// Stories of an input that no worker has been given yet.
pub const CONSUMER_PENDING: &str = "copydesk_consumer_pending_stories";
/// Stories of an input that some worker has and has not acknowledged.
pub const CONSUMER_ACK_PENDING: &str = "copydesk_consumer_ack_pending_stories";
/// Stories of an input that may be delivered and not acknowledged at once, over all workers; 0 means no limit.
pub const CONSUMER_ACK_PENDING_MAX: &str = "copydesk_consumer_ack_pending_max_stories";
/// Stories of an input that the broker has delivered more than once and that are not acknowledged.
pub const CONSUMER_REDELIVERED: &str = "copydesk_consumer_redelivered_stories";
/// Requests for stories that wait at the broker, of all workers of the input.
pub const CONSUMER_WAITING: &str = "copydesk_consumer_waiting_pulls";
/// Stories that wait in the worker for limits or for a place in the pool.
pub const QUEUE_STORIES: &str = "copydesk_queue_stories";
/// Stories that an input may have in the worker.
pub const IN_FLIGHT_STORIES_MAX: &str = "copydesk_in_flight_stories_max";
/// Bytes of stories that an input may have in the worker.
pub const IN_FLIGHT_BYTES_MAX: &str = "copydesk_in_flight_bytes_max";
/// Age of the oldest story in the worker, counted from its storing.
pub const OLDEST_STORY_SECONDS: &str = "copydesk_oldest_story_seconds";
/// Age of the oldest story of an input that is not done, wherever it is, counted from its storing.
pub const OLDEST_OPEN_STORY_SECONDS: &str = "copydesk_oldest_open_story_seconds";
/// Stories that had to wait for a limit.
pub const LIMITER_WAITS: &str = "copydesk_limiter_waits_total";
/// How long stories waited for a limit.
pub const LIMITER_WAIT_SECONDS: &str = "copydesk_limiter_wait_seconds";
/// Connections that were lost.
pub const DISCONNECTS: &str = "copydesk_broker_disconnects_total";
/// What went wrong with the broker, by kind.
pub const BROKER_ERRORS: &str = "copydesk_broker_errors_total";
/// How long the broker has not answered.
pub const BROKER_SILENCE_SECONDS: &str = "copydesk_broker_silence_seconds";
/// 1 while the worker calls itself ready.
pub const READY: &str = "copydesk_ready";
/// Threads that read stories.
pub const POOL_THREADS: &str = "copydesk_pool_threads";
/// Threads that a story does not give back.
pub const POOL_THREADS_LOST: &str = "copydesk_pool_threads_lost";
/// What this worker may let pass, its share of the fleet's quota; 0 means no limit.
pub const QUOTA_STORIES: &str = "copydesk_quota_stories_per_second";
/// The same in KiB.
pub const QUOTA_KIB: &str = "copydesk_quota_kib_per_second";
/// What this worker may let pass of the stories of one key; 0 means no limit.
pub const KEY_QUOTA_STORIES: &str = "copydesk_key_quota_stories_per_second";
/// The same in KiB.
pub const KEY_QUOTA_KIB: &str = "copydesk_key_quota_kib_per_second";
/// This worker's share of every quota.
pub const FLEET_SHARE: &str = "copydesk_fleet_share_ratio";
/// Stories that wait for their turn, by lane.
pub const LANE_WAITING: &str = "copydesk_lane_waiting_stories";
/// What the running ledger has compared in all, by verdict.
pub const LEDGER_STORIES: &str = "copydesk_ledger_stories";
/// How long ago the running ledger was last compared, by any worker.
pub const LEDGER_AGE_SECONDS: &str = "copydesk_ledger_age_seconds";
/// Always 1; the labels say which build this is.
pub const BUILD_INFO: &str = "copydesk_build_info";

/// What kind a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

/// Every metric: name, kind, labels, and what it says. The recorder's help texts, the tests of the
/// dashboard and of the alert rules, and the test of the operations guide all read this.
pub const ALL: [(&str, Kind, &[&str], &str); 38] = [
    (STORIES, Kind::Counter, &["outcome"], "Deliveries by what became of them; each counts once"),
    (DEAD_LETTERS, Kind::Counter, &["reason"], "Dead letters by reason"),
    (REDELIVERIES, Kind::Counter, &[], "Deliveries that were not the first of their story"),
    (IN_FLIGHT_STORIES, Kind::Gauge, &["input"], "Stories in the worker"),
    (IN_FLIGHT_STORIES_MAX, Kind::Gauge, &["input"], "Stories that may be in the worker"),
    (IN_FLIGHT_BYTES, Kind::Gauge, &["input"], "Bytes of stories in the worker"),
    (IN_FLIGHT_BYTES_MAX, Kind::Gauge, &["input"], "Bytes of stories that may be in the worker"),
    (QUEUE_STORIES, Kind::Gauge, &[], "Stories that wait for limits or for a place in the pool"),
    (OLDEST_STORY_SECONDS, Kind::Gauge, &["input"], "Age of the oldest story in the worker since its storing"),
    (OLDEST_OPEN_STORY_SECONDS, Kind::Gauge, &["input"], "Age of the oldest story of an input that is not done"),
    (STAGE_SECONDS, Kind::Histogram, &["stage"], "Time a story spends in each part of the worker"),
    (LAG_SECONDS, Kind::Histogram, &[], "From the storing of a story to the end of its delivery"),
    (LIMITER_WAITS, Kind::Counter, &["key"], "Stories that had to wait for a rate limit, by the limit's key"),
    (LIMITER_WAIT_SECONDS, Kind::Histogram, &["key"], "How long stories waited for a rate limit, by its key"),
    (PULL_ERRORS, Kind::Counter, &[], "Requests for stories that failed"),
    (PUBLISH_RETRIES, Kind::Counter, &[], "Publications that had to be tried again"),
    (OUTPUT_OPEN, Kind::Gauge, &[], "1 while output and dead-letter streams take messages"),
    (CONNECTED, Kind::Gauge, &[], "1 while connected to the broker"),
    (DISCONNECTS, Kind::Counter, &[], "Connections to the broker that were lost"),
    (BROKER_ERRORS, Kind::Counter, &["kind"], "What went wrong with the broker, by kind"),
    (BROKER_SILENCE_SECONDS, Kind::Gauge, &[], "How long the broker has not answered"),
    (CONSUMER_PENDING, Kind::Gauge, &["input"], "Stories of an input that no worker has been given yet"),
    (CONSUMER_ACK_PENDING, Kind::Gauge, &["input"], "Stories of an input that some worker has not acknowledged"),
    (CONSUMER_ACK_PENDING_MAX, Kind::Gauge, &["input"], "How many of those there may be at once; 0 means no limit"),
    (CONSUMER_REDELIVERED, Kind::Gauge, &["input"], "Stories delivered more than once and not acknowledged"),
    (CONSUMER_WAITING, Kind::Gauge, &["input"], "Requests for stories that wait at the broker"),
    (READY, Kind::Gauge, &[], "1 while the worker calls itself ready"),
    (POOL_THREADS, Kind::Gauge, &[], "Threads that read stories"),
    (POOL_THREADS_LOST, Kind::Gauge, &[], "Threads that a story does not give back"),
    (QUOTA_STORIES, Kind::Gauge, &[], "What this worker may let pass, in stories; 0 means no limit"),
    (QUOTA_KIB, Kind::Gauge, &[], "What this worker may let pass, in KiB; 0 means no limit"),
    (KEY_QUOTA_STORIES, Kind::Gauge, &["key"], "What this worker may let pass of a key, in stories; 0 means no limit"),
    (KEY_QUOTA_KIB, Kind::Gauge, &["key"], "What this worker may let pass of a key, in KiB; 0 means no limit"),
    (FLEET_SHARE, Kind::Gauge, &[], "This worker's share of every quota"),
    (LANE_WAITING, Kind::Gauge, &["lane"], "Stories that wait for their turn, by lane"),
    (LEDGER_STORIES, Kind::Gauge, &["verdict"], "What the running ledger has compared in all, by verdict"),
    (LEDGER_AGE_SECONDS, Kind::Gauge, &[], "How long ago the running ledger was last compared"),
    (BUILD_INFO, Kind::Gauge, &["version", "features"], "Always 1; the labels say which build this is"),
];

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Its record is stored and it is acknowledged.
    Recorded,
    /// Its record was stored by an earlier delivery, and it is acknowledged now.
    Repeated,
    /// It waits for its time on the held stream, and is acknowledged.
    Held,
    /// Its dead letter is stored and it is terminated.
    DeadLettered,
    /// It came while an earlier delivery of it was still here.
    Copy,
    /// Stored, but the broker did not confirm the acknowledgement: it will come again.
    Unconfirmed,
    /// Sent back unread, because its key has too many stories waiting here.
    Throttled,
    /// Given back unread, because the worker stops or the state bucket does not answer.
    GivenBack,
    /// Left unfinished, because the worker had to stop: it will come again.
    Left,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Recorded,
        Self::Repeated,
        Self::Held,
        Self::DeadLettered,
        Self::Copy,
        Self::Unconfirmed,
        Self::Throttled,
        Self::GivenBack,
        Self::Left,
    ];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Repeated => "repeated",
            Self::Held => "held",
            Self::DeadLettered => "dead_lettered",
            Self::Copy => "copy",
            Self::Unconfirmed => "unconfirmed",
            Self::Throttled => "throttled",
            Self::GivenBack => "given_back",
            Self::Left => "left",
        }
    }
}

/// A part of the worker that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for the limits and for a place in the pool.
    Wait,
    /// Decoding and reading.
    Read,
    /// Until the PubAck.
    Publish,
    /// Until the acknowledgement is confirmed.
    Ack,
}

/// Handles of the metrics that are touched for every story.
#[derive(Clone)]
pub struct Metrics {
    outcomes: [Counter; Outcome::ALL.len()],
    stages: [Histogram; 4],
    lag: Histogram,
    redeliveries: Counter,
    pull_errors: Counter,
    publish_retries: Counter,
    output_open: Gauge,
    queue: Gauge,
}

impl Metrics {
    /// Registers everything with the installed recorder, or with none.
    pub fn new() -> Self {
        describe();
        let features = if cfg!(feature = "otel") { "otel" } else { "" };
        let labels = [("version", names::EXTRACTOR_VERSION), ("features", features)];
        metrics::gauge!(BUILD_INFO, &labels).set(1);
        register();
        let output_open = metrics::gauge!(OUTPUT_OPEN);
        output_open.set(1);
        Self {
            outcomes: Outcome::ALL.map(|outcome| metrics::counter!(STORIES, "outcome" => outcome.label())),
            stages: ["wait", "read", "publish", "ack"]
                .map(|stage| metrics::histogram!(STAGE_SECONDS, "stage" => stage)),
            lag: metrics::histogram!(LAG_SECONDS),
            redeliveries: metrics::counter!(REDELIVERIES),
            pull_errors: metrics::counter!(PULL_ERRORS),
            publish_retries: metrics::counter!(PUBLISH_RETRIES),
            output_open,
            queue: metrics::gauge!(QUEUE_STORIES),
        }
    }

    /// A story begins to wait for limits and the pool; it has ended waiting when the guard is dropped.
    pub fn queued(&self) -> Queued {
        self.queue.increment(1);
        Queued(self.queue.clone())
    }

    /// Counts what became of a delivery.
    pub fn ended(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].increment(1);
    }

    /// Notes how long a stage took.
    pub fn took(&self, stage: Stage, time: Duration) {
        self.stages[stage as usize].record(time);
    }

    /// Notes how long after its storing a story was done.
    pub fn lagged(&self, seconds: f64) {
        self.lag.record(seconds.max(0.0));
    }

    /// Counts a delivery that was not the first.
    pub fn redelivered(&self) {
        self.redeliveries.increment(1);
    }

    /// Counts a failed request for stories.
    pub fn pull_failed(&self) {
        self.pull_errors.increment(1);
    }

    /// Counts a publication that has to be tried again.
    pub fn publish_retried(&self) {
        self.publish_retries.increment(1);
    }

    /// Tells whether the gate is open.
    pub fn output_open(&self, open: bool) {
        self.output_open.set(f64::from(u8::from(open)));
    }
}

/// One story that waits for limits and the pool.
pub struct Queued(Gauge);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Counts a dead letter.
pub fn dead_letter(reason: &'static str) {
    metrics::counter!(DEAD_LETTERS, "reason" => reason).increment(1);
}

/// Tells how full one input is.
pub fn in_flight(input: &str, stories: usize, bytes: usize) {
    metrics::gauge!(IN_FLIGHT_STORIES, "input" => input.to_owned()).set(stories as f64);
    metrics::gauge!(IN_FLIGHT_BYTES, "input" => input.to_owned()).set(bytes as f64);
}

/// Tells how old the oldest story of one input is that is in the worker; 0 when there is none.
pub fn oldest(input: &str, seconds: f64) {
    metrics::gauge!(OLDEST_STORY_SECONDS, "input" => input.to_owned()).set(seconds.max(0.0));
}

/// Tells how old the oldest story of one input is that is not done; 0 when all are.
pub fn oldest_open(input: &str, seconds: f64) {
    metrics::gauge!(OLDEST_OPEN_STORY_SECONDS, "input" => input.to_owned()).set(seconds.max(0.0));
}

/// Tells how much one input may have in the worker.
pub fn permits(input: &str, stories: u32, bytes: u64) {
    metrics::gauge!(IN_FLIGHT_STORIES_MAX, "input" => input.to_owned()).set(stories);
    metrics::gauge!(IN_FLIGHT_BYTES_MAX, "input" => input.to_owned()).set(bytes as f64);
}

/// What the broker says of one input's consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// Not delivered to anybody yet.
    pub pending: u64,
    /// Delivered and not acknowledged.
    pub ack_pending: usize,
    /// How many of those there may be; 0 when there is no limit.
    pub ack_pending_max: u64,
    /// Of these, delivered more than once.
    pub redelivered: usize,
    /// Requests that wait.
    pub waiting: usize,
}

/// Tells how much waits at the broker for one input.
pub fn consumer(input: &str, consumer: Consumer) {
    let gauge = |name, value: f64| metrics::gauge!(name, "input" => input.to_owned()).set(value);
    gauge(CONSUMER_PENDING, consumer.pending as f64);
    gauge(CONSUMER_ACK_PENDING, consumer.ack_pending as f64);
    gauge(CONSUMER_ACK_PENDING_MAX, consumer.ack_pending_max as f64);
    gauge(CONSUMER_REDELIVERED, consumer.redelivered as f64);
    gauge(CONSUMER_WAITING, consumer.waiting as f64);
}

/// What the running ledger has found since it was begun, over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sums {
    /// Compared.
    pub checked: u64,
    /// Passed over.
    pub skipped: u64,
    /// Done, and nothing stands for them.
    pub unaccounted: u64,
    /// Came out more than once.
    pub duplicated: u64,
    /// Messages that stand for no story.
    pub unexpected: u64,
    /// Gone from the input stream, and nothing stands for them.
    #[serde(default)]
    pub deleted: u64,
}

/// Tells what the running ledger has found, and how long ago.
pub fn ledger(sums: Sums, age: Duration) {
    for (verdict, count) in [
        ("checked", sums.checked),
        ("skipped", sums.skipped),
        ("unaccounted", sums.unaccounted),
        ("duplicated", sums.duplicated),
        ("unexpected", sums.unexpected),
        ("deleted", sums.deleted),
    ] {
        metrics::gauge!(LEDGER_STORIES, "verdict" => verdict).set(count as f64);
    }
    metrics::gauge!(LEDGER_AGE_SECONDS).set(age.as_secs_f64());
}

/// Notes that a story waited for the limit of this key.
pub fn limited(key: &str, time: Duration) {
    metrics::counter!(LIMITER_WAITS, "key" => key.to_owned()).increment(1);
    metrics::histogram!(LIMITER_WAIT_SECONDS, "key" => key.to_owned()).record(time);
}

/// Tells this worker's share of the quotas.
pub fn quotas(stories_per_second: f64, kib_per_second: f64, share: f64) {
    metrics::gauge!(QUOTA_STORIES).set(stories_per_second);
    metrics::gauge!(QUOTA_KIB).set(kib_per_second);
    metrics::gauge!(FLEET_SHARE).set(share);
}

/// Keys that have gauges of their own. A gauge stands as long as the process.
static KEYS_TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Tells what the keys may let pass, in stories and KiB a second: those that the configuration names, and each
/// other (`*`). A key that it names no longer is one of the others.
pub fn key_quotas<'a>(named: impl Iterator<Item = (&'a str, f64, f64)>, other: (&str, f64, f64)) {
    let tell = |key: &str, stories: f64, kib: f64| {
        metrics::gauge!(KEY_QUOTA_STORIES, "key" => key.to_owned()).set(stories);
        metrics::gauge!(KEY_QUOTA_KIB, "key" => key.to_owned()).set(kib);
    };
    let (label, stories, kib) = other;
    tell(label, stories, kib);
    let mut told = KEYS_TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.iter().for_each(|key| tell(key, stories, kib));
    for (key, stories, kib) in named {
        tell(key, stories, kib);
        told.insert(key.to_owned());
    }
}

/// Tells how many stories wait in a lane.
pub fn lane_waiting(lane: &'static str, stories: usize) {
    metrics::gauge!(LANE_WAITING, "lane" => lane).set(stories as f64);
}

/// Tells whether the broker is connected.
pub fn connected(up: bool) {
    metrics::gauge!(CONNECTED).set(f64::from(u8::from(up)));
}

/// Counts a connection that was lost.
pub fn disconnected() {
    metrics::counter!(DISCONNECTS).increment(1);
}

/// Counts a trouble with the broker.
pub fn broker_error(kind: &'static str) {
    metrics::counter!(BROKER_ERRORS, "kind" => kind).increment(1);
}

/// Tells how the worker is: ready or not, how long the broker is silent, threads in all and lost.
pub fn condition(is_ready: bool, silence: Duration, threads: usize, lost: usize) {
    metrics::gauge!(READY).set(f64::from(u8::from(is_ready)));
    metrics::gauge!(BROKER_SILENCE_SECONDS).set(silence.as_secs_f64());
    metrics::gauge!(POOL_THREADS).set(threads as f64);
    metrics::gauge!(POOL_THREADS_LOST).set(lost as f64);
}

fn describe() {
    for (name, kind, _, what) in ALL {
        let unit = if name.contains("_seconds") {
            Unit::Seconds
        } else if name.contains("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, what),
            Kind::Gauge => metrics::describe_gauge!(name, unit, what),
            Kind::Histogram => metrics::describe_histogram!(name, unit, what),
        }
    }
}

/// Counters that have no label, or few values of it, stand at 0 from the start: an alert on a rate
/// sees the first increment.
fn register() {
    for (name, kind, labels, _) in ALL {
        if kind == Kind::Counter && labels.is_empty() {
            metrics::counter!(name).absolute(0);
        }
    }
    for kind in ["login", "permission", "certificate", "slow_consumer", "unreachable", "other"] {
        metrics::counter!(BROKER_ERRORS, "kind" => kind).absolute(0);
    }
}

/// Upper bounds of the stage histograms, in seconds: 100 µs to 30 s.
const STAGE_BOUNDS: [f64; 12] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Upper bounds of the lag histogram, in seconds: 10 ms to a day.
const LAG_BOUNDS: [f64; 12] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];

/// Installs the recorder of this process.
///
/// # Errors
/// Another recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(STAGE_SECONDS.to_owned()), &STAGE_BOUNDS)?
        .set_buckets_for_metric(Matcher::Full(LIMITER_WAIT_SECONDS.to_owned()), &STAGE_BOUNDS)?
        .set_buckets_for_metric(Matcher::Full(LAG_SECONDS.to_owned()), &LAG_BOUNDS)?
        .install_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_count() {
        let mut seen = std::collections::BTreeSet::new();
        for (name, kind, _, what) in ALL {
            assert!(name.starts_with("copydesk_") && !what.is_empty(), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(seen.insert(name), "{name} stands there twice");
            if kind == Kind::Histogram {
                assert!(name.ends_with("_seconds"), "{name} has no unit");
            }
        }
    }

    #[test]
    fn the_operations_guide_explains_every_metric_and_no_other() {
        let guide = include_str!("../../docs/OPERATIONS.md");
        for (name, _, labels, _) in ALL {
            let written =
                if labels.is_empty() { format!("`{name}`") } else { format!("`{name}{{{}}}`", labels.join(",")) };
            assert!(guide.contains(&written), "{written} is not explained in docs/OPERATIONS.md");
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        for (at, _) in guide.match_indices("`copydesk_") {
            let rest = crate::text::from(guide, at + 1);
            let name = crate::text::until(rest, rest.find(|c: char| !is_name(c)).unwrap_or(rest.len()));
            assert!(
                ALL.iter().any(|(known, ..)| *known == name),
                "docs/OPERATIONS.md knows `{name}`, the worker does not"
            );
        }
    }

    #[test]
    fn every_outcome_has_its_own_place_and_label() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        let labels: std::collections::BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.label()).collect();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }
}

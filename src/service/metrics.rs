//! Every metric of the worker, by name, once.
//!
//! Names end in a unit, counters in `_total`; each delivery increments exactly one outcome of
//! [`STORIES`]. `docs/OPERATIONS.md` says what each means to an operator.

use std::time::Duration;

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
/// Always 1; the labels say which build this is.
pub const BUILD_INFO: &str = "copydesk_build_info";

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
    /// Given back unread, because the worker stops.
    GivenBack,
    /// Left unfinished, because the worker had to stop: it will come again.
    Left,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Recorded,
        Self::Repeated,
        Self::Held,
        Self::DeadLettered,
        Self::Copy,
        Self::Unconfirmed,
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
}

impl Metrics {
    /// Registers everything with the installed recorder, or with none.
    pub fn new() -> Self {
        describe();
        metrics::gauge!(BUILD_INFO, "version" => names::EXTRACTOR_VERSION).set(1);
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
        }
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

/// Tells how much waits at the broker for one input.
pub fn consumer(input: &str, pending: u64, ack_pending: usize) {
    metrics::gauge!(CONSUMER_PENDING, "input" => input.to_owned()).set(pending as f64);
    metrics::gauge!(CONSUMER_ACK_PENDING, "input" => input.to_owned()).set(ack_pending as f64);
}

/// Tells whether the broker is connected.
pub fn connected(up: bool) {
    metrics::gauge!(CONNECTED).set(f64::from(u8::from(up)));
}

fn describe() {
    metrics::describe_counter!(STORIES, "Deliveries by what became of them; each counts once");
    metrics::describe_counter!(DEAD_LETTERS, "Dead letters by reason");
    metrics::describe_counter!(REDELIVERIES, "Deliveries that were not the first of their story");
    metrics::describe_gauge!(IN_FLIGHT_STORIES, "Stories in the worker");
    metrics::describe_gauge!(IN_FLIGHT_BYTES, Unit::Bytes, "Bytes of stories in the worker");
    metrics::describe_histogram!(STAGE_SECONDS, Unit::Seconds, "Time a story spends in each part of the worker");
    metrics::describe_histogram!(LAG_SECONDS, Unit::Seconds, "From the storing of a story to the end of its delivery");
    metrics::describe_counter!(PULL_ERRORS, "Requests for stories that failed");
    metrics::describe_counter!(PUBLISH_RETRIES, "Publications that had to be tried again");
    metrics::describe_gauge!(OUTPUT_OPEN, "1 while output and dead-letter streams take messages");
    metrics::describe_gauge!(CONNECTED, "1 while connected to the broker");
    metrics::describe_gauge!(CONSUMER_PENDING, "Stories of an input that no worker has been given yet");
    metrics::describe_gauge!(CONSUMER_ACK_PENDING, "Stories of an input that some worker has not acknowledged");
    metrics::describe_gauge!(BUILD_INFO, "Always 1; the labels say which build this is");
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
        .set_buckets_for_metric(Matcher::Full(LAG_SECONDS.to_owned()), &LAG_BOUNDS)?
        .install_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_place_and_label() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        let labels: std::collections::BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.label()).collect();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }
}

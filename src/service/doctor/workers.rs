//! The workers: how many there are, whether one is ready, how long stories take.

use std::{ops::ControlFlow, time::Duration};

use super::{Finding, Outside, Severity};
use crate::service::{
    broker::Broker,
    config::Config,
    mend::Step,
    names,
    reading::{Depth, ReadError, Start, each, look},
};

/// Records whose times are looked at when no worker tells how long it takes.
const RECORDS_LOOKED_AT: u64 = 1_000;
/// Stories below which a worker's histogram says nothing.
const STORIES_MIN: u64 = 20;

/// How many workers there are, and how that is known.
pub(super) fn count(config: &Config, outside: &Outside) -> (u64, &'static str) {
    if let Some(workers) = outside.workers {
        return (workers, "as told");
    }
    let connections = outside.connz.as_ref().and_then(|connz| connz["connections"].as_array());
    let named = connections.map(|all| all.iter().filter(|one| one["name"] == config.nats.client_name.as_str()).count());
    match named {
        Some(count) if count > 0 => (count as u64, "by the server's connections"),
        // They may be connected to another server of the cluster.
        _ => (1, "taken for one; --workers says how many"),
    }
}

/// What a worker says of itself.
pub(super) fn ready(is_ready: bool, words: &str, config: &Config) -> Finding {
    let words = words.trim().to_owned();
    if is_ready {
        return Finding::well("worker", "/readyz", words);
    }
    let why = "a worker that is not ready asks for no stories, or ends none";
    let step = step_for(&words, config);
    let log = Step::run("journalctl -u copydesk -n 50   # each obstacle: docs/OPERATIONS.md, Probes");
    Finding::bad(Severity::Failure, "worker", "/readyz", words, why, [step, log])
}

/// The step for the obstacle that hides the others.
fn step_for(words: &str, config: &Config) -> Step {
    let streams = &config.streams;
    let durables: Vec<&str> = config.inputs.0.values().map(|input| input.durable.as_str()).collect();
    let steps = [
        ("no answer from", Step::start_worker()),
        ("the broker is not connected", Step::run(format!("nats rtt --server {}", config.nats.urls.join(",")))),
        ("the broker has not answered", Step::run(format!("nats stream info {}", streams.input.name))),
        ("not checked yet", Step::run("copydesk doctor --ignore worker   # what the worker waits for")),
        (
            "does not take messages",
            Step::run(format!(
                "nats stream info {} && nats stream info {}   # full, missing or without a leader",
                streams.output.name, streams.dead.name
            )),
        ),
        (
            "cannot be read",
            Step::run(format!(
                "nats consumer info {} {}   # a worker makes one that has gone anew from its checkpoint",
                streams.input.name,
                durables.first().copied().unwrap_or_default()
            )),
        ),
        (
            "every thread of the pool is lost",
            Step::run("systemctl restart copydesk   # keep: copydesk dead list --reason read.deadline"),
        ),
        ("no story has come to its end", Step::run("systemctl restart copydesk   # keep its log")),
    ];
    let found = steps.into_iter().find(|(obstacle, _)| words.contains(obstacle));
    found.map_or_else(|| Step::run("copydesk health"), |(_, step)| step)
}

/// How long stories take, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
    pub(super) p99: Duration,
    pub(super) count: u64,
    pub(super) is_measured: bool,
}

/// By a worker's own histograms: the sum of what 99 of 100 stories stay below in each of its parts.
pub(super) fn measured(metrics: &str) -> Option<Took> {
    let mut p99 = 0.0;
    let mut count = u64::MAX;
    for stage in ["wait", "read", "publish", "ack"] {
        let prefix = format!("copydesk_stage_seconds_bucket{{stage=\"{stage}\",le=\"");
        let buckets: Vec<(f64, f64)> = metrics
            .lines()
            .filter_map(|line| {
                let (bound, value) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
                Some((bound, value.trim().parse().ok()?))
            })
            .collect();
        let all = buckets.last().map(|(_, all)| *all)?;
        count = count.min(all as u64);
        p99 += buckets.iter().find(|(_, below)| *below >= all * 0.99).map(|(bound, _)| *bound)?;
    }
    let p99 = Duration::try_from_secs_f64(p99).unwrap_or(Duration::MAX);
    (count >= STORIES_MIN).then_some(Took { p99, count, is_measured: true })
}

/// By the times on the newest records: from the storing of the story to that of its record.
pub(super) async fn stamped(broker: &Broker, config: &Config) -> Result<Option<Took>, ReadError> {
    let name = &config.streams.output.name;
    let last = match look(&broker.jetstream, name).await {
        Ok(info) => info.state.last_sequence,
        Err(ReadError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut took = Vec::new();
    let start = Start::Sequence((last + 1).saturating_sub(RECORDS_LOOKED_AT));
    each(&broker.jetstream, name, start, None, Depth::Headers, |seen| {
        if let Some((origin, _)) = names::read_origin(&seen.headers) {
            took.push(u64::try_from(seen.stored_ns.saturating_sub(origin.stored_ns)).unwrap_or(0));
        }
        ControlFlow::Continue(())
    })
    .await?;
    took.sort_unstable();
    let p99 = took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied();
    Ok(p99.map(|p99| Took { p99: Duration::from_nanos(p99), count: took.len() as u64, is_measured: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_measured_is_read_from_its_metrics() {
        let stage = |stage: &str, counts: [u32; 3]| {
            let line = |bound: &str, count| {
                format!("copydesk_stage_seconds_bucket{{stage=\"{stage}\",le=\"{bound}\"}} {count}\n")
            };
            line("0.1", counts[0]) + &line("10", counts[1]) + &line("+Inf", counts[2])
        };
        let fast = [99, 100, 100];
        let text = ["wait", "read", "publish", "ack"].map(|name| stage(name, fast)).concat();
        let took = measured(&text).expect("enough stories");
        assert_eq!((took.p99, took.count), (Duration::from_millis(400), 100));
        let slow = text.replace(&stage("read", fast), &stage("read", [50, 100, 100]));
        assert_eq!(measured(&slow).map(|took| took.p99), Some(Duration::from_millis(10_300)));
        let stuck = text.replace(&stage("read", fast), &stage("read", [50, 50, 100]));
        assert_eq!(measured(&stuck).map(|took| took.p99), Some(Duration::MAX));
        assert_eq!(measured(&["wait", "read", "publish", "ack"].map(|name| stage(name, [1, 1, 1])).concat()), None);
        assert_eq!(measured("copydesk_ready 1\n"), None);
    }

    #[test]
    fn workers_are_counted_by_name_or_as_told() {
        let config = Config::default();
        let connz = serde_json::json!({"connections": [{"name": "copydesk"}, {"name": "x"}, {"name": "copydesk"}, {}]});
        let outside = Outside { connz: Some(connz), ..Outside::default() };
        assert_eq!(count(&config, &outside).0, 2);
        assert_eq!(count(&config, &Outside { workers: Some(7), ..outside }), (7, "as told"));
        assert_eq!(count(&config, &Outside::default()).0, 1);
    }

    #[test]
    fn every_obstacle_has_a_step_of_its_own() {
        let config = Config::default();
        let step = |words: &str| ready(false, words, &config).mend[0].run.clone();
        for (words, command) in [
            ("no answer from 127.0.0.1:1", "systemctl start copydesk"),
            ("the broker is not connected\nlast trouble with the broker: refused", "nats rtt --server nats://"),
            ("the broker has not answered for 7 s", "nats stream info WIRE_RAW"),
            ("the output or dead-letter stream does not take messages", "nats stream info WIRE_ENRICHED"),
            ("input main cannot be read: Consumer Deleted", "nats consumer info WIRE_RAW copydesk"),
            ("every thread of the pool is lost to a story that does not end", "systemctl restart copydesk"),
            ("something new", "copydesk health"),
        ] {
            assert!(step(words).starts_with(command), "{words}: {}", step(words));
        }
        assert_eq!(ready(true, "ready\n", &config).severity, Severity::Well);
    }
}

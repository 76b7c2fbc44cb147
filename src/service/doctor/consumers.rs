//! The consumers of the inputs: what they let open, who asks, what comes again, how long they wait, where they stand.

use std::time::Duration;

use async_nats::jetstream::consumer;

use super::{Finding, Severity, seconds, workers::Took};
use crate::service::{
    config::{Config, Input},
    mend::Step,
    reading::Seen,
};

/// `max_ack_pending` against what is open, and against the permits of all workers.
pub(super) fn permits(
    name: &str,
    input: &Input,
    stream: &str,
    info: &consumer::Info,
    (workers, known): (u64, &str),
) -> Finding {
    let durable = &input.durable;
    let setting = format!("consumer {durable}: max_ack_pending");
    let allowed = u64::try_from(info.config.max_ack_pending).unwrap_or(u64::MAX);
    let open = info.num_ack_pending as u64;
    let needed = workers * u64::from(input.stories_max);
    let raise = |to: u64| {
        [
            Step::run(format!("nats consumer edit {stream} {durable} --max-pending={to}")),
            Step::configure(format!("inputs.{name}.ack_pending_max = {to}")),
        ]
    };
    if allowed != u64::MAX && open * 10 >= allowed * 9 {
        let is = format!("{open} of {allowed} deliveries are open");
        let why = "at its maximum the consumer gives nobody anything more";
        Finding::bad(Severity::Failure, "ack_pending", &setting, is, why, raise(allowed.saturating_mul(2)))
    } else if allowed < needed {
        let is = format!("{allowed}, and {workers} workers ({known}) have room for {needed} stories");
        let why = "workers stand idle though they have room";
        Finding::bad(Severity::Warning, "ack_pending", &setting, is, why, raise(needed * 2))
    } else {
        let allowed = if allowed == u64::MAX { "no limit".to_owned() } else { allowed.to_string() };
        let is = format!("{allowed} for {needed} permits of {workers} workers ({known}), {open} open");
        Finding::well("ack_pending", &setting, is)
    }
}

/// Whether anybody asks for stories.
pub(super) fn pulls(durable: &str, info: &consumer::Info) -> Finding {
    let setting = format!("consumer {durable}: waiting pulls");
    let (asked, waiting, open) = (info.num_waiting, info.num_pending, info.num_ack_pending);
    let is = format!("{asked} requests wait; {waiting} stories wait, {open} are open");
    let start = [Step::start_worker(), Step::run("copydesk health   # if one runs: what keeps it from asking")];
    match (asked, waiting, open) {
        (0, 1.., 0) => {
            let why = "stories wait and nobody asks for them";
            Finding::bad(Severity::Failure, "waiting_pulls", &setting, is, why, start)
        }
        (0, _, 0) => {
            let why = "the next story would find nobody";
            Finding::bad(Severity::Warning, "waiting_pulls", &setting, is, why, start)
        }
        _ => Finding::well("waiting_pulls", &setting, is),
    }
}

/// Open stories that came more than once.
pub(super) fn redelivered(durable: &str, info: &consumer::Info, open: Option<&Seen>) -> Option<Finding> {
    let is = format!("{} open stories were delivered more than once", info.num_redelivered);
    let why = "a worker died over them, lost its connection, or could not give signs of life";
    let log = Step::run("journalctl -u copydesk -p warning --since -1h   # who died, or lost the broker");
    let setting = format!("consumer {durable}: redelivered");
    let oldest = open.map_or_else(
        || Step::run("copydesk audit"),
        |seen| Step::run(format!("copydesk audit --id {}   # the oldest open one", seen.sequence)),
    );
    (info.num_redelivered > 0).then(|| Finding::bad(Severity::Note, "redelivered", &setting, is, why, [oldest, log]))
}

/// `ack_wait` against what stories take.
pub(super) fn ack_wait(stream: &str, durable: &str, ack_wait: Duration, took: Option<Took>) -> Finding {
    let setting = format!("consumer {durable}: ack_wait");
    let Some(Took { p99, count, is_measured }) = took else {
        let is = format!("{} s; no story has been seen to compare with", ack_wait.as_secs_f64());
        return Finding::well("ack_wait", &setting, is);
    };
    let how = match is_measured {
        true => format!("a worker took at most {} for 99 of 100 of {count} stories", seconds(p99)),
        false => format!(
            "99 of 100 of the newest {count} records came within {} of their story, waiting at the broker included",
            seconds(p99)
        ),
    };
    let is = format!("{} s; {how}", ack_wait.as_secs_f64());
    if p99 <= ack_wait / 2 {
        return Finding::well("ack_wait", &setting, is);
    }
    // Waiting at the broker does not count against ack_wait: by time stamps alone nothing is proven.
    let severity = if is_measured { Severity::Warning } else { Severity::Note };
    let why = "only signs of life keep the stories from being delivered again; one pause of a worker and they are";
    let wanted = u64::try_from(p99.saturating_mul(4).as_millis()).unwrap_or(u64::MAX).clamp(1_000, 600_000);
    let mend = [
        Step::run(format!("nats consumer edit {stream} {durable} --wait={wanted}ms")),
        Step::configure(format!("delivery.ack_wait_ms = {wanted}")),
    ];
    Finding::bad(severity, "ack_wait", &setting, is, why, mend)
}

/// Whether its place is noted in the state bucket.
pub(super) fn checkpoint(durable: &str, info: &consumer::Info, is_noted: bool, config: &Config) -> Option<Finding> {
    if is_noted || info.ack_floor.stream_sequence == 0 {
        return None;
    }
    let bucket = &config.streams.state.bucket;
    let why = "a consumer that is deleted then has to be made anew by hand";
    let mend = [
        Step::run("systemctl restart copydesk   # a worker notes it every two seconds"),
        Step::run(format!(
            "nats kv get {bucket} floor.{durable}   # still nothing: look for `cannot note` in the worker's log"
        )),
    ];
    let setting = format!("{bucket}: floor.{durable}");
    let is = format!("the place of consumer {durable} is noted nowhere");
    Some(Finding::bad(Severity::Warning, "checkpoint", &setting, is, why, mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ack_wait_is_judged_by_what_is_proven() {
        let judge = |seconds, is_measured| {
            let took = Took { p99: Duration::from_secs(seconds), count: 100, is_measured };
            ack_wait("S", "c", Duration::from_secs(30), Some(took))
        };
        assert_eq!(judge(15, true).severity, Severity::Well);
        let bad = judge(16, true);
        assert_eq!(bad.severity, Severity::Warning);
        assert_eq!(bad.mend[0].run, "nats consumer edit S c --wait=64000ms");
        assert_eq!(bad.mend[1].edit.as_ref().map(|edit| edit.line.as_str()), Some("delivery.ack_wait_ms = 64000"));
        assert_eq!(judge(400, false).severity, Severity::Note, "it may have waited at the broker");
        assert_eq!(ack_wait("S", "c", Duration::from_secs(30), None).severity, Severity::Well);
    }
}

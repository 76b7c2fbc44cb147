//! The streams: what differs, what nobody reads, how full they are, their copies, how long they keep what.

use std::time::Duration;

use async_nats::jetstream::stream;

use super::{CONSUMERS_MAX, Finding, Severity, seconds};
use crate::service::{
    config::Config,
    mend::Step,
    topology::{Difference, quoted},
};

/// An outage of the fleet that a duplicate window should cover.
const OUTAGE: Duration = Duration::from_mins(10);

pub(super) fn difference(difference: Difference) -> Finding {
    let (severity, why) = match difference.breaks_the_promise {
        true => (Severity::Failure, "the promise cannot be kept with it: a worker refuses to start"),
        false => (Severity::Warning, "it is not as the configuration says; a worker warns of it at its start"),
    };
    Finding::bad(severity, "topology", &difference.object, difference.what, why, [difference.mend])
}

/// Subjects of the input stream that no input reads.
pub(super) fn unread(config: &Config) -> Vec<Finding> {
    let stream = &config.streams.input.name;
    let finding = |subject: &str| {
        let is = format!("no input reads all of {subject}");
        let setting = format!("{stream}: subjects");
        let why = "stories on the rest of it wait for ever";
        let mend = match config.inputs.0.iter().next() {
            // One input can read everything; several would overlap.
            Some((name, input)) if config.inputs.0.len() == 1 && config.streams.input.subjects.len() == 1 => [
                Step::configure(format!("inputs.{name}.subject = \"{subject}\"")),
                Step::run(format!("nats consumer edit {stream} {} --filter='{subject}'", input.durable)),
            ],
            _ => {
                let read = config.inputs.0.values().map(|input| &input.subject);
                let list: Vec<String> = read.clone().map(|subject| format!("\"{subject}\"")).collect();
                [
                    Step::configure(format!("streams.input.subjects = [{}]", list.join(", "))),
                    Step::run(format!("nats stream edit {stream} --subjects={}   # or one more input", quoted(read))),
                ]
            }
        };
        Finding::bad(Severity::Warning, "unread", &setting, is, why, mend)
    };
    config.unread_subjects().into_iter().map(finding).collect()
}

/// How full a stream is.
pub(super) fn room(info: &stream::Info) -> Option<Finding> {
    let name = &info.config.name;
    let share = |used: u64, of: i64| if of > 0 { used as f64 / of as f64 } else { 0.0 };
    let messages = share(info.state.messages, info.config.max_messages);
    let bytes = share(info.state.bytes, info.config.max_bytes);
    let (share, what, flag, limit) = match messages > bytes {
        true => (messages, "messages", "--max-msgs", info.config.max_messages),
        false => (bytes, "bytes", "--max-bytes", info.config.max_bytes),
    };
    let severity = match share {
        0.95.. => Severity::Failure,
        0.8.. => Severity::Warning,
        _ => return None,
    };
    let why = "a full stream takes nothing: publishers are refused, or the workers hold everything";
    let mend = [Step::run(format!(
        "nats stream edit {name} {flag}={}   # or nats stream purge {name} --keep=N, of what is consumed",
        limit.saturating_mul(2)
    ))];
    let is = format!("{:.0} % of its {limit} {what} are used", share * 100.0);
    Some(Finding::bad(severity, "room", &format!("{name}: {flag}"), is, why, mend))
}

/// Copies that are behind or away.
pub(super) fn copies(info: &stream::Info) -> Vec<Finding> {
    let mut found = Vec::new();
    let (name, replicas) = (&info.config.name, info.config.num_replicas);
    let Some(cluster) = info.cluster.as_ref().filter(|_| replicas > 1) else { return found };
    let setting = format!("{name}: replicas");
    if cluster.leader.as_deref().unwrap_or_default().is_empty() {
        let why = "without a leader it takes and gives nothing";
        let mend = [Step::run("systemctl start nats-server   # on each machine where it does not run")];
        found.push(Finding::bad(Severity::Failure, "replicas", &setting, "it has no leader".to_owned(), why, mend));
    }
    for peer in cluster.replicas.iter().filter(|peer| peer.offline || !peer.current) {
        let (state, mend) = match peer.offline {
            true => ("is offline", Step::run(format!("systemctl start nats-server   # on {}", peer.name))),
            false => (
                "is behind",
                Step::run(format!(
                    "nats stream info {name}   # if it stays so: nats stream cluster peer-remove {name} {}",
                    peer.name
                )),
            ),
        };
        let is = format!("{} {state}, by {} operations", peer.name, peer.lag.unwrap_or(0));
        let why = "the next server that fails may take the stream's majority or its newest messages with it";
        found.push(Finding::bad(Severity::Warning, "replicas", &setting, is, why, [mend]));
    }
    if found.is_empty() {
        found.push(Finding::well("replicas", &setting, format!("{replicas} copies, all current")));
    }
    found
}

/// Dead letters that wait for somebody.
pub(super) fn letters(info: &stream::Info) -> Option<Finding> {
    let is = format!("{} wait", info.state.messages);
    let why = "they are stories that nobody has read";
    let mend = [Step::run("copydesk dead list   # then dead show, dead replay or dead discard")];
    (info.state.messages > 0).then(|| Finding::bad(Severity::Note, "dead_letters", &info.config.name, is, why, mend))
}

/// The longest that a story whose record stands may take to come again while the fleet runs.
fn horizon(config: &Config) -> Duration {
    let delivery = &config.delivery;
    let ms = delivery.ack_wait_ms * 2
        + delivery.publish_timeout_ms
        + delivery.retry_delay_max_ms
        + delivery.give_back_delay_ms
        + delivery.grace_period_ms
        + config.limits.throttled_delay_ms;
    Duration::from_millis(ms)
}

/// The output stream's duplicate window; `open` is the oldest story that is delivered and not done, with its age.
pub(super) fn window(config: &Config, output: &stream::Info, open: Option<(u64, Duration)>) -> Finding {
    let window = output.config.duplicate_window;
    let horizon = horizon(config);
    let name = &output.config.name;
    let setting = format!("{name}: duplicate window");
    let wanted = (horizon * 10).max(Duration::from_hours(1)).as_secs();
    let mend = [
        Step::run(format!("nats stream edit {name} --dupe-window={wanted}s")),
        Step::configure(format!("streams.output.duplicate_window_ms = {}", wanted * 1000)),
    ];
    let is = format!("{} s; a story may come again after {} s", window.as_secs(), horizon.as_secs());
    let why = "a story that comes again after it gives a second record";
    if window < horizon {
        return Finding::bad(Severity::Failure, "duplicate_window", &setting, is, why, mend);
    }
    if let Some((sequence, age)) = open.filter(|(_, age)| *age > window) {
        let is = format!("{} s, and the oldest open story was stored {} ago", window.as_secs(), seconds(age));
        let why = "if its record stands already, its next delivery gives a second one; consumers key by Nats-Msg-Id";
        let mend = [Step::run(format!("copydesk audit --id {sequence}   # whether its record stands"))];
        return Finding::bad(Severity::Note, "duplicate_window", &setting, is, why, mend);
    }
    if window < horizon + OUTAGE {
        return Finding::bad(Severity::Warning, "duplicate_window", &setting, is, why, mend);
    }
    Finding::well("duplicate_window", &setting, is)
}

/// How near something comes to the age at which its stream deletes it.
fn nearness(age: Duration, max_age: Duration) -> Severity {
    match age.as_secs_f64() / max_age.as_secs_f64() {
        0.9.. => Severity::Failure,
        0.5.. => Severity::Warning,
        _ => Severity::Well,
    }
}

fn keep_longer(info: &stream::Info) -> Step {
    let longer = info.config.max_age.as_secs().max(1).saturating_mul(4);
    Step::run(format!("nats stream edit {} --max-age={longer}s   # 0s keeps all", info.config.name))
}

/// The input stream's `max_age` against the oldest story that is not done.
pub(super) fn story_age(input: &stream::Info, oldest: Option<Duration>) -> Option<Finding> {
    let max_age = input.config.max_age;
    let setting = format!("{}: max_age", input.config.name);
    if max_age.is_zero() {
        return oldest.map(|oldest| {
            let is = format!("none; the oldest story that is not done was stored {} ago", seconds(oldest));
            Finding::well("retention", &setting, is)
        });
    }
    let oldest = oldest.unwrap_or_default();
    let is = format!("{}; the oldest story that is not done was stored {} ago", seconds(max_age), seconds(oldest));
    Some(match nearness(oldest, max_age) {
        Severity::Well => Finding::well("retention", &setting, is),
        severity => {
            let why = "the stream deletes stories of that age, done or not";
            let mend = [keep_longer(input), Step::start_worker()];
            Finding::bad(severity, "retention", &setting, is, why, mend)
        }
    })
}

/// The output stream's `max_age` against the oldest record that one of its consumers has not done.
pub(super) fn record_age(output: &stream::Info, readers: &[(String, Option<Duration>)]) -> Finding {
    let (name, max_age) = (&output.config.name, output.config.max_age);
    let setting = format!("{name}: max_age");
    let only =
        if readers.len() >= CONSUMERS_MAX { format!("; only {CONSUMERS_MAX} were asked") } else { String::new() };
    let slowest = readers.iter().filter_map(|(durable, age)| Some((durable, (*age)?))).max_by_key(|(_, age)| *age);
    let Some((durable, oldest)) = slowest else {
        let is = match readers.len() {
            0 => format!("{}; it has no durable consumer, so nobody can say what is read", seconds(max_age)),
            count => format!("{}; its {count} durable consumers have done all of it{only}", seconds(max_age)),
        };
        return Finding::well("retention", &setting, is);
    };
    let is = format!("{}; consumer {durable} has a record of {} ago not done{only}", seconds(max_age), seconds(oldest));
    match nearness(oldest, max_age) {
        Severity::Well => Finding::well("retention", &setting, is),
        severity => {
            let why = "the stream deletes records of that age, read or not, and audit can say nothing of their stories";
            let mend = [keep_longer(output), Step::run(format!("nats consumer info {name} {durable}"))];
            Finding::bad(severity, "retention", &setting, is, why, mend)
        }
    }
}

/// The dead-letter stream's `max_age` against its oldest letter.
pub(super) fn letter_age(dead: &stream::Info, now: jiff::Timestamp) -> Option<Finding> {
    let max_age = dead.config.max_age;
    if max_age.is_zero() {
        return None;
    }
    let setting = format!("{}: max_age", dead.config.name);
    if dead.state.messages == 0 {
        return Some(Finding::well("retention", &setting, format!("{}; there is no letter", seconds(max_age))));
    }
    let age = now.as_nanosecond() - dead.state.first_timestamp.unix_timestamp_nanos();
    let age = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
    let is = format!("{}; the oldest letter is there since {}", seconds(max_age), seconds(age));
    Some(match nearness(age, max_age) {
        Severity::Well => Finding::well("retention", &setting, is),
        severity => {
            let why = "the stream deletes letters of that age, and nothing stands for their stories any more";
            let older = max_age.as_secs() / 2;
            let mend = [keep_longer(dead), Step::run(format!("copydesk dead list --older {older}s"))];
            Finding::bad(severity, "retention", &setting, is, why, mend)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(change: impl Fn(&mut stream::Info)) -> stream::Info {
        let mut info: stream::Info = serde_json::from_value(serde_json::json!({
            "config": {"name": "S", "subjects": ["s.>"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
                "max_bytes": -1, "discard": "new", "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1,
                "storage": "file", "num_replicas": 3, "duplicate_window": 3_600_000_000_000_u64},
            "created": "2026-01-01T00:00:00Z",
            "state": {"messages": 5, "bytes": 10, "first_seq": 1, "first_ts": "2026-01-01T00:00:00Z", "last_seq": 5,
                "last_ts": "2026-01-01T00:00:00Z", "consumer_count": 1},
            "cluster": {"leader": "a", "replicas": [
                {"name": "b", "current": true, "active": 1}, {"name": "c", "current": true, "active": 1}]},
        }))
        .expect("a stream's info");
        change(&mut info);
        info
    }

    fn aging() -> stream::Info {
        info(|info| info.config.max_age = Duration::from_secs(1000))
    }

    #[test]
    fn a_window_shorter_than_the_way_back_of_a_story_fails() {
        let config = Config::default();
        let judge = |window: u64, oldest: Option<u64>| {
            let output = info(|info| info.config.duplicate_window = Duration::from_secs(window));
            super::window(&config, &output, oldest.map(|age| (7, Duration::from_secs(age))))
        };
        let horizon = horizon(&config).as_secs();
        assert_eq!(judge(horizon - 1, None).severity, Severity::Failure);
        assert_eq!(judge(horizon + 1, None).severity, Severity::Warning, "it covers no outage");
        assert_eq!(judge(3600, None).severity, Severity::Well);
        assert_eq!(judge(3600, Some(3500)).severity, Severity::Well);
        let old = judge(3600, Some(3700));
        assert_eq!(old.severity, Severity::Note);
        assert!(old.mend[0].run.starts_with("copydesk audit --id 7"), "{:?}", old.mend);
    }

    #[test]
    fn stories_that_grow_old_before_they_are_done_are_told_in_time() {
        let judge = |age| story_age(&aging(), Some(Duration::from_secs(age))).map(|finding| finding.severity);
        assert_eq!(judge(400), Some(Severity::Well));
        assert_eq!(judge(600), Some(Severity::Warning));
        assert_eq!(judge(950), Some(Severity::Failure));
        assert_eq!(story_age(&info(|_| {}), None), None);
    }

    #[test]
    fn records_that_grow_old_before_a_consumer_has_them_are_told_in_time() {
        let judge = |ages: &[Option<u64>]| {
            let readers = ages.iter().enumerate().map(|(n, age)| (format!("c{n}"), age.map(Duration::from_secs)));
            record_age(&aging(), &readers.collect::<Vec<_>>())
        };
        assert!(judge(&[]).is.contains("no durable consumer"));
        assert_eq!(judge(&[None, Some(499)]).severity, Severity::Well);
        let late = judge(&[Some(20), Some(600), None]);
        assert_eq!(late.severity, Severity::Warning);
        assert_eq!(late.mend[0].run, "nats stream edit S --max-age=4000s   # 0s keeps all");
        assert_eq!(late.mend[1].run, "nats consumer info S c1");
        assert_eq!(judge(&[Some(900)]).severity, Severity::Failure);
        assert!(judge(&[Some(900); CONSUMERS_MAX]).is.ends_with("only 256 were asked"));
    }

    #[test]
    fn letters_that_grow_old_before_anybody_looks_are_told_in_time() {
        let judge = |seconds: i64, messages| {
            let mut dead = aging();
            dead.state.messages = messages;
            let first: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
            letter_age(&dead, first + jiff::SignedDuration::from_secs(seconds)).expect("it has a max_age")
        };
        assert_eq!(judge(499, 1).severity, Severity::Well);
        let late = judge(500, 1);
        assert_eq!(late.severity, Severity::Warning);
        assert_eq!(late.mend[1].run, "copydesk dead list --older 500s");
        assert_eq!(judge(950, 1).severity, Severity::Failure);
        assert_eq!(judge(950, 0).severity, Severity::Well);
        assert_eq!(letter_age(&info(|_| {}), jiff::Timestamp::now()), None);
    }

    #[test]
    fn copies_that_are_behind_and_full_streams_are_told() {
        let severities = |found: Vec<Finding>| found.into_iter().map(|one| one.severity).collect::<Vec<_>>();
        assert_eq!(severities(copies(&info(|_| {}))), [Severity::Well]);
        let behind = info(|info| {
            let cluster = info.cluster.as_mut().expect("a cluster");
            cluster.leader = None;
            cluster.replicas[0].current = false;
            cluster.replicas[1].offline = true;
        });
        let found = copies(&behind);
        assert!(found[1].mend[0].run.ends_with("nats stream cluster peer-remove S b"), "{found:?}");
        assert_eq!(severities(found), [Severity::Failure, Severity::Warning, Severity::Warning]);
        let full = |messages| {
            room(&info(|info| {
                info.config.max_messages = 100;
                info.state.messages = messages;
            }))
        };
        assert_eq!(full(79), None);
        let near = full(80).expect("a finding");
        assert_eq!(near.severity, Severity::Warning);
        assert!(near.mend[0].run.starts_with("nats stream edit S --max-msgs=200"), "{:?}", near.mend);
        assert_eq!(full(95).map(|finding| finding.severity), Some(Severity::Failure));
    }

    #[test]
    fn what_nobody_reads_is_read_by_the_only_input_or_taken_by_no_stream() {
        let mut config = Config::default();
        assert_eq!(unread(&config), []);
        config.inputs.0.get_mut("main").expect("main").subject = "wire.raw.fast.>".into();
        let one = unread(&config).remove(0).mend;
        assert_eq!(one[0].edit.as_ref().map(|edit| edit.line.as_str()), Some("inputs.main.subject = \"wire.raw.>\""));
        assert_eq!(one[1].run, "nats consumer edit WIRE_RAW copydesk --filter='wire.raw.>'");
        let mut other = config.inputs.0["main"].clone();
        other.subject = "wire.raw.slow".into();
        config.inputs.0.insert("slow".into(), other);
        let two = unread(&config).remove(0).mend;
        assert!(two[1].run.starts_with("nats stream edit WIRE_RAW --subjects='wire.raw.fast.>,wire.raw.slow'"));
        assert!(two[0].to_string().starts_with("streams.input.subjects = [\"wire.raw.fast.>\", \"wire.raw.slow\"]"));
    }
}

//! What is against what should be: pure comparisons, each difference with the step that mends it.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{self, AckPolicy, DeliverPolicy, ReplayPolicy, pull},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};

use super::{DEAD_LETTER_ROOM_BYTES, Difference, Role, Wanted};
use crate::service::{
    config::{Config, Input},
    ingress::bytes_per_pull_min,
    mend::Step,
};

/// Collects differences of one object.
struct Findings {
    object: String,
    found: Vec<Difference>,
}

impl Findings {
    fn new(object: String) -> Self {
        Self { object, found: Vec::new() }
    }

    fn breaks(&mut self, differs: bool, say: impl FnOnce() -> (String, Step)) {
        self.push(differs, true, say);
    }

    fn warns(&mut self, differs: bool, say: impl FnOnce() -> (String, Step)) {
        self.push(differs, false, say);
    }

    fn push(&mut self, differs: bool, breaks_the_promise: bool, say: impl FnOnce() -> (String, Step)) {
        if differs {
            let (what, mend) = say();
            self.found.push(Difference { object: self.object.clone(), what, mend, breaks_the_promise });
        }
    }
}

/// Subjects as one word of a command line.
pub(in crate::service) fn quoted<'a>(subjects: impl IntoIterator<Item = &'a String>) -> String {
    let all: Vec<&str> = subjects.into_iter().map(String::as_str).collect();
    format!("'{}'", all.join(","))
}

/// The state bucket: what it forgets, workers no longer know of each other.
pub(super) fn bucket(is: &stream::Config, config: &Config) -> Vec<Difference> {
    let name = &is.name;
    let mut found = Findings::new(format!("key-value bucket {}", config.streams.state.bucket));
    let edit = |flags: &str| Step::run(format!("nats stream edit {name} {flags}"));
    found.breaks(is.max_age > Duration::ZERO, || {
        (format!("forgets marks, tombstones and places after {:?}", is.max_age), edit("--max-age=0s"))
    });
    found.warns(is.storage == StorageType::Memory, || {
        let renew =
            format!("nats kv del {}   # with all workers stopped; one makes it anew", config.streams.state.bucket);
        ("lives in memory: a restart of the server loses it".to_owned(), Step::run(renew))
    });
    let wanted = usize::from(config.streams.replicas);
    found.warns(is.num_replicas != wanted, || {
        let what = format!("has {} replicas, the configuration says {wanted}", is.num_replicas);
        (what, edit(&format!("--replicas={wanted}")))
    });
    found.found
}

pub(super) fn stream(wanted: &Wanted, is: &stream::Config, max_payload: usize) -> Vec<Difference> {
    let name = &is.name;
    let mut found = Findings::new(format!("stream {name}"));
    let edit = |flags: &str| Step::run(format!("nats stream edit {name} {flags}"));
    let renew = || Step::run(format!("nats stream rm {name}   # when all of it is read; a worker makes it anew"));
    let missing: Vec<_> = wanted.config.subjects.iter().filter(|s| !is.subjects.contains(s)).collect();
    let widen = || edit(&format!("--subjects={}", quoted(is.subjects.iter().chain(missing.iter().copied()))));
    let missing_breaks = !missing.is_empty() && wanted.role != Role::Input;
    found.breaks(missing_breaks, || {
        (format!("does not take the subjects {missing:?}, it has {:?}", is.subjects), widen())
    });
    found.warns(!missing.is_empty() && !missing_breaks, || {
        (format!("does not list the subjects {missing:?}, it has {:?}", is.subjects), widen())
    });
    found.breaks(is.no_ack, || ("gives no receipts, so nothing is ever known to be stored".to_owned(), edit("--ack")));
    found.breaks(is.retention != RetentionPolicy::Limits, || {
        let what = "does not have limits retention: it deletes what an audit needs, and loses its duplicate table on a \
                    restart of the server";
        (what.to_owned(), renew())
    });
    let bounded = is.max_messages > 0 || is.max_bytes > 0;
    let per_subject = is.max_messages_per_subject > 0;
    found.breaks(per_subject && !(is.discard == DiscardPolicy::New && is.discard_new_per_subject), || {
        let what = format!("drops the oldest messages of a subject above {}, done or not", is.max_messages_per_subject);
        (what, edit("--max-msgs-per-subject=-1"))
    });
    found.breaks(is.discard == DiscardPolicy::Old && bounded, || {
        ("drops the oldest messages when full, done or not".to_owned(), edit("--discard=new"))
    });
    found.warns(is.max_age > Duration::ZERO, || {
        let what = format!("drops messages after {:?}, done or not: watch the age of the oldest story", is.max_age);
        (what, edit("--max-age=0s"))
    });
    found.warns(is.storage == StorageType::Memory, || {
        ("lives in memory: a restart of the server loses it".to_owned(), renew())
    });
    found.warns(is.num_replicas != wanted.config.num_replicas, || {
        let wanted = wanted.config.num_replicas;
        let what = format!("has {} replicas, the configuration says {wanted}", is.num_replicas);
        (what, edit(&format!("--replicas={wanted}")))
    });
    match wanted.role {
        Role::Input => {
            let largest = usize::try_from(is.max_message_size).ok().filter(|size| *size > 0).unwrap_or(max_payload);
            let allowed = max_payload.saturating_sub(DEAD_LETTER_ROOM_BYTES);
            found.breaks(largest > allowed, || {
                let what = format!(
                    "takes messages of {largest} bytes, and a dead letter of such a story with its reason would be \
                     above the server's max_payload of {max_payload}; smaller messages, or a max_payload of {}",
                    largest + DEAD_LETTER_ROOM_BYTES
                );
                (what, edit(&format!("--max-msg-size={allowed}")))
            });
        }
        Role::Output | Role::Held => {}
        Role::Dead => {
            found.breaks(is.max_message_size > 0, || {
                let what = format!(
                    "takes messages of {} bytes at most, and a dead letter has to fit whatever the story's size",
                    is.max_message_size
                );
                (what, edit("--max-msg-size=-1"))
            });
        }
    }
    if wanted.role != Role::Input {
        let needed = wanted.config.duplicate_window;
        found.breaks(is.duplicate_window < needed, || {
            let what = format!(
                "remembers message ids for {:?} only, a story delivered again later would come out twice",
                is.duplicate_window
            );
            (what, edit(&format!("--dupe-window={}s", needed.as_secs())))
        });
    }
    found.found
}

pub(super) fn consumer(stream: &str, wanted: &pull::Config, is: &consumer::Config) -> Vec<Difference> {
    let durable = is.durable_name.clone().unwrap_or_default();
    let mut found = Findings::new(format!("consumer {durable} of stream {stream}"));
    let edit = |flags: String| Step::run(format!("nats consumer edit {stream} {durable} {flags}"));
    // What a consumer is made with cannot be edited; its place is noted in the state bucket.
    let renew = || {
        Step::run(format!(
            "nats consumer rm {stream} {durable}   # without workers; the next one makes it anew from its checkpoint"
        ))
    };
    found.breaks(is.deliver_subject.is_some(), || {
        ("is a push consumer, the worker needs a pull consumer".to_owned(), renew())
    });
    found.breaks(is.ack_policy != AckPolicy::Explicit, || {
        ("does not ask for an acknowledgement of each story".to_owned(), renew())
    });
    found.breaks(is.max_deliver > 0, || {
        let what = format!("gives a story up after {} deliveries, silently", is.max_deliver);
        (what, edit("--max-deliver=-1".to_owned()))
    });
    found.breaks(!is.backoff.is_empty(), || ("has a backoff list, which replaces ack_wait".to_owned(), renew()));
    found.breaks(is.headers_only, || ("delivers headers only".to_owned(), edit("--no-headers-only".to_owned())));
    found.breaks(is.inactive_threshold > Duration::ZERO, || {
        let what = format!(
            "is deleted after {:?} without a worker, and its place in the stream with it",
            is.inactive_threshold
        );
        (what, renew())
    });
    let filters: Vec<&str> = match is.filter_subjects.is_empty() {
        true => vec![is.filter_subject.as_str()],
        false => is.filter_subjects.iter().map(String::as_str).collect(),
    };
    found.breaks(filters != [wanted.filter_subject.as_str()], || {
        let what = format!("reads {filters:?}, the configuration says {:?}", wanted.filter_subject);
        (what, edit(format!("--filter={}", quoted([&wanted.filter_subject]))))
    });
    found.breaks(is.ack_wait != wanted.ack_wait, || {
        let what = format!("waits {:?} for a sign of life, the configuration says {:?}", is.ack_wait, wanted.ack_wait);
        (what, edit(format!("--wait={}ms", wanted.ack_wait.as_millis())))
    });
    let skips = !matches!(
        is.deliver_policy,
        DeliverPolicy::All | DeliverPolicy::ByStartSequence { .. } | DeliverPolicy::ByStartTime { .. }
    );
    found.breaks(skips, || (format!("skips stories that were stored before it ({:?})", is.deliver_policy), renew()));
    let narrow = is.max_batch > 0 || is.max_bytes > 0 || is.max_expires > Duration::ZERO;
    found.breaks(narrow, || ("limits requests".to_owned(), renew()));
    let pending_short = is.max_ack_pending > 0 && is.max_ack_pending < wanted.max_ack_pending;
    found.warns(pending_short, || {
        let (is, wanted) = (is.max_ack_pending, wanted.max_ack_pending);
        let what = format!("lets {is} deliveries be open, the configuration says {wanted}");
        (what, edit(format!("--max-pending={wanted}")))
    });
    found.warns(is.replay_policy != ReplayPolicy::Instant, || ("replays at the original pace".to_owned(), renew()));
    found.found
}

/// What of an input's own settings does not go with the server.
pub(super) fn input(name: &str, input: &Input, max_payload: usize) -> Option<Difference> {
    let needed = bytes_per_pull_min(max_payload);
    (input.bytes_max < needed).then(|| Difference {
        object: format!("input {name}"),
        what: format!(
            "`inputs.{name}.bytes_max` is {}, and the broker's largest message needs {needed}",
            input.bytes_max
        ),
        mend: Step::configure(format!("inputs.{name}.bytes_max = {needed}")),
        breaks_the_promise: true,
    })
}

/// Something that is not there.
pub(super) fn missing(object: String, config: &Config) -> Difference {
    let (what, mend) = match config.streams.create_missing {
        true => ("does not exist; a worker makes it at its start", Step::start_worker()),
        false => ("does not exist, and no worker may make it", Step::configure("streams.create_missing = true")),
    };
    Difference { object, what: what.to_owned(), mend, breaks_the_promise: true }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::consumer::IntoConsumerConfig;

    use super::{
        super::{consumer as wanted_consumer, streams},
        *,
    };

    const MIB: usize = 1024 * 1024;

    fn stream_findings(role: Role, change: impl Fn(&mut stream::Config)) -> Vec<Difference> {
        let config = Config::default();
        let wanted = streams(&config).into_iter().find(|wanted| wanted.role == role).expect("a stream");
        let mut is = wanted.config.clone();
        change(&mut is);
        super::stream(&wanted, &is, MIB)
    }

    fn consumer_findings(change: impl Fn(&mut consumer::Config)) -> Vec<Difference> {
        let wanted = wanted_consumer(&Config::default(), &Input::default());
        let mut is = wanted.clone().into_consumer_config();
        change(&mut is);
        super::consumer("WIRE_RAW", &wanted, &is)
    }

    #[test]
    fn what_the_worker_creates_keeps_the_promise() {
        for role in [Role::Input, Role::Output, Role::Dead] {
            assert_eq!(stream_findings(role, |_| {}), []);
        }
        assert_eq!(consumer_findings(|_| {}), []);
        assert_eq!(super::input("main", &Input::default(), MIB), None);
    }

    #[test]
    fn every_way_to_lose_a_story_is_refused_with_the_command_that_mends_it() {
        let broken = |role, change: fn(&mut stream::Config), command: &str| {
            let found = stream_findings(role, change);
            found.iter().any(|one| one.breaks_the_promise && one.mend.run.starts_with(command))
        };
        let raw = |change, command| broken(Role::Input, change, command);
        let out = |change, command| broken(Role::Output, change, command);
        let dead = |change, command| broken(Role::Dead, change, command);
        assert!(raw(|c| c.retention = RetentionPolicy::WorkQueue, "nats stream rm WIRE_RAW"));
        assert!(out(|c| c.retention = RetentionPolicy::Interest, "nats stream rm WIRE_ENRICHED"));
        assert!(dead(|c| c.no_ack = true, "nats stream edit WIRE_DEAD --ack"));
        assert!(raw(|c| c.max_message_size = -1, "nats stream edit WIRE_RAW --max-msg-size=983040"));
        assert!(dead(|c| c.max_message_size = 1000, "nats stream edit WIRE_DEAD --max-msg-size=-1"));
        let short: fn(&mut stream::Config) = |c| c.duplicate_window = Duration::from_mins(2);
        assert!(dead(short, "nats stream edit WIRE_DEAD --dupe-window=3600s"));
        assert!(out(short, "nats stream edit WIRE_ENRICHED --dupe-window=3600s"));
        let drops: fn(&mut stream::Config) = |c| {
            c.discard = DiscardPolicy::Old;
            c.max_bytes = 1;
        };
        assert!(out(drops, "nats stream edit WIRE_ENRICHED --discard=new"));
        assert!(out(|c| c.max_messages_per_subject = 5, "nats stream edit WIRE_ENRICHED --max-msgs-per-subject=-1"));
        assert!(dead(
            |c| c.subjects = vec!["other.>".into()],
            "nats stream edit WIRE_DEAD --subjects='other.>,wire.dead.>'"
        ));
        let told = |role, change: fn(&mut stream::Config), command: &str| {
            let found = stream_findings(role, change);
            found.len() == 1 && !found[0].breaks_the_promise && found[0].mend.run.starts_with(command)
        };
        assert!(stream_findings(Role::Output, |c| c.discard = DiscardPolicy::Old).is_empty(), "it has no limit");
        assert!(told(
            Role::Output,
            |c| c.max_age = Duration::from_mins(1),
            "nats stream edit WIRE_ENRICHED --max-age=0s"
        ));
        assert!(told(Role::Dead, |c| c.storage = StorageType::Memory, "nats stream rm WIRE_DEAD"));
        assert!(told(Role::Dead, |c| c.num_replicas = 3, "nats stream edit WIRE_DEAD --replicas=1"));
        assert!(told(Role::Input, |c| c.subjects.clear(), "nats stream edit WIRE_RAW --subjects='wire.raw.>'"));
    }

    #[test]
    fn consumers_that_lose_or_repeat_are_refused() {
        let broken = |change: fn(&mut consumer::Config), command: &str| {
            let found = consumer_findings(change);
            found.iter().any(|one| one.breaks_the_promise && one.mend.run.contains(command))
        };
        let edit = "nats consumer edit WIRE_RAW copydesk";
        assert!(broken(|c| c.max_deliver = 5, &format!("{edit} --max-deliver=-1")));
        assert!(broken(|c| c.ack_policy = AckPolicy::None, "nats consumer rm"));
        assert!(broken(|c| c.backoff = vec![Duration::from_secs(1)], "nats consumer rm"));
        assert!(broken(|c| c.inactive_threshold = Duration::from_secs(1), "nats consumer rm"));
        assert!(broken(|c| c.filter_subject = "wire.raw.other".into(), &format!("{edit} --filter='wire.raw.>'")));
        assert!(broken(|c| c.ack_wait = Duration::from_secs(5), &format!("{edit} --wait=30000ms")));
        assert!(broken(|c| c.deliver_policy = DeliverPolicy::New, "nats consumer rm"));
        assert!(broken(|c| c.max_batch = 10, "nats consumer rm"));
        assert!(broken(|c| c.headers_only = true, &format!("{edit} --no-headers-only")));
        let short = consumer_findings(|c| c.max_ack_pending = 1000);
        assert!(!short[0].breaks_the_promise && short[0].mend.run == format!("{edit} --max-pending=20000"));
    }

    #[test]
    fn what_is_missing_says_who_may_make_it() {
        let mut config = Config::default();
        assert_eq!(missing("stream S".into(), &config).mend, Step::start_worker());
        config.streams.create_missing = false;
        let edit = missing("stream S".into(), &config).mend.edit.expect("an edit");
        assert_eq!(edit.line, "streams.create_missing = true");
        let small = super::input("main", &Input { bytes_max: 1, ..Input::default() }, MIB).expect("too small");
        assert!(small.mend.to_string().starts_with("inputs.main.bytes_max = "), "{}", small.mend);
    }
}

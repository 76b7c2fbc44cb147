//! Streams and consumers: created when missing and allowed, otherwise compared.
//!
//! What exists is never changed behind the operator's back. Every difference is named; those
//! that would break the promise of `docs/DELIVERY.md` stop the worker, the others are warnings.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull},
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};

use super::{
    broker::{Broker, version},
    checkpoint,
    config::{Config, EmbargoMode, Input},
    ingress::bytes_per_pull_min,
    reading::{self, ReadError},
    state::StateBucket,
};

/// Room for a dead letter's reason and origin beside the story (bytes).
pub const DEAD_LETTER_ROOM_BYTES: usize = 64 * 1024;

/// One difference between what is and what should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The stream or consumer.
    pub object: String,
    /// What differs, why it matters, and the command that mends it.
    pub what: String,
    /// Whether the promise cannot be kept with it.
    pub breaks_the_promise: bool,
}

impl Difference {
    /// What differs, and the command that mends it, apart.
    pub fn split_command(&self) -> (&str, Option<&str>) {
        let Some((what, rest)) = self.what.rsplit_once("`nats ") else { return (&self.what, None) };
        let Some((command, "")) = rest.split_once('`') else { return (&self.what, None) };
        let start = what.len() + 1;
        let command = crate::text::until(crate::text::from(&self.what, start), "nats ".len() + command.len());
        (what.trim_end_matches([' ', ';', ',']), Some(command))
    }

    fn is_missing(&self) -> bool {
        self.what.starts_with("does not exist")
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// Why the worker cannot start on this topology.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The broker did not answer, or refused; worth another try.
    #[error("cannot read or create {object}: {why}")]
    Unreachable {
        /// The stream or consumer.
        object: String,
        /// What the broker said.
        why: String,
    },
    /// Something is missing and may not be created.
    #[error("{0} does not exist, and `streams.create_missing` is false")]
    Missing(String),
    /// A consumer is missing though its work has begun.
    #[error(
        "{object} does not exist, and there are records already: a new one would publish every story again. \
         Say where it begins: `inputs.{input}.start_sequence` = 1 for everything, or one above the last \
         `Copydesk-Sequence` that is done"
    )]
    Forgotten {
        /// The consumer.
        object: String,
        /// The input.
        input: String,
    },
    /// What exists would break the promise.
    #[error("refusing to start, the promise could not be kept:\n{}", .0.iter().map(|d| format!("  - {d}")).collect::<Vec<_>>().join("\n"))]
    Broken(Vec<Difference>),
}

/// Makes sure of the three streams and of every input's consumer; gives the warnings.
///
/// # Errors
/// See [`TopologyError`].
pub async fn ensure(broker: &Broker, config: &Config, bucket: &StateBucket) -> Result<Vec<Difference>, TopologyError> {
    let mut found = Vec::new();
    let server = broker.client.server_info();
    if let Some(verdict) = version::judge(&server.version) {
        let object = format!("server {}", server.server_name);
        found.push(Difference { object, what: verdict.what, breaks_the_promise: verdict.is_too_old });
        if verdict.is_too_old {
            return Err(TopologyError::Broken(found));
        }
    }
    let max_payload = broker.client.max_payload();
    for wanted in streams(config) {
        let is = ensure_stream(&broker.jetstream, &wanted.config, config.streams.create_missing).await?;
        found.extend(compare_stream(&wanted, &is, max_payload));
    }
    for (name, input) in &config.inputs.0 {
        let wanted = consumer(config, input);
        let is = ensure_consumer(&broker.jetstream, name, &wanted, config, bucket).await?;
        found.extend(compare_consumer(&config.streams.input.name, &wanted, &is));
        let needed = bytes_per_pull_min(max_payload);
        if input.bytes_max < needed {
            found.push(Difference {
                object: format!("input {name}"),
                what: format!(
                    "`inputs.{name}.bytes_max` is {}, and the broker's largest message needs {needed}",
                    input.bytes_max
                ),
                breaks_the_promise: true,
            });
        }
    }
    match found.iter().any(|difference| difference.breaks_the_promise) {
        true => Err(TopologyError::Broken(found)),
        false => Ok(found),
    }
}

/// Compares what there is with what should be, and creates nothing.
///
/// # Errors
/// The broker does not say.
pub async fn differences(broker: &Broker, config: &Config) -> Result<Vec<Difference>, ReadError> {
    let mut found = Vec::new();
    let missing = |object: String, breaks_the_promise| {
        let what = "does not exist; a worker makes it where `streams.create_missing` is true".to_owned();
        Difference { object, what, breaks_the_promise }
    };
    let max_payload = broker.client.max_payload();
    for wanted in streams(config) {
        match reading::look(&broker.jetstream, &wanted.config.name).await {
            Ok(info) => found.extend(compare_stream(&wanted, &info.config, max_payload)),
            Err(ReadError::Missing(name)) => found.push(missing(format!("stream {name}"), true)),
            Err(error) => return Err(error),
        }
    }
    let name = &config.streams.input.name;
    if found.iter().any(|difference| difference.object == format!("stream {name}") && difference.is_missing()) {
        return Ok(found);
    }
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| wrong(&error))?;
    for input in config.inputs.0.values() {
        match handle.consumer_info(&input.durable).await {
            Ok(info) => found.extend(compare_consumer(name, &consumer(config, input), &info.config)),
            Err(error) if error.kind() == jetstream::context::ConsumerInfoErrorKind::NotFound => {
                found.push(missing(format!("consumer {} of stream {name}", input.durable), true));
            }
            Err(error) => return Err(wrong(&error)),
        }
    }
    Ok(found)
}

/// Makes the consumer of one input again where it is missing; tells whether it was.
///
/// # Errors
/// See [`TopologyError`].
pub async fn renew_consumer(
    broker: &Broker,
    config: &Config,
    bucket: &StateBucket,
    name: &str,
    input: &Input,
) -> Result<(), TopologyError> {
    // Where the configuration says where a consumer begins, its place is still the better one.
    let wanted = pull::Config { deliver_policy: DeliverPolicy::All, ..consumer(config, input) };
    ensure_consumer(&broker.jetstream, name, &wanted, config, bucket).await.map(drop)
}

/// A stream as it should be, and what for.
#[derive(Clone, Debug)]
struct Wanted {
    config: stream::Config,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Input,
    Output,
    Dead,
    Held,
}

fn streams(config: &Config) -> Vec<Wanted> {
    let base = |name: &str, subjects: &[String]| stream::Config {
        name: name.to_owned(),
        subjects: subjects.to_vec(),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: usize::from(config.streams.replicas),
        ..stream::Config::default()
    };
    let streams = &config.streams;
    let held = (config.embargo.mode == EmbargoMode::Hold).then(|| Wanted {
        role: Role::Held,
        config: stream::Config {
            duplicate_window: Duration::from_millis(streams.output.duplicate_window_ms),
            ..base(&streams.held.name, &streams.held.subjects)
        },
    });
    let mut wanted = vec![
        Wanted {
            role: Role::Input,
            config: stream::Config {
                max_message_size: i32::try_from(streams.input.message_bytes_max).unwrap_or(i32::MAX),
                ..base(&streams.input.name, &streams.input.subjects)
            },
        },
        Wanted {
            role: Role::Output,
            config: stream::Config {
                duplicate_window: Duration::from_millis(streams.output.duplicate_window_ms),
                ..base(&streams.output.name, &streams.output.subjects)
            },
        },
        Wanted {
            role: Role::Dead,
            config: stream::Config {
                duplicate_window: Duration::from_millis(streams.output.duplicate_window_ms),
                ..base(&streams.dead.name, &streams.dead.subjects)
            },
        },
    ];
    wanted.extend(held);
    wanted
}

/// The durable consumer of an input.
fn consumer(config: &Config, input: &Input) -> pull::Config {
    pull::Config {
        durable_name: Some(input.durable.clone()),
        deliver_policy: match input.start_sequence {
            Some(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            None => DeliverPolicy::All,
        },
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(config.delivery.ack_wait_ms),
        max_deliver: -1,
        filter_subject: input.subject.clone(),
        replay_policy: ReplayPolicy::Instant,
        max_ack_pending: i64::from(input.ack_pending_max),
        ..pull::Config::default()
    }
}

async fn ensure_stream(
    jetstream: &jetstream::Context,
    wanted: &stream::Config,
    create: bool,
) -> Result<stream::Config, TopologyError> {
    let object = format!("stream {}", wanted.name);
    let unreachable = |why: String| TopologyError::Unreachable { object: object.clone(), why };
    match jetstream.get_stream(&wanted.name).await {
        Ok(stream) => return Ok(stream.cached_info().config.clone()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(api) if api.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(unreachable(error.to_string())),
        },
    }
    if !create {
        return Err(TopologyError::Missing(object));
    }
    match jetstream.create_stream(wanted.clone()).await {
        Ok(stream) => {
            tracing::info!(stream.name = %wanted.name, stream.subjects = ?wanted.subjects, "created the stream");
            Ok(stream.cached_info().config.clone())
        }
        // Another worker was faster, with another configuration: compare with what is there now.
        Err(error) => match (error.kind(), jetstream.get_stream(&wanted.name).await) {
            (CreateStreamErrorKind::JetStream(_), Ok(stream)) => Ok(stream.cached_info().config.clone()),
            _ => Err(unreachable(error.to_string())),
        },
    }
}

async fn ensure_consumer(
    jetstream: &jetstream::Context,
    input: &str,
    wanted: &pull::Config,
    config: &Config,
    bucket: &StateBucket,
) -> Result<jetstream::consumer::Config, TopologyError> {
    let stream = config.streams.input.name.as_str();
    let durable = wanted.durable_name.clone().unwrap_or_default();
    let object = format!("consumer {durable} of stream {stream}");
    let unreachable = |why: String| TopologyError::Unreachable { object: object.clone(), why };
    let handle = jetstream.get_stream_no_info(stream).await.map_err(|error| unreachable(error.to_string()))?;
    let existing = handle.consumer_info(&durable).await;
    match existing {
        Ok(info) => return Ok(info.config),
        Err(error) => match error.kind() {
            jetstream::context::ConsumerInfoErrorKind::NotFound => {}
            _ => return Err(unreachable(error.to_string())),
        },
    }
    if !config.streams.create_missing {
        return Err(TopologyError::Missing(object));
    }
    let mut wanted = wanted.clone();
    if wanted.deliver_policy == DeliverPolicy::All {
        let mut told = jetstream.get_stream(stream).await.map_err(|error| unreachable(error.to_string()))?;
        match checkpoint::resume(bucket, &mut told, &durable).await? {
            Some(place) => {
                tracing::warn!(consumer.name = %durable, place = ?place, "a consumer is missing; it goes on from its checkpoint");
                wanted.deliver_policy = place;
            }
            None if has_results(jetstream, config).await? => {
                return Err(TopologyError::Forgotten { object, input: input.to_owned() });
            }
            None => {}
        }
    }
    let created = handle.create_consumer_strict(wanted.clone()).await;
    match created {
        Ok(consumer) => {
            tracing::info!(consumer.name = %durable, consumer.filter = %wanted.filter_subject, "created the consumer");
            Ok(consumer.cached_info().config.clone())
        }
        Err(error) => match handle.consumer_info(&durable).await {
            Ok(info) => Ok(info.config),
            Err(_) => Err(unreachable(error.to_string())),
        },
    }
}

/// Whether records or dead letters stand already: then a consumer that is missing was there once,
/// and one that begins with the first story would publish everything again.
async fn has_results(jetstream: &jetstream::Context, config: &Config) -> Result<bool, TopologyError> {
    for name in [&config.streams.output.name, &config.streams.dead.name] {
        let object = format!("stream {name}");
        let stream = jetstream
            .get_stream(name)
            .await
            .map_err(|error| TopologyError::Unreachable { object, why: error.to_string() })?;
        if stream.cached_info().state.last_sequence > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Collects differences of one object.
struct Findings {
    object: String,
    found: Vec<Difference>,
}

impl Findings {
    fn new(object: String) -> Self {
        Self { object, found: Vec::new() }
    }

    fn breaks(&mut self, differs: bool, what: impl FnOnce() -> String) {
        self.push(differs, true, what);
    }

    fn warns(&mut self, differs: bool, what: impl FnOnce() -> String) {
        self.push(differs, false, what);
    }

    fn push(&mut self, differs: bool, breaks_the_promise: bool, what: impl FnOnce() -> String) {
        if differs {
            self.found.push(Difference { object: self.object.clone(), what: what(), breaks_the_promise });
        }
    }
}

fn compare_stream(wanted: &Wanted, is: &stream::Config, max_payload: usize) -> Vec<Difference> {
    let name = &is.name;
    let mut found = Findings::new(format!("stream {name}"));
    let missing: Vec<_> = wanted.config.subjects.iter().filter(|s| !is.subjects.contains(s)).collect();
    let missing_breaks = !missing.is_empty() && wanted.role != Role::Input;
    found.breaks(missing_breaks, || {
        format!(
            "does not take the subjects {missing:?}, it has {:?}; `nats stream edit {name} --subjects=…`",
            is.subjects
        )
    });
    found.warns(!missing.is_empty() && !missing_breaks, || {
        format!("does not list the subjects {missing:?}, it has {:?}", is.subjects)
    });
    found.breaks(is.no_ack, || {
        format!("gives no receipts, so nothing is ever known to be stored; `nats stream edit {name} --ack`")
    });
    found.breaks(is.retention != RetentionPolicy::Limits, || {
        "does not have limits retention: it deletes what an audit needs, and loses its duplicate table on a \
         restart of the server; it has to be made anew"
            .to_owned()
    });
    let bounded = is.max_messages > 0 || is.max_bytes > 0;
    let per_subject = is.max_messages_per_subject > 0;
    found.breaks(per_subject && !(is.discard == DiscardPolicy::New && is.discard_new_per_subject), || {
        format!(
            "drops the oldest messages of a subject above {}, done or not; \
             `nats stream edit {name} --max-msgs-per-subject=-1`",
            is.max_messages_per_subject
        )
    });
    found.breaks(is.discard == DiscardPolicy::Old && bounded, || {
        format!("drops the oldest messages when full, done or not; `nats stream edit {name} --discard=new`")
    });
    found.warns(is.max_age > Duration::ZERO, || {
        format!("drops messages after {:?}, done or not: watch the age of the oldest story", is.max_age)
    });
    found.warns(is.storage == StorageType::Memory, || "lives in memory: a restart of the server loses it".to_owned());
    found.warns(is.num_replicas != wanted.config.num_replicas, || {
        format!("has {} replicas, the configuration says {}", is.num_replicas, wanted.config.num_replicas)
    });
    match wanted.role {
        Role::Input => {
            let largest = usize::try_from(is.max_message_size).ok().filter(|size| *size > 0).unwrap_or(max_payload);
            let allowed = max_payload.saturating_sub(DEAD_LETTER_ROOM_BYTES);
            found.breaks(largest > allowed, || {
                format!(
                    "takes messages of {largest} bytes, and a dead letter of such a story with its reason would be \
                     above the server's max_payload of {max_payload}; raise max_payload to {} or \
                     `nats stream edit {name} --max-msg-size={allowed}`",
                    largest + DEAD_LETTER_ROOM_BYTES
                )
            });
        }
        Role::Output | Role::Held => {}
        Role::Dead => {
            found.breaks(is.max_message_size > 0, || {
                format!(
                    "takes messages of {} bytes at most, and a dead letter has to fit whatever the story's size; \
                     `nats stream edit {name} --max-msg-size=-1`",
                    is.max_message_size
                )
            });
        }
    }
    if wanted.role != Role::Input {
        let needed = wanted.config.duplicate_window;
        found.breaks(is.duplicate_window < needed, || {
            format!(
                "remembers message ids for {:?} only, a story delivered again later would come out twice; \
                 `nats stream edit {name} --dupe-window={}s`",
                is.duplicate_window,
                needed.as_secs()
            )
        });
    }
    found.found
}

fn compare_consumer(stream: &str, wanted: &pull::Config, is: &jetstream::consumer::Config) -> Vec<Difference> {
    let durable = is.durable_name.clone().unwrap_or_default();
    let mut found = Findings::new(format!("consumer {durable} of stream {stream}"));
    let edit = |flag: String| format!("`nats consumer edit {stream} {durable} {flag}`");
    found.breaks(is.deliver_subject.is_some(), || "is a push consumer, the worker needs a pull consumer".to_owned());
    found.breaks(is.ack_policy != AckPolicy::Explicit, || {
        "does not ask for an acknowledgement of each story".to_owned()
    });
    found.breaks(is.max_deliver > 0, || {
        format!("gives a story up after {} deliveries, silently; {}", is.max_deliver, edit("--max-deliver=-1".into()))
    });
    found.breaks(!is.backoff.is_empty(), || {
        "has a backoff list, which replaces ack_wait; the consumer has to be made anew".to_owned()
    });
    found.breaks(is.headers_only, || "delivers headers only".to_owned());
    found.breaks(is.inactive_threshold > Duration::ZERO, || {
        format!("is deleted after {:?} without a worker, and its place in the stream with it", is.inactive_threshold)
    });
    let filters: Vec<&str> = match is.filter_subjects.is_empty() {
        true => vec![is.filter_subject.as_str()],
        false => is.filter_subjects.iter().map(String::as_str).collect(),
    };
    found.breaks(filters != [wanted.filter_subject.as_str()], || {
        format!("reads {filters:?}, the configuration says {:?}", wanted.filter_subject)
    });
    found.breaks(is.ack_wait != wanted.ack_wait, || {
        format!(
            "waits {:?} for a sign of life, the configuration says {:?}; {}",
            is.ack_wait,
            wanted.ack_wait,
            edit(format!("--wait={}ms", wanted.ack_wait.as_millis()))
        )
    });
    let skips = !matches!(
        is.deliver_policy,
        DeliverPolicy::All | DeliverPolicy::ByStartSequence { .. } | DeliverPolicy::ByStartTime { .. }
    );
    found.breaks(skips, || format!("skips stories that were stored before it ({:?})", is.deliver_policy));
    let narrow = is.max_batch > 0 || is.max_bytes > 0 || is.max_expires > Duration::ZERO;
    found.breaks(narrow, || {
        format!("limits requests; {}", edit("--max-pull-batch=0 --max-pull-bytes=0 --max-pull-expire=0s".into()))
    });
    let pending_short = is.max_ack_pending > 0 && is.max_ack_pending < wanted.max_ack_pending;
    found.warns(pending_short, || {
        format!("lets {} deliveries be open, the configuration says {}", is.max_ack_pending, wanted.max_ack_pending)
    });
    found.warns(is.replay_policy != ReplayPolicy::Instant, || "replays at the original pace".to_owned());
    found.found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn stream_findings(role: Role, change: impl Fn(&mut stream::Config)) -> Vec<Difference> {
        let config = Config::default();
        let wanted = streams(&config).into_iter().find(|wanted| wanted.role == role).expect("a stream");
        let mut is = wanted.config.clone();
        change(&mut is);
        compare_stream(&wanted, &is, MIB)
    }

    #[test]
    fn a_difference_and_its_command_come_apart() {
        let found = stream_findings(Role::Output, |c| c.no_ack = true);
        let (what, command) = found[0].split_command();
        assert!(what.ends_with("known to be stored"), "{what}");
        assert_eq!(command, Some("nats stream edit WIRE_ENRICHED --ack"));
        let found = stream_findings(Role::Output, |c| c.storage = StorageType::Memory);
        assert_eq!(found[0].split_command(), (found[0].what.as_str(), None));
    }

    #[test]
    fn what_the_worker_creates_keeps_the_promise() {
        for role in [Role::Input, Role::Output, Role::Dead] {
            assert_eq!(stream_findings(role, |_| {}), []);
        }
        let config = Config::default();
        let wanted = consumer(&config, &Input::default());
        assert_eq!(compare_consumer("WIRE_RAW", &wanted, &into_is(&wanted)), []);
    }

    #[test]
    fn every_way_to_lose_a_story_is_refused() {
        let broken = |role, change: fn(&mut stream::Config)| {
            stream_findings(role, change).iter().any(|difference| difference.breaks_the_promise)
        };
        assert!(broken(Role::Input, |c| c.retention = RetentionPolicy::WorkQueue));
        assert!(broken(Role::Output, |c| c.retention = RetentionPolicy::Interest));
        assert!(broken(Role::Dead, |c| c.no_ack = true));
        assert!(broken(Role::Input, |c| c.max_message_size = -1));
        assert!(broken(Role::Dead, |c| c.max_message_size = 1000));
        assert!(broken(Role::Dead, |c| c.duplicate_window = Duration::from_mins(2)));
        assert!(broken(Role::Output, |c| c.duplicate_window = Duration::from_mins(2)));
        assert!(broken(Role::Output, |c| {
            c.discard = DiscardPolicy::Old;
            c.max_bytes = 1;
        }));
        assert!(broken(Role::Output, |c| c.max_messages_per_subject = 5));
        assert!(broken(Role::Dead, |c| c.subjects = vec!["other.>".into()]));
        assert!(!broken(Role::Output, |c| c.discard = DiscardPolicy::Old), "an unbounded stream drops nothing");
        assert!(!broken(Role::Output, |c| c.max_age = Duration::from_mins(1)), "told, not refused");
    }

    #[test]
    fn consumers_that_lose_or_repeat_are_refused() {
        let wanted = consumer(&Config::default(), &Input::default());
        let broken = |change: fn(&mut jetstream::consumer::Config)| {
            let mut is = into_is(&wanted);
            change(&mut is);
            compare_consumer("WIRE_RAW", &wanted, &is).iter().any(|difference| difference.breaks_the_promise)
        };
        assert!(broken(|c| c.max_deliver = 5));
        assert!(broken(|c| c.ack_policy = AckPolicy::None));
        assert!(broken(|c| c.backoff = vec![Duration::from_secs(1)]));
        assert!(broken(|c| c.inactive_threshold = Duration::from_secs(1)));
        assert!(broken(|c| c.filter_subject = "wire.raw.other".into()));
        assert!(broken(|c| c.ack_wait = Duration::from_secs(5)));
        assert!(broken(|c| c.deliver_policy = DeliverPolicy::New));
        assert!(broken(|c| c.max_batch = 10));
        assert!(!broken(|c| c.max_ack_pending = 1000), "told, not refused");
    }

    fn into_is(wanted: &pull::Config) -> jetstream::consumer::Config {
        use async_nats::jetstream::consumer::IntoConsumerConfig;
        wanted.clone().into_consumer_config()
    }
}

//! Streams and consumers: created when missing and allowed, otherwise compared.
//!
//! What exists is never changed behind the operator's back. Every difference is named; those
//! that would break the promise of `docs/DELIVERY.md` stop the worker, the others are warnings.

mod compare;

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull},
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};

pub(super) use self::compare::quoted;

use super::{
    broker::{Broker, version},
    checkpoint,
    config::{Config, EmbargoMode, Input},
    mend::Step,
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
    /// What differs, and why it matters.
    pub what: String,
    /// What mends it.
    pub mend: Step,
    /// Whether the promise cannot be kept with it.
    pub breaks_the_promise: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.object, self.what, self.mend)
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
        let mend = Step::update_server(version::NAMED);
        found.push(Difference { object, what: verdict.what, mend, breaks_the_promise: verdict.is_too_old });
        if verdict.is_too_old {
            return Err(TopologyError::Broken(found));
        }
    }
    let max_payload = broker.client.max_payload();
    for wanted in streams(config) {
        let is = ensure_stream(&broker.jetstream, &wanted.config, config.streams.create_missing).await?;
        found.extend(compare::stream(&wanted, &is, max_payload));
    }
    for (name, input) in &config.inputs.0 {
        let wanted = consumer(config, input);
        let is = ensure_consumer(&broker.jetstream, name, &wanted, Begins::AsConfigured, config, bucket).await?;
        found.extend(compare::consumer(&config.streams.input.name, &wanted, &is));
        found.extend(compare::input(name, input, max_payload));
    }
    found.extend(compare::bucket(bucket.config(), config));
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
    let (mut found, mut is_missing) = (Vec::new(), false);
    let max_payload = broker.client.max_payload();
    for wanted in streams(config) {
        match reading::look(&broker.jetstream, &wanted.config.name).await {
            Ok(info) => found.extend(compare::stream(&wanted, &info.config, max_payload)),
            Err(ReadError::Missing(name)) => {
                is_missing |= wanted.role == Role::Input;
                found.push(compare::missing(format!("stream {name}"), config));
            }
            Err(error) => return Err(error),
        }
    }
    let name = &config.streams.input.name;
    found.extend(config.inputs.0.iter().filter_map(|(name, input)| compare::input(name, input, max_payload)));
    if is_missing {
        return Ok(found);
    }
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| wrong(&error))?;
    for input in config.inputs.0.values() {
        match handle.consumer_info(&input.durable).await {
            Ok(info) => found.extend(compare::consumer(name, &consumer(config, input), &info.config)),
            Err(error) if error.kind() == jetstream::context::ConsumerInfoErrorKind::NotFound => {
                found.push(compare::missing(format!("consumer {} of stream {name}", input.durable), config));
            }
            Err(error) => return Err(wrong(&error)),
        }
    }
    Ok(found)
}

/// Makes the consumer of one input again where it is missing while the worker runs.
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
    ensure_consumer(&broker.jetstream, name, &consumer(config, input), Begins::AtItsPlace, config, bucket)
        .await
        .map(drop)
}

/// Where a consumer begins that has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// Where the configuration says, if that has not been done before; else at its place.
    AsConfigured,
    /// At its checkpoint, else where the configuration says.
    AtItsPlace,
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
    begins: Begins,
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
    let mut told = jetstream.get_stream(stream).await.map_err(|error| unreachable(error.to_string()))?;
    let configured = match wanted.deliver_policy {
        DeliverPolicy::ByStartSequence { start_sequence } => Some(start_sequence),
        _ => None,
    };
    // What the configuration says holds once: the key may stand there long after the repair that it was for.
    let is_news = match (configured, begins) {
        (Some(start), Begins::AsConfigured) => !checkpoint::was_begun_at(bucket, &mut told, &durable, start).await?,
        _ => false,
    };
    if !is_news {
        match checkpoint::resume(bucket, &mut told, &durable).await? {
            Some(place) => {
                tracing::warn!(consumer.name = %durable, place = ?place, "a consumer is missing; it goes on from its checkpoint");
                wanted.deliver_policy = place;
            }
            None if configured.is_none() && has_results(jetstream, config).await? => {
                return Err(TopologyError::Forgotten { object, input: input.to_owned() });
            }
            None => {}
        }
    }
    let created = handle.create_consumer_strict(wanted.clone()).await;
    match created {
        Ok(consumer) => {
            tracing::info!(consumer.name = %durable, consumer.filter = %wanted.filter_subject, "created the consumer");
            if let Some(start) = configured.filter(|_| is_news) {
                checkpoint::note_begun_at(bucket, &mut told, &durable, start).await?;
            }
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

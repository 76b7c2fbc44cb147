//! Where each consumer stands, kept outside of it: a consumer that is deleted loses its place.
//!
//! Every look at a consumer notes its acknowledgement floor in the state bucket, with the time at
//! which the input stream was made, because a stream that is made anew counts from 1 again. A
//! consumer that has gone is made again from the floor: nothing before it is published again, and
//! nothing after it is left out. What was done between the last note and the end of the consumer
//! is read again and gives no second record inside the output's duplicate window.

use std::time::Duration;

use async_nats::jetstream::{self, consumer::DeliverPolicy, context::ConsumerInfoErrorKind};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    broker::Broker,
    config::{Config, Input},
    state::{StateBucket, StateError},
    topology::{self, TopologyError},
};

/// How often a consumer's place is noted.
const INTERVAL: Duration = Duration::from_secs(2);

/// A noted place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Every story up to this sequence is done.
    pub floor: u64,
    /// When the input stream was made, in nanoseconds since 1970.
    pub stream_made_ns: i128,
}

fn key(durable: &str) -> String {
    format!("floor.{durable}")
}

/// The noted place of a consumer.
///
/// # Errors
/// The bucket does not answer.
pub async fn read(bucket: &StateBucket, durable: &str) -> Result<Option<Checkpoint>, StateError> {
    let noted = bucket.read(&key(durable)).await?;
    Ok(noted.and_then(|noted| serde_json::from_slice(&noted.value).ok()))
}

/// Notes a place. A place behind the noted one of the same stream is not noted: a consumer that was
/// made again by hand may begin earlier, and what it repeats is done.
///
/// # Errors
/// The bucket does not answer.
pub async fn note(bucket: &StateBucket, durable: &str, now: Checkpoint) -> Result<(), StateError> {
    let before = read(bucket, durable).await?;
    let is_news = before.is_none_or(|before| before.stream_made_ns != now.stream_made_ns || before.floor < now.floor);
    if !is_news {
        return Ok(());
    }
    // A checkpoint is a few numbers; writing them cannot fail.
    bucket.put(&key(durable), serde_json::to_vec(&now).unwrap_or_default().into()).await
}

fn begun_key(durable: &str) -> String {
    format!("begun_at.{durable}")
}

async fn made_ns(stream: &mut jetstream::stream::Stream, durable: &str) -> Result<i128, TopologyError> {
    let unreachable = |why: String| TopologyError::Unreachable { object: format!("checkpoint of {durable}"), why };
    Ok(stream.info().await.map_err(|error| unreachable(error.to_string()))?.created.unix_timestamp_nanos())
}

/// Whether a consumer of this input stream was begun where the configuration says.
///
/// # Errors
/// The bucket or the stream does not answer.
pub async fn was_begun_at(
    bucket: &StateBucket,
    stream: &mut jetstream::stream::Stream,
    durable: &str,
    start: u64,
) -> Result<bool, TopologyError> {
    let unreachable = |error: StateError| TopologyError::Unreachable {
        object: format!("checkpoint of {durable}"),
        why: error.to_string(),
    };
    let noted = bucket.read(&begun_key(durable)).await.map_err(unreachable)?;
    let noted: Option<(u64, i128)> = noted.and_then(|noted| serde_json::from_slice(&noted.value).ok());
    Ok(noted == Some((start, made_ns(stream, durable).await?)))
}

/// Notes that a consumer was begun where the configuration says.
///
/// # Errors
/// The bucket or the stream does not answer.
pub async fn note_begun_at(
    bucket: &StateBucket,
    stream: &mut jetstream::stream::Stream,
    durable: &str,
    start: u64,
) -> Result<(), TopologyError> {
    let noted = serde_json::to_vec(&(start, made_ns(stream, durable).await?)).unwrap_or_default();
    bucket.put(&begun_key(durable), noted.into()).await.map_err(|error| TopologyError::Unreachable {
        object: format!("checkpoint of {durable}"),
        why: error.to_string(),
    })
}

/// Where a consumer that is missing has to begin, when its place is known.
///
/// # Errors
/// The bucket or the stream does not answer.
pub async fn resume(
    bucket: &StateBucket,
    stream: &mut jetstream::stream::Stream,
    durable: &str,
) -> Result<Option<DeliverPolicy>, TopologyError> {
    let unreachable = |why: String| TopologyError::Unreachable { object: format!("checkpoint of {durable}"), why };
    let noted = read(bucket, durable).await.map_err(|error| unreachable(error.to_string()))?;
    let made = made_ns(stream, durable).await?;
    Ok(noted
        .filter(|noted| noted.stream_made_ns == made)
        .map(|noted| DeliverPolicy::ByStartSequence { start_sequence: noted.floor + 1 }))
}

/// Notes where every consumer stands, and makes those that have gone again, until `stop`.
pub async fn keep(broker: Broker, config: Config, bucket: StateBucket, stop: CancellationToken) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        for (name, input) in &config.inputs.0 {
            if stop.run_until_cancelled(Box::pin(look(&broker, &config, &bucket, name, input))).await.is_none() {
                return;
            }
        }
    }
}

async fn look(broker: &Broker, config: &Config, bucket: &StateBucket, name: &str, input: &Input) {
    let Ok(stream) = broker.jetstream.get_stream(&config.streams.input.name).await else { return };
    match stream.consumer_info(&input.durable).await {
        Ok(info) => {
            let stream_made_ns = stream.cached_info().created.unix_timestamp_nanos();
            let now = Checkpoint { floor: info.ack_floor.stream_sequence, stream_made_ns };
            if let Err(error) = note(bucket, &input.durable, now).await {
                tracing::warn!(error = %error, "cannot note where the consumer stands");
            }
        }
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
            if let Err(error) = topology::renew_consumer(broker, config, bucket, name, input).await {
                tracing::error!(error = %error, "the consumer has gone and cannot be made again");
            }
        }
        Err(_) => {}
    }
}

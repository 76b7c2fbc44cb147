//! The state bucket: what workers must know of each other, in a key-value bucket of the broker.
//!
//! | key | value | who |
//! | --- | --- | --- |
//! | `begun.<durable>.<sequence>.<stored>` | how often the reading of a redelivered story was begun, and by whom last | [`super::poison`] |
//! | `lineage.<hash>` | the versions of a story | [`super::lineage`] |
//! | `begun_at.<durable>` | the `start_sequence` at which a consumer was begun | [`super::checkpoint`] |
//! | `floor.<durable>` | the last acknowledgement floor that was seen | [`super::checkpoint`] |
//! | `ledger` | what the running ledger has compared, and its sums | [`super::running`] |
//! | `discarded.<run>.<number>` | dead letters that an operator discarded | [`super::dead`], [`super::audit`] |
//! | `replay.<run>` | when a replay of dead letters began that has not ended | [`super::dead`] |
//!
//! A value is written either with the revision that it replaces (compare and set), or over
//! whatever is there. What is removed leaves no marker behind, so the bucket holds only what is
//! still of use. An error here is the broker's, never a story's.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    kv::{self, CreateErrorKind, UpdateErrorKind},
    stream::StorageType,
};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{Backoff, Broker},
    config::{Config, Delivery},
    egress::{Gate, Sink},
    topology::TopologyError,
};

/// The bucket, opened.
#[derive(Clone, Debug)]
pub struct StateBucket {
    store: kv::Store,
}

/// A value with the revision under which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub value: Bytes,
    /// Its revision, to be given when it is replaced.
    pub revision: u64,
}

/// What became of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands under this revision.
    Stored(u64),
    /// Somebody else was faster; read again.
    Conflict,
}

/// The bucket could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{key}` in the state bucket: {why}")]
pub struct StateError {
    what: &'static str,
    key: String,
    why: String,
}

impl StateError {
    /// Another worker was faster.
    pub(super) fn conflict(key: &str) -> Self {
        failed("raise", key, &"another worker holds it")
    }
}

/// The worker stopped before it was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// The bucket, asked until it answers: an outage of it is nobody's fault. The gate is closed meanwhile, so
/// that nothing more is asked for.
#[derive(Clone, Debug)]
pub struct PatientBucket {
    /// The bucket.
    pub bucket: StateBucket,
    gate: Arc<Gate>,
    retry: (Duration, Duration),
    stop_now: CancellationToken,
}

impl PatientBucket {
    /// With the pauses between tries; `stop_now` ends them.
    pub fn new(bucket: StateBucket, gate: Arc<Gate>, delivery: &Delivery, stop_now: CancellationToken) -> Self {
        let ms = Duration::from_millis;
        Self { bucket, gate, retry: (ms(delivery.retry_delay_min_ms), ms(delivery.retry_delay_max_ms)), stop_now }
    }

    /// Tries until it succeeds.
    ///
    /// # Errors
    /// The worker stopped first.
    pub async fn until_done<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Stopped>
    where
        F: Future<Output = Result<T, StateError>>,
    {
        let mut backoff = Backoff::new(self.retry.0, self.retry.1);
        let mut held = None;
        loop {
            let error = match self.stop_now.run_until_cancelled(attempt()).await {
                Some(Ok(done)) => return Ok(done),
                Some(Err(error)) => error,
                None => return Err(Stopped),
            };
            if held.is_none() {
                held = Some(self.gate.hold(Sink::State));
                if self.gate.count(Sink::State) == 1 {
                    tracing::warn!(error = %error, "the state bucket does not answer; holding what is here");
                }
            }
            let pause = tokio::time::sleep(backoff.pause());
            self.stop_now.run_until_cancelled(pause).await.ok_or(Stopped)?;
        }
    }
}

impl StateBucket {
    /// Opens the bucket; creates it when it is missing and may be created.
    ///
    /// # Errors
    /// It does not exist and may not be created, or the broker does not answer.
    pub async fn open(broker: &Broker, config: &Config) -> Result<Self, TopologyError> {
        let bucket = config.streams.state.bucket.clone();
        let object = format!("key-value bucket {bucket}");
        let missing = match broker.jetstream.get_key_value(&bucket).await {
            Ok(store) => return Ok(Self { store }),
            Err(error) => error.to_string(),
        };
        if !config.streams.create_missing {
            return Err(match broker.jetstream.get_stream(format!("KV_{bucket}")).await {
                Err(error) if is_not_found(&error) => TopologyError::Missing(object),
                _ => TopologyError::Unreachable { object, why: missing },
            });
        }
        let wanted = kv::Config {
            bucket: bucket.clone(),
            description: "what copydesk workers must know of each other".to_owned(),
            history: 1,
            storage: StorageType::File,
            num_replicas: usize::from(config.streams.replicas),
            ..kv::Config::default()
        };
        match broker.jetstream.create_key_value(wanted).await {
            Ok(store) => {
                tracing::info!(bucket.name = %bucket, "created the state bucket");
                Ok(Self { store })
            }
            // Another worker was faster.
            Err(error) => match broker.jetstream.get_key_value(&bucket).await {
                Ok(store) => Ok(Self { store }),
                Err(_) => Err(TopologyError::Unreachable { object, why: error.to_string() }),
            },
        }
    }

    /// Opens the bucket where there is one; for tools that only look.
    pub async fn peek(broker: &Broker, config: &Config) -> Option<Self> {
        let store = broker.jetstream.get_key_value(&config.streams.state.bucket).await.ok()?;
        Some(Self { store })
    }

    /// How the bucket's stream stood when it was opened.
    pub fn config(&self) -> &async_nats::jetstream::stream::Config {
        &self.store.stream.cached_info().config
    }

    /// The value of a key.
    ///
    /// # Errors
    /// The broker did not say.
    pub async fn read(&self, key: &str) -> Result<Option<Versioned>, StateError> {
        let entry = self.store.entry(key).await.map_err(|error| failed("read", key, &error))?;
        let entry = entry.filter(|entry| entry.operation == kv::Operation::Put);
        Ok(entry.map(|entry| Versioned { value: entry.value, revision: entry.revision }))
    }

    /// Compare and set: replaces the value of that revision, or with none makes a key that is not there.
    ///
    /// # Errors
    /// It is not known to be stored.
    pub async fn write(&self, key: &str, value: Bytes, replaces: Option<u64>) -> Result<Written, StateError> {
        match replaces {
            Some(revision) => match self.store.update(key, value, revision).await {
                Ok(revision) => Ok(Written::Stored(revision)),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(Written::Conflict),
                Err(error) => Err(failed("write", key, &error)),
            },
            None => match self.store.create(key, value).await {
                Ok(revision) => Ok(Written::Stored(revision)),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(Written::Conflict),
                Err(error) => Err(failed("write", key, &error)),
            },
        }
    }

    /// Writes over whatever is there.
    ///
    /// # Errors
    /// It is not known to be stored.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<(), StateError> {
        self.store.put(key, value).await.map(drop).map_err(|error| failed("write", key, &error))
    }

    /// Removes a key, leaving no marker: a bucket denies deletion by sequence, and the client's own
    /// deletion would leave a marker for every key that ever was.
    ///
    /// # Errors
    /// It is not known to be gone.
    pub async fn remove(&self, key: &str) -> Result<(), StateError> {
        let subject = format!("$KV.{}.{key}", self.store.name);
        self.store.stream.purge().filter(subject).await.map(drop).map_err(|error| failed("remove", key, &error))
    }
}

fn failed(what: &'static str, key: &str, error: &dyn std::fmt::Display) -> StateError {
    StateError { what, key: key.to_owned(), why: error.to_string() }
}

/// Whether there is no such stream, and the broker says so.
pub(super) fn is_not_found(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind};
    matches!(error.kind(), GetStreamErrorKind::JetStream(api) if api.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

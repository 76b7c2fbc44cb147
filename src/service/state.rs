//! The state bucket: what workers must know of each other, in a key-value bucket of the broker.
//!
//! | key | value | who |
//! | --- | --- | --- |
//! | `begun.<durable>.<sequence>` | how often the reading of a redelivered story was begun | [`super::poison`] |
//! | `floor.<durable>` | the last acknowledgement floor that was seen | [`super::checkpoint`] |
//! | `ledger` | what the running ledger has compared, and its sums | [`super::running`] |
//! | `discarded.<run>.<number>` | dead letters that an operator discarded | [`super::dead`], [`super::audit`] |
//! | `replay.<run>` | when a replay of dead letters began that has not ended | [`super::dead`] |
//!
//! A value is written either with the revision that it replaces (compare and set), or over
//! whatever is there. What is removed leaves no marker behind, so the bucket holds only what is
//! still of use. An error here is the broker's, never a story's.

use async_nats::jetstream::{
    kv::{self, CreateErrorKind, UpdateErrorKind},
    stream::StorageType,
};
use bytes::Bytes;

use super::{broker::Broker, config::Config, topology::TopologyError};

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

fn is_not_found(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind};
    matches!(error.kind(), GetStreamErrorKind::JetStream(api) if api.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

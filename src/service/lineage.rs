//! The versions of stories, kept in the state bucket.
//!
//! | key | value | who |
//! | --- | --- | --- |
//! | `lineage.<hash>` | [`State`] as JSON: the versions that were seen, and the tombstone | [`Keeper`] |
//!
//! A version is taken in by compare and set, just before its record is published: whatever the
//! number of workers and the order of deliveries, the bucket ends in the same state, and what was
//! killed before that moment is not published. An outage of the bucket is nobody's fault: the gate
//! closes, and what is in the worker is held and tried again.
//!
//! What this does not do: forget. A story's versions are kept as long as the bucket keeps them,
//! some 200 bytes a version and at most [`crate::lineage::VERSIONS_MAX`] versions a story.

use std::{sync::Arc, time::Duration};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{Backoff, Broker},
    config::Config,
    egress::{Gate, Sink},
    state::{StateBucket, Written},
};
use crate::{
    decode::sha256_hex,
    lineage::{Lineage, Place, Sighting, State},
    text::until,
};

/// Hexadecimal digits of a key's hash.
const HASH_DIGITS: usize = 32;

/// Keeps the versions of all stories, or of none.
#[derive(Debug)]
pub struct Keeper {
    broker: Broker,
    config: Config,
    bucket: OnceCell<StateBucket>,
    gate: Arc<Gate>,
    stop_now: CancellationToken,
}

/// The worker stopped before it was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// What is asked of the bucket.
#[derive(Clone, Copy, Debug)]
enum Ask<'a> {
    See(&'a Sighting, Place),
    Killed(&'a str),
}

/// What it says.
#[derive(Debug)]
enum Known {
    Lineage(Lineage),
    Killed(bool),
}

/// What the versions of a story share, as one token of a subject or a key.
pub fn token(key: &str) -> String {
    until(&sha256_hex(key.as_bytes()), HASH_DIGITS).to_owned()
}

impl Keeper {
    /// Keeps the versions when the configuration says so.
    pub fn new(broker: Broker, config: Config, gate: Arc<Gate>, stop_now: CancellationToken) -> Self {
        Self { broker, config, bucket: OnceCell::new(), gate, stop_now }
    }

    /// Takes a version in, and says how it stands to the others.
    ///
    /// # Errors
    /// The worker stopped first.
    pub async fn see(&self, sighting: &Sighting, place: Place) -> Result<Lineage, Stopped> {
        if !self.config.lineage.enabled {
            return Ok(sighting.lineage());
        }
        match self.until_known(Ask::See(sighting, place)).await? {
            Known::Lineage(lineage) => Ok(lineage),
            Known::Killed(_) => Ok(sighting.lineage()),
        }
    }

    /// Whether a story was killed: its tombstone.
    ///
    /// # Errors
    /// The worker stopped first.
    pub async fn is_killed(&self, key: &str) -> Result<bool, Stopped> {
        if !self.config.lineage.enabled {
            return Ok(false);
        }
        Ok(matches!(self.until_known(Ask::Killed(key)).await?, Known::Killed(true)))
    }

    /// Tries again until it is done, with the gate closed meanwhile.
    async fn until_known(&self, ask: Ask<'_>) -> Result<Known, Stopped> {
        let ms = Duration::from_millis;
        let delivery = &self.config.delivery;
        let mut backoff = Backoff::new(ms(delivery.retry_delay_min_ms), ms(delivery.retry_delay_max_ms));
        let mut held = None;
        loop {
            let known = tokio::select! {
                known = self.attempt(ask) => known,
                () = self.stop_now.cancelled() => return Err(Stopped),
            };
            match known {
                Ok(known) => return Ok(known),
                Err(why) => {
                    if held.is_none() {
                        held = Some(self.gate.hold(Sink::State));
                        if self.gate.count(Sink::State) == 1 {
                            tracing::warn!(
                                bucket.name = %self.config.streams.state.bucket, error = %why,
                                "the versions of stories cannot be read or written; holding what is here"
                            );
                        }
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = self.stop_now.cancelled() => return Err(Stopped),
            }
        }
    }

    async fn attempt(&self, ask: Ask<'_>) -> Result<Known, String> {
        match ask {
            Ask::See(sighting, place) => self.try_see(sighting, place).await.map(Known::Lineage),
            Ask::Killed(key) => {
                let (state, _) = self.read(&format!("lineage.{}", token(key))).await?;
                Ok(Known::Killed(state.is_killed()))
            }
        }
    }

    async fn try_see(&self, sighting: &Sighting, place: Place) -> Result<Lineage, String> {
        let name = format!("lineage.{}", token(&sighting.key));
        loop {
            let (mut state, revision) = self.read(&name).await?;
            let before = state.clone();
            let lineage = state.see(sighting, place);
            if state == before {
                return Ok(lineage);
            }
            let value = serde_json::to_vec(&state).map_err(|error| error.to_string())?;
            let bucket = self.bucket().await?;
            match bucket.write(&name, value.into(), revision).await.map_err(|error| error.to_string())? {
                Written::Stored(_) => return Ok(lineage),
                // Another worker had a version of the same story: look at what it left.
                Written::Conflict => {}
            }
        }
    }

    async fn read(&self, name: &str) -> Result<(State, Option<u64>), String> {
        let value = self.bucket().await?.read(name).await.map_err(|error| error.to_string())?;
        let Some(value) = value else { return Ok((State::default(), None)) };
        // Who wrote something else there meant to begin anew.
        Ok((serde_json::from_slice(&value.value).unwrap_or_default(), Some(value.revision)))
    }

    async fn bucket(&self) -> Result<&StateBucket, String> {
        let open = || StateBucket::open(&self.broker, &self.config);
        self.bucket.get_or_try_init(open).await.map_err(|error| error.to_string())
    }
}

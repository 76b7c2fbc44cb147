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

use super::state::{PatientBucket, StateBucket, StateError, Stopped, Written};
use crate::{
    decode::sha256_hex,
    lineage::{Lineage, Place, Sighting, State},
    text::until,
};

/// Hexadecimal digits of a key's hash.
const HASH_DIGITS: usize = 32;
/// Times that other workers may be faster before there is a pause.
const RACES_MAX: usize = 16;

/// Keeps the versions of all stories, or of none.
#[derive(Debug)]
pub struct Keeper {
    bucket: PatientBucket,
    is_enabled: bool,
}

/// What the versions of a story share, as one token of a subject or a key.
pub fn token(key: &str) -> String {
    until(&sha256_hex(key.as_bytes()), HASH_DIGITS).to_owned()
}

impl Keeper {
    /// Keeps the versions when the configuration says so.
    pub fn new(bucket: PatientBucket, is_enabled: bool) -> Self {
        Self { bucket, is_enabled }
    }

    /// Takes a version in, and says how it stands to the others. Tried until it is done.
    ///
    /// # Errors
    /// The worker stopped first.
    pub async fn see(&self, sighting: &Sighting, place: Place) -> Result<Lineage, Stopped> {
        if !self.is_enabled {
            return Ok(sighting.lineage());
        }
        let name = name(&sighting.key);
        self.bucket
            .until_done(|| async {
                let bucket = &self.bucket.bucket;
                for _ in 0..RACES_MAX {
                    let (mut state, revision) = read(bucket, &name).await?;
                    let before = state.clone();
                    let lineage = state.see(sighting, place);
                    if state == before {
                        return Ok(lineage);
                    }
                    // Strings and numbers alone: it can always be written.
                    let value = serde_json::to_vec(&state).unwrap_or_default();
                    if let Written::Stored(_) = bucket.write(&name, value.into(), revision).await? {
                        return Ok(lineage);
                    }
                    // Another worker had a version of the same story: look at what it left.
                }
                Err(StateError::conflict(&name))
            })
            .await
    }

    /// Whether a story was killed: its tombstone. Tried until it is known.
    ///
    /// # Errors
    /// The worker stopped first.
    pub async fn is_killed(&self, key: &str) -> Result<bool, Stopped> {
        if !self.is_enabled {
            return Ok(false);
        }
        let name = name(key);
        self.bucket.until_done(|| async { Ok(read(&self.bucket.bucket, &name).await?.0.is_killed()) }).await
    }
}

fn name(key: &str) -> String {
    format!("lineage.{}", token(key))
}

async fn read(bucket: &StateBucket, name: &str) -> Result<(State, Option<u64>), StateError> {
    let Some(value) = bucket.read(name).await? else { return Ok((State::default(), None)) };
    // Who wrote something else there meant to begin anew.
    Ok((serde_json::from_slice(&value.value).unwrap_or_default(), Some(value.revision)))
}

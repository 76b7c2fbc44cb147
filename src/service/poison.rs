//! Stories that kill the worker (step 5b): told from the innocent by marks in the state bucket.
//!
//! A panic is caught and a loop meets its deadline, but a story can also end the whole process:
//! memory, stack, an abort. Then everything that was in flight comes again, and the delivery count
//! proves nothing: it also rises with outages and restarts. So a story that comes again is read
//! with care: one such story at a time, and before it is read its *begun* mark is raised in the
//! bucket, to be cleared when reading has ended, well or badly. A mark that is found standing means
//! that a worker died over the story. From then on the story is read alone, with nothing else in
//! the pool, so that nobody else can be the killer; and when the mark stands at its limit the story
//! becomes a dead letter unread.
//!
//! An aborting story is thus begun once unmarked and [`Poison::begun_max`] times marked.

use std::sync::Arc;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    flight::Origin,
    state::{StateBucket, StateError, Written},
    turns::{Lane, Turn, Turns},
};

/// Keeps the marks of this worker's stories.
#[derive(Debug)]
pub struct Poison {
    bucket: StateBucket,
    /// How often the reading of a story may be begun under its mark.
    pub begun_max: u32,
    /// Redelivered stories, one at a time.
    suspects: Arc<Turns>,
    /// Held shared by whoever reads, alone by a story over which a worker died.
    reading: RwLock<()>,
}

/// Leave to read one story.
#[derive(Debug)]
pub enum Leave<'a> {
    /// A first delivery: beside all others.
    First(RwLockReadGuard<'a, ()>),
    /// A redelivery under its mark.
    Marked(Marked<'a>),
}

/// A mark that stands, with what goes with it.
#[derive(Debug)]
pub struct Marked<'a> {
    key: String,
    _turn: Turn,
    _beside: Option<RwLockReadGuard<'a, ()>>,
    _alone: Option<RwLockWriteGuard<'a, ()>>,
}

/// What the marks say of a redelivered story.
#[derive(Debug)]
pub struct Suspect {
    key: String,
    /// How often its reading was begun, with the revision of that mark.
    begun: Option<(u32, u64)>,
    turn: Turn,
}

impl Suspect {
    /// How often the story was begun and never ended.
    pub fn begun(&self) -> u32 {
        self.begun.map_or(0, |(times, _)| times)
    }
}

impl Poison {
    /// With the bucket, and the limit of the marks.
    pub fn new(bucket: StateBucket, begun_max: u32, rest_every: u32) -> Self {
        Self { bucket, begun_max, suspects: Turns::new(rest_every), reading: RwLock::default() }
    }

    /// Keeps another share for lower lanes among redelivered stories.
    pub fn keep_rest(&self, rest_every: u32) {
        self.suspects.keep_rest(rest_every);
    }

    /// Waits until no other redelivered story is read here, and looks at this one's mark.
    ///
    /// # Errors
    /// The bucket does not answer: the story can neither be read nor blamed.
    pub async fn suspect(&self, durable: &str, origin: &Origin, lane: Lane) -> Result<Suspect, StateError> {
        let turn = self.suspects.take(lane, &durable.into()).await;
        let key = format!("begun.{durable}.{}.{}", origin.sequence, origin.stored_ns);
        let mark = self.bucket.read(&key).await?;
        let begun = mark.map(|mark| {
            let times = std::str::from_utf8(&mark.value).ok().and_then(|text| text.parse().ok());
            // A mark that cannot be read still says that a worker died.
            (times.unwrap_or(1), mark.revision)
        });
        Ok(Suspect { key, begun, turn })
    }

    /// Raises the mark, and waits until the pool is empty where a worker has died over the story.
    ///
    /// # Errors
    /// The mark is not known to stand, or another worker reads the story: it comes again later.
    pub async fn begin(&self, suspect: Suspect) -> Result<Leave<'_>, StateError> {
        let times = suspect.begun() + 1;
        let (beside, alone) = match times {
            1 => (Some(self.reading.read().await), None),
            _ => (None, Some(self.reading.write().await)),
        };
        let replaces = suspect.begun.map(|(_, revision)| revision);
        match self.bucket.write(&suspect.key, times.to_string().into(), replaces).await? {
            Written::Stored(_) => {
                Ok(Leave::Marked(Marked { key: suspect.key, _turn: suspect.turn, _beside: beside, _alone: alone }))
            }
            Written::Conflict => Err(StateError::conflict(&suspect.key)),
        }
    }

    /// Leave for a first delivery.
    pub async fn first(&self) -> Leave<'_> {
        Leave::First(self.reading.read().await)
    }

    /// Clears the mark of a story whose reading has ended, or that has become a dead letter.
    pub async fn end(&self, leave: Leave<'_>) {
        match leave {
            Leave::First(beside) => drop(beside),
            Leave::Marked(marked) => self.clear(&marked.key).await,
        }
    }

    /// Clears the mark of a story that was never begun again.
    pub async fn forget(&self, suspect: Suspect) {
        if suspect.begun.is_some() {
            self.clear(&suspect.key).await;
        }
    }

    /// A mark that stays is no harm: it makes the next reading of the story a careful one.
    async fn clear(&self, key: &str) {
        if let Err(error) = self.bucket.remove(key).await {
            tracing::warn!(error = %error, "a begun mark stays; the story is read alone if it comes again");
        }
    }
}

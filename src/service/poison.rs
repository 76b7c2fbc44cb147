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
//!
//! Nothing but a death may leave a mark standing. So raising and clearing are tried until they are known
//! to be done, while the gate is closed; and each mark carries a number of its own, by which a worker knows
//! the mark that it raised without hearing of it.

use std::sync::{Arc, LazyLock};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    flight::Origin,
    state::{PatientBucket, StateError, Stopped, Versioned, Written},
    turns::{Lane, Turn, Turns},
};

/// The line of redelivered stories before the limits of all: one of them stands there at a time, and has
/// its turn in rotation with the inputs.
pub static AGAIN: LazyLock<Arc<str>> = LazyLock::new(|| "again".into());

/// Keeps the marks of this worker's stories.
#[derive(Debug)]
pub struct Poison {
    bucket: PatientBucket,
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
#[derive(Clone, Debug)]
pub struct Suspect {
    key: String,
    /// How often its reading was begun, with the revision of that mark.
    begun: Option<(u32, u64)>,
}

impl Suspect {
    /// How often the story was begun and never ended.
    pub fn begun(&self) -> u32 {
        self.begun.map_or(0, |(times, _)| times)
    }
}

/// Why a mark does not stand.
#[derive(Debug)]
pub enum Unmarked {
    /// The worker stopped first.
    Stopped,
    /// Another worker has raised it meanwhile: it reads the story.
    Taken(StateError),
}

/// What a mark holds: how often, and whose it is.
fn mark(times: u32, number: u64) -> String {
    format!("{times} {number:016x}")
}

/// How often, of a mark. One that cannot be read still says that a worker died.
fn times(mark: &Versioned) -> u32 {
    let text = std::str::from_utf8(&mark.value).unwrap_or_default();
    text.split(' ').next().and_then(|times| times.parse().ok()).unwrap_or(1)
}

impl Poison {
    /// With the bucket, and the limit of the marks.
    pub fn new(bucket: PatientBucket, begun_max: u32, rest_every: u32) -> Self {
        Self { bucket, begun_max, suspects: Turns::new(rest_every), reading: RwLock::default() }
    }

    /// Keeps another share for lower lanes among redelivered stories.
    pub fn keep_rest(&self, rest_every: u32) {
        self.suspects.keep_rest(rest_every);
    }

    /// Looks at the mark of a redelivered story.
    ///
    /// # Errors
    /// The bucket does not answer: the story can neither be read nor blamed.
    pub async fn look(&self, durable: &str, origin: &Origin) -> Result<Suspect, StateError> {
        let key = format!("begun.{durable}.{}.{}", origin.sequence, origin.stored_ns);
        let mark = self.bucket.bucket.read(&key).await?;
        Ok(Suspect { key, begun: mark.map(|mark| (times(&mark), mark.revision)) })
    }

    /// Waits until no other redelivered story is read here.
    pub async fn turn(&self, lane: Lane, input: &Arc<str>) -> Turn {
        self.suspects.take(lane, input).await
    }

    /// Raises the mark, and waits until the pool is empty where a worker has died over the story.
    ///
    /// # Errors
    /// The mark does not stand.
    pub async fn begin(&self, suspect: &Suspect, turn: Turn) -> Result<Leave<'_>, Unmarked> {
        let begun = suspect.begun() + 1;
        // First, so that a mark never stands over a story that only waits.
        let (beside, alone) = match begun {
            1 => (Some(self.reading.read().await), None),
            _ => (None, Some(self.reading.write().await)),
        };
        let replaces = suspect.begun.map(|(_, revision)| revision);
        let value = mark(begun, fastrand::u64(..));
        let raised = self.bucket.until_done(|| async {
            let bucket = &self.bucket.bucket;
            match bucket.write(&suspect.key, value.clone().into(), replaces).await? {
                Written::Stored(_) => Ok(true),
                // It may be this very mark, of a try whose receipt was lost.
                Written::Conflict => Ok(bucket.read(&suspect.key).await?.is_some_and(|mark| mark.value == value)),
            }
        });
        match raised.await {
            Ok(true) => {
                Ok(Leave::Marked(Marked { key: suspect.key.clone(), _turn: turn, _beside: beside, _alone: alone }))
            }
            Ok(false) => Err(Unmarked::Taken(StateError::conflict(&suspect.key))),
            Err(Stopped) => Err(Unmarked::Stopped),
        }
    }

    /// Leave for a first delivery.
    pub async fn first(&self) -> Leave<'_> {
        Leave::First(self.reading.read().await)
    }

    /// Clears the mark of a story whose reading has ended.
    pub async fn end(&self, leave: Leave<'_>) {
        match leave {
            Leave::First(beside) => drop(beside),
            Leave::Marked(marked) => self.clear(&marked.key).await,
        }
    }

    /// Clears the mark of a story that has become a dead letter unread.
    pub async fn forget(&self, suspect: &Suspect) {
        if suspect.begun.is_some() {
            self.clear(&suspect.key).await;
        }
    }

    /// Only a stop leaves it: then the story, if it comes again, is read with more care than it needs.
    async fn clear(&self, key: &str) {
        if self.bucket.until_done(|| self.bucket.bucket.remove(key)).await.is_err() {
            tracing::warn!("stopped before a begun mark was cleared; the story is read alone if it comes again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_all_ages_tell_how_often() {
        for (value, expected) in [(mark(3, 7).as_str(), 3), ("2", 2), ("", 1), ("\u{ff}", 1)] {
            let mark = Versioned { value: value.to_owned().into(), revision: 1 };
            assert_eq!(times(&mark), expected, "{value:?}");
        }
    }
}

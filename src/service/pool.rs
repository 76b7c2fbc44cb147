//! The CPU pool (step 5): reading never runs on the async threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    decode::{self, DecodeError, Hints},
    extract::Desk,
    lineage::Sighting,
    record::{Record, StatusKind},
};

/// What becomes of a story's bytes. The service's only door to the desk.
pub trait Reader: Send + Sync + 'static {
    /// Reads the stories of a message, in the order sent.
    ///
    /// # Errors
    /// Outside: the message can never be read; inside: a story of it.
    fn read(&self, input: &[u8], hints: &Hints) -> Result<Stories<DecodeError>, DecodeError>;

    /// Whether the message is a kill, which waits for no limit.
    fn is_kill(&self, _input: &[u8], _hints: &Hints) -> bool {
        false
    }
}

/// The stories of a message; one that cannot be read stands as an error among the others.
pub type Stories<E> = Vec<Result<Enriched, E>>;

/// A record ready to be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enriched {
    /// The record as JSON.
    pub body: Bytes,
    /// The story's own id.
    pub id: String,
    /// Values that a subject may be made of.
    pub agency: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Status kind.
    pub status: Option<String>,
    /// The feed.
    pub source: Option<String>,
    /// What the versions of the story are told by; the body does not hold the lineage yet.
    pub sighting: Option<Sighting>,
    /// Not to be published before.
    pub embargo: Option<jiff::Timestamp>,
}

impl Reader for Desk {
    fn read(&self, input: &[u8], hints: &Hints) -> Result<Stories<DecodeError>, DecodeError> {
        #[cfg(feature = "failpoints")]
        super::failpoint::obey(input);
        let stories = decode::decode_all(input, hints)?;
        Ok(stories.into_iter().map(|story| enrich(Desk::read(self, story?))).collect())
    }

    fn is_kill(&self, input: &[u8], hints: &Hints) -> bool {
        let stories = decode::decode_all(input, hints).unwrap_or_default();
        stories.iter().flatten().any(|story| self.peek(story) == StatusKind::Kill)
    }
}

fn enrich(mut record: Record) -> Result<Enriched, DecodeError> {
    let status = record.status.as_ref().and_then(|status| serde_json::to_value(status.kind).ok());
    let embargo = record.status.as_ref().and_then(|status| status.embargo.as_ref()).and_then(|time| time.parse().ok());
    let sighting = record.sighting();
    // Put in when it is known how the story stands to its other versions.
    record.lineage = None;
    let body = serde_json::to_vec(&record).map_err(|error| DecodeError {
        code: "record.unwritable",
        message: error.to_string(),
        offset: None,
        id: Some(record.id.clone()),
    })?;
    Ok(Enriched {
        body: body.into(),
        agency: record.dateline.as_ref().and_then(|d| d.agency.as_ref()).map(|agency| agency.span.text.clone()),
        language: record.language.map(|language| language.code),
        status: status.and_then(|kind| kind.as_str().map(str::to_owned)),
        source: record.source,
        id: record.id,
        sighting,
        embargo,
    })
}

/// Why a story is refused for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// A dotted code.
    pub code: &'static str,
    /// In words, without story text.
    pub detail: String,
    /// The story's own id, where it could be read.
    pub id: Option<String>,
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self { code: error.code, detail: error.message, id: error.id }
    }
}

/// Threads that read stories.
pub struct Pool {
    threads: rayon::ThreadPool,
    reader: Arc<dyn Reader>,
    slots: Arc<Semaphore>,
    deadline_ms: AtomicU64,
    watch: Arc<Watch>,
}

/// How many threads a pool has, and how many of them a story does not give back.
#[derive(Debug, Default)]
pub struct Watch {
    threads: AtomicUsize,
    /// For a moment below zero, when a thread comes back just as its loss is counted.
    lost: AtomicIsize,
}

impl Watch {
    /// Threads that have read one story for longer than the deadline and still do.
    pub fn lost(&self) -> usize {
        usize::try_from(self.lost.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Threads in all.
    pub fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Whether half of the threads or more are lost: a new process has all of them.
    pub fn is_half_lost(&self) -> bool {
        let threads = self.threads.load(Ordering::Relaxed);
        threads > 0 && self.lost() * 2 >= threads
    }

    /// Whether no thread is left to read anything: only a new process helps.
    pub fn is_dead(&self) -> bool {
        let threads = self.threads.load(Ordering::Relaxed);
        threads > 0 && self.lost() >= threads
    }
}

/// A place in the pool's queue; the queue is short, so that nothing waits where it cannot be
/// given back.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Slots a thread: one that is read and one that waits behind it.
const SLOTS_PER_THREAD: usize = 2;
/// Pieces in which a deadline is waited for.
const DEADLINE_PIECES: u32 = 10;

impl Pool {
    /// Starts the threads; 0 means one a core.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(threads: usize, deadline: Duration, reader: Arc<dyn Reader>, watch: Arc<Watch>) -> anyhow::Result<Self> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("desk-{index}"))
            .panic_handler(|_| tracing::error!("a job of the pool panicked outside of reading"))
            .build()?;
        let slots = Arc::new(Semaphore::new(threads.current_num_threads() * SLOTS_PER_THREAD));
        watch.threads.store(threads.current_num_threads(), Ordering::Relaxed);
        let pool = Self { threads, reader, slots, deadline_ms: AtomicU64::default(), watch };
        pool.allow(deadline);
        Ok(pool)
    }

    /// Longest time that reading may take; for stories whose reading begins from now on.
    pub fn allow(&self, deadline: Duration) {
        self.deadline_ms.store(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.load(Ordering::Relaxed))
    }

    /// Waits for a place, first come, first served.
    pub async fn slot(&self) -> Slot {
        // The semaphore is never closed; a place of its own keeps the type total.
        match self.slots.clone().acquire_owned().await {
            Ok(permit) => Slot(permit),
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether a message is a kill. Asked of stories that would have to wait for a limit, in the
    /// pool and without a place in its queue: the permits bound how many ask.
    ///
    /// # Errors
    /// It cannot be told, and the message can never be read: decoding panicked, or took too long.
    pub async fn is_kill(&self, input: Bytes, hints: Hints) -> Result<bool, Rejection> {
        let reader = self.reader.clone();
        self.run(None, move || reader.is_kill(&input, &hints)).await
    }

    /// Reads one message in the pool.
    ///
    /// # Errors
    /// Outside: it can never be read, because it does not decode, reading it panicked, or took too
    /// long. Inside: a story of it.
    pub async fn read(&self, slot: Slot, input: Bytes, hints: Hints) -> Result<Stories<Rejection>, Rejection> {
        let reader = self.reader.clone();
        let stories = self.run(Some(slot), move || reader.read(&input, &hints)).await??;
        Ok(stories.into_iter().map(|story| story.map_err(Rejection::from)).collect())
    }

    /// Runs a job on a thread of the pool; `slot` is given back when the thread is.
    async fn run<T: Send + 'static>(
        &self,
        slot: Option<Slot>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let (tell_begun, begun) = oneshot::channel();
        let (tell, mut told) = oneshot::channel();
        let watch = self.watch.clone();
        self.threads.spawn_fifo(move || {
            // Nobody listens any more when the worker has stopped.
            let _ = tell_begun.send(());
            let done = catch_unwind(AssertUnwindSafe(job));
            if tell.send(done.map_err(drop)).is_err() {
                // The deadline had passed: the thread was counted as lost, and is back.
                watch.lost.fetch_sub(1, Ordering::Relaxed);
            }
            drop(slot);
        });
        let refused = |code, detail: &str| Rejection { code, detail: detail.to_owned(), id: None };
        // The deadline counts from the beginning: waiting behind a slow story is nobody's fault.
        if begun.await.is_err() {
            return Err(refused("read.panic", "the pool lost the story"));
        }
        let deadline = self.deadline();
        // In pieces: while the whole process stands still, as under SIGSTOP, one piece at most is over.
        for _ in 0..DEADLINE_PIECES {
            match tokio::time::timeout(deadline / DEADLINE_PIECES, &mut told).await {
                Ok(Ok(Ok(done))) => return Ok(done),
                Ok(Ok(Err(())) | Err(_)) => return Err(refused("read.panic", "reading the story panicked")),
                Err(_) => {}
            }
        }
        self.watch.lost.fetch_add(1, Ordering::Relaxed);
        Err(refused("read.deadline", &format!("reading took longer than {} ms", deadline.as_millis())))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.current_num_threads()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics on `panic`; on `hang` waits until the test lets go.
    struct Odd(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

    impl Reader for Odd {
        fn read(&self, input: &[u8], _: &Hints) -> Result<Stories<DecodeError>, DecodeError> {
            match input {
                b"panic" => panic!("on purpose"),
                b"hang" => drop(self.0.lock().expect("one at a time").recv()),
                _ => {}
            }
            Ok(vec![Ok(Enriched { id: String::from_utf8_lossy(input).into_owned(), ..Enriched::default() })])
        }

        fn is_kill(&self, input: &[u8], hints: &Hints) -> bool {
            self.read(input, hints).is_ok_and(|_| input == b"kill")
        }
    }

    async fn code_of(pool: &Pool, input: &'static str) -> Option<&'static str> {
        let read = pool.read(pool.slot().await, Bytes::from_static(input.as_bytes()), Hints::default()).await;
        read.err().map(|rejection| rejection.code)
    }

    #[tokio::test]
    async fn a_story_that_panics_or_never_ends_is_refused_and_its_neighbours_are_read() {
        let (let_go, held) = std::sync::mpsc::channel();
        let reader = Arc::new(Odd(std::sync::Mutex::new(held)));
        let watch = Arc::new(Watch::default());
        let pool = Pool::new(1, Duration::from_secs(2), reader, watch.clone()).expect("threads");
        assert_eq!(code_of(&pool, "panic").await, Some("read.panic"));
        assert_eq!(code_of(&pool, "good").await, None);
        // The second waits behind the first for longer than the deadline, and is innocent.
        let both = futures_util::future::join(code_of(&pool, "hang"), code_of(&pool, "good"));
        let letting_go = async {
            while watch.lost() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(watch.is_dead(), "its only thread is lost");
            let_go.send(()).expect("the reader waits");
        };
        let (codes, ()) = futures_util::future::join(both, letting_go).await;
        assert_eq!(codes, (Some("read.deadline"), None));
        assert!(!watch.is_dead(), "the thread came back");
    }

    #[tokio::test]
    async fn a_changed_deadline_holds_for_the_next_story() {
        let (let_go, held) = std::sync::mpsc::channel();
        let reader = Arc::new(Odd(std::sync::Mutex::new(held)));
        let pool = Pool::new(1, Duration::from_hours(1), reader, Arc::default()).expect("threads");
        pool.allow(Duration::from_millis(120));
        let slot = pool.slot().await;
        let read = pool.read(slot, Bytes::from_static(b"hang"), Hints::default()).await;
        assert_eq!(read.expect_err("too long").detail, "reading took longer than 120 ms");
        let_go.send(()).expect("the reader waits");
        assert_eq!(code_of(&pool, "good").await, None);
    }

    /// Looking for a kill is reading too: its panics and its losses count as such.
    #[tokio::test]
    async fn a_story_that_cannot_be_looked_at_is_refused_and_its_thread_is_counted() {
        let (let_go, held) = std::sync::mpsc::channel();
        let watch = Arc::new(Watch::default());
        let reader = Arc::new(Odd(std::sync::Mutex::new(held)));
        let pool = Pool::new(1, Duration::from_secs(1), reader, watch.clone()).expect("threads");
        let asked = async |input: &'static str| {
            let asked = pool.is_kill(Bytes::from_static(input.as_bytes()), Hints::default()).await;
            asked.map_err(|rejection| rejection.code)
        };
        assert_eq!(asked("kill").await, Ok(true));
        assert_eq!(asked("good").await, Ok(false));
        assert_eq!(asked("panic").await, Err("read.panic"));
        assert_eq!(asked("hang").await, Err("read.deadline"));
        assert!(watch.is_dead(), "its only thread is lost");
        let_go.send(()).expect("the reader waits");
        assert_eq!(asked("kill").await, Ok(true), "the thread came back");
    }

    #[test]
    fn the_desk_gives_what_subjects_are_made_of() {
        let read = Reader::read(&Desk::new(), br#"{"id":"a","text":"All quiet.","source":"s1"}"#, &Hints::default());
        let read = read.expect("a message").remove(0).expect("a story");
        assert_eq!(
            (read.id.as_str(), read.source.as_deref(), read.status.as_deref()),
            ("a", Some("s1"), Some("original"))
        );
        assert!(read.body.starts_with(b"{\"schema\":\"copydesk/record/1\""));
    }
}

//! The running ledger: while the fleet works, one worker now and then compares what was done since the
//! last comparison with what stands for it, and every worker shows the sums.
//!
//! ```text
//! state bucket `ledger` ─▶ is it time? ─▶ stories up to the acknowledgement floor ─▶ audit ─▶ sums, compare and set
//! ```
//!
//! One comparison reads headers alone: at most [`STORIES_MAX`] stories, and the results since none of them
//! had been delivered, at most [`RESULTS_MAX`]. What is above that is passed over and counted as such.
//!
//! It runs on the worker's own connection and never reads headers of the input: one message whose headers
//! are no text would cost the connection.
//!
//! What it cannot see: what was done before the first comparison; what was passed over; a second record
//! that comes after its story was compared; whether a record is right. `copydesk audit` looks at everything.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    audit::{self, Cursor},
    broker::Broker,
    config::Config,
    metrics::{self, Sums},
    reading::look,
    state::{StateBucket, Written},
};

/// Stories of one comparison.
pub const STORIES_MAX: u64 = 20_000;
/// Results that one comparison reads.
pub const RESULTS_MAX: u64 = 200_000;
/// Places that are remembered.
const MARKS_MAX: usize = 64;
const KEY: &str = "ledger";

/// What stands in the state bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    /// When the input stream was made: another one begins a new book.
    stream_made_ns: i128,
    /// When the last comparison was, in milliseconds since 1970.
    at_ms: i64,
    /// Everything up to this sequence is compared, or passed over.
    done_to: u64,
    /// Oldest first; the first one lies at or below `done_to`.
    marks: Vec<Mark>,
    sums: Sums,
}

/// When no story above `delivered` had been delivered, the streams of results ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    delivered: u64,
    output: u64,
    dead: u64,
}

/// What is to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: u64,
    to: u64,
    /// Stories before it that are passed over.
    skipped: u64,
    results: Cursor,
}

impl Book {
    fn begin(stream_made_ns: i128, at_ms: i64, now: Mark) -> Self {
        Self { stream_made_ns, at_ms, done_to: now.delivered, marks: vec![now], sums: Sums::default() }
    }

    /// The stretch up to the floor; `None` when nothing new is done.
    fn stretch(&self, floor: u64) -> Option<Stretch> {
        let first = self.done_to + 1;
        if floor < first {
            return None;
        }
        let from = first.max((floor + 1).saturating_sub(STORIES_MAX));
        let mark = self.marks.iter().rev().find(|mark| mark.delivered < from)?;
        let results = Cursor { output: mark.output + 1, dead: mark.dead + 1 };
        Some(Stretch { from, to: floor, skipped: from - first, results })
    }

    /// Notes a new place, and forgets those that no stretch will need.
    fn mark(&mut self, mut now: Mark) {
        // A consumer that was made anew begins again below; what it had delivered stays delivered.
        now.delivered = now.delivered.max(self.marks.last().map_or(0, |mark| mark.delivered));
        match self.marks.last_mut() {
            // The older place is the safer one.
            Some(last) if last.delivered == now.delivered => {}
            _ => self.marks.push(now),
        }
        let needed = self.marks.iter().rposition(|mark| mark.delivered <= self.done_to).unwrap_or(0);
        self.marks.drain(..needed);
        if self.marks.len() > MARKS_MAX {
            // Every second one will do.
            let mut number = 0;
            self.marks.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
    }
}

/// Compares and shows, until `stop`.
pub async fn keep(broker: Broker, config: Arc<Config>, bucket: StateBucket, stop: CancellationToken) {
    let every = Duration::from_millis(config.ledger.check_every_ms);
    if every.is_zero() {
        return stop.cancelled().await;
    }
    // Looked at more often than compared: every worker shows what another has found.
    let mut tick = tokio::time::interval((every / 4).max(Duration::from_millis(250)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = String::new();
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let Some(looked) = stop.run_until_cancelled(Box::pin(compare(&broker, &config, &bucket, every))).await else {
            return;
        };
        match looked {
            Ok(()) => told.clear(),
            // The age of the last comparison goes on growing; the same words are told once.
            Err(why) if why == told => {}
            Err(why) => {
                tracing::warn!(error = %why, "the running ledger cannot be kept; trying again");
                told = why;
            }
        }
    }
}

async fn compare(broker: &Broker, config: &Config, bucket: &StateBucket, every: Duration) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let found = bucket.read(KEY).await.map_err(|error| words(&error))?;
    let revision = found.as_ref().map(|found| found.revision);
    let book = found.and_then(|found| serde_json::from_slice::<Book>(&found.value).ok());
    let now_ms = jiff::Timestamp::now().as_millisecond();
    if let Some(book) = &book {
        // A worker whose clock is ahead may have written it; how old it is cannot be told then.
        let age = Duration::from_millis(u64::try_from(now_ms - book.at_ms).unwrap_or(0));
        let is_ahead = Duration::from_millis(u64::try_from(book.at_ms - now_ms).unwrap_or(0)) > every;
        metrics::ledger(book.sums, age);
        if age < every && !is_ahead {
            return Ok(());
        }
    }
    // The ends of the results first: a story that is delivered after has its result above them.
    let output = end(broker, &config.streams.output.name).await?;
    let dead = end(broker, &config.streams.dead.name).await?;
    let input = look(&broker.jetstream, &config.streams.input.name).await.map_err(|error| words(&error))?;
    let (floor, delivered) = stand(broker, config, input.state.last_sequence).await?;
    let mark = Mark { delivered, output, dead };
    let stream_made_ns = input.created.unix_timestamp_nanos();
    let book = match book.filter(|book| book.stream_made_ns == stream_made_ns) {
        None => Book::begin(stream_made_ns, now_ms, mark),
        Some(mut book) => {
            book.at_ms = now_ms;
            if let Some(stretch) = book.stretch(floor) {
                let results = (output + 1).saturating_sub(stretch.results.output)
                    + (dead + 1).saturating_sub(stretch.results.dead);
                book.sums.skipped += stretch.skipped;
                if results > RESULTS_MAX {
                    book.sums.skipped += stretch.to + 1 - stretch.from;
                } else {
                    add(broker, config, stretch, &mut book.sums).await;
                }
                book.done_to = stretch.to;
            }
            book.mark(mark);
            book
        }
    };
    let value = serde_json::to_vec(&book).map_err(|error| words(&error))?;
    match bucket.write(KEY, value.into(), revision).await.map_err(|error| words(&error))? {
        Written::Stored(_) => metrics::ledger(book.sums, Duration::ZERO),
        // Another worker has compared the same.
        Written::Conflict => {}
    }
    Ok(())
}

/// Compares a stretch and adds to the sums.
async fn add(broker: &Broker, config: &Config, stretch: Stretch, sums: &mut Sums) {
    let Stretch { from, to, results, .. } = stretch;
    let (verdict, forgiven) = match audit::quick(broker, config, from..=to, results).await {
        Ok(compared) => compared,
        Err(error) => {
            // Passed over, not tried again: whatever it stumbles over would stand there the next time too.
            tracing::warn!(error = %error, ledger.from = from, ledger.to = to, "stories cannot be compared; passed over");
            sums.skipped += to + 1 - from;
            return;
        }
    };
    let lost = verdict.lost() - forgiven;
    sums.checked += to + 1 - from - forgiven;
    sums.skipped += forgiven;
    sums.unaccounted += lost;
    sums.duplicated += verdict.duplicated.count;
    sums.unexpected += verdict.unexpected.count;
    sums.deleted += verdict.deleted.count;
    if verdict.deleted.count > 0 {
        tracing::error!(
            ledger.from = from, ledger.to = to, ledger.deleted = ?verdict.deleted.ranges,
            "stories are gone from the input stream, and nothing stands for them"
        );
    }
    if lost > 0 || verdict.duplicated.count > 0 || verdict.unexpected.count > 0 {
        tracing::error!(
            ledger.from = from, ledger.to = to, ledger.unaccounted = ?verdict.unaccounted.ranges,
            ledger.duplicated = verdict.duplicated.count, ledger.unexpected = verdict.unexpected.count,
            "the ledger does not balance; `copydesk audit` says more"
        );
    }
}

async fn end(broker: &Broker, stream: &str) -> Result<u64, String> {
    look(&broker.jetstream, stream).await.map(|info| info.state.last_sequence).map_err(|error| error.to_string())
}

/// The sequence up to which every input is done, and the last that any was given.
async fn stand(broker: &Broker, config: &Config, last: u64) -> Result<(u64, u64), String> {
    let name = &config.streams.input.name;
    let stream = broker.jetstream.get_stream_no_info(name).await.map_err(|error| error.to_string())?;
    let (mut floor, mut delivered) = (u64::MAX, 0);
    for input in config.inputs.0.values() {
        let info = stream.consumer_info(&input.durable).await.map_err(|error| error.to_string())?;
        // One that has nothing to do holds up nobody. What is pending may be counted a moment after a story has
        // been accepted, so a consumer of everything has to have been given the last, too.
        let reads_all =
            input.subject.is_empty() || config.streams.input.subjects.iter().all(|all| *all == input.subject);
        let is_idle = info.num_pending == 0
            && info.num_ack_pending == 0
            && (!reads_all || info.delivered.stream_sequence >= last);
        floor =
            floor.min(if is_idle { last.max(info.ack_floor.stream_sequence) } else { info.ack_floor.stream_sequence });
        delivered = delivered.max(info.delivered.stream_sequence);
    }
    Ok((floor.min(last), delivered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(delivered: u64, output: u64) -> Mark {
        Mark { delivered, output, dead: output / 10 }
    }

    #[test]
    fn a_stretch_begins_where_its_results_can_begin() {
        let mut book = Book::begin(1, 0, mark(100, 1000));
        assert_eq!(book.stretch(90), None, "what was open at the beginning is not looked at");
        assert_eq!(book.stretch(100), None);
        let stretch = book.stretch(130).expect("thirty");
        assert_eq!((stretch.from, stretch.to, stretch.skipped), (101, 130, 0));
        assert_eq!(stretch.results, Cursor { output: 1001, dead: 101 });
        book.done_to = 130;
        book.mark(mark(200, 1100));
        // Stories 131 to 200 had been delivered when the second mark was made: theirs may stand before it.
        assert_eq!(book.stretch(190).map(|stretch| stretch.results.output), Some(1001));
        book.done_to = 200;
        book.mark(mark(300, 1200));
        assert_eq!(book.marks, [mark(200, 1100), mark(300, 1200)], "the first is needed no more");
        assert_eq!(book.stretch(250).map(|stretch| stretch.results.output), Some(1101));
    }

    #[test]
    fn a_backlog_is_passed_over_and_counted() {
        let mut book = Book::begin(1, 0, mark(0, 0));
        book.mark(mark(50_000, 49_000));
        let stretch = book.stretch(60_000).expect("many");
        assert_eq!((stretch.from, stretch.skipped), (40_001, 40_000));
        assert_eq!(stretch.results.output, 1, "the newest of them had not been delivered at the first mark only");
    }

    #[test]
    fn marks_stay_few_and_one_always_serves() {
        let mut book = Book::begin(1, 0, mark(10, 0));
        for step in 1..500 {
            book.mark(mark(10 + step, step * 10));
            assert!(book.marks.len() <= MARKS_MAX && book.marks[0].delivered <= book.done_to);
        }
        // A consumer that begins again lower makes no false mark.
        book.mark(mark(5, 9999));
        assert!(book.marks.windows(2).all(|pair| pair[0].delivered < pair[1].delivered));
    }
}

//! The loss ledger: what came in against what came out, as pure arithmetic over headers.
//!
//! ```text
//! input sequences ──┐
//! records ──────────┤
//! held stories ─────┼─▶ Ledger ─▶ Verdict: done, not done yet, unaccounted, duplicated, unexpected
//! dead letters ─────┤
//! notes of operators┘
//! ```
//!
//! Stories are entered first, then everything that stands for one. The ledger reads no stream
//! ([`super::audit`] does) and has no clock. It holds [`STORIES_MAX`] stories of a range, 24 bytes
//! each, whatever the number of results.
//!
//! What it does not do: compare contents. That a record is the right one for its story is the
//! desk's affair; here it counts that it names the story's place and time.

#[cfg(test)]
mod tests;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

pub use self::verdict::{Duplicate, FINDINGS_MAX, Findings, Sequences, Unexpected, Verdict};
use super::names::Part;

/// Stories that one ledger holds.
pub const STORIES_MAX: u64 = 5_000_000;
/// Results above the range that are kept, to be compared with the last story that there is.
const ABOVE_MAX: usize = 1_000;
/// Parts of messages that carry several stories, over the whole range.
const PARTS_MAX: usize = 4_000_000;

/// A range that no ledger can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} stories are too many for one ledger, it holds {STORIES_MAX}; give a range")]
pub struct TooMany(pub u64);

/// Where a consumer of the input stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Its name.
    pub durable: String,
    /// Everything up to here is done.
    pub floor: u64,
    /// Everything above has not been delivered yet.
    pub delivered: u64,
    /// Stories between the two that are delivered and not acknowledged.
    pub ack_pending: u64,
    /// The first story that it was told to read.
    pub start: u64,
}

/// What stands for a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A record on the output stream.
    Record,
    /// A dead letter.
    Dead,
    /// A dead letter because the story was killed: it may stand beside a record that was out already.
    Killed,
    /// It waits for the end of its embargo.
    Held,
    /// Its dead letter was published again by an operator.
    Replayed,
    /// Its dead letter was discarded by an operator.
    Discarded,
}

/// One result, by its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Result {
    /// What it is.
    pub kind: Kind,
    /// The stream that its story came from.
    pub stream: String,
    /// The story's sequence there.
    pub sequence: u64,
    /// When the story was stored there, in nanoseconds since 1970.
    pub stored_ns: i64,
    /// Which story of its message.
    pub part: Part,
    /// When the result itself was stored, in nanoseconds since 1970.
    pub at_ns: i64,
    /// Where the result stands: a stream's name and a sequence, for the finding.
    pub place: u64,
}

/// How far a story is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// Not in the stream.
    #[default]
    Gone,
    Unread,
    Waiting,
    /// Between floor and last delivery of this consumer.
    Open(u16),
    Skipped,
    Done,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    stored_ns: i64,
    /// When its first record, or else its first dead letter, was stored.
    at_ns: i64,
    progress: Progress,
    results: Set,
    /// Its results have numbers of their own; they are kept apart.
    has_parts: bool,
}

/// Which kinds of results there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set(u8);

impl Set {
    fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Collects what came in and what came out.
#[derive(Debug)]
pub struct Ledger {
    stream: String,
    made_ns: i64,
    range: RangeInclusive<u64>,
    stands: Vec<Stand>,
    entries: Vec<Entry>,
    /// By sequence and part.
    parts: BTreeMap<(u64, u32), (Set, i64)>,
    parts_of: BTreeMap<u64, u32>,
    above: BTreeSet<(u64, u64)>,
    verdict: Verdict,
}

impl Ledger {
    /// An empty ledger over a range of the input stream, which was made at that time.
    ///
    /// # Errors
    /// The range is too wide.
    pub fn new(
        stream: &str,
        made_ns: i64,
        range: RangeInclusive<u64>,
        stands: Vec<Stand>,
    ) -> std::result::Result<Self, TooMany> {
        let count = match range.is_empty() {
            true => 0,
            false => (range.end() - range.start()).saturating_add(1),
        };
        if count > STORIES_MAX {
            return Err(TooMany(count));
        }
        Ok(Self {
            stream: stream.to_owned(),
            made_ns,
            range,
            stands,
            entries: vec![Entry::default(); count as usize],
            parts: BTreeMap::new(),
            parts_of: BTreeMap::new(),
            above: BTreeSet::new(),
            verdict: Verdict { stories: count, ..Verdict::default() },
        })
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        self.range.contains(&sequence).then(|| (sequence - self.range.start()) as usize)
    }

    /// Enters a story of the input stream; `readers` are the consumers, by their place in the list,
    /// that read its subject.
    pub fn story(&mut self, sequence: u64, stored_ns: i64, readers: impl IntoIterator<Item = usize>) {
        let Some(index) = self.index(sequence) else { return };
        // Until every reader has it behind it, it is not done.
        let progress =
            readers.into_iter().filter_map(|reader| self.progress(reader, sequence)).max_by_key(|progress| {
                match progress {
                    Progress::Waiting => 3,
                    Progress::Open(_) => 2,
                    Progress::Done => 1,
                    Progress::Gone | Progress::Unread | Progress::Skipped => 0,
                }
            });
        let entry = &mut self.entries[index];
        entry.stored_ns = stored_ns;
        entry.progress = progress.unwrap_or(Progress::Unread);
    }

    /// Enters every story of the range as done, whenever it was stored: for who knows that, and reads no input.
    pub fn all_done(&mut self) {
        for entry in &mut self.entries {
            entry.progress = Progress::Done;
        }
    }

    fn progress(&self, reader: usize, sequence: u64) -> Option<Progress> {
        let stand = self.stands.get(reader)?;
        Some(if sequence < stand.start {
            Progress::Skipped
        } else if sequence <= stand.floor {
            Progress::Done
        } else if sequence <= stand.delivered {
            Progress::Open(u16::try_from(reader).unwrap_or(u16::MAX))
        } else {
            Progress::Waiting
        })
    }

    /// Enters what stands for a story. Stories have to be entered before.
    pub fn result(&mut self, result: &Result) {
        let kind = name(result.kind);
        if result.stream != self.stream || result.stored_ns < self.made_ns {
            self.verdict.of_other_streams += 1;
            return;
        }
        let Some(index) = self.index(result.sequence) else {
            if result.sequence > *self.range.end() {
                self.above.insert((result.sequence, result.place));
                if self.above.len() > ABOVE_MAX {
                    self.above.pop_first();
                }
            }
            return;
        };
        let entry = self.entries[index];
        let is_known = entry.progress != Progress::Gone && entry.stored_ns != 0;
        if is_known && entry.stored_ns != result.stored_ns {
            self.unexpected(
                kind,
                result.place,
                "the story of this sequence was stored at another time",
                result.sequence,
            );
            return;
        }
        let is_part = result.part.of > 1;
        if is_part {
            self.parts_of
                .entry(result.sequence)
                .and_modify(|of| *of = result.part.of.max(*of))
                .or_insert(result.part.of);
            self.entries[index].has_parts = true;
            if self.parts.len() >= PARTS_MAX && !self.parts.contains_key(&(result.sequence, result.part.number)) {
                // Counted as the whole message: no finding is made up, though one may be missed.
                self.entries[index].results.add(result.kind);
                return;
            }
        }
        let (results, at_ns) = if is_part {
            let (results, at_ns) = self.parts.entry((result.sequence, result.part.number)).or_default();
            (results, at_ns)
        } else {
            let entry = &mut self.entries[index];
            (&mut entry.results, &mut entry.at_ns)
        };
        let (record, dead) = (results.has(Kind::Record), results.has(Kind::Dead) || results.has(Kind::Killed));
        let twice = match result.kind {
            Kind::Record if record => Some("record"),
            Kind::Record if results.has(Kind::Dead) => Some("record and dead"),
            Kind::Dead | Kind::Killed if dead => Some("dead"),
            Kind::Dead if record => Some("record and dead"),
            _ => None,
        };
        if let Some(kind) = twice {
            let apart_ms = result.at_ns.abs_diff(*at_ns) / 1_000_000;
            let part = if is_part { result.part.number } else { 1 };
            let duplicate = Duplicate { sequence: result.sequence, part, kind, place: result.place, apart_ms };
            self.verdict.duplicated.push(duplicate);
        } else if matches!(result.kind, Kind::Record | Kind::Dead | Kind::Killed) {
            *at_ns = result.at_ns;
        }
        results.add(result.kind);
    }

    /// Enters a message on an output stream that names no story at all.
    pub fn nameless(&mut self, kind: Kind, place: u64) {
        let (kind, why) = (name(kind), "it does not say which story it stands for");
        self.verdict.unexpected.push(Unexpected { kind, place, why, sequence: None });
    }

    fn unexpected(&mut self, kind: &'static str, place: u64, why: &'static str, sequence: u64) {
        self.verdict.unexpected.push(Unexpected { kind, place, why, sequence: Some(sequence) });
    }

    /// Closes the ledger. `last` is the last sequence of the input stream after all results were read;
    /// results that were stored before `reach_ns` may have been removed from their streams.
    pub fn close(mut self, last: u64, reach_ns: i64) -> Verdict {
        for (sequence, place) in std::mem::take(&mut self.above) {
            if sequence > last {
                self.unexpected("result", place, "there is no such story", sequence);
            }
        }
        let mut verdict = self.verdict;
        let mut open = vec![0_u64; self.stands.len()];
        for (sequence, entry) in self.range.clone().zip(&self.entries) {
            let of = self.parts_of.get(&sequence).copied().unwrap_or(0);
            let part = |number| self.parts.get(&(sequence, number)).map(|(results, _)| *results).unwrap_or_default();
            let mut all = entry.results;
            let mut is_whole = !entry.results.is_empty();
            if entry.has_parts {
                is_whole |= (1..=of).all(|number| !part(number).is_empty());
                all.0 |= (1..=of).fold(0, |all, number| all | part(number).0);
            }
            if is_whole {
                let counter = match all {
                    all if all.has(Kind::Record) => &mut verdict.recorded,
                    all if all.has(Kind::Dead) || all.has(Kind::Killed) => &mut verdict.dead,
                    all if all.has(Kind::Held) => &mut verdict.held,
                    all if all.has(Kind::Replayed) => &mut verdict.replayed,
                    _ => &mut verdict.discarded,
                };
                *counter += 1;
                continue;
            }
            match entry.progress {
                Progress::Gone => verdict.deleted.push(sequence),
                Progress::Unread => verdict.unread.push(sequence),
                Progress::Waiting => verdict.waiting.push(sequence),
                Progress::Skipped => verdict.skipped.push(sequence),
                Progress::Open(reader) => {
                    verdict.open.push(sequence);
                    if let Some(count) = open.get_mut(usize::from(reader)) {
                        *count += 1;
                    }
                }
                Progress::Done if entry.stored_ns < reach_ns => verdict.out_of_reach.push(sequence),
                Progress::Done => verdict.unaccounted.push(sequence),
            }
        }
        for (stand, count) in self.stands.iter().zip(open) {
            verdict.unaccounted_among_open += count.saturating_sub(stand.ack_pending);
        }
        verdict
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Record => "record",
        Kind::Dead | Kind::Killed => "dead letter",
        Kind::Held => "held story",
        Kind::Replayed => "replay",
        Kind::Discarded => "discard note",
    }
}

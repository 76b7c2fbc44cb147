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

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::names::Part;

/// Stories that one ledger holds.
pub const STORIES_MAX: u64 = 5_000_000;
/// Results above the range that are kept, to be compared with the last story that there is.
const ABOVE_MAX: usize = 1_000;
/// Findings of a kind that are kept one by one; all are counted.
pub const FINDINGS_MAX: usize = 10_000;
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

/// A message on an output stream that names no story.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unexpected {
    /// What it is.
    pub kind: &'static str,
    /// Its sequence in its own stream.
    pub place: u64,
    /// Why nobody expected it.
    pub why: &'static str,
    /// The story that it names.
    pub sequence: Option<u64>,
}

/// A story that came out more than once.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Duplicate {
    /// The story.
    pub sequence: u64,
    /// Which story of its message.
    pub part: u32,
    /// `record` or `dead`: the same twice; `record and dead`: both.
    pub kind: &'static str,
    /// Sequence of the later one in its own stream.
    pub place: u64,
    /// Milliseconds between the two.
    pub apart_ms: u64,
}

/// Findings of one kind: the first ones, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Findings<T> {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub first: Vec<T>,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Findings<T> {
    fn push(&mut self, finding: T) {
        self.count += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(finding);
        }
    }
}

/// Sequences as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sequences {
    /// How many.
    pub count: u64,
    /// First and last of each run, in order; at most [`FINDINGS_MAX`] runs.
    pub ranges: Vec<[u64; 2]>,
}

impl Sequences {
    pub(super) fn push(&mut self, sequence: u64) {
        self.count += 1;
        if let Some([_, last]) = self.ranges.last_mut().filter(|[_, last]| last.checked_add(1) == Some(sequence)) {
            *last = sequence;
        } else if self.ranges.len() < FINDINGS_MAX {
            self.ranges.push([sequence, sequence]);
        }
    }
}

/// What a ledger says.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// Messages of the input stream in the range; also those that are gone.
    pub stories: u64,
    /// Stories with a record.
    pub recorded: u64,
    /// Stories with a dead letter.
    pub dead: u64,
    /// Stories that wait for the end of their embargo.
    pub held: u64,
    /// Stories whose dead letter was published again.
    pub replayed: u64,
    /// Stories whose dead letter was discarded.
    pub discarded: u64,
    /// Not delivered to any worker yet.
    pub waiting: Sequences,
    /// Delivered and not acknowledged.
    pub open: Sequences,
    /// On a subject that no input reads.
    pub unread: Sequences,
    /// Before the place at which the configuration lets the input begin.
    pub skipped: Sequences,
    /// Removed from the input stream, by its limits or by hand, and nothing stands for them.
    pub deleted: Sequences,
    /// Done, and stored before the oldest result that is still there: nobody can tell any more.
    pub out_of_reach: Sequences,
    /// Done, and nothing stands for them: lost.
    pub unaccounted: Sequences,
    /// Of the stories between a consumer's floor and its last delivery, so many more have no result than
    /// are open: lost, though it cannot be said which.
    pub unaccounted_among_open: u64,
    /// Came out more than once.
    pub duplicated: Findings<Duplicate>,
    /// Messages on the output streams that stand for no story.
    pub unexpected: Findings<Unexpected>,
    /// Results for stories of other streams, or of an earlier stream of the same name.
    pub of_other_streams: u64,
}

impl Verdict {
    /// Nothing lost, nothing doubled, nothing that nobody expected.
    pub fn is_clean(&self) -> bool {
        self.lost() == 0 && self.duplicated.count == 0 && self.unexpected.count == 0
    }

    /// How many stories are lost.
    pub fn lost(&self) -> u64 {
        self.unaccounted.count + self.unaccounted_among_open
    }

    /// How many stories came out twice within so many milliseconds: more than the promise allows.
    pub fn duplicated_within(&self, window_ms: u64) -> u64 {
        self.duplicated.first.iter().filter(|duplicate| duplicate.apart_ms <= window_ms).count() as u64
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const MADE: i64 = 1_000 * SECOND;

    fn stored(sequence: u64) -> i64 {
        MADE + sequence.cast_signed() * SECOND
    }

    fn result(kind: Kind, sequence: u64) -> Result {
        Result {
            kind,
            stream: "S".into(),
            sequence,
            stored_ns: stored(sequence),
            part: Part::WHOLE,
            at_ns: stored(sequence) + SECOND,
            place: sequence,
        }
    }

    fn stand(floor: u64, delivered: u64, ack_pending: u64) -> Stand {
        Stand { durable: "c".into(), floor, delivered, ack_pending, start: 0 }
    }

    fn ledger(count: u64, stands: Vec<Stand>) -> Ledger {
        let readers = stands.len();
        let mut ledger = Ledger::new("S", MADE, 1..=count, stands).expect("small");
        for sequence in 1..=count {
            ledger.story(sequence, stored(sequence), 0..readers);
        }
        ledger
    }

    #[test]
    fn what_is_done_and_left_nothing_is_lost_and_what_is_not_done_is_not() {
        let mut ledger = ledger(10, vec![stand(4, 7, 3)]);
        for sequence in [1, 2, 4] {
            ledger.result(&result(Kind::Record, sequence));
        }
        let verdict = ledger.close(10, 0);
        assert_eq!(verdict.unaccounted.ranges, [[3, 3]]);
        assert_eq!((verdict.open.ranges, verdict.waiting.ranges), (vec![[5, 7]], vec![[8, 10]]));
        assert_eq!((verdict.recorded, verdict.unaccounted_among_open), (3, 0));
    }

    #[test]
    fn more_without_a_result_than_are_open_are_lost_though_nobody_knows_which() {
        let verdict = ledger(10, vec![stand(0, 10, 7)]).close(10, 0);
        assert_eq!((verdict.open.count, verdict.unaccounted_among_open, verdict.is_clean()), (10, 3, false));
    }

    #[test]
    fn every_reader_of_a_subject_has_to_be_done_with_a_story() {
        let mut ledger = Ledger::new("S", MADE, 1..=4, vec![stand(4, 4, 0), stand(1, 2, 1)]).expect("small");
        for sequence in 1..=3 {
            ledger.story(sequence, stored(sequence), [0, 1]);
        }
        ledger.story(4, stored(4), []);
        let verdict = ledger.close(4, 0);
        assert_eq!(verdict.unaccounted.ranges, [[1, 1]]);
        assert_eq!(verdict.open.ranges, [[2, 2]]);
        assert_eq!(verdict.waiting.ranges, [[3, 3]]);
        assert_eq!(verdict.unread.ranges, [[4, 4]], "no input reads its subject");
    }

    #[test]
    fn results_of_nobody_are_unexpected_and_those_of_other_streams_are_told_apart() {
        let mut ledger = ledger(3, vec![stand(3, 3, 0)]);
        for sequence in 1..=3 {
            ledger.result(&result(Kind::Record, sequence));
        }
        ledger.result(&Result { stream: "T".into(), ..result(Kind::Record, 2) });
        ledger.result(&Result { stored_ns: MADE - 1, ..result(Kind::Record, 2) });
        assert_eq!(ledger.verdict.of_other_streams, 2, "another stream, and an earlier one of this name");
        ledger.result(&Result { stored_ns: stored(2) + 1, ..result(Kind::Record, 2) });
        ledger.result(&result(Kind::Dead, 4));
        ledger.result(&result(Kind::Record, 5));
        ledger.nameless(Kind::Record, 77);
        // Story 4 came in while the results were read.
        let verdict = ledger.close(4, 0);
        let of: Vec<_> = verdict.unexpected.first.iter().map(|unexpected| unexpected.sequence).collect();
        assert_eq!(of, [Some(2), None, Some(5)]);
        assert_eq!((verdict.lost(), verdict.duplicated.count), (0, 0));
    }

    #[test]
    fn what_an_operator_removed_and_what_is_too_old_is_no_loss() {
        let mut ledger = Ledger::new("S", MADE, 1..=5, vec![Stand { start: 2, ..stand(5, 5, 0) }]).expect("small");
        for sequence in [1, 2, 4, 5] {
            ledger.story(sequence, stored(sequence), [0]);
        }
        ledger.result(&result(Kind::Discarded, 5));
        let verdict = ledger.close(5, stored(4));
        assert_eq!(verdict.skipped.ranges, [[1, 1]], "the input began with 2, as the configuration says");
        assert_eq!(verdict.out_of_reach.ranges, [[2, 2]], "its record may have been removed");
        assert_eq!(verdict.deleted.ranges, [[3, 3]]);
        assert_eq!(verdict.unaccounted.ranges, [[4, 4]]);
        assert_eq!(verdict.discarded, 1);
    }

    #[test]
    fn a_range_that_is_too_wide_is_refused_and_an_empty_one_is_clean() {
        assert_eq!(Ledger::new("S", MADE, 1..=u64::MAX, vec![]).err(), Some(TooMany(u64::MAX)));
        #[expect(clippy::reversed_empty_ranges, reason = "the range of a stream that is empty")]
        let empty = Ledger::new("S", MADE, 1..=0, vec![]).expect("empty");
        assert!(empty.close(0, 0).is_clean());
    }

    /// What became of a story that is done.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Record,
        /// Twice, so many seconds apart.
        Twice(u8),
        Dead,
        DeadTwice,
        /// A record and a dead letter.
        Both,
        /// A record, then a dead letter because it was killed.
        KilledAfter,
        Held,
        HeldThenRecord,
        Replayed,
        /// Replayed, and its dead letter is still there.
        ReplayedAndDead,
        Discarded,
        Lost,
        Deleted,
        DeletedAfterRecord,
        /// So many stories, one of them a dead letter.
        Parts(u8),
        /// One of so many is missing.
        PartsLost(u8),
        PartTwice(u8),
        /// Its first part, then the whole message as a dead letter.
        PartThenDead(u8),
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            4 => Just(Fate::Record),
            1 => any::<u8>().prop_map(Fate::Twice),
            1 => prop::sample::select(vec![
                Fate::Dead, Fate::DeadTwice, Fate::Both, Fate::KilledAfter, Fate::Held, Fate::HeldThenRecord,
                Fate::Replayed, Fate::ReplayedAndDead, Fate::Discarded, Fate::Lost, Fate::Deleted,
                Fate::DeletedAfterRecord,
            ]),
            1 => (2_u8..6).prop_flat_map(|of| prop::sample::select(vec![
                Fate::Parts(of), Fate::PartsLost(of), Fate::PartTwice(of), Fate::PartThenDead(of),
            ])),
        ]
    }

    fn results(fate: Fate, sequence: u64) -> Vec<Result> {
        let one = |kind| result(kind, sequence);
        let later = |kind, seconds: i64| Result { at_ns: stored(sequence) + (1 + seconds) * SECOND, ..one(kind) };
        let part =
            |kind, number: u8, of: u8| Result { part: Part { number: number.into(), of: of.into() }, ..one(kind) };
        match fate {
            Fate::Record | Fate::DeletedAfterRecord => vec![one(Kind::Record)],
            Fate::Twice(seconds) => vec![one(Kind::Record), later(Kind::Record, seconds.into())],
            Fate::Dead => vec![one(Kind::Dead)],
            Fate::DeadTwice => vec![one(Kind::Dead), one(Kind::Dead)],
            Fate::Both => vec![one(Kind::Record), one(Kind::Dead)],
            Fate::KilledAfter => vec![one(Kind::Record), one(Kind::Killed)],
            Fate::Held => vec![one(Kind::Held)],
            Fate::HeldThenRecord => vec![one(Kind::Held), one(Kind::Record)],
            Fate::Replayed => vec![one(Kind::Replayed)],
            Fate::ReplayedAndDead => vec![one(Kind::Replayed), one(Kind::Dead)],
            Fate::Discarded => vec![one(Kind::Discarded)],
            Fate::Lost | Fate::Deleted => vec![],
            Fate::Parts(of) => {
                let kind = |number| if number == 2 { Kind::Dead } else { Kind::Record };
                (1..=of).map(|number| part(kind(number), number, of)).collect()
            }
            Fate::PartsLost(of) => (1..of).map(|number| part(Kind::Record, number, of)).collect(),
            Fate::PartTwice(of) => (1..=of).chain([1]).map(|number| part(Kind::Record, number, of)).collect(),
            Fate::PartThenDead(of) => vec![part(Kind::Record, 1, of), one(Kind::Dead)],
        }
    }

    proptest! {
        /// Whatever became of the stories, in whatever order it is read: the verdict counts it.
        #[test]
        fn every_fate_is_told(
            fates in prop::collection::vec(fate(), 1..60), waiting in 0_u64..5, open in 0_u64..5, seed: u64,
        ) {
            let done = fates.len() as u64;
            let count = done + open + waiting;
            let mut ledger = Ledger::new("S", MADE, 1..=count, vec![stand(done, done + open, open)]).expect("small");
            let mut all = Vec::new();
            for sequence in 1..=count {
                let fate = fates.get(sequence as usize - 1).copied();
                if !matches!(fate, Some(Fate::Deleted | Fate::DeletedAfterRecord)) {
                    ledger.story(sequence, stored(sequence), [0]);
                }
                all.extend(fate.map(|fate| results(fate, sequence)).unwrap_or_default());
            }
            fastrand::Rng::with_seed(seed).shuffle(&mut all);
            for result in &all {
                ledger.result(result);
            }
            let verdict = ledger.close(count, 0);
            let number = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() as u64;
            prop_assert_eq!(verdict.waiting.count, waiting);
            prop_assert_eq!(verdict.open.count, open);
            prop_assert_eq!(verdict.unaccounted.count, number(|f| matches!(f, Fate::Lost | Fate::PartsLost(_))));
            prop_assert_eq!(verdict.deleted.count, number(|f| matches!(f, Fate::Deleted)));
            prop_assert_eq!(
                verdict.duplicated.count,
                number(|f| matches!(f, Fate::Twice(_) | Fate::DeadTwice | Fate::Both | Fate::PartTwice(_)))
            );
            prop_assert_eq!(verdict.held, number(|f| matches!(f, Fate::Held)));
            prop_assert_eq!(verdict.replayed, number(|f| matches!(f, Fate::Replayed)));
            prop_assert_eq!(verdict.discarded, number(|f| matches!(f, Fate::Discarded)));
            prop_assert_eq!(verdict.dead, number(|f| matches!(f, Fate::Dead | Fate::DeadTwice | Fate::ReplayedAndDead)));
            prop_assert_eq!(verdict.unexpected.count, 0);
            // Each story is counted in exactly one place.
            let Verdict { recorded, dead, held, replayed, discarded, .. } = verdict;
            let rest = [&verdict.waiting, &verdict.open, &verdict.unread, &verdict.skipped, &verdict.deleted,
                &verdict.out_of_reach, &verdict.unaccounted];
            let rest: u64 = rest.iter().map(|sequences| sequences.count).sum();
            prop_assert_eq!(recorded + dead + held + replayed + discarded + rest, count);
            let within = fates.iter().filter(|fate| matches!(fate, Fate::Twice(seconds) if *seconds <= 100)).count();
            let at_once = number(|f| matches!(f, Fate::DeadTwice | Fate::Both | Fate::PartTwice(_)));
            prop_assert_eq!(verdict.duplicated_within(100_000), within as u64 + at_once);
        }
    }
}

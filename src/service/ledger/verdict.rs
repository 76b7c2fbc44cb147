//! What a ledger says, as it crosses to people and scripts.

/// Findings of a kind that are kept one by one; all are counted.
pub const FINDINGS_MAX: usize = 10_000;

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
    pub(super) fn push(&mut self, finding: T) {
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
    pub(in crate::service) fn push(&mut self, sequence: u64) {
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

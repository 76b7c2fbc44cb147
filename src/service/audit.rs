//! Reading the streams into a [`Ledger`].
//!
//! The order of reading is what makes the verdict sound while everything goes on: first where the
//! consumers stand, then the input, then what is held, then records, dead letters, and the notes of
//! operators. What moves meanwhile moves in that direction, so it is seen at least once; seen in two
//! places it counts once.
//!
//! Only headers are read. Nothing is written, and no consumer is left behind.

use std::ops::{ControlFlow, RangeInclusive};

use async_nats::jetstream::{context::ConsumerInfoErrorKind, stream};
use serde::{Deserialize, Serialize};

use super::{
    broker::Broker,
    checkpoint,
    config::{Config, EmbargoMode, overlap},
    embargo::KILLED,
    flight::Origin,
    ledger::{Kind, Ledger, Result as Entry, STORIES_MAX, Stand, Verdict},
    names::{self, Part},
    reading::{Depth, ReadError, Seen, Start, each, look, nanoseconds, stored_at},
    state::StateBucket,
};

/// How much earlier than its story a result may seem to be: clocks of servers differ.
const CLOCKS_DIFFER_NS: i64 = 5 * 60 * 1_000_000_000;

/// What is to be audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// First sequence of the input stream; the first that it holds.
    pub from: Option<u64>,
    /// Last sequence; the last that it holds.
    pub to: Option<u64>,
}

/// Places on the streams of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// First sequence of the output stream.
    pub output: u64,
    /// First sequence of the dead-letter stream.
    pub dead: u64,
}

/// An audit's result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The input stream.
    pub stream: String,
    /// First sequence that was looked at.
    pub from: u64,
    /// Last sequence; below `from` when there is nothing.
    pub to: u64,
    /// Whether the stream holds more than one audit can.
    pub is_shortened: bool,
    /// When it began (RFC 3339).
    pub at: String,
    /// Messages that were read.
    pub read: u64,
    /// The output stream's duplicate window.
    pub duplicate_window_ms: u64,
    /// Consumers of the inputs that do not exist.
    pub missing_consumers: Vec<String>,
    /// What is found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Of the stories that came out more than once, how many did within the duplicate window.
    pub duplicated_within_window: u64,
}

/// A note of letters that an operator discarded: the value of `discarded.<run>.<number>` in the state bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// When (RFC 3339).
    pub at: String,
    /// The letters.
    pub letters: Vec<DiscardedLetter>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedLetter {
    /// The story's message id, as the record would have had it.
    pub id: String,
    /// How many stories its message has.
    pub of: u32,
    /// Why it was a dead letter.
    pub reason: String,
}

/// Reconciles a range of the input stream with everything that stands for its stories.
///
/// # Errors
/// A stream does not exist or cannot be read.
pub async fn audit(broker: &Broker, config: &Config, question: Question) -> Result<Report, ReadError> {
    let at = jiff::Timestamp::now();
    let streams = &config.streams;
    let jetstream = &broker.jetstream;
    let input = look(jetstream, &streams.input.name).await?;
    let output = look(jetstream, &streams.output.name).await?;
    let dead = look(jetstream, &streams.dead.name).await?;
    let (mut from, to) = (
        question.from.unwrap_or(input.state.first_sequence).max(1),
        question.to.unwrap_or(u64::MAX).min(input.state.last_sequence),
    );
    let is_shortened = question.from.is_none() && (to + 1).saturating_sub(from) > STORIES_MAX;
    if is_shortened {
        from = to + 1 - STORIES_MAX;
    }
    let (stands, missing_consumers) = stands(broker, config, &input).await?;
    let made_ns = nanoseconds(input.created.unix_timestamp_nanos());
    let mut ledger = Ledger::new(&streams.input.name, made_ns, from..=to, stands)
        .map_err(|error| ReadError::of(&streams.input.name, &error))?;

    let subjects: Vec<&str> = config.inputs.0.values().map(|input| input.subject.as_str()).collect();
    let mut began_ns = None;
    let mut read = 0;
    if from <= to {
        read += each(jetstream, &streams.input.name, Start::Sequence(from), None, Depth::Headers, |seen| {
            if seen.sequence > to {
                return ControlFlow::Break(());
            }
            began_ns.get_or_insert(seen.stored_ns);
            let readers = subjects.iter().enumerate().filter(|(_, pattern)| overlap(pattern, &seen.subject));
            ledger.story(seen.sequence, seen.stored_ns, readers.map(|(reader, _)| reader));
            // What is sent in again stands after the story that it is, which is entered already.
            if let Some(entry) = replay(&seen) {
                ledger.result(&entry);
            }
            ControlFlow::Continue(())
        })
        .await?;
    }
    let since = match began_ns {
        Some(ns) => Start::Time(ns.saturating_sub(CLOCKS_DIFFER_NS).max(made_ns)),
        None => Start::First,
    };
    match results(broker, config, &streams.held.name, Start::First, &mut ledger).await {
        Ok(count) => read += count,
        // Not every deployment holds stories.
        Err(ReadError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    for name in [&streams.output.name, &streams.dead.name] {
        read += results(broker, config, name, since, &mut ledger).await?;
    }
    read += notes(broker, config, &mut ledger).await?;
    // What was sent in again since the range was read.
    read += each(jetstream, &streams.input.name, Start::Sequence(to + 1), None, Depth::Headers, |seen| {
        if let Some(entry) = replay(&seen) {
            ledger.result(&entry);
        }
        ControlFlow::Continue(())
    })
    .await?;
    let last = look(jetstream, &streams.input.name).await?.state.last_sequence;
    let verdict = ledger.close(last, reach(&output, &dead, at));
    let duplicate_window_ms = u64::try_from(output.config.duplicate_window.as_millis()).unwrap_or(u64::MAX);
    Ok(Report {
        stream: streams.input.name.clone(),
        from,
        to,
        is_shortened,
        at: at.to_string(),
        read,
        duplicate_window_ms,
        missing_consumers,
        duplicated_within_window: verdict.duplicated_within(duplicate_window_ms),
        verdict,
    })
}

/// Enters what stands on one of the streams of results; gives how many there are.
async fn results(
    broker: &Broker,
    config: &Config,
    name: &str,
    start: Start,
    ledger: &mut Ledger,
) -> Result<u64, ReadError> {
    let streams = &config.streams;
    each(&broker.jetstream, name, start, None, Depth::Headers, |seen| {
        let kind = kind(&seen, name == streams.held.name, name == streams.dead.name);
        match origin(&seen) {
            Some((origin, part)) => ledger.result(&entry(kind, origin, part, &seen)),
            None => ledger.nameless(kind, seen.sequence),
        }
        ControlFlow::Continue(())
    })
    .await
}

/// As [`audit`], of stories that are known to be done, with the places from which their results stand. Of
/// the input only those stories are looked at for which nothing stands. Gives the verdict, and for
/// how many of them an operator may have removed the dead letter meanwhile.
///
/// # Errors
/// A stream does not exist or cannot be read, or too many stories have no result.
pub async fn quick(
    broker: &Broker,
    config: &Config,
    range: RangeInclusive<u64>,
    from: Cursor,
) -> Result<(Verdict, u64), ReadError> {
    let streams = &config.streams;
    let name = &streams.input.name;
    let input = look(&broker.jetstream, name).await?;
    let made_ns = nanoseconds(input.created.unix_timestamp_nanos());
    let mut ledger = Ledger::new(name, made_ns, range, Vec::new()).map_err(|error| ReadError::of(name, &error))?;
    ledger.all_done();
    if config.embargo.mode == EmbargoMode::Hold {
        results(broker, config, &streams.held.name, Start::First, &mut ledger).await?;
    }
    results(broker, config, &streams.output.name, Start::Sequence(from.output), &mut ledger).await?;
    let end = look(&broker.jetstream, &streams.dead.name).await?.state.last_sequence;
    let letters = results(broker, config, &streams.dead.name, Start::Sequence(from.dead), &mut ledger).await?;
    notes(broker, config, &mut ledger).await?;
    let last = look(&broker.jetstream, name).await?.state.last_sequence;
    let mut verdict = ledger.close(last, 0);
    let missing = std::mem::take(&mut verdict.unaccounted);
    if missing.count > MISSING_MAX {
        return Err(ReadError::of(
            name,
            &format!("{} stories without a result are too many to look at", missing.count),
        ));
    }
    for sequence in missing.ranges.iter().flat_map(|[first, last]| *first..=*last) {
        let found = stored_at(&broker.jetstream, name, sequence, None).await?;
        match found.map(|(seen, _)| seen).filter(|seen| seen.sequence == sequence) {
            None => verdict.deleted.push(sequence),
            Some(seen) if !config.inputs.0.values().any(|input| overlap(&input.subject, &seen.subject)) => {
                verdict.unread.push(sequence);
            }
            Some(_) => verdict.unaccounted.push(sequence),
        }
    }
    let removed = (end + 1).saturating_sub(from.dead).saturating_sub(letters);
    let forgiven = removed.min(verdict.unaccounted.count);
    Ok((verdict, forgiven))
}

/// Stories without a result that are looked at one by one.
const MISSING_MAX: u64 = 1_000;

/// Where every input's consumer stands, and which do not exist.
pub(super) async fn stands(
    broker: &Broker,
    config: &Config,
    input: &stream::Info,
) -> Result<(Vec<Stand>, Vec<String>), ReadError> {
    let name = &config.streams.input.name;
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| wrong(&error))?;
    let (mut stands, mut missing) = (Vec::new(), Vec::new());
    for input_config in config.inputs.0.values() {
        let durable = input_config.durable.clone();
        let start = input_config.start_sequence.unwrap_or(0);
        stands.push(match handle.consumer_info(&durable).await {
            Ok(info) => Stand {
                durable,
                floor: info.ack_floor.stream_sequence,
                delivered: info.delivered.stream_sequence,
                ack_pending: info.num_ack_pending as u64,
                start,
            },
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                // It goes on from its checkpoint; what is above has still to be done.
                let noted = match StateBucket::peek(broker, config).await {
                    Some(bucket) => checkpoint::read(&bucket, &durable).await.map_err(|error| wrong(&error))?,
                    None => None,
                };
                let made_ns = input.created.unix_timestamp_nanos();
                let floor = noted.filter(|noted| noted.stream_made_ns == made_ns).map_or(0, |noted| noted.floor);
                missing.push(durable.clone());
                Stand { durable, floor, delivered: floor, ack_pending: 0, start }
            }
            Err(error) => return Err(wrong(&error)),
        });
    }
    Ok((stands, missing))
}

/// Enters the letters that operators discarded.
async fn notes(broker: &Broker, config: &Config, ledger: &mut Ledger) -> Result<u64, ReadError> {
    let bucket = &config.streams.state.bucket;
    let (stream, subject) = (format!("KV_{bucket}"), format!("$KV.{bucket}.discarded.>"));
    let reading = each(&broker.jetstream, &stream, Start::First, Some(&subject), Depth::Whole, |seen| {
        let Ok(note) = serde_json::from_slice::<Discarded>(&seen.payload) else { return ControlFlow::Continue(()) };
        for letter in note.letters {
            if let Some((origin, number)) = names::parse_message_id(&letter.id) {
                let part = number.map_or(Part::WHOLE, |number| Part { number, of: letter.of });
                ledger.result(&entry(Kind::Discarded, origin, part, &seen));
            }
        }
        ControlFlow::Continue(())
    });
    match reading.await {
        Err(ReadError::Missing(_)) => Ok(0),
        read => read,
    }
}

fn kind(seen: &Seen, is_held: bool, is_dead: bool) -> Kind {
    match seen.header(names::REASON) {
        _ if is_held => Kind::Held,
        Some(KILLED) if is_dead => Kind::Killed,
        _ if is_dead => Kind::Dead,
        _ => Kind::Record,
    }
}

/// Whose result a message is: by its headers, or by its id where a version before wrote none.
pub(super) fn origin(seen: &Seen) -> Option<(Origin, Part)> {
    names::read_origin(&seen.headers).or_else(|| {
        let id = seen.header(names::MESSAGE_ID)?.strip_prefix("held:")?;
        let (origin, number) = names::parse_message_id(id)?;
        Some((origin, number.map_or(Part::WHOLE, |number| Part { number, of: number.max(2) })))
    })
}

/// The story that an input message sends in again.
fn replay(seen: &Seen) -> Option<Entry> {
    let (origin, _) = names::parse_message_id(seen.header(names::REPLAY_OF)?)?;
    Some(entry(Kind::Replayed, origin, Part::WHOLE, seen))
}

fn entry(kind: Kind, origin: Origin, part: Part, seen: &Seen) -> Entry {
    Entry {
        kind,
        stream: origin.stream,
        sequence: origin.sequence,
        stored_ns: origin.stored_ns,
        part,
        at_ns: seen.stored_ns,
        place: seen.sequence,
    }
}

/// The time before which results may have been removed: by an output stream that does not begin with its
/// first message any more, or by the age that a dead letter may have. Dead letters that an operator
/// removed have their notes.
pub(super) fn reach(output: &stream::Info, dead: &stream::Info, now: jiff::Timestamp) -> i64 {
    let state = &output.state;
    let records = match (state.messages, state.first_sequence) {
        (0, _) if state.last_sequence > 0 => state.last_timestamp.unix_timestamp_nanos() + 1,
        (_, 2..) => state.first_timestamp.unix_timestamp_nanos(),
        _ => 0,
    };
    let age = i128::try_from(dead.config.max_age.as_nanos()).unwrap_or(i128::MAX);
    let letters = if age > 0 { now.as_nanosecond() - age } else { 0 };
    nanoseconds(records.max(letters))
}

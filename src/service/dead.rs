//! Dead letters in an operator's hands: choosing, sending in again, discarding.
//!
//! ```text
//! replay   run noted in the bucket ─▶ publish to the input, PubAck, no duplicate ─▶ removed ─▶ note cleared
//! discard  letters noted in the bucket ─▶ removed
//! ```
//!
//! A letter is removed only after what takes its place stands ([`replay`](self::replay())). When a replay breaks off between the
//! two, the run's note is still there: the next replay looks in the input stream for what that run has
//! sent, removes those letters, and sends none of them twice. Two replays at once are not guarded
//! against each other.

mod replay;

use std::ops::ControlFlow;

use async_nats::jetstream::stream::{DeleteMessageErrorKind, Stream};
use futures_util::future::join_all;
use memchr::memmem;
use serde::Serialize;

pub use self::replay::{Replay, replay};
use super::{
    audit::{Discarded, DiscardedLetter},
    broker::Broker,
    config::{Config, overlap},
    failpoint,
    flight::Origin,
    names::{self, Part},
    reading::{Depth, ReadError, Seen, Start, each},
    state::StateBucket,
};

/// Letters that one run takes.
pub const LETTERS_MAX: usize = 100_000;
/// Letters that are sent in, or removed, at once.
const AT_ONCE: usize = 32;
/// Letters in one note of a discard.
const NOTED_AT_ONCE: usize = 200;

/// Which letters are meant; everything that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These sequences of the dead-letter stream; any when empty.
    pub sequences: Vec<u64>,
    /// One of these reasons, or all that begin so where it ends in a point: `decode.`.
    pub reasons: Vec<String>,
    /// The subject that the story was published to, with wildcards; or one token of it.
    pub source: Option<String>,
    /// Stored before this time, in nanoseconds since 1970.
    pub before_ns: Option<i64>,
    /// Stored at this time or later.
    pub since_ns: Option<i64>,
    /// This text, in whatever case, in the payload or in the value of a header.
    pub text: Option<String>,
}

impl Filter {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
            && self.reasons.is_empty()
            && self.source.is_none()
            && self.before_ns.is_none()
            && self.since_ns.is_none()
            && self.text.is_none()
    }

    fn holds(&self, letter: &Letter) -> bool {
        let seen = &letter.seen;
        let reason = letter.reason();
        (self.sequences.is_empty() || self.sequences.contains(&seen.sequence))
            && (self.reasons.is_empty()
                || self.reasons.iter().any(|wanted| {
                    reason == wanted.as_str() || wanted.ends_with('.') && reason.starts_with(wanted.as_str())
                }))
            && self.source.as_deref().is_none_or(|source| is_from(source, letter.subject()))
            && self.before_ns.is_none_or(|before| seen.stored_ns < before)
            && self.since_ns.is_none_or(|since| seen.stored_ns >= since)
            && self.text.as_deref().is_none_or(|text| has_text(seen, text))
    }
}

fn is_from(source: &str, subject: &str) -> bool {
    match source.contains(['.', '*', '>']) {
        true => overlap(source, subject),
        false => subject.split('.').any(|token| token.eq_ignore_ascii_case(source)),
    }
}

fn has_text(seen: &Seen, text: &str) -> bool {
    let wanted = text.to_lowercase();
    let finder = memmem::Finder::new(wanted.as_bytes());
    let has = |bytes: &[u8]| finder.find(String::from_utf8_lossy(bytes).to_lowercase().as_bytes()).is_some();
    has(&seen.payload) || seen.headers.iter().flat_map(|(_, values)| values).any(|value| has(value.as_str().as_bytes()))
}

/// One dead letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The message.
    pub seen: Seen,
    /// Whose it is.
    pub origin: Option<(Origin, Part)>,
}

impl Letter {
    fn new(seen: Seen) -> Self {
        Self { origin: names::read_origin(&seen.headers), seen }
    }

    /// Why it is one: the code.
    pub fn reason(&self) -> &str {
        self.seen.header(names::REASON).unwrap_or("unknown")
    }

    /// The same in words.
    pub fn detail(&self) -> &str {
        self.seen.header(names::DETAIL).unwrap_or_default()
    }

    /// The subject that the story was published to.
    pub fn subject(&self) -> &str {
        self.seen.header(names::SUBJECT).unwrap_or_default()
    }

    /// Bytes of the story.
    pub fn bytes(&self) -> usize {
        // Where only headers were read, the server says how long the payload is.
        self.seen.header("Nats-Msg-Size").and_then(|size| size.parse().ok()).unwrap_or(self.seen.payload.len())
    }

    /// The message that it came in, for whoever sends it in again.
    fn message(&self) -> Option<String> {
        self.origin.as_ref().map(|(origin, _)| names::message_id(origin))
    }

    fn done(&self, outcome: Outcome, why: Option<String>) -> Done {
        Done { sequence: self.seen.sequence, reason: self.reason().to_owned(), outcome, why }
    }

    /// How often its story was sent in again before.
    pub fn replays(&self) -> u32 {
        let name = format!("{}{}", names::ORIGINAL_PREFIX, names::REPLAY);
        self.seen.header(&name).and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// Shows every letter that the filter lets through, oldest first. `depth` says whether with payload.
///
/// # Errors
/// The dead-letter stream does not exist or cannot be read.
pub async fn select(
    broker: &Broker,
    config: &Config,
    filter: &Filter,
    depth: Depth,
    mut see: impl FnMut(Letter) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let depth = if filter.text.is_some() { Depth::Whole } else { depth };
    let start = match (filter.since_ns, filter.sequences.iter().min()) {
        (_, Some(first)) => Start::Sequence(*first),
        (Some(ns), None) => Start::Time(ns),
        (None, None) => Start::First,
    };
    let last = filter.sequences.iter().max().copied().unwrap_or(u64::MAX);
    let reading = each(&broker.jetstream, &config.streams.dead.name, start, None, depth, |seen| {
        if seen.sequence > last {
            return ControlFlow::Break(());
        }
        let letter = Letter::new(seen);
        if filter.holds(&letter) { see(letter) } else { ControlFlow::Continue(()) }
    });
    reading.await.map(drop)
}

/// What became of one letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Its sequence on the dead-letter stream.
    pub sequence: u64,
    /// Why it was one.
    pub reason: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It would be sent in again, or discarded.
    Would,
    /// Sent in again, and removed.
    Replayed,
    /// An earlier run had sent it in; removed now.
    Finished,
    /// Noted and removed.
    Discarded,
    /// Nothing can be done with it by this command; it stays.
    Refused,
    /// It stays, because something went wrong; try again.
    Kept,
}

/// Discards letters: a note of them first, for the ledger, then they are removed.
///
/// # Errors
/// The streams or the state bucket cannot be read.
pub async fn discard(
    broker: &Broker,
    config: &Config,
    filter: &Filter,
    is_dry: bool,
    mut tell: impl FnMut(Done),
) -> Result<(), ReadError> {
    let mut letters = Vec::new();
    select(broker, config, filter, Depth::Headers, |letter| {
        let id =
            letter.origin.as_ref().map(|(origin, part)| (names::part_id(names::message_id(origin), *part), part.of));
        letters.push((letter.seen.sequence, letter.reason().to_owned(), id));
        if letters.len() < LETTERS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .await?;
    if is_dry {
        for (sequence, reason, _) in letters {
            tell(Done { sequence, reason, outcome: Outcome::Would, why: None });
        }
        return Ok(());
    }
    let bucket_name = &config.streams.state.bucket;
    let Some(bucket) = StateBucket::peek(broker, config).await else {
        return Err(ReadError::Missing(format!("KV_{bucket_name}")));
    };
    let stream = dead_stream(broker, config).await?;
    let run = new_run();
    for (number, letters) in (1..).zip(letters.chunks(NOTED_AT_ONCE)) {
        let noted = letters.iter().filter_map(|(_, reason, id)| {
            let (id, of) = id.clone()?;
            Some(DiscardedLetter { id, of, reason: reason.clone() })
        });
        let note = Discarded { at: jiff::Timestamp::now().to_string(), letters: noted.collect() };
        let wrong = |error: &dyn std::fmt::Display| ReadError::of(bucket_name, error);
        let value = serde_json::to_vec(&note).map_err(|error| wrong(&error))?;
        bucket.put(&format!("discarded.{run}.{number}"), value.into()).await.map_err(|error| wrong(&error))?;
        failpoint::hit("discard_noted");
        for some in letters.chunks(AT_ONCE) {
            let removed = join_all(some.iter().map(|(sequence, _, _)| remove(&stream, *sequence))).await;
            for ((sequence, reason, _), removed) in some.iter().zip(removed) {
                let (outcome, why) = match removed {
                    Ok(()) => (Outcome::Discarded, None),
                    Err(why) => (Outcome::Kept, Some(why)),
                };
                tell(Done { sequence: *sequence, reason: reason.clone(), outcome, why });
            }
        }
    }
    Ok(())
}

/// The sequences that the filter lets through, oldest first.
async fn choose(broker: &Broker, config: &Config, filter: &Filter) -> Result<Vec<u64>, ReadError> {
    let mut chosen = Vec::new();
    select(broker, config, filter, Depth::Headers, |letter| {
        chosen.push(letter.seen.sequence);
        if chosen.len() < LETTERS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .await?;
    Ok(chosen)
}

async fn dead_stream(broker: &Broker, config: &Config) -> Result<Stream, ReadError> {
    let name = &config.streams.dead.name;
    broker.jetstream.get_stream(name).await.map_err(|error| ReadError::of(name, &error))
}

/// Removes a letter; one that is gone already is removed.
async fn remove(stream: &Stream, sequence: u64) -> Result<(), String> {
    match stream.delete_message(sequence).await {
        Ok(true) => Ok(()),
        Ok(false) => Err("the broker did not remove it".to_owned()),
        Err(error) => match error.kind() {
            DeleteMessageErrorKind::JetStream(api)
                if api.error_code() == async_nats::jetstream::ErrorCode::NO_MESSAGE_FOUND =>
            {
                Ok(())
            }
            _ => Err(format!("cannot remove it: {error}")),
        },
    }
}

/// A name for a run: its time, and something by chance.
fn new_run() -> String {
    format!("{}-{:08x}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), fastrand::u32(..))
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    /// A letter with these headers.
    pub(super) fn letter(headers: &[(&str, &str)], payload: &'static [u8]) -> Letter {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        let payload = payload.into();
        Letter::new(Seen { sequence: 3, stored_ns: 500, subject: "wire.dead.x".into(), headers: map, payload })
    }

    #[test]
    fn every_part_of_a_filter_has_to_hold() {
        let letter =
            letter(&[(names::REASON, "decode.empty"), (names::SUBJECT, "wire.raw.ap.night")], "Ein Büro".as_bytes());
        let holds = |filter: Filter| filter.holds(&letter);
        assert!(holds(Filter::default()));
        for (reason, is) in [("decode.empty", true), ("decode.", true), ("decode", false), ("read.", false)] {
            assert_eq!(holds(Filter { reasons: vec![reason.into()], ..Filter::default() }), is, "{reason}");
        }
        for (source, is) in [
            ("ap", true),
            ("AP", true),
            ("wire.raw.ap.>", true),
            ("wire.*.ap.night", true),
            ("a", false),
            ("wire.raw.ap", false),
        ] {
            assert_eq!(holds(Filter { source: Some(source.into()), ..Filter::default() }), is, "{source}");
        }
        for (text, is) in [("BÜRO", true), ("decode.EMPTY", true), ("agency", false)] {
            assert_eq!(holds(Filter { text: Some(text.into()), ..Filter::default() }), is, "{text}");
        }
        assert!(holds(Filter { before_ns: Some(501), since_ns: Some(500), ..Filter::default() }));
        assert!(!holds(Filter { before_ns: Some(500), ..Filter::default() }));
        assert!(!holds(Filter { since_ns: Some(501), ..Filter::default() }));
        assert!(!holds(Filter { reasons: vec!["decode.".into()], sequences: vec![4], ..Filter::default() }));
    }
}

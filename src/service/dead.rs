//! Dead letters in an operator's hands: choosing, sending in again, discarding.
//!
//! ```text
//! replay   run noted in the bucket ─▶ publish to the input, PubAck, no duplicate ─▶ removed ─▶ note cleared
//! discard  letters noted in the bucket ─▶ removed
//! ```
//!
//! A letter is removed only after what takes its place stands. When a replay breaks off between the
//! two, the run's note is still there: the next replay looks in the input stream for what that run has
//! sent, removes those letters, and sends none of them twice. Two replays at once are not guarded
//! against each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::stream::{DeleteMessageErrorKind, LastRawMessageErrorKind, Stream},
};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::{
    audit::{Discarded, DiscardedLetter},
    broker::{self, Broker, Receipt},
    config::{Config, overlap},
    failpoint,
    flight::Origin,
    names::{self, Part},
    reading::{Depth, ReadError, Seen, Start, each, nanoseconds},
    state::StateBucket,
};

/// Letters that one run takes.
pub const LETTERS_MAX: usize = 100_000;
/// Letters in one note of a discard.
const NOTED_AT_ONCE: usize = 200;
/// How much before a run's note its first message may seem to stand: clocks differ.
const CLOCKS_DIFFER_NS: i64 = 5 * 60 * 1_000_000_000;

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

/// How letters are sent in again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replay {
    /// Change nothing.
    pub is_dry: bool,
    /// Also letters of one story of a message with several: all of the message is read again, and its
    /// other stories come out a second time.
    pub whole_messages: bool,
}

/// A run's note: the value of `replay.<run>` in the state bucket.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    began_ns: i64,
}

const RUNS: &str = "replay.";

/// Sends letters in again, oldest first, and removes each when it stands in the input stream.
///
/// # Errors
/// The streams or the state bucket cannot be read.
pub async fn replay(
    broker: &Broker,
    config: &Config,
    filter: &Filter,
    replay: Replay,
    mut tell: impl FnMut(Done),
) -> Result<(), ReadError> {
    let chosen = choose(broker, config, filter).await?;
    let bucket_name = &config.streams.state.bucket;
    let Some(bucket) = StateBucket::peek(broker, config).await else {
        return Err(ReadError::Missing(format!("KV_{bucket_name}")));
    };
    let stream = dead_stream(broker, config).await?;
    let unfinished = unfinished_runs(broker, config).await?;
    let mut sent = match unfinished.values().min() {
        Some(since) => sent_since(broker, config, *since, &unfinished).await?,
        None => BTreeMap::new(),
    };
    let run = new_run();
    let key = format!("{RUNS}{run}");
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(bucket_name, error);
    if !replay.is_dry && !chosen.is_empty() {
        let note = Run { began_ns: nanoseconds(jiff::Timestamp::now().as_nanosecond()) };
        let note = serde_json::to_vec(&note).map_err(|error| wrong(&error))?;
        bucket.put(&key, note.into()).await.map_err(|error| wrong(&error))?;
    }
    let mut is_certain = true;
    for sequence in chosen {
        let letter = match stream.get_raw_message(sequence).await {
            Ok(message) => Letter::new(Seen {
                sequence,
                stored_ns: nanoseconds(message.time.unix_timestamp_nanos()),
                subject: message.subject.to_string(),
                headers: message.headers,
                payload: message.payload,
            }),
            // Somebody else was faster.
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => continue,
            Err(error) => return Err(ReadError::of(&config.streams.dead.name, &error)),
        };
        let done = |outcome, why: Option<String>| Done { sequence, reason: letter.reason().to_owned(), outcome, why };
        if let Some(why) = refused(&letter, config, replay) {
            tell(done(Outcome::Refused, Some(why)));
            continue;
        }
        let message = letter.message().unwrap_or_default();
        let before = sent.get(&message).copied();
        if replay.is_dry {
            tell(done(Outcome::Would, before.map(|at| format!("sent already as {at}: only removed"))));
            continue;
        }
        let outcome = match before {
            Some(_) => Ok(Outcome::Finished),
            None => send_in(broker, config, &letter, &run).await.map(|()| {
                sent.insert(message, 0);
                failpoint::hit("replayed");
                Outcome::Replayed
            }),
        };
        let outcome = match outcome {
            Ok(outcome) => remove(&stream, sequence).await.map(|()| outcome).map_err(Failure::Doubtful),
            Err(failure) => Err(failure),
        };
        is_certain &= !matches!(outcome, Err(Failure::Doubtful(_)));
        tell(match outcome {
            Ok(outcome) => done(outcome, None),
            Err(Failure::Certain(why) | Failure::Doubtful(why)) => done(Outcome::Kept, Some(why)),
        });
    }
    if replay.is_dry {
        return Ok(());
    }
    // While a letter is left that may have been sent, the runs' notes stay.
    if is_certain {
        bucket.remove(&key).await.map_err(|error| wrong(&error))?;
        if !any_left(broker, config, &sent).await? {
            for run in unfinished.keys() {
                bucket.remove(&format!("{RUNS}{run}")).await.map_err(|error| wrong(&error))?;
            }
        }
    }
    Ok(())
}

/// Why a letter stays.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// Its story was not sent in.
    Certain(String),
    /// It may have been.
    Doubtful(String),
}

/// Why a letter cannot be sent in again.
fn refused(letter: &Letter, config: &Config, replay: Replay) -> Option<String> {
    let Some((origin, part)) = &letter.origin else { return Some("it does not say whose story it is".to_owned()) };
    if origin.stream != config.streams.input.name {
        return Some(format!("its story came from {}", origin.stream));
    }
    if letter.subject().is_empty() {
        return Some("it does not say which subject its story was published to".to_owned());
    }
    let is_part = part.of > 1 && !replay.whole_messages;
    is_part.then(|| {
        format!(
            "it is story {} of {} of its message; all of them would come out again (--whole-messages does so)",
            part.number, part.of
        )
    })
}

/// Publishes the story under an id of this run. Only a receipt that is no duplicate counts.
async fn send_in(broker: &Broker, config: &Config, letter: &Letter, run: &str) -> Result<(), Failure> {
    let mut headers = original_headers(&letter.seen.headers);
    headers.insert(names::MESSAGE_ID, format!("replay:{run}:{}:{}", letter.seen.sequence, letter.seen.stored_ns));
    headers.insert(names::EXPECTED_STREAM, config.streams.input.name.as_str());
    headers.insert(names::REPLAY_OF, letter.message().unwrap_or_default());
    headers.insert(names::REPLAY, (letter.replays() + 1).to_string());
    let timeout = Duration::from_millis(config.delivery.publish_timeout_ms);
    let payload = letter.seen.payload.clone();
    match broker::publish(&broker.client, letter.subject(), headers, payload, timeout).await {
        Receipt::Stored { duplicate: false } => Ok(()),
        Receipt::Stored { duplicate: true } => {
            Err(Failure::Certain("the input stream took it for a repeat".to_owned()))
        }
        Receipt::TooLarge(why) => Err(Failure::Certain(why)),
        Receipt::Again(why) => Err(Failure::Doubtful(why)),
    }
}

/// The story's own headers as they were, but for those that act on the broker: they keep the prefix.
fn original_headers(letter: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in letter.iter() {
        let name = name.to_string();
        let Some(own) = name.strip_prefix(names::ORIGINAL_PREFIX) else { continue };
        let acts = own.to_ascii_lowercase().starts_with("nats-");
        for value in values {
            headers.append(if acts { name.as_str() } else { own }, value.clone());
        }
    }
    headers
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
        for (sequence, reason, _) in letters {
            let (outcome, why) = match remove(&stream, *sequence).await {
                Ok(()) => (Outcome::Discarded, None),
                Err(why) => (Outcome::Kept, Some(why)),
            };
            tell(Done { sequence: *sequence, reason: reason.clone(), outcome, why });
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

/// Runs that never came to their end, and when each began.
async fn unfinished_runs(broker: &Broker, config: &Config) -> Result<BTreeMap<String, i64>, ReadError> {
    let bucket = &config.streams.state.bucket;
    let (stream, prefix) = (format!("KV_{bucket}"), format!("$KV.{bucket}.{RUNS}"));
    let mut runs = BTreeMap::new();
    each(&broker.jetstream, &stream, Start::First, Some(&format!("{prefix}>")), Depth::Whole, |seen| {
        if let (Some(run), Ok(note)) =
            (seen.subject.strip_prefix(&prefix), serde_json::from_slice::<Run>(&seen.payload))
        {
            runs.insert(run.to_owned(), note.began_ns);
        }
        ControlFlow::Continue(())
    })
    .await?;
    Ok(runs)
}

/// What these runs have sent: the message of each story, and where it stands now.
async fn sent_since(
    broker: &Broker,
    config: &Config,
    since_ns: i64,
    runs: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, u64>, ReadError> {
    let mut sent = BTreeMap::new();
    let start = Start::Time(since_ns.saturating_sub(CLOCKS_DIFFER_NS));
    each(&broker.jetstream, &config.streams.input.name, start, None, Depth::Headers, |seen| {
        let run = seen.header(names::MESSAGE_ID).and_then(|id| id.strip_prefix("replay:")?.split(':').next());
        if let (Some(run), Some(of)) = (run, seen.header(names::REPLAY_OF))
            && runs.contains_key(run)
        {
            sent.insert(of.to_owned(), seen.sequence);
        }
        ControlFlow::Continue(())
    })
    .await?;
    Ok(sent)
}

/// Whether a letter of what was sent is still there.
async fn any_left(broker: &Broker, config: &Config, sent: &BTreeMap<String, u64>) -> Result<bool, ReadError> {
    let sent: BTreeSet<&str> = sent.keys().map(String::as_str).collect();
    let mut left = false;
    select(broker, config, &Filter::default(), Depth::Headers, |letter| {
        left = letter.message().is_some_and(|message| sent.contains(message.as_str()));
        if left { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await?;
    Ok(left)
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
    use super::*;

    fn letter(headers: &[(&str, &str)], payload: &'static [u8]) -> Letter {
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

    #[test]
    fn original_headers_come_back_and_none_acts_on_the_broker_again() {
        let letter = letter(
            &[
                ("Copydesk-Original-X-Desk", "a"),
                ("Copydesk-Original-X-Desk", "b"),
                ("Copydesk-Original-Nats-Msg-Id", "upstream-1"),
                ("Copydesk-Original-nats-expected-last-sequence", "7"),
                ("Copydesk-Original-Copydesk-Original-Nats-Msg-Id", "before"),
                ("Copydesk-Original-Copydesk-Replay", "2"),
                ("Copydesk-Reason", "decode.empty"),
            ],
            b"",
        );
        assert_eq!(letter.replays(), 2);
        let headers = original_headers(&letter.seen.headers);
        let all = |name: &str| {
            let mut values: Vec<_> = headers.get_all(name).map(async_nats::HeaderValue::as_str).collect();
            values.sort_unstable();
            values
        };
        assert_eq!(all("X-Desk"), ["a", "b"]);
        assert_eq!(all("Copydesk-Original-Nats-Msg-Id"), ["before", "upstream-1"]);
        for name in ["Nats-Msg-Id", "nats-expected-last-sequence", "Copydesk-Reason"] {
            assert!(headers.get(name).is_none(), "{name}");
        }
    }
}

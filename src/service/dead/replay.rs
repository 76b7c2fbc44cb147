//! Sending dead letters in again.
//!
//! A run is noted in the state bucket before its first letter, and the note is cleared when nothing is
//! in doubt any more. A run that finds the note of another looks in the input stream for what that one
//! has sent, and removes those letters without sending them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::stream::{LastRawMessageErrorKind, Stream},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{AT_ONCE, Done, Filter, Letter, Outcome, choose, dead_stream, new_run, remove, select};
use crate::service::{
    broker::{self, Broker, Receipt},
    config::Config,
    failpoint, names,
    reading::{Depth, ReadError, Seen, Start, each, nanoseconds},
    state::StateBucket,
};

/// How much before a run's note its first message may seem to stand: clocks differ.
const CLOCKS_DIFFER_NS: i64 = 5 * 60 * 1_000_000_000;

/// How letters are sent in again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replay {
    /// Change nothing.
    pub is_dry: bool,
    /// Also letters of one story of a message with several: all of the message is read again, and its
    /// other stories come out a second time.
    pub whole_messages: bool,
    /// Letters that do not have all headers of their story are sent in without them.
    pub without_headers: bool,
}

/// A run's note: the value of `replay.<run>` in the state bucket.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    began_ns: i64,
}

const RUNS: &str = "replay.";

/// Sends letters in again, oldest first and 32 at once, and removes each when it stands in the
/// input stream.
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
    for sequences in chosen.chunks(AT_ONCE) {
        let letters = fetch(&stream, &config.streams.dead.name, sequences).await?;
        let mut plans: Vec<Plan> = Vec::new();
        let mut begun = BTreeSet::new();
        for letter in &letters {
            let message = letter.message().unwrap_or_default();
            plans.push(match refused(letter, config, replay) {
                Some(why) => Plan::Refuse(why),
                None if sent.contains_key(&message) => Plan::Remove,
                None if begun.insert(message) => Plan::Send,
                None => Plan::AfterAnother,
            });
        }
        if replay.is_dry {
            for (letter, plan) in letters.iter().zip(plans) {
                tell(match plan {
                    Plan::Refuse(why) => letter.done(Outcome::Refused, Some(why)),
                    Plan::Send => letter.done(Outcome::Would, None),
                    Plan::Remove | Plan::AfterAnother => {
                        letter.done(Outcome::Would, Some("its message is sent in already: only removed".to_owned()))
                    }
                });
            }
            continue;
        }
        let sending = letters.iter().zip(&plans).map(|(letter, plan)| async {
            match plan {
                Plan::Send => Some(send_in(broker, config, letter, &run).await),
                Plan::Refuse(_) | Plan::Remove | Plan::AfterAnother => None,
            }
        });
        let receipts = join_all(sending).await;
        for (letter, receipt) in letters.iter().zip(&receipts) {
            if matches!(receipt, Some(Ok(()))) {
                sent.insert(letter.message().unwrap_or_default(), 0);
            }
        }
        let removing = letters.iter().zip(plans).zip(receipts).map(|((letter, plan), receipt)| {
            let is_sent = sent.contains_key(&letter.message().unwrap_or_default());
            let (stream, sequence) = (&stream, letter.seen.sequence);
            async move {
                let outcome = match (plan, receipt) {
                    (Plan::Refuse(why), _) => return (letter, Ok(Outcome::Refused), Some(why)),
                    (_, Some(Err(failure))) => return (letter, Err(failure), None),
                    (_, Some(Ok(()))) => Outcome::Replayed,
                    (_, None) if is_sent => Outcome::Finished,
                    (_, None) => {
                        let why = "another letter of its message could not be sent in".to_owned();
                        return (letter, Err(Failure::Certain(why)), None);
                    }
                };
                (letter, remove(stream, sequence).await.map(|()| outcome).map_err(Failure::Doubtful), None)
            }
        });
        for (letter, outcome, why) in join_all(removing).await {
            is_certain &= !matches!(outcome, Err(Failure::Doubtful(_)));
            tell(match outcome {
                Ok(outcome) => letter.done(outcome, why),
                Err(Failure::Certain(why) | Failure::Doubtful(why)) => letter.done(Outcome::Kept, Some(why)),
            });
        }
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

/// What is to be done with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Plan {
    Refuse(String),
    Send,
    /// Its message was sent in before.
    Remove,
    /// Another letter of its message is being sent.
    AfterAnother,
}

/// The letters that are still there, with their stories.
async fn fetch(stream: &Stream, name: &str, sequences: &[u64]) -> Result<Vec<Letter>, ReadError> {
    let found = join_all(sequences.iter().map(|sequence| stream.get_raw_message(*sequence))).await;
    let mut letters = Vec::new();
    for (sequence, message) in sequences.iter().zip(found) {
        match message {
            Ok(message) => letters.push(Letter::new(Seen {
                sequence: *sequence,
                stored_ns: nanoseconds(message.time.unix_timestamp_nanos()),
                subject: message.subject.to_string(),
                headers: message.headers,
                payload: message.payload,
            })),
            // Somebody else was faster.
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
            Err(error) => return Err(ReadError::of(name, &error)),
        }
    }
    Ok(letters)
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
    let lacks = |name| letter.seen.header(name).is_some();
    if (lacks(names::ORIGINALS_LEFT_OUT) || lacks(names::ORIGINAL_HEADERS)) && !replay.without_headers {
        let why = "it does not have its story's headers; without them the story would be another \
                   (--without-headers sends it in)";
        return Some(why.to_owned());
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
        Receipt::Stored { duplicate: false } => {
            failpoint::hit("replayed");
            Ok(())
        }
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

#[cfg(test)]
mod tests {
    use super::{super::tests::letter, *};

    #[test]
    fn a_letter_without_its_storys_headers_is_sent_in_only_when_that_is_asked_for() {
        let origin = [
            ("Copydesk-Stream", "WIRE_RAW"),
            ("Copydesk-Sequence", "7"),
            ("Copydesk-Stored", "2023-11-14T22:13:20Z"),
            ("Copydesk-Subject", "wire.raw.a"),
        ];
        for lacking in [(names::ORIGINALS_LEFT_OUT, "3"), (names::ORIGINAL_HEADERS, "TkFUUw==")] {
            let whole = letter(&origin, b"");
            let letter = letter(&[&origin[..], &[lacking]].concat(), b"");
            let (config, plain) = (Config::default(), Replay::default());
            assert_eq!(refused(&whole, &config, plain), None);
            assert!(refused(&letter, &config, plain).is_some_and(|why| why.contains("--without-headers")));
            assert_eq!(refused(&letter, &config, Replay { without_headers: true, ..plain }), None);
        }
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

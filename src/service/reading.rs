//! Reading a stream from a place to its present end, for tools that look and change nothing.
//!
//! An ordered consumer of the server's: it is made anew after a gap, and leaves nothing behind. Whoever
//! reads gets every message that stood when reading began, once and in order, or an error.

use std::{ops::ControlFlow, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        self, ErrorCode,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::GetStreamErrorKind,
        stream,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::StreamExt;

use super::unreadable::unreadable;

/// After so long a silence the next message is looked at by other means.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for the next message of a stream that has one.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such stream.
    #[error("there is no stream {0}")]
    Missing(String),
    /// The broker does not answer, or refuses.
    #[error("cannot read stream {stream}: {why}")]
    Unreadable {
        /// Its name.
        stream: String,
        /// In the broker's words.
        why: String,
    },
}

impl ReadError {
    /// Something went wrong with this stream.
    pub(super) fn of(stream: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Unreadable { stream: stream.to_owned(), why: error.to_string() }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first message that there is.
    First,
    /// With this sequence, or the first after it.
    Sequence(u64),
    /// With the first message that was stored at this time or later, in nanoseconds since 1970.
    Time(i64),
}

/// What is read of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything but the payload.
    Headers,
    /// All of it.
    Whole,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its sequence.
    pub sequence: u64,
    /// When it was stored, in nanoseconds since 1970.
    pub stored_ns: i64,
    /// Its subject.
    pub subject: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its payload; empty where only headers are read.
    pub payload: Bytes,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// When it was stored.
    pub fn stored(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.stored_ns)).unwrap_or_default()
    }
}

/// What the broker says of a stream.
///
/// # Errors
/// It does not exist, or the broker does not say.
pub async fn look(jetstream: &jetstream::Context, name: &str) -> Result<stream::Info, ReadError> {
    match jetstream.get_stream(name).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => Err(match error.kind() {
            GetStreamErrorKind::JetStream(api) if api.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                ReadError::Missing(name.to_owned())
            }
            _ => ReadError::of(name, &error),
        }),
    }
}

/// Shows every message to `see`, up to the last that stands when reading begins, or until it has seen
/// enough. Gives how many it saw.
///
/// # Errors
/// The stream does not exist, or falls silent before its end.
pub async fn each(
    jetstream: &jetstream::Context,
    name: &str,
    start: Start,
    subject: Option<&str>,
    depth: Depth,
    mut see: impl FnMut(Seen) -> ControlFlow<()>,
) -> Result<u64, ReadError> {
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let state = look(jetstream, name).await?.state;
    let (first, last) = (state.first_sequence, state.last_sequence);
    let stream = jetstream.get_stream_no_info(name).await.map_err(|error| wrong(&error))?;
    let mut next = match start {
        Start::First => first.max(1),
        Start::Sequence(sequence) => sequence.max(1),
        Start::Time(ns) => sequence_at(&stream, first, last, ns).await.map_err(|error| wrong(&error))?,
    };
    let mut count = 0;
    // Once for each message that the client cannot read, and once more.
    'consumers: while next <= last {
        let consumer = stream
            .create_consumer(OrderedConfig {
                description: Some("copydesk reads the stream once".to_owned()),
                filter_subject: subject.unwrap_or_default().to_owned(),
                headers_only: depth == Depth::Headers,
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
                ..OrderedConfig::default()
            })
            .await
            .map_err(|error| wrong(&error))?;
        if consumer.cached_info().num_pending == 0 {
            return Ok(count);
        }
        let mut messages = consumer.messages().await.map_err(|error| wrong(&error))?;
        let mut silence = Duration::ZERO;
        loop {
            let message = match tokio::time::timeout(QUIET, messages.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(None) => return Err(wrong(&"it ended before its last message")),
                Ok(Some(Err(_))) | Err(_) => {
                    // The client gives the connection up over headers that are no text: the API gives them.
                    let found = stored_at(jetstream, name, next, subject).await;
                    match found {
                        Ok(None) => return Ok(count),
                        Ok(Some((seen, false))) if seen.sequence <= last => {
                            drop(messages);
                            next = seen.sequence + 1;
                            count += 1;
                            if see(seen).is_break() {
                                return Ok(count);
                            }
                            continue 'consumers;
                        }
                        Ok(Some(_)) | Err(_) => {}
                    }
                    silence += QUIET;
                    if silence >= SILENCE_MAX {
                        return Err(wrong(&format!("no message for {} s", SILENCE_MAX.as_secs())));
                    }
                    continue;
                }
            };
            silence = Duration::ZERO;
            let (sequence, stored_ns, pending) = {
                let info = message.info().map_err(|error| wrong(&error))?;
                (info.stream_sequence, nanoseconds(info.published.unix_timestamp_nanos()), info.pending)
            };
            if sequence > last {
                return Ok(count);
            }
            count += 1;
            next = sequence + 1;
            let message = message.message;
            let seen = Seen {
                sequence,
                stored_ns,
                subject: message.subject.to_string(),
                headers: message.headers.unwrap_or_default(),
                payload: message.payload,
            };
            if see(seen).is_break() || pending == 0 || sequence == last {
                return Ok(count);
            }
        }
    }
    Ok(count)
}

/// A message as the API gives it (nats-server `StoredMsg`).
#[derive(serde::Deserialize)]
struct Stored {
    seq: u64,
    subject: String,
    time: String,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

#[derive(serde::Deserialize)]
struct Answer {
    message: Option<Stored>,
}

/// The first message from a sequence on, without its headers, and whether the client could read those;
/// `None` where there is no more.
pub(super) async fn stored_at(
    jetstream: &jetstream::Context,
    name: &str,
    sequence: u64,
    subject: Option<&str>,
) -> Result<Option<(Seen, bool)>, ReadError> {
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let asked = serde_json::json!({ "seq": sequence, "next_by_subj": subject.unwrap_or(">") });
    let answer: Answer =
        jetstream.request(format!("STREAM.MSG.GET.{name}"), &asked).await.map_err(|error| wrong(&error))?;
    let Some(message) = answer.message else { return Ok(None) };
    let time: jiff::Timestamp = message.time.parse().map_err(|error| wrong(&error))?;
    let headers = STANDARD.decode(&message.hdrs).map_err(|error| wrong(&error))?;
    let payload = STANDARD.decode(&message.data).map_err(|error| wrong(&error))?;
    let seen = Seen {
        sequence: message.seq,
        stored_ns: nanoseconds(time.as_nanosecond()),
        subject: message.subject,
        headers: HeaderMap::new(),
        payload: payload.into(),
    };
    let is_readable = unreadable(&seen.subject, &headers).is_none();
    Ok(Some((seen, is_readable)))
}

/// The sequence at which messages of this time or later begin. Searched for here: a consumer that begins
/// by time passes over messages where others were removed from the stream (seen with nats-server 2.12.1).
async fn sequence_at(
    stream: &stream::Stream<()>,
    first: u64,
    last: u64,
    ns: i64,
) -> Result<u64, stream::RawMessageError> {
    let (mut low, mut high) = (first.max(1), last.saturating_add(1));
    while low < high {
        let middle = low.midpoint(high);
        match stream.get_first_raw_message_by_subject(">", middle).await {
            Ok(message) if nanoseconds(message.time.unix_timestamp_nanos()) < ns => low = message.sequence + 1,
            Ok(_) => high = middle,
            Err(error) if error.kind() == stream::RawMessageErrorKind::NoMessageFound => high = middle,
            Err(error) => return Err(error),
        }
    }
    Ok(low.max(1))
}

/// Nanoseconds since 1970 as they stand in message ids.
pub(super) fn nanoseconds(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

//! Stories under an embargo: parked on a stream of their own, published at their time.
//!
//! ```text
//! story with an embargo ─▶ held stream, PubAck ─▶ original acknowledged
//!                              │ at its time, tombstone looked at
//!                              ├─▶ output stream, same message id ─▶ removed from the held stream
//!                              └─▶ dead letter `lineage.killed`, when it was killed meanwhile
//! ```
//!
//! What waits is acknowledged on the input, so it fills nobody's `max_ack_pending`. It stands on
//! the disk of the broker and survives every restart. Each worker watches the held stream and
//! publishes what is due; the message id is the one that the record would have had at once, so two
//! workers give one record. Never earlier: the worker's own clock has to have reached the time.
//!
//! A held message is one line of JSON ([`Parked`]) and the record behind it.
//!
//! What this does not do: hold what has no time ("hold for release"); that is `withheld`, and
//! published as such.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        consumer::pull::OrderedConfig,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    broker::Backoff,
    config::EmbargoMode,
    delivery::Context,
    egress::{Sink, Tombstone, Unpublished},
    flight::Origin,
    lineage::token,
    metrics, names,
    state::{Stopped, is_not_found},
};
use crate::lineage::{Place, Sighting, put};

/// Longest sleep: the clock may be set while a worker waits.
const SLEEP_MAX: Duration = Duration::from_secs(2);
/// Stories that a worker knows to be waiting; further ones are looked at when some are gone.
const WAITING_MAX: usize = 1_000_000;
/// Versions of one story that wait and are taken out by a kill.
const RETRACTED_MAX: usize = 1_000;

/// What is known of a record that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// When it may be published (RFC 3339).
    #[serde(with = "rfc3339")]
    pub until: jiff::Timestamp,
    /// Subject of its record.
    pub subject: String,
    /// Headers of its record.
    pub headers: Vec<(String, String)>,
    /// What its versions are told by.
    pub sighting: Option<Sighting>,
    /// Where it came in.
    pub place: Place,
    /// Its message in the input stream.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
}

/// A moment as text.
mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(time: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<jiff::Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Parked {
    /// What the versions share, as a token; a story without a key stands for itself.
    fn token(&self) -> String {
        let own = format!("{}:{}:{}", self.stream, self.sequence, self.place.part);
        token(self.sighting.as_ref().map_or(own.as_str(), |sighting| sighting.key.as_str()))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The held message: one line, then the record.
    fn write(&self, record: &[u8]) -> Bytes {
        // Strings and numbers alone: it can always be written.
        let mut out = serde_json::to_vec(self).unwrap_or_default();
        out.push(b'\n');
        out.extend_from_slice(record);
        out.into()
    }

    fn read(message: &[u8]) -> Option<(Self, &[u8])> {
        let end = memchr::memchr(b'\n', message)?;
        let parked = serde_json::from_slice(message.get(..end)?).ok()?;
        Some((parked, message.get(end + 1..)?))
    }
}

/// Parks a record; its original may be acknowledged when this succeeds.
///
/// # Errors
/// As publishing.
pub async fn park(context: &Context, parked: &Parked, record: &[u8]) -> Result<bool, Unpublished> {
    let held = &context.config.streams.held;
    let subject = held.subject.replace("{story}", &parked.token());
    let mut headers = HeaderMap::new();
    let id = parked.header(names::MESSAGE_ID).unwrap_or_default();
    headers.insert(names::MESSAGE_ID, format!("held:{id}"));
    headers.insert(names::EXPECTED_STREAM, held.name.as_str());
    headers.insert(names::HELD_UNTIL, parked.until.to_string());
    // Whose it is, for whoever reads headers alone.
    for name in [names::STREAM, names::SEQUENCE, names::STORED, names::PART, names::PARTS, names::STORY_ID] {
        if let Some(value) = parked.header(name) {
            headers.insert(name, value);
        }
    }
    context.egress.publish(Sink::Held, &subject, &headers, &parked.write(record), &context.metrics).await
}

/// Takes what waits of a killed story out of the held stream. What cannot be taken out now is met
/// by the tombstone at its time.
pub async fn retract(context: &Context, key: &str) {
    let held = &context.config.streams.held;
    let subject = held.subject.replace("{story}", &token(key));
    let Ok(stream) = context.jetstream.get_stream(&held.name).await else { return };
    for _ in 0..RETRACTED_MAX {
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => {
                // One that is left there stands before those behind it; they meet the tombstone later.
                if settle(context, &stream, message.sequence, &message.payload).await != Settled::Done {
                    return;
                }
            }
            Err(error) => {
                if error.kind() != LastRawMessageErrorKind::NoMessageFound {
                    tracing::warn!(error = %error, "cannot look for held versions of a killed story; they meet its tombstone later");
                }
                return;
            }
        }
    }
}

/// Releases what is held until `stop`: the configuration has stories held, or an earlier one had and some
/// wait still.
pub async fn keep(context: std::sync::Arc<Context>, stop: CancellationToken) {
    let is_left = async {
        let name = &context.config.streams.held.name;
        match context.jetstream.get_stream(name).await {
            Ok(stream) => stream.cached_info().state.messages > 0,
            Err(error) if is_not_found(&error) => false,
            Err(error) => {
                tracing::warn!(stream.name = %name, error = %error, "cannot tell whether stories are held");
                false
            }
        }
    };
    let is_needed =
        context.config.embargo.mode == EmbargoMode::Hold || stop.run_until_cancelled(is_left).await == Some(true);
    if is_needed {
        release_all(&context, stop).await;
    } else {
        stop.cancelled().await;
    }
}

/// Publishes what is due, for as long as the worker runs.
async fn release_all(context: &Context, stop: CancellationToken) {
    let ms = Duration::from_millis;
    let delivery = &context.config.delivery;
    let mut backoff = Backoff::new(ms(delivery.retry_delay_min_ms), ms(delivery.retry_delay_max_ms));
    loop {
        let began = tokio::time::Instant::now();
        let watched = tokio::select! {
            () = stop.cancelled() => return,
            watched = watch(context) => watched,
        };
        if began.elapsed() > ms(delivery.retry_delay_max_ms) {
            backoff.reset();
        }
        if let Err(why) = watched {
            tracing::warn!(stream.name = %context.config.streams.held.name, error = %why, "cannot watch what is held; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.pause()) => {}
        }
    }
}

/// Follows the held stream from its beginning; ends with an error that has to be begun anew after.
async fn watch(context: &Context) -> Result<(), String> {
    let name = &context.config.streams.held.name;
    let stream = context.jetstream.get_stream(name).await.map_err(|error| error.to_string())?;
    let consumer = stream.create_consumer(OrderedConfig { headers_only: true, ..OrderedConfig::default() });
    let mut messages =
        consumer.await.map_err(|error| error.to_string())?.messages().await.map_err(|error| error.to_string())?;
    let mut waiting: BTreeSet<(jiff::Timestamp, u64)> = BTreeSet::new();
    loop {
        let now = jiff::Timestamp::now();
        let due = waiting.first().copied();
        if let Some((until, sequence)) = due.filter(|(until, _)| *until <= now) {
            match stream.get_raw_message(sequence).await {
                Ok(message) => {
                    if settle(context, &stream, sequence, &message.payload).await == Settled::Later {
                        return Err("a story that is due could not be published".to_owned());
                    }
                }
                // Another worker was faster, or a kill.
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
                Err(error) => return Err(error.to_string()),
            }
            waiting.remove(&(until, sequence));
            continue;
        }
        let sleep = due.map_or(SLEEP_MAX, |(until, _)| {
            let left = until.duration_since(now);
            Duration::try_from(left).unwrap_or_default().min(SLEEP_MAX)
        });
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            message = messages.next(), if waiting.len() < WAITING_MAX => {
                let message = message.ok_or("the consumer ended")?.map_err(|error| error.to_string())?;
                let sequence = message.info().map_err(|error| error.to_string())?.stream_sequence;
                let until = message.headers.as_ref().and_then(|headers| headers.get(names::HELD_UNTIL)).map(ToString::to_string);
                // What says no time may be published: somebody put it there by hand.
                let until = until.and_then(|until| until.parse().ok()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
                waiting.insert((until, sequence));
            }
        }
    }
}

/// What became of a held story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// It has come out, and is gone from the held stream.
    Done,
    /// It can neither come out nor be removed; it stays, and holds up nobody.
    Left,
    /// It is tried again.
    Later,
}

/// Publishes a held record, or buries it when it was killed, and removes it from the held stream.
async fn settle(context: &Context, stream: &Stream, sequence: u64, payload: &[u8]) -> Settled {
    let Some((parked, record)) = Parked::read(payload) else {
        tracing::error!(
            stream.sequence = sequence,
            "what stands on the held stream is no held story; it is left there"
        );
        return Settled::Left;
    };
    let settled = settle_parked(context, &parked, record).await;
    if settled == Settled::Done
        && let Err(error) = stream.delete_message(sequence).await
    {
        // It is published again after a restart, with the same message id.
        tracing::warn!(error = %error, stream.sequence = sequence, "cannot remove a story that was held");
    }
    settled
}

async fn settle_parked(context: &Context, parked: &Parked, record: &[u8]) -> Settled {
    let mut body = record.to_vec();
    let mut headers = HeaderMap::new();
    for (name, value) in &parked.headers {
        headers.insert(name.as_str(), value.as_str());
    }
    if let Some(sighting) = &parked.sighting {
        let Ok(killed) = context.keeper.is_killed(&sighting.key).await else { return Settled::Later };
        if killed {
            return bury(context, parked, record, KILLED, KILLED_WAITING).await;
        }
        if parked.until > jiff::Timestamp::now() {
            // A kill was looked for, and there is none: it goes on waiting.
            return Settled::Later;
        }
        match context.keeper.see(sighting, parked.place).await {
            Ok(lineage) if lineage.state == Some(crate::lineage::Standing::Killed) => {
                return bury(context, parked, record, KILLED, KILLED_WAITING).await;
            }
            Ok(lineage) => {
                super::delivery::put_lineage(&mut headers, &lineage);
                body = put(body, &lineage);
            }
            Err(Stopped) => return Settled::Later,
        }
    }
    let tombstone = parked.sighting.as_ref();
    let tombstone = tombstone.map(|sighting| Tombstone { keeper: &context.keeper, key: &sighting.key });
    let body = Bytes::from(body);
    let published = context
        .egress
        .publish_unless(tombstone, Sink::Output, &parked.subject, &headers, &body, &context.metrics)
        .await;
    match published {
        Ok(_) => {
            tracing::info!(
                story.stream = %parked.stream, story.sequence = parked.sequence, "published a story that was held"
            );
            Settled::Done
        }
        Err(Unpublished::Killed) => bury(context, parked, record, KILLED, KILLED_WAITING).await,
        Err(Unpublished::TooLarge(why)) => {
            let detail = format!("the record has {} bytes: {why}", record.len());
            bury(context, parked, record, "record.too_large", &detail).await
        }
        Err(Unpublished::Stopped) => Settled::Later,
    }
}

/// A dead letter for a story that ends while it waits: its original bytes and headers, as long as the
/// input stream has them, else the record.
async fn bury(context: &Context, parked: &Parked, record: &[u8], code: &'static str, detail: &str) -> Settled {
    let original = match context.jetstream.get_stream(&parked.stream).await {
        Ok(stream) => match stream.get_raw_message(parked.sequence).await {
            Ok(message) => Some(message),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => None,
            // Whether it is there still is not known: later.
            Err(_) => return Settled::Later,
        },
        Err(error) if is_not_found(&error) => None,
        Err(_) => return Settled::Later,
    };
    let origin = |stored_ns: i64| Origin { stream: parked.stream.clone(), sequence: parked.sequence, stored_ns };
    let stored_ns = parked.place.message;
    let original = original.filter(|message| message.time.unix_timestamp_nanos() == i128::from(stored_ns));
    let (body, originals) = original.map_or_else(
        || (Bytes::copy_from_slice(record), HeaderMap::new()),
        |message| (message.payload, message.headers),
    );
    let header = |name| parked.header(name).unwrap_or_default().to_owned();
    let attempt = header(names::ATTEMPT).parse().unwrap_or(1);
    let id = format!("dead:{}", header(names::MESSAGE_ID));
    let mut headers = names::origin_headers(&origin(stored_ns), &header(names::SUBJECT), attempt, &id);
    headers.insert(names::REASON, code);
    headers.insert(names::DETAIL, detail);
    for name in [names::STORY_ID, names::PART, names::PARTS, names::LINEAGE_KEY] {
        if let Some(value) = parked.header(name) {
            headers.insert(name, value);
        }
    }
    headers.insert(names::EXPECTED_STREAM, context.config.streams.dead.name.as_str());
    let subject = context.config.streams.dead.subject.replace("{reason}", &names::token(Some(code)));
    let mut whole = headers.clone();
    names::put_originals(&mut whole, &originals);
    let mut published = context.egress.publish(Sink::Dead, &subject, &whole, &body, &context.metrics).await;
    if matches!(published, Err(Unpublished::TooLarge(_))) {
        headers.insert(names::ORIGINALS_LEFT_OUT, originals.len().to_string());
        published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    }
    match published {
        Ok(_) => {
            metrics::dead_letter(code);
            tracing::info!(
                story.stream = %parked.stream, story.sequence = parked.sequence, reason = code,
                "a story that was held became a dead letter"
            );
            Settled::Done
        }
        Err(Unpublished::TooLarge(why)) => {
            tracing::error!(
                story.stream = %parked.stream, story.sequence = parked.sequence, error = %why,
                "a dead letter does not fit the dead-letter stream; its story stays on the held stream. Raise the limits"
            );
            Settled::Left
        }
        Err(Unpublished::Stopped | Unpublished::Killed) => Settled::Later,
    }
}

/// Why a killed story is a dead letter.
pub const KILLED: &str = "lineage.killed";
/// The same in words.
const KILLED_WAITING: &str = "killed while it waited for the end of its embargo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_record_comes_back_as_it_was() {
        let parked = Parked {
            until: "2031-03-04T05:06:07Z".parse().expect("a time"),
            subject: "wire.enriched.a".into(),
            headers: vec![(names::MESSAGE_ID.into(), "S:1:2".into())],
            sighting: None,
            place: Place { message: 2, part: 1 },
            stream: "S".into(),
            sequence: 1,
        };
        let written = parked.write(b"{\"a\":\n1}");
        assert_eq!(Parked::read(&written), Some((parked, &b"{\"a\":\n1}"[..])));
        assert_eq!(Parked::read(b"no line"), None);
    }
}

//! Messages that the client cannot read, because their headers or their subject are no text.
//!
//! To the broker headers and subjects are bytes; the client takes UTF-8, headers in lines of
//! `name: value` alone, and gives the connection up over anything else. Such a story comes again after `ack_wait`, to whichever
//! worker asks, and takes that worker's connection with it. So whenever a connection was lost, and
//! before the first story is asked for, what is delivered and not acknowledged is looked at through
//! the broker's API, which hands headers over in Base64. A message that the client could not have
//! read becomes a dead letter (`message.headers`, `message.subject`): its bytes as they are, its headers
//! in Base64, its subject as the API writes it. Then it is ended on the subject that its acknowledgement
//! would have gone to.
//!
//! Messages do not change, so each is looked at once by each worker: the next look begins where the last
//! ended, or at the acknowledgement floor if that is further on, and returns to those that were found
//! unreadable, because a consumer that is made again hands them out again. It does not look at what no
//! worker has been given yet, nor at more than `LOOKS_MAX` messages at once: those above take the next
//! connection, and then their look.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::RangeInclusive,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use async_nats::{HeaderName, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{self, Broker},
    config::Input,
    delivery::Context,
    egress::{Sink, Unpublished},
    flight::Origin,
    metrics, names,
};

/// Reason of the dead letters of messages whose headers are no text.
pub const HEADERS: &str = "message.headers";
/// Reason of those whose subject is none.
pub const SUBJECT: &str = "message.subject";
/// Messages that are looked at in one go.
const LOOKS_MAX: usize = 100_000;
/// Messages that are asked for at once.
const ASKED_AT_ONCE: usize = 32;

/// What this worker has looked at, by consumer.
#[derive(Debug, Default)]
pub struct Looked(HashMap<String, Seen>);

/// A stretch of the input stream that was looked at without a gap, and what was unreadable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    stretch: RangeInclusive<u64>,
    unreadable: BTreeSet<u64>,
}

/// Unreadable messages that are kept in mind; with more of them everything is looked at anew.
const UNREADABLE_MAX: usize = 10_000;

impl Default for Seen {
    fn default() -> Self {
        Self { stretch: RangeInclusive::new(1, 0), unreadable: BTreeSet::new() }
    }
}

impl Seen {
    /// What has to be looked at of these sequences, in order.
    fn left(&self, wanted: RangeInclusive<u64>) -> Vec<u64> {
        let is_known = self.stretch.contains(wanted.start());
        let known = is_known.then(|| self.unreadable.range(wanted.clone()).copied()).into_iter().flatten();
        let first = if is_known { self.stretch.end() + 1 } else { *wanted.start() };
        known.chain(first..=*wanted.end()).take(LOOKS_MAX).collect()
    }

    /// Notes that a sequence was looked at; those of [`Self::left`] come in their order.
    fn note(&mut self, sequence: u64, is_readable: bool) {
        if self.unreadable.len() >= UNREADABLE_MAX {
            *self = Self::default();
        }
        if !self.stretch.contains(&sequence) {
            let goes_on = *self.stretch.end() + 1 == sequence && !self.stretch.is_empty();
            let start = if goes_on { *self.stretch.start() } else { sequence };
            if !goes_on {
                self.unreadable.clear();
            }
            self.stretch = start..=sequence;
        }
        if !is_readable {
            self.unreadable.insert(sequence);
        }
    }
}

/// A message as the API gives it (nats-server `StoredMsg`).
#[derive(Deserialize)]
struct Stored {
    subject: String,
    time: String,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Answer {
    message: Option<Stored>,
}

/// Looks after every lost connection, until `stop`. Nothing is asked for from the loss to the end of the
/// look: what took the connection would come again at once, and take the look with it.
pub async fn watch(context: Arc<Context>, broker: Broker, mut looked: Looked, stop: CancellationToken) {
    let mut connected = broker.connected.clone();
    loop {
        let looking = Box::pin(after_a_loss(&context, &broker, &mut looked, &mut connected));
        if stop.run_until_cancelled(looking).await != Some(true) {
            break;
        }
    }
    // The connection has ended for good; others tell of it.
    stop.cancelled().await;
}

/// Waits for a loss and looks when the connection is back; `false` when it will not come back.
async fn after_a_loss(
    context: &Context,
    broker: &Broker,
    looked: &mut Looked,
    connected: &mut watch::Receiver<bool>,
) -> bool {
    if connected.changed().await.is_err() {
        return false;
    }
    let _held = context.egress.gate.hold(Sink::Nowhere);
    loop {
        if connected.wait_for(|up| *up).await.is_err() {
            return false;
        }
        let mut again = broker.connected.clone();
        tokio::select! {
            () = look_at_all(context, broker, looked) => return true,
            // Whatever was asked is lost with the connection: from the beginning.
            _ = again.wait_for(|up| !*up) => {}
        }
    }
}

/// Looks at what is delivered and not acknowledged of every input.
pub async fn look_at_all(context: &Context, broker: &Broker, looked: &mut Looked) {
    for input in context.config.inputs.0.values() {
        let seen = looked.0.entry(input.durable.clone()).or_default();
        if let Err(error) = look(context, broker, input, seen).await {
            tracing::warn!(
                consumer = %input.durable, error = %error,
                "cannot look for messages that the client cannot read"
            );
        }
    }
}

async fn look(context: &Context, broker: &Broker, input: &Input, seen: &mut Seen) -> anyhow::Result<()> {
    let stream_name = &context.config.streams.input.name;
    let stream = broker.jetstream.get_stream_no_info(stream_name).await?;
    let info = stream.consumer_info(&input.durable).await?;
    if info.num_ack_pending == 0 {
        return Ok(());
    }
    // What is here was read.
    let here: HashSet<u64> = context.registry.all().iter().map(|flight| flight.origin.sequence).collect();
    let left = seen.left(info.ack_floor.stream_sequence + 1..=info.delivered.stream_sequence);
    let mut answers = stream::iter(left)
        .map(|sequence| {
            let is_here = here.contains(&sequence);
            let subject = format!("{}.STREAM.MSG.GET.{stream_name}", broker.api);
            let asked = serde_json::json!({ "seq": sequence }).to_string();
            let client = &broker.client;
            async move {
                match is_here {
                    true => Ok((sequence, None)),
                    false => client.request(subject, asked.into()).await.map(|answer| (sequence, Some(answer))),
                }
            }
        })
        .buffered(ASKED_AT_ONCE);
    while let Some(answered) = answers.next().await {
        let (sequence, answer) = answered?;
        let answer = answer.and_then(|answer| serde_json::from_slice(&answer.payload).ok());
        // Nothing is said of what is here, was deleted meanwhile, or is no message of this consumer.
        let mut is_readable = true;
        if let Some(Answer { message: Some(message) }) = answer
            && let Some(reason) = unreadable(&message.subject, &STANDARD.decode(&message.hdrs)?)
        {
            bury(context, input, sequence, &message, reason).await?;
            is_readable = false;
        }
        seen.note(sequence, is_readable);
    }
    Ok(())
}

/// Why the client cannot read a message, if it cannot. The API writes what is no UTF-8 as U+FFFD.
pub(super) fn unreadable(subject: &str, headers: &[u8]) -> Option<&'static str> {
    let is_subject = !subject.contains(|c: char| c == char::REPLACEMENT_CHARACTER || c.is_whitespace());
    match (is_subject, is_readable(headers)) {
        (false, _) => Some(SUBJECT),
        (true, false) => Some(HEADERS),
        (true, true) => None,
    }
}

/// Whether the client reads headers: a version line, then lines with a name and a colon, in UTF-8.
pub fn is_readable(headers: &[u8]) -> bool {
    if headers.is_empty() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(headers) else { return false };
    let mut lines = text.lines();
    let Some(status) = lines.next().and_then(|line| line.strip_prefix("NATS/1.0")) else { return false };
    let code = status.trim().split(' ').next().unwrap_or_default();
    let name = |line: &str| line.split_once(':').map(|(name, _)| HeaderName::from_str(name).is_ok());
    if !code.is_empty() && code.parse::<StatusCode>().is_err() {
        return false;
    }
    // A line that is set in goes on with the header above; where there is none it is a header itself.
    let mut is_behind_header = false;
    lines.all(|line| {
        let goes_on = is_behind_header && line.starts_with(char::is_whitespace);
        is_behind_header = !line.is_empty();
        line.is_empty() || goes_on || name(line) == Some(true)
    })
}

async fn bury(
    context: &Context,
    input: &Input,
    sequence: u64,
    message: &Stored,
    reason: &'static str,
) -> anyhow::Result<()> {
    let time: jiff::Timestamp = message.time.parse()?;
    let stored_ns = i64::try_from(time.as_nanosecond())?;
    let origin = Origin { stream: context.config.streams.input.name.clone(), sequence, stored_ns };
    let body = bytes::Bytes::from(STANDARD.decode(&message.data)?);
    let id = format!("dead:{}", names::message_id(&origin));
    let mut headers = names::origin_headers(&origin, &message.subject, 1, &id);
    headers.insert(names::REASON, reason);
    let what = if reason == SUBJECT { "subject is" } else { "headers are" };
    headers.insert(names::DETAIL, format!("the {what} no text that the client can read"));
    headers.insert(names::EXPECTED_STREAM, context.config.streams.dead.name.as_str());
    let subject = context.config.streams.dead.subject.replace("{reason}", &names::token(Some(reason)));
    let mut whole = headers.clone();
    whole.insert(names::ORIGINAL_HEADERS, message.hdrs.as_str());
    let mut published = context.egress.publish(Sink::Dead, &subject, &whole, &body, &context.metrics).await;
    if matches!(published, Err(Unpublished::TooLarge(_))) {
        headers.insert(names::ORIGINALS_LEFT_OUT, "1");
        published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    }
    published.map_err(|error| anyhow::anyhow!("the dead letter of message {sequence} is not stored: {error:?}"))?;
    metrics::dead_letter(reason);
    tracing::warn!(
        story.stream = %origin.stream, story.sequence = sequence, story.bytes = body.len(), reason,
        "a message that the client cannot read became a dead letter"
    );
    // Any delivery of it ends so: the broker goes by the sequence.
    let reply = format!("$JS.ACK.{}.{}.1.{sequence}.1.{stored_ns}.0", origin.stream, input.durable);
    let timeout = Duration::from_millis(context.config.delivery.ack_timeout_ms);
    let ended = broker::confirm(&context.client, reply.into(), b"+TERM", timeout).await;
    ended.map_err(|error| anyhow::anyhow!("message {sequence} is not ended: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_the_client_reads() {
        for headers in [
            &b""[..],
            b"NATS/1.0\r\n\r\n",
            b"NATS/1.0\r\nX-Desk: a\r\nX-Desk:b\r\n\r\n",
            b"NATS/1.0 408 Request Timeout\r\nX: caf\xc3\xa9\r\n\r\n",
            b"NATS/1.0\r\nX: a\r\n b\r\n\tc\r\n\r\n",
        ] {
            assert!(is_readable(headers), "{:?}", String::from_utf8_lossy(headers));
        }
        for headers in [
            &b"NATS/1.0\r\nX: caf\xe9\r\n\r\n"[..],
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\nna me: a\r\n\r\n",
            b"NATS/1.0\r\nA\rB: a\r\n\r\n",
            b"NATS/1.0 abc\r\n\r\n",
            b"X: a\r\n\r\n",
            b"NATS/1.0\r\n set in: a\r\nA: b\r\n\r\n",
            b"NATS/1.0\r\nA: b\r\n\r\n set in\r\n\r\n",
        ] {
            assert!(!is_readable(headers), "{:?}", String::from_utf8_lossy(headers));
        }
    }
    #[test]
    fn each_message_is_looked_at_once_and_the_unreadable_again() {
        let mut seen = Seen::default();
        let look = |seen: &mut Seen, wanted: RangeInclusive<u64>, odd: &[u64]| {
            let left = seen.left(wanted);
            for sequence in &left {
                seen.note(*sequence, !odd.contains(sequence));
            }
            left
        };
        assert_eq!(look(&mut seen, 11..=14, &[12]), [11, 12, 13, 14]);
        assert_eq!(look(&mut seen, 11..=16, &[12]), [12, 15, 16]);
        assert_eq!(look(&mut seen, 14..=16, &[]), [0; 0], "all of it was looked at");
        // The consumer was made again below: what was not looked at here may have been buried elsewhere.
        assert_eq!(look(&mut seen, 9..=17, &[9, 12]), [9, 10, 11, 12, 13, 14, 15, 16, 17]);
        assert_eq!(look(&mut seen, 9..=17, &[]), [9, 12]);
        // A gap that nobody looked at here.
        assert_eq!(look(&mut seen, 20..=21, &[21]), [20, 21]);
        assert_eq!(look(&mut seen, 17..=21, &[21]), [17, 18, 19, 20, 21]);
    }

    #[test]
    fn subjects_that_the_client_reads() {
        assert_eq!(unreadable("wire.raw.zürich", b""), None);
        for subject in ["wire.raw.\u{fffd}", "wire.raw.a\u{a0}b"] {
            assert_eq!(unreadable(subject, b""), Some(SUBJECT));
        }
        assert_eq!(unreadable("wire.raw.a", b"X: a\r\n\r\n"), Some(HEADERS));
    }
}

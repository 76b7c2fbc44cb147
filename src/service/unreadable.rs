//! Messages that the client cannot read, because their headers are no text.
//!
//! To the broker headers are bytes; the client takes UTF-8 in lines of `name: value` alone, and gives
//! the connection up over anything else. Such a story comes again after `ack_wait`, to whichever
//! worker asks, and takes that worker's connection with it. So whenever a connection was lost, and
//! before the first story is asked for, what is delivered and not acknowledged is looked at through
//! the broker's API, which hands headers over in Base64. A message that the client could not have
//! read becomes a dead letter (`message.headers`): its bytes as they are, its headers in Base64. Then
//! it is ended on the subject that its acknowledgement would have gone to.
//!
//! It does not look at what no worker has been given yet, nor at more than `LOOKS_MAX` messages at
//! once: the look after the next loss begins at the acknowledgement floor again, which has moved by then.

use std::{collections::HashSet, str::FromStr, sync::Arc, time::Duration};

use async_nats::{HeaderName, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
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

/// Reason of the dead letters.
pub const CODE: &str = "message.headers";
/// Messages that are looked at in one go.
const LOOKS_MAX: usize = 4_000;

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
pub async fn watch(context: Arc<Context>, broker: Broker, stop: CancellationToken) {
    let mut connected = broker.connected.clone();
    loop {
        let looking = Box::pin(after_a_loss(&context, &broker, &mut connected));
        if stop.run_until_cancelled(looking).await != Some(true) {
            break;
        }
    }
    // The connection has ended for good; others tell of it.
    stop.cancelled().await;
}

/// Waits for a loss and looks when the connection is back; `false` when it will not come back.
async fn after_a_loss(context: &Context, broker: &Broker, connected: &mut watch::Receiver<bool>) -> bool {
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
            () = look_at_all(context, broker) => return true,
            // Whatever was asked is lost with the connection: from the beginning.
            _ = again.wait_for(|up| !*up) => {}
        }
    }
}

/// Looks at what is delivered and not acknowledged of every input.
pub async fn look_at_all(context: &Context, broker: &Broker) {
    for input in context.config.inputs.0.values() {
        if let Err(error) = look(context, broker, input).await {
            tracing::warn!(
                consumer = %input.durable, error = %error,
                "cannot look for messages whose headers are no text"
            );
        }
    }
}

async fn look(context: &Context, broker: &Broker, input: &Input) -> anyhow::Result<()> {
    let stream_name = &context.config.streams.input.name;
    let stream = broker.jetstream.get_stream_no_info(stream_name).await?;
    let info = stream.consumer_info(&input.durable).await?;
    if info.num_ack_pending == 0 {
        return Ok(());
    }
    // What is here was read.
    let here: HashSet<u64> = context.registry.all().iter().map(|flight| flight.origin.sequence).collect();
    let pending = info.ack_floor.stream_sequence + 1..=info.delivered.stream_sequence;
    for sequence in pending.filter(|sequence| !here.contains(sequence)).take(LOOKS_MAX) {
        let subject = format!("{}.STREAM.MSG.GET.{stream_name}", broker.api);
        let asked = serde_json::json!({ "seq": sequence }).to_string();
        let answer = broker.client.request(subject, asked.into()).await?;
        // Deleted meanwhile, or no message of this consumer.
        let Ok(Answer { message: Some(message) }) = serde_json::from_slice(&answer.payload) else { continue };
        let headers = STANDARD.decode(&message.hdrs)?;
        if !is_readable(&headers) {
            bury(context, input, sequence, &message).await?;
        }
    }
    Ok(())
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
    (code.is_empty() || code.parse::<StatusCode>().is_ok())
        // A line that is set in goes on with the one above.
        && lines.all(|line| line.is_empty() || line.starts_with(char::is_whitespace) || name(line) == Some(true))
}

async fn bury(context: &Context, input: &Input, sequence: u64, message: &Stored) -> anyhow::Result<()> {
    let time: jiff::Timestamp = message.time.parse()?;
    let stored_ns = i64::try_from(time.as_nanosecond())?;
    let origin = Origin { stream: context.config.streams.input.name.clone(), sequence, stored_ns };
    let body = bytes::Bytes::from(STANDARD.decode(&message.data)?);
    let id = format!("dead:{}", names::message_id(&origin));
    let mut headers = names::origin_headers(&origin, &message.subject, 1, &id);
    headers.insert(names::REASON, CODE);
    headers.insert(names::DETAIL, "the headers are no text that the client can read");
    headers.insert(names::EXPECTED_STREAM, context.config.streams.dead.name.as_str());
    let subject = context.config.streams.dead.subject.replace("{reason}", &names::token(Some(CODE)));
    let mut whole = headers.clone();
    whole.insert(names::ORIGINAL_HEADERS, message.hdrs.as_str());
    let mut published = context.egress.publish(Sink::Dead, &subject, &whole, &body, &context.metrics).await;
    if matches!(published, Err(Unpublished::TooLarge(_))) {
        headers.insert(names::ORIGINALS_LEFT_OUT, "1");
        published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    }
    published.map_err(|error| anyhow::anyhow!("the dead letter of message {sequence} is not stored: {error:?}"))?;
    metrics::dead_letter(CODE);
    tracing::warn!(
        story.stream = %origin.stream, story.sequence = sequence, story.bytes = body.len(), reason = CODE,
        "a message whose headers are no text became a dead letter"
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
            b"NATS/1.0\r\nX: a\r\n b\r\n\r\n",
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
        ] {
            assert!(!is_readable(headers), "{:?}", String::from_utf8_lossy(headers));
        }
    }
}

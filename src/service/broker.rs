//! The connection, and requests whose answer is believed only when it says so.

mod connection;
pub mod version;

use std::{sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap, HeaderName, HeaderValue, Request, Subject, client::RequestErrorKind, jetstream};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::names;

pub use self::connection::{Signs, connect};

/// A connection with what is known of its state.
#[derive(Clone, Debug)]
pub struct Broker {
    /// The client.
    pub client: Client,
    /// Its JetStream side.
    pub jetstream: jetstream::Context,
    /// Whether it is connected.
    pub connected: watch::Receiver<bool>,
    /// Cancelled before the connection is closed on purpose.
    pub closing: CancellationToken,
    /// What was last heard of it.
    pub signs: Arc<Signs>,
    /// Prefix of the JetStream API.
    pub api: String,
}

/// How often the client itself is tested.
const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Waits until the broker has been reached, or until `stop` ends first.
pub async fn wait_connected(broker: &Broker, stop: &CancellationToken) -> bool {
    let mut connected = broker.connected.clone();
    tokio::select! {
        () = stop.cancelled() => false,
        seen = connected.wait_for(|up| *up) => seen.is_ok(),
    }
}

/// Ends when the client itself has ended, which it never should: then only a new process helps.
pub async fn watch_client(broker: Broker, stop: CancellationToken) {
    let mut connected = broker.connected.clone();
    loop {
        let changed = tokio::select! {
            () = stop.cancelled() => return,
            changed = connected.changed() => changed,
            () = tokio::time::sleep(CLIENT_CHECK_INTERVAL) => Ok(()),
        };
        // A client whose task has ended takes no commands any more.
        let ended = changed.is_err()
            || matches!(
                tokio::time::timeout(CLIENT_CHECK_INTERVAL, broker.client.publish("_copydesk.alive", Bytes::new()))
                    .await,
                Ok(Err(_))
            );
        if ended && !broker.closing.is_cancelled() {
            tracing::error!("the NATS client has ended; leaving, so that a new process can begin");
            return;
        }
    }
}

/// What the broker said to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is stored, or was already: the record stands.
    Stored {
        /// Whether an earlier message had the same id.
        duplicate: bool,
    },
    /// It can never be stored: too large for the stream or the broker.
    TooLarge(String),
    /// It is not known to be stored: send it again with the same id.
    Again(String),
}

/// The parts of a PubAck that matter (nats-server `PubAck`, `ApiError`).
#[derive(Deserialize)]
struct PubAck {
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

/// `JSStreamMessageExceedsMaximumErr` of nats-server.
const MESSAGE_EXCEEDS_MAXIMUM: u32 = 10_054;
/// `JSStreamHeaderExceedsMaximumErr` of nats-server: 64 KiB of headers.
const HEADERS_EXCEED_MAXIMUM: u32 = 10_097;

/// Headers of ours that the server acts on.
const ACTED_ON: [&str; 2] = [names::MESSAGE_ID, names::EXPECTED_STREAM];

/// Writes in small letters what would hide a header of ours from the server. It looks for `Nats-Msg-Id:` in
/// the bytes of all headers and takes the first hit alone: one that stands inside of another name
/// (`Copydesk-Original-Nats-Msg-Id`) or a value makes it believe that there is no id, and the stream then
/// stores every repeat (nats-server up to 2.12).
fn unhidden(headers: HeaderMap) -> HeaderMap {
    let hides = |name: &HeaderName, values: &[HeaderValue], own: &str| {
        let name: &str = name.as_ref();
        let hit = format!("{own}:");
        (name != own && name.ends_with(own)) || values.iter().any(|value| value.as_str().contains(&hit))
    };
    if !headers.iter().any(|(name, values)| ACTED_ON.iter().any(|own| hides(name, values, own))) {
        return headers;
    }
    let mut quiet = HeaderMap::new();
    for (name, values) in headers.iter() {
        let mut written: String = AsRef::<str>::as_ref(name).to_owned();
        let is_own = ACTED_ON.contains(&written.as_str());
        for own in ACTED_ON.iter().filter(|_| !is_own) {
            written = written.replace(own, &own.to_ascii_lowercase());
        }
        for value in values {
            let mut value = value.as_str().to_owned();
            for own in ACTED_ON {
                value = value.replace(own, &own.to_ascii_lowercase());
            }
            quiet.append(written.as_str(), value);
        }
    }
    quiet
}

/// Publishes and waits for the PubAck (step 6, and step 8 for dead letters).
pub async fn publish(client: &Client, subject: &str, headers: HeaderMap, body: Bytes, timeout: Duration) -> Receipt {
    let request = Request::new().payload(body).headers(unhidden(headers)).timeout(None);
    let asking = client.send_request(subject.to_owned(), request);
    let Ok(answered) = tokio::time::timeout(timeout, asking).await else {
        return Receipt::Again(format!("no receipt within {} ms", timeout.as_millis()));
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) if error.kind() == RequestErrorKind::MaxPayloadExceeded => {
            return Receipt::TooLarge("larger than the broker's max_payload".to_owned());
        }
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            return Receipt::Again("no stream takes the subject, or it has no leader".to_owned());
        }
        Err(error) => return Receipt::Again(error.to_string()),
    };
    read_receipt(&answer.payload)
}

fn read_receipt(payload: &[u8]) -> Receipt {
    match serde_json::from_slice::<PubAck>(payload) {
        Ok(PubAck { error: Some(error), .. }) if error.err_code == MESSAGE_EXCEEDS_MAXIMUM => {
            Receipt::TooLarge("larger than the stream's largest message".to_owned())
        }
        Ok(PubAck { error: Some(error), .. }) if error.err_code == HEADERS_EXCEED_MAXIMUM => {
            Receipt::TooLarge("its headers are larger than the broker stores".to_owned())
        }
        Ok(PubAck { error: Some(error), .. }) => {
            Receipt::Again(format!("{} ({}, {})", error.description, error.code, error.err_code))
        }
        Ok(PubAck { seq: Some(_), duplicate, .. }) => Receipt::Stored { duplicate },
        Ok(_) | Err(_) => Receipt::Again("the answer is no receipt".to_owned()),
    }
}

/// Sends an acknowledgement and waits for the broker's confirmation (step 7). Anything else than
/// a confirmation is an error: the story will be delivered again.
///
/// # Errors
/// Why it is not confirmed.
pub async fn confirm(client: &Client, reply: Subject, kind: &'static [u8], timeout: Duration) -> Result<(), String> {
    let request = Request::new().payload(Bytes::from_static(kind)).timeout(None);
    match tokio::time::timeout(timeout, client.send_request(reply, request)).await {
        Ok(answered) => answered.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no confirmation within {} ms", timeout.as_millis())),
    }
}

/// A random part of a pause: between half and the whole of it.
pub fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Pauses that double up to a limit, with jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// From the first pause to the longest.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, first, longest }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = jitter(self.next);
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// Begins again from the first pause.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_hides_the_id_from_the_server() {
        let mut headers = HeaderMap::new();
        headers.insert(names::MESSAGE_ID, "dead:S:1:2");
        headers.insert("X-Desk", "a");
        assert_eq!(unhidden(headers.clone()), headers, "nothing to do");
        headers.append("Copydesk-Original-Nats-Msg-Id", "up-1");
        headers.append("Copydesk-Original-Nats-Msg-Id", "up-2");
        headers.insert(names::DETAIL, "after Nats-Msg-Id: 7 and Nats-Expected-Stream: B");
        headers.insert("Copydesk-Original-Nats-Expected-Stream", "C");
        let quiet = unhidden(headers);
        let get = |name| quiet.get_all(name).map(HeaderValue::as_str).collect::<Vec<_>>();
        assert_eq!(get(names::MESSAGE_ID), ["dead:S:1:2"]);
        assert_eq!(get("X-Desk"), ["a"]);
        assert_eq!(get("Copydesk-Original-nats-msg-id"), ["up-1", "up-2"]);
        assert_eq!(get("Copydesk-Original-nats-expected-stream"), ["C"]);
        assert_eq!(get(names::DETAIL), ["after nats-msg-id: 7 and nats-expected-stream: B"]);
        assert_eq!(quiet.len(), 5);
    }

    #[test]
    fn receipts_are_believed_only_when_they_say_so() {
        assert_eq!(read_receipt(br#"{"stream":"A","seq":5}"#), Receipt::Stored { duplicate: false });
        assert_eq!(read_receipt(br#"{"stream":"A","seq":5,"duplicate":true}"#), Receipt::Stored { duplicate: true });
        let full = br#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"A","seq":0}"#;
        assert!(matches!(read_receipt(full), Receipt::Again(why) if why.contains("10077")));
        let large = br#"{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}"#;
        assert!(matches!(read_receipt(large), Receipt::TooLarge(_)));
        let headers =
            br#"{"error":{"code":400,"err_code":10097,"description":"header size exceeds maximum allowed of 64k"}}"#;
        assert!(matches!(read_receipt(headers), Receipt::TooLarge(_)));
        for odd in [&b""[..], b"{}", b"+OK", b"[]"] {
            assert!(matches!(read_receipt(odd), Receipt::Again(_)));
        }
    }

    #[test]
    fn pauses_double_up_to_the_limit() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(300));
        for limit in [100, 200, 300, 300] {
            let pause = backoff.pause();
            assert!(pause >= ms(limit / 2) && pause <= ms(limit), "{pause:?} for {limit}");
        }
        backoff.reset();
        assert!(backoff.pause() <= ms(100));
    }
}

//! Permits, and asking for stories (steps 1 and 2).
//!
//! Nothing is asked for without room: a pull first reserves stories and bytes, and a story keeps
//! its share until its end. Each pull is a request of its own with an inbox of its own, so that
//! what it still holds is known exactly; a few overlap, so that the pipe never runs dry.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, StatusCode};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    broker::Backoff,
    egress::Gate,
    failpoint,
    flight::{self, DeliveryInfo},
    metrics::Metrics,
};

/// Room for stories: a count and bytes. Reservations give back what they hold when dropped.
#[derive(Debug)]
pub struct Budget {
    free: Mutex<Room>,
    freed: Notify,
    total: Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    stories: u32,
    bytes: u64,
}

impl Budget {
    /// All free.
    pub fn new(stories: u32, bytes: u64) -> Self {
        let total = Room { stories, bytes };
        Self { free: Mutex::new(total), freed: Notify::new(), total }
    }

    /// Stories and bytes that are reserved or in the worker.
    #[cfg(test)]
    fn in_use(&self) -> (u32, u64) {
        let free = self.lock();
        (self.total.stories - free.stories, self.total.bytes - free.bytes)
    }

    /// Takes at least so much, or nothing.
    pub fn try_reserve(self: &Arc<Self>, stories: u32, bytes: u64) -> Option<Reservation> {
        self.try_reserve_up_to(stories, stories, bytes, bytes)
    }

    /// Takes what is free, within bounds, or nothing when less than the lower bounds is free.
    fn try_reserve_up_to(
        self: &Arc<Self>,
        stories_min: u32,
        stories_max: u32,
        bytes_min: u64,
        bytes_max: u64,
    ) -> Option<Reservation> {
        let mut free = self.lock();
        if free.stories < stories_min || free.bytes < bytes_min {
            return None;
        }
        let room = Room { stories: free.stories.min(stories_max), bytes: free.bytes.min(bytes_max) };
        free.stories -= room.stories;
        free.bytes -= room.bytes;
        Some(Reservation { room, budget: self.clone() })
    }

    fn give_back(&self, room: Room) {
        let mut free = self.lock();
        free.stories += room.stories;
        free.bytes += room.bytes;
        drop(free);
        self.freed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Room> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that is taken.
#[derive(Debug)]
pub struct Reservation {
    room: Room,
    budget: Arc<Budget>,
}

impl Reservation {
    /// Splits off one story of so many bytes; more bytes than are left take what is left.
    fn split(&mut self, bytes: u64) -> Option<Permit> {
        self.room.stories = self.room.stories.checked_sub(1)?;
        let room = Room { stories: 1, bytes: bytes.min(self.room.bytes) };
        self.room.bytes -= room.bytes;
        Some(Permit(Reservation { room, budget: self.budget.clone() }))
    }

    /// The whole of it as the permit of one story.
    pub fn into_permit(self) -> Permit {
        Permit(self)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.room);
    }
}

/// The room of one story; free again when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] Reservation);

/// A story as it was delivered, with its room.
#[derive(Debug)]
pub struct Arrival {
    /// What its reply subject says.
    pub info: DeliveryInfo,
    /// The message.
    pub message: async_nats::Message,
    /// Where acknowledgements go.
    pub reply: async_nats::Subject,
    /// Its room.
    pub permit: Permit,
}

/// Asks for the stories of one input.
#[derive(Debug)]
pub struct Puller {
    /// The client.
    pub client: Client,
    /// Whether it is connected.
    pub connected: watch::Receiver<bool>,
    /// `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`
    pub subject: String,
    /// How long a request stays open at the broker.
    pub expires: Duration,
    /// Pause after an error, and its limit.
    pub retry: (Duration, Duration),
    /// Room for stories.
    pub budget: Arc<Budget>,
    /// Nothing is asked for while it is closed.
    pub gate: Arc<Gate>,
    /// Metrics.
    pub metrics: Metrics,
    /// Ends asking.
    pub stop: CancellationToken,
}

/// Requests that may be open at once for one input.
const PULLS_MAX: usize = 4;
/// Stories that one request asks for at most.
const PULL_STORIES_MAX: u32 = 256;
/// How long a request after a failed one stays open at most: the next is soon known to work again.
const PROBE_EXPIRES: Duration = Duration::from_secs(1);
/// How long after its end a request is still listened to for what it is owed.
const LATE: Duration = Duration::from_secs(2);
/// The same, where the broker does not say what is owed.
const LINGER: Duration = Duration::from_millis(250);
/// How often the broker says that it still knows an open request.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Without a word for so long a request is lost: its leader has died, or nothing passes.
const QUIET: Duration = Duration::from_secs(3);
/// How many stories of a request the broker did not send (header of its last word).
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// How a request for stories ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// As it should: filled, expired, or told by the broker that there is nothing.
    Normally,
    /// With an error; wait before the next.
    Trouble(String),
}

/// What the broker's last word on a request means.
#[derive(Debug, PartialEq, Eq)]
enum LastWord {
    /// It is over; so many of its stories are not sent, where the broker says so.
    Over(Option<u32>),
    /// It is over, with an error.
    Trouble(String),
}

impl Puller {
    /// Asks until `stop`, and hands each story to `arrived`. Pauses while the gate is closed or the
    /// broker is away. `pulled` is told how each request ended: `None` as it should, or the trouble.
    pub async fn run(
        self: Arc<Self>,
        pulled: impl Fn(Option<String>),
        arrived: impl Fn(Arrival) + Clone + Send + 'static,
    ) {
        let mut pulls: JoinSet<Ended> = JoinSet::new();
        let mut backoff = Backoff::new(self.retry.0, self.retry.1);
        let mut connected = self.connected.clone();
        let mut in_trouble = false;
        while !self.stop.is_cancelled() {
            let total = self.budget.total;
            let stories_min = if pulls.is_empty() { 1 } else { (total.stories / 8).max(1) };
            let bytes_min = bytes_per_pull_min(self.client.max_payload());
            let bytes_max = (total.bytes / 2).max(bytes_min);
            let (open, up) = (self.gate.is_open(), *connected.borrow_and_update());
            let room = (pulls.len() < PULLS_MAX && open && up)
                .then(|| self.budget.try_reserve_up_to(stories_min, PULL_STORIES_MAX, bytes_min, bytes_max))
                .flatten();
            if let Some(room) = room {
                let expires = if in_trouble { self.expires.min(PROBE_EXPIRES) } else { self.expires };
                pulls.spawn(self.clone().one(room, expires, arrived.clone()));
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some(ended) = pulls.join_next() => {
                    let trouble = match ended {
                        Ok(Ended::Normally) => { backoff.reset(); in_trouble = false; pulled(None); continue }
                        Ok(Ended::Trouble(why)) => why,
                        Err(error) => error.to_string(),
                    };
                    in_trouble = true;
                    self.metrics.pull_failed();
                    tracing::warn!(pull.subject = %self.subject, error = %trouble, "cannot ask for stories; trying again");
                    pulled(Some(trouble));
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = tokio::time::sleep(backoff.pause()) => {}
                    }
                }
                () = self.budget.freed.notified() => {}
                () = self.gate.opened(), if !open => {}
                changed = connected.changed() => if changed.is_err() { break },
            }
        }
        // Requests end by themselves on `stop`; what arrived is with its flight already.
        while pulls.join_next().await.is_some() {}
    }

    /// One request: asks, hands on what comes, and gives back the room that was not filled.
    async fn one(self: Arc<Self>, mut room: Reservation, expires: Duration, arrived: impl Fn(Arrival)) -> Ended {
        failpoint::hit("reserved");
        let asked = room.room.stories;
        let mut connected = self.connected.clone();
        let inbox = self.client.new_inbox();
        let mut answers = match self.client.subscribe(inbox.clone()).await {
            Ok(answers) => answers,
            Err(error) => return Ended::Trouble(error.to_string()),
        };
        let mut request = serde_json::json!({
            "batch": asked,
            "max_bytes": room.room.bytes,
            "expires": expires.as_nanos() as u64,
        });
        // A request that ends sooner than its silence would be noticed needs none.
        let mut has_heartbeat = expires > QUIET;
        if has_heartbeat {
            request["idle_heartbeat"] = (HEARTBEAT.as_nanos() as u64).into();
        }
        if let Err(error) =
            self.client.publish_with_reply(self.subject.clone(), inbox, request.to_string().into()).await
        {
            return Ended::Trouble(error.to_string());
        }
        failpoint::hit("asked");
        let deadline = tokio::time::sleep(expires + LATE);
        let quiet = tokio::time::sleep(QUIET);
        tokio::pin!(deadline, quiet);
        let mut at_deadline = Ended::Trouble("the broker did not end the request".to_owned());
        let mut stopping = false;
        // How many stories the request brings in all; less once the broker has said that it is over.
        // Its last word may overtake stories that a replicated consumer has still to agree on.
        let mut owed = asked;
        while asked - room.room.stories < owed {
            let message = tokio::select! {
                () = self.stop.cancelled(), if !stopping => {
                    // What is on its way already is taken in, so that it can be given back at once.
                    stopping = true;
                    has_heartbeat = false;
                    at_deadline = Ended::Normally;
                    deadline.as_mut().reset(Instant::now() + LATE);
                    if answers.drain().await.is_err() {
                        return Ended::Normally;
                    }
                    continue;
                }
                // The broker forgets its requests with the connection.
                () = lost(&mut connected) => return Ended::Normally,
                () = &mut deadline => return at_deadline,
                () = &mut quiet, if has_heartbeat => {
                    return Ended::Trouble("the broker does not know the request any more".to_owned());
                }
                message = answers.next() => message,
            };
            let Some(message) = message else {
                return if stopping { Ended::Normally } else { Ended::Trouble("the subscription ended".to_owned()) };
            };
            quiet.as_mut().reset(Instant::now() + QUIET);
            // A story is what can be acknowledged, whatever its headers say.
            let info = message.reply.as_deref().and_then(flight::parse_reply);
            if let (Some(info), Some(reply)) = (info, message.reply.clone()) {
                let Some(permit) = room.split(message.length as u64) else { break };
                arrived(Arrival { info, message, reply, permit });
                continue;
            }
            let word = message.status.and_then(|status| last_word(status, &message));
            has_heartbeat &= word.is_none();
            match word {
                None => {}
                Some(LastWord::Over(unsent)) => {
                    let received = asked - room.room.stories;
                    if received == 0 && is_too_large(&message) {
                        return Ended::Trouble("the next story is larger than a whole request may bring".to_owned());
                    }
                    owed = unsent.map_or(asked, |unsent| asked.saturating_sub(unsent));
                    let wait = if unsent.is_some() { LATE } else { LINGER };
                    at_deadline = Ended::Normally;
                    deadline.as_mut().reset(Instant::now() + wait);
                }
                Some(LastWord::Trouble(why)) => {
                    at_deadline = Ended::Trouble(why);
                    deadline.as_mut().reset(Instant::now() + LINGER);
                }
            }
        }
        Ended::Normally
    }
}

/// Bytes that a request for stories must allow: the broker's largest message with its subjects.
/// With less, such a message could never be asked for and would stop its consumer.
pub fn bytes_per_pull_min(max_payload: usize) -> u64 {
    max_payload as u64 + 16 * 1024
}

/// Waits until the connection is lost.
async fn lost(connected: &mut watch::Receiver<bool>) {
    // A channel that is closed has no connection either.
    let _ = connected.wait_for(|up| !up).await;
}

/// What a status means for the request (ADR-13 of the NATS architecture notes); `None` means that
/// it goes on.
fn last_word(status: StatusCode, message: &async_nats::Message) -> Option<LastWord> {
    let description = message.description.as_deref().unwrap_or_default();
    let header = message.headers.as_ref().and_then(|headers| headers.get(PENDING_MESSAGES));
    let unsent = header.and_then(|count| count.as_str().parse().ok());
    match status.as_u16() {
        100 => None,
        404 => Some(LastWord::Over(None)),
        408 => Some(LastWord::Over(unsent)),
        409 if is_too_large(message) => Some(LastWord::Over(unsent)),
        409 if description.eq_ignore_ascii_case("Batch Completed") => Some(LastWord::Over(unsent.or(Some(0)))),
        code => Some(LastWord::Trouble(format!("{code} {description}"))),
    }
}

fn is_too_large(message: &async_nats::Message) -> bool {
    let description = message.description.as_deref().unwrap_or_default();
    description.to_ascii_lowercase().contains("exceeds maxbytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_never_given_twice_and_always_comes_back() {
        let budget = Arc::new(Budget::new(10, 1000));
        let mut first = budget.try_reserve_up_to(1, 8, 100, 600).expect("room");
        assert_eq!(budget.in_use(), (8, 600));
        assert!(budget.try_reserve_up_to(3, 9, 100, 600).is_none(), "only two stories are free");
        let permit = first.split(250).expect("one story");
        let large = first.split(9_999).expect("takes what is left");
        drop(first);
        assert_eq!(budget.in_use(), (2, 600));
        drop(large);
        assert_eq!(budget.in_use(), (1, 250));
        drop(permit);
        assert_eq!(budget.in_use(), (0, 0));
    }

    fn status(code: u16, description: &str, pending: Option<&str>) -> Option<LastWord> {
        let mut headers = async_nats::HeaderMap::new();
        if let Some(count) = pending {
            headers.insert(PENDING_MESSAGES, count);
        }
        let status = StatusCode::from_u16(code).expect("a code");
        let message = async_nats::Message {
            subject: "_INBOX.a".into(),
            reply: None,
            payload: bytes::Bytes::new(),
            headers: Some(headers),
            status: Some(status),
            description: Some(description.to_owned()),
            length: 0,
        };
        last_word(status, &message)
    }

    #[test]
    fn statuses_are_control_flow_or_trouble() {
        assert_eq!(status(100, "Idle Heartbeat", None), None);
        assert_eq!(status(408, "Request Timeout", Some("7")), Some(LastWord::Over(Some(7))));
        assert_eq!(status(404, "No Messages", None), Some(LastWord::Over(None)));
        assert_eq!(status(409, "Message Size Exceeds MaxBytes", Some("3")), Some(LastWord::Over(Some(3))));
        assert_eq!(status(409, "Batch Completed", None), Some(LastWord::Over(Some(0))));
        assert!(
            matches!(status(409, "Consumer Deleted", None), Some(LastWord::Trouble(why)) if why.contains("Consumer Deleted"))
        );
        assert!(matches!(status(503, "", None), Some(LastWord::Trouble(_))));
    }
}

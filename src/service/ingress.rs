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
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    broker::Backoff,
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

    /// Stories and bytes in use.
    pub fn in_use(&self) -> (u32, u64) {
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

/// How one input is asked for stories.
#[derive(Clone, Debug)]
pub struct Pulling {
    /// `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`
    pub subject: String,
    /// How long a request stays open at the broker.
    pub expires: Duration,
    /// Bytes that a request must at least allow: the broker's largest message and its headers.
    pub bytes_min: u64,
    /// Pause after an error, and its limit.
    pub retry: (Duration, Duration),
}

/// Requests that may be open at once for one input.
const PULLS_MAX: usize = 4;
/// Stories that one request asks for at most.
const PULL_STORIES_MAX: u32 = 256;
/// How long after its expiry a request is still listened to.
const LATE: Duration = Duration::from_secs(2);

/// How a request for stories ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// As it should: filled, expired, or told by the broker that there is nothing.
    Normally,
    /// With an error; wait before the next.
    Trouble(String),
}

/// Asks for stories until `stop`, and hands each to `arrived`. Pauses while the gate is closed.
pub async fn pull(
    client: &Client,
    pulling: &Pulling,
    budget: &Arc<Budget>,
    gate: &super::egress::Gate,
    metrics: &Metrics,
    stop: &CancellationToken,
    arrived: impl Fn(Arrival) + Clone + Send + 'static,
) {
    let mut pulls: JoinSet<Ended> = JoinSet::new();
    let mut backoff = Backoff::new(pulling.retry.0, pulling.retry.1);
    loop {
        let stories_min = if pulls.is_empty() { 1 } else { (budget.total.stories / 8).max(1) };
        let bytes_max = (budget.total.bytes / 2).max(pulling.bytes_min);
        let open = gate.is_open();
        let room = (pulls.len() < PULLS_MAX && open)
            .then(|| budget.try_reserve_up_to(stories_min, PULL_STORIES_MAX, pulling.bytes_min, bytes_max))
            .flatten();
        if let Some(room) = room {
            pulls.spawn(one_pull(client.clone(), pulling.clone(), room, arrived.clone(), stop.clone()));
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = pulls.join_next() => {
                let trouble = match ended {
                    Ok(Ended::Normally) => { backoff.reset(); continue }
                    Ok(Ended::Trouble(why)) => why,
                    Err(error) => error.to_string(),
                };
                metrics.pull_failed();
                tracing::warn!(pull.subject = %pulling.subject, error = %trouble, "cannot ask for stories; trying again");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(backoff.pause()) => {}
                }
            }
            () = budget.freed.notified() => {}
            () = gate.opened(), if !open => {}
        }
    }
    // Requests end by themselves on `stop`; what arrived is with its flight already.
    while pulls.join_next().await.is_some() {}
}

/// One request: reserves, asks, hands on, and gives back what was not filled.
async fn one_pull(
    client: Client,
    pulling: Pulling,
    mut room: Reservation,
    arrived: impl Fn(Arrival),
    stop: CancellationToken,
) -> Ended {
    let inbox = client.new_inbox();
    let mut answers = match client.subscribe(inbox.clone()).await {
        Ok(answers) => answers,
        Err(error) => return Ended::Trouble(error.to_string()),
    };
    let request = serde_json::json!({
        "batch": room.room.stories,
        "max_bytes": room.room.bytes,
        "expires": pulling.expires.as_nanos() as u64,
    });
    if let Err(error) = client.publish_with_reply(pulling.subject, inbox, request.to_string().into()).await {
        return Ended::Trouble(error.to_string());
    }
    let deadline = tokio::time::sleep(pulling.expires + LATE);
    tokio::pin!(deadline);
    let mut stopping = false;
    while room.room.stories > 0 {
        let message = tokio::select! {
            () = stop.cancelled(), if !stopping => {
                // What is on its way already is taken in, so that it can be given back at once.
                stopping = true;
                deadline.as_mut().reset(tokio::time::Instant::now() + LATE);
                if answers.drain().await.is_err() {
                    return Ended::Normally;
                }
                continue;
            }
            () = &mut deadline => {
                return if stopping {
                    Ended::Normally
                } else {
                    Ended::Trouble("the broker did not end the request".to_owned())
                };
            }
            message = answers.next() => message,
        };
        let Some(message) = message else {
            return if stopping { Ended::Normally } else { Ended::Trouble("the subscription ended".to_owned()) };
        };
        if let Some(status) = message.status {
            match read_status(status, message.description.as_deref()) {
                Some(ended) => return ended,
                None => continue,
            }
        }
        let Some(reply) = message.reply.clone() else { continue };
        let Some(info) = flight::parse_reply(&reply) else {
            tracing::warn!(reply = %reply, "a delivery without a readable reply subject; it will come again");
            continue;
        };
        let Some(permit) = room.split(message.length as u64) else { break };
        arrived(Arrival { info, message, reply, permit });
    }
    Ended::Normally
}

/// What a status message means for the request (ADR-13 of the NATS architecture notes); `None`
/// means that it goes on.
fn read_status(status: StatusCode, description: Option<&str>) -> Option<Ended> {
    let description = description.unwrap_or_default();
    let lower = description.to_ascii_lowercase();
    match status.as_u16() {
        100 => None,
        404 | 408 => Some(Ended::Normally),
        409 if lower.contains("exceeds maxbytes") => Some(Ended::Normally),
        _ => Some(Ended::Trouble(format!("{} {description}", status.as_u16()))),
    }
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

    #[test]
    fn statuses_are_control_flow_or_trouble() {
        let read = |code: u16, text| read_status(StatusCode::from_u16(code).expect("code"), Some(text));
        assert_eq!(read(100, "Idle Heartbeat"), None);
        assert_eq!(read(408, "Request Timeout"), Some(Ended::Normally));
        assert_eq!(read(409, "Message Size Exceeds MaxBytes"), Some(Ended::Normally));
        assert!(matches!(read(409, "Consumer Deleted"), Some(Ended::Trouble(why)) if why.contains("Consumer Deleted")));
        assert!(matches!(read(503, ""), Some(Ended::Trouble(_))));
    }
}

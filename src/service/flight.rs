//! One story in the worker, from receipt to its end, and the list of all that are.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use tokio::time::Instant;

use super::ingress::Permit;

/// Where a story stands in the input stream: the same for every delivery of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The stream.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// When the broker stored it, in nanoseconds since 1970.
    pub stored_ns: i64,
}

impl Origin {
    /// When the broker stored it.
    pub fn stored(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.stored_ns)).unwrap_or_default()
    }
}

/// What the reply subject of a delivery says (ADR-15 of the NATS architecture notes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryInfo {
    /// Where the story stands.
    pub origin: Origin,
    /// Which delivery this is, counted from 1.
    pub attempt: u64,
}

/// Reads `$JS.ACK.…`; both the nine-token form and the form with domain and account.
pub fn parse_reply(reply: &str) -> Option<DeliveryInfo> {
    let tokens: Vec<&str> = reply.split('.').collect();
    let rest = match (tokens.as_slice(), tokens.len()) {
        (["$JS", "ACK", rest @ ..], 9) => rest,
        (["$JS", "ACK", _domain, _account, rest @ ..], 11..) => rest,
        _ => return None,
    };
    let [stream, _consumer, attempt, sequence, _consumer_sequence, stored_ns, ..] = rest else { return None };
    Some(DeliveryInfo {
        origin: Origin {
            stream: (*stream).to_owned(),
            sequence: sequence.parse().ok()?,
            stored_ns: stored_ns.parse().ok()?,
        },
        attempt: attempt.parse().ok()?,
    })
}

/// A story in the worker. Holds its permits: they are free again when it is dropped.
#[derive(Debug)]
pub struct Flight {
    /// Which input it came by.
    pub input: Arc<str>,
    /// Where it stands in the input stream.
    pub origin: Origin,
    /// Which delivery this is.
    pub attempt: u64,
    /// The subject it was published to.
    pub subject: Subject,
    /// Its own headers.
    pub headers: Option<HeaderMap>,
    /// Its bytes.
    pub payload: Bytes,
    /// When this worker received it.
    pub received: Instant,
    /// Where acknowledgements go; a redelivery brings a newer one.
    reply: Mutex<Subject>,
    /// When the broker was last told that this is worked on, in milliseconds since receipt.
    last_sign_ms: AtomicU64,
    /// Kept until the story's end.
    _permit: Permit,
}

impl Flight {
    /// Takes a delivery in.
    pub fn new(
        input: Arc<str>,
        info: DeliveryInfo,
        message: async_nats::Message,
        reply: Subject,
        permit: Permit,
    ) -> Self {
        Self {
            input,
            origin: info.origin,
            attempt: info.attempt,
            subject: message.subject,
            headers: message.headers,
            payload: message.payload,
            received: Instant::now(),
            reply: Mutex::new(reply),
            last_sign_ms: AtomicU64::new(0),
            _permit: permit,
        }
    }

    /// Where acknowledgements go now.
    pub fn reply(&self) -> Subject {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the last sign of life is so long ago; if so, the next counts from now.
    pub fn sign_is_due(&self, every: Duration) -> bool {
        let now_ms = self.received.elapsed().as_millis() as u64;
        let is_due = now_ms.saturating_sub(self.last_sign_ms.load(Ordering::Relaxed)) >= every.as_millis() as u64;
        if is_due {
            self.last_sign_ms.store(now_ms, Ordering::Relaxed);
        }
        is_due
    }
}

/// By input and sequence.
type Flights = HashMap<(Arc<str>, u64), Arc<Flight>>;

/// Every story that is in the worker, by input and sequence.
#[derive(Debug, Default)]
pub struct Registry {
    flights: Mutex<Flights>,
}

/// What became of a delivery that was offered to the registry.
#[derive(Debug)]
pub enum Entered {
    /// It is new: read it. It leaves the registry when the guard is dropped.
    New(Entry),
    /// The story is in the worker already; the newest reply subject is kept (step 3).
    Copy,
}

impl Registry {
    /// Takes a flight in, or notes the newer reply subject of one that is in already.
    pub fn enter(self: &Arc<Self>, flight: Flight) -> Entered {
        let key = (flight.input.clone(), flight.origin.sequence);
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = flights.get(&key).filter(|present| present.origin == flight.origin) {
            *present.reply.lock().unwrap_or_else(PoisonError::into_inner) = flight.reply();
            return Entered::Copy;
        }
        let flight = Arc::new(flight);
        flights.insert(key, flight.clone());
        Entered::New(Entry { flight, registry: self.clone() })
    }

    /// All that are in the worker now.
    pub fn all(&self) -> Vec<Arc<Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many are in the worker now.
    pub fn len(&self) -> usize {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A flight that is in the registry for as long as this lives.
#[derive(Debug)]
pub struct Entry {
    /// The flight.
    pub flight: Arc<Flight>,
    registry: Arc<Registry>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let key = (self.flight.input.clone(), self.flight.origin.sequence);
        let mut flights = self.registry.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(&key).is_some_and(|present| Arc::ptr_eq(present, &self.flight)) {
            flights.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ingress::Budget;

    fn flight(sequence: u64, reply: &'static str) -> Flight {
        let info = DeliveryInfo { origin: Origin { stream: "S".into(), sequence, stored_ns: 5 }, attempt: 1 };
        let message = async_nats::Message {
            subject: "wire.raw.a".into(),
            reply: None,
            payload: Bytes::new(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        };
        let budget = Arc::new(Budget::new(4, 4096));
        let permit = budget.try_reserve(1, 1).expect("room").into_permit();
        Flight::new("main".into(), info, message, reply.into(), permit)
    }

    #[test]
    fn reply_subjects_are_read_in_both_forms() {
        let old = parse_reply("$JS.ACK.WIRE_RAW.desk.3.17.20.1700000000000000000.4").expect("nine tokens");
        assert_eq!((old.origin.stream.as_str(), old.origin.sequence, old.attempt), ("WIRE_RAW", 17, 3));
        let new = parse_reply("$JS.ACK.hub.ACCT.WIRE_RAW.desk.3.17.20.1700000000000000000.4.x9").expect("with domain");
        assert_eq!(new, old);
        for bad in ["", "a.b", "$JS.ACK.S.c.x.1.1.1.1", "$JS.ACK.S.c.1.1.1"] {
            assert_eq!(parse_reply(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_copy_is_dropped_and_its_reply_kept() {
        let registry = Arc::new(Registry::default());
        let Entered::New(first) = registry.enter(flight(1, "old")) else { panic!("the first is new") };
        assert!(matches!(registry.enter(flight(1, "new")), Entered::Copy));
        assert_eq!(first.flight.reply().as_str(), "new");
        assert!(matches!(registry.enter(flight(2, "x")), Entered::New(_)), "another one; leaves at once");
        assert_eq!(registry.len(), 1);
        drop(first);
        assert!(registry.is_empty());
    }
}

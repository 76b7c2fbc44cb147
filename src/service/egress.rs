//! Publishing until it is known to be stored (step 6), and the gate that an outage closes.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{self, Backoff, Receipt},
    config::Delivery,
    lineage::Keeper,
    metrics::Metrics,
};

/// Where something is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The output stream.
    Output,
    /// The dead-letter stream.
    Dead,
    /// The stream where embargoed stories wait.
    Held,
    /// The state bucket.
    State,
    /// Nothing is published: a connection was lost, and what was delivered by it has still to be looked at.
    Nowhere,
}

/// How many sinks there are.
const SINKS: usize = 5;

/// Closed while any publication is being tried again. An outage of a sink is never a story's
/// fault: nothing more is asked for, and what is in the worker is held and tried again.
#[derive(Debug)]
pub struct Gate {
    held: watch::Sender<[usize; SINKS]>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { held: watch::Sender::new([0; SINKS]) }
    }
}

impl Gate {
    /// Whether all sinks take what they are given.
    pub fn is_open(&self) -> bool {
        *self.held.borrow() == [0; SINKS]
    }

    /// Whether something cannot be published, whatever else there is to wait for.
    pub fn is_stopped_by_a_sink(&self) -> bool {
        self.held.borrow().iter().take(Sink::Nowhere as usize).any(|held| *held > 0)
    }

    /// Waits until all do.
    pub async fn opened(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.held.subscribe().wait_for(|held| *held == [0; SINKS]).await;
    }

    /// Notes a publication that has to be tried again; it is over when the guard is dropped.
    pub(super) fn hold(&self, sink: Sink) -> Held<'_> {
        self.held.send_modify(|held| held[sink as usize] += 1);
        Held { gate: self, sink }
    }

    pub(super) fn count(&self, sink: Sink) -> usize {
        self.held.borrow()[sink as usize]
    }
}

/// A publication that is being tried again.
#[derive(Debug)]
pub(super) struct Held<'a> {
    gate: &'a Gate,
    sink: Sink,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gate.held.send_modify(|held| held[self.sink as usize] -= 1);
    }
}

/// Bounds the records that wait for their receipt. A record is larger than its story, so the permits
/// alone do not bound what an output that stands still leaves in memory.
#[derive(Debug)]
pub struct Room {
    taken: watch::Sender<u64>,
    bytes_max: u64,
}

impl Room {
    /// For so many bytes of records; what is being read at the moment comes on top.
    pub fn new(bytes_max: u64) -> Self {
        Self { taken: watch::Sender::new(0), bytes_max }
    }

    /// Waits until there is room.
    pub async fn free(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.taken.subscribe().wait_for(|taken| *taken < self.bytes_max).await;
    }

    /// Takes so much, until the guard is dropped.
    pub(super) fn take(&self, bytes: u64) -> Taken<'_> {
        self.taken.send_modify(|taken| *taken += bytes);
        Taken { room: self, bytes }
    }
}

/// Room that is taken.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.room.taken.send_modify(|taken| *taken -= self.bytes);
    }
}

/// Why a publication ended without being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpublished {
    /// It can never be stored.
    TooLarge(String),
    /// The worker stopped first.
    Stopped,
    /// A kill of the story came while it was being tried again.
    Killed,
}

/// Where to look whether a story was killed.
#[derive(Clone, Copy, Debug)]
pub struct Tombstone<'a> {
    /// Keeps the versions.
    pub keeper: &'a Keeper,
    /// What those of the story share.
    pub key: &'a str,
}

/// Publishes with retries and the same message id, until stored or stopped.
#[derive(Debug)]
pub struct Egress {
    /// The client.
    pub client: Client,
    /// The gate.
    pub gate: Arc<Gate>,
    /// Room for records that wait for their receipt.
    pub room: Room,
    /// Waits and pauses.
    pub delivery: Delivery,
    /// Ends retrying.
    pub stop_now: CancellationToken,
}

impl Egress {
    /// Publishes until stored; tells whether an earlier message had the same id.
    ///
    /// # Errors
    /// Too large for ever, or stopped.
    pub async fn publish(
        &self,
        sink: Sink,
        subject: &str,
        headers: &HeaderMap,
        body: &Bytes,
        metrics: &Metrics,
    ) -> Result<bool, Unpublished> {
        self.publish_unless(None, sink, subject, headers, body, metrics).await
    }

    /// As [`Self::publish`]; before each try but the first it is asked whether the story was killed
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Self::publish`], or killed.
    pub async fn publish_unless(
        &self,
        killed: Option<Tombstone<'_>>,
        sink: Sink,
        subject: &str,
        headers: &HeaderMap,
        body: &Bytes,
        metrics: &Metrics,
    ) -> Result<bool, Unpublished> {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(self.delivery.retry_delay_min_ms), ms(self.delivery.retry_delay_max_ms));
        let mut held = None;
        loop {
            let timeout = ms(self.delivery.publish_timeout_ms);
            let receipt = tokio::select! {
                receipt = broker::publish(&self.client, subject, headers.clone(), body.clone(), timeout) => receipt,
                () = self.stop_now.cancelled() => return Err(Unpublished::Stopped),
            };
            let why = match receipt {
                Receipt::Stored { duplicate } => {
                    if held.take().is_some() && self.gate.count(sink) == 0 {
                        tracing::info!(sink = ?sink, "the stream takes messages again");
                    }
                    return Ok(duplicate);
                }
                Receipt::TooLarge(why) => return Err(Unpublished::TooLarge(why)),
                Receipt::Again(why) => why,
            };
            metrics.publish_retried();
            if held.is_none() {
                held = Some(self.gate.hold(sink));
                if self.gate.count(sink) == 1 {
                    tracing::warn!(
                        sink = ?sink, subject, error = %why,
                        "the stream does not take a message; holding what is here and asking for no more"
                    );
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = self.stop_now.cancelled() => return Err(Unpublished::Stopped),
            }
            if let Some(tombstone) = killed
                && tombstone.keeper.is_killed(tombstone.key).await == Ok(true)
            {
                return Err(Unpublished::Killed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_room_again_when_records_have_gone_out() {
        let room = Room::new(100);
        room.free().await;
        let (first, second) = (room.take(90), room.take(90));
        let waiting = room.free();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        waiting.await;
        drop(second);
        assert_eq!(*room.taken.borrow(), 0);
    }

    #[tokio::test]
    async fn the_gate_is_open_only_while_nothing_is_held() {
        let gate = Gate::default();
        assert!(gate.is_open());
        let (first, second) = (gate.hold(Sink::Dead), gate.hold(Sink::Output));
        assert!(!gate.is_open());
        let waiting = gate.opened();
        tokio::pin!(waiting);
        drop(second);
        assert!(futures_util::poll!(&mut waiting).is_pending(), "the other sink still holds");
        drop(first);
        waiting.await;
        assert!(gate.is_open());
    }
}

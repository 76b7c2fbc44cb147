//! Publishing until it is known to be stored (step 6), and the gate that an outage closes.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    broker::{self, Backoff, Receipt},
    config::Delivery,
    metrics::Metrics,
};

/// Where something is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The output stream.
    Output,
    /// The dead-letter stream.
    Dead,
}

/// Open while both sinks take what they are given. An outage of a sink is never a story's fault:
/// the gate closes, nothing more is asked for, and what is in the worker is held and tried again.
#[derive(Debug)]
pub struct Gate {
    open: watch::Sender<[bool; 2]>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: watch::Sender::new([true; 2]) }
    }
}

impl Gate {
    /// Whether both sinks take what they are given.
    pub fn is_open(&self) -> bool {
        self.open.borrow().iter().all(|open| *open)
    }

    /// Waits until both do.
    pub async fn opened(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.open.subscribe().wait_for(|open| open.iter().all(|open| *open)).await;
    }

    /// Notes what a sink did; tells whether that is news.
    fn note(&self, sink: Sink, takes: bool) -> bool {
        self.open.send_if_modified(|open| {
            let flag = &mut open[sink as usize];
            let news = *flag != takes;
            *flag = takes;
            news
        })
    }
}

/// Why a publication ended without being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpublished {
    /// It can never be stored.
    TooLarge(String),
    /// The worker stopped first.
    Stopped,
}

/// Publishes with retries and the same message id, until stored or stopped.
#[derive(Debug)]
pub struct Egress {
    /// The client.
    pub client: Client,
    /// The gate.
    pub gate: Arc<Gate>,
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
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(self.delivery.retry_delay_min_ms), ms(self.delivery.retry_delay_max_ms));
        loop {
            let timeout = ms(self.delivery.publish_timeout_ms);
            let receipt = tokio::select! {
                receipt = broker::publish(&self.client, subject, headers.clone(), body.clone(), timeout) => receipt,
                () = self.stop_now.cancelled() => return Err(Unpublished::Stopped),
            };
            match receipt {
                Receipt::Stored { duplicate } => {
                    if self.gate.note(sink, true) {
                        metrics.output_open(self.gate.is_open());
                        tracing::info!(sink = ?sink, "stream takes messages again");
                    }
                    return Ok(duplicate);
                }
                Receipt::TooLarge(why) => return Err(Unpublished::TooLarge(why)),
                Receipt::Again(why) => {
                    metrics.publish_retried();
                    if self.gate.note(sink, false) {
                        metrics.output_open(false);
                        tracing::warn!(
                            sink = ?sink, subject, error = %why,
                            "stream does not take a message; holding what is here and asking for no more"
                        );
                    }
                    tokio::select! {
                        () = tokio::time::sleep(backoff.pause()) => {}
                        () = self.stop_now.cancelled() => return Err(Unpublished::Stopped),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_gate_is_open_only_while_both_sinks_are() {
        let gate = Gate::default();
        assert!(gate.is_open());
        assert!(gate.note(Sink::Dead, false), "news");
        assert!(!gate.note(Sink::Dead, false), "no news");
        assert!(!gate.note(Sink::Output, true), "another sink's success is no news");
        assert!(!gate.is_open());
        let waiting = gate.opened();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(gate.note(Sink::Dead, true));
        waiting.await;
    }
}

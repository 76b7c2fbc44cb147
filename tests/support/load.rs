//! Stories that come in while a fault lasts: each is sent again until its receipt is there.

use std::time::Duration;

use async_nats::HeaderMap;
use copydesk::service::{
    broker::{self, Broker, Receipt},
    names,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{patient, story};

/// Longest wait for a receipt before the story is sent again.
const RECEIPT: Duration = Duration::from_secs(2);
/// One story of so many is none.
pub(crate) const BROKEN_EVERY: u64 = 10;

/// A sender with a connection of its own.
pub(crate) struct Load {
    stop: CancellationToken,
    sending: JoinHandle<u64>,
}

impl Load {
    /// Begins to send.
    pub(crate) async fn start(urls: Vec<String>, per_second: u64) -> Self {
        let broker = broker::connect(&patient(urls)).await.expect("a connection");
        let stop = CancellationToken::new();
        let sending = tokio::spawn(send(broker, per_second, stop.clone()));
        Self { stop, sending }
    }

    /// Ends, and tells how many stories are stored.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.cancel();
        self.sending.await.expect("the sender ends")
    }
}

async fn send(broker: Broker, per_second: u64, stop: CancellationToken) -> u64 {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stored = 0;
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let number = stored + 1;
        let body = if number % BROKEN_EVERY == 0 { r#"{"text": broken"#.to_owned() } else { story(number) };
        let mut headers = HeaderMap::new();
        headers.insert(names::MESSAGE_ID, format!("load-{number}"));
        let again = async || {
            let receipt =
                broker::publish(&broker.client, "wire.raw.load", headers.clone(), body.clone().into(), RECEIPT);
            !matches!(receipt.await, Receipt::Stored { .. })
        };
        while again().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stored += 1;
    }
    stored
}

//! The whole hop without reading: pull, publish, receipt, confirmed acknowledgement, against a
//! private nats-server; stories a second for several permits. Against it stands a plain publish of
//! the same messages in the same run, because the machine's mood changes from run to run.
//!
//! Not a criterion bench: one measurement takes seconds and fills a stream. `cargo bench --bench hop`.

use std::{sync::Arc, time::Duration};

use async_nats::HeaderMap;
use bytes::Bytes;
use copydesk::{
    cli::server::{self, PrivateServer},
    decode::{DecodeError, Hints},
    service::{
        self,
        broker::{self, Broker, Receipt},
        config::{Config, Nats},
        metrics::Outcome,
        pool::{Enriched, Reader, Stories},
    },
};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reads nothing: the record is the story.
struct Nothing;

impl Reader for Nothing {
    fn read(&self, input: &[u8], _: &Hints) -> Result<Stories<DecodeError>, DecodeError> {
        Ok(vec![Ok(Enriched { body: Bytes::copy_from_slice(input), id: "none".to_owned(), ..Enriched::default() })])
    }
}

const STORY_BYTES: usize = 4096;

fn main() {
    let stories: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("{stories} stories of {STORY_BYTES} bytes; stories/s");
        println!("{:>8}  {:>12}  {:>10}  {:>6}", "permits", "publish only", "whole hop", "ratio");
        for permits in [1, 16, 64, 256, 512] {
            let count = if permits == 1 { stories / 10 } else { stories };
            let (published, hopped) = measure(permits, count).await;
            println!("{permits:>8}  {published:>12.0}  {hopped:>10.0}  {:>6.2}", hopped / published);
        }
    });
}

/// Publications a second and hops a second.
async fn measure(permits: u32, stories: u64) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = server::find().expect("a nats-server");
    let server = PrivateServer::start(&binary, folder.path(), "").expect("the server starts");
    let mut config = Config { nats: Nats { urls: vec![server.url()], ..Nats::default() }, ..Config::default() };
    config.http.listen.clear();
    for input in config.inputs.0.values_mut() {
        input.stories_max = permits;
    }
    let broker = broker::connect(&config.nats).await.expect("a connection");
    broker::wait_connected(&broker, &CancellationToken::new()).await;
    let bucket = service::state::StateBucket::open(&broker, &config).await.expect("the bucket");
    service::topology::ensure(&broker, &config, &bucket).await.expect("streams");
    let began = Instant::now();
    publish(&broker, stories, permits as usize).await;
    let published = stories as f64 / began.elapsed().as_secs_f64();

    let stop = CancellationToken::new();
    let began = Instant::now();
    let (_told, reloads) = tokio::sync::watch::channel(Arc::new(config.clone()));
    let worker = tokio::spawn(service::run(config, Arc::new(Nothing), None, stop.clone(), reloads, |_| {}));
    let consumer = broker.jetstream.get_stream_no_info("WIRE_RAW").await.expect("a stream");
    while !consumer.consumer_info("copydesk").await.is_ok_and(|i| i.num_pending == 0 && i.num_ack_pending == 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let hopped = stories as f64 / began.elapsed().as_secs_f64();
    stop.cancel();
    let summary = worker.await.expect("the worker ends").expect("cleanly");
    assert_eq!(summary.count(Outcome::Recorded), stories, "{summary:?}");
    (published, hopped)
}

async fn publish(broker: &Broker, stories: u64, in_flight: usize) {
    let body = Bytes::from(vec![b'x'; STORY_BYTES]);
    let receipts = stream::iter(0..stories).map(|_| {
        broker::publish(&broker.client, "wire.raw.bench", HeaderMap::new(), body.clone(), Duration::from_secs(10))
    });
    let stored = receipts
        .buffer_unordered(in_flight)
        .filter(|receipt| std::future::ready(matches!(receipt, Receipt::Stored { .. })))
        .count();
    assert_eq!(stored.await as u64, stories);
}

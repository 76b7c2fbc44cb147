//! The whole hop without reading: pull, publish, receipt, confirmed acknowledgement, against private
//! nats-servers.
//!
//! - Throughput for one node and for three with three copies, with the broker's default fsync and with
//!   `sync_interval: always`, for several numbers of stories in flight. Beside each stands a plain publish of
//!   the same messages in the same run, because a machine's mood changes from run to run.
//! - Latency at half of the throughput, from the publication of a story to the arrival of its record.
//! - How much of the throughput several workers keep when reading is a wait of five milliseconds.
//!
//! Not a criterion bench: one measurement takes seconds and fills a stream. `make bench-hop`; a number after
//! `--` divides the counts, for a quick look.

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{any::Any, sync::Arc, time::Duration};

use async_nats::HeaderMap;
use bytes::Bytes;
use copydesk::{
    cli::server::{self, PrivateServer},
    decode::{DecodeError, Hints},
    service::{
        self, Summary,
        broker::{self, Broker, Receipt},
        config::{Config, Nats},
        metrics::Outcome,
        pool::{Enriched, Reader, Stories},
    },
};
use futures_util::{StreamExt, stream};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use cluster::Cluster;

/// Reads nothing, in so long a time: the record is the story.
struct Nothing(Duration);

impl Reader for Nothing {
    fn read(&self, input: &[u8], _: &Hints) -> Result<Stories<DecodeError>, DecodeError> {
        if !self.0.is_zero() {
            std::thread::sleep(self.0);
        }
        Ok(vec![Ok(Enriched { body: Bytes::copy_from_slice(input), id: "none".to_owned(), ..Enriched::default() })])
    }
}

const STORY_BYTES: usize = 4096;
const PERMITS: [u32; 5] = [1, 16, 64, 256, 512];
/// How many are in flight where latency is measured.
const PERMITS_FOR_LATENCY: u32 = 256;
const LATENCY_SECONDS: u64 = 6;

/// Servers and a connection to them.
struct Place {
    /// Kept until the end.
    _servers: Box<dyn Any>,
    broker: Broker,
    config: Config,
}

impl Place {
    async fn start(replicas: u8, storage: &str) -> Self {
        let (servers, urls): (Box<dyn Any>, _) = if replicas == 1 {
            let folder = tempfile::tempdir().expect("a folder");
            let binary = server::find().expect("a nats-server");
            let server = PrivateServer::start_storing(&binary, folder.path(), storage, "").expect("the server starts");
            let urls = vec![server.url()];
            (Box::new((server, folder)), urls)
        } else {
            let cluster = Cluster::start_storing(storage).await;
            let urls = cluster.urls();
            (Box::new(cluster), urls)
        };
        let mut config = Config { nats: Nats { urls, ..Nats::default() }, ..Config::default() };
        config.http.listen.clear();
        config.streams.replicas = replicas;
        let broker = broker::connect(&config.nats).await.expect("a connection");
        broker::wait_connected(&broker, &CancellationToken::new()).await;
        Self { _servers: servers, broker, config }
    }

    /// Empty streams.
    async fn fresh(&self) {
        for name in ["WIRE_RAW", "WIRE_ENRICHED", "WIRE_DEAD", "KV_copydesk"] {
            // There are none before the first measurement.
            let _ = self.broker.jetstream.delete_stream(name).await;
        }
        let began = Instant::now();
        loop {
            let made = async {
                let bucket = service::state::StateBucket::open(&self.broker, &self.config).await?;
                service::topology::ensure(&self.broker, &self.config, &bucket).await
            };
            match made.await {
                Ok(_) => return,
                Err(error) => assert!(began.elapsed() < Duration::from_mins(1), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn worker(&self, permits: u32, threads: u16, wait: Duration) -> Running {
        let mut config = self.config.clone();
        for input in config.inputs.0.values_mut() {
            input.stories_max = permits;
        }
        config.work.threads = threads;
        let stop = CancellationToken::new();
        let (told, reloads) = tokio::sync::watch::channel(Arc::new(config.clone()));
        let work = tokio::spawn(service::run(config, Arc::new(Nothing(wait)), None, stop.clone(), reloads, |_| {}));
        Running { stop, work, _told: told }
    }

    /// Stories that are not done; `None` while the broker does not say.
    async fn left(&self) -> Option<u64> {
        let stream = self.broker.jetstream.get_stream_no_info("WIRE_RAW").await.ok()?;
        let info = stream.consumer_info("copydesk").await.ok()?;
        Some(info.num_pending + info.num_ack_pending as u64)
    }

    /// Stories a second, from the first that is seen done to the last.
    async fn speed(&self, stories: u64) -> f64 {
        let (mut first, patience) = (None, Instant::now());
        loop {
            if let Some(left) = self.left().await {
                if left < stories && first.is_none() {
                    first = Some((left, Instant::now()));
                }
                if let Some((before, began)) = first.filter(|_| left == 0) {
                    return before as f64 / began.elapsed().as_secs_f64();
                }
            }
            assert!(patience.elapsed() < Duration::from_mins(3), "the stories are not done");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A worker in this process.
struct Running {
    stop: CancellationToken,
    work: JoinHandle<anyhow::Result<Summary>>,
    _told: tokio::sync::watch::Sender<Arc<Config>>,
}

impl Running {
    async fn end(self) -> u64 {
        self.stop.cancel();
        let summary = self.work.await.expect("the worker ends").expect("cleanly");
        summary.count(Outcome::Recorded)
    }
}

fn main() {
    let part: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("stories of {STORY_BYTES} bytes; stories/s, and milliseconds at half of the throughput");
        println!("| copies | fsync | in flight | publish only | whole hop | ratio | p50 | p99 |");
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for (replicas, fsync, storage, counts) in [
            (1, "default", "", [1000, 4000, 8000, 12_000, 12_000]),
            (1, "always", "sync_interval: always", [300, 1500, 3000, 6000, 6000]),
            (3, "default", "", [500, 3000, 5000, 8000, 8000]),
            (3, "always", "sync_interval: always", [150, 1000, 2000, 3000, 3000]),
        ] {
            let place = Place::start(replicas, storage).await;
            for (permits, count) in PERMITS.into_iter().zip(counts) {
                let (published, hopped) = throughput(&place, permits, count / part).await;
                let latency = match permits {
                    PERMITS_FOR_LATENCY => latency(&place, hopped / 2.0, LATENCY_SECONDS / part.min(3)).await,
                    _ => "– | –".to_owned(),
                };
                println!(
                    "| {replicas} | {fsync} | {permits} | {published:.0} | {hopped:.0} | {:.2} | {latency} |",
                    hopped / published
                );
            }
        }
        println!("\nreading is a wait of 5 ms, one thread a worker");
        println!("| workers | stories/s | share of the first's, times workers |");
        println!("| --- | --- | --- |");
        let place = Place::start(1, "").await;
        let mut alone = 0.0;
        for workers in [1, 2, 4, 8] {
            let speed = together(&place, workers, 800 * workers / part).await;
            if workers == 1 {
                alone = speed;
            }
            println!("| {workers} | {speed:.0} | {:.2} |", speed / (alone * workers as f64));
        }
    });
}

/// Publications a second and hops a second.
async fn throughput(place: &Place, permits: u32, stories: u64) -> (f64, f64) {
    place.fresh().await;
    let began = Instant::now();
    publish(&place.broker, stories, permits as usize).await;
    let published = stories as f64 / began.elapsed().as_secs_f64();
    let worker = place.worker(permits, 0, Duration::ZERO);
    let hopped = place.speed(stories).await;
    assert_eq!(worker.end().await, stories);
    (published, hopped)
}

/// Stories a second of several workers that each take five milliseconds a story.
async fn together(place: &Place, workers: u64, stories: u64) -> f64 {
    place.fresh().await;
    publish(&place.broker, stories, 64).await;
    // Few in flight, so that none has the work of another at the end.
    let workers: Vec<_> = (0..workers).map(|_| place.worker(16, 1, Duration::from_millis(5))).collect();
    let speed = place.speed(stories).await;
    let mut done = 0;
    for worker in workers {
        done += worker.end().await;
    }
    assert_eq!(done, stories);
    speed
}

/// Median and ninety-ninth percentile, in milliseconds, with stories at an even pace.
async fn latency(place: &Place, per_second: f64, seconds: u64) -> String {
    place.fresh().await;
    let worker = place.worker(PERMITS_FOR_LATENCY, 0, Duration::ZERO);
    let mut records = place.broker.client.subscribe("wire.enriched.>").await.expect("a subscription");
    let began = Instant::now();
    let count = (per_second * seconds as f64) as u64;
    let client = place.broker.client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..count {
            tokio::time::sleep_until(began + Duration::from_secs_f64(number as f64 / per_second)).await;
            let mut body = vec![b'x'; STORY_BYTES];
            let sent = began.elapsed().as_nanos().to_string();
            body.splice(..=sent.len(), format!("{sent} ").bytes());
            client.publish("wire.raw.bench", body.into()).await.expect("sent");
        }
    });
    let mut waits = Vec::new();
    while (waits.len() as u64) < count {
        let record = tokio::time::timeout(Duration::from_secs(20), records.next()).await;
        let record = record.expect("a record in time").expect("a record");
        let sent = String::from_utf8_lossy(&record.payload);
        let sent: u128 = sent.split(' ').next().and_then(|sent| sent.parse().ok()).expect("a time");
        waits.push(began.elapsed().as_nanos().saturating_sub(sent));
    }
    sending.await.expect("all are sent");
    worker.end().await;
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    format!("{:.1} | {:.1}", at(0.5), at(0.99))
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

//! More than can be done: bursts, floods, and workers that are stopped in the middle of it.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use bytes::Bytes;
use copydesk::service::{
    broker::{self, Receipt},
    names,
};
use futures_util::{StreamExt, stream};

use crate::{
    all, ended,
    load::{BROKEN_EVERY, Load},
    memory, outcomes,
    proxy::{Fault, Proxy},
    quick, ready, ready_at,
    support::{World, story},
};

/// Publishes many at once; every receipt is waited for.
async fn publish_all(world: &World, subject: &str, count: u64, body: impl Fn(u64) -> Bytes) {
    let client = &world.broker.client;
    let receipts = stream::iter(1..=count)
        .map(|number| broker::publish(client, subject, HeaderMap::new(), body(number), Duration::from_mins(1)));
    let stored =
        receipts.buffer_unordered(128).filter(|receipt| std::future::ready(matches!(receipt, Receipt::Stored { .. })));
    assert_eq!(stored.count().await as u64, count, "stories that the stream has taken");
}

/// What a worker may need above what it needs idle and its budget: the threads' working memory, the
/// connection, and what the allocator keeps.
const CONSTANT_KIB: u64 = 64 * 1024;
const BUDGET_BYTES: u64 = 16 * 1024 * 1024;

/// A burst of many times the budget while the output takes little: what is in the worker is bounded,
/// and waiting is no reason to be delivered again.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_behind_a_slow_output_stays_within_the_budget() {
    const LARGE: usize = 200_000;
    // Fifty budgets, or as much as there is time for.
    let budgets = if all() { 50 } else { 10 };
    let stories = budgets * BUDGET_BYTES / LARGE as u64;
    let world = World::start().await;
    let proxy = Proxy::start(&world.server.url()).await;
    let budget = format!("inputs.main.bytes_max={BUDGET_BYTES}");
    let set = quick(&[
        &budget,
        "limits.story_bytes_max=100000",
        "delivery.publish_timeout_ms=5000",
        "delivery.ack_wait_ms=6000",
    ]);
    let worker = ready_at(&world, &proxy.url(), &set).await;
    // Idle, but warm: it has read before.
    publish_all(&world, "wire.raw.a", 50, |number| story(number).into()).await;
    world.verdict(&worker, 50).await;
    let idle = memory(&worker, "VmRSS");
    proxy.set(Fault::Latency(Duration::from_millis(if all() { 250 } else { 100 })));
    // Larger than is read: they go to the dead letters as they came, and cost nothing but memory.
    let large = Bytes::from(vec![b'x'; LARGE]);
    publish_all(&world, "wire.raw.a", stories, |_| large.clone()).await;
    world.until("much of the burst", &worker, async |_| ended(&worker) > stories / 2).await;
    proxy.set(Fault::None);
    world.until("the end of the burst", &worker, async |_| ended(&worker) >= stories + 50).await;
    let peak = memory(&worker, "VmHWM");
    eprintln!(
        "memory | idle {} MiB, peak {} MiB, budget {} MiB, burst {} MiB",
        idle / 1024,
        peak / 1024,
        BUDGET_BYTES >> 20,
        (stories * LARGE as u64) >> 20
    );
    // As much again for what is on its way out.
    let allowed = idle + 2 * BUDGET_BYTES / 1024 + CONSTANT_KIB;
    assert!(peak <= allowed, "{peak} KiB at the peak, {allowed} KiB are allowed");
    let info = world.stream("WIRE_RAW").await.consumer_info("copydesk").await.expect("the consumer");
    assert_eq!(info.delivered.consumer_sequence, stories + 50, "stories that waited were delivered again");
    assert_eq!(world.verdict(&worker, stories + 50).await.dead() as u64, stories);
}

/// A flood on one input, and a story now and then on another. How long that waits is told; what is
/// checked is how many stories of the flood go before it, which no busy machine changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_one_input_leaves_another_near_what_it_was() {
    const PROBES: u64 = 15;
    let flood = if all() { 100_000 } else { 4_000 };
    let world = World::start().await;
    let set = quick(&[
        "inputs.main.subject=wire.raw.flood.>",
        "inputs.quiet.subject=wire.raw.quiet.>",
        "inputs.quiet.durable=quiet",
        "work.threads=2",
    ]);
    let worker = ready(&world, &set).await;
    let mut records = world.broker.client.subscribe("wire.enriched.>").await.expect("a subscription");
    let mut probe = async |number: u64| {
        let began = Instant::now();
        let sequence = world.publish("wire.raw.quiet.a", HeaderMap::new(), story(number).as_bytes()).await;
        let mut before = 0;
        loop {
            let record = records.next().await.expect("a record");
            let headers = record.headers.unwrap_or_default();
            if headers.get(names::SEQUENCE).map(ToString::to_string) == Some(sequence.to_string()) {
                return (began.elapsed(), before);
            }
            before += 1;
        }
    };
    let median = |mut waits: Vec<(Duration, usize)>| {
        waits.sort_unstable();
        waits[waits.len() / 2].0
    };
    let mut alone = Vec::new();
    for number in 1..=PROBES {
        alone.push(probe(number).await);
    }
    publish_all(&world, "wire.raw.flood.a", flood, |number| story(number).into()).await;
    let in_flight = "copydesk_in_flight_stories{input=\"main\"}";
    world.until("a full worker", &worker, async |_| worker.metric(in_flight).is_some_and(|n| n > 400.0)).await;
    // What has come out so far is passed over.
    let mut flooded = Vec::new();
    for number in 1..=PROBES {
        probe(1000 + number).await;
        flooded.push(probe(2000 + number).await);
    }
    let waiting = world.stream("WIRE_RAW").await.consumer_info("copydesk").await.expect("the consumer").num_pending;
    let most = flooded.iter().map(|(_, before)| *before).max().expect("probes");
    eprintln!(
        "flood | a quiet story takes {:?} alone, {:?} beside a flood of {flood}; at most {most} stories go before it",
        median(alone),
        median(flooded)
    );
    assert!(waiting > 0 || !all(), "the flood was over before the last probe");
    // 512 stories of the flood are in the worker; those that a thread has already are not overtaken.
    assert!(most < 128, "{most} stories of the flood went before a story of another input");
}

/// Workers are replaced one by one while stories come in. What they had is finished and known to be:
/// no story comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_three_workers_under_load_repeats_nothing() {
    let world = World::start().await;
    let set = quick(&["delivery.grace_period_ms=20000", "delivery.ack_wait_ms=6000"]);
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(ready(&world, &set).await);
    }
    let load = Load::start(vec![world.server.url()], 100).await;
    let mut repeated = 0;
    for round in 0..if all() { 9 } else { 3 } {
        world.until("work between", &workers[0], async |_| ended(&workers[2]) > 20).await;
        let mut leaving = workers.remove(0);
        let began = Instant::now();
        leaving.signal("TERM");
        let status = leaving.ended();
        eprintln!("restart {round}: left within {:?}", began.elapsed());
        assert!(status.success(), "{status}: {}", leaving.log());
        assert!(began.elapsed() < Duration::from_secs(20), "longer than the grace period");
        let last: serde_json::Value = leaving
            .log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .find(|line: &serde_json::Value| line["message"] == "the desk is closed")
            .expect("its last word");
        assert_eq!(last["stories.unconfirmed"], 0, "{last}");
        repeated += last["stories.repeated"].as_u64().expect("a count");
        workers.push(ready(&world, &set).await);
    }
    let published = load.stop().await;
    let ledger = world.verdict(&workers[2], published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
    repeated += workers.iter().map(|worker| outcomes(worker, "repeated")).sum::<u64>();
    assert_eq!(repeated, 0, "an acknowledgement was lost: its story came again");
}

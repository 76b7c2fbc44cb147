//! More than can be done: bursts, floods, and workers that are stopped in the middle of it.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use async_nats::HeaderMap;
use bytes::Bytes;
use copydesk::service::{
    broker::{self, Receipt},
    names, reading,
};
use futures_util::{StreamExt, stream};

use crate::{
    all, came_again, copies, ended, flows_again_after,
    load::{BROKEN_EVERY, Load},
    memory, outcomes, patient,
    proxy::{Fault, Proxy},
    quick, ready, ready_at,
    support::{Worker, World, answered, story},
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

/// What the process may have at its peak above the budget of its input: the models and lists, the threads' working
/// memory, the connection, what is on its way out, and what the allocator keeps.
const CONSTANT_KIB: u64 = 192 * 1024;
const BUDGET_BYTES: u64 = 16 * 1024 * 1024;

/// A burst of many times the budget while the output takes little: what is in the worker is bounded,
/// and waiting is no reason to be delivered again.
async fn burst(what: &str, stories: u64, body: Bytes, latency: Duration, set: &[&str]) -> (World, Worker) {
    let world = World::start().await;
    let proxy = Proxy::start(&world.server.url()).await;
    let budget = format!("inputs.main.bytes_max={BUDGET_BYTES}");
    // As many threads on every machine: each has working memory of its own.
    let set = [&patient(&[&budget, "work.threads=2"])[..], set].concat();
    let worker = ready_at(&world, &proxy.url(), &set).await;
    // Idle, but warm: it has read before.
    publish_all(&world, "wire.raw.a", 50, |number| story(number).into()).await;
    world.verdict(&worker, 50).await;
    let idle = memory(&worker, "VmRSS");
    proxy.set(Fault::Latency(latency));
    publish_all(&world, "wire.raw.a", stories, |_| body.clone()).await;
    world.until("much of the burst", &worker, async |_| ended(&worker) > stories / 2).await;
    let done = ended(&worker);
    proxy.set(Fault::None);
    flows_again_after(&format!("burst of {what} behind a slow output"), &worker, done).await;
    world.until("the end of the burst", &worker, async |_| ended(&worker) >= stories + 50).await;
    let peak = memory(&worker, "VmHWM");
    eprintln!(
        "memory | burst of {what}: idle {} MiB, peak {} MiB, budget {} MiB, burst {} MiB; {} deliveries beyond the first",
        idle / 1024,
        peak / 1024,
        BUDGET_BYTES >> 20,
        (stories * body.len() as u64) >> 20,
        came_again(&world).await
    );
    let allowed = BUDGET_BYTES / 1024 + CONSTANT_KIB;
    assert!(peak <= allowed, "{peak} KiB at the peak, {allowed} KiB are allowed");
    assert_eq!(copies(&worker), 0, "stories that waited were delivered again");
    (world, worker)
}

/// Larger than is read: they go to the dead letters as they came, and cost nothing but memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_behind_a_slow_output_stays_within_the_budget() {
    const LARGE: usize = 200_000;
    // Fifty budgets, or as much as a slow machine has time for.
    let budgets = if all() { 50 } else { 10 };
    let stories = budgets * BUDGET_BYTES / LARGE as u64;
    let latency = Duration::from_millis(if all() { 250 } else { 100 });
    let body = Bytes::from(vec![b'x'; LARGE]);
    let set = ["limits.story_bytes_max=100000"];
    let (world, worker) = burst("what is too large to be read", stories, body, latency, &set).await;
    assert_eq!(world.verdict(&worker, stories + 50).await.dead() as u64, stories);
}

/// Each becomes a record, which is larger than its story: what waits for its receipt is bounded too.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_records_behind_a_slow_output_stays_within_the_budget() {
    // Words as long as lines: much to carry, little to read.
    let line = format!("{} said the clerk of the harbour.\n", "x".repeat(1900));
    let body = Bytes::from(line.repeat(48));
    let budgets = if all() { 20 } else { 5 };
    let stories = budgets * BUDGET_BYTES / body.len() as u64;
    let latency = Duration::from_millis(if all() { 250 } else { 100 });
    let (world, worker) = burst("records", stories, body, latency, &[]).await;
    assert_eq!(world.verdict(&worker, stories + 50).await.dead(), 0);
}

/// The record of a story, with the times at which the server stored both.
struct Timed {
    stored_ns: i64,
    story_stored_ns: i64,
    sequence: u64,
}

/// All records that stand, in their order.
async fn timed_records(world: &World) -> Vec<Timed> {
    answered("the records", async || {
        let mut records = Vec::new();
        let see = |seen: reading::Seen| {
            let (origin, _) = names::read_origin(&seen.headers).expect("an origin");
            records.push(Timed {
                stored_ns: seen.stored_ns,
                story_stored_ns: origin.stored_ns,
                sequence: origin.sequence,
            });
            ControlFlow::Continue(())
        };
        let jetstream = &world.broker.jetstream;
        reading::each(jetstream, "WIRE_ENRICHED", reading::Start::First, None, reading::Depth::Headers, see).await?;
        Ok::<_, reading::ReadError>(records)
    })
    .await
}

/// A flood on one input, and a story now and then on another. What counts is how long that waits and how many
/// stories of the flood go before it, by the times that the server wrote down: a test that stands still for a moment
/// is no fault of the worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_one_input_leaves_another_near_what_it_was() {
    const PROBES: u64 = 15;
    let flood = if all() { 100_000 } else { 3_000 };
    let world = World::start().await;
    let mut set = quick(&[
        "inputs.main.subject=wire.raw.flood.>",
        "inputs.quiet.subject=wire.raw.quiet.>",
        "inputs.quiet.durable=quiet",
        "work.threads=2",
    ]);
    if !all() {
        // A small flood has to last until the last probe.
        set.extend(["limits.stories_per_second=200", "limits.stories_burst=10"]);
    }
    let worker = ready(&world, &set).await;
    let mut records = world.broker.client.subscribe("wire.enriched.>").await.expect("a subscription");
    let mut probe = async |number: u64| {
        let sequence = world.publish("wire.raw.quiet.a", HeaderMap::new(), story(number).as_bytes()).await;
        loop {
            let headers = records.next().await.expect("a record").headers.unwrap_or_default();
            if headers.get(names::SEQUENCE).map(ToString::to_string) == Some(sequence.to_string()) {
                return sequence;
            }
        }
    };
    let (mut alone, mut flooded) = (Vec::new(), Vec::new());
    for number in 1..=PROBES {
        alone.push(probe(number).await);
    }
    publish_all(&world, "wire.raw.flood.a", flood, |number| story(number).into()).await;
    let in_flight = "copydesk_in_flight_stories{input=\"main\"}";
    world.until("a full worker", &worker, async |_| worker.metric(in_flight).is_some_and(|n| n > 400.0)).await;
    for number in 1..=PROBES {
        flooded.push(probe(1000 + number).await);
    }
    let waiting = world.consumer().await.num_pending;
    world.until("the end of the flood", &worker, async |_| ended(&worker) >= flood + 2 * PROBES).await;
    assert!(waiting > 0, "the flood was over before the last probe");

    let records = timed_records(&world).await;
    let is_probe = |record: &Timed| alone.contains(&record.sequence) || flooded.contains(&record.sequence);
    let waits = |probes: &[u64]| {
        let of = |sequence: &u64| records.iter().find(|record| record.sequence == *sequence).expect("its record");
        let wait = |one: &Timed| Duration::from_nanos(u64::try_from(one.stored_ns - one.story_stored_ns).unwrap_or(0));
        let mut waits: Vec<Duration> = probes.iter().map(of).map(wait).collect();
        waits.sort_unstable();
        waits
    };
    let before = |probe: &Timed| {
        let meanwhile = |other: &&Timed| (probe.story_stored_ns..probe.stored_ns).contains(&other.stored_ns);
        records.iter().filter(|record| !is_probe(record)).filter(meanwhile).count()
    };
    let mut overtaken: Vec<usize> =
        records.iter().filter(|record| flooded.contains(&record.sequence)).map(before).collect();
    overtaken.sort_unstable();
    let (alone, flooded) = (waits(&alone), waits(&flooded));
    let half = alone.len() / 2;
    eprintln!(
        "flood | a quiet story takes {:?} alone, {:?} beside a flood of {flood} (medians; at most {:?} and {:?}); \
         stories that go before it: {} (median), {} at most",
        alone[half],
        flooded[half],
        alone[alone.len() - 1],
        flooded[flooded.len() - 1],
        overtaken[half],
        overtaken[overtaken.len() - 1]
    );
    // 512 stories of the flood are in the worker; those that a thread has already are not overtaken. One probe may
    // meet a moment at which the machine does something else.
    assert!(overtaken[overtaken.len() - 2] < 128, "so many went before a story of another input: {overtaken:?}");
    let near = alone[half] * 10 + Duration::from_millis(500);
    assert!(flooded[half] < near, "a story of another input waited {:?}, and alone {:?}", flooded[half], alone[half]);
    let verdict = world.audit().await.verdict;
    assert!(verdict.is_clean() && verdict.recorded == flood + 2 * PROBES, "{verdict:?}");
}

/// Workers are replaced one by one while stories come in. What they had is finished and known to be:
/// no story comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_three_workers_under_load_repeats_nothing() {
    let world = World::start().await;
    let set = patient(&["delivery.grace_period_ms=40000"]);
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
        let last: serde_json::Value = leaving
            .log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .find(|line: &serde_json::Value| line["message"] == "the desk is closed")
            .expect("its last word");
        assert_eq!(last["stories.unconfirmed"], 0, "{last}");
        repeated += last["stories.repeated"].as_u64().expect("a count");
        workers.push(world.worker("worker", &set));
        flows_again_after(&format!("worker replaced, {round}"), &workers[2], 0).await;
    }
    let published = load.stop().await;
    let ledger = world.verdict(&workers[2], published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
    repeated += workers.iter().map(|worker| outcomes(worker, "repeated")).sum::<u64>();
    assert_eq!(repeated, 0, "an acknowledgement was lost: its story came again");
}

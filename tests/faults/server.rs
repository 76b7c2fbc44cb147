//! Servers that die or stand still, workers that stand still, streams that are full or gone, consumers
//! that are made anew.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{consumer::DeliverPolicy, stream},
};
use futures_util::StreamExt;

use crate::{
    COMING, all, copies, ended, flows_again, flows_again_after, lasts,
    load::{BROKEN_EVERY, Load},
    outcomes, paced,
    proxy::{Fault, Proxy},
    quick, ready, ready_at,
    soak::{NO_TEXT, publish_raw},
    span,
    support::{PATIENCE, Worker, World, signal, story},
};

async fn publish(world: &World, stories: std::ops::RangeInclusive<u64>) {
    for number in stories {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_loses_and_doubles_nothing() {
    let mut world = World::start().await;
    let worker = ready(&world, &paced(&[])).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    for time in 1..=if all() { 8 } else { 2 } {
        let before = ended(&worker);
        world.until("work between", &worker, async |_| ended(&worker) > before + 30).await;
        world.server.kill().expect("killed");
        world.server.restart().expect("restarted");
        flows_again(&format!("server killed and restarted, {time}"), &worker).await;
    }
    let published = load.stop().await;
    let ledger = world.verdict(&worker, published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_waited_for() {
    let world = World::start().await;
    let worker = ready(&world, &paced(&["nats.ping_interval_ms=500", "nats.connect_timeout_ms=1000"])).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    world.until("progress", &worker, async |_| ended(&worker) > 20).await;
    signal(world.server.pid(), "STOP");
    world.until("a word of it", &worker, async |_| worker.get("/readyz").0 == 503).await;
    lasts(span(40, 2000)).await;
    signal(world.server.pid(), "CONT");
    flows_again("server stopped and continued", &worker).await;
    let published = load.stop().await;
    assert_eq!(world.verdict(&worker, published).await.dead() as u64, published / BROKEN_EVERY);
}

/// Whoever is asked to stop keeps to the grace period, whatever the server does.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_while_the_server_stands_still_keeps_to_its_grace_period() {
    const HELD_STORIES: u64 = 60;
    let world = World::start().await;
    // Its length is what is tested: the same with FAULTS=all.
    let set = [&paced(&[])[..], &["delivery.ack_wait_ms=2000", "delivery.grace_period_ms=5000"]].concat();
    // So slow that there is always a story that is about to be published.
    let slow = [&set[..], &["limits.stories_per_second=1"]].concat();
    let mut worker = ready(&world, &slow).await;
    publish(&world, 1..=HELD_STORIES).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    world.until("progress", &worker, async |_| ended(&worker) > 5).await;
    signal(world.server.pid(), "STOP");
    // One story has no receipt: it cannot end before the server goes on.
    let retries = "copydesk_publish_retries_total";
    let is_stuck = async |_: &World| worker.metric(retries).is_some_and(|count| count > 0.0);
    world.until("a record without a receipt", &worker, is_stuck).await;
    let began = std::time::Instant::now();
    worker.signal("TERM");
    let status = worker.ended();
    let took = began.elapsed();
    signal(world.server.pid(), "CONT");
    eprintln!("stop | server stands still: left within {took:?} of 5 s, {status}");
    assert_eq!(status.code(), Some(75), "a story is left behind: {}", worker.log());
    // Whoever waits for the server never leaves; the ten seconds above the grace period are for a busy machine.
    assert!(took < Duration::from_secs(15), "{took:?}");
    let worker = ready(&world, &set).await;
    let published = load.stop().await;
    let ledger = world.verdict(&worker, HELD_STORIES + published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
}

/// Records are stored, their stories are not acknowledged, and the server that comes back has to know
/// the ids from its files.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_restarted_between_record_and_acknowledgement_knows_the_ids() {
    const STORIES: u64 = 60;
    let mut world = World::start().await;
    let proxy = Proxy::start(&world.server.url()).await;
    let worker = ready_at(&world, &proxy.url(), &quick(&["delivery.ack_timeout_ms=500"])).await;
    proxy.set(Fault::DropAcknowledgements);
    publish(&world, 1..=STORIES).await;
    world.until("all records", &worker, async |world| world.count("WIRE_ENRICHED").await == STORIES).await;
    let done = ended(&worker);
    world.server.kill().expect("killed");
    world.server.restart().expect("restarted");
    proxy.set(Fault::None);
    flows_again_after("server restarted between record and acknowledgement", &worker, done).await;
    world.verdict(&worker, STORIES).await;
    world.until("stories that came again", &worker, async |_| outcomes(&worker, "repeated") > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_longer_than_ack_wait_doubles_nothing() {
    let world = World::start().await;
    // Always short: it is the measure of this fault.
    let set = [&paced(&[])[..], &["delivery.ack_wait_ms=1000"]].concat();
    let stands = ready(&world, &set).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    world.until("progress", &stands, async |_| ended(&stands) > 20).await;
    stands.signal("STOP");
    let goes = ready(&world, &set).await;
    flows_again("another worker takes over from one that stands still", &goes).await;
    lasts(span(20, 2500)).await;
    stands.signal("CONT");
    flows_again("worker stopped and continued", &stands).await;
    let published = load.stop().await;
    let ledger = world.verdict(&goes, published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
    // What it still held when it went on has come to an end as well.
    let held = "copydesk_in_flight_stories{input=\"main\"}";
    world.until("its end", &stands, async |_| stands.metric(held).is_some_and(|held| held < 1.0)).await;
    world.verdict(&goes, published).await;
}

/// Each takes the connection that it comes by. That happens a few times, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn stories_whose_headers_are_no_text_end_under_load() {
    const ODD: u64 = 20;
    let world = World::start().await;
    let worker = ready(&world, &quick(&["delivery.ack_timeout_ms=1000"])).await;
    let beside = ready(&world, &quick(&["delivery.ack_timeout_ms=1000"])).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    for _ in 0..ODD {
        publish_raw(&world.server.url(), NO_TEXT).await;
    }
    let began = std::time::Instant::now();
    world.until("their dead letters", &worker, async |world| buried_for_headers(world).await >= ODD).await;
    eprintln!("recovery | headers that are no text, the last is buried | {} ms", began.elapsed().as_millis());
    flows_again("headers that are no text", &worker).await;
    let published = load.stop().await;
    let ledger = world.verdict(&worker, published + ODD).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY + ODD);
    let lost = |worker: &Worker| worker.metric("copydesk_broker_disconnects_total").unwrap_or_default() as u64;
    let lost = lost(&worker) + lost(&beside);
    eprintln!("connections lost over {ODD} stories whose headers are no text: {lost}");
    // Each may meet both workers, and what came with it a second time.
    assert!(lost <= 4 * ODD, "{lost} connections were lost");
}

async fn buried_for_headers(world: &World) -> u64 {
    let stream = world.stream("WIRE_DEAD").await;
    let Ok(mut counts) = stream.info_with_subjects("wire.dead.message-headers").await else { return 0 };
    let mut buried = 0;
    while let Some(Ok((_, count))) = counts.next().await {
        buried += count as u64;
    }
    buried
}

/// Lets a stream take no more than it has.
pub(crate) async fn fill(world: &World, name: &str) -> stream::Config {
    let stream = world.stream(name).await;
    let before = stream.cached_info().config.clone();
    // 1 is the least that is a limit.
    let full = i64::try_from(stream.cached_info().state.messages.max(1)).expect("a count");
    let config = stream::Config { max_messages: full, ..before.clone() };
    world.broker.jetstream.update_stream(config).await.expect("changed");
    before
}

/// Held stories come again after this time unless they give signs of life. Ten seconds, so that a machine that
/// stands still for a moment is not taken for that.
const HELD: &str = "delivery.ack_wait_ms=10000";

/// A worker that holds, and whose connection is not given up meanwhile.
async fn holding(world: &World) -> Worker {
    ready(world, &[&quick(&[HELD])[..], &["nats.ping_interval_ms=30000"]].concat()).await
}

/// Longer than that.
async fn stays_held() {
    lasts(span(40, 12_000)).await;
}

const NOT_AGAIN: &str = "held stories gave no sign of life and came again";

#[tokio::test(flavor = "multi_thread")]
async fn full_streams_hold_stories_and_bury_none() {
    let world = World::start().await;
    let worker = holding(&world).await;
    // One of each kind, so that the limit can be what is there.
    publish(&world, 1..=1).await;
    world.publish("wire.raw.a", HeaderMap::new(), br#"{"text": broken"#).await;
    world.verdict(&worker, 2).await;
    for (name, body) in [("WIRE_ENRICHED", "All is well, said the clerk."), ("WIRE_DEAD", r#"{"text": broken"#)] {
        let last = world.stream("WIRE_RAW").await.cached_info().state.last_sequence;
        let (records, dead) = (world.count("WIRE_ENRICHED").await, world.count("WIRE_DEAD").await);
        let before = fill(&world, name).await;
        for _ in 0..20 {
            world.publish("wire.raw.a", HeaderMap::new(), body.as_bytes()).await;
        }
        world.until("the obstacle", &worker, async |_| worker.get("/readyz").0 == 503).await;
        stays_held().await;
        assert_eq!((world.count("WIRE_ENRICHED").await, world.count("WIRE_DEAD").await), (records, dead));
        let done = ended(&worker);
        world.broker.jetstream.update_stream(before).await.expect("changed");
        flows_again_after(&format!("{name} full"), &worker, done).await;
        world.verdict(&worker, last + 20).await;
    }
    assert_eq!(world.count("WIRE_DEAD").await, 21, "those that are no stories");
    assert_eq!(copies(&worker), 0, "{NOT_AGAIN}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_outage_holds_stories_and_buries_none() {
    const STORIES: u64 = 50;
    let world = World::start().await;
    let worker = holding(&world).await;
    let config = world.stream("WIRE_ENRICHED").await.cached_info().config.clone();
    world.broker.jetstream.delete_stream("WIRE_ENRICHED").await.expect("deleted");
    publish(&world, 1..=STORIES).await;
    world.until("the obstacle", &worker, async |_| worker.get("/readyz").1.contains("does not take messages")).await;
    stays_held().await;
    assert_eq!((world.count("WIRE_DEAD").await, ended(&worker)), (0, 0));
    world.broker.jetstream.create_stream(config).await.expect("created");
    flows_again_after("WIRE_ENRICHED missing", &worker, 0).await;
    assert_eq!(world.verdict(&worker, STORIES).await.dead(), 0);
    assert_eq!(copies(&worker), 0, "{NOT_AGAIN}");
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dead_letter_stream_stories_are_held_and_none_ends() {
    let world = World::start().await;
    let worker = holding(&world).await;
    let config = world.stream("WIRE_DEAD").await.cached_info().config.clone();
    world.broker.jetstream.delete_stream("WIRE_DEAD").await.expect("deleted");
    for _ in 0..20 {
        world.publish("wire.raw.a", HeaderMap::new(), br#"{"text": broken"#).await;
    }
    world.until("the obstacle", &worker, async |_| worker.get("/readyz").0 == 503).await;
    stays_held().await;
    assert_eq!(ended(&worker), 0);
    world.broker.jetstream.create_stream(config).await.expect("created");
    flows_again_after("WIRE_DEAD missing", &worker, 0).await;
    assert_eq!(world.verdict(&worker, 20).await.dead(), 20);
    assert_eq!(copies(&worker), 0, "{NOT_AGAIN}");
}

/// An operator deletes the consumer and makes it again with everything to be delivered once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_made_again_by_hand_repeats_and_doubles_nothing() {
    const STORIES: u64 = 200;
    let world = World::start().await;
    let worker = ready(&world, &paced(&[])).await;
    publish(&world, 1..=150).await;
    world.until("progress", &worker, async |_| ended(&worker) > 40).await;
    let stream = world.stream("WIRE_RAW").await;
    let config = world.consumer().await.config;
    let began = std::time::Instant::now();
    loop {
        // The worker may be quicker, and makes it from its checkpoint.
        let _ = stream.delete_consumer("copydesk").await;
        match stream.create_consumer(config.clone()).await {
            Ok(_) => break,
            Err(error) => assert!(began.elapsed() < PATIENCE, "the consumer cannot be made: {error}"),
        }
    }
    let done = ended(&worker);
    publish(&world, 151..=STORIES).await;
    flows_again_after("consumer deleted and made again by hand", &worker, done).await;
    assert_eq!(world.verdict(&worker, STORIES).await.dead(), 0);
    let repeated = async |_: &World| outcomes(&worker, "repeated") >= 20;
    world.until("what was done, once more", &worker, repeated).await;
}

/// Nobody makes the consumer again but the worker itself: one above the acknowledgement floor that it has noted.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_was_deleted_goes_on_from_its_checkpoint() {
    let world = World::start().await;
    let mut worker = ready(&world, &quick(&["limits.stories_per_second=40", "limits.stories_burst=5"])).await;
    publish(&world, 1..=200).await;
    let floor = async || {
        let bucket = world.broker.jetstream.get_key_value("copydesk").await.ok()?;
        let noted = bucket.get("floor.copydesk").await.ok()??;
        serde_json::from_slice::<serde_json::Value>(&noted).ok()?["floor"].as_u64()
    };
    world.until("a checkpoint", &worker, async |_| floor().await.is_some_and(|floor| floor > 20)).await;
    // Deleted while it is busy.
    world.stream("WIRE_RAW").await.delete_consumer("copydesk").await.expect("deleted");
    let done = ended(&worker);
    publish(&world, 201..=300).await;
    flows_again_after("consumer deleted while busy, made again from its checkpoint", &worker, done).await;
    world.until("all records", &worker, async |world| world.count("WIRE_ENRICHED").await >= 300).await;
    world.verdict(&worker, 300).await;
    let made = world.consumer().await.config.deliver_policy;
    assert!(
        matches!(made, DeliverPolicy::ByStartSequence { start_sequence } if start_sequence > 20),
        "everything again: {made:?}"
    );
    // Deleted while nobody works: the next worker goes on too.
    world.until("the last checkpoint", &worker, async |_| floor().await == Some(300)).await;
    assert!(worker.stop().success());
    world.stream("WIRE_RAW").await.delete_consumer("copydesk").await.expect("deleted");
    publish(&world, 301..=310).await;
    let worker = world.worker("next", &quick(&[]));
    flows_again_after("consumer deleted while idle, made again from its checkpoint", &worker, 0).await;
    world.verdict(&worker, 310).await;
}

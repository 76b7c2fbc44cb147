//! Stories that come again: behind a throttled key, as a kill, while their marks get no receipt; and a worker that
//! stands still while it reads.

use async_nats::HeaderMap;

use crate::{
    proxy::{Fault, Kind, Proxy},
    quick, ready, ready_at,
    support::{self, World, story},
};

/// The first story of an empty stream is delivered once, and its worker dies.
async fn delivered_once(world: &World, set: &[&str], body: &[u8]) -> u64 {
    drop(ready(world, set).await);
    let sequence = world.publish("wire.raw.a", HeaderMap::new(), body).await;
    assert!(!world.doomed_worker("doomed", set, "received:1").ended().success());
    sequence
}

/// Far more stories of one key than it may park, sent back and come again many times: they stand before
/// the limit of their key alone, and hold up neither another key of their input nor another input.
#[tokio::test(flavor = "multi_thread")]
async fn stories_of_a_throttled_key_that_come_again_hold_up_nobody() {
    const FLOOD: u64 = 60;
    let world = World::start().await;
    let file = world.folder.path().join("limits.toml");
    let limit = |rate: &str| {
        let limits = "[limits]\nkey_subject_token = 4\nthrottled_delay_ms = 300\n";
        std::fs::write(&file, format!("{limits}[limits.keys.flood]\nstories_per_second = {rate}\nstories_burst = 1\n"))
            .expect("written");
    };
    limit("0.001");
    let set = quick(&[
        "inputs.main.subject=wire.raw.shared.>",
        "inputs.main.stories_max=16",
        "inputs.apart.subject=wire.raw.apart.>",
        "inputs.apart.durable=apart",
        "delivery.give_back_delay_ms=100",
    ]);
    let worker = world.worker_with_file("worker", &set, &file);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    for number in 1..=FLOOD {
        world.publish("wire.raw.shared.flood", HeaderMap::new(), story(number).as_bytes()).await;
    }
    // Each of those that are not parked has come again several times.
    let throttled = "copydesk_stories_total{outcome=\"throttled\"}";
    world
        .until("stories that come again", &worker, async |_| {
            worker.metric(throttled).is_some_and(|count| count >= (5 * FLOOD) as f64)
        })
        .await;
    let (mut number, before) = (FLOOD, worker.metric(throttled));
    for _ in 0..3 {
        for subject in ["wire.raw.shared.quiet", "wire.raw.apart.a"] {
            number += 1;
            let sequence = world.publish(subject, HeaderMap::new(), story(number).as_bytes()).await;
            world
                .until("a quiet story", &worker, async |world| world.ledger().await.entries.contains_key(&sequence))
                .await;
        }
    }
    world.until("more that come again", &worker, async |_| worker.metric(throttled) > before).await;
    // One has passed, and a quarter of the permits waits: 4 of 16.
    assert_eq!(world.count("WIRE_ENRICHED").await, 1 + 6);
    limit("1000");
    worker.signal("HUP");
    world.until_done(&worker).await;
    world.verdict(&worker, number).await;
}

/// A kill that was delivered before waits for no limit either, though it is looked at under its mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_that_comes_again_does_not_wait_for_the_limits() {
    let world = World::start().await;
    let kill = serde_json::json!({
        "uri": "urn:desk:pier", "version": "1", "type": "text", "pubstatus": "canceled", "headline": "Pier shut",
        "body_text": "The pier of Eastmouth stays shut.",
    });
    let sequence = delivered_once(&world, &quick(&[]), kill.to_string().as_bytes()).await;
    for number in 1..=20 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    let worker = ready(&world, &quick(&["limits.stories_per_second=0.001", "limits.stories_burst=1"])).await;
    world.until("the kill", &worker, async |world| world.ledger().await.entries.contains_key(&sequence)).await;
    assert!(worker.metric("copydesk_redeliveries_total").is_some_and(|count| count >= 1.0));
    assert!(world.count("WIRE_ENRICHED").await <= 2, "the others wait still");
}

/// The bucket stores the marks and its receipts are lost: nobody has died, so nobody is to blame.
#[tokio::test(flavor = "multi_thread")]
async fn marks_without_a_receipt_blame_nobody() {
    let world = World::start().await;
    let set = quick(&["nats.request_timeout_ms=500", "work.begun_max=1"]);
    delivered_once(&world, &set, story(1).as_bytes()).await;
    let proxy = Proxy::start(&world.server.url()).await;
    // Before the worker is there: what was delivered comes again when it will.
    proxy.set(Fault::Drop(Kind::Mark));
    let worker = ready_at(&world, &proxy.url(), &set).await;
    let began = std::time::Instant::now();
    while proxy.spoilt() == 0 {
        assert!(began.elapsed() < support::PATIENCE, "the fault has met nothing: {}", worker.log());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let ledger = world.verdict(&worker, 1).await;
    assert_eq!(ledger.dead(), 0, "the innocent were blamed");
    let bucket = world.broker.jetstream.get_key_value("copydesk").await.expect("the bucket");
    let mark = bucket.keys().await.expect("keys");
    let marks: Vec<_> = futures_util::TryStreamExt::try_collect(mark).await.expect("keys");
    assert!(marks.iter().all(|key: &String| !key.starts_with("begun.")), "marks are cleared: {marks:?}");
}

/// A process that stands still in the middle of a story has not read it for so long.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_while_it_reads_blames_nobody() {
    let world = World::start().await;
    let set = quick(&["limits.story_deadline_ms=6000", "delivery.ack_wait_ms=30000", "work.threads=2"]);
    let worker = ready(&world, &set).await;
    world.publish("wire.raw.a", HeaderMap::new(), (story(1) + "(failpoint: slow)").as_bytes()).await;
    world
        .until("reading", &worker, async |_| worker.metric("copydesk_in_flight_stories{input=\"main\"}") == Some(1.0))
        .await;
    worker.signal("STOP");
    crate::lasts(std::time::Duration::from_secs(8)).await;
    worker.signal("CONT");
    assert_eq!(world.verdict(&worker, 1).await.dead(), 0);
}

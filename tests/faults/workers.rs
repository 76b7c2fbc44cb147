//! Workers that die at every step, stories that kill them, limits that change on the way.

use async_nats::HeaderMap;
use copydesk::service::failpoint;
use futures_util::StreamExt as _;

use crate::{
    number, quick, ready,
    support::{self, World, story},
};

/// As elsewhere, but delivered again sooner.
const QUICK: [&str; 3] =
    ["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500", "delivery.retry_delay_max_ms=300"];

/// A worker dies at a step, three times over, then a sound one finishes: each story comes out once.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_step_loses_and_doubles_nothing() {
    const STORIES: u64 = 60;
    let first = number("FAULT_SEED", 0);
    for seed in first..first + number("FAULT_SEEDS", failpoint::PLACES.len() as u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let place = failpoint::PLACES[seed as usize % failpoint::PLACES.len()];
        let world = World::start().await;
        drop(ready(&world, &QUICK).await);
        for number in 1..=STORIES {
            let body = if number % 10 == 0 { r#"{"text": broken"#.to_owned() } else { story(number) };
            world.publish("wire.raw.a", HeaderMap::new(), body.as_bytes()).await;
        }
        for _ in 0..3 {
            let times = if place == "asked" { 1 } else { random.u64(1..6) };
            let mut doomed = world.doomed_worker("doomed", &QUICK, &format!("{place}:{times}"));
            // It dies there, or finishes the work before it gets there so often.
            let done =
                async |world: &World| world.count("WIRE_ENRICHED").await + world.count("WIRE_DEAD").await >= STORIES;
            let began = std::time::Instant::now();
            while doomed.has_ended().is_none() && !done(&world).await {
                assert!(began.elapsed() < support::PATIENCE, "seed {seed}: neither dead nor done: {}", doomed.log());
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        let worker = ready(&world, &QUICK).await;
        world.until_done(&worker).await;
        let ledger = world.ledger().await;
        eprintln!("seed {seed}: died at {place}");
        ledger.assert_each_once(STORIES);
        assert_eq!(ledger.dead() as u64, STORIES / 10, "seed {seed}, {place}: the innocent were blamed");
    }
}

/// A hundred good stories in flight beside one that kills the process each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_kills_the_worker_becomes_one_dead_letter_and_nobody_else_does() {
    const GOOD: u64 = 100;
    let world = World::start().await;
    drop(ready(&world, &QUICK).await);
    let killer = GOOD / 2;
    for number in 1..=GOOD + 1 {
        let mut body = story(number);
        if number == killer {
            body.push_str("(failpoint: abort)");
        }
        world.publish("wire.raw.a", HeaderMap::new(), body.as_bytes()).await;
    }
    let mut deaths = 0;
    let done = async || world.count("WIRE_ENRICHED").await + world.count("WIRE_DEAD").await > GOOD;
    let began = std::time::Instant::now();
    while !done().await {
        let mut worker = world.worker("worker", &QUICK);
        while worker.has_ended().is_none() && !done().await {
            assert!(began.elapsed() < support::PATIENCE, "not done after {deaths} deaths: {}", worker.log());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        deaths += u32::from(worker.has_ended().is_some());
    }
    let worker = ready(&world, &QUICK).await;
    world.until_done(&worker).await;
    let ledger = world.ledger().await;
    ledger.assert_each_once(GOOD + 1);
    assert_eq!(ledger.dead(), 1);
    assert_eq!(ledger.one(killer).reason.as_deref(), Some("read.killed_worker"));
    assert_eq!(deaths, 4, "once unmarked and three times under its mark");
    let bucket = world.broker.jetstream.get_key_value("copydesk").await.expect("the bucket");
    let keys: Vec<String> = bucket.keys().await.expect("keys").map(|key| key.expect("a key")).collect().await;
    assert!(keys.iter().all(|key| !key.starts_with("begun.")), "marks are cleared: {keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn panics_and_endless_stories_become_dead_letters_and_a_worn_out_worker_leaves() {
    let world = World::start().await;
    let mut worker = ready(&world, &quick(&["work.threads=2", "limits.story_deadline_ms=500"])).await;
    for (number, mark) in (1..=20).map(|number| {
        (
            number,
            match number {
                5 => "(failpoint: panic)",
                9 => "(failpoint: loop)",
                _ => "",
            },
        )
    }) {
        world.publish("wire.raw.a", HeaderMap::new(), (story(number) + mark).as_bytes()).await;
    }
    world.until_done(&worker).await;
    let ledger = world.ledger().await;
    ledger.assert_each_once(20);
    assert_eq!(ledger.one(5).reason.as_deref(), Some("read.panic"));
    assert_eq!(ledger.one(9).reason.as_deref(), Some("read.deadline"));
    assert_eq!(ledger.dead(), 2);
    // One of two threads is lost: the worker makes room for a new one.
    assert_eq!(worker.ended().code(), Some(75));
    assert!(worker.log().contains("half of the pool is lost"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_holds_after_sighup_and_a_broken_one_changes_nothing() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copydesk.toml");
    let write = |rate: &str| {
        std::fs::write(&file, format!("[limits]\nstories_per_second = {rate}\nstories_burst = 1\n")).expect("written");
    };
    write("0.01");
    let worker = world.worker_with_file("worker", &QUICK, &file);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    for number in 1..=30 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    let quota = |worker: &support::Worker| worker.metric("copydesk_quota_stories_per_second");
    world.until("the first story", &worker, async |world| world.count("WIRE_ENRICHED").await == 1).await;
    assert_eq!(quota(&worker), Some(0.01));
    write("-5");
    worker.signal("HUP");
    world.until("the refusal", &worker, async |_| worker.log().contains("the old one holds")).await;
    assert_eq!(quota(&worker), Some(0.01));
    write("500");
    worker.signal("HUP");
    world.until_done(&worker).await;
    assert_eq!(quota(&worker), Some(500.0));
    world.ledger().await.assert_each_once(30);
}

/// One key is throttled with a backlog above `ack_pending_max`; the others of the input go on until
/// that is full, and an input of its own is not held up at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_key_parks_a_quarter_and_an_input_of_its_own_goes_on() {
    let world = World::start().await;
    let set = quick(&[
        "inputs.main.subject=wire.raw.shared.>",
        "inputs.main.stories_max=16",
        "inputs.main.ack_pending_max=40",
        "inputs.apart.subject=wire.raw.apart.>",
        "inputs.apart.durable=apart",
        "limits.key_subject_token=4",
        "limits.keys.flood.stories_per_second=0.05",
        "limits.keys.flood.stories_burst=1",
        "limits.throttled_delay_ms=30000",
    ]);
    let worker = ready(&world, &set).await;
    // Fewer than ack_pending_max: the quiet key of the same input goes on.
    for number in 1..=20 {
        world.publish("wire.raw.shared.flood", HeaderMap::new(), story(number).as_bytes()).await;
    }
    let throttled = "copydesk_stories_total{outcome=\"throttled\"}";
    world
        .until("stories sent back", &worker, async |_| worker.metric(throttled).is_some_and(|count| count >= 10.0))
        .await;
    world.publish("wire.raw.shared.quiet", HeaderMap::new(), story(21).as_bytes()).await;
    world.until("the quiet key", &worker, async |world| world.ledger().await.entries.contains_key(&21)).await;
    // Far more than ack_pending_max: the input stands, the other does not.
    for number in 22..=221 {
        world.publish("wire.raw.shared.flood", HeaderMap::new(), story(number).as_bytes()).await;
    }
    let pending = "copydesk_consumer_ack_pending_stories{input=\"main\"}";
    world.until("a full consumer", &worker, async |_| worker.metric(pending) == Some(40.0)).await;
    for number in 222..=231 {
        world.publish("wire.raw.apart.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world
        .until("the input of its own", &worker, async |world| {
            let ledger = world.ledger().await;
            (222..=231).all(|sequence| ledger.entries.contains_key(&sequence))
        })
        .await;
    assert_eq!(world.count("WIRE_DEAD").await, 0);
}

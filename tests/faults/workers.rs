//! Workers that die at every step, stories that kill them, limits that change on the way.

use async_nats::HeaderMap;
use copydesk::service::failpoint;
use futures_util::StreamExt as _;

use crate::{
    flows_again_after, lasts, number, quick, ready,
    support::{self, World, story},
};

/// As elsewhere, but delivered again sooner.
const QUICK: [&str; 3] =
    ["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500", "delivery.retry_delay_max_ms=300"];

/// A worker that comes to a place slowly enough to have stories left when it dies.
const SLOW: [&str; 2] = ["limits.stories_per_second=40", "limits.stories_burst=5"];
/// A worker that has its stories in hand and ends none but the first.
const HOLDS: [&str; 2] = ["limits.stories_per_second=0.001", "limits.stories_burst=1"];

/// Stories that are not done.
async fn left(world: &World) -> u64 {
    let info = world.consumer().await;
    info.num_pending + info.num_ack_pending as u64
}

/// A worker that dies at a place which the seed is about, and where it cannot fail to.
async fn dies_at(world: &World, seed: u64, place: &str, random: &mut fastrand::Rng) {
    let in_flight = "copydesk_in_flight_stories{input=\"main\"}";
    let set = if place == "copy" { [QUICK.as_slice(), &HOLDS].concat() } else { [QUICK.as_slice(), &SLOW].concat() };
    let times = match place {
        "reserved" | "asked" | "copy" | "marked" => 1,
        // Before anything is finished, and when everything is.
        "draining" => random.u64(1..3),
        _ => random.u64(1..6),
    };
    let mut doomed = world.doomed_worker("doomed", &set, &format!("{place}:{times}"));
    match place {
        "draining" => {
            world.until("stories in hand", &doomed, async |_| doomed.metric(in_flight).is_some_and(|n| n > 5.0)).await;
            doomed.signal("TERM");
        }
        // It stands still for longer than the broker waits for signs of life, until a story comes that it has.
        "copy" => {
            world.until("stories in hand", &doomed, async |_| doomed.metric(in_flight).is_some_and(|n| n > 5.0)).await;
            let began = std::time::Instant::now();
            while doomed.has_ended().is_none() {
                assert!(began.elapsed() < support::PATIENCE, "seed {seed}: no copy came: {}", doomed.log());
                doomed.signal("STOP");
                lasts(std::time::Duration::from_secs(2)).await;
                doomed.signal("CONT");
                lasts(std::time::Duration::from_secs(1)).await;
            }
        }
        _ => {}
    }
    let status = doomed.ended();
    assert_eq!(status.code(), None, "seed {seed}: it was to die at {place}: {status}; {}", doomed.log());
}

/// A worker dies at a step, up to three times over, then a sound one finishes: each story comes out once.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_step_loses_and_doubles_nothing() {
    const STORIES: u64 = 60;
    let first = number("FAULT_SEED", 0);
    let (mut all_deaths, mut seeds) = (0, 0);
    for seed in first..first + number("FAULT_SEEDS", failpoint::PLACES.len() as u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let place = failpoint::PLACES[seed as usize % failpoint::PLACES.len()];
        let world = World::start().await;
        drop(ready(&world, &QUICK).await);
        for number in 1..=STORIES {
            let body = if number % 10 == 0 { r#"{"text": broken"#.to_owned() } else { story(number) };
            world.publish("wire.raw.a", HeaderMap::new(), body.as_bytes()).await;
        }
        let mut deaths = 1;
        // Only what comes again is marked: somebody has to have died before.
        if place == "marked" {
            dies_at(&world, seed, "received", &mut random).await;
            deaths += 1;
        }
        dies_at(&world, seed, place, &mut random).await;
        while deaths < 3 {
            // Another may come there as well, or the work is done before it does.
            let place = if matches!(place, "copy" | "draining") { "received" } else { place };
            let times = if matches!(place, "reserved" | "asked") { 1 } else { random.u64(1..6) };
            let mut doomed = world.doomed_worker("doomed", &QUICK, &format!("{place}:{times}"));
            let began = std::time::Instant::now();
            while doomed.has_ended().is_none() && left(&world).await > 0 {
                assert!(began.elapsed() < support::PATIENCE, "seed {seed}: neither dead nor done: {}", doomed.log());
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            if doomed.has_ended().is_none() {
                break;
            }
            deaths += 1;
        }
        let left = left(&world).await;
        let worker = world.worker("worker", &QUICK);
        if left > 0 {
            flows_again_after(&format!("worker killed {deaths} times, at {place}, seed {seed}"), &worker, 0).await;
        }
        world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
        let ledger = world.verdict(&worker, STORIES).await;
        eprintln!("seed {seed}: died {deaths} times, at {place}; {left} stories were left");
        assert_eq!(ledger.dead() as u64, STORIES / 10, "seed {seed}, {place}: the innocent were blamed");
        (all_deaths, seeds) = (all_deaths + deaths, seeds + 1);
    }
    eprintln!("workers killed | {all_deaths} over {seeds} seeds");
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
    // Done is what the broker knows to be done: nobody is stopped between a dead letter and its end.
    let done = async || {
        let info = world.consumer().await;
        info.delivered.stream_sequence > GOOD && info.num_pending == 0 && info.num_ack_pending == 0
    };
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
    let ledger = world.verdict(&worker, GOOD + 1).await;
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
    // The deadline is long enough for the innocent on a machine that stands still for a moment.
    let mut worker = ready(&world, &quick(&["work.threads=2", "limits.story_deadline_ms=5000"])).await;
    let publish = async |number: u64, mark: &str| {
        world.publish("wire.raw.a", HeaderMap::new(), (story(number) + mark).as_bytes()).await;
    };
    for number in 1..=19 {
        publish(number, if number == 5 { "(failpoint: panic)" } else { "" }).await;
    }
    world.until_done(&worker).await;
    // The last: nobody else is in the pool.
    publish(20, "(failpoint: loop)").await;
    // One of two threads is lost: the worker finishes what it has and makes room for a new one.
    assert_eq!(worker.ended().code(), Some(75));
    assert!(worker.log().contains("half of the pool is lost"), "{}", worker.log());
    let ledger = world.verdict(&worker, 20).await;
    assert_eq!(ledger.one(5).reason.as_deref(), Some("read.panic"));
    assert_eq!(ledger.one(20).reason.as_deref(), Some("read.deadline"));
    assert_eq!(ledger.dead(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_holds_after_sighup_and_a_broken_one_changes_nothing() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copydesk.toml");
    let write = |rate: &str| {
        std::fs::write(&file, format!("[limits]\nstories_per_second = {rate}\nstories_burst = 1\n")).expect("written");
    };
    write("0.001");
    let worker = world.worker_with_file("worker", &QUICK, &file);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    for number in 1..=30 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    let quota = |worker: &support::Worker| worker.metric("copydesk_quota_stories_per_second");
    world.until("the first story", &worker, async |world| world.count("WIRE_ENRICHED").await == 1).await;
    assert_eq!(quota(&worker), Some(0.001));
    write("-5");
    worker.signal("HUP");
    world.until("the refusal", &worker, async |_| worker.log().contains("the old one holds")).await;
    assert_eq!(quota(&worker), Some(0.001));
    write("500");
    worker.signal("HUP");
    world.until_done(&worker).await;
    assert_eq!(quota(&worker), Some(500.0));
    assert_eq!(world.verdict(&worker, 30).await.dead(), 0);
}

/// One key is throttled with a backlog above `ack_pending_max`; the others of the input go on until
/// that is full, and an input of its own is not held up at all. When the limit is lifted all of it comes out.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_key_parks_a_quarter_and_an_input_of_its_own_goes_on() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copydesk.toml");
    let limits = "[limits]\nkey_subject_token = 4\nthrottled_delay_ms = 10000\n";
    let flood = "[limits.keys.flood]\nstories_per_second = 0.01\nstories_burst = 1\n";
    std::fs::write(&file, [limits, flood].concat()).expect("written");
    let set = quick(&[
        "inputs.main.subject=wire.raw.shared.>",
        "inputs.main.stories_max=16",
        "inputs.main.ack_pending_max=40",
        "inputs.apart.subject=wire.raw.apart.>",
        "inputs.apart.durable=apart",
    ]);
    let worker = world.worker_with_file("worker", &set, &file);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
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
    // What was sent back is not lost.
    assert!(world.count("WIRE_ENRICHED").await < 200, "the flood was not held");
    std::fs::write(&file, limits).expect("written");
    worker.signal("HUP");
    assert_eq!(world.verdict(&worker, 231).await.dead(), 0);
}

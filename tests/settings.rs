//! Keys that are handed on to what acts on them: each is set, and what it does is seen from outside.
//!
//! Where a key is a time, two workers that differ in it alone are compared, or a broker is used that is
//! slower than the one and quicker than the other; no test goes by a clock.

#![cfg(feature = "service")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use async_nats::HeaderMap;
use copydesk::service::names;
use futures_util::StreamExt;
use support::{Worker, World, story};

async fn ready(world: &World, worker: &Worker) {
    world.until("readiness", worker, async |_| worker.get("/readyz").0 == 200).await;
}

/// What the server wrote down.
fn told(world: &World) -> String {
    fs::read_to_string(world.server.log()).expect("a log")
}

/// Hands everything on between a client and the server; the server's first words come late.
fn relay(server: String, late: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let copy = |mut from: TcpStream, mut to: TcpStream, wait: Duration| {
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            let mut wait = Some(wait);
            while let Ok(length) = from.read(&mut buffer)
                && length > 0
            {
                std::thread::sleep(wait.take().unwrap_or_default());
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        })
    };
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let upstream = TcpStream::connect(&server).expect("the server");
            copy(client.try_clone().expect("a handle"), upstream.try_clone().expect("a handle"), Duration::ZERO);
            copy(upstream, client, late);
        }
    });
    format!("nats://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_answers_too_late_is_tried_again_until_the_time_is_long_enough() {
    let world = World::start().await;
    let server = world.server.url().replace("nats://", "");
    let url = format!("nats.urls={}", relay(server, Duration::from_secs(10)));
    let hasty = world.worker("hasty", &[&url, "nats.connect_timeout_ms=200"]);
    let refused = "copydesk_broker_errors_total{kind=\"unreachable\"}";
    world.until("two attempts", &hasty, async |_| hasty.metric(refused).is_some_and(|count| count >= 2.0)).await;
    assert!(hasty.log().contains("timed out"), "{}", hasty.log());
    let patient = world.worker("patient", &[&url, "nats.connect_timeout_ms=60000"]);
    ready(&world, &patient).await;
    assert_eq!(hasty.get("/readyz").0, 503, "it cannot have heard a word");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_broker_may_take_as_long_as_is_said() {
    let world = World::start().await;
    // An export of the API of which every answer takes a second.
    let client = world.broker.client.clone();
    let mut asked = client.subscribe("SLOW.API.>").await.expect("subscribed");
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            let client = client.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let subject = message.subject.replacen("SLOW.API.", "$JS.API.", 1);
                let reply = message.reply.expect("a request");
                let headers = message.headers.unwrap_or_default();
                let handed = client.publish_with_reply_and_headers(subject, reply, headers, message.payload).await;
                handed.expect("handed on");
            });
        }
    });
    let hasty = world.worker("hasty", &["nats.api_prefix=SLOW.API", "nats.request_timeout_ms=200"]);
    let patient = world.worker("patient", &["nats.api_prefix=SLOW.API", "nats.request_timeout_ms=60000"]);
    ready(&world, &patient).await;
    let gives_up = async |_: &World| hasty.log().contains("the broker is not ready; trying again");
    world.until("the end of its patience", &hasty, gives_up).await;
    assert_eq!(hasty.get("/readyz").0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_tested_as_often_as_is_said() {
    let world = World::telling().await;
    let worker = world.worker("worker", &["nats.ping_interval_ms=100"]);
    ready(&world, &worker).await;
    // The sign of life of its own comes every second; left alone, the client asks every three seconds.
    world
        .until("many tests", &worker, async |world| {
            let told = told(world);
            told.matches("[PING]").count() > 3 * told.matches("_copydesk.alive").count() + 30
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_streams_are_asked_for_as_many_as_is_said() {
    let world = World::telling().await;
    let worker = world.worker("worker", &["streams.replicas=3"]);
    // A single server cannot keep them; what matters is what it is asked for.
    world.until("the request", &worker, async |world| told(world).contains(r#"\"num_replicas\":3"#)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_asked_for_than_an_input_may_hold() {
    let world = World::telling().await;
    let worker = world.worker("worker", &["inputs.main.stories_max=7", "inputs.main.bytes_max=20000000"]);
    ready(&world, &worker).await;
    // At most half of the bytes in one request, so that a second can be open beside it.
    let request = r#"{\"batch\":7,\"expires\":5000000000,\"idle_heartbeat\":1000000000,\"max_bytes\":10000000}"#;
    world.until("the request", &worker, async |world| told(world).contains(request)).await;
    for number in 1..=30 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until_done(&worker).await;
    // Not in one request of all that were made for stories.
    let told = told(&world);
    let asked = |what: &str| -> Vec<u64> {
        let named = format!(r#"\"{what}\":"#);
        let number = |request: &str| {
            let (_, rest) = request.split_once(&named)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        told.split("CONSUMER.MSG.NEXT.WIRE_RAW.copydesk").skip(1).filter_map(number).collect()
    };
    for (what, most) in [("batch", 7), ("max_bytes", 10_000_000)] {
        let asked = asked(what);
        assert!(asked.len() > 4 && asked.iter().all(|number| (1..=most).contains(number)), "{what}: {asked:?}");
    }
    world.ledger().await.assert_each_once(30);
    let mut refused = world.worker("refused", &["inputs.main.bytes_max=600000"]);
    assert_eq!(refused.ended().code(), Some(1));
    assert!(refused.log().contains("inputs.main.bytes_max"), "{}", refused.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_waited_for_as_long_as_is_said() {
    // The worker may not acknowledge: its word reaches nobody, and nobody confirms it.
    let users = r#"authorization { users: [ {user: desk, password: right, permissions: {publish: {deny: "$JS.ACK.>"}}},
        {user: all, password: all} ], default_permissions: {} }
        no_auth_user: all"#;
    let world = World::start_with(users).await;
    let worker = world.worker("worker", &["nats.user=desk", "nats.password=right", "delivery.ack_timeout_ms=321"]);
    ready(&world, &worker).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    world.until("the end of the wait", &worker, async |_| worker.log().contains("no confirmation within 321 ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_waited_for_as_long_as_is_said() {
    // The worker may not publish records: they reach no stream, and nobody gives a receipt.
    let users = r#"authorization { users: [ {user: desk, password: right, permissions: {publish: {deny: "wire.enriched.>"}}},
        {user: all, password: all} ], default_permissions: {} }
        no_auth_user: all"#;
    let world = World::start_with(users).await;
    let set = ["nats.user=desk", "nats.password=right", "delivery.publish_timeout_ms=432"];
    let worker = world.worker("worker", &set);
    ready(&world, &worker).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    world.until("the end of the wait", &worker, async |_| worker.log().contains("no receipt within 432 ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_stories_stays_open_as_long_as_is_said() {
    let world = World::telling().await;
    let worker = world.worker("worker", &["delivery.pull_expires_ms=1234"]);
    world.until("the request", &worker, async |world| told(world).contains(r#"\"expires\":1234000000"#)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_pause_before_another_connection_is_as_long_as_is_said() {
    let mut world = World::start().await;
    let quick = world.worker("quick", &["nats.reconnect_delay_max_ms=100"]);
    let slow = world.worker("slow", &["nats.reconnect_delay_max_ms=600000"]);
    for worker in [&quick, &slow] {
        ready(&world, worker).await;
    }
    world.server.kill().expect("killed");
    let tried = |worker: &Worker| {
        worker.metric("copydesk_broker_errors_total{kind=\"unreachable\"}").unwrap_or_default() as u64
    };
    world.until("many attempts", &quick, async |_| tried(&quick) >= 40).await;
    // The pauses of the other double: twelve take more than a minute, fifteen more than all patience.
    assert!(tried(&slow) < 16, "{} attempts", tried(&slow));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_compared_as_often_as_is_said() {
    let world = World::start().await;
    let checked = |worker: &Worker| worker.metric("copydesk_ledger_stories{verdict=\"checked\"}");
    let quick = world.worker("quick", &["ledger.check_every_ms=1000"]);
    world.until("a book", &quick, async |_| checked(&quick).is_some()).await;
    let slow = world.worker("slow", &["ledger.check_every_ms=3600000"]);
    world.until("the same book", &slow, async |_| checked(&slow).is_some()).await;
    for number in 1..=3 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until("a comparison", &quick, async |_| checked(&quick) == Some(3.0)).await;
    assert_eq!(checked(&slow), Some(0.0), "it looks again in a quarter of an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_rests_at_the_broker_as_long_as_is_said() {
    let world = World::telling().await;
    let set = [
        "inputs.main.stories_max=16",
        "limits.key_subject_token=3",
        "limits.each_key.stories_per_second=0.001",
        "limits.each_key.stories_burst=1",
        "limits.throttled_delay_ms=80000",
    ];
    let worker = world.worker("worker", &set);
    ready(&world, &worker).await;
    for number in 1..=15 {
        world.publish("wire.raw.flood", HeaderMap::new(), story(number).as_bytes()).await;
    }
    // A quarter of the permits may wait, one passes; the rest goes back.
    let delays = async |world: &World| delays(&told(world));
    world.until("stories sent back", &worker, async |world| delays(world).await.len() >= 10).await;
    for seconds in delays(&world).await {
        assert!((40..=80).contains(&seconds), "{seconds} seconds");
    }
}

/// The delays, in seconds, of stories that were given back.
fn delays(told: &str) -> Vec<u64> {
    let delay = |rest: &str| rest.split('}').next()?.parse().ok().map(|delay| Duration::from_nanos(delay).as_secs());
    told.split(r#"-NAK {\"delay\": "#).skip(1).filter_map(delay).collect()
}

/// A worker that holds three stories back and is told to stop.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_rests_at_the_broker_as_long_as_is_said() {
    let world = World::telling().await;
    let set = ["limits.stories_per_second=0.01", "limits.stories_burst=1", "delivery.give_back_delay_ms=80000"];
    let mut worker = world.worker("worker", &set);
    ready(&world, &worker).await;
    let publish = async |number: u64| {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    };
    // The first alone: of several anyone may be the one that passes.
    publish(1).await;
    world.until_done(&worker).await;
    for number in 2..=4 {
        publish(number).await;
    }
    world
        .until("three that wait", &worker, async |world| {
            let info = world.consumer().await;
            info.ack_floor.stream_sequence == 1 && info.delivered.stream_sequence == 4 && info.num_ack_pending == 3
        })
        .await;
    assert!(worker.stop().success(), "{}", worker.log());
    let told = told(&world);
    let delays = delays(&told);
    assert_eq!(delays.len(), 3, "{told}");
    for seconds in delays {
        assert!((40..=80).contains(&seconds), "{seconds} seconds");
    }
}

/// Waits until a worker has a story that no stream takes.
async fn stuck(world: &World, worker: &Worker) {
    world.until("the obstacle", worker, async |_| worker.get("/readyz").1.contains("does not take messages")).await;
}

/// Two workers beside each other, each with subjects of its own.
fn beside<'a>(name: &'a str, set: &[&'a str]) -> Vec<String> {
    let own = [format!("inputs.main.subject=wire.raw.{name}.>"), format!("inputs.main.durable={name}")];
    own.into_iter().chain(set.iter().map(|setting| (*setting).to_owned())).collect()
}

async fn side_by_side(world: &World, sets: [(&str, &[&str]); 2]) -> [Worker; 2] {
    let start = |(name, set): (&str, &[&str])| {
        let set = beside(name, set);
        world.worker(name, &set.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let workers = sets.map(start);
    for worker in &workers {
        ready(world, worker).await;
    }
    world.broker.jetstream.delete_stream("WIRE_ENRICHED").await.expect("deleted");
    for ((name, _), number) in sets.into_iter().zip(1..) {
        world.publish(&format!("wire.raw.{name}.a"), HeaderMap::new(), story(number).as_bytes()).await;
    }
    for worker in &workers {
        stuck(world, worker).await;
    }
    workers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_leaves_when_its_grace_is_over() {
    let world = World::start().await;
    let [mut quick, mut slow] = side_by_side(
        &world,
        [("quick", &["delivery.grace_period_ms=5000"]), ("slow", &["delivery.grace_period_ms=60000"])],
    )
    .await;
    slow.signal("TERM");
    assert!(!quick.stop().success(), "a story is left behind");
    assert!(quick.log().contains("the grace period is over"), "{}", quick.log());
    assert_eq!(slow.has_ended(), None, "it had a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_pause_before_a_retry_is_as_long_as_is_said() {
    let world = World::start().await;
    let [quick, slow] = side_by_side(
        &world,
        [
            ("quick", &["delivery.retry_delay_min_ms=1", "delivery.retry_delay_max_ms=120000"]),
            ("slow", &["delivery.retry_delay_min_ms=120000", "delivery.retry_delay_max_ms=120000"]),
        ],
    )
    .await;
    let retries = |worker: &Worker| worker.metric("copydesk_publish_retries_total");
    // It doubles: eight retries within half a second.
    world.until("eight retries", &quick, async |_| retries(&quick).is_some_and(|count| count >= 8.0)).await;
    assert_eq!(retries(&slow), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_pause_before_a_retry_is_as_long_as_is_said() {
    let world = World::start().await;
    let [quick, slow] = side_by_side(
        &world,
        [
            ("quick", &["delivery.retry_delay_min_ms=100", "delivery.retry_delay_max_ms=100"]),
            ("slow", &["delivery.retry_delay_min_ms=100", "delivery.retry_delay_max_ms=600000"]),
        ],
    )
    .await;
    let retries = |worker: &Worker| worker.metric("copydesk_publish_retries_total").unwrap_or_default() as u64;
    world.until("many retries", &quick, async |_| retries(&quick) >= 40).await;
    // The pauses of the other double: ten take most of a minute, fifteen more than all patience.
    assert!(retries(&slow) < 16, "{} retries", retries(&slow));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_says_by_which_limit_a_story_goes() {
    let world = World::start().await;
    let worker = world.worker(
        "worker",
        &[
            "limits.key_header=X-Feed",
            "limits.keys.slow.stories_per_second=0.001",
            "limits.keys.slow.stories_burst=2",
            "limits.keys.fat.kib_per_second=0.001",
            "limits.keys.fat.kib_burst=3",
        ],
    );
    ready(&world, &worker).await;
    let mut sent: Vec<(&str, u64)> = Vec::new();
    // A KiB or less each: a story weighs one at least.
    for (feed, count) in [("slow", 5), ("fat", 5), ("free", 9)] {
        for number in 1..=count {
            let mut headers = HeaderMap::new();
            headers.insert("X-Feed", feed);
            sent.push((feed, world.publish("wire.raw.a", headers, story(number).as_bytes()).await));
        }
    }
    world.until("what may pass", &worker, async |world| world.count("WIRE_ENRICHED").await == 2 + 3 + 9).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(99).as_bytes()).await;
    world.until("one more", &worker, async |world| world.count("WIRE_ENRICHED").await == 2 + 3 + 9 + 1).await;
    let ledger = world.ledger().await;
    let out = |feed: &str| {
        sent.iter().filter(|(own, sequence)| *own == feed && ledger.entries.contains_key(sequence)).count()
    };
    assert_eq!((out("slow"), out("fat"), out("free")), (2, 3, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_up_to_a_given_urgency_overtakes() {
    let world = World::start().await;
    let slow = ["limits.stories_per_second=0.001", "limits.stories_burst=1"];
    let worker = world.worker("worker", &[slow[0], slow[1], "limits.urgent_max=5"]);
    ready(&world, &worker).await;
    let publish = async |urgencies: &[&str]| {
        for urgency in urgencies {
            let mut headers = HeaderMap::new();
            headers.insert(names::URGENCY, *urgency);
            world.publish("wire.raw.a", headers, story(1).as_bytes()).await;
        }
    };
    let waiting = |lane: &str| worker.metric(&format!("copydesk_lane_waiting_stories{{lane=\"{lane}\"}}"));
    let lanes = async |urgent, routine| {
        world
            .until("the lanes", &worker, async |_| {
                waiting("urgent") == Some(urgent) && waiting("routine") == Some(routine)
            })
            .await;
    };
    // The first passes; of the next two one stands at the gate, whichever it is, and one waits in its lane.
    publish(&["6"]).await;
    world.until("a record", &worker, async |world| world.count("WIRE_ENRICHED").await == 1).await;
    publish(&["6", "6"]).await;
    lanes(0.0, 1.0).await;
    // Whoever comes now waits.
    publish(&["5", "6", "1"]).await;
    lanes(2.0, 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_has_limits_of_its_own_and_waits_for_them_here() {
    let world = World::start().await;
    let settings = [
        "inputs.main.subject=wire.raw.slow.>",
        "inputs.main.stories_max=8",
        "inputs.new.subject=wire.raw.new.>",
        "inputs.new.durable=new",
        "limits.key_header=X-Feed",
        "limits.key_input=true",
        "limits.keys.main.stories_per_second=0.001",
        "limits.keys.main.stories_burst=2",
    ];
    let worker = world.worker("worker", &settings);
    ready(&world, &worker).await;
    let mut sent: Vec<(&str, u64)> = Vec::new();
    for (subject, count) in [("wire.raw.slow.a", 12), ("wire.raw.new.a", 5)] {
        for number in 1..=count {
            sent.push((subject, world.publish(subject, HeaderMap::new(), story(number).as_bytes()).await));
        }
    }
    // Eight are here, one of them at the gate; nobody is sent back for them.
    let waits = async |_: &World| worker.metric("copydesk_in_flight_stories{input=\"main\"}") == Some(8.0);
    world.until("a full input", &worker, waits).await;
    world.until("what may pass", &worker, async |world| world.count("WIRE_ENRICHED").await == 2 + 5).await;
    let mut headers = HeaderMap::new();
    headers.insert("X-Feed", "main");
    sent.push(("wire.raw.new.b", world.publish("wire.raw.new.b", headers, story(98).as_bytes()).await));
    world.publish("wire.raw.new.a", HeaderMap::new(), story(99).as_bytes()).await;
    world.until("one more", &worker, async |world| world.count("WIRE_ENRICHED").await == 2 + 5 + 1).await;
    let ledger = world.ledger().await;
    let out = |subject: &str| {
        sent.iter().filter(|(own, sequence)| *own == subject && ledger.entries.contains_key(sequence)).count()
    };
    assert_eq!((out("wire.raw.slow.a"), out("wire.raw.new.a"), out("wire.raw.new.b")), (2, 5, 0));
    let throttled = worker.metric("copydesk_stories_total{outcome=\"throttled\"}");
    assert_eq!(
        throttled.filter(|count| *count > 0.0),
        None,
        "what waits for its input waits in the worker, or was never asked for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lane_of_an_input_goes_before_the_copy_and_behind_the_headers() {
    let world = World::start().await;
    let set = [
        "limits.stories_per_second=0.001",
        "limits.stories_burst=1",
        "inputs.main.subject=wire.raw.old.>",
        "inputs.main.lane=backfill",
        "inputs.new.subject=wire.raw.new.>",
        "inputs.new.durable=new",
    ];
    let worker = world.worker("worker", &set);
    ready(&world, &worker).await;
    let publish = async |subject: &str, header: Option<(&str, &str)>| {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value);
        }
        // The copy says that it is a flash.
        let flash = br#"{"id": "e-1", "urgency": 1, "text": "The gate is open, said the clerk."}"#;
        world.publish(subject, headers, flash).await;
    };
    let waiting = |lane: &str| worker.metric(&format!("copydesk_lane_waiting_stories{{lane=\"{lane}\"}}"));
    let lanes = async |expected: [f64; 3]| {
        world
            .until("the lanes", &worker, async |_| ["urgent", "routine", "backfill"].map(waiting) == expected.map(Some))
            .await;
    };
    publish("wire.raw.old.a", None).await;
    world.until("a record", &worker, async |world| world.count("WIRE_ENRICHED").await == 1).await;
    // Of two, one stands at the gate.
    publish("wire.raw.old.a", None).await;
    publish("wire.raw.old.a", None).await;
    lanes([0.0, 0.0, 1.0]).await;
    publish("wire.raw.old.a", Some((names::URGENCY, "1"))).await;
    lanes([1.0, 0.0, 1.0]).await;
    publish("wire.raw.old.a", Some((names::URGENCY, "6"))).await;
    publish("wire.raw.old.a", Some((names::LANE, "routine"))).await;
    lanes([1.0, 2.0, 1.0]).await;
    publish("wire.raw.new.a", None).await;
    lanes([2.0, 2.0, 1.0]).await;
    publish("wire.raw.new.a", Some((names::LANE, "backfill"))).await;
    lanes([2.0, 2.0, 2.0]).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn every_limit_holds_after_sighup_and_what_does_not_is_named() {
    let world = World::start().await;
    let file = world.folder.path().join("copydesk.toml");
    let hang_up = |worker: &Worker, text: &str| {
        fs::write(&file, text).expect("written");
        worker.signal("HUP");
    };
    fs::write(&file, "[limits]\nstory_bytes_max = 4000\nstory_deadline_ms = 3600000\n").expect("written");
    let worker = world.worker_with_file("worker", &["work.threads=4"], &file);
    ready(&world, &worker).await;
    let large = "The harbour stays shut, the clerk said. ".repeat(150);
    let endless = story(2) + "(failpoint: loop)";
    let reason = async |body: &str| {
        let sequence = world.publish("wire.raw.a", HeaderMap::new(), body.as_bytes()).await;
        world.until_done(&worker).await;
        let ledger = world.ledger().await;
        let entry = ledger.one(sequence);
        (entry.reason.clone(), entry.header(names::DETAIL).map(ToOwned::to_owned))
    };
    assert_eq!(reason(&large).await.0.as_deref(), Some("decode.too_large"));

    let changed =
        "[limits]\nstory_bytes_max = 20000\nstory_deadline_ms = 5000\nstories_per_second = 500.0\nfleet_count = 4\n";
    hang_up(&worker, &format!("{changed}[log]\nfilter = \"info,copydesk=debug\"\n"));
    let quota = async |_: &World| worker.metric("copydesk_quota_stories_per_second") == Some(125.0);
    world.until("the new quota", &worker, quota).await;
    world.until("its share", &worker, async |_| worker.metric("copydesk_fleet_share_ratio") == Some(0.25)).await;
    world.until("what needs a restart", &worker, async |_| worker.log().contains(r#""sections":"log""#)).await;
    assert_eq!(reason(&large).await.0, None);
    let (why, detail) = reason(&endless).await;
    assert_eq!(why.as_deref(), Some("read.deadline"));
    assert_eq!(detail.as_deref(), Some("reading took longer than 5000 ms"));

    // Sound as a whole, but the stream's part of it needs a restart, and without that the limit is wrong.
    hang_up(&worker, "[limits]\nstory_bytes_max = 900000\n[streams.input]\nmessage_bytes_max = 900000\n");
    world.until("the refusal", &worker, async |_| worker.log().contains("do not go with what needs a restart")).await;
    let why = async |_: &World| worker.log().contains("is above `streams.input.message_bytes_max`");
    world.until("its reason", &worker, why).await;
    assert_eq!(worker.metric("copydesk_quota_stories_per_second"), Some(125.0));
    assert_eq!(reason(&large.repeat(4)).await.0.as_deref(), Some("decode.too_large"));
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_begun_as_often_as_is_said() {
    let world = World::start().await;
    let quick = ["delivery.ack_wait_ms=1000", "delivery.pull_expires_ms=500"];
    let first = world.worker("first", &quick);
    ready(&world, &first).await;
    drop(first);
    let sequence = world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    // Begun once without a mark, once under its mark: two workers dead.
    for place in ["admitted:1", "marked:1"] {
        let mut doomed = world.doomed_worker("doomed", &quick, place);
        assert!(!doomed.ended().success());
    }
    let worker = world.worker("worker", &[quick[0], quick[1], "work.begun_max=1"]);
    world.until_done(&worker).await;
    assert_eq!(world.ledger().await.one(sequence).reason.as_deref(), Some("read.killed_worker"));
}

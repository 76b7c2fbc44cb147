//! The operator's commands against a real nats-server: `audit`, `dead`, `doctor`, `publish`; and what a worker tells.

#![cfg(feature = "service")]

#[path = "../support/mod.rs"]
mod support;

mod doctor;
mod letters;
mod metrics;
mod permissions;

use std::process::{Command, Output};

use async_nats::{HeaderMap, jetstream::stream};
use copydesk::{
    cli::server,
    service::{audit::Report, names},
};
use serde_json::Value;
use support::{Worker, World, story};

/// As the defaults have it: a deployment that the doctor finds well also on a busy machine.
const USUAL: [&str; 2] = ["delivery.ack_wait_ms=30000", "delivery.pull_expires_ms=5000"];
/// Comparisons soon, and time for each: one that meets a busy broker is passed over.
const COMPARING: [&str; 2] = ["ledger.check_every_ms=1000", "nats.request_timeout_ms=30000"];

async fn ready(world: &World, set: &[&str]) -> Worker {
    let worker = world.worker("worker", set);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    worker
}

/// A world whose streams a worker has made and left, with so many good stories read and one dead letter.
async fn world_with(stories: u64) -> World {
    let world = World::start().await;
    let mut worker = ready(&world, &USUAL).await;
    for number in 1..=stories {
        world.publish("wire.raw.test", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.publish("wire.raw.test", named("bad-1"), br#"{"text": broken"#).await;
    world.until_done(&worker).await;
    assert!(worker.stop().success());
    world
}

fn named(id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(names::MESSAGE_ID, id);
    headers.insert("X-Desk", "night");
    headers
}

/// Runs a command against the world's server.
fn copydesk(world: &World, arguments: &[&str]) -> Output {
    let url = format!("nats.urls={}", world.server.url());
    server::without_settings(&mut Command::new(env!("CARGO_BIN_EXE_copydesk")))
        .args(arguments)
        .args(["--set", &url, "--set", USUAL[0]])
        .output()
        .expect("it runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("killed: {}", text(output)))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

async fn audited(world: &World) -> Report {
    world.audit().await
}

/// Headers of a result for a story of the input stream.
async fn origin(world: &World, sequence: u64) -> HeaderMap {
    let message = world.stream("WIRE_RAW").await.get_raw_message(sequence).await.expect("a story");
    let origin = copydesk::service::flight::Origin {
        stream: "WIRE_RAW".to_owned(),
        sequence,
        stored_ns: i64::try_from(message.time.unix_timestamp_nanos()).expect("this century"),
    };
    names::origin_headers(&origin, message.subject.as_str(), 1, &format!("test:{sequence}:{}", fastrand::u64(..)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_sound_work_is_clean_and_every_fault_is_told() {
    let world = world_with(20).await;
    let clean = copydesk(&world, &["audit"]);
    assert_eq!(code(&clean), 0, "{}", text(&clean));
    assert!(text(&clean).contains("CLEAN") && text(&clean).contains("1..21  21 stories"), "{}", text(&clean));
    let report = audited(&world).await;
    assert_eq!((report.verdict.recorded, report.verdict.dead, report.verdict.stories), (20, 1, 21));

    // Not done yet is not lost.
    world.publish("wire.raw.test", HeaderMap::new(), b"It waits.").await;
    let waiting = copydesk(&world, &["audit", "--json"]);
    assert_eq!(code(&waiting), 0, "{}", text(&waiting));
    assert_eq!(json(&waiting)["waiting"]["ranges"], serde_json::json!([[22, 22]]));

    // A record is lost, another comes twice, a third stands for no story, a fourth says nothing.
    let output = world.stream("WIRE_ENRICHED").await;
    let lost = output.get_raw_message(5).await.expect("a record");
    let lost: u64 = lost.headers.get(names::SEQUENCE).expect("an origin").as_str().parse().expect("a number");
    output.delete_message(5).await.expect("deleted");
    let twice = if lost == 7 { 8 } else { 7 };
    world.publish("wire.enriched.x", origin(&world, twice).await, b"{}").await;
    let mut nobody = origin(&world, 3).await;
    nobody.insert(names::SEQUENCE, "4000");
    world.publish("wire.enriched.x", nobody, b"{}").await;
    world.publish("wire.enriched.x", HeaderMap::new(), b"{}").await;
    let found = copydesk(&world, &["audit"]);
    assert_eq!(code(&found), 1);
    let words = text(&found);
    for expected in [
        &format!("nothing stands for them: {lost}\n"),
        &format!("{twice}: record again"),
        "for story 4000: there is no such story",
        "does not say which story",
        "NOT CLEAN",
    ] {
        assert!(words.contains(expected), "{expected} is not in\n{words}");
    }
    let report = audited(&world).await.verdict;
    assert_eq!((report.lost(), report.duplicated.count, report.unexpected.count), (1, 1, 2));

    // A range without them is clean; the story that is lost says so.
    let (from, to) = if lost > 10 { (1, lost - 1) } else { (lost + 1, 20) };
    let part = copydesk(&world, &["audit", "--from", &from.to_string(), "--to", &to.to_string(), "--json"]);
    assert_eq!(
        (json(&part)["unaccounted"]["count"].as_u64(), json(&part)["stories"].as_u64()),
        (Some(0), Some(to + 1 - from))
    );
    let lost_one = copydesk(&world, &["audit", "--id", &lost.to_string()]);
    assert!(code(&lost_one) == 1 && text(&lost_one).contains("LOST"), "{}", text(&lost_one));

    // What was removed from the input, and results that were removed with their stream, are told apart.
    let input = world.stream("WIRE_RAW").await;
    input.delete_message(22).await.expect("deleted");
    world.stream("WIRE_ENRICHED").await.purge().await.expect("purged");
    let report = audited(&world).await.verdict;
    assert_eq!(report.out_of_reach.count, 20, "the records were purged: nobody can tell");
    assert_eq!((report.lost(), report.deleted.ranges), (0, vec![[22, 22]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_counts_messages_with_several_stories_and_what_waits_for_its_time() {
    let world = World::start().await;
    let set = [USUAL[0], USUAL[1], "embargo.mode=hold"];
    let worker = ready(&world, &set).await;
    let item = |n: u8| {
        format!(
            "<item><guid>g{n}</guid><title>Bridge {n} opens</title><description>The bridge {n} opened.</description></item>"
        )
    };
    let items = [item(1), item(2), item(3)].concat();
    let feed =
        format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Feed</title>{items}</channel></rss>");
    world.publish("wire.raw.feed", HeaderMap::new(), feed.as_bytes()).await;
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let held = serde_json::json!({"uri": "urn:desk:budget", "version": "1", "type": "text", "headline": "Budget",
        "embargoed": until, "body_text": "The budget grows by a tenth, the minister will say."});
    world.publish("wire.raw.a", HeaderMap::new(), held.to_string().as_bytes()).await;
    world.until_done(&worker).await;
    assert_eq!(world.count("WIRE_ENRICHED").await, 3, "{}", worker.log());
    let report = audited(&world).await.verdict;
    assert_eq!((report.stories, report.recorded, report.held, report.is_clean()), (2, 1, 1, true), "{report:?}");
    let shown = copydesk(&world, &["audit", "--id", "urn:desk:budget"]);
    assert!(code(&shown) == 0 && text(&shown).contains("HELD") && text(&shown).contains("until "), "{}", text(&shown));
    // One of the three is gone: the message is not accounted for.
    world.stream("WIRE_ENRICHED").await.delete_message(2).await.expect("deleted");
    assert_eq!(audited(&world).await.verdict.unaccounted.ranges, [[1, 1]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_found_wherever_it_is() {
    let world = world_with(3).await;
    let ninjs = |version: &str, usable: &str| {
        serde_json::json!({"uri": "urn:desk:ferry", "version": version, "type": "text", "headline": "Ferry aground",
            "pubstatus": usable, "body_text": "A ferry ran aground off Harbourtown on Tuesday, the coastguard said."})
        .to_string()
    };
    let mut worker = ready(&world, &USUAL).await;
    world.publish("wire.raw.a", HeaderMap::new(), ninjs("1", "usable").as_bytes()).await;
    world.until_done(&worker).await;
    world.publish("wire.raw.a", HeaderMap::new(), ninjs("2", "canceled").as_bytes()).await;
    world.until_done(&worker).await;
    assert!(worker.stop().success());
    let found = json(&copydesk(&world, &["audit", "--id", "urn:desk:ferry", "--json"]));
    let states: Vec<_> = found.as_array().expect("stories").iter().map(|story| &story["state"]).collect();
    assert_eq!(states, ["recorded", "recorded"], "{found}");
    assert_eq!(found[0]["lineage"]["is_killed"], true, "{found}");
    let words = text(&copydesk(&world, &["audit", "--id", "urn:desk:ferry"]));
    assert!(words.contains("killed") && words.contains("consumer  copydesk: done"), "{words}");
    // By the id that its sender gave the message: a dead letter and its reason.
    let dead = copydesk(&world, &["audit", "--id", "bad-1"]);
    assert!(code(&dead) == 0 && text(&dead).contains("decode.envelope"), "{}", text(&dead));
    // One that nobody has read yet is found by its body.
    world.publish("wire.raw.a", HeaderMap::new(), br#"{"id": "urn:desk:late", "text": "Later."}"#).await;
    let late = copydesk(&world, &["audit", "--id", "urn:desk:late"]);
    assert!(code(&late) == 0 && text(&late).contains("WAITING"), "{}", text(&late));
    let nobody = copydesk(&world, &["audit", "--id", "urn:desk:nobody"]);
    assert!(code(&nobody) == 1 && text(&nobody).contains("not found"), "{}", text(&nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_streams_or_broker_there_is_no_verdict() {
    let mut world = World::start().await;
    let missing = copydesk(&world, &["audit"]);
    assert!(code(&missing) == 69 && text(&missing).contains("there is no stream WIRE_RAW"), "{}", text(&missing));
    let base = stream::Config { discard: stream::DiscardPolicy::New, ..stream::Config::default() };
    for (name, subject) in
        [("WIRE_RAW", "wire.raw.>"), ("WIRE_ENRICHED", "wire.enriched.>"), ("WIRE_DEAD", "wire.dead.>")]
    {
        let config = stream::Config { name: name.into(), subjects: vec![subject.into()], ..base.clone() };
        world.broker.jetstream.create_stream(config).await.expect("created");
    }
    let empty = copydesk(&world, &["audit"]);
    assert!(code(&empty) == 0 && text(&empty).contains("no stories"), "{}", text(&empty));
    world.publish("wire.raw.a", HeaderMap::new(), b"A story.").await;
    let no_consumer = copydesk(&world, &["audit"]);
    assert!(code(&no_consumer) == 0 && text(&no_consumer).contains("does not exist"), "{}", text(&no_consumer));
    world.server.kill().expect("killed");
    let gone = copydesk(&world, &["audit"]);
    assert!(code(&gone) == 69 && text(&gone).contains("cannot reach the broker"), "{}", text(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_makes_a_load_of_several_sources_with_ids_of_its_own() {
    let world = World::start().await;
    ready(&world, &USUAL).await.stop();
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, envelope) = (folder.path().join("a.txt"), folder.path().join("b.json"));
    std::fs::write(&plain, story(1)).expect("written");
    std::fs::write(&envelope, r#"{"id": "urn:desk:1", "text": "All is well."}"#).expect("written");
    let files = [plain.to_str().expect("a path"), envelope.to_str().expect("a path")];
    let load = [
        "--count",
        "300",
        "--rate",
        "5000",
        "--burst",
        "100",
        "--mix",
        "wire.raw.ap=3",
        "--mix",
        "wire.raw.own",
        "--header",
        "Copydesk-Urgency:1",
        "--header",
        "Copydesk-Urgency:4=9",
        "--json",
    ];
    let sent = copydesk(&world, &[&["publish"], &files[..], &load].concat());
    assert_eq!(code(&sent), 0, "{}", text(&sent));
    let sent = json(&sent);
    assert_eq!((sent["stored"].as_u64(), sent["failed"].as_u64()), (Some(300), Some(0)));
    let of = |subject: &str| sent["by_subject"][subject].as_u64().unwrap_or(0);
    assert_eq!(of("wire.raw.ap") + of("wire.raw.own"), 300);
    assert!(of("wire.raw.ap") > of("wire.raw.own") * 2 && of("wire.raw.own") > 0, "{sent}");
    assert_eq!(world.count("WIRE_RAW").await, 300, "accepted is what stands");
    let (mut ids, mut urgent, mut bodies) = (std::collections::BTreeSet::new(), 0, std::collections::BTreeSet::new());
    for sequence in 1..=300 {
        let message = world.stream("WIRE_RAW").await.get_raw_message(sequence).await.expect("a story");
        ids.insert(message.headers.get(names::MESSAGE_ID).expect("an id").to_string());
        urgent += u32::from(message.headers.get(names::URGENCY).is_some_and(|urgency| urgency.as_str() == "1"));
        if let Ok(copy) = serde_json::from_slice::<Value>(&message.payload) {
            bodies.insert(copy["id"].to_string());
        }
    }
    assert_eq!((ids.len(), bodies.len()), (300, 150), "each has ids of its own");
    assert!((5..80).contains(&urgent), "{urgent} of 300 are urgent");
    for wrong in [&["--mix", "wire.raw.a=0"][..], &["--header", "nothing"], &["--count", "0", "--repeat", "2"]] {
        assert_ne!(code(&copydesk(&world, &[&["publish"], &files[..1], wrong].concat())), 0, "{wrong:?}");
    }
    // Without a stream nothing is accepted, and nothing is counted.
    world.broker.jetstream.delete_stream("WIRE_RAW").await.expect("deleted");
    let nowhere = copydesk(&world, &["publish", files[0], "--json"]);
    assert_eq!((code(&nowhere), json(&nowhere)["stored"].as_u64()), (1, Some(0)));
    let many = copydesk(&world, &["publish", files[0], "--repeat", "50"]);
    assert!(text(&many).lines().count() <= 3 && text(&many).contains("50  not stored"), "{}", text(&many));
}

/// A message whose headers are no text takes the connection of whoever is given it: the tools see it all
/// the same, and the running ledger costs no worker its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_headers_are_no_text_is_audited_as_any_other() {
    let world = World::start().await;
    // What is lost with the connection has to come again.
    let set = ["delivery.ack_wait_ms=2000", "delivery.pull_expires_ms=500", COMPARING[0], COMPARING[1]];
    let worker = ready(&world, &set).await;
    let checked = "copydesk_ledger_stories{verdict=\"checked\"}";
    world.until("a book", &worker, async |_| worker.metric(checked).is_some()).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    let block = b"NATS/1.0\r\nX-Desk: caf\xe9\r\n\r\n";
    let head = format!("CONNECT {{\"headers\":true,\"verbose\":false}}\r\nHPUB wire.raw.a {0} {0}\r\n", block.len());
    let address = world.server.url().replace("nats://", "");
    let mut raw = std::net::TcpStream::connect(address).expect("a port");
    let bytes = [head.as_bytes(), block, b"\r\nPING\r\n"].concat();
    std::io::Write::write_all(&mut raw, &bytes).expect("written");
    world.until("the message", &worker, async |world| world.count("WIRE_RAW").await == 2).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(3).as_bytes()).await;
    world.until_done(&worker).await;
    // A comparison that meets the loss of the connection is passed over.
    let passed_over = "copydesk_ledger_stories{verdict=\"skipped\"}";
    let looked_at = || worker.metric(checked).unwrap_or_default() + worker.metric(passed_over).unwrap_or_default();
    world.until("a comparison", &worker, async |_| looked_at() >= 3.0).await;
    let report = audited(&world).await.verdict;
    assert_eq!((report.stories, report.recorded, report.dead, report.is_clean()), (3, 2, 1, true), "{report:?}");
    let command = copydesk(&world, &["audit"]);
    assert!(code(&command) == 0 && text(&command).contains("dead letters           1"), "{}", text(&command));
}

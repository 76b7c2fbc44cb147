//! The operator's commands against a real nats-server: `audit`, `dead`, `doctor`, `publish`.

#![cfg(feature = "service")]

mod support;

use std::process::{Command, Output};

use async_nats::{HeaderMap, jetstream::stream};
use copydesk::{
    cli::server,
    service::{
        audit::{self, Question, Report},
        names,
    },
};
use serde_json::Value;
use support::{Worker, World, story};

const QUICK: [&str; 2] = ["delivery.ack_wait_ms=2000", "delivery.pull_expires_ms=500"];

async fn ready(world: &World, set: &[&str]) -> Worker {
    let worker = world.worker("worker", set);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    worker
}

/// A world whose streams a worker has made and left, with so many good stories read and one dead letter.
async fn world_with(stories: u64) -> World {
    let world = World::start().await;
    let mut worker = ready(&world, &QUICK).await;
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
        .args(["--set", &url, "--set", QUICK[0]])
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
    audit::audit(&world.broker, &world.config, Question::default()).await.expect("an audit")
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
    let set = [QUICK[0], QUICK[1], "embargo.mode=hold"];
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
    let mut worker = ready(&world, &QUICK).await;
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

/// A world with seven letters of four reasons, and no worker.
async fn world_with_letters() -> World {
    let world = World::start().await;
    let mut worker = ready(&world, &[QUICK[0], QUICK[1], "limits.story_bytes_max=4000"]).await;
    for number in 1..=3 {
        world.publish("wire.raw.ap.night", named(&format!("bad-{number}")), br#"{"text": broken"#).await;
    }
    world.publish("wire.raw.tass", HeaderMap::new(), b"").await;
    world.publish("wire.raw.tass", HeaderMap::new(), b"").await;
    world.publish("wire.raw.big", HeaderMap::new(), "The harbour word. ".repeat(400).as_bytes()).await;
    world.publish("wire.raw.big", HeaderMap::new(), b"\x00\x01\x02\x7f\x00\x05\x06\x07\x08\x00").await;
    world.until_done(&worker).await;
    assert!(worker.stop().success());
    assert_eq!(world.count("WIRE_DEAD").await, 7);
    world
}

/// The letters of a list, by reason.
fn listed(world: &World, filter: &[&str]) -> Vec<String> {
    let output = copydesk(world, &[&["dead", "list", "--json"], filter].concat());
    assert_eq!(code(&output), 0, "{}", text(&output));
    let reason = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["reason"].as_str().map(str::to_owned);
    let mut reasons: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().filter_map(reason).collect();
    reasons.sort();
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_by_filter_and_shown_with_their_bytes() {
    let world = world_with_letters().await;
    assert_eq!(listed(&world, &[]).len(), 7);
    assert_eq!(listed(&world, &["--reason", "decode.envelope"]), ["decode.envelope"; 3]);
    assert_eq!(listed(&world, &["--reason", "decode."]).len(), 7);
    assert_eq!(listed(&world, &["--source", "tass"]), ["decode.empty"; 2]);
    assert_eq!(listed(&world, &["--source", "wire.raw.big"]), ["decode.binary", "decode.too_large"]);
    assert_eq!(listed(&world, &["--text", "HARBOUR WORD"]), ["decode.too_large"]);
    assert_eq!(listed(&world, &["--text", "bad-2"]), ["decode.envelope"], "a header's value");
    assert_eq!(listed(&world, &["--older", "1h"]), Vec::<String>::new());
    assert_eq!(listed(&world, &["--newer", "1h", "--source", "ap", "--text", "broken"]).len(), 3);
    let people = text(&copydesk(&world, &["dead", "list", "--limit", "2"]));
    assert!(people.contains("7 dead letters, the newest 2 shown") && people.contains("decode.envelope 3"), "{people}");

    let large = copydesk(&world, &["dead", "list", "--reason", "decode.too_large", "--json"]);
    let letter = json(&large)["letter"].to_string();
    let raw = copydesk(&world, &["dead", "show", &letter, "--raw"]);
    assert_eq!(raw.stdout, "The harbour word. ".repeat(400).as_bytes(), "the story's own bytes");
    let shown = text(&copydesk(&world, &["dead", "show", &letter]));
    assert!(
        shown.contains("decode.too_large") && shown.contains("wire.raw.big") && shown.contains("harbour"),
        "{shown}"
    );
    let whole = json(&copydesk(&world, &["dead", "show", &letter, "--json"]));
    assert_eq!((whole["bytes"].as_u64(), whole["reason"].as_str()), (Some(7200), Some("decode.too_large")));
    assert_eq!(code(&copydesk(&world, &["dead", "show", "99"])), 1);
    // Nothing is done to letters that nobody chose.
    for refused in [
        &["dead", "replay"][..],
        &["dead", "discard"],
        &["dead", "discard", "--all"],
        &["dead", "discard", "--source", "ap"],
    ] {
        assert_eq!(code(&copydesk(&world, refused)), 1, "{refused:?}");
    }
    assert_eq!(code(&copydesk(&world, &["dead", "replay", "--older", "soon"])), 64);
    assert_eq!(world.count("WIRE_DEAD").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_each_story_in_once_with_its_headers_and_a_mark() {
    let world = world_with_letters().await;
    let dry = copydesk(&world, &["dead", "replay", "--all", "--dry-run"]);
    assert!(code(&dry) == 0 && text(&dry).contains("7 would be sent in again"), "{}", text(&dry));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (7, 7), "a dry run changes nothing");
    assert_eq!(bucket_keys(&world, "replay").await, 0);

    let replayed = copydesk(&world, &["dead", "replay", "--reason", "decode.too_large", "--reason", "decode.envelope"]);
    assert!(code(&replayed) == 0 && text(&replayed).contains("4 sent in again"), "{}", text(&replayed));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (3, 11));
    assert_eq!(bucket_keys(&world, "replay").await, 0, "the run came to its end");
    let input = world.stream("WIRE_RAW").await;
    let mut again = input.get_raw_message(8).await.expect("sent in again");
    for sequence in 9..=11 {
        let other = input.get_raw_message(sequence).await.expect("sent in again");
        let is_first = other.headers.get(names::REPLAY_OF).is_some_and(|of| of.as_str().starts_with("WIRE_RAW:1:"));
        again = if is_first { other } else { again };
    }
    let header = |name: &str| again.headers.get(name).map(async_nats::HeaderValue::as_str);
    assert_eq!(again.subject.as_str(), "wire.raw.ap.night");
    assert_eq!((header("X-Desk"), header(names::REPLAY)), (Some("night"), Some("1")));
    assert!(header(names::REPLAY_OF).is_some_and(|of| of.starts_with("WIRE_RAW:1:")));
    assert!(header(names::MESSAGE_ID).is_some_and(|id| id.starts_with("replay:")), "the old id does not act again");
    assert_eq!(
        header("Copydesk-Original-nats-msg-id"),
        Some("bad-1"),
        "in small letters: the server looks for the other"
    );

    // The fault is mended for one: it gives its record. The others come back, and say so.
    let mut worker = ready(&world, &QUICK).await;
    world.until_done(&worker).await;
    assert!(worker.stop().success());
    assert_eq!(world.count("WIRE_ENRICHED").await, 1, "with a higher limit the large one is read");
    assert_eq!(listed(&world, &["--reason", "decode.envelope"]).len(), 3);
    let report = audited(&world).await.verdict;
    assert_eq!((report.replayed, report.recorded, report.dead, report.is_clean()), (4, 1, 6, true), "{report:?}");
    let second = copydesk(&world, &["dead", "replay", "--text", "bad-1"]);
    assert_eq!(code(&second), 0, "{}", text(&second));
    let last = world.stream("WIRE_RAW").await.get_raw_message(12).await.expect("sent in again");
    assert_eq!(last.headers.get(names::REPLAY).map(async_nats::HeaderValue::as_str), Some("2"));
    let found = copydesk(&world, &["audit", "--id", "1", "--json"]);
    assert_eq!(json(&found)[0]["state"], "replayed");
}

/// How many keys of a kind the state bucket holds.
async fn bucket_keys(world: &World, kind: &str) -> usize {
    let keys = world.broker.jetstream.get_key_value("copydesk").await.expect("the bucket").keys().await.expect("keys");
    let all: Vec<String> = futures_util::TryStreamExt::try_collect(keys).await.expect("all");
    all.iter().filter(|key| key.starts_with(kind)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_loses_nothing_when_the_input_takes_nothing() {
    let world = world_with_letters().await;
    let config = world.stream("WIRE_RAW").await.cached_info().config.clone();
    let full = stream::Config { max_messages: 7, ..config.clone() };
    world.broker.jetstream.update_stream(full).await.expect("updated");
    let kept = copydesk(&world, &["dead", "replay", "--source", "tass", "--json"]);
    assert_eq!(code(&kept), 1);
    assert!(text(&kept).contains("maximum messages exceeded") && text(&kept).contains("\"kept\""), "{}", text(&kept));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (7, 7));
    world.broker.jetstream.update_stream(config).await.expect("updated");
    let sent = copydesk(&world, &["dead", "replay", "--source", "tass"]);
    assert!(code(&sent) == 0 && text(&sent).contains("2 sent in again"), "{}", text(&sent));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (5, 9));
    assert_eq!(bucket_keys(&world, "replay").await, 0);
    world.broker.jetstream.delete_stream("WIRE_RAW").await.expect("deleted");
    let nowhere = copydesk(&world, &["dead", "replay", "--all"]);
    assert_eq!((code(&nowhere), world.count("WIRE_DEAD").await), (1, 5), "{}", text(&nowhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn discarded_letters_leave_a_note_for_the_audit() {
    let world = world_with_letters().await;
    let dry = copydesk(&world, &["dead", "discard", "--source", "ap", "--dry-run"]);
    assert!(code(&dry) == 0 && text(&dry).contains("3 would be discarded"), "{}", text(&dry));
    assert_eq!((world.count("WIRE_DEAD").await, bucket_keys(&world, "discarded").await), (7, 0));
    let gone = copydesk(&world, &["dead", "discard", "--source", "ap", "--yes"]);
    assert!(code(&gone) == 0 && text(&gone).contains("3 discarded"), "{}", text(&gone));
    let one = copydesk(&world, &["dead", "discard", "4"]);
    assert!(code(&one) == 0 && text(&one).contains("1 discarded"), "named one by one: {}", text(&one));
    assert_eq!(world.count("WIRE_DEAD").await, 3);
    let report = audited(&world).await.verdict;
    assert_eq!((report.discarded, report.dead, report.is_clean()), (4, 3, true), "{report:?}");
    // What somebody purges by hand leaves none, and is told.
    world.stream("WIRE_DEAD").await.purge().await.expect("purged");
    assert_eq!(audited(&world).await.verdict.unaccounted.count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_story_of_several_is_sent_in_again_only_when_asked_for() {
    let world = World::start().await;
    let mut worker = ready(&world, &QUICK).await;
    let feed = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Feed</title>\
        <item><guid>a</guid><title>Bridge opens</title><description>It opened on Monday.</description></item>\
        <item><guid>b</guid></item><item><guid>c</guid></item></channel></rss>";
    world.publish("wire.raw.feed", HeaderMap::new(), feed.as_bytes()).await;
    world.until_done(&worker).await;
    assert!(worker.stop().success());
    let letters = world.count("WIRE_DEAD").await;
    assert!(letters > 1, "{}", worker.log());
    let refused = copydesk(&world, &["dead", "replay", "--all"]);
    assert!(code(&refused) == 1 && text(&refused).contains("--whole-messages"), "{}", text(&refused));
    let whole = copydesk(&world, &["dead", "replay", "--all", "--whole-messages"]);
    assert_eq!(code(&whole), 0, "{}", text(&whole));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (0, 2), "the message is sent in once");
    assert!(audited(&world).await.verdict.is_clean());
}

/// The command dies between the receipt and the removal: the next run removes what stands, and sends
/// the rest; each story is sent in once.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_or_discard_that_breaks_off_is_finished_by_the_next() {
    let world = world_with_letters().await;
    let doomed = |arguments: &[&str], place: &str| {
        let url = format!("nats.urls={}", world.server.url());
        let output = server::without_settings(&mut Command::new(env!("CARGO_BIN_EXE_copydesk")))
            .args(arguments)
            .args(["--set", &url])
            .env("FAILPOINT", place)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), None, "it was to die: {}", text(&output));
    };
    doomed(&["dead", "replay", "--source", "ap"], "replayed:2");
    let sent = world.count("WIRE_RAW").await - 7;
    assert!((2..=3).contains(&sent) && world.count("WIRE_DEAD").await == 7, "{sent} are in both");
    assert!(audited(&world).await.verdict.is_clean());
    // Another choice does not forget what is left of it.
    let other = copydesk(&world, &["dead", "replay", "--source", "tass"]);
    assert!(code(&other) == 0 && text(&other).contains("2 sent in again"), "{}", text(&other));
    assert_eq!(bucket_keys(&world, "replay").await, 1);
    let rest = copydesk(&world, &["dead", "replay", "--source", "ap"]);
    assert!(text(&rest).contains(&format!("{sent} had been sent in already")), "{}", text(&rest));
    assert_eq!((world.count("WIRE_DEAD").await, world.count("WIRE_RAW").await), (2, 12));
    assert_eq!(bucket_keys(&world, "replay").await, 0);

    doomed(&["dead", "discard", "--source", "big", "--yes"], "discard_noted:1");
    assert_eq!(world.count("WIRE_DEAD").await, 2, "noted, and still there");
    assert!(audited(&world).await.verdict.is_clean());
    let rest = copydesk(&world, &["dead", "discard", "--source", "big", "--yes"]);
    assert!(text(&rest).contains("2 discarded"), "{}", text(&rest));
    let report = audited(&world).await.verdict;
    assert_eq!((report.discarded, report.is_clean()), (2, true), "{report:?}");
}

/// The findings of the doctor by check, without those about this test's own server.
fn findings(world: &World, arguments: &[&str]) -> (i32, Vec<Value>) {
    let ignore = ["--ignore", "server", "--ignore", "server_faults", "--json"];
    let output = copydesk(world, &[&["doctor"], arguments, &ignore].concat());
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", text(&output))));
    (code(&output), found.collect())
}

/// One finding of a check, the worst.
fn finding<'a>(found: &'a [Value], check: &str) -> &'a Value {
    found.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("no {check} in {found:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_sound_deployment_well_and_names_what_is_not() {
    let world = World::start().await;
    let bare = copydesk(&world, &["doctor", "--ignore", "server_faults"]);
    assert!(code(&bare) == 1 && text(&bare).contains("FAILURE  stream WIRE_RAW"), "{}", text(&bare));

    let mut worker = ready(&world, &QUICK).await;
    for number in 1..=30 {
        world.publish("wire.raw.test", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until_done(&worker).await;
    let http = format!("http://{}", worker.http());
    let (status, well) = findings(&world, &["--worker", &http]);
    assert_eq!(status, 0, "{well:?}");
    assert!(well.iter().all(|one| one["severity"] == "well" || one["severity"] == "note"), "{well:?}");
    assert!(finding(&well, "ack_wait")["is"].as_str().is_some_and(|is| is.contains("a worker took")), "{well:?}");
    assert_eq!(finding(&well, "worker")["severity"], "well");
    assert_eq!(finding(&well, "fsync")["severity"], "note", "it cannot be seen without the monitoring");

    // More workers than the consumer lets open; a shorter window; a stream that nobody reads all of.
    let (status, many) = findings(&world, &["--worker", &http, "--workers", "50"]);
    assert_eq!((status, &finding(&many, "ack_pending")["severity"]), (1, &Value::from("warning")));
    assert!(finding(&many, "ack_pending")["mend"].as_str().is_some_and(|mend| mend.contains("--max-pending=51200")));
    let output = world.stream("WIRE_ENRICHED").await.cached_info().config.clone();
    let short = stream::Config { duplicate_window: std::time::Duration::from_secs(5), ..output };
    world.broker.jetstream.update_stream(short).await.expect("updated");
    let input = world.stream("WIRE_RAW").await.cached_info().config.clone();
    let aging = stream::Config { max_age: std::time::Duration::from_hours(2), ..input };
    world.broker.jetstream.update_stream(aging).await.expect("updated");
    assert!(worker.stop().success());
    world.publish("wire.raw.test", HeaderMap::new(), b"It waits.").await;
    let (status, bad) = findings(&world, &[]);
    assert_eq!(status, 1);
    for (check, severity, words) in [
        ("duplicate_window", "failure", "may come again"),
        ("waiting_pulls", "failure", "1 stories wait"),
        ("topology", "failure", "remembers message ids"),
    ] {
        let one = finding(&bad, check);
        assert_eq!(one["severity"], severity, "{one}");
        assert!(
            one["is"].as_str().is_some_and(|is| is.contains(words)) && one["why"] != "" && one["mend"] != "",
            "{one}"
        );
    }
    assert!(finding(&bad, "ack_wait")["is"].as_str().is_some_and(|is| is.contains("newest 30 records")), "{bad:?}");
    let people = text(&copydesk(&world, &["doctor"]));
    assert!(people.contains("mend nats stream edit WIRE_ENRICHED --dupe-window"), "{people}");
    let gone = copydesk(&world, &["doctor", "--worker", &http]);
    assert!(code(&gone) == 1 && text(&gone).contains("no answer from"), "{}", text(&gone));
    drop(worker);
    let mut world = world;
    world.server.kill().expect("killed");
    assert_eq!(code(&copydesk(&world, &["doctor"])), 69);
    assert_eq!(code(&copydesk(&world, &["doctor", "--monitor", "127.0.0.1:1"])), 69);
}

/// Takes a story from the workers' consumer and acknowledges it, as no worker would: nothing stands for it.
async fn acknowledge_without_a_record(world: &World) {
    let stream = world.stream("WIRE_RAW").await;
    let consumer: async_nats::jetstream::consumer::PullConsumer = stream.get_consumer("copydesk").await.expect("it");
    let mut messages = consumer.fetch().max_messages(1).messages().await.expect("asked");
    let message = futures_util::StreamExt::next(&mut messages).await.expect("one").expect("a story");
    message.double_ack().await.expect("acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_ledger_balances_and_tells_what_is_lost() {
    let world = World::start().await;
    let set = [QUICK[0], QUICK[1], "ledger.check_every_ms=1000"];
    let sum = |worker: &Worker, verdict: &str| {
        worker.metric(&format!("copydesk_ledger_stories{{verdict=\"{verdict}\"}}")).unwrap_or(-1.0) as i64
    };
    let mut first = ready(&world, &set).await;
    let second = world.worker("second", &set);
    world.until("a book", &first, async |_| sum(&first, "checked") == 0).await;
    for number in 1..=40 {
        let body = if number % 10 == 0 { r#"{"text": broken"#.to_owned() } else { story(number) };
        world.publish("wire.raw.test", HeaderMap::new(), body.as_bytes()).await;
    }
    world.until("a comparison", &first, async |_| sum(&first, "checked") == 40).await;
    world.until("the same from the other worker", &second, async |_| sum(&second, "checked") == 40).await;
    for verdict in ["unaccounted", "duplicated", "unexpected", "skipped"] {
        assert_eq!(sum(&first, verdict), 0, "{verdict}: {}", first.log());
    }
    assert!(first.metric("copydesk_ledger_age_seconds").is_some_and(|age| age < 60.0));
    assert!(first.stop().success());
    drop(second);

    // Nobody runs: one story is acknowledged and has no record, one has two, and one record is nobody's.
    let lost = world.publish("wire.raw.test", HeaderMap::new(), b"Lost.").await;
    acknowledge_without_a_record(&world).await;
    let twice = world.publish("wire.raw.test", HeaderMap::new(), b"Twice.").await;
    acknowledge_without_a_record(&world).await;
    for sequence in [twice, twice] {
        world.publish("wire.enriched.x", origin(&world, sequence).await, b"{}").await;
    }
    let mut nobody = origin(&world, twice).await;
    nobody.insert(names::SEQUENCE, "4000");
    world.publish("wire.enriched.x", nobody, b"{}").await;
    let third = ready(&world, &set).await;
    world.until("the loss", &third, async |_| sum(&third, "unaccounted") == 1).await;
    assert_eq!((sum(&third, "duplicated"), sum(&third, "unexpected"), sum(&third, "checked")), (1, 1, 42));
    assert!(third.log().contains("the ledger does not balance"), "{}", third.log());
    assert_eq!(audited(&world).await.verdict.unaccounted.ranges, [[lost, lost]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_makes_a_load_of_several_sources_with_ids_of_its_own() {
    let world = World::start().await;
    ready(&world, &QUICK).await.stop();
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

/// What a worker's user and an operator's user need, as docs/OPERATIONS.md has it.
const STREAMS: [&str; 4] = ["WIRE_RAW", "WIRE_ENRICHED", "WIRE_DEAD", "KV_copydesk"];

fn reading() -> Vec<String> {
    let each = |stream: &str| {
        ["CONSUMER.CREATE.{}", "CONSUMER.CREATE.{}.>", "CONSUMER.MSG.NEXT.{}.>"]
            .map(|subject| format!("$JS.API.{}", subject.replace("{}", stream)))
    };
    let mut all: Vec<String> = STREAMS.iter().flat_map(|stream| each(stream)).collect();
    all.push("$JS.API.STREAM.INFO.WIRE_HELD".to_owned());
    all
}

fn looking() -> Vec<String> {
    let each = |stream: &&str| {
        ["STREAM.INFO.{}", "STREAM.MSG.GET.{}", "CONSUMER.DELETE.{}.>"]
            .map(|subject| format!("$JS.API.{}", subject.replace("{}", stream)))
    };
    let mut all = reading();
    all.extend(STREAMS.iter().flat_map(each));
    all.extend(["$JS.API.CONSUMER.INFO.WIRE_RAW.*", "$JS.API.DIRECT.GET.KV_copydesk.>"].map(str::to_owned));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_of_the_guide_are_enough_for_the_operator_and_the_running_ledger() {
    let worker = [
        "$JS.API.INFO",
        "$JS.API.STREAM.CREATE.*",
        "$JS.API.CONSUMER.CREATE.WIRE_RAW.copydesk.>",
        "$JS.API.STREAM.INFO.WIRE_RAW",
        "$JS.API.STREAM.INFO.WIRE_ENRICHED",
        "$JS.API.STREAM.INFO.WIRE_DEAD",
        "$JS.API.CONSUMER.INFO.WIRE_RAW.copydesk",
        "$JS.API.CONSUMER.MSG.NEXT.WIRE_RAW.copydesk",
        "$JS.ACK.WIRE_RAW.copydesk.>",
        "wire.enriched.>",
        "wire.dead.>",
        "_copydesk.alive",
        "$JS.API.STREAM.INFO.KV_copydesk",
        "$JS.API.DIRECT.GET.KV_copydesk.>",
        "$KV.copydesk.>",
        "$JS.API.STREAM.MSG.GET.KV_copydesk",
        "$JS.API.STREAM.PURGE.KV_copydesk",
    ];
    // The running ledger reads no input.
    let own = reading().into_iter().filter(|subject| !subject.contains("WIRE_RAW") && !subject.contains("WIRE_HELD"));
    let mut worker: Vec<String> = worker.iter().map(|subject| (*subject).to_owned()).chain(own).collect();
    worker.push("$JS.API.STREAM.MSG.GET.WIRE_RAW".to_owned());
    let acting = [
        "$JS.API.STREAM.MSG.DELETE.WIRE_DEAD",
        "wire.raw.>",
        "$KV.copydesk.replay.>",
        "$JS.API.STREAM.PURGE.KV_copydesk",
        "$KV.copydesk.discarded.>",
    ];
    let acting: Vec<String> = acting.iter().map(|subject| (*subject).to_owned()).chain(looking()).collect();
    let user = |name: &str, publish: &[String]| {
        format!("{{user: {name}, password: x, permissions: {{publish: {publish:?}, subscribe: [\"_INBOX.>\"]}}}}")
    };
    let users = [user("desk", &worker), user("eyes", &looking()), user("hands", &acting)].join(", ");
    let folder = tempfile::tempdir().expect("a folder");
    let binary = server::find().expect("a nats-server");
    let extra = format!("authorization {{ users: [ {users} ] }}");
    let server = server::PrivateServer::start(&binary, &folder.path().join("nats"), &extra).expect("it starts");
    let run = |name: &str, arguments: &[&str]| {
        server::without_settings(&mut Command::new(env!("CARGO_BIN_EXE_copydesk")))
            .args(arguments)
            .args(["--set", &format!("nats.urls={}", server.url()), "--set", &format!("nats.user={name}")])
            .args(["--set", "nats.password=x", "--set", "http.listen=127.0.0.1:0"])
            .output()
            .expect("it runs")
    };
    let settings = ["nats.user=desk", "nats.password=x", "ledger.check_every_ms=1000"];
    let worker = Worker::start(&server.url(), folder.path(), "worker", &settings);
    let until = async |what: &str, holds: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while !holds() {
            assert!(began.elapsed() < support::PATIENCE, "{what} did not happen: {}", worker.log());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    until("readiness", &|| worker.get("/readyz").0 == 200).await;
    let checked = "copydesk_ledger_stories{verdict=\"checked\"}";
    until("a book", &|| worker.metric(checked).is_some()).await;
    for (name, body) in [("a.txt", "All is well, said the clerk."), ("b.json", r#"{"text": broken"#)] {
        let path = folder.path().join(name);
        std::fs::write(&path, body).expect("written");
        let sent = run("hands", &["publish", path.to_str().expect("a path")]);
        assert_eq!(code(&sent), 0, "{}", text(&sent));
    }
    until("a comparison", &|| worker.metric(checked) == Some(2.0)).await;
    assert_eq!(worker.metric("copydesk_broker_errors_total{kind=\"permission\"}"), Some(0.0), "{}", worker.log());
    for arguments in [&["audit"][..], &["audit", "--id", "2"], &["dead", "list"], &["dead", "show", "1"]] {
        let looked = run("eyes", arguments);
        assert!(code(&looked) == 0 && !text(&looked).contains("ermission"), "{arguments:?}: {}", text(&looked));
    }
    let doctor = run("eyes", &["doctor", "--ignore", "server_faults"]);
    assert!(code(&doctor) == 0 && !text(&doctor).contains("ermission"), "{}", text(&doctor));
    for arguments in [&["dead", "replay", "1"][..], &["dead", "discard", "--all", "--yes"]] {
        let done = run("hands", arguments);
        assert!(code(&done) == 0 && !text(&done).contains("ermission"), "{arguments:?}: {}", text(&done));
    }
    let refused = run("eyes", &["dead", "discard", "--all", "--yes"]);
    assert!(code(&refused) != 0 || text(&refused).contains("no such"), "{}", text(&refused));
}

/// A message whose headers are no text takes the connection of whoever is given it: the tools see it all
/// the same, and the running ledger costs no worker its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_headers_are_no_text_is_audited_as_any_other() {
    let world = World::start().await;
    let worker = ready(&world, &[QUICK[0], QUICK[1], "ledger.check_every_ms=1000"]).await;
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
    world.until("a comparison", &worker, async |_| worker.metric(checked) == Some(3.0)).await;
    let report = audited(&world).await.verdict;
    assert_eq!((report.stories, report.recorded, report.dead, report.is_clean()), (3, 2, 1, true), "{report:?}");
    let command = copydesk(&world, &["audit"]);
    assert!(code(&command) == 0 && text(&command).contains("dead letters           1"), "{}", text(&command));
}

//! `copydesk dead`: letters that are listed, shown, sent in again, discarded.

use std::process::Command;

use async_nats::{HeaderMap, jetstream::stream};
use copydesk::{cli::server, service::names};
use serde_json::Value;

use crate::{USUAL, audited, code, copydesk, json, named, ready, support::World, text};

/// A world with seven letters of four reasons, and no worker.
async fn world_with_letters() -> World {
    let world = World::start().await;
    let mut worker = ready(&world, &[USUAL[0], USUAL[1], "limits.story_bytes_max=4000"]).await;
    let large = "The harbour word. ".repeat(400);
    let broken = &br#"{"text": broken"#[..];
    let stories = [
        ("wire.raw.ap.night", named("bad-1"), broken),
        ("wire.raw.ap.night", named("bad-2"), broken),
        ("wire.raw.ap.night", named("bad-3"), broken),
        ("wire.raw.tass", HeaderMap::new(), b""),
        ("wire.raw.tass", HeaderMap::new(), b""),
        ("wire.raw.big", HeaderMap::new(), large.as_bytes()),
        ("wire.raw.big", HeaderMap::new(), b"\x00\x01\x02\x7f\x00\x05\x06\x07\x08\x00"),
    ];
    for (letters, (subject, headers, body)) in (1..).zip(stories) {
        world.publish(subject, headers, body).await;
        // One after the other: letters stand in the order in which they are ready.
        world.until("its letter", &worker, async |world| world.count("WIRE_DEAD").await == letters).await;
    }
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
    let mut worker = ready(&world, &USUAL).await;
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
    let gone = copydesk(&world, &["dead", "discard", "--source", "ap", "--yes", "--json"]);
    assert!(code(&gone) == 0 && text(&gone).contains("3 discarded"), "{}", text(&gone));
    let lines = String::from_utf8_lossy(&gone.stdout).into_owned();
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let expected = [1, 2, 3]
        .map(|sequence| serde_json::json!({"sequence": sequence, "reason": "decode.envelope", "outcome": "discarded"}));
    assert_eq!(told, expected, "a line for each letter, oldest first");
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
    let mut worker = ready(&world, &USUAL).await;
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
    // The last may have come in after it was counted.
    let already = (sent..=3).any(|sent| text(&rest).contains(&format!("{sent} had been sent in already")));
    assert!(already, "{}", text(&rest));
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

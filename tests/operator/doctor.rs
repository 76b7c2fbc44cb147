//! `copydesk doctor` against servers and workers that are well, and that are not.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        consumer::{PullConsumer, pull},
        stream,
    },
};
use serde_json::Value;

use crate::{
    USUAL, code, copydesk, ready,
    support::{PATIENCE, World, story},
    text,
};

/// Programs that a step may begin with.
const PROGRAMS: [&str; 6] = ["nats", "nats-server", "copydesk", "systemctl", "journalctl", "kill"];
/// The server's monitoring, on a port of its own.
const MONITORED: &str = "http: \"127.0.0.1:-1\"";

/// The findings of the doctor by check, without those about this test's own server. Each that is not well says why it
/// matters, and what to type.
fn findings(world: &World, arguments: &[&str]) -> (i32, Vec<Value>) {
    let ignore = ["--ignore", "server", "--ignore", "server_faults", "--json"];
    let output = copydesk(world, &[&["doctor"], arguments, &ignore].concat());
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", text(&output))));
    let found: Vec<Value> = found.collect();
    for one in found.iter().filter(|one| one["severity"] != "well") {
        assert!(one["why"].as_str().is_some_and(|why| !why.is_empty()), "{one}");
        let steps = one["mend"].as_array().unwrap_or_else(|| panic!("nothing mends {one}"));
        assert!(!steps.is_empty(), "{one}");
        for step in steps {
            let program = step["run"].as_str().and_then(|run| run.split(' ').next()).unwrap_or_default();
            assert!(PROGRAMS.contains(&program), "{step} is no command line, in {one}");
        }
    }
    (code(&output), found)
}

/// Looks again until the findings are as they are to be: a busy worker has no request open for a moment, and the server
/// knows late who has left.
fn until_found(
    world: &World,
    arguments: &[&str],
    what: &str,
    holds: impl Fn(i32, &[Value]) -> bool,
) -> (i32, Vec<Value>) {
    let began = std::time::Instant::now();
    loop {
        let (status, found) = findings(world, arguments);
        if holds(status, &found) {
            return (status, found);
        }
        assert!(began.elapsed() < PATIENCE, "{what} was not found: {status}, {found:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn says(found: &[Value], check: &str, words: &str) -> bool {
    found.iter().any(|one| one["check"] == check && one["is"].as_str().is_some_and(|is| is.contains(words)))
}

/// One finding of a check, the worst.
fn finding<'a>(found: &'a [Value], check: &str) -> &'a Value {
    found.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("no {check} in {found:?}"))
}

/// Fails unless a finding is so bad, says these words, and one of its steps is this edit or begins with this command.
fn expect(found: &[Value], check: &str, severity: &str, words: &str, step: &str) {
    let one = finding(found, check);
    assert_eq!(one["severity"], severity, "{one}");
    assert!(one["is"].as_str().is_some_and(|is| is.contains(words)), "{words} is not in {one}");
    let is_step =
        |found: &Value| found["edit"]["line"] == step || found["run"].as_str().is_some_and(|run| run.starts_with(step));
    let steps = one["mend"].as_array().cloned().unwrap_or_default();
    assert!(step.is_empty() || steps.iter().any(is_step), "{step} is not in {one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_sound_deployment_well_and_names_what_is_not() {
    let world = World::start().await;
    let bare = copydesk(&world, &["doctor", "--ignore", "server_faults"]);
    assert!(code(&bare) == 1 && text(&bare).contains("FAILURE  stream WIRE_RAW"), "{}", text(&bare));

    let mut worker = ready(&world, &USUAL).await;
    for number in 1..=30 {
        world.publish("wire.raw.test", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until_done(&worker).await;
    let http = format!("http://{}", worker.http());
    let (_, well) = until_found(&world, &["--worker", &http], "a sound deployment", |status, _| status == 0);
    assert!(well.iter().all(|one| one["severity"] == "well" || one["severity"] == "note"), "{well:?}");
    expect(&well, "ack_wait", "well", "a worker took", "");
    expect(&well, "worker", "well", "", "");
    expect(&well, "fsync", "note", "cannot be seen", "copydesk doctor --monitor");

    // More workers than the consumer lets open; then a shorter window, and stories that nobody asks for.
    let (status, many) = findings(&world, &["--worker", &http, "--workers", "50"]);
    assert_eq!(status, 1);
    let raise = "nats consumer edit WIRE_RAW copydesk --max-pending=51200";
    expect(&many, "ack_pending", "warning", "50 workers", raise);
    expect(&many, "ack_pending", "warning", "(as told)", "inputs.main.ack_pending_max = 51200");
    let output = world.stream("WIRE_ENRICHED").await.cached_info().config.clone();
    let short = stream::Config { duplicate_window: Duration::from_secs(5), ..output };
    world.broker.jetstream.update_stream(short).await.expect("updated");
    assert!(worker.stop().success());
    world.publish("wire.raw.test", HeaderMap::new(), b"It waits.").await;
    let (status, bad) =
        until_found(&world, &[], "nobody", |_, found| finding(found, "waiting_pulls")["severity"] == "failure");
    assert_eq!(status, 1);
    let widen = "nats stream edit WIRE_ENRICHED --dupe-window=3600s";
    expect(&bad, "duplicate_window", "failure", "may come again", widen);
    expect(&bad, "topology", "failure", "remembers message ids", widen);
    expect(&bad, "waiting_pulls", "failure", "1 stories wait", "systemctl start copydesk");
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

/// A server that writes after each message and has little room, and a stream that nobody reads all of.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_reads_the_servers_monitoring_and_sees_what_nobody_reads() {
    let world = World::start_storing("sync_interval: always\nmax_file_store: 4MB", MONITORED).await;
    let monitor = world.monitoring();
    let set = [USUAL[0], USUAL[1], "nats.client_name=desk", "inputs.main.subject=wire.raw.test"];
    let (mut first, mut second) = (ready(&world, &set).await, ready(&world, &set).await);
    let look = ["--monitor", &monitor, "--set", set[2], "--set", set[3]];
    let both = "2 workers (by the server's connections)";
    let (_, found) = until_found(&world, &look, both, |_, found| says(found, "ack_pending", both));
    expect(&found, "fsync", "well", "after each message", "");
    expect(&found, "ack_pending", "well", both, "");
    expect(&found, "storage", "well", "are used", "");
    expect(&found, "unread", "warning", "wire.raw.>", "inputs.main.subject = \"wire.raw.>\"");
    expect(&found, "unread", "warning", "", "nats consumer edit WIRE_RAW copydesk --filter='wire.raw.>'");
    assert!(found.iter().all(|one| one["severity"] != "failure"), "{found:?}");

    assert!(second.stop().success());
    let one = "1 workers (by the server's connections)";
    let (_, found) = until_found(&world, &look, one, |_, found| says(found, "ack_pending", one));
    expect(&found, "ack_pending", "well", one, "");
    assert!(first.stop().success());
    for _ in 0..6 {
        world.publish("wire.raw.other", HeaderMap::new(), &vec![b'a'; 600 * 1024]).await;
    }
    let is_full = async |world: &World| {
        let (_, found) = findings(world, &look);
        finding(&found, "storage")["severity"] != "well"
    };
    world.until("a store that is nearly full", &first, is_full).await;
    let nobody = "0 requests wait";
    let (status, found) = until_found(&world, &look, nobody, |_, found| says(found, "waiting_pulls", nobody));
    assert_eq!(status, 1);
    expect(&found, "storage", "warning", "% of 4194304 bytes", "max_file_store: 8388608");
    expect(&found, "waiting_pulls", "warning", nobody, "systemctl start copydesk");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_what_comes_again_what_is_noted_nowhere_and_what_grows_old() {
    let world = World::start_with(MONITORED).await;
    let monitor = world.monitoring();
    let mut worker = ready(&world, &USUAL).await;
    world.publish("wire.raw.test", HeaderMap::new(), br#"{"text": broken"#).await;
    for number in 2..=5 {
        world.publish("wire.raw.test", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until_done(&worker).await;
    let bucket = world.broker.jetstream.get_key_value("copydesk").await.expect("the bucket");
    let is_noted = async |_: &World| {
        let note = bucket.get("floor.copydesk").await.ok().flatten().unwrap_or_default();
        serde_json::from_slice::<Value>(&note).is_ok_and(|note| note["floor"] == 5)
    };
    world.until("a checkpoint", &worker, is_noted).await;
    assert!(worker.stop().success());
    let (_, found) = findings(&world, &["--monitor", &monitor]);
    expect(&found, "fsync", "warning", "one copy, written to the disk every 120 s", "sync_interval: always");
    expect(&found, "dead_letters", "note", "1 wait", "copydesk dead list");
    assert!(found.iter().all(|one| one["check"] != "checkpoint" && one["check"] != "redelivered"), "{found:?}");

    // Somebody takes a story and never says what became of it; and the place of the consumer is forgotten.
    bucket.delete("floor.copydesk").await.expect("deleted");
    let open = world.publish("wire.raw.test", HeaderMap::new(), b"Nobody ends this.").await;
    let consumer: PullConsumer = world.stream("WIRE_RAW").await.get_consumer("copydesk").await.expect("it");
    let comes_again = async |_: &World| {
        let Ok(mut messages) = consumer.fetch().max_messages(1).messages().await else { return false };
        match futures_util::StreamExt::next(&mut messages).await {
            Some(Ok(message)) => message.info().expect("its place").delivered > 1,
            _ => false,
        }
    };
    world.until("a second delivery", &worker, comes_again).await;
    let (status, found) = findings(&world, &[]);
    assert_eq!(status, 1);
    expect(&found, "redelivered", "note", "1 open stories", &format!("copydesk audit --id {open}"));
    expect(&found, "checkpoint", "warning", "noted nowhere", "systemctl restart copydesk");

    // Records that a consumer has not read, and a letter that nobody looked at, are past half of their time.
    let output = world.stream("WIRE_ENRICHED").await;
    let reader = pull::Config { durable_name: Some("archive".to_owned()), ..pull::Config::default() };
    output.create_consumer(reader).await.expect("a consumer");
    let dead = world.stream("WIRE_DEAD").await;
    let stored = dead.get_raw_message(1).await.expect("a letter").time.unix_timestamp_nanos();
    let age = || Duration::from_nanos((jiff::Timestamp::now().as_nanosecond() - stored) as u64);
    world.until("letters of some age", &worker, async |_| age() > Duration::from_secs(15)).await;
    let max_age = age().mul_f64(1.7);
    for stream in [output, dead] {
        let config = stream.cached_info().config.clone();
        let aging = stream::Config { max_age, duplicate_window: max_age, ..config };
        world.broker.jetstream.update_stream(aging).await.expect("updated");
    }
    let (_, found) = findings(&world, &[]);
    for (setting, words, step) in [
        ("WIRE_ENRICHED: max_age", "consumer archive has a record of", "nats stream edit WIRE_ENRICHED --max-age="),
        ("WIRE_DEAD: max_age", "the oldest letter is there since", "copydesk dead list --older "),
    ] {
        let one: Vec<Value> = found.iter().filter(|one| one["setting"] == setting).cloned().collect();
        assert!(one.len() == 1 && one[0]["severity"] != "well", "{found:?}");
        let severity = one[0]["severity"].as_str().unwrap_or_default().to_owned();
        expect(&one, "retention", &severity, words, step);
    }
}

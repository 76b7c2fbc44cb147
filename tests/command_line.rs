//! The commands as a person or a script runs them.

#![cfg(feature = "service")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use base64::Engine;
use serde_json::Value;
use support::World;

fn copydesk(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_copydesk"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("an input");
    let input = input.to_vec();
    // The command may end before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    feeder.join().expect("fed");
    output
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("fixtures").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn one_line_in_gives_one_line_out_in_order_with_errors_in_their_place() {
    let mut input = String::new();
    for number in 0..500 {
        let line = match number % 10 {
            3 => format!("{{\"id\": \"n{number}\", \"text\": 7}}"),
            7 => "{\"text\": broken".to_owned(),
            _ => serde_json::json!({"id": format!("n{number}"), "text": "Word. ".repeat(1 + number % 50)}).to_string(),
        };
        input.push_str(&line);
        input.push('\n');
    }
    let output = copydesk(&["extract", "--from", "ndjson", "--jobs", "4"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1), "some input could not be read");
    let lines = lines(&output);
    assert_eq!(lines.len(), 500);
    for (number, line) in lines.iter().enumerate() {
        match number % 10 {
            3 => {
                assert_eq!(
                    (line["id"].as_str(), line["error"]["line"].as_u64()),
                    (Some(format!("n{number}").as_str()), Some(number as u64 + 1))
                );
            }
            7 => assert_eq!(line["error"]["code"], "decode.envelope"),
            _ => assert_eq!(line["id"], format!("n{number}")),
        }
    }
    let one = copydesk(&["extract", "--from", "ndjson", "--jobs", "1"], input.as_bytes());
    assert_eq!(one.stdout, output.stdout, "the number of jobs changes nothing");
}

#[test]
fn every_fixture_is_read_and_all_forms_are_written() {
    let paths = fixtures();
    let names: Vec<&str> = paths.iter().map(|path| path.to_str().expect("a name")).collect();
    for to in ["record", "ndjson", "text"] {
        let output = copydesk(&[&["extract", "--to", to][..], &names].concat(), b"");
        assert!(output.status.success(), "{to}: {}", stderr(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        match to {
            "ndjson" => assert_eq!(text.lines().count(), names.len()),
            "record" => assert!(text.starts_with("{\n  \"schema\": \"copydesk/record/1\"")),
            _ => assert!(!text.contains('\u{1b}'), "no colours in a pipe"),
        }
    }
}

#[test]
fn exit_statuses_tell_usage_configuration_and_input_apart() {
    let code = |arguments: &[&str], input: &[u8]| copydesk(arguments, input).status.code();
    assert_eq!(code(&["extract", "--from", "plain"], b"All is well."), Some(0));
    assert_eq!(code(&["extract", "--from", "plain"], b""), Some(1));
    assert_eq!(code(&["extract", "/no/such/file"], b""), Some(1));
    assert_eq!(code(&["extract", "--colour"], b""), Some(64));
    assert_eq!(code(&["nonsense"], b""), Some(64));
    assert_eq!(code(&["--help"], b""), Some(0));
    assert_eq!(code(&["config", "check"], b""), Some(0));
    assert_eq!(code(&["config", "check", "--set", "limits.stories_burst=0"], b""), Some(78));
    assert_eq!(code(&["run", "--set", "limits.colour=1"], b""), Some(78));
    assert_eq!(code(&["config", "check", "--config", "/no/such/file"], b""), Some(78));
}

#[test]
fn a_reference_time_beside_the_input_is_taken() {
    let output = copydesk(&["extract", "--to", "ndjson", "--reference-time", "2024-01-25T12:00:00Z"], b"All is well.");
    let record = &lines(&output)[0];
    assert_eq!(record["reference_time"]["value"], "2024-01-25T12:00:00Z");
    assert_eq!(record["reference_time"]["basis"], "header");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_copydesk"))
        .args(["extract", "--from", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("an input");
    // Endless input: it must end because nobody reads, not because there is no more.
    let feeder = std::thread::spawn(move || {
        let line = format!("{}\n", serde_json::json!({"text": "Word. ".repeat(200)}));
        let mut written: u64 = 0;
        while stdin.write_all(line.as_bytes()).is_ok() {
            written += 1;
        }
        written
    });
    let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a first line");
    assert!(first.starts_with("{\"schema\""));
    drop(stdout);
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    let mut complaint = String::new();
    child.stderr.take().expect("errors").read_to_string(&mut complaint).expect("text");
    assert_eq!(complaint, "");
    feeder.join().expect("fed");
}

#[test]
fn the_published_schema_is_the_types_schema() {
    let output = copydesk(&["schema"], b"");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/record-1.json");
    let committed = std::fs::read_to_string(path).expect("the schema is committed");
    assert_eq!(
        String::from_utf8(output.stdout).expect("UTF-8"),
        committed,
        "the types have changed: look at the difference, then `copydesk schema > schema/record-1.json`"
    );
}

#[test]
fn config_show_prints_what_holds_and_no_secret() {
    let output = copydesk(
        &[
            "config",
            "show",
            "--set",
            "nats.token=s3cret",
            "--set",
            "limits.stories_burst=9",
            "--config",
            "config/default.toml",
        ],
        b"",
    );
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        shown.contains("stories_burst = 9") && shown.contains("[redacted]") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_sends_and_tail_shows() {
    let world = World::start().await;
    let url = format!("nats.urls={}", world.server.url());
    let worker = world.worker("worker", &[]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let paths = fixtures();
    let names: Vec<&str> = paths.iter().map(|path| path.to_str().expect("a name")).collect();
    let arguments = [&["publish", "--set", &url, "--subject", "wire.raw.files", "--once"][..], &names].concat();
    for (stored, repeats) in [(names.len(), 0), (0, names.len())] {
        let sent = copydesk(&arguments, b"");
        assert!(sent.status.success(), "{}", stderr(&sent));
        let summary = format!("{stored} stored, {repeats} repeats, 0 failed");
        assert!(stderr(&sent).contains(&summary), "{summary} is not in {}", stderr(&sent));
    }
    world.publish("wire.raw.files", async_nats::HeaderMap::new(), b"").await;
    world.until_done(&worker).await;
    let count = names.len().to_string();
    let json = copydesk(&["tail", "--set", &url, "--all", "--json", "-n", &count], b"");
    assert_eq!(lines(&json).len(), names.len());
    let text = copydesk(&["tail", "--set", &url, "--all", "-n", &count], b"");
    assert!(String::from_utf8_lossy(&text.stdout).contains("wire.enriched."));
    let dead = copydesk(&["tail", "--set", &url, "--all", "--dead", "-n", "1"], b"");
    assert!(String::from_utf8_lossy(&dead.stdout).starts_with("decode.empty"), "{}", stderr(&dead));
    let nobody = copydesk(&["publish", "--set", &url, "--subject", "nobody.listens", names[0]], b"");
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn the_demo_tells_the_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    let stories = folder.path().join("stories");
    std::fs::create_dir(&stories).expect("made");
    std::fs::write(stories.join("a.txt"), "GOODTOWN, March 3 (Example News) - All is well.\n").expect("written");
    let records = folder.path().join("records");
    let (stories_name, records_name) = (stories.to_str().expect("a name"), records.to_str().expect("a name"));
    let good = copydesk(&["demo", stories_name, "--records", records_name], b"");
    assert!(good.status.success(), "{}", stderr(&good));
    assert!(stderr(&good).contains("1 stories in, 1 records and 0 dead letters out; worker closed cleanly"));
    assert!(String::from_utf8_lossy(&good.stdout).contains("GOODTOWN"));
    assert_eq!(std::fs::read_dir(&records).expect("records").count(), 1);
    std::fs::write(stories.join("b.txt"), "").expect("written");
    let bad = copydesk(&["demo", stories_name, "--records", records_name], b"");
    assert_eq!(bad.status.code(), Some(1), "a dead letter is no success");
    assert!(String::from_utf8_lossy(&bad.stdout).contains("dead letter: decode.empty"));
}

#[test]
fn every_story_of_a_transmission_is_a_record_of_its_own() {
    let feed = "<rss><channel><title>G</title>\
        <item><guid>a</guid><title>One</title><description>The first gate opened.</description></item>\
        <item><guid>b</guid></item>\
        <item><guid>c</guid><title>Three</title><description>The third gate opened.</description></item>\
        </channel></rss>";
    let output = copydesk(&["extract", "--from", "rss", "--to", "ndjson"], feed.as_bytes());
    let lines = lines(&output);
    assert_eq!(output.status.code(), Some(1), "one of them cannot be read");
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str()).collect();
    assert_eq!(ids, [Some("a"), Some("b"), Some("c")]);
    assert_eq!(lines[1]["error"]["code"], "decode.empty");
    assert_eq!(lines[2]["lineage"]["state"], "current");
    let help = String::from_utf8_lossy(&copydesk(&["extract", "--help"], b"").stdout).into_owned();
    for (format, name) in copydesk::story::Format::NAMES {
        assert!(help.contains(name), "--from does not name {format:?}");
    }
}

#[test]
fn versions_are_followed_over_several_inputs() {
    let line = |version: u32, status: &str| {
        let item = serde_json::json!({"uri": "urn:x:1", "version": version, "type": "text", "pubstatus": status,
            "headline": "Pier", "body_text": format!("Version {version} of the pier.")});
        let data = base64::engine::general_purpose::STANDARD.encode(item.to_string());
        serde_json::json!({ "data": data }).to_string()
    };
    let input = [
        line(1, "usable"),
        line(3, "usable"),
        line(2, "usable"),
        line(3, "usable"),
        line(4, "canceled"),
        line(5, "usable"),
    ];
    let output = copydesk(&["extract", "--from", "ndjson", "--jobs", "3"], input.join("\n").as_bytes());
    let records = lines(&output);
    let states: Vec<_> = records.iter().map(|record| record["lineage"]["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["current", "current", "late", "current", "killed", "killed"], "{}", stderr(&output));
    assert_eq!(records[1]["lineage"]["supersedes"]["version"], 1);
    assert_eq!(records[3]["lineage"]["repeats"]["version"], 3);
    assert_eq!(records[4]["lineage"]["retracts"]["version"], 3);
}

/// What the published schema says is ninjs.
#[test]
fn ninjs_comes_out_as_the_schema_says() {
    let mut schema: Value = serde_json::from_str(include_str!("../data/ninjs/ninjs-schema_3.1.json")).expect("JSON");
    // GeoJSON has a schema of its own, elsewhere; none is written.
    let geometry = schema.pointer_mut("/$defs/ninjsType/properties/places/items/properties/geoJSON");
    *geometry.expect("the property") = serde_json::json!(false);
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    assert!(
        !validator.is_valid(&serde_json::json!({ "uri": "urn:x:1", "colour": "blue" })),
        "it refuses what it does not know"
    );
    assert!(!validator.is_valid(&serde_json::json!({ "uri": "urn:x:1", "version": 1 })));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    let mut paths = fixtures();
    paths.extend(std::fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("an entry").path()));
    let arguments: Vec<&str> =
        ["extract", "--to", "ninjs"].into_iter().chain(paths.iter().filter_map(|path| path.to_str())).collect();
    let output = copydesk(&arguments, b"");
    let items = lines(&output);
    let mut valid = 0;
    for item in items.iter().filter(|item| item.get("error").is_none()) {
        let errors: Vec<String> =
            validator.iter_errors(item).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?} in {item}");
        valid += 1;
    }
    assert!(valid >= paths.len() - 4, "{valid} items of {} files", paths.len());
}

#[test]
fn models_from_a_folder_take_the_place_of_those_built_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    let read = || copydesk(&["extract", "--models", &path, "--from", "plain"], b"Ada Lindqvist left Oslo.");
    let empty = read();
    assert!(!empty.status.success());
    assert!(stderr(&empty).contains("names.model"), "{}", stderr(&empty));
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/models");
    for name in ["grammar.model", "lemma.model", "names.model"] {
        let sound = std::fs::read(built_in.join(name)).expect("a model");
        let place = folder.path().join(name);
        let mut changed = sound.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        let cut = sound[..middle].to_vec();
        let foreign = b"%PDF-1.7".to_vec();
        for (bytes, complaint) in [(changed, "checksum"), (cut, "cut short"), (foreign, "not a copydesk model file")] {
            std::fs::write(&place, bytes).expect("written");
            let refused = read();
            assert!(!refused.status.success());
            assert!(stderr(&refused).contains(name) && stderr(&refused).contains(complaint), "{}", stderr(&refused));
        }
        std::fs::write(&place, sound).expect("written");
    }
    let with = read();
    assert!(with.status.success(), "{}", stderr(&with));
    let plain = copydesk(&["extract", "--from", "plain"], b"Ada Lindqvist left Oslo.");
    assert_eq!(String::from_utf8_lossy(&with.stdout), String::from_utf8_lossy(&plain.stdout));
}

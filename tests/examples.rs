//! The consumers under `examples/`, run against a real server and worker.

#![cfg(feature = "service")]

#[path = "../examples/consumer.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod consumer;
mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use async_nats::HeaderMap;
use serde_json::{Value, json};
use support::{World, story};

fn version(number: u32, status: &str) -> Vec<u8> {
    let text = format!("The pier of Eastmouth stays shut, its owner said in version {number} of the story.");
    json!({
        "uri": "urn:desk:pier", "version": number.to_string(), "type": "text", "pubstatus": status,
        "headline": "Pier shut", "body_text": text,
    })
    .to_string()
    .into_bytes()
}

/// Every file of a part of an archive.
fn files(archive: &Path, part: &str) -> BTreeMap<String, Value> {
    let entries = fs::read_dir(archive.join(part)).expect("a folder");
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
    entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("a name"), read(entry.path())))
        .collect()
}

/// What the archive knows of the pier.
fn pier(archive: &Path) -> Value {
    let stories = files(archive, "stories");
    stories.into_values().find(|story| story["key"] == "urn:desk:pier").expect("the pier")
}

/// Past the test harness, which keeps what a test that passes prints.
fn not_checked(why: &str) {
    writeln!(std::io::stderr(), "NOT CHECKED: examples/consumer.py ({why})").expect("written");
}

/// A Python with nats-py, made once under `target/`; `None`, and a word why, where there is none.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = folder.join("bin/python");
    let has_client =
        || Command::new(&python).args(["-c", "import nats"]).output().is_ok_and(|out| out.status.success());
    if has_client() {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    if !made.is_ok_and(|out| out.status.success()) {
        not_checked("no python3 that makes a virtual environment");
        return None;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "15", "nats-py"];
    let installed = Command::new(&python).args(pip).output();
    if !installed.is_ok_and(|out| out.status.success()) || !has_client() {
        not_checked("nats-py cannot be installed");
        return None;
    }
    Some(python)
}

fn run_python(python: &Path, url: &str, archive: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/consumer.py");
    let out = Command::new(python).arg(script).arg(url).arg(archive).arg("--once").output().expect("python runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_consumers_fold_versions_and_store_each_record_once() {
    let world = World::start().await;
    let worker = world.worker("worker", &["delivery.pull_expires_ms=500"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    for number in 1..=3 {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    for number in [2, 5, 1, 5, 3] {
        world.publish("wire.raw.a", HeaderMap::new(), &version(number, "usable")).await;
    }
    world.until_done(&worker).await;
    let (url, python) = (world.server.url(), python());
    let archives = [world.folder.path().join("rust"), world.folder.path().join("python")];
    consumer::consume(&url, &archives[0], "archive", true).await.expect("consumed");
    assert_eq!(files(&archives[0], "records").len(), 8);
    assert_eq!(
        (pier(&archives[0])["version"].as_u64(), pier(&archives[0])["killed"].as_bool()),
        (Some(5), Some(false))
    );
    if let Some(python) = &python {
        run_python(python, &url, &archives[1]);
        for part in ["records", "stories"] {
            assert_eq!(files(&archives[0], part), files(&archives[1], part), "{part}");
        }
    }
    world.publish("wire.raw.a", HeaderMap::new(), &version(6, "canceled")).await;
    world.until_done(&worker).await;
    // Its durable goes on where it was.
    consumer::consume(&url, &archives[0], "archive", true).await.expect("consumed");
    assert_eq!((files(&archives[0], "records").len(), pier(&archives[0])["killed"].as_bool()), (9, Some(true)));
    // Everything a second time changes nothing.
    let before = ["records", "stories"].map(|part| files(&archives[0], part));
    consumer::consume(&url, &archives[0], "archive-again", true).await.expect("consumed");
    assert_eq!(before, ["records", "stories"].map(|part| files(&archives[0], part)));
    if let Some(python) = &python {
        run_python(python, &url, &archives[1]);
        assert_eq!(before, ["records", "stories"].map(|part| files(&archives[1], part)));
    }
    let unacknowledged = world.stream("WIRE_ENRICHED").await.consumer_info("archive").await.expect("a consumer");
    assert_eq!((unacknowledged.num_pending, unacknowledged.num_ack_pending), (0, 0));
}

//! The permissions of docs/OPERATIONS.md are enough for the worker and for each of the operator's commands.

use std::process::Command;

use copydesk::cli::server;

use crate::{
    COMPARING, code,
    support::{self, Worker},
    text,
};

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
    let further =
        ["$JS.API.CONSUMER.INFO.WIRE_RAW.*", "$JS.API.CONSUMER.LIST.WIRE_ENRICHED", "$JS.API.DIRECT.GET.KV_copydesk.>"];
    all.extend(further.map(str::to_owned));
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
        "$JS.API.STREAM.INFO.WIRE_HELD",
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
    let root = "{user: root, password: x}".to_owned();
    let users = [user("desk", &worker), user("eyes", &looking()), user("hands", &acting), root].join(", ");
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
    let settings = ["nats.user=desk", "nats.password=x", COMPARING[0], COMPARING[1]];
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
    // A busy worker has no request open for a moment.
    let doctor = async |arguments: &[&str], words: &str| {
        let began = std::time::Instant::now();
        loop {
            let doctor = run("eyes", &[&["doctor", "--ignore", "server_faults"], arguments].concat());
            assert!(!text(&doctor).contains("ermission"), "{}", text(&doctor));
            if code(&doctor) == 0 && text(&doctor).contains(words) {
                break;
            }
            assert!(began.elapsed() < support::PATIENCE, "not well: {}", text(&doctor));
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    doctor(&[], "").await;
    // Where records are deleted by age, it looks at the consumers of the output stream too.
    let root = async_nats::ConnectOptions::with_user_and_password("root".to_owned(), "x".to_owned());
    let root = async_nats::jetstream::new(root.connect(server.url()).await.expect("a connection"));
    let mut output = root.get_stream("WIRE_ENRICHED").await.expect("the stream");
    let config = output.info().await.expect("its configuration").config.clone();
    let aging = async_nats::jetstream::stream::Config { max_age: std::time::Duration::from_hours(2), ..config };
    root.update_stream(aging).await.expect("updated");
    doctor(&["--ignore", "topology"], "no durable consumer").await;
    // Who may only look discards nothing, though there is a letter.
    let refused = run("eyes", &["dead", "discard", "--all", "--yes"]);
    assert_ne!(code(&refused), 0, "{}", text(&refused));
    for arguments in [&["dead", "replay", "1"][..], &["dead", "discard", "--all", "--yes"]] {
        let done = run("hands", arguments);
        assert!(code(&done) == 0 && !text(&done).contains("ermission"), "{arguments:?}: {}", text(&done));
    }
}

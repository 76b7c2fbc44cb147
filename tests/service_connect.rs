//! Every way to a broker, and every way to be refused, against a real nats-server.

#![cfg(feature = "service")]

mod support;

use std::path::Path;

use async_nats::jetstream;
use copydesk::cli::server::{self, PrivateServer};
use support::{PATIENCE, Worker, answered, story};

/// What a worker's user needs to create everything, as docs/OPERATIONS.md has it.
const PERMISSIONS: &str = r#"permissions: {
    publish: ["$JS.API.STREAM.INFO.WIRE_RAW", "$JS.API.STREAM.INFO.WIRE_ENRICHED", "$JS.API.STREAM.INFO.WIRE_DEAD",
              "$JS.API.STREAM.INFO.WIRE_HELD",
              "$JS.API.CONSUMER.INFO.WIRE_RAW.copydesk", "$JS.API.CONSUMER.MSG.NEXT.WIRE_RAW.copydesk",
              "$JS.ACK.WIRE_RAW.copydesk.>", "wire.enriched.>", "wire.dead.>", "_copydesk.alive",
              "$JS.API.STREAM.MSG.GET.WIRE_RAW",
              "$JS.API.STREAM.INFO.KV_copydesk", "$JS.API.DIRECT.GET.KV_copydesk.>", "$KV.copydesk.>",
              "$JS.API.STREAM.MSG.GET.KV_copydesk", "$JS.API.STREAM.PURGE.KV_copydesk", "$JS.API.INFO",
              "$JS.API.STREAM.CREATE.*", "$JS.API.CONSUMER.CREATE.WIRE_RAW.copydesk.>"]
    subscribe: ["_DESK.>"] }"#;

fn start(folder: &Path, extra: &str) -> PrivateServer {
    PrivateServer::start(&server::find().expect("a nats-server"), &folder.join("nats"), extra).expect("it starts")
}

fn until(what: &str, worker: &Worker, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen; the worker says:\n{}", worker.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn until_ready(worker: &Worker) {
    until("readiness", worker, || worker.get("/readyz").0 == 200);
}

/// A worker with these settings becomes ready and ends well.
fn connects(url: &str, folder: &Path, set: &[&str]) {
    let mut worker = Worker::start(url, folder, "worker", set);
    until_ready(&worker);
    assert!(worker.stop().success(), "{}", worker.log());
}

/// A worker with these settings is refused: it says so, counts it, is not ready, and goes on trying.
fn is_refused(url: &str, folder: &Path, set: &[&str], kind: &str, words: &str) -> Worker {
    let worker = Worker::start(url, folder, "refused", set);
    let counted = format!("copydesk_broker_errors_total{{kind=\"{kind}\"}}");
    until("the refusal", &worker, || worker.metric(&counted).is_some_and(|count| count >= 2.0));
    assert!(worker.log().contains("cannot connect to the broker"), "{}", worker.log());
    // Between two attempts it may have other words for a moment.
    until("its reason", &worker, || {
        let (status, body) = worker.get("/readyz");
        status == 503 && body.contains("the broker is not connected") && body.to_lowercase().contains(words)
    });
    assert!(worker.metric("copydesk_ready").is_none_or(|ready| ready < 1.0));
    worker
}

#[test]
fn passwords_tokens_and_keys() {
    let folder = tempfile::tempdir().expect("folder");
    let key = nkeys::KeyPair::new_user();
    let path = folder.path().join("user.nk");
    std::fs::write(&path, key.seed().expect("a seed")).expect("written");
    let users =
        format!("authorization {{ users: [ {{user: desk, password: right}}, {{nkey: {}}} ] }}", key.public_key());
    let server = start(folder.path(), &users);
    let (url, folder) = (server.url(), folder.path());
    connects(&url, folder, &["nats.user=desk", "nats.password=right"]);
    connects(&url, folder, &[&format!("nats.nkey_file={}", path.display())]);
    // Several addresses: the first is of nobody.
    connects(&url, folder, &[&format!("nats.urls=nats://127.0.0.1:1,{url}"), "nats.user=desk", "nats.password=right"]);
    drop(is_refused(&url, folder, &["nats.user=desk", "nats.password=wrong"], "login", "authorization violation"));
}

#[test]
fn a_token() {
    let folder = tempfile::tempdir().expect("folder");
    let server = start(folder.path(), "authorization { token: sesame }");
    connects(&server.url(), folder.path(), &["nats.token=sesame"]);
    drop(is_refused(&server.url(), folder.path(), &["nats.token=x"], "login", "authorization violation"));
}

/// The streams as somebody sees them who may do everything.
async fn all(server: &PrivateServer) -> jetstream::Context {
    let options = async_nats::ConnectOptions::with_user_and_password("all".into(), "all".into());
    let client = options.connect(server.url()).await.expect("connected");
    let mut jetstream = jetstream::new(client);
    jetstream.set_timeout(PATIENCE);
    jetstream
}

async fn publish(jetstream: &jetstream::Context, body: String) {
    let stored = jetstream.publish("wire.raw.a", body.into()).await.expect("published");
    stored.await.expect("stored");
}

/// Waits until a stream holds so many messages.
async fn until_count(jetstream: &jetstream::Context, stream: &str, count: u64, worker: &Worker) {
    let began = std::time::Instant::now();
    while !jetstream.get_stream(stream).await.is_ok_and(|stream| stream.cached_info().state.messages == count) {
        assert!(began.elapsed() < PATIENCE, "{count} on {stream} did not come; the worker says:\n{}", worker.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

const VIOLATIONS: &str = "copydesk_broker_errors_total{kind=\"permission\"}";

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_of_the_guide_are_enough() {
    let folder = tempfile::tempdir().expect("folder");
    let users = format!(
        "authorization {{ users: [ {{user: desk, password: right, {PERMISSIONS}}}, {{user: all, password: all}} ] }}"
    );
    let server = start(folder.path(), &users);
    let set = ["nats.user=desk", "nats.password=right", "nats.inbox_prefix=_DESK", "ledger.check_every_ms=0"];
    let mut worker = Worker::start(&server.url(), folder.path(), "worker", &set);
    until_ready(&worker);
    let jetstream = all(&server).await;
    publish(&jetstream, story(1)).await;
    publish(&jetstream, r#"{"text": broken"#.to_owned()).await;
    for stream in ["WIRE_ENRICHED", "WIRE_DEAD"] {
        until_count(&jetstream, stream, 1, &worker).await;
    }
    // Acknowledged, and noted where it stands.
    let raw = answered("the stream", async || jetstream.get_stream("WIRE_RAW").await).await;
    let began = std::time::Instant::now();
    while !raw.consumer_info("copydesk").await.is_ok_and(|info| info.ack_floor.stream_sequence == 2) {
        assert!(began.elapsed() < PATIENCE, "not acknowledged; the worker says:\n{}", worker.log());
    }
    let bucket = answered("the bucket", async || jetstream.get_key_value("copydesk").await).await;
    while !bucket.get("floor.copydesk").await.is_ok_and(|floor| floor.is_some()) {
        assert!(began.elapsed() < PATIENCE, "no checkpoint; the worker says:\n{}", worker.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(worker.metric(VIOLATIONS), Some(0.0), "{}", worker.log());
    assert!(worker.stop().success(), "{}", worker.log());
    // Without the inbox prefix no answer may come.
    let worker = Worker::start(&server.url(), folder.path(), "lacking", &set[..2]);
    until("the violation", &worker, || worker.metric(VIOLATIONS).is_some_and(|count| count >= 1.0));
    assert!(worker.log().contains("the account lacks a permission"), "{}", worker.log());
    until("its reason", &worker, || {
        let (status, body) = worker.get("/readyz");
        status == 503 && body.contains("Permissions Violation for Subscription")
    });
}

/// What it needs beside them with `embargo.mode = "hold"`.
const HOLDING: [&str; 7] = [
    "wire.held.>",
    "$JS.API.CONSUMER.CREATE.WIRE_HELD",
    "$JS.API.CONSUMER.CREATE.WIRE_HELD.>",
    "$JS.API.CONSUMER.MSG.NEXT.WIRE_HELD.>",
    "$JS.API.STREAM.MSG.GET.WIRE_HELD",
    "$JS.API.STREAM.MSG.DELETE.WIRE_HELD",
    "$JS.API.STREAM.MSG.GET.WIRE_RAW",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_of_holding_are_enough() {
    let folder = tempfile::tempdir().expect("folder");
    let more = HOLDING.map(|subject| format!("\"{subject}\", ")).concat();
    let permissions = PERMISSIONS.replacen("publish: [", &format!("publish: [{more}"), 1);
    let users = format!(
        "authorization {{ users: [ {{user: desk, password: right, {permissions}}}, {{user: all, password: all}} ] }}"
    );
    let server = start(folder.path(), &users);
    let set = ["nats.user=desk", "nats.password=right", "nats.inbox_prefix=_DESK", "embargo.mode=hold"];
    let worker = Worker::start(&server.url(), folder.path(), "worker", &set);
    until_ready(&worker);
    let jetstream = all(&server).await;
    // Long enough that it is held first, also on a busy machine.
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(15);
    let story = serde_json::json!({"uri": "urn:desk:budget", "version": "1", "type": "text", "headline": "Budget",
        "embargoed": until.to_string(), "body_text": "The budget grows by a tenth, the minister will say."});
    publish(&jetstream, story.to_string()).await;
    until_count(&jetstream, "WIRE_ENRICHED", 1, &worker).await;
    until_count(&jetstream, "WIRE_HELD", 0, &worker).await;
    let held = answered("the stream", async || jetstream.get_stream("WIRE_HELD").await).await;
    assert_eq!(held.cached_info().state.last_sequence, 1, "it was not held");
    assert_eq!(worker.metric(VIOLATIONS), Some(0.0), "{}", worker.log());
}

/// An authority with certificates of a server and a client, in PEM files.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    fn write(&self, folder: &Path, name: &str, is_expired: bool) {
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        if is_expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        std::fs::write(folder.join("ca.pem"), self.certificate.pem()).expect("written");
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
        std::fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).expect("written");
    }
}

fn tls(folder: &Path, extra: &str) -> String {
    let at = folder.display();
    format!(
        "tls {{ cert_file: \"{at}/server.pem\", key_file: \"{at}/server-key.pem\", ca_file: \"{at}/ca.pem\", {extra} }}"
    )
}

#[test]
fn tls_with_an_own_authority_a_client_certificate_and_tls_first() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    let authority = Authority::new();
    for name in ["server", "client"] {
        authority.write(folder, name, false);
    }
    let ca = format!("nats.tls.ca_file={}", folder.join("ca.pem").display());
    let certificate = format!("nats.tls.certificate_file={}", folder.join("client.pem").display());
    let key = format!("nats.tls.key_file={}", folder.join("client-key.pem").display());
    let server = start(folder, &tls(folder, "verify: true"));
    connects(&server.url(), folder, &[&ca, &certificate, &key, "nats.tls.required=true"]);
    // The system's authorities do not know ours.
    drop(is_refused(&server.url(), folder, &[&certificate, &key], "certificate", "certificate"));
    drop(server);
    let server = start(folder, &tls(folder, "handshake_first: true"));
    connects(&server.url(), folder, &[&ca, "nats.tls.first=true"]);
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let folder = tempfile::tempdir().expect("folder");
    let server = start(folder.path(), "");
    connects(&server.url(), folder.path(), &[]);
    drop(is_refused(&server.url(), folder.path(), &["nats.tls.required=true"], "certificate", "corrupt message"));
}

#[test]
fn a_worker_gets_on_when_an_expired_certificate_is_exchanged() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    let authority = Authority::new();
    authority.write(folder, "server", true);
    let mut server = start(folder, &tls(folder, ""));
    let ca = format!("nats.tls.ca_file={}", folder.join("ca.pem").display());
    let worker = is_refused(&server.url(), folder, &[&ca], "certificate", "expired");
    server.kill().expect("killed");
    authority.write(folder, "server", false);
    server.restart().expect("started");
    until_ready(&worker);
}

/// A server that stands still; its connections stay open.
#[test]
fn a_stopped_server_is_noticed_and_work_goes_on_when_it_comes_back() {
    let folder = tempfile::tempdir().expect("folder");
    let server = start(folder.path(), "");
    let begin = |name: &str, set: &[&str]| {
        let worker = Worker::start(&server.url(), folder.path(), name, set);
        until_ready(&worker);
        worker
    };
    // These two keep the connection, and differ in how long a silence they bear; the third gives it up.
    let keeps = "nats.ping_interval_ms=60000";
    let worker = begin("worker", &["http.silence_max_ms=3000", keeps]);
    let bears = begin("bears", &["http.silence_max_ms=600000", keeps]);
    let leaves = begin("leaves", &["nats.ping_interval_ms=1000"]);
    support::signal(server.pid(), "STOP");
    until("the obstacle", &worker, || worker.get("/readyz").1.contains("the broker has not answered for"));
    until("the gauge", &worker, || worker.metric("copydesk_broker_silence_seconds").is_some_and(|s| s > 3.0));
    let lost = "copydesk_broker_disconnects_total";
    until("the end of the connection", &leaves, || leaves.metric(lost).is_some_and(|count| count >= 1.0));
    assert!(!bears.get("/readyz").1.contains("has not answered"), "{}", bears.get("/readyz").1);
    support::signal(server.pid(), "CONT");
    for worker in [&worker, &bears, &leaves] {
        until_ready(worker);
    }
}

//! Accounts of the broker: credentials of operator mode, and streams that are elsewhere: behind a
//! leaf node under a domain of their own, or in another account that exports its API.

#![cfg(feature = "service")]

mod support;

use std::{
    fs,
    path::Path,
    time::{Instant, SystemTime},
};

use async_nats::ConnectOptions;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use copydesk::cli::server::{self, PrivateServer};
use nkeys::KeyPair;
use serde_json::{Value, json};
use support::{PATIENCE, Worker, answered, free_port, story};

fn start(folder: &Path, extra: &str) -> PrivateServer {
    PrivateServer::start(&server::find().expect("a nats-server"), folder, extra).expect("it starts")
}

fn until(what: &str, worker: &Worker, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen; the worker says:\n{}", worker.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn until_ready(worker: &Worker) {
    until("readiness", worker, || worker.get("/readyz").0 == 200);
}

/// What a NATS operator, account or user is allowed, signed by whoever stands above it.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs();
    let mut claims = json!({
        "jti": name, "iat": now, "iss": issuer.public_key(), "name": name, "sub": subject.public_key(),
    });
    claims["nats"] = nats;
    claims["nats"]["version"] = json!(2);
    let signed = format!("{}.{}", encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), encode(&claims));
    let signature = issuer.sign(signed.as_bytes()).expect("signed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An operator with an account for the streams.
struct Operator {
    key: KeyPair,
    account: KeyPair,
    system: KeyPair,
}

impl Operator {
    fn new() -> Self {
        Self { key: KeyPair::new_operator(), account: KeyPair::new_account(), system: KeyPair::new_account() }
    }

    /// What the server is told of it.
    fn config(&self) -> String {
        let without_end = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
            "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        });
        let mut system = without_end.clone();
        for name in ["mem_storage", "disk_storage", "streams", "consumer"] {
            system[name] = json!(0);
        }
        let account = |key: &KeyPair, name: &str, limits: Value| {
            jwt(&self.key, key, name, json!({"type": "account", "limits": limits}))
        };
        let own = json!({"type": "operator", "system_account": self.system.public_key()});
        format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{}: {}\n{}: {}\n}}",
            jwt(&self.key, &self.key, "operator", own),
            self.system.public_key(),
            self.account.public_key(),
            account(&self.account, "streams", without_end),
            self.system.public_key(),
            account(&self.system, "system", system),
        )
    }

    /// A credentials file as the tools write it, of a user whose rights that account has signed.
    fn write_credentials(path: &Path, account: &KeyPair) {
        let user = KeyPair::new_user();
        let rights = json!({"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1});
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt(account, &user, "desk", rights),
            user.seed().expect("a seed")
        );
        fs::write(path, text).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_an_operators_account_open_the_door_and_those_of_a_stranger_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let operator = Operator::new();
    let server = start(&folder.path().join("nats"), &operator.config());
    let path = folder.path().join("desk.creds");
    // An account that the operator does not know has signed these.
    Operator::write_credentials(&path, &KeyPair::new_account());
    let setting = format!("nats.credentials_file={}", path.display());
    let worker = Worker::start(&server.url(), folder.path(), "worker", &[&setting]);
    let refused = "copydesk_broker_errors_total{kind=\"login\"}";
    until("the refusal", &worker, || worker.metric(refused).is_some_and(|count| count >= 2.0));
    until("its reason", &worker, || worker.get("/readyz").1.to_lowercase().contains("authorization violation"));
    // The file is read again at every attempt.
    Operator::write_credentials(&path, &operator.account);
    until_ready(&worker);
    let options = ConnectOptions::with_credentials_file(&path).await.expect("credentials");
    let client = options.connect(server.url()).await.expect("connected");
    comes_out(&async_nats::jetstream::new(client), &worker).await;
}

/// A story that is published here comes out here.
async fn comes_out(jetstream: &async_nats::jetstream::Context, worker: &Worker) {
    let mut patient = jetstream.clone();
    patient.set_timeout(PATIENCE);
    let stored = patient.publish("wire.raw.a", story(1).into()).await.expect("published");
    stored.await.expect("stored");
    let began = Instant::now();
    let record = loop {
        if let Ok(stream) = jetstream.get_stream("WIRE_ENRICHED").await
            && let Ok(record) = stream.get_raw_message(1).await
        {
            break record;
        }
        assert!(began.elapsed() < PATIENCE, "nothing came out; the worker says:\n{}", worker.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(record.subject.as_str(), "wire.enriched.example-news");
    let header = |name: &str| record.headers.get(name).map(ToString::to_string);
    assert_eq!(header("Copydesk-Subject").as_deref(), Some("wire.raw.a"));
    // Acknowledged: nothing is left.
    let began = Instant::now();
    loop {
        if let Ok(raw) = jetstream.get_stream("WIRE_RAW").await
            && let Ok(info) = raw.consumer_info("copydesk").await
            && info.ack_floor.stream_sequence == 1
            && info.num_ack_pending == 0
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "not acknowledged; the worker says:\n{}", worker.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_behind_a_leaf_node_are_reached_by_their_domain() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let hub =
        start(&folder.path().join("hub"), &format!("server_name: hub\nleafnodes {{ listen: \"127.0.0.1:{port}\" }}"));
    let store = folder.path().join("leaf-store");
    let leaf = start(
        &folder.path().join("leaf"),
        &format!(
            "server_name: leaf\njetstream {{ store_dir: \"{}\", domain: far }}\n\
             leafnodes {{ remotes: [ {{ url: \"nats-leaf://127.0.0.1:{port}\" }} ] }}",
            store.display()
        ),
    );
    // The worker talks to the hub alone.
    let worker = Worker::start(&hub.url(), folder.path(), "worker", &["nats.jetstream_domain=far"]);
    until_ready(&worker);
    let at = async |server: &PrivateServer| {
        async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connected"))
    };
    comes_out(&at(&leaf).await, &worker).await;
    assert!(at(&hub).await.get_stream("WIRE_RAW").await.is_err(), "the hub has no such stream");
    let far = at(&leaf).await;
    answered("the state bucket is there too", async || far.get_key_value("copydesk").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_another_account_are_reached_by_the_prefix_of_its_api() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = ["INFO", "STREAM.>", "CONSUMER.>", "DIRECT.>"];
    let imports = parts.map(|part| {
        format!("{{ service: {{ account: STREAMS, subject: \"$JS.API.{part}\" }}, to: \"HUB.API.{part}\" }}")
    });
    let accounts = format!(
        r#"accounts {{
            STREAMS {{
                jetstream: enabled
                users: [ {{ user: streams, password: right }} ]
                exports: [
                    {{ service: "$JS.API.>", response_type: stream }}
                    {{ service: "$JS.ACK.WIRE_RAW.copydesk.>" }}
                    {{ service: "$KV.copydesk.>" }}
                    {{ service: "wire.enriched.>" }}
                    {{ service: "wire.dead.>" }}
                ]
            }}
            DESK {{
                users: [ {{ user: desk, password: right }} ]
                imports: [
                    {}
                    {{ service: {{ account: STREAMS, subject: "$KV.copydesk.>" }}, to: "HUB.API.$KV.copydesk.>" }}
                    {{ service: {{ account: STREAMS, subject: "$JS.ACK.WIRE_RAW.copydesk.>" }} }}
                    {{ service: {{ account: STREAMS, subject: "wire.enriched.>" }} }}
                    {{ service: {{ account: STREAMS, subject: "wire.dead.>" }} }}
                ]
            }}
        }}"#,
        imports.join("\n")
    );
    let server = start(&folder.path().join("nats"), &accounts);
    let set = ["nats.user=desk", "nats.password=right", "nats.api_prefix=HUB.API"];
    let worker = Worker::start(&server.url(), folder.path(), "worker", &set);
    until_ready(&worker);
    let options = ConnectOptions::with_user_and_password("streams".into(), "right".into());
    let client = options.connect(server.url()).await.expect("connected");
    comes_out(&async_nats::jetstream::new(client), &worker).await;
}

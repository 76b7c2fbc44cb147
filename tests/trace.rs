//! Spans as a collector gets them: OTLP over HTTP, on a port of the test's own.

#![cfg(feature = "otel")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use async_nats::HeaderMap;
use copydesk::service::names;
use support::{World, story};

/// The trace id of the message that comes with one, and the span that it names.
const TRACE: [u8; 16] = [0x4b; 16];
const PARENT: [u8; 8] = [0x5c; 8];

/// Bodies that a collector was sent.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<u8>>>);

impl Collected {
    fn holds(&self, bytes: &[u8]) -> bool {
        self.count(bytes) > 0
    }

    fn count(&self, bytes: &[u8]) -> usize {
        let all = self.0.lock().expect("the bodies");
        all.windows(bytes.len()).filter(|window| *window == bytes).count()
    }
}

/// Takes what is posted, one request a connection, and says that it is well.
fn collector() -> (String, Collected) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let collected = Collected::default();
    let bodies = collected.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
            let mut first = String::new();
            reader.read_line(&mut first).expect("a request");
            assert!(first.starts_with("POST /v1/traces "), "{first}");
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                let line = line.trim().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            bodies.0.lock().expect("the bodies").extend(body);
            let mut stream = stream;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("an answer");
        }
    });
    (format!("trace.endpoint=http://{address}/v1/traces"), collected)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Headers of a message that belongs to a trace.
fn traced() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(names::TRACE_PARENT, format!("00-{}-{}-01", hex(&TRACE), hex(&PARENT)));
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_span_of_a_story_within_the_trace_of_its_message() {
    let world = World::start().await;
    let (endpoint, collected) = collector();
    let mut worker = world.worker("worker", &[&endpoint, "trace.service_name=night-desk"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let sequence = world.publish("wire.raw.a", traced(), story(1).as_bytes()).await;
    world.until_done(&worker).await;
    // What is left is sent at the end.
    assert!(worker.stop().success(), "{}", worker.log());
    for part in [&TRACE[..], &PARENT, b"story.sequence", b"recorded", b"night-desk"] {
        assert!(collected.holds(part), "{:?} was not sent; the worker says:\n{}", part, worker.log());
    }
    // The record goes on in the same trace, from the span of the story.
    let ledger = world.ledger().await;
    let carried = ledger.one(sequence).header(names::TRACE_PARENT).expect("a trace");
    let fields: Vec<&str> = carried.split('-').collect();
    assert_eq!((fields[1], fields[3]), (hex(&TRACE).as_str(), "01"));
    assert_ne!(fields[2], hex(&PARENT), "the span of the message, not that of the story");
    let own = u64::from_str_radix(fields[2], 16).expect("hex").to_be_bytes();
    assert!(collected.holds(&own), "the span that the record names was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_stories_gets_a_span_where_the_message_does_not_say() {
    let world = World::start().await;
    // (share, spans of five stories without a trace and one within one)
    for (share, spans) in [("trace.sample_ratio=0", 1), ("trace.sample_ratio=1", 6)] {
        let (endpoint, collected) = collector();
        let mut worker = world.worker("worker", &[&endpoint, share]);
        world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
        for number in 1..=5 {
            world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
        }
        world.publish("wire.raw.a", traced(), story(6).as_bytes()).await;
        world.until_done(&worker).await;
        assert!(worker.stop().success(), "{}", worker.log());
        assert_eq!(collected.count(b"story.sequence"), spans, "with {share}");
    }
}

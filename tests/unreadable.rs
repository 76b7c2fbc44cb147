//! Messages whose headers are no text: they take the connection of whoever is given them.

#![cfg(feature = "service")]

mod support;

use async_nats::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use copydesk::service::names;
use support::{World, story};

/// Publishes a message with these bytes as headers, as a client would not let it pass.
async fn publish_raw(world: &World, block: &[u8], body: &str) {
    publish_to(world, b"wire.raw.a", block, body).await;
}

async fn publish_to(world: &World, subject: &[u8], block: &[u8], body: &str) {
    let address = world.server.url().replace("nats://", "");
    let mut raw = tokio::net::TcpStream::connect(address).await.expect("a port");
    let open = "CONNECT {\"headers\":true,\"verbose\":false}\r\n";
    let lengths = format!(" {} {}\r\n", block.len(), block.len() + body.len());
    let line = [open.as_bytes(), b"HPUB ", subject, lengths.as_bytes()].concat();
    let bytes = [line.as_slice(), block, body.as_bytes(), b"\r\nPING\r\n"].concat();
    tokio::io::AsyncWriteExt::write_all(&mut raw, &bytes).await.expect("written");
    // The answer to the ping says that the message was taken in.
    let mut heard = String::new();
    while !heard.contains("PONG") {
        let mut buffer = [0; 4096];
        let length = tokio::io::AsyncReadExt::read(&mut raw, &mut buffer).await.expect("an answer");
        assert!(length > 0, "the server has hung up: {heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_headers_are_no_text_becomes_a_dead_letter_and_stops_nobody() {
    let world = World::start().await;
    let set = ["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500"];
    let worker = world.worker("worker", &set);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let blocks: [&[u8]; 3] = [
        b"NATS/1.0\r\nX-Desk: caf\xe9\r\n\r\n",
        b"NATS/1.0\r\nX\rY: a\r\n\r\n",
        b"NATS/1.0\r\n set in\r\nX-Desk: a\r\n\r\n",
    ];
    let mut count = 0;
    for block in blocks {
        for _ in 0..5 {
            count += 1;
            world.publish("wire.raw.a", HeaderMap::new(), story(count).as_bytes()).await;
        }
        count += 1;
        publish_raw(&world, block, &story(count)).await;
    }
    // The same worker, without help: every story comes out once.
    world.until_done(&worker).await;
    let ledger = world.ledger().await;
    ledger.assert_each_once(count);
    for (sequence, block) in [(6, blocks[0]), (12, blocks[1]), (18, blocks[2])] {
        let entry = ledger.one(sequence);
        assert_eq!(entry.reason.as_deref(), Some("message.headers"));
        assert_eq!(entry.body, story(sequence).as_bytes(), "the original bytes are kept");
        let kept = entry.header(names::ORIGINAL_HEADERS).expect("the headers");
        assert_eq!(STANDARD.decode(kept).expect("Base64"), block);
        assert_eq!(entry.header(names::SUBJECT), Some("wire.raw.a"));
    }
    assert_eq!(ledger.dead(), 3);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
}

/// A consumer that is made again hands out again what was buried long ago.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_that_comes_again_is_ended_again() {
    let world = World::start().await;
    let worker = world.worker("worker", &["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    publish_raw(&world, b"NATS/1.0\r\nX-Desk: caf\xe9\r\n\r\n", &story(2)).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(3).as_bytes()).await;
    world.verdict(&worker, 3).await;
    let stream = world.stream("WIRE_RAW").await;
    let mut config = stream.consumer_info("copydesk").await.expect("the consumer").config;
    config.deliver_policy = async_nats::jetstream::consumer::DeliverPolicy::All;
    // A worker that is faster makes it again from its checkpoint.
    while stream.create_consumer_strict(config.clone()).await.is_err() {
        stream.delete_consumer("copydesk").await.expect("deleted");
    }
    world
        .until("everything again", &worker, async |world| {
            let info = world.stream("WIRE_RAW").await.consumer_info("copydesk").await;
            info.is_ok_and(|info| info.delivered.consumer_sequence >= 3 && info.num_ack_pending == 0)
        })
        .await;
    world.publish("wire.raw.a", HeaderMap::new(), story(4).as_bytes()).await;
    world.verdict(&worker, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_subject_is_no_text_becomes_a_dead_letter_and_stops_nobody() {
    let world = World::start().await;
    let set = ["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500"];
    let worker = world.worker("worker", &set);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    publish_to(&world, b"wire.raw.caf\xe9", b"NATS/1.0\r\nX-Desk: a\r\n\r\n", &story(2)).await;
    world.publish("wire.raw.a", HeaderMap::new(), story(3).as_bytes()).await;
    let ledger = world.verdict(&worker, 3).await;
    assert_eq!(ledger.one(2).reason.as_deref(), Some("message.subject"));
    assert_eq!(ledger.one(2).body, story(2).as_bytes());
    assert_eq!(ledger.dead(), 1);
}

/// The broker stores 64 KiB of headers, and a dead letter has more of them than its story.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_has_no_room_for_the_headers_of_its_story_goes_without() {
    let world = World::start().await;
    let worker = world.worker("worker", &["delivery.ack_wait_ms=1500", "delivery.pull_expires_ms=500"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let mut headers = HeaderMap::new();
    for number in 0..60 {
        headers.insert(format!("X-Desk-{number}"), "x".repeat(1060));
    }
    world.publish("wire.raw.a", headers.clone(), br#"{"text": broken"#).await;
    // What the client can read becomes a record, with no more headers than ours.
    headers.insert("tracestate", "a=".to_owned() + &"b".repeat(1000));
    world.publish("wire.raw.a", headers, story(2).as_bytes()).await;
    let unread = ["NATS/1.0\r\nno colon ", &"y".repeat(60_000), "\r\n\r\n"].concat();
    publish_raw(&world, unread.as_bytes(), &story(3)).await;
    let ledger = world.verdict(&worker, 3).await;
    assert_eq!(ledger.one(1).header(names::ORIGINALS_LEFT_OUT), Some("60"));
    assert_eq!(ledger.one(2).reason, None);
    assert_eq!(ledger.one(3).header(names::ORIGINALS_LEFT_OUT), Some("1"));
    assert_eq!(ledger.one(3).reason.as_deref(), Some("message.headers"));
}

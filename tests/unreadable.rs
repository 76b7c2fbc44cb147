//! Messages whose headers are no text: they take the connection of whoever is given them.

#![cfg(feature = "service")]

mod support;

use async_nats::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use copydesk::service::names;
use support::{World, story};

/// Publishes a message with these bytes as headers, as a client would not let it pass.
async fn publish_raw(world: &World, block: &[u8], body: &str) {
    let address = world.server.url().replace("nats://", "");
    let mut raw = tokio::net::TcpStream::connect(address).await.expect("a port");
    let open = "CONNECT {\"headers\":true,\"verbose\":false}\r\n";
    let line = format!("{open}HPUB wire.raw.a {} {}\r\n", block.len(), block.len() + body.len());
    let bytes = [line.as_bytes(), block, body.as_bytes(), b"\r\nPING\r\n"].concat();
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
    let blocks: [&[u8]; 2] = [b"NATS/1.0\r\nX-Desk: caf\xe9\r\n\r\n", b"NATS/1.0\r\nX\rY: a\r\n\r\n"];
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
    for (sequence, block) in [(6, blocks[0]), (12, blocks[1])] {
        let entry = ledger.one(sequence);
        assert_eq!(entry.reason.as_deref(), Some("message.headers"));
        assert_eq!(entry.body, story(sequence).as_bytes(), "the original bytes are kept");
        let kept = entry.header(names::ORIGINAL_HEADERS).expect("the headers");
        assert_eq!(STANDARD.decode(kept).expect("Base64"), block);
        assert_eq!(entry.header(names::SUBJECT), Some("wire.raw.a"));
    }
    assert_eq!(ledger.dead(), 2);
    assert_eq!(worker.get("/readyz").0, 200);
}

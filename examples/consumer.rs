//! A consumer of enriched records that may be killed at any moment and neither loses nor doubles one.
//!
//! ```text
//! cargo run --example consumer -- nats://127.0.0.1:4222 archive
//! ```
//!
//! It keeps two folders: `records/`, every record under its message id, and `stories/`, for every
//! story the newest of its versions, or the kill that ended it. `consumer.py` does the same.
//! What it shows is in `docs/DELIVERY.md`, "What consumers must do".

use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use async_nats::jetstream::{self, Message, consumer::pull};
use copydesk::decode::sha256_hex;
use futures_util::StreamExt;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let once = arguments.iter().any(|argument| argument == "--once");
    let mut places = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let url = places.next().map_or("nats://127.0.0.1:4222", String::as_str);
    let folder = places.next().map_or("archive", String::as_str);
    consume(url, Path::new(folder), "archive", once).await
}

/// Stores what comes, without end; with `once`, until nothing more has come for a second.
///
/// # Errors
/// The broker refuses, or the folder cannot be written. What was not stored is not acknowledged,
/// and comes again.
pub(crate) async fn consume(url: &str, folder: &Path, durable: &str, once: bool) -> anyhow::Result<()> {
    for part in ["records", "stories"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let client = async_nats::connect(url).await.context("cannot connect")?;
    let stream = jetstream::new(client).get_stream("WIRE_ENRICHED").await.context("no output stream")?;
    // The broker remembers by the durable's name how far we are; explicit acknowledgement is the default.
    let config = pull::Config {
        durable_name: Some(durable.to_owned()),
        ack_wait: Duration::from_secs(30),
        max_ack_pending: 1000,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(durable, config).await.context("no consumer")?;
    loop {
        let mut messages = consumer.batch().max_messages(100).expires(Duration::from_secs(1)).messages().await?;
        let mut count = 0;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| anyhow::anyhow!(error))?;
            store(folder, &message)?;
            // Only now: a record that is acknowledged first and then not stored is lost.
            message.ack().await.map_err(|error| anyhow::anyhow!(error))?;
            count += 1;
        }
        if once && count == 0 {
            return Ok(());
        }
    }
}

fn store(folder: &Path, message: &Message) -> anyhow::Result<()> {
    let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
    let message_id = header("Nats-Msg-Id").context("a record without a message id")?;
    let record_path = folder.join("records").join(format!("{}.json", sha256_hex(message_id.as_bytes())));
    if record_path.exists() {
        // The same record again: the broker promises at least once.
        return Ok(());
    }
    // A tree of values and no type of our own: fields that a later version adds are kept.
    let record: Value = serde_json::from_slice(&message.payload)?;
    let id = record.get("id").and_then(Value::as_str).unwrap_or(&message_id);
    let key = header("Copydesk-Lineage-Key").unwrap_or_else(|| id.to_owned());
    let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let arrived = json!({
        "key": key,
        "killed": header("Copydesk-Lineage-State").as_deref() == Some("killed"),
        "version": number(header("Copydesk-Lineage-Version")),
        // `stream:sequence:stored`: when the broker stored the story, in nanoseconds.
        "stored": number(message_id.split(':').nth(2).map(ToOwned::to_owned)),
        "message_id": message_id,
    });
    let story_path = folder.join("stories").join(format!("{}.json", sha256_hex(key.as_bytes())));
    let known: Option<Value> = fs::read(&story_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if known.is_none_or(|known| rank(&arrived) > rank(&known)) {
        write(&story_path, &serde_json::to_vec(&arrived)?)?;
    }
    // Last, because it says that the record is done with.
    write(&record_path, &message.payload)
}

/// A kill ends a story for good; before it the highest version counts, and then what was stored last.
fn rank(story: &Value) -> (bool, u64, u64) {
    let number = |name: &str| story.get(name).and_then(Value::as_u64).unwrap_or(0);
    (story.get("killed").and_then(Value::as_bool).unwrap_or(false), number("version"), number("stored"))
}

/// All of a file or nothing of it.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let half = path.with_extension("half");
    fs::write(&half, bytes)?;
    fs::rename(&half, path).with_context(|| format!("cannot write {}", path.display()))
}

//! `copydesk publish`: stories → a subject, every receipt awaited.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::service::{
    broker::{self, Broker, Receipt},
    names,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files to publish, one story each; of .ndjson and .jsonl files each line is a story
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Subject to publish to
    #[arg(long, default_value = "wire.raw.files")]
    subject: String,
    /// Stories a second; as fast as receipts come when left out
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Publish everything so many times
    #[arg(long, default_value_t = 1)]
    repeat: u64,
    /// Publications that wait for their receipt at once
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Give each story a message id made of its content, so that the stream refuses repeats
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let stories = read_all(&arguments.files)?;
    super::runtime()?.block_on(async {
        let broker = broker::connect(&config.nats).await?;
        broker::wait_connected(&broker, &CancellationToken::new()).await;
        let timeout = Duration::from_millis(config.delivery.publish_timeout_ms);
        let bar = bar(stories.len() as u64 * arguments.repeat);
        let sent = send(&broker, &stories, arguments, timeout, &bar).await;
        bar.finish_and_clear();
        anstream::eprintln!("{sent}");
        Ok(if sent.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// What became of the publications.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Stored.
    pub(super) stored: u64,
    /// Refused as repeats.
    pub(super) repeats: u64,
    /// Not known to be stored.
    pub(super) failed: u64,
    bytes: u64,
    seconds: f64,
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.stored as f64 / self.seconds.max(1e-9);
        write!(f, "{} stored, {} repeats, {} failed", self.stored, self.repeats, self.failed)?;
        write!(f, "; {} KiB in {:.2} s, {rate:.0} stories/s", self.bytes.div_ceil(1024), self.seconds)
    }
}

/// One file's stories.
pub(super) fn read_file(path: &std::path::Path) -> anyhow::Result<Vec<Bytes>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_lines = path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl");
    Ok(match is_lines {
        false => vec![bytes.into()],
        true => bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .map(Bytes::copy_from_slice)
            .collect(),
    })
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<Bytes>> {
    let mut stories = Vec::new();
    for path in files {
        stories.extend(read_file(path)?);
    }
    Ok(stories)
}

/// Publishes everything and waits for every receipt.
async fn send(broker: &Broker, stories: &[Bytes], arguments: &Arguments, timeout: Duration, bar: &ProgressBar) -> Sent {
    let began = Instant::now();
    let total = stories.len() as u64 * arguments.repeat;
    let receipts = stream::iter(0..total)
        .map(|index| async move {
            if let Some(rate) = arguments.rate {
                tokio::time::sleep_until(began + Duration::from_secs_f64(index as f64 / rate.max(1e-3))).await;
            }
            let story = &stories[(index % stories.len() as u64) as usize];
            let receipt = publish_one(broker, &arguments.subject, story, arguments.once, timeout).await;
            bar.inc(1);
            (receipt, story.len())
        })
        .buffer_unordered(arguments.in_flight.max(1));
    let mut sent = Sent::default();
    tokio::pin!(receipts);
    while let Some((receipt, bytes)) = receipts.next().await {
        sent.bytes += bytes as u64;
        match receipt {
            Receipt::Stored { duplicate: false } => sent.stored += 1,
            Receipt::Stored { duplicate: true } => sent.repeats += 1,
            Receipt::TooLarge(why) | Receipt::Again(why) => {
                sent.failed += 1;
                bar.suspend(|| anstream::eprintln!("copydesk: a story was not stored: {why}"));
            }
        }
    }
    sent.seconds = began.elapsed().as_secs_f64();
    sent
}

/// Publishes one story and waits for its receipt.
pub(super) async fn publish_one(
    broker: &Broker,
    subject: &str,
    story: &Bytes,
    once: bool,
    timeout: Duration,
) -> Receipt {
    let mut headers = HeaderMap::new();
    if once {
        headers.insert(names::MESSAGE_ID, crate::decode::sha256_hex(story));
    }
    broker::publish(&broker.client, subject, headers, story.clone(), timeout).await
}

fn bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} stories {per_sec} {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

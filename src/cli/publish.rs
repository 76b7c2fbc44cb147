//! `copydesk publish`: stories → subjects, every receipt awaited; at a rate, in bursts, from several sources.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::Settings;
use crate::service::{
    broker::{self, Broker, Receipt},
    names,
};

/// Publications that may wait for their receipt at once, whatever the burst.
const BURST_MAX: usize = 100_000;
/// Different reasons for failure that are told.
const REASONS_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "A load of three sources, 200 stories a second in bursts of 50, every tenth story urgent:\n  \
                        copydesk publish stories/*.txt --count 10000 --rate 200 --burst 50 --mix wire.raw.ap=6 \
                        --mix wire.raw.tass=3 --mix wire.raw.own --header Copydesk-Urgency:4=9 \
                        --header Copydesk-Urgency:1")]
pub(super) struct Arguments {
    /// Files to publish, one story each; of .ndjson and .jsonl files each line is a story
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Subject to publish to
    #[arg(long, default_value = "wire.raw.files")]
    subject: String,
    /// Subjects to publish to in this proportion; give it several times, in place of --subject
    #[arg(long, value_name = "SUBJECT[=WEIGHT]", conflicts_with = "subject")]
    mix: Vec<String>,
    /// A header; of several with one name each story has one, in this proportion
    #[arg(long, value_name = "NAME:VALUE[=WEIGHT]")]
    header: Vec<String>,
    /// Stories a second on the average; as fast as receipts come when left out
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Stories that are sent at once, before the pause that the rate asks for
    #[arg(long, value_name = "STORIES", default_value_t = 1, requires = "rate", value_parser = clap::value_parser!(u64).range(1..))]
    burst: u64,
    /// Publish everything so many times
    #[arg(long, default_value_t = 1, conflicts_with = "count")]
    repeat: u64,
    /// Publish so many stories in all, the files over and over. Each has a message id of its own, and a
    /// number after the `id` and `uri` of JSON copy, so that none is a version of another
    #[arg(long, value_name = "STORIES")]
    count: Option<u64>,
    /// Publications that wait for their receipt at once
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Give each story a message id made of its content, so that the stream refuses repeats
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// Another order of what is mixed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print what was stored as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let load = Load::new(arguments)?;
    super::runtime()?.block_on(async {
        let broker = super::connect(&config).await?;
        let timeout = Duration::from_millis(config.delivery.publish_timeout_ms);
        let bar = bar(load.total);
        let sent = send(&broker, &load, arguments, timeout, &bar).await;
        bar.finish_and_clear();
        match arguments.json {
            true => writeln!(std::io::stdout().lock(), "{}", sent.object())?,
            false => anstream::eprintln!("{sent}"),
        }
        Ok(if sent.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// What is published.
struct Load {
    stories: Vec<Bytes>,
    total: u64,
    subjects: Weighted,
    /// By name.
    headers: Vec<(String, Weighted)>,
    /// Begins the message ids, where each story has one of its own.
    run: Option<String>,
}

impl Load {
    fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let stories = read_all(&arguments.files)?;
        if stories.is_empty() {
            bail!("there is no story in these files");
        }
        let total = arguments.count.unwrap_or(stories.len() as u64 * arguments.repeat);
        let mut subjects = Weighted::default();
        for subject in &arguments.mix {
            subjects.add(subject)?;
        }
        if arguments.mix.is_empty() {
            subjects.values.push((arguments.subject.clone(), 1));
        }
        let mut headers: Vec<(String, Weighted)> = Vec::new();
        for header in &arguments.header {
            let (name, value) = header.split_once(':').with_context(|| format!("{header:?} is no NAME:VALUE"))?;
            let at = headers.iter().position(|(known, _)| known == name).unwrap_or(headers.len());
            if at == headers.len() {
                headers.push((name.to_owned(), Weighted::default()));
            }
            headers[at].1.add(value)?;
        }
        let run = arguments.count.map(|_| format!("publish:{:08x}{:08x}", fastrand::u32(..), fastrand::u32(..)));
        Ok(Self { stories, total, subjects, headers, run })
    }

    /// One publication.
    fn message(&self, index: u64, random: &mut fastrand::Rng, once: bool) -> Message {
        let story = &self.stories[(index % self.stories.len() as u64) as usize];
        let mut message =
            Message { subject: self.subjects.pick(random).to_owned(), headers: HeaderMap::new(), body: story.clone() };
        for (name, values) in &self.headers {
            message.headers.insert(name.as_str(), values.pick(random));
        }
        if once {
            message.headers.insert(names::MESSAGE_ID, crate::decode::sha256_hex(story));
        }
        if let Some(run) = &self.run {
            message.headers.insert(names::MESSAGE_ID, format!("{run}:{index}"));
            message.body = numbered(story, index).unwrap_or(message.body);
        }
        message
    }
}

struct Message {
    subject: String,
    headers: HeaderMap,
    body: Bytes,
}

/// JSON copy with a number after its ids; `None` for all other.
fn numbered(story: &Bytes, index: u64) -> Option<Bytes> {
    let mut copy: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(story).ok()?;
    let mut has_id = false;
    for name in ["id", "uri"] {
        if let Some(serde_json::Value::String(id)) = copy.get_mut(name) {
            *id = format!("{id}#{index}");
            has_id = true;
        }
    }
    has_id.then(|| serde_json::to_vec(&copy).ok().map(Bytes::from)).flatten()
}

/// Values, each with its part of the whole.
#[derive(Debug, Default)]
struct Weighted {
    values: Vec<(String, u32)>,
}

impl Weighted {
    /// `VALUE` or `VALUE=WEIGHT`.
    fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let (value, weight) = match text.rsplit_once('=') {
            None => (text, 1),
            Some((value, weight)) => (
                value,
                weight
                    .parse()
                    .ok()
                    .filter(|weight| *weight > 0)
                    .with_context(|| format!("{text:?} has no weight of 1 or more"))?,
            ),
        };
        if value.is_empty() {
            bail!("{text:?} is empty");
        }
        self.values.push((value.to_owned(), weight));
        Ok(())
    }

    fn pick(&self, random: &mut fastrand::Rng) -> &str {
        let all: u64 = self.values.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = if self.values.len() > 1 { random.u64(..all.max(1)) } else { 0 };
        for (value, weight) in &self.values {
            match left.checked_sub(u64::from(*weight)) {
                None => return value,
                Some(less) => left = less,
            }
        }
        self.values.last().map_or("", |(value, _)| value)
    }
}

/// What became of the publications.
#[derive(Debug, Default)]
struct Sent {
    /// Stored.
    stored: u64,
    /// Refused as repeats.
    repeats: u64,
    /// Not known to be stored.
    failed: u64,
    by_subject: BTreeMap<String, u64>,
    /// Why, and how often.
    reasons: BTreeMap<String, u64>,
    bytes: u64,
    seconds: f64,
}

impl Sent {
    fn object(&self) -> serde_json::Value {
        serde_json::json!({
            "stored": self.stored, "repeats": self.repeats, "failed": self.failed, "by_subject": self.by_subject,
            "reasons": self.reasons, "bytes": self.bytes, "seconds": self.seconds,
        })
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.stored as f64 / self.seconds.max(1e-9);
        if self.by_subject.len() > 1 {
            for (subject, stored) in &self.by_subject {
                writeln!(f, "{stored:>10}  {subject}")?;
            }
        }
        for (why, count) in &self.reasons {
            writeln!(f, "{count:>10}  not stored: {why}")?;
        }
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

/// When publications are due, and how many may wait for their receipt at once.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Stories a second on the average; as fast as it goes when there is none.
    rate: Option<f64>,
    /// Stories that are sent at once.
    burst: u64,
    in_flight: usize,
}

impl Pace {
    /// When a publication is due, counted from the first: bursts at once, with pauses that keep the rate.
    fn due(self, index: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let before = index / self.burst.max(1) * self.burst.max(1);
        Duration::try_from_secs_f64(before as f64 / rate.max(1e-3)).unwrap_or(Duration::MAX)
    }

    /// Does something so many times, each when it is due; gives what came of it, in whatever order.
    fn run<F: Future>(self, total: u64, mut act: impl FnMut(u64) -> F) -> impl Stream<Item = F::Output> {
        let began = Instant::now();
        // A burst is on its way as a whole.
        let burst = usize::try_from(self.burst).unwrap_or(BURST_MAX);
        stream::iter(0..total)
            .map(move |index| {
                let acting = act(index);
                async move {
                    if self.rate.is_some() {
                        tokio::time::sleep_until(began + self.due(index)).await;
                    }
                    acting.await
                }
            })
            .buffer_unordered(self.in_flight.max(burst).clamp(1, BURST_MAX))
    }
}

/// Publishes everything and waits for every receipt.
async fn send(broker: &Broker, load: &Load, arguments: &Arguments, timeout: Duration, bar: &ProgressBar) -> Sent {
    let began = Instant::now();
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let pace = Pace { rate: arguments.rate, burst: arguments.burst, in_flight: arguments.in_flight };
    let receipts = pace.run(load.total, |index| {
        let Message { subject, headers, body } = load.message(index, &mut random, arguments.once);
        async move {
            let bytes = body.len();
            let receipt = broker::publish(&broker.client, &subject, headers, body, timeout).await;
            bar.inc(1);
            (receipt, subject, bytes)
        }
    });
    let mut sent = Sent::default();
    tokio::pin!(receipts);
    while let Some((receipt, subject, bytes)) = receipts.next().await {
        sent.bytes += bytes as u64;
        match receipt {
            Receipt::Stored { duplicate: false } => {
                sent.stored += 1;
                *sent.by_subject.entry(subject).or_default() += 1;
            }
            Receipt::Stored { duplicate: true } => sent.repeats += 1,
            Receipt::TooLarge(why) | Receipt::Again(why) => {
                sent.failed += 1;
                // An outage has one reason and many stories: each reason is told once, and counted.
                if sent.reasons.len() < REASONS_MAX || sent.reasons.contains_key(&why) {
                    let count = sent.reasons.entry(why.clone()).or_default();
                    *count += 1;
                    if *count == 1 {
                        bar.suspend(|| anstream::eprintln!("copydesk: stories are not stored: {why}"));
                    }
                }
            }
        }
    }
    sent.seconds = began.elapsed().as_secs_f64();
    sent
}

/// Publishes one story and waits for its receipt.
pub(super) async fn publish_one(broker: &Broker, subject: &str, story: &Bytes, timeout: Duration) -> Receipt {
    broker::publish(&broker.client, subject, HeaderMap::new(), story.clone(), timeout).await
}

fn bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} stories {per_sec} {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_keep_the_rate_on_the_average() {
        let pace = |rate, burst| Pace { rate: Some(rate), burst, in_flight: 1 };
        let at = |index| pace(100.0, 50).due(index).as_millis();
        assert_eq!([at(0), at(49), at(50), at(99), at(100)], [0, 0, 500, 500, 1000]);
        assert_eq!(pace(100.0, 1).due(10).as_millis(), 100);
        assert_eq!(pace(1e-300, 1).due(u64::MAX), Duration::MAX);
        assert_eq!(Pace { rate: None, burst: 1, in_flight: 1 }.due(u64::MAX), Duration::ZERO);
    }

    /// When each publication begins, in seconds, where each waits for its receipt so long.
    async fn begun(pace: Pace, total: u64, receipt: Duration) -> Vec<(u64, u64)> {
        let began = Instant::now();
        let acting = |index| async move {
            let at = began.elapsed().as_secs();
            tokio::time::sleep(receipt).await;
            (at, index)
        };
        let mut all: Vec<_> = pace.run(total, acting).collect().await;
        all.sort_unstable();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_next_when_it_is_due() {
        let second = Duration::from_secs(1);
        let bursts = Pace { rate: Some(2.0), burst: 4, in_flight: 1 };
        let expected: Vec<_> = [0, 0, 0, 0, 2, 2, 2, 2, 4, 4].into_iter().zip(0..).collect();
        assert_eq!(begun(bursts, 10, second).await, expected, "though but one may wait, a burst does as a whole");
        let steady = Pace { burst: 1, in_flight: 8, ..bursts };
        let expected: Vec<_> = [0, 0, 1, 1, 2, 2].into_iter().zip(0..).collect();
        assert_eq!(begun(steady, 6, second).await, expected);
        let as_it_goes = Pace { rate: None, burst: 1, in_flight: 2 };
        let expected: Vec<_> = [0, 0, 1, 1, 2].into_iter().zip(0..).collect();
        assert_eq!(begun(as_it_goes, 5, second).await, expected, "so many at once, and the next behind each");
        let slow = Pace { rate: Some(1.0), burst: 2, in_flight: 2 };
        let expected: Vec<_> = [0, 0, 5, 5, 10, 10].into_iter().zip(0..).collect();
        assert_eq!(begun(slow, 6, second * 5).await, expected, "receipts that are late hold up what is due");
    }

    #[test]
    fn what_is_mixed_comes_in_its_proportion_and_in_the_same_order_each_time() {
        let mut weighted = Weighted::default();
        for text in ["a=6", "b=3", "c"] {
            weighted.add(text).expect("a weight");
        }
        let picks = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..10_000).map(|_| weighted.pick(&mut random).to_owned()).collect::<Vec<_>>()
        };
        let count = |value: &str| picks(1).iter().filter(|pick| *pick == value).count();
        assert!((5_700..6_300).contains(&count("a")) && (850..1_150).contains(&count("c")));
        assert_eq!(picks(1), picks(1));
        assert_ne!(picks(1), picks(2));
        for odd in ["a=0", "a=x", "=3", ""] {
            assert!(Weighted::default().add(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn json_copy_has_a_number_after_its_ids_and_other_copy_is_as_it_was() {
        let numbered = |text: &'static str| numbered(&Bytes::from_static(text.as_bytes()), 7);
        assert_eq!(numbered(r#"{"id":"a","text":"b"}"#).as_deref(), Some(&br#"{"id":"a#7","text":"b"}"#[..]));
        assert_eq!(numbered(r#"{"text":"b"}"#), None);
        assert_eq!(numbered("GOODTOWN (Example News) - All is well."), None);
    }
}

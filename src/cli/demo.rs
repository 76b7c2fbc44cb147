//! `copydesk demo`: the whole desk on one machine, in one command.
//!
//! A private nats-server, the real worker as a process of its own, sample stories through it,
//! and what came out. Everything that was started is stopped; the exit status tells the truth.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    publish,
    server::{self, PrivateServer},
    view,
};
use crate::{
    record::Record,
    service::{
        broker::{self, Broker, Receipt},
        config::{Config, Nats},
        names,
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of stories to send through
    #[arg(default_value = "tests/fixtures/stories")]
    stories: PathBuf,
    /// Where the records are written; a new folder in the system's temporary folder when left out
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
    /// Longest wait for everything to come out, in seconds
    #[arg(long, default_value_t = 60)]
    wait: u64,
    /// Width in columns
    #[arg(long, default_value_t = 100)]
    width: usize,
}

/// What came out for one story: a record, or a dead letter's reason.
enum Result {
    Record(Vec<u8>),
    Dead { reason: String, detail: String },
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stories = stories_in(&arguments.stories)?;
    let folder = tempdir("copydesk-demo")?;
    let records = arguments.records.clone().unwrap_or_else(|| folder.join("records"));
    let wait = Duration::from_secs(arguments.wait);
    let server = PrivateServer::start(&server::find()?, &folder.join("nats"), "")?;
    say(&format!("nats-server on {}", server.url()));
    let mut worker = Worker::start(&server.url(), &folder)?;
    let config = Config { nats: Nats { urls: vec![server.url()], ..Nats::default() }, ..Config::default() };
    let broker = broker::connect(&config.nats).await?;
    broker::wait_connected(&broker, &CancellationToken::new()).await;
    worker.wait_until_it_reads(&broker, &config, wait).await?;
    say(&format!("worker {} reads from {}", worker.child.id(), config.streams.input.name));
    let mut names_by_sequence = BTreeMap::new();
    for (index, (name, story)) in stories.iter().enumerate() {
        let receipt = publish::publish_one(&broker, "wire.raw.demo", story, wait).await;
        let Receipt::Stored { .. } = receipt else { bail!("{name} was not stored: {receipt:?}") };
        names_by_sequence.insert(index as u64 + 1, name.clone());
    }
    say(&format!("{} stories published to wire.raw.demo; waiting for every one", stories.len()));
    let results = tokio::time::timeout(wait, collect(&broker, &config, stories.len()))
        .await
        .map_err(|_| anyhow::anyhow!("not every story came out within {} s", wait.as_secs()));
    let stopped = worker.stop();
    let results = results??;
    let dead = print_all(&results, &names_by_sequence, arguments, &records)?;
    let clean = stopped?;
    drop(broker);
    drop(server);
    // Nothing but the records is worth keeping.
    let _ = fs::remove_dir_all(folder.join("nats"));
    say(&format!(
        "{} stories in, {} records and {dead} dead letters out; worker {}; records in {}",
        stories.len(),
        results.len() - dead,
        if clean { "closed cleanly" } else { "DID NOT close cleanly" },
        records.display()
    ));
    Ok(if clean && dead == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line of the demo's own, apart from the stories.
fn say(line: &str) {
    let style = anstyle::AnsiColor::Green.on_default();
    anstream::eprintln!("{style}demo{style:#}  {line}");
}

fn stories_in(folder: &Path) -> anyhow::Result<Vec<(String, bytes::Bytes)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read the stories in {}", folder.display()))?;
    let known = |path: &Path| {
        path.extension().is_some_and(|e| ["txt", "json", "ndjson", "jsonl"].iter().any(|known| e == *known))
            && !path.file_name().is_some_and(|n| {
                let name = n.to_string_lossy();
                name.ends_with(".gold.json") || name.ends_with(".record.json")
            })
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| known(p)).collect();
    paths.sort();
    let mut stories = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for story in publish::read_file(&path)? {
            stories.push((name.clone(), story));
        }
    }
    if stories.is_empty() {
        bail!("there is no story (.txt, .json, .ndjson) in {}", folder.display());
    }
    Ok(stories)
}

/// Reads both streams until every origin sequence has its result.
async fn collect(broker: &Broker, config: &Config, count: usize) -> anyhow::Result<BTreeMap<u64, Result>> {
    let mut results = BTreeMap::new();
    let mut streams = Vec::new();
    for name in [&config.streams.output.name, &config.streams.dead.name] {
        let stream = broker.jetstream.get_stream(name).await?;
        let policy = OrderedConfig { deliver_policy: DeliverPolicy::All, ..OrderedConfig::default() };
        streams.push(stream.create_consumer(policy).await?.messages().await?);
    }
    let mut messages = futures_util::stream::select_all(streams);
    while results.len() < count {
        let message = messages.next().await.context("the streams ended")??;
        let header = |name| message.headers.as_ref().and_then(|h| h.get(name)).map(ToString::to_string);
        let sequence = header(names::SEQUENCE).and_then(|s| s.parse().ok()).context("a message without origin")?;
        let result = match header(names::REASON) {
            Some(reason) => Result::Dead { reason, detail: header(names::DETAIL).unwrap_or_default() },
            None => Result::Record(message.payload.to_vec()),
        };
        if results.insert(sequence, result).is_some() {
            bail!("story {sequence} came out twice");
        }
    }
    Ok(results)
}

/// Prints every result and writes every record; gives the number of dead letters.
fn print_all(
    results: &BTreeMap<u64, Result>,
    names: &BTreeMap<u64, String>,
    arguments: &Arguments,
    folder: &Path,
) -> anyhow::Result<usize> {
    fs::create_dir_all(folder)?;
    let mut out = anstream::stdout().lock();
    let colour = !matches!(anstream::AutoStream::choice(&std::io::stdout()), anstream::ColorChoice::Never);
    let style = view::Style { width: arguments.width, colour };
    let mut dead = 0;
    for (sequence, result) in results {
        let name = names.get(sequence).map_or("?", String::as_str);
        writeln!(out, "\n{sequence}  {name}")?;
        match result {
            Result::Record(body) => {
                fs::write(folder.join(format!("{sequence:04}-{name}.record.json")), body)?;
                let record: Record = serde_json::from_slice(body).context("a record that is none")?;
                write!(out, "{}", view::render(&record, style))?;
            }
            Result::Dead { reason, detail } => {
                dead += 1;
                writeln!(out, "dead letter: {reason}: {detail}")?;
            }
        }
    }
    writeln!(out)?;
    Ok(dead)
}

/// The real worker, as a process of its own.
struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    fn start(url: &str, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("worker.log");
        let child = server::without_settings(&mut Command::new(std::env::current_exe()?))
            .args(["run", "--set", &format!("nats.urls={url}"), "--set", "http.listen=127.0.0.1:0"])
            .args(["--set", "log.format=json", "--set", "nats.client_name=copydesk-demo"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// It reads as soon as its consumer has a request waiting.
    async fn wait_until_it_reads(&mut self, broker: &Broker, config: &Config, wait: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let durable = config.inputs.0.values().next().map(|input| input.durable.clone()).unwrap_or_default();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the worker ended at once ({status}); its log is {}", self.log.display());
            }
            let reads = async {
                let stream = broker.jetstream.get_stream_no_info(&config.streams.input.name).await.ok()?;
                Some(stream.consumer_info(&durable).await.ok()?.num_waiting > 0)
            };
            if reads.await == Some(true) {
                return Ok(());
            }
            if began.elapsed() > wait {
                bail!("the worker does not read; its log is {}", self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop; whether it closed cleanly.
    fn stop(&mut self) -> anyhow::Result<bool> {
        // The shell's own `kill`: a signal needs no further dependency.
        Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status()?;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already unless something failed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new folder of our own in the system's temporary folder.
fn tempdir(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("{name}-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

//! A real nats-server and real worker processes for the service tests.
//!
//! Nothing here sleeps to wait: it asks for the thing itself until it is there, or fails with
//! the worker's log.

#![allow(unreachable_pub, reason = "a module shared by test binaries")]
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::missing_panics_doc, reason = "a test's failure is a panic")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{AckPolicy, pull},
    },
};
use copydesk::{
    cli::server::{self, PrivateServer},
    service::{
        audit::{self, Question},
        broker::{self, Broker},
        config::{Config, Nats},
        names,
    },
};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; generous, because a test machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A server with a connection of the test's own.
pub struct World {
    pub server: PrivateServer,
    pub broker: Broker,
    pub config: Config,
    pub folder: TempDir,
}

impl World {
    /// Starts a server.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server that writes down every line that it is sent.
    pub async fn telling() -> Self {
        Self::start_with("trace: true\ndebug: true").await
    }

    /// Starts a server with more in its configuration.
    pub async fn start_with(extra: &str) -> Self {
        Self::start_storing("", extra).await
    }

    /// The same, with `storage` added to the configuration of JetStream.
    pub async fn start_storing(storage: &str, extra: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = server::find().expect("a nats-server");
        let server = PrivateServer::start_storing(&binary, &folder.path().join("nats"), storage, extra);
        let server = server.expect("the server starts");
        let config = Config { nats: Nats { urls: vec![server.url()], ..Nats::default() }, ..Config::default() };
        let broker = broker::connect(&config.nats).await.expect("a connection");
        broker::wait_connected(&broker, &CancellationToken::new()).await;
        Self { server, broker, config, folder }
    }

    /// Where the server's monitoring answers, when it was started with an `http` port.
    pub fn monitoring(&self) -> String {
        let ports = format!("nats/nats-server_{}.ports", self.server.pid());
        let ports = fs::read(self.folder.path().join(ports)).expect("the server's ports");
        let ports: serde_json::Value = serde_json::from_slice(&ports).expect("JSON");
        ports["monitoring"][0].as_str().expect("it has no monitoring").to_owned()
    }

    /// Starts a worker with some settings of its own; `name` names its log.
    pub fn worker(&self, name: &str, set: &[&str]) -> Worker {
        Worker::start_with(&self.server.url(), self.folder.path(), name, set, |_| {})
    }

    /// A worker with a configuration file below its settings.
    pub fn worker_with_file(&self, name: &str, set: &[&str], file: &Path) -> Worker {
        Worker::start_with(&self.server.url(), self.folder.path(), name, set, |command| {
            command.arg("--config").arg(file);
        })
    }

    /// A worker that dies when it passes a place for the n-th time (`place:n`).
    pub fn doomed_worker(&self, name: &str, set: &[&str], place: &str) -> Worker {
        Worker::start_with(&self.server.url(), self.folder.path(), name, set, |command| {
            command.env("FAILPOINT", place);
        })
    }

    /// Publishes one message and gives its sequence.
    pub async fn publish(&self, subject: &str, headers: HeaderMap, body: &[u8]) -> u64 {
        let body = bytes::Bytes::copy_from_slice(body);
        let ack = self.broker.jetstream.publish_with_headers(subject.to_owned(), headers, body).await;
        ack.expect("published").await.expect("stored").sequence
    }

    pub async fn stream(&self, name: &str) -> jetstream::stream::Stream {
        self.broker.jetstream.get_stream(name).await.expect("the stream")
    }

    /// How many messages a stream holds.
    pub async fn count(&self, name: &str) -> u64 {
        match self.broker.jetstream.get_stream(name).await {
            Ok(stream) => stream.cached_info().state.messages,
            Err(_) => 0,
        }
    }

    /// Waits until something about the streams holds.
    pub async fn until(&self, what: &str, worker: &Worker, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self).await {
            assert!(began.elapsed() < PATIENCE, "{what} did not happen; the worker says:\n{}", worker.log());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits until the consumer has nothing left: nothing pending, nothing unacknowledged.
    pub async fn until_done(&self, worker: &Worker) {
        self.until("the end of all work", worker, async |world| {
            let Ok(stream) = world.broker.jetstream.get_stream("WIRE_RAW").await else { return false };
            let last = stream.cached_info().state.last_sequence;
            let info = stream.consumer_info("copydesk").await;
            info.is_ok_and(|info| {
                // What is pending may be counted a moment after a story has been accepted.
                let takes_all = matches!(info.config.filter_subject.as_str(), "" | "wire.raw.>")
                    && info.config.filter_subjects.is_empty();
                let knows_all = !takes_all || info.delivered.stream_sequence >= last;
                info.num_pending == 0 && info.num_ack_pending == 0 && knows_all
            })
        })
        .await;
    }

    /// [`World::verdict`] for an input stream that the audit cannot read, because a story's headers are no text.
    pub async fn verdict_without_audit(&self, worker: &Worker, published: u64) -> Ledger {
        self.until_done(worker).await;
        let stored = self.stream("WIRE_RAW").await.cached_info().state.last_sequence;
        assert_eq!(stored, published, "stories on the input stream");
        let ledger = self.ledger().await;
        ledger.assert_each_once(published);
        ledger
    }

    /// The ledger's verdict when all work is done: each of the stories that were published has exactly
    /// one end, and nothing else has come out.
    pub async fn verdict(&self, worker: &Worker, published: u64) -> Ledger {
        let ledger = self.verdict_without_audit(worker, published).await;
        // What `copydesk audit` says is the same.
        let report = audit::audit(&self.broker, &self.config, Question::default()).await.expect("an audit");
        assert!(report.verdict.is_clean(), "{:?}", report.verdict);
        ledger
    }

    /// Everything that stands on the output and dead-letter streams.
    pub async fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for name in ["WIRE_ENRICHED", "WIRE_DEAD"] {
            let stream = self.stream(name).await;
            let count = stream.cached_info().state.messages as usize;
            let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
            let consumer = stream.create_consumer(config).await.expect("a consumer");
            let (mut read, began) = (0, Instant::now());
            while read < count {
                assert!(began.elapsed() < PATIENCE, "{read} of {count} messages of {name} could be read");
                // Few at a time, each asked for: a consumer that is pushed to may stand still behind large messages.
                let mut batch = consumer.fetch().max_messages(64).messages().await.expect("a batch");
                while let Some(message) = batch.next().await {
                    read += 1;
                    let message = message.expect("a message").message.clone();
                    let headers = message.headers.clone().unwrap_or_default();
                    let header = |name| headers.get(name).map(ToString::to_string);
                    let sequence: u64 =
                        header(names::SEQUENCE).and_then(|s| s.parse().ok()).expect("an origin sequence");
                    let entry = Entry {
                        subject: message.subject.to_string(),
                        reason: header(names::REASON),
                        headers: headers.clone(),
                        body: message.payload.to_vec(),
                    };
                    ledger.entries.entry(sequence).or_default().push(entry);
                }
            }
        }
        ledger
    }
}

/// What came out, by origin sequence.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: BTreeMap<u64, Vec<Entry>>,
}

#[derive(Debug)]
pub struct Entry {
    pub subject: String,
    pub reason: Option<String>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Entry {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

impl Ledger {
    /// Fails unless each of the first `count` sequences has exactly one entry, and no other has.
    pub fn assert_each_once(&self, count: u64) {
        let missing: Vec<u64> = (1..=count).filter(|sequence| !self.entries.contains_key(sequence)).collect();
        let double: Vec<_> = self.entries.iter().filter(|(_, e)| e.len() != 1).map(|(s, e)| (s, e.len())).collect();
        let unexpected: Vec<_> = self.entries.keys().filter(|sequence| **sequence > count).collect();
        assert!(
            missing.is_empty() && double.is_empty() && unexpected.is_empty(),
            "missing {missing:?}, more than once {double:?}, unexpected {unexpected:?}"
        );
    }

    pub fn one(&self, sequence: u64) -> &Entry {
        let entries = self.entries.get(&sequence).unwrap_or_else(|| panic!("nothing came out for {sequence}"));
        assert_eq!(entries.len(), 1, "more than one came out for {sequence}");
        &entries[0]
    }

    pub fn dead(&self) -> usize {
        self.entries.values().flatten().filter(|entry| entry.reason.is_some()).count()
    }
}

/// A worker process; killed when dropped.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    pub fn start(url: &str, folder: &Path, name: &str, set: &[&str]) -> Self {
        Self::start_with(url, folder, name, set, |_| {})
    }

    fn start_with(url: &str, folder: &Path, name: &str, set: &[&str], more: impl FnOnce(&mut Command)) -> Self {
        let log = folder.join(format!("{name}-{:08x}.log", fastrand::u32(..)));
        let another = std::env::var_os("FAULT_WORKER").map(PathBuf::from);
        let mut command = Command::new(another.unwrap_or_else(|| env!("CARGO_BIN_EXE_copydesk").into()));
        command.args(["run", "--set", &format!("nats.urls={url}"), "--set", "http.listen=127.0.0.1:0"]);
        command.args(["--set", "log.format=json"]);
        for setting in set {
            command.args(["--set", setting]);
        }
        server::without_settings(&mut command);
        more(&mut command);
        let stderr = fs::File::create(&log).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        Self { child: command.spawn().expect("the worker starts"), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL, and the end of the process.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// The status of a process that has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a status")
    }

    /// Waits for the process to end.
    pub fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the worker did not end; it says:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and the exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// The address of its HTTP port, as soon as it says so.
    pub fn http(&self) -> String {
        let began = Instant::now();
        loop {
            for line in self.log().lines() {
                let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
                if let Some(address) = line["http.address"].as_str() {
                    return address.to_owned();
                }
            }
            assert!(began.elapsed() < PATIENCE, "the worker serves no HTTP; it says:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http()).expect("the port is open");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split_whitespace().nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The value of a metric line that begins so.
    pub fn metric(&self, line: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics");
        body.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of the test's own.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.expect("a shell").success(), "cannot send {name}");
}

/// A short story of our own; the number makes it one of a kind.
pub fn story(number: u64) -> String {
    format!(
        "HARBOURTOWN, March 3 (Example News) - The harbour board opened gate {number} on Tuesday.\n\
         \"We have waited for gate {number} since spring,\" said its director, Ada Lindqvist.\n"
    )
}

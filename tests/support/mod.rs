//! A real nats-server and real worker processes for the service tests.
//!
//! Nothing here sleeps to wait: it asks for the thing itself until it is there, or fails with
//! the worker's log.

#![allow(unreachable_pub, reason = "a module shared by test binaries")]
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::missing_panics_doc, reason = "a test's failure is a panic")]

use std::{
    collections::BTreeMap,
    fmt::Display,
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
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use copydesk::{
    cli::server::{self, PrivateServer},
    service::{
        audit::{self, Question, Report},
        broker::{self, Broker},
        config::{Config, Nats},
        names,
        reading::{self, ReadError},
    },
};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; generous, because a test machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// How long work may take that is more where faults have their full length (`FAULTS=all`).
fn patience() -> Duration {
    if std::env::var("FAULTS").is_ok_and(|faults| faults == "all") { PATIENCE * 10 } else { PATIENCE }
}

/// How the test's own connection waits: longer than a worker, because nobody asks again for a test.
pub fn patient(urls: Vec<String>) -> Nats {
    Nats { urls, request_timeout_ms: 30_000, reconnect_delay_max_ms: 200, ..Nats::default() }
}

/// Asks until there is an answer: on a busy machine a request may run out of its time.
pub async fn answered<T, E: Display>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

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
        let config = Config { nats: patient(vec![server.url()]), ..Config::default() };
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
        // Once, with all patience: sent again it could stand there twice.
        let mut jetstream = self.broker.jetstream.clone();
        jetstream.set_timeout(PATIENCE);
        let body = bytes::Bytes::copy_from_slice(body);
        let ack = jetstream.publish_with_headers(subject.to_owned(), headers, body).await;
        ack.expect("published").await.expect("stored").sequence
    }

    pub async fn stream(&self, name: &str) -> jetstream::stream::Stream {
        answered(name, async || self.broker.jetstream.get_stream(name).await).await
    }

    /// How many messages a stream holds; none where there is no such stream.
    pub async fn count(&self, name: &str) -> u64 {
        let count = async || match reading::look(&self.broker.jetstream, name).await {
            Ok(info) => Ok(info.state.messages),
            Err(ReadError::Missing(_)) => Ok(0),
            Err(error) => Err(error),
        };
        answered(name, count).await
    }

    /// What the broker says of the consumer of the input stream.
    pub async fn consumer(&self) -> jetstream::consumer::Info {
        let stream = self.stream("WIRE_RAW").await;
        answered("the consumer", async || stream.consumer_info("copydesk").await).await
    }

    /// What `copydesk audit` finds.
    pub async fn audit(&self) -> Report {
        answered("an audit", async || audit::audit(&self.broker, &self.config, Question::default()).await).await
    }

    /// Waits until something about the streams holds.
    pub async fn until(&self, what: &str, worker: &Worker, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self).await {
            assert!(began.elapsed() < patience(), "{what} did not happen; the worker says:\n{}", worker.log());
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

    /// The ledger's verdict when all work is done: each of the stories that were published has exactly
    /// one end, nothing else has come out, and `copydesk audit` says the same.
    pub async fn verdict(&self, worker: &Worker, published: u64) -> Ledger {
        self.until_done(worker).await;
        let stored = self.stream("WIRE_RAW").await.cached_info().state.last_sequence;
        assert_eq!(stored, published, "stories on the input stream");
        let ledger = self.ledger().await;
        ledger.assert_each_once(published);
        let verdict = self.audit().await.verdict;
        assert!(verdict.is_clean(), "{verdict:?}");
        ledger
    }

    /// Everything that stands on the output and dead-letter streams.
    pub async fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for name in ["WIRE_ENRICHED", "WIRE_DEAD"] {
            self.read_all(name, |message| {
                let headers = message.headers.clone().unwrap_or_default();
                let header = |name| headers.get(name).map(ToString::to_string);
                let sequence: u64 = header(names::SEQUENCE).and_then(|s| s.parse().ok()).expect("an origin sequence");
                let entry = Entry {
                    subject: message.subject.to_string(),
                    reason: header(names::REASON),
                    headers: headers.clone(),
                    body: message.payload.to_vec(),
                };
                ledger.entries.entry(sequence).or_default().push(entry);
            })
            .await;
        }
        ledger
    }

    /// Shows every message that a stream holds. Whatever breaks off goes on behind the last that was seen.
    async fn read_all(&self, name: &str, mut see: impl FnMut(&jetstream::Message)) {
        let stream = self.stream(name).await;
        let count = stream.cached_info().state.messages;
        let (mut read, mut last, mut began) = (0, 0, Instant::now());
        while read < count {
            let config = pull::Config {
                ack_policy: AckPolicy::None,
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
                inactive_threshold: PATIENCE,
                ..pull::Config::default()
            };
            let consumer = answered("a consumer", async || stream.create_consumer(config.clone()).await).await;
            // Few at a time, each asked for: a consumer that is pushed to may stand still behind large messages.
            while let Ok(mut batch) = consumer.fetch().max_messages(64).messages().await {
                let before = read;
                while let Some(Ok(message)) = batch.next().await {
                    last = message.info().expect("a place in the stream").stream_sequence;
                    see(&message);
                    read += 1;
                }
                if read == before || read >= count {
                    break;
                }
                began = Instant::now();
            }
            assert!(began.elapsed() < PATIENCE, "{read} of {count} messages of {name} could be read");
        }
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

/// A port that was free a moment ago, of those that no system gives to outgoing connections.
pub fn free_port() -> u16 {
    server::free_port().expect("a port")
}

/// A short story of our own; the number makes it one of a kind.
pub fn story(number: u64) -> String {
    format!(
        "HARBOURTOWN, March 3 (Example News) - The harbour board opened gate {number} on Tuesday.\n\
         \"We have waited for gate {number} since spring,\" said its director, Ada Lindqvist.\n"
    )
}

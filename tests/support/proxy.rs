//! A TCP proxy that spoils what passes between a worker and its server.
//!
//! It knows as much of the NATS protocol as it needs: frames are told apart, and the answers to
//! publications and to acknowledgements are known by the reply subjects that were asked with.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What is asked of the server, or answered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The receipt of a record or a dead letter (PubAck).
    Receipt,
    /// The confirmation of an acknowledgement.
    Confirmation,
    /// The receipt of a mark of a story that may kill.
    Mark,
}

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Everything comes later, both ways.
    Latency(Duration),
    /// One byte in so long a time, both ways.
    Trickle(Duration),
    /// Nothing passes, and nothing is closed.
    Silence,
    /// These answers are lost.
    Drop(Kind),
    /// Acknowledgements do not reach the server.
    DropAcknowledgements,
}

/// Frames that wait between the two sides of a connection.
const QUEUE_FRAMES: usize = 4096;

/// The proxy; gone with all its connections when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    server: String,
    fault: watch::Sender<Fault>,
    /// What the answers to open requests are, by the subject that they come to.
    asked: Mutex<HashMap<String, Kind>>,
    lines: Mutex<Vec<Arc<Line>>>,
    /// Frames that a fault has dropped.
    spoilt: AtomicU64,
}

/// What is done to one connection.
#[derive(Default)]
struct Line {
    is_dead: AtomicBool,
    reset: CancellationToken,
}

impl Proxy {
    /// Opens a port before the server of that URL.
    pub(crate) async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let shared = Arc::new(Shared {
            server: url.trim_start_matches("nats://").to_owned(),
            fault: watch::Sender::new(Fault::None),
            asked: Mutex::default(),
            lines: Mutex::default(),
            spoilt: AtomicU64::new(0),
        });
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Self { address, shared, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Puts a fault in force, in the place of the last.
    pub(crate) fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// How many frames were dropped.
    pub(crate) fn spoilt(&self) -> u64 {
        self.shared.spoilt.load(Ordering::Relaxed)
    }

    /// The connections of now carry nothing any more and are never closed; new ones are sound.
    pub(crate) fn half_open(&self) {
        for line in self.lines() {
            line.is_dead.store(true, Ordering::Relaxed);
        }
    }

    /// The connections of now are reset.
    pub(crate) fn reset(&self) {
        for line in self.lines() {
            line.reset.cancel();
        }
    }

    fn lines(&self) -> Vec<Arc<Line>> {
        std::mem::take(&mut *self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            // A server that is away is away for the client too.
            let Ok(server) = TcpStream::connect(&shared.server).await else { return };
            let line = Arc::new(Line::default());
            shared.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::select! {
                () = line.reset.cancelled() => {
                    // Without lingering, closing is a reset.
                    let _ = from_client.as_ref().set_zero_linger();
                    let _ = from_server.as_ref().set_zero_linger();
                }
                () = carry(&from_client, to_server, &shared, &line, Way::Up) => {}
                () = carry(&from_server, to_client, &shared, &line, Way::Down) => {}
            }
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Ends when one side has closed and the other has what it sent.
async fn carry(from: &OwnedReadHalf, to: OwnedWriteHalf, shared: &Arc<Shared>, line: &Line, way: Way) {
    let (queue, queued) = mpsc::channel(QUEUE_FRAMES);
    tokio::join!(take(from, queue, shared, line, way), give(to, queued, shared, line));
}

type Late = (Instant, Bytes);

async fn take(from: &OwnedReadHalf, queue: mpsc::Sender<Late>, shared: &Shared, line: &Line, way: Way) {
    let mut buffer = BytesMut::new();
    loop {
        if from.readable().await.is_err() {
            return;
        }
        if line.is_dead.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        match from.try_read_buf(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        while let Some(frame) = Frame::cut(&mut buffer) {
            let kind = shared.kind(&frame, way);
            let fault = *shared.fault.borrow();
            let now = Instant::now();
            let is_acknowledgement = way == Way::Up && kind == Some(Kind::Confirmation);
            let due = match fault {
                Fault::Drop(dropped) if way == Way::Down && kind == Some(dropped) => None,
                Fault::DropAcknowledgements if is_acknowledgement => None,
                Fault::Latency(delay) => Some(now + delay),
                _ => Some(now),
            };
            match due {
                None => {
                    shared.spoilt.fetch_add(1, Ordering::Relaxed);
                }
                Some(due) => {
                    if queue.send((due, frame.bytes)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn give(mut to: OwnedWriteHalf, mut queued: mpsc::Receiver<Late>, shared: &Shared, line: &Line) {
    let mut fault = shared.fault.subscribe();
    while let Some((due, mut bytes)) = queued.recv().await {
        tokio::time::sleep_until(due).await;
        while bytes.has_remaining() {
            if line.is_dead.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            let now = *fault.borrow_and_update();
            let (count, pause) = match now {
                Fault::Silence => (0, Duration::MAX),
                Fault::Trickle(pause) => (1, pause),
                _ => (bytes.len(), Duration::ZERO),
            };
            if to.write_all(&bytes.split_to(count)).await.is_err() {
                return;
            }
            if !pause.is_zero() {
                // Until it is time for more, or the fault is another.
                let _ = tokio::time::timeout(pause, fault.changed()).await;
            }
        }
    }
}

impl Shared {
    /// What a frame asks for, or answers.
    fn kind(&self, frame: &Frame, way: Way) -> Option<Kind> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if way == Way::Down {
            return asked.remove(frame.subject.as_deref()?);
        }
        let subject = frame.subject.as_deref()?;
        let kind = if subject.starts_with("$JS.ACK.") {
            Kind::Confirmation
        } else if subject.starts_with("wire.enriched.") || subject.starts_with("wire.dead.") {
            Kind::Receipt
        } else if subject.starts_with("$KV.copydesk.begun.") {
            Kind::Mark
        } else {
            return None;
        };
        asked.insert(frame.reply.clone()?, kind);
        Some(kind)
    }
}

/// One frame of the protocol, both ways.
struct Frame {
    bytes: Bytes,
    /// Of a message, what it is sent to.
    subject: Option<String>,
    /// Of a message, where its answer goes.
    reply: Option<String>,
}

impl Frame {
    /// Takes a whole frame off the front.
    fn cut(buffer: &mut BytesMut) -> Option<Self> {
        let end = buffer.windows(2).position(|two| two == b"\r\n")? + 2;
        let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let tokens: Vec<&str> = line.split_ascii_whitespace().collect();
        let message = |before: usize, after: usize| {
            // verb, subject, `before` more, a reply or none, `after` sizes
            let size: usize = tokens.last()?.parse().ok()?;
            let reply = (tokens.len() > 2 + before + after).then(|| tokens[2 + before].to_owned());
            Some((size, tokens.get(1)?.to_string(), reply))
        };
        let found = match *tokens.first()? {
            "PUB" => message(0, 1),
            "HPUB" => message(0, 2),
            "MSG" => message(1, 1),
            "HMSG" => message(1, 2),
            _ => None,
        };
        let Some((size, subject, reply)) = found else {
            return Some(Self { bytes: buffer.split_to(end).freeze(), subject: None, reply: None });
        };
        let whole = end + size + 2;
        if buffer.len() < whole {
            buffer.reserve(whole - buffer.len());
            return None;
        }
        Some(Self { bytes: buffer.split_to(whole).freeze(), subject: Some(subject), reply })
    }
}

#[test]
fn frames_are_cut_and_read() {
    let stream = b"INFO {}\r\nHPUB a.b _INBOX.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\nMSG _INBOX.1 7 5\r\nhe\r\nl\r\nPING\r\n";
    let mut buffer = BytesMut::new();
    let mut seen = Vec::new();
    for byte in stream {
        buffer.extend_from_slice(&[*byte]);
        while let Some(frame) = Frame::cut(&mut buffer) {
            seen.push((frame.subject, frame.reply, frame.bytes.len()));
        }
    }
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(
        seen,
        [(None, None, 9), (own("a.b"), own("_INBOX.1"), 41), (own("_INBOX.1"), None, 25), (None, None, 6)]
    );
    assert!(buffer.is_empty());
}

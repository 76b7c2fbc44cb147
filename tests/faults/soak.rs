//! Faults at random, one after the other, for as long as one likes: nothing is lost, memory stays flat.

use std::time::{Duration, Instant};

use copydesk::service::failpoint;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

use crate::{
    flows_again, lasts,
    load::{BROKEN_EVERY, Load},
    memory, number,
    proxy::{Fault, Kind, Proxy},
    quick, ready, ready_at,
    server::fill,
    support::{Worker, World, signal},
};

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Blow {
    WorkerKilled,
    WorkerDiesAtAStep,
    WorkerTerminated,
    WorkerStandsStill,
    ServerKilled,
    ServerStandsStill,
    Network(Fault),
    HalfOpen,
    Reset,
    ConsumerDeleted,
    StreamFull(&'static str),
    /// A story whose headers are no text: the client gives up its connection over it.
    HeadersThatAreNoText,
}

const BLOWS: [Blow; 18] = [
    Blow::WorkerKilled,
    Blow::ServerKilled,
    Blow::Network(Fault::Drop(Kind::Receipt)),
    Blow::ConsumerDeleted,
    Blow::WorkerDiesAtAStep,
    Blow::WorkerTerminated,
    Blow::WorkerStandsStill,
    Blow::ServerStandsStill,
    Blow::Network(Fault::Latency(Duration::from_millis(200))),
    Blow::Network(Fault::Trickle(Duration::from_secs(1))),
    Blow::Network(Fault::Silence),
    Blow::Network(Fault::Drop(Kind::Confirmation)),
    Blow::Network(Fault::DropAcknowledgements),
    Blow::HalfOpen,
    Blow::Reset,
    Blow::StreamFull("WIRE_ENRICHED"),
    Blow::StreamFull("WIRE_DEAD"),
    Blow::HeadersThatAreNoText,
];

/// So many of them, the first, in a run that has no time of its own.
const FEW: usize = 4;
const COMING: u64 = 30;
/// What the steady worker may have more at the end than in the beginning: what an allocator keeps. Measured: 2 MiB
/// after 22 minutes, 12 MiB between the least and the most.
const FLAT_KIB: u64 = 24 * 1024;
/// The first sizes, before every kind of buffer has been made once, are no beginning: one of so many.
const WARM_UP: usize = 10;

/// Two workers: one that reaches the server through the proxy and lives through it all, and one that
/// is killed and started again.
struct Scene {
    world: World,
    proxy: Proxy,
    steady: Worker,
    other: Worker,
    set: Vec<&'static str>,
    /// Stories of the test's own, beside those that come in.
    odd: u64,
    random: fastrand::Rng,
}

impl Scene {
    async fn strike(&mut self, blow: Blow) {
        let time = Duration::from_millis(self.random.u64(500..5000));
        match blow {
            Blow::WorkerKilled => {
                self.other.kill();
                self.other = ready(&self.world, &self.set).await;
            }
            Blow::WorkerDiesAtAStep => {
                self.other.kill();
                let place = failpoint::PLACES[self.random.usize(..failpoint::PLACES.len())];
                let place = format!("{place}:{}", self.random.u64(1..20));
                self.other = self.world.doomed_worker("doomed", &self.set, &place);
                let began = Instant::now();
                // Some steps are rare.
                while self.other.has_ended().is_none() && began.elapsed() < time {
                    lasts(Duration::from_millis(20)).await;
                }
                self.other.kill();
                self.other = ready(&self.world, &self.set).await;
            }
            Blow::WorkerTerminated => {
                let status = self.other.stop();
                // Confirmations that were lost with a connection a moment before are waited for in vain.
                let may_have_left_some = status.code() == Some(75);
                assert!(status.success() || may_have_left_some, "{status}: {}", self.other.log());
                self.other = ready(&self.world, &self.set).await;
            }
            Blow::WorkerStandsStill => {
                self.steady.signal("STOP");
                lasts(time).await;
                self.steady.signal("CONT");
            }
            Blow::ServerKilled => {
                self.world.server.kill().expect("killed");
                lasts(time / 4).await;
                self.world.server.restart().expect("restarted");
            }
            Blow::ServerStandsStill => {
                signal(self.world.server.pid(), "STOP");
                lasts(time).await;
                signal(self.world.server.pid(), "CONT");
            }
            Blow::Network(fault) => {
                self.proxy.set(fault);
                lasts(time).await;
                self.proxy.set(Fault::None);
            }
            Blow::HalfOpen => self.proxy.half_open(),
            Blow::Reset => self.proxy.reset(),
            Blow::ConsumerDeleted => {
                self.world.stream("WIRE_RAW").await.delete_consumer("copydesk").await.expect("deleted");
            }
            Blow::StreamFull(name) => {
                let before = fill(&self.world, name).await;
                lasts(time).await;
                self.world.broker.jetstream.update_stream(before).await.expect("changed");
            }
            Blow::HeadersThatAreNoText => {
                publish_raw(&self.world.server.url(), NO_TEXT).await;
                self.odd += 1;
            }
        }
    }

    /// The test's own connection has to come back as well.
    async fn reached(&self) {
        let reached = async |world: &World| world.broker.jetstream.get_stream("WIRE_RAW").await.is_ok();
        self.world.until("the server", &self.steady, reached).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_of_random_faults_loses_nothing_and_keeps_its_memory() {
    let seed = number("FAULT_SEED", 0);
    let minutes = number("SOAK_MINUTES", 0);
    let world = World::start().await;
    let proxy = Proxy::start(&world.server.url()).await;
    let set = quick(&["nats.ping_interval_ms=1000", "nats.connect_timeout_ms=1000", "delivery.ack_timeout_ms=1000"]);
    let steady = ready_at(&world, &proxy.url(), &set).await;
    let other = ready(&world, &set).await;
    let load = Load::start(vec![world.server.url()], COMING).await;
    let mut scene = Scene { world, proxy, steady, other, set, odd: 0, random: fastrand::Rng::with_seed(seed) };
    let (began, mut sizes, mut slowest) = (Instant::now(), Vec::new(), Duration::ZERO);
    loop {
        // Without time of its own: a few kinds.
        let blow = match minutes {
            0 if sizes.len() < FEW => BLOWS[sizes.len()],
            _ if began.elapsed() < Duration::from_mins(minutes) => BLOWS[scene.random.usize(..BLOWS.len())],
            _ => break,
        };
        scene.reached().await;
        scene.strike(blow).await;
        let what = format!("soak, seed {seed}, after {} s: {blow:?}", began.elapsed().as_secs());
        slowest = slowest.max(flows_again(&what, &scene.steady).await);
        sizes.push(memory(&scene.steady, "VmRSS"));
    }
    let published = load.stop().await;
    scene.reached().await;
    let ledger = scene.world.verdict(&scene.steady, published + scene.odd).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY + scene.odd);
    let warm = &sizes[sizes.len() / WARM_UP..];
    let (start, end) = (typical(&warm[..warm.len().div_ceil(4)]), typical(&warm[warm.len() * 3 / 4..]));
    let most = sizes.iter().max().expect("sizes");
    eprintln!(
        "soak | seed {seed}: {} faults in {} s, {published} stories, ledger 0; slowest recovery {slowest:?}; \
         memory {} MiB in the beginning, {} MiB at most, {} MiB at the end, peak of the process {} MiB",
        sizes.len(),
        began.elapsed().as_secs(),
        start / 1024,
        most / 1024,
        end / 1024,
        memory(&scene.steady, "VmHWM") / 1024
    );
    assert!(end <= start + FLAT_KIB, "memory grows: {sizes:?}");
}

/// Headers that no client reads.
pub(crate) const NO_TEXT: &[u8] = b"NATS/1.0\r\nX-Desk: \xff\xfe\r\n\r\n";

/// A story with these bytes as its headers, which no client would let pass; ends with its receipt.
pub(crate) async fn publish_raw(url: &str, headers: &[u8]) {
    let mut server = BufStream::new(TcpStream::connect(url.trim_start_matches("nats://")).await.expect("a port"));
    let body = b"All is well.";
    let (block, all) = (headers.len(), headers.len() + body.len());
    let begin = format!(
        "CONNECT {{\"headers\":true,\"verbose\":false}}\r\nSUB odd 1\r\nHPUB wire.raw.odd odd {block} {all}\r\n"
    );
    for part in [begin.as_bytes(), headers, body, b"\r\n"] {
        server.write_all(part).await.expect("written");
    }
    server.flush().await.expect("sent");
    let mut line = String::new();
    while !line.starts_with("MSG odd") {
        line.clear();
        assert!(server.read_line(&mut line).await.expect("an answer") > 0, "no receipt");
    }
}

/// The median.
fn typical(sizes: &[u64]) -> u64 {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

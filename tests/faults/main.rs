//! Faults: workers, servers and networks that die, stand still, drown or lie; each run ends with the
//! ledger's verdict.
//!
//! Needs the feature `failpoints`. By default each fault is met once, in seconds. `FAULTS=all`
//! (`make faults`) gives them the time that they take in the wild; `FAULT_SEEDS` says how many seeds of
//! killed workers there are (by default one for each place of `failpoint.rs`), `FAULT_SEED` begins elsewhere,
//! `SOAK_MINUTES` lets the soak go on. A run is told by its seed, and the same seed gives the same faults.
//! `FAULT_WORKER` names another build of the worker.

#![cfg(all(feature = "service", feature = "failpoints"))]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/load.rs"]
mod load;
#[path = "../support/proxy.rs"]
mod proxy;

mod flood;
mod limits;
mod network;
mod server;
mod soak;
mod three_nodes;
mod workers;

use std::time::{Duration, Instant};

use support::{Worker, World};

/// Redelivery and retries quick enough to wait for.
const QUICK: [&str; 4] = [
    "delivery.ack_wait_ms=2000",
    "delivery.pull_expires_ms=500",
    "delivery.retry_delay_max_ms=300",
    "delivery.publish_timeout_ms=500",
];

/// The stated time (`docs/DELIVERY.md`, Faults): work flows again within it after the fault is over. What it took
/// is printed; the limit has room for a machine that does other things.
const FLOWS_AGAIN: Duration = Duration::from_mins(1);

/// Waits where they are not what is tested, as long as those of the defaults or longer, also with `FAULTS=all`: what comes
/// again has been lost, and was not late on a machine that stood still for a moment.
const PATIENT: [&str; 4] = [
    "delivery.ack_wait_ms=30000",
    "delivery.ack_timeout_ms=30000",
    "delivery.publish_timeout_ms=15000",
    "nats.ping_interval_ms=30000",
];

/// A worker that is not quicker than stories come, so that a fault meets it at work.
const PACED: [&str; 2] = ["limits.stories_per_second=60", "limits.stories_burst=5"];
/// Stories a second that come meanwhile.
const COMING: u64 = 70;

/// Settings that make waiting short. With `FAULTS=all` the waits are those of the defaults, so that
/// what is printed is what an operator sees.
fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let is_wait = |setting: &&str| setting.starts_with("delivery.") || setting.starts_with("nats.");
    QUICK.iter().chain(more).copied().filter(|setting| !all() || !is_wait(setting)).collect()
}

fn paced<'a>(more: &[&'a str]) -> Vec<&'a str> {
    quick(&[&PACED, more].concat())
}

fn patient<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&quick(&[])[..], &PATIENT, more].concat()
}

async fn ready(world: &World, set: &[&str]) -> Worker {
    ready_at(world, &world.server.url(), set).await
}

/// A worker that reaches the server by another address.
async fn ready_at(world: &World, url: &str, set: &[&str]) -> Worker {
    let worker = Worker::start(url, world.folder.path(), "worker", set);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    worker
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Whether faults last as long as they do in the wild.
fn all() -> bool {
    std::env::var("FAULTS").is_ok_and(|value| value == "all")
}

/// So many seconds with `FAULTS=all`, otherwise so many milliseconds.
fn span(seconds: u64, otherwise_ms: u64) -> Duration {
    if all() { Duration::from_secs(seconds) } else { Duration::from_millis(otherwise_ms) }
}

/// Lets a fault last. Nothing is waited for here but the time that makes it a fault.
async fn lasts(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Stories that the worker has brought to an end.
fn ended(worker: &Worker) -> u64 {
    ["recorded", "repeated", "dead_lettered"].into_iter().map(|outcome| outcomes(worker, outcome)).sum()
}

/// Deliveries of one outcome.
fn outcomes(worker: &Worker, outcome: &str) -> u64 {
    worker.metric(&format!("copydesk_stories_total{{outcome=\"{outcome}\"}}")).unwrap_or_default() as u64
}

/// Waits until the worker ends stories again, and tells how long that took. Stories must go on coming.
async fn flows_again(fault: &str, worker: &Worker) -> Duration {
    flows_again_after(fault, worker, ended(worker)).await
}

/// The same where no more come: `before` is what the worker had ended while the fault lasted, for it may
/// have ended all that was left by the time that anybody asks again.
async fn flows_again_after(fault: &str, worker: &Worker, before: u64) -> Duration {
    let began = Instant::now();
    while ended(worker) <= before {
        assert!(began.elapsed() < FLOWS_AGAIN, "{fault}: work does not flow again: {}", worker.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eprintln!("recovery | {fault} | {} ms", began.elapsed().as_millis());
    began.elapsed()
}

/// Stories that were delivered again while they waited in the worker: their signs of life were missing. What a request
/// had given up before it arrived, on a machine that stood still, is not among them.
fn copies(worker: &Worker) -> u64 {
    outcomes(worker, "copy")
}

/// Deliveries beyond the first of each story, for whatever reason.
async fn came_again(world: &World) -> u64 {
    let last = world.stream("WIRE_RAW").await.cached_info().state.last_sequence;
    world.consumer().await.delivered.consumer_sequence - last
}

/// A figure of the process, in KiB (`/proc/<pid>/status`).
fn memory(worker: &Worker, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

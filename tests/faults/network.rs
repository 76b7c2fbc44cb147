//! The network between worker and server: slow, half open, silent, torn, or losing only what matters most.

use std::time::Duration;

use async_nats::HeaderMap;

use crate::{
    all, ended, flows_again, lasts, outcomes,
    proxy::{Fault, Kind, Proxy},
    quick, ready_at, span,
    support::{Worker, World, story},
};

const STORIES: u64 = 300;

/// A server, a proxy before it, a worker behind that which is at work slowly, and stories to do.
async fn at_work(set: &[&str]) -> (World, Proxy, Worker) {
    let world = World::start().await;
    let proxy = Proxy::start(&world.server.url()).await;
    let worker = ready_at(&world, &proxy.url(), set).await;
    for number in 1..=STORIES {
        world.publish("wire.raw.a", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until("progress", &worker, async |_| ended(&worker) > 20).await;
    (world, proxy, worker)
}

/// So slow that a fault meets it in the middle of its work.
const PACED: [&str; 2] = ["limits.stories_per_second=60", "limits.stories_burst=5"];

fn paced<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let paced: Vec<&str> = PACED.iter().chain(more).copied().collect();
    quick(&paced)
}

async fn each_once(world: &World, worker: &Worker) {
    let ledger = world.verdict(worker, STORIES).await;
    assert_eq!(ledger.dead(), 0, "a fault of the network is no fault of a story");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed_by_pings() {
    // With the pings of the defaults when there is time for it.
    let ping: &[&str] = if all() { &[] } else { &["nats.ping_interval_ms=300"] };
    let (world, proxy, worker) = at_work(&paced(ping)).await;
    proxy.half_open();
    flows_again("half-open connection, noticed and replaced", &worker).await;
    each_once(&world, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_costs_time_and_nothing_else() {
    let (world, proxy, worker) = at_work(&paced(&[])).await;
    proxy.set(Fault::Latency(Duration::from_millis(150)));
    world.until("work with latency", &worker, async |_| ended(&worker) > 200).await;
    proxy.set(Fault::None);
    each_once(&world, &worker).await;
    assert!(worker.metric("copydesk_redeliveries_total").is_none_or(|count| count < 1.0), "late is not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_a_second_is_survived() {
    let (world, proxy, worker) = at_work(&paced(&["nats.ping_interval_ms=500", "nats.connect_timeout_ms=1000"])).await;
    proxy.set(Fault::Trickle(Duration::from_secs(1)));
    lasts(span(60, 3000)).await;
    proxy.set(Fault::None);
    flows_again("one byte a second", &worker).await;
    each_once(&world, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_falls_silent_and_comes_back_loses_nothing() {
    let (world, proxy, worker) = at_work(&paced(&["nats.ping_interval_ms=500", "nats.connect_timeout_ms=1000"])).await;
    proxy.set(Fault::Silence);
    lasts(span(40, 3000)).await;
    proxy.set(Fault::None);
    flows_again("nothing passes", &worker).await;
    each_once(&world, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_receipts_give_no_second_record() {
    let (world, proxy, worker) = at_work(&paced(&["delivery.publish_timeout_ms=300"])).await;
    proxy.set(Fault::Drop(Kind::Receipt));
    let lost = proxy.spoilt();
    world.until("lost receipts", &worker, async |_| proxy.spoilt() > lost + 20).await;
    lasts(span(20, 500)).await;
    proxy.set(Fault::None);
    flows_again("receipts lost", &worker).await;
    each_once(&world, &worker).await;
    assert!(outcomes(&worker, "repeated") > 0, "the stream dropped what it had already");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_confirmations_give_no_second_record() {
    let (world, proxy, worker) = at_work(&paced(&["delivery.ack_timeout_ms=300"])).await;
    proxy.set(Fault::Drop(Kind::Confirmation));
    let lost = proxy.spoilt();
    world.until("lost confirmations", &worker, async |_| proxy.spoilt() > lost + 20).await;
    lasts(span(20, 500)).await;
    proxy.set(Fault::None);
    flows_again("confirmations lost", &worker).await;
    each_once(&world, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn torn_connections_lose_nothing() {
    let (world, proxy, worker) = at_work(&paced(&[])).await;
    for time in 1..=5 {
        let before = ended(&worker);
        world.until("work between", &worker, async |_| ended(&worker) > before + 10).await;
        proxy.reset();
        flows_again(&format!("reset {time}"), &worker).await;
    }
    each_once(&world, &worker).await;
}

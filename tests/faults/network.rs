//! The network between worker and server: slow, half open, silent, torn, or losing only what matters most.

use std::time::Duration;

use crate::{
    COMING, PACED, all, copies, ended, flows_again, lasts,
    load::{BROKEN_EVERY, Load},
    outcomes, paced, patient,
    proxy::{Fault, Kind, Proxy},
    ready_at, span,
    support::{Worker, World},
};

/// A worker that reaches its server through a proxy, and stories that come in.
struct Desk {
    world: World,
    proxy: Proxy,
    worker: Worker,
    load: Load,
}

impl Desk {
    async fn at_work(set: &[&str]) -> Self {
        let world = World::start().await;
        let proxy = Proxy::start(&world.server.url()).await;
        let worker = ready_at(&world, &proxy.url(), set).await;
        let load = Load::start(vec![world.server.url()], COMING).await;
        world.until("progress", &worker, async |_| ended(&worker) > 20).await;
        Self { world, proxy, worker, load }
    }

    /// Lets a fault last, and tells how soon work flows again.
    async fn suffers(&self, what: &str, fault: Fault, time: Duration) {
        self.proxy.set(fault);
        lasts(time).await;
        if let Fault::Drop(_) = fault {
            let is_met = async |_: &World| self.proxy.spoilt() >= BROKEN_EVERY * 2;
            self.world.until("answers that are lost", &self.worker, is_met).await;
        }
        self.proxy.set(Fault::None);
        flows_again(what, &self.worker).await;
    }

    /// Nobody is blamed for a fault of the network.
    async fn verdict(self) -> (World, Worker) {
        let published = self.load.stop().await;
        let ledger = self.world.verdict(&self.worker, published).await;
        assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
        (self.world, self.worker)
    }
}

const SOON: [&str; 2] = ["nats.ping_interval_ms=500", "nats.connect_timeout_ms=1000"];

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed_by_pings() {
    let desk = Desk::at_work(&paced(&["nats.ping_interval_ms=300"])).await;
    desk.proxy.half_open();
    flows_again("half-open connection, noticed and replaced", &desk.worker).await;
    desk.verdict().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_costs_time_and_nothing_else() {
    let desk = Desk::at_work(&patient(&PACED)).await;
    desk.suffers("150 ms each way", Fault::Latency(Duration::from_millis(150)), span(20, 1500)).await;
    let (_world, worker) = desk.verdict().await;
    assert_eq!((copies(&worker), outcomes(&worker, "repeated")), (0, 0), "late is not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_a_second_is_survived() {
    let desk = Desk::at_work(&paced(&SOON)).await;
    desk.suffers("one byte a second", Fault::Trickle(Duration::from_secs(1)), span(60, 2500)).await;
    desk.verdict().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_falls_silent_and_comes_back_loses_nothing() {
    let desk = Desk::at_work(&paced(&SOON)).await;
    desk.suffers("nothing passes", Fault::Silence, span(40, 2500)).await;
    desk.verdict().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_receipts_give_no_second_record() {
    let desk = Desk::at_work(&paced(&["delivery.publish_timeout_ms=300"])).await;
    desk.suffers("receipts lost", Fault::Drop(Kind::Receipt), span(20, 1500)).await;
    let (world, worker) = desk.verdict().await;
    let repeated = async |_: &World| outcomes(&worker, "repeated") > 0;
    world.until("records that the stream had already", &worker, repeated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_confirmations_give_no_second_record() {
    let desk = Desk::at_work(&paced(&["delivery.ack_timeout_ms=300"])).await;
    desk.suffers("confirmations lost", Fault::Drop(Kind::Confirmation), span(20, 1500)).await;
    desk.verdict().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn torn_connections_lose_nothing() {
    let desk = Desk::at_work(&paced(&[])).await;
    for time in 1..=if all() { 20 } else { 3 } {
        let before = ended(&desk.worker);
        desk.world.until("work between", &desk.worker, async |_| ended(&desk.worker) > before + 10).await;
        desk.proxy.reset();
        flows_again(&format!("connections reset, {time}"), &desk.worker).await;
    }
    desk.verdict().await;
}

//! Three nodes with every stream in three copies: leaders die, hand over, and stand still.

use crate::{
    all,
    cluster::{Cluster, Led},
    ended, flows_again, lasts,
    load::{BROKEN_EVERY, Load},
    quick, ready_at, span,
    support::{Worker, signal},
};

const LED: [Led; 3] = [Led::Consumer, Led::Stream("WIRE_ENRICHED"), Led::Stream("WIRE_RAW")];

async fn at_work(cluster: &Cluster) -> (Worker, Load) {
    let set = quick(&["streams.replicas=3", "delivery.pull_expires_ms=5000"]);
    let worker = ready_at(&cluster.world, &cluster.urls().join(","), &set).await;
    let load = Load::start(cluster.urls(), 40).await;
    until_more(cluster, &worker, 20).await;
    (worker, load)
}

async fn until_more(cluster: &Cluster, worker: &Worker, stories: u64) {
    let before = ended(worker);
    cluster.world.until("work between", worker, async |_| ended(worker) > before + stories).await;
}

async fn verdict(cluster: &Cluster, worker: &Worker, load: Load) {
    let published = load.stop().await;
    cluster.until_whole().await;
    let ledger = cluster.world.verdict(worker, published).await;
    assert_eq!(ledger.dead() as u64, published / BROKEN_EVERY);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_that_hand_over_or_die_or_stand_still_lose_and_double_nothing() {
    let mut cluster = Cluster::start().await;
    let (worker, load) = at_work(&cluster).await;
    for round in 1..=if all() { 10 } else { 1 } {
        for led in LED {
            cluster.step_down(led).await;
            flows_again(&format!("leader of {led:?} steps down, {round}"), &worker).await;
            until_more(&cluster, &worker, 10).await;
        }
    }
    let mortal = if all() { &LED[..] } else { &LED[..1] };
    for led in mortal {
        let leader = cluster.leader(*led).await;
        cluster.node(&leader).kill().expect("killed");
        flows_again(&format!("leader of {led:?} killed"), &worker).await;
        until_more(&cluster, &worker, 10).await;
        cluster.node(&leader).restart().expect("restarted");
        cluster.until_whole().await;
    }
    // An election takes longer than `make test` has for a second one.
    let still = if all() { &LED[..] } else { &[] };
    for led in still {
        let leader = cluster.leader(*led).await;
        let pid = cluster.node(&leader).pid();
        signal(pid, "STOP");
        flows_again(&format!("leader of {led:?} stands still"), &worker).await;
        lasts(span(20, 0)).await;
        signal(pid, "CONT");
        flows_again(&format!("leader of {led:?} goes on"), &worker).await;
        cluster.until_whole().await;
    }
    verdict(&cluster, &worker, load).await;
}

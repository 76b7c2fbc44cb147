//! Models and lists of the reader's own, in a worker that runs.
#![cfg(feature = "service")]

mod support;

use async_nats::HeaderMap;
use serde_json::Value;
use support::World;

const STORY: &str =
    "LISVIK, May 3 (Northwire) - The zine said that the Old Works would close. Ames blurted that it was late.";

/// The record of a new copy of the story.
async fn record(world: &World, worker: &support::Worker) -> Value {
    let sequence = world.publish("wire.raw.a", HeaderMap::new(), STORY.as_bytes()).await;
    world.until_done(worker).await;
    serde_json::from_slice(&world.ledger().await.one(sequence).body).expect("a record")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_takes_files_and_takes_them_again_at_sighup() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let list = write("ours.csv", "id,name,class\nn-1,Northwire,organisation\n");
    let cues = write("cues.txt", "say / that: blurt\n");
    let sources = write("sources.txt", "media: zine\n");
    std::fs::create_dir(folder.path().join("models")).expect("a folder");
    let models = write("models/lemma.model", "");
    std::fs::copy("data/models/lemma.model", &models).expect("a copy");
    let models = folder.path().join("models").display().to_string();
    let config = write(
        "copydesk.toml",
        &format!("[desk]\nmodels = {models:?}\ngazetteers = [{list:?}]\ncues = [{cues:?}]\nsources = [{sources:?}]\n"),
    );
    let worker = world.worker_with_file("worker", &[], config.as_ref());
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;

    let first = record(&world, &worker).await;
    assert_eq!(first["watch"][0]["list"], "ours", "{}", first["watch"]);
    assert!(first["citations"].to_string().contains(r#""kind":"media""#), "{}", first["citations"]);
    assert!(first["quotes"].to_string().contains("blurt"), "{}", first["quotes"]);

    // A list with a fault changes nothing, and is told with its line.
    write("ours.csv", "id,name,class\nn-1,Northwire,paper\n");
    worker.signal("HUP");
    world.until("the refusal", &worker, async |_| worker.log().contains("the old one holds")).await;
    assert!(worker.log().contains("line 2"), "{}", worker.log());
    assert_eq!(record(&world, &worker).await["watch"][0]["id"], "n-1");

    write("ours.csv", "id,name,class\nn-2,Northwire,organisation\n");
    write("cues.txt", "say / that: mumble\n");
    worker.signal("HUP");
    let taken = "the configuration was read again";
    world.until("the new lists", &worker, async |_| worker.log().contains(taken)).await;
    let again = record(&world, &worker).await;
    assert_eq!(again["watch"][0]["id"], "n-2");
    assert!(!again["quotes"].to_string().contains("blurt"), "{}", again["quotes"]);

    // A model that is none stops a worker before it begins.
    write("models/lemma.model", "no model");
    let mut refused = world.worker_with_file("refused", &[], config.as_ref());
    assert_ne!(refused.ended().code(), Some(0));
    assert!(refused.log().contains("lemma.model"), "{}", refused.log());
}

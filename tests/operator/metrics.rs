//! What a worker tells of itself and of the streams: limits, ages, the running ledger.

use async_nats::HeaderMap;
use copydesk::service::names;

use crate::{
    COMPARING, USUAL, audited, origin, ready,
    support::{Worker, World, answered, story},
};

/// What a worker tells of its limits is what holds: its share of each, by key, and after a change; and how old the
/// oldest story is that is not done.
#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_the_share_of_each_quota_and_the_age_of_what_is_open() {
    let world = World::start().await;
    let file = world.folder.path().join("copydesk.toml");
    let write = |limits: &str| std::fs::write(&file, format!("[limits]\n{limits}")).expect("written");
    write(
        "stories_per_second = 0.01\nstories_burst = 1\nkib_per_second = 400.0\nfleet_share = 0.25\n\
         key_subject_token = 3\neach_key.kib_per_second = 80.0\nkeys.ap.stories_per_second = 6.0\n",
    );
    let worker = world.worker_with_file("worker", &[USUAL[0], USUAL[1], "inputs.main.ack_pending_max=640"], &file);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let tells = |expected: &[(&str, f64)]| expected.iter().all(|(line, value)| worker.metric(line) == Some(*value));
    let shared = [
        ("copydesk_fleet_share_ratio", 0.25),
        ("copydesk_quota_stories_per_second", 0.0025),
        ("copydesk_quota_kib_per_second", 100.0),
        ("copydesk_key_quota_stories_per_second{key=\"ap\"}", 1.5),
        ("copydesk_key_quota_kib_per_second{key=\"ap\"}", 0.0),
        ("copydesk_key_quota_stories_per_second{key=\"*\"}", 0.0),
        ("copydesk_key_quota_kib_per_second{key=\"*\"}", 20.0),
    ];
    assert!(tells(&shared), "{}", worker.get("/metrics").1);
    let open = "copydesk_oldest_open_story_seconds{input=\"main\"}";
    let most = [("copydesk_consumer_ack_pending_max_stories{input=\"main\"}", 640.0), (open, 0.0)];
    world.until("the consumer's figures", &worker, async |_| tells(&most)).await;

    // The first passes with the burst, the second waits for minutes, and is not done.
    for number in 1..=2 {
        world.publish("wire.raw.ap", HeaderMap::new(), story(number).as_bytes()).await;
    }
    world.until("the first story", &worker, async |world| world.count("WIRE_ENRICHED").await == 1).await;
    world.until("an age", &worker, async |_| worker.metric(open).is_some_and(|age| age > 1.0)).await;
    let stored = world.stream("WIRE_RAW").await.get_raw_message(2).await.expect("a story").time.unix_timestamp_nanos();
    // Looked at first, for the figure grows meanwhile; half a minute, for it is renewed now and then.
    let told = worker.metric(open).expect("an age");
    let age = (jiff::Timestamp::now().as_nanosecond() - stored) as f64 / 1e9;
    assert!(told <= age && told > age - 30.0, "{told} of {age} s");

    // The key is named no longer: it may have what each other may have.
    write("stories_per_second = 1000.0\nstories_burst = 1\neach_key.stories_per_second = 500.0\n");
    worker.signal("HUP");
    let changed = [
        ("copydesk_fleet_share_ratio", 1.0),
        ("copydesk_quota_stories_per_second", 1000.0),
        ("copydesk_quota_kib_per_second", 0.0),
        ("copydesk_key_quota_stories_per_second{key=\"ap\"}", 500.0),
        ("copydesk_key_quota_stories_per_second{key=\"*\"}", 500.0),
    ];
    world.until("the new limits", &worker, async |_| tells(&changed)).await;
    world.until_done(&worker).await;
    world.until("nothing open", &worker, async |_| worker.metric(open) == Some(0.0)).await;
    world.ledger().await.assert_each_once(2);
}

/// Takes a story from the workers' consumer and acknowledges it, as no worker would: nothing stands for it.
async fn acknowledge_without_a_record(world: &World) {
    let stream = world.stream("WIRE_RAW").await;
    let consumer: async_nats::jetstream::consumer::PullConsumer = stream.get_consumer("copydesk").await.expect("it");
    let asked = consumer.batch().max_messages(1).expires(std::time::Duration::from_secs(30)).messages().await;
    let message = futures_util::StreamExt::next(&mut asked.expect("asked")).await.expect("one").expect("a story");
    answered("an acknowledgement", async || message.double_ack().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_ledger_balances_and_tells_what_is_lost() {
    let world = World::start().await;
    let set = [USUAL[0], USUAL[1], COMPARING[0], COMPARING[1]];
    let sum = |worker: &Worker, verdict: &str| {
        worker.metric(&format!("copydesk_ledger_stories{{verdict=\"{verdict}\"}}")).unwrap_or(-1.0) as i64
    };
    let mut first = ready(&world, &set).await;
    let mut second = world.worker("second", &set);
    world.until("a book", &first, async |_| sum(&first, "checked") == 0).await;
    for number in 1..=40 {
        let body = if number % 10 == 0 { r#"{"text": broken"#.to_owned() } else { story(number) };
        world.publish("wire.raw.test", HeaderMap::new(), body.as_bytes()).await;
    }
    world.until("a comparison", &first, async |_| sum(&first, "checked") == 40).await;
    world.until("the same from the other worker", &second, async |_| sum(&second, "checked") == 40).await;
    for verdict in ["unaccounted", "duplicated", "unexpected", "skipped"] {
        assert_eq!(sum(&first, verdict), 0, "{verdict}: {}", first.log());
    }
    assert!(first.metric("copydesk_ledger_age_seconds").is_some_and(|age| age < 60.0));
    assert!(first.stop().success());
    // Killed, it would leave a request open that takes the next story.
    assert!(second.stop().success());

    // Nobody runs: one story is acknowledged and has no record, one has two, and one record is nobody's.
    let lost = world.publish("wire.raw.test", HeaderMap::new(), b"Lost.").await;
    acknowledge_without_a_record(&world).await;
    let twice = world.publish("wire.raw.test", HeaderMap::new(), b"Twice.").await;
    acknowledge_without_a_record(&world).await;
    for sequence in [twice, twice] {
        world.publish("wire.enriched.x", origin(&world, sequence).await, b"{}").await;
    }
    let mut nobody = origin(&world, twice).await;
    nobody.insert(names::SEQUENCE, "4000");
    world.publish("wire.enriched.x", nobody, b"{}").await;
    let third = ready(&world, &set).await;
    let sums = || ["unaccounted", "duplicated", "unexpected", "checked"].map(|verdict| sum(&third, verdict));
    world.until("the loss", &third, async |_| sums() == [1, 1, 1, 42]).await;
    assert!(third.log().contains("the ledger does not balance"), "{}", third.log());
    assert_eq!(audited(&world).await.verdict.unaccounted.ranges, [[lost, lost]]);
}

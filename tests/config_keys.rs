//! Every key of the configuration, and the test that shows that it does something.

#![cfg(feature = "service")]

mod support;

use std::{fs, path::Path};

use async_nats::HeaderMap;
use copydesk::{
    cli::server::{self, PrivateServer},
    service::{config, names},
};
use support::{PATIENCE, Worker, World, story};

/// Key → a test that would fail if the key did nothing.
const TESTS: &[(&str, &str)] = &[
    ("nats.api_prefix", "prefix_and_domain_stand_on_requests_to_the_broker"),
    ("nats.client_name", "names_limits_and_windows_stand_on_what_is_created"),
    ("nats.credentials_file", "credentials_are_read_in_the_form_of_the_tools"),
    ("nats.inbox_prefix", "the_permissions_of_the_guide_are_enough"),
    ("nats.jetstream_domain", "prefix_and_domain_stand_on_requests_to_the_broker"),
    ("nats.nkey_file", "passwords_tokens_and_keys"),
    ("nats.password", "passwords_tokens_and_keys"),
    ("nats.reconnect_delay_max_ms", "the_longest_pause_before_another_connection_is_as_long_as_is_said"),
    ("nats.tls.ca_file", "tls_with_an_own_authority_a_client_certificate_and_tls_first"),
    ("nats.tls.certificate_file", "tls_with_an_own_authority_a_client_certificate_and_tls_first"),
    ("nats.tls.first", "tls_with_an_own_authority_a_client_certificate_and_tls_first"),
    ("nats.tls.key_file", "tls_with_an_own_authority_a_client_certificate_and_tls_first"),
    ("nats.token", "a_token"),
    ("nats.urls", "passwords_tokens_and_keys"),
    ("nats.user", "passwords_tokens_and_keys"),
    ("streams.create_missing", "a_topology_that_would_lose_stories_is_refused_and_left_alone"),
    ("streams.dead.name", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.dead.subject", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.dead.subjects", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.held.name", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.held.subject", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.held.subjects", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.input.message_bytes_max", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.input.name", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.input.subjects", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.output.duplicate_window_ms", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.output.name", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.output.subject", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.output.subjects", "names_limits_and_windows_stand_on_what_is_created"),
    ("streams.state.bucket", "names_limits_and_windows_stand_on_what_is_created"),
    ("inputs.*.ack_pending_max", "names_limits_and_windows_stand_on_what_is_created"),
    ("inputs.*.durable", "inputs_have_their_own_subjects_and_limits_hold_over_all"),
    ("inputs.*.format", "an_input_of_a_named_format_is_read_as_that"),
    ("inputs.*.lane", "the_lane_of_an_input_goes_before_the_copy_and_behind_the_headers"),
    ("inputs.*.start_sequence", "a_consumer_without_a_checkpoint_is_never_made_anew_in_silence"),
    ("inputs.*.subject", "inputs_have_their_own_subjects_and_limits_hold_over_all"),
    ("delivery.ack_wait_ms", "names_limits_and_windows_stand_on_what_is_created"),
    ("limits.kib_burst", "no_window_exceeds_the_quota"),
    ("limits.kib_per_second", "no_window_exceeds_the_quota"),
    ("limits.stories_burst", "no_window_exceeds_the_quota"),
    ("limits.stories_per_second", "no_window_exceeds_the_quota"),
    ("limits.story_bytes_max", "odd_messages_end_as_the_contract_says_and_the_worker_lives"),
    ("limits.each_key.kib_burst", "no_window_of_a_key_exceeds_its_quota"),
    ("limits.each_key.kib_per_second", "no_window_of_a_key_exceeds_its_quota"),
    ("limits.each_key.stories_burst", "no_window_of_a_key_exceeds_its_quota"),
    ("limits.each_key.stories_per_second", "no_window_of_a_key_exceeds_its_quota"),
    ("limits.fleet_count", "a_worker_takes_its_share_of_the_fleet"),
    ("limits.fleet_share", "a_worker_takes_its_share_of_the_fleet"),
    ("limits.key_input", "an_input_has_limits_of_its_own_and_waits_for_them_here"),
    ("limits.key_subject_token", "a_throttled_key_parks_a_quarter_and_an_input_of_its_own_goes_on"),
    ("limits.keys.*.stories_burst", "a_throttled_key_parks_a_quarter_and_an_input_of_its_own_goes_on"),
    ("limits.keys.*.stories_per_second", "a_throttled_key_parks_a_quarter_and_an_input_of_its_own_goes_on"),
    ("limits.rest_every", "a_share_is_kept_for_the_rest"),
    ("limits.story_deadline_ms", "panics_and_endless_stories_become_dead_letters_and_a_worn_out_worker_leaves"),
    ("limits.throttled_delay_ms", "what_is_throttled_rests_at_the_broker_as_long_as_is_said"),
    ("lineage.enabled", "without_lineage_no_version_is_late"),
    ("embargo.mode", "an_embargo_is_kept_over_a_restart_and_a_kill_ends_the_waiting"),
    ("desk.models", "the_desk_takes_files_and_takes_them_again_at_sighup"),
    ("desk.gazetteers", "the_desk_takes_files_and_takes_them_again_at_sighup"),
    ("desk.cues", "the_desk_takes_files_and_takes_them_again_at_sighup"),
    ("desk.sources", "the_desk_takes_files_and_takes_them_again_at_sighup"),
    ("work.threads", "names_limits_and_windows_stand_on_what_is_created"),
    ("ledger.check_every_ms", "the_ledger_is_compared_as_often_as_is_said"),
    ("http.listen", "without_an_address_no_port_is_opened"),
    ("http.silence_max_ms", "a_stopped_server_is_noticed_and_work_goes_on_when_it_comes_back"),
    ("http.stall_max_ms", "stories_that_do_not_end_are_an_obstacle_unless_a_limit_holds_them"),
    ("log.filter", "logs_are_written_as_they_are_asked_for"),
    ("log.format", "logs_are_written_as_they_are_asked_for"),
    ("delivery.publish_timeout_ms", "a_receipt_is_waited_for_as_long_as_is_said"),
    ("delivery.retry_delay_max_ms", "the_longest_pause_before_a_retry_is_as_long_as_is_said"),
    ("delivery.pull_expires_ms", "a_request_for_stories_stays_open_as_long_as_is_said"),
    ("nats.connect_timeout_ms", "a_broker_that_answers_too_late_is_tried_again_until_the_time_is_long_enough"),
    ("nats.ping_interval_ms", "the_connection_is_tested_as_often_as_is_said"),
    ("nats.request_timeout_ms", "an_answer_of_the_broker_may_take_as_long_as_is_said"),
    ("nats.tls.required", "a_server_without_tls_is_refused_where_it_is_required"),
    ("streams.replicas", "copies_of_streams_are_asked_for_as_many_as_is_said"),
    ("inputs.*.bytes_max", "no_more_is_asked_for_than_an_input_may_hold"),
    ("inputs.*.packages", "an_input_says_what_its_bytes_are_and_what_becomes_of_packages"),
    ("inputs.*.stories_max", "no_more_is_asked_for_than_an_input_may_hold"),
    ("delivery.ack_timeout_ms", "an_acknowledgement_is_waited_for_as_long_as_is_said"),
    ("delivery.give_back_delay_ms", "what_is_given_back_rests_at_the_broker_as_long_as_is_said"),
    ("delivery.grace_period_ms", "a_stopping_worker_leaves_when_its_grace_is_over"),
    ("delivery.retry_delay_min_ms", "the_first_pause_before_a_retry_is_as_long_as_is_said"),
    ("limits.key_header", "a_header_says_by_which_limit_a_story_goes"),
    ("limits.keys.*.kib_burst", "a_header_says_by_which_limit_a_story_goes"),
    ("limits.keys.*.kib_per_second", "a_header_says_by_which_limit_a_story_goes"),
    ("limits.urgent_max", "copy_up_to_a_given_urgency_overtakes"),
    ("work.begun_max", "a_story_is_begun_as_often_as_is_said"),
    ("trace.endpoint", "a_collector_gets_the_span_of_a_story_within_the_trace_of_its_message"),
    ("trace.sample_ratio", "a_share_of_the_stories_gets_a_span_where_the_message_does_not_say"),
    ("trace.service_name", "a_collector_gets_the_span_of_a_story_within_the_trace_of_its_message"),
];

/// All Rust sources of a folder, one after the other.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("readable"));
        }
    }
}

#[test]
fn every_key_has_a_test() {
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut text);
    }
    let keys: Vec<String> = config::keys().iter().map(|key| key.path.join(".")).collect();
    let listed = |key: &str| TESTS.iter().filter(|(listed, _)| *listed == key).count();
    let forgotten: Vec<_> = keys.iter().filter(|key| listed(key) != 1).collect();
    assert!(forgotten.is_empty(), "not in TESTS, or twice: {forgotten:?}");
    for (key, _) in TESTS {
        assert!(keys.iter().any(|known| known == key), "there is no key {key}");
    }
    for (key, test) in TESTS {
        assert!(text.contains(&format!("fn {test}(")), "the test of {key} is gone: {test}");
    }
}

/// A server that writes down every line that it is sent.
fn telling(folder: &Path) -> PrivateServer {
    let binary = server::find().expect("a nats-server");
    PrivateServer::start(&binary, &folder.join("nats"), "trace: true\ndebug: true").expect("it starts")
}

fn until(what: &str, worker: &Worker, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen; the worker says:\n{}", worker.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn prefix_and_domain_stand_on_requests_to_the_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = telling(folder.path());
    let said = |words: &str| fs::read_to_string(server.log()).is_ok_and(|log| log.contains(words));
    for (setting, words) in
        [("nats.jetstream_domain=hub", "$JS.hub.API."), ("nats.api_prefix=OTHER.API", "PUB OTHER.API.")]
    {
        assert!(!said(words));
        let worker = Worker::start(&server.url(), folder.path(), "worker", &[setting]);
        until(setting, &worker, || said(words));
    }
}

#[test]
fn logs_are_written_as_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = telling(folder.path());
    let start = |set: &[&str]| Worker::start(&server.url(), folder.path(), "worker", set);
    let worker = start(&["log.format=text"]);
    until("a line of text", &worker, || worker.log().contains("INFO") && !worker.log().starts_with('{'));
    let worker = start(&["log.filter=debug"]);
    until("a line of debugging", &worker, || worker.log().contains("\"level\":\"DEBUG\""));
    let worker = start(&[]);
    until("a line", &worker, || worker.log().contains("\"level\":\"INFO\""));
    assert!(worker.log().starts_with('{') && !worker.log().contains("\"DEBUG\""), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_no_port_is_opened() {
    let world = World::start().await;
    let worker = world.worker("worker", &["http.listen="]);
    world
        .until("the streams", &worker, async |world| world.broker.jetstream.get_stream("WIRE_RAW").await.is_ok())
        .await;
    world.publish("wire.raw.a", HeaderMap::new(), story(1).as_bytes()).await;
    world.until_done(&worker).await;
    assert!(!worker.log().contains("http.address"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_lineage_no_version_is_late() {
    let world = World::start().await;
    let worker = world.worker("worker", &["lineage.enabled=false"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let mut state = None;
    for version in ["5", "1"] {
        let body = serde_json::json!({"uri": "urn:desk:pier", "version": version, "type": "text",
            "headline": "Pier shut", "body_text": "The pier of Eastmouth stays shut, its owner said."});
        let sequence = world.publish("wire.raw.a", HeaderMap::new(), body.to_string().as_bytes()).await;
        world.until_done(&worker).await;
        state = world.ledger().await.one(sequence).header(names::LINEAGE_STATE).map(ToOwned::to_owned);
    }
    // Nobody remembers that version 5 was there.
    assert_ne!(state.as_deref(), Some("late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_of_a_named_format_is_read_as_that() {
    let world = World::start().await;
    let worker = world.worker("worker", &["inputs.main.format=plain"]);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let sequence = world.publish("wire.raw.a", HeaderMap::new(), b"{\"uri\": \"a\", \"type\": \"picture\"}").await;
    world.until_done(&worker).await;
    let ledger = world.ledger().await;
    let record: serde_json::Value = serde_json::from_slice(&ledger.one(sequence).body).expect("a record");
    assert_eq!(record["raw"]["format"], "plain");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_limits_and_windows_stand_on_what_is_created() {
    let mut world = World::start().await;
    world.server = telling(world.folder.path().join("other").as_path());
    world.config.nats.urls = vec![world.server.url()];
    world.broker = copydesk::service::broker::connect(&world.config.nats).await.expect("a connection");
    let settings = [
        "nats.client_name=night-desk",
        "streams.input.name=RAW2",
        "streams.input.subjects=in.>",
        "streams.input.message_bytes_max=500000",
        "streams.output.name=OUT2",
        "streams.output.subjects=out.>",
        "streams.output.subject=out.{language}.{agency}",
        "streams.output.duplicate_window_ms=120000",
        "streams.dead.name=DEAD2",
        "streams.dead.subjects=bad.>",
        "streams.dead.subject=bad.here.{reason}",
        "streams.held.name=HELD2",
        "streams.held.subjects=hold.>",
        "streams.held.subject=hold.here.{story}",
        "streams.state.bucket=memory",
        "embargo.mode=hold",
        "inputs.main.subject=in.>",
        "inputs.main.ack_pending_max=700",
        "delivery.ack_wait_ms=4000",
        "work.threads=1",
    ];
    let worker = world.worker("worker", &settings);
    world.until("readiness", &worker, async |_| worker.get("/readyz").0 == 200).await;
    let said = fs::read_to_string(world.server.log()).expect("a log");
    assert!(said.contains("night-desk"), "the server knows the client's name");
    // Told a moment after the worker is ready.
    let threads = async |_: &World| worker.metric("copydesk_pool_threads").is_some();
    world.until("a count of threads", &worker, threads).await;
    assert_eq!(worker.metric("copydesk_pool_threads"), Some(1.0));
    let raw = world.stream("RAW2").await;
    let created = &raw.cached_info().config;
    assert_eq!((created.max_message_size, created.subjects.as_slice()), (500_000, ["in.>".to_owned()].as_slice()));
    let consumer = raw.consumer_info("copydesk").await.expect("a consumer").config;
    assert_eq!((consumer.max_ack_pending, consumer.ack_wait.as_secs()), (700, 4));
    assert_eq!(consumer.filter_subject, "in.>");
    assert_eq!(world.stream("OUT2").await.cached_info().config.duplicate_window.as_secs(), 120);
    world.broker.jetstream.get_key_value("memory").await.expect("the bucket");
    world.publish("in.a", HeaderMap::new(), story(1).as_bytes()).await;
    world.publish("in.a", HeaderMap::new(), b"").await;
    let embargoed = serde_json::json!({"uri": "urn:desk:budget", "version": "1", "type": "text", "headline": "Budget",
        "embargoed": "2999-01-01T00:00:00Z", "body_text": "The budget grows by a tenth, the minister will say."});
    world.publish("in.a", HeaderMap::new(), embargoed.to_string().as_bytes()).await;
    for (stream, subject) in [("OUT2", "out."), ("DEAD2", "bad.here."), ("HELD2", "hold.here.")] {
        world.until(stream, &worker, async |world| world.count(stream).await == 1).await;
        let message = world.stream(stream).await.get_raw_message(1).await.expect("a message");
        assert!(message.subject.starts_with(subject), "{} does not begin with {subject}", message.subject);
    }
}

//! A look at a live deployment: is everything as the promise needs it?
//!
//! Everything that can be asked of the broker is asked; what workers and the server's monitoring say
//! comes in from outside, where there is any ([`Outside`]). Nothing is changed. Each finding says what
//! is, why it matters, and what mends it. The judgements are pure; [`examine`] gathers what they need.

use std::{collections::BTreeMap, time::Duration};

use async_nats::jetstream::{consumer, context::ConsumerInfoErrorKind, stream};
use serde::Serialize;
use serde_json::Value;

use super::{
    broker::{Broker, version},
    checkpoint,
    config::{Config, Input},
    names,
    reading::{Depth, ReadError, Start, each, look},
    state::StateBucket,
    topology,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The promise is not kept, or work stands still.
    Failure,
    /// It will not be kept when something else goes wrong.
    Warning,
    /// Worth knowing; nothing has to be done.
    Note,
    /// As it should be.
    Well,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The check's name, for scripts.
    pub check: &'static str,
    /// The setting, and where it stands.
    pub setting: String,
    /// What it is.
    pub is: String,
    /// Why it matters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What mends it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mend: String,
}

impl Finding {
    fn well(check: &'static str, setting: &str, is: String) -> Self {
        let (why, mend) = (String::new(), String::new());
        Self { severity: Severity::Well, check, setting: setting.to_owned(), is, why, mend }
    }

    fn bad(severity: Severity, check: &'static str, setting: &str, is: String, why: &str, mend: String) -> Self {
        Self { severity, check, setting: setting.to_owned(), is, why: why.to_owned(), mend }
    }
}

/// What is known from elsewhere than the broker's JetStream.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// A worker's metrics.
    pub metrics: Option<String>,
    /// Whether a worker calls itself ready, and its words.
    pub ready: Option<(bool, String)>,
    /// `/varz` of the server's monitoring.
    pub varz: Option<Value>,
    /// `/connz` of the same.
    pub connz: Option<Value>,
    /// How many workers there are, where somebody says so.
    pub workers: Option<u64>,
}

/// Records whose times are looked at when no worker tells how long it takes.
const RECORDS_LOOKED_AT: u64 = 1_000;
/// Stories below which a worker's histogram says nothing.
const STORIES_MIN: u64 = 20;
/// An outage of the fleet that a duplicate window should cover.
const OUTAGE: Duration = Duration::from_mins(10);

/// Looks at everything.
///
/// # Errors
/// The broker does not say.
pub async fn examine(broker: &Broker, config: &Config, outside: &Outside) -> Result<Vec<Finding>, ReadError> {
    let mut found = Vec::new();
    let server = broker.client.server_info();
    found.extend(judge_server(&server.version));
    found.extend(outside.ready.as_ref().map(|(is_ready, words)| judge_ready(*is_ready, words)));
    let differences = topology::differences(broker, config).await?;
    if differences.is_empty() {
        found.push(Finding::well("topology", "streams and consumers", "as the configuration says".to_owned()));
    }
    found.extend(differences.iter().map(judge_difference));
    for subject in config.unread_subjects() {
        let why = "stories on it wait for ever";
        let mend = "an input that reads it (`inputs.<name>.subject`), or fewer subjects of the stream".to_owned();
        found.push(Finding::bad(
            Severity::Warning,
            "unread",
            "streams.input.subjects",
            format!("no input reads all of {subject}"),
            why,
            mend,
        ));
    }
    let streams = &config.streams;
    let mut copies: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for name in [&streams.input.name, &streams.output.name, &streams.dead.name] {
        let info = match look(&broker.jetstream, name).await {
            Ok(info) => info,
            // The comparison has said so.
            Err(ReadError::Missing(_)) => continue,
            Err(error) => return Err(error),
        };
        found.extend(judge_room(name, &info));
        found.extend(judge_copies(name, &info));
        copies.entry(info.config.num_replicas).or_default().push(name.as_str());
        if name == &streams.dead.name && info.state.messages > 0 {
            let mend = "copydesk dead list".to_owned();
            let is = format!("{} wait", info.state.messages);
            let why = "they are stories that nobody has read";
            found.push(Finding::bad(Severity::Note, "dead_letters", name, is, why, mend));
        }
    }
    for (replicas, names) in copies {
        found.push(judge_sync(&names.join(", "), replicas, outside.varz.as_ref()));
    }
    found.extend(outside.varz.as_ref().and_then(judge_store));
    let bucket = StateBucket::peek(broker, config).await;
    let workers = workers(config, outside);
    for (name, input) in &config.inputs.0 {
        let Some((info, input_stream)) = consumer_info(broker, config, input).await? else { continue };
        found.extend(judge_consumer(name, input, &streams.input.name, &info, workers));
        let took = match outside.metrics.as_deref().and_then(measured) {
            Some(took) => Some(took),
            None => stamped(broker, config).await?,
        };
        found.push(judge_ack_wait(&streams.input.name, &input.durable, info.config.ack_wait, took));
        let oldest = oldest(broker, config, input, &info).await?;
        if let Ok(output) = look(&broker.jetstream, &streams.output.name).await {
            found.push(judge_window(config, &output, oldest.filter(|_| info.num_ack_pending > 0)));
        }
        found.extend(judge_age(&input_stream, oldest));
        let noted = match &bucket {
            Some(bucket) => checkpoint::read(bucket, &input.durable).await.ok().flatten(),
            None => None,
        };
        if noted.is_none() && info.ack_floor.stream_sequence > 0 {
            found.push(Finding::bad(
                Severity::Warning,
                "checkpoint",
                &format!("consumer {}", input.durable),
                "its place is noted nowhere".to_owned(),
                "a consumer that is deleted then has to be made anew by hand",
                "a running worker notes it every two seconds; look for `cannot note` in its log".to_owned(),
            ));
        }
    }
    found.sort_by_key(|finding| finding.severity);
    Ok(found)
}

/// How many workers there are, and how that is known.
fn workers(config: &Config, outside: &Outside) -> (u64, &'static str) {
    if let Some(workers) = outside.workers {
        return (workers, "as told");
    }
    let connections = outside.connz.as_ref().and_then(|connz| connz["connections"].as_array());
    let named = connections.map(|all| all.iter().filter(|one| one["name"] == config.nats.client_name.as_str()).count());
    match named {
        // One of them is this command itself, under the same name.
        Some(count) if count > 1 => (count as u64 - 1, "by the server's connections"),
        _ => (1, "taken for one; --workers says how many"),
    }
}

async fn consumer_info(
    broker: &Broker,
    config: &Config,
    input: &Input,
) -> Result<Option<(consumer::Info, stream::Info)>, ReadError> {
    let name = &config.streams.input.name;
    let stream = match look(&broker.jetstream, name).await {
        Ok(info) => info,
        Err(ReadError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| ReadError::of(name, &error))?;
    match handle.consumer_info(&input.durable).await {
        Ok(info) => Ok(Some((info, stream))),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::of(name, &error)),
    }
}

/// Age of the oldest story of an input that is not done.
async fn oldest(
    broker: &Broker,
    config: &Config,
    input: &Input,
    info: &consumer::Info,
) -> Result<Option<Duration>, ReadError> {
    if info.num_pending == 0 && info.num_ack_pending == 0 {
        return Ok(None);
    }
    let name = &config.streams.input.name;
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| ReadError::of(name, &error))?;
    let first = handle.get_first_raw_message_by_subject(&input.subject, info.ack_floor.stream_sequence + 1).await;
    let Ok(message) = first else { return Ok(None) };
    let age = jiff::Timestamp::now().as_nanosecond() - message.time.unix_timestamp_nanos();
    Ok(Some(Duration::from_nanos(u64::try_from(age).unwrap_or(0))))
}

/// How long stories take, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Took {
    p99: Duration,
    count: u64,
    is_measured: bool,
}

/// By a worker's own histograms: the sum of what 99 of 100 stories stay below in each of its parts.
fn measured(metrics: &str) -> Option<Took> {
    let mut p99 = 0.0;
    let mut count = u64::MAX;
    for stage in ["wait", "read", "publish", "ack"] {
        let prefix = format!("copydesk_stage_seconds_bucket{{stage=\"{stage}\",le=\"");
        let buckets: Vec<(f64, f64)> = metrics
            .lines()
            .filter_map(|line| {
                let (bound, value) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
                Some((bound, value.trim().parse().ok()?))
            })
            .collect();
        let all = buckets.last().map(|(_, all)| *all)?;
        count = count.min(all as u64);
        p99 += buckets.iter().find(|(_, below)| *below >= all * 0.99).map(|(bound, _)| *bound)?;
    }
    let p99 = Duration::try_from_secs_f64(p99).unwrap_or(Duration::MAX);
    (count >= STORIES_MIN).then_some(Took { p99, count, is_measured: true })
}

/// By the times on the newest records: from the storing of the story to that of its record.
async fn stamped(broker: &Broker, config: &Config) -> Result<Option<Took>, ReadError> {
    let name = &config.streams.output.name;
    let last = match look(&broker.jetstream, name).await {
        Ok(info) => info.state.last_sequence,
        Err(ReadError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut took = Vec::new();
    let start = Start::Sequence((last + 1).saturating_sub(RECORDS_LOOKED_AT));
    each(&broker.jetstream, name, start, None, Depth::Headers, |seen| {
        if let Some((origin, _)) = names::read_origin(&seen.headers) {
            took.push(u64::try_from(seen.stored_ns.saturating_sub(origin.stored_ns)).unwrap_or(0));
        }
        std::ops::ControlFlow::Continue(())
    })
    .await?;
    took.sort_unstable();
    let p99 = took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied();
    Ok(p99.map(|p99| Took { p99: Duration::from_nanos(p99), count: took.len() as u64, is_measured: false }))
}

fn judge_server(server: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let update = || "update nats-server, one node after the other".to_owned();
    if let Some(verdict) = version::judge(server) {
        let severity = if verdict.is_too_old { Severity::Failure } else { Severity::Warning };
        let why = "the worker or its operator relies on what is missing";
        found.push(Finding::bad(severity, "server", "nats-server", verdict.what, why, update()));
    }
    for fault in version::faults(server) {
        let is = format!("{server} has a known fault, mended in {}", fault.mended);
        found.push(Finding::bad(Severity::Warning, "server_faults", "nats-server", is, fault.what, update()));
    }
    if found.is_empty() {
        found.push(Finding::well("server", "nats-server", server.to_owned()));
    }
    found
}

fn judge_ready(is_ready: bool, words: &str) -> Finding {
    let words = words.trim().to_owned();
    match is_ready {
        true => Finding::well("worker", "/readyz", words),
        false => Finding::bad(
            Severity::Failure,
            "worker",
            "/readyz",
            words,
            "a worker that is not ready asks for no stories, or ends none",
            "docs/OPERATIONS.md, Probes, says what to do at each obstacle".to_owned(),
        ),
    }
}

fn judge_difference(difference: &topology::Difference) -> Finding {
    let (is, command) = difference.split_command();
    let (severity, why) = match difference.breaks_the_promise {
        true => (Severity::Failure, "the promise cannot be kept with it: a worker refuses to start"),
        false => (Severity::Warning, "it is not as the configuration says; a worker warns of it at its start"),
    };
    let mend = command.unwrap_or("change the configuration or the object, whichever is wrong").to_owned();
    Finding::bad(severity, "topology", &difference.object, is.to_owned(), why, mend)
}

fn judge_room(name: &str, info: &stream::Info) -> Option<Finding> {
    let share = |used: u64, of: i64| if of > 0 { used as f64 / of as f64 } else { 0.0 };
    let messages = share(info.state.messages, info.config.max_messages);
    let bytes = share(info.state.bytes, info.config.max_bytes);
    let (share, what) = if messages > bytes { (messages, "messages") } else { (bytes, "bytes") };
    let severity = match share {
        0.95.. => Severity::Failure,
        0.8.. => Severity::Warning,
        _ => return None,
    };
    let why = "a full stream takes nothing: publishers are refused, or the workers hold everything";
    let mend = format!("nats stream edit {name} --max-msgs=-1 --max-bytes=-1 (or larger), or purge what is consumed");
    Some(Finding::bad(severity, "room", name, format!("{:.0} % of its {what} are used", share * 100.0), why, mend))
}

fn judge_copies(name: &str, info: &stream::Info) -> Vec<Finding> {
    let mut found = Vec::new();
    let replicas = info.config.num_replicas;
    let Some(cluster) = info.cluster.as_ref().filter(|_| replicas > 1) else { return found };
    if cluster.leader.as_deref().unwrap_or_default().is_empty() {
        let mend = format!("nats stream info {name}; bring the missing servers back");
        let why = "without a leader it takes and gives nothing";
        found.push(Finding::bad(Severity::Failure, "replicas", name, "has no leader".to_owned(), why, mend));
    }
    for peer in cluster.replicas.iter().filter(|peer| peer.offline || !peer.current) {
        let state = if peer.offline { "is offline" } else { "is behind" };
        let is = format!("{} {state}, by {} operations", peer.name, peer.lag.unwrap_or(0));
        let why = "the next server that fails may take the stream's majority or its newest messages with it";
        found.push(Finding::bad(Severity::Warning, "replicas", name, is, why, format!("nats stream info {name}")));
    }
    if found.is_empty() {
        found.push(Finding::well("replicas", name, format!("{replicas} copies, all current")));
    }
    found
}

fn judge_sync(name: &str, replicas: usize, varz: Option<&Value>) -> Finding {
    let mend = "sync_interval: always in the server's `jetstream` block; streams of three copies on three machines";
    let why = "what the server has confirmed and not written yet dies with the machine";
    let copies = if replicas == 1 { "one copy".to_owned() } else { format!("{replicas} copies") };
    let Some(varz) = varz else {
        let is =
            format!("{copies}; how often the server writes to the disk cannot be seen (--monitor http://host:8222)");
        return Finding::bad(Severity::Note, "fsync", name, is, why, mend.to_owned());
    };
    let config = &varz["jetstream"]["config"];
    let interval = Duration::from_nanos(config["sync_interval"].as_u64().unwrap_or(0));
    let is_always = config["sync_always"].as_bool().unwrap_or(false);
    let written = if is_always { "after each message".to_owned() } else { format!("every {} s", interval.as_secs()) };
    let is = format!("{copies}, written to the disk {written}");
    match (replicas, is_always) {
        (_, true) => Finding::well("fsync", name, is),
        (1, false) => Finding::bad(Severity::Warning, "fsync", name, is, why, mend.to_owned()),
        (_, false) => Finding::bad(Severity::Note, "fsync", name, is, why, mend.to_owned()),
    }
}

fn judge_store(varz: &Value) -> Option<Finding> {
    let max = varz["jetstream"]["config"]["max_storage"].as_f64()?;
    let share = varz["jetstream"]["stats"]["storage"].as_f64()? / max.max(1.0);
    let is = format!("{:.0} % of its JetStream storage is used", share * 100.0);
    let why = "a server without storage takes nothing";
    let mend = "larger `max_file_store`, or limits on the streams".to_owned();
    Some(match share {
        0.95.. => Finding::bad(Severity::Failure, "storage", "nats-server", is, why, mend),
        0.8.. => Finding::bad(Severity::Warning, "storage", "nats-server", is, why, mend),
        _ => Finding::well("storage", "nats-server", is),
    })
}

fn judge_consumer(
    name: &str,
    input: &Input,
    stream: &str,
    info: &consumer::Info,
    (workers, known): (u64, &str),
) -> Vec<Finding> {
    let mut found = Vec::new();
    let durable = &input.durable;
    let setting = format!("consumer {durable}: max_ack_pending");
    let allowed = u64::try_from(info.config.max_ack_pending).unwrap_or(u64::MAX);
    let open = info.num_ack_pending as u64;
    let needed = workers * u64::from(input.stories_max);
    let raise = |to: u64| {
        format!("nats consumer edit {stream} {durable} --max-pending={to}; `inputs.{name}.ack_pending_max = {to}`")
    };
    if allowed != u64::MAX && open * 10 >= allowed * 9 {
        let is = format!("{open} of {allowed} deliveries are open");
        let why = "at its maximum the consumer gives nobody anything more";
        let mend = format!("find what holds them (/readyz, throttled keys), or {}", raise(allowed.saturating_mul(2)));
        found.push(Finding::bad(Severity::Failure, "ack_pending", &setting, is, why, mend));
    } else if allowed < needed {
        let is = format!("{allowed}, and {workers} workers ({known}) have room for {needed} stories");
        let why = "workers stand idle though they have room";
        found.push(Finding::bad(Severity::Warning, "ack_pending", &setting, is, why, raise(needed * 2)));
    } else {
        let is = format!("{allowed} for {needed} permits of {workers} workers ({known}), {open} open");
        found.push(Finding::well("ack_pending", &setting, is));
    }
    let setting = format!("consumer {durable}: waiting pulls");
    let is = format!("{} requests wait; {} stories wait, {open} are open", info.num_waiting, info.num_pending);
    let start = "start a worker; if one runs, ask its /readyz".to_owned();
    found.push(match (info.num_waiting, info.num_pending, open) {
        (0, 1.., 0) => Finding::bad(
            Severity::Failure,
            "waiting_pulls",
            &setting,
            is,
            "stories wait and nobody asks for them",
            start,
        ),
        (0, _, 0) => {
            Finding::bad(Severity::Warning, "waiting_pulls", &setting, is, "the next story would find nobody", start)
        }
        _ => Finding::well("waiting_pulls", &setting, is),
    });
    if info.num_redelivered > 0 {
        let is = format!("{} open stories were delivered more than once", info.num_redelivered);
        let why = "a worker died over them, lost its connection, or could not give signs of life";
        let mend = "copydesk_redeliveries_total over time; the log of the workers".to_owned();
        found.push(Finding::bad(Severity::Note, "redelivered", &format!("consumer {durable}"), is, why, mend));
    }
    found
}

fn judge_ack_wait(stream: &str, durable: &str, ack_wait: Duration, took: Option<Took>) -> Finding {
    let setting = format!("consumer {durable}: ack_wait");
    let Some(Took { p99, count, is_measured }) = took else {
        let is = format!("{} s; no story has been seen to compare with", ack_wait.as_secs_f64());
        return Finding::well("ack_wait", &setting, is);
    };
    let how = match is_measured {
        true => format!("a worker took at most {} for 99 of 100 of {count} stories", seconds(p99)),
        false => format!(
            "99 of 100 of the newest {count} records came within {} of their story, waiting at the broker included",
            seconds(p99)
        ),
    };
    let is = format!("{} s; {how}", ack_wait.as_secs_f64());
    if p99 <= ack_wait / 2 {
        return Finding::well("ack_wait", &setting, is);
    }
    // Waiting at the broker does not count against ack_wait: by time stamps alone nothing is proven.
    let severity = if is_measured { Severity::Warning } else { Severity::Note };
    let why = "only signs of life keep the stories from being delivered again; one pause of a worker and they are";
    let wanted = u64::try_from((p99 * 4).as_millis()).unwrap_or(u64::MAX).clamp(1_000, 600_000);
    let mend = format!("nats consumer edit {stream} {durable} --wait={wanted}ms; `delivery.ack_wait_ms = {wanted}`");
    Finding::bad(severity, "ack_wait", &setting, is, why, mend)
}

/// The longest that a story whose record stands may take to come again while the fleet runs.
fn horizon(config: &Config) -> Duration {
    let delivery = &config.delivery;
    let ms = delivery.ack_wait_ms * 2
        + delivery.publish_timeout_ms
        + delivery.retry_delay_max_ms
        + delivery.give_back_delay_ms
        + delivery.grace_period_ms
        + config.limits.throttled_delay_ms;
    Duration::from_millis(ms)
}

fn judge_window(config: &Config, output: &stream::Info, oldest: Option<Duration>) -> Finding {
    let window = output.config.duplicate_window;
    let horizon = horizon(config);
    let name = &output.config.name;
    let setting = format!("{name}: duplicate window");
    let wanted = (horizon * 10).max(Duration::from_hours(1)).as_secs();
    let mend = format!(
        "nats stream edit {name} --dupe-window={wanted}s; `streams.output.duplicate_window_ms = {}`",
        wanted * 1000
    );
    let is = format!("{} s; a story may come again after {} s", window.as_secs(), horizon.as_secs());
    let why = "a story that comes again after it gives a second record";
    if window < horizon {
        return Finding::bad(Severity::Failure, "duplicate_window", &setting, is, why, mend);
    }
    if let Some(oldest) = oldest.filter(|oldest| *oldest > window) {
        let is = format!("{} s, and the oldest open story was stored {} ago", window.as_secs(), seconds(oldest));
        let why = "if its record stands already, its next delivery gives a second one";
        let mend =
            "copydesk audit --id SEQUENCE says whether its record stands; consumers key by Nats-Msg-Id".to_owned();
        return Finding::bad(Severity::Note, "duplicate_window", &setting, is, why, mend);
    }
    if window < horizon + OUTAGE {
        return Finding::bad(Severity::Warning, "duplicate_window", &setting, is, why, mend);
    }
    Finding::well("duplicate_window", &setting, is)
}

fn judge_age(input: &stream::Info, oldest: Option<Duration>) -> Option<Finding> {
    let max_age = input.config.max_age;
    let name = &input.config.name;
    let setting = format!("{name}: max_age");
    if max_age.is_zero() {
        return oldest.map(|oldest| {
            let is = format!("none; the oldest story that is not done was stored {} ago", seconds(oldest));
            Finding::well("retention", &setting, is)
        });
    }
    let oldest = oldest.unwrap_or_default();
    let is = format!("{}; the oldest story that is not done was stored {} ago", seconds(max_age), seconds(oldest));
    let severity = match oldest.as_secs_f64() / max_age.as_secs_f64() {
        0.9.. => Severity::Failure,
        0.5.. => Severity::Warning,
        _ => return Some(Finding::well("retention", &setting, is)),
    };
    let why = "the stream deletes stories of that age, done or not";
    let mend = format!("nats stream edit {name} --max-age=0s (or longer); more workers");
    Some(Finding::bad(severity, "retention", &setting, is, why, mend))
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..600 => format!("{} s", time.as_secs()),
        600..36_000 => format!("{} min", time.as_secs() / 60),
        _ => format!("{} h", time.as_secs() / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(change: impl Fn(&mut stream::Info)) -> stream::Info {
        let mut info: stream::Info = serde_json::from_value(serde_json::json!({
            "config": {"name": "S", "subjects": ["s.>"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
                "max_bytes": -1, "discard": "new", "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1,
                "storage": "file", "num_replicas": 3, "duplicate_window": 3_600_000_000_000_u64},
            "created": "2026-01-01T00:00:00Z",
            "state": {"messages": 5, "bytes": 10, "first_seq": 1, "first_ts": "2026-01-01T00:00:00Z", "last_seq": 5,
                "last_ts": "2026-01-01T00:00:00Z", "consumer_count": 1},
            "cluster": {"leader": "a", "replicas": [
                {"name": "b", "current": true, "active": 1}, {"name": "c", "current": true, "active": 1}]},
        }))
        .expect("a stream's info");
        change(&mut info);
        info
    }

    #[test]
    fn what_a_worker_measured_is_read_from_its_metrics() {
        let stage = |stage: &str, counts: [u32; 3]| {
            let line = |bound: &str, count| {
                format!("copydesk_stage_seconds_bucket{{stage=\"{stage}\",le=\"{bound}\"}} {count}\n")
            };
            line("0.1", counts[0]) + &line("10", counts[1]) + &line("+Inf", counts[2])
        };
        let fast = [99, 100, 100];
        let text = ["wait", "read", "publish", "ack"].map(|name| stage(name, fast)).concat();
        let took = measured(&text).expect("enough stories");
        assert_eq!((took.p99, took.count), (Duration::from_millis(400), 100));
        let slow = text.replace(&stage("read", fast), &stage("read", [50, 100, 100]));
        assert_eq!(measured(&slow).map(|took| took.p99), Some(Duration::from_millis(10_300)));
        let stuck = text.replace(&stage("read", fast), &stage("read", [50, 50, 100]));
        assert_eq!(measured(&stuck).map(|took| took.p99), Some(Duration::MAX));
        assert_eq!(measured(&["wait", "read", "publish", "ack"].map(|name| stage(name, [1, 1, 1])).concat()), None);
        assert_eq!(measured("copydesk_ready 1\n"), None);
    }

    #[test]
    fn ack_wait_is_judged_by_what_is_proven() {
        let judge = |seconds, is_measured| {
            let took = Took { p99: Duration::from_secs(seconds), count: 100, is_measured };
            judge_ack_wait("S", "c", Duration::from_secs(30), Some(took))
        };
        assert_eq!(judge(15, true).severity, Severity::Well);
        let bad = judge(16, true);
        assert_eq!(bad.severity, Severity::Warning);
        assert!(bad.mend.contains("nats consumer edit S c --wait=64000ms"), "{}", bad.mend);
        assert_eq!(judge(400, false).severity, Severity::Note, "it may have waited at the broker");
        assert_eq!(judge_ack_wait("S", "c", Duration::from_secs(30), None).severity, Severity::Well);
    }

    #[test]
    fn a_window_shorter_than_the_way_back_of_a_story_fails() {
        let config = Config::default();
        let judge = |window: u64, oldest: Option<u64>| {
            let output = info(|info| info.config.duplicate_window = Duration::from_secs(window));
            judge_window(&config, &output, oldest.map(Duration::from_secs)).severity
        };
        let horizon = horizon(&config).as_secs();
        assert_eq!(judge(horizon - 1, None), Severity::Failure);
        assert_eq!(judge(horizon + 1, None), Severity::Warning, "it covers no outage");
        assert_eq!(judge(3600, None), Severity::Well);
        assert_eq!(judge(3600, Some(3500)), Severity::Well);
        assert_eq!(judge(3600, Some(3700)), Severity::Note);
    }

    #[test]
    fn stories_that_grow_old_before_they_are_done_are_told_in_time() {
        let input = info(|info| info.config.max_age = Duration::from_secs(1000));
        let judge = |age| judge_age(&input, Some(Duration::from_secs(age))).map(|finding| finding.severity);
        assert_eq!(judge(400), Some(Severity::Well));
        assert_eq!(judge(600), Some(Severity::Warning));
        assert_eq!(judge(950), Some(Severity::Failure));
        assert_eq!(judge_age(&info(|_| {}), None), None);
    }

    #[test]
    fn copies_that_are_behind_full_streams_and_lazy_disks_are_told() {
        let severities = |found: Vec<Finding>| found.into_iter().map(|one| one.severity).collect::<Vec<_>>();
        assert_eq!(severities(judge_copies("S", &info(|_| {}))), [Severity::Well]);
        let behind = info(|info| {
            let cluster = info.cluster.as_mut().expect("a cluster");
            cluster.leader = None;
            cluster.replicas[1].offline = true;
        });
        assert_eq!(severities(judge_copies("S", &behind)), [Severity::Failure, Severity::Warning]);
        let full = |messages| {
            let info = info(|info| {
                info.config.max_messages = 100;
                info.state.messages = messages;
            });
            judge_room("S", &info).map(|finding| finding.severity)
        };
        assert_eq!([full(79), full(80), full(95)], [None, Some(Severity::Warning), Some(Severity::Failure)]);
        let varz = |config: &str| Some(serde_json::from_str(config).expect("JSON"));
        let lazy = varz(r#"{"jetstream": {"config": {"sync_interval": 120000000000}}}"#);
        let always = varz(r#"{"jetstream": {"config": {"sync_interval": 120000000000, "sync_always": true}}}"#);
        assert_eq!(judge_sync("S", 1, lazy.as_ref()).severity, Severity::Warning);
        assert!(judge_sync("S", 1, lazy.as_ref()).is.contains("every 120 s"));
        assert_eq!(judge_sync("S", 3, lazy.as_ref()).severity, Severity::Note);
        assert_eq!(judge_sync("S", 1, always.as_ref()).severity, Severity::Well);
        assert_eq!(judge_sync("S", 1, None).severity, Severity::Note, "it cannot be seen");
    }
}

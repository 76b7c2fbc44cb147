//! A look at a live deployment: is everything as the promise needs it?
//!
//! Everything that can be asked of the broker is asked; what workers and the server's monitoring say
//! comes in from outside, where there is any ([`Outside`]). Nothing is changed. Each finding says what
//! is, why it matters, and the steps that mend it. The judgements are pure and stand by what they look at, in
//! `server`, `streams`, `consumers` and `workers`; [`examine`] gathers what they need.

mod consumers;
mod server;
mod streams;
mod workers;

use std::{collections::BTreeMap, time::Duration};

use async_nats::jetstream::{consumer, context::ConsumerInfoErrorKind, stream};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::Value;

use super::{
    broker::Broker,
    checkpoint,
    config::{Config, Input},
    mend::Step,
    reading::{ReadError, Seen, look, stored_at},
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
    /// What mends it, or says more where nobody can know what does; one at least where something is not well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mend: Vec<Step>,
}

impl Finding {
    fn well(check: &'static str, setting: &str, is: String) -> Self {
        Self { severity: Severity::Well, check, setting: setting.to_owned(), is, why: String::new(), mend: Vec::new() }
    }

    fn bad<const STEPS: usize>(
        severity: Severity,
        check: &'static str,
        setting: &str,
        is: String,
        why: &str,
        mend: [Step; STEPS],
    ) -> Self {
        const { assert!(STEPS > 0, "a finding without a step leaves its reader alone") };
        Self { severity, check, setting: setting.to_owned(), is, why: why.to_owned(), mend: Vec::from(mend) }
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
    /// `/connz` of the same, from before whoever asks was connected.
    pub connz: Option<Value>,
    /// How many workers there are, where somebody says so.
    pub workers: Option<u64>,
}

/// Consumers of the output stream that are looked at.
const CONSUMERS_MAX: usize = 256;

/// Looks at everything.
///
/// # Errors
/// The broker does not say.
pub async fn examine(broker: &Broker, config: &Config, outside: &Outside) -> Result<Vec<Finding>, ReadError> {
    let mut found = server::version(&broker.client.server_info().version);
    found.extend(outside.ready.as_ref().map(|(is_ready, words)| workers::ready(*is_ready, words, config)));
    let differences = topology::differences(broker, config).await?;
    if differences.is_empty() {
        found.push(Finding::well("topology", "streams and consumers", "as the configuration says".to_owned()));
    }
    found.extend(differences.into_iter().map(streams::difference));
    found.extend(streams::unread(config));
    found.extend(all_streams(broker, config, outside).await?);
    let bucket = StateBucket::peek(broker, config).await;
    let workers = workers::count(config, outside);
    let stream_name = &config.streams.input.name;
    for (name, input) in &config.inputs.0 {
        let Some((info, input_stream)) = consumer_info(broker, config, input).await? else { continue };
        let open = oldest(broker, stream_name, &input.subject, &info).await?;
        found.push(consumers::permits(name, input, stream_name, &info, workers));
        found.push(consumers::pulls(&input.durable, &info));
        found.extend(consumers::redelivered(&input.durable, &info, open.as_ref()));
        let took = match outside.metrics.as_deref().and_then(workers::measured) {
            Some(took) => Some(took),
            None => workers::stamped(broker, config).await?,
        };
        found.push(consumers::ack_wait(stream_name, &input.durable, info.config.ack_wait, took));
        if let Ok(output) = look(&broker.jetstream, &config.streams.output.name).await {
            let delivered = open.as_ref().filter(|_| info.num_ack_pending > 0);
            found.push(streams::window(config, &output, delivered.map(|seen| (seen.sequence, age(seen)))));
        }
        found.extend(streams::story_age(&input_stream, open.as_ref().map(age)));
        let noted = match &bucket {
            Some(bucket) => checkpoint::read(bucket, &input.durable).await.ok().flatten(),
            None => None,
        };
        found.extend(consumers::checkpoint(&input.durable, &info, noted.is_some(), config));
    }
    found.sort_by_key(|finding| finding.severity);
    Ok(found)
}

/// What can be said of each of the three streams by itself.
async fn all_streams(broker: &Broker, config: &Config, outside: &Outside) -> Result<Vec<Finding>, ReadError> {
    let mut found = Vec::new();
    let streams = &config.streams;
    let mut copies: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for name in [&streams.input.name, &streams.output.name, &streams.dead.name] {
        let info = match look(&broker.jetstream, name).await {
            Ok(info) => info,
            // The comparison has said so.
            Err(ReadError::Missing(_)) => continue,
            Err(error) => return Err(error),
        };
        found.extend(streams::room(&info));
        found.extend(streams::copies(&info));
        copies.entry(info.config.num_replicas).or_default().push(name.clone());
        if name == &streams.dead.name {
            found.extend(streams::letters(&info));
            found.extend(streams::letter_age(&info, jiff::Timestamp::now()));
        }
        if name == &streams.output.name && !info.config.max_age.is_zero() {
            let readers = readers(broker, name).await?;
            found.push(streams::record_age(&info, &readers));
        }
    }
    for (replicas, names) in copies {
        found.push(server::sync(&names, replicas, outside.varz.as_ref()));
    }
    found.extend(outside.varz.as_ref().and_then(server::store));
    Ok(found)
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

/// The durable consumers of a stream, each with the age of the oldest message that it has not done.
async fn readers(broker: &Broker, name: &str) -> Result<Vec<(String, Option<Duration>)>, ReadError> {
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(name, error);
    let handle = broker.jetstream.get_stream_no_info(name).await.map_err(|error| wrong(&error))?;
    let mut consumers = handle.consumers();
    let mut readers = Vec::new();
    while let Some(info) = consumers.try_next().await.map_err(|error| wrong(&error))? {
        let Some(durable) = info.config.durable_name.clone() else { continue };
        // Of several filters the first speaks for all: the age of one message is not worth a search for each.
        let subject = match info.config.filter_subjects.first() {
            Some(first) => first.clone(),
            None => info.config.filter_subject.clone(),
        };
        let subject = if subject.is_empty() { ">" } else { &subject };
        readers.push((durable, oldest(broker, name, subject, &info).await?.as_ref().map(age)));
        if readers.len() >= CONSUMERS_MAX {
            break;
        }
    }
    Ok(readers)
}

/// The oldest message that a consumer has not done.
async fn oldest(
    broker: &Broker,
    stream: &str,
    subject: &str,
    info: &consumer::Info,
) -> Result<Option<Seen>, ReadError> {
    if info.num_pending == 0 && info.num_ack_pending == 0 {
        return Ok(None);
    }
    let found = stored_at(&broker.jetstream, stream, info.ack_floor.stream_sequence + 1, Some(subject)).await?;
    Ok(found.map(|(seen, _)| seen))
}

/// How long ago a message was stored.
fn age(seen: &Seen) -> Duration {
    let age = jiff::Timestamp::now().as_nanosecond() - i128::from(seen.stored_ns);
    Duration::from_nanos(u64::try_from(age).unwrap_or(0))
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..600 => format!("{} s", time.as_secs()),
        600..36_000 => format!("{} min", time.as_secs() / 60),
        _ => format!("{} h", time.as_secs() / 3600),
    }
}

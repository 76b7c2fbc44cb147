//! What is looked at from time to time: how much is here, what waits at the broker, whether it answers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::{
    broker::Broker,
    config::Input,
    delivery::Context,
    http::Readiness,
    metrics::{self, Consumer},
    readiness::State,
    reading::{ReadError, stored_at},
    turns::Lane,
};

/// How often; also how often the broker is asked for an answer.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for its answer. Shorter than other requests, so that silence is noticed.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Refreshes every gauge and lets the exporter tidy up, until `stop`.
pub async fn refresh(
    context: Arc<Context>,
    broker: Broker,
    state: Arc<State>,
    recorder: Option<PrometheusHandle>,
    stop: CancellationToken,
) {
    for (name, input) in &context.config.inputs.0 {
        metrics::permits(name, input.stories_max, input.bytes_max);
    }
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        own(&context, &state);
        let asked = async {
            for (name, input) in &context.config.inputs.0 {
                let stream = &context.config.streams.input.name;
                if let Some(consumer) = ask(&broker, stream, &input.durable).await {
                    state.heard();
                    metrics::consumer(name, consumer);
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = asked => {}
        }
        if let Some(recorder) = &recorder {
            recorder.run_upkeep();
        }
    }
}

/// How often the oldest open story is looked for. Each time costs a question after the consumer, and a reading of
/// one story when the consumer's floor has moved.
const OLDEST_INTERVAL: Duration = Duration::from_secs(5);

/// The first story of an input that is not done.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Where the consumer's floor was.
    floor: u64,
    /// When the story was stored, in nanoseconds since 1970.
    stored_ns: i64,
}

/// Tells how old the oldest story is that is not done, until `stop`. Apart from the other gauges, because a
/// broker that gives no story to read must not seem to be silent.
pub async fn tell_oldest_open(context: Arc<Context>, broker: Broker, stop: CancellationToken) {
    let mut known: BTreeMap<&str, Open> = BTreeMap::new();
    let mut tick = tokio::time::interval(OLDEST_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        for (name, input) in &context.config.inputs.0 {
            let looking = first_open(&broker, &context.config.streams.input.name, input, known.get(name.as_str()));
            match stop.run_until_cancelled(tokio::time::timeout(ANSWER_MAX, looking)).await {
                None => return,
                Some(Ok(Ok(Some(open)))) => {
                    known.insert(name, open);
                }
                Some(Ok(Ok(None))) => {
                    known.remove(name.as_str());
                }
                // No answer: what was open goes on growing old.
                Some(Ok(Err(_)) | Err(_)) => {}
            }
            let now_ns = jiff::Timestamp::now().as_nanosecond();
            let age_ns = known.get(name.as_str()).map_or(0, |open| now_ns - i128::from(open.stored_ns));
            metrics::oldest_open(name, age_ns as f64 / 1e9);
        }
    }
}

/// The first open story of an input; none when all are done.
async fn first_open(
    broker: &Broker,
    stream: &str,
    input: &Input,
    known: Option<&Open>,
) -> Result<Option<Open>, ReadError> {
    let wrong = |error: &dyn std::fmt::Display| ReadError::of(stream, error);
    let handle = broker.jetstream.get_stream_no_info(stream).await.map_err(|error| wrong(&error))?;
    let info = handle.consumer_info(&input.durable).await.map_err(|error| wrong(&error))?;
    if info.num_pending == 0 && info.num_ack_pending == 0 {
        return Ok(None);
    }
    let floor = info.ack_floor.stream_sequence;
    if let Some(open) = known.filter(|open| open.floor == floor) {
        return Ok(Some(*open));
    }
    let found = stored_at(&broker.jetstream, stream, floor + 1, Some(&input.subject)).await?;
    Ok(found.map(|(story, _)| Open { floor, stored_ns: story.stored_ns }))
}

/// What the worker knows by itself.
fn own(context: &Context, state: &State) {
    let flights = context.registry.all();
    let now = jiff::Timestamp::now();
    for name in context.config.inputs.0.keys() {
        let here = || flights.iter().filter(|flight| &*flight.input == name);
        metrics::in_flight(name, here().count(), here().map(|flight| flight.payload.len()).sum());
        let oldest = here().map(|flight| flight.origin.stored()).min();
        metrics::oldest(name, oldest.map_or(0.0, |stored| now.duration_since(stored).as_secs_f64()));
    }
    for (lane, waiting) in Lane::ALL.into_iter().zip(context.admission.waiting()) {
        metrics::lane_waiting(lane.label(), waiting);
    }
    context.metrics.output_open(!context.egress.gate.is_stopped_by_a_sink());
    if context.admission.is_holding() {
        state.held_by_a_limit();
    }
    metrics::condition(state.obstacles().is_empty(), state.silence(), state.pool.threads(), state.pool.lost());
}

/// What the broker says of a consumer; `None` when it does not answer. Any answer is a sign of life,
/// but only a consumer has figures.
async fn ask(broker: &Broker, stream: &str, durable: &str) -> Option<Consumer> {
    let asking = async {
        let handle = broker.jetstream.get_stream_no_info(stream).await.ok()?;
        handle.consumer_info(durable).await.ok()
    };
    let info = tokio::time::timeout(ANSWER_MAX, asking).await.ok()??;
    Some(Consumer {
        pending: info.num_pending,
        ack_pending: info.num_ack_pending,
        ack_pending_max: u64::try_from(info.config.max_ack_pending).unwrap_or(0),
        redelivered: info.num_redelivered,
        waiting: info.num_waiting,
    })
}

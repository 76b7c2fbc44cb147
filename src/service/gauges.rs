//! What is looked at from time to time: how much is here, what waits at the broker, whether it answers.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::{
    broker::Broker,
    delivery::Context,
    http::Readiness,
    metrics::{self, Consumer},
    readiness::State,
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
        redelivered: info.num_redelivered,
        waiting: info.num_waiting,
    })
}

//! The service: subscribes, limits, schedules, publishes, acknowledges, reports.
//!
//! It knows nothing about language: what becomes of a story's bytes is up to a
//! [`pool::Reader`]. `docs/DELIVERY.md` says what it promises and how, step by step; the steps'
//! numbers stand in the code.

pub mod admission;
pub mod audit;
pub mod broker;
pub mod checkpoint;
pub mod config;
pub mod dead;
pub mod delivery;
pub mod doctor;
pub mod egress;
pub mod embargo;
pub mod failpoint;
pub mod flight;
pub mod gauges;
pub mod http;
pub mod ingress;
pub mod ledger;
pub mod lineage;
pub mod mend;
pub mod metrics;
pub mod names;
pub mod poison;
pub mod pool;
mod rates;
pub mod readiness;
pub mod reading;
pub mod running;
pub mod shared_desk;
pub mod state;
pub mod topology;
pub mod trace;
pub mod turns;
pub mod unreadable;
pub mod whereabouts;

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use self::{
    admission::Admission,
    broker::Broker,
    config::Config,
    delivery::Context,
    egress::{Egress, Room},
    flight::{Entered, Flight, Registry},
    ingress::{Arrival, Budget, Puller},
    metrics::{Metrics, Outcome},
    poison::Poison,
    pool::{Pool, Reader},
    readiness::State,
    state::StateBucket,
    topology::TopologyError,
};

/// What a worker did, told when it stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Deliveries by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Whether everything that was sent has reached the broker.
    pub flushed: bool,
    /// Whether it stopped because half of its pool was lost: a new process has all of it.
    pub worn_out: bool,
}

impl Summary {
    /// How many deliveries ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Whether everything that was begun was finished, and what was given back has arrived.
    pub fn is_clean(&self) -> bool {
        self.count(Outcome::Left) == 0 && (self.flushed || self.count(Outcome::GivenBack) == 0)
    }
}

/// What is kept of the grace period for flushing and closing the connection.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// Runs a worker until `stop`, then finishes what is begun within the grace period (step 9).
/// `listening` is told the address of the HTTP port, where there is one.
///
/// # Errors
/// The configuration cannot be used, or the topology would break the promise.
pub async fn run(
    config: Config,
    reader: Arc<dyn Reader>,
    recorder: Option<PrometheusHandle>,
    stop: CancellationToken,
    mut reloads: watch::Receiver<Arc<Config>>,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<Summary> {
    let state = Arc::new(State::new(&config.http));
    // Ends whatever serves the worker, however it leaves.
    let end = CancellationToken::new();
    let _end_guard = end.clone().drop_guard();
    let tasks = TaskTracker::new();
    if !config.http.listen.is_empty() {
        let (listener, address) = http::bind(&config.http.listen).await?;
        listening(address);
        let serving = http::serve(listener, state.clone(), recorder.clone(), end.clone());
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = %error, "the HTTP port failed");
            }
        });
    }
    let metrics = Metrics::new();
    let broker = broker::connect(&config.nats).await?;
    state.listens_to(broker.signs.clone());
    tasks.spawn(follow_connection(broker.connected.clone(), state.clone(), end.clone()));
    let Some(bucket) = prepare(&broker, &config, &stop).await? else { return Ok(Summary::default()) };
    state.consuming.store(true, Ordering::Relaxed);

    let stop_now = CancellationToken::new();
    let deadline = Duration::from_millis(config.limits.story_deadline_ms);
    let bucket_of_stories =
        state::PatientBucket::new(bucket.clone(), state.gate.clone(), &config.delivery, stop_now.clone());
    let context = Arc::new(Context {
        client: broker.client.clone(),
        admission: Admission::new(&config.limits),
        poison: Poison::new(bucket_of_stories.clone(), config.work.begun_max, config.limits.rest_every),
        pool: Pool::new(usize::from(config.work.threads), deadline, reader, state.pool.clone())
            .context("cannot start the CPU pool")?,
        egress: Egress {
            client: broker.client.clone(),
            gate: state.gate.clone(),
            room: Room::new(config.inputs.0.values().map(|input| input.bytes_max).sum()),
            delivery: config.delivery.clone(),
            stop_now: stop_now.clone(),
        },
        jetstream: broker.jetstream.clone(),
        keeper: lineage::Keeper::new(bucket_of_stories, config.lineage.enabled),
        looked_at: delivery::LookedAt::default(),
        registry: Arc::new(Registry::default()),
        metrics,
        stopping: stop.clone(),
        config,
    });
    // A message that ended the process before this one must not end it too.
    let mut looked = unreadable::Looked::default();
    let looking = Box::pin(unreadable::look_at_all(&context, &broker, &mut looked));
    let _ = stop.run_until_cancelled(looking).await;
    let stories = TaskTracker::new();
    // The parts that must live as long as the worker: the end of one before its time is an error.
    let (mut inputs, mut keepers) = (JoinSet::new(), JoinSet::new());
    for (name, input) in &context.config.inputs.0 {
        let budget = Arc::new(Budget::new(input.stories_max, input.bytes_max));
        let connected = broker.connected.clone();
        let reading =
            read_input(name.as_str().into(), budget, connected, context.clone(), stories.clone(), state.clone());
        inputs.spawn(reading.map(|()| "an input"));
    }
    keepers.spawn(keep_alive(context.clone(), end.clone()).map(|()| "the signs of life"));
    let unreadable = unreadable::watch(context.clone(), broker.clone(), looked, end.clone());
    keepers.spawn(unreadable.map(|()| "the look at unreadable messages"));
    keepers.spawn(broker::watch_client(broker.clone(), end.clone()).map(|()| "the connection"));
    let looking = gauges::refresh(context.clone(), broker.clone(), state.clone(), recorder, end.clone());
    keepers.spawn(looking.map(|()| "the gauges"));
    let aging = gauges::tell_oldest_open(context.clone(), broker.clone(), end.clone());
    keepers.spawn(aging.map(|()| "the age of open stories"));
    keepers.spawn(embargo::keep(context.clone(), end.clone()).map(|()| "the release of held stories"));
    let comparing = running::keep(broker.clone(), Arc::new(context.config.clone()), bucket.clone(), end.clone());
    keepers.spawn(comparing.map(|()| "the running ledger"));
    let checkpoints = checkpoint::keep(broker.clone(), context.config.clone(), bucket, end.clone());
    keepers.spawn(checkpoints.map(|()| "the checkpoints"));
    let reloading = {
        let (context, end) = (context.clone(), end.clone());
        async move {
            while let Some(Ok(())) = end.run_until_cancelled(reloads.changed()).await {
                let limits = reloads.borrow_and_update().limits.clone();
                context.limit(&limits);
                tracing::info!("the limits of the new configuration hold");
            }
        }
    };
    tasks.spawn(reloading);
    let worn_out = CancellationToken::new();
    tasks.spawn(watch_pool(state.pool.clone(), worn_out.clone(), end.clone()));
    for subject in context.config.unread_subjects() {
        tracing::warn!(subject, "no input reads all of this subject of the input stream; its stories wait");
    }
    tracing::info!(
        stream.input = %context.config.streams.input.name, stream.output = %context.config.streams.output.name,
        inputs = context.config.inputs.0.len(), extractor = names::EXTRACTOR_VERSION, "the desk is open"
    );

    let failed = tokio::select! {
        // First, because the inputs end on it too.
        biased;
        () = stop.cancelled() => None,
        () = worn_out.cancelled() => None,
        Some(part) = inputs.join_next() => Some(name_of(part)),
        Some(part) = keepers.join_next() => Some(name_of(part)),
    };
    stop.cancel();
    state.stopping.store(true, Ordering::Relaxed);
    let grace = Duration::from_millis(context.config.delivery.grace_period_ms);
    let until = Instant::now() + grace;
    let left = drain(&context, &mut inputs, &stories, &stop_now, until - CLOSING_TIME).await;
    end.cancel();
    broker.closing.cancel();
    let closed = tokio::time::timeout_at(until, async {
        broker.client.flush().await.is_ok() && broker.client.drain().await.is_ok()
    });
    let flushed = closed.await.unwrap_or(false);
    if !flushed {
        tracing::warn!("the connection could not be flushed in time");
    }
    tasks.close();
    let _ = tokio::time::timeout_at(until, tasks.wait()).await;
    if let Some(part) = failed {
        anyhow::bail!("{part} of the worker ended before its time");
    }
    let mut outcomes = std::array::from_fn(|index| state.outcomes[index].load(Ordering::Relaxed));
    outcomes[Outcome::Left as usize] += left;
    Ok(Summary { outcomes, flushed, worn_out: worn_out.is_cancelled() })
}

/// How often the pool is looked at.
const POOL_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Ends when half of the pool or more is lost to stories that do not end.
async fn watch_pool(pool: Arc<pool::Watch>, worn_out: CancellationToken, end: CancellationToken) {
    let mut tick = tokio::time::interval(POOL_CHECK_INTERVAL);
    while end.run_until_cancelled(tick.tick()).await.is_some() {
        if pool.is_half_lost() {
            tracing::error!(
                threads.lost = pool.lost(),
                "half of the pool is lost to stories that do not end; closing, so that a new process can begin"
            );
            worn_out.cancel();
            return;
        }
    }
}

/// Waits for the broker and makes sure of the topology; `None` when stopped first.
async fn prepare(broker: &Broker, config: &Config, stop: &CancellationToken) -> anyhow::Result<Option<StateBucket>> {
    let ms = Duration::from_millis;
    let mut backoff =
        broker::Backoff::new(ms(config.delivery.retry_delay_min_ms), ms(config.delivery.retry_delay_max_ms));
    loop {
        if !broker::wait_connected(broker, stop).await {
            return Ok(None);
        }
        let all = async {
            let bucket = StateBucket::open(broker, config).await?;
            topology::ensure(broker, config, &bucket).await.map(|warnings| (warnings, bucket))
        };
        let checked = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            checked = all => checked,
        };
        match checked {
            Ok((warnings, bucket)) => {
                for warning in warnings {
                    tracing::warn!(difference = %warning, "not as the configuration says");
                }
                return Ok(Some(bucket));
            }
            Err(error @ TopologyError::Unreachable { .. }) => {
                tracing::warn!(error = %error, "the broker is not ready; trying again");
                tokio::select! {
                    () = stop.cancelled() => return Ok(None),
                    () = tokio::time::sleep(backoff.pause()) => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Pulls one input and starts a task for each story.
async fn read_input(
    name: Arc<str>,
    budget: Arc<Budget>,
    connected: watch::Receiver<bool>,
    context: Arc<Context>,
    stories: TaskTracker,
    state: Arc<State>,
) {
    let Some(input) = context.config.inputs.0.get(&*name) else { return };
    let ms = Duration::from_millis;
    let delivery = &context.config.delivery;
    let asking = Arc::new(Puller {
        client: context.client.clone(),
        connected,
        subject: format!(
            "{}.CONSUMER.MSG.NEXT.{}.{}",
            context.config.nats.api(),
            context.config.streams.input.name,
            input.durable
        ),
        expires: ms(delivery.pull_expires_ms),
        retry: (ms(delivery.retry_delay_min_ms), ms(delivery.retry_delay_max_ms)),
        budget,
        gate: context.egress.gate.clone(),
        metrics: context.metrics.clone(),
        stop: context.stopping.clone(),
    });
    let arrived = {
        let (name, context, state) = (name.clone(), context.clone(), state.clone());
        move |arrival: Arrival| arrive(&name, arrival, &context, &stories, &state)
    };
    let pulled = |trouble: Option<String>| state.pulled(&name, trouble);
    asking.run(pulled, arrived).await;
}

/// Step 3, and a task of its own for what is new.
fn arrive(input: &Arc<str>, arrival: Arrival, context: &Arc<Context>, stories: &TaskTracker, state: &Arc<State>) {
    let count = {
        let (state, metrics) = (state.clone(), context.metrics.clone());
        move |outcome: Outcome| {
            state.ended(outcome);
            metrics.ended(outcome);
        }
    };
    let flight = Flight::new(input.clone(), arrival.info, arrival.message, arrival.reply, arrival.permit);
    if flight.attempt > 1 {
        context.metrics.redelivered();
    }
    failpoint::hit("received");
    match context.registry.enter(flight) {
        Entered::Copy => {
            failpoint::hit("copy");
            count(Outcome::Copy);
        }
        Entered::New(entry) => {
            state.came();
            let context = context.clone();
            let span = trace::span(&entry.flight);
            let ending = span.clone();
            let delivering = async move {
                let ended = AssertUnwindSafe(delivery::deliver(&context, entry)).catch_unwind().await;
                if ended.is_err() {
                    tracing::error!("a delivery panicked; its story will come again");
                }
                let outcome = ended.unwrap_or(Outcome::Left);
                ending.record("outcome", outcome.label());
                count(outcome);
            };
            stories.spawn(delivering.instrument(span));
        }
    }
}

/// Which part has ended, or why it could not even say so.
fn name_of(part: Result<&'static str, tokio::task::JoinError>) -> String {
    part.map_or_else(|error| error.to_string(), str::to_owned)
}

/// Step 9: stop asking, finish what is begun, give back the rest, all under one deadline. Gives how
/// many stories had to be left where they were.
async fn drain(
    context: &Context,
    inputs: &mut JoinSet<&'static str>,
    stories: &TaskTracker,
    stop_now: &CancellationToken,
    until: Instant,
) -> u64 {
    tracing::info!(stories.in_flight = context.registry.len(), "closing the desk");
    failpoint::hit("draining");
    let finished = tokio::time::timeout_at(until - CLOSING_TIME, async {
        while inputs.join_next().await.is_some() {}
        stories.close();
        stories.wait().await;
    });
    if finished.await.is_err() {
        tracing::warn!(
            stories.left = context.registry.len(),
            "the grace period is over; what is left will be delivered again"
        );
        stop_now.cancel();
        stories.close();
        let _ = tokio::time::timeout_at(until, stories.wait()).await;
    }
    failpoint::hit("draining");
    context.registry.len() as u64
}

/// Step 4: a sign of life for every story, every third of `ack_wait`, counted from receipt.
async fn keep_alive(context: Arc<Context>, stop: CancellationToken) {
    let third = Duration::from_millis(context.config.delivery.ack_wait_ms / 3);
    // Checked six times as often, so that no sign is late by more than a sixth.
    let mut tick = tokio::time::interval(third / 6);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for flight in context.registry.all() {
            if flight.sign_is_due(third)
                && let Err(error) = context.client.publish(flight.reply(), "+WPI".into()).await
            {
                tracing::warn!(error = %error, "cannot give a sign of life");
            }
        }
    }
}

async fn follow_connection(mut connected: watch::Receiver<bool>, state: Arc<State>, stop: CancellationToken) {
    loop {
        let up = *connected.borrow_and_update();
        state.connected.store(up, Ordering::Relaxed);
        metrics::connected(up);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = connected.changed() => if changed.is_err() {
                state.connected.store(false, Ordering::Relaxed);
                return;
            },
        }
    }
}

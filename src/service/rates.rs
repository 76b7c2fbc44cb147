//! Rates with bursts, and the quotas that they are made from.
//!
//! governor decides (GCRA). A rate can be asked without being changed, so that two of them can agree
//! on one moment, and begins without its burst when its quota has changed.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};
use tokio::time::Instant;

use super::config::{KeyLimits, Limits};

/// governor's clock over tokio's, so that paused time tests it.
#[derive(Clone, Debug)]
pub(super) struct TokioClock(pub(super) Instant);

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

/// The slowest rate: one cell in a year.
const PERIOD_SECONDS_MAX: f64 = 365.0 * 86_400.0;

type Limiter = RateLimiter<NotKeyed, Shared, TokioClock, NoOpMiddleware<Nanos>>;

/// A rate's state, which can be asked without being changed: two rates have to agree on one moment.
#[derive(Debug, Default)]
struct Cell {
    /// When the next cell is due in theory, in nanoseconds of the limiter; 0 before the first.
    arrival: AtomicU64,
    /// While set, decisions are made and not kept.
    is_rehearsal: AtomicBool,
}

/// The state as the limiter holds it.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Cell>);

impl StateStore for Shared {
    type Key = NotKeyed;

    /// Only one story is in the gate at a time, so that a load and a store are enough.
    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let before = self.0.arrival.load(Ordering::Relaxed);
        let (decision, after) = measure((before > 0).then(|| Nanos::new(before)))?;
        if !self.0.is_rehearsal.load(Ordering::Relaxed) {
            self.0.arrival.store(after.as_u64(), Ordering::Relaxed);
        }
        Ok(decision)
    }
}

/// One rate with its burst.
struct Rate {
    limiter: Limiter,
    burst: NonZeroU32,
    state: Shared,
}

impl Rate {
    /// `None` when the rate is 0: no limit.
    fn new(per_second: f64, burst: u32, clock: &TokioClock) -> Option<Self> {
        if per_second <= 0.0 {
            return None;
        }
        let burst = NonZeroU32::new(burst)?;
        let period = Duration::from_secs_f64((1.0 / per_second).min(PERIOD_SECONDS_MAX));
        let quota = Quota::with_period(period)?.allow_burst(burst);
        let state = Shared::default();
        Some(Self { limiter: RateLimiter::new(quota, state.clone(), clock.clone()), burst, state })
    }

    /// How long until so many cells conform; more than the burst count as the burst.
    fn wait(&self, cells: u32, clock: &TokioClock) -> Duration {
        self.state.0.is_rehearsal.store(true, Ordering::Relaxed);
        let wait = self.decide(cells, clock);
        self.state.0.is_rehearsal.store(false, Ordering::Relaxed);
        wait
    }

    /// Takes the cells; they conform.
    fn take(&self, cells: u32, clock: &TokioClock) {
        self.decide(cells, clock);
    }

    fn decide(&self, cells: u32, clock: &TokioClock) -> Duration {
        let cells = NonZeroU32::new(cells).unwrap_or(NonZeroU32::MIN).min(self.burst);
        match self.limiter.check_n(cells) {
            Ok(Err(until)) => until.earliest_possible().duration_since(clock.now()).into(),
            // `check_n` fails for good only above the burst, and the cells are within it.
            Ok(Ok(())) | Err(_) => Duration::ZERO,
        }
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rate").field("burst", &self.burst).finish_non_exhaustive()
    }
}

/// The two rates that one set of limits has.
#[derive(Debug, Default)]
pub(super) struct Rates {
    stories: Option<Rate>,
    kib: Option<Rate>,
}

impl Rates {
    /// Full, as at the start of a worker.
    pub(super) fn new(quota: &Quotas, clock: &TokioClock) -> Self {
        Self {
            stories: Rate::new(quota.stories_per_second, quota.stories_burst, clock),
            kib: Rate::new(quota.kib_per_second, quota.kib_burst, clock),
        }
    }

    /// Without its burst, as after a change: what the old limits let pass still counts.
    fn drained(quota: &Quotas, clock: &TokioClock) -> Self {
        let rates = Self::new(quota, clock);
        rates.all(0).for_each(|(rate, _)| rate.take(u32::MAX, clock));
        rates
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.stories.is_none() && self.kib.is_none()
    }

    fn all(&self, kib: u32) -> impl Iterator<Item = (&Rate, u32)> {
        self.stories.iter().map(|rate| (rate, 1)).chain(self.kib.iter().map(move |rate| (rate, kib)))
    }

    pub(super) fn wait(&self, kib: u32, clock: &TokioClock) -> Duration {
        self.all(kib).map(|(rate, cells)| rate.wait(cells, clock)).max().unwrap_or_default()
    }

    pub(super) fn take(&self, kib: u32, clock: &TokioClock) {
        self.all(kib).for_each(|(rate, cells)| rate.take(cells, clock));
    }
}

/// The quotas of one limit, the fleet's share applied.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quotas {
    pub(super) stories_per_second: f64,
    pub(super) stories_burst: u32,
    pub(super) kib_per_second: f64,
    pub(super) kib_burst: u32,
}

impl Quotas {
    fn shared(&self, share: f64) -> Self {
        // A little is added: 0.29 of 100 is less than 29 in floating point.
        let burst = |burst: u32| ((f64::from(burst) * share + 1e-6).floor() as u32).max(1);
        Self {
            stories_per_second: self.stories_per_second * share,
            stories_burst: burst(self.stories_burst),
            kib_per_second: self.kib_per_second * share,
            kib_burst: burst(self.kib_burst),
        }
    }

    pub(super) fn of_all(limits: &Limits) -> Self {
        let Limits { stories_per_second, stories_burst, kib_per_second, kib_burst, .. } = *limits;
        Self { stories_per_second, stories_burst, kib_per_second, kib_burst }.shared(limits.share())
    }

    pub(super) fn of_key(limits: &Limits, key: &str) -> Self {
        let own = limits.keys.0.get(key);
        let each = &limits.each_key;
        let pick = |pick: fn(&KeyLimits) -> f64| own.map_or(pick(each), pick);
        let pick_burst = |pick: fn(&KeyLimits) -> u32| own.map_or(pick(each), pick);
        Self {
            stories_per_second: pick(|limits| limits.stories_per_second),
            stories_burst: pick_burst(|limits| limits.stories_burst),
            kib_per_second: pick(|limits| limits.kib_per_second),
            kib_burst: pick_burst(|limits| limits.kib_burst),
        }
        .shared(limits.share())
    }
}

/// Rates with the quotas that they were made from, replaced when those change.
#[derive(Debug)]
pub(super) struct Limit {
    current: RwLock<(Quotas, Arc<Rates>)>,
}

impl Limit {
    pub(super) fn new(quotas: Quotas, rates: Rates) -> Self {
        Self { current: RwLock::new((quotas, Arc::new(rates))) }
    }

    pub(super) fn rates(&self) -> Arc<Rates> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// What did not change keeps its state; what did begins without a burst.
    pub(super) fn reload(&self, quotas: &Quotas, clock: &TokioClock) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 != *quotas {
            *current = (quotas.clone(), Arc::new(Rates::drained(quotas, clock)));
        }
    }
}

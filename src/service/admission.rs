//! Rate limits: they delay, they never drop (step 4).
//!
//! governor decides how long to wait (GCRA); a fair lock in front of it lets stories through in
//! the order in which they came, so that a large one is never starved by small ones behind it.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
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
use tokio::{sync::Mutex, time::Instant};

use super::{config::Limits, metrics};

/// Label of the limits that hold over all stories of the worker.
const KEY_OF_ALL: &str = "all";

/// governor's clock over tokio's, so that paused time tests it.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

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
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / per_second))?.allow_burst(burst);
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

/// The limits of one worker.
#[derive(Debug)]
pub struct Admission {
    clock: TokioClock,
    stories: Option<Rate>,
    kib: Option<Rate>,
    turn: Mutex<()>,
    /// While set, a story waits for a rate.
    is_holding: AtomicBool,
}

impl Admission {
    /// From the configuration.
    pub fn new(limits: &Limits) -> Self {
        let clock = TokioClock(Instant::now());
        Self {
            stories: Rate::new(limits.stories_per_second, limits.stories_burst, &clock),
            kib: Rate::new(limits.kib_per_second, limits.kib_burst, &clock),
            turn: Mutex::new(()),
            is_holding: AtomicBool::new(false),
            clock,
        }
    }

    /// Whether a rate holds the stories back at this moment.
    pub fn is_holding(&self) -> bool {
        self.is_holding.load(Ordering::Relaxed)
    }

    /// Waits for this story's turn, and until it conforms to both rates at once. Cells are taken at
    /// the moment at which the story passes, so that no window sees more than its quota.
    pub async fn pass(&self, bytes: usize) {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let rates = [(self.stories.as_ref(), 1), (self.kib.as_ref(), kib)];
        let rates = || rates.iter().filter_map(|(rate, cells)| Some(((*rate)?, *cells)));
        if rates().next().is_none() {
            return;
        }
        let began = Instant::now();
        let _turn = self.turn.lock().await;
        loop {
            let wait = rates().map(|(rate, cells)| rate.wait(cells, &self.clock)).max().unwrap_or_default();
            if wait.is_zero() {
                break;
            }
            self.is_holding.store(true, Ordering::Relaxed);
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
        self.is_holding.store(false, Ordering::Relaxed);
        let waited = began.elapsed();
        if waited >= Duration::from_millis(1) {
            metrics::limited(KEY_OF_ALL, waited);
        }
        rates().for_each(|(rate, cells)| rate.take(cells, &self.clock));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use proptest::prelude::*;

    /// Sends stories of these sizes at once; gives when each passed, in order of arrival.
    async fn passed(limits: Limits, sizes: Vec<usize>) -> Vec<Duration> {
        let admission = Arc::new(Admission::new(&limits));
        let start = Instant::now();
        let mut times = Vec::new();
        for bytes in sizes {
            admission.pass(bytes).await;
            times.push(start.elapsed());
        }
        times
    }

    fn run(limits: Limits, sizes: Vec<usize>) -> Vec<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("runtime").block_on(passed(limits, sizes))
    }

    #[test]
    fn no_rate_means_no_wait() {
        assert_eq!(run(Limits::default(), vec![1; 1000]).last(), Some(&Duration::ZERO));
    }

    #[test]
    fn a_story_above_the_burst_passes_as_the_burst() {
        let limits = Limits { kib_per_second: 1.0, kib_burst: 4, ..Limits::default() };
        let times = run(limits, vec![1024 * 1024, 1024]);
        assert_eq!(times[0], Duration::ZERO);
        assert!(times[1] >= Duration::from_secs(1) && times[1] < Duration::from_millis(1100), "{times:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// No window of time sees more than the rate times its length, plus the burst.
        #[test]
        fn no_window_exceeds_the_quota(rate in 1_u32..200, burst in 1_u32..50, kib_rate in 1_u32..200, kib_burst in 1_u32..50,
                                       sizes in proptest::collection::vec(0_usize..60_000, 1..120)) {
            let limits = Limits {
                stories_per_second: f64::from(rate), stories_burst: burst,
                kib_per_second: f64::from(kib_rate), kib_burst, ..Limits::default()
            };
            let times = run(limits, sizes.clone());
            let kib = |bytes: usize| (bytes.div_ceil(1024).max(1) as u32).min(kib_burst);
            for first in 0..times.len() {
                let mut weight = 0;
                for last in first..times.len() {
                    weight += kib(sizes[last]);
                    let window = times[last].checked_sub(times[first]).unwrap().as_secs_f64();
                    let stories = (last - first + 1) as f64;
                    prop_assert!(stories <= window * f64::from(rate) + f64::from(burst) + 1e-6);
                    prop_assert!(f64::from(weight) <= window * f64::from(kib_rate) + f64::from(kib_burst) + 1e-6);
                }
            }
        }
    }
}

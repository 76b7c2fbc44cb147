//! Rate limits: they delay, they never drop (step 4).
//!
//! governor decides how long to wait (GCRA); a fair lock in front of it lets stories through in
//! the order in which they came, so that a large one is never starved by small ones behind it.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::{sync::Mutex, time::Instant};

use super::config::Limits;

/// governor's clock over tokio's, so that paused time tests it.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Nanos>>;

/// One rate with its burst.
#[derive(Debug)]
struct Rate {
    limiter: Limiter,
    burst: NonZeroU32,
}

impl Rate {
    /// `None` when the rate is 0: no limit.
    fn new(per_second: f64, burst: u32, clock: &TokioClock) -> Option<Self> {
        if per_second <= 0.0 {
            return None;
        }
        let burst = NonZeroU32::new(burst)?;
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / per_second))?.allow_burst(burst);
        Some(Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), burst })
    }

    /// Waits until so many cells conform; more than the burst count as the burst.
    async fn pass(&self, cells: u32, clock: &TokioClock) {
        let cells = NonZeroU32::new(cells).unwrap_or(NonZeroU32::MIN).min(self.burst);
        // `check_n` fails for good only above the burst, and the cells are within it.
        while let Ok(Err(until)) = self.limiter.check_n(cells) {
            let wait = until.earliest_possible().duration_since(clock.now());
            tokio::time::sleep(Duration::from(wait).max(Duration::from_millis(1))).await;
        }
    }
}

/// The limits of one worker.
#[derive(Debug)]
pub struct Admission {
    clock: TokioClock,
    stories: Option<Rate>,
    kib: Option<Rate>,
    turn: Mutex<()>,
}

impl Admission {
    /// From the configuration.
    pub fn new(limits: &Limits) -> Self {
        let clock = TokioClock(Instant::now());
        Self {
            stories: Rate::new(limits.stories_per_second, limits.stories_burst, &clock),
            kib: Rate::new(limits.kib_per_second, limits.kib_burst, &clock),
            turn: Mutex::new(()),
            clock,
        }
    }

    /// Waits for this story's turn and for its rates.
    pub async fn pass(&self, bytes: usize) {
        if self.stories.is_none() && self.kib.is_none() {
            return;
        }
        let _turn = self.turn.lock().await;
        if let Some(stories) = &self.stories {
            stories.pass(1, &self.clock).await;
        }
        if let Some(kib) = &self.kib {
            kib.pass(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX), &self.clock).await;
        }
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

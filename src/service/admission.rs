//! Rate limits: they delay, they never drop (step 4).
//!
//! governor decides how long to wait (GCRA); a queue with lanes in front of it lets stories through
//! in the order in which they came, so that a large one is never starved by small ones behind it,
//! and urgent ones first. A story waits for the limit of its key before it waits for that of all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{
    config::Limits,
    metrics,
    rates::{Limit, Quotas, Rates, TokioClock},
    turns::{Lane, Turn, Turns},
};

/// Label of the limits that hold over all stories of the worker.
const KEY_OF_ALL: &str = "all";

/// Where the stories of one key wait for their own limit.
#[derive(Debug)]
struct Key {
    limit: Limit,
    turns: Arc<Turns>,
    /// Stories that wait here, by input: they hold permits of theirs.
    parked: Mutex<HashMap<Arc<str>, usize>>,
}

/// Keys that have limits of their own at once; the stories of further keys share one.
const KEYS_MAX: usize = 10_000;
/// The key of those.
const OTHER_KEYS: &str = "*";

/// What a story is admitted by.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which input it came by; inputs have their turns in rotation.
    pub input: &'a Arc<str>,
    /// How urgent it is.
    pub lane: Lane,
    /// What its own limit goes by, where there is one.
    pub key: Option<&'a str>,
    /// Its size.
    pub bytes: usize,
    /// Stories of one key of this input that may wait here at once.
    pub parked_max: usize,
}

impl Request<'_> {
    fn kib(&self) -> u32 {
        u32::try_from(self.bytes.div_ceil(1024)).unwrap_or(u32::MAX)
    }
}

/// Kept by a story from the limit of its key to those of all.
#[derive(Debug)]
pub struct Own {
    key: Option<Arc<Key>>,
    /// The key's turn, and a place among those that wait for it; none while the key has no limit.
    line: Option<(Turn, Parked)>,
}

/// A key has so many stories waiting that one more has to wait at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled;

/// The limits of one worker.
#[derive(Debug)]
pub struct Admission {
    clock: TokioClock,
    limits: RwLock<Arc<Limits>>,
    all: Limit,
    turns: Arc<Turns>,
    keys: Mutex<HashMap<String, Arc<Key>>>,
    /// Told when limits change, so that whoever waits looks again.
    changed: watch::Sender<()>,
    /// Stories that wait for a rate at this moment.
    held: AtomicUsize,
}

impl Admission {
    /// From the configuration.
    pub fn new(limits: &Limits) -> Self {
        let clock = TokioClock(Instant::now());
        let quotas = Quotas::of_all(limits);
        let rates = Rates::new(&quotas, &clock);
        tell_quotas(&quotas, limits);
        Self {
            all: Limit::new(quotas, rates),
            turns: Turns::new(limits.rest_every),
            keys: Mutex::default(),
            limits: RwLock::new(Arc::new(limits.clone())),
            changed: watch::Sender::new(()),
            held: AtomicUsize::new(0),
            clock,
        }
    }

    /// Whether a rate holds stories back at this moment.
    pub fn is_holding(&self) -> bool {
        self.held.load(Ordering::Relaxed) > 0
    }

    /// Puts other limits in force, for those who wait already too. A rate that changed begins
    /// without a burst, so that no window sees more than the old quota and the new one together.
    pub fn reload(&self, limits: &Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits.clone());
        let quotas = Quotas::of_all(limits);
        tell_quotas(&quotas, limits);
        self.all.reload(&quotas, &self.clock);
        self.turns.keep_rest(limits.rest_every);
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, key) in keys.iter() {
            key.limit.reload(&Quotas::of_key(limits, name), &self.clock);
            key.turns.keep_rest(limits.rest_every);
        }
        drop(keys);
        self.changed.send_replace(());
    }

    /// The limits in force.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a story may have to wait for a rate.
    pub fn has_limits(&self) -> bool {
        let limits = self.limits();
        let has = |stories: f64, kib: f64| stories > 0.0 || kib > 0.0;
        has(limits.stories_per_second, limits.kib_per_second)
            || std::iter::once(&limits.each_key)
                .chain(limits.keys.0.values())
                .any(|key| has(key.stories_per_second, key.kib_per_second))
    }

    /// Stories that wait for their turn, by lane.
    pub fn waiting(&self) -> [usize; Lane::ALL.len()] {
        self.turns.waiting()
    }

    /// Waits for the limit of its key and then for those of all: [`Self::pass_own`], [`Self::pass_all`].
    ///
    /// # Errors
    /// The key has too many stories waiting here already.
    pub async fn pass<P>(&self, request: Request<'_>, place: impl Future<Output = P>) -> Result<P, Throttled> {
        let own = self.pass_own(request).await?;
        Ok(self.pass_all(request, own, place).await)
    }

    /// Waits until the story conforms to the limit of its key. Only one story of a limited key gets past
    /// this until it has passed the limits of all, so a throttled key holds nobody else up.
    ///
    /// # Errors
    /// The key has too many stories waiting here already.
    pub async fn pass_own(&self, request: Request<'_>) -> Result<Own, Throttled> {
        let mut own = Own { key: request.key.map(|key| self.key(key)), line: None };
        if own.key.as_ref().is_some_and(|key| !key.limit.rates().is_unlimited()) {
            self.line_up(&request, &mut own, request.parked_max).await?;
        }
        Ok(own)
    }

    /// Waits for the turn of the story's key, where it has none yet, and for the key's limit.
    async fn line_up(&self, request: &Request<'_>, own: &mut Own, parked_max: usize) -> Result<(), Throttled> {
        let Some(key) = own.key.clone() else { return Ok(()) };
        let began = Instant::now();
        if own.line.is_none() {
            let parked = Parked::new(key.clone(), request.input, parked_max)?;
            own.line = Some((key.turns.take(request.lane, request.input).await, parked));
        }
        self.conform(request.kib(), || key.limit.rates()).await;
        tell_wait(self.label(request.key), began);
        Ok(())
    }

    /// Waits for the story's turn among all, until it conforms to the limits of all, and until `place` is
    /// there. Cells are taken at the moment at which the story passes, so that no window sees more than
    /// its quota.
    pub async fn pass_all<P>(&self, request: Request<'_>, mut own: Own, place: impl Future<Output = P>) -> P {
        let began = Instant::now();
        let (turn, ..) = self.agree(&request, &mut own, None).await;
        if !self.all.rates().is_unlimited() {
            tell_wait(KEY_OF_ALL, began);
        }
        let place = place.await;
        // The limits may have changed while the place was waited for.
        let (_turn, all, of_key) = self.agree(&request, &mut own, Some(turn)).await;
        all.take(request.kib(), &self.clock);
        if let Some(of_key) = of_key {
            of_key.take(request.kib(), &self.clock);
        }
        place
    }

    /// Waits for the turn among all, and for a moment at which both limits let the story pass; gives the
    /// rates that do. Where its key's does not, because it has changed on the way, the turn goes on to the
    /// next and the story waits for its key first.
    async fn agree(
        &self,
        request: &Request<'_>,
        own: &mut Own,
        mut turn: Option<Turn>,
    ) -> (Turn, Arc<Rates>, Option<Arc<Rates>>) {
        loop {
            let turn = match turn.take() {
                Some(turn) => turn,
                None => self.turns.take(request.lane, request.input).await,
            };
            let all = self.conform(request.kib(), || self.all.rates()).await;
            let of_key = own.key.as_ref().map(|key| key.limit.rates());
            if of_key.as_ref().is_none_or(|rates| rates.wait(request.kib(), &self.clock).is_zero()) {
                return (turn, all, of_key);
            }
            drop(turn);
            // Never refused: the story is in the worker already.
            let _ = self.line_up(request, own, usize::MAX).await;
        }
    }

    /// Waits until the story conforms; gives the rates that it conforms to.
    async fn conform(&self, kib: u32, rates: impl Fn() -> Arc<Rates>) -> Arc<Rates> {
        let mut changed = self.changed.subscribe();
        loop {
            let rates = rates();
            let wait = rates.wait(kib, &self.clock);
            if wait.is_zero() {
                return rates;
            }
            let _held = Held::new(&self.held);
            tokio::select! {
                () = tokio::time::sleep(wait.max(Duration::from_millis(1))) => {}
                // The sender lives in `self`.
                _ = changed.changed() => {}
            }
        }
    }

    /// The label of a key: only those that the configuration names have one of their own.
    fn label<'a>(&self, key: Option<&'a str>) -> &'a str {
        key.filter(|key| self.limits().keys.0.contains_key(*key)).unwrap_or(OTHER_KEYS)
    }

    /// The queue of a key. Keys that are idle are forgotten when there are too many.
    fn key(&self, name: &str) -> Arc<Key> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: a key that is made while limits change has the new ones, or is told of them.
        let limits = self.limits();
        if let Some(key) = keys.get(name) {
            return key.clone();
        }
        if keys.len() >= KEYS_MAX {
            // A key is as good as new when nobody has it in his hands and its burst is whole again.
            keys.retain(|name, key| {
                Arc::strong_count(key) > 1
                    || limits.keys.0.contains_key(name)
                    || !key.limit.rates().wait(u32::MAX, &self.clock).is_zero()
            });
        }
        let is_known = limits.keys.0.contains_key(name);
        let name = if keys.len() >= KEYS_MAX && !is_known { OTHER_KEYS } else { name };
        let new = || {
            let quotas = Quotas::of_key(&limits, name);
            let rates = Rates::new(&quotas, &self.clock);
            Arc::new(Key {
                limit: Limit::new(quotas, rates),
                turns: Turns::new(limits.rest_every),
                parked: Mutex::default(),
            })
        };
        keys.entry(name.to_owned()).or_insert_with(new).clone()
    }
}

/// Tells how long a limit held a story.
fn tell_wait(key: &str, began: Instant) {
    let waited = began.elapsed();
    if waited >= Duration::from_millis(1) {
        metrics::limited(key, waited);
    }
}

/// Tells what this worker's share of the quotas is.
fn tell_quotas(quotas: &Quotas, limits: &Limits) {
    metrics::quotas(quotas.stories_per_second, quotas.kib_per_second, limits.share());
    let of = |key| {
        let quotas = Quotas::of_key(limits, key);
        (key, quotas.stories_per_second, quotas.kib_per_second)
    };
    metrics::key_quotas(limits.keys.0.keys().map(|key| of(key.as_str())), of(OTHER_KEYS));
}

/// A story that a rate holds back.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn new(held: &'a AtomicUsize) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A story that waits for the limit of its key.
#[derive(Debug)]
struct Parked {
    key: Arc<Key>,
    input: Arc<str>,
}

impl Parked {
    fn new(key: Arc<Key>, input: &Arc<str>, most: usize) -> Result<Self, Throttled> {
        let mut all = key.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let parked = all.entry(input.clone()).or_default();
        if *parked >= most.max(1) {
            return Err(Throttled);
        }
        *parked += 1;
        drop(all);
        Ok(Self { key, input: input.clone() })
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut all = self.key.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parked) = all.get_mut(&self.input) {
            *parked -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Lane::{Backfill, Routine, Urgent},
        *,
    };
    use crate::service::config::{KeyLimits, Keys};
    use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
    use proptest::prelude::*;

    fn routine(bytes: usize) -> Request<'static> {
        static INPUT: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "main".into());
        Request { input: &INPUT, lane: Lane::Routine, key: None, bytes, parked_max: usize::MAX }
    }

    /// Sends stories of these sizes at once; gives when each passed, in order of arrival.
    async fn passed(limits: Limits, sizes: Vec<usize>) -> Vec<Duration> {
        let admission = Admission::new(&limits);
        let start = Instant::now();
        let mut times = Vec::new();
        for bytes in sizes {
            admission.pass(routine(bytes), async {}).await.expect("no key");
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

    /// Small stories that came later would conform at once; they wait for the large one before them.
    #[test]
    fn a_large_story_is_never_starved_by_small_ones() {
        paused(async {
            let limits = Limits { kib_per_second: 10.0, kib_burst: 100, ..Limits::default() };
            let admission = Admission::new(&limits);
            admission.pass(routine(60 * 1024), async {}).await.expect("the burst");
            let order = std::cell::RefCell::new(Vec::new());
            let story = |kib: usize| {
                let (admission, order) = (&admission, &order);
                async move {
                    admission.pass(routine(kib * 1024), async {}).await.expect("no key");
                    order.borrow_mut().push(kib);
                }
            };
            futures_util::future::join_all([90, 1, 2, 3].map(story)).await;
            assert_eq!(*order.borrow(), [90, 1, 2, 3]);
        });
    }

    fn paused<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("runtime").block_on(future)
    }

    /// A limit of one story a second for the key `slow` alone.
    fn slow_key() -> Limits {
        let slow = KeyLimits { stories_per_second: 1.0, stories_burst: 1, ..KeyLimits::default() };
        Limits { keys: Keys([("slow".to_owned(), slow)].into()), ..Limits::default() }
    }

    #[test]
    fn a_throttled_key_holds_up_nobody_else_and_parks_no_more_than_it_may() {
        paused(async {
            let admission = Admission::new(&slow_key());
            let slow = Request { key: Some("slow"), parked_max: 3, ..routine(1) };
            let mut waiting = FuturesUnordered::new();
            admission.pass(slow, async {}).await.expect("the burst");
            for _ in 0..3 {
                let mut story = Box::pin(admission.pass(slow, async {}));
                assert!((&mut story).now_or_never().is_none());
                waiting.push(story);
            }
            assert_eq!(admission.pass(slow, async {}).now_or_never(), Some(Err(Throttled)));
            for key in [None, Some("quick")] {
                let other = admission.pass(Request { key, ..routine(1) }, async {}).now_or_never();
                assert_eq!(other, Some(Ok(())), "held up behind the throttled key");
            }
            let start = Instant::now();
            while waiting.next().await.is_some() {}
            assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
        });
    }

    #[test]
    fn urgent_copy_overtakes_what_waits_for_the_limits() {
        paused(async {
            let limits = Limits { stories_per_second: 1.0, stories_burst: 1, ..Limits::default() };
            let admission = Admission::new(&limits);
            admission.pass(routine(1), async {}).await.expect("the burst");
            let order = std::cell::RefCell::new(Vec::new());
            let story = |lane| {
                let (admission, order) = (&admission, &order);
                async move {
                    admission.pass(Request { lane, ..routine(1) }, async {}).await.expect("no key");
                    order.borrow_mut().push(lane);
                }
            };
            // The first stands at the gate already.
            futures_util::future::join_all([Routine, Backfill, Routine, Urgent].map(story)).await;
            assert_eq!(*order.borrow(), [Routine, Urgent, Routine, Backfill]);
        });
    }

    #[test]
    fn changed_limits_hold_for_those_who_wait_and_give_no_burst() {
        paused(async {
            let limits = Limits { stories_per_second: 0.001, stories_burst: 1, ..Limits::default() };
            let admission = Admission::new(&limits);
            admission.pass(routine(1), async {}).await.expect("the burst");
            let start = Instant::now();
            let mut waiting = Box::pin(admission.pass(routine(1), async {}));
            assert!((&mut waiting).now_or_never().is_none());
            admission.reload(&Limits { stories_per_second: 10.0, stories_burst: 50, ..limits });
            waiting.await.expect("no key");
            let first = start.elapsed();
            assert!(first >= Duration::from_millis(90) && first < Duration::from_millis(200), "{first:?}");
            for _ in 0..10 {
                admission.pass(routine(1), async {}).await.expect("no key");
            }
            assert!(start.elapsed() >= Duration::from_millis(1090), "a free burst: {:?}", start.elapsed());
            let before = Instant::now();
            admission.reload(&Limits { fleet_share: 1.0, ..(*admission.limits()).clone() });
            admission.pass(routine(1), async {}).await.expect("no key");
            assert!(before.elapsed() <= Duration::from_millis(110), "what did not change keeps its state");
        });
    }

    #[test]
    fn a_key_that_gets_its_limit_on_the_way_has_it_and_holds_up_nobody_else() {
        paused(async {
            let limits = Limits { stories_per_second: 10.0, stories_burst: 1, ..Limits::default() };
            let admission = Admission::new(&limits);
            let passed = std::cell::RefCell::new(Vec::new());
            let story = async |key| {
                admission.pass(Request { key: Some(key), ..routine(1) }, async {}).await.expect("room");
                passed.borrow_mut().push(key);
            };
            let waiting =
                futures_util::future::join_all(["slow", "slow", "slow", "quick", "slow", "quick"].map(&story));
            let slow = KeyLimits { stories_per_second: 0.01, stories_burst: 1, ..KeyLimits::default() };
            let changing =
                async { admission.reload(&Limits { keys: Keys([("slow".to_owned(), slow)].into()), ..limits }) };
            let all = futures_util::future::join(waiting, changing);
            let mut all = Box::pin(all);
            assert!(tokio::time::timeout(Duration::from_secs(5), &mut all).await.is_err(), "the slow ones wait");
            assert_eq!(*passed.borrow(), ["slow", "quick", "quick"]);
            assert!(tokio::time::timeout(Duration::from_secs(305), &mut all).await.is_ok(), "and pass in time");
        });
    }

    #[test]
    fn a_worker_takes_its_share_of_the_fleet() {
        let limits = Limits { stories_per_second: 10.0, stories_burst: 4, ..Limits::default() };
        for limits in [Limits { fleet_share: 0.25, ..limits.clone() }, Limits { fleet_count: 4, ..limits }] {
            let times = run(limits, vec![1; 6]);
            assert_eq!(times[0], Duration::ZERO);
            assert!(times[5] >= Duration::from_millis(1990), "{times:?}");
        }
    }

    #[test]
    fn the_bursts_of_a_fleet_are_the_whole_or_one_each() {
        for fleet_count in 1..=200 {
            for burst in 1..=200 {
                let limits = Limits { stories_burst: burst, kib_burst: burst, fleet_count, ..Limits::default() };
                let share = Quotas::of_all(&limits);
                assert_eq!((share.stories_burst, share.kib_burst), ((burst / fleet_count).max(1), share.stories_burst));
            }
        }
    }

    #[test]
    fn another_share_for_the_rest_holds_for_those_who_wait() {
        let slow = KeyLimits { stories_per_second: 1.0, stories_burst: 1, ..KeyLimits::default() };
        let all = Limits { stories_per_second: 1.0, stories_burst: 1, rest_every: 9, ..Limits::default() };
        let each = Limits { each_key: slow, rest_every: 9, ..Limits::default() };
        for (limits, key) in [(all, None), (each, Some("a"))] {
            paused(async {
                let admission = Admission::new(&limits);
                let order = std::cell::RefCell::new(Vec::new());
                let story = async |lane: Lane| {
                    admission.pass(Request { lane, key, ..routine(1) }, async {}).await.expect("room");
                    order.borrow_mut().push(lane);
                };
                story(Routine).await;
                let waiting = futures_util::future::join_all([Routine, Urgent, Urgent, Urgent, Routine].map(&story));
                let changing = async { admission.reload(&Limits { rest_every: 1, ..limits.clone() }) };
                futures_util::future::join(waiting, changing).await;
                // The second stood at the gate already.
                assert_eq!(*order.borrow(), [Routine, Routine, Urgent, Routine, Urgent, Urgent], "{key:?}");
            });
        }
    }

    /// How many small stories that came after a large one, above every burst, pass before it, while they
    /// come twice as quickly as may pass.
    async fn overtaking(limits: &Limits, key: Option<&str>, small: Lane) -> usize {
        const LARGE: u32 = 40;
        let admission = Admission::new(limits);
        let order = std::cell::RefCell::new(Vec::new());
        let story = async |number: u32| {
            let (lane, kib) = if number == LARGE { (Routine, 256) } else { (small, 1) };
            tokio::time::sleep(Duration::from_millis(50) * number).await;
            admission.pass(Request { lane, key, ..routine(kib * 1024) }, async {}).await.expect("room");
            order.borrow_mut().push(number);
        };
        futures_util::future::join_all((1..=400).map(story)).await;
        order.borrow().iter().take_while(|number| **number != LARGE).filter(|number| **number > LARGE).count()
    }

    #[test]
    fn small_stories_without_end_never_starve_one_above_the_burst() {
        let narrow = KeyLimits { kib_per_second: 10.0, kib_burst: 8, ..KeyLimits::default() };
        let all = Limits { kib_per_second: 10.0, kib_burst: 8, ..Limits::default() };
        let each = Limits { each_key: narrow, ..Limits::default() };
        for (limits, key) in [(all, None), (each, Some("a"))] {
            assert_eq!(paused(overtaking(&limits, key, Routine)), 0, "first come, first served: {key:?}");
            let overtaking = paused(overtaking(&limits, key, Urgent));
            assert!(overtaking <= limits.rest_every as usize, "{overtaking} went before it: {key:?}");
        }
    }

    const KEYS: [&str; 3] = ["own", "one", "two"];

    /// Rates with bursts; sometimes none.
    fn quota() -> impl Strategy<Value = KeyLimits> {
        let rate = |most: u32| prop_oneof![1 => Just(0), 5 => 1..most].prop_map(f64::from);
        (rate(60), 1_u32..20, rate(200), 1_u32..40).prop_map(
            |(stories_per_second, stories_burst, kib_per_second, kib_burst)| KeyLimits {
                stories_per_second,
                stories_burst,
                kib_per_second,
                kib_burst,
            },
        )
    }

    /// Limits over all, for each key, and for one key by name, or not for that.
    fn limits() -> impl Strategy<Value = Limits> {
        (quota(), quota(), proptest::option::of(quota()), 1_u32..6).prop_map(|(all, each_key, own, rest_every)| {
            Limits {
                stories_per_second: all.stories_per_second,
                stories_burst: all.stories_burst,
                kib_per_second: all.kib_per_second,
                kib_burst: all.kib_burst,
                each_key,
                keys: Keys(own.into_iter().map(|own| (KEYS[0].to_owned(), own)).collect()),
                rest_every,
                ..Limits::default()
            }
        })
    }

    #[derive(Debug)]
    enum Event {
        Passed { key: Option<&'static str>, kib: u32 },
        Changed(Limits),
    }

    /// When, by which key, in which lane, how large, and how long its place is waited for.
    type Story = (u64, Option<usize>, usize, usize, u64);

    /// What happens with these stories under limits that change, in order.
    async fn happened(first: &Limits, changes: &[(u64, Limits)], stories: &[Story]) -> Vec<(f64, Event)> {
        let admission = Admission::new(first);
        let start = Instant::now();
        let history = std::cell::RefCell::new(Vec::new());
        let note = |event: Event| history.borrow_mut().push((start.elapsed().as_secs_f64(), event));
        let ms = Duration::from_millis;
        let changing = changes.iter().map(async |(at, limits)| {
            tokio::time::sleep(ms(*at)).await;
            admission.reload(limits);
            note(Event::Changed(limits.clone()));
        });
        let passing = stories.iter().map(async |(at, key, lane, bytes, place)| {
            let key = key.map(|key| KEYS[key]);
            tokio::time::sleep(ms(*at)).await;
            let request = Request { lane: Lane::ALL[*lane], key, ..routine(*bytes) };
            admission.pass(request, tokio::time::sleep(ms(*place))).await.expect("room");
            let kib = bytes.div_ceil(1024).max(1) as u32;
            note(Event::Passed { key, kib });
        });
        let all = futures_util::future::join(
            futures_util::future::join_all(changing),
            futures_util::future::join_all(passing),
        );
        all.await;
        history.into_inner()
    }

    /// A rate of a quota, with its burst.
    type Of = fn(&Quotas) -> (f64, u32);

    /// By how much the worst window, from one story to another, exceeds what the quotas in force allow.
    fn excess(
        limits: &Limits,
        history: &[(f64, Event)],
        key: Option<&str>,
        rate: Of,
        weight: impl Fn(u32) -> u32,
    ) -> f64 {
        let quota =
            |limits: &Limits| rate(&key.map_or_else(|| Quotas::of_all(limits), |key| Quotas::of_key(limits, key)));
        let mut worst = f64::NEG_INFINITY;
        let mut begins = quota(limits);
        let counts = |own: Option<&str>| key.is_none() || own == key;
        for (index, (began, event)) in history.iter().enumerate() {
            match event {
                Event::Passed { key, .. } if counts(*key) => {}
                Event::Passed { .. } => continue,
                Event::Changed(limits) => {
                    begins = quota(limits);
                    continue;
                }
            }
            let (mut rate, mut burst) = begins;
            let (mut allowed, mut seen, mut since) = (f64::from(burst), 0, *began);
            for (at, event) in &history[index..] {
                allowed += rate * (at - since);
                since = *at;
                match event {
                    Event::Changed(limits) => (rate, burst) = quota(limits),
                    // Without a limit anything may pass, and nothing can be said of this window.
                    Event::Passed { .. } if rate == 0.0 => break,
                    Event::Passed { key: own, kib } if counts(*own) => {
                        seen += weight(*kib).min(burst);
                        worst = worst.max(f64::from(seen) - allowed);
                    }
                    Event::Passed { .. } => {}
                }
            }
        }
        worst
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// With keys and lanes and changes on the way, no window of a key or of all sees more than the quotas
        /// in force allow: the burst of the quota that held at its first story, and of each quota the rate
        /// times the time for which it held within the window. So a change in it adds no burst.
        #[test]
        fn no_window_of_a_key_exceeds_its_quota(
            first in limits(), changes in proptest::collection::vec((0_u64..4000, limits()), 0..5),
            stories in proptest::collection::vec(
                (0_u64..4000, proptest::option::of(0_usize..3), 0_usize..3, 0_usize..60_000, 0_u64..20), 1..80),
        ) {
            let history = paused(happened(&first, &changes, &stories));
            let passed = history.iter().filter(|(_, event)| matches!(event, Event::Passed { .. })).count();
            prop_assert_eq!(passed, stories.len(), "limits delay, they never drop");
            let rates: [Of; 2] = [
                |quota| (quota.stories_per_second, quota.stories_burst),
                |quota| (quota.kib_per_second, quota.kib_burst),
            ];
            for (unit, rate) in rates.into_iter().enumerate() {
                let weight = |kib: u32| if unit == 0 { 1 } else { kib };
                let over = excess(&first, &history, None, rate, weight);
                prop_assert!(over <= 1e-3, "all, {}: {over} too many", ["stories", "KiB"][unit]);
                for key in KEYS {
                    let over = excess(&first, &history, Some(key), rate, weight);
                    prop_assert!(over <= 1e-3, "key {key}, {}: {over} too many", ["stories", "KiB"][unit]);
                }
            }
        }

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

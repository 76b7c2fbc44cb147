//! Whether the worker can do its work, and if not, why not.
//!
//! Ready is an honest word here: the broker has answered lately, every input can be asked, the
//! outputs take messages, and stories that are in the worker come to their end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{broker::Signs, config::Http, egress, http, metrics::Outcome, pool};

/// What the worker tells about itself while it runs.
#[derive(Debug)]
pub struct State {
    /// Whether the broker is connected.
    pub connected: AtomicBool,
    /// Whether streams and consumers are as they should be.
    pub consuming: AtomicBool,
    /// Whether the worker is on its way out.
    pub stopping: AtomicBool,
    /// The pool's threads.
    pub pool: Arc<pool::Watch>,
    /// The way out.
    pub gate: Arc<egress::Gate>,
    /// Deliveries by what became of them.
    pub outcomes: [AtomicU64; Outcome::ALL.len()],
    /// Inputs that cannot be asked for stories at the moment, with the reason.
    pull_troubles: Mutex<BTreeMap<String, String>>,
    /// What the broker was last heard to say; set when there is a connection to speak of.
    signs: OnceLock<Arc<Signs>>,
    silence_max: Duration,
    movement: Movement,
}

/// Whether stories come to their end.
#[derive(Debug)]
struct Movement {
    began: Instant,
    /// Stories that are here, and milliseconds from `began` to the last time one ended, or came when
    /// none was here, or a limit held them.
    here: AtomicU64,
    moved_ms: AtomicU64,
    longest: Duration,
}

impl Movement {
    fn moved(&self) {
        self.moved_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long nothing has moved though there is something to move, when it is too long.
    fn stalled(&self) -> Option<Duration> {
        let still = self.began.elapsed().saturating_sub(Duration::from_millis(self.moved_ms.load(Ordering::Relaxed)));
        (self.here.load(Ordering::Relaxed) > 0 && still > self.longest).then_some(still)
    }
}

impl State {
    /// Nothing is there yet.
    pub fn new(config: &Http) -> Self {
        Self {
            connected: AtomicBool::default(),
            consuming: AtomicBool::default(),
            stopping: AtomicBool::default(),
            pool: Arc::default(),
            gate: Arc::default(),
            outcomes: Default::default(),
            pull_troubles: Mutex::default(),
            signs: OnceLock::new(),
            silence_max: Duration::from_millis(config.silence_max_ms),
            movement: Movement {
                began: Instant::now(),
                here: AtomicU64::new(0),
                moved_ms: AtomicU64::new(0),
                longest: Duration::from_millis(config.stall_max_ms),
            },
        }
    }

    /// Gives the connection's signs.
    pub fn listens_to(&self, signs: Arc<Signs>) {
        // There is one connection in the life of a worker.
        let _ = self.signs.set(signs);
    }

    /// Notes an answer of the broker.
    pub fn heard(&self) {
        if let Some(signs) = self.signs.get() {
            signs.heard();
        }
    }

    /// How long the broker has said nothing.
    pub fn silence(&self) -> Duration {
        self.signs.get().map(|signs| signs.silence()).unwrap_or_default()
    }

    /// Notes whether an input can be asked for stories.
    pub fn pulled(&self, input: &str, trouble: Option<String>) {
        let mut troubles = self.pull_troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = trouble {
            troubles.insert(input.to_owned(), why);
            return;
        }
        troubles.remove(input);
        drop(troubles);
        self.heard();
    }

    /// Notes a story that has come.
    pub fn came(&self) {
        if self.movement.here.fetch_add(1, Ordering::Relaxed) == 0 {
            self.movement.moved();
        }
    }

    /// Notes a story's end.
    pub fn ended(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        if outcome != Outcome::Copy {
            self.movement.here.fetch_sub(1, Ordering::Relaxed);
            self.movement.moved();
        }
        // These end with an answer of the broker.
        if matches!(outcome, Outcome::Recorded | Outcome::Repeated | Outcome::Held | Outcome::DeadLettered) {
            self.heard();
        }
    }

    /// Notes that a limit holds the stories: standing still is then what was asked for.
    pub fn held_by_a_limit(&self) {
        self.movement.moved();
    }

    fn own_obstacles(&self) -> Vec<String> {
        let unless = |holds: &AtomicBool, what: &str| (!holds.load(Ordering::Relaxed)).then(|| what.to_owned());
        let connected = unless(&self.connected, "the broker is not connected");
        let is_connected = connected.is_none();
        let consuming = unless(&self.consuming, "streams and consumers are not checked yet");
        let is_consuming = consuming.is_none();
        let mut obstacles: Vec<String> = connected.into_iter().chain(consuming).collect();
        let silence = self.silence();
        if is_connected && is_consuming && silence > self.silence_max {
            obstacles.push(format!("the broker has not answered for {} s", silence.as_secs()));
        }
        if self.gate.is_stopped_by_a_sink() {
            obstacles.push("the output or dead-letter stream does not take messages".to_owned());
        }
        let troubles = self.pull_troubles.lock().unwrap_or_else(PoisonError::into_inner);
        obstacles.extend(troubles.iter().map(|(input, why)| format!("input {input} cannot be read: {why}")));
        drop(troubles);
        if let Some(still) = self.movement.stalled() {
            obstacles.push(format!("no story has come to its end for {} s though some are here", still.as_secs()));
        }
        // The broker's own words explain an obstacle; alone they are none.
        let words = self.signs.get().and_then(|signs| signs.last_trouble());
        if let Some(words) = words.filter(|_| !obstacles.is_empty()) {
            obstacles.push(format!("last trouble with the broker: {words}"));
        }
        obstacles
    }
}

impl http::Readiness for State {
    fn obstacles(&self) -> Vec<String> {
        let mut obstacles = self.own_obstacles();
        obstacles.extend(http::Readiness::cause_of_death(self));
        if self.stopping.load(Ordering::Relaxed) {
            obstacles.push("the worker is stopping".to_owned());
        }
        obstacles
    }

    fn cause_of_death(&self) -> Option<String> {
        self.pool.is_dead().then(|| "every thread of the pool is lost to a story that does not end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::http::Readiness, *};

    fn ready() -> State {
        let state = State::new(&Http { silence_max_ms: 3_000, stall_max_ms: 10_000, ..Http::default() });
        state.connected.store(true, Ordering::Relaxed);
        state.consuming.store(true, Ordering::Relaxed);
        state.listens_to(Arc::new(Signs::new()));
        state
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_broker_is_an_obstacle_until_it_answers() {
        let state = ready();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(state.obstacles(), Vec::<String>::new());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(state.obstacles(), ["the broker has not answered for 4 s"]);
        state.pulled("main", None);
        assert_eq!(state.obstacles(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn stories_that_do_not_end_are_an_obstacle_unless_a_limit_holds_them() {
        let state = ready();
        let hear = async |seconds| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            state.heard();
        };
        hear(60).await;
        state.came();
        hear(9).await;
        assert_eq!(state.obstacles(), Vec::<String>::new(), "it came only now");
        hear(9).await;
        assert_eq!(state.obstacles(), ["no story has come to its end for 18 s though some are here"]);
        state.held_by_a_limit();
        assert_eq!(state.obstacles(), Vec::<String>::new());
        hear(11).await;
        assert_eq!(state.obstacles().len(), 1);
        state.ended(Outcome::Recorded);
        hear(60).await;
        assert_eq!(state.obstacles(), Vec::<String>::new(), "none is here");
    }
}

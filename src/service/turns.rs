//! One at a time, the more urgent first: a queue with lanes.
//!
//! Whoever holds the [`Turn`] goes on; the others wait in their lane, first come, first served.
//! When a turn ends it goes to the most urgent lane in which somebody waits, but after
//! `rest_every` turns in a row of which one lane had all while a lower one waited, a lower one has
//! a turn: urgent copy overtakes, and the rest is never starved. Within a lane each input has a line
//! of its own, and the lines have their turns in rotation: a flood on one input is not a queue before
//! the others.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// How urgent a story is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Flash, bulletin and urgent copy.
    Urgent,
    /// Copy of the day.
    Routine,
    /// Copy of other days, read again.
    Backfill,
}

impl Lane {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Routine, Self::Backfill];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Routine => "routine",
            Self::Backfill => "backfill",
        }
    }
}

/// Hands out turns.
#[derive(Debug)]
pub struct Turns {
    queue: Mutex<Queue>,
    rest_every: AtomicU32,
}

#[derive(Debug, Default)]
struct Queue {
    is_taken: bool,
    waiting: [Lines; Lane::ALL.len()],
    /// Turns that each lane had in a row while a lower one waited.
    in_a_row: [u32; Lane::ALL.len()],
}

/// Those who wait in one lane: a line for each input in which somebody does, the next one first.
#[derive(Debug, Default)]
struct Lines(VecDeque<(Arc<str>, VecDeque<oneshot::Sender<Turn>>)>);

impl Lines {
    fn push(&mut self, input: &Arc<str>, waiting: oneshot::Sender<Turn>) {
        match self.0.iter_mut().find(|(name, _)| name == input) {
            Some((_, line)) => line.push_back(waiting),
            None => self.0.push_back((input.clone(), VecDeque::from([waiting]))),
        }
    }

    /// The first of the next line, which then goes behind the others.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (input, mut line) = self.0.pop_front()?;
        let first = line.pop_front();
        if !line.is_empty() {
            self.0.push_back((input, line));
        }
        first
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(_, line)| line.len()).sum()
    }
}

impl Turns {
    /// With a share kept for lower lanes: one turn after every `rest_every` of a higher one.
    pub fn new(rest_every: u32) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), rest_every: AtomicU32::new(rest_every.max(1)) })
    }

    /// Keeps another share for lower lanes, from the next turn on.
    pub fn keep_rest(&self, rest_every: u32) {
        self.rest_every.store(rest_every.max(1), Ordering::Relaxed);
    }

    /// Waits for a turn. Dropping the future leaves the queue; dropping the turn hands it on.
    pub async fn take(self: &Arc<Self>, lane: Lane, input: &Arc<str>) -> Turn {
        let waiting = {
            let mut queue = self.lock();
            if !queue.is_taken {
                queue.is_taken = true;
                return Turn { turns: Some(self.clone()) };
            }
            let (tell, told) = oneshot::channel();
            queue.waiting[lane as usize].push(input, tell);
            told
        };
        match waiting.await {
            Ok(turn) => turn,
            // The queue lives as long as anybody waits in it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waiting in each lane, those who have left included until their turn comes.
    pub fn waiting(&self) -> [usize; Lane::ALL.len()] {
        let queue = self.lock();
        std::array::from_fn(|lane| queue.waiting[lane].len())
    }

    /// Whether nobody has a turn or waits for one.
    pub fn is_idle(&self) -> bool {
        !self.lock().is_taken
    }

    fn hand_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut queue = self.lock();
                if let Some(next) = queue.next(self.rest_every.load(Ordering::Relaxed)) {
                    next
                } else {
                    queue.is_taken = false;
                    return;
                }
            };
            match next.send(Turn { turns: Some(self.clone()) }) {
                Ok(()) => return,
                // It has left the queue: the turn goes to the next, and must not hand itself on.
                Err(mut turn) => turn.turns = None,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn next(&mut self, rest_every: u32) -> Option<oneshot::Sender<Turn>> {
        let mut chosen = None;
        for lane in 0..self.waiting.len() {
            if self.waiting[lane].is_empty() {
                continue;
            }
            let lower_waits = self.waiting.iter().skip(lane + 1).any(|lower| !Lines::is_empty(lower));
            chosen = Some(lane);
            if !lower_waits {
                self.in_a_row[lane] = 0;
                break;
            }
            if self.in_a_row[lane] < rest_every {
                self.in_a_row[lane] += 1;
                break;
            }
            self.in_a_row[lane] = 0;
        }
        chosen.and_then(|lane| self.waiting[lane].pop())
    }
}

/// A turn; handed on when dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Option<Arc<Turns>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::BoxFuture};

    type Waiting = (Lane, usize, BoxFuture<'static, Turn>);

    fn order(rest_every: u32, lanes: &[Lane], leave: &[usize]) -> Vec<(Lane, usize)> {
        let lanes: Vec<(Lane, &str)> = lanes.iter().map(|lane| (*lane, "main")).collect();
        order_of_inputs(rest_every, &lanes, leave)
    }

    /// The order in which those who wait behind one turn have theirs.
    fn order_of_inputs(rest_every: u32, lanes: &[(Lane, &str)], leave: &[usize]) -> Vec<(Lane, usize)> {
        order_with(&Turns::new(rest_every), lanes, leave, || {})
    }

    /// The same, with something that happens when all wait.
    fn order_with(
        turns: &Arc<Turns>,
        lanes: &[(Lane, &str)],
        leave: &[usize],
        happens: impl FnOnce(),
    ) -> Vec<(Lane, usize)> {
        let first = turns.take(Lane::Routine, &"main".into()).now_or_never().expect("free");
        let mut waiting: Vec<Waiting> = Vec::new();
        for (index, (lane, input)) in lanes.iter().enumerate() {
            let (turns, lane, input) = (turns.clone(), *lane, Arc::from(*input));
            let mut future = async move { turns.take(lane, &input).await }.boxed();
            assert!((&mut future).now_or_never().is_none());
            waiting.push((lane, index, future));
        }
        waiting.retain(|(_, index, _)| !leave.contains(index));
        happens();
        drop(first);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let at = waiting.iter_mut().position(|(_, _, future)| match future.now_or_never() {
                Some(turn) => {
                    drop(turn);
                    true
                }
                None => false,
            });
            let (lane, index, _) = waiting.remove(at.expect("somebody has the turn"));
            order.push((lane, index));
        }
        assert!(turns.is_idle());
        order
    }

    use Lane::{Backfill, Routine, Urgent};

    #[test]
    fn urgent_copy_overtakes_and_each_lane_keeps_its_order() {
        let found = order(9, &[Routine, Routine, Urgent, Backfill, Urgent], &[]);
        assert_eq!(found, [(Urgent, 2), (Urgent, 4), (Routine, 0), (Routine, 1), (Backfill, 3)]);
    }

    #[test]
    fn a_share_is_kept_for_the_rest() {
        let lanes = [Urgent, Urgent, Urgent, Urgent, Urgent, Routine, Routine, Backfill];
        let found: Vec<Lane> = order(2, &lanes, &[]).into_iter().map(|(lane, _)| lane).collect();
        assert_eq!(found, [Urgent, Urgent, Routine, Urgent, Urgent, Routine, Urgent, Backfill]);
    }

    #[test]
    fn a_changed_share_holds_for_those_who_wait() {
        let lanes = [(Urgent, "main"); 5].into_iter().chain([(Routine, "main"); 2]).collect::<Vec<_>>();
        let turns = Turns::new(9);
        let found = order_with(&turns, &lanes, &[], || turns.keep_rest(1));
        let found: Vec<Lane> = found.into_iter().map(|(lane, _)| lane).collect();
        assert_eq!(found, [Urgent, Routine, Urgent, Routine, Urgent, Urgent, Urgent]);
    }

    #[test]
    fn inputs_have_their_turns_in_rotation_within_a_lane() {
        let flood = [(Routine, "flood"); 4];
        let waiting = [&flood[..], &[(Routine, "quiet"), (Urgent, "flood"), (Routine, "quiet")]].concat();
        let found: Vec<usize> = order_of_inputs(9, &waiting, &[]).into_iter().map(|(_, index)| index).collect();
        assert_eq!(found, [5, 0, 4, 1, 6, 2, 3]);
    }

    #[test]
    fn whoever_leaves_the_queue_holds_nobody_up() {
        assert_eq!(order(9, &[Routine, Urgent, Routine], &[0, 1]), [(Routine, 2)]);
    }

    #[test]
    fn a_turn_that_was_given_and_never_looked_at_goes_on() {
        let turns = Turns::new(1);
        let input = Arc::from("main");
        let first = turns.take(Routine, &input).now_or_never().expect("free");
        let mut waiting = turns.take(Routine, &input).boxed();
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        drop(waiting);
        assert!(turns.is_idle());
    }
}

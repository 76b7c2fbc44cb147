//! What became of stories, in whatever order it is read, against what the ledger says.

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;
const MADE: i64 = 1_000 * SECOND;

fn stored(sequence: u64) -> i64 {
    MADE + sequence.cast_signed() * SECOND
}

fn result(kind: Kind, sequence: u64) -> Result {
    Result {
        kind,
        stream: "S".into(),
        sequence,
        stored_ns: stored(sequence),
        part: Part::WHOLE,
        at_ns: stored(sequence) + SECOND,
        place: sequence,
    }
}

fn stand(floor: u64, delivered: u64, ack_pending: u64) -> Stand {
    Stand { durable: "c".into(), floor, delivered, ack_pending, start: 0 }
}

fn ledger(count: u64, stands: Vec<Stand>) -> Ledger {
    let readers = stands.len();
    let mut ledger = Ledger::new("S", MADE, 1..=count, stands).expect("small");
    for sequence in 1..=count {
        ledger.story(sequence, stored(sequence), 0..readers);
    }
    ledger
}

#[test]
fn what_is_done_and_left_nothing_is_lost_and_what_is_not_done_is_not() {
    let mut ledger = ledger(10, vec![stand(4, 7, 3)]);
    for sequence in [1, 2, 4] {
        ledger.result(&result(Kind::Record, sequence));
    }
    let verdict = ledger.close(10, 0);
    assert_eq!(verdict.unaccounted.ranges, [[3, 3]]);
    assert_eq!((verdict.open.ranges, verdict.waiting.ranges), (vec![[5, 7]], vec![[8, 10]]));
    assert_eq!((verdict.recorded, verdict.unaccounted_among_open), (3, 0));
}

#[test]
fn more_without_a_result_than_are_open_are_lost_though_nobody_knows_which() {
    let verdict = ledger(10, vec![stand(0, 10, 7)]).close(10, 0);
    assert_eq!((verdict.open.count, verdict.unaccounted_among_open, verdict.is_clean()), (10, 3, false));
}

#[test]
fn every_reader_of_a_subject_has_to_be_done_with_a_story() {
    let mut ledger = Ledger::new("S", MADE, 1..=4, vec![stand(4, 4, 0), stand(1, 2, 1)]).expect("small");
    for sequence in 1..=3 {
        ledger.story(sequence, stored(sequence), [0, 1]);
    }
    ledger.story(4, stored(4), []);
    let verdict = ledger.close(4, 0);
    assert_eq!(verdict.unaccounted.ranges, [[1, 1]]);
    assert_eq!(verdict.open.ranges, [[2, 2]]);
    assert_eq!(verdict.waiting.ranges, [[3, 3]]);
    assert_eq!(verdict.unread.ranges, [[4, 4]], "no input reads its subject");
}

#[test]
fn results_of_nobody_are_unexpected_and_those_of_other_streams_are_told_apart() {
    let mut ledger = ledger(3, vec![stand(3, 3, 0)]);
    for sequence in 1..=3 {
        ledger.result(&result(Kind::Record, sequence));
    }
    ledger.result(&Result { stream: "T".into(), ..result(Kind::Record, 2) });
    ledger.result(&Result { stored_ns: MADE - 1, ..result(Kind::Record, 2) });
    assert_eq!(ledger.verdict.of_other_streams, 2, "another stream, and an earlier one of this name");
    ledger.result(&Result { stored_ns: stored(2) + 1, ..result(Kind::Record, 2) });
    ledger.result(&result(Kind::Dead, 4));
    ledger.result(&result(Kind::Record, 5));
    ledger.nameless(Kind::Record, 77);
    // Story 4 came in while the results were read.
    let verdict = ledger.close(4, 0);
    let of: Vec<_> = verdict.unexpected.first.iter().map(|unexpected| unexpected.sequence).collect();
    assert_eq!(of, [Some(2), None, Some(5)]);
    assert_eq!((verdict.lost(), verdict.duplicated.count), (0, 0));
}

#[test]
fn what_an_operator_removed_and_what_is_too_old_is_no_loss() {
    let mut ledger = Ledger::new("S", MADE, 1..=5, vec![Stand { start: 2, ..stand(5, 5, 0) }]).expect("small");
    for sequence in [1, 2, 4, 5] {
        ledger.story(sequence, stored(sequence), [0]);
    }
    ledger.result(&result(Kind::Discarded, 5));
    let verdict = ledger.close(5, stored(4));
    assert_eq!(verdict.skipped.ranges, [[1, 1]], "the input began with 2, as the configuration says");
    assert_eq!(verdict.out_of_reach.ranges, [[2, 2]], "its record may have been removed");
    assert_eq!(verdict.deleted.ranges, [[3, 3]]);
    assert_eq!(verdict.unaccounted.ranges, [[4, 4]]);
    assert_eq!(verdict.discarded, 1);
}

#[test]
fn a_range_that_is_too_wide_is_refused_and_an_empty_one_is_clean() {
    assert_eq!(Ledger::new("S", MADE, 1..=u64::MAX, vec![]).err(), Some(TooMany(u64::MAX)));
    #[expect(clippy::reversed_empty_ranges, reason = "the range of a stream that is empty")]
    let empty = Ledger::new("S", MADE, 1..=0, vec![]).expect("empty");
    assert!(empty.close(0, 0).is_clean());
}

/// What became of a story that is done.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Record,
    /// Twice, so many seconds apart.
    Twice(u8),
    Dead,
    DeadTwice,
    /// A record and a dead letter.
    Both,
    /// A record, then a dead letter because it was killed.
    KilledAfter,
    Held,
    HeldThenRecord,
    Replayed,
    /// Replayed, and its dead letter is still there.
    ReplayedAndDead,
    Discarded,
    Lost,
    Deleted,
    DeletedAfterRecord,
    /// So many stories, one of them a dead letter.
    Parts(u8),
    /// One of so many is missing.
    PartsLost(u8),
    PartTwice(u8),
    /// Its first part, then the whole message as a dead letter.
    PartThenDead(u8),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Record),
        1 => any::<u8>().prop_map(Fate::Twice),
        1 => prop::sample::select(vec![
            Fate::Dead, Fate::DeadTwice, Fate::Both, Fate::KilledAfter, Fate::Held, Fate::HeldThenRecord,
            Fate::Replayed, Fate::ReplayedAndDead, Fate::Discarded, Fate::Lost, Fate::Deleted,
            Fate::DeletedAfterRecord,
        ]),
        1 => (2_u8..6).prop_flat_map(|of| prop::sample::select(vec![
            Fate::Parts(of), Fate::PartsLost(of), Fate::PartTwice(of), Fate::PartThenDead(of),
        ])),
    ]
}

fn results(fate: Fate, sequence: u64) -> Vec<Result> {
    let one = |kind| result(kind, sequence);
    let later = |kind, seconds: i64| Result { at_ns: stored(sequence) + (1 + seconds) * SECOND, ..one(kind) };
    let part = |kind, number: u8, of: u8| Result { part: Part { number: number.into(), of: of.into() }, ..one(kind) };
    match fate {
        Fate::Record | Fate::DeletedAfterRecord => vec![one(Kind::Record)],
        Fate::Twice(seconds) => vec![one(Kind::Record), later(Kind::Record, seconds.into())],
        Fate::Dead => vec![one(Kind::Dead)],
        Fate::DeadTwice => vec![one(Kind::Dead), one(Kind::Dead)],
        Fate::Both => vec![one(Kind::Record), one(Kind::Dead)],
        Fate::KilledAfter => vec![one(Kind::Record), one(Kind::Killed)],
        Fate::Held => vec![one(Kind::Held)],
        Fate::HeldThenRecord => vec![one(Kind::Held), one(Kind::Record)],
        Fate::Replayed => vec![one(Kind::Replayed)],
        Fate::ReplayedAndDead => vec![one(Kind::Replayed), one(Kind::Dead)],
        Fate::Discarded => vec![one(Kind::Discarded)],
        Fate::Lost | Fate::Deleted => vec![],
        Fate::Parts(of) => {
            let kind = |number| if number == 2 { Kind::Dead } else { Kind::Record };
            (1..=of).map(|number| part(kind(number), number, of)).collect()
        }
        Fate::PartsLost(of) => (1..of).map(|number| part(Kind::Record, number, of)).collect(),
        Fate::PartTwice(of) => (1..=of).chain([1]).map(|number| part(Kind::Record, number, of)).collect(),
        Fate::PartThenDead(of) => vec![part(Kind::Record, 1, of), one(Kind::Dead)],
    }
}

proptest! {
    /// Whatever became of the stories, in whatever order it is read: the verdict counts it.
    #[test]
    fn every_fate_is_told(
        fates in prop::collection::vec(fate(), 1..60), waiting in 0_u64..5, open in 0_u64..5, seed: u64,
    ) {
        let done = fates.len() as u64;
        let count = done + open + waiting;
        let mut ledger = Ledger::new("S", MADE, 1..=count, vec![stand(done, done + open, open)]).expect("small");
        let mut all = Vec::new();
        for sequence in 1..=count {
            let fate = fates.get(sequence as usize - 1).copied();
            if !matches!(fate, Some(Fate::Deleted | Fate::DeletedAfterRecord)) {
                ledger.story(sequence, stored(sequence), [0]);
            }
            all.extend(fate.map(|fate| results(fate, sequence)).unwrap_or_default());
        }
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
        for result in &all {
            ledger.result(result);
        }
        let verdict = ledger.close(count, 0);
        let number = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() as u64;
        prop_assert_eq!(verdict.waiting.count, waiting);
        prop_assert_eq!(verdict.open.count, open);
        prop_assert_eq!(verdict.unaccounted.count, number(|f| matches!(f, Fate::Lost | Fate::PartsLost(_))));
        prop_assert_eq!(verdict.deleted.count, number(|f| matches!(f, Fate::Deleted)));
        prop_assert_eq!(
            verdict.duplicated.count,
            number(|f| matches!(f, Fate::Twice(_) | Fate::DeadTwice | Fate::Both | Fate::PartTwice(_)))
        );
        prop_assert_eq!(verdict.held, number(|f| matches!(f, Fate::Held)));
        prop_assert_eq!(verdict.replayed, number(|f| matches!(f, Fate::Replayed)));
        prop_assert_eq!(verdict.discarded, number(|f| matches!(f, Fate::Discarded)));
        prop_assert_eq!(verdict.dead, number(|f| matches!(f, Fate::Dead | Fate::DeadTwice | Fate::ReplayedAndDead)));
        prop_assert_eq!(verdict.unexpected.count, 0);
        // Each story is counted in exactly one place.
        let Verdict { recorded, dead, held, replayed, discarded, .. } = verdict;
        let rest = [&verdict.waiting, &verdict.open, &verdict.unread, &verdict.skipped, &verdict.deleted,
            &verdict.out_of_reach, &verdict.unaccounted];
        let rest: u64 = rest.iter().map(|sequences| sequences.count).sum();
        prop_assert_eq!(recorded + dead + held + replayed + discarded + rest, count);
        let within = fates.iter().filter(|fate| matches!(fate, Fate::Twice(seconds) if *seconds <= 100)).count();
        let at_once = number(|f| matches!(f, Fate::DeadTwice | Fate::Both | Fate::PartTwice(_)));
        prop_assert_eq!(verdict.duplicated_within(100_000), within as u64 + at_once);
    }
}

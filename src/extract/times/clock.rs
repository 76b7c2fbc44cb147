//! Times of day: `10:30 p.m. EDT`, `noon`, `7 o'clock`, `1400 GMT`, `Friday night`, `at 10 a.m.`.

use super::{
    cursor::Cursor,
    items::Kind,
    lexicon::{Entry, Word},
    meaning::Moment,
};

/// A time of day and its zone, in minutes east of Greenwich.
pub(super) type Clock = (Moment, Option<i16>);

/// A clock with something that says that it is one.
pub(super) fn clock(c: Cursor<'_>) -> Option<(Cursor<'_>, Clock)> {
    let (next, moment) = plain(c)?;
    let (next, zone) = next.zone().unwrap_or((next, None));
    Some((next, (moment, zone)))
}

fn plain(c: Cursor<'_>) -> Option<(Cursor<'_>, Moment)> {
    let at = |hour: u8, minute, second| Moment::Clock { hour, minute, second };
    match c.kind(0) {
        Kind::Listed(Entry::Word(Word::Noon)) => Some((c.skip(1), at(12, 0, None))),
        Kind::Listed(Entry::Word(Word::Midnight)) => Some((c.skip(1), at(24, 0, None))),
        Kind::Clock { hour, minute, second } => {
            if let Some((next, hour)) = half_day(c.skip(1), u32::from(hour)) {
                return Some((next, at(hour, minute, second)));
            }
            // "2.46" is a number unless something else says that it is a clock.
            let told = !c.written(0).contains('.')
                && matches!(c.before(), Kind::Listed(Entry::Word(Word::At | Word::By | Word::Until)))
                || c.skip(1).zone().is_some();
            told.then(|| (c.skip(1), at(hour, minute, second)))
        }
        Kind::Number { value, digits: 4 } if value < 2400 && value % 100 < 60 => {
            // "1400 GMT"
            c.skip(1).zone().filter(|(_, zone)| zone.is_some())?;
            Some((c.skip(1), at((value / 100) as u8, (value % 100) as u8, None)))
        }
        Kind::Number { .. } | Kind::Listed(Entry::Number(_)) => {
            let (next, hour) = c.cardinal()?;
            if let Some((next, hour)) = half_day(next, hour) {
                return Some((next, at(hour, 0, None)));
            }
            let next = next.eat(Word::Oclock)?;
            let (next, hour) = half_day(next, hour).unwrap_or((next, hour as u8));
            (hour <= 24).then(|| (next, at(hour, 0, None)))
        }
        _ => None,
    }
}

/// `a.m.` or `p.m.`, and the hour with it.
fn half_day(c: Cursor<'_>, hour: u32) -> Option<(Cursor<'_>, u8)> {
    let pm = match c.word()? {
        Word::Am => false,
        Word::Pm => true,
        _ => return None,
    };
    // "am" is a verb when nothing but a bare number stands before it and it is not glued.
    if !(1..=12).contains(&hour) {
        return None;
    }
    let hour = (hour % 12) as u8 + if pm { 12 } else { 0 };
    Some((c.skip(1), hour))
}

/// What may follow a day: a part of it, a clock, or "at" and a clock.
pub(super) fn behind_day(c: Cursor<'_>) -> Option<(Cursor<'_>, Clock)> {
    if let Some((next, part)) = c.part() {
        return Some((next, (Moment::Part(part), None)));
    }
    let comma = c.maybe_kind(Kind::Comma);
    if let Some(next) = comma.eat(Word::At) {
        let next = if next.is(Word::About) { next.skip(1) } else { next };
        return clock(next);
    }
    if let Some((next, part)) = c.eat(Word::In).and_then(|next| next.eat(Word::The)).and_then(Cursor::part) {
        return Some((next, (Moment::Part(part), None)));
    }
    clock(comma).filter(|(next, _)| next.at > comma.at)
}

#[cfg(test)]
mod tests {
    use crate::extract::times::testing::values;

    #[test]
    fn clocks() {
        values(
            "It begins at 10:30 p.m. EDT and ends at noon Thursday.",
            Some("2031-03-04"),
            &[("10:30 p.m. EDT", "2031-03-04T22:30"), ("noon Thursday", "2031-03-06T12:00")],
        );
    }
}

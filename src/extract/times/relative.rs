//! Times that are seen from elsewhere: from the reference time (`yesterday`, `last week`, `two years
//! ago`, `earlier this month`, `now`) or from the date before them (`a day earlier`, `the next
//! morning`, `that year`).

use super::{
    calendar, clock,
    cursor::Cursor,
    duration,
    items::Kind,
    lexicon::{Entry, Word},
    meaning::{Again, Amount, Calendar, Count, From, Meaning, Modifier, Moment, Pointer, Side, Unit},
    parse::Parsed,
};

/// `today`, `yesterday morning`, `tomorrow at noon`, `tonight`.
pub(super) fn day_word(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let days = match c.word()? {
        Word::Today => 0,
        Word::Yesterday => -1,
        Word::Tomorrow => 1,
        Word::Tonight => {
            let moment = Some(Moment::Part(super::meaning::Part::Night));
            return Some(Parsed::new(c.skip(1), Meaning::Days { days: 0, moment }, "deictic_day"));
        }
        _ => return None,
    };
    let next = c.skip(1);
    let (next, clock) = clock::behind_day(next).map_or((next, None), |(next, clock)| (next, Some(clock)));
    let meaning = Meaning::Days { days, moment: clock.map(|clock| clock.0) };
    Some(Parsed { zone: clock.and_then(|clock| clock.1), ..Parsed::new(next, meaning, "deictic_day") })
}

/// `now`, `recently`, `the future`, `soon`.
pub(super) fn vague(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let found = |end, side, rule| Some(Parsed::new(end, Meaning::Vague(side), rule));
    let next = c.skip(1);
    match c.word()? {
        Word::Now | Word::Currently => found(next, Side::Present, "present_reference"),
        Word::Right if next.is(Word::Now) => found(next.skip(1), Side::Present, "present_reference"),
        Word::Current if !next.is(Word::Time) => found(next, Side::Present, "present_reference"),
        Word::Recently => found(next, Side::Past, "past_reference"),
        Word::Soon if !next.is(Word::After) && c.before() != Kind::Listed(Entry::Word(Word::As)) => {
            found(next, Side::Future, "future_reference")
        }
        Word::Recent => {
            if let Some((end, unit)) = next.units() {
                if matches!(unit, Unit::Month | Unit::Quarter) {
                    let meaning = Meaning::Duration(Amount::new(Count::Vague, Unit::Month));
                    return Some(Parsed::new(end, meaning, "vague_duration"));
                }
                return found(end, Side::Past, "past_reference");
            }
            found(next, Side::Past, "past_reference")
        }
        Word::Earlier if is_opening(c) && next.kind(0) != Kind::Listed(Entry::Word(Word::In)) => {
            found(next, Side::Past, "past_reference")
        }
        _ => None,
    }
}

/// At the head of its sentence, and written so.
fn is_opening(c: Cursor<'_>) -> bool {
    c.written(0).starts_with(char::is_uppercase) && (c.at == 0 || matches!(c.before(), Kind::Other | Kind::Apostrophe))
}

/// `last week`, `this summer`, `next Monday`, `the previous year`, `that day`, `the past two months`.
/// Stands behind "the", if one was there.
pub(super) fn pointed(c: Cursor<'_>, has_the: bool) -> Option<Parsed<'_>> {
    let word = c.word()?;
    let next = c.skip(1);
    // "the past two months", "next several weeks", "the last decade"
    if matches!(
        word,
        Word::Past | Word::Last | Word::Next | Word::Coming | Word::Previous | Word::Following | Word::These
    ) && let Some((end, amount)) = duration::amount(next)
        && !matches!(next.word(), Some(Word::A))
    {
        return Some(Parsed::new(end, Meaning::Duration(amount), "duration"));
    }
    if word == Word::These && next.units().is_some_and(|(_, unit)| unit == Unit::Day) {
        return Some(Parsed::new(next.skip(1), Meaning::Vague(Side::Present), "present_reference"));
    }
    if matches!(word, Word::Past | Word::Last | Word::Coming)
        && let Some((end, unit)) = next.units()
        && (has_the || word == Word::Coming)
    {
        return Some(Parsed::new(end, Meaning::Duration(Amount::new(Count::Vague, unit)), "vague_duration"));
    }
    let stretch = word == Word::Past || word == Word::Last && has_the;
    if stretch
        && let Some((end, unit)) = next.unit()
        && matches!(
            unit,
            Unit::Decade | Unit::Century | Unit::Year | Unit::Month | Unit::Week | Unit::Hour | Unit::Quarter
        )
        && !(word == Word::Last && matches!(unit, Unit::Quarter))
    {
        return Some(Parsed::new(end, Meaning::Duration(Amount::new(Count::Exactly(1), unit)), "duration"));
    }
    let pointer = match word {
        Word::This | Word::Current => Pointer::This,
        Word::Last | Word::Past | Word::Latest => Pointer::Last,
        Word::Next if has_the => Pointer::Following,
        Word::Next | Word::Coming => Pointer::Next,
        Word::Previous => Pointer::Previous,
        Word::Following => Pointer::Following,
        Word::Same | Word::That => Pointer::Same,
        _ => return None,
    };
    let next = if word == Word::This && next.is(Word::Coming) { next.skip(1) } else { next };
    let next_fiscal = next.maybe(Word::Fiscal);
    if let Some((end, unit)) = next_fiscal.unit() {
        let rule = match pointer {
            Pointer::Previous | Pointer::Following | Pointer::Same => "unit_from_previous_date",
            _ => "unit_from_reference",
        };
        if unit.is_clock() {
            return None;
        }
        // "this year's third quarter"
        if unit == Unit::Year
            && let Some(after) = end.eat(Word::Possessive)
            && let Some((end, (what @ (Calendar::Quarter { .. } | Calendar::Half { .. } | Calendar::Season { .. }), _))) =
                calendar::piece(after)
        {
            let years = match pointer {
                Pointer::Last => -1,
                Pointer::Next => 1,
                _ => 0,
            };
            let meaning = Meaning::Calendar { what, pointer: Pointer::Years(years), moment: None };
            return Some(Parsed::new(end, meaning, "unit_from_reference"));
        }
        let meaning = Meaning::Calendar { what: Calendar::Unit(unit), pointer, moment: None };
        return Some(Parsed::new(end, meaning, rule));
    }
    if next.is(Word::Period) && !matches!(word, Word::That | Word::This | Word::Same) {
        let what = Calendar::Unit(Unit::Quarter);
        return Some(Parsed::new(next.skip(1), Meaning::Calendar { what, pointer, moment: None }, "quarter"));
    }
    if let Some((end, part)) = next.part() {
        let moment = Moment::Part(part);
        return Some(Parsed::new(end, Meaning::Moment { moment, pointer }, "part_of_day"));
    }
    if let Some((end, season)) = next.season() {
        let what = Calendar::Season { year: None, season };
        return Some(Parsed::new(end, Meaning::Calendar { what, pointer, moment: None }, "season"));
    }
    if word == Word::That || word == Word::Latest {
        return None;
    }
    let early = match next.word() {
        Some(Word::Early | Word::Mid | Word::Late) => next.skip(1),
        _ => next,
    };
    let (end, (what, _)) = calendar::piece(early)?;
    let fits = matches!(
        what,
        Calendar::Weekday(_)
            | Calendar::Month { year: None, .. }
            | Calendar::Holiday { year: None, .. }
            | Calendar::Day { year: None, .. }
    );
    if !fits {
        return None;
    }
    let (end, clock) = clock::behind_day(end).map_or((end, None), |(end, clock)| (end, Some(clock)));
    let meaning = Meaning::Calendar { what, pointer, moment: clock.map(|clock| clock.0) };
    Some(Parsed { zone: clock.and_then(|clock| clock.1), ..Parsed::new(end, meaning, "pointed_date") })
}

/// `earlier this month`, `later in the day`.
pub(super) fn earlier_or_later(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let modifier = match c.word()? {
        Word::Earlier => Modifier::Start,
        Word::Later => Modifier::End,
        _ => return None,
    };
    let next = c.skip(1);
    let inner = if next.is(Word::In) && next.skip(1).is(Word::The) {
        let (end, unit) = next.skip(2).unit()?;
        let meaning = Meaning::Calendar { what: Calendar::Unit(unit), pointer: Pointer::Same, moment: None };
        Parsed::new(end, meaning, "unit_from_previous_date")
    } else if next.is(Word::This) || next.is(Word::That) {
        pointed(next, false)?
    } else {
        return None;
    };
    matches!(inner.meaning, Meaning::Calendar { .. } | Meaning::Days { .. } | Meaning::Moment { .. })
        .then_some(Parsed { modifier: Some(modifier), ..inner })
}

/// What follows an amount and makes it an offset: `ago`, `earlier`, `later`, `from now`, `before`.
pub(super) fn offset(end: Cursor<'_>, amount: Amount) -> Option<Parsed<'_>> {
    let found =
        |end, back, from, rule| Some(Parsed::new(end, Meaning::Offset { amount, back, from, moment: None }, rule));
    let next = end.skip(1);
    match end.word()? {
        Word::Ago => {
            // "a year ago third quarter" is told by the quarter rule; "two weeks ago today" goes whole.
            let next = if next.is(Word::Today) || next.weekday().is_some() { next.skip(1) } else { next };
            found(next, true, From::Reference, "offset_from_reference")
        }
        Word::Hence => found(next, false, From::Reference, "offset_from_reference"),
        Word::From if next.is(Word::Now) || next.is(Word::Today) => {
            found(next.skip(1), false, From::Reference, "offset_from_reference")
        }
        Word::Earlier => found(next, true, From::Context, "offset_from_previous_date"),
        Word::Later => found(next, false, From::Context, "offset_from_previous_date"),
        Word::Before | Word::After if ends_clause(next) => {
            found(next, end.is(Word::Before), From::Context, "offset_from_previous_date")
        }
        Word::Previous if end.written(0) == "previously" => {
            found(next, true, From::Context, "offset_from_previous_date")
        }
        _ => None,
    }
}

/// `year-end`: the last day of the year. Stands at the unit.
pub(super) fn year_end(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (next, unit) = c.unit()?;
    let end = next.hyphen()?.eat(Word::End)?;
    (unit == Unit::Year).then_some(())?;
    let what = Calendar::Day { year: None, month: 12, day: 31 };
    Some(Parsed::new(end, Meaning::Calendar { what, pointer: Pointer::This, moment: None }, "year_end"))
}

/// Whether no object follows: "two days before." against "two days before the vote".
fn ends_clause(c: Cursor<'_>) -> bool {
    c.is_end() || !c.written(0).starts_with(|c: char| c.is_alphanumeric())
}

/// `the day before`, `the day after tomorrow`, `the week after`. Stands behind "the".
pub(super) fn unit_before(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (next, unit) = c.unit()?;
    let back = match next.word()? {
        Word::Before | Word::Earlier => true,
        Word::After | Word::Later => false,
        _ => return None,
    };
    let after = next.skip(1);
    if unit == Unit::Day && after.is(Word::Yesterday) && back {
        return Some(Parsed::new(after.skip(1), Meaning::Days { days: -2, moment: None }, "deictic_day"));
    }
    if unit == Unit::Day && after.is(Word::Tomorrow) && !back {
        return Some(Parsed::new(after.skip(1), Meaning::Days { days: 2, moment: None }, "deictic_day"));
    }
    ends_clause(after).then_some(())?;
    let amount = Amount::new(Count::Exactly(1), unit);
    let meaning = Meaning::Offset { amount, back, from: From::Context, moment: None };
    Some(Parsed::new(after, meaning, "offset_from_previous_date"))
}

/// `year-earlier`, `year-ago quarter`, `year-earlier period`.
pub(super) fn year_ago(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (next, unit) = c.unit()?;
    if unit != Unit::Year && unit != Unit::Month {
        return None;
    }
    let next = next.hyphen()?;
    matches!(next.word()?, Word::Ago | Word::Earlier).then_some(())?;
    let end = next.skip(1);
    let amount = Amount::new(Count::Exactly(1), unit);
    let meaning = Meaning::Offset { amount, back: true, from: From::Context, moment: None };
    let end = match end.unit() {
        Some((after, Unit::Quarter)) => after,
        _ => end.maybe(Word::Period),
    };
    Some(Parsed::new(end, meaning, "offset_from_previous_date"))
}

/// `daily`, `every day`, `each Monday`, `every two weeks`, `per year`, `Mondays`.
pub(super) fn again(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let every = |unit| Again::Every(Amount::new(Count::Exactly(1), unit));
    let found = |end, again| Some(Parsed::new(end, Meaning::Set(again), "set"));
    match c.kind(0) {
        Kind::Listed(Entry::Always(unit)) => return found(c.skip(1), every(unit)),
        Kind::Listed(Entry::Weekdays(day)) => return found(c.skip(1), Again::Weekday(day, None)),
        Kind::Listed(Entry::Weekday(day)) => {
            if let Kind::Listed(Entry::Parts(part)) = c.kind(1) {
                return found(c.skip(2), Again::Weekday(day, Some(part)));
            }
            return None;
        }
        _ => {}
    }
    let word = c.word()?;
    let next = c.skip(1);
    match word {
        Word::Every | Word::Each => {
            let next = if next.written(0) == "other" { next.skip(1) } else { next };
            if let Some((end, unit)) = next.unit() {
                return found(end, if unit == Unit::Weekend { Again::Weekend } else { every(unit) });
            }
            if let Some((end, day)) = next.weekday() {
                let (end, part) = end.part().map_or((end, None), |(end, part)| (end, Some(part)));
                return found(end, Again::Weekday(day, part));
            }
            if let Some((end, month)) = next.month() {
                return found(end, Again::Month(month));
            }
            if let Some((end, season)) = next.season() {
                return found(end, Again::Season(season));
            }
            if let Some((end, part)) = next.part() {
                return found(end, Again::Part(part));
            }
            let (end, amount) = duration::amount(next)?;
            found(end, Again::Every(amount))
        }
        Word::Per => {
            let (end, unit) = next.unit()?;
            found(end, every(unit))
        }
        Word::A => {
            let (end, unit) = next.unit()?;
            let rate = matches!(
                c.before(),
                Kind::Percent
                    | Kind::Number { .. }
                    | Kind::Tenths(_)
                    | Kind::Listed(Entry::Word(Word::Once | Word::Times) | Entry::Scale(_))
            ) || is_counted(c.written_before());
            (rate && !ends_rate(end)).then_some(())?;
            found(end, every(unit))
        }
        _ => None,
    }
}

/// Whether the word before "a year" is a plural that is counted: "three flights a week".
fn is_counted(word: &str) -> bool {
    word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && word.starts_with(char::is_lowercase)
        && !matches!(
            word,
            "was"
                | "takes"
                | "lasts"
                | "this"
                | "gives"
                | "makes"
                | "perhaps"
                | "always"
                | "besides"
                | "minus"
                | "plus"
                | "means"
        )
}

fn ends_rate(c: Cursor<'_>) -> bool {
    matches!(c.word(), Some(Word::Ago | Word::Earlier | Word::Later | Word::Before | Word::After))
}

#[cfg(test)]
mod tests {
    use crate::extract::times::testing::values;

    #[test]
    fn from_the_reference_time() {
        values(
            "He left yesterday; the vote was last week, and she resigned two years ago.",
            Some("2031-03-04"),
            &[("yesterday", "2031-03-03"), ("last week", "2031-W09"), ("two years ago", "2029")],
        );
    }

    #[test]
    fn from_the_date_before() {
        values(
            "They met on January 5, 2031. A day earlier the bridge had closed.",
            None,
            &[("January 5, 2031", "2031-01-05"), ("A day earlier", "2031-01-04")],
        );
    }

    #[test]
    fn again_and_again() {
        values(
            "Trains run daily, every Monday and twice a week.",
            None,
            &[("daily", "P1D"), ("every Monday", "XXXX-WXX-1"), ("a week", "P1W")],
        );
    }
}

//! Items → expressions of time: which rule reads what, longest first.

use super::{
    calendar, clock,
    cursor::Cursor,
    duration,
    items::Kind,
    lexicon::{Entry, Word},
    meaning::{Calendar, Meaning, Modifier, Moment, Pointer, Unit},
    relative,
};

/// An expression that was read.
#[derive(Clone, Copy)]
pub(super) struct Parsed<'a> {
    /// Behind its last item.
    pub(super) end: Cursor<'a>,
    pub(super) meaning: Meaning,
    pub(super) modifier: Option<Modifier>,
    /// The zone that was written, in minutes east of Greenwich.
    pub(super) zone: Option<i16>,
    pub(super) rule: &'static str,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(end: Cursor<'a>, meaning: Meaning, rule: &'static str) -> Self {
        Self { end, meaning, modifier: None, zone: None, rule }
    }
}

/// The expression that begins here.
pub(super) fn expression(c: Cursor<'_>) -> Option<Parsed<'_>> {
    match c.kind(0) {
        Kind::Comma | Kind::Hyphen | Kind::Bracket | Kind::Currency | Kind::Percent => None,
        Kind::Other if !c.written(0).starts_with(['Q', 'F']) => None,
        Kind::Listed(Entry::Word(_)) => quantified(c).or_else(|| by_word(c)),
        Kind::Listed(Entry::Unit(_)) => relative::year_ago(c).or_else(|| relative::year_end(c)),
        Kind::Listed(Entry::Units(_)) => bare_plural(c),
        _ => relative::again(c).or_else(|| numbered(c)).or_else(|| dated(c)),
    }
}

/// A number with its unit, or a clock.
fn numbered(c: Cursor<'_>) -> Option<Parsed<'_>> {
    if let Some(found) = timed(c) {
        return Some(found);
    }
    if matches!(c.before(), Kind::Currency) {
        return None;
    }
    stretch(c)
}

/// A stretch of time, or the offset that the words behind it make of it.
fn stretch(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (end, amount) = duration::amount(c)?;
    if let Some(found) = relative::offset(end, amount) {
        return Some(found);
    }
    // An age in its own words is told with the person: "52 years old".
    if end.is(Word::Old) && !end.is_glued() {
        return None;
    }
    let end = end.hyphen().filter(|next| next.is(Word::Old)).map_or(end, |next| next.skip(1));
    let vague = amount.count == super::meaning::Count::Vague;
    Some(Parsed::new(end, Meaning::Duration(amount), if vague { "vague_duration" } else { "duration" }))
}

fn bare_plural(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (end, unit) = c.units()?;
    let amount = super::meaning::Amount::new(super::meaning::Count::Vague, unit);
    if matches!(end.word(), Some(Word::Ago | Word::Earlier | Word::Later)) {
        return relative::offset(end, amount);
    }
    let (end, amount) = duration::bare(c)?;
    Some(Parsed::new(end, Meaning::Duration(amount), "vague_duration"))
}

/// A clock, and the day behind it.
fn timed(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (end, (moment, zone)) = clock::clock(c)?;
    let alone = Parsed { zone, ..Parsed::new(end, Meaning::Moment { moment, pointer: Pointer::Tense }, "clock") };
    let next = end.maybe_kind(Kind::Comma).maybe(Word::On);
    let day = relative::day_word(next)
        .filter(|day| matches!(day.meaning, Meaning::Days { moment: None, .. }))
        .or_else(|| dated(next).filter(|day| is_day(&day.meaning)))
        .or_else(|| {
            next.word()
                .is_some_and(|word| matches!(word, Word::Next | Word::This | Word::Last))
                .then(|| relative::pointed(next, false))
                .flatten()
                .filter(|day| is_day(&day.meaning))
        });
    let Some(day) = day else { return Some(alone) };
    let meaning = match day.meaning {
        Meaning::Days { days, .. } => Meaning::Days { days, moment: Some(moment) },
        Meaning::Calendar { what, pointer, .. } => Meaning::Calendar { what, pointer, moment: Some(moment) },
        _ => return Some(alone),
    };
    Some(Parsed { zone, ..Parsed::new(day.end, meaning, "clock") })
}

fn is_day(meaning: &Meaning) -> bool {
    matches!(
        meaning,
        Meaning::Calendar {
            what: Calendar::Day { .. } | Calendar::Weekday(_) | Calendar::Holiday { .. },
            moment: None,
            ..
        }
    )
}

/// A piece of the calendar, and the time of day behind it.
fn dated(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (end, (what, pointer)) = calendar::piece(c)?;
    let rule = match what {
        Calendar::Weekday(_) => "weekday",
        Calendar::Day { year: None, .. } => "month_day",
        Calendar::Month { year: None, .. } => "month",
        Calendar::Quarter { .. } | Calendar::Half { .. } => "quarter",
        Calendar::Season { .. } => "season",
        Calendar::Holiday { .. } => "holiday",
        Calendar::DayOfMonth(_) => "day_of_month",
        Calendar::Year(_) | Calendar::Decade(_) | Calendar::Century(_) => "year",
        _ => "explicit_date",
    };
    let takes_moment = matches!(what, Calendar::Weekday(_) | Calendar::Day { .. } | Calendar::Holiday { .. });
    let moment = if takes_moment { clock::behind_day(end) } else { None };
    let (end, clock) = moment.map_or((end, None), |(end, clock)| (end, Some(clock)));
    let meaning = Meaning::Calendar { what, pointer, moment: clock.map(|clock| clock.0) };
    Some(Parsed { zone: clock.and_then(|clock| clock.1), ..Parsed::new(end, meaning, rule) })
}

/// `more than four hours`, `nearly two years ago`, `at least 10 days`.
fn quantified(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let next = c.skip(1);
    let (inner, modifier) = match c.word()? {
        Word::More if next.is(Word::Than) => (next.skip(1), Modifier::MoreThan),
        Word::Less if next.is(Word::Than) => (next.skip(1), Modifier::LessThan),
        Word::Over => (next, Modifier::MoreThan),
        Word::Under | Word::Nearly => (next, Modifier::LessThan),
        Word::At if next.is(Word::Least) => (next.skip(1), Modifier::EqualOrMore),
        Word::At if next.is(Word::Most) => (next.skip(1), Modifier::EqualOrLess),
        Word::Up if next.is(Word::To) => (next.skip(1), Modifier::EqualOrLess),
        Word::As if next.is(Word::Many) && next.skip(1).is(Word::As) => (next.skip(2), Modifier::EqualOrLess),
        _ => return None,
    };
    let found = stretch(inner)?;
    let of_count = inner.kind(0) != Kind::Listed(Entry::Word(Word::The));
    of_count.then_some(Parsed { modifier: Some(modifier), ..found })
}

/// What begins with one of the words of the grammar.
fn by_word(c: Cursor<'_>) -> Option<Parsed<'_>> {
    match c.word()? {
        Word::The => behind_the(c.skip(1)),
        Word::A => relative::again(c).or_else(|| article(c)),
        Word::Few | Word::Several | Word::Many | Word::Couple | Word::Another => stretch(c),
        Word::Early | Word::Mid | Word::Late => phased(c),
        Word::End | Word::Beginning | Word::Turn => edge(c),
        Word::Earlier | Word::Later => relative::earlier_or_later(c).or_else(|| relative::vague(c)),
        Word::Every | Word::Each | Word::Per => relative::again(c),
        Word::Today | Word::Yesterday | Word::Tomorrow | Word::Tonight => relative::day_word(c),
        Word::Noon | Word::Midnight => timed(c),
        Word::All | Word::Whole => all_of(c),
        Word::Fiscal | Word::Ad => dated(c),
        Word::Yearend => Some(year_end(c.skip(1), Pointer::This)),
        Word::At if c.word_at(1) == Some(Word::Present) => {
            let meaning = Meaning::Vague(super::meaning::Side::Present);
            Some(Parsed::new(c.skip(2), meaning, "present_reference"))
        }
        Word::This
        | Word::Last
        | Word::Next
        | Word::Past
        | Word::Coming
        | Word::Previous
        | Word::Following
        | Word::That
        | Word::These
        | Word::Same => relative::pointed(c, false),
        Word::Current => relative::pointed(c, false).or_else(|| relative::vague(c)),
        _ => relative::vague(c),
    }
}

fn year_end(end: Cursor<'_>, pointer: Pointer) -> Parsed<'_> {
    let meaning = Meaning::Calendar { what: Calendar::Unit(Unit::Year), pointer, moment: None };
    Parsed { modifier: Some(Modifier::End), ..Parsed::new(end, meaning, "unit_from_reference") }
}

/// `a year ago`, `a day earlier`, `a couple of years`, `a week` where it says how long.
fn article(c: Cursor<'_>) -> Option<Parsed<'_>> {
    if c.skip(1).unit().is_some() {
        let (end, amount) = duration::single(c)?;
        if let Some(found) = relative::offset(end, amount) {
            return Some(found);
        }
        let half = !matches!(amount.count, super::meaning::Count::Exactly(_));
        return (half || duration::is_length(c)).then(|| Parsed::new(end, Meaning::Duration(amount), "duration"));
    }
    if c.skip(1).cardinal().is_some() && !matches!(c.kind(1), Kind::Listed(Entry::Scale(_))) {
        // "a two-year term": the article is no part of it.
        return None;
    }
    stretch(c)
}

/// `early May`, `late 1940`, `mid-November`, `late Friday`, `early next year`, `late yesterday`.
fn phased(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let modifier = match c.word()? {
        Word::Early => Modifier::Start,
        Word::Mid => Modifier::Mid,
        _ => Modifier::End,
    };
    let next = c.skip(1);
    let next = next.hyphen().unwrap_or(next);
    let next = if next.is(Word::In) || next.is(Word::On) { next.skip(1) } else { next };
    let next_the = next.maybe(Word::The);
    let found = if matches!(next.word(), Some(Word::This | Word::Last | Word::Next | Word::That)) {
        relative::pointed(next, false)
    } else if let Some(found) = relative::day_word(next) {
        Some(found)
    } else if let Some((end, part)) = next.part() {
        let meaning = Meaning::Moment { moment: Moment::Part(part), pointer: Pointer::Tense };
        let found = Parsed::new(end, meaning, "part_of_day");
        // "early morning" alone says no day.
        c.before().eq(&Kind::Listed(Entry::Word(Word::The))).then_some(found)
    } else if let Some(found) = seasonal(next_the) {
        Some(found)
    } else {
        dated(next_the)
    }?;
    matches!(found.meaning, Meaning::Calendar { .. } | Meaning::Days { .. } | Meaning::Moment { .. })
        .then_some(Parsed { modifier: Some(modifier), ..found })
}

/// A season behind a word that makes it one.
fn seasonal(c: Cursor<'_>) -> Option<Parsed<'_>> {
    if let Some(found) =
        dated(c).filter(|found| matches!(found.meaning, Meaning::Calendar { what: Calendar::Season { .. }, .. }))
    {
        return Some(found);
    }
    let (end, season) = c.season()?;
    // "the fall of the city"
    if c.written(0) == "fall" && end.is(Word::Of) {
        return None;
    }
    let meaning =
        Meaning::Calendar { what: Calendar::Season { year: None, season }, pointer: Pointer::Tense, moment: None };
    Some(Parsed::new(end, meaning, "season"))
}

/// `end of 1941`, `beginning of the year`, `turn of the century`, `end of March`.
fn edge(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let modifier = match c.word()? {
        Word::Beginning | Word::Turn => Modifier::Start,
        Word::Mid => Modifier::Mid,
        _ => Modifier::End,
    };
    let of = c.skip(1).eat(Word::Of)?;
    let found = if let Some(next) = of.eat(Word::The) {
        whole_unit(next).or_else(|| behind_the(next))
    } else {
        relative::pointed(of, false).or_else(|| dated(of))
    }?;
    matches!(found.meaning, Meaning::Calendar { .. }).then_some(Parsed { modifier: Some(modifier), ..found })
}

/// `month`, `year`: the one that is spoken of. Stands behind "the".
fn whole_unit(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let c = c.maybe(Word::Fiscal);
    let (end, unit) = c.unit()?;
    if unit.is_clock() || unit == Unit::Day {
        return None;
    }
    let meaning = Meaning::Calendar { what: Calendar::Unit(unit), pointer: Pointer::Same, moment: None };
    Some(Parsed::new(end, meaning, "unit_from_previous_date"))
}

/// `all year`, `all day`, `the whole year`.
fn all_of(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (end, unit) = c.skip(1).unit()?;
    let amount = super::meaning::Amount::new(super::meaning::Count::Exactly(1), unit);
    (!unit.is_clock()).then(|| Parsed::new(end, Meaning::Duration(amount), "duration"))
}

/// What stands behind "the".
fn behind_the(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let vague = |end, side, rule| Some(Parsed::new(end, Meaning::Vague(side), rule));
    match c.kind(0) {
        Kind::Listed(Entry::Word(word)) => match word {
            Word::Early | Word::Late => return phased(c),
            Word::Mid => return phased(c).or_else(|| edge(c)),
            Word::End | Word::Beginning | Word::Turn => return edge(c),
            Word::Whole => return all_of(c),
            Word::Past if is_noun_alone(c.skip(1)) => {
                return vague(c.skip(1), super::meaning::Side::Past, "past_reference");
            }
            Word::Future => return vague(c.skip(1), super::meaning::Side::Future, "future_reference"),
            Word::Foreseeable if c.word_at(1) == Some(Word::Future) => {
                return vague(c.skip(2), super::meaning::Side::Future, "future_reference");
            }
            Word::Present if is_noun_alone(c.skip(1)) => {
                return vague(c.skip(1), super::meaning::Side::Present, "present_reference");
            }
            Word::Moment if c.at >= 2 && c.items.get(c.at - 2).and_then(super::items::Item::word) == Some(Word::At) => {
                return vague(c.skip(1), super::meaning::Side::Present, "present_reference");
            }
            Word::Fiscal => {
                return dated(c).or_else(|| whole_unit(c));
            }
            Word::Few | Word::Several | Word::Couple => return stretch(c),
            _ => return relative::pointed(c, true),
        },
        Kind::Listed(Entry::Unit(unit)) => {
            if let Some(found) = relative::year_ago(c).or_else(|| relative::unit_before(c)) {
                return Some(found);
            }
            if unit == Unit::Year && c.skip(1).year().is_some() {
                return dated(c.skip(1));
            }
            return match unit {
                Unit::Weekend | Unit::Quarter => whole_unit(c),
                Unit::Year if !matches!(c.word_at(1), Some(Word::Of)) => whole_unit(c),
                _ => None,
            };
        }
        Kind::Listed(Entry::Season(_)) => return seasonal(c),
        Kind::Listed(Entry::Part(part)) => {
            // "the morning of May 5"
            let next = c.skip(1).eat(Word::Of)?.maybe(Word::The);
            let day = dated(next).filter(|day| is_day(&day.meaning))?;
            if let Meaning::Calendar { what, pointer, .. } = day.meaning {
                let meaning = Meaning::Calendar { what, pointer, moment: Some(Moment::Part(part)) };
                return Some(Parsed { meaning, ..day });
            }
            return None;
        }
        _ => {}
    }
    if let Some((next, ordinal)) = c.ordinal() {
        if let Some(found) = dated(c) {
            // The article belongs to the noun: "the third-quarter loss".
            let is_adjective = next.hyphen().is_some()
                && !matches!(found.meaning, Meaning::Calendar { what: Calendar::Century(_), .. });
            return (!is_adjective).then_some(found);
        }
        // "the first nine months", "the first two weeks of May"
        if let Some((end, amount)) = duration::amount(next)
            && !next.is(Word::A)
        {
            return Some(Parsed::new(end, Meaning::Duration(amount), "duration"));
        }
        // "the 21st": in digits, and no noun behind it.
        if matches!(c.kind(0), Kind::Nth(_)) && (1..=31).contains(&ordinal) && is_noun_alone(next) {
            let what = Calendar::DayOfMonth(ordinal as u8);
            let meaning = Meaning::Calendar { what, pointer: Pointer::Tense, moment: None };
            return Some(Parsed::new(next, meaning, "day_of_month"));
        }
        return None;
    }
    if let Some((end, amount)) = duration::amount(c) {
        // The article belongs to the noun: "the two-week strike".
        let is_adjective =
            c.items.get(c.at..end.at).is_some_and(|items| items.iter().any(|item| item.kind == Kind::Hyphen));
        return (!is_adjective).then(|| Parsed::new(end, Meaning::Duration(amount), "duration"));
    }
    let found = dated(c)?;
    match found.meaning {
        Meaning::Calendar { what: Calendar::Year(_), .. } if found.end.is(Word::Period) => {
            Some(Parsed { end: found.end.skip(1), ..found })
        }
        Meaning::Calendar {
            what: Calendar::Decade(_) | Calendar::Century(_) | Calendar::Quarter { .. } | Calendar::Half { .. },
            ..
        } => Some(found),
        // "the May 5 attack": the date begins behind the article.
        _ => None,
    }
}

/// Whether the word before stands for itself: no noun follows.
fn is_noun_alone(c: Cursor<'_>) -> bool {
    c.is_end()
        || !c.written(0).starts_with(|c: char| c.is_alphanumeric())
        || matches!(c.kind(0), Kind::Listed(Entry::Word(Word::And | Word::Of | Word::Or | Word::To | Word::In)))
}

/// A second date that hangs on the first: the `8` of `May 5-8`, the `18` of `1914-18`.
pub(super) fn second<'a>(found: &Parsed<'a>) -> Option<(Cursor<'a>, Parsed<'a>)> {
    let Meaning::Calendar { what, pointer, .. } = found.meaning else { return None };
    let c = found.end;
    match what {
        Calendar::Year(first) if first > 1000 => {
            let next = c.hyphen()?;
            let Kind::Number { value, digits: 2 } = next.kind(0) else { return None };
            let year = first - first % 100 + value as i32;
            let meaning = Meaning::Calendar { what: Calendar::Year(year), pointer, moment: None };
            (year > first).then(|| (next, Parsed::new(next.skip(1), meaning, "year")))
        }
        Calendar::Day { year: None, month, day: first } => {
            let joined = matches!(c.kind(0), Kind::Hyphen | Kind::Listed(Entry::Word(Word::To | Word::And | Word::Or)));
            joined.then_some(())?;
            let next = c.skip(1);
            let Kind::Number { value, digits: 1 | 2 } = next.kind(0) else { return None };
            let end = next.skip(1);
            let counts = matches!(
                end.kind(0),
                Kind::Hyphen
                    | Kind::Percent
                    | Kind::Listed(Entry::Month(_) | Entry::Scale(_) | Entry::Unit(_) | Entry::Units(_))
            );
            let plain = end.kind(0) == Kind::Other
                && end.written(0).starts_with(char::is_alphabetic)
                && c.kind(0) != Kind::Hyphen;
            if counts || plain || value <= u32::from(first) || value > 31 {
                return None;
            }
            let (end, year) = end.year_behind().map_or((end, None), |(end, year)| (end, Some(year)));
            let what = Calendar::Day { year, month, day: value as u8 };
            Some((next, Parsed::new(end, Meaning::Calendar { what, pointer, moment: None }, "month_day")))
        }
        _ => None,
    }
}

/// The first date of `5-8 May 1940`: a day that takes its month from the date behind it.
pub(super) fn first_of_range(c: Cursor<'_>) -> Option<Parsed<'_>> {
    let (next, day) = c.day()?;
    if !matches!(c.kind(0), Kind::Number { .. } | Kind::Nth(_)) {
        return None;
    }
    let joined = matches!(next.kind(0), Kind::Hyphen | Kind::Listed(Entry::Word(Word::To | Word::And | Word::Or)));
    joined.then_some(())?;
    let after = next.skip(1);
    matches!(after.kind(0), Kind::Number { .. } | Kind::Nth(_)).then_some(())?;
    let (_, (what, pointer)) = calendar::piece(after)?;
    let Calendar::Day { year, month, day: last } = what else { return None };
    (day < last).then_some(())?;
    let what = Calendar::Day { year, month, day };
    Some(Parsed::new(next, Meaning::Calendar { what, pointer, moment: None }, "month_day"))
}

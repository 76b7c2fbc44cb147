//! Meaning → TIMEX3 value: what is counted from the reference time, and what from the date before.
//!
//! Each expression is resolved twice, once with the reference time and once with the text alone.
//! News prefers the past: a day or a month without a year is the last one, unless the verb looks
//! ahead. A story that is told in full dates (a history) keeps the year that was named last.

use jiff::civil::Date;

use super::{
    duration,
    meaning::{Again, Amount, Calendar, Count, From, Meaning, Moment, Pointer, Season, Side, Unit},
    value::{self, Point, step},
};

/// The reference time, by the calendar of the place where the story was filed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    pub(super) date: Date,
    /// Hour and minute, where they are known.
    pub(super) clock: Option<(u8, u8)>,
}

/// What is known when an expression is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub(super) base: Option<Base>,
    /// The last date of the text.
    pub(super) last: Option<Point>,
    /// The last date that is a day.
    pub(super) last_day: Option<Point>,
    /// The last quarter, half or month named within reach.
    pub(super) last_quarter: Option<Point>,
    /// The year named last.
    pub(super) last_year: Option<i32>,
    /// The story is told in full dates.
    pub(super) is_narrative: bool,
}

/// What a value rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rests {
    /// The words alone.
    Words,
    Base,
    Context,
}

/// TIMEX3 type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeKind {
    /// A day or something longer, and the vague past, present and future.
    Date,
    /// Something within a day.
    Time,
    /// A stretch of time.
    Duration,
    /// What comes again.
    Set,
}

/// A value, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) kind: TimeKind,
    pub(super) value: String,
    /// The date, when others may hang on it.
    pub(super) point: Option<Point>,
    pub(super) rests: Rests,
}

/// Resolves one expression.
pub(super) fn resolve(meaning: &Meaning, context: &Context, side: Option<Side>) -> Resolved {
    match *meaning {
        Meaning::Calendar { what, pointer, moment } => {
            let (point, rests) = calendar(what, pointer, context, side);
            timed(point, moment, rests)
        }
        Meaning::Days { days, moment } => {
            let (point, rests) = match context.base {
                Some(base) => (Point::of_date(base.date).shift(i32::from(days), Unit::Day), Rests::Base),
                None => (Point::UNKNOWN_DAY, Rests::Words),
            };
            timed(point, moment, rests)
        }
        Meaning::Offset { amount, back, from, moment } => offset(amount, back, from, moment, context),
        Meaning::Moment { moment, pointer } => moment_alone(moment, pointer, context),
        Meaning::Vague(side) => {
            let value = match side {
                Side::Past => "PAST_REF",
                Side::Present => "PRESENT_REF",
                Side::Future => "FUTURE_REF",
            };
            let rests = if context.base.is_some() { Rests::Base } else { Rests::Words };
            Resolved { kind: TimeKind::Date, value: value.to_owned(), point: None, rests }
        }
        Meaning::Duration(amount) => {
            Resolved { kind: TimeKind::Duration, value: duration::value(amount), point: None, rests: Rests::Words }
        }
        Meaning::Set(again) => {
            let value = match again {
                Again::Every(amount) => duration::value(amount),
                Again::Weekday(day, None) => format!("XXXX-WXX-{day}"),
                Again::Weekday(day, Some(part)) => format!("XXXX-WXX-{day}T{}", part.code()),
                Again::Month(month) => format!("XXXX-{month:02}"),
                Again::Season(season) => format!("XXXX-{}", season.code()),
                Again::Part(part) => format!("XXXX-XX-XXT{}", part.code()),
                Again::Weekend => "XXXX-WXX-WE".to_owned(),
            };
            Resolved { kind: TimeKind::Set, value, point: None, rests: Rests::Words }
        }
    }
}

fn timed(point: Point, moment: Option<Moment>, rests: Rests) -> Resolved {
    match moment {
        Some(moment) => {
            let value = format!("{}T{}", point.value(), moment_code(moment));
            Resolved { kind: TimeKind::Time, value, point: Some(point), rests }
        }
        None => Resolved { kind: TimeKind::Date, value: point.value(), point: Some(point), rests },
    }
}

fn moment_code(moment: Moment) -> String {
    match moment {
        Moment::Clock { hour, minute, second: Some(second) } => format!("{hour:02}:{minute:02}:{second:02}"),
        Moment::Clock { hour, minute, second: None } => format!("{hour:02}:{minute:02}"),
        Moment::Part(part) => part.code().to_owned(),
    }
}

/// `10:30 p.m.`, `this morning`, `that night`: whose day is it?
fn moment_alone(moment: Moment, pointer: Pointer, context: &Context) -> Resolved {
    let base = context.base.map(|base| Point::of_date(base.date));
    let last = context.last_day;
    let (point, rests) = match (pointer, base, last) {
        (Pointer::Same | Pointer::Tense, _, Some(day)) => (day, Rests::Context),
        (Pointer::Following, _, Some(day)) => (day.shift(1, Unit::Day), Rests::Context),
        (Pointer::Previous, _, Some(day)) => (day.shift(-1, Unit::Day), Rests::Context),
        (Pointer::Last, Some(day), _) => (day.shift(-1, Unit::Day), Rests::Base),
        (Pointer::Next | Pointer::Following, Some(day), _) => (day.shift(1, Unit::Day), Rests::Base),
        (_, Some(day), _) => (day, Rests::Base),
        (_, None, _) => (Point::UNKNOWN_DAY, Rests::Words),
    };
    timed(point, Some(moment), rests)
}

fn offset(amount: Amount, back: bool, from: From, moment: Option<Moment>, context: &Context) -> Resolved {
    let unit = amount.unit;
    let vague = |side: &str, rests| Resolved { kind: TimeKind::Date, value: side.to_owned(), point: None, rests };
    let count = match amount.count {
        Count::Vague => {
            return vague(if back { "PAST_REF" } else { "FUTURE_REF" }, Rests::Base);
        }
        Count::Exactly(count) | Count::AndHalf(count) => i32::try_from(count).unwrap_or(i32::MAX),
        Count::Tenths(tenths) => i32::try_from(tenths / 10).unwrap_or(i32::MAX),
    };
    let by = if back { -count } else { count };
    let base = context.base.map(|base| Point::of_date(base.date));
    // "a day earlier" hangs on a day, whatever longer stretch was named between.
    let is_fine = unit == Unit::Day || unit.is_clock();
    let last = context.last_day.filter(|_| is_fine).or(context.last);
    let (start, rests) = match from {
        From::Context => match (context.last_quarter.filter(|_| unit == Unit::Year), last, base) {
            (Some(quarter), ..) => (Some(quarter), Rests::Context),
            (None, Some(last), _) => (Some(last), Rests::Context),
            (None, None, base) => (base, if base.is_some() { Rests::Base } else { Rests::Words }),
        },
        From::Reference => match (context.last_quarter.filter(|_| unit == Unit::Year && count == 1), base) {
            (Some(quarter), _) => (Some(quarter), Rests::Context),
            (None, base) => (base, if base.is_some() { Rests::Base } else { Rests::Words }),
        },
    };
    if unit.is_clock() {
        return clock_offset(by, unit, start, from, context, rests);
    }
    let half = matches!(amount.count, Count::AndHalf(_));
    let point = match start {
        Some(start) if half && unit == Unit::Year => {
            start.widen(Unit::Month).shift(by * 12 + if back { -6 } else { 6 }, Unit::Month)
        }
        Some(start) => start.shift(by, unit),
        None => Point::UNKNOWN_DAY.shift(by, unit),
    };
    timed(point, moment, rests)
}

/// `two hours ago`: to the hour when the reference time has one.
fn clock_offset(by: i32, unit: Unit, start: Option<Point>, from: From, context: &Context, rests: Rests) -> Resolved {
    let clock =
        context.base.filter(|_| from == From::Reference).and_then(|base| base.clock.map(|clock| (base.date, clock)));
    let moved = clock.and_then(|(date, (hour, minute))| {
        let step = jiff::Span::new();
        let step = match unit {
            Unit::Hour => step.try_hours(by),
            Unit::Minute => step.try_minutes(by),
            _ => step.try_seconds(by),
        };
        date.at(hour as i8, minute as i8, 0, 0).checked_add(step.ok()?).ok()
    });
    if let Some(moved) = moved {
        let point = Point::of_date(moved.date());
        let value = match unit {
            Unit::Hour => format!("{}T{:02}", point.value(), moved.hour()),
            _ => format!("{}T{:02}:{:02}", point.value(), moved.hour(), moved.minute()),
        };
        return Resolved { kind: TimeKind::Time, value, point: Some(point), rests };
    }
    let day = start.map_or(Point::UNKNOWN_DAY, |start| start.widen(Unit::Day));
    Resolved { kind: TimeKind::Time, value: format!("{}TXX", day.value()), point: None, rests }
}

fn calendar(what: Calendar, pointer: Pointer, context: &Context, side: Option<Side>) -> (Point, Rests) {
    match what {
        Calendar::Day { year: Some(year), month, day } => {
            (Point::Day { year: Some(year), month: Some(month), day: Some(day) }, Rests::Words)
        }
        Calendar::Month { year: Some(year), month } => {
            (Point::Month { year: Some(year), month: Some(month) }, Rests::Words)
        }
        Calendar::Year(year) => (Point::Year(Some(year)), Rests::Words),
        Calendar::Decade(first) => (Point::Decade(Some(first)), Rests::Words),
        Calendar::Century(hundreds) => (Point::Century(Some(hundreds)), Rests::Words),
        Calendar::Season { year: Some(year), season } => {
            (Point::Season { year: Some(year), season: Some(season) }, Rests::Words)
        }
        Calendar::Quarter { year: Some(year), quarter } => {
            (Point::Quarter { year: Some(year), quarter: Some(quarter) }, Rests::Words)
        }
        Calendar::Half { year: Some(year), half } => (Point::Half { year: Some(year), half: Some(half) }, Rests::Words),
        Calendar::Holiday { rule, year: Some(year) } => {
            let day = value::holiday(rule, year).map(Point::of_date);
            (day.unwrap_or(Point::Day { year: Some(year), month: None, day: None }), Rests::Words)
        }
        Calendar::Day { year: None, month, day } => {
            let (year, rests) = year_of(Some((month, Some(day))), pointer, context, side);
            (Point::Day { year, month: Some(month), day: Some(day) }, rests)
        }
        Calendar::Month { year: None, month } => {
            let (year, rests) = year_of(Some((month, None)), pointer, context, side);
            (Point::Month { year, month: Some(month) }, rests)
        }
        Calendar::Season { year: None, season } => season_of(season, pointer, context),
        Calendar::Quarter { year: None, quarter } => {
            let (year, rests) = part_of_year(quarter, 3, pointer, context, side);
            (Point::Quarter { year, quarter: Some(quarter) }, rests)
        }
        Calendar::Half { year: None, half } => {
            let (year, rests) = part_of_year(half, 6, pointer, context, side);
            (Point::Half { year, half: Some(half) }, rests)
        }
        Calendar::Holiday { rule, year: None } => holiday(rule, pointer, context, side),
        Calendar::DayOfMonth(day) => day_of_month(day, context),
        Calendar::Weekday(day) => weekday(day, pointer, context, side),
        Calendar::Unit(unit) => of_unit(unit, pointer, context),
    }
}

/// The year of a month, or of a day of it, that comes without one.
fn year_of(
    month_day: Option<(u8, Option<u8>)>,
    pointer: Pointer,
    context: &Context,
    side: Option<Side>,
) -> (Option<i32>, Rests) {
    if context.is_narrative
        && matches!(pointer, Pointer::Tense | Pointer::Same | Pointer::Following | Pointer::Previous)
        && let Some(year) = context.last_year
    {
        // A history goes forward: January after November is the next year's.
        let last = context.last.filter(|last| last.year() == Some(year)).and_then(Point::month);
        let turns = last.zip(month_day).is_some_and(|(last, (month, _))| month + 8 <= last);
        return (Some(year + i32::from(turns)), Rests::Context);
    }
    let (Some(base), Some((month, day))) = (context.base, month_day) else { return (None, Rests::Words) };
    let year = i32::from(base.date.year());
    let here = (base.date.month() as u8, base.date.day() as u8);
    let there = (month, day.unwrap_or(here.1));
    let year = match pointer {
        Pointer::Years(years) => year + i32::from(years),
        Pointer::This => year,
        Pointer::Last | Pointer::Previous => year - i32::from(there >= here),
        Pointer::Next | Pointer::Following => year + i32::from(there <= here),
        Pointer::Tense | Pointer::Same => match side {
            Some(Side::Future) => year + i32::from(ahead(there, here, -45)),
            // A past tense tells of the past, but "said it had set May 10 as the deadline" does not:
            // a date a year ago would bear its year, one a few weeks ahead need not.
            Some(Side::Past) => year - i32::from(distance(here, there) > 60),
            _ => year - i32::from(distance(here, there) > 120) + i32::from(distance(here, there) < -240),
        },
    };
    (Some(year), Rests::Base)
}

/// Days from one day of the year to another, months taken as 30 days.
fn distance(from: (u8, u8), to: (u8, u8)) -> i32 {
    (i32::from(to.0) - i32::from(from.0)) * 30 + i32::from(to.1) - i32::from(from.1)
}

/// Whether a day lies so far back in the year that the next one is meant.
fn ahead(there: (u8, u8), here: (u8, u8), days: i32) -> bool {
    distance(here, there) < days
}

fn season_of(season: Season, pointer: Pointer, context: &Context) -> (Point, Rests) {
    let point = |year| Point::Season { year, season: Some(season) };
    if context.is_narrative
        && matches!(pointer, Pointer::Tense | Pointer::Same | Pointer::Following | Pointer::Previous)
        && let Some(year) = context.last_year
    {
        return (point(Some(year)), Rests::Context);
    }
    let Some(base) = context.base else { return (point(None), Rests::Words) };
    let year = i32::from(base.date.year());
    let month = base.date.month() as u8;
    // A winter bears the year in which it begins.
    let begun = if season == Season::Winter && month < 3 { year - 1 } else { year };
    let first = i32::from(season.first_month());
    let is_over = season != Season::Winter && i32::from(month) >= first + 3;
    let is_on = if season == Season::Winter { month == 12 || month < 3 } else { i32::from(month) >= first && !is_over };
    let year = match pointer {
        Pointer::Years(years) => year + i32::from(years),
        Pointer::Last | Pointer::Previous => {
            if is_over {
                year
            } else if is_on {
                begun - 1
            } else {
                year - 1
            }
        }
        Pointer::Next | Pointer::Following => {
            if is_over || is_on {
                begun + 1
            } else {
                year
            }
        }
        _ => begun,
    };
    (point(Some(year)), Rests::Base)
}

/// The year of a quarter or a half: the last one that has begun, unless the verb looks ahead.
fn part_of_year(
    number: u8,
    months: u8,
    pointer: Pointer,
    context: &Context,
    side: Option<Side>,
) -> (Option<i32>, Rests) {
    let Some(base) = context.base else { return (None, Rests::Words) };
    let year = i32::from(base.date.year());
    let here = (base.date.month() as u8).div_ceil(months);
    let year = match pointer {
        Pointer::Years(years) => year + i32::from(years),
        Pointer::This => year,
        Pointer::Last | Pointer::Previous => year - i32::from(number >= here),
        Pointer::Next | Pointer::Following => year + i32::from(number <= here),
        // "expects to report third-quarter results" speaks of the one that has ended.
        _ => year - i32::from(number > here && side != Some(Side::Future)),
    };
    (Some(year), Rests::Base)
}

fn holiday(rule: u16, pointer: Pointer, context: &Context, side: Option<Side>) -> (Point, Rests) {
    let narrative_year = context.last_year.filter(|_| context.is_narrative);
    if let Some(year) = narrative_year
        && let Some(day) = value::holiday(rule, year)
    {
        return (Point::of_date(day), Rests::Context);
    }
    let Some(base) = context.base else {
        let (month, day) = value::fixed_holiday(rule).unzip();
        return (Point::Day { year: None, month, day }, Rests::Words);
    };
    let year = i32::from(base.date.year());
    let Some(this) = value::holiday(rule, year) else { return (Point::UNKNOWN_DAY, Rests::Words) };
    let by = match pointer {
        Pointer::Years(years) => i32::from(years),
        Pointer::Last | Pointer::Previous => -i32::from(this >= base.date),
        Pointer::Next | Pointer::Following => i32::from(this <= base.date),
        Pointer::This => 0,
        _ => {
            let days = (this - base.date).get_days();
            match side {
                Some(Side::Future) => i32::from(days < -30),
                Some(Side::Past) => -i32::from(days > 0),
                _ => -i32::from(days > 92),
            }
        }
    };
    let day = if by == 0 { Some(this) } else { value::holiday(rule, year + by) };
    (day.map_or(Point::UNKNOWN_DAY, Point::of_date), Rests::Base)
}

/// `the 21st`: of the month named last, or of the reference time.
fn day_of_month(day: u8, context: &Context) -> (Point, Rests) {
    if let Some(last) = context.last
        && let Some(month) = last.month()
    {
        return (Point::Day { year: last.year(), month: Some(month), day: Some(day) }, Rests::Context);
    }
    match context.base {
        Some(base) => {
            let point = Point::Day {
                year: Some(i32::from(base.date.year())),
                month: Some(base.date.month() as u8),
                day: Some(day),
            };
            (point, Rests::Base)
        }
        None => (Point::Day { year: None, month: None, day: Some(day) }, Rests::Words),
    }
}

fn weekday(day: u8, pointer: Pointer, context: &Context, side: Option<Side>) -> (Point, Rests) {
    let context_day = context.last_day.and_then(Point::date);
    if matches!(pointer, Pointer::Following | Pointer::Previous)
        && let Some(from) = context_day
    {
        let back = pointer == Pointer::Previous;
        return (near(from, day, back, true).map_or(Point::Weekday(day), Point::of_date), Rests::Context);
    }
    let Some(base) = context.base else { return (Point::Weekday(day), Rests::Words) };
    let here = base.date.weekday().to_monday_one_offset() as u8;
    let found = match pointer {
        Pointer::Last | Pointer::Previous => near(base.date, day, true, true),
        Pointer::Next | Pointer::Following => near(base.date, day, false, true),
        Pointer::This => {
            // Of this week, Monday to Sunday, unless the verb looks elsewhere.
            let within = i32::from(day) - i32::from(here);
            match side {
                Some(Side::Past) => near(base.date, day, true, false),
                Some(Side::Future) => near(base.date, day, false, false),
                _ => step(base.date, within, Unit::Day),
            }
        }
        _ => near(base.date, day, side != Some(Side::Future), false),
    };
    (found.map_or(Point::Weekday(day), Point::of_date), Rests::Base)
}

/// The nearest such day of the week before or after a date; the date itself unless `strictly`.
fn near(from: Date, day: u8, back: bool, strictly: bool) -> Option<Date> {
    let here = i32::from(from.weekday().to_monday_one_offset());
    let mut by = (i32::from(day) - here).rem_euclid(7);
    if back && by > 0 {
        by -= 7;
    }
    if by == 0 && strictly {
        by = if back { -7 } else { 7 };
    }
    step(from, by, Unit::Day)
}

/// `last week`, `this year`, `the previous month`, `that day`.
fn of_unit(unit: Unit, pointer: Pointer, context: &Context) -> (Point, Rests) {
    let base = context.base.map(|base| Point::of_date(base.date));
    let by = match pointer {
        Pointer::Last | Pointer::Previous => -1,
        Pointer::Next | Pointer::Following => 1,
        Pointer::Years(years) => i32::from(years),
        _ => 0,
    };
    let from_text = matches!(pointer, Pointer::Previous | Pointer::Following | Pointer::Same);
    let quarter = context.last_quarter.filter(|_| unit == Unit::Quarter);
    let last = quarter.or(context.last).filter(|last| unit != Unit::Day || last.is_day());
    let last = last.filter(|last| {
        context.is_narrative
            || unit == Unit::Day
            || unit == Unit::Quarter
            || last.year() != base.and_then(Point::year)
            || pointer != Pointer::Same
    });
    let (start, rests) = match (from_text, last, base) {
        (true, Some(last), _) => (last, Rests::Context),
        (_, _, Some(base)) => (base, Rests::Base),
        (_, _, None) => (Point::UNKNOWN_DAY, Rests::Words),
    };
    if unit == Unit::Weekend {
        return (weekend(start, by), rests);
    }
    let point = if by == 0 {
        start.widen(unit)
    } else if unit == Unit::Year {
        start.widen(Unit::Year).shift(by, unit)
    } else {
        start.shift(by, unit)
    };
    // "the quarter" of a story without one is the one that has ended.
    if unit == Unit::Quarter && pointer == Pointer::Same && rests == Rests::Base {
        return (point.shift(-3, Unit::Month).widen(Unit::Quarter), rests);
    }
    (point, rests)
}

/// The weekend of the week of a day; from Monday to Thursday "the weekend" is the one before.
fn weekend(start: Point, by: i32) -> Point {
    let Some(date) = start.date() else { return start.widen(Unit::Weekend) };
    let here = i32::from(date.weekday().to_monday_one_offset());
    let early = here <= 4;
    let weeks = match by {
        0 if early => -1,
        -1 => -1,
        by => by,
    };
    start.shift(weeks, Unit::Week).widen(Unit::Week);
    step(date, weeks, Unit::Week).map_or(Point::UNKNOWN_DAY, Point::of_date).widen(Unit::Weekend)
}

//! Pieces of the calendar: days, months, years, decades, centuries, seasons, quarters, holidays.
//!
//! ```text
//! Monday, Jan. 5, 1998 · 5 May 1940 · May of 1940 · 1998-01-05 · the 1980s · the 19th century
//! summer 1940 · third-quarter · fiscal 1998 · Christmas Eve 1914 · January this year
//! ```

use super::{
    cursor::Cursor,
    items::{Kind, full_year},
    lexicon::{self, Entry, Word},
    meaning::{Calendar, Pointer, Unit},
};

/// Words behind a number of four digits that make it a count.
const MEASURES: &str = " miles kilometers kilometres km meters metres feet acres hectares tons tonnes pounds kilograms kg \
    barrels gallons litres liters people persons men women children soldiers troops houses homes dollars euros shares jobs \
    votes seats calories degrees ";

/// A piece of the calendar and how it is pointed at.
pub(super) type Piece = (Calendar, Pointer);

/// The longest piece that begins here.
pub(super) fn piece(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    match c.kind(0) {
        Kind::Date { year, month, day } => Some((c.skip(1), plain(Calendar::Day { year, month, day }))),
        Kind::Listed(Entry::Weekday(_)) => weekday(c),
        Kind::Listed(Entry::Month(_)) => month(c),
        Kind::Listed(Entry::Season(_)) => season(c),
        Kind::Listed(Entry::Decade(_)) | Kind::Decade { .. } | Kind::Apostrophe => decade(c).or_else(|| bare_year(c)),
        Kind::Number { .. } => day_first(c).or_else(|| quarter_of_year(c)).or_else(|| bare_year(c)),
        Kind::Nth(_) | Kind::Listed(Entry::Ordinal(_)) => {
            century(c).or_else(|| quarter(c)).or_else(|| day_first(c)).or_else(|| half(c))
        }
        Kind::Holiday => holiday(c),
        Kind::Listed(Entry::Word(Word::Fiscal)) => fiscal(c),
        Kind::Listed(Entry::Word(Word::Ad) | Entry::Number(_)) => {
            c.year().map(|(next, year)| (next, plain(Calendar::Year(year))))
        }
        Kind::Other => named_quarter(c),
        _ => None,
    }
}

fn plain(what: Calendar) -> Piece {
    (what, Pointer::Tense)
}

/// `Monday`, `Monday, Jan. 5, 1998`, `Monday 5 January`.
fn weekday(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, day) = c.weekday()?;
    let after = next.maybe_kind(Kind::Comma).maybe(Word::The);
    let dated = month(after).or_else(|| day_first(after));
    if let Some((end, (what @ Calendar::Day { .. }, pointer))) = dated {
        return Some((end, (what, pointer)));
    }
    Some((next, plain(Calendar::Weekday(day))))
}

/// `Jan. 5, 1998`, `January 5th`, `May 1940`, `May`, `January this year`.
fn month(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, month) = c.month()?;
    if let Some((after, day)) = next.maybe(Word::The).day()
        && !matches!(after.kind(0), Kind::Percent)
        && !(matches!(next.kind(0), Kind::Listed(Entry::Ordinal(_)))
            && c.kind(1) == next.kind(0)
            && after.any_unit().is_some())
    {
        let (after, year) = year_or_pointer(after);
        return Some(match year {
            Behind::Year(year) => (after, plain(Calendar::Day { year: Some(year), month, day })),
            Behind::Years(years) => (after, (Calendar::Day { year: None, month, day }, Pointer::Years(years))),
            Behind::Nothing => (after, plain(Calendar::Day { year: None, month, day })),
        });
    }
    let (after, year) = year_or_pointer(next);
    match year {
        Behind::Year(year) => return Some((after, plain(Calendar::Month { year: Some(year), month }))),
        Behind::Years(years) => return Some((after, (Calendar::Month { year: None, month }, Pointer::Years(years)))),
        Behind::Nothing => {}
    }
    // "May" and "March" are also other words at the head of a sentence.
    let doubtful = matches!(month, 3 | 5) && c.at == 0 && !c.written(0).ends_with('.');
    (!doubtful).then_some((next, plain(Calendar::Month { year: None, month })))
}

enum Behind {
    Year(i32),
    Years(i8),
    Nothing,
}

/// What tells the year of a month or a day before it.
fn year_or_pointer(c: Cursor<'_>) -> (Cursor<'_>, Behind) {
    if let Some((next, year)) = c.year_behind() {
        // "May 5, 1,200 people" has its comma inside; "on May 5, 2000 people" reads as a year.
        return (next, Behind::Year(year));
    }
    let start = c.maybe(Word::Of);
    let years = match start.word() {
        Some(Word::This) => 0,
        Some(Word::Last) => -1,
        Some(Word::Next) => 1,
        _ => return (c, Behind::Nothing),
    };
    match start.skip(1).unit() {
        Some((next, Unit::Year)) => (next, Behind::Years(years)),
        _ => (c, Behind::Nothing),
    }
}

/// `5 May 1940`, `5th of May`.
fn day_first(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, day) = c.day()?;
    let next = next.maybe(Word::Of);
    let (next, month) = next.month()?;
    let (next, year) = next.year_behind().map_or((next, None), |(next, year)| (next, Some(year)));
    Some((next, plain(Calendar::Day { year, month, day })))
}

/// `summer 1940`, `summer of 1940`; a season alone only with a word before it that makes it one.
fn season(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, season) = c.season()?;
    if let Some((mut next, year)) = next.year_behind() {
        // "the winter of 1940-41"
        if let Some(after) = next.hyphen()
            && let Kind::Number { digits: 2 | 4, .. } = after.kind(0)
        {
            next = after.skip(1);
        }
        return Some((next, plain(Calendar::Season { year: Some(year), season })));
    }
    let start = next.maybe(Word::Of);
    let years = match start.word() {
        Some(Word::This) => Some(0),
        Some(Word::Last) => Some(-1),
        Some(Word::Next) => Some(1),
        _ => None,
    };
    if let Some(years) = years
        && let Some((end, Unit::Year)) = start.skip(1).unit()
    {
        return Some((end, (Calendar::Season { year: None, season }, Pointer::Years(years))));
    }
    let told = matches!(
        c.before(),
        Kind::Listed(Entry::Word(
            Word::In | Word::Early | Word::Mid | Word::Late | Word::By | Word::Since | Word::Until | Word::The
        ))
    );
    // "the fall of the city"
    let falls = c.written(0) == "fall" && next.is(Word::Of);
    (told && !falls).then_some((next, plain(Calendar::Season { year: None, season })))
}

/// `1990s`, `'60s`, `sixties`.
fn decade(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let start = if c.kind(0) == Kind::Apostrophe && c.skip(1).is_glued() { c.skip(1) } else { c };
    let first = match start.kind(0) {
        Kind::Decade { years, short: false } => years as i32,
        Kind::Decade { years, short: true } => full_year(years),
        // "in his sixties" is an age.
        Kind::Listed(Entry::Decade(years))
            if matches!(c.before(), Kind::Listed(Entry::Word(Word::The | Word::Early | Word::Mid | Word::Late))) =>
        {
            1900 + years as i32
        }
        _ => return None,
    };
    Some((start.skip(1), plain(Calendar::Decade(first))))
}

/// `19th century`, `nineteenth-century`, `5th century BC`.
fn century(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, number) = c.ordinal()?;
    let next = next.hyphen().unwrap_or(next);
    let (next, unit) = next.any_unit()?;
    if unit != Unit::Century || !(1..=30).contains(&number) {
        return None;
    }
    let number = number as i32;
    Some(match next.word() {
        Some(Word::Bc) => (next.skip(1), plain(Calendar::Century(-number))),
        Some(Word::Ad) => (next.skip(1), plain(Calendar::Century(number - 1))),
        _ => (next, plain(Calendar::Century(number - 1))),
    })
}

/// `third quarter`, `third-quarter`, `fourth quarter of 1997`.
fn quarter(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, number) = c.ordinal()?;
    let next = next.hyphen().unwrap_or(next);
    let next = next.maybe(Word::Fiscal);
    let (next, unit) = next.unit()?;
    if unit != Unit::Quarter || !(1..=4).contains(&number) {
        return None;
    }
    let what = |year| Calendar::Quarter { year, quarter: number as u8 };
    let (after, year) = year_or_pointer_the(next);
    Some(match year {
        Behind::Year(year) => (after, plain(what(Some(year)))),
        Behind::Years(years) => (after, (what(None), Pointer::Years(years))),
        Behind::Nothing => (next, plain(what(None))),
    })
}

/// Like [`year_or_pointer`], with "of fiscal 1998" and "of the year" besides.
fn year_or_pointer_the(c: Cursor<'_>) -> (Cursor<'_>, Behind) {
    if let Some((next, (Calendar::Year(year), _))) = c.eat(Word::Of).and_then(fiscal) {
        return (next, Behind::Year(year));
    }
    if c.kind(0) == Kind::Comma {
        return (c, Behind::Nothing);
    }
    year_or_pointer(c)
}

/// `1998 third quarter`, `1998's first half`.
fn quarter_of_year(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, year) = c.year()?;
    let next = next.maybe(Word::Possessive).maybe(Word::Fiscal);
    let (end, (what, _)) = quarter(next).or_else(|| half(next))?;
    let what = match what {
        Calendar::Quarter { quarter, .. } => Calendar::Quarter { year: Some(year), quarter },
        Calendar::Half { half, .. } => Calendar::Half { year: Some(year), half },
        other => other,
    };
    Some((end, plain(what)))
}

/// `first half of 1998`, `first half`.
fn half(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let (next, number) = c.ordinal()?;
    let next = next.hyphen().unwrap_or(next);
    if next.kind(0) != Kind::Listed(Entry::Half) || !(1..=2).contains(&number) {
        return None;
    }
    let what = |year| Calendar::Half { year, half: number as u8 };
    let (after, year) = year_or_pointer_the(next.skip(1));
    match year {
        Behind::Year(year) => Some((after, plain(what(Some(year))))),
        Behind::Years(years) => Some((after, (what(None), Pointer::Years(years)))),
        Behind::Nothing => {
            let (end, unit) = next.skip(1).eat(Word::Of)?.eat(Word::The)?.unit()?;
            (unit == Unit::Year).then_some((end, (what(None), Pointer::This)))
        }
    }
}

/// `Q3`, `Q3 2020`, `FY1998`, `FY 1998`.
fn named_quarter(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let written = c.written(0);
    if let Some(number) = written.strip_prefix('Q') {
        let quarter =
            number.parse::<u8>().ok().filter(|number| number.to_string().len() == 1 && (1..=4).contains(number))?;
        let next = c.skip(1);
        let (next, year) = next.year().map_or((next, None), |(next, year)| (next, Some(year)));
        return Some((next, plain(Calendar::Quarter { year, quarter })));
    }
    let year = written.strip_prefix("FY")?;
    if year.is_empty() {
        let (next, year) = c.skip(1).year()?;
        return Some((next, plain(Calendar::Year(year))));
    }
    let year = year.parse::<u32>().ok()?;
    let year = if year < 100 { full_year(year) } else { year as i32 };
    (1900..2100).contains(&year).then_some((c.skip(1), plain(Calendar::Year(year))))
}

/// `fiscal 1998`, `fiscal year 1998`, `fiscal third quarter`.
fn fiscal(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let next = c.eat(Word::Fiscal)?;
    if let Some(found) = quarter(next).or_else(|| half(next)) {
        return Some(found);
    }
    let next = match next.unit() {
        Some((next, Unit::Year)) => next,
        _ => next,
    };
    next.year().map(|(next, year)| (next, plain(Calendar::Year(year))))
}

/// `Christmas Eve`, `New Year's Day 1914`.
fn holiday(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let start = c.items.get(c.at)?.span.start();
    let (rule, bytes) = lexicon::holiday_at(crate::text::from(c.text, start))?;
    let end = start + bytes;
    let count = c.items.get(c.at..)?.iter().take_while(|item| item.span.end() <= end).count();
    if count == 0 || c.items.get(c.at + count - 1)?.span.end() != end {
        return None;
    }
    let next = c.skip(count);
    let (next, year) = next.year_behind().map_or((next, None), |(next, year)| (next, Some(year)));
    Some((next, plain(Calendar::Holiday { rule, year })))
}

/// A year that stands alone.
fn bare_year(c: Cursor<'_>) -> Option<(Cursor<'_>, Piece)> {
    let found = |(next, year)| (next, plain(Calendar::Year(year)));
    let preposition = matches!(
        c.before(),
        Kind::Listed(Entry::Word(
            Word::In
                | Word::Since
                | Word::By
                | Word::Until
                | Word::Before
                | Word::After
                | Word::From
                | Word::Of
                | Word::About
                | Word::Between
                | Word::Early
                | Word::Late
                | Word::Mid
                | Word::To
        ))
    );
    if let Some((next, year)) = c.year() {
        let era = matches!(next.at - c.at, 2..) && c.kind(0) != Kind::Apostrophe;
        let blocked = matches!(c.before(), Kind::Currency | Kind::Apostrophe)
            || matches!(c.before(), Kind::Hyphen) && c.is_glued() && !is_span_of_years(c)
            || next.any_unit().is_some()
            || matches!(next.kind(0), Kind::Percent | Kind::Listed(Entry::Scale(_)) | Kind::Currency)
            || MEASURES.contains(&format!(" {} ", next.written(0)))
            || c.written_before() == "#"
            || c.written_before() == "No.";
        if blocked && !era {
            return None;
        }
        let modern = (1900..=2035).contains(&year);
        let bracketed = matches!(c.before(), Kind::Bracket);
        let apart = c.kind(0) == Kind::Apostrophe;
        return (era || modern && !apart || preposition || bracketed && !apart).then(|| found((next, year)));
    }
    // "in 415", in a story that counts years before Christ.
    match c.kind(0) {
        Kind::Number { value, digits: 2 | 3 }
            if c.is_ancient
                && preposition
                && value > 31
                && c.skip(1).any_unit().is_none()
                && !follows_count(c.skip(1)) =>
        {
            Some(found((c.skip(1), -(value as i32))))
        }
        _ => None,
    }
}

/// Whether the item here is a plain word, such as what a number would count.
fn follows_count(c: Cursor<'_>) -> bool {
    c.kind(0) == Kind::Other && c.written(0).starts_with(char::is_alphabetic)
}

/// `1914-1918`: a year, a hyphen, and the item here.
fn is_span_of_years(c: Cursor<'_>) -> bool {
    c.at >= 2 && matches!(c.items.get(c.at - 2).map(|item| item.kind), Some(Kind::Number { digits: 4, .. }))
}

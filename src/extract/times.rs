//! Tokens, grammar and the reference time → TIMEX3 dates, times, durations and sets.
//!
//! ```text
//! The strike began on January 5, a day earlier than planned, and lasted several months.
//!                     ^^^^^^^^^ DATE 2031-01-05
//!                                ^^^^^^^^^^^^^ DATE 2031-01-04
//!                                                                       ^^^^^^^^^^^^^^ DURATION PXM
//! ```
//!
//! Items: what each token is to the rules (`items`, from `data/lexicon/times*.txt`). Rules: a small
//! grammar of straight-line functions, one file a kind (`calendar`, `clock`, `duration`,
//! `relative`), put together in `parse`; the longest reading wins. Resolution (`resolve`): from the
//! reference time by the tense of the verb (`tense`) and by direction words, or from the date before
//! in the text. Every value is made twice, with the reference time and from the text alone, so that
//! a story without one still gets what its words say.
//!
//! The reference time is the one that the story came with, moved to the date of the dateline where
//! that has one. Without either nothing is guessed: `January 5` is `XXXX-01-05`. No clock is read.
//!
//! What this does not do: events as anchors ("two days after the vote" is a duration of two days),
//! days that follow the moon (Eid, Passover, Lunar New Year, Orthodox Easter), years of companies
//! that are not the calendar's, the daylight saving of a place, and languages other than English.
//!
//! Sources: TimeML 1.2.1 (TIMEX3); the conventions of TimeBank for what belongs to an expression.

#![expect(clippy::cast_possible_wrap, reason = "numbers of at most nine digits fit an i32")]

mod calendar;
mod clock;
mod cursor;
mod duration;
mod items;
mod lexicon;
mod meaning;
mod parse;
mod relative;
mod resolve;
mod tense;
#[cfg(test)]
mod testing;
mod value;

use std::ops::Range;

use jiff::civil::Date;

use self::{
    cursor::Cursor,
    items::{Item, Kind},
    lexicon::Word,
    meaning::{Calendar, Meaning, Side},
    parse::Parsed,
    resolve::{Base, Context, Rests, resolve},
    tense::Tenses,
    value::Point,
};
pub use self::{meaning::Modifier, resolve::TimeKind};
use super::{
    dateline::Dateline,
    grammar::Grammar,
    names::{self, Class},
    sentences::Sentence,
    tokens::Token,
};
use crate::{model::tagger::Upos, story::ReferenceTime, text::Span};

/// More times than this are not read in one story.
pub const TIMES_MAX: usize = 20_000;
/// Explicit years that make a story a history, at least.
const NARRATIVE_YEARS_MIN: usize = 5;
/// How many sentences a quarter is remembered.
const QUARTER_SENTENCES: usize = 2;

/// What a value rests on beside its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The reference time that the story came with.
    ReferenceTime,
    /// The full date of the story's own dateline.
    Dateline,
    /// Another date of the text: the anchor.
    Text,
}

/// An expression of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Where it stands.
    pub span: Span,
    /// Its first token and one past its last.
    pub tokens: Range<u32>,
    /// TIMEX3 type.
    pub kind: TimeKind,
    /// TIMEX3 value, as far as it can be told.
    pub value: String,
    /// The value that the text alone gives, where it differs.
    pub value_text_only: Option<String>,
    /// TIMEX3 `mod`.
    pub modifier: Option<Modifier>,
    /// The zone that was written beside a clock, in minutes east of Greenwich.
    pub zone_minutes: Option<i16>,
    /// The time that it was resolved against, an index into the same list.
    pub anchor: Option<usize>,
    /// What the value rests on beside its words.
    pub basis: Option<Basis>,
    /// The rule that read it.
    pub rule: &'static str,
}

/// The times of a story, and the one of its dateline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// In text order.
    pub list: Vec<Time>,
    /// The date of the dateline, an index into the list.
    pub dateline: Option<usize>,
}

/// An expression with its place, before it is resolved.
struct Read {
    span: Span,
    tokens: Range<u32>,
    sentence: Range<u32>,
    meaning: Meaning,
    modifier: Option<Modifier>,
    zone: Option<i16>,
    rule: &'static str,
}

/// Reads every sentence and the dateline.
pub fn run(
    text: &str,
    tokens: &[Token],
    sentences: &[Sentence],
    grammar: &Grammar,
    names: &[names::Mention],
    dateline: Option<&Dateline>,
    reference: Option<&ReferenceTime>,
) -> Times {
    let mut reads = Vec::new();
    let mut items = Vec::new();
    let mut from = 0;
    let mut is_ancient = false;
    for sentence in sentences {
        // What stands between sentences is the dateline.
        for range in [from..sentence.tokens.start, sentence.tokens.clone()] {
            let Some(within) = tokens.get(range.start as usize..range.end as usize) else { continue };
            if within.is_empty() {
                continue;
            }
            items.clear();
            items::read(text, within, range.start as usize, &mut items);
            without_verbs(&mut items, grammar);
            is_ancient |= items.iter().any(|item| item.word() == Some(Word::Bc));
            read_sentence(text, &items, &range, is_ancient, &mut reads);
        }
        from = sentence.tokens.end.max(from);
    }
    if let Some(rest) = tokens.get(from as usize..) {
        items.clear();
        items::read(text, rest, from as usize, &mut items);
        read_sentence(text, &items, &(from..tokens.len() as u32), is_ancient, &mut reads);
    }
    without_named(&mut reads, names);
    let tenses = Tenses { text, tokens, grammar };
    // "soon fell" tells of the past.
    reads.retain(|read| {
        read.meaning != Meaning::Vague(Side::Future)
            || read.tokens.len() > 1
            || tenses.around(&read.tokens, &read.sentence) != Some(Side::Past)
    });
    resolve_all(text, &reads, tenses, dateline, reference)
}

/// "would last four days" points at no days before: there "last" is a verb.
fn without_verbs(items: &mut [Item], grammar: &Grammar) {
    for item in items.iter_mut().filter(|item| item.word() == Some(Word::Last)) {
        if grammar.words.get(item.token as usize).is_some_and(|word| word.upos == Upos::Verb) {
            item.kind = Kind::Other;
        }
    }
}

/// "Port Regent Daily News" comes out every day, and says nothing of when.
fn without_named(reads: &mut Vec<Read>, names: &[names::Mention]) {
    reads.retain(|read| {
        let first = names.partition_point(|name| name.span.end <= read.span.start);
        names.get(first).is_none_or(|name| {
            let is_part = name.span.contains(read.span) && name.span != read.span;
            !(is_part && matches!(name.class, Class::Organisation | Class::Person | Class::Work))
        })
    });
}

fn read_sentence(text: &str, items: &[Item], sentence: &Range<u32>, is_ancient: bool, reads: &mut Vec<Read>) {
    let mut at = 0;
    while at < items.len() && reads.len() < TIMES_MAX {
        let Some(item) = items.get(at) else { break };
        if item.kind == Kind::Other && !item.span.of(text).starts_with(['Q', 'F']) {
            at += 1;
            continue;
        }
        let cursor = Cursor { text, items, at, is_ancient };
        let first = parse::first_of_range(cursor);
        let Some(found) = first.or_else(|| parse::expression(cursor)).filter(|found| found.end.at > at) else {
            at += 1;
            continue;
        };
        let found = match cursor.before() {
            // "about" is no part of the expression, but it says how sure the number is.
            Kind::Listed(lexicon::Entry::Word(Word::About)) if found.modifier.is_none() => {
                Parsed { modifier: Some(Modifier::Approx), ..found }
            }
            _ => found,
        };
        push(items, at, &found, sentence, reads);
        at = found.end.at;
        if let Some((start, second)) = parse::second(&found) {
            push(items, start.at, &second, sentence, reads);
            at = second.end.at;
        }
    }
}

fn push(items: &[Item], start: usize, found: &Parsed<'_>, sentence: &Range<u32>, reads: &mut Vec<Read>) {
    let (Some(head), Some(tail)) = (items.get(start), items.get(found.end.at.saturating_sub(1))) else { return };
    reads.push(Read {
        span: head.span.cover(tail.span),
        tokens: head.token..tail.token + 1,
        sentence: sentence.clone(),
        meaning: found.meaning,
        modifier: found.modifier,
        zone: found.zone,
        rule: found.rule,
    });
}

/// The reference time as a day of the calendar where the story was filed.
fn base_of(text: &str, dateline: Option<&Dateline>, reference: Option<&ReferenceTime>) -> Option<Base> {
    let value = reference?.value.as_str();
    let date: Date = value.get(..10)?.parse().ok()?;
    let number = |from: usize, to: usize| value.get(from..to).and_then(|part| part.parse::<u8>().ok());
    let clock = number(11, 13).zip(number(14, 16)).filter(|(hour, minute)| *hour < 24 && *minute < 60);
    // Midnight sharp stands for a date without a clock.
    let clock = clock.filter(|clock| *clock != (0, 0));
    let in_greenwich = value.ends_with('Z') || value.ends_with("+00:00");
    let place = dateline.and_then(|dateline| dateline.place).map(|place| place.of(text));
    let city = place.and_then(|place| lexicon::city(place.split(',').next().unwrap_or(place)));
    let local = match (clock, city) {
        (Some((hour, minute)), Some(minutes)) if in_greenwich => date
            .at(hour as i8, minute as i8, 0, 0)
            .checked_add(jiff::Span::new().try_minutes(i64::from(minutes)).ok()?)
            .ok(),
        _ => None,
    };
    Some(match local {
        Some(local) => Base { date: local.date(), clock: Some((local.hour() as u8, local.minute() as u8)) },
        None => Base { date, clock },
    })
}

/// Whether most dates of a story bear a year that is not the reference time's.
fn is_narrative(reads: &[Read], base: Option<Base>, dateline: Option<&Dateline>) -> bool {
    let (mut far, mut near, mut deictic) = (0, 0, 0);
    let year = base.map(|base| i32::from(base.date.year()));
    for read in reads {
        match read.meaning {
            Meaning::Calendar { what, pointer, .. } => match what {
                Calendar::Year(there)
                | Calendar::Month { year: Some(there), .. }
                | Calendar::Day { year: Some(there), .. }
                | Calendar::Season { year: Some(there), .. } => {
                    let is_near = year.is_some_and(|year| (year - there).abs() == 0);
                    if is_near { near += 1 } else { far += 1 }
                }
                Calendar::Weekday(_) => deictic += 1,
                Calendar::Unit(_)
                    if matches!(pointer, meaning::Pointer::This | meaning::Pointer::Last | meaning::Pointer::Next) =>
                {
                    deictic += 1;
                }
                _ => {}
            },
            Meaning::Days { .. } => deictic += 1,
            _ => {}
        }
    }
    dateline.is_none() && far >= NARRATIVE_YEARS_MIN && far > near + 2 * deictic
}

fn resolve_all(
    text: &str,
    reads: &[Read],
    tenses: Tenses<'_>,
    dateline: Option<&Dateline>,
    reference: Option<&ReferenceTime>,
) -> Times {
    let mut base = base_of(text, dateline, reference);
    let mut basis = Basis::ReferenceTime;
    let date_span = dateline.and_then(|dateline| dateline.date);
    let dateline_index = date_span.and_then(|span| reads.iter().position(|read| span.contains(read.span)));
    let mut dateline_time = None;
    if let Some(read) = dateline_index.and_then(|index| reads.get(index)) {
        let found = resolve_dateline(&read.meaning, base);
        if let Some(date) = found.point.and_then(Point::date) {
            if base.is_none() {
                basis = Basis::Dateline;
            }
            let clock = base.filter(|base| base.date == date).and_then(|base| base.clock);
            base = Some(Base { date, clock });
        }
        dateline_time = Some(found);
    }
    let narrative = is_narrative(reads, base, dateline);
    let mut with = Context { base, is_narrative: narrative, ..Context::default() };
    let mut without = Context { is_narrative: narrative, ..Context::default() };
    let mut times = Times { list: Vec::with_capacity(reads.len()), dateline: dateline_index };
    let (mut last, mut last_day, mut last_quarter) = (None, None, None::<(usize, usize)>);
    let filed = dateline_time.as_ref().and_then(|time| time.point).filter(|point| point.is_day());
    // The sentence of the last day, where that day lies ahead of the story.
    let mut ahead: Option<Range<u32>> = None;
    let mut sentence = (0..0, 0_usize);
    for (index, read) in reads.iter().enumerate() {
        if sentence.0 != read.sentence {
            sentence = (read.sentence.clone(), sentence.1 + 1);
        }
        if last_quarter.is_some_and(|(_, at)| sentence.1 > at + QUARTER_SENTENCES) {
            last_quarter = None;
            with.last_quarter = None;
            without.last_quarter = None;
        }
        let is_dateline = dateline_index == Some(index);
        let side = if asks_tense(&read.meaning) { tenses.around(&read.tokens, &read.sentence) } else { None };
        // "OPEC would meet on Sunday. Prices fell by 11 a.m.": the clock is that of the day of the story.
        let is_today = ahead.as_ref().is_some_and(|sentence| *sentence != read.sentence)
            && is_clock(&read.meaning)
            && tenses.around(&read.tokens, &read.sentence) != Some(Side::Future);
        let today = |context: &Context| Context { last_day: filed.filter(|_| is_today), ..*context };
        let alone = resolve(&read.meaning, &if is_today { today(&without) } else { without }, side);
        let found = match dateline_time.take_if(|_| is_dateline) {
            Some(found) => found,
            None => resolve(&read.meaning, &if is_today { today(&with) } else { with }, side),
        };
        let meaning = anchored_meaning(&read.meaning, &found);
        let anchor = match found.rests {
            Rests::Words => None,
            Rests::Base => dateline_index.filter(|dateline| *dateline != index && *dateline < reads.len()),
            Rests::Context if is_today => dateline_index,
            Rests::Context => match meaning {
                Hangs::Quarter => last_quarter.map(|(index, _)| index).or(last),
                Hangs::Day => last_day.or(last),
                Hangs::Last => last,
            },
        };
        let rests_on = match found.rests {
            Rests::Words => None,
            Rests::Base if base.is_none() => None,
            Rests::Base if is_dateline => Some(Basis::ReferenceTime),
            Rests::Base => Some(basis),
            Rests::Context => Some(Basis::Text),
        };
        remember(&mut with, &found);
        remember(&mut without, &alone);
        if let Some(point) = found.point {
            last = Some(index);
            if point.is_day() {
                last_day = Some(index);
                ahead = looks_ahead(&read.meaning, side).then(|| read.sentence.clone());
            }
            if matches!(point, Point::Quarter { .. } | Point::Half { .. }) {
                last_quarter = Some((index, sentence.1));
            }
        }
        times.list.push(Time {
            span: read.span,
            tokens: read.tokens.clone(),
            kind: found.kind,
            value_text_only: (alone.value != found.value).then_some(alone.value),
            value: found.value,
            modifier: read.modifier,
            zone_minutes: read.zone,
            anchor,
            basis: rests_on,
            rule: rule_of(read, is_dateline, side),
        });
    }
    times
}

/// Whether an expression is a clock without a day.
fn is_clock(meaning: &Meaning) -> bool {
    let pointers = [meaning::Pointer::Tense, meaning::Pointer::Same];
    matches!(meaning, Meaning::Moment { moment: meaning::Moment::Clock { .. }, pointer } if pointers.contains(pointer))
}

/// Whether an expression names a day that is still to come.
fn looks_ahead(meaning: &Meaning, side: Option<Side>) -> bool {
    match meaning {
        Meaning::Days { days, .. } => *days > 0,
        Meaning::Calendar { pointer: meaning::Pointer::Next, .. } => true,
        _ => side == Some(Side::Future),
    }
}

/// What an expression hangs on when it hangs on the text.
enum Hangs {
    Quarter,
    Day,
    Last,
}

fn anchored_meaning(meaning: &Meaning, found: &resolve::Resolved) -> Hangs {
    match (meaning, found.point) {
        (Meaning::Offset { .. } | Meaning::Calendar { .. }, Some(Point::Quarter { .. } | Point::Half { .. })) => {
            Hangs::Quarter
        }
        (Meaning::Moment { .. }, _) => Hangs::Day,
        (Meaning::Offset { amount, .. }, _) if amount.unit == meaning::Unit::Day || amount.unit.is_clock() => {
            Hangs::Day
        }
        _ => Hangs::Last,
    }
}

/// Keeps what later expressions may hang on.
fn remember(context: &mut Context, found: &resolve::Resolved) {
    let Some(point) = found.point else { return };
    context.last = Some(point);
    if point.is_day() {
        context.last_day = Some(point);
    }
    if matches!(point, Point::Quarter { .. } | Point::Half { .. }) {
        context.last_quarter = Some(point);
    }
    if let Some(year) = point.year() {
        context.last_year = Some(year);
    }
}

/// The dateline's own date: the year that puts it nearest to the reference time.
fn resolve_dateline(meaning: &Meaning, base: Option<Base>) -> resolve::Resolved {
    let context = Context { base, ..Context::default() };
    if let (Meaning::Calendar { what: Calendar::Day { year: None, month, day }, .. }, Some(base)) = (*meaning, base) {
        let year = i32::from(base.date.year());
        let years = [year, year - 1, year + 1];
        // Stories are filed before they are received; a day ahead is another zone's.
        let nearest = years.into_iter().filter_map(|year| value::date(year, month, day)).min_by_key(|date| {
            let days = (*date - base.date).get_days();
            if days > 2 { days.abs() * 2 } else { days.abs() }
        });
        if let Some(date) = nearest {
            let point = Point::of_date(date);
            return resolve::Resolved {
                kind: TimeKind::Date,
                value: point.value(),
                point: Some(point),
                rests: Rests::Base,
            };
        }
    }
    resolve(meaning, &context, Some(Side::Past))
}

/// Whether the tense of the verb tells which one is meant.
fn asks_tense(meaning: &Meaning) -> bool {
    match meaning {
        Meaning::Calendar { what, pointer, .. } => {
            matches!(pointer, meaning::Pointer::Tense | meaning::Pointer::This)
                && matches!(
                    what,
                    Calendar::Day { year: None, .. }
                        | Calendar::Month { year: None, .. }
                        | Calendar::Quarter { year: None, .. }
                        | Calendar::Half { year: None, .. }
                        | Calendar::Holiday { year: None, .. }
                        | Calendar::Weekday(_)
                )
        }
        _ => false,
    }
}

/// The name of the rule, with the tense that it went by.
fn rule_of(read: &Read, is_dateline: bool, side: Option<Side>) -> &'static str {
    if is_dateline {
        return "dateline_date";
    }
    let ahead = side == Some(Side::Future);
    match read.rule {
        "weekday" if ahead => "weekday_future_tense",
        "weekday" => "weekday_past_tense",
        "month_day" if ahead => "month_day_future_tense",
        "month_day" => "month_day_past_tense",
        "month" if ahead => "month_future_tense",
        "month" => "month_past_tense",
        rule => rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::check;

    /// Every expression with its TIMEX3 type as its label.
    fn find(text: &str) -> Vec<(&'static str, Span)> {
        let label = |kind| match kind {
            TimeKind::Date => "date",
            TimeKind::Time => "time",
            TimeKind::Duration => "duration",
            TimeKind::Set => "set",
        };
        testing::read(text, Some("2031-03-04")).list.iter().map(|time| (label(time.kind), time.span)).collect()
    }

    #[test]
    fn pieces_of_the_calendar() {
        check(
            "
The bridge of 1931 was shut on Jan. 5, 1998, and again in mid-November of last year.
              ^^^^ date
                               ^^^^^^^^^^^^ date
                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^ date
The third quarter was poor; the late 1980s and the summer of 1990 were worse.
^^^^^^^^^^^^^^^^^ date
                            ^^^^^^^^^^^^^^ date
                                               ^^^^^^^^^^^^^^^^^^ date
",
            find,
        );
    }

    #[test]
    fn clocks_and_days() {
        check(
            "
The board met at 10:30 a.m. on Friday and again late on Sunday night.
                 ^^^^^^^^^^^^^^^^^^^^ time
                                                ^^^^^^^^^^^^^^^^^^^^ time
",
            find,
        );
    }

    #[test]
    fn what_is_no_time() {
        check("\nHe may march 1990 miles for $1998 and win 2-1 at 2.46 a share; the fall of the wall.\n", find);
    }

    #[test]
    fn a_story_without_any_time_to_count_from_says_what_its_words_say() {
        testing::values(
            "She left on Wednesday, January 5, and came back a week later.",
            None,
            &[("Wednesday, January 5", "XXXX-01-05"), ("a week later", "XXXX-WXX")],
        );
    }

    #[test]
    fn the_tense_tells_which_day() {
        testing::values("He spoke on Friday.", Some("2031-03-04"), &[("Friday", "2031-02-28")]);
        testing::values("He will speak on Friday.", Some("2031-03-04"), &[("Friday", "2031-03-07")]);
    }

    #[test]
    fn an_infinitive_tells_of_what_has_happened_or_of_what_is_planned() {
        let day = Some("2031-03-04");
        testing::values("They came from behind to beat the visitors on Sunday.", day, &[("Sunday", "2031-03-02")]);
        testing::values("The two sides agreed to meet on Sunday.", day, &[("Sunday", "2031-03-09")]);
        testing::values("The talks were due to resume on Sunday.", day, &[("Sunday", "2031-03-09")]);
    }

    #[test]
    fn a_clock_is_not_that_of_a_day_to_come() {
        let day = Some("2031-03-04");
        testing::values(
            "The board will meet on Sunday. Prices had dropped by 1145 GMT.",
            day,
            &[("Sunday", "2031-03-09"), ("1145 GMT", "2031-03-04T11:45")],
        );
        testing::values(
            "Police were called on Monday. They found at 1:30 a.m. that the door was open.",
            day,
            &[("Monday", "2031-03-03"), ("1:30 a.m.", "2031-03-03T01:30")],
        );
    }

    #[test]
    fn what_lasts_is_not_the_last() {
        testing::values("The truce would last four days.", None, &[("four days", "P4D")]);
        testing::values("It rained in the last four days.", None, &[("the last four days", "P4D")]);
    }

    #[test]
    fn a_paper_is_no_time() {
        let text = "It was published in the Bangor Daily News on Friday.";
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        let story = crate::decode::decode(envelope.as_bytes(), &crate::decode::Hints::default()).expect("a story");
        let times = crate::extract::Desk::new().find(&story).times;
        let found: Vec<&str> = times.list.iter().map(|time| time.span.of(text)).collect();
        assert_eq!(found, ["Friday"]);
    }

    #[test]
    fn days_with_a_name() {
        testing::values(
            "The talks failed on Good Friday and on Thanksgiving 1999.",
            Some("2031-05-04"),
            &[("Good Friday", "2031-04-11"), ("Thanksgiving 1999", "1999-11-25")],
        );
    }
}

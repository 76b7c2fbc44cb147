//! The ways in which wires write a date → RFC 3339.
//!
//! Read: ISO 8601 in its long and short forms (`2031-03-04T05:06:07+01:00`, `20310304T050607Z`,
//! `20310304`), the dates of e-mail (RFC 5322), and the day and hour of wire trailers
//! (`03-04-31 0506GMT`, `040506 GMT Mar 31`). The offset is kept as it was sent. A time without
//! a zone is read as UTC, and told; of a zone that is not known no instant is made; years of two digits are those of the years 1970 to 2069.

use std::{collections::HashMap, sync::LazyLock};

use jiff::{
    RoundMode, Timestamp, Unit, Zoned,
    civil::{Date, DateTime, DateTimeRound},
    fmt::{rfc2822, temporal},
    tz::Offset,
};

use crate::story::{Anomaly, ReferenceTime, Story, TimeBasis};

/// A time that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// RFC 3339 with the offset that was sent.
    pub(super) value: String,
    /// What the sender said of the zone.
    pub(super) zone: Zone,
}

/// What a time says of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Sent,
    /// None was sent: UTC was taken.
    Assumed,
    /// One was sent that the desk does not know: the day may be right, the instant is not.
    Unknown,
}

/// Minutes east of Greenwich of a zone's abbreviation, in the sense of the list that the stage of times reads.
fn zone_minutes(name: &str) -> Option<i32> {
    static ZONES: LazyLock<HashMap<&str, i32>> = LazyLock::new(|| {
        let lines = include_str!("../../data/lexicon/times_zones.txt").lines();
        let zones = lines.filter_map(|line| line.strip_prefix("zone ")?.split_once(": "));
        let read = zones.filter_map(|(offset, names)| {
            let (hours, minutes) = offset.trim_start_matches(['+', '-']).split_once(':')?;
            let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
            Some((if offset.starts_with('-') { -minutes } else { minutes }, names))
        });
        let named = read.flat_map(|(minutes, names)| names.split_whitespace().map(move |name| (name, minutes)));
        named.chain([("Z", 0), ("MEZ", 60), ("MESZ", 120)]).collect()
    });
    ZONES.get(name).copied()
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// How the months begin in the languages of other agencies, where it is not as in English.
const OTHER_MONTHS: [(&str, i16); 27] = [
    ("ene", 1),
    ("gen", 1),
    ("jän", 1),
    ("fév", 2),
    ("fev", 2),
    ("mär", 3),
    ("mrz", 3),
    ("mrt", 3),
    ("avr", 4),
    ("abr", 4),
    ("mai", 5),
    ("mag", 5),
    ("mei", 5),
    ("maj", 5),
    ("giu", 6),
    ("juin", 6),
    ("lug", 7),
    ("juil", 7),
    ("aoû", 8),
    ("aou", 8),
    ("ago", 8),
    ("set", 9),
    ("okt", 10),
    ("ott", 10),
    ("out", 10),
    ("dez", 12),
    ("dic", 12),
];

/// The month that a word begins like, in the languages of the agencies.
fn month_of(word: &str) -> Option<i16> {
    let low = word.to_lowercase();
    let other = OTHER_MONTHS.iter().find(|(name, _)| low.starts_with(name)).map(|(_, month)| *month);
    let english = || (1_i16..).zip(MONTHS).find(|(_, name)| low.starts_with(name)).map(|(month, _)| month);
    other.or_else(english).or_else(|| low.starts_with("déc").then_some(12))
}

/// Whether a word is the name of a month, or its beginning, in English.
pub(super) fn is_month(word: &str) -> bool {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let low = word.to_lowercase();
    low.len() >= 3 && NAMES.iter().any(|name| name.starts_with(&low))
}
static ISO: temporal::DateTimeParser = temporal::DateTimeParser::new();
static MAIL: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
/// No date is longer.
const TIME_BYTES_MAX: usize = 64;

/// Reads ISO 8601 or an e-mail date.
pub(super) fn read(words: &str) -> Option<Time> {
    read_rounded(words, RoundMode::HalfExpand)
}

fn read_rounded(words: &str, mode: RoundMode) -> Option<Time> {
    let words = words.trim();
    if words.is_empty() || words.len() > TIME_BYTES_MAX {
        return None;
    }
    // "2031-03-04 05:06:07+01:00" and "2031-03-04T05:06:07 +01:00" are ISO but for the space.
    let spaceless: String = match words.as_bytes().first() {
        Some(byte) if byte.is_ascii_digit() => {
            let (date, time) = words.split_once(' ').unwrap_or((words, ""));
            let glue = if time.starts_with(|c: char| c.is_ascii_digit()) { "T" } else { "" };
            format!("{date}{glue}{}", time.replace(' ', ""))
        }
        _ => words.to_owned(),
    };
    if let Ok(pieces) = ISO.parse_pieces(&spaceless) {
        let offset = pieces.offset().map(|offset| match offset {
            temporal::PiecesOffset::Numeric(numeric) => numeric.offset(),
            _ => Offset::UTC,
        });
        let local = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or_default());
        return time(local, offset, mode);
    }
    MAIL.parse_zoned(words).ok().and_then(|zoned: Zoned| time(zoned.datetime(), Some(zoned.offset()), mode))
}

fn time(local: DateTime, offset: Option<Offset>, mode: RoundMode) -> Option<Time> {
    let zone = offset.unwrap_or(Offset::UTC);
    // Out of jiff's range is no time.
    let _: Timestamp = zone.to_timestamp(local).ok()?;
    let local = local.round(DateTimeRound::new().smallest(Unit::Second).mode(mode)).ok()?;
    let seconds = zone.seconds();
    let value = if seconds == 0 {
        format!("{local}Z")
    } else {
        let sign = if seconds < 0 { '-' } else { '+' };
        format!("{local}{sign}{:02}:{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
    };
    // RFC 3339 readers refuse offsets of a day and more.
    let zone = if offset.is_none() { Zone::Assumed } else { Zone::Sent };
    value.parse::<Timestamp>().ok().map(|_| Time { value, zone })
}

/// `03-04-31 0506GMT`: month, day, year, hour and minute (ANPA 1312 trailers).
pub(super) fn read_anpa_trailer(words: &str) -> Option<Time> {
    let (date, clock) = words.trim().split_once(' ')?;
    let mut numbers = date.split('-').map(|part| part.parse::<i16>().ok());
    let (month, day, year) = (numbers.next()??, numbers.next()??, numbers.next()??);
    at(year, month, day, clock.trim())
}

/// `21:37-09-12-31`: hour and minute, day, month, year, as agencies of other countries end the same form.
pub(super) fn read_clock_first_trailer(words: &str) -> Option<Time> {
    let (clock, date) = words.trim().split_once('-')?;
    let (hour, minute) = clock.split_once(':')?;
    let mut numbers = date.split('-').map(|part| part.parse::<i16>().ok());
    let (day, month, year) = (numbers.next()??, numbers.next()??, numbers.next()??);
    at(year, month, day, &format!("{hour:0>2}{minute:0>2}"))
}

/// `040506 GMT Mar 31`: day, hour and minute, month, year (IPTC 7901 trailers); the agency may stand before.
pub(super) fn read_7901_trailer(words: &str) -> Option<Time> {
    let mut parts = words.split_whitespace();
    let is_agency = |part: &&str| part.len() <= 8 && part.chars().all(char::is_alphabetic);
    let first = parts.next()?;
    let first = if is_agency(&first) { parts.next()? } else { first };
    let digits = Some(first).filter(|part| part.len() == 6 && part.bytes().all(|byte| byte.is_ascii_digit()))?;
    let word = parts.next()?;
    // Some agencies leave the zone out.
    let (zone, month) = match month_of(word) {
        Some(month) => ("", month),
        None => (word, month_of(parts.next()?)?),
    };
    let year = parts.next()?.trim_start_matches('\'').parse().ok()?;
    at(year, month, digits.get(..2)?.parse().ok()?, &format!("{}{zone}", digits.get(2..)?))
}

fn at(year: i16, month: i16, day: i16, clock: &str) -> Option<Time> {
    let year = match year {
        0..70 => 2000 + year,
        70..100 => 1900 + year,
        year => year,
    };
    let hour: i8 = clock.get(..2)?.parse().ok()?;
    let minute: i8 = clock.get(2..4)?.parse().ok()?;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let zone = clock.get(4..)?.trim();
    let minutes = zone_minutes(zone);
    let clock = jiff::civil::Time::new(hour, minute, 0, 0).ok()?;
    let offset = minutes.and_then(|minutes| Offset::from_seconds(minutes * 60).ok());
    let read = time(DateTime::from_parts(date, clock), offset, RoundMode::HalfExpand)?;
    let is_unknown = minutes.is_none() && !zone.is_empty();
    Some(Time { zone: if is_unknown { Zone::Unknown } else { read.zone }, ..read })
}

/// Takes the time of a trailer for the story's reference time; of a zone that is not known it makes none, and says so.
pub(super) fn take_trailer(time: Time, story: &mut Story) {
    match time.zone {
        Zone::Unknown => return story.anomalies.push(Anomaly::story("date.zone_unknown")),
        Zone::Assumed => note_zone(&mut story.anomalies),
        Zone::Sent => {}
    }
    story.reference_time = Some(ReferenceTime { value: time.value, basis: TimeBasis::Transmission });
}

/// The transmission's own time as a reference time.
pub(super) fn reference(words: &str, anomalies: &mut Vec<Anomaly>) -> Option<ReferenceTime> {
    take(words, "date.unreadable", anomalies).map(|value| ReferenceTime { value, basis: TimeBasis::Transmission })
}

/// A time that a field of a format gives: what cannot be read is told under `unreadable`.
pub(super) fn take(words: &str, unreadable: &'static str, anomalies: &mut Vec<Anomaly>) -> Option<String> {
    if words.trim().is_empty() {
        return None;
    }
    // An embargo never ends before its time, not by a fraction of a second.
    let mode = if unreadable == "embargo.unread" { RoundMode::Ceil } else { RoundMode::HalfExpand };
    let read = read_rounded(words, mode);
    match &read {
        None => anomalies.push(Anomaly::story(unreadable)),
        Some(time) if time.zone == Zone::Assumed => note_zone(anomalies),
        Some(_) => {}
    }
    read.map(|time| time.value)
}

/// Tells, once, that a time came without a zone.
pub(super) fn note_zone(anomalies: &mut Vec<Anomaly>) {
    if anomalies.iter().all(|anomaly| anomaly.code != "date.no_zone") {
        anomalies.push(Anomaly::story("date.no_zone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(words: &str) -> Option<(String, bool)> {
        read(words).map(|time| (time.value, time.zone == Zone::Assumed))
    }

    #[test]
    fn dates_as_wires_write_them() {
        for (words, expected, assumed) in [
            ("2031-03-04T05:06:07+01:00", "2031-03-04T05:06:07+01:00", false),
            ("2031-03-04T05:06:07.250Z", "2031-03-04T05:06:07Z", false),
            ("2031-03-04 05:06:07 +01:00", "2031-03-04T05:06:07+01:00", false),
            ("20310304T050607Z", "2031-03-04T05:06:07Z", false),
            ("20310304T050607+0530", "2031-03-04T05:06:07+05:30", false),
            ("20310304T050607", "2031-03-04T05:06:07Z", true),
            ("20310304", "2031-03-04T00:00:00Z", true),
            ("2031-03-04", "2031-03-04T00:00:00Z", true),
            ("Tue, 04 Mar 2031 05:06:07 GMT", "2031-03-04T05:06:07Z", false),
            ("Wed, 4 Mar 2031 05:06:07 -0500", "2031-03-04T05:06:07-05:00", false),
        ] {
            assert_eq!(value(words), Some((expected.to_owned(), assumed)), "in {words:?}");
        }
        for words in ["", "yesterday", "2031-13-04", "4/4/2031", "99999999999999999999", "é"] {
            assert_eq!(value(words), None, "in {words:?}");
        }
    }

    #[test]
    fn an_embargo_is_rounded_up() {
        let time = take("2031-03-04T05:06:07.250Z", "embargo.unread", &mut Vec::new());
        assert_eq!(time.as_deref(), Some("2031-03-04T05:06:08Z"));
    }

    #[test]
    fn trailers() {
        let anpa = |words| read_anpa_trailer(words).map(|time| time.value);
        assert_eq!(anpa("03-04-31 0506GMT").as_deref(), Some("2031-03-04T05:06:00Z"));
        assert_eq!(anpa("03-04-31 0506EST").as_deref(), Some("2031-03-04T05:06:00-05:00"));
        assert_eq!(anpa("03-04-31 0506PDT").as_deref(), Some("2031-03-04T05:06:00-07:00"));
        assert_eq!(anpa("03-04-31 0506IST").as_deref(), Some("2031-03-04T05:06:00+05:30"));
        assert_eq!(read_anpa_trailer("03-04-31 0506XQT").map(|time| time.zone), Some(Zone::Unknown));
        assert_eq!(read_anpa_trailer("03-04-31 0506").map(|time| time.zone), Some(Zone::Assumed));
        assert_eq!(anpa("03-04-99 0506GMT").as_deref(), Some("1999-03-04T05:06:00Z"));
        assert_eq!(anpa("13-44-31 9906GMT"), None);
        let day = |words| read_7901_trailer(words).map(|time| time.value);
        assert_eq!(day("040506 GMT Mar 31").as_deref(), Some("2031-03-04T05:06:00Z"));
        assert_eq!(day("040506 GMT MAR 2031").as_deref(), Some("2031-03-04T05:06:00Z"));
        assert_eq!(day("040506 Mar 31").as_deref(), Some("2031-03-04T05:06:00Z"));
        assert_eq!(day("NW 040506 GMT MAR 31").as_deref(), Some("2031-03-04T05:06:00Z"));
        assert_eq!(day("040506 GMT Dez 31").as_deref(), Some("2031-12-04T05:06:00Z"));
        assert_eq!(day("040506 juil 31").as_deref(), Some("2031-07-04T05:06:00Z"));
        assert_eq!(day("04050 GMT Mar 31"), None);
        let clock = read_clock_first_trailer("05:06-04-03-31").map(|time| time.value);
        assert_eq!(clock.as_deref(), Some("2031-03-04T05:06:00Z"));
    }
}

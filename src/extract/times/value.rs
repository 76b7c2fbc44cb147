//! Points of the calendar: their TIMEX3 values and what is so many units away.

use jiff::{Span as Step, civil::Date};

use super::{
    lexicon::{self, HolidayRule},
    meaning::{Season, Unit},
};

/// A piece of the calendar whose parts may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Day {
        year: Option<i32>,
        month: Option<u8>,
        day: Option<u8>,
    },
    /// A day of which only the name is known.
    Weekday(u8),
    Week {
        year: Option<i32>,
        week: Option<u8>,
        weekend: bool,
    },
    Month {
        year: Option<i32>,
        month: Option<u8>,
    },
    Quarter {
        year: Option<i32>,
        quarter: Option<u8>,
    },
    Half {
        year: Option<i32>,
        half: Option<u8>,
    },
    Season {
        year: Option<i32>,
        season: Option<Season>,
    },
    Year(Option<i32>),
    /// The first of ten years.
    Decade(Option<i32>),
    /// Hundreds; below zero, which century before Christ.
    Century(Option<i32>),
}

impl Point {
    pub(super) const UNKNOWN_DAY: Self = Self::Day { year: None, month: None, day: None };

    pub(super) fn of_date(date: Date) -> Self {
        Self::Day { year: Some(i32::from(date.year())), month: Some(date.month() as u8), day: Some(date.day() as u8) }
    }

    /// The day, when it is one and known.
    pub(super) fn date(self) -> Option<Date> {
        match self {
            Self::Day { year: Some(year), month: Some(month), day: Some(day) } => date(year, month, day),
            _ => None,
        }
    }

    pub(super) fn is_day(self) -> bool {
        matches!(self, Self::Day { .. } | Self::Weekday(_))
    }

    pub(super) fn year(self) -> Option<i32> {
        match self {
            Self::Day { year, .. }
            | Self::Week { year, .. }
            | Self::Month { year, .. }
            | Self::Quarter { year, .. }
            | Self::Half { year, .. }
            | Self::Season { year, .. }
            | Self::Year(year) => year,
            Self::Decade(_) | Self::Century(_) | Self::Weekday(_) => None,
        }
    }

    pub(super) fn month(self) -> Option<u8> {
        match self {
            Self::Day { month, .. } | Self::Month { month, .. } => month,
            _ => None,
        }
    }

    /// The first day of it, or a day inside it.
    fn some_date(self) -> Option<Date> {
        match self {
            Self::Day { .. } => self.date(),
            Self::Month { year: Some(year), month: Some(month) } => date(year, month, 1),
            Self::Week { year: Some(year), week: Some(week), .. } => {
                jiff::civil::ISOWeekDate::new(i16::try_from(year).ok()?, week as i8, jiff::civil::Weekday::Monday)
                    .ok()
                    .map(jiff::civil::ISOWeekDate::date)
            }
            Self::Quarter { year: Some(year), quarter: Some(quarter) } => date(year, quarter * 3 - 2, 1),
            Self::Half { year: Some(year), half: Some(half) } => date(year, half * 6 - 5, 1),
            Self::Season { year: Some(year), season: Some(season) } => date(year, season.first_month(), 1),
            Self::Year(Some(year)) => date(year, 1, 1),
            _ => None,
        }
    }

    /// The unit around it: the week of a day, the year of a month.
    pub(super) fn widen(self, unit: Unit) -> Self {
        let found = self.some_date();
        match unit {
            Unit::Day | Unit::Hour | Unit::Minute | Unit::Second => {
                if self.is_day() {
                    self
                } else {
                    Self::UNKNOWN_DAY
                }
            }
            Unit::Week | Unit::Fortnight | Unit::Weekend => {
                let weekend = unit == Unit::Weekend;
                match found {
                    Some(date) => {
                        let week = date.iso_week_date();
                        Self::Week { year: Some(i32::from(week.year())), week: Some(week.week() as u8), weekend }
                    }
                    None => Self::Week { year: None, week: None, weekend },
                }
            }
            Unit::Month => {
                Self::Month { year: self.year(), month: found.map(|date| date.month() as u8).or(self.month()) }
            }
            Unit::Quarter => match self {
                Self::Quarter { .. } => self,
                _ => Self::Quarter {
                    year: self.year(),
                    quarter: found.map(|date| date.month() as u8).or(self.month()).map(|month| month.div_ceil(3)),
                },
            },
            Unit::Year => Self::Year(self.year()),
            Unit::Decade => Self::Decade(match self {
                Self::Decade(first) => first,
                _ => self.year().map(|year| year.div_euclid(10) * 10),
            }),
            Unit::Century | Unit::Millennium => Self::Century(match self {
                Self::Century(hundreds) => hundreds,
                _ => self.year().map(|year| year.div_euclid(100)),
            }),
        }
    }

    /// What lies so many units later (earlier when below zero), as fine as the unit or finer.
    pub(super) fn shift(self, by: i32, unit: Unit) -> Self {
        let years = |year: Option<i32>, by: i32| year.map(|year| year.saturating_add(by));
        match unit {
            Unit::Second | Unit::Minute | Unit::Hour => self.widen(Unit::Day),
            Unit::Day => match self {
                Self::Day { year: None, month: Some(month), day: Some(day) } => {
                    // Without a year the last day of February is not known; any other step is.
                    let Some(moved) = date(2001, month, day).and_then(|date| step(date, by, unit)) else {
                        return Self::UNKNOWN_DAY;
                    };
                    let over_february = (month <= 2) != (moved.month() <= 2);
                    if by.abs() > 60 || over_february && (month == 3 || moved.month() == 3) {
                        return Self::UNKNOWN_DAY;
                    }
                    Self::Day { year: None, month: Some(moved.month() as u8), day: Some(moved.day() as u8) }
                }
                Self::Weekday(day) => {
                    let day = (i32::from(day) - 1 + by).rem_euclid(7) + 1;
                    if by.abs() > 6 { Self::UNKNOWN_DAY } else { Self::Weekday(day as u8) }
                }
                _ => match self.date().and_then(|date| step(date, by, unit)) {
                    Some(date) => Self::of_date(date),
                    None => Self::UNKNOWN_DAY,
                },
            },
            Unit::Week | Unit::Fortnight | Unit::Weekend => {
                let weeks = if unit == Unit::Fortnight { by.saturating_mul(2) } else { by };
                let day = self.some_date().and_then(|date| step(date, weeks, Unit::Week));
                day.map_or(Self::Week { year: None, week: None, weekend: false }, Self::of_date).widen(unit)
            }
            Unit::Month | Unit::Quarter => {
                let by = if unit == Unit::Quarter { by.saturating_mul(3) } else { by };
                let moved = self
                    .some_date()
                    .map(jiff::civil::Date::first_of_month)
                    .and_then(|date| step(date, by, Unit::Month));
                let moved = match (moved, self.month()) {
                    (Some(date), _) => {
                        Self::Month { year: Some(i32::from(date.year())), month: Some(date.month() as u8) }
                    }
                    (None, Some(month)) => {
                        let month = (i32::from(month) - 1 + by % 12).rem_euclid(12) + 1;
                        Self::Month { year: None, month: Some(month as u8) }
                    }
                    (None, None) => Self::Month { year: None, month: None },
                };
                moved.widen(unit)
            }
            Unit::Year => match self {
                Self::Month { year, month } => Self::Month { year: years(year, by), month },
                Self::Quarter { year, quarter } => Self::Quarter { year: years(year, by), quarter },
                Self::Half { year, half } => Self::Half { year: years(year, by), half },
                Self::Season { year, season } => Self::Season { year: years(year, by), season },
                _ => Self::Year(years(self.year(), by)),
            },
            Unit::Decade => Self::Year(years(self.year(), by.saturating_mul(10))).widen(unit),
            Unit::Century | Unit::Millennium => {
                let scale = if unit == Unit::Century { 100 } else { 1000 };
                Self::Year(years(self.year(), by.saturating_mul(scale))).widen(Unit::Year)
            }
        }
    }

    /// The TIMEX3 value.
    pub(super) fn value(self) -> String {
        let year = |year: Option<i32>| match year {
            Some(year) if year < 0 => format!("BC{:04}", -year),
            Some(year) => format!("{year:04}"),
            None => "XXXX".to_owned(),
        };
        let two = |part: Option<u8>| part.map_or("XX".to_owned(), |part| format!("{part:02}"));
        match self {
            Self::Day { year: y, month, day } => format!("{}-{}-{}", year(y), two(month), two(day)),
            Self::Weekday(day) => format!("XXXX-WXX-{day}"),
            Self::Week { year: y, week, weekend } => {
                format!("{}-W{}{}", year(y), two(week), if weekend { "-WE" } else { "" })
            }
            Self::Month { year: y, month } => format!("{}-{}", year(y), two(month)),
            Self::Quarter { year: y, quarter } => {
                format!("{}-Q{}", year(y), quarter.map_or("X".to_owned(), |quarter| quarter.to_string()))
            }
            Self::Half { year: y, half } => {
                format!("{}-H{}", year(y), half.map_or("X".to_owned(), |half| half.to_string()))
            }
            Self::Season { year: y, season } => format!("{}-{}", year(y), season.map_or("XX", Season::code)),
            Self::Year(y) => year(y),
            Self::Decade(Some(first)) if first >= 0 => format!("{:03}", first / 10),
            Self::Decade(Some(first)) => format!("BC{:03}", -first / 10),
            Self::Decade(None) => "XXX".to_owned(),
            Self::Century(Some(hundreds)) if hundreds >= 0 => format!("{hundreds:02}"),
            Self::Century(Some(which)) => format!("BC{:02}", -which - 1),
            Self::Century(None) => "XX".to_owned(),
        }
    }
}

/// A date of the civil calendar, if there is one.
pub(super) fn date(year: i32, month: u8, day: u8) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A date so many days, weeks or months away.
pub(super) fn step(date: Date, by: i32, unit: Unit) -> Option<Date> {
    let step = match unit {
        Unit::Week => Step::new().try_weeks(by),
        Unit::Month => Step::new().try_months(by),
        _ => Step::new().try_days(by),
    };
    date.checked_add(step.ok()?).ok()
}

/// The day of a holiday in a year.
pub(super) fn holiday(rule: u16, year: i32) -> Option<Date> {
    match lexicon::holiday(rule)? {
        HolidayRule::Fixed { month, day } => date(year, month, day),
        HolidayRule::Nth { month, which, weekday, plus } => {
            let weekday = jiff::civil::Weekday::from_monday_one_offset(weekday as i8).ok()?;
            let day = date(year, month, 1)?.nth_weekday_of_month(which, weekday).ok()?;
            step(day, i32::from(plus), Unit::Day)
        }
        HolidayRule::Easter(days) => step(easter(year)?, i32::from(days), Unit::Day),
    }
}

/// Month and day of a holiday that has the same every year.
pub(super) fn fixed_holiday(rule: u16) -> Option<(u8, u8)> {
    match lexicon::holiday(rule)? {
        HolidayRule::Fixed { month, day } => Some((month, day)),
        _ => None,
    }
}

/// Easter Sunday of the Gregorian calendar (the anonymous computus; Nature, 20 April 1876).
fn easter(year: i32) -> Option<Date> {
    if !(1583..=4099).contains(&year) {
        return None;
    }
    let golden = year % 19;
    let (century, rest) = (year / 100, year % 100);
    let moon = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let late = (golden + 11 * moon + 22 * weekday) / 451;
    let days = moon + weekday - 7 * late + 114;
    date(year, (days / 31) as u8, (days % 31 + 1) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_sundays() {
        for (year, month, day) in [(1961, 4, 2), (2000, 4, 23), (2008, 3, 23), (2024, 3, 31), (2038, 4, 25)] {
            assert_eq!(easter(year), date(year, month, day));
        }
    }

    #[test]
    fn steps() {
        let day = |year, month, day| Point::Day { year, month: Some(month), day: Some(day) };
        assert_eq!(day(None, 1, 5).shift(-1, Unit::Day), day(None, 1, 4));
        assert_eq!(day(None, 3, 1).shift(-1, Unit::Day), Point::UNKNOWN_DAY);
        assert_eq!(day(Some(2031), 3, 1).shift(-1, Unit::Day), day(Some(2031), 2, 28));
        assert_eq!(day(Some(2031), 3, 4).shift(-1, Unit::Week).value(), "2031-W09");
        assert_eq!(day(Some(2031), 3, 31).shift(-1, Unit::Month).value(), "2031-02");
        assert_eq!(Point::Quarter { year: Some(2031), quarter: Some(3) }.shift(-1, Unit::Year).value(), "2030-Q3");
        assert_eq!(Point::Year(Some(-431)).value(), "BC0431");
        assert_eq!(Point::Century(Some(-5)).value(), "BC04");
        assert_eq!(Point::Decade(Some(1980)).value(), "198");
        assert_eq!(day(Some(9999), 12, 31).shift(1, Unit::Day), Point::UNKNOWN_DAY);
    }
}

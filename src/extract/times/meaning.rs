//! What an expression of time says, before anything is counted from anywhere.

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Fortnight,
    Weekend,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "fortnight" => Self::Fortnight,
            "weekend" => Self::Weekend,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            "decade" => Self::Decade,
            "century" => Self::Century,
            "millennium" => Self::Millennium,
            _ => return None,
        })
    }

    /// Shorter than a day.
    pub(super) fn is_clock(self) -> bool {
        matches!(self, Self::Second | Self::Minute | Self::Hour)
    }
}

/// A season of the year, as the north has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

impl Season {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "spring" => Self::Spring,
            "summer" => Self::Summer,
            "autumn" => Self::Autumn,
            "winter" => Self::Winter,
            _ => return None,
        })
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Spring => "SP",
            Self::Summer => "SU",
            Self::Autumn => "FA",
            Self::Winter => "WI",
        }
    }

    /// The month in which it begins.
    pub(super) fn first_month(self) -> u8 {
        match self {
            Self::Spring => 3,
            Self::Summer => 6,
            Self::Autumn => 9,
            Self::Winter => 12,
        }
    }
}

/// A part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Morning,
    Afternoon,
    Evening,
    Night,
    Dawn,
    Dusk,
}

impl Part {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "morning" => Self::Morning,
            "afternoon" => Self::Afternoon,
            "evening" => Self::Evening,
            "night" => Self::Night,
            "dawn" => Self::Dawn,
            "dusk" => Self::Dusk,
            _ => return None,
        })
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Morning | Self::Dawn => "MO",
            Self::Afternoon => "AF",
            Self::Evening | Self::Dusk => "EV",
            Self::Night => "NI",
        }
    }
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(u32),
    /// So many and a half.
    AndHalf(u32),
    /// So many tenths.
    Tenths(u32),
    /// Several, a few, many, or a bare plural.
    Vague,
}

/// How much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) count: Count,
    pub(super) unit: Unit,
    /// `and six months`: so many of the next smaller unit.
    pub(super) rest: Option<(u32, Unit)>,
}

impl Amount {
    pub(super) fn new(count: Count, unit: Unit) -> Self {
        Self { count, unit, rest: None }
    }
}

/// A time within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Clock { hour: u8, minute: u8, second: Option<u8> },
    Part(Part),
}

/// A piece of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    Day {
        year: Option<i32>,
        month: u8,
        day: u8,
    },
    DayOfMonth(u8),
    Month {
        year: Option<i32>,
        month: u8,
    },
    Year(i32),
    /// The first year of ten.
    Decade(i32),
    /// The first two digits of its years.
    Century(i32),
    Season {
        year: Option<i32>,
        season: Season,
    },
    Quarter {
        year: Option<i32>,
        quarter: u8,
    },
    Half {
        year: Option<i32>,
        half: u8,
    },
    Weekday(u8),
    Holiday {
        rule: u16,
        year: Option<i32>,
    },
    /// `week` in "last week", `year` in "this year".
    Unit(Unit),
}

/// Which one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// Nothing says so but the tense.
    Tense,
    /// Seen from the reference time.
    This,
    Last,
    Next,
    /// Seen from the date before it in the text.
    Previous,
    Following,
    Same,
    /// So many years from the reference year: "January this year".
    Years(i8),
}

/// From where an offset is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Reference,
    Context,
}

/// A direction in time without a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Past,
    Present,
    Future,
}

/// What comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Every(Amount),
    Weekday(u8, Option<Part>),
    Month(u8),
    Season(Season),
    Part(Part),
    Weekend,
}

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Calendar {
        what: Calendar,
        pointer: Pointer,
        moment: Option<Moment>,
    },
    /// Days from the reference day: today 0, yesterday -1.
    Days {
        days: i8,
        moment: Option<Moment>,
    },
    Offset {
        amount: Amount,
        back: bool,
        from: From,
        moment: Option<Moment>,
    },
    /// A time of day whose day is not said.
    Moment {
        moment: Moment,
        pointer: Pointer,
    },
    Vague(Side),
    Duration(Amount),
    Set(Again),
}

/// TIMEX3 `mod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Modifier {
    /// The beginning of it.
    Start,
    /// The middle of it.
    Mid,
    /// The end of it.
    End,
    /// About so much.
    Approx,
    /// Less than.
    LessThan,
    /// More than.
    MoreThan,
    /// At most.
    EqualOrLess,
    /// At least.
    EqualOrMore,
}

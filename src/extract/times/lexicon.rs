//! The words of `data/lexicon/times*.txt`, read once.

use std::{collections::HashMap, sync::LazyLock};

use super::meaning::{Part, Season, Unit};
use crate::text;

/// Longest word of the list, in bytes; longer words are not looked up.
pub(super) const WORD_BYTES_MAX: usize = 16;

/// A word that the rules ask for by name.
macro_rules! words {
    ($($variant:ident = $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Word { $($variant),* }

        impl Word {
            fn by_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    The = "the", A = "a", This = "this", That = "that", These = "these", Last = "last", Past = "past", Next = "next",
    Coming = "coming", Previous = "previous", Following = "following", Same = "same", Current = "current",
    Latest = "latest", Recent = "recent", Early = "early", Mid = "mid", Late = "late", End = "end",
    Beginning = "beginning", Turn = "turn", Ago = "ago", Earlier = "earlier", Later = "later", Before = "before",
    After = "after", Hence = "hence", From = "from", Now = "now", Then = "then", Of = "of", In = "in", On = "on",
    At = "at", By = "by", Since = "since", Until = "until", And = "and", To = "to", Or = "or", More = "more",
    Less = "less", Than = "than", About = "about", Nearly = "nearly", Over = "over", Under = "under", Least = "least",
    Most = "most", Up = "up", As = "as", Many = "many", Few = "few", Couple = "couple", Several = "several",
    Another = "another", All = "all", Whole = "whole", Every = "every", Each = "each", Per = "per", Once = "once",
    Times = "times", Today = "today", Yesterday = "yesterday", Tomorrow = "tomorrow", Tonight = "tonight",
    Recently = "recently", Currently = "currently", Soon = "soon", Fiscal = "fiscal",
    Ended = "ended", Old = "old", Long = "long", Noon = "noon", Midnight = "midnight", Oclock = "oclock", Am = "am",
    Pm = "pm", Bc = "bc", Ad = "ad", Local = "local", Time = "time", Period = "period", Future = "future",
    Present = "present", Moment = "moment", Yearend = "yearend", Only = "only", Very = "very", Not = "not",
    Well = "well", Between = "between", Possessive = "possessive", Right = "right", Foreseeable = "foreseeable",
    Zulu = "zulu",
}

/// What a word is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Month(u8),
    Weekday(u8),
    Weekdays(u8),
    Season(Season),
    Seasons(Season),
    Part(Part),
    Parts(Part),
    Unit(Unit),
    Units(Unit),
    Number(u32),
    Scale(u32),
    Half,
    Ordinal(u32),
    /// Two digits of a decade.
    Decade(u32),
    /// `daily`.
    Always(Unit),
    Word(Word),
}

/// Lower-case word → what it is, and whether it has to begin with a capital.
static WORDS: LazyLock<HashMap<String, (Entry, bool)>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for line in include_str!("../../../data/lexicon/times.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((head, list)) = line.split_once(": ") else { continue };
        let Some(entry) = head.split_once(' ').and_then(|(class, value)| entry(class, value)) else { continue };
        for word in list.split(' ') {
            let capital = word.starts_with(char::is_uppercase);
            words.entry(word.to_lowercase()).or_insert((entry, capital));
        }
    }
    words
});

fn entry(class: &str, value: &str) -> Option<Entry> {
    let number = value.parse::<u32>().ok();
    Some(match class {
        "month" => Entry::Month(number? as u8),
        "weekday" => Entry::Weekday(number? as u8),
        "weekdays" => Entry::Weekdays(number? as u8),
        "season" => Entry::Season(Season::by_name(value)?),
        "seasons" => Entry::Seasons(Season::by_name(value)?),
        "part" => Entry::Part(Part::by_name(value)?),
        "parts" => Entry::Parts(Part::by_name(value)?),
        "unit" => Entry::Unit(Unit::by_name(value)?),
        "units" => Entry::Units(Unit::by_name(value)?),
        "number" => Entry::Number(number?),
        "scale" => Entry::Scale(number?),
        "fraction" => Entry::Half,
        "ordinal" => Entry::Ordinal(number?),
        "decade" => Entry::Decade(number?),
        "always" => Entry::Always(match value {
            "hourly" => Unit::Hour,
            "daily" | "nightly" => Unit::Day,
            "weekly" => Unit::Week,
            "fortnightly" => Unit::Fortnight,
            "monthly" => Unit::Month,
            "yearly" => Unit::Year,
            _ => return None,
        }),
        "word" => Entry::Word(Word::by_name(value)?),
        _ => return None,
    })
}

/// Looks a word of the text up.
pub(super) fn look_up(word: &str) -> Option<Entry> {
    let mut buffer = [0_u8; WORD_BYTES_MAX];
    let place = buffer.get_mut(..word.len())?;
    place.copy_from_slice(word.as_bytes());
    place.make_ascii_lowercase();
    let (entry, capital) = WORDS.get(std::str::from_utf8(place).ok()?)?;
    (!capital || word.starts_with(char::is_uppercase)).then_some(*entry)
}

/// The rule of a day with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HolidayRule {
    Fixed { month: u8, day: u8 },
    Nth { month: u8, which: i8, weekday: u8, plus: i8 },
    Easter(i8),
}

/// A name of a day, in words, and its rule.
struct Name {
    words: Vec<String>,
    rule: u16,
}

/// The days with a name.
struct Holidays {
    rules: Vec<HolidayRule>,
    /// First word → names, longest first.
    names: HashMap<String, Vec<Name>>,
}

static HOLIDAYS: LazyLock<Holidays> = LazyLock::new(|| {
    let mut holidays = Holidays { rules: Vec::new(), names: HashMap::new() };
    for line in include_str!("../../../data/lexicon/times_holidays.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((rule, names)) = line.split_once(": ") else { continue };
        let Some(rule) = holiday_rule(rule) else { continue };
        let index = holidays.rules.len() as u16;
        holidays.rules.push(rule);
        for name in names.split(", ") {
            let words: Vec<String> = name.split(' ').map(str::to_owned).collect();
            let Some(first) = words.first().cloned() else { continue };
            holidays.names.entry(first).or_default().push(Name { words, rule: index });
        }
    }
    for names in holidays.names.values_mut() {
        names.sort_by_key(|name| std::cmp::Reverse(name.words.len()));
    }
    holidays
});

fn holiday_rule(rule: &str) -> Option<HolidayRule> {
    if let Some(days) = rule.strip_prefix("easter") {
        return days.parse().ok().map(HolidayRule::Easter);
    }
    if let Some((month, day)) = rule.split_once('-').filter(|_| !rule.contains('/')) {
        return Some(HolidayRule::Fixed { month: month.parse().ok()?, day: day.parse().ok()? });
    }
    let (rule, plus) = rule.split_once('+').unwrap_or((rule, "0"));
    let mut parts = rule.split('/');
    Some(HolidayRule::Nth {
        month: parts.next()?.parse().ok()?,
        which: parts.next()?.parse().ok()?,
        weekday: parts.next()?.parse().ok()?,
        plus: plus.parse().ok()?,
    })
}

/// The rule of a day with a name.
pub(super) fn holiday(rule: u16) -> Option<HolidayRule> {
    HOLIDAYS.rules.get(rule as usize).copied()
}

/// The longest name of a day at the head of a text: its rule and its bytes. Spaces and apostrophes
/// may be of any kind.
pub(super) fn holiday_at(head: &str) -> Option<(u16, usize)> {
    let mut first: String = head.split(char::is_whitespace).next()?.to_lowercase().replace('’', "'");
    if first.ends_with([',', '.', ';', ')', '"']) && !HOLIDAYS.names.contains_key(&first) {
        first.truncate(first.trim_end_matches([',', '.', ';', ')', '"']).len());
    }
    let bare = first.strip_suffix("'s").filter(|_| !HOLIDAYS.names.contains_key(&first)).unwrap_or(&first);
    HOLIDAYS.names.get(bare)?.iter().find_map(|name| {
        let mut at = 0;
        for (index, word) in name.words.iter().enumerate() {
            if index > 0 {
                let rest = text::from(head, at);
                let trimmed = rest.trim_start();
                if trimmed.len() == rest.len() {
                    return None;
                }
                at += rest.len() - trimmed.len();
            }
            for wanted in word.chars() {
                let found = text::char_at(head, at)?;
                let same = found.to_ascii_lowercase() == wanted || wanted == '\'' && found == '’';
                if !same {
                    return None;
                }
                at += found.len_utf8();
            }
        }
        let ends = text::char_at(head, at).is_none_or(|next| !next.is_alphanumeric());
        ends.then_some((name.rule, at))
    })
}

/// Whether a word begins the name of a day.
pub(super) fn begins_holiday(word: &str) -> bool {
    // Every name is written with capitals, so nothing else is looked up.
    word.starts_with(char::is_uppercase)
        && word.len() <= WORD_BYTES_MAX
        && HOLIDAYS.names.contains_key(&word.to_lowercase().replace('’', "'"))
}

/// Offsets in minutes east of Greenwich.
struct Zones {
    abbreviations: HashMap<String, i16>,
    cities: HashMap<String, i16>,
}

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let mut zones = Zones { abbreviations: HashMap::new(), cities: HashMap::new() };
    for line in include_str!("../../../data/lexicon/times_zones.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((head, list)) = line.split_once(": ") else { continue };
        let Some((class, offset)) = head.split_once(' ') else { continue };
        let Some(minutes) = minutes(offset) else { continue };
        if class == "zone" {
            zones.abbreviations.extend(list.split(' ').map(|name| (name.to_owned(), minutes)));
        } else {
            zones.cities.extend(list.split(", ").map(|name| (name.to_owned(), minutes)));
        }
    }
    zones
});

fn minutes(offset: &str) -> Option<i16> {
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(if offset.starts_with('-') { hours * 60 - minutes } else { hours * 60 + minutes })
}

/// The offset that an abbreviation in capitals stands for, in minutes.
pub(super) fn zone(word: &str) -> Option<i16> {
    (2..=4).contains(&word.len()).then(|| ZONES.abbreviations.get(word).copied()).flatten()
}

/// The standard offset of the clocks of a city, in minutes.
pub(super) fn city(name: &str) -> Option<i16> {
    ZONES.cities.get(&name.to_lowercase()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_lists_is_read() {
        for line in include_str!("../../../data/lexicon/times.txt").lines() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let (head, _) = line.split_once(": ").unwrap();
            let (class, value) = head.split_once(' ').unwrap();
            assert!(entry(class, value).is_some(), "{line}");
        }
        let lists = [
            (include_str!("../../../data/lexicon/times_holidays.txt"), true),
            (include_str!("../../../data/lexicon/times_zones.txt"), false),
        ];
        for (list, is_holidays) in lists {
            for line in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                let (head, _) = line.split_once(": ").unwrap();
                let read = if is_holidays {
                    holiday_rule(head).is_some()
                } else {
                    head.split_once(' ').is_some_and(|(_, offset)| minutes(offset).is_some())
                };
                assert!(read, "{line}");
            }
        }
    }

    #[test]
    fn names_of_days() {
        assert_eq!(holiday_at("Christmas Eve, he said").map(|found| found.1), Some(13));
        assert_eq!(holiday_at("Christmas was").map(|found| found.1), Some(9));
        assert_eq!(holiday_at("New Year’s Day").map(|found| found.1), Some("New Year’s Day".len()));
        assert_eq!(holiday_at("New York"), None);
        assert_eq!(zone("GMT"), Some(0));
        assert_eq!(city("New Delhi"), Some(330));
        assert_eq!(minutes("-03:30"), Some(-210));
    }
}

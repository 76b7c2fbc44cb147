//! Tokens → items: what each token is to the rules.

use super::lexicon::{self, Entry, Word};
use crate::{
    extract::tokens::Token,
    text::{self, Span},
};

/// What a token, or a part of one, is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that a rule asks for.
    Other,
    /// A number in digits; `digits` is 0 when it is written with a comma.
    Number {
        value: u32,
        digits: u8,
    },
    /// `2.5`, in tenths.
    Tenths(u32),
    /// A clock: `10:30`.
    Clock {
        hour: u8,
        minute: u8,
        second: Option<u8>,
    },
    /// `2031-03-04`, `3/4/2031`; the year may be missing.
    Date {
        year: Option<i32>,
        month: u8,
        day: u8,
    },
    /// `5th`.
    Nth(u32),
    /// `1990s`; two digits of the year when `short`.
    Decade {
        years: u32,
        short: bool,
    },
    /// The first word of the name of a day.
    Holiday,
    Hyphen,
    Comma,
    Apostrophe,
    Bracket,
    Currency,
    Percent,
    Listed(Entry),
}

/// A token or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// Index of its token.
    pub(super) token: u32,
}

impl Item {
    pub(super) fn word(&self) -> Option<Word> {
        match self.kind {
            Kind::Listed(Entry::Word(word)) => Some(word),
            _ => None,
        }
    }
}

/// Largest number that is read from digits.
const NUMBER_DIGITS_MAX: usize = 9;

/// Appends the items of some tokens; `first` is the index of the first of them.
pub(super) fn read(text: &str, tokens: &[Token], first: usize, items: &mut Vec<Item>) {
    for (offset, token) in tokens.iter().enumerate() {
        let token_index = (first + offset) as u32;
        let word = token.span.of(text);
        // "mid-1990s", "mid-March" and "post-1945" are one token each.
        if let Some((head, rest)) = prefixed(word) {
            let cut = token.span.start() + head;
            let is_mid = head == 4;
            let kind = if is_mid { Kind::Listed(Entry::Word(Word::Mid)) } else { Kind::Other };
            items.push(Item { kind, span: Span::new(token.span.start(), cut), token: token_index });
            let kind = kind_of(rest);
            items.push(Item { kind, span: Span::new(cut, token.span.end()), token: token_index });
            continue;
        }
        items.push(Item { kind: kind_of(word), span: token.span, token: token_index });
    }
}

/// Where a prefix with a hyphen ends before a word of time.
fn prefixed(word: &str) -> Option<(usize, &str)> {
    let bytes = word.as_bytes();
    if !bytes.first().is_some_and(|byte| matches!(byte, b'm' | b'M' | b'p' | b'P')) {
        return None;
    }
    for prefix in ["mid-", "pre-", "post-"] {
        if bytes.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes())) {
            let rest = text::from(word, prefix.len());
            return (!rest.is_empty() && lexicon::look_up(word).is_none()).then_some((prefix.len(), rest));
        }
    }
    None
}

fn kind_of(word: &str) -> Kind {
    let Some(first) = word.bytes().next() else { return Kind::Other };
    match first {
        b'0'..=b'9' => number(word),
        b'-' if word == "-" => Kind::Hyphen,
        b',' if word == "," => Kind::Comma,
        b'\'' | b'`' if word.len() == 1 => Kind::Apostrophe,
        b'(' | b')' | b'[' | b']' => Kind::Bracket,
        b'$' => Kind::Currency,
        b'%' => Kind::Percent,
        _ if first.is_ascii_alphabetic() || first == b'\'' => match lexicon::look_up(word) {
            Some(entry) => Kind::Listed(entry),
            None if lexicon::begins_holiday(word) => Kind::Holiday,
            None => Kind::Other,
        },
        _ => match word {
            "–" | "—" | "‑" => Kind::Hyphen,
            "’" | "‘" => Kind::Apostrophe,
            "’s" => Kind::Listed(Entry::Word(Word::Possessive)),
            "£" | "€" | "¥" => Kind::Currency,
            "½" => Kind::Listed(Entry::Half),
            _ => Kind::Other,
        },
    }
}

/// A token that begins with a digit.
fn number(word: &str) -> Kind {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text::from(word, digits);
    let Some(value) = text::until(word, digits.min(NUMBER_DIGITS_MAX)).parse::<u32>().ok() else { return Kind::Other };
    if digits > NUMBER_DIGITS_MAX {
        return Kind::Other;
    }
    match rest {
        "" => return Kind::Number { value, digits: digits as u8 },
        "s" | "'s" | "’s" if digits == 4 && value.is_multiple_of(10) => {
            return Kind::Decade { years: value, short: false };
        }
        "s" | "'s" | "’s" if digits == 2 && value.is_multiple_of(10) => {
            return Kind::Decade { years: value, short: true };
        }
        "th" | "st" | "nd" | "rd" if digits <= 2 => return Kind::Nth(value),
        _ => {}
    }
    let mut parts =
        rest.split(|mark: char| !mark.is_ascii_digit()).skip(1).map(|part| (part.len(), part.parse::<u32>().ok()));
    let marks: Vec<char> = rest.chars().filter(|mark| !mark.is_ascii_digit()).take(3).collect();
    let part =
        |found: Option<(usize, Option<u32>)>| found.and_then(|(length, value)| value.map(|value| (length, value)));
    match marks.as_slice() {
        [','] | [',', ','] if parts.clone().all(|(length, _)| length == 3) => {
            let whole: String = word.chars().filter(char::is_ascii_digit).take(NUMBER_DIGITS_MAX).collect();
            Kind::Number { value: whole.parse().unwrap_or(u32::MAX), digits: 0 }
        }
        ['.'] => match part(parts.next()) {
            Some((1, tenths)) if digits <= 6 => Kind::Tenths(value * 10 + tenths),
            // "10.30 p.m." is how some papers write it.
            Some((2, minute)) if digits <= 2 && value < 24 && minute < 60 => {
                Kind::Clock { hour: value as u8, minute: minute as u8, second: None }
            }
            _ => Kind::Other,
        },
        [':'] | [':', ':'] => {
            let minute = part(parts.next());
            let second = part(parts.next());
            match (minute, second) {
                (Some((2, minute)), second) if digits <= 2 && value < 25 && minute < 60 => Kind::Clock {
                    hour: value as u8,
                    minute: minute as u8,
                    second: second.map(|(_, second)| second as u8).filter(|second| *second < 61),
                },
                _ => Kind::Other,
            }
        }
        ['-', '-'] if digits == 4 => match (part(parts.next()), part(parts.next())) {
            (Some((2, month)), Some((2, day))) => date(Some(value as i32), month, day),
            _ => Kind::Other,
        },
        ['/'] if word == "1/2" => Kind::Listed(Entry::Half),
        ['/', '/'] | ['-', '-'] if digits <= 2 => match (part(parts.next()), part(parts.next())) {
            (Some((_, second)), Some((length @ (2 | 4), year))) => {
                let year = if length == 4 { year as i32 } else { full_year(year) };
                // American order, unless the second number can only be a month's day.
                if value > 12 { date(Some(year), second, value) } else { date(Some(year), value, second) }
            }
            _ => Kind::Other,
        },
        ['/', '/'] if digits == 4 => match (part(parts.next()), part(parts.next())) {
            (Some((_, month)), Some((_, day))) => date(Some(value as i32), month, day),
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

fn date(year: Option<i32>, month: u32, day: u32) -> Kind {
    if (1..=12).contains(&month) && (1..=31).contains(&day) {
        Kind::Date { year, month: month as u8, day: day as u8 }
    } else {
        Kind::Other
    }
}

/// Two digits of a year: 1930 to 2029.
pub(super) fn full_year(two: u32) -> i32 {
    if two < 30 { 2000 + two as i32 } else { 1900 + two as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        assert_eq!(kind_of("1998"), Kind::Number { value: 1998, digits: 4 });
        assert_eq!(kind_of("1,998"), Kind::Number { value: 1998, digits: 0 });
        assert_eq!(kind_of("10:30"), Kind::Clock { hour: 10, minute: 30, second: None });
        assert_eq!(kind_of("2031-03-04"), Kind::Date { year: Some(2031), month: 3, day: 4 });
        assert_eq!(kind_of("3/4/31"), Kind::Date { year: Some(1931), month: 3, day: 4 });
        assert_eq!(kind_of("1990s"), Kind::Decade { years: 1990, short: false });
        assert_eq!(kind_of("5th"), Kind::Nth(5));
        assert_eq!(kind_of("2.5"), Kind::Tenths(25));
        assert_eq!(kind_of("13/45/2001"), Kind::Other);
        assert_eq!(kind_of("99999999999999"), Kind::Other);
    }
}

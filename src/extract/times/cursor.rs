//! A reader of items that goes forward, or back to where it was.

use super::{
    items::{Item, Kind, full_year},
    lexicon::{self, Entry, Word},
    meaning::{Count, Part, Season, Unit},
};

/// Years that a bare number of four digits may be.
const YEARS: std::ops::RangeInclusive<u32> = 1000..=2100;

/// Where the rules stand in the items of one sentence.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) items: &'a [Item],
    pub(super) at: usize,
    /// The story counts years before Christ.
    pub(super) is_ancient: bool,
}

impl<'a> Cursor<'a> {
    /// The kind of the item so many from here.
    pub(super) fn kind(self, ahead: usize) -> Kind {
        self.items.get(self.at + ahead).map_or(Kind::Other, |item| item.kind)
    }

    /// The kind of the item before.
    pub(super) fn before(self) -> Kind {
        self.at.checked_sub(1).and_then(|at| self.items.get(at)).map_or(Kind::Other, |item| item.kind)
    }

    /// The item before, as written.
    pub(super) fn written_before(self) -> &'a str {
        self.at.checked_sub(1).and_then(|at| self.items.get(at)).map_or("", |item| item.span.of(self.text))
    }

    /// The item so many from here, as written.
    pub(super) fn written(self, ahead: usize) -> &'a str {
        self.items.get(self.at + ahead).map_or("", |item| item.span.of(self.text))
    }

    pub(super) fn is_end(self) -> bool {
        self.at >= self.items.len()
    }

    pub(super) fn skip(self, count: usize) -> Self {
        Self { at: self.at + count, ..self }
    }

    pub(super) fn word(self) -> Option<Word> {
        self.word_at(0)
    }

    pub(super) fn word_at(self, ahead: usize) -> Option<Word> {
        self.items.get(self.at + ahead).and_then(Item::word)
    }

    pub(super) fn is(self, word: Word) -> bool {
        self.word() == Some(word)
    }

    /// Past the word, if it stands here.
    pub(super) fn eat(self, word: Word) -> Option<Self> {
        self.is(word).then(|| self.skip(1))
    }

    /// Past the word, if it stands here; otherwise still here.
    pub(super) fn maybe(self, word: Word) -> Self {
        self.eat(word).unwrap_or(self)
    }

    pub(super) fn maybe_kind(self, kind: Kind) -> Self {
        if self.kind(0) == kind { self.skip(1) } else { self }
    }

    /// Whether nothing stands between the item here and the one before it.
    pub(super) fn is_glued(self) -> bool {
        let (Some(here), Some(before)) =
            (self.items.get(self.at), self.at.checked_sub(1).and_then(|at| self.items.get(at)))
        else {
            return false;
        };
        here.span.start == before.span.end
    }

    /// A hyphen with nothing on either side, and what follows it.
    pub(super) fn hyphen(self) -> Option<Self> {
        (self.kind(0) == Kind::Hyphen && self.is_glued() && self.skip(1).is_glued()).then(|| self.skip(1))
    }

    pub(super) fn month(self) -> Option<(Self, u8)> {
        match self.kind(0) {
            Kind::Listed(Entry::Month(month)) => Some((self.skip(1), month)),
            _ => None,
        }
    }

    pub(super) fn weekday(self) -> Option<(Self, u8)> {
        match self.kind(0) {
            Kind::Listed(Entry::Weekday(day)) => Some((self.skip(1), day)),
            _ => None,
        }
    }

    pub(super) fn season(self) -> Option<(Self, Season)> {
        match self.kind(0) {
            Kind::Listed(Entry::Season(season)) => Some((self.skip(1), season)),
            _ => None,
        }
    }

    pub(super) fn part(self) -> Option<(Self, Part)> {
        match self.kind(0) {
            Kind::Listed(Entry::Part(part)) => Some((self.skip(1), part)),
            _ => None,
        }
    }

    /// A unit in the singular.
    pub(super) fn unit(self) -> Option<(Self, Unit)> {
        match self.kind(0) {
            Kind::Listed(Entry::Unit(unit)) => Some((self.skip(1), unit)),
            _ => None,
        }
    }

    /// A unit in the plural.
    pub(super) fn units(self) -> Option<(Self, Unit)> {
        match self.kind(0) {
            Kind::Listed(Entry::Units(unit)) => Some((self.skip(1), unit)),
            _ => None,
        }
    }

    pub(super) fn any_unit(self) -> Option<(Self, Unit)> {
        self.unit().or_else(|| self.units())
    }

    /// A day of the month: `5`, `5th`, `fifth`.
    pub(super) fn day(self) -> Option<(Self, u8)> {
        let (Kind::Number { value: day, digits: 1 | 2 } | Kind::Nth(day) | Kind::Listed(Entry::Ordinal(day))) =
            self.kind(0)
        else {
            return None;
        };
        (1..=31).contains(&day).then(|| (self.skip(1), day as u8))
    }

    /// `first`, `3rd`.
    pub(super) fn ordinal(self) -> Option<(Self, u32)> {
        match self.kind(0) {
            Kind::Nth(value) | Kind::Listed(Entry::Ordinal(value)) => Some((self.skip(1), value)),
            _ => None,
        }
    }

    /// A number in digits or words.
    pub(super) fn cardinal(self) -> Option<(Self, u32)> {
        if let Kind::Number { value, .. } = self.kind(0) {
            let next = self.skip(1);
            return Some(match next.kind(0) {
                Kind::Listed(Entry::Scale(scale)) if scale >= 100 => (next.skip(1), value.saturating_mul(scale)),
                _ => (next, value),
            });
        }
        let (mut cursor, mut total, mut current, mut any) = (self, 0_u32, 0_u32, false);
        // Longer numbers than this are not written in words.
        for _ in 0..8 {
            match cursor.kind(0) {
                Kind::Listed(Entry::Number(value)) => {
                    let fits = current == 0
                        || current.is_multiple_of(100)
                        || (20..100).contains(&(current % 100)) && current.is_multiple_of(10) && value < 10;
                    if !fits {
                        break;
                    }
                    current += value;
                    cursor = cursor.skip(1);
                    if value >= 20
                        && let Some(next) = cursor.hyphen()
                        && let Kind::Listed(Entry::Number(ones @ 1..=9)) = next.kind(0)
                    {
                        current += ones;
                        cursor = next.skip(1);
                    }
                }
                Kind::Listed(Entry::Scale(scale)) if any || scale != 12 => {
                    if scale < 1000 {
                        current = current.max(1).saturating_mul(scale);
                    } else {
                        total = total.saturating_add(current.max(1).saturating_mul(scale));
                        current = 0;
                    }
                    cursor = cursor.skip(1);
                }
                Kind::Listed(Entry::Word(Word::And))
                    if any
                        && current.is_multiple_of(100)
                        && matches!(cursor.kind(1), Kind::Listed(Entry::Number(1..)))
                        && current + total >= 100 =>
                {
                    cursor = cursor.skip(1);
                }
                _ => break,
            }
            any = true;
        }
        any.then(|| (cursor, total.saturating_add(current)))
    }

    /// How many, before a unit: `two and a half`, `several`, `a couple of`, `a hundred`.
    pub(super) fn count(self) -> Option<(Self, Count)> {
        if let Kind::Tenths(tenths) = self.kind(0) {
            return Some((self.skip(1), Count::Tenths(tenths)));
        }
        let after_a = self.maybe(Word::A);
        let article = after_a.at > self.at;
        match after_a.word() {
            Some(Word::Few) => return Some((after_a.skip(1), Count::Vague)),
            Some(Word::Couple) => {
                return Some((after_a.skip(1).maybe(Word::Of), Count::Exactly(2)));
            }
            Some(Word::Several | Word::Many) if !article => return Some((self.skip(1), Count::Vague)),
            _ => {}
        }
        if article {
            return match after_a.kind(0) {
                Kind::Listed(Entry::Scale(scale)) => Some((after_a.skip(1), Count::Exactly(scale))),
                _ => None,
            };
        }
        if let Kind::Listed(Entry::Half) = self.kind(0) {
            let next = self.skip(1).eat(Word::A)?;
            return Some((next, Count::AndHalf(0)));
        }
        let (next, value) = self.cardinal()?;
        if let Kind::Listed(Entry::Half) = next.kind(0) {
            return Some((next.skip(1), Count::AndHalf(value)));
        }
        if let Some(half) = next.eat(Word::And).map(|next| next.maybe(Word::A))
            && half.kind(0) == Kind::Listed(Entry::Half)
        {
            return Some((half.skip(1), Count::AndHalf(value)));
        }
        Some((next, Count::Exactly(value)))
    }

    /// A year: `1998`, `'98`, `431 BC`, `AD 70`, `nineteen ninety-six`, `two thousand`.
    pub(super) fn year(self) -> Option<(Self, i32)> {
        match self.kind(0) {
            Kind::Number { value, digits: digits @ 1..=4 } => {
                let next = self.skip(1);
                match next.word() {
                    Some(Word::Bc) => return Some((next.skip(1), -(value as i32))),
                    Some(Word::Ad) => return Some((next.skip(1), value as i32)),
                    _ => {}
                }
                (digits == 4 && YEARS.contains(&value)).then_some((next, value as i32))
            }
            Kind::Apostrophe if self.skip(1).is_glued() => match self.kind(1) {
                Kind::Number { value, digits: 2 } => Some((self.skip(2), full_year(value))),
                _ => None,
            },
            Kind::Listed(Entry::Word(Word::Ad)) => match self.kind(1) {
                Kind::Number { value, digits: 1..=4 } => Some((self.skip(2), value as i32)),
                _ => None,
            },
            Kind::Listed(Entry::Number(2)) if self.kind(1) == Kind::Listed(Entry::Scale(1000)) => {
                let (next, year) = self.cardinal()?;
                (2000..2100).contains(&year).then_some((next, year as i32))
            }
            Kind::Listed(Entry::Number(century @ (17..=20))) => {
                let (next, rest) = self.skip(1).cardinal()?;
                let spoken = matches!(self.kind(1), Kind::Listed(Entry::Number(10..)));
                (spoken && (10..100).contains(&rest)).then_some((next, (century * 100 + rest) as i32))
            }
            _ => None,
        }
    }

    /// A year after a month or a season: also after a comma or "of".
    pub(super) fn year_behind(self) -> Option<(Self, i32)> {
        let next = self.maybe(Word::Of);
        let next = if next.at == self.at { self.maybe_kind(Kind::Comma) } else { next };
        next.year()
    }

    /// A zone behind a clock, in minutes; none for "local time".
    pub(super) fn zone(self) -> Option<(Self, Option<i16>)> {
        if self.is(Word::Local) && self.word_at(1) == Some(Word::Time) {
            return Some((self.skip(2), None));
        }
        let bracket = matches!(self.kind(0), Kind::Bracket) && !self.is_end();
        let next = if bracket { self.skip(1) } else { self };
        let zone = if next.is(Word::Zulu) { Some(0) } else { lexicon::zone(next.written(0)) }?;
        let after = next.skip(1);
        if bracket {
            return matches!(after.kind(0), Kind::Bracket).then(|| (after.skip(1), Some(zone)));
        }
        Some((after, Some(zone)))
    }
}

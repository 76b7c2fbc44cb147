//! Stretches of time: `two years`, `a year and a half`, `10-day`, `several months`, `the past two weeks`.

use super::{
    cursor::Cursor,
    items::Kind,
    lexicon::{Entry, Word},
    meaning::{Amount, Count, Unit},
};

/// Words between a number and its unit that change nothing.
const FILLERS: &str = " more full consecutive straight additional long whole other calendar business working solid further \
    extra short fiscal trading successive entire crucial hard ";

/// Words before a bare plural that make it a stretch of time.
const OPENERS: &str = " for in after even over within take takes took taking last lasted lasting spend spent spending wait \
    waited many or of despite through and into by ";

/// `two years`, `two and a half years`, `half an hour`, `10-day`, `a year and a half`, `several months`.
pub(super) fn amount(c: Cursor<'_>) -> Option<(Cursor<'_>, Amount)> {
    let Some((next, count)) = c.count() else { return single(c) };
    let next = next.hyphen().unwrap_or(next);
    let next = filler(next);
    let next = next.hyphen().unwrap_or(next);
    let (next, unit) = unit(next, count)?;
    let mut amount = Amount::new(count, unit);
    let mut end = next;
    if let Count::Exactly(_) = count
        && let Some(after) =
            next.eat(Word::And).or_else(|| Some(next.maybe_kind(Kind::Comma)).filter(|after| after.at > next.at))
        && let Some((after, rest)) = after.cardinal()
        && let Some((after, smaller)) = after.any_unit()
        && is_next_smaller(unit, smaller)
    {
        amount.rest = Some((rest, smaller));
        end = after;
    }
    Some((end, amount))
}

fn unit(c: Cursor<'_>, count: Count) -> Option<(Cursor<'_>, Unit)> {
    if let Some((next, unit)) = c.any_unit() {
        return Some((next, unit));
    }
    let one_second =
        c.kind(0) == Kind::Listed(Entry::Ordinal(2)) && c.written(0) == "second" && count == Count::Exactly(1);
    one_second.then(|| (c.skip(1), Unit::Second))
}

fn filler(c: Cursor<'_>) -> Cursor<'_> {
    let mut next = c;
    for _ in 0..2 {
        let word = next.written(0);
        if word.is_empty() || !FILLERS.contains(&format!(" {word} ")) {
            break;
        }
        next = next.skip(1);
    }
    next
}

/// `a year`, `an hour`, `a year and a half`, `another week`.
pub(super) fn single(c: Cursor<'_>) -> Option<(Cursor<'_>, Amount)> {
    if let Some(next) = c.eat(Word::Another) {
        let (next, count) = next.count().unwrap_or((next, Count::Exactly(1)));
        let (next, unit) = next.any_unit()?;
        return Some((next, Amount::new(count, unit)));
    }
    let next = c.eat(Word::A)?;
    let (next, unit) = filler(next).unit()?;
    if let Some(half) = next.eat(Word::And).map(|next| next.maybe(Word::A))
        && half.kind(0) == Kind::Listed(Entry::Half)
    {
        return Some((half.skip(1), Amount::new(Count::AndHalf(1), unit)));
    }
    Some((next, Amount::new(Count::Exactly(1), unit)))
}

fn is_next_smaller(unit: Unit, smaller: Unit) -> bool {
    matches!(
        (unit, smaller),
        (Unit::Year, Unit::Month | Unit::Week | Unit::Day)
            | (Unit::Month | Unit::Week, Unit::Day)
            | (Unit::Day, Unit::Hour)
            | (Unit::Hour, Unit::Minute)
            | (Unit::Minute, Unit::Second)
    )
}

/// `years`, `weeks or months`: a bare plural where the words before it make it a stretch of time.
pub(super) fn bare(c: Cursor<'_>) -> Option<(Cursor<'_>, Amount)> {
    let (next, unit) = c.units()?;
    let before = c.written_before();
    let quantity = c.items.get(c.at.checked_sub(1)?)?.word();
    let opened = OPENERS.contains(&format!(" {} ", before.to_ascii_lowercase())) || quantity == Some(Word::Over);
    if !opened || next.word() == Some(Word::Of) && before == "of" {
        return None;
    }
    if next.is(Word::Or)
        && let Some((end, _)) = next.skip(1).units()
    {
        return Some((end, Amount::new(Count::Vague, unit)));
    }
    Some((next, Amount::new(Count::Vague, unit)))
}

/// Whether an article and a unit say how long and not how often or what kind.
pub(super) fn is_length(c: Cursor<'_>) -> bool {
    matches!(
        c.before(),
        Kind::Listed(Entry::Word(
            Word::In
                | Word::Over
                | Word::Than
                | Word::Nearly
                | Word::About
                | Word::After
                | Word::Least
                | Word::Until
                | Word::Only
        ))
    ) || matches!(
        c.written_before(),
        "for" | "For" | "half" | "take" | "takes" | "took" | "quite" | "lasted" | "once" | "spent"
    )
}

/// TIMEX3 value of an amount.
pub(super) fn value(amount: Amount) -> String {
    let (letter, scale, clock) = match amount.unit {
        Unit::Second => ("S", 1, true),
        Unit::Minute => ("M", 1, true),
        Unit::Hour => ("H", 1, true),
        Unit::Day => ("D", 1, false),
        Unit::Week => ("W", 1, false),
        Unit::Fortnight => ("W", 2, false),
        Unit::Weekend => ("WE", 1, false),
        Unit::Month => ("M", 1, false),
        Unit::Quarter => ("Q", 1, false),
        Unit::Year => ("Y", 1, false),
        Unit::Decade => ("Y", 10, false),
        Unit::Century => ("Y", 100, false),
        Unit::Millennium => ("Y", 1000, false),
    };
    let head = if clock { "PT" } else { "P" };
    match amount.count {
        Count::Vague => {
            let letter = match amount.unit {
                Unit::Decade => "DE",
                Unit::Century => "CE",
                Unit::Millennium => "ML",
                _ => letter,
            };
            format!("{head}X{letter}")
        }
        Count::Exactly(count) => {
            let count = u64::from(count) * scale;
            match amount.rest {
                Some((rest, Unit::Hour)) => format!("{head}{count}{letter}T{rest}H"),
                Some((rest, unit)) => {
                    let small = value(Amount::new(Count::Exactly(rest), unit));
                    format!("{head}{count}{letter}{}", small.trim_start_matches(['P', 'T']))
                }
                None => format!("{head}{count}{letter}"),
            }
        }
        Count::AndHalf(count) => {
            let count = u64::from(count);
            let (half, whole) = match amount.unit {
                Unit::Year => (Some((6, "M")), count),
                Unit::Month => (Some((15, "D")), count),
                Unit::Day => return join(head, count, letter, "T12H"),
                Unit::Hour => (Some((30, "M")), count),
                Unit::Minute => (Some((30, "S")), count),
                Unit::Decade | Unit::Century | Unit::Millennium => (None, count * scale + scale / 2),
                _ => return format!("{head}{count}.5{letter}"),
            };
            match half {
                Some((half, small)) => join(head, whole, letter, &format!("{half}{small}")),
                None => format!("{head}{whole}{letter}"),
            }
        }
        Count::Tenths(tenths) => {
            let tenths = u64::from(tenths) * scale;
            if tenths % 10 == 0 {
                format!("{head}{}{letter}", tenths / 10)
            } else {
                format!("{head}{}.{}{letter}", tenths / 10, tenths % 10)
            }
        }
    }
}

fn join(head: &str, whole: u64, letter: &str, half: &str) -> String {
    if whole == 0 { format!("{head}{half}") } else { format!("{head}{whole}{letter}{half}") }
}

#[cfg(test)]
mod tests {
    use crate::extract::times::testing::values;

    #[test]
    fn stretches() {
        values(
            "The work took two and a half years, or half an hour a crane; several months were lost. He waited for a week.",
            None,
            &[
                ("two and a half years", "P2Y6M"),
                ("half an hour", "PT30M"),
                ("several months", "PXM"),
                ("a week", "P1W"),
            ],
        );
        values("A 10-day strike and a three-month-old child.", None, &[("10-day", "P10D"), ("three-month-old", "P3M")]);
        values("The pier was shut for more than four hours.", None, &[("more than four hours", "PT4H")]);
        values("This may last long, even years.", None, &[("years", "PXY")]);
    }
}

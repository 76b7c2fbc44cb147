//! Every quotation mark of a paragraph, with apostrophes, inches and minutes told apart.
//!
//! ```text
//! "They'd never sold the unions' 6" pipe," said Ames.
//! ^ opens                               ^ closes: the other four are none
//! ```
//!
//! Does not match marks: a mark that may open and close says so, and [`super::pairs`] decides.

use crate::text::{Span, char_at, char_before, from};

/// Which marks belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `"`, `“ ”`, `„ “`, ```` `` '' ````
    Double,
    /// `« »`
    Angle,
    /// `'`, `‘ ’`
    Single,
}

/// A quotation mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) family: Family,
    pub(super) opens: bool,
    pub(super) closes: bool,
}

/// The quotation marks of a paragraph, apostrophes and units of measure left out.
pub(super) fn marks(text: &str, paragraph: Span) -> Vec<Mark> {
    let words = paragraph.of(text);
    let mut found: Vec<Mark> = Vec::new();
    let mut chars = words.char_indices().peekable();
    let (mut low_open, mut right_open, mut angles_reversed) = (false, false, None);
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '‹' | '›' | '＂' | '″')
        {
            continue;
        }
        let start = paragraph.start() + at;
        let doubled = matches!(c, '\'' | '`' | '‘' | '’') && chars.peek().is_some_and(|(_, next)| *next == c);
        if doubled {
            chars.next();
        }
        let end = start + c.len_utf8() * if doubled { 2 } else { 1 };
        let before = char_before(text, start).filter(|_| start > paragraph.start());
        let after = char_at(text, end).filter(|_| end < paragraph.end());
        let shape = Shape::new(before, after);
        let mark = |family, opens, closes| Mark { start, end, family, opens, closes };
        let found_mark = match (c, doubled) {
            ('"' | '＂', _) | ('\'', true) => Some(mark(Family::Double, shape.may_open, shape.may_close)),
            ('’', true) => Some(mark(Family::Double, false, true)),
            ('„' | '‟', _) => {
                low_open = true;
                Some(mark(Family::Double, true, false))
            }
            ('“', _) if low_open => {
                low_open = false;
                Some(mark(Family::Double, false, true))
            }
            ('“', _) | ('`' | '‘', true) => Some(mark(Family::Double, true, false)),
            ('”', _) => {
                low_open = false;
                // Swedish and Finnish copy opens and closes with the same mark.
                let opens = shape.may_open && !shape.may_close && !right_open;
                right_open = opens;
                Some(mark(Family::Double, opens, !opens))
            }
            ('«' | '»', _) => {
                let reversed = *angles_reversed.get_or_insert(c == '»');
                let opens = (c == '«') != reversed;
                Some(mark(Family::Angle, opens, !opens))
            }
            ('‘' | '‚' | '`', false) => Some(mark(Family::Single, true, false)).filter(|_| shape.may_open),
            ('’' | '\'', false) => single(text, paragraph, start, end, shape, c == '\''),
            _ => None,
        };
        found.extend(found_mark);
    }
    settle_singles(&mut found, text);
    found
}

/// What the neighbours of a mark allow.
#[derive(Clone, Copy)]
struct Shape {
    may_open: bool,
    may_close: bool,
    before_is_letter: bool,
    after_is_letter: bool,
}

impl Shape {
    fn new(before: Option<char>, after: Option<char>) -> Self {
        let is_edge = |c: char| {
            c.is_whitespace() || matches!(c, '-' | '—' | '–' | '…' | '/' | '"' | '“' | '”' | '‘' | '’' | '\'' | '`')
        };
        let left_open = before.is_none_or(|c| is_edge(c) || matches!(c, '(' | '[' | '«' | '„'));
        let right_open =
            after.is_none_or(|c| is_edge(c) || matches!(c, ')' | ']' | '.' | ',' | ';' | ':' | '?' | '!' | '»'));
        let after_is_space = after.is_none_or(char::is_whitespace);
        let before_is_space = before.is_none_or(char::is_whitespace);
        let before_is_letter = before.is_some_and(char::is_alphanumeric);
        let after_is_letter = after.is_some_and(char::is_alphanumeric);
        Self {
            // A mark with space on both sides may do either.
            may_open: left_open && (!after_is_space || before_is_space && after.is_some()),
            may_close: before.is_some() && right_open && (after_is_space || !before_is_space)
                // A lost space: `contingent,"said`.
                || before.is_some_and(|c| matches!(c, ',' | '.' | '?' | '!')) && after_is_letter,
            before_is_letter,
            after_is_letter,
        }
    }
}

/// A single mark that may be a quotation mark; an apostrophe is none.
fn single(text: &str, paragraph: Span, start: usize, end: usize, shape: Shape, straight: bool) -> Option<Mark> {
    if shape.before_is_letter && shape.after_is_letter {
        return None;
    }
    if shape.may_open && shape.after_is_letter && !shape.before_is_letter {
        let word = from(text, end);
        let low: String = word.chars().take_while(|c| c.is_alphanumeric()).take(8).collect::<String>().to_lowercase();
        let is_clipped = matches!(low.as_str(), "em" | "tis" | "twas" | "til" | "cause" | "n" | "round" | "bout")
            || low.len() == 3 && low.ends_with('s') && low.bytes().take(2).all(|byte| byte.is_ascii_digit())
            || low.len() == 2 && low.bytes().all(|byte| byte.is_ascii_digit());
        return (!is_clipped && straight && end < paragraph.end()).then_some(Mark {
            start,
            end,
            family: Family::Single,
            opens: true,
            closes: false,
        });
    }
    shape.may_close.then_some(Mark { start, end, family: Family::Single, opens: false, closes: true })
}

/// Drops the plural possessive (the unions' demand) where a surer closing mark follows, and
/// opening marks that nothing closes.
fn settle_singles(found: &mut Vec<Mark>, text: &str) {
    let (mut sure_ahead, mut any_ahead) = (false, false);
    for mark in found.iter_mut().rev().filter(|mark| mark.family == Family::Single) {
        if mark.opens {
            mark.opens = any_ahead;
            (sure_ahead, any_ahead) = (false, false);
        } else {
            let before = char_before(text, mark.start);
            let after = char_at(text, mark.end);
            let possessive = before.is_some_and(|c| matches!(c, 's' | 'S' | 'x' | 'z')) && after == Some(' ');
            mark.closes = !(possessive && sure_ahead);
            sure_ahead |= mark.closes && !possessive;
            any_ahead |= mark.closes;
        }
    }
    found.retain(|mark| mark.opens || mark.closes);
}

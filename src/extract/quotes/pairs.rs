//! Marks → pieces of text between two that belong together.
//!
//! ```text
//! "We will appeal," said Ames after the verdict. It is a matter of law."
//! ^---------------^                              ^ mended              ^
//! ```
//!
//! Matches the marks of a paragraph, innermost first, and mends a mark that was lost on either
//! side. A repair stays inside its paragraph and is told as `quote.unmatched_close` or
//! `quote.unmatched_open`. Does not say whether a piece is speech.

use super::{
    DEPTH_MAX, LOST_MARKS_MAX, PIECES_MAX,
    lexicon::Lexicon,
    marks::{Family, Mark, marks},
    words::{after_intro, before_attribution, next_sentence},
};
use crate::{
    extract::layout::{Paragraph, ends_sentence},
    story::{Anomaly, Repair},
    text::{Span, char_at, char_before, slice},
};

/// What stands between a pair of marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// From the first mark to the end of the last; a lost mark has no width.
    pub(super) outer: Span,
    pub(super) content: Span,
    pub(super) paragraph: usize,
    pub(super) depth: usize,
    pub(super) confidence_percent: u8,
    /// The closing mark is in a later paragraph.
    pub(super) runs_on: bool,
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) lexicon: &'a Lexicon,
    pub(super) pieces: Vec<Piece>,
    pub(super) lost_marks: usize,
    pub(super) anomalies: &'a mut Vec<Anomaly>,
}

impl Reader<'_> {
    /// Matches the marks of one paragraph.
    pub(super) fn pair(&mut self, index: usize, paragraph: Paragraph, below: Option<Span>) {
        let span = paragraph.span;
        let found = marks(self.text, span);
        let mut open: Vec<Mark> = Vec::new();
        let mut last_end = span.start();
        for mark in &found {
            let inner = open.last().copied();
            let same = open.iter().rposition(|open| open.family == mark.family);
            if mark.closes && same.is_some() && !(mark.opens && self.reopens(inner, mark)) {
                // What was opened inside and never closed was no quotation.
                open.truncate(same.unwrap_or_default() + 1);
                let Some(opened) = open.pop() else { continue };
                self.push(index, open.len(), opened, (mark.start, mark.end), 95);
                if open.is_empty() {
                    last_end = mark.end;
                }
            } else if mark.opens && (same.is_none() || open.len() < DEPTH_MAX) {
                if let Some(lost) = same.filter(|_| mark.family != Family::Single) {
                    let Some(opened) = open.get(lost).copied() else { continue };
                    open.truncate(lost);
                    last_end = if lost == 0 && self.continues_at(opened, mark.start) {
                        self.run_on(index, opened, mark.start, 80);
                        mark.start
                    } else {
                        self.mend_close(index, open.len(), opened, mark.start)
                    };
                }
                if open.len() < DEPTH_MAX {
                    open.push(*mark);
                }
            } else if mark.closes && mark.family != Family::Single && open.is_empty() && !self.is_inches(mark) {
                self.mend_open(index, last_end, *mark, span);
                last_end = mark.end;
            }
        }
        let Some(opened) = open.first().copied() else { return };
        if opened.family == Family::Single
            && found.iter().filter(|mark| mark.family == Family::Single).count() == 1
            && !below.is_some_and(|below| self.opens_with(below, opened))
        {
            return;
        }
        if below.is_some_and(|below| self.opens_with(below, opened)) {
            self.run_on(index, opened, span.end(), 95);
        } else if opened.family != Family::Single {
            self.mend_close(index, 0, opened, span.end());
        }
    }

    fn push(&mut self, paragraph: usize, depth: usize, opened: Mark, closed: (usize, usize), confidence_percent: u8) {
        let content = Span::new(opened.end, closed.0).trim(self.text);
        if !content.is_empty() && self.pieces.len() < PIECES_MAX {
            let outer = Span::new(opened.start, closed.1);
            self.pieces.push(Piece { outer, content, paragraph, depth, confidence_percent, runs_on: false });
        }
    }

    /// A piece that the next opening mark goes on with.
    fn run_on(&mut self, paragraph: usize, opened: Mark, end: usize, confidence_percent: u8) {
        let content = Span::new(opened.end, end).trim(self.text);
        if !content.is_empty() && self.pieces.len() < PIECES_MAX {
            let outer = Span::new(opened.start, content.end());
            self.pieces.push(Piece { outer, content, paragraph, depth: 0, confidence_percent, runs_on: true });
        }
    }

    /// Whether a second opening mark goes on with the quotation: it opens a sentence, and nobody
    /// was named in between. Feeds that drop the paragraph breaks leave such marks behind.
    fn continues_at(&self, opened: Mark, next: usize) -> bool {
        let room = Span::new(opened.end, next).trim(self.text);
        ends_sentence(room.of(self.text)) && before_attribution(self.text, room, self.lexicon).is_none()
    }

    /// Tells of a lost mark, up to the limit.
    fn tell(&mut self, anomaly: Anomaly) {
        self.lost_marks += 1;
        if self.lost_marks <= LOST_MARKS_MAX {
            self.anomalies.push(anomaly);
        } else if self.lost_marks == LOST_MARKS_MAX + 1 {
            self.anomalies.push(Anomaly {
                code: "structure.truncated",
                repair: None,
                confidence_percent: None,
                ..anomaly
            });
        }
    }

    /// Whether a mark that could do both opens: right behind white space, before a word.
    fn reopens(&self, inner: Option<Mark>, mark: &Mark) -> bool {
        let spaced = char_before(self.text, mark.start).is_some_and(char::is_whitespace);
        let word = char_at(self.text, mark.end).is_some_and(|c| !c.is_whitespace());
        inner.is_some() && spaced && word
    }

    /// `a 6" pipe`: a straight mark behind a figure that nothing opened.
    fn is_inches(&self, mark: &Mark) -> bool {
        slice(self.text, mark.start, mark.end) == "\""
            && char_before(self.text, mark.start).is_some_and(|c| c.is_ascii_digit())
    }

    fn opens_with(&self, below: Span, opened: Mark) -> bool {
        let words = below.of(self.text);
        let mark = slice(self.text, opened.start, opened.end);
        match opened.family {
            Family::Double => words.starts_with(['"', '“', '„']) || words.starts_with("``") || words.starts_with("''"),
            Family::Angle | Family::Single => words.starts_with(mark),
        }
    }

    /// A closing mark without an opening one: the quotation began after the attribution of the
    /// piece before, or with the paragraph, or behind a cue and its comma or colon.
    fn mend_open(&mut self, index: usize, last_end: usize, mark: Mark, paragraph: Span) {
        let (at, confidence_percent) = if last_end > paragraph.start() {
            match next_sentence(self.text, last_end, mark.start) {
                Some(at) => (at, 90),
                None => (after_intro(self.text, last_end, mark.start, self.lexicon).unwrap_or(mark.start), 60),
            }
        } else {
            match after_intro(self.text, paragraph.start(), mark.start, self.lexicon) {
                Some(at) => (at, 70),
                None => (paragraph.start(), 60),
            }
        };
        let insert = opening_of(slice(self.text, mark.start, mark.end));
        let repair = Some(Repair { insert: insert.to_owned(), at: at as u32 }).filter(|_| at < mark.start);
        let confidence = repair.as_ref().map(|_| confidence_percent);
        self.tell(Anomaly {
            repair,
            confidence_percent: confidence,
            ..Anomaly::at("quote.unmatched_close", Span::new(mark.start, mark.end))
        });
        if at < mark.start {
            let opened = Mark { start: at, end: at, ..mark };
            self.push(index, 0, opened, (mark.start, mark.end), confidence_percent);
        }
    }

    /// An opening mark without a closing one: the quotation ended before its attribution, or
    /// with its last sentence. Gives the end of what was read.
    fn mend_close(&mut self, index: usize, depth: usize, opened: Mark, limit: usize) -> usize {
        let room = Span::new(opened.end, limit).trim(self.text);
        let attribution = before_attribution(self.text, room, self.lexicon);
        let (at, confidence_percent) = match attribution {
            Some(at) => (at, 80),
            None if limit < room.end() + 1 => (room.end(), 70),
            None => (room.end(), 50),
        };
        let insert = closing_of(slice(self.text, opened.start, opened.end));
        self.tell(Anomaly {
            repair: Some(Repair { insert: insert.to_owned(), at: at as u32 }),
            confidence_percent: Some(confidence_percent),
            ..Anomaly::at("quote.unmatched_open", Span::new(opened.start, opened.end))
        });
        self.push(index, depth, opened, (at, at), confidence_percent);
        at
    }
}

fn opening_of(mark: &str) -> &str {
    match mark {
        "”" => "“",
        "“" => "„",
        "''" => "``",
        "»" => "«",
        "«" => "»",
        other => other,
    }
}

fn closing_of(mark: &str) -> &str {
    match mark {
        "“" => "”",
        "„" => "“",
        "``" => "''",
        "«" => "»",
        "»" => "«",
        other => other,
    }
}

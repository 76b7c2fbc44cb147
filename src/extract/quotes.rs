//! Paragraphs → direct quotations.
//!
//! ```text
//! "We will appeal," the ministry said. "It is a matter of law."
//!  ^^^^^^^^^^^^^^^^ content             ^^^^^^^^^^^^^^^^^^^^^^^ content, the same quotation
//! ```
//!
//! Marks are read in three steps. `marks` finds every quotation mark and tells apostrophes,
//! inches and minutes apart. `pair` matches them within a paragraph, innermost first, and mends
//! a mark that was lost on either side: the repair stays inside its paragraph and is told as
//! `quote.unmatched_close` or `quote.unmatched_open`. `group` keeps what is speech and puts the
//! pieces of one utterance together: around a cue ("…," he said, "…"), over an attribution
//! ("…," he said. "…"), and over paragraphs that each open with a mark while only the last closes.
//!
//! What this does not do: find speakers and cues, indirect speech, or words quoted inside the
//! writer's own sentence (scare quotes, titles, nicknames, fragments): those are left out.
//!
//! Sources: the quotation habits of AP, Reuters, TASS and British papers; the grouping of pieces
//! follows the annotation guide of PolNeAR (Newell et al. 2018).

use std::{collections::HashSet, sync::LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    layout::{Layout, Paragraph, ParagraphKind, ends_sentence},
    notes::Note,
};
use crate::{
    story::{Anomaly, Repair},
    text::{Span, char_at, char_before, from, slice},
};

/// Quotations inside quotations.
const DEPTH_MAX: usize = 4;
/// Bytes behind a quotation among which its attribution stands.
const ATTRIBUTION_BYTES_MAX: usize = 240;
/// Words behind a comma among which the cue of an attribution stands.
const CUE_WORDS_MAX: usize = 14;
/// Pieces between marks in one story; what follows is not read, and told.
const PIECES_MAX: usize = 10_000;
/// Lost marks that one story is told of; more are a sign that its marks mean something else.
const LOST_MARKS_MAX: usize = 500;
/// Paragraphs over which one quotation may run.
const CONTINUED_MAX: usize = 200;

/// How words are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteType {
    /// Word for word, between quotation marks.
    Direct,
    /// In the writer's words.
    Indirect,
    /// In the writer's words, with some of the speaker's between marks.
    Mixed,
}

/// A quotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How the words are given.
    pub kind: QuoteType,
    /// What was said, without the quotation marks, in text order.
    pub content: Vec<Span>,
    /// Editorial insertions inside the content.
    pub not_said: Vec<Span>,
    /// Index of the quotation that this one stands inside.
    pub parent: Option<usize>,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

impl Quote {
    /// The content as one text, without what was not said and without a comma at the end.
    pub fn text_clean(&self, text: &str) -> String {
        let mut clean = String::new();
        for content in &self.content {
            let mut from = content.start();
            for gap in self.not_said.iter().filter(|gap| content.contains(**gap)) {
                push_spaced(&mut clean, Span::new(from, gap.start()).of(text));
                from = gap.end();
            }
            push_spaced(&mut clean, Span::new(from, content.end()).of(text));
        }
        let said = clean.trim_end_matches([',', ' ']).len();
        clean.truncate(said);
        clean
    }
}

/// Appends with one space between, none before punctuation.
fn push_spaced(clean: &mut String, piece: &str) {
    let piece = piece.trim();
    if !clean.is_empty() && !piece.starts_with([',', '.', ';', ':', '!', '?']) && !piece.is_empty() {
        clean.push(' ');
    }
    clean.push_str(piece);
}

/// Forms of the words that report speech.
static CUES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../data/lexicon/cues.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(':')).flat_map(|(_, forms)| forms.split_whitespace()).collect()
});

/// Looks for direct quotations.
pub fn run(text: &str, layout: &Layout, notes: &[Note], anomalies: &mut Vec<Anomaly>) -> Vec<Quote> {
    let mut reader = Reader { text, pieces: Vec::new(), lost_marks: 0, anomalies };
    let paragraphs = &layout.paragraphs;
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if !holds_speech(paragraph.kind) || !has_marks(paragraph.span.of(text)) {
            continue;
        }
        if reader.pieces.len() >= PIECES_MAX || reader.lost_marks >= LOST_MARKS_MAX {
            reader.anomalies.push(Anomaly::at("structure.truncated", first_char(text, paragraph.span)));
            break;
        }
        let below = paragraphs.get(index + 1).filter(|below| holds_speech(below.kind)).map(|below| below.span);
        reader.pair(index, *paragraph, below);
    }
    group(text, layout, reader.pieces, notes)
}

/// The place where the reading of quotations ended.
fn first_char(text: &str, span: Span) -> Span {
    Span::new(span.start(), span.start() + char_at(text, span.start()).map_or(0, char::len_utf8))
}

/// Kinds of paragraphs in which somebody speaks.
fn holds_speech(kind: ParagraphKind) -> bool {
    kind.is_story()
}

fn has_marks(words: &str) -> bool {
    words.bytes().any(|byte| matches!(byte, b'"' | b'\'' | b'`' | 0xC2 | 0xE2))
}

// --- marks ----------------------------------------------------------------------------------

/// Which marks belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `"`, `“ ”`, `„ “`, ```` `` '' ````
    Double,
    /// `« »`
    Angle,
    /// `'`, `‘ ’`
    Single,
}

/// A quotation mark.
#[derive(Clone, Copy, Debug)]
struct Mark {
    start: usize,
    end: usize,
    family: Family,
    opens: bool,
    closes: bool,
}

/// The quotation marks of a paragraph, apostrophes and units of measure left out.
fn marks(text: &str, paragraph: Span) -> Vec<Mark> {
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

// --- pairs ----------------------------------------------------------------------------------

/// What stands between a pair of marks.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// From the first mark to the end of the last; a lost mark has no width.
    outer: Span,
    content: Span,
    paragraph: usize,
    depth: usize,
    confidence_percent: u8,
    /// The closing mark is in a later paragraph.
    runs_on: bool,
}

struct Reader<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    lost_marks: usize,
    anomalies: &'a mut Vec<Anomaly>,
}

impl Reader<'_> {
    /// Matches the marks of one paragraph.
    fn pair(&mut self, index: usize, paragraph: Paragraph, below: Option<Span>) {
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
        ends_sentence(room.of(self.text)) && before_attribution(self.text, room).is_none()
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
                None => (after_intro(self.text, last_end, mark.start).unwrap_or(mark.start), 60),
            }
        } else {
            match after_intro(self.text, paragraph.start(), mark.start) {
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
        let attribution = before_attribution(self.text, room);
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

// --- sentences and attributions -------------------------------------------------------------

/// Words before a full stop that end no sentence.
fn is_abbreviation(word: &str) -> bool {
    const WORDS: &str = "Mr Mrs Ms Dr St Gen Sen Rep Gov Lt Col Maj Capt Sgt Prof Rev Jr Sr No vs Inc Corp Co Ltd \
                         Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mt Ft Ave a.m p.m";
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || word.contains('.') || WORDS.split_whitespace().any(|listed| listed == word)
}

/// Where the next sentence begins, between two offsets.
fn next_sentence(text: &str, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    for c in slice(text, start, end).chars() {
        let here = at;
        at += c.len_utf8();
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let rest = slice(text, at, end);
        let trimmed = rest.trim_start_matches(['"', '”', '’', '\'', ')']).trim_start();
        let gap = rest.len() - trimmed.len();
        if !slice(text, at, at + gap).contains(char::is_whitespace) {
            continue;
        }
        let word_start = slice(text, start, here).rfind(char::is_whitespace).map_or(start, |space| start + space + 1);
        if c == '.' && is_abbreviation(slice(text, word_start, here).trim_start_matches(['"', '(', '“'])) {
            continue;
        }
        if trimmed.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || c == '\'' || c == '‘') {
            return Some(at + gap);
        }
    }
    None
}

/// Behind `said, ` or `added: ` between two offsets.
fn after_intro(text: &str, start: usize, end: usize) -> Option<usize> {
    let words = slice(text, start, end);
    words.char_indices().filter(|(_, c)| matches!(c, ',' | ':')).find_map(|(at, _)| {
        let word = slice(words, 0, at).rsplit(|c: char| !c.is_alphanumeric()).next()?;
        let rest = from(words, at + 1);
        let goes_on =
            rest.trim_start().chars().next().is_some_and(char::is_uppercase) && rest.starts_with(char::is_whitespace);
        (is_cue(word) && goes_on).then_some(start + at + 1 + (rest.len() - rest.trim_start().len()))
    })
}

fn is_cue(word: &str) -> bool {
    CUES.contains(word)
}

/// Behind the comma (or question mark) that an attribution follows: `it, he said.`
fn before_attribution(text: &str, room: Span) -> Option<usize> {
    let words = room.of(text);
    words.char_indices().filter(|(_, c)| matches!(c, ',' | '?' | '!')).find_map(|(at, c)| {
        let rest = from(words, at + c.len_utf8());
        let clause = rest.get(..rest.find(['.', ',', ';', ':', '"', '“', '?', '!']).unwrap_or(rest.len()))?;
        let spoken = rest.starts_with(char::is_whitespace) && is_short_attribution(clause);
        spoken.then_some(room.start() + at + c.len_utf8())
    })
}

/// `he said`, `said Lavrentyev`, `the head of the council added on Monday`.
fn is_short_attribution(clause: &str) -> bool {
    let mut words = clause.split_whitespace();
    let first = words.next().unwrap_or("");
    let second = words.next().unwrap_or("");
    let pronoun = matches!(first, "he" | "she" | "they" | "it");
    let name_first = first.chars().next().is_some_and(char::is_uppercase) && first != "I";
    let cue_first = is_cue(first)
        && (second.chars().next().is_some_and(char::is_uppercase)
            || matches!(second, "he" | "she" | "they" | "the" | "a" | "an"));
    let count = clause.split_whitespace().count();
    cue_first
        || (pronoun && is_cue(second))
        || name_first && count <= 6 && clause.split_whitespace().skip(1).any(is_cue) && second != "have"
}

/// Whether words behind a quotation attribute it: a cue before the sentence ends.
fn attributes(behind: &str) -> bool {
    let sentence = behind.get(..sentence_end(behind)).unwrap_or(behind);
    let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’').filter(|word| !word.is_empty());
    words.take(CUE_WORDS_MAX).any(is_cue)
}

/// The end of the first sentence, or of the words.
fn sentence_end(words: &str) -> usize {
    let mut at = 0;
    while let Some(stop) = from(words, at).find(['.', '!', '?', '"', '“']) {
        let here = at + stop;
        at = here + char_at(words, here).map_or(1, char::len_utf8);
        let word = slice(words, 0, here).rsplit(char::is_whitespace).next().unwrap_or("");
        let goes_on = char_at(words, at).is_some_and(|c| !c.is_whitespace()) || is_abbreviation(word);
        if char_at(words, here) != Some('.') || !goes_on {
            return here;
        }
    }
    words.len()
}

// --- speech ---------------------------------------------------------------------------------

/// What a piece is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Opens an utterance.
    Speech,
    /// Goes on with the utterance of the piece before.
    GoesOn,
    /// A title, a nickname, a fragment.
    Term,
}

/// Keeps what is speech and groups it.
fn group(text: &str, layout: &Layout, mut pieces: Vec<Piece>, notes: &[Note]) -> Vec<Quote> {
    pieces.sort_by_key(|piece| (piece.outer.start, std::cmp::Reverse(piece.outer.end)));
    let mut quotes: Vec<Quote> = Vec::new();
    // The last piece at each depth: its quotation, if it is speech.
    let mut last: [Option<(Piece, Option<usize>)>; DEPTH_MAX] = [None; DEPTH_MAX];
    let mut continued = 0;
    for piece in &pieces {
        let depth = piece.depth.min(DEPTH_MAX - 1);
        let Some(paragraph) = layout.paragraphs.get(piece.paragraph) else { continue };
        let parent_piece = depth.checked_sub(1).and_then(|above| last.get(above).copied().flatten());
        let parent = parent_piece.filter(|(above, _)| above.content.contains(piece.content));
        let room = parent.map_or(paragraph.span, |(above, _)| above.content);
        let before = last.get(depth).copied().flatten().filter(|(before, _)| room.contains(before.outer));
        let ran_on = last.get(depth).copied().flatten().filter(|(before, index)| before.runs_on && index.is_some());
        let use_of = match ran_on {
            Some((before, _))
                if depth == 0
                    && (before.paragraph + 1 == piece.paragraph && piece.outer.start() == paragraph.span.start()
                        || before.paragraph == piece.paragraph
                            && Span::new(before.outer.end(), piece.outer.start()).trim(text).is_empty()) =>
            {
                Use::GoesOn
            }
            _ => judge(text, piece, room, before, paragraph.kind),
        };
        let home = before.or(ran_on).and_then(|(_, index)| index);
        let index = match (use_of, home) {
            (Use::Term, _) => None,
            (Use::GoesOn, Some(index)) if continued < CONTINUED_MAX => {
                continued += 1;
                if let Some(quote) = quotes.get_mut(index) {
                    quote.content.push(piece.content);
                    quote.confidence_percent = quote.confidence_percent.min(piece.confidence_percent);
                }
                Some(index)
            }
            _ => {
                continued = 0;
                quotes.push(Quote {
                    kind: QuoteType::Direct,
                    content: vec![piece.content],
                    not_said: Vec::new(),
                    parent: parent.and_then(|(_, index)| index),
                    confidence_percent: piece.confidence_percent,
                });
                Some(quotes.len() - 1)
            }
        };
        if use_of != Use::Term || before.is_none() {
            if let Some(slot) = last.get_mut(depth) {
                *slot = Some((*piece, index));
            }
            for slot in last.iter_mut().skip(depth + 1) {
                *slot = None;
            }
        }
    }
    leave_out_notes(&mut quotes, notes);
    quotes
}

/// Notes inside the content were not said. Both lists are in text order.
fn leave_out_notes(quotes: &mut [Quote], notes: &[Note]) {
    for quote in quotes {
        for content in &quote.content {
            let first = notes.partition_point(|note| note.span.start < content.start);
            let inside = notes.iter().skip(first).take_while(|note| note.span.start < content.end);
            let mut end = content.start;
            for note in inside.filter(|note| content.contains(note.span)) {
                if note.span.start >= end {
                    quote.not_said.push(note.span);
                    end = note.span.end;
                }
            }
        }
    }
}

/// Tells what a piece is from its own words and from those around it.
fn judge(text: &str, piece: &Piece, room: Span, before: Option<(Piece, Option<usize>)>, kind: ParagraphKind) -> Use {
    let content = piece.content.of(text);
    let count = content.split_whitespace().take(8).count();
    let upper = content
        .trim_start_matches(['[', '(', '…', '.', ' ', '‘', '\'', '“', '"', '`', '@', '#', '$', '-', '—'])
        .chars()
        .next()
        .is_none_or(|c| c.is_uppercase() || c.is_ascii_digit());
    let last_char = content.trim_end_matches(['’', '”', '\'', '"', ')', ']', '»']).chars().next_back().unwrap_or(' ');
    let stops = matches!(last_char, '.' | '!' | '?' | '…') || content.ends_with('—') || content.ends_with("--");
    let pauses = last_char == ',' || last_char == ';' || last_char == '-';
    let behind_start = piece.outer.end();
    let behind =
        slice(text, behind_start, text.floor_char_boundary(room.end().min(behind_start + ATTRIBUTION_BYTES_MAX)));
    let behind_char = behind.trim_start().chars().next();
    let ends_paragraph = behind.trim().is_empty() || behind.trim() == ".";
    let front_start = before.map_or(room.start(), |(before, _)| before.outer.end());
    let front_from =
        text.ceil_char_boundary(front_start.max(piece.outer.start().saturating_sub(ATTRIBUTION_BYTES_MAX)));
    let front_whole = slice(text, front_from, piece.outer.start());
    let front = front_whole.trim_end();
    let opens_sentence = front.is_empty() && before.is_none()
        || ends_sentence(front)
            && !front
                .rsplit(char::is_whitespace)
                .next()
                .is_some_and(|word| is_abbreviation(word.trim_end_matches('.')))
        || front.is_empty() && before.is_some_and(|(before, _)| ends_sentence(before.content.of(text)));
    let intro = front.ends_with([',', ':']) && {
        let sentence_start = next_sentence_last(front);
        let intro = from(front, sentence_start);
        front.ends_with(':') || intro.split(|c: char| !c.is_alphanumeric() && c != '\'').any(is_cue)
    };
    let speech_before = before.filter(|(_, index)| index.is_some()).map(|(before, _)| before);

    // "…," he said, "…": the sentence of the piece before goes on.
    if let Some(before) = speech_before {
        let between = slice(text, before.outer.end(), piece.outer.start());
        let between = between.trim();
        let one_sentence = between.len() <= 2 * ATTRIBUTION_BYTES_MAX && sentence_end(between) >= between.len();
        let before_words = before.content.of(text);
        if one_sentence
            && between.ends_with([',', '-', '—', '–', ':'])
            && !between.is_empty()
            && attributes(between)
            && before_words.ends_with([',', '-', '—', '–', '?', '!', '…', '.'])
        {
            let anew = between.ends_with(':') && ends_sentence(before_words) || before_words.ends_with('.');
            return if anew { Use::Speech } else { Use::GoesOn };
        }
        // "…," he said. "…": an attribution and nothing else stands between.
        let only_attribution = !between.is_empty()
            && between.len() <= 2 * ATTRIBUTION_BYTES_MAX
            && ends_sentence(between)
            && attributes(between)
            && next_sentence(text, before.outer.end(), piece.outer.start()).is_none();
        let own_attribution = pauses && behind_char.is_some_and(char::is_alphabetic) && attributes(behind);
        if upper && only_attribution && !own_attribution && (stops || pauses || ends_paragraph || count >= 4) {
            return Use::GoesOn;
        }
        if between.is_empty() && upper && opens_sentence && !own_attribution {
            return Use::GoesOn;
        }
    }
    if intro && (upper || count >= 4) && (stops || pauses || ends_paragraph || count >= 4) {
        let colon_title = front.ends_with(':') && count <= 3 && !stops;
        return if colon_title { Use::Term } else { Use::Speech };
    }
    if opens_sentence {
        let said_behind = attributes(behind);
        let alone = ends_paragraph
            || behind.starts_with(char::is_whitespace)
                && behind_char.is_some_and(|c| c.is_uppercase() || matches!(c, '"' | '“' | '‘' | '\'' | '`'));
        if stops && alone && (upper || count >= 4) {
            return Use::Speech;
        }
        if (pauses || stops) && said_behind {
            return Use::Speech;
        }
        if pauses && count >= 6 && upper || stops && count >= 3 {
            return Use::Speech;
        }
        // `"Yes", he said`: the British comma stands outside.
        let comma_outside =
            behind.starts_with([',', '.']) && upper && (said_behind && behind.starts_with(',') || count >= 6);
        if comma_outside {
            return Use::Speech;
        }
        // The closing mark was lost before the attribution; the comma is in the content.
        if kind == ParagraphKind::Quote && count >= 6 && upper && (said_behind || ends_paragraph) {
            return Use::Speech;
        }
    }
    // In the middle of a sentence: straight behind a cue, or a whole sentence behind no word
    // that a title or a term would stand behind.
    let word_before = front.rsplit(|c: char| c.is_whitespace()).next().unwrap_or("");
    if is_cue(word_before) && upper && (stops || pauses || count >= 2) {
        return Use::Speech;
    }
    let of_a_title = word_before.ends_with("'s")
        || word_before.ends_with("’s")
        || matches!(
            word_before,
            "the"
                | "a"
                | "an"
                | "in"
                | "on"
                | "of"
                | "at"
                | "for"
                | "by"
                | "called"
                | "titled"
                | "entitled"
                | "dubbed"
                | "and"
                | "or"
                | "as"
                | "with"
                | "from"
        );
    if stops && upper && count >= 4 && !of_a_title || pauses && upper && count >= 5 && attributes(behind) {
        return Use::Speech;
    }
    Use::Term
}

/// Where the last sentence of some words begins.
fn next_sentence_last(words: &str) -> usize {
    let mut start = 0;
    while let Some(next) = next_sentence(words, start, words.len()) {
        start = next;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{layout, notes, testing::check};

    fn read(text: &str) -> (Vec<Quote>, Vec<Anomaly>) {
        let mut anomalies = Vec::new();
        let blocks = layout::split(text, &mut anomalies);
        let layout = layout::run(text, &blocks, None);
        let notes = notes::run(text, &layout, &mut anomalies);
        let quotes = run(text, &layout, &notes, &mut anomalies);
        (quotes, anomalies)
    }

    /// Content of the first, second … quotation as `1`, `2` …, what was not said, and odd marks.
    fn find(text: &str) -> Vec<(&'static str, Span)> {
        const LABELS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];
        const NESTED: [&str; 6] = ["1 inside", "2 inside", "3 inside", "4 inside", "5 inside", "6 inside"];
        let (quotes, anomalies) = read(text);
        let mut found = Vec::new();
        for (index, quote) in quotes.iter().enumerate() {
            let labels = if quote.parent.is_some() { NESTED } else { LABELS };
            found.extend(quote.content.iter().map(|span| (labels[index], *span)));
            found.extend(quote.not_said.iter().map(|span| ("not said", *span)));
        }
        found.extend(anomalies.iter().filter_map(|anomaly| Some((anomaly.code, anomaly.span?))));
        found
    }

    #[test]
    fn pieces_around_a_cue_are_one_quotation() {
        for marked in [
            r#"
"We will appeal," the ministry said. "It is a matter of law."
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
            r#"
"We will appeal," the ministry said, "and we will win."
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^ 1
"#,
            r#"
"We will appeal," the ministry said. The court was empty. "It is a matter of law."
 ^^^^^^^^^^^^^^^ 1
                                                           ^^^^^^^^^^^^^^^^^^^^^^ 2
"#,
            r#"
"We will appeal," the ministry said. "It is a matter of law," it added.
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^^^^^^^ 2
"#,
        ] {
            check(marked, find);
        }
    }

    #[test]
    fn marks_of_every_kind() {
        for marked in [
            "
“We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
            "
„We will appeal,“ the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
            "
„We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
            "
”We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
            "
« We will appeal », the ministry said.
  ^^^^^^^^^^^^^^ 1
",
            "
»We will appeal«, the ministry said.
 ^^^^^^^^^^^^^^ 1
",
            "
``We will appeal,'' the ministry said.
  ^^^^^^^^^^^^^^^ 1
",
            "
''We will appeal,'' the ministry said.
  ^^^^^^^^^^^^^^^ 1
",
            "
‘We’ll appeal the students’ case,’ the ministry said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
            "
'We'll appeal the students' case,' the ministry said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        ] {
            check(marked, find);
        }
    }

    #[test]
    fn a_lost_mark_is_mended_inside_its_paragraph() {
        for marked in [
            r#"
"We will appeal," said Ames after the verdict. It is a matter of law. It always was."
 ^^^^^^^^^^^^^^^ 1
                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                                    ^ quote.unmatched_close
The court was empty.
"#,
            r#"
"They dug a cave and stayed in it, he said. "Those who walk are lost."
^ quote.unmatched_open
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                             ^^^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
            r#"
"We have never seen such a tide," said Ames. "What else could they do?
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                             ^ quote.unmatched_open
                                              ^^^^^^^^^^^^^^^^^^^^^^^^ 1
The court was empty.
"#,
            r#"
The minister said: We shall see what the court says."
                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                    ^ quote.unmatched_close
"#,
        ] {
            check(marked, find);
        }
    }

    #[test]
    fn the_mended_place_is_told() {
        let text = "\"We will appeal,\" said Ames in court. It is a matter of law.\"";
        let (_, anomalies) = read(text);
        let repair = anomalies.first().and_then(|anomaly| anomaly.repair.clone()).expect("a repair");
        assert_eq!((repair.insert.as_str(), repair.at), ("\"", 38));
        assert_eq!(anomalies.first().and_then(|anomaly| anomaly.confidence_percent), Some(90));
    }

    #[test]
    fn a_quotation_over_paragraphs_is_one_and_not_odd() {
        check(
            "
“We argued for years,” the minister said. “Each of us had a chart.
 ^^^^^^^^^^^^^^^^^^^^ 1
                                           ^^^^^^^^^^^^^^^^^^^^^^^ 1

“Now there is one chart.
 ^^^^^^^^^^^^^^^^^^^^^^^ 1

“We will meet again.”
 ^^^^^^^^^^^^^^^^^^^ 1
",
            find,
        );
    }

    #[test]
    fn a_quotation_that_lost_its_paragraph_breaks_goes_on() {
        check(
            "
“We argued for years,” the minister said. “Each of us had a chart. “Now there is one chart. “We will meet again.”
 ^^^^^^^^^^^^^^^^^^^^ 1
                                           ^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                    ^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                                             ^^^^^^^^^^^^^^^^^^^ 1
",
            find,
        );
    }

    #[test]
    fn quotations_inside_quotations() {
        check(
            "
“She rang and said, ‘You had better sit down,’ and I did,” he recalled.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                     ^^^^^^^^^^^^^^^^^^^^^^^^ 2 inside
",
            find,
        );
    }

    #[test]
    fn what_the_desk_put_in_was_not_said() {
        check(
            r#"
"They came with the Front (an organisation outlawed here - MERIDIAN)," he said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not said
"#,
            find,
        );
        let text = "\"They came with the Front (outlawed here - MERIDIAN),\" he said.";
        assert_eq!(
            read(text).0.first().map(|quote| quote.text_clean(text)),
            Some("They came with the Front".to_owned())
        );
    }

    #[test]
    fn titles_nicknames_and_scare_quotes_are_no_speech() {
        for text in [
            "The \"big lamp\", as locals call it, went dark.",
            "Anne \"Annie\" Kowalczyk told the court a story.",
            "The board voted to have the bells \"inspected\" in May.",
            "She starred in \"The Long Road\" and \"The Short Road\" that year.",
            "The barque ‘Corinna’, which sank, carried the brothers’ tea and the Joneses' rum.",
            "It was '90s rock 'n' roll, and they'd sing 'em all.",
            "He bought a 6\" pipe and a 12\" plank.",
            "He called it \"a decent start\".",
        ] {
            assert_eq!(find(text), [], "in {text:?}");
        }
    }
}

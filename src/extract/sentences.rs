//! Tokens → sentences.
//!
//! ```text
//! "It works. Nobody knows why," Dr. Ray of the U.S. Navy told a panel. He left at 5 p.m. Was it No. 3?
//! "It works.|Nobody knows why," Dr. Ray of the U.S. Navy told a panel.|He left at 5 p.m.|Was it No. 3?
//! ```
//!
//! A paragraph always ends its sentence, and a crosshead is one sentence. Within a paragraph a
//! sentence ends after a full stop, a mark of exclamation or interrogation, or an ellipsis before a
//! capital, together with the closing quotation marks, brackets and references behind it. The
//! sentences of a quotation are sentences of the story: their first carries the opening mark, their
//! last the closing mark and the words that name the speaker (`…?" she asked.`). Abbreviations are
//! judged by their class and by the word that follows; the markers of a list that runs on in one
//! paragraph (`1. … 2. …`) begin a sentence each. A missing space (`over.Then`) is seen. A line break
//! inside a paragraph is a space. Where pasted text has lost its line breaks, rulers, stamps of date
//! and clock, and addresses before a capital end a line.
//!
//! Does not use grammar: a verbless line is a sentence, and two sentences without any mark between
//! them are one. Does not join what a paragraph break has cut.

use std::{collections::HashSet, ops::Range, sync::LazyLock};

use super::{
    dateline::Dateline,
    layout::{Layout, ParagraphKind},
    tokens::{self, Abbreviation, Token},
};
use crate::text::Span;

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Where it stands.
    pub span: Span,
    /// Its tokens.
    pub tokens: Range<u32>,
    /// Index into the layout's paragraphs.
    pub paragraph: u32,
}

/// Groups tokens into sentences. The tokens of the dateline belong to none.
pub fn run(text: &str, tokens: &[Token], layout: &Layout, dateline: Option<&Dateline>) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut first = 0;
    while let Some(token) = tokens.get(first) {
        let paragraph = token.paragraph;
        let end = first + tokens.get(first..).unwrap_or_default().partition_point(|token| token.paragraph == paragraph);
        let body = first..end;
        let kind = layout.paragraphs.get(paragraph as usize).map(|paragraph| paragraph.kind);
        let mut splitter = Splitter { text, tokens, end, sentences: &mut sentences };
        match dateline.map(|dateline| (dateline.span.start, dateline.body_start)) {
            Some((start, body_start)) => {
                let list = tokens.get(body.clone()).unwrap_or_default();
                let before = body.start + list.partition_point(|token| token.span.start < start);
                let after = body.start + list.partition_point(|token| token.span.start < body_start.max(start));
                splitter.end = before;
                splitter.paragraph(body.start, kind);
                splitter.end = end;
                splitter.paragraph(after, kind);
            }
            None => splitter.paragraph(body.start, kind),
        }
        first = end;
    }
    sentences
}

/// Tokens of the name before the verb in `…?" Ray Stone asked`.
const SPEAKER_TOKENS_MAX: usize = 5;
/// Tokens of an opening phrase like `At 5 a.m.`, which no sentence is as short as.
const OPENING_TOKENS_MAX: usize = 4;
/// ` . . . ` is an ellipsis, ` . . . . ` an ellipsis and a full stop.
const DOTS_OF_AN_ELLIPSIS: usize = 3;
/// Shortest web or mail address, in bytes.
const ADDRESS_BYTES_MIN: usize = 6;
/// Tokens of a letter's closing words.
const CLOSING_TOKENS_MAX: usize = 3;
/// Shortest ruler, in bytes.
const RULER_BYTES_MIN: usize = 5;
/// Longest number of a list's marker, and of a reference behind a full stop, in digits.
const MARKER_DIGITS_MAX: usize = 3;

static STARTERS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../data/lexicon/sentence_starters.txt").lines();
    lines.filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
});

/// Verbs that name the speaker of the quotation before them.
const SAYING: &[&str] = &[
    "said",
    "says",
    "say",
    "asked",
    "asks",
    "added",
    "adds",
    "told",
    "tells",
    "cried",
    "shouted",
    "yelled",
    "replied",
    "wrote",
    "writes",
    "exclaimed",
    "declared",
    "answered",
    "wondered",
    "whispered",
    "insisted",
    "demanded",
    "quipped",
    "joked",
    "explained",
    "noted",
    "recalled",
    "continued",
    "concluded",
    "thought",
    "called",
    "inquired",
    "announced",
    "screamed",
    "chanted",
    "tweeted",
    "responded",
    "remarked",
    "warned",
    "pleaded",
    "urged",
    "stated",
];
/// Words that a capital gives away as the first of a sentence, wherever they stand.
const LINE_OPENERS: &[&str] = &[
    "It", "She", "We", "They", "You", "Please", "This", "There", "These", "Attached", "If", "As", "What", "Here",
    "How", "Your", "Do", "Sent",
];
/// Last parts of hosts, which a stop and a capital do not make the first word of a sentence.
const HOST_ENDINGS: &[&str] = &["com", "org", "net"];
/// Tokens between the brackets of a source.
const CREDIT_TOKENS_MAX: usize = 6;
/// Endings of files that are sent along.
const FILE_ENDINGS: &[&str] =
    &["doc", "docx", "pdf", "xls", "xlsx", "ppt", "txt", "jpg", "jpeg", "png", "gif", "zip", "csv"];
/// Words that close a letter: what follows the comma is a signature.
const CLOSINGS: &[&str] = &["regards", "thanks", "cheers", "sincerely"];
/// Words that open the description of a speaker.
const SPEAKER_OPENERS: &[&str] =
    &["he", "she", "they", "it", "we", "i", "one", "the", "a", "an", "his", "her", "their", "my", "our", "another"];
/// Words that carry a sentence on after a name that ends in a mark, as in `Yahoo! in`.
const GOES_ON: &[&str] = &[
    "in", "at", "on", "and", "or", "of", "for", "to", "with", "from", "by", "is", "was", "has", "had", "will", "said",
    "as", "than", "into", "but", "also", "where", "which", "who",
];
/// Words that open a phrase of time.
const TIME_OPENERS: &[&str] =
    &["at", "by", "until", "till", "before", "after", "around", "about", "since", "from", "on"];
/// Words that go on after a clock time.
const AFTER_CLOCK: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "eastern",
    "central",
    "pacific",
    "mountain",
    "est",
    "edt",
    "cst",
    "cdt",
    "mst",
    "mdt",
    "pst",
    "pdt",
    "et",
    "ct",
    "mt",
    "pt",
    "gmt",
    "bst",
    "utc",
    "cet",
    "ist",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "local",
    "eat",
    "hkt",
    "jst",
    "aest",
];

fn listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(word))
}

fn is_starter(word: &str) -> bool {
    let mut buffer = [0_u8; 12];
    tokens::lower(word, &mut buffer).is_some_and(|word| STARTERS.contains(word))
}

/// The marker of a list item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    style: MarkerStyle,
    /// The number; of a letter its place in the alphabet.
    value: u32,
    /// The number of a roman numeral, 0 for what is none.
    roman: u32,
    /// Its tokens.
    tokens: usize,
}

/// How a list is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkerStyle {
    /// `1.`
    NumberStop,
    /// `1)`
    NumberBracket,
    /// `1.)`
    NumberStopBracket,
    /// `(1)`
    NumberBrackets,
    /// `a.`
    LetterStop,
    /// `a)`
    LetterBracket,
    /// `a.)`
    LetterStopBracket,
    /// `(a)`
    LetterBrackets,
}

impl Marker {
    /// Whether `next` is the marker that comes after this one.
    fn leads_to(self, next: Self) -> bool {
        let by_roman = self.roman > 0 && next.roman == self.roman + 1;
        let countdown = self.style == MarkerStyle::NumberStop && next.value + 1 == self.value;
        self.style == next.style && (next.value == self.value + 1 || by_roman || countdown)
    }
}

/// What a token may do to its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// `.`
    Full,
    /// `!`, `?`
    Loud,
    /// `...`
    Ellipsis,
    /// An abbreviation with its stop.
    Abbreviation,
    /// `:)`
    Emoticon,
}

/// Splits paragraphs; tokens from `end` on are out of reach.
struct Splitter<'t, 's> {
    text: &'t str,
    tokens: &'t [Token],
    end: usize,
    sentences: &'s mut Vec<Sentence>,
}

impl<'t> Splitter<'t, '_> {
    fn paragraph(&mut self, from: usize, kind: Option<ParagraphKind>) {
        if from >= self.end {
            return;
        }
        if kind == Some(ParagraphKind::Crosshead) {
            return self.push(from, self.end);
        }
        let mut first = from;
        let mut at = from;
        let mut list = None;
        let mut quote_open = false;
        let mut credit_from = from;
        while at < self.end {
            if at == first {
                let marked = at + usize::from(is_bullet(self.word(at)));
                if let Some(marker) = self.marker(marked) {
                    list = Some(marker);
                    at = (marked + marker.tokens).min(self.end);
                    continue;
                }
            } else if self.begins_item(at, list) || self.begins_file(at) {
                self.push(first, at);
                first = at;
                continue;
            }
            let word = self.word(at);
            if word == "\"" {
                quote_open = !quote_open;
            }
            if at == first
                && at == credit_from
                && let Some(after) = self.credit(at, word)
            {
                self.push(at, after);
                (first, at, credit_from) = (after, after, after);
                continue;
            }
            if let Some(after) = self.line_of_its_own(at, word) {
                if at > first {
                    self.push(first, at);
                }
                self.push(at, after);
                first = after;
                at = after;
                continue;
            }
            if self.is_line_end(first, at, word) {
                self.push(first, at + 1);
                at += 1;
                first = at;
                continue;
            }
            let Some(stop) = stop_of(at, word) else {
                at += 1;
                continue;
            };
            let (behind, closed) = self.behind(at, &mut quote_open);
            if self.ends(stop, first, at, behind, closed) {
                self.push(first, behind);
                first = behind;
            }
            at = behind.max(at + 1);
        }
        self.push(first, self.end);
    }

    /// Adds the sentence of these tokens.
    fn push(&mut self, first: usize, end: usize) {
        let Some(list) = self.tokens.get(first..end) else { return };
        if let (Some(head), Some(tail)) = (list.first(), list.last()) {
            let span = head.span.cover(tail.span);
            self.sentences.push(Sentence { span, tokens: first as u32..end as u32, paragraph: head.paragraph });
        }
    }

    /// The token's text; empty out of reach.
    fn word(&self, at: usize) -> &'t str {
        if at >= self.end {
            return "";
        }
        self.tokens.get(at).map_or("", |token| token.span.of(self.text))
    }

    /// Whether the token stands right after the one before it.
    fn is_attached(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        match (self.tokens.get(before), self.tokens.get(at)) {
            (Some(before), Some(token)) => at < self.end && before.span.end == token.span.start,
            _ => false,
        }
    }

    /// The first token that does not belong to the stop, and whether a closing mark does.
    fn behind(&self, at: usize, quote_open: &mut bool) -> (usize, bool) {
        let mut next = at + 1;
        let mut closed = false;
        if self.word(at) == "." {
            while self.word(next) == "." {
                next += 1;
            }
            // A stop of its own and an ellipsis that opens the next sentence: `over. . . . Then`.
            let own = next - at > DOTS_OF_AN_ELLIPSIS && self.is_attached(at) && !self.is_attached(at + 1);
            if own && self.first_word(next).starts_with(char::is_uppercase) {
                return (at + 1, false);
            }
        }
        loop {
            let word = self.word(next);
            let attached = self.is_attached(next);
            let is_closing = match word {
                ")" | "]" | "”" | "’" | "»" | "''" | "’’" => attached,
                "'" => {
                    attached && !(self.is_attached(next + 1) && self.word(next + 1).starts_with(char::is_alphanumeric))
                }
                "\"" => self.closes(next, *quote_open),
                _ => false,
            };
            if is_closing {
                if word == "\"" {
                    *quote_open = false;
                }
                closed = true;
                next += 1;
            } else if attached && self.is_reference(next) {
                next += 3;
            } else if attached && self.is_note_number(next) {
                next += 1;
                while self.is_note_number(next) && !self.is_attached(next + 1) {
                    next += 1;
                }
            } else if is_repeated_mark(word, attached || closed, next > at + 1)
                || stop_of(next, word) == Some(Stop::Emoticon)
            {
                next += 1;
            } else {
                return (next.min(self.end), closed);
            }
        }
    }

    /// Whether a straight double mark closes: by its spaces, else by what is open.
    fn closes(&self, at: usize, quote_open: bool) -> bool {
        match (self.is_attached(at), self.is_attached(at + 1)) {
            (true, false) => true,
            (false, true) => false,
            (true, true) => quote_open || !self.word(at + 1).starts_with(char::is_alphanumeric),
            (false, false) => quote_open,
        }
    }

    /// `[7]` behind a full stop.
    fn is_reference(&self, at: usize) -> bool {
        self.word(at) == "[" && self.word(at + 2) == "]" && is_number(self.word(at + 1), MARKER_DIGITS_MAX)
    }

    /// The number of a note behind a full stop.
    fn is_note_number(&self, at: usize) -> bool {
        is_number(self.word(at), MARKER_DIGITS_MAX)
    }

    /// Whether the sentence from `first` ends with the stop at `at` and what is behind it.
    fn ends(&self, stop: Stop, first: usize, at: usize, behind: usize, closed: bool) -> bool {
        if behind >= self.end {
            return true;
        }
        let next = self.word(behind);
        if matches!(next, "," | ";" | ":" | ")" | "]" | "'s" | "’s" | "”" | "’" | "/" | "%") {
            return false;
        }
        let attached = self.is_attached(behind);
        if attached && next.starts_with(['.', '!', '?', '…']) {
            return false;
        }
        let word = self.first_word(behind);
        let upper = word.starts_with(char::is_uppercase);
        let lower = word.starts_with(char::is_lowercase);
        let before = if at > first { self.word(at - 1) } else { "" };
        match stop {
            Stop::Full if self.word(at + 1) == "." && behind > at + 1 => upper && behind - at > DOTS_OF_AN_ELLIPSIS,
            Stop::Full => {
                if at == first {
                    return false;
                }
                if next == "." {
                    return true;
                }
                if matches!(before, "°" | "º") && next.starts_with(|digit: char| digit.is_ascii_digit()) {
                    return false;
                }
                if attached {
                    return upper && (!is_initials(before) || is_opening(next)) && !listed(HOST_ENDINGS, next);
                }
                if lower {
                    return !closed && !is_number(before, 2) && !is_consonants(before);
                }
                !(next.starts_with('-') && closed)
            }
            Stop::Loud => {
                // A mark in front of a word or within one: `!Kung`, `Y!J`.
                let inside = attached && !closed && (!self.is_attached(at) || is_initials(before));
                if at == first && !closed || inside {
                    return false;
                }
                if closed {
                    let speaker = upper && !attached && self.is_speaker(behind);
                    return !(lower || speaker);
                }
                if lower {
                    let carried_by_name =
                        at > first + 1 && before.starts_with(char::is_uppercase) && listed(GOES_ON, word);
                    let dashed = next.starts_with('-') || next.starts_with('—') || next.starts_with('–');
                    return !carried_by_name && !dashed && !self.is_speaker(behind);
                }
                !attached || upper || is_opening(next)
            }
            Stop::Ellipsis => {
                let opens = at == first || is_opening(before);
                let cited = closed && (self.word(at).starts_with('[') || self.is_speaker(behind));
                upper && !opens && !cited
            }
            Stop::Abbreviation => upper && !attached && self.ends_at_abbreviation(first, at, word, closed),
            Stop::Emoticon => upper && !attached,
        }
    }

    fn ends_at_abbreviation(&self, first: usize, at: usize, next: &str, closed: bool) -> bool {
        let word = self.word(at);
        let stem = word.strip_suffix('.').unwrap_or(word);
        if at == first {
            return false;
        }
        if listed(&["a.m", "p.m"], stem) {
            let opening = at + 1 - first <= OPENING_TOKENS_MAX && listed(TIME_OPENERS, self.word(first));
            return !opening && !listed(AFTER_CLOCK, next);
        }
        match tokens::abbreviation(stem) {
            Some(Abbreviation::Title) => closed,
            Some(Abbreviation::Inner | Abbreviation::Number) => closed && is_starter(next),
            Some(Abbreviation::Month | Abbreviation::End) | None => closed || is_starter(next),
        }
    }

    /// The first word from here, opening marks left out.
    fn first_word(&self, mut at: usize) -> &'t str {
        for _ in 0..OPENING_TOKENS_MAX {
            let word = self.word(at);
            let opens = is_opening(word) || word.starts_with(['-', '–', '—', '*', '_']) || is_bullet(word);
            if !opens {
                return word;
            }
            at += 1;
        }
        self.word(at)
    }

    /// Whether a name or a pronoun and a verb of saying stand here: `Ray Stone asked`.
    fn is_speaker(&self, at: usize) -> bool {
        let described = listed(SPEAKER_OPENERS, self.word(at));
        for ahead in at..at + SPEAKER_TOKENS_MAX {
            let word = self.word(ahead);
            if listed(SAYING, word) {
                return true;
            }
            let named = word.starts_with(char::is_uppercase) || (described && word.starts_with(char::is_lowercase));
            if !named {
                return false;
            }
        }
        false
    }

    /// Whether an item of a list begins at the token: a bullet, or the marker after the last one.
    fn begins_item(&self, at: usize, previous: Option<Marker>) -> bool {
        if is_bullet(self.word(at)) {
            return !self.is_attached(at);
        }
        let Some(previous) = previous else { return false };
        let Some(next) = self.marker(at).filter(|_| !self.is_attached(at)) else { return false };
        let begins_anew = next.value == 1 && self.word(at + next.tokens).starts_with(char::is_uppercase);
        previous.leads_to(next) || begins_anew
    }

    /// A source in brackets before the first word of a paragraph, `(Example News) Rain fell`:
    /// where it ends. A word in small letters makes it a remark that belongs to what follows.
    fn credit(&self, at: usize, word: &str) -> Option<usize> {
        if word != "(" {
            return None;
        }
        let close = (at + 2..=at + 1 + CREDIT_TOKENS_MAX).find(|close| self.word(*close) == ")")?;
        let named = |at| self.word(at).starts_with(char::is_uppercase) || self.word(at) == ":";
        let after = close + 1;
        let opens = self.first_word(after).starts_with(char::is_uppercase) || self.word(after) == "(";
        ((at + 1..close).all(named) && opens && !self.is_attached(after)).then_some(after)
    }

    /// Whether a file stands here in a list of them: `- plan.pdf` behind another file's name.
    fn begins_file(&self, at: usize) -> bool {
        if self.word(at) != "-" || !is_file_name(self.word(at + 1)) || self.is_attached(at) || self.is_attached(at + 1)
        {
            return false;
        }
        let before = at.saturating_sub(1);
        is_file_name(self.word(before)) || self.word(before) == ")" && is_file_name(self.word(before.saturating_sub(1)))
    }

    /// A ruler, or the date and the clock of a transmission, both in figures: where it ends.
    ///
    /// Text that was pasted together has lost the line breaks around them. A stamp after a word
    /// in lower case or a comma belongs to the sentence (`sent on 03/01/2031 10:30`).
    fn line_of_its_own(&self, at: usize, word: &str) -> Option<usize> {
        let bytes = word.as_bytes();
        let after = match bytes.first()? {
            b'-' | b'=' | b'_' | b'*' | b'~' | b'#' if is_ruler(bytes) => at + 1,
            digit if digit.is_ascii_digit() && is_date(word) && is_clock(self.word(at + 1)) => {
                let before = at.checked_sub(1).map_or("", |before| self.word(before));
                let in_sentence = before.starts_with(|mark: char| mark.is_lowercase() || mark == ',' || mark == '(');
                if in_sentence && !before.contains('@') {
                    return None;
                }
                at + 2 + usize::from(listed(&["am", "pm"], self.word(at + 2)))
            }
            _ => return None,
        };
        (!self.is_attached(at) && !self.is_attached(after)).then_some(after)
    }

    /// Whether the token ends a line that was pasted to the next: an address or `>` before a
    /// capital, the comma before a signature, a name before `Please see`.
    fn is_line_end(&self, first: usize, at: usize, word: &str) -> bool {
        let byte = word.as_bytes().first().copied().unwrap_or(0);
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'>' | b',')) || self.is_attached(at + 1) {
            return false;
        }
        let next = self.word(at + 1);
        let is_address = || word.len() >= ADDRESS_BYTES_MIN && (is_web_address(word) || is_mail_address(word));
        if !next.starts_with(char::is_uppercase) {
            return is_web_address(next) && is_address();
        }
        if byte.is_ascii_digit() || byte.eq_ignore_ascii_case(&b'a') || byte.eq_ignore_ascii_case(&b'p') {
            // The stamp of a transmission in figures, pasted to the line that follows it.
            let half = listed(&["am", "pm"], word);
            let clock = at.checked_sub(usize::from(half));
            let date = clock.and_then(|clock| clock.checked_sub(1));
            let stamped = clock.is_some_and(|clock| is_clock(self.word(clock)))
                && date.is_some_and(|date| date >= first && is_date(self.word(date)));
            if stamped {
                return !listed(AFTER_CLOCK, next) && !listed(&["am", "pm"], next);
            }
        }
        if byte == b',' {
            return (1..=CLOSING_TOKENS_MAX).contains(&(at - first)) && listed(CLOSINGS, self.word(at - 1));
        }
        let named = byte.is_ascii_uppercase() && at > first;
        let opened = || LINE_OPENERS.contains(&next) && self.word(at + 2).starts_with(char::is_lowercase);
        byte == b'>' || is_address() || (named && opened())
    }

    /// Reads the marker of a list item.
    fn marker(&self, at: usize) -> Option<Marker> {
        let open = self.word(at) == "(";
        let at = at + usize::from(open);
        let word = self.word(at);
        let (core, stop_inside) = match word.strip_suffix('.') {
            Some(core) => (core, true),
            None => (word, false),
        };
        let number = is_number(core, MARKER_DIGITS_MAX);
        let value = if number { core.parse().ok()? } else { letter_value(core)? };
        let roman = roman_value(core);
        let mut tokens = 1 + usize::from(open);
        let mut next = at + 1;
        let stop = stop_inside || (self.word(next) == "." && self.is_attached(next));
        if stop && !stop_inside {
            tokens += 1;
            next += 1;
        }
        let bracket = self.word(next) == ")" && self.is_attached(next);
        if bracket {
            tokens += 1;
            next += 1;
        }
        let style = match (number, open, stop, bracket) {
            (true, true, false, true) => MarkerStyle::NumberBrackets,
            (true, false, true, true) => MarkerStyle::NumberStopBracket,
            (true, false, false, true) => MarkerStyle::NumberBracket,
            (true, false, true, false) => MarkerStyle::NumberStop,
            (false, true, false, true) => MarkerStyle::LetterBrackets,
            (false, false, true, true) => MarkerStyle::LetterStopBracket,
            (false, false, false, true) => MarkerStyle::LetterBracket,
            // `A. Ray and B. Stone` are two people.
            (false, false, true, false) if core.starts_with(char::is_lowercase) => MarkerStyle::LetterStop,
            _ => return None,
        };
        let goes_on = next < self.end && !self.is_attached(next);
        goes_on.then_some(Marker { style, value, roman, tokens })
    }
}

/// What kind of stop the token at an index is.
fn stop_of(at: usize, word: &str) -> Option<Stop> {
    let bytes = word.as_bytes();
    match bytes.first()? {
        b'.' if bytes.len() == 1 => Some(Stop::Full),
        b'.' | b'!' | b'?' => {
            if word.contains(['!', '?']) {
                Some(Stop::Loud)
            } else if bytes.get(1) == Some(&b'.') || word.contains('…') {
                Some(Stop::Ellipsis)
            } else {
                None
            }
        }
        b':' | b';' | b'=' => (bytes.len() > 1 && at > 0 && bytes.last() != Some(&b'=')).then_some(Stop::Emoticon),
        b'[' => (bytes.len() > 1).then_some(Stop::Ellipsis),
        0xE2 if word.starts_with('…') => Some(Stop::Ellipsis),
        0xE3 | 0xEF => match word {
            "。" | "．" => Some(Stop::Full),
            "！" | "？" => Some(Stop::Loud),
            _ => None,
        },
        _ => (bytes.last() == Some(&b'.')).then_some(Stop::Abbreviation),
    }
}

fn is_bullet(word: &str) -> bool {
    matches!(word, "•" | "⁃" | "◦" | "▪" | "‣" | "●" | "■")
}

fn is_opening(word: &str) -> bool {
    matches!(word, "\"" | "'" | "“" | "‘" | "``" | "`" | "(" | "[" | "«" | "„" | "‘‘")
}

/// `!` behind the closing mark of `!"!`; a full stop there is a sentence's own.
fn is_repeated_mark(word: &str, stands_close: bool, behind_closing: bool) -> bool {
    stands_close && behind_closing && word != "." && word.starts_with(['.', '!', '?', '…'])
}

fn is_number(word: &str, digits_max: usize) -> bool {
    !word.is_empty() && word.len() <= digits_max && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_web_address(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://") || word.starts_with("www.")
}

fn is_mail_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(_, host)| host.contains('.'))
}

fn is_file_name(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && listed(FILE_ENDINGS, ending))
}

/// A run of one mark, long enough to be drawn.
fn is_ruler(bytes: &[u8]) -> bool {
    bytes.len() >= RULER_BYTES_MIN && bytes.windows(2).all(|pair| pair.first() == pair.last())
}

/// `3/1/2031`, `03/01/31`.
fn is_date(word: &str) -> bool {
    let mut parts = word.split('/');
    let mut part = |digits_max| parts.next().is_some_and(|part| is_number(part, digits_max));
    part(2) && part(2) && part(4) && parts.next().is_none()
}

/// `10:30`, `10:30:59`.
fn is_clock(word: &str) -> bool {
    word.contains(':') && word.split(':').count() <= 3 && word.split(':').all(|part| is_number(part, 2))
}

/// `E`, `U.S`: what a missing space does not follow.
fn is_initials(word: &str) -> bool {
    word.len() == 1 && word.starts_with(char::is_uppercase)
}

/// A short word without vowels is an abbreviation that the list lacks.
fn is_consonants(word: &str) -> bool {
    let vowel = |byte: &u8| matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    (2..=4).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic() && !vowel(&byte))
        && word.bytes().skip(1).any(|byte| byte.is_ascii_lowercase())
}

/// The place of a single letter in the alphabet; 0 for a roman numeral of several letters.
fn letter_value(word: &str) -> Option<u32> {
    match word.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(u32::from(letter.to_ascii_lowercase() - b'a') + 1),
        _ if roman_value(word) > 0 => Some(0),
        _ => None,
    }
}

/// The value of a small roman numeral; 0 for what is none.
fn roman_value(word: &str) -> u32 {
    const NUMERALS: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
    NUMERALS.iter().position(|numeral| numeral.eq_ignore_ascii_case(word)).map_or(0, |place| place as u32 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::layout::{self, Paragraph};

    fn sentences(text: &str) -> Vec<&str> {
        let layout = layout::read(text, None);
        let tokens = tokens::run(text, &layout, None);
        run(text, &tokens, &layout, None).iter().map(|sentence| sentence.span.of(text)).collect()
    }

    /// Each line is a paragraph with `|` where one sentence ends and the next begins; a space goes
    /// with the mark, `||` stands for no space between them.
    fn check(cases: &str) {
        for line in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let text = line.replace("||", "").replace('|', " ");
            let expected: Vec<&str> = line.split('|').filter(|part| !part.is_empty()).collect();
            assert_eq!(sentences(&text), expected, "{text}");
        }
    }

    #[test]
    fn plain_stops_end_sentences() {
        check(
            "
            The bridge is closed.|It will open on Monday.|Will it?|Nobody knows!|Really?!|So be it.
            The river rose by 3.5 metres at 10.30 and cost 1,000.|That was too much.
            It was late.||Then it rained.||Mr. Moss left.
            the web writes like this.|it does not care for capitals.
            ",
        );
        assert_eq!(sentences("Das ist．Das auch．"), ["Das ist．", "Das auch．"]);
    }

    #[test]
    fn abbreviations_are_judged_by_what_follows() {
        check(
            "
            Gen. Moss of the U.S. Senate met Dr. J. R. Lee on Jan. 5 in room No. 3 of Moss & Co. in Bath.
            They moved to the U.S.|They liked it in the U.K. for a year.
            He works for Stone Inc.|She works for Lee Ltd.|Both like it.
            At 6 a.m. Ms. Lee rang.|She came at 7 p.m.|Mr. Moss had left at 5 p.m. Eastern time.
            Write to Lee et al. in vol. 3, e.g. on p. 12.|We did, you and I.|Ask Ann I. Moss.
            ",
        );
    }

    #[test]
    fn a_closing_mark_belongs_to_its_sentence() {
        check(
            "
            \"We did it.|Nobody helped us,\" she said.|\"It is over.\"|He left (at last.)|She did not.
            “Where is it?” Ray Stone asked.|“Here!” cried the boy.|“Good.”|Others had gone.
            She said it was 'over.'|He agreed [with a sigh].|The rest is known.[3][4]|Or is it?
            It may last for years.\"|\"They came in.|And they stayed,\" the general added.
            ",
        );
    }

    #[test]
    fn ellipses_end_sentences_before_capitals_only() {
        check(
            "
            We cut [...] here [...] and there [...]|Then we waited ... and waited.|Then...|Nothing came....|It was over.
            He was . . . tired.|She left . . . .|Nobody asked.
            ",
        );
    }

    #[test]
    fn a_mark_in_a_name_does_not_end_a_sentence() {
        check("She sang at Wow! in the evening.|The San speak !Kung at home.|He read Y!Z again.");
    }

    #[test]
    fn items_of_a_list_are_sentences() {
        check(
            "
            1. bring water|2. bring bread|3. come early
            a) first|b) second|c) third
            (i) First.|(ii) Second.|(iii) Third.
            • one thing|• another thing
            A. Moss and B. Stone met C. Lee.
            ",
        );
    }

    #[test]
    fn lines_that_were_pasted_together_come_apart() {
        check(
            "
            Ann Moss|03/01/2031 01:35 PM|Good morning.|It was sent on 3/1/2031 10:30.|We use #DeskTag and #other tags.
            see http://news.example/a|Thanks again|-----------|Ray Stone|Please see below.
            <ann@news.example>|Dear Ray
            Kind regards,|Ann Moss
            A note of thanks to Moss, Stone and Lee.
            ",
        );
    }

    #[test]
    fn sources_files_and_stamps_are_lines_of_their_own() {
        check(
            "
            (Example News)|The bridge is closed.|It is old.
            (The bridge is closed.)|It is old.
            (with pictures) The bridge is closed.
            See the plan (plan.pdf)|- map.pdf|- list.xls|- Moss.doc
            Moss on 03/01/2031 01:35 PM|Dear Ray, it is closed.
            It closed on 03/01/2031 01:35 PM Eastern time.
            Write to ann@NEWS Desk today.|Posted via News.Com this week.
            ",
        );
    }

    #[test]
    fn notes_and_emoticons_stay_with_their_sentence() {
        check("The law was passed.12|It came late. :)|We saw it.");
    }

    #[test]
    fn the_dateline_belongs_to_no_sentence_and_a_crosshead_is_one() {
        let text = "BATH, March 3 (Example News) - It rained. Nobody went out.\nWhat next? More rain";
        let body_start = text.find("It rained").unwrap();
        let dateline = Dateline {
            span: Span::new(0, 28),
            place: None,
            date: None,
            agency: None,
            agency_style: None,
            body_start: body_start as u32,
        };
        let mut layout = layout::read(text, Some(&dateline));
        layout.paragraphs[1] = Paragraph { kind: ParagraphKind::Crosshead, ..layout.paragraphs[1] };
        let tokens = tokens::run(text, &layout, Some(&dateline));
        let found = run(text, &tokens, &layout, Some(&dateline));
        let texts: Vec<&str> = found.iter().map(|sentence| sentence.span.of(text)).collect();
        assert_eq!(texts, ["It rained.", "Nobody went out.", "What next? More rain"]);
        let first = &tokens[found[0].tokens.start as usize];
        assert_eq!(first.span.start(), body_start);
    }

    #[test]
    fn a_line_break_inside_a_paragraph_is_a_space() {
        let text = "They met in room No.\n3 with Gen.\nMoss and left.\nIt rained.";
        let paragraph = Paragraph { span: Span::whole(text), kind: ParagraphKind::Body, section: 0 };
        let layout = Layout { paragraphs: vec![paragraph], headline: None, slugline: None };
        let tokens = tokens::run(text, &layout, None);
        let found = run(text, &tokens, &layout, None);
        let texts: Vec<&str> = found.iter().map(|sentence| sentence.span.of(text)).collect();
        assert_eq!(texts, ["They met in room No.\n3 with Gen.\nMoss and left.", "It rained."]);
    }

    #[test]
    fn long_runs_of_one_character_stay_linear() {
        for one in ["a", ".", ". ", "\"", "? ", ") ", "[1]", ".\"", "1. ", "a) ", "• ", "! A ", ":) ", ". 1 ", "?\" A "]
        {
            let text = one.repeat((1 << 17) / one.len());
            assert!(!sentences(&text).is_empty(), "{one}");
        }
    }

    proptest! {
        #[test]
        fn every_token_belongs_to_one_sentence(
            text in "(\\PC|[ \n.'\"a-zA-Z0-9?!()-]|(\\. )|( [A-Z])|(\" )){0,200}",
            body_start in 0_u32..40,
        ) {
            let dateline = Dateline {
                span: Span { start: body_start / 3, end: body_start / 2 },
                place: None,
                date: None,
                agency: None,
                agency_style: None,
                body_start,
            };
            for dateline in [None, Some(&dateline)] {
                let layout = layout::read(&text, dateline);
                let tokens = tokens::run(&text, &layout, dateline);
                let sentences = run(&text, &tokens, &layout, dateline);
                let mut next = 0;
                for sentence in &sentences {
                    let list = &tokens[sentence.tokens.start as usize..sentence.tokens.end as usize];
                    let (head, tail) = (list.first().unwrap(), list.last().unwrap());
                    prop_assert_eq!(sentence.span, head.span.cover(tail.span));
                    prop_assert!(list.iter().all(|token| token.paragraph == sentence.paragraph));
                    prop_assert!(layout.paragraphs[sentence.paragraph as usize].span.contains(sentence.span));
                    let skipped = &tokens[next as usize..sentence.tokens.start as usize];
                    let in_dateline = |token: &Token| dateline.is_some_and(|dateline| {
                        (dateline.span.start..dateline.body_start).contains(&token.span.start)
                    });
                    prop_assert!(skipped.iter().all(in_dateline));
                    next = sentence.tokens.end;
                }
                prop_assert_eq!(&sentences, &run(&text, &tokens, &layout, dateline));
            }
        }
    }
}

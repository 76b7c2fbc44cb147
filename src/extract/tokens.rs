//! Text → tokens: Universal Dependencies / Penn Treebank conventions, every token a span.
//!
//! ```text
//! Gen. Ray's 10-year-old won't pay $1,000.50 ("ouch") at example.com...
//! Gen.|Ray|'s|10|-|year|-|old|wo|n't|pay|$|1,000.50|(|"|ouch|"|)|at|example.com|...
//! ```
//!
//! The conventions are those of UD English-EWT. Clitics stand apart (`do` `n't`, `Russia` `'s`,
//! `can` `not`); a hyphen is a token of its own except after a prefix (`e-mail`, `anti-war`) and in
//! telephone numbers and dates; currency signs and units stand apart from their number; the stop of
//! an abbreviation belongs to it, unless the paragraph ends there; addresses, handles, tags and
//! emoticons stay whole; so do runs of one mark (`...`, `--`, `?!`).
//!
//! One pass, a bounded look ahead, no allocation but for the list itself.
//!
//! Does not rewrite anything, does not mend spelling (`its` for `it's`), does not split scripts
//! that are written without spaces, and does not know where sentences end: an abbreviation that
//! ends a sentence inside a paragraph keeps its stop.

use std::{collections::HashMap, sync::LazyLock};

use super::{dateline::Dateline, layout::Layout};
use crate::text::{self, Span};

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it stands; tokens never overlap and are in text order.
    pub span: Span,
    /// Index into the layout's paragraphs.
    pub paragraph: u32,
}

/// Splits every paragraph.
pub fn run(text: &str, layout: &Layout, _dateline: Option<&Dateline>) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / BYTES_A_TOKEN);
    for (index, paragraph) in layout.paragraphs.iter().enumerate() {
        let mut scanner = Scanner::new(text, paragraph.span);
        while let Some(span) = scanner.next_span() {
            tokens.push(Token { span, paragraph: index as u32 });
        }
    }
    tokens
}

/// About as many bytes of news copy hold one token with its space.
const BYTES_A_TOKEN: usize = 5;
/// Longest abbreviation in the list, in bytes.
const ABBREVIATION_BYTES_MAX: usize = 12;
/// How many closing marks are looked through for the end of a paragraph.
const CLOSERS_MAX: usize = 4;

/// What the stop after an abbreviation may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abbreviation {
    /// Stands before a name: never ends a sentence.
    Title,
    /// Stands inside a sentence: never ends one.
    Inner,
    /// Months and days: no end before a number.
    Month,
    /// Only an abbreviation before a number.
    Number,
    /// May end a sentence.
    End,
}

static ABBREVIATIONS: LazyLock<HashMap<String, (Abbreviation, Capital)>> = LazyLock::new(|| {
    let mut list = HashMap::new();
    for line in include_str!("../../data/lexicon/abbreviations.txt").lines() {
        let Some((class, words)) = line.split_once(':').filter(|_| !line.starts_with('#')) else { continue };
        let class = match class {
            "title" => Abbreviation::Title,
            "inner" => Abbreviation::Inner,
            "month" => Abbreviation::Month,
            "number" => Abbreviation::Number,
            _ => Abbreviation::End,
        };
        for word in words.split_whitespace() {
            let capital = if word.starts_with(char::is_uppercase) { Capital::Needed } else { Capital::Free };
            list.entry(word.to_ascii_lowercase()).or_insert((class, capital));
        }
    }
    list
});

/// Whether an abbreviation has to begin with a capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capital {
    Needed,
    Free,
}

/// Looks a word up, written without its final stop.
pub(super) fn abbreviation(word: &str) -> Option<Abbreviation> {
    let mut buffer = [0_u8; ABBREVIATION_BYTES_MAX];
    let lower = lower(word, &mut buffer)?;
    let (class, capital) = ABBREVIATIONS.get(lower).copied()?;
    (capital == Capital::Free || word.starts_with(char::is_uppercase)).then_some(class)
}

/// The word in lower case (ASCII letters only); `None` when it does not fit.
pub(super) fn lower<'b>(word: &str, buffer: &'b mut [u8; ABBREVIATION_BYTES_MAX]) -> Option<&'b str> {
    let place = buffer.get_mut(..word.len())?;
    place.copy_from_slice(word.as_bytes());
    place.make_ascii_lowercase();
    std::str::from_utf8(place).ok()
}

/// Prefixes that keep their hyphen.
const PREFIXES: &[&str] = &[
    "anti", "arch", "co", "counter", "cross", "e", "ex", "extra", "inter", "intra", "macro", "mega", "micro", "mid",
    "mini", "multi", "neo", "non", "over", "post", "pre", "pro", "proto", "pseudo", "quasi", "re", "semi", "socio",
    "sub", "super", "trans", "ultra", "un", "under", "uber",
];
/// Clitics after an apostrophe.
const CLITICS: &[&str] = &["s", "m", "d", "ll", "re", "ve"];
/// Words that are two, and where the second begins.
const TWO_WORDS: &[(&str, usize)] = &[
    ("cannot", 3),
    ("gonna", 3),
    ("gotta", 3),
    ("wanna", 3),
    ("gimme", 3),
    ("lemme", 3),
    ("dont", 2),
    ("didnt", 3),
    ("doesnt", 4),
    ("cant", 2),
    ("wont", 2),
    ("isnt", 2),
    ("wasnt", 3),
    ("arent", 3),
    ("werent", 4),
    ("couldnt", 5),
    ("wouldnt", 5),
    ("shouldnt", 6),
    ("havent", 4),
    ("hasnt", 3),
    ("hadnt", 3),
    ("aint", 2),
];
/// Letters after a number that are a unit of it.
const UNITS: &[&str] = &[
    "am", "pm", "k", "m", "bn", "mn", "b", "mm", "cm", "km", "kg", "g", "mg", "ml", "ft", "lb", "lbs", "oz", "hz",
    "khz", "mhz", "ghz", "kb", "mb", "gb", "tb", "kw", "mw", "gw", "mph", "kph", "hr", "hrs", "min", "mins", "sec",
    "secs", "yr", "yrs", "days", "percent", "pct", "p", "c", "f", "hh",
];
/// Last parts of names of hosts and files.
const SUFFIXES: &[&str] = &[
    "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "co", "uk", "au", "ca", "de", "fr", "ru", "cn",
    "jp", "eu", "br", "nz", "za", "ie", "il", "ua", "io", "tv", "fm", "ly", "news", "doc", "docx", "pdf", "xls",
    "xlsx", "ppt", "txt", "htm", "html", "php", "asp", "jpg", "jpeg", "png", "gif", "zip", "exe", "csv", "xml", "mp3",
    "mp4", "url",
];
/// Beginnings of addresses.
const SCHEMES: &[&str] = &["http://", "https://", "ftp://", "www.", "mailto:"];
/// Words that have lost their beginning.
const CLIPPED: &[&str] = &["em", "til", "till", "cause", "bout", "cos", "n", "tis", "twas"];

/// Whether a list of lower-case words holds the word in any case.
fn listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(word))
}

/// Reads one paragraph.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
    start: usize,
    end: usize,
    /// Bytes before this offset were looked at for an address and hold none.
    no_address_until: usize,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, paragraph: Span) -> Self {
        let end = paragraph.end().min(text.len());
        let text = text::until(text, end);
        Self { text, at: paragraph.start(), start: paragraph.start(), end: text.len(), no_address_until: 0 }
    }

    /// The next token.
    fn next_span(&mut self) -> Option<Span> {
        let first = loop {
            let first = self.char_at(self.at)?;
            if !is_space(first) {
                break first;
            }
            self.at += first.len_utf8();
        };
        let start = self.at;
        let end = if first.is_alphanumeric() { self.word_or_number(first) } else { self.mark(first) };
        let mut end = end.max(start + first.len_utf8());
        while let Some(joined) = self.char_at(end).filter(|next| joins(*next)) {
            end += joined.len_utf8();
        }
        self.at = end;
        Some(Span::new(start, end))
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn char_at(&self, at: usize) -> Option<char> {
        let byte = self.text.as_bytes().get(at).copied()?;
        if byte.is_ascii() { Some(char::from(byte)) } else { text::char_at(self.text, at) }
    }

    fn char_before(&self, at: usize) -> Option<char> {
        if at <= self.start { None } else { text::char_before(self.text, at) }
    }

    fn is_word_at(&self, at: usize) -> bool {
        self.char_at(at).is_some_and(char::is_alphanumeric)
    }

    fn is_letter_at(&self, at: usize) -> bool {
        self.char_at(at).is_some_and(char::is_alphabetic)
    }

    fn is_digit_at(&self, at: usize) -> bool {
        self.byte(at).is_ascii_digit()
    }

    /// The end of the letters, digits and marks from here; an underscore only between them.
    fn run_end(&self, mut at: usize) -> usize {
        while let Some(next) = self.char_at(at) {
            let inside = next.is_alphanumeric() || joins(next) || (next == '_' && self.is_word_at(at + 1));
            if !inside {
                break;
            }
            at += next.len_utf8();
        }
        at
    }

    fn letters_end(&self, mut at: usize) -> usize {
        while let Some(next) = self.char_at(at).filter(|next| next.is_alphabetic() || joins(*next)) {
            at += next.len_utf8();
        }
        at
    }

    fn digits_end(&self, mut at: usize) -> usize {
        while self.is_digit_at(at) {
            at += 1;
        }
        at
    }

    fn slice(&self, start: usize, end: usize) -> &'t str {
        text::slice(self.text, start, end)
    }

    fn word_or_number(&mut self, first: char) -> usize {
        if let Some(end) = self.address() {
            return end;
        }
        if first.is_ascii_digit() { self.number(self.at) } else { self.word() }
    }

    /// A web or mail address, a host or a file name.
    fn address(&mut self) -> Option<usize> {
        let start = self.at;
        if matches!(self.byte(start).to_ascii_lowercase(), b'h' | b'f' | b'w' | b'm') {
            let head = self.slice(start, self.text.floor_char_boundary((start + 8).min(self.end)));
            let fits = |scheme: &&&str| head.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
            if let Some(scheme) = SCHEMES.iter().find(fits)
                && self.is_word_at(start + scheme.len())
            {
                return Some(self.address_end(start + scheme.len()));
            }
        }
        if start < self.no_address_until {
            return None;
        }
        let mut end = start;
        let mut dot = None;
        loop {
            match self.byte(end) {
                byte if byte.is_ascii_alphanumeric() => {}
                b'.' => dot = Some(end),
                b'_' | b'%' | b'+' | b'-' => {}
                _ => break,
            }
            end += 1;
        }
        self.no_address_until = end;
        if self.byte(end) == b'@' && self.byte(end + 1).is_ascii_alphanumeric() {
            end += 1;
            while matches!(self.byte(end), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_') {
                end += 1;
            }
            return Some(self.without(end, b".-_"));
        }
        dot?;
        let end = self.without(end, b".-_%+");
        let whole = self.slice(start, end);
        let (stem, suffix) = whole.rsplit_once('.')?;
        let one_case = suffix.bytes().all(|byte| !byte.is_ascii_uppercase())
            || suffix.bytes().all(|byte| !byte.is_ascii_lowercase());
        let group = || whole.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.') && stem.contains('.');
        let known = one_case && listed(SUFFIXES, suffix) || group() && whole.split('.').all(|part| part.len() > 1);
        if stem.len() < 2 || stem.contains("..") || !known {
            return None;
        }
        let path = self.byte(end) == b'/' && self.byte(end + 1).is_ascii_alphanumeric();
        Some(if path { self.address_end(end) } else { end })
    }

    /// The end of an address, without the punctuation of the sentence around it.
    fn address_end(&self, mut at: usize) -> usize {
        let mut open_brackets = 0_usize;
        while let Some(next) = self.char_at(at) {
            match next {
                '<' | '>' | '"' | '`' | '{' | '}' | '|' | '\\' | '^' => break,
                '(' => open_brackets += 1,
                ')' if open_brackets == 0 => break,
                ')' => open_brackets -= 1,
                next if next.is_ascii_graphic() || next.is_alphanumeric() => {}
                _ => break,
            }
            at += next.len_utf8();
        }
        self.without(at, b".,;:!?'*]")
    }

    /// The end without trailing bytes of a set.
    fn without(&self, mut end: usize, set: &[u8]) -> usize {
        while end > self.at + 1 && set.contains(&self.byte(end - 1)) {
            end -= 1;
        }
        end
    }

    fn number(&self, start: usize) -> usize {
        let first = self.digits_end(start);
        let mut end = first;
        if self.byte(end) == b'-' && self.is_digit_at(end + 1) {
            let second = self.digits_end(end + 1);
            let mut last = second;
            while self.byte(last) == b'-' && self.is_digit_at(last + 1) {
                last = self.digits_end(last + 1);
            }
            let telephone = first - start == 3 && second - first == 5;
            if last > second || telephone {
                return last;
            }
        }
        while matches!(self.byte(end), b'.' | b',' | b':' | b'/') && self.is_digit_at(end + 1) {
            end = self.digits_end(end + 1);
        }
        self.number_tail(start, end)
    }

    /// Letters that belong to a number: `5th`, `1990s`, `2D`, but not a unit.
    fn number_tail(&self, start: usize, end: usize) -> usize {
        if let Some(mark) = self.char_at(end).filter(|mark| is_apostrophe(*mark)) {
            let after = end + mark.len_utf8();
            let decade = matches!(end - start, 2 | 4) && self.byte(after) == b's' && !self.is_word_at(after + 1);
            return if decade { after + 1 } else { end };
        }
        if !self.is_word_at(end) {
            return end;
        }
        let letters = self.letters_end(end);
        let tail = self.run_end(end);
        if tail == letters && listed(UNITS, self.slice(end, tail)) && !matches!(self.slice(end, tail), "F" | "C" | "G")
        {
            return end;
        }
        tail
    }

    fn word(&self) -> usize {
        let start = self.at;
        let mut end = self.run_end(start);
        let mut plain = true;
        loop {
            let word = self.slice(start, end);
            let next = self.char_at(end).unwrap_or(' ');
            match next {
                '\'' | '’' | '`' => {
                    let after = end + next.len_utf8();
                    let tail = self.letters_end(after);
                    let suffix = self.slice(after, tail);
                    if suffix.eq_ignore_ascii_case("t") && word.ends_with(['n', 'N']) {
                        return if word.len() == 1 { tail } else { end - 1 };
                    }
                    if suffix.is_empty() || next == '`' || listed(CLITICS, suffix) {
                        return end;
                    }
                    end = self.run_end(after);
                    plain = false;
                }
                '.' => match self.stop(start, end) {
                    stop if stop == end => break,
                    stop => return stop,
                },
                '-' if self.is_word_at(end + 1) && plain && listed(PREFIXES, word) => {
                    end = self.run_end(end + 1);
                    plain = false;
                }
                '&' if word.len() <= 4 && is_capitals(word) && self.byte(end + 1).is_ascii_uppercase() => {
                    end = self.run_end(end + 1);
                    plain = false;
                }
                '/' if word.eq_ignore_ascii_case("w") => {
                    let tail = self.letters_end(end + 1);
                    return if listed(&["o", "out"], self.slice(end + 1, tail)) { tail } else { end };
                }
                '*' if self.is_letter_at(end + 1) => end = self.run_end(end + 1),
                '$' if word.len() <= 3 && is_capitals(word) => return end + 1,
                _ => break,
            }
        }
        if plain && (4..=8).contains(&(end - start)) {
            let word = self.slice(start, end);
            if let Some((_, first)) = TWO_WORDS.iter().find(|(whole, _)| whole.eq_ignore_ascii_case(word)) {
                return start + first;
            }
        }
        end
    }

    /// Whether the stop at `end` belongs to the word before it; where the token ends.
    fn stop(&self, start: usize, end: usize) -> usize {
        let word = self.slice(start, end);
        let after = end + 1;
        if self.byte(after) == b'.' {
            return end;
        }
        let mut letters = word.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return self.initial(letter, end);
        }
        if word.eq_ignore_ascii_case("ph")
            && self.byte(after).eq_ignore_ascii_case(&b'D')
            && !self.is_word_at(after + 1)
        {
            let closed = self.byte(after + 1) == b'.' && !self.is_paragraph_end(after + 2);
            return after + 1 + usize::from(closed);
        }
        let Some(class) = abbreviation(word) else { return end };
        let next = self.char_at(after).unwrap_or(' ');
        let belongs = match class {
            _ if self.is_paragraph_end(after) => false,
            Abbreviation::End if self.is_capital_next(after) && word.eq_ignore_ascii_case("etc") => false,
            Abbreviation::Number => self.is_number_next(after),
            _ if next.is_ascii_digit() => class == Abbreviation::Month,
            Abbreviation::Title => !next.is_lowercase(),
            _ => !next.is_alphanumeric(),
        };
        if belongs { after } else { end }
    }

    /// A single letter and a stop: an initial, or the beginning of `U.S.`
    fn initial(&self, letter: char, end: usize) -> usize {
        let mut after = end + 1;
        let mut dotted = false;
        while let Some(next) = self.char_at(after).filter(|next| next.is_alphabetic()) {
            let next_end = after + next.len_utf8();
            if self.byte(next_end) == b'.' && self.byte(next_end + 1) != b'.' {
                after = next_end + 1;
                dotted = true;
            } else if self.is_word_at(next_end) || (letter.is_lowercase() != next.is_lowercase()) {
                break;
            } else {
                return next_end;
            }
        }
        if dotted {
            return if self.is_paragraph_end(after) { after - 1 } else { after };
        }
        if self.is_paragraph_end(after) {
            return end;
        }
        let belongs = match letter {
            'I' => self.is_name_before(end - 1) && self.is_capital_next(after),
            _ if letter.is_uppercase() => true,
            'p' | 'c' | 'n' | 'v' => self.is_number_next(after),
            _ => false,
        };
        if belongs { after } else { end }
    }

    /// Whether the next word is a number.
    fn is_number_next(&self, at: usize) -> bool {
        let space = usize::from(matches!(self.byte(at), b' ' | b'\n'));
        self.is_digit_at(at + space)
    }

    fn is_capital_next(&self, at: usize) -> bool {
        let space = usize::from(matches!(self.byte(at), b' ' | b'\n'));
        self.char_at(at + space).is_some_and(char::is_uppercase)
    }

    /// Whether a capitalised word, or an initial, stands just before.
    fn is_name_before(&self, at: usize) -> bool {
        let before = text::slice(self.text, self.start, at);
        let Some(before) = before.strip_suffix([' ', '\n']) else { return false };
        let word = before.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '.').next().unwrap_or("");
        word.starts_with(char::is_uppercase)
    }

    /// Whether nothing but closing marks stands between here and the end of the paragraph.
    fn is_paragraph_end(&self, mut at: usize) -> bool {
        for _ in 0..CLOSERS_MAX {
            match self.char_at(at) {
                None => return true,
                Some(mark @ ('"' | '\'' | '”' | '’' | ')' | ']' | '»')) => at += mark.len_utf8(),
                Some(_) => return false,
            }
        }
        false
    }

    fn mark(&self, first: char) -> usize {
        let start = self.at;
        let after = start + first.len_utf8();
        let spaced = self.char_before(start).is_none_or(is_space);
        match first {
            '.' if self.is_digit_at(after)
                && (spaced || matches!(self.char_before(start), Some('$' | '£' | '€' | '('))) =>
            {
                self.number(after)
            }
            '.' if spaced && listed(SUFFIXES, self.slice(after, self.letters_end(after))) => self.letters_end(after),
            '.' | '!' | '?' | '…' => self.while_in(after, |next| matches!(next, '.' | '!' | '?' | '…')),
            '\'' | '’' | '‘' | '`' => self.apostrophe(first, after, spaced),
            ':' | ';' | '=' => self.emoticon(first, after, spaced).unwrap_or_else(|| self.same(first, after)),
            '#' | '@' if self.is_letter_at(after) && !self.char_before(start).is_some_and(char::is_alphanumeric) => {
                self.run_end(after)
            }
            '+' if spaced && self.is_digit_at(after) => self.number(after),
            '[' if self.byte(after) == b'.' => self.elision(after),
            '-' | '*' | '_' | '+' | '~' | '#' | '/' | '\\' | '|' | '<' | '>' | '—' | '–' | '$' => {
                self.same(first, after)
            }
            _ => after,
        }
    }

    fn while_in(&self, mut at: usize, inside: impl Fn(char) -> bool) -> usize {
        while let Some(next) = self.char_at(at).filter(|next| inside(*next)) {
            at += next.len_utf8();
        }
        at
    }

    fn same(&self, mark: char, at: usize) -> usize {
        if matches!(mark, ':' | ';') { at } else { self.while_in(at, |next| next == mark) }
    }

    /// `[...]`, or the bracket alone.
    fn elision(&self, after: usize) -> usize {
        let dots = self.while_in(after, |next| next == '.');
        if self.byte(dots) == b']' { dots + 1 } else { after }
    }

    fn apostrophe(&self, mark: char, after: usize, spaced: bool) -> usize {
        if self.char_at(after) == Some(mark) {
            return after + mark.len_utf8();
        }
        if mark == '‘' {
            return after;
        }
        let tail = self.letters_end(after);
        let suffix = self.slice(after, tail);
        if !spaced && listed(CLITICS, suffix) && !self.is_word_at(tail) {
            return tail;
        }
        if spaced && mark != '`' {
            let digits = self.digits_end(after);
            let year = digits == after + 2 && (!self.is_word_at(digits) || self.slice(digits, digits + 1) == "s");
            if year {
                return digits + usize::from(self.byte(digits) == b's');
            }
            if listed(CLIPPED, suffix) {
                return tail;
            }
        }
        after
    }

    /// Eyes, a nose or none, a mouth.
    fn emoticon(&self, eyes: char, after: usize, spaced: bool) -> Option<usize> {
        let nose = usize::from(self.byte(after) == b'-');
        let end = after + nose + 1;
        let fits = match self.byte(after + nose) {
            b')' | b'(' => nose == 1 || spaced,
            b'D' | b'P' | b'p' | b'O' => spaced && eyes != '=',
            b'/' | b'|' | b'\\' => spaced && nose == 1,
            _ => false,
        };
        (fits && !self.is_word_at(end)).then_some(end)
    }
}

/// White space, the byte order mark and the zero-width space.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{200B}' | '\u{FEFF}')
}

/// Marks that belong to the letter before: accents, joiners, variants, the soft hyphen.
fn joins(letter: char) -> bool {
    !letter.is_ascii()
        && matches!(letter, '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{200C}' | '\u{200D}'
            | '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}')
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’')
}

fn is_capitals(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::layout;

    fn tokens(text: &str) -> Vec<&str> {
        let layout = layout::read(text, None);
        run(text, &layout, None).iter().map(|token| token.span.of(text)).collect()
    }

    /// Each line is a text, and its tokens with `|` between them stand on the line below.
    fn check(cases: &str) {
        let lines: Vec<&str> = cases.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        for pair in lines.chunks(2) {
            let [text, expected] = pair else { panic!("a text without its tokens: {pair:?}") };
            assert_eq!(tokens(text).join("|"), *expected, "{text}");
        }
    }

    #[test]
    fn clitics_stand_apart() {
        check(
            "
            They don't, won't and can't; we cannot.
            They|do|n't|,|wo|n't|and|ca|n't|;|we|can|not|.
            Norway’s envoy said he’d go, the ministers' aide wouldn’t.
            Norway|’s|envoy|said|he|’d|go|,|the|ministers|'|aide|would|n’t|.
            O'Hara isn't gonna tell 'em in the '90s or the 1960's
            O'Hara|is|n't|gon|na|tell|'em|in|the|'90s|or|the|1960's
            ",
        );
    }

    #[test]
    fn hyphens_split_but_for_prefixes() {
        check(
            "
            a 15-year-old anti-war e-mail from mid-June, well-known in 1990-95
            a|15|-|year|-|old|anti-war|e-mail|from|mid-June|,|well|-|known|in|1990|-|95
            call 555-0134 or 1-800-555-0134 and/or go -- now
            call|555-0134|or|1-800-555-0134|and|/|or|go|--|now
            ",
        );
    }

    #[test]
    fn numbers_keep_their_marks_and_lose_their_units() {
        check(
            "
            $1,000.50 and US$3m, 7.5% at 10:30pm on 9/11, 35mm, the 5th of the 1970s, .50
            $|1,000.50|and|US$|3|m|,|7.5|%|at|10:30|pm|on|9/11|,|35|mm|,|the|5th|of|the|1970s|,|.50
            ",
        );
    }

    #[test]
    fn abbreviations_keep_their_stop() {
        check(
            "
            Gen. J. R. Moss met No. 3 of U.S. Co. X, i.e. Ms. Lee, on Jan. 5 at 6 p.m. in the U.N.
            Gen.|J.|R.|Moss|met|No.|3|of|U.S.|Co.|X|,|i.e.|Ms.|Lee|,|on|Jan.|5|at|6|p.m.|in|the|U.N|.
            No. She is a Ph.D. He said you and I. Then came Albert I. Stone.
            No|.|She|is|a|Ph.D.|He|said|you|and|I|.|Then|came|Albert|I.|Stone|.
            It was late.Then it rained.
            It|was|late|.|Then|it|rained|.
            ",
        );
    }

    #[test]
    fn quotation_marks_and_dots_stand_alone() {
        check(
            "
            “So…” he said -- ``well'' ... «no»?! [...] (\"ouch\") ‘yes’
            “|So|…|”|he|said|--|``|well|''|...|«|no|»|?!|[...]|(|\"|ouch|\"|)|‘|yes|’
            ",
        );
    }

    #[test]
    fn addresses_stay_whole() {
        check(
            "
            See https://news.example/a_b?c=1&d=(2). Or desk.one@news.example, www.news.example/x; story.pdf!
            See|https://news.example/a_b?c=1&d=(2)|.|Or|desk.one@news.example|,|www.news.example/x|;|story.pdf|!
            @desk wrote #flood about AT&T :) fine
            @desk|wrote|#flood|about|AT&T|:)|fine
            ",
        );
    }

    #[test]
    fn long_runs_of_one_character_stay_linear() {
        for one in ["a", ".", "'", "a.", "a'", "1-", "(", "\"", "@a", "www.", "é", "a@", "I. ", "-a", "1,", "a_"] {
            let text = one.repeat((1 << 17) / one.len());
            assert!(!tokens(&text).is_empty(), "{one}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_ordered_and_cover_what_is_not_space(text in "(\\PC|[ \n.'\"a-zA-Z0-9@:/-]){0,200}") {
            let layout = layout::read(&text, None);
            let tokens = run(&text, &layout, None);
            let mut at = 0;
            for token in &tokens {
                prop_assert!(token.span.start() >= at && !token.span.of(&text).is_empty());
                prop_assert!(text::slice(&text, at, token.span.start()).chars().all(is_space));
                prop_assert!(layout.paragraphs[token.paragraph as usize].span.contains(token.span));
                at = token.span.end();
            }
            prop_assert!(text::from(&text, at).chars().all(is_space));
            prop_assert_eq!(&tokens, &run(&text, &layout, None));
        }
    }
}

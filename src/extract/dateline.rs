//! First paragraphs → place, date and agency of the dateline.
//!
//! ```text
//! SPRINGFIELD, Ill., Jan. 25 (Northwire) - The bridge will stay closed.
//! ^^^^^^^^^^^^^^^^^ place
//!                    ^^^^^^^ date
//!                             ^^^^^^^^^ agency
//!                                          ^ body_start
//! ```
//!
//! A dateline is read left to right: place, date, agency mark, dash. It counts only when enough
//! of it is there to be certain: a place in capitals with an agency or a date behind it, or a
//! known place with a dash or a colon (`RAIN - It fell` is none); a place in title or lower case
//! only with a known agency or with a date and an agency mark. An ordinary first sentence is never
//! taken for one; where in doubt there is no dateline.
//!
//! What this does not do: look the place up, resolve the date, or tell two cities apart
//! (`PARIS/LONDON` is one span; of `PARIS (AP) and LONDON (AP)` the place is the first).
//!
//! Sources: the house styles of the agencies in `data/lexicon/agencies.txt`; the towns that may
//! stand alone in `data/lexicon/dateline_towns.txt`; countries and capitals of the gazetteer.

use std::{collections::HashSet, sync::LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{Block, HEADER_BLOCKS_MAX, opening};
use crate::{
    gazetteer::countries,
    story::{Anomaly, Story},
    text::{Span, char_at, char_before, from, slice, until},
};

/// Bytes of a paragraph among which a dateline ends.
const DATELINE_BYTES_MAX: usize = 200;
/// Words of a place before its state or country.
const PLACE_WORDS_MAX: usize = 6;
/// Words of a place in lower case.
const LOWER_WORDS_MAX: usize = 3;
/// A line of more bytes is a sentence, whatever its end.
const SENTENCE_BYTES: usize = 90;
/// Bytes of an agency mark.
const AGENCY_BYTES_MAX: usize = 48;

/// How the agency mark is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgencyStyle {
    /// `/TASS/`
    Slashes,
    /// `(Reuters)`
    Parentheses,
    /// `, Kyodo -`
    Bare,
}

/// A dateline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dateline {
    /// From the place to the end of the agency mark, dash left out.
    pub span: Span,
    /// The place as written, state or country included.
    pub place: Option<Span>,
    /// The date as written.
    pub date: Option<Span>,
    /// The agency without its brackets or strokes.
    pub agency: Option<Span>,
    /// How the agency mark is written.
    pub agency_style: Option<AgencyStyle>,
    /// First byte of the story proper.
    pub body_start: u32,
}

/// Agency marks, lower case.
static AGENCIES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("../../data/lexicon/agencies.txt").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_lowercase).collect()
});

/// Towns that stand alone in datelines, lower case.
static TOWNS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("../../data/lexicon/dateline_towns.txt").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_lowercase).collect()
});

/// Words that make an unknown mark an agency's.
const AGENCY_WORDS: &str =
    "news wire press agency agence service media times post herald tribune gazette radio newswire";

/// Capitals before a dash that are no place.
const NOT_PLACES: &str = "ADVISORY ALERT ANALYSIS BREAKING BREAKINGVIEWS BRIEF BULLETIN CAUTION COMMENTARY CORRECTED CORRECTION DIARY \
    DEVELOPING EDITORIAL EDITORS EXCLUSIVE EXPLAINER FACTBOX FEATURE FLASH INSIGHT INTERVIEW KILL LIVE NASA NATO \
    NEWS NOTE OPEC OPINION PHOTOS POLL PREVIEW PROFILE REFILE REVIEW SNAPSHOT SPECIAL SPORT TIMELINE TOP UNESCO \
    UNICEF UPDATE URGENT VIDEO WATCH WRAPUP";

/// First words that only towns have.
const FIRST_WORDS_OF_TOWNS: &str = "ABU ADDIS AIX BATON BUENOS CORPUS DAR FORT FT. GUATEMALA KUALA LAS LOS MOUNT MT. PHNOM PORT \
    PUERTO SAN SANTA SANTO SAO ST. SAINT TEL";

/// Ends that only names of towns have.
const ENDS_OF_TOWNS: &str =
    "VILLE BURG BURGH TOWN FIELD FORD BURY GRAD STADT HAVEN MOUTH POLIS ABAD HEIM BOROUGH CHESTER SHIRE";

const MONTHS: &str = "january february march april may june july august september october november december jan feb mar apr jun \
    jul aug sep sept oct nov dec octo febr";

const WEEKDAYS: &str = "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun";

/// Whether a word stands in a list of words with one space between.
fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Looks for a dateline at the head of the first paragraphs.
pub fn run(text: &str, blocks: &[Block], anomalies: &mut Vec<Anomaly>) -> Option<Dateline> {
    let head = blocks.iter().take(HEADER_BLOCKS_MAX).enumerate();
    let mut dateline =
        head.filter(|(index, block)| *index == 0 || !block.is_row).find_map(|(_, block)| read(text, block.span))?;
    let past_end = blocks.iter().all(|block| block.span.end() <= dateline.body_start as usize);
    if past_end {
        dateline.body_start = dateline.body_start.min(text.len() as u32);
    } else if let Some(next) = blocks.iter().find(|block| block.span.end() > dateline.body_start as usize) {
        // A dateline that stands on a line of its own.
        dateline.body_start = dateline.body_start.max(next.span.start);
    }
    if let Some(date) = dateline.date.filter(|date| lacks_year(date.of(text))) {
        anomalies.push(Anomaly::at("date.no_year", date));
    }
    Some(dateline)
}

/// The dateline that the format names and that stands on the text's first line.
pub fn declared(story: &Story) -> Option<Dateline> {
    let line = story.dateline.as_deref()?;
    let below = story.text.strip_prefix(line)?.strip_prefix('\n')?;
    let body_start = (story.text.len() - below.len()) as u32;
    let (head, agency) = match line.split_once('(') {
        Some((head, rest)) => (head, rest.split_once(')').map(|(agency, _)| agency)),
        None => (line, None),
    };
    // The place ends before the day; `Skarra, 4 mars 2031 (NW)`.
    let digit = head.find(|c: char| c.is_ascii_digit()).unwrap_or(head.len());
    let place = if digit < head.len() { until(head, head.find(',').unwrap_or(digit)) } else { head };
    let place = Span::new(0, place.len()).trim(line);
    let agency = agency.map(|agency| Span::new(head.len() + 1, head.len() + 1 + agency.len()).trim(line));
    Some(Dateline {
        span: Span::new(0, line.len()),
        place: Some(place).filter(|place| !place.is_empty()),
        date: None,
        agency,
        agency_style: agency.map(|_| AgencyStyle::Parentheses),
        body_start,
    })
}

/// Whether a line opens with a dateline.
pub(super) fn opens(text: &str, line: Span) -> bool {
    read(text, line).is_some()
}

/// A day of a month without a year; a day of the week never has one.
fn lacks_year(date: &str) -> bool {
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    date.chars().any(|c| c.is_ascii_digit())
        && !date.split(|c: char| !c.is_alphanumeric()).any(|part| digits(part) >= 4)
}

/// Whether a mark is in the list of agencies.
pub(super) fn is_agency(mark: &str) -> bool {
    AGENCIES.contains(&mark.trim().to_lowercase())
        || mark.split(['/', '-']).map(str::trim).all(|part| AGENCIES.contains(&part.to_lowercase()))
}

// --- reading --------------------------------------------------------------------------------

/// How a place is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Capitals,
    Title,
    Lower,
}

/// What stands between the dateline and the story.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    Dash,
    FullStop,
    Colon,
    EndOfLine,
    None,
}

/// `PARIS`, `PARIS/LONDON`, `NEW DELHI`: every one of its towns is known.
fn is_known_place(place: &str, or_country: bool) -> bool {
    let name = place.split(',').next().unwrap_or("");
    let parts = name.split('/').flat_map(|part| part.split(" and ")).flat_map(|part| part.split(" AND "));
    parts.map(str::trim).all(|part| {
        TOWNS.contains(&part.to_lowercase())
            || countries::by_capital(part).is_some()
            || or_country && part.len() > 3 && countries::by_name(part).is_some()
    })
}

/// Whether a place in capitals reads like a town though nobody has heard of it.
fn reads_like_a_town(place: &str) -> bool {
    let (first, rest) = place.split_once(' ').unwrap_or((place, ""));
    let ends = |end: &str| place.len() > end.len() + 2 && place.ends_with(end);
    !rest.is_empty() && is_in(FIRST_WORDS_OF_TOWNS, first) || rest.is_empty() && ENDS_OF_TOWNS.split(' ').any(ends)
}

fn read(text: &str, line: Span) -> Option<Dateline> {
    let head = opening(line.of(text), DATELINE_BYTES_MAX);
    let first = head.chars().next()?;
    if !(first.is_alphabetic() || matches!(first, '(' | '/')) {
        return None;
    }
    let mut scan = Scan { text: head, at: 0 };
    if let Some(found) = agency_first(&mut scan) {
        return Some(found.place_in(text, line, head));
    }
    scan.at = 0;
    let (place, case) = place(&mut scan)?;
    let after_place = scan.at;
    let separated = scan.eat([',', '.']);
    scan.spaces();
    let mut date = date(&mut scan);
    if date.is_none() {
        scan.at = after_place;
    }
    let after_date = scan.at;
    let dotted = scan.eat(['.']);
    let _ = scan.eat([',']);
    let early_dash = !dotted && scan.dash();
    let mut mark = mark(&mut scan);
    if mark.is_none() {
        scan.at = after_date;
        mark = bare_mark(&mut scan, separated, date.is_some());
    } else if early_dash && date.is_some() {
        // `JAN 25 - (Text in brackets)` is no mark unless it is an agency's.
        mark = mark.filter(|(span, _)| is_agency(span.of(head)));
    }
    if mark.is_none() {
        scan.at = after_date;
    } else if date.is_none() {
        // `NEW YORK (AP), Jan. 25 -`
        let before = scan.at;
        let _ = scan.eat([',']);
        scan.spaces();
        date = self::date(&mut scan);
        if date.is_none() {
            scan.at = before;
        }
    }
    if mark.is_some() {
        second_city(&mut scan, head);
    }
    let span_end = if mark.is_some() && scan.peek() == Some('.') { scan.at + 1 } else { scan.at };
    let dash_from = scan.at;
    let close = close(&mut scan);
    let long_dash =
        slice(head, dash_from, scan.at).contains(['—', '_']) || slice(head, dash_from, scan.at).contains("--");
    let words = place.of(head);
    let next = scan.rest().chars().next();
    let below = line.of(text).trim_end();
    let is_sentence = below.len() > SENTENCE_BYTES || below.ends_with(['.', '!', '?', '"', '”']);
    let sure = judge(&Seen {
        place: words,
        case,
        date: date.is_some(),
        mark: mark.map(|(span, style)| (span.of(head), style)),
        close,
        long_dash,
        next,
        is_sentence,
    });
    if !sure {
        return None;
    }
    let (agency, agency_style) = mark.unzip();
    let found = Found { span: Span::new(0, span_end), place: Some(place), date, agency, agency_style, body: scan.at };
    Some(found.place_in(text, line, head))
}

/// What was seen of a dateline.
struct Seen<'a> {
    place: &'a str,
    case: Case,
    date: bool,
    mark: Option<(&'a str, AgencyStyle)>,
    close: Close,
    /// The dash is longer than a hyphen or an en dash.
    long_dash: bool,
    next: Option<char>,
    /// The line is long, or ends as sentences do: no headline.
    is_sentence: bool,
}

/// Whether what was seen is certainly a dateline.
fn judge(seen: &Seen<'_>) -> bool {
    let known = seen.mark.is_some_and(|(mark, _)| is_agency(mark));
    let likely = known || seen.mark.is_some_and(|(mark, _)| looks_like_agency(mark) || is_call_sign(mark, seen.place));
    let begins = seen.next.is_none_or(|c| !c.is_lowercase());
    let dashed = matches!(seen.close, Close::Dash | Close::EndOfLine);
    let first_word = seen.place.split([' ', ',', '/', '-']).next().unwrap_or("");
    let is_place = !is_in(NOT_PLACES, first_word)
        && !is_in("by the in at on from for a an and but since until", &first_word.to_lowercase())
        && !seen.place.ends_with(['/', '-']);
    let letters = seen.place.chars().filter(|c| c.is_alphabetic()).count();
    if !is_place || letters < 2 {
        return false;
    }
    match (seen.case, seen.mark) {
        (Case::Capitals, Some((_, AgencyStyle::Slashes | AgencyStyle::Parentheses))) => {
            known && (seen.date || begins && letters >= 4 || seen.close != Close::None)
                || (begins && seen.close != Close::None && (seen.date || likely && letters >= 3))
        }
        (Case::Capitals, Some((_, AgencyStyle::Bare))) => begins && (known || seen.date && seen.close == Close::Dash),
        (Case::Capitals, None) if seen.date => begins && (dashed || seen.close == Close::Colon && seen.is_sentence),
        (Case::Capitals, None) => {
            // A word in capitals is no place for that; a name in capitals before a hyphen is a person's.
            let count = seen.place.split(' ').count();
            let is_town = is_known_place(seen.place, seen.close == Close::Dash)
                || seen.place.contains(", ") && (count <= 2 || seen.long_dash)
                || reads_like_a_town(seen.place);
            let closed = seen.close == Close::Dash
                || seen.close == Close::Colon && seen.is_sentence && !seen.place.contains(", ");
            begins && closed && letters >= 4 && count <= 4 && is_town
        }
        (Case::Title, Some((_, AgencyStyle::Slashes | AgencyStyle::Parentheses))) => {
            begins && dashed && (known || seen.date && likely)
                || known && seen.date && (begins || seen.close != Close::None)
        }
        (Case::Title, Some((_, AgencyStyle::Bare))) => begins && known && seen.date && dashed,
        (Case::Title, None) => begins && seen.date && seen.close == Close::Colon && is_known_place(seen.place, false),
        (Case::Lower, Some(_)) => {
            // Where everything is in lower case, the story's first word is too.
            let is_place = seen.date || is_known_place(seen.place, true);
            let one_word = !seen.place.contains(' ');
            known && seen.close == Close::Dash && (begins && one_word || is_place)
        }
        _ => false,
    }
}

/// `(WXYZ)` behind a town and its state: a station.
fn is_call_sign(mark: &str, place: &str) -> bool {
    (3..=5).contains(&mark.len()) && mark.bytes().all(|byte| byte.is_ascii_uppercase()) && place.contains(", ")
}

fn looks_like_agency(mark: &str) -> bool {
    let low = mark.to_lowercase();
    AGENCY_WORDS.split(' ').any(|word| low.contains(word))
}

/// A dateline in bytes of its own line.
struct Found {
    span: Span,
    place: Option<Span>,
    date: Option<Span>,
    agency: Option<Span>,
    agency_style: Option<AgencyStyle>,
    body: usize,
}

impl Found {
    /// Moves everything to its place in the story.
    fn place_in(self, text: &str, line: Span, head: &str) -> Dateline {
        let by = line.start();
        let shift = |span: Span| Span::new(span.start() + by, span.end() + by);
        let trimmed = self.span.trim(head);
        let mut body = by + self.body;
        while char_at(text, body).is_some_and(char::is_whitespace) && body < line.end() {
            body += char_at(text, body).map_or(1, char::len_utf8);
        }
        Dateline {
            span: shift(trimmed),
            place: self.place.map(shift),
            date: self.date.map(shift),
            agency: self.agency.map(shift),
            agency_style: self.agency_style,
            body_start: body as u32,
        }
    }
}

/// `(Reuters) - `, `(ANSA) - ROME, JAN 25 - `, `/TASS/. `: known agencies only.
fn agency_first(scan: &mut Scan<'_>) -> Option<Found> {
    let (agency, style) = mark(scan)?;
    is_agency(agency.of(scan.text)).then_some(())?;
    let mut span_end = scan.at;
    let close_kind = close(scan);
    matches!(close_kind, Close::Dash | Close::FullStop | Close::Colon).then_some(())?;
    let mut body = scan.at;
    let (mut found_place, mut found_date) = (None, None);
    if let Some((place, Case::Capitals)) = place(scan) {
        let _ = scan.eat([',']);
        scan.spaces();
        let date = date(scan);
        let end = scan.at;
        if date.is_some() && close(scan) == Close::Dash {
            (found_place, found_date, span_end, body) = (Some(place), date, end, scan.at);
        }
    }
    scan.at = body;
    scan.rest().chars().next().is_none_or(|c| !c.is_lowercase()).then_some(())?;
    let found = Found {
        span: Span::new(0, span_end),
        place: found_place,
        date: found_date,
        agency: Some(agency),
        agency_style: Some(style),
        body,
    };
    Some(found)
}

/// A reader that only goes forward, or back to where it was.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        from(self.text, self.at)
    }

    fn peek(&self) -> Option<char> {
        char_at(self.text, self.at)
    }

    fn eat<const N: usize>(&mut self, any: [char; N]) -> bool {
        self.spaces();
        let found = self.peek().filter(|c| any.contains(c));
        self.at += found.map_or(0, char::len_utf8);
        found.is_some()
    }

    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// A word up to white space or one of the marks that end a part.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| {
                c.is_whitespace() || matches!(c, ',' | '(' | ')' | '/' | ':' | ';' | '"' | '“' | '—' | '–' | '_')
            })
            .unwrap_or(rest.len());
        let word = until(rest, end);
        let word = word.split_once("--").map_or(word, |(word, _)| word);
        self.at += word.len();
        word
    }

    /// A dash of any kind, with the spaces around it. A lone hyphen needs a space before it.
    fn dash(&mut self) -> bool {
        let before = self.at;
        self.spaces();
        let spaced = self.at > before || before == 0 || matches!(char_before(self.text, before), Some('.' | ')' | '/'));
        let rest = self.rest();
        let bytes = if rest.starts_with("--") {
            rest.len() - rest.trim_start_matches('-').len()
        } else if rest.starts_with(['—', '–']) {
            '—'.len_utf8()
        } else if spaced && (rest.starts_with(['-', '_'])) {
            1
        } else {
            self.at = before;
            return false;
        };
        self.at += bytes;
        self.spaces();
        true
    }
}

/// A place: words in capitals (or title case), a second city, a state or country.
fn place(scan: &mut Scan<'_>) -> Option<(Span, Case)> {
    let start = scan.at;
    let case = match word_case(scan.rest().split([' ', ',', '/', '(', '—', '–']).next()?) {
        WordCase::Capitals => Case::Capitals,
        WordCase::Title => Case::Title,
        WordCase::Lower => Case::Lower,
        WordCase::Other => return None,
    };
    let mut end = start;
    for words in 0..PLACE_WORDS_MAX {
        scan.spaces();
        let word_start = scan.at;
        let word = scan.word();
        let fits = match word_case(word) {
            WordCase::Capitals => case != Case::Lower,
            WordCase::Title => case == Case::Title,
            WordCase::Lower if case == Case::Lower => words < LOWER_WORDS_MAX && !(end > start && is_date_word(word)),
            WordCase::Lower => is_joint(word) && end > start,
            WordCase::Other => word == "&" && end > start,
        };
        if !fits || is_in(MONTHS, &word.trim_end_matches('.').to_lowercase()) && end > start {
            scan.at = word_start;
            break;
        }
        if !is_joint(word) {
            end = scan.at;
            // A full stop ends the place, but for "ST. PAUL" and "FT. WORTH".
            if word.ends_with('.') && !is_abbreviation(word) {
                end -= 1;
                break;
            }
        }
        if scan.peek() == Some('/')
            && char_at(scan.text, scan.at + 1).is_some_and(char::is_alphabetic)
            && case != Case::Lower
        {
            scan.at += 1;
        }
    }
    if end == start {
        return None;
    }
    scan.at = end;
    end = states(scan, case);
    scan.at = end;
    Some((Span::new(start, end), case))
}

/// Up to two parts such as `, Ill.` or `, New South Wales, Australia`; the end of the last.
fn states(scan: &mut Scan<'_>, case: Case) -> usize {
    let mut end = scan.at;
    for _ in 0..2 {
        if scan.peek() != Some(',') {
            break;
        }
        scan.at += 1;
        scan.spaces();
        let part_start = scan.at;
        let mut part_end = part_start;
        for _ in 0..4 {
            scan.spaces();
            let word = scan.word();
            let good = matches!(word_case(word), WordCase::Capitals | WordCase::Title)
                || case == Case::Lower && word_case(word) == WordCase::Lower
                || is_joint(word) && part_end > part_start;
            if !good || is_date_word(word) {
                break;
            }
            if !is_joint(word) {
                part_end = scan.at;
            }
            if word.ends_with('.') && word.len() > 2 && scan.peek() == Some(' ') && !is_abbreviation(word) {
                // "Ill. (AP)"; "W. Va. (AP)" goes on.
                let next = from(scan.text, scan.at).trim_start().chars().next();
                if !next.is_some_and(char::is_uppercase) {
                    break;
                }
            }
        }
        let part = slice(scan.text, part_start, part_end);
        let is_unknown = case == Case::Lower && countries::by_name(part).is_none();
        if part.is_empty() || is_unknown || is_agency(part) && !part.ends_with('.') {
            break;
        }
        // A part only counts when a dateline can go on behind it.
        let rest = from(scan.text, part_end);
        let goes_on = rest.trim_start().starts_with([',', '(', '/', '-', '—', '–', '_'])
            || rest.starts_with('.')
            || rest.trim_start().split(' ').next().is_some_and(is_date_word);
        if !goes_on {
            break;
        }
        end = part_end;
        if rest.starts_with('.')
            && slice(scan.text, part_end, part_end + 1) == "."
            && part.len() <= 5
            && !part.contains(' ')
        {
            end += 1;
        }
        scan.at = end;
    }
    end
}

fn is_date_word(word: &str) -> bool {
    let low = word.trim_end_matches('.').to_lowercase();
    is_in(MONTHS, &low) || is_in(WEEKDAYS, &low) || low.chars().next().is_some_and(|c| c.is_ascii_digit())
}

/// Short words inside the names of places, and between two of them.
fn is_joint(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "AND"
            | "de"
            | "del"
            | "da"
            | "do"
            | "la"
            | "le"
            | "les"
            | "of"
            | "upon"
            | "on"
            | "sur"
            | "am"
            | "im"
            | "the"
    )
}

/// Abbreviations that stand before the rest of a place's name.
fn is_abbreviation(word: &str) -> bool {
    matches!(
        word,
        "ST."
            | "St."
            | "FT."
            | "Ft."
            | "MT."
            | "Mt."
            | "STE."
            | "Ste."
            | "PT."
            | "Pt."
            | "N."
            | "S."
            | "E."
            | "W."
            | "D."
            | "U.N."
            | "D.C."
    )
}

#[derive(PartialEq, Eq)]
enum WordCase {
    Capitals,
    Title,
    Lower,
    Other,
}

/// How one word of a place is written: letters, hyphens, apostrophes and full stops.
fn word_case(word: &str) -> WordCase {
    let (mut upper, mut lower) = (0, 0);
    let mut first_upper = None;
    for c in word.chars() {
        if c.is_uppercase() {
            upper += 1;
            first_upper.get_or_insert(true);
        } else if c.is_lowercase() {
            lower += 1;
            first_upper.get_or_insert(false);
        } else if !matches!(c, '-' | '\'' | '’' | '.' | 'ʻ' | '`') && !c.is_alphabetic() {
            return WordCase::Other;
        }
    }
    match (upper, lower, first_upper) {
        (0, 0, _) => WordCase::Other,
        (_, 0, _) => WordCase::Capitals,
        // "McALLEN", "DeKALB"
        (2.., 1..=2, Some(true)) if upper > lower => WordCase::Capitals,
        (_, _, Some(true)) => WordCase::Title,
        _ => WordCase::Lower,
    }
}

/// A date: `January 25`, `Jan. 25, 2024`, `25 January 2024`, `25th Jan`, `Friday`, `2024-01-25`.
fn date(scan: &mut Scan<'_>) -> Option<Span> {
    let start = scan.at;
    let found = date_end(scan);
    scan.at = found.unwrap_or(start);
    found.map(|end| Span::new(start, end))
}

fn date_end(scan: &mut Scan<'_>) -> Option<usize> {
    let word = scan.word();
    let low = word.trim_end_matches('.').to_lowercase();
    if is_in(WEEKDAYS, &low) {
        let end = scan.at;
        let _ = scan.eat([',']);
        scan.spaces();
        return Some(match scan.peek() {
            Some(c) if c.is_alphanumeric() => date_end_plain(scan).unwrap_or(end),
            _ => end,
        });
    }
    scan.at -= word.len();
    date_end_plain(scan)
}

fn date_end_plain(scan: &mut Scan<'_>) -> Option<usize> {
    let word = scan.word();
    let low = word.trim_end_matches('.').to_lowercase();
    let iso = word.len() == 10 && word.chars().all(|c| c.is_ascii_digit() || c == '-');
    if iso {
        return Some(scan.at);
    }
    if is_in(MONTHS, &low) {
        scan.spaces();
        let day = scan.word();
        is_day(day.trim_end_matches('.')).then_some(())?;
        if day.ends_with('.') {
            return Some(scan.at - 1);
        }
    } else if is_day(word) {
        scan.spaces();
        let month = scan.word();
        is_in(MONTHS, &month.trim_end_matches('.').to_lowercase()).then_some(())?;
        if month.ends_with('.') && month.len() > 5 {
            return Some(scan.at - 1);
        }
    } else {
        return None;
    }
    let end = scan.at;
    let _ = scan.eat([',']);
    scan.spaces();
    let year = scan.word();
    let bare_year = year.trim_end_matches('.');
    let is_year = bare_year.len() == 4 && bare_year.chars().all(|c| c.is_ascii_digit());
    Some(if is_year { scan.at - (year.len() - bare_year.len()) } else { end })
}

fn is_day(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = from(word, digits.len());
    matches!(suffix, "" | "st" | "nd" | "rd" | "th")
        && (1..=2).contains(&digits.len())
        && digits.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day))
}

/// `(Reuters)`, `/TASS/`.
fn mark(scan: &mut Scan<'_>) -> Option<(Span, AgencyStyle)> {
    scan.spaces();
    let (closer, style) = match scan.peek()? {
        '(' => (')', AgencyStyle::Parentheses),
        '/' => ('/', AgencyStyle::Slashes),
        _ => return None,
    };
    let start = scan.at + 1;
    let inner = opening(from(scan.text, start), AGENCY_BYTES_MAX);
    let length = inner.find(closer)?;
    let name = until(inner, length);
    let reporter = correspondent(name);
    let fits = (name.split(' ').count() <= 4 || reporter.is_some())
        && name.chars().any(char::is_alphabetic)
        && !name.starts_with(' ')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | '&' | '/' | '\'' | '’'));
    fits.then_some(())?;
    scan.at = start + length + 1;
    Some((Span::new(start, start + reporter.unwrap_or(length)), style))
}

/// `TASS Correspondent Ada Quill`: where the agency ends.
fn correspondent(mark: &str) -> Option<usize> {
    let at = mark.to_ascii_lowercase().find(" correspondent ")?;
    let agency = until(mark, at).trim_end_matches(" special").trim_end_matches(" Special");
    let agency = agency.trim_end_matches("'s").trim_end_matches("’s");
    is_agency(agency).then_some(agency.len())
}

/// ` and LONDON (AP)` behind the first town and its mark.
fn second_city(scan: &mut Scan<'_>, head: &str) {
    let before = scan.at;
    scan.spaces();
    let joined = ["and ", "AND ", "/ ", "/", ", ", "& "].iter().find(|joint| scan.rest().starts_with(**joint));
    let Some(joint) = joined else {
        scan.at = before;
        return;
    };
    scan.at += joint.len();
    let found = place(scan).filter(|(_, case)| *case != Case::Lower).and_then(|_| mark(scan));
    if !found.is_some_and(|(mark, _)| is_agency(mark.of(head))) {
        scan.at = before;
    }
}

/// `, Kyodo -`, `. KAZINFORM`: a bare name behind a date, or a known agency.
fn bare_mark(scan: &mut Scan<'_>, separated: bool, has_date: bool) -> Option<(Span, AgencyStyle)> {
    let before = scan.at;
    let divided = scan.eat([',', '.']);
    (divided || separated).then_some(())?;
    scan.spaces();
    let start = scan.at;
    let mut end = start;
    for _ in 0..3 {
        let word = scan.word();
        let named = matches!(word_case(word), WordCase::Capitals | WordCase::Title);
        if !named {
            break;
        }
        end = scan.at;
        if word.ends_with('.') {
            end -= 1;
            break;
        }
        if is_agency(slice(scan.text, start, end)) {
            break;
        }
        let after = scan.at;
        if scan.dash() {
            scan.at = after;
            break;
        }
        scan.spaces();
    }
    let name = Span::new(start, end);
    scan.at = end;
    let dash_follows = {
        let dashed = scan.dash();
        scan.at = end;
        dashed
    };
    let good = !name.is_empty() && (is_agency(name.of(scan.text)) || has_date && dash_follows);
    scan.at = if good { end } else { before };
    good.then_some((name, AgencyStyle::Bare))
}

/// What ends the dateline; the scan then stands at the story proper.
fn close(scan: &mut Scan<'_>) -> Close {
    let stop = scan.peek().filter(|c| matches!(c, '.' | ':'));
    if stop.is_some() {
        scan.at += 1;
    }
    if scan.dash() {
        return Close::Dash;
    }
    scan.spaces();
    match (scan.rest().is_empty(), stop) {
        (true, _) => Close::EndOfLine,
        (false, Some(':')) => Close::Colon,
        (false, Some(_)) => Close::FullStop,
        (false, None) => Close::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{layout, testing::check};

    fn find(text: &str) -> Option<Dateline> {
        let mut anomalies = Vec::new();
        let blocks = layout::split(text, &mut anomalies);
        run(text, &blocks, &mut anomalies)
    }

    fn parts(text: &str) -> Vec<(&'static str, Span)> {
        let Some(dateline) = find(text) else { return Vec::new() };
        let body = Span::new(dateline.body_start as usize, dateline.body_start as usize + 1);
        [("place", dateline.place), ("date", dateline.date), ("agency", dateline.agency), ("body", Some(body))]
            .into_iter()
            .filter_map(|(label, span)| span.map(|span| (label, span)))
            .collect()
    }

    #[test]
    fn house_styles() {
        for marked in [
            "
VALLETTA, January 18. /MERIDIAN/. The talks ended.
^^^^^^^^ place
          ^^^^^^^^^^ date
                       ^^^^^^^^ agency
                                  ^ body
",
            "
LONDON (Reuters) - Rain fell.
^^^^^^ place
        ^^^^^^^ agency
                   ^ body
",
            "
LONDON, Jan 25 (Reuters) - Rain fell.
^^^^^^ place
        ^^^^^^ date
                ^^^^^^^ agency
                           ^ body
",
            "
WASHINGTON (AP) — Rain fell.
^^^^^^^^^^ place
            ^^ agency
                  ^ body
",
            "
BEIJING, Jan. 25 (Xinhua) -- Rain fell.
^^^^^^^ place
         ^^^^^^^ date
                  ^^^^^^ agency
                             ^ body
",
            "
NEW YORK, Jan 25, 2024 /PRNewswire/ -- Rain fell.
^^^^^^^^ place
          ^^^^^^^^^^^^ date
                        ^^^^^^^^^^ agency
                                       ^ body
",
            "
BERLIN (dpa) - Rain fell.
^^^^^^ place
        ^^^ agency
               ^ body
",
            "
PARIS, Jan 25 (AFP) – Rain fell.
^^^^^ place
       ^^^^^^ date
               ^^^ agency
                      ^ body
",
            "
TOKYO, Jan. 25, Kyodo - Rain fell.
^^^^^ place
       ^^^^^^^ date
                ^^^^^ agency
                        ^ body
",
            "
MOSCOW. Jan 25 (Interfax) - Rain fell.
^^^^^^ place
        ^^^^^^ date
                ^^^^^^^^ agency
                            ^ body
",
            "
PARIS/LONDON, June 3 (Northwire) - Rain fell.
^^^^^^^^^^^^ place
              ^^^^^^ date
                      ^^^^^^^^^ agency
                                   ^ body
",
            "
WASHINGTON and NEW YORK, June 3 (Northwire) - Rain fell.
^^^^^^^^^^^^^^^^^^^^^^^ place
                         ^^^^^^ date
                                 ^^^^^^^^^ agency
                                              ^ body
",
            "
SPRINGFIELD, Ill. (AP) _ Rain fell.
^^^^^^^^^^^^^^^^^ place
                   ^^ agency
                         ^ body
",
            "
KABUL, Afghanistan (AP) — Rain fell.
^^^^^^^^^^^^^^^^^^ place
                    ^^ agency
                          ^ body
",
            "
UNITED NATIONS (AP) — Rain fell.
^^^^^^^^^^^^^^ place
                ^^ agency
                      ^ body
",
            "
ST. PAUL, Minn., Jan. 25 (Northwire) — Rain fell.
^^^^^^^^^^^^^^^ place
                 ^^^^^^^ date
                          ^^^^^^^^^ agency
                                       ^ body
",
            "
Hobart, Friday (Southern Press) – Rain fell.
^^^^^^ place
        ^^^^^^ date
                ^^^^^^^^^^^^^^ agency
                                  ^ body
",
            "
london (Reuters) - Rain fell.
^^^^^^ place
        ^^^^^^^ agency
                   ^ body
",
            "
DUBAI, 25th January, 2024 (WAM) -- Rain fell.
^^^^^ place
       ^^^^^^^^^^^^^^^^^^ date
                           ^^^ agency
                                   ^ body
",
            "
(ANSA) - ROME, JAN 25 - Rain fell.
 ^^^^ agency
         ^^^^ place
               ^^^^^^ date
                        ^ body
",
            "
(Reuters) - Rain fell.
 ^^^^^^^ agency
            ^ body
",
            "
Madrid, Jan 25 (EFE).- Rain fell.
^^^^^^ place
        ^^^^^^ date
                ^^^ agency
                       ^ body
",
            "
BOSTON — Rain fell.
^^^^^^ place
         ^ body
",
            "
CHICAGO--(BUSINESS WIRE)--Rain fell.
^^^^^^^ place
          ^^^^^^^^^^^^^ agency
                          ^ body
",
            "
GREENVALE, Wis. (WXYZ) -- Rain fell.
^^^^^^^^^^^^^^^ place
                 ^^^^ agency
                          ^ body
",
            "
BOSTON—Rain fell.
^^^^^^ place
       ^ body
",
            "
MEXICO CITY (AP) Rain fell.
^^^^^^^^^^^ place
             ^^ agency
                 ^ body
",
            "
PARIS (AP) and LONDON (AP) - Rain fell.
^^^^^ place
       ^^ agency
                             ^ body
",
            "
london, jan 25 (reuters) - rain fell.
^^^^^^ place
        ^^^^^^ date
                ^^^^^^^ agency
                           ^ body
",
            "
new york, jan 25 (reuters) - rain fell.
^^^^^^^^ place
          ^^^^^^ date
                  ^^^^^^^ agency
                             ^ body
",
            "
kabul, afghanistan (ap) - rain fell.
^^^^^^^^^^^^^^^^^^ place
                    ^^ agency
                          ^ body
",
            "
New Delhi, Jan 25 (PTI) Rain fell.
^^^^^^^^^ place
           ^^^^^^ date
                   ^^^ agency
                        ^ body
",
            "
NEW DELHI: Rain fell on the town.
^^^^^^^^^ place
           ^ body
",
            "
MUMBAI, Jan 25: Rain fell on the town.
^^^^^^ place
        ^^^^^^ date
                ^ body
",
            "
New Delhi, Jan 25: Rain fell on the town.
^^^^^^^^^ place
           ^^^^^^ date
                   ^ body
",
            "
Frankfurt/Main (dpa) - Rain fell.
^^^^^^^^^^^^^^ place
                ^^^ agency
                       ^ body
",
            "
MOSCOW, January 25. /TASS Correspondent Ada Quill/. Rain fell.
^^^^^^ place
        ^^^^^^^^^^ date
                     ^^^^ agency
                                                    ^ body
",
            "
ASTANA, January 25. /TASS/. Rain fell.
^^^^^^ place
        ^^^^^^^^^^ date
                     ^^^^ agency
                            ^ body
",
            "
UNITED NATIONS, Jan 25 (Xinhua) -- Rain fell.
^^^^^^^^^^^^^^ place
                ^^^^^^ date
                        ^^^^^^ agency
                                   ^ body
",
            "
AIX-EN-PROVENCE, France, Jan 25 — \"Rain fell.\"
^^^^^^^^^^^^^^^^^^^^^^^ place
                         ^^^^^^ date
                                  ^ body
",
        ] {
            check(marked, parts);
        }
    }

    #[test]
    fn a_dateline_under_headline_and_byline() {
        check(
            "
Rain falls on the just
By Ada Quill

PORTO, Portugal (Northwire) — Rain fell.
^^^^^^^^^^^^^^^ place
                 ^^^^^^^^^ agency
                              ^ body
",
            parts,
        );
    }

    #[test]
    fn a_place_and_a_dash_on_a_line_of_their_own() {
        check(
            "
ATLANTA _
^^^^^^^ place

Rain fell on the town.
^ body
",
            parts,
        );
    }

    #[test]
    fn a_dateline_on_a_line_of_its_own() {
        check(
            "
BERLIN (dpa) -
^^^^^^ place
        ^^^ agency
Rain fell on the town.
^ body
",
            parts,
        );
    }

    #[test]
    fn ordinary_sentences_have_no_dateline() {
        for text in [
            "MOSCOW has said that it would reply.",
            "NATO - the Western alliance - said that it would reply.",
            "NATO — The alliance said so.",
            "London (population nine million) - the largest city - was quiet.",
            "The UN (United Nations) - said so.",
            "Mr Brown (Labour) - the member for Hull - rose.",
            "IBM (NYSE: IBM) - shares fell.",
            "BREAKING - Fire at the mill.",
            "UPDATE 2-Rotterdam crane drivers walk out",
            "UPDATE - Rain fell.",
            "EXCLUSIVE — Rain fell.",
            "RAIN - It fell all day.",
            "RAIN — It fell all day.",
            "RAIN: It fell all day.",
            "THE RAIN — It fell all day.",
            "NEW RULES — The board met.",
            "CHINA: Growth slows in the third quarter.",
            "WASHINGTON: A LIFE",
            "MONEY - It was all gone.",
            "HOT STUFF: The kitchen of the year.",
            "GOALS - Quill 12, Penrose 40.",
            "He told the agency (Reuters) - it was over.",
            "on monday, jan 25 (reuters) - rain fell.",
            "the river (reuters) - rain fell.",
            "in london (reuters) - rain fell.",
            "Paris: Rain fell all day.",
            "Paris - Rain fell all day.",
            "Rain, Jan 25: It fell all day.",
            "Either/Or - that is the question.",
            "WEATHER/ - It fell all day.",
            "FREE — Books for all.",
            "I - Rain fell.",
            "US - Rain fell.",
            "Paris, January 25. It rained.",
            "On January 25 (Thursday) - it rained.",
            "LONDON, Paris and Rome agreed.",
            "LONDON",
            "LONDON - a city of rain - was quiet.",
            "A man (AP) said so.",
            "Reuters - The agency said so.",
            "In Berlin, May 3 (a Friday) was quiet.",
            "JOHN SMITH, of Leeds, said so.",
            "",
            "(Adds quotes) - Rain fell.",
            "/dev/null - Rain fell.",
            "CHILE-MINERS/ (PIX, TV) - Rescue teams hope.",
            "LAKES-WATER/ - Level of the lake.",
            "Jones, Friday (his day off) - was in bed.",
            "WHAT'S NEXT? The vote.",
            "May 3 (Reuters said) - it rained.",
            "ADA QUILL - Managing director, Northwire",
            "By ADA QUILL and JO PENROSE, Associated Press BOSTON (AP) — Rain fell.",
        ] {
            assert_eq!(find(text), None, "in {text:?}");
        }
    }

    #[test]
    fn a_date_without_a_year_is_told() {
        let told = |text: &str| {
            let mut anomalies = Vec::new();
            let blocks = layout::split(text, &mut anomalies);
            run(text, &blocks, &mut anomalies).expect("a dateline");
            anomalies
                .into_iter()
                .map(|anomaly| (anomaly.code, anomaly.span.map(|span| span.of(text).to_owned())))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("LONDON, Jan 25 (Reuters) - Rain."), [("date.no_year", Some("Jan 25".to_owned()))]);
        assert_eq!(told("LONDON, Jan 25, 2024 (Reuters) - Rain."), []);
        assert_eq!(told("Hobart, Friday (Southern Press) – Rain."), []);
    }

    #[test]
    fn a_declared_dateline_stands_on_the_first_line() {
        let line = "Skarra, 4 mars 2031 (NW)";
        let text = format!("{line}\nLe corail repousse.");
        let story = Story {
            dateline: Some(line.to_owned()),
            text: text.clone(),
            ..Story::blank(crate::story::Format::Newsml1)
        };
        let dateline = declared(&story).expect("a dateline");
        assert_eq!(dateline.place.map(|span| span.of(&text)), Some("Skarra"));
        assert_eq!(dateline.agency.map(|span| span.of(&text)), Some("NW"));
        assert_eq!(from(&text, dateline.body_start as usize), "Le corail repousse.");
        assert_eq!(declared(&Story { text: "Le corail.".to_owned(), ..story }), None);
    }
}

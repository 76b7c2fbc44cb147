//! ANPA 1312: the high-speed wire of the North American agencies.
//!
//! ```text
//! ␖␖␁W1234␟desks␍␊                               service letter, number; selector
//! r a␓␑BC-US--Footbridge    03-04 0318␍␊          priority, category, format; keyword; date, words
//! ␂^BC-US--Footbridge Collapse, 1st Ld-Writethru,0318<␍␊
//! ^Footbridge gives way<␍␊                        header lines: slug, headline, notes, byline
//! ^By JANE DOE=␍␊
//! ⇥   SPRINGFIELD, Ill. (AP) _ A bridge …␍␊       a tab begins a paragraph
//! ␃AP-WF-03-04-31 0506GMT<␍␊␄                     trailer: agency, wire, day, hour
//! ```
//!
//! Standard: ANPA (now News Media Alliance) Technical Report 1312, "High-Speed Wire Service
//! Transmission Guidelines", as the North American agencies use it.
//!
//! Read: all of the above, several transmissions in a row, the take and version words of the slug
//! line, tabular copy line by line, teletypesetters' quotation marks and dashes, header lines that
//! have no mark and stand above the first paragraph, several header elements on one line. Transmissions
//! of which the controls were stripped on the way are read by their lines (`wire.no_controls`).
//!
//! Not read: typesetting commands other than `^`, `<`, `=` and the half fraction; the "Adv" mark
//! gives a withheld story, but no date of release.

use serde_json::{Value, json};

use super::{DecodeError, STORIES_MAX, Stories, charset, newsml_g2, note_once, times, wire};
use crate::{
    story::{Anomaly, DeclaredStatus, Format, Markup, MarkupKind, Story},
    text::{Span, from, until},
};

/// Bytes at the head of an input that are looked at to tell the format.
const HEAD_BYTES: usize = 512;
/// Lines at the end of a transmission among which a trailer without its mark is looked for.
const TRAILER_LINES: usize = 8;

/// Whether the bytes open like an ANPA transmission.
pub(super) fn is_it(input: &[u8]) -> bool {
    let head = input.get(..input.len().min(HEAD_BYTES)).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let opening = head.trim_start_matches(|c: char| c.is_control() || c == ' ' || c == '\u{fffd}');
    let Some((service, rest)) = service_and_number(opening) else { return false };
    if rest.starts_with('\u{1f}') {
        return true;
    }
    // The controls were lost: the two header lines must be whole.
    let mut lines = from(opening, service.len()).lines();
    let selector = lines.next().unwrap_or_default().trim_end();
    let is_selector = selector.len() <= 16 && selector.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_selector
        && lines.find(|line| !line.trim().is_empty()).and_then(Header::read).is_some_and(|header| header.has_date)
}

/// `W1234`, and what follows.
fn service_and_number(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let fits = bytes.first()?.is_ascii_alphabetic() && bytes.get(1..5)?.iter().all(u8::is_ascii_digit);
    let ends = bytes.get(5).is_none_or(|byte| !byte.is_ascii_digit());
    (fits && ends).then(|| (until(text, 5), from(text, 5)))
}

/// The urgency in the second header line, where the head is that of an ANPA transmission.
pub(super) fn peek_urgency(head: &str) -> Option<u8> {
    if !is_it(head.as_bytes()) {
        return None;
    }
    let opening = head.trim_start_matches(|c: char| c.is_control() || c == ' ');
    let header = opening.lines().skip(1).find(|line| !line.trim().is_empty()).and_then(Header::read)?;
    urgency(header.priority)
}

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = wire::without_references(charset::decode(input)?);
    let stories = wire::transmissions(&decoded.text).into_iter().take(STORIES_MAX + 1).map(|span| {
        let mut story = Story { encoding: decoded.encoding, ..Story::blank(Format::Anpa1312) };
        wire::note_encoding(&decoded.anomalies, &mut story);
        read(span.of(&decoded.text), &mut story);
        Ok(story)
    });
    Ok(stories.collect())
}

/// The second header line.
#[derive(Debug, Default)]
struct Header {
    priority: char,
    category: char,
    keyword: String,
    date: String,
    words: Option<u32>,
    is_tabular: bool,
    has_date: bool,
}

impl Header {
    /// `r a␓␑BC-US--Footbridge    03-04 0318`.
    fn read(line: &str) -> Option<Self> {
        let is_tabular = line.contains('\u{12}');
        let spaced: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut tokens: Vec<&str> = spaced.split_whitespace().collect();
        if tokens.len() < 2 {
            return None;
        }
        let letter = |token: &str| token.chars().next().filter(|c| token.len() == 1 && c.is_ascii_alphanumeric());
        let (priority, category) = (letter(tokens.first()?)?, letter(tokens.get(1)?)?);
        tokens.drain(..2);
        let words = tokens.last().and_then(|token| {
            let is_count = token.len() <= 5 && token.bytes().all(|byte| byte.is_ascii_digit());
            token.parse().ok().filter(|_| is_count)
        });
        if words.is_some() {
            tokens.pop();
        }
        let date = tokens.last().copied().filter(|token| is_day(token)).unwrap_or_default().to_owned();
        let has_date = !date.is_empty();
        if has_date {
            tokens.pop();
        }
        Some(Self { priority, category, keyword: tokens.join(" "), date, words, is_tabular, has_date })
    }
}

/// `03-04`.
fn is_day(token: &str) -> bool {
    token.split_once('-').is_some_and(|(month, day)| {
        let number = |part: &str| part.len() <= 2 && part.parse::<u8>().is_ok();
        number(month) && number(day)
    })
}

/// 1 to 9 for the letters of the priority.
fn urgency(priority: char) -> Option<u8> {
    match priority.to_ascii_lowercase() {
        'f' => Some(1),
        'b' => Some(2),
        'u' => Some(3),
        'r' => Some(4),
        'd' => Some(5),
        'a' | 'w' | 's' => Some(6),
        'z' => Some(8),
        digit => digit.to_digit(10).filter(|digit| (1..=9).contains(digit)).map(|digit| digit as u8),
    }
}

fn read(transmission: &str, story: &mut Story) {
    let mut parts = wire::parts(transmission.trim_start_matches(|c: char| c.is_control() || c == ' '));
    if !parts.has_start {
        story.anomalies.push(Anomaly::story("wire.no_controls"));
        // Two header lines, then the text.
        let first = line_end(parts.body, 0);
        let second = line_end(parts.body, first);
        (parts.header, parts.body) = (until(parts.body, second), from(parts.body, second));
    } else if !parts.has_end {
        story.anomalies.push(Anomaly::story("wire.no_end"));
    }
    if parts.trailer.trim().is_empty() {
        let at = trailer_at(parts.body);
        (parts.body, parts.trailer) = (until(parts.body, at), from(parts.body, at));
    }
    let mut lines = parts.header.split('\n').filter(|line| !line.trim().is_empty());
    let number = read_first_line(lines.next().unwrap_or_default(), story);
    match lines.next().and_then(Header::read) {
        Some(header) => read_header(&header, story),
        None => story.anomalies.push(Anomaly::story("wire.header_unread")),
    }
    read_trailer(parts.trailer, story);
    read_body(parts.body, story);
    if let Some(number) = number {
        // The numbers of a wire start again every day.
        let day = story.reference_time.as_ref().map(|time| until(&time.value, 10).to_owned());
        let day = day.or_else(|| story.extra.get("anpa1312.date").and_then(Value::as_str).map(str::to_owned));
        story.id = day.map_or(number.clone(), |day| format!("{number}-{day}"));
    }
}

/// The end of the first line from `start` that is not blank, line end and all.
fn line_end(text: &str, start: usize) -> usize {
    let rest = from(text, start);
    let content = rest.len() - rest.trim_start().len();
    from(rest, content).find('\n').map_or(text.len(), |at| start + content + at + 1)
}

/// Service letter, number and selector; gives the first two.
fn read_first_line(line: &str, story: &mut Story) -> Option<String> {
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    let (number, selector) = service_and_number(clean)?;
    put(story, "transmission", json!(number));
    let selector = selector.trim();
    if !selector.is_empty() {
        put(story, "selector", json!(selector));
    }
    Some(number.to_owned())
}

fn read_header(header: &Header, story: &mut Story) {
    put(story, "priority", json!(header.priority.to_string()));
    story.urgency = urgency(header.priority);
    if story.urgency.is_none() {
        story.anomalies.push(Anomaly::story("wire.priority_unknown"));
    }
    story.category = Some(header.category.to_string());
    story.keyword = Some(header.keyword.clone()).filter(|keyword| !keyword.is_empty());
    if header.is_tabular {
        put(story, "format", json!("tabular"));
    }
    if header.has_date {
        put(story, "date", json!(header.date));
    }
    if let Some(words) = header.words {
        put(story, "word_count", json!(words));
        story.word_count_declared = Some(words).filter(|words| *words > 0);
    }
}

/// Where a trailer starts that lost its mark: near the end, on a line of its own.
fn trailer_at(body: &str) -> usize {
    let mut end = body.len();
    for _ in 0..TRAILER_LINES {
        let start = until(body, end).rfind('\n').map_or(0, |at| at + 1);
        if trailer(until(from(body, start), end - start)).is_some() {
            return start;
        }
        if start == 0 {
            break;
        }
        end = start - 1;
    }
    body.len()
}

/// `AP-WF-03-04-31 0506GMT<`: the agency, the wire, the time.
fn trailer(line: &str) -> Option<(String, String, times::Time)> {
    let line = wire::plain_line(line);
    let line = line.trim_matches(['\t', ' ', '^', '<', '=']);
    let (agency, rest) = line.split_once('-')?;
    if let Some(time) = times::read_clock_first_trailer(rest)
        && (1..=8).contains(&agency.len())
        && agency.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Some((agency.to_owned(), String::new(), time));
    }
    let (wire, rest) = rest.split_once('-')?;
    let fits = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let time = times::read_anpa_trailer(rest)?;
    (fits(agency) && fits(wire)).then(|| (agency.to_owned(), wire.to_owned(), time))
}

fn read_trailer(text: &str, story: &mut Story) {
    let Some(line) = text.split('\n').find(|line| line.contains(|c: char| c.is_alphanumeric())) else { return };
    let Some((agency, wire_name, time)) = trailer(line) else {
        put(story, "trailer", json!(wire::join(&wire::plain_line(line))));
        story.anomalies.push(Anomaly::story("wire.trailer_unread"));
        return;
    };
    story.source = Some(agency.to_uppercase());
    if !wire_name.is_empty() {
        put(story, "wire", json!(wire_name));
    }
    times::take_trailer(time, story);
}

/// A line of the copy.
struct Line {
    words: String,
    is_header: bool,
    begins: bool,
    ends: bool,
}

impl Line {
    fn read(raw: &str) -> Option<Self> {
        let is_tab_line = raw.starts_with(['\t', '\u{8}']);
        let clean = wire::plain_line(raw);
        let trimmed = clean.trim();
        let is_header = trimmed.starts_with('^');
        let ends = trimmed.ends_with(['<', '=']) && trimmed != "<=";
        let words = trimmed.trim_start_matches('^').trim_end_matches(['<', '=']).trim();
        // Two strokes stand before a sign-off.
        let begins = is_tab_line || clean.starts_with("   ") || trimmed.starts_with("==");
        (!words.is_empty()).then(|| Self { words: wire::typeset(words), is_header, begins, ends })
    }
}

/// Figures of a line by which it is a row of a table.
const ROW_FIGURES_MIN: usize = 3;

/// `Tampa Bay 73  52  .584   _`: a row of which the columns are set apart by blanks.
fn is_row(words: &str) -> bool {
    let is_figure = |word: &&str| {
        matches!(*word, "—" | "_" | "{")
            || word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'{'))
                && word.bytes().any(|byte| byte.is_ascii_digit())
    };
    words.len() <= 80
        && !words.ends_with(['.', ','])
        && words.split_whitespace().filter(is_figure).count() >= ROW_FIGURES_MIN
}

/// Header lines without a mark.
const UNMARKED_LINES_MAX: usize = 8;

/// The header elements of a line; a line of anything else is one.
fn split_elements(line: &str) -> Vec<&str> {
    if !line.starts_with('^') || !line.contains("< ^") {
        return vec![line];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for at in memchr::memmem::find_iter(line.as_bytes(), b"< ^") {
        parts.push(until(from(line, start), at + 1 - start));
        start = at + 2;
    }
    parts.push(from(line, start));
    parts
}

fn read_body(body: &str, story: &mut Story) {
    let mut lines: Vec<Line> = Vec::new();
    let is_tabular = story.extra.contains_key("anpa1312.format");
    // Whether the next line goes on with the one above.
    let mut open = false;
    // Two header elements on one line: `^*9006< ^AP-Headlines,0176<`.
    let elements = |line| split_elements(line);
    for raw in body.split('\n').flat_map(elements) {
        let Some(line) = Line::read(raw) else {
            // An empty line closes a paragraph of running copy.
            open &= !raw.trim().is_empty();
            continue;
        };
        let goes_on = open && !line.is_header && !line.begins && !is_row(&line.words);
        match lines.last_mut().filter(|_| goes_on) {
            Some(above) => {
                above.words.push(' ');
                above.words.push_str(&line.words);
                above.ends = line.ends;
            }
            None => lines.push(line),
        }
        open = lines.last().is_some_and(|last| !last.ends && (last.is_header || last.begins) && !is_tabular);
    }
    if lines.iter().all(|line| !line.is_header) {
        // Agencies that write no marks set the paragraphs in, and not the header.
        let first = lines.iter().position(|line| line.begins).unwrap_or(0);
        if (1..=UNMARKED_LINES_MAX).contains(&first) {
            for line in lines.iter_mut().take(first) {
                line.is_header = true;
                line.words = line.words.trim_end_matches(['+', ' ']).to_owned();
            }
        }
    }
    let header_lines = lines.iter().take_while(|line| line.is_header).count();
    // What stands below the byline and the author's house belongs to the copy.
    let byline = lines.iter().take(header_lines).position(|line| is_byline(&line.words));
    let houses = byline.map(|at| at + 1 + lines.iter().skip(at + 1).take_while(|line| is_house(&line.words)).count());
    let copy = lines.split_off(houses.unwrap_or(header_lines).min(header_lines));
    read_header_lines(&lines, story);
    if copy.is_empty() {
        // A list of headlines, a kill: what the header holds beside the slug is the copy.
        let slug = 1 + lines.iter().take_while(|line| is_serial(&line.words)).count();
        let copy =
            lines.iter().skip(slug).map(|line| line.words.as_str()).filter(|words| wire::status(words).is_none());
        story.text = copy.collect::<Vec<_>>().join("\n");
        // It is all in the text.
        story.summary = None;
        newsml_g2::drop_repeated_headline(story);
        return;
    }
    for line in copy {
        if !story.text.is_empty() {
            story.text.push('\n');
        }
        let start = story.text.len();
        let has_columns = line.words.matches(';').count() >= 2;
        let is_row = !line.begins && (has_columns || is_row(&line.words));
        if is_row {
            let row = line.words.trim_start_matches(';').replace('{', "½");
            story.text.push_str(&if has_columns { row.replace(';', "\t") } else { row });
        } else {
            story.text.push_str(&line.words);
        }
        let kind = if is_row {
            MarkupKind::TableRow
        } else if line.is_header {
            MarkupKind::Heading
        } else {
            continue;
        };
        story.markup.push(Markup { span: Span::new(start, story.text.len()), kind });
    }
}

fn read_header_lines(lines: &[Line], story: &mut Story) {
    let mut bylines: Vec<&str> = Vec::new();
    let mut notes: Vec<&str> = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    let mut art: Vec<&str> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let words = line.words.as_str();
        let low = until(words, words.floor_char_boundary(24)).to_lowercase();
        let low = low.trim_start_matches(['(', '[', '*', ' ']);
        if story.slugline.is_none() && index <= 1 && is_slug(words, story) {
            read_slug(words, story);
        } else if index == 0 && is_serial(words) {
            put(story, "serial", json!(words.trim_start_matches('*')));
        } else if low.starts_with("eds:") || low.starts_with("eds.:") || low.starts_with("editors") {
            notes.push(words);
        } else if low.starts_with("ap photo") || low.starts_with("with ap ") || low.starts_with("photo") {
            art.push(words);
        } else if is_byline(words) || !bylines.is_empty() {
            bylines.push(words);
        } else if low.starts_with("for ") && story.status == Some(DeclaredStatus::Withheld) {
            notes.push(words);
        } else if let Some((kind, number)) = wire::status(words) {
            set_status(story, kind, number);
        } else {
            others.push(words);
        }
    }
    let mut others = others.into_iter();
    story.headline = others.next().map(str::to_owned);
    let rest: Vec<&str> = others.collect();
    if !rest.is_empty() {
        story.summary = Some(rest.join(" "));
    }
    if !bylines.is_empty() {
        story.byline = Some(bylines.join(", "));
    }
    if !notes.is_empty() {
        story.ednote = Some(notes.join(" "));
    }
    if !art.is_empty() {
        put(story, "art", json!(art));
    }
}

fn is_byline(words: &str) -> bool {
    words.len() <= 120 && matches!(words.split(' ').next(), Some("By" | "BY" | "by"))
}

/// What stands under a name: `Associated Press`, `AP Sports Writer`.
fn is_house(words: &str) -> bool {
    const WORDS: [&str; 10] =
        ["press", "writer", "writers", "correspondent", "reporter", "editor", "staff", "columnist", "news", "service"];
    let low = words.to_lowercase();
    words.len() <= 80 && (is_byline(words) || low.split([' ', '/', ',']).any(|word| WORDS.contains(&word)))
}

/// `*9006`: a number for the machines of the receiver.
fn is_serial(words: &str) -> bool {
    words.strip_prefix('*').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The first header line is the slug where it shares its opening with the keyword, or looks so.
fn is_slug(words: &str, story: &Story) -> bool {
    let keyword = story.keyword.as_deref().unwrap_or_default();
    let opening = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).take(6).collect::<String>().to_lowercase();
    words.contains("--") || words.starts_with("BC-") || (!keyword.is_empty() && opening(words) == opening(keyword))
}

/// `BC-US--Footbridge Collapse, 1st Ld-Writethru,0318`.
fn read_slug(words: &str, story: &mut Story) {
    let mut parts: Vec<&str> = words.split(',').map(str::trim).collect();
    let count = parts.last().and_then(|last| last.parse::<u32>().ok()).filter(|_| parts.len() > 1);
    if count.is_some() {
        parts.pop();
    }
    for part in parts.iter().skip(1) {
        let low = part.to_lowercase();
        if let Some((kind, number)) = wire::status(part) {
            if kind == DeclaredStatus::Withheld {
                put(story, "advance", json!(part));
            }
            set_status(story, kind, number.filter(|_| kind != DeclaredStatus::Withheld));
        } else if low.ends_with(" add") || low.ends_with(" take") || low.starts_with("take ") {
            story.take = Some((*part).to_owned());
        }
    }
    story.slugline = Some(parts.join(", ")).filter(|slug| !slug.is_empty());
    // The slug counts the words of the story; the header, of which some agencies make other use,
    // those of the transmission.
    story.word_count_declared = count.or(story.word_count_declared);
}

fn set_status(story: &mut Story, kind: DeclaredStatus, number: Option<u32>) {
    if story.status.is_some_and(|known| known != kind) {
        note_once(&mut story.anomalies, "status.disagrees");
    }
    if story.status != Some(DeclaredStatus::Kill) {
        story.status = Some(kind);
    }
    story.version = number.or(story.version);
}

fn put(story: &mut Story, name: &str, value: Value) {
    story.extra.insert(format!("anpa1312.{name}"), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_told_by_their_shape() {
        let header = Header::read("r a\u{13}\u{11}BC-US--Footbridge    03-04 0318").expect("a header");
        assert_eq!((header.priority, header.category, header.keyword.as_str()), ('r', 'a', "BC-US--Footbridge"));
        assert_eq!((header.date.as_str(), header.words, header.is_tabular), ("03-04", Some(318), false));
        assert!(Header::read("Dear reader").is_none());
        assert!(Header::read("").is_none());
    }

    #[test]
    fn told_with_and_without_controls() {
        assert!(is_it(b"\x16\x16\x01W1234\x1fdesks\r\n"));
        assert!(is_it(b"W1234desks\nr a BC-US--Footbridge    03-04 0318\n^BC"));
        assert!(!is_it(b"A1234 was the number of the bus.\nIt left at 03-04 0318"));
        assert!(!is_it(b"W1234"));
    }
}

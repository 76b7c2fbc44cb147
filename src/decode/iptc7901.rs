//! IPTC 7901: the wire of the European agencies, and of agencies all over the world.
//!
//! ```text
//! ␁nwe0123 3 i 0210 nw 0045␍␊        source and number, priority, category, words, further words
//! Ardenby/floods/␍␊                  slug line, ended by a stroke
//! ␂1ST LEAD␍␊                        words of status, each on a line
//! Ardenby pumps run dry␍␊            headline
//! By Jane Doe =␍␊                    byline; = ends the header
//! ␍␊
//! Ardenby (Northwire) - Pumps …␍␊    hard-wrapped lines, paragraphs set apart by a blank line
//! nw jd rs␍␊                         sign-off
//! ␃041306 GMT Mar 31␍␊␄              trailer: day, hour, minute, zone, month, year
//! ```
//!
//! Standard: IPTC Recommendation 7901, "The IPTC Recommended Message Format", as agencies use it.
//!
//! Read: all of the above, several transmissions in a row, transmissions between `ZCZC` and
//! `NNNN` with their routing lines and the codes of telex desks (`$` category, `:` slug), headers
//! with loose spacing, slugs without a stroke that stand in a paragraph of their own, copy of which
//! the lines are not wrapped. Notes that are
//! not for publication (from `# Notebook`, or the line that says so, to the end) are kept as the
//! note to editors, not as text. Transmissions of which the controls were stripped on the way
//! are read by their lines (`wire.no_controls`).
//!
//! Not read: what an agency means by its category letters; tables are kept line by line.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{DecodeError, STORIES_MAX, Stories, charset, note_once, times, wire};
use crate::{
    story::{Anomaly, DeclaredStatus, Format, Markup, MarkupKind, Story},
    text::{Span, from, until},
};

const HEAD_BYTES: usize = 512;
/// Lines between the slug and the copy: status, headline, byline.
const HEADER_LINES_MAX: usize = 8;
/// Longest line of a header.
const HEADER_LINE_BYTES_MAX: usize = 160;
/// Lines at the end among which the trailer is looked for.
const TRAILER_LINES: usize = 6;

/// Whether the bytes open like a 7901 transmission.
pub(super) fn is_it(input: &[u8]) -> bool {
    let head = input.get(..input.len().min(HEAD_BYTES)).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let opening = head.trim_start_matches(|c: char| c.is_control() || c == ' ' || c == '\u{fffd}');
    if opening.starts_with("ZCZC") {
        return opening.get(4..5).is_none_or(|next| next.trim().is_empty());
    }
    let line = opening.lines().next().unwrap_or_default();
    let has_mark = until(&head, head.len() - opening.len()).contains(wire::SOH);
    // Without SOH only a whole header counts, with source and number in one word.
    let is_whole =
        |header: &Header| header.words.is_some() && line.starts_with(&format!("{}{}", header.source, header.number));
    Header::read(line).is_some_and(|header| has_mark || is_whole(&header))
}

/// The priority of the header line, where the head is that of a 7901 transmission.
pub(super) fn peek_urgency(head: &str) -> Option<u8> {
    if !is_it(head.as_bytes()) {
        return None;
    }
    let is_mark = |line: &str| line.trim().is_empty() || line.trim_start_matches(wire::SOH).starts_with("ZCZC");
    let opening = head.trim_start_matches(|c: char| c.is_control() || c == ' ');
    opening.lines().find(|line| !is_mark(line)).and_then(Header::read)?.priority
}

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = wire::without_references(charset::decode(input)?);
    let stories = transmissions(&decoded.text).into_iter().take(STORIES_MAX + 1).map(|span| {
        let mut story = Story { encoding: decoded.encoding, ..Story::blank(Format::Iptc7901) };
        wire::note_encoding(&decoded.anomalies, &mut story);
        read(span.of(&decoded.text), &mut story);
        Ok(story)
    });
    Ok(stories.collect())
}

/// Transmissions start with SOH or with a line `ZCZC`.
fn transmissions(text: &str) -> Vec<Span> {
    let starts: Vec<usize> = memchr::memmem::find_iter(text.as_bytes(), b"ZCZC")
        .filter(|at| *at == 0 || until(text, *at).ends_with(['\n', wire::SOH, ' ']))
        .collect();
    if starts.is_empty() {
        return wire::transmissions(text);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| Span::new(*start, end)).collect()
}

/// The first line.
#[derive(Debug)]
struct Header {
    source: String,
    number: String,
    priority: Option<u8>,
    category: String,
    words: Option<u32>,
    rest: String,
}

impl Header {
    /// `nwe0123 3 i 0210 nw 0045`; the number may stand apart from the source.
    fn read(line: &str) -> Option<Self> {
        let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut tokens = clean.split_whitespace().peekable();
        let first = tokens.next()?;
        let letters = first.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (source, mut number) = (until(first, letters), from(first, letters));
        if number.is_empty() {
            number = tokens.next()?;
        }
        let is_number = |token: &str, most: usize| {
            (1..=most).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !(1..=6).contains(&letters) || !is_number(number, 5) {
            return None;
        }
        let priority = tokens.next().filter(|token| is_number(token, 1))?.parse().ok();
        let category = tokens.next().filter(|token| token.len() <= 4 && token.chars().all(char::is_alphabetic))?;
        let words = tokens.next_if(|token| is_number(token, 6)).and_then(|token| token.parse().ok());
        Some(Self {
            source: source.to_owned(),
            number: number.to_owned(),
            priority,
            category: category.to_owned(),
            words,
            rest: tokens.collect::<Vec<_>>().join(" "),
        })
    }
}

fn read(transmission: &str, story: &mut Story) {
    let mut parts = wire::parts(transmission.trim_start_matches(|c: char| c.is_control() || c == ' '));
    let telex = parts.header.starts_with("ZCZC") || parts.body.starts_with("ZCZC");
    if !parts.has_start {
        if !telex {
            story.anomalies.push(Anomaly::story("wire.no_controls"));
        }
        let end = parts.body.find('\n').map_or(parts.body.len(), |at| at + 1);
        (parts.header, parts.body) = (until(parts.body, end), from(parts.body, end));
    } else if !parts.has_end {
        story.anomalies.push(Anomaly::story("wire.no_end"));
    }
    let mut lines = parts.header.split('\n');
    read_first_line(lines.next().unwrap_or_default(), story);
    for line in lines {
        read_slug_line(line, story);
    }
    let mut body: Vec<Cow<'_, str>> = parts.body.split('\n').map(wire::plain_line).collect();
    if telex {
        let end = body.iter().rposition(|line| line.trim() == "NNNN");
        body.truncate(end.unwrap_or(body.len()));
    }
    if telex && body.first().is_some_and(|line| is_routing(line)) {
        put(story, "routing", json!(body.remove(0).trim()));
    }
    if telex {
        take_codes(&mut body, story);
        for line in &mut body {
            if let Some(words) = without_telex_marks(line) {
                *line = Cow::Owned(words);
            }
        }
    }
    take_header_below(&mut body, story);
    read_trailer(parts.trailer, &mut body, story);
    let notes = may_have_notes(parts.body).then(|| body.iter().position(|line| is_not_for_publication(line))).flatten();
    let notes: Vec<Cow<'_, str>> = notes.map(|at| body.split_off(at)).unwrap_or_default();
    let copy = read_header_lines(&body, parts.has_start, story);
    write_copy(body.get(copy..).unwrap_or_default(), story);
    let notes = notes.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    if !notes.is_empty() {
        story.ednote = Some(story.ednote.take().map_or(notes.clone(), |first| format!("{first}\n{notes}")));
    }
}

/// A header that stands below `ZCZC`, or once more below STX.
fn take_header_below(body: &mut Vec<Cow<'_, str>>, story: &mut Story) {
    let Some(at) = body.iter().position(|line| !line.trim().is_empty()) else { return };
    let Some(line) = body.get(at).map(|line| line.clone().into_owned()) else { return };
    let header = Header::read(&line).filter(|header| story.id.is_empty() || header.words.is_some());
    if header.is_some() {
        read_first_line(&line, story);
        body.drain(..=at);
    }
}

/// `YY TDA`: for the machines between sender and receiver.
fn is_routing(line: &str) -> bool {
    let line = line.trim();
    (1..=12).contains(&line.len()) && line.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')
}

/// Lines of codes above a telex, each with a mark of its own.
const CODE_LINES_MAX: usize = 12;

/// `%MNETALL`, `$J`, `:Ferries`, `*X`.
fn take_codes(body: &mut Vec<Cow<'_, str>>, story: &mut Story) {
    let is_code =
        |line: &str| line.starts_with(['%', '$', ':', '*', '@']) && !line.starts_with("* ") && line.len() <= 80;
    let count = body.iter().take(CODE_LINES_MAX).take_while(|line| is_code(line.trim())).count();
    for line in body.drain(..count) {
        let line = line.trim();
        let words = from(line, 1).trim();
        match until(line, 1) {
            "$" if !words.is_empty() => story.category = Some(words.to_owned()),
            ":" if !words.is_empty() && story.slugline.is_none() => story.slugline = Some(words.to_owned()),
            _ if words.is_empty() => {}
            _ => put_line(story, "codes", line),
        }
    }
}

/// `<STRADBROKE PLATE .=!` → `STRADBROKE PLATE .`: the marks with which typesetters are told of a line.
fn without_telex_marks(line: &str) -> Option<String> {
    let words = line.trim_end();
    let ended = words.strip_suffix("<!").or_else(|| words.strip_suffix("=!"));
    let began = ended.unwrap_or(words).strip_prefix('<');
    began.or(ended).map(str::to_owned)
}

fn read_first_line(line: &str, story: &mut Story) {
    let Some(header) = Header::read(line) else {
        let line = wire::join(&wire::plain_line(line));
        if !line.is_empty() {
            put(story, "header", json!(line));
        }
        if !line.starts_with("ZCZC") {
            story.anomalies.push(Anomaly::story("wire.header_unread"));
        }
        return;
    };
    story.source = Some(header.source.clone());
    story.urgency = header.priority.filter(|priority| *priority > 0);
    story.category = Some(header.category);
    story.word_count_declared = header.words.filter(|words| *words > 0);
    put(story, "transmission", json!(format!("{}{}", header.source, header.number)));
    if !header.rest.is_empty() {
        put(story, "further", json!(header.rest));
    }
    story.id = format!("{}{}", header.source, header.number);
}

/// Lines between the header and STX make the slug.
fn read_slug_line(line: &str, story: &mut Story) {
    let line = wire::join(&wire::plain_line(line));
    if line.is_empty() {
        return;
    }
    match &mut story.slugline {
        Some(slug) => {
            slug.push(' ');
            slug.push_str(&line);
        }
        None => story.slugline = Some(line.trim_matches('/').to_owned()),
    }
}

/// The trailer stands after ETX, or on one of the last lines.
fn read_trailer(trailer: &str, body: &mut Vec<Cow<'_, str>>, story: &mut Story) {
    let after = trailer.split('\n').map(wire::plain_line).find(|line| !line.trim().is_empty());
    let time = after.as_deref().and_then(times::read_7901_trailer).or_else(|| {
        let last = body.len().saturating_sub(TRAILER_LINES);
        let at = (last..body.len())
            .rev()
            .find(|at| body.get(*at).is_some_and(|line| times::read_7901_trailer(line).is_some()))?;
        let time = times::read_7901_trailer(body.get(at)?);
        body.truncate(at);
        time
    });
    match time {
        Some(time) => {
            if !story.id.is_empty() {
                story.id = format!("{}-{}", story.id, until(&time.value, 10));
            }
            times::take_trailer(time, story);
        }
        None => {
            if let Some(line) = after {
                put(story, "trailer", json!(wire::join(&line)));
                story.anomalies.push(Anomaly::story("wire.trailer_unread"));
            }
        }
    }
}

/// Most transmissions hold no such line; one look at the whole is cheaper than one at each line.
fn may_have_notes(body: &str) -> bool {
    const PARTS: [&str; 6] = ["ublica", "UBLICA", "ffentl", "FFENTL", "# ", "otebook"];
    PARTS.iter().any(|part| memchr::memmem::find(body.as_bytes(), part.as_bytes()).is_some())
}

fn is_not_for_publication(line: &str) -> bool {
    const HEADS: [&str; 4] = ["# notebook", "# notizblock", "eds: not for publication", "not for publication"];
    const INSIDE: [&str; 4] = [
        "following information is not for publication",
        "following information is not intended for publication",
        "information is not for publication",
        "nicht zur veröffentlichung",
    ];
    let head = until(line, line.floor_char_boundary(HEADER_LINE_BYTES_MAX)).trim();
    let low = head.to_lowercase();
    let low = low.trim_start_matches('*').trim();
    let is_notebook = low.starts_with('#') && (low.contains("notebook") || low.contains("notizblock"));
    is_notebook || HEADS.iter().any(|head| low.starts_with(head)) || INSIDE.iter().any(|words| low.contains(words))
}

/// Reads slug, status, headline and byline at the head of the body; where the copy starts.
fn read_header_lines(body: &[Cow<'_, str>], has_start: bool, story: &mut Story) -> usize {
    let end = header_end(body, has_start);
    let mut headline: Vec<&str> = Vec::new();
    let mut byline: Vec<&str> = Vec::new();
    let slug = slug_paragraph(body.get(..end).unwrap_or_default()).filter(|_| story.slugline.is_none());
    if let Some(slug) = slug {
        story.slugline = body.get(slug).map(|line| line.trim().to_owned());
    }
    let lines = body.iter().take(end).enumerate().filter(|(at, _)| Some(*at) != slug);
    for line in lines.map(|(_, line)| line.trim()).filter(|line| !line.is_empty()) {
        let words = line.trim_end_matches('=').trim();
        let low = words.to_lowercase();
        if words.is_empty() {
            continue;
        }
        if let Some((kind, number)) = wire::status(words) {
            set_status(story, kind, number);
        } else if story.slugline.is_none() && is_slug(words) {
            story.slugline = Some(words.trim_matches('/').to_owned());
        } else if is_byline(words) {
            byline.push(words);
        } else if is_note(words) {
            let note = story.ednote.get_or_insert_default();
            note.push_str(if note.is_empty() { "" } else { "\n" });
            note.push_str(words);
            if let Some(kind) = status_of_note(&low) {
                set_status(story, kind, None);
            }
        } else if is_label(words) {
            put_line(story, "label", words);
        } else if words.starts_with('(') && words.ends_with(')') {
            put_line(story, "header_note", words);
        } else if byline.is_empty() {
            headline.push(words);
        } else {
            byline.push(words);
        }
    }
    story.headline = Some(headline.join(" ")).filter(|headline| !headline.is_empty());
    story.byline = Some(byline.join(", ")).filter(|byline| !byline.is_empty());
    end
}

fn is_note(words: &str) -> bool {
    let low = until(words, words.floor_char_boundary(16)).to_lowercase();
    ["eds:", "editors:", "attention"].iter().any(|mark| low.starts_with(mark))
}

/// `ATTENTION - adds quotes ///`: what a note above the story says has become of it.
fn status_of_note(low: &str) -> Option<DeclaredStatus> {
    let words = low.strip_prefix("attention").unwrap_or(low).trim_start_matches([' ', '-', ':', '–']);
    let opens = |words_of: &[&str]| words_of.iter().any(|word| words.starts_with(word));
    if opens(&["correct", "corrig", "rectifi"]) {
        Some(DeclaredStatus::Correction)
    } else if opens(&["add", "update", "ajout", "actualis", "recast", "incorporat"]) {
        Some(DeclaredStatus::Update)
    } else {
        None
    }
}

/// Where the first paragraph of a header is one short line, and the headline is another: the slug.
fn slug_paragraph(header: &[Cow<'_, str>]) -> Option<usize> {
    let first = header.iter().position(|line| !line.trim().is_empty())?;
    let line = header.get(first)?.trim();
    let is_alone = header.get(first + 1).is_some_and(|next| next.trim().is_empty());
    let has_more = header.iter().skip(first + 2).any(|line| !line.trim().is_empty());
    let fits = line.len() <= 60 && !line.ends_with(['.', '!', '?', '=', ':']) && !line.starts_with('(');
    (is_alone && has_more && fits && wire::status(line).is_none() && !is_label(line) && !is_byline(line))
        .then_some(first)
}

/// How many lines of the body stand above the copy.
fn header_end(body: &[Cow<'_, str>], has_start: bool) -> usize {
    // Filler, and without STX the slug in a paragraph of its own, may come first.
    let first = body.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
    let window = || body.iter().enumerate().skip(first).take(HEADER_LINES_MAX);
    if let Some((at, _)) = window().find(|(_, line)| line.trim_end().ends_with('=')) {
        return at + 1;
    }
    let mut end = first;
    let mut words = 0;
    for (at, line) in window() {
        let line = line.trim();
        if line.is_empty() {
            // A blank line ends the header, unless nothing but slug and status stands above it.
            if words > 0 {
                return end;
            }
            continue;
        }
        let is_short = line.len() <= HEADER_LINE_BYTES_MAX && !line.ends_with(['.', '!', '?', '"', '”', ',']);
        if !is_short || opens_story(line) {
            return end;
        }
        let is_apart =
            is_label(line) || wire::status(line).is_some() || (is_slug(line) && !has_start) || is_byline(line);
        words += usize::from(!is_apart);
        end = at + 1;
        let next_is_blank = body.get(at + 1).is_none_or(|next| next.trim().is_empty());
        // One line of headline directly above the copy: whatever follows is copy, unless it says that
        // it is none.
        let next = body.get(at + 1).map(|next| next.trim()).unwrap_or_default();
        let is_header = is_byline(next) || is_note(next) || is_label(next) || wire::status(next).is_some();
        let opens_copy = body.get(at + 1).is_some_and(|next| next.starts_with("  ") || next.len() > 60);
        if words > 0 && !next_is_blank && opens_copy && !is_header {
            return end;
        }
    }
    // Nothing but short lines: a table or a list, of which the first line is the headline.
    if end > first + 2 { first + 1 } else { end }
}

/// `Ardenby, March 4 (Northwire) - `: a line that opens the story.
fn opens_story(line: &str) -> bool {
    let head = until(line, line.floor_char_boundary(60));
    (head.contains(") - ") || head.contains(") -- ") || head.contains(") – ")) && head.starts_with(char::is_uppercase)
}

fn is_slug(words: &str) -> bool {
    words.len() <= 80 && words.contains('/') && (words.ends_with('/') || !words.contains(' '))
}

fn is_byline(words: &str) -> bool {
    let mut parts = words.split(' ');
    let is_by = |word: &str| matches!(word.to_lowercase().as_str(), "by" | "von" | "par" | "por" | "di");
    // "by Jane Doe", but not "by and large".
    words.len() <= 120
        && parts.next().is_some_and(is_by)
        && parts.next().is_some_and(|name| name.starts_with(char::is_uppercase))
}

/// Words above a headline that say how much it matters.
fn is_label(words: &str) -> bool {
    const LABELS: [&str; 10] =
        ["URGENT", "FLASH", "ALERT", "EXTRA", "BULLETIN", "EXCLUSIVE", "EIL", "BLITZ", "SNAP", "EXKLUSIV"];
    LABELS.contains(&words.trim_matches(['*', '+', ' ', ':', '='])) || is_net(words)
}

/// `3RD NET`: a further version for the web.
fn is_net(words: &str) -> bool {
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    let rest = from(words, digits);
    digits > 0 && matches!(rest, "ST NET" | "ND NET" | "RD NET" | "TH NET")
}

fn set_status(story: &mut Story, kind: DeclaredStatus, number: Option<u32>) {
    let either = |status| story.status == Some(status) || kind == status;
    if story.status.is_some_and(|known| known != kind) && !either(DeclaredStatus::Update) {
        note_once(&mut story.anomalies, "status.disagrees");
    }
    // "REFILE" above "1ST LEAD": the correction of an update is a correction.
    if kind != DeclaredStatus::Update || story.status.is_none() {
        story.status = Some(kind);
    }
    story.version = number.or(story.version);
}

/// Below this a line is short: where the next word would have fitted, it was ended on purpose.
const SHORT_LINE_BYTES: usize = 45;

/// Whether a line ends because it was full, so that the next one goes on with it.
fn is_full(line: &str, next: &str, width: usize) -> bool {
    let word = next.split_whitespace().next().map_or(0, str::len);
    line.len() >= SHORT_LINE_BYTES
        || next.starts_with(char::is_lowercase)
        || (width >= SHORT_LINE_BYTES && line.len() + 1 + word > width)
}

/// Joins hard-wrapped lines into paragraphs; rows of tables and items of lists keep their lines.
fn write_copy(lines: &[Cow<'_, str>], story: &mut Story) {
    let widths = || lines.iter().map(|line| line.trim().len());
    let width = widths().max().unwrap_or(0);
    let is_wrapped = width <= 100;
    let mut above = "";
    let last = lines.iter().rposition(|line| !line.trim().is_empty());
    let signoff = last.filter(|at| lines.get(*at).is_some_and(|line| is_signoff(line.trim())));
    let (mut open, mut in_item) = (false, false);
    for (at, raw) in lines.iter().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line == "=" {
            open = false;
            continue;
        }
        let goes_on = is_full(above, line, width);
        above = line;
        let indent = raw.len() - raw.trim_start().len();
        let is_item = line.starts_with("- ") || line.starts_with("* ") || line.starts_with("• ");
        let is_row = has_gap(line);
        let is_indented = indent >= 2 && !in_item;
        let begins = !open || !is_wrapped || !goes_on || is_indented || is_item || is_row || Some(at) == signoff;
        if !story.text.is_empty() {
            story.text.push(if begins { '\n' } else { ' ' });
        }
        let start = story.text.len();
        let words = line.trim_end_matches('=').trim_end();
        if is_row {
            story.text.push_str(words);
        } else {
            wire::push_joined(&mut story.text, words);
        }
        if is_item || is_row {
            let kind = if is_row { MarkupKind::TableRow } else { MarkupKind::ListItem };
            story.markup.push(Markup { span: Span::new(start, story.text.len()), kind });
        }
        open = !is_row && !line.ends_with('=');
        in_item = open && (is_item || (in_item && !begins));
    }
}

/// Three spaces, or a tab, inside a line set columns apart.
fn has_gap(line: &str) -> bool {
    let mut spaces = 0;
    line.bytes().any(|byte| {
        spaces = if byte == b' ' { spaces + 1 } else { 0 };
        spaces == 3 || byte == b'\t'
    })
}

/// `nw jd rs`, `abc bh/ls`: initials and nothing else.
fn is_signoff(line: &str) -> bool {
    let mut words = line.split([' ', '/', '-']).peekable();
    words.peek().is_some()
        && line.len() <= 40
        && words.all(|word| word.len() <= 4 && word.chars().all(char::is_lowercase))
}

fn put(story: &mut Story, name: &str, value: Value) {
    story.extra.insert(format!("iptc7901.{name}"), value);
}

/// Adds a line to a field that holds a list of them.
fn put_line(story: &mut Story, name: &str, line: &str) {
    let field = story.extra.entry(format!("iptc7901.{name}")).or_insert_with(|| json!([]));
    if let Value::Array(lines) = field {
        lines.push(json!(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_below_zczc_and_a_trailer_without_a_zone_are_read() {
        let text =
            b"ZCZC\r\nxna0123 4 POL\r\n\r\nFloods in Norwick =\r\n\r\n     NORWICK, Nov. 20 (Wire) -- Three people \
            &amp; a dog were missing.\r\n\r\n201433 Nov 31\r\nNNNN\r\n";
        let story = decode(text).expect("a transmission").remove(0).expect("a story");
        assert_eq!(
            (story.source.as_deref(), story.urgency, story.category.as_deref()),
            (Some("xna"), Some(4), Some("POL"))
        );
        assert_eq!(story.headline.as_deref(), Some("Floods in Norwick"));
        assert_eq!(story.reference_time.map(|time| time.value).as_deref(), Some("2031-11-20T14:33:00Z"));
        assert!(story.text.ends_with("& a dog were missing."), "{:?}", story.text);
    }

    #[test]
    fn headers_with_loose_spacing() {
        let header = Header::read("nwe0123  3 i  0210   nw 0045 ").expect("a header");
        assert_eq!((header.source.as_str(), header.number.as_str()), ("nwe", "0123"));
        assert_eq!((header.priority, header.category.as_str(), header.words), (Some(3), "i", Some(210)));
        assert_eq!(header.rest, "nw 0045");
        assert!(Header::read("NWE 0123 3 I").is_some());
        assert!(Header::read("Bus 12 is late").is_none());
        assert!(Header::read("").is_none());
    }

    #[test]
    fn told_from_plain_text() {
        assert!(is_it(b"\x01nwe0123 3 i 0210\r\nslug/\r\n"));
        assert!(is_it(b"nwe0123 3 i 0210 nw 0045\n\nArdenby/floods/\n"));
        assert!(is_it(b"ZCZC ABC123\nYY XYZ\n"));
        assert!(!is_it(b"Dear 1234 5 readers\n"));
        assert!(!is_it(b"ZCZCarousel"));
        assert!(!is_it(b"Rome 1960 1 a 200 metres final"));
    }
}

//! A record as a person reads it: the story with what the desk found in it.
//!
//! Every mark is there without colour too: findings stand in brackets with their id, kinds stand
//! in the margin.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects};

use crate::record::{
    Mention, ParagraphKind, Record, SpanText,
    reading::{Reading, plain},
};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Whether terminal colours are used.
    pub colour: bool,
}

/// A finding inside the text.
struct Mark {
    start: usize,
    end: usize,
    /// Shown after the opening bracket.
    label: String,
    style: anstyle::Style,
}

/// Columns of the margin.
const MARGIN: usize = 12;
/// Narrower than this nothing can be read.
const WIDTH_MIN: usize = 40;

const DIM: anstyle::Style = anstyle::Style::new().effects(Effects::DIMMED);
const BOLD: anstyle::Style = anstyle::Style::new().effects(Effects::BOLD);
const QUOTE: anstyle::Style = AnsiColor::Cyan.on_default();
const PERSON: anstyle::Style = AnsiColor::Magenta.on_default().effects(Effects::UNDERLINE);
const ORGANISATION: anstyle::Style = AnsiColor::Blue.on_default().effects(Effects::UNDERLINE);
const PLACE: anstyle::Style = AnsiColor::Green.on_default().effects(Effects::UNDERLINE);
const GROUP: anstyle::Style = AnsiColor::White.on_default().effects(Effects::UNDERLINE);
const NOTE: anstyle::Style = AnsiColor::Yellow.on_default();
const ODD: anstyle::Style = AnsiColor::Red.on_default();

/// Shows a record.
pub fn render(record: &Record, style: Style) -> String {
    let mut page = Page { out: String::new(), style: Style { width: style.width.max(WIDTH_MIN), ..style } };
    page.rule();
    page.facts(record);
    page.rule();
    page.story(record);
    page.voices(record);
    page.anomalies(record);
    page.out
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        match self.style.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    fn rule(&mut self) {
        let rule = "─".repeat(self.style.width);
        let rule = self.paint(DIM, &rule);
        let _ = writeln!(self.out, "{rule}");
    }

    /// One line with its name in the margin; long values wrap.
    fn line(&mut self, name: &str, value: &str) {
        let words = value.split_whitespace().map(|word| (word.to_owned(), word.chars().count()));
        self.wrap(name, words.collect());
    }

    fn facts(&mut self, record: &Record) {
        if let Some(headline) = &record.headline {
            self.line("headline", headline);
        }
        self.line("id", &record.id);
        if let Some(dateline) = &record.dateline {
            let place = dateline.place.as_ref().map(|place| &place.span);
            let date = dateline.date.as_ref().map(|date| &date.span);
            let agency = dateline.agency.as_ref().map(|agency| &agency.span);
            let parts = [place, date, agency].into_iter().flatten();
            let parts: Vec<&str> = parts.map(|span| span.text.as_str()).collect();
            self.line("dateline", &parts.join(" · "));
        }
        if !record.bylines.is_empty() {
            let names: Vec<&str> = record.bylines.iter().map(|byline| byline.name.as_str()).collect();
            self.line("byline", &names.join(", "));
        }
        if let Some(status) = &record.status {
            let mut line = plain_name(&status.kind);
            if let Some(number) = status.number {
                let _ = write!(line, " {number}");
            }
            if let Some(embargo) = &status.embargo {
                let _ = write!(line, ", embargoed until {embargo}");
            }
            self.line("status", &line);
        }
        let language = record.language.as_ref().map_or("und", |language| &language.code);
        let words = record.text.split_whitespace().count();
        let read = format!(
            "{} {}, {} bytes, {words} words, {} sentences, {language}",
            plain_name(&record.raw.format),
            record.raw.encoding,
            record.raw.bytes,
            record.sentences.len()
        );
        self.line("read", &read);
    }

    fn story(&mut self, record: &Record) {
        let marks = marks(record);
        let text: Vec<char> = record.text.chars().collect();
        for paragraph in &record.paragraphs {
            let (start, end) = (paragraph.start as usize, paragraph.end as usize);
            let base = match paragraph.kind {
                ParagraphKind::Crosshead | ParagraphKind::Header => BOLD,
                ParagraphKind::Signoff | ParagraphKind::Boilerplate | ParagraphKind::Note => DIM,
                _ => anstyle::Style::new(),
            };
            let words = self.words(&text, start, end, &marks, base);
            self.wrap(&plain_name(&paragraph.kind), words);
        }
    }

    /// The words of a paragraph with their marks, and how wide each is.
    fn words(
        &self,
        text: &[char],
        start: usize,
        end: usize,
        marks: &[Mark],
        base: anstyle::Style,
    ) -> Vec<(String, usize)> {
        let mut words = Vec::new();
        let (mut word, mut width) = (String::new(), 0);
        let mut push = |word: &mut String, width: &mut usize| {
            if *width > 0 {
                words.push((std::mem::take(word), std::mem::take(width)));
            }
        };
        for at in start..=end {
            for mark in marks.iter().rev().filter(|mark| mark.end == at && mark.end > start && mark.start < end) {
                word.push_str(&self.paint(mark.style, "]"));
                width += 1;
            }
            if at == end {
                break;
            }
            for mark in marks.iter().filter(|mark| mark.start == at) {
                let open = format!("[{} ", mark.label);
                word.push_str(&self.paint(mark.style, &open));
                width += open.chars().count();
            }
            let Some(character) = text.get(at) else { break };
            if character.is_whitespace() {
                push(&mut word, &mut width);
                continue;
            }
            let inner = marks.iter().rev().find(|mark| mark.start <= at && at < mark.end);
            let shown = if character.is_control() { '\u{b7}' } else { *character };
            word.push_str(&self.paint(inner.map_or(base, |mark| mark.style), &shown.to_string()));
            width += 1;
        }
        push(&mut word, &mut width);
        words
    }

    fn wrap(&mut self, name: &str, words: Vec<(String, usize)>) {
        let margin = self.paint(DIM, &format!("{name:<MARGIN$}"));
        self.out.push_str(&margin);
        let mut column = MARGIN;
        for (word, width) in words {
            if column > MARGIN && column + width > self.style.width {
                self.out.truncate(self.out.trim_end_matches(' ').len());
                self.out.push('\n');
                self.out.push_str(&" ".repeat(MARGIN));
                column = MARGIN;
            }
            self.out.push_str(&word);
            self.out.push(' ');
            column += width + 1;
        }
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }

    /// Who said what, and on whose authority each sentence stands.
    fn voices(&mut self, record: &Record) {
        if record.quotes.is_empty() && record.citations.is_empty() {
            return;
        }
        let reading = Reading::of(record);
        self.rule();
        for quote in &reading.quotes {
            let speaker = quote.speaker.as_ref().and_then(|speaker| reading.party_name(speaker)).unwrap_or("unknown");
            let mut line = speaker.to_owned();
            let carried = quote.speaker.as_ref().is_some_and(|speaker| speaker.resolution == "carried");
            if let Some(cue) = quote.cue.as_ref().filter(|_| !carried) {
                let _ = write!(line, " ({})", cue.span.text);
            }
            if let Some(addressee) = quote.addressee.as_ref().and_then(|addressee| reading.party_name(addressee)) {
                let _ = write!(line, " to {addressee}");
            }
            let words: Vec<&str> = quote.content.iter().map(|content| content.text.as_str()).collect();
            let words = shortened(&words.join(" … "));
            let words = if quote.kind == "indirect" { words } else { format!("“{words}”") };
            let inside = quote.parent.as_ref().map_or(String::new(), |parent| format!(", inside {parent}"));
            let _ = write!(line, ": {words}{inside}");
            self.line(&quote.id, &line);
        }
        for citation in &reading.citations {
            let chain: Vec<String> = citation.chain.iter().map(|link| reading.link_name(link)).collect();
            let mut line = format!("{}, {}", chain.join(" ← "), plain(&citation.kind));
            if let Some(via) = &citation.via {
                let _ = write!(line, ", {}", plain(via));
            }
            if let Some(told) = &citation.told {
                let _ = write!(line, ", {told}");
            }
            // Counted from 1, as a reader counts.
            if let (Some(first), Some(last)) = (citation.sentences.first(), citation.sentences.last()) {
                let _ = match first == last {
                    true => write!(line, ": sentence {}", first + 1),
                    false => write!(line, ": sentences {} to {}", first + 1, last + 1),
                };
            }
            self.line(&citation.id, &line);
        }
    }

    fn anomalies(&mut self, record: &Record) {
        for anomaly in &record.anomalies {
            let mut line = self.paint(ODD, &anomaly.code);
            if let Some(span) = &anomaly.span {
                let _ = write!(line, " at {}", span.start);
            }
            if let Some(repair) = &anomaly.repair {
                let _ = write!(line, ", read as if {} stood at {}", repair.insert, repair.at);
            }
            self.line("odd", &line);
        }
    }
}

/// Marks in text order, longer ones first where they begin together.
fn marks(record: &Record) -> Vec<Mark> {
    let mark = |span: &SpanText, label: &str, style| Mark {
        start: span.start as usize,
        end: span.end as usize,
        label: label.to_owned(),
        style,
    };
    let mut marks: Vec<Mark> = Vec::new();
    marks.extend(record.dateline.iter().map(|dateline| mark(&dateline.span, "dateline", BOLD)));
    for quote in &record.quotes {
        marks.extend(quote.content.iter().map(|content| mark(content, &quote.id, QUOTE)));
    }
    let mut add = |id: &str, mentions: &[Mention], style| {
        marks.extend(mentions.iter().map(|mention| mark(&mention.span, id, style)));
    };
    record.people.iter().for_each(|entity| add(&entity.id, &entity.mentions, PERSON));
    record.organisations.iter().for_each(|entity| add(&entity.id, &entity.mentions, ORGANISATION));
    record.places.iter().for_each(|entity| add(&entity.id, &entity.mentions, PLACE));
    record.groups.iter().for_each(|entity| add(&entity.id, &entity.mentions, GROUP));
    record.named_events.iter().chain(&record.works).for_each(|entity| add(&entity.id, &entity.mentions, GROUP));
    marks.extend(record.editorial_notes.iter().map(|note| mark(&note.span, &note.id, NOTE)));
    marks.sort_by_key(|mark| (mark.start, std::cmp::Reverse(mark.end)));
    marks
}

/// Words of a quotation that the list repeats; the story above has them all.
const WORDS_MAX: usize = 24;

/// The first words.
fn shortened(words: &str) -> String {
    let mut all = words.split_whitespace();
    let first: Vec<&str> = all.by_ref().take(WORDS_MAX).collect();
    let more = if all.next().is_some() { " …" } else { "" };
    format!("{}{more}", first.join(" "))
}

/// A kind as the contract writes it.
fn plain_name(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Hints, extract::Desk};

    fn shown(text: &str, colour: bool) -> String {
        let envelope = serde_json::json!({"id": "a-1", "text": text}).to_string();
        let record = Desk::new().read_bytes(envelope.as_bytes(), &Hints::default()).expect("text");
        render(&record, Style { width: 60, colour })
    }

    #[test]
    fn every_word_of_the_story_is_there_and_no_line_is_too_wide() {
        let text = "The boats came in late because the fog lay thick over the outer harbour all day.\nNobody minded.\n";
        let page = shown(text, false);
        for word in text.split_whitespace() {
            assert!(page.contains(word), "{word} is missing in\n{page}");
        }
        assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
    }

    #[test]
    fn who_says_what_is_told_below_the_story() {
        let page = shown("LISVIK, May 3 (Reuters) - \"We will appeal,\" Anna Ames told reporters.", false);
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains("Anna Ames (told) to reporters: “We will appeal,”"), "{page}");
        assert!(page.contains("Reuters ← Anna Ames, named, press conference: sentence 1"), "{page}");
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        assert!(!shown("All quiet.", false).contains('\u{1b}'));
        assert!(shown("All quiet.", true).contains('\u{1b}'));
    }
}

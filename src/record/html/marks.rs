//! The story's text with the findings marked in it, whichever way they overlap.
//!
//! ```text
//! text   Iraq's minister said       marks  [0, 15) a person, [0, 6) a place
//!     → <span class="m person"><span class="m place"><a …>Iraq's</a></span><a …> minister</a></span> said
//! ```
//!
//! A paragraph is swept from left to right. Where a mark ends under another that began later, the
//! inner one is closed and opened again behind it: elements nest, whatever the spans do. Only runs
//! of text become links, so no link ever stands in another; the first run of a mark can be
//! reached by the Tab key, the others by pointer alone.
//!
//! What is added to the story (letters of speakers, numbers of citations, mended marks) has the
//! class `x`; without it the paragraph reads exactly as the record's text.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{Story, markup::Markup};
use crate::record::{Paragraph, SpanText};

/// Marks drawn in one story; the lists name what the text does not show any more.
const MARKS_MAX: usize = 50_000;
/// Marks inside each other; what lies deeper is not drawn.
const OPEN_MAX: usize = 16;

/// A finding in the text.
#[derive(Debug, Default)]
struct Mark {
    start: u32,
    end: u32,
    /// Smaller stands outside where two have the same place.
    rank: u8,
    class: String,
    /// The id of the piece, so that lists can lead to it.
    id: String,
    /// The id of the entry that tells more.
    target: String,
    /// What is added where the mark begins: class, text, what a screen reader says.
    sign: Option<(String, String, String)>,
}

/// Everything marked in a story, in text order, and what of it has been drawn.
#[derive(Debug)]
pub(super) struct Marks {
    list: Vec<Mark>,
    /// Indices of the marks that reach into each paragraph.
    of_paragraph: Vec<Vec<usize>>,
    /// Characters read as if they stood before a code point.
    mended: Vec<(u32, String)>,
    /// Marks that are open, outermost first.
    open: Vec<usize>,
    /// Marks that have been opened once: ids and signs are written once.
    begun: BTreeSet<usize>,
    /// Marks that have led somewhere: the Tab key stops at each once.
    led: BTreeSet<usize>,
}

impl Marks {
    /// Collects the marks of a story.
    pub(super) fn of(story: &Story<'_>) -> Self {
        let mut marks = Vec::new();
        sentences(story, &mut marks);
        quotes(story, &mut marks);
        entities(story, &mut marks);
        others(story, &mut marks);
        marks.retain(|mark| mark.start < mark.end);
        marks.truncate(MARKS_MAX);
        marks.sort_by_key(|mark| (mark.start, Reverse(mark.end), mark.rank));
        let repairs = story.record.anomalies.iter().filter_map(|anomaly| anomaly.repair.as_ref());
        let mut mended: Vec<_> = repairs.map(|repair| (repair.at, repair.insert.clone())).collect();
        mended.sort();
        let of_paragraph = by_paragraph(&marks, &story.record.paragraphs);
        Self { list: marks, of_paragraph, mended, open: Vec::new(), begun: BTreeSet::new(), led: BTreeSet::new() }
    }

    /// The ids that the drawn text has.
    pub(super) fn drawn(&self) -> BTreeSet<String> {
        let marks = self.begun.iter().filter_map(|index| self.list.get(*index));
        marks.map(|mark| mark.id.clone()).filter(|id| !id.is_empty()).collect()
    }

    /// Draws the paragraph with an index.
    pub(super) fn draw(&mut self, text: &[char], index: usize, paragraph: &Paragraph, markup: &mut Markup) {
        let (start, end) = (paragraph.start, paragraph.end.min(text.len() as u32));
        let here = self.of_paragraph.get_mut(index).map(std::mem::take).unwrap_or_default();
        let from = self.mended.partition_point(|(at, _)| *at < start);
        let until = self.mended.partition_point(|(at, _)| *at <= end);
        let mended: Vec<(u32, String)> = self.mended.get(from..until).unwrap_or_default().to_vec();
        let mut stops: BTreeSet<u32> = [start, end].into();
        for mark in here.iter().filter_map(|index| self.list.get(*index)) {
            stops.extend([mark.start.clamp(start, end), mark.end.clamp(start, end)]);
        }
        stops.extend(mended.iter().map(|(at, _)| *at));
        let stops: Vec<u32> = stops.into_iter().collect();
        let mut waiting = here.into_iter().peekable();
        for (index, at) in stops.iter().enumerate() {
            self.close(*at, *at >= end, markup);
            for (_, insert) in mended.iter().filter(|(place, _)| place == at) {
                let label = format!("{insert} is missing here");
                markup.element("ins", &[("class", "x mended"), ("title", &label)], insert);
            }
            if *at >= end {
                break;
            }
            while let Some(next) = waiting.next_if(|next| self.list.get(*next).is_none_or(|mark| mark.start <= *at)) {
                self.open(next, markup);
            }
            let until = stops.get(index + 1).copied().unwrap_or(end);
            self.text(text.get(*at as usize..until as usize).unwrap_or_default(), markup);
        }
    }

    fn open(&mut self, index: usize, markup: &mut Markup) {
        let Some(mark) = self.list.get(index).filter(|_| self.open.len() < OPEN_MAX) else { return };
        let first = self.begun.insert(index);
        markup.open("span", &[("class", &mark.class), ("id", if first { &mark.id } else { "" })]);
        self.open.push(index);
        if let Some((class, sign, label)) = mark.sign.as_ref().filter(|_| first) {
            let (class, target) = (format!("x go {class}"), format!("#{}", mark.target));
            markup.element("a", &[("class", &class), ("href", &target), ("aria-label", label)], sign);
        }
    }

    /// Closes what ends here, or everything, and opens again what had to be closed on the way.
    fn close(&mut self, at: u32, everything: bool, markup: &mut Markup) {
        let ends = |index: &usize| everything || self.list.get(*index).is_none_or(|mark| mark.end <= at);
        let Some(lowest) = self.open.iter().position(ends) else { return };
        let again: Vec<usize> = self.open.iter().skip(lowest).copied().filter(|index| !ends(index)).collect();
        for _ in self.open.drain(lowest..) {
            markup.close();
        }
        for index in again {
            self.open(index, markup);
        }
    }

    fn text(&mut self, characters: &[char], markup: &mut Markup) {
        // A sign leads to its own entry; its mark's text leads nowhere.
        let leads =
            |index: &&usize| self.list.get(**index).is_some_and(|mark| mark.sign.is_none() && !mark.target.is_empty());
        let Some(&index) = self.open.iter().rev().find(leads) else {
            markup.characters(characters.iter().copied());
            return;
        };
        let target = self.list.get(index).map(|mark| format!("#{}", mark.target)).unwrap_or_default();
        let tab = if self.led.insert(index) { "" } else { "-1" };
        markup.open("a", &[("class", "go"), ("href", &target), ("tabindex", tab)]);
        markup.characters(characters.iter().copied()).close();
    }
}

/// Which marks reach into each paragraph.
fn by_paragraph(marks: &[Mark], paragraphs: &[Paragraph]) -> Vec<Vec<usize>> {
    let mut of_paragraph = vec![Vec::new(); paragraphs.len()];
    let mut pieces = 0;
    for (index, mark) in marks.iter().enumerate() {
        let first = paragraphs.partition_point(|paragraph| paragraph.end <= mark.start);
        for (number, paragraph) in paragraphs.iter().enumerate().skip(first) {
            if paragraph.start >= mark.end || pieces >= MARKS_MAX * 2 {
                break;
            }
            of_paragraph[number].push(index);
            pieces += 1;
        }
    }
    of_paragraph
}

fn sentences(story: &Story<'_>, marks: &mut Vec<Mark>) {
    let chains = story.chains();
    let mut before = None;
    for (index, sentence) in story.record.sentences.iter().enumerate() {
        let chain = chains.get(&(index as u32)).copied();
        let citation = chain.filter(|_| chain != before).and_then(|chain| story.reading.citations.get(chain));
        before = chain;
        marks.push(Mark {
            start: sentence.start,
            end: sentence.end,
            rank: 0,
            class: "s".to_owned(),
            id: story.id(&format!("s{}", index + 1)),
            target: citation.map_or(String::new(), |citation| story.id(&citation.id)),
            sign: citation.map(|citation| {
                let label = format!("Source {}: {}", citation.id, story.chain_words(citation).join(", citing "));
                ("source".to_owned(), citation.id.clone(), label)
            }),
        });
    }
}

fn quotes(story: &Story<'_>, marks: &mut Vec<Mark>) {
    for (index, quote) in story.reading.quotes.iter().enumerate() {
        let voice = story.voice(index);
        let target = story.id(&quote.id);
        for (piece, content) in quote.content.iter().enumerate() {
            let first = piece == 0;
            marks.push(Mark {
                rank: 2,
                class: format!("q {} v{}", quote.kind, voice.colour),
                id: if first { format!("{target}-at") } else { String::new() },
                target: target.clone(),
                sign: Some((
                    format!("letter v{}", voice.colour),
                    voice.letter.clone(),
                    format!("{} quotation {}: {}", quote.kind, quote.id, voice.name),
                )),
                ..at(content)
            });
        }
        let cue = quote.cue.as_ref().map(|cue| &cue.span);
        let speaker = quote.speaker.as_ref().and_then(|party| party.span.as_ref());
        for (span, class) in [(cue, "cue"), (speaker, "speaker")] {
            let mark = |span| Mark { rank: 3, class: format!("{class} v{}", voice.colour), ..at(span) };
            marks.extend(span.map(mark));
        }
    }
}

fn entities(story: &Story<'_>, marks: &mut Vec<Mark>) {
    for entity in &story.reading.entities {
        let target = story.id(&entity.id);
        for (number, mention) in entity.mentions.iter().enumerate() {
            let quiet = if matches!(mention.kind.as_str(), "pronoun" | "nominal") { " quiet" } else { "" };
            marks.push(Mark {
                rank: 4,
                class: format!("m {}{quiet}", entity.class),
                id: if number == 0 { format!("{target}-at") } else { String::new() },
                target: target.clone(),
                ..at(&mention.span)
            });
        }
    }
}

fn others(story: &Story<'_>, marks: &mut Vec<Mark>) {
    let reading = &story.reading;
    let mut mark = |span: &SpanText, rank: u8, class: &str, id: &str| {
        let target = if id.is_empty() { String::new() } else { story.id(id) };
        let id = if id.is_empty() { String::new() } else { format!("{target}-at") };
        marks.push(Mark { rank, class: class.to_owned(), id, target, ..at(span) });
    };
    if let Some(dateline) = &story.record.dateline {
        mark(&dateline.span, 1, "dateline", "");
    }
    for note in &reading.notes {
        mark(&note.span, 1, "note", &note.id);
    }
    for time in &reading.times {
        mark(&time.span, 5, "m time", &time.id);
    }
    for event in &reading.events {
        mark(&event.trigger, 5, "act", &event.id);
    }
    for (index, figure) in reading.figures.iter().enumerate() {
        mark(&figure.span, 5, "m figure", &format!("figure{}", index + 1));
    }
    for (index, anomaly) in story.record.anomalies.iter().enumerate() {
        if let Some(span) = &anomaly.span {
            mark(span, 6, "odd", &format!("odd{}", index + 1));
        }
    }
}

/// A mark at a span.
fn at(span: &SpanText) -> Mark {
    Mark { start: span.start, end: span.end, ..Mark::default() }
}

//! Marked-up text → paragraphs, one a line.
//!
//! ```text
//! <p>Rain <em>fell</em>.</p><table><tr><td>Bath</td><td>12</td></tr></table>
//! ↓
//! Rain fell.
//! Bath⇥12
//! ```
//!
//! Takes what [`super::html`] and [`super::xml`] see: an element opens, text, an element closes.
//! Elements of HTML, of NITF and of a Swedish kin of it are known by name; one that is not known is
//! read as a part of the line that it stands in. White space is joined to one space, except in `pre`. A paragraph
//! that holds line ends is read in one of two ways: where every line is as far indented as the
//! others it was laid out by a program and is one paragraph; where there are blank lines, or
//! lines at the margin beside indented ones, it is a wire's own layout, and is taken apart.
//!
//! `br` ends a line, unless it stands where a line of a wire was full and a sentence goes on: then
//! it is a space.
//!
//! Left out: scripts, styles, forms, navigation, pictures; their captions are kept apart, and so is
//! what a page says above its text (a `header` with a heading in it). What the markup says of a
//! piece of text (heading, list item, person …) is kept as [`Markup`].

use super::{entities, html, note_once};
use crate::{
    story::{Anomaly, Markup, MarkupKind},
    text::{Span, from, slice, until},
};

/// Hints of one story; further ones are left out, and told.
const MARKUP_MAX: usize = 20_000;
/// A cell with more text than this belongs to a table that only places things on a page.
const CELL_BYTES_MAX: usize = 200;
/// Elements that stand open inside each other and carry a hint.
const OPEN_HINTS_MAX: usize = 64;
/// Stands for the gap between two cells until the line is written.
const CELL_MARK: char = '\u{1f}';
/// Stands for a `br` until the line is written.
const BREAK_MARK: char = '\u{1e}';
/// How long the lines of a wire are, in bytes: those that a `br` ends in the middle of a sentence.
const FULL_LINE_BYTES: std::ops::Range<usize> = 40..100;

/// What came of a marked-up text.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Paragraphs, one a line.
    pub(super) text: String,
    /// Hints in text order.
    pub(super) markup: Vec<Markup>,
    /// Captions of pictures and other media.
    pub(super) captions: Vec<String>,
    /// What a page says above its text: slug words, its date, the headline once more.
    pub(super) page_heads: Vec<String>,
    /// What was odd.
    pub(super) anomalies: Vec<Anomaly>,
}

/// Puts paragraphs together.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    body: Body,
    /// The paragraph that is being read, as it came.
    line: String,
    line_kind: Option<MarkupKind>,
    /// Hints of the line, in bytes of it.
    line_hints: Vec<(Span, MarkupKind)>,
    open_hints: Vec<(u32, MarkupKind)>,
    /// Kinds of the blocks that stand open (list items, quotations).
    list_items: usize,
    quotations: usize,
    notes: usize,
    preformatted: usize,
    tables: usize,
    cell_start: usize,
    row_has_cell: bool,
    skipped: usize,
    media: usize,
    caption: Option<String>,
    /// The text of a `header` that stands open, and whether a heading is in it.
    page_head: Option<(String, bool)>,
    /// Whether a paragraph had breaks where the lines of a wire were full.
    is_wrapped: bool,
    /// Set inside text that is read a second time.
    is_second_reading: bool,
}

/// What an element is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Inline,
    Hint(MarkupKind),
    Paragraph,
    Heading,
    ListItem,
    Quotation,
    Note,
    Preformatted,
    Table,
    Row,
    Cell,
    Break,
    Skip,
    Media,
    Caption,
    PageHead,
}

fn class(name: &str) -> Class {
    match name {
        "p" | "div" | "block" | "section" | "article" | "main" | "address" | "dl" | "dt" | "dd" | "ul" | "ol"
        | "center" | "body" | "html" | "body.content" | "body.end" | "tagline" | "bibliography" | "details"
        | "summary" | "credit" | "datasource" | "hr" | "byline" | "text" | "dat" | "ingress" | "brodtext" => {
            Class::Paragraph
        }
        "header" => Class::PageHead,
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "hl1" | "hl2" | "caption" | "rubrik" | "mellis" => Class::Heading,
        "li" => Class::ListItem,
        "blockquote" | "bq" | "citat" => Class::Quotation,
        "note" | "fn" => Class::Note,
        "pre" | "listing" | "plaintext" | "xmp" => Class::Preformatted,
        "table" | "nitf-table" => Class::Table,
        "tr" | "nitf-table-row" => Class::Row,
        "td" | "th" => Class::Cell,
        "br" => Class::Break,
        "script"
        | "style"
        | "head"
        | "title"
        | "template"
        | "iframe"
        | "object"
        | "svg"
        | "button"
        | "select"
        | "textarea"
        | "nav"
        | "footer"
        | "noscript"
        | "form"
        | "audio"
        | "video"
        | "canvas"
        | "nitf-table-metadata"
        | "nitf-col"
        | "nitf-colgroup" => Class::Skip,
        "media" | "figure" | "bild" => Class::Media,
        "figcaption" | "media-caption" | "bildtext" => Class::Caption,
        "person" => Class::Hint(MarkupKind::Person),
        "org" => Class::Hint(MarkupKind::Organisation),
        "location" | "city" | "state" | "country" => Class::Hint(MarkupKind::Place),
        "function" => Class::Hint(MarkupKind::Role),
        "event" => Class::Hint(MarkupKind::Event),
        "chron" | "time" => Class::Hint(MarkupKind::Time),
        "money" => Class::Hint(MarkupKind::Money),
        _ => Class::Inline,
    }
}

/// Elements that never hold anything; HTML does not close them.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "br" | "hr"
            | "img"
            | "input"
            | "meta"
            | "link"
            | "wbr"
            | "embed"
            | "source"
            | "col"
            | "area"
            | "base"
            | "nitf-col"
    )
}

impl Blocks {
    /// An element opens. The name is local and in lower case.
    pub(super) fn open(&mut self, name: &str) {
        let class = class(name);
        if self.skipped > 0 {
            self.skipped += usize::from(class == Class::Skip && !is_void(name));
            return;
        }
        match class {
            Class::Skip => self.skipped += usize::from(!is_void(name)),
            Class::Media => self.media += 1,
            Class::Caption => self.caption = Some(String::new()),
            Class::PageHead => {
                self.end_block();
                self.page_head.get_or_insert_default();
            }
            _ if self.page_head.is_some() => {
                if let Some((text, has_heading)) = &mut self.page_head {
                    *has_heading |= class == Class::Heading;
                    text.push_str(if matches!(class, Class::Inline | Class::Hint(_)) { "" } else { " " });
                }
            }
            _ if self.media > 0 => {
                if let Some(caption) = &mut self.caption {
                    caption.push(' ');
                }
            }
            Class::Inline => {}
            Class::Hint(kind) => {
                if self.open_hints.len() < OPEN_HINTS_MAX {
                    self.open_hints.push((self.line.len() as u32, kind));
                }
            }
            Class::Break => self.break_line(),
            Class::Table => {
                self.end_block();
                self.tables += 1;
            }
            Class::Row if self.tables <= 1 => {
                self.flush();
                self.line_kind = Some(MarkupKind::TableRow);
            }
            Class::Cell if self.tables <= 1 => {
                if self.row_has_cell {
                    self.line.push(CELL_MARK);
                }
                self.row_has_cell = true;
                self.line_kind = Some(MarkupKind::TableRow);
                self.cell_start = self.line.len();
            }
            Class::Row | Class::Cell => self.line.push(' '),
            _ => {
                self.end_block();
                match class {
                    Class::Heading => self.line_kind = Some(MarkupKind::Heading),
                    Class::ListItem => {
                        self.list_items = self.list_items.saturating_add(1);
                        self.line_kind = Some(MarkupKind::ListItem);
                    }
                    Class::Quotation => self.quotations += 1,
                    Class::Note => self.notes += 1,
                    Class::Preformatted => self.preformatted += 1,
                    _ => {}
                }
            }
        }
    }

    /// An element closes, whether it was opened or not.
    pub(super) fn close(&mut self, name: &str) {
        let class = class(name);
        if self.skipped > 0 {
            self.skipped -= usize::from(class == Class::Skip && !is_void(name));
            return;
        }
        match class {
            Class::Media => self.media = self.media.saturating_sub(1),
            Class::Caption => self.end_caption(),
            Class::PageHead => self.end_page_head(),
            // `time` stands beside other things there, as a block does.
            _ if self.page_head.is_some() => {
                if let Some((text, _)) = self.page_head.as_mut().filter(|_| class != Class::Inline) {
                    text.push(' ');
                }
            }
            Class::Inline | Class::Break | Class::Skip => {}
            _ if self.media > 0 => {}
            Class::Hint(kind) => {
                if let Some(index) = self.open_hints.iter().rposition(|(_, open)| *open == kind) {
                    let (start, _) = self.open_hints.remove(index);
                    self.line_hints.push((Span { start, end: self.line.len() as u32 }, kind));
                }
            }
            Class::Table => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.flush();
                }
            }
            Class::Row if self.tables <= 1 => self.flush(),
            Class::Row | Class::Cell => {}
            _ => {
                self.end_block();
                match class {
                    Class::ListItem => self.list_items = self.list_items.saturating_sub(1),
                    Class::Quotation => self.quotations = self.quotations.saturating_sub(1),
                    Class::Note => self.notes = self.notes.saturating_sub(1),
                    Class::Preformatted => self.preformatted = self.preformatted.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }

    /// Text, its character references read already.
    pub(super) fn text(&mut self, text: &str) {
        if self.skipped > 0 {
            return;
        }
        if let Some(caption) = &mut self.caption {
            caption.push_str(text);
        } else if let Some((head, _)) = &mut self.page_head {
            head.push_str(text);
        } else if self.media == 0 && self.preformatted > 0 {
            // The only place where line ends stay: a reference may be one of another kind.
            self.line.push_str(&super::charset::unify_line_ends(text));
        } else if self.media == 0 {
            self.line.push_str(text);
        }
    }

    /// Ends the last paragraph and gives what came of it all.
    pub(super) fn finish(mut self) -> Body {
        self.end_page_head();
        self.flush();
        self.end_caption();
        if self.body.markup.len() >= MARKUP_MAX {
            self.body.anomalies.push(Anomaly::story("markup.truncated"));
        }
        self.body.markup.sort_by_key(|markup| (markup.span.start, u32::MAX - markup.span.end));
        self.body
    }

    fn end_caption(&mut self) {
        if let Some(caption) = self.caption.take() {
            let caption = join_space(&caption);
            if !caption.is_empty() && self.body.captions.len() < MARKUP_MAX {
                self.body.captions.push(caption);
            }
        }
    }

    /// A `header` without a heading in it is a paragraph like others.
    fn end_page_head(&mut self) {
        let Some((text, has_heading)) = self.page_head.take() else { return };
        if !has_heading {
            self.line.push_str(&text);
            self.flush();
            return;
        }
        let text = join_space(&text);
        if !text.is_empty() && self.body.page_heads.len() < MARKUP_MAX {
            self.body.page_heads.push(text);
        }
    }

    /// A block begins or ends. In a cell of a table of figures it ends no line.
    fn end_block(&mut self) {
        if self.tables == 0 || self.line.len() - self.cell_start.min(self.line.len()) > CELL_BYTES_MAX {
            self.flush();
        } else {
            self.line.push(' ');
        }
    }

    fn break_line(&mut self) {
        if self.preformatted > 0 {
            self.line.push('\n');
        } else if self.tables == 0 {
            self.line.push(BREAK_MARK);
        } else {
            self.end_block();
        }
    }

    /// Writes the line that was read; one with breaks in it as several, unless they are a wire's.
    fn flush(&mut self) {
        self.cell_start = 0;
        self.row_has_cell = false;
        let line = std::mem::take(&mut self.line);
        let kind = self.line_kind.take().or(if self.list_items > 0 {
            Some(MarkupKind::ListItem)
        } else if self.notes > 0 {
            Some(MarkupKind::Note)
        } else if self.quotations > 0 {
            Some(MarkupKind::Quotation)
        } else {
            None
        });
        // An element that stays open goes on at the start of the next line.
        for (start, kind) in &mut self.open_hints {
            self.line_hints.push((Span { start: *start, end: line.len() as u32 }, *kind));
            *start = 0;
        }
        let hints = std::mem::take(&mut self.line_hints);
        if memchr::memchr(BREAK_MARK as u8, line.as_bytes()).is_none() {
            self.flush_line(line, kind, hints);
            return;
        }
        if is_wrapped(&line, self.is_wrapped) {
            self.is_wrapped = true;
            self.flush_line(line.replace(BREAK_MARK, " "), kind, hints);
            return;
        }
        let mut start = 0;
        for piece in line.split(BREAK_MARK) {
            let end = start + piece.len();
            let within = |(span, kind): &(Span, MarkupKind)| {
                let (from, to) = (span.start().max(start), span.end().min(end));
                (from < to).then(|| (Span::new(from - start, to - start), *kind))
            };
            self.flush_line(piece.to_owned(), kind, hints.iter().filter_map(within).collect());
            start = end + 1;
        }
    }

    fn flush_line(&mut self, mut line: String, kind: Option<MarkupKind>, mut hints: Vec<(Span, MarkupKind)>) {
        if line.chars().all(|character| character.is_whitespace() || character == CELL_MARK) {
            line.clear();
            self.line = line;
            return;
        }
        if !self.is_second_reading && self.preformatted == 0 {
            line = match self.read_again(line) {
                Some(line) => line,
                None => return,
            };
        }
        hints.retain(|(span, _)| !span.of(&line).trim().is_empty());
        let shape = if self.preformatted > 0 { Shape::Lines } else { shape(&line) };
        if shape == Shape::Wire {
            note_once(&mut self.body.anomalies, "markup.lines_in_paragraph");
        }
        let places = self.write(&line, shape, kind, &hints);
        for ((_, kind), place) in hints.iter().zip(places) {
            self.push_markup(place.trim(&self.body.text), *kind);
        }
        line.clear();
        self.line = line;
    }

    /// Character references and tags that still stand in the text were escaped twice.
    fn read_again(&mut self, line: String) -> Option<String> {
        let line = match entities::first_left(&line) {
            Some(_) => {
                note_once(&mut self.body.anomalies, "markup.double_escaped");
                entities::decode(&line).into_owned()
            }
            None => line,
        };
        if !html::has_tags(&line) {
            return Some(line);
        }
        note_once(&mut self.body.anomalies, "markup.in_text");
        let mut inner = Self { is_second_reading: true, ..Self::default() };
        html::read(&line, &mut inner);
        let inner = inner.finish();
        if !inner.text.is_empty() {
            let start = self.new_line();
            self.body.text.push_str(&inner.text);
            for markup in inner.markup {
                let span = Span::new(start + markup.span.start(), start + markup.span.end());
                self.push_markup(span, markup.kind);
            }
        }
        self.body.captions.extend(inner.captions);
        self.body.page_heads.extend(inner.page_heads);
        None
    }

    fn new_line(&mut self) -> usize {
        if !self.body.text.is_empty() {
            self.body.text.push('\n');
        }
        self.body.text.len()
    }

    fn push_markup(&mut self, span: Span, kind: MarkupKind) {
        if self.body.markup.len() < MARKUP_MAX && !span.is_empty() {
            self.body.markup.push(Markup { span, kind });
        }
    }

    /// Writes a line into the text, white space joined; where the hints came to stand.
    fn write(&mut self, line: &str, shape: Shape, kind: Option<MarkupKind>, hints: &[(Span, MarkupKind)]) -> Vec<Span> {
        // Each hint has a start and an end; in the order of the line.
        let mut marks: Vec<(u32, usize, bool)> = Vec::with_capacity(hints.len() * 2);
        for (index, (span, _)) in hints.iter().enumerate() {
            marks.push((span.start, index, true));
            marks.push((span.end, index, false));
        }
        marks.sort_unstable();
        let mut marks = marks.into_iter().peekable();
        let mut places = vec![Span::default(); hints.len()];
        let mut start = self.new_line();
        let mut blank_lines = 0;
        for (at, piece) in pieces(line, shape) {
            let content = if shape == Shape::Lines { piece.trim_end() } else { piece.trim_matches(is_space) };
            if content.is_empty() {
                blank_lines += 1;
                continue;
            }
            if self.body.text.len() > start {
                self.push_block(start, kind);
                self.body.text.push('\n');
                // Preformatted paragraphs stay apart.
                if shape == Shape::Lines && blank_lines > 0 {
                    self.body.text.push('\n');
                }
                start = self.body.text.len();
            }
            blank_lines = 0;
            let margin = if shape == Shape::Lines { 0 } else { piece.len() - piece.trim_start_matches(is_space).len() };
            let content_at = at + margin;
            let mut written = 0;
            let mut copy = |text: &mut String, upto: usize| {
                let part = slice(content, written, upto);
                written = upto;
                if shape == Shape::Lines { text.push_str(part) } else { push_joined(text, part) }
            };
            while let Some((offset, index, is_start)) =
                marks.next_if(|(offset, ..)| (*offset as usize) < content_at + content.len())
            {
                copy(&mut self.body.text, (offset as usize).saturating_sub(content_at).min(content.len()));
                let place = self.body.text.len() as u32;
                let Some(span) = places.get_mut(index) else { continue };
                if is_start {
                    span.start = place;
                }
                span.end = place;
            }
            copy(&mut self.body.text, content.len());
        }
        let end = self.body.text.len() as u32;
        for (_, index, is_start) in marks {
            if let Some(span) = places.get_mut(index) {
                *span = if is_start { Span { start: end, end } } else { Span { end, ..*span } };
            }
        }
        if self.body.text.len() > start {
            self.push_block(start, kind);
        } else {
            // Nothing but white space of kinds that trimming knows and joining does not.
            let length = self.body.text.trim_end_matches('\n').len();
            self.body.text.truncate(length);
        }
        places
    }

    fn push_block(&mut self, start: usize, kind: Option<MarkupKind>) {
        if let Some(kind) = kind {
            self.push_markup(Span::new(start, self.body.text.len()), kind);
        }
    }
}

/// Whether the breaks inside a paragraph stand where the lines of a wire were full: all lines but the
/// last are long and end no sentence, and one goes on with a small letter. Where a paragraph above was
/// so, names may begin every line.
fn is_wrapped(line: &str, was_wrapped: bool) -> bool {
    let pieces: Vec<&str> = line.split(BREAK_MARK).map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let [full @ .., _] = pieces.as_slice() else { return false };
    let ends = |piece: &&str| piece.ends_with(['.', '!', '?', ':', ';', '”', '"']);
    let goes_on = |pair: &[&str]| {
        let [above, below] = pair else { return false };
        below.starts_with(char::is_lowercase) && !ends(above)
    };
    !full.is_empty()
        && full.iter().all(|piece| FULL_LINE_BYTES.contains(&piece.len()))
        && (pieces.windows(2).any(goes_on) || (was_wrapped && !full.iter().any(ends)))
}

/// How the line ends inside a paragraph are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// As white space.
    Flowing,
    /// As a wire lays out its text: indents and blank lines begin paragraphs.
    Wire,
    /// As line ends.
    Lines,
}

fn shape(line: &str) -> Shape {
    let body = line.trim_matches(is_space);
    if memchr::memchr(b'\n', body.as_bytes()).is_none() {
        return Shape::Flowing;
    }
    let (mut margin, mut indented, mut blank) = (false, false, false);
    for below in body.split('\n').skip(1) {
        let content = below.trim_start_matches([' ', '\t']);
        let is_blank = content.trim_end_matches('\r').is_empty();
        blank |= is_blank;
        margin |= !is_blank && content.len() == below.len();
        indented |= !is_blank && content.len() < below.len();
    }
    if (margin && indented) || blank { Shape::Wire } else { Shape::Flowing }
}

/// The paragraphs inside a line, with their offsets.
fn pieces(line: &str, shape: Shape) -> Vec<(usize, &str)> {
    if shape == Shape::Flowing {
        return vec![(0, line)];
    }
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    let mut after_blank = true;
    for end in memchr::memchr_iter(b'\n', line.as_bytes()).chain(std::iter::once(line.len())) {
        let row = slice(line, start, end);
        let is_blank = row.trim_matches(is_space).is_empty();
        let begins = shape == Shape::Lines
            || after_blank
            || is_blank
            || row.starts_with([' ', '\t'])
            || row.starts_with("* ")
            || row.starts_with("- ");
        match pieces.last_mut().filter(|_| !begins) {
            Some(last) => last.1 = end,
            None => pieces.push((start, end)),
        }
        after_blank = is_blank;
        start = end + 1;
    }
    pieces.into_iter().map(|(start, end)| (start, slice(line, start, end))).collect()
}

fn is_space(character: char) -> bool {
    character.is_whitespace()
}

/// Appends with white space joined to one space; a gap between cells becomes a tab.
fn push_joined(text: &mut String, part: &str) {
    let mut at = 0;
    for (index, character) in part.char_indices() {
        let is_gap = character == CELL_MARK;
        if !is_gap && !character.is_whitespace() {
            continue;
        }
        text.push_str(slice(part, at, index));
        at = index + character.len_utf8();
        if is_gap {
            if text.ends_with(' ') {
                text.pop();
            }
            text.push('\t');
        } else if !text.ends_with([' ', '\n', '\t']) && !text.is_empty() {
            text.push(' ');
        }
    }
    text.push_str(from(part, at));
}

/// A short text on one line: white space joined, none at the ends.
pub(super) fn join_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_joined(&mut out, text);
    let kept = out.trim().len();
    let start = out.len() - out.trim_start().len();
    if start == 0 {
        out.truncate(kept);
        return out;
    }
    until(from(&out, start), kept).to_owned()
}

/// A short text in which markup was not meant to stand, and did.
pub(super) fn clean_line(text: &str, anomalies: &mut Vec<Anomaly>) -> String {
    if entities::first_left(text).is_none() && !html::has_tags(text) {
        return join_space(text);
    }
    let mut blocks = Blocks { line: text.to_owned(), ..Blocks::default() };
    blocks.flush();
    let body = blocks.finish();
    for anomaly in body.anomalies {
        note_once(anomalies, anomaly.code);
    }
    join_space(&body.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Body {
        let mut blocks = Blocks::default();
        super::html::read(html, &mut blocks);
        blocks.finish()
    }

    #[test]
    fn hints_stand_where_the_words_stand() {
        let body = read(
            "<p>  The   <person> Ann\n Moss </person>, of <org>the <location>Bath</location> board</org>.</p><li>One</li>",
        );
        assert_eq!(body.text, "The Ann Moss , of the Bath board.\nOne");
        let hints: Vec<_> = body.markup.iter().map(|markup| (markup.kind, markup.span.of(&body.text))).collect();
        assert_eq!(
            hints,
            [
                (MarkupKind::Person, "Ann Moss"),
                (MarkupKind::Organisation, "the Bath board"),
                (MarkupKind::Place, "Bath"),
                (MarkupKind::ListItem, "One"),
            ]
        );
    }

    #[test]
    fn lines_laid_out_by_a_program_are_joined() {
        assert_eq!(read("<p>Rain fell\n      on Bath\n      all day.\n    </p>").text, "Rain fell on Bath all day.");
        assert_eq!(read("<p>Rain fell\non Bath.</p>").text, "Rain fell on Bath.");
    }

    #[test]
    fn lines_laid_out_by_a_wire_are_taken_apart() {
        let body = read(
            "<p>(Adds detail)\n    BATH, May 2 (Northwire) - Rain fell on\nthe town.\n    It stopped.\n\n* One\n* Two</p>",
        );
        assert_eq!(
            body.text,
            "(Adds detail)\nBATH, May 2 (Northwire) - Rain fell on the town.\nIt stopped.\n* One\n* Two"
        );
        assert_eq!(body.anomalies.first().map(|a| a.code), Some("markup.lines_in_paragraph"));
    }

    #[test]
    fn breaks_where_a_line_was_full_are_spaces() {
        let body = read(
            "<p>   The ferry <b>board</b> said the crossing would stay shut until <br />the pier is mended, and that <person>Ann \
             Moss</person> of the Bells <br />Line would see to it.</p><p>Bath: rain<br>Stowe: sun</p>",
        );
        assert_eq!(
            body.text,
            "The ferry board said the crossing would stay shut until the pier is mended, and that Ann Moss of the Bells \
             Line would see to it.\nBath: rain\nStowe: sun"
        );
        assert_eq!(body.markup.first().map(|markup| markup.span.of(&body.text)), Some("Ann Moss"));
    }

    #[test]
    fn what_a_page_says_above_its_text_is_kept_apart() {
        let body = read(
            "<body><header><ul><li>Ferries</li><li>Stowe</li></ul><time>4 March</time><h1>Ferry <i>sinks</i></h1></header>\
             <section><p>It sank.</p></section><header><p>Nobody was hurt.</p></header></body>",
        );
        assert_eq!(
            (body.text.as_str(), body.page_heads),
            ("It sank.\nNobody was hurt.", vec!["Ferries Stowe 4 March Ferry sinks".to_owned()])
        );
    }

    #[test]
    fn preformatted_lines_stay() {
        assert_eq!(read("<pre>Town\rmm&#13;x</pre>").text, "Town\nmm\nx");
        assert_eq!(read("<pre>Town    mm\nBath    12\n\n\nEnd</pre><p>x</p>").text, "Town    mm\nBath    12\n\nEnd\nx");
    }

    #[test]
    fn what_was_escaped_twice_is_read_and_told() {
        let body = read("<p>caf&amp;eacute; &amp;lt;b&amp;gt;opens&amp;lt;/b&amp;gt;</p><p>a &lt;br/&gt; b</p>");
        assert_eq!(body.text, "café opens\na\nb");
        let codes: Vec<_> = body.anomalies.iter().map(|a| a.code).collect();
        assert_eq!(codes, ["markup.double_escaped", "markup.in_text"]);
    }
}

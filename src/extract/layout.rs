//! Text → paragraphs with kinds.
//!
//! ```text
//! UPDATE 1-Ferry aground off Skye        header
//!
//! (Adds quotes)                          note
//!
//! OBAN, May 2 (Northwire) - A ferry …    lead
//!
//! "We felt a bump," …                    quote
//!
//! TIDE TABLES WRONG                      crosshead, section 1
//!
//! Earlier, the operator had …            background
//!
//! (Reporting by A. Reporter)             signoff
//! ```
//!
//! [`split`] makes blocks: what a blank line, an indented first line, or the end of an unwrapped
//! line sets apart. Hard-wrapped lines are joined where the lines are as full as a wrapping
//! program fills them. [`run`] gives each block its kind from its own words, its neighbours and
//! its place in the story.
//!
//! What this does not do: rewrite anything (a joined paragraph is one span, line ends and all),
//! take a table apart, or read HTML. A crosshead is told by its shape, so a short unpunctuated
//! sentence between two paragraphs is taken for one.
//!
//! Sources: the header and end-mark habits of ANPA 1312 and IPTC 7901 transmissions, and the
//! house styles that the sample stories under `tests/fixtures/stories` imitate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dateline::{self, Dateline};
use crate::{
    story::Anomaly,
    text::{Span, char_at, from, slice, until},
};

/// Paragraphs of one story; what follows is read as one last paragraph, and told.
pub const PARAGRAPHS_MAX: usize = 20_000;
/// Lines of a hard-wrapped text are no wider, in characters.
const WRAP_WIDTH_MAX: usize = 100;
/// Nor are they wrapped narrower.
const WRAP_WIDTH_MIN: usize = 40;
/// How far below the full width a wrapping program may stop.
const WRAP_SLACK: usize = 6;
/// Blocks at the head of a story that may stand above the story proper.
pub(super) const HEADER_BLOCKS_MAX: usize = 16;
/// Longest crosshead and longest header line, in bytes.
const CROSSHEAD_BYTES_MAX: usize = 90;
const HEADLINE_BYTES_MAX: usize = 180;
/// Blocks at the end of a story among which initials and agency marks are looked for.
const SIGNOFF_BLOCKS: usize = 4;

/// What a paragraph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParagraphKind {
    /// Headline, slug, byline and other lines above the story proper.
    Header,
    /// The first paragraph of the story proper.
    Lead,
    /// Running text.
    Body,
    /// Mostly somebody's words.
    Quote,
    /// A heading inside the story.
    Crosshead,
    /// What happened before.
    Background,
    /// An item of a list.
    List,
    /// A row of a table.
    Table,
    /// The desk's own words to the reader or to other desks.
    Note,
    /// What ends a transmission: end marks, initials, credits.
    Signoff,
    /// Copyright lines, notices, "about" texts.
    Boilerplate,
}

impl ParagraphKind {
    /// Whether the paragraph tells the story, as against standing around it.
    pub fn is_story(self) -> bool {
        matches!(self, Self::Lead | Self::Body | Self::Quote | Self::Background | Self::List)
    }
}

/// A paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// Without white space at either end.
    pub span: Span,
    /// What it is for.
    pub kind: ParagraphKind,
    /// 0 before the first crosshead, then counting up.
    pub section: u32,
}

/// The paragraphs of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// In text order.
    pub paragraphs: Vec<Paragraph>,
    /// The headline, where the text opens with one, without the words of its status.
    pub headline: Option<Span>,
    /// The slug line, where the text opens with one.
    pub slugline: Option<Span>,
}

/// What stands apart as a paragraph, before its kind is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Without white space at either end.
    pub span: Span,
    /// Whether columns set it apart.
    pub is_row: bool,
}

/// A line that is not blank.
#[derive(Clone, Copy)]
struct Line {
    span: Span,
    indent: usize,
    after_blank: bool,
    /// In characters, without the indent.
    width: usize,
    is_row: bool,
}

// --- blocks ---------------------------------------------------------------------------------

/// Splits a text into blocks.
pub fn split(text: &str, anomalies: &mut Vec<Anomaly>) -> Vec<Block> {
    let lines = lines(text);
    let wrap_width = wrap_width(text, &lines);
    let mut blocks: Vec<Block> = Vec::new();
    let mut previous: Option<Line> = None;
    for (index, line) in lines.iter().enumerate() {
        let joins = match (previous, wrap_width) {
            (Some(above), Some(width)) => continues(text, above, *line, width, index),
            (Some(above), None) => make_sentence(text, above, *line),
            _ => false,
        };
        previous = Some(*line);
        let is_last = blocks.len() + 1 == PARAGRAPHS_MAX && index + 1 < lines.len();
        if let Some(block) = blocks.last_mut().filter(|_| joins) {
            block.span.end = line.span.end;
        } else if is_last {
            let end = lines.last().map_or(line.span.end, |last| last.span.end);
            anomalies.push(Anomaly::at("structure.truncated", line.span));
            blocks.push(Block { span: Span { start: line.span.start, end }, is_row: false });
            break;
        } else {
            blocks.push(Block { span: line.span, is_row: line.is_row });
        }
    }
    blocks
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut after_blank = true;
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain(std::iter::once(text.len()));
    for end in ends {
        let span = Span::new(start, end).trim(text);
        if span.is_empty() {
            after_blank = true;
        } else {
            let content = span.of(text);
            let margin = slice(text, start, span.start());
            let indent = margin.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
            let width = if content.is_ascii() { content.len() } else { content.chars().count() };
            lines.push(Line { span, indent, after_blank, width, is_row: is_row(content) });
            after_blank = false;
        }
        start = end + 1;
    }
    // A row stands beside another one.
    let alone = |index: usize| {
        let beside = |other: Option<&Line>| other.is_some_and(|line| line.is_row);
        !(beside(index.checked_sub(1).and_then(|above| lines.get(above))) || beside(lines.get(index + 1)))
    };
    let lonely: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].is_row && alone(*index)).collect();
    for index in lonely {
        lines[index].is_row = false;
    }
    lines
}

/// Columns: two strokes, a tab, or a gap of three spaces; two where no sentence has ended.
fn is_row(line: &str) -> bool {
    if line.len() > 240 {
        return false;
    }
    let bytes = line.as_bytes();
    if memchr::memchr_iter(b'|', bytes).count() >= 2 || bytes.contains(&b'\t') {
        return true;
    }
    memchr::memmem::find_iter(bytes, b"   ").next().is_some()
        || memchr::memmem::find_iter(bytes, b"  ").any(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b'.');
            let after = bytes.get(at + 2).copied().unwrap_or(b' ');
            before.is_ascii_alphanumeric() && after.is_ascii_digit()
        })
}

/// The width to which the text was wrapped, if it was.
///
/// Many lines of running text that break off within a sentence give wrapping away; lines far
/// wider than any wrapping rule it out.
fn wrap_width(text: &str, lines: &[Line]) -> Option<usize> {
    let wide = lines.iter().filter(|line| line.width > WRAP_WIDTH_MAX + 20).count();
    if wide * 10 > lines.len() {
        return None;
    }
    let (mut pairs, mut broken, mut width) = (0, 0, 0);
    for pair in lines.windows(2) {
        let [above, below] = pair else { continue };
        let fits = (WRAP_WIDTH_MIN..=WRAP_WIDTH_MAX).contains(&above.width);
        if below.after_blank || !fits || above.is_row || below.is_row {
            continue;
        }
        pairs += 1;
        if breaks_off(text, *above, *below) {
            broken += 1;
            width = width.max(above.width);
        }
    }
    (broken >= 1 && broken * 3 >= pairs).then_some(width)
}

/// Whether the line stops within a sentence that goes on in the line below.
fn breaks_off(text: &str, above: Line, below: Line) -> bool {
    let starts_low = char_at(text, below.span.start()).is_some_and(char::is_lowercase);
    starts_low && above.width >= WRAP_WIDTH_MIN && !ends_sentence(above.span.of(text))
}

/// Whether two lines of a text that is not wrapped make one sentence together. A list would not
/// open with a capital, go on without one, and end with a stop.
fn make_sentence(text: &str, above: Line, below: Line) -> bool {
    let first = |line: Line| char_at(text, line.span.start());
    !below.after_blank
        && !above.is_row
        && first(above).is_some_and(char::is_uppercase)
        && first(below).is_some_and(char::is_lowercase)
        && !ends_sentence(above.span.of(text))
        && ends_sentence(below.span.of(text))
}

fn continues(text: &str, above: Line, below: Line, width: usize, index: usize) -> bool {
    if below.after_blank || above.is_row || below.is_row || above.width > width + 20 {
        return false;
    }
    let (upper, lower) = (above.span.of(text), below.span.of(text));
    let upper_is_item = list_marker(upper).is_some();
    if list_marker(lower).is_some() && (upper_is_item || !ends_open(upper)) {
        return false;
    }
    if is_byline(upper)
        || is_byline(lower)
        || is_end_mark(lower)
        || (below.indent >= above.indent + 2 && !upper_is_item)
    {
        return false;
    }
    if index < HEADER_BLOCKS_MAX && dateline::opens(text, below.span) {
        return false;
    }
    let next_word = lower.chars().take_while(|c| !c.is_whitespace()).take(width).count();
    let is_full = above.width + 1 + next_word + WRAP_SLACK > width;
    is_full || breaks_off(text, above, below)
}

// --- kinds ----------------------------------------------------------------------------------

/// Splits a text and tells its paragraphs apart in one go, for who has no use for the blocks.
pub fn read(text: &str, dateline: Option<&Dateline>) -> Layout {
    run(text, &split(text, &mut Vec::new()), dateline)
}

/// Tells the paragraphs apart.
pub fn run(text: &str, blocks: &[Block], dateline: Option<&Dateline>) -> Layout {
    let lead = lead_index(text, blocks, dateline);
    let mut layout = Layout { paragraphs: Vec::with_capacity(blocks.len()), headline: None, slugline: None };
    let mut state = State { section: 0, section_is_background: false, matter: Matter::Story };
    for (index, block) in blocks.iter().enumerate() {
        let around = Around { text, blocks, index, lead };
        let kind = if index < lead { head_kind(&around, &mut layout) } else { story_kind(&around, &mut state) };
        layout.paragraphs.push(Paragraph { span: block.span, kind, section: state.section });
    }
    layout
}

/// Where the reading stands.
struct State {
    section: u32,
    section_is_background: bool,
    matter: Matter,
}

/// What the blocks belong to.
#[derive(PartialEq, Eq)]
enum Matter {
    /// The story.
    Story,
    /// "About" texts and notices, up to the end.
    Boilerplate,
}

/// A block and its neighbours.
struct Around<'a> {
    text: &'a str,
    blocks: &'a [Block],
    index: usize,
    lead: usize,
}

impl<'a> Around<'a> {
    fn at(&self, offset: isize) -> Option<&'a str> {
        let index = self.index.checked_add_signed(offset)?;
        self.blocks.get(index).map(|block| block.span.of(self.text))
    }

    fn words(&self) -> &'a str {
        self.at(0).unwrap_or("")
    }

    fn is_near_end(&self) -> bool {
        self.index + SIGNOFF_BLOCKS >= self.blocks.len() && self.index > self.lead
    }
}

/// The index of the first block of the story proper.
fn lead_index(text: &str, blocks: &[Block], dateline: Option<&Dateline>) -> usize {
    if let Some(dateline) = dateline {
        let start = dateline.body_start as usize;
        return blocks.iter().position(|block| block.span.end() > start).unwrap_or(0);
    }
    let opens = |block: &Block| {
        let words = block.span.of(text);
        is_header_line(words) || is_note(words) || list_marker(words).is_some() || is_headline(words)
    };
    let lead = blocks.iter().take(HEADER_BLOCKS_MAX).position(|block| !opens(block));
    // A text of headings alone has no header.
    let begins = lead.filter(|_| blocks.first().is_some_and(|block| list_marker(block.span.of(text)).is_none()));
    begins.unwrap_or(0)
}

/// A line that only stands above a story.
fn is_header_line(words: &str) -> bool {
    is_byline(words) || is_slug(words) || is_author_title(words) || super::status::cue_at(words).is_some()
}

fn is_headline(words: &str) -> bool {
    words.len() <= HEADLINE_BYTES_MAX
        && words.chars().any(char::is_alphabetic)
        && (!ends_sentence(words) && !words.ends_with([':', ',', ';']) || is_title_case(words))
}

fn head_kind(around: &Around<'_>, layout: &mut Layout) -> ParagraphKind {
    let words = around.words();
    let Some(block) = around.blocks.get(around.index) else { return ParagraphKind::Header };
    if is_note(words) {
        return ParagraphKind::Note;
    }
    if list_marker(words).is_some() {
        return ParagraphKind::List;
    }
    if is_boilerplate(words) {
        return ParagraphKind::Boilerplate;
    }
    if is_slug(words) {
        layout.slugline = layout.slugline.or(Some(block.span));
    } else if layout.headline.is_none() && !is_byline(words) && !is_author_title(words) && is_headline(words) {
        let cue_bytes = super::status::cue_at(words).map_or(0, |cue| cue.bytes);
        let headline = Span::new(block.span.start() + cue_bytes, block.span.end()).trim(around.text);
        layout.headline = Some(headline).filter(|headline| !headline.is_empty());
    }
    ParagraphKind::Header
}

fn story_kind(around: &Around<'_>, state: &mut State) -> ParagraphKind {
    let words = around.words();
    let is_row = around.blocks.get(around.index).is_some_and(|block| block.is_row);
    if around.index > around.lead {
        if is_end_mark(words) {
            state.matter = Matter::Boilerplate;
            return ParagraphKind::Signoff;
        }
        if is_credit(words) || around.is_near_end() && is_initials(words) {
            return ParagraphKind::Signoff;
        }
        if is_about(words) && around.index > around.lead + 1 {
            state.matter = Matter::Boilerplate;
        }
    }
    if is_note(words) {
        return ParagraphKind::Note;
    }
    if state.matter == Matter::Boilerplate || is_boilerplate(words) {
        return ParagraphKind::Boilerplate;
    }
    if is_row {
        return ParagraphKind::Table;
    }
    if is_list_item(around) {
        return ParagraphKind::List;
    }
    if around.index == around.lead {
        return ParagraphKind::Lead;
    }
    if is_crosshead(around) {
        state.section += 1;
        state.section_is_background = is_background_heading(words) || around.at(1).is_some_and(opens_background);
        return ParagraphKind::Crosshead;
    }
    if is_mostly_quoted(words) {
        return ParagraphKind::Quote;
    }
    if state.section_is_background || opens_background(words) {
        return ParagraphKind::Background;
    }
    ParagraphKind::Body
}

// --- shapes of single lines -----------------------------------------------------------------

/// Whether a sentence ends here: a full stop, question or exclamation mark, closers aside.
pub(super) fn ends_sentence(words: &str) -> bool {
    words.trim_end_matches(['"', '”', '’', '\'', ')', ']', '»', '“']).ends_with(['.', '!', '?', '…'])
}

/// Whether the line is left open, so that a dash in the next one is no list marker.
fn ends_open(words: &str) -> bool {
    words.ends_with(char::is_alphanumeric) || words.ends_with(',')
}

/// Byte length of a list marker with its space.
pub(super) fn list_marker(words: &str) -> Option<usize> {
    let mut chars = words.char_indices();
    let (_, first) = chars.next()?;
    let (second_at, second) = chars.next()?;
    if matches!(first, '*' | '•' | '·' | '‣' | '▪' | '●' | '–' | '—' | '-') && matches!(second, ' ' | '\t' | '\u{a0}')
    {
        return Some(second_at + second.len_utf8());
    }
    if matches!(first, '•' | '▪' | '●') {
        return Some(second_at);
    }
    let body = words.strip_prefix('(').unwrap_or(words);
    let digits = body.len() - body.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = from(body, digits);
    let closed = rest.strip_prefix([')', '.']).filter(|rest| rest.starts_with([' ', '\t']));
    (digits > 0 && digits <= 2).then_some(())?;
    closed.map(|rest| words.len() - rest.trim_start().len())
}

/// `*` and bullets always mark an item; a dash or a number needs a neighbour or a colon above.
fn is_list_item(around: &Around<'_>) -> bool {
    let words = around.words();
    if list_marker(words).is_none() || is_dash_signature(words) && around.is_near_end() {
        return false;
    }
    if words.starts_with(['*', '•', '▪', '●', '‣']) {
        return true;
    }
    let marked = |offset| around.at(offset).is_some_and(|words| list_marker(words).is_some());
    marked(-1) || marked(1) || around.at(-1).is_some_and(|above| above.ends_with(':'))
}

/// `By Jane Doe` and nothing else but names.
pub(super) fn is_byline(words: &str) -> bool {
    super::byline::names(words).is_some()
}

/// `Court Correspondent`, `Associated Press Writer`.
pub(super) fn is_author_title(words: &str) -> bool {
    const ENDINGS: [&str; 9] =
        ["writer", "writers", "correspondent", "correspondents", "reporter", "editor", "staff", "columnist", "bureau"];
    let last = words.rsplit(' ').next().unwrap_or("").to_lowercase();
    words.len() <= 60
        && words.split(' ').count() <= 6
        && ENDINGS.contains(&last.as_str())
        && words.chars().next().is_some_and(char::is_uppercase)
}

/// `BC-US--Bridge Collapse, 1st Ld-Writethru,0318`, `HEALTH-FEVER/VACCINE (UPDATE 1)`.
fn is_slug(words: &str) -> bool {
    if words.len() > 80 || ends_sentence(words) {
        return false;
    }
    let cycle = ["BC-", "AM-", "PM-", "bc-", "am-", "pm-"].iter().any(|cycle| words.starts_with(cycle));
    let first = words.split([' ', ',']).next().unwrap_or("");
    let keyword = (first.contains('/') || first.contains("--") || first.contains('-'))
        && words.split(' ').count() <= 4
        && first.len() >= 6
        && first.chars().all(|c| c.is_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '/' | '&'))
        && first.contains('/');
    cycle || keyword
}

fn starts_with_any(words: &str, openings: &[&str]) -> bool {
    openings.iter().any(|opening| {
        words.as_bytes().get(..opening.len()).is_some_and(|head| head.eq_ignore_ascii_case(opening.as_bytes()))
    })
}

/// The desk speaking: what changed, to editors, embargoes.
pub(super) fn is_note(words: &str) -> bool {
    const OPENINGS: [&str; 20] = [
        "editors:",
        "editors note",
        "editors' note",
        "editors’ note",
        "editor's note",
        "editor’s note",
        "eds:",
        "eds.:",
        "eds note",
        "ed. note",
        "ed note",
        "attention editors",
        "note to editors",
        "notes to editors",
        "note to subscribers",
        "embargoed until",
        "embargoed to",
        "embargo:",
        "not for publication",
        "hold for release",
    ];
    let inner = words.trim_start_matches(['(', '[', '*', '-', ' ']);
    starts_with_any(inner, &OPENINGS) || super::notes::is_change(words)
}

/// `Reporting by …; Editing by …`, in parentheses or not.
pub(super) fn is_credit(words: &str) -> bool {
    const OPENINGS: [&str; 12] = [
        "reporting by",
        "additional reporting",
        "writing by",
        "written by",
        "editing by",
        "edited by",
        "compiled by",
        "reported by",
        "translated by",
        "reporting and writing by",
        "reporting and editing by",
        "with reporting by",
    ];
    starts_with_any(words.trim_start_matches(['(', '[', '*', ' ']), &OPENINGS)
}

/// `-0-`, `ENDS`, `/ENDS/`, `###`, `(END)`, `-30-`.
fn is_end_mark(words: &str) -> bool {
    if words.len() > 24 {
        return false;
    }
    let is_frame =
        |c: char| matches!(c, '-' | '/' | '(' | ')' | '#' | '*' | '=' | '<' | '>' | '[' | ']' | '.' | ' ' | '–' | '—');
    let core = words.trim_matches(is_frame);
    let framed = core.len() < words.len();
    match core {
        "" => words.len() >= 3 && words.chars().all(|c| c == '#'),
        "0" | "30" => framed,
        "END" | "ENDS" | "ENDIT" | "ENDITEM" => true,
        _ => framed && ["end", "ends"].contains(&core.to_lowercase().as_str()),
    }
}

/// `ab/cd`, `JT`, `==Kyodo`, `-- Coral News`.
fn is_initials(words: &str) -> bool {
    let part = |part: &str| {
        (2..=4).contains(&part.len())
            && part.chars().all(|c| c.is_ascii_alphabetic())
            && (part.chars().all(char::is_lowercase) || part.chars().all(char::is_uppercase))
    };
    (words.contains('/') && words.len() <= 16 && words.split('/').all(part)) || is_dash_signature(words)
}

fn is_dash_signature(words: &str) -> bool {
    let core = words.trim_start_matches(['=', '-', '—', '–', '/', ' ']);
    let framed = ["==", "--", "—", "– ", "//"].iter().any(|mark| words.starts_with(mark));
    framed
        && !core.is_empty()
        && words.len() <= 40
        && core.split(' ').count() <= 4
        && core.chars().next().is_some_and(char::is_uppercase)
        && !core.ends_with(['.', '!', '?', ':'])
}

fn is_boilerplate(words: &str) -> bool {
    const OPENINGS: [&str; 14] = [
        "©",
        "(c) ",
        "copyright ",
        "all rights reserved",
        "forward-looking statements",
        "cautionary statement",
        "media contact",
        "press contact",
        "contact:",
        "contacts:",
        "for more information",
        "for further information",
        "source ",
        "disclaimer:",
    ];
    if starts_with_any(words, &["source "]) {
        return words.len() <= 80 && words.starts_with("SOURCE ");
    }
    starts_with_any(words, &OPENINGS)
        || words.len() <= 400 && memchr::memmem::find(words.as_bytes(), b"ll rights reserved").is_some()
}

/// A heading after which nothing belongs to the story: `About Halden Orchards`.
fn is_about(words: &str) -> bool {
    let is_heading = words.len() <= CROSSHEAD_BYTES_MAX && !ends_sentence(words);
    let about = words.strip_prefix("About ").or_else(|| words.strip_prefix("ABOUT "));
    let about = about.is_some_and(|rest| rest.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit()));
    is_heading
        && (about
            || starts_with_any(
                words,
                &["forward-looking statement", "media contact", "press contact", "notes to editors"],
            ))
}

/// Most longer words begin with a capital.
fn is_title_case(words: &str) -> bool {
    let (mut long, mut upper) = (0, 0);
    for word in words.split(' ').take(30) {
        let word = word.trim_start_matches(['"', '“', '‘', '\'', '(']);
        if word.chars().filter(|c| c.is_alphabetic()).count() >= 4 {
            long += 1;
            upper += usize::from(word.chars().next().is_some_and(char::is_uppercase));
        }
    }
    long >= 3 && upper * 10 >= long * 8 && words.matches(". ").count() == 0
}

/// A heading inside the story: short, unpunctuated, between paragraphs; or marked as one.
fn is_crosshead(around: &Around<'_>) -> bool {
    let words = around.words();
    if words.len() > CROSSHEAD_BYTES_MAX || around.index <= around.lead {
        return false;
    }
    let Some(below) = around.at(1) else { return false };
    if !words.chars().any(char::is_alphanumeric) {
        // A line of stars or strokes divides two parts of a story.
        return true;
    }
    let marked = words.starts_with("## ") || words.starts_with("**") && words.ends_with("**");
    let core = words.trim_matches(['#', '*', '=', '-', ' ', '_']);
    let starts_well = core.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    let count = core.split_whitespace().count();
    let open_end = match core.chars().next_back() {
        Some('?') => count <= 8 && !is_mostly_quoted(below),
        Some(':') => count <= 4 && list_marker(below).is_none(),
        Some(last) => last.is_alphanumeric() || matches!(last, ')' | '%' | '’' | '\''),
        None => false,
    };
    let runs_on = |words: &str| ends_sentence(words) || words.len() > CROSSHEAD_BYTES_MAX;
    let has_body_below = runs_on(below) || list_marker(below).is_some();
    starts_well
        && open_end
        && (marked || count <= 12)
        && (marked
            || has_body_below && around.at(-1).is_some_and(|above| runs_on(above) || list_marker(above).is_some()))
}

fn is_background_heading(words: &str) -> bool {
    const WORDS: [&str; 6] = ["background", "context", "history", "what is known", "what we know", "how we got here"];
    let low = words.to_lowercase();
    WORDS.iter().any(|word| low.contains(word))
}

/// Openings that look back.
fn opens_background(words: &str) -> bool {
    const OPENINGS: [&str; 10] = [
        "earlier,",
        "earlier this",
        "earlier on",
        "previously,",
        "previously it",
        "in the past,",
        "background:",
        "as reported earlier",
        "as reported,",
        "it was reported earlier",
    ];
    starts_with_any(words, &OPENINGS)
}

/// Opens with a quotation mark and holds at least a third of quoted words.
fn is_mostly_quoted(words: &str) -> bool {
    let Some(first) = words.chars().next() else { return false };
    let single = matches!(first, '‘' | '\'');
    if !(single || matches!(first, '"' | '“' | '”' | '„' | '«' | '»' | '‹') || words.starts_with("``")) {
        return false;
    }
    let mut inside = 0;
    let mut open = false;
    let mut opened_at = 0;
    let mut previous = ' ';
    for (at, c) in words.char_indices() {
        let next_is_letter = || char_at(words, at + c.len_utf8()).is_some_and(char::is_alphanumeric);
        let (opens, closes) = match c {
            '"' | '«' | '»' => (!open, open),
            '“' => (!open, open && words.starts_with('„')),
            '„' | '`' | '‘' => (!open, false),
            '”' => (at == 0, open),
            '\'' if previous == '\'' && !single => (false, open),
            '’' | '\'' if single => (c == '\'' && !open && !previous.is_alphanumeric(), open && !next_is_letter()),
            _ => (false, false),
        };
        if opens {
            open = true;
            opened_at = at;
        } else if closes {
            open = false;
            inside += at - opened_at;
        }
        previous = c;
    }
    if open {
        inside += words.len() - opened_at;
    }
    inside * 3 >= words.len()
}

/// The first words of a block, for stages that only look at openings.
pub(super) fn opening(words: &str, bytes_max: usize) -> &str {
    until(words, words.floor_char_boundary(bytes_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::check;

    /// `kind: text` of every paragraph, line breaks inside shown as `/`.
    fn kinds(text: &str) -> Vec<String> {
        let layout = read(text, None);
        let show = |p: &Paragraph| format!("{:?}: {}", p.kind, p.span.of(text).replace('\n', "/"));
        layout.paragraphs.iter().map(show).collect()
    }

    #[test]
    fn one_line_is_one_paragraph_where_lines_are_not_wrapped() {
        assert_eq!(
            kinds(
                "The bridge is closed.\n\"It will open on Monday,\" said the mayor.\nWhat comes next\nNobody knows.\n"
            ),
            [
                "Lead: The bridge is closed.",
                "Quote: \"It will open on Monday,\" said the mayor.",
                "Crosshead: What comes next",
                "Body: Nobody knows.",
            ]
        );
    }

    #[test]
    fn wrapped_lines_are_joined_and_a_blank_line_parts_them() {
        let text = "The bridge over the lower Tamber has been closed to all traffic after a\n\
                    barge struck its middle pier in the early hours of Tuesday, the harbour\n\
                    board said.\n\nNobody was hurt.\n";
        let found = kinds(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("after a/barge struck") && found[0].contains("harbour/board said."));
    }

    #[test]
    fn a_short_line_that_breaks_off_goes_on_in_the_next() {
        assert_eq!(kinds("It was a long \nday on the quay."), ["Lead: It was a long /day on the quay."]);
        assert_eq!(kinds("apples\ndried pears\nplums, cherries\n").len(), 3, "a list is no sentence");
        assert_eq!(kinds("Shopping list\napples\ndried pears\n").len(), 3, "its last item has no stop");
    }

    fn ends(text: &str) -> Vec<(&'static str, Span)> {
        let label = |kind| match kind {
            ParagraphKind::Signoff => Some("signoff"),
            ParagraphKind::Boilerplate => Some("boilerplate"),
            _ => None,
        };
        read(text, None).paragraphs.iter().filter_map(|p| Some((label(p.kind)?, p.span))).collect()
    }

    #[test]
    fn each_end_mark_credit_and_copyright_line() {
        for (line, label) in [
            ("-0-", "signoff"),
            ("-30-", "signoff"),
            ("ENDS", "signoff"),
            ("/ENDS/", "signoff"),
            ("(END)", "signoff"),
            ("-ends-", "signoff"),
            ("###", "signoff"),
            ("ab/cd", "signoff"),
            ("==Kyodo", "signoff"),
            ("(Reporting by Ann Moss; Editing by Ray Stone)", "signoff"),
            ("(Editing by Ray Stone)", "signoff"),
            ("Reporting by Ann Moss", "signoff"),
            ("© 2031 Northwire", "boilerplate"),
            ("(c) 2031 Northwire", "boilerplate"),
            ("Copyright 2031 Northwire. All rights reserved.", "boilerplate"),
            ("All rights reserved. This material may not be published.", "boilerplate"),
        ] {
            let carets = "^".repeat(line.chars().count());
            check(&format!("\nThe bridge is closed.\n\nIt will open on Monday.\n\n{line}\n{carets} {label}\n"), ends);
        }
        for line in
            ["The strike ends.", "In the end it rained.", "ENDS OF THE EARTH is a play.", "He got 30 or 0 points."]
        {
            check(&format!("\nThe bridge is closed.\n\nIt will open on Monday.\n\n{line}\n"), ends);
        }
    }

    #[test]
    fn what_ends_a_transmission_is_told_apart() {
        let found = kinds(
            "The bridge is closed.\nIt will open on Monday.\n(Reporting by Ann Moss; Editing by Ray Stone)\n-0-\n",
        );
        assert!(found[2].starts_with("Signoff") && found[3].starts_with("Signoff"), "{found:?}");
    }
}

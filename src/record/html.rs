//! Records → one HTML page: each story with what the desk found in it.
//!
//! ```text
//! page(&[record, record]) → <!doctype html> … <article id="s1"> … <article id="s2"> … </html>
//! ```
//!
//! The page needs nothing else: style and script are inside, and its own policy forbids whatever
//! is not (`default-src 'none'`, style and script by their hashes). Quotations have their
//! speaker's colour and letter, entities a line by class; hovering, tapping or focusing a mark
//! shows its details, and without a script it leads to the entry in the lists. Everything drawn
//! from a record is escaped by `markup::Markup`.
//!
//! [`begin`], [`article`] and [`end`] make the same page piece by piece, so that many stories need
//! no more memory than one.
//!
//! What this does not do: find anything, read or write anything, or show what the record leaves out.

mod lists;
mod marks;
mod markup;
mod palette;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use self::{marks::Marks, markup::Markup};
use super::{
    ParagraphKind, Record,
    reading::{Citation, Reading, Speaker, written},
};

/// The style sheet, its colours first.
static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", palette::variables(), include_str!("html/style.css")));
/// What shows details beside a mark.
const SCRIPT: &str = include_str!("html/script.js");
/// Characters of a title that is taken from the text.
const TITLE_CHARS: usize = 90;

/// The whole page.
pub fn page(records: &[Record]) -> String {
    let title = match records {
        [one] => title(one),
        many => format!("{} stories", many.len()),
    };
    let mut page = begin(&title);
    for (index, record) in records.iter().enumerate() {
        page.push_str(&article(record, &anchor(index + 1)));
    }
    let titles: Vec<(String, String)> =
        records.iter().enumerate().map(|(index, record)| (anchor(index + 1), self::title(record))).collect();
    page.push_str(&end(&titles));
    page
}

/// The id of a story on the page, counted from 1.
pub fn anchor(number: usize) -> String {
    format!("s{number}")
}

/// What comes before the first story.
pub fn begin(title: &str) -> String {
    let mut markup = Markup::default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(&STYLE),
        hash(SCRIPT)
    );
    markup.tag("meta", &[("charset", "utf-8")]).line();
    markup.tag("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]).line();
    markup.tag("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]).line();
    markup.tag("meta", &[("name", "generator"), ("content", concat!("copydesk ", env!("CARGO_PKG_VERSION")))]).line();
    markup.element("title", &[], &format!("{title} – copydesk")).line();
    let head = markup.finish();
    let mut markup = Markup::default();
    markup.element("a", &[("class", "skip"), ("href", "#stories")], "Skip to the story").line();
    markup.open("header", &[("class", "top")]).element("h1", &[], "copydesk");
    legend(&mut markup);
    markup.close().line();
    let top = markup.finish();
    // Style and script are words of this program: they are not escaped.
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n{head}<style>{}</style>\n</head>\n<body>\n{top}\
         <main id=\"stories\" tabindex=\"-1\">\n",
        &*STYLE
    )
}

/// One story; its anchor must be its own on the page.
pub fn article(record: &Record, anchor: &str) -> String {
    let mut story = Story::new(record, anchor);
    let mut markup = Markup::default();
    let heading = story.id("title");
    markup.open("article", &[("id", story.anchor), ("aria-labelledby", &heading)]).line();
    markup.open("div", &[("class", "head")]);
    markup.element("h2", &[("id", &heading), ("dir", "auto")], &title(record)).line();
    facts(&story, &mut markup);
    markup.close().line();
    markup.open("div", &[("class", "columns")]).line();
    story.drawn = text(&story, &mut markup);
    markup.open("aside", &[("aria-label", "What was found in the story"), ("class", "lists")]).line();
    lists::write(&story, &mut markup);
    markup.close().close().close().line();
    markup.finish()
}

/// What comes after the last story; the anchors and titles are given in order.
pub fn end(titles: &[(String, String)]) -> String {
    let mut markup = Markup::default();
    markup.open("footer", &[("class", "bottom")]);
    if titles.len() > 1 {
        markup.open("nav", &[("aria-label", "Stories on this page")]).element("h2", &[], "Stories on this page");
        markup.open("ol", &[]).line();
        for (anchor, title) in titles {
            let target = format!("#{anchor}");
            markup.open("li", &[]).element("a", &[("href", &target), ("dir", "auto")], title).close().line();
        }
        markup.close().close();
    }
    markup.element("p", &[], concat!("Read by copydesk ", env!("CARGO_PKG_VERSION"), ".")).close().line();
    let role = [("id", "detail"), ("role", "tooltip"), ("class", "card hidden")];
    markup.element("div", &role, "").line();
    format!("</main>\n{}<script>{SCRIPT}</script>\n</body>\n</html>\n", markup.finish())
}

/// What to call a story: its headline, else its first words.
pub fn title(record: &Record) -> String {
    if let Some(headline) = record.headline.as_deref().filter(|headline| !headline.trim().is_empty()) {
        return headline.trim().to_owned();
    }
    let body = record.dateline.as_ref().map_or(0, |dateline| dateline.body_start as usize);
    let line: String = record.text.chars().skip(body).take(TITLE_CHARS * 2).collect();
    let mut title = String::new();
    for word in line.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().split_whitespace() {
        if title.chars().count() + word.chars().count() > TITLE_CHARS {
            title.push('…');
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.extend(word.chars().take(TITLE_CHARS));
    }
    if title.is_empty() { record.id.clone() } else { title }
}

/// A story on its way to the page.
#[derive(Debug)]
struct Story<'a> {
    record: &'a Record,
    reading: Reading,
    anchor: &'a str,
    speakers: Vec<Speaker>,
    /// The speaker of each quotation.
    speaker_of: Vec<usize>,
    /// The ids that the drawn text has.
    drawn: BTreeSet<String>,
}

/// How a speaker is shown.
struct Voice {
    /// Index into the palette.
    colour: usize,
    letter: String,
    name: String,
}

impl<'a> Story<'a> {
    fn new(record: &'a Record, anchor: &'a str) -> Self {
        let reading = Reading::of(record);
        let speakers = reading.speakers();
        let mut speaker_of = vec![0; reading.quotes.len()];
        for (index, speaker) in speakers.iter().enumerate() {
            for quote in &speaker.quotes {
                speaker_of[*quote] = index;
            }
        }
        Self { record, reading, anchor, speakers, speaker_of, drawn: BTreeSet::new() }
    }

    /// An id that is this story's own on the page.
    fn id(&self, of: &str) -> String {
        let plain: String = of.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}-{plain}", self.anchor)
    }

    /// How the speaker of a quotation is shown.
    fn voice(&self, quote: usize) -> Voice {
        let index = self.speaker_of.get(quote).copied().unwrap_or_default();
        let Some(name) = self.speakers.get(index).and_then(|speaker| speaker.name.clone()) else {
            return Voice { colour: 0, letter: "?".to_owned(), name: "speaker unknown".to_owned() };
        };
        let place = self.speakers.iter().take(index).filter(|speaker| speaker.name.is_some()).count();
        let letter = char::from(b'A' + (place % 26) as u8);
        let round = place / 26;
        let letter = if round == 0 { letter.to_string() } else { format!("{letter}{}", round + 1) };
        Voice { colour: 1 + place % (palette::VOICES.len() - 1), letter, name }
    }

    /// The citation behind each sentence; of several, the one whose chain goes further in.
    fn chains(&self) -> BTreeMap<u32, usize> {
        let mut chains: BTreeMap<u32, usize> = BTreeMap::new();
        for (index, citation) in self.reading.citations.iter().enumerate() {
            for sentence in &citation.sentences {
                let length = |index: usize| self.reading.citations.get(index).map_or(0, |other| other.chain.len());
                let known = chains.entry(*sentence).or_insert(index);
                if length(*known) < length(index) {
                    *known = index;
                }
            }
        }
        chains
    }

    /// The links of a chain, in words.
    fn chain_words(&self, citation: &Citation) -> Vec<String> {
        citation.chain.iter().map(|link| self.reading.link_name(link)).collect()
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// What each mark means, with a box that hides it.
fn legend(markup: &mut Markup) {
    markup.open("details", &[("class", "legend"), ("open", "open")]).element("summary", &[], "Legend");
    markup.open("fieldset", &[]).element("legend", &[], "Marks that are shown").line();
    let boxes = [
        ("quotes", "q direct v1", "Quotation, in its speaker’s colour and with their letter"),
        ("indirect", "q indirect v1", "In the writer’s words"),
        ("person", "m person", "Person"),
        ("organisation", "m organisation", "Organisation"),
        ("place", "m place", "Place"),
        ("group", "m group", "Group"),
        ("event", "m event", "Named event"),
        ("work", "m work", "Work"),
        ("time", "m time", "Time"),
        ("figure", "m figure", "Count, amount"),
        ("act", "act", "What happened"),
        ("note", "note", "The desk’s own words"),
        ("odd", "odd", "Something odd"),
        ("source", "source", "Where the source changes"),
    ];
    for (name, class, label) in boxes {
        let id = format!("show-{name}");
        markup.open("label", &[("for", &id)]);
        markup.tag("input", &[("type", "checkbox"), ("id", &id), ("checked", "checked")]).text(" ");
        markup.element("span", &[("class", class)], label).close().line();
    }
    markup.close();
    markup.element(
        "p",
        &[("class", "hint")],
        "Hover, tap or tab to a mark for its details; Enter leads to its entry, Escape closes the details.",
    );
    markup.close();
}

fn facts(story: &Story<'_>, markup: &mut Markup) {
    let record = story.record;
    let mut facts: Vec<(&str, String)> = Vec::new();
    let dateline: Vec<&str> = story.reading.dateline.iter().map(|part| part.text.as_str()).collect();
    facts.push(("Filed", dateline.join(" · ")));
    let authors: Vec<&str> = record.bylines.iter().map(|byline| byline.name.as_str()).collect();
    facts.push(("By", authors.join(", ")));
    facts.push(("Source", record.source.clone().unwrap_or_default()));
    if let Some(status) = &record.status {
        let number = status.number.map(|number| format!(" {number}")).unwrap_or_default();
        let embargo = status.embargo.as_ref().map(|until| format!(", embargoed until {until}")).unwrap_or_default();
        facts.push(("Status", format!("{}{number}{embargo}", written(&status.kind))));
    }
    let time = record.reference_time.as_ref();
    facts.push(("Dates read from", time.map_or(String::new(), |time| time.value.clone())));
    facts.push(("Language", record.language.as_ref().map_or(String::new(), |language| language.code.clone())));
    facts.push(("Id", record.id.clone()));
    markup.open("dl", &[("class", "facts")]);
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        markup.open("div", &[]).element("dt", &[], name).element("dd", &[("dir", "auto")], value).close();
    }
    markup.close();
}

/// The story itself; gives the ids that can be led to.
fn text(story: &Story<'_>, markup: &mut Markup) -> BTreeSet<String> {
    let record = story.record;
    let language = record.language.as_ref().map(|language| language.code.as_str()).filter(|code| *code != "und");
    let is_code = |code: &&str| code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let language = language.filter(is_code).unwrap_or_default();
    markup.open("div", &[("class", "story"), ("lang", language), ("dir", "auto")]).line();
    let (mut marks, characters) = (Marks::of(story), record.text.chars().collect::<Vec<char>>());
    for (index, paragraph) in record.paragraphs.iter().enumerate() {
        let kind = written(&paragraph.kind);
        let element = match paragraph.kind {
            ParagraphKind::Crosshead => "h3",
            ParagraphKind::Table | ParagraphKind::List => "pre",
            _ => "p",
        };
        markup.open(element, &[("class", &format!("paragraph {kind}")), ("data-kind", &kind)]);
        marks.draw(&characters, index, paragraph, markup);
        markup.close().line();
    }
    markup.close().line();
    marks.drawn()
}

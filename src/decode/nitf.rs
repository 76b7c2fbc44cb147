//! NITF 3: the News Industry Text Format.
//!
//! Standard: IPTC NITF 3.0 to 3.6.
//!
//! Read: `docdata` (ids, management status, urgency, dates of issue and release, copyright,
//! keywords, series, update key, message to editors, correction), `pubdata`, `hedline`, `byline`,
//! `distributor`, `dateline`, `abstract`, `rights`, and the copy with headings, lists, tables, quotations and
//! notes, a paragraph, an item and a row a line each. Captions of media are kept beside the
//! text. What `person`, `org`, `location` … say of a piece of the text is kept as a hint.
//! All else (subjects, `meta`, identified content, revision history …) is kept in `extra`
//! under `nitf.` and its path.
//!
//! A dateline that stands outside the copy, and that the copy does not repeat, becomes the first
//! line of the text. A date of release that is later than the issue is an embargo.
//!
//! Not read: pictures and other media; ruby text.

use serde_json::json;

use super::{
    DecodeError, STORIES_MAX, Stories,
    blocks::{Blocks, Body, join_space},
    note_once, times, wire,
    xml::{self, Element},
};
use crate::{
    story::{Anomaly, DeclaredStatus, Format, Story},
    text::{Span, until},
};

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = xml::text(input)?;
    let tree = xml::parse(&decoded.text)?;
    let Some(root) = tree.root() else { return Ok(Vec::new()) };
    let documents = if root.name() == "nitf" { vec![root] } else { root.outermost("nitf") };
    if documents.is_empty() {
        return Err(DecodeError::new("decode.format", "there is no `nitf` element").at(root.offset()));
    }
    let stories = documents.into_iter().take(STORIES_MAX + 1).map(|document| {
        let mut story = Story::blank(Format::Nitf);
        read(document, &mut story);
        tree.finish(story, &decoded, document, "nitf")
    });
    Ok(stories.collect())
}

/// Reads an `nitf` element; fields that the story has already are left as they are.
pub(super) fn read(nitf: Element<'_, '_>, story: &mut Story) {
    nitf.attribute("version");
    let language = nitf.attribute("baselang").or_else(|| nitf.attribute("lang"));
    story.language = story.language.take().or(language);
    if let Some(head) = nitf.child("head") {
        read_head(head, story);
    }
    let title = nitf.path(&["head", "title"]).and_then(Element::line);
    if let Some(body) = nitf.child("body") {
        read_body_head(body, story);
        read_content(body, story);
    }
    story.headline = story.headline.take().or(title);
    // The last resort: whose id it is.
    let registrar = || nitf.path(&["head", "docdata", "doc-id"])?.peek("regsrc");
    story.source = story.source.take().or_else(registrar);
}

fn read_head(head: Element<'_, '_>, story: &mut Story) {
    for meta in head.all("meta") {
        let (Some(name), Some(content)) = (meta.attribute("name"), meta.attribute("content")) else { continue };
        let field = match name.to_lowercase().as_str() {
            "category" | "categoria" | "anpa-category" | "ap-category" => Some(&mut story.category),
            "slug" | "slugline" | "slug-line" | "anpa-keyword" | "ntbstikkord" => Some(&mut story.slugline),
            "anpa-takekey" => {
                if let Some((kind, number)) = wire::status(&content) {
                    story.status = story.status.or(Some(kind));
                    story.version = story.version.or(number);
                }
                Some(&mut story.take)
            }
            "anpa-wordcount" => {
                story.word_count_declared = content.parse().ok().filter(|words| *words > 0);
                None
            }
            _ => None,
        };
        match field {
            Some(field) if field.is_none() => *field = Some(content),
            _ => drop(story.extra.insert(format!("nitf.head.meta.{name}"), json!(content))),
        }
    }
    // After them: its key is a slugline only where no `meta` gives one.
    if let Some(docdata) = head.child("docdata") {
        read_docdata(docdata, story);
    }
    for pubdata in head.all("pubdata") {
        let is_words = pubdata.attribute("unit-of-measure").is_none_or(|unit| unit.eq_ignore_ascii_case("word"));
        let length = pubdata.attribute("item-length").and_then(|length| length.parse::<u32>().ok());
        story.word_count_declared = story.word_count_declared.or(length.filter(|words| is_words && *words > 0));
        let date = pubdata.attribute("date.publication");
        if story.reference_time.is_none() {
            story.reference_time = date.and_then(|date| times::reference(&date, &mut story.anomalies));
        }
    }
}

fn read_docdata(docdata: Element<'_, '_>, story: &mut Story) {
    let given = |name: &'static str, attribute: &'static str| {
        docdata.all(name).find_map(|element| element.attribute(attribute))
    };
    if let Some(id) = given("doc-id", "id-string")
        && story.id.is_empty()
    {
        story.id = id;
    }
    match docdata.attribute("management-status").map(|status| status.to_lowercase()).as_deref() {
        Some("usable") => story.status = story.status.or(Some(DeclaredStatus::Usable)),
        Some("embargoed" | "withheld") => story.status = Some(DeclaredStatus::Withheld),
        Some("canceled" | "cancelled" | "killed") => story.status = Some(DeclaredStatus::Kill),
        Some(_) => note_once(&mut story.anomalies, "status.unknown"),
        None => {}
    }
    if let Some(correction) = docdata.child("correction") {
        story.status =
            story.status.filter(|status| *status == DeclaredStatus::Kill).or(Some(DeclaredStatus::Correction));
        story.ednote = story.ednote.take().or(correction.attribute("info"));
    }
    if let Some(urgency) = given("urgency", "ed-urg") {
        let number = urgency.parse().ok().filter(|number| (1..=9).contains(number));
        if number.is_none() && urgency != "0" {
            story.anomalies.push(Anomaly::story("urgency.unread"));
        }
        story.urgency = story.urgency.or(number);
    }
    let issue = given("date.issue", "norm").or_else(|| docdata.child_line("date.issue"));
    if let Some(issue) = issue
        && story.reference_time.is_none()
    {
        story.reference_time = times::reference(&issue, &mut story.anomalies);
    }
    if let Some(release) = given("date.release", "norm") {
        read_release(&release, story);
    }
    let holder = given("doc.copyright", "holder");
    let year = given("doc.copyright", "year");
    let copyright = [year, holder].into_iter().flatten().collect::<Vec<_>>().join(" ");
    if !copyright.is_empty() && story.copyright.is_none() {
        story.copyright = Some(format!("© {copyright}"));
    }
    let keywords: Vec<String> =
        docdata.all("key-list").flat_map(|list| list.all("keyword")).filter_map(|word| word.attribute("key")).collect();
    if !keywords.is_empty() && story.keyword.is_none() {
        story.keyword = Some(keywords.join(", "));
    }
    if let Some(key) = docdata.child("du-key") {
        story.lineage_key = story.lineage_key.take().or(key.attribute("key"));
        story.version = story.version.or_else(|| key.attribute("version")?.parse().ok());
        story.slugline = story.slugline.take().or_else(|| key.attribute("key").filter(|key| is_slug(key)));
    }
    let classifiers = docdata.all("identified-content").flat_map(|content| content.all("classifier"));
    let of_category = |kind: String| kind.to_lowercase().contains("categorycode") || kind == "category";
    let category = classifiers
        .filter(|classifier| classifier.peek("type").is_some_and(of_category))
        .find_map(|classifier| classifier.peek("value"));
    story.category = story.category.take().or(category);
    story.take = story.take.take().or_else(|| given("series", "series.part"));
    let message = given("ed-msg", "info").or_else(|| docdata.child_line("ed-msg"));
    story.ednote = story.ednote.take().or(message);
    let origin = docdata.all("del-list").find_map(|list| list.child("from-src")?.attribute("src-name"));
    story.source = story.source.take().or(origin);
}

/// Digits that a key may have and still be words.
const SLUG_DIGITS_MAX: usize = 4;

/// Whether the key of the story's versions is made of words, as a slugline is; many are numbers.
fn is_slug(key: &str) -> bool {
    key.bytes().filter(u8::is_ascii_digit).count() <= SLUG_DIGITS_MAX && key.contains(char::is_alphabetic)
}

/// A release in the past of the issue is none to wait for.
fn read_release(release: &str, story: &mut Story) {
    let Some(value) = times::take(release, "embargo.unread", &mut story.anomalies) else { return };
    let instant = |value: &str| value.parse::<jiff::Timestamp>().ok();
    let issued = story.reference_time.as_ref().and_then(|time| instant(&time.value));
    let is_later = match (instant(&value), issued) {
        (Some(release), Some(issued)) => release > issued,
        _ => true,
    };
    if story.status == Some(DeclaredStatus::Withheld) || is_later {
        story.embargo = story.embargo.take().or(Some(value));
    } else {
        story.extra.insert("nitf.head.docdata.date.release@norm".to_owned(), json!(release));
    }
}

fn read_body_head(body: Element<'_, '_>, story: &mut Story) {
    let Some(head) = body.child("body.head") else { return };
    let lines = |name: &'static str, anomalies: &mut Vec<Anomaly>| -> Vec<String> {
        head.children()
            // Some write the word as it is spelt.
            .filter(|child| matches!(child.name(), "hedline" | "headline"))
            .flat_map(|headline| headline.all(name))
            .filter_map(|line| line.clean_line(anomalies))
            .collect()
    };
    let mut first = lines("hl1", &mut story.anomalies).into_iter();
    let second = lines("hl2", &mut story.anomalies);
    // Some send the headline as it came to them as well.
    let is_new = |line: &String, headline: &Option<String>| headline.as_ref().is_none_or(|known| known != line);
    let bare = head.child("hedline").filter(|headline| !headline.has_elements()).and_then(Element::line);
    story.headline = story.headline.take().or(first.next()).or(bare);
    let further: Vec<String> = first.filter(|line| is_new(line, &story.headline)).collect();
    let second: Vec<String> = second.into_iter().filter(|line| is_new(line, &story.headline)).collect();
    if !further.is_empty() {
        story.extra.insert("nitf.body.body.head.hedline.hl1".to_owned(), json!(further));
    }
    let summary = head.child("abstract").and_then(|summary| text_of(summary, story));
    story.summary = story.summary.take().or(summary);
    if !second.is_empty() {
        if story.summary.is_none() {
            story.summary = Some(second.join(" "));
        } else {
            story.extra.insert("nitf.body.body.head.hedline.hl2".to_owned(), json!(second));
        }
    }
    let bylines: Vec<String> = head.all("byline").filter_map(byline).collect();
    story.byline = story.byline.take().or((!bylines.is_empty()).then(|| bylines.join(", ")));
    let distributor = head.child_line("distributor");
    story.source = story.source.take().or(distributor);
    let datelines = head.all("dateline").find_map(|line| dateline(line, story));
    story.dateline = story.dateline.take().or(datelines);
    let notes: Vec<String> = head.all("note").filter_map(|note| text_of(note, story)).collect();
    if !notes.is_empty() {
        story.ednote = Some(story.ednote.take().into_iter().chain(notes).collect::<Vec<_>>().join("\n"));
    }
    let rights = head.child("rights").filter(|_| story.copyright.is_none()).and_then(Element::line);
    story.copyright = story.copyright.take().or(rights);
}

/// The paragraphs of an element as one line.
fn text_of(element: Element<'_, '_>, story: &mut Story) -> Option<String> {
    let mut blocks = Blocks::default();
    element.blocks(&mut blocks);
    let body = blocks.finish();
    for anomaly in &body.anomalies {
        note_once(&mut story.anomalies, anomaly.code);
    }
    let text = join_space(&body.text);
    Some(text).filter(|text| !text.is_empty())
}

/// `By <person>Jane Doe</person><byttl>Court Correspondent</byttl>`.
fn byline(element: Element<'_, '_>) -> Option<String> {
    let titles: Vec<String> = element.descendants("byttl").into_iter().filter_map(Element::line).collect();
    let mut line = element.spaced_line()?;
    for title in titles {
        if let Some(at) = line.rfind(&title) {
            let name = until(&line, at).trim_end().trim_end_matches(',').to_owned();
            line = if name.is_empty() { title } else { format!("{name}, {title}") };
        }
    }
    Some(line)
}

/// The place, with a date in words where there is one.
fn dateline(element: Element<'_, '_>, story: &mut Story) -> Option<String> {
    let date = element.child("story.date");
    let norm = date.and_then(|date| date.attribute("norm").or_else(|| date.line()));
    let full = element.line()?;
    if let Some(norm) = norm
        && story.reference_time.is_none()
    {
        story.reference_time = times::read(&norm).and_then(|_| times::reference(&norm, &mut story.anomalies));
    }
    // A date for machines is no part of a dateline.
    let words = date.and_then(Element::line).unwrap_or_default();
    let is_machines = times::read(&words).is_some() || words.bytes().filter(u8::is_ascii_digit).count() >= 8;
    let line = if is_machines && !words.is_empty() { full.replace(&words, "") } else { full };
    Some(trim_dateline(&line)).filter(|line| !line.is_empty())
}

/// `Stowe (Northwire) - ` → `Stowe (Northwire)`.
pub(super) fn trim_dateline(line: &str) -> String {
    line.trim_matches([' ', ',', '-', '–', '—', '_']).to_owned()
}

fn read_content(body: Element<'_, '_>, story: &mut Story) {
    let mut blocks = Blocks::default();
    let mut has_content = false;
    for name in ["body.content", "body.end"] {
        for content in body.all(name) {
            has_content = true;
            blocks.open("div");
            content.blocks(&mut blocks);
            blocks.close("div");
        }
    }
    if !has_content {
        // Some write their paragraphs straight into the body.
        for child in body.children().filter(|child| child.name() != "body.head") {
            blocks.open(child.name());
            child.blocks(&mut blocks);
            blocks.close(child.name());
        }
    }
    put_body(blocks.finish(), story);
    put_dateline(story);
}

/// Gives a story its text, hints and captions.
pub(super) fn put_body(body: Body, story: &mut Story) {
    story.text = body.text;
    story.markup = body.markup;
    for anomaly in body.anomalies {
        note_once(&mut story.anomalies, anomaly.code);
    }
    if !body.captions.is_empty() {
        story.extra.insert("captions".to_owned(), json!(body.captions));
    }
    if !body.page_heads.is_empty() {
        story.extra.insert("page_heads".to_owned(), json!(body.page_heads));
    }
}

/// Letters of a dateline by which it is told whether the copy repeats it.
const DATELINE_LETTERS: usize = 12;
/// Paragraphs in which a dateline is looked for.
const DATELINE_PARAGRAPHS: usize = 6;

/// Puts a dateline that the copy does not repeat above the copy.
pub(super) fn put_dateline(story: &mut Story) {
    let Some(dateline) = story.dateline.clone().filter(|_| !story.text.is_empty()) else { return };
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        letters.take(DATELINE_LETTERS).collect()
    };
    let place = dateline.split([',', '(']).next().unwrap_or(&dateline);
    let place = letters(place);
    if place.is_empty() || story.text.lines().take(DATELINE_PARAGRAPHS).any(|line| letters(line).starts_with(&place)) {
        return;
    }
    let shift = dateline.len() + 1;
    story.text = format!("{dateline}\n{}", story.text);
    for markup in &mut story.markup {
        markup.span = Span::new(markup.span.start() + shift, markup.span.end() + shift);
    }
}

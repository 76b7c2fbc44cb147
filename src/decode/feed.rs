//! RSS and Atom: feeds of stories.
//!
//! Standards: RSS 2.0 (and 0.91 to 1.0 as far as they agree) with `content:encoded` and Dublin
//! Core; Atom, RFC 4287, a feed or a lone entry.
//!
//! Read: of each item or entry the id (`guid`, `id`, else the link), title, author, date,
//! categories, and the text: `content:encoded` before `description`, `content` before `summary`,
//! HTML as paragraphs. Of the feed its title (the source), language and copyright. Scripts,
//! styles, pictures and forms are left out, and so are the lines with which publishing programs
//! end an item ("The post … appeared first on …"), which are kept in `extra`. What else an
//! item has (enclosures, media, comments …) is kept there too, under `rss.` or `atom.`.
//!
//! An item without a text gives its title as text (`structure.no_body`). What else a feed says of
//! itself (image, cloud, update times) is passed over.

use serde_json::json;

use super::{
    DecodeError, STORIES_MAX, Stories,
    blocks::{Blocks, clean_line},
    charset, html, newsml_g2, ninjs, nitf, times,
    xml::{self, Element},
};
use crate::story::{Format, Story};

/// Prefixes of extensions that use the names of RSS for things of their own.
const FOREIGN: [&str; 9] = ["media", "itunes", "podcast", "googleplay", "atom", "atom10", "feedburner", "slash", "thr"];

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = xml::text(input)?;
    let tree = xml::parse(&decoded.text)?;
    let Some(root) = tree.root() else { return Ok(Vec::new()) };
    let is_atom = matches!(root.name(), "feed" | "entry");
    let (feed, items): (Option<Element<'_, '_>>, Vec<Element<'_, '_>>) = match root.name() {
        "entry" => (None, vec![root]),
        "feed" => (Some(root), root.all("entry").collect()),
        _ => {
            let channel = if root.name() == "channel" { Some(root) } else { root.child("channel") };
            let inside = channel.into_iter().flat_map(|channel| channel.all("item"));
            (channel, inside.chain(root.all("item")).collect())
        }
    };
    if items.is_empty() && feed.is_none() {
        return Err(DecodeError::new("decode.format", "there is no feed").at(root.offset()));
    }
    let name = if is_atom { "atom" } else { "rss" };
    let mut facts = Story::blank(if is_atom { Format::Atom } else { Format::Rss });
    if let Some(feed) = feed {
        read_feed(feed, root, &mut facts);
    }
    let stories = items.into_iter().take(STORIES_MAX + 1).map(|item| {
        let mut story = facts.clone();
        if is_atom {
            read_entry(item, &mut story);
        } else {
            read_item(item, &mut story);
        }
        drop_boilerplate(name, &mut story);
        newsml_g2::drop_repeated_headline(&mut story);
        tree.finish(story, &decoded, item, name)
    });
    Ok(stories.collect())
}

/// What a feed says of all its items is no longer.
const FEED_FACT_BYTES_MAX: usize = 1_000;

/// The first element of that name that is the feed's own.
fn own<'t, 'a>(element: Element<'t, 'a>, name: &'static str) -> Option<Element<'t, 'a>> {
    element.all(name).find(|child| !FOREIGN.contains(&child.prefix()))
}

fn line(element: Element<'_, '_>, name: &'static str, story: &mut Story) -> Option<String> {
    own(element, name).and_then(|child| child.clean_line(&mut story.anomalies))
}

fn read_feed(feed: Element<'_, '_>, root: Element<'_, '_>, story: &mut Story) {
    story.source = line(feed, "title", story);
    story.language = line(feed, "language", story).or_else(|| feed.peek("lang")).or_else(|| root.peek("lang"));
    story.copyright = line(feed, "copyright", story).or_else(|| line(feed, "rights", story));
    for fact in [&mut story.source, &mut story.language, &mut story.copyright].into_iter().flatten() {
        fact.truncate(fact.floor_char_boundary(FEED_FACT_BYTES_MAX));
    }
}

/// Reads HTML, escaped or not, or text.
fn put_text(content: Element<'_, '_>, story: &mut Story) {
    if content.has_elements() {
        let mut blocks = Blocks::default();
        content.blocks(&mut blocks);
        nitf::put_body(blocks.finish(), story);
        return;
    }
    let text = content.take().raw_text();
    if html::has_tags(&text) {
        ninjs::put_text(&text, story);
        return;
    }
    // Without tags, white space still means nothing, but for a blank line between paragraphs;
    // references may be escaped twice.
    let text = charset::unify_line_ends(&text);
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        match paragraphs.last_mut() {
            Some(paragraph) if !line.trim().is_empty() => {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
            Some(paragraph) if paragraph.is_empty() => {}
            _ => paragraphs.push(String::new()),
        }
    }
    let paragraphs = paragraphs.iter().map(|paragraph| clean_line(paragraph, &mut story.anomalies));
    story.text = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n");
}

fn read_item(item: Element<'_, '_>, story: &mut Story) {
    let link = line(item, "link", story);
    story.id = own(item, "guid").and_then(Element::line).or_else(|| link.clone()).unwrap_or_default();
    story.lineage_key = Some(story.id.clone()).filter(|id| !id.is_empty());
    if let Some(link) = link.filter(|link| *link != story.id) {
        story.extra.insert("rss.link".to_owned(), json!(link));
    }
    story.headline = line(item, "title", story);
    story.byline = line(item, "creator", story).or_else(|| line(item, "author", story).map(|author| name_of(&author)));
    let date = ["pubDate", "date", "updated"].into_iter().find_map(|name| line(item, name, story));
    story.reference_time = date.and_then(|date| times::reference(&date, &mut story.anomalies));
    let categories: Vec<String> = item.all("category").filter_map(Element::line).collect();
    read_categories("rss", &categories, story);
    let encoded = own(item, "encoded").or_else(|| own(item, "body")).or_else(|| own(item, "fulltext"));
    match (encoded.filter(|content| !content.raw_text().trim().is_empty()), own(item, "description")) {
        (Some(content), description) => {
            put_text(content, story);
            story.summary = description.and_then(|summary| summary.clean_line(&mut story.anomalies));
        }
        (None, Some(description)) => put_text(description, story),
        (None, None) => {}
    }
}

fn read_entry(entry: Element<'_, '_>, story: &mut Story) {
    story.id = line(entry, "id", story).unwrap_or_default();
    if story.id.is_empty() {
        story.id = entry.all("link").find_map(|link| link.peek("href")).unwrap_or_default();
    }
    story.lineage_key = Some(story.id.clone()).filter(|id| !id.is_empty());
    story.headline = line(entry, "title", story);
    let authors: Vec<String> = entry.all("author").filter_map(|author| author.child_line("name")).collect();
    story.byline = Some(authors.join(", ")).filter(|authors| !authors.is_empty());
    let date = ["updated", "published", "modified", "issued"].into_iter().find_map(|name| line(entry, name, story));
    story.reference_time = date.and_then(|date| times::reference(&date, &mut story.anomalies));
    story.copyright = line(entry, "rights", story).or(story.copyright.take());
    let categories: Vec<String> = entry.all("category").filter_map(|category| category.attribute("term")).collect();
    read_categories("atom", &categories, story);
    let origin = own(entry, "source").and_then(|source| source.child_line("title"));
    story.source = origin.or(story.source.take());
    story.language = entry.attribute("lang").or(story.language.take());
    let content = own(entry, "content").filter(|content| !content.raw_text().trim().is_empty());
    match (content, own(entry, "summary")) {
        (Some(content), summary) => {
            story.language = content.attribute("lang").or(story.language.take());
            content.attribute("type");
            put_text(content, story);
            story.summary = summary.and_then(|summary| summary.clean_line(&mut story.anomalies));
        }
        (None, Some(summary)) => put_text(summary, story),
        (None, None) => {}
    }
}

/// `desk@northwire.example (Jane Doe)` → `Jane Doe`.
fn name_of(author: &str) -> String {
    match author.split_once('(') {
        Some((address, name)) if address.contains('@') => name.trim_end_matches(')').trim().to_owned(),
        _ => author.to_owned(),
    }
}

fn read_categories(format: &str, categories: &[String], story: &mut Story) {
    story.category = categories.first().cloned();
    if categories.len() > 1 {
        story.extra.insert(format!("{format}.category"), json!(categories));
    }
}

/// Takes off the lines with which publishing programs end an item.
fn drop_boilerplate(format: &str, story: &mut Story) {
    let is_boilerplate = |line: &str| {
        (line.starts_with("The post ") && line.contains(" appeared first on "))
            || matches!(
                line,
                "Read more" | "Read more..." | "Read More" | "Continue reading" | "Continue reading..." | "[…]"
            )
    };
    let mut dropped = Vec::new();
    while let Some(last) = story.text.lines().next_back().filter(|line| is_boilerplate(line)) {
        dropped.push(last.to_owned());
        let length = story.text.len() - last.len();
        story.text.truncate(length);
        let kept = story.text.trim_end_matches('\n').len();
        story.text.truncate(kept);
    }
    if !dropped.is_empty() {
        let end = story.text.len() as u32;
        story.markup.retain(|markup| markup.span.end <= end);
        story.extra.insert(format!("{format}.boilerplate"), json!(dropped));
    }
}

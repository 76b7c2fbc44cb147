//! ninjs: news in JSON.
//!
//! Standard: IPTC ninjs 1.0 to 1.5, 2.x and 3.x; names are compared without regard to case, so
//! that `copyrightnotice` (1, 2) and `copyrightNotice` (3) are one.
//!
//! Read: one object, an array of them, or an object with `items` or `item`; `uri` (or `guid`), version,
//! dates, embargo, publication status, signals, urgency, language, headlines, slugline, byline,
//! descriptions, note to editors, copyright, keywords, source, word count, and of the bodies the
//! one with the most structure. HTML becomes paragraphs; plain text stays as it is. A canceled
//! item is a kill. All else (subjects, people, places, associations …) is kept in `extra`
//! under `ninjs.` and its name.
//!
//! Refused by name (`decode.no_text_story`): pictures, graphics, sound, film, packages without a
//! body, events and plans, and every item of another type than `text` that has no body.
//!
//! Not read: associated items; bodies beside the richest, of which the content types are named.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::{
    DecodeError, STORIES_MAX, Stories,
    blocks::{Blocks, clean_line},
    envelope::byte_offset,
    html,
    newsml_g2::{drop_repeated_headline, refuse},
    nitf, note_once, times,
};
use crate::story::{DeclaredStatus, Format, Story};

/// Values nested deeper than this are kept as the text that they were.
const EXTRA_DEPTH_MAX: usize = 48;

/// Whether a JSON object has the fields of ninjs, and not those of the desk's own envelope.
#[expect(clippy::zero_sized_map_values, reason = "serde reads a map; only its keys are wanted")]
pub(super) fn is_it(input: &[u8]) -> bool {
    const FIELDS: [&str; 13] = [
        "uri",
        "guid",
        "headline",
        "headlines",
        "bodies",
        "pubstatus",
        "versioncreated",
        "body_html",
        "body_text",
        "body_xhtml",
        "description_text",
        "items",
        "item",
    ];
    match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(input) {
        Ok(fields) => {
            let has = |name: &str| fields.keys().any(|field| field.eq_ignore_ascii_case(name));
            !has("text") && !has("data") && FIELDS.iter().any(|field| has(field))
        }
        // Broken: told by what only ninjs has.
        Err(_) => ["\"pubstatus\"", "\"versioncreated\"", "\"body_html\"", "\"body_text\"", "\"bodies\""]
            .iter()
            .any(|field| memchr::memmem::find(input, field.as_bytes()).is_some()),
    }
}

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = super::charset::decode_declared(input, None)?;
    let value: Value = serde_json::from_str(&decoded.text).map_err(|error| {
        let offset = byte_offset(decoded.text.as_bytes(), error.line(), error.column());
        DecodeError::new("decode.json", format!("the JSON is broken at line {}", error.line())).at(offset)
    })?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => {
            let listed = ["items", "item"].into_iter().find(|name| object.get(*name).is_some_and(Value::is_array));
            match listed.and_then(|name| object.remove(name)) {
                Some(Value::Array(items)) => items,
                _ => vec![Value::Object(object)],
            }
        }
        _ => return Err(DecodeError::new("decode.format", "the JSON is no object")),
    };
    let stories = items.into_iter().take(STORIES_MAX + 1).map(|item| {
        let Value::Object(item) = item else {
            return Err(DecodeError::new("decode.format", "an item is no object"));
        };
        let mut story = Story { encoding: decoded.encoding, ..Story::blank(Format::Ninjs) };
        story.anomalies.extend(decoded.anomalies.iter().cloned());
        read(item, &mut story)?;
        Ok(story)
    });
    Ok(stories.collect())
}

/// The fields that are still to be read; `null` counts as absent.
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        let key = match self.0.contains_key(name) {
            true => name.to_owned(),
            false => self.0.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone(),
        };
        self.0.remove(&key).filter(|value| !value.is_null())
    }

    /// A string, or a number as one; other kinds stay where they are.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            other => {
                self.0.insert(name.to_owned(), other);
                None
            }
        }
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        let text = self.text(name)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.0.insert(name.to_owned(), Value::String(text));
        }
        number
    }

    /// The first of a list of objects with a `value`; those of the role come first.
    fn listed(&mut self, name: &str, role: &str) -> Option<String> {
        let list = self.take(name)?;
        let value = list.as_array().and_then(|list| {
            let is_role =
                |item: &&Value| item.get("role").and_then(Value::as_str).is_some_and(|known| known.contains(role));
            let item = list.iter().find(is_role).or_else(|| list.first())?;
            item.get("value").or(Some(item))?.as_str().map(str::to_owned)
        });
        let several = list.as_array().is_some_and(|list| list.len() > 1);
        if several || value.is_none() {
            self.0.insert(name.to_owned(), list);
        }
        value
    }
}

/// Types that are no text, whatever they have beside.
const OTHERS: [&str; 12] = [
    "picture",
    "photo",
    "image",
    "graphic",
    "audio",
    "video",
    "animation",
    "component",
    "package",
    "event",
    "planning",
    "poi",
];

impl Fields {
    /// The names in a list of objects; the list stays where it is.
    fn names(&self, list: &str, name: &str) -> Option<String> {
        let (_, list) = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(list))?;
        let is_editor = |item: &&Value| item.get("role").and_then(Value::as_str) == Some("editor");
        let writers = list.as_array()?.iter().filter(|item| !is_editor(item));
        let names: Vec<&str> = writers.filter_map(|item| item.get(name)?.as_str()).collect();
        Some(names.join(", ")).filter(|names| !names.is_empty())
    }

    /// The category of the wires: a subject that is one, else the first service.
    fn category(&self) -> Option<String> {
        let code = |item: &Value| item.get("code").or_else(|| item.get("name"))?.as_str().map(str::to_owned);
        let is_category = |item: &&Value| {
            let rel = item.get("rel").or_else(|| item.get("rels").and_then(|rels| rels.get(0)));
            rel.and_then(Value::as_str) == Some("category")
        };
        let list = |name: &str| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_array();
        let subject =
            list("subject").or_else(|| list("subjects")).and_then(|subjects| subjects.iter().find(is_category));
        subject.and_then(code).or_else(|| list("service")?.first().and_then(code))
    }
}

fn read(item: Map<String, Value>, story: &mut Story) -> Result<(), DecodeError> {
    let mut fields = Fields(item);
    story.id = fields.text("uri").or_else(|| fields.text("guid")).unwrap_or_default();
    story.lineage_key = Some(story.id.clone()).filter(|id| !id.is_empty());
    let kind = fields.text("type").unwrap_or_else(|| "text".to_owned()).to_lowercase();
    read_status(&mut fields, story);
    story.version = fields.number("version");
    story.urgency = fields.number("urgency").and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=9).contains(n));
    let created = ["versioncreated", "contentcreated", "firstcreated"].into_iter().find_map(|name| fields.text(name));
    story.reference_time = created.and_then(|time| times::reference(&time, &mut story.anomalies));
    let embargoed = fields.text("embargoed").or_else(|| fields.text("embargoeduntil"));
    let embargoed = embargoed.or_else(|| fields.text("embargo"));
    story.embargo = embargoed.and_then(|time| times::take(&time, "embargo.unread", &mut story.anomalies));
    story.language = fields.text("language");
    story.slugline = fields.text("slugline");
    let mut line =
        |text: Option<String>| text.map(|text| clean_line(&text, &mut story.anomalies)).filter(|t| !t.is_empty());
    let headline =
        line(fields.text("headline").or_else(|| fields.listed("headlines", "main")).or_else(|| fields.text("title")));
    let byline = fields.text("byline").or_else(|| fields.text("by"));
    let byline = line(byline.or_else(|| fields.names("bylines", "by")).or_else(|| fields.names("authors", "name")));
    let summary = fields.text("description_text").or_else(|| fields.text("description_html"));
    let summary = line(summary.or_else(|| fields.listed("descriptions", "summary")));
    let ednote = line(fields.text("ednote"));
    let copyright = line(fields.text("copyrightnotice").or_else(|| fields.text("copyrightholder")));
    story.headline = headline;
    story.byline = byline;
    story.summary = summary;
    story.ednote = ednote;
    story.copyright = copyright;
    story.category = fields.category();
    story.keyword = fields.take("keywords").or_else(|| fields.take("keyword")).and_then(|words| match words {
        Value::String(word) => Some(word),
        Value::Array(words) => Some(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        _ => None,
    });
    story.keyword = story.keyword.take().filter(|words| !words.is_empty());
    story.word_count_declared = fields.number("wordcount").filter(|words| *words > 0);
    story.source = fields.text("source").or_else(|| fields.text("provider")).or_else(|| {
        let name = |sources: &Value| sources.get(0)?.get("name")?.as_str().map(str::to_owned);
        ["infosources", "infosource"].iter().find_map(|field| {
            let key = fields.0.keys().find(|key| key.eq_ignore_ascii_case(field))?;
            name(fields.0.get(key)?)
        })
    });
    let has_body = read_body(&mut fields, story);
    if kind != "text" && (!has_body || OTHERS.contains(&kind.as_str())) {
        return Err(refuse(&format!("an item of type {}", kind.escape_default()), &story.id, 0));
    }
    for asked in ["mimetype", "representationtype", "profile", "standard", "$standard", "charcount", "contenttype"] {
        fields.take(asked);
    }
    for (name, value) in fields.0 {
        let value = if depth(&value) > EXTRA_DEPTH_MAX { Value::String(value.to_string()) } else { value };
        if !is_empty(&value) {
            story.extra.insert(format!("ninjs.{name}"), value);
        }
    }
    drop_repeated_headline(story);
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn read_status(fields: &mut Fields, story: &mut Story) {
    match fields.text("pubstatus").map(|status| status.to_lowercase()).as_deref() {
        Some("usable") => story.status = Some(DeclaredStatus::Usable),
        Some("withheld" | "embargoed") => story.status = Some(DeclaredStatus::Withheld),
        Some("canceled" | "cancelled" | "killed" | "recalled") => story.status = Some(DeclaredStatus::Kill),
        Some(status) => {
            note_once(&mut story.anomalies, "status.unknown");
            story.extra.insert("ninjs.pubstatus".to_owned(), json!(status));
        }
        None => {}
    }
    let signals: Vec<String> = ["signals", "signal"]
        .iter()
        .filter_map(|name| fields.0.get(*name)?.as_array())
        .flatten()
        .filter_map(|signal| signal.get("code").or(Some(signal))?.as_str())
        .map(str::to_lowercase)
        .collect();
    for signal in signals {
        let declared = match signal.rsplit(':').next() {
            Some("update") => DeclaredStatus::Update,
            Some("correction") => DeclaredStatus::Correction,
            Some("writethru" | "replace") => DeclaredStatus::Writethru,
            Some("advisory") => DeclaredStatus::Advisory,
            Some("kill" | "retraction") => DeclaredStatus::Kill,
            _ => continue,
        };
        if matches!(story.status, None | Some(DeclaredStatus::Usable | DeclaredStatus::Update)) {
            story.status = Some(declared);
        }
    }
}

/// A body that might be read.
struct Body {
    text: String,
    content_type: String,
    words: Option<u32>,
    rank: u8,
}

/// Takes the body with the most structure; whether there was any.
fn read_body(fields: &mut Fields, story: &mut Story) -> bool {
    let mut bodies: Vec<Body> = Vec::new();
    for (rank, name) in [(0, "body_xhtml"), (1, "body_html"), (3, "body_text")] {
        if let Some(text) = fields.text(name) {
            bodies.push(Body { text, content_type: name.to_owned(), words: None, rank });
        }
    }
    let other: Vec<String> = fields.0.keys().filter(|key| key.to_lowercase().starts_with("body_")).cloned().collect();
    for name in other {
        if let Some(text) = fields.text(&name) {
            bodies.push(Body { text, content_type: name, words: None, rank: 4 });
        }
    }
    if let Some(Value::Array(listed)) = fields.take("bodies") {
        for mut body in listed {
            let field = |body: &Value, name: &str| {
                let object = body.as_object()?;
                let (_, value) = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
                value.as_str().map(str::to_owned)
            };
            let content_type = field(&body, "contenttype").unwrap_or_default().to_lowercase();
            let is_main = field(&body, "role").is_none_or(|role| role.to_lowercase().contains("main"));
            let is_html = content_type.contains("html");
            let is_other = !is_html && content_type.contains("xml");
            let rank = u8::from(!is_main) + 2 * u8::from(!is_html) + 2 * u8::from(is_other);
            let words = body.get("wordcount").or_else(|| body.get("wordCount")).and_then(Value::as_u64);
            let text = match body.get_mut("value").map(Value::take) {
                Some(Value::String(text)) if !text.trim().is_empty() => text,
                _ => continue,
            };
            bodies.push(Body { text, content_type, words: words.and_then(|n| u32::try_from(n).ok()), rank });
        }
    }
    // A teaser with markup is no match for a plain text of many times its length.
    let longest = bodies.iter().map(|body| body.text.len()).max().unwrap_or(0);
    bodies.sort_by_key(|body| (body.text.len() * 2 < longest, body.rank));
    let mut bodies = bodies.into_iter();
    let Some(best) = bodies.next() else { return false };
    let others: Vec<String> = bodies.map(|body| body.content_type).collect();
    if !others.is_empty() {
        story.extra.insert("ninjs.left_out".to_owned(), json!(others));
    }
    story.word_count_declared = story.word_count_declared.or(best.words);
    put_text(&best.text, story);
    true
}

/// Reads HTML as paragraphs; plain text stays as it is.
pub(super) fn put_text(text: &str, story: &mut Story) {
    let mut blocks = Blocks::default();
    if html::has_tags(text) {
        html::read(text, &mut blocks);
    } else {
        blocks.open("pre");
        blocks.text(&super::charset::unify_line_ends(text));
        blocks.close("pre");
    }
    nitf::put_body(blocks.finish(), story);
}

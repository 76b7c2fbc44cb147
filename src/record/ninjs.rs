//! A record → IPTC ninjs 3.x.
//!
//! ```text
//! { "id": "desk-7", "headline": "Pier closed", "status": { "kind": "kill" }, … }
//! ↓
//! { "uri": "urn:copydesk:desk-7", "headlines": [{ "role": "main", "value": "Pier closed" }], "pubStatus": "canceled", … }
//! ```
//!
//! Standard: IPTC ninjs 3.0 and 3.1 (iptc.org/std/ninjs); only what both have is written, and the
//! tests validate it against the schema in `data/ninjs`. Facts that ninjs has no place for
//! (sentences, quotations, anomalies, spans …) stay out of it.
//!
//! What this does not do: give places coordinates, or make the identifiers of others into URIs of
//! theirs; an id that is no URI becomes one of the desk's own (`urn:copydesk:…`).

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{ParagraphKind, Record, StatusKind};

/// The standard's name, version and schema, as items name them.
const STANDARD: (&str, &str, &str) = ("ninjs", "3.0", "http://www.iptc.org/std/ninjs/ninjs-schema_3.0.json#");
/// Entities of one class that are written.
const ENTITIES_MAX: usize = 500;

/// The record as one item of ninjs.
pub fn project(record: &Record) -> Value {
    let mut item = Map::new();
    let (name, version, schema) = STANDARD;
    item.insert("standard".to_owned(), json!({ "name": name, "version": version, "schema": schema }));
    item.insert("uri".to_owned(), json!(uri(&record.id)));
    item.insert("type".to_owned(), json!("text"));
    item.insert("representationType".to_owned(), json!("full"));
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.as_array().is_some_and(Vec::is_empty)) {
            item.insert(name.to_owned(), value);
        }
    };
    let kind = record.status.as_ref().map(|status| status.kind);
    put("pubStatus", Some(json!(publication_status(kind.unwrap_or_default()))));
    put("version", record.version.map(|version| json!(version.to_string())));
    let sent = record.reference_time.as_ref().map(|time| &time.value);
    put("versionCreated", sent.filter(|time| is_time(time)).map(|time| json!(time)));
    let embargo = record.status.as_ref().and_then(|status| status.embargo.as_ref());
    put("embargoedUntil", embargo.filter(|time| is_time(time)).map(|time| json!(time)));
    put("urgency", record.urgency.filter(|urgency| (1..=9).contains(urgency)).map(|urgency| json!(urgency)));
    put("language", record.language.as_ref().map(|language| json!(language.code)));
    put("slugline", record.slugline.as_ref().map(|slug| json!(slug)));
    put("edNote", record.ednote.as_ref().map(|note| json!(note)));
    put("copyrightNotice", record.copyright.as_ref().map(|line| json!(line)));
    put("infoSources", record.source.as_ref().map(|source| json!([{ "name": source }])));
    let located = record.dateline.as_ref().and_then(|dateline| dateline.place.as_ref());
    put("located", located.map(|place| json!(place.span.text)));
    let names: Vec<&str> = record.bylines.iter().map(|byline| byline.name.as_str()).collect();
    put("by", Some(json!(names.join(", "))).filter(|_| !names.is_empty()));
    let headline = record.headline.as_ref().map(|headline| json!([{ "role": "main", "value": headline }]));
    put("headlines", headline);
    let summary = record.summary.as_ref();
    put(
        "descriptions",
        summary.map(|words| json!([{ "role": "summary", "contentType": "text/plain", "value": words }])),
    );
    put("bodies", Some(bodies(record)));
    put("people", Some(concepts(record.people.iter().map(|one| &one.name))));
    put("organisations", Some(concepts(record.organisations.iter().map(|one| &one.name))));
    put("places", Some(concepts(record.places.iter().map(|one| &one.name))));
    put("events", Some(concepts(record.named_events.iter().map(|one| &one.name))));
    put("objects", Some(concepts(record.works.iter().map(|one| &one.name))));
    put("altIds", Some(alternative_ids(record)));
    Value::Object(item)
}

fn publication_status(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::Kill => "canceled",
        StatusKind::Withheld => "withheld",
        _ => "usable",
    }
}

/// Dates without a time are none to the schema.
fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// The whole text, and the paragraphs as XHTML.
fn bodies(record: &Record) -> Value {
    if record.text.trim().is_empty() {
        return json!([]);
    }
    let words = record.text.split_whitespace().count();
    let characters = record.text.chars().count();
    json!([
        { "role": "main", "contentType": "text/plain", "charCount": characters, "wordCount": words, "value": record.text },
        { "role": "main", "contentType": "application/xhtml+xml", "wordCount": words, "value": xhtml(record) },
    ])
}

/// Each paragraph an element; what stands above the lead is no part of the body.
fn xhtml(record: &Record) -> String {
    let mut characters = record.text.chars();
    let mut at = 0;
    let mut out = String::new();
    for paragraph in &record.paragraphs {
        let skipped = paragraph.start.saturating_sub(at) as usize;
        if skipped > 0 {
            characters.nth(skipped - 1);
        }
        let length = paragraph.end.saturating_sub(paragraph.start.max(at)) as usize;
        let words: String = characters.by_ref().take(length).collect();
        at = paragraph.end.max(at);
        let element = match paragraph.kind {
            ParagraphKind::Header => continue,
            ParagraphKind::Crosshead => "h2",
            _ => "p",
        };
        let joined = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(out, "<{element}>{}</{element}>", escape(&joined));
    }
    out
}

fn escape(text: &str) -> String {
    let is_allowed = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    let clean: String = text.chars().filter(is_allowed).collect();
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn concepts<'a>(names: impl Iterator<Item = &'a String>) -> Value {
    names.take(ENTITIES_MAX).map(|name| json!({ "name": name })).collect()
}

/// What names the item elsewhere: the provider's id, the key of its versions, the bytes.
fn alternative_ids(record: &Record) -> Value {
    let mut ids = vec![json!({ "role": "provider", "value": record.id })];
    if let Some(lineage) = &record.lineage {
        ids.push(json!({ "role": "lineage", "value": lineage.key }));
    }
    ids.push(json!({ "role": "sha256", "value": record.raw.sha256 }));
    Value::Array(ids)
}

/// An id as a URI (RFC 3986): as it is, or as a name of the desk's own.
fn uri(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    let scheme = id.split(':').next().unwrap_or_default();
    let has_scheme = scheme.len() < id.len()
        && scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let broken_escape = id.split('%').skip(1).any(|rest| {
        let hexadecimal = rest.bytes().take_while(u8::is_ascii_hexdigit).take(2).count();
        hexadecimal < 2
    });
    if has_scheme && scheme != "sha256" && !broken_escape && id.bytes().all(is_plain) && id.matches('#').count() <= 1 {
        return id.to_owned();
    }
    let mut out = "urn:copydesk:".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if id.is_empty() {
        out.push_str("none");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_uris() {
        assert_eq!(uri("urn:newsml:a.example:20310304:17"), "urn:newsml:a.example:20310304:17");
        assert_eq!(uri("http://a.example/x?y=1#z"), "http://a.example/x?y=1#z");
        assert_eq!(uri("desk 7/ä"), "urn:copydesk:desk%207%2F%C3%A4");
        assert_eq!(uri("sha256:ab"), "urn:copydesk:sha256:ab");
        assert_eq!(uri("a:b%zz"), "urn:copydesk:a:b%25zz");
        assert_eq!(uri(""), "urn:copydesk:none");
    }
}

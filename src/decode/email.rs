//! Plain text under headers, as in e-mail.
//!
//! Standards: RFC 5322 (headers, folded lines), RFC 2047 (encoded words), RFC 2045 (quoted-printable
//! and Base64 bodies, declared character sets); and the headers that desks put above a text
//! by hand (`Slug:`, `Headline:`, `Embargo:` …), in the same form.
//!
//! Read: subject or headline, author, date, message id, slug, keywords, category, urgency,
//! embargo, version, language, copyright, source and note to editors; of a message in parts the
//! first plain part, else the first HTML part as paragraphs. All other headers are kept in `extra`
//! under `email.` and their name. The body stays as it is, as plain text does.
//!
//! Not read: attachments (their types are named), encryption, signatures.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{DecodeError, Stories, blocks::join_space, charset, html, ninjs, note_once, times, wire};
use crate::{
    story::{Format, Story},
    text::{from, until},
};

const HEAD_BYTES: usize = 16 * 1024;
/// Parts of a message, and parts inside parts.
const PARTS_MAX: usize = 64;
const DEPTH_MAX: usize = 4;

/// Headers of which one at least must be there.
const KNOWN: [&str; 16] = [
    "subject",
    "from",
    "to",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "headline",
    "slug",
    "slugline",
    "byline",
    "keywords",
    "embargo",
    "category",
    "title",
    "author",
];

/// Whether the bytes open with two header lines at least, and a blank line ends them.
pub(super) fn is_it(input: &[u8]) -> bool {
    let head = String::from_utf8_lossy(input.get(..input.len().min(HEAD_BYTES)).unwrap_or_default());
    let (mut headers, mut known) = (0, 0);
    for line in head.split('\n').map(|line| line.trim_end_matches('\r')) {
        if line.is_empty() {
            return headers >= 2 && known >= 1;
        }
        if headers > 0 && line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = header(line) else { return false };
        headers += 1;
        known += usize::from(KNOWN.contains(&name.to_lowercase().as_str()));
    }
    false
}

/// `Subject: words`.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let fits = (2..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && (value.is_empty() || value.starts_with([' ', '\t']))).then(|| (name, value.trim()))
}

/// Where the body starts, and the headers before it, unfolded.
fn headers(bytes: &[u8]) -> (usize, Vec<(String, String)>) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()).map_or(bytes.len(), |end| at + end + 1);
        let raw = bytes.get(at..end).unwrap_or_default();
        // A line that is no text is a line all the same: only an empty one ends the headers.
        let line = charset::decode_declared(raw, None)
            .map_or_else(|_| String::from_utf8_lossy(raw).into_owned(), |line| line.text);
        let line = line.trim_end_matches(['\n', '\r']);
        at = end;
        if line.is_empty() {
            break;
        }
        match (line.starts_with([' ', '\t']), header(line)) {
            (true, _) => {
                if let Some((_, value)) = found.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            }
            (false, Some((name, value))) => found.push((name.to_lowercase(), value.to_owned())),
            (false, None) => return (at - raw.len(), found),
        }
    }
    (at, found)
}

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let mut story = Story::blank(Format::Email);
    let start = if input.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let input = input.get(start..).unwrap_or_default();
    let (body_at, found) = headers(input);
    let get = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let part = Part {
        content_type: get("content-type").unwrap_or("text/plain").to_owned(),
        encoding: get("content-transfer-encoding").unwrap_or_default().to_lowercase(),
        bytes: input.get(body_at..).unwrap_or_default(),
    };
    read_headers(&found, &mut story);
    read_part(&part, &mut story)?;
    Ok(vec![Ok(story)])
}

fn read_headers(found: &[(String, String)], story: &mut Story) {
    for (name, value) in found {
        let value = join_space(&encoded_words(value));
        if value.is_empty() {
            continue;
        }
        let mut time = |code| times::take(&value, code, &mut story.anomalies);
        let field = match name.as_str() {
            "subject" | "headline" | "title" => &mut story.headline,
            "byline" | "author" | "by" => &mut story.byline,
            "slug" | "slugline" => &mut story.slugline,
            "keywords" | "keyword" => &mut story.keyword,
            "category" | "section" => &mut story.category,
            "language" | "content-language" => &mut story.language,
            "copyright" => &mut story.copyright,
            "source" | "agency" | "organization" => &mut story.source,
            "ednote" | "note" | "editors-note" => &mut story.ednote,
            "summary" | "abstract" => &mut story.summary,
            "take" => &mut story.take,
            "date" | "published" if story.reference_time.is_none() => {
                story.reference_time = times::reference(&value, &mut story.anomalies);
                continue;
            }
            "embargo" | "embargoed" | "release" => {
                story.embargo = time("embargo.unread");
                if story.embargo.is_none() {
                    story.extra.insert(format!("email.{name}"), json!(value));
                }
                continue;
            }
            "message-id" => {
                value.trim_matches(['<', '>']).clone_into(&mut story.id);
                continue;
            }
            "id" if story.id.is_empty() => {
                story.id = value;
                continue;
            }
            "urgency" | "priority" if value.parse::<u8>().is_ok_and(|number| (1..=9).contains(&number)) => {
                story.urgency = value.parse().ok();
                continue;
            }
            "version" if value.parse::<u32>().is_ok() => {
                story.version = value.parse().ok();
                continue;
            }
            "status" if wire::status(&value).is_some() => {
                story.status = wire::status(&value).map(|(status, _)| status);
                continue;
            }
            "words" | "wordcount" | "word-count" if value.parse::<u32>().is_ok() => {
                story.word_count_declared = value.parse().ok();
                continue;
            }
            "mime-version" | "content-transfer-encoding" | "content-type" => continue,
            _ => {
                story.extra.insert(format!("email.{name}"), json!(value));
                continue;
            }
        };
        if field.is_none() {
            *field = Some(value);
        } else {
            story.extra.insert(format!("email.{name}"), json!(value));
        }
    }
}

/// `=?utf-8?Q?caf=C3=A9?=` → `café`.
fn encoded_words(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while let Some(at) = rest.find("=?") {
        let word = from(rest, at + 2);
        let mut parts = word.splitn(4, '?');
        let fields = (parts.next(), parts.next(), parts.next());
        let before = until(rest, at);
        let (Some(set), Some(method), Some(content)) = fields else { break };
        let length = set.len() + method.len() + content.len() + 2;
        let decoded = match method {
            "Q" | "q" => Some(quoted_printable(content.replace('_', " ").as_bytes())),
            "B" | "b" => STANDARD.decode(content).ok(),
            _ => None,
        };
        let closes = from(word, length).starts_with("?=");
        let decoded = decoded.filter(|_| closes).and_then(|bytes| charset::decode_declared(&bytes, Some(set)).ok());
        if let Some(decoded) = decoded {
            // White space between two encoded words is of the line, not of the text.
            if !(after_word && before.trim().is_empty()) {
                out.push_str(before);
            }
            out.push_str(&decoded.text);
            rest = from(word, length + 2);
            after_word = true;
        } else {
            out.push_str(before);
            out.push_str("=?");
            rest = word;
            after_word = false;
        }
    }
    out.push_str(rest);
    out
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let digit = |index: usize| rest.get(index).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'=', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'=', ..) if rest.starts_with(b"\r\n") => at += 3,
            (b'=', ..) if rest.starts_with(b"\n") => at += 2,
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// A message, or a part of one.
struct Part<'a> {
    content_type: String,
    encoding: String,
    bytes: &'a [u8],
}

impl Part<'_> {
    fn kind(&self) -> String {
        self.content_type.split(';').next().unwrap_or_default().trim().to_lowercase()
    }

    /// `charset`, `boundary`.
    fn parameter(&self, name: &str) -> Option<String> {
        self.content_type.split(';').skip(1).find_map(|parameter| {
            let (known, value) = parameter.split_once('=')?;
            known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    }
}

fn read_part(part: &Part<'_>, story: &mut Story) -> Result<(), DecodeError> {
    if part.kind().starts_with("multipart/") {
        let mut leaves = Vec::new();
        leaves_of(part, 0, &mut leaves);
        let best =
            ["text/plain", "text/html"].iter().find_map(|kind| leaves.iter().position(|leaf| leaf.kind() == *kind));
        let others = leaves.iter().enumerate().filter(|(index, _)| Some(*index) != best).map(|(_, leaf)| leaf.kind());
        let others: Vec<String> = others.collect();
        if !others.is_empty() {
            story.extra.insert("email.parts_left_out".to_owned(), json!(others));
        }
        return match best.and_then(|best| leaves.get(best)) {
            Some(leaf) => read_leaf(leaf, story),
            None => Ok(()),
        };
    }
    read_leaf(part, story)
}

fn leaves_of<'a>(part: &Part<'a>, depth: usize, leaves: &mut Vec<Part<'a>>) {
    let Some(boundary) = part.parameter("boundary").filter(|boundary| !boundary.is_empty() && depth < DEPTH_MAX) else {
        return;
    };
    let mark = format!("--{boundary}");
    let starts: Vec<usize> = memchr::memmem::find_iter(part.bytes, mark.as_bytes())
        .filter(|at| *at == 0 || part.bytes.get(at - 1) == Some(&b'\n'))
        .take(PARTS_MAX)
        .collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(part.bytes.len());
        let inner = part.bytes.get(start + mark.len()..end).unwrap_or_default();
        if inner.starts_with(b"--") || leaves.len() >= PARTS_MAX {
            break;
        }
        let line = memchr::memchr(b'\n', inner).map_or(inner.len(), |at| at + 1);
        let inner = inner.get(line..).unwrap_or_default();
        let (body_at, found) = headers(inner);
        let get = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let child = Part {
            content_type: get("content-type").unwrap_or_else(|| "text/plain".to_owned()),
            encoding: get("content-transfer-encoding").unwrap_or_default().to_lowercase(),
            bytes: inner.get(body_at..).unwrap_or_default(),
        };
        if child.kind().starts_with("multipart/") {
            leaves_of(&child, depth + 1, leaves);
        } else {
            leaves.push(child);
        }
    }
}

fn read_leaf(leaf: &Part<'_>, story: &mut Story) -> Result<(), DecodeError> {
    let bytes = match leaf.encoding.trim() {
        "quoted-printable" => quoted_printable(leaf.bytes),
        "base64" => {
            let packed: Vec<u8> = leaf.bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            STANDARD.decode(packed).map_err(|error| DecodeError::new("decode.base64", error.to_string()))?
        }
        _ => leaf.bytes.to_vec(),
    };
    let decoded = charset::decode_declared(&bytes, leaf.parameter("charset").as_deref())?;
    story.encoding = decoded.encoding;
    story.anomalies.extend(decoded.anomalies);
    let is_html = leaf.kind() == "text/html";
    if is_html || html::has_tags(until(&decoded.text, decoded.text.floor_char_boundary(HEAD_BYTES))) {
        if !is_html {
            note_once(&mut story.anomalies, "markup.in_text");
        }
        ninjs::put_text(&decoded.text, story);
    } else {
        story.text = charset::unify_line_ends(&decoded.text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bodies_are_unpacked() {
        assert_eq!(
            encoded_words("=?utf-8?Q?caf=C3=A9_bar?= =?ISO-8859-1?B?6Q==?= x =?u?X?y?="),
            "café baré x =?u?X?y?="
        );
        assert_eq!(quoted_printable(b"a=\r\nb=3D=zz"), b"ab==zz");
    }

    #[test]
    fn a_line_that_is_no_text_ends_no_headers() {
        let input = b"Subject: A\r\nX-Odd: \x01\x02\x03\x04\x05\x06\x07\r\nEmbargo: 2031-03-04T05:06:07Z\r\n\r\nText";
        let stories = decode(input).expect("stories");
        let story = stories.into_iter().next().expect("one").expect("a story");
        assert_eq!((story.text.as_str(), story.embargo.as_deref()), ("Text", Some("2031-03-04T05:06:07Z")));
    }

    #[test]
    fn told_from_plain_text() {
        assert!(is_it(b"Subject: A\r\nX-Own: b\r\n c\r\n\r\nText"));
        assert!(!is_it(b"Subject: A story about headers\n\nText"));
        assert!(!is_it(b"Note: one\nTwo lines\n\nText"));
        assert!(!is_it(b"BATH: rain\nSTOWE: sun\n\nText"));
        assert!(!is_it(b"Subject: a\nFrom: b"));
    }
}

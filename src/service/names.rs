//! Names that stand on the wire: headers, message ids, subjects.
//!
//! `docs/DELIVERY.md` has the same table for consumers.

use async_nats::HeaderMap;

use super::flight::Origin;

/// The broker's header for deduplication.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The broker's header that makes it refuse a message that another stream would take.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
/// Stream that a story came from.
pub const STREAM: &str = "Copydesk-Stream";
/// Sequence of the story in that stream.
pub const SEQUENCE: &str = "Copydesk-Sequence";
/// When the broker stored the story (RFC 3339).
pub const STORED: &str = "Copydesk-Stored";
/// Subject that the story was published to.
pub const SUBJECT: &str = "Copydesk-Subject";
/// Which delivery of the story this comes from, counted from 1.
pub const ATTEMPT: &str = "Copydesk-Attempt";
/// `copydesk/` and the version.
pub const EXTRACTOR: &str = "Copydesk-Extractor";
/// The story's own id.
pub const STORY_ID: &str = "Copydesk-Id";
/// Why a story is a dead letter: a code.
pub const REASON: &str = "Copydesk-Reason";
/// Why a story is a dead letter: in words, without story text.
pub const DETAIL: &str = "Copydesk-Detail";
/// Begins the names of the story's own headers on a dead letter.
pub const ORIGINAL_PREFIX: &str = "Copydesk-Original-";
/// How many of the story's own headers did not fit on a dead letter.
pub const ORIGINALS_LEFT_OUT: &str = "Copydesk-Originals-Left-Out";
/// The story's own headers in Base64, where they are no text.
pub const ORIGINAL_HEADERS: &str = "Copydesk-Headers-Base64";
/// A reference time given beside the story (RFC 3339).
pub const REFERENCE_TIME: &str = "Copydesk-Reference-Time";
/// The format of a message, where its sender says so; one of the names of `docs/FORMATS.md`.
pub const FORMAT: &str = "Copydesk-Format";
/// Which story of its message this is, counted from 1, where the message carries several.
pub const PART: &str = "Copydesk-Part";
/// How many stories the message carries.
pub const PARTS: &str = "Copydesk-Parts";
/// What the versions of the story share.
pub const LINEAGE_KEY: &str = "Copydesk-Lineage-Key";
/// Its version among them.
pub const LINEAGE_VERSION: &str = "Copydesk-Lineage-Version";
/// How it stands to the others: `current`, `late`, `superseded` or `killed`.
pub const LINEAGE_STATE: &str = "Copydesk-Lineage-State";
/// Until when a story on the held stream waits (RFC 3339).
pub const HELD_UNTIL: &str = "Copydesk-Held-Until";
/// On an input message: its urgency, 1 (flash) to 9; goes before what the copy itself says.
pub const URGENCY: &str = "Copydesk-Urgency";
/// On an input message: its lane, `urgent`, `routine` or `backfill`; goes before its urgency.
pub const LANE: &str = "Copydesk-Lane";
/// On an input message: the dead letter's story that an operator sent in again, by its message id.
pub const REPLAY_OF: &str = "Copydesk-Replay-Of";
/// On an input message: how often its story was sent in again, counted from 1.
pub const REPLAY: &str = "Copydesk-Replay";
/// Media type of the payload.
pub const CONTENT_TYPE: &str = "Content-Type";
/// W3C trace context; passes through.
pub const TRACE_PARENT: &str = "traceparent";

/// W3C trace state; passes through beside it.
pub const TRACE_STATE: &str = "tracestate";

/// What this build calls itself.
pub const EXTRACTOR_VERSION: &str = concat!("copydesk/", env!("CARGO_PKG_VERSION"));

/// `stream:sequence:stored-time`: the same for every delivery of one story, another one for a
/// stream that was deleted and made again.
pub fn message_id(origin: &Origin) -> String {
    format!("{}:{}:{}", origin.stream, origin.sequence, origin.stored_ns)
}

/// A message id for one of several stories of a message.
pub fn part_id(message_id: String, part: Part) -> String {
    match part.of {
        0 | 1 => message_id,
        _ => format!("{message_id}:{}", part.number),
    }
}

/// Reads [`message_id`], with or without the number that [`part_id`] adds.
pub fn parse_message_id(id: &str) -> Option<(Origin, Option<u32>)> {
    let mut fields = id.split(':');
    let (stream, sequence, stored_ns) = (fields.next()?, fields.next()?, fields.next()?);
    let number = fields.next().map(str::parse).transpose().ok()?;
    let is_whole = fields.next().is_none() && !stream.is_empty();
    let origin =
        Origin { stream: stream.to_owned(), sequence: sequence.parse().ok()?, stored_ns: stored_ns.parse().ok()? };
    is_whole.then_some((origin, number))
}

/// The origin that a record or a dead letter names in its headers.
pub fn read_origin(headers: &HeaderMap) -> Option<(Origin, Part)> {
    let header = |name| headers.get(name).map(async_nats::HeaderValue::as_str);
    let stored: jiff::Timestamp = header(STORED)?.parse().ok()?;
    let origin = Origin {
        stream: header(STREAM)?.to_owned(),
        sequence: header(SEQUENCE)?.parse().ok()?,
        stored_ns: i64::try_from(stored.as_nanosecond()).ok()?,
    };
    let number = |name| header(name).and_then(|value| value.parse().ok());
    let part = match (number(PART), number(PARTS)) {
        (Some(number), Some(of)) => Part { number, of },
        _ => Part::WHOLE,
    };
    Some((origin, part))
}

/// A story's place in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Counted from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// The only story of its message, or the message as a whole.
    pub const WHOLE: Self = Self { number: 1, of: 1 };
}

/// Headers that every record and every dead letter carries.
pub fn origin_headers(origin: &Origin, subject: &str, attempt: u64, message_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, message_id);
    headers.insert(STREAM, origin.stream.as_str());
    headers.insert(SEQUENCE, origin.sequence.to_string());
    headers.insert(STORED, origin.stored().to_string());
    headers.insert(SUBJECT, subject);
    headers.insert(ATTEMPT, attempt.to_string());
    headers.insert(EXTRACTOR, EXTRACTOR_VERSION);
    headers
}

/// Copies a story's own headers under other names, so that those which the broker acts on never act twice.
pub fn put_originals(headers: &mut HeaderMap, originals: &HeaderMap) {
    for (name, values) in originals.iter() {
        for value in values {
            headers.append(format!("{ORIGINAL_PREFIX}{name}").as_str(), value.clone());
        }
    }
}

/// Longest token that is made from a value.
const TOKEN_BYTES_MAX: usize = 48;

/// A value as one subject token: lower-case letters, digits and `-`; `unknown` when nothing is left.
pub fn token(value: Option<&str>) -> String {
    let mut token = String::new();
    for character in value.unwrap_or_default().chars().take(TOKEN_BYTES_MAX) {
        if character.is_ascii_alphanumeric() {
            token.push(character.to_ascii_lowercase());
        } else if !token.is_empty() && !token.ends_with('-') {
            token.push('-');
        }
    }
    token.truncate(token.trim_end_matches('-').len());
    if token.is_empty() { "unknown".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_one_safe_token() {
        assert_eq!(token(Some("TASS")), "tass");
        assert_eq!(token(Some("Example News.*>")), "example-news");
        assert_eq!(token(Some(" —")), "unknown");
        assert_eq!(token(None), "unknown");
        assert_eq!(token(Some(&"x".repeat(100))).len(), TOKEN_BYTES_MAX);
    }

    #[test]
    fn a_stream_made_again_gives_other_ids() {
        let origin = |stored_ns| Origin { stream: "WIRE_RAW".into(), sequence: 7, stored_ns };
        assert_ne!(message_id(&origin(1)), message_id(&origin(2)));
        let headers = origin_headers(&origin(1_700_000_000_000_000_000), "wire.raw.a", 2, "id");
        assert_eq!(headers.get(STORED).map(async_nats::HeaderValue::as_str), Some("2023-11-14T22:13:20Z"));
    }

    #[test]
    fn ids_and_origins_are_read_back_as_they_were() {
        let origin = Origin { stream: "WIRE_RAW".into(), sequence: 7, stored_ns: 1_700_000_000_123_456_789 };
        let part = Part { number: 2, of: 3 };
        let id = message_id(&origin);
        assert_eq!(parse_message_id(&id), Some((origin.clone(), None)));
        assert_eq!(parse_message_id(&part_id(id.clone(), part)), Some((origin.clone(), Some(2))));
        for odd in ["", "a", "S:1", "S:x:1", "S:1:2:3:4", ":1:2", "S:1:2:x"] {
            assert_eq!(parse_message_id(odd), None, "{odd}");
        }
        let mut headers = origin_headers(&origin, "wire.raw.a", 2, &id);
        assert_eq!(read_origin(&headers), Some((origin.clone(), Part::WHOLE)));
        headers.insert(PART, "2");
        headers.insert(PARTS, "3");
        assert_eq!(read_origin(&headers), Some((origin, part)));
        assert_eq!(read_origin(&HeaderMap::new()), None);
    }
}

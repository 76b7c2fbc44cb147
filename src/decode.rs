//! From the bytes of a transmission to a [`Story`].
//!
//! One file a wire format. Decoding is total: every input gives a story, possibly with
//! anomalies, or a [`DecodeError`] with a code and a byte offset. The caller keeps the bytes.

pub mod charset;
mod envelope;
mod plain;

use sha2::{Digest, Sha256};

use crate::story::{Format, ReferenceTime, Story, TimeBasis};

/// No story may be larger than this, whatever the configuration says: spans are `u32`.
pub const STORY_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// What the caller knows about the bytes besides the bytes.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The format, when it is known; otherwise it is told from the content.
    pub format: Option<Format>,
    /// Used when the story carries no id of its own.
    pub id: Option<String>,
    /// A reference time given beside the bytes (a message header), RFC 3339.
    pub reference_time: Option<String>,
    /// When the broker stored the message, RFC 3339: the last resort for a reference time.
    pub received_at: Option<String>,
    /// Largest input that is read, in bytes; 0 means [`STORY_BYTES_CEILING`].
    pub story_bytes_max: usize,
}

/// Why an input is not a story. `code` is stable: dead letters and metrics carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct DecodeError {
    /// A dotted code from the table in `docs/RECORD.md`.
    pub code: &'static str,
    /// What was wrong, in words; holds no story text.
    pub message: String,
    /// Where it went wrong, in bytes from the start of the input.
    pub offset: Option<usize>,
    /// The provider's id, where it could be read.
    pub id: Option<String>,
}

impl DecodeError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offset: None, id: None }
    }

    fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

/// Reads a transmission.
///
/// # Errors
/// `decode.empty` (no text at all), `decode.too_large`, `decode.binary` (not text),
/// `decode.envelope` (broken JSON, or fields of a wrong kind), `decode.base64`.
pub fn decode(input: &[u8], hints: &Hints) -> Result<Story, DecodeError> {
    let limit = match hints.story_bytes_max {
        0 => STORY_BYTES_CEILING,
        limit => limit.min(STORY_BYTES_CEILING),
    };
    if input.len() > limit {
        return Err(DecodeError::new("decode.too_large", format!("{} bytes, the limit is {limit}", input.len())));
    }
    let format = hints.format.unwrap_or_else(|| detect(input));
    let mut story = match format {
        Format::Plain => plain::decode(input),
        Format::Envelope => envelope::decode(input),
    }?;
    story.input_bytes = input.len() as u64;
    story.sha256 = sha256_hex(input);
    if story.text.trim().is_empty() {
        let mut error = DecodeError::new("decode.empty", "there is no text");
        error.id = Some(story.id).filter(|id| !id.is_empty());
        return Err(error);
    }
    if story.id.is_empty() {
        story.id = hints.id.clone().unwrap_or_else(|| format!("sha256:{}", story.sha256));
    }
    let beside = |value: &Option<String>, basis| value.clone().map(|value| ReferenceTime { value, basis });
    story.reference_time = story
        .reference_time
        .filter(|time| time.basis != TimeBasis::Received || hints.reference_time.is_none())
        .or_else(|| beside(&hints.reference_time, TimeBasis::Header))
        .or_else(|| beside(&hints.received_at, TimeBasis::Received));
    Ok(story)
}

/// Tells the format from the content alone: a JSON object is an envelope, all else is plain text.
pub fn detect(input: &[u8]) -> Format {
    let body = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut marks = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (marks.next(), marks.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => Format::Envelope,
        _ => Format::Plain,
    }
}

/// SHA-256 of some bytes, lower-case hexadecimal (FIPS 180-4).
pub fn sha256_hex(input: &[u8]) -> String {
    hex(&Sha256::digest(input))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(input: &[u8]) -> Result<Story, DecodeError> {
        decode(input, &Hints::default())
    }

    #[test]
    fn plain_text_keeps_everything_but_line_ends() {
        let story = read(b"\xEF\xBB\xBFOne\r\ntwo\rthree\x01\n").expect("text");
        assert_eq!(story.text, "One\ntwo\nthree\u{1}\n");
        assert_eq!((story.format, story.encoding, story.input_bytes), (Format::Plain, "utf-8", 19));
        assert!(story.id.starts_with("sha256:") && story.id.len() == 7 + 64);
    }

    #[test]
    fn what_is_no_text_is_refused_by_code() {
        let code = |input: &[u8]| read(input).expect_err("not a story").code;
        assert_eq!(code(b""), "decode.empty");
        assert_eq!(code(b" \r\n\t"), "decode.empty");
        assert_eq!(code(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "decode.binary");
        assert_eq!(code(&[0, 159, 146, 150, 0, 0, 1, 2, 3]), "decode.binary");
        assert_eq!(code(br#"{"text": "cut"#), "decode.envelope");
        assert_eq!(code(br#"{"id": "a", "text": 5}"#), "decode.envelope");
        assert_eq!(code(br#"{"id": "a"}"#), "decode.envelope");
        assert_eq!(code(br#"{"data": "***"}"#), "decode.base64");
        assert_eq!(code(br#"{"id": "a", "text": ""}"#), "decode.empty");
        let hints = Hints { story_bytes_max: 3, ..Hints::default() };
        assert_eq!(decode(b"four", &hints).expect_err("too large").code, "decode.too_large");
    }

    #[test]
    fn a_broken_envelope_still_tells_its_id_and_where() {
        let error = read(br#"{"id": "a-1", "text": 5}"#).expect_err("wrong kind");
        assert_eq!(error.id.as_deref(), Some("a-1"));
        let error = read(b"{\"id\": \"a-1\",\n oops}").expect_err("broken");
        assert_eq!(error.offset, Some(15));
    }

    #[test]
    fn an_envelope_carries_its_facts() {
        let story = read(
            br#"{"id": "x:1", "text": "Hello.\r\nThere.", "reference_time": "2024-01-25T12:00:00Z",
                "source": "desk-a", "headline": "Hi", "urgency": 2, "colour": "blue"}"#,
        )
        .expect("envelope");
        assert_eq!((story.id.as_str(), story.text.as_str()), ("x:1", "Hello.\nThere."));
        assert_eq!(story.format, Format::Envelope);
        assert_eq!(story.urgency, Some(2));
        assert_eq!(story.extra.get("colour").and_then(|v| v.as_str()), Some("blue"));
        let time = story.reference_time.expect("given");
        assert_eq!((time.value.as_str(), time.basis), ("2024-01-25T12:00:00Z", TimeBasis::Envelope));
    }

    #[test]
    fn an_envelope_around_bytes_is_read_like_the_bytes() {
        // "caf\xe9 opens", Windows-1252
        let story = read(br#"{"data": "Y2Fm6SBvcGVucw=="}"#).expect("bytes");
        assert_eq!((story.text.as_str(), story.encoding), ("café opens", "windows-1252"));
        assert_eq!(story.anomalies.first().map(|a| a.code), Some("encoding.assumed"));
    }

    #[test]
    fn the_nearest_reference_time_wins() {
        let hints = Hints {
            reference_time: Some("2020-01-01T00:00:00Z".into()),
            received_at: Some("2021-01-01T00:00:00Z".into()),
            ..Hints::default()
        };
        let basis = |input: &[u8], hints: &Hints| decode(input, hints).expect("story").reference_time.map(|t| t.basis);
        assert_eq!(
            basis(br#"{"text":"a","reference_time":"2019-01-01T00:00:00Z"}"#, &hints),
            Some(TimeBasis::Envelope)
        );
        assert_eq!(basis(b"a", &hints), Some(TimeBasis::Header));
        assert_eq!(basis(br#"{"text":"a","received_at":"2019-01-01T00:00:00Z"}"#, &hints), Some(TimeBasis::Header));
        let hints = Hints { reference_time: None, ..hints };
        assert_eq!(basis(b"a", &hints), Some(TimeBasis::Received));
        assert_eq!(basis(b"a", &Hints::default()), None);
        // A time that is none is told, not used.
        let story = read(br#"{"text":"a","reference_time":"yesterday"}"#).expect("story");
        assert_eq!(story.reference_time, None);
        assert_eq!(story.anomalies.first().map(|a| a.code), Some("envelope.reference_time"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_story_or_a_code(input in proptest::collection::vec(any::<u8>(), 0..400)) {
            match read(&input) {
                Ok(story) => prop_assert!(!story.text.contains('\r')),
                Err(error) => prop_assert!(error.code.starts_with("decode.")),
            }
        }

        #[test]
        fn utf8_text_survives(text in "[a-zé“”\u{1F600}\n .,]{1,200}") {
            prop_assume!(!text.trim().is_empty());
            prop_assert_eq!(read(text.as_bytes()).expect("text").text, text);
        }
    }
}

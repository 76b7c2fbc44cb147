//! From the bytes of a transmission to its [`Story`], or to its stories.
//!
//! One file a wire format. Decoding is total: every input gives stories, possibly with
//! anomalies, or a [`DecodeError`] with a code and a byte offset. The caller keeps the bytes.
//! What each format's fields become is written down in `docs/FORMATS.md`.

mod anpa1312;
mod blocks;
pub mod charset;
mod email;
mod entities;
mod envelope;
mod feed;
mod html;
mod iptc7901;
mod newsml1;
mod newsml_g2;
mod ninjs;
mod nitf;
pub mod peek;
mod plain;
mod times;
mod wire;
mod xml;

use sha2::{Digest, Sha256};

use crate::{
    story::{Anomaly, DeclaredStatus, Format, ReferenceTime, Story, TimeBasis},
    text::Span,
};

/// No story may be larger than this, whatever the configuration says: spans are `u32`.
pub const STORY_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// What becomes of a package of NewsML-G2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Packages {
    /// It is refused by name.
    #[default]
    Refuse,
    /// The stories of the transmission that it refers to say so (`newsml-g2.package`); the package
    /// itself is passed over. One that refers to none of them is refused.
    Follow,
}

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
    /// What becomes of packages.
    pub packages: Packages,
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

/// Stories of one transmission are no more; further ones are refused.
pub const STORIES_MAX: usize = 10_000;

/// What a transmission says of all its stories is copied to each, while the copies are no larger.
const SHARED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Whether so many bytes may be copied to so many stories.
fn may_share(bytes: usize, stories: usize) -> bool {
    bytes.saturating_mul(stories) <= SHARED_BYTES_MAX
}

/// The stories of a transmission; one that cannot be read stands as an error among the others.
type Stories = Vec<Result<Story, DecodeError>>;

/// Reads a transmission that carries one story.
///
/// # Errors
/// Those of [`decode_all`] and of the story; `decode.several_stories` when there are more.
pub fn decode(input: &[u8], hints: &Hints) -> Result<Story, DecodeError> {
    let mut stories = decode_all(input, hints)?;
    if stories.len() > 1 {
        let message = format!("the transmission carries {} stories", stories.len());
        return Err(DecodeError::new("decode.several_stories", message));
    }
    stories.pop().unwrap_or_else(|| Err(DecodeError::new("decode.empty", "there is no story")))
}

/// Reads a transmission that carries any number of stories: one at least, in the order sent.
///
/// Ids are unique within the transmission: a story that carries none of its own, or one that
/// another story has already, gets `#` and its place in the transmission added. A story that
/// cannot be read stands as an error in its place.
///
/// # Errors
/// Of the whole: `decode.empty` (no text at all), `decode.too_large`, `decode.binary` (not text),
/// `decode.envelope` (broken JSON, or fields of a wrong kind), `decode.base64`, `decode.json`,
/// `decode.xml` (no element at all), `decode.dtd`, `decode.too_deep`, `decode.too_complex`,
/// `decode.format` (not what it was said to be). Of one story: `decode.empty`,
/// `decode.no_text_story` (a picture, a package, …, by name).
pub fn decode_all(input: &[u8], hints: &Hints) -> Result<Vec<Result<Story, DecodeError>>, DecodeError> {
    let limit = match hints.story_bytes_max {
        0 => STORY_BYTES_CEILING,
        limit => limit.min(STORY_BYTES_CEILING),
    };
    if input.len() > limit {
        return Err(DecodeError::new("decode.too_large", format!("{} bytes, the limit is {limit}", input.len())));
    }
    // Of another character set than UTF-8 the text may be longer than the bytes.
    let inside = |mut error: DecodeError| {
        error.offset = error.offset.map(|offset| offset.min(input.len()));
        error
    };
    let mut stories = read_as(input, hints.format.unwrap_or_else(|| detect(input)), hints.packages).map_err(inside)?;
    if stories.len() > STORIES_MAX {
        let message = format!("the transmission carries more than {STORIES_MAX} stories");
        return Err(DecodeError::new("decode.too_complex", message));
    }
    if stories.is_empty() {
        return Err(DecodeError::new("decode.empty", "there is no story"));
    }
    let sha256 = sha256_hex(input);
    let several = stories.len() > 1;
    let mut ids = std::collections::HashSet::new();
    for (index, story) in stories.iter_mut().enumerate() {
        let place = index + 1;
        let read = std::mem::replace(story, Err(DecodeError::new("decode.empty", "")));
        *story = read.and_then(|story| finish(story, hints)).map_err(inside).map(|mut story| {
            story.input_bytes = input.len() as u64;
            story.sha256.clone_from(&sha256);
            if story.id.is_empty() {
                story.id = hints.id.clone().unwrap_or_else(|| format!("sha256:{sha256}"));
                if several {
                    story.id = format!("{}#{place}", story.id);
                }
            }
            while !ids.insert(story.id.clone()) {
                story.id = format!("{}#{place}", story.id);
            }
            story
        });
    }
    Ok(stories)
}

fn read_as(input: &[u8], format: Format, packages: Packages) -> Result<Stories, DecodeError> {
    match format {
        Format::Plain => plain::decode(input).map(|story| vec![Ok(story)]),
        Format::Envelope => envelope::decode(input, packages),
        Format::Anpa1312 => anpa1312::decode(input),
        Format::Iptc7901 => iptc7901::decode(input),
        Format::Nitf => nitf::decode(input),
        Format::NewsmlG2 => newsml_g2::decode(input, packages),
        Format::Newsml1 => newsml1::decode(input),
        Format::Ninjs => ninjs::decode(input),
        Format::Rss | Format::Atom => feed::decode(input),
        Format::Email => email::decode(input),
    }
}

/// What holds for a story of every format.
fn finish(mut story: Story, hints: &Hints) -> Result<Story, DecodeError> {
    if story.text.trim().is_empty() {
        story.text = match &story.headline {
            // A kill or a cancel may come without a body.
            _ if story.status == Some(DeclaredStatus::Kill) => String::new(),
            // Alerts are a headline and nothing else.
            Some(headline) if !headline.trim().is_empty() => {
                story.anomalies.push(Anomaly::story("structure.no_body"));
                story.markup.clear();
                headline.clone()
            }
            _ => {
                let mut error = DecodeError::new("decode.empty", "there is no text");
                error.id = Some(story.id).filter(|id| !id.is_empty());
                return Err(error);
            }
        };
    }
    if !matches!(story.format, Format::Plain | Format::Envelope) {
        charset::note_odd_characters(&story.text, &mut story.anomalies);
    }
    note_word_count(&mut story);
    note_mojibake(&mut story);
    let beside = |value: &Option<String>, basis| value.clone().map(|value| ReferenceTime { value, basis });
    story.reference_time = story
        .reference_time
        .filter(|time| time.basis != TimeBasis::Received || hints.reference_time.is_none())
        .or_else(|| beside(&hints.reference_time, TimeBasis::Header))
        .or_else(|| beside(&hints.received_at, TimeBasis::Received));
    Ok(story)
}

/// Declared counts are rough: a tenth, and some words of header and trailer, are no matter.
const WORD_COUNT_SLACK: usize = 30;

fn note_word_count(story: &mut Story) {
    let Some(declared) = story.word_count_declared.map(|count| count as usize) else { return };
    let counted = story.text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    if counted.abs_diff(declared) > WORD_COUNT_SLACK + declared / 10 {
        story.anomalies.push(Anomaly::story("count.words"));
    }
}

/// UTF-8 that somebody read as Windows-1252 and encoded again.
fn note_mojibake(story: &mut Story) {
    const PAIRS: [&str; 12] = ["â€™", "â€œ", "â€\u{9d}", "â€“", "â€”", "â€¦", "Ã©", "Ã¨", "Ã¼", "Ã¶", "Ã¤", "Ã±"];
    if !story.text.contains(['â', 'Ã']) {
        return;
    }
    if let Some((offset, pair)) = PAIRS.iter().filter_map(|pair| Some((story.text.find(pair)?, pair))).min() {
        story.anomalies.push(Anomaly::at("encoding.mojibake", Span::new(offset, offset + pair.len())));
    }
}

/// Tells something of the whole story once.
fn note_once(anomalies: &mut Vec<Anomaly>, code: &'static str) {
    if anomalies.iter().all(|anomaly| anomaly.code != code) {
        anomalies.push(Anomaly::story(code));
    }
}

/// Tells the format from the content alone.
///
/// A JSON object with a text or data is an envelope; transmission controls, or the header lines
/// that are left when they were lost, tell the wires; what does not look like anything else is
/// plain text.
pub fn detect(input: &[u8]) -> Format {
    let body = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut marks = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (marks.next(), marks.next()) {
        (Some(b'['), Some(b'{')) => Format::Ninjs,
        (Some(b'{'), Some(b'"' | b'}')) if ninjs::is_it(body) => Format::Ninjs,
        (Some(b'{'), Some(b'"' | b'}')) => Format::Envelope,
        (Some(b'<'), _) | (_, Some(b'<')) => detect_markup(body),
        _ if anpa1312::is_it(body) => Format::Anpa1312,
        _ if iptc7901::is_it(body) => Format::Iptc7901,
        _ if email::is_it(body) => Format::Email,
        _ => Format::Plain,
    }
}

/// Bytes at the head of a document among which its first element stands.
const PROLOG_BYTES: usize = 8 * 1024;

/// Tells documents apart by the local name of their first element.
fn detect_markup(body: &[u8]) -> Format {
    let head: Vec<u8> = body.iter().take(PROLOG_BYTES).copied().filter(|byte| *byte != 0).collect();
    let mut rest = head.as_slice();
    while let Some(at) = memchr::memchr(b'<', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.starts_with(b"!--") {
            let end = memchr::memmem::find(rest, b"-->").unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default();
        } else if !rest.starts_with(b"?") && !rest.starts_with(b"!") {
            break;
        }
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b":-_.".contains(byte)).count();
    let name = String::from_utf8_lossy(rest.get(..length).unwrap_or_default());
    match name.rsplit(':').next().unwrap_or_default() {
        "nitf" => Format::Nitf,
        "newsMessage" | "newsItem" | "packageItem" | "conceptItem" | "knowledgeItem" | "planningItem"
        | "catalogItem" => Format::NewsmlG2,
        "NewsML" => Format::Newsml1,
        "rss" | "RDF" => Format::Rss,
        "feed" | "entry" => Format::Atom,
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

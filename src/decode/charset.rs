//! Bytes to text: which character set, and how sure.
//!
//! Read: UTF-8 and UTF-16 with or without a byte order mark, what a format declares (ISO 8859-1
//! is read as Windows-1252, as everywhere), and Windows-1252 for all else that is not UTF-8 (told
//! by an anomaly). Where bytes and declaration disagree the bytes win, and that is told too. Names
//! and tables are those of the WHATWG Encoding Standard. Not read: sets that nobody declares;
//! they come out as Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::DecodeError;
use crate::{
    story::Anomaly,
    text::{Span, char_at, from, slice, until},
};

/// What became of the bytes.
#[derive(Debug)]
pub struct Decoded {
    /// The text with LF line ends, without a byte order mark.
    pub text: String,
    /// WHATWG name, lower case.
    pub encoding: &'static str,
    /// Doubts.
    pub anomalies: Vec<Anomaly>,
}

/// First bytes of files that are not text, with what they are.
const SIGNATURES: [(&[u8], &str); 10] = [
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xFF\xD8\xFF", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1F\x8B", "gzip data"),
    (b"\x28\xB5\x2F\xFD", "zstd data"),
    (b"\x7FELF", "a program"),
    (b"\xD0\xCF\x11\xE0", "an office document"),
];

/// More than one control character in this many bytes is no text.
const BYTES_PER_CONTROL: usize = 10;

/// Reads bytes as text.
///
/// # Errors
/// `decode.binary` when the bytes are no text: a known signature, or more than a tenth of
/// control characters other than white space.
pub fn decode(input: &[u8]) -> Result<Decoded, DecodeError> {
    let mut decoded = decode_declared(input, None)?;
    decoded.text = unify_line_ends(&decoded.text);
    note_odd_characters(&decoded.text, &mut decoded.anomalies);
    Ok(decoded)
}

/// Reads bytes of which a format says in which character set they are. The bytes win: a byte
/// order mark, or UTF-8 that holds together, overrules what was declared, and is told by
/// `encoding.declared_wrong`. Line ends are left as they are, so that offsets hold.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_declared(input: &[u8], declared: Option<&str>) -> Result<Decoded, DecodeError> {
    if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| input.starts_with(signature)) {
        return Err(DecodeError::new("decode.binary", format!("the bytes are {what}")).at(0));
    }
    let marked = Encoding::for_bom(input).or_else(|| wide_without_mark(input).map(|encoding| (encoding, 0)));
    let (encoding, mark_bytes) = marked.unwrap_or((UTF_8, 0));
    let body = input.get(mark_bytes..).unwrap_or_default();
    let mut anomalies = Vec::new();
    let named = declared.map(|label| Encoding::for_label(label.trim().as_bytes()));
    if named == Some(None) {
        anomalies.push(Anomaly::story("encoding.unknown_name"));
    }
    // A declaration in single bytes cannot have been read if the text were in pairs of bytes.
    let named = named.flatten().filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE);
    let (text, encoding) = if encoding == UTF_16LE || encoding == UTF_16BE {
        let (text, replaced) = encoding.decode_without_bom_handling(body);
        if replaced {
            anomalies.push(Anomaly::story("encoding.replaced"));
        }
        (text, encoding)
    } else if let Ok(text) = std::str::from_utf8(body) {
        // Escape sequences of ISO-2022-JP are ASCII bytes: there the declaration is all there is.
        if named == Some(ISO_2022_JP) {
            (ISO_2022_JP.decode_without_bom_handling(body).0, ISO_2022_JP)
        } else {
            if named.is_some_and(|encoding| encoding != UTF_8) && !body.is_ascii() {
                anomalies.push(Anomaly::story("encoding.declared_wrong"));
            }
            (Cow::Borrowed(text), UTF_8)
        }
    } else if is_cut_utf8(body) && named.is_none_or(|encoding| encoding == UTF_8) {
        // UTF-8 that ends inside a character was cut on the way.
        anomalies.push(Anomaly::story("encoding.truncated"));
        (String::from_utf8_lossy(body), UTF_8)
    } else if let Some(encoding) = named.filter(|encoding| *encoding != UTF_8) {
        (encoding.decode_without_bom_handling(body).0, encoding)
    } else {
        let code = if named.is_some() { "encoding.declared_wrong" } else { "encoding.assumed" };
        anomalies.push(Anomaly::story(code));
        (WINDOWS_1252.decode_without_bom_handling(body).0, WINDOWS_1252)
    };
    if let Some(offset) = first_control_if_binary(&text) {
        return Err(DecodeError::new("decode.binary", "more control characters than text has").at(offset));
    }
    Ok(Decoded { text: text.into_owned(), encoding: lower_name(encoding), anomalies })
}

/// UTF-16 of which the byte order mark was lost: markup or plain ASCII with every other byte zero.
fn wide_without_mark(input: &[u8]) -> Option<&'static Encoding> {
    match input {
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some(UTF_16LE),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Lower-case names of the sets that a declaration may choose; others are named `other`.
fn lower_name(encoding: &'static Encoding) -> &'static str {
    const NAMES: [&str; 37] = [
        "utf-8",
        "utf-16le",
        "utf-16be",
        "windows-1252",
        "windows-1250",
        "windows-1251",
        "windows-1253",
        "windows-1254",
        "windows-1255",
        "windows-1256",
        "windows-1257",
        "windows-1258",
        "windows-874",
        "iso-8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-5",
        "iso-8859-6",
        "iso-8859-7",
        "iso-8859-8",
        "iso-8859-8-i",
        "iso-8859-10",
        "iso-8859-13",
        "iso-8859-14",
        "iso-8859-15",
        "iso-8859-16",
        "koi8-r",
        "koi8-u",
        "macintosh",
        "x-mac-cyrillic",
        "ibm866",
        "gbk",
        "gb18030",
        "big5",
        "euc-jp",
        "shift_jis",
        "euc-kr",
    ];
    let name = encoding.name();
    if encoding == ISO_2022_JP {
        return "iso-2022-jp";
    }
    NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or("other")
}

/// CRLF and CR become LF; nothing else changes.
pub fn unify_line_ends(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for at in memchr::memchr_iter(b'\r', text.as_bytes()) {
        out.push_str(slice(text, copied, at));
        if text.as_bytes().get(at + 1) != Some(&b'\n') {
            out.push('\n');
        }
        copied = at + 1;
    }
    out.push_str(from(text, copied));
    out
}

/// Replacement characters and control characters are kept and told.
pub fn note_odd_characters(text: &str, anomalies: &mut Vec<Anomaly>) {
    let mut note = |code, found: Option<(usize, char)>| {
        if let Some((offset, odd)) = found {
            anomalies.push(Anomaly::at(code, Span::new(offset, offset + odd.len_utf8())));
        }
    };
    let replaced = memchr::memmem::find(text.as_bytes(), "\u{fffd}".as_bytes());
    note("encoding.replaced", replaced.map(|offset| (offset, char::REPLACEMENT_CHARACTER)));
    note("encoding.control_character", odd_controls(text).next());
}

/// Control characters that text has no use for, with their places.
fn odd_controls(text: &str) -> impl Iterator<Item = (usize, char)> {
    // Of the bytes of UTF-8 only these begin a control character: 0xC2 those from 128 on.
    let may_begin =
        |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C) || byte == 0x7F || byte == 0xC2;
    let candidates = text.bytes().enumerate().filter(move |(_, byte)| may_begin(*byte));
    candidates.filter_map(|(at, _)| char_at(text, at).filter(|character| is_odd_control(*character)).map(|c| (at, c)))
}

fn is_odd_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{c}' | '\u{85}')
}

/// Whether the bytes are UTF-8 up to a last, unfinished character.
fn is_cut_utf8(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_err_and(|error| error.error_len().is_none() && error.valid_up_to() > 0)
        && !body.is_ascii()
        && std::str::from_utf8(body).is_err_and(|error| {
            // One stray high byte at the end of plain ASCII is more likely Windows-1252.
            body.get(..error.valid_up_to()).is_some_and(|valid| !valid.is_ascii())
        })
}

fn first_control_if_binary(text: &str) -> Option<usize> {
    let head = until(text, text.floor_char_boundary(64 * 1024));
    let mut controls = odd_controls(head).filter(|(_, character)| !is_wire_control(*character));
    let first = controls.next().map(|(offset, _)| offset)?;
    ((1 + controls.count()) * BYTES_PER_CONTROL > head.len()).then_some(first)
}

/// Transmission controls that wire text really carries (ANPA 1312, IPTC 7901).
fn is_wire_control(character: char) -> bool {
    matches!(
        character,
        '\u{1}'..='\u{4}' | '\u{7}' | '\u{8}' | '\u{e}'..='\u{14}' | '\u{16}' | '\u{1c}'..='\u{1f}' | '\u{7f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_told_by_its_mark() {
        let bytes: Vec<u8> = [0xFEFF_u16, 0x41, 0xE9].iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let decoded = decode(&bytes).expect("text");
        assert_eq!((decoded.text.as_str(), decoded.encoding), ("Aé", "utf-16le"));
    }

    #[test]
    fn a_cut_character_is_replaced_and_told() {
        let decoded = decode("über caf\u{e9}".as_bytes().split_last().expect("bytes").1).expect("text");
        assert_eq!((decoded.text.as_str(), decoded.encoding), ("über caf\u{fffd}", "utf-8"));
        let codes: Vec<_> = decoded.anomalies.iter().map(|a| a.code).collect();
        assert_eq!(codes, ["encoding.truncated", "encoding.replaced"]);
    }

    #[test]
    fn the_bytes_win_over_the_declaration() {
        let read = |bytes: &[u8], declared| {
            let decoded = decode_declared(bytes, Some(declared)).expect("text");
            (decoded.text, decoded.encoding, decoded.anomalies.first().map(|anomaly| anomaly.code))
        };
        assert_eq!(read("é".as_bytes(), "iso-8859-1"), ("é".into(), "utf-8", Some("encoding.declared_wrong")));
        assert_eq!(read(b"\xe9.", "utf-8"), ("é.".into(), "windows-1252", Some("encoding.declared_wrong")));
        assert_eq!(read(b"\xe9.", "ISO-8859-1"), ("é.".into(), "windows-1252", None));
        assert_eq!(read(b"\xb1.", "iso-8859-2"), ("ą.".into(), "iso-8859-2", None));
        assert_eq!(read(b"\xe9.", "klingon"), ("é.".into(), "windows-1252", Some("encoding.unknown_name")));
        assert_eq!(read(b"abc", "iso-8859-2"), ("abc".into(), "utf-8", None));
        assert_eq!(read(b"<\0a\0>\0", "utf-8"), ("<a>".into(), "utf-16le", None));
    }

    #[test]
    fn windows_quotation_marks_come_out_right() {
        let decoded = decode(b"\x93Yes,\x94 he said \x96 twice.").expect("text");
        assert_eq!(decoded.text, "“Yes,” he said – twice.");
    }
}

//! Bytes to text: which character set, and how sure.
//!
//! Read: UTF-8 with or without a byte order mark, UTF-16 with one, and Windows-1252 for all that
//! is not UTF-8 (told by an anomaly). Names and tables are those of the WHATWG Encoding Standard.
//! Not read yet: other single-byte sets; they come out as Windows-1252 with the same anomaly.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::DecodeError;
use crate::{
    story::Anomaly,
    text::{Span, until},
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
    if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| input.starts_with(signature)) {
        return Err(DecodeError::new("decode.binary", format!("the bytes are {what}")).at(0));
    }
    let (encoding, mark_bytes) = Encoding::for_bom(input).unwrap_or((UTF_8, 0));
    let body = input.get(mark_bytes..).unwrap_or_default();
    let mut anomalies = Vec::new();
    let (text, encoding) = if encoding == UTF_16LE || encoding == UTF_16BE {
        let (text, replaced) = encoding.decode_without_bom_handling(body);
        if replaced {
            anomalies.push(Anomaly::story("encoding.replaced"));
        }
        (text, encoding)
    } else if let Ok(text) = std::str::from_utf8(body) {
        (Cow::Borrowed(text), UTF_8)
    } else if is_cut_utf8(body) {
        // UTF-8 that ends inside a character was cut on the way.
        anomalies.push(Anomaly::story("encoding.truncated"));
        (String::from_utf8_lossy(body), UTF_8)
    } else {
        anomalies.push(Anomaly::story("encoding.assumed"));
        (WINDOWS_1252.decode_without_bom_handling(body).0, WINDOWS_1252)
    };
    if let Some(offset) = first_control_if_binary(&text) {
        return Err(DecodeError::new("decode.binary", "more control characters than text has").at(offset));
    }
    let text = unify_line_ends(&text);
    note_odd_characters(&text, &mut anomalies);
    let name = if encoding == UTF_8 {
        "utf-8"
    } else if encoding == WINDOWS_1252 {
        "windows-1252"
    } else if encoding == UTF_16LE {
        "utf-16le"
    } else {
        "utf-16be"
    };
    Ok(Decoded { text, encoding: name, anomalies })
}

/// CRLF and CR become LF; nothing else changes.
pub fn unify_line_ends(text: &str) -> String {
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        return text.to_owned();
    }
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Replacement characters and control characters are kept and told.
pub fn note_odd_characters(text: &str, anomalies: &mut Vec<Anomaly>) {
    let mut note = |code, found: Option<(usize, char)>| {
        if let Some((offset, odd)) = found {
            anomalies.push(Anomaly::at(code, Span::new(offset, offset + odd.len_utf8())));
        }
    };
    note("encoding.replaced", text.char_indices().find(|(_, c)| *c == char::REPLACEMENT_CHARACTER));
    note("encoding.control_character", text.char_indices().find(|(_, c)| is_odd_control(*c)));
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
    let controls = head.chars().filter(|c| is_odd_control(*c) && !is_wire_control(*c)).count();
    (controls * BYTES_PER_CONTROL > head.len())
        .then(|| head.find(|c| is_odd_control(c) && !is_wire_control(c)).unwrap_or_default())
}

/// Transmission controls that wire text really carries (ANPA 1312, IPTC 7901).
fn is_wire_control(character: char) -> bool {
    matches!(character, '\u{1}'..='\u{4}' | '\u{11}'..='\u{14}' | '\u{16}' | '\u{1f}')
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
    fn windows_quotation_marks_come_out_right() {
        let decoded = decode(b"\x93Yes,\x94 he said \x96 twice.").expect("text");
        assert_eq!(decoded.text, "“Yes,” he said – twice.");
    }
}

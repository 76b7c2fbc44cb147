//! Bytes to text: which character set, and how sure.
//!
//! Read: UTF-8 and UTF-16 with or without a byte order mark, what a format declares (ISO 8859-1
//! is read as Windows-1252, as everywhere), UTF-8 with single bytes of Windows-1252 in it, and for
//! all else that is not UTF-8 a guess between Windows-1252 and ISO 8859-15, the one with the euro
//! where the other has a currency sign. Where bytes and declaration disagree the bytes win. Guess
//! and doubt are told by anomalies:
//!
//! ```text
//! caf\xE9            café          windows-1252   encoding.assumed
//! 5 \xA4, \xBDuvre    5 €, œuvre    iso-8859-15    encoding.assumed, encoding.doubtful
//! caf\xC3\xA9 \x96     café –        utf-8          encoding.mixed
//! ```
//!
//! Names and tables are those of the WHATWG Encoding Standard. Not read: other sets that nobody
//! declares; they come out as Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, ISO_8859_15, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

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
    // Names of sets that browsers refuse to read would cost the story: they are as good as unknown.
    let named = declared.map(|label| Encoding::for_label_no_replacement(label.trim().as_bytes()));
    if named == Some(None) {
        anomalies.push(Anomaly::story("encoding.unknown_name"));
    }
    let is_wide_unmarked = mark_bytes == 0 && encoding != UTF_8;
    if is_wide_unmarked && named.is_none() {
        anomalies.push(Anomaly::story("encoding.assumed"));
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
    } else if let Some(text) = mixed(body).filter(|_| named.is_none_or(is_utf8_or_western)) {
        if named.is_some_and(|encoding| encoding != UTF_8) {
            anomalies.push(Anomaly::story("encoding.declared_wrong"));
        }
        anomalies.push(Anomaly::story("encoding.mixed"));
        (Cow::Owned(text), UTF_8)
    } else if let Some(encoding) = named.filter(|encoding| *encoding != UTF_8) {
        if encoding == ISO_8859_15 && body.iter().any(|byte| is_windows_only(*byte)) {
            // ISO 8859-15 has control characters there: somebody's quotation marks.
            anomalies.push(Anomaly::story("encoding.declared_wrong"));
            (WINDOWS_1252.decode_without_bom_handling(body).0, WINDOWS_1252)
        } else {
            (encoding.decode_without_bom_handling(body).0, encoding)
        }
    } else {
        let code = if named.is_some() { "encoding.declared_wrong" } else { "encoding.assumed" };
        anomalies.push(Anomaly::story(code));
        let (encoding, is_doubtful) = western(body);
        if is_doubtful {
            anomalies.push(Anomaly::story("encoding.doubtful"));
        }
        (encoding.decode_without_bom_handling(body).0, encoding)
    };
    if let Some(offset) = first_control_if_binary(&text) {
        return Err(DecodeError::new("decode.binary", "more control characters than text has").at(offset));
    }
    Ok(Decoded { text: text.into_owned(), encoding: lower_name(encoding), anomalies })
}

/// Bytes from which UTF-16 without its mark is told.
const WIDE_BYTES: usize = 4 * 1024;

/// UTF-16 of which the byte order mark was lost: markup or text with nearly every other byte zero.
fn wide_without_mark(input: &[u8]) -> Option<&'static Encoding> {
    match input {
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => return Some(UTF_16LE),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => return Some(UTF_16BE),
        _ => {}
    }
    // A first character such as a quotation mark has no zero.
    let mut zeros = (0, 0);
    let (pairs, _) = input.get(..input.len().min(WIDE_BYTES)).unwrap_or_default().as_chunks::<2>();
    for [first, second] in pairs {
        zeros.0 += usize::from(*first == 0);
        zeros.1 += usize::from(*second == 0);
    }
    let most = |count: usize| pairs.len() >= 8 && count * 4 >= pairs.len() * 3;
    let few = |count: usize| count * 50 <= pairs.len();
    match zeros {
        (low, high) if few(low) && most(high) => Some(UTF_16LE),
        (low, high) if few(high) && most(low) => Some(UTF_16BE),
        _ => None,
    }
}

fn is_utf8_or_western(encoding: &'static Encoding) -> bool {
    encoding == UTF_8 || encoding == WINDOWS_1252 || encoding == ISO_8859_15
}

/// UTF-8 into which single bytes of Windows-1252 were pasted, or `None` where more bytes speak
/// against UTF-8 than characters for it.
fn mixed(body: &[u8]) -> Option<String> {
    let (mut characters, mut strays) = (0_usize, 0_usize);
    for chunk in body.utf8_chunks() {
        characters += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        strays += chunk.invalid().len();
    }
    (characters >= strays && strays > 0).then_some(())?;
    let mut text = String::with_capacity(body.len() + strays * 2);
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    Some(text)
}

/// Bytes that are characters in Windows-1252 and control characters in ISO 8859; 0x85 is a line
/// end in the latter.
fn is_windows_only(byte: u8) -> bool {
    matches!(byte, 0x80..=0x9F) && !matches!(byte, 0x81 | 0x85 | 0x8D | 0x8F | 0x90 | 0x9D)
}

/// Windows-1252 or ISO 8859-15, and whether that hung on the bytes in which they differ. A euro
/// stands by a number; Š, Ž, Œ and Ÿ stand in words, as the signs that Windows has there (`¦ ¨ ´
/// ¸ ¼ ½ ¾`) do not.
fn western(body: &[u8]) -> (&'static Encoding, bool) {
    if body.iter().any(|byte| is_windows_only(*byte)) {
        return (WINDOWS_1252, false);
    }
    let letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0xC0);
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let (mut latin9, mut windows) = (0_usize, 0_usize);
    for (at, byte) in body.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).and_then(|at| body.get(at));
        let after = |ahead: usize| body.get(at + ahead);
        let space = |byte: Option<&u8>| byte.is_some_and(|byte| *byte == b' ' || *byte == 0xA0);
        let votes_latin9 = match byte {
            0xA4 => {
                digit(before(1))
                    || digit(after(1))
                    || space(before(1)) && digit(before(2))
                    || space(after(1)) && digit(after(2))
            }
            0xA6 | 0xA8 | 0xB4 | 0xB8 | 0xBC | 0xBD | 0xBE => {
                (letter(before(1)) || letter(after(1))) && !digit(before(1)) && !digit(after(1))
            }
            _ => continue,
        };
        latin9 += usize::from(votes_latin9);
        windows += usize::from(!votes_latin9);
    }
    let encoding = if latin9 > windows { ISO_8859_15 } else { WINDOWS_1252 };
    (encoding, latin9 + windows > 0)
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
        for refused in ["hz-gb-2312", "iso-2022-kr"] {
            assert_eq!(read(b"abc", refused), ("abc".into(), "utf-8", Some("encoding.unknown_name")));
            assert_eq!(read(b"\xe9.", refused), ("é.".into(), "windows-1252", Some("encoding.unknown_name")));
        }
        assert_eq!(read(b"abc", "iso-8859-2"), ("abc".into(), "utf-8", None));
        assert_eq!(read(b"<\0a\0>\0", "utf-8"), ("<a>".into(), "utf-16le", None));
        assert_eq!(read(b"\xa4.", "iso-8859-15"), ("€.".into(), "iso-8859-15", None));
        assert_eq!(
            read(b"\x93\xe9\x94", "iso-8859-15"),
            ("“é”".into(), "windows-1252", Some("encoding.declared_wrong"))
        );
        assert_eq!(
            read("é\u{fc} ".as_bytes().iter().chain(b"\x96").copied().collect::<Vec<_>>().as_slice(), "iso-8859-1"),
            ("éü –".into(), "utf-8", Some("encoding.declared_wrong"))
        );
    }

    /// Text, name of the set, and the codes of all doubts.
    fn read(bytes: &[u8]) -> (String, &'static str, Vec<&'static str>) {
        let decoded = decode(bytes).expect("text");
        let codes = decoded.anomalies.iter().map(|anomaly| anomaly.code).collect();
        (decoded.text, decoded.encoding, codes)
    }

    #[test]
    fn utf8_with_and_without_its_mark() {
        assert_eq!(read("é".as_bytes()), ("é".into(), "utf-8", vec![]));
        assert_eq!(read("\u{feff}é".as_bytes()), ("é".into(), "utf-8", vec![]));
        assert_eq!(read(b"plain"), ("plain".into(), "utf-8", vec![]));
    }

    #[test]
    fn utf16_both_ways_with_and_without_its_mark() {
        let text = "“Rain – it fell,” he said.";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        assert_eq!(read(&marked(b"\xff\xfe", &little)), (text.into(), "utf-16le", vec![]));
        assert_eq!(read(&marked(b"\xfe\xff", &big)), (text.into(), "utf-16be", vec![]));
        assert_eq!(read(&little), (text.into(), "utf-16le", vec!["encoding.assumed"]));
        assert_eq!(read(&big), (text.into(), "utf-16be", vec!["encoding.assumed"]));
        // Half a pair at the end is told.
        let (_, encoding, codes) = read(&marked(b"\xff\xfe", little.split_last().expect("bytes").1));
        assert_eq!((encoding, codes.contains(&"encoding.replaced")), ("utf-16le", true));
    }

    #[test]
    fn single_bytes_are_windows_or_the_set_with_the_euro() {
        assert_eq!(read(b"caf\xe9"), ("café".into(), "windows-1252", vec!["encoding.assumed"]));
        assert_eq!(read(b"\x80 5, caf\xe9"), ("€ 5, café".into(), "windows-1252", vec!["encoding.assumed"]));
        let doubt = vec!["encoding.assumed", "encoding.doubtful"];
        for (bytes, text, encoding) in [
            (b"5 \xa4 for \xbduvre".as_slice(), "5 € for œuvre", "iso-8859-15"),
            (b"\xa420 for \xa6koda", "€20 for Škoda", "iso-8859-15"),
            (b"Karel \xb4i\xbeka", "Karel ŽiŸka", "iso-8859-15"),
            (b"2\xbd miles at 10\xbc knots", "2½ miles at 10¼ knots", "windows-1252"),
            (b"see \xa4 below, \xe9", "see ¤ below, é", "windows-1252"),
            // As many for as against: the more common set.
            (b"2\xbd c\xbdurs", "2½ c½urs", "windows-1252"),
        ] {
            assert_eq!(read(bytes), (text.into(), encoding, doubt.clone()));
        }
    }

    #[test]
    fn utf8_with_single_windows_bytes_is_read_as_both() {
        let bytes = [b"\x93".as_slice(), "Ünder Geröll".as_bytes(), b"\x94 caf\xe9"].concat();
        let (text, encoding, codes) = read(&bytes);
        // Three strays to two characters: it may as well be Windows-1252 throughout.
        assert_eq!(
            (text.as_str(), encoding, codes),
            ("“Ãœnder GerÃ¶ll” café", "windows-1252", vec!["encoding.assumed"])
        );
        let bytes = ["Ünder Geröll".as_bytes(), b" \x96 caf", "é".as_bytes(), b"\x92s"].concat();
        assert_eq!(read(&bytes), ("Ünder Geröll – café’s".into(), "utf-8", vec!["encoding.mixed"]));
        assert_eq!(
            decode_declared(&bytes, Some("utf-8")).expect("text").anomalies.first().map(|anomaly| anomaly.code),
            Some("encoding.mixed")
        );
    }

    #[test]
    fn zeros_and_control_characters_are_kept_and_told_until_they_are_too_many() {
        let (text, encoding, codes) = read(b"A zero\0 in a line that is long enough.");
        assert_eq!((text.contains('\0'), encoding, codes), (true, "utf-8", vec!["encoding.control_character"]));
        let decoded = decode(b"Esc \x1b and \x0b stand in a line that is long enough.").expect("text");
        assert_eq!(decoded.anomalies.first().and_then(|anomaly| anomaly.span), Some(Span::new(4, 5)));
        assert_eq!(decode(b"ab\0\0\0c\0").expect_err("no text").code, "decode.binary");
    }

    #[test]
    fn windows_quotation_marks_come_out_right() {
        let decoded = decode(b"\x93Yes,\x94 he said \x96 twice.").expect("text");
        assert_eq!(decoded.text, "“Yes,” he said – twice.");
    }
}

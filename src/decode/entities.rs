//! Character references of XML and HTML → characters.
//!
//! Read: every name of HTML's table, decimal and hexadecimal numbers; numbers 128 to 159 are read
//! as Windows-1252, as browsers do. What is no reference stays as it stands.

use std::borrow::Cow;

use crate::text::{from, slice, until};

/// No name in HTML's table is longer.
const NAME_BYTES_MAX: usize = 32;

/// Replaces the references in a piece of text.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'&', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(until(text, first));
    let mut at = first;
    while at < text.len() {
        let rest = from(text, at);
        if let Some((bytes, character)) = reference(rest) {
            out.push_str(&character);
            at += bytes;
        } else {
            out.push('&');
            at += 1;
        }
        let next = memchr::memchr(b'&', from(text, at).as_bytes()).map_or(text.len(), |found| at + found);
        out.push_str(slice(text, at, next));
        at = next;
    }
    Cow::Owned(out)
}

/// The reference that a text starts with: its length and what it stands for.
fn reference(text: &str) -> Option<(usize, Cow<'static, str>)> {
    let inner = text.strip_prefix('&')?;
    let window = until(inner, inner.floor_char_boundary(NAME_BYTES_MAX));
    let length = window.find(';')?;
    resolve(until(inner, length)).map(|character| (length + 2, character))
}

/// What a reference stands for, by what is written between `&` and `;`.
pub(super) fn resolve(name: &str) -> Option<Cow<'static, str>> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => number.parse(),
        };
        return code.ok().and_then(character).map(|character| Cow::Owned(character.to_string()));
    }
    quick_xml::escape::resolve_html5_entity(name).map(Cow::Borrowed)
}

fn character(code: u32) -> Option<char> {
    if let (0x80..0xA0, Ok(byte)) = (code, u8::try_from(code)) {
        let bytes = [byte];
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
        return text.chars().next();
    }
    char::from_u32(code).filter(|character| *character != '\0')
}

/// The first character reference that still stands in a decoded text: somebody escaped twice.
pub(super) fn first_left(text: &str) -> Option<usize> {
    let looks_so = |at: &usize| {
        let window = slice(text, *at + 1, text.floor_char_boundary(at + 1 + NAME_BYTES_MAX));
        let name = window.split(';').next().filter(|name| name.len() < window.len() && name.len() > 1);
        name.is_some_and(|name| resolve(name).is_some())
    };
    memchr::memchr_iter(b'&', text.as_bytes()).find(looks_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_kind() {
        assert_eq!(decode("caf&eacute; &amp; th&#233; &#xE9; &#147;x&#x94; &hellip;"), "café & thé é “x” …");
        assert_eq!(
            decode("AT&T; R&D &; &#; &#xZ; &nosuch; &#0; &#1114112;"),
            "AT&T; R&D &; &#; &#xZ; &nosuch; &#0; &#1114112;"
        );
        assert_eq!(decode("&é; &"), "&é; &");
    }

    #[test]
    fn what_was_escaped_twice_is_found() {
        assert_eq!(first_left("a &lt;b"), Some(2));
        assert_eq!(first_left("R&D; AT&T"), None);
    }
}

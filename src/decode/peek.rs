//! The urgency of a transmission, read from its first bytes without decoding it.
//!
//! What is read: the `urgency` field of an envelope or a ninjs item, the priority of an ANPA 1312
//! header (`f`, `b`, `u`, `r`, `d`, `a`) and the priority digit of an IPTC 7901 header. What is not:
//! formats in XML, character sets other than those that keep ASCII, and any field that stands
//! further in than `PEEK_BYTES_MAX`. The guess decides who goes first, never what is in a record.

use super::{anpa1312, iptc7901};
use crate::text;

/// Bytes of a transmission that are looked at.
const PEEK_BYTES_MAX: usize = 4096;

/// The urgency, 1 (flash) to 9, where the first bytes tell.
pub fn urgency(input: &[u8]) -> Option<u8> {
    let head = input.get(..input.len().min(PEEK_BYTES_MAX)).unwrap_or(input);
    let first = head.iter().copied().find(|byte| !byte.is_ascii_whitespace())?;
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    if first == b'{' {
        return json_urgency(head);
    }
    anpa1312::peek_urgency(head).or_else(|| iptc7901::peek_urgency(head)).filter(|urgency| (1..=9).contains(urgency))
}

/// The first `"urgency"` that a number follows, bare or in quotation marks.
fn json_urgency(head: &str) -> Option<u8> {
    const NAME: &str = "\"urgency\"";
    head.match_indices(NAME).find_map(|(at, _)| {
        let value = text::from(head, at + NAME.len()).trim_start().strip_prefix(':')?.trim_start();
        let digits = value.strip_prefix('"').unwrap_or(value);
        let digit = digits.chars().next()?.to_digit(10)?;
        let is_one_digit = digits.chars().nth(1).is_none_or(|next| !next.is_ascii_digit());
        (is_one_digit && (1..=9).contains(&digit)).then_some(digit as u8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_format_tells_its_own_way() {
        for (input, expected) in [
            (&br#"{"id":"a","urgency":1,"text":"x"}"#[..], Some(1)),
            (br#" {"urgency" : "4"}"#, Some(4)),
            (br#"{"urgency":17}"#, None),
            (br#"{"text":"urgency 1"}"#, None),
            (b"\x16\x16\x01a0123\x1f\x02\r\nf a\x13\x11BC-US--Bridge    03-04 0318\x0d\x0a", Some(1)),
            (b"\x01nwe0123 2 i 0210 nw 0045\r\n", Some(2)),
            (b"HARBOURTOWN, March 3 (Example News) - A gate opened.", None),
            (b"", None),
        ] {
            assert_eq!(urgency(input), expected, "{:?}", String::from_utf8_lossy(input));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(urgency(&input).is_none_or(|urgency| (1..=9).contains(&urgency)));
        }
    }
}

//! Spans, and the only slicing of strings in the package.
//!
//! Inside the library an offset is a UTF-8 byte; the record speaks in Unicode code points.
//! [`CodePoints`] converts between them, once, when the record is built. Every other module
//! asks this one for a piece of text, so a span that is out of range or inside a character
//! gives an empty string, never a panic. clippy's `string_slice` is denied everywhere else.

use serde::{Deserialize, Serialize};

/// A half-open range of UTF-8 bytes in a story's text.
///
/// `u32` holds every story: [`crate::decode::STORY_BYTES_CEILING`] is far below 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from byte offsets; an end before the start gives an empty span at the start.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end.max(start) as u32 }
    }

    /// The whole of a text.
    pub fn whole(text: &str) -> Self {
        Self::new(0, text.len())
    }

    /// First byte, as an index.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// One past the last byte, as an index.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The text under the span; empty when the span does not fit the text.
    pub fn of(self, text: &str) -> &str {
        slice(text, self.start(), self.end())
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the byte offset lies inside.
    pub fn holds(self, offset: usize) -> bool {
        self.start() <= offset && offset < self.end()
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The smallest span over both.
    #[must_use]
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span without white space at either end.
    #[must_use]
    pub fn trim(self, text: &str) -> Self {
        let inner = self.of(text);
        let start = self.start() + (inner.len() - inner.trim_start().len());
        let end = self.start() + inner.trim_end().len();
        Self::new(start.min(end.max(self.start())), end)
    }
}

/// `text[start..end]`, or an empty string when the range is no range of whole characters.
pub fn slice(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or("")
}

/// `text[start..]`, or an empty string.
pub fn from(text: &str, start: usize) -> &str {
    text.get(start..).unwrap_or("")
}

/// `text[..end]`, or an empty string.
pub fn until(text: &str, end: usize) -> &str {
    text.get(..end).unwrap_or("")
}

/// The character that starts at a byte offset.
pub fn char_at(text: &str, offset: usize) -> Option<char> {
    from(text, offset).chars().next()
}

/// The character that ends at a byte offset.
pub fn char_before(text: &str, offset: usize) -> Option<char> {
    until(text, offset).chars().next_back()
}

/// Bytes between two checkpoints of [`CodePoints`].
const BLOCK_BYTES: usize = 64;

/// Converts byte offsets of one text to code point offsets, in constant time each.
pub struct CodePoints<'a> {
    text: &'a str,
    /// Code points before each block; empty for ASCII, where the two counts agree.
    before_block: Vec<u32>,
}

impl<'a> CodePoints<'a> {
    /// Reads the text once.
    pub fn new(text: &'a str) -> Self {
        let mut before_block = Vec::new();
        if !text.is_ascii() {
            before_block.reserve(text.len() / BLOCK_BYTES + 1);
            let mut total = 0_u32;
            for block in text.as_bytes().chunks(BLOCK_BYTES) {
                before_block.push(total);
                total += starts(block);
            }
            before_block.push(total);
        }
        Self { text, before_block }
    }

    /// Code points before the byte offset; offsets past the end count as the end.
    pub fn at(&self, offset: usize) -> u32 {
        let offset = offset.min(self.text.len());
        if self.before_block.is_empty() {
            return offset as u32;
        }
        let block = offset / BLOCK_BYTES;
        let first = block * BLOCK_BYTES;
        let bytes = self.text.as_bytes().get(first..offset).unwrap_or_default();
        self.before_block.get(block).copied().unwrap_or_default() + starts(bytes)
    }
}

/// Bytes that begin a character.
fn starts(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_that_does_not_fit_is_empty() {
        assert_eq!(Span::new(1, 2).of("é"), "");
        assert_eq!(Span::new(0, 9).of("abc"), "");
        assert_eq!(Span::new(5, 2), Span::new(5, 5));
    }

    #[test]
    fn trim_keeps_the_inside() {
        let text = "  a b \n";
        assert_eq!(Span::whole(text).trim(text).of(text), "a b");
        assert!(Span::whole("  ").trim("  ").is_empty());
    }

    proptest! {
        #[test]
        fn code_points_agree_with_counting(text in "\\PC{0,300}") {
            let points = CodePoints::new(&text);
            for (count, (offset, _)) in text.char_indices().enumerate() {
                prop_assert_eq!(points.at(offset) as usize, count);
            }
            prop_assert_eq!(points.at(text.len()) as usize, text.chars().count());
        }
    }
}

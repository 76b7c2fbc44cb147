//! HTML → paragraphs.
//!
//! A scanner, not a browser: it tells tags, comments and text apart, takes the names of the tags,
//! and hands them to [`Blocks`]. Attributes are passed over. Scripts and styles are left out
//! there. Linear in the input whatever the input is: a mark of which no end was found once is not
//! looked for again.
//!
//! html5ever's tokenizer compares each attribute of a tag with all before it, so that one tag of a
//! megabyte takes minutes; as neither attributes nor a tree are wanted, it is not used.

use super::{blocks::Blocks, entities};
use crate::text::{from, slice, until};

/// Reads HTML, a document or a piece of one.
pub(super) fn read(html: &str, blocks: &mut Blocks) {
    let mut scanner = Scanner { html, at: 0, missing: Missing::default() };
    while scanner.at < html.len() {
        scanner.step(blocks);
    }
}

/// Whether a text holds tags that people use inside texts.
pub(super) fn has_tags(text: &str) -> bool {
    const TAGS: [&str; 22] = [
        "p",
        "br",
        "b",
        "i",
        "em",
        "strong",
        "a",
        "span",
        "div",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "table",
        "tr",
        "td",
        "blockquote",
        "img",
        "font",
    ];
    memchr::memchr_iter(b'<', text.as_bytes()).any(|at| {
        let rest = slice(text, at + 1, text.floor_char_boundary(at + 16));
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let name = until(rest, name_bytes(rest)).to_ascii_lowercase();
        let after = from(rest, name.len()).bytes().next();
        TAGS.contains(&name.as_str()) && matches!(after, Some(b'>' | b' ' | b'/' | b'\n'))
    })
}

struct Scanner<'a> {
    html: &'a str,
    at: usize,
    missing: Missing,
}

/// Ends that are known not to come any more.
#[derive(Default)]
struct Missing {
    comment: bool,
    cdata: bool,
    tag: bool,
    double_quote: bool,
    single_quote: bool,
    raw: [bool; RAW.len()],
}

/// Elements of which the content is no markup.
const RAW: [&str; 5] = ["script", "style", "textarea", "title", "xmp"];

impl<'a> Scanner<'a> {
    fn step(&mut self, blocks: &mut Blocks) {
        let rest = from(self.html, self.at);
        let Some(mark) = memchr::memchr(b'<', rest.as_bytes()) else {
            blocks.text(&entities::decode(rest));
            self.at = self.html.len();
            return;
        };
        if mark > 0 {
            blocks.text(&entities::decode(until(rest, mark)));
            self.at += mark;
        }
        let rest = from(self.html, self.at);
        let second = rest.as_bytes().get(1).copied().unwrap_or(b' ');
        let third = rest.as_bytes().get(2).copied().unwrap_or(b' ');
        if rest.starts_with("<!--") {
            self.at += self.end_of("-->", 4, |missing| &mut missing.comment).unwrap_or(4);
        } else if rest.starts_with("<![CDATA[") {
            let end = self.end_of("]]>", 9, |missing| &mut missing.cdata);
            blocks.text(slice(rest, 9, end.map_or(9, |end| end - 3)));
            self.at += end.unwrap_or(9);
        } else if second == b'!' || second == b'?' {
            self.at += self.end_of(">", 2, |missing| &mut missing.tag).unwrap_or(2);
        } else if second.is_ascii_alphabetic() || (second == b'/' && third.is_ascii_alphabetic()) {
            self.tag(rest, second == b'/', blocks);
        } else {
            blocks.text("<");
            self.at += 1;
        }
    }

    /// Bytes up to and with the next `mark`.
    fn end_of(&mut self, mark: &str, skip: usize, missing: fn(&mut Missing) -> &mut bool) -> Option<usize> {
        let missing = missing(&mut self.missing);
        if *missing {
            return None;
        }
        let rest = from(self.html, self.at + skip);
        let found = memchr::memmem::find(rest.as_bytes(), mark.as_bytes());
        *missing = found.is_none();
        found.map(|found| skip + found + mark.len())
    }

    fn tag(&mut self, rest: &'a str, closes: bool, blocks: &mut Blocks) {
        let name_start = if closes { 2 } else { 1 };
        let bytes = name_bytes(from(rest, name_start));
        let name = slice(rest, name_start, name_start + bytes).to_ascii_lowercase();
        let Some(end) = self.tag_end(name_start + bytes) else {
            // A tag without an end is no tag.
            blocks.text("<");
            self.at += 1;
            return;
        };
        let closes_itself = slice(rest, 0, end).ends_with("/>");
        self.at += end;
        if closes {
            blocks.close(&name);
            return;
        }
        blocks.open(&name);
        if closes_itself {
            blocks.close(&name);
        } else if let Some(index) = RAW.iter().position(|raw| *raw == name) {
            self.pass_raw(index, blocks);
        }
    }

    /// Bytes up to and with the `>` that ends the tag; quoted values may hold one.
    fn tag_end(&mut self, skip: usize) -> Option<usize> {
        if self.missing.tag {
            return None;
        }
        let bytes = self.html.as_bytes();
        let start = self.at + skip;
        let mut at = start;
        loop {
            let found = memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?);
            let Some(found) = found.map(|found| at + found) else {
                // Some value was never closed: from here on the first > ends a tag.
                let end = memchr::memchr(b'>', bytes.get(start..)?);
                self.missing.tag = end.is_none();
                (self.missing.double_quote, self.missing.single_quote) = (true, true);
                return end.map(|end| start + end + 1 - self.at);
            };
            let mark = bytes.get(found).copied().unwrap_or(b'>');
            if mark == b'>' {
                return Some(found + 1 - self.at);
            }
            // Only after an equals sign does a mark open a value.
            let before = bytes.get(start..found)?.iter().rev().find(|byte| !byte.is_ascii_whitespace());
            let missing = if mark == b'"' { &mut self.missing.double_quote } else { &mut self.missing.single_quote };
            let opens = before == Some(&b'=') && !*missing;
            let close = if opens { memchr::memchr(mark, bytes.get(found + 1..)?) } else { None };
            *missing |= opens && close.is_none();
            // A value that ends a tag and begins another has lost its closing mark.
            if let Some(close) = close
                && let Some(value) = bytes.get(found + 1..found + 1 + close)
                && let Some(angle) = memchr::memchr2(b'<', b'>', value)
                && value.get(angle) == Some(&b'>')
                && memchr::memchr(b'<', value.get(angle..)?).is_some()
            {
                return Some(found + 1 + angle + 1 - self.at);
            }
            at = close.map_or(found + 1, |close| found + 1 + close + 1);
        }
    }

    /// Passes over the content of a script and its like.
    fn pass_raw(&mut self, index: usize, blocks: &mut Blocks) {
        let name = RAW.get(index).copied().unwrap_or_default();
        let rest = from(self.html, self.at);
        let known_missing = self.missing.raw.get(index).copied().unwrap_or(true);
        let end = if known_missing { None } else { find_close(rest, name) };
        if let Some(end) = end {
            self.at += end;
            return;
        }
        if let Some(missing) = self.missing.raw.get_mut(index) {
            *missing = true;
        }
        // Whatever follows is read as HTML: better a script in the text than no text.
        blocks.close(name);
    }
}

/// Where `</name` stands, in any case of letters.
fn find_close(text: &str, name: &str) -> Option<usize> {
    memchr::memmem::find_iter(text.as_bytes(), b"</").find(|at| {
        let after = text.as_bytes().get(at + 2..at + 2 + name.len());
        after.is_some_and(|after| after.eq_ignore_ascii_case(name.as_bytes()))
    })
}

fn name_bytes(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'.' | b'_')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let mut blocks = Blocks::default();
        read(html, &mut blocks);
        blocks.finish().text
    }

    #[test]
    fn paragraphs_lists_and_tables() {
        let html = "<h2>Rain</h2><p>It <b>rained</b>\n  all&nbsp;day.<br>Twice.</p><ul><li>One<li>Two</ul>\
                    <table><tr><th>Town<th>mm</tr><tr><td>Bath</td><td><p>12</p></td></tr></table>After";
        assert_eq!(text(html), "Rain\nIt rained all day.\nTwice.\nOne\nTwo\nTown\tmm\nBath\t12\nAfter");
    }

    #[test]
    fn scripts_comments_and_pictures_are_left_out() {
        let html = "<script>if (a < b) x('</p>')</SCRIPT ><style>p{}</style>A<!-- b <p> -->c<img alt='>' src=\"x>y\">d\
                    <figure><img><figcaption>A pier</figcaption></figure><iframe src=x></iframe>";
        assert_eq!(text(html), "Acd");
        let mut blocks = Blocks::default();
        read(html, &mut blocks);
        assert_eq!(blocks.finish().captions, ["A pier"]);
    }

    #[test]
    fn what_is_no_markup_stays() {
        assert_eq!(text("3 < 4 and <3, a<b"), "3 < 4 and <3, a<b");
        assert_eq!(text("R&D <!-- never ends"), "R&D never ends");
        assert_eq!(text("He said <a href=\"x>so</a>"), "He said so");
        let lost = "<p title=\"a>Text one.</p><p>More text.</p><p>He said \"end";
        assert_eq!(text(lost), "Text one.\nMore text.\nHe said \"end");
        assert_eq!(text("<p title=\"a>One.</p><p class=\"b\">Two.</p>"), "One.\nTwo.");
        assert_eq!(text("<p title=\"a>One \"end"), "One \"end");
        assert_eq!(text("<p title=\"<b>x</b>\">One.</p>"), "One.");
        assert_eq!(text("<script>never ends"), "never ends");
        assert_eq!(text("<p title='don't'>x"), "x");
    }

    #[test]
    fn tags_inside_texts_are_told() {
        assert!(has_tags("a <b>c</b>") && has_tags("x<br/>y") && has_tags("</P>"));
        assert!(!has_tags("a < b > c") && !has_tags("<name> said") && !has_tags("<"));
    }

    /// A quarter of a megabyte of what invites looking ahead again and again; quadratic work would not end.
    #[test]
    fn work_is_bounded() {
        for unit in [
            "<!--",
            "<![CDATA[",
            "<a \"",
            "<a b='",
            "<a b=\"",
            "<script>",
            "<",
            "<a ",
            "&",
            "&#",
            "</",
            "<p>",
            "<td>",
            "<table>",
            "<title>",
            "<td><p>",
            "<table><td><br>",
            "<b><person>",
            "<p title=\"a>b</p>",
            "<p title=\"a>b' <i c='",
        ] {
            let html = unit.repeat((1 << 18) / unit.len());
            let _ = text(&html);
        }
        let _ = text(&format!("<a {}>", "b=c ".repeat(1 << 16)));
    }
}

//! Markup that cannot be broken out of.
//!
//! ```text
//! markup.open("a", &[("href", "#s1-p1")]); markup.text("R&D <x>"); markup.close();
//!     → <a href="#s1-p1">R&amp;D &lt;x&gt;</a>
//! ```
//!
//! Everything that stands in a record goes through [`Markup::text`] or the value of an attribute;
//! names of elements and attributes are words of this program. A control character that HTML
//! forbids is shown by its picture (U+2400 and following).
//!
//! What this does not do: know which element may stand in which.

/// Markup that is being written.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
    open: Vec<&'static str>,
}

impl Markup {
    /// Opens an element.
    pub(super) fn open(&mut self, element: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.tag(element, attributes);
        self.open.push(element);
        self
    }

    /// Closes the element that was opened last.
    pub(super) fn close(&mut self) -> &mut Self {
        if let Some(element) = self.open.pop() {
            self.out.push_str("</");
            self.out.push_str(element);
            self.out.push('>');
        }
        self
    }

    /// Writes an element that has no content.
    pub(super) fn tag(&mut self, element: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.out.push('<');
        self.out.push_str(element);
        for (name, value) in attributes {
            if value.is_empty() && *name != "alt" {
                continue;
            }
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.text(value);
            self.out.push('"');
        }
        self.out.push('>');
        self
    }

    /// Writes an element that holds text.
    pub(super) fn element(
        &mut self,
        element: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> &mut Self {
        self.open(element, attributes).text(text).close()
    }

    /// Writes text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.characters(text.chars())
    }

    /// Writes characters as text.
    pub(super) fn characters(&mut self, characters: impl IntoIterator<Item = char>) -> &mut Self {
        for character in characters {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\n' | '\t' => self.out.push(character),
                other => self.out.push(shown(other)),
            }
        }
        self
    }

    /// Ends a line of the source.
    pub(super) fn line(&mut self) -> &mut Self {
        self.out.push('\n');
        self
    }

    /// What was written, every element closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }
}

/// A character as HTML may hold it.
pub(super) fn shown(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        '\0'..='\x1f' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        // Controls and what is no character: HTML calls them an error.
        '\u{80}'..='\u{9f}' | '\u{fdd0}'..='\u{fdef}' => '\u{fffd}',
        other if (other as u32) & 0xfffe == 0xfffe => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        let mut markup = Markup::default();
        markup.open("p", &[("title", "\"><script>"), ("class", "")]).text("</p> & 'so' \0\x1b");
        assert_eq!(
            markup.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;/p&gt; &amp; &#39;so&#39; \u{2400}\u{241b}</p>"
        );
    }
}

//! What the markup of a format says of paragraphs → their kinds.
//!
//! ```text
//! <hl2>What is left</hl2>     body → crosshead, section 1
//! <li>Flour: 40 sacks</li>    body → list
//! <tr><td>Skarra</td>…        body → table
//! ```
//!
//! Only paragraphs of running text below the lead are looked at: what the words themselves say
//! (a note, a sign-off, a quotation) stands. Sections are counted anew.
//!
//! What this does not do: believe markup inside a paragraph (people, places …).

use super::layout::{Layout, ParagraphKind};
use crate::story::{Markup, MarkupKind};

/// Gives paragraphs the kinds that their markup names.
pub fn run(layout: &mut Layout, markup: &[Markup]) {
    if markup.is_empty() {
        return;
    }
    let lead = layout.paragraphs.iter().position(|paragraph| paragraph.kind == ParagraphKind::Lead);
    let mut hints = markup.iter().peekable();
    let mut section = 0;
    for (index, paragraph) in layout.paragraphs.iter_mut().enumerate() {
        while hints.next_if(|hint| hint.span.start < paragraph.span.start).is_some() {}
        let here = hints.clone().take_while(|hint| hint.span.start == paragraph.span.start);
        let whole = here.filter(|hint| hint.span.contains(paragraph.span)).find_map(|hint| match hint.kind {
            MarkupKind::Heading => Some(ParagraphKind::Crosshead),
            MarkupKind::ListItem => Some(ParagraphKind::List),
            MarkupKind::TableRow => Some(ParagraphKind::Table),
            _ => None,
        });
        let is_running = matches!(paragraph.kind, ParagraphKind::Body | ParagraphKind::Background);
        if let Some(kind) = whole.filter(|_| is_running && lead.is_none_or(|lead| index > lead)) {
            paragraph.kind = kind;
        }
        section += u32::from(paragraph.kind == ParagraphKind::Crosshead);
        paragraph.section = section;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{extract::layout, text::Span};

    #[test]
    fn headings_and_items_below_the_lead() {
        let text = "No ferry has left for eight days.\nWhat is left of flour\nFlour: 40 sacks\nNobody knows.";
        let mut layout = layout::read(text, None);
        let hint = |words: &str, kind| {
            let start = text.find(words).expect("the words");
            Markup { span: Span::new(start, start + words.len()), kind }
        };
        let heading = hint("What is left of flour", MarkupKind::Heading);
        run(&mut layout, &[heading, hint("Flour: 40 sacks", MarkupKind::ListItem)]);
        let kinds: Vec<_> = layout.paragraphs.iter().map(|paragraph| (paragraph.kind, paragraph.section)).collect();
        assert_eq!(
            kinds,
            [
                (ParagraphKind::Lead, 0),
                (ParagraphKind::Crosshead, 1),
                (ParagraphKind::List, 1),
                (ParagraphKind::Body, 1)
            ]
        );
    }
}

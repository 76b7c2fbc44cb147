//! Header and sign-off lines → authors.
//!
//! ```text
//! By Thaddeus Greaves
//!    ^^^^^^^^^^^^^^^^ name
//! Court Correspondent
//! ^^^^^^^^^^^^^^^^^^^ title
//!
//! (Reporting by Marit Oosterveld in Rotterdam; Editing by Peter Vance)
//!               ^^^^^^^^^^^^^^^^ name
//!                                  ^^^^^^^^^ place
//! ```
//!
//! Reporters and writers of a credit line count as authors, editors do not; who stands in both
//! places is one author.
//!
//! What this does not do: tell first names from surnames, or find an author inside the story.

use super::{
    dateline::{self, Dateline},
    layout::{Layout, ParagraphKind, is_author_title, is_credit},
};
use crate::text::{Span, from, slice, until};

/// Authors of one story.
const AUTHORS_MAX: usize = 32;
/// Bytes of a byline or of a credit line.
const BYLINE_BYTES_MAX: usize = 120;
const CREDIT_BYTES_MAX: usize = 600;

/// One author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Byline {
    /// The name.
    pub name: Span,
    /// The author's title.
    pub title: Option<Span>,
    /// Where the author reports from.
    pub place: Option<Span>,
}

/// Looks for authors.
pub fn run(text: &str, layout: &Layout, dateline: Option<&Dateline>) -> Vec<Byline> {
    let mut authors: Vec<Byline> = dateline.and_then(|dateline| in_mark(text, dateline)).into_iter().collect();
    for (index, paragraph) in layout.paragraphs.iter().enumerate() {
        let words = paragraph.span.of(text);
        match paragraph.kind {
            ParagraphKind::Header => {
                let Some(mut found) = names(words) else { continue };
                shift(&mut found, paragraph.span.start());
                let below = layout.paragraphs.get(index + 1).filter(|below| below.kind == ParagraphKind::Header);
                if let Some(title) = below.map(|below| below.span).filter(|span| is_author_title(span.of(text))) {
                    for author in &mut found {
                        author.title = author.title.or(Some(title));
                    }
                }
                merge(text, &mut authors, found);
            }
            ParagraphKind::Signoff if is_credit(words) => {
                let mut found = credit(words);
                shift(&mut found, paragraph.span.start());
                merge(text, &mut authors, found);
            }
            _ => {}
        }
    }
    authors
}

/// `/TASS Correspondent Ada Quill/`: the author that the agency's mark names.
fn in_mark(text: &str, dateline: &Dateline) -> Option<Byline> {
    const TITLE: &str = "correspondent ";
    let from_agency = dateline.agency?.end();
    let rest = slice(text, from_agency, dateline.span.end());
    let rest = until(rest, rest.find(['/', ')'])?);
    let at = rest.to_ascii_lowercase().find(TITLE)?;
    let title = Span::new(from_agency + at, from_agency + at + TITLE.len()).trim(text);
    let name = Span::new(from_agency + at + TITLE.len(), from_agency + rest.len()).trim(text);
    is_name(name.of(text)).then_some(Byline { name, title: Some(title), place: None })
}

fn shift(authors: &mut [Byline], by: usize) {
    let moved = |span: Span| Span::new(span.start() + by, span.end() + by);
    for author in authors {
        *author = Byline { name: moved(author.name), title: author.title.map(moved), place: author.place.map(moved) };
    }
}

fn merge(text: &str, authors: &mut Vec<Byline>, found: Vec<Byline>) {
    for author in found {
        let is_same = |known: &Byline| known.name.of(text).eq_ignore_ascii_case(author.name.of(text));
        if let Some(known) = authors.iter_mut().find(|known| is_same(known)) {
            known.place = known.place.or(author.place);
        } else if authors.len() < AUTHORS_MAX {
            authors.push(author);
        }
    }
}

/// The authors of a byline, or `None` when the line is none. `By The Associated Press` is a byline without authors.
pub(crate) fn names(line: &str) -> Option<Vec<Byline>> {
    if line.len() > BYLINE_BYTES_MAX {
        return None;
    }
    let head = ["By ", "BY ", "by ", "By: ", "Story by "].iter().find(|head| line.starts_with(**head))?;
    let mut authors: Vec<Byline> = Vec::new();
    let mut houses = 0;
    for (start, end) in parts(line, head.len()) {
        let part = slice(line, start, end);
        let (name_end, place) = reports_from(line, start, end);
        if is_author_title(part) {
            let title = Some(Span::new(start, end));
            for author in &mut authors {
                author.title = author.title.or(title);
            }
        } else if is_house(part) {
            houses += 1;
        } else if is_name(slice(line, start, name_end)) {
            authors.push(Byline { name: Span::new(start, name_end), title: None, place });
        } else {
            return None;
        }
    }
    (!authors.is_empty() || houses > 0).then_some(authors)
}

/// `Reporting by A in Rotterdam and B; Additional reporting by C; Editing by D`.
fn credit(line: &str) -> Vec<Byline> {
    let end = line.floor_char_boundary(CREDIT_BYTES_MAX);
    let mut authors: Vec<Byline> = Vec::new();
    let mut start = 0;
    for clause in until(line, end).split([';', '.']) {
        let clause_start = start;
        start += clause.len() + 1;
        let low = clause.to_ascii_lowercase();
        let Some(by) = low.find(" by ").filter(|_| low.contains("report") || low.contains("writ")) else { continue };
        let clause_end = clause_start + clause.trim_end_matches([')', ']', ' ']).len();
        for (part_start, part_end) in parts(until(line, clause_end), clause_start + by + " by ".len()) {
            let (name_end, place) = reports_from(line, part_start, part_end);
            if is_name(slice(line, part_start, name_end)) {
                authors.push(Byline { name: Span::new(part_start, name_end), title: None, place });
            } else if let Some(place) = authors.last_mut().and_then(|author| author.place.as_mut()) {
                // ", France" behind a place.
                place.end = part_end as u32;
            }
        }
    }
    authors
}

/// `in Rotterdam` behind a name.
fn reports_from(line: &str, start: usize, end: usize) -> (usize, Option<Span>) {
    match slice(line, start, end).find(" in ") {
        Some(at) => (start + at, Some(Span::new(start + at + " in ".len(), end)).filter(|place| !place.is_empty())),
        None => (end, None),
    }
}

/// What commas, "and" and "&" set apart.
fn parts(line: &str, start: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut part_start = start;
    let mut at = start;
    while at <= line.len() {
        let rest = from(line, at);
        let divider =
            [", and ", ", ", " and ", " AND ", " & ", "\n"].iter().find(|divider| rest.starts_with(**divider));
        if divider.is_some() || rest.is_empty() {
            let span = Span::new(part_start, at).trim(line);
            if !span.is_empty() {
                found.push((span.start(), span.end()));
            }
        }
        match (divider, rest.chars().next()) {
            (Some(divider), _) => {
                at += divider.len();
                part_start = at;
            }
            (None, Some(c)) => at += c.len_utf8(),
            (None, None) => break,
        }
    }
    found
}

/// An agency or a paper instead of a person.
fn is_house(part: &str) -> bool {
    let low = part.to_lowercase();
    let words = ["news", "wire", "press", "agency", "times", "post", "service", "staff", "network", "media"];
    dateline::is_agency(part) || words.iter().any(|word| low.contains(word))
}

/// Two to five words with capitals, particles aside.
fn is_name(part: &str) -> bool {
    let (mut big, mut all) = (0, 0);
    for word in part.split(' ') {
        all += 1;
        let first = word.chars().next();
        let letters = word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'));
        if !letters || word.is_empty() {
            return false;
        }
        if first.is_some_and(|c| c.is_uppercase() || !c.is_lowercase() && c.is_alphabetic()) {
            big += 1;
        } else if !matches!(
            word,
            "de" | "del"
                | "della"
                | "van"
                | "von"
                | "der"
                | "den"
                | "da"
                | "dos"
                | "di"
                | "bin"
                | "al"
                | "el"
                | "la"
                | "le"
                | "ten"
                | "ter"
        ) && !word.starts_with("al-")
            && !word.starts_with("el-")
        {
            return false;
        }
    }
    big >= 2 && all <= 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{layout, testing::check};

    fn find(text: &str) -> Vec<(&'static str, Span)> {
        let mut anomalies = Vec::new();
        let blocks = layout::split(text, &mut anomalies);
        let dateline = dateline::run(text, &blocks, &mut anomalies);
        let layout = layout::run(text, &blocks, dateline.as_ref());
        let authors = run(text, &layout, dateline.as_ref());
        authors
            .into_iter()
            .flat_map(|author| [("name", Some(author.name)), ("title", author.title), ("place", author.place)])
            .filter_map(|(label, span)| span.map(|span| (label, span)))
            .collect()
    }

    #[test]
    fn a_name_and_a_title() {
        check(
            "
Bells go home
By Thaddeus Greaves
   ^^^^^^^^^^^^^^^^ name
Court Correspondent
^^^^^^^^^^^^^^^^^^^ title

MILLBROOK, Vt. (Northwire) — Bells rang.
",
            find,
        );
    }

    #[test]
    fn a_correspondent_in_the_mark_of_the_agency() {
        check(
            "
MOSCOW, January 25. /TASS Correspondent Ada Quill/. Rain fell.
                          ^^^^^^^^^^^^^ title
                                        ^^^^^^^^^ name
",
            find,
        );
        check("MOSCOW, January 25. /TASS/. Rain fell.", find);
    }

    #[test]
    fn several_authors_with_title_and_place() {
        check(
            "
Bells go home
By Ada Quill in Morlaix and Jo Penrose, Court Correspondent
   ^^^^^^^^^ name
                ^^^^^^^ place
                            ^^^^^^^^^^ name

MILLBROOK, Vt. (Northwire) — Bells rang.
",
            |text| find(text).into_iter().filter(|(label, _)| *label != "title").collect(),
        );
    }

    #[test]
    fn two_names_and_a_house() {
        check(
            "
Bells go home
By Marit van den Berg and Colm O'Dunleavy, Northwire
   ^^^^^^^^^^^^^^^^^^ name
                          ^^^^^^^^^^^^^^^ name

MILLBROOK, Vt. (Northwire) — Bells rang.
",
            find,
        );
    }

    #[test]
    fn credits_at_the_end() {
        check(
            "
MILLBROOK, Vt. (Northwire) — Bells rang.

(Reporting by Ada Quill in Morlaix, France, and Jo Penrose; Editing by Lu Amaral)
              ^^^^^^^^^ name
                           ^^^^^^^^^^^^^^^ place
                                                ^^^^^^^^^^ name
",
            find,
        );
    }

    #[test]
    fn lines_that_name_nobody() {
        for text in [
            "By noon the rain had stopped.\n\nIt came back at two.",
            "By The Associated Press\n\nBOSTON (AP) — Rain fell.",
            "By and by\n\nBOSTON (AP) — Rain fell.",
            "By Friday 300 had left\n\nBOSTON (AP) — Rain fell.",
        ] {
            assert_eq!(find(text), [], "in {text:?}");
        }
    }
}

//! Names → names, with the places that the gazetteer and the words around them tell.
//!
//! ```text
//! Police in Oakdale, La., asked Rapides Parish for help.
//!           ^^^^^^^  ^^^ places: the state behind the town, the town before the state
//!                               ^^^^^^^^^^^^^^ one place: "Parish" belongs to it
//! ```
//!
//! A name that the model called something else becomes a place only where a state or a country stands behind it.
//! Does not look at words in lower case, and adds no name that no gazetteer knows.

use super::{Container, container_span};
use crate::{
    extract::{
        names::{Class, Mention},
        tokens::Token,
    },
    gazetteer::{countries, index::Index},
    text::{self, Span},
};

/// Words that close the name of a place.
const CLOSERS: [&str; 12] = [
    "County", "Parish", "River", "Lake", "Creek", "Bay", "Island", "Islands", "Valley", "Township", "Province",
    "Airport",
];
/// Words before a name that say it is a place.
const LEADS: [&str; 6] = ["in", "near", "outside", "at", "from", "around"];
/// Names of days and months; towns of these names are too rare to be meant.
const CALENDAR: [&str; 19] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Most words of a name that is added.
const WORDS_MAX: usize = 3;

/// Corrects the names of a story; they stay in text order and do not overlap.
pub fn run(text: &str, tokens: &[Token], mut names: Vec<Mention>, index: &Index) -> Vec<Mention> {
    close(text, tokens, &mut names);
    let mut found = Vec::new();
    let mut next = 0;
    for at in 0..tokens.len() {
        while names.get(next).is_some_and(|name| (name.tokens.1 as usize) <= at) {
            next += 1;
        }
        let is_taken = |at: usize| names.get(next).is_some_and(|name| name.tokens.0 as usize <= at);
        if is_taken(at) || found.last().is_some_and(|name: &Mention| name.tokens.1 as usize > at) {
            continue;
        }
        if let Some(mention) = added(text, tokens, at, &|at| is_taken(at), index) {
            found.push(mention);
        }
    }
    for name in &mut names {
        let is_other = matches!(name.class, Class::Person | Class::Organisation);
        let written = name.span.of(text);
        if is_other && written.len() > 3 && is_town_before_state(text, name.span, written, index) {
            name.class = Class::Place;
            name.confidence_percent = 80;
        }
    }
    // States behind towns, where no name covers them yet.
    let mut states: Vec<Mention> = Vec::new();
    for name in names.iter().chain(&found).filter(|name| name.class == Class::Place) {
        let Some((_, span)) = container_span(text, name.span, index) else { continue };
        let from = tokens.partition_point(|token| token.span.start < span.start);
        let to = tokens.partition_point(|token| token.span.start < span.end);
        let is_free = !names.iter().chain(&found).chain(&states).any(|other| other.span.overlaps(span));
        if is_free && from < to {
            let whole = Span { start: tokens[from].span.start, end: span.end };
            states.push(Mention {
                span: whole,
                class: Class::Place,
                confidence_percent: 85,
                tokens: (from as u32, to as u32),
            });
        }
    }
    names.extend(found);
    names.extend(states);
    names.sort_by_key(|name| (name.span.start, name.span.end));
    names.dedup_by(|later, earlier| earlier.span.overlaps(later.span));
    names
}

/// "Rapides" + "Parish" → "Rapides Parish", where the closing word is the next one and free.
fn close(text: &str, tokens: &[Token], names: &mut [Mention]) {
    for at in 0..names.len() {
        let name = names[at];
        let Some(token) = tokens.get(name.tokens.1 as usize) else { continue };
        let is_free = names.get(at + 1).is_none_or(|following| following.span.start >= token.span.end);
        let gap = text::slice(text, name.span.end(), token.span.start());
        let fits =
            matches!(name.class, Class::Place) || name.class == Class::Person && name.tokens.1 - name.tokens.0 == 1;
        if fits && is_free && gap == " " && CLOSERS.contains(&token.span.of(text)) {
            names[at].class = Class::Place;
            names[at].span.end = token.span.end;
            names[at].tokens.1 += 1;
        }
    }
}

/// A name at a token that no name covers: "in Oakdale", "Oakdale, La.".
fn added(text: &str, tokens: &[Token], at: usize, is_taken: &dyn Fn(usize) -> bool, index: &Index) -> Option<Mention> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.span.of(text));
    let first = word(at);
    if first.len() < 3 || !first.starts_with(char::is_uppercase) || CALENDAR.contains(&first) {
        return None;
    }
    if at > 0 && word(at - 1).starts_with(char::is_uppercase) && tokens[at - 1].paragraph == tokens[at].paragraph {
        return None;
    }
    let led = at > 0 && LEADS.contains(&word(at - 1));
    let mut end = at + 1;
    while end < at + WORDS_MAX
        && word(end).starts_with(char::is_uppercase)
        && !is_taken(end)
        && tokens[end].paragraph == tokens[at].paragraph
        && text::slice(text, tokens[end - 1].span.end(), tokens[end].span.start()) == " "
    {
        end += 1;
    }
    if word(end).starts_with(char::is_uppercase) || is_taken(end) && led {
        return None;
    }
    let span = Span { start: tokens[at].span.start, end: tokens[end - 1].span.end };
    let written = span.of(text);
    let known = countries::by_name(written).is_some() || led && index.find(written).iter().any(|p| p.is_own_name);
    (known || is_town_before_state(text, span, written, index)).then_some(Mention {
        span,
        class: Class::Place,
        confidence_percent: 65,
        tokens: (at as u32, end as u32),
    })
}

/// Whether a state or a country stands behind the name, and a town of the name lies in it.
fn is_town_before_state(text: &str, span: Span, written: &str, index: &Index) -> bool {
    let Some((container, _)) = container_span(text, span, index) else { return false };
    index.find(written).iter().any(|place| match container {
        Container::Region(region) => place.region == Some(region),
        Container::Country(iso2) => place.iso2.is_some_and(|code| code == *iso2.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        extract::{
            layout,
            names::{Class, Mention},
            testing::check,
            tokens,
        },
        gazetteer::index::Index,
        text::Span,
    };

    /// The places that are found where the model found `marked`, each a class and the words.
    fn find(text: &str, marked: &[(Class, &str)]) -> Vec<(&'static str, Span)> {
        let tokens = tokens::run(text, &layout::read(text, None), None);
        let names = marked.iter().map(|(class, words)| {
            let start = text.find(words).unwrap();
            let span = Span::new(start, start + words.len());
            let from = tokens.partition_point(|token| token.span.start < span.start);
            let to = tokens.partition_point(|token| token.span.start < span.end);
            Mention { span, class: *class, confidence_percent: 90, tokens: (from as u32, to as u32) }
        });
        let found = super::run(text, &tokens, names.collect(), &Index::built_in().unwrap());
        found.into_iter().filter(|name| name.class == Class::Place).map(|name| ("place", name.span)).collect()
    }

    #[test]
    fn a_state_behind_a_town_and_a_town_before_a_state() {
        check(
            "
Police in Oakdale, La., called Ray Ruston for help.
          ^^^^^^^ place
                   ^^^ place
",
            |text| find(text, &[(Class::Person, "Oakdale"), (Class::Person, "Ray Ruston")]),
        );
    }

    #[test]
    fn a_county_belongs_to_its_name() {
        check(
            "
The jail of Rapides Parish is full, Mary County said.
            ^^^^^^^^^^^^^^ place
",
            |text| find(text, &[(Class::Place, "Rapides"), (Class::Person, "Mary County")]),
        );
    }

    #[test]
    fn a_town_that_the_model_missed() {
        check(
            "
He was born in Toledo in May but lives near Qzarbrook, and likes Reading.
               ^^^^^^ place
",
            |text| find(text, &[]),
        );
    }
}

//! Names that mean the same one, brought together.
//!
//! Long forms come first, wherever they stand; a short form joins the one long form that it fits,
//! and stands alone when it fits two.

use std::collections::HashMap;

use super::{Draft, Entity, MentionKind, lexicon::lexicon};
use crate::{
    extract::{
        names::{Class, Mention as Name},
        tokens::Token,
    },
    gazetteer::countries::{self, Country},
    text::Span,
};

/// How many names with one first word, or one last, are compared with a new name.
const NAMESAKES_MAX: usize = 50;
/// Words of a company's name that a short form leaves out.
const COMPANY_ENDS: [&str; 14] =
    ["inc", "inc.", "corp", "corp.", "co", "co.", "ltd", "ltd.", "plc", "llc", "ag", "sa", "group", "gmbh"];

/// The words of a name, folded for comparing.
pub(super) fn folded(name: &str) -> Vec<String> {
    let words = name.split_whitespace().map(|word| {
        let word = word.trim_end_matches("'s").trim_end_matches("’s").trim_matches(|c: char| ",\"“”'’".contains(c));
        word.to_lowercase().replace('’', "'")
    });
    let mut words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    words
}

/// An organisation under one of its names.
struct Cluster {
    words: Vec<String>,
    entity: usize,
}

/// The organisations so far, and where to look for a name.
#[derive(Default)]
struct Bodies {
    clusters: Vec<Cluster>,
    by_core: HashMap<Vec<String>, usize>,
    by_first: HashMap<String, Vec<usize>>,
    by_last: HashMap<String, Vec<usize>>,
    by_initials: HashMap<String, Vec<usize>>,
}

impl Bodies {
    fn push(&mut self, words: &[String], entity: usize) {
        let core = without_ends(words);
        let at = self.clusters.len();
        for (index, word) in [(&mut self.by_first, core.first()), (&mut self.by_last, core.last())] {
            if let Some(word) = word {
                index.entry(word.clone()).or_default().push(at);
            }
        }
        for initials in initials(words) {
            self.by_initials.entry(initials).or_default().push(entity);
        }
        self.by_core.insert(core.to_vec(), entity);
        self.clusters.push(Cluster { words: core.to_vec(), entity });
    }

    /// Names that begin or end with the same word.
    fn near<'a>(&'a self, core: &'a [String]) -> impl Iterator<Item = &'a Cluster> {
        let first = core.first().and_then(|word| self.by_first.get(word)).into_iter().flatten().take(NAMESAKES_MAX);
        let last = core.last().and_then(|word| self.by_last.get(word)).into_iter().flatten().take(NAMESAKES_MAX);
        first.chain(last).filter_map(|at| self.clusters.get(*at))
    }
}

/// The initials of a name of several words, with and without the small ones.
fn initials(words: &[String]) -> Vec<String> {
    let small = |word: &&String| !["of", "the", "for", "and", "on", "in", "de"].contains(&word.as_str());
    let first = |words: &mut dyn Iterator<Item = &String>| -> String {
        words.filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
    };
    let mut found = vec![first(&mut words.iter()), first(&mut words.iter().filter(small))];
    found.dedup();
    found.retain(|initials| words.len() > 1 && initials.chars().count() > 1);
    found
}

/// An acronym without its stops.
fn letters(acronym: &str) -> String {
    acronym.chars().filter(|c| c.is_alphanumeric()).collect()
}

impl Draft<'_> {
    /// Brings the names of the story together.
    pub(super) fn cluster(&mut self, names: &[Name]) {
        self.people(names);
        self.bodies(names);
        self.others(names);
    }

    fn kind_of(&self, name: &Name) -> MentionKind {
        let text = name.span.of(self.read.text);
        let is_short = text.chars().count() <= 8 && !text.contains(' ');
        let capitals = text.chars().filter(|c| c.is_uppercase()).count();
        let acronym =
            name.class == Class::Organisation && is_short && capitals > 1 && !text.contains(char::is_lowercase);
        if acronym { MentionKind::Acronym } else { MentionKind::Name }
    }

    pub(super) fn name(&mut self, entity: usize, name: &Name, kind: MentionKind) {
        self.add(entity, name.tokens.0, name.tokens.1, kind, name.confidence_percent);
    }

    fn bodies(&mut self, names: &[Name]) {
        let bodies: Vec<(&Name, Vec<String>)> = names
            .iter()
            .filter(|name| name.class == Class::Organisation)
            .map(|name| (name, folded(name.span.of(self.read.text))))
            .filter(|(_, words)| !words.is_empty())
            .collect();
        let mut known = Bodies::default();
        let mut order: Vec<usize> = (0..bodies.len()).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(bodies[*index].1.len()), *index));
        let ends: HashMap<u32, usize> = bodies.iter().enumerate().map(|(at, (name, _))| (name.tokens.1, at)).collect();
        let mut entity_of = vec![0; bodies.len()];
        for index in order {
            let (name, words) = &bodies[index];
            let core = without_ends(words);
            let same = known.by_core.get(core).copied();
            let entity = same.unwrap_or_else(|| {
                let near: Vec<&Cluster> = known.near(core).collect();
                self.compared += near.len();
                let longer = near.into_iter().filter(|cluster| is_short_for(core, &cluster.words));
                let mut fitting: Vec<usize> = longer.map(|cluster| cluster.entity).collect();
                if self.kind_of(name) == MentionKind::Acronym {
                    fitting.extend(known.by_initials.get(&letters(name.span.of(self.read.text))).into_iter().flatten());
                }
                fitting.sort_unstable();
                fitting.dedup();
                if let [team] = core
                    && fitting.is_empty()
                    && lexicon().organisation_kind(team) == Some("team")
                {
                    fitting = Self::teams_called(team, name, &bodies, &entity_of);
                }
                if let Some(long) = self.introduced(name, &bodies, &ends) {
                    fitting = vec![entity_of[long]];
                }
                if let [one] = fitting[..] {
                    one
                } else {
                    let text = name.span.of(self.read.text);
                    self.open(Entity::new(Class::Organisation, without_the(text).to_owned()))
                }
            });
            if same.is_none() {
                known.push(words, entity);
            }
            entity_of[index] = entity;
        }
        for ((name, _), entity) in bodies.iter().zip(entity_of) {
            let kind = self.kind_of(name);
            self.name(entity, name, kind);
            if kind == MentionKind::Acronym && self.list[entity].name.contains(' ') {
                let text = name.span.of(self.read.text);
                self.list[entity].acronym.get_or_insert_with(|| text.to_owned());
            }
        }
    }

    /// The teams named before whose names end in this word: "United" is the one "Port United" of the story.
    fn teams_called(team: &String, name: &Name, bodies: &[(&Name, Vec<String>)], entity_of: &[usize]) -> Vec<usize> {
        let longer = bodies.iter().zip(entity_of).filter(|((long, words), _)| {
            long.tokens.0 < name.tokens.0 && words.len() > 1 && words.last() == Some(team)
        });
        let mut found: Vec<usize> = longer.take(NAMESAKES_MAX).map(|(_, entity)| *entity).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The organisation that stands right before a bracket in which this name stands: "Port Workers (PW)".
    fn introduced(&self, name: &Name, bodies: &[(&Name, Vec<String>)], ends: &HashMap<u32, usize>) -> Option<usize> {
        let start =
            name.tokens.0.checked_sub(1).filter(|at| self.word(*at) == "(" && self.word(name.tokens.1) == ")")?;
        let index = ends.get(&start).copied().filter(|index| bodies[*index].1.len() > 1)?;
        let first: String = name.span.of(self.read.text).chars().take(1).flat_map(char::to_lowercase).collect();
        let fits = bodies[index].1.iter().any(|word| word.starts_with(&first));
        let is_acronym = self.kind_of(name) == MentionKind::Acronym;
        (fits && is_acronym).then_some(index)
    }

    fn others(&mut self, names: &[Name]) {
        let mut known: HashMap<(Class, String), usize> = HashMap::new();
        for name in names {
            let text = without_the(name.span.of(self.read.text));
            match name.class {
                Class::Person | Class::Organisation => {}
                Class::Place | Class::Group if self.national(name, text) => {}
                Class::Group => {
                    let (kind, shown) = Self::group(text);
                    let entity = *known
                        .entry((Class::Group, shown.to_lowercase()))
                        .or_insert_with(|| self.open(Entity::new(Class::Group, shown.to_owned())));
                    self.list[entity].kind = kind.or_else(|| self.is_family(text).then_some("family"));
                    let kind = if kind.is_some() && text != shown { MentionKind::Demonym } else { MentionKind::Name };
                    self.name(entity, name, kind);
                }
                class => {
                    let key = (class, folded(text).join(" "));
                    let entity = *known.entry(key).or_insert_with(|| self.open(Entity::new(class, text.to_owned())));
                    if text.chars().any(char::is_lowercase) && !self.list[entity].name.contains(char::is_lowercase) {
                        text.clone_into(&mut self.list[entity].name);
                    }
                    self.name(entity, name, MentionKind::Name);
                }
            }
        }
    }

    /// Country names and demonyms under the country's entry; whether the name was one.
    fn national(&mut self, name: &Name, text: &str) -> bool {
        let (country, kind) = if name.class == Class::Place {
            (countries::by_name(text), MentionKind::Name)
        } else {
            let by_demonym = countries::by_demonym(text).or_else(|| countries::by_demonym(&title_case(text)));
            by_demonym
                .map_or((countries::by_name(text), MentionKind::Name), |country| (Some(country), MentionKind::Demonym))
        };
        let Some(country) = country else { return false };
        let entity = self.country(country);
        self.name(entity, name, kind);
        true
    }

    /// Whether a plural is that of a family name: "the Hales".
    fn is_family(&self, text: &str) -> bool {
        folded(text).last().and_then(|word| word.strip_suffix('s')).is_some_and(|name| self.families.contains(name))
    }

    fn group(text: &str) -> (Option<&'static str>, &str) {
        lexicon().groups.get(text).map_or((None, text), |(kind, name)| (Some(kind), name))
    }
}

/// The country that a place's name is, or is the capital of.
pub(super) fn country_of(name: &str) -> Option<&'static Country> {
    countries::by_name(name).or_else(|| countries::by_capital(name))
}

fn title_case(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter();
    first.chain(chars.flat_map(char::to_lowercase)).collect()
}

fn without_the(name: &str) -> &str {
    name.strip_prefix("the ").or_else(|| name.strip_prefix("The ")).unwrap_or(name)
}

/// The words of a company without "Inc.".
fn without_ends(words: &[String]) -> &[String] {
    let mut words = words;
    while let [rest @ .., last] = words
        && !rest.is_empty()
        && COMPANY_ENDS.contains(&last.as_str())
    {
        words = rest;
    }
    words
}

/// Whether a name is the beginning or the end of a longer one and says something by itself.
fn is_short_for(short: &[String], long: &[String]) -> bool {
    let generic = |word: &String| lexicon().organisation_kind(word).is_some_and(|kind| kind != "news_agency");
    let says = !short.iter().all(generic) || short.len() > 1;
    let of = |word: Option<&String>| word.is_none_or(|word| !["of", "for", "and", "in"].contains(&word.as_str()));
    let begins = long.starts_with(short) && of(long.get(short.len()));
    let ends = long.ends_with(short) && long.len().checked_sub(short.len() + 1).is_some_and(|at| of(long.get(at)));
    short.len() < long.len() && says && (begins || ends)
}

/// Names whose class the rest of the story tells better: "Lavrentyev" where "Alexander Lavrentyev" is a person.
pub(super) fn mend(text: &str, tokens: &[Token], names: &[Name]) -> Vec<Name> {
    let mut votes: HashMap<String, [u32; 6]> = HashMap::new();
    let class_at = |class: Class| Class::ALL.iter().position(|known| *known == class).unwrap_or_default();
    let mut families: HashMap<String, u32> = HashMap::new();
    for name in names {
        let words = folded(name.span.of(text));
        votes.entry(words.join(" ")).or_default()[class_at(name.class)] += u32::from(name.confidence_percent);
        if name.class == Class::Person
            && words.len() > 1
            && let Some(last) = words.last()
        {
            *families.entry(last.clone()).or_default() += u32::from(name.confidence_percent);
        }
    }
    let names = joined_pet_names(text, names);
    let mended = names.iter().map(|name| {
        if let Some(state) = without_party(name, text, tokens) {
            return state;
        }
        let words = folded(name.span.of(text));
        let votes = votes.get(&words.join(" ")).copied().unwrap_or_default();
        let is_country = country_of(without_the(name.span.of(text))).is_some();
        if words.len() == 1 && name.class != Class::Person && name.class != Class::Group && !is_country {
            let person = votes[class_at(Class::Person)] + families.get(&words[0]).copied().unwrap_or_default();
            let at_place = in_place(text, name.span);
            if families.contains_key(&words[0]) && !at_place && person > 2 * votes[class_at(name.class)] {
                return Name { class: Class::Person, ..*name };
            }
        }
        if let [word] = &words[..]
            && let Some(family) = word.strip_suffix('s')
            && families.contains_key(family)
            && !families.contains_key(word)
            && !is_country
            && crate::text::until(text, name.span.start()).trim_end().to_lowercase().ends_with(" the")
                | name.span.of(text).to_lowercase().starts_with("the ")
        {
            return Name { class: Class::Group, ..*name };
        }
        *name
    });
    let mut mended: Vec<Name> = mended.collect();
    let towns: Vec<Name> = mended.iter_mut().filter_map(|name| cut_town(name, text, tokens)).collect();
    mended.extend(towns);
    let unseen = unseen_families(text, tokens, &mended, &families);
    mended.extend(unseen);
    let acronyms = acronyms(text, tokens, &mended);
    mended.extend(acronyms);
    mended.sort_by_key(|name| name.span.start);
    mended
}

/// The home town out of "Ada Lind of Port Regent", which becomes "Ada Lind"; "Joan of Arc" stays whole.
fn cut_town(name: &mut Name, text: &str, tokens: &[Token]) -> Option<Name> {
    if name.class != Class::Person {
        return None;
    }
    let (start, end) = name.tokens;
    let of = (start + 2..end.saturating_sub(1)).find(|at| word_at(text, tokens, *at) == "of")?;
    let (last, town, town_end) =
        (tokens.get(of as usize - 1)?, tokens.get(of as usize + 1)?, tokens.get(end as usize - 1)?);
    let person = Span { start: name.span.start, end: last.span.end };
    let named = lexicon().honorifics_in(&folded(person.of(text)));
    if folded(person.of(text)).len() - named < 2 {
        return None;
    }
    let span = Span { start: town.span.start, end: town_end.span.end };
    let place = Name { class: Class::Place, span, tokens: (of + 1, end), ..*name };
    (name.span, name.tokens) = (person, (start, of));
    Some(place)
}

fn word_at<'a>(text: &'a str, tokens: &[Token], at: u32) -> &'a str {
    tokens.get(at as usize).map_or("", |token| token.span.of(text))
}

/// How many letters an acronym may have.
const ACRONYM_LETTERS: std::ops::RangeInclusive<usize> = 2..=8;
/// How many acronyms of one story are taken up.
const ACRONYMS_MAX: usize = 200;

/// Acronyms that a story introduces beside the long form and that the names stage passed over, wherever they stand:
/// "Port Regent Transport (PRT)", "the Port Regent Transport, or PRT,".
fn acronyms(text: &str, tokens: &[Token], names: &[Name]) -> Vec<Name> {
    let mut introduced: HashMap<&str, u8> = HashMap::new();
    for name in names.iter().filter(|name| name.class == Class::Organisation) {
        let word = |by: u32| word_at(text, tokens, name.tokens.1 + by);
        let (("(", acronym, ")") | (",", "or", acronym)) = (word(0), word(1), word(2)) else { continue };
        let is_one = ACRONYM_LETTERS.contains(&acronym.len()) && acronym.bytes().all(|byte| byte.is_ascii_uppercase());
        let fits = || initials(&folded(name.span.of(text))).iter().any(|initials| initials == acronym);
        if is_one && introduced.len() < ACRONYMS_MAX && fits() {
            introduced.entry(acronym).or_insert(name.confidence_percent);
        }
    }
    if introduced.is_empty() {
        return Vec::new();
    }
    let mut is_named = vec![false; tokens.len()];
    for name in names {
        if let Some(within) = is_named.get_mut(name.tokens.0 as usize..name.tokens.1 as usize) {
            within.fill(true);
        }
    }
    let unseen = tokens.iter().zip(is_named).enumerate().filter(|(_, (_, is_named))| !is_named);
    let found = unseen.filter_map(|(at, (token, _))| {
        let confidence_percent = *introduced.get(token.span.of(text))?;
        let tokens = (at as u32, at as u32 + 1);
        Some(Name { span: token.span, class: Class::Organisation, confidence_percent, tokens })
    });
    found.collect()
}

/// "the Hales", where the names stage saw no name.
fn unseen_families(text: &str, tokens: &[Token], names: &[Name], families: &HashMap<String, u32>) -> Vec<Name> {
    let mut is_named = vec![false; tokens.len()];
    for name in names {
        if let Some(within) = is_named.get_mut(name.tokens.0 as usize..name.tokens.1 as usize) {
            within.fill(true);
        }
    }
    let begins_large = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let mut found = Vec::new();
    for (index, pair) in tokens.windows(2).enumerate() {
        let (word, at) = (pair[1].span.of(text), index + 1);
        let lower = word.to_lowercase();
        let is_family = lower.strip_suffix('s').is_some_and(|family| families.contains_key(family));
        let alone = tokens.get(at + 1).is_none_or(|next| !begins_large(next.span.of(text)));
        let the = pair[0].span.of(text).eq_ignore_ascii_case("the");
        if the && is_family && alone && begins_large(word) && !is_named[at] && !families.contains_key(&lower) {
            let tokens = (at as u32, at as u32 + 1);
            found.push(Name { span: pair[1].span, class: Class::Group, confidence_percent: 60, tokens });
        }
    }
    found
}

/// One name out of `William "Bill` and `Bill" Hale`: a pet name in quotation marks stands inside a name.
fn joined_pet_names(text: &str, names: &[Name]) -> Vec<Name> {
    let mut joined: Vec<Name> = Vec::with_capacity(names.len());
    for name in names {
        let closes = |rest: &str| rest.chars().skip(1).any(|c| matches!(c, '"' | '”'));
        if let Some(before) = joined.last_mut()
            && (before.class, name.class) == (Class::Person, Class::Person)
            && before.span.end <= name.span.start
            && matches!(Span::new(before.span.end(), name.span.start()).of(text).trim(), "\"" | "“")
            && closes(name.span.of(text))
        {
            before.span = before.span.cover(name.span);
            before.tokens.1 = name.tokens.1;
            before.confidence_percent = before.confidence_percent.max(name.confidence_percent);
        } else {
            joined.push(*name);
        }
    }
    joined
}

/// The state alone out of "R-Utah" and "D-Ohio", which say a party and a state.
fn without_party(name: &Name, text: &str, tokens: &[Token]) -> Option<Name> {
    let (start, end) = (name.tokens.0 as usize, name.tokens.1 as usize);
    let [party, hyphen, first, ..] = tokens.get(start..end)? else { return None };
    let is_party = matches!(party.span.of(text), "D" | "R" | "I") && matches!(hyphen.span.of(text), "-" | "–");
    let span = Span { start: first.span.start, end: name.span.end };
    is_party.then_some(Name { class: Class::Place, span, tokens: (name.tokens.0 + 2, name.tokens.1), ..*name })
}

/// Whether a preposition of place stands right before.
fn in_place(text: &str, span: Span) -> bool {
    let before = crate::text::until(text, span.start()).trim_end();
    let word = before.rsplit(' ').next().unwrap_or_default().to_lowercase();
    ["in", "near", "at", "outside", "to", "from", "of"].contains(&word.as_str())
}

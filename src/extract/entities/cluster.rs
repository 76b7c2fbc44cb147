//! Names that mean the same one, brought together.
//!
//! Long forms come first, wherever they stand; a short form joins the one long form that it fits,
//! and stands alone when it fits two.

use std::collections::HashMap;

use super::{Draft, Entity, MentionKind, lexicon::lexicon};
use crate::{
    extract::names::{Class, Mention as Name},
    gazetteer::countries::{self, Country},
    text::Span,
};

/// Particles that belong to the family name behind them.
const PARTICLES: [&str; 26] = [
    "al", "el", "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "bin", "ibn",
    "ben", "bint", "abu", "ter", "ten", "af", "zu", "mac", "st.",
];
/// What follows a family name and belongs to no name.
const SUFFIXES: [&str; 6] = ["jr", "jr.", "sr", "sr.", "ii", "iii"];
/// Words of a company's name that a short form leaves out.
const COMPANY_ENDS: [&str; 14] =
    ["inc", "inc.", "corp", "corp.", "co", "co.", "ltd", "ltd.", "plc", "llc", "ag", "sa", "group", "gmbh"];

/// The words of a name, folded for comparing.
fn folded(name: &str) -> Vec<String> {
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

/// A person's name in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    given: Vec<String>,
    family: Vec<String>,
}

/// Splits a full name; a name of one word is all family.
fn parts(words: &[String]) -> Parts {
    let mut words = words;
    while let [rest @ .., last] = words
        && !rest.is_empty()
        && SUFFIXES.contains(&last.as_str())
    {
        words = rest;
    }
    let mut split = words.len().saturating_sub(1);
    while split > 1 && PARTICLES.contains(&words[split - 1].as_str()) {
        split -= 1;
    }
    if split == 1 && words.len() > 2 && PARTICLES.contains(&words[0].as_str()) {
        split = 0;
    }
    let (given, family) = words.split_at(split);
    Parts { given: given.to_vec(), family: family.to_vec() }
}

/// The family name without its article: "al-sudani" and "sudani" are one.
fn bare(family: &[String]) -> String {
    let joined = family.join(" ");
    for article in ["al-", "el-", "al ", "el "] {
        if let Some(rest) = joined.strip_prefix(article) {
            return rest.to_owned();
        }
    }
    joined
}

/// Whether two given names can be one person's: the same, an initial, or one of them left out.
fn given_agree(a: &[String], b: &[String]) -> bool {
    let (Some(first), Some(other)) = (a.first(), b.first()) else { return true };
    let initial = |short: &str, long: &str| {
        let letters = short.trim_end_matches('.');
        letters.chars().count() == 1 && long.starts_with(letters)
    };
    if first != other && !initial(first, other) && !initial(other, first) {
        return false;
    }
    let (Some(second), Some(their_second)) = (a.get(1), b.get(1)) else { return true };
    second == their_second || initial(second, their_second) || initial(their_second, second)
}

/// A cluster of names of one class.
struct Cluster {
    words: Vec<String>,
    entity: usize,
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

    fn name(&mut self, entity: usize, name: &Name, kind: MentionKind) {
        self.add(entity, name.tokens.0, name.tokens.1, kind, name.confidence_percent);
    }

    fn people(&mut self, names: &[Name]) {
        let people: Vec<(&Name, Vec<String>)> = names
            .iter()
            .filter(|name| name.class == Class::Person)
            .map(|name| {
                let mut words = folded(name.span.of(self.read.text));
                while words.len() > 1 && lexicon().is_honorific(&words[0]) {
                    words.remove(0);
                }
                (name, words)
            })
            .filter(|(_, words)| !words.is_empty())
            .collect();
        let mut clusters: Vec<(Parts, usize)> = Vec::new();
        let mut entity_of: Vec<Option<usize>> = vec![None; people.len()];
        // Long forms, the longest first, so that a middle name is known before it is left out.
        let mut order: Vec<usize> = (0..people.len()).filter(|index| people[*index].1.len() > 1).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(people[*index].1.len()), *index));
        for index in order {
            let parts = parts(&people[index].1);
            let fits = |known: &Parts| {
                bare(&known.family) == bare(&parts.family)
                    && given_agree(&known.given, &parts.given)
                    && known.given.is_empty() == parts.given.is_empty()
            };
            // "von der Leyen" is a family name of three words.
            let is_family = |known: &Parts| !known.given.is_empty() && known.family == people[index].1;
            let mut fitting = clusters.iter().filter(|(known, _)| fits(known) || is_family(known));
            let entity = match (fitting.next(), fitting.next()) {
                (Some((_, entity)), None) => *entity,
                _ => self.person(people[index].0, &people[index].1, &mut clusters),
            };
            entity_of[index] = Some(entity);
        }
        self.families(&people, &mut clusters, &mut entity_of);
        for index in 0..people.len() {
            if entity_of[index].is_some() {
                continue;
            }
            let word = &people[index].1[0];
            let by_family: Vec<usize> = clusters
                .iter()
                .filter(|(parts, _)| {
                    bare(&parts.family) == bare(std::slice::from_ref(word)) || parts.family.last() == Some(word)
                })
                .map(|(_, entity)| *entity)
                .collect();
            let by_given = clusters.iter().filter(|(parts, _)| parts.given.first() == Some(word));
            let fitting = if by_family.is_empty() { by_given.map(|(_, entity)| *entity).collect() } else { by_family };
            let entity = self.choose(people[index].0, &fitting).filter(|_| !fitting.is_empty());
            entity_of[index] = Some(match entity {
                Some(entity) => entity,
                None => self.person(people[index].0, &people[index].1, &mut clusters),
            });
        }
        for ((name, _), entity) in people.iter().zip(entity_of) {
            if let Some(entity) = entity {
                self.name(entity, name, MentionKind::Name);
                self.honorific(entity, name);
            }
        }
    }

    /// One of several people whom a short form fits: the only one, or the only one of that honorific's gender.
    fn choose(&self, name: &Name, fitting: &[usize]) -> Option<usize> {
        if let [one] = fitting {
            return Some(*one);
        }
        let told = lexicon().honorific(self.before(name.tokens.0))?;
        let mut of_gender = fitting.iter().copied().filter(|entity| {
            let entity = &self.list[*entity];
            let given = entity.given.as_deref().unwrap_or_default().to_lowercase();
            let first = given.split(' ').next().unwrap_or_default();
            lexicon().given_names.get(first).is_some_and(|gender| *gender == told)
        });
        of_gender.next().filter(|_| of_gender.next().is_none())
    }

    fn person(&mut self, name: &Name, words: &[String], clusters: &mut Vec<(Parts, usize)>) -> usize {
        let parts = parts(words);
        let written: Vec<&str> = name.span.of(self.read.text).split_whitespace().collect();
        let written = written.get(written.len().saturating_sub(words.len())..).unwrap_or_default();
        let mut entity = Entity::new(Class::Person, written.join(" "));
        let shown = |range: std::ops::Range<usize>| written.get(range).map(|words| words.join(" "));
        let split = parts.given.len();
        if split > 0 && words.first().is_some_and(|first| first != "abu" && first != "umm") {
            entity.given = shown(0..split);
            entity.family = shown(split..split + parts.family.len());
        }
        let entity = self.open(entity);
        clusters.push((parts, entity));
        entity
    }

    /// "Bill and Hillary Clinton": the first has the second's family name.
    fn families(
        &mut self,
        people: &[(&Name, Vec<String>)],
        clusters: &mut Vec<(Parts, usize)>,
        entity_of: &mut [Option<usize>],
    ) {
        for index in 1..people.len() {
            let ((first, words), (second, full)) = (&people[index - 1], &people[index]);
            let adjoined = first.tokens.1 + 1 == second.tokens.0 && matches!(self.word(first.tokens.1), "and" | "&");
            let alone = words.len() == 1 && full.len() > 1 && lexicon().given_names.contains_key(words[0].as_str());
            if !adjoined || !alone || entity_of[index - 1].is_some() {
                continue;
            }
            let family = parts(full).family;
            let known = clusters
                .iter()
                .find(|(parts, _)| bare(&parts.family) == bare(&family) && parts.given.first() == Some(&words[0]));
            let entity = if let Some((_, entity)) = known {
                *entity
            } else {
                let shown: Vec<&str> = second.span.of(self.read.text).split_whitespace().collect();
                let family_shown = shown.get(shown.len().saturating_sub(family.len())..).unwrap_or_default().join(" ");
                let given = first.span.of(self.read.text).to_owned();
                let mut entity = Entity::new(Class::Person, format!("{given} {family_shown}"));
                (entity.given, entity.family) = (Some(given), Some(family_shown));
                let entity = self.open(entity);
                clusters.push((Parts { given: words.clone(), family }, entity));
                entity
            };
            entity_of[index - 1] = Some(entity);
        }
    }

    fn honorific(&mut self, entity: usize, name: &Name) {
        let first = name.span.of(self.read.text).split_whitespace().next().unwrap_or_default();
        let told = [self.before(name.tokens.0), first].into_iter().find_map(|word| lexicon().honorific(word));
        if let (Some(told), Some(entity)) = (told, self.list.get_mut(entity)) {
            entity.gender.get_or_insert((told, super::Basis::Honorific));
        }
    }

    fn bodies(&mut self, names: &[Name]) {
        let bodies: Vec<(&Name, Vec<String>)> = names
            .iter()
            .filter(|name| name.class == Class::Organisation)
            .map(|name| (name, folded(name.span.of(self.read.text))))
            .filter(|(_, words)| !words.is_empty())
            .collect();
        let mut clusters: Vec<Cluster> = Vec::new();
        let mut order: Vec<usize> = (0..bodies.len()).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(bodies[*index].1.len()), *index));
        let mut entity_of = vec![0; bodies.len()];
        for index in order {
            let (name, words) = &bodies[index];
            let core = without_ends(words);
            let same = clusters.iter().find(|cluster| cluster.words == *words || without_ends(&cluster.words) == core);
            let entity = if let Some(cluster) = same {
                cluster.entity
            } else {
                let mut fitting: Vec<usize> = clusters
                    .iter()
                    .filter(|cluster| {
                        is_short_for(core, without_ends(&cluster.words)) || self.is_acronym_of(name, &cluster.words)
                    })
                    .map(|cluster| cluster.entity)
                    .collect();
                fitting.dedup();
                if let Some(long) = self.introduced(name, &bodies, &entity_of) {
                    fitting = vec![long];
                }
                if let [one] = fitting[..] {
                    one
                } else {
                    let text = name.span.of(self.read.text);
                    self.open(Entity::new(Class::Organisation, without_the(text).to_owned()))
                }
            };
            clusters.push(Cluster { words: words.clone(), entity });
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

    /// The organisation that stands right before a bracket in which this name stands: "Port Workers (PW)".
    fn introduced(&self, name: &Name, bodies: &[(&Name, Vec<String>)], entity_of: &[usize]) -> Option<usize> {
        let start =
            name.tokens.0.checked_sub(1).filter(|at| self.word(*at) == "(" && self.word(name.tokens.1) == ")")?;
        let index = bodies.iter().position(|(long, words)| long.tokens.1 == start && words.len() > 1)?;
        let text = name.span.of(self.read.text);
        let first = text.chars().next()?;
        let fits = bodies[index].1.iter().any(|word| word.starts_with(&first.to_lowercase().to_string()));
        let is_acronym = self.kind_of(name) == MentionKind::Acronym;
        (fits && is_acronym).then(|| entity_of[index])
    }

    /// Whether a name is the initials of longer words, with or without the small ones.
    fn is_acronym_of(&self, name: &Name, words: &[String]) -> bool {
        let text: String = name.span.of(self.read.text).chars().filter(|c| c.is_alphanumeric()).collect();
        if words.len() < 2 || text.chars().count() < 2 || self.kind_of(name) != MentionKind::Acronym {
            return false;
        }
        let initials = |words: &mut dyn Iterator<Item = &String>| -> String {
            words.filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
        };
        let small = |word: &&String| !["of", "the", "for", "and", "on", "in", "de"].contains(&word.as_str());
        initials(&mut words.iter()) == text || initials(&mut words.iter().filter(small)) == text
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
                    self.list[entity].kind = kind;
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
pub(super) fn mend(text: &str, names: &[Name]) -> Vec<Name> {
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
    let mended = names.iter().map(|name| {
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
        *name
    });
    mended.collect()
}

/// Whether a preposition of place stands right before.
fn in_place(text: &str, span: Span) -> bool {
    let before = crate::text::until(text, span.start()).trim_end();
    let word = before.rsplit(' ').next().unwrap_or_default().to_lowercase();
    ["in", "near", "at", "outside", "to", "from", "of"].contains(&word.as_str())
}

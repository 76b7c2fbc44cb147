//! Names of people, brought together: long forms first, then what is short for them.
//!
//! ```text
//! William "Bill" Hale … Bill Hale … Hale … the Hales
//! ^^^^^^^^^^^^^^^^^^^   ^^^^^^^^^   ^^^^ one person   ^^^^^ the family, a group
//! ```
//!
//! A pet name joins only a person of the same family name, and only where nothing speaks against it: not where the
//! story names both in one breath, and not where one is "Jr.".
//!
//! A family name that two people bear means the one whose gender an honorific or a pronoun tells; the one who alone was
//! named before it; or the first who was named, where the story keeps the full name for the others. Else it joins
//! neither: all such mentions stand in one entry of their own, which the record tells as doubtful.
//! A short form that the names stage did not see is taken up where a single person has that family name.

use std::collections::{HashMap, HashSet};

use super::{Draft, Entity, Gender, MentionKind, cluster::folded, lexicon::lexicon};
use crate::{
    extract::names::{Class, Mention as Name},
    model::tagger::Upos,
};

/// Particles that belong to the family name behind them.
const PARTICLES: [&str; 26] = [
    "al", "el", "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "bin", "ibn",
    "ben", "bint", "abu", "ter", "ten", "af", "zu", "mac", "st.",
];
/// What follows a family name and tells father from son.
const SUFFIXES: [&str; 6] = ["jr", "jr.", "sr", "sr.", "ii", "iii"];
/// How many people of one family name are compared with a new name.
const NAMESAKES_MAX: usize = 50;
/// How sure a short form that could be several people's is of whom it means, at most.
const SHARED_PERCENT_MAX: u8 = 50;
/// How short a family name may be that is taken up without the names stage.
const RECOVERED_CHARS_MIN: usize = 3;

/// A person's name in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parts {
    given: Vec<String>,
    family: Vec<String>,
    /// "jr", without the stop.
    suffix: Option<String>,
    /// A pet name that the story gives in quotation marks.
    pet: Option<String>,
}

/// Splits a full name; a name of one word is all family.
fn parts(words: &[String]) -> Parts {
    let mut words = words;
    let mut suffix = None;
    while let [rest @ .., last] = words
        && !rest.is_empty()
        && SUFFIXES.contains(&last.as_str())
    {
        suffix = Some(last.trim_end_matches('.').to_owned());
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
    Parts { given: given.to_vec(), family: family.to_vec(), suffix, pet: None }
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

/// Whether a word is no more than an initial.
fn is_initial(word: &str) -> bool {
    word.trim_end_matches('.').chars().count() == 1
}

/// Whether one word is the initial of the other.
fn is_initial_of(short: &str, long: &str) -> bool {
    is_initial(short) && long.starts_with(short.trim_end_matches('.'))
}

/// Whether two given names can be one person's: the same, an initial, or one of them left out.
fn given_agree(a: &[String], b: &[String]) -> bool {
    let (Some(first), Some(other)) = (a.first(), b.first()) else { return true };
    // "J. Robert" is called "Robert".
    let called = |long: &[String], short: &String| long.len() > 1 && is_initial(&long[0]) && long[1] == *short;
    if called(a, other) || called(b, first) {
        return true;
    }
    if first != other && !is_initial_of(first, other) && !is_initial_of(other, first) {
        return false;
    }
    seconds_agree(a, b)
}

/// Whether middle names, where both are told, are the same or an initial of each other.
fn seconds_agree(a: &[String], b: &[String]) -> bool {
    let (Some(second), Some(their_second)) = (a.get(1), b.get(1)) else { return true };
    second == their_second || is_initial_of(second, their_second) || is_initial_of(their_second, second)
}

impl Parts {
    fn suffixes_agree(&self, other: &Self) -> bool {
        self.suffix.is_none() || other.suffix.is_none() || self.suffix == other.suffix
    }

    /// Whether both can be one person's, by the names themselves.
    fn fits(&self, other: &Self) -> bool {
        bare(&self.family) == bare(&other.family)
            && given_agree(&self.given, &other.given)
            && self.given.is_empty() == other.given.is_empty()
            && self.suffixes_agree(other)
    }

    /// Whether one is called by the other's pet name.
    fn fits_as_pet(&self, other: &Self) -> bool {
        let (Some(first), Some(their_first)) = (self.given.first(), other.given.first()) else { return false };
        let told = self.pet.as_ref() == Some(their_first) || other.pet.as_ref() == Some(first);
        bare(&self.family) == bare(&other.family)
            && self.suffixes_agree(other)
            && (told || lexicon().is_pet_name(first, their_first) && seconds_agree(&self.given, &other.given))
    }
}

/// The people so far, and where to look for a name.
#[derive(Default)]
struct People {
    clusters: Vec<(Parts, usize)>,
    by_family: HashMap<String, Vec<usize>>,
    by_last: HashMap<String, Vec<usize>>,
    by_given: HashMap<String, Vec<usize>>,
    by_whole_family: HashMap<String, Vec<usize>>,
}

impl People {
    fn push(&mut self, parts: Parts, entity: usize) {
        let at = self.clusters.len();
        self.by_family.entry(bare(&parts.family)).or_default().push(at);
        if let Some(last) = parts.family.last() {
            self.by_last.entry(last.clone()).or_default().push(at);
        }
        for given in parts.given.first().into_iter().chain(&parts.pet) {
            self.by_given.entry(given.clone()).or_default().push(at);
        }
        if !parts.given.is_empty() {
            self.by_whole_family.entry(parts.family.join(" ")).or_default().push(at);
        }
        self.clusters.push((parts, entity));
    }

    /// The first few clusters under a key of one of the indices.
    fn under<'a>(
        &'a self,
        index: &'a HashMap<String, Vec<usize>>,
        key: &str,
    ) -> impl Iterator<Item = &'a (Parts, usize)> + use<'a> {
        let found = index.get(key).map_or(&[][..], Vec::as_slice);
        found.iter().take(NAMESAKES_MAX).filter_map(|at| self.clusters.get(*at))
    }
}

/// A name with its words, folded, without honorifics, and the pet name in it.
struct Person<'a> {
    name: &'a Name,
    words: Vec<String>,
    pet: Option<String>,
}

/// A short form that fits several people, by the word for the family.
pub(super) struct Namesake {
    pub(super) name: Name,
    word: String,
    pub(super) fitting: Vec<usize>,
}

const MARKS: [char; 4] = ['"', '“', '”', '„'];

impl Draft<'_> {
    pub(super) fn people(&mut self, names: &[Name]) {
        let people: Vec<Person<'_>> = names
            .iter()
            .filter(|name| name.class == Class::Person)
            .map(|name| {
                let text = name.span.of(self.read.text);
                let pet = text.split_whitespace().skip(1).find(|word| word.starts_with(MARKS) && word.ends_with(MARKS));
                let kept: Vec<&str> = text.split_whitespace().filter(|word| Some(*word) != pet).collect();
                let mut words = folded(&kept.join(" "));
                words.drain(..lexicon().honorifics_in(&words));
                Person { name, words, pet: pet.map(|pet| pet.trim_matches(MARKS).to_lowercase()) }
            })
            .filter(|person| !person.words.is_empty())
            .collect();
        let mut known = People::default();
        let mut entity_of: Vec<Option<usize>> = vec![None; people.len()];
        self.long_forms(&people, &mut known, &mut entity_of);
        self.couples(&people, &mut known, &mut entity_of);
        let mut bearers: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, entity) in entity_of.iter().enumerate() {
            bearers.entry(entity.unwrap_or(usize::MAX)).or_default().push(index);
        }
        for index in 0..people.len() {
            if entity_of[index].is_some() {
                continue;
            }
            let word = &people[index].words[0];
            let family = known.under(&known.by_family, &bare(std::slice::from_ref(word)));
            let mut fitting: Vec<usize> =
                family.chain(known.under(&known.by_last, word)).map(|(_, entity)| *entity).collect();
            if fitting.is_empty() {
                fitting = known.under(&known.by_given, word).map(|(_, entity)| *entity).collect();
            }
            self.compared += fitting.len();
            fitting.sort_unstable();
            fitting.dedup();
            entity_of[index] = match (self.choose(people[index].name, index, &fitting, &bearers), fitting.is_empty()) {
                (Some(entity), _) => Some(entity),
                (None, true) => Some(self.person(&people[index], &mut known)),
                (None, false) => {
                    let word = word.clone();
                    self.namesakes.push(Namesake { name: *people[index].name, word, fitting });
                    None
                }
            };
        }
        for (person, entity) in people.iter().zip(entity_of) {
            if let Some(entity) = entity {
                self.name(entity, person.name, MentionKind::Name);
                self.honorific(entity, person.name);
            }
        }
        self.families = known.by_last.keys().cloned().collect();
        self.unseen(&known, names);
    }

    /// Long forms, the longest first, so that a middle name is known before it is left out.
    fn long_forms(&mut self, people: &[Person<'_>], known: &mut People, entity_of: &mut [Option<usize>]) {
        let mut order: Vec<usize> = (0..people.len()).filter(|index| people[*index].words.len() > 1).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(people[*index].words.len()), *index));
        let beside = self.named_in_one_breath(people);
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for index in order {
            let person = &people[index];
            let parts = Parts { pet: person.pet.clone(), ..parts(&person.words) };
            let near: Vec<&(Parts, usize)> = known.under(&known.by_family, &bare(&parts.family)).collect();
            // "von der Leyen" is a family name of three words.
            let whole = known.under(&known.by_whole_family, &person.words.join(" "));
            let by_name = near.iter().copied().filter(|(other, _)| other.fits(&parts)).chain(whole);
            let mut fitting: Vec<usize> = by_name.map(|(_, entity)| *entity).collect();
            if fitting.is_empty() {
                let by_pet = near.iter().filter(|(other, entity)| {
                    let together = members.get(entity).into_iter().flatten();
                    other.fits_as_pet(&parts)
                        && !together.clone().any(|member| beside.contains(&(*member.min(&index), *member.max(&index))))
                });
                fitting = by_pet.map(|(_, entity)| *entity).collect();
            }
            self.compared += near.len();
            fitting.sort_unstable();
            fitting.dedup();
            let entity = match fitting[..] {
                [one] => one,
                _ => self.person(person, known),
            };
            members.entry(entity).or_default().push(index);
            entity_of[index] = Some(entity);
        }
    }

    /// Pairs of names with "and" or a comma between: two people, whatever they are called.
    fn named_in_one_breath(&self, people: &[Person<'_>]) -> HashSet<(usize, usize)> {
        let joined = |at: &usize| {
            let (first, second) = (people[*at].name, people[*at + 1].name);
            first.tokens.1 + 1 == second.tokens.0 && matches!(self.word(first.tokens.1), "and" | "&" | "," | "or")
        };
        (0..people.len().saturating_sub(1)).filter(joined).map(|at| (at, at + 1)).collect()
    }

    /// One of several people whom a short form fits: the only one; the only one of that honorific's gender; the only one
    /// named so far; or the first of them, where the story goes on to call the others by their full names alone.
    fn choose(
        &self,
        name: &Name,
        index: usize,
        fitting: &[usize],
        bearers: &HashMap<usize, Vec<usize>>,
    ) -> Option<usize> {
        if let [one] = fitting {
            return Some(*one);
        }
        if let Some(told) = self.honorific_of(name) {
            return self.only_of_gender(fitting, told);
        }
        let named = |entity: usize| bearers.get(&entity).map_or(&[][..], Vec::as_slice);
        let first_of = |entity: usize| named(entity).first().copied().filter(|first| *first < index);
        let mut before: Vec<(usize, usize)> =
            fitting.iter().filter_map(|entity| Some((first_of(*entity)?, *entity))).collect();
        before.sort_unstable();
        match before[..] {
            [] => None,
            [(_, one)] => Some(one),
            [(_, first), (second, _), ..] => {
                let is_short = named(first).iter().all(|at| *at < second);
                let others_are_long = before.iter().skip(1).all(|(_, other)| named(*other).len() > 1);
                (is_short && others_are_long).then_some(first)
            }
        }
    }

    /// The one of several people who is of a gender, or whom the others leave over by being of the other one.
    pub(super) fn only_of_gender(&self, fitting: &[usize], told: Gender) -> Option<usize> {
        let of = |wanted: &dyn Fn(Option<Gender>) -> bool| {
            let mut found = fitting.iter().copied().filter(|entity| wanted(self.gender_of(*entity)));
            found.next().filter(|_| found.next().is_none())
        };
        let is_told = fitting.iter().any(|entity| self.gender_of(*entity) == Some(told));
        if is_told { of(&|gender| gender == Some(told)) } else { of(&|gender| gender.is_none()) }
    }

    /// The gender that the story or the given name tells of a person.
    fn gender_of(&self, entity: usize) -> Option<Gender> {
        let entity = self.list.get(entity)?;
        let given = entity.given.as_deref().unwrap_or_default().to_lowercase();
        let first = given.split([' ', '-']).next().unwrap_or_default();
        entity.gender.map(|(gender, _)| gender).or_else(|| lexicon().given_names.get(first).copied())
    }

    /// The gender that the honorific before a name, or at its head, tells.
    fn honorific_of(&self, name: &Name) -> Option<Gender> {
        let first = name.span.of(self.read.text).split_whitespace().next().unwrap_or_default();
        [self.before(name.tokens.0), first].into_iter().find_map(|word| lexicon().honorific(word))
    }

    /// Short forms that could be several people's: whom a pronoun tells, else one entry for all of a name.
    pub(super) fn namesakes(&mut self) {
        let waiting = std::mem::take(&mut self.namesakes);
        let mut shared: HashMap<String, usize> = HashMap::new();
        for namesake in waiting {
            let gender = self.pronoun_of(&namesake.name).or_else(|| self.honorific_of(&namesake.name));
            let one = gender.and_then(|gender| self.only_of_gender(&namesake.fitting, gender));
            let text = namesake.name.span.of(self.read.text);
            let entity = one.unwrap_or_else(|| {
                *shared.entry(namesake.word).or_insert_with(|| {
                    let shown = text.split_whitespace().next_back().unwrap_or(text);
                    let mut entity = Entity::new(Class::Person, shown.to_owned());
                    entity.is_shared = true;
                    self.open(entity)
                })
            });
            let percent = namesake.name.confidence_percent;
            let percent = if one.is_some() { percent } else { percent.min(SHARED_PERCENT_MAX) };
            self.name(entity, &Name { confidence_percent: percent, ..namesake.name }, MentionKind::Name);
        }
    }

    fn person(&mut self, person: &Person<'_>, known: &mut People) -> usize {
        let words = &person.words;
        let parts = Parts { pet: person.pet.clone(), ..parts(words) };
        let text = person.name.span.of(self.read.text);
        let is_pet = |word: &str| word.starts_with(MARKS) && word.ends_with(MARKS);
        let written: Vec<&str> = text.split_whitespace().filter(|w| person.pet.is_none() || !is_pet(w)).collect();
        let written = written.get(written.len().saturating_sub(words.len())..).unwrap_or_default();
        let mut entity = Entity::new(Class::Person, written.join(" "));
        let shown = |range: std::ops::Range<usize>| written.get(range).map(|words| words.join(" "));
        let split = parts.given.len();
        if split > 0 && words.first().is_some_and(|first| first != "abu" && first != "umm") {
            entity.given = shown(0..split);
            entity.family = shown(split..split + parts.family.len());
        }
        let entity = self.open(entity);
        known.push(parts, entity);
        entity
    }

    /// "Bill and Hillary Clinton": the first has the second's family name.
    fn couples(&mut self, people: &[Person<'_>], known: &mut People, entity_of: &mut [Option<usize>]) {
        for index in 1..people.len() {
            let (first, second) = (&people[index - 1], &people[index]);
            let adjoined = first.name.tokens.1 + 1 == second.name.tokens.0
                && matches!(self.word(first.name.tokens.1), "and" | "&");
            let alone = first.words.len() == 1
                && second.words.len() > 1
                && lexicon().given_names.contains_key(first.words[0].as_str());
            if !adjoined || !alone || entity_of[index - 1].is_some() {
                continue;
            }
            let family = parts(&second.words).family;
            let same = known
                .under(&known.by_family, &bare(&family))
                .find(|(parts, _)| parts.given.first() == Some(&first.words[0]))
                .map(|(_, entity)| *entity);
            let entity = same.unwrap_or_else(|| {
                let shown: Vec<&str> = second.name.span.of(self.read.text).split_whitespace().collect();
                let family_shown = shown.get(shown.len().saturating_sub(family.len())..).unwrap_or_default().join(" ");
                let given = first.name.span.of(self.read.text).to_owned();
                let mut entity = Entity::new(Class::Person, format!("{given} {family_shown}"));
                (entity.given, entity.family) = (Some(given), Some(family_shown));
                let entity = self.open(entity);
                known.push(Parts { given: first.words.clone(), family, ..Parts::default() }, entity);
                entity
            });
            entity_of[index - 1] = Some(entity);
        }
    }

    fn honorific(&mut self, entity: usize, name: &Name) {
        let told = self.honorific_of(name);
        if let (Some(told), Some(entity)) = (told, self.list.get_mut(entity)) {
            entity.gender.get_or_insert((told, super::Basis::Honorific));
        }
    }

    /// Family names of one person that the names stage passed over: a proper noun that stands alone.
    fn unseen(&mut self, known: &People, names: &[Name]) {
        let mut is_named = vec![false; self.words.len()];
        for name in names {
            if let Some(within) = is_named.get_mut(name.tokens.0 as usize..name.tokens.1 as usize) {
                within.fill(true);
            }
        }
        for at in 0..self.words.len() as u32 {
            let word = self.word(at);
            let begins_large = word.chars().next().is_some_and(char::is_uppercase);
            let is_long = word.chars().count() >= RECOVERED_CHARS_MIN;
            if is_named[at as usize] || !begins_large || !is_long || self.upos(at) != Upos::Propn {
                continue;
            }
            let is_name = |at: u32| self.word(at).chars().next().is_some_and(char::is_uppercase);
            let beside = at.checked_sub(1).filter(|_| !self.before(at).is_empty()).is_some_and(|before| {
                is_name(before)
                    || matches!(self.word(before).to_lowercase().as_str(), "in" | "near" | "at" | "from" | "the" | "-")
            });
            if beside || is_name(at + 1) || matches!(self.word(at + 1), "-" | "&") {
                continue;
            }
            let lower = word.to_lowercase();
            let mut found = known.under(&known.by_last, &lower).filter(|(parts, _)| !parts.given.is_empty());
            if let (Some((_, entity)), None) = (found.next(), found.next()) {
                self.add(*entity, at, at + 1, MentionKind::Name, 60);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Parts {
        parts(&folded(name))
    }

    #[test]
    fn initials_and_pet_names_agree_and_juniors_do_not() {
        assert!(split("J. Robert Mayhew").fits(&split("Robert Mayhew")));
        assert!(!split("Jan Robert Mayhew").fits(&split("Robert Mayhew")));
        assert!(split("William Hale").fits_as_pet(&split("Bill Hale")));
        assert!(!split("William Hale").fits_as_pet(&split("Bill Stone")));
        assert!(!split("William Hale Sr.").fits_as_pet(&split("Bill Hale Jr.")));
        assert!(!split("Martin Vogt Sr.").fits(&split("Martin Vogt Jr.")));
        assert!(split("Mohammed al-Sudani").fits(&split("Mohammed Sudani")));
    }
}

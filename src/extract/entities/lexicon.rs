//! Word lists of the stage, read once from `data/lexicon`.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::Gender;

/// What the lists say.
pub(super) struct Lexicon {
    /// Honorifics, with the gender that they tell.
    pub(super) honorifics: HashMap<&'static str, Option<Gender>>,
    /// Words that make one rank with the honorific behind them: "Rear Adm."
    ranks: HashSet<&'static str>,
    /// Role nouns in the singular, with their class.
    pub(super) roles: HashMap<&'static str, RoleClass>,
    /// Nouns for bodies, with the kind of body.
    pub(super) bodies: HashMap<&'static str, &'static str>,
    /// Words in names of organisations, with the line that they stand on.
    organisation_words: HashMap<&'static str, usize>,
    organisation_kinds: Vec<&'static str>,
    agencies: HashSet<String>,
    /// Forms of groups: kind and name.
    pub(super) groups: HashMap<&'static str, (&'static str, &'static str)>,
    /// Buildings that stand for a government: name → alpha-2 code.
    pub(super) seats: HashMap<&'static str, &'static str>,
    /// Lemmas of verbs of deciding and speaking.
    pub(super) acts: HashSet<&'static str>,
    /// Nouns for occasions.
    pub(super) events: HashSet<&'static str>,
    /// Pet names, with the names that they stand for.
    pet_names: HashMap<&'static str, Vec<&'static str>>,
    /// Places that stand for a body which is no country's, with the body's name.
    pub(super) houses: HashMap<&'static str, &'static str>,
    /// Given names that are nearly always one gender's.
    pub(super) given_names: HashMap<&'static str, Gender>,
}

/// What a role is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoleClass {
    /// The office of which a state has one.
    Country,
    /// A public office.
    Office,
    /// A rank.
    Force,
    /// Other work.
    Work,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(read);

/// The lists.
pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

/// Lines as `(key, rest)`.
fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let kept = file.lines().filter(|line| !line.starts_with('#'));
    kept.filter_map(|line| line.split_once(':')).map(|(key, rest)| (key.trim(), rest.trim()))
}

fn gender(key: &str) -> Option<Gender> {
    match key {
        "male" => Some(Gender::Male),
        "female" => Some(Gender::Female),
        _ => None,
    }
}

/// Kinds of reporting verbs whose subject decides or speaks; a study shows and a town sees much as well.
const ACTING: [&str; 7] = ["say", "ask", "deny", "promise", "threaten", "want", "judge"];
/// Reporting verbs with another sense for which a place is often the subject: "Paris continues to draw crowds".
const OTHER_SENSES: [&str; 6] = ["continue", "post", "echo", "celebrate", "wish", "long"];

/// Verbs of the list of reporting verbs whose subject acts.
fn cue_verbs() -> impl Iterator<Item = &'static str> {
    let all = lines(include_str!("../../../data/lexicon/cue_verbs.txt"));
    let acting = all.filter(|(key, _)| key.split(' ').next().is_some_and(|kind| ACTING.contains(&kind)));
    acting.flat_map(|(_, verbs)| verbs.split_whitespace()).filter(|verb| !OTHER_SENSES.contains(verb))
}

fn read() -> Lexicon {
    let mut honorifics = HashMap::new();
    let mut ranks = HashSet::new();
    for (key, words) in lines(include_str!("../../../data/lexicon/honorifics.txt")) {
        if key == "before" {
            ranks.extend(words.split_whitespace());
            continue;
        }
        honorifics.extend(words.split_whitespace().map(|word| (word, gender(key))));
    }
    let mut roles = HashMap::new();
    for (key, words) in lines(include_str!("../../../data/lexicon/roles.txt")) {
        let class = match key {
            "country" => RoleClass::Country,
            "office" => RoleClass::Office,
            "force" => RoleClass::Force,
            _ => RoleClass::Work,
        };
        for word in words.split_whitespace() {
            roles.entry(word).or_insert(class);
        }
    }
    let mut bodies = HashMap::new();
    for (kind, words) in lines(include_str!("../../../data/lexicon/bodies.txt")) {
        bodies.extend(words.split_whitespace().map(|word| (word, kind)));
    }
    let (mut organisation_words, mut organisation_kinds) = (HashMap::new(), Vec::new());
    for (kind, words) in lines(include_str!("../../../data/lexicon/organisation_types.txt")) {
        for word in words.split_whitespace() {
            organisation_words.entry(word).or_insert(organisation_kinds.len());
        }
        organisation_kinds.push(kind);
    }
    let mut groups = HashMap::new();
    for (kind, forms) in lines(include_str!("../../../data/lexicon/groups.txt")) {
        let forms: Vec<&str> = forms.split(", ").collect();
        let Some(name) = forms.first().copied() else { continue };
        groups.extend(forms.into_iter().map(|form| (form, (kind, name))));
    }
    let mut pet_names: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, pets) in lines(include_str!("../../../data/lexicon/nicknames.txt")) {
        for pet in pets.split_whitespace() {
            pet_names.entry(pet).or_default().push(name);
        }
    }
    let (mut seats, mut houses, mut acts) = (HashMap::new(), HashMap::new(), HashSet::new());
    for (key, rest) in lines(include_str!("../../../data/lexicon/metonyms.txt")) {
        match (key, rest.split_once(" = ")) {
            ("seat", Some((name, country))) => drop(seats.insert(name, country)),
            ("house", Some((name, body))) => drop(houses.insert(name, body)),
            _ => acts.extend(rest.split_whitespace()),
        }
    }
    acts.extend(cue_verbs());
    let events = include_str!("../../../data/lexicon/events.txt").lines().filter(|line| !line.starts_with('#'));
    let mut given_names = HashMap::new();
    for (key, names) in lines(include_str!("../../../data/lexicon/given_names.txt")) {
        given_names
            .extend(gender(key).into_iter().flat_map(|gender| names.split_whitespace().map(move |n| (n, gender))));
    }
    let agencies = include_str!("../../../data/lexicon/agencies.txt").lines().filter(|line| !line.starts_with('#'));
    Lexicon {
        honorifics,
        ranks,
        roles,
        bodies,
        organisation_words,
        organisation_kinds,
        agencies: agencies.map(str::to_lowercase).collect(),
        groups,
        seats,
        pet_names,
        houses,
        acts,
        events: events.flat_map(str::split_whitespace).collect(),
        given_names,
    }
}

/// Words of a phrase in a name that tells its kind; in the list a hyphen stands between them.
const PHRASE_WORDS_MAX: usize = 4;

impl Lexicon {
    /// The kind of an organisation, by the words of its name.
    pub(super) fn organisation_kind(&self, name: &str) -> Option<&'static str> {
        let lower = name.to_lowercase();
        if self.agencies.contains(&lower) {
            return Some("news_agency");
        }
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let known = |phrase: &[&str]| match phrase {
            [word] => self.organisation_words.get(*word),
            words => self.organisation_words.get(words.join("-").as_str()),
        };
        let line = (1..=PHRASE_WORDS_MAX).flat_map(|length| words.windows(length)).filter_map(known).min()?;
        self.organisation_kinds.get(*line).copied()
    }

    /// The class of a role noun, singular or plural, in any case; also "Foreign Minister-designate".
    pub(super) fn role(&self, word: &str) -> Option<RoleClass> {
        let lower = word.to_lowercase();
        let lower = lower.as_str();
        let singular = [lower.strip_suffix('s'), lower.strip_suffix("es"), lower.strip_suffix("men")];
        let found =
            self.roles.get(lower).or_else(|| singular.into_iter().flatten().find_map(|word| self.roles.get(word)));
        found.copied()
    }

    /// Whether the word is a role noun in the plural alone.
    pub(super) fn is_plural_role(&self, word: &str) -> bool {
        let lower = word.to_lowercase();
        !self.roles.contains_key(lower.as_str()) && self.role(&lower).is_some()
    }

    /// Whether one of two given names is the other's pet name.
    pub(super) fn is_pet_name(&self, a: &str, b: &str) -> bool {
        let stands_for = |pet: &str, name: &str| self.pet_names.get(pet).is_some_and(|names| names.contains(&name));
        stands_for(a, b) || stands_for(b, a)
    }

    /// Whether a word is an honorific.
    pub(super) fn is_honorific(&self, word: &str) -> bool {
        self.honorifics.contains_key(word.trim_end_matches('.').to_lowercase().as_str())
    }

    /// How many words at the head of a name are honorifics and ranks, not counting the last word of all.
    pub(super) fn honorifics_in(&self, words: &[String]) -> usize {
        let mut count = 0;
        while count + 1 < words.len() {
            let rank = self.ranks.contains(words[count].trim_end_matches('.'));
            if self.is_honorific(&words[count]) {
                count += 1;
            } else if rank && count + 2 < words.len() && self.is_honorific(&words[count + 1]) {
                count += 2;
            } else {
                break;
            }
        }
        count
    }

    /// The gender that an honorific tells.
    pub(super) fn honorific(&self, word: &str) -> Option<Gender> {
        self.honorifics.get(word.trim_end_matches('.').to_lowercase().as_str()).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_read() {
        let lists = lexicon();
        assert_eq!(lists.honorific("Mrs."), Some(Gender::Female));
        assert!(lists.is_honorific("Dr") && lists.honorific("Dr").is_none());
        assert_eq!(lists.role("Ministers"), Some(RoleClass::Office));
        assert!(lists.is_plural_role("Ministers") && !lists.is_plural_role("minister"));
        assert_eq!(lists.organisation_kind("Ministry of Transport"), Some("government"));
        assert_eq!(lists.organisation_kind("Reuters"), Some("news_agency"));
        assert_eq!(lists.groups.get("Kurdish"), Some(&("ethnic", "Kurds")));
        assert_eq!(lists.seats.get("Kremlin"), Some(&"RU"));
        assert_eq!(lists.houses.get("Brussels"), Some(&"European Union"));
        assert!(lists.is_pet_name("bill", "william") && !lists.is_pet_name("bill", "robert"));
        assert_eq!(lists.bodies.get("authorities"), Some(&"government"));
        assert_eq!(lists.given_names.get("hillary"), Some(&Gender::Female));
        assert!(lists.acts.contains("press") && !lists.acts.contains("continue"));
        let words = ["rear", "adm.", "juan", "rear"].map(str::to_owned);
        assert_eq!((lists.honorifics_in(&words), lists.honorifics_in(&words[2..])), (2, 0));
        assert!(lists.acts.contains("intend") && lists.events.contains("summit"));
    }
}

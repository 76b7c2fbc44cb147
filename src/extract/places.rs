//! Place entities → places on the map, decided over the whole story.
//!
//! ```text
//! A bridge near Springfield, Ohio, and another in Dayton were closed.
//!               ^^^^^^^^^^^ Springfield, Ohio: the words behind it
//!                                                 ^^^^^^ Dayton, Ohio: the places around it
//! ```
//!
//! Every name gives candidates from the gazetteer. What follows a name ("Paris, Texas", "Perth, Australia", "Mobile,
//! Ala.") decides first; then the other places, nationalities and the dateline draw each candidate towards them, and
//! inhabitants, capitals and a place's own name weigh in where nothing else does. A name means one place in one story.
//!
//! Does not know streets, and leaves a name that is in no gazetteer without a position.

pub mod lists;
pub mod publisher;
pub mod recognise;

use super::{
    dateline::Dateline,
    entities::{Entities, MentionKind},
    names::Class,
};
use crate::{
    gazetteer::{
        countries::{self, Country},
        index::{Index, Kind, Place},
    },
    text::{self, Span},
};

/// How often the choices are weighed against each other.
const ROUNDS: usize = 3;
/// Most places of a story that draw the others; what comes later is drawn alone.
const DRAWING_MAX: usize = 60;
/// Words behind a name that may say where it lies.
const CONTAINER_WORDS_MAX: usize = 3;

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The only place of the name.
    Only,
    /// The name of a country.
    Country,
    /// The words behind the name: "Paris, Texas".
    Container,
    /// Other places of the story.
    Context,
    /// A list of the reader's own.
    List,
    /// The largest or best known of the name.
    Prominence,
}

impl Rule {
    /// As the record writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Country => "country",
            Self::Container => "container",
            Self::Context => "context",
            Self::List => "list",
            Self::Prominence => "prominence",
        }
    }
}

/// Where a place entity lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    /// What it is.
    pub kind: Kind,
    /// Its country.
    pub country: Option<&'static Country>,
    /// Degrees north and east.
    pub position: Option<(f32, f32)>,
    /// GeoNames id.
    pub geonames: Option<u32>,
    /// Wikidata id.
    pub wikidata: Option<&'static str>,
    /// What decided.
    pub rule: Rule,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

/// The facts, by entity index; none for what is no place or in no gazetteer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// One for each of [`Entities::list`].
    pub facts: Vec<Option<Fact>>,
    /// Entities that stand in lists of the reader's own, by entity.
    pub watch: Vec<lists::Hit>,
}

/// A place that a name may mean, with what speaks for it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    place: Place,
    country: Option<&'static Country>,
    /// What speaks for it whatever else the story says.
    own: f32,
    /// Whether the words behind the name say so.
    is_contained: bool,
}

/// A name with its candidates and the one that is chosen so far.
struct Subject {
    entity: usize,
    candidates: Vec<Candidate>,
    chosen: usize,
    /// How much its choice draws others.
    weight: f32,
    rule: Rule,
    margin: f32,
}

/// What it is worth for a capital that its name stands for a government.
const SEAT: f32 = 30.0;
/// What a region loses to the capital of its country that bears its name.
const NAMESAKE_REGION: f32 = 3.0;
/// What the publisher's own country is worth: less than anything that the story says.
const HOME: f32 = 1.0;

/// Finds where the place entities of a story lie.
/// `home` is the country that the publisher is at home in.
pub fn run(text: &str, entities: &Entities, dateline: Option<&Dateline>, home: Option<&str>, index: &Index) -> Places {
    let mut places = Places { facts: vec![None; entities.list.len()], watch: Vec::new() };
    let mut subjects = Vec::new();
    let mut drawn_countries: Vec<(&'static str, f32)> = Vec::new();
    for (at, entity) in entities.list.iter().enumerate() {
        if let (Class::Group, Some(country)) = (entity.class, countries::by_demonym(&entity.name)) {
            drawn_countries.push((country.iso2, 1.0));
        }
        if entity.class != Class::Place {
            continue;
        }
        let mut candidates = candidates(&entity.name, entity.country, index);
        prefer_seat(&mut candidates, entity.mentions.iter().any(|m| m.stands_for.is_some()));
        let named = entity.mentions.iter().filter(|mention| mention.kind == MentionKind::Name);
        for mention in named.take(DRAWING_MAX) {
            let Some(container) = container(text, mention.span, index) else { continue };
            for candidate in candidates.iter_mut().filter(|candidate| container.holds(candidate)) {
                candidate.is_contained = true;
            }
        }
        if let Some(country) = entity.mentions.iter().find(|m| m.kind == MentionKind::Demonym).and(entity.country) {
            drawn_countries.push((country, 1.0));
        }
        if candidates.is_empty() {
            continue;
        }
        subjects.push(Subject { entity: at, candidates, chosen: 0, weight: 0.0, rule: Rule::Only, margin: 0.0 });
    }
    let filed = dateline.and_then(|dateline| dateline.place);
    for round in 0..ROUNDS {
        for at in 0..subjects.len() {
            let is_filed = filed.is_some_and(|place| {
                entities.list[subjects[at].entity].mentions.iter().any(|m| place.contains(m.span))
            });
            let scores: Vec<f32> = subjects[at]
                .candidates
                .iter()
                .map(|candidate| {
                    let drawn = if round == 0 { 0.0 } else { drawn(candidate, at, &subjects) };
                    let iso2 = candidate.country.map_or("", |country| country.iso2);
                    let national = drawn_countries.iter().any(|(code, _)| *code == iso2);
                    let contained = if candidate.is_contained { 40.0 } else { 0.0 };
                    // Stories are filed from towns, not from states.
                    let town = if is_filed && candidate.place.kind == Kind::City { 6.0 } else { 0.0 };
                    let at_home = if home == Some(iso2) { HOME } else { 0.0 };
                    candidate.own + contained + drawn + town + at_home + if national { 1.5 } else { 0.0 }
                })
                .collect();
            choose(&mut subjects[at], &scores, is_filed);
        }
    }
    for subject in subjects {
        let Some(candidate) = subject.candidates.get(subject.chosen) else { continue };
        places.facts[subject.entity] = Some(fact(candidate, &subject));
    }
    places
}

fn choose(subject: &mut Subject, scores: &[f32], is_filed: bool) {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    let own = |at: usize| subject.candidates[at].own;
    let top = scores[best];
    let second = scores.iter().enumerate().filter(|(at, _)| *at != best).map(|(_, score)| *score);
    let margin = second.fold(10.0_f32, |margin, score| margin.min(top - score));
    let by_itself = (0..scores.len()).all(|at| own(at) <= own(best));
    let candidate = &subject.candidates[best];
    subject.rule = if candidate.is_contained {
        Rule::Container
    } else if candidate.place.kind == Kind::Country {
        Rule::Country
    } else if scores.len() == 1 {
        Rule::Only
    } else if by_itself {
        Rule::Prominence
    } else {
        Rule::Context
    };
    let certainty = match subject.rule {
        Rule::Container => 1.0,
        Rule::Country => 0.6,
        Rule::Only | Rule::List => 0.7,
        Rule::Context | Rule::Prominence => (margin / 10.0).clamp(0.1, 0.6),
    };
    subject.chosen = best;
    subject.margin = margin;
    subject.weight = if is_filed { certainty + 0.5 } else { certainty };
}

/// How the other places of the story draw a candidate: near ones, those of its region, those of its country.
fn drawn(candidate: &Candidate, at: usize, subjects: &[Subject]) -> f32 {
    let (mut near, mut region, mut country) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (_, other) in subjects.iter().take(DRAWING_MAX).enumerate().filter(|(index, _)| *index != at) {
        let Some(chosen) = other.candidates.get(other.chosen) else { continue };
        let same_country =
            chosen.country.is_some() && chosen.country.map(|c| c.iso2) == candidate.country.map(|c| c.iso2);
        if same_country {
            country += other.weight;
        }
        if chosen.place.region.is_some() && chosen.place.region == candidate.place.region {
            region += other.weight;
        }
        if matches!(chosen.place.kind, Kind::City | Kind::Admin2 | Kind::Facility) {
            near += other.weight / (1.0 + distance_km(&chosen.place, &candidate.place) / 60.0);
        }
    }
    // A country is drawn by its own towns, but less than they are by it.
    let scale = if candidate.place.kind == Kind::Country { 0.5 } else { 1.0 };
    scale * (3.0 * country.min(1.5) + 4.0 * region.min(1.5) + 5.0 * near.min(1.5))
}

/// Kilometres between two places, on a flat map of the latitude between them: near enough to compare.
fn distance_km(one: &Place, other: &Place) -> f32 {
    let north = (one.latitude - other.latitude).abs();
    let turn = (one.longitude - other.longitude).abs();
    let middle = f32::midpoint(one.latitude, other.latitude).abs() / 90.0;
    // A parabola instead of the cosine: the same on every machine.
    let east = turn.min(360.0 - turn) * (1.0 - middle * middle);
    111.0 * north.max(east) + 40.0 * north.min(east)
}

fn candidates(name: &str, iso2: Option<&str>, index: &Index) -> Vec<Candidate> {
    let bare = name.strip_prefix("the ").or_else(|| name.strip_prefix("The ")).unwrap_or(name);
    let mut found: Vec<Candidate> = Vec::new();
    if let Some(country) = iso2.and_then(countries::by_iso).or_else(|| countries::by_name(bare)) {
        let place = Place {
            kind: Kind::Country,
            iso2: None,
            region: None,
            geonames: country.geonames,
            latitude: country.latitude.unwrap_or_default(),
            longitude: country.longitude.unwrap_or_default(),
            size: 0,
            is_capital: false,
            is_own_name: true,
        };
        found.push(Candidate { place, country: Some(country), own: 22.0, is_contained: false });
    }
    // Abbreviations of countries ("US") are no names of towns.
    let is_short = bare.len() <= 2 || !found.is_empty() && bare.chars().all(|c| c.is_uppercase() || c == '.');
    if !is_short {
        let rest = bare.strip_suffix(" area").or_else(|| bare.strip_suffix(" City")).filter(|rest| rest.len() > 3);
        let mut places = index.find(bare);
        if places.is_empty() {
            places = rest.map(|rest| index.find(rest)).unwrap_or_default();
        }
        found.extend(places.into_iter().map(candidate));
    }
    found
}

/// A capital that bears the name of a region of its own country: the region is meant where the story says so by its
/// other places, and never by a name that stands for the government.
fn prefer_seat(candidates: &mut [Candidate], governs: bool) {
    let seat = candidates.iter().find(|candidate| candidate.place.kind == Kind::City && candidate.place.is_capital);
    let Some(country) = seat.and_then(|seat| seat.country) else { return };
    for candidate in candidates.iter_mut() {
        let is_seat = candidate.place.kind == Kind::City && candidate.place.is_capital;
        let is_own = candidate.country.is_some_and(|own| own.iso2 == country.iso2);
        if is_seat && governs {
            candidate.own += SEAT;
        } else if candidate.place.kind == Kind::Admin1 && is_own {
            candidate.own -= NAMESAKE_REGION;
        }
    }
}

fn candidate(place: Place) -> Candidate {
    let code = place.iso2.as_ref().and_then(|code| std::str::from_utf8(code).ok());
    let country = code.and_then(countries::by_iso);
    let mut own = f32::from(place.size) / 16.0;
    own += if place.is_own_name { 1.5 } else { 0.0 };
    own += if place.is_capital { 2.0 } else { 0.0 };
    own += match place.kind {
        Kind::Admin1 if code == Some("US") || code == Some("CA") || code == Some("AU") || code == Some("GB") => 3.0,
        Kind::Region | Kind::Water | Kind::Continent => 2.0,
        Kind::Admin1 | Kind::Admin2 => -2.5,
        _ => 0.0,
    };
    Candidate { place, country, own, is_contained: false }
}

/// What the words behind a name say it lies in.
pub(crate) enum Container {
    /// A country, by its alpha-2 code.
    Country(&'static str),
    /// A first-level region.
    Region(u16),
}

impl Container {
    fn holds(&self, candidate: &Candidate) -> bool {
        match self {
            Self::Country(iso2) => {
                candidate.place.kind != Kind::Country && candidate.country.is_some_and(|country| country.iso2 == *iso2)
            }
            Self::Region(region) => candidate.place.kind != Kind::Admin1 && candidate.place.region == Some(*region),
        }
    }
}

/// Reads ", Ohio", ", Ala.", ", LA", " (Texas)" and ", Australia" behind a name.
pub(crate) fn container(text: &str, span: Span, index: &Index) -> Option<Container> {
    container_span(text, span, index).map(|(container, _)| container)
}

/// The container and where it stands.
pub(crate) fn container_span(text: &str, span: Span, index: &Index) -> Option<(Container, Span)> {
    let rest = text::from(text, span.end());
    let lead = [", ", " ("].into_iter().find(|lead| rest.starts_with(lead))?;
    let start = span.end() + lead.len();
    let mut ends = Vec::new();
    let mut at = start;
    for word in text::from(text, start).split(' ').take(CONTAINER_WORDS_MAX) {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '.');
        let line = bare.split('\n').next().unwrap_or_default();
        if !line.starts_with(char::is_uppercase) {
            break;
        }
        ends.push(at + line.len());
        at += word.len() + 1;
        if line.len() < word.len() {
            break;
        }
    }
    ends.into_iter().rev().find_map(|end| {
        let words = text::slice(text, start, end);
        let plain = words.strip_suffix('.').unwrap_or(words);
        // The full stop belongs to "Ala.", and to the sentence behind "New York".
        let own = |place: &Place| place.kind == Kind::Admin1 && place.is_own_name;
        let is_full = plain.len() < words.len()
            && (index.find(plain).iter().any(own) || !plain.contains('.') && countries::by_name(plain).is_some());
        let words = if is_full { plain } else { words };
        let found = named_container(words, index)
            .map(|found| (found, words))
            .or_else(|| Some((named_container(plain, index)?, plain)));
        found.map(|(container, words)| (container, Span::new(start, start + words.len())))
    })
}

/// A state or a country by its name, short form or postal code.
pub(crate) fn named_container(words: &str, index: &Index) -> Option<Container> {
    if words.len() == 2 && words.chars().all(|c| c.is_ascii_uppercase()) {
        return index.state(words).map(Container::Region);
    }
    let states = index.find(words);
    let mut states = states.into_iter().filter(|place| place.kind == Kind::Admin1);
    if let Some(place) = states.find(|place| place.iso2.is_some_and(|code| [*b"US", *b"CA", *b"AU"].contains(&code))) {
        return place.region.map(Container::Region);
    }
    if let Some(country) = countries::by_name(words) {
        return Some(Container::Country(country.iso2));
    }
    let region = index.find(words).into_iter().find(|place| place.kind == Kind::Admin1)?;
    region.region.map(Container::Region)
}

fn fact(candidate: &Candidate, subject: &Subject) -> Fact {
    let place = &candidate.place;
    let country = candidate.country;
    let is_country = place.kind == Kind::Country;
    let position = (!is_country || country.is_some_and(|country| country.latitude.is_some()))
        .then_some((place.latitude, place.longitude));
    let confidence = match subject.rule {
        Rule::Container => 97,
        Rule::Country => 95,
        Rule::Only | Rule::List => 85,
        Rule::Context | Rule::Prominence => 50 + (4.0 * subject.margin.clamp(0.0, 10.0)) as u8,
    };
    Fact {
        kind: place.kind,
        country,
        position,
        geonames: (place.geonames > 0).then_some(place.geonames),
        wikidata: country.filter(|_| is_country).and_then(|country| country.wikidata),
        rule: subject.rule,
        confidence_percent: confidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Hints, extract::Desk, record::Record};

    fn read(text: &str) -> Record {
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        Desk::new().read_bytes(envelope.as_bytes(), &Hints::default()).unwrap()
    }

    /// Country and first two digits of the latitude of a place, and what decided.
    #[track_caller]
    fn lies(record: &Record, name: &str, iso2: &str, latitude: f64, rule: &str) {
        let place =
            record.places.iter().find(|place| place.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        let country = place.fact.country.as_ref().map(|country| country.iso2.as_str());
        assert_eq!(country, Some(iso2), "{name}: {place:?}");
        assert!((place.fact.lat.unwrap() - latitude).abs() < 0.6, "{name}: {place:?}");
        assert_eq!(place.fact.rule.as_deref(), Some(rule), "{name}: {place:?}");
    }

    #[test]
    fn the_words_behind_a_name_decide() {
        let record = read("The mayor drove from Paris, Texas, to Mobile, Ala., and then flew to Perth, Australia.\n");
        lies(&record, "Paris", "US", 33.7, "container");
        lies(&record, "Mobile", "US", 30.7, "container");
        lies(&record, "Perth", "AU", -31.9, "container");
    }

    #[test]
    fn the_other_places_decide() {
        let record = read("The road from Dayton and Columbus to Springfield in western Ohio was closed on Monday.\n");
        lies(&record, "Springfield", "US", 39.9, "context");
        let record =
            read("Officials in Hanoi and Haiphong met in Vietnam on Monday. The minister left Paris on Sunday.\n");
        lies(&record, "Hanoi", "VN", 21.0, "prominence");
        lies(&record, "Paris", "FR", 48.9, "prominence");
    }

    #[test]
    fn the_capital_goes_before_the_state_of_its_name() {
        lies(&read("The envoy flew to Washington on Monday.\n"), "Washington", "US", 38.9, "prominence");
        let record = read("The road from Seattle to Tacoma and Spokane in Washington was closed on Monday.\n");
        lies(&record, "Washington", "US", 47.5, "context");
        lies(&read("Washington and Doha have been mediating.\n"), "Washington", "US", 38.9, "prominence");
    }

    #[test]
    fn countries_have_their_codes() {
        let record = read("The ambassador to Iraq flew from Britain to Norway on Monday.\n");
        let place = record.places.iter().find(|place| place.name == "Iraq").unwrap();
        assert_eq!(place.fact.geonames, Some(99_237));
        assert_eq!(place.fact.wikidata.as_deref(), Some("Q796"));
        assert_eq!(place.fact.country.as_ref().map(|country| country.iso3.as_str()), Some("IRQ"));
        lies(&record, "Norway", "NO", 62.0, "country");
    }

    #[test]
    fn a_name_that_nobody_knows_has_no_position() {
        let record = read("The council of Qzarbrook met in Qzarbrook on Monday.\n");
        assert!(record.places.iter().all(|place| place.fact.lat.is_none()), "{:?}", record.places);
    }

    #[test]
    fn distances_are_near_enough() {
        let at = |latitude, longitude| Place { latitude, longitude, ..candidates("Ohio", None, index())[0].place };
        let london_paris = distance_km(&at(51.5, -0.1), &at(48.9, 2.4));
        assert!((280.0..420.0).contains(&london_paris), "{london_paris}");
        assert!(distance_km(&at(0.0, 179.9), &at(0.0, -179.9)) < 30.0);
    }

    fn index() -> &'static Index {
        Box::leak(Box::new(Index::built_in().unwrap()))
    }

    #[test]
    fn containers() {
        let name = |text: &str| {
            let (container, span) = container_span(text, Span::new(0, 4), index())?;
            let container = match container {
                Container::Country(iso2) => iso2.to_owned(),
                Container::Region(region) => index().region(region).map(|(_, code)| code.to_owned())?,
            };
            Some((container, span.of(text).to_owned()))
        };
        let found = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(name("Town, Ala., said"), found("AL", "Ala."));
        assert_eq!(name("Town, New York."), found("NY", "New York"));
        assert_eq!(name("Town, OH 45501"), found("OH", "OH"));
        assert_eq!(name("Town, South Korea, fell"), found("KR", "South Korea"));
        assert_eq!(name("Town (Texas)"), found("TX", "Texas"));
        for none in ["Town in Ohio", "Town, and Ohio", "Town, Zzyzq", "Town", "Town,\nOhio"] {
            assert_eq!(name(none), None, "{none}");
        }
    }
}

//! Countries and territories with an ISO 3166 code: names and short forms, capitals, demonyms.
//!
//! ```
//! use copydesk::gazetteer::countries;
//!
//! let iraq = countries::by_demonym("Iraqis").expect("a demonym");
//! assert_eq!((iraq.iso2, iraq.capital), ("IQ", "Baghdad"));
//! assert_eq!(countries::by_name("the U.S."), countries::by_iso("USA"));
//! ```
//!
//! A lookup is about the word alone. Whether "Georgia" is the country or the state, "Jordan" a country
//! or a person, "Turkey" a country or a meal, the story has to tell.

use std::{collections::HashMap, sync::LazyLock};

/// The table of countries, one a line.
const COUNTRIES: &str = include_str!("../../data/gazetteer/countries.tsv");
/// The table of demonyms, one a line; under a licence of its own, see the head of the file.
const DEMONYMS: &str = include_str!("../../data/gazetteer/demonyms.tsv");

/// A country or territory.
#[derive(Clone, Debug, PartialEq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub iso2: &'static str,
    /// ISO 3166-1 alpha-3.
    pub iso3: &'static str,
    /// The name in English copy, without article.
    pub name: &'static str,
    /// The seat of government as the tables have it; empty where there is none.
    pub capital: &'static str,
    /// GeoNames id.
    pub geonames: u32,
    /// Wikidata id.
    pub wikidata: Option<&'static str>,
    /// Where a map would put its name: degrees north.
    pub latitude: Option<f32>,
    /// Degrees east.
    pub longitude: Option<f32>,
    /// Inhabitants.
    pub population: u32,
    /// Alpha-2 codes of the countries that it borders.
    pub neighbours: Vec<&'static str>,
    /// Other names: short forms, abbreviations, former and formal names.
    pub other_names: Vec<&'static str>,
}

/// The tables, with their indexes.
struct Tables {
    countries: Vec<Country>,
    by_iso: HashMap<&'static str, usize>,
    /// Names that are matched without case.
    by_name: HashMap<String, usize>,
    /// Abbreviations, matched as written: "us" is a pronoun.
    by_abbreviation: HashMap<&'static str, usize>,
    by_capital: HashMap<String, usize>,
    by_demonym: HashMap<String, usize>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// All countries, by alpha-2 code.
pub fn all() -> &'static [Country] {
    &TABLES.countries
}

/// By ISO 3166-1 code, alpha-2 or alpha-3, in capitals.
pub fn by_iso(code: &str) -> Option<&'static Country> {
    TABLES.by_iso.get(code).and_then(|index| TABLES.countries.get(*index))
}

/// By a name: "Iraq", "the United States", "U.S.", "Britain", "IRAQ". Names count without case and without a leading
/// article, abbreviations only as they are written.
pub fn by_name(name: &str) -> Option<&'static Country> {
    let name = without_article(name);
    let index = TABLES.by_abbreviation.get(name).or_else(|| TABLES.by_name.get(&folded(name)));
    index.and_then(|index| TABLES.countries.get(*index))
}

/// By a demonym, adjective or noun, singular or plural: "Iraqi", "Iraqis", "Briton", "French". "Congolese" and other
/// words of two countries stand for the larger one. The first letter is a capital.
pub fn by_demonym(word: &str) -> Option<&'static Country> {
    if !word.starts_with(char::is_uppercase) {
        return None;
    }
    TABLES.by_demonym.get(&folded(word)).and_then(|index| TABLES.countries.get(*index))
}

/// By the capital: "Baghdad", "Washington". Without case.
pub fn by_capital(name: &str) -> Option<&'static Country> {
    TABLES.by_capital.get(&folded(name)).and_then(|index| TABLES.countries.get(*index))
}

/// The name without "the".
fn without_article(name: &str) -> &str {
    let rest = name.split_once(' ').filter(|(first, _)| first.eq_ignore_ascii_case("the"));
    rest.map_or(name, |(_, rest)| rest)
}

/// Lower case, with the apostrophe of typewriters.
fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).map(|c| if c == '’' { '\'' } else { c }).collect()
}

/// Whether a name counts only as it is written: "US", "U.S.", "DPRK".
fn is_abbreviation(name: &str) -> bool {
    name.len() <= 9 && name.chars().all(|c| c.is_ascii_uppercase() || c == '.')
}

/// Lines of a table without its head, as fields.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| line.split('\t').collect())
}

impl Tables {
    fn read() -> Self {
        let countries: Vec<Country> = rows(COUNTRIES).filter_map(|row| country(&row)).collect();
        let mut tables = Self {
            by_iso: HashMap::new(),
            by_name: HashMap::new(),
            by_abbreviation: HashMap::new(),
            by_capital: HashMap::new(),
            by_demonym: HashMap::new(),
            countries: Vec::new(),
        };
        for (index, country) in countries.iter().enumerate() {
            tables.by_iso.insert(country.iso2, index);
            tables.by_iso.insert(country.iso3, index);
            tables.by_name.insert(folded(country.name), index);
            if !country.capital.is_empty() {
                tables.by_capital.insert(folded(country.capital), index);
            }
        }
        // After the names themselves, so that a short form never hides one.
        for (index, country) in countries.iter().enumerate() {
            for name in &country.other_names {
                if is_abbreviation(name) {
                    tables.by_abbreviation.insert(name, index);
                } else {
                    tables.by_name.entry(folded(without_article(name))).or_insert(index);
                }
            }
        }
        for row in rows(DEMONYMS) {
            if let [word, code] = row[..]
                && let Some(index) = tables.by_iso.get(code)
            {
                tables.by_demonym.insert(folded(word), *index);
            }
        }
        tables.countries = countries;
        tables
    }
}

fn country(row: &[&'static str]) -> Option<Country> {
    let [iso2, iso3, name, capital, geonames, wikidata, latitude, longitude, population, neighbours, names] = row
    else {
        return None;
    };
    let list = |field: &'static str, mark: char| field.split(mark).filter(|part| !part.is_empty()).collect();
    Some(Country {
        iso2,
        iso3,
        name,
        capital,
        geonames: geonames.parse().ok()?,
        wikidata: (!wikidata.is_empty()).then_some(*wikidata),
        latitude: latitude.parse().ok(),
        longitude: longitude.parse().ok(),
        population: population.parse().ok()?,
        neighbours: list(neighbours, ','),
        other_names: list(names, '|'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(country: Option<&'static Country>) -> &'static str {
        country.map_or("", |country| country.iso2)
    }

    #[test]
    fn every_line_of_the_tables_is_read() {
        let lines = |table: &str| table.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(all().len(), lines(COUNTRIES));
        assert_eq!(TABLES.by_demonym.len(), lines(DEMONYMS));
        assert!(all().len() > 245);
        for country in all() {
            assert!(country.iso2.len() == 2 && country.iso3.len() == 3, "{country:?}");
            assert!(country.latitude.is_none_or(|latitude| latitude.abs() <= 90.0), "{country:?}");
            assert!(country.neighbours.iter().all(|code| by_iso(code).is_some()), "{country:?}");
            assert_eq!(code(by_name(country.name)), country.iso2);
        }
    }

    #[test]
    fn names_and_short_forms() {
        let names = [
            ("Iraq", "IQ"),
            ("IRAQ", "IQ"),
            ("the United States", "US"),
            ("U.S.", "US"),
            ("US", "US"),
            ("Britain", "GB"),
            ("DPRK", "KP"),
            ("Côte d’Ivoire", "CI"),
            ("the Netherlands", "NL"),
            ("Congo", "CD"),
            ("Czechia", "CZ"),
            ("St. Lucia", "LC"),
        ];
        for (name, wanted) in names {
            assert_eq!(code(by_name(name)), wanted, "{name}");
        }
        for name in ["us", "Us", "uk", "the", "", "Baghdad"] {
            assert_eq!(code(by_name(name)), "", "{name}");
        }
    }

    #[test]
    fn demonyms_with_plurals_and_irregular_ones() {
        let words = [
            ("Iraqi", "IQ"),
            ("Iraqis", "IQ"),
            ("Briton", "GB"),
            ("Britons", "GB"),
            ("Frenchman", "FR"),
            ("AMERICANS", "US"),
            ("Poles", "PL"),
            ("Chinese", "CN"),
            ("South Koreans", "KR"),
            ("Filipina", "PH"),
            ("Congolese", "CD"),
            ("Kazakhs", "KZ"),
        ];
        for (word, wanted) in words {
            assert_eq!(code(by_demonym(word)), wanted, "{word}");
        }
        for word in ["polish", "pole", "Iraq", ""] {
            assert_eq!(code(by_demonym(word)), "", "{word}");
        }
    }

    #[test]
    fn capitals() {
        for (name, wanted) in [("Baghdad", "IQ"), ("WASHINGTON", "US"), ("Astana", "KZ"), ("Chicago", "")] {
            assert_eq!(code(by_capital(name)), wanted, "{name}");
        }
    }
}

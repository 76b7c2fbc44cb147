//! The publisher → the country that its copy is mostly about, read from `data/lexicon/agency_countries.txt`.
//!
//! ```text
//! … (AAP) - A fire closed the road to Newcastle.     → AU
//! ```
//!
//! A weak sign: it decides between namesakes only where nothing in the story does.

use std::{collections::HashMap, sync::LazyLock};

static HOMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../../data/lexicon/agency_countries.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    lines.flat_map(|(iso2, marks)| marks.split(", ").map(move |mark| (mark.to_lowercase(), iso2))).collect()
});

/// The alpha-2 code of the country that an agency is at home in, by its mark.
pub fn home(mark: &str) -> Option<&'static str> {
    HOMES.get(mark.trim().to_lowercase().as_str()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gazetteer::countries;

    #[test]
    fn every_line_names_a_country_and_marks_are_told_without_case() {
        assert!(HOMES.len() > 80);
        for iso2 in HOMES.values() {
            assert_eq!(countries::by_iso(iso2).map(|country| country.iso2), Some(*iso2));
        }
        assert_eq!((home("tass"), home("DPA"), home("Reuters")), (Some("RU"), Some("DE"), None));
    }
}

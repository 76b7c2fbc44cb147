//! The table of every key, written from the types: `docs/CONFIGURATION.md` holds it between two marks.

use std::fmt::Write as _;

use toml::Value;

use super::{Config, Key, keys};

/// Before the table.
const BEGIN: &str = "<!-- keys: written by `copydesk config docs docs/CONFIGURATION.md` -->";
/// After the table.
const END: &str = "<!-- keys: end -->";
/// The input that the built-in configuration has; it stands for any.
const INPUT: &str = "main";

/// Sections in reading order, with what each is about.
const SECTIONS: [(&str, &str); 11] = [
    ("nats", "how the broker is reached"),
    ("streams", "the three streams"),
    ("inputs", "what is read: one table an input, by name; `main` stands for any"),
    ("delivery", "waiting, retrying, giving back"),
    ("limits", "sizes and rates, for each worker"),
    ("lineage", "the versions of each story"),
    ("embargo", "stories that may not be published yet"),
    ("work", "the CPU pool"),
    ("http", "probes, metrics, readiness"),
    ("log", "logs"),
    ("trace", "spans for an OpenTelemetry collector"),
];

/// Every key with its default, its variable and its meaning, as Markdown.
pub fn reference() -> String {
    let defaults = Value::try_from(Config::default()).unwrap_or_else(|_| Value::Table(toml::Table::new()));
    let keys = keys();
    let mut text = String::new();
    let mut named: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
    let others = keys.iter().filter_map(|key| key.path.first().map(String::as_str));
    let others: Vec<&str> = others.filter(|section| !SECTIONS.iter().any(|(known, _)| known == section)).collect();
    for other in others {
        if !named.contains(&other) {
            named.push(other);
        }
    }
    for section in named {
        let about = SECTIONS.iter().find(|(known, _)| *known == section).map(|(_, about)| format!(": {about}"));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "### `{section}`{}\n", about.unwrap_or_default());
        text.push_str("| key | default | variable `COPYDESK_…` | meaning |\n| --- | --- | --- | --- |\n");
        for key in keys.iter().filter(|key| key.path.first().is_some_and(|first| first == section)) {
            text.push_str(&row(key, &defaults));
        }
        text.push('\n');
    }
    text
}

fn row(key: &Key, defaults: &Value) -> String {
    let path: Vec<&str> = key.path.iter().map(|element| if element == "*" { INPUT } else { element }).collect();
    let value = path.iter().try_fold(defaults, |place, element| place.get(element));
    let default = value.map(|value| format!("`{value}`")).unwrap_or_default();
    let meaning = key.description.replace('\n', " ").replace('|', "\\|");
    format!("| `{}` | {default} | `{}` | {meaning} |\n", path.join("."), path.join("_").to_uppercase())
}

/// A document with the table of now between its two marks; `None` when it has no marks.
pub fn with_reference(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}{END}{after}", reference()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_types_say() {
        let document = include_str!("../../../docs/CONFIGURATION.md");
        let fresh = with_reference(document).expect("the document has its two marks");
        assert!(document == fresh, "run `copydesk config docs docs/CONFIGURATION.md`");
    }

    #[test]
    fn every_key_has_its_row() {
        let text = reference();
        for key in keys() {
            let name = key.path.join(".").replace('*', INPUT);
            assert!(text.contains(&format!("| `{name}` |")), "{name}");
        }
        assert!(text.contains("| `nats.urls` | `[\"nats://127.0.0.1:4222\"]` | `NATS_URLS` |"));
        assert!(text.contains("| `nats.token` |  | `NATS_TOKEN` |"));
    }
}

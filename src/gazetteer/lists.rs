//! Gazetteers and watch lists of the reader's own: names that mean what the reader says they mean.
//!
//! ```text
//! id,name,aliases,class,lat,lon,country
//! hq-1,North Works,Northern Works|The Works,place,51.5,-0.1,GB
//! ```
//!
//! CSV with a header line, or NDJSON with the same fields (`aliases` a list or one text). `id`, `name` and `class` must be
//! there; `class` is `place`, `person`, `organisation`, `group`, `event` or `work`; `lat` and `lon` come together. Every
//! fault is told with its line, not the first alone. Reads no file: whoever has one hands its text in.
//!
//! The names are found in the text by `extract::names::listed`; an entity of the story whose name or alias is in a list gets
//! the id.

use std::{collections::HashMap, fmt};

use super::{
    countries::{self, Country},
    index::folded,
};

/// Most entries of a list.
pub const ENTRIES_MAX: usize = 200_000;
/// Most faults that are told; the rest is counted.
pub const FAULTS_MAX: usize = 100;
/// Columns that a list may have.
const FIELDS: [&str; 7] = ["id", "name", "aliases", "class", "lat", "lon", "country"];
/// Classes that an entry may have.
const CLASSES: [&str; 6] = ["place", "person", "organisation", "group", "event", "work"];

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in lower case.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The reader's id.
    pub id: String,
    /// One of `place`, `person`, `organisation`, `group`, `event`, `work`.
    pub class: &'static str,
    /// Degrees north and east.
    pub position: Option<(f32, f32)>,
    /// The country.
    pub country: Option<&'static Country>,
}

/// A list, checked and ready.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// What the record calls it.
    pub name: String,
    entries: Vec<Entry>,
    by_name: HashMap<(&'static str, String), usize>,
    words_max: usize,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// Every fault with its line, in line order; at most [`FAULTS_MAX`].
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let text = text.trim_start_matches('\u{FEFF}');
        let mut list = Self { name: name.to_owned(), ..Self::default() };
        let mut faults = Vec::new();
        let mut header: Option<Vec<String>> = None;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.trim().is_empty() {
                continue;
            }
            let fields = if header.is_none() && line.trim_start().starts_with('{') {
                json_fields(line)
            } else if let Some(header) = &header {
                csv_fields(line).and_then(|values| named(header, values))
            } else {
                match csv_fields(line).and_then(checked_header) {
                    Ok(names) => {
                        header = Some(names);
                        continue;
                    }
                    // Without a header no line can be read.
                    Err(message) => return Err(vec![Fault { line: number, message }]),
                }
            };
            if let Err(message) = fields.and_then(|fields| list.add(&fields)) {
                faults.push(Fault { line: number, message });
                if faults.len() == FAULTS_MAX {
                    break;
                }
            }
        }
        if faults.is_empty() { Ok(list) } else { Err(faults) }
    }

    /// The entry of a class that bears a name, however it is written.
    pub fn find(&self, class: &str, name: &str) -> Option<&Entry> {
        let class = CLASSES.into_iter().find(|known| *known == class)?;
        self.by_name.get(&(class, folded(name))).and_then(|index| self.entries.get(*index))
    }

    /// The first entry of any class that bears a name.
    pub fn find_any(&self, name: &str) -> Option<&Entry> {
        let name = folded(name);
        let mut key = ("", name);
        let of_class = |class: &'static str, key: &mut (&'static str, String)| {
            key.0 = class;
            self.by_name.get(key).copied()
        };
        // The list's own order decides between classes.
        let first = CLASSES.into_iter().filter_map(|class| of_class(class, &mut key)).min();
        first.and_then(|index| self.entries.get(index))
    }

    /// Pieces of the longest name, as tokens count them.
    pub fn words_max(&self) -> usize {
        self.words_max
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, fields: &HashMap<String, String>) -> Result<(), String> {
        let field = |name: &str| fields.get(name).map_or("", |value| value.trim());
        let wanted = |name: &str| Some(field(name)).filter(|v| !v.is_empty()).ok_or(format!("`{name}` is missing"));
        let (id, name, class) = (wanted("id")?, wanted("name")?, wanted("class")?);
        let class = CLASSES.into_iter().find(|known| *known == class);
        let class = class.ok_or_else(|| format!("class is not one of {}", CLASSES.join(", ")))?;
        let degrees = |name: &str, most: f32| -> Result<Option<f32>, String> {
            let written = field(name);
            if written.is_empty() {
                return Ok(None);
            }
            let value = written.parse::<f32>().ok().filter(|value| value.abs() <= most);
            value.map(Some).ok_or_else(|| format!("`{name}` is no number from -{most} to {most}"))
        };
        let position = match (degrees("lat", 90.0)?, degrees("lon", 180.0)?) {
            (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
            (None, None) => None,
            _ => return Err("`lat` and `lon` come together".to_owned()),
        };
        let country = match field("country") {
            "" => None,
            code => Some(countries::by_iso(code).ok_or("`country` is no ISO 3166 code")?),
        };
        if self.entries.len() == ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        let mut keys = Vec::new();
        for spelling in std::iter::once(name).chain(field("aliases").split('|')) {
            let key = folded(spelling);
            if key.is_empty() && !spelling.trim().is_empty() {
                return Err("a name has no letter of the Latin alphabet".to_owned());
            }
            let known = self.by_name.get(&(class, key.clone())).and_then(|index| self.entries.get(*index));
            if known.is_some_and(|entry| entry.id != id) {
                return Err("a name stands under another id already".to_owned());
            }
            keys.extend(Some(key).filter(|key| !key.is_empty()));
            // Marks inside a name are tokens of their own.
            let pieces = spelling.split_whitespace().count();
            let marks = spelling.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).count();
            self.words_max = self.words_max.max(pieces + 2 * marks);
        }
        let index = self.entries.len();
        self.by_name.extend(keys.into_iter().map(|key| ((class, key), index)));
        self.entries.push(Entry { id: id.to_owned(), class, position, country });
        Ok(())
    }
}

fn checked_header(names: Vec<String>) -> Result<Vec<String>, String> {
    let unknown = names.iter().any(|name| !FIELDS.contains(&name.as_str()));
    let missing = ["id", "name", "class"].iter().any(|wanted| !names.iter().any(|name| name == wanted));
    if unknown || missing {
        return Err(format!("the header has id, name and class, and no column but {}", FIELDS.join(", ")));
    }
    Ok(names)
}

fn named(header: &[String], values: Vec<String>) -> Result<HashMap<String, String>, String> {
    if values.len() != header.len() {
        return Err(format!("{} fields, the header has {}", values.len(), header.len()));
    }
    Ok(header.iter().cloned().zip(values).collect())
}

/// The fields of a line of CSV (RFC 4180, one line a record).
fn csv_fields(line: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.is_empty() => is_quoted = true,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(character),
        }
    }
    if is_quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    fields.push(field);
    Ok(fields)
}

/// The fields of a line of NDJSON.
fn json_fields(line: &str) -> Result<HashMap<String, String>, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).map_err(|_| "no JSON object".to_owned())?;
    let mut fields = HashMap::new();
    for (name, value) in object {
        if !FIELDS.contains(&name.as_str()) {
            return Err(format!("no field but {}", FIELDS.join(", ")));
        }
        let value = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(serde_json::Value::as_str).collect();
                texts.ok_or_else(|| format!("`{name}` is no list of texts"))?.join("|")
            }
            _ => return Err(format!("`{name}` is neither text nor number")),
        };
        fields.insert(name, value);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "id,name,aliases,class,lat,lon,country\n";

    #[test]
    fn csv_and_ndjson_say_the_same() {
        let csv = List::read("own", &format!("{HEADER}a1,\"Works, North\",The Works|Nord,place,51.5,-0.1,GB\n"));
        let json = r#"{"id":"a1","name":"Works, North","aliases":["The Works","Nord"],"class":"place","lat":51.5,"lon":-0.1,"country":"GB"}"#;
        let (csv, json) = (csv.unwrap(), List::read("own", json).unwrap());
        assert_eq!(csv, json);
        let entry = csv.find("place", "THE WORKS").unwrap();
        assert_eq!((entry.id.as_str(), entry.position), ("a1", Some((51.5, -0.1))));
        assert!(csv.find("person", "The Works").is_none() && csv.find("planet", "Nord").is_none());
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = format!(
            "{HEADER}a,A,,place,,,\n,B,,place,,,\n\nc,C,,planet,,,\nd,D,,place,91,0,\ne,E,,place,1,,\nf,F,,place,,,QQ\ng,A,,place,,,\nh,\"H,,place,,,\ni,I\n"
        );
        let faults = List::read("own", &text).unwrap_err();
        let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let wanted = [
            "line 3: `id` is missing",
            "line 5: class is not one of place, person, organisation, group, event, work",
            "line 6: `lat` is no number from -90 to 90",
            "line 7: `lat` and `lon` come together",
            "line 8: `country` is no ISO 3166 code",
            "line 9: a name stands under another id already",
            "line 10: a quotation mark is not closed",
            "line 11: 2 fields, the header has 7",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_list_without_a_header_is_refused_at_once() {
        let faults = List::read("own", "a,A,place\nb,B,place\n").unwrap_err();
        assert_eq!((faults.len(), faults[0].line), (1, 1));
        assert_eq!(List::read("own", "{\"id\": 1").unwrap_err()[0].message, "no JSON object");
        assert!(List::read("own", "").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\PC|[,\"{}\n]){0,120}") {
            let _ = List::read("own", &text);
            let _ = List::read("own", &format!("{HEADER}{text}"));
        }
    }
}

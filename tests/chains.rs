//! Who is who inside a story: short invented stories with their chains marked, `[p1 Ada Lind]`.
//!
//! The stories lie in `tests/chains/`, one a file; an article before a name does not count.
//! Links are counted as in MUC: of the links that a chain needs, how many were found, and of those that
//! were made, how many are right. Two people in one entity are never forgiven.

use std::{collections::BTreeMap, path::PathBuf};

use copydesk::{decode::Hints, extract::Desk, record::Mention};

/// Spans of marked mentions, by label, and the text without the marks.
fn read(marked: &str) -> (String, BTreeMap<(u32, u32), String>) {
    let (mut text, mut spans, mut open) = (String::new(), BTreeMap::new(), None);
    let mut length = 0_u32;
    let mut characters = marked.trim_end().chars();
    while let Some(character) = characters.next() {
        match character {
            '[' => open = Some((characters.by_ref().take_while(|c| *c != ' ').collect::<String>(), length)),
            ']' => {
                let (label, start) = open.take().expect("a mark that was opened");
                spans.insert((start, length), label);
            }
            other => {
                text.push(other);
                length += 1;
            }
        }
    }
    (text, spans)
}

/// The span without a leading article.
fn edges(mention: &Mention) -> (u32, u32) {
    let article = ["the ", "The "].iter().any(|the| mention.span.text.starts_with(the));
    (mention.span.start + if article { 4 } else { 0 }, mention.span.end)
}

#[derive(Default)]
struct Links {
    right: usize,
    made: usize,
    wanted: usize,
}

/// Links of one story, and the entities that hold two people.
fn score(desk: &Desk, marked: &str, links: &mut Links) -> Vec<String> {
    let (text, gold) = read(marked);
    let bytes = serde_json::json!({"text": text, "language": "en"}).to_string();
    let record = desk.read_bytes(bytes.as_bytes(), &Hints::default()).expect("a story");
    let chars: Vec<char> = text.chars().collect();
    let gold: BTreeMap<(u32, u32), String> = gold
        .into_iter()
        .map(|((start, end), label)| {
            let piece: String = chars[start as usize..end as usize].iter().collect();
            let article = piece.starts_with("the ") || piece.starts_with("The ");
            ((start + if article { 4 } else { 0 }, end), label)
        })
        .collect();
    let lists = [
        record.people.iter().map(|e| &e.mentions).collect::<Vec<_>>(),
        record.organisations.iter().map(|e| &e.mentions).collect(),
        record.places.iter().map(|e| &e.mentions).collect(),
        record.groups.iter().map(|e| &e.mentions).collect(),
    ];
    let mut merged = Vec::new();
    for mentions in lists.iter().flatten() {
        let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
        for label in mentions.iter().filter_map(|mention| gold.get(&edges(mention))) {
            *labels.entry(label).or_default() += 1;
        }
        links.made += labels.values().sum::<usize>().saturating_sub(1);
        links.right += labels.values().map(|count| count - 1).sum::<usize>();
        let people: Vec<&str> = labels.keys().filter(|label| label.starts_with('p')).copied().collect();
        if people.len() > 1 {
            merged.push(people.join(" and "));
        }
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for label in gold.values() {
        *sizes.entry(label).or_default() += 1;
    }
    links.wanted += sizes.values().map(|size| size - 1).sum::<usize>();
    merged
}

#[test]
fn chains_of_the_stories() {
    let desk = Desk::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/chains");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("stories").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut links = Links::default();
    for file in &files {
        let before = (links.right, links.made, links.wanted);
        let merged = score(&desk, &std::fs::read_to_string(file).expect("a story"), &mut links);
        assert!(merged.is_empty(), "{} takes two people for one: {merged:?}", file.display());
        let story = (links.right - before.0, links.made - before.1, links.wanted - before.2);
        println!("{} right, made, wanted: {story:?}", file.display());
    }
    let (precision, recall) =
        (links.right as f64 / links.made.max(1) as f64, links.right as f64 / links.wanted.max(1) as f64);
    println!("{} stories: precision {precision:.3}, recall {recall:.3}", files.len());
    assert!(files.len() >= 40 && precision >= 0.95 && recall >= 0.85, "precision {precision:.3}, recall {recall:.3}");
}

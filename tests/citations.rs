//! On whose authority: short invented stories with the chain behind each sentence.
//!
//! The stories lie in `tests/citations/`, one a file: the copy, a line `---`, and a line for each
//! sentence that is told of:
//!
//! ```text
//! LISVIK, May 3 (Northwire) - The port will close, the Gazette said, citing an official.
//! ---
//! 0: Northwire < Gazette < anonymous:an official [anonymous]
//! ```
//!
//! Entities stand by name, `via` behind a slash: `[named/interview]`. A sentence with two chains has two lines.

use std::path::PathBuf;

use copydesk::{decode::Hints, extract::Desk, record::Record};

/// The name of a link.
fn name(record: &Record, link: &str) -> String {
    let entities = record.people.iter().map(|e| (&e.id, &e.name));
    let entities = entities.chain(record.organisations.iter().map(|e| (&e.id, &e.name)));
    let entities = entities.chain(record.places.iter().map(|e| (&e.id, &e.name)));
    let mut entities = entities.chain(record.groups.iter().map(|e| (&e.id, &e.name)));
    entities.find(|(id, _)| *id == link).map_or_else(|| link.to_owned(), |(_, name)| name.clone())
}

/// Every sentence's chains, as the files write them.
fn lines(record: &Record) -> Vec<String> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for citation in &record.citations {
        let chain: Vec<String> = citation.chain.iter().map(|link| name(record, link)).collect();
        let plain = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut kind = plain(serde_json::to_value(citation.kind).expect("a kind"));
        if let Some(via) = citation.via {
            kind = format!("{kind}/{}", plain(serde_json::to_value(via).expect("a way")));
        }
        lines.extend(citation.sentences.iter().map(|at| (*at, format!("{at}: {} [{kind}]", chain.join(" < ")))));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn chains_of_the_stories() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/citations");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("stories").map(|e| e.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 24, "only {} stories", files.len());
    let desk = Desk::new();
    let mut wrong = Vec::new();
    let mut sentences = 0;
    for file in files {
        let marked = std::fs::read_to_string(&file).expect("a story");
        let (copy, wanted) = marked.split_once("\n---\n").expect("a line of strokes");
        let bytes = serde_json::json!({"text": copy, "language": "en"}).to_string();
        let record = desk.read_bytes(bytes.as_bytes(), &Hints::default()).expect("a story");
        let mut wanted: Vec<String> = wanted.lines().map(ToOwned::to_owned).collect();
        wanted.sort();
        sentences += wanted.len();
        let mut found = lines(&record);
        found.sort();
        if found != wanted {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            wrong.push(format!(
                "{name}\n  found  {}\n  wanted {}",
                found.join("\n         "),
                wanted.join("\n         ")
            ));
        }
    }
    assert!(wrong.is_empty(), "of {sentences} lines, in {} stories:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_story_sentence_has_an_authority_and_every_chain_begins_with_the_publisher() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/citations");
    let desk = Desk::new();
    for file in std::fs::read_dir(folder).expect("stories").map(|e| e.expect("a file").path()) {
        let marked = std::fs::read_to_string(&file).expect("a story");
        let copy = marked.split("\n---\n").next().unwrap_or_default();
        let bytes = serde_json::json!({"text": copy, "language": "en"}).to_string();
        let record = desk.read_bytes(bytes.as_bytes(), &Hints::default()).expect("a story");
        let publisher = record.citations.first().map(|citation| citation.chain[0].clone()).expect("a citation");
        for (index, sentence) in record.sentences.iter().enumerate() {
            let kind = record.paragraphs[sentence.paragraph as usize].kind;
            let told = record.citations.iter().filter(|c| c.sentences.contains(&(index as u32))).count();
            assert_eq!(told > 0, kind.is_story(), "sentence {index} of {}", file.display());
        }
        assert!(record.citations.iter().all(|citation| citation.chain[0] == publisher));
    }
}

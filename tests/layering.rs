//! The rooms of `docs/ARCHITECTURE.md`: who may know whom, and what the desk never touches.

#![allow(clippy::string_slice, clippy::format_push_string, reason = "a test over ASCII sources")]

use std::path::{Path, PathBuf};

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.join(below)];
    let file = root.join(format!("{below}.rs"));
    if file.exists() {
        found.push((file.clone(), std::fs::read_to_string(&file).expect("a source")));
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    assert!(!found.is_empty(), "there is no room `{below}`");
    found
}

/// The code alone: comments and tests may speak of anything.
fn code(source: &str) -> String {
    let before_tests = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    expand_imports(&lines.collect::<Vec<_>>().join("\n"))
}

/// Adds `crate::a::b` for every leaf of `use crate::{a::{b, …}, …};`, so that a search finds it.
fn expand_imports(code: &str) -> String {
    let mut expanded = code.to_owned();
    for (start, _) in code.match_indices("use ") {
        let Some(tree) = code[start + 4..].split(';').next().filter(|tree| tree.contains('{')) else { continue };
        let (mut prefixes, mut path) = (Vec::new(), String::new());
        for character in tree.chars().filter(|character| !character.is_whitespace()) {
            match character {
                '{' => prefixes.push(path.clone()),
                ',' | '}' => {
                    expanded.push_str(&format!("\n{path}"));
                    if character == '}' {
                        prefixes.pop();
                    }
                    path = prefixes.last().cloned().unwrap_or_default();
                }
                _ => path.push(character),
            }
        }
    }
    expanded
}

#[test]
fn grouped_imports_are_seen() {
    let expanded = expand_imports("use crate::{\n    a::{B, C},\n    d,\n};\nuse std::{fs, io::Read};");
    for leaf in ["crate::a::B", "crate::a::C", "crate::d", "std::fs", "std::io::Read"] {
        assert!(expanded.lines().any(|line| line == leaf), "{leaf} is not in {expanded}");
    }
}

fn assert_free_of(room: &str, forbidden: &[&str]) {
    for (path, source) in sources(room) {
        let code = code(&source);
        for word in forbidden {
            assert!(!code.contains(word), "{} knows `{word}`", path.display());
        }
    }
}

#[test]
fn data_moves_one_way() {
    assert_free_of("text", &["crate::"]);
    assert_free_of("story", &["crate::decode", "crate::extract", "crate::record", "crate::service", "crate::cli"]);
    assert_free_of("decode", &["crate::extract", "crate::record", "crate::service", "crate::cli"]);
    assert_free_of("lineage", &["crate::"]);
    assert_free_of("gazetteer", &["crate::decode", "crate::extract", "crate::record", "crate::service", "crate::cli"]);
    assert_free_of("extract", &["crate::service", "crate::cli"]);
    assert_free_of("record", &["crate::service", "crate::cli"]);
    assert_free_of("service", &["crate::cli"]);
}

#[test]
fn the_desk_reaches_for_nothing_outside() {
    let outside = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::io",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
        "std::thread",
        "tokio",
        "async_nats",
        "println!",
        "eprintln!",
        "tracing",
    ];
    for room in ["text", "story", "decode", "lineage", "gazetteer", "extract", "record"] {
        assert_free_of(room, &outside);
    }
}

#[test]
fn the_service_knows_nothing_about_language() {
    // pool.rs is the one door: it calls the desk.
    let mut doors = 0;
    for (path, source) in sources("service") {
        let knows = ["crate::extract", "crate::record"].iter().any(|word| code(&source).contains(word));
        assert!(!knows || path.ends_with("service/pool.rs"), "{} looks into the desk", path.display());
        doors += usize::from(knows);
    }
    assert_eq!(doors, 1, "the door is there, and the search sees it");
}

#[test]
fn only_text_slices_strings() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("string_slice = \"deny\""), "the lint is what keeps it so");
    for room in ["decode", "extract", "lineage", "record", "story", "service", "cli"] {
        for (path, source) in sources(room) {
            let silenced =
                source.contains("allow(clippy::string_slice") || source.contains("expect(clippy::string_slice");
            assert!(!silenced, "{} silences the lint", path.display());
        }
    }
}

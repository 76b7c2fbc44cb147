//! The rooms of `docs/ARCHITECTURE.md`: who may know whom, and what the desk never touches.

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
    lines.collect::<Vec<_>>().join("\n")
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
    for room in ["text", "story", "decode", "extract", "record"] {
        assert_free_of(room, &outside);
    }
}

#[test]
fn the_service_knows_nothing_about_language() {
    // pool.rs is the one door: it calls the desk.
    for (path, source) in sources("service") {
        let knows = ["crate::extract", "crate::record"].iter().any(|word| code(&source).contains(word));
        assert!(!knows || path.ends_with("service/pool.rs"), "{} looks into the desk", path.display());
    }
}

#[test]
fn only_text_slices_strings() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("string_slice = \"deny\""), "the lint is what keeps it so");
    for room in ["decode", "extract", "record", "story", "service", "cli"] {
        for (path, source) in sources(room) {
            let silenced =
                source.contains("allow(clippy::string_slice") || source.contains("expect(clippy::string_slice");
            assert!(!silenced, "{} silences the lint", path.display());
        }
    }
}

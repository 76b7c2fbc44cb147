//! One stage, so many times, and nothing else: what `scripts/instructions.sh` counts.
//!
//! `instructions STAGE TIMES` prints the words of one pass. The counts of two runs of different
//! length differ by the passes alone: start and loading cancel out.

use std::{hint::black_box, path::Path};

use copydesk::{
    decode::{self, Hints},
    extract::{Desk, grammar, layout, names, sentences, tokens},
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(stage), Some(times)) = (arguments.next(), arguments.next().and_then(|times| times.parse().ok())) else {
        // `cargo bench` without a choice of benchmark comes by as well.
        return;
    };
    let times: usize = times;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("stories").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let bytes: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a story")).collect();
    let stories: Vec<_> = bytes.iter().filter_map(|bytes| decode::decode(bytes, &Hints::default()).ok()).collect();
    let words: usize = stories.iter().map(|story| story.text.split_whitespace().count()).sum();
    let prepared: Vec<_> = stories
        .iter()
        .map(|story| {
            let layout = layout::read(&story.text, None);
            let tokens = tokens::run(&story.text, &layout, None);
            let sentences = sentences::run(&story.text, &tokens, &layout, None);
            (story.text.as_str(), layout, tokens, sentences)
        })
        .collect();
    let models = grammar::Models::embedded();
    let found = names::Names::built_in().expect("the built-in model");
    let desk = Desk::new();
    let (mut of_grammar, mut of_names) = (grammar::Scratch::default(), names::Scratch::default());
    for _ in 0..times {
        for (text, layout, tokens, sentences) in &prepared {
            match stage.as_str() {
                "tokens" => drop(black_box(tokens::run(text, layout, None))),
                "sentences" => drop(black_box(sentences::run(text, tokens, layout, None))),
                "grammar" => drop(black_box(grammar::run_with(text, tokens, sentences, models, &mut of_grammar))),
                "names" => drop(black_box(found.run(text, tokens, sentences, &mut of_names))),
                _ => {}
            }
        }
        if stage == "record" {
            for bytes in &bytes {
                let record = desk.read_bytes(bytes, &Hints::default()).ok();
                black_box(record.map(|record| serde_json::to_vec(&record).map_or(0, |json| json.len())));
            }
        }
    }
    println!("{words}");
}

//! Names and grammar → entities, on the sample stories; the stages before it are run once, outside the measure.

use std::path::Path;

use copydesk::{
    decode::{self, Hints},
    extract::{
        Desk, Findings,
        entities::{self, Read},
    },
    story::Story,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn stories() -> Vec<(Story, Findings)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("stories").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let desk = Desk::new();
    let read = |path: &std::path::PathBuf| {
        let story = decode::decode(&std::fs::read(path).expect("a story"), &Hints::default()).ok()?;
        let findings = desk.find(&story);
        Some((story, findings))
    };
    paths.iter().filter_map(read).collect()
}

fn stage(criterion: &mut Criterion) {
    let stories = stories();
    let words: usize = stories.iter().map(|(story, _)| story.text.split_whitespace().count()).sum();
    let mut group = criterion.benchmark_group("entities");
    group.throughput(Throughput::Elements(words as u64));
    group.bench_function("names to entities, words", |bencher| {
        bencher.iter(|| {
            let run = |(story, findings): &(Story, Findings)| {
                let read = Read {
                    text: &story.text,
                    layout: &findings.layout,
                    dateline: findings.dateline.as_ref(),
                    tokens: &findings.tokens,
                    sentences: &findings.sentences,
                    grammar: &findings.grammar,
                    names: &findings.names,
                };
                entities::run(&read).list.len()
            };
            stories.iter().map(run).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, stage);
criterion_main!(benches);

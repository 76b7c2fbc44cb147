//! The whole desk on the sample stories: decode, every stage, the record, its JSON.

use std::path::Path;

use copydesk::{decode::Hints, extract::Desk};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn stories() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("stories").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a story")).collect()
}

fn whole(criterion: &mut Criterion) {
    let (desk, stories) = (Desk::new(), stories());
    let words: usize = stories.iter().map(|story| String::from_utf8_lossy(story).split_whitespace().count()).sum();
    let mut group = criterion.benchmark_group("extract");
    group.throughput(Throughput::Elements(words as u64));
    group.bench_function("bytes to JSON, words", |bencher| {
        bencher.iter(|| {
            let read = |story: &Vec<u8>| desk.read_bytes(story, &Hints::default()).ok();
            stories
                .iter()
                .filter_map(read)
                .map(|record| serde_json::to_vec(&record).map_or(0, |json| json.len()))
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);

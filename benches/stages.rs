//! How many words a second each stage takes on the sample stories, with what the stages before it found given.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod prepared;

fn stages(criterion: &mut Criterion) {
    let stories = prepared::stories();
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(prepared::words(&stories) as u64));
    for (name, stage) in prepared::STAGES {
        group.bench_function(name, |bencher| {
            bencher.iter(|| stories.iter().map(|one| stage(black_box(one))).sum::<usize>());
        });
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);

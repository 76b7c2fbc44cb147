//! How many words a second the times stage takes, everything before it given.

use std::hint::black_box;

use copydesk::{
    extract::{
        grammar::{self, Models},
        layout, sentences, times, tokens,
    },
    story::{ReferenceTime, TimeBasis},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const STORY: &str = "\
The harbour board of Eastmouth said on Tuesday it won't reopen the north pier before Jan. 5, two weeks later than \
planned, after its chief engineer found cracks in 12 of the 15-metre piles.
\"We can't take the risk. Nobody knows how long they'd hold,\" she told reporters in the capital, Port Regent.
Repairs will cost $3.5 million, or about 1,200 crowns a head, and may last several months, according to the ministry, \
which last year put the bill at half of that.
The navy, which has used the pier since the summer of 1953, declined to comment. Its lease runs out in June, when the \
foreign minister is to meet her counterparts at 10 a.m. local time on the first day of a three-day visit.
Eastmouth Rovers play Port Regent United on Saturday; their captain said the pier mattered more to him.
";

fn times(criterion: &mut Criterion) {
    let text = STORY.repeat(5);
    let layout = layout::read(&text, None);
    let tokens = tokens::run(&text, &layout, None);
    let sentences = sentences::run(&text, &tokens, &layout, None);
    let grammar = grammar::run(&text, &tokens, &sentences, Models::embedded());
    let reference = ReferenceTime { value: "2031-03-04T12:00:00Z".to_owned(), basis: TimeBasis::Envelope };
    let mut group = criterion.benchmark_group("times");
    group.throughput(Throughput::Elements(text.split_whitespace().count() as u64));
    group.bench_function("times", |bencher| {
        bencher.iter(|| times::run(black_box(&text), &tokens, &sentences, &grammar, None, Some(&reference)));
    });
    group.finish();
}

criterion_group!(benches, times);
criterion_main!(benches);

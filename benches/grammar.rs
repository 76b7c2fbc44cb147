//! How many words a second tokens and sentences take.

use std::hint::black_box;

use copydesk::extract::{layout, sentences, tokens};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const STORY: &str = "\
The harbour board of Eastmouth said on Tuesday it won't reopen the north pier before Jan. 5, 2031, after \
Dr. Ann I. Moss, its chief engineer, found cracks in 12 of the 15-metre piles.
\"We can't take the risk. Nobody knows how long they'd hold,\" Moss told reporters at 10.30 a.m. \"It's a \
well-known problem, though. Every pier has it.\"
Repairs will cost $3.5 million, or about 1,200 crowns a head, according to figures on www.harbour.example. \
The U.S. Navy, which has used the pier since the 1960s, declined to comment... Its lease runs out in June!
What happens then? “We'll see,” said Gov. Ray Stone, who is no friend of the board's. He left for the U.K. \
The board meets again at 6 p.m. on Friday.
";

fn grammar(criterion: &mut Criterion) {
    let text = STORY.repeat(200);
    let layout = layout::read(&text, None);
    let words = text.split_whitespace().count() as u64;
    let mut group = criterion.benchmark_group("grammar");
    group.throughput(Throughput::Elements(words));
    group.bench_function("tokens", |bencher| bencher.iter(|| tokens::run(black_box(&text), &layout, None)));
    group.bench_function("tokens and sentences", |bencher| {
        bencher.iter(|| {
            let tokens = tokens::run(black_box(&text), &layout, None);
            sentences::run(&text, &tokens, &layout, None)
        });
    });
    group.finish();
}

criterion_group!(benches, grammar);
criterion_main!(benches);

//! How many words a second the names stage takes, tokens and sentences given.

use std::hint::black_box;

use copydesk::extract::{
    layout,
    names::{Names, Scratch},
    sentences, tokens,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const STORY: &str = "\
EASTMOUTH, Norland (Example News) - The harbour board of Eastmouth said on Tuesday it won't reopen the north pier \
before Jan. 5, after Dr. Ann I. Moss, its chief engineer, found cracks in 12 of the 15-metre piles.
\"We can't take the risk. Nobody knows how long they'd hold,\" Moss told reporters in the Norlandish capital, Port \
Regent. \"It's a well-known problem, though. Every pier has it.\"
Repairs will cost $3.5 million, or about 1,200 crowns a head, according to the Ministry of Transport and the Norland \
Federation of Port Workers (NFPW), which called a strike for Friday.
The U.S. Navy, which has used the pier since the Cold War, declined to comment. Its lease runs out in June, when \
Foreign Minister Karel Oduya is to meet his British and Japanese counterparts at the United Nations in Geneva.
Eastmouth Rovers play Port Regent United on Saturday; Rovers captain Tom Reilly said the pier mattered more.
";

fn names(criterion: &mut Criterion) {
    let text = STORY.repeat(5);
    let layout = layout::read(&text, None);
    let tokens = tokens::run(&text, &layout, None);
    let sentences = sentences::run(&text, &tokens, &layout, None);
    let names = Names::built_in().expect("built-in model");
    let mut scratch = Scratch::default();
    let words = text.split_whitespace().count() as u64;
    let mut group = criterion.benchmark_group("names");
    group.throughput(Throughput::Elements(words));
    group.bench_function("names", |bencher| {
        bencher.iter(|| names.run(black_box(&text), &tokens, &sentences, &mut scratch));
    });
    group.finish();
    criterion.bench_function("load the names model", |bencher| bencher.iter(Names::built_in));
}

criterion_group!(benches, names);
criterion_main!(benches);

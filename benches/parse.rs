//! Tags and trees: words a second on one core, over sentences written for this purpose.

use std::hint::black_box;

use copydesk::{conllu, extract::grammar::Models, model::network::Scratch};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Sentences as they stand on the wire, tokens parted by spaces.
const STORY: &str = "\
HARBOUR CITY , March 3 ( Example News ) -
The transport ministry said on Tuesday that it would appeal against the ruling , which stopped work on the northern line .
\" We will not leave eleven thousand commuters on the platform , \" Transport Minister Ada Lindqvist told reporters outside the court .
At least six people were injured when a crane fell across two carriages near the old customs house , according to the fire service .
The company , founded in 1987 by two brothers from the valley , employs about 4,200 people and reported a loss of $ 31.5 million last year .
Police have not said who called them .
Judge Tomas Okafor had ruled in January that the government ignored the objections of residents whose houses stand within thirty metres of the track .
She did n't answer questions about the cost , but an official who spoke on condition of anonymity put it at twice the figure in the budget .
Shares in Northern Rail fell 3.4 per cent to 211 pence before trading was halted shortly after noon .
Hundreds of residents marched from the harbour to the town hall , carrying lanterns and singing .
\" It 's our street , \" one of them , Marta Ilves , said .
The opposition called the decision a victory for common sense and asked the minister to resign .
";

fn parse(criterion: &mut Criterion) {
    let models = Models::embedded();
    let sentences: Vec<Vec<&str>> = STORY.lines().map(|line| line.split(' ').collect()).collect();
    let words: usize = sentences.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(words as u64));
    let mut scratch = Scratch::default();
    group.bench_function("tags and trees", |bencher| {
        bencher.iter(|| {
            for forms in &sentences {
                models.network().read(black_box(forms), &mut scratch);
                black_box(&scratch.readings);
            }
        });
    });
    let table: Vec<conllu::Sentence> = sentences.iter().map(|forms| sentence(forms)).collect();
    let table = conllu::write(&table);
    group.bench_function("conllu to conllu, with lemmas", |bencher| {
        bencher.iter(|| copydesk::extract::grammar::fill_conllu(black_box(&table), models));
    });
    group.finish();
}

fn sentence(forms: &[&str]) -> conllu::Sentence {
    let word = |form: &&str| conllu::Word { form: (*form).to_owned(), ..conllu::Word::default() };
    conllu::Sentence { words: forms.iter().map(word).collect(), ..conllu::Sentence::default() }
}

criterion_group!(benches, parse);
criterion_main!(benches);

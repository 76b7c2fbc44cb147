//! Trains tagger, parser and lemmatiser.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use copydesk::{
    conllu,
    decode::{self, Hints},
    extract::{Desk, grammar::Models},
    model::{
        form,
        lemma::{self, Edit, Lemmatiser},
        matrix,
        network::{self, Sizes},
        parser,
        tagger::{Upos, Xpos},
    },
    story::Format,
};

use crate::{
    data::{self, Outcome, Random},
    network::{Dropout, Example, MEAN_DECAY, Network as Learner, Pace, Pass, SQUARE_DECAY, UNKNOWN, features},
    vectors,
};

/// What the command line may change; the defaults are what the committed model was trained with.
struct Settings {
    data: PathBuf,
    out: PathBuf,
    dev: Option<PathBuf>,
    numbers: BTreeMap<String, f32>,
}

impl Settings {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let mut settings = Self {
            data: "../shared/eval/train".into(),
            out: "data/models".into(),
            dev: None,
            numbers: BTreeMap::new(),
        };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--data" => settings.data = value.into(),
                "--out" => settings.out = value.into(),
                "--dev" => settings.dev = Some(value.into()),
                _ => {
                    let number = value.parse().map_err(|_| format!("{name} {value}: no number"))?;
                    settings.numbers.insert(name.trim_start_matches('-').to_owned(), number);
                }
            }
        }
        Ok(settings)
    }

    fn number(&self, name: &str, default: f32) -> f32 {
        self.numbers.get(name).copied().unwrap_or(default)
    }

    fn size(&self, name: &str, default: usize) -> usize {
        self.number(name, default as f32) as usize
    }
}

/// Batches between two looks at the weights for their mean.
const MEAN_EVERY: usize = 20;

/// The names of one kind of label, commonest first.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Names {
    fn of<'a>(all: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for name in all {
            *counts.entry(name).or_default() += 1;
        }
        let mut order: Vec<(&str, u32)> = counts.into_iter().collect();
        order.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let names: Vec<String> = order.into_iter().map(|(name, _)| name.to_owned()).collect();
        let numbers = names.iter().enumerate().map(|(index, name)| (name.clone(), index as u16)).collect();
        Self { names, numbers }
    }

    fn number(&self, name: &str) -> u16 {
        self.numbers.get(name).copied().unwrap_or_default()
    }
}

/// All names.
struct Sets {
    tags: Names,
    fine_tags: Names,
    labels: Names,
    vocabulary: HashMap<u32, u32>,
}

fn treebank(path: &Path) -> Outcome<Vec<conllu::Sentence>> {
    Ok(conllu::read(&data::text_of(path)?))
}

fn example(sentence: &conllu::Sentence, sets: &Sets, forms: &[String]) -> Example {
    let mut example = Example { rows: features(forms.iter().map(String::as_str)), ..Example::default() };
    let word = |hash: u32| sets.vocabulary.get(&hash).copied().unwrap_or(UNKNOWN);
    example.words =
        example.rows.iter().map(|rows| if rows.word == form::root().word { 1 } else { word(rows.word) }).collect();
    (example.tags, example.fine_tags, example.heads, example.labels) = (vec![0], vec![0], vec![0], vec![0]);
    for word in &sentence.words {
        example.tags.push(sets.tags.number(&word.upos));
        example.fine_tags.push(sets.fine_tags.number(&word.xpos));
        example.heads.push(word.head.unwrap_or_default() as u16);
        example.labels.push(sets.labels.number(&word.deprel));
    }
    example
}

fn forms_of(sentence: &conllu::Sentence) -> Vec<String> {
    sentence.words.iter().map(|word| word.form.clone()).collect()
}

/// `train grammar [--data DIR] [--out DIR] [--dev FILE] [--NAME NUMBER]…`
pub(crate) fn run(arguments: &[String]) -> Outcome<()> {
    let settings = Settings::read(arguments)?;
    let start = Instant::now();
    let mut sentences = Vec::new();
    for path in data::files_of(&settings.data.join("treebank"), ".conllu.gz")? {
        sentences.extend(treebank(&path)?);
    }
    let limit = settings.size("limit", usize::MAX);
    sentences.truncate(limit);
    sentences.retain(|sentence| !sentence.words.is_empty() && sentence.words.len() < 250);
    let words = || sentences.iter().flat_map(|sentence| &sentence.words);

    let mut normal = Vec::new();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for word in words() {
        form::normalise(&word.form, &mut normal);
        *counts.entry(normal.iter().collect()).or_default() += 1;
    }
    let width = settings.size("vectors", 64);
    let learnt = if width > 0 {
        let more: Vec<Vec<String>> = sentences.iter().map(forms_of).collect();
        vectors::train(&settings.data.join("raw"), &more, settings.size("words", 32_000), width)?
    } else {
        vectors::Vectors { words: Vec::new(), values: Vec::new() }
    };
    eprintln!("vectors after {:.0} s", start.elapsed().as_secs_f32());

    // Vocabulary: unknown, root, words with vectors, other words that the treebanks repeat.
    let mut vocabulary = HashMap::new();
    let mut vocabulary_counts = vec![0, 0];
    let mut hashes = vec![0, form::root().word];
    let mut vector_values = vec![0.0; 2 * width];
    let repeated = counts.iter().filter(|(_, count)| **count >= 2).map(|(word, _)| word);
    for (rank, word) in learnt.words.iter().chain(repeated).enumerate() {
        let hash = form::hash(0, word.chars());
        if let std::collections::hash_map::Entry::Vacant(entry) = vocabulary.entry(hash) {
            entry.insert(vocabulary_counts.len() as u32);
            hashes.push(hash);
            vocabulary_counts.push(counts.get(word).copied().unwrap_or_default());
            match learnt.values.get(rank * width..(rank + 1) * width) {
                Some(values) => vector_values.extend_from_slice(values),
                None => vector_values.extend(std::iter::repeat_n(0.0, width)),
            }
        }
    }
    let sets = Sets {
        tags: Names::of(words().map(|word| word.upos.as_str())),
        fine_tags: Names::of(words().map(|word| word.xpos.as_str())),
        labels: Names::of(words().map(|word| word.deprel.as_str())),
        vocabulary,
    };
    let sizes = Sizes {
        input: settings.size("input", 128),
        hidden: settings.size("hidden", 128),
        layers: settings.size("layers", 2),
        arc: settings.size("arc", 48),
        label: settings.size("label", 48),
        tags: sets.tags.names.len(),
        fine_tags: sets.fine_tags.names.len(),
        labels: sets.labels.names.len(),
    };
    eprintln!("{} sentences, vocabulary {}, {sizes:?}", sentences.len(), vocabulary_counts.len());
    // A word counts as rare by how often the treebanks have it.
    (vocabulary_counts[0], vocabulary_counts[1]) = (1, u32::MAX);
    let examples: Vec<Example> = sentences.iter().map(|one| example(one, &sets, &forms_of(one))).collect();
    let dev = match &settings.dev {
        Some(path) => treebank(path)?,
        None => Vec::new(),
    };
    let dev_examples: Vec<Example> = dev.iter().map(|one| example(one, &sets, &forms_of(one))).collect();

    let mut network = Learner::new(sizes, vector_values, width, vocabulary_counts, settings.size("seed", 1) as u64);
    let dropout = Dropout {
        input: settings.number("drop-input", 0.12),
        hidden: settings.number("drop-hidden", 0.15),
        heads: settings.number("drop-heads", 0.15),
    };
    let epochs = settings.size("epochs", 14);
    let batch_words = settings.size("batch", 200);
    let rate = settings.number("rate", 0.004);
    let mut random = Random::new(settings.size("seed", 1) as u64 + 1);
    let mut pass = Pass::default();
    let total_words: usize = examples.iter().map(|one| one.rows.len()).sum();
    let steps_max = (total_words * epochs / batch_words) as f32;
    let (mut step, mut mean_power, mut square_power) = (0.0_f32, 1.0_f32, 1.0_f32);
    // What is kept is a running mean of the weights: the steps of the last few batches weigh most.
    let mean_share = settings.number("mean", 0.03);
    let mut mean = network.clone();
    let mut means = 0.0_f32;
    for epoch in 1..=epochs {
        let mut order: Vec<usize> = (0..examples.len()).collect();
        random.shuffle(&mut order);
        let (mut loss, mut seen) = (0.0, 0);
        let mut rest = &order[..];
        while !rest.is_empty() {
            let mut size = 0;
            let mut taken = 0;
            while taken < rest.len() && size < batch_words {
                size += examples[rest[taken]].rows.len();
                taken += 1;
            }
            let (now, later) = rest.split_at(taken);
            rest = later;
            // One sentence in thirty is shown in capitals, one in sixty in small letters.
            let noisy: Vec<Option<Example>> = now
                .iter()
                .map(|index| match random.below(60) {
                    0 | 1 => Some(cased(&sentences[*index], &sets, str::to_uppercase)),
                    2 => Some(cased(&sentences[*index], &sets, str::to_lowercase)),
                    _ => None,
                })
                .collect();
            let batch: Vec<&Example> =
                now.iter().zip(&noisy).map(|(index, noisy)| noisy.as_ref().unwrap_or(&examples[*index])).collect();
            loss += network.learn(&batch, &mut pass, &mut random, dropout);
            seen += size;
            step += 1.0;
            mean_power *= MEAN_DECAY;
            square_power *= SQUARE_DECAY;
            let warm = (step / 300.0).min(1.0);
            network.step(&Pace {
                rate: rate * warm * (1.0 - step / steps_max).max(0.005),
                mean_correction: 1.0 / (1.0 - mean_power),
                square_correction: 1.0 / (1.0 - square_power),
                scale: 1.0 / size as f32,
            });
            if (step as usize).is_multiple_of(MEAN_EVERY) {
                means += 1.0;
                mean.lean_to(&network, (2.0 / (means + 1.0)).max(mean_share));
            }
        }
        let figures = if dev.is_empty() { String::new() } else { evaluate(&mean, &dev_examples, &dev, &sets) };
        eprintln!("epoch {epoch} loss {:.4} {figures} {:.0} s", loss / seen as f32, start.elapsed().as_secs_f32());
    }
    let mut weights = mean.finished();
    weights.vocabulary = hashes;
    (weights.tags, weights.fine_tags, weights.labels) = (sets.tags.names, sets.fine_tags.names, sets.labels.names);
    data::write(&settings.out.join("grammar.model"), &weights.to_bytes())
}

fn cased(sentence: &conllu::Sentence, sets: &Sets, change: impl Fn(&str) -> String) -> Example {
    let forms: Vec<String> = sentence.words.iter().map(|word| change(&word.form)).collect();
    example(sentence, sets, &forms)
}

fn evaluate(network: &Learner, examples: &[Example], gold: &[conllu::Sentence], sets: &Sets) -> String {
    let mut pass = Pass::default();
    let (mut tags, mut fine_tags, mut attached, mut labelled, mut words) = (0, 0, 0, 0, 0);
    let (mut queries, mut scores, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    let mut hidden = vec![0.0; network.sizes.label];
    for (example, gold) in examples.iter().zip(gold) {
        network.forward(&[example], &mut pass, None);
        network.arc_scores(&pass, 0, &mut queries, &mut scores);
        parser::tree(&scores, gold.words.len(), &mut heads);
        for (index, word) in gold.words.iter().enumerate() {
            let (of_tags, of_fine_tags) = network.tag_scores(&pass, 0, index + 1);
            words += 1;
            tags += u32::from(sets.tags.names[matrix::largest(of_tags)] == word.upos);
            fine_tags += u32::from(sets.fine_tags.names[matrix::largest(of_fine_tags)] == word.xpos);
            let labels = network.label_scores(&pass, 0, index + 1, heads[index] as usize, &mut hidden);
            let label = &sets.labels.names[matrix::largest(&labels[..network.sizes.labels])];
            if word.head == Some(heads[index]) {
                attached += 1;
                labelled += u32::from(label.split(':').next() == word.deprel.split(':').next());
            }
        }
    }
    let share = |count: u32| f64::from(count) * 100.0 / f64::from(words.max(1));
    format!(
        "dev UPOS {:.2} XPOS {:.2} UAS {:.2} LAS {:.2}",
        share(tags),
        share(fine_tags),
        share(attached),
        share(labelled)
    )
}

/// `train parse [--models DIR] [--from conllu|plain] [--to conllu]`: standard input to standard
/// output, to score models that are not built in yet.
pub(crate) fn parse(arguments: &[String]) -> Outcome<()> {
    let mut desk = Desk::new();
    let mut plain = false;
    for pair in arguments.chunks(2) {
        match pair {
            [name, directory] if name == "--models" => {
                let file = |name: &str| std::fs::read(Path::new(directory).join(name));
                desk = desk.with_grammar(Models::from_bytes(&file("grammar.model")?, &file("lemma.model")?)?);
            }
            [name, format] if name == "--from" => plain = format == "plain",
            [name, format] if name == "--to" && format == "conllu" => {}
            _ => return Err("usage: train parse [--models DIR] [--from conllu|plain] [--to conllu]".into()),
        }
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let start = Instant::now();
    let out = if plain {
        let hints = Hints { format: Some(Format::Plain), ..Hints::default() };
        let story = decode::decode(text.as_bytes(), &hints)?;
        desk.to_conllu(&desk.find(&story), &story.text)
    } else {
        desk.parse_conllu(&text)
    };
    eprintln!("{:.3} s", start.elapsed().as_secs_f32());
    print!("{out}");
    Ok(())
}

/// `train speed FILE`: how fast the built-in models tag and parse the tokens of a file, the
/// quickest of ten rounds.
pub(crate) fn speed(arguments: &[String]) -> Outcome<()> {
    let path = arguments.first().ok_or("which file?")?;
    let sentences = treebank(Path::new(path))?;
    let forms: Vec<Vec<&str>> =
        sentences.iter().map(|one| one.words.iter().map(|word| word.form.as_str()).collect()).collect();
    let words: usize = forms.iter().map(Vec::len).sum();
    let mut scratch = network::Scratch::default();
    let models = Models::embedded();
    let mut rates = Vec::new();
    // Short runs, so that some fall between the turns of whatever else the machine does.
    for part in forms.chunks(50).cycle().take(10 * forms.len().div_ceil(50)) {
        let start = Instant::now();
        for forms in part {
            models.network().read(forms, &mut scratch);
        }
        let seconds = start.elapsed().as_secs_f32();
        rates.push(part.iter().map(Vec::len).sum::<usize>() as f32 / seconds);
    }
    rates.sort_by(f32::total_cmp);
    let at = |share: usize| rates.get(rates.len() * share / 100).copied().unwrap_or_default();
    eprintln!(
        "{words} words; words/s by stretches of 50 sentences: median {:.0}, 90th percentile {:.0}",
        at(50),
        at(90)
    );
    Ok(())
}

/// `train lemma [--data DIR] [--out DIR]`
pub(crate) fn lemma(arguments: &[String]) -> Outcome<()> {
    let settings = Settings::read(arguments)?;
    // What each key stands for: edits, with the forms that call for each and how often.
    let mut forms: BTreeMap<(String, Upos, Xpos), BTreeMap<Edit, u32>> = BTreeMap::new();
    for path in data::files_of(&settings.data.join("treebank"), ".conllu.gz")? {
        for word in treebank(&path)?.iter().flat_map(|sentence| &sentence.words) {
            let (Some(upos), Some(xpos)) = (Upos::of(&word.upos), Xpos::of(&word.xpos)) else { continue };
            // What goes with the next word, or is misspelt, is no lesson.
            if word.lemma.is_empty() || word.deprel == "goeswith" || word.feats.contains("Typo=Yes") {
                continue;
            }
            let edit = Edit::between(&word.form, &word.lemma);
            *forms.entry((word.form.clone(), upos, xpos)).or_default().entry(edit).or_default() += 1;
        }
    }
    let mut buffers = lemma::Buffers::default();
    let mut votes: BTreeMap<u32, BTreeMap<&Edit, u32>> = BTreeMap::new();
    let endings = lemma::ENDING_MAX + 1;
    for ((form, upos, xpos), edits) in &forms {
        lemma::keys(form, *upos, *xpos, &mut buffers);
        let keys = &buffers.keys;
        let whole = keys.len() - 3;
        for (at, key) in keys.iter().enumerate() {
            for (edit, count) in edits {
                // Endings learn from different forms, whole forms from every occurrence.
                let weight = if at < whole { 1 } else { *count };
                *votes.entry(*key).or_default().entry(edit).or_default() += weight;
            }
        }
    }
    let best = |key: &u32| {
        let edits = votes.get(key)?;
        let (edit, count) = edits.iter().max_by_key(|(edit, count)| (**count, std::cmp::Reverse(**edit)))?;
        Some(((*edit).clone(), *count))
    };
    // A key is kept when it says something other than the less particular keys before it.
    let mut kept: BTreeMap<u32, Edit> = BTreeMap::new();
    for level in 0..endings + 3 {
        for (form, upos, xpos) in forms.keys() {
            lemma::keys(form, *upos, *xpos, &mut buffers);
            let keys = &buffers.keys;
            let whole = keys.len() - 3;
            let at = if level < endings { level } else { whole + level - endings };
            if level < endings && level >= whole {
                continue;
            }
            let said = keys[..at].iter().rev().find_map(|key| kept.get(key));
            let Some((edit, count)) = best(&keys[at]) else { continue };
            if said != Some(&edit) && (level == 0 || level >= endings || count >= 2) {
                kept.insert(keys[at], edit);
            }
        }
    }
    let edits: Vec<Edit> = kept.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let number = |edit: &Edit| edits.binary_search(edit).unwrap_or_default() as u16;
    let rules: Vec<(u32, u16)> = kept.iter().map(|(key, edit)| (*key, number(edit))).collect();
    eprintln!("lemma: {} edits, {} rules", edits.len(), rules.len());
    data::write(&settings.out.join("lemma.model"), &Lemmatiser::new(edits, &rules).to_bytes())
}

//! Trains the names model. `train names help` lists the options; `train/README.md` explains them.

mod corpus;
mod crf;
mod lexicon;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    io::Write,
    path::PathBuf,
    time::Instant,
};

use copydesk::{
    extract::names::{
        MODEL, Names, Scratch, VERSION,
        features::Document,
        lexicon::{Entry, Lexicon},
    },
    model::{crf::Rows, file},
};

use self::{
    corpus::Sample,
    crf::{Instances, Settings, Weights},
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage:
  train names --eval DIR --words FILE --out FILE [--labels FILE] [--set KEY=VALUE]...
  train names tag MODEL < envelopes > records
  train names speed MODEL RAW.jsonl.gz";

/// What the trainer was asked to do.
struct Options {
    eval: PathBuf,
    words: PathBuf,
    out: PathBuf,
    labels: Option<PathBuf>,
    numbers: BTreeMap<String, f32>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        for pair in arguments.chunks(2) {
            let [key, value] = pair else { return Err(USAGE.into()) };
            if key == "--set" {
                let (name, number) = value.split_once('=').ok_or(USAGE)?;
                numbers.insert(name.to_owned(), number.parse()?);
            } else {
                values.insert(key, value);
            }
        }
        let path = |key: &str| values.get(key).map(PathBuf::from);
        Ok(Self {
            eval: path("--eval").ok_or(USAGE)?,
            words: path("--words").ok_or(USAGE)?,
            out: path("--out").ok_or(USAGE)?,
            labels: path("--labels"),
            numbers,
        })
    }

    fn number(&self, key: &str, default: f32) -> f32 {
        self.numbers.get(key).copied().unwrap_or(default)
    }
}

/// The `names` command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("tag") => return tag(arguments.get(1).ok_or(USAGE)?),
        Some("speed") => return speed(arguments.get(1).ok_or(USAGE)?, arguments.get(2).ok_or(USAGE)?),
        Some(first) if first.starts_with("--") => {}
        _ => return Err(USAGE.into()),
    }
    let options = Options::parse(arguments)?;
    let clock = Instant::now();
    let note = |what: &str| eprintln!("{:>6.1}s {what}", clock.elapsed().as_secs_f32());

    let phrases = lexicon::phrases(&options.words, &options.eval.join("gazetteer"))?;
    let raw = options.eval.join("train/raw");
    let mut entries = lexicon::with_corpus(&phrases, &raw, &options)?;
    note(&format!("{} lexicon entries", entries.len()));
    let mut samples = corpus::read(&options.eval.join("train/ner"), &Lexicon::new(&entries))?;
    let settings = Settings::from(&options);
    let mut quick = settings.clone();
    quick.epochs = options.number("fold_epochs", 8.0) as usize;
    let mut labelled = BTreeSet::new();
    if let Some(labels) = &options.labels {
        // Where the teacher and a model of the gold alone differ, both may be right.
        let instances = gather(&samples, &Lexicon::new(&entries));
        let weights = crf::train(&instances, &quick, None, |_| true, &note);
        let payload = payload(&entries, &weights, &weights.clone().emptied(), settings.threshold).0;
        let reader = Names::from_payload(&payload)?;
        samples.extend(corpus::read_labelled(labels, &raw, &options, &reader, &mut labelled)?);
    }
    note(&format!("{} documents, {} tokens", samples.len(), samples.iter().map(|s| s.tokens.len()).sum::<usize>()));
    let plain = samples.len();
    corpus::add_noise(&mut samples, &options);
    note(&format!("{} documents with case noise", samples.len()));

    // What a model without it calls the names of the raw text becomes a list of known names.
    if options.number("known", 0.0) > 0.0 {
        let lexicon = Lexicon::new(&entries);
        let instances = gather(&samples, &lexicon);
        let weights = crf::train(&instances, &quick, None, |_| true, &note);
        let payload = payload(&entries, &weights, &weights.clone().emptied(), settings.threshold).0;
        let reader = Names::from_payload(&payload)?;
        lexicon::add_known(&mut entries, &reader, &raw, &labelled, &options)?;
        note(&format!("{} lexicon entries with known names", entries.len()));
    }

    let lexicon = Lexicon::new(&entries);
    let instances = gather(&samples, &lexicon);
    note(&format!("{} stretches, {} tokens, {} features", instances.count(), instances.tokens(), instances.features()));
    let first = crf::train(&instances, &settings, None, |_| true, &note);

    // The second pass learns from what a first pass says that has not seen the document.
    let mut second_instances = Instances::default();
    let folds = options.number("folds", 2.0) as usize;
    let mut fold_settings = settings.clone();
    fold_settings.epochs = options.number("fold_epochs", 8.0) as usize;
    for fold in 0..folds {
        let held = |sample: usize| samples[sample].origin % folds == fold;
        let weights = crf::train(&instances, &fold_settings, None, |sample| !held(sample), &note);
        let weights = weights.quantised(&settings);
        add_second(&samples[..plain], &lexicon, &instances, &weights, &held, &mut second_instances);
    }
    second_instances.finish();
    note(&format!("{} stretches for the second pass", second_instances.count()));
    let mut second_settings = settings.clone();
    second_settings.epochs = options.number("second_epochs", 8.0) as usize;
    second_settings.rate = options.number("second_rate", 0.02);
    let mut second = crf::train(&second_instances, &second_settings, Some(&first), |_| true, &note);
    if options.number("second", 1.0) == 0.0 {
        second = first.clone().emptied();
    }

    let (payload, rows, lexicon_bytes) = payload(&entries, &first, &second, settings.threshold);
    let bytes = file::seal(MODEL, VERSION, &payload);
    std::fs::write(&options.out, &bytes)?;
    note(&format!("{rows} rows, {} bytes, of which lexicon {lexicon_bytes}", bytes.len()));
    Ok(())
}

/// A model's payload, its rows and the bytes of its lexicon.
fn payload(entries: &[(u32, Entry)], first: &Weights, second: &Weights, threshold: f32) -> (Vec<u8>, usize, usize) {
    let mut payload = Vec::new();
    Lexicon::write(entries, &mut payload);
    let lexicon_bytes = payload.len();
    first.chain().write(&mut payload);
    second.chain().write(&mut payload);
    let mut rows = first.rows(threshold);
    rows.extend(second.rows(threshold));
    rows.sort_by_key(|(feature, _)| *feature);
    rows.dedup_by_key(|(feature, _)| *feature);
    Rows::write(&rows, &mut payload);
    (payload, rows.len(), lexicon_bytes)
}

/// Features and open labels of every stretch.
fn gather(samples: &[Sample], lexicon: &Lexicon) -> Instances {
    let mut instances = Instances::default();
    let mut document = Document::default();
    for (index, sample) in samples.iter().enumerate() {
        document.read(&sample.text, &sample.tokens, &sample.sentences, lexicon);
        for stretch in document.stretches() {
            instances.begin(index, sample.weight);
            document.features(&sample.text, &sample.tokens, *stretch, |at, features| {
                instances.push(features, sample.allowed[at], None);
            });
        }
    }
    instances.finish();
    instances
}

/// Runs a first pass over the documents that it has not seen and gathers what a second one reads.
fn add_second(
    samples: &[Sample],
    lexicon: &Lexicon,
    instances: &Instances,
    weights: &Weights,
    held: &dyn Fn(usize) -> bool,
    out: &mut Instances,
) {
    let mut document = Document::default();
    let mut list = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        if !held(index) {
            continue;
        }
        document.read(&sample.text, &sample.tokens, &sample.sentences, lexicon);
        let mut scores = Vec::new();
        let mut found = Vec::new();
        for (stretch, instance) in document.stretches().iter().zip(instances.of_sample(index)) {
            let emission = weights.emissions(instances, instance);
            for stretch_found in weights.decode(&emission) {
                found.push((
                    stretch.0 + stretch_found.start,
                    stretch.0 + stretch_found.end,
                    stretch_found.class,
                    stretch_found.percent,
                ));
            }
            scores.push(emission);
        }
        document.vote(found.into_iter());
        for (stretch, emission) in document.stretches().iter().zip(&scores) {
            out.begin(index, sample.weight);
            for (at, score) in (stretch.0..stretch.1).zip(emission) {
                document.second_features(at as usize, &mut list);
                out.push(&list, sample.allowed[at as usize], Some(*score));
            }
        }
    }
}

/// Reads envelopes and prints records with a model from a file.
fn tag(model: &str) -> Result<()> {
    use copydesk::{decode::Hints, extract::Desk};
    let desk = Desk::new().with_names(Names::load(&std::fs::read(model)?)?);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lines() {
        let record = desk.read_bytes(line?.as_bytes(), &Hints::default())?;
        writeln!(out, "{}", serde_json::to_string(&record)?)?;
    }
    Ok(())
}

/// Times the stage alone over raw text: the best of five rounds.
fn speed(model: &str, raw: &str) -> Result<()> {
    let names = Names::load(&std::fs::read(model)?)?;
    let mut stories = Vec::new();
    for line in corpus::inflate(raw.as_ref())?.lines() {
        let story: corpus::Raw = serde_json::from_str(line)?;
        let (tokens, sentences) = corpus::read_stage(&story.text);
        stories.push((story.text, tokens, sentences));
    }
    let words: usize = stories.iter().map(|(text, ..)| text.split_whitespace().count()).sum();
    let mut scratch = Scratch::default();
    for _ in 0..5 {
        let clock = Instant::now();
        let found: usize = stories
            .iter()
            .map(|(text, tokens, sentences)| names.run(text, tokens, sentences, &mut scratch).len())
            .sum();
        let seconds = clock.elapsed().as_secs_f32();
        println!("{words} words, {found} names, {:.0} words/s", words as f32 / seconds);
    }
    Ok(())
}

/// An entry with these flags.
pub(crate) fn flagged(flags: u32, reach: u64) -> Entry {
    Entry(u64::from(flags) | reach.min(7) << 24)
}

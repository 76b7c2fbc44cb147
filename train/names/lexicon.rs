//! Word lists, gazetteer and corpus counts → the lexicon of the model.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use copydesk::extract::names::{
    Class, Names, Scratch,
    features::Document,
    lexicon::{Entry, Lexicon, PHRASE_TOKENS_MAX, kind_bit, phrase_hash, word_hash},
};

use super::{
    Options, Result,
    corpus::{self, read_stage},
};

/// Phrases by hash: flags and how far phrases that begin with the word reach.
pub(crate) type Phrases = BTreeMap<u32, (u32, u64)>;

/// Reads the word lists and the gazetteer.
pub(crate) fn phrases(words: &Path, gazetteer: &Path) -> Result<Phrases> {
    let mut phrases = Phrases::new();
    for line in std::fs::read_to_string(words)?.lines().filter(|line| !line.starts_with('#')) {
        let Some((kind, list)) = line.split_once(':') else { continue };
        let bit = kind_bit(kind.trim());
        if bit == 0 {
            return Err(format!("{}: no such kind: {kind}", words.display()).into());
        }
        for phrase in list.split(';') {
            add(&mut phrases, phrase.trim(), bit);
        }
    }
    let table = |name: &str| -> Result<Vec<Vec<String>>> {
        let text = corpus::inflate(&gazetteer.join(name))?;
        Ok(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    };
    let cell = |row: &[String], index: usize| row.get(index).cloned().unwrap_or_default();
    for row in table("countryInfo.tsv.gz")? {
        add(&mut phrases, &cell(&row, 4), kind_bit("country"));
    }
    for row in table("admin1.tsv.gz")? {
        add(&mut phrases, &cell(&row, 1), kind_bit("admin1"));
        add(&mut phrases, &cell(&row, 2), kind_bit("admin1"));
    }
    for row in table("cities15000.tsv.gz")? {
        let people: u32 = cell(&row, 10).parse().unwrap_or(0);
        let kind = match people {
            300_000.. => "city_big",
            70_000.. => "city_mid",
            _ => "city_small",
        };
        add(&mut phrases, &cell(&row, 1), kind_bit(kind));
        add(&mut phrases, &cell(&row, 2), kind_bit(kind));
    }
    for row in table("first-names.tsv.gz")? {
        add(&mut phrases, &cell(&row, 0), kind_bit("first"));
    }
    Ok(phrases)
}

fn add(phrases: &mut Phrases, phrase: &str, bit: u32) {
    let (tokens, _) = read_stage(phrase);
    let hashes: Vec<u32> = tokens.iter().map(|token| word_hash(token.span.of(phrase))).collect();
    if hashes.is_empty() || hashes.len() > PHRASE_TOKENS_MAX {
        return;
    }
    let whole = hashes.iter().skip(1).fold(hashes[0], |hash, word| phrase_hash(hash, *word));
    phrases.entry(whole).or_default().0 |= bit;
    let reach = &mut phrases.entry(hashes[0]).or_default().1;
    *reach = (*reach).max(hashes.len() as u64);
    // A plural names the group as the singular does.
    if bit == kind_bit("group") && !phrase.ends_with('s') && !phrase.ends_with("sh") && !phrase.ends_with("ch") {
        add(phrases, &format!("{phrase}s"), bit);
    }
}

/// What a corpus says of a word.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    capital: u32,
    lower: u32,
    cues: [u32; 8],
}

/// Adds what large corpora say of each word.
pub(crate) fn with_corpus(phrases: &Phrases, raw: &Path, options: &Options) -> Result<Vec<(u32, Entry)>> {
    let mut entries: BTreeMap<u32, u64> =
        phrases.iter().map(|(hash, (flags, reach))| (*hash, super::flagged(*flags, *reach).0)).collect();
    let plain: Vec<(u32, Entry)> = entries.iter().map(|(hash, bits)| (*hash, Entry(*bits))).collect();
    let lexicon = Lexicon::new(&plain);
    let mut counts: BTreeMap<u32, Count> = BTreeMap::new();
    let mut document = Document::default();
    let every = options.number("raw_every", 1.0) as usize;
    for path in corpus::files(raw)? {
        for (index, line) in corpus::inflate(&path)?.lines().enumerate() {
            if index % every != 0 {
                continue;
            }
            let story: corpus::Raw = serde_json::from_str(line)?;
            let (tokens, sentences) = read_stage(&story.text);
            document.read(&story.text, &tokens, &sentences, &lexicon);
            for at in 0..tokens.len() {
                let Some((hash, cues, inner)) = document.occurrence(at) else { continue };
                let count = counts.entry(hash).or_default();
                if document.is_capital(at) {
                    count.capital += u32::from(inner);
                    for (bit, sum) in count.cues.iter_mut().enumerate() {
                        *sum += u32::from(cues >> bit & 1);
                    }
                } else {
                    count.lower += u32::from(inner);
                }
            }
        }
    }
    let least = options.number("word_least", 5.0) as u32;
    for (hash, count) in &counts {
        let total = count.capital + count.lower;
        if total < least {
            continue;
        }
        let share = count.capital * 1000 / total;
        let capital = match share {
            0..=5 => 1,
            6..=50 => 2,
            51..=200 => 3,
            201..=500 => 4,
            501..=850 => 5,
            851..=980 => 6,
            _ => 7_u64,
        };
        let mut company = 0_u64;
        if count.capital >= least {
            // Title, first name, place word, "said", organisation: see the cues of the features.
            for (place, cue) in [2, 4, 5, 3, 6].into_iter().enumerate() {
                let share = count.cues[cue] * 100 / count.capital.max(1);
                let step = match share {
                    0..=1 => 0,
                    2..=9 => 1,
                    10..=29 => 2,
                    _ => 3_u64,
                };
                company |= step << (2 * place);
            }
        }
        let bits = capital << 27 | company << 30;
        // A word that is never capitalised and in no list says nothing by itself.
        *entries.entry(*hash).or_default() |= bits;
    }
    Ok(entries.into_iter().map(|(hash, bits)| (hash, Entry(bits))).collect())
}

/// Adds what a model calls the names of raw text, but for documents whose labels are learnt from.
pub(crate) fn add_known(
    entries: &mut Vec<(u32, Entry)>,
    names: &Names,
    raw: &Path,
    labelled: &BTreeSet<String>,
    options: &Options,
) -> Result<()> {
    // Phrase → votes by class; a phrase's first word and length come with it.
    let mut votes: BTreeMap<u32, (u32, u64, [u32; 6])> = BTreeMap::new();
    let mut scratch = Scratch::default();
    let every = options.number("raw_every", 1.0) as usize;
    for path in corpus::files(raw)? {
        let source = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .trim_end_matches(".jsonl.gz")
            .to_owned();
        for (index, line) in corpus::inflate(&path)?.lines().enumerate() {
            if index % every != 0 {
                continue;
            }
            let story: corpus::Raw = serde_json::from_str(line)?;
            if labelled.contains(&format!("{source}/{}", story.id)) {
                continue;
            }
            let (tokens, sentences) = read_stage(&story.text);
            for mention in names.run(&story.text, &tokens, &sentences, &mut scratch) {
                let range = mention.tokens.0 as usize..mention.tokens.1 as usize;
                if range.len() > PHRASE_TOKENS_MAX || mention.confidence_percent < 40 {
                    continue;
                }
                let words = tokens[range].iter().map(|token| word_hash(token.span.of(&story.text)));
                let mut words = words.enumerate();
                let Some((_, first)) = words.next() else { continue };
                let (mut whole, mut length) = (first, 1);
                for (at, word) in words {
                    whole = phrase_hash(whole, word);
                    length = at as u64 + 1;
                }
                let vote = votes.entry(whole).or_insert((first, length, [0; 6]));
                vote.2[Class::ALL.iter().position(|class| *class == mention.class).unwrap_or_default()] += 1;
            }
        }
    }
    let least = options.number("known_least", 4.0) as u32;
    let mut bits: BTreeMap<u32, u64> = entries.iter().map(|(hash, entry)| (*hash, entry.0)).collect();
    for (whole, (first, length, counts)) in votes {
        let total: u32 = counts.iter().sum();
        let best = (0..6).rev().max_by_key(|class| counts[*class]).unwrap_or_default();
        if total < least {
            continue;
        }
        let share = counts[best] * 100 / total;
        let sure = match share {
            0..=69 => 0,
            70..=89 => 1,
            90..=97 => 2,
            _ => 3_u64,
        };
        *bits.entry(whole).or_default() |= (best as u64 * 4 + sure + 1) << 50;
        let head = bits.entry(first).or_default();
        let reach = (*head >> 24 & 7).max(length);
        *head = *head & !(7 << 24) | reach << 24;
    }
    *entries = bits.into_iter().map(|(hash, bits)| (hash, Entry(bits))).collect();
    Ok(())
}

//! Training sets → documents with the labels that the gold leaves open for each token.

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
};

use copydesk::{
    extract::{
        layout,
        names::{
            Class, Names, Scratch,
            lexicon::{Lexicon, kind_bit, phrase_hash, word_hash},
        },
        sentences::{self, Sentence},
        tokens::{self, Token},
    },
    text::Span,
};
use serde::Deserialize;

use super::{
    Options, Result,
    crf::{ANY, Random},
};

const PER: usize = 0;
const ORG: usize = 1;
const LOC: usize = 2;
const GROUP: usize = 3;
const EVENT: usize = 4;
const WORK: usize = 5;

/// The labels inside a name.
const INSIDE: u16 = 0b1_0101_0101_0100;

/// A document to learn from.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) sentences: Vec<Sentence>,
    /// Labels that the gold leaves open, a bit each.
    pub(crate) allowed: Vec<u16>,
    pub(crate) weight: f32,
    /// The document that this is a copy of; its own number if it is none.
    pub(crate) origin: usize,
}

/// A line of an unlabelled set.
#[derive(Debug, Deserialize)]
pub(crate) struct Raw {
    pub(crate) id: String,
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
struct Labelled {
    text: String,
    gold: Gold,
}

#[derive(Debug, Deserialize)]
struct Gold {
    entities: Vec<Entity>,
}

#[derive(Debug, Deserialize)]
struct Entity {
    start: u32,
    end: u32,
    #[serde(rename = "type")]
    class: String,
}

#[derive(Debug, Deserialize)]
struct TeacherLine {
    source: String,
    id: String,
    entities: Vec<(u32, u32, String, u8)>,
}

/// A set and the classes that it does not mark.
struct Set {
    name: &'static str,
    unmarked: &'static [usize],
    /// Marks common nouns and pronouns too, or only some of the names.
    loose: bool,
    /// Leaves names of its own classes unmarked.
    partial: bool,
    weight: f32,
}

const SETS: [Set; 8] = [
    Set { name: "wikigold", unmarked: &[], loose: false, partial: false, weight: 1.0 },
    Set { name: "wnut17", unmarked: &[GROUP], loose: false, partial: false, weight: 0.7 },
    Set { name: "btc", unmarked: &[GROUP, EVENT, WORK], loose: false, partial: false, weight: 0.7 },
    Set { name: "re3d", unmarked: &[EVENT, WORK], loose: true, partial: false, weight: 1.0 },
    Set { name: "crossner-politics", unmarked: &[], loose: false, partial: false, weight: 1.0 },
    Set { name: "uner-ewt-dev", unmarked: &[GROUP, EVENT, WORK], loose: false, partial: false, weight: 1.0 },
    Set { name: "gum-named", unmarked: &[GROUP], loose: false, partial: false, weight: 1.0 },
    Set { name: "meantime", unmarked: &[], loose: true, partial: true, weight: 0.7 },
];

/// The text of a gzip file.
pub(crate) fn inflate(path: &Path) -> Result<String> {
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?;
    Ok(text)
}

/// The gzip files of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    Ok(files)
}

/// Tokens and sentences as the desk makes them.
pub(crate) fn read_stage(text: &str) -> (Vec<Token>, Vec<Sentence>) {
    let layout = layout::read(text, None);
    let tokens = tokens::run(text, &layout, None);
    let sentences = sentences::run(text, &tokens, &layout, None);
    (tokens, sentences)
}

/// Reads the labelled sets.
pub(crate) fn read(folder: &Path, lexicon: &Lexicon) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for set in &SETS {
        for line in inflate(&folder.join(format!("{}.jsonl.gz", set.name)))?.lines() {
            let labelled: Labelled = serde_json::from_str(line)?;
            let origin = samples.len();
            samples.push(sample(set, &labelled, lexicon, origin));
        }
    }
    Ok(samples)
}

/// Byte offsets of code point offsets.
fn bytes_of(text: &str) -> Vec<usize> {
    text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect()
}

fn begin(class: usize) -> u16 {
    1 << (1 + 2 * class)
}

fn inside(class: usize) -> u16 {
    1 << (2 + 2 * class)
}

fn sample(set: &Set, labelled: &Labelled, lexicon: &Lexicon, origin: usize) -> Sample {
    let story = labelled.text.as_str();
    let offsets = bytes_of(story);
    let (tokens, sentences) = read_stage(story);
    let words: Vec<&str> = tokens.iter().map(|token| token.span.of(story)).collect();
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    let group = |word: &str| lexicon.get(word_hash(word)).flags() & kind_bit("group") != 0;
    let mut allowed: Vec<u16> = words
        .iter()
        .map(|word| {
            if set.partial && capital(word) {
                ANY
            } else if capital(word) {
                set.unmarked.iter().fold(1, |bits, class| bits | begin(*class) | inside(*class))
            } else {
                1
            }
        })
        .collect();
    let mut taken = vec![false; tokens.len()];
    for entity in &labelled.gold.entities {
        let (Some(start), Some(end)) = (offsets.get(entity.start as usize), offsets.get(entity.end as usize)) else {
            continue;
        };
        let mut class = match entity.class.as_str() {
            "PER" => Some(PER),
            "ORG" => Some(ORG),
            "LOC" => Some(LOC),
            "NORP" => Some(GROUP),
            "EVENT" => Some(EVENT),
            "WORK" => Some(WORK),
            "MISC" => None,
            _ => continue,
        };
        let span = Span::new(*start, *end);
        let first = tokens.partition_point(|token| token.span.end <= span.start);
        let last = tokens.partition_point(|token| token.span.start < span.end);
        let Some((mut first, last)) = trim(&words, first, last, class == Some(PER)) else { continue };
        if set.loose {
            let fits = |word: &&str| capital(word) || !word.starts_with(char::is_alphabetic) || is_joint(word);
            let pronoun = last - first == 1 && PRONOUNS.contains(&words[first].to_lowercase().as_str());
            if pronoun || !capital(words[first]) || !words[first..last].iter().all(fits) {
                for at in first..last {
                    allowed[at] = if capital(words[at]) && !pronoun { ANY } else { 1 };
                    taken[at] = true;
                }
                continue;
            }
        }
        if last - first == 1 && set.name != "crossner-politics" && class != Some(ORG) && group(words[first]) {
            class = Some(GROUP);
        }
        // A country that acts stays a place.
        if set.loose && class == Some(ORG) && country(lexicon, &words[first..last]) {
            class = Some(LOC);
        }
        let head = first;
        while first < last {
            allowed[first] = match class {
                Some(class) if first == head => begin(class),
                Some(class) => inside(class),
                None => [GROUP, EVENT, WORK]
                    .iter()
                    .fold(1, |bits, class| bits | if first == head { begin(*class) } else { inside(*class) }),
            };
            taken[first] = true;
            first += 1;
        }
    }
    // A nationality that the set does not mark is one all the same.
    let unmarked = set.unmarked.contains(&GROUP);
    for at in 0..words.len() {
        if unmarked && !taken[at] && words[at].len() > 2 && capital(words[at]) && group(words[at]) {
            allowed[at] = begin(GROUP);
        }
    }
    Sample { text: labelled.text.clone(), tokens, sentences, allowed, weight: set.weight, origin }
}

/// Whether the words name a country and, as far as the lexicon knows, no person.
fn country(lexicon: &Lexicon, words: &[&str]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    let hash = rest.iter().fold(word_hash(first), |hash, word| phrase_hash(hash, word_hash(word)));
    let flags = lexicon.get(hash).flags();
    let person = kind_bit("first") | kind_bit("surname");
    flags & (kind_bit("country") | kind_bit("place")) != 0
        && flags & (person | kind_bit("org")) == 0
        && first.starts_with(char::is_uppercase)
}

/// Whether a word is a nationality or the like and, as far as the lexicon knows, nothing else.
fn is_group(lexicon: &Lexicon, word: &str) -> bool {
    let flags = lexicon.get(word_hash(word)).flags();
    let group = kind_bit("group");
    word.len() > 2 && word.starts_with(char::is_uppercase) && flags & group != 0 && flags & !group == 0
}

/// Words in lower case that stand inside names.
fn is_joint(word: &str) -> bool {
    matches!(
        word,
        "of" | "the"
            | "and"
            | "for"
            | "de"
            | "la"
            | "le"
            | "al"
            | "el"
            | "bin"
            | "ibn"
            | "van"
            | "von"
            | "der"
            | "den"
            | "in"
            | "on"
            | "to"
            | "du"
            | "di"
            | "da"
            | "dos"
            | "del"
            | "a"
            | "an"
            | "at"
            | "with"
            | "y"
            | "und"
            | "des"
            | "’s"
            | "'s"
    )
}

const PRONOUNS: [&str; 16] =
    ["i", "we", "he", "she", "they", "it", "our", "his", "her", "their", "its", "us", "you", "who", "this", "these"];
const ARTICLES: [&str; 9] = ["the", "a", "an", "our", "his", "her", "its", "their", "then"];
const HONORIFICS: &str = " mr mrs ms miss dr prof professor sir lord lady sen senator rep representative gov governor gen general \
    col colonel lt capt captain sgt president vice prime minister premier king queen prince princess pope ambassador secretary \
    chancellor judge justice rev reverend sheikh ayatollah imam foreign defence defense deputy commander admiral rabbi bishop \
    former late h.e. he secretary-general ";

/// A name without article, title and possessive mark; nothing when nothing is left.
fn trim(words: &[&str], mut first: usize, mut last: usize, person: bool) -> Option<(usize, usize)> {
    while first < last && ARTICLES.contains(&words[first].to_lowercase().as_str()) && last - first > 1 {
        first += 1;
    }
    if person {
        while first < last {
            let word = words[first].to_lowercase();
            let bare = word.trim_end_matches('.');
            if word == "-" && first > 0 || HONORIFICS.contains(&format!(" {bare} ")) {
                first += 1;
            } else {
                break;
            }
        }
    }
    while last > first && matches!(words[last - 1], "'s" | "’s" | "'" | "’") {
        last -= 1;
    }
    (first < last).then_some((first, last))
}

/// Reads raw text with the labels that a teacher gave; where it was unsure anything may stand.
pub(crate) fn read_labelled(
    labels: &Path,
    raw: &Path,
    options: &Options,
    reader: &Names,
    seen: &mut BTreeSet<String>,
) -> Result<Vec<Sample>> {
    let mut by_source: std::collections::BTreeMap<String, Vec<TeacherLine>> = std::collections::BTreeMap::new();
    for line in inflate(labels)?.lines() {
        let line: TeacherLine = serde_json::from_str(line)?;
        by_source.entry(line.source.clone()).or_default().push(line);
    }
    let sure = options.number("teacher_sure", 85.0) as u8;
    let doubt = options.number("teacher_doubt", 80.0) as u8;
    let mut scratch = Scratch::default();
    let weight = options.number("teacher_weight", 1.0);
    let mut samples = Vec::new();
    for (source, lines) in by_source {
        let stories: std::collections::BTreeMap<String, String> = inflate(&raw.join(format!("{source}.jsonl.gz")))?
            .lines()
            .map(|line| serde_json::from_str::<Raw>(line).map(|raw| (raw.id, raw.text)))
            .collect::<std::result::Result<_, _>>()?;
        for line in lines {
            let Some(story) = stories.get(&line.id) else { continue };
            seen.insert(format!("{source}/{}", line.id));
            let offsets = bytes_of(story);
            let (tokens, sentences) = read_stage(story);
            let mut allowed = vec![1_u16; tokens.len()];
            // How sure the teacher is of each token; outside names it does not say.
            let mut percents = vec![90_u8; tokens.len()];
            for (start, end, class, percent) in &line.entities {
                let (Some(start), Some(end)) = (offsets.get(*start as usize), offsets.get(*end as usize)) else {
                    continue;
                };
                let class = match class.as_str() {
                    "PER" => PER,
                    "ORG" => ORG,
                    "LOC" => LOC,
                    "NORP" => GROUP,
                    "EVENT" => EVENT,
                    _ => WORK,
                };
                let first = tokens.partition_point(|token| token.span.end() <= *start);
                let last = tokens.partition_point(|token| token.span.start() < *end);
                let alone = last == first + 1;
                if alone && PRONOUNS.contains(&tokens[first].span.of(story).to_lowercase().as_str()) {
                    continue;
                }
                for at in first..last {
                    allowed[at] = if at == first { begin(class) } else { inside(class) };
                    percents[at] = *percent;
                }
            }
            let words: Vec<&str> = tokens.iter().map(|token| token.span.of(story)).collect();
            for at in 0..words.len() {
                for end in (at + 1..=words.len().min(at + 3)).rev() {
                    let free = allowed[at..end].iter().all(|allowed| *allowed == 1);
                    let body =
                        allowed[at] == begin(ORG) && allowed[at + 1..end].iter().all(|allowed| *allowed == inside(ORG));
                    let apart = allowed.get(end).is_none_or(|next| next & INSIDE == 0);
                    if (free || body) && apart && country(reader.lexicon(), &words[at..end]) {
                        for inner in at..end {
                            allowed[inner] = if inner == at { begin(LOC) } else { inside(LOC) };
                            percents[inner] = 100;
                        }
                        break;
                    }
                }
            }
            let mut second = vec![1_u16; tokens.len()];
            let mut second_percents = vec![0_u8; tokens.len()];
            for mention in reader.run(story, &tokens, &sentences, &mut scratch) {
                let class = Class::ALL.iter().position(|class| *class == mention.class).unwrap_or_default();
                for at in mention.tokens.0..mention.tokens.1 {
                    second[at as usize] = if at == mention.tokens.0 { begin(class) } else { inside(class) };
                    second_percents[at as usize] = mention.confidence_percent;
                }
            }
            for at in 0..tokens.len() {
                let word = tokens[at].span.of(story);
                let alone = allowed.get(at + 1).is_none_or(|next| next & INSIDE == 0);
                if (allowed[at] == 1 || allowed[at] & INSIDE == 0 && alone) && is_group(reader.lexicon(), word) {
                    allowed[at] = begin(GROUP);
                    continue;
                }
                let differ = allowed[at] != second[at];
                let outside = allowed[at] == 1;
                if differ && percents[at] < sure || differ && outside && second_percents[at] >= doubt {
                    allowed[at] |= second[at];
                }
            }
            samples.push(Sample { text: story.clone(), tokens, sentences, allowed, weight, origin: 0 });
        }
    }
    Ok(samples)
}

/// How a copy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Upper,
    Title,
    Lower,
}

/// Adds copies in capitals, in title case and in lower case, whole or sentence by sentence.
pub(crate) fn add_noise(samples: &mut Vec<Sample>, options: &Options) {
    let share = options.number("noise", 0.12);
    let mut random = Random(77);
    let count = samples.len();
    for index in 0..count {
        samples[index].origin = index;
        if random.share() >= share * 2.0 {
            continue;
        }
        let whole = match random.share() {
            x if x < 0.45 => Case::Upper,
            x if x < 0.7 => Case::Title,
            _ => Case::Lower,
        };
        // Short documents change whole; in long ones a part of the sentences does.
        let sample = &samples[index];
        let mut copy = sample.text.clone().into_bytes();
        let long = sample.sentences.len() > 6;
        for sentence in &sample.sentences {
            if long && random.share() > 0.3 {
                continue;
            }
            let case = match random.share() {
                _ if !long => whole,
                x if x < 0.45 => Case::Upper,
                x if x < 0.8 => Case::Title,
                _ => Case::Lower,
            };
            write_in(&sample.text, sentence.span, case, &mut copy);
        }
        let Ok(copy) = String::from_utf8(copy) else { continue };
        let (tokens, sentences) = read_stage(&copy);
        // The labels go over by position; where the tokens differ anything may stand.
        let mut allowed = vec![ANY; tokens.len()];
        let mut old = 0;
        for (at, token) in tokens.iter().enumerate() {
            while old < sample.tokens.len() && sample.tokens[old].span.start < token.span.start {
                old += 1;
            }
            if old < sample.tokens.len() && sample.tokens[old].span == token.span {
                allowed[at] = sample.allowed[old];
            }
        }
        let copy = Sample { text: copy, tokens, sentences, allowed, weight: sample.weight * 0.5, origin: index };
        samples.push(copy);
    }
}

/// Writes the letters of a span in another case, byte for byte; letters that change length stay.
fn write_in(story: &str, span: Span, case: Case, out: &mut [u8]) {
    let mut inner = false;
    for (offset, character) in span.of(story).char_indices() {
        let start = span.start() + offset;
        let changed: String = match case {
            Case::Upper => character.to_uppercase().collect(),
            Case::Lower => character.to_lowercase().collect(),
            Case::Title if !inner => character.to_uppercase().collect(),
            Case::Title => character.to_string(),
        };
        inner = character.is_alphanumeric() || matches!(character, '\'' | '’');
        if changed.len() == character.len_utf8() {
            out[start..start + changed.len()].copy_from_slice(changed.as_bytes());
        }
    }
}

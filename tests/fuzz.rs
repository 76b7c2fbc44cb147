//! Fuzzing without a fuzzer: each target reads the committed corpus, and mutations of it, a stated
//! number of times; the same bytes in every run. A target asserts what holds for whatever comes in.
//! `make fuzz` feeds the same targets by coverage.

mod fuzz_targets;

use copydesk::story::Format;
use fuzz_targets::target;

/// Mutations that each target reads, beside the corpus itself.
const EXECUTIONS: u32 = 3_000;
/// No input is longer.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// The corpus of the formats: transmissions of our own writing, and what the fuzzer has found.
const FORMATS: [&str; 3] = ["tests/fixtures/formats", "tests/fixtures/stories", "fuzz/corpus/formats"];
/// That of the quotation marks.
const QUOTES: [&str; 1] = ["fuzz/corpus/quotes"];

fn corpus(folders: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a corpus"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("an input")).collect()
}

/// Pseudo-random numbers (SplitMix64): the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}

/// Flips, cuts, doubles, splices with another input, puts marks in.
fn mutate(corpus: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    const MARKS: [&[u8]; 13] = [
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<![CDATA[",
        b"\0",
        b"\x01",
        b"\x02",
        b"\x03",
        b"{",
        b"\"",
        b"&amp;lt;",
        b"\r\n\r\n",
    ];
    let mut input = corpus[numbers.below(corpus.len())].clone();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(input.len());
        match numbers.below(6) {
            0 if !input.is_empty() => input[at] = numbers.below(256) as u8,
            1 => input.truncate(at),
            2 => drop(input.splice(at..at, MARKS[numbers.below(MARKS.len())].iter().copied())),
            3 => {
                let end = (at + numbers.below(200)).min(input.len());
                let piece = input[at.min(end)..end].to_vec();
                drop(input.splice(at..at, piece.repeat(1 + numbers.below(8))));
            }
            4 => {
                let end = (at + numbers.below(100)).min(input.len());
                drop(input.drain(at.min(end)..end));
            }
            _ => {
                let other = &corpus[numbers.below(corpus.len())];
                let from = numbers.below(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from.min(other.len())..]);
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn fuzz(folders: &[&str], seed: u64, target: impl Fn(&[u8])) {
    let corpus = corpus(folders);
    assert!(!corpus.is_empty());
    for input in &corpus {
        target(input);
    }
    let mut numbers = Numbers(seed);
    for _ in 0..EXECUTIONS {
        target(&mutate(&corpus, &mut numbers));
    }
}

/// Marks left out and doubled at random.
#[test]
fn quotes() {
    fuzz(&QUOTES, 13, fuzz_targets::quotes);
}

macro_rules! targets {
    ($($name:ident: $format:expr, $seed:literal;)*) => {
        $(#[test]
        fn $name() {
            fuzz(&FORMATS, $seed, |input| target(input, $format));
        })*
    };
}

targets! {
    detection: None, 1;
    anpa1312: Some(Format::Anpa1312), 2;
    iptc7901: Some(Format::Iptc7901), 3;
    nitf: Some(Format::Nitf), 4;
    newsml_g2: Some(Format::NewsmlG2), 5;
    newsml1: Some(Format::Newsml1), 6;
    ninjs: Some(Format::Ninjs), 7;
    rss: Some(Format::Rss), 8;
    atom: Some(Format::Atom), 9;
    email: Some(Format::Email), 10;
    plain: Some(Format::Plain), 11;
    envelope: Some(Format::Envelope), 12;
}

//! Body paragraphs → keys by which the same or nearly the same copy is found again.
//!
//! ```text
//! EASTMOUTH, March 4 (Example News) - The pier will stay shut.      exact a, near x
//! Eastmouth (Other Wire) -- The pier will stay shut. (Other Wire)   exact a, near x
//! EASTMOUTH, March 4 - The pier will stay shut until spring.        exact b, near about x
//! ```
//!
//! Counted are the words of the body: header lines, dateline, notes, sign-off and boilerplate are
//! left out, and case, accents of quotation and punctuation make no difference. `exact` is a hash
//! of these words. `near` is a sketch of the set of their shingles (runs of four words): of each
//! of 64 permutations the smallest value, of which the lowest byte is kept; the part of the
//! places that agree estimates the resemblance of the two sets ([`resemblance`]).
//!
//! What this does not do: look for the copies, understand paraphrases, or compare texts of fewer
//! than [`WORDS_MIN`] words (they have no sketch).
//!
//! Sources: Broder, "On the resemblance and containment of documents" (1997); Li and König,
//! "b-Bit minwise hashing" (2010).

use super::{
    dateline::Dateline,
    layout::{Layout, ParagraphKind},
};
use crate::{
    decode::sha256_hex,
    text::{Span, until},
};

/// Words of a shingle.
const SHINGLE_WORDS: usize = 4;
/// Permutations, each a byte of the sketch.
const PLACES: usize = 64;
/// Shorter bodies have no sketch: a lead that all agencies share would be all of it.
pub const WORDS_MIN: usize = 20;
/// Words of a body that are looked at.
const WORDS_MAX: usize = 20_000;
/// Hexadecimal digits of the exact key.
const EXACT_DIGITS: usize = 32;
/// Says how a sketch was made; sketches of other makes cannot be compared.
const MAKE: &str = "m1:";

/// Resemblance from which on two bodies count as the same copy, in hundredths: measured in the tests.
pub const NEAR_PERCENT: u32 = 35;

/// The keys of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Equal for bodies of the same words.
    pub exact: String,
    /// The sketch.
    pub near: Option<String>,
}

/// Makes the keys; nothing for a story without a body.
pub fn run(text: &str, layout: &Layout, dateline: Option<&Dateline>) -> Option<Cluster> {
    let body_start = dateline.map_or(0, |dateline| dateline.body_start as usize);
    let mut words: Vec<String> = Vec::new();
    for paragraph in &layout.paragraphs {
        let is_body = matches!(
            paragraph.kind,
            ParagraphKind::Lead
                | ParagraphKind::Body
                | ParagraphKind::Quote
                | ParagraphKind::Background
                | ParagraphKind::List
                | ParagraphKind::Table
        );
        let (start, end) = (paragraph.span.start().max(body_start), paragraph.span.end());
        if is_body && start < end {
            collect(Span::new(start, end).of(text), &mut words);
        }
        if words.len() >= WORDS_MAX {
            break;
        }
    }
    words.truncate(WORDS_MAX);
    if words.is_empty() {
        return None;
    }
    let exact = until(&sha256_hex(words.join(" ").as_bytes()), EXACT_DIGITS).to_owned();
    Some(Cluster { exact, near: (words.len() >= WORDS_MIN).then(|| sketch(&words)) })
}

/// Letters and digits in lower case; all else divides words, but apostrophes, which are left out.
fn collect(text: &str, words: &mut Vec<String>) {
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        } else if !matches!(character, '\'' | '’') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
}

/// FNV-1a, 64 bits, and a last mixing: the low bits are to be as good as the high ones.
fn hash(words: &[String]) -> u64 {
    let mut value = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| word.bytes().chain([b' '])) {
        value = (value ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(value)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn sketch(words: &[String]) -> String {
    let mut least = [u64::MAX; PLACES];
    for shingle in words.windows(SHINGLE_WORDS) {
        let value = hash(shingle);
        for (place, least) in (1_u64..).zip(&mut least) {
            *least = (*least).min(mix(value ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
    }
    let bytes = least.map(|value| value as u8);
    bytes.iter().fold(MAKE.to_owned(), |out, byte| out + &format!("{byte:02x}"))
}

/// How alike the bodies of two sketches are, 0 to 100; `None` for sketches that cannot be compared.
///
/// One place in 256 agrees by chance, which is taken off.
pub fn resemblance(one: &str, other: &str) -> Option<u32> {
    let places = |key: &str| {
        let digits = key.strip_prefix(MAKE)?.as_bytes().to_vec();
        (digits.len() == 2 * PLACES).then_some(digits)
    };
    let (one, other) = (places(one)?, places(other)?);
    let equal = one.chunks(2).zip(other.chunks(2)).filter(|(a, b)| a == b).count();
    let (equal, all) = (equal as f64, PLACES as f64);
    let percent = ((equal / all - 1.0 / 256.0) / (1.0 - 1.0 / 256.0) * 100.0).round();
    Some(percent.max(0.0) as u32)
}

/// Whether two sketches are those of the same copy, as far as a sketch can tell.
pub fn is_near(one: &str, other: &str) -> bool {
    resemblance(one, other).is_some_and(|percent| percent >= NEAR_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Hints, extract::Desk};

    fn cluster(text: &str) -> Cluster {
        let story = crate::decode::decode(text.as_bytes(), &Hints::default()).expect("a story");
        Desk::without_models().find(&story).cluster.expect("a body")
    }

    #[test]
    fn dateline_sign_off_and_case_make_no_difference() {
        let body = "The harbour board of Eastmouth said on Tuesday that it would not reopen the north pier before \
                    spring, after its engineer found cracks in twelve of the piles.";
        let one = cluster(&format!("EASTMOUTH, March 4 (Example News) - {body}\n"));
        let other = cluster(&format!("EASTMOUTH, March 4 (Other Wire) -- {body}\n\n(Reporting by Ada Lindqvist)\n"));
        assert_eq!(one, other);
    }

    #[test]
    fn short_bodies_have_no_sketch() {
        assert_eq!(cluster("All is quiet on the quay.").near, None);
        assert_eq!(resemblance("m1:00", "m1:00"), None);
        assert_eq!(resemblance("x", "y"), None);
    }

    /// Stories put together from the same words, each with sentences of its own; two of the ten
    /// sentences are of the kind that agencies use again and again.
    fn original(number: usize) -> Vec<String> {
        const WHO: [&str; 12] = [
            "the harbour board",
            "a county judge",
            "the ferry company",
            "two fishermen",
            "the school council",
            "farmers",
            "the water inspector",
            "a union leader",
            "the mayor",
            "engineers",
            "shopkeepers",
            "the bus drivers",
        ];
        const DID: [&str; 12] = [
            "rejected",
            "praised",
            "measured",
            "bought",
            "closed",
            "mended",
            "counted",
            "delayed",
            "lost",
            "promised",
            "found",
            "questioned",
        ];
        const WHAT: [&str; 14] = [
            "the north pier",
            "twelve new boats",
            "a plan for the coast road",
            "the old tram line",
            "nine reservoirs",
            "the budget of the hospital",
            "a petition",
            "the votes of the spring",
            "three bridges",
            "the fish market",
            "cracked pipes",
            "the lighthouse",
            "a cheaper ticket",
            "the flood wall",
        ];
        const WHEN: [&str; 12] = [
            "on Tuesday",
            "before the holidays",
            "late at night",
            "after a long debate",
            "for the second time",
            "without a vote",
            "in heavy rain",
            "as the tide came in",
            "within a week",
            "at noon",
            "by mistake",
            "last winter",
        ];
        const AND: [&str; 10] = [
            "while nobody looked",
            "and was thanked for it",
            "to save money",
            "because the lease ran out",
            "although others objected",
            "with help from abroad",
            "under a new law",
            "in front of a crowd",
            "as figures showed",
            "and will do so again",
        ];
        let mut seed = number as u64 + 1;
        let mut pick = |list: &[&'static str]| {
            seed = mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
            list[(seed % list.len() as u64) as usize]
        };
        let mut sentences: Vec<String> = (0..8)
            .map(|index| {
                let figure = 2 + (number * 37 + index * 11) % 90;
                format!(
                    "{} {} {} {} {}, {figure} people said, and {} {} {} {}.",
                    pick(&WHO),
                    pick(&DID),
                    pick(&WHAT),
                    pick(&WHEN),
                    pick(&AND),
                    pick(&WHO),
                    pick(&DID),
                    pick(&WHAT),
                    pick(&WHEN)
                )
            })
            .collect();
        sentences.insert(3, "A spokeswoman declined to comment when she was reached by telephone.".to_owned());
        sentences.push("The figures could not be checked independently at the time of writing.".to_owned());
        sentences
    }

    fn write(place: &str, agency: &str, sentences: &[String]) -> String {
        let paragraphs: Vec<String> = sentences.chunks(2).map(|pair| pair.join(" ")).collect();
        format!("{}, March 4 ({agency}) - {}\n", place.to_uppercase(), paragraphs.join("\n\n"))
    }

    /// Repeats made from sixty stories, each in five ways, against each other: what the sketch finds.
    #[test]
    fn repeats_are_found_and_strangers_are_not() {
        const STORIES: usize = 60;
        let mut copies: Vec<(usize, String)> = Vec::new();
        for number in 0..STORIES {
            let whole = original(number);
            let corrected: Vec<String> =
                whole.iter().map(|sentence| sentence.replace(" 2", " 3").replace("4 people", "5 people")).collect();
            let mut led = vec![
                "Anger grew on Wednesday over a decision that many had not expected, said a union leader.".to_owned(),
            ];
            led.extend(whole.iter().skip(1).cloned());
            for (place, agency, sentences) in [
                ("Eastmouth", "Example News", whole.as_slice()),
                ("Norwick", "Other Wire", whole.as_slice()),
                ("Eastmouth", "Example News", &whole[..6]),
                ("Eastmouth", "Example News", corrected.as_slice()),
                ("Eastmouth", "Example News", led.as_slice()),
            ] {
                let near = cluster(&write(place, agency, sentences)).near.expect("long enough");
                copies.push((number, near));
            }
        }
        let mut at_threshold = (0.0, 0.0);
        for threshold in [20, 25, 30, NEAR_PERCENT, 40, 45, 50] {
            let (mut found, mut repeats, mut said) = (0_u32, 0_u32, 0_u32);
            for (index, (number, near)) in copies.iter().enumerate() {
                for (other, other_near) in copies.iter().skip(index + 1) {
                    let says = resemblance(near, other_near).is_some_and(|percent| percent >= threshold);
                    repeats += u32::from(number == other);
                    said += u32::from(says);
                    found += u32::from(says && number == other);
                }
            }
            let (recall, precision) = (f64::from(found) / f64::from(repeats), f64::from(found) / f64::from(said));
            println!(
                "near from {threshold}: {found} of {repeats} repeats, {said} said: precision {precision:.4}, recall {recall:.4}"
            );
            if threshold == NEAR_PERCENT {
                at_threshold = (precision, recall);
            }
        }
        let (precision, recall) = at_threshold;
        assert!(precision >= 0.98 && recall >= 0.98, "precision {precision:.4}, recall {recall:.4}");
    }
}

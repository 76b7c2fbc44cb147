//! Tokens and sentences → names: persons, organisations, places, groups, events and works.
//!
//! ```text
//! Mayor Anna Lindqvist of Uppsala told Example News that the Swedish team had left.
//!       ^^^^^^^^^^^^^^ person
//!                         ^^^^^^^ place
//!                                      ^^^^^^^^^^^^ organisation
//!                                                            ^^^^^^^ group
//! ```
//!
//! A linear-chain CRF over hashed features (see [`crate::model::crf`]), read twice: the second
//! reading knows what the first one called the same word and the same phrase elsewhere in the
//! story. Only stretches around capitals are looked at, unless a sentence has none at all, so the
//! work grows with the text and no faster.
//!
//! Does not decide who is who: every mention stands alone. Does not mark dates, titles ("Mayor"),
//! common nouns or pronouns, nor a name inside a name.

pub mod features;
pub mod filed;
pub mod lexicon;
pub mod listed;

use self::{features::Document, lexicon::Lexicon};
use super::{sentences::Sentence, tokens::Token};
use crate::{
    model::{
        crf::{self, Chain, Potentials, Rows, Scores, Stretch},
        file::{self, ModelError, Reader},
    },
    text::Span,
};

/// The model's name in its file and in the record.
pub const MODEL: &str = "names";
/// Version of the model that this code runs.
pub const VERSION: &str = "2";
/// The model that is part of the program.
static BUILT_IN: &[u8] = include_bytes!("../../data/models/names.model");

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A human being, real or not.
    Person,
    /// A body: state organ, company, party, club, agency, armed group.
    Organisation,
    /// A place: country, town, river, building.
    Place,
    /// People of a nationality, a religion or a party, and the adjective.
    Group,
    /// A war, a storm, a match, a festival.
    Event,
    /// A book, a film, a law, a song.
    Work,
}

impl Class {
    /// In the order of the model's labels.
    pub const ALL: [Self; features::CLASSES] =
        [Self::Person, Self::Organisation, Self::Place, Self::Group, Self::Event, Self::Work];
}

/// A name in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where it stands, title and possessive mark left out.
    pub span: Span,
    /// What it names.
    pub class: Class,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
    /// First token and one past the last.
    pub tokens: (u32, u32),
}

/// The names model, loaded and ready; read-only.
#[derive(Clone, Debug)]
pub struct Names {
    lexicon: Lexicon,
    rows: Rows,
    chains: [(Chain, Potentials); 2],
}

/// Buffers that one story after the other uses.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    document: Document,
    crf: crf::Scratch,
    scores: Vec<Scores>,
    /// First token and count of scores of each stretch.
    found: Vec<Stretch>,
    first: Vec<(u32, u32, u8, u8)>,
    list: Vec<u32>,
}

/// Articles of Arabic names, as the wires write them before a hyphen.
const ARTICLES: [&str; 9] = ["al", "el", "an", "ar", "as", "ash", "at", "ad", "ul"];

/// The end of a name that goes on behind an article: "Harakat al-Shabaab".
fn after_article(text: &str, tokens: &[Token], end: u32, next: u32) -> u32 {
    let word = |at: u32| tokens.get(at as usize).map_or("", |token| token.span.of(text));
    let close = |at: u32| {
        let (Some(before), Some(token)) = (tokens.get((at - 1) as usize), tokens.get(at as usize)) else {
            return false;
        };
        before.span.end == token.span.start
    };
    let one_space = end > 0
        && tokens.get(end as usize).is_some_and(|token| {
            tokens.get((end - 1) as usize).is_some_and(|before| before.span.end + 1 == token.span.start)
        });
    let goes_on = end + 2 < next
        && one_space
        && ARTICLES.contains(&word(end))
        && word(end + 1) == "-"
        && close(end + 1)
        && close(end + 2)
        && word(end + 2).starts_with(char::is_uppercase);
    if goes_on { end + 3 } else { end }
}

impl Names {
    /// The model that is part of the program.
    ///
    /// # Errors
    /// When the build carried a damaged file.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::load(BUILT_IN)
    }

    /// Loads a model file.
    ///
    /// # Errors
    /// When the bytes are foreign, of another format, truncated or damaged.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::from_payload(file::open(bytes, MODEL, VERSION)?)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it does not describe a model.
    pub fn from_payload(payload: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(payload);
        let lexicon = Lexicon::read(&mut reader)?;
        let first = crf::read_chain(&mut reader)?;
        let second = crf::read_chain(&mut reader)?;
        let rows = Rows::read(&mut reader)?;
        reader.finish()?;
        let chains = [first, second].map(|chain| {
            let potentials = Potentials::new(&chain);
            (chain, potentials)
        });
        Ok(Self { lexicon, rows, chains })
    }

    /// The lexicon of the model.
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// Finds the names of a story, in text order.
    pub fn run(&self, text: &str, tokens: &[Token], sentences: &[Sentence], scratch: &mut Scratch) -> Vec<Mention> {
        let Scratch { document, crf, scores, found, first, list } = scratch;
        document.read(text, tokens, sentences, &self.lexicon);
        scores.clear();
        first.clear();
        let mut base = 0;
        for index in 0..document.stretches().len() {
            let stretch = document.stretches()[index];
            document.features(text, tokens, stretch, |_, features| scores.push(self.rows.sum(features)));
            self.decode(0, &scores[base..], stretch.0, crf, found, first);
            base = scores.len();
        }
        document.vote(first.iter().copied());
        first.clear();
        base = 0;
        for index in 0..document.stretches().len() {
            let stretch = document.stretches()[index];
            let end = base + (stretch.1 - stretch.0) as usize;
            for (at, score) in (stretch.0..stretch.1).zip(&mut scores[base..end]) {
                document.second_features(at as usize, list);
                for (sum, weight) in score.iter_mut().zip(self.rows.sum(list)) {
                    *sum += weight;
                }
            }
            self.decode(1, &scores[base..end], stretch.0, crf, found, first);
            base = end;
        }
        let mut mentions = Vec::with_capacity(first.len());
        for (index, (start, end, class, percent)) in first.iter().enumerate() {
            let Some(class) = Class::ALL.get(usize::from(*class)).copied() else { continue };
            let next = first.get(index + 1).map_or(tokens.len() as u32, |following| following.0);
            let end = after_article(text, tokens, *end, next);
            let mention = |start: u32, end: u32, class| {
                let head = tokens.get(start as usize)?;
                let tail = tokens.get((end as usize).checked_sub(1)?)?;
                let span = head.span.cover(tail.span);
                Some(Mention { span, class, confidence_percent: *percent, tokens: (start, end) })
            };
            if class == Class::Group && self.names_a_body(text, tokens, *start, end) {
                mentions.extend(mention(*start, start + 1, Class::Group));
                mentions.extend(mention(start + 1, end, Class::Organisation));
            } else {
                mentions.extend(mention(*start, end, class));
            }
        }
        mentions
    }

    /// Whether a group is a nationality or creed in front of the name of a body: "the Sunni Ansar
    /// movement", but not "African Americans" or "the Liberal Party".
    fn names_a_body(&self, text: &str, tokens: &[Token], start: u32, end: u32) -> bool {
        let word = |at: u32| tokens.get(at as usize).map_or("", |token| token.span.of(text));
        let flags = |at: u32| self.lexicon.get(lexicon::word_hash(word(at))).flags();
        let group = lexicon::kind_bit("group");
        end - start >= 2
            && flags(start) & group != 0
            && word(start + 1).starts_with(char::is_uppercase)
            && !word(end - 1).ends_with('s')
            && (start + 1..end).all(|at| flags(at) & (group | lexicon::ORGWORD) == 0)
    }

    fn decode(
        &self,
        pass: usize,
        scores: &[Scores],
        offset: u32,
        scratch: &mut crf::Scratch,
        found: &mut Vec<Stretch>,
        out: &mut Vec<(u32, u32, u8, u8)>,
    ) {
        let (chain, potentials) = &self.chains[pass];
        found.clear();
        crf::decode(chain, potentials, scores, scratch, found);
        out.extend(
            found.iter().map(|stretch| (offset + stretch.start, offset + stretch.end, stretch.class, stretch.percent)),
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::{layout, sentences, tokens};

    fn model() -> &'static Names {
        static MODEL: std::sync::LazyLock<Names> =
            std::sync::LazyLock::new(|| Names::built_in().expect("built-in model"));
        &MODEL
    }

    fn mentions(text: &str) -> Vec<Mention> {
        let layout = layout::read(text, None);
        let tokens = tokens::run(text, &layout, None);
        let sentences = sentences::run(text, &tokens, &layout, None);
        model().run(text, &tokens, &sentences, &mut Scratch::default())
    }

    /// Names as `text/class`.
    fn told(text: &str) -> Vec<String> {
        mentions(text).iter().map(|mention| format!("{}/{:?}", mention.span.of(text), mention.class)).collect()
    }

    #[test]
    fn each_class_is_found() {
        assert_eq!(
            told("Angela Merkel met the French finance minister in Brussels on Monday, the European Commission said."),
            ["Angela Merkel/Person", "French/Group", "Brussels/Place", "European Commission/Organisation"]
        );
    }

    #[test]
    fn an_article_carries_a_name_on_and_a_creed_stands_before_it() {
        let body = told("He leads the Shiite Hezbollah al-Wafa movement, officials in Basra said.");
        assert!(body.contains(&"Shiite/Group".to_owned()), "{body:?}");
        assert!(body.iter().any(|name| name.starts_with("Hezbollah al-Wafa/")), "{body:?}");
        let group = told("Many Americans voted for the Liberal Party.");
        assert!(group.contains(&"Liberal Party/Organisation".to_owned()), "{group:?}");
    }

    #[test]
    fn days_titles_and_sentence_heads_are_no_names() {
        assert_eq!(told("However, the president said on Tuesday that Prices would not fall."), Vec::<String>::new());
    }

    #[test]
    fn scratch_does_not_leak_from_story_to_story() {
        let text = "Mr Okafor flew from Lagos to Nairobi. Okafor said so.";
        let other = "Lagos, Nairobi and Okafor Ltd. were named by Okafor Ltd. in court.";
        let read = |text: &str, scratch: &mut Scratch| {
            let layout = layout::read(text, None);
            let tokens = tokens::run(text, &layout, None);
            let sentences = sentences::run(text, &tokens, &layout, None);
            model().run(text, &tokens, &sentences, scratch)
        };
        let mut scratch = Scratch::default();
        let before = read(text, &mut scratch);
        read(other, &mut scratch);
        assert_eq!(read(text, &mut scratch), before);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_text_gives_spans_in_order(text in "(\\PC|[A-Z][a-z]{1,6} |[.,'\"\n-]| ){0,120}") {
            let mut far = 0;
            for mention in mentions(&text) {
                prop_assert!(mention.span.start() >= far && !mention.span.of(&text).is_empty());
                prop_assert!(mention.confidence_percent <= 100);
                far = mention.span.end();
            }
        }

        #[test]
        fn a_damaged_file_is_refused(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = BUILT_IN.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Names::load(&bytes).is_err());
            prop_assert!(Names::load(&BUILT_IN[..at]).is_err());
        }

        #[test]
        fn a_malformed_payload_is_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..4000), keep in any::<prop::sample::Index>()) {
            let _ = Names::from_payload(&bytes);
            let payload = file::open(BUILT_IN, MODEL, VERSION).expect("built-in model");
            let mut mixed = payload[..keep.index(payload.len().min(4_000))].to_vec();
            mixed.extend_from_slice(&bytes);
            let _ = Names::from_payload(&mixed);
        }
    }
}

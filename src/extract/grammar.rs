//! Tokens → part of speech, lemma, head and relation of each.
//!
//! ```text
//! The   minister said it      would appeal
//! DET   NOUN     VERB PRON    AUX   VERB
//! └det─▶└─nsubj─▶root └─nsubj──────▶ccomp
//!                              └aux─▶
//! ```
//!
//! One pass of the network over each sentence gives tags and tree together. What it does not do:
//! repair the sentence boundaries or the tokens that it is given, or read other languages.

use std::sync::OnceLock;

use super::{sentences::Sentence, tokens::Token};
use crate::{
    conllu,
    model::{
        file::ModelError,
        lemma::{self, Lemmatiser},
        network::{self, Network},
        parser::Relation,
        tagger::{Upos, Xpos},
    },
    text::{self, Span},
};

/// The models that the stage runs on.
#[derive(Clone, Debug)]
pub struct Models {
    network: Network,
    lemmatiser: Lemmatiser,
}

impl Models {
    /// From the bytes of the two model files.
    ///
    /// # Errors
    /// When a file is no sound model of the version that this build reads.
    pub fn from_bytes(network: &[u8], lemmatiser: &[u8]) -> Result<Self, ModelError> {
        Ok(Self { network: Network::from_bytes(network)?, lemmatiser: Lemmatiser::from_bytes(lemmatiser)? })
    }

    /// These models with the network of another file.
    ///
    /// # Errors
    /// When the file is no sound grammar model of the version that this build reads.
    pub fn with_network(self, bytes: &[u8]) -> Result<Self, ModelError> {
        Ok(Self { network: Network::from_bytes(bytes)?, ..self })
    }

    /// These models with the lemmatiser of another file.
    ///
    /// # Errors
    /// When the file is no sound lemma model of the version that this build reads.
    pub fn with_lemmatiser(self, bytes: &[u8]) -> Result<Self, ModelError> {
        Ok(Self { lemmatiser: Lemmatiser::from_bytes(bytes)?, ..self })
    }

    /// The models' names and versions.
    pub fn versions(&self) -> std::collections::BTreeMap<&'static str, String> {
        [(network::NAME, network::VERSION), (lemma::NAME, lemma::VERSION)]
            .map(|(name, version)| (name, version.to_owned()))
            .into()
    }

    /// The network alone, without lemmas.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The models that the library carries, read once.
    ///
    /// # Panics
    /// Never: a test reads the files that are built in.
    pub fn embedded() -> &'static Self {
        static MODELS: OnceLock<Models> = OnceLock::new();
        MODELS.get_or_init(|| {
            let network = include_bytes!("../../data/models/grammar.model");
            let lemmatiser = include_bytes!("../../data/models/lemma.model");
            Self::from_bytes(network, lemmatiser).expect("the models that are built in are sound")
        })
    }
}

/// The grammar of one token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    /// Universal part of speech.
    pub upos: Upos,
    /// Fine part of speech.
    pub xpos: Xpos,
    /// The head, an index into the story's tokens; none for the root of a sentence.
    pub head: Option<u32>,
    /// Relation to the head.
    pub relation: Relation,
    /// Probability of the part of speech, from 0 to 1.
    pub tag_confidence: f32,
    /// Probability of head and relation, from 0 to 1.
    pub arc_confidence: f32,
    /// Where the lemma stands in [`Grammar::lemmas`].
    lemma: Span,
}

/// The grammar of a story.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grammar {
    /// One word a token; empty when the language is not read.
    pub words: Vec<Word>,
    /// All lemmas, one after the other.
    lemmas: String,
}

impl Grammar {
    /// The dictionary form of a token; empty when there is none.
    pub fn lemma(&self, token: usize) -> &str {
        self.words.get(token).map_or("", |word| word.lemma.of(&self.lemmas))
    }
}

/// Buffers that one story after the other uses; they grow to what the longest sentence needs.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    network: network::Scratch,
    lemma: lemma::Buffers,
}

/// Reads every sentence.
pub fn run(text: &str, tokens: &[Token], sentences: &[Sentence], models: &Models) -> Grammar {
    run_with(text, tokens, sentences, models, &mut Scratch::default())
}

/// As [`run`], with buffers that are used again.
pub fn run_with(
    text: &str,
    tokens: &[Token],
    sentences: &[Sentence],
    models: &Models,
    scratch: &mut Scratch,
) -> Grammar {
    let unread = Word {
        upos: Upos::X,
        xpos: Xpos::Fw,
        head: None,
        relation: Relation::Dep,
        tag_confidence: 0.0,
        arc_confidence: 0.0,
        lemma: Span::default(),
    };
    let mut grammar = Grammar { words: vec![unread; tokens.len()], lemmas: String::with_capacity(text.len()) };
    let longest = sentences.iter().map(|sentence| sentence.tokens.len()).max().unwrap_or_default();
    let mut forms = Vec::with_capacity(longest);
    let Scratch { network, lemma } = scratch;
    for sentence in sentences {
        let (start, end) = (sentence.tokens.start as usize, sentence.tokens.end as usize);
        let Some(within) = tokens.get(start..end) else { continue };
        forms.clear();
        forms.extend(within.iter().map(|token| token.span.of(text)));
        models.network.read(&forms, network);
        let found = forms.iter().zip(&network.readings);
        for (word, (form, reading)) in grammar.words.iter_mut().skip(start).zip(found) {
            let from = grammar.lemmas.len();
            models.lemmatiser.lemma(form, reading.upos, reading.xpos, lemma, &mut grammar.lemmas);
            *word = Word {
                upos: reading.upos,
                xpos: reading.xpos,
                head: reading.head.checked_sub(1).map(|head| start as u32 + head),
                relation: reading.relation,
                tag_confidence: reading.tag_confidence,
                arc_confidence: reading.arc_confidence,
                lemma: Span::new(from, grammar.lemmas.len()),
            };
        }
    }
    grammar
}

/// Fills the columns of CoNLL-U whose tokens and sentences are kept as they are.
pub fn fill_conllu(input: &str, models: &Models) -> String {
    let mut sentences = conllu::read(input);
    let Scratch { mut network, mut lemma } = Scratch::default();
    for sentence in &mut sentences {
        let forms: Vec<&str> = sentence.words.iter().map(|word| word.form.as_str()).collect();
        models.network.read(&forms, &mut network);
        for (word, reading) in sentence.words.iter_mut().zip(&network.readings) {
            word.lemma.clear();
            models.lemmatiser.lemma(&word.form, reading.upos, reading.xpos, &mut lemma, &mut word.lemma);
            reading.upos.name().clone_into(&mut word.upos);
            reading.xpos.name().clone_into(&mut word.xpos);
            word.head = Some(reading.head);
            reading.relation.name().clone_into(&mut word.deprel);
        }
    }
    conllu::write(&sentences)
}

/// A story as CoNLL-U: its sentences with their text, `SpaceAfter=No` where nothing parts two
/// tokens, `newpar` where a paragraph begins.
pub fn to_conllu(text: &str, tokens: &[Token], sentences: &[Sentence], grammar: &Grammar) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraph = None;
    let mut found = Vec::new();
    for sentence in sentences {
        let (start, end) = (sentence.tokens.start as usize, sentence.tokens.end as usize);
        let Some(within) = tokens.get(start..end).filter(|within| !within.is_empty()) else { continue };
        let mut lines = conllu::Sentence::default();
        if found.is_empty() {
            lines.comments.push("# newdoc".to_owned());
        }
        if paragraph.replace(sentence.paragraph) != Some(sentence.paragraph) {
            lines.comments.push("# newpar".to_owned());
        }
        lines.comments.push(format!("# sent_id = {}", found.len() + 1));
        lines.comments.push(format!("# text = {}", one_line(sentence.span.of(text))));
        for (offset, token) in within.iter().enumerate() {
            let at = start + offset;
            let mut line = conllu::Word { form: one_line(token.span.of(text)), ..conllu::Word::default() };
            if let Some(word) = grammar.words.get(at) {
                line.lemma = one_line(grammar.lemma(at));
                word.upos.name().clone_into(&mut line.upos);
                word.xpos.name().clone_into(&mut line.xpos);
                line.head = Some(word.head.map_or(0, |head| (head + 1).saturating_sub(start as u32)));
                word.relation.name().clone_into(&mut line.deprel);
            }
            let next = text::char_at(text, token.span.end());
            if next.is_some_and(|next| !next.is_whitespace()) {
                "SpaceAfter=No".clone_into(&mut line.misc);
            }
            lines.words.push(line);
        }
        found.push(lines);
    }
    conllu::write(&found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        file,
        network::{NAME, Scratch, VERSION, WORDS_MAX},
    };
    use proptest::prelude::*;

    /// Form, part of speech, lemma, head and relation of each word.
    fn parsed(text: &str) -> Vec<[String; 5]> {
        let words = text.split(' ').enumerate().map(|(index, form)| format!("{}\t{form}\n", index + 1));
        let sentences = conllu::read(&fill_conllu(&words.collect::<String>(), Models::embedded()));
        let words = sentences[0].words.iter();
        let head = |head: Option<u32>| head.map(|head| head.to_string()).unwrap_or_default();
        words.map(|w| [w.form.clone(), w.upos.clone(), w.lemma.clone(), head(w.head), w.deprel.clone()]).collect()
    }

    #[test]
    fn a_plain_sentence() {
        let found = parsed("The minister said it would appeal .");
        let rows: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
        let wanted = [
            "The DET the 2 det",
            "minister NOUN minister 3 nsubj",
            "said VERB say 0 root",
            "it PRON it 6 nsubj",
            "would AUX would 6 aux",
            "appeal VERB appeal 3 ccomp",
            ". PUNCT . 3 punct",
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn common_words_are_read_alike_the_second_time() {
        let text = "\" We will not leave the people on the platform , \" the minister told reporters .";
        let models = Models::from_bytes(
            include_bytes!("../../data/models/grammar.model"),
            include_bytes!("../../data/models/lemma.model"),
        )
        .unwrap();
        let forms: Vec<&str> = text.split(' ').collect();
        let mut scratch = Scratch::default();
        models.network().read(&forms, &mut scratch);
        let first = scratch.readings.clone();
        models.network().read(&forms, &mut scratch);
        assert_eq!(scratch.readings, first);
        assert!(first.iter().all(|word| (0.0..=1.001).contains(&word.tag_confidence)));
        assert!(first.iter().all(|word| (0.0..=1.001).contains(&word.arc_confidence)));
    }

    #[test]
    fn a_sentence_without_end_hangs_together() {
        let found = parsed(&vec!["buffalo"; 2 * WORDS_MAX + 3].join(" "));
        assert_eq!(found.len(), 2 * WORDS_MAX + 3);
        assert_eq!(found.iter().filter(|row| row[3] == "0").count(), 1);
    }

    #[test]
    fn a_story_as_conllu() {
        let text = "It won.";
        let span = |start, end| Token { span: Span::new(start, end), paragraph: 0 };
        let tokens = [span(0, 2), span(3, 6), span(6, 7)];
        let sentences = [Sentence { span: Span::whole(text), tokens: 0..3, paragraph: 0 }];
        let grammar = run(text, &tokens, &sentences, Models::embedded());
        assert_eq!(grammar.lemma(1), "win");
        let wanted = "# newdoc\n# newpar\n# sent_id = 1\n# text = It won.\n\
            1\tIt\tit\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n\
            2\twon\twin\tVERB\tVBD\t_\t0\troot\t_\tSpaceAfter=No\n\
            3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_\n\n";
        assert_eq!(to_conllu(text, &tokens, &sentences, &grammar), wanted);
    }

    #[test]
    fn a_changed_model_is_refused() {
        let sound = include_bytes!("../../data/models/grammar.model");
        for place in [0, 9, 60, sound.len() / 2, sound.len() - 1] {
            let mut changed = sound.to_vec();
            changed[place] ^= 4;
            assert!(Network::from_bytes(&changed).is_err());
        }
        assert!(Network::from_bytes(include_bytes!("../../data/models/lemma.model")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_payload_that_is_cut_is_refused(length in 0_usize..20_000, at in any::<prop::sample::Index>(), flip in any::<u8>()) {
            // Sealed again, so that the checksum agrees and the reader itself is tried.
            let sound = include_bytes!("../../data/models/grammar.model");
            let start = sound.len() - file::open(sound, NAME, VERSION).unwrap().len();
            let mut payload = sound[start..start + length].to_vec();
            if length > 0 {
                let place = at.index(length);
                payload[place] ^= flip;
            }
            prop_assert!(Network::from_bytes(&file::seal(NAME, VERSION, &payload)).is_err());
        }

        #[test]
        fn any_forms_make_one_tree(forms in proptest::collection::vec("\\PC{0,8}", 1..40)) {
            let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
            let mut scratch = Scratch::default();
            Models::embedded().network().read(&forms, &mut scratch);
            prop_assert_eq!(scratch.readings.len(), forms.len());
            prop_assert_eq!(scratch.readings.iter().filter(|word| word.head == 0).count(), 1);
            for start in 0..forms.len() {
                let mut at = start as u32 + 1;
                for _ in 0..forms.len() {
                    at = if at == 0 { 0 } else { scratch.readings[at as usize - 1].head };
                }
                prop_assert_eq!(at, 0);
            }
        }
    }
}

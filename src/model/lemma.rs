//! Form and part of speech → dictionary form.
//!
//! `children` as a plural noun → `child`; `wolves` → `wolf`; `THE` as a determiner → `the`.
//! A rule says how many characters go from the end, what comes instead and whether the case
//! stays; the rule of the longest known ending counts, the whole form before all. It does not
//! know forms by their meaning: `lay` as a past tense is `lie`, as any other verb `lay`.

use super::{
    file::{self, ModelError, Reader, Writer},
    form::hash,
    tagger::{Upos, Xpos},
};

/// Name of the model in its file.
pub const NAME: &str = "lemma";
/// Version of the model that this code runs.
pub const VERSION: &str = "1";
/// Longest ending that has rules of its own.
pub const ENDING_MAX: usize = 6;
/// Longest form that is looked at; a longer one is its own lemma.
const CHARACTERS_MAX: usize = 64;

/// How a form becomes its lemma.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Capitals stay as they are.
    pub keeps_case: bool,
    /// Characters taken from the end.
    pub strip: u16,
    /// What is put there.
    pub add: String,
}

impl Edit {
    /// The edit that makes a form into a lemma.
    pub fn between(form: &str, lemma: &str) -> Self {
        let small: String = form.chars().flat_map(char::to_lowercase).collect();
        let shared = |form: &str| form.chars().zip(lemma.chars()).take_while(|(a, b)| a == b).count();
        let keeps_case = shared(form) > shared(&small);
        let from = if keeps_case { form } else { &small };
        let shared = shared(from);
        Self { keeps_case, strip: (from.chars().count() - shared) as u16, add: lemma.chars().skip(shared).collect() }
    }

    /// The lemma of a form, put at the end of a text.
    pub fn apply(&self, form: &str, onto: &mut String) {
        let start = onto.len();
        if self.keeps_case {
            onto.push_str(form);
        } else {
            onto.extend(form.chars().flat_map(char::to_lowercase));
        }
        for _ in 0..self.strip {
            if onto.len() > start {
                onto.pop();
            }
        }
        onto.push_str(&self.add);
        if onto.len() == start {
            onto.push_str(form);
        }
    }
}

/// Memory that is used again from word to word.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    small: Vec<char>,
    /// The keys that were made last.
    pub keys: Vec<u32>,
}

/// Keys under which the rules of a form are looked up, the most particular last.
pub fn keys(form: &str, upos: Upos, xpos: Xpos, buffers: &mut Buffers) {
    let Buffers { small, keys: into } = buffers;
    into.clear();
    small.clear();
    small.extend(form.chars().take(CHARACTERS_MAX).flat_map(char::to_lowercase));
    let mut characters = form.chars();
    let capital = match characters.next() {
        Some(first) if first.is_uppercase() => 1 + u32::from(!form.chars().any(char::is_lowercase)),
        _ => 0,
    };
    let class = (upos as u32) << 16 | (xpos as u32) << 8 | capital << 4;
    for length in 0..=ENDING_MAX.min(small.len()) {
        into.push(hash(class | length as u32, small[small.len() - length..].iter().copied()));
    }
    let fine = (xpos as u32) << 8;
    into.push(hash((upos as u32) << 16 | 0xF, small.iter().copied()));
    into.push(hash((upos as u32) << 16 | fine | 0xF00E, small.iter().copied()));
    into.push(hash(class | 0xF, small.iter().copied()));
}

/// The lemmatiser, read-only.
#[derive(Clone, Debug)]
pub struct Lemmatiser {
    edits: Vec<Edit>,
    /// Keys in order, and the edit of each.
    keys: Vec<u32>,
    numbers: Vec<u16>,
}

impl Lemmatiser {
    /// From edits and keys in ascending order.
    pub fn new(edits: Vec<Edit>, rules: &[(u32, u16)]) -> Self {
        Self {
            edits,
            keys: rules.iter().map(|rule| rule.0).collect(),
            numbers: rules.iter().map(|rule| rule.1).collect(),
        }
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// When the bytes are no sound lemma model of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(file::open(bytes, NAME, VERSION)?);
        let mut edits = Vec::new();
        for _ in 0..reader.u32()? {
            let strip = reader.u16()?;
            edits.push(Edit { keeps_case: strip & 1 == 1, strip: strip >> 1, add: reader.text()?.to_owned() });
        }
        let mut rules = Vec::new();
        for _ in 0..reader.u32()? {
            rules.push((reader.u32()?, reader.u16()?));
        }
        reader.finish()?;
        if rules.iter().any(|rule| usize::from(rule.1) >= edits.len()) || !rules.is_sorted() {
            return Err(ModelError::Inside { what: "lemma rules" });
        }
        Ok(Self::new(edits, &rules))
    }

    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(self.edits.len() as u32);
        for edit in &self.edits {
            writer.u16(edit.strip << 1 | u16::from(edit.keeps_case));
            writer.text(&edit.add);
        }
        writer.u32(self.keys.len() as u32);
        for (key, number) in self.keys.iter().zip(&self.numbers) {
            writer.u32(*key);
            writer.u16(*number);
        }
        file::seal(NAME, VERSION, &writer.bytes)
    }

    /// Puts the dictionary form at the end of a text.
    pub fn lemma(&self, form: &str, upos: Upos, xpos: Xpos, buffers: &mut Buffers, onto: &mut String) {
        keys(form, upos, xpos, buffers);
        let edit = buffers.keys.iter().rev().find_map(|key| {
            let at = self.keys.binary_search(key).ok()?;
            self.edits.get(usize::from(*self.numbers.get(at)?))
        });
        match edit {
            Some(edit) if form.len() <= CHARACTERS_MAX => edit.apply(form, onto),
            _ => onto.push_str(form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applied(edit: &Edit, form: &str) -> String {
        let mut found = String::new();
        edit.apply(form, &mut found);
        found
    }

    #[test]
    fn an_edit_makes_its_lemma() {
        for (form, lemma) in
            [("Wolves", "wolf"), ("NATO", "NATO"), ("THE", "the"), ("was", "be"), ("I", "I"), ("n't", "not")]
        {
            assert_eq!(applied(&Edit::between(form, lemma), form), lemma);
        }
        assert_eq!(applied(&Edit::between("cities", "city"), "parties"), "party");
    }

    #[test]
    fn the_most_particular_rule_counts() {
        let mut buffers = Buffers::default();
        keys("Wolves", Upos::Noun, Xpos::Nns, &mut buffers);
        let found = buffers.keys.clone();
        let edits = vec![Edit::between("Cats", "cat"), Edit::between("wolves", "wolf")];
        let mut rules = vec![(found[1], 0), (found[3], 1)];
        rules.sort_unstable();
        let lemmatiser = Lemmatiser::from_bytes(&Lemmatiser::new(edits, &rules).to_bytes()).unwrap();
        let mut lemma = |form: &str, upos, xpos| {
            let mut found = String::new();
            lemmatiser.lemma(form, upos, xpos, &mut buffers, &mut found);
            found
        };
        assert_eq!(lemma("Wolves", Upos::Noun, Xpos::Nns), "wolf");
        assert_eq!(lemma("Cats", Upos::Noun, Xpos::Nns), "cat");
        assert_eq!(lemma("Cats", Upos::Propn, Xpos::Nnps), "Cats");
    }

    proptest! {
        #[test]
        fn any_pair_has_an_edit(form in "\\PC{1,12}", lemma in "\\PC{1,12}") {
            prop_assert_eq!(applied(&Edit::between(&form, &lemma), &form), lemma.as_str());
        }
    }
}

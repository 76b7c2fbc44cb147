//! Words that report speech, read from `data/lexicon/cue*.txt` and from what a user adds.
//!
//! ```text
//! say / that, whom: tell inform        told reporters that it would
//! say: claim statement                 the claim that it would
//! say: according to                    according to the ministry
//! ```
//!
//! Does not inflect: a word is looked up by the lemma that the grammar gives it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::lists::{ListError, read_list};

/// Words of a phrase.
const PHRASE_WORDS_MAX: usize = 6;

/// What somebody does by the words that a cue reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CueKind {
    /// Gives something as true.
    Say,
    /// Wants an answer or a deed.
    Ask,
    /// Gives something as untrue, or turns it down.
    Deny,
    /// Binds itself.
    Promise,
    /// Holds out a harm.
    Threaten,
    /// Holds something as true, hopes or fears it.
    Think,
    /// Wishes or plans.
    Want,
    /// Praises or blames.
    Judge,
    /// A paper, a study or a poll gives something as true.
    Show,
}

impl CueKind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "say" => Self::Say,
            "ask" => Self::Ask,
            "deny" => Self::Deny,
            "promise" => Self::Promise,
            "threaten" => Self::Threaten,
            "think" => Self::Think,
            "want" => Self::Want,
            "judge" => Self::Judge,
            "show" => Self::Show,
            _ => return None,
        })
    }

    /// Whether something is uttered, not only thought or wished.
    pub fn is_speech(self) -> bool {
        matches!(self, Self::Say | Self::Ask | Self::Deny | Self::Promise | Self::Threaten)
    }
}

/// What may stand behind a verb, and what kind it is then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verb {
    /// Behind a clause.
    pub(super) that: Option<CueKind>,
    /// Behind an infinitive.
    pub(super) to: Option<CueKind>,
    /// The object is the one spoken to.
    pub(super) whom: bool,
    /// Behind an object that is what was said.
    pub(super) thing: Option<CueKind>,
    /// Behind a preposition.
    pub(super) prepositions: Vec<(String, CueKind)>,
}

impl Verb {
    /// The kind where nothing stands behind.
    pub(super) fn kind(&self) -> CueKind {
        let first = self.that.or(self.to).or(self.thing).or(self.prepositions.first().map(|(_, kind)| *kind));
        first.unwrap_or(CueKind::Say)
    }
}

/// A phrase that names a source behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) words: Vec<String>,
    pub(super) kind: CueKind,
}

/// Words that report speech.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexicon {
    verbs: HashMap<String, Verb>,
    nouns: HashMap<String, CueKind>,
    phrases: Vec<Phrase>,
    /// Forms that stand beside quotation marks.
    forms: HashSet<String>,
    /// Forms of the verbs that a user added, for words whose dictionary form the grammar does not know.
    added: HashMap<String, String>,
}

static BUILT_IN: LazyLock<Arc<Lexicon>> = LazyLock::new(|| {
    let mut lexicon = Lexicon::default();
    let lists = [
        include_str!("../../../data/lexicon/cue_verbs.txt"),
        include_str!("../../../data/lexicon/cue_nouns.txt"),
        include_str!("../../../data/lexicon/cue_phrases.txt"),
    ];
    for list in lists {
        // A test reads the lists and refuses what cannot be read.
        let _ = lexicon.extend(list);
    }
    let lines = include_str!("../../../data/lexicon/cues.txt").lines().filter(|line| !line.starts_with('#'));
    let forms = lines.filter_map(|line| line.split_once(':')).flat_map(|(_, forms)| forms.split_whitespace());
    lexicon.forms = forms.map(str::to_owned).collect();
    Arc::new(lexicon)
});

impl Lexicon {
    /// The words that the desk knows, read once a process.
    pub fn built_in() -> &'static Arc<Self> {
        &BUILT_IN
    }

    /// The built-in words and those of a list; what a list says of a word goes before what is built in.
    ///
    /// A line is `kind / complement, …: verb …`, `kind: noun …`, or `kind: a phrase of several
    /// words of which one is a preposition at the end`; `#` begins a comment. A verb of the list is
    /// known beside quotation marks too, in its regular forms.
    ///
    /// # Errors
    /// At the first line that cannot be read.
    pub fn with_list(list: &str) -> Result<Self, ListError> {
        let mut added = Self::default();
        added.extend(list)?;
        for verb in added.verbs.keys() {
            added.added.extend(regular_forms(verb).into_iter().map(|form| (form, verb.clone())));
        }
        added.forms = added.added.keys().cloned().collect();
        let mut lexicon = Self::clone(&BUILT_IN);
        lexicon.overlay(added);
        Ok(lexicon)
    }

    /// Reads the lines of a list; of two lines that say different things of a verb, the first counts.
    fn extend(&mut self, list: &str) -> Result<(), ListError> {
        read_list(list, |head, words| {
            let (kind, complements) = head.split_once('/').map_or((head, None), |(kind, rest)| (kind, Some(rest)));
            let kind = CueKind::of(kind.trim())
                .ok_or("the kind is none of say, ask, deny, promise, threaten, think, want, judge, show")?;
            match complements {
                Some(complements) => self.add_verbs(kind, complements, words)?,
                None if is_phrase(&words) && words.len() > PHRASE_WORDS_MAX => {
                    return Err("a phrase of more than six words");
                }
                None if is_phrase(&words) => self.phrases.push(Phrase { words, kind }),
                None => self.nouns.extend(words.into_iter().map(|noun| (noun, kind))),
            }
            Ok(())
        })
    }

    fn add_verbs(&mut self, kind: CueKind, complements: &str, lemmas: Vec<String>) -> Result<(), &'static str> {
        for lemma in lemmas {
            let verb = self.verbs.entry(lemma).or_default();
            for complement in complements.split(',').map(str::trim) {
                match complement {
                    "that" => _ = verb.that.get_or_insert(kind),
                    "to" => _ = verb.to.get_or_insert(kind),
                    "whom" => verb.whom = true,
                    "thing" => _ = verb.thing.get_or_insert(kind),
                    other if PREPOSITIONS.contains(&other) => verb.prepositions.push((other.to_owned(), kind)),
                    _ => return Err("what stands behind is none of that, to, whom, thing, and no preposition"),
                }
            }
        }
        Ok(())
    }

    /// Lays other words over these: of a word that both know, the others count.
    fn overlay(&mut self, over: Self) {
        for (lemma, over) in over.verbs {
            let verb = self.verbs.entry(lemma).or_default();
            verb.that = over.that.or(verb.that);
            verb.to = over.to.or(verb.to);
            verb.thing = over.thing.or(verb.thing);
            verb.whom |= over.whom;
            verb.prepositions.retain(|(word, _)| over.prepositions.iter().all(|(other, _)| other != word));
            verb.prepositions.extend(over.prepositions);
        }
        self.nouns.extend(over.nouns);
        self.phrases.retain(|phrase| over.phrases.iter().all(|other| other.words != phrase.words));
        self.phrases.extend(over.phrases);
        self.forms.extend(over.forms);
        self.added.extend(over.added);
    }

    pub(super) fn verb(&self, lemma: &str) -> Option<&Verb> {
        self.verbs.get(lemma)
    }

    /// The verb that stands in the text as a word, by its dictionary form; one that a user added by its form too.
    pub(super) fn verb_at(&self, lemma: &str, word: &str) -> Option<&Verb> {
        let by_form = || self.added.get(&word.to_lowercase()).and_then(|lemma| self.verb(lemma));
        self.verb(lemma).or_else(|| if self.added.is_empty() { None } else { by_form() })
    }

    /// Whether somebody speaks by this verb.
    pub(in crate::extract) fn says(&self, lemma: &str) -> bool {
        self.verb(lemma).is_some_and(|verb| verb.kind().is_speech())
    }

    pub(super) fn noun(&self, lemma: &str) -> Option<CueKind> {
        self.nouns.get(lemma).copied()
    }

    pub(super) fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }

    /// Whether a form stands beside quotation marks.
    pub(super) fn is_form(&self, word: &str) -> bool {
        self.forms.contains(word)
    }
}

/// "claim claims claimed claiming", "cry cries cried crying", "chat chats chatted chatting".
fn regular_forms(verb: &str) -> Vec<String> {
    let vowel = |c: char| "aeiou".contains(c);
    let letters: Vec<char> = verb.chars().collect();
    let (stem, present) = match letters.as_slice() {
        [.., before, 'y'] if !vowel(*before) => {
            let stem = verb.strip_suffix('y').unwrap_or(verb);
            return vec![verb.to_owned(), format!("{stem}ies"), format!("{stem}ied"), format!("{verb}ing")];
        }
        [.., 'e'] => (verb.strip_suffix('e').unwrap_or(verb).to_owned(), format!("{verb}s")),
        [.., 's' | 'x' | 'z'] | [.., 'c' | 's', 'h'] => (verb.to_owned(), format!("{verb}es")),
        _ => (verb.to_owned(), format!("{verb}s")),
    };
    let mut forms = vec![verb.to_owned(), present, format!("{stem}ed"), format!("{stem}ing")];
    // A short verb doubles its last letter.
    if let [first @ .., middle, last] = letters.as_slice()
        && vowel(*middle)
        && !vowel(*last)
        && !matches!(last, 'w' | 'x' | 'y')
        && first.iter().filter(|letter| vowel(**letter)).count() == 0
    {
        forms.extend([format!("{verb}{last}ed"), format!("{verb}{last}ing")]);
    }
    forms
}

/// Prepositions that a verb may ask for, or that a phrase may end with.
const PREPOSITIONS: [&str; 14] =
    ["of", "about", "for", "on", "in", "at", "against", "with", "by", "from", "over", "as", "into", "per"];

/// A phrase ends with a preposition; a list of nouns does not.
fn is_phrase(words: &[String]) -> bool {
    words.last().is_some_and(|last| last == "to" || PREPOSITIONS.contains(&last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_that_are_built_in_can_be_read() {
        let mut lexicon = Lexicon::default();
        for list in [
            include_str!("../../../data/lexicon/cue_verbs.txt"),
            include_str!("../../../data/lexicon/cue_nouns.txt"),
            include_str!("../../../data/lexicon/cue_phrases.txt"),
        ] {
            assert_eq!(lexicon.extend(list), Ok(()));
        }
        assert!(lexicon.verb("tell").is_some_and(|tell| tell.whom && tell.that == Some(CueKind::Say)));
        assert_eq!(lexicon.noun("threat"), Some(CueKind::Threaten));
        assert!(lexicon.phrases().iter().any(|phrase| phrase.words == ["according", "to"]));
    }

    #[test]
    fn words_are_added_and_faults_are_told_with_their_line() {
        let more = Lexicon::with_list("# ours\nsay / that: blurt\nthink: hunch\nsay: in the telling of\n").unwrap();
        assert_eq!(more.verb("blurt").and_then(|verb| verb.that), Some(CueKind::Say));
        assert_eq!(more.noun("hunch"), Some(CueKind::Think));
        assert!(["blurt", "blurts", "blurted", "blurting"].iter().all(|form| more.is_form(form)));
        for (list, line) in [
            ("say / that: blurt\nsay blurt", 2),
            ("shout: blurt", 1),
            ("\n\nsay / than: blurt", 3),
            ("say:", 1),
            ("say: one two three four five six of", 1),
        ] {
            assert_eq!(Lexicon::with_list(list).map_err(|error| error.line), Err(line), "in {list:?}");
        }
    }

    #[test]
    fn what_a_list_says_of_a_word_goes_before_what_is_built_in() {
        let more =
            Lexicon::with_list("threaten / that, to: say\njudge / on: comment\ndeny: claim\nthink: according to")
                .unwrap();
        let say = more.verb("say").expect("known");
        assert_eq!((say.that, say.to, say.whom), (Some(CueKind::Threaten), Some(CueKind::Threaten), false));
        let comment = more.verb("comment").expect("known");
        let on: Vec<CueKind> =
            comment.prepositions.iter().filter(|(word, _)| word == "on").map(|(_, kind)| *kind).collect();
        assert_eq!((comment.that, on), (Some(CueKind::Say), vec![CueKind::Judge]));
        assert_eq!(more.noun("claim"), Some(CueKind::Deny));
        let phrases: Vec<CueKind> =
            more.phrases().iter().filter(|phrase| phrase.words == ["according", "to"]).map(|p| p.kind).collect();
        assert_eq!(phrases, [CueKind::Think]);
    }

    #[test]
    fn regular_verbs_have_four_forms() {
        assert_eq!(regular_forms("cry"), ["cry", "cries", "cried", "crying"]);
        assert_eq!(regular_forms("opine"), ["opine", "opines", "opined", "opining"]);
        assert_eq!(regular_forms("preach"), ["preach", "preaches", "preached", "preaching"]);
        assert_eq!(regular_forms("chat").get(4..), Some(&["chatted".to_owned(), "chatting".to_owned()][..]));
    }
}

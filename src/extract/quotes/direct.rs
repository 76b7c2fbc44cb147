//! Cue and speaker of words between quotation marks.
//!
//! ```text
//! "We will appeal," the head of the port, Anna Ames, told reporters on Monday.
//!                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ speaker
//!                                                    ^^^^ cue ^^^^^^^^^ addressee
//! ```
//!
//! Looks behind the first piece, behind the others, before the first, and in the sentence before
//! that ends with a colon. The parse gives the subject; where it has none, the words beside the cue
//! do. Whoever is not told here is left to [`super::speaker`].

use std::ops::Range;

use super::{
    Addressee, Cue, CueKind, Lexicon, Quote, SpeakerRule, speaker,
    tree::{Phrase, Tree},
};
use crate::model::{
    parser::Relation,
    tagger::{Upos, Xpos},
};

/// Tokens of an attribution that are looked through.
const ATTRIBUTION_TOKENS_MAX: usize = 60;

/// Gives cue, speaker, addressee and circumstances to those quotations that tell them.
pub(super) fn run(tree: &Tree<'_>, lexicon: &Lexicon, quotes: &mut [Quote]) {
    // The pieces of all top-level quotations, in text order: an attribution never reaches into one.
    let mut pieces: Vec<Range<usize>> = quotes
        .iter()
        .filter(|quote| quote.parent.is_none())
        .flat_map(|quote| &quote.content)
        .map(|content| tree.tokens_in(*content))
        .collect();
    pieces.sort_by_key(|piece| piece.start);
    for index in 0..quotes.len() {
        let Some(quote) = quotes.get(index) else { continue };
        let contents: Vec<Range<usize>> = quote.content.iter().map(|content| tree.tokens_in(*content)).collect();
        let parent = quote.parent.and_then(|parent| quotes.get(parent));
        let holder = parent.and_then(|parent| {
            let content = quote.content.first()?;
            parent.content.iter().find(|outer| outer.contains(*content)).map(|outer| tree.tokens_in(*outer))
        });
        let finder = Finder { tree, lexicon, pieces: &pieces, holder };
        let Some(found) = finder.find(&contents) else { continue };
        if let Some(quote) = quotes.get_mut(index) {
            found.put(tree, lexicon, quote);
        }
    }
}

/// Words that attribute.
struct Attribution {
    cue: Option<(Range<usize>, String, CueKind)>,
    verb: Option<usize>,
    speaker: Option<Phrase>,
    room: Range<usize>,
}

impl Attribution {
    fn put(self, tree: &Tree<'_>, lexicon: &Lexicon, quote: &mut Quote) {
        quote.speaker = self.speaker.as_ref().and_then(|phrase| speaker::from_phrase(tree, phrase));
        if let Some(verb) = self.verb {
            let taken: Vec<Range<usize>> = self.speaker.iter().map(|phrase| phrase.range.clone()).collect();
            let spoken_to = addressee(tree, lexicon, verb, &self.room, &taken);
            let mut taken = taken;
            taken.extend(spoken_to.clone().map(|(range, _)| range));
            quote.circumstances = tree.circumstances(verb, &self.room, &taken);
            quote.addressee = spoken_to.and_then(|(range, head)| {
                Some(Addressee { span: tree.span(&range)?, head: head as u32, entity: None })
            });
        }
        quote.cue = self.cue.and_then(|(range, lemma, kind)| Some(Cue { span: tree.span(&range)?, lemma, kind }));
        if quote.speaker.is_none() || quote.cue.is_none() {
            quote.confidence_percent = quote.confidence_percent.min(80);
        }
    }
}

/// The one who is spoken to: the object of "told", or behind "to" where the verb is one of saying.
pub(super) fn addressee(
    tree: &Tree<'_>,
    lexicon: &Lexicon,
    verb: usize,
    room: &Range<usize>,
    taken: &[Range<usize>],
) -> Option<(Range<usize>, usize)> {
    let whom = lexicon.verb_at(tree.lemma(verb), tree.word(verb)).is_some_and(|known| known.whom);
    let head = tree.children(verb).find(|child| {
        let is_person = tree.is_noun(*child) && *child > verb && room.contains(child);
        let object = whom && matches!(tree.relation(*child), Relation::Obj | Relation::Iobj);
        let behind_to = tree.relation(*child) == Relation::Obl
            && tree.children(*child).any(|case| tree.relation(case) == Relation::Case && tree.word(case) == "to");
        let free = taken.iter().all(|range| !range.contains(child));
        is_person && free && (object || behind_to)
    })?;
    let mut range = tree.under(head, &(verb + 1..room.end));
    // The preposition is no part of it.
    while range.start < head && matches!(tree.upos(range.start), Upos::Adp | Upos::Punct) {
        range.start += 1;
    }
    let clause = tree.children(head).find(|child| {
        *child > head && matches!(tree.relation(*child), Relation::Acl | Relation::Ccomp | Relation::Parataxis)
    });
    if let Some(clause) = clause {
        range.end = range.end.min(tree.under(clause, room).start.max(head + 1));
    }
    range.end = end_of_addressee(tree, head, &range);
    Some((tree.trim(&range), head))
}

/// "told dpa | that …", "told Judge Stone, | her voice breaking": before a clause, and before a comma behind which no
/// apposition and no other of those spoken to follows.
fn end_of_addressee(tree: &Tree<'_>, head: usize, range: &Range<usize>) -> usize {
    for token in head + 1..range.end {
        if tree.word(token).eq_ignore_ascii_case("that") && tree.upos(token) == Upos::Sconj {
            return token;
        }
        if tree.word(token) != "," {
            continue;
        }
        let joined = |next: usize| match tree.relation(next) {
            Relation::Conj => true,
            // Words that hang on "her" and close with no comma tell how it was said.
            Relation::Appos | Relation::Flat => {
                tree.xpos(token + 1) != Xpos::PrpS || (next + 1..range.end).any(|comma| tree.word(comma) == ",")
            }
            _ => false,
        };
        let belongs = |next: &usize| tree.head(*next).is_some_and(|up| up < token && range.contains(&up));
        if !(token + 1..range.end).any(|next| belongs(&next) && joined(next)) {
            return token;
        }
    }
    range.end
}

struct Finder<'a, 'b> {
    tree: &'a Tree<'b>,
    lexicon: &'a Lexicon,
    pieces: &'a [Range<usize>],
    /// The piece that a quotation inside another stands in.
    holder: Option<Range<usize>>,
}

impl Finder<'_, '_> {
    fn find(&self, contents: &[Range<usize>]) -> Option<Attribution> {
        let first = contents.first()?;
        let before = self.before(first);
        let behind: Vec<Range<usize>> = contents.iter().map(|content| self.behind(content)).collect();
        let opens_late = before.clone().any(|token| !self.tree.is_punctuation(token));
        let pauses = self.ends_with_pause(first);
        let from_before = || self.attribution(&before, Side::Before);
        let from_behind = || behind.iter().find_map(|range| self.attribution(range, Side::Behind));
        if opens_late && !(pauses && behind.first().is_some_and(|range| self.opens_as_attribution(range))) {
            from_before().or_else(from_behind)
        } else {
            from_behind().or_else(from_before)
        }
        .or_else(|| self.colon_before(first))
    }

    /// The words before a piece in its sentence.
    fn before(&self, piece: &Range<usize>) -> Range<usize> {
        let sentence = self.tree.sentence_at(piece.start).and_then(|index| self.tree.sentence(index));
        let mut start = sentence.map_or(piece.start, |sentence| sentence.start);
        if let Some(holder) = &self.holder {
            start = start.max(holder.start);
        } else {
            let index = self.pieces.partition_point(|other| other.start < piece.start);
            if let Some(other) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) {
                start = start.max(other.end);
            }
        }
        start.max(piece.start.saturating_sub(ATTRIBUTION_TOKENS_MAX)).min(piece.start)..piece.start
    }

    /// The words behind a piece in its sentence.
    fn behind(&self, piece: &Range<usize>) -> Range<usize> {
        let last = piece.end.saturating_sub(1).max(piece.start);
        let index = self.tree.sentence_at(last);
        let mut end = index.and_then(|index| self.tree.sentence(index)).map_or(piece.end, |sentence| sentence.end);
        let limit = if let Some(holder) = &self.holder {
            holder.end
        } else {
            let next = self.pieces.partition_point(|other| other.start < piece.end);
            self.pieces.get(next).map_or(usize::MAX, |next| next.start)
        };
        let is_bare = |end: usize| (piece.end..end).all(|token| self.tree.is_punctuation(token));
        if is_bare(end) {
            // The sentence ended with the closing mark: the attribution may be one of its own.
            let next = index.and_then(|index| self.tree.sentence(index + 1));
            let same = |next: &Range<usize>| self.tree.paragraph(next.start) == self.tree.paragraph(last);
            if let Some(next) = next.filter(|next| same(next) && self.opens_as_attribution(next)) {
                end = next.end;
            }
        }
        let end = end.min(limit).min(piece.end + ATTRIBUTION_TOKENS_MAX);
        piece.end..end.max(piece.end)
    }

    fn ends_with_pause(&self, piece: &Range<usize>) -> bool {
        let last = piece.end.checked_sub(1).map_or("", |last| self.tree.word(last));
        // Without the comma inside, it may stand behind the mark.
        matches!(last, "," | "?" | "!" | "—" | "–" | "-" | "--" | "…" | "...") || self.tree.word(piece.end + 1) == ","
    }

    /// `he said`, `said Ames`, `Anna Ames, of the port, said`.
    fn opens_as_attribution(&self, range: &Range<usize>) -> bool {
        let words: Vec<usize> = range.clone().filter(|token| !self.tree.is_punctuation(*token)).take(3).collect();
        let lower = words.first().is_some_and(|token| self.tree.word(*token).starts_with(char::is_lowercase));
        words.iter().take(2).any(|token| self.is_cue(*token))
            || lower && words.iter().any(|token| self.is_cue(*token))
            || range.clone().take(CUE_TOKENS_NEAR).any(|token| self.is_cue(token))
    }

    fn is_cue(&self, token: usize) -> bool {
        let tree = self.tree;
        let word = tree.word(token);
        match tree.upos(token) {
            Upos::Verb => {
                self.lexicon
                    .verb_at(tree.lemma(token), tree.word(token))
                    .is_some_and(|verb| verb.that.is_some() || verb.kind().is_speech())
                    || self.lexicon.is_form(word)
            }
            _ => matches!(word, "said" | "says" | "added" | "told" | "asked"),
        }
    }

    fn attribution(&self, range: &Range<usize>, side: Side) -> Option<Attribution> {
        let tree = self.tree;
        if let Some(found) = self.phrase(range) {
            return Some(found);
        }
        let cues: Vec<usize> = range.clone().filter(|token| self.is_cue(*token)).collect();
        let main = |token: &usize| !matches!(tree.relation(*token), Relation::AclRelcl | Relation::Acl);
        let verb = match side {
            Side::Behind => cues.iter().copied().find(main).or_else(|| cues.first().copied()),
            Side::Before => cues.iter().copied().rfind(main).or_else(|| cues.last().copied()),
        };
        let Some(verb) = verb else { return self.colon(range, side) };
        let own = tree.subject(verb, range).filter(|phrase| phrase.rule == SpeakerRule::Subject);
        let speaker =
            own.or_else(|| self.beside(verb, range, side)).or_else(|| tree.subject(verb, range)).or_else(|| {
                // "… he shouted, adding": the subject stands before another piece of the sentence.
                let sentence = tree.sentence_at(verb).and_then(|index| tree.sentence(index))?;
                let phrase = tree.subject(verb, &sentence)?;
                self.pieces.iter().all(|piece| !piece.contains(&phrase.head)).then_some(phrase)
            });
        let group = tree.verb_group(verb, range);
        let kind =
            self.lexicon.verb_at(tree.lemma(verb), tree.word(verb)).map_or(CueKind::Say, super::lexicon::Verb::kind);
        let kind = if kind.is_speech() { kind } else { CueKind::Say };
        let lemma = tree.group_lemma(verb, &group);
        Some(Attribution { cue: Some((group, lemma, kind)), verb: Some(verb), speaker, room: range.clone() })
    }

    /// The words right before or behind a cue, where the parse gives no subject.
    fn beside(&self, verb: usize, range: &Range<usize>, side: Side) -> Option<Phrase> {
        let tree = self.tree;
        let group = tree.verb_group(verb, range);
        let first = (range.start..group.start).find(|token| !tree.is_punctuation(*token)).unwrap_or(group.start);
        let before = tree.trim(&(first..group.start));
        let starts_named = |range: &Range<usize>| {
            !range.is_empty()
                && matches!(tree.upos(range.start), Upos::Propn | Upos::Pron | Upos::Det | Upos::Noun | Upos::Adj)
                && !matches!(tree.xpos(range.start), Xpos::Wdt | Xpos::Wp)
        };
        let head_of = |range: &Range<usize>| {
            let outside = |token: &usize| tree.head(*token).is_none_or(|head| !range.contains(&head));
            let mut nouns = range.clone().filter(|token| tree.is_noun(*token));
            nouns.clone().find(outside).or_else(|| nouns.next())
        };
        if side == Side::Behind && starts_named(&before) && before.len() <= BESIDE_TOKENS_MAX {
            let head = head_of(&before)?;
            return tree.phrase(before, head, SpeakerRule::Beside);
        }
        // Behind the cue, up to a comma or a word that tells when and where.
        let rest = group.end..range.end;
        let first = rest.clone().next().filter(|_| starts_named(&rest))?;
        if tree.word(first).eq_ignore_ascii_case("that") {
            return None;
        }
        let stop = |token: &usize| {
            tree.is_punctuation(*token)
                || matches!(tree.upos(*token), Upos::Sconj | Upos::Verb | Upos::Aux)
                || tree.upos(*token) == Upos::Adp && tree.word(*token) != "of"
        };
        let end = rest.clone().find(stop).unwrap_or(rest.end);
        let near = first..end;
        let head = head_of(&near)?;
        if matches!(tree.relation(head), Relation::Iobj | Relation::Obl | Relation::OblUnmarked) {
            return None;
        }
        // An apposition goes on behind the comma where the parse says so.
        let whole = tree.noun_phrase(head, verb, range);
        let range = if whole.start == near.start && whole.end > near.end { whole } else { near };
        tree.phrase(tree.trim(&range), head, SpeakerRule::Beside)
    }

    /// "According to Ames".
    fn phrase(&self, range: &Range<usize>) -> Option<Attribution> {
        let tree = self.tree;
        let (at, phrase) = range.clone().take(CUE_TOKENS_NEAR).find_map(|token| {
            let mut phrases = self.lexicon.phrases().iter();
            phrases.find(|phrase| is_phrase_at(tree, token, &phrase.words)).map(|phrase| (token, phrase))
        })?;
        let behind = at + phrase.words.len()..range.end;
        let speaker = source_behind(tree, &behind)?;
        let cue = at..behind.start;
        Some(Attribution {
            cue: Some((cue, phrase.words.join(" "), phrase.kind)),
            verb: None,
            speaker: Some(speaker),
            room: range.clone(),
        })
    }

    /// "Ames: …", "His answer was plain: …".
    fn colon(&self, range: &Range<usize>, side: Side) -> Option<Attribution> {
        let tree = self.tree;
        if side == Side::Behind {
            return self.signature(range);
        }
        let colon = range.clone().rfind(|token| !is_quotation_mark(tree.word(*token)))?;
        if tree.word(colon) != ":" {
            return None;
        }
        let words = tree.trim(&(range.start..colon));
        let root = words.clone().find(|token| tree.head(*token).is_none_or(|head| !words.contains(&head)))?;
        if matches!(tree.upos(root), Upos::Verb | Upos::Aux) {
            let subject = tree.subject(root, &words)?;
            let group = tree.verb_group(root, &words);
            let lemma = tree.group_lemma(root, &group);
            return Some(Attribution {
                cue: Some((group, lemma, CueKind::Say)),
                verb: Some(root),
                speaker: Some(Phrase { rule: SpeakerRule::Colon, ..subject }),
                room: words,
            });
        }
        (tree.is_noun(root) && words.len() <= BESIDE_TOKENS_MAX).then(|| Attribution {
            cue: None,
            verb: None,
            speaker: Some(Phrase { range: words.clone(), head: root, rule: SpeakerRule::Colon }),
            room: words,
        })
    }

    /// `"…" — Anna Ames, of the port`: a name behind a dash.
    fn signature(&self, range: &Range<usize>) -> Option<Attribution> {
        let tree = self.tree;
        let dash = range.clone().take(3).find(|token| matches!(tree.word(*token), "-" | "--" | "—" | "–"))?;
        let words = tree.trim(&(dash + 1..range.end));
        let head = words.clone().next().filter(|first| tree.upos(*first) == Upos::Propn)?;
        (words.len() <= BESIDE_TOKENS_MAX).then(|| Attribution {
            cue: None,
            verb: None,
            speaker: Some(Phrase { range: words.clone(), head, rule: SpeakerRule::Beside }),
            room: words,
        })
    }

    /// The sentence before, when it ends with a colon.
    fn colon_before(&self, piece: &Range<usize>) -> Option<Attribution> {
        let tree = self.tree;
        if self.holder.is_some() {
            return None;
        }
        let own = tree.sentence_at(piece.start)?;
        let before = tree.sentence(own.checked_sub(1)?)?;
        let ends = before.end.checked_sub(1).is_some_and(|last| tree.word(last) == ":");
        let near = tree.paragraph(piece.start)?.saturating_sub(tree.paragraph(before.start)?) <= 1;
        let mut range = before;
        let index = self.pieces.partition_point(|other| other.start < range.end);
        if let Some(other) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            range.start = range.start.max(other.end);
        }
        if ends && near && range.start < range.end { self.attribution(&range, Side::Before) } else { None }
    }
}

/// Tokens near a mark among which a cue makes the words an attribution.
const CUE_TOKENS_NEAR: usize = 6;
/// Words of a name with its role, where the parse gives no subject.
const BESIDE_TOKENS_MAX: usize = 25;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

fn is_quotation_mark(word: &str) -> bool {
    matches!(word, "\"" | "“" | "”" | "„" | "«" | "»" | "'" | "‘" | "’" | "``" | "''")
}

/// Whether the words of a phrase stand at a token.
pub(super) fn is_phrase_at(tree: &Tree<'_>, token: usize, words: &[String]) -> bool {
    words.iter().enumerate().all(|(offset, word)| tree.word(token + offset).eq_ignore_ascii_case(word))
}

/// The noun phrase that a range begins with.
pub(in crate::extract) fn source_behind(tree: &Tree<'_>, range: &Range<usize>) -> Option<Phrase> {
    let mut head = range.clone().find(|token| tree.is_noun(*token))?;
    // Up to the noun that the others hang on.
    for _ in 0..range.len() {
        match tree.head(head).filter(|up| range.contains(up) && tree.is_noun(*up)) {
            Some(up) => head = up,
            None => break,
        }
    }
    let start = range.start.checked_sub(1)?;
    let words = tree.noun_phrase(head, start, range);
    let words = tree.trim(&(range.start..words.end.max(head + 1)));
    (!words.is_empty()).then_some(Phrase { range: words, head, rule: SpeakerRule::Source })
}

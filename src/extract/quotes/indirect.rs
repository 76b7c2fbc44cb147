//! The parse → what is reported in the writer's words.
//!
//! ```text
//! The ministry denied that it had known, and promised to appeal, according to two officials.
//! ^^^^^^^^^^^^ speaker     ^^^^^^^^^^^^ deny, clause
//! ^^^^^^^^^^^^ shared                                 ^^^^^^^^^ promise, infinitive
//! ```
//!
//! One pass over the words: verbs that report (a clause, an infinitive, an object, words behind a
//! preposition; passive and impersonal too), nouns that report, phrases such as "according to",
//! and a name with a colon. Where the parse is wrong, "that", commas and marks give the bounds.
//!
//! Does not look at words outside sentences, and does not judge what is true.

use std::ops::Range;

use super::{
    Addressee, Cue, CueKind, Lexicon, Quote, QuoteRule, QuoteType, SpeakerRule,
    direct::{addressee, is_phrase_at, source_behind},
    lexicon::Verb,
    speaker,
    tree::{Phrase, Tree},
};
use crate::{
    extract::citations::Sources,
    model::{
        parser::Relation,
        tagger::{Upos, Xpos},
    },
};

/// Words of content below which a fronted clause is none.
const FRONTED_WORDS_MIN: usize = 2;
/// Words between a cue and its "that".
const THAT_WORDS_MAX: usize = 12;
/// Words between the commas before a "that".
const ASIDE_WORDS_MAX: usize = 40;
/// Words of a name before a colon.
const COLON_WORDS_MAX: usize = 6;

/// Words of one content; more was not said in one breath. Without it a sentence of cues in a row, each with all
/// the rest as its content, would make a record that grows with the square of its story.
const CONTENT_WORDS_MAX: usize = 150;
/// Words to each side of a cue among which its parts are looked for: the work of a sentence without end stays
/// linear in its length.
const ROOM_WORDS_MAX: usize = 400;
/// A quotation that the parse gives, and whether it stands between quotation marks.
pub(super) struct Report {
    pub(super) quote: Quote,
    pub(super) inside: bool,
}

/// Reads every sentence.
pub(super) fn run(tree: &Tree<'_>, lexicon: &Lexicon, sources: &Sources, quotes: &[Quote]) -> Vec<Report> {
    let mut pieces: Vec<(Range<usize>, usize)> = Vec::new();
    for (index, quote) in quotes.iter().enumerate().filter(|(_, quote)| quote.parent.is_none()) {
        pieces.extend(quote.content.iter().map(|content| (tree.tokens_in(*content), index)));
    }
    pieces.sort_by_key(|(piece, _)| piece.start);
    let mut reports = Vec::new();
    for sentence in tree.input.sentences {
        let sentence = sentence.tokens.start as usize..sentence.tokens.end as usize;
        let mut reader = Reader { tree, lexicon, sources, pieces: &pieces, reports: &mut reports };
        reader.colon(&sentence);
        for token in sentence.clone() {
            let room = reader.room(token, &sentence);
            match tree.upos(token) {
                Upos::Verb => reader.verb(token, &room),
                Upos::Noun => reader.noun(token, &room),
                _ => {}
            }
            reader.phrase(token, &room);
        }
    }
    reports
}

/// Where a token may find the parts of its report.
struct Room {
    range: Range<usize>,
    /// Between quotation marks.
    inside: bool,
}

/// The parts of a report, as they are found.
struct Found {
    cue: Range<usize>,
    lemma: String,
    kind: CueKind,
    contents: Vec<Range<usize>>,
    speaker: Option<Phrase>,
    verb: Option<usize>,
    spoken_to: Option<(Range<usize>, usize)>,
    rule: QuoteRule,
    confidence_percent: u8,
}

pub(super) struct Reader<'a, 'b> {
    pub(super) tree: &'a Tree<'b>,
    pub(super) lexicon: &'a Lexicon,
    sources: &'a Sources,
    pieces: &'a [(Range<usize>, usize)],
    reports: &'a mut Vec<Report>,
}

impl Reader<'_, '_> {
    /// Inside marks a report keeps within them.
    fn room(&self, token: usize, sentence: &Range<usize>) -> Room {
        let after = self.pieces.partition_point(|(piece, _)| piece.start <= token);
        let holder = after.checked_sub(1).and_then(|index| self.pieces.get(index)).map(|(piece, _)| piece);
        let reach = token.saturating_sub(ROOM_WORDS_MAX)..token + 1 + ROOM_WORDS_MAX;
        let within = |range: &Range<usize>| range.start.max(reach.start)..range.end.min(reach.end);
        let sentence = within(sentence);
        match holder.filter(|piece| piece.contains(&token)) {
            Some(piece) => Room { range: sentence.start.max(piece.start)..sentence.end.min(piece.end), inside: true },
            None => Room { range: sentence, inside: false },
        }
    }

    fn push(&mut self, room: &Room, found: Found) {
        let tree = self.tree;
        if found.contents.iter().any(|range| range.len() > CONTENT_WORDS_MAX) {
            return;
        }
        // "found him", "describes itself": a pronoun for somebody tells nothing; "denied that" points to what was said.
        let pronoun = |range: &Range<usize>| {
            let range = tree.trim(range);
            let points = || matches!(tree.word(range.start).to_lowercase().as_str(), "this" | "that" | "it" | "so");
            range.len() == 1 && matches!(tree.upos(range.start), Upos::Pron | Upos::Det) && !points()
        };
        if found.contents.iter().all(pronoun) {
            return;
        }
        let contents: Vec<_> = found.contents.iter().map(|range| content_range(tree, range, room.range.end)).collect();
        let content: Vec<_> = contents.iter().filter_map(|range| tree.span(range)).collect();
        let Some(cue) = tree.span(&found.cue).filter(|_| !content.is_empty()) else { return };
        let mut taken = contents;
        taken.extend(found.speaker.iter().map(|phrase| phrase.range.clone()));
        taken.extend(found.spoken_to.iter().map(|(range, _)| range.clone()));
        let circumstances = found.verb.map(|verb| tree.circumstances(verb, &room.range, &taken)).unwrap_or_default();
        let doubt = if found.speaker.is_some() { 0 } else { 10 };
        let quote = Quote {
            kind: QuoteType::Indirect,
            content,
            cue: Some(Cue { span: cue, lemma: found.lemma, kind: found.kind }),
            speaker: found.speaker.as_ref().and_then(|phrase| speaker::from_phrase(tree, phrase)),
            addressee: found.spoken_to.and_then(|(range, head)| {
                Some(Addressee { span: tree.span(&range)?, head: head as u32, entity: None })
            }),
            circumstances,
            not_said: Vec::new(),
            parent: None,
            rule: found.rule,
            confidence_percent: found.confidence_percent - doubt,
        };
        self.reports.push(Report { quote, inside: room.inside });
    }

    /// A verb that reports.
    fn verb(&mut self, token: usize, room: &Room) {
        let tree = self.tree;
        let Some(known) = self.lexicon.verb_at(tree.lemma(token), tree.word(token)) else { return };
        let range = &room.range;
        // "expected demand growth to slow": the tags contradict each other, and the finer one is right more often.
        if matches!(tree.xpos(token), Xpos::Nn | Xpos::Nns | Xpos::Nnp | Xpos::Jj) {
            return;
        }
        if tree.is_passive(token) && tree.xpos(token) == Xpos::Vbn {
            self.passive(token, known, room);
            return;
        }
        let speaker = tree.subject_or_beside(token, range);
        let group = tree.verb_group(token, range);
        let lemma = tree.group_lemma(token, &group);
        let used: Vec<Range<usize>> = speaker.iter().map(|phrase| phrase.range.clone()).collect();
        let spoken_to = addressee(tree, self.lexicon, token, range, &used);
        let report = |cue: Range<usize>, kind, contents, rule, confidence_percent| Found {
            cue,
            lemma: lemma.clone(),
            kind,
            contents,
            speaker: speaker.clone(),
            verb: Some(token),
            spoken_to: spoken_to.clone(),
            rule,
            confidence_percent,
        };
        if known.kind().is_speech() && self.is_refused(token) {
            return;
        }
        if let Some(kind) = known.that {
            if let Some(content) = self.clause(token, known, range) {
                self.push(room, report(group, kind, vec![content], QuoteRule::Clause, 85));
                return;
            }
            if (kind.is_speech() || matches!(tree.lemma(token), "think" | "believe" | "learn" | "show" | "find"))
                && let Some((contents, speaker)) = self.fronted(token, speaker.as_ref(), range)
            {
                let mut found = report(group, kind, contents, QuoteRule::Trailing, 80);
                found.speaker = speaker;
                self.push(room, found);
                return;
            }
        }
        if let Some((kind, content)) = known.to.and_then(|kind| Some((kind, self.infinitive(token, range)?))) {
            self.push(room, report(group, kind, vec![content], QuoteRule::Infinitive, 75));
            return;
        }
        if speaker.is_none() || self.is_negated(token, &group) {
            return;
        }
        if let Some((kind, content)) = known
            .thing
            .filter(|kind| self.may_show(*kind, speaker.as_ref()))
            .and_then(|kind| Some((kind, self.object(token, range)?)))
        {
            self.push(room, report(group, kind, vec![content], QuoteRule::Object, 65));
            return;
        }
        if let Some((kind, case, content)) = self.preposition(token, known, range) {
            let cue = if case == group.end { group.start..case + 1 } else { group };
            self.push(room, report(cue, kind, vec![content], QuoteRule::Preposition, 65));
        }
    }

    /// "does not discuss", "neither confirmed nor denied": of what is only named, nothing is said.
    fn is_negated(&self, verb: usize, group: &Range<usize>) -> bool {
        let tree = self.tree;
        let negates = |token: usize| {
            matches!(tree.word(token).to_lowercase().as_str(), "not" | "n't" | "n’t" | "never" | "neither" | "nor")
        };
        group.clone().any(negates) || tree.children(verb).any(|child| child < verb && negates(child))
    }

    /// "refused to say how": the refusal is the report, and nothing is said in it.
    fn is_refused(&self, verb: usize) -> bool {
        let tree = self.tree;
        let above = tree.head(verb).filter(|_| tree.relation(verb) == Relation::Xcomp);
        above.is_some_and(|above| matches!(tree.lemma(above), "refuse" | "decline"))
    }

    /// What shows a thing is written down, or a body that rules; people who find somebody report nothing.
    fn may_show(&self, kind: CueKind, speaker: Option<&Phrase>) -> bool {
        let by_paper = |phrase: &Phrase| self.sources.tells_by_paper(self.tree.lemma(phrase.head));
        kind != CueKind::Show || speaker.is_some_and(by_paper)
    }

    /// The clause behind a verb.
    fn clause(&self, verb: usize, known: &Verb, range: &Range<usize>) -> Option<Range<usize>> {
        let tree = self.tree;
        let behind = verb + 1..range.end;
        let is_that = |token: usize| tree.word(token).eq_ignore_ascii_case("that");
        let clause = tree.children(verb).find(|child| {
            if *child <= verb || !range.contains(child) {
                return false;
            }
            let marked = || {
                let first = tree.under(*child, &behind).start;
                is_that(first) || matches!(tree.word(first), "if" | "whether" | "how" | "why" | "what")
            };
            match tree.relation(*child) {
                Relation::Ccomp => self.is_clause(*child, &behind),
                Relation::Xcomp => !self.is_infinitive(*child, &behind) && marked(),
                Relation::Advcl | Relation::Dep | Relation::Acl => {
                    marked() && is_that(tree.under(*child, &behind).start)
                }
                Relation::Parataxis => {
                    let first = tree.under(*child, &behind).start;
                    tree.word(first.saturating_sub(1)) == ":" && first > verb
                }
                _ => false,
            }
        });
        if let Some(child) = clause {
            let whole = tree.under(child, &behind);
            let mut content = self.end_clause(verb, &whole);
            if known.to.is_none() && self.is_infinitive(child, &behind) && !known.whom {
                return None;
            }
            // What stands between the verb and "that" tells when and to whom.
            if let Some(that) = content.clone().take(THAT_WORDS_MAX).find(|token| is_that(*token))
                && tree.relation(that) == Relation::Mark
                && tree.head(that) == Some(child)
            {
                content.start = that;
            }
            content.end = self.lost_rest(&content, &behind);
            return Some(content);
        }
        // The parse has lost the clause: "that" still says where it begins.
        let aside = self.aside(&behind);
        let far = THAT_WORDS_MAX + aside.as_ref().map_or(0, ExactSizeIterator::len);
        let within = |token: &usize| aside.as_ref().is_none_or(|aside| !aside.contains(token));
        let that = behind.clone().take(far).filter(within).find(|token| is_that(*token))?;
        let mark = tree.relation(that) == Relation::Mark || tree.upos(that) == Upos::Sconj;
        let between = (verb + 1..that).all(|token| {
            let says = match tree.upos(token) {
                // "in an e-mailed statement that".
                Upos::Verb => tree.relation(token) != Relation::Amod,
                Upos::Aux | Upos::Sconj | Upos::Cconj => true,
                _ => tree.word(token) == ";",
            };
            !says || aside.as_ref().is_some_and(|aside| aside.contains(&token))
        });
        // "said in a statement that": the noun belongs to how it was said.
        let how = || {
            let up = (that - 1..that).chain(tree.head(that - 1)).find(|token| tree.relation(*token) == Relation::Obl);
            up.is_some_and(|noun| tree.head(noun) == Some(verb)) && known.that.is_some_and(CueKind::is_speech)
        };
        let direct = that == verb + 1 || known.whom || tree.upos(that - 1) != Upos::Noun || how();
        (mark && between && direct && that + 2 < range.end).then(|| self.end_clause(verb, &(that..range.end)))
    }

    /// Whether what the parse calls a clause is one: "said, sobbing" and "said, limping to the bench" are not.
    fn is_clause(&self, child: usize, behind: &Range<usize>) -> bool {
        /// Words that are a clause without a subject: "said yes to it".
        const WORDS_MIN: usize = 3;
        const PARTS: [Relation; 6] = [
            Relation::Nsubj,
            Relation::NsubjPass,
            Relation::NsubjOuter,
            Relation::Csubj,
            Relation::Expl,
            Relation::Mark,
        ];
        let tree = self.tree;
        let whole = tree.under(child, behind);
        let aside = tree.xpos(child) == Xpos::Vbg && (tree.word(whole.start) == "," || tree.word(child - 1) == ",");
        tree.children(child).any(|part| PARTS.contains(&tree.relation(part))) || whole.len() >= WORDS_MIN && !aside
    }

    /// "reported on Monday, citing officials, that": the words between the commas before "that".
    fn aside(&self, behind: &Range<usize>) -> Option<Range<usize>> {
        let tree = self.tree;
        let opens = behind.clone().take(THAT_WORDS_MAX).find(|token| {
            tree.word(*token) == ","
                && tree.xpos(*token + 1) == Xpos::Vbg
                && self.sources.hands_on(tree.lemma(*token + 1))
        })?;
        let closes = (opens + 1..behind.end)
            .take(ASIDE_WORDS_MAX)
            .find(|token| tree.word(*token) == "," && tree.word(*token + 1).eq_ignore_ascii_case("that"))?;
        Some(opens..closes + 1)
    }

    /// Where a clause ends before another one of the writer's own.
    fn end_clause(&self, verb: usize, whole: &Range<usize>) -> Range<usize> {
        let tree = self.tree;
        let mut end = whole.end;
        for token in whole.clone().skip(2) {
            // ", according to" is none of it, nor is a verb that goes with the cue.
            let phrase =
                || tree.word(token) == "," && is_phrase_at(tree, token + 1, &["according".to_owned(), "to".to_owned()]);
            let goes_with_cue =
                || tree.upos(token) == Upos::Cconj && token + 1 < whole.end && tree.cue_above(token + 1) == Some(verb);
            // "said it was late; Brandt said it was not": another report.
            let another = || {
                let marks = (whole.start..token).filter(|token| is_double_mark(tree, *token)).count();
                let reports = |token: usize| {
                    let known = self.lexicon.verb_at(tree.lemma(token), tree.word(token)).and_then(|verb| verb.that);
                    tree.upos(token) == Upos::Verb && known.is_some_and(CueKind::is_speech)
                };
                tree.word(token) == ";" && marks % 2 == 0 && (token + 1..whole.end).any(reports)
            };
            if phrase() || goes_with_cue() || another() {
                end = token;
                break;
            }
        }
        whole.start..end
    }

    /// Words that the parse has torn off the end of a clause: nothing parts them from it.
    fn lost_rest(&self, content: &Range<usize>, behind: &Range<usize>) -> usize {
        let tree = self.tree;
        if content.end >= behind.end {
            return content.end;
        }
        if matches!(tree.upos(content.end), Upos::Pron | Upos::Det | Upos::Noun | Upos::Aux | Upos::Verb) {
            let stop = (content.end..behind.end).find(|token| tree.is_punctuation(*token));
            return stop.unwrap_or(behind.end);
        }
        // "that it is late, it is cold": clauses in a row that begin alike.
        let first = content.clone().find(|token| tree.relation(*token) != Relation::Mark).unwrap_or(content.start);
        let again = (1..=2).all(|offset| {
            tree.word(content.end + offset).eq_ignore_ascii_case(tree.word(first + offset - 1))
                && first + offset < content.end
        });
        if tree.word(content.end) == "," && again && content.end + 2 < behind.end { behind.end } else { content.end }
    }

    fn is_infinitive(&self, verb: usize, range: &Range<usize>) -> bool {
        let tree = self.tree;
        tree.children(verb).any(|child| {
            range.contains(&child) && child < verb && tree.relation(child) == Relation::Mark && tree.word(child) == "to"
        })
    }

    /// The infinitive behind a verb.
    fn infinitive(&self, verb: usize, range: &Range<usize>) -> Option<Range<usize>> {
        let tree = self.tree;
        let behind = verb + 1..range.end;
        let relations = [Relation::Xcomp, Relation::Ccomp, Relation::Advcl, Relation::Acl];
        let child = tree.children(verb).find(|child| {
            behind.contains(child) && relations.contains(&tree.relation(*child)) && self.is_infinitive(*child, &behind)
        })?;
        let whole = tree.under(child, &behind);
        let to = whole.clone().take(THAT_WORDS_MAX).find(|token| {
            tree.word(*token) == "to" && tree.head(*token) == Some(child) || tree.word(*token) == "not"
        })?;
        Some(to..whole.end)
    }

    /// The object behind a verb, with what it is called or blamed for.
    fn object(&self, verb: usize, range: &Range<usize>) -> Option<Range<usize>> {
        let tree = self.tree;
        let behind = verb + 1..range.end;
        let object =
            tree.children(verb).find(|child| behind.contains(child) && tree.relation(*child) == Relation::Obj)?;
        let mut content = tree.under(object, &behind);
        for child in tree.children(verb).filter(|child| *child > object && behind.contains(child)) {
            let under = tree.under(child, &behind);
            let case = tree.word(under.start);
            let belongs = match tree.relation(child) {
                Relation::Xcomp => true,
                Relation::Obl => matches!(case, "of" | "for" | "as"),
                Relation::Advcl => matches!(case, "of" | "for" | "as" | "over"),
                _ => false,
            };
            if belongs && under.start <= content.end + 1 {
                content.end = content.end.max(under.end);
            }
        }
        Some(content)
    }

    /// The words behind the preposition that a verb asks for.
    fn preposition(&self, verb: usize, known: &Verb, range: &Range<usize>) -> Option<(CueKind, usize, Range<usize>)> {
        let tree = self.tree;
        let behind = verb + 1..range.end;
        let relations = [Relation::Obl, Relation::Advcl, Relation::Nmod, Relation::Ccomp];
        tree.children(verb)
            .filter(|child| behind.contains(child) && relations.contains(&tree.relation(*child)))
            .find_map(|child| {
                let whole = tree.under(child, &behind);
                let case = tree
                    .children(child)
                    .find(|case| *case < child && matches!(tree.relation(*case), Relation::Case | Relation::Mark))?;
                let kind =
                    known.prepositions.iter().find(|(word, _)| tree.word(case) == word).map(|(_, kind)| *kind)?;
                (case + 1 < whole.end).then_some((kind, case, case + 1..whole.end))
            })
    }

    /// "It was reported that", "he was told that", "is expected to", "was denied by".
    fn passive(&mut self, token: usize, known: &Verb, room: &Room) {
        let tree = self.tree;
        let range = &room.range;
        let group = tree.verb_group(token, range);
        let lemma = tree.group_lemma(token, &group);
        let agent = tree.child(token, &[Relation::OblAgent]).or_else(|| {
            tree.children(token).find(|child| {
                tree.relation(*child) == Relation::Obl && tree.children(*child).any(|case| tree.word(case) == "by")
            })
        });
        let speaker = agent.filter(|agent| *agent > token && range.contains(agent)).and_then(|agent| {
            let mut words = tree.under(agent, &(token + 1..range.end));
            while words.start < agent && matches!(tree.upos(words.start), Upos::Adp | Upos::Punct) {
                words.start += 1;
            }
            let words = tree.trim(&words);
            (!words.is_empty()).then_some(Phrase { range: words, head: agent, rule: SpeakerRule::Source })
        });
        let subject = tree.subject(token, range).filter(|phrase| phrase.range.end <= token);
        let report = |cue, kind, contents, confidence_percent| Found {
            cue,
            lemma: lemma.clone(),
            kind,
            contents,
            speaker: speaker.clone(),
            verb: Some(token),
            spoken_to: None,
            rule: QuoteRule::Passive,
            confidence_percent,
        };
        if let Some(kind) = known.that
            && let Some(content) = self.clause(token, known, range)
        {
            let mut found = report(group, kind, vec![content], 75);
            let is_person = |phrase: &Phrase| !matches!(tree.word(phrase.head).to_lowercase().as_str(), "it" | "there");
            found.spoken_to =
                subject.filter(|phrase| known.whom && is_person(phrase)).map(|phrase| (phrase.range, phrase.head));
            self.push(room, found);
            return;
        }
        let Some(subject) = subject else { return };
        if let Some(content) = self.infinitive(token, range) {
            let kind = known.to.or(known.that).or(known.thing).unwrap_or(CueKind::Say);
            self.push(room, report(group, kind, vec![subject.range, content], 65));
            return;
        }
        if let Some(kind) = known.thing.filter(|_| speaker.is_some()) {
            self.push(room, report(group, kind, vec![subject.range], 60));
        }
    }

    /// A noun that reports: "the claim that", "his promise to".
    fn noun(&mut self, token: usize, room: &Room) {
        let tree = self.tree;
        let Some(kind) = self.lexicon.noun(tree.lemma(token)) else { return };
        let range = &room.range;
        let behind = token + 1..range.end;
        let owner = tree.child(token, &[Relation::NmodPoss]).filter(|owner| range.contains(owner) && *owner < token);
        let source = owner.map(|owner| {
            let words = tree.under(owner, &(range.start..token));
            Phrase { range: tree.trim(&words), head: owner, rule: SpeakerRule::Source }
        });
        let content = tree.children(token).filter(|child| behind.contains(child)).find_map(|child| {
            let whole = tree.under(child, &behind);
            let that = tree.word(whole.start).eq_ignore_ascii_case("that");
            match tree.relation(child) {
                Relation::Acl | Relation::Ccomp | Relation::AclRelcl
                    if that && tree.relation(whole.start) == Relation::Mark =>
                {
                    Some((whole, false))
                }
                Relation::Acl | Relation::Advcl if self.is_infinitive(child, &behind) && source.is_some() => {
                    Some((whole, false))
                }
                Relation::Nmod if source.is_some() && matches!(tree.word(whole.start), "of" | "about" | "for") => {
                    Some((whole.start + 1..whole.end, whole.start == token + 1))
                }
                _ => None,
            }
        });
        let Some((content, with_preposition)) = content.filter(|(content, _)| !content.is_empty()) else { return };
        let holder = tree.head(token).filter(|head| {
            range.contains(head)
                && tree.upos(*head) == Upos::Verb
                && matches!(tree.relation(token), Relation::Obj | Relation::Obl)
        });
        let source = source.or_else(|| {
            let by = tree.children(token).find(|child| {
                tree.relation(*child) == Relation::Nmod && tree.children(*child).any(|case| tree.word(case) == "by")
            });
            match by {
                Some(by) => source_behind(tree, &(by.min(content.start)..content.start)),
                None => holder.and_then(|verb| tree.subject(verb, range)),
            }
        });
        let cue = token..if with_preposition { token + 2 } else { token + 1 };
        self.push(
            room,
            Found {
                cue,
                lemma: tree.lemma(token).to_lowercase(),
                kind,
                contents: vec![content],
                speaker: source.filter(|phrase| !phrase.range.is_empty()),
                verb: None,
                spoken_to: None,
                rule: QuoteRule::Noun,
                confidence_percent: 65,
            },
        );
    }

    /// "According to Ames, it would close."
    fn phrase(&mut self, token: usize, room: &Room) {
        let tree = self.tree;
        let range = &room.range;
        let Some(phrase) = self.lexicon.phrases().iter().find(|phrase| {
            is_phrase_at(tree, token, &phrase.words) && (phrase.words.len() > 1 || tree.upos(token) == Upos::Adp)
        }) else {
            return;
        };
        if phrase.words.len() == 1 && (token == range.start || tree.word(token - 1) != ",") {
            return;
        }
        let cue = token..token + phrase.words.len();
        let fronted = tree.trim(&(range.start..token)).is_empty();
        let limit = if fronted {
            // Up to the comma behind which the sentence goes on.
            let comma = (cue.end..range.end).find(|comma| {
                tree.word(*comma) == ","
                    && (*comma + 1..range.end).take(12).any(|t| {
                        matches!(tree.upos(t), Upos::Verb | Upos::Aux)
                            && tree.head(t).is_none_or(|head| head >= *comma || !range.contains(&head))
                    })
            });
            comma.unwrap_or(range.end)
        } else {
            range.end
        };
        let Some(speaker) = source_behind(tree, &(cue.end..limit)) else { return };
        let content = if fronted {
            tree.trim(&(speaker.range.end..range.end))
        } else {
            // From the beginning of the clause; another report before it keeps its own words.
            let start = (range.start..token).rev().find(|t| tree.word(*t) == ";").map_or(range.start, |t| t + 1);
            tree.trim(&(start..token))
        };
        if content.len() < FRONTED_WORDS_MIN {
            return;
        }
        let mut contents = vec![content];
        if !fronted && tree.word(speaker.range.end) == "," {
            let rest = tree.trim(&(speaker.range.end..range.end));
            let first = contents.first().cloned().unwrap_or_default();
            let clausal = first.clone().any(|t| matches!(tree.upos(t), Upos::Verb | Upos::Aux));
            if !clausal && rest.len() >= FRONTED_WORDS_MIN {
                contents.push(rest);
            }
        }
        self.push(
            room,
            Found {
                cue,
                lemma: phrase.words.join(" "),
                kind: phrase.kind,
                contents,
                speaker: Some(speaker),
                verb: None,
                spoken_to: None,
                rule: QuoteRule::Phrase,
                confidence_percent: 85,
            },
        );
    }

    /// "Ames: we shall appeal".
    fn colon(&mut self, sentence: &Range<usize>) {
        let tree = self.tree;
        let Some(colon) = sentence.clone().take(COLON_WORDS_MAX + 1).find(|token| tree.word(*token) == ":") else {
            return;
        };
        let Some(span) = tree.span(&(sentence.start..colon)) else { return };
        let names = tree.input.names;
        let at = names.partition_point(|name| name.span.start < span.start);
        if names.get(at).is_none_or(|name| name.span != span) {
            return;
        }
        let content = tree.trim(&(colon + 1..sentence.end));
        if content.len() <= FRONTED_WORDS_MIN {
            return;
        }
        let head =
            (sentence.start..colon).find(|t| tree.head(*t).is_none_or(|head| head >= colon || head < sentence.start));
        let room = Room { range: sentence.clone(), inside: false };
        self.push(
            &room,
            Found {
                cue: colon..colon + 1,
                lemma: ":".to_owned(),
                kind: CueKind::Say,
                contents: vec![content],
                speaker: Some(Phrase {
                    range: sentence.start..colon,
                    head: head.unwrap_or(sentence.start),
                    rule: SpeakerRule::Colon,
                }),
                verb: None,
                spoken_to: None,
                rule: QuoteRule::Colon,
                confidence_percent: 60,
            },
        );
    }
}

/// What was said, without "that" and without marks and commas at its ends.
fn content_range(tree: &Tree<'_>, range: &Range<usize>, room_end: usize) -> Range<usize> {
    let mut range = tree.trim(range);
    let is_mark = |token: usize| is_double_mark(tree, token);
    // `"in the near future," Ames said`: the mark behind the comma closes the one inside.
    let inside = range.clone().filter(|token| is_mark(*token)).count();
    if inside % 2 == 1 && !range.is_empty() && !is_mark(range.end - 1) {
        let stop = usize::from(matches!(tree.word(range.end), "," | "." | ";" | "?" | "!"));
        if range.end + stop < room_end && is_mark(range.end + stop) {
            range.end += stop + 1;
        }
    }
    loop {
        let before = range.clone();
        if range.len() > 1
            && tree.word(range.start).eq_ignore_ascii_case("that")
            && (tree.relation(range.start) == Relation::Mark || tree.upos(range.start) == Upos::Sconj)
        {
            range.start += 1;
        }
        let marks = range.clone().filter(|token| is_mark(*token)).count();
        if marks > 0 && range.len() > 1 {
            let (first, last) = (is_mark(range.start), is_mark(range.end - 1));
            // Both ends, or a mark whose partner stands outside.
            if marks == 2 && first && last {
                range = range.start + 1..range.end - 1;
            } else if marks % 2 == 1 && first {
                range.start += 1;
            } else if marks % 2 == 1 && last {
                range.end -= 1;
            }
        }
        range = tree.trim(&range);
        if range == before || range.is_empty() {
            return range;
        }
    }
}

fn is_double_mark(tree: &Tree<'_>, token: usize) -> bool {
    matches!(tree.word(token), "\"" | "“" | "”" | "``" | "''")
}

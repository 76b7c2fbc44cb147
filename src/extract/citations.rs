//! Quotations, grammar, entities → whose authority stands behind each sentence.
//!
//! ```text
//! LISVIK, May 3 (Northwire) - The port will close, the Gazette reported, citing two officials.
//!                ^^^^^^^^^ publisher                  ^^^^^^^ media               ^^^^^^^^^^^^ anonymous
//!     → Northwire ← Gazette ← anonymous:two officials
//! ```
//!
//! The chain runs from the publisher inward, link by link; its kind is that of its last link. A
//! sentence has an authority when its main statement is reported: the root of its tree lies in what
//! somebody says, or is the word that reports it; a report in a side clause ("a letter in which it
//! offered talks") vouches for nothing but itself. Sentences in a row with one chain share an entry.
//! What nobody is cited for is told as unattributed, outright.
//!
//! In order: `chain` turns a quotation into links (`words` tells what a phrase is: somebody named,
//! unnamed, a paper, a document; `occasion` how the words came), then sentences are gathered.
//!
//! Does not judge a source, does not look outside the story, and carries a source over to the next
//! sentence only where the words carry it: "he said" of a diplomat without a name, a backshifted
//! "would" behind reported speech.

mod chain;
mod lexicon;
mod occasion;
mod words;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::lexicon::Sources;
use super::{
    dateline::{self, Dateline},
    entities::{Entities, MentionKind},
    quotes::{self, CueKind, Quote, QuoteRule, QuoteType, tree::Tree},
};
use crate::{
    model::{parser::Relation, tagger::Upos},
    text::Span,
};

/// Links of a chain behind the publisher; what goes deeper is left out.
const LINKS_MAX: usize = 6;
/// Quotations that are looked at for one sentence.
const QUOTES_PER_SENTENCE_MAX: usize = 32;

/// What the last link of a chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CitationKind {
    /// The publisher itself.
    Publisher,
    /// Somebody, a body or a country that is named.
    Named,
    /// Somebody whom the copy does not name.
    Anonymous,
    /// A paper, a station, another agency.
    Media,
    /// Something written down or recorded.
    Document,
    /// Nobody: the publisher tells it without a source.
    Unattributed,
}

/// On what occasion, or by what way, the words came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A talk with one medium.
    Interview,
    /// Words to the press: a conference, a briefing, "told reporters".
    PressConference,
    /// A post on a social network.
    SocialPost,
    /// A letter.
    Letter,
    /// An e-mail or another message.
    Message,
    /// By telephone.
    Telephone,
    /// Before a court or a committee.
    Testimony,
    /// On the air.
    Broadcast,
    /// A speech.
    Speech,
    /// A statement or a press release.
    Statement,
    /// A report, a study, a filing.
    Report,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CitationRule {
    /// The agency's mark in the dateline, or the transmission's own word.
    Mark,
    /// The main words of the sentence are somebody's, word for word.
    Quoted,
    /// The main verb reports, or the main words are what it reports.
    Reported,
    /// "According to", "in the words of".
    Phrase,
    /// "Reportedly", "it was reported".
    Hearsay,
    /// Carried over from the sentence before.
    Carried,
    /// Nobody is cited.
    Nobody,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The publisher, where neither dateline nor transmission tells it, or the transmission alone does.
    Publisher(Option<String>),
    /// An index into the story's entities.
    Entity(usize),
    /// Words for somebody who is not named.
    Anonymous(Span),
    /// Words for a document.
    Document(Span),
    /// Words for a body that is told by what it is: "the ministry".
    Body(Span),
}

/// Whose authority stands behind some sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// From the publisher inward; never empty.
    pub chain: Vec<Link>,
    /// Of the last link.
    pub kind: CitationKind,
    /// On what occasion.
    pub via: Option<Via>,
    /// The event at which it was said: an index into the story's entities.
    pub setting: Option<usize>,
    /// What is told of an unnamed source: "who spoke on condition of anonymity".
    pub told: Option<Span>,
    /// Whom an unnamed source belongs to: indices into the story's entities.
    pub of: Vec<usize>,
    /// Indices of sentences, in text order.
    pub sentences: Vec<u32>,
    /// The words that cite, where they first stand.
    pub span: Option<Span>,
    /// What decided.
    pub rule: CitationRule,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

/// What the stage reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What the quotations were read from.
    pub read: quotes::Input<'a>,
    /// Where, when and by whom the story was filed.
    pub dateline: Option<&'a Dateline>,
    /// Who sent it, as the transmission tells.
    pub source: Option<&'a str>,
    /// Quotations.
    pub quotes: &'a [Quote],
}

/// Tells the authority of every sentence. Without grammar only the publisher is told.
pub fn run(input: &Input<'_>, sources: &Sources, cues: &quotes::Lexicon) -> Vec<Citation> {
    let read = input.read;
    let (publisher, mark) = publisher(input);
    let mut citations = Vec::new();
    if mark.is_some() || !matches!(publisher, Link::Publisher(None)) {
        citations.push(Citation { span: mark, ..plain(&publisher, CitationKind::Publisher, CitationRule::Mark, 100) });
    }
    if read.grammar.words.is_empty() || read.grammar.words.len() != read.tokens.len() {
        return citations;
    }
    let tree = Tree::new(read);
    let mut desk = Gathering {
        input,
        sources,
        cues,
        tree: &tree,
        publisher,
        by_sentence: quotes_by_sentence(&tree, input),
        known: Vec::new(),
        last: None,
    };
    let mut open: Vec<Citation> = Vec::new();
    let mut before: Option<u32> = None;
    for (index, sentence) in read.sentences.iter().enumerate() {
        let paragraph = read.layout.paragraphs.get(sentence.paragraph as usize);
        if !paragraph.is_some_and(|paragraph| paragraph.kind.is_story()) {
            continue;
        }
        let index = index as u32;
        let range = sentence.tokens.start as usize..sentence.tokens.end as usize;
        let (ended, goes_on): (Vec<Citation>, Vec<Citation>) = open
            .into_iter()
            .partition(|run| before.is_none_or(|before| before + 1 < index || run.sentences.last() != Some(&before)));
        citations.extend(ended);
        open = goes_on;
        for found in desk.sentence(index, sentence.paragraph, &range) {
            let same = open.iter_mut().find(|run| desk.is_same(run, &found));
            match same {
                Some(run) => {
                    run.sentences.push(index);
                    run.via = run.via.or(found.via);
                    run.setting = run.setting.or(found.setting);
                    run.told = run.told.or(found.told);
                    run.span = run.span.or(found.span);
                    run.confidence_percent = run.confidence_percent.min(found.confidence_percent);
                }
                None => open.push(found),
            }
        }
        before = Some(index);
    }
    citations.extend(open);
    // In text order: by the words that cite, else by the first sentence; the publisher's mark goes first.
    citations.sort_by_key(|citation| {
        let sentence = citation.sentences.first().and_then(|first| read.sentences.get(*first as usize));
        sentence.map(|sentence| (citation.span.unwrap_or(sentence.span).start, sentence.span.start))
    });
    citations
}

/// A citation of the publisher alone.
fn plain(publisher: &Link, kind: CitationKind, rule: CitationRule, confidence_percent: u8) -> Citation {
    Citation {
        chain: vec![publisher.clone()],
        kind,
        via: None,
        setting: None,
        told: None,
        of: Vec::new(),
        sentences: Vec::new(),
        span: None,
        rule,
        confidence_percent,
    }
}

/// Who publishes: the agency of the dateline, else the agency that the transmission names.
fn publisher(input: &Input<'_>) -> (Link, Option<Span>) {
    let entities = input.read.entities;
    if let Some(mark) = input.dateline.and_then(|dateline| dateline.agency) {
        let link = entities.of_span(mark).or_else(|| named(entities, mark.of(input.read.text)));
        return (
            link.map_or_else(|| Link::Publisher(Some(mark.of(input.read.text).to_owned())), Link::Entity),
            Some(mark),
        );
    }
    match input.source.filter(|source| dateline::is_agency(source)) {
        Some(source) => {
            let link = named(entities, source);
            (link.map_or_else(|| Link::Publisher(Some(source.to_owned())), Link::Entity), None)
        }
        None => (Link::Publisher(None), None),
    }
}

/// The entity that bears a name.
fn named(entities: &Entities, name: &str) -> Option<usize> {
    let is_name = |kind| matches!(kind, MentionKind::Name | MentionKind::Acronym);
    entities.list.iter().position(|entity| {
        entity.name.eq_ignore_ascii_case(name) && entity.mentions.iter().any(|mention| is_name(mention.kind))
    })
}

/// Which quotations touch each sentence, by what was said or by the words that report it.
fn quotes_by_sentence(tree: &Tree<'_>, input: &Input<'_>) -> Vec<Vec<u32>> {
    let mut lists: Vec<Vec<u32>> = vec![Vec::new(); input.read.sentences.len()];
    for (index, quote) in input.quotes.iter().enumerate() {
        let spans = quote.content.iter().copied().chain(quote.cue.iter().map(|cue| cue.span));
        for span in spans {
            let tokens = tree.tokens_in(span);
            let Some(first) = tree.sentence_at(tokens.start) else { continue };
            for list in lists.iter_mut().enumerate().skip(first) {
                let starts = tree.sentence(list.0).map_or(usize::MAX, |sentence| sentence.start);
                if starts >= tokens.end.max(tokens.start + 1) {
                    break;
                }
                if list.1.len() < QUOTES_PER_SENTENCE_MAX && list.1.last() != Some(&(index as u32)) {
                    list.1.push(index as u32);
                }
            }
        }
    }
    lists
}

/// A source that was told without a name, for when the copy comes back to it.
#[derive(Clone)]
struct Known {
    head: String,
    link: Link,
    told: Option<Span>,
    of: Vec<usize>,
}

struct Gathering<'a, 'b> {
    input: &'a Input<'b>,
    sources: &'a Sources,
    cues: &'a quotes::Lexicon,
    tree: &'a Tree<'b>,
    publisher: Link,
    by_sentence: Vec<Vec<u32>>,
    known: Vec<Known>,
    /// The last sentence that had a source, its paragraph, and the source.
    last: Option<(u32, u32, Citation)>,
}

impl Gathering<'_, '_> {
    /// The authorities of one sentence, at least one.
    fn sentence(&mut self, index: u32, paragraph: u32, range: &Range<usize>) -> Vec<Citation> {
        let roots = self.roots(range);
        let list = self.by_sentence.get(index as usize).cloned().unwrap_or_default();
        let mut found: Vec<Citation> = Vec::new();
        for at in list {
            let Some(quote) = self.input.quotes.get(at as usize) else { continue };
            if quote.parent.is_some() {
                continue;
            }
            let Some(rule) = self.vouches(quote, range, &roots) else { continue };
            for mut citation in self.chains(at as usize, range, paragraph) {
                citation.rule = if citation.rule == CitationRule::Carried { citation.rule } else { rule };
                citation.sentences = vec![index];
                if found.iter().all(|other| !self.is_same(other, &citation)) {
                    found.push(citation);
                }
            }
        }
        if found.is_empty() {
            found.extend(self.hearsay(range, &roots, index));
        }
        if found.is_empty() {
            found.extend(self.carried(range, &roots, index, paragraph));
        }
        if let Some(citation) = found.last() {
            self.last = Some((index, paragraph, citation.clone()));
        } else {
            // Behind a sentence with a source, in its paragraph, the source may go on.
            let near = self.last.as_ref().is_some_and(|(at, place, _)| at + 1 == index && *place == paragraph);
            let sure = if near { 50 } else { 80 };
            let mut citation = plain(&self.publisher, CitationKind::Unattributed, CitationRule::Nobody, sure);
            citation.sentences = vec![index];
            found.push(citation);
        }
        found
    }

    /// The words that a sentence is about: its root, and what is coordinated with it.
    fn roots(&self, range: &Range<usize>) -> Vec<usize> {
        let tree = self.tree;
        let mut roots: Vec<usize> =
            range.clone().filter(|token| tree.head(*token).is_none_or(|head| !range.contains(&head))).collect();
        // A second clause of equal weight counts like the first.
        let joined: Vec<usize> = range
            .clone()
            .filter(|token| {
                tree.relation(*token) == Relation::Conj
                    && matches!(tree.upos(*token), Upos::Verb | Upos::Aux)
                    && tree.head(*token).is_some_and(|head| roots.contains(&head))
            })
            .collect();
        roots.extend(joined);
        roots
    }

    /// Whether a quotation stands behind the main statement of a sentence, and by what.
    fn vouches(&self, quote: &Quote, range: &Range<usize>, roots: &[usize]) -> Option<CitationRule> {
        let tree = self.tree;
        let marked = matches!(quote.kind, QuoteType::Direct | QuoteType::Mixed) && quote.rule == QuoteRule::Marks;
        let quoted = matches!(quote.kind, QuoteType::Direct | QuoteType::Mixed);
        let is_told = quote.cue.as_ref().is_none_or(|cue| match cue.kind {
            CueKind::Want | CueKind::Judge => quoted,
            CueKind::Think => {
                quoted || matches!(quote.rule, QuoteRule::Clause | QuoteRule::Phrase | QuoteRule::Trailing)
            }
            _ => true,
        });
        if !is_told {
            return None;
        }
        let pieces: Vec<Range<usize>> = quote.content.iter().map(|content| tree.tokens_in(*content)).collect();
        let holds = |token: &usize| pieces.iter().any(|piece| piece.contains(token));
        let by_phrase = matches!(quote.rule, QuoteRule::Phrase);
        let rule = match (marked, by_phrase) {
            (true, _) => CitationRule::Quoted,
            (_, true) => CitationRule::Phrase,
            _ => CitationRule::Reported,
        };
        let cue = quote.cue.as_ref().map(|cue| tree.tokens_in(cue.span)).filter(|cue| range.contains(&cue.start));
        // "quoted Ames as saying": the main verb is the one above the cue.
        let above = |cue: &Range<usize>| {
            let verb = cue.clone().find(|token| tree.upos(*token) == Upos::Verb);
            verb.and_then(|verb| tree.head(verb)).filter(|head| self.sources.hands_on(tree.lemma(*head)))
        };
        let by_cue = cue.is_some_and(|cue| {
            roots.iter().any(|root| cue.contains(root)) || above(&cue).is_some_and(|verb| roots.contains(&verb))
        });
        let whole = marked
            || matches!(
                quote.rule,
                QuoteRule::Clause | QuoteRule::Trailing | QuoteRule::Phrase | QuoteRule::Passive | QuoteRule::Colon
            );
        let by_content = whole && roots.first().is_some_and(holds);
        let words = |token: &usize| !tree.is_punctuation(*token);
        let total = range.clone().filter(words).count();
        let inside = range.clone().filter(words).filter(holds).count();
        let by_length = marked && 2 * inside >= total && inside > 0;
        (by_cue || by_content || by_length).then_some(rule)
    }

    /// "Reportedly", "it was reported": somebody says so, and the copy does not tell who.
    fn hearsay(&self, range: &Range<usize>, roots: &[usize], index: u32) -> Option<Citation> {
        let tree = self.tree;
        let word = range.clone().find(|token| {
            tree.upos(*token) == Upos::Adv
                && self.sources.is_hearsay(tree.lemma(*token))
                && tree.head(*token).is_some_and(|head| {
                    roots.contains(&head)
                        || tree
                            .head(head)
                            .is_some_and(|up| roots.contains(&up) && tree.relation(head) == Relation::Xcomp)
                })
        })?;
        let span = tree.span(&(word..word + 1))?;
        let mut citation = plain(&self.publisher, CitationKind::Anonymous, CitationRule::Hearsay, 50);
        citation.chain.push(Link::Anonymous(span));
        citation.span = Some(span);
        citation.sentences = vec![index];
        Some(citation)
    }

    /// Reported speech that goes on without a cue: "The talks would begin on Monday, the envoy said. Both would attend."
    fn carried(&self, range: &Range<usize>, roots: &[usize], index: u32, paragraph: u32) -> Option<Citation> {
        let tree = self.tree;
        let (at, place, before) = self.last.as_ref()?;
        let near = *at + 1 == index && *place == paragraph;
        let reported = matches!(before.rule, CitationRule::Reported | CitationRule::Phrase | CitationRule::Carried);
        let root = *roots.first()?;
        let shifted = tree.children(root).any(|child| {
            tree.relation(child) == Relation::Aux
                && range.contains(&child)
                && tree.word(child).eq_ignore_ascii_case("would")
        });
        // "Neither bank would comment": the writer's own words about who says nothing.
        let speaks = self.cues.says(tree.lemma(root));
        (near && reported && shifted && !speaks).then(|| Citation {
            sentences: vec![index],
            span: None,
            rule: CitationRule::Carried,
            confidence_percent: before.confidence_percent.min(60),
            ..before.clone()
        })
    }

    /// Whether two citations name the same chain.
    fn is_same(&self, one: &Citation, other: &Citation) -> bool {
        let text = self.input.read.text;
        one.kind == other.kind
            && one.chain.len() == other.chain.len()
            && one.chain.iter().zip(&other.chain).all(|(one, other)| match (one, other) {
                (Link::Anonymous(one), Link::Anonymous(other))
                | (Link::Document(one), Link::Document(other))
                | (Link::Body(one), Link::Body(other)) => one.of(text).eq_ignore_ascii_case(other.of(text)),
                _ => one == other,
            })
    }
}

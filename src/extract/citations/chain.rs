//! A quotation → the chain of those through whom it reached the publisher.
//!
//! ```text
//! Brandt told the Gazette that, according to the port, the quay was safe.
//!   publisher ← the Gazette ← Brandt ← the port
//! ```

use std::ops::Range;

use super::{Citation, CitationKind, CitationRule, Gathering, LINKS_MAX, Link, Via, occasion, plain, words::Source};
use crate::{
    extract::{
        names::Class,
        quotes::{Cue, CueKind, Quote, QuoteType, Speaker, source_behind},
    },
    model::{parser::Relation, tagger::Upos},
    text::Span,
};

/// Paragraphs between a pronoun and the source that it goes back to.
const PRONOUN_PARAGRAPHS_MAX: u32 = 1;
/// Reports inside reports that are followed.
const DEPTH_MAX: usize = 4;

/// The links of a chain as they are found.
struct Links {
    found: Vec<Link>,
    kind: CitationKind,
    told: Option<Span>,
    of: Vec<usize>,
    /// The publisher itself speaks.
    is_publisher: bool,
}

impl Links {
    fn push(&mut self, source: Source, publisher: &Link) {
        // Whoever publishes is no link of its own, and nobody hands on what is theirs.
        if source.link == *publisher || self.found.last() == Some(&source.link) {
            return;
        }
        if self.found.len() < LINKS_MAX {
            self.found.push(source.link);
            (self.kind, self.told, self.of) = (source.kind, source.told, source.of);
        }
    }
}

impl Gathering<'_, '_> {
    /// The chains behind a quotation, as one sentence of it tells; none where nobody can be told. Several where what
    /// is cited is several things: "citing documents and two officials".
    pub(super) fn chains(&mut self, index: usize, sentence: &Range<usize>, paragraph: u32) -> Vec<Citation> {
        let Some(quote) = self.input.quotes.get(index) else { return Vec::new() };
        let mut links =
            Links { found: Vec::new(), kind: CitationKind::Publisher, told: None, of: Vec::new(), is_publisher: false };
        let mut carried = None;
        self.hand_over(quote, &mut links);
        self.speaker(quote, paragraph, &mut links, &mut carried);
        if let Some(before) = carried {
            return vec![before];
        }
        let outside = self.outside(quote, sentence);
        let (citing, others) = self.citing(&outside, sentence, quote.cue.as_ref().map(|cue| cue.span), &mut links);
        self.inner(index, &mut links, 0);
        if links.found.is_empty() && !links.is_publisher {
            return Vec::new();
        }
        let mut citation = plain(&self.publisher, links.kind, CitationRule::Reported, quote.confidence_percent);
        citation.chain.extend(links.found);
        citation.told = links.told;
        citation.of = links.of;
        citation.via = self.via(quote);
        citation.setting = self.setting(quote);
        citation.span = self.words_that_cite(quote, sentence, citing);
        let mut chains = vec![citation.clone()];
        for source in others {
            let mut other = Citation { kind: source.kind, told: source.told, of: source.of, ..citation.clone() };
            other.chain.pop();
            other.chain.push(source.link);
            chains.push(other);
        }
        chains
    }

    /// Media that handed the words on: the one spoken to, the one that held the interview, the one that quotes.
    fn hand_over(&mut self, quote: &Quote, links: &mut Links) {
        let publisher = self.publisher.clone();
        let tree = self.tree;
        if let Some(source) = self.quoting(quote) {
            links.push(source, &publisher);
        }
        if let Some(addressee) = quote.addressee {
            let entity = addressee.entity.filter(|entity| self.is_media(*entity));
            let word = self.sources.word(tree.lemma(addressee.head as usize));
            if entity.is_some() || word == Some(super::lexicon::Word::Media) {
                let range = tree.tokens_in(addressee.span);
                if let Some(source) = self.source(&range, addressee.head as usize, entity) {
                    links.push(Source { kind: CitationKind::Media, ..source }, &publisher);
                }
            }
        }
        for circumstance in &quote.circumstances {
            let range = tree.tokens_in(*circumstance);
            let tokens: Vec<usize> = range.clone().collect();
            if !matches!(occasion::of(tree, &tokens), Some(Via::Interview | Via::Broadcast)) {
                continue;
            }
            let held = self.input.read.entities.within(*circumstance).map(|(entity, _)| entity);
            if let Some(medium) = held.into_iter().find(|entity| self.is_media(*entity)) {
                let source =
                    Source { link: Link::Entity(medium), kind: CitationKind::Media, told: None, of: Vec::new() };
                links.push(source, &publisher);
            }
        }
    }

    /// Who quotes: "the Gazette quoted Brandt as saying", "Brandt was quoted by the Gazette as saying".
    fn quoting(&mut self, quote: &Quote) -> Option<Source> {
        let tree = self.tree;
        let cue = tree.tokens_in(quote.cue.as_ref()?.span);
        let verb = cue.clone().find(|token| tree.upos(*token) == Upos::Verb)?;
        let quoting = tree.head(verb).filter(|head| self.sources.hands_on(tree.lemma(*head)) && !cue.contains(head))?;
        let sentence = tree.sentence_at(quoting).and_then(|index| tree.sentence(index))?;
        if tree.is_passive(quoting) {
            let agent = tree.children(quoting).find(|child| {
                matches!(tree.relation(*child), Relation::OblAgent | Relation::Obl)
                    && tree.children(*child).any(|case| tree.word(case) == "by")
            })?;
            let by = tree.under(agent, &sentence).start;
            let phrase = source_behind(tree, &(by + 1..tree.under(agent, &sentence).end))?;
            return self.source(&phrase.range, phrase.head, None);
        }
        let subject = tree.subject(quoting, &sentence)?;
        self.source(&subject.range, subject.head, None)
    }

    /// The one who speaks.
    fn speaker(&mut self, quote: &Quote, paragraph: u32, links: &mut Links, carried: &mut Option<Citation>) {
        let publisher = self.publisher.clone();
        let tree = self.tree;
        let Some(Speaker { span: Some(span), head: Some(head), entity, .. }) = quote.speaker else {
            // "It was reported that": the words that say so are all there is.
            let told =
                |cue: &&Cue| matches!(cue.kind, CueKind::Say | CueKind::Show) && quote.kind == QuoteType::Indirect;
            if let Some(cue) = quote.cue.as_ref().filter(told) {
                let link = Link::Anonymous(cue.span);
                links.push(Source { link, kind: CitationKind::Anonymous, told: None, of: Vec::new() }, &publisher);
            }
            return;
        };
        let (range, head) = (tree.tokens_in(span), head as usize);
        let shows = quote.cue.as_ref().is_some_and(|cue| cue.kind == CueKind::Show);
        if let Some(source) = self.source_that(&range, head, entity, shows) {
            let is_publisher = source.kind == CitationKind::Publisher;
            links.push(source, &publisher);
            links.is_publisher |= is_publisher && links.found.is_empty();
            return;
        }
        // A pronoun without a name goes back to the source of the sentence before.
        let before = self.last.as_ref().filter(|(_, place, _)| *place + PRONOUN_PARAGRAPHS_MAX >= paragraph);
        if let Some((_, _, before)) = before {
            *carried = Some(Citation {
                sentences: Vec::new(),
                span: Some(span),
                rule: CitationRule::Carried,
                confidence_percent: before.confidence_percent.min(65),
                ..before.clone()
            });
        } else {
            let link = Link::Anonymous(span);
            links.push(Source { link, kind: CitationKind::Anonymous, told: None, of: Vec::new() }, &publisher);
        }
    }

    /// "…, citing two officials": whom the last link goes back to. Gives the words.
    fn citing(
        &mut self,
        outside: &[usize],
        sentence: &Range<usize>,
        cue: Option<Span>,
        links: &mut Links,
    ) -> (Option<Span>, Vec<Source>) {
        /// Sources that one "citing" names.
        const MAX: usize = 4;
        let publisher = self.publisher.clone();
        let tree = self.tree;
        let mut words: Option<Span> = None;
        let mut others = Vec::new();
        for verb in outside.iter().copied().filter(|token| self.sources.hands_on(tree.lemma(*token))) {
            let participle = matches!(tree.word(verb).to_lowercase().as_str(), "citing" | "quoting");
            let relative = tree.relation(verb) == Relation::AclRelcl;
            if !(participle || relative) {
                continue;
            }
            let Some(phrase) = source_behind(tree, &(verb + 1..self.phrase_end(verb, sentence))) else { continue };
            // "documents and two officials": each is a source of its own.
            let joined: Vec<usize> = tree
                .children(phrase.head)
                .filter(|child| {
                    let is_source = || self.sources.word(tree.lemma(*child)).is_some();
                    tree.relation(*child) == Relation::Conj && phrase.range.contains(child) && is_source()
                })
                .take(MAX)
                .collect();
            let end = joined.first().map_or(phrase.range.end, |next| tree.under(*next, &phrase.range).start);
            let first = tree.trim(&(phrase.range.start..end));
            let Some(source) = self.source(&first, phrase.head, None) else { continue };
            // "It was reported, citing two officials": the officials are all there is.
            if let Some(cue) = cue.filter(|cue| links.found == [Link::Anonymous(*cue)]) {
                links.found.retain(|link| *link != Link::Anonymous(cue));
            }
            let pushed = links.found.len();
            links.push(source, &publisher);
            if links.found.len() > pushed {
                others.clear();
                for (at, head) in joined.iter().enumerate() {
                    let end =
                        joined.get(at + 1).map_or(phrase.range.end, |next| tree.under(*next, &phrase.range).start);
                    let mut range = tree.under(*head, &(phrase.head + 1..end));
                    while range.start < *head && matches!(tree.upos(range.start), Upos::Cconj | Upos::Punct) {
                        range.start += 1;
                    }
                    others.extend(self.source(&range, *head, None));
                }
            }
            let span = tree.span(&(verb..phrase.range.end));
            words = match (words, span) {
                (Some(words), Some(span)) => Some(words.cover(span)),
                (words, span) => words.or(span),
            };
        }
        (words, others)
    }

    /// Where the object of "citing" ends at the latest: before a comma behind which the sentence goes on.
    fn phrase_end(&self, verb: usize, sentence: &Range<usize>) -> usize {
        let tree = self.tree;
        let comma = (verb + 1..sentence.end).find(|token| {
            matches!(tree.word(*token), "," | ";" | ":") && !matches!(tree.word(token + 1), "who" | "which" | "whose")
        });
        comma.unwrap_or(sentence.end)
    }

    /// A report whose main words are another's report: "Brandt said Soto had told her that …".
    fn inner(&mut self, outer: usize, links: &mut Links, depth: usize) {
        if depth >= DEPTH_MAX {
            return;
        }
        let tree = self.tree;
        let publisher = self.publisher.clone();
        let Some(quote) = self.input.quotes.get(outer).filter(|quote| quote.kind == QuoteType::Indirect) else {
            return;
        };
        let Some(content) = quote.content.first() else { return };
        let content = tree.tokens_in(*content);
        let root = content.clone().find(|token| tree.head(*token).is_none_or(|head| !content.contains(&head)));
        let found = self.input.quotes.iter().enumerate().skip(outer).take(8).find(|(_, inner)| {
            inner.parent == Some(outer)
                && inner.cue.as_ref().is_some_and(|cue| {
                    matches!(cue.kind, CueKind::Say | CueKind::Deny | CueKind::Show)
                        && root.is_some_and(|root| tree.tokens_in(cue.span).contains(&root))
                })
        });
        let Some((index, inner)) = found else { return };
        let Some(Speaker { span: Some(span), head: Some(head), entity, .. }) = inner.speaker else { return };
        if matches!(tree.word(head as usize).to_lowercase().as_str(), "i" | "we" | "you") {
            return;
        }
        if let Some(source) = self.source(&tree.tokens_in(span), head as usize, entity) {
            if links.found.contains(&source.link) {
                return;
            }
            links.push(source, &publisher);
            self.inner(index, links, depth + 1);
        }
    }

    /// The tokens of a sentence that are nobody's words.
    fn outside(&self, quote: &Quote, sentence: &Range<usize>) -> Vec<usize> {
        let pieces: Vec<Range<usize>> = quote.content.iter().map(|content| self.tree.tokens_in(*content)).collect();
        sentence.clone().filter(|token| pieces.iter().all(|piece| !piece.contains(token))).collect()
    }

    fn via(&self, quote: &Quote) -> Option<Via> {
        let tree = self.tree;
        // Of the speaker only the noun and what is compounded with it: "the court documents", not "who met reporters".
        let speaker = quote.speaker.and_then(|speaker| speaker.head).map(|head| head as usize);
        let named = speaker.into_iter().flat_map(|head| {
            let parts = tree.children(head).filter(|child| tree.relation(*child) == Relation::Compound);
            parts.chain([head]).collect::<Vec<usize>>()
        });
        let beside = quote.circumstances.iter().copied().chain(quote.addressee.map(|addressee| addressee.span));
        let beside = beside.chain(quote.cue.as_ref().map(|cue| cue.span));
        let tokens: Vec<usize> = beside.flat_map(|span| tree.tokens_in(span)).chain(named).collect();
        let medium = quote
            .addressee
            .and_then(|addressee| addressee.entity)
            .is_some_and(|entity| self.is_media(entity) || Link::Entity(entity) == self.publisher);
        occasion::of(tree, &tokens).or(medium.then_some(Via::Interview))
    }

    /// The event at which it was said.
    fn setting(&self, quote: &Quote) -> Option<usize> {
        let entities = self.input.read.entities;
        quote.circumstances.iter().find_map(|span| {
            let inside = entities.within(*span).map(|(entity, _)| entity);
            inside
                .into_iter()
                .find(|entity| entities.list.get(*entity).is_some_and(|entity| entity.class == Class::Event))
        })
    }

    /// Speaker, cue and "citing …" where they stand together, else the cue alone.
    fn words_that_cite(&self, quote: &Quote, sentence: &Range<usize>, citing: Option<Span>) -> Option<Span> {
        let cue = quote.cue.as_ref().map(|cue| cue.span);
        let inside = |span: &Span| sentence.contains(&self.tree.tokens_in(*span).start);
        let cue = cue.filter(inside);
        let speaker = quote.speaker.and_then(|speaker| speaker.span).filter(inside);
        let apart = |span: Span| quote.content.iter().all(|content| !content.overlaps(span));
        let mut whole = cue.or(speaker)?;
        for part in [speaker, citing].into_iter().flatten() {
            if apart(whole.cover(part)) {
                whole = whole.cover(part);
            }
        }
        Some(whole)
    }
}

//! Quotations, from bytes to code points.

use super::{Put, quote_id};
use crate::{
    extract::quotes,
    record::{Addressee, Confidence, Cue, Quote, QuoteType, Speaker},
    text::Span,
};

impl Put<'_> {
    pub(super) fn quotes(&self, quotes: &[quotes::Quote], ids: &[String]) -> Vec<Quote> {
        quotes.iter().enumerate().map(|(index, quote)| self.quote(index, quote, ids)).collect()
    }

    fn quote(&self, index: usize, quote: &quotes::Quote, ids: &[String]) -> Quote {
        let id = |entity: Option<usize>| entity.and_then(|entity| ids.get(entity).cloned());
        let spans = |spans: &[Span]| spans.iter().map(|span| self.span(*span)).collect();
        Quote {
            id: quote_id(index),
            kind: quote.kind,
            content: spans(&quote.content),
            cue: quote.cue.as_ref().map(|cue| Cue {
                span: self.span(cue.span),
                lemma: cue.lemma.clone(),
                kind: cue.kind,
            }),
            speaker: quote.speaker.map(|speaker| Speaker {
                span: speaker.span.map(|span| self.span(span)),
                entity: id(speaker.entity),
                resolution: speaker.resolution,
                rule: speaker.rule,
            }),
            addressee: quote
                .addressee
                .map(|addressee| Addressee { span: self.span(addressee.span), entity: id(addressee.entity) }),
            circumstances: spans(&quote.circumstances),
            not_said: spans(&quote.not_said),
            parent: quote.parent.map(quote_id),
            text_clean: (quote.kind != QuoteType::Indirect).then(|| quote.text_clean(self.text)),
            rule: Some(quote.rule),
            confidence: Some(Confidence::from_percent(quote.confidence_percent)),
        }
    }
}

//! Citations, from indices and bytes to ids and code points.

use super::Put;
use crate::{
    extract::citations::{self, Link},
    record::{Citation, Confidence},
};

impl Put<'_> {
    pub(super) fn citations(&self, citations: &[citations::Citation], ids: &[String]) -> Vec<Citation> {
        let id = |entity: usize| ids.get(entity).cloned();
        let link = |link: &Link| match link {
            Link::Publisher(None) => "publisher".to_owned(),
            Link::Publisher(Some(name)) => format!("publisher:{name}"),
            Link::Entity(entity) => id(*entity).unwrap_or_default(),
            Link::Anonymous(span) => format!("anonymous:{}", span.of(self.text)),
            Link::Document(span) => format!("document:{}", span.of(self.text)),
            Link::Body(span) => format!("body:{}", span.of(self.text)),
        };
        citations
            .iter()
            .enumerate()
            .map(|(index, citation)| Citation {
                id: format!("c{}", index + 1),
                chain: citation.chain.iter().map(link).collect(),
                kind: citation.kind,
                via: citation.via,
                setting: citation.setting.and_then(id),
                told: citation.told.map(|span| span.of(self.text).to_owned()),
                of: citation.of.iter().filter_map(|entity| id(*entity)).collect(),
                sentences: citation.sentences.clone(),
                span: citation.span.map(|span| self.span(span)),
                rule: citation.rule,
                confidence: Confidence::from_percent(citation.confidence_percent),
            })
            .collect()
    }
}

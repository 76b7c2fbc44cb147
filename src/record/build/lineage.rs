//! Story and findings → the key that its versions share.
//!
//! The provider's key where the format has one, else its id; of the wires, whose ids are those of
//! a transmission, source, slug and day. A kill without a key names no story for certain: it
//! retracts none, and says so (`lineage.kill_names_none`).

use crate::{
    extract::{Findings, status::StatusKind},
    lineage::{Basis, Lineage, bounded, slug_key},
    record::Anomaly,
    story::{Format, Story},
};

/// A provider's key that is shorter counts its items: it says nothing without the provider.
const KEY_BYTES_MIN: usize = 8;

/// The lineage before anybody has looked at the other versions.
pub(super) fn of(story: &Story, findings: &Findings, anomalies: &mut Vec<Anomaly>) -> Option<Lineage> {
    let status = &findings.status;
    let Some((basis, key)) = key(story, findings) else {
        if status.kind == StatusKind::Kill {
            anomalies.push(Anomaly {
                code: "lineage.kill_names_none".to_owned(),
                span: None,
                repair: None,
                confidence: None,
            });
        }
        return None;
    };
    let number = status.number.filter(|_| status.kind != StatusKind::Original);
    let version = story.version.or(number);
    Some(Lineage { key, basis, version, state: None, supersedes: None, repeats: None, retracts: None })
}

fn key(story: &Story, findings: &Findings) -> Option<(Basis, String)> {
    let agency = findings.dateline.as_ref().and_then(|dateline| dateline.agency).map(|span| span.of(&story.text));
    let source = story.source.as_deref().or(agency);
    let own = story.lineage_key.as_deref().filter(|key| !key.trim().is_empty());
    let is_wire = matches!(story.format, Format::Anpa1312 | Format::Iptc7901 | Format::Plain);
    // A message id names one message.
    let has_id = !is_wire && story.format != Format::Email && !story.id.starts_with("sha256:");
    if let Some(key) = own.or(Some(story.id.as_str()).filter(|_| has_id)) {
        let key = match source {
            Some(source) if key.len() < KEY_BYTES_MIN => format!("{source}|{key}"),
            _ => key.to_owned(),
        };
        return Some((Basis::Provider, bounded(key)));
    }
    let in_text = findings.layout.slugline.map(|span| span.of(&story.text));
    let slug = story.slugline.as_deref().or(in_text).or(story.keyword.as_deref().filter(|_| is_wire));
    // A part of a story in parts has versions of its own.
    let part = story.take.as_deref().map(|take| format!("/{}", take.to_lowercase())).unwrap_or_default();
    let day = story.reference_time.as_ref().map(|time| time.value.as_str());
    slug_key(source, slug, day).map(|key| (Basis::Slug, bounded(key + &part)))
}

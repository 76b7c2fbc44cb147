//! A record → what may be compared with other versions of its story.

use super::{Record, StatusKind, TimeBasis};
use crate::{decode::sha256_hex, lineage::Sighting, text::until};

/// Hexadecimal digits of a digest that are kept.
const DIGEST_DIGITS: usize = 24;

impl Record {
    /// What those who keep the versions need to know of this one; nothing where it has no key.
    pub fn sighting(&self) -> Option<Sighting> {
        let lineage = self.lineage.as_ref()?;
        let status = self.status.as_ref()?;
        let sent = self.reference_time.as_ref().filter(|time| time.basis != TimeBasis::Received);
        let sent_ms =
            sent.and_then(|time| time.value.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond);
        let cue = match status.kind {
            StatusKind::Original | StatusKind::Withheld | StatusKind::Advisory => 0,
            _ => status.number.unwrap_or(1),
        };
        // The same copy under another transmission number is the same copy.
        let facts =
            serde_json::json!([self.version, sent_ms, cue, status.kind, status.embargo, self.headline, self.text]);
        let digest = sha256_hex(facts.to_string().as_bytes());
        Some(Sighting {
            key: lineage.key.clone(),
            basis: lineage.basis,
            id: self.id.clone(),
            version: self.version,
            sent_ms,
            cue,
            is_kill: status.kind == StatusKind::Kill,
            digest: until(&digest, DIGEST_DIGITS).to_owned(),
        })
    }
}

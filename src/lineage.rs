//! Versions of one story → which is the newest, what it replaces, and whether it was killed.
//!
//! ```text
//! version 1, version 3, version 2, kill       in whatever order they come
//! ↓
//! current, current (supersedes 1), late, killed (retracts 3)
//! ```
//!
//! The versions of a story share a **key**: the provider's own where the format has one (`guid`,
//! `uri`, `du-key`, provider and item id), else source, slug and day. Versions stand in one order:
//! the provider's version number, then the time of transmission, then the number in the cue
//! ("UPDATE 2-"), then the place in the input stream. What is known of a key is a small [`State`],
//! a pure function of the set of versions that were seen: the order in which they come, and how
//! often, makes no difference. A kill absorbs: whatever else comes, the story stays killed.
//!
//! What this does not do: bring a killed story back, follow a story across two keys (a slug that
//! changes, a day that ends), or keep the state; that is the caller's, who writes it by compare
//! and set.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Versions of one story that are remembered; of more, the lowest are forgotten.
pub const VERSIONS_MAX: usize = 16;
/// Longest key, in bytes; a longer one is cut.
pub const KEY_BYTES_MAX: usize = 512;

/// Where a story stands among the versions of its item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lineage {
    /// What the versions of one story share.
    pub key: String,
    /// What the key was made from.
    pub basis: Basis,
    /// The provider's version, else the number of the update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How it stands to the others; absent where nobody keeps the versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Standing>,
    /// The version that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Reference>,
    /// The same copy, sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Reference>,
    /// The version that this kill retracts, where it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retracts: Option<Reference>,
}

/// What a key was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The provider's own key or id.
    Provider,
    /// Source, slug and day.
    Slug,
}

/// How a version stands to the others that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LineageState")]
pub enum Standing {
    /// No higher version was seen.
    Current,
    /// A higher version was seen before this one came.
    Late,
    /// It was the highest once; it came again after a higher one.
    Superseded,
    /// The story is killed, or this is the kill.
    Killed,
}

/// A version, as another one points to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LineageReference")]
pub struct Reference {
    /// The story's id.
    pub id: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// What a record says of its place among the versions, before anybody has looked at the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// What the versions share.
    pub key: String,
    /// What the key was made from.
    pub basis: Basis,
    /// The story's id.
    pub id: String,
    /// The provider's version number.
    pub version: Option<u32>,
    /// When it was sent, in milliseconds since 1970, where the transmission says so.
    pub sent_ms: Option<i64>,
    /// The number in the cue; 1 for an update without one.
    pub cue: u32,
    /// Whether it retracts the story.
    pub is_kill: bool,
    /// Stands for the copy: the same copy has the same digest.
    pub digest: String,
}

/// Where a message came in: its time in nanoseconds or its number, and the part of it. Later messages have higher places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Of the message.
    pub message: i64,
    /// Of the story in the message.
    pub part: u32,
}

/// A version that was seen; compared in the order of its fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Seen {
    version: u32,
    sent_ms: i64,
    cue: u32,
    place: Place,
    digest: String,
    id: String,
}

impl Seen {
    fn reference(&self) -> Reference {
        Reference { id: self.id.clone(), version: Some(self.version.max(self.cue)).filter(|version| *version > 0) }
    }
}

/// What is known of the versions under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Versions that are no kills, lowest first, each copy once.
    versions: Vec<Seen>,
    /// The tombstone: the highest kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    killed: Option<Seen>,
}

impl State {
    /// Whether a kill was seen.
    pub fn is_killed(&self) -> bool {
        self.killed.is_some()
    }

    /// The highest version, unless the story is killed.
    pub fn current(&self) -> Option<Reference> {
        self.versions.last().filter(|_| !self.is_killed()).map(Seen::reference)
    }

    /// Takes a version in, and says how it stands to the others.
    pub fn see(&mut self, sighting: &Sighting, place: Place) -> Lineage {
        let seen = Seen {
            version: sighting.version.unwrap_or(0),
            sent_ms: sighting.sent_ms.unwrap_or(0),
            cue: sighting.cue,
            place,
            digest: sighting.digest.clone(),
            id: sighting.id.clone(),
        };
        let mut lineage = sighting.lineage();
        if sighting.is_kill {
            lineage.state = Some(Standing::Killed);
            lineage.retracts = self.versions.last().map(Seen::reference);
            let rank = |seen: &Seen| (seen.version, seen.sent_ms, seen.cue, seen.digest.clone());
            match &mut self.killed {
                // The same kill again: where it stood first.
                Some(known) if known.digest == seen.digest => known.place = known.place.min(place),
                // Which of two kills is kept must not hang on which of them came first.
                Some(known) if rank(known) > rank(&seen) => {}
                known => *known = Some(seen),
            }
            return lineage;
        }
        let known = self.versions.iter().position(|version| version.digest == seen.digest);
        let mut was_here = false;
        if let Some(first) = known.map(|index| self.versions.remove(index)) {
            if first.place < place {
                lineage.repeats = Some(first.reference());
            }
            was_here = first.place == place;
            let place = first.place.min(place);
            self.versions.push(Seen { place, ..first });
        } else {
            self.versions.push(seen);
        }
        self.versions.sort();
        let at = self.versions.iter().position(|version| version.digest == sighting.digest);
        let is_highest = at.is_some_and(|at| at + 1 == self.versions.len());
        lineage.state = Some(match (self.is_killed(), is_highest, was_here) {
            (true, ..) => Standing::Killed,
            (_, true, _) => Standing::Current,
            (_, _, true) => Standing::Superseded,
            _ => Standing::Late,
        });
        if lineage.state == Some(Standing::Current) {
            let below = at.and_then(|at| at.checked_sub(1)).and_then(|below| self.versions.get(below));
            lineage.supersedes = below.map(Seen::reference);
        }
        let surplus = self.versions.len().saturating_sub(VERSIONS_MAX);
        self.versions.drain(..surplus);
        lineage
    }
}

impl Sighting {
    /// What can be said without knowing the other versions.
    pub fn lineage(&self) -> Lineage {
        Lineage {
            key: self.key.clone(),
            basis: self.basis,
            version: self.version.or(Some(self.cue).filter(|cue| *cue > 0)),
            state: None,
            supersedes: None,
            repeats: None,
            retracts: None,
        }
    }
}

/// The key made of source, slug and day; only all three name a story.
pub fn slug_key(source: Option<&str>, slug: Option<&str>, day: Option<&str>) -> Option<String> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let (source, slug) = (words(source?), slug_stem(slug?));
    let day = day?.get(..10)?;
    (!source.is_empty() && slug.chars().any(char::is_alphanumeric)).then(|| bounded(format!("{source}|{slug}|{day}")))
}

/// A key is no longer than [`KEY_BYTES_MAX`].
pub fn bounded(mut key: String) -> String {
    key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
    key
}

/// Words of a slug that tell versions apart.
const STATUS_WORDS: [&str; 27] = [
    "ld",
    "lead",
    "writethru",
    "update",
    "updates",
    "urgent",
    "correction",
    "corrected",
    "corrects",
    "kill",
    "mandatory",
    "bulletin",
    "withhold",
    "withheld",
    "sub",
    "subs",
    "recasts",
    "refile",
    "repeat",
    "rpt",
    "new",
    "eliminates",
    "advisory",
    "eliminate",
    "withdrawn",
    "wrapup",
    "flash",
];

/// What the slugs of the versions share: without the cycle ("BC-"), the words of status and the numbers behind commas,
/// strokes and brackets.
pub fn slug_stem(slug: &str) -> String {
    let low = slug.to_lowercase();
    let mut rest = low.trim();
    for cycle in ["bc-", "am-", "pm-", "ap-"] {
        rest = rest.strip_prefix(cycle).unwrap_or(rest);
    }
    let is_status = |part: &str| {
        let words: Vec<&str> = part.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let is_number = |word: &str| {
            let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        !words.is_empty()
            && words.iter().all(|word| STATUS_WORDS.contains(word) || is_number(word))
            // A lone number of a slug ("budget/2031") is a word of it, unless it counts something.
            && (words.iter().any(|word| STATUS_WORDS.contains(word)) || words.len() == 1 && part.trim().len() <= 4)
    };
    let parts = rest.split([',', '(', ')', '[', ']', '/']).map(str::trim).filter(|part| !part.is_empty());
    let kept: Vec<&str> = parts.filter(|part| !is_status(part)).collect();
    kept.join("/").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts the lineage into a record that was written as JSON, compact or indented.
pub fn put(mut record: Vec<u8>, lineage: &Lineage) -> Vec<u8> {
    if record.pop() != Some(b'}') {
        return record;
    }
    let is_indented = record.last() == Some(&b'\n');
    // A lineage holds strings and numbers alone: it can always be written.
    if is_indented {
        record.pop();
        let written = serde_json::to_string_pretty(lineage).unwrap_or_default();
        record.extend(format!(",\n  \"lineage\": {}\n}}", written.replace('\n', "\n  ")).bytes());
    } else {
        let written = serde_json::to_string(lineage).unwrap_or_default();
        record.extend(format!(",\"lineage\":{written}}}").bytes());
    }
    record
}

/// Keeps the versions of a run in memory: for the command line, which has no broker.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    states: HashMap<String, State>,
    next: i64,
}

/// Keys that a ledger keeps; stories of further ones stand for themselves.
const LEDGER_KEYS_MAX: usize = 1_000_000;

impl Ledger {
    /// Takes the next story in, in input order.
    pub fn see(&mut self, sighting: &Sighting) -> Lineage {
        self.next += 1;
        let place = Place { message: self.next, part: 0 };
        if self.states.len() >= LEDGER_KEYS_MAX && !self.states.contains_key(&sighting.key) {
            return State::default().see(sighting, place);
        }
        self.states.entry(sighting.key.clone()).or_default().see(sighting, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sighting(version: u32, digest: &str) -> Sighting {
        Sighting {
            key: "k".into(),
            basis: Basis::Provider,
            id: format!("id-{digest}"),
            version: Some(version),
            sent_ms: None,
            cue: 0,
            is_kill: false,
            digest: digest.into(),
        }
    }

    fn kill(version: u32) -> Sighting {
        Sighting { is_kill: true, ..sighting(version, "kill") }
    }

    fn at(message: i64) -> Place {
        Place { message, part: 0 }
    }

    #[test]
    fn an_update_supersedes_and_an_older_version_is_late() {
        let mut state = State::default();
        let first = state.see(&sighting(1, "a"), at(1));
        assert_eq!((first.state, first.supersedes), (Some(Standing::Current), None));
        let third = state.see(&sighting(3, "c"), at(2));
        assert_eq!(third.supersedes.map(|known| known.id).as_deref(), Some("id-a"));
        let second = state.see(&sighting(2, "b"), at(3));
        assert_eq!((second.state, second.supersedes), (Some(Standing::Late), None));
        assert_eq!(state.current().map(|known| known.id).as_deref(), Some("id-c"));
        let again = state.see(&sighting(1, "a"), at(1));
        assert_eq!((again.state, again.repeats), (Some(Standing::Superseded), None), "the same delivery again");
        let repeated = state.see(&sighting(3, "c"), at(9));
        assert_eq!(repeated.repeats.map(|known| known.id).as_deref(), Some("id-c"));
        assert_eq!(repeated.state, Some(Standing::Current));
    }

    #[test]
    fn a_kill_absorbs() {
        let mut state = State::default();
        state.see(&sighting(1, "a"), at(1));
        let killed = state.see(&kill(1), at(2));
        assert_eq!(killed.retracts.map(|known| known.id).as_deref(), Some("id-a"));
        assert_eq!(state.see(&sighting(7, "b"), at(3)).state, Some(Standing::Killed));
        assert!(state.is_killed() && state.current().is_none());
    }

    #[test]
    fn without_numbers_time_then_cue_then_place_count() {
        let mut state = State::default();
        let plain = |digest, sent_ms, cue| Sighting { version: None, sent_ms, cue, ..sighting(0, digest) };
        state.see(&plain("update 2", Some(20), 2), at(1));
        assert_eq!(state.see(&plain("original", Some(10), 0), at(2)).state, Some(Standing::Late));
        assert_eq!(state.see(&plain("correction", Some(30), 1), at(3)).state, Some(Standing::Current));
        let mut state = State::default();
        state.see(&plain("update 2", None, 2), at(1));
        assert_eq!(state.see(&plain("original", None, 0), at(2)).state, Some(Standing::Late));
        assert_eq!(state.see(&plain("also update 2", None, 2), at(3)).state, Some(Standing::Current));
    }

    #[test]
    fn a_lineage_is_put_into_a_written_record() {
        let lineage = Ledger::default().see(&sighting(1, "a"));
        let plain = serde_json::json!({"id": "x", "text": "y"});
        for written in [serde_json::to_vec(&plain), serde_json::to_vec_pretty(&plain)] {
            let whole = put(written.expect("JSON"), &lineage);
            let read: serde_json::Value = serde_json::from_slice(&whole).expect("JSON still");
            assert_eq!(read["lineage"]["state"], "current");
            assert_eq!(read["id"], "x");
        }
    }

    #[test]
    fn slugs_of_versions_have_one_stem() {
        for slug in [
            "BC-US--Footbridge Collapse",
            "BC-US--Footbridge Collapse, 1st Ld-Writethru",
            "AM-US--Footbridge Collapse, 3rd Ld",
            "US--Footbridge  Collapse, Mandatory Kill",
            "US--Footbridge Collapse, 2nd Ld-Writethru, 0318",
        ] {
            assert_eq!(slug_stem(slug), "us--footbridge collapse", "of {slug}");
        }
        assert_eq!(slug_stem("Eastmouth/pier/"), "eastmouth/pier");
        assert_eq!(slug_stem("Eastmouth/pier (UPDATE 2)"), "eastmouth/pier");
        assert_ne!(slug_stem("Eastmouth/budget"), slug_stem("Eastmouth/pier"));
        assert_eq!(slug_key(Some("AP"), Some("x"), None), None);
        assert_eq!(slug_key(Some("AP"), Some("X"), Some("2031-03-04T05:00:00Z")).as_deref(), Some("ap|x|2031-03-04"));
    }

    /// One message of a story's life: its version (shared by some), its copy, whether it kills.
    fn life() -> impl Strategy<Value = Vec<(Sighting, Place)>> {
        let one = (0_u32..4, 0_u8..6, 0_u32..3, prop::bool::weighted(0.15), prop::option::of(0_i64..3));
        prop::collection::vec(one, 1..12).prop_map(|many| {
            let mut all: Vec<_> = many
                .into_iter()
                .zip(1..)
                .map(|((version, copy, cue, is_kill, sent_ms), place)| {
                    // The digest covers the facts: other facts are another copy.
                    let digest = format!("{version}/{copy}/{cue}/{is_kill}/{sent_ms:?}");
                    (Sighting { sent_ms, cue, is_kill, ..sighting(version, &digest) }, at(place))
                })
                .collect();
            all.truncate(VERSIONS_MAX);
            all
        })
    }

    proptest! {
        /// In any order, and with deliveries that come twice, the end is the same.
        #[test]
        fn the_end_does_not_depend_on_the_order(
            (life, shuffled) in life().prop_flat_map(|life| {
                let twice: Vec<_> = life.iter().chain(&life).cloned().collect();
                (Just(life), Just(twice).prop_shuffle())
            })
        ) {
            let fold = |messages: &[(Sighting, Place)]| {
                let mut state = State::default();
                for (sighting, place) in messages {
                    state.see(sighting, *place);
                }
                state
            };
            let (straight, mixed) = (fold(&life), fold(&shuffled));
            prop_assert_eq!(&straight, &mixed);
            prop_assert_eq!(straight.is_killed(), life.iter().any(|(sighting, _)| sighting.is_kill));
        }

        #[test]
        fn stems_and_keys_are_total(slug in ".{0,80}", source in ".{0,20}", day in ".{0,30}") {
            let _ = slug_stem(&slug);
            let key = slug_key(Some(&source), Some(&slug), Some(&day));
            prop_assert!(key.is_none_or(|key| key.len() <= KEY_BYTES_MAX));
        }
    }
}

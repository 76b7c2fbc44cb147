//! `[limits]`: sizes, rates and their keys. All of it can be changed while the worker runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is allowed: sizes and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest story that is read; a larger one becomes a dead letter. Never above 16 MiB, nor above
    /// `streams.input.message_bytes_max`.
    pub story_bytes_max: u32,
    /// Longest time that reading one story may take before it becomes a dead letter; at
    /// least 100.
    pub story_deadline_ms: u64,
    /// Stories a second over all inputs of this worker; 0 means no limit. It delays,
    /// it never drops.
    pub stories_per_second: f64,
    /// Stories that may pass at once before the rate holds.
    pub stories_burst: u32,
    /// KiB a second over all inputs of this worker; 0 means no limit. A story weighs at least one.
    pub kib_per_second: f64,
    /// KiB that may pass at once before the rate holds. A larger story passes as one of this size.
    pub kib_burst: u32,
    /// This worker's share of every quota, 0 to 1, where the workers of the fleet are not alike. A share's burst is
    /// rounded down, to 1 at least.
    pub fleet_share: f64,
    /// Workers that share every quota, 1 to 10000, each with an equal part; in place of `limits.fleet_share`.
    pub fleet_count: u32,
    /// Which token of the subject, counted from 1, is the key of a story's own limit; 0 means none.
    pub key_subject_token: u8,
    /// Which header is the key of a story's own limit; it goes before the subject. Empty means none.
    pub key_header: String,
    /// Whether the name of the input is the key where neither header nor subject gives one: then
    /// `limits.keys.<input>` is what that input may have.
    pub key_input: bool,
    /// What each key may have.
    pub each_key: KeyLimits,
    /// Keys with limits of their own, by name.
    pub keys: Keys,
    /// How long the broker holds a story of a key that has a quarter of the input's permits waiting.
    pub throttled_delay_ms: u64,
    /// Copy of this urgency or above (1 is a flash, 3 urgent, 4 normal) overtakes the rest.
    pub urgent_max: u8,
    /// After so many urgent stories in a row, one of the rest has its turn.
    pub rest_every: u32,
}

/// What the stories of one key may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    /// Stories a second of one key; 0 means no limit.
    pub stories_per_second: f64,
    /// Stories of one key that may pass at once before the rate holds.
    pub stories_burst: u32,
    /// KiB a second of one key; 0 means no limit.
    pub kib_per_second: f64,
    /// KiB of one key that may pass at once before the rate holds.
    pub kib_burst: u32,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { stories_per_second: 0.0, stories_burst: 100, kib_per_second: 0.0, kib_burst: 1024 }
    }
}

/// Limits by the name of their key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Keys(pub std::collections::BTreeMap<String, KeyLimits>);

impl Default for Limits {
    fn default() -> Self {
        Self {
            story_bytes_max: 256 * 1024,
            story_deadline_ms: 10_000,
            stories_per_second: 0.0,
            stories_burst: 100,
            kib_per_second: 0.0,
            kib_burst: 1024,
            fleet_share: 1.0,
            fleet_count: 1,
            key_subject_token: 0,
            key_header: String::new(),
            key_input: false,
            each_key: KeyLimits::default(),
            keys: Keys::default(),
            throttled_delay_ms: 5_000,
            urgent_max: 3,
            rest_every: 4,
        }
    }
}

impl Limits {
    /// This worker's part of every quota, above 0 and up to 1.
    pub fn share(&self) -> f64 {
        self.fleet_share / f64::from(self.fleet_count.max(1))
    }

    /// What no type can say; each finding goes to `must` with its key.
    pub(super) fn check(&self, must: &mut impl FnMut(bool, &str, &str)) {
        must(self.story_bytes_max > 0, "limits.story_bytes_max", "is 0");
        must(self.story_deadline_ms >= 100, "limits.story_deadline_ms", "is below 100");
        must(self.fleet_share > 0.0 && self.fleet_share <= 1.0, "limits.fleet_share", "is not above 0 and up to 1");
        must((1..=10_000).contains(&self.fleet_count), "limits.fleet_count", "is not 1 to 10000");
        must(
            self.fleet_count <= 1 || self.fleet_share >= 1.0,
            "limits.fleet_count",
            "and `limits.fleet_share` exclude each other: a count gives each worker an equal share",
        );
        must(self.rest_every > 0, "limits.rest_every", "is 0");
        must(self.urgent_max <= 9, "limits.urgent_max", "is above 9");
        must(self.throttled_delay_ms >= 100, "limits.throttled_delay_ms", "is below 100");
        let all = KeyLimits {
            stories_per_second: self.stories_per_second,
            stories_burst: self.stories_burst,
            kib_per_second: self.kib_per_second,
            kib_burst: self.kib_burst,
        };
        let own = self.keys.0.iter().map(|(name, key)| (format!("limits.keys.{name}"), key));
        let named = [("limits".to_owned(), &all), ("limits.each_key".to_owned(), &self.each_key)];
        for (place, key) in named.into_iter().chain(own) {
            for (rate, name) in [(key.stories_per_second, "stories_per_second"), (key.kib_per_second, "kib_per_second")]
            {
                let fits = rate == 0.0 || (0.001..=100e6).contains(&rate);
                must(fits, &format!("{place}.{name}"), "is neither 0 nor 0.001 to 100000000");
            }
            must(key.stories_burst > 0, &format!("{place}.stories_burst"), "is 0");
            must(key.kib_burst > 0, &format!("{place}.kib_burst"), "is 0");
        }
    }
}

//! What a server of an old version lacks.

use std::fmt::Write as _;

/// The oldest version for production.
pub const PRODUCTION: (u32, u32) = (2, 10);
/// The same, in words.
pub const NAMED: &str = "2.10";
/// The oldest version that the worker starts on.
const NEEDED: (u32, u32) = (2, 9);

/// What came with which version, of what the worker or its operator relies on.
const CAME_WITH: [((u32, u32), &str); 7] = [
    ((2, 2), "JetStream, and headers on messages"),
    ((2, 8), "limits on requests for stories (`max_bytes`): the worker's memory would not be bounded"),
    ((2, 9), "consumers by name (`CONSUMER.CREATE.<stream>.<consumer>`): none could be created safely"),
    ((2, 9), "`Nats-Pending-Messages` at the end of a request: room for stories would come back late"),
    ((2, 10), "several subjects for one consumer (`filter_subjects`): the setting is passed over silently"),
    ((2, 10), "compression and metadata of streams: the settings are passed over silently"),
    ((2, 10), "`sync_interval: always`: receipts of the last two minutes can die with the machine"),
];

/// A server's version against what the worker needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In words: the version, and by name what it lacks.
    pub what: String,
    /// Whether the worker cannot keep its promise on it.
    pub is_too_old: bool,
}

/// `None` for a version that is good for production.
pub fn judge(version: &str) -> Option<Verdict> {
    let Some(number) = parse(version) else {
        let what = format!("says that its version is {version:?}; {}.{} is needed", PRODUCTION.0, PRODUCTION.1);
        return Some(Verdict { what, is_too_old: false });
    };
    if number >= PRODUCTION {
        return None;
    }
    let mut what = format!("is of version {version}; use {}.{} or newer. It lacks:", PRODUCTION.0, PRODUCTION.1);
    for (since, lack) in CAME_WITH.iter().filter(|(since, _)| *since > number) {
        // Writing to a text cannot fail.
        let _ = write!(what, " [{}.{}] {lack};", since.0, since.1);
    }
    Some(Verdict { what: what.trim_end_matches(';').to_owned(), is_too_old: number < NEEDED })
}

/// A fault of some versions that an operator of this service should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// First version that has it.
    since: (u32, u32, u32),
    /// First version that does not.
    before: (u32, u32, u32),
    /// The same, in words.
    pub mended: &'static str,
    /// What happens.
    pub what: &'static str,
}

/// Not complete: what is known to lose messages or to open streams to strangers, by the server's issues
/// and advisories.
const FAULTS: [Fault; 6] = [
    Fault {
        since: (2, 10, 20),
        before: (2, 10, 23),
        mended: "2.10.23",
        what: "a cluster whose servers are killed can forget a stream with all its messages (nats-server 6888)",
    },
    Fault {
        since: (2, 2, 0),
        before: (2, 10, 27),
        mended: "2.10.27",
        what: "an account with JetStream rights can change streams of other accounts (CVE-2025-30215)",
    },
    Fault {
        since: (2, 11, 0),
        before: (2, 11, 1),
        mended: "2.11.1",
        what: "an account with JetStream rights can change streams of other accounts (CVE-2025-30215)",
    },
    Fault {
        since: (2, 12, 0),
        before: (2, 12, 3),
        mended: "2.12.3",
        what: "removing a server from a cluster can lose messages that were confirmed (nats-server 7545)",
    },
    Fault {
        since: (2, 0, 0),
        before: (2, 11, 15),
        mended: "2.11.15",
        what: "several security faults (CVE-2026-33216, CVE-2026-33249 and others)",
    },
    Fault {
        since: (2, 12, 0),
        before: (2, 12, 6),
        mended: "2.12.6",
        what: "several security faults (CVE-2026-33216, CVE-2026-33249 and others)",
    },
];

/// Known faults of a version; none of one that cannot be read.
pub fn faults(version: &str) -> Vec<Fault> {
    let Some(number) = parse_all(version) else { return Vec::new() };
    FAULTS.into_iter().filter(|fault| fault.since <= number && number < fault.before).collect()
}

/// `2.10.18`, `2.11.0-RC.1`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn parse_all(version: &str) -> Option<(u32, u32, u32)> {
    let (major, minor) = parse(version)?;
    let patch = version.split('.').nth(2)?;
    let digits = patch.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major, minor, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_by_version() {
        let mended = |version| faults(version).iter().map(|fault| fault.mended).collect::<Vec<_>>();
        assert_eq!(mended("2.10.22"), ["2.10.23", "2.10.27", "2.11.15"]);
        assert_eq!(mended("2.11.0-RC.1"), ["2.11.1", "2.11.15"]);
        assert_eq!(mended("2.12.1"), ["2.12.3", "2.12.6"]);
        for sound in ["2.11.15", "2.12.6", "2.14.5", "3.0.0", "unknown", "2.12"] {
            assert_eq!(faults(sound), [], "{sound}");
        }
    }

    #[test]
    fn the_version_in_words_is_the_one_in_numbers() {
        assert_eq!(parse(NAMED), Some(PRODUCTION));
    }

    #[test]
    fn old_servers_are_named_with_what_they_lack() {
        for good in ["2.10.0", "2.12.1", "2.11.0-RC.1", "3.0.0"] {
            assert_eq!(judge(good), None, "{good}");
        }
        let old = judge("2.9.25").expect("old");
        assert!(!old.is_too_old && old.what.contains("2.9.25") && old.what.contains("filter_subjects"), "{}", old.what);
        assert!(!old.what.contains("max_bytes"), "{}", old.what);
        let ancient = judge("2.7.4").expect("old");
        assert!(ancient.is_too_old && ancient.what.contains("max_bytes"), "{}", ancient.what);
        let odd = judge("unknown").expect("odd");
        assert!(!odd.is_too_old && odd.what.contains("unknown"));
    }
}

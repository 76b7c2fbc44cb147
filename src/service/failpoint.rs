//! Places at which a test lets the worker die, and stories that kill it.
//!
//! Compiled only with the feature `failpoints`, which no shipped build has: without it [`hit`] is
//! empty. `FAILPOINT=<name>:<n>` aborts the process when the place of that name is passed for the
//! n-th time: no destructor runs, nothing is flushed, the connection is closed by the system, as
//! after SIGKILL. (Code without `unsafe` cannot send itself that signal.)
//!
//! | step of `docs/DELIVERY.md` | places |
//! | --- | --- |
//! | 1, permits | `reserved`: they are taken, nothing is asked for |
//! | 2, pull and receive | `asked`, `received` |
//! | 3, the same story twice | `copy`: it is in flight already |
//! | 4, limits | `admitted` |
//! | 5, reading | `read`; of a story that comes again (5b) `marked`, with its mark raised |
//! | 6, publishing | `published`: the receipt is there |
//! | 7, acknowledging | `before_ack`, `acked` |
//! | 8, dead letter | `buried`: its receipt is there, its story has not ended |
//! | 9, shutdown | `draining`: the first time before anything is finished, the second when everything is and nothing is flushed |

/// The places, in the order in which a story passes them.
pub const PLACES: [&str; 12] = [
    "reserved",
    "asked",
    "received",
    "copy",
    "admitted",
    "marked",
    "read",
    "published",
    "before_ack",
    "acked",
    "buried",
    "draining",
];

/// Places of the operator's commands.
pub const COMMANDS: [&str; 2] = ["replayed", "discard_noted"];

/// A story with these bytes in it ends the process while it is read.
#[cfg(feature = "failpoints")]
pub const ABORTS: &[u8] = b"(failpoint: abort)";
/// A story with these bytes in it panics while it is read.
#[cfg(feature = "failpoints")]
pub const PANICS: &[u8] = b"(failpoint: panic)";
/// A story with these bytes in it is read without end.
#[cfg(feature = "failpoints")]
pub const LOOPS: &[u8] = b"(failpoint: loop)";

/// A story with these bytes in it takes 1.5 seconds to read.
#[cfg(feature = "failpoints")]
pub const SLOW: &[u8] = b"(failpoint: slow)";

/// Passes a place.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_place: &str) {}

/// Passes a place, perhaps for the last time.
#[cfg(feature = "failpoints")]
pub fn hit(place: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let wanted = std::env::var("FAILPOINT").ok()?;
        let (name, times) = wanted.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    debug_assert!(PLACES.contains(&place) || COMMANDS.contains(&place), "{place} is no place");
    if let Some((name, times)) = &*WANTED
        && name == place
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        std::process::abort();
    }
}

/// Does what the bytes of a story ask for.
///
/// # Panics
/// When they ask for it.
#[cfg(feature = "failpoints")]
pub fn obey(story: &[u8]) {
    let has = |mark: &[u8]| story.windows(mark.len()).any(|window| window == mark);
    if has(ABORTS) {
        std::process::abort();
    }
    assert!(!has(PANICS), "a story that panics");
    for _ in 0..if has(SLOW) { 30 } else { 0 } {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    while has(LOOPS) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

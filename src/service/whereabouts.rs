//! Where is my story? Everything that the streams and the state bucket say of one.
//!
//! A story is asked for by its id, by the message id that its sender gave it, by its sequence in the
//! input stream, or by `stream:sequence:stored-time`. The broker has no index of any of these, so the
//! headers of the streams are read; for a story that nobody has read yet, the bodies of those that wait.
//!
//! What this does not do: search the text of stories that are done.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use memchr::memmem;
use serde::Serialize;

use super::{
    audit::{Discarded, origin, reach, stands},
    broker::Broker,
    config::{Config, overlap},
    lineage, names,
    reading::{Depth, ReadError, Seen, Start, each, look, nanoseconds},
    state::StateBucket,
};
use crate::lineage::State;

/// Stories that one question finds at most.
pub const STORIES_MAX: usize = 100;
/// Records, dead letters, and held stories of one message that are told.
const RESULTS_MAX: usize = 1_000;
/// Stories sent in again that are kept in mind.
const REPLAYS_MAX: usize = 1_000_000;
/// Bodies of waiting stories that are looked into.
const BODIES_MAX: u64 = 50_000;

/// What is known of one story.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Whereabouts {
    /// The input stream.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// In one word: `recorded`, `dead`, `held`, `replayed`, `discarded`, `open`, `waiting`, `unread`, `skipped`,
    /// `out of reach`, `lost`, `unknown`.
    pub state: &'static str,
    /// The message, as long as the input stream has it.
    pub input: Option<Message>,
    /// Consumers that read its subject, and how far each is.
    pub consumers: Vec<Reader>,
    /// Its records.
    pub records: Vec<Message>,
    /// Its dead letters.
    pub dead: Vec<Message>,
    /// Where it waits.
    pub held: Vec<Message>,
    /// The story that it was sent in again from, as a message id.
    pub replay_of: Option<String>,
    /// Sequences under which it was sent in again.
    pub replayed_as: Vec<u64>,
    /// When its dead letter was discarded, and why it was one.
    pub discarded: Option<[String; 2]>,
    /// How it stands to its versions now.
    pub lineage: Option<Versions>,
    #[serde(skip)]
    stored_ns: i64,
}

/// A message on some stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Message {
    /// The stream.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// When it was stored (RFC 3339).
    pub stored: String,
    /// Which story of the message, when it carries several: `2 of 3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The story's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which delivery it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// Why it is a dead letter: code and words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<[String; 2]>,
    /// Until when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How it stood to its versions when it was published: state and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineage: Option<[String; 2]>,
    #[serde(skip)]
    lineage_key: Option<String>,
}

/// A consumer and the story.
#[derive(Clone, Debug, Serialize)]
pub struct Reader {
    /// The consumer.
    pub durable: String,
    /// `skipped` before the place where it began, `done`, `open or done` between its floor and its last
    /// delivery, `waiting`.
    pub progress: &'static str,
    /// How many sequences stand before it.
    pub before: u64,
}

/// What the state bucket says of a story's versions.
#[derive(Clone, Debug, Serialize)]
pub struct Versions {
    /// What they share.
    pub key: String,
    /// Whether a kill was seen.
    pub is_killed: bool,
    /// The newest, as its id and version.
    pub newest: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked<'a> {
    Sequence(u64),
    Id(&'a str),
}

impl<'a> Asked<'a> {
    fn read(text: &'a str, stream: &str) -> Self {
        let text = text.trim();
        let told = ["dead:", "held:"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
        match (text.parse(), names::parse_message_id(told)) {
            (Ok(sequence), _) => Self::Sequence(sequence),
            (_, Some((origin, _))) if origin.stream == stream => Self::Sequence(origin.sequence),
            _ => Self::Id(text),
        }
    }
}

/// Finds a story.
///
/// # Errors
/// A stream does not exist or cannot be read.
pub async fn find(broker: &Broker, config: &Config, text: &str) -> Result<Vec<Whereabouts>, ReadError> {
    let streams = &config.streams;
    let jetstream = &broker.jetstream;
    let input = look(jetstream, &streams.input.name).await?;
    let (stands, _) = stands(broker, config, &input).await?;
    let asked = Asked::read(text, &streams.input.name);
    let mut found: BTreeMap<u64, Whereabouts> = BTreeMap::new();
    let mut wanted: BTreeSet<u64> = match asked {
        Asked::Sequence(sequence) => [sequence].into(),
        Asked::Id(_) => BTreeSet::new(),
    };
    let start = match asked {
        Asked::Sequence(sequence) => Start::Sequence(sequence),
        Asked::Id(_) => Start::First,
    };
    // Messages of the input: by sequence, by their sender's id, or because they send the story in again.
    let mut replays: Vec<(u64, u64)> = Vec::new();
    each(jetstream, &streams.input.name, start, None, Depth::Headers, |seen| {
        if matches!(asked, Asked::Id(id) if seen.header(names::MESSAGE_ID) == Some(id)) && wanted.len() < STORIES_MAX {
            wanted.insert(seen.sequence);
        }
        if let Some((of, _)) = seen.header(names::REPLAY_OF).and_then(names::parse_message_id) {
            let is_meant = !matches!(asked, Asked::Sequence(sequence) if sequence != of.sequence);
            if is_meant && replays.len() < REPLAYS_MAX {
                replays.push((of.sequence, seen.sequence));
            }
        }
        ControlFlow::Continue(())
    })
    .await?;
    let made_ns = nanoseconds(input.created.unix_timestamp_nanos());
    for name in [&streams.held.name, &streams.output.name, &streams.dead.name] {
        let reading = each(jetstream, name, Start::First, None, Depth::Headers, |seen| {
            let Some((origin, _)) = origin(&seen) else { return ControlFlow::Continue(()) };
            let is_here = origin.stream == streams.input.name && origin.stored_ns >= made_ns;
            let is_named = matches!(asked, Asked::Id(id) if seen.header(names::STORY_ID) == Some(id));
            if is_here && is_named && wanted.len() < STORIES_MAX {
                wanted.insert(origin.sequence);
            }
            if is_here && wanted.contains(&origin.sequence) {
                let story = found.entry(origin.sequence).or_default();
                let message = message(name, &seen);
                let list = match name {
                    name if *name == streams.held.name => &mut story.held,
                    name if *name == streams.dead.name => &mut story.dead,
                    _ => &mut story.records,
                };
                if list.len() < RESULTS_MAX {
                    list.push(message);
                }
            }
            ControlFlow::Continue(())
        });
        match reading.await {
            Err(ReadError::Missing(_)) if *name == streams.held.name => {}
            read => drop(read?),
        }
    }
    // Nobody has read it yet: its id stands in its body alone.
    if let (Asked::Id(id), true) = (&asked, wanted.is_empty()) {
        let floor = stands.iter().map(|stand| stand.floor).min().unwrap_or(0);
        let finder = memmem::Finder::new(id.as_bytes());
        let mut looked = 0;
        each(jetstream, &streams.input.name, Start::Sequence(floor + 1), None, Depth::Whole, |seen| {
            looked += 1;
            if finder.find(&seen.payload).is_some() {
                wanted.insert(seen.sequence);
            }
            let is_enough = looked >= BODIES_MAX || wanted.len() >= STORIES_MAX;
            if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    }
    for (of, as_sequence) in replays {
        if wanted.contains(&of) {
            found.entry(of).or_default().replayed_as.push(as_sequence);
        }
    }
    let discarded = discarded(broker, config, &wanted).await?;
    let (output, dead) = (look(jetstream, &streams.output.name).await?, look(jetstream, &streams.dead.name).await?);
    let reach_ns = reach(&output, &dead, jiff::Timestamp::now());
    let bucket = StateBucket::peek(broker, config).await;
    let mut stories = Vec::new();
    for sequence in wanted {
        let mut story = found.remove(&sequence).unwrap_or_default();
        story.stream.clone_from(&streams.input.name);
        story.sequence = sequence;
        story.discarded = discarded.get(&sequence).cloned();
        each(jetstream, &streams.input.name, Start::Sequence(sequence), None, Depth::Headers, |seen| {
            if seen.sequence == sequence {
                story.stored_ns = seen.stored_ns;
                story.replay_of = seen.header(names::REPLAY_OF).map(ToOwned::to_owned);
                story.input = Some(message(&streams.input.name, &seen));
            }
            ControlFlow::Break(())
        })
        .await?;
        let subject = story.input.as_ref().map(|input| input.subject.clone());
        for (input, stand) in config.inputs.0.values().zip(&stands) {
            if subject.as_deref().is_some_and(|subject| overlap(&input.subject, subject)) {
                let (progress, before) = match sequence {
                    sequence if sequence < stand.start => ("skipped", 0),
                    sequence if sequence <= stand.floor => ("done", 0),
                    sequence if sequence <= stand.delivered => ("open or done", sequence - stand.floor - 1),
                    _ => ("waiting", sequence - stand.delivered - 1),
                };
                story.consumers.push(Reader { durable: stand.durable.clone(), progress, before });
            }
        }
        let results = story.records.iter().chain(&story.dead).chain(&story.held);
        let key = results.filter_map(|message| message.lineage_key.clone()).next_back();
        if let (Some(key), Some(bucket)) = (key, &bucket) {
            story.lineage = versions(bucket, key).await;
        }
        story.state = state(&story, reach_ns);
        stories.push(story);
    }
    Ok(stories)
}

fn state(story: &Whereabouts, reach_ns: i64) -> &'static str {
    let is = |progress: &str| story.consumers.iter().any(|reader| reader.progress == progress);
    if !story.records.is_empty() {
        "recorded"
    } else if !story.dead.is_empty() {
        "dead"
    } else if !story.held.is_empty() {
        "held"
    } else if !story.replayed_as.is_empty() {
        "replayed"
    } else if story.discarded.is_some() {
        "discarded"
    } else if story.input.is_none() {
        "unknown"
    } else if story.consumers.is_empty() {
        "unread"
    } else if is("waiting") {
        "waiting"
    } else if is("open or done") {
        "open"
    } else if story.consumers.iter().all(|reader| reader.progress == "skipped") {
        "skipped"
    } else if story.stored_ns < reach_ns {
        "out of reach"
    } else {
        "lost"
    }
}

fn message(stream: &str, seen: &Seen) -> Message {
    let header = |name| seen.header(name).map(ToOwned::to_owned);
    let pair = |first, second| Some([header(first)?, header(second).unwrap_or_default()]);
    Message {
        stream: stream.to_owned(),
        sequence: seen.sequence,
        subject: seen.subject.clone(),
        stored: seen.stored().to_string(),
        part: header(names::PART).map(|part| format!("{part} of {}", header(names::PARTS).unwrap_or_default())),
        id: header(names::STORY_ID),
        attempt: header(names::ATTEMPT),
        reason: pair(names::REASON, names::DETAIL),
        until: header(names::HELD_UNTIL),
        lineage: pair(names::LINEAGE_STATE, names::LINEAGE_VERSION),
        lineage_key: header(names::LINEAGE_KEY),
    }
}

async fn versions(bucket: &StateBucket, key: String) -> Option<Versions> {
    let value = bucket.read(&format!("lineage.{}", lineage::token(&key))).await.ok()??;
    let state: State = serde_json::from_slice(&value.value).ok()?;
    let newest = state.current().map(|newest| match newest.version {
        Some(version) => format!("{} version {version}", newest.id),
        None => newest.id,
    });
    Some(Versions { key, is_killed: state.is_killed(), newest })
}

async fn discarded(
    broker: &Broker,
    config: &Config,
    wanted: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, [String; 2]>, ReadError> {
    let bucket = &config.streams.state.bucket;
    let (stream, subject) = (format!("KV_{bucket}"), format!("$KV.{bucket}.discarded.>"));
    let mut found = BTreeMap::new();
    let reading = each(&broker.jetstream, &stream, Start::First, Some(&subject), Depth::Whole, |seen| {
        let Ok(note) = serde_json::from_slice::<Discarded>(&seen.payload) else { return ControlFlow::Continue(()) };
        for letter in note.letters {
            let origin = names::parse_message_id(&letter.id).map(|(origin, _)| origin);
            if let Some(origin) = origin.filter(|origin| wanted.contains(&origin.sequence)) {
                found.insert(origin.sequence, [note.at.clone(), letter.reason]);
            }
        }
        ControlFlow::Continue(())
    });
    match reading.await {
        Ok(_) | Err(ReadError::Missing(_)) => Ok(found),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_without_a_result_is_lost_only_where_one_must_stand() {
        let reader = |progress| Reader { durable: "a".to_owned(), progress, before: 0 };
        let story = |readers: &[&'static str]| Whereabouts {
            input: Some(Message::default()),
            consumers: readers.iter().map(|progress| reader(progress)).collect(),
            stored_ns: 100,
            ..Whereabouts::default()
        };
        assert_eq!(state(&story(&["done"]), 100), "lost");
        assert_eq!(state(&story(&["done"]), 101), "out of reach");
        assert_eq!(state(&story(&["skipped"]), 101), "skipped");
        assert_eq!(state(&story(&["skipped", "done"]), 0), "lost");
        assert_eq!(state(&story(&["skipped", "waiting"]), 101), "waiting");
        assert_eq!(state(&story(&[]), 101), "unread");
    }

    #[test]
    fn a_story_is_asked_for_in_four_ways() {
        for (text, asked) in [
            ("17", Asked::Sequence(17)),
            ("WIRE_RAW:17:1700000000000000000", Asked::Sequence(17)),
            ("dead:WIRE_RAW:17:1700000000000000000:2", Asked::Sequence(17)),
            ("urn:desk:17:1", Asked::Id("urn:desk:17:1")),
            ("OTHER:17:1700000000000000000", Asked::Id("OTHER:17:1700000000000000000")),
        ] {
            assert_eq!(Asked::read(text, "WIRE_RAW"), asked, "{text}");
        }
    }
}

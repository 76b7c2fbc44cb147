//! `copydesk dead list|show|replay|discard`: dead letters in an operator's hands.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{IsTerminal, Write},
    ops::ControlFlow,
    process::ExitCode,
};

use anyhow::bail;
use base64::Engine as _;
use serde_json::json;

use super::{Asked, moment};
use crate::{
    service::{
        dead::{self, Done, Filter, LETTERS_MAX, Letter, Outcome, Replay},
        names,
        reading::Depth,
    },
    text::until,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List dead letters, oldest first
    List(List),
    /// Show one letter: why, whose, its headers and the beginning of its story
    Show(Show),
    /// Send stories in again and remove their letters
    Replay(ReplayArguments),
    /// Remove letters for good, leaving a note for `copydesk audit`
    Discard(Discard),
}

/// Which letters are meant; everything that is given has to hold.
#[derive(Debug, clap::Args)]
struct Choice {
    /// Sequences of the dead-letter stream
    #[arg(value_name = "SEQUENCE")]
    sequences: Vec<u64>,
    /// Only this reason; with a point at its end all that begin so, such as `decode.`
    #[arg(long, value_name = "CODE")]
    reason: Vec<String>,
    /// Only stories published to this subject (wildcards allowed), or with this token in it
    #[arg(long, value_name = "SUBJECT")]
    source: Option<String>,
    /// Only letters older than this: 30s, 15m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older: Option<jiff::SignedDuration>,
    /// Only letters younger than this
    #[arg(long, value_name = "AGE", value_parser = age)]
    newer: Option<jiff::SignedDuration>,
    /// Only letters with this text, in whatever case, in the story or in a header
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Choice {
    fn filter(&self) -> Filter {
        let now = jiff::Timestamp::now();
        let ago = |age: Option<jiff::SignedDuration>| {
            let time = now.checked_sub(age?).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            Some(i64::try_from(time.as_nanosecond()).unwrap_or(0))
        };
        Filter {
            sequences: self.sequences.clone(),
            reasons: self.reason.clone(),
            source: self.source.clone(),
            before_ns: ago(self.older),
            since_ns: ago(self.newer),
            text: self.text.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    choice: Choice,
    /// Print so many, the newest; all are counted
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// What is to be done to letters.
#[derive(Debug, clap::Args)]
struct Change {
    #[command(flatten)]
    choice: Choice,
    /// Every letter there is; needed where nothing is chosen
    #[arg(long)]
    all: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Change {
    /// The letters that are meant; somebody has to mean them.
    fn filter(&self) -> anyhow::Result<Filter> {
        let filter = self.choice.filter();
        if filter.is_empty() && !self.all {
            bail!("no letter is chosen: give sequences, a filter, or --all");
        }
        Ok(filter)
    }
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Its sequence on the dead-letter stream
    sequence: u64,
    /// Write the story's own bytes to standard output, and nothing else
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 every letter that was chosen is sent in and removed; 1 some are kept or refused; \
                        69 the streams cannot be read. A replay that broke off is finished by the next one, without \
                        sending a story twice. One replay at a time."
)]
struct ReplayArguments {
    #[command(flatten)]
    change: Change,
    /// Also single stories of messages with several: all of the message comes out again
    #[arg(long)]
    whole_messages: bool,
    /// Send in stories whose letters do not have their headers, without them
    #[arg(long)]
    without_headers: bool,
}

#[derive(Debug, clap::Args)]
struct Discard {
    #[command(flatten)]
    change: Change,
    /// Do it; needed where letters are not named one by one
    #[arg(long)]
    yes: bool,
}

/// `30s`, `15m`, `12h`, `7d`.
fn age(text: &str) -> Result<jiff::SignedDuration, String> {
    let wrong = || format!("{text:?} is no age such as 30s, 15m, 12h or 7d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    Ok(jiff::SignedDuration::from_secs(i64::from(number) * seconds))
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = super::runtime()?;
    match &arguments.action {
        Action::List(list) => runtime.block_on(print_list(list)),
        Action::Show(show) => runtime.block_on(print_one(show)),
        Action::Replay(arguments) => {
            let filter = arguments.change.filter()?;
            runtime.block_on(replay(arguments, &filter))
        }
        Action::Discard(arguments) => {
            let filter = arguments.change.filter()?;
            if filter.sequences.is_empty() && !arguments.yes && !arguments.change.dry_run {
                bail!("discarded letters are gone for good: look with --dry-run, then add --yes");
            }
            runtime.block_on(discard(arguments, &filter))
        }
    }
}

async fn print_list(arguments: &List) -> anyhow::Result<ExitCode> {
    let asked = &arguments.choice.asked;
    let config = asked.settings.load()?;
    let broker = super::connect(&config).await?;
    let mut newest = VecDeque::new();
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    dead::select(&broker, &config, &arguments.choice.filter(), Depth::Headers, |mut letter| {
        *by_reason.entry(letter.reason().to_owned()).or_default() += 1;
        if letter.seen.header("Nats-Msg-Size").is_none() {
            letter.seen.headers.insert("Nats-Msg-Size", letter.seen.payload.len().to_string());
        }
        letter.seen.payload = bytes::Bytes::new();
        newest.push_back(letter);
        if newest.len() > arguments.limit {
            newest.pop_front();
        }
        ControlFlow::Continue(())
    })
    .await?;
    let mut out = std::io::stdout().lock();
    if asked.json {
        for letter in &newest {
            writeln!(out, "{}", object(letter))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let count: u64 = by_reason.values().sum();
    let width = newest.iter().map(|letter| letter.reason().len()).max().unwrap_or(0).max(6);
    if !newest.is_empty() {
        writeln!(
            out,
            "{:>8}  {:<20}  {:<width$}  {:>8}  {:>9}  subject, detail",
            "letter", "since", "reason", "bytes", "story"
        )?;
    }
    for letter in &newest {
        let since = moment(&letter.seen.stored().to_string());
        let story = letter.origin.as_ref().map_or_else(
            || "?".to_owned(),
            |(origin, part)| match part.of {
                0 | 1 => origin.sequence.to_string(),
                _ => format!("{}:{}", origin.sequence, part.number),
            },
        );
        let again = match letter.replays() {
            0 => String::new(),
            count => format!(" (replayed {count}×)"),
        };
        writeln!(
            out,
            "{:>8}  {since:<20}  {:<width$}  {:>8}  {story:>9}  {}{again}  {}",
            letter.seen.sequence,
            letter.reason(),
            letter.bytes(),
            letter.subject(),
            letter.detail()
        )?;
    }
    let reasons: Vec<String> = by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let shown =
        if count as usize > newest.len() { format!(", the newest {} shown", newest.len()) } else { String::new() };
    match count {
        0 => writeln!(out, "no dead letters")?,
        _ => writeln!(out, "{count} dead letters{shown}: {}", reasons.join(", "))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn object(letter: &Letter) -> serde_json::Value {
    let origin = letter.origin.as_ref();
    json!({
        "letter": letter.seen.sequence, "stored": letter.seen.stored().to_string(), "reason": letter.reason(),
        "detail": letter.detail(), "subject": letter.subject(), "bytes": letter.bytes(),
        "stream": origin.map(|(origin, _)| origin.stream.as_str()),
        "sequence": origin.map(|(origin, _)| origin.sequence),
        "part": origin.filter(|(_, part)| part.of > 1).map(|(_, part)| part.number),
        "id": letter.seen.header(names::STORY_ID), "attempt": letter.seen.header(names::ATTEMPT),
        "replays": letter.replays(),
    })
}

async fn print_one(arguments: &Show) -> anyhow::Result<ExitCode> {
    let config = arguments.asked.settings.load()?;
    let broker = super::connect(&config).await?;
    let filter = Filter { sequences: vec![arguments.sequence], ..Filter::default() };
    let mut found = None;
    dead::select(&broker, &config, &filter, Depth::Whole, |letter| {
        found = Some(letter);
        ControlFlow::Break(())
    })
    .await?;
    let Some(letter) = found else { bail!("there is no dead letter {}", arguments.sequence) };
    let mut out = std::io::stdout().lock();
    if arguments.raw {
        out.write_all(&letter.seen.payload)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let headers = letter.seen.headers.iter();
    let mut all: Vec<(String, &str)> =
        headers.flat_map(|(name, values)| values.iter().map(|value| (name.to_string(), value.as_str()))).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    if arguments.asked.json {
        let mut object = object(&letter);
        object["headers"] = all.iter().map(|(name, value)| json!([name, value])).collect();
        object["data"] = base64::engine::general_purpose::STANDARD.encode(&letter.seen.payload).into();
        writeln!(out, "{object}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<10}{}", plain(value));
    line(
        "letter",
        &format!(
            "{} {}  {}",
            config.streams.dead.name,
            letter.seen.sequence,
            moment(&letter.seen.stored().to_string())
        ),
    )?;
    line("reason", letter.reason())?;
    line("detail", letter.detail())?;
    let header = |name| letter.seen.header(name).unwrap_or("?");
    let part = letter.seen.header(names::PART).map(|part| format!(", story {part} of {}", header(names::PARTS)));
    let (stream, sequence) = (header(names::STREAM), header(names::SEQUENCE));
    line(
        "story",
        &format!(
            "{stream} {sequence}{}  {}  stored {}",
            part.unwrap_or_default(),
            letter.subject(),
            moment(header(names::STORED))
        ),
    )?;
    line("id", header(names::STORY_ID))?;
    line("read by", &format!("{}, attempt {}", header(names::EXTRACTOR), header(names::ATTEMPT)))?;
    for (name, value) in all {
        if let Some(own) = name.strip_prefix(names::ORIGINAL_PREFIX) {
            line("header", &format!("{own}: {value}"))?;
        }
    }
    if let Some(count) = letter.seen.header(names::ORIGINALS_LEFT_OUT) {
        line("header", &format!("({count} did not fit and were left out)"))?;
    }
    writeln!(out, "{:<10}{} bytes", "bytes", letter.bytes())?;
    let text = String::from_utf8_lossy(&letter.seen.payload);
    let beginning = until(&text, text.floor_char_boundary(TEXT_BYTES_SHOWN));
    writeln!(out)?;
    for line in beginning.lines() {
        writeln!(out, "    {}", plain(line))?;
    }
    if beginning.len() < text.len() {
        writeln!(out, "    … (--raw writes all of it)")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// So much of a story is shown.
const TEXT_BYTES_SHOWN: usize = 2_000;

/// Without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

async fn replay(arguments: &ReplayArguments, filter: &Filter) -> anyhow::Result<ExitCode> {
    let ReplayArguments { change, whole_messages, without_headers } = arguments;
    let config = change.choice.asked.settings.load()?;
    let broker = super::connect(&config).await?;
    let mut told = Told::new(change.choice.asked.json);
    let how = Replay { is_dry: change.dry_run, whole_messages: *whole_messages, without_headers: *without_headers };
    dead::replay(&broker, &config, filter, how, |done| told.tell(&done)).await?;
    Ok(told.end("would be sent in again"))
}

async fn discard(arguments: &Discard, filter: &Filter) -> anyhow::Result<ExitCode> {
    let change = &arguments.change;
    let config = change.choice.asked.settings.load()?;
    let broker = super::connect(&config).await?;
    let mut told = Told::new(change.choice.asked.json);
    dead::discard(&broker, &config, filter, change.dry_run, |done| told.tell(&done)).await?;
    Ok(told.end("would be discarded"))
}

/// Tells what becomes of letters while it does, and counts.
struct Told {
    json: bool,
    counts: BTreeMap<Outcome, u64>,
}

impl Told {
    fn new(json: bool) -> Self {
        Self { json, counts: BTreeMap::new() }
    }

    fn tell(&mut self, done: &Done) {
        *self.counts.entry(done.outcome).or_default() += 1;
        let mut out = std::io::stdout().lock();
        // Whoever reads may have gone; the work goes on.
        let _ = match (self.json, &done.why) {
            (true, _) => writeln!(out, "{}", serde_json::to_string(done).unwrap_or_default()),
            (false, Some(why)) => {
                writeln!(out, "{:>8}  {}  {}: {why}", done.sequence, done.reason, words(done.outcome))
            }
            // A line a letter is for eyes; a pipe has the sum and what went wrong.
            (false, None) if std::io::stdout().is_terminal() || done.outcome == Outcome::Would => {
                writeln!(out, "{:>8}  {}  {}", done.sequence, done.reason, words(done.outcome))
            }
            (false, None) => Ok(()),
        };
    }

    /// The sum, on standard error, and the exit status.
    fn end(self, would: &str) -> ExitCode {
        let count = |outcome| self.counts.get(&outcome).copied().unwrap_or(0);
        let sums = [
            (Outcome::Would, would),
            (Outcome::Replayed, "sent in again"),
            (Outcome::Finished, "had been sent in already"),
            (Outcome::Discarded, "discarded"),
            (Outcome::Refused, "refused"),
            (Outcome::Kept, "kept"),
        ];
        let sums: Vec<String> = sums
            .iter()
            .filter(|(outcome, _)| count(*outcome) > 0)
            .map(|(outcome, words)| format!("{} {words}", count(*outcome)))
            .collect();
        let all: u64 = self.counts.values().sum();
        match all {
            0 => anstream::eprintln!("no such dead letters"),
            _ => anstream::eprintln!("{}", sums.join(", ")),
        }
        if all as usize >= LETTERS_MAX {
            anstream::eprintln!("one run takes {LETTERS_MAX} letters at most; run it again for the rest");
        }
        match count(Outcome::Kept) + count(Outcome::Refused) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Would => "would be done",
        Outcome::Replayed => "sent in again",
        Outcome::Finished => "had been sent in already, removed",
        Outcome::Discarded => "discarded",
        Outcome::Refused => "REFUSED",
        Outcome::Kept => "KEPT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_a_number_and_a_unit() {
        assert_eq!(age("90s"), Ok(jiff::SignedDuration::from_secs(90)));
        assert_eq!(age("7d"), Ok(jiff::SignedDuration::from_hours(168)));
        for odd in ["", "s", "5", "-5m", "5 m", "5y", "5é"] {
            assert!(age(odd).is_err(), "{odd}");
        }
    }
}

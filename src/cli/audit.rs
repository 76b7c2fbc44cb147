//! `copydesk audit`: what came in against what came out; with `--id`, where one story is.

use std::{fmt::Write as _, io::Write, process::ExitCode};

use super::Asked;
use crate::service::{
    audit::{self, Question, Report},
    ledger::Sequences,
    whereabouts::{self, Message, Whereabouts},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 nothing is lost, doubled or unexpected (with --id: found, and not lost); \
                        1 something is; 69 the streams cannot be read.")]
pub(super) struct Arguments {
    /// First sequence of the input stream; the first that it holds when left out
    #[arg(long, value_name = "SEQUENCE")]
    from: Option<u64>,
    /// Last sequence; the last that it holds when left out
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// Say where one story is: its id, its sender's message id, or its sequence in the input stream
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    id: Option<String>,
    /// Lines printed for each kind of finding
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(look(arguments))
}

async fn look(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.asked.settings.load()?;
    let broker = super::connect(&config).await?;
    let mut out = std::io::stdout().lock();
    if let Some(id) = &arguments.id {
        let stories = whereabouts::find(&broker, &config, id).await?;
        match arguments.asked.json {
            true => writeln!(out, "{}", serde_json::to_string(&stories)?)?,
            false => write!(out, "{}", say_where(id, &stories))?,
        }
        let is_well = !stories.is_empty() && stories.iter().all(|story| !matches!(story.state, "lost" | "unknown"));
        return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let question = Question { from: arguments.from, to: arguments.to };
    let report = audit::audit(&broker, &config, question).await?;
    match arguments.asked.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => write!(out, "{}", say(&report, arguments.limit))?,
    }
    Ok(if report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The report for a person: what is well in short, what is not with its sequences.
fn say(report: &Report, limit: usize) -> String {
    let verdict = &report.verdict;
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{words}");
    };
    match verdict.stories {
        0 => line(format_args!("{}  no stories", report.stream)),
        count => line(format_args!("{}  {}..{}  {count} stories", report.stream, report.from, report.to)),
    }
    if report.is_shortened {
        line(format_args!("  only the newest: one audit holds no more; --from and --to for the others"));
    }
    for durable in &report.missing_consumers {
        line(format_args!("  consumer {durable} does not exist; counted from its checkpoint"));
    }
    for (what, count) in [
        ("recorded", verdict.recorded),
        ("dead letters", verdict.dead),
        ("held", verdict.held),
        ("replayed", verdict.replayed),
        ("discarded", verdict.discarded),
    ] {
        if count > 0 {
            line(format_args!("  {what:<14}{count:>10}"));
        }
    }
    for (what, sequences, meaning) in [
        ("waiting", &verdict.waiting, "not delivered yet"),
        ("open", &verdict.open, "delivered, not acknowledged yet"),
        ("unread", &verdict.unread, "no input reads their subject"),
        ("skipped", &verdict.skipped, "before the input's start_sequence"),
        ("deleted", &verdict.deleted, "gone from the input stream, and nothing stands for them"),
        ("out of reach", &verdict.out_of_reach, "results of that time were removed: nobody can tell"),
    ] {
        if sequences.count > 0 {
            let ranges = ranges(sequences, 5);
            let sign = if what == "deleted" { "! " } else { "  " };
            line(format_args!("{sign}{what:<14}{:>10}  {meaning}: {ranges}", sequences.count));
        }
    }
    if verdict.of_other_streams > 0 {
        line(format_args!("  {:<14}{:>10}  results of other input streams", "of others", verdict.of_other_streams));
    }
    let mark = |count: u64| if count == 0 { "  " } else { "! " };
    line(format_args!("{}{:<14}{:>10}", mark(verdict.lost()), "unaccounted", verdict.lost()));
    if verdict.unaccounted.count > 0 {
        line(format_args!("      done, and nothing stands for them: {}", ranges(&verdict.unaccounted, limit)));
    }
    if verdict.unaccounted_among_open > 0 {
        line(format_args!("      {} more, among those that are open", verdict.unaccounted_among_open));
    }
    let duplicated = &verdict.duplicated;
    line(format_args!("{}{:<14}{:>10}", mark(duplicated.count), "duplicated", duplicated.count));
    if duplicated.count > 0 {
        let window = report.duplicate_window_ms / 1000;
        let within = report.duplicated_within_window;
        line(format_args!("      {within} of them within the duplicate window of {window} s"));
    }
    for one in duplicated.first.iter().take(limit) {
        let part = if one.part > 1 { format!(" part {}", one.part) } else { String::new() };
        let apart = one.apart_ms as f64 / 1000.0;
        line(format_args!("      {}{part}: {} again as {}, {apart:.1} s later", one.sequence, one.kind, one.place));
    }
    let unexpected = &verdict.unexpected;
    line(format_args!("{}{:<14}{:>10}", mark(unexpected.count), "unexpected", unexpected.count));
    for one in unexpected.first.iter().take(limit) {
        let of = one.sequence.map(|sequence| format!(" for story {sequence}")).unwrap_or_default();
        line(format_args!("      {} {}{of}: {}", one.kind, one.place, one.why));
    }
    for (count, shown) in [(duplicated.count, duplicated.first.len()), (unexpected.count, unexpected.first.len())] {
        let left = count.saturating_sub(shown.min(limit) as u64);
        if left > 0 {
            line(format_args!("      … and {left} more (--limit)"));
        }
    }
    line(format_args!(
        "{}",
        match verdict.is_clean() {
            true => "CLEAN  nothing lost, nothing doubled, nothing unexpected",
            false => "NOT CLEAN  `copydesk audit --id SEQUENCE` says more of one story",
        }
    ));
    text
}

fn ranges(sequences: &Sequences, limit: usize) -> String {
    let mut words: Vec<String> = sequences
        .ranges
        .iter()
        .take(limit)
        .map(|[first, last]| if first == last { first.to_string() } else { format!("{first}..{last}") })
        .collect();
    if sequences.ranges.len() > limit {
        words.push("…".to_owned());
    }
    words.join(", ")
}

fn say_where(id: &str, stories: &[Whereabouts]) -> String {
    if stories.is_empty() {
        return format!("{id}: not found. Give the sequence in the input stream where you know it\n");
    }
    let mut text = String::new();
    let mut line = |name: &str, words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "  {name:<10}{words}");
    };
    for story in stories {
        line("story", format_args!("{} {}: {}", story.stream, story.sequence, story.state.to_uppercase()));
        match &story.input {
            Some(input) => line("input", format_args!("{}", place(input))),
            None => line("input", format_args!("no longer there, or never was")),
        }
        if let Some(of) = &story.replay_of {
            line("replay of", format_args!("{of}"));
        }
        for reader in &story.consumers {
            let before = if reader.before > 0 { format!(", {} before it", reader.before) } else { String::new() };
            line("consumer", format_args!("{}: {}{before}", reader.durable, reader.progress));
        }
        for message in &story.records {
            line("record", format_args!("{}", place(message)));
        }
        for message in &story.dead {
            line("dead", format_args!("{}", place(message)));
        }
        for message in &story.held {
            line("held", format_args!("{}", place(message)));
        }
        for sequence in &story.replayed_as {
            line("replayed", format_args!("as {} {sequence}", story.stream));
        }
        if let Some([at, reason]) = &story.discarded {
            line("discarded", format_args!("{}; it was a dead letter: {reason}", super::moment(at)));
        }
        if let Some(lineage) = &story.lineage {
            let now = match (lineage.is_killed, &lineage.newest) {
                (true, _) => "killed".to_owned(),
                (false, Some(newest)) => format!("newest is {newest}"),
                (false, None) => "no versions".to_owned(),
            };
            line("lineage", format_args!("{}: {now}", lineage.key));
        }
    }
    text
}

fn place(message: &Message) -> String {
    let stored = super::moment(&message.stored);
    let mut text = format!("{} {}  {}  {stored}", message.stream, message.sequence, message.subject);
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = write!(text, "  {name}{value}");
        }
    };
    add("part ", message.part.as_deref());
    add("id ", message.id.as_deref());
    add("attempt ", message.attempt.as_deref().filter(|attempt| *attempt != "1"));
    add("until ", message.until.as_deref());
    let lineage = message.lineage.as_ref();
    add("", lineage.map(|[state, _]| state.as_str()));
    add("version ", lineage.map(|[_, version]| version.as_str()).filter(|version| !version.is_empty()));
    if let Some([code, words]) = &message.reason {
        let _ = write!(text, "\n            {code}: {words}");
    }
    text
}

//! `copydesk extract`: files or standard input → records, without a broker.
//!
//! A reader, a few desks and a writer, joined by short queues: memory stays bounded however long
//! the input is, and records come out in input order.

mod input;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::input::{Input, Item};
use super::{desk::Additions, view};
use crate::{
    decode::{self, DecodeError, Hints},
    extract::Desk,
    lineage::{self, Ledger, Lineage, Sighting},
    record::{Record, html, ninjs},
    story::Format,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files to read; none or - reads standard input
    files: Vec<PathBuf>,
    /// What the input is; auto looks at the content, and at the names .ndjson and .jsonl
    #[arg(long, value_enum, default_value_t)]
    from: From,
    /// What is written: record is indented JSON, ndjson one record a line, text is for reading, html is one page
    #[arg(long, value_enum)]
    to: Option<To>,
    /// What relative dates are resolved against, where the input does not say (RFC 3339)
    #[arg(long, value_name = "TIME")]
    reference_time: Option<jiff::Timestamp>,
    /// How many stories are read at once; 0 means one a core
    #[arg(long, short, default_value_t = 0)]
    jobs: usize,
    /// Width of --to text, in columns
    #[arg(long, default_value_t = 100)]
    width: usize,
    #[command(flatten)]
    additions: Additions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum From {
    #[default]
    Auto,
    Plain,
    Envelope,
    /// One envelope a line
    Ndjson,
    /// Tokens and sentences are given: CoNLL-U, written as CoNLL-U
    Conllu,
    Anpa1312,
    Iptc7901,
    Nitf,
    NewsmlG2,
    Newsml1,
    Ninjs,
    Rss,
    Atom,
    Email,
}

impl From {
    /// The format that is not told from the content.
    fn format(self) -> Option<Format> {
        match self {
            Self::Auto | Self::Conllu => None,
            Self::Ndjson => Some(Format::Envelope),
            named => named.to_possible_value().and_then(|value| Format::from_name(value.get_name())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum To {
    Record,
    Ndjson,
    Text,
    /// IPTC ninjs 3, one item a line
    Ninjs,
    /// One page with all stories, for a browser
    Html,
    /// The tokens and their grammar (CoNLL-U)
    Conllu,
}

/// The answer for one transmission, all of its stories, on its way to the writer.
type Answer = Receiver<Vec<Written>>;

/// What is to be written for one story.
#[derive(Default)]
struct Written {
    out: String,
    /// For standard error, when the answer has no place in the output.
    complaint: Option<String>,
    failed: bool,
    /// What the versions of the story are told by, where its lineage is to be written.
    sighting: Option<Sighting>,
    /// The record, where it becomes a part of a page: the writer numbers them.
    record: Option<Box<Record>>,
}

struct Job {
    item: Item,
    answer: SyncSender<Vec<Written>>,
}

/// Stories waiting between reader and writer, per desk.
const QUEUE_PER_JOB: usize = 4;
/// From so many files on, a bar shows how far they are.
const FILES_FOR_PROGRESS: usize = 20;

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let jobs = match arguments.jobs {
        0 => thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    };
    let inputs = Input::all(&arguments.files, arguments.from == From::Ndjson, arguments.from == From::Auto);
    let any_lines = inputs.iter().any(Input::is_lines);
    let to = arguments.to.unwrap_or(match arguments.from {
        From::Conllu => To::Conllu,
        _ if any_lines => To::Ndjson,
        _ => To::Record,
    });
    if arguments.from == From::Conllu {
        anyhow::ensure!(to == To::Conllu, "what comes from CoNLL-U can only be written as CoNLL-U");
        return fill_conllu(&arguments.additions.desk()?, &inputs);
    }
    let hints = Hints {
        format: arguments.from.format(),
        reference_time: arguments.reference_time.map(|time| time.to_string()),
        ..Hints::default()
    };
    let style = view::Style { width: arguments.width, colour: colour_wanted() };
    let (desk, hints) = (Arc::new(arguments.additions.desk()?), Arc::new(hints));
    let (work, queue) = mpsc::sync_channel::<Job>(jobs * QUEUE_PER_JOB);
    let (answers, order) = mpsc::sync_channel::<Answer>(jobs * QUEUE_PER_JOB);
    let queue = Arc::new(Mutex::new(queue));
    let bar = progress(&inputs);
    for _ in 0..jobs {
        let (queue, desk, hints) = (queue.clone(), desk.clone(), hints.clone());
        thread::spawn(move || {
            while let Some(job) = next(&queue) {
                // The writer may be gone already; then nobody misses the answer.
                let _ = job.answer.send(read(&desk, &hints, to, style, &job.item));
            }
        });
    }
    let bar_of_reader = bar.clone();
    thread::spawn(move || {
        for input in inputs {
            for item in input.items() {
                let (answer, told) = mpsc::sync_channel(1);
                if answers.send(told).is_err() || work.send(Job { item, answer }).is_err() {
                    return;
                }
            }
            bar_of_reader.inc(1);
        }
    });
    // The other threads end with the process: a reader that waits for input must not keep alive a
    // command whose output nobody reads any more.
    let failed = write_all(&order, to, &bar)?;
    bar.finish_and_clear();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tags and trees for given tokens; what else stands in the file stays.
fn fill_conllu(desk: &Desk, inputs: &[Input]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for input in inputs {
        for document in input.documents()? {
            out.write_all(desk.parse_conllu(&document?).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Writes the answers in input order; whether any failed.
fn write_all(order: &Receiver<Answer>, to: To, bar: &ProgressBar) -> anyhow::Result<bool> {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut failed = false;
    // Versions are weighed in input order, which only the writer knows.
    let mut ledger = Ledger::default();
    // A page is named after its first story, and lists all at its end.
    let mut titles: Vec<(String, String)> = Vec::new();
    loop {
        // Whoever reads a stream line by line gets what is ready before we wait for more.
        let answer = match order.try_recv() {
            Ok(answer) => answer,
            Err(mpsc::TryRecvError::Disconnected) => break,
            Err(mpsc::TryRecvError::Empty) => {
                out.flush()?;
                match order.recv() {
                    Ok(answer) => answer,
                    Err(mpsc::RecvError) => break,
                }
            }
        };
        let Ok(stories) = answer.recv() else { anyhow::bail!("reading a story failed without an answer") };
        for mut written in stories {
            if let Some(sighting) = &written.sighting {
                written.out = with_lineage(written.out, &ledger.see(sighting));
            }
            if let Some(record) = written.record {
                let (anchor, title) = (html::anchor(titles.len() + 1), html::title(&record));
                if titles.is_empty() {
                    out.write_all(html::begin(&title).as_bytes())?;
                }
                written.out = html::article(&record, &anchor);
                titles.push((anchor, title));
            }
            out.write_all(written.out.as_bytes())?;
            if let Some(complaint) = written.complaint {
                bar.suspend(|| anstream::eprintln!("copydesk: {complaint}"));
            }
            failed |= written.failed;
        }
    }
    if to == To::Html {
        if titles.is_empty() {
            out.write_all(html::begin("no stories").as_bytes())?;
        }
        out.write_all(html::end(&titles).as_bytes())?;
    }
    out.flush()?;
    Ok(failed)
}

/// Reads a transmission: an answer for each of its stories, and one for what cannot be read at all.
fn read(desk: &Desk, hints: &Hints, to: To, style: view::Style, item: &Item) -> Vec<Written> {
    let stories = item.bytes.as_deref().map_err(Clone::clone).and_then(|bytes| decode::decode_all(bytes, hints));
    let failed = |error: &DecodeError| match to {
        To::Ndjson | To::Ninjs => Written { out: error_line(item, error), failed: true, ..Written::default() },
        _ => {
            let complaint = Some(format!("{}: {error}", item.name()));
            Written { complaint, failed: true, ..Written::default() }
        }
    };
    let good = |story| {
        if to == To::Conllu {
            let out = desk.to_conllu(&desk.find(&story), &story.text);
            return Written { out, ..Written::default() };
        }
        let mut record = desk.read(story);
        if to == To::Html {
            return Written { record: Some(Box::new(record)), ..Written::default() };
        }
        let sighting = record.sighting().filter(|_| matches!(to, To::Record | To::Ndjson));
        if sighting.is_some() {
            // The writer puts it in, with what it knows of the versions before.
            record.lineage = None;
        }
        Written { out: show(&record, to, style), sighting, ..Written::default() }
    };
    match stories {
        Ok(stories) => stories.into_iter().map(|story| story.map_or_else(|error| failed(&error), good)).collect(),
        Err(error) => vec![failed(&error)],
    }
}

/// Puts the lineage into what was written of a record.
fn with_lineage(out: String, lineage: &Lineage) -> String {
    let mut bytes = out.into_bytes();
    bytes.pop();
    let mut bytes = lineage::put(bytes, lineage);
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

fn show(record: &Record, to: To, style: view::Style) -> String {
    // A record holds strings and numbers alone: it can always be written.
    let mut out = match to {
        To::Record => serde_json::to_string_pretty(record).unwrap_or_default(),
        To::Ndjson => serde_json::to_string(record).unwrap_or_default(),
        To::Text => view::render(record, style),
        To::Ninjs => ninjs::project(record).to_string(),
        // Written from the findings, and as a part of a page.
        To::Conllu | To::Html => String::new(),
    };
    out.push('\n');
    out
}

/// An error in the place of a record.
fn error_line(item: &Item, error: &DecodeError) -> String {
    let mut detail = json!({ "code": error.code, "message": error.message });
    if let Some(line) = item.line {
        detail["line"] = line.into();
    }
    if let Some(offset) = error.offset {
        detail["offset"] = offset.into();
    }
    let mut object = json!({ "error": detail });
    if let Some(id) = &error.id {
        object["id"] = id.as_str().into();
    }
    format!("{object}\n")
}

fn colour_wanted() -> bool {
    !matches!(anstream::AutoStream::choice(&std::io::stdout()), anstream::ColorChoice::Never)
}

fn progress(inputs: &[Input]) -> ProgressBar {
    if inputs.len() < FILES_FOR_PROGRESS || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} files {per_sec} {eta}");
    ProgressBar::new(inputs.len() as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

//! The command line: one file a command.

mod ask;
mod audit;
mod config;
mod dead;
mod demo;
mod desk;
mod doctor;
mod extract;
mod health;
mod manual;
mod publish;
mod run;
pub mod server;
mod tail;
pub mod view;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::service::{
    broker::{self, Broker},
    config::{Config, ConfigError, Layers},
    reading::ReadError,
};

/// A copy desk for machines: raw wire stories in, enriched records out.
#[derive(Debug, Parser)]
#[command(name = "copydesk", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the worker: stories from NATS JetStream in, records out, until SIGINT or SIGTERM
    Run(run::Arguments),
    /// Read stories from files or standard input, without a broker
    Extract(extract::Arguments),
    /// Start a private broker and worker, send sample stories through, and show what came out
    Demo(demo::Arguments),
    /// Publish stories to a subject and wait for every receipt
    Publish(publish::Arguments),
    /// Print records as they come out
    Tail(tail::Arguments),
    /// Reconcile what came in with what came out; or say where one story is
    Audit(audit::Arguments),
    /// List, show, send in again or discard dead letters
    Dead(dead::Arguments),
    /// Look whether a live deployment is as it has to be; each finding says what mends it
    Doctor(doctor::Arguments),
    /// Check or show the configuration, without a broker
    Config(config::Arguments),
    /// Ask a running worker of this machine how it is; exit status 0 when it is well
    Health(health::Arguments),
    /// Print the JSON Schema of a record
    Schema,
    /// Print what a shell needs to complete this program's command line
    Completions(manual::CompletionsArguments),
    /// Print the manual page, or write all of them into a folder
    Man(manual::ManArguments),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, clap::Args)]
struct Settings {
    /// Configuration file (TOML); see config/default.toml for every key
    #[arg(long, short, value_name = "FILE", env = "COPYDESK_CONFIG")]
    config: Option<PathBuf>,
    /// Set one key, such as nats.urls=nats://broker:4222; stands above file and environment
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Settings {
    fn load(&self) -> Result<Config, ConfigError> {
        Layers::of_process(self.config.clone(), self.set.clone()).load()
    }
}

/// What every command takes that looks at a deployment, or changes it, and tells what it found.
#[derive(Debug, clap::Args)]
struct Asked {
    /// Print JSON: an object a line, one for each thing that is found or done
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// `EX_USAGE` of sysexits.h: the command line itself is wrong.
const EXIT_USAGE: u8 = 64;
/// `EX_UNAVAILABLE` of sysexits.h: the broker or its streams cannot be read, so there is no verdict.
const EXIT_UNAVAILABLE: u8 = 69;
/// `EX_TEMPFAIL` of sysexits.h: stopped with work left, which will be delivered again.
const EXIT_LEFT: u8 = 75;
/// `EX_CONFIG` of sysexits.h: the configuration cannot be used.
const EXIT_CONFIG: u8 = 78;

/// Parses the command line, runs the command, and gives its exit status.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let status = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // Help that cannot be printed has no reader.
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let result = match arguments.command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Extract(arguments) => extract::main(&arguments),
        Command::Demo(arguments) => demo::main(&arguments),
        Command::Publish(arguments) => publish::main(&arguments),
        Command::Tail(arguments) => tail::main(&arguments),
        Command::Audit(arguments) => audit::main(&arguments),
        Command::Dead(arguments) => dead::main(&arguments),
        Command::Doctor(arguments) => doctor::main(&arguments),
        Command::Config(arguments) => config::main(&arguments),
        Command::Health(arguments) => health::main(&arguments),
        Command::Schema => print_schema(),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    };
    match result {
        Ok(status) => status,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("copydesk: {error:#}");
            let is = |is: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(is);
            ExitCode::from(
                if is(<dyn std::error::Error>::is::<ConfigError>) || is(<dyn std::error::Error>::is::<desk::Faults>) {
                    EXIT_CONFIG
                } else if is(<dyn std::error::Error>::is::<Unreachable>) || is(<dyn std::error::Error>::is::<ReadError>)
                {
                    EXIT_UNAVAILABLE
                } else {
                    1
                },
            )
        }
    }
}

/// Whoever read our output has gone: that is an end, not an error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    error.chain().any(is)
}

fn print_schema() -> anyhow::Result<ExitCode> {
    use std::io::Write;
    let schema = serde_json::to_string_pretty(&crate::record::schema())?;
    writeln!(std::io::stdout().lock(), "{schema}")?;
    Ok(ExitCode::SUCCESS)
}

/// Longest wait for the broker of a command that somebody waits for.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The broker, or its monitoring, is not to be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {urls}{why}")]
struct Unreachable {
    urls: String,
    why: String,
}

/// A connection for a command that an operator waits for.
async fn connect(config: &Config) -> anyhow::Result<Broker> {
    let broker = broker::connect(&config.nats).await?;
    let stop = CancellationToken::new();
    if tokio::time::timeout(CONNECT_PATIENCE, broker::wait_connected(&broker, &stop)).await != Ok(true) {
        let why = broker.signs.last_trouble().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        return Err(Unreachable { urls: format!("the broker at {}", config.nats.urls.join(", ")), why }.into());
    }
    Ok(broker)
}

/// A moment for a person: without fractions of a second.
fn moment(rfc3339: &str) -> String {
    let seconds = rfc3339.parse().map(|time: jiff::Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    seconds.unwrap_or_else(|_| rfc3339.to_owned())
}

/// A runtime for the commands that talk to a broker.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

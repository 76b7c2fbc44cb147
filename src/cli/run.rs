//! `copydesk run`: the worker.

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{EXIT_LEFT, Settings};
use crate::{
    extract::Desk,
    service::{
        self,
        config::{Config, Log, LogFormat},
        metrics::{self, Outcome},
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    start_log(&config.log)?;
    log_panics();
    super::runtime()?.block_on(work(config))
}

async fn work(config: Config) -> anyhow::Result<ExitCode> {
    let recorder = metrics::install()?;
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let asked = stop.clone();
    let listener = tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "asked to stop");
        asked.cancel();
        // Whoever asks twice does not want to wait.
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::warn!("asked to stop again; leaving at once, what is here will be delivered again");
        std::process::exit(i32::from(EXIT_LEFT));
    });
    let said = |address| tracing::info!(http.address = %address, "probes and metrics are served");
    let worked = service::run(config, Arc::new(Desk::new()), Some(recorder), stop, said).await;
    listener.abort();
    let summary = worked?;
    let count = |outcome| summary.count(outcome);
    tracing::info!(
        stories.recorded = count(Outcome::Recorded),
        stories.repeated = count(Outcome::Repeated),
        stories.dead_lettered = count(Outcome::DeadLettered),
        stories.copies = count(Outcome::Copy),
        stories.unconfirmed = count(Outcome::Unconfirmed),
        stories.given_back = count(Outcome::GivenBack),
        stories.left = count(Outcome::Left),
        "the desk is closed"
    );
    Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_LEFT) })
}

/// Logs go to standard error; text on a terminal, JSON elsewhere, unless told otherwise.
fn start_log(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let is_json = match log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match is_json {
        true => subscriber.json().flatten_event(true).init(),
        false => subscriber.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}

/// A panic's message may hold story text; its place never does.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.location = %place, "a panic");
    }));
}

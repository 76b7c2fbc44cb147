//! `copydesk run`: the worker.

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{EXIT_LEFT, Settings, desk::Additions};
use crate::service::{
    self,
    config::{Config, ConfigError, LogFormat},
    metrics::{self, Outcome},
    shared_desk::SharedDesk,
};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    additions: Additions,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let tracing = start_tracing(&config)?;
    log_panics();
    let worked = arguments.additions.with(&config.desk).desk().and_then(|desk| {
        let desk = Arc::new(SharedDesk::new(desk));
        super::runtime()?.block_on(work(config, arguments.clone(), desk))
    });
    tracing.close();
    worked
}

/// Reads the configuration again at every SIGHUP, and the files of the desk. What does not hold together changes
/// nothing.
async fn reload(arguments: Arguments, desk: Arc<SharedDesk>, told: watch::Sender<Arc<Config>>) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    while hang_up.recv().await.is_some() {
        let additions = arguments.additions.clone();
        let read = arguments.settings.load().map_err(anyhow::Error::from);
        let read = match read {
            // Lists may be long: they are read where nothing waits.
            Ok(config) => tokio::task::spawn_blocking(move || Ok((additions.with(&config.desk).desk()?, config)))
                .await
                .map_err(anyhow::Error::from)
                .and_then(|read| read),
            Err(error) => Err(error),
        };
        match read {
            Ok((changed, config)) => {
                let (held, differs) = told.borrow().reloaded(&config);
                let wrong = held.check();
                if !wrong.is_empty() {
                    tracing::error!(
                        signal = "SIGHUP",
                        error = %ConfigError::Check(wrong),
                        "the new limits do not go with what needs a restart; the old configuration holds"
                    );
                    continue;
                }
                if !differs.is_empty() {
                    tracing::warn!(
                        sections = differs.join(", "),
                        "of the new configuration only `limits` and `desk` hold now; the rest needs a restart"
                    );
                }
                desk.change(changed);
                tracing::info!(signal = "SIGHUP", "the configuration was read again");
                told.send_replace(Arc::new(held));
            }
            Err(error) => tracing::error!(
                signal = "SIGHUP",
                error = format!("{error:#}"),
                "the new configuration cannot be used; the old one holds"
            ),
        }
    }
    Ok(())
}

async fn work(config: Config, arguments: Arguments, desk: Arc<SharedDesk>) -> anyhow::Result<ExitCode> {
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
    let (told, reloads) = watch::channel(Arc::new(config.clone()));
    let reloader = tokio::spawn(reload(arguments, desk.clone(), told));
    let said = |address| tracing::info!(http.address = %address, "probes and metrics are served");
    let worked = Box::pin(service::run(config, desk, Some(recorder), stop, reloads, said)).await;
    listener.abort();
    reloader.abort();
    let summary = worked?;
    let count = |outcome| summary.count(outcome);
    tracing::info!(
        stories.recorded = count(Outcome::Recorded),
        stories.repeated = count(Outcome::Repeated),
        stories.dead_lettered = count(Outcome::DeadLettered),
        stories.copies = count(Outcome::Copy),
        stories.unconfirmed = count(Outcome::Unconfirmed),
        stories.throttled = count(Outcome::Throttled),
        stories.given_back = count(Outcome::GivenBack),
        stories.left = count(Outcome::Left),
        "the desk is closed"
    );
    Ok(if summary.is_clean() && !summary.worn_out { ExitCode::SUCCESS } else { ExitCode::from(EXIT_LEFT) })
}

/// What has to be closed when the worker has ended.
struct Tracing {
    #[cfg(feature = "otel")]
    exporter: Option<service::trace::export::Exporter>,
}

impl Tracing {
    #[cfg(feature = "otel")]
    fn close(self) {
        if let Some(exporter) = self.exporter {
            exporter.close();
        }
    }

    #[cfg(not(feature = "otel"))]
    fn close(self) {
        let Self {} = self;
    }
}

/// Logs go to standard error; text on a terminal, JSON elsewhere, unless told otherwise. Spans go to
/// the collector, where there is one.
fn start_tracing(config: &Config) -> anyhow::Result<Tracing> {
    let log = &config.log;
    let is_json = match log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match is_json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(EnvFilter::try_new(&log.filter)?));
    #[cfg(feature = "otel")]
    {
        use tracing_subscriber::filter::Targets;
        let exporter = match config.trace.endpoint.is_empty() {
            true => None,
            false => Some(service::trace::export::Exporter::start(&config.trace)?),
        };
        // The spans of the worker alone: what is exported must not trace its own export.
        let own = Targets::new().with_target("copydesk", tracing::Level::INFO);
        registry.with(exporter.as_ref().map(|exporter| exporter.layer().with_filter(own))).init();
        Ok(Tracing { exporter })
    }
    #[cfg(not(feature = "otel"))]
    {
        registry.init();
        Ok(Tracing {})
    }
}

/// A panic's message may hold story text; its place never does.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.location = %place, "a panic");
    }));
}

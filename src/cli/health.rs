//! `copydesk health`: asks a running worker how it is, for images that have no HTTP client.

use std::{io::Write, process::ExitCode};

use super::{Settings, ask};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask whether the process is alive (/livez) instead of whether it is ready (/readyz)
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let path = if arguments.live { "/livez" } else { "/readyz" };
    let (status, words) = ask::get(ask::here(&config.http.listen)?, path)?;
    writeln!(std::io::stdout().lock(), "{}", words.trim_end())?;
    Ok(if status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

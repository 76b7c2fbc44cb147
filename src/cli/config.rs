//! `copydesk config check|show`.

use std::{io::Write, process::ExitCode};

use super::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say whether the configuration can be used
    Check(Settings),
    /// Print what holds after file, environment and flags; secrets are redacted
    Show(Settings),
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &arguments.action {
        Action::Check(settings) => {
            settings.load()?;
            writeln!(out, "the configuration can be used")?;
        }
        Action::Show(settings) => write!(out, "{}", toml::to_string(&settings.load()?)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

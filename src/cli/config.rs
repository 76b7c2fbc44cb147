//! `copydesk config check|show|docs`.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context;

use super::{Settings, desk::Additions};
use crate::service::config;

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
    /// Print the table of every key as Markdown, or write it between the marks of a document
    Docs {
        /// The document
        document: Option<PathBuf>,
    },
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &arguments.action {
        Action::Check(settings) => {
            let config = settings.load()?;
            Additions::default().with(&config.desk).desk()?;
            writeln!(out, "the configuration can be used")?;
        }
        Action::Docs { document: None } => write!(out, "{}", config::reference())?,
        Action::Docs { document: Some(path) } => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let fresh = config::with_reference(&text);
            let fresh = fresh.with_context(|| format!("{} has no marks for the table of keys", path.display()))?;
            std::fs::write(path, fresh).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Action::Show(settings) => write!(out, "{}", toml::to_string(&settings.load()?)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

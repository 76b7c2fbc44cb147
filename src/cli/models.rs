//! `--models FOLDER`: models from files in place of those that are built in.
//!
//! A folder may hold `grammar.model`, `lemma.model` and `names.model`; what is not there stays
//! built in. A file that is cut short, changed, or of another program or version is refused by
//! name before any story is read.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::extract::{Desk, grammar::Models, names::Names};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ModelFolder {
    /// Folder with grammar.model, lemma.model, names.model, each in place of the one built in
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

impl ModelFolder {
    /// The desk with the models that were asked for.
    pub(super) fn desk(&self) -> anyhow::Result<Desk> {
        let desk = Desk::new();
        let Some(folder) = &self.models else { return Ok(desk) };
        let (network, lemmatiser) = (read(folder, "grammar.model")?, read(folder, "lemma.model")?);
        let names = read(folder, "names.model")?;
        anyhow::ensure!(
            network.is_some() || lemmatiser.is_some() || names.is_some(),
            "{}: neither grammar.model nor lemma.model nor names.model is there",
            folder.display()
        );
        let mut models = Models::embedded().clone();
        if let Some((path, bytes)) = network {
            models = models.with_network(&bytes).with_context(|| path.display().to_string())?;
        }
        if let Some((path, bytes)) = lemmatiser {
            models = models.with_lemmatiser(&bytes).with_context(|| path.display().to_string())?;
        }
        let desk = desk.with_grammar(models);
        Ok(match names {
            Some((path, bytes)) => desk.with_names(Names::load(&bytes).with_context(|| path.display().to_string())?),
            None => desk,
        })
    }
}

/// The file's path and bytes; none when there is no such file.
fn read(folder: &Path, name: &str) -> anyhow::Result<Option<(PathBuf, Vec<u8>)>> {
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some((path, bytes))),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault).with_context(|| path.display().to_string()),
    }
}

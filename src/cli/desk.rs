//! The desk with what its user adds: models, gazetteers, watch lists, words that report and words for sources.
//!
//! A folder of models may hold `grammar.model`, `lemma.model` and `names.model`; what is not there stays
//! built in. A file that is cut short, changed, or of another program or version is refused by name before
//! any story is read; of lists every fault is told with its line.

use std::{
    fmt::{self, Write as _},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    extract::{Desk, citations::Sources, grammar::Models, names::Names, quotes::Lexicon},
    gazetteer::lists::List,
    service::config,
};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Additions {
    /// Folder with grammar.model, lemma.model, names.model, each in place of the one built in
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// A gazetteer or watch list of your own, CSV or NDJSON; may be given several times, earlier ones go first
    #[arg(long, value_name = "FILE")]
    gazetteer: Vec<PathBuf>,
    /// Words of your own that report speech, in the form of data/lexicon/cue_verbs.txt; may be given several times
    #[arg(long, value_name = "FILE")]
    cues: Vec<PathBuf>,
    /// Words of your own for sources, in the form of data/lexicon/sources.txt; may be given several times
    #[arg(long, value_name = "FILE")]
    sources: Vec<PathBuf>,
}

/// What is wrong with the files that were added, a line each.
#[derive(Debug)]
pub(super) struct Faults(String);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.trim_end())
    }
}

impl std::error::Error for Faults {}

impl Additions {
    /// What the configuration names, behind what the command line names.
    pub(super) fn with(&self, config: &config::Desk) -> Self {
        let joined =
            |own: &[PathBuf], more: &[String]| own.iter().cloned().chain(more.iter().map(PathBuf::from)).collect();
        let folder = (!config.models.is_empty()).then(|| PathBuf::from(&config.models));
        Self {
            models: self.models.clone().or(folder),
            gazetteer: joined(&self.gazetteer, &config.gazetteers),
            cues: joined(&self.cues, &config.cues),
            sources: joined(&self.sources, &config.sources),
        }
    }

    /// The desk with all of it.
    ///
    /// # Errors
    /// [`Faults`] for lists; a models folder that cannot be used.
    pub(super) fn desk(&self) -> anyhow::Result<Desk> {
        let desk = self.with_models(Desk::new())?;
        let mut faults = String::new();
        let mut lists = Vec::new();
        for path in &self.gazetteer {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let read = read_list(path, "gazetteer", &mut faults, |text| List::read(&name, text));
            lists.extend(read);
        }
        let cues = joined(&self.cues, "list of cues", &mut faults, |text| {
            Lexicon::with_list(text).map_err(|fault| vec![fault])
        });
        let sources = joined(&self.sources, "list of sources", &mut faults, |text| {
            Sources::with_list(text).map_err(|fault| vec![fault])
        });
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        let desk = desk.with_lists(lists);
        let desk = cues.into_iter().fold(desk, Desk::with_cues);
        Ok(sources.into_iter().fold(desk, Desk::with_sources))
    }

    fn with_models(&self, desk: Desk) -> anyhow::Result<Desk> {
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

/// Several files of one kind as one list; their lines keep their numbers in what is told of each.
fn joined<T, F: fmt::Display>(
    paths: &[PathBuf],
    kind: &str,
    faults: &mut String,
    read: impl Fn(&str) -> Result<T, Vec<F>>,
) -> Option<T> {
    let mut whole = String::new();
    for path in paths {
        let text = read_list(path, kind, faults, |text| read(text).map(|_| text.to_owned()));
        whole.extend(text.map(|text| text + "\n"));
    }
    if paths.is_empty() || !faults.is_empty() {
        return None;
    }
    // Each file can be read: together they are at most too long.
    match read(&whole) {
        Ok(list) => Some(list),
        Err(told) => {
            for fault in told {
                let _ = writeln!(faults, "{kind}, all files together: {fault}");
            }
            None
        }
    }
}

fn read_list<T, F: fmt::Display>(
    path: &Path,
    kind: &str,
    faults: &mut String,
    read: impl FnOnce(&str) -> Result<T, Vec<F>>,
) -> Option<T> {
    match std::fs::read_to_string(path) {
        Ok(text) => match read(&text) {
            Ok(list) => return Some(list),
            Err(told) => {
                for fault in told {
                    let _ = writeln!(faults, "{kind} {}: {fault}", path.display());
                }
            }
        },
        Err(error) => {
            let _ = writeln!(faults, "cannot read {kind} {}: {error}", path.display());
        }
    }
    None
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

//! Where stories come from: whole files, or lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::decode::{DecodeError, STORY_BYTES_CEILING};

/// A file or standard input.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// `None` is standard input.
    path: Option<PathBuf>,
    lines: bool,
}

/// One story's bytes, or why there are none.
#[derive(Debug)]
pub(super) struct Item {
    /// The bytes.
    pub(super) bytes: Result<Vec<u8>, DecodeError>,
    /// The line, counted from 1, where the input is lines.
    pub(super) line: Option<u64>,
    path: Option<PathBuf>,
}

impl Item {
    /// What to call it in a complaint.
    pub(super) fn name(&self) -> String {
        let file = self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        self.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    }
}

/// Longest line, in bytes: an envelope may hold its story as base64 or with escapes.
const LINE_BYTES_MAX: usize = 2 * STORY_BYTES_CEILING;

/// About how much of a CoNLL-U file is read at once, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

impl Input {
    /// The inputs that the arguments name.
    pub(super) fn all(files: &[PathBuf], lines: bool, by_name: bool) -> Vec<Self> {
        let named_lines = |path: &Path| {
            by_name && path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl")
        };
        let one = |path: &PathBuf| match path.as_os_str() == "-" {
            true => Self { path: None, lines },
            false => Self { path: Some(path.clone()), lines: lines || named_lines(path) },
        };
        match files.is_empty() {
            true => vec![Self { path: None, lines }],
            false => files.iter().map(one).collect(),
        }
    }

    /// Whether every line is a story.
    pub(super) fn is_lines(&self) -> bool {
        self.lines
    }

    /// Reads it in pieces that end with an empty line: memory stays bounded on a long treebank.
    pub(super) fn documents(&self) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
        let reader: Box<dyn Read> = match &self.path {
            None => Box::new(io::stdin()),
            Some(path) => Box::new(File::open(path)?),
        };
        let mut lines = BufReader::new(reader).lines();
        Ok(std::iter::from_fn(move || {
            let mut document = String::new();
            for line in lines.by_ref() {
                match line {
                    Ok(line) => {
                        document.push_str(&line);
                        document.push('\n');
                        if line.is_empty() && document.len() >= PIECE_BYTES {
                            break;
                        }
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
            (!document.is_empty()).then_some(Ok(document))
        }))
    }

    /// Reads it, story by story.
    pub(super) fn items(&self) -> Box<dyn Iterator<Item = Item>> {
        let path = self.path.clone();
        let opened: io::Result<Box<dyn Read>> = match &self.path {
            None => Ok(Box::new(io::stdin())),
            Some(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        };
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) => return Box::new(std::iter::once(Item { bytes: Err(unreadable(&error)), line: None, path })),
        };
        match self.lines {
            true => {
                Box::new(Lines { reader: BufReader::with_capacity(256 * 1024, reader), path, line: 0, ended: false })
            }
            false => Box::new(std::iter::once(Item { bytes: read_whole(reader), line: None, path })),
        }
    }
}

/// Reads one byte more than is allowed, so that decoding sees that it is too much.
fn read_whole(reader: impl Read) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    reader.take(STORY_BYTES_CEILING as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> DecodeError {
    DecodeError { code: "input.unreadable", message: error.to_string(), offset: None, id: None }
}

struct Lines {
    reader: BufReader<Box<dyn Read>>,
    path: Option<PathBuf>,
    line: u64,
    ended: bool,
}

impl Iterator for Lines {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if self.ended {
                return None;
            }
            self.line += 1;
            let mut bytes = Vec::new();
            let read = (&mut self.reader).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes);
            let item = |bytes| Some(Item { bytes, line: Some(self.line), path: self.path.clone() });
            match read {
                Err(error) => {
                    self.ended = true;
                    return item(Err(unreadable(&error)));
                }
                Ok(0) => return None,
                Ok(_) if bytes.len() > LINE_BYTES_MAX => {
                    let message = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                    self.ended = self.reader.skip_until(b'\n').is_err();
                    return item(Err(DecodeError { code: "decode.too_large", message, offset: None, id: None }));
                }
                Ok(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => return item(Ok(bytes)),
            }
        }
    }
}

//! Reading of the training files, and the random numbers of all training.

use std::{error::Error, fs::File, io::Read, path::Path};

/// What a training step may fail with.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A file's text, unpacked when its name ends in `.gz`.
pub(crate) fn text_of(path: &Path) -> Outcome<String> {
    let mut text = String::new();
    let told = |error: std::io::Error| format!("read {}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    if path.extension().is_some_and(|end| end == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(told)?;
    } else {
        let mut file = file;
        file.read_to_string(&mut text).map_err(told)?;
    }
    Ok(text)
}

/// The files of a directory with an ending, by name.
pub(crate) fn files_of(directory: &Path, ending: &str) -> Outcome<Vec<std::path::PathBuf>> {
    let told = |error: std::io::Error| format!("list {}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a file and says so.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    std::fs::write(path, bytes).map_err(|error| format!("write {}: {error}", path.display()))?;
    eprintln!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}

/// xorshift64*: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to 1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// From `-width` to `width`.
    pub(crate) fn around_zero(&mut self, width: f32) -> f32 {
        (self.unit() * 2.0 - 1.0) * width
    }

    /// Below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Puts a list in random order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            list.swap(index, self.below(index + 1));
        }
    }
}

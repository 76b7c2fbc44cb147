//! The container that every model file has, and the plain values inside it.
//!
//! ```text
//! "CPYDMODL"  format u16  name  version  length u64  SHA-256 of the payload  payload
//! ```
//!
//! Numbers are little-endian; a string is its length as `u16` and its UTF-8 bytes. The checksum
//! covers the name and the version as well. A reader never trusts a length: what does not fit
//! the bytes at hand is an error, so a cut, changed or foreign file gives a [`ModelError`].

use sha2::{Digest, Sha256};
use thiserror::Error;

const MAGIC: &[u8; 8] = b"CPYDMODL";
/// Layout of the container; a reader refuses any other.
pub const FORMAT: u16 = 1;

/// Why bytes are no model.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ModelError {
    /// The bytes begin like no model file.
    #[error("not a copydesk model file")]
    Foreign,
    /// Written by another generation of the trainer.
    #[error("model container format {found}, this build reads {FORMAT}")]
    Format {
        /// The format of the file.
        found: u16,
    },
    /// A sound file, but of another model or another version of it.
    #[error("model file holds {found}, wanted {wanted}")]
    Kind {
        /// What was asked for.
        wanted: String,
        /// What the file says it is.
        found: String,
    },
    /// The file is shorter or longer than it says.
    #[error("model file is cut short or has bytes too many")]
    Length,
    /// The checksum does not agree.
    #[error("model file is corrupt: its checksum does not agree")]
    Checksum,
    /// The container is sound but what is inside is not what the model needs.
    #[error("model file is inconsistent: {what}")]
    Inside {
        /// The part that does not fit.
        what: &'static str,
    },
}

/// Wraps a payload.
pub fn seal(name: &str, version: &str, payload: &[u8]) -> Vec<u8> {
    let mut head = Writer::default();
    head.bytes.extend_from_slice(MAGIC);
    head.u16(FORMAT);
    head.text(name);
    head.text(version);
    head.bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    head.bytes.extend_from_slice(&checksum(name, version, payload));
    head.bytes.extend_from_slice(payload);
    head.bytes
}

/// The payload of a file that is the model asked for, checked.
///
/// # Errors
/// When the bytes are anything else.
pub fn open<'a>(bytes: &'a [u8], name: &str, version: &str) -> Result<&'a [u8], ModelError> {
    let mut reader = Reader::new(bytes.strip_prefix(MAGIC).ok_or(ModelError::Foreign)?);
    let found = reader.u16()?;
    if found != FORMAT {
        return Err(ModelError::Format { found });
    }
    let (found_name, found_version) = (reader.text()?, reader.text()?);
    let length = u64::from(reader.u32()?) | (u64::from(reader.u32()?) << 32);
    let sum = reader.take(32)?;
    let payload = reader.bytes;
    if payload.len() as u64 != length {
        return Err(ModelError::Length);
    }
    if checksum(found_name, found_version, payload) != sum {
        return Err(ModelError::Checksum);
    }
    if found_name != name || found_version != version {
        let wanted = format!("{name} {version}");
        return Err(ModelError::Kind { wanted, found: format!("{found_name} {found_version}") });
    }
    Ok(payload)
}

fn checksum(name: &str, version: &str, payload: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [name.as_bytes(), version.as_bytes()] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(payload);
    hasher.finalize().into()
}

/// Writes the plain values of a payload.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// A small number.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A number.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A string, cut at the last whole character within 65,535 bytes.
    pub fn text(&mut self, value: &str) {
        let value = value.get(..value.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
        self.u16(value.len() as u16);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A list of strings.
    pub fn texts(&mut self, values: &[String]) {
        self.u32(values.len() as u32);
        for value in values {
            self.text(value);
        }
    }

    /// A list of real numbers, exactly.
    pub fn reals(&mut self, values: &[f32]) {
        self.u32(values.len() as u32);
        for value in values {
            self.u32(value.to_bits());
        }
    }

    /// A matrix in eight bits a cell, each row with its own scale.
    pub fn table(&mut self, matrix: &[f32], width: usize) {
        self.u32((matrix.len() / width.max(1)) as u32);
        self.u32(width as u32);
        for row in matrix.chunks_exact(width.max(1)) {
            let top = row.iter().fold(0.0_f32, |top, value| top.max(value.abs()));
            let scale = top / 127.0;
            self.u32(scale.to_bits());
            let cell = |value: &f32| if scale > 0.0 { (value / scale).round() as i8 } else { 0 };
            self.bytes.extend(row.iter().map(|value| cell(value).cast_unsigned()));
        }
    }
}

/// Reads the plain values of a payload, never past its end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// A matrix as [`Writer::table`] wrote it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Length of a row.
    pub width: usize,
    /// One scale a row.
    pub scales: Vec<f32>,
    /// The cells, row after row.
    pub cells: Vec<i8>,
}

impl Table {
    /// The row's scale and cells; an empty row when there is none of that number.
    #[inline]
    pub fn row(&self, index: usize) -> (f32, &[i8]) {
        let scale = self.scales.get(index).copied().unwrap_or_default();
        (scale, self.cells.get(index * self.width..(index + 1) * self.width).unwrap_or_default())
    }

    /// Adds a row to a sum.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "callers compile it for wide instructions")]
    pub fn add_row(&self, index: usize, sum: &mut [f32]) {
        let (scale, cells) = self.row(index);
        for (sum, cell) in sum.iter_mut().zip(cells) {
            *sum += scale * f32::from(*cell);
        }
    }

    /// All cells as real numbers.
    pub fn reals(&self) -> Vec<f32> {
        let mut reals = vec![0.0; self.cells.len()];
        for (index, row) in reals.chunks_exact_mut(self.width.max(1)).enumerate() {
            self.add_row(index, row);
        }
        reals
    }
}

impl<'a> Reader<'a> {
    /// A reader of a payload.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(ModelError::Length)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(ModelError::Length)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A small number.
    ///
    /// # Errors
    /// When the bytes are at an end; likewise below.
    pub fn u16(&mut self) -> Result<u16, ModelError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// One byte.
    ///
    /// # Errors
    /// See [`Self::u16`].
    pub fn u8(&mut self) -> Result<u8, ModelError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number with a sign.
    ///
    /// # Errors
    /// See [`Self::u16`].
    pub fn i32(&mut self) -> Result<i32, ModelError> {
        self.array().map(i32::from_le_bytes)
    }

    /// A number in seven bits a byte, the low ones first, at most five bytes.
    ///
    /// # Errors
    /// See [`Self::u16`]; or a number without end.
    pub fn varint(&mut self) -> Result<u32, ModelError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ModelError::Inside { what: "a number" })
    }

    /// A number.
    ///
    /// # Errors
    /// See [`Self::u16`].
    pub fn u32(&mut self) -> Result<u32, ModelError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A string.
    ///
    /// # Errors
    /// See [`Self::u16`]; or bytes that are no UTF-8.
    pub fn text(&mut self) -> Result<&'a str, ModelError> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(length.into())?).map_err(|_| ModelError::Inside { what: "a string" })
    }

    /// A list of strings.
    ///
    /// # Errors
    /// See [`Self::text`].
    pub fn texts(&mut self) -> Result<Vec<String>, ModelError> {
        (0..self.u32()?).map(|_| self.text().map(str::to_owned)).collect()
    }

    /// A list of real numbers, all finite.
    ///
    /// # Errors
    /// See [`Self::u16`]; or a number that is none.
    pub fn reals(&mut self) -> Result<Vec<f32>, ModelError> {
        (0..self.u32()?).map(|_| self.real()).collect()
    }

    fn real(&mut self) -> Result<f32, ModelError> {
        let value = f32::from_bits(self.u32()?);
        if value.is_finite() { Ok(value) } else { Err(ModelError::Inside { what: "a number" }) }
    }

    /// A matrix whose rows have the length asked for.
    ///
    /// # Errors
    /// See [`Self::reals`]; or another length.
    pub fn table(&mut self, width: usize) -> Result<Table, ModelError> {
        let (rows, found) = (self.u32()?, self.u32()? as usize);
        if found != width {
            return Err(ModelError::Inside { what: "the width of a table" });
        }
        let mut table = Table { width, ..Table::default() };
        for _ in 0..rows {
            let scale = self.real()?;
            let cells = self.take(width)?;
            table.scales.push(scale);
            table.cells.extend(cells.iter().map(|cell| cell.cast_signed()));
        }
        Ok(table)
    }

    /// Says whether everything was read.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn finish(self) -> Result<(), ModelError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(ModelError::Length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_sealed_opens() {
        let sealed = seal("grammar", "1", b"payload");
        assert_eq!(open(&sealed, "grammar", "1"), Ok(&b"payload"[..]));
        assert!(matches!(open(&sealed, "names", "1"), Err(ModelError::Kind { .. })));
        assert_eq!(open(b"PK\x03\x04 a zip", "grammar", "1"), Err(ModelError::Foreign));
        assert_eq!(open(b"", "grammar", "1"), Err(ModelError::Foreign));
    }

    #[test]
    fn values_come_back() {
        let mut writer = Writer::default();
        writer.texts(&["é".into(), String::new()]);
        writer.reals(&[1.5, -0.0]);
        writer.bytes.extend([0xAC, 0x02, 7]);
        writer.table(&[1.27, -0.01, 0.0, 0.0], 2);
        let mut reader = Reader::new(&writer.bytes);
        assert_eq!(reader.texts().unwrap(), ["é", ""]);
        assert_eq!(reader.reals().unwrap(), [1.5, -0.0]);
        assert_eq!((reader.varint(), reader.u8()), (Ok(300), Ok(7)));
        let table = reader.table(2).unwrap();
        assert_eq!(table.cells, [127, -1, 0, 0]);
        reader.finish().unwrap();
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_file_is_refused(
            payload in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), flip in 1_u8..,
        ) {
            let sealed = seal("grammar", "1", &payload);
            let place = at.index(sealed.len());
            prop_assert!(open(&sealed[..place], "grammar", "1").is_err());
            let mut changed = sealed.clone();
            changed[place] ^= flip;
            prop_assert!(open(&changed, "grammar", "1").is_err());
            let mut longer = sealed;
            longer.push(flip);
            prop_assert_eq!(open(&longer, "grammar", "1"), Err(ModelError::Length));
        }

        #[test]
        fn any_payload_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::new(&bytes);
            let _ = (reader.varint(), reader.i32(), reader.texts(), reader.reals(), reader.table(3), reader.finish());
        }
    }
}

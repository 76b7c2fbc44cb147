//! A model file: magic, format, name, version, length, checksum, payload.
//!
//! ```text
//! "CPYDESK\x1A"  format u16  name u8+bytes  version u8+bytes  payload length u32  sha256 [32]  payload
//! ```
//!
//! Numbers are little-endian. [`unpack`] tells a foreign, outdated, truncated or damaged file apart
//! and never panics; a payload that passes the checksum is the one that was packed.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// The first bytes of every model file.
const MAGIC: &[u8; 8] = b"CPYDESK\x1A";
/// The layout of the container; raised when it changes.
const FORMAT: u16 = 1;

/// Why a model could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModelError {
    /// The bytes do not begin as a model file does.
    #[error("not a copydesk model file")]
    Foreign,
    /// The container is of a format that this version does not read.
    #[error("model file of format {found}, this version reads {FORMAT}")]
    Format {
        /// The format in the file.
        found: u16,
    },
    /// The file holds another model.
    #[error("model file holds `{found}`, wanted `{wanted}`")]
    Name {
        /// The name in the file.
        found: String,
        /// The name that was asked for.
        wanted: String,
    },
    /// The file ends too early or goes on too long.
    #[error("model file is {found} bytes, should be {wanted}")]
    Length {
        /// Bytes in hand.
        found: usize,
        /// Bytes that the header promises.
        wanted: usize,
    },
    /// The payload does not match its checksum.
    #[error("model file is damaged: checksum does not match")]
    Checksum,
    /// The payload is whole but does not describe a model.
    #[error("model payload is malformed: {what}")]
    Payload {
        /// The part that could not be read.
        what: &'static str,
    },
}

/// An unpacked model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked<'a> {
    /// The version that the trainer gave.
    pub version: &'a str,
    /// What the model is made of.
    pub payload: &'a [u8],
}

/// Puts a payload into a container. Name and version are cut at 255 bytes.
pub fn pack(name: &str, version: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + name.len() + version.len() + 48);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    for text in [name, version] {
        let text = text.as_bytes().get(..255).unwrap_or(text.as_bytes());
        bytes.push(text.len() as u8);
        bytes.extend_from_slice(text);
    }
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(payload));
    bytes.extend_from_slice(payload);
    bytes
}

/// Takes the payload out of a container that holds the model `name`.
///
/// # Errors
/// When the file is foreign, of another format or model, truncated or damaged.
pub fn unpack<'a>(bytes: &'a [u8], name: &str) -> Result<Unpacked<'a>, ModelError> {
    let short = |wanted: usize| ModelError::Length { found: bytes.len(), wanted };
    let mut reader = Reader::new(bytes);
    if reader.take(MAGIC.len()) != Some(MAGIC) {
        return Err(ModelError::Foreign);
    }
    let format = reader.u16().ok_or(short(10))?;
    if format != FORMAT {
        return Err(ModelError::Format { found: format });
    }
    let found = reader.text().ok_or(short(12))?;
    let version = reader.text().ok_or(short(12))?;
    if found != name {
        return Err(ModelError::Name { found: found.to_owned(), wanted: name.to_owned() });
    }
    let length = reader.u32().ok_or(short(48))? as usize;
    let checksum = reader.take(32).ok_or(short(48))?;
    let wanted = reader.position().saturating_add(length);
    if bytes.len() != wanted {
        return Err(short(wanted));
    }
    let payload = reader.take(length).ok_or(short(wanted))?;
    if Sha256::digest(payload).as_slice() != checksum {
        return Err(ModelError::Checksum);
    }
    Ok(Unpacked { version, payload })
}

/// Reads little-endian numbers; `None` past the end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Seven bits a byte, low first, at most five bytes.
    pub fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A length byte and as many bytes of UTF-8.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_packed_comes_out() {
        let bytes = pack("names", "3", b"weights");
        assert_eq!(unpack(&bytes, "names"), Ok(Unpacked { version: "3", payload: b"weights" }));
    }

    #[test]
    fn each_fault_has_its_name() {
        let bytes = pack("names", "3", b"weights");
        assert_eq!(unpack(b"PK\x03\x04", "names"), Err(ModelError::Foreign));
        assert!(matches!(unpack(&bytes, "tagger"), Err(ModelError::Name { .. })));
        assert!(matches!(unpack(&bytes[..bytes.len() - 1], "names"), Err(ModelError::Length { .. })));
        let mut damaged = bytes.clone();
        *damaged.last_mut().expect("not empty") ^= 1;
        assert_eq!(unpack(&damaged, "names"), Err(ModelError::Checksum));
        let mut newer = bytes;
        newer[8] = 9;
        assert_eq!(unpack(&newer, "names"), Err(ModelError::Format { found: 9 }));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_or_a_cut_never_passes(at in 0_usize..4096, bit in 0_u32..8, cut in 0_usize..4096) {
            let bytes = pack("names", "1", &[7; 200]);
            let mut flipped = bytes.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            // The version is free text: it is the one part whose change gives another valid file.
            let version = at == 8 + 2 + 6 + 1;
            prop_assert!(version || unpack(&flipped, "names").is_err());
            prop_assert!(unpack(&bytes[..cut % bytes.len()], "names").is_err());
        }
    }
}

//! What is known of words and phrases before the story is read: one table, one touch a word.

use crate::model::file::{ModelError, Reader};

/// Bits of an entry's flags, by the kinds of the lexicon. The trainer writes them; their order is
/// part of the model's format.
pub const KINDS: [&str; 24] = [
    "title",
    "says",
    "orgword",
    "orgend",
    "placeword",
    "placeprefix",
    "placecue",
    "place",
    "group",
    "org",
    "team",
    "surname",
    "eventword",
    "event",
    "workword",
    "calendar",
    "notname",
    "country",
    "city_big",
    "city_mid",
    "city_small",
    "admin1",
    "first",
    "place_late",
];
/// Longest phrase in the lexicon, in tokens.
pub const PHRASE_TOKENS_MAX: usize = 6;
/// Most entries that a lexicon may have.
const ENTRIES_MAX: usize = 1 << 21;

/// The flag bit of a kind.
pub fn kind_bit(kind: &str) -> u32 {
    KINDS.iter().position(|name| *name == kind).map_or(0, |index| 1 << index)
}

/// `title`
pub const TITLE: u32 = 1;
/// `says`
pub const SAYS: u32 = 1 << 1;
/// `orgword` and `orgend`
pub const ORGWORD: u32 = 1 << 2 | 1 << 3;
/// `placecue`
pub const PLACECUE: u32 = 1 << 6;
/// `calendar`
pub const CALENDAR: u32 = 1 << 15;
/// `first`
pub const FIRST: u32 = 1 << 22;

/// What is known of a word or a phrase, in 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry(pub u64);

impl Entry {
    /// Kinds that the phrase belongs to.
    pub fn flags(self) -> u32 {
        (self.0 & 0xFF_FFFF) as u32
    }

    /// Tokens of the longest phrase that begins with this word.
    pub fn reach(self) -> usize {
        (self.0 >> 24 & 7) as usize
    }

    /// How often the word is capitalised inside sentences of a large corpus: 0 unseen, 1 never to 7 always.
    pub fn capital(self) -> u32 {
        (self.0 >> 27 & 7) as u32
    }

    /// How often it follows a title, a first name or a place word, precedes a verb of saying or
    /// stands inside an organisation's name in a large corpus: two bits each.
    pub fn company(self) -> u32 {
        (self.0 >> 30 & 0x3FF) as u32
    }

    /// Word cluster; 0 for none.
    pub fn cluster(self) -> u32 {
        (self.0 >> 40 & 0x3FF) as u32
    }

    /// What a large labelled corpus calls it: 0 unknown, else class + 1, and how surely (0 to 3).
    pub fn known(self) -> u32 {
        (self.0 >> 50 & 0x1F) as u32
    }
}

/// Words and phrases by hash: an open-addressed table.
#[derive(Clone, PartialEq, Eq)]
pub struct Lexicon {
    cells: Vec<(u32, Entry)>,
    shift: u32,
}

impl std::fmt::Debug for Lexicon {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Lexicon").field("cells", &self.cells.len()).finish_non_exhaustive()
    }
}

impl Lexicon {
    /// A table of these entries; keys are unique.
    pub fn new(entries: &[(u32, Entry)]) -> Self {
        let capacity = (entries.len().max(8) * 3 / 2).next_power_of_two().max(256);
        let mut cells = vec![(0, Entry(0)); capacity];
        let shift = 32 - capacity.trailing_zeros();
        for (key, entry) in entries {
            let mut slot = (*key >> shift) as usize;
            while cells[slot].1.0 != 0 && cells[slot].0 != *key {
                slot = (slot + 1) & (capacity - 1);
            }
            cells[slot] = (*key, *entry);
        }
        Self { cells, shift }
    }

    /// What is known of a word or phrase.
    pub fn get(&self, key: u32) -> Entry {
        let mask = self.cells.len() - 1;
        let mut slot = (key >> self.shift) as usize & mask;
        loop {
            let (at, entry) = self.cells[slot];
            if at == key || entry.0 == 0 {
                return entry;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Reads a table.
    ///
    /// # Errors
    /// When the payload ends too early.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, ModelError> {
        let broken = ModelError::Inside { what: "lexicon" };
        let count = reader.u32()? as usize;
        if count > ENTRIES_MAX || count > reader.left() {
            return Err(broken);
        }
        let mut entries = Vec::with_capacity(count);
        let mut key = 0_u32;
        for _ in 0..count {
            key = key.wrapping_add(reader.varint()?);
            let low = u64::from(reader.u32()?);
            let high = u64::from(reader.varint()?);
            entries.push((key, Entry(low | high << 32)));
        }
        Ok(Self::new(&entries))
    }

    /// Appends entries, sorted by key.
    pub fn write(entries: &[(u32, Entry)], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        let varint = |mut value: u32, bytes: &mut Vec<u8>| {
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        };
        let mut before = 0;
        for (key, entry) in entries {
            varint(key.wrapping_sub(before), bytes);
            before = *key;
            bytes.extend_from_slice(&(entry.0 as u32).to_le_bytes());
            varint((entry.0 >> 32) as u32, bytes);
        }
    }
}

/// Hash of a word without regard to case; curly apostrophes count as straight ones.
pub fn word_hash(word: &str) -> u32 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    if word.is_ascii() {
        for byte in word.bytes() {
            hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01B3);
        }
    } else {
        for character in word.chars() {
            let character = if character == '’' { '\'' } else { character };
            for lower in character.to_lowercase() {
                let mut buffer = [0; 4];
                for byte in lower.encode_utf8(&mut buffer).bytes() {
                    hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
                }
            }
        }
    }
    (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// Hash of a phrase that goes on with one more word; begin with the first word's hash.
pub fn phrase_hash(phrase: u32, word: u32) -> u32 {
    let mixed = (u64::from(phrase) << 32 | u64::from(word)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((mixed ^ mixed >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_curls_do_not_matter() {
        assert_eq!(word_hash("O’Neill"), word_hash("O'NEILL"));
        assert_eq!(word_hash("Kōbe"), word_hash("KŌBE"));
        assert_ne!(word_hash("Paris"), word_hash("Pairs"));
    }

    #[test]
    fn entries_come_back_as_written() {
        let mut entries: Vec<(u32, Entry)> =
            (1..3000_u64).map(|n| (word_hash(&n.to_string()), Entry(n << 30 | n))).collect();
        entries.sort_by_key(|(key, _)| *key);
        let mut bytes = Vec::new();
        Lexicon::write(&entries, &mut bytes);
        let lexicon = Lexicon::read(&mut Reader::new(&bytes)).expect("lexicon");
        for (key, entry) in &entries {
            assert_eq!(lexicon.get(*key), *entry);
        }
        assert_eq!(lexicon.get(word_hash("nothing")), Entry(0));
        assert!(Lexicon::read(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }
}

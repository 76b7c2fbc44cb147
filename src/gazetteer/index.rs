//! The built file of places: a name → the places that bear it, read where it lies in memory.
//!
//! ```text
//! "CPYGAZ\x1A\x01"  length u32  sha256 [32]  body
//! body: places u32  names u32  countries u32  regions u32
//!       country [2] …  region (country [2], code [6]) …  bucket start u32 × 65537
//!       place (GeoNames u32, latitude i24, longitude i24 in 1/10000°, size u8, kind u8, country u8, capital u8,
//!              region u16) …  name (hash u24, place u23 and whether it is the place's own name, one bit) …
//! ```
//!
//! Little-endian. Places stand by population, largest first; names by a hash of 40 bits, of which the upper 16 are the
//! bucket. Names themselves are not stored: two that share all 40 bits would be taken for one another, which among
//! 340,000 names happens to one unknown name in three million. Made by `scripts/gazetteer_index.py`; nothing is unpacked
//! or built when the program starts.
//!
//! Does not know countries (see [`super::countries`]) and does not choose.

use sha2::{Digest, Sha256};
use thiserror::Error;

const MAGIC: &[u8; 8] = b"CPYGAZ\x1A\x01";
const HEAD_BYTES: usize = 44;
const BUCKETS: usize = 65537;
const PLACE_BYTES: usize = 16;
const NAME_BYTES: usize = 6;
const REGION_BYTES: usize = 8;
/// Most candidates that one name gives; they come largest first.
pub const CANDIDATES_MAX: usize = 64;
/// U+00C0 to U+017F without their marks; `-` is dropped. The builder has the same.
const LATIN: &[u8; 192] =
    b"aaaaaaaceeeeiiiidnooooo-ouuuuytsaaaaaaaceeeeiiiidnooooo-ouuuuytyaaaaaaccccccccddddeeeeeeeeeeggggggg\
ghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
/// U+1E00 to U+1EFF, likewise.
const LATIN_MORE: &[u8; 256] =
    b"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrr\
rssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyas--s-aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiio\
ooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy------";

/// Why a gazetteer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IndexError {
    /// The bytes do not begin as a built gazetteer does.
    #[error("not a built gazetteer of this version")]
    Foreign,
    /// The file ends too early or goes on too long.
    #[error("gazetteer is {found} bytes, should be {wanted}")]
    Length {
        /// Bytes in hand.
        found: usize,
        /// Bytes that the head or the counts promise.
        wanted: usize,
    },
    /// The body does not match its checksum.
    #[error("gazetteer is damaged: checksum does not match")]
    Checksum,
}

/// What kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A city, town or village.
    City,
    /// A first-level region: state, province.
    Admin1,
    /// A second-level region: county, district.
    Admin2,
    /// A region without borders of its own: "Middle East".
    Region,
    /// Ocean, sea, strait, river, lake.
    Water,
    /// Mountain or range.
    Mountain,
    /// Island or islands.
    Island,
    /// A building or site of note.
    Facility,
    /// A desert.
    Desert,
    /// A continent.
    Continent,
    /// A country.
    Country,
}

impl Kind {
    /// In the order of the file; countries are not in it.
    const IN_FILE: [Self; 10] = [
        Self::City,
        Self::Admin1,
        Self::Admin2,
        Self::Region,
        Self::Water,
        Self::Mountain,
        Self::Island,
        Self::Facility,
        Self::Desert,
        Self::Continent,
    ];

    /// As the record writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::Admin1 => "admin1",
            Self::Admin2 => "admin2",
            Self::Region => "region",
            Self::Water => "water",
            Self::Mountain => "mountain",
            Self::Island => "island",
            Self::Facility => "facility",
            Self::Desert => "desert",
            Self::Continent => "continent",
            Self::Country => "country",
        }
    }
}

/// A place that a name may mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// What it is.
    pub kind: Kind,
    /// Alpha-2 code of its country.
    pub iso2: Option<[u8; 2]>,
    /// Its first-level region, an opaque number: equal for places of the same one.
    pub region: Option<u16>,
    /// GeoNames id; 0 where there is none.
    pub geonames: u32,
    /// Degrees north.
    pub latitude: f32,
    /// Degrees east.
    pub longitude: f32,
    /// Eight times the binary logarithm of the inhabitants.
    pub size: u8,
    /// Whether it is the capital of its country.
    pub is_capital: bool,
    /// Whether the name is its own, no other name.
    pub is_own_name: bool,
}

/// The file, checked and ready.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    countries: &'static [u8],
    regions: &'static [u8],
    buckets: &'static [u8],
    places: &'static [u8],
    names: &'static [u8],
}

static BUILT_IN: &[u8] = include_bytes!("../../data/gazetteer/places.index");

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    let piece = bytes.get(at..at + N).unwrap_or_default();
    piece.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// A signed number of 24 bits, in ten-thousandths.
fn degrees(bytes: &[u8], at: usize) -> f32 {
    let raw = number::<3>(bytes, at) as f32;
    (if raw < 8_388_608.0 { raw } else { raw - 16_777_216.0 }) / 10_000.0
}

impl Index {
    /// The gazetteer that is part of the program. Its checksum is looked at by a test, not at every start.
    ///
    /// # Errors
    /// When the build carried a foreign or a cut file.
    pub fn built_in() -> Result<Self, IndexError> {
        Self::lay_out(BUILT_IN)
    }

    /// A gazetteer from elsewhere.
    ///
    /// # Errors
    /// When the bytes are foreign, cut or damaged.
    pub fn from_bytes(bytes: &'static [u8]) -> Result<Self, IndexError> {
        let index = Self::lay_out(bytes)?;
        let (sum, body) = (bytes.get(12..HEAD_BYTES), bytes.get(HEAD_BYTES..).unwrap_or_default());
        if sum != Some(Sha256::digest(body).as_slice()) {
            return Err(IndexError::Checksum);
        }
        Ok(index)
    }

    fn lay_out(bytes: &'static [u8]) -> Result<Self, IndexError> {
        if !bytes.starts_with(MAGIC) {
            return Err(IndexError::Foreign);
        }
        let wanted = HEAD_BYTES + number::<4>(bytes, 8);
        if bytes.len() != wanted || bytes.len() < HEAD_BYTES + 16 {
            return Err(IndexError::Length { found: bytes.len(), wanted: wanted.max(HEAD_BYTES + 16) });
        }
        let (head, mut rest) = bytes.split_at(HEAD_BYTES + 16);
        let count = |index: usize| number::<4>(head, HEAD_BYTES + 4 * index);
        let sizes = [2 * count(2), REGION_BYTES * count(3), 4 * BUCKETS, PLACE_BYTES * count(0), NAME_BYTES * count(1)];
        let sum: usize = sizes.iter().sum();
        if sum != rest.len() {
            return Err(IndexError::Length { found: bytes.len(), wanted: HEAD_BYTES + 16 + sum });
        }
        let mut parts = [&bytes[..0]; 5];
        for (part, size) in parts.iter_mut().zip(sizes) {
            (*part, rest) = rest.split_at(size);
        }
        let [countries, regions, buckets, places, names] = parts;
        Ok(Self { countries, regions, buckets, places, names })
    }

    /// The places of a name, largest first; at most [`CANDIDATES_MAX`].
    pub fn find(&self, name: &str) -> Vec<Place> {
        let key = hash(&folded(name));
        let bucket = (key >> 24) as usize;
        let (from, to) = (number::<4>(self.buckets, 4 * bucket), number::<4>(self.buckets, 4 * bucket + 4));
        let wanted = (key & 0xFF_FFFF) as usize;
        (from..to)
            .filter(|at| number::<3>(self.names, NAME_BYTES * at) == wanted)
            .take(CANDIDATES_MAX)
            .filter_map(|at| {
                let value = number::<3>(self.names, NAME_BYTES * at + 3);
                self.place(value >> 1, value & 1 == 1)
            })
            .collect()
    }

    /// The two letters and the code of a region: `US`, `OH`.
    pub fn region(&self, region: u16) -> Option<(&str, &str)> {
        let bytes = self.regions.get(usize::from(region) * REGION_BYTES..)?.get(..REGION_BYTES)?;
        let text = std::str::from_utf8(bytes).ok()?;
        let (country, code) = text.split_at_checked(2)?;
        Some((country, code.trim_end_matches('\0')))
    }

    /// The region of a state of the United States by its postal code.
    pub fn state(&self, code: &str) -> Option<u16> {
        let wanted = code.as_bytes();
        let regions = self.regions.chunks_exact(REGION_BYTES);
        let found = regions
            .enumerate()
            .find(|(_, bytes)| bytes.starts_with(b"US") && bytes.get(2..4) == Some(wanted) && bytes.get(4) == Some(&0));
        found.map(|(index, _)| index as u16)
    }

    fn place(&self, index: usize, is_own_name: bool) -> Option<Place> {
        let bytes = self.places.get(index * PLACE_BYTES..)?.get(..PLACE_BYTES)?;
        let country = usize::from(bytes[12]);
        let iso2 = self.countries.get(2 * country..2 * country + 2)?;
        let region = number::<2>(bytes, 14) as u16;
        Some(Place {
            kind: *Kind::IN_FILE.get(usize::from(bytes[11]))?,
            iso2: iso2.try_into().ok().filter(|code| code != b"--"),
            region: (region != u16::MAX).then_some(region),
            geonames: number::<4>(bytes, 0) as u32,
            latitude: degrees(bytes, 4),
            longitude: degrees(bytes, 7),
            size: bytes[10],
            is_capital: bytes[13] == 1,
            is_own_name,
        })
    }
}

/// How names are compared: lower case, marks and full stops dropped, hyphens as spaces, Saint for St.
pub fn folded(name: &str) -> String {
    let mut kept = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        let plain = match character {
            '.' | '\'' | '’' | 'ʻ' | '`' => continue,
            '\u{C0}'..='\u{17F}' => char::from(LATIN[character as usize - 0xC0]),
            '\u{1E00}'..='\u{1EFF}' => char::from(LATIN_MORE[character as usize - 0x1E00]),
            _ if character.is_ascii_alphanumeric() => character.to_ascii_lowercase(),
            _ if character.is_ascii() || character.is_whitespace() => ' ',
            // Foreign letters are in no name of the file.
            _ => return String::new(),
        };
        if plain != '-' {
            kept.push(plain);
        }
    }
    let mut joined = String::with_capacity(kept.len() + 4);
    for word in kept.split_ascii_whitespace() {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(match word {
            "st" => "saint",
            "ste" => "sainte",
            "ft" => "fort",
            "mt" => "mount",
            _ => word,
        });
    }
    joined
}

/// 40 bits of a name's hash: FNV-1a, stirred once.
fn hash(folded: &str) -> u64 {
    let value = folded
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |value, byte| (value ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    (value ^ value >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leak(bytes: Vec<u8>) -> &'static [u8] {
        Vec::leak(bytes)
    }

    #[test]
    fn the_built_in_file_is_whole() {
        let index = Index::from_bytes(BUILT_IN).unwrap();
        let paris = index.find("Paris");
        assert_eq!(paris[0].iso2, Some(*b"FR"));
        assert!(paris[0].is_capital && paris.len() > 5);
        let ohio = index.find("Ohio")[0];
        assert_eq!(
            (ohio.kind, ohio.region.and_then(|region| index.region(region))),
            (Kind::Admin1, Some(("US", "OH")))
        );
        assert!(paris.windows(2).all(|pair| pair[0].size >= pair[1].size));
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let index = Index::built_in().unwrap();
        for (name, geonames) in [("São Paulo", 3_448_439), ("SAO PAULO", 3_448_439), ("St. Louis", 4_407_066)] {
            assert!(index.find(name).iter().any(|place| place.geonames == geonames), "{name}");
        }
        for (name, kind) in [("Black Sea", Kind::Water), ("the", Kind::City), ("Middle East", Kind::Region)] {
            let found = index.find(name).first().map(|place| place.kind);
            assert_eq!(found, Some(kind).filter(|_| name != "the"), "{name}");
        }
        assert!(index.find("").is_empty() && index.find("東京").is_empty());
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(Index::from_bytes(b"something else").unwrap_err(), IndexError::Foreign);
        let cut = leak(BUILT_IN[..100_000].to_vec());
        let error = Index::from_bytes(cut).unwrap_err();
        assert_eq!(error.to_string(), format!("gazetteer is 100000 bytes, should be {}", BUILT_IN.len()));
        let mut changed = BUILT_IN.to_vec();
        changed[2_000_000] ^= 1;
        assert_eq!(Index::from_bytes(leak(changed)).unwrap_err(), IndexError::Checksum);
        let mut counted = BUILT_IN.to_vec();
        counted[HEAD_BYTES] ^= 1;
        assert!(matches!(Index::from_bytes(leak(counted)).unwrap_err(), IndexError::Length { .. }));
        assert!(Index::from_bytes(leak(MAGIC.to_vec())).is_err());
    }

    proptest! {
        #[test]
        fn any_name_is_looked_up(name in "\\PC{0,40}") {
            let index = Index::built_in().unwrap();
            prop_assert!(index.find(&name).len() <= CANDIDATES_MAX);
        }

        #[test]
        fn folding_twice_changes_nothing(name in "\\PC{0,40}") {
            prop_assert_eq!(folded(&folded(&name)), folded(&name));
        }
    }
}

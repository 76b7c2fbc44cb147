//! A word form → the table rows that stand for it.
//!
//! `Reported` → the row of `reported`, rows of its endings (`d`, `ed`, `ted`, `rted`) and
//! beginnings (`r`, `re`, `rep`), and a row for its shape (capitalised, inside a sentence whose
//! words are mostly small). Nothing here looks at neighbours: that is the network's work.

/// Rows of the affix table.
pub const AFFIX_ROWS: u32 = 12_288;
/// Affixes looked at: endings of one to four characters, beginnings of one to three.
pub const AFFIXES: usize = 7;
/// Rows of the shape table.
pub const SHAPE_ROWS: u32 = 128;
/// Shape row of the imaginary root.
pub const ROOT_SHAPE: u32 = SHAPE_ROWS - 1;
/// Characters of a form that are looked at; the rest of a longer one is ignored.
const CHARACTERS_MAX: usize = 64;

/// How the words of a sentence are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Mostly small letters.
    Sentence,
    /// Most words begin with a capital: a headline in title case.
    Title,
    /// No small letters to speak of.
    Capitals,
    /// No capital at all.
    Small,
}

impl Writing {
    /// Looks at all forms of a sentence.
    pub fn of<'a>(forms: impl Iterator<Item = &'a str>) -> Self {
        let (mut words, mut capitalised, mut all_capitals, mut longer) = (0_u32, 0_u32, 0_u32, 0_u32);
        for form in forms {
            let mut characters = form.chars();
            let Some(first) = characters.next().filter(|first| first.is_alphabetic()) else { continue };
            words += 1;
            capitalised += u32::from(first.is_uppercase());
            let rest = characters.as_str();
            if !rest.is_empty() {
                longer += 1;
                all_capitals += u32::from(first.is_uppercase() && !rest.chars().any(char::is_lowercase));
            }
        }
        if capitalised == 0 {
            Self::Small
        } else if longer >= 2 && all_capitals * 10 >= longer * 8 {
            Self::Capitals
        } else if words >= 4 && capitalised * 10 >= words * 7 {
            Self::Title
        } else {
            Self::Sentence
        }
    }
}

/// The rows of one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Hash of the normalised form, to be looked up in the vocabulary.
    pub word: u32,
    /// Rows of the affix table.
    pub affixes: [u32; AFFIXES],
    /// Row of the shape table.
    pub shape: u32,
}

/// A form with letters made small, digits made `0` and typographic marks made plain.
pub fn normalise(form: &str, into: &mut Vec<char>) {
    into.clear();
    for character in form.chars().take(CHARACTERS_MAX) {
        match character {
            'a'..='z' => into.push(character),
            'A'..='Z' => into.push(character.to_ascii_lowercase()),
            '0'..='9' => into.push('0'),
            '‘' | '’' | 'ʼ' | '′' | '`' => into.push('\''),
            '“' | '”' | '„' | '«' | '»' => into.push('"'),
            '–' | '—' | '―' => into.push('-'),
            _ => into.extend(character.to_lowercase().next()),
        }
    }
}

/// Hash of a sequence of characters (FNV-1a over code points, mixed at the end).
pub fn hash(seed: u32, characters: impl Iterator<Item = char>) -> u32 {
    let mut state = 0x811C_9DC5_u32 ^ seed.wrapping_mul(0x9E37_79B9);
    for character in characters {
        state = (state ^ character as u32).wrapping_mul(0x0100_0193);
    }
    state ^= state >> 16;
    state = state.wrapping_mul(0x85EB_CA6B);
    state ^= state >> 13;
    state = state.wrapping_mul(0xC2B2_AE35);
    state ^ (state >> 16)
}

/// The rows of a form in a sentence.
pub fn rows(form: &str, writing: Writing, first: bool, normal: &mut Vec<char>) -> Rows {
    let (word, shape) = self::word(form, writing, first, normal);
    Rows { word, affixes: affixes(normal), shape }
}

/// Hash and shape row of a form; the normalised form is left in `normal`.
pub fn word(form: &str, writing: Writing, first: bool, normal: &mut Vec<char>) -> (u32, u32) {
    normalise(form, normal);
    (hash(0, normal.iter().copied()), shape(form, normal.len(), writing, first))
}

/// Whether a shape is that of small letters, digits or marks inside an ordinary sentence, which
/// leaves one shape to each normalised form.
pub fn is_usual(shape: u32) -> bool {
    let (kind, place) = (shape / 8, shape % 8);
    place == 0 && matches!(kind, 2..=5 | 8 | 10)
}

/// Affix rows of a normalised form.
pub fn affixes(normal: &[char]) -> [u32; AFFIXES] {
    let mut affixes = [0; AFFIXES];
    for (at, row) in affixes.iter_mut().enumerate() {
        let seed = at as u32 + 1;
        let value = match at {
            0..=3 => hash(seed, normal.iter().rev().take(at + 1).copied()),
            _ => hash(seed, normal.iter().take(at - 3).copied()),
        };
        // The high part of a product spreads the hash over the rows without a division.
        *row = ((u64::from(value) * u64::from(AFFIX_ROWS)) >> 32) as u32;
    }
    affixes
}

/// The rows of the imaginary root that every sentence begins with.
pub fn root() -> Rows {
    Rows { word: 1, affixes: [0; AFFIXES], shape: ROOT_SHAPE }
}

fn shape(form: &str, length: usize, writing: Writing, first: bool) -> u32 {
    let (mut upper, mut lower, mut digit, mut other, mut hyphen, mut dot) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    let mut starts_upper = false;
    for (at, character) in form.chars().take(CHARACTERS_MAX).enumerate() {
        if character.is_uppercase() {
            upper += 1;
            starts_upper |= at == 0;
        } else if character.is_alphabetic() && character != 'ʼ' {
            lower += 1;
        } else if character.is_ascii_digit() {
            digit += 1;
        } else if character == '-' {
            hyphen += 1;
        } else if character == '.' {
            dot += 1;
        } else {
            other += 1;
        }
    }
    let kind = if digit > 0 {
        if upper + lower > 0 {
            0
        } else if hyphen + dot + other > 0 {
            1
        } else {
            2 + u32::from(length == 4)
        }
    } else if upper + lower == 0 {
        4 + u32::from(length > 1)
    } else if hyphen > 0 {
        6 + u32::from(upper > 0)
    } else if dot > 0 || other > 0 {
        8 + u32::from(upper > 0)
    } else if upper == 0 {
        10
    } else if lower == 0 {
        11 + u32::from(length > 1)
    } else if starts_upper && upper == 1 {
        13
    } else {
        14
    };
    let writing = match writing {
        Writing::Sentence => 0,
        Writing::Title => 1,
        Writing::Capitals => 2,
        Writing::Small => 3,
    };
    (kind * 4 + writing) * 2 + u32::from(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_digits_share_a_word_row() {
        let mut normal = Vec::new();
        let small = rows("june-1999", Writing::Sentence, false, &mut normal);
        let large = rows("June-2024", Writing::Sentence, false, &mut normal);
        assert_eq!((small.word, small.affixes), (large.word, large.affixes));
        assert_ne!(small.shape, large.shape.min(ROOT_SHAPE - 1) + SHAPE_ROWS);
    }

    #[test]
    fn rows_stay_inside_their_tables() {
        let mut normal = Vec::new();
        for form in ["", "a", "U.S.", "1,000", "co-operate", "İ", "😀", "x1", "McDonald", "’s"] {
            for writing in [Writing::Sentence, Writing::Title, Writing::Capitals, Writing::Small] {
                let rows = rows(form, writing, true, &mut normal);
                assert!(rows.affixes.iter().all(|row| *row < AFFIX_ROWS));
                assert!(rows.shape < ROOT_SHAPE);
            }
        }
    }

    #[test]
    fn writing_of_a_sentence() {
        let of = |text: &str| Writing::of(text.split(' '));
        assert_eq!(of("The minister said no ."), Writing::Sentence);
        assert_eq!(of("Minister Says No To Bank"), Writing::Title);
        assert_eq!(of("MINISTER SAYS NO"), Writing::Capitals);
        assert_eq!(of("minister says no"), Writing::Small);
    }
}

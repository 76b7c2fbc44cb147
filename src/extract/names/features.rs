//! A story's tokens → the stretches that may hold names, and the features of each token in them.
//!
//! Two passes read the same [`Document`]. The first sees words, shapes, the lexicon and what the
//! whole document says of a word (capitalised elsewhere, after a title, before "said"). The second
//! sees what the first one called the same word and the same phrase elsewhere.

use super::lexicon::{self, Entry, Lexicon, phrase_hash, word_hash};
use crate::{
    extract::{sentences::Sentence, tokens::Token},
    model::crf::{Chain, LABELS},
};

/// Tokens without a capital that a stretch may run over between two with one.
const GAP_TOKENS_MAX: usize = 3;
/// Longest stretch, in tokens; a longer one is cut.
pub const STRETCH_TOKENS_MAX: usize = 160;
/// Classes of names.
pub const CLASSES: usize = LABELS / 2;

/// How a token is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// `word`
    #[default]
    Lower,
    /// `Word`
    Title,
    /// `WORD`
    Upper,
    /// `McWord`, `iWord`
    Mixed,
    /// `W` or `W.`
    Initial,
    /// `U.S.`
    Dotted,
    /// `15`, `1,000.5`
    Number,
    /// `A4`, `3rd`
    Digits,
    /// No letter and no digit.
    Mark,
    /// `@handle`, `#tag`, an address.
    Address,
}

impl Shape {
    fn of(word: &str) -> Self {
        let mut letters = 0;
        let mut capitals = 0;
        let mut digits = 0;
        let mut dots = 0;
        let mut others = 0;
        let mut first_capital = false;
        for (index, character) in word.chars().enumerate() {
            if character.is_alphabetic() {
                letters += 1;
                if character.is_uppercase() {
                    capitals += 1;
                    first_capital |= index == 0;
                }
            } else if character.is_numeric() {
                digits += 1;
            } else if character == '.' {
                dots += 1;
            } else {
                others += 1;
            }
        }
        if letters == 0 {
            return if digits > 0 { Self::Number } else { Self::Mark };
        }
        if word.starts_with(['@', '#']) || others > 1 && word.contains("://") || word.contains("www.") {
            return Self::Address;
        }
        if digits > 0 {
            return Self::Digits;
        }
        match (capitals, letters) {
            (0, _) => Self::Lower,
            (1, 1) => Self::Initial,
            _ if capitals == letters && dots > 1 => Self::Dotted,
            _ if capitals == letters => Self::Upper,
            (1, _) if first_capital => Self::Title,
            _ => Self::Mixed,
        }
    }

    fn is_capital(self) -> bool {
        matches!(self, Self::Title | Self::Upper | Self::Mixed | Self::Initial | Self::Dotted)
    }
}

/// How a sentence is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum Case {
    #[default]
    Normal,
    Upper,
    Title,
    Lower,
}

/// A token as the features see it.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    hash: u32,
    entry: Entry,
    shape: Shape,
    case: Case,
    /// No space before; no space after.
    glued: (bool, bool),
    /// First word of its sentence, marks not counted.
    opens: bool,
    /// `al`, `bin`, `van`: in lower case inside a name.
    joint: bool,
    /// Bits of [`CUES`] that this occurrence gives.
    cues: u8,
    /// Kinds of the phrases that begin here and that run over here.
    begins: u32,
    within: u32,
    /// What a large corpus calls the longest known name that begins here, and that runs over here.
    known: (u32, u32),
    /// Maximal row of capitalised tokens that this one is in.
    row: (u32, u32),
    /// Paragraph.
    paragraph: u32,
    /// Cell of the document's table; `u32::MAX` for none.
    cell: u32,
}

/// What occurrences of a word say about it. Order is part of the model's format.
const CUES: usize = 8;
const CUE_CAPITAL: u8 = 1;
// Bit 1 is set by occurrences in lower case.
const CUE_TITLE: u8 = 1 << 2;
const CUE_SAID: u8 = 1 << 3;
const CUE_FIRST: u8 = 1 << 4;
const CUE_PLACE: u8 = 1 << 5;
const CUE_ORG: u8 = 1 << 6;
const CUE_LONGER: u8 = 1 << 7;

/// What the document says of one word.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    hash: u32,
    used: bool,
    cues: [u16; CUES],
    /// What the first pass called it: alone, first of a longer name, later in a longer name.
    votes: [[u16; CLASSES]; 3],
    /// Occurrences that the first pass left outside.
    outside: u16,
}

/// A vote of the first pass for a whole phrase.
#[derive(Clone, Copy, Debug, Default)]
struct Phrase {
    hash: u32,
    used: bool,
    votes: [u16; CLASSES],
}

/// What the first pass said of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// Its label.
    pub label: u8,
    /// The probability of the mention that it is in.
    pub percent: u8,
}

/// A story as the features see it, in buffers that the next story uses again.
#[derive(Clone, Debug, Default)]
pub struct Document {
    words: Vec<Word>,
    cells: Vec<Cell>,
    phrases: Vec<Phrase>,
    /// Stretches that may hold names: token ranges inside one sentence.
    stretches: Vec<(u32, u32)>,
    first: Vec<First>,
    mentions: Vec<(u32, u32, u8)>,
    edges: Vec<(u32, u32)>,
}

impl Document {
    /// Reads the tokens of a story.
    pub fn read(&mut self, text: &str, tokens: &[Token], sentences: &[Sentence], lexicon: &Lexicon) {
        self.words.clear();
        self.stretches.clear();
        self.first.clear();
        self.edges.clear();
        self.read_words(text, tokens, lexicon);
        self.read_edges(tokens, sentences);
        for index in 0..self.edges.len() {
            let (start, end) = self.edges[index];
            self.read_sentence(start as usize, end as usize, lexicon);
        }
        self.count_cues();
    }

    /// Stretches that may hold names, as token ranges in text order.
    pub fn stretches(&self) -> &[(u32, u32)] {
        &self.stretches
    }

    /// Whether a token is written in capitals at its head.
    pub fn is_capital(&self, token: usize) -> bool {
        self.words.get(token).is_some_and(|word| word.shape.is_capital())
    }

    /// The lexicon's kinds of a single token.
    pub fn flags(&self, token: usize) -> u32 {
        self.words.get(token).map_or(0, |word| word.entry.flags())
    }

    /// The token's hash, its cues, and whether it stands in an ordinary sentence: for the trainer's corpus counts.
    pub fn occurrence(&self, token: usize) -> Option<(u32, u8, bool)> {
        let word = self.words.get(token)?;
        (word.shape != Shape::Mark).then_some((word.hash, word.cues, word.case == Case::Normal && !word.opens))
    }

    fn read_words(&mut self, text: &str, tokens: &[Token], lexicon: &Lexicon) {
        let bytes = text.as_bytes();
        let is_space =
            |offset: Option<usize>| offset.and_then(|offset| bytes.get(offset)).is_none_or(u8::is_ascii_whitespace);
        self.words.extend(tokens.iter().map(|token| {
            let word = token.span.of(text);
            let hash = word_hash(word);
            Word {
                hash,
                entry: lexicon.get(hash),
                shape: Shape::of(word),
                joint: is_joint(word),
                glued: (!is_space(token.span.start().checked_sub(1)), !is_space(Some(token.span.end()))),
                paragraph: token.paragraph,
                cell: u32::MAX,
                ..Word::default()
            }
        }));
    }

    /// Sentences as token ranges; tokens in none (a dateline) make units of their own, one a paragraph.
    fn read_edges(&mut self, tokens: &[Token], sentences: &[Sentence]) {
        let mut at = 0;
        let count = tokens.len() as u32;
        let gap = |from: u32, to: u32, edges: &mut Vec<(u32, u32)>| {
            let mut start = from;
            for index in from..to {
                if index > start && tokens[index as usize].paragraph != tokens[start as usize].paragraph {
                    edges.push((start, index));
                    start = index;
                }
            }
            if start < to {
                edges.push((start, to));
            }
        };
        for sentence in sentences {
            let start = sentence.tokens.start.clamp(at, count);
            let end = sentence.tokens.end.clamp(start, count);
            if start == end {
                continue;
            }
            gap(at, start, &mut self.edges);
            self.edges.push((start, end));
            at = end;
        }
        gap(at, count, &mut self.edges);
    }

    fn read_sentence(&mut self, start: usize, end: usize, lexicon: &Lexicon) {
        let words = &mut self.words[start..end];
        let case = case_of(words);
        let mut open = true;
        for word in words.iter_mut() {
            word.case = case;
            word.opens = open && word.shape != Shape::Mark;
            open &= word.shape == Shape::Mark;
        }
        let everything = case == Case::Lower;
        if !everything && words.iter().all(|word| !word.shape.is_capital()) {
            return;
        }
        match_phrases(words, lexicon, everything);
        find_rows(words, start as u32);
        let count = words.len();
        find_cues(words);
        if everything {
            self.push_stretch(start, end);
            return;
        }
        let mut at = 0;
        while at < count {
            if !self.words[start + at].shape.is_capital() {
                at += 1;
                continue;
            }
            let from = at;
            let mut last = at;
            while at < count && at - last <= GAP_TOKENS_MAX {
                if self.words[start + at].shape.is_capital() {
                    last = at;
                }
                at += 1;
            }
            // A number may end a name: "Expo 2020".
            let after = self.words.get(start + last + 1).filter(|_| last + 1 < count);
            let tail = usize::from(after.is_some_and(|word| matches!(word.shape, Shape::Number | Shape::Digits)));
            at = last + 1 + tail;
            self.push_stretch(start + from, start + at);
        }
    }

    fn push_stretch(&mut self, start: usize, end: usize) {
        let mut start = start;
        while start < end {
            let stop = end.min(start + STRETCH_TOKENS_MAX);
            self.stretches.push((start as u32, stop as u32));
            start = stop;
        }
    }

    /// Gives every capitalised word a cell and sums up its cues.
    fn count_cues(&mut self) {
        let capitals = self.words.iter().filter(|word| word.shape.is_capital()).count();
        let capacity = (capitals * 2).next_power_of_two().max(16);
        self.cells.clear();
        self.cells.resize(capacity, Cell::default());
        let mask = capacity - 1;
        for word in &mut self.words {
            if !word.shape.is_capital() || word.entry.flags() & lexicon::CALENDAR != 0 {
                continue;
            }
            let slot = find(&self.cells, word.hash, mask);
            let cell = &mut self.cells[slot];
            cell.used = true;
            cell.hash = word.hash;
            word.cell = slot as u32;
            for (bit, count) in cell.cues.iter_mut().enumerate() {
                *count = count.saturating_add(u16::from(word.cues >> bit & 1));
            }
        }
        for word in &mut self.words {
            if word.shape != Shape::Lower {
                continue;
            }
            let slot = find(&self.cells, word.hash, mask);
            let cell = &mut self.cells[slot];
            if cell.used {
                word.cell = slot as u32;
                if word.case == Case::Normal {
                    cell.cues[1] = cell.cues[1].saturating_add(1);
                }
            }
        }
    }

    fn word(&self, at: usize, offset: isize, bounds: (usize, usize)) -> Option<&Word> {
        let index = at.checked_add_signed(offset)?;
        (bounds.0 <= index && index < bounds.1).then(|| &self.words[index])
    }

    /// The sentence that a token is in.
    fn bounds(&self, token: usize) -> (usize, usize) {
        let index = self.edges.partition_point(|(_, end)| *end as usize <= token);
        self.edges.get(index).map_or((token, token + 1), |(start, end)| (*start as usize, *end as usize))
    }

    /// The features of a stretch's tokens, one after the other.
    pub fn features(&self, text: &str, tokens: &[Token], stretch: (u32, u32), mut each: impl FnMut(usize, &[u32])) {
        let bounds = self.bounds(stretch.0 as usize);
        let mut out = Features { list: Vec::with_capacity(96) };
        for at in stretch.0 as usize..stretch.1 as usize {
            out.list.clear();
            self.token_features(text, tokens, at, bounds, &mut out);
            each(at, &out.list);
        }
    }

    fn token_features(&self, text: &str, tokens: &[Token], at: usize, bounds: (usize, usize), out: &mut Features) {
        let word = &self.words[at];
        let around: [Option<&Word>; 5] = std::array::from_fn(|index| self.word(at, index.cast_signed() - 2, bounds));
        let hash = around.map(|word| word.map_or(1, |word| word.hash));
        let shape = around.map(|word| word.map_or(15, |word| word.shape as u32));
        let [before2, before, own, after, after2] = hash;
        let shapes = shape[1] << 8 | shape[2] << 4 | shape[3];
        let style = (word.case as u32) << 1 | u32::from(word.opens);
        out.add(0, 0, 0);
        // Words.
        out.add(1, own, 0);
        out.add(2, before, 0);
        out.add(3, after, 0);
        out.add(4, before2, 0);
        out.add(5, after2, 0);
        out.add(6, own, before);
        out.add(7, own, after);
        out.add(8, before, shape[2]);
        out.add(9, after, shape[2]);
        out.add(10, before2, before);
        out.add(11, after, after2);
        // Shapes.
        out.add(12, shape[2], style);
        out.add(13, shapes, style);
        out.add(14, shape[0] << 4 | shape[1], shape[3] << 4 | shape[4]);
        out.add(15, own, style);
        let glue = u32::from(word.glued.0) << 1 | u32::from(word.glued.1);
        out.add(16, glue << 12 | shapes, 0);
        if word.glued.1 {
            out.add(17, after, after2);
        }
        if word.glued.0 {
            out.add(18, before2, before);
        }
        // Affixes.
        let span = tokens[at].span;
        let written = span.of(text);
        for length in 2..=4_u32 {
            if let Some(prefix) = written.get(..length as usize).filter(|_| written.len() > length as usize) {
                if length > 2 {
                    out.add(17 + length, word_hash(prefix), 0);
                }
                if let Some(suffix) = written.get(written.len() - length as usize..) {
                    out.add(22 + length, word_hash(suffix), 0);
                    if length == 3 {
                        out.add(27, word_hash(suffix), style << 4 | shape[2]);
                    }
                }
            }
        }
        // The lexicon.
        let flags = around.map(|word| word.map_or(0, |word| word.entry.flags()));
        out.bits(30, flags[2], shape[2]);
        out.bits(31, word.begins, 0);
        out.bits(32, word.within, 0);
        out.bits(33, flags[1], 0);
        out.bits(34, flags[3], 0);
        out.bits(35, flags[0] & (lexicon::TITLE | lexicon::SAYS | lexicon::FIRST | lexicon::PLACECUE), 0);
        out.bits(36, flags[4] & (lexicon::TITLE | lexicon::SAYS | lexicon::ORGWORD), 0);
        if flags[2] | word.begins | word.within != 0 {
            out.add(37, flags[2], style);
            out.add(38, word.begins, word.within);
        }
        if let Some(next) = around[3] {
            out.bits(39, next.begins & !next.entry.flags(), 0);
        }
        // Large corpora.
        let entry = around.map(|word| word.map_or(Entry(0), |word| word.entry));
        out.add(40, entry[2].capital(), style << 4 | shape[2]);
        out.add(41, entry[3].capital(), shape[3] << 4 | shape[2]);
        out.add(42, entry[1].capital(), shape[1] << 4 | shape[2]);
        let company = entry[2].company();
        for cue in 0..5 {
            out.add(43 + cue, company >> (2 * cue) & 3, entry[2].capital());
        }
        out.add(48, company, 0);
        if entry[2].cluster() > 0 {
            out.add(49, entry[2].cluster(), style << 4 | shape[2]);
        }
        for (template, offset) in [(50, 0), (51, 1), (52, 3), (53, 4)] {
            if entry[offset].cluster() > 0 {
                out.add(template, entry[offset].cluster(), shape[2]);
            }
        }
        out.add(54, entry[1].cluster() << 10 | entry[2].cluster(), 0);
        out.add(55, entry[2].cluster() << 10 | entry[3].cluster(), 0);
        let (begins, within) = word.known;
        if begins | within > 0 {
            out.add(56, begins, style << 4 | shape[2]);
            out.add(57, begins << 5 | within, 0);
            out.add(58, begins << 5 | within, around[3].map_or(0, |next| next.known.1));
        }
        if let Some(next) = around[3].filter(|next| next.known.0 > 0) {
            out.add(59, next.known.0, shape[2]);
        }
        // The document.
        let others = self.others(word);
        out.bits(60, others, shape[2]);
        out.add(61, others, style);
        out.add(62, others & 3, entry[2].capital() << 8 | style << 4 | shape[2]);
        for (template, offset) in [(63, 1), (64, 3)] {
            if let Some(neighbour) = around[offset].filter(|word| word.shape.is_capital()) {
                out.add(template, self.others(neighbour), 0);
            }
        }
        self.row_features(word, at, bounds, out);
        // Where it stands: a line of its own, a headline, a table.
        let line = (bounds.1 - bounds.0).min(12) as u32;
        let place = (at - bounds.0).min(4) as u32;
        out.add(80, line << 8 | shape[2] << 4 | place, word.paragraph.min(2));
        out.add(81, line, style << 4 | shape[2]);
        if word.paragraph < 2 {
            out.add(82, place << 16 | word.paragraph << 12 | shapes, 0);
        }
    }

    /// The row of capitalised words that the token is in: its ends say what the whole of it is.
    fn row_features(&self, word: &Word, at: usize, bounds: (usize, usize), out: &mut Features) {
        let (start, end) = (word.row.0 as usize, word.row.1 as usize);
        if start >= end || end > bounds.1 || start < bounds.0 {
            return;
        }
        let length = (end - start).min(6) as u32;
        let place = (at - start).min(3) as u32;
        let left = (end - 1 - at).min(3) as u32;
        out.add(65, length, place << 4 | left);
        out.add(66, length << 4 | place, (word.case as u32) << 1 | u32::from(self.words[start].opens));
        let last = &self.words[end - 1];
        let head = &self.words[start];
        if at + 1 < end {
            out.add(67, last.hash, left.min(1));
            out.bits(68, last.entry.flags(), left.min(2));
            out.add(69, last.entry.cluster(), 0);
        }
        if at > start {
            out.add(70, head.hash, place.min(1));
            out.bits(71, head.entry.flags(), place.min(2));
            out.add(72, head.entry.cluster(), 0);
        }
        let before = self.word(start, -1, bounds);
        let after = self.word(end, 0, bounds);
        let hash = |word: Option<&Word>| word.map_or(1, |word| word.hash);
        out.add(73, hash(before), length.min(3) << 2 | place.min(1));
        out.add(74, hash(after), length.min(3) << 2 | left.min(1));
        out.add(75, hash(before), hash(after));
        out.bits(76, before.map_or(0, |word| word.entry.flags()), place.min(1));
        out.bits(77, after.map_or(0, |word| word.entry.flags()), left.min(1));
        let inside = self.words[start..end].iter().fold(0, |flags, word| flags | word.entry.flags());
        out.bits(78, inside & (lexicon::ORGWORD | lexicon::FIRST | lexicon::TITLE), place.min(1));
        let second = self.word(start, -2, bounds);
        out.add(79, phrase_hash(hash(second), hash(before)), 0);
    }

    /// Cues that other occurrences of the word give; a second bit plane for two and more.
    fn others(&self, word: &Word) -> u32 {
        let Some(cell) = self.cells.get(word.cell as usize) else { return 0 };
        let mut bits = 0;
        for (bit, count) in cell.cues.iter().enumerate() {
            let count = count.saturating_sub(u16::from(word.cues >> bit & 1));
            bits |= u32::from(count > 0) << bit;
            bits |= u32::from(count > 2) << (bit + CUES);
        }
        bits
    }

    /// Takes what the first pass found, for the second. `labels` come by stretch and token.
    pub fn vote(&mut self, found: impl Iterator<Item = (u32, u32, u8, u8)>) {
        self.first.clear();
        self.first.resize(self.words.len(), First::default());
        self.mentions.clear();
        for cell in &mut self.cells {
            cell.votes = [[0; CLASSES]; 3];
            cell.outside = 0;
        }
        for (start, end, class, percent) in found {
            self.mentions.push((start, end, class));
            for at in start..end {
                let label = 1 + 2 * class + u8::from(at > start);
                self.first[at as usize] = First { label, percent };
            }
        }
        let capacity = (self.mentions.len() * 2).next_power_of_two().max(16);
        self.phrases.clear();
        self.phrases.resize(capacity, Phrase::default());
        for (start, end, class) in &self.mentions {
            let hash = self.phrase(*start as usize, *end as usize);
            let slot = find_phrase(&self.phrases, hash);
            let phrase = &mut self.phrases[slot];
            phrase.used = true;
            phrase.hash = hash;
            phrase.votes[usize::from(*class)] = phrase.votes[usize::from(*class)].saturating_add(1);
        }
        for (start, end) in &self.stretches {
            for at in *start as usize..*end as usize {
                let word = &self.words[at];
                let (role, class) = self.role(at);
                let Some(cell) = self.cells.get_mut(word.cell as usize) else { continue };
                match class {
                    Some(class) => cell.votes[role][class] = cell.votes[role][class].saturating_add(1),
                    None => cell.outside = cell.outside.saturating_add(1),
                }
            }
        }
    }

    fn phrase(&self, start: usize, end: usize) -> u32 {
        let words = &self.words[start..end];
        words.iter().skip(1).fold(words.first().map_or(0, |word| word.hash), |hash, word| phrase_hash(hash, word.hash))
    }

    /// Alone (0), first (1) or later (2) in its name, and the class of it.
    fn role(&self, at: usize) -> (usize, Option<usize>) {
        let label = usize::from(self.first[at].label);
        let class = Chain::class(label);
        if label != 0 && label % 2 == 0 {
            return (2, class);
        }
        let goes_on = self.first.get(at + 1).is_some_and(|next| label != 0 && usize::from(next.label) == label + 1);
        (usize::from(goes_on), class)
    }

    /// The features of the second pass for one token.
    pub fn second_features(&self, at: usize, list: &mut Vec<u32>) {
        list.clear();
        let mut out = Features { list: std::mem::take(list) };
        let label = |index: Option<usize>| {
            index.and_then(|index| self.first.get(index)).map_or(15, |first| u32::from(first.label))
        };
        let word = &self.words[at];
        let own = label(Some(at));
        let sure = match self.first[at].percent {
            95.. => 3,
            80.. => 2,
            50.. => 1,
            _ => 0_u32,
        };
        let votes = self.other_votes(at);
        out.add(100, own, sure);
        out.add(101, label(at.checked_sub(1)) << 4 | own, label(Some(at + 1)));
        for (role, vote) in votes.by_role.iter().enumerate() {
            out.add(102 + role as u32, own << 8 | *vote, sure);
            out.add(105 + role as u32, *vote, word.shape as u32);
        }
        out.add(108, own << 8 | votes.all, sure);
        out.add(109, votes.all, votes.outside);
        out.add(110, own << 4 | votes.outside, sure);
        let neighbour = |index: Option<usize>| {
            index.filter(|index| *index < self.words.len()).map_or(63, |index| self.other_votes(index).all)
        };
        let (before, after) = (neighbour(at.checked_sub(1)), neighbour(Some(at + 1)));
        out.add(111, before, votes.all);
        out.add(112, after, votes.all);
        out.add(113, own << 16 | before << 8 | after, votes.all);
        out.add(114, own << 8 | self.phrase_votes(at), sure);
        out.add(115, self.others(word) & 0x7F, own << 6 | votes.all);
        *list = out.list;
    }

    /// What the first pass called the token's word elsewhere.
    fn other_votes(&self, at: usize) -> Votes {
        let Some(cell) = self.cells.get(self.words[at].cell as usize) else { return Votes::default() };
        let (role, class) = self.role(at);
        let mut all = [0_u16; CLASSES];
        let by_role = std::array::from_fn(|index| {
            let mut votes = cell.votes[index];
            if let Some(class) = class.filter(|_| index == role) {
                votes[class] = votes[class].saturating_sub(1);
            }
            for (sum, vote) in all.iter_mut().zip(votes) {
                *sum = sum.saturating_add(vote);
            }
            majority(&votes)
        });
        let outside = cell.outside.saturating_sub(u16::from(class.is_none())).min(3);
        Votes { by_role, all: majority(&all), outside: u32::from(outside) }
    }

    /// What the first pass called the whole phrase elsewhere.
    fn phrase_votes(&self, at: usize) -> u32 {
        let index = self.mentions.partition_point(|(_, end, _)| *end as usize <= at);
        let Some((start, end, class)) = self.mentions.get(index).filter(|(start, ..)| *start as usize <= at) else {
            return 62;
        };
        let hash = self.phrase(*start as usize, *end as usize);
        let mut votes = self.phrases[find_phrase(&self.phrases, hash)].votes;
        votes[usize::from(*class)] = votes[usize::from(*class)].saturating_sub(1);
        majority(&votes)
    }
}

/// What the first pass called a word elsewhere, each as [`majority`] gives it.
#[derive(Clone, Copy, Debug, Default)]
struct Votes {
    by_role: [u32; 3],
    all: u32,
    outside: u32,
}

/// The class with most votes, how many it has and whether it has them all, in six bits; 0 for no vote.
fn majority(votes: &[u16; CLASSES]) -> u32 {
    let mut best = 0;
    let mut sum = 0_u32;
    for (class, votes_for) in votes.iter().enumerate() {
        sum += u32::from(*votes_for);
        if *votes_for > votes[best] {
            best = class;
        }
    }
    let top = u32::from(votes[best]);
    if top == 0 {
        return 0;
    }
    (best as u32 + 1) << 3 | top.min(3) << 1 | u32::from(top == sum)
}

/// A list of hashed features.
struct Features {
    list: Vec<u32>,
}

impl Features {
    fn add(&mut self, template: u32, first: u32, second: u32) {
        let value =
            (u64::from(first) << 32 | u64::from(second)) ^ u64::from(template + 1).wrapping_mul(0xA24B_AED4_963E_E407);
        let mixed = (value ^ value >> 32).wrapping_mul(0x9FB2_1C65_1E98_DF25);
        let hash = ((mixed ^ mixed >> 35).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        // The lowest bit tells the trainer the features of the word itself from those of its surroundings.
        self.list.push(hash & !1 | u32::from(matches!(template, 1 | 6 | 7 | 15 | 19..=27)));
    }

    /// A feature for each bit that is set.
    fn bits(&mut self, template: u32, mut bits: u32, with: u32) {
        while bits != 0 {
            self.add(template, bits.trailing_zeros(), with);
            bits &= bits - 1;
        }
    }
}

/// Words in lower case that stand inside names of persons and bodies.
fn is_joint(word: &str) -> bool {
    word.len() <= 5
        && matches!(
            word,
            "al" | "el"
                | "ul"
                | "ud"
                | "ash"
                | "ad"
                | "ar"
                | "az"
                | "bin"
                | "ibn"
                | "bint"
                | "de"
                | "del"
                | "della"
                | "di"
                | "da"
                | "dos"
                | "du"
                | "la"
                | "le"
                | "van"
                | "von"
                | "der"
                | "den"
        )
}

/// The cell of a hash, or the empty one where it belongs.
fn find(cells: &[Cell], hash: u32, mask: usize) -> usize {
    let mut slot = hash as usize & mask;
    while cells[slot].used && cells[slot].hash != hash {
        slot = (slot + 1) & mask;
    }
    slot
}

fn find_phrase(phrases: &[Phrase], hash: u32) -> usize {
    let mask = phrases.len() - 1;
    let mut slot = hash as usize & mask;
    while phrases[slot].used && phrases[slot].hash != hash {
        slot = (slot + 1) & mask;
    }
    slot
}

/// How a sentence is written, from its words of letters.
fn case_of(words: &[Word]) -> Case {
    let (mut letters, mut upper, mut capital) = (0, 0, 0);
    for word in words {
        match word.shape {
            Shape::Upper | Shape::Dotted => {
                upper += 1;
                capital += 1;
                letters += 1;
            }
            Shape::Title | Shape::Mixed => {
                capital += 1;
                letters += 1;
            }
            Shape::Lower => letters += 1,
            _ => {}
        }
    }
    if letters >= 3 && capital == 0 && words.first().is_some_and(|word| word.shape == Shape::Lower) {
        Case::Lower
    } else if letters >= 3 && upper * 10 >= letters * 7 {
        Case::Upper
    } else if letters >= 4 && capital * 10 >= letters * 7 {
        Case::Title
    } else {
        Case::Normal
    }
}

/// Marks the longest phrases of the lexicon.
fn match_phrases(words: &mut [Word], lexicon: &Lexicon, everything: bool) {
    for start in 0..words.len() {
        let entry = words[start].entry;
        if !(everything || words[start].shape.is_capital()) {
            continue;
        }
        words[start].begins |= entry.flags() & !words[start].within;
        let reach = entry.reach().min(words.len() - start);
        let mut hash = words[start].hash;
        let mut best = (0, 0);
        let mut known = (1, entry.known());
        for length in 2..=reach {
            hash = phrase_hash(hash, words[start + length - 1].hash);
            let entry = lexicon.get(hash);
            if entry.flags() != 0 {
                best = (length, entry.flags());
            }
            if entry.known() != 0 {
                known = (length, entry.known());
            }
        }
        words[start].known.0 = known.1;
        for word in &mut words[start + 1..start + known.0] {
            word.known.1 = known.1;
        }
        let (length, flags) = best;
        if length > 0 {
            words[start].begins |= flags;
            for word in &mut words[start + 1..start + length] {
                word.within |= flags;
            }
        }
    }
}

/// Rows of capitalised words, joined by hyphens and stops that stand close.
fn find_rows(words: &mut [Word], base: u32) {
    let mut at = 0;
    while at < words.len() {
        if !words[at].shape.is_capital() {
            at += 1;
            continue;
        }
        let start = at;
        let mut end = at + 1;
        while end < words.len() {
            if words[end].shape.is_capital() {
                end += 1;
            } else if words[end].joint && words.get(end + 1).is_some_and(|word| word.shape.is_capital()) {
                end += 2;
            } else if words[end].joint
                && words[end].glued.1
                && words.get(end + 1).is_some_and(|word| word.shape == Shape::Mark && word.glued.1)
                && words.get(end + 2).is_some_and(|word| word.shape.is_capital())
            {
                end += 3;
            } else if words[end].shape == Shape::Mark
                && words[end].glued == (true, true)
                && words.get(end + 1).is_some_and(|word| word.shape.is_capital())
            {
                end += 2;
            } else {
                break;
            }
        }
        for word in &mut words[start..end] {
            word.row = (base + start as u32, base + end as u32);
        }
        at = end;
    }
}

/// What each occurrence says about its word; only sentences written as usual say anything.
fn find_cues(words: &mut [Word]) {
    if words.first().is_none_or(|word| word.case != Case::Normal) {
        return;
    }
    let base = words.iter().find(|word| word.row.1 > 0).map_or(0, |word| word.row.0);
    let first = words.iter().position(|word| word.row.1 > 0).unwrap_or_default();
    for at in 0..words.len() {
        if !words[at].shape.is_capital() {
            continue;
        }
        let flags =
            |index: Option<usize>| index.and_then(|index| words.get(index)).map_or(0, |word| word.entry.flags());
        let mut cues = 0;
        if !words[at].opens {
            cues |= CUE_CAPITAL;
        }
        let start = (words[at].row.0 - base) as usize + first;
        let end = (words[at].row.1 - base) as usize + first;
        let before = flags(at.checked_sub(1));
        if before & lexicon::TITLE != 0 {
            cues |= CUE_TITLE;
        }
        if before & lexicon::FIRST != 0 && at > start {
            cues |= CUE_FIRST;
        }
        if flags(Some(end)) & lexicon::SAYS != 0 || start > 0 && flags(start.checked_sub(1)) & lexicon::SAYS != 0 {
            cues |= CUE_SAID;
        }
        if end - start == 1 && before & lexicon::PLACECUE != 0 {
            cues |= CUE_PLACE;
        }
        if end > at + 1 && words[end - 1].entry.flags() & lexicon::ORGWORD != 0 {
            cues |= CUE_ORG;
        }
        if end - start > 1 {
            cues |= CUE_LONGER;
        }
        words[at].cues = cues;
    }
}

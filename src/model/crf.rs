//! A linear-chain conditional random field over hashed features.
//!
//! Lafferty, McCallum and Pereira (2001). A token's score for each label is the sum of the rows of
//! its features; a sequence's score adds a weight for each pair of labels in a row, for the first
//! and for the last. Weights are whole numbers in units of 1 / [`UNIT`], so the best sequence is
//! the same on every machine; marginals use [`exp`], made of additions and multiplications alone.
//!
//! Features are 32-bit hashes. A row holds a weight for each label and 24 bits of the hash beside
//! them: sixteen bytes, so that a feature costs one touch of memory.

#![expect(clippy::needless_range_loop, reason = "labels index several small arrays at once")]

use super::file::{ModelError, Reader};

/// Labels: outside, and begin and inside of each class.
pub const LABELS: usize = 13;
/// Scores are in units of 1 / `UNIT`.
pub const UNIT: i32 = 32;
/// Most rows that a model may have.
pub const ROWS_MAX: usize = 1 << 21;

/// A score for each label. The three lanes past [`LABELS`] keep rows aligned and mean nothing.
pub type Scores = [i32; 16];

const FORBIDDEN: i32 = -1_000_000;

/// Weights between labels, in units of 1 / [`UNIT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// `step[from][to]`.
    pub step: [[i32; LABELS]; LABELS],
    /// Weight of a first label.
    pub first: [i32; LABELS],
    /// Weight of a last label.
    pub last: [i32; LABELS],
}

impl Chain {
    /// The class of a label: `None` outside, else 0, 1, 2, …
    pub fn class(label: usize) -> Option<usize> {
        label.checked_sub(1).map(|label| label / 2)
    }

    /// Whether `to` may follow `from`: an inside label follows its own class only.
    pub fn may_follow(from: usize, to: usize) -> bool {
        to == 0 || to % 2 == 1 || Self::class(from) == Self::class(to)
    }

    /// Reads the weights.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ModelError> {
        let mut chain = Self { step: [[0; LABELS]; LABELS], first: [0; LABELS], last: [0; LABELS] };
        let small = |reader: &mut Reader<'_>| reader.i32().map(|weight| weight.clamp(-100_000, 100_000));
        for row in chain.step.iter_mut().chain([&mut chain.first, &mut chain.last]) {
            for weight in row {
                *weight = small(reader)?;
            }
        }
        chain.forbid();
        Ok(chain)
    }

    /// Appends the weights.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        for row in self.step.iter().chain([&self.first, &self.last]) {
            for weight in row {
                bytes.extend_from_slice(&weight.to_le_bytes());
            }
        }
    }

    /// Rules out what no sequence of mentions can be.
    pub fn forbid(&mut self) {
        for (from, row) in self.step.iter_mut().enumerate() {
            for (to, weight) in row.iter_mut().enumerate() {
                if !Self::may_follow(from, to) {
                    *weight = FORBIDDEN;
                }
            }
        }
        for (label, weight) in self.first.iter_mut().enumerate() {
            if label > 0 && label % 2 == 0 {
                *weight = FORBIDDEN;
            }
        }
    }
}

/// The rows of the features that the trainer kept: an open-addressed table.
#[derive(Clone, PartialEq, Eq)]
pub struct Rows {
    cells: Vec<[i8; 16]>,
    shift: u32,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rows").field("cells", &self.cells.len()).finish_non_exhaustive()
    }
}

impl Rows {
    /// A table of these features and weights.
    pub fn new(features: &[(u32, [i8; LABELS])]) -> Self {
        let capacity = (features.len().max(8) * 4 / 3).next_power_of_two().max(256);
        let mut rows = Self { cells: vec![[0; 16]; capacity], shift: 32 - capacity.trailing_zeros() };
        for (feature, weights) in features {
            let tag = tag(*feature);
            let mut slot = (*feature >> rows.shift) as usize;
            while rows.cells[slot][LABELS..] != [0, 0, 0] && rows.cells[slot][LABELS..] != tag {
                slot = (slot + 1) & (capacity - 1);
            }
            rows.cells[slot][..LABELS].copy_from_slice(weights);
            rows.cells[slot][LABELS..].copy_from_slice(&tag);
        }
        rows
    }

    /// The weights of a feature.
    pub fn get(&self, feature: u32) -> Option<&[i8; 16]> {
        let tag = tag(feature);
        let mask = self.cells.len() - 1;
        let mut slot = (feature >> self.shift) as usize & mask;
        // The table is never full, so an empty cell ends every search.
        loop {
            let cell = &self.cells[slot];
            if cell[LABELS..] == tag {
                return Some(cell);
            }
            if cell[LABELS..] == [0, 0, 0] {
                return None;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The sum of the rows of these features.
    pub fn sum(&self, features: &[u32]) -> Scores {
        let mut sums = [0_i16; 16];
        for feature in features {
            if let Some(row) = self.get(*feature) {
                for (sum, weight) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(i16::from(*weight));
                }
            }
        }
        sums.map(i32::from)
    }

    /// Reads rows: for each the step from the feature before, a mask of the labels that have a
    /// weight, and those weights.
    ///
    /// # Errors
    /// When the payload ends too early or promises too much.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, ModelError> {
        let broken = ModelError::Inside { what: "feature rows" };
        let count = reader.u32()? as usize;
        if count > ROWS_MAX || count > reader.left() {
            return Err(broken);
        }
        let mut features = Vec::with_capacity(count);
        let mut feature = 0_u32;
        for _ in 0..count {
            feature = feature.wrapping_add(reader.varint()?);
            let mask = reader.u16()?;
            let mut weights = [0_i8; LABELS];
            for (label, weight) in weights.iter_mut().enumerate() {
                if mask >> label & 1 == 1 {
                    *weight = reader.u8()?.cast_signed();
                }
            }
            features.push((feature, weights));
        }
        Ok(Self::new(&features))
    }

    /// Appends rows, sorted by feature.
    pub fn write(features: &[(u32, [i8; LABELS])], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&(features.len() as u32).to_le_bytes());
        let mut before = 0;
        for (feature, weights) in features {
            let mut step = feature.wrapping_sub(before);
            before = *feature;
            while step >= 0x80 {
                bytes.push(step as u8 | 0x80);
                step >>= 7;
            }
            bytes.push(step as u8);
            let mask = (0..LABELS).filter(|label| weights[*label] != 0).fold(0_u16, |mask, label| mask | 1 << label);
            bytes.extend_from_slice(&mask.to_le_bytes());
            bytes.extend(weights.iter().filter(|weight| **weight != 0).map(|weight| weight.cast_unsigned()));
        }
    }
}

/// The bits of a feature that its row keeps; never all zero, which marks an empty cell.
fn tag(feature: u32) -> [i8; 3] {
    let [low, middle, high, _] = feature.to_le_bytes();
    let low = if low | middle | high == 0 { 1 } else { low };
    [low.cast_signed(), middle.cast_signed(), high.cast_signed()]
}

/// Reads a chain.
///
/// # Errors
/// When the payload ends too early.
pub fn read_chain(reader: &mut Reader<'_>) -> Result<Chain, ModelError> {
    Chain::read(reader)
}

/// A labelled stretch of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First token.
    pub start: u32,
    /// One past the last token.
    pub end: u32,
    /// Class: 0, 1, 2, …
    pub class: u8,
    /// Probability that exactly this stretch has this class, in hundredths.
    pub percent: u8,
}

/// Buffers that decoding uses again and again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    back: Vec<[u8; LABELS]>,
    labels: Vec<u8>,
    emission: Vec<[f32; LABELS]>,
    forward: Vec<[f32; LABELS]>,
    backward: Vec<[f32; LABELS]>,
}

/// Exponentials of a chain's weights, for marginals.
#[derive(Clone, Debug)]
pub struct Potentials {
    step: [[f32; LABELS]; LABELS],
    first: [f32; LABELS],
    last: [f32; LABELS],
}

impl Potentials {
    /// From the weights.
    pub fn new(chain: &Chain) -> Self {
        let power = |weight: i32| exp(weight as f32 / UNIT as f32);
        Self { step: chain.step.map(|row| row.map(power)), first: chain.first.map(power), last: chain.last.map(power) }
    }
}

/// The best label sequence, into `scratch.labels`.
fn viterbi(chain: &Chain, scores: &[Scores], scratch: &mut Scratch) {
    scratch.back.clear();
    scratch.labels.clear();
    let Some((head, tail)) = scores.split_first() else { return };
    let mut best = [0_i32; LABELS];
    for label in 0..LABELS {
        best[label] = chain.first[label] + head[label];
    }
    for emission in tail {
        let mut next = [i32::MIN; LABELS];
        let mut back = [0_u8; LABELS];
        for (from, score) in best.iter().enumerate() {
            let row = &chain.step[from];
            for to in 0..LABELS {
                let sum = score + row[to];
                if sum > next[to] {
                    next[to] = sum;
                    back[to] = from as u8;
                }
            }
        }
        for label in 0..LABELS {
            // The floor keeps forbidden sums from wandering off in a long sequence.
            best[label] = (next[label] + emission[label]).max(-100_000_000);
        }
        scratch.back.push(back);
    }
    let mut label = 0;
    for candidate in 1..LABELS {
        if best[candidate] + chain.last[candidate] > best[label] + chain.last[label] {
            label = candidate;
        }
    }
    scratch.labels.push(label as u8);
    for back in scratch.back.iter().rev() {
        label = usize::from(back[label]);
        scratch.labels.push(label as u8);
    }
    scratch.labels.reverse();
}

/// Labels a sequence: the stretches of the best labelling, each with its probability.
pub fn decode(
    chain: &Chain,
    potentials: &Potentials,
    scores: &[Scores],
    scratch: &mut Scratch,
    out: &mut Vec<Stretch>,
) {
    viterbi(chain, scores, scratch);
    if scratch.labels.iter().all(|label| *label == 0) {
        return;
    }
    marginals(potentials, scores, scratch);
    let mut at = 0;
    while at < scores.len() {
        let label = usize::from(scratch.labels[at]);
        let Some(class) = Chain::class(label) else {
            at += 1;
            continue;
        };
        let mut end = at + 1;
        while end < scores.len() && usize::from(scratch.labels[end]) == label + 1 {
            end += 1;
        }
        let percent = stretch_percent(potentials, scratch, at, end, label);
        out.push(Stretch { start: at as u32, end: end as u32, class: class as u8, percent });
        at = end;
    }
}

/// Forward and backward sums, each row scaled to sum to one.
fn marginals(potentials: &Potentials, scores: &[Scores], scratch: &mut Scratch) {
    let Scratch { emission, forward, backward, .. } = scratch;
    emission.clear();
    emission.extend(scores.iter().map(|scores| {
        let top = scores.iter().take(LABELS).copied().max().unwrap_or_default();
        let mut row = [0.0; LABELS];
        for label in 0..LABELS {
            row[label] = exp((scores[label] - top) as f32 / UNIT as f32);
        }
        row
    }));
    forward.clear();
    backward.clear();
    for (at, emission) in emission.iter().enumerate() {
        let mut row = [0.0; LABELS];
        if let Some(before) = at.checked_sub(1).map(|before| forward[before]) {
            for from in 0..LABELS {
                for to in 0..LABELS {
                    row[to] += before[from] * potentials.step[from][to];
                }
            }
        } else {
            row = potentials.first;
        }
        for label in 0..LABELS {
            row[label] *= emission[label];
        }
        forward.push(scaled(row));
    }
    backward.resize(scores.len(), potentials.last);
    for at in (0..scores.len().saturating_sub(1)).rev() {
        let mut after = backward[at + 1];
        for label in 0..LABELS {
            after[label] *= emission[at + 1][label];
        }
        let mut row = [0.0; LABELS];
        for from in 0..LABELS {
            for to in 0..LABELS {
                row[from] += potentials.step[from][to] * after[to];
            }
        }
        backward[at] = scaled(row);
    }
}

fn scaled(mut row: [f32; LABELS]) -> [f32; LABELS] {
    let sum: f32 = row.iter().sum();
    if sum > 0.0 {
        for value in &mut row {
            *value /= sum;
        }
    }
    row
}

/// The probability of a stretch as the chain rule over its tokens, given the sums on either side.
fn stretch_percent(potentials: &Potentials, scratch: &Scratch, start: usize, end: usize, begin: usize) -> u8 {
    let inside = begin + 1;
    let posterior = |at: usize, label: usize| {
        let total: f32 = (0..LABELS).map(|label| scratch.forward[at][label] * scratch.backward[at][label]).sum();
        if total > 0.0 { scratch.forward[at][label] * scratch.backward[at][label] / total } else { 0.0 }
    };
    let mut probability = posterior(start, begin);
    // P(label at t+1 | label at t) = step · emission · backward(t+1) / what the sum over all labels gives.
    let follow = |at: usize, from: usize, wanted: &dyn Fn(usize) -> bool| {
        let mut total = 0.0;
        let mut good = 0.0;
        for to in 0..LABELS {
            let mass = potentials.step[from][to] * scratch.emission[at][to] * scratch.backward[at][to];
            total += mass;
            if wanted(to) {
                good += mass;
            }
        }
        if total > 0.0 { good / total } else { 0.0 }
    };
    let mut from = begin;
    for at in start + 1..end {
        probability *= follow(at, from, &|to| to == inside);
        from = inside;
    }
    if end < scratch.emission.len() {
        probability *= follow(end, from, &|to| to != inside);
    }
    (probability.clamp(0.0, 1.0) * 100.0 + 0.5) as u8
}

/// e^x within 10⁻⁶ relative, the same bits on every machine; 0 below −80, e^80 above 80.
pub fn exp(x: f32) -> f32 {
    if x < -80.0 {
        return 0.0;
    }
    let scaled = x.min(80.0) * std::f32::consts::LOG2_E;
    let whole = if scaled < 0.0 { scaled as i32 - 1 } else { scaled as i32 };
    let part = scaled - whole as f32;
    let power = 1.0
        + part
            * (std::f32::consts::LN_2
                + part
                    * (0.240_226_5
                        + part
                            * (0.055_504_1
                                + part
                                    * (0.009_618_1
                                        + part * (0.001_333_4 + part * (0.000_154_7 + part * 0.000_015_6))))));
    f32::from_bits(((whole + 127).clamp(1, 254) as u32) << 23) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn free_chain() -> Chain {
        let mut chain = Chain { step: [[0; LABELS]; LABELS], first: [0; LABELS], last: [0; LABELS] };
        chain.forbid();
        chain
    }

    fn run(scores: &[Scores]) -> Vec<Stretch> {
        let chain = free_chain();
        let mut out = Vec::new();
        decode(&chain, &Potentials::new(&chain), scores, &mut Scratch::default(), &mut out);
        out
    }

    #[test]
    fn exp_is_close() {
        for step in -800..=800 {
            let x = step as f32 / 10.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 1e-4, "{x}");
        }
        assert!(exp(-1e9) < f32::MIN_POSITIVE);
    }

    #[test]
    fn a_clear_stretch_is_sure_and_an_inside_label_never_stands_alone() {
        let mut scores = [[0; 16]; 4];
        scores[1][1] = 400;
        scores[2][2] = 400;
        scores[0][0] = 400;
        scores[3][0] = 400;
        assert_eq!(run(&scores), [Stretch { start: 1, end: 3, class: 0, percent: 100 }]);
        let mut orphan = [[0; 16]; 2];
        orphan[0][0] = 400;
        orphan[1][4] = 100;
        assert!(run(&orphan).iter().all(|stretch| stretch.class != 1 || stretch.start == 0));
    }

    #[test]
    fn rows_come_back_as_written() {
        let mut features: Vec<(u32, [i8; LABELS])> = (0..5000_u32)
            .map(|n| {
                (n.wrapping_mul(0x9E37_79B9), std::array::from_fn(|label| if label as u32 == n % 13 { 5 } else { 0 }))
            })
            .collect();
        features.sort_by_key(|(feature, _)| *feature);
        let mut bytes = Vec::new();
        Rows::write(&features, &mut bytes);
        let rows = Rows::read(&mut Reader::new(&bytes)).expect("rows");
        for (feature, weights) in &features {
            assert_eq!(rows.get(*feature).map(|row| &row[..LABELS]), Some(&weights[..]));
        }
        assert!(Rows::read(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }

    proptest! {
        #[test]
        fn any_scores_give_stretches_in_order(
            scores in proptest::collection::vec(proptest::array::uniform16(-3000_i32..3000), 0..40),
        ) {
            let mut far = 0;
            for stretch in run(&scores) {
                prop_assert!(stretch.start >= far && stretch.start < stretch.end && stretch.percent <= 100);
                prop_assert!(stretch.end as usize <= scores.len());
                far = stretch.end;
            }
        }
    }
}

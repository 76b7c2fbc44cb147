//! Learns a chain: stochastic gradients of the likelihood of what the gold leaves open, with
//! AdaGrad steps, features dropped at random and the last epochs averaged.

#![expect(clippy::needless_range_loop, reason = "labels index several small arrays at once")]

use copydesk::model::crf::{self, Chain, LABELS, Potentials, Scores, Stretch, UNIT, exp};

use super::Options;

const WIDE: usize = 16;
type Wide = [f32; WIDE];

/// Every label.
pub(crate) const ANY: u16 = (1 << LABELS) - 1;

/// How to learn.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) epochs: usize,
    pub(crate) rate: f32,
    pub(crate) threshold: f32,
    drop: f32,
    /// Share of tokens whose own word is hidden.
    hide: f32,
    decay: f32,
    seed: u64,
}

impl Settings {
    pub(crate) fn from(options: &Options) -> Self {
        Self {
            epochs: options.number("epochs", 22.0) as usize,
            rate: options.number("rate", 0.03),
            threshold: options.number("threshold", 0.03),
            drop: options.number("drop", 0.5),
            hide: options.number("hide", 0.3),
            decay: options.number("decay", 1e-5),
            seed: options.number("seed", 1.0) as u64,
        }
    }
}

/// Random numbers by seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// From 0 up to 1.
    pub(crate) fn share(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// Stretches to learn from, flat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instances {
    /// Sample, weight and first token of each stretch.
    heads: Vec<(u32, f32, u32)>,
    /// First feature of each token.
    tokens: Vec<u32>,
    allowed: Vec<u16>,
    base: Vec<Wide>,
    features: Vec<u32>,
    /// Dense number → hash.
    hashes: Vec<u32>,
}

impl Instances {
    pub(crate) fn begin(&mut self, sample: usize, weight: f32) {
        self.heads.push((sample as u32, weight, self.tokens.len() as u32));
    }

    pub(crate) fn push(&mut self, features: &[u32], allowed: u16, base: Option<Wide>) {
        self.tokens.push(self.features.len() as u32);
        self.features.extend_from_slice(features);
        self.allowed.push(allowed);
        self.base.extend(base);
    }

    /// Numbers the features that occur more than once and drops the others.
    pub(crate) fn finish(&mut self) {
        self.tokens.push(self.features.len() as u32);
        self.heads.push((u32::MAX, 0.0, self.tokens.len() as u32 - 1));
        let mut sorted = self.features.clone();
        sorted.sort_unstable();
        let mut keep: Vec<u32> = Vec::new();
        let mut at = 0;
        while at < sorted.len() {
            let mut end = at + 1;
            while end < sorted.len() && sorted[end] == sorted[at] {
                end += 1;
            }
            if end - at >= 2 {
                keep.push(sorted[at]);
            }
            at = end;
        }
        drop(sorted);
        let capacity = (keep.len() * 2).next_power_of_two().max(16);
        let shift = 32 - capacity.trailing_zeros();
        let mut table = vec![u32::MAX; capacity];
        let home = |hash: u32| (hash.wrapping_mul(0x9E37_79B1) >> shift) as usize;
        for (number, hash) in keep.iter().enumerate() {
            let mut slot = home(*hash);
            while table[slot] != u32::MAX {
                slot = (slot + 1) & (capacity - 1);
            }
            table[slot] = number as u32;
        }
        let mut write = 0;
        for token in 0..self.tokens.len() - 1 {
            let range = self.tokens[token] as usize..self.tokens[token + 1] as usize;
            self.tokens[token] = write as u32;
            for read in range {
                let hash = self.features[read];
                let mut slot = home(hash);
                while table[slot] != u32::MAX && keep[table[slot] as usize] != hash {
                    slot = (slot + 1) & (capacity - 1);
                }
                if table[slot] != u32::MAX {
                    self.features[write] = table[slot];
                    write += 1;
                }
            }
        }
        *self.tokens.last_mut().expect("pushed above") = write as u32;
        self.features.truncate(write);
        self.hashes = keep;
        for stretch in 0..self.count() {
            self.mend(stretch);
        }
    }

    /// A name whose head lies outside the stretch begins where the stretch does.
    fn mend(&mut self, stretch: usize) {
        let range = self.heads[stretch].2 as usize..self.heads[stretch + 1].2 as usize;
        let mut open = 0_u16;
        for at in range {
            let allowed = self.allowed[at];
            let reachable = |allowed: u16, open: u16| {
                (0..LABELS).any(|to| {
                    allowed >> to & 1 == 1
                        && (to == 0
                            || to % 2 == 1
                            || (0..LABELS).any(|from| open >> from & 1 == 1 && Chain::may_follow(from, to)))
                })
            };
            if !reachable(allowed, open) {
                self.allowed[at] = (1..=LABELS / 2)
                    .filter(|class| allowed >> (2 * class) & 1 == 1)
                    .fold(0, |bits, class| bits | 1 << (2 * class - 1));
            }
            open = self.allowed[at];
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.heads.len().saturating_sub(1)
    }

    pub(crate) fn tokens(&self) -> usize {
        self.allowed.len()
    }

    pub(crate) fn features(&self) -> usize {
        self.hashes.len()
    }

    /// The stretches of a sample.
    pub(crate) fn of_sample(&self, sample: usize) -> std::ops::Range<usize> {
        let start = self.heads.partition_point(|head| (head.0 as usize) < sample);
        let end = self.heads.partition_point(|head| (head.0 as usize) <= sample);
        start..end
    }

    fn token_features(&self, token: usize) -> &[u32] {
        &self.features[self.tokens[token] as usize..self.tokens[token + 1] as usize]
    }
}

/// A weight row with the sum of its squared gradients beside it.
#[derive(Clone, Copy)]
struct Cell {
    weight: Wide,
    square: Wide,
}

const EMPTY: Cell = Cell { weight: [0.0; WIDE], square: [1e-4; WIDE] };

/// What was learnt.
#[derive(Clone)]
pub(crate) struct Weights {
    hashes: Vec<u32>,
    rows: Vec<Wide>,
    pub(crate) step: [Wide; LABELS],
    pub(crate) first: Wide,
    pub(crate) last: Wide,
}

/// Learns from the stretches of the samples that `wanted` lets through.
pub(crate) fn train(
    instances: &Instances,
    settings: &Settings,
    before: Option<&Weights>,
    wanted: impl Fn(usize) -> bool,
    note: &dyn Fn(&str),
) -> Weights {
    let mut cells = vec![EMPTY; instances.features()];
    let mut chain = vec![EMPTY; LABELS + 2];
    if let Some(before) = before {
        for (cell, row) in chain.iter_mut().zip(before.step.iter().chain([&before.first, &before.last])) {
            cell.weight = *row;
        }
    }
    let mut sums = vec![[0.0_f32; WIDE]; cells.len()];
    let mut chain_sums = vec![[0.0_f32; WIDE]; LABELS + 2];
    let mut order: Vec<u32> = (0..instances.count())
        .filter(|stretch| wanted(instances.heads[*stretch].0 as usize))
        .map(|s| s as u32)
        .collect();
    let mut random = Random(settings.seed);
    let mut lattice = Lattice::default();
    let averaged = settings.epochs.div_ceil(2).max(1);
    for epoch in 0..settings.epochs {
        for index in (1..order.len()).rev() {
            order.swap(index, (random.next() % (index as u64 + 1)) as usize);
        }
        let mut loss = 0.0_f64;
        for stretch in &order {
            loss += f64::from(learn(
                instances,
                *stretch as usize,
                settings,
                &mut cells,
                &mut chain,
                &mut random,
                &mut lattice,
            ));
        }
        if epoch + averaged >= settings.epochs {
            for (sum, cell) in sums.iter_mut().zip(&cells).chain(chain_sums.iter_mut().zip(&chain)) {
                for (sum, weight) in sum.iter_mut().zip(&cell.weight) {
                    *sum += weight / averaged as f32;
                }
            }
        }
        note(&format!("epoch {} loss {:.4}", epoch + 1, loss / order.len().max(1) as f64));
    }
    Weights {
        hashes: instances.hashes.clone(),
        rows: sums,
        step: std::array::from_fn(|label| chain_sums[label]),
        first: chain_sums[LABELS],
        last: chain_sums[LABELS + 1],
    }
}

/// Buffers of one stretch.
#[derive(Default)]
struct Lattice {
    emission: Vec<Wide>,
    used: Vec<u32>,
    starts: Vec<u32>,
    forward: Vec<Wide>,
    backward: Vec<Wide>,
    gradient: Vec<Wide>,
    step: [Wide; LABELS],
    first: Wide,
    last: Wide,
}

fn learn(
    instances: &Instances,
    stretch: usize,
    settings: &Settings,
    cells: &mut [Cell],
    chain: &mut [Cell],
    random: &mut Random,
    lattice: &mut Lattice,
) -> f32 {
    let range = instances.heads[stretch].2 as usize..instances.heads[stretch + 1].2 as usize;
    let weight = instances.heads[stretch].1;
    let allowed = &instances.allowed[range.clone()];
    if range.is_empty() || allowed.iter().all(|allowed| *allowed == ANY) {
        return 0.0;
    }
    let keep = 1.0 - settings.drop;
    lattice.emission.clear();
    lattice.used.clear();
    lattice.starts.clear();
    for token in range.clone() {
        lattice.starts.push(lattice.used.len() as u32);
        let mut sum = [0.0; WIDE];
        let hidden = random.share() < settings.hide;
        for feature in instances.token_features(token) {
            if random.share() < settings.drop || hidden && instances.hashes[*feature as usize] & 1 == 1 {
                continue;
            }
            lattice.used.push(*feature);
            let row = &cells[*feature as usize].weight;
            for lane in 0..WIDE {
                sum[lane] += row[lane];
            }
        }
        for lane in &mut sum {
            *lane /= keep;
        }
        if let Some(base) = instances.base.get(token) {
            for (lane, base) in sum.iter_mut().zip(base) {
                *lane += base;
            }
        }
        lattice.emission.push(sum);
    }
    lattice.starts.push(lattice.used.len() as u32);
    let power = |row: &Wide| -> Wide {
        std::array::from_fn(|lane| if lane < LABELS { exp(row[lane].clamp(-30.0, 30.0)) } else { 0.0 })
    };
    for from in 0..LABELS {
        lattice.step[from] = power(&chain[from].weight);
        for to in 0..LABELS {
            if !Chain::may_follow(from, to) {
                lattice.step[from][to] = 0.0;
            }
        }
    }
    lattice.first = power(&chain[LABELS].weight);
    lattice.last = power(&chain[LABELS + 1].weight);
    for label in (2..LABELS).step_by(2) {
        lattice.first[label] = 0.0;
    }
    // Potentials of emissions, top at one.
    for row in &mut lattice.emission {
        let top = row[..LABELS].iter().copied().fold(f32::MIN, f32::max);
        for (lane, value) in row.iter_mut().enumerate() {
            *value = if lane < LABELS { exp(*value - top) } else { 0.0 };
        }
    }
    let count = range.len();
    lattice.gradient.clear();
    lattice.gradient.resize(count, [0.0; WIDE]);
    let mut steps = [[0.0_f32; WIDE]; LABELS + 2];
    let free = sweep(lattice, None, 1.0, &mut steps);
    let held = sweep(lattice, Some(allowed), -1.0, &mut steps);
    if !held.is_finite() || !free.is_finite() {
        return 0.0;
    }
    for at in 0..count {
        let gradient = lattice.gradient[at].map(|value| value * weight / keep);
        if gradient.iter().all(|value| value.abs() < 1e-4) {
            continue;
        }
        for feature in &lattice.used[lattice.starts[at] as usize..lattice.starts[at + 1] as usize] {
            climb(&mut cells[*feature as usize], &gradient, settings.rate, settings.decay);
        }
    }
    for (cell, gradient) in chain.iter_mut().zip(&steps) {
        climb(cell, &gradient.map(|value| value * weight), settings.rate * 0.5, settings.decay);
    }
    free - held
}

fn climb(cell: &mut Cell, gradient: &Wide, rate: f32, decay: f32) {
    for lane in 0..WIDE {
        let slope = gradient[lane] + decay * cell.weight[lane];
        cell.square[lane] += slope * slope;
        cell.weight[lane] -= rate * slope / cell.square[lane].sqrt();
    }
}

/// Forward and backward over the labels that are open; adds `sign` times the expectations.
/// Gives the logarithm of the sum over all labellings, up to what both sweeps share.
fn sweep(lattice: &mut Lattice, allowed: Option<&[u16]>, sign: f32, steps: &mut [Wide; LABELS + 2]) -> f32 {
    let Lattice { emission, forward, backward, gradient, step, first, last, .. } = lattice;
    let count = emission.len();
    let open = |at: usize, lane: usize| allowed.is_none_or(|allowed| allowed[at] >> lane & 1 == 1);
    let masked = |at: usize| -> Wide {
        std::array::from_fn(|lane| if lane < LABELS && open(at, lane) { emission[at][lane] } else { 0.0 })
    };
    forward.clear();
    backward.clear();
    backward.resize(count, *last);
    let mut total = 0.0;
    for at in 0..count {
        let mut row = [0.0; WIDE];
        if at == 0 {
            row = *first;
        } else {
            let before = forward[at - 1];
            for from in 0..LABELS {
                for lane in 0..WIDE {
                    row[lane] += before[from] * step[from][lane];
                }
            }
        }
        let emission = masked(at);
        let mut sum = 0.0;
        for lane in 0..WIDE {
            row[lane] *= emission[lane];
            sum += row[lane];
        }
        if sum <= 0.0 {
            return f32::INFINITY;
        }
        for value in &mut row {
            *value /= sum;
        }
        total += logarithm(sum);
        forward.push(row);
    }
    let end: f32 = (0..LABELS).map(|lane| forward[count - 1][lane] * last[lane]).sum();
    total += logarithm(end);
    for at in (0..count - 1).rev() {
        let emission = masked(at + 1);
        let mut after = backward[at + 1];
        for lane in 0..WIDE {
            after[lane] *= emission[lane];
        }
        let mut row = [0.0; WIDE];
        let mut sum = 0.0;
        for from in 0..LABELS {
            for lane in 0..WIDE {
                row[from] += step[from][lane] * after[lane];
            }
            sum += row[from];
        }
        // Expected steps between here and the next token.
        let mut mass = 0.0;
        for from in 0..LABELS {
            mass += forward[at][from] * row[from];
        }
        if mass > 0.0 {
            for from in 0..LABELS {
                let share = sign * forward[at][from] / mass;
                if share != 0.0 {
                    for lane in 0..WIDE {
                        steps[from][lane] += share * step[from][lane] * after[lane];
                    }
                }
            }
        }
        if sum > 0.0 {
            for value in &mut row {
                *value /= sum;
            }
        }
        backward[at] = row;
    }
    for at in 0..count {
        let mut row = forward[at];
        let mut sum = 0.0;
        for lane in 0..WIDE {
            row[lane] *= backward[at][lane];
            sum += row[lane];
        }
        if sum > 0.0 {
            for (lane, value) in row.iter().enumerate() {
                let share = sign * value / sum;
                gradient[at][lane] += share;
                if at == 0 {
                    steps[LABELS][lane] += share;
                }
                if at + 1 == count {
                    steps[LABELS + 1][lane] += share;
                }
            }
        }
    }
    total
}

/// Natural logarithm within 10⁻⁴, the same bits on every machine; only for the loss that is shown.
fn logarithm(x: f32) -> f32 {
    let bits = x.to_bits();
    let whole = (bits >> 23).cast_signed() - 127;
    let part = f32::from_bits(bits & 0x007F_FFFF | 0x3F80_0000) - 1.0;
    let power = part * (0.999_9 + part * (-0.497_9 + part * (0.317_7 + part * (-0.193_8 + part * 0.067_2))));
    whole as f32 * std::f32::consts::LN_2 + power
}

impl Weights {
    /// The chain alone.
    pub(crate) fn emptied(mut self) -> Self {
        self.rows.clear();
        self
    }

    /// The same with weights as the model file has them.
    pub(crate) fn quantised(mut self, settings: &Settings) -> Self {
        for row in &mut self.rows {
            for value in row {
                *value = f32::from(small(*value, settings.threshold)) / UNIT as f32;
            }
        }
        self
    }

    /// The features worth keeping, sorted by hash.
    pub(crate) fn rows(&self, threshold: f32) -> Vec<(u32, [i8; LABELS])> {
        self.hashes
            .iter()
            .zip(&self.rows)
            .map(|(hash, row)| (*hash, std::array::from_fn(|label| small(row[label], threshold))))
            .filter(|(_, row): &(u32, [i8; LABELS])| row.iter().any(|weight| *weight != 0))
            .collect()
    }

    /// The chain in whole numbers.
    pub(crate) fn chain(&self) -> Chain {
        let whole = |value: &f32| (value * UNIT as f32).round() as i32;
        let row = |row: &Wide| -> [i32; LABELS] { std::array::from_fn(|label| whole(&row[label])) };
        let mut chain = Chain { step: self.step.each_ref().map(row), first: row(&self.first), last: row(&self.last) };
        chain.forbid();
        chain
    }

    /// The sums of feature weights of a stretch's tokens.
    pub(crate) fn emissions(&self, instances: &Instances, stretch: usize) -> Vec<Wide> {
        (instances.heads[stretch].2 as usize..instances.heads[stretch + 1].2 as usize)
            .map(|token| {
                let mut sum = [0.0; WIDE];
                for feature in instances.token_features(token) {
                    for (lane, weight) in sum.iter_mut().zip(&self.rows[*feature as usize]) {
                        *lane += weight;
                    }
                }
                sum
            })
            .collect()
    }

    /// The names of a stretch.
    pub(crate) fn decode(&self, emissions: &[Wide]) -> Vec<Stretch> {
        let chain = self.chain();
        let scores: Vec<Scores> =
            emissions.iter().map(|row| row.map(|value| (value * UNIT as f32).round() as i32)).collect();
        let mut out = Vec::new();
        crf::decode(&chain, &Potentials::new(&chain), &scores, &mut crf::Scratch::default(), &mut out);
        out
    }
}

fn small(value: f32, threshold: f32) -> i8 {
    if value.abs() < threshold { 0 } else { (value * UNIT as f32).round().clamp(-127.0, 127.0) as i8 }
}

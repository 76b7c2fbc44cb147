//! Small dense arithmetic with a fixed order of operations.
//!
//! Row-major matrices in flat slices. The order in which the terms of one sum are added never
//! depends on the machine or on vector width: each output cell adds its terms from the first to
//! the last, and what runs side by side are different cells.

/// Columns that are computed side by side; widths of weight matrices are multiples of it.
pub const LANES: usize = 16;
/// Rows that are computed side by side.
const ROWS: usize = 4;

/// A weight matrix laid out for [`Packed::add_product`].
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// Length of an input row.
    pub inputs: usize,
    /// Length of an output row, a multiple of [`LANES`].
    pub outputs: usize,
    /// Panels of [`LANES`] columns, each with all input rows.
    panels: Vec<f32>,
}

impl Packed {
    /// Lays out a row-major `inputs × outputs` matrix.
    pub fn new(matrix: &[f32], inputs: usize, outputs: usize) -> Self {
        let mut packed = Self::default();
        packed.fill(matrix, inputs, outputs);
        packed
    }

    /// Lays out another matrix in the same memory.
    pub fn fill(&mut self, matrix: &[f32], inputs: usize, outputs: usize) {
        let width = outputs.next_multiple_of(LANES);
        (self.inputs, self.outputs) = (inputs, width);
        self.panels.clear();
        self.panels.resize(inputs * width, 0.0);
        for (panel, out) in self.panels.chunks_exact_mut((inputs * LANES).max(1)).enumerate() {
            for (line, row) in out.chunks_exact_mut(LANES).zip(matrix.chunks_exact(outputs.max(1))) {
                let from = panel * LANES;
                let to = (from + LANES).min(outputs);
                if let Some(cells) = row.get(from..to) {
                    line[..cells.len()].copy_from_slice(cells);
                }
            }
        }
    }

    /// Lays out the transpose of a row-major `outputs × inputs` matrix.
    pub fn fill_transposed(&mut self, matrix: &[f32], inputs: usize, outputs: usize) {
        let width = outputs.next_multiple_of(LANES);
        (self.inputs, self.outputs) = (inputs, width);
        self.panels.clear();
        self.panels.resize(inputs * width, 0.0);
        for (panel, out) in self.panels.chunks_exact_mut((inputs * LANES).max(1)).enumerate() {
            for lane in 0..LANES.min(outputs - panel * LANES) {
                let row = &matrix[(panel * LANES + lane) * inputs..][..inputs];
                for (line, value) in out.chunks_exact_mut(LANES).zip(row) {
                    line[lane] = *value;
                }
            }
        }
    }

    /// `result += rows × self`, for rows of length `inputs` and results of length `outputs`.
    pub fn add_product(&self, rows: &[f32], result: &mut [f32]) {
        if self.inputs == 0 || self.outputs == 0 {
            return;
        }
        wide(
            #[inline(always)]
            || self.add_product_with(rows, result),
        );
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn add_product_with(&self, rows: &[f32], result: &mut [f32]) {
        let mut input = rows.chunks_exact(self.inputs * ROWS);
        let mut output = result.chunks_exact_mut(self.outputs * ROWS);
        for (four, out) in input.by_ref().zip(output.by_ref()) {
            self.four(four, out);
        }
        let rest = input.remainder().chunks_exact(self.inputs);
        for (row, out) in rest.zip(output.into_remainder().chunks_exact_mut(self.outputs)) {
            self.one(row, out);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn four(&self, rows: &[f32], result: &mut [f32]) {
        let (first, rest) = rows.split_at(self.inputs);
        let (second, rest) = rest.split_at(self.inputs);
        let (third, fourth) = rest.split_at(self.inputs);
        for (panel, weights) in self.panels.chunks_exact(self.inputs * LANES).enumerate() {
            let mut sums = [[0.0_f32; LANES]; ROWS];
            for (index, sum) in sums.iter_mut().enumerate() {
                sum.copy_from_slice(&result[index * self.outputs + panel * LANES..][..LANES]);
            }
            let values = first.iter().zip(second).zip(third).zip(fourth);
            for (line, (((a, b), c), d)) in weights.as_chunks::<LANES>().0.iter().zip(values) {
                for lane in 0..LANES {
                    sums[0][lane] += a * line[lane];
                    sums[1][lane] += b * line[lane];
                    sums[2][lane] += c * line[lane];
                    sums[3][lane] += d * line[lane];
                }
            }
            for (index, sum) in sums.iter().enumerate() {
                result[index * self.outputs + panel * LANES..][..LANES].copy_from_slice(sum);
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn one(&self, row: &[f32], result: &mut [f32]) {
        let panels = self.panels.chunks_exact(self.inputs * LANES);
        for (weights, out) in panels.zip(result.as_chunks_mut::<LANES>().0) {
            let mut sum = *out;
            for (line, value) in weights.as_chunks::<LANES>().0.iter().zip(row) {
                for lane in 0..LANES {
                    sum[lane] += value * line[lane];
                }
            }
            *out = sum;
        }
    }
}

/// Largest magnitude of a whole number that stands for an input of [`Whole`].
pub const INPUT_MAX: f32 = 4096.0;

/// A weight matrix in whole numbers, for the wide layers: sums are exact, so it does not matter
/// in what order a machine adds, and the widest instructions at hand may be used.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Length of an input row, an even number.
    pub inputs: usize,
    /// Length of an output row, a multiple of [`LANES`].
    pub outputs: usize,
    /// What a whole number is multiplied by to be the weight again.
    pub scale: f32,
    /// Panels of [`LANES`] columns; a line holds two weights of each column, those of two
    /// inputs that follow one another.
    panels: Vec<[[i16; LANES]; 2]>,
}

impl Whole {
    /// Rounds and lays out a row-major `inputs × outputs` matrix of even measures.
    pub fn new(matrix: &[f32], inputs: usize, outputs: usize) -> Self {
        // No sum of products may leave 32 bits, whatever the inputs.
        let most = (2_147_483_000.0 / (INPUT_MAX * inputs.max(1) as f32)).floor().min(8191.0);
        let top = matrix.iter().fold(1e-6_f32, |top, weight| top.max(weight.abs()));
        let scale = top / most;
        let cell = |input: usize, output: usize| {
            let weight = matrix.get(input * outputs + output).copied().unwrap_or_default();
            (weight / scale).round() as i16
        };
        let mut panels = Vec::with_capacity(inputs * outputs / (2 * LANES));
        for panel in (0..outputs).step_by(LANES) {
            for input in (0..inputs).step_by(2) {
                let half = |from: usize| std::array::from_fn(|lane| cell(input + lane % 2, from + lane / 2));
                panels.push([half(panel), half(panel + LANES / 2)]);
            }
        }
        Self { inputs, outputs, scale, panels }
    }

    /// Puts `rows × self` into the result. Rows are pairs of inputs as [`pairs`] makes them,
    /// and there are whole fours of them.
    pub fn product(&self, rows: &[i32], result: &mut [i32]) {
        if self.inputs == 0 || self.outputs == 0 {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V4::try_new() {
            simd.vectorize(
                #[inline(always)]
                || self.product_with(rows, result, |panel, rows| four_widest(simd, panel, rows)),
            );
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            simd.vectorize(
                #[inline(always)]
                || self.product_with(rows, result, |panel, rows| four_wide(simd, panel, rows)),
            );
            return;
        }
        self.product_with(rows, result, four_plain);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn product_with(
        &self,
        rows: &[i32],
        result: &mut [i32],
        four: impl Fn(&[[[i16; LANES]; 2]], [&[i32]; ROWS]) -> [[i32; LANES]; ROWS],
    ) {
        let pairs = self.inputs / 2;
        for (rows, result) in rows.chunks_exact(pairs * ROWS).zip(result.chunks_exact_mut(self.outputs * ROWS)) {
            let (first, rest) = rows.split_at(pairs);
            let (second, rest) = rest.split_at(pairs);
            let (third, fourth) = rest.split_at(pairs);
            for (index, panel) in self.panels.chunks_exact(pairs).enumerate() {
                let sums = four(panel, [first, second, third, fourth]);
                for (row, sum) in sums.iter().enumerate() {
                    result[row * self.outputs + index * LANES..][..LANES].copy_from_slice(sum);
                }
            }
        }
    }
}

fn four_plain(panel: &[[[i16; LANES]; 2]], rows: [&[i32]; ROWS]) -> [[i32; LANES]; ROWS] {
    let mut sums = [[0_i32; LANES]; ROWS];
    for (pair, line) in panel.iter().enumerate() {
        for (sum, row) in sums.iter_mut().zip(rows) {
            let (low, high) = (i32::from(row[pair] as i16), row[pair] >> 16);
            for (half, weights) in line.iter().enumerate() {
                for lane in 0..LANES / 2 {
                    sum[half * LANES / 2 + lane] +=
                        low * i32::from(weights[2 * lane]) + high * i32::from(weights[2 * lane + 1]);
                }
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn four_wide(simd: pulp::x86::V3, panel: &[[[i16; LANES]; 2]], rows: [&[i32]; ROWS]) -> [[i32; LANES]; ROWS] {
    use pulp::cast;
    let zero = simd.avx._mm256_setzero_si256();
    let mut sums = [[zero; 2]; ROWS];
    let [first, second, third, fourth] = rows;
    for ((((line, a), b), c), d) in panel.iter().zip(first).zip(second).zip(third).zip(fourth) {
        let weights = [cast(line[0]), cast(line[1])];
        for (sum, pair) in sums.iter_mut().zip([a, b, c, d]) {
            let inputs = simd.avx._mm256_set1_epi32(*pair);
            for (sum, weights) in sum.iter_mut().zip(weights) {
                *sum = simd.avx2._mm256_add_epi32(*sum, simd.avx2._mm256_madd_epi16(weights, inputs));
            }
        }
    }
    sums.map(|[low, high]| {
        let mut row = [0; LANES];
        row[..LANES / 2].copy_from_slice(&cast::<_, [i32; LANES / 2]>(low));
        row[LANES / 2..].copy_from_slice(&cast::<_, [i32; LANES / 2]>(high));
        row
    })
}

/// As [`four_wide`], a line of a panel in one register.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn four_widest(simd: pulp::x86::V4, panel: &[[[i16; LANES]; 2]], rows: [&[i32]; ROWS]) -> [[i32; LANES]; ROWS] {
    use pulp::cast;
    let mut sums = [simd.avx512f._mm512_setzero_si512(); ROWS];
    let [first, second, third, fourth] = rows;
    for ((((line, a), b), c), d) in panel.iter().zip(first).zip(second).zip(third).zip(fourth) {
        let weights = cast(*line);
        for (sum, pair) in sums.iter_mut().zip([a, b, c, d]) {
            let inputs = simd.avx512f._mm512_set1_epi32(*pair);
            *sum = simd.avx512f._mm512_add_epi32(*sum, simd.avx512bw._mm512_madd_epi16(weights, inputs));
        }
    }
    sums.map(cast)
}

/// Rounds numbers to whole ones and puts each two into one cell, as [`Whole::product`] takes
/// them. Numbers beyond [`INPUT_MAX`] after scaling are cut there.
#[inline(always)]
pub fn pairs(values: &[f32], scale: f32, into: &mut [i32]) {
    // Adding this leaves the rounded number in the low bits of the sum.
    const ROUNDING: f32 = 12_582_912.0;
    let whole = |value: f32| {
        let sum = (value * scale).clamp(-INPUT_MAX, INPUT_MAX) + ROUNDING;
        sum.to_bits().cast_signed() - ROUNDING.to_bits().cast_signed()
    };
    for (into, values) in into.iter_mut().zip(values.as_chunks::<2>().0) {
        *into = (whole(values[0]) & 0xFFFF) | (whole(values[1]) << 16);
    }
}

/// Runs a step with the widest instructions that the machine has. Nothing but speed changes:
/// no operation is fused or moved.
#[inline]
pub fn wide<R>(step: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(step)
}

/// A curve close to the hyperbolic tangent, exactly ±1 beyond ±3; its slope is taken as `1 - y²`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-3.0, 3.0);
    let square = x * x;
    x * (27.0 + square) / (27.0 + 9.0 * square)
}

/// A curve close to the logistic function, from 0 to 1.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * tanh(0.5 * x)
}

/// e to the power of `x`, by a polynomial: the same on every machine, within 2e-6 of the value.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn exp(x: f32) -> f32 {
    let scaled = x.clamp(-87.0, 87.0) * std::f32::consts::LOG2_E;
    let whole = (scaled + 0.5).floor();
    let part = (scaled - whole) * std::f32::consts::LN_2;
    let power = 1.0
        + part
            * (1.0
                + part
                    * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part * (1.0 / 120.0 + part * (1.0 / 720.0))))));
    power * f32::from_bits((whole as i32 + 127).cast_unsigned() << 23)
}

/// The natural logarithm of a positive number, by a series: the same on every machine.
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 23).cast_signed() - 127;
    let mut mantissa = f32::from_bits((bits & 0x007F_FFFF) | 0x3F80_0000);
    if mantissa > std::f32::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = 1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + 2.0 * ratio * series
}

/// Turns scores into probabilities that sum to one; gives the place of the largest.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn softmax(scores: &mut [f32]) -> usize {
    let best = largest(scores);
    let top = scores.get(best).copied().unwrap_or_default();
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = exp(*score - top);
        total += *score;
    }
    for score in scores.iter_mut() {
        *score /= total;
    }
    best
}

/// The probability of one of the scores, as [`softmax`] would give it: only its own quotient is
/// worked out, and the sum runs in [`LANES`] lanes that are added at the end.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn chance(scores: &[f32], place: usize) -> f32 {
    let (lines, rest) = scores.as_chunks::<LANES>();
    let mut tops = [f32::NEG_INFINITY; LANES];
    for line in lines.iter().map(|line| &line[..]).chain([rest]) {
        for (top, score) in tops.iter_mut().zip(line) {
            *top = top.max(*score);
        }
    }
    let top = tops.iter().fold(f32::NEG_INFINITY, |top, score| top.max(*score));
    let mut sums = [0.0_f32; LANES];
    for line in lines {
        for lane in 0..LANES {
            sums[lane] += exp(line[lane] - top);
        }
    }
    for (sum, score) in sums.iter_mut().zip(rest) {
        *sum += exp(score - top);
    }
    let total: f32 = sums.iter().sum();
    scores.get(place).map_or(0.0, |score| exp(score - top) / total)
}

/// The place of the largest number; the first of equals.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
pub fn largest(scores: &[f32]) -> usize {
    let mut best = 0;
    let mut top = f32::NEG_INFINITY;
    for (index, score) in scores.iter().enumerate() {
        if *score > top {
            (best, top) = (index, *score);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        let (rows, inputs, outputs) = (7, 5, 19);
        let a: Vec<f32> = (0..rows * inputs).map(|n| (n % 11) as f32 - 4.0).collect();
        let b: Vec<f32> = (0..inputs * outputs).map(|n| (n % 7) as f32 - 3.0).collect();
        let packed = Packed::new(&b, inputs, outputs);
        let mut transposed = vec![0.0; b.len()];
        for i in 0..inputs {
            for o in 0..outputs {
                transposed[o * inputs + i] = b[i * outputs + o];
            }
        }
        let mut other = Packed::default();
        other.fill_transposed(&transposed, inputs, outputs);
        let mut result = vec![1.0; rows * packed.outputs];
        let mut second = result.clone();
        packed.add_product(&a, &mut result);
        other.add_product(&a, &mut second);
        assert_eq!(result, second);
        for row in 0..rows {
            for column in 0..outputs {
                let sum: f32 = (0..inputs).map(|i| a[row * inputs + i] * b[i * outputs + column]).sum();
                assert!((result[row * packed.outputs + column] - 1.0 - sum).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn whole_numbers_are_close_and_the_same_everywhere() {
        let (rows, inputs, outputs) = (8, 6, 32);
        let a: Vec<f32> = (0..rows * inputs).map(|n| (n % 11) as f32 / 4.0 - 1.0).collect();
        let b: Vec<f32> = (0..inputs * outputs).map(|n| (n % 7) as f32 / 7.0 - 0.4).collect();
        let whole = Whole::new(&b, inputs, outputs);
        let mut input = vec![0; rows * inputs / 2];
        pairs(&a, 1024.0, &mut input);
        let mut result = vec![0; rows * outputs];
        whole.product(&input, &mut result);
        let mut plain = result.clone();
        whole.product_with(&input, &mut plain, four_plain);
        assert_eq!(result, plain);
        let mut exact = vec![0.0; rows * outputs];
        Packed::new(&b, inputs, outputs).add_product(&a, &mut exact);
        for (found, exact) in result.iter().zip(exact) {
            assert!((*found as f32 * whole.scale / 1024.0 - exact).abs() < 0.01);
        }
    }

    #[test]
    fn one_chance_is_that_of_them_all() {
        for length in [1, 5, 16, 17, 40] {
            let scores: Vec<f32> = (0..length).map(|n| ((n * 7) % 11) as f32 / 3.0 - 2.0).collect();
            let mut all = scores.clone();
            softmax(&mut all);
            for (place, wanted) in all.iter().enumerate() {
                assert!((chance(&scores, place) - wanted).abs() < 1e-5);
            }
        }
        assert!(chance(&[], 0).abs() < 1e-9);
    }

    #[test]
    fn curves_are_close_to_what_they_stand_for() {
        for step in -400..=400_i16 {
            let x = f32::from(step) / 40.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 4e-6, "exp {x}");
            assert!((tanh(x) - x.tanh()).abs() < 0.03, "tanh {x}");
            assert!((sigmoid(x) - 1.0 / (1.0 + (-x).exp())).abs() < 0.03, "sigmoid {x}");
            if x > 0.0 {
                assert!((ln(x) - x.ln()).abs() < 2e-6, "ln {x}");
            }
        }
    }
}

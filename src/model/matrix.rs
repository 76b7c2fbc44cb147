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

/// A curve close to the hyperbolic tangent, exactly ±1 beyond ±3; its slope is taken as `1 - y²`.
#[inline]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-3.0, 3.0);
    let square = x * x;
    x * (27.0 + square) / (27.0 + 9.0 * square)
}

/// A curve close to the logistic function, from 0 to 1.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * tanh(0.5 * x)
}

/// e to the power of `x`, by a polynomial: the same on every machine, within 2e-6 of the value.
#[inline]
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

/// The place of the largest number; the first of equals.
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

//! The network with its gradients: the same arithmetic as `copydesk::model::network`, and back.

use copydesk::model::{
    form::{self, AFFIX_ROWS, Rows, SHAPE_ROWS},
    matrix::{self, Packed, sigmoid, softmax, tanh},
    network::{BUCKETS, Sizes, Weights, bucket},
};

use crate::data::Random;

/// Row of the vocabulary for words outside it.
pub(crate) const UNKNOWN: u32 = 0;

/// Dense weights with what their optimiser remembers.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) weights: Vec<f32>,
    gradient: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Dense {
    fn new(inputs: usize, outputs: usize, width: f32, random: &mut Random) -> Self {
        let weights: Vec<f32> = (0..inputs * outputs).map(|_| random.around_zero(width)).collect();
        let zero = vec![0.0; weights.len()];
        Self { inputs, weights, gradient: zero.clone(), mean: zero.clone(), square: zero }
    }

    fn step(&mut self, pace: &Pace) {
        adam(&mut self.weights, &mut self.gradient, &mut self.mean, &mut self.square, pace);
    }
}

/// A table of rows of which each step touches few.
#[derive(Clone, Debug)]
pub(crate) struct Sparse {
    pub(crate) width: usize,
    pub(crate) weights: Vec<f32>,
    gradient: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    marked: Vec<bool>,
    touched: Vec<u32>,
}

impl Sparse {
    fn new(rows: usize, width: usize, spread: f32, random: &mut Random) -> Self {
        let weights: Vec<f32> = (0..rows * width).map(|_| random.around_zero(spread)).collect();
        let zero = vec![0.0; weights.len()];
        Self {
            width,
            weights,
            gradient: zero.clone(),
            mean: zero.clone(),
            square: zero,
            marked: vec![false; rows],
            touched: Vec::new(),
        }
    }

    fn add_row(&self, row: u32, sum: &mut [f32]) {
        add(sum, &self.weights[row as usize * self.width..][..self.width]);
    }

    fn add_gradient(&mut self, row: u32, gradient: &[f32]) {
        if !self.marked[row as usize] {
            self.marked[row as usize] = true;
            self.touched.push(row);
        }
        add(&mut self.gradient[row as usize * self.width..][..self.width], gradient);
    }

    fn step(&mut self, pace: &Pace) {
        for row in self.touched.drain(..) {
            let at = row as usize * self.width..(row as usize + 1) * self.width;
            self.marked[row as usize] = false;
            adam(
                &mut self.weights[at.clone()],
                &mut self.gradient[at.clone()],
                &mut self.mean[at.clone()],
                &mut self.square[at],
                pace,
            );
        }
    }
}

fn add(sum: &mut [f32], other: &[f32]) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum += other;
    }
}

fn lean(own: &mut [f32], other: &[f32], share: f32) {
    for (own, other) in own.iter_mut().zip(other) {
        *own += share * (other - *own);
    }
}

/// Learning rate and the corrections of Adam at one step.
pub(crate) struct Pace {
    pub(crate) rate: f32,
    pub(crate) mean_correction: f32,
    pub(crate) square_correction: f32,
    /// What every gradient is multiplied by.
    pub(crate) scale: f32,
}

pub(crate) const MEAN_DECAY: f32 = 0.9;
pub(crate) const SQUARE_DECAY: f32 = 0.99;

fn adam(weights: &mut [f32], gradient: &mut [f32], mean: &mut [f32], square: &mut [f32], pace: &Pace) {
    for (((weight, gradient), mean), square) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
        let slope = *gradient * pace.scale;
        *gradient = 0.0;
        *mean = MEAN_DECAY * *mean + (1.0 - MEAN_DECAY) * slope;
        *square = SQUARE_DECAY * *square + (1.0 - SQUARE_DECAY) * slope * slope;
        let estimate = (*square * pace.square_correction).sqrt() + 1e-8;
        *weight -= pace.rate * (*mean * pace.mean_correction) / estimate;
    }
}

/// One layer of the encoder.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) weights: Dense,
    pub(crate) bias: Dense,
}

/// A sentence with what is to be learnt; row 0 is the root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Example {
    pub(crate) rows: Vec<Rows>,
    pub(crate) words: Vec<u32>,
    pub(crate) tags: Vec<u16>,
    pub(crate) fine_tags: Vec<u16>,
    pub(crate) heads: Vec<u16>,
    pub(crate) labels: Vec<u16>,
}

impl Example {
    fn len(&self) -> usize {
        self.rows.len()
    }
}

/// How much is left out while training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    pub(crate) input: f32,
    pub(crate) hidden: f32,
    pub(crate) heads: f32,
}

/// The network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) sizes: Sizes,
    pub(crate) word: Sparse,
    pub(crate) affix: Sparse,
    pub(crate) shape: Sparse,
    /// Vectors from raw text, one a word of the vocabulary, and their projection.
    pub(crate) vectors: Vec<f32>,
    pub(crate) vector_width: usize,
    pub(crate) projection: Dense,
    pub(crate) input_bias: Dense,
    pub(crate) layers: Vec<Layer>,
    pub(crate) heads: Dense,
    pub(crate) heads_bias: Dense,
    pub(crate) arc: Dense,
    pub(crate) distance: Dense,
    pub(crate) label_distance: Dense,
    pub(crate) label: Dense,
    pub(crate) label_bias: Dense,
    /// How often each word of the vocabulary is in the treebanks.
    pub(crate) counts: Vec<u32>,
}

/// What one pass leaves behind for the way back.
#[derive(Default)]
pub(crate) struct Pass {
    starts: Vec<usize>,
    used_words: Vec<u32>,
    gathered: Vec<f32>,
    /// Output of each layer, the embedding first.
    outputs: Vec<Vec<f32>>,
    masks: Vec<Vec<f32>>,
    gates: Vec<Vec<f32>>,
    cells: Vec<Vec<f32>>,
    pub(crate) top: Vec<f32>,
    head_mask: Vec<f32>,
    packed: Packed,
}

impl Network {
    pub(crate) fn new(sizes: Sizes, vectors: Vec<f32>, vector_width: usize, counts: Vec<u32>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let spread = |inputs: usize| (3.0 / inputs as f32).sqrt();
        let mut layers = Vec::new();
        for layer in 0..sizes.layers {
            let inputs = if layer == 0 { sizes.input } else { 2 * sizes.hidden };
            let weights = Dense::new(inputs, 6 * sizes.hidden, spread(inputs), random);
            let mut bias = Dense::new(1, 6 * sizes.hidden, 0.0, random);
            for direction in 0..2 {
                for unit in 0..sizes.hidden {
                    bias.weights[(direction * 3 + 1) * sizes.hidden + unit] = 1.0;
                }
            }
            layers.push(Layer { weights, bias });
        }
        let top = 2 * sizes.hidden;
        Self {
            word: Sparse::new(counts.len(), sizes.input, 0.1, random),
            affix: Sparse::new(AFFIX_ROWS as usize, sizes.input, 0.1, random),
            shape: Sparse::new(SHAPE_ROWS as usize, sizes.input, 0.1, random),
            projection: Dense::new(vector_width, sizes.input, spread(vector_width.max(1)) * 0.5, random),
            input_bias: Dense::new(1, sizes.input, 0.0, random),
            layers,
            heads: Dense::new(top, sizes.top(), spread(top), random),
            heads_bias: Dense::new(1, sizes.top(), 0.0, random),
            arc: Dense::new(sizes.arc, sizes.arc, spread(sizes.arc) * 0.5, random),
            distance: Dense::new(sizes.arc, BUCKETS, 0.01, random),
            label_distance: Dense::new(BUCKETS, sizes.label, 0.1, random),
            label: Dense::new(sizes.label, sizes.label_outputs(), spread(sizes.label), random),
            label_bias: Dense::new(1, sizes.label_outputs(), 0.0, random),
            sizes,
            vectors,
            vector_width,
            counts,
        }
    }

    /// Runs the encoder and the projections over sentences.
    pub(crate) fn forward(&self, batch: &[&Example], pass: &mut Pass, mut noise: Option<(&mut Random, Dropout)>) {
        let sizes = &self.sizes;
        pass.starts.clear();
        let mut rows = 0;
        for example in batch {
            pass.starts.push(rows);
            rows += example.len();
        }
        pass.starts.push(rows);
        pass.outputs.resize(sizes.layers + 1, Vec::new());
        pass.masks.resize(sizes.layers + 1, Vec::new());
        pass.gates.resize(sizes.layers, Vec::new());
        pass.cells.resize(sizes.layers, Vec::new());

        // Words, affixes and shapes to one vector a word.
        let mut input = std::mem::take(&mut pass.outputs[0]);
        input.clear();
        pass.gathered.clear();
        pass.used_words.clear();
        for example in batch {
            for (features, word) in example.rows.iter().zip(&example.words) {
                // A word that no treebank has is known by its vector alone.
                let count = self.counts[*word as usize] as f32;
                let mut used = if count > 0.0 { *word } else { UNKNOWN };
                if let Some((random, _)) = &mut noise
                    && used > 1
                    && random.unit() < 0.3 / (0.3 + count)
                {
                    used = UNKNOWN;
                }
                pass.used_words.push(used);
                let start = input.len();
                input.extend_from_slice(&self.input_bias.weights);
                let sum = &mut input[start..];
                self.word.add_row(used, sum);
                self.shape.add_row(features.shape, sum);
                for affix in features.affixes {
                    self.affix.add_row(affix, sum);
                }
                let vector = &self.vectors[*word as usize * self.vector_width..][..self.vector_width];
                pass.gathered.extend_from_slice(vector);
            }
        }
        if self.vector_width > 0 {
            pass.packed.fill(&self.projection.weights, self.vector_width, sizes.input);
            pass.packed.add_product(&pass.gathered, &mut input);
        }
        for value in &mut input {
            *value = value.max(0.0);
        }
        apply_mask(
            &mut input,
            &mut pass.masks[0],
            noise.as_mut().map(|(random, dropout)| (&mut **random, dropout.input)),
        );
        pass.outputs[0] = input;

        for index in 0..sizes.layers {
            let layer = &self.layers[index];
            let width = sizes.hidden * 6;
            let mut gates = std::mem::take(&mut pass.gates[index]);
            gates.clear();
            for _ in 0..rows {
                gates.extend_from_slice(&layer.bias.weights);
            }
            pass.packed.fill(&layer.weights.weights, layer.weights.inputs, width);
            pass.packed.add_product(&pass.outputs[index], &mut gates);
            let mut output = std::mem::take(&mut pass.outputs[index + 1]);
            output.clear();
            output.resize(rows * sizes.hidden * 2, 0.0);
            let mut cells = std::mem::take(&mut pass.cells[index]);
            cells.clear();
            cells.resize(rows * sizes.hidden * 2, 0.0);
            for sentence in pass.starts.windows(2) {
                recur(sizes.hidden, sentence[0]..sentence[1], &mut gates, &mut cells, &mut output);
            }
            if index > 0 {
                add(&mut output, &pass.outputs[index]);
            }
            let noise = noise.as_mut().map(|(random, dropout)| (&mut **random, dropout.hidden));
            apply_mask(&mut output, &mut pass.masks[index + 1], noise);
            pass.gates[index] = gates;
            pass.cells[index] = cells;
            pass.outputs[index + 1] = output;
        }

        let mut top = std::mem::take(&mut pass.top);
        top.clear();
        for _ in 0..rows {
            top.extend_from_slice(&self.heads_bias.weights);
        }
        pass.packed.fill(&self.heads.weights, 2 * sizes.hidden, sizes.top());
        pass.packed.add_product(&pass.outputs[sizes.layers], &mut top);
        for row in top.chunks_exact_mut(sizes.top()) {
            for value in &mut row[..2 * sizes.arc] {
                *value = value.max(0.0);
            }
        }
        pass.head_mask.clear();
        if let Some((random, dropout)) = &mut noise {
            let keep = 1.0 - dropout.heads;
            let masked = 2 * sizes.arc + 2 * sizes.label;
            for row in top.chunks_exact_mut(sizes.top()) {
                for value in &mut row[..masked] {
                    let mask = if random.unit() < keep { 1.0 / keep } else { 0.0 };
                    *value *= mask;
                    pass.head_mask.push(mask);
                }
            }
        }
        pass.top = top;
    }

    /// Scores of all heads of all words of one sentence, a row a word.
    pub(crate) fn arc_scores(&self, pass: &Pass, sentence: usize, queries: &mut Vec<f32>, scores: &mut Vec<f32>) {
        let sizes = &self.sizes;
        let (start, end) = (pass.starts[sentence], pass.starts[sentence + 1]);
        let (size, width) = (end - start, sizes.top());
        let words = size - 1;
        let mut dependents = Vec::with_capacity(words * sizes.arc);
        let mut heads = Vec::with_capacity(size * sizes.arc);
        for row in start..end {
            let top = &pass.top[row * width..][..width];
            heads.extend_from_slice(&top[sizes.arc..2 * sizes.arc]);
            if row > start {
                dependents.extend_from_slice(&top[..sizes.arc]);
            }
        }
        queries.clear();
        queries.resize(words * sizes.arc, 0.0);
        Packed::new(&self.arc.weights, sizes.arc, sizes.arc).add_product(&dependents, queries);
        let mut far = vec![0.0; words * BUCKETS];
        Packed::new(&self.distance.weights, sizes.arc, BUCKETS).add_product(&dependents, &mut far);
        let mut keys = Packed::default();
        keys.fill_transposed(&heads, sizes.arc, size);
        let mut product = vec![0.0; words * keys.outputs];
        keys.add_product(queries, &mut product);
        scores.clear();
        for word in 0..words {
            for head in 0..size {
                let bias = far[word * BUCKETS + bucket(word + 1, head)];
                scores.push(product[word * keys.outputs + head] + bias);
            }
            scores[word * size + word + 1] = f32::NEG_INFINITY;
        }
    }

    /// Scores of all labels of one arc; `hidden` receives the layer below them.
    pub(crate) fn label_scores(
        &self,
        pass: &Pass,
        sentence: usize,
        word: usize,
        head: usize,
        hidden: &mut [f32],
    ) -> Vec<f32> {
        let sizes = &self.sizes;
        let (start, width) = (pass.starts[sentence], sizes.top());
        let own = &pass.top[(start + word) * width + 2 * sizes.arc..][..sizes.label];
        let other = &pass.top[(start + head) * width + 2 * sizes.arc + sizes.label..][..sizes.label];
        let far = &self.label_distance.weights[bucket(word, head) * sizes.label..][..sizes.label];
        for (((hidden, own), other), far) in hidden.iter_mut().zip(own).zip(other).zip(far) {
            *hidden = (own + other + far).max(0.0);
        }
        let mut scores = self.label_bias.weights.clone();
        for (value, row) in hidden.iter().zip(self.label.weights.chunks_exact(scores.len())) {
            if *value != 0.0 {
                for (score, weight) in scores.iter_mut().zip(row) {
                    *score += value * weight;
                }
            }
        }
        scores
    }

    /// Tag scores of a row.
    pub(crate) fn tag_scores<'a>(&self, pass: &'a Pass, sentence: usize, word: usize) -> (&'a [f32], &'a [f32]) {
        let sizes = &self.sizes;
        let row = &pass.top[(pass.starts[sentence] + word) * sizes.top()..][..sizes.top()];
        let tags = &row[2 * sizes.arc + 2 * sizes.label..];
        (&tags[..sizes.tags], &tags[sizes.tags..sizes.tags + sizes.fine_tags])
    }

    /// Adds the gradients of one batch; gives the summed loss.
    pub(crate) fn learn(&mut self, batch: &[&Example], pass: &mut Pass, random: &mut Random, dropout: Dropout) -> f32 {
        self.forward(batch, pass, Some((random, dropout)));
        let sizes = self.sizes;
        let width = sizes.top();
        let rows = pass.starts[batch.len()];
        let mut top_gradient = vec![0.0_f32; rows * width];
        let mut loss = 0.0;
        let (mut queries, mut scores) = (Vec::new(), Vec::new());
        let mut hidden = vec![0.0; sizes.label];
        for (sentence, example) in batch.iter().enumerate() {
            let start = pass.starts[sentence];
            let size = example.len();
            let words = size - 1;
            self.arc_scores(pass, sentence, &mut queries, &mut scores);
            let mut query_gradient = vec![0.0; words * sizes.arc];
            let mut far_gradient = vec![0.0; words * BUCKETS];
            for word in 1..size {
                let row = start + word;
                // Tags.
                let at = row * width + 2 * sizes.arc + 2 * sizes.label;
                let (tags, fine_tags) = self.tag_scores(pass, sentence, word);
                for (scores, gold, at, weight) in
                    [(tags, example.tags[word], at, 0.7), (fine_tags, example.fine_tags[word], at + sizes.tags, 0.5)]
                {
                    let mut chances = scores.to_vec();
                    softmax(&mut chances);
                    loss -= weight * matrix::ln(chances[usize::from(gold)].max(1e-9));
                    chances[usize::from(gold)] -= 1.0;
                    for (gradient, chance) in top_gradient[at..].iter_mut().zip(&chances) {
                        *gradient += weight * chance;
                    }
                }
                // Heads.
                let chances = &mut scores[(word - 1) * size..word * size];
                softmax(chances);
                let gold = usize::from(example.heads[word]);
                loss -= matrix::ln(chances[gold].max(1e-9));
                chances[gold] -= 1.0;
                let query = &queries[(word - 1) * sizes.arc..word * sizes.arc];
                let gradient = &mut query_gradient[(word - 1) * sizes.arc..word * sizes.arc];
                for (head, slope) in chances.iter().enumerate() {
                    if slope.abs() < 1e-6 {
                        continue;
                    }
                    far_gradient[(word - 1) * BUCKETS + bucket(word, head)] += slope;
                    let key = (start + head) * width + sizes.arc;
                    for lane in 0..sizes.arc {
                        gradient[lane] += slope * pass.top[key + lane];
                        top_gradient[key + lane] += slope * query[lane];
                    }
                }
                // The label of the right arc.
                let mut chances = self.label_scores(pass, sentence, word, gold, &mut hidden);
                softmax(&mut chances[..sizes.labels]);
                let right = usize::from(example.labels[word]);
                loss -= matrix::ln(chances[right].max(1e-9));
                chances[right] -= 1.0;
                let own = row * width + 2 * sizes.arc;
                let other = (start + gold) * width + 2 * sizes.arc + sizes.label;
                let far = bucket(word, gold) * sizes.label;
                add(&mut self.label_bias.gradient, &chances[..sizes.labels]);
                for unit in 0..sizes.label {
                    if hidden[unit] <= 0.0 {
                        continue;
                    }
                    let at = unit * sizes.label_outputs();
                    let mut slope = 0.0;
                    let gradients = &mut self.label.gradient[at..];
                    let cells = gradients.iter_mut().zip(&self.label.weights[at..]);
                    for ((gradient, weight), chance) in cells.zip(&chances[..sizes.labels]) {
                        *gradient += hidden[unit] * chance;
                        slope += weight * chance;
                    }
                    top_gradient[own + unit] += slope;
                    top_gradient[other + unit] += slope;
                    self.label_distance.gradient[far + unit] += slope;
                }
            }
            // Back through the queries to the dependents.
            let mut dependents = Vec::with_capacity(words * sizes.arc);
            for row in start + 1..start + size {
                dependents.extend_from_slice(&pass.top[row * width..][..sizes.arc]);
            }
            let mut back = vec![0.0; words * sizes.arc];
            pass.packed.fill_transposed(&self.arc.weights, sizes.arc, sizes.arc);
            pass.packed.add_product(&query_gradient, &mut back);
            pass.packed.fill_transposed(&self.distance.weights, BUCKETS, sizes.arc);
            pass.packed.add_product(&far_gradient, &mut back);
            for (word, back) in back.chunks_exact(sizes.arc).enumerate() {
                add(&mut top_gradient[(start + 1 + word) * width..][..sizes.arc], back);
            }
            add_outer(&mut self.arc.gradient, &dependents, sizes.arc, &query_gradient, sizes.arc, &mut pass.packed);
            add_outer(&mut self.distance.gradient, &dependents, sizes.arc, &far_gradient, BUCKETS, &mut pass.packed);
        }
        self.back(batch, pass, top_gradient);
        loss
    }

    fn back(&mut self, batch: &[&Example], pass: &mut Pass, mut top_gradient: Vec<f32>) {
        let sizes = self.sizes;
        let width = sizes.top();
        let masked = 2 * sizes.arc + 2 * sizes.label;
        for (index, row) in top_gradient.chunks_exact_mut(width).enumerate() {
            let top = &pass.top[index * width..][..width];
            let mask = &pass.head_mask[index * masked..][..masked];
            for unit in 0..masked {
                row[unit] *= mask[unit];
                if unit < 2 * sizes.arc && top[unit] <= 0.0 {
                    row[unit] = 0.0;
                }
            }
            add(&mut self.heads_bias.gradient, row);
        }
        let rows = pass.starts[batch.len()];
        let mut gradient = vec![0.0; rows * 2 * sizes.hidden];
        pass.packed.fill_transposed(&self.heads.weights, width, 2 * sizes.hidden);
        pass.packed.add_product(&top_gradient, &mut gradient);
        let below = &pass.outputs[sizes.layers];
        add_outer(&mut self.heads.gradient, below, 2 * sizes.hidden, &top_gradient, width, &mut pass.packed);

        for index in (0..sizes.layers).rev() {
            let gate_width = sizes.hidden * 6;
            for (slope, mask) in gradient.iter_mut().zip(&pass.masks[index + 1]) {
                *slope *= mask;
            }
            let mut gate_gradient = vec![0.0; rows * gate_width];
            for sentence in pass.starts.windows(2) {
                recur_back(
                    sizes.hidden,
                    sentence[0]..sentence[1],
                    &pass.gates[index],
                    &pass.cells[index],
                    &gradient,
                    &mut gate_gradient,
                );
            }
            let layer = &mut self.layers[index];
            for row in gate_gradient.chunks_exact(gate_width) {
                add(&mut layer.bias.gradient, row);
            }
            let inputs = layer.weights.inputs;
            let mut below = if index > 0 { gradient } else { vec![0.0; rows * inputs] };
            pass.packed.fill_transposed(&layer.weights.weights, gate_width, inputs);
            pass.packed.add_product(&gate_gradient, &mut below);
            let input = &pass.outputs[index];
            add_outer(&mut layer.weights.gradient, input, inputs, &gate_gradient, gate_width, &mut pass.packed);
            gradient = below;
        }

        for ((slope, mask), value) in gradient.iter_mut().zip(&pass.masks[0]).zip(&pass.outputs[0]) {
            *slope = if *value > 0.0 { *slope * mask } else { 0.0 };
        }
        if self.vector_width > 0 {
            let width = self.vector_width;
            add_outer(&mut self.projection.gradient, &pass.gathered, width, &gradient, sizes.input, &mut pass.packed);
        }
        let mut row = 0;
        for example in batch {
            for features in &example.rows {
                let slope = &gradient[row * sizes.input..][..sizes.input];
                let used = pass.used_words[row];
                add(&mut self.input_bias.gradient, slope);
                self.word.add_gradient(used, slope);
                self.shape.add_gradient(features.shape, slope);
                for affix in features.affixes {
                    self.affix.add_gradient(affix, slope);
                }
                row += 1;
            }
        }
    }

    /// The weights as the worker wants them: vectors projected and added to the words' rows.
    pub(crate) fn finished(&self) -> Weights {
        let width = self.sizes.input;
        let mut words = Vec::with_capacity(self.counts.len() * width);
        for (word, count) in self.counts.iter().enumerate() {
            let row = if *count > 0 { word } else { UNKNOWN as usize };
            words.extend_from_slice(&self.word.weights[row * width..][..width]);
        }
        if self.vector_width > 0 {
            Packed::new(&self.projection.weights, self.vector_width, width).add_product(&self.vectors, &mut words);
        }
        let mut dense = vec![self.input_bias.weights.clone()];
        for layer in &self.layers {
            dense.extend([layer.weights.weights.clone(), layer.bias.weights.clone()]);
        }
        for part in [
            &self.heads,
            &self.heads_bias,
            &self.arc,
            &self.distance,
            &self.label_distance,
            &self.label,
            &self.label_bias,
        ] {
            dense.push(part.weights.clone());
        }
        let tables = [words, self.affix.weights.clone(), self.shape.weights.clone()];
        Weights { sizes: self.sizes, tables, dense, ..Weights::default() }
    }

    /// Moves all weights a share of the way to those of another network of the same sizes.
    pub(crate) fn lean_to(&mut self, other: &Self, share: f32) {
        let tables = [(&mut self.word, &other.word), (&mut self.affix, &other.affix), (&mut self.shape, &other.shape)];
        for (own, other) in tables {
            lean(&mut own.weights, &other.weights, share);
        }
        for (own, other) in self.layers.iter_mut().zip(&other.layers) {
            lean(&mut own.weights.weights, &other.weights.weights, share);
            lean(&mut own.bias.weights, &other.bias.weights, share);
        }
        for (own, other) in [
            (&mut self.projection, &other.projection),
            (&mut self.input_bias, &other.input_bias),
            (&mut self.heads, &other.heads),
            (&mut self.heads_bias, &other.heads_bias),
            (&mut self.arc, &other.arc),
            (&mut self.distance, &other.distance),
            (&mut self.label_distance, &other.label_distance),
            (&mut self.label, &other.label),
            (&mut self.label_bias, &other.label_bias),
        ] {
            lean(&mut own.weights, &other.weights, share);
        }
    }

    /// Takes one step along the gradients.
    pub(crate) fn step(&mut self, pace: &Pace) {
        for table in [&mut self.word, &mut self.affix, &mut self.shape] {
            table.step(pace);
        }
        for layer in &mut self.layers {
            layer.weights.step(pace);
            layer.bias.step(pace);
        }
        for dense in [
            &mut self.projection,
            &mut self.input_bias,
            &mut self.heads,
            &mut self.heads_bias,
            &mut self.arc,
            &mut self.distance,
            &mut self.label_distance,
            &mut self.label,
            &mut self.label_bias,
        ] {
            dense.step(pace);
        }
    }
}

/// `gradient += rowsᵀ × slopes`.
fn add_outer(gradient: &mut [f32], rows: &[f32], inputs: usize, slopes: &[f32], outputs: usize, packed: &mut Packed) {
    let count = rows.len() / inputs;
    let mut columns = vec![0.0; rows.len()];
    for (index, row) in rows.chunks_exact(inputs).enumerate() {
        for (input, value) in row.iter().enumerate() {
            columns[input * count + index] = *value;
        }
    }
    packed.fill(slopes, count, outputs);
    packed.add_product(&columns, gradient);
}

fn apply_mask(values: &mut [f32], mask: &mut Vec<f32>, noise: Option<(&mut Random, f32)>) {
    mask.clear();
    let Some((random, share)) = noise else { return };
    let keep = 1.0 - share;
    for value in values {
        let factor = if random.unit() < keep { 1.0 / keep } else { 0.0 };
        *value *= factor;
        mask.push(factor);
    }
}

fn recur(hidden: usize, rows: std::ops::Range<usize>, gates: &mut [f32], cells: &mut [f32], output: &mut [f32]) {
    for direction in 0..2 {
        let mut last = vec![0.0; hidden];
        for step in 0..rows.len() {
            let row = if direction == 0 { rows.start + step } else { rows.end - 1 - step };
            let gates = &mut gates[row * 6 * hidden + direction * 3 * hidden..][..3 * hidden];
            let (candidate, gates) = gates.split_at_mut(hidden);
            let (forget, open) = gates.split_at_mut(hidden);
            let at = row * 2 * hidden + direction * hidden;
            let cell = &mut cells[at..at + hidden];
            let out = &mut output[at..at + hidden];
            for unit in 0..hidden {
                candidate[unit] = tanh(candidate[unit]);
                forget[unit] = sigmoid(forget[unit]);
                open[unit] = sigmoid(open[unit]);
                last[unit] = candidate[unit] + forget[unit] * (last[unit] - candidate[unit]);
                cell[unit] = last[unit];
                out[unit] = open[unit] * last[unit];
            }
        }
    }
}

fn recur_back(
    hidden: usize,
    rows: std::ops::Range<usize>,
    gates: &[f32],
    cells: &[f32],
    slopes: &[f32],
    gate_slopes: &mut [f32],
) {
    let zero = vec![0.0; hidden];
    for direction in 0..2 {
        let mut carried = vec![0.0; hidden];
        for step in (0..rows.len()).rev() {
            let place = |step: usize| if direction == 0 { rows.start + step } else { rows.end - 1 - step };
            let row = place(step);
            let from = row * 6 * hidden + direction * 3 * hidden;
            let at = row * 2 * hidden + direction * hidden;
            let before = if step == 0 {
                &zero[..]
            } else {
                &cells[place(step - 1) * 2 * hidden + direction * hidden..][..hidden]
            };
            for unit in 0..hidden {
                let (candidate, forget, open) =
                    (gates[from + unit], gates[from + hidden + unit], gates[from + 2 * hidden + unit]);
                let slope = slopes[at + unit];
                let cell_slope = slope * open + carried[unit];
                gate_slopes[from + unit] = cell_slope * (1.0 - forget) * (1.0 - candidate * candidate);
                gate_slopes[from + hidden + unit] = cell_slope * (before[unit] - candidate) * forget * (1.0 - forget);
                gate_slopes[from + 2 * hidden + unit] = slope * cells[at + unit] * open * (1.0 - open);
                carried[unit] = cell_slope * forget;
            }
        }
    }
}

/// Features of a sentence's forms, the root first.
pub(crate) fn features<'a>(forms: impl Iterator<Item = &'a str> + Clone) -> Vec<Rows> {
    let writing = form::Writing::of(forms.clone());
    let mut normal = Vec::new();
    let mut rows = vec![form::root()];
    rows.extend(forms.enumerate().map(|(index, word)| form::rows(word, writing, index == 0, &mut normal)));
    rows
}

//! The network that tags and parses a sentence.
//!
//! ```text
//! forms ─▶ word + affix + shape rows, summed ─▶ recurrent layers, forwards and backwards ─▶
//!   ├▶ universal and fine parts of speech
//!   ├▶ every word as a dependent, every word as a head: scores of all arcs ─▶ the best tree
//!   └▶ for each arc of the tree: scores of the relations
//! ```
//!
//! The recurrent layers are gated averages (quasi-recurrent networks, Bradbury et al. 2017): all
//! matrix products stand outside the recurrence. Arcs are scored as in Dozat and Manning 2017,
//! with a term for distance and direction. What it does not do: split text into tokens or
//! sentences, or look beyond the sentence.

use std::sync::OnceLock;

use super::{
    file::{self, ModelError, Reader, Table, Writer},
    form::{self, AFFIX_ROWS, Rows, SHAPE_ROWS, Writing},
    matrix::{INPUT_MAX, LANES, Packed, Whole, chance, largest, pairs, sigmoid, tanh, wide},
    parser::{self, Relation},
    tagger::{Upos, Xpos},
};

/// Name of the model in its file.
pub const NAME: &str = "grammar";
/// Version of the model that this code runs.
pub const VERSION: &str = "1";
/// Words of a sentence that are looked at together; a longer one is read in pieces.
pub const WORDS_MAX: usize = 256;
/// Distances between a word and its head that are told apart, the root being one of them.
pub const BUCKETS: usize = 16;
/// Words of the vocabulary, the commonest first, whose first products are kept.
const COMMON_MAX: usize = 2048;
/// Widest part that a file may ask for.
const WIDTH_MAX: usize = 1024;

/// The bucket of the arc from a head to a word, both counted from 1, the root being 0.
pub fn bucket(word: usize, head: usize) -> usize {
    if head == 0 {
        return BUCKETS - 1;
    }
    let step = match word.abs_diff(head) {
        0..=4 => word.abs_diff(head).max(1) - 1,
        5..=6 => 4,
        7..=10 => 5,
        _ => 6,
    };
    if head < word { step } else { step + 7 }
}

/// Widths of the parts of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of the vector of one word.
    pub input: usize,
    /// Of one direction of one layer.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Of the vectors that heads and dependents meet in.
    pub arc: usize,
    /// Of the layer below the labels.
    pub label: usize,
    /// Number of parts of speech.
    pub tags: usize,
    /// Number of the fine parts of speech.
    pub fine_tags: usize,
    /// Number of relations.
    pub labels: usize,
}

impl Sizes {
    /// Width of what is projected from the last layer: two vectors for arcs, two for labels,
    /// both kinds of tags.
    pub fn top(&self) -> usize {
        (2 * self.arc + 2 * self.label + self.tags + self.fine_tags).next_multiple_of(LANES)
    }

    /// Width of the label scores.
    pub fn label_outputs(&self) -> usize {
        self.labels.next_multiple_of(LANES)
    }

    /// Input width of a layer.
    pub fn layer_input(&self, layer: usize) -> usize {
        if layer == 0 { self.input } else { 2 * self.hidden }
    }
}

/// Everything that a model file holds, in the trainer's terms.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// Widths.
    pub sizes: Sizes,
    /// Names of the parts of speech, in the order of their scores.
    pub tags: Vec<String>,
    /// Names of the fine parts of speech.
    pub fine_tags: Vec<String>,
    /// Names of the relations.
    pub labels: Vec<String>,
    /// Hashes of the words of the vocabulary; row 0 is the unknown word, row 1 the root.
    pub vocabulary: Vec<u32>,
    /// The word, affix and shape tables, input-wide rows.
    pub tables: [Vec<f32>; 3],
    /// Bias of the input; weights and bias of each layer; weights and bias of the top; arc,
    /// distance, label distance, label, label bias.
    pub dense: Vec<Vec<f32>>,
}

impl Weights {
    /// Lengths of the dense parts.
    fn lengths(sizes: &Sizes) -> Vec<usize> {
        let mut lengths = vec![sizes.input];
        for layer in 0..sizes.layers {
            lengths.extend([sizes.layer_input(layer) * 6 * sizes.hidden, 6 * sizes.hidden]);
        }
        lengths.extend([2 * sizes.hidden * sizes.top(), sizes.top()]);
        lengths.extend([sizes.arc * sizes.arc, sizes.arc * BUCKETS, BUCKETS * sizes.label]);
        lengths.extend([sizes.label * sizes.label_outputs(), sizes.label_outputs()]);
        lengths
    }

    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let sizes = &self.sizes;
        for size in [sizes.input, sizes.hidden, sizes.layers, sizes.arc, sizes.label] {
            writer.u16(size as u16);
        }
        for names in [&self.tags, &self.fine_tags, &self.labels] {
            writer.texts(names);
        }
        writer.u32(self.vocabulary.len() as u32);
        for word in &self.vocabulary {
            writer.u32(*word);
        }
        for table in &self.tables {
            writer.table(table, sizes.input);
        }
        for dense in &self.dense {
            writer.reals(dense);
        }
        file::seal(NAME, VERSION, &writer.bytes)
    }
}

/// Weights in whole numbers, and the bias.
#[derive(Clone, Debug)]
struct Layer {
    weights: Whole,
    bias: Vec<f32>,
    /// What inputs are multiplied by before they are rounded.
    input_scale: f32,
}

impl Layer {
    /// Inputs to products; rows come in whole fours.
    fn product(&self, input: &[f32], rounded: &mut Vec<i32>, result: &mut Vec<i32>) {
        rounded.resize(input.len() / 2, 0);
        wide(
            #[inline(always)]
            || pairs(input, self.input_scale, rounded),
        );
        result.resize(input.len() / self.weights.inputs * self.weights.outputs, 0);
        self.weights.product(rounded, result);
    }

    /// What a whole product is multiplied by to be a real number.
    fn output_scale(&self) -> f32 {
        self.weights.scale / self.input_scale
    }
}

/// The network, read-only.
#[derive(Clone, Debug)]
pub struct Network {
    sizes: Sizes,
    tags: Vec<Upos>,
    fine_tags: Vec<Xpos>,
    labels: Vec<Relation>,
    vocabulary: Vocabulary,
    word: Table,
    affix: Table,
    shape: Table,
    input_bias: Vec<f32>,
    layers: Vec<Layer>,
    /// First products of the commonest words in their usual shape, worked out when first met.
    /// They depend on the word alone, and half of any text is made of such words.
    common: Vec<OnceLock<Box<[i32]>>>,
    top: Layer,
    arc: Packed,
    distance: Packed,
    label_distance: Vec<f32>,
    label: Packed,
    label_bias: Vec<f32>,
}

/// Hash of a word → its row, by open addressing.
#[derive(Clone, Debug)]
struct Vocabulary {
    /// Hash and row; row 0 where there is nothing.
    slots: Vec<(u32, u32)>,
}

impl Vocabulary {
    fn new(hashes: &[u32]) -> Self {
        let mut slots = vec![(0, 0); (hashes.len() * 2).next_power_of_two().max(2)];
        let last = slots.len() - 1;
        for (row, hash) in hashes.iter().enumerate().skip(1) {
            let mut at = *hash as usize & last;
            while slots[at].1 != 0 && slots[at].0 != *hash {
                at = (at + 1) & last;
            }
            if slots[at].1 == 0 {
                slots[at] = (*hash, row as u32);
            }
        }
        Self { slots }
    }

    /// The row of a word; 0, the unknown word, when there is none.
    fn row(&self, hash: u32) -> usize {
        let last = self.slots.len() - 1;
        let mut at = hash as usize & last;
        loop {
            let (found, row) = self.slots[at];
            if row == 0 || found == hash {
                return row as usize;
            }
            at = (at + 1) & last;
        }
    }
}

/// What the network says of one word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Part of speech.
    pub upos: Upos,
    /// Fine part of speech.
    pub xpos: Xpos,
    /// Number of the head within the sentence, counted from 1; 0 for the root.
    pub head: u32,
    /// Relation to the head.
    pub relation: Relation,
    /// Probability of the part of speech.
    pub tag_confidence: f32,
    /// Probability of the head, times that of the relation.
    pub arc_confidence: f32,
}

/// Memory that is used again from sentence to sentence; no more than the longest one needs.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    normal: Vec<char>,
    input: Vec<f32>,
    rounded: Vec<i32>,
    products: Vec<i32>,
    fresh: Vec<i32>,
    waiting: Vec<(usize, usize)>,
    output: Vec<f32>,
    last: Vec<f32>,
    top: Vec<f32>,
    dependents: Vec<f32>,
    queries: Vec<f32>,
    far: Vec<f32>,
    keys: Vec<f32>,
    key_panels: Packed,
    likeness: Vec<f32>,
    scores: Vec<f32>,
    chances: Vec<f32>,
    hidden: Vec<f32>,
    heads: Vec<u32>,
    /// What was found, a reading a word.
    pub readings: Vec<Reading>,
}

impl Network {
    /// Reads a model file.
    ///
    /// # Errors
    /// When the bytes are no sound grammar model of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let inside = |what| ModelError::Inside { what };
        let mut reader = Reader::new(file::open(bytes, NAME, VERSION)?);
        let mut next = || reader.u16().map(usize::from);
        let (input, hidden, layers, arc, label) = (next()?, next()?, next()?, next()?, next()?);
        let tags = named_all(&reader.texts()?, Upos::of).ok_or(inside("parts of speech"))?;
        let fine_tags = named_all(&reader.texts()?, Xpos::of).ok_or(inside("fine parts of speech"))?;
        let labels = named_all(&reader.texts()?, Relation::of).ok_or(inside("relations"))?;
        let (tag_count, fine_count, label_count) = (tags.len(), fine_tags.len(), labels.len());
        let sizes =
            Sizes { input, hidden, layers, arc, label, tags: tag_count, fine_tags: fine_count, labels: label_count };
        let narrow = |size: usize| size > 0 && size <= WIDTH_MAX && size.is_multiple_of(LANES);
        let fits = [input, hidden, arc, label].into_iter().all(narrow) && (1..=8).contains(&layers);
        if !fits || tag_count == 0 || fine_count == 0 || label_count == 0 {
            return Err(inside("widths"));
        }
        let hashes: Vec<u32> = (0..reader.u32()?).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        let (word, affix, shape) = (reader.table(input)?, reader.table(input)?, reader.table(input)?);
        let rows = [word.scales.len(), affix.scales.len(), shape.scales.len()];
        if hashes.len() < 2 || rows != [hashes.len(), AFFIX_ROWS as usize, SHAPE_ROWS as usize] {
            return Err(inside("rows of a table"));
        }
        let mut dense = Vec::new();
        for length in Weights::lengths(&sizes) {
            let part = reader.reals()?;
            if part.len() != length {
                return Err(inside("length of a matrix"));
            }
            dense.push(part);
        }
        reader.finish()?;
        let mut dense = dense.into_iter();
        let mut part = || dense.next().unwrap_or_default();
        let input_bias = part();
        // The vector of a word is cut at 16; each layer adds numbers between -1 and 1.
        let layer = |weights: Vec<f32>, bias: Vec<f32>, index: usize| Layer {
            weights: Whole::new(&weights, sizes.layer_input(index), bias.len()),
            bias,
            input_scale: if index == 0 { INPUT_MAX / 16.0 } else { INPUT_MAX / index as f32 },
        };
        let encoder = (0..layers).map(|index| layer(part(), part(), index)).collect();
        Ok(Self {
            tags,
            fine_tags,
            labels,
            vocabulary: Vocabulary::new(&hashes),
            word,
            affix,
            shape,
            input_bias,
            layers: encoder,
            common: vec![OnceLock::new(); COMMON_MAX.min(hashes.len())],
            top: layer(part(), part(), layers),
            arc: Packed::new(&part(), arc, arc),
            distance: Packed::new(&part(), arc, BUCKETS),
            label_distance: part(),
            label: Packed::new(&part(), label, sizes.label_outputs()),
            label_bias: part(),
            sizes,
        })
    }

    /// Tags and parses a sentence; the readings are left in the scratch, in the words' order.
    /// Sentences of more than [`WORDS_MAX`] words are read in pieces that hang on the first.
    pub fn read(&self, forms: &[&str], scratch: &mut Scratch) {
        scratch.readings.clear();
        let writing = Writing::of(forms.iter().copied());
        let mut root = 0;
        for (index, piece) in forms.chunks(WORDS_MAX).enumerate() {
            let before = (index * WORDS_MAX) as u32;
            self.read_piece(piece, writing, before == 0, scratch);
            for (at, reading) in scratch.readings.iter_mut().enumerate().skip(before as usize) {
                if reading.head > 0 {
                    reading.head += before;
                } else if before == 0 {
                    root = at as u32 + 1;
                } else {
                    (reading.head, reading.relation) = (root, Relation::Parataxis);
                }
            }
        }
    }

    fn read_piece(&self, forms: &[&str], writing: Writing, opens: bool, scratch: &mut Scratch) {
        self.encode(forms, writing, opens, scratch);
        self.score_arcs(forms.len(), scratch);
        parser::tree(&scratch.scores, forms.len(), &mut scratch.heads);
        wide(
            #[inline(always)]
            || self.choose(forms.len(), scratch),
        );
    }

    /// Tags, relations and probabilities, once the tree is known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn choose(&self, words: usize, scratch: &mut Scratch) {
        let (sizes, width) = (&self.sizes, self.sizes.top());
        for word in 1..=words {
            let head = scratch.heads.get(word - 1).copied().unwrap_or_default();
            let arcs = &scratch.scores[(word - 1) * (words + 1)..word * (words + 1)];
            let head_chance = chance(arcs, head as usize);
            let row = &scratch.top[word * width..(word + 1) * width];
            let tags = &row[2 * sizes.arc + 2 * sizes.label..];
            let (tags, rest) = tags.split_at(sizes.tags);
            let xpos = self.fine_tags[largest(&rest[..sizes.fine_tags])];
            let tag = largest(tags);
            let (upos, tag_confidence) = (self.tags[tag], chance(tags, tag));
            self.score_labels(word, head as usize, scratch);
            let label = largest(&scratch.chances);
            let arc_confidence = head_chance * chance(&scratch.chances, label);
            let relation = self.labels[label];
            scratch.readings.push(Reading { upos, xpos, head, relation, tag_confidence, arc_confidence });
        }
    }

    /// Word rows → the top of the network, the root first.
    fn encode(&self, forms: &[&str], writing: Writing, opens: bool, scratch: &mut Scratch) {
        let sizes = &self.sizes;
        let rows = forms.len() + 1;
        // Products run four rows at a time, so there are always whole fours.
        let room = rows.next_multiple_of(4);
        self.first_products(forms, writing, opens, scratch);
        for (index, layer) in self.layers.iter().enumerate() {
            scratch.output.clear();
            scratch.output.resize(room * 2 * sizes.hidden, 0.0);
            if index > 0 {
                layer.product(&scratch.input, &mut scratch.rounded, &mut scratch.products);
                scratch.output.copy_from_slice(&scratch.input);
            }
            wide(
                #[inline(always)]
                || recur(layer, sizes.hidden, rows, scratch),
            );
            std::mem::swap(&mut scratch.input, &mut scratch.output);
        }
        self.top.product(&scratch.input, &mut scratch.rounded, &mut scratch.products);
        scratch.top.resize(room * sizes.top(), 0.0);
        wide(
            #[inline(always)]
            || {
                let scale = self.top.output_scale();
                let rows = scratch.top.chunks_exact_mut(sizes.top()).zip(scratch.products.chunks_exact(sizes.top()));
                for (row, products) in rows {
                    for ((value, product), bias) in row.iter_mut().zip(products).zip(&self.top.bias) {
                        *value = *product as f32 * scale + bias;
                    }
                    for value in &mut row[..2 * sizes.arc] {
                        *value = value.max(0.0);
                    }
                }
            },
        );
    }

    /// The products of the first layer, which see one word at a time.
    fn first_products(&self, forms: &[&str], writing: Writing, opens: bool, scratch: &mut Scratch) {
        let Some(layer) = self.layers.first() else { return };
        let (width, input) = (layer.weights.outputs, self.sizes.input);
        scratch.products.resize((forms.len() + 1).next_multiple_of(4) * width, 0);
        scratch.input.clear();
        scratch.waiting.clear();
        for index in 0..=forms.len() {
            let form = index.checked_sub(1).and_then(|word| forms.get(word));
            let (row, shape) = match form {
                None => (1, form::ROOT_SHAPE),
                Some(form) => {
                    let (word, shape) = form::word(form, writing, opens && index == 1, &mut scratch.normal);
                    (self.vocabulary.row(word), shape)
                }
            };
            let usual = shape == form::ROOT_SHAPE || form::is_usual(shape);
            let place = if usual && row > 0 && row < self.common.len() { row } else { 0 };
            if let Some(known) = self.common.get(place).filter(|_| place > 0).and_then(OnceLock::get) {
                scratch.products[index * width..][..width].copy_from_slice(known);
                continue;
            }
            let affixes = if form.is_some() { form::affixes(&scratch.normal) } else { [0; form::AFFIXES] };
            let start = scratch.input.len();
            scratch.input.resize(start + input, 0.0);
            let sum = &mut scratch.input[start..];
            let features = Rows { word: 0, affixes, shape };
            wide(
                #[inline(always)]
                || self.embed(row, &features, sum),
            );
            scratch.waiting.push((index, place));
        }
        scratch.input.resize(scratch.waiting.len().next_multiple_of(4) * input, 0.0);
        layer.product(&scratch.input, &mut scratch.rounded, &mut scratch.fresh);
        for ((index, place), fresh) in scratch.waiting.iter().zip(scratch.fresh.chunks_exact(width)) {
            scratch.products[index * width..][..width].copy_from_slice(fresh);
            if *place > 0 {
                // Another thread may have been first, with the same numbers.
                let _ = self.common[*place].set(fresh.into());
            }
        }
    }

    /// The vector of one word.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn embed(&self, row: usize, features: &Rows, sum: &mut [f32]) {
        sum.copy_from_slice(&self.input_bias);
        self.word.add_row(row, sum);
        self.shape.add_row(features.shape as usize, sum);
        for affix in features.affixes {
            self.affix.add_row(affix as usize, sum);
        }
        for value in sum {
            *value = value.max(0.0);
        }
    }

    /// Scores of all heads, a row a word.
    fn score_arcs(&self, words: usize, scratch: &mut Scratch) {
        let (sizes, width) = (&self.sizes, self.sizes.top());
        let size = words + 1;
        let room = words.next_multiple_of(4);
        scratch.keys.clear();
        scratch.dependents.clear();
        for (index, row) in scratch.top.chunks_exact(width).take(size).enumerate() {
            scratch.keys.extend_from_slice(&row[sizes.arc..2 * sizes.arc]);
            if index > 0 {
                scratch.dependents.extend_from_slice(&row[..sizes.arc]);
            }
        }
        scratch.dependents.resize(room * sizes.arc, 0.0);
        scratch.queries.clear();
        scratch.queries.resize(room * sizes.arc, 0.0);
        self.arc.add_product(&scratch.dependents, &mut scratch.queries);
        scratch.far.clear();
        scratch.far.resize(room * BUCKETS, 0.0);
        self.distance.add_product(&scratch.dependents, &mut scratch.far);
        scratch.key_panels.fill_transposed(&scratch.keys, sizes.arc, size);
        scratch.likeness.clear();
        scratch.likeness.resize(room * scratch.key_panels.outputs, 0.0);
        scratch.key_panels.add_product(&scratch.queries, &mut scratch.likeness);
        scratch.scores.clear();
        let products = scratch.likeness.chunks_exact(scratch.key_panels.outputs);
        for (word, (products, far)) in products.zip(scratch.far.chunks_exact(BUCKETS)).take(words).enumerate() {
            let scores = products[..size].iter().enumerate();
            scratch.scores.extend(scores.map(|(head, score)| score + far[bucket(word + 1, head)]));
            scratch.scores[word * size + word + 1] = f32::NEG_INFINITY;
        }
    }

    /// Scores of the relations of one arc, into the chances.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
    fn score_labels(&self, word: usize, head: usize, scratch: &mut Scratch) {
        let (sizes, width) = (&self.sizes, self.sizes.top());
        let own = &scratch.top[word * width + 2 * sizes.arc..][..sizes.label];
        let other = &scratch.top[head * width + 2 * sizes.arc + sizes.label..][..sizes.label];
        let far = &self.label_distance[bucket(word, head) * sizes.label..][..sizes.label];
        scratch.hidden.clear();
        let sums = own.iter().zip(other).zip(far);
        scratch.hidden.extend(sums.map(|((own, other), far)| (own + other + far).max(0.0)));
        scratch.chances.clear();
        scratch.chances.extend_from_slice(&self.label_bias);
        self.label.add_product(&scratch.hidden, &mut scratch.chances);
        scratch.chances.truncate(sizes.labels);
    }
}

/// The recurrence over a sentence, in both directions; gates are candidate, forget and output.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the wide instructions")]
fn recur(layer: &Layer, hidden: usize, rows: usize, scratch: &mut Scratch) {
    let scale = layer.output_scale();
    for direction in 0..2 {
        let bias = &layer.bias[direction * 3 * hidden..][..3 * hidden];
        let (candidate_bias, rest) = bias.split_at(hidden);
        let (forget_bias, open_bias) = rest.split_at(hidden);
        scratch.last.clear();
        scratch.last.resize(hidden, 0.0);
        let last = &mut scratch.last[..hidden];
        for step in 0..rows {
            let row = if direction == 0 { step } else { rows - 1 - step };
            let gates = &scratch.products[(2 * row + direction) * 3 * hidden..][..3 * hidden];
            let (candidate, rest) = gates.split_at(hidden);
            let (forget, open) = rest.split_at(hidden);
            let output = &mut scratch.output[(2 * row + direction) * hidden..][..hidden];
            for unit in 0..hidden {
                let candidate = tanh(candidate[unit] as f32 * scale + candidate_bias[unit]);
                let forget = sigmoid(forget[unit] as f32 * scale + forget_bias[unit]);
                let open = sigmoid(open[unit] as f32 * scale + open_bias[unit]);
                last[unit] = candidate + forget * (last[unit] - candidate);
                output[unit] += open * last[unit];
            }
        }
    }
}

fn named_all<T>(names: &[String], of: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    names.iter().map(|name| of(name)).collect()
}

//! Word vectors from raw text: which words stand one and two places before and after.
//!
//! Positive pointwise mutual information with the commonest words at each of four places, its
//! dominant subspace by orthogonal iteration (Bullinaria and Levy 2012; Ling et al. 2015 for
//! telling the places apart). Words with like neighbours get like vectors, and that is what a
//! parser wants to know of a word it never saw in a treebank.

use std::{collections::HashMap, path::Path};

use copydesk::model::{form, matrix};

use crate::data::{self, Outcome, Random};

/// Commonest words whose places are counted.
const CONTEXTS: usize = 2_000;
const PLACES: [isize; 4] = [-2, -1, 1, 2];
const ROUNDS: usize = 8;

/// Words and their vectors, row by row.
pub(crate) struct Vectors {
    pub(crate) words: Vec<String>,
    pub(crate) values: Vec<f32>,
}

/// Tokens of raw text in the manner of the treebanks, normalised.
pub(crate) fn rough_tokens(text: &str, mut emit: impl FnMut(&[char])) {
    let mut normal = Vec::new();
    for piece in text.split_whitespace() {
        form::normalise(piece, &mut normal);
        let mut rest = &normal[..];
        while let Some((first, after)) = rest.split_first() {
            if first.is_alphanumeric() || (*first == '\'' && after.first().is_some_and(|next| next.is_alphanumeric())) {
                break;
            }
            emit(&rest[..1]);
            rest = after;
        }
        let mut end = rest.len();
        while end > 0 && !rest[end - 1].is_alphanumeric() {
            let abbreviation = rest[end - 1] == '.' && rest[..end - 1].contains(&'.');
            if abbreviation || end == 2 && rest[1] == '.' {
                break;
            }
            end -= 1;
        }
        let (word, tail) = rest.split_at(end);
        inner_tokens(word, &mut emit);
        for mark in tail.chunks(1) {
            emit(mark);
        }
    }
}

fn inner_tokens(word: &[char], emit: &mut impl FnMut(&[char])) {
    let mut start = 0;
    for at in 1..word.len() {
        let cut = match &word[at..] {
            ['n', '\'', 't'] | ['\'', 's' | 'd' | 'm'] | ['\'', 'r' | 'v', 'e'] | ['\'', 'l', 'l'] => at,
            ['-', next, ..] if next.is_alphabetic() && word[at - 1].is_alphabetic() => {
                emit(&word[start..at]);
                emit(&word[at..=at]);
                start = at + 1;
                continue;
            }
            _ => continue,
        };
        if cut > start {
            emit(&word[start..cut]);
            emit(&word[cut..]);
            return;
        }
    }
    if start < word.len() {
        emit(&word[start..]);
    }
}

/// Counts words and their neighbours in `raw` and `more`, and reduces.
pub(crate) fn train(raw: &Path, more: &[Vec<String>], words_max: usize, width: usize) -> Outcome<Vectors> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut stream: Vec<u32> = Vec::new();
    let mut word = String::new();
    let mut take = |characters: &[char], stream: &mut Vec<u32>| {
        word.clear();
        word.extend(characters);
        let number = if let Some(number) = numbers.get(&word) {
            *number
        } else {
            names.push(word.clone());
            numbers.insert(word.clone(), names.len() as u32 - 1);
            names.len() as u32 - 1
        };
        stream.push(number);
    };
    for path in data::files_of(raw, ".jsonl.gz")? {
        for line in data::text_of(&path)?.lines() {
            let document: serde_json::Value = serde_json::from_str(line)?;
            for paragraph in document["text"].as_str().unwrap_or_default().lines() {
                rough_tokens(paragraph, |characters| take(characters, &mut stream));
                stream.push(u32::MAX);
            }
        }
    }
    let mut normal = Vec::new();
    for sentence in more {
        for word in sentence {
            form::normalise(word, &mut normal);
            take(&normal, &mut stream);
        }
        stream.push(u32::MAX);
    }
    let mut counts = vec![0_u32; names.len()];
    for word in stream.iter().filter(|word| **word != u32::MAX) {
        counts[*word as usize] += 1;
    }
    let mut order: Vec<u32> = (0..names.len() as u32).collect();
    order.sort_by_key(|word| (std::cmp::Reverse(counts[*word as usize]), &names[*word as usize]));
    order.truncate(words_max);
    order.retain(|word| counts[*word as usize] >= 4);
    let mut ranks = vec![u32::MAX; names.len()];
    for (rank, word) in order.iter().enumerate() {
        ranks[*word as usize] = rank as u32;
    }
    let stream: Vec<u32> = stream.iter().map(|word| ranks.get(*word as usize).copied().unwrap_or(u32::MAX)).collect();
    let rows = order.len();
    eprintln!("vectors: {} running words, {} kept", stream.len(), rows);

    let columns = CONTEXTS.min(rows);
    let mut cells: Vec<Vec<(u32, f32)>> = vec![Vec::new(); rows];
    let mut dense = vec![0_u32; rows * columns];
    for (place, offset) in PLACES.iter().enumerate() {
        dense.fill(0);
        for (at, word) in stream.iter().enumerate() {
            let Some(near) = at.checked_add_signed(*offset).and_then(|near| stream.get(near)) else { continue };
            if (*word as usize) < rows && (*near as usize) < columns {
                dense[*word as usize * columns + *near as usize] += 1;
            }
        }
        let of_row: Vec<f32> = dense.chunks_exact(columns).map(|row| row.iter().sum::<u32>() as f32).collect();
        let mut of_column = vec![0_u32; columns];
        for row in dense.chunks_exact(columns) {
            for (sum, count) in of_column.iter_mut().zip(row) {
                *sum += count;
            }
        }
        // Smoothed as in Levy et al. 2015: counts of contexts to the power of 3/4.
        let smooth: Vec<f32> = of_column.iter().map(|sum| (*sum as f32).sqrt() * (*sum as f32).sqrt().sqrt()).collect();
        let total: f32 = smooth.iter().sum();
        for (row, counts) in dense.chunks_exact(columns).enumerate() {
            for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let ratio = *count as f32 * total / (of_row[row] * smooth[column]);
                if ratio > 1.0 {
                    cells[row].push(((place * columns + column) as u32, matrix::ln(ratio)));
                }
            }
        }
    }
    drop(dense);

    let wide = PLACES.len() * columns;
    let mut random = Random::new(7);
    let mut basis: Vec<f32> = (0..rows * width).map(|_| random.around_zero(1.0)).collect();
    let mut reduced = vec![0.0_f32; wide * width];
    orthonormalise(&mut basis, width);
    for round in 0..ROUNDS {
        reduced.fill(0.0);
        for (row, cells) in cells.iter().enumerate() {
            let from = &basis[row * width..][..width];
            for (column, value) in cells {
                for (to, from) in reduced[*column as usize * width..][..width].iter_mut().zip(from) {
                    *to += value * from;
                }
            }
        }
        if round + 1 == ROUNDS {
            break;
        }
        basis.fill(0.0);
        for (row, cells) in cells.iter().enumerate() {
            let to = &mut basis[row * width..][..width];
            for (column, value) in cells {
                for (to, from) in to.iter_mut().zip(&reduced[*column as usize * width..][..width]) {
                    *to += value * from;
                }
            }
        }
        orthonormalise(&mut basis, width);
    }
    let mut strength = vec![0.0_f32; width];
    for row in reduced.chunks_exact(width) {
        for (strength, value) in strength.iter_mut().zip(row) {
            *strength += value * value;
        }
    }
    for row in basis.chunks_exact_mut(width) {
        let mut norm = 1e-12;
        for (value, strength) in row.iter_mut().zip(&strength) {
            *value *= strength.sqrt().sqrt();
            norm += *value * *value;
        }
        let factor = (width as f32 / norm).sqrt() * 0.5;
        for value in row {
            *value *= factor;
        }
    }
    Ok(Vectors { words: order.iter().map(|word| names[*word as usize].clone()).collect(), values: basis })
}

/// Makes the columns of a tall matrix orthonormal (modified Gram–Schmidt).
fn orthonormalise(matrix: &mut [f32], width: usize) {
    for column in 0..width {
        let mut square = 0.0_f64;
        for row in matrix.chunks_exact(width) {
            square += f64::from(row[column]) * f64::from(row[column]);
        }
        let factor = (1.0 / square.sqrt().max(1e-30)) as f32;
        let mut products = vec![0.0_f32; width];
        for row in matrix.chunks_exact_mut(width) {
            row[column] *= factor;
            let value = row[column];
            for (product, other) in products[column + 1..].iter_mut().zip(&row[column + 1..]) {
                *product += value * other;
            }
        }
        for row in matrix.chunks_exact_mut(width) {
            let value = row[column];
            for (other, product) in row[column + 1..].iter_mut().zip(&products[column + 1..]) {
                *other -= value * product;
            }
        }
    }
}

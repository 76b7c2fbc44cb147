//! The statistical models: features, weights, decoding. Their trainer is `train/`.
//!
//! A model is read from bytes once ([`mod@file`] checks them) and is immutable afterwards; one model
//! serves every thread, each with its own scratch. Everything is computed with additions,
//! multiplications, divisions and square roots of `f32` in a fixed order, so every machine
//! comes to the same decisions.

pub mod crf;
pub mod file;
pub mod form;
pub mod lemma;
pub mod matrix;
pub mod network;
pub mod parser;
pub mod tagger;

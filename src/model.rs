//! The statistical models: containers, weights, decoding. No training code.

pub mod container;
pub mod crf;

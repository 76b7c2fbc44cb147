//! What the desk knows of the world's places: compiled in, read-only, no story in it.
//!
//! [`index`] has towns, regions, waters, mountains and sites by name. [`countries`] has the countries with their codes, names, capitals and demonyms. Where the facts
//! come from, and under which licences, is in `docs/GAZETTEER.md`.
//! [`lists`] reads the gazetteers and watch lists of whoever runs the desk.
//!
//! Does not decide which place a story means: that is the work of `extract::places`.

pub mod countries;
pub mod index;
pub mod lists;

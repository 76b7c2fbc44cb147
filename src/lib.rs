//! copydesk, a copy desk for machines: raw news-wire stories in, enriched records out.
//!
//! ```
//! use copydesk::{decode::Hints, extract::Desk};
//!
//! let desk = Desk::new();
//! let wire = "LONDON, March 3 (Example News) - The ministry said it would appeal.\n";
//! let record = desk.read_bytes(wire.as_bytes(), &Hints::default()).expect("plain text decodes");
//! assert_eq!(record.text, wire);
//! ```
//!
//! The package has two halves. The **desk** (this library without the `service` feature) is pure:
//! bytes go in, a [`record::Record`] comes out, and nothing in between reads a clock, a file, a
//! socket or the environment. Bad input gives anomalies in the record or a
//! [`decode::DecodeError`], never a panic. The **service** (feature `service`) subscribes to NATS
//! JetStream, limits, schedules, publishes and acknowledges; it knows nothing about language.
//!
//! Data moves one way: [`decode`] → [`extract`] → [`record`]. `docs/ARCHITECTURE.md` is the map.

pub mod conllu;
pub mod decode;
pub mod extract;
pub mod gazetteer;
pub mod lineage;
pub mod record;
pub mod story;
pub mod text;

pub use copydesk_model as model;

#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod service;

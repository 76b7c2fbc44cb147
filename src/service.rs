//! The service.
/// What an operator can set.
pub mod config;

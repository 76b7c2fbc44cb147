#![no_main]

use copydesk::story::Format;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz_targets/mod.rs"]
mod fuzz_targets;

fuzz_target!(|input: &[u8]| fuzz_targets::target(input, Some(Format::Envelope)));

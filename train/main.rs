//! Trains the models in `data/models` from openly licensed data. `train/README.md` has the commands.

use std::process::ExitCode;

mod data;
mod grammar;
mod names;
mod network;
mod vectors;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((command, rest)) if command == "grammar" => grammar::run(rest),
        Some((command, rest)) if command == "lemma" => grammar::lemma(rest),
        Some((command, rest)) if command == "names" => names::run(rest),
        Some((command, rest)) if command == "parse" => grammar::parse(rest),
        Some((command, rest)) if command == "speed" => grammar::speed(rest),
        _ => Err("usage: train grammar|lemma|names|parse|speed …; see train/README.md".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train: {error}");
            ExitCode::FAILURE
        }
    }
}

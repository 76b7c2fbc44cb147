//! Trains the models in `data/models` from openly licensed data. `train/README.md` has the commands.

use std::process::ExitCode;

mod names;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((command, rest)) if command == "names" => names::run(rest),
        _ => Err("usage: train names …; see train/README.md".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train: {error}");
            ExitCode::FAILURE
        }
    }
}

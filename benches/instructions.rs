//! One stage, so many times, and nothing else: what `scripts/instructions.sh` counts.
//!
//! `instructions STAGE TIMES` prints the words of one pass. The counts of two runs of different
//! length differ by the passes alone: start and loading cancel out.

use std::hint::black_box;

mod prepared;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next().and_then(|times| times.parse().ok())) else {
        // `cargo bench` without a choice of benchmark comes by as well.
        return;
    };
    let times: usize = times;
    let stories = prepared::stories();
    let (_, stage) = prepared::STAGES.into_iter().find(|(known, _)| *known == name).expect("a stage");
    for _ in 0..times {
        for one in &stories {
            black_box(stage(one));
        }
    }
    println!("{}", prepared::words(&stories));
}

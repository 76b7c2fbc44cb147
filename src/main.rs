//! The `copydesk` binary.
use std::io::{BufRead, Write};

use copydesk::{decode::Hints, extract::Desk};

fn main() {
    let desk = Desk::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let line = match desk.read_bytes(line.as_bytes(), &Hints::default()) {
            Ok(record) => serde_json::to_string(&record).unwrap_or_default(),
            Err(error) => serde_json::json!({"error": {"code": error.code, "message": error.message}}).to_string(),
        };
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
}

//! What mends a finding, as steps that can be taken as they stand.
//!
//! A step is a command line; where a file has to be changed first, it says the line and the file. What stands behind
//! `#` in a command line is for whoever types it. Workers and servers are restarted as `config/copydesk.service` and
//! the server's own packages have it; under another supervisor it is that one's command. The commands of `nats` were
//! tried with its version 0.4.0 against nats-server 2.12.1.

use serde::Serialize;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What has to stand in a file first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// The command line.
    pub run: String,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// As it has to be.
    pub line: String,
    /// Which file.
    pub file: &'static str,
}

impl Step {
    /// A command line that needs no change of a file.
    pub fn run(command: impl Into<String>) -> Self {
        Self { edit: None, run: command.into() }
    }

    /// A key of the workers' configuration, and its value; it holds after a restart.
    pub fn configure(line: impl Into<String>) -> Self {
        let run = "copydesk config check && systemctl restart copydesk   # one worker after the other";
        Self { edit: Some(Edit { line: line.into(), file: "the workers' configuration" }), run: run.to_owned() }
    }

    /// A line in the server's `jetstream` block. nats-server does not take these up by a reload (tried with 2.12.1).
    pub fn serve(line: impl Into<String>) -> Self {
        let run = "systemctl restart nats-server   # one node after the other; a reload does not take it up";
        Self { edit: Some(Edit { line: line.into(), file: "the server's `jetstream` block" }), run: run.to_owned() }
    }

    /// Another version of the server.
    pub fn update_server(version: &str) -> Self {
        Self::run(format!(
            "systemctl restart nats-server   # one node after the other, with {version} or newer installed"
        ))
    }

    /// Starts what does not run.
    pub fn start_worker() -> Self {
        Self::run("systemctl start copydesk   # or copydesk run --config FILE")
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.edit {
            Some(Edit { line, file }) => write!(f, "{line} in {file}, then: {}", self.run),
            None => f.write_str(&self.run),
        }
    }
}

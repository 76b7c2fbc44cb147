//! `copydesk doctor`: is a live deployment as the promise needs it?

use std::{io::Write, net::SocketAddr, process::ExitCode};

use super::{Asked, Unreachable, ask};
use crate::service::doctor::{Finding, Outside, Severity, examine};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 all is well (notes do not count), 1 warnings or failures, 69 the broker cannot be \
                        asked. Nothing is changed."
)]
pub(super) struct Arguments {
    /// A worker's HTTP port, for its metrics and its readiness; `http.listen` on this machine when left out
    #[arg(long, value_name = "URL")]
    worker: Option<String>,
    /// The server's monitoring, such as http://broker:8222: how it writes to the disk, and how many workers
    /// are connected
    #[arg(long, value_name = "URL")]
    monitor: Option<String>,
    /// How many workers share the inputs
    #[arg(long, value_name = "COUNT")]
    workers: Option<u64>,
    /// Leave out the findings of this check, such as fsync; may be given several times
    #[arg(long, value_name = "CHECK")]
    ignore: Vec<String>,
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(look(arguments))
}

async fn look(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.asked.settings.load()?;
    let mut outside = Outside { workers: arguments.workers, ..Outside::default() };
    let worker = match &arguments.worker {
        Some(url) => Some(ask::there(url)?),
        None => ask::here(&config.http.listen).ok().filter(|address| address.port() != 0),
    };
    let body = |address: SocketAddr, path: &str| ask::get(address, path).ok();
    if let Some(address) = worker {
        outside.metrics = body(address, "/metrics").filter(|(status, _)| *status == 200).map(|(_, text)| text);
        outside.ready = body(address, "/readyz").map(|(status, words)| (status == 200, words));
        if arguments.worker.is_some() && outside.ready.is_none() {
            outside.ready = Some((false, format!("no answer from {address}")));
        }
    }
    if let Some(url) = &arguments.monitor {
        let address = ask::there(url)?;
        let json = |path| {
            let answer: anyhow::Result<serde_json::Value> =
                ask::get(address, path).and_then(|(_, body)| Ok(serde_json::from_str(&body)?));
            answer.map_err(|error| Unreachable { urls: url.clone(), why: format!(": {error:#}") })
        };
        outside.varz = Some(json("/varz")?);
        // Before this command has a connection of its own, which has the name of a worker's.
        outside.connz = Some(json("/connz?limit=4000")?);
    }
    let broker = super::connect(&config).await?;
    let mut found = examine(&broker, &config, &outside).await?;
    found.retain(|finding| !arguments.ignore.iter().any(|ignored| ignored == finding.check));
    let mut out = std::io::stdout().lock();
    if arguments.asked.json {
        for finding in &found {
            writeln!(out, "{}", serde_json::to_string(finding)?)?;
        }
    } else {
        print(&mut out, &found)?;
        if worker.is_none() || outside.ready.is_none() {
            writeln!(out, "no worker was asked: --worker http://host:9464 gives its measurements")?;
        }
    }
    let is_well = !found.iter().any(|finding| finding.severity <= Severity::Warning);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl Write, found: &[Finding]) -> std::io::Result<()> {
    for finding in found.iter().filter(|finding| finding.severity != Severity::Well) {
        writeln!(out, "{:<8} {}  [{}]", word(finding.severity), finding.setting, finding.check)?;
        writeln!(out, "    is   {}", finding.is)?;
        writeln!(out, "    why  {}", finding.why)?;
        for (number, step) in finding.mend.iter().enumerate() {
            writeln!(out, "    {} {step}", if number == 0 { "mend" } else { "    " })?;
        }
    }
    for finding in found.iter().filter(|finding| finding.severity == Severity::Well) {
        writeln!(out, "{:<8} {}: {}", word(finding.severity), finding.setting, finding.is)?;
    }
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let (failures, warnings) = (count(Severity::Failure), count(Severity::Warning));
    match failures + warnings {
        0 => writeln!(out, "ALL WELL  {} checks", found.len()),
        _ => writeln!(out, "{failures} failures, {warnings} warnings"),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Failure => "FAILURE",
        Severity::Warning => "WARNING",
        Severity::Note => "note",
        Severity::Well => "well",
    }
}

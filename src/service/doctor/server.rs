//! The server: its version, how it writes to the disk, and how much room it has.

use std::time::Duration;

use serde_json::Value;

use super::{Finding, Severity};
use crate::service::{broker::version, mend::Step};

pub(super) fn version(server: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(verdict) = version::judge(server) {
        let severity = if verdict.is_too_old { Severity::Failure } else { Severity::Warning };
        let why = "the worker or its operator relies on what is missing";
        let mend = [Step::update_server(version::NAMED)];
        found.push(Finding::bad(severity, "server", "nats-server", verdict.what, why, mend));
    }
    for fault in version::faults(server) {
        let is = format!("{server} has a known fault, mended in {}", fault.mended);
        let mend = [Step::update_server(fault.mended)];
        found.push(Finding::bad(Severity::Warning, "server_faults", "nats-server", is, fault.what, mend));
    }
    if found.is_empty() {
        found.push(Finding::well("server", "nats-server", server.to_owned()));
    }
    found
}

/// How often streams with so many copies are written to the disk.
pub(super) fn sync(streams: &[String], replicas: usize, varz: Option<&Value>) -> Finding {
    let setting = format!("sync_interval of {}", streams.join(", "));
    let why = "what the server has confirmed and not written yet dies with the machine";
    let copies = if replicas == 1 { "one copy".to_owned() } else { format!("{replicas} copies") };
    let Some(varz) = varz else {
        let is = format!("{copies}; how often the server writes to the disk cannot be seen");
        let ask = Step::run("copydesk doctor --monitor http://HOST:8222   # needs `http: 8222` in the server's file");
        return Finding::bad(Severity::Note, "fsync", &setting, is, why, [ask]);
    };
    let config = &varz["jetstream"]["config"];
    let interval = Duration::from_nanos(config["sync_interval"].as_u64().unwrap_or(0));
    let is_always = config["sync_always"].as_bool().unwrap_or(false);
    let written = if is_always { "after each message".to_owned() } else { format!("every {} s", interval.as_secs()) };
    let is = format!("{copies}, written to the disk {written}");
    let always = || Step::serve("sync_interval: always");
    match (replicas, is_always) {
        (_, true) => Finding::well("fsync", &setting, is),
        (1, false) => {
            let edits: Vec<String> =
                streams.iter().map(|stream| format!("nats stream edit {stream} --replicas=3")).collect();
            let copy = Step::run(format!("{}   # on a cluster of three machines", edits.join(" && ")));
            Finding::bad(Severity::Warning, "fsync", &setting, is, why, [always(), copy])
        }
        (_, false) => Finding::bad(Severity::Note, "fsync", &setting, is, why, [always()]),
    }
}

/// How full the server's store is.
pub(super) fn store(varz: &Value) -> Option<Finding> {
    let max = varz["jetstream"]["config"]["max_storage"].as_f64()?;
    let share = varz["jetstream"]["stats"]["storage"].as_f64()? / max.max(1.0);
    let setting = "nats-server: max_file_store";
    let is = format!("{:.0} % of {max:.0} bytes are used", share * 100.0);
    let severity = match share {
        0.95.. => Severity::Failure,
        0.8.. => Severity::Warning,
        _ => return Some(Finding::well("storage", setting, is)),
    };
    let why = "a server without storage takes nothing";
    let mend = [
        Step::serve(format!("max_file_store: {:.0}", max * 2.0)),
        Step::run("nats stream report   # which stream is large; then nats stream purge STREAM --keep=N"),
    ];
    Some(Finding::bad(severity, "storage", setting, is, why, mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varz(config: &str) -> Value {
        serde_json::from_str(config).expect("JSON")
    }

    #[test]
    fn lazy_disks_are_told_with_the_line_that_mends_them() {
        let names = ["S".to_owned(), "T".to_owned()];
        let lazy = varz(r#"{"jetstream": {"config": {"sync_interval": 120000000000}}}"#);
        let always = varz(r#"{"jetstream": {"config": {"sync_interval": 120000000000, "sync_always": true}}}"#);
        let bad = sync(&names, 1, Some(&lazy));
        assert_eq!(bad.severity, Severity::Warning);
        assert!(bad.is.contains("every 120 s"), "{}", bad.is);
        assert_eq!(bad.mend[0].edit.as_ref().map(|edit| edit.line.as_str()), Some("sync_interval: always"));
        assert!(bad.mend[1].run.starts_with("nats stream edit S --replicas=3 && nats stream edit T --replicas=3"));
        assert_eq!(sync(&names, 3, Some(&lazy)).severity, Severity::Note);
        assert_eq!(sync(&names, 1, Some(&always)).severity, Severity::Well);
        assert_eq!(sync(&names, 1, None).severity, Severity::Note, "it cannot be seen");
    }

    #[test]
    fn a_store_that_fills_up_is_told_before_it_is_full() {
        let judge = |used: u64| {
            let varz = serde_json::json!({
                "jetstream": {"config": {"max_storage": 1000}, "stats": {"storage": used}}
            });
            store(&varz).map(|finding| finding.severity)
        };
        assert_eq!(judge(799), Some(Severity::Well));
        assert_eq!(judge(800), Some(Severity::Warning));
        assert_eq!(judge(950), Some(Severity::Failure));
        assert_eq!(store(&varz("{}")), None, "JetStream is off");
    }

    #[test]
    fn a_server_that_is_too_old_or_has_faults_names_the_version_to_install() {
        let old = version("2.7.4");
        assert_eq!(old[0].severity, Severity::Failure);
        assert!(old[0].mend[0].run.contains("with 2.10 or newer installed"), "{:?}", old[0].mend);
        let faulty = version("2.12.1");
        assert!(faulty.iter().any(|one| one.mend[0].run.contains("with 2.12.6 or newer")), "{faulty:?}");
        assert_eq!(version("2.12.6")[0].severity, Severity::Well);
    }
}

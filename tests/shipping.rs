//! What is shipped beside the program, held against the program: ports, keys, subjects, metric names.

#![cfg(feature = "service")]
#![allow(clippy::string_slice, reason = "a test over ASCII files")]

use std::{collections::BTreeSet, path::Path, process::Command};

use copydesk::service::{
    config::{self, Config},
    metrics::{self, Kind},
};
use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The port of `http.listen`.
fn port() -> u64 {
    Config::default().http.listen.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// Fails when a text uses a metric that the worker has not; gives those that it uses.
fn metrics_in(what: &str, text: &str) -> BTreeSet<&'static str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("copydesk_") {
        if text[..at].ends_with(is_name) {
            continue;
        }
        let name = text[at..].split(|c| !is_name(c)).next().unwrap_or_default();
        let known = metrics::ALL.iter().find(|(known, kind, ..)| {
            let parts = ["_bucket", "_sum", "_count"].map(|part| format!("{known}{part}"));
            *known == name && *kind != Kind::Histogram || *kind == Kind::Histogram && parts.iter().any(|p| p == name)
        });
        used.insert(known.unwrap_or_else(|| panic!("{what} uses `{name}`, which the worker does not have")).0);
    }
    assert!(!used.is_empty(), "{what} uses no metric");
    used
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let text = read("config/grafana/copydesk.json");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(dashboard["title"], "copydesk");
    let shown = metrics_in("the dashboard", &text);
    let missing: Vec<_> = metrics::ALL.iter().map(|(name, ..)| *name).filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "not on the dashboard");
}

#[test]
fn alerts_and_dashboard_ask_for_outcomes_that_there_are() {
    let known: BTreeSet<&str> = metrics::Outcome::ALL.iter().map(|outcome| outcome.label()).collect();
    let mut asked = 0;
    for path in ["config/alerts.yml", "config/grafana/copydesk.json"] {
        let text = read(path);
        for (at, name) in text.match_indices("outcome=") {
            let value = text[at + name.len()..].trim_start_matches(['\\', '"']);
            let value = value.split(['\\', '"']).next().unwrap_or_default();
            assert!(known.contains(value), "{path} asks for the outcome {value:?}");
            asked += 1;
        }
    }
    assert!(asked > 0, "no outcome is asked for");
}

#[test]
fn alert_rules_use_metrics_that_exist_and_say_what_to_do() {
    let rules = &yaml("config/alerts.yml")[0];
    let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
    assert!(rules.len() >= 10);
    let guide = read("docs/OPERATIONS.md");
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name");
        metrics_in(name, rule["expr"].as_str().expect("an expression"));
        assert!(rule["annotations"]["action"].is_string(), "{name} does not say what to do");
        assert!(guide.contains(&format!("`{name}`")), "docs/OPERATIONS.md does not explain {name}");
    }
}

#[test]
fn compose_sets_keys_that_exist_and_scrapes_the_port_that_is_served() {
    let compose = &yaml("docker-compose.yml")[0];
    let worker = &compose["services"]["worker"];
    let known: BTreeSet<String> =
        config::keys().iter().map(|key| format!("COPYDESK_{}", key.path.join("_").to_uppercase())).collect();
    for name in worker["environment"].as_object().expect("variables").keys() {
        assert!(known.contains(name), "{name} is no setting");
    }
    assert_eq!(worker["environment"]["COPYDESK_HTTP_LISTEN"], format!("0.0.0.0:{}", port()));
    assert!(worker.get("container_name").is_none() && worker.get("ports").is_none(), "it could not be scaled");
    assert_eq!(worker["read_only"], true);
    assert_eq!(worker["healthcheck"]["test"][1], "copydesk");
    let prometheus = &yaml("config/prometheus.yml")[0];
    let found = &prometheus["scrape_configs"][0]["dns_sd_configs"][0];
    assert_eq!((found["names"][0].as_str(), found["port"].as_u64()), (Some("worker"), Some(port())));
    let mounted = compose["services"].to_string();
    for file in
        ["config/prometheus.yml", "config/alerts.yml", "config/grafana/copydesk.json", "config/nats-server.conf"]
    {
        assert!(mounted.contains(file), "{file} is not mounted");
        read(file);
    }
}

#[test]
fn kubernetes_runs_the_worker_as_it_is() {
    let documents = yaml("config/kubernetes/copydesk.yaml");
    let kind = |name: &str| documents.iter().find(|document| document["kind"] == name).expect("a document").clone();
    let settings = kind("ConfigMap")["data"]["copydesk.toml"].as_str().expect("settings").to_owned();
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("copydesk.toml");
    std::fs::write(&file, settings).expect("written");
    let config = config::Layers { file: Some(file), ..config::Layers::default() }.load().expect("settings that hold");
    assert_eq!(config.http.listen, format!("0.0.0.0:{}", port()));
    let pod = &kind("Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["ports"][0]["containerPort"], port());
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let seconds = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(seconds * 1000 > config.delivery.grace_period_ms);
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
    }
    let scaler = &yaml("config/kubernetes/keda.yaml")[0]["spec"];
    let metadata = &scaler["triggers"][0]["metadata"];
    assert_eq!(metadata["stream"], config.streams.input.name);
    assert_eq!(metadata["consumer"], config.inputs.0["main"].durable);
    assert_eq!(scaler["scaleTargetRef"]["name"], kind("Deployment")["metadata"]["name"]);
}

#[test]
fn the_unit_knows_the_exit_statuses() {
    let unit = read("config/copydesk.service");
    for line in ["SuccessExitStatus=75", "RestartPreventExitStatus=78", "DynamicUser=yes", "ProtectSystem=strict"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_copydesk")).args(arguments).output().expect("runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn completions_and_manual_know_every_command() {
    let page = run(&["man"]);
    assert!(page.contains(".TH copydesk 1"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        for command in ["run", "extract", "publish", "tail", "config", "health", "completions", "man"] {
            assert!(script.contains(command), "{command} is not in the script of {shell}");
            assert!(page.contains(&format!("copydesk\\-{command}(1)")), "{command} is not in the manual");
        }
    }
    let folder = tempfile::tempdir().expect("folder");
    run(&["man", "--folder", folder.path().to_str().expect("text")]);
    assert!(folder.path().join("copydesk-run.1").exists());
}

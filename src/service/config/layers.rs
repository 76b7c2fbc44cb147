//! Defaults, file, environment, flags: one above the other.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// Begins the name of every environment variable that is a setting.
const PREFIX: &str = "COPYDESK_";
/// Names the file; not a setting itself.
const FILE_VARIABLE: &str = "COPYDESK_CONFIG";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what the types say; the message holds line and column.
    #[error("the configuration file {path} is wrong\n{message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// With line, column and the line itself.
        message: String,
    },
    /// An environment variable or a flag is wrong.
    #[error("{origin}: {message}")]
    Setting {
        /// The variable or the flag.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// Values that are well formed and do not go together.
    #[error("the configuration does not hold together:\n{}", .0.iter().map(|w| format!("  - {w}")).collect::<Vec<_>>().join("\n"))]
    Check(Vec<String>),
}

/// Where the layers come from; values, so that a test can give its own.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The file, when one is named.
    pub file: Option<PathBuf>,
    /// Environment variables; only those that begin with `COPYDESK_` are looked at.
    pub environment: Vec<(String, String)>,
    /// `key=value`, from flags.
    pub set: Vec<String>,
}

impl Layers {
    /// File from the flag or from `COPYDESK_CONFIG`, and the process's environment.
    pub fn of_process(file: Option<PathBuf>, set: Vec<String>) -> Self {
        // What is not UTF-8 is told as a wrong value where it is ours, and passed over where it is not.
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment: Vec<_> = std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .filter(|(name, _)| name.starts_with(PREFIX) && !is_service_link(name))
            .collect();
        let named = || environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| PathBuf::from(path));
        Self { file: file.or_else(named), environment, set }
    }

    /// Puts the layers together and checks the whole.
    ///
    /// # Errors
    /// See [`ConfigError`]; each names the file with line and column, the variable, or the flag.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut table = match &self.file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        let keys = keys();
        for (name, value) in &self.environment {
            let Some(variable) = name.strip_prefix(PREFIX).filter(|_| name != FILE_VARIABLE) else { continue };
            let wrong = |message| ConfigError::Setting { origin: format!("environment variable {name}"), message };
            let path = resolve_variable(variable, &keys).ok_or_else(|| wrong("is no setting".to_owned()))?;
            set(&mut table, &path, value, &keys).map_err(wrong)?;
        }
        for assignment in &self.set {
            // The value may be a secret: only the key is ever shown.
            let (key, value) = assignment.split_once('=').unwrap_or((assignment, ""));
            let wrong = |message| ConfigError::Setting { origin: format!("--set {key}"), message };
            if !assignment.contains('=') {
                return Err(wrong("is not of the form key=value".to_owned()));
            }
            let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
            set(&mut table, &path, value, &keys).map_err(wrong)?;
        }
        let config: Config = table.try_into().map_err(|error: toml::de::Error| ConfigError::Setting {
            origin: "environment or flags".to_owned(),
            message: error.message().to_owned(),
        })?;
        match config.check() {
            wrong if wrong.is_empty() => Ok(config),
            wrong => Err(ConfigError::Check(wrong)),
        }
    }
}

/// Kubernetes gives every pod such variables of a service called `copydesk`; they are no settings.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || rest.strip_prefix("PORT_").is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()))
}

/// Reads the file against the types first, so that an error has its line and column.
fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    let wrong = |error: toml::de::Error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() };
    toml::from_str::<Config>(&text).map_err(wrong)?;
    toml::from_str(&text).map_err(wrong)
}

/// A setting: its path and what kind of value it takes. A path element `*` stands for any name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Path elements.
    pub path: Vec<String>,
    /// Whether it takes a text as it stands; otherwise the value is read as TOML.
    pub is_text: bool,
    /// What it means.
    pub description: String,
}

/// Every setting, from the schema of [`Config`], in order.
pub fn keys() -> Vec<Key> {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut keys = Vec::new();
    collect(&schema, &mut Vec::new(), &mut keys);
    keys
}

fn collect(schema: &serde_json::Value, path: &mut Vec<String>, keys: &mut Vec<Key>) {
    let properties = schema.get("properties").and_then(|p| p.as_object());
    let any = schema.get("additionalProperties").filter(|p| p.is_object());
    if properties.is_none() && any.is_none() {
        // What may be left out is one of two: its own kind, or nothing.
        let alternatives = schema.get("anyOf").and_then(|any| any.as_array()).into_iter().flatten();
        let is_text = std::iter::once(schema).chain(alternatives).any(|schema| {
            let kinds = schema.get("type").map(ToString::to_string).unwrap_or_default();
            kinds.contains("string") || schema.get("oneOf").is_some() || schema.get("enum").is_some()
        });
        let description = schema.get("description").and_then(|d| d.as_str()).unwrap_or_default().to_owned();
        keys.push(Key { path: path.clone(), is_text, description });
        return;
    }
    for (name, inner) in properties.into_iter().flatten() {
        path.push(name.clone());
        collect(inner, path, keys);
        path.pop();
    }
    if let Some(inner) = any {
        path.push("*".to_owned());
        collect(inner, path, keys);
        path.pop();
    }
}

/// `NATS_URLS` → `nats.urls`; `INPUTS_FAST_DURABLE` → `inputs.fast.durable`.
fn resolve_variable(variable: &str, keys: &[Key]) -> Option<Vec<String>> {
    let variable = variable.to_ascii_lowercase();
    keys.iter().find_map(|key| {
        let joined = key.path.join("_");
        let Some((before, after)) = joined.split_once('*') else {
            return (joined == variable).then(|| key.path.clone());
        };
        let name = variable.strip_prefix(before)?.strip_suffix(after)?;
        (!name.is_empty())
            .then(|| key.path.iter().map(|e| if e == "*" { name.to_owned() } else { e.clone() }).collect())
    })
}

fn set(table: &mut Table, path: &[String], text: &str, keys: &[Key]) -> Result<(), String> {
    let fits = |key: &&Key| key.path.len() == path.len() && key.path.iter().zip(path).all(|(k, p)| k == "*" || k == p);
    let key = keys.iter().find(fits).ok_or_else(|| format!("there is no setting `{}`", path.join(".")))?;
    let value = if key.is_text {
        Value::String(text.to_owned())
    } else {
        let parsed = toml::from_str::<Table>(&format!("v = {text}")).ok().and_then(|mut t| t.remove("v"));
        // A list of texts may be given as `a,b`.
        let list = || Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect());
        parsed.unwrap_or_else(list)
    };
    let (last, parents) = path.split_last().ok_or("names no setting")?;
    let mut place = table;
    for element in parents {
        let inner = place.entry(element.clone()).or_insert_with(|| Value::Table(Table::new()));
        place = inner.as_table_mut().ok_or_else(|| format!("`{element}` is no table"))?;
    }
    check_alone(path, value.clone())?;
    place.insert(last.clone(), value);
    Ok(())
}

/// Reads one value against the types by itself, so that the error names its own layer.
fn check_alone(path: &[String], value: Value) -> Result<(), String> {
    let nested =
        path.iter().rev().fold(value, |inner, element| Value::Table([(element.clone(), inner)].into_iter().collect()));
    nested.try_into::<Config>().map(drop).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(file: Option<&str>, environment: &[(&str, &str)], set: &[&str]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("c.toml");
        let file = file.map(|text| {
            std::fs::write(&path, text).expect("file");
            path
        });
        let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Layers { file, environment, set: set.iter().map(|s| (*s).to_owned()).collect() }.load()
    }

    #[test]
    fn later_layers_win() {
        let file = "[limits]\nstories_per_second = 5\nstories_burst = 7\n[nats]\nclient_name = \"file\"\n";
        let environment =
            [("COPYDESK_LIMITS_STORIES_PER_SECOND", "6"), ("COPYDESK_NATS_CLIENT_NAME", "environment"), ("HOME", "x")];
        let config = layers(Some(file), &environment, &["nats.client_name=flag"]).expect("loads");
        assert_eq!(config.limits.stories_burst, 7);
        assert!((config.limits.stories_per_second - 6.0).abs() < f64::EPSILON);
        assert_eq!(config.nats.client_name, "flag");
    }

    #[test]
    fn lists_and_named_inputs_can_be_set() {
        let environment = [
            ("COPYDESK_NATS_URLS", "nats://a:1, nats://b:2"),
            ("COPYDESK_INPUTS_MAIN_DURABLE", "desk-1"),
            ("COPYDESK_INPUTS_MAIN_SUBJECT", "wire.raw.slow"),
            ("COPYDESK_STREAMS_OUTPUT_NAME", "OUT"),
            ("COPYDESK_STREAMS_CREATE_MISSING", "false"),
        ];
        let fast = ["subject=wire.raw.fast", "durable=fast", "format=newsml-g2", "packages=follow"];
        let fast = fast.map(|setting| format!("inputs.fast.{setting}"));
        let config = layers(None, &environment, &fast.each_ref().map(String::as_str));
        let config = config.expect("loads");
        assert_eq!(config.nats.urls, ["nats://a:1", "nats://b:2"]);
        assert_eq!(config.inputs.0["main"].durable, "desk-1");
        assert_eq!(config.inputs.0["fast"].subject, "wire.raw.fast");
        assert_eq!(config.inputs.0["fast"].format, Some(crate::story::Format::NewsmlG2));
        assert_eq!(config.inputs.0["fast"].packages, crate::decode::Packages::Follow);
        assert!(!config.streams.create_missing);
    }

    #[test]
    fn errors_say_where() {
        let error = |result: Result<Config, ConfigError>| result.expect_err("wrong").to_string();
        let unknown = error(layers(Some("[nats]\nurls = []\ncolour = 1\n"), &[], &[]));
        assert!(unknown.contains("line 3, column 1") && unknown.contains("colour"), "{unknown}");
        let kind = error(layers(Some("[limits]\nstories_burst = \"many\"\n"), &[], &[]));
        assert!(kind.contains("line 2, column 17"), "{kind}");
        let variable = error(layers(None, &[("COPYDESK_NATS_COLOUR", "1")], &[]));
        assert!(variable.contains("COPYDESK_NATS_COLOUR"), "{variable}");
        let value = error(layers(None, &[("COPYDESK_LIMITS_STORIES_BURST", "many")], &[]));
        assert!(value.contains("COPYDESK_LIMITS_STORIES_BURST"), "{value}");
        assert!(error(layers(None, &[], &["nats.colour=1"])).contains("nats.colour"));
        assert!(error(layers(None, &[], &["nonsense"])).contains("key=value"));
        assert!(error(layers(None, &[], &["limits.stories_burst=0"])).contains("`limits.stories_burst` is 0"));
    }

    #[test]
    fn the_default_file_says_what_the_defaults_are_and_names_every_key() {
        let text = include_str!("../../../config/default.toml");
        let config: Config = toml::from_str(text).expect("config/default.toml is valid");
        assert_eq!(config, Config::default());
        for key in keys() {
            let name = key.path.last().expect("a name");
            let named = text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
            assert!(named, "config/default.toml does not explain `{}`", key.path.join("."));
            assert!(!key.description.is_empty(), "`{}` has no description", key.path.join("."));
        }
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_is_passed_over() {
        for name in
            ["COPYDESK_PORT", "COPYDESK_SERVICE_HOST", "COPYDESK_SERVICE_PORT_HTTP", "COPYDESK_PORT_9464_TCP_ADDR"]
        {
            assert!(is_service_link(name), "{name}");
        }
        assert!(!is_service_link("COPYDESK_NATS_URLS"));
    }

    #[test]
    fn secrets_are_never_printed() {
        let config = layers(None, &[], &["nats.user=u", "nats.password=hunter2"]).expect("loads");
        let shown = toml::to_string(&config).expect("prints");
        assert!(shown.contains("[redacted]") && !shown.contains("hunter2"), "{shown}");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.nats.password.expect("given").expose(), "hunter2");
        let mistyped = layers(None, &[], &["nats.passwrd=hunter2"]).expect_err("no such key").to_string();
        assert!(mistyped.contains("nats.passwrd") && !mistyped.contains("hunter2"), "{mistyped}");
    }
}

//! How the broker is reached: addresses, login, TLS, names.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Secret,
    subjects::{is_name, is_subject},
};

/// How the broker is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nats {
    /// Servers of one cluster, as URLs (`nats://host:port`, `tls://host:port`). Others that the cluster
    /// names are learnt from it.
    pub urls: Vec<String>,
    /// The name that the server's monitoring shows for this connection.
    pub client_name: String,
    /// User name; together with `nats.password`. At most one way to log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of the user. Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Token, where the server asks for one. Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// File that holds the seed of an nkey (`SU…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey_file: Option<PathBuf>,
    /// Credentials file (JWT and nkey seed). Read again at every connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// Transport security.
    pub tls: Tls,
    /// JetStream domain that the streams are in, such as one of a leaf node. Not together with
    /// `nats.api_prefix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jetstream_domain: Option<String>,
    /// Prefix of the JetStream API, where another account exports it; without it, `$JS.API`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_prefix: Option<String>,
    /// Prefix of the subjects that answers come to, where permissions are narrow.
    pub inbox_prefix: String,
    /// Longest wait for one connection attempt; attempts go on without end.
    pub connect_timeout_ms: u64,
    /// Longest pause between two attempts to connect; they double up to it, with jitter.
    pub reconnect_delay_max_ms: u64,
    /// How often the connection is tested; a half-open one is noticed after about three of these.
    pub ping_interval_ms: u64,
    /// Longest wait for an answer of the broker's API.
    pub request_timeout_ms: u64,
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            urls: vec!["nats://127.0.0.1:4222".to_owned()],
            client_name: "copydesk".to_owned(),
            user: None,
            password: None,
            token: None,
            nkey_file: None,
            credentials_file: None,
            tls: Tls::default(),
            jetstream_domain: None,
            api_prefix: None,
            inbox_prefix: "_INBOX".to_owned(),
            connect_timeout_ms: 5_000,
            reconnect_delay_max_ms: 2_000,
            ping_interval_ms: 3000,
            request_timeout_ms: 5_000,
        }
    }
}

/// Transport security.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Whether a connection without TLS is refused. Where a server asks for TLS it is used anyway.
    pub required: bool,
    /// Whether TLS begins before the server says anything (`handshake_first` of the server).
    pub first: bool,
    /// Certificates of the authorities that are trusted, in PEM, instead of those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The worker's own certificate in PEM, where the server asks for one; with `nats.tls.key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// Private key of the worker's own certificate, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Nats {
    /// Prefix of the JetStream API as these settings have it.
    pub fn api(&self) -> String {
        match (&self.api_prefix, &self.jetstream_domain) {
            (Some(prefix), _) => prefix.clone(),
            (None, Some(domain)) => format!("$JS.{domain}.API"),
            (None, None) => "$JS.API".to_owned(),
        }
    }

    /// What no type can say; each finding goes to `must` with its key.
    pub(super) fn check(&self, must: &mut impl FnMut(bool, &str, &str)) {
        must(!self.urls.is_empty(), "nats.urls", "names no server");
        must(
            !self.urls.iter().any(|url| url.contains('@')),
            "nats.urls",
            "holds a login; `nats.user` and `nats.password` are kept secret, an address is not",
        );
        for (time_ms, key) in [
            (self.connect_timeout_ms, "nats.connect_timeout_ms"),
            (self.reconnect_delay_max_ms, "nats.reconnect_delay_max_ms"),
            (self.ping_interval_ms, "nats.ping_interval_ms"),
            (self.request_timeout_ms, "nats.request_timeout_ms"),
        ] {
            must(time_ms >= 100, key, "is below 100");
        }
        must(self.user.is_some() == self.password.is_some(), "nats.password", "and `nats.user` go together");
        let ways =
            [self.user.is_some(), self.token.is_some(), self.nkey_file.is_some(), self.credentials_file.is_some()];
        must(ways.iter().filter(|given| **given).count() <= 1, "nats", "gives more than one way to log in");
        let tls = &self.tls;
        must(
            tls.certificate_file.is_some() == tls.key_file.is_some(),
            "nats.tls.key_file",
            "and `nats.tls.certificate_file` go together",
        );
        must(
            self.jetstream_domain.is_none() || self.api_prefix.is_none(),
            "nats.api_prefix",
            "and `nats.jetstream_domain` exclude each other: a domain is a prefix",
        );
        let is_fixed = |subject: &str| is_subject(subject) && !subject.contains(['*', '>']);
        must(self.jetstream_domain.as_deref().is_none_or(is_name), "nats.jetstream_domain", "is no domain name");
        must(self.api_prefix.as_deref().is_none_or(is_fixed), "nats.api_prefix", "is no subject");
        must(is_fixed(&self.inbox_prefix), "nats.inbox_prefix", "is no subject");
    }
}

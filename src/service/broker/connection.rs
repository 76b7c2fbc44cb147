//! Settings → a connection that comes back by itself, and says what keeps it from coming.
//!
//! A server that refuses (a wrong password, an expired certificate) is asked again without end, as
//! one that is away: an operator mends it, and no worker has to be started again.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Auth, AuthError, ConnectOptions, Event, ServerError, jetstream};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Broker, jitter};
use crate::service::{config::Nats, metrics};

/// Messages that one subscription may hold. Above every permit count: a full channel would drop.
const SUBSCRIPTION_CAPACITY: usize = 131_072;
/// The first pause before another attempt to connect.
const RECONNECT_DELAY_MIN_MS: u64 = 50;
/// How often a trouble that stays the same is told again.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(30);

/// Connects; waits without end for a server, and reconnects without end.
///
/// # Errors
/// A configuration that cannot be used: a file that cannot be read, a URL that is none.
pub async fn connect(nats: &Nats) -> anyhow::Result<Broker> {
    let (tell, connected) = watch::channel(false);
    let closing = CancellationToken::new();
    let signs = Arc::new(Signs::new());
    let mut options = match Login::of(nats) {
        Some(login) => {
            login.sign(b"")?;
            ConnectOptions::with_auth_callback(move |nonce| {
                let signed = login.sign(&nonce).map_err(AuthError::new);
                async move { signed }
            })
        }
        None => ConnectOptions::new(),
    };
    let delay_max = Duration::from_millis(nats.reconnect_delay_max_ms);
    let asked = signs.clone();
    options = options
        .name(&nats.client_name)
        .custom_inbox_prefix(&nats.inbox_prefix)
        .connection_timeout(Duration::from_millis(nats.connect_timeout_ms))
        .ping_interval(Duration::from_millis(nats.ping_interval_ms))
        .request_timeout(Some(Duration::from_millis(nats.request_timeout_ms)))
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .client_capacity(8192)
        .max_reconnects(None)
        .retry_on_initial_connect()
        .reconnect_delay_callback(move |attempts| pause_before(attempts, delay_max))
        // Asked before each round of attempts: the one place that knows why the last ones failed.
        .reconnect_to_server_callback(move |servers, _| {
            for server in &servers {
                if let Some(error) = &server.last_error {
                    asked.cannot_connect(server.addr.as_url_str(), error);
                }
            }
            async { None }
        })
        .event_callback({
            let (signs, closing) = (signs.clone(), closing.clone());
            move |event| {
                follow(&event, &tell, &signs, &closing);
                async {}
            }
        });
    if let (Some(user), Some(password)) = (&nats.user, &nats.password) {
        options = options.user_and_password(user.clone(), password.expose().to_owned());
    }
    if let Some(token) = &nats.token {
        options = options.token(token.expose().to_owned());
    }
    options = with_tls(options, nats)?;
    let client = options
        .connect(nats.urls.as_slice())
        .await
        .map_err(|error| anyhow::anyhow!("cannot connect to {}: {error}", nats.urls.join(", ")))?;
    let jetstream = jetstream::context::ContextBuilder::new()
        .api_prefix(nats.api())
        .timeout(Duration::from_millis(nats.request_timeout_ms))
        .build(client.clone());
    Ok(Broker { client, jetstream, connected, closing, signs, api: nats.api() })
}

fn with_tls(mut options: ConnectOptions, nats: &Nats) -> anyhow::Result<ConnectOptions> {
    let tls = &nats.tls;
    options = options.require_tls(tls.required);
    if tls.first {
        options = options.tls_first();
    }
    // The client reads them at every connection; here only so that a wrong path is told at once.
    for path in [&tls.ca_file, &tls.certificate_file, &tls.key_file].into_iter().flatten() {
        readable(path)?;
    }
    if let Some(path) = &tls.ca_file {
        options = options.add_root_certificates(path.clone());
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate_file, &tls.key_file) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn readable(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))
}

/// The pause before an attempt: none before the first, then doubling to the longest, with jitter.
fn pause_before(attempts: usize, longest: Duration) -> Duration {
    if attempts <= 1 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(RECONNECT_DELAY_MIN_MS << attempts.min(16));
    jitter(doubled.min(longest))
}

/// A login by key: the files are read again at every connection, so that they can be exchanged.
#[derive(Clone, Debug)]
enum Login {
    Nkey(PathBuf),
    Credentials(PathBuf),
}

impl Login {
    fn of(nats: &Nats) -> Option<Self> {
        let nkey = nats.nkey_file.clone().map(Self::Nkey);
        nkey.or_else(|| nats.credentials_file.clone().map(Self::Credentials))
    }

    /// Signs what the server sent.
    fn sign(&self, nonce: &[u8]) -> anyhow::Result<Auth> {
        let (path, text) = match self {
            Self::Nkey(path) | Self::Credentials(path) => (path, readable(path)?),
        };
        let wrong = |what: &str| anyhow::anyhow!("{} holds no {what}", path.display());
        let mut auth = Auth::new();
        let seed = match self {
            Self::Nkey(_) => text.lines().map(str::trim).find(|line| line.starts_with("SU")),
            Self::Credentials(_) => {
                auth.jwt = Some(framed(&text, "USER JWT").ok_or_else(|| wrong("JWT"))?.to_owned());
                framed(&text, "USER NKEY SEED")
            }
        };
        let key = nkeys::KeyPair::from_seed(seed.ok_or_else(|| wrong("nkey seed"))?).map_err(|_| wrong("nkey seed"))?;
        if auth.jwt.is_none() {
            auth.nkey = Some(key.public_key());
        }
        auth.signature = Some(key.sign(nonce).map_err(|_| wrong("nkey seed that can sign"))?);
        Ok(auth)
    }
}

/// What stands between `-----BEGIN NATS <what>-----` and its end.
fn framed<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("-----BEGIN") && line.contains(what))?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

fn follow(event: &Event, tell: &watch::Sender<bool>, signs: &Signs, closing: &CancellationToken) {
    match event {
        Event::Connected => {
            tracing::info!(nats.event = "connected", "connected to the broker");
            signs.connected();
            tell.send_replace(true);
        }
        Event::Disconnected => {
            // A connection that was closed on purpose ends with the same event.
            if closing.is_cancelled() {
                tracing::debug!(nats.event = %event, "left the broker");
            } else {
                tracing::warn!(nats.event = %event, "lost the broker");
                metrics::disconnected();
            }
            tell.send_replace(false);
        }
        Event::Closed => {
            tell.send_replace(false);
        }
        Event::LameDuckMode | Event::Draining => tracing::info!(nats.event = %event, "broker is leaving"),
        // Why attempts fail is told before the next one, with the server's name.
        Event::ClientError(error) => tracing::debug!(nats.event = %error, "an attempt to connect failed"),
        Event::ServerError(ServerError::AuthorizationViolation) => {
            signs.trouble(Kind::Login, "the broker refuses the login", &event.to_string());
        }
        Event::ServerError(ServerError::Other(error)) => {
            let (kind, message) = match Kind::of(error) {
                Kind::Permission => (Kind::Permission, "the account lacks a permission"),
                Kind::Login => (Kind::Login, "the broker refuses the login"),
                kind => (kind, "broker trouble"),
            };
            signs.trouble(kind, message, error);
        }
        Event::SlowConsumer(_) | Event::ServerError(_) => {
            signs.trouble(Kind::SlowConsumer, "broker trouble", &event.to_string());
        }
    }
}

/// Kinds of trouble with the broker: a label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Login,
    Permission,
    Certificate,
    SlowConsumer,
    Unreachable,
    Other,
}

impl Kind {
    fn of(error: &str) -> Self {
        let low = error.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| low.contains(part));
        if has(&["permissions violation"]) {
            Self::Permission
        } else if has(&["authorization", "authentication", "signing nonce", "user jwt", "account"]) {
            Self::Login
        } else if has(&["certificate", "tls", "handshake", "invalid peer", "corrupt message"]) {
            Self::Certificate
        } else if has(&["refused", "timed out", "dns", "unreachable", "reset", "broken pipe", "io error"]) {
            Self::Unreachable
        } else {
            Self::Other
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Permission => "permission",
            Self::Certificate => "certificate",
            Self::SlowConsumer => "slow_consumer",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }
}

/// What was last heard of the broker.
#[derive(Debug)]
pub struct Signs {
    began: Instant,
    /// Milliseconds from `began` to the last answer.
    heard_ms: AtomicU64,
    trouble: Mutex<Option<(String, Instant)>>,
}

impl Signs {
    /// Nothing was heard yet; counted from now.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), heard_ms: AtomicU64::new(0), trouble: Mutex::new(None) }
    }

    /// Notes an answer of the broker.
    pub fn heard(&self) {
        self.heard_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long it has said nothing.
    pub fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    /// The last thing that went wrong since the last connection, in the broker's words.
    pub fn last_trouble(&self) -> Option<String> {
        self.lock().as_ref().map(|(text, _)| text.clone())
    }

    fn connected(&self) {
        self.heard();
        *self.lock() = None;
    }

    fn cannot_connect(&self, server: &str, error: &str) {
        self.trouble(Kind::of(error), "cannot connect to the broker", &format!("{server}: {error}"));
    }

    /// Counts every trouble; tells one that is new, or that has lasted.
    fn trouble(&self, kind: Kind, message: &'static str, error: &str) {
        metrics::broker_error(kind.label());
        let mut last = self.lock();
        let is_old = last.as_ref().is_some_and(|(text, told)| text == error && told.elapsed() < TROUBLE_INTERVAL);
        if !is_old {
            tracing::warn!(kind = kind.label(), error, "{message}");
            *last = Some((error.to_owned(), Instant::now()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, Instant)>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_with_jitter() {
        let longest = Duration::from_secs(2);
        assert_eq!(pause_before(1, longest), Duration::ZERO);
        let mut seen = std::collections::BTreeSet::new();
        for attempts in 2..200 {
            let pause = pause_before(attempts, longest);
            assert!(pause >= Duration::from_millis(100) && pause <= longest, "{pause:?} before attempt {attempts}");
            seen.insert(pause);
        }
        assert!(seen.len() > 100, "attempts of many workers would fall together");
    }

    #[test]
    fn errors_have_their_kinds() {
        for (error, kind) in [
            ("Permissions Violation for Publish to \"wire.enriched.x\"", Kind::Permission),
            ("authorization violation: nats: authorization violation", Kind::Login),
            ("User Authentication Expired", Kind::Login),
            ("IO error: invalid peer certificate: Expired", Kind::Certificate),
            // A server that does not speak TLS where the worker does.
            ("IO error: received corrupt message of type InvalidContentType", Kind::Certificate),
            ("IO error: Connection refused (os error 111)", Kind::Unreachable),
            ("IO error: expected INFO, got nothing", Kind::Unreachable),
            ("Stale Connection", Kind::Other),
        ] {
            assert_eq!(Kind::of(error), kind, "{error}");
        }
    }

    #[test]
    fn credentials_are_read_in_the_form_of_the_tools() {
        let text = "-----BEGIN NATS USER JWT-----\neyJ0.a.b\n------END NATS USER JWT------\n\n\
                    -----BEGIN USER NKEY SEED-----\nSUAIB\n------END USER NKEY SEED------\n";
        assert_eq!(framed(text, "USER JWT"), Some("eyJ0.a.b"));
        assert_eq!(framed(text, "USER NKEY SEED"), Some("SUAIB"));
        assert_eq!(framed("-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------\n", "USER JWT"), None);
    }

    #[test]
    fn a_key_is_made_from_its_file_each_time() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("user.nk");
        let login = Login::Nkey(path.clone());
        assert!(login.sign(b"x").is_err(), "there is no file yet");
        for _ in 0..2 {
            let key = nkeys::KeyPair::new_user();
            std::fs::write(&path, format!("{}\n", key.seed().expect("a seed"))).expect("written");
            let auth = login.sign(b"nonce").expect("signed");
            assert_eq!(auth.nkey, Some(key.public_key()));
            key.verify(b"nonce", &auth.signature.expect("a signature")).expect("its own");
        }
        std::fs::write(&path, "SUnonsense\n").expect("written");
        let error = login.sign(b"x").err().expect("no seed").to_string();
        assert!(error.contains("holds no nkey seed") && !error.contains("nonsense"), "{error}");
    }
}

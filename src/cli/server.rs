//! A private nats-server: loopback, a free port, a store of its own, gone when dropped.
//!
//! For the demo and for tests; nothing that runs in production starts a broker.

use std::{
    fs,
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// A running server.
#[derive(Debug)]
pub struct PrivateServer {
    child: Child,
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// How long a server may take to open its port.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Ports of private servers: below those that systems give to outgoing connections, so that nobody else has one
/// while its server is away.
const PORTS: Range<u16> = 15_000..32_000;
/// How many ports are looked at, and how often a server is started whose port is taken.
const PORT_TRIES: usize = 100;
/// Pause before a server is started again whose port is taken.
const PORT_PAUSE: Duration = Duration::from_millis(100);
/// What the server says of a port that is taken.
const PORT_TAKEN: &str = "address already in use";
/// Largest message, as a deployment would set it: records are larger than stories.
const MAX_PAYLOAD: &str = "8MB";

impl PrivateServer {
    /// Starts a server whose files lie in `folder`. `extra` is added to its configuration.
    ///
    /// # Errors
    /// The program cannot be started, or does not open its port in time.
    pub fn start(binary: &Path, folder: &Path, extra: &str) -> anyhow::Result<Self> {
        Self::start_storing(binary, folder, "", extra)
    }

    /// The same, with `storage` added to the configuration of JetStream.
    ///
    /// # Errors
    /// See [`PrivateServer::start`].
    pub fn start_storing(binary: &Path, folder: &Path, storage: &str, extra: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let config = format!(
            "listen: \"127.0.0.1:-1\"\nmax_payload: {MAX_PAYLOAD}\nports_file_dir: \"{}\"\n\
             jetstream {{ store_dir: \"{}\"\n{storage}\n}}\n{extra}\n",
            folder.display(),
            folder.join("jetstream").display()
        );
        fs::write(folder.join("nats-server.conf"), config)?;
        let port = free_port()?;
        let child = spawn(binary, folder, port)?;
        let mut server = Self { child, binary: binary.to_owned(), folder: folder.to_owned(), port };
        server.wait_for_port(free_port)?;
        Ok(server)
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process at once, as a power cut would; the store stays.
    ///
    /// # Errors
    /// The process cannot be ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port and the same store.
    ///
    /// # Errors
    /// See [`PrivateServer::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let port = self.port;
        self.child = spawn(&self.binary, &self.folder, port)?;
        self.wait_for_port(|| Ok(port))
    }

    /// The server writes its ports into a file of its own when they are open. One whose port was taken meanwhile is
    /// started again, on the `next`.
    fn wait_for_port(&mut self, next: impl Fn() -> anyhow::Result<u16>) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let last = log.lines().next_back().unwrap_or_default();
                tries += 1;
                if tries > PORT_TRIES || !last.contains(PORT_TAKEN) {
                    bail!("nats-server ended at once ({status}): {last}");
                }
                std::thread::sleep(PORT_PAUSE);
                self.port = next()?;
                self.child = spawn(&self.binary, &self.folder, self.port)?;
            }
            let ports = self.folder.join(format!("nats-server_{}.ports", self.child.id()));
            if fs::read_to_string(&ports).ok().and_then(|text| first_port(&text)) == Some(self.port) {
                return Ok(());
            }
            if began.elapsed() > START_TIMEOUT {
                bail!("nats-server did not open its port; its log is {}", self.log().display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the server writes.
    pub fn log(&self) -> PathBuf {
        self.folder.join("nats-server.log")
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// A port that was free a moment ago.
///
/// # Errors
/// Many were tried and none was free.
pub fn free_port() -> anyhow::Result<u16> {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let found = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(PORT_TRIES).find(is_free);
    found.with_context(|| format!("no port between {} and {} is free", PORTS.start, PORTS.end))
}

fn spawn(binary: &Path, folder: &Path, port: u16) -> anyhow::Result<Child> {
    Command::new(binary)
        .arg("-c")
        .arg(folder.join("nats-server.conf"))
        .args(["-l".as_ref(), folder.join("nats-server.log").as_os_str()])
        .args(["-p", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))
}

/// `{"nats":["nats://127.0.0.1:41234"],…}`
fn first_port(ports: &str) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_str(ports).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

/// Takes the caller's settings out of a worker's environment: it runs with its own.
pub fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COPYDESK_") {
            command.env_remove(name);
        }
    }
    command
}

/// A nats-server of version 2.10 or newer: `NATS_SERVER`, the PATH, or `.tools/bin` below the
/// current folder.
///
/// # Errors
/// There is none; the message says how to get one.
pub fn find() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    let tools = std::env::current_dir().ok().map(|here| here.join(".tools/bin/nats-server"));
    let candidates = named.into_iter().chain([PathBuf::from("nats-server")]).chain(tools);
    candidates.into_iter().find(|binary| version(binary).is_some_and(|version| version >= (2, 10))).context(
        "there is no nats-server 2.10 or newer; `scripts/nats-server.sh` installs one, or name it in NATS_SERVER",
    )
}

fn version(binary: &Path) -> Option<(u32, u32)> {
    let output = Command::new(binary).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix("nats-server: v")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

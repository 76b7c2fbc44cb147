//! A private nats-server: loopback, a free port, a store of its own, gone when dropped.
//!
//! For the demo and for tests; nothing that runs in production starts a broker.

use std::{
    fs,
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
const START_TIMEOUT: Duration = Duration::from_secs(20);
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
        let child = spawn(binary, folder, &[])?;
        let mut server = Self { child, binary: binary.to_owned(), folder: folder.to_owned(), port: 0 };
        server.port = server.wait_for_port()?;
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
        self.child = spawn(&self.binary, &self.folder, &["-p", &self.port.to_string()])?;
        self.wait_for_port()?;
        Ok(())
    }

    /// The server writes its ports into a file of its own when they are open.
    fn wait_for_port(&mut self) -> anyhow::Result<u16> {
        let began = Instant::now();
        let ports = self.folder.join(format!("nats-server_{}.ports", self.child.id()));
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let last = log.lines().next_back().unwrap_or_default();
                bail!("nats-server ended at once ({status}): {last}");
            }
            if let Some(port) = fs::read_to_string(&ports).ok().and_then(|text| first_port(&text)) {
                return Ok(port);
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

fn spawn(binary: &Path, folder: &Path, extra: &[&str]) -> anyhow::Result<Child> {
    Command::new(binary)
        .arg("-c")
        .arg(folder.join("nats-server.conf"))
        .args(["-l".as_ref(), folder.join("nats-server.log").as_os_str()])
        .args(extra)
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

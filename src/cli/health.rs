//! `copydesk health`: asks a running worker how it is, for images that have no HTTP client.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};

use super::Settings;

/// Longest wait for the connection, and for each part of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask whether the process is alive (/livez) instead of whether it is ready (/readyz)
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let path = if arguments.live { "/livez" } else { "/readyz" };
    let (is_well, words) = ask(here(&config.http.listen)?, path)?;
    writeln!(std::io::stdout().lock(), "{}", words.trim_end())?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where a worker of this machine listens.
fn here(listen: &str) -> anyhow::Result<SocketAddr> {
    if listen.is_empty() {
        bail!("`http.listen` is empty: the worker answers no questions");
    }
    let mut address: SocketAddr = listen.parse()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

/// Whether the answer is 200, and its words.
fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(bool, String)> {
    let no_answer = || format!("the worker does not answer on {address}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(no_answer)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").with_context(no_answer)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).with_context(no_answer)?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    let words = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Ok((status == "200", words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_listens_everywhere_is_asked_on_the_loopback() {
        for (listen, asked) in
            [("0.0.0.0:9464", "127.0.0.1:9464"), ("[::]:1", "[::1]:1"), ("127.0.0.1:2", "127.0.0.1:2")]
        {
            assert_eq!(here(listen).expect("an address"), asked.parse().expect("an address"));
        }
        assert!(here("").is_err());
    }
}

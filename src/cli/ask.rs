//! One HTTP question to a worker or to the server's monitoring: no client, no TLS, no redirects.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, bail};

/// Longest wait for the connection, and for each part of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where a worker of this machine listens.
pub(super) fn here(listen: &str) -> anyhow::Result<SocketAddr> {
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

/// The address of `http://host:port`, `host:port`, with or without a path that is not looked at.
pub(super) fn there(url: &str) -> anyhow::Result<SocketAddr> {
    if url.starts_with("https://") {
        bail!("{url}: only http can be asked");
    }
    let host = url.strip_prefix("http://").unwrap_or(url).split('/').next().unwrap_or_default();
    let found = host.to_socket_addrs().with_context(|| format!("{url} is no http://host:port"))?.next();
    found.with_context(|| format!("{host} has no address"))
}

/// The status and the body of an answer.
pub(super) fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let no_answer = || format!("no answer from {address}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(no_answer)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").with_context(no_answer)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).with_context(no_answer)?;
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Ok((status.with_context(no_answer)?, body.to_owned()))
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

    #[test]
    fn addresses_are_read_with_and_without_scheme_and_path() {
        for url in ["127.0.0.1:8222", "http://127.0.0.1:8222", "http://127.0.0.1:8222/varz"] {
            assert_eq!(there(url).expect("an address"), "127.0.0.1:8222".parse().expect("an address"), "{url}");
        }
        for url in ["", "https://127.0.0.1:8222", "127.0.0.1"] {
            assert!(there(url).is_err(), "{url}");
        }
    }
}

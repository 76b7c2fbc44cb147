//! Three servers on loopback that keep every stream in three copies.

#![allow(dead_code, reason = "each program uses its own part")]

use std::time::Duration;

use copydesk::{
    cli::server::{self, PrivateServer},
    service::{broker, config::Config},
};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, World, answered, free_port, patient};

/// Three nodes; the first is the world's own server.
pub(crate) struct Cluster {
    pub(crate) world: World,
    others: Vec<PrivateServer>,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

/// The nodes have to know each other's ports beforehand.
fn free_ports() -> Vec<u16> {
    let mut ports = Vec::new();
    while ports.len() < NAMES.len() {
        let port = free_port();
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}

impl Cluster {
    /// Starts the nodes, and waits until they have agreed on who leads.
    pub(crate) async fn start() -> Self {
        Self::start_storing("").await
    }

    /// The same, with `storage` added to the configuration of JetStream.
    pub(crate) async fn start_storing(storage: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = server::find().expect("a nats-server");
        let ports = free_ports();
        let routes: Vec<String> = ports.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let mut nodes: Vec<PrivateServer> = NAMES
            .iter()
            .zip(&ports)
            .map(|(name, port)| {
                let extra = format!(
                    "server_name: {name}\ncluster {{ name: desk, listen: \"127.0.0.1:{port}\", no_advertise: true, \
                     routes: [{}] }}",
                    routes.join(", ")
                );
                PrivateServer::start_storing(&binary, &folder.path().join(name), storage, &extra)
                    .expect("a node starts")
            })
            .collect();
        let urls = nodes.iter().map(PrivateServer::url).collect();
        let config = Config { nats: patient(urls), ..Config::default() };
        let broker = broker::connect(&config.nats).await.expect("a connection");
        broker::wait_connected(&broker, &CancellationToken::new()).await;
        let others = nodes.split_off(1);
        let server = nodes.remove(0);
        let cluster = Self { world: World { server, broker, config, folder }, others };
        let began = std::time::Instant::now();
        while cluster.world.broker.jetstream.query_account().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the nodes do not agree on a leader");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster
    }

    /// What a worker connects to.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.world.config.nats.urls.clone()
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut PrivateServer {
        match NAMES.iter().position(|known| *known == name).expect("a node") {
            0 => &mut self.world.server,
            other => &mut self.others[other - 1],
        }
    }

    /// The node that leads a stream, or the consumer of the input stream.
    pub(crate) async fn leader(&self, what: Led) -> String {
        let began = std::time::Instant::now();
        loop {
            if let Some(leader) = self.try_leader(what).await {
                return leader;
            }
            assert!(began.elapsed() < PATIENCE, "{what:?} has no leader");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn try_leader(&self, what: Led) -> Option<String> {
        let stream = self.world.broker.jetstream.get_stream(what.stream()).await.ok()?;
        match what {
            Led::Stream(_) => stream.cached_info().cluster.clone()?.leader,
            Led::Consumer => stream.consumer_info("copydesk").await.ok()?.cluster?.leader,
        }
    }

    /// Asks the leader to hand over, until one has done it.
    pub(crate) async fn step_down(&self, what: Led) {
        let subject = match what {
            Led::Stream(name) => format!("$JS.API.STREAM.LEADER.STEPDOWN.{name}"),
            Led::Consumer => "$JS.API.CONSUMER.LEADER.STEPDOWN.WIRE_RAW.copydesk".to_owned(),
        };
        // There may be no leader at the moment, or its answer is late.
        let asked = async || {
            let answer = self.world.broker.client.request(subject.clone(), "".into()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let words: serde_json::Value =
                serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
            if words["success"] == true { Ok(()) } else { Err(words.to_string()) }
        };
        answered("a leader that hands over", asked).await;
    }

    /// Waits until every copy of every stream is up to date.
    pub(crate) async fn until_whole(&self) {
        let began = std::time::Instant::now();
        for name in ["WIRE_RAW", "WIRE_ENRICHED", "WIRE_DEAD", "KV_copydesk"] {
            let is_whole = async || {
                let stream = self.world.broker.jetstream.get_stream(name).await.ok()?;
                let cluster = stream.cached_info().cluster.clone()?;
                let whole = cluster.leader.is_some() && cluster.replicas.iter().all(|peer| peer.current);
                (whole && cluster.replicas.len() == 2).then_some(())
            };
            while is_whole().await.is_none() {
                assert!(began.elapsed() < PATIENCE, "{name} is not whole again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What has a leader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Led {
    Stream(&'static str),
    Consumer,
}

impl Led {
    fn stream(self) -> &'static str {
        match self {
            Self::Stream(name) => name,
            Self::Consumer => "WIRE_RAW",
        }
    }
}

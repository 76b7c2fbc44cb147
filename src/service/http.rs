//! The port for probes and metrics: `/livez`, `/readyz`, `/metrics`.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers whether the worker can do its work, and if not, why not.
pub trait Readiness: Send + Sync + 'static {
    /// Everything that stands in the way; empty means ready.
    fn obstacles(&self) -> Vec<String>;

    /// Why only a new process helps; `None` while this one is alive.
    fn cause_of_death(&self) -> Option<String>;
}

/// What the handlers know.
#[derive(Clone)]
struct Shared {
    readiness: Arc<dyn Readiness>,
    metrics: Option<PrometheusHandle>,
}

/// Binds the port.
///
/// # Errors
/// The address cannot be bound.
pub async fn bind(listen: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {listen} (`http.listen`): {error}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until `stop`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    readiness: Arc<dyn Readiness>,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Shared { readiness, metrics });
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

async fn alive(State(shared): State<Shared>) -> impl IntoResponse {
    match shared.readiness.cause_of_death() {
        None => (StatusCode::OK, "alive\n".to_owned()),
        Some(cause) => (StatusCode::SERVICE_UNAVAILABLE, format!("dead: {cause}\n")),
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let obstacles = shared.readiness.obstacles();
    match obstacles.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", obstacles.join("; "))),
    }
}

async fn render(State(shared): State<Shared>) -> impl IntoResponse {
    match shared.metrics {
        Some(metrics) => (StatusCode::OK, metrics.render()),
        None => (StatusCode::NOT_FOUND, "no metrics are recorded in this process\n".to_owned()),
    }
}

//! HTTP on `listen-http` and `listen-https`: what rtpengine serves there, and 404 with its body for everything else.
//!
//! | request | answer |
//! |---|---|
//! | `GET /ping` | `pong` |
//! | `GET /metrics` | the metrics |
//! | `GET /cli/WORD+WORD`, `POST /cli` | a line of the text CLI |
//! | `POST /ng` | a request of the ng protocol, with its cookie |
//! | `POST /ng-plain` | one without: a dictionary alone |
//! | WebSocket, any path | by subprotocol: see [`websocket`] |

mod cli;
mod ng;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::time::timeout;

use super::cli::Cli;
use super::metrics::Snapshot;
use crate::connections::PATIENCE;
use crate::control::commands::Commands;

pub use server::{serve, serve_tls};
pub use tls::{Tls, TlsError};

const PLAIN: &str = "text/plain";
/// What Prometheus calls its text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4";

/// The longest body of a request, and the longest message of a WebSocket.
const MAX_BODY: usize = ng_protocol::MAX_COOKIE + 1 + ng_protocol::MAX_DICTIONARY;

/// What is served.
#[derive(Clone)]
pub struct Services {
    /// Numbers for `/metrics`.
    pub snapshot: Arc<dyn Snapshot>,
    /// The text CLI.
    pub cli: Arc<dyn Cli>,
    /// The ng protocol.
    pub commands: Commands,
    /// How long a connection may stay without a request.
    pub idle: Duration,
}

fn router(services: Services) -> Router {
    Router::new()
        .route("/ping", get(|| async { plain(StatusCode::OK, "pong\n") }))
        .route("/metrics", get(metrics))
        .route("/cli", post(cli::posted))
        .route("/cli/{*line}", get(cli::asked))
        .route("/ng", post(ng::with_cookie))
        .route("/ng-plain", post(ng::bare))
        .fallback(|| async { not_found() })
        .method_not_allowed_fallback(|| async { not_found() })
        .with_state(services)
}

async fn metrics(State(services): State<Services>) -> Response {
    // Reading the kernel's counters may block.
    let text = tokio::task::spawn_blocking(move || services.snapshot.metrics().prometheus()).await;
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, PROMETHEUS)], text).into_response(),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "error\n"),
    }
}

fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, PLAIN)], body.into()).into_response()
}

/// The media type of a request's body, without parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    let (media_type, _) = text.map_or(("", ""), |text| text.split_once(';').unwrap_or((text, "")));
    media_type.trim()
}

/// The whole body; what to answer where it is too long, or does not come.
async fn whole(body: Body) -> Result<Bytes, Response> {
    match timeout(PATIENCE, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n")),
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "too slow\n")),
    }
}

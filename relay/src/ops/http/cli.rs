//! The text CLI over HTTP: the same lines, the same answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{PLAIN, Services, content_type, not_found, plain, whole};
use crate::ops::cli::Cli;

/// `GET /cli/list+totals`.
pub(super) async fn asked(State(services): State<Services>, Path(line): Path<String>) -> Response {
    plain(
        StatusCode::OK,
        told(services.cli, line.replace('+', " ")).await,
    )
}

/// `POST /cli`, the line in the body.
pub(super) async fn posted(
    State(services): State<Services>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !content_type(&headers).eq_ignore_ascii_case(PLAIN) {
        return not_found();
    }
    match whole(body).await {
        Ok(line) => {
            let line = String::from_utf8_lossy(&line).into_owned();
            plain(StatusCode::OK, told(services.cli, line).await)
        }
        Err(response) => response,
    }
}

/// The answer to a line.
pub(super) async fn told(cli: Arc<dyn Cli>, line: String) -> String {
    // It waits for calls, and for the kernel's counters.
    let answered = tokio::task::spawn_blocking(move || cli.answer(&line)).await;
    answered.unwrap_or_else(|_| "The command failed: see the log.\n".to_owned())
}

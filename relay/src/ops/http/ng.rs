//! The ng protocol over HTTP: a request is a body, and so is its reply.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Services, content_type, not_found, plain, whole};
use crate::connections::Guest;

const NG: &str = "application/x-rtpengine-ng";
const JSON: &str = "application/json";

/// `POST /ng`.
pub(super) async fn with_cookie(
    State(services): State<Services>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !content_type(&headers).eq_ignore_ascii_case(NG) {
        return not_found();
    }
    let request = match whole(body).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    match services.commands.answer(request, guest.peer()).await {
        Some(reply) => ([(header::CONTENT_TYPE, NG)], reply).into_response(),
        None => plain(no_reply(), "error\n"),
    }
}

/// `POST /ng-plain`.
pub(super) async fn bare(
    State(services): State<Services>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let content_type = match content_type(&headers) {
        text if text.eq_ignore_ascii_case(NG) => NG,
        text if text.eq_ignore_ascii_case(JSON) => JSON,
        _ => return not_found(),
    };
    let request = match whole(body).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    match services.commands.answer_plain(request, guest.peer()).await {
        Some(reply) => ([(header::CONTENT_TYPE, content_type)], reply).into_response(),
        None => plain(no_reply(), "error\n"),
    }
}

/// rtpengine's status for what gets no reply over UDP.
fn no_reply() -> StatusCode {
    StatusCode::from_u16(600).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

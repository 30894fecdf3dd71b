//! WebSocket on the same listeners, at any path. The subprotocol says what a message is:
//!
//! | subprotocol | a message and its answer |
//! |---|---|
//! | `ng.rtpengine.com` | a request of the ng protocol, with its cookie |
//! | `ng-plain.rtpengine.com` | one without |
//! | `cli.rtpengine.com` | a line of the text CLI |
//! | `echo.rtpengine.com` | the same message |

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::{Extension, Router};
use tokio::time::timeout;

use super::{MAX_BODY, Services, cli, not_found};
use crate::connections::{Guest, PATIENCE};

/// What a connection reads at once, in bytes.
const READ_BUFFER: usize = 8 << 10;

#[derive(Clone, Copy)]
enum Protocol {
    Ng,
    NgPlain,
    Cli,
    Echo,
}

const PROTOCOLS: [(&str, Protocol); 4] = [
    ("ng.rtpengine.com", Protocol::Ng),
    ("ng-plain.rtpengine.com", Protocol::NgPlain),
    ("cli.rtpengine.com", Protocol::Cli),
    ("echo.rtpengine.com", Protocol::Echo),
];

/// Serves the requests that [`are_asked_for`].
pub(super) fn router(services: Services) -> Router {
    Router::new().fallback(upgrade).with_state(services)
}

/// A request asks for a WebSocket.
pub(super) fn are_asked_for(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a WebSocket of a request that asks for one of the subprotocols; any other gets 404.
async fn upgrade(
    State(services): State<Services>,
    Extension(guest): Extension<Guest>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return not_found();
    };
    let upgrade = upgrade.protocols(PROTOCOLS.map(|(name, _)| name));
    let selected = PROTOCOLS.iter().find(|(name, _)| {
        let selected = upgrade.selected_protocol();
        selected.is_some_and(|selected| selected.as_bytes() == name.as_bytes())
    });
    let Some(&(_, protocol)) = selected else {
        return not_found();
    };
    upgrade
        .max_message_size(MAX_BODY)
        .max_frame_size(MAX_BODY)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                () = converse(socket, protocol, services, &guest) => {}
                () = guest.dismissed() => {}
            }
        })
}

/// Answers one message after the other. Pings are answered by the library.
async fn converse(mut socket: WebSocket, protocol: Protocol, services: Services, guest: &Guest) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            Message::Text(text) => {
                let reply = answer(text.into(), protocol, &services, guest).await;
                reply.map(as_text)
            }
            Message::Binary(bytes) => {
                let reply = answer(bytes, protocol, &services, guest).await;
                reply.map(Message::Binary)
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        if let Some(answer) = answer
            && !matches!(timeout(PATIENCE, socket.send(answer)).await, Ok(Ok(())))
        {
            return;
        }
        guest.served();
    }
}

async fn answer(
    message: Bytes,
    protocol: Protocol,
    services: &Services,
    guest: &Guest,
) -> Option<Bytes> {
    match protocol {
        Protocol::Ng => services.commands.answer(message, guest.peer()).await,
        Protocol::NgPlain => services.commands.answer_plain(message, guest.peer()).await,
        Protocol::Cli => {
            let line = String::from_utf8_lossy(&message).into_owned();
            let text = cli::told(services.cli.clone(), line).await;
            Some(text.into())
        }
        Protocol::Echo => Some(message),
    }
}

/// A text for a text; what no text can hold, such as a call-id in Latin-1, goes as it is.
fn as_text(reply: Bytes) -> Message {
    match Utf8Bytes::try_from(reply.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(reply),
    }
}

//! HTTP on `listen-http`: `GET /ping` and `GET /metrics`. Everything else is 404 with rtpengine's body.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::metrics::Snapshot;
use super::{MAX_CONNECTION_TIME, MAX_CONNECTIONS};

const PLAIN: &str = "text/plain";
/// What Prometheus calls its text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4";

/// Serves until `stop` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    snapshot: Arc<dyn Snapshot>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = Bounded {
        listener,
        places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
    };
    axum::serve(listener, router(snapshot))
        .with_graceful_shutdown(stop)
        .await
}

fn router(snapshot: Arc<dyn Snapshot>) -> Router {
    Router::new()
        .route("/ping", get(|| async { plain(StatusCode::OK, "pong\n") }))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(snapshot)
}

async fn metrics(State(snapshot): State<Arc<dyn Snapshot>>) -> Response {
    // Reading the kernel's counters may block.
    let text = tokio::task::spawn_blocking(move || snapshot.metrics().prometheus()).await;
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, PROMETHEUS)], text).into_response(),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "error\n"),
    }
}

async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

fn plain(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, PLAIN)], body).into_response()
}

/// Accepts a bounded number of connections, each for a bounded time.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; without a place the connection would merely go uncounted.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        let connection = Connection {
            stream,
            end: Box::pin(tokio::time::sleep(MAX_CONNECTION_TIME)),
            _place: place,
        };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that reads as ended when its time is over.
struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::MetricsSnapshot;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Relay;

    impl Snapshot for Relay {
        fn metrics(&self) -> MetricsSnapshot {
            MetricsSnapshot {
                sessions: 7,
                ..MetricsSnapshot::default()
            }
        }
    }

    /// Sends a request over a real socket and returns the response's head and body.
    async fn ask(request: &str) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Relay), std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        server.abort();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn ping_is_answered_with_pong() {
        let (head, body) = ask("GET /ping").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain\r\n"), "{head}");
        assert_eq!(body, "pong\n");
    }

    #[tokio::test]
    async fn metrics_are_those_of_the_relay() {
        let (head, body) = ask("GET /metrics").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("content-type: text/plain; version=0.0.4\r\n"),
            "{head}"
        );
        assert!(
            body.contains("\nrtpengine_sessions{type=\"own\"} 7\n"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn anything_else_is_not_found_in_rtpengines_words() {
        for request in ["GET /", "GET /pingx", "POST /ping", "DELETE /metrics"] {
            let (head, body) = ask(request).await;
            assert!(
                head.starts_with("HTTP/1.1 404 Not Found\r\n"),
                "{request}: {head}"
            );
            assert_eq!(body, "not found\n", "{request}");
        }
    }

    #[tokio::test]
    async fn silent_connections_beyond_the_bound_do_not_shut_others_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Relay), std::future::pending()));
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /ping HTTP/1.0\r\n\r\n")
            .await
            .unwrap();
        // One place becomes free.
        silent.pop();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with("pong\n"), "{response}");
        server.abort();
    }
}

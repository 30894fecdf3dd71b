//! HTTP/1.1 over connections that are bounded in number, memory and patience.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::{Services, Tls, router, websocket};
use crate::connections::{self, Guest, PATIENCE};

/// Connections at a time on one address. Proxies keep a WebSocket for every worker.
const MAX_CONNECTIONS: usize = 512;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Serves until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, services: Services) -> io::Result<()> {
    let routers = Routers::new(services);
    connections::serve(listener, MAX_CONNECTIONS, |stream, guest| {
        converse(stream, routers.clone(), guest)
    })
    .await
}

/// The same over TLS.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_tls(listener: TcpListener, services: Services, tls: Arc<Tls>) -> io::Result<()> {
    let routers = Routers::new(services);
    connections::serve(listener, MAX_CONNECTIONS, |stream, guest| {
        let (routers, tls) = (routers.clone(), Arc::clone(&tls));
        async move {
            let acceptor = TlsAcceptor::from(tls.config());
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                converse(stream, routers, guest).await;
            }
        }
    })
    .await
}

/// Who answers a request: a WebSocket may be asked for at any path, those of HTTP included.
#[derive(Clone)]
struct Routers {
    http: Router,
    websocket: Router,
    idle: Duration,
}

impl Routers {
    fn new(services: Services) -> Self {
        Self {
            idle: services.idle,
            websocket: websocket::router(services.clone()),
            http: router(services),
        }
    }

    fn of(&self, request: &Request<Incoming>) -> Router {
        if websocket::are_asked_for(request.headers()) {
            self.websocket.clone()
        } else {
            self.http.clone()
        }
    }
}

async fn converse<S>(stream: S, routers: Routers, guest: Guest)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle = routers.idle;
    let service = service_fn(|request: Request<Incoming>| {
        let router = routers.of(&request).layer(Extension(guest.clone()));
        let guest = guest.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            guest.served();
            Ok::<_, Infallible>(response)
        }
    });
    // A connection that breaks off has nobody to be told about it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

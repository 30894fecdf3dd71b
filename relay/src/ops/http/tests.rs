use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use ng_protocol::{Reply, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::control::cache::Limits;
use crate::control::dispatch::{Dispatcher, Handler, Origin};
use crate::ops::metrics::MetricsSnapshot;

mod encrypted;
mod sockets;

struct Relay;

impl Snapshot for Relay {
    fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            sessions: 7,
            ..MetricsSnapshot::default()
        }
    }
}

impl Cli for Relay {
    fn answer(&self, line: &str) -> String {
        format!("answer to {}\n", line.trim())
    }
}

/// Says how many commands it has carried out.
struct Counting(i64);

impl Handler for Counting {
    fn handle(&mut self, _: &Request, _: &Origin) -> Reply {
        self.0 += 1;
        Reply::ok().with("handled", self.0)
    }

    fn discard(&mut self, _: &Request) {}
}

struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn services() -> Services {
    let dispatcher = Dispatcher::new(Counting(0), Limits::default());
    Services {
        snapshot: Arc::new(Relay),
        cli: Arc::new(Relay),
        commands: Commands::new(Arc::new(Mutex::new(dispatcher))),
        idle: Duration::from_secs(60),
    }
}

async fn server() -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { serve(listener, services()).await.unwrap() });
    Server { address, task }
}

impl Server {
    /// Sends a request as it stands and returns the response's head and body.
    async fn send(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or_default();
        (head.to_owned(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (String, String) {
        let head = "HTTP/1.1\r\nHost: relay\r\nConnection: close";
        self.send(&format!("GET {path} {head}\r\n\r\n")).await
    }

    async fn post(&self, path: &str, content_type: &str, body: &str) -> (String, String) {
        let length = body.len();
        let head = format!(
            "HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {length}"
        );
        self.send(&format!("POST {path} {head}\r\n\r\n{body}"))
            .await
    }
}

const NG: &str = "application/x-rtpengine-ng";
const PING: &str = "1 d7:command4:pinge";
const PONG: &str = "1 d6:result4:ponge";

#[tokio::test]
async fn ping_is_answered_with_pong() {
    let (head, body) = server().await.get("/ping").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain\r\n"), "{head}");
    assert_eq!(body, "pong\n");
}

#[tokio::test]
async fn metrics_are_those_of_the_relay() {
    let (head, body) = server().await.get("/metrics").await;
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
    let server = server().await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/pingx"),
        ("POST", "/ping"),
        ("DELETE", "/metrics"),
        ("GET", "/ng"),
        ("GET", "/cli"),
        ("GET", "/admin"),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
        let (head, body) = server.send(&request).await;
        assert!(
            head.starts_with("HTTP/1.1 404 Not Found\r\n"),
            "{request}: {head}"
        );
        assert_eq!(body, "not found\n", "{request}");
    }
}

#[tokio::test]
async fn a_request_with_its_cookie_is_answered_with_it() {
    let server = server().await;
    let (head, body) = server.post("/ng", NG, PING).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("content-type: {NG}\r\n")), "{head}");
    assert_eq!(body, PONG);
    let (_, body) = server.post("/ng", NG, "1 {\"command\":\"ping\"}").await;
    assert_eq!(body, "1 {\"result\":\"pong\"}");
}

#[tokio::test]
async fn what_gets_no_reply_over_udp_gets_status_600() {
    for body in ["d7:command4:pinge", "", "nocookie", " d7:command4:pinge"] {
        let (head, text) = server().await.post("/ng", NG, body).await;
        assert!(head.starts_with("HTTP/1.1 600 "), "{body}: {head}");
        assert_eq!(text, "error\n");
    }
}

#[tokio::test]
async fn the_same_request_twice_is_carried_out_once_but_for_ng_plain() {
    let server = server().await;
    let offer = "1 d7:command5:offere";
    let (_, first) = server.post("/ng", NG, offer).await;
    let (_, second) = server.post("/ng", NG, offer).await;
    assert_eq!(first, "1 d6:result2:ok7:handledi1ee");
    assert_eq!(second, first);
    let offer = "{\"command\":\"offer\"}";
    for handled in [2, 3] {
        let (head, body) = server.post("/ng-plain", "application/json", offer).await;
        assert!(head.contains("content-type: application/json\r\n"));
        assert_eq!(body, format!("{{\"result\":\"ok\",\"handled\":{handled}}}"));
    }
    let (head, body) = server.post("/ng-plain", NG, "d7:command4:pinge").await;
    assert!(head.contains(&format!("content-type: {NG}\r\n")), "{head}");
    assert_eq!(body, "d6:result4:ponge");
}

#[tokio::test]
async fn a_body_of_another_content_type_is_not_found() {
    let server = server().await;
    for (path, content_type) in [
        ("/ng", "text/plain"),
        ("/ng", "application/json"),
        ("/ng-plain", "text/plain"),
        ("/cli", NG),
    ] {
        let (head, body) = server.post(path, content_type, PING).await;
        assert!(
            head.starts_with("HTTP/1.1 404 "),
            "{path} {content_type}: {head}"
        );
        assert_eq!(body, "not found\n");
    }
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_no_more() {
    let server = server().await;
    let sdp = "s".repeat(65_000);
    let offer = format!("1 d7:command5:offer3:sdp{}:{sdp}e", sdp.len());
    let (_, body) = server.post("/ng", NG, &offer).await;
    assert_eq!(body, "1 d6:result2:ok7:handledi1ee");
    let (head, _) = server.post("/ng", NG, &"x".repeat(MAX_BODY + 1)).await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = server().await;
    let head = format!("GET /ping HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The connection may be gone before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    assert!(!response.starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.get("/ping").await.1, "pong\n");
}

#[tokio::test]
async fn cli_lines_come_in_the_path_or_in_the_body() {
    let server = server().await;
    let expected = "answer to list maxsessions\n";
    for path in ["/cli/list+maxsessions", "/cli/list%20maxsessions"] {
        let (head, body) = server.get(path).await;
        assert!(head.contains("content-type: text/plain\r\n"), "{head}");
        assert_eq!(body, expected);
    }
    let (_, body) = server
        .post("/cli", "text/plain", "list maxsessions\n")
        .await;
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_connection_without_a_request_ends_after_its_time() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let services = Services {
        idle: Duration::from_millis(50),
        ..services()
    };
    let served = tokio::spawn(serve(listener, services));
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Ends when the server does.
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"));
    served.abort();
}

#[tokio::test]
async fn silent_connections_do_not_shut_others_out() {
    let server = server().await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /ping HTT").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(server.get("/ping").await.1, "pong\n");
}

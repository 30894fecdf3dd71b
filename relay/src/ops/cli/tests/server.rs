//! Lines that come over a socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::server::MAX_LINE;
use super::*;

/// Sends bytes over a real socket and returns all that comes back until the relay hangs up.
async fn send(bytes: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Arc::new(Mutex::new(Relay::new()))));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    server.abort();
    response
}

#[tokio::test]
async fn rtpengine_ctls_line_is_answered_and_the_connection_closed() {
    let response = send(b"list maxsessions\n").await;
    assert_eq!(response, "Maximum sessions configured on rtpengine: -1\n");
}

#[tokio::test]
async fn an_empty_line_gets_nothing() {
    assert_eq!(send(b"\n").await, "");
}

#[tokio::test]
async fn a_line_without_an_end_is_cut_at_the_bound() {
    let line = vec![b'x'; MAX_LINE as usize];
    let response = send(&line).await;
    assert!(response.starts_with("Unknown or incomplete command::xxx"));
}

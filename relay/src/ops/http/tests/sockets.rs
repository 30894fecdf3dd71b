//! WebSockets, through a client of their own.

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server, path: &str, protocol: &str) -> Result<Socket, Error> {
    let url = format!("ws://{}{path}", server.address);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
    let (socket, response) = connect_async(request).await?;
    assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
    Ok(socket)
}

async fn ask(socket: &mut Socket, message: Message) -> Message {
    use futures_util::{SinkExt, StreamExt};
    socket.send(message).await.unwrap();
    socket.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_text_is_answered_with_a_text_and_bytes_with_bytes() {
    let server = server().await;
    let mut socket = connect(&server, "/", "ng.rtpengine.com").await.unwrap();
    assert_eq!(ask(&mut socket, PING.into()).await, Message::text(PONG));
    let reply = ask(&mut socket, Message::binary(PING)).await;
    assert_eq!(reply, Message::binary(PONG));
    let latin = Message::binary(b"\xe4 d7:command4:pinge".to_vec());
    let reply = ask(&mut socket, latin).await;
    assert_eq!(reply, Message::binary(b"\xe4 d6:result4:ponge".to_vec()));
}

#[tokio::test]
async fn any_path_will_do() {
    let server = server().await;
    for path in ["/", "/ng", "/ping", "/some/where"] {
        let mut socket = connect(&server, path, "ng.rtpengine.com").await.unwrap();
        assert_eq!(ask(&mut socket, PING.into()).await, Message::text(PONG));
    }
}

#[tokio::test]
async fn every_subprotocol_has_its_messages() {
    let server = server().await;
    for (protocol, message, expected) in [
        (
            "ng-plain.rtpengine.com",
            "{\"command\":\"ping\"}",
            "{\"result\":\"pong\"}",
        ),
        (
            "cli.rtpengine.com",
            "list maxsessions",
            "answer to list maxsessions\n",
        ),
        ("echo.rtpengine.com", "any thing", "any thing"),
    ] {
        let mut socket = connect(&server, "/", protocol).await.unwrap();
        for _ in 0..2 {
            let reply = ask(&mut socket, message.into()).await;
            assert_eq!(reply, Message::text(expected), "{protocol}");
        }
    }
}

#[tokio::test]
async fn an_unknown_subprotocol_or_none_is_not_found() {
    let server = server().await;
    for protocol in ["janus-protocol", "ng"] {
        let refused = connect(&server, "/", protocol).await.unwrap_err();
        let Error::Http(response) = refused else {
            panic!("{refused}");
        };
        assert_eq!(response.status(), 404);
    }
    let url = format!("ws://{}/", server.address);
    assert!(connect_async(url).await.is_err());
}

#[tokio::test]
async fn pings_are_answered() {
    use futures_util::SinkExt;
    let server = server().await;
    let mut socket = connect(&server, "/", "ng.rtpengine.com").await.unwrap();
    let pong = ask(&mut socket, Message::Ping("x".into())).await;
    assert_eq!(pong, Message::Pong("x".into()));
    socket.flush().await.unwrap();
    assert_eq!(ask(&mut socket, PING.into()).await, Message::text(PONG));
}

#[tokio::test]
async fn a_message_may_have_64_kib_and_no_more() {
    use futures_util::{SinkExt, StreamExt};
    let server = server().await;
    let mut socket = connect(&server, "/", "ng.rtpengine.com").await.unwrap();
    let sdp = "s".repeat(65_000);
    let offer = format!("1 d7:command5:offer3:sdp{}:{sdp}e", sdp.len());
    let reply = ask(&mut socket, offer.into()).await;
    assert_eq!(reply, Message::text("1 d6:result2:ok7:handledi1ee"));
    // It may be gone before all of it is sent.
    let _ = socket.send("x".repeat(MAX_BODY + 1).into()).await;
    assert!(!matches!(socket.next().await, Some(Ok(Message::Text(_)))));
}

#[tokio::test]
async fn frames_without_a_mask_end_the_connection() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let upgrade = "GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: echo.rtpengine.com\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = vec![0; 1000];
    let length = stream.read(&mut head).await.unwrap();
    assert!(head[..length].starts_with(b"HTTP/1.1 101 "));
    stream.write_all(b"\x81\x02hi").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"hi"));
}

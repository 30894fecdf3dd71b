use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ng_protocol::{Dict, Reply, Request};
use tokio::task::JoinHandle;

use super::*;
use crate::control::cache::Limits;
use crate::control::dispatch::{Dispatcher, Handler, Origin};
use crate::control::udp::Listeners;

const PING: &[u8] = b"1 d7:command4:pinge";
const PONG: &str = "1 d6:result4:ponge";

/// Says how many commands it has carried out, and takes its time for a call of that name.
struct Counting(i64);

impl Handler for Counting {
    fn handle(&mut self, request: &Request, _: &Origin) -> Reply {
        self.0 += 1;
        match request.call_id.as_deref() {
            Some(b"large") => Reply::ok().with("sdp", "x".repeat(1_000_000)),
            Some(b"slow") => {
                std::thread::sleep(Duration::from_millis(20));
                Reply::ok()
            }
            _ => Reply::ok().with("handled", self.0),
        }
    }

    fn discard(&mut self, _: &Request) {}
}

struct Server {
    address: SocketAddr,
    dispatcher: Arc<Mutex<Dispatcher<Counting>>>,
    notifications: Notifications,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn server() -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let dispatcher = Dispatcher::new(Counting(0), Limits::default());
    let dispatcher = Arc::new(Mutex::new(dispatcher));
    let notifications = Notifications::default();
    let commands = Commands::new(Arc::clone(&dispatcher));
    let served = serve(listener, commands, notifications.clone());
    let task = tokio::spawn(async move { served.await.unwrap() });
    Server {
        address,
        dispatcher,
        notifications,
        task,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends all of it, says that this was all, and returns all that comes back.
    async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut replies = String::new();
        stream.read_to_string(&mut replies).await.unwrap();
        replies
    }
}

/// Reads as many bytes as are expected.
async fn expect(stream: &mut TcpStream, expected: &str) {
    let mut reply = vec![0; expected.len()];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), expected);
}

#[tokio::test]
async fn requests_back_to_back_get_replies_back_to_back_in_their_order() {
    let server = server().await;
    let replies = server
        .send("1 d7:command4:pinge2 d7:command5:offere3 d7:command4:pinge")
        .await;
    assert_eq!(
        replies,
        "1 d6:result4:ponge2 d6:result2:ok7:handledi1ee3 d6:result4:ponge"
    );
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let server = server().await;
    let mut stream = server.connect().await;
    for byte in PING {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut stream, PONG).await;
    stream.write_all(PING).await.unwrap();
    expect(&mut stream, PONG).await;
}

#[tokio::test]
async fn json_is_answered_in_json() {
    let replies = server()
        .await
        .send(r#"1 {"command":"ping"}2 {"command":"offer","sdp":"}"}"#)
        .await;
    assert_eq!(
        replies,
        r#"1 {"result":"pong"}2 {"result":"ok","handled":1}"#
    );
}

#[tokio::test]
async fn a_newline_between_requests_belongs_to_the_cookie_as_in_rtpengine() {
    let replies = server()
        .await
        .send("1 d7:command4:pinge\n2 d7:command4:pinge")
        .await;
    assert_eq!(replies, "1 d6:result4:ponge\n2 d6:result4:ponge");
}

#[tokio::test]
async fn errors_of_the_protocol_leave_the_connection_open() {
    let server = server().await;
    let replies = server
        .send("1 de2 d7:command5:dancee3 d7:command4:pinge")
        .await;
    assert_eq!(
        replies,
        "1 d6:result5:error12:error-reason36:Dictionary contains no key \"command\"e\
         2 d6:result5:error12:error-reason20:Unrecognized commande3 d6:result4:ponge"
    );
}

#[tokio::test]
async fn a_stream_that_makes_no_sense_is_answered_if_it_can_be_and_ended() {
    let server = server().await;
    for (stream, expected) in [
        (
            "1 d7:command4:pingehello world and more",
            "1 d6:result4:pongehello d6:result5:error12:error-reason22:Invalid NG data formate",
        ),
        (
            "1 dxx",
            "1 d6:result5:error12:error-reason35:Could not decode bencode dictionarye",
        ),
        (" d7:command4:pinge", ""),
    ] {
        let mut client = server.connect().await;
        client.write_all(stream.as_bytes()).await.unwrap();
        let mut replies = String::new();
        // What was not read makes it a reset.
        let _ = client.read_to_string(&mut replies).await;
        assert_eq!(replies, expected, "{stream}");
    }
}

#[tokio::test]
async fn more_than_a_cookie_without_a_dictionary_ends_the_connection() {
    let server = server().await;
    let mut client = server.connect().await;
    client.write_all(&[b'x'; 2000]).await.unwrap();
    assert!(matches!(client.read(&mut [0; 10]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_huge_length_ends_the_connection_before_its_bytes_come() {
    let server = server().await;
    let mut client = server.connect().await;
    client
        .write_all(b"1 d7:command5:offer3:sdp4000000000:v=0")
        .await
        .unwrap();
    let mut replies = String::new();
    let _ = client.read_to_string(&mut replies).await;
    assert!(replies.contains("Could not decode bencode dictionary"));
}

#[tokio::test]
async fn a_request_of_64_kib_is_answered() {
    let sdp = "s".repeat(65_000);
    let offer = format!("1 d7:command5:offer3:sdp{}:{sdp}e", sdp.len());
    let replies = server().await.send(offer).await;
    assert_eq!(replies, "1 d6:result2:ok7:handledi1ee");
}

#[tokio::test]
async fn a_reply_may_be_longer_than_a_datagram() {
    let replies = server()
        .await
        .send("1 d7:command5:query7:call-id5:largee")
        .await;
    assert!(replies.len() > 1_000_000);
}

#[tokio::test]
async fn a_request_that_came_by_udp_already_gets_the_same_reply() {
    let server = server().await;
    let udp = Listeners::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
    let udp = udp.serve(&server.dispatcher).unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(udp.addresses()[0]).unwrap();
    let offer = b"1 d7:command5:offere";
    socket.send(offer).unwrap();
    let mut reply = [0; 100];
    let length = socket.recv(&mut reply).unwrap();
    assert_eq!(server.send(offer).await.as_bytes(), &reply[..length]);
    assert_eq!(server.dispatcher.lock().unwrap().handler_mut().0, 1);
}

#[tokio::test]
async fn a_client_that_takes_no_replies_does_not_keep_udp_waiting() {
    let server = server().await;
    let udp = Listeners::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
    let udp = udp.serve(&server.dispatcher).unwrap();
    let mut deaf = Vec::new();
    for client in 0..20 {
        let mut stream = server.connect().await;
        let queries: String = (0..50)
            .map(|query| format!("{client}_{query} d7:command5:query7:call-id5:largee"))
            .collect();
        stream.write_all(queries.as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(udp.addresses()[0]).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    for _ in 0..100 {
        socket.send(PING).unwrap();
        let length = socket.recv(&mut [0; 100]).unwrap();
        assert_eq!(length, PONG.len());
    }
}

#[tokio::test]
async fn a_crowd_of_busy_clients_leaves_udp_every_other_turn() {
    let server = server().await;
    let udp = Listeners::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
    let udp = udp.serve(&server.dispatcher).unwrap();
    let mut crowd = Vec::new();
    for client in 0..50 {
        let mut stream = server.connect().await;
        let offers: String = (0..20)
            .map(|offer| format!("{client}_{offer} d7:command5:offer7:call-id4:slowe"))
            .collect();
        stream.write_all(offers.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    // All of it takes 20 s; one datagram waits for one or two of them.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(udp.addresses()[0]).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket.send(PING).unwrap();
    socket.recv(&mut [0; 100]).unwrap();
}

#[tokio::test]
async fn notifications_reach_every_client_with_a_cookie_of_their_own() {
    let server = server().await;
    let mut clients = [server.connect().await, server.connect().await];
    for client in &mut clients {
        // From its first reply on it is there.
        client.write_all(PING).await.unwrap();
        expect(client, PONG).await;
    }
    let mut event = Dict::new();
    event.insert("event", 5);
    server.notifications.send(&event);
    let mut heard = Vec::new();
    for client in &mut clients {
        let mut message = vec![0; 16 + " d5:eventi5ee".len()];
        client.read_exact(&mut message).await.unwrap();
        assert!(message[..16].iter().all(u8::is_ascii_hexdigit));
        assert_eq!(&message[16..], b" d5:eventi5ee");
        heard.push(message);
    }
    assert_eq!(heard[0], heard[1]);
    clients[0].write_all(PING).await.unwrap();
    expect(&mut clients[0], PONG).await;
}

#[tokio::test]
async fn thousands_of_silent_and_half_spoken_connections_shut_nobody_out() {
    let server = server().await;
    let mut silent = Vec::new();
    for number in 0..2000 {
        let mut stream = server.connect().await;
        if number % 2 == 0 {
            let _ = stream.write_all(b"1 d7:comm").await;
        }
        silent.push(stream);
    }
    assert_eq!(server.send(PING).await, PONG);
}

//! The whole way of a command, through real sockets on loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ng_protocol::{Command, Reply, Request};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::cache::Limits;
use super::counters::Counters;
use super::dispatch::{Dispatcher, Handler, Origin};
use super::udp::{ListenError, Listeners, UdpServer};

/// Counts what it is asked to do, and says the number in its reply.
#[derive(Default)]
struct Counting {
    handled: u64,
    discarded: Vec<Request>,
}

impl Handler for Counting {
    fn handle(&mut self, request: &Request, _: &Origin) -> Reply {
        self.handled += 1;
        match request.call_id.as_deref() {
            Some(b"panic") => panic!("a bug"),
            Some(b"unknown") => Reply::error("Unknown call-id"),
            Some(b"large") => Reply::ok().with("sdp", "x".repeat(60_000)),
            Some(b"too large") => Reply::ok().with("sdp", "x".repeat(70_000)),
            _ => Reply::ok().with("handled", i64::try_from(self.handled).unwrap()),
        }
    }

    fn discard(&mut self, request: &Request) {
        self.discarded.push(request.clone());
    }
}

struct Server {
    dispatcher: Arc<Mutex<Dispatcher<Counting>>>,
    counters: Arc<Counters>,
    udp: UdpServer,
}

fn serve(address: impl Into<IpAddr>) -> Server {
    serve_within(address, Limits::default())
}

fn serve_within(address: impl Into<IpAddr>, limits: Limits) -> Server {
    let dispatcher = Arc::new(Mutex::new(Dispatcher::new(Counting::default(), limits)));
    let counters = dispatcher.lock().unwrap().counters();
    let listeners = Listeners::bind(&[SocketAddr::new(address.into(), 0)]).unwrap();
    let udp = listeners.serve(&dispatcher).unwrap();
    Server {
        dispatcher,
        counters,
        udp,
    }
}

impl Server {
    fn port(&self) -> u16 {
        self.udp.addresses()[0].port()
    }

    fn handled(&self) -> u64 {
        self.dispatcher.lock().unwrap().handler_mut().handled
    }
}

/// A client as the proxies are: its socket is connected and sees replies from the address it asked only.
fn client(server: impl Into<IpAddr>, port: u16) -> UdpSocket {
    let server = SocketAddr::new(server.into(), port);
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(server).unwrap();
    // Only a lost reply takes this long, and fails the test.
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket
}

fn ask(client: &UdpSocket, datagram: impl AsRef<[u8]>) -> Vec<u8> {
    client.send(datagram.as_ref()).unwrap();
    let mut reply = vec![0; 65_535];
    let length = client.recv(&mut reply).unwrap();
    reply.truncate(length);
    reply
}

#[track_caller]
fn assert_answer(client: &UdpSocket, datagram: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(ask(client, datagram).escape_ascii().to_string(), expected);
}

#[test]
fn ping_is_answered_with_pong_in_the_encoding_it_came_in() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    assert_answer(&client, "1 d7:command4:pinge", "1 d6:result4:ponge");
    let json = ask(&client, r#"2 {"command":"ping"}"#);
    assert_eq!(json, br#"2 {"result":"pong"}"#);
}

#[test]
fn each_protocol_error_has_rtpengines_text() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    for (payload, reason) in [
        ("", "Invalid data (no payload)"),
        ("garbage", "Invalid NG data format"),
        (" d7:command4:pinge", "Invalid NG data format"),
        ("d7:command", "Could not decode bencode dictionary"),
        ("de", "Dictionary contains no key \"command\""),
        ("d7:commandi5ee", "Dictionary contains no key \"command\""),
        ("d7:command4:dance", "Unrecognized command"),
        ("d7:command4:PINGe", "Unrecognized command"),
    ] {
        let expected = format!(
            "c d6:result5:error12:error-reason{}:{reason}e",
            reason.len()
        );
        let reply = ask(&client, format!("c {payload}"));
        assert_eq!(String::from_utf8(reply).unwrap(), expected, "{payload}");
    }
    for (payload, reason) in [
        ("{", "Failed to parse JSON document"),
        (r#"{"command":"ping"}x"#, "Failed to parse JSON document"),
        ("{}", r#"Dictionary contains no key \"command\""#),
        (r#"{"command":"dance"}"#, "Unrecognized command"),
    ] {
        let expected = format!(r#"c {{"result":"error","error-reason":"{reason}"}}"#);
        let reply = ask(&client, format!("c {payload}"));
        assert_eq!(String::from_utf8(reply).unwrap(), expected, "{payload}");
    }
    assert_eq!(server.handled(), 0);
}

#[test]
fn a_datagram_without_a_cookie_gets_no_reply() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    for datagram in ["", "nospace", " d7:command4:pinge"] {
        client.send(datagram.as_bytes()).unwrap();
    }
    // Datagrams of one socket stay in order: the next reply is that of the ping.
    assert_answer(&client, "1 d7:command4:pinge", "1 d6:result4:ponge");
    assert_eq!(server.counters.without_cookie.load(Relaxed), 3);
}

#[test]
fn a_retransmission_gets_the_same_bytes_and_is_not_carried_out_again() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let offer = "cookie d7:command5:offere";
    let first = ask(&client(Ipv4Addr::LOCALHOST, server.port()), offer);
    // OpenSIPS retries from a new port.
    let second = ask(&client(Ipv4Addr::LOCALHOST, server.port()), offer);
    assert_eq!(first, second);
    assert_eq!(server.handled(), 1);
    let counters = server.counters.total.get(Command::Offer);
    assert_eq!(counters.requests.load(Relaxed), 1);
    assert_eq!(counters.duplicates.load(Relaxed), 1);
}

#[test]
fn an_error_of_the_handler_is_remembered_too() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    let query = "1 d7:command5:query7:call-id7:unknowne";
    assert_eq!(ask(&client, query), ask(&client, query));
    assert_eq!(server.handled(), 1);
    let counters = server.counters.total.get(Command::Query);
    assert_eq!(counters.errors.load(Relaxed), 1);
}

#[test]
fn the_same_cookie_with_another_payload_is_another_command() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let one = client(Ipv4Addr::LOCALHOST, server.port());
    let other = client(Ipv4Addr::LOCALHOST, server.port());
    let first = ask(&one, "0_14406_0 d7:call-id1:a7:command5:offere");
    let second = ask(&other, "0_14406_0 d7:call-id1:b7:command5:offere");
    assert_ne!(first, second);
    assert_eq!(server.handled(), 2);
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    let v4 = serve(Ipv4Addr::UNSPECIFIED);
    for address in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 9, 8, 7]] {
        let client = client(Ipv4Addr::from(address), v4.port());
        assert_answer(&client, "1 d7:command4:pinge", "1 d6:result4:ponge");
    }
    let v6 = serve(Ipv6Addr::UNSPECIFIED);
    let client = client(Ipv6Addr::LOCALHOST, v6.port());
    assert_answer(&client, "1 d7:command4:pinge", "1 d6:result4:ponge");
}

#[test]
fn one_server_listens_on_several_addresses_with_one_state() {
    let dispatcher = Dispatcher::new(Counting::default(), Limits::default());
    let dispatcher = Arc::new(Mutex::new(dispatcher));
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
    ];
    let listeners = Listeners::bind(&addresses).unwrap();
    let server = listeners.serve(&dispatcher).unwrap();
    let replies: Vec<_> = server
        .addresses()
        .iter()
        .map(|address| {
            ask(
                &client(address.ip(), address.port()),
                "1 d7:command5:offere",
            )
        })
        .collect();
    assert_eq!(replies[0], replies[1]);
    assert_eq!(dispatcher.lock().unwrap().handler_mut().handled, 1);
}

#[test]
fn a_taken_port_is_refused_by_name() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let address = server.udp.addresses()[0];
    let ListenError { address: named, .. } = Listeners::bind(&[address]).unwrap_err();
    assert_eq!(named, address);
}

#[test]
fn a_stopped_server_leaves_a_closed_port() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    assert_answer(&client, "1 d7:command4:pinge", "1 d6:result4:ponge");
    server.udp.stop();
    client.send(b"2 d7:command4:pinge").unwrap();
    let refused = client.recv(&mut [0; 100]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_server_stops_in_the_middle_of_a_flood() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let port = server.port();
    let flooding = Arc::new(AtomicBool::new(true));
    let flood = std::thread::spawn({
        let flooding = Arc::clone(&flooding);
        move || {
            let client = client(Ipv4Addr::LOCALHOST, port);
            while flooding.load(Relaxed) {
                // Refused once the server is gone.
                let _ = client.send(b"1 d7:command4:pinge");
            }
        }
    });
    server.udp.stop();
    flooding.store(false, Relaxed);
    flood.join().unwrap();
}

#[test]
fn requests_and_replies_may_be_as_long_as_datagrams() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    let sdp = "s".repeat(65_000);
    let offer = format!("1 d7:command5:offer3:sdp{}:{sdp}e", sdp.len());
    assert_answer(&client, offer, "1 d6:result2:ok7:handledi1ee");
    assert!(ask(&client, "2 d7:command5:query7:call-id5:largee").len() > 60_000);
    assert_answer(
        &client,
        "3 d7:command5:query7:call-id9:too largee",
        "3 d6:result5:error12:error-reason15:Reply too largee",
    );
}

#[test]
fn a_call_is_deleted_even_if_its_statistics_do_not_fit() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    assert_answer(
        &client,
        "1 d7:command6:delete7:call-id9:too largee",
        "1 d6:result2:oke",
    );
}

#[test]
fn a_panic_discards_the_call_and_serves_on() {
    let server = serve(Ipv4Addr::LOCALHOST);
    let client = client(Ipv4Addr::LOCALHOST, server.port());
    let error = "1 d6:result5:error12:error-reason14:Internal errore";
    let offer = "1 d7:command5:offer7:call-id5:panice";
    assert_answer(&client, offer, error);
    assert_answer(&client, offer, error);
    assert_answer(&client, "2 d7:command4:pinge", "2 d6:result4:ponge");
    assert_eq!(server.counters.panics.load(Relaxed), 1);
    let mut dispatcher = server.dispatcher.lock().unwrap();
    let discarded = &dispatcher.handler_mut().discarded;
    assert_eq!(discarded.len(), 1);
    assert_eq!(discarded[0].call_id.as_deref(), Some(&b"panic"[..]));
}

#[test]
fn proxies_are_counted_apart() {
    let server = serve(Ipv4Addr::UNSPECIFIED);
    for address in [[127, 0, 0, 1], [127, 0, 0, 2]] {
        let socket = UdpSocket::bind((Ipv4Addr::from(address), 0)).unwrap();
        socket.connect(("127.0.0.3", server.port())).unwrap();
        ask(&socket, "1 d7:command4:pinge");
    }
    let proxies = server.counters.proxies();
    assert_eq!(proxies.len(), 2);
    for (_, table) in proxies {
        assert_eq!(table.get(Command::Ping).requests.load(Relaxed), 1);
    }
    assert_eq!(
        server
            .counters
            .total
            .get(Command::Ping)
            .requests
            .load(Relaxed),
        2
    );
}

#[test]
fn a_hundred_thousand_garbage_datagrams_leave_the_server_alive_and_its_memory_bounded() {
    const SEEDS: [&[u8]; 4] = [
        b"7 d7:command5:offer7:call-id4:call3:sdp4:v=0\n5:flagsl13:trust address4:fast8:ICE=forceee",
        b"8 {\"command\":\"delete\",\"call-id\":\"x\",\"flags\":[\"fatal\",\"rtcp-mux-offer\"]}",
        b"9 d7:command5:query7:call-id1:x10:rtpp-flags33:direction=[a b] codec=[strip=[x]]e",
        b"10 d7:command4:pinge",
    ];
    let limits = Limits {
        entries: 1_000,
        bytes: 50_000,
    };
    let server = serve_within(Ipv4Addr::LOCALHOST, limits);
    let garbage = client(Ipv4Addr::LOCALHOST, server.port());
    let pinger = client(Ipv4Addr::LOCALHOST, server.port());
    let mut random = StdRng::seed_from_u64(2223);
    for round in 0..100_000_u32 {
        let datagram = if round % 2 == 0 {
            let mut bytes = vec![0; random.random_range(0..200)];
            random.fill_bytes(&mut bytes);
            bytes
        } else {
            let mut bytes = SEEDS[random.random_range(0..SEEDS.len())].to_vec();
            for _ in 0..random.random_range(0..4) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
            bytes
        };
        garbage.send(&datagram).unwrap();
        if round % 100 == 99 {
            // Keeps the queue short, so that everything is really looked at.
            assert_answer(&pinger, "alive d7:command4:pinge", "alive d6:result4:ponge");
            let dispatcher = server.dispatcher.lock().unwrap();
            assert!(dispatcher.cache().len() <= limits.entries);
            assert!(dispatcher.cache().bytes() <= limits.bytes);
        }
    }
    assert!(server.handled() > 1_000);
    assert!(server.counters.malformed.load(Relaxed) > 1_000);
    assert_eq!(server.counters.panics.load(Relaxed), 0);
    assert_eq!(server.counters.proxies().len(), 1);
}

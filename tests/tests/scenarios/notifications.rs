//! What the relay tells without being asked: calls that time out, by XML-RPC; digits, by UDP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use lab::{Call, CallOptions, Lab, Relay, TwoNetworks, Wiring};
use serde_json::Value;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const ACCEPTED: &str = "<?xml version=\"1.0\"?><methodResponse><params><param><value><i4>1</i4></value></param></params></methodResponse>";

/// Takes one request and accepts it; returns its body.
fn serve_once(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0);
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        ACCEPTED.len()
    );
    stream.write_all((head + ACCEPTED).as_bytes()).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn a_proxy_hears_of_a_call_that_times_out() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let listener = net.relay.run(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = Relay::under_test()
        .two_networks()
        .option(&format!("--b2b-url=http://%%:{port}/RPC2"))
        .option("--xmlrpc-format=2")
        .option("--timeout=2")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    let body = serve_once(&listener);
    assert!(
        body.contains("<methodName>dlg.terminate_dlg</methodName>"),
        "{body}"
    );
    for part in [&call.id, "caller", "callee"] {
        assert!(body.contains(&format!("<string>{part}</string>")), "{body}");
    }
    relay.assert_idle(&net.relay);
}

/// Somebody who listens for digits beside the relay.
struct Listener(UdpSocket);

impl Listener {
    fn bind(net: &TwoNetworks) -> Self {
        let socket = net.relay.run(|| UdpSocket::bind("127.0.0.1:0")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    fn hear(&self) -> Value {
        let mut buffer = [0; 2000];
        let length = self.0.recv(&mut buffer).unwrap();
        serde_json::from_slice(&buffer[..length]).unwrap()
    }
}

/// The caller dials `#` for 160 ms (RFC 4733); the end is sent three times.
fn dial(call: &Call, sequence: u16) {
    let packets = [(0, 160), (0, 640), (0x80, 1280), (0x80, 1280), (0x80, 1280)];
    for ((end, duration), sequence_number) in packets.into_iter().zip(sequence..) {
        let mut packet = vec![0x80, 101];
        packet.extend(sequence_number.to_be_bytes());
        packet.extend((8000 * u32::from(sequence)).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend([11, end | 10]);
        packet.extend(u16::to_be_bytes(duration));
        call.caller.send_raw(call.caller_to, &packet);
    }
}

#[test]
fn a_digit_is_told_once() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let listener = Listener::bind(&net);
    let relay = Relay::under_test()
        .two_networks()
        .option(&format!("--dtmf-log-dest={}", listener.address()))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    dial(&call, 1);
    let event = listener.hear();
    assert_eq!(event["callid"], *call.id);
    assert_eq!(event["source_tag"], "caller");
    assert_eq!(event["type"], "DTMF");
    assert_eq!(event["source_ip"], call.caller.address().ip().to_string());
    for (key, value) in [("event", 11), ("duration", 160), ("volume", 10)] {
        assert_eq!(event[key], value, "{event}");
    }
}

#[test]
fn a_call_may_have_its_digits_told_elsewhere() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (listener, own) = (Listener::bind(&net), Listener::bind(&net));
    let relay = Relay::underpass()
        .two_networks()
        .option(&format!("--dtmf-log-dest={}", listener.address()))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let elsewhere = CallOptions::default().key("dtmf-log-dest", &own.address());
    let [call, other] =
        [CallOptions::default(), elsewhere].map(|options| Call::set_up(&net, &ng, &options));
    dial(&other, 1);
    assert_eq!(own.hear()["callid"], *other.id);
    dial(&call, 1);
    assert_eq!(
        listener.hear()["callid"],
        *call.id,
        "nothing came in before"
    );
}

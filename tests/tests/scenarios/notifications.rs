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

#[test]
fn a_digit_is_told_once() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let bind = || UdpSocket::bind("127.0.0.1:0");
    let listener = net.relay.run(bind).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = net.relay.run(bind).unwrap();
    own.set_read_timeout(Some(PATIENCE)).unwrap();
    let relay = Relay::under_test()
        .two_networks()
        .option(&format!(
            "--dtmf-log-dest={}",
            listener.local_addr().unwrap()
        ))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let dial = |call: &Call, sequence: u16| {
        // RFC 4733: `#`, volume 10, 160 ms; the end is sent three times.
        for (more, end, duration) in [
            (0_u16, 0_u8, 160_u16),
            (1, 0, 640),
            (2, 0x80, 1280),
            (3, 0x80, 1280),
            (4, 0x80, 1280),
        ] {
            let mut packet = vec![0x80, 101];
            packet.extend((sequence + more).to_be_bytes());
            packet.extend(8000_u32.to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend([11, end | 10]);
            packet.extend(duration.to_be_bytes());
            call.caller.send_raw(call.caller_to, &packet);
        }
    };
    let heard = |socket: &UdpSocket| {
        let mut buffer = [0; 2000];
        let length = socket.recv(&mut buffer).unwrap();
        serde_json::from_slice::<Value>(&buffer[..length]).unwrap()
    };
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    dial(&call, 1);
    let event = heard(&listener);
    assert_eq!(event["callid"], *call.id);
    assert_eq!(event["source_tag"], "caller");
    assert_eq!(event["type"], "DTMF");
    assert_eq!(event["source_ip"], call.caller.address().ip().to_string());
    assert_eq!(
        (&event["event"], &event["duration"], &event["volume"]),
        (&11.into(), &160.into(), &10.into())
    );

    let destination = own.local_addr().unwrap().to_string();
    let elsewhere = CallOptions::default().key("dtmf-log-dest", &destination);
    let other = Call::set_up(&net, &ng, &elsewhere);
    dial(&other, 1);
    assert_eq!(heard(&own)["callid"], *other.id);

    dial(&call, 10);
    assert_eq!(
        heard(&listener)["callid"],
        *call.id,
        "nothing else came in between"
    );
}

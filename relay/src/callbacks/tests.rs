//! Callbacks to a server on loopback that answers what a test tells it.

mod encrypted;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::*;

/// Far longer than anything here takes; no test passes by waiting it out.
const PATIENCE: Duration = Duration::from_secs(60);

const ACCEPTED: &str = "<?xml version=\"1.0\"?><methodResponse><params><param><value><i4>1</i4></value></param></params></methodResponse>";

fn fault(text: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><methodResponse><fault><value><struct><member><name>faultString</name><value><string>{text}\
         </string></value></member></struct></value></fault></methodResponse>"
    )
}

/// A server that answers each request with the next of `answers` (the last again and again), and tells what it was asked.
struct Server {
    port: u16,
    asked: mpsc::Receiver<String>,
}

impl Server {
    fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::channel();
        let mut answers: Vec<String> = answers.iter().rev().map(|&text| text.to_owned()).collect();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop().unwrap(),
                };
                let Some(request) = exchange(stream, &answer) else {
                    continue;
                };
                if tell.send(request).is_err() {
                    return;
                }
            }
        });
        Self { port, asked }
    }

    fn next(&self) -> String {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }

    fn callbacks(&self, format: Format) -> Callbacks {
        Callbacks::start(format!("http://127.0.0.1:{}/RPC2", self.port), format).unwrap()
    }
}

/// Reads a request, answers it, returns head and body.
fn exchange(mut stream: impl Read + Write, answer: &str) -> Option<String> {
    let mut reader = BufReader::new(&mut stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(answer.as_bytes()).ok()?;
    Some(head + "\r\n" + &String::from_utf8(body).unwrap())
}

fn teardown() -> Teardown {
    Teardown {
        callback: None,
        tags: vec!["a".into(), "b".into()],
        dialogues: vec![("a".into(), "b".into())],
    }
}

fn call_id() -> Bytes {
    "call<1>&2".into()
}

fn parameters(texts: &[&str]) -> String {
    let parameters = texts
        .iter()
        .map(|text| format!("<param><value><string>{text}</string></value></param>"));
    format!("<params>{}</params>", parameters.collect::<String>())
}

#[test]
fn kamailio_is_asked_once_for_a_dialogue() {
    let server = Server::answering(&[ACCEPTED]);
    let callbacks = server.callbacks(Format::Kamailio);
    callbacks.timed_out(&call_id(), &teardown(), None);
    let request = server.next();
    assert!(request.starts_with("POST /RPC2 HTTP/1.1\r\n"), "{request}");
    assert!(
        request
            .to_ascii_lowercase()
            .contains("content-type: text/xml\r\n"),
        "{request}"
    );
    assert!(
        request.contains("<methodName>dlg.terminate_dlg</methodName>"),
        "{request}"
    );
    let parameters = parameters(&["call&lt;1&gt;&amp;2", "a", "b"]);
    assert!(request.contains(&parameters), "{request}");
}

#[test]
fn sems_is_asked_for_every_tag_and_others_by_the_call_id() {
    let of = |format| xmlrpc::requests(format, &call_id(), &teardown());
    let sems = of(Format::Sems);
    for (request, tag) in sems.iter().zip(["a", "b"]) {
        assert!(request.contains("<methodName>di</methodName>"), "{request}");
        let parameters = parameters(&["sbc", "postControlCmd", tag, "teardown"]);
        assert!(request.contains(&parameters), "{request}");
    }
    assert_eq!(sems.len(), 2);
    let by_call_id = of(Format::CallId);
    assert_eq!(by_call_id.len(), 1);
    assert!(by_call_id[0].contains("<methodName>teardown</methodName>"));
    assert!(by_call_id[0].contains(&parameters(&["call&lt;1&gt;&amp;2"])));
}

#[test]
fn a_request_is_repeated_three_times_until_it_is_taken() {
    let server = Server::answering(&[&fault("busy"), "garbage", &fault("busy"), ACCEPTED]);
    let callbacks = server.callbacks(Format::CallId);
    callbacks.timed_out(&call_id(), &teardown(), None);
    let requests: Vec<String> = (0..4).map(|_| server.next()).collect();
    assert!(requests.iter().all(|request| *request == requests[0]));
    callbacks.timed_out(&"next".into(), &teardown(), None);
    assert!(server.next().contains("next"), "there was no fifth");
}

#[test]
fn what_is_never_taken_is_given_up() {
    let server = Server::answering(&[&fault("no such method")]);
    let callbacks = server.callbacks(Format::CallId);
    callbacks.timed_out(&call_id(), &teardown(), None);
    (0..ATTEMPTS).for_each(|_| drop(server.next()));
    callbacks.timed_out(&"next".into(), &teardown(), None);
    assert!(server.next().contains("next"));
}

#[test]
fn a_dialogue_that_the_proxy_does_not_know_is_torn_down() {
    assert_eq!(xmlrpc::outcome(&fault("Dialog not found")), Ok(()));
    let refused = xmlrpc::outcome(&fault("no such method"));
    assert_eq!(
        refused,
        Err("it answers with a fault: no such method".to_owned())
    );
    assert!(xmlrpc::outcome("<html>").is_err());
}

#[test]
fn the_proxys_address_goes_where_the_url_has_a_place_for_it() {
    let v4 = Some("192.0.2.1".parse().unwrap());
    let v6 = Some("2001:db8::1".parse().unwrap());
    let url = "http://%%:5060/RPC2";
    assert_eq!(url_for(url, v4).unwrap(), "http://192.0.2.1:5060/RPC2");
    assert_eq!(url_for(url, v6).unwrap(), "http://[2001:db8::1]:5060/RPC2");
    assert_eq!(url_for(url, None), None);
    assert_eq!(url_for("http://proxy/", None).unwrap(), "http://proxy/");
}

#[test]
fn the_address_is_the_calls_own_or_the_proxys() {
    let server = Server::answering(&[ACCEPTED]);
    let url = format!("http://%%:{}/", server.port);
    let callbacks = Callbacks::start(url, Format::CallId).unwrap();
    let loopback = Some("127.0.0.1:2000".parse().unwrap());
    callbacks.timed_out(&call_id(), &teardown(), loopback);
    server.next();
    let own = Teardown {
        callback: Some("127.0.0.1".parse().unwrap()),
        ..teardown()
    };
    let elsewhere = Some("[100::1]:2000".parse().unwrap());
    callbacks.timed_out(&call_id(), &own, elsewhere);
    server.next();
}

#[test]
fn nobody_waits_for_a_proxy_that_does_not_answer() {
    // Takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let callbacks = Callbacks::start(url, Format::CallId).unwrap();
    let started = Instant::now();
    for _ in 0..2 * BACKLOG {
        callbacks.timed_out(&call_id(), &teardown(), None);
    }
    assert!(started.elapsed() < super::PATIENCE);
    assert!(callbacks.overrun.load(Relaxed));
}

#[test]
fn characters_that_xml_has_no_place_for_are_replaced() {
    let requests = xmlrpc::requests(
        Format::CallId,
        &Bytes::from_static(b"a\0b\x1f\xff"),
        &teardown(),
    );
    assert!(
        requests[0].contains("<string>a\u{fffd}b\u{fffd}\u{fffd}</string>"),
        "{}",
        requests[0]
    );
}

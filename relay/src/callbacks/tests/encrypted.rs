//! `b2b-url=https://…`

use std::sync::Arc;

use rcgen::CertifiedKey;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::tls::Certificate;

use super::*;

/// A server for `localhost`, its certificate, and what it was asked: `None` where TLS failed.
struct Secure {
    url: String,
    certificate: Certificate<'static>,
    asked: mpsc::Receiver<Option<String>>,
}

impl Secure {
    fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let request = exchange(&mut stream, ACCEPTED);
                if tell.send(request).is_err() {
                    return;
                }
            }
        });
        Self {
            url: format!("https://localhost:{port}/RPC2"),
            certificate: Certificate::from_der(cert.der()).to_owned(),
            asked,
        }
    }

    fn next(&self) -> Option<String> {
        self.asked.recv_timeout(super::PATIENCE).unwrap()
    }
}

#[test]
fn a_proxy_whose_certificate_is_trusted_is_told_over_tls() {
    let server = Secure::start();
    let roots = [server.certificate.clone()];
    let callbacks = Callbacks::trusting(server.url.clone(), Format::CallId, &roots).unwrap();
    callbacks.timed_out(&call_id(), &teardown(), None);
    let request = server.next().unwrap();
    assert!(request.starts_with("POST /RPC2 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("call&lt;1&gt;&amp;2"), "{request}");
}

#[test]
fn a_proxy_whose_certificate_is_not_trusted_is_told_nothing() {
    let (server, other) = (Secure::start(), Secure::start());
    let roots = [other.certificate.clone()];
    let callbacks = Callbacks::trusting(server.url.clone(), Format::CallId, &roots).unwrap();
    callbacks.timed_out(&call_id(), &teardown(), None);
    for _ in 0..ATTEMPTS {
        assert_eq!(server.next(), None);
    }
}

#[test]
fn a_certificate_for_another_name_is_not_believed() {
    let server = Secure::start();
    let roots = [server.certificate.clone()];
    let url = server.url.replace("localhost", "127.0.0.1");
    let callbacks = Callbacks::trusting(url, Format::CallId, &roots).unwrap();
    callbacks.timed_out(&call_id(), &teardown(), None);
    assert_eq!(server.next(), None);
}

//! TLS, through a client that trusts one certificate only.

use std::path::Path;

use rcgen::{CertifiedKey, KeyPair};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::tls::{Tls, TlsError};
use super::*;

/// A certificate for `localhost`, and the files it is in.
struct Identity {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

fn generate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

impl Identity {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let certificate = write(directory.path());
        Self {
            directory,
            certificate,
        }
    }

    fn load(&self) -> Result<Tls, TlsError> {
        let path = self.directory.path();
        let (certificate, key) = (path.join("cert.pem"), path.join("key.pem"));
        Tls::new(Some(&certificate), Some(&key))
    }
}

/// Puts a new certificate with its key there.
fn write(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn secure_server(tls: Tls) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = serve_tls(listener, services(), Arc::new(tls));
    let task = tokio::spawn(async move { served.await.unwrap() });
    Server { address, task }
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn ping(mut stream: TlsStream<TcpStream>) -> String {
    let request = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn ping_is_answered_over_tls() {
    let identity = Identity::new();
    let server = secure_server(identity.load().unwrap()).await;
    let stream = connect(&server, &identity.certificate).await.unwrap();
    assert!(ping(stream).await.ends_with("\r\n\r\npong\n"));
}

#[tokio::test]
async fn a_websocket_goes_over_tls() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let identity = Identity::new();
    let server = secure_server(identity.load().unwrap()).await;
    let stream = connect(&server, &identity.certificate).await.unwrap();
    let mut request = "wss://localhost/".into_client_request().unwrap();
    let protocol = "ng.rtpengine.com".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    socket.send(PING.into()).await.unwrap();
    let reply = socket.next().await.unwrap().unwrap();
    assert_eq!(reply, Message::text(PONG));
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_bad_one_is_not() {
    let identity = Identity::new();
    let path = identity.directory.path();
    let server = secure_server(identity.load().unwrap()).await;
    // Files are looked at once a second.
    let look = || tokio::time::sleep(std::time::Duration::from_millis(1100));
    let renewed = write(path);
    look().await;
    let stream = connect(&server, &renewed).await.unwrap();
    assert!(ping(stream).await.ends_with("pong\n"));
    assert!(connect(&server, &identity.certificate).await.is_err());
    std::fs::write(path.join("cert.pem"), "half a certif").unwrap();
    look().await;
    assert!(connect(&server, &renewed).await.is_ok());
}

#[tokio::test]
async fn clients_that_do_not_shake_hands_shut_nobody_out() {
    let identity = Identity::new();
    let server = secure_server(identity.load().unwrap()).await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut garbage = TcpStream::connect(server.address).await.unwrap();
    garbage
        .write_all(b"GET /ping HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let stream = connect(&server, &identity.certificate).await.unwrap();
    assert!(ping(stream).await.ends_with("pong\n"));
}

#[test]
fn what_is_wrong_with_the_files_is_said_in_one_line() {
    let identity = Identity::new();
    let path = identity.directory.path();
    let name = path.display();
    let error = || identity.load().unwrap_err().to_string();
    let key = std::fs::read(path.join("key.pem")).unwrap();

    std::fs::write(path.join("key.pem"), "nothing").unwrap();
    let expected =
        format!("https-key = {name}/key.pem: expected a private key in PEM format there: ");
    assert!(error().starts_with(&expected), "{}", error());
    std::fs::remove_file(path.join("key.pem")).unwrap();
    let expected = format!("https-key = {name}/key.pem: cannot read it: No such file");
    assert!(error().starts_with(&expected), "{}", error());
    std::fs::write(path.join("key.pem"), generate().signing_key.serialize_pem()).unwrap();
    let expected = format!("https-cert = {name}/cert.pem with https-key = {name}/key.pem: ");
    assert!(error().starts_with(&expected), "{}", error());
    std::fs::write(path.join("cert.pem"), key).unwrap();
    let expected = format!("https-cert = {name}/cert.pem: expected a certificate in PEM format");
    assert!(error().starts_with(&expected), "{}", error());
}

#[test]
fn one_file_may_hold_certificate_and_key() {
    let identity = Identity::new();
    let path = identity.directory.path();
    let read = |name| std::fs::read_to_string(path.join(name)).unwrap();
    std::fs::write(path.join("both.pem"), read("key.pem") + &read("cert.pem")).unwrap();
    assert!(Tls::new(Some(&path.join("both.pem")), None).is_ok());
}

#[test]
fn https_needs_a_certificate() {
    assert_eq!(
        Tls::new(None, None).unwrap_err().to_string(),
        "listen-https needs a certificate: name its file with https-cert"
    );
}

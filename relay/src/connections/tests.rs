use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Answers every byte by itself.
async fn echo(mut stream: TcpStream, guest: Guest) {
    while let Ok(byte) = stream.read_u8().await {
        if stream.write_u8(byte).await.is_err() {
            return;
        }
        guest.served();
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn talk(stream: &mut TcpStream) -> io::Result<u8> {
    stream.write_u8(7).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn a_thousand_silent_connections_shut_nobody_out() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(serve(listener, 16, echo));
    let mut client = TcpStream::connect(address).await.unwrap();
    assert_eq!(talk(&mut client).await.unwrap(), 7);
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut late = TcpStream::connect(address).await.unwrap();
    assert_eq!(talk(&mut late).await.unwrap(), 7);
    assert_eq!(talk(&mut client).await.unwrap(), 7, "the first one is kept");
    let mut first = silent.swap_remove(0);
    assert!(
        talk(&mut first).await.is_err(),
        "the silent one was dropped"
    );
    server.abort();
}

#[tokio::test]
async fn connections_end_with_their_listener() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(serve(listener, 16, echo));
    let mut client = TcpStream::connect(address).await.unwrap();
    assert_eq!(talk(&mut client).await.unwrap(), 7);
    server.abort();
    assert!(client.read_u8().await.is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

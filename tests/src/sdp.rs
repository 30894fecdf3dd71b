//! The little SDP a scenario writes and reads.

use std::net::{IpAddr, SocketAddr};

/// A session with one audio stream (PCMU, PCMA, telephone-event) received at `media`.
#[must_use]
pub fn audio(media: SocketAddr) -> String {
    audio_with(media, "sendrecv")
}

/// As [`audio`], with a direction attribute: `sendrecv`, `sendonly`, `recvonly`, `inactive`.
#[must_use]
pub fn audio_with(media: SocketAddr, direction: &str) -> String {
    let (ip, port) = (media.ip(), media.port());
    let family = if media.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=lab 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

/// Where the first stream of `sdp` is received; `None` if it has none, or says so in a way this does not read.
#[must_use]
pub fn media(sdp: &str) -> Option<SocketAddr> {
    let port = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let port = port.split_whitespace().next()?.parse().ok()?;
    let connection = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("c=IN "))
        .next_back()?;
    let ip: IpAddr = connection.split_whitespace().nth(1)?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

/// The RTCP address that belongs to an RTP address where nothing else is said (RFC 3550 section 11).
#[must_use]
pub fn rtcp_of(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

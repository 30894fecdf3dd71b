//! What the room does, as a specification: reading, writing, real bodies, and properties of any body.

mod any_body;
mod fuzz;
mod reading;
mod real_bodies;
mod writing;

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use super::*;

/// The relay's address in these tests.
const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// A body with CRLF line ends.
fn body(lines: &str) -> Bytes {
    lines.replace('\n', "\r\n").into()
}

/// A session with these lines between `t=` and the end.
pub(super) fn session(lines: &str) -> Session {
    parse(&body(&format!(
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{lines}"
    )))
    .unwrap()
}

/// Relays a section as a call does that changes nothing but addresses and ports.
fn relay(media: &Media) -> Relay {
    Relay {
        address: RELAY,
        zero_address: media.is_on_hold(),
        port: 30000,
        rtcp: RtcpLine::Port(30001),
        rtcp_mux: media.rtcp_mux,
        direction: Some(media.effective_direction()),
        protocol: None,
        mid: None,
        bundle_only: false,
        hides_mid: false,
        formats: None,
        descriptions: None,
        ptime: None,
        restored_extensions: Vec::new(),
    }
}

/// Writes with every section relayed, rejected or untouched as a call would.
fn relayed(session: &Session, remove_ice: bool) -> String {
    text(&relayed_bytes(session, remove_ice))
}

fn relayed_bytes(session: &Session, remove_ice: bool) -> Bytes {
    let medias = session
        .medias
        .iter()
        .zip((30000..).step_by(2))
        .map(|(media, port)| {
            if media.is_rejected() {
                MediaChange::Rejected
            } else if media.can_be_relayed() {
                MediaChange::Relay(Relay {
                    port,
                    rtcp: RtcpLine::Port(port + 1),
                    ..relay(media)
                })
            } else {
                MediaChange::Untouched
            }
        });
    write(
        session,
        &Changes {
            remove_ice,
            medias: medias.collect(),
            ..Changes::default()
        },
    )
}

/// A body without its CRs; every line must have one.
fn text(body: &Bytes) -> String {
    let text = std::str::from_utf8(body).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(text.ends_with("\r\n"));
    text.replace("\r\n", "\n")
}

/// The lines from the first `m=` on.
fn sections(text: &str) -> &str {
    text.find("m=").map_or("", |start| &text[start..])
}

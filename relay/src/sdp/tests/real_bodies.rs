//! Bodies as phones, browsers and test tools send them: what is read from them, and how they leave the relay.

use std::fmt::Write;

use super::*;

/// What calls read, one line per section, and the body as it leaves the relay.
fn report(fixture: &str, remove_ice: bool) -> String {
    let session = parse(&body(fixture)).unwrap();
    let mut report = String::new();
    for media in &session.medias {
        let rates: Vec<_> = media
            .payload_types()
            .map(|number| {
                (
                    number,
                    media.encoding(number).and_then(crate::sdp::clock_rate),
                )
            })
            .collect();
        writeln!(
            report,
            "{} {} rtp {:?} rtcp {:?} mux {} {:?} ice {} hold {} rates {rates:?}",
            media.kind.as_str(),
            media.protocol,
            media.rtp_endpoint(),
            media.rtcp_endpoint(),
            media.rtcp_mux,
            media.effective_direction(),
            media.uses_ice(),
            media.is_on_hold(),
        )
        .unwrap();
    }
    format!("{report}\n{}", relayed(&session, remove_ice))
}

#[test]
fn sipp() {
    insta::assert_snapshot!(report(include_str!("fixtures/sipp.sdp"), false));
}

#[test]
fn linphone() {
    insta::assert_snapshot!(report(include_str!("fixtures/linphone.sdp"), false));
}

#[test]
fn linphone_without_ice() {
    insta::assert_snapshot!(report(include_str!("fixtures/linphone.sdp"), true));
}

#[test]
fn browser_with_bundle_ice_and_dtls() {
    insta::assert_snapshot!(report(include_str!("fixtures/browser.sdp"), false));
}

#[test]
fn browser_without_ice() {
    insta::assert_snapshot!(report(include_str!("fixtures/browser.sdp"), true));
}

#[test]
fn sdes_and_every_letter() {
    insta::assert_snapshot!(report(include_str!("fixtures/sdes.sdp"), true));
}

#[test]
fn ipv6_with_a_refused_section() {
    insta::assert_snapshot!(report(include_str!("fixtures/ipv6.sdp"), true));
}

#[test]
fn a_number_of_ports() {
    insta::assert_snapshot!(report(include_str!("fixtures/ports.sdp"), true));
}

#[test]
fn fax_and_messages() {
    insta::assert_snapshot!(report(include_str!("fixtures/fax.sdp"), true));
}

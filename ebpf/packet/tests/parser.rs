//! The parser and the rewrite over arbitrary bytes, and over a corpus of real frames.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests"
)]

use underpass_abi::{ANY_SSRC, Flow, Outcome};
use underpass_packet::{
    Datagram, Ethernet, Internet, Ipv4, Ipv6, Link, Plain, Read, Reading, UdpChecksum, Vlan, admit,
    write_frame,
};

/// A flow that takes whatever source the packet has: the parser must hold out whatever comes.
fn permissive(source_address: [u8; 16], source_port: u16, egress_family: u8) -> Flow {
    Flow {
        payload_types: [u64::MAX; 2],
        source_address,
        source_port: source_port.to_ne_bytes(),
        egress_mtu: u16::MAX,
        egress_family,
        flags: ANY_SSRC,
        from_address: [1; 16],
        to_address: [2; 16],
        clock_rate: 8000,
        ttl: 64,
        ..Flow::default()
    }
}

fn forward(frame: &[u8], egress_family: u8) -> Result<Vec<u8>, Outcome> {
    let link = Link::parse(frame)?;
    match link.ethertype {
        Ipv4::ETHERTYPE => arrive::<Ipv4>(frame, link, egress_family),
        Ipv6::ETHERTYPE => arrive::<Ipv6>(frame, link, egress_family),
        _ => Err(Outcome::NotIp),
    }
}

fn arrive<I: Internet>(frame: &[u8], link: Link, family: u8) -> Result<Vec<u8>, Outcome>
where
    Datagram<I>: Plain,
{
    let packet = frame.skip(link.length);
    let datagram = Datagram::<I>::parse(packet)?;
    let mut source = [0; 16];
    let addresses = if I::FAMILY == 4 {
        &packet[12..16]
    } else {
        &packet[8..24]
    };
    source[..addresses.len()].copy_from_slice(addresses);
    let flow = permissive(source, datagram.udp.source, family);
    admit(&datagram, packet, &flow)?;
    let checksum = UdpChecksum::read(&datagram, packet.skip(I::LENGTH), Reading::Native)?;
    let payload = &packet[Datagram::<I>::LENGTH..];
    if family == 4 {
        leave::<I, Ipv4>(&datagram, &flow, checksum, payload)
    } else {
        leave::<I, Ipv6>(&datagram, &flow, checksum, payload)
    }
}

fn leave<I: Internet, O: Internet>(
    arrived: &Datagram<I>,
    flow: &Flow,
    checksum: UdpChecksum,
    payload: &[u8],
) -> Result<Vec<u8>, Outcome>
where
    Datagram<I>: Plain,
    Datagram<O>: Plain,
{
    let mut leaving: Datagram<O> = arrived.leaving(flow);
    leaving.udp.checksum = checksum.of(&leaving)?;
    let mut frame = vec![0; 14 + O::LENGTH + 8];
    frame.extend(payload);
    write_frame(frame.as_mut_slice(), flow, leaving, false).ok_or(Outcome::HelperFailed)?;
    Ok(frame)
}

/// Whatever is forwarded is whole: it parses again, to a packet of the same payload.
fn check(frame: &[u8]) {
    for family in [4, 6] {
        if let Ok(forwarded) = forward(frame, family) {
            let again = forward(&forwarded, family).expect("what was forwarded can be forwarded");
            assert_eq!(again.len(), forwarded.len());
        }
    }
}

#[test]
fn no_bytes_upset_the_parser() {
    bolero::check!().for_each(|frame: &[u8]| check(frame));
}

#[test]
fn nor_do_bytes_with_a_header_before_them() {
    bolero::check!()
        .with_type::<(bool, Vec<u8>)>()
        .for_each(|(six, rest)| {
            let ethertype: &[u8] = if *six { &[0x86, 0xdd] } else { &[8, 0] };
            let version = if *six { 0x60 } else { 0x45 };
            check(&[&[0; 12], ethertype, &[version], rest].concat());
        });
}

#[test]
fn the_corpus_goes_where_its_names_say() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let frame = std::fs::read(&path).unwrap();
        check(&frame);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let outcome = match forward(&frame, 4) {
            Ok(_) => "Forwarded".to_owned(),
            Err(outcome) => format!("{outcome:?}"),
        };
        assert_eq!(name.split('-').next(), Some(outcome.as_str()), "{name}");
        seen += 1;
    }
    assert!(seen >= 15, "the corpus is there");
}

#[test]
fn nothing_is_written_past_the_end() {
    let datagram = Datagram::<Ipv4>::parse(RTP.skip(14)).unwrap();
    let flow = permissive([0; 16], 0, 4);
    for tagged in [false, true] {
        let whole = size_of::<Ethernet>()
            + Datagram::<Ipv4>::LENGTH
            + if tagged { size_of::<Vlan>() } else { 0 };
        let mut frame = vec![0; whole];
        assert_eq!(
            write_frame(&mut frame[..whole - 1], &flow, datagram, tagged),
            None
        );
        assert_eq!(frame, vec![0; whole]);
        assert_eq!(
            write_frame(&mut frame[..], &flow, datagram, tagged),
            Some(())
        );
    }
}

const RTP: &[u8] = include_bytes!("corpus/Forwarded-v4.frame");

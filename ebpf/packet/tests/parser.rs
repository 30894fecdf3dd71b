//! The parser and the rewrite over arbitrary bytes, and over a corpus of real frames.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests"
)]

use std::net::{IpAddr, SocketAddr};

use underpass_abi::{ANY_SSRC, Flow, Outcome};
use underpass_packet::{
    Addressing, Datagram, Ethernet, Head, Internet, Ipv4, Ipv6, Link, Plain, Read, Reading, Vlan,
    admit, udp_checksum, write_frame,
};

/// A flow that takes whatever source the packet has, at whatever address: the parser must hold out whatever comes.
fn permissive(source: SocketAddr, local: SocketAddr, egress_family: u8) -> Flow {
    let mut flow = Flow {
        payload_types: [u64::MAX; 2],
        egress_mtu: u16::MAX,
        flags: ANY_SSRC,
        clock_rate: 8000,
        ..Flow::default()
    };
    let [from, to] = if egress_family == 4 {
        ["1.1.1.1:257", "2.2.2.2:514"]
    } else {
        ["[101::101]:257", "[202::202]:514"]
    }
    .map(|address| address.parse().unwrap());
    let addressing = Addressing {
        local,
        source,
        from,
        to,
        from_mac: [1; 6],
        to_mac: [2; 6],
        tos: 0,
        ttl: 64,
    };
    addressing.fill(&mut flow);
    flow
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
    let [source, local] = if I::FAMILY == 4 {
        [12, 16].map(|at| IpAddr::from(packet[at..at + 4].first_chunk::<4>().copied().unwrap()))
    } else {
        [8, 24].map(|at| IpAddr::from(packet[at..at + 16].first_chunk::<16>().copied().unwrap()))
    };
    let udp = datagram.udp;
    let flow = permissive(
        SocketAddr::new(source, u16::from_be(udp.source)),
        SocketAddr::new(local, u16::from_be(udp.destination)),
        family,
    );
    admit::<I>(packet, &flow)?;
    if family == 4 {
        leave::<I, Ipv4>(&datagram, &flow, packet)
    } else {
        leave::<I, Ipv6>(&datagram, &flow, packet)
    }
}

fn leave<I: Internet, O: Internet>(
    arrived: &Datagram<I>,
    flow: &Flow,
    packet: &[u8],
) -> Result<Vec<u8>, Outcome>
where
    Datagram<I>: Plain,
    Datagram<O>: Plain,
{
    let udp = &arrived.udp;
    let checksum = udp_checksum::<I>(flow, udp, packet.skip(I::LENGTH), Reading::Native)?;
    let mut frame = vec![0; 14 + O::LENGTH + 8];
    frame.extend(&packet[Datagram::<I>::LENGTH..]);
    let head = Head::copy::<O>(flow);
    write_frame::<O>(frame.as_mut_slice(), &head, udp.length, checksum, 0)
        .ok_or(Outcome::HelperFailed)?;
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
    let any = "192.0.2.1:1".parse().unwrap();
    for vlan in [0, 5] {
        let tag = if vlan == 0 { 0 } else { size_of::<Vlan>() };
        for (family, header) in [(4, Datagram::<Ipv4>::LENGTH), (6, Datagram::<Ipv6>::LENGTH)] {
            let flow = permissive(any, any, family);
            let write = |frame: &mut [u8]| match family {
                4 => write_frame::<Ipv4>(frame, &Head::copy::<Ipv4>(&flow), 8, 1, vlan),
                _ => write_frame::<Ipv6>(frame, &Head::copy::<Ipv6>(&flow), 8, 1, vlan),
            };
            let whole = size_of::<Ethernet>() + tag + header;
            let mut frame = vec![0; whole];
            assert_eq!(write(&mut frame[..whole - 1]), None);
            assert_eq!(frame, vec![0; whole]);
            assert_eq!(write(&mut frame), Some(()));
        }
    }
}

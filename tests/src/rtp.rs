//! RTP packets that say where they come from: the payload carries its stream's mark, its number and the time it was
//! sent, and the rest follows from these, so that a receiver tells lost, doubled, damaged and foreign packets apart.

/// Length of the fixed header (RFC 3550 section 5.1), in bytes.
pub const HEADER: usize = 12;
const SIGNED: usize = 20;

/// What a stream's packets have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Unique to the sender in this run; carried in the payload.
    pub mark: u64,
    /// The synchronisation source.
    pub ssrc: u32,
    /// The payload type.
    pub payload_type: u8,
    /// Payload bytes; at least 20.
    pub payload: usize,
}

/// A packet the lab sent, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The stream's mark.
    pub mark: u64,
    /// The number of the packet in its stream, from 0.
    pub number: u32,
    /// When it was sent, in ns of CLOCK_MONOTONIC.
    pub sent_ns: u64,
    /// SSRC of the RTP header.
    pub ssrc: u32,
    /// Payload type of the RTP header.
    pub payload_type: u8,
    /// Whether header and payload are what the stream sends under this number.
    pub intact: bool,
}

/// The packet of `stream` with this number, sent at `sent_ns`.
#[must_use]
pub fn write(stream: &Stream, number: u32, sent_ns: u64) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + stream.payload);
    let sequence = sequence(stream, number);
    packet.extend([0x80, stream.payload_type]);
    packet.extend(sequence.to_be_bytes());
    packet.extend(number.wrapping_mul(160).to_be_bytes());
    packet.extend(stream.ssrc.to_be_bytes());
    packet.extend(stream.mark.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend(sent_ns.to_be_bytes());
    packet.extend((SIGNED..stream.payload).map(|at| filler(stream.mark, number, at)));
    packet
}

/// Reads a packet written by [`write`]; `None` if it is not one.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Packet> {
    let payload = bytes.get(HEADER..)?;
    let mark = u64::from_be_bytes(payload.get(..8)?.try_into().ok()?);
    let number = u32::from_be_bytes(payload.get(8..12)?.try_into().ok()?);
    let sent_ns = u64::from_be_bytes(payload.get(12..SIGNED)?.try_into().ok()?);
    let ssrc = u32::from_be_bytes(bytes[8..12].try_into().ok()?);
    let payload_type = bytes[1] & 0x7f;
    let stream = Stream {
        mark,
        ssrc,
        payload_type,
        payload: payload.len(),
    };
    let intact = bytes == write(&stream, number, sent_ns);
    Some(Packet {
        mark,
        number,
        sent_ns,
        ssrc,
        payload_type,
        intact,
    })
}

/// A receiver report without report blocks (RFC 3550 section 6.4.2), and a CNAME.
#[must_use]
pub fn receiver_report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x81, 202, 0, 3]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([1, 3]);
    packet.extend(b"lab");
    packet.extend([0, 0, 0]);
    packet
}

fn sequence(stream: &Stream, number: u32) -> u16 {
    // Starts near the end, so that any longer stream passes the wrap-around.
    let start = 65_500_u32.wrapping_add(stream.ssrc % 30);
    (start.wrapping_add(number) & 0xffff) as u16
}

fn filler(mark: u64, number: u32, at: usize) -> u8 {
    let mixed = mark ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at as u64);
    mixed.wrapping_mul(0xff51_afd7_ed55_8ccd).to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream {
        mark: 7,
        ssrc: 9,
        payload_type: 8,
        payload: 160,
    };

    #[test]
    fn a_packet_is_recognised() {
        let packet = read(&write(&STREAM, 40, 123)).unwrap();
        assert_eq!((packet.mark, packet.number, packet.sent_ns), (7, 40, 123));
        assert!(packet.intact);
    }

    #[test]
    fn one_changed_bit_is_noticed_wherever_it_is() {
        let good = write(&STREAM, 40, 123);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // SSRC, payload type, mark and number are the stream's identity: another value is another stream's packet.
            let identity = (8 * 9..8 * 16).contains(&bit) || (64..96).contains(&bit);
            let sent_at = (8 * 24..8 * 32).contains(&bit);
            let payload_type = (8..15).contains(&bit) || bit == 15;
            let noticed = read(&bad).is_none_or(|packet| !packet.intact);
            assert!(noticed || identity || sent_at || payload_type, "bit {bit}");
        }
    }
}

//! Telephone events (RFC 4733) of one stream: an event is told once, when it has ended.
//!
//! An event is many packets with the same timestamp, the last of them sent three times. Where all packets with the end mark
//! are lost, the next event ends the one before.

use underpass_packet::{Read, Rtp};

/// The mark on the last packets of an event.
const END: u8 = 0x80;
const VOLUME: u8 = 0x3f;

/// An event that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// 0 to 9: digits; 10 `*`, 11 `#`, 12 to 15 A to D, 16 flash; others by IANA.
    pub(super) code: u8,
    /// Attenuation, dB below 0 dBm0.
    pub(super) volume: u8,
    /// In units of the payload type's clock.
    pub(super) duration: u32,
}

/// The event that a stream is in.
#[derive(Debug, Default)]
pub(super) struct Events {
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    /// How long earlier segments of a very long event were.
    before: u32,
    event: Ended,
    is_told: bool,
}

impl Events {
    /// Follows a packet that carries an event, RTP header and all. Returns the events it ends: another one before it, its own.
    pub(super) fn follow(&mut self, header: Rtp, payload: &[u8]) -> [Option<Ended>; 2] {
        let Some([code, flags, high, low]) = payload.read::<u32>(0).map(u32::to_ne_bytes) else {
            return [None, None];
        };
        let duration = u32::from(u16::from_be_bytes([high, low]));
        let same = self.current.filter(|known| known.is_at(header, code));
        let mut before = None;
        let mut current = match same {
            Some(known) => known,
            None => {
                if self.is_past(header) {
                    return [None, None];
                }
                let continued = self.current.filter(|known| known.goes_on_in(header, code));
                if continued.is_none() {
                    before = self.end();
                }
                Current {
                    ssrc: header.ssrc(),
                    timestamp: header.timestamp(),
                    before: continued.map_or(0, |known| known.event.duration),
                    event: Ended {
                        code,
                        volume: flags & VOLUME,
                        duration: 0,
                    },
                    is_told: false,
                }
            }
        };
        let duration = current.before.saturating_add(duration);
        current.event.duration = current.event.duration.max(duration);
        self.current = Some(current);
        let own = (flags & END != 0).then(|| self.end()).flatten();
        [before, own]
    }

    /// The current event, unless it has been told.
    fn end(&mut self) -> Option<Ended> {
        let current = self.current.as_mut()?;
        (!std::mem::replace(&mut current.is_told, true)).then_some(current.event)
    }

    /// A packet of an earlier event, late.
    fn is_past(&self, header: Rtp) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| {
            let ahead = header.timestamp().wrapping_sub(current.timestamp);
            current.ssrc == header.ssrc() && ahead.cast_signed() < 0
        })
    }
}

impl Current {
    fn is_at(&self, header: Rtp, code: u8) -> bool {
        (self.ssrc, self.timestamp, self.event.code) == (header.ssrc(), header.timestamp(), code)
    }

    /// An event longer than the field for it goes on where that was full (RFC 4733 section 2.5.1.3).
    fn goes_on_in(&self, header: Rtp, code: u8) -> bool {
        let segment = self.event.duration - self.before;
        let next = self.timestamp.wrapping_add(segment);
        !self.is_told
            && segment == u32::from(u16::MAX)
            && (self.ssrc, next, self.event.code) == (header.ssrc(), header.timestamp(), code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(timestamp: u32, ssrc: u32) -> Rtp {
        let mut bytes = [0x80, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
        bytes.as_slice().read(0).unwrap()
    }

    /// Timestamp, code, end mark, duration.
    fn follow(events: &mut Events, packet: (u32, u8, bool, u16)) -> Vec<(u8, u32)> {
        let (timestamp, code, is_end, duration) = packet;
        let [high, low] = duration.to_be_bytes();
        let flags = 10 | if is_end { END } else { 0 };
        let ended = events.follow(header(timestamp, 7), &[code, flags, high, low]);
        let ended = ended.into_iter().flatten();
        ended.map(|event| (event.code, event.duration)).collect()
    }

    fn told(packets: &[(u32, u8, bool, u16)]) -> Vec<(u8, u32)> {
        let mut events = Events::default();
        let packets = packets.iter();
        packets
            .flat_map(|packet| follow(&mut events, *packet))
            .collect()
    }

    #[test]
    fn an_event_is_told_once_with_its_whole_duration() {
        let packets = [
            (1000, 5, false, 160),
            (1000, 5, false, 320),
            (1000, 5, true, 800),
            (1000, 5, true, 800),
            (1000, 5, true, 800),
        ];
        assert_eq!(told(&packets), [(5, 800)]);
    }

    #[test]
    fn the_same_digit_twice_is_two_events() {
        let packets = [
            (1000, 5, false, 160),
            (1000, 5, true, 800),
            (9000, 5, false, 160),
            (9000, 5, true, 640),
        ];
        assert_eq!(told(&packets), [(5, 800), (5, 640)]);
    }

    #[test]
    fn an_event_whose_end_was_lost_is_ended_by_the_next() {
        let packets = [(1000, 5, false, 160), (9000, 11, true, 640)];
        assert_eq!(told(&packets), [(5, 160), (11, 640)]);
    }

    #[test]
    fn packets_that_come_late_tell_nothing() {
        let packets = [
            (1000, 5, true, 800),
            (9000, 6, false, 160),
            (1000, 5, true, 800),
            (9000, 6, true, 640),
        ];
        assert_eq!(told(&packets), [(5, 800), (6, 640)]);
    }

    #[test]
    fn the_volume_is_told_without_the_bit_beside_it() {
        let mut events = Events::default();
        let [before, own] = events.follow(header(1, 7), &[12, END | 0x40 | 10, 0, 100]);
        assert_eq!(before, None);
        assert_eq!((own.unwrap().code, own.unwrap().volume), (12, 10));
    }

    #[test]
    fn another_source_has_events_of_its_own() {
        let mut events = Events::default();
        events.follow(header(9000, 7), &[1, END, 0, 100]);
        let [before, own] = events.follow(header(1000, 8), &[1, END, 0, 100]);
        assert_eq!((before, own.map(|event| event.code)), (None, Some(1)));
    }

    #[test]
    fn an_event_of_several_segments_is_one() {
        let next = 1000 + u32::from(u16::MAX);
        let packets = [
            (1000, 16, false, 160),
            (1000, 16, false, u16::MAX),
            (next, 16, false, 160),
            (next, 16, true, 800),
        ];
        assert_eq!(told(&packets), [(16, 66_335)]);
    }

    #[test]
    fn a_packet_without_an_event_is_none() {
        assert_eq!(
            Events::default().follow(header(1, 7), &[5, END, 0]),
            [None, None]
        );
    }

    proptest! {
        #[test]
        fn no_event_is_told_twice(packets in prop::collection::vec(
            (0_u32..4, 0_u8..3, any::<bool>(), any::<u16>()), 0..50,
        )) {
            let mut begun = packets.iter().map(|(at, code, ..)| (at, code)).collect::<Vec<_>>();
            begun.dedup();
            prop_assert!(told(&packets).len() <= begun.len());
        }

        #[test]
        fn any_payload_is_followed(packets in prop::collection::vec(
            (any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..6)), 0..20,
        )) {
            let mut events = Events::default();
            for (timestamp, ssrc, payload) in packets {
                events.follow(header(timestamp, ssrc), &payload);
            }
        }
    }
}

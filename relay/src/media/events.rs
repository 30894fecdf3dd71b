//! Telephone events (RFC 4733) of one stream: an event is told once as it begins, and once when it has ended.
//!
//! An event is many packets with the same timestamp, the last of them sent three times. Where all packets with the end mark
//! are lost, the next event ends the one before. What becomes of an event is decided when it begins: its packets are alike,
//! even if the plan changes meanwhile.

use underpass_packet::{Read, Rtp};

use super::fate::Fate;
use crate::plan::Digits;

/// The mark on the last packets of an event.
const END: u8 = 0x80;
const VOLUME: u8 = 0x3f;

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// 0 to 9: digits; 10 `*`, 11 `#`, 12 to 15 A to D, 16 flash; others by IANA.
    pub(super) code: u8,
    /// Attenuation, dB below 0 dBm0.
    pub(super) volume: u8,
    /// So far, in units of the payload type's clock.
    pub(super) duration: u32,
}

/// What a packet is to its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    /// The events it ends: another one before it, its own.
    pub(super) ended: [Option<Event>; 2],
    /// The event it begins; after the first of `ended`, before the second.
    pub(super) begun: Option<Event>,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// The event that a stream is in.
#[derive(Debug, Default)]
pub(super) struct Events {
    current: Option<Current>,
    /// There was an event that did not pass as it came: packets of earlier ones may be its last.
    guards: bool,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    /// How long earlier segments of a very long event were.
    before: u32,
    event: Event,
    fate: Fate,
    is_told: bool,
}

impl Events {
    /// Follows a packet that carries an event, RTP header and all. `digits` is what becomes of an event that begins now.
    pub(super) fn follow(&mut self, header: Rtp, payload: &[u8], digits: Digits) -> Followed {
        let Some([code, flags, high, low]) = payload.read::<u32>(0).map(u32::to_ne_bytes) else {
            return self.unknown(digits);
        };
        let duration = u32::from(u16::from_be_bytes([high, low]));
        let same = self.current.filter(|known| known.is_at(header, code));
        let mut followed = Followed::default();
        let mut current = match same {
            Some(known) => known,
            None => {
                if self.is_past(header) {
                    return self.unknown(digits);
                }
                let continued = self.current.filter(|known| known.goes_on_in(header, code));
                if continued.is_none() {
                    followed.ended[0] = self.end();
                }
                Current {
                    ssrc: header.ssrc(),
                    timestamp: header.timestamp(),
                    before: continued.map_or(0, |known| known.event.duration),
                    event: Event {
                        code,
                        volume: flags & VOLUME,
                        duration: 0,
                    },
                    fate: continued.map_or_else(|| Fate::of(digits, code), |known| known.fate),
                    is_told: false,
                }
            }
        };
        let duration = current.before.saturating_add(duration);
        current.event.duration = current.event.duration.max(duration);
        if same.is_none() && current.before == 0 {
            followed.begun = Some(current.event);
        }
        followed.fate = current.fate;
        self.guards |= current.fate != Fate::Pass;
        self.current = Some(current);
        if flags & END != 0 {
            followed.ended[1] = self.end();
        }
        followed
    }

    /// Packets may still come of an event that is not passed on as it came.
    pub(super) fn guards(&self) -> bool {
        self.guards
    }

    /// A packet of no event that could be told.
    fn unknown(&self, digits: Digits) -> Followed {
        let fate = if self.guards {
            Fate::Drop
        } else {
            Fate::of_unknown(digits)
        };
        Followed {
            fate,
            ..Followed::default()
        }
    }

    /// The current event, unless it has been told.
    fn end(&mut self) -> Option<Event> {
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
        let header = header(timestamp, 7);
        let followed = events.follow(header, &[code, flags, high, low], Digits::Pass);
        let ended = followed.ended.into_iter().flatten();
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
        let payload = [12, END | 0x40 | 10, 0, 100];
        let [before, own] = events.follow(header(1, 7), &payload, Digits::Pass).ended;
        assert_eq!(before, None);
        assert_eq!((own.unwrap().code, own.unwrap().volume), (12, 10));
    }

    #[test]
    fn another_source_has_events_of_its_own() {
        let mut events = Events::default();
        events.follow(header(9000, 7), &[1, END, 0, 100], Digits::Pass);
        let followed = events.follow(header(1000, 8), &[1, END, 0, 100], Digits::Pass);
        let [before, own] = followed.ended;
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
        let follow = |digits| Events::default().follow(header(1, 7), &[5, END, 0], digits);
        assert_eq!(follow(Digits::Pass), Followed::default());
        assert_eq!(follow(Digits::Drop).fate, Fate::Drop);
    }

    /// Which packets begin an event, as its code.
    fn begun(packets: &[(u32, u8, u16)]) -> Vec<Option<u8>> {
        let mut events = Events::default();
        let begun = packets.iter().map(|(timestamp, code, duration)| {
            let [high, low] = duration.to_be_bytes();
            let payload = [*code, 10, high, low];
            let followed = events.follow(header(*timestamp, 7), &payload, Digits::Pass);
            followed.begun.map(|event| event.code)
        });
        begun.collect()
    }

    #[test]
    fn an_event_begins_once() {
        let next = 9000 + u32::from(u16::MAX);
        let packets = [
            (1000, 5, 160),
            (1000, 5, 320),
            (9000, 5, u16::MAX),
            (next, 5, 160),
            (1000, 5, 800),
        ];
        assert_eq!(begun(&packets), [Some(5), None, Some(5), None, None]);
    }

    fn fate(events: &mut Events, timestamp: u32, digits: Digits) -> Fate {
        let payload = [5, 10, 0, 160];
        events.follow(header(timestamp, 7), &payload, digits).fate
    }

    #[test]
    fn an_event_keeps_what_was_to_become_of_it_when_it_began() {
        let mut events = Events::default();
        assert_eq!(fate(&mut events, 1000, Digits::Pass), Fate::Pass);
        assert_eq!(fate(&mut events, 1000, Digits::Drop), Fate::Pass);
        assert_eq!(fate(&mut events, 9000, Digits::Drop), Fate::Drop);
        assert_eq!(fate(&mut events, 9000, Digits::Pass), Fate::Drop);
        assert_eq!(fate(&mut events, 17_000, Digits::Pass), Fate::Pass);
    }

    #[test]
    fn a_late_packet_of_a_blocked_event_is_not_passed_on() {
        let mut events = Events::default();
        fate(&mut events, 1000, Digits::Pass);
        fate(&mut events, 9000, Digits::Pass);
        assert_eq!(fate(&mut events, 1000, Digits::Pass), Fate::Pass);
        fate(&mut events, 17_000, Digits::Drop);
        fate(&mut events, 25_000, Digits::Pass);
        assert_eq!(fate(&mut events, 17_000, Digits::Pass), Fate::Drop);
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
                events.follow(header(timestamp, ssrc), &payload, Digits::Pass);
            }
        }
    }
}

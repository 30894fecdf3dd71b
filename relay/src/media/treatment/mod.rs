//! What becomes of a packet between a stream and one of its sinks: values in, the same bytes out, whoever receives them.
//!
//! Sequence numbers are left as they are: a packet that is not passed on is a gap to the receiver, as in rtpengine.

mod extensions;
mod silence;

use underpass_packet::{Kind, Read, Rtp, classify};

use super::layout::Layout;
use crate::plan::{StreamPlan, Treatment};

/// Makes of a packet what `treatment` wants, in place. Returns its length, which never grows; `None`: it is not passed on.
/// What is not RTP stays as it is.
pub(super) fn treat(packet: &mut [u8], plan: &StreamPlan, treatment: &Treatment) -> Option<usize> {
    let bytes: &[u8] = packet;
    let header = match (classify(bytes), bytes.read::<Rtp>(0)) {
        (Kind::Rtp, Some(header)) => header,
        _ => return Some(packet.len()),
    };
    let payload_type = header.payload_type();
    if treatment.dropped.contains(payload_type) {
        return None;
    }
    let mut length = packet.len();
    if let Some(kept) = &treatment.extensions {
        length = extensions::filter(packet, kept)?;
    }
    let packet = &mut packet[..length];
    if treatment.silence
        && !plan.telephone_events.contains(payload_type)
        && let Some(silence) = silence::of(payload_type, &plan.silences)
    {
        let payload = Layout::of(packet)?.payload;
        packet[payload].fill(silence);
    }
    if treatment.echo {
        let ssrc = treatment.ssrc(header.ssrc());
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    }
    Some(length)
}

#[cfg(test)]
mod tests;

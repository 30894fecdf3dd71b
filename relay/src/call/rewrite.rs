//! What changes in an SDP on its way through.

use bytes::Bytes;
use ng_protocol::Ice;

use super::exchange::{Context, Role, announced_address, heard_direction, is_plain};
use super::media::Media;
use super::party::{Party, Told};
use crate::sdp::{self, Changes, Direction, MediaChange, OriginChange, Relay, RtcpLine};

/// How one section is written for the receiver.
pub(super) fn media(
    sender: &Media,
    receiver: &Media,
    index: usize,
    section: &sdp::Media,
    context: &Context<'_>,
) -> MediaChange {
    if !sender.relayed {
        return MediaChange::Untouched;
    }
    if sender.rejected || receiver.rejected {
        return MediaChange::Rejected;
    }
    let Some((ports, address)) = receiver.ports().zip(announced_address(receiver, context)) else {
        return MediaChange::Rejected;
    };
    let options = &context.request.options;
    let keeps_ice = context.session.uses_ice() && !removes_ice(context);
    let required = options.rtcp_mux.require || context.role == Role::Answer;
    let rtcp_port = if receiver.rtcp_mux && required {
        ports.rtp.address.port()
    } else {
        ports.rtcp.address.port()
    };
    let new_protocol = is_plain(&section.protocol)
        && is_plain(&receiver.protocol)
        && receiver.protocol != section.protocol;
    MediaChange::Relay(Relay {
        address,
        zero_address: section.is_on_hold() && !options.replace.zero_address && !keeps_ice,
        port: ports.rtp.address.port(),
        rtcp: if !section.protocol.is_rtp() || options.flags.no_rtcp_attribute {
            RtcpLine::Omit
        } else if options.flags.full_rtcp_attribute {
            RtcpLine::Full(rtcp_port, address)
        } else {
            RtcpLine::Port(rtcp_port)
        },
        rtcp_mux: receiver.rtcp_mux,
        direction: if options.flags.inactive {
            Direction::Inactive
        } else if options.flags.original_sendrecv {
            section.direction
        } else {
            heard_direction(section)
        },
        protocol: new_protocol.then(|| receiver.protocol.clone()),
        mid: options.flags.generate_mid.then(|| (index + 1).to_string()),
    })
}

/// Writes the body for the receiver, and remembers in it what `replace` will want to repeat.
pub(super) fn body(
    receiver: &mut Party,
    medias: Vec<MediaChange>,
    instance: &str,
    context: &Context<'_>,
) -> Bytes {
    let options = &context.request.options;
    let mut changes = Changes {
        origin: OriginChange::default(),
        remove_ice: removes_ice(context),
        loop_protect: options.flags.loop_protect.then(|| instance.to_owned()),
        medias,
    };
    let is_new = receiver.told.is_none();
    let came = context.session.origin.as_ref().map_or(0, version);
    let Some(mut told) = receiver
        .told
        .take()
        .or_else(|| first_told(receiver, context))
    else {
        return sdp::write(context.session, &changes);
    };
    changes.origin = origin(&told, context);
    let mut body = sdp::write(context.session, &changes);

    let replace = options.replace;
    let changed = !is_new && body != told.body;
    let ours = replace.sdp_version || replace.origin_full;
    if !ours {
        told.version = told.version.max(came);
    }
    if replace.force_increment_sdp_version || (ours && changed) {
        told.version = told.version.wrapping_add(1);
        changes.origin.version = Some(told.version.to_string().into());
        body = sdp::write(context.session, &changes);
    }
    told.body = body.clone();
    receiver.told = Some(told);
    body
}

fn removes_ice(context: &Context<'_>) -> bool {
    let options = &context.request.options;
    let rejected = options.flags.ice_reject && context.role == Role::Answer;
    options.ice == Ice::Remove || rejected
}

/// The `o=` and `s=` lines by `replace`, as in the first body this party was sent.
fn origin(told: &Told, context: &Context<'_>) -> OriginChange {
    let replace = context.request.options.replace;
    let full = replace.origin_full;
    OriginChange {
        address: (replace.origin || full).then_some(told.address),
        username: (replace.username || full).then(|| told.username.clone()),
        session_id: full.then(|| told.session_id.clone()),
        version: (replace.sdp_version || full).then(|| told.version.to_string().into()),
        session_name: told.session_name.clone().filter(|_| replace.session_name),
    }
}

fn first_told(receiver: &Party, context: &Context<'_>) -> Option<Told> {
    let origin = context.session.origin.as_ref()?;
    let on_ports = receiver.medias.iter().find_map(Media::ports);
    let interface = context.interfaces.get(receiver.interface.unwrap_or(0));
    let address = on_ports
        .map(|pair| pair.rtp.advertised)
        .or_else(|| Some(interface?.addresses.first()?.advertised))?;
    Some(Told {
        username: origin.username.clone(),
        session_id: origin.session_id.clone(),
        session_name: context.session.name.clone(),
        address,
        version: version(origin),
        body: Bytes::new(),
    })
}

/// The version of an `o=` line; 0 if it is not a number.
fn version(origin: &sdp::Origin) -> u64 {
    let text = std::str::from_utf8(&origin.version);
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

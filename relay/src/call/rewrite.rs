//! What changes in an SDP on its way through.

use std::net::IpAddr;

use bytes::Bytes;
use ng_protocol::Ice;

use super::exchange::{Context, Role, announced_address, direction, is_on_hold};
use super::media::Media;
use super::party::Party;
use super::{attributes, bundle, extmap};
use crate::plan::{LogicalInterface, PortPair};
use crate::sdp::{
    self, Changes, Codecs, Direction, MediaChange, OriginChange, Relay, Replace, RtcpLine,
};

/// How one section is written for the receiver, who remembers what it was offered.
pub(super) fn media(
    sender: &Media,
    receiver: &mut Media,
    codecs: &Codecs<'_>,
    ports: Option<&PortPair>,
    mid: Option<String>,
    section: &sdp::Media,
    context: &Context<'_>,
) -> MediaChange {
    if receiver.hidden && context.role == Role::Offer {
        return MediaChange::Removed;
    }
    // One that stands in for a section that was left out has no address to keep.
    if !sender.relayed && section.connection.is_some() {
        return MediaChange::Untouched;
    }
    if codecs.are_gone() {
        return MediaChange::WithoutCodecs;
    }
    if sender.rejected || receiver.rejected {
        return MediaChange::Rejected;
    }
    if context.role == Role::Offer && section.protocol.is_rtp() {
        receiver.offered_codecs = codecs.list();
        receiver.has_answered = false;
    }
    let Some(ports) = ports else {
        return MediaChange::Rejected;
    };
    let address = announced_address(ports, context);
    let options = &context.request.options;
    let keeps_ice = context.session.uses_ice() && !removes_ice(context);
    let required =
        options.rtcp_mux.require || receiver.rtcp_mux_agreed || context.role == Role::Answer;
    let rtcp_port = if receiver.rtcp_mux && required {
        ports.rtp.address.port()
    } else {
        ports.rtcp.address.port()
    };
    let new_protocol = receiver.protocol.is_exchangeable_with(&section.protocol)
        && receiver.protocol != section.protocol;
    let ptime = match context.role {
        Role::Offer => options.ptime,
        Role::Answer => receiver.ptime,
    };
    let ptime = ptime.filter(|ptime| *ptime > 0);
    MediaChange::Relay(Relay {
        address,
        zero_address: is_on_hold(section, context) && !options.replace.zero_address && !keeps_ice,
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
            Some(Direction::Inactive)
        } else {
            let ours = direction(section, context);
            (!options.flags.original_sendrecv).then_some(ours)
        },
        protocol: new_protocol.then(|| receiver.protocol.clone()),
        mid,
        bundle_only: context.role == Role::Offer && receiver.carrier.is_some(),
        hides_mid: context.role == Role::Answer && receiver.mid.is_none() && sender.mid.is_some(),
        formats: codecs.differ_from(section).then(|| codecs.formats()),
        descriptions: codecs.descriptions_for(section),
        ptime,
        restored_extensions: extmap::restored(receiver, context),
    })
}

/// Writes the body for the receiver, who remembers what `replace` will want to repeat.
pub(super) fn body(
    receiver: &mut Party,
    medias: Vec<MediaChange>,
    instance: &str,
    context: &Context<'_>,
) -> Bytes {
    let options = &context.request.options;
    let changes = Changes {
        origin: OriginChange::default(),
        remove_ice: removes_ice(context),
        loop_protect: options.flags.loop_protect.then(|| instance.to_owned()),
        attributes: attributes::changes(options),
        hidden_extensions: extmap::hidden(context),
        bundle: bundle::announced(receiver, context),
        medias,
    };
    let wanted = options.replace;
    let origin = wanted.origin || wanted.origin_full;
    let replace = Replace {
        address: own_address(receiver, context.interfaces).filter(|_| origin),
        origin_full: wanted.origin_full,
        username: wanted.username,
        session_name: wanted.session_name,
        sdp_version: wanted.sdp_version,
        force_increment: wanted.force_increment_sdp_version,
    };
    receiver.published.write(context.session, changes, replace)
}

fn removes_ice(context: &Context<'_>) -> bool {
    let options = &context.request.options;
    let rejected = options.flags.ice_reject && context.role == Role::Answer;
    options.ice == Ice::Remove || rejected
}

/// What a party knows us as: the address of its first ports, else the first one of its interface.
pub(super) fn own_address(party: &Party, interfaces: &[LogicalInterface]) -> Option<IpAddr> {
    let on_ports = party.medias.iter().find_map(Media::ports);
    let interface = interfaces.get(party.interface.unwrap_or(0));
    on_ports
        .map(|pair| pair.rtp.advertised)
        .or_else(|| Some(interface?.addresses.first()?.advertised))
}

//! What offer and answer have in common: an SDP is taken in from one party and written for the other.

use std::net::{IpAddr, SocketAddr};

use ng_protocol::{AddressFamily, EndpointLearning as Learning, Request};

use super::dialogue::Dialogue;
use super::graph::Call;
use super::media::{Media, Remote};
use super::party::PartyId;
use super::ports::Ledger;
use super::subscription::MediaRef;
use super::{Settings, Timestamp, extmap, layout, mux, rewrite};
use crate::datapath::PayloadTypes;
use crate::plan::{EndpointLearning, Family, LogicalInterface, OutOfPorts, Silences};
use crate::sdp::{self, MediaChange, Protocol, Session};

/// Which half of the exchange it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Offer,
    Answer,
}

/// What an exchange is made with.
pub(super) struct Context<'a> {
    pub(super) role: Role,
    pub(super) request: &'a Request,
    pub(super) session: &'a Session,
    pub(super) settings: &'a Settings,
    pub(super) interfaces: &'a [LogicalInterface],
    pub(super) now: Timestamp,
}

/// Takes the sender's media in, provides ports, makes the subscriptions, and returns what changes in the SDP for the
/// receiver. On failure `call` is half changed: throw it away.
pub(super) fn exchange(
    call: &mut Call,
    dialogue: Dialogue,
    context: &Context<'_>,
    ledger: &mut Ledger<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<MediaChange>, OutOfPorts> {
    let mut direction = context.request.options.direction.iter();
    let sender_interface = interface(call, dialogue.sender, direction.next(), context, warnings);
    let receiver_interface =
        interface(call, dialogue.receiver, direction.next(), context, warnings);

    if let (Role::Offer, Some(sender)) = (context.role, call.party_mut(dialogue.sender)) {
        sender.sections = context.session.medias.len();
    }
    let mut changes = Vec::with_capacity(context.session.medias.len());
    for (index, section) in context.session.medias.iter().enumerate() {
        let [sender_name, receiver_name] =
            [dialogue.sender, dialogue.receiver].map(|party| MediaRef { party, index });
        let mut sender = call.take_media(sender_name, context.now);
        let mut receiver = call.take_media(receiver_name, context.now);
        sender.signalled += 1;
        receiver.signalled += 1;

        take_in(&mut sender, section, context);
        match context.role {
            Role::Offer => propose(&mut sender, &mut receiver, section, context, warnings),
            Role::Answer => accept(&mut sender, &mut receiver, section, context),
        }
        if section.protocol.is_rtp() {
            extmap::negotiate(&mut sender, &mut receiver, section, context);
        }
        let rejected = sender.rejected || receiver.rejected;
        if !rejected && sender.relayed {
            let peer = sender.remote.map(|remote| remote.rtp);
            let latch = latches(&receiver, context);
            ledger.provide(&mut receiver, receiver_interface, peer, latch)?;
            ledger.provide(&mut sender, sender_interface, None, false)?;
            if context.role == Role::Answer {
                sender.settle_ports();
                receiver.settle_ports();
            }
            match context.role {
                Role::Offer => call.subscriptions.offer(sender_name, receiver_name),
                Role::Answer => call.subscriptions.pair(sender_name, receiver_name),
            }
        } else if context.role == Role::Answer {
            sender.drop_ports();
            receiver.drop_ports();
        }
        changes.push(rewrite::media(
            &sender,
            &mut receiver,
            index,
            section,
            context,
        ));

        call.put_media(sender_name, sender);
        call.put_media(receiver_name, receiver);
    }
    Ok(changes)
}

/// The interface a party is on: what the first `direction` about it said. An unknown name is the first interface.
fn interface(
    call: &mut Call,
    party: PartyId,
    name: Option<&bytes::Bytes>,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) -> usize {
    let Some(party) = call.party_mut(party) else {
        return 0;
    };
    *party.interface.get_or_insert_with(|| {
        let Some(name) = name else { return 0 };
        let known = context
            .interfaces
            .iter()
            .position(|interface| interface.name.as_bytes() == name);
        if known.is_none() {
            let name = String::from_utf8_lossy(name);
            warnings.push(format!(
                "no interface is called '{name}'; using the first one"
            ));
        }
        known.unwrap_or(0)
    })
}

/// What a section says about the party that wrote it.
fn take_in(media: &mut Media, section: &sdp::Media, context: &Context<'_>) {
    let options = &context.request.options;
    media.kind = section.kind.as_str().to_owned();
    media.protocol = section.protocol.clone();
    media.relayed = section.can_be_relayed();
    media.rejected = section.is_rejected();
    if media.rejected || !media.relayed {
        return;
    }
    let direction = section.effective_direction();
    media.expect(direction.sends(), direction.receives(), context.now);
    if let Some(remote) = remote(section, context) {
        media.locate(remote, context.now);
    }
    media.rtcp_mux = section.rtcp_mux && section.protocol.is_rtp();

    let named = |is_meant: fn(&str) -> bool| {
        let meant = section.payload_types();
        let meant = meant.filter(|number| section.encoding(*number).is_some_and(is_meant));
        PayloadTypes(meant.fold(0, |set, number| set | 1 << number))
    };
    let payload_types = section.payload_types();
    media.payload_types = PayloadTypes(payload_types.fold(0, |set, number| set | 1 << number));
    media.events = named(|encoding| is_encoding(encoding, "telephone-event"));
    let events = section
        .payload_types()
        .filter(|number| media.events.contains(*number));
    let rates = events.filter_map(|number| Some((number, section.clock_rate(number)?)));
    media.event_rates = rates.filter(|(_, rate)| *rate != 8000).collect();
    media.silences = Silences {
        pcmu: named(|encoding| is_encoding(encoding, "PCMU/8000")),
        pcma: named(|encoding| is_encoding(encoding, "PCMA/8000")),
        g722: named(|encoding| is_encoding(encoding, "G722")),
    };
    let first = section.payload_types().next();
    media.clock_rate = first
        .and_then(|number| section.clock_rate(number))
        .unwrap_or(8000);
    media.codec = first
        .and_then(|number| section.encoding(number))
        .map(str::to_owned);

    media.strict_source = options.flags.strict_source;
    media.media_handover = options.flags.media_handover;
    media.asymmetric = options.flags.asymmetric;
    media.learning = match options.endpoint_learning {
        None => context.settings.endpoint_learning,
        Some(Learning::Off) => EndpointLearning::Off,
        Some(Learning::Immediate) => EndpointLearning::Immediate,
        Some(Learning::Delayed) => EndpointLearning::Delayed,
        Some(Learning::Heuristic) => EndpointLearning::Heuristic,
    };
}

/// Whether an `a=rtpmap` names an encoding, as far as that says.
fn is_encoding(mapped: &str, encoding: &str) -> bool {
    let begin = mapped.get(..encoding.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(encoding))
}

/// Where a party receives: by its SDP, or at the address its SIP came from where that is trusted more.
fn remote(section: &sdp::Media, context: &Context<'_>) -> Option<Remote> {
    let Some(rtp) = section.rtp_endpoint() else {
        let zero = section.connection?.address;
        return Some(Remote {
            rtp: SocketAddr::new(zero, section.port),
            rtcp: None,
        });
    };
    let options = &context.request.options;
    let by_sip = options.flags.sip_source_address || context.settings.sip_source;
    let source = options
        .received_from
        .filter(|_| by_sip && !options.flags.trust_address);
    let at = |endpoint: SocketAddr| match source {
        Some(source) => SocketAddr::new(source, endpoint.port()),
        None => endpoint,
    };
    Some(Remote {
        rtp: at(rtp),
        rtcp: section
            .rtcp_fallback_endpoint()
            .filter(|_| section.protocol.is_rtp())
            .map(at),
    })
}

/// What the receiver of an offer is offered.
fn propose(
    sender: &mut Media,
    receiver: &mut Media,
    section: &sdp::Media,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) {
    let options = &context.request.options;
    receiver.kind.clone_from(&sender.kind);
    receiver.relayed = sender.relayed;
    receiver.hidden = layout::is_removed(section, &options.sdp_media_remove);
    receiver.rejected = sender.rejected || receiver.hidden;
    receiver.protocol = proposed_protocol(&sender.protocol, context, warnings);
    sender.ptime = options.ptime_reverse.or(sender.ptime);
    if receiver.rejected || !sender.relayed {
        return;
    }
    receiver.expect(sender.sends, sender.receives, context.now);
    if receiver.remote.is_none() {
        receiver.learning = context.settings.endpoint_learning;
        receiver.clock_rate = sender.clock_rate;
    }
    receiver.family = match wanted_family(context) {
        Some(family) => family,
        None if receiver.ports().is_some() => receiver.family,
        None => sender.family,
    };
    if section.protocol.is_rtp() {
        mux::offer(sender, receiver, options.rtcp_mux);
    }
}

/// What the offerer is answered.
fn accept(sender: &mut Media, receiver: &mut Media, section: &sdp::Media, context: &Context<'_>) {
    if sender.rejected || receiver.rejected || !sender.relayed {
        return;
    }
    if context.request.options.transport_protocol_accept {
        receiver.protocol.clone_from(&section.protocol);
    }
    sender.public = true;
    receiver.public = true;
    if let Some(family) = wanted_family(context) {
        receiver.family = family;
    }
    mux::answer(sender, receiver);
}

/// `transport protocol` between profiles that encrypt alike; keys are not ours to make.
fn proposed_protocol(
    offered: &Protocol,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) -> Protocol {
    let wanted = context.request.options.transport_protocol;
    let Some(wanted) = wanted.map(|wanted| Protocol::from_name(wanted.as_str())) else {
        return offered.clone();
    };
    if wanted.is_exchangeable_with(offered) {
        return wanted;
    }
    if offered.is_rtp() {
        warnings.push(format!(
            "{wanted} is not made of {offered}: keys are passed on and never made; media stays as it was offered"
        ));
    }
    offered.clone()
}

fn wanted_family(context: &Context<'_>) -> Option<Family> {
    context
        .request
        .options
        .address_family
        .map(|family| match family {
            AddressFamily::Ip4 => Family::V4,
            AddressFamily::Ip6 => Family::V6,
        })
}

/// Whether the receiver's ports stay where the sender moves to.
fn latches(receiver: &Media, context: &Context<'_>) -> bool {
    let flags = &context.request.options.flags;
    let by_default = context.session.uses_ice() || !receiver.receives;
    flags.port_latching || (by_default && !flags.no_port_latching)
}

/// The address that stands in the SDP for our port.
pub(super) fn announced_address(receiver: &Media, context: &Context<'_>) -> Option<IpAddr> {
    let ours = receiver.ports()?.rtp.advertised;
    Some(context.request.options.media_address.unwrap_or(ours))
}

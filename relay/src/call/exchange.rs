//! What offer and answer have in common: an SDP is taken in from one party and written for the other.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ng_protocol::{AddressFamily, EndpointLearning as Learning, MediaEcho, Request};

use super::dialogue::Dialogue;
use super::graph::Call;
use super::media::{Course, Media, Remote};
use super::party::PartyId;
use super::ports::Ledger;
use super::subscription::MediaRef;
use super::{Settings, Timestamp, bundle, codecs, extmap, interfaces, layout, mux, rewrite};
use crate::datapath::PayloadTypes;
use crate::plan::{EndpointLearning, Family, LogicalInterface, OutOfPorts, PortPair, Silences};
use crate::sdp::{self, Direction, MediaChange, Protocol, Session};

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
    let [sender_interface, receiver_interface] =
        [dialogue.sender, dialogue.receiver].map(|party| {
            let named = direction.next();
            interfaces::of_party(call, party, named, context, ledger, warnings)
        });

    if let (Role::Offer, Some(sender)) = (context.role, call.party_mut(dialogue.sender)) {
        sender.sections = context.session.medias.len();
    }
    let resets = context.role == Role::Offer && context.request.options.flags.reset;
    for party in [dialogue.sender, dialogue.receiver] {
        if let Some(party) = call.party_mut(party).filter(|_| resets) {
            party.forget();
        }
    }
    let left_out = bundle::negotiate(call, dialogue, context);
    let said = codecs::said(call, dialogue, context);
    let mut changes = Vec::with_capacity(context.session.medias.len());
    for (index, section) in context.session.medias.iter().enumerate() {
        let [sender_name, receiver_name] =
            [dialogue.sender, dialogue.receiver].map(|party| MediaRef { party, index });
        let mut sender = call.take_media(sender_name, context.now);
        let mut receiver = call.take_media(receiver_name, context.now);
        sender.signalled += 1;
        receiver.signalled += 1;

        let has_other_protocol = resets || sender.protocol != section.protocol;
        let first = bundled_on(call, dialogue.sender, index, context);
        take_in(&mut sender, section, first, context);
        sender.rejected |= left_out.contains(&index);
        let said = said.as_ref();
        let agreed = said.and_then(|said| codecs::agreed(said, &sender, &receiver, index, section));
        let codecs = codecs::choose(&sender, section, agreed.as_ref(), context);
        match context.role {
            Role::Offer => {
                if has_other_protocol {
                    receiver.protocol.clone_from(&section.protocol);
                }
                propose(&mut sender, &mut receiver, section, context, warnings);
                receiver.rejected |= codecs.are_gone();
                sender.offered_codecs.clear();
            }
            Role::Answer => {
                sender.rejected |= codecs.are_gone();
                sender.has_answered = true;
                if has_other_protocol && context.request.options.transport_protocol_accept {
                    receiver.protocol.clone_from(&section.protocol);
                }
                accept(&mut sender, &mut receiver, context);
            }
        }
        if section.protocol.is_rtp() {
            extmap::negotiate(&mut sender, &mut receiver, section, context);
        }
        if let Some(on) = context.request.options.generate_rtcp {
            sender.generates_rtcp = on;
            receiver.generates_rtcp = on;
        }
        if let Some(echo) = context.request.options.media_echo {
            (sender.course, receiver.course) = match echo {
                MediaEcho::Blackhole => (Course::Astray, Course::Astray),
                MediaEcho::Forward => (Course::Astray, Course::Back),
                MediaEcho::Backward => (Course::Back, Course::Astray),
                MediaEcho::Both => (Course::Back, Course::Back),
            };
        }
        let rejected = sender.rejected || receiver.rejected;
        if !rejected && sender.relayed {
            let peer = sender.remote.map(|remote| remote.rtp);
            let latch = latches(&receiver, context);
            if receiver.carrier.is_none() {
                ledger.provide(&mut receiver, receiver_interface, peer, latch)?;
            }
            if sender.carrier.is_none() {
                ledger.provide(&mut sender, sender_interface, None, false)?;
            }
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
        let mid = name_section(call, dialogue.receiver, &mut receiver, index, context);
        let carrier = receiver.carrier.and_then(|index| {
            let party = dialogue.receiver;
            call.media(MediaRef { party, index })?.ports().cloned()
        });
        let ports = carrier.or_else(|| receiver.ports().cloned());
        changes.push(rewrite::media(
            &sender,
            &mut receiver,
            &codecs,
            ports.as_ref(),
            mid,
            section,
            context,
        ));

        call.put_media(sender_name, sender);
        call.put_media(receiver_name, receiver);
    }
    Ok(changes)
}

/// What the media of an SDP takes on either side: addresses of which family, and how many pairs of ports.
pub(super) fn needs(context: &Context<'_>) -> (Family, usize) {
    let sections = context.session.medias.iter();
    let relayed = sections.filter(|section| section.can_be_relayed() && !section.is_rejected());
    let remote = relayed.clone().find_map(|section| remote(section, context));
    let own = remote.map_or(Family::V4, |remote| Family::of(remote.rtp.ip()));
    (
        wanted_family(context).unwrap_or(own),
        relayed.count().max(1),
    )
}

/// The payload types that a section names.
pub(super) fn payload_types(section: &sdp::Media) -> PayloadTypes {
    let numbers = section.payload_types();
    PayloadTypes(numbers.fold(0, |set, number| set | 1 << number))
}

/// The `a=mid` that a section is given if it has none: what the receiver called it, or its number where sections need
/// names. The receiver's name for it is taken note of.
fn name_section(
    call: &Call,
    party: PartyId,
    receiver: &mut Media,
    index: usize,
    context: &Context<'_>,
) -> Option<String> {
    let own = context.session.medias[index].mid();
    let is_invited = call
        .party(party)
        .is_some_and(|party| party.bundle.invited());
    let is_needed = context.request.options.flags.generate_mid || is_invited;
    let number = is_needed.then(|| (index + 1).to_string());
    match context.role {
        Role::Offer => {
            let known = receiver.mid.take().or(number.map(Bytes::from));
            let given = known.as_deref().map(String::from_utf8_lossy);
            let given = given.map(Cow::into_owned);
            receiver.mid = own.map(Bytes::copy_from_slice).or(known);
            given
        }
        Role::Answer => {
            let known = receiver.mid.as_deref().map(String::from_utf8_lossy);
            known.map(Cow::into_owned).or(number)
        }
    }
}

/// The section whose address a party's section has by the party's own bundle, if it is another.
fn bundled_on<'a>(
    call: &Call,
    party: PartyId,
    index: usize,
    context: &Context<'a>,
) -> Option<&'a sdp::Media> {
    let bundle = &call.party(party)?.bundle;
    let is_offered = context.role == Role::Offer && bundle.follows(index);
    let first = bundle.first().filter(|_| is_offered)?;
    context.session.medias.get(first)
}

/// What a section says about the party that wrote it, and that it is bundled on, if it is on another.
pub(super) fn take_in(
    media: &mut Media,
    section: &sdp::Media,
    first: Option<&sdp::Media>,
    context: &Context<'_>,
) {
    let options = &context.request.options;
    media.kind = section.kind.as_str().to_owned();
    media.protocol = section.protocol.clone();
    media.relayed = section.can_be_relayed();
    media.rejected = section.is_rejected() && !(first.is_some() && section.is_bundle_only());
    if context.role == Role::Offer {
        media.mid = section.mid().map(Bytes::copy_from_slice);
    }
    if media.rejected || !media.relayed {
        return;
    }
    let direction = direction(section, context);
    media.expect(direction.sends(), direction.receives(), context.now);
    if let Some(remote) = remote(first.unwrap_or(section), context) {
        media.locate(remote, context.now);
    }
    media.rtcp_mux = section.rtcp_mux && section.protocol.is_rtp();

    let encodings = section.encodings();
    let named = |is_meant: fn(&str) -> bool| {
        let meant = encodings
            .iter()
            .filter(|(_, encoding)| encoding.is_some_and(is_meant));
        PayloadTypes(meant.fold(0, |set, (number, _)| set | 1 << number))
    };
    media.payload_types = payload_types(section);
    media.events = named(|encoding| is_encoding(encoding, "telephone-event"));
    let events = encodings
        .iter()
        .filter(|(number, _)| media.events.contains(*number));
    let rates =
        events.filter_map(|(number, encoding)| Some((*number, sdp::clock_rate((*encoding)?)?)));
    media.event_rates = rates.filter(|(_, rate)| *rate != 8000).collect();
    media.silences = Silences {
        pcmu: named(|encoding| is_encoding(encoding, "PCMU/8000")),
        pcma: named(|encoding| is_encoding(encoding, "PCMA/8000")),
        g722: named(|encoding| is_encoding(encoding, "G722")),
    };
    let first = encodings.first().copied();
    media.payload_type = first.map(|(number, _)| number);
    let encoding = first.and_then(|(_, encoding)| encoding);
    media.clock_rate = encoding.and_then(sdp::clock_rate).unwrap_or(8000);
    media.codec = encoding.map(str::to_owned);

    media.strict_source = options.flags.strict_source;
    media.media_handover = options.flags.media_handover;
    media.asymmetric = options.flags.asymmetric;
    media.nat_wait |= options.flags.nat_wait;
    media.pierce_nat |= options.flags.pierce_nat;
    media.never_short = if options.flags.block_short {
        named(|encoding| EVEN.iter().any(|name| is_encoding(encoding, name)))
    } else {
        PayloadTypes::NONE
    };
    media.learning = match options.endpoint_learning {
        None => context.settings.endpoint_learning,
        Some(Learning::Off) => EndpointLearning::Off,
        Some(Learning::Immediate) => EndpointLearning::Immediate,
        Some(Learning::Delayed) => EndpointLearning::Delayed,
        Some(Learning::Heuristic) => EndpointLearning::Heuristic,
    };
}

/// Encodings whose packets are all of one length as long as a packet is of one duration (RFC 3551).
const EVEN: [&str; 13] = [
    "PCMU", "PCMA", "G722", "G729", "GSM", "G726-16", "G726-24", "G726-32", "G726-40", "G728",
    "DVI4", "L16", "iLBC",
];

/// Whether an `a=rtpmap` names an encoding, as far as that says.
fn is_encoding(mapped: &str, encoding: &str) -> bool {
    let (begin, rest) = mapped.split_at_checked(encoding.len()).unwrap_or_default();
    begin.eq_ignore_ascii_case(encoding) && (rest.is_empty() || rest.starts_with('/'))
}

/// The address that SIP came from, where it counts and not the one in the SDP.
fn sip_source(context: &Context<'_>) -> Option<IpAddr> {
    let options = &context.request.options;
    let by_sip = options.flags.sip_source_address || context.settings.sip_source;
    let counts = by_sip && !options.flags.trust_address;
    options.received_from.filter(|_| counts)
}

/// Whether a section is put on hold in the old form, by an address of zero that counts.
pub(super) fn is_on_hold(section: &sdp::Media, context: &Context<'_>) -> bool {
    section.is_on_hold() && sip_source(context).is_none()
}

/// Which way media flows, with hold applied.
pub(super) fn direction(section: &sdp::Media, context: &Context<'_>) -> Direction {
    if is_on_hold(section, context) {
        section.effective_direction()
    } else {
        section.direction
    }
}

/// Where a party receives: by its SDP, or at the address its SIP came from where that is trusted more.
pub(super) fn remote(section: &sdp::Media, context: &Context<'_>) -> Option<Remote> {
    let source = sip_source(context);
    let Some(rtp) = section.rtp_endpoint() else {
        let address = source.or(section.connection.map(|connection| connection.address))?;
        let beside = section.port.checked_add(1).filter(|_| source.is_some());
        return Some(Remote {
            rtp: SocketAddr::new(address, section.port),
            rtcp: beside.map(|port| SocketAddr::new(address, port)),
        });
    };
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
pub(super) fn propose(
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
    receiver.protocol = proposed_protocol(&sender.protocol, &receiver.protocol, context, warnings);
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
fn accept(sender: &mut Media, receiver: &mut Media, context: &Context<'_>) {
    if sender.rejected || receiver.rejected || !sender.relayed {
        return;
    }
    sender.public = true;
    receiver.public = true;
    if let Some(family) = wanted_family(context) {
        receiver.family = family;
    }
    mux::answer(sender, receiver);
    for media in [sender, receiver] {
        media.rtcp_mux_agreed = media.rtcp_mux;
    }
}

/// `transport protocol` between profiles that encrypt alike; keys are not ours to make. What was asked for once holds
/// until the offerer changes its own.
fn proposed_protocol(
    offered: &Protocol,
    known: &Protocol,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) -> Protocol {
    let wanted = context.request.options.transport_protocol;
    let Some(wanted) = wanted.map(|wanted| Protocol::from_name(wanted.as_str())) else {
        let holds = known.is_exchangeable_with(offered);
        return if holds { known } else { offered }.clone();
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

pub(super) fn wanted_family(context: &Context<'_>) -> Option<Family> {
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
pub(super) fn announced_address(ports: &PortPair, context: &Context<'_>) -> IpAddr {
    let forced = context.request.options.media_address;
    forced.unwrap_or(ports.rtp.advertised)
}

//! `transform`: media that comes in at one port and goes on to a destination, without a call around it.

use ng_protocol::{CodecPair, Dict, PayloadType, Reply, Request, Value};

use super::bench::Bench;
use super::exchange::Role;
use super::graph::Call;
use super::media::{Media, Remote};
use super::party::PartyId;
use super::subscription::MediaRef;
use super::{Calls, Refusal, Timestamp, interfaces};
use crate::datapath::PayloadTypes;
use crate::plan::{Action, EndpointLearning, Family, PortSource};
use crate::sdp::{Protocol, Session};

impl Calls {
    /// Sets up ports whose packets go on to where they are told, as they are. What would have to be converted is refused.
    pub(super) fn transform(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        if request.options.instance.as_deref() == Some(self.instance.as_bytes()) {
            return Err(Refusal::TransformLoop);
        }
        if request.options.medias.is_empty() {
            return Err(Refusal::NotTransformed);
        }
        let work =
            |call: &mut Call, party, bench: &mut Bench<'_>| set_up(call, party, request, bench);
        let (medias, reply, actions) = self.work_on_named(request, now, ports, work)?;
        Ok((reply.with("media", medias), actions))
    }
}

fn set_up(
    call: &mut Call,
    party: PartyId,
    request: &Request,
    bench: &mut Bench<'_>,
) -> Result<Vec<Value>, Refusal> {
    let empty = Session::default();
    let context = bench.context(Role::Offer, request, &empty);
    let interface = interfaces::of_lone_party(call, party, &context, bench);
    let mut described = Vec::with_capacity(request.options.medias.len());
    for (index, wanted) in request.options.medias.iter().enumerate() {
        let destination = wanted.destination.ok_or(Refusal::NotTransformed)?;
        let numbers: Option<Vec<u8>> = wanted.transforms.iter().map(unchanged).collect();
        let numbers = numbers.ok_or(Refusal::NotTransformed)?;
        let name = MediaRef { party, index };
        let mut media = call.take_media(name, bench.now);
        let kind = wanted.kind.as_deref().unwrap_or(b"audio");
        media.kind = String::from_utf8_lossy(kind).into_owned();
        media.protocol = Protocol::RtpAvp;
        media.signalled += 1;
        let remote = Remote {
            rtp: destination,
            rtcp: None,
        };
        media.locate(remote, bench.now);
        media.payload_types = PayloadTypes(numbers.iter().fold(0, |set, number| set | 1 << number));
        // Whoever sends is not where it is sent to.
        media.learning = EndpointLearning::Immediate;
        media.asymmetric = true;
        media.public = true;
        media.relayed = true;
        media.rejected = false;
        media.expect(true, true, bench.now);
        bench.ledger.provide(&mut media, interface, None, false)?;
        media.settle_ports();
        let id = wanted
            .id
            .clone()
            .unwrap_or_else(|| (index + 1).to_string().into());
        described.push(describe(&media, id).into());
        call.put_media(name, media);
        call.subscriptions.subscribe(name, name);
    }
    let party = call.party_mut(party).ok_or(Refusal::NotTransformed)?;
    for media in party.medias.iter_mut().skip(described.len()) {
        media.rejected = true;
        media.drop_ports();
    }
    Ok(described)
}

/// The payload type of a codec that comes out as it goes in.
fn unchanged(pair: &CodecPair) -> Option<u8> {
    let CodecPair { input, output } = pair;
    let number = u8::try_from(input.payload_type?)
        .ok()
        .filter(|number| *number < 128)?;
    let channels = |codec: &PayloadType| codec.channels.unwrap_or(1);
    let same_codec = match (&input.codec, &output.codec) {
        (Some(input), Some(output)) => input.eq_ignore_ascii_case(output),
        _ => false,
    };
    let is_same = same_codec
        && input.payload_type == output.payload_type
        && input.clock_rate == output.clock_rate
        && channels(input) == channels(output);
    is_same.then_some(number)
}

/// Where to send what is to be transformed.
fn describe(media: &Media, id: bytes::Bytes) -> Dict {
    let mut dict = Dict::new();
    dict.insert("id", bytes::Bytes::copy_from_slice(&id));
    if let Some(pair) = media.ports() {
        let address = pair.rtp.advertised;
        let family = match Family::of(address) {
            Family::V4 => "IP4",
            Family::V6 => "IP6",
        };
        dict.insert("family", family);
        dict.insert("address", address.to_string());
        dict.insert("port", i64::from(pair.rtp.address.port()));
    }
    dict
}

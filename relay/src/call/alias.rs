//! `alias-key`: whose further tag an unknown to-tag is, by what comes with it.

use ng_protocol::AliasKey;

use super::exchange::{self, Context};
use super::graph::Call;
use super::party::{Party, PartyId};

/// The party, of those that an offerer was offered to, that has said what this answer says: the same SDP, or that it
/// receives the first medium at the same address and port.
pub(super) fn party(call: &Call, offerer: PartyId, context: &Context<'_>) -> Option<PartyId> {
    let body = context.request.sdp.as_ref()?;
    let endpoint = |section| {
        let rtp = exchange::remote(section, context)?.rtp;
        (!rtp.ip().is_unspecified() && rtp.port() != 0).then_some(rtp)
    };
    let endpoint = context.session.medias.first().and_then(endpoint);
    let is_meant = |party: &Party| match context.request.options.alias_key {
        None | Some(AliasKey::None) => false,
        Some(AliasKey::Sdp) => party.said == *body,
        Some(AliasKey::Address) => {
            let known = party.medias.first().and_then(|media| media.remote);
            endpoint.is_some() && known.map(|remote| remote.rtp) == endpoint
        }
    };
    let mut peers = call.peers(offerer);
    peers.find(|peer| call.party(*peer).is_some_and(is_meant))
}

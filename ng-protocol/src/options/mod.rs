//! Everything a request may ask for beside its identity.
//!
//! `keys` maps dictionary keys to effects, `flags` the words of the `flags` list, `rtpp_flags` takes apart a whole string
//! of options as a proxy's script wrote it. The words that values of a key may be stand beside the types they end up in,
//! a file for each subject. All compare words in their normal form (`word`), never raw spellings.
//!
//! Every table says of every word what becomes of it ([`Support`]); `docs/ng-options.md` says the same to users, and a test
//! keeps both equal.

mod bundle;
mod codecs;
mod dtls;
mod dtmf;
mod flags;
mod ice;
mod keys;
mod limits;
mod manipulation;
mod medias;
mod osrtp;
mod player;
mod recording;
mod replace;
mod rtcp;
mod rtpp_flags;
mod sdes;
mod selection;
mod t38;
mod transport;
mod value;
mod vocabulary;
mod word;

use std::net::IpAddr;

use bytes::Bytes;

pub use bundle::Bundle;
pub use codecs::Codecs;
pub use dtls::{Dtls, Fingerprint};
pub use dtmf::{Dtmf, DtmfSecurity};
pub use flags::Flags;
pub use ice::{Ice, IceLite};
pub(crate) use keys::{apply_key, apply_template};
pub(crate) use limits::exceeded;
pub use manipulation::{AttributeChanges, Extmap, MediaType, SdpAttributes};
pub use medias::{CodecPair, Media, PayloadType};
pub use osrtp::Osrtp;
pub use player::{AudioPlayer, MusicOnHold, Player};
pub use recording::{Recording, StarCodes};
pub use replace::Replace;
pub use rtcp::RtcpMux;
pub use sdes::Sdes;
pub use selection::{AliasKey, All, MediaEcho, SipMessageType, TagFlows};
pub use t38::T38;
pub use transport::{AddressFamily, EndpointLearning, Tos, TransportProtocol};
pub use vocabulary::{Vocabulary, vocabularies};
pub use word::Support;

/// The options of a request. `None`, `false` or empty: not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Words of the `flags` list.
    pub flags: Flags,

    /// `direction`, or `from-interface` and `to-interface`: names of logical interfaces, the one that the sender of this
    /// message is on, then the one towards the other side. At most two; an empty name stands for one that was not given.
    /// `internal` and `external` are names like any other.
    pub direction: Vec<Bytes>,
    /// `interface`: the one logical interface that is meant where there is no other side.
    pub interface: Option<Bytes>,
    /// `peer`: an address that is reached through the one interface that is meant.
    pub peer: Option<IpAddr>,
    /// `inbound-peer`: an address that is reached through the interface that the sender of this message is on.
    pub inbound_peer: Option<IpAddr>,
    /// `outbound-peer`: an address that is reached through the interface towards the other side.
    pub outbound_peer: Option<IpAddr>,
    /// `address family` of what the other side is offered.
    pub address_family: Option<AddressFamily>,
    /// `media address`: forced into the SDP that goes out.
    pub media_address: Option<IpAddr>,
    /// `received-from`: where the SIP message came from; used as media address with
    /// [`Flags::sip_source_address`] only.
    pub received_from: Option<IpAddr>,
    /// `endpoint-learning`
    pub endpoint_learning: Option<EndpointLearning>,
    /// `TOS`
    pub tos: Option<Tos>,

    /// `replace`
    pub replace: Replace,
    /// `transport protocol` of what goes out.
    pub transport_protocol: Option<TransportProtocol>,
    /// `transport protocol` is `accept`: what is answered stays, although something else was offered.
    pub transport_protocol_accept: bool,
    /// `rtcp-mux`
    pub rtcp_mux: RtcpMux,
    /// `bundle`
    pub bundle: Bundle,
    /// `sdp-attr`
    pub sdp_attr: SdpAttributes,
    /// `sdp-media-remove`: kinds of media sections that are left out.
    pub sdp_media_remove: Vec<MediaType>,
    /// `extmap`
    pub extmap: Extmap,
    /// `codec`
    pub codecs: Codecs,
    /// `ptime` of an offer, in ms: `a=ptime` towards its receiver.
    pub ptime: Option<u32>,
    /// `ptime-reverse` of an offer, in ms: `a=ptime` towards its sender, in the answer.
    pub ptime_reverse: Option<u32>,

    /// `ICE`
    pub ice: Ice,
    /// `ICE-lite`, or the `lite-…` words of `ICE`.
    pub ice_lite: Option<IceLite>,
    /// `DTLS`
    pub dtls: Option<Dtls>,
    /// `DTLS-reverse`: as `dtls`, towards the sender of this message.
    pub dtls_reverse: Option<Dtls>,
    /// `DTLS-fingerprint`
    pub dtls_fingerprint: Option<Fingerprint>,
    /// `SDES`
    pub sdes: Sdes,
    /// `OSRTP`
    pub osrtp: Osrtp,

    /// `supports` holds `load limit`: the client knows that result.
    pub supports_load_limit: bool,
    /// `delete delay` in seconds, in place of the configured one.
    pub delete_delay: Option<u32>,
    /// `limit` of `list`.
    pub limit: Option<i64>,
    /// `metadata`: kept with the call and returned by `query`.
    pub metadata: Option<Bytes>,
    /// `template`: the name of a string of options, until that has been applied in its place.
    template: Option<Bytes>,
    /// `sip-code` of the reply that this came in.
    pub sip_code: Option<i64>,
    /// `sip-message-type`
    pub sip_message_type: Option<SipMessageType>,
    /// `xmlrpc-callback`: who is told when the call times out.
    pub xmlrpc_callback: Option<IpAddr>,
    /// `body` of `cli`: the line.
    pub body: Option<Bytes>,

    /// There was a `rtpp-flags`: this is from a proxy that sends every tag it knows, whatever its script says.
    pub by_rtpp_flags: bool,
    /// `label` or `from-label`: the party that is meant, or the label the sender of this message gets.
    pub label: Option<Bytes>,
    /// `to-label`
    pub to_label: Option<Bytes>,
    /// `set-label`
    pub set_label: Option<Bytes>,
    /// `address`: the party whose SDP has this address, as it was written.
    pub address: Option<Bytes>,
    /// `all`
    pub all: Option<All>,
    /// `from-tags`: several parties that are meant.
    pub from_tags: Vec<Bytes>,
    /// `tags` of `mesh`.
    pub tags: Vec<TagFlows>,
    /// `calls`: several calls that are meant.
    pub calls: Vec<Bytes>,
    /// `media` of `create` and `transform`.
    pub medias: Vec<Media>,
    /// `source-call-id` of `inject start`.
    pub source_call_id: Option<Bytes>,
    /// `source-tag` of `inject start`.
    pub source_tag: Option<Bytes>,
    /// `to-call-id` of `connect`.
    pub to_call_id: Option<Bytes>,
    /// `instance`
    pub instance: Option<Bytes>,
    /// `alias-key`
    pub alias_key: Option<AliasKey>,

    /// `media echo`
    pub media_echo: Option<MediaEcho>,
    /// `drop-traffic`: whether it starts or stops.
    pub drop_traffic: Option<bool>,
    /// `generate RTCP`, as a key or a flag.
    pub generate_rtcp: Option<bool>,
    /// `delay-buffer`, in ms.
    pub delay_buffer: Option<i64>,
    /// DTMF
    pub dtmf: Dtmf,
    /// `record call` and all about recording.
    pub recording: Recording,
    /// Playing media.
    pub player: Player,
    /// `T.38`
    pub t38: T38,

    /// Names of keys and words that were understood and change nothing here, for a log line.
    pub ignored: Vec<&'static str>,
    /// Keys, words and values that nobody knows, for a log line.
    pub unknown: Vec<String>,
}

impl Options {
    /// Names the interface of one side: `place` 0 is that of the sender of this message, 1 the other.
    pub fn set_direction(&mut self, place: usize, name: Bytes) {
        if self.direction.len() <= place {
            self.direction.resize(place + 1, Bytes::new());
        }
        self.direction[place] = name;
    }

    /// Notes a word that is understood if nothing comes of it.
    fn note<E>(&mut self, word: word::Word<E>) {
        if word.support != Support::Done {
            self.ignored.push(word.name);
        }
    }
}

//! Everything a request may ask for beside its identity.
//!
//! `keys` maps dictionary keys to effects, `flags` the words of the `flags` list, `rtpp_flags` takes apart a whole string
//! of options as a proxy's script wrote it. All compare words in their normal form (`word`), never raw spellings.

mod choices;
mod flags;
mod keys;
mod rtpp_flags;
mod types;
mod word;

use std::net::IpAddr;

use bytes::Bytes;

use crate::Value;

pub use flags::Flags;
pub(crate) use keys::apply;
pub use types::{
    AddressFamily, Dtls, EndpointLearning, Ice, IceLite, Replace, RtcpMux, Tos, TransportProtocol,
};

/// The options of a request. `None`, `false` or empty: not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Words of the `flags` list.
    pub flags: Flags,
    /// `ICE`
    pub ice: Ice,
    /// `ICE-lite`, or the `lite-…` words of `ICE`.
    pub ice_lite: Option<IceLite>,
    /// `DTLS`
    pub dtls: Option<Dtls>,
    /// `direction`, or `from-interface` and `to-interface`: names of logical interfaces, the one that the sender of this
    /// message is on, then the one towards the other side. At most two; an empty name stands for one that was not given.
    /// `internal` and `external` are names like any other.
    pub direction: Vec<Bytes>,
    /// `interface`: the one logical interface that is meant where there is no other side.
    pub interface: Option<Bytes>,
    /// `address family` of what the other side is offered.
    pub address_family: Option<AddressFamily>,
    /// `media address`: forced into the SDP that goes out.
    pub media_address: Option<IpAddr>,
    /// `received-from`: where the SIP message came from; used as media address with
    /// [`Flags::sip_source_address`] only.
    pub received_from: Option<IpAddr>,
    /// `transport protocol` of what goes out.
    pub transport_protocol: Option<TransportProtocol>,
    /// `rtcp-mux`
    pub rtcp_mux: RtcpMux,
    /// `replace`
    pub replace: Replace,
    /// `delete delay` in seconds, in place of the configured one.
    pub delete_delay: Option<u32>,
    /// `endpoint-learning`
    pub endpoint_learning: Option<EndpointLearning>,
    /// `TOS`
    pub tos: Option<Tos>,
    /// `supports` holds `load limit`: the client knows that result.
    pub supports_load_limit: bool,
    /// `limit` of `list`.
    pub limit: Option<i64>,
    /// `label` or `from-label`: the party that is meant, or the label the sender of this message gets.
    pub label: Option<Bytes>,
    /// `to-label`
    pub to_label: Option<Bytes>,
    /// `set-label`
    pub set_label: Option<Bytes>,
    /// `metadata`: kept with the call and returned by `query`.
    pub metadata: Option<Bytes>,
    /// Options that rtpengine knows and nothing here acts on yet, by their normalised names, with their values as sent.
    pub deferred: Vec<(String, Value)>,
    /// Keys, words and values that nobody knows, for a log line.
    pub unknown: Vec<String>,
}

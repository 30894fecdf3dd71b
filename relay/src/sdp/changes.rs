//! What is to be different in a session description that is written again.

use std::net::IpAddr;

use bytes::Bytes;

use super::{AttributeChanges, Direction, Extensions, Line, Protocol};

/// The changes to a whole body. The default is the identity: all lines as they came, in the order of writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// To the `o=` and `s=` lines.
    pub origin: OriginChange,
    /// Leave out every ICE attribute and candidate (`ICE=remove`).
    pub remove_ice: bool,
    /// The identity for `a=rtpengine:…` (flag `loop-protect`); none is written without it.
    pub loop_protect: Option<String>,
    /// What becomes of `a=` lines of any kind (`sdp-attr`).
    pub attributes: AttributeChanges,
    /// RTP header extensions whose `a=extmap` is left out (`extmap`).
    pub hidden_extensions: Extensions,
    /// The `a=group:BUNDLE` to write: names of sections. Without it there is none if any section is relayed.
    pub bundle: Option<Bytes>,
    /// One per media section, in order; sections beyond the end are left untouched.
    pub medias: Vec<MediaChange>,
}

/// Replacements in the `o=` and `s=` lines (`replace` of the ng protocol); `None` keeps what came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginChange {
    /// `replace=origin`: the address.
    pub address: Option<IpAddr>,
    /// `replace=username`.
    pub username: Option<Bytes>,
    /// `replace=origin-full`, with the other three.
    pub session_id: Option<Bytes>,
    /// `replace=sdp-version`.
    pub version: Option<Bytes>,
    /// `replace=session-name`: the `s=` line.
    pub session_name: Option<Bytes>,
}

/// What happens to one media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MediaChange {
    /// Address and port stay those of the party: what is not relayed (TCP).
    #[default]
    Untouched,
    /// Port 0, and nothing that would describe the media.
    Rejected,
    /// The same without its formats: none of them is to be passed on (flag `allow-no-codec-media`).
    WithoutCodecs,
    /// Not there at all (`sdp-media-remove`).
    Removed,
    /// Media goes through the relay.
    Relay(Relay),
}

/// How a relayed section is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The address in `c=`.
    pub address: IpAddr,
    /// Write the unspecified address of `address`'s family instead: hold is passed on in its old form.
    pub zero_address: bool,
    /// The port in `m=`.
    pub port: u16,
    /// The `a=rtcp` line.
    pub rtcp: RtcpLine,
    /// Whether `a=rtcp-mux` is written.
    pub rtcp_mux: bool,
    /// The direction to be written in an RTP section; `None` leaves the party's where it stands (flag
    /// `original-sendrecv`). Other sections keep their attributes as they came.
    pub direction: Option<Direction>,
    /// The protocol in `m=`, where it changes.
    pub protocol: Option<Protocol>,
    /// The `a=mid` to write where the section has none (flag `generate-mid`).
    pub mid: Option<String>,
    /// Whether `a=bundle-only` is written: the port is another section's.
    pub bundle_only: bool,
    /// Whether a `a=mid` that came is left out: it is a name that the receiver never gave.
    pub hides_mid: bool,
    /// The formats in `m=` and what is said about them, where that changes; see [`Codecs`](super::Codecs).
    pub formats: Option<Vec<String>>,
    /// `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` in place of those that came, where `formats` are not the section's own.
    pub descriptions: Option<Vec<Line>>,
    /// The `a=ptime` to write in place of what came.
    pub ptime: Option<u32>,
    /// `a=extmap` values that the receiver offered and the sender was not shown (`extmap` with `mask`).
    pub restored_extensions: Vec<Bytes>,
}

/// The `a=rtcp` line of a relayed section (RFC 3605).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtcpLine {
    /// None: flag `no-rtcp-attribute`, or media without RTCP.
    #[default]
    Omit,
    /// The port alone.
    Port(u16),
    /// Port and address: flag `full-rtcp-attribute`.
    Full(u16, IpAddr),
}

//! Whom and which flows a command is about.

use bytes::Bytes;

use super::Options;
use super::word::{Set, Word, done, ignored, normalise, words};
use crate::Value;

/// `all`: every party or flow of a kind instead of a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum All {
    /// Nothing but what is named.
    None,
    /// Every party, and what was done to single ones is undone with it.
    All,
    /// Flows that came of an offer and answer.
    OfferAnswer,
    /// The others: those of subscriptions.
    ExceptOfferAnswer,
    /// Every flow there is.
    Flows,
}

/// The words of `all`.
pub(super) const ALL: &[Word<Set>] = &[
    done("all", |o| o.all = Some(All::All)),
    done("none", |o| o.all = Some(All::None)),
    done("offer-answer", |o| o.all = Some(All::OfferAnswer)),
    done("not-offer-answer", |o| o.all = Some(All::ExceptOfferAnswer)),
    done("non-offer-answer", |o| o.all = Some(All::ExceptOfferAnswer)),
    done("except-offer-answer", |o| {
        o.all = Some(All::ExceptOfferAnswer)
    }),
    done("flows", |o| o.all = Some(All::Flows)),
];

/// `alias-key`: what tells that a new tag is another name for a party that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasKey {
    /// Nothing does.
    None,
    /// The same SDP.
    Sdp,
    /// The same address in the SDP.
    Address,
}

/// The words of `alias-key`.
pub(super) const ALIAS_KEY: &[Word<Set>] = &[
    done("none", |o| o.alias_key = Some(AliasKey::None)),
    done("off", |o| o.alias_key = Some(AliasKey::None)),
    done("no", |o| o.alias_key = Some(AliasKey::None)),
    done("sdp", |o| o.alias_key = Some(AliasKey::Sdp)),
    done("address", |o| o.alias_key = Some(AliasKey::Address)),
    done("endpoint", |o| o.alias_key = Some(AliasKey::Address)),
];

/// `media echo`: what comes of media instead of being passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEcho {
    /// It is discarded on both sides.
    Blackhole,
    /// The receiver of this message hears itself.
    Forward,
    /// The sender of this message hears itself.
    Backward,
    /// Both do.
    Both,
}

/// The words of `media echo`.
pub(super) const ECHO: &[Word<Set>] = &[
    done("blackhole", |o| o.media_echo = Some(MediaEcho::Blackhole)),
    done("sinkhole", |o| o.media_echo = Some(MediaEcho::Blackhole)),
    done("forward", |o| o.media_echo = Some(MediaEcho::Forward)),
    done("fwd", |o| o.media_echo = Some(MediaEcho::Forward)),
    done("fw", |o| o.media_echo = Some(MediaEcho::Forward)),
    done("backward", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("backwards", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("reverse", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("back", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("bkw", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("bk", |o| o.media_echo = Some(MediaEcho::Backward)),
    done("both", |o| o.media_echo = Some(MediaEcho::Both)),
];

/// The words of `drop-traffic`. If both are there, stop wins.
pub(super) const DROP_TRAFFIC: &[Word<Set>] = &[
    done("start", |o| o.drop_traffic = o.drop_traffic.or(Some(true))),
    done("stop", |o| o.drop_traffic = Some(false)),
];

/// `sip-message-type`: what kind of SIP message this came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum SipMessageType {
    Request,
    Reply,
}

/// The words of `sip-message-type`.
pub(super) const SIP_MESSAGE_TYPE: &[Word<Set>] = &[
    ignored("request", |o| {
        o.sip_message_type = Some(SipMessageType::Request)
    }),
    ignored("sip-request", |o| {
        o.sip_message_type = Some(SipMessageType::Request)
    }),
    ignored("reply", |o| {
        o.sip_message_type = Some(SipMessageType::Reply)
    }),
    ignored("sip-reply", |o| {
        o.sip_message_type = Some(SipMessageType::Reply)
    }),
    ignored("sip-response", |o| {
        o.sip_message_type = Some(SipMessageType::Reply)
    }),
];

/// One entry of `tags`: whose media goes to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFlows {
    /// Whose media.
    pub from: Bytes,
    /// To whom.
    pub to: Vec<Bytes>,
}

/// `tags`: a list of dictionaries.
pub(super) fn tags(options: &mut Options, value: &Value) -> bool {
    let Some(items) = value.as_list() else {
        return false;
    };
    let mut understood = true;
    for item in items {
        let mut flows = TagFlows::default();
        for (key, value) in item.as_dict().into_iter().flat_map(|dict| dict.iter()) {
            match (normalise(key).as_ref(), value) {
                ("from", Value::Bytes(tag)) => flows.from = tag.clone(),
                ("to", value) => flows.to = words(value),
                _ => understood = false,
            }
        }
        understood &= item.as_dict().is_some();
        options.tags.push(flows);
    }
    understood
}

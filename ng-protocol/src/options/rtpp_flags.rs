//! `rtpp-flags`: a whole string of options as a proxy's script wrote it, taken apart here instead of in the proxy.
//!
//! Words and `key=value` pairs between spaces; a value in brackets is a list of words, or of pairs:
//! `ICE=remove direction=[pub priv] trust-address SRTP AVPF codec=[strip=[all] except=[PCMA]]`.

use bytes::Bytes;

use super::transport::TransportProtocol;
use super::word::normalise;
use super::{flags, keys};
use crate::{Dict, Request, Templates, Value};

/// How deep brackets may nest; what lies deeper stays a string.
const MAX_DEPTH: usize = 8;

/// Applies a string of options.
pub(super) fn apply(request: &mut Request, value: &Value, templates: &Templates) {
    let Some(text) = value.as_bytes() else {
        request.options.unknown.push("rtpp-flags".to_owned());
        return;
    };
    request.options.by_rtpp_flags = true;
    let mut profile = Profile::default();
    for token in tokens(text) {
        match split_pair(&token) {
            Some((key, value)) if is_key(&normalise(&key)) => {
                apply_pair(request, &normalise(&key), &parse_value(&value, 0));
            }
            None if profile.compose(&token) => {}
            _ => apply_word(request, &token),
        }
        keys::expand(request, templates);
    }
    if let Some(protocol) = profile.protocol() {
        request.options.transport_protocol = Some(protocol);
    }
}

fn apply_word(request: &mut Request, token: &Bytes) {
    match token.as_ref() {
        b"internal" | b"external" => {
            let name = Value::Bytes(token.clone());
            keys::apply_option(request, "direction", &name);
        }
        _ => flags::apply(request, token),
    }
}

/// Whether what stands before a `=` is a key; else the `=` belongs to the value behind a flag's prefix.
fn is_key(name: &str) -> bool {
    name == "flags" || keys::is_known(name)
}

fn apply_pair(request: &mut Request, key: &str, value: &Value) {
    match key {
        "via-branch" if value.as_str().is_some_and(selects_branch) => {}
        "flags" => {
            for word in super::word::words(value) {
                flags::apply(request, &word);
            }
        }
        "to-tag" => {
            request.options.flags.to_tag = true;
            keys::apply_option(request, key, value);
        }
        "from-tag" => {
            request.options.flags.directional = true;
            keys::apply_option(request, key, value);
        }
        _ => keys::apply_option(request, key, value),
    }
}

/// Whether the word tells the proxy which Via header to take the branch from; the branch itself has its own key.
fn selects_branch(word: &str) -> bool {
    const SELECTORS: &[&str] = &["1", "2", "auto", "extra", "next", "auto-next", "auto-extra"];
    SELECTORS.contains(&word)
}

/// The transport protocol that words make up together.
#[derive(Default)]
struct Profile {
    given: bool,
    secure: bool,
    feedback: bool,
    dtls: bool,
}

impl Profile {
    /// Takes a word of the profile, or a whole protocol; `false` if it is neither.
    fn compose(&mut self, word: &[u8]) -> bool {
        match word {
            b"RTP" => self.secure = false,
            b"SRTP" => self.secure = true,
            b"AVP" => self.feedback = false,
            b"AVPF" => self.feedback = true,
            b"DTLS" => self.dtls = true,
            _ => return self.set(word),
        }
        self.given = true;
        true
    }

    fn set(&mut self, protocol: &[u8]) -> bool {
        let named = TransportProtocol::ALL
            .into_iter()
            .find(|named| named.as_str().as_bytes() == protocol);
        let Some(named) = named else {
            return false;
        };
        *self = Self {
            given: true,
            secure: !matches!(
                named,
                TransportProtocol::RtpAvp | TransportProtocol::RtpAvpf
            ),
            feedback: named.as_str().ends_with('F'),
            dtls: named.as_str().starts_with("UDP/TLS"),
        };
        true
    }

    fn protocol(&self) -> Option<TransportProtocol> {
        self.given
            .then_some(match (self.dtls, self.secure, self.feedback) {
                (true, _, false) => TransportProtocol::UdpTlsRtpSavp,
                (true, _, true) => TransportProtocol::UdpTlsRtpSavpf,
                (false, true, false) => TransportProtocol::RtpSavp,
                (false, true, true) => TransportProtocol::RtpSavpf,
                (false, false, false) => TransportProtocol::RtpAvp,
                (false, false, true) => TransportProtocol::RtpAvpf,
            })
    }
}

/// Splits at spaces outside of brackets.
fn tokens(text: &Bytes) -> Vec<Bytes> {
    let mut depth = 0_usize;
    text.split(|&byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && byte.is_ascii_whitespace()
    })
    .filter(|token| !token.is_empty())
    .map(|token| text.slice_ref(token))
    .collect()
}

/// Key and value at the first `=`.
fn split_pair(token: &Bytes) -> Option<(Bytes, Bytes)> {
    let equals = token.iter().position(|&byte| byte == b'=')?;
    Some((token.slice(..equals), token.slice(equals + 1..)))
}

/// `[a b]` is a list, `[a=b c=[d]]` a dictionary, anything else a string.
fn parse_value(text: &Bytes, depth: usize) -> Value {
    let bracketed = text.starts_with(b"[") && text.ends_with(b"]") && text.len() >= 2;
    if !bracketed || depth == MAX_DEPTH {
        return Value::Bytes(text.clone());
    }
    let items = tokens(&text.slice(1..text.len() - 1));
    let pairs: Option<Vec<_>> = items.iter().map(split_pair).collect();
    match pairs {
        Some(pairs) if !pairs.is_empty() => Value::Dict(
            pairs
                .into_iter()
                .map(|(key, value)| (key, parse_value(&value, depth + 1)))
                .collect::<Dict>(),
        ),
        _ => Value::List(
            items
                .iter()
                .map(|item| parse_value(item, depth + 1))
                .collect(),
        ),
    }
}

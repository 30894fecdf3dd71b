//! Values to their places; `false` if a value means nothing there.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::word::normalise;
use crate::Value;

/// A string; numbers are taken by their digits.
pub(super) fn text(place: &mut Option<Bytes>, value: &Value) -> bool {
    let text = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Integer(integer) => Bytes::from(integer.to_string()),
        Value::List(_) | Value::Dict(_) => return false,
    };
    *place = Some(text);
    true
}

/// An integer, or a string that spells one.
pub(super) fn integer(place: &mut Option<i64>, value: &Value) -> bool {
    *place = value.as_integer();
    place.is_some()
}

/// An integer that is none below zero.
pub(super) fn unsigned(place: &mut Option<u32>, value: &Value) -> bool {
    let integer = value.as_integer();
    *place = integer.and_then(|integer| u32::try_from(integer).ok());
    integer.is_some()
}

/// An address.
pub(super) fn address(place: &mut Option<IpAddr>, value: &Value) -> bool {
    *place = value.as_str().and_then(parse_address);
    place.is_some()
}

/// An address and port.
pub(super) fn endpoint(place: &mut Option<SocketAddr>, value: &Value) -> bool {
    *place = value.as_str().and_then(|text| text.trim().parse().ok());
    place.is_some()
}

/// An address, with or without the brackets of an IPv6 one.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    text.trim().trim_matches(['[', ']']).parse().ok()
}

/// Hands over every entry of a dictionary, its key in normal form; whether all were understood.
pub(super) fn each_entry(value: &Value, mut effect: impl FnMut(&str, &Value) -> bool) -> bool {
    let Some(dict) = value.as_dict() else {
        return false;
    };
    let mut understood = true;
    for (key, value) in dict.iter() {
        understood &= effect(&normalise(key), value);
    }
    understood
}

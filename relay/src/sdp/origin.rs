//! The `o=` line (RFC 8866 section 5.2).

use bytes::Bytes;

/// Who made the session, and its version. Fields as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user name, or `-`.
    pub username: Bytes,
    /// Names the session, with the user name and the address.
    pub session_id: Bytes,
    /// Grows with every change of the body.
    pub version: Bytes,
    /// Network type, address type and address: `IN IP4 192.0.2.1`, or a host name.
    pub address: Bytes,
}

impl Origin {
    /// Reads an `o=` line's value.
    pub(super) fn parse(value: &Bytes) -> Option<Self> {
        let mut fields = value
            .splitn(4, |byte| *byte == b' ')
            .map(|field| value.slice_ref(field));
        let origin = Self {
            username: fields.next()?,
            session_id: fields.next()?,
            version: fields.next()?,
            address: fields.next()?,
        };
        let words = origin
            .address
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty())
            .count();
        (words >= 3).then_some(origin)
    }
}

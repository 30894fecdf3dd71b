//! Netlink's framing: messages and attributes, as bytes in host order.

/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// A request being built.
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A message of `kind` with `flags` (`NLM_F_REQUEST` is added), its fixed part being `body`.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        Self { bytes }
    }

    /// Appends an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        attribute(&mut self.bytes, kind, value);
        self
    }

    /// Asks for a list, whose end is told.
    pub(super) fn is_dump(&self) -> bool {
        let dump = libc::NLM_F_DUMP as u16;
        u16_at(&self.bytes, 6).is_some_and(|flags| flags & dump == dump)
    }

    /// The finished message, numbered.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// Appends an attribute to others.
pub(super) fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = 4 + value.len() as u16;
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(align(bytes.len()), 0);
}

/// One received message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// `RTM_*` or `NLMSG_*`.
    pub(super) kind: u16,
    /// The number of the request it answers.
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

/// The messages of one datagram; ends at the first that is cut short.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(datagram, 0)? as usize;
        let whole = datagram.get(..length)?;
        let message = Message {
            kind: u16_at(whole, 4)?,
            sequence: u32_at(whole, 8)?,
            payload: whole.get(HEADER..)?,
        };
        datagram = datagram.get(align(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes`: kind without its flag bits, and value.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        const KIND: u16 = 0x3fff;
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The two bytes at `at`, host order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

/// The four bytes at `at`, host order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// The eight bytes at `at`, host order.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_can_be_read() {
        let mut bytes = Request::new(30, 4, &[1, 2, 3, 4])
            .attribute(1, &[9; 5])
            .attribute(2, &[8; 4])
            .finish(7);
        bytes.extend(Request::new(31, 0, &[]).finish(8));

        let read: Vec<Message<'_>> = messages(&bytes).collect();

        assert_eq!((read[0].kind, read[0].sequence), (30, 7));
        assert_eq!((read[1].kind, read[1].sequence), (31, 8));
        let attributes: Vec<_> = attributes(&read[0].payload[4..]).collect();
        assert_eq!(attributes, [(1, &[9; 5][..]), (2, &[8; 4][..])]);
    }

    #[test]
    fn what_is_cut_short_ends_the_reading() {
        let bytes = Request::new(30, 4, &[0; 4]).attribute(1, &[9; 5]).finish(7);
        for length in 0..bytes.len() {
            assert_eq!(messages(&bytes[..length]).count(), 0);
            let _ = attributes(&bytes[..length]).count();
        }
    }
}

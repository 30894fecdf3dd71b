//! Programs on a device, whoever put them there.

use std::collections::BTreeSet;
use std::io;

use super::filter::INGRESS;
use super::message::{Message, Request, attributes, u32_at};
use super::request::Netlink;

const TC_HEADER: usize = 20;
const LINK_HEADER: usize = 16;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const XDP_ATTACHED_SKB: u8 = 2;
/// The first and the last of the attributes that name a program.
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_HW_PROG_ID: u16 = 7;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;

/// XDP on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct XdpPrograms {
    /// The programs' numbers.
    pub(crate) ids: BTreeSet<u32>,
    /// They run after the socket buffer was made.
    pub(crate) is_generic: bool,
}

/// A classifier of a device's clsact qdisc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classifier {
    /// The lower, the earlier it is run.
    pub(crate) priority: u32,
    /// Its program's name, else its kind.
    pub(crate) name: String,
}

impl Netlink {
    /// The XDP programs on a device, in whatever mode.
    ///
    /// # Errors
    /// What the kernel says; ENODEV: gone.
    pub(crate) fn xdp_programs(&mut self, ifindex: u32) -> io::Result<XdpPrograms> {
        let mut body = [0; LINK_HEADER];
        body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        let mut programs = XdpPrograms::default();
        self.ask(Request::new(libc::RTM_GETLINK, 0, &body), |message| {
            programs = xdp(message);
        })?;
        Ok(programs)
    }

    /// The ingress classifiers of a device's clsact qdisc, in their order; none where it has no such qdisc.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn ingress_filters(&mut self, ifindex: u32) -> io::Result<Vec<Classifier>> {
        let mut body = [0; TC_HEADER];
        body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        body[12..16].copy_from_slice(&INGRESS.to_ne_bytes());
        let request = Request::new(libc::RTM_GETTFILTER, libc::NLM_F_DUMP as u16, &body);
        let mut filters = Vec::new();
        self.ask(request, |message| filters.extend(filter(message)))?;
        Ok(filters)
    }
}

fn xdp(message: &Message<'_>) -> XdpPrograms {
    let mut programs = XdpPrograms::default();
    let body = message.payload.get(LINK_HEADER..).unwrap_or_default();
    let nested = attributes(body).filter(|(kind, _)| *kind == IFLA_XDP);
    for (kind, value) in nested.flat_map(|(_, value)| attributes(value)) {
        match kind {
            IFLA_XDP_ATTACHED => programs.is_generic = value == [XDP_ATTACHED_SKB],
            IFLA_XDP_PROG_ID..=IFLA_XDP_HW_PROG_ID => {
                programs.ids.extend(u32_at(value, 0).filter(|id| *id != 0));
            }
            _ => {}
        }
    }
    programs
}

fn filter(message: &Message<'_>) -> Option<Classifier> {
    // Each priority has a head without a handle, and then its classifiers.
    if message.kind != libc::RTM_NEWTFILTER || u32_at(message.payload, 8)? == 0 {
        return None;
    }
    let priority = u32_at(message.payload, 16)? >> 16;
    let (mut kind, mut name) = (String::new(), None);
    for (attribute, value) in attributes(message.payload.get(TC_HEADER..)?) {
        match attribute {
            TCA_KIND => kind = text(value),
            TCA_OPTIONS => {
                name = attributes(value)
                    .find(|(kind, _)| *kind == TCA_BPF_NAME)
                    .map(|(_, value)| text(value));
            }
            _ => {}
        }
    }
    let name = name.filter(|_| kind == "bpf").unwrap_or(kind);
    Some(Classifier { priority, name })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_message_breaks_the_parser(kind: u16, payload: Vec<u8>) {
            let message = Message { kind, sequence: 0, payload: &payload };
            let _ = xdp(&message);
            let _ = filter(&message);
        }
    }
}

//! Classifiers at a device's ingress, the way of kernels without TCX: filters of the clsact qdisc.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::Request;
use super::request::Netlink;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const DIRECT_ACTION: u32 = 1;
const CLSACT: u32 = 0xffff_fff1;
pub(super) const INGRESS: u32 = 0xffff_fff2;

/// One filter among those of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The device.
    pub(crate) ifindex: u32,
    /// Its place in the order.
    pub(crate) priority: u16,
    /// Tells it from others of its priority.
    pub(crate) handle: u32,
}

impl Netlink {
    /// Has a program classify what comes in by a device, before other filters of its priority.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn add_filter(
        &mut self,
        filter: Filter,
        program: BorrowedFd<'_>,
        name: &str,
    ) -> io::Result<()> {
        let create = (libc::NLM_F_CREATE | libc::NLM_F_EXCL | libc::NLM_F_ACK) as u16;
        let qdisc = body(filter.ifindex, CLSACT & 0xffff_0000, CLSACT, 0);
        let qdisc = Request::new(libc::RTM_NEWQDISC, create, &qdisc);
        match self.ask(qdisc.attribute(TCA_KIND, b"clsact\0"), |_| {}) {
            // There already, as often as not.
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => return Err(error),
            _ => {}
        }
        let mut name = name.as_bytes().to_vec();
        name.push(0);
        let mut options = Vec::new();
        for (kind, value) in [
            (TCA_BPF_FD, &program.as_raw_fd().to_ne_bytes()[..]),
            (TCA_BPF_NAME, &name),
            (TCA_BPF_FLAGS, &DIRECT_ACTION.to_ne_bytes()),
        ] {
            super::message::attribute(&mut options, kind, value);
        }
        let request = Request::new(libc::RTM_NEWTFILTER, create, &filter.body())
            .attribute(TCA_KIND, b"bpf\0")
            .attribute(TCA_OPTIONS, &options);
        self.ask(request, |_| {})
    }

    /// Removes it.
    ///
    /// # Errors
    /// What the kernel says; ENOENT or EINVAL: there was none.
    pub(crate) fn remove_filter(&mut self, filter: Filter) -> io::Result<()> {
        let body = filter.body();
        let request = Request::new(libc::RTM_DELTFILTER, libc::NLM_F_ACK as u16, &body)
            .attribute(TCA_KIND, b"bpf\0");
        self.ask(request, |_| {})
    }
}

impl Filter {
    fn body(self) -> [u8; 20] {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let info = u32::from(self.priority) << 16 | u32::from(protocol);
        body(self.ifindex, self.handle, INGRESS, info)
    }
}

/// `struct tcmsg`.
fn body(ifindex: u32, handle: u32, parent: u32, info: u32) -> [u8; 20] {
    let mut body = [0; 20];
    for (place, word) in (4..).step_by(4).zip([ifindex, handle, parent, info]) {
        body[place..place + 4].copy_from_slice(&word.to_ne_bytes());
    }
    body
}

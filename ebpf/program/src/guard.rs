//! Silence at the ports of an owner that is gone.
//!
//! Its packets go up when the program cannot decide about them. Without a socket there, the kernel would tell the sender
//! that the port is unreachable, and many a sender then hangs up: before the owner is back to take its calls over.

use core::ffi::c_void;

use aya_ebpf::bindings::{
    BPF_F_CURRENT_NETNS, bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
};
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_sk_lookup_udp, bpf_sk_release};
use underpass_abi::PLACE_OWN;
use underpass_packet::{Datagram, Internet, Ipv4, Ipv6, Link, Plain, Read, lease_runs};

use crate::frame::Frame;
use crate::maps;

/// Whether a frame is for a port that its owner holds but has no socket at, within its lease. `context`: the program's.
#[inline(always)]
pub fn owner_is_gone(context: *mut c_void, frame: Frame) -> bool {
    if maps::place() != PLACE_OWN {
        return false;
    }
    match Link::parse(frame) {
        Ok(link) if link.ethertype == Ipv4::ETHERTYPE => is_gone_at::<Ipv4>(context, frame, link),
        Ok(link) if link.ethertype == Ipv6::ETHERTYPE => is_gone_at::<Ipv6>(context, frame, link),
        _ => false,
    }
}

#[inline(always)]
fn is_gone_at<I: Socket>(context: *mut c_void, frame: Frame, link: Link) -> bool
where
    Datagram<I>: Plain,
{
    let packet = frame.skip(link.length);
    let Ok(datagram) = Datagram::<I>::parse(packet) else {
        return false;
    };
    let Some(grant) = maps::grant() else {
        return false;
    };
    if maps::name::<I>(grant, packet).unwrap_or(0) == 0 {
        return false;
    }
    // SAFETY: takes no pointers.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    lease_runs(now, maps::alive_ns().unwrap_or(0), grant.lease_ns)
        && !I::has_socket(context, &datagram)
}

/// A network layer whose sockets are looked up.
trait Socket: Internet {
    /// Whether there is a socket in the namespace that would take the datagram.
    fn has_socket(context: *mut c_void, datagram: &Datagram<Self>) -> bool;
}

impl Socket for Ipv4 {
    #[inline(always)]
    fn has_socket(context: *mut c_void, datagram: &Datagram<Self>) -> bool {
        let mut addresses = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 {
            saddr: datagram.ip.source,
            daddr: datagram.ip.destination,
            sport: datagram.udp.source,
            dport: datagram.udp.destination,
        };
        look_up(context, &mut addresses)
    }
}

impl Socket for Ipv6 {
    #[inline(always)]
    fn has_socket(context: *mut c_void, datagram: &Datagram<Self>) -> bool {
        let mut addresses = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 {
            saddr: datagram.ip.source,
            daddr: datagram.ip.destination,
            sport: datagram.udp.source,
            dport: datagram.udp.destination,
        };
        look_up(context, &mut addresses)
    }
}

/// `T`: one of the two forms of `bpf_sock_tuple`, told apart by their length.
#[inline(always)]
fn look_up<T>(context: *mut c_void, addresses: &mut T) -> bool {
    let tuple = (&raw mut *addresses).cast::<bpf_sock_tuple>();
    let length = size_of::<T>() as u32;
    let here = BPF_F_CURRENT_NETNS as i64 as u64;
    // SAFETY: the context is the program's own, and the tuple as long as said. The reference that is taken is given back.
    unsafe {
        let socket = bpf_sk_lookup_udp(context, tuple, length, here, 0);
        if socket.is_null() {
            return false;
        }
        bpf_sk_release(socket.cast());
    }
    true
}

//! A driver's own statistics, by the ethtool ioctl.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETH_SS_STATS: u32 = 1;
const NAME: usize = 32;
/// Far more than any driver has.
const MOST: u32 = 1 << 16;

/// The statistics of the interface `name`: what they are called, and their values.
///
/// # Errors
/// The driver has none, or the interface is gone.
pub(super) fn statistics(name: &str) -> io::Result<Vec<(String, u64)>> {
    let count = count(name)?.min(MOST);
    let mut names = vec![0; 12 + count as usize * NAME];
    words(&mut names, &[ETHTOOL_GSTRINGS, ETH_SS_STATS, count]);
    call(name, &mut names)?;
    let mut values = vec![0; 8 + count as usize * 8];
    words(&mut values, &[ETHTOOL_GSTATS, count]);
    call(name, &mut values)?;
    Ok(names[12..]
        .chunks_exact(NAME)
        .zip(values[8..].chunks_exact(8))
        .map(|(name, value)| {
            let name = String::from_utf8_lossy(name);
            let name = name.split('\0').next().unwrap_or_default().to_owned();
            let value = value.try_into().map_or(0, u64::from_ne_bytes);
            (name, value)
        })
        .collect())
}

fn count(name: &str) -> io::Result<u32> {
    // struct ethtool_sset_info with one answer: command, reserved, mask (64 bits), count.
    let mut request = vec![0; 20];
    words(&mut request, &[ETHTOOL_GSSET_INFO]);
    request[8..16].copy_from_slice(&(1_u64 << ETH_SS_STATS).to_ne_bytes());
    call(name, &mut request)?;
    let known = request[8..16] != [0; 8];
    let count = request[16..20].try_into().map_or(0, u32::from_ne_bytes);
    if known && count > 0 {
        Ok(count)
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn words(buffer: &mut [u8], words: &[u32]) {
    for (place, word) in buffer.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
}

/// Runs one ethtool command. `buffer` starts with the command and has room for the answer that it asks for.
fn call(name: &str, buffer: &mut [u8]) -> io::Result<()> {
    #[repr(C)]
    struct Request {
        name: [u8; libc::IFNAMSIZ],
        data: *mut u8,
        /// `struct ifreq` is a union whose largest member is larger than the pointer.
        rest: [u64; 2],
    }
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        data: buffer.as_mut_ptr(),
        rest: [0; 2],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: the request has the layout of `struct ifreq`, its name ends with a zero, and `data` points to a buffer as
    // long as the answer to the command in it; both live until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

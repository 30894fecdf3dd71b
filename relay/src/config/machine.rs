//! What configuration needs to know about the machine.

use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::num::NonZero;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// An address of one of the machine's interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalIp {
    /// The device's name.
    pub device: String,
    /// The address.
    pub address: IpAddr,
    /// The device is a loopback device.
    pub loopback: bool,
    /// The device is up.
    pub up: bool,
}

/// Facts about a machine. [`ThisMachine`] reads them; tests make them up.
pub trait Machine {
    /// All addresses of all interfaces, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn addresses(&self) -> io::Result<Vec<LocalIp>>;

    /// The names of all interfaces, those without an address included.
    fn devices(&self) -> Vec<String>;

    /// The addresses of a host name; none if it has none.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;

    /// A file's content; `None` if there is no such file.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// A sysctl's value by its path below /proc/sys; `None` if it cannot be read.
    fn sysctl(&self, path: &str) -> Option<String>;

    /// How many threads can run at once; at least 1.
    fn cores(&self) -> usize;
}

/// The machine this program runs on, as seen from its network namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn addresses(&self) -> io::Result<Vec<LocalIp>> {
        let interfaces = getifaddrs()?;
        let addresses = interfaces.filter_map(|interface| {
            let storage = interface.address?;
            let v4 = storage.as_sockaddr_in().map(|at| IpAddr::V4(at.ip()));
            let address = v4.or_else(|| storage.as_sockaddr_in6().map(|at| IpAddr::V6(at.ip())))?;
            Some(LocalIp {
                device: interface.interface_name,
                address,
                loopback: interface.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                up: interface.flags.contains(InterfaceFlags::IFF_UP),
            })
        });
        Ok(addresses.collect())
    }

    fn devices(&self) -> Vec<String> {
        let Ok(entries) = nix::net::if_::if_nameindex() else {
            return Vec::new();
        };
        let names = entries.iter().map(|entry| entry.name().to_string_lossy());
        names.map(|name| name.into_owned()).collect()
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let Ok(found) = (name, 0).to_socket_addrs() else {
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for address in found.map(|at| at.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sysctl(&self, path: &str) -> Option<String> {
        fs::read_to_string(Path::new("/proc/sys").join(path)).ok()
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, NonZero::get)
    }
}

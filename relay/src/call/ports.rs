//! Taking ports for medias, so that a command that fails has taken none.

use std::net::SocketAddr;

use super::media::{Media, PortSet};
use crate::plan::{Family, LocalAddress, LogicalInterface, OutOfPorts, PortPair, PortSource};

/// The ports that one command takes. Dropped before it is settled, it gives all of them back.
pub(super) struct Ledger<'a> {
    interfaces: &'a [LogicalInterface],
    source: &'a mut dyn PortSource,
    taken: Vec<PortPair>,
    /// Interfaces that parties are put on, and how many pairs they will take there.
    reserved: Vec<(usize, usize)>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(interfaces: &'a [LogicalInterface], source: &'a mut dyn PortSource) -> Self {
        Self {
            interfaces,
            source,
            taken: Vec::new(),
            reserved: Vec::new(),
        }
    }

    /// Whether an interface has as many pairs of a family, those that this command reserved before not counted.
    pub(super) fn reserve(&mut self, interface: usize, family: Family, pairs: usize) -> bool {
        let before = self
            .reserved
            .iter()
            .filter(|(known, _)| *known == interface);
        let before: usize = before.map(|(_, pairs)| pairs).sum();
        let addresses = self.addresses(interface).iter();
        let fitting = addresses.filter(|address| Family::of(address.address) == family);
        let free: usize = fitting.map(|address| self.source.free(address)).sum();
        let is_roomy = free >= before + pairs;
        if is_roomy {
            self.reserved.push((interface, pairs));
        }
        is_roomy
    }

    /// Gives a media the ports that face it while the other side receives at `peer`: those it had for that peer, else
    /// new ones. A media that already has ports keeps them while the peer is not known.
    pub(super) fn provide(
        &mut self,
        media: &mut Media,
        interface: usize,
        peer: Option<SocketAddr>,
        latch: bool,
    ) -> Result<(), OutOfPorts> {
        let usable = match peer {
            None => media.ports().is_some(),
            Some(peer) => media.reuse_ports(interface, media.family, peer, latch),
        };
        if usable {
            return Ok(());
        }
        let pair = self.take(interface, media.family)?;
        media.add_ports(PortSet {
            pair,
            interface,
            family: media.family,
            peer,
        });
        Ok(())
    }

    /// Ends a command that succeeded: pairs that its outcome does not hold go back.
    pub(super) fn settle(mut self, is_held: impl Fn(&PortPair) -> bool) {
        self.taken.retain(|pair| !is_held(pair));
    }

    /// A pair on the interface's addresses of that family, first ones first; on any address if it has none of it.
    fn take(&mut self, interface: usize, family: Family) -> Result<PortPair, OutOfPorts> {
        let addresses = self.addresses(interface);
        let fits = |address: &LocalAddress| Family::of(address.address) == family;
        let any_fits = addresses.iter().any(fits);
        for address in addresses
            .iter()
            .filter(|address| fits(address) || !any_fits)
        {
            if let Ok(pair) = self.source.take(address) {
                self.taken.push(pair.clone());
                return Ok(pair);
            }
        }
        Err(OutOfPorts)
    }

    fn addresses(&self, interface: usize) -> &'a [LocalAddress] {
        let interface = self.interfaces.get(interface);
        interface.map_or(&[], |interface| &interface.addresses)
    }
}

impl Drop for Ledger<'_> {
    fn drop(&mut self) {
        for pair in self.taken.drain(..) {
            self.source.give_back(pair);
        }
    }
}

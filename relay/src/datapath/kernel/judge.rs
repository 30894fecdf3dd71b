//! Whether devices send what native XDP forwards through them.

use std::collections::BTreeSet;

use super::ethtool;
use super::worker::Worker;
use crate::datapath::placement::Device;
use crate::datapath::table::Forwarded;
use crate::datapath::watchdog::Sent;
use crate::tables::protocol::{Place, ToAgent};

impl Worker {
    /// Gives native XDP up where a device does not send what was forwarded through it.
    pub(super) fn judge(&mut self, forwarded: &Forwarded) {
        let mut lost = BTreeSet::new();
        for egress in self.ways.native() {
            let Some(sent) = self.sent(egress) else {
                continue;
            };
            self.watchdog.watch(egress, sent);
            let through = || forwarded.iter().filter(|([_, to], _)| *to == egress);
            let packets = through().map(|(_, packets)| packets).sum();
            if self.watchdog.lost(egress, packets, sent) {
                lost.extend(through().map(|([from, _], _)| *from));
                lost.insert(egress);
            }
        }
        for device in &lost {
            self.give_up(*device);
        }
        if !lost.is_empty() {
            self.place_all();
        }
    }

    fn give_up(&mut self, device: Device) {
        if !self.ways.native().contains(&device) {
            return;
        }
        tracing::error!(
            name = %self.ways.name(device),
            "the device does not send what native XDP forwards: giving the engine up on it"
        );
        self.watchdog.forget(device);
        self.ways.give_up(device);
        self.say_not_sending(device);
    }

    /// Tells the agent, which then puts another engine there.
    pub(super) fn say_not_sending(&mut self, device: Device) {
        self.agent.connection.send(&ToAgent::NotSending {
            place: device.place,
            ifindex: device.ifindex,
        });
    }

    /// What a device says it has sent; `None` if it can't be asked.
    fn sent(&mut self, device: Device) -> Option<Sent> {
        let view = self.view(device.place)?;
        let packets = view.netlink.packets_sent(device.ifindex).ok()?;
        let link = view.hops.link(device.ifindex)?;
        // The driver answers in its own namespace alone.
        let statistics = match device.place {
            Place::Own => ethtool::statistics(&link.name).unwrap_or_default(),
            Place::Node => Vec::new(),
        };
        let trust_xdp = link.kind.as_deref() != Some("veth");
        Some(Sent::new(packets, &statistics, trust_xdp))
    }
}

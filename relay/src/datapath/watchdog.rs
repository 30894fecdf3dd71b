//! Finds devices that do not send what native XDP forwards: some accept the program and lose every packet.

use std::collections::BTreeMap;

use super::placement::Device;

/// What a device says it has sent, as running totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The link's packet counter. Some drivers leave XDP's packets out.
    pub(crate) link: u64,
    /// Counters of the wire, where the driver has them.
    pub(crate) wire: u64,
    /// XDP's own transmit counters less their errors, where the driver has them and they can be trusted.
    pub(crate) xdp: u64,
}

impl Sent {
    /// From the link's counter and the driver's own. `trust_xdp`: false for devices that count a packet as sent when
    /// its receiver has not taken it (veth).
    pub(crate) fn new(link: u64, statistics: &[(String, u64)], trust_xdp: bool) -> Self {
        let mut sent = Self {
            link,
            ..Self::default()
        };
        let mut failed = 0;
        for (name, value) in statistics {
            let transmits = name.contains("tx") || name.contains("xmit");
            let fails = ["err", "drop", "full"]
                .iter()
                .any(|word| name.contains(word));
            let bytes = name.contains("bytes");
            if !transmits || bytes {
                continue;
            }
            match (name.contains("xdp"), fails) {
                (true, true) => failed += value,
                (true, false) if trust_xdp => sent.xdp += value,
                (false, false) if name.ends_with("packets_phy") => sent.wire += value,
                _ => {}
            }
        }
        sent.xdp = sent.xdp.saturating_sub(failed);
        sent
    }

    /// The most that any counter grew by.
    fn since(self, before: Self) -> u64 {
        [
            self.link.saturating_sub(before.link),
            self.wire.saturating_sub(before.wire),
            self.xdp.saturating_sub(before.xdp),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// Packets after which a device is judged.
const WINDOW: u64 = 20;
/// Windows in a row that must be lost before the engine is given up: counters may lag behind the packets.
const BAD_WINDOWS: u32 = 2;

#[derive(Debug)]
struct Window {
    before: Sent,
    forwarded: u64,
    bad: u32,
}

/// Compares what was forwarded through each device with what it says it has sent.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    devices: BTreeMap<Device, Window>,
}

impl Watchdog {
    /// Begins watching a device, whose counters stand at `sent`, unless it is watched already.
    pub(crate) fn watch(&mut self, device: Device, sent: Sent) {
        self.devices.entry(device).or_insert(Window {
            before: sent,
            forwarded: 0,
            bad: 0,
        });
    }

    /// Ends watching a device.
    pub(crate) fn forget(&mut self, device: Device) {
        self.devices.remove(&device);
    }

    /// Takes the packets forwarded through a watched device since the last call, and its counters now. True: it does
    /// not send them.
    pub(crate) fn lost(&mut self, device: Device, forwarded: u64, sent: Sent) -> bool {
        let Some(window) = self.devices.get_mut(&device) else {
            return false;
        };
        window.forwarded += forwarded;
        if window.forwarded < WINDOW {
            return false;
        }
        let is_bad = sent.since(window.before) < window.forwarded / 2;
        window.bad = if is_bad { window.bad + 1 } else { 0 };
        window.before = sent;
        window.forwarded = 0;
        window.bad >= BAD_WINDOWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::protocol::Place;

    const AT: Device = Device {
        place: Place::Own,
        ifindex: 2,
    };

    fn link(packets: u64) -> Sent {
        Sent {
            link: packets,
            ..Sent::default()
        }
    }

    #[test]
    fn a_device_whose_counters_stand_still_is_found_in_the_second_window() {
        let mut dog = Watchdog::default();
        dog.watch(AT, link(100));
        assert!(!dog.lost(AT, 50, link(101)));
        assert!(dog.lost(AT, 50, link(102)));
    }

    #[test]
    fn a_device_that_sends_is_left_alone() {
        let mut dog = Watchdog::default();
        dog.watch(AT, link(100));
        for second in 1..10 {
            assert!(!dog.lost(AT, 50, link(100 + second * 50)));
        }
    }

    #[test]
    fn one_good_window_clears_the_suspicion() {
        let mut dog = Watchdog::default();
        dog.watch(AT, link(0));
        assert!(!dog.lost(AT, 50, link(0)));
        assert!(!dog.lost(AT, 50, link(100)));
        assert!(!dog.lost(AT, 50, link(100)));
    }

    #[test]
    fn few_packets_are_gathered_before_judging() {
        let mut dog = Watchdog::default();
        dog.watch(AT, link(0));
        for _ in 0..3 {
            assert!(!dog.lost(AT, 10, link(0)));
        }
        assert!(dog.lost(AT, 10, link(0)));
    }

    #[test]
    fn a_driver_that_counts_xdp_apart_is_believed() {
        let statistics = |sent: u64, errors: u64| {
            vec![
                ("tx_queue_0_xdp_tx".to_owned(), sent),
                ("rx_queue_0_xdp_tx_errors".to_owned(), errors),
                ("tx_bytes_xdp".to_owned(), 1 << 40),
            ]
        };
        assert_eq!(Sent::new(7, &statistics(50, 10), true).xdp, 40);
        assert_eq!(Sent::new(7, &statistics(50, 10), false).xdp, 0);
    }

    #[test]
    fn the_counters_of_the_wire_are_believed() {
        let statistics = vec![
            ("tx_packets_phy".to_owned(), 50),
            ("rx_packets_phy".to_owned(), 1000),
        ];
        assert_eq!(Sent::new(0, &statistics, true).wire, 50);
    }
}

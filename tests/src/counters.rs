//! The kernel's own counters of a namespace.

use std::fs;

use crate::netns::Netns;

/// UDP datagrams refused for a bad checksum, IPv4 and IPv6 together (`InCsumErrors`, `Udp6InCsumErrors`).
#[must_use]
pub fn udp_checksum_errors(ns: &Netns) -> u64 {
    let (v4, v6) = ns.run(|| {
        let read = |name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap();
        (read("snmp"), read("snmp6"))
    });
    table_value(&v4, "Udp:", "InCsumErrors")
        + table_value(&v4, "Ip:", "InHdrErrors")
        + line_value(&v6, "Udp6InCsumErrors")
}

/// ICMP errors received that say "unreachable" (port, host, …), IPv4 and IPv6 together.
#[must_use]
pub fn unreachables(ns: &Netns) -> u64 {
    let (v4, v6) = ns.run(|| {
        let read = |name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap();
        (read("snmp"), read("snmp6"))
    });
    table_value(&v4, "Icmp:", "InDestUnreachs") + line_value(&v6, "Icmp6InDestUnreachs")
}

/// Frames the kernel has dropped on this machine because a processor's queue of received ones was full.
#[must_use]
pub fn backlog_drops() -> u64 {
    let text = fs::read_to_string("/proc/net/softnet_stat").unwrap();
    let dropped = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    let dropped = dropped.filter_map(|hex| u64::from_str_radix(hex, 16).ok());
    dropped.sum()
}

/// /proc/net/snmp: a line of names, then a line of values, both with the same first word.
fn table_value(text: &str, table: &str, column: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with(table));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = pairs
        .find(|(name, _)| *name == column)
        .expect("the kernel knows the counter");
    value.parse().unwrap()
}

fn line_value(text: &str, name: &str) -> u64 {
    let mut pairs = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    let (_, value) = pairs
        .find(|(key, _)| *key == name)
        .expect("the kernel knows the counter");
    value.trim().parse().unwrap()
}

//! Media ports against the kernel's ephemeral ports: another program's socket could sit on a media port.

use super::machine::{Machine, PortRange};

/// What is wrong, and the sysctl that helps, if any port of `media` may be given to another program's socket.
pub(super) fn warning(media: PortRange, machine: &dyn Machine) -> Option<String> {
    let ephemeral = machine.sysctl("net/ipv4/ip_local_port_range")?;
    let reserved = machine
        .sysctl("net/ipv4/ip_local_reserved_ports")
        .unwrap_or_default();
    let (problem, cure) = overlap(media, &ephemeral, &reserved)?;
    Some(format!("{problem}: {cure}"))
}

/// The same, problem and cure, by what the sysctls say.
pub(crate) fn overlap(
    media: PortRange,
    ephemeral: &str,
    reserved: &str,
) -> Option<(String, String)> {
    let ephemeral = parse_range(ephemeral)?;
    let reserved_text = reserved.trim();
    let reserved: Vec<PortRange> = reserved_text.split(',').filter_map(parse_range).collect();
    let first = media.first.max(ephemeral.first);
    let last = media.last.min(ephemeral.last);
    let is_reserved = |port: u16| {
        let mut ranges = reserved.iter();
        ranges.any(|range| (range.first..=range.last).contains(&port))
    };
    if (first..=last).all(is_reserved) {
        return None;
    }
    // The sysctl replaces the whole list: what is reserved already must stay in it.
    let keep = if reserved_text.is_empty() {
        String::new()
    } else {
        format!("{reserved_text},")
    };
    let problem = format!(
        "media ports {}-{} overlap the ports {}-{} that the kernel gives to any program",
        media.first, media.last, ephemeral.first, ephemeral.last
    );
    let cure = format!(
        "keep them for media with sysctl -w net.ipv4.ip_local_reserved_ports={keep}{}-{}",
        media.first, media.last
    );
    Some((problem, cure))
}

/// `32768 60999`, `30000-39999` or a single port.
fn parse_range(text: &str) -> Option<PortRange> {
    let mut ends = text
        .split(|c: char| c == '-' || c.is_whitespace())
        .filter(|end| !end.is_empty());
    let first = ends.next()?.parse().ok()?;
    let last = ends.next().map_or(Some(first), |end| end.parse().ok())?;
    Some(PortRange { first, last })
}

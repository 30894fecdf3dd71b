//! Media ports: which there are, and that they are not among the kernel's ephemeral ports, where another program's socket
//! could sit on one.

use super::error::ConfigError;
use super::machine::Machine;
use super::settings::Settings;
use super::value::{bad, integer, setting};
use crate::media::{MediaPorts, PortRange};

/// `port-min`, `port-max` and `exclude-ports`, for addresses that have none of their own.
pub(super) struct PortOptions {
    pub(super) range: PortRange,
    pub(super) excluded: Vec<PortRange>,
}

impl PortOptions {
    /// What the options say.
    ///
    /// # Errors
    /// No pair of an even port and the next odd one is left.
    pub(super) fn of(settings: &Settings) -> Result<Self, ConfigError> {
        let range = PortRange {
            first: integer(settings, "port-min")? as u16,
            last: integer(settings, "port-max")? as u16,
        };
        if MediaPorts::new(range, &[]).pairs().next().is_none() {
            return Err(ConfigError::EmptyPortRange {
                min: range.first,
                min_origin: setting(settings, "port-min").origin.clone(),
                max: range.last,
                max_origin: setting(settings, "port-max").origin.clone(),
            });
        }
        let mut options = Self {
            range,
            excluded: Vec::new(),
        };
        let exclude = setting(settings, "exclude-ports");
        for given in &exclude.values {
            let found = excluded(&given.text);
            let found = found.map_err(|problem| bad(exclude.spec, given, &problem))?;
            options.excluded.extend(found);
            if options.ports().pairs().next().is_none() {
                return Err(bad(exclude.spec, given, &none_left(range)));
            }
        }
        Ok(options)
    }

    /// The ports that are left.
    pub(super) fn ports(&self) -> MediaPorts {
        MediaPorts::new(self.range, &self.excluded)
    }
}

/// Ports and ranges of a list, which `;` or `,` separates.
///
/// # Errors
/// What is wrong with the first that is neither.
pub(super) fn excluded(text: &str) -> Result<Vec<PortRange>, String> {
    let items = text.split([';', ',']).map(str::trim);
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let port = |text: &str| text.trim().parse::<u16>().ok();
        let range = port(first)
            .zip(port(last))
            .map(|(first, last)| PortRange { first, last });
        let wrong = || format!("{item} is neither a port nor a range FIRST-LAST");
        range.filter(|range| !range.is_empty()).ok_or_else(wrong)
    };
    items.filter(|item| !item.is_empty()).map(range).collect()
}

/// What is wrong with a range that has no pair, or none that is not excluded.
pub(super) fn none_left(range: PortRange) -> String {
    format!("leaves no even port with an odd one above it in {range}")
}

/// What is wrong, and the sysctl that helps, if any port of `media` may be given to another program's socket.
pub(super) fn warning(media: &MediaPorts, machine: &dyn Machine) -> Option<String> {
    let ephemeral = machine.sysctl("net/ipv4/ip_local_port_range")?;
    let reserved = machine
        .sysctl("net/ipv4/ip_local_reserved_ports")
        .unwrap_or_default();
    let (problem, cure) = overlap(media, &ephemeral, &reserved)?;
    Some(format!("{problem}: {cure}"))
}

/// The same, problem and cure, by what the sysctls say.
pub(crate) fn overlap(
    media: &MediaPorts,
    ephemeral: &str,
    reserved: &str,
) -> Option<(String, String)> {
    let ephemeral = parse_range(ephemeral)?;
    let reserved_text = reserved.trim();
    let reserved: Vec<PortRange> = reserved_text.split(',').filter_map(parse_range).collect();
    let is_reserved = |port: u16| {
        let mut ranges = reserved.iter();
        ranges.any(|range| (range.first..=range.last).contains(&port))
    };
    let is_kept = |range: &PortRange| {
        let (first, last) = (
            range.first.max(ephemeral.first),
            range.last.min(ephemeral.last),
        );
        (first..=last).all(is_reserved)
    };
    if media.ranges().iter().all(is_kept) {
        return None;
    }
    // The sysctl replaces the whole list: what is reserved already must stay in it.
    let keep = if reserved_text.is_empty() {
        String::new()
    } else {
        format!("{reserved_text},")
    };
    let problem = format!(
        "media ports {media} overlap the ports {ephemeral} that the kernel gives to any program"
    );
    let cure = format!(
        "keep them for media with sysctl -w net.ipv4.ip_local_reserved_ports={keep}{media}"
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

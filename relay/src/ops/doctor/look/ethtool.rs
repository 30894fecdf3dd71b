//! What ethtool(8) tells of a device.

use super::commands::output;

/// UDP over IPv4 is spread over the receive queues by ports as well as addresses; `None`: the device has no choice.
///
/// # Errors
/// It can't be asked.
pub(super) fn hashes_ports(name: &str) -> Result<Option<bool>, String> {
    match output("ethtool", &["-n", name, "rx-flow-hash", "udp4"]) {
        Ok(text) => Ok(parse_hash(&text)),
        Err(why) if why.contains("not supported") => Ok(None),
        Err(why) => Err(why),
    }
}

/// Large receive offload is on.
pub(super) fn lro(name: &str) -> Option<bool> {
    let text = output("ethtool", &["-k", name]).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("large-receive-offload:"))?;
    Some(line.trim_start().starts_with("on"))
}

fn parse_hash(text: &str) -> Option<bool> {
    if !text.contains("flows use these fields") {
        return None;
    }
    Some(text.contains("L4 bytes 0 & 1") && text.contains("L4 bytes 2 & 3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethtools_words_are_understood() {
        let addresses =
            "UDP over IPV4 flows use these fields for computing Hash flow key:\nIP SA\nIP DA\n\n";
        let both = "UDP over IPV4 flows use these fields for computing Hash flow key:\nIP SA\nIP DA\n\
                    L4 bytes 0 & 1 [TCP/UDP src port]\nL4 bytes 2 & 3 [TCP/UDP dst port]\n\n";
        assert_eq!(parse_hash(addresses), Some(false));
        assert_eq!(parse_hash(both), Some(true));
        assert_eq!(parse_hash("something else\n"), None);
    }
}

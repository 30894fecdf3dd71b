//! A scrape of the relay's Prometheus page.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::netns::Netns;

/// The values of one scrape, by name and labels as written: `rtpengine_packets_total{type="kernel"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Scrapes `/metrics` of the relay in `ns`.
    #[must_use]
    #[track_caller]
    pub fn scrape(ns: &Netns, http: SocketAddr) -> Self {
        let page = ns
            .run(|| get(http, "/metrics"))
            .expect("the relay serves its metrics");
        let (_, body) = page.split_once("\r\n\r\n").expect("an HTTP reply");
        Self::parse(body)
    }

    /// Reads the text exposition format.
    #[must_use]
    pub fn parse(body: &str) -> Self {
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (key, value) = line.trim().rsplit_once(' ')?;
            Some((key.to_owned(), value.parse().ok()?))
        });
        Self(values.collect())
    }

    /// The sum of a family over all its series that carry every label given, written as in the page: `type="kernel"`. A family
    /// without such a series counts as 0.
    #[must_use]
    pub fn sum(&self, family: &str, labels: &[&str]) -> f64 {
        let of_family = |key: &str| key.split('{').next() == Some(family);
        let series = self
            .0
            .iter()
            .filter(|(key, _)| of_family(key) && labels.iter().all(|l| key.contains(l)));
        series.map(|(_, value)| value).sum()
    }

    /// Packets forwarded by the kernel.
    #[must_use]
    pub fn kernel_packets(&self) -> u64 {
        self.count("rtpengine_packets_total", "type=\"kernel\"")
    }

    /// Packets forwarded in user space.
    #[must_use]
    pub fn userspace_packets(&self) -> u64 {
        self.count("rtpengine_packets_total", "type=\"userspace\"")
    }

    /// Calls up.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.count("rtpengine_sessions", "type=\"own\"")
    }

    /// Media ports in use, over all interfaces.
    #[must_use]
    pub fn ports_used(&self) -> u64 {
        self.count("rtpengine_ports_used", "")
    }

    /// Whether calls can't be journaled; `None` without a journal.
    #[must_use]
    pub fn journal_in_trouble(&self) -> Option<bool> {
        self.0
            .get("underpass_journal_in_trouble")
            .map(|value| *value > 0.0)
    }

    /// Whether this engine (`tc`, `xdp`, …) is on the device.
    #[must_use]
    pub fn has_engine(&self, device: &str, engine: &str) -> bool {
        let labels = [
            &*format!("device=\"{device}\""),
            &*format!("engine=\"{engine}\""),
        ];
        self.sum("underpass_engine_info", &labels) > 0.0
    }

    /// Calls that have ended for this reason, as rtpengine names it: `timeout`, `silent_timeout`, …
    #[must_use]
    pub fn ended_by(&self, reason: &str) -> u64 {
        self.count(
            "rtpengine_closed_sessions_total",
            &format!("reason=\"{reason}\""),
        )
    }

    fn count(&self, family: &str, label: &str) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter"
        )]
        let count = self.sum(family, &[label]) as u64;
        count
    }
}

fn get(server: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n"
    )?;
    let mut page = Vec::new();
    let read = stream.read_to_end(&mut page);
    if page.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_family_are_summed_by_label() {
        let page = "# TYPE a counter\na{type=\"kernel\"} 5\na{type=\"userspace\"} 2\nab 9\n";
        let metrics = Metrics::parse(page);
        assert_eq!(metrics.sum("a", &[]), 7.0);
        assert_eq!(metrics.sum("a", &["type=\"kernel\""]), 5.0);
    }
}

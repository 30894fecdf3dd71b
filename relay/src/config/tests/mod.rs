//! Tests of the configuration, on a machine that is made up.

mod addresses;
mod bad_values;
mod files;
mod interface_sections;
mod listeners;
mod logging;
mod migration;
mod recording;
mod roles;
mod sources;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::*;

/// A machine with the facts a test gives it.
#[derive(Clone)]
struct FakeMachine {
    addresses: Vec<LocalIp>,
    devices: Vec<&'static str>,
    hosts: BTreeMap<&'static str, Vec<IpAddr>>,
    files: BTreeMap<&'static str, String>,
    sysctls: BTreeMap<&'static str, &'static str>,
    cores: usize,
}

impl FakeMachine {
    /// `lo`, `eth0` with one address of each family, `eth1` with a private one, and `eth9` that is down.
    fn usual() -> Self {
        let local = |device: &str, address: &str, loopback, up| LocalIp {
            device: device.to_owned(),
            address: address.parse().unwrap(),
            loopback,
            up,
        };
        let hosts = [
            ("localhost", vec!["::1", "127.0.0.1"]),
            ("relay.example", vec!["192.0.2.1", "203.0.113.80"]),
            ("far.example", vec!["203.0.113.80"]),
        ];
        Self {
            addresses: vec![
                local("lo", "127.0.0.1", true, true),
                local("lo", "::1", true, true),
                local("eth0", "192.0.2.1", false, true),
                local("eth0", "2001:db8::1", false, true),
                local("eth0", "fe80::1", false, true),
                local("eth1", "10.0.0.5", false, true),
                local("eth9", "198.51.100.9", false, false),
            ],
            devices: vec!["lo", "eth0", "eth1", "eth9", "bare0"],
            hosts: hosts
                .map(|(name, found)| (name, found.iter().map(|a| a.parse().unwrap()).collect()))
                .into(),
            files: BTreeMap::new(),
            sysctls: [("net/ipv4/ip_local_port_range", "50000\t60999\n")].into(),
            cores: 4,
        }
    }

    fn with_file(mut self, path: &'static str, content: &str) -> Self {
        self.files.insert(path, content.to_owned());
        self
    }

    fn with_sysctl(mut self, path: &'static str, value: &'static str) -> Self {
        self.sysctls.insert(path, value);
        self
    }
}

impl Machine for FakeMachine {
    fn addresses(&self) -> io::Result<Vec<LocalIp>> {
        Ok(self.addresses.clone())
    }

    fn devices(&self) -> Vec<String> {
        self.devices.iter().map(|&name| name.to_owned()).collect()
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.hosts.get(name).cloned().unwrap_or_default()
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let content = path.to_str().and_then(|path| self.files.get(path));
        Ok(content.map(|content| content.clone().into_bytes()))
    }

    fn sysctl(&self, path: &str) -> Option<String> {
        self.sysctls.get(path).map(|&value| value.to_owned())
    }

    fn cores(&self) -> usize {
        self.cores
    }
}

fn load_on(
    machine: &FakeMachine,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<Loaded, ConfigError> {
    let command_line = parse(arguments)?;
    let variables = variables
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()));
    load(&command_line, variables, machine)
}

/// Loads a command line on the usual machine.
fn load_arguments(arguments: &[&str]) -> Loaded {
    load_on(&FakeMachine::usual(), arguments, &[]).unwrap()
}

/// The one line that a command line ends with on the usual machine.
fn error_of(arguments: &[&str]) -> String {
    load_on(&FakeMachine::usual(), arguments, &[])
        .unwrap_err()
        .to_string()
}

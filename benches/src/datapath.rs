//! A datapath to measure, whose table is claimed through an agent of its own.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::Netns;
use tempfile::TempDir;
use underpass::datapath::{self, Datapath, DatapathConfig, EngineChoice, Monitor, Started};
use underpass::tables::TableRequest;
use underpass::tables::client::{self, AgentChoice, ClaimConfig};
use underpass::tables::protocol::{Claim, Ports, VERSION};

/// A running datapath, with a registry and pins beside which no other relay's are. Ends when dropped.
pub(crate) struct Running {
    started: Started,
    _node: Node,
}

/// Where registry and pins are; goes after the datapath.
struct Node(TempDir);

impl Running {
    /// Starts it in a namespace.
    ///
    /// # Errors
    /// There is no table to be had, or it can't be used.
    pub(crate) fn start(
        namespace: &Netns,
        addresses: Vec<IpAddr>,
        engine: EngineChoice,
        max_flows: u32,
    ) -> Result<Self> {
        let node = Node(tempfile::tempdir()?);
        let config = ClaimConfig {
            agent: AgentChoice::Embedded,
            lease: Duration::from_secs(60),
            bpffs: node.0.path().join("bpf"),
            registry: node.0.path().join("tables"),
            claim: Claim {
                version: VERSION,
                layout: underpass_abi::LAYOUT_VERSION,
                table: TableRequest::Auto,
                identity: "bench".to_owned(),
                name: "bench".to_owned(),
                command: "bench".to_owned(),
                addresses,
                ports: Ports {
                    first: 1024,
                    last: u16::MAX,
                }
                .into(),
                max_flows,
                engine,
                interface_engines: [].into(),
            },
        };
        let started = namespace.run(|| -> Result<Started> {
            let claim = client::claim(&config).context("no table for the datapath")?;
            Ok(datapath::start(DatapathConfig {
                claim,
                ..DatapathConfig::default()
            })?)
        })?;
        Ok(Self {
            started,
            _node: node,
        })
    }

    /// What takes flows.
    pub(crate) fn datapath(&self) -> &dyn Datapath {
        &*self.started.datapath
    }

    /// What operators see.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.started.monitor
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0.path().join("bpf"));
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

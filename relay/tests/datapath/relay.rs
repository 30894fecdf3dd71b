//! A datapath in one of the namespaces, its table claimed through an agent of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use underpass::datapath::{
    DatapathConfig, Engine, EngineChoice, Flow, FlowId, FlowReport, Started, start,
};
use underpass::tables::TableRequest;
use underpass::tables::client::{AgentChoice, ClaimConfig, claim};
use underpass::tables::protocol::{Claim, Ports, VERSION};

use crate::net::{Net, RELAY_A, RELAY_B};

/// A relay's datapath, with a registry and pins of its own.
pub(crate) struct Relay {
    pub(crate) started: Option<Started>,
    _directory: Option<Directory>,
}

impl Relay {
    /// With both addresses of the relay's namespace.
    pub(crate) fn new(net: &Net, configure: impl FnOnce(&mut Claim)) -> Self {
        Self::at(net, "r", &[RELAY_A, RELAY_B], configure)
    }

    /// With these addresses of a namespace.
    pub(crate) fn at(
        net: &Net,
        namespace: &str,
        addresses: &[&str],
        configure: impl FnOnce(&mut Claim),
    ) -> Self {
        let directory = Directory::new();
        let mut config = config(directory.path(), addresses);
        configure(&mut config.claim);
        Self {
            started: Some(net.inside(namespace, || started(&config))),
            _directory: Some(directory),
        }
    }

    /// On a node that others are on, too.
    pub(crate) fn among(
        net: &Net,
        directory: &Directory,
        configure: impl FnOnce(&mut ClaimConfig),
    ) -> Self {
        Self::in_namespace(net, "r", directory, configure)
    }

    /// The same in another namespace than the relay's.
    pub(crate) fn in_namespace(
        net: &Net,
        namespace: &str,
        directory: &Directory,
        configure: impl FnOnce(&mut ClaimConfig),
    ) -> Self {
        let mut config = config(directory.path(), &[RELAY_A, RELAY_B]);
        configure(&mut config);
        Self {
            started: Some(net.inside(namespace, || started(&config))),
            _directory: None,
        }
    }

    pub(crate) fn started(&self) -> &Started {
        self.started.as_ref().unwrap()
    }

    pub(crate) fn install(&self, id: u64, flow: Flow) -> Arc<FlowReport> {
        let report = Arc::new(FlowReport::default());
        let datapath = &self.started().datapath;
        datapath.install(FlowId(id), flow, report.clone());
        report
    }

    pub(crate) fn engines(&self) -> Vec<(String, Option<Engine>)> {
        let interfaces = self.started().monitor.interfaces();
        interfaces
            .into_iter()
            .map(|interface| (interface.name, interface.engine))
            .collect()
    }
}

/// A node's registry and pins; gone when dropped, which must be after its relays.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0.path().join("bpf"));
    }
}

/// What is claimed on the node of `directory`, through an embedded agent.
pub(crate) fn config(directory: &Path, addresses: &[&str]) -> ClaimConfig {
    ClaimConfig {
        agent: AgentChoice::Embedded,
        lease: Duration::from_secs(60),
        bpffs: directory.join("bpf"),
        registry: directory.join("tables"),
        claim: Claim {
            version: VERSION,
            layout: underpass_abi::LAYOUT_VERSION,
            table: TableRequest::Auto,
            identity: "test".to_owned(),
            name: "test".to_owned(),
            command: "test".to_owned(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            ports: Ports {
                first: 1024,
                last: 65_535,
            }
            .into(),
            max_flows: 1024,
            engine: EngineChoice::Auto,
            interface_engines: [].into(),
        },
    }
}

/// A datapath with the table that is claimed by `config`, in the thread's namespace.
pub(crate) fn started(config: &ClaimConfig) -> Started {
    let claim = claim(config).unwrap();
    assert!(claim.is_some());
    let config = DatapathConfig {
        claim,
        ..DatapathConfig::default()
    };
    start(config).unwrap()
}

//! A claim and a caller that tests vary.

use std::collections::BTreeMap;

use underpass_abi::LAYOUT_VERSION;

use crate::agent::caller::Caller;
use crate::datapath::EngineChoice;
use crate::tables::TableRequest;
use crate::tables::protocol::{Claim, Ports, VERSION};

pub(crate) fn claim(identity: &str) -> Claim {
    Claim {
        version: VERSION,
        layout: LAYOUT_VERSION,
        table: TableRequest::Auto,
        identity: identity.to_owned(),
        name: format!("{identity}.example"),
        command: "underpass run".to_owned(),
        addresses: vec!["192.0.2.1".parse().unwrap()],
        ports: Ports {
            first: 30_000,
            last: 30_999,
        }
        .into(),
        max_flows: 1024,
        engine: EngineChoice::Auto,
        interface_engines: BTreeMap::new(),
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        pid: 4711,
        uid: 1001,
        is_root: false,
        cgroup: "/system.slice/media.service".to_owned(),
        pod: None,
    }
}

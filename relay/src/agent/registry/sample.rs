//! A record for tests.

use std::collections::BTreeMap;

use super::{Contents, NamespaceId, Record};
use crate::datapath::EngineChoice;
use crate::tables::Owner;
use crate::tables::protocol::Ports;

pub(crate) fn record(table: u32) -> Record {
    let contents = |generation| Contents {
        generation,
        layout: 3,
        addresses: vec!["192.0.2.1".parse().unwrap()],
        ports: Ports {
            first: 30_000,
            last: 39_999,
        }
        .into(),
        max_flows: 100,
        lease_ms: 60_000,
        engine: EngineChoice::Tc,
        interface_engines: BTreeMap::from([("eth0".to_owned(), EngineChoice::Null)]),
        is_trusted: true,
    };
    Record {
        table,
        identity: "media-1".to_owned(),
        owner: Owner {
            pid: 42,
            name: "media-1".to_owned(),
            since: 1_700_000_000,
            command: "underpass run".to_owned(),
        },
        uid: 1001,
        pod: None,
        cgroup: "/system.slice/media.service".to_owned(),
        namespace: NamespaceId {
            device: 4,
            inode: 4_026_531_840,
        },
        claimed_ns: u64::MAX - 1,
        current: contents(u64::MAX),
        previous: Some(contents(7)),
        interfaces: Vec::new(),
    }
}

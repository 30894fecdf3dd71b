//! What of a call outlives the process, and how it becomes a call again.
//!
//! A snapshot is the whole graph, what media had learned of its streams, and the names of what it refers to by index. Ports are
//! taken again by address and number; they get new names, and everything that named them is changed along. Timestamps are good
//! for one boot of the machine: both clocks go on.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::graph::Call;
use super::media::{Media, PortSet};
use super::{Active, Calls, Timestamp};
use crate::plan::{
    Action, CallKey, Learned, LocalPort, LogicalInterface, PortPair, PortSource, RetakeError,
    StreamId, StreamReader,
};

/// A call as a later process can take it up. Serialised with the names of its fields, it can be read by another version: what that
/// one does not know is ignored, and what it misses has a default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    call_id: Bytes,
    call: Call,
    /// The logical interfaces by name, as the call numbers them.
    interfaces: Vec<String>,
    learned: BTreeMap<StreamId, Learned>,
}

/// A call that lives again.
#[derive(Debug)]
pub struct Restored {
    /// What media is to do.
    pub actions: Vec<Action>,
    /// The ports that could not be taken again, and why; the call goes on without them.
    pub lost: Vec<RetakeError>,
}

/// Why a call does not live again. It holds no port.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// There is a call of that call-id already.
    #[error("its call-id is another call's")]
    Known,
    /// None of its ports could be had.
    #[error("none of its ports could be taken again: {0}")]
    NoPorts(RetakeError),
}

impl Snapshot {
    /// The call-id.
    #[must_use]
    pub fn call_id(&self) -> &Bytes {
        &self.call_id
    }

    /// The call's name for media, which it keeps.
    #[must_use]
    pub fn key(&self) -> CallKey {
        self.call.key
    }
}

impl Calls {
    /// The call as it is now; `None` if it has ended, or changes are not [followed](Self::follow_changes).
    #[must_use]
    pub fn snapshot(&self, key: CallKey, streams: &dyn StreamReader) -> Option<Snapshot> {
        let call_id = self.name_of(key)?;
        let call = &self.calls.get(call_id)?.call;
        let ports = call.ports().flat_map(|pair| [pair.rtp.id, pair.rtcp.id]);
        let names = self.interfaces.iter().map(|of| of.name.as_ref().to_owned());
        Some(Snapshot {
            call_id: call_id.clone(),
            call: call.clone(),
            interfaces: names.collect(),
            learned: ports
                .filter_map(|id| Some((id, streams.learned(id)?)))
                .collect(),
        })
    }

    /// Makes a snapshot a call again, on the very ports it had. Media timeouts begin anew, and a recording goes on in another file.
    ///
    /// # Errors
    /// [`NotRestored`] says why it stays gone.
    pub fn restore(
        &mut self,
        snapshot: Snapshot,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<Restored, NotRestored> {
        let Snapshot {
            call_id,
            mut call,
            interfaces,
            mut learned,
        } = snapshot;
        if self.get(&call_id).is_some() {
            return Err(NotRestored::Known);
        }
        let mut again = Again {
            interfaces: &self.interfaces,
            before: &interfaces,
            ports,
            names: BTreeMap::new(),
            lost: Vec::new(),
        };
        for party in call.parties_mut() {
            party.interface = party.interface.and_then(|index| again.interface(index));
            for media in &mut party.medias {
                again.take(media);
                media.since = now;
            }
        }
        let Again { names, lost, .. } = again;
        if let (true, Some(why)) = (names.is_empty(), lost.first()) {
            return Err(NotRestored::NoPorts(why.clone()));
        }
        self.next_key = self.next_key.max(call.key.0.saturating_add(1));
        self.changes.note(call.key, &call_id);
        let mut recorded = match call.recording.take() {
            Some(before) => self.begin_recording(&call_id, &mut call, before.is_paused(), now),
            None => Vec::new(),
        };
        let mut active = Active::new(call);
        let mut actions = active.serving.follow(&active.call, &self.settings);
        for action in &mut actions {
            if let Action::Open {
                port,
                learned: of_port,
                ..
            } = action
            {
                let before = names.get(&port.id);
                *of_port = before.and_then(|id| learned.remove(id)).map(Box::new);
            }
        }
        for (_, party) in active.call.parties() {
            if let Some(id) = &party.call_id {
                self.aliases.insert(id.clone(), call_id.clone());
            }
        }
        self.calls.insert(call_id, active);
        recorded.append(&mut actions);
        Ok(Restored {
            actions: recorded,
            lost,
        })
    }
}

/// Taking the ports of one call again.
struct Again<'a> {
    interfaces: &'a [LogicalInterface],
    /// Their names when the snapshot was made.
    before: &'a [String],
    ports: &'a mut dyn PortSource,
    /// What the streams were called, by what they are called now.
    names: BTreeMap<StreamId, StreamId>,
    lost: Vec<RetakeError>,
}

impl Again<'_> {
    /// The interface that had this index.
    fn interface(&self, before: usize) -> Option<usize> {
        let name = self.before.get(before)?;
        let mut interfaces = self.interfaces.iter();
        interfaces.position(|interface| *interface.name == **name)
    }

    fn take(&mut self, media: &mut Media) {
        media.exchange_ports(|set| {
            let PortSet { pair, .. } = &set;
            match self.ports.retake(pair.rtp.address) {
                Ok(bound) => {
                    self.names.insert(bound.rtp.id, pair.rtp.id);
                    self.names.insert(bound.rtcp.id, pair.rtcp.id);
                    Some(PortSet {
                        // One whose name is gone is no interface's, and stays as long as it is in use.
                        interface: self.interface(set.interface).unwrap_or(usize::MAX),
                        pair: announced_as(pair, bound),
                        ..set
                    })
                }
                Err(why) => {
                    self.lost.push(why);
                    None
                }
            }
        });
    }
}

/// The peer goes on with the address that it was told.
fn announced_as(before: &PortPair, bound: PortPair) -> PortPair {
    let port = |before: &LocalPort, bound: LocalPort| LocalPort {
        advertised: before.advertised,
        ..bound
    };
    PortPair {
        rtp: port(&before.rtp, bound.rtp),
        rtcp: port(&before.rtcp, bound.rtcp),
    }
}

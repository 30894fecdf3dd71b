//! The edges of a call: which media receives from which.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::party::PartyId;

/// One media of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct MediaRef {
    pub(super) party: PartyId,
    /// Index of the media section, from 0.
    pub(super) index: usize,
}

/// Who receives from whom. An edge leads from a source to a sink; a source has any number of sinks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Subscriptions {
    /// (source, sink)
    edges: BTreeSet<(MediaRef, MediaRef)>,
}

impl Subscriptions {
    /// The edges that offer and answer make: both ways between two medias. What they send goes to nobody else any more,
    /// but other branches may still be heard, as in rtpengine.
    pub(super) fn pair(&mut self, one: MediaRef, other: MediaRef) {
        self.edges
            .retain(|(source, _)| *source != one && *source != other);
        self.edges.insert((one, other));
        self.edges.insert((other, one));
    }

    /// Where the packets of a media go.
    pub(super) fn sinks(&self, source: MediaRef) -> impl Iterator<Item = MediaRef> {
        let first = MediaRef {
            party: PartyId(0),
            index: 0,
        };
        self.edges
            .range((source, first)..)
            .take_while(move |(from, _)| *from == source)
            .map(|(_, sink)| *sink)
    }

    /// The parties whose media a party's media go to, each once.
    pub(super) fn sink_parties(&self, party: PartyId) -> BTreeSet<PartyId> {
        self.edges
            .iter()
            .filter(|(source, _)| source.party == party)
            .map(|(_, sink)| sink.party)
            .collect()
    }

    /// The parties whose media go to a party's media, each once.
    pub(super) fn source_parties(&self, party: PartyId) -> BTreeSet<PartyId> {
        self.edges
            .iter()
            .filter(|(_, sink)| sink.party == party)
            .map(|(source, _)| source.party)
            .collect()
    }

    /// Ends every subscription from and to a party.
    pub(super) fn remove_party(&mut self, party: PartyId) {
        self.edges
            .retain(|(source, sink)| source.party != party && sink.party != party);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(party: u32, index: usize) -> MediaRef {
        MediaRef {
            party: PartyId(party),
            index,
        }
    }

    fn sinks(subscriptions: &Subscriptions, source: MediaRef) -> Vec<MediaRef> {
        subscriptions.sinks(source).collect()
    }

    #[test]
    fn a_pair_hears_each_other() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        assert_eq!(sinks(&subscriptions, media(1, 0)), [media(2, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 0)), [media(1, 0)]);
    }

    #[test]
    fn in_a_new_pair_the_old_partner_is_heard_and_hears_no_more() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        subscriptions.pair(media(1, 1), media(2, 1));
        subscriptions.pair(media(1, 0), media(3, 0));
        assert_eq!(sinks(&subscriptions, media(1, 0)), [media(3, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 0)), [media(1, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 1)), [media(1, 1)]);
    }

    #[test]
    fn a_removed_party_is_neither_source_nor_sink() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        subscriptions.remove_party(PartyId(2));
        assert_eq!(sinks(&subscriptions, media(1, 0)), []);
        assert!(subscriptions.source_parties(PartyId(1)).is_empty());
    }
}

//! The edges of a call: which media receives from which, how that came about, and what is held back on the way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::party::PartyId;

/// One media of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct MediaRef {
    pub(super) party: PartyId,
    /// Index of the media section, from 0.
    pub(super) index: usize,
}

/// What made an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    /// An offer and its answer, or `connect`: it has its like in the other direction, and ends when one of the two is paired
    /// with another.
    #[default]
    OfferAnswer,
    /// A subscription of its own: it ends by `unsubscribe`, or with one of its parties.
    PubSub,
}

impl Kind {
    /// As in `query`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OfferAnswer => "offer/answer",
            Self::PubSub => "pub/sub",
        }
    }
}

/// A subscription of a sink to a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Edge {
    pub(super) kind: Kind,
    /// `block media` of this flow alone.
    pub(super) blocked: bool,
    /// `silence media` of this flow alone.
    pub(super) silenced: bool,
    /// RTCP alone takes it: reports of a subscriber back to its source (`mirror-RTCP`).
    pub(super) rtcp_only: bool,
    /// The way back of a subscription, which ends with it (`bidirectional`, `mirror-RTCP`).
    pub(super) returns: bool,
}

impl Edge {
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }
}

/// Who receives from whom. An edge leads from a source to a sink; a source has any number of sinks, and a sink of sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Subscriptions {
    /// By source, then sink.
    edges: BTreeMap<(MediaRef, MediaRef), Edge>,
}

impl Subscriptions {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }

    /// The edges that an offer makes: both ways between two medias. Whoever the receiver talked to before, it does no more. The sender
    /// may be offered to several at once, and hears all of them until one has answered.
    pub(super) fn offer(&mut self, sender: MediaRef, receiver: MediaRef) {
        let edges = self.between(sender, receiver);
        self.part(receiver);
        self.join(sender, receiver, edges);
    }

    /// The edges that an answer, or `connect`, makes: both ways between two medias, who talk to nobody else any more.
    pub(super) fn pair(&mut self, one: MediaRef, other: MediaRef) {
        let edges = self.between(one, other);
        self.part(one);
        self.part(other);
        self.join(one, other, edges);
    }

    /// Makes a media hear another, until further notice. What is known of that flow stays.
    pub(super) fn subscribe(&mut self, source: MediaRef, sink: MediaRef) {
        let edge = Edge::of(Kind::PubSub);
        self.edges.entry((source, sink)).or_insert(edge).rtcp_only = false;
    }

    /// Makes the source of a subscription hear its subscriber, or its reports alone.
    pub(super) fn answer_back(&mut self, source: MediaRef, sink: MediaRef, rtcp_only: bool) {
        self.edges.entry((sink, source)).or_insert(Edge {
            rtcp_only,
            returns: true,
            ..Edge::of(Kind::PubSub)
        });
    }

    /// Whether the sources of a subscriber hear it, too.
    pub(super) fn is_heard_back(&self, subscriber: MediaRef) -> bool {
        let mut sinks = self.sinks(subscriber);
        sinks.any(|(_, edge)| edge.returns && !edge.rtcp_only)
    }

    /// Ends all that a party hears, or what it hears of one party, with what it sent back. Whether there was anything.
    pub(super) fn unsubscribe(&mut self, sink: PartyId, source: Option<PartyId>) -> bool {
        let before = self.edges.len();
        let is_meant = |party| source.is_none_or(|source| source == party);
        self.edges.retain(|(from, to), edge| {
            let heard = to.party == sink && is_meant(from.party);
            let returned = edge.returns && from.party == sink && is_meant(to.party);
            !(heard || returned)
        });
        self.edges.len() < before
    }

    /// Where the packets of a media go.
    pub(super) fn sinks(&self, source: MediaRef) -> impl Iterator<Item = (MediaRef, &Edge)> {
        let first = MediaRef {
            party: PartyId(0),
            index: 0,
        };
        self.edges
            .range((source, first)..)
            .take_while(move |((from, _), _)| *from == source)
            .map(|((_, sink), edge)| (*sink, edge))
    }

    /// The flows from a party's medias and to whom, or with `egress` those to them and from whom.
    pub(super) fn flows_of(
        &mut self,
        party: PartyId,
        egress: bool,
    ) -> impl Iterator<Item = (PartyId, &mut Edge)> {
        let flows = self.edges.iter_mut().filter(|(_, edge)| !edge.rtcp_only);
        flows.filter_map(move |((source, sink), edge)| {
            let (near, far) = if egress {
                (sink, source)
            } else {
                (source, sink)
            };
            (near.party == party).then_some((far.party, edge))
        })
    }

    /// The medias whose packets go to a media.
    pub(super) fn sources(&self, sink: MediaRef) -> impl Iterator<Item = MediaRef> {
        let flows = self.edges.keys().filter(move |(_, to)| *to == sink);
        flows.map(|(source, _)| *source)
    }

    /// Those of them whose RTP does.
    pub(super) fn heard(&self, sink: MediaRef) -> impl Iterator<Item = MediaRef> {
        let flows = self.edges.iter();
        let flows = flows.filter(move |((_, to), edge)| *to == sink && !edge.rtcp_only);
        flows.map(|((source, _), _)| *source)
    }

    /// The parties whose media a party's media go to, each once, and by what. One that offer and answer made comes first.
    pub(super) fn sink_parties(&self, party: PartyId) -> Vec<(PartyId, Kind)> {
        let edges = self
            .edges
            .iter()
            .filter(|((source, _), _)| source.party == party);
        parties(edges.map(|((_, sink), edge)| (sink.party, edge)))
    }

    /// The parties whose media go to a party's media, each once, and by what. One that offer and answer made comes first.
    pub(super) fn source_parties(&self, party: PartyId) -> Vec<(PartyId, Kind)> {
        let edges = self
            .edges
            .iter()
            .filter(|((_, sink), _)| sink.party == party);
        parties(edges.map(|((source, _), edge)| (source.party, edge)))
    }

    /// Ends every subscription from and to a party.
    pub(super) fn remove_party(&mut self, party: PartyId) {
        self.edges
            .retain(|(source, sink), _| source.party != party && sink.party != party);
    }

    /// Takes in the edges of another call, whose parties have other names here.
    pub(super) fn take_in(&mut self, others: &Self, renamed: impl Fn(PartyId) -> PartyId) {
        let renamed = |media: MediaRef| MediaRef {
            party: renamed(media.party),
            ..media
        };
        let edges = others.edges.iter();
        let edges = edges.map(|((source, sink), edge)| ((renamed(*source), renamed(*sink)), *edge));
        self.edges.extend(edges);
    }

    /// What is known of the flows between two medias, as far as a new pair of theirs is to keep it.
    fn between(&self, one: MediaRef, other: MediaRef) -> [Edge; 2] {
        [(one, other), (other, one)].map(|flow| {
            let known = self.edges.get(&flow).copied().unwrap_or_default();
            Edge {
                kind: Kind::OfferAnswer,
                rtcp_only: false,
                returns: false,
                ..known
            }
        })
    }

    fn join(&mut self, one: MediaRef, other: MediaRef, [there, back]: [Edge; 2]) {
        self.edges.insert((one, other), there);
        self.edges.insert((other, one), back);
    }

    /// Ends what offer and answer have made of a media.
    fn part(&mut self, media: MediaRef) {
        self.edges.retain(|(source, sink), edge| {
            edge.kind != Kind::OfferAnswer || (*source != media && *sink != media)
        });
    }
}

fn parties<'a>(edges: impl Iterator<Item = (PartyId, &'a Edge)>) -> Vec<(PartyId, Kind)> {
    let mut kinds = BTreeMap::new();
    for (party, edge) in edges.filter(|(_, edge)| !edge.rtcp_only) {
        let kind: &mut Kind = kinds.entry(party).or_insert(edge.kind);
        *kind = edge.kind.min(*kind);
    }
    let mut parties: Vec<_> = kinds.into_iter().collect();
    parties.sort_by_key(|(party, kind)| (*kind, *party));
    parties
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
        let sinks = subscriptions.sinks(source);
        sinks.map(|(sink, _)| sink).collect()
    }

    #[test]
    fn a_pair_hears_each_other() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        assert_eq!(sinks(&subscriptions, media(1, 0)), [media(2, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 0)), [media(1, 0)]);
    }

    #[test]
    fn in_a_new_pair_the_old_partners_are_left_alone() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        subscriptions.pair(media(1, 1), media(2, 1));
        subscriptions.pair(media(1, 0), media(3, 0));
        assert_eq!(sinks(&subscriptions, media(1, 0)), [media(3, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 0)), []);
        assert_eq!(sinks(&subscriptions, media(2, 1)), [media(1, 1)]);
    }

    #[test]
    fn whoever_is_offered_to_several_hears_them_all_until_one_answers() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.offer(media(1, 0), media(2, 0));
        subscriptions.offer(media(1, 0), media(3, 0));
        assert_eq!(
            sinks(&subscriptions, media(1, 0)),
            [media(2, 0), media(3, 0)]
        );
        assert_eq!(sinks(&subscriptions, media(2, 0)), [media(1, 0)]);
        subscriptions.pair(media(3, 0), media(1, 0));
        assert_eq!(sinks(&subscriptions, media(1, 0)), [media(3, 0)]);
        assert_eq!(sinks(&subscriptions, media(2, 0)), []);
    }

    #[test]
    fn subscribers_stay_when_the_pair_changes() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        subscriptions.subscribe(media(1, 0), media(9, 0));
        subscriptions.pair(media(1, 0), media(3, 0));
        assert_eq!(
            sinks(&subscriptions, media(1, 0)),
            [media(3, 0), media(9, 0)]
        );
    }

    #[test]
    fn a_flow_that_is_blocked_stays_so_in_the_next_exchange() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.pair(media(1, 0), media(2, 0));
        for (_, edge) in subscriptions.flows_of(PartyId(1), false) {
            edge.blocked = true;
        }
        subscriptions.offer(media(1, 0), media(2, 0));
        subscriptions.pair(media(2, 0), media(1, 0));
        let (_, there) = subscriptions.sinks(media(1, 0)).next().unwrap();
        let (_, back) = subscriptions.sinks(media(2, 0)).next().unwrap();
        assert!(there.blocked && !back.blocked);
    }

    #[test]
    fn who_unsubscribes_hears_nothing_and_reports_nothing() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.subscribe(media(1, 0), media(9, 0));
        subscriptions.subscribe(media(2, 0), media(9, 1));
        subscriptions.answer_back(media(1, 0), media(9, 0), true);
        assert!(subscriptions.unsubscribe(PartyId(9), Some(PartyId(1))));
        assert_eq!(sinks(&subscriptions, media(1, 0)), []);
        assert_eq!(sinks(&subscriptions, media(9, 0)), []);
        assert_eq!(sinks(&subscriptions, media(2, 0)), [media(9, 1)]);
        assert!(subscriptions.unsubscribe(PartyId(9), None));
        assert!(!subscriptions.unsubscribe(PartyId(9), None));
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

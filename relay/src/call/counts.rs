//! What the streams of a call counted, summed up for `query`.

use ng_protocol::Dict;

use super::graph::Call;
use super::media::{Course, Media};
use super::statistics::integer;
use super::subscription::MediaRef;
use crate::plan::{SsrcView, StreamId, StreamReader, StreamView, Treatment};

/// The streams of a call, each read once.
#[derive(Debug)]
pub(super) struct Views {
    /// By name.
    streams: Vec<(StreamId, StreamView)>,
    /// Anything was sent to anybody.
    any_sent: bool,
}

impl Views {
    pub(super) fn of(call: &Call, streams: &dyn StreamReader) -> Self {
        let ports = call.ports().flat_map(|pair| [&pair.rtp, &pair.rtcp]);
        let views = ports.filter_map(|port| Some((port.id, streams.view(port.id)?)));
        let mut streams: Vec<_> = views.collect();
        streams.sort_unstable_by_key(|(id, _)| *id);
        let is_sent = |view: &StreamView| view.kernel_packets + view.sent_packets > 0;
        Self {
            any_sent: streams.iter().any(|(_, view)| is_sent(view)),
            streams,
        }
    }

    pub(super) fn get(&self, stream: StreamId) -> Option<&StreamView> {
        let index = self.streams.binary_search_by_key(&stream, |(id, _)| *id);
        index.ok().map(|index| &self.streams[index].1)
    }
}

/// Packets, their bytes, and what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    packets: u64,
    bytes: u64,
    errors: u64,
}

impl Sum {
    /// What arrived from the peer and was passed on.
    pub(super) fn of(view: &StreamView) -> Self {
        Self {
            packets: view.user_packets + view.kernel_packets,
            bytes: view.user_bytes + view.kernel_bytes,
            errors: view.errors,
        }
    }

    /// What user space sent to the peer.
    pub(super) fn sent(view: &StreamView) -> Self {
        Self {
            packets: view.sent_packets,
            bytes: view.sent_bytes,
            errors: view.send_errors,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.errors += other.errors;
    }

    pub(super) fn dict(self) -> Dict {
        let mut dict = Dict::new();
        dict.insert("packets", integer(self.packets));
        dict.insert("bytes", integer(self.bytes));
        dict.insert("errors", integer(self.errors));
        dict
    }
}

/// What the party of a media is sent: by the kernel, in sum, and from whom.
pub(super) fn egress(
    call: &Call,
    views: &Views,
    name: MediaRef,
    media: &Media,
) -> (Sum, Vec<SsrcView>) {
    let mut by_kernel = Sum::default();
    if !views.any_sent {
        return (by_kernel, Vec::new());
    }
    let mut told: Vec<SsrcView> = Vec::new();
    let mut tell = |source: &Media, treatment: &Treatment| {
        for pair in source.all_ports() {
            let Some(view) = views.get(pair.rtp.id) else {
                continue;
            };
            by_kernel.packets += view.kernel_packets;
            by_kernel.bytes += view.kernel_bytes;
            for source in &view.ssrcs {
                let ssrc = treatment.ssrc(source.ssrc);
                if !told.iter().any(|known| known.ssrc == ssrc) {
                    told.push(SsrcView { ssrc, ..*source });
                }
            }
        }
    };
    let sources = call.subscriptions.heard(name);
    for source in sources.filter_map(|source| call.media(source)) {
        if source.course == Course::Onward {
            tell(source, &Treatment::default());
        }
    }
    if media.course == Course::Back {
        let treatment = Treatment {
            echo: true,
            ..Treatment::default()
        };
        tell(media, &treatment);
    }
    let mut own = media.all_ports().filter_map(|pair| views.get(pair.rtp.id));
    if by_kernel.packets == 0 && own.all(|view| view.sent_packets == 0) {
        told.clear();
    }
    (by_kernel, told)
}

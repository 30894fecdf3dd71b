//! One source of a media in `query` and `delete`: what was measured of it, and what it said about how it hears.

use ng_protocol::{Dict, Value};

use super::Timestamp;
use super::statistics::integer;
use crate::plan::{Quality, Sample, SsrcView};

/// `clock` relates monotonic time to the time of day.
pub(super) fn source(source: &SsrcView, quality: Option<&Quality>, clock: Timestamp) -> Dict {
    let mut dict = Dict::with_capacity(10);
    dict.insert("bytes", integer(source.bytes));
    dict.insert("packets", integer(source.packets));
    dict.insert("last RTP timestamp", i64::from(source.last_timestamp));
    dict.insert("last RTP seq", i64::from(source.highest_sequence));
    dict.insert("cumulative loss", i64::from(source.lost));
    dict.insert("jitter", i64::from(source.jitter));
    let scored = quality.and_then(|quality| Some((quality, quality.average()?)));
    let Some((quality, (average, samples))) = scored else {
        return dict;
    };
    let mut mean = score(&average);
    mean.insert("samples", i64::from(samples));
    dict.insert("average MOS", mean);
    let at_time = |sample: &Sample| {
        let mut dict = score(sample);
        dict.insert("reported at", integer(clock.wall_s_at(sample.at_ms)));
        dict
    };
    if let Some(lowest) = &quality.lowest {
        dict.insert("lowest MOS", at_time(lowest));
    }
    if let Some(highest) = &quality.highest {
        dict.insert("highest MOS", at_time(highest));
    }
    let (interval_ms, entries) = quality.progression();
    let entries: Vec<Value> = entries.iter().map(|entry| at_time(entry).into()).collect();
    let mut progression = Dict::new();
    progression.insert("interval", integer(interval_ms / 1000));
    progression.insert("entries", entries);
    dict.insert("MOS progression", progression);
    dict
}

/// A source as its receiver is sent it.
pub(super) fn sent(source: &SsrcView) -> Dict {
    let mut dict = Dict::with_capacity(5);
    dict.insert("SSRC", i64::from(source.ssrc));
    dict.insert("bytes", integer(source.bytes));
    dict.insert("packets", integer(source.packets));
    dict.insert("last RTP timestamp", i64::from(source.last_timestamp));
    dict.insert("last RTP seq", i64::from(source.highest_sequence));
    dict
}

fn score(sample: &Sample) -> Dict {
    let mut dict = Dict::with_capacity(6);
    dict.insert("MOS", i64::from(sample.mos));
    dict.insert("round-trip time", i64::from(sample.round_trip_us));
    dict.insert("round-trip time leg", i64::from(sample.round_trip_leg_us));
    dict.insert("jitter", i64::from(sample.jitter_ms));
    dict.insert("packet loss", i64::from(sample.loss_percent));
    dict
}

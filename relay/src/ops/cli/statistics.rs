//! `list jsonstats` and the ng command `statistics`: the numbers for programs, by rtpengine's keys.

use std::net::IpAddr;

use bytes::Bytes;
use ng_protocol::Dict;
use serde_json::{Map, Value, json};

use super::CliTarget;
use super::totals::{COMMANDS, Durations, sum};
use crate::ops::metrics::{
    IntervalCounters, MetricsSnapshot, PortCounters, Quantity, Spread, VoipCounters,
};

/// A reply of ng names each proxy only where there are no more: beyond, it would not fit into a UDP datagram. (npm's client
/// gives up on more than 16,384 bytes over TCP; it reads what there is to say of a handful of them.)
const MOST_PROXIES: usize = 32;

/// The dictionary of `statistics`, with fractions as texts.
#[must_use]
pub fn statistics(target: &dyn CliTarget) -> Dict {
    let mut statistics = json(target);
    let proxies = &mut statistics["controlstatistics"]["proxies"];
    if proxies
        .as_array()
        .is_some_and(|proxies| proxies.len() > MOST_PROXIES)
    {
        *proxies = json!([]);
    }
    dict(statistics.as_object().into_iter().flatten())
}

fn dict<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> Dict {
    let entries =
        entries.map(|(key, value)| (Bytes::copy_from_slice(key.as_bytes()), ng(key, value)));
    entries.collect()
}

/// Some integers are texts there, too.
fn ng(key: &str, value: &Value) -> ng_protocol::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(yes) => i64::from(*yes).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if key == "uptime" || key.ends_with("requestrate") => {
                integer.to_string().into()
            }
            Some(integer) => integer.into(),
            None => {
                let places = if key == "used_pct" { 2 } else { 6 };
                format!("{:.places$}", number.as_f64().unwrap_or_default()).into()
            }
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => {
            let items = items.iter().map(|item| ng(key, item));
            items.collect::<Vec<_>>().into()
        }
        Value::Object(entries) => dict(entries.iter()).into(),
    }
}

/// The object of `jsonstats`.
pub(super) fn json(target: &dyn CliTarget) -> Value {
    let metrics = target.metrics();
    json!({
        "currentstatistics": current(&metrics),
        "totalstatistics": total(&metrics),
        "intervalstatistics": interval(&metrics.interval),
        "mos": Value::Object(quantity(&metrics.voip.mos())),
        "voip_metrics": voip(&metrics.voip),
        "controlstatistics": control(&metrics),
        "interfaces": interfaces(&metrics),
        "transcoders": [],
    })
}

fn current(metrics: &MetricsSnapshot) -> Value {
    let (user, kernel) = (&metrics.user_rate, &metrics.kernel_rate);
    let total = sum(user, kernel);
    json!({
        "sessionsown": metrics.sessions,
        "sessionsforeign": 0,
        "sessionstotal": metrics.sessions,
        "transcodedmedia": 0,
        "packetrate_user": user.packets,
        "byterate_user": user.bytes,
        "errorrate_user": user.errors,
        "packetrate_kernel": kernel.packets,
        "byterate_kernel": kernel.bytes,
        "errorrate_kernel": kernel.errors,
        "packetrate": total.packets,
        "byterate": total.bytes,
        "errorrate": total.errors,
        "media_userspace": metrics.streams.userspace,
        "media_kernel": metrics.streams.kernel,
        "media_mixed": metrics.streams.mixed,
    })
}

fn total(metrics: &MetricsSnapshot) -> Value {
    let (user, kernel, closed) = (&metrics.user, &metrics.kernel, &metrics.closed);
    let total = sum(user, kernel);
    let durations = Durations::of(metrics);
    json!({
        "uptime": metrics.uptime.as_secs(),
        "managedsessions": metrics.sessions_total,
        "rejectedsessions": closed.rejected,
        "timeoutsessions": closed.timeout,
        "silenttimeoutsessions": closed.silent_timeout,
        "finaltimeoutsessions": closed.final_timeout,
        "offertimeoutsessions": closed.offer_timeout,
        "regularterminatedsessions": closed.terminated,
        "forcedterminatedsessions": closed.force_terminated,
        "relayedpackets_user": user.packets,
        "relayedpacketerrors_user": user.errors,
        "relayedbytes_user": user.bytes,
        "relayedpackets_kernel": kernel.packets,
        "relayedpacketerrors_kernel": kernel.errors,
        "relayedbytes_kernel": kernel.bytes,
        "relayedpackets": total.packets,
        "relayedpacketerrors": total.errors,
        "relayedbytes": total.bytes,
        "zerowaystreams": metrics.zero_packet_streams,
        "onewaystreams": metrics.one_way_sessions,
        "avgcallduration": durations.average,
        "totalcallsduration": metrics.call_duration,
        "totalcallsduration2": metrics.call_duration_squared,
        "totalcallsduration_stddev": durations.deviation,
    })
}

fn interval(interval: &IntervalCounters) -> Value {
    let mut object = Map::new();
    let mut insert = |key: String, value: Value| object.insert(key, value);
    let seconds = interval.call_duration.as_secs_f64();
    insert("totalcallsduration".to_owned(), seconds.into());
    insert(
        "minmanagedsessions".to_owned(),
        interval.fewest_sessions.into(),
    );
    insert(
        "maxmanagedsessions".to_owned(),
        interval.most_sessions.into(),
    );
    for (.., command) in COMMANDS {
        let Spread { min, max, avg } = interval.pace(command).delay;
        for (which, delay) in [("min", min), ("max", max), ("avg", avg)] {
            insert(format!("{which}{command}delay"), delay.as_secs_f64().into());
        }
    }
    for (.., command) in COMMANDS {
        let Spread { min, max, avg } = interval.pace(command).rate;
        for (which, rate) in [("min", min), ("max", max), ("avg", avg)] {
            insert(format!("{which}{command}requestrate"), rate.into());
        }
    }
    Value::Object(object)
}

fn quantity(quantity: &Quantity) -> Map<String, Value> {
    let key = quantity.key;
    let entries = [
        (format!("{key}_total"), quantity.total().into()),
        (format!("{key}2_total"), quantity.total_of_squares().into()),
        (
            format!("{key}_samples_total"),
            quantity.sampled.count.into(),
        ),
        (format!("{key}_average"), quantity.average().into()),
        (format!("{key}_stddev"), quantity.deviation().into()),
    ];
    entries.into_iter().collect()
}

fn voip(voip: &VoipCounters) -> Value {
    let sampled = voip.quantities().into_iter();
    let counted = voip.counts().into_iter();
    let entries = sampled
        .flat_map(|sampled| quantity(&sampled))
        .chain(counted.map(|(key, _, count)| (key.to_owned(), count.into())));
    Value::Object(entries.collect())
}

fn control(metrics: &MetricsSnapshot) -> Value {
    let of = |proxy: Option<IpAddr>, command: &str| {
        let requests = metrics.requests.iter();
        let ours = requests.filter(|request| {
            request.request == command && proxy.is_none_or(|proxy| proxy == request.proxy)
        });
        ours.fold((0, 0.0), |(count, seconds), request| {
            (count + request.count, seconds + request.time.as_secs_f64())
        })
    };
    let proxies = metrics.errors.iter().map(|&(proxy, errors)| {
        let mut entry = Map::new();
        entry.insert("proxy".to_owned(), proxy.to_string().into());
        for (_, key, command) in COMMANDS {
            let (count, seconds) = of(Some(proxy), command);
            entry.insert(format!("{key}count"), count.into());
            entry.insert(format!("{key}duration"), seconds.into());
        }
        entry.insert("errorcount".to_owned(), errors.into());
        Value::Object(entry)
    });
    let mut control = Map::new();
    control.insert("proxies".to_owned(), proxies.collect());
    for (_, key, command) in COMMANDS {
        let (count, _) = of(None, command);
        control.insert(format!("total{key}count"), count.into());
    }
    Value::Object(control)
}

fn interfaces(metrics: &MetricsSnapshot) -> Value {
    let interface = |ports: &PortCounters| {
        let total = ports.used + ports.free;
        json!({
            "name": ports.interface,
            "address": ports.address,
            "ports": {
                "min": ports.range.first,
                "max": ports.range.last,
                "used": ports.used,
                "used_pct": 100.0 * ports.used as f64 / total.max(1) as f64,
                "free": ports.free,
                "totals": total,
            },
        })
    };
    metrics.ports.iter().map(interface).collect()
}

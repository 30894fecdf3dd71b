//! `list jsonstats` and the ng command `statistics`: the numbers for programs, by rtpengine's keys.

use std::net::IpAddr;

use bytes::Bytes;
use ng_protocol::Dict;
use serde_json::{Map, Value, json};

use super::CliTarget;
use super::totals::{COMMANDS, Durations, sum};
use crate::ops::metrics::{MetricsSnapshot, PortCounters};

/// A reply of ng names each proxy only where there are no more: beyond, it would not fit into what clients read at once
/// (npm's parses 16,384 bytes).
const MOST_PROXIES: usize = 8;

/// The dictionary of `statistics`, where fractions are texts, and `uptime` is.
#[must_use]
pub fn statistics(target: &dyn CliTarget) -> Dict {
    let mut statistics = json(target);
    let uptime = &mut statistics["totalstatistics"]["uptime"];
    *uptime = uptime.to_string().into();
    let proxies = &mut statistics["controlstatistics"]["proxies"];
    if proxies
        .as_array()
        .is_some_and(|proxies| proxies.len() > MOST_PROXIES)
    {
        *proxies = json!([]);
    }
    let entries = statistics.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| (Bytes::copy_from_slice(key.as_bytes()), ng(value)))
        .collect()
}

fn ng(value: &Value) -> ng_protocol::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(yes) => i64::from(*yes).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => format!("{:.6}", number.as_f64().unwrap_or_default()).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(ng).collect::<Vec<_>>().into(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| (Bytes::copy_from_slice(key.as_bytes()), ng(value)));
            entries.collect::<Dict>().into()
        }
    }
}

/// The object of `jsonstats`.
pub(super) fn json(target: &dyn CliTarget) -> Value {
    let metrics = target.metrics();
    json!({
        "currentstatistics": current(&metrics),
        "totalstatistics": total(&metrics),
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

use super::*;
use crate::datapath::Engine;
use crate::plan::SequenceEvents;

/// A relay that was told of two scores and a round trip.
pub(crate) fn voip() -> VoipCounters {
    let mut voip = VoipCounters {
        packets_lost: 7,
        sequence: SequenceEvents {
            duplicates: 1,
            skips: 2,
            resets: 3,
            reordered: 4,
        },
        ..VoipCounters::default()
    };
    [43, 41]
        .into_iter()
        .for_each(|mos| voip.reports.mos.add(mos));
    voip.reports.round_trip_us.add(30_500);
    voip.jitter_ms.add(12);
    voip
}

fn busy() -> MetricsSnapshot {
    MetricsSnapshot {
        sessions: 2,
        streams: StreamCounts {
            userspace: 1,
            kernel: 6,
            mixed: 1,
        },
        uptime: Duration::from_millis(90_700),
        sessions_total: 4,
        closed: ClosedSessions {
            terminated: 3,
            timeout: 1,
            ..ClosedSessions::default()
        },
        user: PathCounters {
            packets: 10,
            errors: 1,
            bytes: 1720,
        },
        kernel: PathCounters {
            packets: 990,
            errors: 0,
            bytes: 170_280,
        },
        user_rate: PathCounters::default(),
        kernel_rate: PathCounters::default(),
        zero_packet_streams: 1,
        one_way_sessions: 1,
        call_duration: 30.0,
        call_duration_squared: 300.5,
        interval: IntervalCounters::default(),
        voip: voip(),
        requests: vec![RequestCounters {
            proxy: "192.0.2.9".parse().unwrap(),
            request: "offer",
            count: 4,
            time: Duration::from_micros(678),
        }],
        errors: vec![("192.0.2.9".parse().unwrap(), 1)],
        ports: vec![PortCounters {
            interface: "pub\"lic".to_owned(),
            address: "2001:db8::1".parse().unwrap(),
            range: crate::media::PortRange {
                first: 30_000,
                last: 39_999,
            },
            used: 8,
            free: 9992,
        }],
        table: Some(3),
        interfaces: vec![InterfaceSummary {
            name: "eth0".to_owned(),
            engine: Some(Engine::Xdp),
            note: String::new(),
            shape: None,
        }],
        flows: 8,
        kernel_flows: 7,
        outcomes: std::array::from_fn(|index| index as u64 * 10),
        user_space_reasons: vec![("no route to the destination", 1)],
        journal_in_trouble: Some(true),
        recorded: Some(crate::recording::Recorded {
            packets: 500,
            dropped: 3,
        }),
    }
}

#[test]
fn a_busy_relay_is_told_in_full() {
    insta::assert_snapshot!(busy().prometheus());
}

#[test]
fn an_idle_relay_has_every_family() {
    insta::assert_snapshot!(MetricsSnapshot::default().prometheus());
}

/// What rtpengine 10.5 serves, family by family, with its types.
#[test]
fn every_family_of_rtpengine_is_there_with_its_type() {
    let text = busy().prometheus();
    for family in [
        "rtpengine_sessions gauge",
        "rtpengine_transcoded_media gauge",
        "rtpengine_mediastreams gauge",
        "rtpengine_uptime_seconds gauge",
        "rtpengine_sessions_total counter",
        "rtpengine_closed_sessions_total counter",
        "rtpengine_packets_total counter",
        "rtpengine_packet_errors_total counter",
        "rtpengine_bytes_total counter",
        "rtpengine_zero_packet_streams_total counter",
        "rtpengine_one_way_sessions_total counter",
        "rtpengine_call_duration_avg gauge",
        "rtpengine_call_duration_total counter",
        "rtpengine_call_duration2_total counter",
        "rtpengine_mos_total counter",
        "rtpengine_mos2_total counter",
        "rtpengine_mos_samples_total counter",
        "rtpengine_requests_total counter",
        "rtpengine_request_seconds_total counter",
        "rtpengine_errors_total counter",
        "rtpengine_ports_used gauge",
        "rtpengine_ports_free gauge",
        "rtpengine_ports gauge",
    ] {
        let line = format!("# TYPE {family}");
        assert_eq!(
            text.lines().filter(|found| *found == line).count(),
            1,
            "{family}"
        );
    }
}

#[test]
fn every_sample_stands_below_its_own_family() {
    let text = busy().prometheus();
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        }
        if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(name, family, "{line}");
        }
    }
}

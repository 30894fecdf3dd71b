//! What the relay counts: `statistics`, `query`, records of calls.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use lab::Encoding;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::asking::{Call, ENCODINGS};
use super::relay::Relay;

/// Far longer than anything here takes; no test passes by waiting it out.
const PATIENCE: Duration = Duration::from_secs(30);

/// What comes to be, sooner or later.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A phone: sockets for RTP and RTCP, and where the relay receives what it sends.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    to: SocketAddr,
}

impl Phone {
    fn new() -> Self {
        loop {
            let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = rtp.local_addr().unwrap();
            let Some(next) = address.port().checked_add(1) else {
                continue;
            };
            if let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", next)) {
                rtp.set_read_timeout(Some(PATIENCE)).unwrap();
                let to = address;
                return Self { rtp, rtcp, to };
            }
        }
    }

    fn sdp(&self) -> String {
        lab::sdp::audio(self.rtp.local_addr().unwrap())
    }

    /// Sends 160 bytes of speech.
    fn speak(&self, ssrc: u32, sequence: u16) {
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend((u32::from(sequence) * 160).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0xff; 160]);
        self.rtp.send_to(&packet, self.to).unwrap();
    }

    /// Reports on what it hears: a quarter lost, jitter of 10 ms.
    fn report(&self, ssrc: u32, on: u32) {
        let words = [0x81c9_0007, ssrc, on, 0x4000_0003, 7, 80, 0, 0];
        let packet: Vec<u8> = words
            .into_iter()
            .flat_map(|word: u32| word.to_be_bytes())
            .collect();
        let mut to = self.to;
        to.set_port(to.port() + 1);
        self.rtcp.send_to(&packet, to).unwrap();
    }

    fn hear(&self) {
        self.rtp.recv(&mut [0; 2000]).unwrap();
    }
}

/// A call between two phones.
fn talk<'r>(relay: &'r Relay, encoding: Encoding) -> (Call<'r>, Phone, Phone) {
    let call = Call::new(relay, encoding);
    let (mut caller, mut callee) = (Phone::new(), Phone::new());
    let endpoint = |reply: &Value| lab::sdp::media(reply["sdp"].as_str().unwrap()).unwrap();
    let offer = json!({"from-tag": "caller", "sdp": caller.sdp()});
    callee.to = endpoint(&call.ask("offer", &offer));
    let answer = json!({"from-tag": "caller", "to-tag": "callee", "sdp": callee.sdp()});
    caller.to = endpoint(&call.ask("answer", &answer));
    (call, caller, callee)
}

fn statistics(relay: &Relay) -> Value {
    let reply = relay.ask(Encoding::Json, &json!({"command": "statistics"}));
    assert_eq!(reply["result"], "ok", "{reply}");
    reply["statistics"].clone()
}

#[test]
fn statistics_have_rtpengines_sections_in_its_order() {
    let statistics = statistics(Relay::shared());
    let sections: Vec<&String> = statistics.as_object().unwrap().keys().collect();
    assert_eq!(
        sections,
        [
            "currentstatistics",
            "totalstatistics",
            "intervalstatistics",
            "mos",
            "voip_metrics",
            "controlstatistics",
            "interfaces",
            "transcoders",
        ]
    );
    for (section, key) in [
        ("intervalstatistics", "totalcallsduration"),
        ("intervalstatistics", "maxstart recordingdelay"),
        ("intervalstatistics", "avgofferrequestrate"),
        ("mos", "mos_stddev"),
        ("voip_metrics", "rtt_e2e2_total"),
    ] {
        let value = statistics[section][key].as_str();
        assert!(
            value.is_some_and(|value| value.parse::<f64>().is_ok()),
            "{key}"
        );
    }
    assert!(statistics["mos"]["mos_samples_total"].is_u64());
    assert!(statistics["voip_metrics"]["rtp_reordered"].is_u64());
}

#[test]
fn statistics_sum_up_how_calls_sound() {
    let relay = Relay::start(&["--mos=LQ"]);
    let (call, caller, callee) = talk(&relay, Encoding::Bencode);
    for sequence in [1, 2, 2, 5] {
        caller.speak(7, sequence);
        callee.hear();
    }
    caller.report(7, 9);
    let voip = wait_for("a report", || {
        let statistics = statistics(&relay);
        let scored = statistics["mos"]["mos_samples_total"] == 1;
        scored.then_some(statistics)
    });
    assert_eq!(voip["voip_metrics"]["jitter_total"], "10.000000");
    assert_eq!(voip["voip_metrics"]["packetloss_average"], "25.000000");
    assert_eq!(voip["voip_metrics"]["rtt_e2e_samples_total"], 0);
    assert_eq!(voip["voip_metrics"]["packets_lost"], 0, "the call goes on");
    drop(call);
    let voip = statistics(&relay)["voip_metrics"].clone();
    assert_eq!(voip["packets_lost"], 1, "two missing, one came twice");
    assert_eq!(voip["rtp_duplicates"], 1);
    assert_eq!(voip["rtp_skips"], 1);
    assert_eq!(voip["rtp_seq_resets"], 0);
}

#[test]
fn statistics_tell_the_last_interval() {
    let relay = Relay::start(&["--graphite-interval=1"]);
    let (_call, _, _) = talk(&relay, Encoding::Json);
    let rate = |interval: &Value| {
        let rate = interval["maxofferrequestrate"].as_str().unwrap();
        rate.parse::<u64>().unwrap()
    };
    let interval = wait_for("the interval of the offer", || {
        let interval = statistics(&relay)["intervalstatistics"].clone();
        (rate(&interval) == 1).then_some(interval)
    });
    assert_ne!(interval["avgofferdelay"], "0.000000", "{interval}");
    wait_for("an interval with the call", || {
        let interval = &statistics(&relay)["intervalstatistics"];
        let whole = interval["minmanagedsessions"] == 1 && interval["maxmanagedsessions"] == 1;
        (whole && rate(interval) == 0).then_some(())
    });
}

#[test]
fn query_and_delete_tell_what_a_party_is_sent() {
    for encoding in ENCODINGS {
        let (call, caller, callee) = talk(Relay::shared(), encoding);
        for sequence in 1..=3 {
            caller.speak(7, sequence);
            callee.hear();
        }
        let sent = |reply: &Value| {
            let media = &reply["tags"]["callee"]["medias"][0];
            let out = &media["streams"][0]["stats_out"];
            (out["packets"] == 3).then(|| media.clone())
        };
        // A packet is counted when it has been sent.
        let media = wait_for("three packets", || sent(&call.query()));
        let out = json!({"packets": 3, "bytes": 3 * 172, "errors": 0});
        assert_eq!(media["streams"][0]["stats_out"], out);
        assert_eq!(media["egress SSRCs"][0]["SSRC"], 7);
        assert_eq!(media["egress SSRCs"][0]["packets"], 3);
        let query = call.query();
        assert_eq!(query["last redis update"], 0);
        let caller = &query["tags"]["caller"]["medias"][0];
        for place in [caller, &caller["streams"][0]] {
            let keys = place.as_object().unwrap();
            assert!(
                !keys.contains_key("egress SSRCs") && !keys.contains_key("stats_out"),
                "{place}"
            );
        }
        let delete = call.ask("delete", &json!({}));
        assert!(sent(&delete).is_some(), "{delete}");
    }
}

/// The records in a log.
fn records(log: &NamedTempFile) -> Vec<String> {
    let text = std::fs::read_to_string(log.path()).unwrap();
    let records = text
        .lines()
        .filter_map(|line| line.find("ci=").map(|at| &line[at..]));
    records.map(str::to_owned).collect()
}

#[test]
fn a_record_of_a_call_that_ends_is_logged_where_it_has_a_facility() {
    let log = NamedTempFile::new().unwrap();
    // Whatever else is said: records are no matter of levels.
    let options = ["--log-facility-cdr=local1", "--log-level=3", "--tos=184"];
    let relay = Relay::logging(&options, log.reopen().unwrap());
    let (call, caller, callee) = talk(&relay, Encoding::Json);
    caller.speak(7, 1);
    callee.hear();
    wait_for("the packet", || {
        let packets = &call.query()["totals"]["RTP"]["packets"];
        (*packets == 1).then_some(())
    });
    let begin = format!("ci={}, created_from=127.0.0.1:", call.id);
    drop(call);
    let record = wait_for("a record", || records(&log).pop());
    assert!(record.starts_with(&begin), "{record}");
    for field in [
        "tos=184, ",
        "ml0_termination=REGULAR, ml0_local_tag=caller, ml0_local_tag_type=FROM_TAG, ml0_remote_tag=callee, payload_type=0, ",
        "ml0_midx1_rtp_relayed_packets=1, ml0_midx1_rtp_relayed_bytes=172, ml0_midx1_rtp_relayed_errors=0, ",
        "ml1_local_tag=callee, ml1_local_tag_type=TO_TAG, ml1_remote_tag=caller, payload_type=unknown, ",
        "ml1_midx1_rtcp_relayed_packets=0, ",
    ] {
        assert!(record.contains(field), "{field} {record}");
    }
}

#[test]
fn without_a_facility_no_record_is_logged() {
    let log = NamedTempFile::new().unwrap();
    let relay = Relay::logging(&[], log.reopen().unwrap());
    let (call, _, _) = talk(&relay, Encoding::Json);
    drop(call);
    let ended = |text: &str| text.contains("call ended");
    wait_for("the end in the log", || {
        let text = std::fs::read_to_string(log.path()).unwrap();
        ended(&text).then_some(())
    });
    assert_eq!(records(&log), Vec::<String>::new());
}

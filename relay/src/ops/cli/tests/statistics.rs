//! `list jsonstats`, `list totals` and the ng command `statistics`.

use ng_protocol::Value;

use super::{Relay, first_said};
use crate::ops::cli::statistics;

#[test]
fn jsonstats_has_rtpengines_keys() {
    let stats: serde_json::Value = serde_json::from_str(&first_said("list jsonstats")).unwrap();
    assert_eq!(stats["currentstatistics"]["sessionstotal"], 2);
    assert_eq!(stats["currentstatistics"]["byterate_kernel"], 17_200);
    assert_eq!(stats["totalstatistics"]["relayedpackets"], 43);
    assert_eq!(stats["totalstatistics"]["avgcallduration"], 15.0);
    let control = &stats["controlstatistics"];
    assert_eq!(control["totaloffercount"], 5);
    assert_eq!(control["totalunsubcount"], 0);
    assert_eq!(control["proxies"][0]["proxy"], "127.0.0.1");
    assert_eq!(control["proxies"][0]["offercount"], 5);
    assert_eq!(control["proxies"][0]["offerduration"], 0.002);
    assert_eq!(control["proxies"][0]["errorcount"], 1);
    assert_eq!(stats["interfaces"][0]["ports"]["used_pct"], 2.0);
    assert_eq!(stats["interfaces"][0]["ports"]["max"], 39_999);
}

#[test]
fn the_ng_command_has_the_same_numbers_with_fractions_as_texts() {
    let statistics = statistics(&Relay::new());
    let at = |part: &str, key: &str| {
        let part = statistics.get(part).and_then(Value::as_dict).unwrap();
        part.get(key).cloned().unwrap()
    };
    assert_eq!(at("currentstatistics", "sessionstotal"), 2.into());
    assert_eq!(at("totalstatistics", "avgcallduration"), "15.000000".into());
    assert_eq!(at("controlstatistics", "totaloffercount"), 5.into());
    let proxies = at("controlstatistics", "proxies");
    let proxy = proxies.as_list().unwrap()[0].as_dict().unwrap();
    assert_eq!(proxy.get("offerduration"), Some(&"0.002000".into()));
    assert_eq!(at("intervalstatistics", "avgofferdelay"), "0.002000".into());
    assert_eq!(at("intervalstatistics", "avgofferrequestrate"), "2".into());
    assert_eq!(at("mos", "mos_total"), "8.400000".into());
    assert_eq!(at("voip_metrics", "packets_lost"), 7.into());
}

/// How long a reply to `statistics` is, bencoded.
fn length_with(proxies: u8) -> usize {
    let relay = Relay {
        proxies,
        ..Relay::new()
    };
    let reply = ng_protocol::Reply::ok().with("statistics", statistics(&relay));
    let mut encoded = Vec::new();
    ng_protocol::bencode::encode_dict(reply.dict(), &mut encoded);
    encoded.len()
}

/// npm's client reads no more over TCP.
#[test]
fn the_ng_commands_reply_fits_16384_bytes_with_six_proxies() {
    let length = length_with(6);
    assert!((12_000..16_384).contains(&length), "{length}");
}

#[test]
fn the_ng_commands_reply_fits_a_datagram_with_any_number_of_proxies() {
    assert!(length_with(32) > length_with(200), "some are named");
    for proxies in [32, 33, 200] {
        let length = length_with(proxies);
        assert!(length < 60_000, "{length}");
    }
}

#[test]
fn the_interval_and_how_calls_sound_are_told() {
    let stats: serde_json::Value = serde_json::from_str(&first_said("list jsonstats")).unwrap();
    let interval = &stats["intervalstatistics"];
    assert_eq!(interval["totalcallsduration"], 20.0);
    assert_eq!(interval["maxmanagedsessions"], 3);
    assert_eq!(interval["maxofferdelay"], 0.004);
    assert_eq!(interval["avgofferrequestrate"], 2);
    assert_eq!(interval["minstart recordingdelay"], 0.0);
    assert_eq!(stats["mos"]["mos_total"], 8.4);
    assert_eq!(stats["mos"]["mos_samples_total"], 2);
    assert_eq!(stats["mos"]["mos_average"], 4.2);
    assert_eq!(stats["voip_metrics"]["rtt_e2e2_total"], 930_250_000.0);
    assert_eq!(stats["voip_metrics"]["packets_lost"], 7);
    assert_eq!(stats["voip_metrics"]["rtp_reordered"], 4);
    let totals = first_said("list totals");
    for line in [
        " Max managed sessions                            :3\n",
        " Min/Max/Avg offer processing delay              :0.001000/0.004000/0.002000 sec\n",
        " Min/Max/Avg offer requests per second           :0/5/2 per sec\n",
        " Average MOS                                     :4.200000\n",
        " Sum of all end-to-end round-trip time values sampled:30500.000000\n",
        " Packets lost                                    :7\n",
    ] {
        assert!(totals.contains(line), "{line}{totals}");
    }
}

#[test]
fn totals_have_rtpengines_labels_and_add_both_paths() {
    let text = first_said("list totals\n");
    for line in [
        " Owned sessions                                  :2",
        " Bytes per second (kernel)                       :17200",
        " Uptime of rtpengine                             :0 seconds",
        " Total relayed packets (userspace)               :3",
        " Total relayed packets (kernel)                  :40",
        " Total relayed packets                           :43",
        " Average call duration                           :15.000000 seconds",
        " Total calls duration standard deviation         :5.000000 seconds",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let row = "            127.0.0.1 |          0 |          5 |          0 |";
    assert!(text.lines().any(|line| line.starts_with(row)), "{text}");
}

#[test]
fn counters_are_those_of_the_last_second() {
    let text = first_said("list counters");
    assert!(text.starts_with("\nCurrent per-second counters:\n\n Packets per second (userspace)"));
    assert!(text.contains(" Bytes per second (total)                        :17200\n"));
}

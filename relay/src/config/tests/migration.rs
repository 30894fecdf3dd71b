//! Command lines and files made for rtpengine start the relay as they stand.

use super::*;

const FILE: &str = "/etc/rtpengine/rtpengine.conf";

/// The keys and values that Debian 12's package sets in its configuration file.
const DEBIAN: &str = "\
[rtpengine]
table = 0
interface = any
listen-ng = localhost:2223
listen-http = localhost:2225
listen-cli = localhost:2224
timeout = 60
silent-timeout = 3600
tos = 184
port-min = 30000
port-max = 40000
recording-dir = /var/spool/rtpengine
recording-method = proc
[rtpengine-testing]
table = -1
interface = 10.15.20.121
listen-ng = 2223
foreground = true
log-stderr = true
log-level = 7
";

/// What Debian 12's unit starts.
const DEBIAN_UNIT: [&str; 7] = [
    "-f",
    "-E",
    "--no-log-timestamps",
    "--pidfile",
    "/run/rtpengine/rtpengine-daemon.pid",
    "--config-file",
    FILE,
];

#[test]
fn debians_unit_and_file_start_the_relay() {
    let machine = FakeMachine::usual().with_file(FILE, DEBIAN);
    let loaded = load_on(&machine, &DEBIAN_UNIT, &[]).unwrap();
    let config = loaded.config;
    assert!(
        config.process.foreground && config.process.log_stderr && !config.process.log_timestamps
    );
    assert_eq!(
        config.process.pidfile,
        Some("/run/rtpengine/rtpengine-daemon.pid".into())
    );
    assert_eq!(config.table, TableRequest::Number(0));
    assert_eq!(config.listen_ng.len(), 2, "localhost is IPv4 and IPv6");
    assert_eq!(config.listen_cli[1], "127.0.0.1:2224".parse().unwrap());
    assert_eq!(config.tos, 184);
    assert!(
        config
            .media_ports
            .values()
            .all(|ports| ports.to_string() == "30000-40000")
    );
    assert_eq!(
        loaded.warnings,
        [
            "recording-method proc (/etc/rtpengine/rtpengine.conf:13): there is no /proc/rtpengine here for a recording daemon \
             to read, so no call is recorded; set it to pcap",
        ]
    );
}

#[test]
fn a_container_with_settings_like_rtpengines_docker_sample_starts() {
    let content = "[rtpengine]\ninterface = public/192.0.2.1\nforeground = true\nlog-stderr = true\n\
                   listen-ng = 22222\nlisten-http = 8080\nport-min = 23000\nport-max = 32768\n\
                   recording-method = pcap\ndelete-delay = 0\n";
    let machine = FakeMachine::usual().with_file(FILE, content);
    let loaded = load_on(&machine, &[], &[]).unwrap();
    assert_eq!(&*loaded.config.interfaces[0].name, "public");
    assert_eq!(loaded.config.listen_ng.len(), 2);
    assert_eq!(loaded.config.delete_delay, Duration::ZERO);
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn options_of_rtpengine_without_effect_are_warned_about_once_each() {
    let machine = FakeMachine::usual().with_file(FILE, "[rtpengine]\nhomer = 192.0.2.9:9060\n");
    let arguments = [
        "--homer=192.0.2.9:9060",
        "-x",
        "2",
        "-qS",
        "-r127.0.0.1:6379/1",
    ];
    let loaded = load_on(&machine, &arguments, &[]).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "homer (command line --homer) has no effect",
            "no-redis-required (command line -q) has no effect",
            "save-interface-ports (command line -S) has no effect",
            "redis (command line -r) has no effect",
        ]
    );
}

#[test]
fn a_flag_without_effect_that_is_off_is_no_warning() {
    let machine = FakeMachine::usual().with_file(FILE, "[rtpengine]\ndtls-passive = false\n");
    assert_eq!(
        load_on(&machine, &[], &[]).unwrap().warnings,
        Vec::<String>::new()
    );
}

#[test]
fn what_is_always_done_is_a_note_and_no_warning() {
    let loaded = load_arguments(&["--measure-rtp"]);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let note = "measure-rtp (command line --measure-rtp) changes nothing: RTP is always measured";
    assert!(
        loaded.notes.contains(&note.to_owned()),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn secrets_of_options_without_effect_are_not_repeated() {
    let loaded = load_arguments(&["--redis=secret@127.0.0.1:6379/1", "--mysql-pass=hidden"]);
    let said = format!("{:?} {} {}", loaded.warnings, text(&loaded), json(&loaded));
    assert!(
        !said.contains("secret") && !said.contains("hidden"),
        "{said}"
    );
}

/// What `rtpengine --help-all` of Debian 12 lists; the same number with a value and without.
#[test]
fn every_option_of_rtpengine_10_5_is_accepted() {
    let with_value = "config-file config-section log-facility log-level log-level-core log-level-spandsp \
        log-level-ffmpeg log-level-transcoding log-level-codec log-level-rtcp log-level-ice log-level-crypto \
        log-level-srtp log-level-internals log-level-http log-level-control log-level-dtx max-log-line-length \
        log-mark-prefix log-mark-suffix pidfile thread-stack table interface subscribe-keyspace listen-tcp listen-udp \
        listen-ng listen-tcp-ng listen-cli graphite graphite-interval graphite-prefix graphite-timeout tos \
        control-tos timeout silent-timeout final-timeout offer-timeout port-min port-max redis redis-write \
        redis-num-threads redis-expires redis-allowed-errors redis-disable-time redis-cmd-timeout \
        redis-connect-timeout redis-delete-async redis-delete-async-interval b2b-url log-facility-cdr \
        log-facility-rtcp log-facility-dtmf dtmf-log-dest dtmf-digit-delay log-format xmlrpc-format num-threads \
        media-num-threads delete-delay max-sessions max-load max-cpu max-bandwidth homer homer-protocol homer-id \
        recording-dir recording-method recording-format iptables-chain scheduling priority idle-scheduling \
        idle-priority mysql-host mysql-port mysql-user mysql-pass mysql-query endpoint-learning jitter-buffer \
        dtls-rsa-key-size dtls-cert-cipher dtls-mtu dtls-ciphers dtls-signature listen-http listen-https https-cert \
        https-key http-threads software-id dtx-delay max-dtx dtx-buffer dtx-lag dtx-shift dtx-cn-params amr-dtx \
        silence-detect cn-payload mqtt-host mqtt-port mqtt-id mqtt-keepalive mqtt-user mqtt-pass mqtt-cafile \
        mqtt-capath mqtt-certfile mqtt-keyfile mqtt-publish-qos mqtt-publish-topic mqtt-publish-interval \
        mqtt-publish-scope mos socket-cpu-affinity janus-secret";
    let flags = "log-stderr split-logs no-log-timestamps foreground no-fallback save-interface-ports \
        no-redis-required active-switchover dtmf-log-ng-tcp dtmf-no-suppress sip-source dtls-passive codecs \
        log-srtp-keys jb-clock-drift debug-srtp reject-invalid-sdp poller-per-thread";
    for name in with_value.split_whitespace() {
        let option = options::by_long(name).unwrap_or_else(|| panic!("{name} is unknown"));
        assert!(option.takes_value(), "{name}");
    }
    for name in flags.split_whitespace() {
        let option = options::by_long(name).unwrap_or_else(|| panic!("{name} is unknown"));
        assert!(!option.takes_value(), "{name}");
    }
    let letters = "LEpftFiSklunNcgGTosamMrwqybxd";
    for letter in letters.chars() {
        assert!(options::by_short(letter).is_some(), "-{letter}");
    }
}

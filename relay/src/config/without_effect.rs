//! Options of rtpengine (10.5 and later) that are accepted, so that an existing command line or file starts, and have
//! no effect here.

use super::options::{Kind, OptionSpec, Role};

/// Finds one by its long name.
pub(super) fn by_long(name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.long == name)
}

/// Finds one by its letter.
pub(super) fn by_short(letter: char) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.short == Some(letter))
}

/// All of them.
pub(super) const OPTIONS: &[OptionSpec] = &[
    // One-shot actions.
    action("codecs"),
    action("nftables-start"),
    action("nftables-stop"),
    action("nftables-status"),
    // Logging.
    value("log-facility-rtcp"),
    value("log-level-core"),
    value("log-level-spandsp"),
    value("log-level-ffmpeg"),
    value("log-level-transcoding"),
    value("log-level-codec"),
    value("log-level-rtcp"),
    value("log-level-ice"),
    value("log-level-crypto"),
    value("log-level-srtp"),
    value("log-level-dtx"),
    flag("split-logs"),
    value("max-log-line-length"),
    value("log-name"),
    value("log-mark-prefix"),
    value("log-mark-suffix"),
    value("log-format"),
    flag("log-srtp-keys"),
    flag("debug-srtp"),
    // Process and threads.
    value("thread-stack"),
    value("media-num-threads"),
    value("num-media-threads"),
    value("codec-num-threads"),
    value("scheduling"),
    value("priority"),
    value("idle-scheduling"),
    value("idle-priority"),
    flag("poller-per-thread"),
    value("poller-size"),
    value("max-recv-iters"),
    value("timer-accuracy"),
    value("socket-cpu-affinity"),
    flag("io-uring"),
    value("io-uring-buffers"),
    value("software-id"),
    // Kernel.
    value("nftables-chain"),
    value("nftables-base-chain"),
    flag("nftables-append"),
    value("nftables-family"),
    flag("xtables"),
    value("iptables-chain"),
    value("kernel-slots"),
    value("kernel-num-threads"),
    value("kernel-player"),
    value("kernel-player-media"),
    // Control.
    short_value("listen-tcp", 'l'),
    short_value("listen-udp", 'u'),
    value("http-threads"),
    value("http-buf-size"),
    value("control-pmtu"),
    value("ng-client-timeout"),
    value("ng-client-retries"),
    value("janus-secret"),
    // Media.
    short_flag("save-interface-ports", 'S'),
    flag("dtls-passive"),
    flag("reject-invalid-sdp"),
    value("jitter-buffer"),
    flag("jb-clock-drift"),
    flag("jb-adaptive"),
    value("jb-adaptive-min"),
    value("jb-adaptive-max"),
    value("dtls-rsa-key-size"),
    value("dtls-cert-cipher"),
    value("dtls-mtu"),
    value("dtls-ciphers"),
    value("dtls-signature"),
    value("dtx-delay"),
    value("max-dtx"),
    value("dtx-buffer"),
    value("dtx-lag"),
    value("dtx-shift"),
    value("dtx-cn-params"),
    value("amr-dtx"),
    value("evs-dtx"),
    value("silence-detect"),
    value("cn-payload"),
    value("audio-buffer-length"),
    value("audio-buffer-delay"),
    value("audio-player"),
    value("transcode-config"),
    value("evs-lib-path"),
    value("codec-chain-lib-path"),
    value("codec-chain-priority"),
    flag("player-cache"),
    value("preload-media-files"),
    value("media-files-reload"),
    value("media-files-expire"),
    value("expiry-timer"),
    value("preload-db-media"),
    value("db-media-reload"),
    value("db-media-expire"),
    value("db-media-cache"),
    value("preload-db-cache"),
    value("db-cache-reload"),
    value("db-cache-expire"),
    value("moh-max-duration"),
    value("moh-max-repeats"),
    value("moh-attr-name"),
    flag("moh-prevent-double-hold"),
    value("mysql-host"),
    value("mysql-port"),
    value("mysql-user"),
    value("mysql-pass"),
    // A misspelling of mysql-pass in rtpengine's own sample file.
    value("myser-pass"),
    value("mysql-query"),
    // Callbacks and high availability.
    short_value("redis", 'r'),
    short_value("redis-write", 'w'),
    value("redis-subscribe"),
    short_value("subscribe-keyspace", 'k'),
    value("redis-num-threads"),
    value("redis-expires"),
    short_flag("no-redis-required", 'q'),
    value("redis-allowed-errors"),
    value("redis-disable-time"),
    value("redis-cmd-timeout"),
    value("redis-connect-timeout"),
    value("redis-format"),
    flag("redis-resolve-on-reconnect"),
    value("redis-tcp-keepalive-time"),
    value("redis-tcp-keepalive-intvl"),
    value("redis-tcp-keepalive-probes"),
    short_value("redis-delete-async", 'y'),
    value("redis-delete-async-interval"),
    flag("active-switchover"),
    // Statistics.
    short_value("graphite", 'g'),
    value("graphite-prefix"),
    value("graphite-timeout"),
    value("homer"),
    value("homer-protocol"),
    value("homer-id"),
    flag("homer-disable-rtcp-stats"),
    flag("homer-enable-ng"),
    value("homer-ng-capture-proto"),
    value("mqtt-host"),
    value("mqtt-port"),
    value("mqtt-tls-alpn"),
    value("mqtt-id"),
    value("mqtt-keepalive"),
    value("mqtt-user"),
    value("mqtt-pass"),
    value("mqtt-cafile"),
    value("mqtt-capath"),
    value("mqtt-certfile"),
    value("mqtt-keyfile"),
    value("mqtt-publish-qos"),
    value("mqtt-publish-topic"),
    value("mqtt-publish-interval"),
    value("mqtt-publish-scope"),
    needless("measure-rtp", "RTP is always measured"),
    value("ssrc-reporting"),
    flag("dtmf-no-suppress"),
    flag("dtmf-no-log-injects"),
];

const fn value(long: &'static str) -> OptionSpec {
    spec(long, None, Kind::WithoutEffect { takes_value: true })
}

const fn short_value(long: &'static str, short: char) -> OptionSpec {
    spec(long, Some(short), Kind::WithoutEffect { takes_value: true })
}

const fn flag(long: &'static str) -> OptionSpec {
    spec(long, None, Kind::WithoutEffect { takes_value: false })
}

/// A flag that asks for what is always done.
const fn needless(long: &'static str, why: &'static str) -> OptionSpec {
    OptionSpec {
        help: why,
        ..flag(long)
    }
}

const fn short_flag(long: &'static str, short: char) -> OptionSpec {
    spec(
        long,
        Some(short),
        Kind::WithoutEffect { takes_value: false },
    )
}

const fn action(long: &'static str) -> OptionSpec {
    spec(long, None, Kind::NothingToDo)
}

const fn spec(long: &'static str, short: Option<char>, kind: Kind) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind,
        default: "",
        value_name: "VALUE",
        help: "",
        roles: &[Role::Relay],
    }
}

//! `list totals` and `list counters`: the numbers, in rtpengine's lines.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ops::metrics::{IntervalCounters, MetricsSnapshot, PathCounters, Quantity, Spread};

/// What rtpengine calls the commands in its table and in `jsonstats`, in its order: column, key, command.
pub(super) const COMMANDS: [(&str, &str, &str); 27] = [
    ("Ping", "ping", "ping"),
    ("Offer", "offer", "offer"),
    ("Answer", "answer", "answer"),
    ("Delete", "delete", "delete"),
    ("Query", "query", "query"),
    ("List", "list", "list"),
    ("StartRec", "startrec", "start recording"),
    ("StopRec", "stoprec", "stop recording"),
    ("PauseRec", "pauserec", "pause recording"),
    ("StartFwd", "startfwd", "start forwarding"),
    ("StopFwd", "stopfwd", "stop forwarding"),
    ("BlkDTMF", "blkdtmf", "block DTMF"),
    ("UnblkDTMF", "unblkdtmf", "unblock DTMF"),
    ("BlkMedia", "blkmedia", "block media"),
    ("UnblkMedia", "unblkmedia", "unblock media"),
    ("PlayMedia", "playmedia", "play media"),
    ("StopMedia", "stopmedia", "stop media"),
    ("PlayDTMF", "playdtmf", "play DTMF"),
    ("Stats", "stats", "statistics"),
    ("SlnMedia", "slnmedia", "silence media"),
    ("UnslnMedia", "unslnmedia", "unsilence media"),
    ("Pub", "pub", "publish"),
    ("SubReq", "subreq", "subscribe request"),
    ("SubAns", "subans", "subscribe answer"),
    ("Unsub", "unsub", "unsubscribe"),
    ("Conn", "conn", "connect"),
    ("CLI", "cli", "cli"),
];

/// How often each proxy sent each command of [`COMMANDS`].
pub(super) fn by_proxy(metrics: &MetricsSnapshot) -> BTreeMap<IpAddr, [u64; COMMANDS.len()]> {
    let mut proxies: BTreeMap<IpAddr, [u64; COMMANDS.len()]> = BTreeMap::new();
    for request in &metrics.requests {
        let counts = proxies.entry(request.proxy).or_default();
        let mut commands = COMMANDS.iter().zip(counts);
        if let Some((_, count)) = commands.find(|((.., name), _)| *name == request.request) {
            *count += request.count;
        }
    }
    proxies
}

/// `list counters`
pub(super) fn counters(metrics: &MetricsSnapshot) -> String {
    let mut out = "\nCurrent per-second counters:\n\n".to_owned();
    lines(&mut out, &per_second(metrics));
    out
}

/// `list totals`
pub(super) fn totals(metrics: &MetricsSnapshot) -> String {
    let mut out = "\nStatistics over currently running sessions:\n\n".to_owned();
    lines(
        &mut out,
        &[
            ("Owned sessions", metrics.sessions),
            ("Foreign sessions", 0),
            ("Total sessions", metrics.sessions),
            ("Transcoded media", 0),
        ],
    );
    lines(&mut out, &per_second(metrics));
    lines(
        &mut out,
        &[
            ("Userspace-only media streams", metrics.streams.userspace),
            ("Kernel-only media streams", metrics.streams.kernel),
            (
                "Mixed kernel/userspace media streams",
                metrics.streams.mixed,
            ),
        ],
    );
    out += "\nTotal statistics (does not include current running sessions):\n\n";
    let uptime = metrics.uptime.as_secs();
    out += &format!(" {:<48}:{uptime} seconds\n", "Uptime of rtpengine");
    lines(&mut out, &ended(metrics));
    durations(&mut out, metrics);
    interval(&mut out, &metrics.interval);
    out += "\n\nMOS statistics:\n\n";
    quantity(&mut out, &metrics.voip.mos());
    out += "\n\nVoIP metrics:\n\n";
    for sampled in metrics.voip.quantities() {
        quantity(&mut out, &sampled);
    }
    lines(
        &mut out,
        &metrics.voip.counts().map(|(_, name, count)| (name, count)),
    );
    control(&mut out, metrics);
    out
}

fn per_second(metrics: &MetricsSnapshot) -> [(&'static str, u64); 9] {
    let (user, kernel) = (&metrics.user_rate, &metrics.kernel_rate);
    let total = sum(user, kernel);
    [
        ("Packets per second (userspace)", user.packets),
        ("Bytes per second (userspace)", user.bytes),
        ("Errors per second (userspace)", user.errors),
        ("Packets per second (kernel)", kernel.packets),
        ("Bytes per second (kernel)", kernel.bytes),
        ("Errors per second (kernel)", kernel.errors),
        ("Packets per second (total)", total.packets),
        ("Bytes per second (total)", total.bytes),
        ("Errors per second (total)", total.errors),
    ]
}

#[rustfmt::skip]
fn ended(metrics: &MetricsSnapshot) -> [(&'static str, u64); 19] {
    let closed = &metrics.closed;
    let (user, kernel) = (&metrics.user, &metrics.kernel);
    let total = sum(user, kernel);
    [
        ("Total managed sessions", metrics.sessions_total),
        ("Total rejected sessions", closed.rejected),
        ("Total timed-out sessions via TIMEOUT", closed.timeout),
        ("Total timed-out sessions via SILENT_TIMEOUT", closed.silent_timeout),
        ("Total timed-out sessions via FINAL_TIMEOUT", closed.final_timeout),
        ("Total timed-out sessions via OFFER_TIMEOUT", closed.offer_timeout),
        ("Total regular terminated sessions", closed.terminated),
        ("Total forced terminated sessions", closed.force_terminated),
        ("Total relayed packets (userspace)", user.packets),
        ("Total relayed packet errors (userspace)", user.errors),
        ("Total relayed bytes (userspace)", user.bytes),
        ("Total relayed packets (kernel)", kernel.packets),
        ("Total relayed packet errors (kernel)", kernel.errors),
        ("Total relayed bytes (kernel)", kernel.bytes),
        ("Total relayed packets", total.packets),
        ("Total relayed packet errors", total.errors),
        ("Total relayed bytes", total.bytes),
        ("Total number of streams with no relayed packets", metrics.zero_packet_streams),
        ("Total number of 1-way streams", metrics.one_way_sessions),
    ]
}

fn durations(out: &mut String, metrics: &MetricsSnapshot) {
    let durations = Durations::of(metrics);
    for (label, value, unit) in [
        ("Average call duration", durations.average, "seconds"),
        ("Total calls duration", metrics.call_duration, "seconds"),
        (
            "Total calls duration squared",
            metrics.call_duration_squared,
            "seconds squared",
        ),
        (
            "Total calls duration standard deviation",
            durations.deviation,
            "seconds",
        ),
    ] {
        *out += &format!(" {label:<48}:{value:.6} {unit}\n");
    }
}

fn interval(out: &mut String, interval: &IntervalCounters) {
    *out += "\n\nGraphite interval statistics (last reported values to graphite):\n";
    let seconds = interval.call_duration.as_secs_f64();
    *out += &format!(" {:<48}:{seconds:.6} seconds\n\n", "Total calls duration");
    lines(
        out,
        &[
            ("Min managed sessions", interval.fewest_sessions),
            ("Max managed sessions", interval.most_sessions),
        ],
    );
    for (.., command) in COMMANDS {
        let Spread { min, max, avg } = interval.pace(command).delay;
        let [min, max, avg] = [min, max, avg].map(|delay| delay.as_secs_f64());
        let label = format!("Min/Max/Avg {command} processing delay");
        *out += &format!(" {label:<48}:{min:.6}/{max:.6}/{avg:.6} sec\n");
    }
    for (.., command) in COMMANDS {
        let Spread { min, max, avg } = interval.pace(command).rate;
        let label = format!("Min/Max/Avg {command} requests per second");
        *out += &format!(" {label:<48}:{min}/{max}/{avg} per sec\n");
    }
}

fn quantity(out: &mut String, quantity: &Quantity) {
    let name = quantity.name;
    let count = quantity.sampled.count;
    for (label, value) in [
        (
            format!("Sum of all {name} values sampled"),
            quantity.total(),
        ),
        (
            format!("Sum of all {name} square values sampled"),
            quantity.total_of_squares(),
        ),
    ] {
        *out += &format!(" {label:<48}:{value:.6}\n");
    }
    lines(out, &[(&format!("Total number of {name} samples"), count)]);
    for (label, value) in [
        (format!("Average {name}"), quantity.average()),
        (format!("{name} standard deviation"), quantity.deviation()),
    ] {
        *out += &format!(" {label:<48}:{value:.6}\n");
    }
}

fn control(out: &mut String, metrics: &MetricsSnapshot) {
    *out += "\n\nControl statistics:\n\n";
    let cells = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        let rest: String = cells.map(|cell| format!(" | {cell:>10}")).collect();
        format!(" {first:>20}{rest} \n")
    };
    let mut names = COMMANDS.iter().map(|(column, ..)| (*column).to_owned());
    *out += &cells("Proxy", &mut names);
    for (proxy, counts) in by_proxy(metrics) {
        let mut counts = counts.iter().map(u64::to_string);
        *out += &cells(&proxy.to_string(), &mut counts);
    }
    *out += "\n";
}

/// How long ended calls lasted.
pub(super) struct Durations {
    /// Seconds.
    pub(super) average: f64,
    /// Seconds.
    pub(super) deviation: f64,
}

impl Durations {
    pub(super) fn of(metrics: &MetricsSnapshot) -> Self {
        let calls = metrics.sessions_total.max(1) as f64;
        let average = metrics.call_duration / calls;
        let variance = metrics.call_duration_squared / calls - average * average;
        Self {
            average,
            deviation: variance.max(0.0).sqrt(),
        }
    }
}

pub(super) fn sum(user: &PathCounters, kernel: &PathCounters) -> PathCounters {
    PathCounters {
        packets: user.packets + kernel.packets,
        errors: user.errors + kernel.errors,
        bytes: user.bytes + kernel.bytes,
    }
}

fn lines(out: &mut String, lines: &[(&str, u64)]) {
    for (label, value) in lines {
        *out += &format!(" {label:<48}:{value}\n");
    }
}

//! When a stream's packets are handed to the kernel, and as what flow. Values in, a step out.

use std::net::SocketAddr;

use crate::datapath::{Flow, MAX_RECEIVERS, PayloadTypes, Reason, Receiver, SsrcFilter};
use crate::plan::{COMFORT_NOISE, Component, EndpointLearning, StreamId, StreamPlan, Treatment};

/// A flow that packets want changed is changed at most this often, ms; signalling is not held up.
const INTERVAL_MS: u64 = 100;

/// Where a sink's packets leave from and go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) from: SocketAddr,
    pub(crate) to: Option<SocketAddr>,
    pub(crate) tos: u8,
}

/// What is known of a stream's source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    /// The confirmed source.
    pub(crate) source: Option<SocketAddr>,
    /// Its SSRCs; `None` if they were too many to be told apart.
    pub(crate) ssrcs: Option<&'a [u32]>,
}

/// The flow that a stream should have in the kernel, or why it has none. `exit`: of a sink.
pub(crate) fn wanted(
    local: SocketAddr,
    plan: &StreamPlan,
    sender: Sender<'_>,
    exit: impl Fn(StreamId) -> Option<Exit>,
) -> Result<Flow, Reason> {
    if plan.component != Component::Rtp || plan.payload_types == PayloadTypes::NONE {
        return Err(Reason::NotRtp);
    }
    if plan.recording.is_some() {
        return Err(Reason::BeingRecorded);
    }
    if plan.payload_types.0 & plan.never_short.0 != 0 {
        return Err(Reason::ShortHeldBack);
    }
    if plan
        .sinks
        .iter()
        .any(|sink| is_altered(plan, &sink.treatment))
    {
        return Err(Reason::MediaAltered);
    }
    if plan.sinks.len() > MAX_RECEIVERS {
        return Err(Reason::TooManyReceivers);
    }
    let mut receivers = plan.sinks.iter().map(|sink| receiver(exit(sink.stream)?));
    let Receiver { from, to, tos } = receivers.next().flatten().ok_or(Reason::NoReceiver)?;
    let further: Option<Box<[_]>> = receivers.collect();
    let further = further.ok_or(Reason::NoReceiver)?;
    let payload_types = untouched(plan);
    if payload_types == PayloadTypes::NONE {
        return Err(Reason::MediaAltered);
    }
    let source = sender
        .source
        .filter(|source| source.is_ipv4() == local.is_ipv4())
        .ok_or(Reason::SourceNotConfirmed)?;
    let ssrcs = match sender.ssrcs {
        _ if plan.learning == EndpointLearning::Off => SsrcFilter::Any,
        None => SsrcFilter::Any,
        Some([]) => return Err(Reason::NotRtp),
        Some(known) => SsrcFilter::Known(known.to_vec()),
    };
    let flow = Flow {
        local,
        source,
        from,
        to,
        tos,
        further,
        payload_types,
        ssrcs,
        clock_rate: plan.clock_rate,
    };
    let is_of_family = |receiver: Receiver| receiver.to.is_ipv4() == local.is_ipv4();
    if !flow.further.is_empty() && !flow.receivers().all(is_of_family) {
        return Err(Reason::ReceiversOfOtherFamily);
    }
    Ok(flow)
}

/// Who gets what leaves there, if that is known.
fn receiver(Exit { from, to, tos }: Exit) -> Option<Receiver> {
    let to = to.filter(|to| to.is_ipv4() == from.is_ipv4())?;
    Some(Receiver { from, to, tos })
}

/// Packets of the stream may not be what they were when they are passed on: all of it stays in user space.
fn is_altered(plan: &StreamPlan, treatment: &Treatment) -> bool {
    let silences = plan.silences.payload_types();
    let is_silenced = treatment.silence && plan.payload_types.0 & silences.0 != 0;
    is_silenced || treatment.echo || treatment.extensions.is_some()
}

/// The payload types that user space has nothing to do for but pass them on, to every sink.
fn untouched(plan: &StreamPlan) -> PayloadTypes {
    let dropped = plan.sinks.iter().map(|sink| sink.treatment.dropped);
    let mut untouched = dropped.fold(plan.payload_types, PayloadTypes::without);
    if plan.follows_events() {
        untouched = untouched.without(plan.telephone_events);
    }
    if plan.sinks.iter().any(|sink| sink.treatment.silence) {
        untouched = untouched.without(PayloadTypes(1 << COMFORT_NOISE));
    }
    untouched
}

/// What is to be done at the datapath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Keep,
    /// Install or replace.
    Install(Flow),
    /// Take back.
    Remove,
}

/// What a stream has in the kernel.
#[derive(Debug, Default)]
pub(crate) struct Handoff {
    installed: Option<Box<Flow>>,
    not_before_ms: u64,
}

impl Handoff {
    /// The kernel has been asked to forward.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed.is_some()
    }

    /// The next step towards `wanted`, and when to ask again if it is not the last. Changes that packets brought about
    /// are bound in rate, those that signalling did (`signalled`) are not.
    pub(crate) fn step(
        &mut self,
        wanted: Option<Flow>,
        signalled: bool,
        now_ms: u64,
    ) -> (Step, Option<u64>) {
        if self.installed.as_deref() == wanted.as_ref() {
            return (Step::Keep, None);
        }
        let Some(flow) = wanted else {
            self.installed = None;
            return (Step::Remove, None);
        };
        if signalled || now_ms >= self.not_before_ms {
            self.not_before_ms = now_ms + INTERVAL_MS;
            self.installed = Some(Box::new(flow.clone()));
            return (Step::Install(flow), None);
        }
        let later = Some(self.not_before_ms);
        match &self.installed {
            Some(installed) if !leads_the_same_way(installed, &flow) => {
                self.installed = None;
                (Step::Remove, later)
            }
            _ => (Step::Keep, later),
        }
    }
}

/// What `old` forwards is forwarded rightly by `new`'s lights, too.
fn leads_the_same_way(old: &Flow, new: &Flow) -> bool {
    let destination = |receiver: Receiver| (receiver.from, receiver.to);
    let (was, is) = (old.receivers(), new.receivers());
    old.source == new.source && was.map(destination).eq(is.map(destination))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Digits, ExtensionIds, RecordingId, RtcpHandling, Silences, Sink, Treatment};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn plan() -> StreamPlan {
        StreamPlan {
            component: Component::Rtp,
            endpoint: Some(at("192.0.2.1:5000")),
            public: true,
            signalled: 1,
            resets: 0,
            learning: EndpointLearning::Heuristic,
            strict_source: false,
            media_handover: false,
            asymmetric: false,
            nat_wait: false,
            pierce_nat: false,
            sinks: vec![Sink::untouched(StreamId(2))],
            rtcp_sinks: vec![],
            rtcp: RtcpHandling::default(),
            payload_types: PayloadTypes(1),
            telephone_events: PayloadTypes::NONE,
            event_clock_rates: Vec::new(),
            digits: Digits::Pass,
            detect_events: false,
            watch_digits: false,
            silences: Silences::default(),
            never_short: PayloadTypes::NONE,
            clock_rate: 8000,
            tos: 0,
            recording: None,
        }
    }

    fn treated(treatment: Treatment) -> StreamPlan {
        StreamPlan {
            sinks: vec![Sink {
                stream: StreamId(2),
                treatment,
            }],
            ..plan()
        }
    }

    fn exit() -> Exit {
        Exit {
            from: at("10.0.0.1:30002"),
            to: Some(at("198.51.100.1:7000")),
            tos: 0xb8,
        }
    }

    fn ask(plan: &StreamPlan, source: Option<&str>, exit: Option<Exit>) -> Result<Flow, Reason> {
        let sender = Sender {
            source: source.map(at),
            ssrcs: Some(&[7]),
        };
        wanted(at("10.0.0.1:30000"), plan, sender, |_| exit)
    }

    const SOURCE: Option<&str> = Some("192.0.2.1:5000");

    #[test]
    fn a_confirmed_stream_with_one_receiver_becomes_a_flow() {
        let flow = ask(&plan(), SOURCE, Some(exit())).unwrap();
        let expected = Flow {
            local: at("10.0.0.1:30000"),
            source: at("192.0.2.1:5000"),
            from: at("10.0.0.1:30002"),
            to: at("198.51.100.1:7000"),
            tos: 0xb8,
            further: Box::default(),
            payload_types: PayloadTypes(1),
            ssrcs: SsrcFilter::Known(vec![7]),
            clock_rate: 8000,
        };
        assert_eq!(flow, expected);
    }

    #[test]
    fn every_other_stream_says_why_not() {
        let rtcp = StreamPlan {
            component: Component::Rtcp,
            ..plan()
        };
        let t38 = StreamPlan {
            payload_types: PayloadTypes::NONE,
            ..plan()
        };
        let held = StreamPlan {
            sinks: vec![],
            ..plan()
        };
        let recorded = StreamPlan {
            recording: Some(RecordingId(1)),
            ..plan()
        };
        let crowd = forked(MAX_RECEIVERS as u64 + 1);
        let silenced = treated(Treatment {
            silence: true,
            ..Treatment::default()
        });
        let blocked = treated(Treatment {
            dropped: PayloadTypes::ALL,
            ..Treatment::default()
        });
        let stripped = treated(Treatment {
            extensions: Some(ExtensionIds::default()),
            ..Treatment::default()
        });
        let echoed = treated(Treatment {
            echo: true,
            ..Treatment::default()
        });
        let never_short = StreamPlan {
            never_short: PayloadTypes(1),
            ..plan()
        };
        let unanswered = Exit { to: None, ..exit() };
        let other_family = Exit {
            to: Some(at("[2001:db8::1]:7000")),
            ..exit()
        };
        for (plan, source, exit, reason) in [
            (rtcp, SOURCE, Some(exit()), Reason::NotRtp),
            (t38, SOURCE, Some(exit()), Reason::NotRtp),
            (held, SOURCE, None, Reason::NoReceiver),
            (crowd, SOURCE, Some(exit()), Reason::TooManyReceivers),
            (never_short, SOURCE, Some(exit()), Reason::ShortHeldBack),
            (recorded, SOURCE, Some(exit()), Reason::BeingRecorded),
            (silenced, SOURCE, Some(exit()), Reason::MediaAltered),
            (blocked, SOURCE, Some(exit()), Reason::MediaAltered),
            (stripped, SOURCE, Some(exit()), Reason::MediaAltered),
            (echoed, SOURCE, Some(exit()), Reason::MediaAltered),
            (plan(), SOURCE, Some(unanswered), Reason::NoReceiver),
            (plan(), SOURCE, Some(other_family), Reason::NoReceiver),
            (plan(), SOURCE, None, Reason::NoReceiver),
            (plan(), None, Some(exit()), Reason::SourceNotConfirmed),
            (
                plan(),
                Some("[::1]:1"),
                Some(exit()),
                Reason::SourceNotConfirmed,
            ),
        ] {
            assert_eq!(ask(&plan, source, exit), Err(reason));
        }
    }

    fn forked(sinks: u64) -> StreamPlan {
        StreamPlan {
            sinks: (1..=sinks)
                .map(|id| Sink::untouched(StreamId(id)))
                .collect(),
            ..plan()
        }
    }

    /// Where sink number `id` of a fork sends.
    fn exit_of(StreamId(id): StreamId) -> Exit {
        let port = |base| base + u16::try_from(id).unwrap();
        Exit {
            from: SocketAddr::new(exit().from.ip(), port(30_000)),
            to: Some(at(&format!("198.51.100.1:{}", port(7000)))),
            tos: id as u8,
        }
    }

    fn ask_for(plan: &StreamPlan, exit: impl Fn(StreamId) -> Option<Exit>) -> Result<Flow, Reason> {
        let sender = Sender {
            source: SOURCE.map(at),
            ssrcs: Some(&[7]),
        };
        wanted(at("10.0.0.1:30000"), plan, sender, exit)
    }

    #[test]
    fn a_stream_with_several_receivers_becomes_one_flow_to_all() {
        for sinks in 2..=MAX_RECEIVERS as u64 {
            let flow = ask_for(&forked(sinks), |id| Some(exit_of(id))).unwrap();
            let expected = (1..=sinks).map(|id| receiver(exit_of(StreamId(id))).unwrap());
            assert!(flow.receivers().eq(expected));
        }
    }

    #[test]
    fn one_receiver_that_cannot_be_served_keeps_all_in_user_space() {
        let nowhere = |id| Some(exit_of(id)).filter(|_| id != StreamId(2));
        assert_eq!(ask_for(&forked(3), nowhere), Err(Reason::NoReceiver));
        let unanswered = |id| {
            let to = exit_of(id).to.filter(|_| id != StreamId(3));
            Some(Exit { to, ..exit_of(id) })
        };
        assert_eq!(ask_for(&forked(3), unanswered), Err(Reason::NoReceiver));
        let abroad = |id| {
            let other = Exit {
                from: at("[2001:db8::9]:30000"),
                to: Some(at("[2001:db8::1]:7000")),
                tos: 0,
            };
            let here = id != StreamId(2);
            Some(if here { exit_of(id) } else { other })
        };
        assert_eq!(
            ask_for(&forked(3), abroad),
            Err(Reason::ReceiversOfOtherFamily)
        );
        let mut silenced = forked(3);
        silenced.sinks[1].treatment.silence = true;
        let exit = |id| Some(exit_of(id));
        assert_eq!(ask_for(&silenced, exit), Err(Reason::MediaAltered));
    }

    #[test]
    fn a_payload_type_that_one_receiver_is_spared_comes_up() {
        let mut plan = forked(3);
        plan.payload_types = PayloadTypes(0b111);
        plan.sinks[0].treatment.dropped = PayloadTypes(0b001);
        plan.sinks[2].treatment.dropped = PayloadTypes(0b100);
        let flow = ask_for(&plan, |id| Some(exit_of(id))).unwrap();
        assert_eq!(flow.payload_types, PayloadTypes(0b010));
    }

    #[test]
    fn events_that_are_blocked_or_looked_for_come_up_and_audio_does_not() {
        let events = PayloadTypes(1 << 101);
        let with_events = StreamPlan {
            payload_types: PayloadTypes(1 | events.0),
            telephone_events: events,
            ..plan()
        };
        let detected = StreamPlan {
            detect_events: true,
            ..with_events.clone()
        };
        let watched = StreamPlan {
            watch_digits: true,
            ..with_events.clone()
        };
        let blocked = StreamPlan {
            digits: Digits::Drop,
            ..with_events.clone()
        };
        for (plan, in_kernel) in [
            (with_events, PayloadTypes(1 | events.0)),
            (detected, PayloadTypes(1)),
            (watched, PayloadTypes(1)),
            (blocked, PayloadTypes(1)),
        ] {
            let flow = ask(&plan, SOURCE, Some(exit())).unwrap();
            assert_eq!(flow.payload_types, in_kernel);
        }
    }

    #[test]
    fn silence_leaves_in_the_kernel_what_it_does_not_know() {
        let video = StreamPlan {
            payload_types: PayloadTypes(1 << 96 | 1 << COMFORT_NOISE),
            ..treated(Treatment {
                silence: true,
                ..Treatment::default()
            })
        };
        let flow = ask(&video, SOURCE, Some(exit())).unwrap();
        assert_eq!(flow.payload_types, PayloadTypes(1 << 96));
        let with_speech = StreamPlan {
            payload_types: PayloadTypes(1 << 96 | 1),
            ..video
        };
        let refused = ask(&with_speech, SOURCE, Some(exit()));
        assert_eq!(refused, Err(Reason::MediaAltered));
    }

    #[test]
    fn the_ssrcs_that_pass_are_those_of_the_source() {
        let local = at("10.0.0.1:30000");
        let ask = |plan: &StreamPlan, ssrcs| {
            let source = SOURCE.map(at);
            wanted(local, plan, Sender { source, ssrcs }, |_| Some(exit())).map(|flow| flow.ssrcs)
        };
        let off = StreamPlan {
            learning: EndpointLearning::Off,
            ..plan()
        };
        assert_eq!(
            ask(&plan(), Some(&[7, 9])),
            Ok(SsrcFilter::Known(vec![7, 9]))
        );
        assert_eq!(ask(&plan(), None), Ok(SsrcFilter::Any), "too many");
        assert_eq!(ask(&plan(), Some(&[])), Err(Reason::NotRtp), "none yet");
        assert_eq!(ask(&off, Some(&[])), Ok(SsrcFilter::Any), "not learned");
    }

    #[test]
    fn an_equal_flow_is_left_where_it_is() {
        let mut handoff = Handoff::default();
        let flow = ask(&plan(), SOURCE, Some(exit())).unwrap();
        let (first, _) = handoff.step(Some(flow.clone()), false, 0);
        assert_eq!(first, Step::Install(flow.clone()));
        assert_eq!(handoff.step(Some(flow), true, 500), (Step::Keep, None));
    }

    #[test]
    fn packets_change_a_flow_at_a_bounded_rate_and_signalling_at_once() {
        let mut handoff = Handoff::default();
        let flow = ask(&plan(), SOURCE, Some(exit())).unwrap();
        let more = Flow {
            ssrcs: SsrcFilter::Known(vec![7, 8]),
            ..flow.clone()
        };
        handoff.step(Some(flow.clone()), false, 0);
        let held_up = handoff.step(Some(more.clone()), false, 10);
        assert_eq!(held_up, (Step::Keep, Some(INTERVAL_MS)));
        let (late, _) = handoff.step(Some(more), false, INTERVAL_MS);
        assert!(matches!(late, Step::Install(_)));
        let (signalled, _) = handoff.step(Some(flow), true, INTERVAL_MS + 1);
        assert!(matches!(signalled, Step::Install(_)));
    }

    #[test]
    fn a_flow_that_leads_elsewhere_is_taken_back_even_if_the_new_one_must_wait() {
        let mut handoff = Handoff::default();
        let flow = ask(&plan(), SOURCE, Some(exit())).unwrap();
        handoff.step(Some(flow.clone()), false, 0);
        let moved = Flow {
            to: at("198.51.100.1:7777"),
            ..flow
        };
        let step = handoff.step(Some(moved), false, 10);
        assert_eq!(step, (Step::Remove, Some(INTERVAL_MS)));
        assert!(!handoff.is_installed());
        assert_eq!(handoff.step(None, false, 20), (Step::Keep, None));
    }

    #[test]
    fn a_receiver_that_leaves_gets_nothing_even_if_the_new_flow_must_wait() {
        let mut handoff = Handoff::default();
        let to = |sinks| ask_for(&forked(sinks), |id| Some(exit_of(id))).ok();
        handoff.step(to(3), false, 0);
        let step = handoff.step(to(2), false, 10);
        assert_eq!(step, (Step::Remove, Some(INTERVAL_MS)));
    }
}

//! What becomes of the digits that parties dial (RFC 4733), and what those do: `DTMF-security`, triggers, star codes.

use lab::{
    Call, CallOptions, Engine, Lab, NgClient, Relay, Stage, TwoNetworks, Wiring, wait_until,
};
use serde_json::json;
use tempfile::TempDir;

const PAYLOAD_TYPE: u8 = 101;

/// A party's keypad: every packet of a digit has a number of its own.
struct Keypad<'c> {
    call: &'c Call,
    next: u16,
}

impl<'c> Keypad<'c> {
    fn of_caller(call: &'c Call) -> Self {
        Self { call, next: 40_000 }
    }

    /// Dials a digit: its beginning, and its end three times.
    fn dial(&mut self, code: u8) {
        let timestamp = 8000 * u32::from(self.next);
        for (end, duration) in [(0, 160_u16), (0x80, 800), (0x80, 800), (0x80, 800)] {
            let mut packet = vec![0x80, PAYLOAD_TYPE];
            packet.extend(self.next.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(self.call.caller.stream().ssrc.to_be_bytes());
            packet.extend([code, end | 10]);
            packet.extend(duration.to_be_bytes());
            self.call.caller.send_raw(self.call.caller_to, &packet);
            self.next += 1;
        }
    }
}

/// The event codes that the callee has received, of every packet.
fn received(call: &Call) -> Vec<u8> {
    let arrivals = call.callee.arrivals();
    let events = arrivals.iter().filter(|a| a.bytes[1] == PAYLOAD_TYPE);
    events.map(|event| event.bytes[12]).collect()
}

/// The codes of the caller that `query` shows, and whether each counts.
fn codes(call: &Call, ng: &NgClient) -> Vec<(String, bool)> {
    let shown = call.query(ng)["tags"]["caller"]["VSC"].clone();
    let shown = shown.as_array().expect("a list").iter();
    shown
        .map(|code| {
            let trigger = code["trigger"].as_str().unwrap_or_default().to_owned();
            (trigger, code["active"] == 1)
        })
        .collect()
}

#[test]
fn digits_arrive_as_others_while_the_kernel_forwards_speech() {
    let Some(stage) = Stage::with(Engine::Tc) else {
        return;
    };
    let Stage { ng, net, .. } = &stage;
    let options = CallOptions::default()
        .flag("block DTMF")
        .key("DTMF-security", "zero");
    let call = Call::set_up(net, ng, &options);
    call.bring_into_kernel(ng);
    let mut keypad = Keypad::of_caller(&call);
    keypad.dial(5);
    keypad.dial(11);
    wait_until("all of it arrives", || received(&call).len() == 8);
    assert_eq!(received(&call), [0; 8]);
    assert!(call.is_in_kernel(ng));
}

#[test]
fn digits_between_two_codes_arrive_as_others() {
    let Some(lab) = Lab::open() else { return };
    let stage = Stage::start(&lab, Relay::underpass());
    let Stage { ng, net, .. } = &stage;
    let call = Call::set_up(net, ng, &CallOptions::default());
    ng.ok(&json!({
        "command": "block DTMF", "call-id": call.id, "from-tag": "caller", "trigger": "*1", "trigger-end": "#",
        "DTMF-security-trigger": "DTMF", "digit": "9",
    }));
    let mut keypad = Keypad::of_caller(&call);
    // Nobody dials as fast as packets follow one another here: what a digit does is done before the next one begins.
    keypad.dial(10);
    keypad.dial(1);
    wait_until("it has begun", || {
        codes(&call, ng) == [("#".to_owned(), true)]
    });
    keypad.dial(2);
    keypad.dial(3);
    keypad.dial(11);
    wait_until("it is over", || codes(&call, ng).is_empty());
    keypad.dial(4);
    let dialled = [10, 1, 9, 9, 9, 4];
    let expected = dialled.map(|code| [code; 4]).concat();
    wait_until("all of it arrives", || {
        received(&call).len() == expected.len()
    });
    assert_eq!(received(&call), expected);
}

#[test]
fn star_codes_control_the_recording_of_their_call() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let spool = TempDir::new().unwrap();
    let relay = Relay::underpass()
        .two_networks()
        .option(&format!("--recording-dir={}", spool.path().display()))
        .option("--vsc-start-pause-resume-rec=*5")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = CallOptions::default()
        .flag("recording-vsc")
        .key("vsc-stop-rec", "*6");
    let call = Call::set_up(&net, &ng, &options);
    let mut keypad = Keypad::of_caller(&call);
    let recording = || call.query(&ng)["recording"]["call recording"].clone();
    let mut dial = |code, recorded: i64, what: &str| {
        keypad.dial(10);
        keypad.dial(code);
        wait_until(what, || recording() == recorded);
    };
    dial(5, 1, "it begins");
    dial(5, 0, "it is paused");
    dial(5, 1, "it goes on");
    dial(6, 0, "it ends");
    let files = std::fs::read_dir(spool.path().join("pcaps")).unwrap();
    assert_eq!(files.count(), 1);
    wait_until("its metadata are complete", || {
        let complete = std::fs::read_dir(spool.path().join("metadata"));
        complete.is_ok_and(|files| files.count() == 1)
    });
}

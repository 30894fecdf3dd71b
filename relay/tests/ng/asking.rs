//! Asking: calls of a test's own, and offers with one more option beside the same without.

use std::sync::atomic::{AtomicU32, Ordering};

use lab::Encoding;
use ng_protocol::{Support, vocabularies};
use serde_json::{Map, Value, json};

use super::relay::Relay;

/// How requests are written.
pub(crate) const ENCODINGS: [Encoding; 2] = [Encoding::Bencode, Encoding::Json];

/// Where the caller is, and the callee.
pub(crate) const CALLER: &str = "192.0.2.1:4000";
pub(crate) const CALLEE: &str = "198.51.100.1:5000";

/// What a party sends: audio with what can be asked to change, and video.
pub(crate) fn sdp_at(audio: &str) -> String {
    let mut sdp = lab::sdp::audio(audio.parse().unwrap());
    for line in [
        "a=ptime:20",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        "m=video 6000 RTP/AVP 96",
        "a=rtpmap:96 VP8/90000",
    ] {
        sdp.push_str(line);
        sdp.push_str("\r\n");
    }
    sdp
}

/// A call; deleted when dropped.
pub(crate) struct Call<'r> {
    pub(crate) relay: &'r Relay,
    pub(crate) encoding: Encoding,
    pub(crate) id: String,
}

impl<'r> Call<'r> {
    /// A call that nothing was said about yet.
    pub(crate) fn new(relay: &'r Relay, encoding: Encoding) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let id = format!("call-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        Self {
            relay,
            encoding,
            id,
        }
    }

    /// The reply to a command about this call.
    pub(crate) fn ask(&self, command: &str, options: &Value) -> Value {
        let base = json!({"command": command, "call-id": self.id});
        self.relay.ask(self.encoding, &with(base, options))
    }

    /// The SDP that answers an offer of the caller's.
    #[track_caller]
    pub(crate) fn offer(&self, options: &Value) -> String {
        let sdp = sdp_at(CALLER);
        let base = json!({"from-tag": "caller", "sdp": sdp});
        sdp_of(&self.ask("offer", &with(base, options)))
    }

    /// The SDP that answers an answer of the callee's.
    #[track_caller]
    pub(crate) fn answer(&self, options: &Value) -> String {
        let sdp = sdp_at(CALLEE);
        let base = json!({"from-tag": "caller", "to-tag": "callee", "sdp": sdp});
        sdp_of(&self.ask("answer", &with(base, options)))
    }

    /// What `query` says.
    pub(crate) fn query(&self) -> Value {
        self.ask("query", &json!({}))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ask("delete", &json!({"delete delay": 0}));
        }
    }
}

#[track_caller]
fn sdp_of(reply: &Value) -> String {
    assert_eq!(reply["result"], "ok", "{reply}");
    reply["sdp"].as_str().unwrap_or_default().to_owned()
}

/// A request with more entries; those it has already are replaced.
pub(crate) fn with(mut request: Value, options: &Value) -> Value {
    let entries = options.as_object().unwrap();
    request.as_object_mut().unwrap().extend(entries.clone());
    request
}

/// What came of an option.
pub(crate) struct Asked<'r> {
    /// The call it was given in.
    pub(crate) call: Call<'r>,
    /// The option alone: what a request is to have more than others.
    pub(crate) option: Value,
    /// What the callee is offered with it.
    pub(crate) sdp: String,
    /// What the callee is offered without it.
    pub(crate) plain: String,
}

/// How one sees what an option does.
pub(crate) type Shows = fn(&Asked<'_>);

/// An option of no effect, or whose effect is not to be seen here.
pub(crate) const NOTHING: Shows = |_| {};

/// Gives each of the options in an offer, in both encodings, and looks at what comes of it. What is said to have no
/// effect must have none.
pub(crate) fn offer_with(options: &[Value], support: Support, shows: Shows) {
    for option in options {
        for encoding in ENCODINGS {
            let relay = Relay::shared();
            let plain = Call::new(relay, encoding).offer(&json!({}));
            let call = Call::new(relay, encoding);
            let sdp = call.offer(option);
            if support != Support::Done {
                assert_eq!(without_ports(&sdp), without_ports(&plain), "{option}");
            }
            shows(&Asked {
                call,
                option: option.clone(),
                sdp,
                plain,
            });
        }
    }
}

/// The SDP but for its ports, which differ from call to call.
pub(crate) fn without_ports(sdp: &str) -> String {
    const BEFORE_PORTS: [&str; 3] = ["m=audio ", "m=video ", "a=rtcp:"];
    let mut plain = String::new();
    for line in sdp.lines() {
        let before = BEFORE_PORTS.into_iter().find(|text| line.starts_with(text));
        let (before, behind) = line.split_at(before.map_or(0, str::len));
        let is_port = |byte: char| !before.is_empty() && byte.is_ascii_digit();
        plain.extend([before, behind.trim_start_matches(is_port), "\n"]);
    }
    plain
}

/// What the code says of a word in a place.
#[track_caller]
pub(crate) fn support(place: &str, word: &str) -> Support {
    let all = vocabularies()
        .into_iter()
        .filter(|words| words.place == place);
    let mut words = all.flat_map(|words| words.words);
    let found = words.find(|(known, _)| *known == word);
    found.unwrap_or_else(|| panic!("{place} has no {word}")).1
}

/// Asserts that the tests of a place are about each of its words.
#[track_caller]
pub(crate) fn assert_all_tested(place: &str, tested: &[&str]) {
    let all = vocabularies()
        .into_iter()
        .filter(|words| words.place == place);
    let untested: Vec<_> = all
        .flat_map(|words| words.words)
        .filter(|(word, _)| !tested.contains(word))
        .collect();
    assert!(untested.is_empty(), "{place}: no test of {untested:?}");
}

/// A dictionary of one entry, under each spelling of its key.
pub(crate) fn spelled(key: &str, value: &Value) -> Vec<Value> {
    let spellings = [key.to_owned(), key.replace('-', " "), key.replace('-', "_")];
    let entry = |spelling| Value::Object(Map::from_iter([(spelling, value.clone())]));
    let mut entries: Vec<Value> = spellings.map(entry).into();
    entries.dedup();
    entries
}

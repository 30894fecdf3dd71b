//! What parties dial (RFC 4733): what becomes of their digits, and what those do.

mod security;
mod sequence;
mod star_codes;
mod triggers;

use ng_protocol::{Command, Dict, Options, Reply, Request, Value};
use serde::{Deserialize, Serialize};

pub use star_codes::StarCodes;

use super::graph::Call;
use super::media::Media;
use super::party::{Party, PartyId};
use super::select::{self, Target};
use super::{Calls, Refusal, Settings, Timestamp, copy};
use crate::plan::{Action, Digits, TelephoneEvent, digit_of};
use security::Security;
use sequence::Sequence;
use triggers::Triggers;

/// What a party can do by dialling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Keypad {
    triggers: Option<Triggers>,
    /// `recording-vsc`: star codes are listened for.
    has_star_codes: bool,
    /// What may become a star code.
    dialled: Sequence,
}

/// Applies what an offer or answer says about its sender's digits.
pub(super) fn take_in(call: &mut Call, sender: PartyId, options: &Options) {
    call.star_codes.override_by(&options.recording.codes);
    let Some(sender) = call.party_mut(sender) else {
        return;
    };
    sender.keypad.has_star_codes |= options.flags.recording_vsc;
    if options.flags.block_dtmf {
        secure(sender, &Security::of(options));
    }
}

/// What becomes of telephone events from a party's media. Those that are encrypted can be dropped, and not be replaced.
pub(super) fn digits(call: &Call, party: &Party, media: &Media) -> Digits {
    let digits = match call.blocks.digits() {
        Digits::Pass => party.blocks.digits(),
        digits => digits,
    };
    match digits {
        Digits::Replace(_) if media.protocol.is_secure() => Digits::Drop,
        digits => digits,
    }
}

/// Whether a party's digits may do something.
pub(super) fn is_listened_to(call: &Call, party: &Party, settings: &Settings) -> bool {
    let has_star_codes = || call.star_codes.over(&settings.star_codes).next().is_some();
    party.keypad.triggers.is_some() || (party.keypad.has_star_codes && has_star_codes())
}

/// When time changes what becomes of digits, monotonic ms.
pub(super) fn due_ms(call: &Call) -> Option<u64> {
    let triggers = call
        .parties()
        .filter_map(|(_, party)| party.keypad.triggers.as_ref());
    triggers.filter_map(Triggers::due_ms).min()
}

/// `VSC` of `query`: what a party may dial.
pub(super) fn describe(call: &Call, party: &Party, configured: &StarCodes) -> Vec<Value> {
    let entry = |effect: &'static str, code: &str, is_active: bool| {
        let mut entry = Dict::with_capacity(3);
        entry.insert("type", effect);
        entry.insert("trigger", code.to_owned());
        entry.insert("active", i64::from(is_active));
        Value::from(entry)
    };
    let mut entries = Vec::new();
    if let Some(triggers) = &party.keypad.triggers {
        let (trigger, end) = triggers.codes();
        entries.extend(trigger.map(|code| entry("block DTMF", code, true)));
        entries.extend(end.map(|(code, counts)| entry("unblock DTMF", code, counts)));
    }
    if party.keypad.has_star_codes {
        let codes = call.star_codes.over(configured);
        entries.extend(codes.map(|(effect, code)| entry(effect.as_str(), code, true)));
    }
    entries
}

/// Asking again for the triggers that there are leaves them as far as they have come.
fn secure(party: &mut Party, security: &Security) {
    if let (Some(known), Some(asked)) = (&party.keypad.triggers, &security.triggers)
        && known.is_like(asked)
    {
        return;
    }
    party.blocks.set_digits(security.digits);
    party.keypad.triggers.clone_from(&security.triggers);
}

impl Calls {
    /// `block DTMF`, `unblock DTMF`: what becomes of the digits of a call, or of one party.
    pub(super) fn block_dtmf(
        &mut self,
        request: &Request,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let on = request.command == Command::BlockDtmf;
        let security = if on {
            Security::of(&request.options)
        } else {
            Security::OFF
        };
        let egress = request.options.flags.egress;
        self.change(request, |call| {
            let target = select::target(call, request, false)?;
            if let Target::Party(party) | Target::Flows(party, _) = target {
                match call.party_mut(party) {
                    Some(party) if egress => party.egress_blocks.set_digits(security.digits),
                    Some(party) => secure(party, &security),
                    None => {}
                }
                return Ok(());
            }
            // It is each party that dials.
            if security.triggers.is_some() {
                call.parties_mut()
                    .for_each(|party| secure(party, &security));
                return Ok(());
            }
            call.blocks.set_digits(security.digits);
            for party in call.parties_mut() {
                party.keypad.triggers = None;
                // What is blocked for everybody was not blocked for each: only letting go is for both.
                if target == Target::Everybody && !on {
                    party.blocks.set_digits(Digits::Pass);
                    party.egress_blocks.set_digits(Digits::Pass);
                }
            }
            Ok(())
        })
    }

    /// Takes note of what a party dials, and does what it stands for.
    pub fn dialled(&mut self, event: &TelephoneEvent, now: Timestamp) -> Vec<Action> {
        let Some(digit) = digit_of(event.code) else {
            return Vec::new();
        };
        let Some((id, party)) = self.dialler(event) else {
            return Vec::new();
        };
        let Some(active) = self.calls.get_mut(&id) else {
            return Vec::new();
        };
        let Some(keypad) = active.call.party_mut(party).map(|party| &mut party.keypad) else {
            return Vec::new();
        };
        let now_ms = now.monotonic_ms;
        if event.has_ended {
            keypad.hear(now_ms);
            return Vec::new();
        }
        let longest_pause_ms = self.settings.digit_delay_ms;
        let digits = keypad.triggers.as_mut();
        let digits = digits.and_then(|known| known.dial(digit, now_ms, longest_pause_ms));
        keypad.dialled.push(digit, now_ms, longest_pause_ms);
        let call = &active.call;
        let wish = star_code(call, party, &self.settings)
            .and_then(|effect| effect.wish(call.recording.as_ref()));
        self.changes.note(call.key, &id);
        if digits.is_none() && wish.is_none() {
            return Vec::new();
        }
        let mut call = call.clone();
        if let Some(party) = call.party_mut(party) {
            if let Some(digits) = digits {
                party.blocks.set_digits(digits);
            }
            if wish.is_some() {
                party.keypad.dialled.clear();
            }
        }
        let mut actions = self.wish(wish, &id, &mut call, now);
        actions.extend(self.commit(&id, call));
        actions
    }

    /// Ends what time ends.
    pub(super) fn end_triggers(&mut self, id: &bytes::Bytes, now: Timestamp) -> Vec<Action> {
        let Some(active) = self.calls.get(id) else {
            return Vec::new();
        };
        let mut call = active.call.clone();
        for party in call.parties_mut() {
            let triggers = party.keypad.triggers.as_mut();
            let ended = triggers.and_then(|triggers| triggers.pass_time(now.monotonic_ms));
            if let Some(digits) = ended {
                party.blocks.set_digits(digits);
            }
        }
        self.commit(id, call)
    }

    /// Who dialled it, if that may do something.
    fn dialler(&self, event: &TelephoneEvent) -> Option<(bytes::Bytes, PartyId)> {
        let (id, call) = self.call_of_key(event.call)?;
        let party = call.party_at(event.stream)?;
        is_listened_to(call, call.party(party)?, &self.settings).then(|| (copy(id), party))
    }
}

impl Keypad {
    /// The last digit is still being dialled, or has just ended.
    fn hear(&mut self, now_ms: u64) {
        self.dialled.hear(now_ms);
        if let Some(triggers) = &mut self.triggers {
            triggers.hear(now_ms);
        }
    }
}

/// What a party has just dialled; of several codes that end alike, the longest.
fn star_code(call: &Call, party: PartyId, settings: &Settings) -> Option<star_codes::Effect> {
    let keypad = &call.party(party)?.keypad;
    let codes = call.star_codes.over(&settings.star_codes);
    let dialled = codes.filter(|(_, code)| keypad.dialled.ends_with(code));
    let dialled = dialled.max_by_key(|(_, code)| code.len());
    dialled
        .filter(|_| keypad.has_star_codes)
        .map(|(effect, _)| effect)
}

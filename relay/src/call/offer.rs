//! `offer` and `answer`.

use bytes::Bytes;
use ng_protocol::{Reply, Request, Tos};

use super::dialogue::{self, AnswerKind, Dialogue};
use super::exchange::{Context, Role, exchange};
use super::graph::Call;
use super::ports::Ledger;
use super::select::present;
use super::{Calls, Notice, Refusal, Timestamp, alias, compose, copy, dtmf, layout, rewrite};
use crate::plan::{Action, CallKey, PortSource};
use crate::sdp::{self, MediaChange, Session};

impl Calls {
    /// An offer makes the call, or changes it. It works on a copy: one that fails leaves the call as it was, and a new
    /// call that fails was never there. (rtpengine destroys a call that runs out of ports in a later offer; here its media
    /// lives on.)
    pub(super) fn offer(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let body = request.sdp.as_ref().ok_or(Refusal::NoSdp)?;
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let from_tag = request.from_tag.as_ref().ok_or(Refusal::NoFromTag)?;
        if is_fragment(request, body) {
            return Ok((Reply::ok(), Vec::new()));
        }
        let mut session = read(body)?;
        if self.is_looping(request, &session) {
            return Ok((Reply::ok().with("sdp", body.clone()), Vec::new()));
        }
        let mut call = match self.get(id) {
            Some(active) => active.call.clone(),
            None if let Some(limit) = self.limit() => return Err(limit),
            None => Call::new(CallKey(self.next_key), now),
        };
        let dialogue = dialogue::of_offer(
            &mut call,
            from_tag,
            present(request.to_tag.as_ref()),
            present(request.via_branch.as_ref()),
            now,
        )?;
        revive(&mut call, dialogue);
        layout::fill_up(&mut session, &call, dialogue, Role::Offer);
        match request.options.tos {
            Some(Tos::Set(tos)) => call.tos = Some(tos),
            Some(Tos::Configured) => call.tos = None,
            Some(Tos::Unchanged) | None => {}
        }
        let work = Work {
            role: Role::Offer,
            request,
            session: &session,
            id,
            now,
        };
        self.carry_out(call, dialogue, work, ports)
    }

    /// An answer completes the dialogue that its offer began.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        now: Timestamp,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let body = request.sdp.as_ref().ok_or(Refusal::NoSdp)?;
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let from_tag = request.from_tag.as_ref().ok_or(Refusal::NoFromTag)?;
        let to_tag = present(request.to_tag.as_ref()).ok_or(Refusal::NoToTag)?;
        let active = self.get(id).ok_or(Refusal::UnknownCall)?;
        if is_fragment(request, body) {
            return Ok((Reply::ok(), Vec::new()));
        }
        let mut session = read(body)?;
        if self.is_looping(request, &session) {
            return Ok((Reply::ok().with("sdp", body.clone()), Vec::new()));
        }
        let mut call = active.call.clone();
        let known_as = call.party_by_tag(from_tag).and_then(|offerer| {
            let context = Context {
                role: Role::Answer,
                request,
                session: &session,
                settings: &self.settings,
                interfaces: &self.interfaces,
                now,
            };
            alias::party(&call, offerer, &context)
        });
        let flags = &request.options.flags;
        let kind = AnswerKind {
            new_branch: flags.new_branch,
            provisional: flags.provisional,
            is_final: !flags.provisional
                && request.options.sip_code.is_some_and(|code| code >= 200),
            known_as,
        };
        let branch = present(request.via_branch.as_ref());
        let dialogue = dialogue::of_answer(&mut call, from_tag, to_tag, branch, kind, now)?;
        layout::fill_up(&mut session, &call, dialogue, Role::Answer);
        let work = Work {
            role: Role::Answer,
            request,
            session: &session,
            id,
            now,
        };
        self.carry_out(call, dialogue, work, ports)
    }

    fn carry_out(
        &mut self,
        mut call: Call,
        dialogue: Dialogue,
        work: Work<'_>,
        ports: &mut dyn PortSource,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let context = Context {
            role: work.role,
            request: work.request,
            session: work.session,
            settings: &self.settings,
            interfaces: &self.interfaces,
            now: work.now,
        };
        let mut ledger = Ledger::new(&self.interfaces, ports);
        let mut warnings = Vec::new();
        let changes = exchange(&mut call, dialogue, &context, &mut ledger, &mut warnings)?;
        if changes.iter().all(|change| *change == MediaChange::Removed) {
            return Err(Refusal::NothingToRewrite);
        }
        call.check_size()?;
        call.last_signal = work.now;
        if let (Some(sender), Some(body)) = (call.party_mut(dialogue.sender), &work.request.sdp) {
            sender.said = compose::said(body, work.session);
            sender.is_subscriber = false;
        }
        label(&mut call, dialogue, work.request);
        for party in [dialogue.sender, dialogue.receiver] {
            if let Some(party) = call.party_mut(party) {
                party.unrecorded |= work.request.options.flags.exclude_recording;
            }
        }
        dtmf::take_in(&mut call, dialogue.sender, &work.request.options);
        let body = call
            .party_mut(dialogue.receiver)
            .map(|receiver| rewrite::body(receiver, changes, &self.instance, &context))
            .unwrap_or_default();
        let body = compose::fitting(body)?;
        ledger.settle(|pair| call.ports().any(|held| held == pair));

        let mut actions = self.record(work.request, work.id, &mut call, work.now);
        actions.extend(Self::record_sdp(
            work.request,
            &call,
            dialogue.sender,
            &body,
        ));
        let mut reply = Reply::ok().with("sdp", body);
        if let Some(recordings) = self.recordings(&call) {
            reply = reply.with("recordings", recordings);
        }
        actions.extend(self.commit(work.id, call));
        for text in warnings {
            let call_id = copy(work.id);
            self.notice(Notice::Warning { call_id, text });
        }
        Ok((reply, actions))
    }

    /// The limit that keeps this relay from taking a new call.
    pub(super) fn limit(&self) -> Option<Refusal> {
        self.load.exceeded(self.calls.len() as u64, &self.settings)
    }

    /// Whether the body has been through this relay already.
    fn is_looping(&self, request: &Request, session: &Session) -> bool {
        request.options.flags.loop_protect
            && session
                .attributes("rtpengine")
                .any(|instance| instance == self.instance.as_bytes())
    }
}

/// One offer or answer.
struct Work<'a> {
    role: Role,
    request: &'a Request,
    session: &'a Session,
    id: &'a Bytes,
    now: Timestamp,
}

/// Trickle ICE (RFC 8840): candidates without a session. The flag alone says nothing; some clients always send it.
fn is_fragment(request: &Request, body: &Bytes) -> bool {
    request.options.flags.fragment && !body.is_empty() && !body.starts_with(b"v=")
}

fn read(body: &Bytes) -> Result<Session, Refusal> {
    if body.is_empty() {
        return Err(Refusal::NothingToRewrite);
    }
    let session = sdp::parse(body)?;
    if session.medias.is_empty() {
        return Err(Refusal::NothingToRewrite);
    }
    Ok(session)
}

/// A new offer takes back a `delete` that has not taken effect yet.
fn revive(call: &mut Call, dialogue: Dialogue) {
    call.delete_at = None;
    for party in [dialogue.sender, dialogue.receiver] {
        if let Some(party) = call.party_mut(party) {
            party.delete_at = None;
        }
    }
}

fn label(call: &mut Call, dialogue: Dialogue, request: &Request) {
    let options = &request.options;
    let labels = [
        (dialogue.sender, &options.label),
        (dialogue.receiver, &options.to_label),
    ];
    for (party, label) in labels {
        if let (Some(label), Some(party)) = (label, call.party_mut(party)) {
            party.label = Some(copy(label));
        }
    }
    if let Some(metadata) = &options.metadata {
        call.metadata = Some(copy(metadata));
    }
    call.debug |= options.flags.debug;
    call.callback = options.xmlrpc_callback.or(call.callback);
    call.dtmf_log = options.dtmf.log_dest.or(call.dtmf_log);
    call.blocks.traffic = options.drop_traffic.unwrap_or(call.blocks.traffic);
}

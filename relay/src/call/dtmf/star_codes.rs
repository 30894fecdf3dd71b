//! Star codes (`vsc-*`): digits that a party dials to control the recording of its call.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::recording::{Running, Wish};
use super::sequence;

/// The codes; `None`: there is none. An empty one stands for none that takes the place of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StarCodes {
    /// `vsc-start-rec`
    pub start: Option<String>,
    /// `vsc-stop-rec`
    pub stop: Option<String>,
    /// `vsc-start-stop-rec`
    pub start_stop: Option<String>,
    /// `vsc-pause-rec`
    pub pause: Option<String>,
    /// `vsc-pause-resume-rec`
    pub pause_resume: Option<String>,
    /// `vsc-start-pause-resume-rec`
    pub start_pause_resume: Option<String>,
}

/// What a code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Start,
    Stop,
    StartStop,
    Pause,
    PauseResume,
    StartPauseResume,
}

impl Effect {
    /// As in `query`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start recording",
            Self::Stop => "stop recording",
            Self::StartStop => "start/stop recording",
            Self::Pause => "pause recording",
            Self::PauseResume => "pause/resume recording",
            Self::StartPauseResume => "start/pause/resume recording",
        }
    }

    /// What becomes of the recording that there is, or is not.
    pub(super) fn wish(self, running: Option<&Running>) -> Option<Wish> {
        let paused = running.map(Running::is_paused);
        match (self, paused) {
            (Self::Start, _) => Some(Wish::Resume),
            (Self::Stop, _) => Some(Wish::Stop),
            (Self::Pause, _) => Some(Wish::Pause),
            (Self::StartStop, None) => Some(Wish::Resume),
            (Self::StartStop, Some(_)) => Some(Wish::Stop),
            (Self::PauseResume, None) => None,
            (Self::StartPauseResume, None) => Some(Wish::Resume),
            (Self::PauseResume | Self::StartPauseResume, Some(true)) => Some(Wish::Resume),
            (Self::PauseResume | Self::StartPauseResume, Some(false)) => Some(Wish::Pause),
        }
    }
}

impl StarCodes {
    /// Takes over those that a message has.
    pub(super) fn override_by(&mut self, said: &ng_protocol::StarCodes) {
        let places = [
            (&mut self.start, &said.start),
            (&mut self.stop, &said.stop),
            (&mut self.start_stop, &said.start_stop),
            (&mut self.pause, &said.pause),
            (&mut self.pause_resume, &said.pause_resume),
            (&mut self.start_pause_resume, &said.start_pause_resume),
        ];
        let text = |said: &Bytes| sequence::code(said).unwrap_or_default();
        for (place, said) in places {
            if let Some(said) = said {
                *place = Some(text(said));
            }
        }
    }

    /// Those that count, where these take the place of configured ones.
    pub(super) fn over<'a>(
        &'a self,
        configured: &'a Self,
    ) -> impl Iterator<Item = (Effect, &'a str)> {
        let codes = self.all().into_iter().zip(configured.all());
        codes.filter_map(|((effect, own), (_, configured))| {
            let code = own.as_deref().or(configured.as_deref())?;
            (!code.is_empty()).then_some((effect, code))
        })
    }

    fn all(&self) -> [(Effect, &Option<String>); 6] {
        [
            (Effect::Start, &self.start),
            (Effect::Stop, &self.stop),
            (Effect::StartStop, &self.start_stop),
            (Effect::Pause, &self.pause),
            (Effect::PauseResume, &self.pause_resume),
            (Effect::StartPauseResume, &self.start_pause_resume),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_call_take_the_place_of_configured_ones() {
        let configured = StarCodes {
            start: Some("*1".to_owned()),
            stop: Some("*2".to_owned()),
            pause: Some("*3".to_owned()),
            ..StarCodes::default()
        };
        let mut own = StarCodes::default();
        own.override_by(&ng_protocol::StarCodes {
            start: Some("*9a".into()),
            stop: Some("".into()),
            start_stop: Some("no code".into()),
            ..ng_protocol::StarCodes::default()
        });
        let codes: Vec<_> = own.over(&configured).collect();
        assert_eq!(codes, [(Effect::Start, "*9A"), (Effect::Pause, "*3")]);
    }
}

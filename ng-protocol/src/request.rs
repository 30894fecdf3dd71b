//! The typed view of a request.

use bytes::Bytes;

use crate::{Command, Dict, Options, ProtocolError, Templates, Value, options};

/// A request as the call logic uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Names the call.
    pub call_id: Option<Bytes>,
    /// The offerer's tag, in `offer` and `answer` alike.
    pub from_tag: Option<Bytes>,
    /// The answerer's tag.
    pub to_tag: Option<Bytes>,
    /// Tells apart forks that have no tag yet.
    pub via_branch: Option<Bytes>,
    /// The session description, which may be empty.
    pub sdp: Option<Bytes>,
    /// Everything else.
    pub options: Options,
}

impl Request {
    /// A request with nothing but its command.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self {
            command,
            call_id: None,
            from_tag: None,
            to_tag: None,
            via_branch: None,
            sdp: None,
            options: Options::default(),
        }
    }

    /// Reads a request's dictionary. Of a key that is there twice, in the same spelling or another, the last counts.
    /// Keys that nobody knows end up in [`Options::unknown`].
    ///
    /// # Errors
    /// [`ProtocolError::NoCommand`], [`ProtocolError::UnknownCommand`] and [`ProtocolError::TooMany`].
    pub fn from_dict(dict: &Dict) -> Result<Self, ProtocolError> {
        Self::from_dict_with(dict, &Templates::NONE)
    }

    /// Reads a request's dictionary where options have names.
    ///
    /// # Errors
    /// As [`Self::from_dict`].
    pub fn from_dict_with(dict: &Dict, templates: &Templates) -> Result<Self, ProtocolError> {
        let name = dict
            .get("command")
            .and_then(Value::as_bytes)
            .ok_or(ProtocolError::NoCommand)?;
        let command = Command::parse(name).ok_or(ProtocolError::UnknownCommand)?;
        let mut request = Self::new(command);
        for template in templates.by_default(command) {
            options::apply_template(&mut request, template);
        }
        for (key, value) in dict.iter() {
            options::apply_key(&mut request, key, value, templates);
        }
        match options::exceeded(&request.options) {
            Some(what) => Err(ProtocolError::TooMany(what)),
            None => Ok(request),
        }
    }
}

//! Building replies.

use crate::{Dict, Value};

/// A reply: a dictionary whose first entry is `result`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    dict: Dict,
}

impl Reply {
    /// `result: ok`.
    #[must_use]
    pub fn ok() -> Self {
        Self::with_result("ok")
    }

    /// `result: pong`.
    #[must_use]
    pub fn pong() -> Self {
        Self::with_result("pong")
    }

    /// `result: error` with its `error-reason`; clients compare some reasons byte for byte.
    #[must_use]
    pub fn error(reason: impl Into<Value>) -> Self {
        Self::with_result("error").with("error-reason", reason)
    }

    /// `result: load limit` with its `message`, for clients that said they know it
    /// ([`Options::supports_load_limit`](crate::Options::supports_load_limit)); the others get [`Self::error`].
    #[must_use]
    pub fn load_limit(message: impl Into<Value>) -> Self {
        Self::with_result("load limit").with("message", message)
    }

    /// Adds a `warning`.
    #[must_use]
    pub fn warning(self, text: impl Into<Value>) -> Self {
        self.with("warning", text)
    }

    /// Adds an entry.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.dict.insert(key, value);
        self
    }

    /// Whether `result` is `error`.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.dict.get("result").and_then(Value::as_str) == Some("error")
    }

    /// The entries.
    #[must_use]
    pub fn dict(&self) -> &Dict {
        &self.dict
    }

    /// The entries, to add to.
    pub fn dict_mut(&mut self) -> &mut Dict {
        &mut self.dict
    }

    fn with_result(result: &'static str) -> Self {
        let mut dict = Dict::new();
        dict.insert("result", result);
        Self { dict }
    }
}

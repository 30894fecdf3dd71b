//! `rtpp-flags`: a whole string of options, as a proxy's script wrote it, taken apart here instead of in the proxy.

use crate::{Request, Value};

/// Applies a string of options.
pub(super) fn apply(request: &mut Request, value: &Value) {
    let option = ("rtpp-flags".to_owned(), value.clone());
    request.options.deferred.push(option);
}

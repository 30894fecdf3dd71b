//! Who is told of what happens: `b2b-url` and `xmlrpc-format`, `dtmf-log-dest`.

use std::net::SocketAddr;

use super::CallbackConfig;
use super::address::literal;
use super::error::ConfigError;
use super::machine::Machine;
use super::settings::Settings;
use super::value::{bad_scalar, integer, setting};
use crate::callbacks::Format;

/// Who is told of calls that time out.
pub(super) fn callbacks(settings: &Settings) -> Result<Option<CallbackConfig>, ConfigError> {
    let format = match integer(settings, "xmlrpc-format")? {
        0 => Format::Sems,
        1 => Format::CallId,
        _ => Format::Kamailio,
    };
    let setting = setting(settings, "b2b-url");
    let url = setting.scalar();
    if url.is_empty() {
        return Ok(None);
    }
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        return Err(bad_scalar(
            setting,
            "expected http://HOST[:PORT][/PATH] or https://…, where HOST may be %%",
        ));
    }
    let url = url.to_owned();
    Ok(Some(CallbackConfig { url, format }))
}

/// Who is told of digits; a name is looked up once.
pub(super) fn dtmf_log_dest(
    settings: &Settings,
    machine: &dyn Machine,
) -> Result<Option<SocketAddr>, ConfigError> {
    let setting = setting(settings, "dtmf-log-dest");
    let text = setting.scalar();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || bad_scalar(setting, "expected ADDRESS:PORT");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(wrong)?;
    let found = || machine.resolve(host).first().copied();
    let address = literal(host).or_else(found).ok_or_else(|| {
        let problem = format!("{host} is neither an address nor a host name that resolves");
        bad_scalar(setting, &problem)
    })?;
    Ok(Some(SocketAddr::new(address, port)))
}

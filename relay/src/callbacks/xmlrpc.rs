//! XML-RPC, as much of it as it takes to have a call torn down.

use bytes::Bytes;

use crate::call::Teardown;

/// What the proxy is asked in (`xmlrpc-format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 0: SEMS, once for every tag.
    #[default]
    Sems,
    /// 1: by the call-id.
    CallId,
    /// 2: Kamailio's dialog module, once for every two parties that talk.
    Kamailio,
}

/// The requests that tear a call down.
pub(super) fn requests(format: Format, call_id: &Bytes, teardown: &Teardown) -> Vec<String> {
    match format {
        Format::Sems => {
            let tags = teardown.tags.iter();
            tags.map(|tag| request("di", &[b"sbc", b"postControlCmd", tag, b"teardown"]))
                .collect()
        }
        Format::CallId => vec![request("teardown", &[call_id])],
        Format::Kamailio => {
            let dialogues = teardown.dialogues.iter();
            dialogues
                .map(|(one, other)| request("dlg.terminate_dlg", &[call_id, one, other]))
                .collect()
        }
    }
}

/// A request with parameters that are strings.
fn request(method: &str, parameters: &[&[u8]]) -> String {
    let parameters: String = parameters
        .iter()
        .map(|text| {
            format!(
                "<param><value><string>{}</string></value></param>",
                escape(text)
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodCall><methodName>{method}</methodName><params>{parameters}</params>\
         </methodCall>\r\n"
    )
}

/// Text as it may stand in XML 1.0, where some characters may not even be referred to.
fn escape(text: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\r' => escaped += "&#13;",
            '\t' | '\n' => escaped.push(character),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// What the proxy says to it. That it knows no such dialogue is as good as having torn it down.
pub(super) fn outcome(response: &str) -> Result<(), String> {
    if !response.contains("<methodResponse") {
        return Err("no XML-RPC response".to_owned());
    }
    let is_fault = response.contains("<fault>");
    if !is_fault || response.to_ascii_lowercase().contains("dialog not found") {
        return Ok(());
    }
    let start = response.find("<string>").map(|at| at + "<string>".len());
    let text = start.and_then(|start| response[start..].split("</string>").next());
    let text: String = text
        .unwrap_or("no reason given")
        .chars()
        .take(200)
        .collect();
    Err(format!("it answers with a fault: {text}"))
}

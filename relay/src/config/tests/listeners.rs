//! Who is told of calls that time out, and of digits.

use super::*;
use crate::callbacks::Format;

#[test]
fn callbacks_go_to_a_url_in_a_format() {
    let of = |arguments: &[&str]| load_arguments(arguments).config.callbacks;
    assert_eq!(of(&[]), None);
    assert_eq!(of(&["--xmlrpc-format=2"]), None);
    for (number, format) in [
        ("0", Format::Sems),
        ("1", Format::CallId),
        ("2", Format::Kamailio),
    ] {
        let callbacks = of(&["-b", "http://%%:5060/RPC2", "-x", number]).unwrap();
        assert_eq!(
            (&*callbacks.url, callbacks.format),
            ("http://%%:5060/RPC2", format)
        );
    }
}

#[test]
fn a_url_may_be_encrypted() {
    let loaded = load_arguments(&["-b", "https://%%:8443/RPC2"]);
    let callbacks = loaded.config.callbacks.unwrap();
    assert_eq!(callbacks.url, "https://%%:8443/RPC2");
}

#[test]
fn a_url_that_cannot_be_called_is_an_error() {
    for url in [
        "ftp://proxy/",
        "proxy:5060",
        "http://",
        "http:///RPC2",
        "https://",
    ] {
        let error = error_of(&["-b", url]);
        assert!(
            error.contains("expected http://HOST[:PORT][/PATH]"),
            "{error}"
        );
    }
    let error = error_of(&["--xmlrpc-format=3"]);
    assert!(
        error.contains("expected a whole number from 0 to 2"),
        "{error}"
    );
}

#[test]
fn digits_go_to_an_address_or_a_host() {
    let of = |text: &str| {
        let argument = format!("--dtmf-log-dest={text}");
        load_arguments(&[&argument]).config.dtmf_log_dest
    };
    assert_eq!(
        of("192.0.2.9:22223"),
        Some("192.0.2.9:22223".parse().unwrap())
    );
    assert_eq!(
        of("[2001:db8::9]:22223"),
        Some("[2001:db8::9]:22223".parse().unwrap())
    );
    assert_eq!(of("far.example:5"), Some("203.0.113.80:5".parse().unwrap()));
    assert_eq!(load_arguments(&[]).config.dtmf_log_dest, None);
    assert!(
        load_arguments(&["--dtmf-log-ng-tcp"])
            .config
            .dtmf_log_ng_tcp
    );
    for text in ["22223", "192.0.2.9", "192.0.2.9:0", "192.0.2.9:x"] {
        let argument = format!("--dtmf-log-dest={text}");
        let error = error_of(&[&argument]);
        assert!(error.contains("expected ADDRESS:PORT"), "{error}");
    }
    let error = error_of(&["--dtmf-log-dest=nowhere.example:1"]);
    assert!(
        error.contains("nowhere.example is neither an address"),
        "{error}"
    );
}

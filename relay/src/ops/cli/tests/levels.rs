//! `set loglevel` and its like.

use super::{Relay, said};

#[test]
fn parts_have_log_levels_of_their_own_until_all_get_one() {
    let relay = &mut Relay::new();
    assert_eq!(
        said(relay, "list loglevel"),
        "core = 6\ncontrol = 6\nhttp = 6\ninternals = 6\n"
    );
    assert_eq!(
        said(relay, "set loglevel http 7"),
        "Success setting loglevel to 7\n"
    );
    assert_eq!(said(relay, "get loglevel http"), "7\n");
    assert_eq!(said(relay, "get loglevel core"), "6\n");
    assert_eq!(
        said(relay, "set loglevel http 8"),
        "Invalid loglevel value\n"
    );
    assert_eq!(
        said(relay, "set loglevel 5"),
        "Success setting loglevel to 5\n"
    );
    assert_eq!(said(relay, "get loglevel http"), "5\n");
    assert!(said(relay, "set loglevel ffmpeg 5").contains("no log level of its own"));
    assert!(said(relay, "list loglevels").contains("http - "));
}

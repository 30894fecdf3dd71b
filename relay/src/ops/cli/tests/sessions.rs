//! Calls: listed, shown, ended.

use super::*;

#[test]
fn numsessions_counts_calls_by_family() {
    let expected = "Current sessions own: 2\nCurrent sessions foreign: 0\nCurrent sessions total: 2\n\
                    Current transcoded media: 0\nCurrent sessions ipv4 only media: 1\n\
                    Current sessions ipv6 only media: 0\nCurrent sessions ip mixed  media: 1\n";
    assert_eq!(first_said("list numsessions\n"), expected);
}

#[test]
fn sessions_are_listed_a_line_each_in_rtpengines_columns() {
    let text = first_said("list sessions all\n");
    let first = "callid:                                                        abc@x | deletionmark:  no \
                 | created:  1795170366 | proxy:127.0.0.1:60744 | redis_keyspace:0 | foreign:no";
    assert_eq!(text.lines().next(), Some(first));
    assert_eq!(text.lines().count(), 2);
    assert_eq!(first_said("get sessions own"), text);
}

#[test]
fn where_there_are_no_sessions_that_is_said() {
    assert_dialogue(&[
        (
            "list sessions foreign",
            "No foreign sessions on this media relay.\n",
        ),
        ("terminate all", "All calls terminated by operator.\n"),
        ("list sessions all", "No sessions on this media relay.\n"),
        (
            "list sessions foreign",
            "No sessions on this media relay.\n",
        ),
    ]);
}

const FROM: &str = "\
--- Tag 'ft', type: FROM_TAG, label '', branch '', callduration 12.000000
---     subscribed to 'tt'
---     subscription of 'tt'
------ Media #1 (audio over RTP/AVP) using PCMA
-------- Port       127.0.0.1:30000 <>       127.0.0.1:5000 , SSRC 1234, 3 p, 516 b, 0 e, 1795170400 ts, in kernel
-------- Port       127.0.0.1:30001 <>       127.0.0.1:5001  (RTCP), SSRC 1234, 3 p, 516 b, 0 e, 1795170400 ts, in kernel
";

#[test]
fn one_session_is_shown_with_its_parties_medias_and_ports() {
    let text = first_said("list sessions abc@x");
    let head = "\ncallid: abc@x\ndeletionmark: no\ncreated: 1795170366\nproxy: 127.0.0.1:60744\ntos: 184\n\
                last_signal: 1795170400\nredis_keyspace: 0\nforeign: no\n\n";
    let rest = text.strip_prefix(head).unwrap();
    let rest = rest.strip_prefix(FROM).unwrap();
    assert!(rest.starts_with("--- Tag 'tt', type: TO_TAG,"), "{rest}");
    assert!(rest.contains(" ts, in user space: no next hop\n"), "{rest}");
    assert_eq!(first_said("call abc@x info"), text);
    assert_eq!(first_said("call abc@x tag ft info"), FROM);
}

#[test]
fn terminate_ends_one_call() {
    let mut relay = Relay::new();
    assert_eq!(
        said(&mut relay, "terminate abc@x\n"),
        "\nCall Id (abc@x) successfully terminated by operator.\n\n"
    );
    assert_eq!(
        said(&mut relay, "call def@x terminate\n"),
        "\nCall 'def@x' terminated.\n\n"
    );
    assert!(relay.calls.is_empty());
}

//! What Kamailio 5.6.3 sends for one call: key order, cookies, two workers.

use super::world::{ADVERTISED, Outcome, World, ip};

const OFFER_SDP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const ANSWER_SDP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

const CALL: &str = "7:call-id13:1-2@192.0.2.1";
const SOURCE: &str = "13:received-froml3:IP413:198.51.100.20e";
const SUPPORTS: &str = "8:supportsl10:load limite";

fn sdp(body: &str) -> String {
    format!("3:sdp{}:{body}", body.len())
}

fn receive(world: &mut World, cookie: &str, dictionary: &str) -> Outcome {
    world.receive(format!("{cookie} d{dictionary}e").as_bytes())
}

#[test]
fn one_call_from_ping_to_delete() {
    let mut world = World::new();
    assert_eq!(
        receive(&mut world, "0_14406_0", "7:command4:ping").result(),
        "pong"
    );

    let options = "3:ICE6:remove9:directionl3:ext3:inte7:replacel6:origin18:session-connectione\
                   18:transport-protocol7:RTP/AVP";
    let offer = format!(
        "{SUPPORTS}{}{options}{CALL}{SOURCE}8:from-tag5:uac-17:command5:offer",
        sdp(OFFER_SDP)
    );
    let offered = receive(&mut world, "0_14406_1", &offer);
    assert_eq!(offered.address(), ip("10.0.0.1"));
    assert!(offered.has_line("o=user1 53655765 2353687637 IN IP4 10.0.0.1"));

    let answer = format!(
        "{SUPPORTS}{}3:ICE6:remove7:replacel6:origine{CALL}8:from-tag5:uac-16:to-tag5:uas-17:command6:answer",
        sdp(ANSWER_SDP)
    );
    let answered = receive(&mut world, "0_14407_0", &answer);
    assert_eq!(answered.address(), ip(ADVERTISED));

    let query = format!("{SUPPORTS}{CALL}{SOURCE}8:from-tag5:uac-16:to-tag5:uas-17:command5:query");
    let queried = receive(&mut world, "0_14406_2", &query);
    assert!(queried.at(&["tags", "uas-1"]).is_some());
    assert!(queried.at(&["totals", "RTP", "packets"]).is_some());

    let delete = format!("{SUPPORTS}{CALL}{SOURCE}8:from-tag5:uac-17:command6:delete");
    assert_eq!(receive(&mut world, "0_14406_3", &delete).result(), "ok");
    world.pass(30);
    assert!(world.pool.held.is_empty());
}

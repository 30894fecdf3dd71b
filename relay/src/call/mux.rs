//! rtcp-mux (RFC 5761): who multiplexes, in an offer and in its answer.

use ng_protocol::RtcpMux;

use super::media::Media;

/// Decides for both sides of an offered media. The sender's `rtcp_mux` says what it offered.
///
/// The receiver is offered what the sender offered, unless told otherwise or already multiplexing. Where the two sides
/// cannot be the same, or the client decides, or nobody offers it (an answer must not bring it up, RFC 5761 section
/// 5.1.1), the sender's side is settled here and the answer is not asked.
pub(super) fn offer(sender: &mut Media, receiver: &mut Media, wish: RtcpMux) {
    receiver.rtcp_mux |= sender.rtcp_mux;
    if wish.offer || wish.require {
        receiver.rtcp_mux = true;
    } else if wish.demux {
        receiver.rtcp_mux = false;
    }

    let decided = if sender.rtcp_mux == receiver.rtcp_mux {
        !sender.rtcp_mux || wish.accept || wish.reject
    } else {
        true
    };
    sender.rtcp_mux_decided = decided;
    if wish.reject && !(wish.accept && receiver.rtcp_mux) {
        sender.rtcp_mux = false;
    }
}

/// Decides for the receiver of an answer, who made the offer. The sender's `rtcp_mux` says what it answered.
pub(super) fn answer(sender: &Media, receiver: &mut Media) {
    if !receiver.rtcp_mux_decided {
        receiver.rtcp_mux = sender.rtcp_mux;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Timestamp;

    const NONE: RtcpMux = RtcpMux {
        offer: false,
        require: false,
        demux: false,
        accept: false,
        reject: false,
    };

    /// (offered to the callee, answered to the caller) when the caller offers and the callee answers so.
    fn exchange(offered: bool, wish: RtcpMux, answered: bool) -> (bool, bool) {
        let mut caller = Media::new(Timestamp::default());
        let mut callee = Media::new(Timestamp::default());
        caller.rtcp_mux = offered;
        offer(&mut caller, &mut callee, wish);
        let towards_callee = callee.rtcp_mux;
        callee.rtcp_mux = answered;
        answer(&callee, &mut caller);
        (towards_callee, caller.rtcp_mux)
    }

    #[test]
    fn by_default_both_sides_agree_among_themselves() {
        assert_eq!(exchange(true, NONE, true), (true, true));
        assert_eq!(exchange(true, NONE, false), (true, false));
        assert_eq!(exchange(false, NONE, false), (false, false));
    }

    #[test]
    fn an_answer_does_not_bring_it_up() {
        assert_eq!(exchange(false, NONE, true), (false, false));
        let demux = RtcpMux {
            demux: true,
            ..NONE
        };
        assert_eq!(exchange(false, demux, true), (false, false));
    }

    #[test]
    fn offer_and_require_add_it_towards_the_callee_only() {
        let offer = RtcpMux {
            offer: true,
            ..NONE
        };
        let require = RtcpMux {
            offer: true,
            require: true,
            ..NONE
        };
        assert_eq!(exchange(false, offer, true), (true, false));
        assert_eq!(exchange(false, require, true), (true, false));
    }

    #[test]
    fn demux_strips_it_from_the_offer_and_accepts_it() {
        let wish = RtcpMux {
            demux: true,
            ..NONE
        };
        assert_eq!(exchange(true, wish, false), (false, true));
    }

    #[test]
    fn accept_takes_it_whatever_the_callee_says() {
        let wish = RtcpMux {
            accept: true,
            ..NONE
        };
        assert_eq!(exchange(true, wish, false), (true, true));
    }

    #[test]
    fn reject_refuses_it_whatever_the_callee_says() {
        let wish = RtcpMux {
            reject: true,
            ..NONE
        };
        assert_eq!(exchange(true, wish, true), (true, false));
        let demux = RtcpMux {
            demux: true,
            reject: true,
            ..NONE
        };
        assert_eq!(exchange(true, demux, false), (false, false));
    }

    #[test]
    fn a_side_that_multiplexes_goes_on_doing_so_in_the_next_offer() {
        let mut caller = Media::new(Timestamp::default());
        let mut callee = Media::new(Timestamp::default());
        callee.rtcp_mux = true;
        offer(&mut caller, &mut callee, NONE);
        assert!(callee.rtcp_mux);
        assert!(!caller.rtcp_mux);
    }
}

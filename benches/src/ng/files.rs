//! Open files: each stream of a call is a socket, so they bound how many calls can be up.

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Sockets of a call with two streams, RTP and RTCP.
const SOCKETS_PER_CALL: u64 = 4;
/// What a relay has open besides calls: libraries, maps, control.
const OTHERS: u64 = 256;
/// Calls are rounded down to whole hundreds of these.
const STEP: u64 = 500;

/// Raises the limit of open files, which relays started from here inherit, so that `calls` can be up at one of them. Returns how
/// many can: fewer where this process may not raise it so far (CAP_SYS_RESOURCE).
///
/// # Errors
/// The limit can't be read.
pub fn make_room(calls: usize) -> Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = files(calls as u64);
    if wanted > soft {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted.max(hard));
        if raised.is_err() {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(calls);
    }
    Ok(possible(soft).min(calls as u64) as usize)
}

/// Files for this many calls: underpass keeps a quarter of the limit for ports in stock.
fn files(calls: u64) -> u64 {
    (calls * SOCKETS_PER_CALL + OTHERS) * 4 / 3 + 1
}

fn possible(files: u64) -> u64 {
    let calls = (files * 3 / 4).saturating_sub(OTHERS) / SOCKETS_PER_CALL;
    if calls > STEP {
        calls / STEP * STEP
    } else {
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_enough_for_the_calls() {
        for calls in [1, 500, 1000, 3500, 10_000] {
            assert!(possible(files(calls)) >= calls, "{calls}");
        }
    }

    #[test]
    fn a_limit_of_20_000_files_lets_3_500_calls_be_up() {
        assert_eq!(possible(20_000), 3500);
    }
}

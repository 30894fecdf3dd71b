//! What a party has been told about the session: the forms of `replace` that need a memory.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Changes, Origin, OriginChange, Session, write};

/// Which parts of `o=` and `s=` are replaced (`replace` of the ng protocol).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// `origin`: the address, by this one or the first that was given.
    pub address: Option<IpAddr>,
    /// `origin-full`: user name and session id stay those first sent, the version counts changes. `address` is to be
    /// given too.
    pub origin_full: bool,
    /// `username`: stays the one first sent.
    pub username: bool,
    /// `session-name`: stays the one first sent.
    pub session_name: bool,
    /// `sdp-version`: the version counts changes of what is sent, whatever the other party does with its own.
    pub sdp_version: bool,
    /// `force-increment-sdp-ver`: the version grows with every body.
    pub force_increment: bool,
}

/// What one party has been sent: what its `o=` and `s=` lines began with, and the last body where the version counts. It
/// holds copies: no body that was read is kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Published {
    first: Option<First>,
    /// The first one that `replace` gave.
    address: Option<IpAddr>,
    version: u64,
    /// `None` if the last version did not count.
    body: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct First {
    username: Bytes,
    session_id: Bytes,
    name: Option<Bytes>,
}

impl Published {
    /// Writes the next body for the party. `changes.origin` is overwritten as `replace` asks.
    #[must_use]
    pub fn write(&mut self, session: &Session, mut changes: Changes, replace: Replace) -> Bytes {
        let Some(origin) = &session.origin else {
            return write(session, &changes);
        };
        let is_first = self.first.is_none();
        let first = self.first.get_or_insert_with(|| First::of(session, origin));
        changes.origin = OriginChange {
            address: replace
                .address
                .map(|address| *self.address.get_or_insert(address)),
            username: (replace.username || replace.origin_full).then(|| first.username.clone()),
            session_id: replace.origin_full.then(|| first.session_id.clone()),
            version: None,
            session_name: first.name.clone().filter(|_| replace.session_name),
        };
        let ours = replace.sdp_version || replace.origin_full;
        if is_first || !ours {
            self.version = self.version.max(number(&origin.version));
        }
        if ours || replace.force_increment {
            self.write_counted(session, changes, is_first, replace.force_increment)
        } else {
            self.body = None;
            write(session, &changes)
        }
    }

    /// Writes with our own version: the last one if the body is the same, else the next.
    fn write_counted(
        &mut self,
        session: &Session,
        mut changes: Changes,
        is_first: bool,
        force: bool,
    ) -> Bytes {
        let mut body = self.write_version(session, &mut changes);
        let changed = !is_first && self.body.as_ref() != Some(&body);
        if changed || force {
            self.version = self.version.wrapping_add(1);
            body = self.write_version(session, &mut changes);
        }
        self.body = Some(body.clone());
        body
    }

    fn write_version(&self, session: &Session, changes: &mut Changes) -> Bytes {
        changes.origin.version = Some(self.version.to_string().into());
        write(session, changes)
    }
}

impl First {
    fn of(session: &Session, origin: &Origin) -> Self {
        let copy = |field: &Bytes| Bytes::copy_from_slice(field);
        Self {
            username: copy(&origin.username),
            session_id: copy(&origin.session_id),
            name: session.name.as_ref().map(copy),
        }
    }
}

/// The number that a version begins with; 0 for none.
fn number(version: &[u8]) -> u64 {
    let digits = version
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&version[..digits])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::sdp::parse;

    fn session(origin: &str, name: &str, format: u8) -> Session {
        let body = format!(
            "v=0\r\no={origin}\r\ns={name}\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP {format}\r\n"
        );
        parse(&body.into()).unwrap()
    }

    fn line(body: &Bytes, letter: char) -> String {
        let text = std::str::from_utf8(body).unwrap();
        text.lines()
            .find(|line| line.starts_with(letter))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn nothing_is_replaced_unless_asked() {
        let mut published = Published::default();
        let _ = published.write(
            &session("a 1 1 IN IP4 h", "x", 0),
            Changes::default(),
            Replace::default(),
        );
        let body = published.write(
            &session("b 2 7 IN IP4 i", "y", 0),
            Changes::default(),
            Replace::default(),
        );
        assert_eq!(line(&body, 'o'), "o=b 2 7 IN IP4 i");
        assert_eq!(line(&body, 's'), "s=y");
    }

    #[test]
    fn username_and_session_name_stay_those_first_sent() {
        let replace = Replace {
            username: true,
            session_name: true,
            ..Replace::default()
        };
        let mut published = Published::default();
        let _ = published.write(
            &session("a 1 1 IN IP4 h", "x", 0),
            Changes::default(),
            Replace::default(),
        );
        let body = published.write(
            &session("b 2 7 IN IP4 i", "y", 0),
            Changes::default(),
            replace,
        );
        assert_eq!(line(&body, 'o'), "o=a 2 7 IN IP4 i");
        assert_eq!(line(&body, 's'), "s=x");
    }

    #[test]
    fn origin_replaces_the_address_alone() {
        let replace = Replace {
            address: Some(Ipv4Addr::new(198, 51, 100, 1).into()),
            ..Replace::default()
        };
        let body = Published::default().write(
            &session("a 1 1 IN IP4 h", "x", 0),
            Changes::default(),
            replace,
        );
        assert_eq!(line(&body, 'o'), "o=a 1 1 IN IP4 198.51.100.1");
    }

    #[test]
    fn origin_full_makes_the_line_constant_but_for_the_version() {
        let address = Some(Ipv4Addr::new(198, 51, 100, 1).into());
        let replace = Replace {
            address,
            origin_full: true,
            ..Replace::default()
        };
        let mut published = Published::default();
        let first = published.write(
            &session("a 1 1 IN IP4 h", "x", 0),
            Changes::default(),
            replace,
        );
        let changed = published.write(
            &session("b 2 9 IN IP4 i", "x", 8),
            Changes::default(),
            replace,
        );
        assert_eq!(line(&first, 'o'), "o=a 1 1 IN IP4 198.51.100.1");
        assert_eq!(line(&changed, 'o'), "o=a 1 2 IN IP4 198.51.100.1");
    }

    #[test]
    fn the_version_grows_with_the_body_only() {
        let replace = Replace {
            sdp_version: true,
            ..Replace::default()
        };
        let mut published = Published::default();
        let versions = [
            ("a 1 5 IN IP4 h", 0),
            ("a 1 6 IN IP4 h", 0),
            ("a 1 6 IN IP4 h", 8),
            ("a 1 9 IN IP4 h", 8),
        ]
        .map(|(origin, format)| {
            published.write(&session(origin, "x", format), Changes::default(), replace)
        })
        .map(|body| line(&body, 'o').split(' ').nth(2).unwrap().to_owned());
        assert_eq!(versions, ["5", "5", "6", "6"]);
    }

    #[test]
    fn a_forced_version_grows_with_every_body() {
        let replace = Replace {
            force_increment: true,
            ..Replace::default()
        };
        let mut published = Published::default();
        let versions = [(); 3]
            .map(|()| {
                published.write(
                    &session("a 1 5 IN IP4 h", "x", 0),
                    Changes::default(),
                    replace,
                )
            })
            .map(|body| line(&body, 'o').split(' ').nth(2).unwrap().to_owned());
        assert_eq!(versions, ["6", "7", "8"]);
    }

    #[test]
    fn a_version_that_is_taken_over_goes_on_from_the_greatest_one_sent() {
        let counted = Replace {
            sdp_version: true,
            ..Replace::default()
        };
        let mut published = Published::default();
        let versions = [
            ("a 1 5 IN IP4 h", Replace::default()),
            ("a 1 9 IN IP4 h", Replace::default()),
            ("a 1 9 IN IP4 h", counted),
            ("a 1 9 IN IP4 h", counted),
        ]
        .map(|(origin, replace)| {
            published.write(&session(origin, "x", 0), Changes::default(), replace)
        })
        .map(|body| line(&body, 'o').split(' ').nth(2).unwrap().to_owned());
        assert_eq!(versions, ["5", "9", "10", "10"]);
    }

    #[test]
    fn the_address_stays_the_first_one_given() {
        let replace = |last| Replace {
            address: Some(Ipv4Addr::new(198, 51, 100, last).into()),
            ..Replace::default()
        };
        let mut published = Published::default();
        for last in [1, 2] {
            let session = session("a 1 1 IN IP4 h", "x", 0);
            let body = published.write(&session, Changes::default(), replace(last));
            assert_eq!(line(&body, 'o'), "o=a 1 1 IN IP4 198.51.100.1");
        }
    }

    #[test]
    fn no_body_that_was_read_is_kept() {
        let body = Bytes::copy_from_slice(
            b"v=0\r\no=a 1 1 IN IP4 h\r\ns=x\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 0\r\n",
        );
        let mut published = Published::default();
        let replace = Replace {
            origin_full: true,
            ..Replace::default()
        };
        let _ = published.write(&parse(&body).unwrap(), Changes::default(), replace);
        assert!(body.is_unique());
        assert_ne!(published, Published::default());
    }

    #[test]
    fn a_version_that_is_no_number_counts_from_zero() {
        assert_eq!(number(b"12x"), 12);
        assert_eq!(number(b"x"), 0);
        assert_eq!(number(b"99999999999999999999999"), 0);
    }
}

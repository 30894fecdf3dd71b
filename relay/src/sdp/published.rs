//! What a party has been told about the session: the forms of `replace` that need a memory.

use std::net::IpAddr;

use bytes::Bytes;

use super::{Changes, Origin, Session, write};

/// Which parts of `o=` and `s=` are replaced (`replace` of the ng protocol).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// `origin`: the address, by this one.
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

/// What one party has been sent: what its `o=` and `s=` lines began with, and the last body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    first: Option<First>,
    version: u64,
    body: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct First {
    origin: Origin,
    name: Option<Bytes>,
}

impl Published {
    /// Writes the next body for the party. `changes.origin` is overwritten as `replace` asks.
    #[must_use]
    pub fn write(&mut self, session: &Session, mut changes: Changes, replace: Replace) -> Bytes {
        let Some(origin) = &session.origin else {
            return write(session, &changes);
        };
        let first = self.first.get_or_insert_with(|| {
            // Copied: the body these are slices of need not live as long as the call.
            let copy = |field: &Bytes| Bytes::copy_from_slice(field);
            self.version = number(&origin.version);
            First {
                origin: Origin {
                    username: copy(&origin.username),
                    session_id: copy(&origin.session_id),
                    version: copy(&origin.version),
                    address: copy(&origin.address),
                },
                name: session.name.as_ref().map(copy),
            }
        });
        changes.origin.address = replace.address;
        if replace.username || replace.origin_full {
            changes.origin.username = Some(first.origin.username.clone());
        }
        if replace.origin_full {
            changes.origin.session_id = Some(first.origin.session_id.clone());
        }
        if replace.session_name {
            changes.origin.session_name = first.name.clone();
        }
        if replace.sdp_version || replace.origin_full || replace.force_increment {
            self.write_counted(session, changes, replace.force_increment)
        } else {
            write(session, &changes)
        }
    }

    /// Writes with our own version: the last one if the body is the same, else the next.
    fn write_counted(&mut self, session: &Session, mut changes: Changes, force: bool) -> Bytes {
        changes.origin.version = Some(self.version.to_string().into());
        let body = write(session, &changes);
        if !force && (self.body.is_empty() || self.body == body) {
            self.body = body.clone();
            return body;
        }
        self.version = self.version.wrapping_add(1);
        changes.origin.version = Some(self.version.to_string().into());
        self.body = write(session, &changes);
        self.body.clone()
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
    fn a_version_that_is_no_number_counts_from_zero() {
        assert_eq!(number(b"12x"), 12);
        assert_eq!(number(b"x"), 0);
        assert_eq!(number(b"99999999999999999999999"), 0);
    }
}

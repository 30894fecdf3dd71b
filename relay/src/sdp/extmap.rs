//! RTP header extensions in SDP: `a=extmap` (RFC 8285 section 5).

use bytes::Bytes;

use super::order::first_word;
use super::{Line, Media, Session};

/// One `a=extmap` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The id in packets, from 1 to 255; 15 means nothing.
    pub id: u8,
    /// The URI that names it.
    pub name: &'a [u8],
    /// What stands behind `a=`.
    pub value: &'a Bytes,
}

/// Which extensions are not passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Every one.
    pub all: bool,
    /// Those of these names.
    pub names: Vec<Bytes>,
}

impl Extensions {
    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.names.is_empty()
    }

    /// Whether an extension is one of them.
    #[must_use]
    pub fn contains(&self, extension: &Extension<'_>) -> bool {
        self.all || self.names.iter().any(|name| name == extension.name)
    }

    pub(super) fn hides(&self, line: &Line) -> bool {
        !self.is_empty() && Extension::read(line).is_some_and(|extension| self.contains(&extension))
    }
}

impl<'a> Extension<'a> {
    fn read(line: &'a Line) -> Option<Self> {
        if line.attribute() != Some(b"extmap") {
            return None;
        }
        let argument = line.argument().trim_ascii_start();
        let id_and_direction = first_word(argument);
        let id = id_and_direction.split(|byte| *byte == b'/').next()?;
        let id = std::str::from_utf8(id).ok()?.parse().ok()?;
        let name = first_word(&argument[id_and_direction.len()..]);
        (id != 0 && !name.is_empty()).then_some(Self {
            id,
            name,
            value: &line.value,
        })
    }
}

/// The extensions of a section: its own, else those that the session gives for all of them.
pub fn extensions<'a>(
    session: &'a Session,
    media: &'a Media,
) -> impl Iterator<Item = Extension<'a>> {
    let own = media
        .lines
        .iter()
        .any(|line| line.attribute() == Some(b"extmap"));
    let lines = if own { &media.lines } else { &session.lines };
    lines.iter().filter_map(Extension::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &'static [u8]) -> Line {
        Line {
            letter: b'a',
            value: Bytes::from_static(value),
        }
    }

    #[test]
    fn an_extension_has_an_id_a_name_and_perhaps_a_direction() {
        let line = line(b"extmap:3/sendonly urn:x:y attributes");
        let extension = Extension::read(&line).unwrap();
        assert_eq!((extension.id, extension.name), (3, &b"urn:x:y"[..]));
    }

    #[test]
    fn what_has_no_id_of_a_packet_is_none() {
        for value in [
            &b"extmap:0 x"[..],
            b"extmap:4096 x",
            b"extmap:1",
            b"extmap:x y",
            b"extmap",
        ] {
            assert_eq!(Extension::read(&line(value)), None);
        }
    }
}

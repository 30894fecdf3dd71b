//! Codecs that are remembered with what was said of them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Kind, Line, Media, Protocol};

/// The formats of a section and the attributes about them, as a text of their own: no body that was read is kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecList(
    /// The formats in one line, the values of attributes in lines behind it.
    Bytes,
);

impl CodecList {
    pub(super) fn new<'a>(formats: &[&str], descriptions: impl Iterator<Item = &'a Line>) -> Self {
        let mut text = formats.join(" ").into_bytes();
        for line in descriptions {
            text.push(b'\n');
            text.extend_from_slice(&line.value);
        }
        text.shrink_to_fit();
        Self(text.into())
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.0 = Bytes::new();
    }

    /// A section that says nothing but this.
    #[must_use]
    pub fn section(&self, kind: Kind, protocol: Protocol) -> Media {
        let mut lines = self.0.split(|byte| *byte == b'\n');
        let formats = lines.next().unwrap_or_default();
        let formats = String::from_utf8_lossy(formats);
        let about = lines.map(|value| Line {
            letter: b'a',
            value: self.0.slice_ref(value),
        });
        Media {
            formats: formats.split_whitespace().map(str::to_owned).collect(),
            lines: about.collect(),
            ..Media::refused(kind.as_str(), protocol)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Codecs;
    use super::super::tests::session;
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_said_of_the_codecs_that_were_left() {
        let said = session(
            "m=audio 4 RTP/AVP 96 0 101\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=ptime:20\n\
            a=rtpmap:101 telephone-event/8000\n",
        );
        let mut codecs = Codecs::of(&said.medias[0]);
        codecs.strip(&["telephone-event".into()], &[], &[]);
        let section = codecs.list().section(Kind::Audio, Protocol::RtpAvp);
        assert_eq!(section.formats, ["96", "0"]);
        assert_eq!(section.encoding(96), Some("opus/48000/2"));
        assert_eq!(section.attributes("fmtp").count(), 1);
        assert_eq!(section.lines.len(), 2);
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(CodecList::default().is_empty());
        let section = CodecList::default().section(Kind::Audio, Protocol::RtpAvp);
        assert!(section.formats.is_empty() && section.lines.is_empty());
    }
}

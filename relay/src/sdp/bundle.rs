//! Sections that are to share a port: `a=group:BUNDLE` (RFC 9143).

use super::order::is_bundle;
use super::{Media, Session};

impl Session {
    /// The sections that the session bundles, by index, in its order; none where it bundles nothing. Those it does not
    /// have, and those refused, are left out.
    #[must_use]
    pub fn bundled(&self) -> Vec<usize> {
        let Some(group) = self.lines.iter().find(|line| is_bundle(line)) else {
            return Vec::new();
        };
        let words = group.argument().split(|byte| *byte == b' ');
        let mids = words.skip(1).filter(|mid| !mid.is_empty());
        let section = |mid: &[u8]| {
            let of_name = |media: &Media| media.mid() == Some(mid);
            self.medias.iter().position(of_name)
        };
        mids.filter_map(section)
            .filter(|index| self.medias[*index].takes_part())
            .collect()
    }
}

impl Media {
    /// Whether it says that it has no port because another section's is meant (RFC 9143 section 6).
    #[must_use]
    pub fn is_bundle_only(&self) -> bool {
        self.is_rejected() && self.attributes("bundle-only").next().is_some()
    }

    fn takes_part(&self) -> bool {
        !self.is_rejected() || self.is_bundle_only()
    }
}

#[cfg(test)]
mod tests {
    use crate::sdp::tests::session;

    #[test]
    fn a_bundle_names_its_sections_by_mid() {
        let session = session(
            "a=group:LS v\na=group:BUNDLE a v x r b\nm=audio 4000 RTP/AVP 0\na=mid:a\nm=video 4002 RTP/AVP 31\na=mid:v\n\
             m=audio 0 RTP/AVP 0\na=mid:r\nm=audio 0 RTP/AVP 0\na=mid:b\na=bundle-only\n",
        );
        assert_eq!(session.bundled(), [0, 1, 3]);
    }

    #[test]
    fn without_a_group_nothing_is_bundled() {
        assert!(
            session("m=audio 4000 RTP/AVP 0\na=mid:a\n")
                .bundled()
                .is_empty()
        );
    }
}

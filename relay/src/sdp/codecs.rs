//! Which payload types of a section are passed on (`codec` of the ng protocol), as far as nothing is converted.

use bytes::Bytes;

use super::order::first_word;
use super::{CodecList, Line, Media};

/// The payload types of an RTP section, to be fewer or in another order. A step that would leave no codec is not taken,
/// unless there may be none.
#[derive(Clone, Debug)]
pub struct Codecs<'a> {
    media: &'a Media,
    formats: Vec<&'a str>,
    may_be_none: bool,
}

impl<'a> Codecs<'a> {
    /// All of them, as they came.
    #[must_use]
    pub fn of(media: &'a Media) -> Self {
        Self {
            media,
            formats: media.formats.iter().map(String::as_str).collect(),
            may_be_none: false,
        }
    }

    /// Lets steps leave no codec (flag `allow-no-codec-media`).
    pub fn allow_none(&mut self) {
        self.may_be_none = true;
    }

    /// Whether no codec is left where there may be none.
    #[must_use]
    pub fn are_gone(&self) -> bool {
        self.may_be_none && self.formats.is_empty()
    }

    /// Takes out those that are `stripped` (`all` and `full` stand for all but those `excepted`) and puts those `offered`
    /// back, in that order, behind the codecs that stayed.
    pub fn strip(&mut self, stripped: &[Bytes], excepted: &[Bytes], offered: &[Bytes]) {
        let [stripped, excepted, offered] = [stripped, excepted, offered].map(names);
        let is_any =
            |names: &[Name<'_>], codec: &Codec<'_>| names.iter().any(|name| codec.is(name));
        let all = stripped
            .iter()
            .any(|name| matches!(name.text, "all" | "full"));
        let (taken, mut left): (Vec<Codec<'_>>, Vec<Codec<'_>>) = self
            .codecs()
            .partition(|codec| is_any(&stripped, codec) || (all && !is_any(&excepted, codec)));
        let mut taken: Vec<Option<Codec<'_>>> = taken.into_iter().map(Some).collect();
        let mut back = Vec::new();
        for name in &offered {
            let named = taken
                .iter_mut()
                .filter_map(|codec| codec.take_if(|codec| codec.is(name)));
            back.extend(named);
        }
        if !back.is_empty() {
            left.extend(back);
            left.sort_by_key(Codec::is_supplement);
        }
        self.take_over(left.into_iter().map(|codec| codec.format).collect());
    }

    /// Takes out what is not among others under its number, or with `by_encoding` under any number.
    pub fn keep(&mut self, others: &Codecs<'_>, by_encoding: bool) {
        let is_known = |format: &&str| {
            others.formats.contains(format)
                || (by_encoding && others.place_of(self, format).is_some())
        };
        let left = self.formats.iter().copied().filter(is_known).collect();
        self.take_over(left);
    }

    /// Puts first, in the order of others, what is among them; the rest stays in its own order behind it.
    pub fn prefer(&mut self, others: &Codecs<'_>) {
        let place = |format: &&str| others.place_of(self, format).unwrap_or(usize::MAX);
        let mut formats = self.formats.clone();
        formats.sort_by_cached_key(place);
        self.formats = formats;
    }

    /// Leaves the first codec, and what goes with any (telephone events, comfort noise).
    pub fn keep_first(&mut self) {
        let first = self
            .formats
            .iter()
            .position(|format| !self.is_supplement(format));
        let left = self
            .formats
            .iter()
            .enumerate()
            .filter(|(index, format)| Some(*index) == first || self.is_supplement(format));
        self.take_over(left.map(|(_, format)| *format).collect());
    }

    /// The formats that are left, in order.
    #[must_use]
    pub fn formats(&self) -> Vec<String> {
        self.formats
            .iter()
            .map(|&format| format.to_owned())
            .collect()
    }

    /// What is left, to be remembered.
    #[must_use]
    pub fn list(&self) -> CodecList {
        CodecList::new(&self.formats, self.descriptions())
    }

    /// Whether a section is to be written with other ones than its own.
    #[must_use]
    pub fn differ_from(&self, section: &Media) -> bool {
        section.formats != self.formats || !self.are_of(section)
    }

    /// What is to be said of them in a section that is not theirs.
    #[must_use]
    pub fn descriptions_for(&self, section: &Media) -> Option<Vec<Line>> {
        (!self.are_of(section)).then(|| self.descriptions().cloned().collect())
    }

    fn descriptions(&self) -> impl Iterator<Item = &Line> {
        self.media.lines.iter().filter(|line| {
            let about = first_word(line.argument());
            let named = self.formats.iter().any(|format| format.as_bytes() == about);
            named && matches!(line.attribute(), Some(b"rtpmap" | b"fmtp" | b"rtcp-fb"))
        })
    }

    /// Where a format of others stands among these: under its number, or else under another one.
    fn place_of(&self, others: &Codecs<'_>, format: &str) -> Option<usize> {
        let encoding = others.encoding(format);
        let is_alike = |own: &&str| self.encoding(own) == encoding;
        let mut own = self.formats.iter();
        let same = own.position(|own| *own == format && is_alike(own));
        same.or_else(|| self.formats.iter().position(is_alike))
    }

    fn are_of(&self, section: &Media) -> bool {
        std::ptr::eq(self.media, section)
    }

    fn take_over(&mut self, formats: Vec<&'a str>) {
        if formats.iter().any(|format| !self.is_supplement(format)) {
            self.formats = formats;
        } else if self.may_be_none {
            self.formats.clear();
        }
    }

    fn codecs(&self) -> impl Iterator<Item = Codec<'a>> {
        self.formats.iter().map(|&format| Codec {
            format,
            encoding: self.encoding(format),
        })
    }

    fn is_supplement(&self, format: &str) -> bool {
        is_supplement(&self.encoding(format))
    }

    fn encoding(&self, format: &str) -> String {
        let number = format.parse().ok();
        let encoding = number.and_then(|number| self.media.encoding(number));
        encoding.map_or_else(|| format.to_owned(), in_full)
    }
}

/// What a format stands for.
struct Codec<'a> {
    format: &'a str,
    /// In full.
    encoding: String,
}

impl Codec<'_> {
    fn is(&self, name: &Name<'_>) -> bool {
        self.format == name.text
            || match &name.in_full {
                Some(encoding) => self.encoding == *encoding,
                None => codec(&self.encoding).eq_ignore_ascii_case(name.text),
            }
    }

    fn is_supplement(&self) -> bool {
        is_supplement(&self.encoding)
    }
}

/// What a client calls a codec.
struct Name<'a> {
    text: &'a str,
    /// If it says more than the encoding's name.
    in_full: Option<String>,
}

fn names(list: &[Bytes]) -> Vec<Name<'_>> {
    let texts = list
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok());
    let name = |text: &str| text.contains('/').then(|| in_full(text));
    texts
        .map(|text| Name {
            text,
            in_full: name(text),
        })
        .collect()
}

/// Whether it goes with a codec and is none itself.
fn is_supplement(encoding: &str) -> bool {
    matches!(codec(encoding), "telephone-event" | "cn")
}

fn codec(encoding: &str) -> &str {
    encoding.split('/').next().unwrap_or_default()
}

/// Name, clock rate and channels, one if not said, in lower case. What follows is for converting.
fn in_full(encoding: &str) -> String {
    let mut parts = encoding.split('/').map(str::trim);
    let [name, rate, channels] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let channels = if channels.is_empty() { "1" } else { channels };
    format!("{}/{rate}/{channels}", name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::tests::session;
    use super::*;

    const SECTION: &str = "m=audio 4000 RTP/AVP 0 8 96 97 101\na=rtpmap:96 opus/48000/2\na=rtpmap:97 speex/16000\n\
        a=rtpmap:101 telephone-event/8000\n";

    fn left(act: impl FnOnce(&mut Codecs<'_>)) -> String {
        let session = session(SECTION);
        let mut codecs = Codecs::of(&session.medias[0]);
        act(&mut codecs);
        codecs.formats().join(" ")
    }

    fn stripped(strip: &str, except: &str, offer: &str) -> String {
        let names = |list: &str| -> Vec<Bytes> {
            list.split_whitespace()
                .map(|name| name.to_owned().into())
                .collect()
        };
        left(|codecs| codecs.strip(&names(strip), &names(except), &names(offer)))
    }

    #[test]
    fn a_codec_is_named_by_its_encoding_in_any_case_by_its_parameters_or_by_its_number() {
        for (name, expected) in [
            ("PCMU", "8 96 97 101"),
            ("opus", "0 8 97 101"),
            ("OPUS", "0 8 97 101"),
            ("opus/48000/2", "0 8 97 101"),
            ("PCMU/8000", "8 96 97 101"),
            ("PCMU/8000/1", "8 96 97 101"),
            ("97", "0 8 96 101"),
            ("telephone-event", "0 8 96 97"),
        ] {
            assert_eq!(stripped(name, "", ""), expected, "{name}");
        }
        for other in ["opus/48000", "opus/16000/2", "PCM", "1", ""] {
            assert_eq!(stripped(other, "", ""), "0 8 96 97 101", "{other}");
        }
    }

    #[test]
    fn exceptions_are_from_all_not_from_what_is_named() {
        assert_eq!(stripped("all", "PCMA speex", ""), "8 97");
        assert_eq!(stripped("full", "PCMA", ""), "8");
        assert_eq!(stripped("PCMA", "PCMA", ""), "0 96 97 101");
        assert_eq!(stripped("", "PCMA", ""), "0 8 96 97 101");
    }

    #[test]
    fn what_is_offered_comes_back_in_that_order_before_telephone_events() {
        assert_eq!(stripped("all", "", "speex PCMU"), "97 0");
        assert_eq!(stripped("PCMU", "", "PCMU"), "8 96 97 0 101");
        assert_eq!(stripped("all", "", "telephone-event PCMA"), "8 101");
        assert_eq!(stripped("all", "PCMU", "speex"), "0 97");
        assert_eq!(stripped("", "", "PCMA"), "0 8 96 97 101");
    }

    #[test]
    fn at_least_one_codec_stays() {
        for strip in [
            "all",
            "full",
            "PCMU PCMA opus speex",
            "PCMU PCMA opus speex telephone-event",
        ] {
            assert_eq!(stripped(strip, "", ""), "0 8 96 97 101", "{strip}");
        }
        assert_eq!(stripped("all", "telephone-event", ""), "0 8 96 97 101");
    }

    #[test]
    fn the_first_codec_alone_keeps_its_telephone_events() {
        assert_eq!(left(|codecs| codecs.keep_first()), "0 101");
    }

    /// What is left of the section with others at hand.
    fn beside(others: &str, act: impl FnOnce(&mut Codecs<'_>, &Codecs<'_>)) -> String {
        let session = session(others);
        let others = Codecs::of(&session.medias[0]);
        left(|codecs| act(codecs, &others))
    }

    #[test]
    fn what_is_not_among_others_under_its_number_goes() {
        let kept = |others: &str| beside(others, |codecs, others| codecs.keep(others, false));
        assert_eq!(
            kept("m=audio 4 RTP/AVP 111 0\na=rtpmap:111 opus/48000/2\n"),
            "0"
        );
        assert_eq!(kept("m=audio 4 RTP/AVP 97\na=rtpmap:97 iLBC/8000\n"), "97");
        assert_eq!(kept("m=audio 4 RTP/AVP 3\n"), "0 8 96 97 101");
    }

    #[test]
    fn what_is_not_among_others_under_any_number_goes() {
        let kept = |others: &str| beside(others, |codecs, others| codecs.keep(others, true));
        assert_eq!(
            kept("m=audio 4 RTP/AVP 111 0\na=rtpmap:111 opus/48000/2\n"),
            "0 96"
        );
        assert_eq!(
            kept("m=audio 4 RTP/AVP 111\na=rtpmap:111 opus/48000\n"),
            "0 8 96 97 101"
        );
    }

    #[test]
    fn what_is_among_others_comes_first_in_their_order_whatever_its_number() {
        let preferred = |others: &str| beside(others, |codecs, others| codecs.prefer(others));
        assert_eq!(
            preferred("m=audio 4 RTP/AVP 111 8 3\na=rtpmap:111 opus/48000/2\n"),
            "96 8 0 97 101"
        );
        assert_eq!(preferred("m=audio 4 RTP/AVP 3\n"), "0 8 96 97 101");
    }

    #[test]
    fn none_stays_where_there_may_be_none() {
        let gone = |strip: &[&'static [u8]]| {
            let session = session(SECTION);
            let mut codecs = Codecs::of(&session.medias[0]);
            codecs.allow_none();
            let strip: Vec<Bytes> = strip.iter().map(|&name| Bytes::from(name)).collect();
            codecs.strip(&strip, &[], &[]);
            codecs.are_gone()
        };
        assert!(gone(&[b"all"]));
        assert!(gone(&[b"PCMU", b"PCMA", b"opus", b"speex"]));
        assert!(!gone(&[b"PCMU"]));
    }

    #[test]
    fn in_another_section_all_that_is_said_of_them_comes_along() {
        let theirs = session(SECTION);
        let other = session("m=audio 5000 RTP/AVP 0\n");
        let mut codecs = Codecs::of(&theirs.medias[0]);
        codecs.strip(&["all".into()], &["opus".into()], &[]);
        assert!(codecs.differ_from(&other.medias[0]));
        let said = codecs.descriptions_for(&other.medias[0]).unwrap();
        let said: Vec<&[u8]> = said.iter().map(|line| &line.value[..]).collect();
        assert_eq!(said, [b"rtpmap:96 opus/48000/2"]);
        assert_eq!(codecs.descriptions_for(&theirs.medias[0]), None);
    }
}

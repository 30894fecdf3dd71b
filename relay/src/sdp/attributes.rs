//! Attributes that an operator adds, removes or exchanges (`sdp-attr` of the ng protocol).

use bytes::Bytes;

use super::Kind;

static NONE: AttributeRules = AttributeRules {
    remove: Vec::new(),
    substitute: Vec::new(),
    add: Vec::new(),
};

/// What is done to `a=` lines as they are written, whoever wrote them first: the party or the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// Before the first `m=`.
    pub session: AttributeRules,
    /// In the sections of a kind, by the word of their `m=` line.
    pub medias: Vec<(String, AttributeRules)>,
}

impl AttributeChanges {
    pub(super) fn of(&self, kind: &Kind) -> &AttributeRules {
        let rules = self
            .medias
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(kind.as_str()));
        rules.map_or(&NONE, |(_, rules)| rules)
    }
}

/// The rules of one place. Patterns are what stands behind `a=`: a name (`ssrc`), a name and the word that follows it
/// (`ssrc:1`), or all of it; case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeRules {
    /// Patterns of what is left out.
    pub remove: Vec<Bytes>,
    /// Patterns, and what is written instead.
    pub substitute: Vec<(Bytes, Bytes)>,
    /// Written last, unless it stands there already.
    pub add: Vec<Bytes>,
}

impl AttributeRules {
    /// What becomes of the value of an `a=` line; `None` if it is left out.
    pub(super) fn apply<'a>(&'a self, value: &'a [u8]) -> Option<&'a [u8]> {
        if self.remove.iter().any(|pattern| matches(pattern, value)) {
            return None;
        }
        let instead = self
            .substitute
            .iter()
            .find(|(pattern, _)| matches(pattern, value));
        Some(instead.map_or(value, |(_, instead)| instead))
    }
}

fn matches(pattern: &[u8], value: &[u8]) -> bool {
    let Some((begin, rest)) = value.split_at_checked(pattern.len()) else {
        return false;
    };
    if pattern.is_empty() || !begin.eq_ignore_ascii_case(pattern) {
        return false;
    }
    match rest.first() {
        None => true,
        Some(b':') => !pattern.contains(&b':'),
        Some(b' ') => pattern.contains(&b':') && !pattern.contains(&b' '),
        Some(_) => pattern.ends_with(b":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_a_name_with_its_first_word_or_the_whole_value() {
        let value = b"foo:bar baz quuz";
        for pattern in ["foo", "foo:", "foo:bar", "foo:bar baz quuz", "FOO:Bar"] {
            assert!(matches(pattern.as_bytes(), value), "{pattern}");
        }
        for pattern in ["", "fo", "foo:b", "foo:bar baz", "bar", "foo:bar baz quuz "] {
            assert!(!matches(pattern.as_bytes(), value), "{pattern}");
        }
        assert!(matches(b"sendrecv", b"sendrecv"));
    }

    #[test]
    fn what_is_removed_is_not_exchanged() {
        let rules = AttributeRules {
            remove: vec![Bytes::from_static(b"foo:1")],
            substitute: vec![(Bytes::from_static(b"foo"), Bytes::from_static(b"bar"))],
            add: Vec::new(),
        };
        assert_eq!(rules.apply(b"foo:1 x"), None);
        assert_eq!(rules.apply(b"foo:2 x"), Some(&b"bar"[..]));
        assert_eq!(rules.apply(b"other"), Some(&b"other"[..]));
    }
}

//! Words compare by one normal form: lower case, `-` for space and underscore.
//!
//! One option reaches us as a flag with hyphens, a flag with spaces, a key with underscores, in any case.

use bytes::Bytes;

use crate::Value;

/// The normal form of a word.
pub(super) fn normalise(word: &[u8]) -> String {
    let mut normal = String::from_utf8_lossy(word.trim_ascii()).into_owned();
    normal.make_ascii_lowercase();
    if normal.contains([' ', '_']) {
        normal = normal.replace([' ', '_'], "-");
    }
    normal
}

/// The words of a value: a list's strings, or the parts of a comma-separated string. Integers and the like are left out.
pub(super) fn words(value: &Value) -> Vec<Bytes> {
    match value {
        Value::Bytes(text) => text
            .split(|&byte| byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|word| !word.is_empty())
            .map(|word| text.slice_ref(word))
            .collect(),
        Value::List(items) => items.iter().filter_map(Value::as_bytes).cloned().collect(),
        Value::Integer(_) | Value::Dict(_) => Vec::new(),
    }
}

/// The effect that a table has for a normalised word.
pub(super) fn find<E: Copy>(table: &[(&str, E)], word: &str) -> Option<E> {
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map(|&(_, effect)| effect)
}

/// What is left of a normalised word behind a prefix of the table, with its effect.
pub(super) fn find_prefix<'w, E: Copy>(table: &[(&str, E)], word: &'w str) -> Option<(E, &'w str)> {
    table.iter().find_map(|&(prefix, effect)| {
        let rest = word.strip_prefix(prefix)?;
        (!rest.is_empty()).then_some((effect, rest))
    })
}

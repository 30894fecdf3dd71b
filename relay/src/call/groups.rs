//! Which logical interface a name means. Interfaces called `base:suffix` are a group, which `base` names, too; it is used in turn.

use crate::plan::LogicalInterface;

/// The interface of that name, or the one of the group of that name whose `turn` it is.
pub(super) fn named(interfaces: &[LogicalInterface], name: &[u8], turn: u64) -> Option<usize> {
    let known = interfaces
        .iter()
        .position(|interface| interface.name.as_bytes() == name);
    known.or_else(|| member(interfaces, std::str::from_utf8(name).ok()?, turn))
}

/// The first interface, or the one of its group whose `turn` it is.
pub(super) fn first(interfaces: &[LogicalInterface], turn: u64) -> usize {
    let base = interfaces.first().and_then(|first| base(&first.name));
    base.and_then(|base| member(interfaces, base, turn))
        .unwrap_or(0)
}

fn base(name: &str) -> Option<&str> {
    name.split_once(':').map(|(base, _)| base)
}

fn member(interfaces: &[LogicalInterface], group: &str, turn: u64) -> Option<usize> {
    let members = || {
        let interfaces = interfaces.iter().enumerate();
        interfaces.filter(|(_, interface)| base(&interface.name) == Some(group))
    };
    let count = members().count() as u64;
    let (index, _) = members().nth(turn.checked_rem(count)? as usize)?;
    Some(index)
}

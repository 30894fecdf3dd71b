//! Which logical interface a party is on.
//!
//! Interfaces called `base:suffix` are a group, which `base` names, too, and all of them together are one. A group's
//! interfaces are used in turn, call by call; those that have no room for the call's media are passed over.

use bytes::Bytes;

use super::bench::Bench;
use super::exchange::{self, Context};
use super::graph::Call;
use super::party::PartyId;
use super::ports::Ledger;
use super::select::present;
use crate::plan::LogicalInterface;

/// The group of all interfaces.
const ALL: &[u8] = b"round-robin-calls";

/// The interface of a party: what the first command that is about it `named`. An unknown name is the first interface.
pub(super) fn of_party(
    call: &mut Call,
    party: PartyId,
    named: Option<&Bytes>,
    context: &Context<'_>,
    ledger: &mut Ledger<'_>,
    warnings: &mut Vec<String>,
) -> usize {
    // One after the other, call by call and party by party.
    let turn = call.key.0.wrapping_add(u64::from(party.0));
    let Some(party) = call.party_mut(party) else {
        return 0;
    };
    let named = present(named);
    *party.interface.get_or_insert_with(|| {
        match choice(context.interfaces, named.map(Bytes::as_ref)) {
            Choice::One(interface) => interface,
            Choice::Group(members) => {
                let (family, pairs) = exchange::needs(context);
                let next = (turn % members.len() as u64) as usize;
                let (later, sooner) = members.split_at(next);
                let mut in_turn = sooner.iter().chain(later);
                let roomy = in_turn.find(|member| ledger.reserve(**member, family, pairs));
                *roomy.unwrap_or(&members[next])
            }
            Choice::Unknown => {
                let name = String::from_utf8_lossy(named.map_or(b"", Bytes::as_ref));
                warnings.push(format!(
                    "no interface is called '{name}'; using the first one"
                ));
                0
            }
        }
    })
}

/// The interface of a party that has no other side: `interface`, or the first `direction`.
pub(super) fn of_lone_party(
    call: &mut Call,
    party: PartyId,
    context: &Context<'_>,
    bench: &mut Bench<'_>,
) -> usize {
    let options = &context.request.options;
    let named = present(options.interface.as_ref()).or(options.direction.first());
    let Bench {
        ledger, warnings, ..
    } = bench;
    of_party(call, party, named, context, ledger, warnings)
}

/// What a name leaves to choose from.
enum Choice {
    One(usize),
    /// Never empty.
    Group(Vec<usize>),
    Unknown,
}

/// What `name` means; without one, what the name of the first interface does.
fn choice(interfaces: &[LogicalInterface], name: Option<&[u8]>) -> Choice {
    let members = |belongs: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let all = interfaces.iter().enumerate();
        let members = all.filter(|(_, interface)| belongs(&interface.name));
        members.map(|(index, _)| index).collect()
    };
    let is = |known: Option<&str>, wanted: &[u8]| known.is_some_and(|k| k.as_bytes() == wanted);
    let members = match name {
        None => match interfaces.first().and_then(|first| base(&first.name)) {
            Some(group) => members(&|name| base(name) == Some(group)),
            None => return Choice::One(0),
        },
        Some(ALL) => members(&|_| true),
        Some(wanted) => {
            let mut known = interfaces.iter();
            if let Some(index) = known.position(|known| is(Some(&known.name), wanted)) {
                return Choice::One(index);
            }
            members(&|name| is(base(name), wanted))
        }
    };
    match members.as_slice() {
        [] => Choice::Unknown,
        [one] => Choice::One(*one),
        _ => Choice::Group(members),
    }
}

fn base(name: &str) -> Option<&str> {
    name.split_once(':').map(|(base, _)| base)
}

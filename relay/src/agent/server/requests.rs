//! What is said on a connection, done and answered.

use std::os::fd::{AsFd, OwnedFd};

use super::connection::Connection;
use crate::agent::caller::{Caller, CallerError};
use crate::agent::claims::refused;
use crate::agent::kernel::Generation;
use crate::agent::tables::{Applicant, Granting, NodeTables};
use crate::tables::TableState;
use crate::tables::packet;
use crate::tables::protocol::{FromAgent, MAX_MESSAGE, Refusal, Refused, ToAgent};

/// Bytes of tables in one message; the rest is for what is around them.
const MAX_TABLES: usize = MAX_MESSAGE / 2;

/// Does what is asked for. Its descriptors are closed at the end, if they are not kept.
pub(super) fn handle(
    tables: &mut NodeTables,
    connection: &mut Connection,
    message: ToAgent,
    descriptors: Vec<OwnedFd>,
) {
    connection.heard();
    let outcome = match message {
        ToAgent::Claim(claim) => applicant(connection, descriptors)
            .and_then(|applicant| tables.claim(&claim, applicant))
            .map(|granting| grant(connection, granting)),
        ToAgent::Resume {
            version,
            table,
            generation,
        } => resumed(
            tables,
            connection,
            descriptors,
            (version, table, generation),
        )
        .map(|granting| grant(connection, granting)),
        ToAgent::Settled => own(connection)
            .and_then(|generation| tables.settled(generation))
            .map(|placement| {
                connection.say(&FromAgent::Settled, Vec::new());
                connection.say(&FromAgent::Placement(placement), Vec::new());
            }),
        ToAgent::WantEgress { place, ifindex } => own(connection).and_then(|generation| {
            tables.change(generation, |kernel| {
                kernel.want_egress(generation, place, ifindex);
            })
        }),
        ToAgent::NotSending { place, ifindex } => own(connection).and_then(|generation| {
            tables.change(generation, |kernel| {
                kernel.not_sending(generation, place, ifindex);
            })
        }),
        ToAgent::UseNeighbour {
            place,
            ifindex,
            address,
        } => own(connection).map(|generation| {
            tables.use_neighbour(generation, (place, ifindex, address));
        }),
        ToAgent::Release => own(connection)
            .and_then(|generation| tables.release(generation))
            .map(|()| {
                connection.generation = None;
                connection.say(&FromAgent::Released, Vec::new());
            }),
        ToAgent::List => tables.list().map(|list| say_tables(connection, list)),
        ToAgent::Free { table, force } => operator(connection)
            .and_then(|()| tables.free(table, force))
            .map(|()| connection.say(&FromAgent::Released, Vec::new())),
    };
    match outcome {
        Ok(()) => {}
        Err(Refused {
            reason: Refusal::Malformed,
            text,
            ..
        }) => connection.fault(text),
        Err(refused) => connection.say(&FromAgent::Refused(refused), Vec::new()),
    }
}

fn applicant(connection: &Connection, descriptors: Vec<OwnedFd>) -> Result<Applicant, Refused> {
    without_table(connection)?;
    let Ok([namespace]) = <[OwnedFd; 1]>::try_from(descriptors) else {
        return Err(malformed(
            "a claim needs one descriptor: the caller's network namespace",
        ));
    };
    let caller = connection.peer.examine().map_err(not_told)?;
    let id = connection
        .peer
        .namespace(namespace.as_fd())
        .map_err(not_told)?;
    Ok(Applicant {
        caller,
        id,
        namespace,
    })
}

fn resumed(
    tables: &mut NodeTables,
    connection: &Connection,
    descriptors: Vec<OwnedFd>,
    (version, table, generation): (u32, u32, u64),
) -> Result<Granting, Refused> {
    without_table(connection)?;
    let Ok([lock, namespace]) = <[OwnedFd; 2]>::try_from(descriptors) else {
        return Err(malformed(
            "a table is resumed with two descriptors: its lock and the caller's network namespace",
        ));
    };
    let id = connection
        .peer
        .namespace(namespace.as_fd())
        .map_err(not_told)?;
    tables.resume(version, table, generation, &lock, (id, namespace))
}

fn grant(connection: &mut Connection, granting: Granting) {
    connection.generation = Some(granting.generation);
    connection.say(&FromAgent::Granted(granting.granted), granting.descriptors);
}

fn without_table(connection: &Connection) -> Result<(), Refused> {
    connection.generation.map_or(Ok(()), |generation| {
        Err(malformed(format!(
            "this connection has table {} already; make another for another table",
            generation.table
        )))
    })
}

fn own(connection: &Connection) -> Result<Generation, Refused> {
    connection
        .generation
        .ok_or_else(|| malformed("this connection has no table; claim one first"))
}

fn operator(connection: &Connection) -> Result<(), Refused> {
    let caller: Caller = connection.peer.examine().map_err(not_told)?;
    if caller.is_root {
        return Ok(());
    }
    Err(refused(
        Refusal::NotAllowed,
        "tables are freed by the superuser only",
    ))
}

fn say_tables(connection: &mut Connection, list: Vec<TableState>) {
    let mut tables = Vec::new();
    let mut size = 0;
    for state in list {
        let more = packet::encode(&state).map_or(MAX_MESSAGE, |bytes| bytes.len());
        if size + more > MAX_TABLES && !tables.is_empty() {
            let tables = std::mem::take(&mut tables);
            connection.say(&FromAgent::Tables { tables, more: true }, Vec::new());
            size = 0;
        }
        size += more;
        tables.push(state);
    }
    connection.say(
        &FromAgent::Tables {
            tables,
            more: false,
        },
        Vec::new(),
    );
}

fn malformed(text: impl Into<String>) -> Refused {
    refused(Refusal::Malformed, text)
}

fn not_told(error: CallerError) -> Refused {
    refused(Refusal::NotAllowed, error.to_string())
}

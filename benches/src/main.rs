//! `cargo xtask bench`: measures and prints a table, with JSON beside it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use anyhow::Result;

fn main() -> Result<()> {
    let costs = benches::program_cost::measure(&mut |what| eprintln!("program cost: {what}"))?;
    for cost in costs {
        println!(
            "{:10} {:36} {:>7} flows {:>7.0} ns ({:.0}-{:.0})",
            cost.program, cost.case, cost.flows, cost.ns.median, cost.ns.min, cost.ns.max
        );
    }
    Ok(())
}

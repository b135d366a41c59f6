//! How many allocations a request costs: the figures that noise cannot move.
//!
//! Each row runs one step of the data path many times, counts what the allocator was asked for, and fails
//! above its bound. Nanoseconds are printed for information and judge nothing. A bound is lowered when the
//! code gets better, and raised only with a reason in the commit.

#![expect(clippy::print_stdout, reason = "a bench speaks on stdout")]

mod coordinators;
mod counting;
mod log;
mod rows;
mod sessions;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo passes `--bench` and filters; `cargo test --benches` passes others. Only a filter counts.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let rows = rows::all();
    let mut failed = 0;
    println!("{:<52} {:>8} {:>8} {:>10} {:>10}", "", "allocs", "bound", "bytes", "ns");
    for row in &rows {
        if filter.as_ref().is_some_and(|filter| !row.name.contains(filter.as_str())) {
            continue;
        }
        let cost = counting::measure(row.step.as_ref());
        let verdict = if cost.allocations > row.bound { "  ABOVE ITS BOUND" } else { "" };
        failed += u32::from(cost.allocations > row.bound);
        println!(
            "{:<52} {:>8} {:>8} {:>10} {:>10}{verdict}",
            row.name, cost.allocations, row.bound, cost.bytes, cost.nanoseconds
        );
    }
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

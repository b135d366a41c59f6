//! Runs the simulated world for many seeds, or shows one: `make sim`.
//!
//! `SEEDS` is how many (100,000), `FROM` the first one (0), `THREADS` how many run at once (as many as there are
//! processors). `SEED` shows one seed with all that happens in it. A seed that breaks a promise, or a rare branch that no
//! seed came through, is printed and ends the run with status 1.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ottla::simulation::sometimes::ALL;
use ottla::simulation::{Counters, Outcome, Setup, config, run_seed};

/// So many seeds that break a promise are shown, then the run ends.
const SHOWN_MAX: usize = 10;
/// A seed's outcome is compared with that of a second run so often.
const TWICE_EVERY: u64 = 100;

#[derive(Default)]
struct Total {
    seeds: u64,
    events: u64,
    counters: Counters,
    broken: Vec<(u64, String)>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.replace('_', "").parse().ok()
}

/// Runs a seed. A panic is a promise that was broken, too.
fn run(seed: u64, keeps_text: bool) -> Result<Outcome, String> {
    let config = config()?;
    let setup = Setup { keeps_text, planted: None };
    let run = AssertUnwindSafe(|| run_seed(seed, &config, setup));
    catch_unwind(run).map_err(|_| "it panicked".to_owned())
}

fn show(seed: u64) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let outcome = match run(seed, true) {
        Ok(outcome) => outcome,
        Err(error) => {
            writeln!(out, "seed {seed}: {error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for line in &outcome.lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed}: {} events, hash {:016x}", outcome.events, outcome.hash)?;
    match outcome.violation {
        Some(violation) => {
            writeln!(out, "BROKEN: {violation}")?;
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn work(next: &AtomicU64, end: u64, total: &Mutex<Total>) {
    let Ok(config) = config() else { return };
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let is_over = || lock(total).broken.len() >= SHOWN_MAX;
        if seed >= end || is_over() {
            return;
        }
        let once = || {
            let run = AssertUnwindSafe(|| run_seed(seed, &config, Setup::default()));
            catch_unwind(run).map_err(|_| "it panicked".to_owned())
        };
        let outcome = once();
        let again = seed.is_multiple_of(TWICE_EVERY).then(once);
        let mut total = lock(total);
        total.seeds += 1;
        match outcome {
            Err(error) => total.broken.push((seed, error)),
            Ok(outcome) => {
                if let Some(Ok(again)) = again
                    && again.hash != outcome.hash
                {
                    total.broken.push((seed, "it is not the same twice".to_owned()));
                }
                total.events += outcome.events;
                total.counters.add(&outcome.counters);
                total.broken.extend(outcome.violation.map(|violation| (seed, violation)));
            }
        }
    }
}

fn lock(total: &Mutex<Total>) -> std::sync::MutexGuard<'_, Total> {
    total.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> io::Result<ExitCode> {
    if let Some(seed) = number("SEED") {
        return show(seed);
    }
    let (from, seeds) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(100_000));
    let processors = thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let threads = number("THREADS").unwrap_or(processors);
    let (next, total) = (AtomicU64::new(from), Mutex::new(Total::default()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&next, from + seeds, &total));
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&total)
}

fn report(total: &Total) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for (which, text) in ALL {
        writeln!(out, "{:>10}  {text}", total.counters.count(*which))?;
    }
    let (seeds, events) = (total.seeds, total.events);
    writeln!(out, "{seeds} seeds, {events} events")?;
    for (seed, what) in &total.broken {
        writeln!(out, "BROKEN: make sim SEED={seed}\n  {what}")?;
    }
    let missing = total.counters.missing();
    for text in &missing {
        writeln!(out, "TOO EASY: it never came to this: {text}")?;
    }
    let is_well = total.broken.is_empty() && missing.is_empty();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! Measures what the README claims of many servers on one database: `cargo run --release -p cogwork-tests --bin
//! contention`.
//!
//! Each row is a storm of its own: so many `cogwork-mcp` processes, each with a client, on one new project, until
//! every feature passes. With `mcp` as its first argument it is such a process, so that it needs no other file.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its table is what it is for")]

use std::process::ExitCode;
use std::time::Duration;

use cogwork_tests::contention::{Outcome, Storm};

/// The rows of the table.
const PROCESSES: [usize; 5] = [1, 4, 16, 32, 64];
const FEATURES: usize = 400;
const KILLS: usize = 5;
/// Short, so that a claim of a killed server is seen to come back; long enough for a machine that is busy.
const LEASE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("mcp") {
        return cogwork::main();
    }
    let seed = first.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(1..1_000_000));
    match table(seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("contention: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table and returns whether nothing happened that must not.
fn table(seed: u64) -> std::io::Result<bool> {
    println!("seed {seed}, {KILLS} servers killed in each row, leases of {} s\n", LEASE.as_secs());
    println!(
        "| processes | features | calls | double claims | lost updates | unexplained errors | recovered claims of \
         killed | median / p99 / slowest call | calls per second |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut clean = true;
    for processes in PROCESSES {
        let project = tempfile::tempdir()?;
        let storm = Storm {
            program: std::env::current_exe()?,
            processes,
            features: FEATURES,
            kills: KILLS,
            lease: LEASE,
            pause: Duration::from_millis(2 * processes as u64),
            seed,
        };
        let outcome = storm.raise(project.path());
        print(&outcome);
        clean &= outcome.violations.is_empty();
    }
    Ok(clean)
}

fn print(outcome: &Outcome) {
    let ms = |percent| outcome.percentile(percent).as_secs_f64() * 1_000.0;
    println!(
        "| {} | {} | {} | {} | {} | {} | {} of {} | {:.1} / {:.1} / {:.1} ms | {:.0} |",
        outcome.processes,
        outcome.features,
        outcome.calls,
        outcome.double_claims(),
        outcome.lost_updates(),
        outcome.unexplained_errors(),
        outcome.recovered,
        outcome.held,
        ms(50),
        ms(99),
        ms(100),
        outcome.calls as f64 / outcome.elapsed.as_secs_f64(),
    );
    for violation in &outcome.violations {
        eprintln!("{violation:?}");
    }
}

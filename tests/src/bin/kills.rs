//! Measures what the README claims of killed sessions: `cargo build --release && cargo run --release -p cogwork-tests
//! --bin kills -- [--repeat N] [--claude PATH]`.
//!
//! Each row is an agent, each column what is killed; a cell is the longest time until nothing of the session was left.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its table is what it is for")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cogwork_tests::kills::{Agent, Cut, LIMIT, Scene};

/// Kills sessions at every place and looks what is left.
#[derive(Parser)]
struct Flags {
    /// How often each agent is cut off in each way
    #[arg(long, default_value_t = 4)]
    repeat: u32,
    /// The real Claude Code, as one more agent
    #[arg(long, value_name = "PROGRAM")]
    claude: Option<PathBuf>,
    /// The program `cogwork` [default: the one beside this]
    #[arg(long)]
    program: Option<PathBuf>,
}

fn main() -> ExitCode {
    match table(&Flags::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kills: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table and returns how many cuts left something.
fn table(flags: &Flags) -> Result<usize, String> {
    let program = match &flags.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("cogwork"),
    };
    let real = flags.claude.clone().map(|program| Agent::Claude { program });
    let agents = [Agent::Stubborn, Agent::Daemons, Agent::Flood, Agent::Stopped].into_iter().chain(real);
    let titles: Vec<String> = Cut::ALL.iter().map(Cut::to_string).collect();
    println!("| the agent | {} |", titles.join(" | "));
    println!("| --- |{}", " --- |".repeat(Cut::ALL.len()));
    let (mut cuts, mut failed) = (0, 0);
    for agent in agents {
        let mut cells = Vec::new();
        for cut in Cut::ALL {
            let mut longest = Duration::ZERO;
            for _ in 0..flags.repeat {
                let scene = Scene { program: program.clone(), agent: agent.clone(), cut };
                let outcome = scene.play()?;
                cuts += 1;
                longest = longest.max(outcome.gone_after);
                if !outcome.left.is_empty() {
                    failed += 1;
                    eprintln!("{agent}, {cut}: left after {LIMIT:?}: {:?}", outcome.left);
                }
            }
            cells.push(format!("{:.2} s", longest.as_secs_f64()));
        }
        println!("| {agent} | {} |", cells.join(" | "));
    }
    println!("\n{cuts} sessions were cut off, {failed} left something for more than {} s", LIMIT.as_secs());
    Ok(failed)
}

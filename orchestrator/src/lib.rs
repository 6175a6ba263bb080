//! Cogwork, the orchestrator: many sessions over one graph of features, until every feature provably passes.
//!
//! A run is the crate `conductor`'s. Here are the command line and what a person sees. Talks to the store. Never to a
//! model.

mod agent;
mod cli;
mod demo;
mod project;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use cogwork_session::Programs;

use cli::CliError;

/// Runs the program `cogwork` with the arguments of this process.
pub fn main() -> ExitCode {
    cli::main()
}

/// Runs the program `cogwork-runner` with these arguments, the first of which is its name.
///
/// For a `main`: it reads the environment of the process, writes to its stdout and stderr and handles its signals.
pub fn agent(programs: &Programs, args: impl Iterator<Item = OsString>) -> ExitCode {
    agent::main(programs, args)
}

/// Returns how to start the programs of Cogwork: all of them are this one file.
fn programs() -> Result<Programs, CliError> {
    let own = std::env::current_exe()
        .map_err(|error| CliError::new(format!("the path of this program is not known: {error}")))?;
    Ok(Programs::within(own))
}

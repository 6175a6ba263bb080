//! The program `cogwork-runner`: a session for an orchestrator, and a single agent for a person.
//!
//! Five programs behind one [`main`]: alone, a single agent that works through the features of a project; as
//! `session`, exactly one session of one feature for an orchestrator; as `play`, the built-in scripted agent; as
//! `logs`, the reader of what a session has written down; as `hook`, the judge of an agent's commands. All but the
//! first are the crate `session`; here are the command line and the lone agent.

mod cli;
mod standalone;

use std::ffi::OsString;
use std::process::ExitCode;

use cogwork_session::Programs;

/// Runs the program that `args` ask for, to its end. The first of `args` is the program's name, as the process got it
/// or as people call it (`cogwork agent`).
///
/// For a `main`: it reads the environment of the process, writes to its stdout and stderr and handles its signals.
#[expect(clippy::needless_pass_by_value, reason = "a main gives away what it has")]
pub fn main(programs: Programs, args: impl Iterator<Item = OsString>) -> ExitCode {
    cli::main(&programs, args)
}

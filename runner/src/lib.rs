//! One agent session, driven, contained and understood.
//!
//! Four programs behind one [`main`]: alone, a single agent that works through the features of a project; as
//! `session`, exactly one session of one feature for an orchestrator; as `play`, the built-in scripted agent; as
//! `logs`, the reader of what a session has written down.
//!
//! It owns the life of one agent program: its workspace, environment and prompt, its time limits, its processes to
//! the last one, and the checks after it. It talks to the store under the attempt's token, to programs through the
//! crate `process`, and to whoever started it in lines of JSON. It never decides which feature is next for anybody
//! but its lone self, never merges, and never takes an agent's word for anything.

mod agent;
pub mod brief;
mod cli;
mod clock;
mod command;
mod confinement;
mod driver;
mod environment;
pub mod fuzzing;
mod hook;
mod inbox;
mod journal;
mod json;
mod logs;
mod one;
mod outbox;
mod outcome;
pub mod plan;
mod play;
pub mod policy;
mod programs;
mod report;
mod run_lock;
mod session;
mod standalone;
mod text;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

pub use agent::{AgentError, AgentSettings, AgentSpec, UnknownAgent, preflight};
pub use command::{OnLimit, SessionCommand, SessionLimits};
pub use confinement::{Confinement, ConfinementError};
pub use driver::chain;
pub use environment::{Environment, marker};
pub use hook::{PolicyChoice, PolicyFileError, policy_in_force};
pub use logs::{LogsError, LogsFlags, logs};
pub use outcome::{ExitStatus, attempt_outcome};
pub use play::ScriptError;
pub use programs::Programs;
pub use run_lock::{Holder, RunLock, RunLockError};

/// Runs the program that `args` ask for, to its end. The first of `args` is the program's name, as the process got it
/// or as people call it (`cogwork agent`).
///
/// For a `main`: it reads the environment of the process, writes to its stdout and stderr and handles its signals.
#[expect(clippy::needless_pass_by_value, reason = "a main gives away what it has")]
pub fn main(programs: Programs, args: impl Iterator<Item = OsString>) -> ExitCode {
    cli::main(&programs, args)
}

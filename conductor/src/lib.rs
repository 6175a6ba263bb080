//! One run: what starts, what lands, when it is over.
//!
//! [`engine`] decides what starts, lands and ends; [`main_branch::Landing`] decides what a landing comes to. The
//! [`conduct`] loop carries their decisions to the [`ports`] and hears what came of them, and does no I/O itself: so
//! the simulator runs it as it is, with faults at every port. The real ports are [`ledger::LedgerThread`],
//! [`RunnerProcesses`], [`main_branch::GitMain`], signals and [`cogwork_session::clock`]; who looks on is the caller's.
//! Never talks to a terminal, and never to a model.

mod broken_head;
pub mod conduct;
pub mod engine;
mod forecast;
pub mod ledger;
pub mod main_branch;
mod marks;
mod moment;
pub mod ports;
mod prepare;
mod progress;
pub mod resume;
mod run;
mod run_lock;
mod runner_processes;
mod signals;
#[cfg(test)]
mod simulator;
mod socket;

pub use broken_head::broken_head;
pub use conduct::MAX_SLOTS;
pub use engine::Scope;
pub use prepare::{NotReady, can_land, heal_landing, set_strangers_aside};
pub use progress::{Progress, RunningSession};
pub use run::{Plan, run};
pub use run_lock::{Holder, RunLock, RunLockError};
pub use runner_processes::RunnerProcesses;
pub use signals::Signals;
pub use socket::{AskError, ask};

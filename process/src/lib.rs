//! The only crate that starts programs: contained process trees, checks, and git.
//!
//! It owns everything that ends in `fork`: how a program is started ([`contain::Spawn`]), how its whole tree is
//! found and removed again ([`contain`]), the checks that decide ([`check`]) and the git program ([`git`]). It
//! talks to the kernel and to those programs, and to its callers in plain data. It never reads the database, never
//! decides what an outcome means, and never signals a process that it cannot identify.
//!
//! # Threads
//!
//! Call it from a tokio current-thread runtime, on that runtime's own thread. Linux ties a child's parent-death
//! signal to the *thread* that started it: a program started from a `spawn_blocking` thread would be killed as
//! soon as that thread goes idle.
//!
//! # Other systems
//!
//! Everything above is complete on Linux. On other Unix systems processes are found by `sysinfo`: a session's own
//! processes, what descends from them and what carries its mark are killed. There is no subreaper and no parent-death
//! signal there, so what loses its parent is found by its mark, at the next start at the latest. Windows is not
//! supported.

pub mod check;
mod clock;
pub mod contain;
mod environment;
pub mod git;
pub mod lines;
pub mod redact;
pub mod signals;
mod tail;

pub use environment::base_env;

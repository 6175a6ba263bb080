//! Containment: a program's whole process tree is known, and gone when it is over.
//!
//! It owns starting ([`Spawn`]), reading and ending ([`Contained`]) programs, recognising processes
//! ([`identity`]) and removing what they leave ([`sweep()`]). It talks to the kernel only. It never signals by name,
//! never by a pid alone, never itself and never what it descends from.
//!
//! How nothing escapes, on Linux: every program gets a session of its own and a parent-death signal; this process
//! is made a subreaper, so that a daemon which forks twice, makes a session of its own and clears its environment
//! becomes our child instead of init's; and at the end of a program a sweep kills until two looks at the process
//! table find nothing. If this process is killed, its own subreaper (the orchestrator) adopts and sweeps the rest;
//! if that dies as well, the next start finds them by identity, marker or working directory.

mod children;
mod contained;
mod feed;
mod machine;
#[cfg(target_os = "linux")]
#[path = "contain/linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "contain/other.rs"]
mod os;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod sandbox;
mod sight;
mod spawn;
mod sweep;
mod table;
#[cfg(target_os = "linux")]
mod warden;

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use cogwork_schemas::{NodeIdentity, Presence, ProcessIdentity, Resources};
use rustix::process::{Pid, Signal};

pub use contained::{Asking, Contained, Exit, Output};
pub use machine::Machine;
pub(crate) use os::{gits_at_work, is_held};
pub use sandbox::{NoSandbox, Rule, Sandbox, SandboxChoice, Wall};
pub use spawn::{Bond, Spawn, StartError, Stderr, Stdin};
pub use sweep::{Sweep, kill_descendants, sweep};
use table::{Process, Table};

/// The variable that marks the processes of a session; its value is `<state directory>#s<session>`.
pub const MARKER: &str = "COGWORK_MARKER";

/// What this process and all that is below it take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// This process.
    pub own: Resources,
    /// Everything below it. Its processor time includes what has ended and was waited for; what no one waited for is
    /// not known to anybody.
    pub below: Resources,
}

/// Reads what this process and all that is below it take of the machine; `None` where that cannot be read. The time of
/// programs that have ended is told on Linux alone.
pub fn reading() -> Option<Reading> {
    let (own, ended_ms) = (os::SIGHT.resources)(own_pid())?;
    let mut below = Resources { cpu_ms: ended_ms, ..Resources::default() };
    for pid in descendants(own_pid()) {
        // One that has ended since the table was read takes nothing.
        let Some((taken, ended_ms)) = (os::SIGHT.resources)(pid) else { continue };
        below.processes += 1;
        below.memory_bytes += taken.memory_bytes;
        below.cpu_ms += taken.cpu_ms + ended_ms;
    }
    Some(Reading { own, below })
}

/// Makes this process adopt the orphans among its descendants, instead of init. [`Spawn::start`] does it too.
///
/// # Errors
///
/// What the kernel reports. Where there is no such thing (anywhere but on Linux), nothing happens.
pub fn become_subreaper() -> io::Result<()> {
    os::become_subreaper()
}

/// Puts this process under a warden, which clears away its programs when it is killed: the caller goes on under a new
/// number, as the warden's child, and is sent SIGUSR1 when the warden dies. To be called before there are threads.
///
/// # Errors
///
/// What the kernel reports, or that there are threads; then there is no warden. Anywhere but on Linux, where orphans
/// cannot be adopted, nothing happens.
pub fn under_warden() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let warden = own_identity();
        warden::split(Signal::USR1)?;
        // Nobody else sets it, and this is called once.
        WARDEN.set(warden).ok();
    }
    Ok(())
}

/// The warden of this process, if it has one.
static WARDEN: OnceLock<ProcessIdentity> = OnceLock::new();

/// Returns who this process is to whoever started it: its warden, where it has one.
pub fn started_identity() -> ProcessIdentity {
    WARDEN.get().cloned().unwrap_or_else(own_identity)
}

/// Returns who the process `pid` is, or `None` when there is none or it is dead but not yet reaped.
pub fn identity(pid: i32) -> Option<ProcessIdentity> {
    os::SIGHT.identity(pid)
}

/// Returns who this process is.
pub fn own_identity() -> ProcessIdentity {
    let pid = own_pid();
    identity(pid).unwrap_or_else(|| identified(Process::unknown(pid)))
}

/// Returns where this process runs: only from there its number can be looked for.
pub fn own_node() -> NodeIdentity {
    os::SIGHT.node()
}

/// Returns whether this very process is alive: not one that got its number later, not a zombie. One that was stopped
/// is alive.
pub fn is_alive(process: &ProcessIdentity) -> bool {
    os::SIGHT.is_alive(process)
}

/// Returns whether a process that was recorded on `node` is there, as far as that can be seen from here. A record
/// without a node has the boot that its process names.
pub fn presence(process: &ProcessIdentity, node: Option<&NodeIdentity>) -> Presence {
    os::SIGHT.presence(process, node)
}

/// Returns the processes whose environment at their start had [`MARKER`] equal to `marker`, or to `marker`
/// followed by `#` and more. So a state directory finds all its sessions, and `…#s1` never finds session 12.
pub fn marked(marker: &str) -> Vec<i32> {
    marked_in(&table(), marker)
}

fn marked_in(table: &Table, marker: &str) -> Vec<i32> {
    os::SIGHT.marked(table, MARKER, marker)
}

/// Returns the processes whose working directory is `dir` or below it, also when that was deleted meanwhile.
pub fn inside(dir: &Path) -> Vec<i32> {
    os::SIGHT.inside(&table(), dir)
}

/// Returns all living processes below the process `pid`, without itself.
pub fn descendants(pid: i32) -> Vec<i32> {
    os::SIGHT.descendants(pid)
}

/// Returns whether a process descends from this one; `None` when there is no such process.
pub fn descends_from_us(pid: i32) -> Option<bool> {
    let table = table();
    table.get(pid).map(|_| pid != own_pid() && table.line_of(pid).contains(&own_pid()))
}

/// Looks at all processes.
fn table() -> Table {
    (os::SIGHT.table)()
}

/// Looks at one process.
fn find(pid: i32) -> Option<Process> {
    (os::SIGHT.find)(pid)
}

fn identified(process: Process) -> ProcessIdentity {
    os::SIGHT.identified(process)
}

fn own_pid() -> i32 {
    Pid::as_raw(Some(rustix::process::getpid()))
}

//! What `sysinfo` tells of processes and of the machine, on every system that it knows.
//!
//! It is the sight of all systems but Linux, where `/proc` answers faster and tells more. It is compiled and tested on
//! Linux all the same, because nobody here tests on the others.

use std::path::PathBuf;
use std::sync::OnceLock;

use cogwork_schemas::Resources;
use rustix::process::{Pid, Signal};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::sight::Sight;
use super::table::{Process, Table};

/// How far two times of one boot may lie apart. Such a time is counted back from now, so it moves when the machine's
/// clock is set. Nothing is lost by a long one: start times are dates here, and tell processes of two boots apart.
const CLOCK_SET_S: u64 = 3_600;

/// What a name of a boot begins with, so that it is never taken for a kernel's own id.
const BOOTED: &str = "booted-at-";

pub(super) const SIGHT: Sight =
    Sight { boot_id, is_same_boot, pid_namespace: || None, find, table, resources, variable, working_dir };

fn boot_id() -> String {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    let read = || System::boot_time().map(|seconds| format!("{BOOTED}{seconds}")).unwrap_or_default();
    BOOT_ID.get_or_init(read).clone()
}

fn is_same_boot(one: &str, other: &str) -> bool {
    let seconds = |boot_id: &str| boot_id.strip_prefix(BOOTED)?.parse::<u64>().ok();
    match (seconds(one), seconds(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) <= CLOCK_SET_S,
        // A machine that does not know when it booted still tells its processes apart by their dates.
        (None, None) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn find(pid: i32) -> Option<Process> {
    look(pid, bare(), process)
}

fn table() -> Table {
    let Ok(mut system) = System::new() else { return Table::default() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, bare());
    system.processes().values().filter_map(process).collect()
}

/// Time of what ended is not told here.
fn resources(pid: i32) -> Option<(Resources, u64)> {
    look(pid, bare().with_memory().with_cpu(), |process| {
        let (memory_bytes, cpu_ms) = (process.memory(), process.accumulated_cpu_time());
        Some((Resources { processes: 1, memory_bytes, cpu_ms }, 0))
    })
}

fn variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    look(pid, bare().with_environ(UpdateKind::Always), |process| {
        let value = |entry: &[u8]| Some(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec());
        process.environ().iter().find_map(|entry| value(entry.as_encoded_bytes()))
    })
}

fn working_dir(pid: i32) -> Option<PathBuf> {
    look(pid, bare().with_cwd(UpdateKind::Always), |process| process.cwd().map(PathBuf::from))
}

/// Sends `signal` to this very process. Between the look and the signal its number could pass to another, which takes
/// the system a whole round of numbers; only Linux has handles that exclude it.
pub(super) fn signal_exactly(process: Process, signal: Signal) {
    let is_it = find(process.pid).is_some_and(|found| found.started == process.started);
    if let Some(pid) = Pid::from_raw(process.pid).filter(|_| is_it)
        && let Err(error) = rustix::process::kill_process(pid, signal)
    {
        tracing::debug!(pid = process.pid, %error, "a process could not be signalled");
    }
}

/// Who a process is, and nothing that costs a further look at each.
fn bare() -> ProcessRefreshKind {
    ProcessRefreshKind::nothing().without_tasks()
}

/// Looks at one process.
fn look<T>(
    pid: i32,
    what: ProcessRefreshKind,
    see: impl FnOnce(&sysinfo::Process) -> Option<T>,
) -> Option<T> {
    let pid = sysinfo::Pid::from_u32(u32::try_from(pid).ok()?);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    see(system.process(pid)?)
}

fn process(seen: &sysinfo::Process) -> Option<Process> {
    let number = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).ok();
    // One whose start cannot be read could not be told from a later one with its number.
    let started = Some(seen.start_time()).filter(|started| *started > 0)?;
    let is_dead = matches!(seen.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    Some(Process {
        pid: number(seen.pid())?,
        parent: seen.parent().and_then(number).unwrap_or(0),
        session: seen.session_id().and_then(number).unwrap_or(0),
        started,
        alive: !is_dead,
        // Not told here. What a person may have started from a terminal is not swept for where it works.
        has_terminal: true,
    })
}

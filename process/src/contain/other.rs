//! Containment on other Unix systems, as far as it goes without Linux's `prctl` and `/proc`: a program's own process
//! group is killed, nothing is adopted or found. The interface is the same as that of `linux.rs`.

use std::io;
use std::path::{Path, PathBuf};

use cogwork_schemas::Resources;
use rustix::process::{Pid, Signal};

use super::table::{Process, Table};

pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

pub(super) fn set_death_signal(_signal: Signal) -> io::Result<()> {
    Ok(())
}

/// There is none to be read; pids of earlier boots are not told apart here.
pub(super) fn boot_id() -> String {
    String::new()
}

pub(super) fn find(pid: i32) -> Option<Process> {
    rustix::process::test_kill_process(Pid::from_raw(pid)?).ok()?;
    Some(Process::unknown(pid))
}

/// Empty, so that nothing is ever swept that could not be identified.
pub(super) fn table() -> Table {
    Table::default()
}

pub(super) fn resources(_pid: i32) -> Option<(Resources, u64)> {
    None
}

pub(super) fn variable(_pid: i32, _name: &str) -> Option<Vec<u8>> {
    None
}

pub(super) fn working_dir(_pid: i32) -> Option<PathBuf> {
    None
}

/// Does nothing: a start time that could prove who it is cannot be read.
pub(super) fn signal_exactly(_process: Process, _signal: Signal) {}

/// Kills what is left of a process group whose leader was reaped a moment ago.
pub(super) fn kill_left_group(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        rustix::process::kill_process_group(pid, Signal::KILL).ok();
    }
}

pub(crate) fn gits_at_work(_dir: &Path, _commands: &[&str]) -> Option<bool> {
    None
}

pub(crate) fn is_held(_lock: &Path, _dir: &Path) -> Option<bool> {
    None
}

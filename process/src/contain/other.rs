//! Containment on other Unix systems, as far as it goes without Linux's `prctl` and pidfds: nothing is adopted, and
//! what is found by `sysinfo` is killed. The interface is the same as that of `linux.rs`.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal};

pub(super) use super::portable::{SIGHT, signal_exactly};

pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

pub(super) fn set_death_signal(_signal: Signal) -> io::Result<()> {
    Ok(())
}

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

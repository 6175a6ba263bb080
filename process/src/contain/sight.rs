//! Seeing processes: who one is, which carry a mark, work in a directory, or descend from another.
//!
//! It owns the questions, and [`Sight`] is the seam below them: on Linux the kernel's own files answer, elsewhere
//! `sysinfo` does. Its tests hold both to the same answers on Linux. It never signals anything.

use std::path::{Path, PathBuf};

use cogwork_schemas::{NodeIdentity, Presence, ProcessIdentity, Resources};

use super::table::{Process, Table};

/// One way to see processes, as plain functions.
pub(super) struct Sight {
    /// Names this boot of the machine.
    pub(super) boot_id: fn() -> String,
    /// Whether two names mean the same boot.
    pub(super) is_same_boot: fn(&str, &str) -> bool,
    /// Numbers the namespace that this process's pids belong to; `None` where there are no such namespaces.
    pub(super) pid_namespace: fn() -> Option<u64>,
    /// One process, dead ones that wait to be reaped included where they can be seen.
    pub(super) find: fn(i32) -> Option<Process>,
    /// All processes that can be seen.
    pub(super) table: fn() -> Table,
    /// What a process takes, and the processor time in milliseconds of what it has started and waited for.
    pub(super) resources: fn(i32) -> Option<(Resources, u64)>,
    /// A variable of the environment that a process was started with.
    pub(super) variable: fn(i32, &str) -> Option<Vec<u8>>,
    /// Where a process works.
    pub(super) working_dir: fn(i32) -> Option<PathBuf>,
}

impl Sight {
    /// Returns who the process `pid` is, or `None` when there is none or it is dead but not yet reaped.
    pub(super) fn identity(&self, pid: i32) -> Option<ProcessIdentity> {
        (self.find)(pid).filter(|process| process.alive).map(|process| self.identified(process))
    }

    pub(super) fn identified(&self, process: Process) -> ProcessIdentity {
        ProcessIdentity { pid: process.pid, started: process.started, boot_id: (self.boot_id)() }
    }

    /// Returns whether what was found is the process that was recorded.
    pub(super) fn is_it(&self, found: &Process, recorded: &ProcessIdentity) -> bool {
        found.pid == recorded.pid && found.started == recorded.started && self.is_this_boot(&recorded.boot_id)
    }

    /// Returns whether this very process is alive.
    pub(super) fn is_alive(&self, recorded: &ProcessIdentity) -> bool {
        (self.find)(recorded.pid).is_some_and(|found| found.alive && self.is_it(&found, recorded))
    }

    fn is_this_boot(&self, boot_id: &str) -> bool {
        (self.is_same_boot)(boot_id, &(self.boot_id)())
    }

    /// Returns where this process runs.
    pub(super) fn node(&self) -> NodeIdentity {
        NodeIdentity { boot_id: (self.boot_id)(), pid_namespace: (self.pid_namespace)() }
    }

    /// Returns whether a process that was recorded on `node` is there, as far as that can be seen from here. A record
    /// without a node has the boot that its process names.
    pub(super) fn presence(&self, process: &ProcessIdentity, node: Option<&NodeIdentity>) -> Presence {
        let here = (self.pid_namespace)();
        let is_here = match node {
            Some(node) => self.is_this_boot(&node.boot_id) && node.pid_namespace == here,
            None => self.is_this_boot(&process.boot_id),
        };
        match is_here {
            false => Presence::OutOfSight,
            true if self.is_alive(process) => Presence::Alive,
            true => Presence::Gone,
        }
    }

    /// Returns the processes of `table` whose environment at their start had `name` equal to `marker`, or to `marker`
    /// followed by `#` and more.
    pub(super) fn marked(&self, table: &Table, name: &str, marker: &str) -> Vec<i32> {
        let matches = |value: &[u8]| match value.strip_prefix(marker.as_bytes()) {
            Some(rest) => rest.is_empty() || rest[0] == b'#' || marker.ends_with('#'),
            None => false,
        };
        let has_it = |pid: &i32| (self.variable)(*pid, name).is_some_and(|value| matches(&value));
        table.living().filter(has_it).collect()
    }

    /// Returns the processes of `table` whose working directory is `dir` or below it.
    pub(super) fn inside(&self, table: &Table, dir: &Path) -> Vec<i32> {
        let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let is_inside = |pid: &i32| (self.working_dir)(*pid).is_some_and(|cwd| cwd.starts_with(&dir));
        table.living().filter(is_inside).collect()
    }

    /// Returns all living processes below the process `pid`, without itself.
    pub(super) fn descendants(&self, pid: i32) -> Vec<i32> {
        let table = (self.table)();
        let below = table.below([pid]);
        table.living().filter(|pid| below.contains(pid)).collect()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

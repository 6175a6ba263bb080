//! The process table as data, and the walks over it. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// One process as the kernel shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    /// In the kernel's unit; with the pid it tells a process from a later one with the same number.
    pub(super) started: u64,
    /// False for a zombie.
    pub(super) alive: bool,
    /// Whether a terminal controls it, as one controls a person's shell and what is started from it. Nothing that
    /// Cogwork starts has one: each program leads a session of its own.
    pub(super) has_terminal: bool,
}

impl Process {
    /// Returns a process of which nothing but its number is known.
    pub(super) fn unknown(pid: i32) -> Self {
        Self { pid, parent: 0, session: 0, started: 0, alive: true, has_terminal: false }
    }
}

/// All processes at about one moment: reading it takes a millisecond, in which processes come and go.
#[derive(Debug, Default)]
pub(super) struct Table {
    processes: BTreeMap<i32, Process>,
}

impl FromIterator<Process> for Table {
    fn from_iter<I: IntoIterator<Item = Process>>(processes: I) -> Self {
        let by_pid = |process: Process| (process.pid, process);
        Self { processes: processes.into_iter().map(by_pid).collect() }
    }
}

impl Table {
    pub(super) fn get(&self, pid: i32) -> Option<&Process> {
        self.processes.get(&pid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// Returns the pids of all that are not zombies.
    pub(super) fn living(&self) -> impl Iterator<Item = i32> {
        self.iter().filter(|process| process.alive).map(|process| process.pid)
    }

    /// Returns everything below `roots`, without them unless one is below another.
    pub(super) fn below(&self, roots: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for process in self.iter() {
            children.entry(process.parent).or_default().push(process.pid);
        }
        let mut below = BTreeSet::new();
        let mut open: Vec<i32> = roots.into_iter().collect();
        while let Some(parent) = open.pop() {
            // Taken out, so that each is visited once even if a torn table shows a loop.
            for pid in children.remove(&parent).unwrap_or_default() {
                below.insert(pid);
                open.push(pid);
            }
        }
        below
    }

    /// Returns `pid` and everything it descends from.
    pub(super) fn line_of(&self, pid: i32) -> BTreeSet<i32> {
        let mut line = BTreeSet::new();
        let mut next = Some(pid);
        while let Some(pid) = next.filter(|pid| line.insert(*pid)) {
            next = self.get(pid).map(|process| process.parent);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(i32, i32)]) -> Table {
        let row = |&(pid, parent)| Process { parent, ..Process::unknown(pid) };
        rows.iter().map(row).collect()
    }

    #[test]
    fn walks_go_all_the_way_and_end() {
        let table = table(&[(1, 0), (5, 1), (6, 5), (7, 6), (8, 1), (3, 7)]);
        assert_eq!(table.below([5]), [3, 6, 7].into());
        assert_eq!(table.below([5, 8]), [3, 6, 7].into());
        assert_eq!(table.below([9]), [].into());
        assert_eq!(table.line_of(7), [0, 1, 5, 6, 7].into());
    }

    #[test]
    fn a_torn_table_does_not_hold_a_walk() {
        let table = table(&[(5, 6), (6, 5)]);
        assert_eq!(table.below([5]), [5, 6].into());
        assert_eq!(table.line_of(5), [5, 6].into());
    }
}

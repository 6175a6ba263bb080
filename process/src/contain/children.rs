//! Which of our child processes we started ourselves. All others were adopted, and are ours to reap.
//!
//! Reaping takes a status away from whoever else waits for it; tokio waits for those that we started. Children
//! belong to the process, and so does this list.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Bond;
use super::os;
use super::table::Table;

/// A program that was started here and whose end was not yet seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) started: u64,
    pub(super) bond: Bond,
}

static CHILDREN: Mutex<BTreeMap<i32, Child>> = Mutex::new(BTreeMap::new());

fn children() -> MutexGuard<'static, BTreeMap<i32, Child>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program and notes it, in one step: a sweep that sees it in the process table finds it here too, if it
/// looks into the table first. Drops those whose handle was dropped before they ended and which the runtime has
/// reaped since.
pub(super) fn add(
    bond: Bond,
    start: impl FnOnce() -> io::Result<tokio::process::Child>,
) -> io::Result<(i32, Child, tokio::process::Child)> {
    let mut children = children();
    children.retain(|pid, child| os::find(*pid).is_some_and(|found| found.started == child.started));
    let handle = start()?;
    let pid = handle
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .unwrap_or_default();
    let started = os::find(pid).map_or(0, |found| found.started);
    let child = Child { started, bond };
    children.insert(pid, child);
    Ok((pid, child, handle))
}

/// Forgets a program that was reaped.
pub(super) fn remove(pid: i32) {
    children().remove(&pid);
}

/// Returns those that `table` shows, alive or not yet reaped, by their pids.
pub(super) fn seen_in(table: &Table) -> BTreeMap<i32, Child> {
    let is_it = |pid: &i32, child: &Child| {
        table
            .get(*pid)
            .is_some_and(|found| found.started == child.started)
    };
    children()
        .iter()
        .filter(|(pid, child)| is_it(pid, child))
        .map(|(pid, child)| (*pid, *child))
        .collect()
}

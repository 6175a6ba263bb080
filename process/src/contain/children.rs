//! Which of our child processes we started ourselves. All others were adopted, and are ours to reap.
//!
//! Reaping takes a status away from whoever else waits for it; tokio waits for those that we started. Children
//! belong to the process, and so does this list.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::Table;
use super::{Bond, find};

/// A program that was started here and is not yet cleared away.
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
/// looks into the table first.
pub(super) fn add(
    bond: Bond,
    start: impl FnOnce() -> io::Result<tokio::process::Child>,
) -> io::Result<(i32, Child, tokio::process::Child)> {
    let mut children = children();
    let handle = start()?;
    let pid = handle.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    let started = find(pid).map_or(0, |found| found.started);
    let child = Child { started, bond };
    children.insert(pid, child);
    Ok((pid, child, handle))
}

/// Forgets a program that was cleared away, or whose handle was dropped after it was killed.
pub(super) fn remove(pid: i32) {
    children().remove(&pid);
}

/// Returns all whose number `table` does not show to have passed to somebody else, by their pids.
pub(super) fn as_of(table: &Table) -> BTreeMap<i32, Child> {
    let is_it = |pid: i32, child: &Child| table.get(pid).is_none_or(|found| found.started == child.started);
    let mut children = children().clone();
    children.retain(|pid, child| is_it(*pid, child));
    children
}

//! Sweeping: kill and reap until nothing is left.
//!
//! Whom a sweep may kill is decided by pure functions over one look at the process table; the loop around them
//! looks, reaps, kills and looks again. It reaps by single pids and never "any child": that would take the exit
//! statuses of our own children away from the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use cogwork_schemas::ProcessIdentity;
use rustix::process::{Pid, Signal, WaitOptions};

use super::children::{self, Child};
use super::table::{Process, Table};
use super::{Bond, identified, marked_in, os, own_pid, table};
use crate::clock;

/// How long a sweep goes on. A killed process is gone within milliseconds; what is still there after this hangs in
/// the kernel, and no further signal helps.
const SWEEP_LIMIT: Duration = Duration::from_secs(5);

/// The longest wait between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// What a sweep removes. Never this process, never one that it descends from, never a [`Bond::Free`] program.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// Everything below this process.
    pub descendants: bool,
    /// These, and what is below them, stay.
    pub keep: Vec<i32>,
    /// Processes with one of these markers (see [`super::marked`]), and what is below them.
    pub markers: Vec<String>,
    /// Processes that work inside one of these directories (see [`super::inside`]), and what is below them. Not those
    /// that a terminal controls: a person may stand there and look.
    pub dirs: Vec<PathBuf>,
    /// These very processes as long as they are who they were, and what is below them.
    pub processes: Vec<ProcessIdentity>,
}

impl Sweep {
    /// Returns the processes that are to go, and with them everything below.
    fn roots(&self, table: &Table) -> BTreeSet<i32> {
        let mut roots = BTreeSet::new();
        if self.descendants {
            roots.extend(table.below([own_pid()]));
        }
        roots.extend(self.markers.iter().flat_map(|marker| marked_in(table, marker)));
        let is_persons = |pid: &i32| table.get(*pid).is_some_and(|process| process.has_terminal);
        let inside = self.dirs.iter().flat_map(|dir| os::SIGHT.inside(table, dir));
        roots.extend(inside.filter(|pid| !is_persons(pid)));
        let is_it = |process: &&ProcessIdentity| {
            table.get(process.pid).is_some_and(|found| os::SIGHT.is_it(found, process))
        };
        roots.extend(self.processes.iter().filter(is_it).map(|process| process.pid));
        roots
    }
}

/// Kills what `sweep` names and reaps what of it we adopted, until nothing of it is left or 5 s have passed.
/// Returns what is left.
pub async fn sweep(sweep: &Sweep) -> Vec<ProcessIdentity> {
    let left = kill_until_none(|table| {
        let free = children::as_of(table).into_iter().filter(|(_, child)| child.bond == Bond::Free);
        let keep = free.map(|(pid, _)| pid).chain(sweep.keep.iter().copied());
        victims(table, own_pid(), &sweep.roots(table), &keep.collect())
    });
    left.await
}

/// Kills everything below this process except [`Bond::Free`] programs; returns what is left after at most 5 s.
pub async fn kill_descendants() -> Vec<ProcessIdentity> {
    let everything = Sweep { descendants: true, ..Sweep::default() };
    sweep(&everything).await
}

/// Removes what the program `pid` left behind, and nothing of the other programs that run here.
pub(super) async fn clear_tree(pid: i32, child: Child) {
    os::kill_left_group(pid);
    let left = kill_until_none(|table| tree(table, own_pid(), pid, child, &children::as_of(table))).await;
    if !left.is_empty() {
        tracing::warn!(?left, "processes are left that cannot be killed");
    }
}

/// Kills once what belongs to the program `pid`, without waiting.
pub(super) fn kill_tree_once(pid: i32, child: Child) {
    let table = table();
    for victim in tree(&table, own_pid(), pid, child, &children::as_of(&table)) {
        kill(&table, victim);
    }
}

/// Signals what is below the process `pid` and in its session, but not itself.
pub(super) fn signal_below(pid: i32, signal: Signal) {
    let table = table();
    for found in table.below([pid]).into_iter().filter_map(|below| table.get(below)) {
        if found.alive && found.session == pid {
            os::signal_exactly(*found, signal);
        }
    }
}

/// Reaps the adopted children that have ended.
pub(super) fn reap_adopted() {
    reap(&table());
}

async fn kill_until_none(victims: impl Fn(&Table) -> BTreeSet<i32>) -> Vec<ProcessIdentity> {
    let end = clock::now() + SWEEP_LIMIT;
    let mut pause = Duration::from_millis(1);
    // One look is not one moment: a process that was born while we looked may be missing from it. So after a kill
    // it takes two looks without a find.
    let mut empty_looks = 1;
    loop {
        let table = table();
        reap(&table);
        let found = victims(&table);
        if found.is_empty() {
            empty_looks += 1;
            if empty_looks >= 2 {
                return Vec::new();
            }
            continue;
        }
        if clock::now() >= end {
            let left = found.iter().filter_map(|pid| table.get(*pid));
            return left.copied().map(identified).collect();
        }
        for pid in found {
            kill(&table, pid);
        }
        empty_looks = 0;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn kill(table: &Table, pid: i32) {
    if let Some(process) = table.get(pid) {
        os::signal_exactly(*process, Signal::KILL);
    }
}

/// Takes the statuses of adopted children that are dead, so that they leave the process table.
fn reap(table: &Table) {
    for orphan in orphans(table, own_pid(), &children::as_of(table)).filter(|orphan| !orphan.alive) {
        if let Some(pid) = Pid::from_raw(orphan.pid) {
            // Fails only if somebody else was faster, which is as good.
            rustix::process::waitpid(Some(pid), WaitOptions::NOHANG).ok();
        }
    }
}

/// Returns the living processes that are to be killed: `roots` and what is below them, without `keep` and what is
/// below that, and without ourselves and what we descend from.
fn victims(table: &Table, own: i32, roots: &BTreeSet<i32>, keep: &BTreeSet<i32>) -> BTreeSet<i32> {
    let mut spared = table.line_of(own);
    // What lives below a spared root is not meant: marking our own parent does not make us a target.
    let roots: Vec<i32> = roots.iter().copied().filter(|pid| !spared.contains(pid)).collect();
    spared.extend([0, 1]);
    spared.extend(keep);
    spared.extend(table.below(keep.iter().copied()));
    let mut victims = table.below(roots.iter().copied());
    victims.extend(roots);
    let is_alive = |pid: &i32| table.get(*pid).is_some_and(|process| process.alive);
    victims.difference(&spared).copied().filter(is_alive).collect()
}

/// Returns what belongs to the program `pid` that we started: its session, what is below it, and the orphans it
/// left us, with what is below them.
///
/// An orphan with a session of its own does not show whose it was. As long as another program runs here that may
/// have left it and still need it, it stays; the last program to end takes all of them away.
fn tree(table: &Table, own: i32, pid: i32, child: Child, children: &BTreeMap<i32, Child>) -> BTreeSet<i32> {
    let mut others = children.clone();
    others.remove(&pid);
    let mut roots = BTreeSet::new();
    // The number passes to a stranger only when the whole session is gone; then nothing in it is ours.
    if table.get(pid).is_none_or(|found| found.started == child.started) {
        roots.extend(table.iter().filter(|found| found.session == pid).map(|found| found.pid));
        roots.extend(table.below([pid]));
    }
    // `Asked` programs adopt their own orphans, `Free` ones leave none, and what a dead one left has to go anyway.
    let is_alive = |pid: &i32| table.get(*pid).is_some_and(|found| found.alive);
    let may_own = |(pid, other): (&i32, &Child)| other.bond == Bond::Killed && is_alive(pid);
    if !others.iter().any(may_own) {
        roots.extend(orphans(table, own, children).map(|orphan| orphan.pid));
    }
    // The session of one that has ended but is still read stays until it is cleared away itself.
    let is_others = |found: &&Process| others.contains_key(&found.pid) || others.contains_key(&found.session);
    let keep = table.iter().filter(is_others).map(|found| found.pid).collect();
    victims(table, own, &roots, &keep)
}

/// Returns our children that we did not start. A child in our own session was started by other means than
/// [`super::Spawn`], which gives each program a session; nothing that we started can come back into ours.
fn orphans<'a>(
    table: &'a Table,
    own: i32,
    children: &'a BTreeMap<i32, Child>,
) -> impl Iterator<Item = &'a Process> {
    let own_session = table.get(own).map_or(0, |own| own.session);
    table.iter().filter(move |process| {
        process.parent == own && process.session != own_session && !children.contains_key(&process.pid)
    })
}

#[cfg(test)]
mod tests;

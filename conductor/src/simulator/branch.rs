//! The simulated main branch: commits as what they hold, tasks that fail, hang, or are done though the run is dead.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{AttemptId, Check, SessionId};
use cogwork_store::NewLanding;

use super::agents::report;
use super::world::{Port, World};
use crate::main_branch::{Collected, Merged, Moved, Task, TaskAnswer, TaskId};
use crate::ports::{Input, MainBranch};

/// The repository of a person, with its main branch.
#[derive(Debug)]
pub(super) struct Branch {
    /// What is in a commit.
    contents: BTreeMap<String, BTreeSet<AttemptId>>,
    /// The main branch, oldest first.
    history: Vec<String>,
    next: u64,
    /// The file of a person's that a landing would overwrite.
    pub(super) in_the_way: Option<String>,
    pub(super) is_gone: bool,
    /// Commits that change what others changed, too.
    conflicting: BTreeSet<String>,
    /// What a person has taken off the main branch.
    pub(super) rewound: BTreeSet<AttemptId>,
    under_way: BTreeSet<TaskId>,
    /// Answers that come when their tasks are given up.
    on_its_way: BTreeMap<TaskId, TaskAnswer>,
    /// The commits that the main branch was to be moved to when git failed: nobody was told whether it was.
    pub(super) doubtful: BTreeSet<String>,
    /// The merge that was made last, and all on which every check was green.
    merged: Option<String>,
    green: BTreeSet<String>,
}

impl Default for Branch {
    fn default() -> Self {
        let root = "g0".to_owned();
        Self {
            contents: BTreeMap::from([(root.clone(), BTreeSet::new())]),
            history: vec![root],
            next: 1,
            in_the_way: None,
            is_gone: false,
            conflicting: BTreeSet::new(),
            rewound: BTreeSet::new(),
            under_way: BTreeSet::new(),
            on_its_way: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            merged: None,
            green: BTreeSet::new(),
        }
    }
}

impl Branch {
    pub(super) fn tip(&self) -> &String {
        self.history.last().unwrap()
    }

    /// Returns what is on the main branch.
    pub(super) fn attempts(&self) -> BTreeSet<AttemptId> {
        self.contents[self.tip()].clone()
    }

    fn commit(&mut self, contents: BTreeSet<AttemptId>) -> String {
        let name = format!("g{}", self.next);
        self.next += 1;
        self.contents.insert(name.clone(), contents);
        name
    }

    /// A session commits its work.
    pub(super) fn hand_in(&mut self, commit: &str, attempt: AttemptId, base: &BTreeSet<AttemptId>) {
        let mut contents = base.clone();
        contents.insert(attempt);
        self.contents.insert(commit.to_owned(), contents);
    }

    /// Somebody changes what this commit changes.
    pub(super) fn contradict(&mut self, commit: &str) {
        self.conflicting.insert(commit.to_owned());
        self.person_commits();
    }

    pub(super) fn person_commits(&mut self) {
        let tip = self.commit(self.attempts());
        self.history.push(tip);
    }

    /// Moves the main branch back by one and returns what it lost.
    pub(super) fn person_rewinds(&mut self) -> BTreeSet<AttemptId> {
        if self.history.len() < 2 {
            return BTreeSet::new();
        }
        let before = self.attempts();
        self.history.pop();
        let lost = &before - &self.attempts();
        self.rewound.extend(&lost);
        lost
    }

    /// Returns whether a commit is on the main branch.
    pub(super) fn holds(&self, commit: &str) -> bool {
        !self.is_gone
            && self
                .contents
                .get(commit)
                .is_some_and(|contents| contents.is_subset(&self.contents[self.tip()]))
    }

    pub(super) fn forget_tasks(&mut self) {
        self.under_way.clear();
        self.on_its_way.clear();
    }
}

impl MainBranch for Port {
    fn begin(&mut self, id: TaskId, task: &Task) {
        self.0.borrow_mut().begin_task(id, task);
    }

    fn abandon(&mut self, id: TaskId) {
        let mut world = self.0.borrow_mut();
        world.say(|| format!("→ abandon {id:?}"));
        world.branch.under_way.remove(&id);
        // Now and then its answer is in the queue already.
        if !world.dice(4) {
            world.take_back(|input| matches!(input, Input::Main { id: answered, .. } if *answered == id));
        }
        if let Some(answer) = world.branch.on_its_way.remove(&id) {
            let ms = world.rng.i64(0..5_000);
            world.deliver(ms, Input::Main { id, answer });
        }
    }
}

impl World {
    /// Some of the newest sessions that are over: an earlier run may have cleared them away, or not.
    pub(super) fn leftovers(&mut self) -> Vec<SessionId> {
        let live = self.store.live_attempts().unwrap();
        let newest = self.store.next_session().unwrap().0 - 1;
        let over = (1..=newest).rev().take(6).map(SessionId);
        let over: Vec<_> = over.filter(|id| live.iter().all(|attempt| attempt.session != *id)).collect();
        over.into_iter().filter(|_| self.rng.bool()).collect()
    }

    fn begin_task(&mut self, id: TaskId, task: &Task) {
        if self.is_dead {
            return;
        }
        self.say(|| format!("→ {id:?} {task:?}"));
        let faults = self.faults;
        if self.chance(faults.crash) {
            return self.kill();
        }
        if let Task::Keep { session, taken } = task {
            self.check_keep(*session, taken);
        } else if let Task::Confirm { .. } = task {
            // Somebody thinks of something more at the last moment.
            if self.dice(12) {
                self.import(1);
            }
        } else {
            assert!(self.branch.under_way.is_empty(), "two landings at once");
        }
        if !matches!(task, Task::Keep { .. }) {
            self.branch.under_way.insert(id);
        }
        let is_failing = self.chance(faults.git);
        // Whether it was done before it failed is anybody's guess.
        let answer = if is_failing && self.rng.bool() { None } else { Some(self.done(task)) };
        if self.chance(faults.crash) {
            return self.kill();
        }
        if let (true, Task::Move { to, .. }) = (is_failing, task) {
            self.branch.doubtful.insert(to.clone());
        }
        let answer = match answer {
            Some(answer) if !is_failing => answer,
            Some(_) | None if self.rng.u32(0..3) > 0 => {
                TaskAnswer::Failed { reason: "the disk is full".into() }
            }
            // It hangs, and answers when nobody waits for it any more.
            Some(answer) if self.rng.bool() => {
                self.branch.under_way.remove(&id);
                self.branch.on_its_way.insert(id, answer);
                return;
            }
            // It hangs; nobody hears of it again.
            Some(_) | None => {
                self.branch.under_way.remove(&id);
                return;
            }
        };
        self.branch.under_way.remove(&id);
        let ms = self.rng.i64(1..700);
        self.deliver(ms, Input::Main { id, answer });
    }

    fn done(&mut self, task: &Task) -> TaskAnswer {
        match task {
            Task::Collect { commit, foreign, .. } => {
                TaskAnswer::Collected(self.collect(commit.as_deref(), foreign))
            }
            Task::Merge { tip, .. } => TaskAnswer::Merged(self.merge(tip)),
            Task::Check { checks } | Task::CheckInProject { checks } => {
                let is_red = self.dice(8);
                let run = |check: &Check| report(check.clone(), !is_red && check.command != "false");
                let reports: Vec<_> = checks.iter().map(run).collect();
                if reports.iter().all(|report| report.verdict.is_green()) {
                    self.branch.green.extend(self.branch.merged.clone());
                }
                TaskAnswer::Checked(reports)
            }
            Task::Move { from, to, .. } => TaskAnswer::Moved(self.move_branch(from, to)),
            Task::Keep { .. } => {
                let stays = self.dice(20).then(|| "it is in use".to_owned());
                TaskAnswer::Kept { stays }
            }
            Task::Confirm { commits } => {
                let missing: Vec<_> =
                    commits.iter().filter(|commit| !self.branch.holds(commit)).cloned().collect();
                self.missing = Some(missing.clone());
                TaskAnswer::Confirmed { missing }
            }
        }
    }

    fn collect(&mut self, commit: Option<&str>, foreign: &[String]) -> Collected {
        let Some(contents) = commit.and_then(|commit| self.branch.contents.get(commit)).cloned() else {
            return Collected::Nowhere;
        };
        let main = self.branch.attempts();
        let holds = |commit: &String| {
            let theirs = commit.strip_prefix('a').and_then(|id| id.parse().ok()).map(AttemptId);
            theirs.is_some_and(|id| contents.contains(&id) && !main.contains(&id))
        };
        if foreign.iter().any(holds) {
            return Collected::Foreign;
        }
        Collected::Here { tip: commit.unwrap_or_default().to_owned() }
    }

    fn merge(&mut self, tip: &str) -> Merged {
        if self.branch.is_gone {
            return Merged::NoBranch { reason: "the branch is gone".into() };
        }
        let onto = self.branch.tip().clone();
        let ours = self.branch.attempts();
        let theirs = self.branch.contents.get(tip).cloned();
        let theirs = theirs.unwrap_or_else(|| panic!("{tip:?} is merged and was never handed in"));
        if theirs.is_subset(&ours) {
            return Merged::AlreadyThere { onto };
        }
        if self.branch.conflicting.contains(tip) || self.dice(20) {
            return Merged::Conflict { files: vec!["a.txt".to_owned()] };
        }
        let commit = self.branch.commit(&theirs | &ours);
        self.branch.merged = Some(commit.clone());
        Merged::Clean { onto, commit }
    }

    fn move_branch(&mut self, from: &str, to: &str) -> Moved {
        if self.branch.is_gone {
            return Moved::InUse { reason: "the branch is gone".into() };
        }
        if self.branch.history.iter().any(|commit| commit == to) {
            return Moved::There;
        }
        if self.branch.tip() != from {
            return Moved::Elsewhere;
        }
        if let Some(file) = &self.branch.in_the_way {
            return Moved::InUse { reason: format!("{file} has changes") };
        }
        self.check_move(from, to);
        self.branch.history.push(to.to_owned());
        Moved::There
    }

    /// Checks that a commit brings nothing to the main branch that was not handed in for it, and that the ledger knows
    /// of it already.
    fn check_move(&self, from: &str, to: &str) {
        if self.staged.is_some() {
            return; // a test asks for what a conductor never would
        }
        let intent = NewLanding { branch: "main".into(), from: from.to_owned(), to: to.to_owned() };
        let open = self.store.open_landings().unwrap();
        assert!(open.iter().any(|open| open.intent == intent), "{intent:?} is not recorded: {open:?}");
        assert!(self.branch.green.contains(to), "{to} lands, and its checks were not run on it");
        // What a person took off may come back with work that began on it.
        let new = &(&self.branch.contents[to] - &self.branch.attempts()) - &self.branch.rewound;
        assert!(new.len() <= 1, "{to} brings {new:?} to the main branch");
    }
}

//! The main branch: a repository with a person in it, and the simulator's.

use std::path::{Path, PathBuf};

use cogwork_process::git::Git;
use cogwork_process::git::snapshot::Snapshots;
use cogwork_schemas::{AttemptId, AttemptOutcome, Check, FeatureId, Isolation, SessionId};
use cogwork_store::{Attempt, Store, Taken, handed_in_ref, session_branch, snapshot_dir, workspace_dir};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{self, Receiver};

use super::{A_WHILE, Hears, SOON, Stage, hear_real};
use crate::main_branch::{Checks, Collected, GitMain, GitSteps, Merged, Moved, Task, TaskAnswer, TaskId};
use crate::ports::{Input, MainBranch};
use cogwork_session::clock;

on_both!(
    Repository, Stage:
    what_nobody_committed_is_nowhere,
    green_work_lands_and_is_there,
    what_landed_lands_again_without_harm,
    a_conflict_is_told_and_leaves_nothing,
    a_branch_that_moved_is_left_alone,
    what_is_in_the_way_is_named_and_kept,
    edits_elsewhere_are_not_in_the_way,
    a_branch_that_nobody_looks_at_moves,
    a_branch_in_a_linked_worktree_moves_with_its_files,
    a_branch_that_is_gone_is_waited_for,
    what_a_person_took_back_is_missing,
    an_abandoned_task_is_not_answered,
    what_is_kept_is_found_without_its_workspace,
    work_with_other_work_in_it_is_foreign,
    checks_tell_red_from_green,
);

/// A repository with a main branch, on which a person may work, too.
trait Rig: Hears {
    async fn new() -> Self;
    fn main(&mut self) -> &mut dyn MainBranch;
    /// Lets a session commit something of its own on what is on the main branch and returns the commit; on top of
    /// the work of another session, if one is given.
    async fn work(&mut self, number: i64, on: Option<&str>) -> String;
    /// Lets a person commit on the main branch what contradicts a commit, or something else.
    async fn person_commits(&mut self, against: Option<&str>);
    /// Lets a person edit the file that the work of this session changes, or another one.
    async fn person_edits(&mut self, number: i64, is_in_the_way: bool);
    /// Takes the edits away.
    async fn person_tidies(&mut self);
    /// Whether nothing but a person's edits differs from the branch wherever it is checked out.
    async fn is_tidy(&mut self) -> bool;
    /// Lets a person look at another branch.
    async fn person_leaves(&mut self);
    /// Lets a person look at the main branch in another directory.
    async fn person_moves(&mut self);
    /// Lets a person delete the branch, or bring it back.
    async fn delete_branch(&mut self, is_gone: bool);
    /// Lets a person move the branch back by one commit.
    async fn person_takes_back(&mut self);
    /// Returns where the branch is.
    async fn tip(&mut self) -> String;
}

async fn what_nobody_committed_is_nowhere(rig: &mut impl Rig) {
    for commit in [None, Some("0123456789012345678901234567890123456789".to_owned())] {
        let (session, attempt) = (SessionId(9), AttemptId(9));
        let task = Task::Collect { session, attempt, commit, foreign: Vec::new() };
        assert_eq!(done(rig, task).await, TaskAnswer::Collected(Collected::Nowhere));
    }
}

async fn green_work_lands_and_is_there(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let before = rig.tip().await;
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!((&onto, rig.tip().await), (&before, before.clone()), "a merge moves nothing");
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert_eq!(rig.tip().await, merge);
    assert!(rig.is_tidy().await);
    assert_eq!(missing(rig, &[&merge, &work]).await, Vec::<String>::new());
}

async fn what_landed_lands_again_without_harm(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There, "it is there, whoever brought it");
    assert_eq!(collected(rig, 1, &work, &[]).await, Collected::Here { tip: work.clone() });
    let again = done(rig, merge_of(&work)).await;
    assert_eq!(again, TaskAnswer::Merged(Merged::AlreadyThere { onto: merge }));
}

async fn a_conflict_is_told_and_leaves_nothing(rig: &mut impl Rig) {
    let (work, other) = (rig.work(1, None).await, rig.work(2, None).await);
    rig.person_commits(Some(&work)).await;
    let before = rig.tip().await;
    assert_eq!(collected(rig, 1, &work, &[]).await, Collected::Here { tip: work.clone() });
    let answer = done(rig, merge_of(&work)).await;
    let TaskAnswer::Merged(Merged::Conflict { files }) = answer else { panic!("{answer:?}") };
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(rig.tip().await, before);
    assert!(rig.is_tidy().await);
    let (onto, merge) = merged(rig, 2, &other).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert_eq!(missing(rig, &[&work, &other]).await, [work]);
}

async fn a_branch_that_moved_is_left_alone(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let (onto, merge) = merged(rig, 1, &work).await;
    rig.person_commits(None).await;
    // What else is in the way does not matter then.
    rig.person_edits(1, true).await;
    let theirs = rig.tip().await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::Elsewhere);
    assert_eq!(rig.tip().await, theirs);
    rig.person_tidies().await;
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(onto, theirs);
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
}

async fn what_is_in_the_way_is_named_and_kept(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let (onto, merge) = merged(rig, 1, &work).await;
    rig.person_edits(1, true).await;
    for _ in 0..2 {
        let Moved::InUse { reason } = moved(rig, &onto, &merge).await else { panic!("it was overwritten") };
        assert!(reason.contains("1.txt"), "{reason}");
        assert_eq!(rig.tip().await, onto);
        assert!(rig.is_tidy().await);
    }
    rig.person_tidies().await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert!(rig.is_tidy().await);
}

async fn edits_elsewhere_are_not_in_the_way(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    rig.person_edits(1, false).await;
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert!(rig.is_tidy().await);
}

async fn a_branch_that_nobody_looks_at_moves(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let (onto, merge) = merged(rig, 1, &work).await;
    rig.person_leaves().await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert!(rig.is_tidy().await);
    assert_eq!(missing(rig, &[&merge]).await, Vec::<String>::new());
}

async fn a_branch_in_a_linked_worktree_moves_with_its_files(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    rig.person_moves().await;
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    assert!(rig.is_tidy().await);
}

async fn a_branch_that_is_gone_is_waited_for(rig: &mut impl Rig) {
    let (work, other) = (rig.work(1, None).await, rig.work(2, None).await);
    let (onto, merge) = merged(rig, 1, &work).await;
    rig.delete_branch(true).await;
    assert!(matches!(moved(rig, &onto, &merge).await, Moved::InUse { .. }));
    assert_eq!(collected(rig, 2, &other, &[]).await, Collected::Here { tip: other.clone() });
    let answer = done(rig, merge_of(&other)).await;
    assert!(matches!(answer, TaskAnswer::Merged(Merged::NoBranch { .. })), "{answer:?}");
    assert_eq!(missing(rig, &[&onto]).await, std::slice::from_ref(&onto));
    rig.delete_branch(false).await;
    let (onto, merge) = merged(rig, 2, &other).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
}

async fn what_a_person_took_back_is_missing(rig: &mut impl Rig) {
    let (first, second) = (rig.work(1, None).await, rig.work(2, None).await);
    let (onto, kept) = merged(rig, 1, &first).await;
    assert_eq!(moved(rig, &onto, &kept).await, Moved::There);
    let (onto, lost) = merged(rig, 2, &second).await;
    assert_eq!(moved(rig, &onto, &lost).await, Moved::There);
    rig.person_takes_back().await;
    assert_eq!(missing(rig, &[&kept, &lost]).await, [lost]);
}

async fn an_abandoned_task_is_not_answered(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let collect = |session, commit: &str| Task::Collect {
        session: SessionId(session),
        attempt: AttemptId(session),
        commit: Some(commit.to_owned()),
        foreign: Vec::new(),
    };
    rig.main().begin(TaskId(50), &collect(1, &work));
    rig.main().abandon(TaskId(50));
    assert!(rig.hear(A_WHILE).await.is_none());
    // One that is over, and one that never was.
    rig.main().abandon(TaskId(50));
    rig.main().abandon(TaskId(51));
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
}

async fn what_is_kept_is_found_without_its_workspace(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    let outcome = Some(AttemptOutcome::Stopped);
    let taken = vec![Taken { attempt: attempt(1), outcome }];
    for _ in 0..2 {
        let keep = Task::Keep { session: SessionId(1), taken: taken.clone() };
        assert_eq!(done(rig, keep).await, TaskAnswer::Kept { stays: None });
    }
    let (onto, merge) = merged(rig, 1, &work).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
}

async fn work_with_other_work_in_it_is_foreign(rig: &mut impl Rig) {
    let other = rig.work(1, None).await;
    let work = rig.work(2, Some(&other)).await;
    assert_eq!(collected(rig, 2, &work, &[&other]).await, Collected::Foreign);
    assert_eq!(collected(rig, 2, &work, &[]).await, Collected::Here { tip: work.clone() });
    let (onto, merge) = merged(rig, 1, &other).await;
    assert_eq!(moved(rig, &onto, &merge).await, Moved::There);
    // Once it has landed it is everybody's.
    assert_eq!(collected(rig, 2, &work, &[&other]).await, Collected::Here { tip: work });
}

async fn checks_tell_red_from_green(rig: &mut impl Rig) {
    let work = rig.work(1, None).await;
    merged(rig, 1, &work).await;
    let checks = vec![Check::new("true"), Check::new("false")];
    let answer = done(rig, Task::Check { checks }).await;
    let TaskAnswer::Checked(reports) = answer else { panic!("{answer:?}") };
    let green: Vec<_> = reports.iter().map(|report| report.verdict.is_green()).collect();
    assert_eq!(green, [true, false], "{reports:?}");
}

/// Asks for a task, and returns its answer.
async fn done(rig: &mut impl Rig, task: Task) -> TaskAnswer {
    rig.main().begin(TaskId(1), &task);
    match rig.hear(SOON).await {
        Some(Input::Main { id: TaskId(1), answer }) => answer,
        other => panic!("{other:?} instead of an answer to {task:?}"),
    }
}

async fn collected(rig: &mut impl Rig, number: i64, commit: &str, foreign: &[&str]) -> Collected {
    let foreign = foreign.iter().map(|&commit| commit.to_owned()).collect();
    let (session, attempt) = (SessionId(number), AttemptId(number));
    let task = Task::Collect { session, attempt, commit: Some(commit.to_owned()), foreign };
    let answer = done(rig, task).await;
    let TaskAnswer::Collected(collected) = answer else { panic!("{answer:?}") };
    collected
}

fn merge_of(tip: &str) -> Task {
    Task::Merge { tip: tip.to_owned(), base: None, message: "Merge".to_owned() }
}

/// Collects work and merges it; returns what it was merged onto, and the merge.
async fn merged(rig: &mut impl Rig, number: i64, work: &str) -> (String, String) {
    assert_eq!(collected(rig, number, work, &[]).await, Collected::Here { tip: work.to_owned() });
    let answer = done(rig, merge_of(work)).await;
    let TaskAnswer::Merged(Merged::Clean { onto, commit }) = answer else { panic!("{answer:?}") };
    (onto, commit)
}

async fn moved(rig: &mut impl Rig, from: &str, to: &str) -> Moved {
    let task = Task::Move { from: from.to_owned(), to: to.to_owned(), message: "land".to_owned() };
    let answer = done(rig, task).await;
    let TaskAnswer::Moved(moved) = answer else { panic!("{answer:?}") };
    moved
}

async fn missing(rig: &mut impl Rig, commits: &[&str]) -> Vec<String> {
    let commits = commits.iter().map(|&commit| commit.to_owned()).collect();
    let answer = done(rig, Task::Confirm { commits }).await;
    let TaskAnswer::Confirmed { missing } = answer else { panic!("{answer:?}") };
    missing
}

fn attempt(number: i64) -> Attempt {
    Attempt {
        id: AttemptId(number),
        feature: FeatureId(number),
        session: SessionId(number),
        isolation: Isolation::Workspace,
        number: 1,
        submitted: None,
        lease_until: None,
        started_at: Timestamp::UNIX_EPOCH,
        already_green: false,
        base: None,
    }
}

/// A repository on a disk, with the files `1.txt` to `3.txt`.
struct Repository {
    home: tempfile::TempDir,
    main: GitMain,
    inputs: Receiver<Input>,
    /// Where the person has the main branch checked out.
    seen_in: Option<PathBuf>,
    /// What the person has edited there.
    edited: Vec<String>,
    deleted: Option<String>,
}

impl Repository {
    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.project(), arguments)
    }
}

/// Lets a person use git.
fn git(dir: &Path, arguments: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "a person, who knows nothing of the crate `process`")]
    let mut command = std::process::Command::new("git");
    let who = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"];
    let output = command.args(who).args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

impl Hears for Repository {
    async fn hear(&mut self, within: SignedDuration) -> Option<Input> {
        hear_real(&mut self.inputs, within).await
    }
}

impl Rig for Repository {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("project");
        std::fs::create_dir(&project).unwrap();
        Git::init(&project).await.unwrap();
        drop(Store::create(&project, clock::source()).unwrap());
        for number in 1..=3 {
            std::fs::write(project.join(format!("{number}.txt")), "as it was\n").unwrap();
        }
        git(&project, &["add", "."]);
        git(&project, &["commit", "--quiet", "-m", "first"]);
        // A branch that is moved back has to have something before.
        git(&project, &["commit", "--quiet", "--allow-empty", "-m", "second"]);
        let (sender, inputs) = mpsc::channel(256);
        let path = vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
        let checks = Checks::new(&project, path);
        let steps = GitSteps::new(project.clone(), "main".to_owned(), checks.clone());
        let main = GitMain::new(Some(steps), checks, sender);
        Self { home, main, inputs, seen_in: Some(project), edited: Vec::new(), deleted: None }
    }

    fn main(&mut self) -> &mut dyn MainBranch {
        &mut self.main
    }

    async fn work(&mut self, number: i64, on: Option<&str>) -> String {
        let workspace = workspace_dir(&self.project(), SessionId(number));
        let branch = session_branch(SessionId(number));
        let theirs = Git::clone_shared(&self.project(), &workspace, &branch).await.unwrap();
        if let Some(on) = on {
            let from = workspace_dir(&self.project(), SessionId(number - 1));
            theirs.fetch(&from, &format!("{on}:refs/heads/before")).await.unwrap();
            theirs.reset_hard_clean(on).await.unwrap();
        }
        std::fs::write(workspace.join(format!("{number}.txt")), format!("of session {number}\n")).unwrap();
        let base = theirs.resolve("refs/remotes/origin/main").await.unwrap().unwrap();
        let own = snapshot_dir(&self.project(), SessionId(number));
        let snapshots = Snapshots::make(&own, &workspace, &self.project(), &base).await.unwrap();
        let snapshot = snapshots.take_snapshot().await.unwrap();
        let name = handed_in_ref(AttemptId(number));
        snapshots.keep_work(&snapshot, &name, "work", &[]).await.unwrap()
    }

    async fn person_commits(&mut self, against: Option<&str>) {
        let file = if against.is_some() { "1.txt" } else { "3.txt" };
        std::fs::write(self.project().join(file), "of a person\n").unwrap();
        self.git(&["commit", "--quiet", "-a", "-m", "a person's"]);
    }

    async fn person_edits(&mut self, number: i64, is_in_the_way: bool) {
        let file = if is_in_the_way { format!("{number}.txt") } else { "3.txt".to_owned() };
        std::fs::write(self.project().join(&file), "not committed yet\n").unwrap();
        self.edited.push(format!(" M {file}"));
    }

    async fn person_tidies(&mut self) {
        self.git(&["checkout", "--quiet", "--", "."]);
        self.edited.clear();
    }

    async fn is_tidy(&mut self) -> bool {
        let Some(dir) = &self.seen_in else { return self.git(&["status", "--porcelain"]).is_empty() };
        let differing = git(dir, &["status", "--porcelain"]);
        differing.lines().collect::<Vec<_>>() == self.edited
    }

    async fn person_leaves(&mut self) {
        self.git(&["checkout", "--quiet", "-b", "elsewhere"]);
        self.seen_in = None;
    }

    async fn person_moves(&mut self) {
        self.person_leaves().await;
        let linked = self.home.path().join("linked");
        self.git(&["worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
        self.seen_in = Some(linked);
    }

    async fn delete_branch(&mut self, is_gone: bool) {
        if is_gone {
            self.deleted = Some(self.tip().await);
            self.git(&["checkout", "--quiet", "--detach"]);
            self.git(&["branch", "--quiet", "-D", "main"]);
        } else {
            self.git(&["branch", "main", self.deleted.as_deref().unwrap()]);
        }
    }

    async fn person_takes_back(&mut self) {
        self.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    }

    async fn tip(&mut self) -> String {
        self.git(&["rev-parse", "refs/heads/main"])
    }
}

impl Rig for Stage {
    async fn new() -> Self {
        Self::set()
    }

    fn main(&mut self) -> &mut dyn MainBranch {
        &mut self.port
    }

    async fn work(&mut self, number: i64, on: Option<&str>) -> String {
        self.world(|world| {
            let mut base = world.branch.attempts();
            // Each work of this stage is called after its attempt.
            base.extend(on.map(|on| AttemptId(on[1..].parse().unwrap())));
            let commit = format!("a{number}");
            world.branch.hand_in(&commit, AttemptId(number), &base);
            commit
        })
    }

    async fn person_commits(&mut self, against: Option<&str>) {
        self.world(|world| match against {
            Some(commit) => world.branch.contradict(commit),
            None => world.branch.person_commits(),
        });
    }

    async fn person_edits(&mut self, number: i64, is_in_the_way: bool) {
        self.world(|world| world.branch.in_the_way = is_in_the_way.then(|| format!("{number}.txt")));
    }

    async fn person_tidies(&mut self) {
        self.world(|world| world.branch.in_the_way = None);
    }

    async fn is_tidy(&mut self) -> bool {
        true
    }

    async fn person_leaves(&mut self) {}

    async fn person_moves(&mut self) {}

    async fn delete_branch(&mut self, is_gone: bool) {
        self.world(|world| world.branch.is_gone = is_gone);
    }

    async fn person_takes_back(&mut self) {
        self.world(|world| drop(world.branch.person_rewinds()));
    }

    async fn tip(&mut self) -> String {
        self.world(|world| world.branch.tip().clone())
    }
}

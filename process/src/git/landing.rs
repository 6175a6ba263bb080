//! Landing: moving a branch from one commit to another, together with every working tree that has it checked out.
//!
//! `git update-ref` under a branch that is checked out would leave the move as its own reversal, staged. So where the
//! branch is checked out, files and index move with it, under the index's own lock; where it is not, the branch alone
//! moves, whatever a person looks at meanwhile. What a person has edited, staged or left in the way is never
//! overwritten: the landing waits and says for what. Landed is what *is* on the branch afterwards.
//!
//! What is about to happen stands in a file before it begins ([`BranchMove::intent`]). A landing that was killed at any
//! moment is finished or undone by [`Git::heal_landing`], which can be killed as well.
//!
//! The steps: look whether the branch is where it should be, where it is checked out, and whether a person uses it or has
//! something in the way. Write the intent. Lock the index of each tree. Move the files, with a draft of the index
//! (`read-tree -m -u`). Put the draft in its place. Swap the branch if it has not moved (`update-ref`), else undo. Look
//! again for trees that left the branch or came to it meanwhile. Unlock, and remove the intent.
//!
//! The branch moves last. What a person sees at any moment, and finds after a kill, is at worst a landing that is not
//! committed yet, never one that is taken back.

mod index;
mod intent;
mod obstacle;
mod outwait;
mod reason;
mod settle;
mod trees;
mod worktree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::call::lines;
use super::{Git, GitError, name};
use index::LockedIndex;
use intent::Intent;
use settle::settle;
use trees::Changes;
use worktree::Worktree;

/// How often a landing looks again because a person switched branches under it.
const TRIES: u32 = 5;

/// A branch that is to be moved.
#[derive(Clone, Copy)]
pub struct BranchMove<'a> {
    /// Its name, without `refs/heads/`.
    pub branch: &'a str,
    /// The commit where it has to be.
    pub from: &'a str,
    /// The commit to move it to, which contains `from`.
    pub to: &'a str,
    /// What its reflog says about it.
    pub message: &'a str,
    /// The file in which the landing is written down while it lasts.
    pub intent: &'a Path,
    /// Told of each step as it is done: for logs, and for tests that end the process there.
    pub on_step: &'a (dyn Fn(Step) + Sync),
}

/// A step of a landing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    IntentWritten,
    IndexLocked,
    /// The files are as they will be; index and branch are not.
    FilesMoved,
    IndexMoved,
    BranchMoved,
    IntentRemoved,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [
        Self::IntentWritten,
        Self::IndexLocked,
        Self::FilesMoved,
        Self::IndexMoved,
        Self::BranchMoved,
        Self::IntentRemoved,
    ];
}

/// What came of a landing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The commit is on the branch.
    Landed,
    /// The branch is somewhere else, and nothing was changed: merge again.
    Moved,
    /// A person uses the branch in a way that does not allow it yet; nothing was changed.
    InUse {
        worktree: PathBuf,
        /// What is in the way there; none when it is no file.
        files: Vec<String>,
        /// All of it, and what the person can do.
        sentence: String,
    },
    /// There is no such branch.
    Gone,
}

/// What was done about a landing of an earlier life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healed {
    /// There was none.
    NothingToDo,
    /// It is on the branch now.
    Landed,
    /// It is not, and nothing of it is left in any tree.
    Undone,
}

/// A landing with all that it has found out.
struct Landable<'a> {
    git: &'a Git,
    intent: Intent,
    file: &'a Path,
    branch: String,
    changes: Changes,
    config: Vec<String>,
    on_step: &'a (dyn Fn(Step) + Sync),
}

impl Git {
    /// Moves a branch, with the working trees that have it checked out. Afterwards nothing but a person's own edits
    /// differs from HEAD anywhere.
    ///
    /// # Errors
    ///
    /// As every call of git. Then the intent stays, and what the landing left is settled by the next one, or by
    /// [`Git::heal_landing`].
    pub async fn land(&self, wish: &BranchMove<'_>) -> Result<Landing, GitError> {
        name::check_branch(wish.branch)?;
        if let Some(left) = Intent::read(wish.intent)
            && let Some(landable) = self.landable(left, wish.intent, wish.on_step).await?
        {
            // An error, or a tree that was locked, kept an earlier landing from its end.
            landable.settle_all().await?;
            landable.clear_intent()?;
        }
        let intent = Intent {
            from: wish.from.to_owned(),
            to: wish.to.to_owned(),
            branch: Some(format!("refs/heads/{}", wish.branch)),
            worktrees: Vec::new(),
            message: wish.message.to_owned(),
        };
        match self.landable(intent, wish.intent, wish.on_step).await? {
            Some(mut landable) => landable.land().await,
            None => Err(GitError::BadName {
                name: wish.to.to_owned(),
                what: "a commit: there is none of that name",
            }),
        }
    }

    /// Finishes the landing that `intent` tells of, or undoes it where it cannot be finished; does nothing when there
    /// is none. No landing may run at the same time.
    ///
    /// # Errors
    ///
    /// As every call of git; [`GitError::Locked`] when a person's git holds the index of a tree that has to be
    /// settled. Nothing is lost then: the intent stays.
    pub async fn heal_landing(&self, intent: &Path) -> Result<Healed, GitError> {
        let Some(left) = Intent::read(intent) else {
            intent::clear(intent)?;
            return Ok(Healed::NothingToDo);
        };
        let Some(mut landable) = self.landable(left, intent, &|_| {}).await? else {
            intent::clear(intent)?;
            return Ok(Healed::NothingToDo);
        };
        landable.settle_all().await?;
        let landing = landable.land().await?;
        if landing == Landing::Landed && Intent::read(intent).is_some() {
            // It was there already, or a tree could not follow.
            landable.settle_all().await?;
        }
        landable.clear_intent()?;
        Ok(if landing == Landing::Landed { Healed::Landed } else { Healed::Undone })
    }

    /// Returns those of `commits` that are not on the branch, in their order; all of them when it is gone. A run asks
    /// this before it says that everything landed.
    pub async fn not_on_branch(&self, branch: &str, commits: &[String]) -> Result<Vec<String>, GitError> {
        name::check_branch(branch)?;
        let Some(tip) = self.resolve(&format!("refs/heads/{branch}")).await? else {
            return Ok(commits.to_vec());
        };
        let here = self.listed(["--no-walk=unsorted"], commits.to_vec()).await?;
        let beyond = self.listed([], here.iter().cloned().chain([format!("^{tip}")]).collect()).await?;
        let is_missing = |commit: &&String| !here.contains(*commit) || beyond.contains(*commit);
        Ok(commits.iter().filter(is_missing).cloned().collect())
    }

    /// Lists commits as `rev-list` does; those that are not in the repository are passed over.
    pub(super) async fn listed<const N: usize>(
        &self,
        how: [&str; N],
        commits: Vec<String>,
    ) -> Result<BTreeSet<String>, GitError> {
        let list = self.call("look for commits", ["rev-list", "--ignore-missing", "--stdin"]).args(how);
        let said = list.stdin(commits.join("\n").into_bytes()).run().await?;
        Ok(lines(&said.stdout).map(str::to_owned).collect())
    }

    /// Finds out what has to be known of a landing; `None` when its commits are not here, so that it cannot have begun.
    async fn landable<'a>(
        &'a self,
        mut intent: Intent,
        file: &'a Path,
        on_step: &'a (dyn Fn(Step) + Sync),
    ) -> Result<Option<Landable<'a>>, GitError> {
        let (Some(from), Some(to)) = (self.resolve(&intent.from).await?, self.resolve(&intent.to).await?)
        else {
            return Ok(None);
        };
        let branch = match &intent.branch {
            Some(branch) => branch.clone(),
            None => match self.current_branch().await? {
                Some(branch) => format!("refs/heads/{branch}"),
                None => return Ok(None),
            },
        };
        name::check_ref(&branch)?;
        let changes = self.changes(&from, &to).await?;
        (intent.from, intent.to) = (from, to);
        let config = self.disarmed().await?;
        Ok(Some(Landable { git: self, intent, file, branch, changes, config, on_step }))
    }
}

impl Landable<'_> {
    async fn land(&mut self) -> Result<Landing, GitError> {
        for _ in 0..TRIES {
            if let Some(landing) = self.try_to_land().await? {
                return Ok(landing);
            }
        }
        let worktree = self.git.dir().to_owned();
        let sentence = format!("the branch `{}` is checked out and left again all the time", self.name());
        Ok(Landing::InUse { worktree, files: Vec::new(), sentence })
    }

    /// Lands it if nothing changes meanwhile; `None` when something did, and all has been undone.
    async fn try_to_land(&mut self) -> Result<Option<Landing>, GitError> {
        match self.git.resolve(&self.branch).await? {
            None => return Ok(Some(Landing::Gone)),
            Some(at) if at == self.intent.from => {}
            Some(at) if self.git.is_ancestor(&self.intent.to, &at).await? => {
                return Ok(Some(Landing::Landed));
            }
            Some(_) => return Ok(Some(Landing::Moved)),
        }
        let trees = self.git.worktrees().await?;
        if let Some(in_use) = trees.iter().find_map(|tree| self.in_use(tree)) {
            return Ok(Some(in_use));
        }
        let holders: Vec<_> = trees.into_iter().filter(|tree| self.holds(tree) && tree.is_there()).collect();
        for tree in &holders {
            let found = obstacle::in_the_way(&tree.path, &self.changes);
            if !found.is_empty()
                && let in_use @ Some(_) = self.blocked(&self.git.tree_at(&tree.path), found).await?
            {
                return Ok(in_use);
            }
        }
        self.intent.worktrees = holders.iter().map(|tree| tree.path.display().to_string()).collect();
        self.intent.write(self.file)?;
        (self.on_step)(Step::IntentWritten);
        let mut held = Vec::new();
        for tree in &holders {
            match LockedIndex::take(self.git.tree_at(&tree.path), &self.intent.mark()).await? {
                Some(locked) => held.push(locked),
                None => {
                    self.clear_intent()?;
                    let what =
                        "another git keeps its index locked (index.lock): end it, or remove what it left";
                    return Ok(Some(self.in_use_because(&tree.path, what)));
                }
            }
        }
        (self.on_step)(Step::IndexLocked);
        // HEAD may have moved before the lock was ours.
        if self.holders_now().await? != holders {
            drop(held);
            self.clear_intent()?;
            return Ok(None);
        }
        if let Some(in_use) = self.move_files(&held).await? {
            self.undo(held).await?;
            return Ok(Some(in_use));
        }
        (self.on_step)(Step::FilesMoved);
        for locked in &held {
            locked.keep_draft()?;
        }
        (self.on_step)(Step::IndexMoved);
        if !self.swap(held.first().map_or(self.git, |locked| &locked.git)).await? {
            self.undo(held).await?;
            return Ok(None);
        }
        (self.on_step)(Step::BranchMoved);
        // Where a tree could not follow yet, the intent stays: the next landing settles it, or the next start.
        if self.finish(held).await? {
            self.clear_intent()?;
            (self.on_step)(Step::IntentRemoved);
        }
        // The branch is looked at once more: landed is what is on it.
        let at = self.git.resolve(&self.branch).await?;
        Ok(match at {
            None => Some(Landing::Gone),
            Some(at) if at == self.intent.to => Some(Landing::Landed),
            Some(at) if self.git.is_ancestor(&self.intent.to, &at).await? => Some(Landing::Landed),
            Some(_) => Some(Landing::Moved),
        })
    }

    /// Moves the files of the locked trees, and drafts of their indexes; says why not if a person's work is in the way
    /// of one.
    async fn move_files(&self, held: &[LockedIndex]) -> Result<Option<Landing>, GitError> {
        for locked in held {
            locked.begin_draft()?;
            let git = &locked.git;
            let refresh = git.call("look at the files", ["update-index", "-q", "--refresh"]);
            refresh.env("GIT_INDEX_FILE", locked.draft()).config(&self.config).or_code(1).run().await?;
            let purpose = format!("move the files to {}", self.intent.to);
            let read_tree = git.call(&purpose, ["read-tree", "-m", "-u", &self.intent.from, &self.intent.to]);
            match read_tree.env("GIT_INDEX_FILE", locked.draft()).config(&self.config).run().await {
                Ok(_) => {}
                Err(GitError::Failed { purpose, exit, stderr }) => {
                    // git looks at everything before it touches anything, so this is a refusal, or a full disk.
                    let found = obstacle::in_the_way(git.dir(), &self.changes);
                    let in_use = self.blocked(git, found).await?;
                    if in_use.is_some() {
                        return Ok(in_use);
                    }
                    let failed = GitError::Failed { purpose, exit, stderr: stderr.clone() };
                    return self.refused_by_git(git, failed, &stderr).await.map(Some);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Moves the branch if it is still where it was. It runs in the tree that has it checked out, whose HEAD has a
    /// reflog, too.
    async fn swap(&self, git: &Git) -> Result<bool, GitError> {
        let Intent { from, to, message, .. } = &self.intent;
        let swap =
            git.call(&format!("move {}", self.branch), ["update-ref", "-m", message, &self.branch, to, from]);
        // Before the database hears of it.
        let swap = swap.config(["core.fsync=all", "core.fsyncMethod=fsync"]);
        match swap.config(&self.config).run().await {
            Ok(_) => Ok(true),
            // Whatever it said: the branch is there, or it is not.
            Err(failed @ GitError::Failed { .. }) => match self.git.resolve(&self.branch).await? {
                Some(at) if at == *to => Ok(true),
                Some(at) if at == *from => Err(failed),
                Some(_) | None => Ok(false),
            },
            Err(error) => Err(error),
        }
    }

    /// Unlocks the trees that still have the branch, and settles those that have left it or have come to it; says
    /// whether that was possible everywhere.
    async fn finish(&self, held: Vec<LockedIndex>) -> Result<bool, GitError> {
        let mut paths: Vec<PathBuf> = held.iter().map(|locked| locked.git.dir().to_owned()).collect();
        self.outwait_switches(&paths).await?;
        let holders = self.holders_now().await?;
        for locked in held {
            if !holders.iter().any(|tree| tree.path == locked.git.dir()) {
                settle(locked, &self.intent.from, &self.changes, &self.config).await?;
            }
        }
        let mut is_settled = true;
        for tree in holders {
            if !paths.contains(&tree.path) {
                is_settled &= self.settle_tree(&tree.path).await?;
                paths.push(tree.path);
            }
        }
        Ok(is_settled)
    }

    /// Takes back what was done to the files of the locked trees.
    async fn undo(&self, held: Vec<LockedIndex>) -> Result<(), GitError> {
        for locked in held {
            settle(locked, &self.intent.from, &self.changes, &self.config).await?;
        }
        self.clear_intent()
    }

    /// Settles every tree that the landing may have touched or should have.
    async fn settle_all(&self) -> Result<(), GitError> {
        outwait::earlier_landing(self.git.dir()).await;
        for tree in self.git.worktrees().await? {
            let was_meant = self.intent.worktrees.contains(&tree.path.display().to_string());
            if !tree.is_there() || !(was_meant || self.holds(&tree)) {
                continue;
            }
            let git = self.git.tree_at(&tree.path);
            outwait::earlier_landing(&tree.path).await;
            index::release_left_over(&git, &self.intent.mark()).await?;
            if !self.settle_tree(&tree.path).await? {
                let purpose = format!("settle the index of {}", tree.path.display());
                return Err(GitError::Locked {
                    purpose,
                    stderr: "error: index.lock: File exists".to_owned(),
                });
            }
        }
        // A git that was killed while it moved the branch leaves its locks.
        self.git.outwait_locks().await
    }

    /// Settles one tree; false when another git keeps its index locked.
    async fn settle_tree(&self, path: &Path) -> Result<bool, GitError> {
        match LockedIndex::take(self.git.tree_at(path), &self.intent.mark()).await? {
            Some(locked) => {
                settle(locked, &self.intent.from, &self.changes, &self.config).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Waits for a person's git that read the branch before it moved, and will set a HEAD only now.
    async fn outwait_switches(&self, held: &[PathBuf]) -> Result<(), GitError> {
        if held.is_empty() {
            for tree in self.git.worktrees().await?.iter().filter(|tree| tree.is_there()) {
                outwait::switches(&tree.path).await;
            }
        }
        for path in held {
            outwait::switches(path).await;
        }
        Ok(())
    }

    async fn holders_now(&self) -> Result<Vec<Worktree>, GitError> {
        let trees = self.git.worktrees().await?;
        Ok(trees.into_iter().filter(|tree| self.holds(tree) && tree.is_there()).collect())
    }

    fn holds(&self, tree: &Worktree) -> bool {
        tree.branch.as_ref() == Some(&self.branch)
    }

    fn name(&self) -> &str {
        self.branch.trim_start_matches("refs/heads/")
    }

    fn clear_intent(&self) -> Result<(), GitError> {
        intent::clear(self.file)
    }
}

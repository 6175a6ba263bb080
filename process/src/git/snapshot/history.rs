//! The history in a workspace, brought to the project: what was committed and is neither on the main branch nor handed in.
//!
//! Here, and only here, the agent's own `.git` is read. git is told to run nothing that it names (see
//! [`Git::workspace`](crate::git::Git::workspace)) and gets less time than elsewhere, because a FIFO in there holds it up
//! for ever. Each object that comes over is checked. No landing waits for any of it.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use super::beneath::{Beneath, join};
use super::{Snapshot, Snapshots, head};
use crate::git::call::{Call, DISTRUST, LOCAL, lines};
use crate::git::change::FALLBACK_IDENTITY;
use crate::git::{Git, GitError, name};

/// How long one call may take in a repository that an agent could write to.
const LIMIT: Duration = Duration::from_secs(30);

/// Commits of a repository that get a ref of their own at most.
const MOST_REFS: usize = 1000;

/// The setting with which a fetch looks at none of the refs that are there already.
const NO_REFS: &str = "fetch.hideRefs=refs";

/// A commit of a repository that an agent wrote to, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tip {
    /// Such as `head` or `branch/main`.
    name: String,
    commit: String,
}

/// The commit that a workspace is at.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) commit: String,
    /// Or else they forked before the base.
    pub(super) is_after_base: bool,
}

/// A repository that an agent could write to.
#[derive(Debug)]
struct Theirs {
    git_dir: PathBuf,
    /// The agent made it: what it fetched from elsewhere is not its work.
    is_nested: bool,
    /// It has an index that is a file.
    has_index: bool,
}

impl Git {
    /// Returns those of the tips that are at an object which this repository does not have.
    async fn missing_objects(&self, tips: Vec<Tip>) -> Result<Vec<Tip>, GitError> {
        if tips.is_empty() {
            return Ok(tips);
        }
        let wanted = tips.iter().map(|tip| format!("{}\n", tip.commit)).collect::<String>();
        let check = self.call("look for objects", ["cat-file", "--batch-check"]).stdin(wanted.into_bytes());
        let said = check.run().await?.stdout;
        let there: Vec<bool> = lines(&said).map(|line| !line.ends_with(" missing")).collect();
        Ok(tips.into_iter().zip(there).filter(|(_, is_there)| !is_there).map(|(tip, _)| tip).collect())
    }
}

impl Snapshots {
    /// Keeps what the repositories of the workspace have and none of the commits `known` has, under refs of the project
    /// below `prefix`: `head`, `branch/NAME`, `tags/NAME`, `ref/KIND/NAME`, `stash-K`, `reflog-K`, `index` for what was only
    /// staged, and for nested ones `nested-K/…`. Returns the refs.
    ///
    /// # Errors
    ///
    /// As every call of git. Then something is not kept, and the workspace must stay.
    pub async fn keep_history(
        &self,
        prefix: &str,
        snapshot: &Snapshot,
        known: &[&str],
    ) -> Result<Vec<String>, GitError> {
        let mut kept = Vec::new();
        if let Some(own) = self.own_repository()? {
            kept.extend(self.keep_tips(&own, prefix, known, &snapshot.tree).await?);
        }
        for (at, repository) in snapshot.nested.iter().enumerate() {
            if let Some(theirs) = self.nested_repository(&repository.path)? {
                let prefix = format!("{prefix}/nested-{at}");
                kept.extend(self.keep_tips(&theirs, &prefix, known, &snapshot.tree).await?);
            }
        }
        Ok(kept)
    }

    /// Brings the commit that the workspace is at to the project, with what is behind it; `None` when the base has it,
    /// when they have nothing in common, or when it cannot be had.
    pub(super) async fn bring_head(&self, base: &str) -> Option<Head> {
        let brought = async {
            let Some(theirs) = self.own_repository()? else { return Ok(None) };
            let Some(commit) = theirs.head().await?.filter(|commit| commit != base) else { return Ok(None) };
            self.fetch(&theirs, [commit.clone()]).await?;
            let fork = self.own.project.fork_of(base, &commit).await?;
            Ok(fork.filter(|fork| *fork != commit).map(|fork| Head { is_after_base: fork == base, commit }))
        };
        let brought: Result<_, GitError> = brought.await;
        brought.unwrap_or_else(|error| {
            tracing::debug!(%error, "work is handed in without its history");
            None
        })
    }

    async fn keep_tips(
        &self,
        theirs: &Theirs,
        prefix: &str,
        known: &[&str],
        tree: &str,
    ) -> Result<Vec<String>, GitError> {
        let mut tips = theirs.tips(known).await?;
        tips.extend(self.own.project.missing_objects(theirs.things().await?).await?);
        tips.extend(theirs.staged(tree).await);
        let ref_of = |tip: &Tip| format!("{prefix}/{}", tip.name);
        let spec = |tip: &Tip| format!("+{}:{}", tip.commit, ref_of(tip));
        if tips.is_empty() {
            return Ok(Vec::new());
        }
        if self.fetch(theirs, tips.iter().map(spec)).await.is_err() {
            // One that is broken takes none of the others with it.
            let mut failed = None;
            for tip in &tips {
                failed = self.fetch(theirs, [spec(tip)]).await.err().or(failed);
            }
            failed.map_or(Ok(()), Err)?;
        }
        // Of a shallow repository git passes over what it cannot take, and is content.
        let there = self.own.project.refs_below(&[prefix], None).await?;
        if let Some(tip) = tips.iter().find(|tip| !there.contains(&(ref_of(tip), tip.commit.clone()))) {
            let purpose = format!("bring over {} from {}", tip.name, theirs.git_dir.display());
            return Err(GitError::Passed { purpose });
        }
        Ok(tips.iter().map(ref_of).collect())
    }

    async fn fetch(&self, theirs: &Theirs, wanted: impl IntoIterator<Item = String>) -> Result<(), GitError> {
        let wanted: Vec<String> = wanted.into_iter().collect();
        match self.fetch_beside(theirs, &wanted, None).await {
            // What comes over is compared with all refs here, and one of them may be broken. HEAD stays.
            Err(GitError::Failed { .. }) => self.fetch_beside(theirs, &wanted, Some(NO_REFS)).await,
            fetched => fetched,
        }
    }

    async fn fetch_beside(
        &self,
        theirs: &Theirs,
        wanted: &[String],
        setting: Option<&str>,
    ) -> Result<(), GitError> {
        let args = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--",
        ];
        let purpose = format!("bring over the history in {}", theirs.git_dir.display());
        let fetch = self.own.project.call(&purpose, args).arg(&theirs.git_dir).args(wanted).limit(LIMIT);
        let fetch = fetch.config(["fetch.fsckObjects=true", "core.fsync=all", "protocol.version=2"]);
        let fetch = fetch.config(LOCAL).config(setting).config(self.own.project.disarmed().await?);
        fetch.run().await?;
        Ok(())
    }

    /// Returns the workspace's own repository; `None` when its `.git` is gone or leads elsewhere.
    ///
    /// # Errors
    ///
    /// [`GitError::NotAClone`] when there may be work in it that git cannot read.
    fn own_repository(&self) -> Result<Option<Theirs>, GitError> {
        self.repository(b".git", false)
    }

    fn nested_repository(&self, dir: &Path) -> Result<Option<Theirs>, GitError> {
        let root = self.root()?;
        let found = head::git_dir(&root, &self.own.workspace, dir.as_os_str().as_bytes());
        // A linked working tree has no history of its own.
        let found = found.filter(|git_dir| root.kind(&join(git_dir, b"commondir")).is_none());
        found.map_or(Ok(None), |git_dir| self.repository(&git_dir, true))
    }

    fn repository(&self, git_dir: &[u8], is_nested: bool) -> Result<Option<Theirs>, GitError> {
        let root = self.root()?;
        let is = |name: &[u8], kind| root.kind(&join(git_dir, name)) == Some(kind);
        if root.kind(git_dir) != Some(FileType::Directory) || root.kind(&join(git_dir, b"objects")).is_none()
        {
            return Ok(None);
        }
        let path = self.own.workspace.join(super::path(git_dir));
        if !is(b"HEAD", FileType::RegularFile) || !is(b"objects", FileType::Directory) {
            return Err(GitError::NotAClone { path });
        }
        let has_index = is(b"index", FileType::RegularFile);
        Ok(Some(Theirs { git_dir: path, is_nested, has_index }))
    }

    fn root(&self) -> Result<Beneath, GitError> {
        let unreadable = |source| GitError::Unreadable { path: self.own.workspace.clone(), source };
        Beneath::new(&self.own.workspace).map_err(unreadable)
    }
}

/// Returns what a ref of a workspace is called among those that keep it; `None` for what came from elsewhere. What git
/// would take for something else gets a plain name.
fn name_of(full: &str, at: usize) -> Option<String> {
    let short = full.strip_prefix("refs/")?;
    let name = match short.split_once('/') {
        Some(("heads", name)) => format!("branch/{name}"),
        Some(("remotes", _)) => return None,
        Some(("tags", name)) => format!("tags/{name}"),
        None if short == "stash" => return None,
        Some(_) | None => format!("ref/{short}"),
    };
    let is_name = name::check_ref(&format!("refs/{name}")).is_ok();
    Some(if is_name { name } else { format!("branch-{at}") })
}

impl Theirs {
    fn call<'a>(&self, purpose: &str, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = Call::outside(&self.git_dir, purpose, args).git_dir(self.git_dir.clone());
        call.config(DISTRUST).env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1").limit(LIMIT)
    }

    async fn head(&self) -> Result<Option<String>, GitError> {
        let args = ["rev-parse", "--quiet", "--verify", "HEAD^{commit}"];
        let said = self.call("look up HEAD", args).or_code(1).run().await?;
        Ok((said.code == 0).then(|| said.line()))
    }

    /// Returns what it has and none of the commits `known` has, each commit once.
    async fn tips(&self, known: &[&str]) -> Result<Vec<Tip>, GitError> {
        let mut tips =
            self.head().await?.map(|commit| Tip { name: "head".to_owned(), commit }).into_iter().collect();
        self.add_refs(&mut tips).await?;
        self.add_stashes(&mut tips).await?;
        let named: Vec<&str> = tips.iter().map(|tip| tip.commit.as_str()).collect();
        let fresh = self.commits_beyond(&named, known).await?;
        let named: HashSet<&str> = named.into_iter().collect();
        let unnamed = fresh.iter().filter(|(commit, _)| !named.contains(commit.as_str()));
        let behind: HashSet<&str> =
            fresh.iter().flat_map(|(_, parents)| parents).map(String::as_str).collect();
        let lost = unnamed.filter(|(commit, _)| !behind.contains(commit.as_str()));
        let lost = lost
            .enumerate()
            .map(|(at, (commit, _))| Tip { name: format!("reflog-{at}"), commit: commit.clone() });
        let lost: Vec<Tip> = lost.collect();
        let fresh: HashSet<&str> = fresh.iter().map(|(commit, _)| commit.as_str()).collect();
        let mut seen = HashSet::new();
        tips.retain(|tip| fresh.contains(tip.commit.as_str()) && seen.insert(tip.commit.clone()));
        tips.extend(lost);
        if tips.len() > MOST_REFS {
            let purpose = format!("keep the history in {}", self.git_dir.display());
            return Err(GitError::TooMuchOutput { purpose, limit: MOST_REFS });
        }
        Ok(tips)
    }

    async fn add_refs(&self, tips: &mut Vec<Tip>) -> Result<(), GitError> {
        let commit = "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end) %(refname)";
        let said = self.call("list the refs", ["for-each-ref", commit]).run().await?;
        for (at, (commit, full)) in lines(&said.stdout).filter_map(|line| line.split_once(' ')).enumerate() {
            tips.extend(name_of(full, at).map(|name| Tip { name, commit: commit.to_owned() }));
        }
        Ok(())
    }

    /// Returns what its refs name that is no commit: annotated tags, with their messages, and tags of anything else.
    async fn things(&self) -> Result<Vec<Tip>, GitError> {
        let said =
            self.call("list the tags", ["for-each-ref", "--format=%(objecttype) %(objectname) %(refname)"]);
        let said = said.run().await?.stdout;
        let refs = lines(&said).enumerate().filter_map(|(at, line)| {
            let (kind, rest) = line.split_once(' ')?;
            let (object, full) = rest.split_once(' ').filter(|_| kind != "commit")?;
            let name = format!("{}-itself", name_of(full, at)?);
            Some(Tip { name, commit: object.to_owned() })
        });
        Ok(refs.collect())
    }

    /// Returns what its index has, as a commit, where that is neither what is checked out nor the files themselves: staged,
    /// and removed or overwritten since.
    async fn staged(&self, files: &str) -> Option<Tip> {
        if !self.has_index {
            return None;
        }
        let staged: Result<_, GitError> = async {
            let tree = self.call("look at what is staged", ["write-tree"]).run().await?.line();
            if tree == files {
                return Ok(None);
            }
            // What it only lacks is nowhere to be kept.
            let fresh = match self.head().await? {
                Some(head) => {
                    let diff = [
                        "diff-tree",
                        "-r",
                        "--name-only",
                        "--no-renames",
                        "--diff-filter=d",
                        &head,
                        &tree,
                        "--",
                    ];
                    self.call("compare what is staged", diff)
                }
                None => self.call("list what is staged", ["ls-tree", "-r", "--name-only", &tree]),
            };
            if fresh.run().await?.stdout.is_empty() {
                return Ok(None);
            }
            let commit = self.call("keep what is staged", ["commit-tree", &tree, "-m", "What was staged"]);
            let commit = commit.config(FALLBACK_IDENTITY).run().await?.line();
            Ok(Some(Tip { name: "index".to_owned(), commit }))
        }
        .await;
        // One in the middle of a merge has the sides of that, which are commits.
        staged.unwrap_or_else(|error| {
            tracing::debug!(%error, "what is staged is not looked at");
            None
        })
    }

    /// Only the last stash has a ref; the others are in its log.
    async fn add_stashes(&self, tips: &mut Vec<Tip>) -> Result<(), GitError> {
        let there = ["rev-parse", "--quiet", "--verify", "refs/stash"];
        let last = self.call("look for a stash", there).or_code(1).run().await?;
        if last.code == 1 {
            return Ok(());
        }
        let list = ["log", "--walk-reflogs", "--format=%H", "refs/stash", "--"];
        let log = self.call("list the stashes", list).run().await?;
        let listed: Vec<&str> = lines(&log.stdout).collect();
        let stashes = if listed.is_empty() { lines(&last.stdout).collect() } else { listed };
        let tip =
            |(at, commit): (usize, &str)| Tip { name: format!("stash-{at}"), commit: commit.to_owned() };
        tips.extend(stashes.into_iter().enumerate().map(tip));
        Ok(())
    }

    /// Returns the commits, with their parents, that these and the logs of all refs lead to and `known` does not.
    async fn commits_beyond(
        &self,
        tips: &[&str],
        known: &[&str],
    ) -> Result<Vec<(String, Vec<String>)>, GitError> {
        let args = ["rev-list", "--parents", "--ignore-missing", "--reflog"];
        let not = if self.is_nested { ["--not", "--remotes"].as_slice() } else { &["--not"] };
        let list = self.call("list the commits", args).args(tips).args(not).args(known).arg("--");
        let said = list.run().await?;
        let commits = lines(&said.stdout).map(|line| line.split(' ').map(str::to_owned));
        Ok(commits.filter_map(|mut words| Some((words.next()?, words.collect()))).collect())
    }
}

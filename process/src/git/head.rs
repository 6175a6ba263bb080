//! A HEAD that leads nowhere: told apart from a repository without a commit, and the way back.
//!
//! A power cut may leave a branch on an object that was never written, or its file empty. To most of git's commands that
//! looks like a repository in which nothing was committed yet. `git reflog` fails there, so the log is read as a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::call::lines;
use super::{Git, GitError, name};

/// How many commits are looked at for one that is whole: enough to get behind what one power cut takes.
const TRIES: usize = 20;

/// What HEAD leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// This commit, which is there.
    Commit(String),
    /// A branch on which nothing was ever committed.
    Unborn,
    /// A commit that is missing or damaged, or nothing that could be read.
    Broken(BrokenHead),
}

/// What can be known of a HEAD that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenHead {
    /// The branch that is checked out; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// The commit that it points to; `None` when that cannot be read.
    pub commit: Option<String>,
    /// The branch's file, when git cannot read it and would refuse to write it.
    pub unreadable: Option<PathBuf>,
    /// The file in which git has written down where the branch was, if it is there.
    pub log: Option<PathBuf>,
    /// The commits in that file, newest first.
    pub earlier: Vec<String>,
}

impl Git {
    /// Returns what HEAD leads to, in one call when that is a commit.
    pub async fn look_at_head(&self) -> Result<Head, GitError> {
        if let Some(commit) = self.head().await? {
            return Ok(Head::Commit(commit));
        }
        // Without a look at the object.
        let said =
            self.call("read HEAD", ["rev-parse", "--quiet", "--verify", "HEAD"]).or_code(1).run().await?;
        let commit = Some(said.line()).filter(|_| said.code == 0);
        let full = self.full_name_of_head().await?;
        let full_name = full.as_deref().unwrap_or("HEAD");
        let log = self.git_path(&format!("logs/{full_name}")).await?;
        let earlier = logged_commits(&log);
        let file = self.git_path(full_name).await?;
        let unreadable = Some(file).filter(|file| commit.is_none() && fs::symlink_metadata(file).is_ok());
        // git removes the log with its branch: a log without a branch is one that was lost.
        if commit.is_none() && unreadable.is_none() && earlier.is_empty() {
            return Ok(Head::Unborn);
        }
        let branch = full.as_deref().and_then(|full| full.strip_prefix("refs/heads/")).map(str::to_owned);
        let log = Some(log).filter(|_| !earlier.is_empty());
        Ok(Head::Broken(BrokenHead { branch, commit, unreadable, log, earlier }))
    }

    /// Returns the first of `commits` that is whole: itself, all its files, and the commits before it. Of those that are
    /// here at all, only the first few are looked at.
    pub async fn first_whole(&self, commits: &[String]) -> Result<Option<String>, GitError> {
        let missing = self.missing_commits(commits).await?;
        let here = commits.iter().filter(|commit| !missing.contains(commit));
        for commit in here.take(TRIES) {
            if self.is_whole(commit).await? {
                return Ok(Some(commit.clone()));
            }
        }
        Ok(None)
    }

    /// Returns those of `commits` that are not in the repository, or damaged, in their order. One call for all.
    pub async fn missing_commits(&self, commits: &[String]) -> Result<Vec<String>, GitError> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let here = self.listed(["--no-walk=unsorted"], commits.to_vec()).await?;
        Ok(commits.iter().filter(|commit| !here.contains(*commit)).cloned().collect())
    }

    async fn is_whole(&self, commit: &str) -> Result<bool, GitError> {
        name::check_revision(commit)?;
        let list = ["rev-list", "--objects", "--no-object-names", "--no-walk", commit, "--"];
        let Some(objects) = unless_failed(self.call("list the files of a commit", list).run().await)? else {
            return Ok(false);
        };
        // That lists a file whose content is empty, too.
        let check = self.call("look for the files of a commit", ["cat-file", "--batch-check"]).stdin(objects);
        let Some(found) = unless_failed(check.run().await)? else { return Ok(false) };
        if lines(&found).any(|line| line.ends_with(" missing")) {
            return Ok(false);
        }
        let walk = self.call("walk the history of a commit", ["rev-list", "--quiet", commit, "--"]);
        Ok(unless_failed(walk.run().await)?.is_some())
    }

    /// Returns the branch in full; `None` when HEAD is detached. git does not tell it when it cannot read the branch.
    async fn full_name_of_head(&self) -> Result<Option<String>, GitError> {
        let said = self.call("read the current branch", ["symbolic-ref", "--quiet", "HEAD"]).or_code(1).run();
        match said.await {
            Ok(said) => Ok(Some(said.line()).filter(|_| said.code == 0)),
            Err(GitError::Failed { .. }) => {
                let text = fs::read_to_string(self.git_path("HEAD").await?).unwrap_or_default();
                Ok(text.strip_prefix("ref:").map(|name| name.trim().to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns where git keeps a file of its own, in a linked working tree as well.
    async fn git_path(&self, name: &str) -> Result<PathBuf, GitError> {
        let said =
            self.call("find a file of the repository", ["rev-parse", "--git-path", name]).run().await?;
        Ok(self.dir.join(said.line()))
    }
}

fn unless_failed(said: Result<super::call::Said, GitError>) -> Result<Option<Vec<u8>>, GitError> {
    match said {
        Ok(said) => Ok(Some(said.stdout)),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the commits that a log names, newest first, each once. A power cut may have left its end as zeros.
fn logged_commits(log: &Path) -> Vec<String> {
    let bytes = fs::read(log).unwrap_or_default();
    let is_id = |word: &&str| {
        matches!(word.len(), 40 | 64)
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            && word.bytes().any(|byte| byte != b'0')
    };
    let mut commits: Vec<String> = Vec::new();
    for line in bytes.rsplit(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        // `OLD NEW WHO WHEN\tWHY`
        let words = text.split(' ').take(2).collect::<Vec<_>>().into_iter().rev();
        for word in words.filter(is_id) {
            if commits.len() < 2 * TRIES && !commits.iter().any(|known| known == word) {
                commits.push(word.to_owned());
            }
        }
    }
    commits
}

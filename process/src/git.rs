//! git, hardened: the real program, told to run nothing that a repository names.
//!
//! It owns every call of git ([`Git`]) and the sentences about what went wrong ([`GitError`]). It talks to the git
//! program in the user's `PATH`. It never runs hooks, file-system monitors, editors, pagers, external diffs or
//! credential prompts, never climbs to a repository above the given directory, never lets a name or path be taken
//! for an option, and reads no environment of git's own. In a repository that an agent could write to
//! ([`Git::untrusted`]) filters and merge drivers of that repository's own configuration are off as well; in the
//! user's own they are what makes large-file and encrypted repositories work.
//!
//! A git that runs is not killed when this process dies: a half-written index is worse than a git that finishes.
//! What a git of an earlier life left half done is finished by [`Git::heal_landing`].

mod call;
mod change;
mod clone;
mod error;
mod head;
mod landing;
mod locks;
mod name;
mod objects;
pub mod snapshot;
mod work;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use call::{Call, records};
pub use change::Merged;
pub use error::GitError;
pub use head::{BrokenHead, Head};
pub use landing::{BranchMove, Healed, Landing, Step};
pub use work::Work;

/// Where Cogwork keeps its own state, in the root of a project.
const STATE_DIR: &str = ".cogwork";

/// One repository with a working tree, by the top of that tree. Cheap: nothing is opened or cached.
#[derive(Debug, Clone)]
pub struct Git {
    dir: PathBuf,
    is_trusted: bool,
    /// Whether its git directory must be `.git` in it, as in every clone that Cogwork makes.
    is_clone: bool,
}

impl Git {
    /// Returns the repository at `dir`, whose configuration is the user's own.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), is_trusted: true, is_clone: false }
    }

    /// Returns the repository at `dir`, to whose configuration an agent could write.
    pub fn untrusted(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), is_trusted: false, is_clone: false }
    }

    /// Returns the clone at `dir` that Cogwork made for an agent. Nothing the agent does to it leads anywhere else: not
    /// a `.git` that points to another repository, not a `core.worktree`, and not a missing `.git` to one above.
    pub fn workspace(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), is_trusted: false, is_clone: true }
    }

    /// Returns the top of the working tree.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the version of the git program, for example `2.47.3`.
    ///
    /// # Errors
    ///
    /// [`GitError::NotInstalled`] above all.
    pub async fn version() -> Result<String, GitError> {
        let said = Call::outside(Path::new("/"), "tell its version", ["--version"]).run().await?;
        Ok(said.line().trim_start_matches("git version ").to_owned())
    }

    /// Makes a repository at `dir` with the initial branch `main` and no commit; an existing one stays as it is.
    ///
    /// # Errors
    ///
    /// As every call of git: see [`GitError`]. The same holds for all that follow.
    pub async fn init(dir: &Path) -> Result<Self, GitError> {
        let args = ["init", "--quiet", "--initial-branch=main", "--template="];
        Call::outside(dir, "make a repository", args).run().await?;
        Ok(Self::at(dir))
    }

    /// Returns whether the directory is the top of a git working tree.
    pub async fn is_repository(&self) -> Result<bool, GitError> {
        if self.is_clone {
            return match self.call("look for a repository", ["rev-parse", "--git-dir"]).run().await {
                Ok(_) => Ok(true),
                Err(GitError::Failed { .. } | GitError::NotAClone { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        }
        // The root of a working tree has this name in it, whatever it is; only then is git worth its start.
        if self.dir.is_dir() && !self.dir.join(".git").try_exists().unwrap_or(true) {
            return Ok(false);
        }
        let args = ["rev-parse", "--show-toplevel"];
        match Call::outside(&self.dir, "look for a repository", args).run().await {
            Ok(said) => {
                let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
                Ok(real(Path::new(&said.line())) == real(&self.dir))
            }
            Err(GitError::Failed { stderr, .. })
                if stderr.contains("not a git repository") || stderr.contains("in a work tree") =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the filters that this repository's own configuration defines. A clone does not have them.
    pub async fn own_filters(&self) -> Result<Vec<String>, GitError> {
        let args = [
            "config",
            "--local",
            "--name-only",
            "-z",
            "--get-regexp",
            r"^filter\..*\.(clean|smudge|process)$",
        ];
        let said = self.call("read the filters", args).or_code(1).run().await?;
        Ok(records(&said.stdout).map(lossy).collect())
    }

    /// Returns the branch that is checked out; `None` when HEAD is detached.
    pub async fn current_branch(&self) -> Result<Option<String>, GitError> {
        // In full: the short name of a branch that shares it with a tag is another one.
        let said = self
            .call("read the current branch", ["symbolic-ref", "--quiet", "HEAD"])
            .or_code(1)
            .run()
            .await?;
        Ok(said.line().strip_prefix("refs/heads/").filter(|_| said.code == 0).map(str::to_owned))
    }

    /// Returns the commit that is checked out; `None` while there is none, and when it is missing or damaged, which
    /// [`Git::look_at_head`] tells apart.
    pub async fn head(&self) -> Result<Option<String>, GitError> {
        self.resolve("HEAD").await
    }

    /// Returns the commit that a branch, ref or other revision means; `None` when there is none.
    pub async fn resolve(&self, revision: &str) -> Result<Option<String>, GitError> {
        name::check_revision(revision)?;
        let peeled = format!("{revision}^{{commit}}");
        let args = ["rev-parse", "--quiet", "--verify", &peeled];
        let said = self.call("look up a revision", args).or_code(1).run().await?;
        Ok((said.code == 0).then(|| said.line()))
    }

    /// Returns what differs from HEAD in the index or the working tree, untracked files included and ignored ones
    /// not; at most so many. Untracked directories are one path.
    pub async fn dirty_paths(&self, at_most: usize) -> Result<Vec<String>, GitError> {
        let status = self.status("normal").await?;
        Ok(status.iter().take(at_most).map(|path| lossy(path)).collect())
    }

    /// Returns whether any file that git knows is not as it is in HEAD.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub async fn has_changed_files(&self) -> Result<bool, GitError> {
        Ok(!self.status("no").await?.is_empty())
    }

    /// Returns the files that the index has in another form than HEAD.
    async fn staged_files(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let diff = ["diff-index", "--cached", "-z", "--name-only", "--no-renames", "HEAD", "--"];
        let said = self.call("list what is staged", diff).config(self.disarmed().await?).run().await?;
        Ok(records(&said.stdout).map(<[u8]>::to_vec).collect())
    }

    /// Returns the files that git was told to leave out of the working tree, as in a sparse checkout.
    async fn left_out_files(&self) -> Result<HashSet<Vec<u8>>, GitError> {
        let list = self.call("list what is left out of the working tree", ["ls-files", "-z", "-t"]);
        let listed = list.config(self.disarmed().await?).run().await?.stdout;
        Ok(records(&listed).filter_map(|entry| entry.strip_prefix(b"S ")).map(<[u8]>::to_vec).collect())
    }

    /// Returns the files that differ between two commits.
    pub async fn changed_paths(&self, from: &str, to: &str) -> Result<Vec<String>, GitError> {
        Ok(self.changed(from, to).await?.iter().map(|path| lossy(path)).collect())
    }

    /// Returns the names of what a commit has in its root.
    pub async fn root_names(&self, commit: &str) -> Result<Vec<String>, GitError> {
        name::check_revision(commit)?;
        let list = self.call("list the files of a commit", ["ls-tree", "-z", "--name-only", commit]);
        Ok(records(&list.run().await?.stdout).map(lossy).collect())
    }

    /// Returns the refs below these prefixes with their objects, but for commits that are in the history of `beside`.
    pub async fn refs_below(
        &self,
        prefixes: &[&str],
        beside: Option<&str>,
    ) -> Result<Vec<(String, String)>, GitError> {
        let merged = match beside {
            Some(beside) => self.resolve(beside).await?.map(|commit| format!("--no-merged={commit}")),
            None => None,
        };
        let list = |merged: Option<String>| {
            let list = self.call("list the refs", ["for-each-ref", "--format=%(objectname) %(refname)"]);
            list.args(merged).arg("--").args(prefixes)
        };
        let said = match list(merged.clone()).run().await {
            // One of them is broken, which only the comparison minds.
            Err(GitError::Failed { .. }) if merged.is_some() => list(None).run().await?,
            said => said?,
        };
        let refs = call::lines(&said.stdout).filter_map(|line| line.split_once(' '));
        Ok(refs.map(|(object, name)| (name.to_owned(), object.to_owned())).collect())
    }

    /// Returns whether the history of `of` contains `ancestor`.
    pub async fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        name::check_revision(ancestor)?;
        name::check_revision(of)?;
        let args = ["merge-base", "--is-ancestor", ancestor, of];
        Ok(self.call("compare two commits", args).or_code(1).run().await?.code == 0)
    }

    /// Returns the newest commit that two have in common; `None` when their histories never met.
    async fn fork_of(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        name::check_revision(one)?;
        name::check_revision(other)?;
        let said =
            self.call("find where two commits forked", ["merge-base", one, other]).or_code(1).run().await?;
        Ok((said.code == 0).then(|| said.line()))
    }

    /// Returns another working tree of the same repository, as far trusted as this one.
    fn tree_at(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), is_trusted: self.is_trusted, is_clone: false }
    }

    fn call<'a>(&self, purpose: &str, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = Call::outside(&self.dir, purpose, args);
        let call = call.env("GIT_WORK_TREE", &self.dir);
        let call = if self.is_clone { call.git_dir(self.dir.join(".git")) } else { call };
        if self.is_trusted { call } else { call.config(call::DISTRUST).env("GIT_NO_LAZY_FETCH", "1") }
    }

    /// Returns the dirty paths in git's order; `untracked` is git's word for how to list those.
    async fn status(&self, untracked: &str) -> Result<Vec<Vec<u8>>, GitError> {
        let untracked = format!("--untracked-files={untracked}");
        let args = ["status", "--porcelain=v1", "-z", "--no-renames", &untracked, "--"];
        let said = self.call("list the changes", args).config(&self.disarmed().await?).run().await?;
        // `XY path`
        Ok(records(&said.stdout).filter_map(|entry| Some(entry.get(3..)?.to_vec())).collect())
    }

    async fn changed(&self, from: &str, to: &str) -> Result<Vec<Vec<u8>>, GitError> {
        name::check_revision(from)?;
        name::check_revision(to)?;
        let args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let diff = self.call("compare two commits", args).args([from, to, "--"]);
        Ok(records(&diff.run().await?.stdout).map(<[u8]>::to_vec).collect())
    }

    /// Returns the settings that switch off the programs which configuration names for git to run by itself.
    async fn disarmed(&self) -> Result<Vec<String>, GitError> {
        let args = ["config", "--list", "--show-scope", "--name-only", "-z"];
        let said = self.call("read the configuration", args).run().await?;
        // scope, key, scope, key, …
        let fields: Vec<String> = records(&said.stdout).map(lossy).collect();
        let is_suspect = |scope: &str| !self.is_trusted && matches!(scope, "local" | "worktree");
        Ok(fields
            .chunks_exact(2)
            .filter_map(|entry| name::disarm(&entry[1], is_suspect(&entry[0])))
            .collect())
    }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

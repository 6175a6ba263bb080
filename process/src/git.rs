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
//! What a git of an earlier life left half done is finished by [`Git::heal_interrupted_ff`].

mod call;
mod error;
mod heal;
mod name;

use std::path::{Path, PathBuf};
use std::time::Duration;

use call::{Call, lines, records};
pub use error::GitError;
pub use heal::Healed;

/// Who commits when neither the user nor the repository says so.
const FALLBACK_IDENTITY: [&str; 2] = ["user.name=Cogwork", "user.email=cogwork@localhost"];

/// One repository with a working tree, by the top of that tree. Cheap: nothing is opened or cached.
#[derive(Debug, Clone)]
pub struct Git {
    dir: PathBuf,
    is_trusted: bool,
}

/// How a merge went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It is committed.
    Clean { commit: String },
    /// These files cannot be merged; the merge is open until [`Git::abort_merge`] or [`Git::reset_hard_clean`].
    Conflict { files: Vec<String> },
    /// Nothing to merge: HEAD contains the commit.
    AlreadyThere,
}

impl Git {
    /// Returns the repository at `dir`, whose configuration is the user's own.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            is_trusted: true,
        }
    }

    /// Returns the repository at `dir`, to whose configuration an agent could write.
    pub fn untrusted(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            is_trusted: false,
        }
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
        let said = Call::outside(Path::new("/"), "tell its version", ["--version"])
            .run()
            .await?;
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

    /// Clones `from` to `to` (which must not exist or be empty), sharing its objects, with the new `branch` checked
    /// out at `from`'s HEAD and somebody to commit as. The clone holds no copy of the history: it is lost with
    /// `from`.
    pub async fn clone_shared(from: &Path, to: &Path, branch: &str) -> Result<Self, GitError> {
        name::check_branch(branch)?;
        let args = [
            "clone",
            "--quiet",
            "--shared",
            "--no-tags",
            "--no-checkout",
            "--template=",
            "--origin=origin",
            "--",
        ];
        let purpose = format!("clone {} to {}", from.display(), to.display());
        let clone = Call::outside(from, &purpose, args).arg(from).arg(to);
        clone.run().await?;
        let git = Self::untrusted(to);
        for identity in git.missing_identity().await? {
            let (key, value) = identity.split_once('=').unwrap_or((identity, ""));
            git.call("note who commits", ["config", "--local", key, value])
                .run()
                .await?;
        }
        let checkout = ["checkout", "--quiet", "--no-track", "-b", branch];
        git.call("check out its branch", checkout).run().await?;
        Ok(git)
    }

    /// Returns whether the directory is the top of a git working tree.
    pub async fn is_repository(&self) -> Result<bool, GitError> {
        let args = ["rev-parse", "--show-toplevel"];
        match Call::outside(&self.dir, "look for a repository", args)
            .run()
            .await
        {
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

    /// Returns the branch that is checked out; `None` when HEAD is detached.
    pub async fn current_branch(&self) -> Result<Option<String>, GitError> {
        let args = ["symbolic-ref", "--quiet", "--short", "HEAD"];
        let said = self
            .call("read the current branch", args)
            .or_code(1)
            .run()
            .await?;
        Ok((said.code == 0).then(|| said.line()))
    }

    /// Returns the commit that is checked out; `None` while there is none.
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

    /// Returns the files that differ between two commits.
    pub async fn changed_paths(&self, from: &str, to: &str) -> Result<Vec<String>, GitError> {
        Ok(self
            .changed(from, to)
            .await?
            .iter()
            .map(|path| lossy(path))
            .collect())
    }

    /// Returns whether the history of `of` contains `ancestor`.
    pub async fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        name::check_revision(ancestor)?;
        name::check_revision(of)?;
        let args = ["merge-base", "--is-ancestor", ancestor, of];
        Ok(self
            .call("compare two commits", args)
            .or_code(1)
            .run()
            .await?
            .code
            == 0)
    }

    /// Commits everything in the working tree that is not ignored, with `trailers` (`Key: value`) at the message's
    /// end. Returns the commit, or `None` when nothing differs from HEAD.
    pub async fn commit_all(
        &self,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<Option<String>, GitError> {
        let untouched = self.disarmed().await?;
        let add = self.call("add the changes", ["add", "--all", "--", "."]);
        add.config(["core.safecrlf=false"])
            .config(&untouched)
            .run()
            .await?;
        let diff = [
            "diff",
            "--cached",
            "--quiet",
            "--no-ext-diff",
            "--no-textconv",
            "--",
        ];
        if self.call("compare the index", diff).or_code(1).run().await?.code == 0 {
            return Ok(None);
        }
        let args = [
            "commit",
            "--quiet",
            "--no-verify",
            "--no-gpg-sign",
            "--cleanup=whitespace",
            "--file=-",
        ];
        let commit = self
            .call("commit", args)
            .config(self.missing_identity().await?)
            .config(&untouched);
        commit.stdin(with_trailers(message, trailers)).run().await?;
        self.head().await
    }

    /// Fetches `refspec` (`source:destination`) from the repository at the path `from`, without tags.
    pub async fn fetch(&self, from: &Path, refspec: &str) -> Result<(), GitError> {
        name::check_refspec(refspec)?;
        let args = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--",
        ];
        let purpose = format!("fetch {refspec} from {}", from.display());
        self.call(&purpose, args).arg(from).arg(refspec).run().await?;
        Ok(())
    }

    /// Merges `commit` into the branch that is checked out, always with a merge commit.
    pub async fn merge_no_ff(&self, commit: &str, message: &str) -> Result<Merged, GitError> {
        if self.is_ancestor(commit, "HEAD").await? {
            return Ok(Merged::AlreadyThere);
        }
        let merge = self.call(
            &format!("merge {commit}"),
            ["merge", "--no-ff", "--no-edit", "--commit", "--no-squash"],
        );
        let merge = merge.args([
            "--strategy=ort",
            "--cleanup=whitespace",
            "--no-log",
            "--no-verify",
        ]);
        let merge = merge.args([
            "--no-gpg-sign",
            "--no-verify-signatures",
            "--no-rerere-autoupdate",
        ]);
        let merge = merge.args(QUIET_MERGE).args(["-m", message, commit]);
        let merge = merge
            .config(self.missing_identity().await?)
            .config(&self.disarmed().await?);
        match merge.run().await {
            Ok(_) => {
                let commit = self.head().await?.unwrap_or_default();
                Ok(Merged::Clean { commit })
            }
            Err(error) => {
                let files = self.unmerged().await?;
                if files.is_empty() {
                    Err(error)
                } else {
                    Ok(Merged::Conflict { files })
                }
            }
        }
    }

    /// Takes back a merge that met conflicts.
    pub async fn abort_merge(&self) -> Result<(), GitError> {
        self.call("abort the merge", ["merge", "--abort"])
            .config(&self.disarmed().await?)
            .run()
            .await?;
        Ok(())
    }

    /// Puts the current branch, the index and the working tree at `commit`, and removes everything untracked except
    /// what is ignored: built things stay, as in any developer's tree. An open merge is forgotten.
    pub async fn reset_hard_clean(&self, commit: &str) -> Result<(), GitError> {
        self.reset_hard(commit).await?;
        self.call("remove untracked files", ["clean", "-ffdq", "--"])
            .run()
            .await?;
        Ok(())
    }

    /// Moves the branch that is checked out forward to `commit`, with index and working tree. Changes of the user
    /// stay where they do not touch the same files.
    ///
    /// # Errors
    ///
    /// [`GitError::WouldOverwrite`] when they do, ignored files included; [`GitError::NotFastForward`].
    pub async fn ff_only(&self, commit: &str) -> Result<(), GitError> {
        name::check_revision(commit)?;
        let merge = self.call(
            &format!("fast-forward to {commit}"),
            ["merge", "--ff-only", "--no-overwrite-ignore"],
        );
        let merge = merge
            .args(QUIET_MERGE)
            .arg(commit)
            .config(&self.disarmed().await?);
        match merge.run().await {
            Ok(_) => Ok(()),
            Err(GitError::Failed { stderr, .. }) if stderr.contains("would be overwritten") => {
                Err(GitError::WouldOverwrite {
                    files: error::listed_files(&stderr),
                })
            }
            Err(GitError::Failed { stderr, .. }) if stderr.contains("ot possible to fast-forward") => {
                Err(GitError::NotFastForward {
                    commit: commit.to_owned(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the ref `name` (from `refs/` on) at `commit`.
    ///
    /// # Errors
    ///
    /// [`GitError::RefExists`] when there is one of that name, wherever it points: of any number that try, one wins.
    pub async fn create_ref(&self, name: &str, commit: &str) -> Result<(), GitError> {
        name::check_ref(name)?;
        name::check_revision(commit)?;
        // The empty old value means: must not exist.
        match self
            .call(&format!("create {name}"), ["update-ref", name, commit, ""])
            .run()
            .await
        {
            Ok(_) => Ok(()),
            Err(GitError::Failed { stderr, .. }) if stderr.contains("reference already exists") => {
                Err(GitError::RefExists {
                    name: name.to_owned(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the ref `name`; it is fine if there is none.
    pub async fn delete_ref(&self, name: &str) -> Result<(), GitError> {
        name::check_ref(name)?;
        self.call(&format!("delete {name}"), ["update-ref", "-d", name])
            .run()
            .await?;
        Ok(())
    }

    fn call<'a>(&self, purpose: &str, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = Call::outside(&self.dir, purpose, args);
        let call = call.env("GIT_WORK_TREE", &self.dir);
        if self.is_trusted {
            call
        } else {
            call.config(call::DISTRUST)
        }
    }

    async fn reset_hard(&self, commit: &str) -> Result<(), GitError> {
        name::check_revision(commit)?;
        let reset = self.call(
            &format!("reset to {commit}"),
            ["reset", "--quiet", "--hard", commit, "--"],
        );
        reset.config(&self.disarmed().await?).run().await?;
        Ok(())
    }

    /// Returns the dirty paths in git's order; `untracked` is git's word for how to list those.
    async fn status(&self, untracked: &str) -> Result<Vec<Vec<u8>>, GitError> {
        let untracked = format!("--untracked-files={untracked}");
        let args = ["status", "--porcelain=v1", "-z", "--no-renames", &untracked, "--"];
        let said = self
            .call("list the changes", args)
            .config(&self.disarmed().await?)
            .run()
            .await?;
        // `XY path`
        Ok(records(&said.stdout)
            .filter_map(|entry| Some(entry.get(3..)?.to_vec()))
            .collect())
    }

    async fn changed(&self, from: &str, to: &str) -> Result<Vec<Vec<u8>>, GitError> {
        name::check_revision(from)?;
        name::check_revision(to)?;
        let args = [
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let diff = self.call("compare two commits", args).args([from, to, "--"]);
        Ok(records(&diff.run().await?.stdout).map(<[u8]>::to_vec).collect())
    }

    async fn unmerged(&self) -> Result<Vec<String>, GitError> {
        let args = [
            "diff",
            "--name-only",
            "--diff-filter=U",
            "-z",
            "--no-ext-diff",
            "--no-textconv",
            "--",
        ];
        let said = self
            .call("list the conflicts", args)
            .config(&self.disarmed().await?)
            .run()
            .await?;
        Ok(records(&said.stdout).map(lossy).collect())
    }

    /// Returns the settings that name somebody to commit as, as far as nobody has.
    async fn missing_identity(&self) -> Result<Vec<&'static str>, GitError> {
        let args = ["config", "--name-only", "--get-regexp", r"^user\.(name|email)$"];
        let said = self.call("read who commits", args).or_code(1).run().await?;
        let known: Vec<&str> = lines(&said.stdout).collect();
        let is_missing = |identity: &&str| !known.iter().any(|key| identity.starts_with(key));
        Ok(FALLBACK_IDENTITY.into_iter().filter(is_missing).collect())
    }

    /// Returns the settings that switch off the programs which an untrusted repository's own configuration names
    /// for reading and merging files.
    async fn disarmed(&self) -> Result<Vec<String>, GitError> {
        if self.is_trusted {
            return Ok(Vec::new());
        }
        let args = ["config", "--local", "--includes", "--list", "--name-only", "-z"];
        let said = self.call("read its configuration", args).run().await?;
        Ok(records(&said.stdout)
            .filter_map(|key| name::disarm(&lossy(key)))
            .collect())
    }
}

/// Options for every merge: nothing to stash, nothing to print.
const QUIET_MERGE: [&str; 3] = ["--quiet", "--no-autostash", "--no-stat"];

/// How old a lock must be before [`Git::heal_interrupted_ff`] takes it for left over: git writes a lock and takes it
/// back within milliseconds.
const STALE_LOCK_AGE: Duration = Duration::from_secs(5);

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn with_trailers(message: &str, trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = message.trim_end().to_owned();
    text.push('\n');
    for (at, (key, value)) in trailers.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        // A line break in a value would end the trailer.
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{gap}{key}: {value}\n"));
    }
    text.into_bytes()
}

//! What changes a repository: commits, merges, resets, refs.

use std::path::Path;

use super::call::{LOCAL, lines, records};
use super::{Git, GitError, lossy, name};

/// Who commits when neither the user nor the repository says so.
pub(super) const FALLBACK_IDENTITY: [&str; 2] = ["user.name=Cogwork", "user.email=cogwork@localhost"];

/// Cogwork's own state is no part of a project's history, and what an agent writes there least of all.
const NOT_OURS: &str = ":(exclude,top,icase).cogwork";

/// How a merge went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It is committed.
    Clean { commit: String },
    /// These files cannot be merged; they hold both sides until [`Git::reset_hard_clean`].
    Conflict { files: Vec<String> },
    /// Nothing to merge: HEAD contains the commit.
    AlreadyThere,
}

impl Git {
    /// Commits everything in the working tree that is not ignored, but for Cogwork's own directory, with `trailers` (`Key: value`) at the message's
    /// end. Returns the commit, or `None` when nothing differs from HEAD.
    pub async fn commit_all(
        &self,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<Option<String>, GitError> {
        let disarmed = self.disarmed().await?;
        let add = self.call("add the changes", ["add", "--all", "--", ".", NOT_OURS]);
        add.config(["core.safecrlf=false"]).config(&disarmed).run().await?;
        let diff = ["diff", "--cached", "--quiet", "--no-ext-diff", "--no-textconv", "--"];
        if self.call("compare the index", diff).or_code(1).run().await?.code == 0 {
            return Ok(None);
        }
        let args = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--file=-"];
        let commit = self.call("commit", args).config(self.missing_identity().await?).config(&disarmed);
        commit.stdin(with_trailers(message, trailers)).run().await?;
        self.head().await
    }

    /// Gives the index of the working tree these entries, as `update-index --index-info -z` reads them, and no other.
    pub(super) async fn set_index_entries(&self, entries: Vec<u8>) -> Result<(), GitError> {
        let update = self.call("bring the index along", ["update-index", "-z", "--index-info"]);
        update.config(&self.disarmed().await?).stdin(entries).run().await?;
        Ok(())
    }

    /// Moves the branch that is checked out, or HEAD where none is, from one commit to another.
    pub(super) async fn move_head(&self, to: &str, from: &str, why: &str) -> Result<(), GitError> {
        let args = ["update-ref", "-m", why.lines().next().unwrap_or_default(), "HEAD", to, from];
        let update = self.call("move HEAD", args).config(["core.fsync=all", "core.fsyncMethod=fsync"]);
        update.config(self.disarmed().await?).run().await?;
        Ok(())
    }

    /// Fetches `refspec` (`source:destination`) from the repository at the path `from`, without tags.
    pub async fn fetch(&self, from: &Path, refspec: &str) -> Result<(), GitError> {
        name::check_refspec(refspec)?;
        let args =
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"];
        let purpose = format!("fetch {refspec} from {}", from.display());
        let fetch = self.call(&purpose, args).arg(from).arg(refspec).config(LOCAL);
        fetch.config(self.disarmed().await?).run().await?;
        Ok(())
    }

    /// Merges what `commit` changed since `base` into the branch that is checked out, always with a merge commit. Where its
    /// history forked does not count: it may claim anything. Without a base it is their last common commit.
    pub async fn merge_no_ff(
        &self,
        commit: &str,
        base: Option<&str>,
        message: &str,
    ) -> Result<Merged, GitError> {
        if self.is_ancestor(commit, "HEAD").await? {
            return Ok(Merged::AlreadyThere);
        }
        let disarmed = self.disarmed().await?;
        let identity = self.missing_identity().await?;
        let change = self.change_since(commit, base, &identity).await?;
        // A pick is a merge over the commit before, and leaves nothing open.
        let args = ["cherry-pick", "--no-commit", "--strategy=ort", "--no-rerere-autoupdate", &change];
        match self.call(&format!("merge {commit}"), args).config(&identity).config(&disarmed).run().await {
            Ok(_) => {}
            Err(error @ GitError::Failed { .. }) => {
                let files = self.unmerged().await?;
                return if files.is_empty() { Err(error) } else { Ok(Merged::Conflict { files }) };
            }
            Err(error) => return Err(error),
        }
        let tree = self.call("write the merge", ["write-tree"]).config(&disarmed).run().await?.line();
        let merge = ["commit-tree", &tree, "-p", "HEAD", "-p", commit];
        let merge = self.call("commit the merge", merge).config(&identity);
        let commit = merge.stdin(with_trailers(message, &[])).run().await?.line();
        self.call("move to the merge", ["update-ref", "HEAD", &commit]).config(&disarmed).run().await?;
        Ok(Merged::Clean { commit })
    }

    /// Returns a commit that comes right after `base` and has what `commit` has.
    async fn change_since(
        &self,
        commit: &str,
        base: Option<&str>,
        identity: &[&str],
    ) -> Result<String, GitError> {
        name::check_revision(commit)?;
        let base = match base {
            Some(base) => base.to_owned(),
            None => {
                self.call("find where the work forked", ["merge-base", "HEAD", commit]).run().await?.line()
            }
        };
        name::check_revision(&base)?;
        let parents =
            self.call("read its parents", ["rev-parse", &format!("{commit}^@"), "--"]).run().await?;
        if lines(&parents.stdout).filter(|line| *line != "--").eq([base.as_str()]) {
            return Ok(commit.to_owned());
        }
        let args = ["commit-tree", &format!("{commit}^{{tree}}"), "-p", &base, "-m", "work"];
        Ok(self.call("put the work on its base", args).config(identity).run().await?.line())
    }

    /// Puts the current branch, the index and the working tree at `commit`, and removes everything untracked except
    /// what is ignored: built things stay, as in any developer's tree. An open merge is forgotten.
    pub async fn reset_hard_clean(&self, commit: &str) -> Result<(), GitError> {
        self.reset_hard(commit).await?;
        self.call("remove untracked files", ["clean", "-ffdq", "--"]).run().await?;
        Ok(())
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
        let create = self.call(&format!("create {name}"), ["update-ref", name, commit, ""]);
        match create.config(self.disarmed().await?).run().await {
            Ok(_) => Ok(()),
            Err(GitError::Failed { stderr, .. }) if stderr.contains("reference already exists") => {
                Err(GitError::RefExists { name: name.to_owned() })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives refs other names, all or none of them.
    pub async fn rename_refs(&self, names: &[(String, String)]) -> Result<(), GitError> {
        let mut wish = String::new();
        for (from, to) in names {
            name::check_ref(from)?;
            name::check_ref(to)?;
            let Some(commit) = self.resolve(from).await? else { continue };
            wish.push_str(&format!("create {to} {commit}\ndelete {from} {commit}\n"));
        }
        if !wish.is_empty() {
            let update = self.call("rename refs", ["update-ref", "--stdin"]).config(self.disarmed().await?);
            update.config(["core.fsync=all"]).stdin(wish.into_bytes()).run().await?;
        }
        Ok(())
    }

    /// Removes the ref `name`; it is fine if there is none.
    pub async fn delete_ref(&self, name: &str) -> Result<(), GitError> {
        name::check_ref(name)?;
        let delete = self.call(&format!("delete {name}"), ["update-ref", "-d", name]);
        delete.config(self.disarmed().await?).run().await?;
        Ok(())
    }

    pub(super) async fn reset_hard(&self, commit: &str) -> Result<(), GitError> {
        name::check_revision(commit)?;
        let reset = self.call(&format!("reset to {commit}"), ["reset", "--quiet", "--hard", commit, "--"]);
        reset.config(&self.disarmed().await?).run().await?;
        Ok(())
    }

    pub(super) async fn unmerged(&self) -> Result<Vec<String>, GitError> {
        let args = ["diff", "--name-only", "--diff-filter=U", "-z", "--no-ext-diff", "--no-textconv", "--"];
        let said = self.call("list the conflicts", args).config(&self.disarmed().await?).run().await?;
        Ok(records(&said.stdout).map(lossy).collect())
    }

    /// Returns the settings that name somebody to commit as, as far as nobody has.
    pub(super) async fn missing_identity(&self) -> Result<Vec<&'static str>, GitError> {
        let known = self.known_identity().await?;
        let is_missing = |identity: &&str| !known.iter().any(|(key, _)| identity.starts_with(key.as_str()));
        Ok(FALLBACK_IDENTITY.into_iter().filter(is_missing).collect())
    }

    /// Returns the settings, with their values, that name whoever commits here, wherever they are made.
    pub(super) async fn identity(&self) -> Result<Vec<(String, String)>, GitError> {
        let missing = self.missing_identity().await?;
        let fallback = missing.into_iter().filter_map(|identity| identity.split_once('='));
        let fallback = fallback.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(self.known_identity().await?.into_iter().chain(fallback).collect())
    }

    /// Of a setting that is made twice, the last counts.
    async fn known_identity(&self) -> Result<Vec<(String, String)>, GitError> {
        let args = ["config", "--get-regexp", r"^user\.(name|email)$"];
        let said = self.call("read who commits", args).or_code(1).run().await?;
        let settings = lines(&said.stdout).filter_map(|line| line.split_once(' '));
        Ok(settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

pub(super) fn with_trailers(message: &str, trailers: &[(&str, &str)]) -> Vec<u8> {
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

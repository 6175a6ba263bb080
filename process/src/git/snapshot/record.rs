//! Keeping a tree: as a commit, and under a ref that survives a power cut.
//!
//! Objects are written to our own git directory without waiting for the disk, because most snapshots are only looked at.
//! What gets a ref is brought to the disk and handed over first (`objects`).

use std::path::{Path, PathBuf};

use super::own::{Own, State};
use super::{blocking, path};
use crate::git::call::records;
use crate::git::change::with_trailers;
use crate::git::objects::{bring_to_disk, files_of, hand_over};
use crate::git::{GitError, name};

impl Own {
    pub(super) async fn commit(
        &self,
        state: &State,
        tree: &str,
        parents: &[&str],
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<String, GitError> {
        name::check_revision(tree)?;
        let mut call = self.call(state, "commit a snapshot", ["commit-tree", tree]);
        for parent in parents {
            name::check_revision(parent)?;
            call = call.args(["-p", parent]);
        }
        let mut text = with_trailers(message, trailers);
        // git takes none.
        text.retain(|byte| *byte != 0);
        Ok(call.stdin(text).run().await?.line())
    }

    pub(super) async fn tree_of(&self, state: &State, commit: &str) -> Result<String, GitError> {
        name::check_revision(commit)?;
        let tree = format!("{commit}^{{tree}}");
        let look = self.call(state, "look up a tree", ["rev-parse", "--quiet", "--verify", &tree]);
        Ok(look.run().await?.line())
    }

    pub(super) async fn changed_between(
        &self,
        state: &State,
        from: &str,
        to: &str,
        filter: Option<&str>,
    ) -> Result<Vec<PathBuf>, GitError> {
        name::check_revision(from)?;
        name::check_revision(to)?;
        let diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let diff = self.call(state, "compare two snapshots", diff).args(filter).args([from, to, "--"]);
        Ok(records(&diff.run().await?.stdout).map(path).collect())
    }

    /// Makes the ref `name` in the project; `over` is the commit that it may be at now.
    pub(super) async fn record(
        &self,
        state: &State,
        name: &str,
        commit: &str,
        over: Option<&str>,
    ) -> Result<(), GitError> {
        name::check_ref(name)?;
        name::check_revision(commit)?;
        let peeled = format!("{commit}^{{commit}}");
        let list = ["rev-list", "--objects", "--no-object-names", &peeled, "--not", &state.base, "--"];
        // An object that is missing fails it: nothing gets a ref that is not there whole.
        let listed = self.call(state, &format!("look through {commit}"), list).run().await?.stdout;
        let (names, ours, theirs) =
            (files_of(&listed), self.dir.join("objects"), self.shared.objects.clone());
        blocking(&self.shared.objects, move || hand_over(&names, &ours, &theirs)).await?;
        self.make_ref(state, name, commit, over).await?;
        let dirs = Path::new(name).ancestors().skip(1).chain([Path::new("reftable")]);
        let dirs: Vec<_> = dirs.map(|dir| self.shared.common.join(dir)).collect();
        blocking(&self.shared.common, move || bring_to_disk(&dirs)).await
    }

    async fn make_ref(
        &self,
        state: &State,
        name: &str,
        commit: &str,
        over: Option<&str>,
    ) -> Result<(), GitError> {
        // The empty old value means: must not exist.
        let args = ["update-ref", name, commit, over.unwrap_or_default()];
        let mut update = self.project.call(&format!("make {name}"), args);
        update = update.config(["core.fsync=all", "core.fsyncMethod=fsync"]);
        for (key, value) in state.settings.iter().filter(|(key, _)| key.starts_with("hook.")) {
            update = update.setting(key, value);
        }
        match update.run().await {
            Ok(_) => Ok(()),
            Err(failed @ GitError::Failed { .. }) => match self.project.resolve(name).await? {
                Some(at) if at == commit => Ok(()),
                Some(_) => Err(GitError::RefExists { name: name.to_owned() }),
                None => Err(failed),
            },
            Err(error) => Err(error),
        }
    }
}

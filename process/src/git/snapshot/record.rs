//! Keeping a tree: as a commit, and under a ref that survives a power cut.
//!
//! Objects are written to our own git directory without waiting for the disk, because most snapshots are only looked at.
//! What gets a ref is brought to the disk first: file by file, side by side, so that the file system can do it in one go.
//! Only then does the project see it, so that no power cut leaves half an object there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::own::{Own, State};
use super::{blocking, path};
use crate::git::call::{lines, records};
use crate::git::change::with_trailers;
use crate::git::{GitError, name};

/// How many files are brought to the disk at a time: enough for the file system to take them together.
const AT_A_TIME: usize = 16;

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

    pub(super) async fn changed_between(
        &self,
        state: &State,
        from: &str,
        to: &str,
    ) -> Result<Vec<PathBuf>, GitError> {
        name::check_revision(from)?;
        name::check_revision(to)?;
        let diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let diff = self.call(state, "compare two snapshots", diff).args([from, to, "--"]);
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
        let names =
            lines(&listed).filter_map(|object| Some(Path::new(object.get(..2)?).join(object.get(2..)?)));
        let (names, ours, theirs) =
            (names.collect::<Vec<_>>(), self.dir.join("objects"), self.objects.clone());
        blocking(&self.objects, move || hand_over(&names, &ours, &theirs)).await?;
        self.make_ref(state, name, commit, over).await?;
        let dirs = Path::new(name).ancestors().skip(1).chain([Path::new("reftable")]);
        let dirs: Vec<_> = dirs.map(|dir| self.common.join(dir)).collect();
        blocking(&self.common, move || bring_to_disk(&dirs)).await
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

/// Puts objects of ours with those of the project, each as it is on the disk. Afterwards they are all there.
fn hand_over(names: &[PathBuf], ours: &Path, theirs: &Path) -> Result<(), GitError> {
    let files: Vec<_> = names.iter().flat_map(|name| [ours.join(name), theirs.join(name)]).collect();
    bring_to_disk(&files)?;
    let mut dirs = BTreeSet::from([theirs.to_owned()]);
    // What refers to others comes before them in the list, and after them here.
    for name in names.iter().rev().filter(|name| ours.join(name).exists()) {
        let to = theirs.join(name);
        link(&ours.join(name), &to).map_err(|source| GitError::NotWritten { path: to.clone(), source })?;
        dirs.extend(to.parent().map(Path::to_owned));
    }
    // Most file systems have these on the disk when they have the ref there. Not all do.
    bring_to_disk(&dirs.into_iter().collect::<Vec<_>>())
}

/// Makes `to` the same file as `from`, which never changes; where that cannot be, a copy on the disk.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let (Some(dir), Some(name)) = (to.parent(), to.file_name()) else { return Ok(()) };
    fs::create_dir_all(dir)?;
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A name that git clears up.
            let draft = dir.join(format!("tmp_obj_{}", name.to_string_lossy()));
            fs::copy(from, &draft)?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, to)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Waits until files or directories are on the disk. Those that are not there are passed over: an object may be in a
/// pack, or in another repository.
fn bring_to_disk(paths: &[PathBuf]) -> Result<(), GitError> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            match File::open(path).and_then(|file| file.sync_all()) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(GitError::NotWritten { path: path.clone(), source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..AT_A_TIME.min(paths.len())).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others.into_iter().filter_map(|other| other.join().ok()).fold(mine, Result::and)
    })
}

//! Snapshots of a workspace that do not believe its own `.git`.
//!
//! A workspace is written to by an agent, and so is the `.git` in it: an index that hides files, an `info/exclude` that
//! ignores them, a FIFO that holds up whoever reads it, a configuration that names programs. A snapshot looks at the
//! files alone. It has a git directory of its own beside the workspace ([`Snapshots::make`]), with its own index and
//! objects, the attributes of the tree that it takes and the user's identity. The project gets what [`Snapshots::record`] names.
//!
//! What a snapshot has is a tree: all files and links that are not ignored, the files of nested repositories among them.
//! No link to a commit is ever written but those of the base's own submodules, which stay as they are. What cannot be in
//! the tree, or should not get onto a branch, is listed ([`Refusal`]) and fails nothing.
//!
//! git is told each path. It walks nowhere itself, because it opens what it finds: in a nested `.git`, or as rules.

mod beneath;
mod draft;
mod entry;
mod head;
mod history;
mod in_project;
mod keep;
mod known;
mod links;
mod own;
mod record;
mod refusal;
mod settings;
mod take;
mod tree;
mod walk;
mod weigh;
mod work;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use beneath::Beneath;
use draft::Draft;
pub use in_project::Uncommitted;
pub use keep::{KeepAs, NotKept};
use own::{Own, State};
pub use refusal::{Refusal, Why};
pub use weigh::Weight;

use super::GitError;

/// How many things that cannot be handed in a sentence names.
const OBJECTIONS: usize = 5;

/// What a snapshot takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file. What is longer is refused, unless it is the base's and unchanged.
    pub file_bytes: u64,
    /// Bytes of all files together that the base does not have.
    pub new_bytes: u64,
    /// Files and directories that are looked at.
    pub entries: usize,
    /// Directories in directories that the base does not have.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // What hosting services take in a file is 100 MB, and git reads 300 MB in five seconds.
        Self { file_bytes: 200_000_000, new_bytes: 2_000_000_000, entries: 1_000_000, depth: 100 }
    }
}

/// The snapshots of one workspace.
#[derive(Debug, Clone)]
pub struct Snapshots {
    own: Own,
    /// What to make the git directory from when it is gone or broken.
    fallback: String,
    limits: Limits,
}

/// What a workspace held at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree. It lasts as long as the git directory and no longer than the machine runs; with [`Snapshots::commit`]
    /// and [`Snapshots::record`] for ever.
    pub tree: String,
    /// The commit that the workspace was made from.
    pub base: String,
    /// The files that differ from the base, in git's order.
    pub changed: Vec<PathBuf>,
    /// The repositories in the workspace below its root.
    pub nested: Vec<NestedRepository>,
    /// What is ignored, and so not in the tree.
    pub ignored: Vec<Ignored>,
    /// What cannot be handed in.
    pub refused: Vec<Refusal>,
}

/// A repository in a workspace, below its root. It is not asked anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedRepository {
    /// Its directory, below the workspace.
    pub path: PathBuf,
    /// The commit that the base links here. Then it is a submodule, stays as the base has it, and none of its files is
    /// in the tree. Otherwise they are there, as plain files.
    pub submodule: Option<String>,
    /// The commit it is at, by its own word, which may be wrong.
    pub head: Option<String>,
}

/// Something that is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Where it is, below the workspace.
    pub path: PathBuf,
    /// Its length; `None` for a directory, which nobody has looked into: see [`Snapshots::weigh`].
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// Returns why it cannot be handed in, in a sentence; `None` when it can.
    pub fn objections(&self) -> Option<String> {
        let objections = || self.refused.iter().filter(|refusal| refusal.why.is_objection());
        let mut sentences = objections().take(OBJECTIONS).map(Refusal::to_string).collect::<Vec<_>>();
        let more = objections().count().saturating_sub(OBJECTIONS);
        sentences.extend((more > 0).then(|| format!("and {more} more")));
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }

    /// Returns the repositories that the agent made: their files are handed in as any others, their history is not.
    pub fn new_repositories(&self) -> impl Iterator<Item = &NestedRepository> {
        self.nested.iter().filter(|nested| nested.submodule.is_none())
    }
}

impl Snapshots {
    /// Makes the git directory `own` for a workspace that was just made from the commit `base` of the project, and that
    /// nobody else has written to yet. What is at `own` is removed. It must not lie in the workspace, unless that
    /// ignores it.
    ///
    /// # Errors
    ///
    /// As every call of git, and so do all that follow: see [`GitError`].
    pub async fn make(own: &Path, workspace: &Path, project: &Path, base: &str) -> Result<Self, GitError> {
        let own = Own::at(own, workspace, project).await?;
        let _turn = own.turn().await?;
        own.forget()?;
        let state = own.make(base).await?;
        Draft::of_clone(&own, &state).await?.keep_index(&[])?;
        Ok(Self { own, fallback: state.base, limits: Limits::default() })
    }

    /// Returns the snapshots of a workspace whose git directory was made earlier, by whichever process. It is made anew
    /// from `base` if it is gone or broken.
    pub async fn open(own: &Path, workspace: &Path, project: &Path, base: &str) -> Result<Self, GitError> {
        let own = Own::at(own, workspace, project).await?;
        let snapshots = Self { own, fallback: base.to_owned(), limits: Limits::default() };
        let _turn = snapshots.own.turn().await?;
        snapshots.state().await?;
        Ok(snapshots)
    }

    /// Sets other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Notes that the workspace is at another commit of the project from now on.
    pub async fn move_base(&mut self, base: &str) -> Result<(), GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        let state = self.own.move_base(state, base).await?;
        Draft::new(&self.own, &state).await?.keep_for_another_base().await?;
        self.fallback = state.base;
        Ok(())
    }

    /// Takes a snapshot. Others of the same workspace wait for it, in other processes as well.
    ///
    /// # Errors
    ///
    /// As every call of git; [`GitError::TooManyFiles`] and [`GitError::TooMuchContent`] where a limit is passed as a
    /// whole, [`GitError::Changing`] when the workspace does not hold still.
    pub async fn take_snapshot(&self) -> Result<Snapshot, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        match take::take_snapshot(&self.own, &state, self.limits).await {
            // An index that is broken, objects that were thrown away, or a file that was exchanged while it was read.
            Err(error @ (GitError::Failed { .. } | GitError::Changing { .. })) => {
                tracing::warn!(%error, "makes a snapshot's git directory anew");
                let state = self.own.make(&state.base).await?;
                take::take_snapshot(&self.own, &state, self.limits).await
            }
            result => result,
        }
    }

    /// Makes a commit of a tree, as the user, with `trailers` (`Key: value`) at the message's end. Only once it has a ref
    /// does it last, and does the project know it.
    pub async fn commit(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<String, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        self.own.commit(&state, tree, parents, message, trailers).await
    }

    /// Makes the ref `name` (from `refs/` on) of the project at a commit. Both survive a power cut from then on; a
    /// commit that is not there whole gets none.
    ///
    /// # Errors
    ///
    /// [`GitError::RefExists`] when it is at another commit.
    pub async fn record(&self, name: &str, commit: &str) -> Result<(), GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        self.own.record(&state, name, commit, None).await
    }

    /// Moves the ref `name`, which [`Snapshots::record`] has made, from one commit to another.
    pub async fn record_over(&self, name: &str, commit: &str, from: &str) -> Result<(), GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        self.own.record(&state, name, commit, Some(from)).await
    }

    /// Returns the files that differ between two trees or commits, in git's order.
    pub async fn changed_between(&self, from: &str, to: &str) -> Result<Vec<PathBuf>, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        self.own.changed_between(&state, from, to, None).await
    }

    /// Returns the files of a tree that another has in another form, or not at all, in git's order.
    pub async fn altered_between(&self, from: &str, to: &str) -> Result<Vec<PathBuf>, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        // Small letters leave out: what was added is no alteration.
        self.own.changed_between(&state, from, to, Some("--diff-filter=a")).await
    }

    /// Returns how much lies at a path of the workspace, looking at no more than so many files and directories.
    pub async fn weigh(&self, ignored: &Path, at_most: usize) -> Result<Weight, GitError> {
        let (workspace, at) = (self.own.workspace.clone(), ignored.as_os_str().as_bytes().to_vec());
        let weigh = move || match Beneath::new(&workspace) {
            Ok(root) => Ok(weigh::weigh(&root, &at, at_most)),
            Err(source) => Err(GitError::Unreadable { path: workspace, source }),
        };
        blocking(ignored, weigh).await
    }

    /// Returns what the git directory was made with; makes it anew where that is lost. Whoever calls has the turn.
    async fn state(&self) -> Result<State, GitError> {
        match self.own.state() {
            Some(state) if self.own.is_whole() => Ok(state),
            Some(state) => self.own.make(&state.base).await,
            None => self.own.make(&self.fallback).await,
        }
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// Does what may take its time elsewhere, so that the caller's loop goes on.
async fn blocking<T: Send + 'static>(
    place: &Path,
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    let cut_off =
        |error| GitError::Unreadable { path: place.to_owned(), source: std::io::Error::other(error) };
    tokio::task::spawn_blocking(work).await.map_err(cut_off)?
}

//! The git directory that is ours: made beside a workspace, never read from it.
//!
//! It has an index, and the objects that no ref of the project holds yet; all others are the project's. Its objects are
//! written without waiting for the disk. After another start of the machine they are not believed, because an object that
//! a power cut left empty would be taken for written. What the user's configuration says about content is noted here when
//! it is made, before an agent could change it, and no other configuration is read.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::settings;
use crate::contain::own_node;
use crate::git::call::{Call, lines};
use crate::git::clone::Shared;
use crate::git::{Git, GitError, name};

/// Held by whoever takes a snapshot; never removed, so that all hold the same one.
const LOCK: &str = "cogwork.lock";

/// How long another process may take for its snapshot.
const LOCK_PATIENCE: Duration = Duration::from_secs(300);

/// How often a lock that is held is tried again.
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) dir: PathBuf,
    pub(super) workspace: PathBuf,
    pub(super) project: Git,
    /// Where the project has its objects and refs.
    pub(super) shared: Shared,
}

/// What is noted in the git directory, last of all when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The commit that the workspace was made from.
    pub(super) base: String,
    pub(super) base_tree: String,
    /// The tree whose attributes count, where that is not the base's.
    #[serde(default, skip_serializing)]
    pub(super) attributes: Option<String>,
    pub(super) settings: Vec<(String, String)>,
}

/// The lock of the git directory. A process that dies lets go of it.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "it holds the lock while it is open")] File);

impl Own {
    pub(super) async fn at(dir: &Path, workspace: &Path, project: &Path) -> Result<Self, GitError> {
        let git = Git::at(project);
        let shared = git.shared().await?;
        // git is called in the workspace.
        let absolute = |path| std::path::absolute(path).map_err(|source| not_written(path, source));
        let (dir, workspace) = (absolute(dir)?, absolute(workspace)?);
        Ok(Self { dir, workspace, project: git, shared })
    }

    /// Waits until no other process takes a snapshot here, and keeps others waiting.
    pub(super) async fn turn(&self) -> Result<Turn, GitError> {
        fs::create_dir_all(&self.dir).map_err(|source| not_written(&self.dir, source))?;
        let path = self.dir.join(LOCK);
        let file = File::create(&path).map_err(|source| not_written(&path, source))?;
        let end = crate::clock::now() + LOCK_PATIENCE;
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(source) = error {
                return Err(not_written(&path, source));
            }
            if crate::clock::now() > end {
                let purpose = format!("take a snapshot of {}", self.workspace.display());
                return Err(GitError::Locked { purpose, stderr: format!("{} is held", path.display()) });
            }
            tokio::time::sleep(LOCK_LOOK_EVERY).await;
        }
        Ok(Turn(file))
    }

    /// Makes the git directory anew, for a workspace that was made from `base`, without an index. Objects stay that can
    /// be believed: somebody may be about to give them a ref.
    pub(super) async fn make(&self, base: &str) -> Result<State, GitError> {
        let (base, base_tree) = self.look_up(base).await?;
        self.clear()?;
        self.write("boot", own_node().boot_id.as_bytes())?;
        let format = format!("--object-format={}", self.shared.format);
        let init = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", &format, "--"];
        // Next to it, not in it: a git in a bare repository takes that for its own.
        let init = Call::outside(&self.workspace, "make a git directory of our own", init).arg(&self.dir);
        init.env("GIT_CONFIG_GLOBAL", "/dev/null").run().await?;
        self.shared.lend_to(&self.dir)?;
        let is_project_itself = self.is_project();
        if is_project_itself {
            self.adopt_excludes()?;
        }
        let settings = settings::read_settings(&self.project, &self.shared.common, is_project_itself).await?;
        let state = State { base, base_tree, attributes: None, settings };
        self.write_known(&state).await?;
        self.write_state(&state)?;
        Ok(state)
    }

    /// Returns the commit that a base means, and its tree.
    async fn look_up(&self, base: &str) -> Result<(String, String), GitError> {
        name::check_revision(base)?;
        let (commit, tree) = (format!("{base}^{{commit}}"), format!("{base}^{{tree}}"));
        let args = ["rev-parse", &commit, &tree, "--"];
        let said = self.project.call(&format!("look up the base {base}"), args).run().await?.stdout;
        let mut lines = lines(&said).map(str::to_owned);
        match (lines.next(), lines.next()) {
            (Some(commit), Some(tree)) => Ok((commit, tree)),
            _ => Err(GitError::BadName { name: base.to_owned(), what: "a base: there is no such commit" }),
        }
    }

    /// Notes another base, and what it holds.
    pub(super) async fn move_base(&self, state: State, base: &str) -> Result<State, GitError> {
        let (base, base_tree) = self.look_up(base).await?;
        let state = State { base, base_tree, ..state };
        self.write_known(&state).await?;
        self.write_state(&state)?;
        Ok(state)
    }

    /// Returns whether the workspace is the project's own directory.
    pub(super) fn is_project(&self) -> bool {
        same(&self.workspace, self.project.dir())
    }

    /// Returns what was noted when it was made; `None` when that is gone or broken.
    pub(super) fn state(&self) -> Option<State> {
        serde_json::from_slice(&fs::read(self.file("state")).ok()?).ok()
    }

    /// Returns whether the rest of it is there, and was made since the machine was started.
    pub(super) fn is_whole(&self) -> bool {
        let parts = ["HEAD", "config", "objects/info/alternates"];
        self.is_of_this_boot() && parts.iter().all(|part| self.dir.join(part).exists())
    }

    /// Forgets what it has, objects included.
    pub(super) fn forget(&self) -> Result<(), GitError> {
        self.write("boot", b"")
    }

    fn is_of_this_boot(&self) -> bool {
        fs::read(self.file("boot")).is_ok_and(|noted| noted == own_node().boot_id.as_bytes())
    }

    /// Returns what the base holds; `None` when that is not noted any more.
    pub(super) fn known(&self, state: &State) -> Option<Known> {
        let text = fs::read(self.file("base")).ok()?;
        Known::parse(text.strip_prefix(state.base_tree.as_bytes())?.strip_prefix(b"\0")?)
    }

    pub(super) fn call<'a>(
        &self,
        state: &State,
        purpose: &str,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Call {
        let call = Call::outside(&self.workspace, purpose, args).git_dir(self.dir.clone());
        let call = call.env("GIT_WORK_TREE", &self.workspace);
        let call = call
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_SOURCE", state.attributes.as_ref().unwrap_or(&state.base_tree));
        let call = call.env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
        // What has to last is brought to the disk when it gets a ref, as a file of its own.
        let call = call.config(["core.safecrlf=false", "core.fsync=none", "core.bigFileThreshold=4095m"]);
        state.settings.iter().fold(call, |call, (key, value)| call.setting(key, value))
    }

    /// Returns the path of one of our own files in the git directory; git has none of such a name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("cogwork-{name}"))
    }

    async fn write_known(&self, state: &State) -> Result<(), GitError> {
        let list = ["ls-tree", "-r", "-z", "--full-tree", &state.base_tree];
        let listed = self.call(state, "list the files of a base", list).run().await?.stdout;
        self.write("base", &[state.base_tree.as_bytes(), b"\0", &listed].concat())
    }

    fn write_state(&self, state: &State) -> Result<(), GitError> {
        let path = self.file("state");
        let text = serde_json::to_vec(state).map_err(|source| not_written(&path, source.into()))?;
        self.write("state", &text)
    }

    /// Writes one of our own files, whole or not at all.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), GitError> {
        let (path, draft) = (self.file(name), self.file("draft"));
        let written = fs::write(&draft, content).and_then(|()| fs::rename(&draft, &path));
        written.map_err(|source| not_written(&path, source))
    }

    /// Takes over what the user ignores in the project alone, where that is what the agent works in.
    fn adopt_excludes(&self) -> Result<(), GitError> {
        let Ok(excludes) = fs::read(self.shared.common.join("info/exclude")) else { return Ok(()) };
        let info = self.dir.join("info");
        let written = fs::create_dir_all(&info).and_then(|()| fs::write(info.join("exclude"), excludes));
        written.map_err(|source| not_written(&info, source))
    }

    fn clear(&self) -> Result<(), GitError> {
        let keeps_objects = self.is_of_this_boot();
        let removed = || -> io::Result<()> {
            for entry in fs::read_dir(&self.dir)? {
                let entry = entry?;
                if entry.file_name() == LOCK || (keeps_objects && entry.file_name() == "objects") {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        removed().map_err(|source| GitError::Io { path: self.dir.clone(), source })
    }
}

pub(super) fn not_written(path: &Path, source: io::Error) -> GitError {
    GitError::NotWritten { path: path.to_owned(), source }
}

fn same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

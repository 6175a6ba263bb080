//! What a landing is about to do, on the disk before it begins, so that the next start can finish or undo it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trees::remove_file;
use crate::git::GitError;

/// A landing that has begun. Where it stopped is not written down: the branch, the index and the files say it, and
/// cannot be out of date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) from: String,
    pub(super) to: String,
    /// The full name of the branch. Earlier versions left it out: it was what the project had checked out.
    #[serde(default)]
    pub(super) branch: Option<String>,
    /// The working trees that change with the branch. A path that is no text is written as near as text comes, and
    /// compared so.
    #[serde(default)]
    pub(super) worktrees: Vec<String>,
    /// What the reflog says about the move.
    #[serde(default = "default_message")]
    pub(super) message: String,
}

/// What the reflog says where nobody said anything. git takes no empty message.
fn default_message() -> String {
    "cogwork: land".to_owned()
}

impl Intent {
    /// Returns the intent that stands in `file`; `None` when there is none. One that cannot be read was cut off while
    /// it was written: nothing had begun.
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// Writes it down, and waits until that is on the disk.
    pub(super) fn write(&self, file: &Path) -> Result<(), GitError> {
        self.try_write(file).map_err(|source| GitError::NotWritten { path: file.to_owned(), source })
    }

    fn try_write(&self, file: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let draft = file.with_extension("draft");
        let mut written = File::create(&draft)?;
        written.write_all(&text)?;
        written.sync_all()?;
        fs::rename(&draft, file)?;
        match file.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Returns what an index lock of this landing says, which tells it from a lock of anybody else's.
    pub(super) fn mark(&self) -> String {
        format!("cogwork lands {} on {}\n", self.to, self.branch.as_deref().unwrap_or_default())
    }
}

/// The landing is done, or did not happen.
pub(super) fn clear(file: &Path) -> Result<(), GitError> {
    remove_file(file)
}

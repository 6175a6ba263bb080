//! What a settings file was before we wrote into it, kept in `.cogwork/installed/` so that it can be put back.
//!
//! Project files are remembered in the project, a user's in their home directory. A record is only believed while the
//! file still is as we left it; after that it is the user's, and an undo takes out our entry alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cogwork_store::state_dir;
use serde::{Deserialize, Serialize};

use super::file::{remove_if_empty, write_private};
use crate::cli::CliError;

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) file: PathBuf,
    /// The text before our entry; nothing when there was no file.
    pub(super) before: Option<String>,
    /// The text as we left it.
    pub(super) after: String,
    /// Directories that were made for it, the innermost first.
    pub(super) made: Vec<PathBuf>,
}

/// Where the record of one installation is.
#[derive(Debug, Clone)]
pub(super) struct RecordFile {
    state: PathBuf,
    path: PathBuf,
}

impl RecordFile {
    /// Names the record of one server, in one scope of one client, under the directory that the scope is about.
    pub(super) fn of(base: &Path, words: [&str; 3]) -> Self {
        let state = state_dir(base);
        Self { path: state.join("installed").join(words.join("-") + ".json"), state }
    }

    /// Returns the record, if it is there, can be read, and describes the file as it is now.
    pub(super) fn read(&self, file: &Path, text: Option<&str>) -> Option<Record> {
        let record: Record = serde_json::from_str(&fs::read_to_string(&self.path).ok()?).ok()?;
        (record.file == file && Some(record.after.as_str()) == text).then_some(record)
    }

    /// Keeps a record. The directory is made as the project's own would be: private, and unknown to git.
    pub(super) fn write(&self, record: &Record) -> Result<(), CliError> {
        let cannot = |error| CliError::new(format!("cannot write {}: {error}", self.path.display()));
        let text = serde_json::to_string_pretty(record).map_err(|error| CliError::new(error.to_string()))?;
        let is_new = !self.state.exists();
        write_private(&self.path, &text).map_err(cannot)?;
        if is_new {
            fs::set_permissions(&self.state, fs::Permissions::from_mode(0o700)).map_err(cannot)?;
            fs::write(self.state.join(".gitignore"), IGNORE_ALL).map_err(cannot)?;
        }
        Ok(())
    }

    /// Forgets the record, and the directories around it when nothing else is in them.
    pub(super) fn forget(&self) {
        if fs::remove_file(&self.path).is_err() {
            return;
        }
        remove_if_empty(&[self.state.join("installed")]);
        let ignore = self.state.join(".gitignore");
        let alone = fs::read_dir(&self.state).is_ok_and(|entries| entries.count() == 1);
        if alone && fs::read_to_string(&ignore).is_ok_and(|text| text == IGNORE_ALL) {
            drop(fs::remove_file(&ignore));
            remove_if_empty(std::slice::from_ref(&self.state));
        }
    }
}

const IGNORE_ALL: &str = "*\n";

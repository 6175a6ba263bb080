//! Copies of the database, for the day on which it is damaged.
//!
//! Owns `.cogwork/backups/`: whole databases, compacted, named after the time they were made. `state_home` copies them
//! to a place outside the project.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::file::DatabaseFile;
use crate::open::{failed, remove};
use crate::{StoreError, state_dir};

/// The directory, beside the database.
const DIR: &str = "backups";

/// Enough to go back behind a mistake that is noticed late, when one is made at the start of each run.
const KEPT: usize = 5;

/// The newest copy while it is being made.
pub(crate) const DRAFT: &str = "draft";

impl DatabaseFile<'_> {
    /// Copies the database, unless nothing happened since the last copy, and keeps the newest few. Returns the new
    /// copy. Others may write meanwhile. To be called after [`DatabaseFile::check_integrity`]: damage must not drive out
    /// what was sound.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::NotWritable`], [`StoreError::Io`]; the copies that are there stay.
    pub fn back_up(self) -> Result<Option<PathBuf>, StoreError> {
        let Some(dir) = self.directory().map(|dir| dir.join(DIR)) else { return Ok(None) };
        fs::create_dir_all(&dir).map_err(|error| failed("create", &dir, error))?;
        let copies = copies(&dir).map_err(|error| failed("look at", &dir, error))?;
        let name = name(self.store.now()?);
        let last = self.last_change()?.map(crate::backups::name);
        let newest =
            copies.last().and_then(|copy| copy.file_name()).map(|name| name.to_string_lossy().into_owned());
        if newest.is_some_and(|newest| last.is_none_or(|last| last < newest) || name <= newest) {
            return Ok(None);
        }
        let (draft, copy) = (dir.join(DRAFT), dir.join(name));
        remove(&draft)?;
        self.vacuum_into(&draft)?;
        File::open(&draft)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&draft, &copy))
            .map_err(|error| failed("make", &copy, error))?;
        prune(&dir)?;
        Ok(Some(copy))
    }

    fn last_change(self) -> Result<Option<Timestamp>, StoreError> {
        let last = self.store.last_seq()?;
        Ok(self.store.journal_since(last - 1, 1)?.first().map(|entry| entry.at))
    }
}

/// Returns the newest copy of a database that lies beside it.
pub(crate) fn newest(database: &Path) -> Option<PathBuf> {
    copies(&database.parent()?.join(DIR)).ok()?.pop()
}

/// Returns the copies in a project, oldest first.
pub(crate) fn of_project(project: &Path) -> Vec<PathBuf> {
    copies(&state_dir(project).join(DIR)).unwrap_or_default()
}

/// Removes all copies in a directory but the newest few.
pub(crate) fn prune(dir: &Path) -> Result<(), StoreError> {
    let copies = copies(dir).map_err(|error| failed("look at", dir, error))?;
    for old in copies.iter().rev().skip(KEPT) {
        fs::remove_file(old).map_err(|error| failed("remove", old, error))?;
    }
    Ok(())
}

fn name(at: Timestamp) -> String {
    at.strftime("features-%Y%m%dT%H%M%SZ.db").to_string()
}

/// Returns the copies in a directory, oldest first.
pub(crate) fn copies(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("features-") && name.ends_with(".db"))
    };
    let mut copies: Vec<_> = paths.into_iter().filter(is_copy).collect();
    copies.sort();
    Ok(copies)
}

//! Absence is not emptiness: a database that is gone from a used project is damage, never a new project.
//!
//! Looked for only where there is no database, so that opening one costs nothing more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::open::DATABASE;
use crate::state_home::StateHome;
use crate::{StoreError, state_dir};

/// What lies in a state directory only after a database was there: settings, prompts and locks may come before.
pub(crate) const TRACES: [&str; 5] = ["backups", "sessions", "snapshots", "workspaces", "landing.json"];

/// The log of the database: made after it, and removed with the last connection.
const LOG: &str = "features.db-wal";

/// Refuses to take a project for a new one whose database is gone or empty, though something says that there was one.
pub(crate) fn refuse(project: &Path, outside: &StateHome) -> Result<(), StoreError> {
    let dir = state_dir(project);
    let path = dir.join(DATABASE);
    if bytes(&path).is_none_or(|bytes| bytes > 0) {
        return Ok(());
    }
    let local = TRACES.iter().map(|name| dir.join(name)).find(|trace| fs::symlink_metadata(trace).is_ok());
    let log = || Some(dir.join(LOG)).filter(|log| bytes(log).is_some_and(|bytes| bytes > 0));
    let Some(trace) = local.or_else(log).or_else(|| outside.newest_outside(project)) else {
        return Ok(());
    };
    let backup = outside.copies(project).into_iter().next();
    // Looked at once more: another process may have made the project between the two looks, and used it.
    match (bytes(&path), fs::symlink_metadata(&path)) {
        (Some(0), Ok(_)) => Err(StoreError::Corrupt { path, detail: "the file is empty".to_owned(), backup }),
        (Some(0), Err(_)) => Err(StoreError::DatabaseMissing { path, trace, backup }),
        (Some(_) | None, _) => Ok(()),
    }
}

/// Returns how large a file is, 0 for none; `None` when that cannot be told.
fn bytes(path: &Path) -> Option<u64> {
    match fs::metadata(path) {
        Ok(found) => Some(found.len()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Some(0),
        Err(_) => None,
    }
}

/// Returns the project of a database that lies where one of ours does.
pub(crate) fn project_of(database: &Path) -> Option<PathBuf> {
    let project = database.parent()?.parent()?;
    (state_dir(project).join(DATABASE) == database).then(|| project.to_owned())
}

//! The one moment in which a kill could leave the project's own files half changed: the fast-forward of the main
//! branch. It is written down before, so that the next start can finish it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use cogwork_process::git::{Git, GitError, Healed};
use cogwork_store::state_dir;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Intent {
    from: String,
    to: String,
}

fn file(project: &Path) -> PathBuf {
    state_dir(project).join("landing.json")
}

/// Writes down that the main branch is about to move, and waits until that is on the disk.
pub(super) fn write(project: &Path, from: &str, to: &str) -> Result<(), GitError> {
    let path = file(project);
    let intent = Intent { from: from.to_owned(), to: to.to_owned() };
    let written = serde_json::to_vec(&intent).map_err(std::io::Error::from).and_then(|text| {
        let mut file = File::create(&path)?;
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(|source| GitError::Io { path, source })
}

/// The move is done, or did not happen.
pub(super) fn clear(project: &Path) -> Result<(), GitError> {
    let path = file(project);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(GitError::Io { path, source }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Finishes a move that a kill interrupted, if there was one.
///
/// # Errors
///
/// When git fails. Files that hold somebody's own work are left alone; then the project is simply dirty, and the
/// caller says so.
pub async fn heal(project: &Path) -> Result<Option<Healed>, GitError> {
    let Ok(text) = fs::read(file(project)) else { return Ok(None) };
    let healed = match serde_json::from_slice::<Intent>(&text) {
        Ok(Intent { from, to }) => Some(Git::at(project).heal_interrupted_ff(&from, &to).await?),
        Err(_) => None, // killed while it was written: the move had not begun
    };
    clear(project)?;
    Ok(healed)
}

//! A settings file on disk: read whole, replaced whole or not at all.
//!
//! A link is followed, so that a dotfile which lives elsewhere stays a link; the mode stays; what was written between
//! our reading and our writing is noticed and not overwritten.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::CliError;

/// A mark that some editors put before the text; it is no part of it.
const BOM: &str = "\u{feff}";

/// For this user alone: settings hold keys.
const PRIVATE: u32 = 0o600;

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SettingsFile {
    /// As the client names it.
    pub(super) path: PathBuf,
    /// What the links lead to.
    target: PathBuf,
    /// Without the mark before it; nothing when there is no file.
    pub(super) text: Option<String>,
    bom: bool,
}

impl SettingsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It is a link to nothing, not a file, not text, or not readable.
    pub(super) fn read(path: PathBuf) -> Result<Self, CliError> {
        let cannot =
            |error: std::io::Error| CliError::new(format!("cannot read {}: {error}", path.display()));
        match fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { target: path.clone(), path, text: None, bom: false });
            }
            Err(error) => return Err(cannot(error)),
        }
        let target = fs::canonicalize(&path).map_err(|_| {
            CliError::new(format!("{} is a link to nothing: nothing was changed", path.display()))
                .hint("make the file it names, or remove the link")
        })?;
        let bytes = fs::read(&target).map_err(cannot)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            CliError::new(format!("{} is not text in UTF-8: nothing was changed", path.display()))
        })?;
        let (bom, text) = match text.strip_prefix(BOM) {
            Some(rest) => (true, rest.to_owned()),
            None => (false, text),
        };
        Ok(Self { path, target, text: Some(text), bom })
    }

    /// Replaces the file by this text, or removes it.
    ///
    /// Returns the directories that had to be made.
    ///
    /// # Errors
    /// Somebody else changed the file since it was read, or it cannot be written. Nothing has changed then.
    pub(super) fn replace(&self, text: Option<&str>, mode_of_new: u32) -> Result<Vec<PathBuf>, CliError> {
        if Self::read(self.path.clone())? != *self {
            return Err(CliError::new(format!(
                "{} has just been changed by somebody else",
                self.path.display()
            ))
            .hint("run the same command again"));
        }
        let done = match text {
            Some(text) => self.write(text, mode_of_new),
            None => fs::remove_file(&self.target).map(|()| Vec::new()),
        };
        done.map_err(|error| CliError::new(format!("cannot write {}: {error}", self.path.display())))
    }

    fn write(&self, text: &str, mode_of_new: u32) -> std::io::Result<Vec<PathBuf>> {
        let mode = match fs::metadata(&self.target) {
            Ok(found) => found.permissions().mode() & 0o7777,
            Err(_) => mode_of_new,
        };
        let made = make_parents(&self.target)?;
        let bom = if self.bom { BOM } else { "" };
        write_atomically(&self.target, &[bom, text].concat(), mode)?;
        Ok(made)
    }
}

/// Writes a file that nobody else may read, with its directories.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    make_parents(path)?;
    write_atomically(path, text, PRIVATE)
}

/// Removes directories that are empty, from the innermost outwards.
pub(super) fn remove_if_empty(made: &[PathBuf]) {
    for dir in made {
        // What is in use stays; that is all that can go wrong here.
        drop(fs::remove_dir(dir));
    }
}

/// Makes the directories above a file and returns those that were not there, the innermost first.
fn make_parents(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let Some(parent) = path.parent() else { return Ok(Vec::new()) };
    let missing = parent.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(parent)?;
    Ok(missing)
}

/// A reader sees the old file or the new one, also after a crash.
fn write_atomically(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".cogwork-{}", std::process::id()));
    let draft = path.with_file_name(name);
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    let done = write();
    if done.is_err() {
        drop(fs::remove_file(&draft));
    }
    done
}

#[cfg(test)]
mod tests;

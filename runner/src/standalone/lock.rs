//! One run at a time on a project: the lock that `cogwork run` and the lone agent both hold for life.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use cogwork_store::state_dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who holds the lock: what its file says, in `cogwork run`'s own words.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since: Timestamp,
}

/// The lock, held until it is dropped or the process dies.
#[derive(Debug)]
pub(super) struct RunLock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    #[error("{} is being worked on by another run{}: wait for it or stop it, then try again", project.display(), by(holder))]
    Held { project: PathBuf, holder: String },
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn by(holder: &str) -> String {
    if holder.is_empty() {
        String::new()
    } else {
        format!(" ({holder})")
    }
}

impl RunLock {
    /// Takes the lock of a project and leaves word of who holds it.
    pub(super) fn take(project: &Path, now: Timestamp) -> Result<Self, LockError> {
        let path = state_dir(project).join("run.lock");
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    project: project.to_owned(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        let holder = Holder {
            pid: std::process::id(),
            since: now,
        };
        file.write_all(crate::json::line(&holder).as_bytes())
            .map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Returns who holds the lock, which is a courtesy: that it is held is the answer.
fn holder(mut file: &File) -> String {
    let mut text = String::new();
    if file.read_to_string(&mut text).is_err() {
        return String::new();
    }
    let holder =
        serde_json::from_str(&text).map(|Holder { pid, since }| format!("process {pid}, since {since}"));
    holder.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_the_first_is() {
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir(state_dir(project.path())).unwrap();
        let take = || RunLock::take(project.path(), Timestamp::UNIX_EPOCH);
        let first = take().unwrap();
        let error = take().unwrap_err().to_string();
        let holder = format!(
            "another run (process {}, since 1970-01-01T00:00:00Z)",
            std::process::id()
        );
        assert!(error.contains(&holder), "{error}");
        drop(first);
        take().unwrap();
    }
}

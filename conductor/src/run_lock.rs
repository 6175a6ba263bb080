//! One run at a time on a project: the lock that `cogwork run` and the lone agent both hold for life.
//!
//! The kernel holds it, not a file's existence: however a run ends, its lock ends with it. What stands in the file
//! is for people, and for telling a run that lives from one that was just killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::ProcessIdentity;
use cogwork_store::state_dir;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::{Obstacles, Signpost};

/// How often, and with what pauses, a lock is asked for again whose holder is dead: a program that the holder was
/// about to start keeps it from its fork to its exec, which is milliseconds.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Who holds a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub process: ProcessIdentity,
    pub since: Timestamp,
    /// Where it takes commands; `None` while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// What holds it up at the moment.
    #[serde(default)]
    pub obstacles: Obstacles,
}

/// A project, held for one run until this is dropped or the process ends.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    holder: Holder,
}

/// Why a project is not held.
#[derive(Debug, thiserror::Error)]
pub enum RunLockError {
    /// Another run holds it.
    #[error("{} is being worked on by {}: wait for it to end, or stop it", project.display(), by(holder.as_deref()))]
    Held {
        project: PathBuf,
        /// `None` when it has not said who it is.
        holder: Option<Box<Holder>>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn by(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { process, since, .. }) => format!("process {}, running since {since}", process.pid),
        None => "another process".to_owned(),
    }
}

impl RunLock {
    /// Takes hold of a project that has a state directory, and leaves word of who holds it.
    ///
    /// # Errors
    ///
    /// [`RunLockError::Held`] when another run lives there; [`RunLockError::Io`].
    pub fn acquire(project: &Path, now: Timestamp) -> Result<Self, RunLockError> {
        let path = state_dir(project).join("run.lock");
        let io = |source| RunLockError::Io { path: path.clone(), source };
        let mut file = open(&path).map_err(io)?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(io(source)),
                Err(TryLockError::WouldBlock) => {
                    let holder = read(&mut file);
                    let lives = holder.as_ref().is_some_and(|holder| contain::is_alive(&holder.process));
                    if lives || tries == TRIES {
                        return Err(RunLockError::Held {
                            project: project.to_owned(),
                            holder: holder.map(Box::new),
                        });
                    }
                }
            }
            tries += 1;
            pause();
        }
        let process = contain::own_identity();
        let holder = Holder { process, since: now, socket: None, obstacles: Obstacles::default() };
        write(&mut file, &holder).map_err(io)?;
        Ok(Self { file, holder })
    }

    /// Leaves word of where commands are taken.
    pub(crate) fn show_socket(&mut self, path: &Path) {
        self.holder.socket = Some(path.to_owned());
        self.write();
    }

    /// Leaves word of what is known. Where not even this can be written, nobody is told.
    fn write(&mut self) {
        if let Err(error) = write(&mut self.file, &self.holder) {
            tracing::debug!("what is to be known of the run cannot be written down: {error}");
        }
    }

    /// Returns who holds a project now, if anybody does.
    ///
    /// # Errors
    ///
    /// [`RunLockError::Io`].
    pub fn holder(project: &Path) -> Result<Option<Holder>, RunLockError> {
        let path = state_dir(project).join("run.lock");
        let io = |source| RunLockError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io(source)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read(&mut file)),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

impl Signpost for RunLock {
    fn show(&mut self, obstacles: &Obstacles) {
        self.holder.obstacles = obstacles.clone();
        self.write();
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(holder)?;
    // In one piece, padded with what JSON ignores: whoever reads at this moment finds the old text or the new one.
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    text.resize(text.len().max(length), b' ');
    file.rewind()?;
    file.write_all(&text)
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[expect(clippy::disallowed_methods, reason = "nothing else runs yet: the lock comes before everything")]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir(state_dir(project.path())).unwrap();
        project
    }

    #[test]
    fn the_second_is_refused_and_told_who_the_first_is() {
        let project = project();
        let acquire = || RunLock::acquire(project.path(), Timestamp::UNIX_EPOCH);
        assert_eq!(RunLock::holder(project.path()).unwrap(), None);
        let first = acquire().unwrap();
        let error = acquire().unwrap_err().to_string();
        let holder = format!("process {}, running since 1970-01-01T00:00:00Z", std::process::id());
        assert!(error.contains(&holder), "{error}");
        let known = RunLock::holder(project.path()).unwrap().unwrap();
        assert_eq!(known.process, contain::own_identity());
        drop(first);
        assert_eq!(RunLock::holder(project.path()).unwrap(), None);
        acquire().unwrap();
    }

    #[test]
    fn a_lock_that_outlives_its_holder_for_a_moment_is_waited_for() {
        let project = project();
        let path = state_dir(project.path()).join("run.lock");
        let dead = ProcessIdentity { started: 0, ..contain::own_identity() };
        let obstacles = Obstacles::default();
        let holder = Holder { process: dead, since: Timestamp::UNIX_EPOCH, socket: None, obstacles };
        std::fs::write(&path, serde_json::to_string(&holder).unwrap()).unwrap();
        // What a killed run's child does between its fork and its exec.
        let inherited = open(&path).unwrap();
        inherited.try_lock().unwrap();
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| RunLock::acquire(project.path(), Timestamp::UNIX_EPOCH));
            pause();
            drop(inherited);
            waiting.join().unwrap()
        });
        waiting.unwrap();
    }
}

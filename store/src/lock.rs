//! The write lock: who may begin a write transaction, in the order of asking.
//!
//! SQLite's own waiting is unfair: measured with eight writers, one of them got a single turn in three seconds.
//! The kernel's queue behind `flock` costs nothing more and lets everybody in. The kernel also releases it when
//! its holder dies. It is a matter of fairness only: correctness rests on SQLite's locks.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::StoreError;

/// How long a writer waits for its turn. A transaction takes milliseconds; whoever waits this long waits for a
/// process that is stopped or hangs.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Digits of the holder's pid in the file, padded with blanks so that a shorter one overwrites a longer one.
const PID_WIDTH: usize = 10;

/// The waiting thread does one system call.
const WAITER_STACK: usize = 64 * 1024;

/// The lock file of one project.
#[derive(Debug)]
pub(crate) struct WriteLock {
    path: PathBuf,
    file: File,
    wait: Cell<Duration>,
}

impl WriteLock {
    /// Opens the lock file, making it if need be.
    pub(crate) fn open(path: &Path, wait: Duration) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)?, wait: Cell::new(wait) })
    }

    /// Says how long the next turns are waited for.
    pub(crate) fn set_wait(&self, wait: Duration) {
        self.wait.set(wait);
    }

    /// Waits for the lock and holds it until the guard is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] after the wait, naming the process that holds it.
    pub(crate) fn acquire(&self) -> Result<Held<'_>, StoreError> {
        let held = match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Held::Kept(&self.file),
            Err(Errno::WOULDBLOCK) if self.wait.get().is_zero() => return Err(self.busy()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Held::Fresh(self.wait_for_turn()?),
            Err(error) => return Err(self.failed("lock", error.into())),
        };
        // For the message of whoever waits for us in vain; a full disk must not stop a writer that frees space.
        let pid = format!("{:<PID_WIDTH$}", std::process::id());
        if let Err(error) = held.file().write_all_at(pid.as_bytes(), 0) {
            tracing::debug!(%error, "cannot write the pid into the lock file");
        }
        Ok(held)
    }

    /// Blocks in the kernel's queue. That wait has no time limit of its own, so a thread does it; when it gets the
    /// lock too late, nobody takes it from the channel and closing the file gives it back.
    fn wait_for_turn(&self) -> Result<File, StoreError> {
        let file = open(&self.path).map_err(|error| self.failed("open", error))?;
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("write-lock".to_owned())
            .stack_size(WAITER_STACK)
            .spawn(move || {
                let locked = loop {
                    match flock(&file, FlockOperation::LockExclusive) {
                        Err(Errno::INTR) => {}
                        other => break other,
                    }
                };
                drop(sender.send(locked.map(|()| file)));
            })
            .map_err(|error| self.failed("wait for", error))?;
        match receiver.recv_timeout(self.wait.get()) {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(error)) => Err(self.failed("lock", error.into())),
            Err(_) => Err(self.busy()),
        }
    }

    fn busy(&self) -> StoreError {
        let waited_s = self.wait.get().as_secs();
        StoreError::Busy { path: self.path.clone(), holder: self.holder(), waited_s }
    }

    fn holder(&self) -> Option<i32> {
        let mut text = [b' '; PID_WIDTH];
        self.file.read_exact_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    fn failed(&self, action: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { action, path: self.path.clone(), source }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// The held lock.
#[derive(Debug)]
pub(crate) enum Held<'a> {
    /// Got at once, on the store's own open file.
    Kept(&'a File),
    /// Got after waiting, on an open file of its own: two waits on one open file would share one lock.
    Fresh(File),
}

impl Held<'_> {
    fn file(&self) -> &File {
        match self {
            Self::Kept(file) => file,
            Self::Fresh(file) => file,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Explicitly, because a child that is just being started may still have the file open.
        if let Err(error) = flock(self.file(), FlockOperation::Unlock) {
            tracing::warn!(%error, "cannot release the write lock");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn a_second_writer_waits_in_vain_and_learns_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("write.lock");
        let (first, second) =
            (WriteLock::open(&path, SHORT).unwrap(), WriteLock::open(&path, SHORT).unwrap());
        let held = first.acquire().unwrap();
        let error = second.acquire().unwrap_err();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(matches!(&error, StoreError::Busy { holder: Some(pid), .. } if *pid == own), "{error:?}");
        assert!(error.to_string().contains(&format!("process {own} is writing")), "{error}");
        drop(held);
        // The waiter that came too late must not keep the lock either.
        drop(WriteLock::open(&path, LOCK_WAIT).unwrap().acquire().unwrap());
        drop(second.acquire().unwrap());
    }

    #[test]
    fn waiters_get_their_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("write.lock");
        let counter = dir.path().join("counter");
        std::fs::write(&counter, "0").unwrap();
        let count = || std::fs::read_to_string(&counter).unwrap().parse::<u32>().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let lock = WriteLock::open(&path, LOCK_WAIT).unwrap();
                    for _ in 0..50 {
                        let held = lock.acquire().unwrap();
                        std::fs::write(&counter, (count() + 1).to_string()).unwrap();
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(count(), 200);
    }
}

//! Looking below a directory without ever being led out of it: no link is followed, nothing but plain files is opened.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, readlinkat, statat};

/// A directory. Paths below it are bytes with `/` between the names, as git has them; the empty path is itself.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Beneath {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: open(root, DIRECTORY, Mode::empty())? })
    }

    /// Opens the directory at `path`, each of whose names must be one.
    pub(super) fn dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut dir = self.root.try_clone()?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            dir = openat(&dir, name, DIRECTORY, Mode::empty())?;
        }
        Ok(dir)
    }

    pub(super) fn stat(&self, path: &[u8]) -> io::Result<Stat> {
        let (dir, name) = self.parent(path)?;
        Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns what is at `path`; `None` when nothing is, or when it cannot be told.
    pub(super) fn kind(&self, path: &[u8]) -> Option<FileType> {
        self.stat(path).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns what the link at `path` says; `None` when there is no link.
    pub(super) fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (dir, name) = self.parent(path).ok()?;
        Some(readlinkat(dir, name, Vec::new()).ok()?.into_bytes())
    }

    /// Reads the plain file at `path`; `None` when it is none, or larger than `at_most` bytes.
    pub(super) fn read_regular_file(&self, path: &[u8], at_most: u64) -> Option<Vec<u8>> {
        let (dir, name) = self.parent(path).ok()?;
        // A FIFO would hold up whoever opens it until somebody writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if self.kind(path)? != FileType::RegularFile {
            return None;
        }
        let file = openat(dir, name, flags, Mode::empty()).ok()?;
        if FileType::from_raw_mode(fstat(&file).ok()?.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut content = Vec::new();
        File::from(file).take(at_most + 1).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= at_most).then_some(content)
    }

    fn parent<'a>(&self, path: &'a [u8]) -> io::Result<(OwnedFd, &'a [u8])> {
        let (dir, name) = split(path);
        Ok((self.dir(dir)?, name))
    }
}

/// Returns the directory and the name of a path.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

/// Returns whether `path` is one of `dirs` or lies below one.
pub(super) fn is_within<S: std::hash::BuildHasher>(
    path: &[u8],
    dirs: &std::collections::HashSet<Vec<u8>, S>,
) -> bool {
    if dirs.is_empty() {
        return false;
    }
    let mut path = path;
    loop {
        if dirs.contains(path) {
            return true;
        }
        if path.is_empty() {
            return false;
        }
        path = split(path).0;
    }
}

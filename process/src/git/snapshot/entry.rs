//! One entry of a directory: what it is, without opening it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Access, AtFlags, Dir, FileType, Stat, accessat, statat};
use rustix::io::Errno;

use super::beneath::{Beneath, split};

#[derive(Debug)]
pub(super) enum Kind {
    Dir,
    File(Stat),
    Link(Stat),
    /// What a file cannot be, by its name.
    Special(&'static str),
}

impl Kind {
    pub(super) fn of_stat(stat: Stat) -> Self {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Self::Dir,
            FileType::RegularFile => Self::File(stat),
            FileType::Symlink => Self::Link(stat),
            FileType::Fifo => Self::Special("FIFO"),
            FileType::Socket => Self::Special("socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Self::Special("device"),
            FileType::Unknown => Self::Special("special file"),
        }
    }

    /// Returns its length; `None` for a directory, whose length would be that of what is in it.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Dir => None,
            Self::File(stat) | Self::Link(stat) => Some(size(stat)),
            Self::Special(_) => Some(0),
        }
    }
}

pub(super) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

pub(super) fn stat_entry(dir: &OwnedFd, name: &[u8]) -> io::Result<Stat> {
    Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Returns what an entry is; a directory is not looked at.
pub(super) fn look_unless_dir(dir: &OwnedFd, name: &[u8], kind: FileType) -> io::Result<Kind> {
    if kind == FileType::Directory { Ok(Kind::Dir) } else { Ok(Kind::of_stat(stat_entry(dir, name)?)) }
}

pub(super) fn entries_of(dir: &OwnedFd) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            entries.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(entries)
}

/// Returns whether something was taken away, or became something else, while it was looked at.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Returns whether we may read a file.
pub(super) fn is_readable(root: &Beneath, path: &[u8], stat: &Stat) -> bool {
    // Whom a bit concerns is the kernel's to say; where all are set there is nothing to ask.
    if stat.st_mode & 0o444 == 0o444 {
        return true;
    }
    let (dir, name) = split(path);
    root.dir(dir).is_ok_and(|dir| accessat(dir, name, Access::READ_OK, AtFlags::EACCESS).is_ok())
}

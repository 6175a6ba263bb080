//! What the store has to know about the disk under it: its kind, and whether the file is still the same.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What kind of file system holds the database; decides the journal mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filesystem {
    /// A disk of this machine.
    Local,
    /// Shared with other machines, where the write-ahead log's shared memory does not work. It seems to work as
    /// long as one machine uses it, so the type decides and not a trial.
    Network,
}

impl Filesystem {
    /// Returns the kind of file system that holds `path`; one that does not say is taken for a local one.
    pub(crate) fn of(path: &Path) -> Self {
        if magic(path).is_some_and(is_network) { Self::Network } else { Self::Local }
    }

    /// Returns the SQLite journal mode that is safe there.
    pub(crate) fn journal_mode(self) -> &'static str {
        match self {
            Self::Local => "wal",
            Self::Network => "delete",
        }
    }
}

#[cfg(target_os = "linux")]
fn magic(path: &Path) -> Option<i64> {
    // The field's type differs between Linux targets.
    fn low_word(f_type: impl TryInto<i64>) -> Option<i64> {
        f_type.try_into().ok().map(|f_type| f_type & 0xffff_ffff)
    }
    rustix::fs::statfs(path).ok().and_then(|answer| low_word(answer.f_type))
}

#[cfg(not(target_os = "linux"))]
fn magic(_: &Path) -> Option<i64> {
    None
}

/// The magic numbers of `statfs(2)` for file systems that more than one machine may write.
fn is_network(magic: i64) -> bool {
    matches!(
        magic,
        0x6969            // NFS
        | 0x517b          // SMB
        | 0xff53_4d42     // CIFS
        | 0xfe53_4d42     // SMB 2
        | 0x6573_5546     // FUSE: sshfs and friends; also virtiofs
        | 0x0102_1997     // 9P: virtual machines, WSL
        | 0x0bd0_0bd0     // Lustre
        | 0x4750_4653     // GPFS
        | 0x00c3_6400     // Ceph
        | 0x6b41_4653     // AFS
        | 0x5346_414f     // OpenAFS
        | 0x1983_0326     // BeeGFS
        | 0x7461_636f     // OCFS2
        | 0x0116_1970     // GFS2
        | 0xbacb_acbc     // VMware shared folders
        | 0x786f_4256 // VirtualBox shared folders
    )
}

/// Which file a path led to when it was opened.
///
/// A database that is deleted or replaced under an open connection takes every write without a word, into a file
/// that nobody will ever see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Asks by path. Opening and closing the file here would drop SQLite's own locks on it.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_type() {
        for magic in [0x6969, 0xfe53_4d42, 0x6573_5546, 0x0bd0_0bd0] {
            assert!(is_network(magic), "{magic:#x}");
        }
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert!(!is_network(local), "{local:#x}: ext4, xfs, btrfs, tmpfs, overlayfs");
        }
        assert_eq!(Filesystem::Network.journal_mode(), "delete");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_type_of_a_real_file_system_is_read() {
        assert_eq!(magic(Path::new("/proc")), Some(0x9fa0));
        assert_eq!(magic(Path::new("/no/such/path")), None);
    }
}

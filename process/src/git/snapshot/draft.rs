//! The index of one snapshot: a draft that starts from the last one and takes its place at the end.
//!
//! A snapshot that is killed leaves a draft, which nobody reads. A git that outlives its snapshot writes to its draft
//! only, so no lock of git's is ever in another's way.
//!
//! The index saves reading what has not changed, and must never save more. git compares whole seconds: a file that is
//! changed in the second in which the index was written, and given an older time, looks unchanged to it. So it is noted
//! when the reading began, and a change of that kind since then makes the index void ([`Cached::is_in_doubt`]).

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::Stat;

use super::beneath::Beneath;
use super::own::{Own, State, not_written};
use crate::git::GitError;
use crate::git::call::{Call, records};

/// What the name of every draft begins with.
const DRAFT: &str = "cogwork-index-";

/// Bytes of an index that is taken over: two million files.
const LARGEST_INDEX: u64 = 256 << 20;

/// Seconds and nanoseconds, as files have them.
type Time = (i64, i64);

/// What is known of the index that a draft starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cached {
    written: Time,
    /// When the files were begun to be read for it, by the clock of the file system.
    began: Time,
    /// What it has beyond the base.
    pub(super) added: Vec<Vec<u8>>,
}

/// An index in the making; it is removed unless [`Draft::keep_index`] is called.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    own: &'a Own,
    state: &'a State,
    path: PathBuf,
    began: Time,
    /// `None` when it knows no file's time, and has what the base has.
    pub(super) cached: Option<Cached>,
}

impl<'a> Draft<'a> {
    /// Makes a draft from the last index, or from the base where there is none that can be trusted.
    pub(super) async fn new(own: &'a Own, state: &'a State) -> Result<Self, GitError> {
        let mut draft = Self::begin_draft(own, state).map_err(|source| not_written(&own.dir, source))?;
        draft.cached = draft.copied();
        if draft.cached.is_none() {
            draft.start_over().await?;
        }
        Ok(draft)
    }

    /// Makes a draft from the workspace's own index. After a clone that knows the time of every file, which would take
    /// long to find out where filters are slow. Only for a workspace that nobody has written to.
    pub(super) async fn of_clone(own: &'a Own, state: &'a State) -> Result<Self, GitError> {
        let mut draft = Self::begin_draft(own, state).map_err(|source| not_written(&own.dir, source))?;
        let is_plain = match draft.copied_from_workspace() {
            Some(()) => draft.is_plain().await,
            None => Ok(false),
        };
        match is_plain {
            Ok(true) => {}
            Ok(false) | Err(GitError::Failed { .. }) => {
                draft.start_over().await?;
                let refresh = ["update-index", "-q", "--refresh", "--ignore-submodules"];
                draft.call("look at the files", refresh).or_code(1).run().await?;
            }
            Err(error) => return Err(error),
        }
        Ok(draft)
    }

    /// Begins a draft. What earlier ones left is removed: whoever begins one has the turn.
    fn begin_draft(own: &'a Own, state: &'a State) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        for entry in fs::read_dir(&own.dir)? {
            let entry = entry?;
            if entry.file_name().as_bytes().starts_with(DRAFT.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = own.dir.join(format!("{DRAFT}{}-{count}", std::process::id()));
        let about = File::create(&path)?.metadata()?;
        Ok(Self { own, state, path, began: (about.ctime(), about.ctime_nsec()), cached: None })
    }

    /// Returns a call of git with this index.
    pub(super) fn call<'b>(&self, purpose: &str, args: impl IntoIterator<Item = &'b str>) -> Call {
        self.own.call(self.state, purpose, args).env("GIT_INDEX_FILE", &self.path)
    }

    /// Forgets what it knows: every file is read.
    pub(super) async fn start_over(&mut self) -> Result<(), GitError> {
        self.cached = None;
        let removed = fs::remove_file(&self.path);
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(not_written(&self.path, error));
        }
        self.call("begin an index", ["read-tree", &self.state.base_tree]).run().await?;
        Ok(())
    }

    /// Gives the index what the base has. It goes on knowing the files that are the same.
    async fn reset(&self) -> Result<(), GitError> {
        let reset = ["read-tree", "--reset", &self.state.base_tree];
        self.call("bring an index to its base", reset).run().await.map(drop)
    }

    /// Brings an index from elsewhere to the base; returns whether it hides nothing.
    async fn is_plain(&self) -> Result<bool, GitError> {
        self.reset().await?;
        let list = self.call("look at an index", ["ls-files", "-z", "-v"]).run().await?.stdout;
        // Anything else has been told to look unchanged.
        Ok(records(&list).all(|entry| entry.starts_with(b"H ")))
    }

    /// Makes it the index that the next one starts from, though the base is another one by now.
    pub(super) async fn keep_for_another_base(mut self) -> Result<(), GitError> {
        let Some(cached) = &self.cached else { return Ok(()) };
        // Nothing is read again, so all that was in doubt is.
        self.began = cached.began;
        match self.reset().await {
            Ok(()) => self.keep_index(&[]),
            // The next snapshot finds that out, and does without it.
            Err(GitError::Failed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn copied_from_workspace(&self) -> Option<()> {
        let workspace = Beneath::new(&self.own.workspace).ok()?;
        let about = fs::symlink_metadata(self.own.workspace.join(".git/index")).ok()?;
        let index = workspace.read_regular_file(b".git/index", LARGEST_INDEX)?;
        fs::write(&self.path, index).ok()?;
        self.set_time(about.modified().ok()?).ok()
    }

    /// Makes it the index that the next one starts from; `added` is what it has beyond the base.
    pub(super) fn keep_index(self, added: &[&[u8]]) -> Result<(), GitError> {
        let kept = || -> io::Result<Vec<u8>> {
            let written = fs::metadata(&self.path)?;
            let head =
                format!("{} {} {} {}", written.mtime(), written.mtime_nsec(), self.began.0, self.began.1);
            fs::rename(&self.path, self.own.dir.join("index"))?;
            Ok(std::iter::once(head.as_bytes()).chain(added.iter().copied()).collect::<Vec<_>>().join(&0))
        };
        let taken = kept().map_err(|source| not_written(&self.path, source))?;
        self.own.write("taken", &taken)
    }

    /// Copies the last index with its time, which git judges by; `None` when nothing is known of it.
    fn copied(&self) -> Option<Cached> {
        let cached = Cached::parse(&fs::read(self.own.file("taken")).ok()?)?;
        let index = self.own.dir.join("index");
        let about = fs::metadata(&index).ok()?;
        if (about.mtime(), about.mtime_nsec()) != cached.written {
            return None;
        }
        fs::copy(&index, &self.path).ok()?;
        self.set_time(about.modified().ok()?).ok()?;
        Some(cached)
    }

    fn set_time(&self, modified: SystemTime) -> io::Result<()> {
        File::options().write(true).open(&self.path)?.set_modified(modified)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let mut lock = self.path.clone().into_os_string().into_vec();
        lock.extend_from_slice(b".lock");
        // The next one removes what cannot be removed now.
        drop(fs::remove_file(&self.path));
        drop(fs::remove_file(PathBuf::from(std::ffi::OsString::from_vec(lock))));
    }
}

impl Cached {
    /// Reads what [`Draft::keep_index`] has written.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut records = records(text);
        let head = str::from_utf8(records.next()?).ok()?;
        let numbers: Vec<i64> = head.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [written_s, written_ns, began_s, began_ns] = numbers[..] else { return None };
        let added = records.map(<[u8]>::to_vec).collect();
        Some(Self { written: (written_s, written_ns), began: (began_s, began_ns), added })
    }

    /// Returns whether a file was changed so that git could take it for unchanged: since the index was begun, in a
    /// second that it has noted, and with a time that git does not think twice about.
    pub(super) fn is_in_doubt(&self, stat: &Stat) -> bool {
        #[expect(clippy::unnecessary_cast, reason = "the types differ between systems")]
        let (changed, modified_s) = ((stat.st_ctime as i64, stat.st_ctime_nsec as i64), stat.st_mtime as i64);
        changed >= self.began && changed.0 <= self.written.0 && modified_s < self.written.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_an_index_is_read_back() {
        let cached = Cached { written: (7, 8), began: (5, 6), added: vec![b"a\nb".to_vec(), b"c".to_vec()] };
        assert_eq!(Cached::parse(b"7 8 5 6\0a\nb\0c"), Some(cached));
        assert_eq!(Cached::parse(b"7 8 5 6").unwrap().added, [b""; 0]);
        assert_eq!(Cached::parse(b"7 8 5"), None);
        assert_eq!(Cached::parse(b""), None);
    }
}

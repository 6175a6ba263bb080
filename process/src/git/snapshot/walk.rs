//! Our own look at a workspace: what is there, of what kind and size, and where other repositories lie in it.
//!
//! git is never let loose on the tree: it would open what it finds in a nested `.git`. It is told each path, and asked
//! only which of those that the base does not have are ignored. The walk goes on in rounds: what the base does not have
//! is listed one directory deep, asked about, and gone on with where it is not ignored.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustix::fs::{FileType, Stat};

use super::Limits;
use super::beneath::{Beneath, is_within, join, split};
use super::draft::Cached;
use super::entry::{Kind, entries_of, is_gone, is_readable, look_unless_dir, size, stat_entry};
use super::known::Known;
use super::path;
use super::refusal::{Refusal, Why};
use crate::git::{GitError, STATE_DIR};

/// How many unknown entries are listed before git is asked whether they are ignored; fewer questions for new
/// directories, and not many more names if they are.
const EAGER: usize = 4096;

/// Bytes of the longest path that is handed to the kernel, with some room.
const LONGEST_PATH: usize = 4000;

/// What the walk has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files and links for the tree.
    pub(super) present: Vec<Present>,
    /// Plain files above the limit, which may be the base's own or a filter's.
    pub(super) oversize: Vec<Present>,
    /// Submodules of the base that are directories.
    pub(super) submodules: Vec<Vec<u8>>,
    /// Directories with a repository of their own, those of submodules included.
    pub(super) nested: Vec<Vec<u8>>,
    /// What is ignored, with its bytes unless it is a directory.
    pub(super) ignored: Vec<(Vec<u8>, Option<u64>)>,
    pub(super) refused: Vec<Refusal>,
    /// What the base has here stays in the tree.
    pub(super) kept: HashSet<Vec<u8>>,
    /// Something may have been changed behind the index.
    pub(super) is_in_doubt: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) path: Vec<u8>,
    pub(super) is_link: bool,
    pub(super) bytes: u64,
    /// The base has no file here.
    pub(super) is_new: bool,
}

/// An entry that the base does not have.
#[derive(Debug)]
struct Unknown {
    path: Vec<u8>,
    kind: Kind,
    /// git can be asked about it.
    is_askable: bool,
    is_listed: bool,
    depth: usize,
}

#[derive(Debug)]
struct Open {
    path: Vec<u8>,
    is_askable: bool,
    /// How many directories that the base does not have it lies in.
    depth: usize,
}

/// A walk in the middle of it.
#[derive(Debug)]
pub(super) struct Walk {
    root: Arc<Beneath>,
    known: Arc<Known>,
    cached: Option<Cached>,
    limits: Limits,
    is_in_project: bool,
    entries: usize,
    new_bytes: u64,
    open: Vec<Open>,
    unknown: Vec<Unknown>,
    ignored_dirs: HashSet<Vec<u8>>,
    found: Found,
}

impl Walk {
    pub(super) fn new(root: Arc<Beneath>, known: Arc<Known>, cached: Option<Cached>, limits: Limits) -> Self {
        Self {
            is_in_project: false,
            root,
            known,
            cached,
            limits,
            entries: 0,
            new_bytes: 0,
            open: vec![Open { path: Vec::new(), is_askable: true, depth: 0 }],
            unknown: Vec::new(),
            ignored_dirs: HashSet::new(),
            found: Found::default(),
        }
    }

    /// The project's own directory is looked at.
    pub(super) fn in_project(self, is_in_project: bool) -> Self {
        Self { is_in_project, ..self }
    }

    /// Lists what is open, until git has to be asked ([`Walk::questions`]).
    pub(super) fn list(mut self) -> Result<Self, GitError> {
        let eager = if self.entries == 0 { 0 } else { EAGER };
        let enough = self.entries.saturating_add(eager);
        while let Some(open) = self.open.pop() {
            self.list_one(&open)?;
            if self.open.is_empty() && self.entries < enough {
                let later = self.unknown.iter_mut().filter(|entry| !entry.is_listed);
                for entry in later.filter(|entry| matches!(entry.kind, Kind::Dir)) {
                    entry.is_listed = true;
                    let open =
                        Open { path: entry.path.clone(), is_askable: entry.is_askable, depth: entry.depth };
                    self.open.push(open);
                }
            }
        }
        Ok(self)
    }

    /// Returns the paths to ask git about.
    pub(super) fn questions(&self) -> impl Iterator<Item = &[u8]> {
        self.unknown.iter().filter(|entry| entry.is_askable).map(|entry| entry.path.as_slice())
    }

    /// Takes the answer; returns whether there is more to list.
    pub(super) fn answer(&mut self, ignored: &HashSet<Vec<u8>>) -> Result<bool, GitError> {
        // Parents come before what is in them.
        for entry in std::mem::take(&mut self.unknown) {
            let is_dir = matches!(entry.kind, Kind::Dir);
            let is_below_ignored = self.ignored_dirs.contains(split(&entry.path).0);
            if is_below_ignored || ignored.contains(&entry.path) {
                if is_dir {
                    self.ignored_dirs.insert(entry.path.clone());
                }
                if !is_below_ignored {
                    self.found.ignored.push((entry.path, entry.kind.bytes()));
                }
                continue;
            }
            match entry.kind {
                Kind::Dir if !entry.is_listed => {
                    let Unknown { path, is_askable, depth, .. } = entry;
                    self.open.push(Open { path, is_askable, depth });
                }
                Kind::Dir => {}
                Kind::Special(what) => self.refuse(&entry.path, Why::Special { what }),
                Kind::File(stat) => self.admit(entry.path, &stat, false, true)?,
                Kind::Link(stat) => self.admit(entry.path, &stat, true, true)?,
            }
        }
        Ok(!self.open.is_empty())
    }

    pub(super) fn end(mut self) -> Found {
        let ignored = &self.ignored_dirs;
        self.found.nested.retain(|dir| !is_within(dir, ignored));
        self.found.nested.sort();
        self.found.refused.retain(|refusal| !is_within(refusal.path.as_os_str().as_bytes(), ignored));
        self.found.refused.sort_by(|a, b| a.path.cmp(&b.path));
        self.found.ignored.sort();
        self.found
    }

    fn list_one(&mut self, open: &Open) -> Result<(), GitError> {
        let unreadable = |source: io::Error| GitError::Unreadable { path: path(&open.path), source };
        let entries = match self.root.dir(&open.path).and_then(|dir| Ok((entries_of(&dir)?, dir))) {
            Ok(entries) => entries,
            Err(error) if is_gone(&error) && !open.path.is_empty() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !open.path.is_empty() => {
                self.found.kept.insert(open.path.clone());
                self.refuse(&open.path, Why::Unreadable);
                return Ok(());
            }
            Err(error) => return Err(unreadable(error)),
        };
        let (entries, dir) = entries;
        self.entries += entries.len();
        if self.entries > self.limits.entries {
            return Err(GitError::TooManyFiles { limit: self.limits.entries });
        }
        // A git that asks a FIFO for the rules waits for ever.
        let is_askable = open.is_askable && entries.iter().all(|entry| !self.is_trap(&dir, entry));
        for (name, kind) in entries {
            self.meet(open, &dir, is_askable, &name, kind)?;
        }
        Ok(())
    }

    fn is_trap(&self, dir: &OwnedFd, (name, _): &(Vec<u8>, FileType)) -> bool {
        let is_harmless = |stat| match Kind::of_stat(stat) {
            Kind::File(stat) => size(&stat) <= self.limits.file_bytes,
            Kind::Dir | Kind::Link(_) => true,
            Kind::Special(_) => false,
        };
        name == b".gitignore" && !stat_entry(dir, name).is_ok_and(is_harmless)
    }

    fn meet(
        &mut self,
        open: &Open,
        dir: &OwnedFd,
        is_askable: bool,
        name: &[u8],
        kind: FileType,
    ) -> Result<(), GitError> {
        let path = join(&open.path, name);
        if name == b".git" {
            // The workspace's own is nobody's business.
            if !open.path.is_empty() {
                self.found.nested.push(open.path.clone());
            }
            return Ok(());
        }
        // Cogwork's own state is no part of a project's history, and what an agent writes there least of all.
        if open.path.is_empty() && name.eq_ignore_ascii_case(STATE_DIR.as_bytes()) {
            // The project's own is not an agent's.
            let is_a_copy = self.known.dirs.contains(&path) || self.is_in_project;
            if !is_a_copy
                && self.root.dir(&path).and_then(|dir| entries_of(&dir)).is_ok_and(|in_it| !in_it.is_empty())
            {
                self.refuse(&path, Why::CogworksOwn);
            }
            self.found.kept.insert(path);
            return Ok(());
        }
        if name.eq_ignore_ascii_case(b".git") {
            self.refuse(&path, Why::BadName);
            return Ok(());
        }
        let kind = match look_unless_dir(dir, name, kind) {
            Ok(kind) => kind,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(source) => return Err(GitError::Unreadable { path: super::path(&path), source }),
        };
        if let Kind::File(stat) | Kind::Link(stat) = &kind {
            self.found.is_in_doubt |= self.cached.as_ref().is_some_and(|cached| cached.is_in_doubt(stat));
        }
        let is_known = self.known.files.contains_key(&path);
        match kind {
            Kind::Dir if self.known.submodules.contains_key(&path) => self.meet_submodule(path),
            Kind::Dir if self.known.dirs.contains(&path) => {
                self.open.push(Open { path, is_askable, depth: 0 });
            }
            Kind::Dir if open.depth >= self.limits.depth || path.len() > LONGEST_PATH => {
                self.refuse(&path, Why::TooDeep);
            }
            Kind::Special(what) if is_known => self.refuse(&path, Why::Special { what }),
            Kind::File(stat) if is_known => self.admit(path, &stat, false, false)?,
            Kind::Link(stat) if is_known => self.admit(path, &stat, true, false)?,
            kind @ (Kind::Dir | Kind::File(_) | Kind::Link(_) | Kind::Special(_)) => {
                let depth = open.depth + 1;
                self.unknown.push(Unknown { path, kind, is_askable, is_listed: false, depth });
            }
        }
        Ok(())
    }

    /// A submodule stays as it is in the base. Files that are not in its repository would be lost without a word.
    fn meet_submodule(&mut self, path: Vec<u8>) {
        if self.root.kind(&join(&path, b".git")).is_some() {
            self.found.nested.push(path.clone());
        } else if self.root.dir(&path).and_then(|dir| entries_of(&dir)).is_ok_and(|found| !found.is_empty()) {
            self.refuse(&path, Why::InSubmodule);
        }
        self.found.submodules.push(path);
    }

    fn admit(&mut self, path: Vec<u8>, stat: &Stat, is_link: bool, is_new: bool) -> Result<(), GitError> {
        if path.len() > LONGEST_PATH {
            self.refuse(&path, Why::TooDeep);
            return Ok(());
        }
        if !is_link && !is_readable(&self.root, &path, stat) {
            self.refuse(&path, Why::Unreadable);
            self.found.kept.insert(path);
            return Ok(());
        }
        let present = Present { path, is_link, bytes: size(stat), is_new };
        if !is_link && present.bytes > self.limits.file_bytes {
            self.found.oversize.push(present);
            return Ok(());
        }
        if is_new {
            self.new_bytes = self.new_bytes.saturating_add(present.bytes);
            if self.new_bytes > self.limits.new_bytes {
                return Err(GitError::TooMuchContent { limit: self.limits.new_bytes });
            }
        }
        self.found.present.push(present);
        Ok(())
    }

    fn refuse(&mut self, at: &[u8], why: Why) {
        self.found.refused.push(Refusal { path: path(at), why });
    }
}

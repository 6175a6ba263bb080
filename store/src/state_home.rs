//! Copies of the database outside the project, for the day on which its whole state directory is gone.
//!
//! Owns `$XDG_STATE_HOME/cogwork/ID/PLACE/`, in which `project` names the project's directory, for people, beside the
//! newest few copies. ID is the project's own, made at random once and kept in its database. PLACE is the digest of the
//! directory in which the project lay when it was copied.
//!
//! The rule for projects that move: each directory has its own place, and a copy is written to no other. A project and
//! its `cp -r` have the same ID and two places, so neither overwrites or drives out a copy of the other. A project that
//! was moved begins a new place with its next run, and its old place stays as it is. A database that is missing is
//! looked for by the directory alone, because nothing else of the project is known then. Nothing here is ever deleted
//! but the oldest copies of the same place; what is begun anew only renames its place.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::backups::{self, DRAFT};
use crate::clock::TimeSource;
use crate::file::DatabaseFile;
use crate::open::failed;
use crate::secret::digest;
use crate::types::Adoption;
use crate::{Store, StoreError, absence};

/// The file that names the project's directory.
const PROJECT: &str = "project";

/// Hexadecimal digits of a place: 64 bits, for the few directories that one project has lain in.
const PLACE_DIGITS: usize = 16;

/// Where this user's programs keep what has to outlast their projects, if there is such a place.
#[derive(Debug, Clone, Default)]
pub struct StateHome(Option<PathBuf>);

/// Where the copies of a project outside it stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutsideCopy {
    /// The newest copy is there.
    Current(PathBuf),
    /// It is not there yet, or an older one is; the next run makes it.
    Behind(Option<PathBuf>),
    /// No copy can be made, and why.
    Impossible(String),
}

impl StateHome {
    /// Returns the place that the environment names: `$XDG_STATE_HOME/cogwork`, else `$HOME/.local/state/cogwork`.
    /// Values that are no absolute paths name none, as the XDG specification wants it.
    pub fn of_variables<V: AsRef<OsStr>>(variable: impl Fn(&str) -> Option<V>) -> Self {
        let set = |name: &str| {
            variable(name).map(|value| PathBuf::from(value.as_ref())).filter(|path| path.is_absolute())
        };
        let home = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        Self(home.map(|home| home.join("cogwork")))
    }

    /// Returns no place: nothing is looked for outside a project, and nothing is written there.
    pub fn none() -> Self {
        Self(None)
    }

    /// Opens the project in an existing directory, making it one if need be: see [`Store::create`]. One that has a copy
    /// here is not made anew.
    ///
    /// # Errors
    ///
    /// [`StoreError::DatabaseMissing`], and those of [`Store::create`].
    pub fn create(&self, project: &Path, clock: TimeSource) -> Result<Store, StoreError> {
        absence::refuse(project, self)?;
        Store::create(project, clock)
    }

    /// Opens an existing project: see [`Store::open`].
    ///
    /// # Errors
    ///
    /// [`StoreError::DatabaseMissing`] when it has a copy here and no database, and those of [`Store::open`].
    pub fn open(&self, project: &Path, clock: TimeSource) -> Result<Store, StoreError> {
        absence::refuse(project, self)?;
        Store::open(project, clock)
    }

    /// Opens an existing project, or one of the original: see [`Store::open_or_adopt`].
    ///
    /// # Errors
    ///
    /// [`StoreError::DatabaseMissing`] when it has a copy here and no database, and those of [`Store::open_or_adopt`].
    pub fn open_or_adopt(
        &self,
        project: &Path,
        clock: TimeSource,
    ) -> Result<(Store, Option<Adoption>), StoreError> {
        absence::refuse(project, self)?;
        Store::open_or_adopt(project, clock)
    }

    /// Returns the copies of a project, in it and outside, newest first.
    pub(crate) fn copies(&self, project: &Path) -> Vec<PathBuf> {
        let mut copies = backups::of_project(project);
        copies
            .extend(self.places(project).iter().flat_map(|place| backups::copies(place).unwrap_or_default()));
        // By name, which is the time; of two with the same, the one in the project was first.
        copies.sort_by(|one, other| other.file_name().cmp(&one.file_name()));
        copies
    }

    /// Returns the newest copy of a project that lies outside it.
    pub(crate) fn newest_outside(&self, project: &Path) -> Option<PathBuf> {
        let places = self.places(project);
        let copies = places.iter().flat_map(|place| backups::copies(place).unwrap_or_default());
        copies.max_by(|one, other| one.file_name().cmp(&other.file_name()))
    }

    /// Returns the places of a project's directory, of every project that ever lay there.
    pub(crate) fn places(&self, project: &Path) -> Vec<PathBuf> {
        let name = place_name(project);
        let ids = self.0.as_ref().and_then(|home| fs::read_dir(home).ok()).into_iter().flatten().flatten();
        ids.map(|id| id.path().join(&name)).filter(|place| place.is_dir()).collect()
    }
}

impl DatabaseFile<'_> {
    /// Copies the newest copy that [`DatabaseFile::back_up`] made to a place outside the project, and keeps the newest
    /// few there. Returns the new one; `None` when it is there already, when there is none to copy, or without a place.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::NotWritable`], [`StoreError::Io`]; the copies that are there stay.
    pub fn back_up_outside(self, home: &StateHome) -> Result<Option<PathBuf>, StoreError> {
        let (Some(place), Some(newest)) = (self.place(home)?, self.newest_copy()) else { return Ok(None) };
        let Some(copy) = newest.file_name().map(|name| place.join(name)) else { return Ok(None) };
        if copy.exists() {
            return Ok(None);
        }
        // What is in a database is for this user alone.
        let make = DirBuilder::new().recursive(true).mode(0o700).create(&place);
        make.and_then(|()| self.name_project(&place)).map_err(|error| failed("make", &place, error))?;
        let draft = place.join(DRAFT);
        fs::copy(&newest, &draft)
            .and_then(|_| File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &copy))
            .map_err(|error| failed("make", &copy, error))?;
        backups::prune(&place)?;
        Ok(Some(copy))
    }

    /// Returns how the copies outside the project stand. Changes nothing.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn outside_copy(self, home: &StateHome) -> Result<OutsideCopy, StoreError> {
        let Some(place) = self.place(home)? else {
            let reason = "neither XDG_STATE_HOME nor HOME names a directory for it";
            return Ok(OutsideCopy::Impossible(reason.to_owned()));
        };
        if let Some(reason) = obstacle(&place) {
            return Ok(OutsideCopy::Impossible(reason));
        }
        let outside = backups::copies(&place).unwrap_or_default().pop();
        let newest = self.newest_copy();
        let name =
            |copy: &Option<PathBuf>| copy.as_ref().and_then(|copy| copy.file_name()).map(OsString::from);
        Ok(match outside {
            Some(copy) if name(&newest) <= copy.file_name().map(OsString::from) => OutsideCopy::Current(copy),
            outside => OutsideCopy::Behind(outside),
        })
    }

    /// Returns the place of this project where it lies now.
    fn place(self, home: &StateHome) -> Result<Option<PathBuf>, StoreError> {
        let (Some(home), Some(project)) = (&home.0, self.project()) else { return Ok(None) };
        Ok(Some(home.join(self.store.project_id()?).join(place_name(project))))
    }

    fn newest_copy(self) -> Option<PathBuf> {
        backups::of_project(self.project()?).pop()
    }

    fn project(&self) -> Option<&Path> {
        self.store.home.name().parent()?.parent()
    }

    fn name_project(self, place: &Path) -> io::Result<()> {
        let Some(project) = self.project() else { return Ok(()) };
        let mut line = real(project).into_os_string();
        line.push("\n");
        fs::write(place.join(PROJECT), line.as_encoded_bytes())
    }
}

/// Returns what keeps this user from writing in a directory that is there or is to be made.
fn obstacle(place: &Path) -> Option<String> {
    let found = place.ancestors().find(|dir| fs::symlink_metadata(dir).is_ok())?;
    match fs::metadata(found) {
        Ok(meta) if !meta.is_dir() => Some(format!("{} is not a directory", found.display())),
        Ok(_) if access(found, Access::WRITE_OK | Access::EXEC_OK).is_ok() => None,
        Err(error) if error.kind() != ErrorKind::PermissionDenied => {
            Some(format!("{} cannot be read: {error}", found.display()))
        }
        Ok(_) | Err(_) => Some(format!("{} cannot be written by this user", found.display())),
    }
}

fn place_name(project: &Path) -> String {
    let mut name = digest(real(project).as_os_str().as_bytes());
    name.truncate(PLACE_DIGITS);
    name
}

/// Returns a directory as it is written the same way each time, however it was named.
fn real(project: &Path) -> PathBuf {
    let absolute = || std::path::absolute(project).unwrap_or_else(|_| project.to_owned());
    fs::canonicalize(project).unwrap_or_else(|_| absolute())
}

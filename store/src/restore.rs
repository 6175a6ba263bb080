//! Going back to a copy of a database that is damaged or gone, or beginning anew.
//!
//! Nothing is deleted: what is in the way moves to `.cogwork/aside-TIME/`. A kill at any moment leaves a database that is
//! whole or one that is missing, and the same command goes on. Whoever calls this holds the project's run lock.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cogwork_schemas::SessionId;
use jiff::Timestamp;

use crate::absence::TRACES;
use crate::clock::TimeSource;
use crate::columns::Id;
use crate::error::{Fail, shell_word};
use crate::features::list;
use crate::migrate::Schema;
use crate::open::{DATABASE, SIDECARS, failed, open_lock, prepare, refuse_stump, remove, sync_names};
use crate::state_home::StateHome;
use crate::{Store, StoreError, state_dir};

/// Where the database grows until it is whole; what a kill leaves there is overwritten by the next try.
const DRAFT: &str = "features.db.restored";

/// The directories with one entry for each session, which a copy may be too old to know.
const OF_SESSIONS: [&str; 3] = ["workspaces", "snapshots", "sessions"];

/// What was done to a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The copy that is the database now; `None` when the project begins anew.
    pub from: Option<PathBuf>,
    /// Newer copies that cannot be used.
    pub passed_over: Vec<UnusableCopy>,
    /// Where the earlier state is kept, if there was any in the way.
    pub aside: Option<PathBuf>,
}

/// A file that cannot take a database's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableCopy {
    pub file: PathBuf,
    /// What is wrong with it, without what could be done about that.
    pub why: String,
}

impl UnusableCopy {
    fn new(file: &Path, error: StoreError) -> Self {
        let why = if let StoreError::Corrupt { detail, .. } = error {
            detail
        } else if let StoreError::Io { source, .. } = error {
            source.to_string()
        } else {
            error.to_string()
        };
        Self { file: file.to_owned(), why }
    }
}

/// The copy to restore.
struct SoundCopy {
    file: PathBuf,
    store: Store,
    passed_over: Vec<UnusableCopy>,
}

/// Why a database was not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// What is there needs no restoring.
    #[error("{} is sound and stays as it is: to go back to a copy all the same, set it aside first with `cogwork restore --begin-anew --project-dir {}`", database.display(), shell_word(project))]
    Sound { database: PathBuf, project: PathBuf },

    /// No copy is whole, or there is none.
    #[error("there is no {} of {}{}: name one, `cogwork restore FILE --project-dir {project}`, or begin anew, `cogwork restore --begin-anew --project-dir {project}`", if passed_over.is_empty() { "copy" } else { "sound copy" }, database.display(), passed_over.iter().map(|copy| format!("; {} cannot be used ({})", copy.file.display(), copy.why)).collect::<String>(), project = shell_word(project))]
    NoCopy { database: PathBuf, project: PathBuf, passed_over: Vec<UnusableCopy> },

    /// The file that was named cannot take the database's place.
    #[error("{} cannot be restored, nothing was changed: {}", _0.file.display(), _0.why)]
    BadCopy(UnusableCopy),

    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StateHome {
    /// Puts a copy in the place of a database that is damaged, empty or gone: `file`, or the newest one that is sound,
    /// in the project or outside. Workspaces and journals of sessions that the copy does not know are set aside, because
    /// later sessions will have their numbers.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Sound`] when there is nothing to restore, [`RestoreError::NoCopy`], [`RestoreError::BadCopy`];
    /// [`StoreError::NoDirectory`], and whatever keeps the database from being looked at, such as a newer version.
    pub fn restore(
        &self,
        project: &Path,
        file: Option<&Path>,
        clock: &TimeSource,
    ) -> Result<Restored, RestoreError> {
        if !project.is_dir() {
            return Err(StoreError::NoDirectory { path: project.to_owned() }.into());
        }
        let dir = state_dir(project);
        let database = dir.join(DATABASE);
        if is_sound(project, clock)? {
            return Err(RestoreError::Sound { database, project: project.to_owned() });
        }
        let SoundCopy { file: from, store: copy, passed_over } = self.sound_copy(project, file, clock)?;
        prepare(&dir)?;
        let lock = open_lock(&dir)?;
        let held = lock.acquire()?;
        let draft = dir.join(DRAFT);
        remove(&draft)?;
        // Not its bytes: a copy that somebody made by hand may have a log.
        copy.file().vacuum_into(&draft)?;
        File::open(&draft).and_then(|file| file.sync_all()).map_err(|error| failed("save", &draft, error))?;
        drop(copy);
        let mut aside = Aside::of(&dir, clock.read());
        aside.take(DATABASE)?;
        for name in SIDECARS {
            aside.take(name)?;
        }
        fs::rename(&draft, &database).map_err(|error| failed("make", &database, error))?;
        sync_names(&dir)?;
        drop(held);
        let known: BTreeSet<_> = Store::open(project, clock.clone())?.session_ids()?.into_iter().collect();
        for of_sessions in OF_SESSIONS {
            for session in numbered(&dir.join(of_sessions)).into_iter().filter(|id| !known.contains(id)) {
                aside.take(&format!("{of_sessions}/{session}"))?;
            }
        }
        Ok(Restored { from: Some(from), passed_over, aside: aside.made })
    }

    /// Sets the whole state of a project aside, and its copies outside: the next `cogwork import` or `cogwork plan`
    /// begins a new one. Settings, prompts and policies stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoDirectory`], [`StoreError::Busy`], [`StoreError::Io`]; calling it again goes on.
    pub fn begin_anew(&self, project: &Path, clock: &TimeSource) -> Result<Restored, StoreError> {
        if !project.is_dir() {
            return Err(StoreError::NoDirectory { path: project.to_owned() });
        }
        let dir = state_dir(project);
        let now = clock.read();
        let mut aside = Aside::of(&dir, now);
        if dir.is_dir() {
            let lock = open_lock(&dir)?;
            let held = lock.acquire()?;
            // The database goes first: a kill in between leaves a project whose absence is noticed.
            for name in [DATABASE].iter().chain(&SIDECARS).chain(&TRACES) {
                aside.take(name)?;
            }
            sync_names(&dir)?;
            drop(held);
        }
        for place in self.places(project) {
            let mut name = place.clone().into_os_string();
            name.push(format!(".{}", aside_name(now)));
            fs::rename(&place, &name).map_err(|error| failed("rename", &place, error))?;
            aside.made.get_or_insert(name.into());
        }
        Ok(Restored { from: None, passed_over: Vec::new(), aside: aside.made })
    }

    /// Finds the copy to restore, opened.
    fn sound_copy(
        &self,
        project: &Path,
        file: Option<&Path>,
        clock: &TimeSource,
    ) -> Result<SoundCopy, RestoreError> {
        if let Some(file) = file {
            let unusable = |error| RestoreError::BadCopy(UnusableCopy::new(file, error));
            let store = open_copy(file, clock).map_err(unusable)?;
            return Ok(SoundCopy { file: file.to_owned(), store, passed_over: Vec::new() });
        }
        let mut passed_over = Vec::new();
        for file in self.copies(project) {
            match open_copy(&file, clock) {
                Ok(store) => return Ok(SoundCopy { file, store, passed_over }),
                Err(error) => passed_over.push(UnusableCopy::new(&file, error)),
            }
        }
        let database = state_dir(project).join(DATABASE);
        Err(RestoreError::NoCopy { database, project: project.to_owned(), passed_over })
    }
}

impl Store {
    /// Returns the sessions that there ever were.
    fn session_ids(&self) -> Result<Vec<SessionId>, StoreError> {
        self.read(|tx| list(tx, "SELECT id FROM sessions", [], |row| Ok(row.get::<_, Id<SessionId>>(0)?.0)))
    }
}

/// Returns whether the project has a database that may be worked with.
fn is_sound(project: &Path, clock: &TimeSource) -> Result<bool, StoreError> {
    match Store::open(project, clock.clone()).and_then(|store| store.file().check_integrity()) {
        Ok(()) => Ok(true),
        Err(
            StoreError::NoProject { .. } | StoreError::DatabaseMissing { .. } | StoreError::Corrupt { .. },
        ) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a copy for reading, after a look at all of it. It may be of an earlier version.
fn open_copy(file: &Path, clock: &TimeSource) -> Result<Store, StoreError> {
    let bytes = fs::metadata(file).map_err(|error| failed("read", file, error))?.len();
    if bytes == 0 {
        return Err(StoreError::corrupt(file, "it is empty"));
    }
    refuse_stump(file, bytes)?;
    let (copy, schema) = Store::connect_read_only(file.to_owned(), clock.clone())?;
    match schema {
        Schema::Current => copy.file().check_integrity()?,
        Schema::Behind | Schema::Newer { .. } | Schema::Foreign => copy.file().check_pages()?,
    }
    let rows: i64 = copy.read(|tx| {
        let count = tx.query_row("SELECT count(*) FROM project", [], |row| row.get(0));
        count.map_err(|error| Fail::Damaged(error.to_string()))
    })?;
    if rows == 0 {
        return Err(StoreError::corrupt(file, "it holds no project"));
    }
    Ok(copy)
}

/// A directory for what is in the way, made when the first thing moves there.
struct Aside {
    dir: PathBuf,
    at: Timestamp,
    made: Option<PathBuf>,
}

impl Aside {
    fn of(dir: &Path, at: Timestamp) -> Self {
        Self { dir: dir.to_owned(), at, made: None }
    }

    /// Moves an entry of the state directory there; it is fine if there is none.
    fn take(&mut self, name: &str) -> Result<(), StoreError> {
        let from = self.dir.join(name);
        match fs::symlink_metadata(&from) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("look at", &from, error)),
            Ok(_) => {}
        }
        let to = self.make()?.join(name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| failed("create", parent, error))?;
        }
        fs::rename(&from, &to).map_err(|error| failed("set aside", &from, error))
    }

    fn make(&mut self) -> Result<PathBuf, StoreError> {
        if let Some(made) = &self.made {
            return Ok(made.clone());
        }
        // Two in one second, by hand or by a clock that was set, get a number each.
        let mut number = 1_u32;
        loop {
            let more = if number == 1 { String::new() } else { format!("-{number}") };
            let path = self.dir.join(aside_name(self.at) + &more);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed("create", &path, error)),
                Ok(()) => {
                    self.made = Some(path.clone());
                    return Ok(path);
                }
            }
        }
    }
}

fn aside_name(at: Timestamp) -> String {
    at.strftime("aside-%Y%m%dT%H%M%SZ").to_string()
}

/// Returns the sessions that have an entry in a directory.
fn numbered(dir: &Path) -> Vec<SessionId> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let id = |name: &str| name.parse().ok().filter(|id: &SessionId| id.to_string() == name);
    entries.filter_map(|entry| id(entry.file_name().to_str()?)).collect()
}

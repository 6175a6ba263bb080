//! The state of the original (AutoForge, earlier autocoder), taken over once when its project is first opened.
//!
//! [`source`] finds and reads its files and never writes to them, [`convert`] decides purely what of them stands
//! here, and this file writes that: into a database beside its place, in one transaction, moved there when it is
//! whole. A kill in between leaves no project, and of many processes that open one at once a single one does it.

mod convert;
mod database;
mod human;
mod list_file;
mod source;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use cogwork_schemas::{Entry, Fact, Feature};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::clock::TimeSource;
use crate::columns::{Id, Json, Micros, Word};
use crate::error::Fail;
use crate::journal::{self, About};
use crate::open::{DATABASE, SIDECARS, configure, failed, open_lock, prepare, remove, sync_names};
use crate::secret::random_project_id;
use crate::types::Adoption;
use crate::{Store, StoreError, migrate, state_dir};
use convert::Converted;

/// Where the database grows until it is whole; what a kill leaves there is overwritten by the next try.
const DRAFT: &str = "features.db.draft";

/// Makes a directory that has no project, but files of the original, a project with their features. Returns what
/// was taken over, or nothing: when there is nothing, or when another process was faster.
///
/// # Errors
///
/// [`StoreError::NotAdopted`] when there is a file of the original that cannot be taken over.
pub(crate) fn adopt(project: &Path, now: Timestamp) -> Result<Option<Adoption>, StoreError> {
    let dir = state_dir(project);
    let database = dir.join(DATABASE);
    if exists(&database)? {
        return Ok(None);
    }
    // Before anything is made: what cannot be read leaves the directory as it was.
    let Some(found) = source::find(project)? else {
        return Ok(None);
    };
    let converted = convert::convert(found, now);
    prepare(&dir)?;
    let lock = open_lock(&dir)?;
    let held = lock.acquire()?;
    if exists(&database)? {
        return Ok(None);
    }
    let draft = dir.join(DRAFT);
    remove(&draft)?;
    remove(&dir.join(format!("{DRAFT}-journal")))?;
    let adoption = write(&draft, now, converted).map_err(|fail| fail.at(&draft))?;
    for name in SIDECARS {
        remove(&dir.join(name))?;
    }
    fs::rename(&draft, &database).map_err(|error| failed("make", &database, error))?;
    // The name, too, has to outlast a power cut: whoever opens it next builds on it.
    sync_names(&dir)?;
    drop(held);
    tracing::info!(source = adoption.source, features = adoption.features, "took over an older project");
    Ok(Some(adoption))
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(failed("look at", path, error)),
    }
}

fn write(draft: &Path, now: Timestamp, converted: Converted) -> Result<Adoption, Fail> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(draft, flags)?;
    configure(&connection)?;
    let tx = Transaction::new(&mut connection, TransactionBehavior::Immediate)?;
    migrate::migrate(&tx)?;
    tx.execute(
        "INSERT INTO project (one, created_at, id) VALUES (1, ?1, ?2)",
        (Micros(now), random_project_id()?),
    )?;
    let Converted { source, features, left_out } = converted;
    let count = u32::try_from(features.len()).unwrap_or(u32::MAX);
    let fact = Fact::Adopted { source: source.clone(), features: count, left_out: left_out.clone() };
    journal::record(&tx, now, About::default(), &fact)?;
    for feature in &features {
        insert(&tx, feature)?;
        journal::record(&tx, now, feature.id, &Fact::Created { name: feature.name.clone() })?;
    }
    for feature in &features {
        let mut statement =
            tx.prepare_cached("INSERT INTO dependencies (feature_id, depends_on) VALUES (?1, ?2)")?;
        for dependency in &feature.dependencies {
            statement.execute((Id(feature.id), Id(*dependency)))?;
        }
    }
    tx.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(Adoption { at: now, source, features: count, left_out })
}

fn insert(tx: &Transaction<'_>, feature: &Feature) -> Result<(), Fail> {
    tx.prepare_cached(
        "INSERT INTO features (id, priority, category, name, description, steps, status, proof, human_request,
             human_response)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        Id(feature.id),
        feature.priority,
        &feature.category,
        &feature.name,
        &feature.description,
        Json(&feature.steps),
        Word(feature.status),
        feature.proof.map(Word),
        feature.human_request.as_ref().map(Json),
        feature.human_response.as_ref().map(Json),
    ))?;
    Ok(())
}

impl Store {
    /// Opens an existing project, after taking over what the original left in the directory when there is none yet.
    /// Says what was taken over if that happened now. Looks for nothing outside the project: programs open it by
    /// [`StateHome::open_or_adopt`](crate::StateHome::open_or_adopt).
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAdopted`] when a file of the original cannot be taken over; otherwise as [`Store::open`].
    pub fn open_or_adopt(project: &Path, clock: TimeSource) -> Result<(Self, Option<Adoption>), StoreError> {
        match Self::open(project, clock.clone()) {
            Err(StoreError::NoProject { .. }) => {
                let adoption = adopt(project, clock.read())?;
                Ok((Self::open(project, clock)?, adoption))
            }
            other => Ok((other?, None)),
        }
    }

    /// Returns what was taken over when the project began; `None` when it began here.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn adoption(&self) -> Result<Option<Adoption>, StoreError> {
        // It can only be the first thing that ever happened.
        let first = self.journal_since(0, 1)?.into_iter().next();
        Ok(match first {
            Some(Entry { at, fact: Fact::Adopted { source, features, left_out }, .. }) => {
                Some(Adoption { at, source, features, left_out })
            }
            Some(_) | None => None,
        })
    }
}

//! The file behind a store: where it lies, who may write it in which turn, and whether it is still the one.
//!
//! What is said here is true of a file alone. Copies (`backups`) and the search for damage (`integrity`) are its
//! operations too. An engine that is a server has none of them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::FileIdentity;
use crate::lock::{Held, WriteLock};
use crate::open::failed;
use crate::{Store, StoreError};

/// Where the database lives.
#[derive(Debug)]
pub(crate) enum Home {
    /// In this process alone.
    Memory,
    Disk {
        database: PathBuf,
        identity: FileIdentity,
        lock: WriteLock,
    },
    /// In a directory that this user cannot write.
    ReadOnly {
        database: PathBuf,
    },
}

impl Home {
    /// Returns what errors call the database.
    pub(crate) fn name(&self) -> &Path {
        match self {
            Self::Memory => Path::new("the database in memory"),
            Self::Disk { database, .. } | Self::ReadOnly { database } => database,
        }
    }

    /// Says how long the next turns are waited for.
    pub(crate) fn set_wait(&self, wait: Duration) {
        match self {
            Self::Disk { lock, .. } => lock.set_wait(wait),
            Self::Memory | Self::ReadOnly { .. } => {}
        }
    }

    /// Waits until it is this writer's turn, and makes sure that the file is still the one.
    pub(crate) fn take_turn(&self) -> Result<Option<Held<'_>>, StoreError> {
        match self {
            Self::Memory => Ok(None),
            Self::Disk { lock, .. } => {
                let held = lock.acquire()?;
                self.refuse_replaced()?;
                Ok(Some(held))
            }
            Self::ReadOnly { database } => Err(StoreError::ReadOnly { path: database.clone() }),
        }
    }

    fn refuse_replaced(&self) -> Result<(), StoreError> {
        match self {
            Self::Disk { database, identity, .. } => match FileIdentity::of(database) {
                Ok(found) if found == *identity => Ok(()),
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("look at", database, error)),
                Ok(_) | Err(_) => Err(StoreError::Replaced { path: database.clone() }),
            },
            Self::Memory | Self::ReadOnly { .. } => Ok(()),
        }
    }
}

/// The file of a store.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseFile<'a> {
    pub(crate) store: &'a Store,
}

impl Store {
    /// Returns the file that this store is.
    pub fn file(&self) -> DatabaseFile<'_> {
        DatabaseFile { store: self }
    }
}

impl DatabaseFile<'_> {
    /// Returns a number that changes whenever another connection commits; microseconds, so it may be polled. Also
    /// notices that the file was deleted or replaced.
    ///
    /// # Errors
    ///
    /// [`StoreError::Replaced`], or the database's.
    pub fn data_version(self) -> Result<i64, StoreError> {
        self.store.home.refuse_replaced()?;
        self.store.ask(|connection| {
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
        })
    }

    /// Returns the directory of a file that may be written.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.store.home {
            Home::Disk { database, .. } => database.parent(),
            Home::Memory | Home::ReadOnly { .. } => None,
        }
    }

    /// Writes the database as it is at one moment into a new file.
    pub(crate) fn vacuum_into(self, file: &Path) -> Result<(), StoreError> {
        let sql = "VACUUM INTO CAST(?1 AS TEXT)";
        self.store.ask(|connection| connection.execute(sql, [file.as_os_str().as_encoded_bytes()]))?;
        Ok(())
    }
}

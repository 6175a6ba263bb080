//! What runs were asked, and the pause that outlives them.

use cogwork_schemas::{Asker, Command, Fact, RunId};
use jiff::Timestamp;
use rusqlite::OptionalExtension;

use crate::columns::{Json, Micros};
use crate::journal::{self, About};
use crate::{Store, StoreError};

/// Nothing is started in the project until somebody asks to resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    pub by: Asker,
}

impl Store {
    /// Records what a run was asked. A pause holds until it is asked to resume, to drain or to stop.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn record_command(&self, run: Option<RunId>, command: Command, by: &Asker) -> Result<(), StoreError> {
        self.write(|tx, now| {
            let about = match command {
                Command::Pause => {
                    tx.prepare_cached(
                        "INSERT INTO pause (id, since, asker) VALUES (1, ?1, ?2) ON CONFLICT (id) DO NOTHING",
                    )?
                    .execute((Micros(now), Json(by)))?;
                    About::default()
                }
                Command::Resume | Command::Drain | Command::Stop => {
                    tx.prepare_cached("DELETE FROM pause")?.execute([])?;
                    About::default()
                }
                Command::StopFeature { feature } => About { feature: Some(feature), ..About::default() },
                Command::StopSession { session } => About { session: Some(session), ..About::default() },
                Command::Slots { .. } | Command::Abandon => About::default(),
            };
            journal::record(tx, now, About { run, ..about }, &Fact::Commanded { command, by: by.clone() })?;
            Ok(())
        })
    }

    /// Returns since when and by whom the project is paused; `None` when it is not.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn pause(&self) -> Result<Option<Pause>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT since, asker FROM pause")?;
            let row = statement.query_row([], |row| {
                Ok(Pause { since: row.get::<_, Micros>(0)?.0, by: row.get::<_, Json<_>>(1)?.0 })
            });
            Ok(row.optional()?)
        })
    }
}

//! Importing a feature list: all of it or nothing.
//!
//! [`resolve`] decides, purely, what every item means and what is wrong with the list; this file writes the result.

mod resolve;
#[cfg(test)]
mod tests;

use cogwork_schemas::{Fact, FeatureId, FeatureList, ListedFeature};
use jiff::Timestamp;
use rusqlite::Transaction;

use crate::columns::{Id, Json};
use crate::error::Fail;
use crate::types::{ImportLimits, Imported};
use crate::{Store, StoreError, journal};
use resolve::{Meaning, Project, Target};

/// The priority of a feature whose author gave none: after all that have one.
const DEFAULT_PRIORITY: i64 = 999;

impl Store {
    /// Adds the features of a list, in one transaction. Features whose key the project knows stay as they are;
    /// features without a key are always new.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadList`] with everything that is wrong with it at once.
    pub fn import(
        &self,
        now: Timestamp,
        list: &FeatureList,
        limits: &ImportLimits,
    ) -> Result<Imported, StoreError> {
        self.write(|tx| {
            let project = project(tx)?;
            let meanings = resolve::resolve(list, limits, &project)
                .map_err(|problems| StoreError::BadList { problems })?;
            write(tx, now, list, &meanings)
        })
    }
}

fn project(tx: &Transaction<'_>) -> Result<Project, Fail> {
    let mut project = Project::default();
    let mut statement = tx.prepare_cached("SELECT id, key FROM features")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, Id<_>>(0)?.0;
        project.ids.insert(id);
        if let Some(key) = row.get(1)? {
            project.keys.insert(key, id);
        }
    }
    Ok(project)
}

fn write(
    tx: &Transaction<'_>,
    now: Timestamp,
    list: &FeatureList,
    meanings: &[Meaning],
) -> Result<Imported, Fail> {
    let mut imported = Imported::default();
    let mut ids = Vec::with_capacity(meanings.len());
    for (item, meaning) in list.features.iter().zip(meanings) {
        let id = match meaning {
            Meaning::Known(id) => {
                imported.known.push(*id);
                *id
            }
            Meaning::New { .. } => {
                let id = insert(tx, now, item)?;
                imported.created.push(id);
                id
            }
        };
        ids.push(id);
    }
    // Only now does every item have an id: an item may depend on a later one.
    let mut statement =
        tx.prepare_cached("INSERT INTO dependencies (feature_id, depends_on) VALUES (?1, ?2)")?;
    for (id, meaning) in ids.iter().zip(meanings) {
        let dependencies = match meaning {
            Meaning::Known(_) => continue,
            Meaning::New { dependencies } => dependencies,
        };
        for target in dependencies {
            let depends_on = match target {
                Target::Existing(id) => *id,
                Target::Item(index) => ids[*index],
            };
            statement.execute((Id(*id), Id(depends_on)))?;
        }
    }
    Ok(imported)
}

fn insert(tx: &Transaction<'_>, now: Timestamp, item: &ListedFeature) -> Result<FeatureId, Fail> {
    tx.prepare_cached(
        "INSERT INTO features (key, priority, category, name, description, steps, estimate_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        &item.key,
        item.priority.unwrap_or(DEFAULT_PRIORITY),
        &item.category,
        &item.name,
        &item.description,
        Json(&item.steps),
        item.estimate_s,
    ))?;
    let id = FeatureId(tx.last_insert_rowid());
    let mut statement = tx.prepare_cached(
        "INSERT INTO checks (feature_id, position, command, timeout_s) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, check) in (0_i64..).zip(&item.checks) {
        statement.execute((Id(id), position, &check.command, check.timeout_s))?;
    }
    journal::record(tx, now, id, &Fact::Created { name: item.name.clone() })?;
    Ok(id)
}

//! New features, from a file or a call: all of a list or nothing.
//!
//! [`resolve`] decides, purely, what every item means and what is wrong with the list; this file writes the result.

mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use cogwork_schemas::{Check, DependencyRef, Fact, FeatureId, FeatureList, ListedFeature, Status};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Transaction};

use crate::columns::{Id, Json};
use crate::error::Fail;
use crate::features::{checks_of, status};
use crate::types::{ImportLimits, Imported, ListProblem, NewFeature};
use crate::{Store, StoreError, calls, journal};
pub(crate) use resolve::PRIORITY_BOUND;
use resolve::{Meaning, Project, Target, check_faults};

/// How long the call of a client is taken for the same: longer than any takes to notice a lost answer, and no longer,
/// because what names it is mostly what it asks for.
const CALL_MEMORY: SignedDuration = SignedDuration::from_mins(10);

/// Numbers of features stay within this, so that there is always a next one.
pub(crate) const HIGHEST_ID: i64 = 1_000_000_000_000;

impl Store {
    /// Adds the features of a list, in one transaction. Features whose key the project knows stay as they are;
    /// features without a key are always new.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadList`] with everything that is wrong with it at once.
    pub fn import(&self, list: &FeatureList, limits: &ImportLimits) -> Result<Imported, StoreError> {
        let items: Vec<NewFeature> = list.features.iter().cloned().map(NewFeature::from).collect();
        self.create_features(&items, limits, None)
    }

    /// Gives a feature other checks, and returns whether they are others. Only while nobody has worked on it: what
    /// decides about work is known before it, and stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadList`] with everything that is wrong with the checks; [`StoreError::WrongStatus`] unless it is
    /// pending; [`StoreError::Begun`]; [`StoreError::UnknownFeature`].
    pub fn set_checks(
        &self,
        id: FeatureId,
        checks: &[Check],
        limits: &ImportLimits,
    ) -> Result<bool, StoreError> {
        let faults = check_faults(checks, limits).into_iter();
        let problem = |what| ListProblem { item: None, field: "checks", label: String::new(), what };
        let problems: Vec<ListProblem> = faults.map(problem).collect();
        if !problems.is_empty() {
            return Err(StoreError::BadList { problems });
        }
        self.write_once("set_checks", |tx, now| {
            let status = status(tx, id)?;
            if status != Status::Pending {
                return Err(StoreError::WrongStatus { id, action: "given other checks", status }.into());
            }
            let begun: bool = tx
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM attempts WHERE feature_id = ?1)")?
                .query_row([Id(id)], |row| row.get(0))?;
            if begun {
                return Err(StoreError::Begun { id }.into());
            }
            if checks_of(tx, id)? == checks {
                return Ok(false);
            }
            tx.prepare_cached("DELETE FROM checks WHERE feature_id = ?1")?.execute([Id(id)])?;
            insert_checks(tx, id, checks)?;
            journal::record(tx, now, id, &Fact::ChecksChanged { checks: checks.to_vec() })?;
            Ok(true)
        })
    }

    /// Makes features, in one transaction, each behind all others unless it says its own priority. Features whose
    /// key the project knows stay as they are.
    ///
    /// `call` names a client's call in which they came: the same made again within ten minutes gets the same answer and
    /// makes nothing. Without one it is an operation like others ([`Store::once`]).
    ///
    /// # Errors
    ///
    /// [`StoreError::BadList`] with everything that is wrong with the list at once.
    pub fn create_features(
        &self,
        items: &[NewFeature],
        limits: &ImportLimits,
        call: Option<&str>,
    ) -> Result<Imported, StoreError> {
        let make = |tx: &Transaction<'_>, now| {
            let project = project(tx, items)?;
            let meanings = resolve::resolve(items, limits, &project)
                .map_err(|problems| StoreError::BadList { problems })?;
            write(tx, now, items, &meanings)
        };
        let Some(call) = call else { return self.write_once("create_features", make) };
        self.write(|tx, now| {
            if let Some(answer) = calls::answer(tx, now, call, CALL_MEMORY)? {
                return Ok(Imported { repeated: true, ..answer });
            }
            let imported = make(tx, now)?;
            calls::remember(tx, now, call, &imported)?;
            Ok(imported)
        })
    }
}

/// Reads of the project what the list names, and nothing else: one more feature costs the same in a large one.
fn project(tx: &Transaction<'_>, items: &[NewFeature]) -> Result<Project, Fail> {
    let mut project = Project::default();
    let mut by_key = tx.prepare_cached("SELECT id FROM features WHERE key = ?1")?;
    let mut by_id = tx.prepare_cached("SELECT id FROM features WHERE id = ?1")?;
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for NewFeature { listed, .. } in items {
        let wanted = listed.dependencies.iter().filter_map(|wanted| match wanted {
            DependencyRef::Key(key) => Some(key),
            DependencyRef::Id(_) => None,
        });
        for key in listed.key.iter().chain(wanted).filter(|key| asked.insert(key)) {
            if let Some(id) = by_key.query_row([key], |row| row.get::<_, Id<FeatureId>>(0)).optional()? {
                project.keys.insert(key.clone(), id.0);
            }
        }
    }
    let mut ids: BTreeSet<FeatureId> = BTreeSet::new();
    for wanted in items.iter().flat_map(|item| &item.listed.dependencies) {
        match wanted {
            DependencyRef::Id(id) if ids.insert(FeatureId(*id)) => {
                let found = by_id.query_row([id], |row| row.get::<_, Id<FeatureId>>(0)).optional()?;
                project.ids.extend(found.map(|id| id.0));
            }
            DependencyRef::Id(_) | DependencyRef::Key(_) => {}
        }
    }
    Ok(project)
}

fn write(
    tx: &Transaction<'_>,
    now: Timestamp,
    items: &[NewFeature],
    meanings: &[Meaning],
) -> Result<Imported, Fail> {
    let mut imported = Imported::default();
    let mut ids = Vec::with_capacity(meanings.len());
    // Behind those of this list that say their own, too: what was given its place never shares it.
    let said = items.iter().filter_map(|item| item.listed.priority).max();
    let mut last = last_priority(tx)?.max(said.unwrap_or(0));
    let keep_ids = may_keep_ids(tx, items)?;
    for (NewFeature { listed: item, .. }, meaning) in items.iter().zip(meanings) {
        let id = match meaning {
            Meaning::Known(id) => {
                imported.known.push(*id);
                *id
            }
            Meaning::New { .. } => {
                let priority = item.priority.unwrap_or(last + 1);
                last = last.max(priority);
                let id = insert(tx, now, item, priority, item.id.filter(|_| keep_ids))?;
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
    imported.items = ids;
    Ok(imported)
}

/// Returns whether the features of a list keep their own numbers: when all have one, in a project in which no number
/// was ever given. So a list that was exported comes back as it was.
fn may_keep_ids(tx: &Transaction<'_>, items: &[NewFeature]) -> Result<bool, Fail> {
    let all = items.iter().all(|item| item.listed.id.is_some_and(|id| (1..=HIGHEST_ID).contains(&id)));
    // Every feature is named in the journal, also one that was deleted since.
    let none_given = "SELECT NOT EXISTS (SELECT 1 FROM journal WHERE feature_id IS NOT NULL)";
    Ok(all && tx.prepare_cached(none_given)?.query_row([], |row| row.get(0))?)
}

fn insert(
    tx: &Transaction<'_>,
    now: Timestamp,
    item: &ListedFeature,
    priority: i64,
    id: Option<i64>,
) -> Result<FeatureId, Fail> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO features (id, key, priority, category, name, description, steps, estimate_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
    )?;
    let params = (
        id,
        &item.key,
        priority,
        &item.category,
        &item.name,
        &item.description,
        Json(&item.steps),
        item.estimate_s,
    );
    let id = insert.query_row(params, |row| row.get::<_, Id<_>>(0))?.0;
    insert_checks(tx, id, &item.checks)?;
    journal::record(tx, now, id, &Fact::Created { name: item.name.clone() })?;
    Ok(id)
}

fn insert_checks(tx: &Transaction<'_>, id: FeatureId, checks: &[Check]) -> Result<(), Fail> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO checks (feature_id, position, command, timeout_s) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, check) in (0_i64..).zip(checks) {
        statement.execute((Id(id), position, &check.command, check.timeout_s))?;
    }
    Ok(())
}

/// Returns the priority of the feature behind all others, or 0.
pub(crate) fn last_priority(tx: &Transaction<'_>) -> Result<i64, Fail> {
    let sql = "SELECT max(priority) FROM features";
    let last: Option<i64> = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

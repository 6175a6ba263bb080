//! Changing what features depend on, and what they are: dependencies, place in the order, existence.
//!
//! One set of rules for every way in: a feature never depends on itself, on one that does not exist, on more than
//! the limit allows, or on one that depends on it.

use std::collections::BTreeSet;

use cogwork_schemas::{Fact, FeatureId, Status, Token};
use jiff::Timestamp;
use rusqlite::Transaction;

use crate::columns::Id;
use crate::error::Fail;
use crate::features::{dependencies_of, list, status};
use crate::graph::Cycle;
use crate::import::last_priority;
use crate::kept::Kept;
use crate::types::ImportLimits;
use crate::{Store, StoreError, attempts, journal};

impl Store {
    /// Makes a feature depend on another and returns whether it did not before. A running attempt goes on; its
    /// work lands once the new dependency passes.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`], [`StoreError::DependsOnItself`], [`StoreError::TooManyDependencies`];
    /// [`StoreError::Cycle`] with the way that would close.
    pub fn add_dependency(
        &self,
        feature: FeatureId,
        dependency: FeatureId,
        limits: &ImportLimits,
    ) -> Result<bool, StoreError> {
        self.write_once("add_dependency", |tx, now| {
            status(tx, feature)?;
            let mut wanted: BTreeSet<FeatureId> = dependencies_of(tx, feature)?.into_iter().collect();
            wanted.insert(dependency);
            rewire(&self.kept, tx, now, feature, &wanted, limits)
        })
    }

    /// Makes a feature no longer depend on another and returns whether it did before.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`] for either.
    pub fn remove_dependency(&self, feature: FeatureId, dependency: FeatureId) -> Result<bool, StoreError> {
        self.write_once("remove_dependency", |tx, now| {
            status(tx, feature)?;
            status(tx, dependency)?;
            let mut wanted: BTreeSet<FeatureId> = dependencies_of(tx, feature)?.into_iter().collect();
            wanted.remove(&dependency);
            rewire(&self.kept, tx, now, feature, &wanted, &ImportLimits::default())
        })
    }

    /// Makes a feature depend on exactly these and returns whether that changed anything.
    ///
    /// # Errors
    ///
    /// As [`Store::add_dependency`].
    pub fn set_dependencies(
        &self,
        feature: FeatureId,
        dependencies: &[FeatureId],
        limits: &ImportLimits,
    ) -> Result<bool, StoreError> {
        self.write_once("set_dependencies", |tx, now| {
            status(tx, feature)?;
            rewire(&self.kept, tx, now, feature, &dependencies.iter().copied().collect(), limits)
        })
    }

    /// Puts a feature behind all others and returns its old and its new priority. Each call moves it again, unless
    /// it is the last already.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongStatus`] when it passes; [`StoreError::StaleToken`] when it is claimed and `token` is not
    /// its live attempt's; [`StoreError::UnknownFeature`].
    pub fn skip(
        &self,
        id: FeatureId,
        token: Option<&Token>,
        reason: Option<&str>,
    ) -> Result<(i64, i64), StoreError> {
        self.write_once("skip", |tx, now| {
            match status(tx, id)? {
                status @ Status::Passing => {
                    return Err(StoreError::WrongStatus { id, action: "skipped", status }.into());
                }
                Status::Claimed => owned(tx, id, token)?,
                Status::Pending | Status::Parked | Status::NeedsHuman => {}
            }
            let old = priority(tx, id)?;
            let last = last_priority(tx)?;
            let alone: i64 = tx
                .prepare_cached("SELECT count(*) FROM features WHERE priority = ?1")?
                .query_row([last], |row| row.get(0))?;
            if old == last && alone == 1 {
                return Ok((old, old));
            }
            let new = last + 1;
            tx.prepare_cached("UPDATE features SET priority = ?2 WHERE id = ?1")?.execute((Id(id), new))?;
            let reason = reason.map(str::to_owned);
            journal::record(tx, now, id, &Fact::Skipped { priority: new, reason })?;
            Ok((old, new))
        })
    }

    /// Deletes a feature and its history; what depended on it does so no more, and is returned. The journal keeps
    /// what happened.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongStatus`] while somebody works on it; [`StoreError::UnknownFeature`].
    pub fn delete_feature(&self, id: FeatureId) -> Result<Vec<FeatureId>, StoreError> {
        self.write_once("delete_feature", |tx, now| {
            let status = status(tx, id)?;
            let busy: bool = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM attempts WHERE feature_id = ?1 AND ended_at IS NULL)",
                )?
                .query_row([Id(id)], |row| row.get(0))?;
            if busy {
                return Err(StoreError::WrongStatus { id, action: "deleted", status }.into());
            }
            let dependents = dependents_of(tx, id)?;
            for dependent in &dependents {
                let mut wanted: BTreeSet<FeatureId> = dependencies_of(tx, *dependent)?.into_iter().collect();
                wanted.remove(&id);
                write(tx, now, *dependent, &wanted)?;
            }
            let name: String = tx
                .prepare_cached("SELECT name FROM features WHERE id = ?1")?
                .query_row([Id(id)], |row| row.get(0))?;
            for sql in [
                "DELETE FROM evidence WHERE attempt_id IN (SELECT id FROM attempts WHERE feature_id = ?1)",
                "DELETE FROM attempts WHERE feature_id = ?1",
                "DELETE FROM features WHERE id = ?1",
            ] {
                tx.prepare_cached(sql)?.execute([Id(id)])?;
            }
            journal::record(tx, now, id, &Fact::Deleted { name })?;
            Ok(dependents)
        })
    }
}

/// Checks that new dependencies keep to the rules, and writes them; returns whether anything changed.
fn rewire(
    kept: &Kept,
    tx: &Transaction<'_>,
    now: Timestamp,
    feature: FeatureId,
    wanted: &BTreeSet<FeatureId>,
    limits: &ImportLimits,
) -> Result<bool, Fail> {
    let had: BTreeSet<FeatureId> = dependencies_of(tx, feature)?.into_iter().collect();
    if had == *wanted {
        return Ok(false);
    }
    for dependency in wanted.difference(&had) {
        if *dependency == feature {
            return Err(StoreError::DependsOnItself { feature }.into());
        }
        status(tx, *dependency)?;
    }
    if wanted.len() > limits.dependencies && wanted.len() > had.len() {
        let (found, limit) = (wanted.len(), limits.dependencies);
        return Err(StoreError::TooManyDependencies { feature, found, limit }.into());
    }
    let graph = kept.now(tx)?;
    for dependency in wanted.difference(&had) {
        if let Some(mut path) = graph.path(*dependency, feature) {
            path.insert(0, feature);
            return Err(Cycle { path }.into());
        }
    }
    write(tx, now, feature, wanted)?;
    Ok(true)
}

fn write(
    tx: &Transaction<'_>,
    now: Timestamp,
    feature: FeatureId,
    wanted: &BTreeSet<FeatureId>,
) -> Result<(), Fail> {
    tx.prepare_cached("DELETE FROM dependencies WHERE feature_id = ?1")?.execute([Id(feature)])?;
    let mut insert =
        tx.prepare_cached("INSERT INTO dependencies (feature_id, depends_on) VALUES (?1, ?2)")?;
    for dependency in wanted {
        insert.execute((Id(feature), Id(*dependency)))?;
    }
    let fact = Fact::DependenciesChanged { dependencies: wanted.iter().copied().collect() };
    journal::record(tx, now, feature, &fact)?;
    Ok(())
}

/// Refuses unless the token is the one that owns the claimed feature.
fn owned(tx: &Transaction<'_>, id: FeatureId, token: Option<&Token>) -> Result<(), Fail> {
    let found = token.map(|token| attempts::live(tx, token)).transpose()?;
    match found {
        Some(found) if found.attempt.feature == id => Ok(()),
        found => Err(attempts::stale(found.as_ref()).into()),
    }
}

fn dependents_of(tx: &Transaction<'_>, id: FeatureId) -> Result<Vec<FeatureId>, Fail> {
    list(
        tx,
        "SELECT feature_id FROM dependencies WHERE depends_on = ?1 ORDER BY feature_id",
        [Id(id)],
        |row| Ok(row.get::<_, Id<_>>(0)?.0),
    )
}

fn priority(tx: &Transaction<'_>, id: FeatureId) -> Result<i64, Fail> {
    let sql = "SELECT priority FROM features WHERE id = ?1";
    Ok(tx.prepare_cached(sql)?.query_row([Id(id)], |row| row.get(0))?)
}

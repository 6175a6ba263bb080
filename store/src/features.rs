//! Features: reading them whole, and giving a parked one another chance.

use std::collections::BTreeMap;

use cogwork_schemas::{Check, Fact, Feature, FeatureId, HumanRequest, Proof, Status};
use rusqlite::{OptionalExtension, Params, Row, Transaction};

use crate::columns::{Id, Json, Word};
use crate::error::Fail;
use crate::{Store, StoreError, journal};

pub(crate) const FEATURE: &str =
    "SELECT f.id, f.key, f.priority, f.category, f.name, f.description, f.steps, f.status,
       f.proof, f.estimate_s, f.failed_attempts, a.session_id, f.human_request, f.human_response
  FROM features f LEFT JOIN attempts a ON a.id = f.attempt_id";

/// Crossed joins, so that SQLite begins with the dependents: there is an index by status too, and nothing tells how
/// many features are pending.
const FREED_BY: &str = "SELECT f.id FROM dependencies d CROSS JOIN features f ON f.id = d.feature_id
 WHERE d.depends_on = ?1 AND f.status = 'pending' AND NOT EXISTS (
     SELECT 1 FROM dependencies other CROSS JOIN features below ON below.id = other.depends_on
     WHERE other.feature_id = f.id AND below.status <> 'passing')
 ORDER BY 1";

impl Store {
    /// Returns how many passing features there are with each proof.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn proofs(&self) -> Result<BTreeMap<Proof, usize>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT proof, count(*) FROM features WHERE status = 'passing' GROUP BY proof",
            )?;
            let mut proofs = BTreeMap::new();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(Word(proof)) = row.get::<_, Option<Word<Proof>>>(0)? {
                    let count: i64 = row.get(1)?;
                    proofs.insert(proof, usize::try_from(count).unwrap_or(0));
                }
            }
            Ok(proofs)
        })
    }

    /// Returns all features, by id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn features(&self) -> Result<Vec<Feature>, StoreError> {
        self.read(|tx| {
            let mut features: BTreeMap<FeatureId, Feature> = BTreeMap::new();
            let mut statement = tx.prepare_cached(&format!("{FEATURE} ORDER BY f.id"))?;
            for feature in statement.query_map([], feature)? {
                let feature = feature?;
                features.insert(feature.id, feature);
            }
            for (id, dependency) in edges(tx)? {
                if let Some(feature) = features.get_mut(&id) {
                    feature.dependencies.push(dependency);
                }
            }
            let mut statement = tx.prepare_cached(
                "SELECT command, timeout_s, feature_id FROM checks ORDER BY feature_id, position",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(feature) = features.get_mut(&row.get::<_, Id<_>>(2)?.0) {
                    feature.checks.push(check(row)?);
                }
            }
            Ok(features.into_values().collect())
        })
    }

    /// Returns one feature.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`] when there is none.
    pub fn feature(&self, id: FeatureId) -> Result<Feature, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("{FEATURE} WHERE f.id = ?1"))?;
            let Some(mut feature) = statement.query_row([Id(id)], feature).optional()? else {
                return Err(unknown(tx, id)?);
            };
            feature.dependencies = dependencies_of(tx, id)?;
            feature.checks = checks_of(tx, id)?;
            Ok(feature)
        })
    }

    /// Gives a parked feature another chance: it is pending again and nothing is held against it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotParked`], [`StoreError::UnknownFeature`].
    pub fn retry(&self, id: FeatureId) -> Result<(), StoreError> {
        self.write_once("retry", |tx, now| {
            let status = status(tx, id)?;
            if status != Status::Parked {
                return Err(StoreError::NotParked { id, status }.into());
            }
            tx.prepare_cached(
                "UPDATE features SET status = 'pending', parked_because = NULL, failed_attempts = 0, crashes = 0
                 WHERE id = ?1",
            )?
            .execute([Id(id)])?;
            journal::record(tx, now, id, &Fact::Retried)?;
            Ok(())
        })
    }
}

/// Reads a feature's stored status.
pub(crate) fn status(tx: &Transaction<'_>, id: FeatureId) -> Result<Status, Fail> {
    let found = tx
        .prepare_cached("SELECT status FROM features WHERE id = ?1")?
        .query_row([Id(id)], |row| row.get::<_, Word<Status>>(0))
        .optional()?;
    match found {
        Some(status) => Ok(status.0),
        None => Err(unknown(tx, id)?),
    }
}

/// Reads the last question to a person about a feature.
pub(crate) fn human_request(tx: &Transaction<'_>, id: FeatureId) -> Result<Option<HumanRequest>, Fail> {
    let request: Option<Json<HumanRequest>> = tx
        .prepare_cached("SELECT human_request FROM features WHERE id = ?1")?
        .query_row([Id(id)], |row| row.get(0))?;
    Ok(request.map(|request| request.0))
}

/// Reads a feature's checks, in order.
pub(crate) fn checks_of(tx: &Transaction<'_>, id: FeatureId) -> Result<Vec<Check>, Fail> {
    list(tx, "SELECT command, timeout_s FROM checks WHERE feature_id = ?1 ORDER BY position", [Id(id)], check)
}

/// Reads the dependencies of a feature that do not pass, ascending.
pub(crate) fn unmet_of(tx: &Transaction<'_>, id: FeatureId) -> Result<Vec<FeatureId>, Fail> {
    list(
        tx,
        "SELECT d.depends_on FROM dependencies d JOIN features f ON f.id = d.depends_on
         WHERE d.feature_id = ?1 AND f.status <> 'passing' ORDER BY 1",
        [Id(id)],
        |row| Ok(row.get::<_, Id<_>>(0)?.0),
    )
}

/// Reads the features that wait for this one and for nothing else, ascending.
pub(crate) fn freed_by(tx: &Transaction<'_>, id: FeatureId) -> Result<Vec<FeatureId>, Fail> {
    list(tx, FREED_BY, [Id(id)], |row| Ok(row.get::<_, Id<_>>(0)?.0))
}

/// Returns the refusal of an id that does not exist.
pub(crate) fn unknown(tx: &Transaction<'_>, id: FeatureId) -> Result<Fail, Fail> {
    let highest: Option<Id<FeatureId>> =
        tx.query_row("SELECT max(id) FROM features", [], |row| row.get(0))?;
    Ok(StoreError::UnknownFeature { id, highest: highest.map(|id| id.0) }.into())
}

/// Reads all rows of a query.
pub(crate) fn list<T>(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fail> {
    Ok(tx.prepare_cached(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?)
}

/// Reads what a feature depends on, ascending.
pub(crate) fn dependencies_of(tx: &Transaction<'_>, id: FeatureId) -> Result<Vec<FeatureId>, Fail> {
    list(
        tx,
        "SELECT depends_on FROM dependencies WHERE feature_id = ?1 ORDER BY depends_on",
        [Id(id)],
        |row| Ok(row.get::<_, Id<_>>(0)?.0),
    )
}

fn edges(tx: &Transaction<'_>) -> Result<Vec<(FeatureId, FeatureId)>, Fail> {
    list(tx, "SELECT feature_id, depends_on FROM dependencies ORDER BY feature_id, depends_on", [], |row| {
        Ok((row.get::<_, Id<_>>(0)?.0, row.get::<_, Id<_>>(1)?.0))
    })
}

pub(crate) fn feature(row: &Row<'_>) -> rusqlite::Result<Feature> {
    Ok(Feature {
        id: row.get::<_, Id<_>>(0)?.0,
        key: row.get(1)?,
        priority: row.get(2)?,
        category: row.get(3)?,
        name: row.get(4)?,
        description: row.get(5)?,
        steps: row.get::<_, Json<_>>(6)?.0,
        status: row.get::<_, Word<_>>(7)?.0,
        proof: row.get::<_, Option<Word<_>>>(8)?.map(|proof| proof.0),
        dependencies: Vec::new(),
        checks: Vec::new(),
        estimate_s: row.get(9)?,
        failed_attempts: row.get(10)?,
        session: row.get::<_, Option<Id<_>>>(11)?.map(|id| id.0),
        human_request: row.get::<_, Option<Json<_>>>(12)?.map(|request| request.0),
        human_response: row.get::<_, Option<Json<_>>>(13)?.map(|response| response.0),
    })
}

fn check(row: &Row<'_>) -> rusqlite::Result<Check> {
    Ok(Check { command: row.get(0)?, timeout_s: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the index by status, SQLite once read all pending features to find the few that wait for one.
    #[test]
    fn landing_looks_at_the_dependents_alone() {
        let clock = crate::TimeSource::new(|| jiff::Timestamp::UNIX_EPOCH);
        let store = Store::in_memory(clock).unwrap();
        let plan: Vec<String> = store
            .read(|tx| {
                let sql = format!("EXPLAIN QUERY PLAN {}", FREED_BY.replace("?1", "1"));
                list(tx, &sql, [], |row| row.get(3))
            })
            .unwrap();
        assert!(plan[0].starts_with("SEARCH d USING COVERING INDEX dependents"), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:#?}");
    }
}

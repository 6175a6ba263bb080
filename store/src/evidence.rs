//! Evidence: what Cogwork saw when it ran checks.

use cogwork_schemas::{AttemptId, CheckPhase, CheckReport, Fact, FeatureId, Token};
use jiff::Timestamp;
use rusqlite::Transaction;

use crate::columns::{Id, Json, Micros, Millis, Word};
use crate::error::Fail;
use crate::features::{checks_of, list};
use crate::journal::CheckRun;
use crate::types::{Attempt, Evidence};
use crate::{Store, StoreError, attempts, journal, outputs};

impl Store {
    /// Records the checks that were run on the base commit, before the work. Counts once per attempt; later calls,
    /// and a call for a feature without checks, change nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`]; [`StoreError::NotGreen`] naming the checks that were not run.
    pub fn record_before(
        &self,
        token: &Token,
        commit: Option<&str>,
        reports: &[CheckReport],
    ) -> Result<(), StoreError> {
        self.write(|tx, now| {
            let found = attempts::live(tx, token)?;
            let attempt = &found.attempt;
            let total = Coverage::of(tx, attempt.feature, reports)?.all_run()?;
            if attempt.submitted.is_none() && attempt.base.is_none() {
                tx.prepare_cached("UPDATE attempts SET base_commit = ?2 WHERE id = ?1")?
                    .execute((Id(attempt.id), commit))?;
            }
            if total == 0 || found.before_known || attempt.submitted.is_some() {
                return Ok(());
            }
            insert(tx, now, attempt, CheckPhase::Before, commit, reports)?;
            let red = count(reports.iter().filter(|report| !report.verdict.is_green()));
            let (word, fact) = match red {
                0 => ("already_green", Fact::ChecksAlreadyGreen { total }),
                red => ("red", Fact::ChecksRed { red, total }),
            };
            tx.prepare_cached("UPDATE attempts SET before = ?2 WHERE id = ?1")?
                .execute((Id(attempt.id), word))?;
            journal::record(tx, now, attempt, &fact)?;
            Ok(())
        })
    }

    /// Records checks that were run at any point of an attempt, red or green. They are evidence and nothing else:
    /// what they mean is said by [`Store::record_before`], [`Store::submit`] and [`Store::land`].
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`].
    pub fn record_checks(
        &self,
        token: &Token,
        phase: CheckPhase,
        commit: Option<&str>,
        reports: &[CheckReport],
    ) -> Result<(), StoreError> {
        self.write_once("record_checks", |tx, now| {
            let found = attempts::live(tx, token)?;
            insert(tx, now, &found.attempt, phase, commit, reports)
        })
    }
}

/// Stores each report and appends it to the journal.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    now: Timestamp,
    attempt: &Attempt,
    phase: CheckPhase,
    commit: Option<&str>,
    reports: &[CheckReport],
) -> Result<(), Fail> {
    for report in reports {
        let output = outputs::keep(tx, report)?;
        tx.prepare_cached(
            "INSERT INTO evidence (attempt_id, at, phase, commit_id, command, verdict, duration_ms, output_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            Id(attempt.id),
            Micros(now),
            Word(phase),
            commit,
            &report.command,
            Json(&report.verdict),
            Millis(report.duration_ms),
            output.0,
        ))?;
        journal::record_check(tx, now, attempt, CheckRun { phase, commit, report, output })?;
    }
    Ok(())
}

/// Reads all evidence of a feature's attempts, in order.
pub(crate) fn of_feature(
    tx: &Transaction<'_>,
    feature: FeatureId,
) -> Result<Vec<(AttemptId, Evidence)>, Fail> {
    list(
        tx,
        "SELECT e.attempt_id, e.at, e.phase, e.commit_id, e.command, e.verdict, e.duration_ms, o.tail,
                o.digest
           FROM evidence e JOIN attempts a ON a.id = e.attempt_id JOIN outputs o ON o.id = e.output_id
          WHERE a.feature_id = ?1 ORDER BY e.id",
        [Id(feature)],
        |row| {
            let evidence = Evidence {
                at: row.get::<_, Micros>(1)?.0,
                phase: row.get::<_, Word<_>>(2)?.0,
                commit: row.get(3)?,
                report: CheckReport {
                    command: row.get(4)?,
                    verdict: row.get::<_, Json<_>>(5)?.0,
                    duration_ms: row.get::<_, Millis>(6)?.0,
                    output_tail: row.get(7)?,
                    output_digest: row.get(8)?,
                },
            };
            Ok((row.get::<_, Id<_>>(0)?.0, evidence))
        },
    )
}

/// How reports stand to the checks of a feature.
pub(crate) struct Coverage {
    feature: FeatureId,
    total: u32,
    red: Vec<String>,
    missing: Vec<String>,
}

impl Coverage {
    /// Compares the reports with the checks that the feature has.
    pub(crate) fn of(
        tx: &Transaction<'_>,
        feature: FeatureId,
        reports: &[CheckReport],
    ) -> Result<Self, Fail> {
        let checks = checks_of(tx, feature)?;
        let ran = |command: &str| reports.iter().any(|report| report.command == command);
        let red = reports.iter().filter(|report| !report.verdict.is_green());
        Ok(Self {
            feature,
            total: count(checks.iter()),
            red: red.map(|report| report.command.clone()).collect(),
            missing: checks.into_iter().map(|check| check.command).filter(|command| !ran(command)).collect(),
        })
    }

    /// Returns how many checks there are, if all were run.
    pub(crate) fn all_run(self) -> Result<u32, StoreError> {
        Self { red: Vec::new(), ..self }.all_green()
    }

    /// Returns how many checks there are, if none that was run is red.
    pub(crate) fn none_red(self) -> Result<u32, StoreError> {
        Self { missing: Vec::new(), ..self }.all_green()
    }

    /// Returns how many checks there are, if all were run and are green.
    pub(crate) fn all_green(self) -> Result<u32, StoreError> {
        let Self { feature, total, red, missing } = self;
        if red.is_empty() && missing.is_empty() {
            return Ok(total);
        }
        Err(StoreError::NotGreen { feature, red, missing })
    }
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

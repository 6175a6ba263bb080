//! From green to passing: submitting an attempt's work, and landing it.

use cogwork_schemas::{
    AttemptOutcome, CheckPhase, CheckReport, Fact, FeatureId, Isolation, Proof, SessionOutcome, Token,
};
use jiff::Timestamp;
use rusqlite::Transaction;

use crate::columns::{Id, Json, Micros, Word};
use crate::error::Fail;
use crate::evidence::{self, Coverage};
use crate::features::{freed_by, unmet_of};
use crate::types::{Attempt, Merge, Submitted};
use crate::{Store, StoreError, attempts, journal, landings, past, sessions};

impl Store {
    /// Takes an attempt's work as done, to be integrated. The feature stays claimed and its claim cannot expire.
    ///
    /// The proof follows from what was recorded before the work: red then and green now is proof; green then, or
    /// never looked at, is none. A feature without checks is taken at the agent's word, and shown so. Submitting
    /// again changes nothing, unless there is a newer commit, which replaces the older one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotGreen`] unless every check of the feature was run and every report is green;
    /// [`StoreError::NothingCommitted`]; [`StoreError::StaleToken`].
    pub fn submit(
        &self,
        token: &Token,
        commit: Option<&str>,
        reports: &[CheckReport],
    ) -> Result<Proof, StoreError> {
        self.write(|tx, now| {
            let (proof, Attempt { feature, base, .. }) = submit(tx, now, token, commit, reports)?;
            if proof == Proof::RedGreen && commit.is_some() && commit == base.as_deref() {
                return Err(StoreError::NothingCommitted { feature }.into());
            }
            Ok(proof)
        })
    }

    /// Makes a feature pass, after its work reached the main branch. Returns the features that may start now
    /// because of it.
    ///
    /// Landing the same attempt again gives the same answer and changes nothing: whoever was killed between git and
    /// this call simply calls again.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotSubmitted`]; [`StoreError::DependencyNotPassing`] when a dependency was added or lost
    /// meanwhile; [`StoreError::NotGreen`] when a check is red on the merge, or was not run on it (only a session
    /// that worked in the project directory itself may leave that out); [`StoreError::StaleToken`].
    pub fn land(&self, token: &Token, merge: &Merge) -> Result<Vec<FeatureId>, StoreError> {
        self.write(|tx, now| land(tx, now, token, merge))
    }

    /// Submits the work of a session in the project directory itself, lands it and ends the session, which has
    /// nobody else to land it: all at once, so that no kill can leave it half done. Returns what
    /// [`Store::submit`] and [`Store::land`] do. `agent_ms` is how long the session worked. Its person may commit later.
    ///
    /// # Errors
    ///
    /// As [`Store::submit`], but for [`StoreError::NothingCommitted`], and as [`Store::land`].
    pub fn finish(
        &self,
        token: &Token,
        commit: Option<&str>,
        reports: &[CheckReport],
        agent_ms: u64,
    ) -> Result<(Proof, Vec<FeatureId>), StoreError> {
        self.write_once("finish", |tx, now| {
            let session = attempts::live(tx, token)?.attempt.session;
            let (proof, _) = submit(tx, now, token, commit, reports)?;
            let commit = attempts::live(tx, token)?.attempt.submitted.and_then(|submitted| submitted.commit);
            let freed =
                land(tx, now, token, &Merge { commit, reports: Vec::new(), merge_ms: 0, check_ms: 0 })?;
            sessions::end(tx, now, session, &SessionOutcome::Completed, agent_ms)?;
            Ok((proof, freed))
        })
    }
}

/// Returns the proof, and the attempt as it was before.
fn submit(
    tx: &Transaction<'_>,
    now: Timestamp,
    token: &Token,
    commit: Option<&str>,
    reports: &[CheckReport],
) -> Result<(Proof, Attempt), Fail> {
    let found = attempts::live(tx, token)?;
    let attempt = &found.attempt;
    if let Some(Submitted { commit: submitted, proof }) = &attempt.submitted
        && (submitted.as_deref() == commit || commit.is_none())
    {
        return Ok((*proof, found.attempt));
    }
    let total = Coverage::of(tx, attempt.feature, reports)?.all_green()?;
    evidence::insert(tx, now, attempt, CheckPhase::After, commit, reports)?;
    let owned = commit.map(str::to_owned);
    let (proof, fact) = if total == 0 {
        (Proof::Unverified, Fact::SaidDone { commit: owned })
    } else {
        let red = found.before_known && !attempt.already_green;
        let proof = if red { Proof::RedGreen } else { Proof::AlreadyGreen };
        (proof, Fact::ChecksGreen { total, commit: owned, proof })
    };
    tx.prepare_cached(
        "UPDATE attempts SET submitted_at = ?2, submitted_commit = ?3, submitted_proof = ?4,
             lease_until = NULL WHERE id = ?1",
    )?
    .execute((Id(attempt.id), Micros(now), commit, Word(proof)))?;
    journal::record(tx, now, attempt, &fact)?;
    Ok((proof, found.attempt))
}

fn land(tx: &Transaction<'_>, now: Timestamp, token: &Token, merge: &Merge) -> Result<Vec<FeatureId>, Fail> {
    if let Some(found) = attempts::find(tx, token)?
        && found.outcome == Some(AttemptOutcome::Landed)
    {
        return freed_by(tx, found.attempt.feature);
    }
    let found = attempts::live(tx, token)?;
    let attempt = &found.attempt;
    let feature = attempt.feature;
    let submitted = landable(tx, attempt)?;
    let coverage = Coverage::of(tx, feature, &merge.reports)?;
    match found.attempt.isolation {
        Isolation::Workspace => coverage.all_green()?,
        Isolation::Shared => coverage.none_red()?,
    };
    pass(tx, now, attempt, submitted.proof, merge)?;
    freed_by(tx, feature)
}

/// Returns what an attempt handed in, if it may land as far as that does not depend on its checks.
pub(crate) fn landable<'a>(tx: &Transaction<'_>, attempt: &'a Attempt) -> Result<&'a Submitted, Fail> {
    let feature = attempt.feature;
    let Some(submitted) = &attempt.submitted else {
        return Err(StoreError::NotSubmitted { feature, attempt: attempt.id }.into());
    };
    let waiting_for = unmet_of(tx, feature)?;
    if !waiting_for.is_empty() {
        return Err(StoreError::DependencyNotPassing { feature, waiting_for }.into());
    }
    Ok(submitted)
}

fn pass(
    tx: &Transaction<'_>,
    now: Timestamp,
    attempt: &Attempt,
    proof: Proof,
    merge: &Merge,
) -> Result<(), Fail> {
    evidence::insert(tx, now, attempt, CheckPhase::Merged, merge.commit.as_deref(), &merge.reports)?;
    tx.prepare_cached("UPDATE attempts SET ended_at = ?2, outcome = ?3 WHERE id = ?1")?.execute((
        Id(attempt.id),
        Micros(now),
        Json(AttemptOutcome::Landed),
    ))?;
    tx.prepare_cached(
        "UPDATE features SET status = 'passing', proof = ?2, attempt_id = NULL, crashes = 0 WHERE id = ?1",
    )?
    .execute((Id(attempt.feature), Word(proof)))?;
    past::forget_note(tx, attempt.feature)?;
    landings::landed(tx, now, attempt, merge)?;
    let fact = Fact::Integrated {
        commit: merge.commit.clone(),
        proof,
        merge_ms: merge.merge_ms,
        check_ms: merge.check_ms,
    };
    journal::record(tx, now, attempt, &fact)?;
    Ok(())
}

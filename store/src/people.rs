//! Questions that agents have for people, and the answers.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, AttemptOutcome, Fact, FeatureId, HumanRequest, HumanResponse, Status, Token};

use crate::columns::{Id, Json, Word};
use crate::features::{human_request, status};
use crate::types::AttemptLimits;
use crate::{Store, StoreError, attempts, endings, journal};

impl Store {
    /// Ends an attempt with a question to a person: the feature waits for the answer, and nothing is held against
    /// it. An earlier answer is forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadQuestion`] with everything that is wrong with it; [`StoreError::StaleToken`].
    pub fn ask_human(&self, token: &Token, request: &HumanRequest) -> Result<(), StoreError> {
        let problems = request.problems();
        if !problems.is_empty() {
            return Err(StoreError::BadQuestion { problems });
        }
        self.write_once("ask_human", |tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            endings::end(tx, now, &attempt, &AttemptOutcome::NeedsHuman, &AttemptLimits::default())?;
            tx.prepare_cached(
                "UPDATE features SET status = 'needs_human', proof = NULL, human_request = ?2,
                     human_response = NULL WHERE id = ?1",
            )?
            .execute((Id(attempt.feature), Json(request)))?;
            journal::record(tx, now, &attempt, &Fact::HumanAsked { request: request.clone() })?;
            Ok(())
        })
    }

    /// Takes a person's answer: the feature is pending again, and its next attempt is told.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongStatus`] when nothing is asked; [`StoreError::BadAnswer`] with everything that does not
    /// fit the question; [`StoreError::UnknownFeature`].
    pub fn answer_human(&self, id: FeatureId, answers: &BTreeMap<String, Answer>) -> Result<(), StoreError> {
        self.write_once("answer_human", |tx, now| {
            let status = status(tx, id)?;
            let Some(request) = human_request(tx, id)?.filter(|_| status == Status::NeedsHuman) else {
                return Err(StoreError::WrongStatus { id, action: "answered", status }.into());
            };
            let misfits = request.misfits(answers);
            if !misfits.is_empty() {
                return Err(StoreError::BadAnswer { id, misfits }.into());
            }
            let response = HumanResponse { fields: answers.clone(), responded_at: now };
            tx.prepare_cached("UPDATE features SET status = ?2, human_response = ?3 WHERE id = ?1")?
                .execute((Id(id), Word(Status::Pending), Json(&response)))?;
            journal::record(tx, now, id, &Fact::HumanAnswered { response })?;
            Ok(())
        })
    }
}

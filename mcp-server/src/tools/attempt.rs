//! Whose a feature is right now, and what a token is worth: the rights behind every tool that changes a feature.

use cogwork_schemas::{AttemptOutcome, Feature, FeatureId, Status, Token};
use cogwork_store::{Attempt, Store};
use jiff::SignedDuration;

use crate::claims::Claims;
use crate::error::{Code, ToolError};
use crate::own;
use crate::server::Server;

/// Whose a feature is, as far as this session may change it.
pub(super) enum Whose {
    /// This session's: it works on it under a live claim.
    Ours(Token),
    /// Nobody's.
    Nobodys,
}

impl Server {
    /// Finds out whose a feature is.
    ///
    /// # Errors
    /// When it is not this session's to change: not assigned to it, claimed by another, lost, or handed in.
    pub(super) fn whose(&self, store: &Store, id: FeatureId) -> Result<Whose, ToolError> {
        let Some(token) = self.claims().token(id)? else {
            return nobodys(store, id, self.options().lease);
        };
        let attempt = match (live(store, id, &token), self.claims()) {
            (Err(error), Claims::Own(own)) if error.code() == Code::StaleToken => {
                // Taken back meanwhile, after a long sleep of this machine perhaps.
                drop(own.let_go(id));
                return nobodys(store, id, self.options().lease);
            }
            (attempt, Claims::Own(_) | Claims::Given(_)) => attempt?,
        };
        if attempt.submitted.is_some() {
            return Err(ToolError::new(
                Code::Conflict,
                format!("the work on feature {id} is handed in and waits to be merged; nothing was changed"),
                "Leave it alone; if it proves wrong, it comes back.",
            ));
        }
        Ok(Whose::Ours(token))
    }

    /// Ends this session's claim without success. Whoever works for an orchestrator has used one of the feature's
    /// attempts, so that no feature is given back for ever; a person who watches decides by themselves.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn give_up(
        &self,
        store: &Store,
        id: FeatureId,
        token: &Token,
        reason: &str,
    ) -> Result<(), ToolError> {
        match self.claims() {
            Claims::Own(own) => own.release(store, id),
            Claims::Given(_) => {
                let given_up = AttemptOutcome::GivenUp { reason: reason.to_owned() };
                store.end_attempt(token, &given_up, &self.options().attempts)?;
                Ok(())
            }
        }
    }

    /// Makes sure that this session may add to the plan. That needs no claim; but a session that was given features and
    /// has lost all of them is over.
    ///
    /// # Errors
    /// `stale_token`, for such a session.
    pub(super) fn may_plan(&self, store: &Store) -> Result<(), ToolError> {
        let given = match self.claims() {
            Claims::Given(given) => given.all(),
            Claims::Own(_) => Vec::new(),
        };
        let mut stale = Ok(());
        for (id, token) in given {
            match live(store, id, &token) {
                Ok(_) => return Ok(()),
                Err(error) => stale = Err(error),
            }
        }
        stale
    }

    /// Makes sure that this session may change what a feature depends on. That needs no claim; but a session that was
    /// given features keeps to them.
    ///
    /// # Errors
    /// `not_assigned` or `stale_token`, for such a session.
    pub(super) fn may_rewire(&self, store: &Store, id: FeatureId) -> Result<(), ToolError> {
        match self.claims() {
            Claims::Given(given) if given.all().is_empty() => Ok(()),
            Claims::Given(_) => match self.claims().token(id)? {
                Some(token) => live(store, id, &token).map(drop),
                None => Ok(()),
            },
            Claims::Own(_) => self.claims().token(id).map(drop),
        }
    }
}

fn nobodys(store: &Store, id: FeatureId, lease: SignedDuration) -> Result<Whose, ToolError> {
    let mut feature = store.feature(id)?;
    if feature.status == Status::Claimed {
        own::reap(store, lease)?;
        feature = store.feature(id)?;
    }
    if feature.status == Status::Claimed { Err(anothers(&feature)) } else { Ok(Whose::Nobodys) }
}

fn anothers(feature: &Feature) -> ToolError {
    let owner = feature.session.map_or_else(|| "another session".to_owned(), |id| format!("session {id}"));
    ToolError::new(
        Code::Conflict,
        format!("feature {} is claimed by {owner}; nothing was changed", feature.id),
        "Leave it to them and take another feature.",
    )
}

/// Returns the error for a feature that nobody has claimed and that only its owner may change so.
pub(super) fn not_claimed(id: FeatureId) -> ToolError {
    ToolError::new(
        Code::Conflict,
        format!("feature {id} is not claimed by this session; nothing was changed"),
        "Call feature_claim_and_get with its id first.",
    )
}

/// Returns the live attempt of a token, which must be one at this very feature.
///
/// # Errors
/// When the token's attempt has ended, or is another feature's.
pub(super) fn live(store: &Store, id: FeatureId, token: &Token) -> Result<Attempt, ToolError> {
    let attempt = store.attempt(token)?;
    if attempt.feature == id {
        return Ok(attempt);
    }
    Err(ToolError::new(
        Code::StaleToken,
        format!("this session was given the claim on another feature for {id}; nothing was changed"),
        "Stop working on it and end the session.",
    ))
}

/// Returns whether a claim is alive and its work not yet handed in.
///
/// # Errors
/// As [`live`].
pub(super) fn is_open(store: &Store, id: FeatureId, token: &Token) -> Result<bool, ToolError> {
    live(store, id, token).map(|attempt| attempt.submitted.is_none())
}

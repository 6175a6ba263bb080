//! What a token is worth right now: the attempt it stands for, and whether work on it is still to be done.

use cogwork_schemas::{FeatureId, Token};
use cogwork_store::{Attempt, Store};

use crate::error::{Code, ToolError};

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

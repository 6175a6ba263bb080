//! Why a piece of work, or a whole session, did not come to its end.

use std::path::PathBuf;

use cogwork_schemas::SessionId;
use cogwork_store::{ErrorClass, StoreError};

use super::tools::chain;

/// Why a piece of work did not come to its end.
#[derive(Debug)]
pub(super) enum Setback {
    /// The session cannot have what it needs; a sentence for people.
    NotPossible(String),
    /// The claim is not ours any more.
    Stale,
    /// The state of the project cannot be read or written, and no waiting has helped.
    Broken(StoreError),
}

impl From<StoreError> for Setback {
    fn from(error: StoreError) -> Self {
        match error.class() {
            ErrorClass::Refused if is_stale(&error) => Self::Stale,
            ErrorClass::Refused => Self::NotPossible(chain(&error)),
            ErrorClass::Again | ErrorClass::Unknown | ErrorClass::Fatal => Self::Broken(error),
        }
    }
}

/// Returns whether an error of the store means that the claim is not ours any more: it is somebody else's, or over, or
/// what it was for is gone.
pub(super) fn is_stale(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::StaleToken { .. }
            | StoreError::SessionOver { .. }
            | StoreError::UnknownFeature { .. }
            | StoreError::UnknownSession { .. }
    )
}

/// A session that ended without a record, because the state of the project could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("session {session} ends without a record, and what it has done stays in {}", workspace.display())]
pub struct Unrecorded {
    pub session: SessionId,
    /// Where the agent worked.
    pub workspace: PathBuf,
    #[source]
    pub source: StoreError,
}

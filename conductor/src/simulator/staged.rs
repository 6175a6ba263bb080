//! What a test decides where the dice decide in a night: for the contract of the ports.

use super::agents::Fate;
use crate::ports::Offered;

/// How the world behaves where a test wants to know what will happen.
#[derive(Debug)]
pub(super) struct Staged {
    /// What becomes of the next runner, and when, in milliseconds; `None` when it cannot be started.
    pub(super) runner: Option<(Fate, i64)>,
    /// Whether the disk of the ledger has no room.
    pub(super) is_full: bool,
    /// What the reader does with what it is offered.
    pub(super) reader: Offered,
}

impl Default for Staged {
    fn default() -> Self {
        Self { runner: Some((Fate::Succeeds, 100)), is_full: false, reader: Offered::Taken }
    }
}

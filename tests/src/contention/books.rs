//! What the clients were told, and when; and which servers were killed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use cogwork_schemas::{FeatureId, SessionId};

/// What a client asked for.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// The best feature, or this one.
    Claim(Option<FeatureId>),
    Pass(FeatureId),
    Create {
        key: String,
    },
    Depend {
        feature: FeatureId,
        on: FeatureId,
    },
}

/// What it was told.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Claimed {
        feature: FeatureId,
        session: SessionId,
    },
    Passed,
    Created {
        feature: FeatureId,
    },
    Depends,
    /// An error of the tool, which the protocol explains: somebody was faster, or has to be first.
    Conflict {
        text: String,
    },
    /// The database was in use for too long.
    Busy,
    /// An answer that nothing explains.
    Unexplained {
        what: String,
    },
    /// The server was gone before it answered.
    None,
}

/// One call and its answer.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) pid: u32,
    pub(super) call: Call,
    pub(super) asked: Instant,
    pub(super) answered: Instant,
    pub(super) answer: Answer,
}

/// The books of all clients.
#[derive(Default)]
pub(super) struct Books {
    entries: Mutex<Vec<Entry>>,
    /// When each was killed.
    kills: Mutex<BTreeMap<u32, Instant>>,
}

impl Books {
    pub(super) fn enter(&self, entry: Entry) {
        self.entries().push(entry);
    }

    pub(super) fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().expect("nobody panics with it")
    }

    /// Returns how many calls there were until now.
    pub(super) fn calls(&self) -> usize {
        self.entries().len()
    }

    pub(super) fn killed(&self, pid: u32, at: Instant) {
        self.kills.lock().expect("nobody panics with it").insert(pid, at);
    }

    pub(super) fn kills(&self) -> BTreeMap<u32, Instant> {
        self.kills.lock().expect("nobody panics with it").clone()
    }

    pub(super) fn was_killed(&self, pid: u32) -> bool {
        self.kills.lock().expect("nobody panics with it").contains_key(&pid)
    }
}

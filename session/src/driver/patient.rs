//! The store as a session uses it: what cannot be done this second is done when it can.
//!
//! It owns the waits between the tries of a call. No try waits for anybody, and the waits go on beside everything else
//! that the session does. What follows from an error, the store decides ([`StoreError::class`]): a refusal and what
//! nobody can go on with are answers, everything else is tried again, under the same call id. It never decides what an
//! answer means.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_store::{ErrorClass, Store, StoreError};

use super::tools::chain;

/// The wait after the first try. The transaction of another writer takes milliseconds.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// The longest wait between two tries: what was held up comes this late after the lock is free, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a call is tried in all. Far above what a backup or a full disk takes that somebody looks after; nothing
/// waits without an end.
const OUTER_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long it is still tried once somebody wants an end.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long a call may have been held up before that is told.
const UNTOLD: Duration = Duration::from_secs(2);

/// A store whose calls wait until they can be answered.
#[derive(Debug, Clone, Copy)]
pub struct PatientStore<'a> {
    store: &'a Store,
}

impl<'a> PatientStore<'a> {
    /// Returns the patient one of a store.
    pub fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// Makes one call and returns its answer. `work` makes one operation of the store, or always the same ones; it is
    /// done again where nothing was changed or the answer was lost.
    ///
    /// # Errors
    ///
    /// A refusal, a database that cannot be gone on with, or the last error at the outer limit.
    pub async fn call<T>(self, work: impl FnMut(&Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.call_within(&Patience::new(), work).await
    }

    /// Makes a call as [`PatientStore::call`] does, with as much patience as is left.
    ///
    /// # Errors
    ///
    /// As there.
    pub(super) async fn call_within<T>(
        self,
        patience: &Patience,
        mut work: impl FnMut(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let call = call_id();
        patience.wait_for(|| self.store.once(&call, |store| store.at_once(&mut work))).await
    }

    /// Asks once, for what is not worth waiting for.
    ///
    /// # Errors
    ///
    /// The store's.
    pub(super) fn ask_at_once<T>(
        self,
        question: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.store.at_once(question)
    }
}

/// Returns an id that no other call has, of whatever process.
fn call_id() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    format!("call {call} of session process {:?}", contain::own_identity())
}

/// How long the calls of somebody may be held up in all.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Cell<Duration>,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { left: Cell::new(OUTER_LIMIT) }
    }

    /// Has little patience from now on, because somebody wants an end.
    pub(crate) fn hurry(&self) {
        self.left.set(self.left.get().min(LAST_WAIT));
    }

    /// Tries until there is an answer, or no patience any more.
    pub(crate) async fn wait_for<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut next, mut waited, mut is_told) = (FIRST_WAIT, Duration::ZERO, false);
        loop {
            let error = match attempt() {
                Ok(answer) => {
                    if is_told {
                        tracing::warn!("the database can be used again");
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match error.class() {
                ErrorClass::Refused | ErrorClass::Fatal => return Err(error),
                ErrorClass::Again | ErrorClass::Unknown => {}
            }
            let error = after(waited, error);
            let Some(wait) = self.spend(next) else {
                return Err(error);
            };
            if waited >= UNTOLD && !is_told {
                is_told = true;
                tracing::warn!("what has to be recorded waits for the database: {}", chain(&error));
            }
            tokio::time::sleep(wait).await;
            waited += wait;
            next = (next * 2).min(LONGEST_WAIT);
        }
    }

    /// Takes a wait from what is left, and returns how long it may be.
    fn spend(&self, wait: Duration) -> Option<Duration> {
        let left = self.left.get();
        let wait = wait.min(left);
        self.left.set(left.saturating_sub(wait));
        (!wait.is_zero()).then_some(wait)
    }
}

/// Says in an error how long all the tries took, not the last of them.
fn after(waited: Duration, mut error: StoreError) -> StoreError {
    if let StoreError::Busy { waited_s, .. } = &mut error {
        *waited_s = waited.as_secs();
    }
    error
}

//! The renewal of a session's claims: a call beside everything else, made again until it is answered.

use std::pin::Pin;

use cogwork_store::{Attempt, ErrorClass, StoreError};

use super::Driver;
use super::tools::chain;
use crate::machine::Event;

/// A renewal under way: the session's live attempts are its answer.
pub(super) type Renewal<'a> = Pin<Box<dyn Future<Output = Result<Vec<Attempt>, StoreError>> + 'a>>;

impl Driver<'_> {
    /// Renews the claims of the session, and learns what it has taken since the last time.
    pub(super) fn renew(&mut self) {
        let job = self.world.job;
        let lease = job.limits.durations().lease;
        self.world.report.alive(self.world.clock.now());
        self.tell_doing();
        // Without a claim nothing can run out.
        let Some(claimed) = job.claimed() else {
            return;
        };
        let (store, token) = (self.world.store, &claimed.token);
        // One that is held up is made as soon as it can be, and is as good as a new one.
        self.renewal.get_or_insert_with(|| {
            Box::pin(async move { store.call(|store| store.renew_session(token, lease)).await })
        });
    }

    pub(super) fn on_renewed(
        &mut self,
        renewed: Result<Vec<Attempt>, StoreError>,
    ) -> Result<Option<Event>, StoreError> {
        let error = match renewed {
            Ok(live) => {
                let newest = live.last().map(|attempt| attempt.id);
                let goes_on = newest > self.newest;
                if goes_on {
                    self.newest = newest;
                }
                return Ok(goes_on.then_some(Event::NextFeature));
            }
            Err(error) => error,
        };
        match error.class() {
            ErrorClass::Refused => {
                tracing::warn!("{error}");
                self.is_claim_lost = true;
                Ok(Some(Event::LeaseLost))
            }
            // The next renewal is due by now; if it does not come through either, the claim expires by itself.
            ErrorClass::Again | ErrorClass::Unknown => {
                tracing::warn!("the claim could not be renewed: {}", chain(&error));
                Ok(None)
            }
            ErrorClass::Fatal => Err(error),
        }
    }
}

pub(super) async fn next_renewed(renewal: &mut Option<Renewal<'_>>) -> Result<Vec<Attempt>, StoreError> {
    match renewal {
        Some(renewal) => renewal.await,
        None => std::future::pending().await,
    }
}

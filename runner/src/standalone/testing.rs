//! Testing sessions: each takes a feature that passes and finds out whether it still works.

use cogwork_schemas::{AttemptOutcome, FeatureId, Status};
use cogwork_store::{Claim, Secret, StoreError};

use super::{Lone, StandaloneError, list};
use cogwork_session::ExitStatus;
use cogwork_session::inbox::Inbox;

impl Lone<'_> {
    /// Tests each passing feature once, by id.
    pub(super) async fn test(&self, inbox: &mut Inbox) -> Result<ExitStatus, StandaloneError> {
        let features = self.store.features()?;
        let is_due = |status, id| status == Status::Passing && self.is_wanted(id);
        let due = features.iter().filter(|feature| is_due(feature.status, feature.id));
        let mut tested = Vec::new();
        for id in due.map(|feature| feature.id) {
            if self.flags.max_iterations.is_some_and(|most| tested.len() >= most as usize) {
                break;
            }
            if inbox.waiting().is_some() {
                return Ok(self.stopped());
            }
            let Some(claim) = self.inspect(id)? else { continue };
            tested.push(id);
            if self.session((id, claim), inbox).await? == AttemptOutcome::Stopped {
                return Ok(self.stopped());
            }
        }
        let mut broken = Vec::new();
        for id in &tested {
            if self.store.feature(*id)?.status != Status::Passing {
                broken.push(*id);
            }
        }
        if broken.is_empty() {
            self.say(format!("{} features were tested and pass", tested.len()));
            return Ok(ExitStatus::Done);
        }
        self.say(format!(
            "{} of {} features that were tested do not pass any more: {}",
            broken.len(),
            tested.len(),
            list(&broken)
        ));
        Ok(ExitStatus::Unfinished)
    }

    fn inspect(&self, id: FeatureId) -> Result<Option<Claim>, StandaloneError> {
        match self.store.inspect(id, &self.new_session(), &Secret::random()?, self.lease()) {
            Ok(claim) => Ok(Some(claim)),
            // Somebody tests it already, or has found it broken meanwhile.
            Err(StoreError::AlreadyClaimed { .. } | StoreError::WrongStatus { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

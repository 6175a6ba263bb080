//! Further features of a session that has handed in what it was given: a late-binding batch.
//!
//! It owns the step from one feature to the next: asking the store, which decides, waiting a little for work that is
//! about to land, bringing the session's clone to the main branch, and the checks before the work. Each feature
//! begins on the main branch, so that it holds nothing that was refused, and everything that it builds on.

use std::time::Duration;

use cogwork_process::git::Git;
use cogwork_schemas::{AttemptOutcome, FeatureId, Token};
use cogwork_store::{AttemptLimits, Claim, Next, Store, Taken};
use jiff::SignedDuration;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::claims::Given;
use crate::error::{Code, ToolError};
use crate::options::Further;
use crate::server::Server;
use crate::workspace;

/// How long a new claim holds before the session's runner, which looks several times a minute, renews it.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// How often it is looked whether something has landed, and for how long: below the shortest limit that clients set
/// for one call (60 s), with room for the checks before the work.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 300;

/// After so many looks the store is asked again even if the journal is the same: not everything that decides leaves
/// an entry.
const ASK_AGAIN: u32 = 20;

impl Server {
    /// Takes the next feature for this session, and returns it with whether it was this session's before; `None`
    /// when there is none for it.
    ///
    /// # Errors
    /// When this session has lost its rights, or its directory cannot be used; the feature is free again then.
    pub(crate) async fn take_further(
        &self,
        given: &Given,
        further: &Further,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<(FeatureId, bool)>, ToolError> {
        let _turn = given.turn().await;
        let Some((_, token)) = given.all().into_iter().next() else { return Ok(None) };
        let shown = token.clone();
        let taken = self.database().look(move |store| Ok(store.attempts_beside(&shown)?)).await?;
        // By another call at the same time, or by a server that this client has started anew since.
        if let Some(open) = taken.iter().find(|taken| taken.is_open()) {
            given.hold(open.attempt.feature, token.for_attempt(open.attempt.id));
            return Ok(Some((open.attempt.feature, true)));
        }
        let Some((id, claim)) = self.next(token, context).await? else { return Ok(None) };
        match self.begun(id, &claim.token, (further, taken.last()), context).await {
            Ok(()) => {
                given.hold(id, claim.token);
                Ok(Some((id, false)))
            }
            Err(error) => {
                self.hand_back(&claim, &error).await;
                Err(error)
            }
        }
    }

    /// Returns whether a session that hands in the work of this token may ask for more.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn may_take_further(&self, token: &Token) -> Result<bool, ToolError> {
        if self.options().further.is_none() {
            return Ok(false);
        }
        let token = token.clone();
        self.database().look(move |store| Ok(store.may_claim_next(&token)?)).await
    }

    /// Asks the store until it has a feature, says that there is none, or patience ends.
    async fn next(
        &self,
        token: Token,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<(FeatureId, Claim)>, ToolError> {
        let mut seen = None;
        for look in 0..LOOKS {
            let (token, known) = (token.clone(), seen.filter(|_| look % ASK_AGAIN != 0));
            let ask = move |store: &Store| {
                let seq = store.last_seq()?;
                let next = if known == Some(seq) { Next::Wait } else { store.claim_next(&token, LEASE)? };
                Ok((next, seq))
            };
            match self.database().run(ask).await? {
                (Next::Claimed { feature, claim }, _) => return Ok(Some((feature, claim))),
                (Next::Nothing, _) => return Ok(None),
                (Next::Wait, seq) => seen = Some(seq),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = context.ct.cancelled() => return Err(ToolError::cancelled()),
            }
        }
        Ok(None)
    }

    /// Makes everything ready for the work on a feature that was taken.
    async fn begun(
        &self,
        id: FeatureId,
        token: &Token,
        (further, before): (&Further, Option<&Taken>),
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ToolError> {
        if let (Some(branch), Some(before)) = (&further.branch, before) {
            let _turn = self.checking().lock().await;
            workspace::begin_on(self.options(), branch, before).await.map_err(|error| unusable(&error))?;
        }
        self.look_before(id, token, context).await?;
        // What checks leave lying about is nobody's work.
        if further.branch.is_some() {
            let _turn = self.checking().lock().await;
            Git::workspace(&self.options().workspace)
                .reset_hard_clean("HEAD")
                .await
                .map_err(|error| unusable(&error))?;
        }
        Ok(())
    }

    /// Gives back a feature that could not be begun; it costs the feature nothing.
    async fn hand_back(&self, claim: &Claim, error: &ToolError) {
        let outcome = if error.code() == Code::Cancelled {
            AttemptOutcome::Stopped
        } else {
            AttemptOutcome::Crashed { reason: error.to_string() }
        };
        let token = claim.token.clone();
        let end = move |store: &Store| {
            store.end_attempt(&token, &outcome, &AttemptLimits::default())?;
            Ok(())
        };
        if let Err(error) = self.database().run(end).await {
            tracing::warn!(%error, "a feature could not be given back; its lease will end it");
        }
    }
}

fn unusable(error: &dyn std::error::Error) -> ToolError {
    tracing::error!("the session's directory cannot be brought to the main branch: {error}");
    ToolError::new(
        Code::Conflict,
        format!("the directory you work in cannot be brought to the main branch: {error}"),
        "You are done: end the session.",
    )
}

//! Claims of a server that no orchestrator started: it claims, renews and ends them itself.
//!
//! It owns the life of such a claim, from the store's claim through the checks on the untouched tree to its end
//! when the server ends. A server that is killed renews nothing any more, and the next claim anybody makes takes
//! its features back once the lease has run out.

use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::{AttemptOutcome, FeatureId, Isolation, SessionOutcome};
use cogwork_store::graph::Graph;
use cogwork_store::{AttemptLimits, Claim, NewSession, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::claims::{Claims, Held, Own};
use crate::clock::now;
use crate::error::{Code, ToolError};
use crate::judge;
use crate::server::Server;

/// How long a claim holds without being renewed.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// How often claims are renewed: often enough to miss it twice.
const RENEWAL: Duration = Duration::from_secs(200);

impl Server {
    /// Claims a feature for this server: the one named, or the best that is ready. The checks are run before it
    /// is handed out, because only checks seen red before the work prove something after it.
    ///
    /// # Errors
    /// When the feature cannot be claimed, or the client cancels; nothing is claimed then.
    pub(crate) async fn claim_own(
        &self,
        own: &Own,
        id: Option<FeatureId>,
        context: &RequestContext<RoleServer>,
    ) -> Result<FeatureId, ToolError> {
        let new =
            NewSession { role: self.options().role, agent: agent(context), isolation: Isolation::Shared };
        let wanted = id.map(|id| vec![id]);
        let only = own.only().to_vec();
        let claim = self.database().run(move |store| claim_first(store, wanted, &only, &new));
        let (id, claim) = claim.await?;
        own.hold(id, Held { token: claim.token.clone(), session: claim.session, since: now() });
        match self.look_before(id, &claim, context).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.give_back(own, id).await;
                Err(error)
            }
        }
    }

    async fn look_before(
        &self,
        id: FeatureId,
        claim: &Claim,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ToolError> {
        let checks = self.database().run(move |store| Ok(store.feature(id)?.checks)).await?;
        if checks.is_empty() {
            return Ok(());
        }
        let _turn = self.checking().lock().await;
        let commit = judge::commit(&self.options().workspace).await?;
        let reports = judge::run(self.options(), &checks, context).await?;
        let token = claim.token.clone();
        let record =
            move |store: &Store| Ok(store.record_before(now(), &token, commit.as_deref(), &reports)?);
        self.database().run(record).await
    }

    /// Renews all own claims for as long as the server lives.
    pub(crate) async fn keep_own_claims(self) {
        if let Claims::Own(own) = self.claims() {
            loop {
                tokio::time::sleep(RENEWAL).await;
                self.renew(own).await;
            }
        }
    }

    /// Renews each own claim once; one that was taken back is forgotten.
    async fn renew(&self, own: &Own) {
        for (id, held) in own.all() {
            let renew = move |store: &Store| Ok(store.renew(now(), &held.token, LEASE)?);
            match self.database().run(renew).await {
                Ok(()) => {}
                Err(error) if error.code() == Code::StaleToken => {
                    tracing::warn!(feature = id.0, "a claim of this server was taken back");
                    own.let_go(id);
                }
                Err(error) => tracing::warn!(feature = id.0, %error, "a claim could not be renewed"),
            }
        }
    }

    /// Ends all own claims: their features are free again at once.
    pub(crate) async fn give_back_all(&self) {
        if let Claims::Own(own) = self.claims() {
            for (id, _) in own.all() {
                self.give_back(own, id).await;
            }
        }
    }

    async fn give_back(&self, own: &Own, id: FeatureId) {
        let Some(held) = own.let_go(id) else {
            return;
        };
        let end = move |store: &Store| {
            let now = now();
            let ended =
                store.end_attempt(now, &held.token, &AttemptOutcome::Stopped, &AttemptLimits::default());
            store.end_session(now, held.session, &SessionOutcome::Stopped, held.ms_until(now))?;
            ended?;
            Ok(())
        };
        if let Err(error) = self.database().run(end).await {
            tracing::warn!(feature = id.0, %error, "a claim could not be given back; its lease will end it");
        }
    }
}

impl Held {
    /// Returns how long the claim has been held, in milliseconds.
    pub(crate) fn ms_until(&self, now: Timestamp) -> u64 {
        u64::try_from(now.duration_since(self.since).as_millis()).unwrap_or(0)
    }
}

/// Claims the first of the wanted features that can be; without a wish, the best of those that are ready.
fn claim_first(
    store: &Store,
    wanted: Option<Vec<FeatureId>>,
    only: &[FeatureId],
    new: &NewSession,
) -> Result<(FeatureId, Claim), ToolError> {
    let now = now();
    store.reap(now, &AttemptLimits::default())?;
    let named = wanted.is_some();
    let candidates = match wanted {
        Some(ids) => ids,
        None => Graph::new(store.nodes()?)?.ready_in_order(),
    };
    for id in candidates.into_iter().filter(|id| only.is_empty() || only.contains(id)) {
        match store.claim(now, id, new, LEASE) {
            Ok(claim) => {
                // The claim is won; that nobody can tell whose it is must not lose it.
                if let Err(error) = store.session_up(now, claim.session, &contain::own_identity()) {
                    tracing::warn!(%error, "this server could not report itself for its claim");
                }
                return Ok((id, claim));
            }
            // Somebody was faster; the next one may do.
            Err(StoreError::AlreadyClaimed { .. } | StoreError::NotClaimable { .. }) if !named => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ToolError::new(
        Code::Conflict,
        "no feature can be claimed now: none is ready",
        "feature_get_stats shows how the project stands, feature_get_blocked what waits for what; if everything \
         passes, you are done.",
    ))
}

/// Names the client, so that people see who works on a feature.
fn agent(context: &RequestContext<RoleServer>) -> String {
    match context.client_info() {
        Some(client) => format!("mcp:{}", client.name.chars().take(60).collect::<String>()),
        None => "mcp".to_owned(),
    }
}

#[cfg(test)]
mod tests;

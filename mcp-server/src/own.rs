//! Claims of a server that no orchestrator started: it claims, renews and ends them itself.
//!
//! It owns the life of such a claim, from the store's claim through the checks on the untouched tree to its end
//! when the server ends. A server that is killed renews nothing any more, and the next claim anybody makes takes
//! its features back once the lease has run out.

use cogwork_process::contain;
use cogwork_schemas::{AttemptOutcome, CheckReport, FeatureId, Isolation, SessionOutcome, Token};
use cogwork_store::{AttemptLimits, Claim, NewSession, RENEWALS_PER_LEASE, SERVER_AGENT, Secret, Store};
use jiff::{SignedDuration, Timestamp};
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::claims::{Claims, Held, Own};
use crate::clock::now;
use crate::error::{Code, ToolError};
use crate::judge;
use crate::server::Server;

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
        let (new, server) = (self.new_session(context), self.clone());
        // Held before anything can be cancelled: a claim that nobody knows of would last until its lease ends.
        let claim = self.database().run(move |store| {
            let (id, claim) = claim_first(store, id, server.only(), &new, server.options().lease)?;
            Ok((id, server.hold(id, claim)))
        });
        let (id, token) = claim.await?;
        match self.look_before(id, &token, context).await {
            Ok(_) => Ok(id),
            Err(error) => {
                self.give_back(own, id).await;
                Err(error)
            }
        }
    }

    /// Takes a passing feature that was found broken, and reports it: from then on it is claimed by this server.
    ///
    /// # Errors
    /// When somebody else is testing it.
    pub(crate) fn take_broken(
        &self,
        store: &Store,
        id: FeatureId,
        new: &NewSession,
        reason: &str,
    ) -> Result<Token, ToolError> {
        let lease = self.options().lease;
        reap(store, lease)?;
        let token = self.hold(id, introduced(store, store.inspect(id, new, &Secret::random()?, lease)?)?);
        store.report_failing(&token, reason)?;
        Ok(token)
    }

    /// Remembers a won claim and returns its token.
    fn hold(&self, id: FeatureId, claim: Claim) -> Token {
        let token = claim.token.clone();
        match self.claims() {
            Claims::Own(own) => own.hold(id, Held::of(claim)),
            Claims::Given(_) => {}
        }
        token
    }

    /// Returns the only features this server may claim; empty when it may claim any.
    fn only(&self) -> &[FeatureId] {
        match self.claims() {
            Claims::Own(own) => own.only(),
            Claims::Given(_) => &[],
        }
    }

    /// Returns what a claim by this server says about the session it starts.
    pub(crate) fn new_session(&self, context: &RequestContext<RoleServer>) -> NewSession {
        NewSession {
            node: Some(cogwork_process::contain::own_node()),
            ..NewSession::new(self.options().role, agent(context), Isolation::Shared)
        }
    }

    /// Runs a feature's checks as they are before the work on it, and puts them on record.
    ///
    /// # Errors
    /// When the client cancels, or the claim was lost meanwhile.
    pub(crate) async fn look_before(
        &self,
        id: FeatureId,
        token: &Token,
        context: &RequestContext<RoleServer>,
    ) -> Result<Vec<CheckReport>, ToolError> {
        let checks = self.database().look(move |store| Ok(store.feature(id)?.checks)).await?;
        if checks.is_empty() && matches!(self.claims(), Claims::Own(_)) {
            return Ok(Vec::new());
        }
        let _turn = self.checking().lock().await;
        let commit = judge::commit(&self.options().workspace).await?;
        let reports = judge::run(self.options(), &checks, context).await?;
        let token = token.clone();
        let record = move |store: &Store| {
            store.record_before(&token, commit.as_deref(), &reports)?;
            Ok(reports)
        };
        self.database().run(record).await
    }

    /// Renews all own claims for as long as the server lives.
    pub(crate) async fn keep_own_claims(self) {
        if let Claims::Own(own) = self.claims() {
            let every = (self.options().lease / RENEWALS_PER_LEASE).unsigned_abs();
            loop {
                tokio::time::sleep(every).await;
                self.renew(own).await;
            }
        }
    }

    /// Renews all own claims; one that was taken back is forgotten.
    async fn renew(&self, own: &Own) {
        let (lease, held) = (self.options().lease, own.all());
        let tokens: Vec<Token> = held.iter().map(|(_, held)| held.token.clone()).collect();
        let stale = match self.database().run(move |store: &Store| Ok(store.renew(&tokens, lease)?)).await {
            Ok(stale) => stale,
            Err(error) => return tracing::warn!(%error, "the claims of this server could not be renewed"),
        };
        for (id, held) in held {
            // Passed or given back while this went round, it is not held any more, or anew.
            if stale.contains(&held.token) && own.holds(id, &held.token) {
                tracing::warn!(feature = id.0, "a claim of this server was taken back");
                own.let_go(id);
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
        if let Err(error) = self.database().run(move |store| end(store, &held)).await {
            tracing::warn!(feature = id.0, %error, "a claim could not be given back; its lease will end it");
        }
    }
}

impl Own {
    /// Ends a claim of this server, and forgets it once that is done; somebody is watching, so it costs nothing.
    ///
    /// # Errors
    /// The store's; the claim is held on then.
    pub(crate) fn release(&self, store: &Store, id: FeatureId) -> Result<(), ToolError> {
        if let Some((_, held)) = self.all().into_iter().find(|(held, _)| *held == id) {
            end(store, &held)?;
            drop(self.let_go(id));
        }
        Ok(())
    }
}

/// Ends a claim and the session that was begun for it.
fn end(store: &Store, held: &Held) -> Result<(), ToolError> {
    let now = now();
    let ended = store.end_attempt(&held.token, &AttemptOutcome::Stopped, &AttemptLimits::default());
    store.end_session(held.session, &SessionOutcome::Stopped, held.ms_until(now))?;
    ended?;
    Ok(())
}

impl Held {
    fn of(claim: Claim) -> Self {
        Self { token: claim.token, session: claim.session, since: now() }
    }

    /// Returns how long the claim has been held, in milliseconds.
    pub(crate) fn ms_until(&self, now: Timestamp) -> u64 {
        ms_between(self.since, now)
    }
}

/// Claims the feature that is wanted; without a wish, the best of those that are ready.
fn claim_first(
    store: &Store,
    wanted: Option<FeatureId>,
    only: &[FeatureId],
    new: &NewSession,
    lease: SignedDuration,
) -> Result<(FeatureId, Claim), ToolError> {
    reap(store, lease)?;
    let process = contain::own_identity();
    let may = |id: &FeatureId| only.is_empty() || only.contains(id);
    if let Some(id) = wanted.filter(may) {
        return Ok((id, store.claim_by(id, new, &process, &Secret::random()?, lease)?));
    }
    if wanted.is_none() {
        let mut ready = store.graph()?.ready_in_order();
        ready.retain(may);
        if let Some(won) = store.claim_first(&ready, new, &process, &Secret::random()?, lease)? {
            return Ok(won);
        }
    }
    Err(ToolError::new(
        Code::Conflict,
        "no feature can be claimed now: none is ready",
        "feature_get_stats shows how the project stands, feature_get_blocked what waits for what; if everything \
         passes, you are done.",
    ))
}

/// Takes back claims whose lease ran out and that nobody owns any more.
pub(crate) fn reap(store: &Store, lease: SignedDuration) -> Result<(), ToolError> {
    store.reap_unowned(lease, &AttemptLimits::default(), contain::presence)?;
    Ok(())
}

/// Says which process a won claim belongs to. A claim without one would be taken back under a living server, so it
/// is given up when that cannot be said.
fn introduced(store: &Store, claim: Claim) -> Result<Claim, ToolError> {
    let process = contain::own_identity();
    let told =
        store.session_up(claim.session, &process).or_else(|_| store.session_up(claim.session, &process));
    match told {
        Ok(()) => Ok(claim),
        Err(error) => {
            end(store, &Held::of(claim))?;
            Err(error.into())
        }
    }
}

fn ms_between(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0)
}

/// Names the client, so that people see who works on a feature.
fn agent(context: &RequestContext<RoleServer>) -> String {
    match context.client_info() {
        Some(client) => format!("{SERVER_AGENT}:{}", client.name.chars().take(60).collect::<String>()),
        None => SERVER_AGENT.to_owned(),
    }
}

#[cfg(test)]
mod tests;

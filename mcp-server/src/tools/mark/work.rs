//! The way of finished work from an agent's question to the database: judged, handed in, and landed where nobody
//! else would land it.

use std::path::PathBuf;

use cogwork_process::git;
use cogwork_schemas::{
    AttemptId, CheckPhase, CheckReport, Feature, FeatureId, Proof, SessionId, Status, Token,
};
use cogwork_store::{Attempt, Store, Submitted, handed_in_ref};
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::claims::Claims;
use crate::clock::now;
use crate::error::{Code, ToolError};
use crate::server::Server;
use crate::tools::attempt;
use crate::{judge, workspace};

/// Where a feature stands when the question comes.
pub(super) enum Standing {
    /// It is done, whatever became of the claim.
    Passing(Feature),
    /// It passes, and this session tests whether it does so rightly.
    Tested(Work),
    Open(Work),
}

/// Work under a live claim of this session.
pub(super) struct Work {
    pub(super) feature: Feature,
    token: Token,
    attempt: AttemptId,
    session: SessionId,
    /// Set when it was handed in before.
    submitted: Option<Submitted>,
}

/// Work that was green.
pub(super) struct HandedIn {
    pub(super) proof: Proof,
    /// False when it had been handed in before and nothing is new.
    pub(super) changed: bool,
    pub(super) then: Then,
    /// The repositories that the agent made in its workspace.
    pub(super) repositories: Vec<PathBuf>,
}

/// What follows.
pub(super) enum Then {
    /// It waits for integration.
    Waits(More),
    /// The feature passes now.
    Landed(Landed),
}

/// Whether this session has other features to work on.
pub(super) enum More {
    Assigned,
    /// It may ask for one.
    Perhaps,
    Nothing,
}

/// What a landed feature changed.
pub(super) struct Landed {
    pub(super) newly_ready: Vec<FeatureId>,
    pub(super) passing: usize,
    pub(super) total: usize,
    pub(super) something_ready: bool,
}

/// Finds out where a feature stands.
///
/// # Errors
/// When this session has no live claim on it and it does not pass either.
pub(super) fn standing(store: &Store, id: FeatureId, token: Option<&Token>) -> Result<Standing, ToolError> {
    let feature = store.feature(id)?;
    if feature.status == Status::Passing {
        let attempt = token.map(|token| Ok((attempt::live(store, id, token)?, token.clone())));
        return match attempt {
            Some(Ok((Attempt { id, session, submitted, .. }, token))) => {
                Ok(Standing::Tested(Work { feature, token, attempt: id, session, submitted }))
            }
            Some(Err(error)) if ToolError::code(&error) != Code::StaleToken => Err(error),
            Some(Err(_)) | None => Ok(Standing::Passing(feature)),
        };
    }
    let Some(token) = token else {
        return Err(attempt::not_claimed(id));
    };
    let Attempt { id, session, submitted, .. } = attempt::live(store, id, token)?;
    Ok(Standing::Open(Work { feature, token: token.clone(), attempt: id, session, submitted }))
}

impl Work {
    /// Makes what was judged last, and returns its commit.
    async fn keep_judged(&self, made: &git::Work) -> Result<Option<String>, ToolError> {
        let message = format!("{} {}: what the agent left uncommitted", self.feature.id, self.feature.name);
        let (name, session) = (handed_in_ref(self.attempt), self.session.to_string());
        made.keep(&name, &message, &[("Cogwork-Session", &session)]).await.map_err(|error| {
            let next = "Call feature_mark_passing again.";
            ToolError::new(Code::Conflict, format!("your work cannot be kept: {error}"), next)
        })
    }
}

impl Server {
    /// Judges work and hands it in when it is green. Work that was handed in before is judged again only when
    /// there is a newer commit, which then takes the place of the older one.
    ///
    /// # Errors
    /// `checks_failed` when a check is red; the feature stays claimed.
    pub(super) async fn hand_in(
        &self,
        work: &Work,
        context: &RequestContext<RoleServer>,
    ) -> Result<HandedIn, ToolError> {
        let made = workspace::look_at_work(self.options(), work.session, work.submitted.as_ref()).await?;
        let known = work.submitted.as_ref().filter(|_| matches!(made, git::Work::AsBefore));
        let (reports, commit) = match known {
            Some(before) => (Vec::new(), before.commit.clone()),
            None => {
                let reports = self.judged(work, made.commit(), context).await?;
                workspace::judged_as_it_was(&made, self.written_by_checks()).await?;
                (reports, work.keep_judged(&made).await?)
            }
        };
        let repositories = made.new_repositories();
        match self.claims() {
            Claims::Given(given) => {
                let proof = match known {
                    Some(before) => before.proof,
                    None => self.submitted(work, commit.clone(), reports).await?,
                };
                let mut others = given.all();
                others.retain(|(id, _)| *id != work.feature.id);
                let more = if self.any_open(others).await? {
                    More::Assigned
                } else if self.may_take_further(&work.token).await? {
                    More::Perhaps
                } else {
                    More::Nothing
                };
                Ok(HandedIn { proof, changed: known.is_none(), then: Then::Waits(more), repositories })
            }
            Claims::Own(_) => {
                let (proof, landed) = self.landed(work, commit, reports).await?;
                Ok(HandedIn { proof, changed: true, then: Then::Landed(landed), repositories })
            }
        }
    }

    /// Runs the checks of a feature that passes and is tested, and puts them on record.
    ///
    /// # Errors
    /// `checks_failed` when one is red; the feature passes on until it is reported.
    pub(super) async fn tested(
        &self,
        work: &Work,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ToolError> {
        if work.feature.checks.is_empty() {
            return Ok(());
        }
        let commit = judge::commit(&self.options().workspace).await?;
        let reports = judge::run(self.options(), &work.feature.checks, context).await?;
        let red = judge::red_under_test(work.feature.id, &reports);
        let token = work.token.clone();
        let record = move |store: &Store| {
            Ok(store.record_checks(&token, CheckPhase::Verify, commit.as_deref(), &reports)?)
        };
        self.database().run(record).await?;
        red.map_or(Ok(()), Err)
    }

    async fn any_open(&self, claims: Vec<(FeatureId, Token)>) -> Result<bool, ToolError> {
        let any = move |store: &Store| {
            let open =
                |(id, token): &(FeatureId, Token)| attempt::is_open(store, *id, token).unwrap_or(false);
            Ok(claims.iter().any(open))
        };
        self.database().look(any).await
    }

    /// Runs the checks in the session's directory; red runs go on record before they are reported.
    async fn judged(
        &self,
        work: &Work,
        commit: Option<&str>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Vec<CheckReport>, ToolError> {
        let reports = judge::run(self.options(), &work.feature.checks, context).await?;
        let Some(red) = judge::red(work.feature.id, &reports) else {
            return Ok(reports);
        };
        let (token, commit) = (work.token.clone(), commit.map(ToOwned::to_owned));
        let record = move |store: &Store| {
            Ok(store.record_checks(&token, CheckPhase::After, commit.as_deref(), &reports)?)
        };
        self.database().run(record).await?;
        Err(red)
    }

    async fn submitted(
        &self,
        work: &Work,
        commit: Option<String>,
        reports: Vec<CheckReport>,
    ) -> Result<Proof, ToolError> {
        let token = work.token.clone();
        let submit = move |store: &Store| Ok(store.submit(&token, commit.as_deref(), &reports)?);
        self.database().run(submit).await
    }

    /// Makes a feature pass: without an orchestrator the work is where it belongs already, and nothing is merged that
    /// would have to be checked again. Work that cannot pass yet is not submitted either: a submission has no lease,
    /// and nobody would ever take it back from a server that was killed.
    async fn landed(
        &self,
        work: &Work,
        commit: Option<String>,
        reports: Vec<CheckReport>,
    ) -> Result<(Proof, Landed), ToolError> {
        let (id, token) = (work.feature.id, work.token.clone());
        let server = self.clone();
        let finish = move |store: &Store| {
            let now = now();
            let own = match server.claims() {
                Claims::Own(own) => Some(own),
                Claims::Given(_) => None,
            };
            let since = own.and_then(|own| own.all().into_iter().find(|(held, _)| *held == id));
            let agent_ms = since.map_or(0, |(_, held)| held.ms_until(now));
            let (proof, newly_ready) = store.finish(&token, commit.as_deref(), &reports, agent_ms)?;
            // Here, before anybody else's turn: a renewal must not take it for lost.
            drop(own.map(|own| own.let_go(id)));
            let counts = store.graph()?.counts();
            let (passing, total, something_ready) = (counts.passing, counts.total(), counts.ready > 0);
            Ok((proof, Landed { newly_ready, passing, total, something_ready }))
        };
        self.database().run(finish).await
    }
}

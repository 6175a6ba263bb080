//! Calls, carried out on a store: the same for a file on a disk and for the simulator's. A call that is made again
//! under its id, because its answer was lost, is done once.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{
    AttemptId, AttemptOutcome, CheckPhase, Fact, FeatureId, NodeIdentity, Presence, ProcessIdentity, Role,
    RunId, SessionId, SessionOutcome, Token,
};
use cogwork_store::{Attempt, AttemptLimits, ErrorClass, NewSession, Secret, Store, StoreError};

use super::{Answer, Call, CallId, Changes, Fault, Job};
use cogwork_session::{attempt_outcome, chain};

/// How much of the journal is read at once.
const PAGE: usize = 1000;

/// Who can look for the process of a session.
pub trait Owners {
    /// Looks for a process that was recorded on a node; `None` for a node that was not recorded.
    fn presence(&self, process: &ProcessIdentity, node: Option<&NodeIdentity>) -> Presence;
}

/// What carries out the calls of one run: it makes the secrets of its sessions, and keeps them.
pub struct Clerk {
    owners: Box<dyn Owners + Send>,
    new_secret: NewSecret,
    /// Makes the ids of calls those of this run.
    name: String,
    /// The number of the run, once it has begun.
    run: Option<RunId>,
    /// The secret of the claim that was asked for last: made again, it shows the same.
    claiming: Option<(CallId, Secret)>,
    /// A token of each session that is this run's.
    of_session: BTreeMap<SessionId, Token>,
    of_attempt: BTreeMap<AttemptId, Token>,
}

/// Where secrets come from: chance on a laptop, a counter in the simulator.
pub type NewSecret = Box<dyn FnMut() -> Result<Secret, StoreError> + Send>;

impl Clerk {
    /// Begins for a run with a name that no other has, which has taken over sessions with these tokens.
    pub fn new(
        owners: Box<dyn Owners + Send>,
        new_secret: NewSecret,
        name: String,
        taken_over: BTreeMap<SessionId, Token>,
    ) -> Self {
        Self {
            owners,
            new_secret,
            name,
            run: None,
            claiming: None,
            of_session: taken_over,
            of_attempt: BTreeMap::new(),
        }
    }

    /// Carries out one call, once for each id.
    ///
    /// # Errors
    ///
    /// The class of what the store says, with its sentence.
    pub fn perform(&mut self, store: &Store, id: CallId, call: &Call) -> Result<Answer, Fault> {
        let name = format!("{} {}", self.name, id.0);
        store
            .once(&name, |store| self.carry_out(store, id, call))
            .map_err(|error| Fault::from_store_error(&error))
    }

    fn carry_out(&mut self, store: &Store, id: CallId, call: &Call) -> Result<Answer, StoreError> {
        match call {
            Call::BeginRun { new } => self.run = Some(store.begin_run(new)?),
            Call::Claim { feature, new, lease } => {
                let secret = self.secret_of(id)?;
                let new = NewSession { run: self.run, ..new.clone() };
                let claim = if new.role == Role::Testing {
                    store.inspect(*feature, &new, &secret, *lease)?
                } else {
                    store.claim(*feature, &new, &secret, *lease)?
                };
                let (session, attempt, token) = (claim.session, claim.attempt, claim.token);
                self.of_session.insert(session, token.clone());
                return Ok(Answer::Claimed { session, attempt, token, check_s: check_s(store, *feature)? });
            }
            Call::Up { session, process } => store.session_up(*session, process)?,
            Call::NotStarted { session, attempt, outcome, limits } => {
                self.end_attempt(store, *attempt, &attempt_outcome(outcome, None), limits)?;
                store.end_session(*session, outcome, 0)?;
            }
            Call::Taken { session } => return Ok(Answer::Taken(store.attempts_of_session(*session)?)),
            Call::Lost { session, reason } => {
                store.end_session(*session, &SessionOutcome::NotStarted { reason: reason.clone() }, 0)?;
                return Ok(Answer::Taken(store.attempts_of_session(*session)?));
            }
            Call::EndAttempt { feature, attempt, outcome, limits } => {
                self.end_attempt(store, *attempt, outcome, limits)?;
                return nodes_of(store, &[*feature]);
            }
            Call::Job { attempt } => {
                // Known from now on, also when the attempt has ended.
                drop(self.token(store, *attempt)?);
                return job(store, *attempt).map(|job| Answer::Job(Box::new(job)));
            }
            Call::LandingWaits { attempt, wait } => {
                store.landing_waits(&self.token(store, *attempt)?, wait)?;
            }
            Call::RecordMerged { attempt, commit, reports } => {
                let token = self.token(store, *attempt)?;
                store.record_checks(&token, CheckPhase::Merged, commit.as_deref(), reports)?;
            }
            Call::BeginLanding { attempt, landing } => {
                store.begin_landing(&self.token(store, *attempt)?, landing)?;
            }
            Call::EndLanding { attempt, outcome } => store.end_landing(*attempt, outcome)?,
            Call::Land { attempt, merge } => drop(store.land(&self.token(store, *attempt)?, merge)?),
            // A run whose beginning could not be recorded has no slots there, and no end.
            Call::SlotIdle { slot, hold } => {
                self.run.map_or(Ok(()), |run| store.slot_idle(run, *slot, hold))?;
            }
            Call::StartAvoided { feature, hold } => {
                self.run.map_or(Ok(()), |run| store.start_avoided(run, *feature, hold))?;
            }
            Call::RecordCommand { command, by, .. } => store.record_command(self.run, *command, by)?,
            Call::CloseBatches => store.close_batches()?,
            Call::Reap { lease, limits } => {
                let presence = |process: &ProcessIdentity, node: Option<&NodeIdentity>| {
                    self.owners.presence(process, node)
                };
                store.reap_unowned(*lease, limits, presence)?;
                return Ok(Answer::Nodes { nodes: store.nodes()?, gone: Vec::new() });
            }
            Call::Nodes => return Ok(Answer::Nodes { nodes: store.nodes()?, gone: Vec::new() }),
            Call::EndRun { outcome } => self.run.map_or(Ok(()), |run| store.end_run(run, outcome))?,
        }
        Ok(Answer::Done)
    }

    fn secret_of(&mut self, id: CallId) -> Result<Secret, StoreError> {
        if let Some((_, secret)) = self.claiming.as_ref().filter(|(claim, _)| *claim == id) {
            return Ok(secret.clone());
        }
        let secret = (self.new_secret)()?;
        self.claiming = Some((id, secret.clone()));
        Ok(secret)
    }

    /// Returns the token of an attempt whose session is this run's.
    fn token(&mut self, store: &Store, id: AttemptId) -> Result<Token, StoreError> {
        if let Some(token) = self.of_attempt.get(&id) {
            return Ok(token.clone());
        }
        let stale = || StoreError::StaleToken { feature: None, attempt: Some(id), ended: None };
        let session = live(store, id)?.session;
        let token = self.of_session.get(&session).ok_or_else(stale)?.for_attempt(id);
        self.of_attempt.insert(id, token.clone());
        Ok(token)
    }

    /// Ends an attempt; one that is over stays as it ended.
    fn end_attempt(
        &mut self,
        store: &Store,
        id: AttemptId,
        outcome: &AttemptOutcome,
        limits: &AttemptLimits,
    ) -> Result<(), StoreError> {
        let ended = self.token(store, id).and_then(|token| store.end_attempt(&token, outcome, limits));
        match ended {
            Ok(_) | Err(StoreError::StaleToken { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Fault {
    /// Returns what an error of the store means for a run.
    pub fn from_store_error(error: &StoreError) -> Self {
        let reason = chain(error);
        match error.class() {
            ErrorClass::Refused => {
                Self::Refused { reason, not_yet: matches!(error, StoreError::DependencyNotPassing { .. }) }
            }
            ErrorClass::Again => Self::Again { reason },
            ErrorClass::Unknown => Self::Unknown { reason },
            ErrorClass::Fatal => Self::Fatal { reason },
        }
    }
}

/// Returns the live attempt with this number.
fn live(store: &Store, id: AttemptId) -> Result<Attempt, StoreError> {
    let live = store.live_attempts()?.into_iter().find(|live| live.id == id);
    live.ok_or(StoreError::StaleToken { feature: None, attempt: Some(id), ended: None })
}

fn check_s(store: &Store, feature: FeatureId) -> Result<u64, StoreError> {
    Ok(store.feature(feature)?.checks.iter().map(|check| u64::from(check.timeout_s)).sum())
}

fn nodes_of(store: &Store, ids: &[FeatureId]) -> Result<Answer, StoreError> {
    let nodes = store.nodes_of(ids)?;
    let gone = ids.iter().copied().filter(|id| nodes.iter().all(|node| node.id != *id)).collect();
    Ok(Answer::Nodes { nodes, gone })
}

fn job(store: &Store, id: AttemptId) -> Result<Job, StoreError> {
    let attempt = live(store, id)?;
    let Some(submitted) = attempt.submitted else {
        return Err(StoreError::NotSubmitted { feature: attempt.feature, attempt: id });
    };
    let taken = store.attempts_of_session(attempt.session)?;
    let others = taken.into_iter().filter(|other| other.attempt.id != id);
    let not_landed = others.filter(|other| other.outcome != Some(AttemptOutcome::Landed));
    Ok(Job {
        feature: store.feature(attempt.feature)?,
        attempt: id,
        session: attempt.session,
        isolation: attempt.isolation,
        commit: submitted.commit,
        base: attempt.base,
        foreign: not_landed.filter_map(|other| other.attempt.submitted?.commit).collect(),
    })
}

/// Reads what the journal gained after an entry, and the features that it is about.
///
/// The journal is written in the transaction of each change, so nothing can change unseen. Leases alone are renewed
/// without an entry; whoever takes a claim back looks at them once more.
///
/// # Errors
///
/// The class of what the store says, with its sentence.
pub fn changes_after(store: &Store, seq: i64) -> Result<Option<Changes>, Fault> {
    read_changes(store, seq).map_err(|error| Fault::from_store_error(&error))
}

fn read_changes(store: &Store, seq: i64) -> Result<Option<Changes>, StoreError> {
    let (mut entries, mut changed, mut through) = (Vec::new(), BTreeSet::new(), seq);
    loop {
        let page = store.journal_page(through, PAGE)?;
        if page.through == through {
            break;
        }
        through = page.through;
        entries.extend(page.entries);
        changed.extend(page.features);
    }
    if through == seq {
        return Ok(None);
    }
    let changed: Vec<_> = changed.into_iter().collect();
    let nodes = store.nodes_of(&changed)?;
    let gone = changed.iter().copied().filter(|id| nodes.iter().all(|node| node.id != *id)).collect();
    let mut check_s_of = BTreeMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.fact, Fact::Claimed { .. })) {
        // A feature that is gone meanwhile has no checks.
        if let Some(feature) = entry.feature.filter(|id| nodes.iter().any(|node| node.id == *id)) {
            check_s_of.insert(feature, check_s(store, feature)?);
        }
    }
    Ok(Some(Changes { entries, through, nodes, gone, check_s: check_s_of }))
}

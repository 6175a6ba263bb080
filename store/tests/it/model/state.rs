//! The simple model: plain maps, and for each call of the store what it answers and leaves behind.
//!
//! It says in the plainest way what the store's documentation promises, and gives out the same types as the store,
//! so that the two are compared whole.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{
    AttemptId, AttemptOutcome, Check, Entry, Fact, Feature, FeatureId, HumanRequest, HumanResponse,
    Isolation, ProcessIdentity, Proof, Role, RunId, SessionId, Status,
};
use cogwork_store::graph::Node;
use cogwork_store::{Attempt, AttemptRecord, Evidence, Imported, LiveSession, Submitted};
use jiff::Timestamp;

use crate::fixture::at;

/// What the store has to answer: the answer in words, or the kind of refusal with what it names.
pub(crate) type Told = Result<String, String>;

/// Everything there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) second: i64,
    pub(crate) features: BTreeMap<FeatureId, Known>,
    /// Those that were not deleted with their feature, dead or alive.
    pub(crate) attempts: BTreeMap<i64, Try>,
    pub(crate) sessions: BTreeMap<SessionId, Life>,
    pub(crate) calls: BTreeMap<u8, (i64, Imported)>,
    pub(crate) journal: Vec<Entry>,
    /// Whether each run is over.
    pub(crate) runs: BTreeMap<RunId, bool>,
    pub(crate) next_feature: i64,
    pub(crate) next_attempt: i64,
    pub(crate) next_session: i64,
    /// What the last call has to be told.
    pub(crate) told: Option<Told>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) key: Option<u8>,
    pub(crate) priority: i64,
    pub(crate) checks: u8,
    pub(crate) status: Status,
    pub(crate) proof: Option<Proof>,
    pub(crate) on: BTreeSet<FeatureId>,
    pub(crate) failed: u32,
    pub(crate) crashes: u32,
    pub(crate) parked: Option<String>,
    pub(crate) request: Option<HumanRequest>,
    pub(crate) response: Option<HumanResponse>,
    /// The attempt that owns it.
    pub(crate) owner: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Try {
    pub(crate) feature: FeatureId,
    pub(crate) session: SessionId,
    pub(crate) number: u32,
    pub(crate) isolation: Isolation,
    pub(crate) started: Timestamp,
    pub(crate) lease: Option<Timestamp>,
    /// Whether the checks were all green before the work, once that is known.
    pub(crate) green_before: Option<bool>,
    pub(crate) base: Option<String>,
    pub(crate) submitted: Option<Submitted>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) outcome: Option<AttemptOutcome>,
    pub(crate) evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    pub(crate) role: Role,
    pub(crate) isolation: Isolation,
    pub(crate) started: Timestamp,
    pub(crate) process: Option<ProcessIdentity>,
    pub(crate) over: bool,
}

pub(crate) fn check(number: u8) -> String {
    format!("t{number}")
}

impl State {
    /// A project with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { next_feature: 1, next_attempt: 1, next_session: 1, ..Self::default() }
    }

    /// The clock, but never before what happened last.
    pub(crate) fn now(&self) -> Timestamp {
        self.journal.last().map_or(at(self.second), |last| last.at.max(at(self.second)))
    }

    pub(crate) fn features(&self) -> Vec<Feature> {
        self.features.iter().map(|(id, known)| self.feature(*id, known)).collect()
    }

    fn feature(&self, id: FeatureId, known: &Known) -> Feature {
        Feature {
            id,
            key: known.key.map(|key| format!("k{key}")),
            priority: known.priority,
            category: "model".to_owned(),
            name: "a feature".to_owned(),
            description: String::new(),
            steps: Vec::new(),
            status: known.status,
            proof: known.proof,
            dependencies: known.on.iter().copied().collect(),
            checks: (0..known.checks).map(|number| Check::new(check(number))).collect(),
            estimate_s: None,
            failed_attempts: known.failed,
            session: known.owner.map(|owner| self.attempts[&owner].session),
            human_request: known.request.clone(),
            human_response: known.response.clone(),
        }
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        let node = |(id, known): (&FeatureId, &Known)| {
            let owner = known.owner.map(|owner| &self.attempts[&owner]);
            let question = known.request.as_ref().filter(|_| known.status == Status::NeedsHuman);
            Node {
                id: *id,
                status: known.status,
                dependencies: known.on.iter().copied().collect(),
                priority: known.priority,
                estimate_s: None,
                failed_attempts: known.failed,
                crashes: known.crashes,
                session: owner.map(|owner| owner.session),
                submitted: owner.is_some_and(|owner| owner.submitted.is_some()),
                lease_until: owner.and_then(|owner| owner.lease),
                reason: known.parked.clone().or_else(|| question.map(|request| request.prompt.clone())),
            }
        };
        self.features.iter().map(node).collect()
    }

    /// Pending, and everything it depends on passes.
    pub(crate) fn ready(&self) -> BTreeSet<FeatureId> {
        let ready =
            |id: &&FeatureId| self.features[id].status == Status::Pending && self.unmet(**id).is_empty();
        self.features.keys().filter(ready).copied().collect()
    }

    pub(crate) fn unmet(&self, id: FeatureId) -> Vec<FeatureId> {
        let passes = |id: &FeatureId| self.features[id].status == Status::Passing;
        self.features[&id].on.iter().filter(|id| !passes(id)).copied().collect()
    }

    /// What waits for this feature and for nothing else.
    pub(crate) fn freed(&self, id: FeatureId) -> Vec<FeatureId> {
        self.ready().into_iter().filter(|ready| self.features[ready].on.contains(&id)).collect()
    }

    /// Whether the first depends on the second, however far away.
    pub(crate) fn reaches(&self, from: FeatureId, to: FeatureId) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            if seen.insert(id) {
                open.extend(self.features.get(&id).into_iter().flat_map(|known| known.on.iter()));
            }
        }
        false
    }

    pub(crate) fn live_attempts(&self) -> Vec<Attempt> {
        let live = self.attempts.iter().filter(|(_, attempt)| attempt.outcome.is_none());
        live.map(|(id, attempt)| Attempt {
            id: AttemptId(*id),
            feature: attempt.feature,
            session: attempt.session,
            isolation: attempt.isolation,
            number: attempt.number,
            submitted: attempt.submitted.clone(),
            lease_until: attempt.lease,
            started_at: attempt.started,
            already_green: attempt.green_before == Some(true),
            base: attempt.base.clone(),
        })
        .collect()
    }

    pub(crate) fn live_sessions(&self) -> Vec<LiveSession> {
        let attempts = self.live_attempts();
        let live = self.sessions.iter().filter(|(_, life)| !life.over);
        live.map(|(id, life)| LiveSession {
            id: *id,
            role: life.role,
            agent: "model".to_owned(),
            isolation: life.isolation,
            started_at: life.started,
            process: life.process.clone(),
            node: None,
            run: None,
            slot: None,
            account: None,
            usage: None,
            waiting: None,
            activity: None,
            attempts: attempts.iter().filter(|attempt| attempt.session == *id).cloned().collect(),
        })
        .collect()
    }

    pub(crate) fn attempts_of(&self, feature: FeatureId) -> Vec<AttemptRecord> {
        let of = self.attempts.iter().filter(|(_, attempt)| attempt.feature == feature);
        of.map(|(id, attempt)| AttemptRecord {
            id: AttemptId(*id),
            number: attempt.number,
            session: attempt.session,
            started_at: attempt.started,
            ended_at: attempt.ended,
            outcome: attempt.outcome.clone(),
            submitted: attempt.submitted.clone(),
            evidence: attempt.evidence.clone(),
        })
        .collect()
    }

    /// Appends what happened.
    pub(crate) fn note(
        &mut self,
        feature: Option<FeatureId>,
        session: Option<SessionId>,
        attempt: Option<i64>,
        fact: Fact,
    ) {
        let seq = 1 + self.journal.len() as i64;
        let attempt = attempt.map(AttemptId);
        let at = self.now();
        self.journal.push(Entry { seq, version: 1, at, run: None, feature, session, attempt, fact });
    }

    /// Appends what happened to a run.
    pub(crate) fn note_run(&mut self, run: RunId, fact: Fact) {
        self.note(None, None, None, fact);
        if let Some(entry) = self.journal.last_mut() {
            entry.run = Some(run);
        }
    }

    pub(crate) fn note_of(&mut self, id: i64, fact: Fact) {
        let attempt = &self.attempts[&id];
        self.note(Some(attempt.feature), Some(attempt.session), Some(id), fact);
    }
}

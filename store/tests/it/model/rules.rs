//! What each call of the store does to the model, and what it answers.

use std::collections::BTreeMap;

use cogwork_schemas::{
    AttemptId, AttemptOutcome, CheckPhase, Fact, FeatureId, Hold, HumanResponse, Isolation, Proof, Role,
    RunId, RunOutcome, SessionId, SessionOutcome, Status,
};
use cogwork_store::{Evidence, StoreError, Submitted};
use jiff::{SignedDuration, Timestamp};

use super::op::{Op, Report, Step, Tok};
use super::state::{Known, Life, State, Told, Try, check};
use super::words::{answers, commit, identity, question, reports};
use crate::fixture::run_started;

pub(super) fn no(error: &StoreError) -> String {
    format!("{error:?}")
}

pub(super) fn wrong(id: FeatureId, action: &'static str, status: Status) -> String {
    no(&StoreError::WrongStatus { id, action, status })
}

impl State {
    /// Carries one call out. A refused one leaves everything as it was.
    pub(crate) fn take(&mut self, step: &Step) {
        self.second += step.later;
        let mut after = self.clone();
        let told = after.told(&step.op);
        if told.is_ok() {
            *self = after;
        }
        self.told = Some(told);
    }

    fn told(&mut self, op: &Op) -> Told {
        match op {
            Op::Create { items, call, dependencies } => self.create(items, *call, *dependencies),
            Op::Claim { feature, isolation, lease } => self.claim(*feature, *isolation, *lease),
            Op::Inspect { feature, lease } => self.inspect(*feature, *lease),
            Op::Renew { token, lease } => {
                let Ok(id) = self.live(*token) else { return Ok("false".to_owned()) };
                let until = self.until(*lease);
                let attempt = self.attempt(id);
                if attempt.submitted.is_none() {
                    attempt.lease = Some(until);
                }
                Ok("true".to_owned())
            }
            Op::RecordBefore { token, reports } => self.before(*token, reports),
            Op::RecordChecks { token, reports } => {
                let id = self.live(*token)?;
                self.evidence(id, CheckPhase::After, Some("c1"), reports);
                Ok("()".to_owned())
            }
            Op::Submit { token, commit: number, reports } => {
                let before = self.clone();
                let proof = self.submit(*token, *number, reports)?;
                let Try { feature, base, .. } = &self.attempts[token];
                if proof == "RedGreen" && number.is_some() && commit(*number) == *base {
                    let refused = no(&StoreError::NothingCommitted { feature: *feature });
                    *self = before;
                    return Err(refused);
                }
                Ok(proof)
            }
            Op::Land { token, reports } => self.land(*token, commit(Some(9)), reports, (3, 4)),
            Op::Finish { token, commit: number, reports } => {
                let proof = self.submit(*token, *number, reports)?;
                let submitted = self.attempts[token].submitted.clone().unwrap();
                let freed = self.land(*token, submitted.commit, &[], (0, 0))?;
                self.end_session(self.attempts[token].session)?;
                Ok(format!("({proof}, {freed})"))
            }
            Op::End { outcome: AttemptOutcome::Landed, .. } => {
                Err(no(&StoreError::Misuse { what: "an attempt can only land by `land`" }))
            }
            Op::End { token, outcome, attempts, crashes } => {
                let id = self.live(*token)?;
                Ok(format!("{:?}", self.end(id, outcome, *attempts, *crashes)))
            }
            Op::Reap { attempts } => Ok(self.reap(*attempts)),
            Op::ReportFailing { token } => self.report_failing(*token),
            Op::Ask { token, well } => self.ask(*token, *well),
            Op::Answer { feature, well } => self.answer(*feature, *well),
            Op::AddDependency { feature, on, limit } => {
                self.known(*feature)?;
                let mut wanted = self.features[feature].on.clone();
                wanted.insert(*on);
                self.rewire(*feature, wanted, *limit)
            }
            Op::RemoveDependency { feature, on } => {
                self.known(*feature)?;
                self.known(*on)?;
                let mut wanted = self.features[feature].on.clone();
                wanted.remove(on);
                self.rewire(*feature, wanted, usize::MAX)
            }
            Op::SetDependencies { feature, on, limit } => {
                self.known(*feature)?;
                self.rewire(*feature, on.iter().copied().collect(), *limit)
            }
            Op::Skip { feature, token } => self.skip(*feature, *token),
            Op::Delete { feature } => self.delete(*feature),
            Op::Retry { feature } => {
                let status = self.known(*feature)?;
                if status != Status::Parked {
                    return Err(no(&StoreError::NotParked { id: *feature, status }));
                }
                let known = self.of(*feature);
                (known.status, known.parked, known.failed, known.crashes) = (Status::Pending, None, 0, 0);
                self.note(Some(*feature), None, None, Fact::Retried);
                Ok("()".to_owned())
            }
            Op::SessionUp { session, pid } => self.session_up(*session, *pid),
            Op::TakeOver { attempt, pid } => {
                let session = self.attempts[&self.live(*attempt)?].session;
                let life = &self.sessions[&session];
                if !life.over && life.process != pid.map(identity) {
                    let (attempt, owner) = (AttemptId(*attempt), life.process.clone());
                    return Err(no(&StoreError::OwnerChanged { attempt, session, owner }));
                }
                Ok(String::new())
            }
            Op::EndSession { session } => self.end_session(*session),
            Op::BeginRun => {
                let run = RunId(self.runs.len() as i64 + 1);
                self.runs.insert(run, false);
                self.note_run(run, run_started());
                Ok(format!("{run:?}"))
            }
            Op::EndRun { run } => {
                let Some(over) = self.runs.get_mut(run) else {
                    return Err(no(&StoreError::UnknownRun { id: *run }));
                };
                if !std::mem::replace(over, true) {
                    self.note_run(*run, Fact::RunEnded { result: RunOutcome::Stopped });
                }
                Ok("()".to_owned())
            }
        }
    }

    pub(super) fn known(&self, id: FeatureId) -> Result<Status, String> {
        let highest = self.features.keys().next_back().copied();
        let known = self.features.get(&id).map(|known| known.status);
        known.ok_or_else(|| no(&StoreError::UnknownFeature { id, highest }))
    }

    pub(super) fn of(&mut self, id: FeatureId) -> &mut Known {
        self.features.get_mut(&id).unwrap()
    }

    fn attempt(&mut self, id: i64) -> &mut Try {
        self.attempts.get_mut(&id).unwrap()
    }

    /// The attempt of a token that still gives a right.
    pub(super) fn live(&self, token: Tok) -> Result<i64, String> {
        match self.attempts.get(&token) {
            Some(attempt) if attempt.outcome.is_none() => Ok(token),
            _ => Err(self.stale(token)),
        }
    }

    pub(super) fn stale(&self, token: Tok) -> String {
        let found = self.attempts.get(&token);
        no(&StoreError::StaleToken {
            feature: found.map(|attempt| attempt.feature),
            attempt: found.map(|_| AttemptId(token)),
            ended: found
                .and_then(|attempt| attempt.outcome.as_ref())
                .map(|outcome| outcome.word().to_owned()),
        })
    }

    fn until(&self, lease: i64) -> Timestamp {
        let last = Timestamp::from_second(Timestamp::MAX.as_second()).unwrap();
        self.now().checked_add(SignedDuration::from_secs(lease)).unwrap_or(last)
    }

    pub(super) fn live_of(&self, feature: FeatureId) -> Option<&Try> {
        self.attempts.values().find(|attempt| attempt.feature == feature && attempt.outcome.is_none())
    }

    fn begin(&mut self, feature: FeatureId, isolation: Isolation, lease: i64) -> i64 {
        let (id, session) = (self.next_attempt, SessionId(self.next_session));
        (self.next_attempt, self.next_session) = (id + 1, session.0 + 1);
        let (started, role) = (self.now(), Role::Coding);
        self.sessions.insert(session, Life { role, isolation, started, process: None, over: false });
        let number = 1 + count(self.attempts.values().filter(|attempt| attempt.feature == feature));
        let lease = Some(self.until(lease));
        let (green_before, submitted, ended, outcome, evidence) = (None, None, None, None, Vec::new());
        self.attempts.insert(
            id,
            Try {
                feature,
                session,
                number,
                isolation,
                started,
                lease,
                green_before,
                base: None,
                submitted,
                ended,
                outcome,
                evidence,
            },
        );
        self.note_of(id, Fact::SessionStarted { role, agent: "model".to_owned(), slot: None, account: None });
        id
    }

    fn begun(&self, id: i64) -> String {
        let attempt = &self.attempts[&id];
        format!("{:?} {:?} {}", attempt.session, AttemptId(id), attempt.number)
    }

    fn claim(&mut self, feature: FeatureId, isolation: Isolation, lease: i64) -> Told {
        let status = self.known(feature)?;
        if status == Status::Claimed {
            let (owner, since) = self.live_of(feature).map(|live| (live.session, live.started)).unwrap();
            return Err(no(&StoreError::AlreadyClaimed { id: feature, owner, since }));
        }
        if !self.ready().contains(&feature) {
            return Err(no(&StoreError::NotClaimable { id: feature, hold: self.hold(feature) }));
        }
        let id = self.begin(feature, isolation, lease);
        let known = self.of(feature);
        (known.status, known.owner) = (Status::Claimed, Some(id));
        let number = self.attempts[&id].number;
        self.note_of(id, Fact::Claimed { number });
        Ok(self.begun(id))
    }

    fn hold(&self, id: FeatureId) -> Hold {
        let known = &self.features[&id];
        match known.status {
            Status::Pending => {
                Hold::Blocked { waiting_for: self.unmet(id), roots: self.roots(id).into_iter().collect() }
            }
            Status::Passing => Hold::Passing,
            Status::Parked => {
                Hold::Parked { failed_attempts: known.failed, reason: known.parked.clone().unwrap() }
            }
            Status::NeedsHuman => Hold::NeedsHuman { question: known.request.clone().unwrap().prompt },
            Status::Claimed => panic!("a claimed feature is refused before"),
        }
    }

    /// What a blocked feature waits for in the end.
    fn roots(&self, id: FeatureId) -> std::collections::BTreeSet<FeatureId> {
        let waits =
            |id: FeatureId| self.features[&id].status == Status::Pending && !self.unmet(id).is_empty();
        let each = self.unmet(id).into_iter().map(|on| if waits(on) { self.roots(on) } else { [on].into() });
        each.flatten().collect()
    }

    fn inspect(&mut self, feature: FeatureId, lease: i64) -> Told {
        let status = self.known(feature)?;
        if status != Status::Passing {
            return Err(wrong(feature, "tested", status));
        }
        if let Some(live) = self.live_of(feature) {
            let (owner, since) = (live.session, live.started);
            return Err(no(&StoreError::AlreadyClaimed { id: feature, owner, since }));
        }
        let id = self.begin(feature, Isolation::Workspace, lease);
        let number = self.attempts[&id].number;
        self.note_of(id, Fact::Inspected { number });
        Ok(self.begun(id))
    }

    /// How reports stand to a feature's checks: which are red, which were not run.
    fn coverage(&self, feature: FeatureId, given: &[Report]) -> (Vec<String>, Vec<String>) {
        let red = given.iter().filter(|report| !report.green).map(|report| check(report.check));
        let ran = |number: &u8| given.iter().any(|report| report.check == *number);
        let missing = (0..self.features[&feature].checks).filter(|number| !ran(number)).map(check);
        (red.collect(), missing.collect())
    }

    fn green(&self, feature: FeatureId, red: Vec<String>, missing: Vec<String>) -> Result<(), String> {
        if red.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Err(no(&StoreError::NotGreen { feature, red, missing }))
    }

    fn evidence(&mut self, id: i64, phase: CheckPhase, commit: Option<&str>, given: &[Report]) {
        let (at, commit) = (self.now(), commit.map(str::to_owned));
        for report in reports(given) {
            let fact = Fact::Checked { phase, commit: commit.clone(), report: report.clone() };
            self.attempt(id).evidence.push(Evidence { at, phase, commit: commit.clone(), report });
            self.note_of(id, fact);
        }
    }

    fn before(&mut self, token: Tok, given: &[Report]) -> Told {
        let id = self.live(token)?;
        let feature = self.attempts[&id].feature;
        let (red, missing) = self.coverage(feature, given);
        self.green(feature, Vec::new(), missing)?;
        let (total, attempt) = (u32::from(self.features[&feature].checks), self.attempt(id));
        if attempt.submitted.is_none() {
            attempt.base.get_or_insert_with(|| "c0".to_owned());
        }
        if total > 0 && attempt.green_before.is_none() && attempt.submitted.is_none() {
            attempt.green_before = Some(red.is_empty());
            self.evidence(id, CheckPhase::Before, Some("c0"), given);
            let red = count(red.iter());
            let fact =
                if red == 0 { Fact::ChecksAlreadyGreen { total } } else { Fact::ChecksRed { red, total } };
            self.note_of(id, fact);
        }
        Ok("()".to_owned())
    }

    fn submit(&mut self, token: Tok, number: Option<u8>, given: &[Report]) -> Told {
        let id = self.live(token)?;
        let attempt = self.attempts[&id].clone();
        let commit = commit(number);
        if let Some(before) = &attempt.submitted
            && (commit.is_none() || commit == before.commit)
        {
            return Ok(format!("{:?}", before.proof));
        }
        let (red, missing) = self.coverage(attempt.feature, given);
        self.green(attempt.feature, red, missing)?;
        self.evidence(id, CheckPhase::After, commit.as_deref(), given);
        let total = u32::from(self.features[&attempt.feature].checks);
        let proof = match (total, attempt.green_before) {
            (0, _) => Proof::Unverified,
            (_, Some(false)) => Proof::RedGreen,
            (_, Some(true) | None) => Proof::AlreadyGreen,
        };
        let after = self.attempt(id);
        (after.submitted, after.lease) = (Some(Submitted { commit: commit.clone(), proof }), None);
        self.note_of(
            id,
            match total {
                0 => Fact::SaidDone { commit },
                total => Fact::ChecksGreen { total, commit, proof },
            },
        );
        Ok(format!("{proof:?}"))
    }

    fn land(&mut self, token: Tok, commit: Option<String>, given: &[Report], ms: (u64, u64)) -> Told {
        if let Some(attempt) = self.attempts.get(&token)
            && attempt.outcome == Some(AttemptOutcome::Landed)
        {
            return Ok(format!("{:?}", self.freed(attempt.feature)));
        }
        let id = self.live(token)?;
        let attempt = self.attempts[&id].clone();
        let feature = attempt.feature;
        let Some(submitted) = attempt.submitted else {
            return Err(no(&StoreError::NotSubmitted { feature, attempt: AttemptId(id) }));
        };
        let waiting_for = self.unmet(feature);
        if !waiting_for.is_empty() {
            return Err(no(&StoreError::DependencyNotPassing { feature, waiting_for }));
        }
        let (red, missing) = self.coverage(feature, given);
        let shared = attempt.isolation == Isolation::Shared;
        self.green(feature, red, if shared { Vec::new() } else { missing })?;
        self.evidence(id, CheckPhase::Merged, commit.as_deref(), given);
        let (now, proof) = (self.now(), submitted.proof);
        let ended = self.attempt(id);
        (ended.ended, ended.outcome) = (Some(now), Some(AttemptOutcome::Landed));
        let known = self.of(feature);
        (known.status, known.proof, known.owner, known.crashes) = (Status::Passing, Some(proof), None, 0);
        self.note_of(id, Fact::Integrated { commit, proof, merge_ms: ms.0, check_ms: ms.1 });
        Ok(format!("{:?}", self.freed(feature)))
    }

    /// Ends an attempt and returns where its feature stands.
    fn end(&mut self, id: i64, outcome: &AttemptOutcome, limit: u32, crashes: u32) -> Status {
        let now = self.now();
        let attempt = self.attempt(id);
        (attempt.ended, attempt.outcome) = (Some(now), Some(outcome.clone()));
        let feature = attempt.feature;
        let known = self.of(feature);
        if known.owner != Some(id) {
            let (status, failed_attempts) = (known.status, known.failed);
            self.note_of(id, Fact::AttemptEnded { result: outcome.clone(), failed_attempts });
            return status;
        }
        let crashed = matches!(outcome, AttemptOutcome::Crashed { .. });
        known.crashes += u32::from(crashed);
        let charged = outcome.costs_attempt() || (crashed && known.crashes >= crashes);
        if charged {
            known.failed += 1;
            known.crashes = 0;
        }
        let failed_attempts = known.failed;
        let parked = (charged && known.failed >= limit).then(|| outcome.to_string());
        known.status = if parked.is_some() { Status::Parked } else { Status::Pending };
        (known.owner, known.parked) = (None, parked.clone());
        let status = known.status;
        self.note_of(id, Fact::AttemptEnded { result: outcome.clone(), failed_attempts });
        if let Some(reason) = parked {
            self.note_of(id, Fact::Parked { reason });
        }
        status
    }

    fn reap(&mut self, limit: u32) -> String {
        let now = self.now();
        let expired =
            |attempt: &Try| attempt.outcome.is_none() && attempt.lease.is_some_and(|until| until <= now);
        let ids: Vec<i64> =
            self.attempts.iter().filter(|(_, attempt)| expired(attempt)).map(|(id, _)| *id).collect();
        for id in &ids {
            self.end(*id, &AttemptOutcome::Expired, limit, 5);
        }
        format!("{:?}", ids.iter().map(|id| self.attempts[id].feature).collect::<Vec<_>>())
    }

    fn report_failing(&mut self, token: Tok) -> Told {
        let id = self.live(token)?;
        let feature = self.attempts[&id].feature;
        let known = self.of(feature);
        let reopened = known.status == Status::Passing;
        if reopened {
            (known.status, known.proof, known.owner) = (Status::Claimed, None, Some(id));
        }
        self.note_of(id, Fact::ReportedFailing { reason: "broken".to_owned(), reopened });
        Ok(reopened.to_string())
    }

    fn ask(&mut self, token: Tok, well: bool) -> Told {
        let request = question(well);
        if !well {
            return Err(no(&StoreError::BadQuestion { problems: request.problems() }));
        }
        let id = self.live(token)?;
        self.end(id, &AttemptOutcome::NeedsHuman, 3, 5);
        let feature = self.attempts[&id].feature;
        let known = self.of(feature);
        (known.status, known.proof) = (Status::NeedsHuman, None);
        (known.request, known.response) = (Some(request.clone()), None);
        self.note_of(id, Fact::HumanAsked { request });
        Ok("()".to_owned())
    }

    fn answer(&mut self, feature: FeatureId, well: bool) -> Told {
        let status = self.known(feature)?;
        if status != Status::NeedsHuman {
            return Err(wrong(feature, "answered", status));
        }
        let fields: BTreeMap<_, _> = answers(well);
        let misfits = self.features[&feature].request.as_ref().unwrap().misfits(&fields);
        if !misfits.is_empty() {
            return Err(no(&StoreError::BadAnswer { id: feature, misfits }));
        }
        let response = HumanResponse { fields, responded_at: self.now() };
        let known = self.of(feature);
        (known.status, known.response) = (Status::Pending, Some(response.clone()));
        self.note(Some(feature), None, None, Fact::HumanAnswered { response });
        Ok("()".to_owned())
    }

    /// The attempt that an entry about a session is about: its only one.
    fn note_session(&mut self, session: SessionId, fact: Fact) {
        let only = self.attempts.iter().find(|(_, attempt)| attempt.session == session);
        let (feature, attempt) = only.map(|(id, attempt)| (attempt.feature, *id)).unzip();
        self.note(feature, Some(session), attempt, fact);
    }

    fn session_up(&mut self, session: SessionId, pid: i32) -> Told {
        let Some(life) = self.sessions.get_mut(&session) else {
            return Err(no(&StoreError::UnknownSession { id: session }));
        };
        if life.over {
            return Err(no(&StoreError::SessionOver { id: session }));
        }
        let process = identity(pid);
        if life.process.as_ref() != Some(&process) {
            life.process = Some(process.clone());
            self.note_session(session, Fact::SessionUp { process });
        }
        Ok("()".to_owned())
    }

    fn end_session(&mut self, session: SessionId) -> Told {
        let Some(life) = self.sessions.get_mut(&session) else {
            return Err(no(&StoreError::UnknownSession { id: session }));
        };
        if !life.over {
            life.over = true;
            self.note_session(
                session,
                Fact::SessionEnded { result: SessionOutcome::Completed, agent_ms: 5, usage: None },
            );
        }
        Ok("()".to_owned())
    }
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap()
}

//! What must hold: at every input, at the end of a run and of a night, and against the dead.

use cogwork_schemas::{AttemptOutcome, Feature, RunOutcome, SessionId, Status, Token};
use cogwork_store::graph::Graph;
use cogwork_store::{LiveSession, Merge, Next, StoreError, Taken};
use jiff::SignedDuration;

use super::agents::Agent;
use super::world::{LEASE, LIMITS, World};
use crate::conduct::Conductor;
use crate::ledger::{Call, CallId};
use crate::marks;
use crate::ports::{Moment, StartRunner};

/// What a run may take that was told to stop, and a little more for what is on its way.
const STOP_LIMIT: SignedDuration = SignedDuration::from_secs(126);

/// Nothing that could be tried again waits longer than this.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// A slot is told to be free no more often.
const IDLE_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// How long the word of a stop may take to a session that comes up at this moment.
const TELLING: SignedDuration = SignedDuration::from_secs(1);

/// The process of a runner whose session is over is waited for, killed and given up no sooner.
const GIVEN_UP: SignedDuration = SignedDuration::from_secs(60);

impl Conductor {
    /// What holds after every input.
    pub(crate) fn assert_invariants(&self, now: Moment, was_deadline: bool) {
        let engine = self.engine();
        // No slot stays empty while something could start …
        let missed = if engine.next_deadline().are_due(now) { Vec::new() } else { engine.missed(now) };
        assert!(missed.is_empty(), "{missed:?} could start and a slot is free");
        // … but for one at the most for each landing.
        let (waiting, landings) = engine.waiting_slots(now);
        assert!(waiting <= landings, "{waiting} slots wait for {landings} landings");
        if waiting > 0 {
            marks::hit("slot", "waits");
        }
        let deadlines = self.deadlines();
        if engine.makes_something_wait() {
            // However the clock on the wall is set.
            let is_soon = deadlines.steady.is_some_and(|at| at <= now.steady + LONGEST_WAIT);
            assert!(is_soon, "something waits that could be tried again: {deadlines:?} at {now:?}");
        }
        // Nothing that is over is waited for once more: the loop does not spin.
        let is_late = was_deadline && deadlines.are_due(now);
        assert!(!is_late, "a deadline in the past: {deadlines:?} at {now:?}");
    }
}

impl World {
    /// What holds whenever the run asks for something.
    pub(super) fn before_call(&mut self, id: CallId, call: &Call) {
        self.has_landed |= matches!(call, Call::Land { .. });
        if let Call::EndRun { .. } = call {
            self.is_ending = true;
            self.is_news_late |= self.is_notice_to_come();
        }
        if let Call::EndLanding { attempt, .. } = call {
            let open = self.store.open_landings().unwrap();
            let moved =
                open.iter().find(|open| open.attempt == *attempt && self.branch.holds(&open.intent.to));
            assert!(moved.is_none(), "{moved:?} has come to nothing, and is on the main branch");
        }
        self.check();
        if self.last_call.replace(id) == Some(id) {
            return; // it may be done already
        }
        if let Call::SlotIdle { slot, .. } = call {
            let times = self.idle_told.entry(*slot).or_insert(0);
            *times += 1;
            let most = 1 + self.now.duration_since(self.run_began).as_secs() / IDLE_EVERY.as_secs();
            assert!(i64::from(*times) <= most, "slot {slot} was told to be free {times} times");
            self.check_slot(*slot);
        }
        if let Call::Claim { new, .. } = call
            && self.staged.is_none()
        {
            self.check_slot(new.slot.expect("a session has a slot"));
        }
    }

    /// A slot that is free or about to be taken has no session.
    fn check_slot(&self, slot: u32) {
        assert!((1..=self.most_slots()).contains(&(slot as usize)), "there is no slot {slot}");
        let of_slot = self.sessions_left().into_iter().find(|session| session.slot == Some(slot));
        assert_eq!(of_slot, None, "slot {slot} is free");
    }

    pub(super) fn check_start(&mut self, start: &StartRunner) {
        for dependency in self.store.feature(start.feature).unwrap().dependencies {
            let status = self.store.feature(dependency).unwrap().status;
            assert_eq!(status, Status::Passing, "{} is started before {dependency}", start.feature);
        }
        let watched = self.agents.values().filter(|agent| agent.watched);
        assert!(
            watched.clone().all(|agent| agent.is_between || agent.feature != start.feature),
            "two sessions on one feature"
        );
        let used = watched.count() + 1;
        let slots = self.most_slots();
        assert!(used <= slots, "{used} sessions in {slots} slots");
        assert!(self.stop_asked.is_none(), "something is started after a stop");
        self.check_steered(start.feature);
        let claim = self.store.attempt(&start.token);
        assert!(claim.is_ok(), "{} is started with a token that gives no right: {claim:?}", start.session);
    }

    /// Whoever is at work hears of a stop at once.
    pub(super) fn check_told(&self, agent: &Agent) {
        let is_known = self.stop_asked.is_some_and(|asked| self.now.duration_since(asked) > TELLING);
        assert!(agent.is_told || !is_known, "{} was never told to stop", agent.session);
    }

    /// Nothing is cleared away that is still to land.
    pub(super) fn check_keep(&mut self, session: SessionId, taken: &[Taken]) {
        let runner = self.leaving.get(&session);
        let is_gone =
            runner.is_none_or(|runner| self.now >= runner.gone_at || self.now >= runner.ended_at + GIVEN_UP);
        assert!(is_gone, "the workspace of {session} is cleared away, and its runner is there");
        for taken in taken {
            assert!(taken.outcome.is_some(), "{:?} is cleared away and not over", taken.attempt);
        }
    }

    /// What holds at every moment.
    fn check(&mut self) {
        let main = self.branch.attempts();
        for feature in self.store.features().unwrap() {
            assert!(feature.failed_attempts <= LIMITS.attempts, "{} was tried too often", feature.id);
            let records = self.store.attempts_of(feature.id).unwrap();
            for record in &records {
                // Work that was handed in lands, or is refused with a reason that is about the work.
                let is_lost = record.submitted.is_some()
                    && matches!(
                        record.outcome,
                        Some(AttemptOutcome::Orphaned | AttemptOutcome::Expired | AttemptOutcome::Stopped)
                    );
                assert!(
                    !is_lost,
                    "the work of {} at {} was handed in and is lost: {record:?}",
                    record.id, feature.id
                );
            }
            if feature.status == Status::Passing {
                let landed = records.iter().filter(|record| record.outcome == Some(AttemptOutcome::Landed));
                let landed: Vec<_> = landed.map(|record| record.id).collect();
                assert_eq!(landed.len(), 1, "{} passes and landed {landed:?}", feature.id);
                let is_there = main.contains(&landed[0]) || self.branch.rewound.contains(&landed[0]);
                assert!(is_there, "{} passes and is not on the main branch", feature.id);
                assert!(feature.proof.is_some());
            }
        }
    }

    /// What holds when a run says that it is over.
    pub(super) fn check_end(&mut self, outcome: &RunOutcome) {
        self.check();
        // What nobody could have noticed in time, or at all without a ledger, is the next run's.
        let is_news_late = self.is_news_late || self.is_ledger_dead || self.is_notice_to_come();
        self.check_spent(outcome);
        let features = self.features_in_scope();
        match outcome {
            RunOutcome::Complete => {
                let is_passing = |feature: Feature| feature.status == Status::Passing;
                let all = self.store.features().unwrap().into_iter().all(is_passing);
                assert!(is_news_late || all, "complete, but something is not passing");
            }
            RunOutcome::CompleteWithFailures { parked } => {
                assert!(*parked > 0);
                let is_over = |status| matches!(status, Status::Passing | Status::Parked);
                assert!(is_news_late || features.iter().all(|feature| is_over(feature.status)));
            }
            RunOutcome::Blocked { .. } => {
                let mut ready = Graph::new(self.store.nodes().unwrap()).unwrap().ready_in_order();
                ready.retain(|id| features.iter().any(|feature| feature.id == *id));
                assert!(is_news_late || ready.is_empty(), "blocked, but {ready:?} are ready");
            }
            RunOutcome::LimitReached { .. }
            | RunOutcome::Stopped
            | RunOutcome::Through { .. }
            | RunOutcome::Broken { .. } => {}
        }
        if matches!(outcome, RunOutcome::Complete | RunOutcome::CompleteWithFailures { .. }) {
            let missing = self.missing.as_deref();
            assert!(
                !self.has_landed || missing == Some(&[]),
                "complete, but not on the main branch: {missing:?}"
            );
        }
        match outcome {
            RunOutcome::Complete
            | RunOutcome::CompleteWithFailures { .. }
            | RunOutcome::Through { .. }
            | RunOutcome::Blocked { .. } => {
                self.check_nothing_left();
                self.check_answered();
            }
            RunOutcome::Stopped if self.stop_asked.is_none() => self.check_nothing_left(),
            RunOutcome::LimitReached { .. } | RunOutcome::Stopped | RunOutcome::Broken { .. } => {}
        }
        if let Some(asked) = self.stop_asked {
            let taken = self.now.duration_since(asked);
            assert!(taken <= STOP_LIMIT, "a stop took {taken:?}");
        }
    }

    /// A run that ends in order leaves no session of its own, unless it was refused to end it, and no landing but what
    /// is still to land, or was left in doubt by git.
    fn check_nothing_left(&self) {
        let left = self.sessions_left();
        assert!(left.is_empty(), "the run is over and leaves {left:?}");
        if self.faults.refused > 0 || self.is_ledger_dead {
            return;
        }
        let (run, live) =
            (self.store.last_run().unwrap().map(|run| run.id), self.store.live_attempts().unwrap());
        let open = self.store.open_landings().unwrap().into_iter().filter(|open| open.run == run);
        let left: Vec<_> = open
            .filter(|open| live.iter().all(|attempt| attempt.id != open.attempt))
            .filter(|open| !self.branch.doubtful.contains(&open.intent.to))
            .collect();
        assert!(left.is_empty(), "the run is over and leaves {left:?}");
    }

    /// Returns the sessions of this run that are not over, as far as it was not refused to end them.
    fn sessions_left(&self) -> Vec<LiveSession> {
        if self.faults.refused > 0 || self.is_ledger_dead {
            return Vec::new();
        }
        let run = self.store.last_run().unwrap().map(|run| run.id);
        let mut sessions = self.store.live_sessions().unwrap();
        sessions.retain(|session| session.run == run);
        sessions
    }

    /// What holds when nobody starts the project again.
    pub(super) fn check_night(&mut self) {
        self.check();
        assert!(!self.has_unlanded_work(), "work that was handed in waits for ever");
    }

    /// Returns whether work was handed in that has neither landed nor been refused.
    pub(super) fn has_unlanded_work(&mut self) -> bool {
        self.store.live_attempts().unwrap().iter().any(|attempt| attempt.submitted.is_some())
    }

    pub(super) fn claim_next(&self, token: &Token) -> Result<Next, StoreError> {
        self.store.claim_next(token, LEASE)
    }

    fn renew(&self, token: &Token) -> Result<(), StoreError> {
        let stale = self.store.renew(std::slice::from_ref(token), LEASE)?;
        let is_stale = !stale.is_empty();
        let error = StoreError::StaleToken { feature: None, attempt: None, ended: None };
        if is_stale { Err(error) } else { Ok(()) }
    }

    /// A session whose claim is gone tries everything it can. Nothing may come of it.
    pub(super) fn zombie_writes(&mut self, agent: &Agent) {
        // A lease that still runs is a right: then it is no zombie yet.
        if self.store.attempt(&agent.token).is_ok() {
            return;
        }
        let before = self.store.features().unwrap();
        let more = self.claim_next(&agent.token).map(drop);
        assert!(matches!(more, Err(StoreError::StaleToken { .. })), "a zombie may take more: {more:?}");
        if agent.is_between {
            return; // what it had is handed in, and lands or does not
        }
        let green = self.reports(agent.feature, true);
        let merge = Merge { commit: None, reports: green.clone(), merge_ms: 0, check_ms: 0 };
        let stale = |result: Result<(), StoreError>, what: &str| {
            assert!(matches!(result, Err(StoreError::StaleToken { .. })), "a zombie may {what}: {result:?}");
        };
        stale(self.renew(&agent.token), "renew");
        stale(self.store.submit(&agent.token, None, &green).map(drop), "submit");
        stale(self.store.land(&agent.token, &merge).map(drop), "land");
        let failed = AttemptOutcome::NotFinished { reason: "from the dead".into() };
        stale(self.store.end_attempt(&agent.token, &failed, &LIMITS).map(drop), "end an attempt");
        assert_eq!(before, self.store.features().unwrap(), "a zombie changed something");
        self.fenced_writes += 1;
    }
}

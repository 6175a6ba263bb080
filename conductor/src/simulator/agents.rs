//! The simulated runners: agents with a fate, in runners that hang, die, or come too late.

use cogwork_schemas::{
    AttemptId, Check, CheckReport, CheckVerdict, FeatureId, ProcessIdentity, RunnerEvent, SessionId,
    SessionOutcome, Token,
};
use cogwork_store::Next;
use jiff::{SignedDuration, Timestamp};

use super::world::{Happening, LEASE, Port, World};
use crate::ports::{Control, Input, Report, Runners, StartRunner};

/// How often a session asks again before it loses patience.
const PATIENCE: u32 = 20;

/// Within so many milliseconds a runner says that it is there.
const FIRST_WORD: i64 = 10;

/// What will become of a session. Decided when it starts, as the dice of the night fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    /// Ends with red checks; says that all is well.
    Lies,
    Fails,
    TimesOut,
    IsKilled,
    /// The runner dies; the agent lives on unseen and writes when it is too late.
    LosesItsRunner,
    /// The runner says nothing any more and hears nothing: it is stopped by a signal.
    Hangs,
    /// It hangs, and not even a kill is heard of in time.
    HangsForGood,
    /// Its account has reached a limit, for which it waits.
    Waits,
    /// It does so until then, by the steady clock.
    WaitsUntil(Timestamp),
}

#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) session: SessionId,
    pub(super) feature: FeatureId,
    pub(super) attempt: AttemptId,
    pub(super) token: Token,
    pub(super) fate: Fate,
    /// It has handed in what it had, and asks for more.
    pub(super) is_between: bool,
    /// It was told to stop.
    pub(super) is_told: bool,
    /// Whether a run of today watches it. A zombie is not watched and may write at any time.
    pub(super) watched: bool,
}

/// The process of a runner whose session is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) ended_at: Timestamp,
    pub(super) gone_at: Timestamp,
}

impl Runners for Port {
    fn start(&mut self, start: &StartRunner) {
        self.0.borrow_mut().start_runner(start);
    }

    fn control(&mut self, session: SessionId, control: Control) {
        self.0.borrow_mut().control(session, control);
    }
}

impl World {
    fn start_runner(&mut self, start: &StartRunner) {
        if self.is_dead {
            return;
        }
        let session = start.session;
        self.check_start(start);
        let cannot_start = self.staged.as_ref().is_some_and(|staged| staged.runner.is_none());
        if cannot_start || self.dice(20) {
            let reason = "no process to be had".to_owned();
            return self.report(1, session, Report::NotStarted { reason });
        }
        let crash = self.faults.crash;
        if self.chance(crash) {
            return self.kill();
        }
        // Before anything else that is heard of it.
        let ms = self.rng.i64(0..FIRST_WORD);
        let process = ProcessIdentity { pid: 1_000, started: 1, boot_id: "boot".into() };
        self.report(ms, session, Report::Started { process });
        self.check_begun();
        self.begin_work(session, start.feature, start.attempt, start.token.clone());
    }

    pub(super) fn report(&mut self, ms: i64, session: SessionId, report: Report) {
        self.deliver(ms, Input::Runner { session, report });
    }

    /// An agent begins with a feature that its session has claimed.
    fn begin_work(&mut self, session: SessionId, feature: FeatureId, attempt: AttemptId, token: Token) {
        self.tokens.insert(attempt, (feature, token.clone()));
        self.contents.insert(attempt, self.branch.attempts());
        let already_green = self.dice(10);
        let before = self.reports(feature, already_green);
        // Whoever has taken the claim back meanwhile was faster.
        self.store.record_before(&token, None, &before).ok();
        let staged = self.staged.as_ref().and_then(|staged| staged.runner);
        let (fate, ms) = staged.unwrap_or_else(|| (self.fate(feature), self.rng.i64(FIRST_WORD..30_000)));
        self.later(ms, Happening::AgentActs(session));
        let is_told = self.agents.get(&session).is_some_and(|agent| agent.is_told);
        // What it was told does not change with what it is at.
        let fate = if is_told { Fate::Fails } else { fate };
        let (is_between, watched) = (false, true);
        let agent = Agent { session, feature, attempt, token, fate, is_between, is_told, watched };
        self.agents.insert(session, agent);
        self.notice_soon();
    }

    fn fate(&mut self, feature: FeatureId) -> Fate {
        if self.hopeless.contains(&feature) {
            return if self.rng.bool() { Fate::Lies } else { Fate::Fails };
        }
        match self.rng.u32(0..40) {
            0 | 1 => Fate::Lies,
            2..=4 => Fate::Fails,
            5 | 6 => Fate::TimesOut,
            7 | 8 => Fate::IsKilled,
            9..=11 => Fate::LosesItsRunner,
            12 => Fate::Hangs,
            13 if self.rng.bool() => Fate::HangsForGood,
            14 => Fate::Waits,
            _ => Fate::Succeeds,
        }
    }

    fn control(&mut self, session: SessionId, control: Control) {
        if self.is_dead {
            return;
        }
        self.control_leaving(session, control);
        let is_staged = self.staged.is_some();
        let Some(agent) = self.agents.get_mut(&session).filter(|agent| agent.watched) else { return };
        agent.is_told |= control == Control::Stop;
        match (control, agent.fate) {
            (Control::Stop, Fate::Hangs | Fate::HangsForGood) => {}
            (Control::Stop, _) => {
                agent.fate = Fate::Fails;
                let ms = self.rng.i64(1..4_000);
                self.later(ms, Happening::AgentActs(session));
            }
            (Control::Kill, fate) => {
                let hangs = matches!(fate, Fate::Hangs | Fate::HangsForGood);
                assert!(hangs || is_staged, "{session} is killed, and is at work: {agent:?}");
                self.agents.remove(&session);
                // The last word of one that is stuck in the kernel comes when nobody waits for it any more.
                let ms = if fate == Fate::HangsForGood { 90_000 } else { self.rng.i64(FIRST_WORD..500) };
                self.report(ms, session, Report::Gone { how: "signal 9".into() });
            }
        }
    }

    pub(super) fn agent_acts(&mut self, session: SessionId) {
        let Some(agent) = self.agents.get(&session).cloned() else { return };
        if !agent.watched {
            self.agents.remove(&session);
            return self.zombie_writes(&agent);
        }
        self.check_told(&agent);
        if agent.is_between {
            // Told to stop.
            return self.end_session(session, SessionOutcome::Stopped);
        }
        let outcome = match agent.fate {
            Fate::Hangs | Fate::HangsForGood => {
                // Its lease is not renewed any more.
                return;
            }
            Fate::Waits => {
                let until = self.store.now().unwrap() + SignedDuration::from_secs(self.rng.i64(1..7_200));
                let because = SessionOutcome::UsageLimit { resets_at: None, window: None };
                self.report(0, session, Report::Said(RunnerEvent::Waiting { until, because }));
                let wait = until.duration_since(self.store.now().unwrap());
                return self.wait_on(&agent, self.now + wait);
            }
            Fate::WaitsUntil(until) if self.now < until => return self.wait_on(&agent, until),
            Fate::WaitsUntil(_) => {
                if let Some(agent) = self.agents.get_mut(&session) {
                    agent.fate = Fate::Succeeds;
                }
                self.report(0, session, Report::Said(RunnerEvent::Alive));
                // All its time is its own again.
                let ms = self.rng.i64(1_000..100_000);
                return self.later(ms, Happening::AgentActs(session));
            }
            Fate::Succeeds => {
                let green = self.reports(agent.feature, true);
                let commit = format!("a{}", agent.attempt.0);
                // The lease may have run out, and the claim be taken: then the work is lost to it.
                let is_in = self.store.submit(&agent.token, Some(&commit), &green).is_ok();
                self.branch.hand_in(&commit, agent.attempt, &self.contents[&agent.attempt]);
                if is_in && self.settings.batch > 1 && self.rng.u32(0..10) > 0 {
                    return self.go_on(agent);
                }
                SessionOutcome::Completed
            }
            Fate::Lies => {
                let red = self.reports(agent.feature, false);
                assert!(red.is_empty() || self.store.submit(&agent.token, None, &red).is_err());
                SessionOutcome::Completed
            }
            Fate::Fails => SessionOutcome::Failed { exit_code: 1, stderr_tail: String::new() },
            Fate::TimesOut => SessionOutcome::TimedOut { after_s: 30 },
            Fate::IsKilled => SessionOutcome::Killed { signal: 9, stderr_tail: String::new() },
            Fate::LosesItsRunner => {
                let ms = self.rng.i64(1..60_000);
                self.later(ms, Happening::ZombieWrites(session));
                self.agents.insert(session, Agent { watched: false, ..agent });
                return self.report(1, session, Report::Gone { how: "signal 11".into() });
            }
        };
        self.end_session(session, outcome);
    }

    /// An agent waits a little longer, and its runner keeps the claim.
    fn wait_on(&mut self, agent: &Agent, until: Timestamp) {
        let session = agent.session;
        if let Some(agent) = self.agents.get_mut(&session) {
            agent.fate = Fate::WaitsUntil(until);
        }
        self.store.renew(std::slice::from_ref(&agent.token), LEASE).ok();
        self.report(0, session, Report::Said(RunnerEvent::Alive));
        let ms = self.rng.i64(20_000..50_000);
        self.later(ms, Happening::AgentActs(session));
    }

    /// A session comes to its end: it is recorded, its runner says so, and is gone.
    fn end_session(&mut self, session: SessionId, outcome: SessionOutcome) {
        self.agents.remove(&session);
        self.store.end_session(session, &outcome, 1).unwrap();
        self.notice_soon();
        self.report(
            0,
            session,
            Report::Said(RunnerEvent::Ended { outcome, agent_ms: 1, reason: None, confirmed: false }),
        );
        // Its process may hang on the way out.
        let ms = if self.dice(30) { self.rng.i64(0..120_000) } else { self.rng.i64(0..20) };
        let gone_at = self.now + SignedDuration::from_millis(ms);
        self.leaving.insert(session, Leaving { ended_at: self.now, gone_at });
        self.report(ms, session, Report::Gone { how: "exit code 0".into() });
    }

    /// A kill ends a process that hangs, or does not.
    fn control_leaving(&mut self, session: SessionId, control: Control) {
        let Some(mut leaving) = self.leaving.get(&session).copied() else { return };
        if control == Control::Kill && leaving.gone_at > self.now && self.rng.bool() {
            let ms = self.rng.i64(FIRST_WORD..500);
            leaving.gone_at = leaving.gone_at.min(self.now + SignedDuration::from_millis(ms));
            self.leaving.insert(session, leaving);
            self.report(ms, session, Report::Gone { how: "signal 9".into() });
        }
    }

    /// A session has handed in its feature and asks for another one.
    fn go_on(&mut self, agent: Agent) {
        let session = agent.session;
        self.agents.insert(session, Agent { is_between: true, ..agent });
        self.notice_soon();
        self.ask_for_more(session, PATIENCE);
    }

    pub(super) fn ask_for_more(&mut self, session: SessionId, times: u32) {
        let Some(agent) = self.agents.get(&session).filter(|agent| agent.is_between).cloned() else { return };
        if !agent.watched {
            self.agents.remove(&session);
            return self.zombie_writes(&agent);
        }
        self.report(0, session, Report::Said(RunnerEvent::Alive));
        match self.claim_next(&agent.token) {
            Ok(Next::Claimed { feature, claim }) => {
                self.further += 1;
                let (attempt, token) = (claim.attempt, claim.token);
                self.begin_work(session, feature, attempt, token);
                // Some agents merge what was taken away from them.
                if self.rng.u32(0..8) == 0 {
                    let taken = self.store.attempts_of_session(session).unwrap();
                    let before = taken.into_iter().map(|taken| taken.attempt.id).filter(|id| *id != attempt);
                    self.contents.entry(attempt).or_default().extend(before);
                }
            }
            Ok(Next::Wait) if times > 0 => {
                let ms = self.rng.i64(10..3_000);
                self.later(ms, Happening::AsksAgain(session, times - 1));
            }
            Ok(Next::Wait | Next::Nothing) => self.end_session(session, SessionOutcome::Completed),
            // It was ended by a run that is no more.
            Err(_) => {
                self.agents.remove(&session);
                self.report(0, session, Report::Gone { how: "exit code 1".into() });
            }
        }
    }

    pub(super) fn reports(&self, feature: FeatureId, green: bool) -> Vec<CheckReport> {
        let checks = self.store.feature(feature).unwrap().checks;
        checks.into_iter().map(|check| report(check, green)).collect()
    }
}

pub(super) fn report(check: Check, green: bool) -> CheckReport {
    let verdict = if green { CheckVerdict::Green } else { CheckVerdict::Red { exit_code: 1 } };
    CheckReport {
        command: check.command,
        verdict,
        duration_ms: 1,
        output_tail: String::new(),
        output_digest: "0".into(),
    }
}

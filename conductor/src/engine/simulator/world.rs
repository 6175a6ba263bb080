//! One night: the world around the engine, which does what is asked and has plans of its own.

mod batches;
mod invariants;
mod people;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex};

use cogwork_schemas::{
    AttemptId, AttemptOutcome, Check, CheckReport, CheckVerdict, DependencyRef, FeatureId, FeatureList,
    Isolation, ListedFeature, ProcessIdentity, Role, RunOutcome, SessionId, SessionOutcome, Status, Token,
};
use cogwork_store::{AttemptLimits, Claim, ImportLimits, Merge, NewSession, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Effect, Engine, Event, Landing, SessionEnd, Settings, StartFailure};
use crate::resume::resume;

const LIMITS: AttemptLimits = AttemptLimits { attempts: 3, crashes: 4 };
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// The pid of the other person's session in this world.
const PERSON: i32 = 77;

/// What will become of a session. Decided when it starts, as the dice of the night fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeds,
    /// Ends with red checks; says that all is well.
    Lies,
    Fails,
    TimesOut,
    IsKilled,
    /// The runner dies; the agent lives on unseen and writes when it is too late.
    LosesItsRunner,
}

#[derive(Debug, Clone)]
struct Agent {
    session: SessionId,
    feature: FeatureId,
    token: Token,
    fate: Fate,
    /// It has handed in what it had, and asks for more.
    is_between: bool,
    /// Whether a run of today watches it. A zombie is not watched and may write at any time.
    watched: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    AgentEnds(SessionId),
    /// A session between two features asks again; it does so as often as this says.
    AsksAgain(SessionId, u32),
    ZombieWrites(SessionId),
    IntegrationEnds(AttemptId, u64),
    /// The driver notices what others wrote.
    Notice,
    PersonClaims,
    PersonEnds(AttemptId),
    MoreFeatures,
    /// A person works on the main branch for a while: nothing can land.
    MainInUse(bool),
    Kill,
    Drain,
    Stop,
    /// The store fails in the middle of something.
    StoreFails,
}

pub(super) struct World {
    rng: fastrand::Rng,
    now: Timestamp,
    /// What the store's clock says: the same.
    clock: Arc<Mutex<Timestamp>>,
    store: Store,
    engine: Option<Engine>,
    settings: Settings,
    agents: BTreeMap<SessionId, Agent>,
    people: BTreeMap<AttemptId, Token>,
    tokens: BTreeMap<AttemptId, (FeatureId, Token)>,
    to_come: BinaryHeap<Reverse<(Timestamp, u64, Happening)>>,
    counter: u64,
    /// Which run this is; answers to an earlier one are never delivered.
    run: u64,
    integrating: Option<AttemptId>,
    main_in_use: bool,
    /// The main branch: which attempts are on it.
    main: BTreeSet<AttemptId>,
    /// What is in the work of an attempt beyond itself: what it began on, and what its agent brought along.
    contents: BTreeMap<AttemptId, BTreeSet<AttemptId>>,
    /// Features that no agent will ever get right.
    hopeless: BTreeSet<FeatureId>,
    ended: Option<RunOutcome>,
    steps: u32,
    pub(super) trace: Vec<String>,
    pub(super) fenced_writes: u64,
    pub(super) kills: u64,
    /// How often a session went on with a further feature.
    pub(super) further: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let settings = Settings { slots: rng.usize(1..=4), batch: rng.u32(1..=3), postponements: 3 };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
        let clock = Arc::new(Mutex::new(now));
        let shown = Arc::clone(&clock);
        let mut world = Self {
            now,
            clock,
            store: Store::in_memory(TimeSource::new(move || *shown.lock().unwrap())).unwrap(),
            engine: None,
            settings,
            agents: BTreeMap::new(),
            people: BTreeMap::new(),
            tokens: BTreeMap::new(),
            to_come: BinaryHeap::new(),
            counter: 0,
            run: 0,
            integrating: None,
            main_in_use: false,
            main: BTreeSet::new(),
            contents: BTreeMap::new(),
            hopeless: BTreeSet::new(),
            ended: None,
            steps: 0,
            trace: Vec::new(),
            fenced_writes: 0,
            kills: 0,
            further: 0,
            rng,
        };
        let features = world.rng.usize(2..=10);
        world.import(features);
        for (happening, most) in [
            (Happening::Kill, 3),
            (Happening::PersonClaims, 2),
            (Happening::MoreFeatures, 1),
            (Happening::Stop, 1),
            (Happening::Drain, 1),
            (Happening::StoreFails, 1),
            (Happening::MainInUse(true), 1),
        ] {
            for _ in 0..world.rng.u32(0..=most) {
                let after = world.rng.i64(0..120_000);
                world.later(after, happening.clone());
            }
        }
        world
    }

    /// Turns the clock, if that is not back.
    fn turn_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        *self.clock.lock().unwrap() = self.now;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended == Some(RunOutcome::Complete)
    }

    /// Lives through one run. Returns its outcome, `None` when it was killed.
    pub(super) fn run_until_it_ends(&mut self) -> Option<RunOutcome> {
        self.begin();
        let run = self.run;
        while self.ended.is_none() && self.run == run {
            self.steps += 1;
            assert!(self.steps < 20_000, "the night never ends");
            let deadline = self.engine.as_ref().and_then(Engine::next_deadline);
            let next = self.to_come.peek().map(|Reverse((at, ..))| *at);
            match (deadline, next) {
                (Some(deadline), next) if next.is_none_or(|next| deadline < next) => {
                    self.turn_to(deadline);
                    self.feed(Event::Deadline);
                    let again = self.engine.as_ref().and_then(Engine::next_deadline);
                    assert!(
                        self.ended.is_some() || again.is_none_or(|again| again > self.now),
                        "a deadline in the past"
                    );
                }
                (_, Some(_)) => self.next_happening(),
                (_, None) => panic!("the run hangs: nothing will happen and it is not over"),
            }
        }
        if self.run == run { self.ended.clone() } else { None }
    }

    /// The same way a real run begins, whatever ended the last one.
    fn begin(&mut self) {
        self.ended = None;
        self.integrating = None;
        self.run += 1;
        for agent in self.agents.values_mut() {
            agent.watched = false;
        }
        let alive = |process: &ProcessIdentity| process.pid == PERSON;
        let resumed = resume(&self.store, self.settings, &LIMITS, alive).unwrap();
        self.engine = Some(resumed.engine);
        for event in resumed.events {
            self.feed(event);
        }
    }

    fn later(&mut self, ms: i64, happening: Happening) {
        self.counter += 1;
        self.to_come.push(Reverse((self.now + SignedDuration::from_millis(ms), self.counter, happening)));
    }

    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let Some(engine) = self.engine.as_mut() else { return };
            let effects = engine.step(self.now, event.clone());
            self.trace.push(format!("{} {event:?} → {effects:?}", self.now));
            assert!(self.ended.is_none() || effects.is_empty(), "effects after the end");
            for effect in effects {
                // Depth first: what an effect makes true is known before the next one is carried out.
                for answer in self.perform(effect).into_iter().rev() {
                    events.push_front(answer);
                }
            }
            self.check();
        }
    }

    fn perform(&mut self, effect: Effect) -> Vec<Event> {
        match effect {
            Effect::Start { feature } => self.start(feature),
            Effect::EndAttempt { feature, attempt, outcome } => {
                let token = self.tokens[&attempt].1.clone();
                self.store.end_attempt(&token, &outcome, &LIMITS).unwrap();
                vec![self.features(&[feature])]
            }
            Effect::Integrate { attempt, .. } => {
                assert_eq!(self.integrating.replace(attempt), None, "two integrations at once");
                let ms = self.rng.i64(1..2_000);
                self.later(ms, Happening::IntegrationEnds(attempt, self.run));
                Vec::new()
            }
            Effect::CloseBatches => {
                self.store.close_batches().unwrap();
                Vec::new()
            }
            Effect::StopSession { session } => {
                self.later(5, Happening::AgentEnds(session));
                if let Some(agent) = self.agents.get_mut(&session) {
                    agent.fate = Fate::Fails;
                }
                Vec::new()
            }
            Effect::Reap => {
                self.store.reap(&LIMITS).unwrap();
                vec![Event::Features(self.store.nodes().unwrap())]
            }
            Effect::Finish(outcome) => {
                self.finish(outcome);
                Vec::new()
            }
        }
    }

    fn start(&mut self, feature: FeatureId) -> Vec<Event> {
        for dependency in self.store.feature(feature).unwrap().dependencies {
            let status = self.store.feature(dependency).unwrap().status;
            assert_eq!(status, Status::Passing, "{feature} is started before {dependency}");
        }
        let new =
            NewSession { role: Role::Coding, agent: "simulated".into(), isolation: Isolation::Workspace };
        let Ok(claim) = self.store.claim(feature, &new, LEASE) else {
            return vec![
                self.features(&[feature]),
                Event::StartFailed { feature, failure: StartFailure::Lost },
            ];
        };
        if self.settings.batch > 1 {
            let slots = u32::try_from(self.settings.slots).unwrap();
            self.store.begin_batch(claim.session, self.settings.batch, slots).unwrap();
        }
        if self.rng.u32(0..20) == 0 {
            let outcome = AttemptOutcome::Crashed { reason: "no process to be had".into() };
            self.store.end_attempt(&claim.token, &outcome, &LIMITS).unwrap();
            self.store.end_session(claim.session, &SessionOutcome::Stopped, 0).unwrap();
            return vec![
                self.features(&[feature]),
                Event::StartFailed { feature, failure: StartFailure::Crashed },
            ];
        }
        let (session, attempt) = (claim.session, claim.attempt);
        self.begin_work(feature, claim);
        vec![self.features(&[feature]), Event::Started { feature, session, attempt }]
    }

    /// An agent begins with a feature that its session has claimed.
    fn begin_work(&mut self, feature: FeatureId, claim: Claim) {
        self.tokens.insert(claim.attempt, (feature, claim.token.clone()));
        self.contents.insert(claim.attempt, self.main.clone());
        let already_green = self.rng.u32(0..10) == 0;
        let before = self.reports(feature, already_green);
        self.store.record_before(&claim.token, None, &before).unwrap();
        let fate = self.fate(feature);
        let ms = self.rng.i64(10..30_000);
        self.later(ms, Happening::AgentEnds(claim.session));
        let session = claim.session;
        let agent = Agent { session, feature, token: claim.token, fate, is_between: false, watched: true };
        self.agents.insert(session, agent);
    }

    fn fate(&mut self, feature: FeatureId) -> Fate {
        if self.hopeless.contains(&feature) {
            return if self.rng.bool() { Fate::Lies } else { Fate::Fails };
        }
        match self.rng.u32(0..20) {
            0 => Fate::Lies,
            1 | 2 => Fate::Fails,
            3 => Fate::TimesOut,
            4 => Fate::IsKilled,
            5 | 6 => Fate::LosesItsRunner,
            _ => Fate::Succeeds,
        }
    }

    fn next_happening(&mut self) {
        let Some(Reverse((at, _, happening))) = self.to_come.pop() else { return };
        self.turn_to(at);
        match happening {
            Happening::AgentEnds(session) => self.agent_ends(session),
            Happening::AsksAgain(session, times) => self.ask_for_more(session, times),
            Happening::ZombieWrites(session) => {
                if let Some(agent) = self.agents.remove(&session) {
                    self.zombie_writes(&agent);
                }
            }
            Happening::IntegrationEnds(attempt, run) => self.integration_ends(attempt, run),
            Happening::Notice => self.feed(Event::Features(self.store.nodes().unwrap())),
            Happening::PersonClaims => self.person_claims(),
            Happening::PersonEnds(attempt) => self.person_ends(attempt),
            Happening::MoreFeatures => {
                self.import(2);
                self.later(100, Happening::Notice);
            }
            Happening::Kill => {
                self.trace.push(format!("{} the orchestrator is killed", self.now));
                self.kills += 1;
                self.run += 1;
                self.engine = None;
            }
            Happening::Stop => self.feed(Event::Stop),
            Happening::Drain => self.feed(Event::Drain),
            Happening::StoreFails => self.feed(Event::Broken { reason: "the disk is full".into() }),
            Happening::MainInUse(is_in_use) => {
                self.main_in_use = is_in_use;
                if is_in_use {
                    let ms = self.rng.i64(1..60_000);
                    self.later(ms, Happening::MainInUse(false));
                }
            }
        }
    }

    fn agent_ends(&mut self, session: SessionId) {
        let Some(agent) = self.agents.remove(&session) else { return };
        if !agent.watched {
            return self.zombie_writes(&agent);
        }
        if agent.is_between {
            // Told to stop.
            return self.end_session(session);
        }
        let reported = |outcome| SessionEnd::Reported { outcome, red: None };
        let end = match agent.fate {
            Fate::Succeeds => {
                let green = self.reports(agent.feature, true);
                self.store.submit(&agent.token, None, &green).unwrap();
                if self.settings.batch > 1 && self.rng.u32(0..10) > 0 {
                    return self.go_on(agent);
                }
                reported(SessionOutcome::Completed)
            }
            Fate::Lies => {
                let red = self.reports(agent.feature, false);
                assert!(red.is_empty() || self.store.submit(&agent.token, None, &red).is_err());
                reported(SessionOutcome::Completed)
            }
            Fate::Fails => reported(SessionOutcome::Failed { exit_code: 1, stderr_tail: String::new() }),
            Fate::TimesOut => reported(SessionOutcome::TimedOut { after_s: 30 }),
            Fate::IsKilled => reported(SessionOutcome::Killed { signal: 9, stderr_tail: String::new() }),
            Fate::LosesItsRunner => {
                let ms = self.rng.i64(1..60_000);
                self.later(ms, Happening::ZombieWrites(session));
                self.agents.insert(session, Agent { watched: false, ..agent.clone() });
                SessionEnd::RunnerLost { reason: "the runner died".into() }
            }
        };
        let submitted = match agent.fate {
            Fate::Succeeds => vec![self.store.attempt(&agent.token).unwrap().id],
            Fate::Lies | Fate::Fails | Fate::TimesOut | Fate::IsKilled | Fate::LosesItsRunner => Vec::new(),
        };
        self.store.end_session(session, &SessionOutcome::Completed, 1).unwrap();
        self.feed(Event::SessionEnded { session, submitted, end });
    }

    fn integration_ends(&mut self, attempt: AttemptId, run: u64) {
        let (feature, token) = self.tokens[&attempt].clone();
        if run != self.run {
            // Killed in the middle: git may have finished what the store never heard of.
            if self.rng.bool() && self.store.attempt(&token).is_ok() && !self.engine_is_past(attempt) {
                self.main.insert(attempt);
            }
            return;
        }
        assert_eq!(self.integrating.take(), Some(attempt));
        let landing = if self.main_in_use {
            Landing::Postponed { reason: "a person is on another branch".into() }
        } else if self.holds_foreign(attempt) {
            let reason = "it holds work that did not land".into();
            Landing::Refused(AttemptOutcome::Crashed { reason })
        } else if self.main.contains(&attempt) {
            self.land(&token, feature)
        } else {
            match self.rng.u32(0..20) {
                0 => Landing::Refused(AttemptOutcome::Conflict { reason: "both changed a.txt".into() }),
                1 => Landing::Refused(AttemptOutcome::RedAfterMerge { reason: "`t` is red".into() }),
                2 => Landing::Postponed { reason: "the main branch has local changes".into() },
                _ => {
                    assert!(self.main.insert(attempt), "merged twice");
                    self.land(&token, feature)
                }
            }
        };
        let seen = Event::Features(self.store.nodes().unwrap());
        self.feed(seen);
        self.feed(Event::Integrated { attempt, landing });
    }

    /// Returns whether a later run already integrates this attempt: then its git was waited for.
    fn engine_is_past(&self, attempt: AttemptId) -> bool {
        self.integrating == Some(attempt)
    }

    fn land(&mut self, token: &Token, feature: FeatureId) -> Landing {
        let reports = self.reports(feature, true);
        self.store.land(token, &Merge { commit: None, reports, merge_ms: 1, check_ms: 1 }).unwrap();
        Landing::Landed
    }

    fn features(&self, ids: &[FeatureId]) -> Event {
        Event::Features(self.store.nodes_of(ids).unwrap())
    }

    fn reports(&self, feature: FeatureId, green: bool) -> Vec<CheckReport> {
        let verdict = if green { CheckVerdict::Green } else { CheckVerdict::Red { exit_code: 1 } };
        let report = |check: Check| CheckReport {
            command: check.command,
            verdict: verdict.clone(),
            duration_ms: 1,
            output_tail: String::new(),
            output_digest: "0".into(),
        };
        self.store.feature(feature).unwrap().checks.into_iter().map(report).collect()
    }

    fn import(&mut self, many: usize) {
        let known = self.store.features().unwrap().len();
        let features = (known..known + many)
            .map(|index| {
                let wanted = if index == 0 { 0 } else { self.rng.usize(0..=index.min(3)) };
                let dependencies: BTreeSet<_> = (0..wanted)
                    .map(|_| DependencyRef::Key(format!("k{}", self.rng.usize(0..index))))
                    .collect();
                ListedFeature {
                    id: None,
                    key: Some(format!("k{index}")),
                    category: format!("category {}", self.rng.u32(0..2)),
                    name: format!("feature {index}"),
                    description: String::new(),
                    steps: Vec::new(),
                    checks: if self.rng.u32(0..5) == 0 { Vec::new() } else { vec![Check::new("t")] },
                    dependencies: dependencies.into_iter().collect(),
                    priority: self.rng.bool().then(|| self.rng.i64(1..5)),
                    estimate_s: self.rng.bool().then(|| f64::from(self.rng.u32(1..50))),
                }
            })
            .collect();
        let imported = self.store.import(&FeatureList { features }, &ImportLimits::default()).unwrap();
        for feature in imported.created {
            if self.rng.u32(0..12) == 0 {
                self.hopeless.insert(feature);
            }
        }
    }
}

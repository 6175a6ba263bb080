//! One night: the world around the conductor, its clock, and how inputs are delivered.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::future::pending;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use cogwork_schemas::{
    AttemptId, Check, DependencyRef, FeatureId, FeatureList, Isolation, ListedFeature, NodeIdentity,
    ProcessIdentity, RunOutcome, RunSettings, SessionId, Token,
};
use cogwork_store::{AttemptLimits, ImportLimits, NewRun, Secret, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};

use super::agents::{Agent, Leaving};
use super::branch::Branch;
use super::ledger::{Living, clerk};
use super::staged::Staged;
use super::steering::{Steered, Steering};
use crate::conduct::{Conductor, Score, conduct};
use crate::engine::{SLOT_WAIT, Scope, Settings};
use crate::ledger::{Call, CallId, Clerk, Owners};
use crate::ports::{Clock, Deadlines, Input, Inputs, Moment, Ports, Signal};
use crate::resume::resume;

pub(super) const LIMITS: AttemptLimits = AttemptLimits { attempts: 3, crashes: 4 };
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// What will happen, and when.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// Something reaches the run with this number.
    Deliver(u64, Box<Input>),
    AgentActs(SessionId),
    /// A session between two features asks again; it does so as often as this says.
    AsksAgain(SessionId, u32),
    ZombieWrites(SessionId),
    /// The ledger notices what others wrote.
    Notice,
    PersonClaims,
    PersonEnds(AttemptId),
    MoreFeatures,
    /// A person's edits are in the way on the main branch.
    Dirty(bool),
    /// A person commits to the main branch.
    PersonCommits,
    /// A person moves the main branch back.
    PersonRewinds,
    /// Somebody else holds the database for so long, in milliseconds.
    Locked(i64),
    /// The clock on the wall goes on by so many seconds at once: the laptop was closed, or somebody has set it, back
    /// perhaps.
    WallJumps(i64),
    Kill,
    Signal(Signal),
    /// A person at a second terminal asks for something.
    Steer(Steering),
    LedgerDies,
    /// A person deletes the main branch, or brings it back.
    BranchGone(bool),
    /// A call of the run with this number gets its turn at the database.
    Turn(u64, CallId, Box<Call>),
}

/// Whether and how often the ports fail in this night, in thousandths of all calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) refused: u32,
    pub(super) again: u32,
    pub(super) unknown: u32,
    pub(super) fatal: u32,
    pub(super) crash: u32,
    pub(super) git: u32,
    pub(super) late: u32,
    /// Two kinds of call that fail far more often than the others, so that rare ones are met, too.
    pub(super) favourites: [usize; 2],
}

/// A night, shared by its ports.
pub(super) struct Night(Rc<RefCell<World>>);

pub(super) struct World {
    pub(super) rng: fastrand::Rng,
    /// Steady.
    pub(super) now: Timestamp,
    /// What the clock on the wall is ahead, or behind.
    wall_ahead: SignedDuration,
    wall: Arc<AtomicI64>,
    pub(super) store: Store,
    pub(super) clerk: Clerk,
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) agents: BTreeMap<SessionId, Agent>,
    pub(super) leaving: BTreeMap<SessionId, Leaving>,
    pub(super) people: BTreeMap<AttemptId, Token>,
    pub(super) tokens: BTreeMap<AttemptId, (FeatureId, Token)>,
    /// When, whether it waits for the word of a person that comes at the same moment, and its number.
    to_come: BinaryHeap<Reverse<(Timestamp, bool, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    counter: u64,
    /// Which run this is; nothing is delivered to an earlier one.
    pub(super) run: u64,
    pub(super) is_dead: bool,
    /// The last journal entry that the run was told.
    pub(super) seen: i64,
    /// The last journal entry that readers were offered.
    pub(super) offered: i64,
    pub(super) locked_until: Timestamp,
    pub(super) is_ledger_dead: bool,
    pub(super) has_reader_left: bool,
    /// Set where a test decides what the dice decide in a night.
    pub(super) staged: Option<Staged>,
    pub(super) branch: Branch,
    /// What is in the work of an attempt beyond itself: what it began on, and what its agent brought along.
    pub(super) contents: BTreeMap<AttemptId, BTreeSet<AttemptId>>,
    /// Features that no agent will ever get right.
    pub(super) hopeless: BTreeSet<FeatureId>,
    pub(super) stop_asked: Option<Timestamp>,
    pub(super) steered: Steered,
    /// Whether this run has landed something, and what it was told is missing of it.
    pub(super) has_landed: bool,
    pub(super) missing: Option<Vec<String>>,
    /// Something new came when the end of the run was being recorded, or when a call waited that its end may wait behind.
    pub(super) is_ending: bool,
    pub(super) is_unanswered: bool,
    pub(super) run_began: Timestamp,
    pub(super) last_call: Option<CallId>,
    /// The call that was carried out last.
    pub(super) done_call: Option<CallId>,
    /// How often this run has told of a slot that it is free.
    pub(super) idle_told: BTreeMap<u32, u32>,
    pub(super) is_news_late: bool,
    /// What the run is for, and how many of its runners came up.
    pub(super) scope: Scope,
    pub(super) begun: u32,
    ended: Option<RunOutcome>,
    steps: u32,
    pub(super) trace: Vec<String>,
    pub(super) is_loud: bool,
    pub(super) is_traced: bool,
    pub(super) fenced_writes: u64,
    pub(super) kills: u64,
    pub(super) stops: u64,
    /// How often a session went on with a further feature.
    pub(super) further: u64,
}

impl Night {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let settings = Settings {
            slots: rng.usize(1..=4),
            batch: rng.u32(1..=3),
            postponements: 10,
            slot_wait: SLOT_WAIT,
        };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
        let wall = Arc::new(AtomicI64::new(now.as_microsecond()));
        let clock = Arc::clone(&wall);
        let source = TimeSource::new(move || {
            Timestamp::from_microsecond(clock.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
        });
        // A quarter of all nights is calm: what goes wrong without a fault must not hide behind one.
        let rate = |rng: &mut fastrand::Rng, most: u32| if rng.bool() { rng.u32(0..=most) } else { 0 };
        let faults = if rng.u32(0..4) == 0 {
            Faults::default()
        } else {
            Faults {
                refused: rate(&mut rng, 30),
                again: rate(&mut rng, 100),
                unknown: rate(&mut rng, 60),
                fatal: rate(&mut rng, 6),
                crash: rate(&mut rng, 10),
                git: rate(&mut rng, 80),
                late: rate(&mut rng, 100),
                favourites: [(); 2].map(|()| rng.usize(0..Call::KINDS.len())),
            }
        };
        let mut world = World {
            now,
            wall_ahead: SignedDuration::ZERO,
            wall,
            store: Store::in_memory(source).unwrap(),
            clerk: clerk(0, BTreeMap::new()),
            settings,
            faults,
            agents: BTreeMap::new(),
            leaving: BTreeMap::new(),
            people: BTreeMap::new(),
            tokens: BTreeMap::new(),
            to_come: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            counter: 0,
            run: 0,
            is_dead: false,
            seen: 0,
            offered: 0,
            locked_until: now,
            is_ledger_dead: false,
            has_reader_left: false,
            staged: None,
            branch: Branch::default(),
            contents: BTreeMap::new(),
            hopeless: BTreeSet::new(),
            stop_asked: None,
            steered: Steered::default(),
            has_landed: false,
            missing: None,
            is_ending: false,
            is_unanswered: false,
            run_began: now,
            last_call: None,
            done_call: None,
            idle_told: BTreeMap::new(),
            is_news_late: false,
            scope: Scope::default(),
            begun: 0,
            ended: None,
            steps: 0,
            trace: Vec::new(),
            is_loud: false,
            is_traced: false,
            fenced_writes: 0,
            kills: 0,
            stops: 0,
            further: 0,
            rng,
        };
        let features = world.rng.usize(2..=10);
        world.import(features);
        // Most locks are let go within a minute; some people go home.
        let longest = if world.rng.u32(0..20) == 0 { 6_000_000 } else { 60_000 };
        let lock = world.rng.i64(1..longest);
        let sleep = world.rng.i64(1..20_000);
        let set = world.rng.i64(-10_800..10_800);
        for (happening, most) in [
            (Happening::Kill, 3),
            (Happening::PersonClaims, 2),
            (Happening::MoreFeatures, 1),
            (Happening::Signal(Signal::Terminate), 1),
            (Happening::Signal(Signal::Interrupt), 1),
            (Happening::Signal(Signal::Hangup), 1),
            (Happening::Steer(Steering::Pause), 1),
            (Happening::Steer(Steering::StopSomething), 1),
            (Happening::Steer(Steering::Slots), 1),
            (Happening::LedgerDies, 1),
            (Happening::Dirty(true), 1),
            (Happening::BranchGone(true), 1),
            (Happening::PersonCommits, 2),
            (Happening::PersonRewinds, 1),
            (Happening::Locked(lock), 2),
            (Happening::WallJumps(sleep), 1),
            (Happening::WallJumps(set), 1),
            (Happening::WallJumps(-2 * set), 1),
        ] {
            for _ in 0..world.rng.u32(0..=most) {
                let after = world.rng.i64(0..120_000);
                world.later(after, happening.clone());
            }
        }
        Self(Rc::new(RefCell::new(world)))
    }

    pub(super) fn world<T>(&self, ask: impl FnOnce(&mut World) -> T) -> T {
        ask(&mut self.0.borrow_mut())
    }

    /// A world in which nothing happens but what a test makes happen.
    pub(super) fn staged() -> Self {
        let night = Self::new(0);
        night.world(|world| {
            world.staged = Some(Staged::default());
            world.faults = Faults::default();
            world.settings = Settings { slots: 4, batch: 1, ..world.settings };
            world.hopeless.clear();
            world.happenings.clear();
            world.to_come.clear();
            world.seen = world.store.last_seq().unwrap();
        });
        night
    }

    pub(super) fn port(&self) -> Port {
        Port(Rc::clone(&self.0))
    }

    /// Lives through one run. Returns its outcome, `None` when it was killed.
    pub(super) fn run_until_it_ends(&mut self) -> Option<RunOutcome> {
        let (mut conductor, opening) = self.world(World::begin);
        let port = || self.port();
        let clock = port();
        let (mut ledger, mut runners, mut main) = (port(), port(), port());
        let (mut readers, mut replies, mut signpost, mut inputs) = (port(), port(), port(), port());
        let mut ports = Ports {
            ledger: &mut ledger,
            runners: &mut runners,
            main: &mut main,
            readers: &mut readers,
            replies: &mut replies,
            signpost: &mut signpost,
            clock: &clock,
            inputs: &mut inputs,
        };
        let outcome = {
            let life = pin!(conduct(&mut conductor, opening, &mut ports));
            // Every future of this world is ready at once, but for those of a dead run.
            match life.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            }
        };
        self.world(|world| match outcome {
            Some(outcome) => {
                world.check_end(&outcome);
                world.ended = Some(outcome.clone());
                Some(outcome)
            }
            None => {
                assert!(world.is_dead, "the run waits for something that never comes");
                None
            }
        })
    }
}

/// All ports of a run; each is the same world.
pub(super) struct Port(pub(super) Rc<RefCell<World>>);

impl World {
    pub(super) fn is_complete(&self) -> bool {
        self.ended == Some(RunOutcome::Complete)
    }

    /// The same way a real run begins, whatever ended the last one.
    fn begin(&mut self) -> (Conductor, Vec<crate::engine::Event>) {
        self.ended = None;
        self.is_dead = false;
        self.is_ledger_dead = false;
        self.has_reader_left = false;
        self.stop_asked = None;
        self.begin_steered();
        self.has_landed = false;
        self.missing = None;
        self.is_ending = false;
        self.is_unanswered = false;
        self.run_began = self.now;
        self.last_call = None;
        self.done_call = None;
        self.idle_told.clear();
        self.is_news_late = false;
        self.begin_scope();
        self.run += 1;
        self.branch.forget_tasks();
        self.leaving.clear();
        // What a run leaves dies with it, or goes on unseen for a while.
        for agent in self.agents.values_mut() {
            agent.watched = false;
        }
        let (run, settings, faults) = (self.run, self.settings, self.faults);
        self.say(|| format!("run {run} begins: {settings:?} {faults:?}"));
        self.seen = self.store.last_seq().unwrap();
        let presence =
            |process: &ProcessIdentity, node: Option<&NodeIdentity>| Living.presence(process, node);
        let secret = Secret::known(format!("resumed by {}", self.run));
        let resumed = resume(&self.store, self.settings, &LIMITS, LEASE, &secret, presence).unwrap();
        self.clerk = clerk(self.run, resumed.tokens);
        self.offered = self.seen;
        let slots = u32::try_from(self.settings.slots).unwrap();
        let process = ProcessIdentity { pid: 1, started: 1, boot_id: "boot".into() };
        let node = NodeIdentity { boot_id: "boot".into(), pid_namespace: None };
        let isolation = Isolation::Workspace;
        let settings =
            RunSettings { agent: "simulated".into(), slots, isolation, batch: Some(self.settings.batch) };
        let score = Score {
            run: NewRun { process, node: Some(node), settings, base_commit: None },
            branch: "main".into(),
            role: self.scope.role,
            slots: self.settings.slots,
            batch: self.settings.batch,
            limits: LIMITS,
            session_limit: SignedDuration::from_secs(3_600),
            lease: LEASE,
        };
        let mut conductor = Conductor::new(score, resumed.engine.within(self.scope.clone()));
        conductor.clear_leftovers(self.leftovers());
        (conductor, resumed.events)
    }

    /// Writes down what happens, where somebody wants to know: most nights nobody does, and words take long.
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if self.is_loud {
            println!("{} {}", self.now, line());
        } else if self.is_traced {
            self.trace.push(line());
        }
    }

    pub(super) fn chance(&mut self, thousandths: u32) -> bool {
        thousandths > 0 && self.rng.u32(0..1_000) < thousandths
    }

    /// Whether the dice of a night let something happen that happens once in so many times.
    pub(super) fn dice(&mut self, once_in: u32) -> bool {
        self.staged.is_none() && self.rng.u32(0..once_in) == 0
    }

    /// The run is killed at this very moment: nothing it asks for happens any more, and it hears nothing.
    pub(super) fn kill(&mut self) {
        if !self.is_dead {
            self.say(|| "the run is killed".to_owned());
            self.kills += 1;
            self.is_dead = true;
        }
    }

    pub(super) fn later(&mut self, ms: i64, happening: Happening) {
        self.at(self.now + SignedDuration::from_millis(ms), happening);
    }

    pub(super) fn at(&mut self, at: Timestamp, happening: Happening) {
        self.counter += 1;
        // Whatever else there is to hear at a moment, a person is heard first.
        let waits = !matches!(happening, Happening::Signal(_));
        self.happenings.insert(self.counter, happening);
        self.to_come.push(Reverse((at, waits, self.counter)));
    }

    /// Tells the run something, later.
    pub(super) fn deliver(&mut self, ms: i64, input: Input) {
        let run = self.run;
        self.later(ms, Happening::Deliver(run, Box::new(input)));
    }

    /// Takes back what is on its way to the run and is not there yet.
    pub(super) fn take_back(&mut self, is_meant: impl Fn(&Input) -> bool) {
        self.happenings
            .retain(|_, happening| !matches!(happening, Happening::Deliver(_, input) if is_meant(input)));
    }

    /// Returns whether others' writes are still to be noticed.
    pub(super) fn is_notice_to_come(&self) -> bool {
        self.happenings.values().any(|happening| matches!(happening, Happening::Notice))
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { wall: self.now + self.wall_ahead, steady: self.now }
    }

    fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        self.wall.store(self.moment().wall.as_microsecond(), Ordering::Relaxed);
    }

    /// Returns what reaches the run next; nothing when it is dead.
    pub(super) fn next_input(&mut self, deadlines: Deadlines) -> Option<Input> {
        loop {
            if self.is_dead {
                return None;
            }
            self.steps += 1;
            assert!(self.steps < 60_000, "the night never ends");
            let wall = deadlines.wall.map(|at| at - self.wall_ahead);
            let deadline = [wall, deadlines.steady].into_iter().flatten().min();
            let next = self.to_come.peek().map(|Reverse((at, ..))| *at);
            match (deadline, next) {
                (Some(deadline), next) if next.is_none_or(|next| deadline < next) => {
                    self.advance(deadline);
                    return Some(Input::Deadline);
                }
                (_, Some(_)) => {
                    if let Some(input) = self.next_happening() {
                        return Some(input);
                    }
                }
                (_, None) => panic!("the run hangs: nothing will happen and it is not over"),
            }
        }
    }

    fn next_happening(&mut self) -> Option<Input> {
        let Reverse((at, _, number)) = self.to_come.pop()?;
        // What was taken back happens at no time.
        let happening = self.happenings.remove(&number)?;
        self.advance(at);
        match happening {
            Happening::Deliver(run, input) => return (run == self.run).then_some(*input),
            Happening::AgentActs(session) => self.agent_acts(session),
            Happening::AsksAgain(session, times) => self.ask_for_more(session, times),
            Happening::ZombieWrites(session) => {
                if let Some(agent) = self.agents.remove(&session) {
                    self.zombie_writes(&agent);
                }
            }
            Happening::Notice => self.tell_changes(),
            Happening::PersonClaims => self.person_claims(),
            Happening::PersonEnds(attempt) => self.person_ends(attempt),
            Happening::MoreFeatures => self.import(2),
            Happening::Dirty(is_dirty) => {
                self.branch.in_the_way = is_dirty.then(|| "a.txt".to_owned());
                if is_dirty {
                    let ms = self.rng.i64(1..60_000);
                    self.later(ms, Happening::Dirty(false));
                }
            }
            Happening::PersonCommits => self.branch.person_commits(),
            Happening::PersonRewinds => {
                let lost = self.branch.person_rewinds();
                self.say(|| format!("a person moves the main branch back; gone are {lost:?}"));
            }
            Happening::Locked(ms) => self.locked_until = self.now + SignedDuration::from_millis(ms),
            Happening::WallJumps(seconds) => {
                self.wall_ahead += SignedDuration::from_secs(seconds);
                self.advance(self.now);
            }
            Happening::Kill => self.kill(),
            Happening::Signal(signal) => return Some(self.signal(signal)),
            Happening::Steer(steering) => return self.steer(steering),
            Happening::LedgerDies => self.lose_ledger(),
            Happening::BranchGone(is_gone) => {
                self.branch.is_gone = is_gone;
                if is_gone {
                    let ms = self.rng.i64(1..60_000);
                    self.later(ms, Happening::BranchGone(false));
                }
            }
            Happening::Turn(run, id, call) if run == self.run => self.take_turn(id, &call),
            Happening::Turn(..) => {}
        }
        None
    }

    pub(super) fn notice_soon(&mut self) {
        self.is_news_late |= self.is_ending || self.is_unanswered;
        let ms = self.rng.i64(1..60);
        self.later(ms, Happening::Notice);
    }

    pub(super) fn import(&mut self, many: usize) {
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
        self.notice_soon();
    }
}

impl Clock for Port {
    fn now(&self) -> Moment {
        self.0.borrow().moment()
    }
}

impl Inputs for Port {
    fn next(&mut self, deadlines: Deadlines) -> Pin<Box<dyn Future<Output = Input> + '_>> {
        let input = self.0.borrow_mut().next_input(deadlines);
        if let Some(input) = &input {
            self.0.borrow_mut().say(|| format!("{input:?}"));
        }
        Box::pin(async move {
            match input {
                Some(input) => input,
                None => pending().await,
            }
        })
    }
}

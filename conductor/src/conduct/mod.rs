//! The conductor: the one loop of a run, its one way in and its one way out.
//!
//! An [`Input`] comes in, [`Order`]s for the ports go out. What is to happen, the engine decides; what a landing comes
//! to, a [`Landing`](crate::main_branch::Landing); what to do about a fault of the ledger, the queue of calls. The
//! conductor carries what they say from one to the other, keeps the deadlines of everything that it waits for, and does
//! no I/O. So the simulator runs it as it is.
//!
//! ```text
//!   Signal, Command, Changes, ledger replies, runner reports, main branch answers, Deadline
//!        │ Input
//!        ▼
//!   Conductor::step ──Event──► Engine::step ──Effect──┐
//!        │ ▲                                          │
//!        │ └──────────────────────────────────────────┘
//!        ▼ Order
//!   Ledger (one call at a time) · Runners · MainBranch (one landing at a time) · Readers · Signpost
//! ```

mod answers;
mod calls;
mod commands;
mod ending;
mod idle;
mod landings;
mod runners;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{AttemptId, CommandReply, Entry, Fact, FeatureId, Role, RunOutcome, SessionId, Status};
use cogwork_store::{AttemptLimits, Batch, NewRun, NewSession};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Effect, Engine, Event, Landing as Landed};
use crate::forecast::Forecast;
use crate::ledger::{Call, CallId, Changes};
use crate::main_branch::{Task, TaskId};
use crate::marks;
use crate::ports::{Control, Deadlines, Input, Moment, Obstacles, Ports, RequestId, StartRunner};
use crate::progress::{Progress, RunningSession};

use calls::{CallQueue, Settled};
pub use commands::MAX_SLOTS;
use ending::Ending;
use idle::Idleness;
use landings::LandingUnderWay;
use session::Session;

/// How long a run that was told to stop may take until it is over: the graces of its agents and runners, and then some.
const STOP_LIMIT: SignedDuration = SignedDuration::from_secs(120);

/// What a run is asked to do, as far as the conductor is concerned.
#[derive(Debug, Clone)]
pub struct Score {
    /// What is recorded of the run when it begins.
    pub run: NewRun,
    /// The branch that work lands on; empty in a run that merges nothing.
    pub branch: String,
    /// What its sessions are for.
    pub role: Role,
    pub slots: usize,
    /// How many features a session may have, one after the other.
    pub batch: u32,
    pub limits: AttemptLimits,
    /// How long a session may take at one feature, without its checks.
    pub session_limit: SignedDuration,
    pub lease: SignedDuration,
}

/// One thing that a port is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    Call {
        id: CallId,
        call: Call,
    },
    Start(StartRunner),
    Control {
        session: SessionId,
        control: Control,
    },
    Begin {
        id: TaskId,
        task: Task,
    },
    Abandon {
        id: TaskId,
    },
    Offer(Box<Entry>),
    Said {
        session: SessionId,
        event: Box<cogwork_schemas::AgentEvent>,
    },
    Note(String),
    Reply {
        id: RequestId,
        reply: CommandReply,
    },
    Show(Obstacles),
    /// The run is over.
    End(RunOutcome),
}

/// One run.
pub struct Conductor {
    score: Score,
    engine: Engine,
    calls: CallQueue,
    sessions: BTreeMap<SessionId, Session>,
    /// Those that are over and judged, and whose runners are about to go.
    leaving: BTreeMap<SessionId, Session>,
    landing: Option<LandingUnderWay>,
    /// How often a step of a landing has failed.
    failures: BTreeMap<AttemptId, u32>,
    /// What an earlier run has left to be landed.
    recovered: BTreeSet<AttemptId>,
    /// Whose an attempt is, as far as it was heard.
    session_of: BTreeMap<AttemptId, SessionId>,
    /// When an attempt began.
    began: BTreeMap<AttemptId, Timestamp>,
    /// Sessions whose workspace is gone or about to be, and the tasks that see to it.
    cleared: BTreeSet<SessionId>,
    chores: BTreeMap<TaskId, SessionId>,
    /// What this run has landed: feature and commit.
    landed: Vec<(FeatureId, String)>,
    last_task: u64,
    forecast: Forecast,
    idle: Idleness,
    obstacles: Obstacles,
    /// When a run that was told to stop ends, whatever it still waits for. Steady.
    stop_by: Option<Timestamp>,
    ending: Option<Ending>,
    /// What is answered to commands, once they are written down.
    replies: BTreeMap<RequestId, String>,
    orders: Vec<Order>,
}

/// Runs until the run is over, and returns how it ended.
pub async fn conduct(conductor: &mut Conductor, opening: Vec<Event>, ports: &mut Ports<'_>) -> RunOutcome {
    let mut orders = conductor.open(ports.clock.now(), opening);
    loop {
        for order in orders.drain(..) {
            match order {
                Order::Call { id, call } => ports.ledger.call(id, &call),
                Order::Start(start) => ports.runners.start(&start),
                Order::Control { session, control } => ports.runners.control(session, control),
                Order::Begin { id, task } => ports.main.begin(id, &task),
                Order::Abandon { id } => ports.main.abandon(id),
                // What a reader loses, it is told by its own outbox.
                Order::Offer(entry) => drop(ports.readers.offer(&entry)),
                Order::Said { session, event } => ports.readers.agent_event(session, &event),
                Order::Note(text) => ports.readers.note(ports.clock.now().wall, &text),
                Order::Reply { id, reply } => ports.replies.reply(id, reply),
                Order::Show(obstacles) => ports.signpost.show(&obstacles),
                Order::End(outcome) => return outcome,
            }
        }
        if ports.readers.wants_progress() {
            ports.readers.progress(conductor.progress());
        }
        let input = ports.inputs.next(conductor.deadlines()).await;
        orders = conductor.step(ports.clock.now(), input);
    }
}

impl Conductor {
    pub fn new(score: Score, engine: Engine) -> Self {
        Self {
            score,
            engine,
            calls: CallQueue::default(),
            sessions: BTreeMap::new(),
            leaving: BTreeMap::new(),
            landing: None,
            failures: BTreeMap::new(),
            recovered: BTreeSet::new(),
            session_of: BTreeMap::new(),
            began: BTreeMap::new(),
            cleared: BTreeSet::new(),
            chores: BTreeMap::new(),
            landed: Vec::new(),
            last_task: 0,
            forecast: Forecast::default(),
            idle: Idleness::default(),
            obstacles: Obstacles::default(),
            stop_by: None,
            ending: None,
            replies: BTreeMap::new(),
            orders: Vec::new(),
        }
    }

    /// Begins the run with what an earlier one left, ending with [`Event::Begin`].
    #[must_use]
    pub fn open(&mut self, now: Moment, opening: Vec<Event>) -> Vec<Order> {
        self.calls.push(Call::BeginRun { new: self.score.run.clone() });
        if opening.contains(&Event::Pause) {
            self.note("the project is paused: nothing is started until `cogwork resume`");
        }
        for event in opening {
            if let Event::Recovered { attempt, .. } = event {
                self.recovered.insert(attempt);
            }
            self.feed(now, event);
        }
        self.settle(now)
    }

    /// Takes one input and returns what must be asked of the ports because of it, in order.
    #[must_use]
    pub fn step(&mut self, now: Moment, input: Input) -> Vec<Order> {
        #[cfg(test)]
        let is_deadline = matches!(input, Input::Deadline);
        match input {
            Input::Signal(signal) => self.on_signal(now, signal),
            Input::Command { id, command, by } => self.on_command(now, command, by, Some(id)),
            Input::Changes(changes) => self.on_changes(now, *changes),
            Input::Ledger { id, reply } => match self.calls.on_reply(now.steady, id, reply) {
                Settled::Answered(call, answer) => {
                    self.on_ledger_free();
                    self.on_answer(now, call, answer);
                }
                Settled::Refused { call, reason, not_yet } => {
                    self.on_ledger_free();
                    self.on_refusal(now, &call, &reason, not_yet);
                }
                Settled::Waits { reason } => self.on_ledger_busy(reason),
                Settled::Closed { reason } => self.feed(now, Event::Broken { reason }),
                Settled::Late => {}
            },
            Input::LedgerLost { reason } => {
                self.calls.close();
                self.feed(now, Event::Broken { reason });
            }
            Input::Runner { session, report } => self.on_runner(now, session, report),
            Input::Main { id, answer } => self.on_task_answer(now, id, answer),
            Input::Deadline => self.on_deadline(now),
        }
        let orders = self.settle(now);
        #[cfg(test)]
        if !orders.iter().any(|order| matches!(order, Order::End(_))) {
            self.assert_invariants(now, is_deadline);
        }
        orders
    }

    /// Returns when [`Input::Deadline`] has to come if nothing else does.
    pub fn deadlines(&self) -> Deadlines {
        let sessions =
            self.sessions.values().chain(self.leaving.values()).filter_map(Session::deadline).min();
        let landing = self.landing.as_ref().and_then(LandingUnderWay::deadline);
        let ending = self.ending.as_ref().map(Ending::deadline);
        let Deadlines { wall, steady } = self.engine.next_deadline();
        // A fact that waits for its turn is told when the calls before it are answered.
        let idle = self.idle.deadline().filter(|_| self.calls.is_empty());
        let all = [steady, self.calls.deadline(), sessions, landing, ending, idle, self.stop_by];
        Deadlines { wall, steady: all.into_iter().flatten().min() }
    }

    /// Returns the features as this run sees them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns how far the run is.
    pub fn progress(&self) -> Progress {
        let graph = self.engine.graph();
        let running = self.sessions.iter().map(|(id, session)| RunningSession {
            session: *id,
            feature: session.feature,
            since: session.since,
        });
        Progress {
            total: self.engine.in_scope().count(),
            passing: self.engine.in_scope().filter(|node| node.status == Status::Passing).count(),
            running: running.collect(),
            left_ms: self.forecast.left_ms(graph, self.score.slots),
        }
    }

    /// Sends what can be sent, and lets go of what never will be.
    fn settle(&mut self, now: Moment) -> Vec<Order> {
        loop {
            self.advance_ending(now);
            let lost = self.calls.take_lost();
            if lost.is_empty() {
                break;
            }
            for call in lost {
                self.on_lost_call(now, &call);
            }
        }
        self.tell_idleness(now);
        let held_back = self.engine.held_back().clone();
        self.show_obstacles(|obstacles| obstacles.held_back = held_back);
        if let Some((id, call)) = self.calls.send(now.steady) {
            self.orders.push(Order::Call { id, call });
        }
        self.orders.extend(self.over().map(Order::End));
        std::mem::take(&mut self.orders)
    }

    /// Tells the engine and does what it asks.
    fn feed(&mut self, now: Moment, event: Event) {
        for effect in self.engine.step(now, event) {
            marks::hit("effect", effect.kind());
            self.perform(now, effect);
        }
    }

    fn perform(&mut self, now: Moment, effect: Effect) {
        match effect {
            Effect::Start { feature } => {
                self.idle.on_start(feature);
                let settings = &self.score.run.settings;
                let batch = Batch { size: self.score.batch, slots: settings.slots };
                let new = NewSession {
                    slot: self.free_slots().first().copied(),
                    node: self.score.run.node.clone(),
                    batch: (batch.size > 1).then_some(batch),
                    ..NewSession::new(self.score.role, settings.agent.clone(), settings.isolation)
                };
                self.calls.push(Call::Claim { feature, new, lease: self.score.lease });
            }
            Effect::EndAttempt { feature, attempt, outcome } => {
                self.calls.push(Call::EndAttempt { feature, attempt, outcome, limits: self.score.limits });
            }
            Effect::Integrate { feature, attempt } => {
                self.landing = Some(LandingUnderWay::awaiting_job(feature, attempt));
                self.calls.push(Call::Job { attempt });
            }
            Effect::CloseBatches => self.calls.push(Call::CloseBatches),
            Effect::StopSession { session } => {
                if let Some(known) = self.sessions.get_mut(&session)
                    && known.stop(now.steady)
                {
                    self.orders.push(Order::Control { session, control: Control::Stop });
                }
            }
            Effect::Reap => {
                self.calls.push(Call::Reap { lease: self.score.lease, limits: self.score.limits });
            }
            Effect::Finish(outcome) => self.begin_ending(now, outcome),
            Effect::GoOn => self.leave_ending(),
        }
    }

    /// Learns what the journal gained, whoever wrote it: shows it, and tells the engine which features changed.
    fn on_changes(&mut self, now: Moment, changes: Changes) {
        let mut of_sessions = Vec::new();
        for entry in changes.entries {
            self.learn(&entry);
            of_sessions.extend(self.of_session(now, &entry, &changes.check_s));
            self.orders.push(Order::Offer(Box::new(entry)));
        }
        self.feed(now, Event::Features(changes.nodes));
        if !changes.gone.is_empty() {
            self.feed(now, Event::Deleted(changes.gone));
        }
        for event in of_sessions {
            self.feed(now, event);
        }
    }

    fn learn(&mut self, entry: &Entry) {
        let Some(attempt) = entry.attempt else { return };
        if let Some(session) = entry.session {
            self.session_of.insert(attempt, session);
        }
        if let Fact::Claimed { .. } = entry.fact {
            self.began.insert(attempt, entry.at);
        }
        if let (Some(id), Fact::Integrated { .. }) = (entry.feature, &entry.fact)
            && let Some(began) = self.began.remove(&attempt)
        {
            let taken = entry.at.duration_since(began).as_secs_f64();
            let estimate = self.engine.graph().node(id).and_then(|node| node.estimate_s);
            self.forecast.learn(estimate, taken);
        }
    }

    fn on_deadline(&mut self, now: Moment) {
        if self.engine.next_deadline().are_due(now) {
            self.feed(now, Event::Deadline);
        }
        let due: Vec<_> = self
            .sessions
            .iter()
            .chain(&self.leaving)
            .filter(|(_, session)| session.is_due(now.steady))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.on_session_due(now, id);
        }
        self.on_landing_due(now);
        if self.calls.is_overdue(now.steady) {
            marks::hit("ledger", "silent");
            self.calls.close();
            let reason = "the database does not answer: its disk hangs".to_owned();
            self.feed(now, Event::Broken { reason });
        }
        if self.stop_by.is_some_and(|at| at <= now.steady) {
            self.note("not everything could be ended in time: the next run tidies up");
            self.orders.push(Order::End(RunOutcome::Stopped));
        }
    }

    fn on_ledger_busy(&mut self, reason: String) {
        if self.obstacles.ledger.is_none() {
            self.note(&format!("the database cannot be used now, what has to be written waits: {reason}"));
        }
        self.show_obstacles(|obstacles| obstacles.ledger = Some(reason));
    }

    fn on_ledger_free(&mut self) {
        if self.obstacles.ledger.is_some() {
            self.note("the database can be used again");
            self.show_obstacles(|obstacles| obstacles.ledger = None);
        }
    }

    fn show_obstacles(&mut self, change: impl FnOnce(&mut Obstacles)) {
        let before = self.obstacles.clone();
        change(&mut self.obstacles);
        if self.obstacles != before {
            self.orders.push(Order::Show(self.obstacles.clone()));
        }
    }

    fn note(&mut self, text: &str) {
        self.orders.push(Order::Note(text.to_owned()));
    }

    fn begin_task(&mut self, task: Task) -> TaskId {
        self.last_task += 1;
        let id = TaskId(self.last_task);
        self.orders.push(Order::Begin { id, task });
        id
    }

    /// Tells the engine how an integration ended.
    fn integrated(&mut self, now: Moment, attempt: AttemptId, landing: Landed) {
        self.landing = None;
        let reason = match &landing {
            Landed::Postponed { reason } => Some(reason.clone()),
            Landed::Landed | Landed::Refused(_) | Landed::Void => None,
        };
        self.show_obstacles(|obstacles| obstacles.landing = reason);
        self.feed(now, Event::Integrated { attempt, landing });
    }
}

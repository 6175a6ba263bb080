//! The plan: which feature starts next, what lands, when the run is over. Decides everything and does nothing.
//!
//! A driver feeds it what happened, one [`Event`] at a time, and carries out the [`Effect`]s it returns. It reads
//! no clock, rolls no dice, touches no store: it is rebuilt from the store at every start, so a run that was
//! killed goes on by the same path as one that was not. Whatever it waits for by itself, it waits for in steady time,
//! so that a clock that is set delays nothing; only the leases of others run out by the clock on the wall. The
//! simulator beside it holds its invariants over thousands of random schedules.

mod ending;
mod event;
mod hold;
mod landing;
mod scope;
mod slots;
mod steering;
#[cfg(test)]
mod tests;
mod unavailable;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cogwork_schemas::{AttemptId, AttemptOutcome, FeatureId, RunOutcome, SessionId, Status};
use cogwork_session::attempt_outcome;
use cogwork_store::graph::{Graph, Node, NodeView};
use jiff::{SignedDuration, Timestamp};

pub use event::{Effect, Event, Landing, SessionEnd, Settings, StartFailure};
use scope::Covered;
pub use scope::Scope;
pub(crate) use slots::SLOT_WAIT;
use slots::WaitingSlots;
use unavailable::Unavailable;

use crate::moment::{Deadlines, Moment};

/// What a crash costs its feature in waiting: one second, doubled with every further crash in a row …
const CRASH_BACKOFF: SignedDuration = SignedDuration::from_secs(1);
/// … and never more than a minute, after which a passing cause (memory, disk) has mostly passed.
const CRASH_BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(60);
/// How long a claim that was refused is not tried again, nor leases looked at once more that could not be taken back.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// What the run is heading for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// Being told what an earlier run left; nothing is done before [`Event::Begin`].
    Opening,
    /// Start what is ready.
    Running,
    /// Finish what runs, start nothing.
    Draining,
    /// Everything was told to stop; wait for it, then end with this outcome.
    Stopping { outcome: RunOutcome },
    /// The run is over; every later event is ignored.
    Over,
}

/// One attempt of a session of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Running {
    feature: FeatureId,
    attempt: AttemptId,
}

/// One session of this run.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The attempt that it has not handed in; none between two features.
    running: Option<Running>,
    since: Timestamp,
    /// Until when it only waits. Steady, as all times here.
    waits_until: Option<Timestamp>,
}

/// The state of one run.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    scope: Scope,
    covered: Covered,
    mode: Mode,
    /// Whether nothing is started although the run goes on.
    is_paused: bool,
    /// Features whose session a person has stopped; they are not started before [`Event::Resume`].
    held_back: BTreeSet<FeatureId>,
    /// How the run is about to end: [`Effect::Finish`] was returned, and [`Event::Close`] has not come.
    finishing: Option<RunOutcome>,
    graph: Graph,
    /// Asked for by [`Effect::Start`] and not answered yet; each one holds a slot.
    starting: BTreeSet<FeatureId>,
    /// Each holds a slot.
    sessions: BTreeMap<SessionId, Held>,
    /// Attempts whose work is green and waits for the main branch, oldest first.
    queue: VecDeque<Running>,
    /// The one attempt that is being integrated.
    landing: Option<Running>,
    /// Features whose attempt was just ended; what the store made of that has not been told yet.
    unsettled: BTreeSet<FeatureId>,
    /// How often in a row the landing was postponed, and until when it is.
    postponed: u32,
    land_after: Option<Timestamp>,
    /// Why it was.
    obstacle: Option<String>,
    /// Features that crashed or were refused, and when they may be tried again.
    start_after: BTreeMap<FeatureId, (Timestamp, StartFailure)>,
    /// Slots that wait for a landing.
    waiting_slots: WaitingSlots,
    /// When the first of them is given away, if one is kept from something ready, and for which landing.
    kept: Option<(Timestamp, FeatureId)>,
    /// [`Effect::Reap`] was asked for and not answered yet.
    is_reaping: bool,
    /// When leases are looked at again, if some that ran out were not taken back.
    reap_after: Option<Timestamp>,
    unavailable: Unavailable,
}

impl Engine {
    /// Builds the plan from the store's view of all features.
    pub fn new(settings: Settings, graph: Graph) -> Self {
        Self {
            settings,
            scope: Scope::default(),
            covered: Covered::default(),
            mode: Mode::Opening,
            is_paused: false,
            held_back: BTreeSet::new(),
            finishing: None,
            graph,
            starting: BTreeSet::new(),
            sessions: BTreeMap::new(),
            queue: VecDeque::new(),
            landing: None,
            unsettled: BTreeSet::new(),
            postponed: 0,
            land_after: None,
            obstacle: None,
            start_after: BTreeMap::new(),
            waiting_slots: WaitingSlots::new(settings.slot_wait),
            kept: None,
            is_reaping: false,
            reap_after: None,
            unavailable: Unavailable::default(),
        }
    }

    /// Takes one event and returns what must be done because of it, in order.
    #[must_use]
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        if self.mode == Mode::Over {
            return Vec::new();
        }
        let steady = now.steady;
        let mut effects = match event {
            Event::Begin => self.on_begin(),
            Event::Features(nodes) => self.on_features(nodes),
            Event::Deleted(ids) => self.on_deleted(&ids),
            Event::Recovered { feature, attempt } => self.on_recovered(feature, attempt),
            Event::Started { feature, session, attempt } => {
                self.on_started(steady, session, Running { feature, attempt })
            }
            Event::StartFailed { feature, failure } => self.on_start_failed(steady, feature, failure),
            Event::Took { session, feature, attempt } => self.on_took(session, Running { feature, attempt }),
            Event::Submitted { session, attempt } => self.on_submitted(session, attempt),
            Event::SessionEnded { session, submitted, end } => {
                self.on_session_ended(steady, session, &submitted, end)
            }
            Event::Integrated { attempt, landing } => self.on_integrated(steady, attempt, landing),
            Event::Settled { feature } => self.on_settled(feature),
            Event::Reaped => self.on_reaped(steady),
            Event::Close => self.on_close(),
            Event::Pause => self.on_pause(),
            Event::Resume => self.on_resume(),
            Event::Drain => self.on_drain(steady),
            Event::Stop => self.on_stop(steady, RunOutcome::Stopped),
            Event::Broken { reason } => self.on_stop(steady, RunOutcome::Broken { reason }),
            Event::StopSession { session, feature } => self.on_stop_session(session, feature),
            Event::Slots { slots } => self.on_slots(slots),
            Event::Waits { session, until } => self.on_waits(steady, session, until),
            Event::GoesOn { session } => self.on_goes_on(session),
            Event::Deadline => self.on_deadline(now),
        };
        effects.extend(self.land_next(steady));
        effects.extend(self.start_ready(steady));
        effects.extend(self.finish_when_over());
        effects
    }

    /// Returns what could start at this moment and was not asked for.
    #[cfg(test)]
    pub(crate) fn missed(&self, now: Moment) -> Vec<FeatureId> {
        if self.starts_sessions() { self.choose(now.steady).0 } else { Vec::new() }
    }

    /// Returns whether something could land or start, but for a wait of the engine's own.
    #[cfg(test)]
    pub(crate) fn makes_something_wait(&self) -> bool {
        let can_start = self.starts_sessions() && self.free_slots() > 0;
        let can_land = matches!(self.mode, Mode::Running | Mode::Draining) && self.landing.is_none();
        can_start && self.graph.iter().any(|node| self.is_startable(node.id)) || can_land && self.can_land()
    }

    /// Returns how many slots wait for a landing, and how many landings there are.
    #[cfg(test)]
    pub(crate) fn waiting_slots(&self, now: Moment) -> (usize, usize) {
        (self.waiting_slots.count(now.steady), self.queue.len() + usize::from(self.landing.is_some()))
    }

    /// Returns whether what runs is to end, landings included.
    pub fn is_stopping(&self) -> bool {
        matches!(self.mode, Mode::Stopping { .. } | Mode::Over)
    }

    /// Returns whether new sessions are still wanted.
    pub fn starts_sessions(&self) -> bool {
        self.mode == Mode::Running && !self.is_paused
    }

    /// Returns when [`Event::Deadline`] has to be fed if nothing else happens; none when only an event can change
    /// anything. On the wall's clock, leases run out.
    pub fn next_deadline(&self) -> Deadlines {
        let (running, landing) = match self.mode {
            Mode::Running => (true, true),
            Mode::Draining => (false, true),
            Mode::Opening | Mode::Stopping { .. } | Mode::Over => (false, false),
        };
        let land = self.land_after.filter(|_| landing && self.landing.is_none() && !self.queue.is_empty());
        let free = self.starts_sessions() && self.free_slots() > 0;
        let retry = self.next_retry().filter(|_| free);
        let lease = self.foreign_leases().filter(|_| running && !self.is_reaping).min();
        let look_again = self.reap_after.filter(|_| lease.is_some());
        let slot = self.kept.map(|(until, _)| until).filter(|_| free);
        Deadlines {
            wall: lease.filter(|_| look_again.is_none()),
            steady: [land, retry, look_again, slot].into_iter().flatten().min(),
        }
    }

    /// Returns the features as this run sees them.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn on_begin(&mut self) -> Vec<Effect> {
        if self.mode == Mode::Opening {
            self.mode = Mode::Running;
        }
        Vec::new()
    }

    fn on_features(&mut self, nodes: Vec<Node>) -> Vec<Effect> {
        for node in nodes {
            self.graph.upsert(node);
        }
        Vec::new()
    }

    fn on_deleted(&mut self, ids: &[FeatureId]) -> Vec<Effect> {
        for id in ids {
            self.unsettled.remove(id);
            self.start_after.remove(id);
            self.held_back.remove(id);
            self.waiting_slots.forget(*id);
            self.queue.retain(|running| running.feature != *id);
            self.graph.remove(*id);
        }
        Vec::new()
    }

    fn on_started(&mut self, now: Timestamp, session: SessionId, running: Running) -> Vec<Effect> {
        self.starting.remove(&running.feature);
        self.start_after.remove(&running.feature);
        self.cover(running.feature);
        self.sessions.insert(session, Held { running: Some(running), since: now, waits_until: None });
        match self.mode {
            Mode::Stopping { .. } => vec![Effect::StopSession { session }],
            Mode::Opening | Mode::Running | Mode::Draining | Mode::Over => Vec::new(),
        }
    }

    fn on_start_failed(&mut self, now: Timestamp, feature: FeatureId, failure: StartFailure) -> Vec<Effect> {
        self.starting.remove(&feature);
        self.give_up_test(feature);
        match failure {
            // The store knows more than we do; what it knows is fed before anything is tried again.
            StartFailure::Lost => {
                self.start_after.insert(feature, (now + LOOK_AGAIN, failure));
                Vec::new()
            }
            StartFailure::Crashed => {
                self.back_off(now, feature);
                Vec::new()
            }
        }
    }

    fn on_took(&mut self, session: SessionId, running: Running) -> Vec<Effect> {
        if let Some(held) = self.sessions.get_mut(&session) {
            // Whatever it had before is handed in or over: the store gives one at a time.
            held.running = Some(running);
            self.start_after.remove(&running.feature);
        }
        Vec::new()
    }

    fn on_session_ended(
        &mut self,
        now: Timestamp,
        session: SessionId,
        submitted: &[AttemptId],
        end: SessionEnd,
    ) -> Vec<Effect> {
        let Some(held) = self.sessions.remove(&session) else {
            return Vec::new(); // not of this run: a session that a kill left behind, already judged at the start
        };
        let reported = match &end {
            SessionEnd::Reported { outcome, .. } => Some(outcome),
            SessionEnd::RunnerLost { .. } => None,
        };
        // Also of a session that has handed in what it had: the next one would meet the same account.
        let verdict = reported.and_then(|outcome| self.unavailable.after(outcome));
        let mut effects = self.judge_end(now, held, submitted, end);
        effects.extend(verdict.into_iter().flat_map(|verdict| self.on_stop(now, verdict)));
        effects
    }

    /// Queues or ends what a session was at.
    fn judge_end(
        &mut self,
        now: Timestamp,
        held: Held,
        submitted: &[AttemptId],
        end: SessionEnd,
    ) -> Vec<Effect> {
        // What it handed in before is landing already, and no matter of its end.
        let Some(running) = held.running else { return Vec::new() };
        if submitted.contains(&running.attempt) {
            let before = self.queue.len() + usize::from(self.landing.is_some());
            self.waiting_slots.worked(now.duration_since(held.since).max(SignedDuration::ZERO));
            self.waiting_slots.freed(now, (running.feature, running.attempt), before);
            self.queue.push_back(running);
            return Vec::new();
        }
        let outcome = match end {
            SessionEnd::Reported { confirmed: true, .. } => {
                self.confirm(running.feature);
                AttemptOutcome::Confirmed
            }
            SessionEnd::Reported { outcome, red, confirmed: false } => {
                attempt_outcome(&outcome, red.as_deref())
            }
            SessionEnd::RunnerLost { reason } => AttemptOutcome::Crashed { reason },
        };
        if matches!(outcome, AttemptOutcome::Crashed { .. } | AttemptOutcome::Unavailable { .. }) {
            self.back_off(now, running.feature);
        }
        vec![self.end_attempt(running, outcome)]
    }

    fn end_attempt(&mut self, running: Running, outcome: AttemptOutcome) -> Effect {
        self.unsettled.insert(running.feature);
        Effect::EndAttempt { feature: running.feature, attempt: running.attempt, outcome }
    }

    fn on_deadline(&mut self, Moment { wall, steady }: Moment) -> Vec<Effect> {
        self.start_after.retain(|_, (at, _)| *at > steady);
        self.land_after = self.land_after.filter(|at| *at > steady);
        self.reap_after = self.reap_after.filter(|at| *at > steady);
        self.waiting_slots.on_deadline(steady);
        if self.is_reaping || self.reap_after.is_some() || self.foreign_leases().all(|lease| lease > wall) {
            return Vec::new();
        }
        self.is_reaping = true;
        vec![Effect::Reap]
    }

    fn on_settled(&mut self, feature: FeatureId) -> Vec<Effect> {
        self.unsettled.remove(&feature);
        Vec::new()
    }

    fn on_reaped(&mut self, now: Timestamp) -> Vec<Effect> {
        self.is_reaping = false;
        self.reap_after = Some(now + LOOK_AGAIN);
        Vec::new()
    }

    fn start_ready(&mut self, now: Timestamp) -> Vec<Effect> {
        if !self.starts_sessions() || self.free_slots() == 0 {
            return Vec::new();
        }
        let (chosen, kept) = self.choose(now);
        self.kept = kept;
        self.starting.extend(&chosen);
        chosen.into_iter().map(|feature| Effect::Start { feature }).collect()
    }

    /// Returns what free slots start now, and until when one waits at most, for which landing.
    fn choose(&self, now: Timestamp) -> (Vec<FeatureId>, Option<(Timestamp, FeatureId)>) {
        let free = self.free_slots();
        let mut chosen = Vec::new();
        let startable = self
            .due()
            .filter(|feature| self.is_startable(*feature))
            .filter(|feature| self.start_after.get(feature).is_none_or(|(at, _)| *at <= now));
        for feature in startable.take(free) {
            let kept = self.waiting_slots.kept_from(now, &self.graph, feature);
            if chosen.len() + kept.len() >= free {
                return (chosen, kept.into_iter().min());
            }
            chosen.push(feature);
        }
        (chosen, None)
    }

    /// Returns when the first feature is tried again that waits for nothing else.
    fn next_retry(&self) -> Option<Timestamp> {
        let retries = self.start_after.iter().filter(|(feature, _)| self.is_startable(**feature));
        retries.map(|(_, (at, _))| *at).min()
    }

    fn is_startable(&self, feature: FeatureId) -> bool {
        self.is_due(feature)
            && !self.held_back.contains(&feature)
            && !self.starting.contains(&feature)
            && !self.is_held(feature)
    }

    fn is_held(&self, feature: FeatureId) -> bool {
        self.sessions.values().filter_map(|held| held.running).any(|running| running.feature == feature)
    }

    fn used_slots(&self) -> usize {
        self.starting.len() + self.sessions.len()
    }

    /// The leases of claims that are not ours: a person's session, or one that died unseen.
    fn foreign_leases(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.graph.iter().filter(|node| self.is_foreign(node)).filter_map(|node| node.lease_until)
    }

    /// Returns whether somebody else is at a feature.
    fn is_foreign(&self, node: &NodeView<'_>) -> bool {
        node.status == Status::Claimed
            && !node.submitted
            && !self.is_held(node.id)
            // Those of a moment ago, of which the last word is still to be heard.
            && !self.starting.contains(&node.id)
            && !self.unsettled.contains(&node.id)
            // One of ours, that has taken it at this moment.
            && node.session.is_none_or(|session| !self.sessions.contains_key(&session))
    }

    fn back_off(&mut self, now: Timestamp, feature: FeatureId) {
        let crashes = self.graph.node(feature).map_or(0, |node| node.crashes);
        let doubled = CRASH_BACKOFF * 2_i32.saturating_pow(crashes.min(10));
        let at = now + doubled.min(CRASH_BACKOFF_MAX);
        self.start_after.insert(feature, (at, StartFailure::Crashed));
    }
}

//! Compares batches with one session for each feature: `cargo run --release -p cogwork-tests --bin batches`.
//!
//! The real engine and the real store plan five feature lists in simulated time: nothing is built, no process is
//! started. A feature takes as long as its list says, and so long is what the plan expects. The same numbers come out
//! on any machine.

#![expect(
    clippy::expect_used,
    reason = "a measurement that goes wrong has no result: it stops and says where"
)]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use cogwork_conductor::engine::{Effect, Engine, Event, Landing, SessionEnd, Settings};
use cogwork_conductor::ports::Moment;
use cogwork_schemas::{
    AttemptId, Feature, FeatureId, Isolation, Role, RunOutcome, SessionId, SessionOutcome, Status,
};
use cogwork_store::graph::{Graph, Node, NodeView};
use cogwork_store::{Batch, ImportLimits, Merge, NewSession, Next, Secret, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};

const LISTS: [(&str, &str); 5] = [
    ("app", include_str!("../../data/workloads/app-150.json")),
    ("layered", include_str!("../../data/workloads/layered-120.json")),
    ("critical", include_str!("../../data/workloads/critical-80.json")),
    ("independent", include_str!("../../data/workloads/independent-60.json")),
    ("chain", include_str!("../../data/workloads/chain-30.json")),
];
const BATCH: u32 = 3;
/// Nothing takes a simulated session longer than this.
const LEASE: SignedDuration = SignedDuration::from_hours(1000);

/// What comes on top of the work, in seconds; a feature of the lists takes about one.
#[derive(Clone, Copy)]
struct Costs {
    /// For each session: its workspace, and an agent that reads itself in.
    start_s: f64,
    /// For each feature: the merge and its checks.
    land_s: f64,
}

/// What a plan comes to.
struct Figures {
    sessions: usize,
    makespan_s: f64,
}

fn main() {
    let costs = [
        ("Nothing but the work", Costs { start_s: 0.0, land_s: 0.0 }),
        ("With 0.3 s for each start and 0.05 s for each landing", Costs { start_s: 0.3, land_s: 0.05 }),
    ];
    for (title, costs) in costs {
        println!("{title}; sessions started, and seconds until the last feature landed:\n");
        println!(
            "list              slots   batch of 1      {BATCH}, late        {BATCH}, bound at the start"
        );
        for (name, list) in LISTS {
            for slots in [3, 5] {
                let (alone, late) = (late(list, slots, 1, costs), late(list, slots, BATCH, costs));
                let early = early(list, slots, BATCH as usize, costs);
                let many = features(list).len();
                println!(
                    "{:<18}{slots:>5}   {:>4} {:>7.1}    {:>4} {:>7.1}    {:>4} {:>7.1}",
                    format!("{name}, {many}"),
                    alone.sessions,
                    alone.makespan_s,
                    late.sessions,
                    late.makespan_s,
                    early.sessions,
                    early.makespan_s,
                );
            }
        }
        println!();
    }
}

fn store(list: &str) -> Store {
    let store = Store::in_memory(TimeSource::new(|| Timestamp::UNIX_EPOCH)).expect("a store");
    let list = serde_json::from_str(list).expect("a feature list");
    store.import(&list, &ImportLimits::default()).expect("features");
    store
}

/// Nobody here takes what is not theirs.
fn secret() -> Secret {
    Secret::known("secret")
}

fn features(list: &str) -> Vec<Feature> {
    store(list).features().expect("features")
}

fn seconds(s: f64) -> SignedDuration {
    SignedDuration::from_secs_f64(s)
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Done(SessionId),
    Landed(AttemptId),
}

/// The real engine and store around sessions that only take time.
struct World {
    store: Store,
    engine: Engine,
    settings: Settings,
    costs: Costs,
    now: Timestamp,
    to_come: BinaryHeap<Reverse<(Timestamp, Happening)>>,
    work_s: BTreeMap<FeatureId, f64>,
    /// What each session is at.
    at: BTreeMap<SessionId, cogwork_store::Attempt>,
    /// Sessions that wait for what they handed in.
    waiting: BTreeSet<SessionId>,
    sessions: usize,
    ended: Option<RunOutcome>,
}

fn late(list: &str, slots: usize, batch: u32, costs: Costs) -> Figures {
    let store = store(list);
    let features = store.features().expect("features");
    let settings = Settings { slots, batch, postponements: 1, slot_wait: SignedDuration::ZERO };
    let graph = Graph::new(store.nodes().expect("nodes")).expect("no cycle");
    let mut world = World {
        engine: Engine::new(settings, graph),
        store,
        settings,
        costs,
        now: Timestamp::UNIX_EPOCH,
        to_come: BinaryHeap::new(),
        work_s: features.iter().map(|f| (f.id, f.estimate_s.expect("an estimate"))).collect(),
        at: BTreeMap::new(),
        waiting: BTreeSet::new(),
        sessions: 0,
        ended: None,
    };
    world.feed(Event::Begin);
    while let Some(Reverse((at, happening))) = world.to_come.pop() {
        world.now = at;
        match happening {
            Happening::Done(session) => world.done(session),
            Happening::Landed(attempt) => world.landed(attempt),
        }
    }
    assert_eq!(world.ended, Some(RunOutcome::Complete));
    Figures {
        sessions: world.sessions,
        makespan_s: world.now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64(),
    }
}

impl World {
    fn feed(&mut self, event: Event) {
        let now = Moment { wall: self.now, steady: self.now };
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.engine.step(now, event) {
                match effect {
                    Effect::Start { feature } => events.extend(self.start(feature)),
                    Effect::Integrate { attempt, .. } => {
                        self.later(self.costs.land_s, Happening::Landed(attempt));
                    }
                    Effect::Finish(outcome) => self.ended = Some(outcome),
                    Effect::EndAttempt { .. }
                    | Effect::CloseBatches
                    | Effect::StopSession { .. }
                    | Effect::Reap
                    | Effect::GoOn => unreachable!("nothing goes wrong here"),
                }
            }
        }
    }

    fn later(&mut self, s: f64, happening: Happening) {
        self.to_come.push(Reverse((self.now + seconds(s), happening)));
    }

    fn seen(&self, feature: FeatureId) -> Event {
        Event::Features(self.store.nodes_of(&[feature]).expect("a node"))
    }

    fn start(&mut self, feature: FeatureId) -> [Event; 2] {
        let slots = u32::try_from(self.settings.slots).expect("few");
        let batch = Some(Batch { size: self.settings.batch, slots });
        let new = NewSession { batch, ..NewSession::new(Role::Coding, "none", Isolation::Workspace) };
        let claim = self.store.claim(feature, &new, &secret(), LEASE).expect("it is ready");
        self.sessions += 1;
        self.at.insert(claim.session, self.store.attempt(&claim.token).expect("it lives"));
        self.later(self.costs.start_s + self.work_s[&feature], Happening::Done(claim.session));
        [self.seen(feature), Event::Started { feature, session: claim.session, attempt: claim.attempt }]
    }

    fn done(&mut self, session: SessionId) {
        let attempt = self.at[&session].clone();
        self.store.submit(&secret().token(attempt.id), None, &[]).expect("it lives");
        let seen = self.seen(attempt.feature);
        self.feed(seen);
        self.feed(Event::Submitted { session, attempt: attempt.id });
        self.ask(session);
    }

    fn ask(&mut self, session: SessionId) {
        let token = secret().token(self.at[&session].id);
        match self.store.claim_next(&token, LEASE).expect("it lives") {
            Next::Claimed { feature, claim } => {
                self.waiting.remove(&session);
                self.at.insert(session, self.store.attempt(&claim.token).expect("it lives"));
                self.later(self.work_s[&feature], Happening::Done(session));
                let seen = self.seen(feature);
                self.feed(seen);
                self.feed(Event::Took { session, feature, attempt: claim.attempt });
            }
            Next::Wait => drop(self.waiting.insert(session)),
            Next::Nothing => {
                self.waiting.remove(&session);
                self.store.end_session(session, &SessionOutcome::Completed, 1).expect("it lives");
                let end =
                    SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None, confirmed: false };
                self.feed(Event::SessionEnded { session, submitted: Vec::new(), end });
            }
        }
    }

    /// The engine hears of a landing first, as in a real run; sessions look ten times a second.
    fn landed(&mut self, attempt: AttemptId) {
        let live = self.store.live_attempts().expect("attempts");
        let landed = live.into_iter().find(|live| live.id == attempt).expect("it lives");
        let merge = Merge { commit: None, reports: Vec::new(), merge_ms: 0, check_ms: 0 };
        self.store.land(&secret().token(attempt), &merge).expect("it is green");
        let seen = self.seen(landed.feature);
        self.feed(seen);
        self.feed(Event::Integrated { attempt, landing: Landing::Landed });
        for session in self.waiting.clone() {
            self.ask(session);
        }
    }
}

/// The same with batches that are put together when a session starts: along the chain first, then from the same
/// category, whatever the other slots are doing.
fn early(list: &str, slots: usize, size: usize, costs: Costs) -> Figures {
    let features: BTreeMap<FeatureId, Feature> = features(list).into_iter().map(|f| (f.id, f)).collect();
    let mut graph = Graph::new(store(list).nodes().expect("nodes")).expect("no cycle");
    let mut sessions: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    let mut landings: BinaryHeap<Reverse<(Timestamp, FeatureId)>> = BinaryHeap::new();
    let (mut now, mut started, mut main_free) = (Timestamp::UNIX_EPOCH, 0, Timestamp::UNIX_EPOCH);
    loop {
        while sessions.len() < slots
            && let Some(batch) = bound(&graph, &features, size)
        {
            let mut at = now + seconds(costs.start_s);
            for id in &batch {
                set(&mut graph, *id, Status::Claimed);
                at += seconds(features[id].estimate_s.expect("an estimate"));
                // One landing at a time.
                main_free = main_free.max(at) + seconds(costs.land_s);
                landings.push(Reverse((main_free, *id)));
            }
            sessions.push(Reverse((at, started)));
            started += 1;
        }
        let (end, landing) = (sessions.peek().map(|next| next.0.0), landings.peek().map(|next| next.0.0));
        let Some(next) = [end, landing].into_iter().flatten().min() else { break };
        now = next;
        while landings.peek().is_some_and(|next| next.0.0 <= now) {
            let Some(Reverse((_, id))) = landings.pop() else { break };
            set(&mut graph, id, Status::Passing);
        }
        while sessions.peek().is_some_and(|next| next.0.0 <= now) {
            sessions.pop();
        }
    }
    assert!(graph.iter().all(|node| node.status == Status::Passing));
    Figures { sessions: started, makespan_s: now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64() }
}

fn bound(graph: &Graph, features: &BTreeMap<FeatureId, Feature>, size: usize) -> Option<Vec<FeatureId>> {
    let first = graph.ready().next()?;
    let mut batch = vec![first];
    let comes = |batch: &[FeatureId], node: &NodeView<'_>| {
        let is_there = |id: &FeatureId| {
            batch.contains(id) || graph.node(*id).is_some_and(|node| node.status == Status::Passing)
        };
        node.status == Status::Pending
            && !batch.contains(&node.id)
            && node.dependencies.iter().any(|id| batch.contains(id))
            && node.dependencies.iter().all(is_there)
    };
    while batch.len() < size
        && let Some(next) = graph.iter().find(|node| comes(&batch, node)).map(|node| node.id)
    {
        batch.push(next);
    }
    let category = &features[&first].category;
    let kin = graph.ready().filter(|id| features[id].category == *category && !batch.contains(id));
    let room = size - batch.len();
    let kin: Vec<_> = kin.take(room).collect();
    batch.extend(kin);
    Some(batch)
}

fn set(graph: &mut Graph, id: FeatureId, status: Status) {
    let node = Node::from(graph.node(id).expect("it is there"));
    graph.upsert(Node { status, ..node });
}

//! Compares freed slots that wait for the landing of their work with slots that are given away at once:
//! `cargo run --release -p cogwork-tests --bin slots`.
//!
//! The real engine plans feature lists in simulated time: nothing is built, no process is started. A feature takes as
//! long as its list says, and a landing as long as the heading says. The same numbers come out on any machine.

#![expect(
    clippy::expect_used,
    reason = "a measurement that goes wrong has no result: it stops and says where"
)]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cogwork_conductor::engine::{Effect, Engine, Event, Landing, SessionEnd, Settings};
use cogwork_conductor::ports::Moment;
use cogwork_schemas::{AttemptId, FeatureId, RunOutcome, SessionId, SessionOutcome, Status};
use cogwork_store::graph::{Graph, Node};
use cogwork_store::{ImportLimits, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};

const LISTS: [(&str, &str); 4] = [
    ("critical", include_str!("../../data/workloads/critical-80.json")),
    ("layered", include_str!("../../data/workloads/layered-120.json")),
    ("app", include_str!("../../data/workloads/app-150.json")),
    ("independent", include_str!("../../data/workloads/independent-60.json")),
];
const SLOTS: [usize; 2] = [3, 5];
/// Seconds of a landing, for features of about ten seconds: a merge and quick checks.
const LANDINGS_S: [f64; 2] = [0.1, 0.5];
/// The lists have features of about a second; so long makes them ten.
const STRETCH: f64 = 10.0;
/// The longest that a slot waits in a run.
const SLOT_WAIT: SignedDuration = SignedDuration::from_secs(5);

fn main() {
    println!("seconds until the last feature landed; a slot is given away at once, or waits:\n");
    println!("list              slots   landing    at once      waits    saved");
    let lists = LISTS.map(|(name, list)| (name.to_owned(), nodes(list)));
    for (name, nodes) in lists.into_iter().chain([("decoys".to_owned(), decoys())]) {
        for slots in SLOTS {
            for landing_s in LANDINGS_S {
                let [at_once, waits] = [SignedDuration::ZERO, SLOT_WAIT]
                    .map(|slot_wait| makespan_s(&nodes, slots, landing_s, slot_wait));
                let saved = (at_once - waits) / at_once * 100.0;
                let label = format!("{name}, {}", nodes.len());
                println!(
                    "{label:<18}{slots:>5}   {landing_s:>5.1} s   {at_once:>8.1}   {waits:>8.1}   {saved:>4.1} %"
                );
            }
        }
    }
}

fn nodes(list: &str) -> Vec<Node> {
    let store = Store::in_memory(TimeSource::new(|| Timestamp::UNIX_EPOCH)).expect("a store");
    let list = serde_json::from_str(list).expect("a feature list");
    store.import(&list, &ImportLimits::default()).expect("features");
    let stretched = |node: Node| Node { estimate_s: node.estimate_s.map(|s| s * STRETCH), ..node };
    store.nodes().expect("nodes").into_iter().map(stretched).collect()
}

/// A chain that decides how long the run takes, beside features that are always ready: whoever gives a slot to one of
/// these a moment before the chain goes on makes it wait for all of that.
fn decoys() -> Vec<Node> {
    let chain = (1..=20).map(|id| {
        let dependencies = (id > 1).then(|| FeatureId(id - 1)).into_iter().collect();
        Node { dependencies, estimate_s: Some(10.0), ..Node::new(FeatureId(id)) }
    });
    let others = (21..=60).map(|id| Node { estimate_s: Some(12.0), ..Node::new(FeatureId(id)) });
    chain.chain(others).collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ends(FeatureId),
    Lands(FeatureId),
}

/// The real engine around sessions and landings that only take time.
struct World {
    engine: Engine,
    landing_s: f64,
    now: Timestamp,
    to_come: BinaryHeap<Reverse<(Timestamp, Happening)>>,
    ended: Option<RunOutcome>,
}

fn makespan_s(nodes: &[Node], slots: usize, landing_s: f64, slot_wait: SignedDuration) -> f64 {
    let settings = Settings { slots, batch: 1, postponements: 1, slot_wait };
    let graph = Graph::new(nodes.iter().cloned()).expect("no cycle");
    let mut world = World {
        engine: Engine::new(settings, graph),
        landing_s,
        now: Timestamp::UNIX_EPOCH,
        to_come: BinaryHeap::new(),
        ended: None,
    };
    world.feed(Event::Begin);
    while world.ended.is_none() {
        let next = world.to_come.peek().map(|Reverse((at, _))| *at);
        match world.engine.next_deadline().steady {
            Some(deadline) if next.is_none_or(|next| deadline < next) => {
                world.now = world.now.max(deadline);
                world.feed(Event::Deadline);
            }
            Some(_) | None => world.go_on(),
        }
    }
    assert_eq!(world.ended, Some(RunOutcome::Complete));
    world.now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

impl World {
    fn go_on(&mut self) {
        let Reverse((at, happening)) = self.to_come.pop().expect("something goes on");
        self.now = at;
        match happening {
            Happening::Ends(feature) => {
                let end =
                    SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None, confirmed: false };
                let (session, submitted) = (SessionId(feature.0), vec![AttemptId(feature.0)]);
                self.feed(Event::SessionEnded { session, submitted, end });
            }
            Happening::Lands(feature) => {
                self.set(feature, Status::Passing);
                let attempt = AttemptId(feature.0);
                self.feed(Event::Integrated { attempt, landing: Landing::Landed });
            }
        }
    }

    fn feed(&mut self, event: Event) {
        let now = Moment { wall: self.now, steady: self.now };
        for effect in self.engine.step(now, event) {
            match effect {
                Effect::Start { feature } => self.start(feature),
                Effect::Integrate { feature, .. } => self.later(self.landing_s, Happening::Lands(feature)),
                Effect::Finish(outcome) => self.ended = Some(outcome),
                Effect::EndAttempt { .. }
                | Effect::CloseBatches
                | Effect::StopSession { .. }
                | Effect::Reap
                | Effect::GoOn => unreachable!("nothing goes wrong here"),
            }
        }
    }

    fn start(&mut self, feature: FeatureId) {
        self.set(feature, Status::Claimed);
        let (session, attempt) = (SessionId(feature.0), AttemptId(feature.0));
        self.feed(Event::Started { feature, session, attempt });
        let node = self.engine.graph().node(feature).expect("it is there");
        self.later(node.estimate_s.expect("an estimate"), Happening::Ends(feature));
    }

    fn set(&mut self, feature: FeatureId, status: Status) {
        let node = Node::from(self.engine.graph().node(feature).expect("it is there"));
        self.feed(Event::Features(vec![Node { status, ..node }]));
    }

    fn later(&mut self, s: f64, happening: Happening) {
        self.to_come.push(Reverse((self.now + SignedDuration::from_secs_f64(s), happening)));
    }
}

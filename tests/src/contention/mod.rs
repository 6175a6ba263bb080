//! Many servers on one database: real `cogwork-mcp` processes, each with a client that claims, passes, creates and
//! adds dependencies, while some of them are killed.
//!
//! It owns the storm, its clients and their books. The books are kept from the answers alone and compared with the
//! database and its journal only when all is over: a server is never asked whether it was right. It never looks
//! into a server, and kills none but its own.

#![expect(
    clippy::expect_used,
    reason = "a storm that cannot be raised has no result: it stops and says where"
)]
#![expect(clippy::disallowed_methods, reason = "it starts the servers, kills some and measures all")]
#![expect(clippy::wildcard_enum_match_arm, reason = "it picks the few facts that it compares")]

mod books;
mod client;
mod judgement;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cogwork_schemas::{FeatureList, Status};
use cogwork_store::{ImportLimits, Store, TimeSource};
use jiff::Timestamp;
use serde_json::json;

use books::Books;
use client::Client;
use server::Slot;

pub use judgement::{Outcome, Violation};

/// How often the storm looks at the database and at what is due.
const LOOK: Duration = Duration::from_millis(5);

/// A storm that is not over by then has a reason that somebody should look at.
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls that one feature costs, about: to know when a random moment of the storm has come.
const CALLS_PER_FEATURE: usize = 4;

/// What is to happen.
#[derive(Debug, Clone)]
pub struct Storm {
    /// The program that is `cogwork-mcp` when its first word is `mcp`.
    pub program: PathBuf,
    /// Servers at any time.
    pub processes: usize,
    /// Features when all is over: half of them are there before, the others are made by the clients.
    pub features: usize,
    /// Servers killed at random moments; each has a successor.
    pub kills: usize,
    /// How long a claim outlives its server.
    pub lease: Duration,
    /// The longest time for which a client does nothing before a call.
    pub pause: Duration,
    pub seed: u64,
}

/// What the coordinator and all clients share.
struct Shared<'a> {
    storm: &'a Storm,
    project: &'a Path,
    books: Books,
    /// One for each client.
    slots: Vec<Slot>,
    /// How many features are still to be made.
    unmade: AtomicUsize,
    over: AtomicBool,
}

impl Storm {
    /// Raises the storm on a new project in an empty directory, waits until every feature passes, and judges.
    pub fn raise(&self, project: &Path) -> Outcome {
        let store = Store::create(project, TimeSource::new(Timestamp::now)).expect("a project");
        let there = self.features / 2;
        store.import(&first_features(there), &ImportLimits::default()).expect("features");
        let shared = Shared {
            storm: self,
            project,
            books: Books::default(),
            slots: (0..self.processes).map(|_| Slot::default()).collect(),
            unmade: AtomicUsize::new(self.features - there),
            over: AtomicBool::new(false),
        };
        let begin = Instant::now();
        let elapsed = Mutex::new(Duration::ZERO);
        std::thread::scope(|scope| {
            for number in 0..self.processes {
                let client = Client::new(&shared, number);
                scope.spawn(move || client.run());
            }
            coordinate(&shared, &store, begin);
            *elapsed.lock().expect("one thread") = begin.elapsed();
            shared.over.store(true, Ordering::Relaxed);
        });
        let elapsed = elapsed.into_inner().expect("one thread");
        judgement::judge(self, &store, &shared.books, elapsed)
    }
}

/// Features in short chains; every fourth has a check that is green at once.
fn first_features(count: usize) -> FeatureList {
    let features: Vec<_> = (0..count)
        .map(|n| {
            let checks: &[&str] = if n % 4 == 0 { &["true"] } else { &[] };
            let after: Vec<String> = if n % 3 == 0 && n >= 7 { vec![format!("first-{}", n - 7)] } else { vec![] };
            json!({"key": format!("first-{n}"), "name": format!("First {n}"), "checks": checks, "dependencies": after})
        })
        .collect();
    serde_json::from_value(json!({"features": features})).expect("a list")
}

/// Kills servers when their moments have come, until everything passes.
fn coordinate(shared: &Shared<'_>, store: &Store, begin: Instant) {
    let mut rng = fastrand::Rng::with_seed(shared.storm.seed);
    let calls = shared.storm.features * CALLS_PER_FEATURE;
    let mut moments: Vec<usize> =
        (0..shared.storm.kills).map(|_| rng.usize(calls / 20..calls * 3 / 4)).collect();
    moments.sort_unstable_by(|a, b| b.cmp(a));
    while !finished(shared, store) {
        if begin.elapsed() > PATIENCE {
            shared.over.store(true, Ordering::Relaxed);
            shared.slots.iter().for_each(Slot::end);
            return;
        }
        while moments.last().is_some_and(|moment| shared.books.calls() >= *moment) {
            // Every second one while it holds a claim, so that there is something to recover in every storm.
            let holding = moments.len() % 2 == 1;
            if !kill_one(shared, &mut rng, holding) {
                break;
            }
            moments.pop();
        }
        std::thread::sleep(LOOK);
    }
}

/// Kills one server; false when there is none of that kind at this moment.
fn kill_one(shared: &Shared<'_>, rng: &mut fastrand::Rng, holding: bool) -> bool {
    let mut order: Vec<usize> = (0..shared.slots.len()).collect();
    rng.shuffle(&mut order);
    order.into_iter().any(|index| shared.slots[index].kill(&shared.books, holding))
}

fn finished(shared: &Shared<'_>, store: &Store) -> bool {
    let nodes = store.nodes().expect("the features");
    nodes.len() == shared.storm.features && nodes.iter().all(|node| node.status == Status::Passing)
}

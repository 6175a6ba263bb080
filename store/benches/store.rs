//! What the store's operations cost, inside one process and without the protocol: `cargo bench -p cogwork-store`.
//!
//! Each on a file as projects have it, on this machine's disk. The figures through the real server come from
//! `mcp-numbers` in the crate `tests`.

#![expect(clippy::disallowed_methods, reason = "a measurement is a driver: it reads the clock")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that goes wrong has no result: it stops and says where"
)]

use std::cell::Cell;

use cogwork_schemas::{FeatureId, Isolation, ListedFeature, Role};
use cogwork_store::graph::{Graph, Node};
use cogwork_store::{Claim, ImportLimits, Merge, NewFeature, NewSession, Secret, Store, TimeSource};
use divan::Bencher;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

const SIZES: [usize; 2] = [10_000, 100_000];
/// Layers of a plan: each feature depends on two of the layer below, the lowest is ready.
const LAYERS: usize = 10;

fn clock() -> TimeSource {
    TimeSource::new(Timestamp::now)
}

fn main() {
    divan::main();
}

/// A project on disk, in a directory of its own.
struct Project {
    dir: TempDir,
    store: Store,
}

impl Project {
    fn with(items: &[NewFeature]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path(), clock()).unwrap();
        if !items.is_empty() {
            create(&store, items);
        }
        Self { dir, store }
    }

    /// Opens it as another process would.
    fn again(&self) -> Store {
        Store::open(self.dir.path(), clock()).unwrap()
    }
}

fn layered(size: usize) -> Vec<NewFeature> {
    let width = size / LAYERS;
    items(size, |place| {
        let (layer, column) = (place / width, place % width);
        match layer.checked_sub(1) {
            Some(below) => vec![below * width + column, below * width + (column * 7 + layer) % width],
            None => Vec::new(),
        }
    })
}

fn chain(length: usize) -> Vec<NewFeature> {
    items(length, |place| place.checked_sub(1).into_iter().collect())
}

fn items(size: usize, below: impl Fn(usize) -> Vec<usize>) -> Vec<NewFeature> {
    (0..size).map(|place| NewFeature { listed: listed(place), depends_on_items: below(place) }).collect()
}

fn listed(place: usize) -> ListedFeature {
    ListedFeature {
        id: None,
        key: None,
        priority: None,
        category: format!("area {}", place % 12),
        name: format!("A person can do thing number {place}"),
        description: format!("This feature lets a person do thing number {place}. ").repeat(4),
        steps: vec!["Open the main screen.".to_owned(), "Do the thing twice.".to_owned()],
        checks: Vec::new(),
        dependencies: Vec::new(),
        estimate_s: None,
    }
}

fn create(store: &Store, items: &[NewFeature]) {
    store.create_features(items, &ImportLimits::default(), None).unwrap();
}

fn claim(store: &Store, id: FeatureId) -> Claim {
    let new = NewSession::new(Role::Coding, "bench", Isolation::Shared);
    store.claim(id, &new, &Secret::random().unwrap(), SignedDuration::from_mins(10)).unwrap()
}

/// Returns a function that gives another number in each call, from 1 and up to `last`.
fn counter(last: usize) -> impl Fn() -> FeatureId {
    let next = Cell::new(0);
    move || {
        next.set(next.get() % i64::try_from(last).unwrap() + 1);
        FeatureId(next.get())
    }
}

fn ids(size: usize) -> i64 {
    i64::try_from(size).unwrap()
}

#[divan::bench(args = SIZES, sample_count = 50, sample_size = 1)]
fn open(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    bencher.bench_local(|| project.again());
}

#[divan::bench(args = SIZES)]
fn feature(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    let next = counter(size);
    bencher.bench_local(|| project.store.feature(next()).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 300, sample_size = 1)]
fn claim_submit_land(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    let next = counter(size / LAYERS);
    let merge = Merge { commit: None, reports: Vec::new(), merge_ms: 0, check_ms: 0 };
    bencher.bench_local(|| {
        let claim = claim(&project.store, next());
        project.store.submit(&claim.token, None, &[]).unwrap();
        project.store.land(&claim.token, &merge).unwrap()
    });
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn ready_cold(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    bencher
        .with_inputs(|| project.again())
        .bench_local_values(|store| store.graph().unwrap().ready().take(10).count());
}

#[divan::bench(args = SIZES, sample_count = 300, sample_size = 1)]
fn ready_after_a_change_elsewhere(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    let other = project.again();
    let next = counter(size / LAYERS);
    project.store.graph().unwrap();
    bencher
        .with_inputs(|| claim(&other, next()))
        .bench_local_values(|_| project.store.graph().unwrap().ready().take(10).count());
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn search(bencher: Bencher<'_, '_>, size: usize) {
    let project = Project::with(&layered(size));
    bencher.bench_local(|| project.store.search("thing 99", None).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn create_features(bencher: Bencher<'_, '_>, size: usize) {
    let items = layered(size);
    bencher.with_inputs(|| Project::with(&[])).bench_local_values(|project| {
        create(&project.store, &items);
        project
    });
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn add_dependency_on_a_chain_of_10_000(bencher: Bencher<'_, '_>) {
    let project = Project::with(&chain(10_000));
    let next = counter(1_000);
    bencher.bench_local(|| {
        let (below, above) = (next(), FeatureId(10_000 - next().0));
        project.store.add_dependency(above, below, &ImportLimits::default()).unwrap()
    });
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn add_dependency_that_closes_a_chain_of_10_000(bencher: Bencher<'_, '_>) {
    let project = Project::with(&chain(10_000));
    bencher.bench_local(|| {
        project.store.add_dependency(FeatureId(1), FeatureId(10_000), &ImportLimits::default()).unwrap_err()
    });
}

fn nodes(size: usize) -> Vec<Node> {
    let width = ids(size / LAYERS);
    let node = |id: i64| {
        let (layer, column) = ((id - 1) / width, (id - 1) % width);
        let below = |column: i64| FeatureId((layer - 1) * width + column % width + 1);
        Node {
            dependencies: if layer == 0 {
                Vec::new()
            } else {
                vec![below(column), below(column * 7 + layer)]
            },
            priority: id,
            ..Node::new(FeatureId(id))
        }
    };
    (1..=ids(size)).map(node).collect()
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn graph_new(bencher: Bencher<'_, '_>, size: usize) {
    bencher.with_inputs(|| nodes(size)).bench_local_values(|nodes| Graph::new(nodes).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn graph_first_ready(bencher: Bencher<'_, '_>, size: usize) {
    bencher.with_inputs(|| Graph::new(nodes(size)).unwrap()).bench_local_values(|graph| {
        assert_eq!(graph.ready().take(10).count(), 10);
        graph
    });
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn graph_all_ready(bencher: Bencher<'_, '_>, size: usize) {
    bencher.with_inputs(|| Graph::new(nodes(size)).unwrap()).bench_local_values(|graph| {
        assert_eq!(graph.ready_in_order().len(), size / LAYERS);
        graph
    });
}

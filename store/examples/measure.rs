#![allow(clippy::all, clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]
use std::time::Instant;
use cogwork_schemas::*;
use cogwork_store::*;
use cogwork_store::graph::*;
use jiff::{Timestamp, SignedDuration};
fn main() {
    let now = Timestamp::UNIX_EPOCH;
    for size in [10_000i64, 100_000] {
        let dir = tempfile::tempdir().unwrap();
        let features: Vec<ListedFeature> = (1..=size).map(|id| ListedFeature { id: Some(id), key: Some(format!("k{id}")), category: "c".into(), name: format!("feature {id}"), description: "d".repeat(200), steps: vec!["a".into(), "b".into()], checks: vec![Check::new("t")],
            dependencies: if id > 100 { vec![DependencyRef::Id(id - 100 + (id*7)%50), DependencyRef::Id(id - 100)] } else { vec![] }, priority: None, estimate_s: Some((id % 17) as f64) }).collect();
        let list = FeatureList { features };
        let store = Store::create(dir.path(), now).unwrap();
        let t = Instant::now();
        let n = store.import(now, &list, &ImportLimits::default()).unwrap().created.len();
        println!("{size}: import {n} {:?}", t.elapsed());
        let t = Instant::now(); store.import(now, &list, &ImportLimits::default()).unwrap(); println!("  again {:?}", t.elapsed());
        let t = Instant::now(); store.features().unwrap(); println!("  features {:?}", t.elapsed());
        let t = Instant::now(); let nodes = store.nodes().unwrap(); println!("  nodes {:?}", t.elapsed());
        let t = Instant::now(); let mut g = Graph::new(nodes).unwrap(); println!("  graph {:?}", t.elapsed());
        let t = Instant::now(); let r = g.ready_in_order(); println!("  first order {:?} {}", t.elapsed(), r.len());
        let t = Instant::now(); let c = g.critical_path_s(); println!("  critical {:?} {c}", t.elapsed());
        let t = Instant::now(); let h = g.hold(FeatureId(size)); println!("  hold {:?} {}", t.elapsed(), matches!(h, Some(Hold::Blocked{..})));
        let t = Instant::now();
        for _ in 0..size { let id = g.ready().next().unwrap(); let mut n = g.node(id).unwrap().clone(); n.status = Status::Claimed; n.session=Some(SessionId(1)); g.upsert(n.clone()); g.ready_in_order(); n.status = Status::Passing; g.upsert(n); g.ready_in_order(); }
        println!("  whole run, 2 events per feature: {:?}", t.elapsed());
        let new = NewSession { role: Role::Coding, agent: "x".into(), isolation: Isolation::Shared };
        let t = Instant::now();
        for id in 1..=100 { store.claim(now, FeatureId(id), &new, SignedDuration::from_secs(9)).unwrap(); }
        println!("  claim {:?}", t.elapsed() / 100);
        let t = Instant::now();
        let e = store.claim(now, FeatureId(size), &new, SignedDuration::from_secs(9)).unwrap_err();
        println!("  refused {:?} {}", t.elapsed(), e.to_string().len());
        let t = Instant::now(); Store::open(dir.path()).unwrap(); println!("  open {:?}", t.elapsed());
        let wide = (1..=size).map(|id| Node::new(FeatureId(id)));
        let t = Instant::now(); let g = Graph::new(wide).unwrap(); println!("  wide graph {:?}", t.elapsed());
        let t = Instant::now(); let r = g.ready_in_order(); println!("  wide first {:?} {}", t.elapsed(), r.len());
        let t = Instant::now(); let r = g.ready_in_order(); println!("  wide again {:?} {}", t.elapsed(), r.len());
        // half ready, each unblocking a lot
        let half = size / 2;
        let two = (1..=size).map(|id| Node { dependencies: if id > half { (0..10).map(|k| FeatureId(1 + (id * 31 + k * 977) % half)).collect() } else { vec![] }, ..Node::new(FeatureId(id)) });
        let g = Graph::new(two).unwrap();
        let t = Instant::now(); let r = g.ready_in_order(); println!("  bipartite first {:?} {}", t.elapsed(), r.len());
        let hubs = (1..=size).map(|id| Node { dependencies: if id > half + 1 { vec![FeatureId(half+1)] } else if id == half + 1 { (1..=half).map(FeatureId).collect() } else { vec![] }, ..Node::new(FeatureId(id)) });
        let g = Graph::new(hubs).unwrap();
        let t = Instant::now(); let r = g.ready_in_order(); println!("  hub first {:?} {}", t.elapsed(), r.len());
    }
}

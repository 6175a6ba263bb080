//! The graph that a store keeps must never differ from one that is built from nothing.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, FeatureId, Isolation, RunOutcome, SessionOutcome, Status};
use cogwork_store::graph::{Graph, Node};
use cogwork_store::{AttemptLimits, Claim, ImportLimits, NewFeature, Store, StoreError};
use fastrand::Rng;

use crate::fixture::*;

/// Returns all that a graph says, but for leases: their renewal is no news.
fn said(graph: &Graph) -> impl PartialEq + std::fmt::Debug {
    let nodes: Vec<Node> = graph.iter().map(|node| Node { lease_until: None, ..node.into() }).collect();
    let holds: Vec<_> = nodes.iter().map(|node| graph.hold(node.id)).collect();
    let dependents: Vec<_> = nodes.iter().map(|node| graph.dependents(node.id)).collect();
    (graph.ready_in_order(), graph.counts(), graph.critical_path_s(), nodes, holds, dependents)
}

#[track_caller]
fn check(store: &Store, when: impl std::fmt::Display) {
    let anew = Graph::new(store.nodes().unwrap()).unwrap();
    assert_eq!(said(&store.graph().unwrap()), said(&anew), "{when}");
}

/// Everything that can be done to a project, in any order and mostly at the wrong moment.
struct Doer {
    rng: Rng,
    claims: Vec<Claim>,
    second: i64,
    /// How many of the deeds succeeded.
    done: BTreeMap<&'static str, u32>,
}

impl Doer {
    fn id(&mut self, store: &Store) -> FeatureId {
        let last = store.features().unwrap().last().map_or(0, |feature| feature.id.0);
        FeatureId(self.rng.i64(1..=last + 1))
    }

    fn do_something(&mut self, store: &Store) {
        self.second += self.rng.i64(0..4);
        let store = store.at(self.second);
        let (id, other) = (self.id(store), self.id(store));
        let limits = ImportLimits::default();
        let once = AttemptLimits { attempts: 1, ..LIMITS };
        // Mostly one of the last: older ones have ended.
        let recent = self.claims.len().saturating_sub(3);
        let claim = self.claims.get(self.rng.usize(recent..=self.claims.len())).cloned();
        let token = claim.as_ref().map(|claim| &claim.token);
        let by_token = |write: &dyn Fn(&cogwork_schemas::Token) -> Result<(), StoreError>| match token {
            Some(token) => write(token),
            None => Err(StoreError::Misuse { what: "nothing is claimed" }),
        };
        let (name, result) = match self.rng.u32(0..26) {
            0 | 1 => ("create", {
                let text = format!(
                    r#"{{"name": "New", "dependencies": [{}], "estimate_s": {}}}"#,
                    id.0,
                    self.second % 7
                );
                let item =
                    NewFeature::from(serde_json::from_str::<cogwork_schemas::ListedFeature>(&text).unwrap());
                store.create_features(&[item], &limits, None).map(drop)
            }),
            2..=4 => ("add", store.add_dependency(id, other, &limits).map(drop)),
            5 => ("remove", store.remove_dependency(id, other).map(drop)),
            6 => ("set", store.set_dependencies(id, &[other], &limits).map(drop)),
            7 => ("skip", store.skip(id, token, None).map(drop)),
            8 => ("delete", store.delete_feature(id).map(drop)),
            9..=13 => (
                "claim",
                store.claim(id, &session(Isolation::Shared), &secret(), LEASE).map(|claim| {
                    self.claims.push(claim);
                }),
            ),
            14 => {
                let passing =
                    store.features().unwrap().into_iter().find(|feature| feature.status == Status::Passing);
                let id = passing.map_or(id, |feature| feature.id);
                let claimed = store.inspect(id, &session(Isolation::Shared), &secret(), LEASE);
                ("inspect", claimed.map(|claim| self.claims.push(claim)))
            }
            15 => ("report", by_token(&|token| store.report_failing(token, "broken").map(drop))),
            16 => ("renew", by_token(&|token| renew(store, token))),
            17 | 18 => ("submit", by_token(&|token| store.submit(token, Some("c"), &[]).map(drop))),
            19 | 20 => ("land", by_token(&|token| store.land(token, &merge("m", Vec::new())).map(drop))),
            21 => ("end", by_token(&|token| store.end_attempt(token, &not_finished(), &once).map(drop))),
            22 => ("ask", by_token(&|token| store.ask_human(token, &question()))),
            23 => ("answer", {
                let answers = BTreeMap::from([("colour".to_owned(), Answer::Text("red".to_owned()))]);
                store.answer_human(id, &answers)
            }),
            24 => ("retry", store.retry(id)),
            _ => ("sundries", {
                let run = store.begin_run(&run()).unwrap();
                let session = claim.as_ref().map_or(NOBODY, |claim| claim.session);
                store.end_run(run, &RunOutcome::Complete).unwrap();
                store.reap(&LIMITS).unwrap();
                store
                    .session_up(session, &process())
                    .and_then(|()| store.end_session(session, &SessionOutcome::Completed, 1))
            }),
        };
        if result.is_ok() {
            *self.done.entry(name).or_default() += 1;
        }
    }
}

#[test]
fn the_kept_graph_is_the_one_that_is_there() {
    let mut all_done: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let stores =
            [Store::create(dir.path(), clock_at(0)).unwrap(), Store::open(dir.path(), clock()).unwrap()];
        stores[0]
            .at(0)
            .import(&list(&[r#"{"name": "First"}"#; 12].join(",")), &ImportLimits::default())
            .unwrap();
        let rng = Rng::with_seed(seed);
        let mut doer = Doer { rng, claims: Vec::new(), second: 0, done: BTreeMap::new() };
        for turn in 0..400 {
            let writer = doer.rng.usize(0..2);
            doer.do_something(&stores[writer]);
            // One looks often, the other seldom and finds much to read.
            if doer.rng.bool() {
                check(&stores[0], format_args!("seed {seed}, turn {turn}"));
            }
            if doer.rng.u32(0..20) == 0 {
                check(&stores[1], format_args!("seed {seed}, turn {turn}, the other"));
            }
        }
        for (name, count) in doer.done {
            *all_done.entry(name).or_default() += count;
        }
    }
    assert_eq!(all_done.len(), 17, "some were never done: {all_done:?}");
}

#[test]
fn a_graph_in_the_hand_stays_what_it_was() {
    both(|store| {
        let before = store.graph().unwrap();
        claim(store, 1, BASE);
        assert!(before.is_ready(BASE));
        assert!(!store.graph().unwrap().is_ready(BASE));
    });
}

/// A refusal undoes its transaction, and what the graph saw inside it must not be taken for the truth.
#[test]
fn a_refused_change_leaves_the_graph_as_it_is() {
    both(|store| {
        let error = store.at(1).add_dependency(BASE, TOP, &ImportLimits::default()).unwrap_err();
        let StoreError::Cycle(cycle) = error else { panic!("{error:?}") };
        assert_eq!(cycle.path, [BASE, TOP, BASE]);
        check(store, "after the refusal");
        store.at(2).add_dependency(PROSE, TOP, &ImportLimits::default()).unwrap();
        check(store, "after the next change");
        assert_eq!(store.graph().unwrap().dependents(TOP), [PROSE]);
    });
}

//! The store against a simple model: random calls, good and bad, on two connections to one file in turn. After each
//! of them the answer, and everything that can be read, is what the model says.
//!
//! `PROPTEST_CASES` asks for more of it than the ordinary run has; what it finds is kept as a seed beside this file
//! and tried first the next time.

mod op;
mod plan;
mod rules;
mod state;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cogwork_schemas::{AttemptId, CheckPhase, FeatureId, Isolation, RunOutcome, SessionOutcome, Token};
use cogwork_store::graph::Graph;
use cogwork_store::{AttemptLimits, Claim, ImportLimits, Merge, Secret, Store, StoreError};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tempfile::TempDir;

use crate::fixture::{At, clock, clock_at, run, session};
use op::{Op, Step, Tok};
use state::{State, Told};
use words::{answers, commit, features, identity, question, refusal, reports};

/// Cases of the ordinary run: some seconds.
const CASES: u32 = 24;

/// A failure is told when this is over, however large its case still is.
const SHRINKING_MS: u32 = 30_000;

struct Model;

impl ReferenceStateMachine for Model {
    type State = State;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<State> {
        let mut state = State::empty();
        state.take(&op::first());
        Just(state).boxed()
    }

    fn transitions(state: &State) -> BoxedStrategy<Step> {
        op::step(state)
    }

    fn apply(mut state: State, step: &Step) -> State {
        state.take(step);
        state
    }
}

/// Two connections to one file, and the tokens that they gave out.
struct Pair {
    stores: [Store; 2],
    tokens: BTreeMap<Tok, Token>,
    /// How many calls were made.
    calls: u32,
    _dir: TempDir,
}

impl Pair {
    fn token(&self, number: Tok) -> Token {
        let unknown = || Token::new(format!("{number}-00112233445566778899aabbccddeeff"));
        self.tokens.get(&number).cloned().unwrap_or_else(unknown)
    }

    /// Makes the call and returns what the store said. Now and then the answer is lost: then the same call is made again,
    /// on the other connection, and has to be told the same.
    fn told(&mut self, step: &Step, second: i64) -> Result<String, StoreError> {
        self.calls += 1;
        let call = format!("call {}", self.calls);
        let first = self.make(step, second, &call);
        if step.lost {
            let again = self.make(&Step { second: !step.second, ..step.clone() }, second, &call);
            let plain = |said: &Result<String, StoreError>| {
                let said = said.as_ref().map(|said| said.replace("repeated: true", "repeated: false"));
                said.map_err(|error| format!("{error:?}"))
            };
            assert_eq!(plain(&again), plain(&first), "{step:?}");
        }
        first
    }

    fn make(&mut self, step: &Step, second: i64, call: &str) -> Result<String, StoreError> {
        let store = self.stores[usize::from(step.second)].at(second);
        let mut won = None;
        let said = store.once(call, |store| self.asked(store, &step.op, &Secret::known(call), &mut won));
        self.tokens.extend(won);
        said
    }

    fn asked(
        &self,
        store: &Store,
        op: &Op,
        secret: &Secret,
        won: &mut Option<(Tok, Token)>,
    ) -> Result<String, StoreError> {
        let mut keep = |claim: Result<Claim, StoreError>| {
            let claim = claim?;
            *won = Some((claim.attempt.0, claim.token));
            Ok(format!("{:?} {:?} {}", claim.session, claim.attempt, claim.number))
        };
        let lease = |seconds: &i64| SignedDuration::from_secs(*seconds);
        let limits = |limit: &usize| ImportLimits { dependencies: *limit, ..ImportLimits::default() };
        let model = |isolation| cogwork_store::NewSession { agent: "model".to_owned(), ..session(isolation) };
        match op {
            Op::Create { items, call, dependencies } => {
                let call = call.map(|call| format!("call {call}"));
                said(store.create_features(&features(items), &limits(dependencies), call.as_deref()))
            }
            Op::Claim { feature, isolation, lease: seconds } => {
                let claim = store.claim(*feature, &model(*isolation), secret, lease(seconds));
                keep(claim)
            }
            Op::Inspect { feature, lease: seconds } => {
                let claim = store.inspect(*feature, &model(Isolation::Workspace), secret, lease(seconds));
                keep(claim)
            }
            Op::Renew { token, lease: seconds } => {
                said(store.renew(&[self.token(*token)], lease(seconds)).map(|stale| stale.is_empty()))
            }
            Op::RecordBefore { token, reports: given } => {
                said(store.record_before(&self.token(*token), Some("c0"), &reports(given)))
            }
            Op::RecordChecks { token, reports: given } => {
                let (token, given) = (self.token(*token), reports(given));
                said(store.record_checks(&token, CheckPhase::After, Some("c1"), &given))
            }
            Op::Submit { token, commit: number, reports: given } => {
                let commit = commit(*number);
                said(store.submit(&self.token(*token), commit.as_deref(), &reports(given)))
            }
            Op::Land { token, reports: given } => {
                let merge =
                    Merge { commit: commit(Some(9)), reports: reports(given), merge_ms: 3, check_ms: 4 };
                said(store.land(&self.token(*token), &merge))
            }
            Op::Finish { token, commit: number, reports: given } => {
                let commit = commit(*number);
                said(store.finish(&self.token(*token), commit.as_deref(), &reports(given), 5))
            }
            Op::End { token, outcome, attempts, crashes } => {
                let limits = AttemptLimits { attempts: *attempts, crashes: *crashes };
                said(store.end_attempt(&self.token(*token), outcome, &limits))
            }
            Op::Reap { attempts } => said(store.reap(&AttemptLimits { attempts: *attempts, crashes: 5 })),
            Op::ReportFailing { token } => said(store.report_failing(&self.token(*token), "broken")),
            Op::Ask { token, well } => said(store.ask_human(&self.token(*token), &question(*well))),
            Op::Answer { feature, well } => said(store.answer_human(*feature, &answers(*well))),
            Op::AddDependency { feature, on, limit } => {
                said(store.add_dependency(*feature, *on, &limits(limit)))
            }
            Op::RemoveDependency { feature, on } => said(store.remove_dependency(*feature, *on)),
            Op::SetDependencies { feature, on, limit } => {
                said(store.set_dependencies(*feature, on, &limits(limit)))
            }
            Op::Skip { feature, token } => {
                let token = token.map(|token| self.token(token));
                said(store.skip(*feature, token.as_ref(), Some("later")))
            }
            Op::Delete { feature } => said(store.delete_feature(*feature)),
            Op::Retry { feature } => said(store.retry(*feature)),
            Op::SessionUp { session, pid } => said(store.session_up(*session, &identity(*pid))),
            Op::TakeOver { attempt, pid } => {
                let seen = pid.map(identity);
                let taken = store.take_over(AttemptId(*attempt), seen.as_ref(), secret);
                taken.map(|token| {
                    *won = Some((*attempt, token));
                    String::new()
                })
            }
            Op::EndSession { session } => said(store.end_session(*session, &SessionOutcome::Completed, 5)),
            Op::BeginRun => said(store.begin_run(&run())),
            Op::EndRun { run } => said(store.end_run(*run, &RunOutcome::Stopped)),
        }
    }
}

fn said<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> Result<String, StoreError> {
    answer.map(|answer| format!("{answer:?}"))
}

struct AgainstTheModel;

impl StateMachineTest for AgainstTheModel {
    type SystemUnderTest = Pair;
    type Reference = Model;

    fn init_test(model: &State) -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let stores =
            [Store::create(dir.path(), clock_at(0)).unwrap(), Store::open(dir.path(), clock()).unwrap()];
        let pair = Pair { stores, tokens: BTreeMap::new(), calls: 0, _dir: dir };
        Self::apply(pair, model, op::first())
    }

    fn apply(mut pair: Pair, model: &State, step: Step) -> Pair {
        let told = pair.told(&step, model.second);
        if let Err(StoreError::Cycle(cycle)) = &told {
            assert_circle(model, &step.op, &cycle.path);
        }
        let told: Told = told.map_err(|error| refusal(&error));
        assert_eq!(Some(&told), model.told.as_ref(), "{step:?}");
        pair
    }

    fn check_invariants(pair: &Pair, model: &State) {
        for store in &pair.stores {
            assert_eq!(store.features().unwrap(), model.features());
            let nodes = store.nodes().unwrap();
            assert_eq!(nodes, model.nodes());
            let ready: BTreeSet<FeatureId> = Graph::new(nodes).unwrap().ready().collect();
            assert_eq!(ready, model.ready());
            assert_eq!(store.live_attempts().unwrap(), model.live_attempts());
            assert_eq!(store.live_sessions().unwrap(), model.live_sessions());
            for id in model.features.keys() {
                assert_eq!(store.attempts_of(*id).unwrap(), model.attempts_of(*id));
            }
            // The end of it; the whole is compared when all is over.
            let end = model.journal.len().saturating_sub(20);
            let seq = model.journal.get(end).map_or(0, |entry| entry.seq - 1);
            assert_eq!(store.journal_since(seq, usize::MAX).unwrap(), model.journal[end..]);
        }
        let live: Vec<FeatureId> = model.live_attempts().iter().map(|a| a.feature).collect();
        assert_eq!(
            live.iter().collect::<BTreeSet<_>>().len(),
            live.len(),
            "two live attempts at one feature"
        );
    }

    fn teardown(pair: Pair, model: State) {
        assert_eq!(pair.stores[1].journal_since(0, usize::MAX).unwrap(), model.journal);
        pair.stores[0].file().check_integrity().unwrap();
    }
}

/// A circle is told as a way along dependencies that there are, or that were asked for, back to where it began.
fn assert_circle(model: &State, op: &Op, path: &[FeatureId]) {
    let (asking, wanted) = if let Op::AddDependency { feature, on, .. } = op {
        (*feature, vec![*on])
    } else if let Op::SetDependencies { feature, on, .. } = op {
        (*feature, on.clone())
    } else {
        panic!("no circle can come of {op:?}");
    };
    assert!(path.len() > 2 && path.first() == path.last(), "{path:?}");
    for pair in path.windows(2) {
        let there = model.features[&pair[0]].on.contains(&pair[1]);
        assert!(there || (pair[0] == asking && wanted.contains(&pair[1])), "{path:?}");
    }
}

fn config() -> Config {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/model/found.txt");
    let found = FileFailurePersistence::Direct(Box::leak(beside.display().to_string().into_boxed_str()));
    let asked = std::env::vars().find(|(name, _)| name == "PROPTEST_CASES");
    let cases = asked.and_then(|(_, cases)| cases.parse().ok()).unwrap_or(CASES);
    Config {
        cases,
        failure_persistence: Some(Box::new(found)),
        max_shrink_iters: 3_000,
        max_shrink_time: SHRINKING_MS,
        ..Config::default()
    }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn the_store_does_what_the_model_says(sequential 20..100 => AgainstTheModel);
}

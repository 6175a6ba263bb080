use cogwork_schemas::{ProcessIdentity, Role, Status};
use cogwork_store::{ImportLimits, TimeSource};

use super::*;
use crate::clock::source;
use crate::options::{Assignment, Options, ToolFilter};

const LEASE: SignedDuration = SignedDuration::from_secs(90);

fn after_the_lease() -> Timestamp {
    now() + LEASE + SignedDuration::from_secs(1)
}

/// A server of its own with a claim on each of two features.
async fn holding(project: &std::path::Path) -> Server {
    let store = Store::create(project, source()).unwrap();
    let list = serde_json::json!({"features": [{"name": "a"}, {"name": "b"}]});
    store.import(&serde_json::from_value(list).unwrap(), &ImportLimits::default()).unwrap();
    let server = Server::new(Options {
        project: project.to_owned(),
        workspace: project.to_owned(),
        state_home: cogwork_store::StateHome::none(),
        role: Role::All,
        assignment: Assignment::Own { only: Vec::new() },
        further: None,
        filter: ToolFilter::default(),
        http: None,
        limits: ImportLimits::default(),
        attempts: AttemptLimits::default(),
        lease: LEASE,
        check_variables: Vec::new(),
    });
    let server = server.unwrap();
    for _ in 0..2 {
        let new = NewSession::new(Role::All, "mcp", Isolation::Shared);
        let claim = move |store: &Store| claim_first(store, None, &[], &new, LEASE);
        let (id, claim) = server.database().run(claim).await.unwrap();
        own(&server).hold(id, Held { token: claim.token, session: claim.session, since: now() });
    }
    server
}

fn own(server: &Server) -> &Own {
    match server.claims() {
        Claims::Own(own) => own,
        Claims::Given(_) => panic!("it claims for itself"),
    }
}

#[tokio::test]
async fn a_renewal_moves_the_lease_and_forgets_what_was_lost() {
    let project = tempfile::tempdir().unwrap();
    let server = holding(project.path()).await;
    let store = Store::open(project.path(), source()).unwrap();
    let leases = || store.live_attempts().unwrap().into_iter().map(|attempt| attempt.lease_until.unwrap());
    let before: Vec<Timestamp> = leases().collect();
    // The second claim is taken back behind the server's back.
    let second = own(&server).all().into_iter().find(|(id, _)| *id == FeatureId(2)).unwrap().1.token;
    store.end_attempt(&second, &AttemptOutcome::Expired, &AttemptLimits::default()).unwrap();

    server.renew(own(&server)).await;
    let after: Vec<Timestamp> = leases().collect();
    assert_eq!(after.len(), 1);
    assert!(after[0] > before[0], "{after:?} {before:?}");
    assert_eq!(server.claims().features(), [FeatureId(1)]);
}

#[tokio::test]
async fn an_expired_claim_of_a_living_process_is_not_taken_back() {
    let project = tempfile::tempdir().unwrap();
    drop(holding(project.path()).await);
    let store = Store::open(project.path(), source()).unwrap();
    let [alive, dead] = store.live_sessions().unwrap().try_into().unwrap();
    let process = contain::own_identity();
    // The number is another process's now.
    let process = ProcessIdentity { started: process.started + 1, ..process };
    store.session_up(dead.id, &process).unwrap();
    let (store, later) =
        (Store::open(project.path(), TimeSource::new(after_the_lease)).unwrap(), now() + LEASE);
    reap(&store, LEASE).unwrap();
    let left = store.live_attempts().unwrap();
    assert_eq!(left.iter().map(|attempt| attempt.session).collect::<Vec<_>>(), [alive.id]);
    assert!(left[0].lease_until.unwrap() > later, "it is renewed");
    let sessions: Vec<_> = store.live_sessions().unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(sessions, [alive.id], "nobody else would end the session of a server that is gone");
}

#[tokio::test]
async fn a_claim_that_cannot_say_whose_it_is_is_given_back() {
    let project = tempfile::tempdir().unwrap();
    let server = holding(project.path()).await;
    let store = Store::open(project.path(), source()).unwrap();
    server.give_back_all().await;
    let new = NewSession::new(Role::All, "mcp", Isolation::Shared);
    let claim = store.claim(FeatureId(1), &new, &Secret::random().unwrap(), LEASE).unwrap();
    store.end_session(claim.session, &SessionOutcome::Stopped, 0).unwrap();
    let error = introduced(&store, claim).unwrap_err();
    assert!(error.to_string().contains("session s3 is over"), "{error}");
    assert_eq!(store.feature(FeatureId(1)).unwrap().status, Status::Pending);
}

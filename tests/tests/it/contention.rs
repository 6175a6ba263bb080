//! Many servers on one database, some of them killed: nobody owns what another owns, nothing acknowledged is lost,
//! nothing goes wrong without a reason, and what killed servers held comes back.

use std::time::Duration;

use cogwork_tests::contention::Storm;

#[test]
fn eight_servers_share_a_database_and_two_are_killed() {
    let project = tempfile::tempdir().unwrap();
    let storm = Storm {
        program: env!("CARGO_BIN_EXE_cogwork-under-test").into(),
        processes: 8,
        features: 60,
        kills: 2,
        lease: Duration::from_secs(3),
        pause: Duration::from_millis(10),
        seed: 8,
    };
    let outcome = storm.raise(project.path());
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert_eq!((outcome.features, outcome.kills), (60, 2));
    // One of the two is killed while it holds a claim.
    assert!(outcome.held >= 1 && outcome.recovered == outcome.held, "{outcome:?}");
}

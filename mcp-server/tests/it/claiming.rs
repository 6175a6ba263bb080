//! A server that no orchestrator started: it claims for itself.

use cogwork_schemas::{FeatureId, Proof, Status};
use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era};
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project, SLOW, TWO_CHECKS, wait_for};

fn status(project: &Project, id: i64) -> Status {
    project.store.feature(FeatureId(id)).unwrap().status
}

#[test]
fn the_whole_loop_alone() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        // The best one is what another feature waits for.
        let mine = client.get("feature_claim_and_get", json!({}));
        assert_eq!((&mine["id"], &mine["already_claimed"]), (&json!(ONE_CHECK), &json!(false)));
        assert_eq!((&mine["status"], &mine["claimed_by_you"]), (&json!("claimed"), &json!(true)));
        assert_eq!(client.get("feature_claim_and_get", json!({}))["already_claimed"], true);
        let live = project.store.live_sessions().unwrap();
        assert_eq!((live.len(), live[0].agent.as_str()), (1, "mcp:it"));
        assert_eq!(live[0].process.as_ref().unwrap().pid, client.pid());
        assert!(live[0].attempts[0].lease_until.is_some());

        let text = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert!(text.starts_with("Error (checks_failed)"), "{text}");
        project.write("a.txt");
        let done = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&done["state"], &done["proof"]), (&json!("passing"), &json!("red_green")));
        assert_eq!(
            (&done["newly_ready"], &done["stats"]),
            (&json!([BLOCKED]), &json!({"passing": 1, "total": 6}))
        );
        assert_eq!(done["next"], "Call feature_claim_and_get for the next feature.");
        let feature = project.store.feature(FeatureId(ONE_CHECK)).unwrap();
        assert_eq!((feature.status, feature.proof), (Status::Passing, Some(Proof::RedGreen)));
        assert_eq!(project.store.live_sessions().unwrap(), []);
        assert_eq!(client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}))["changed"], false);
    }
}

#[test]
fn a_claim_is_given_back_at_the_end() {
    for by_signal in [false, true] {
        let project = Project::new();
        let mut client = project.open(Era::Initialize, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        assert_eq!(status(&project, NO_CHECK), Status::Claimed);
        let ended = if by_signal {
            client.signal("TERM");
            client.ended()
        } else {
            client.close()
        };
        assert!(ended.success());
        assert_eq!(status(&project, NO_CHECK), Status::Pending);
        assert_eq!(project.store.live_sessions().unwrap(), []);
        let feature = project.store.feature(FeatureId(NO_CHECK)).unwrap();
        assert_eq!(feature.failed_attempts, 0, "being stopped costs nothing");
    }
}

#[test]
fn what_is_not_claimed_cannot_be_marked() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &[]);
    let text = client.fail("feature_mark_passing", json!({"feature_id": NO_CHECK}));
    assert!(text.starts_with("Error (conflict): feature #3 is not claimed by this session"), "{text}");
    assert!(text.ends_with("Call feature_claim_and_get with its id first."), "{text}");
    let text = client.fail("feature_claim_and_get", json!({"feature_id": BLOCKED}));
    assert!(
        text.starts_with("Error (conflict): feature #2 cannot be claimed: it waits for #1 to pass"),
        "{text}"
    );
    let text = client.fail("feature_claim_and_get", json!({"feature_id": 99}));
    assert!(text.starts_with("Error (not_found)"), "{text}");
    project.claim(NO_CHECK);
    let text = client.fail("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
    assert!(text.starts_with("Error (conflict): feature #3 is claimed by session s1 since"), "{text}");
}

#[test]
fn only_the_features_it_was_started_for() {
    let project = Project::new();
    let mut client = project.open(Era::Initialize, &["--features", "3,5"]);
    let text = client.fail("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
    assert!(text.starts_with("Error (not_assigned)") && text.contains("only #3, #5 are"), "{text}");
    for expected in [TWO_CHECKS, NO_CHECK] {
        client.get("feature_claim_and_get", json!({"feature_id": expected}));
    }
    project.write("b.txt");
    project.write("c.txt");
    for id in [NO_CHECK, TWO_CHECKS] {
        client.get("feature_mark_passing", json!({"feature_id": id}));
    }
    let text = client.fail("feature_claim_and_get", json!({}));
    assert!(text.starts_with("Error (conflict): no feature can be claimed now"), "{text}");
}

#[test]
fn work_that_was_there_before_the_claim_proves_nothing() {
    let project = Project::new();
    project.write("a.txt");
    let mut client = project.open(Era::Initialize, &[]);
    client.get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
    let done = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert_eq!(done["proof"], "already_green");
}

#[test]
fn a_claim_that_is_cancelled_is_no_claim() {
    let project = Project::new();
    let mut client = project.open(Era::Initialize, &[]);
    let id = client
        .send("tools/call", json!({"name": "feature_claim_and_get", "arguments": {"feature_id": SLOW}}));
    let shell = project.process("pid");
    assert_eq!(status(&project, SLOW), Status::Claimed);
    client.notify("notifications/cancelled", json!({"requestId": id}));
    let free =
        || status(&project, SLOW) == Status::Pending && project.store.live_sessions().unwrap().is_empty();
    wait_for(|| (!shell.exists() && free()).then_some(()));
}

#[test]
fn each_feature_goes_to_one_of_many_servers() {
    let features: Vec<Value> = (0..12).map(|n| json!({"name": format!("f{n}")})).collect();
    let project = Project::with(features.into());
    let mut clients: Vec<Client> = (0..6).map(|_| project.open(Era::Initialize, &[])).collect();
    let mut won = Vec::new();
    // All ask before any is answered, twice.
    for _ in 0..2 {
        let params = json!({"name": "feature_claim_and_get", "arguments": {}});
        let asked: Vec<i64> =
            clients.iter_mut().map(|client| client.send("tools/call", params.clone())).collect();
        for (client, id) in clients.iter_mut().zip(asked) {
            let answer = client.answer(id);
            let feature = crate::client::succeeded(&answer)["id"].as_i64().unwrap();
            won.push(feature);
            assert_eq!(
                client.get("feature_mark_passing", json!({"feature_id": feature}))["state"],
                "passing"
            );
        }
    }
    won.sort_unstable();
    assert_eq!(won, (1..=12).collect::<Vec<i64>>());
}

#[test]
fn work_of_a_killed_server_that_could_not_pass_yet_is_free_after_its_lease() {
    let project = Project::new();
    let server = |lease: &str| {
        let mut command = project.server(&[]);
        Client::open(command.env("COGWORK_LEASE_S", lease), Era::Initialize)
    };
    let mut killed = server("1");
    killed.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
    let (late, limits) = (FeatureId(TWO_CHECKS), cogwork_store::ImportLimits::default());
    project.store.add_dependency(FeatureId(NO_CHECK), late, &limits).unwrap();
    let text = killed.fail("feature_mark_passing", json!({"feature_id": NO_CHECK}));
    assert!(text.contains("feature #3 is green but cannot pass yet: it depends on #5"), "{text}");
    killed.signal("KILL");
    killed.ended();
    let mut other = server("60");
    project.store.remove_dependency(FeatureId(NO_CHECK), late).unwrap();
    let arguments = json!({"name": "feature_claim_and_get", "arguments": {"feature_id": NO_CHECK}});
    let claimed = wait_for(|| {
        let answer = other.ask("tools/call", arguments.clone());
        (answer["result"]["isError"] == false).then_some(answer)
    });
    assert_eq!(crate::client::succeeded(&claimed)["id"], NO_CHECK);
}

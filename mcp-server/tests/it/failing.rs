//! `feature_mark_failing`: reports, the repair after them, and who may start the feature meanwhile.

use cogwork_schemas::{FeatureId, Proof, Status};
use cogwork_store::Merge;
use serde_json::json;

use crate::client::{ERAS, Era};
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project, wait_for};

#[test]
fn a_person_reports_and_repairs() {
    for era in ERAS {
        let project = Project::new();
        project.write("a.txt");
        project.pass(ONE_CHECK);
        std::fs::remove_file(project.path().join("a.txt")).unwrap();
        let mut client = project.open(era, &[]);
        let told = client
            .get("feature_mark_failing", json!({"feature_id": ONE_CHECK, "reason": "the file is gone"}));
        assert_eq!((&told["changed"], &told["status"]), (&json!(true), &json!("claimed")));
        assert_eq!(told["checks"], json!({"red": 1, "total": 1}));
        assert_eq!(
            told["next"],
            "It is yours: repair it and call feature_mark_passing; or ask a person with feature_request_human_input, \
             or give it back with feature_clear_in_progress."
        );
        // What depends on it waits again, and nobody else can start it.
        let mut other = project.open(era, &[]);
        let blocked = other.get("feature_explain", json!({"feature_id": BLOCKED}));
        assert_eq!(blocked["ready"], false);
        for tool in ["feature_claim_and_get", "feature_mark_failing", "feature_skip"] {
            let text = other.fail(tool, json!({"feature_id": ONE_CHECK}));
            assert!(text.starts_with("Error (conflict): feature #1 is claimed by session s2"), "{text}");
        }
        let again = client.get("feature_claim_and_get", json!({}));
        assert_eq!((&again["id"], &again["already_claimed"]), (&json!(ONE_CHECK), &json!(true)));
        assert_eq!(again["reported_failing"], "the file is gone");
        assert!(again["hint"].as_str().unwrap().starts_with("It was found not to work: "), "{again}");

        project.write("a.txt");
        let done = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&done["proof"], &done["newly_ready"]), (&json!("red_green"), &json!([BLOCKED])));
        let seen = client.get("feature_get_by_id", json!({"feature_id": ONE_CHECK}));
        assert!(seen.get("reported_failing").is_none(), "{seen}");
    }
}

#[test]
fn a_repair_that_is_given_back_tells_the_next_one() {
    let project = Project::new();
    project.pass(NO_CHECK);
    let mut client = project.open(Era::Initialize, &[]);
    client.get("feature_mark_failing", json!({"feature_id": NO_CHECK}));
    client.get("feature_clear_in_progress", json!({"feature_id": NO_CHECK}));
    assert_eq!(project.feature(NO_CHECK).status, Status::Pending);
    let next =
        project.open(Era::Stateless, &[]).get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
    assert_eq!(next["reported_failing"], "no reason given");
}

#[test]
fn checks_that_are_green_show_no_fault() {
    let project = Project::new();
    project.write("a.txt");
    project.pass(ONE_CHECK);
    let mut client = project.open(Era::Stateless, &[]);
    let told = client.get("feature_mark_failing", json!({"feature_id": ONE_CHECK, "reason": "it is ugly"}));
    assert_eq!(told["checks"], json!({"red": 0, "total": 1}));
    assert!(told["next"].as_str().unwrap().ends_with("they do not show what is wrong, and prove no repair."));
    let done = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert_eq!(done["proof"], "already_green");
}

#[test]
fn a_tester_reports_and_repairs() {
    for era in ERAS {
        let project = Project::new();
        project.write("a.txt");
        project.pass(ONE_CHECK);
        let test = project.inspect(ONE_CHECK);
        let mut client = project.session_as("testing", era, &[(ONE_CHECK, &test.token)]);
        std::fs::remove_file(project.path().join("a.txt")).unwrap();
        let told = client.get("feature_mark_failing", json!({"feature_id": "1", "reason": "gone"}));
        assert_eq!((&told["changed"], &told["checks"]["red"]), (&json!(true), &json!(1)));
        assert_eq!(told["next"], "It is yours: repair it and call feature_mark_passing.");
        let feature = project.feature(ONE_CHECK);
        assert_eq!((feature.status, feature.session), (Status::Claimed, Some(test.session)));
        let text = project.open(era, &[]).fail("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
        assert!(text.starts_with("Error (conflict): feature #1 is claimed by session s2"), "{text}");

        let still = client.get("feature_mark_failing", json!({"feature_id": ONE_CHECK, "reason": "still"}));
        assert_eq!((&still["changed"], still.get("checks")), (&json!(false), None));
        project.write("a.txt");
        let done = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert_eq!(
            (&done["proof"], &done["state"]),
            (&json!("red_green"), &json!("waiting_for_integration"))
        );
        let reports = vec![crate::project::report(
            &project.feature(ONE_CHECK).checks[0].command,
            cogwork_schemas::CheckVerdict::Green,
        )];
        let merge = Merge { commit: None, reports, merge_ms: 0, check_ms: 0 };
        assert_eq!(project.store.land(&test.token, &merge).unwrap(), [FeatureId(BLOCKED)]);
        assert_eq!(project.feature(ONE_CHECK).proof, Some(Proof::RedGreen));
    }
}

#[test]
fn a_tester_who_asks_whether_it_passes_has_the_checks_run() {
    for era in ERAS {
        let project = Project::new();
        project.write("a.txt");
        project.pass(ONE_CHECK);
        let test = project.inspect(ONE_CHECK);
        let mut client = project.session_as("testing", era, &[(ONE_CHECK, &test.token)]);
        let ask = json!({"feature_id": ONE_CHECK});
        let green = client.get("feature_mark_passing", ask.clone());
        assert_eq!((&green["changed"], &green["state"]), (&json!(false), &json!("passing")), "{green}");
        assert!(green["next"].as_str().unwrap().starts_with("It passes on"), "{green}");
        std::fs::remove_file(project.path().join("a.txt")).unwrap();
        let red = client.fail("feature_mark_passing", ask);
        let what =
            "Error (checks_failed): feature #1 passes on record, but its only check is red. Report it with";
        assert!(red.starts_with(what), "{red}");
        assert_eq!(project.feature(ONE_CHECK).status, Status::Passing, "that is the report's to change");
        let attempts = project.store.attempts_of(FeatureId(ONE_CHECK)).unwrap();
        let evidence = &attempts.last().unwrap().evidence;
        assert_eq!(evidence.len(), 2, "each run is on record: {evidence:?}");
        assert!(attempts.last().unwrap().submitted.is_none());
    }
}

#[test]
fn what_somebody_tests_is_not_taken() {
    for era in ERAS {
        let project = Project::new();
        project.pass(NO_CHECK);
        project.inspect(NO_CHECK);
        let text = project.open(era, &[]).fail("feature_mark_failing", json!({"feature_id": NO_CHECK}));
        assert!(text.starts_with("Error (conflict): feature #3 is claimed by session s2 since"), "{text}");
        assert_eq!(project.feature(NO_CHECK).status, Status::Passing);
    }
}

#[test]
fn a_report_on_ones_own_work_or_on_what_does_not_pass_changes_nothing() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
        let own = client.get("feature_mark_failing", json!({"feature_id": ONE_CHECK, "reason": "hard"}));
        assert_eq!((&own["changed"], &own["status"]), (&json!(false), &json!("claimed")));
        assert!(own["next"].as_str().unwrap().starts_with("It is yours: "), "{own}");
        let before = project.last_seq();
        let pending = client.get("feature_mark_failing", json!({"feature_id": BLOCKED}));
        assert_eq!((&pending["changed"], &pending["status"]), (&json!(false), &json!("pending")));
        assert!(pending["next"].as_str().unwrap().starts_with("It does not pass anyway"), "{pending}");
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_report_stands_when_the_look_at_the_checks_is_cancelled() {
    let project =
        Project::with(json!([{"name": "Slow", "checks": ["test -f quick || { echo $$ > pid; sleep 60; }"]}]));
    project.write("quick");
    project.pass(1);
    std::fs::remove_file(project.path().join("quick")).unwrap();
    let mut client = project.open(Era::Initialize, &[]);
    let id =
        client.send("tools/call", json!({"name": "feature_mark_failing", "arguments": {"feature_id": 1}}));
    let shell = project.process("pid");
    client.notify("notifications/cancelled", json!({"requestId": id}));
    wait_for(|| (!shell.exists()).then_some(()));
    assert_eq!(project.feature(1).status, Status::Claimed);
    assert_eq!(client.get("feature_mark_failing", json!({"feature_id": 1}))["changed"], false);
}

//! Taking a feature, giving it back and skipping it, alone and in a session that was given it.

use cogwork_schemas::Status;
use cogwork_store::Secret;
use serde_json::json;

use crate::client::{ERAS, Era};
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project, TWO_CHECKS};

#[test]
fn a_feature_is_taken_and_given_back_at_no_cost() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        let mine = client.get("feature_mark_in_progress", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&mine["in_progress"], &mine["status"]), (&json!(true), &json!("claimed")));
        // The checks were run before the work, as with every claim.
        let evidence = &project.store.attempts_of(cogwork_schemas::FeatureId(ONE_CHECK)).unwrap()[0].evidence;
        assert_eq!(evidence.len(), 1);
        let free = client.get("feature_clear_in_progress", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&free["in_progress"], &free["status"]), (&json!(false), &json!("pending")));
        assert_eq!(project.feature(ONE_CHECK).failed_attempts, 0, "a person is watching");
        assert_eq!(project.store.live_sessions().unwrap(), []);
        let text = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert!(text.starts_with("Error (conflict): feature #1 is not claimed by this session"), "{text}");
        let other = project.open(era, &[]).get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
        assert_eq!(other["already_claimed"], false);
    }
}

#[test]
fn what_cannot_be_taken_says_why() {
    for era in ERAS {
        let project = Project::new();
        project.pass(NO_CHECK);
        let mut client = project.open(era, &[]);
        for (id, why) in [(BLOCKED, "it waits for #1 to pass"), (NO_CHECK, "it passes already")] {
            let text = client.fail("feature_mark_in_progress", json!({"feature_id": id}));
            assert!(
                text.starts_with(&format!("Error (conflict): feature #{id} cannot be claimed: {why}")),
                "{text}"
            );
        }
        for id in [BLOCKED, NO_CHECK] {
            let same = client.get("feature_clear_in_progress", json!({"feature_id": id}));
            assert_eq!(same["changed"], false, "it is nobody's");
        }
    }
}

#[test]
fn a_session_that_gives_back_has_used_an_attempt_and_is_over() {
    for (tool, said) in
        [("feature_clear_in_progress", "given up: no key"), ("feature_skip", "given up: skipped: no key")]
    {
        for era in ERAS {
            let project = Project::new();
            let mine = project.claim(NO_CHECK);
            let mut client = project.session(era, &[(NO_CHECK, &mine.token)]);
            client.get(tool, json!({"feature_id": NO_CHECK, "reason": " no key "}));
            let feature = project.feature(NO_CHECK);
            assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 1));
            for tool in [tool, "feature_mark_passing", "feature_claim_and_get", "feature_mark_failing"] {
                let text = client.fail(tool, json!({"feature_id": NO_CHECK}));
                assert!(
                    text.starts_with(
                        "Error (stale_token): this session no longer owns feature #3: its claim has ended (given up)"
                    ),
                    "{text}"
                );
            }
            let next = project.open(era, &[]).get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
            assert_eq!(next["last_attempt"], said);
        }
    }
}

#[test]
fn giving_back_again_and_again_ends() {
    let project = Project::new();
    for attempt in 1..=2 {
        let mine = project.claim(NO_CHECK);
        let mut command = project.session_command(&[(NO_CHECK, &mine.token)]);
        let mut client = crate::client::Client::open(command.args(["--max-attempts", "2"]), Era::Initialize);
        let back = client.get("feature_clear_in_progress", json!({"feature_id": NO_CHECK}));
        assert_eq!(back["status"], if attempt == 2 { "parked" } else { "pending" });
    }
    let seen = project.open(Era::Initialize, &[]).get("feature_get_by_id", json!({"feature_id": NO_CHECK}));
    assert_eq!(seen["last_attempt"], "given up: no reason given");
}

#[test]
fn a_skipped_feature_is_behind_all_others_and_free() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        let skipped = client.get("feature_skip", json!({"feature_id": NO_CHECK}));
        assert_eq!((&skipped["old_priority"], &skipped["new_priority"]), (&json!(3), &json!(7)));
        assert_eq!(skipped["given_back"], true);
        assert_eq!(project.feature(NO_CHECK).status, Status::Pending);
        let ready = client.get("feature_get_ready", json!({}));
        assert_eq!(ready["features"].as_array().unwrap().last().unwrap()["id"], NO_CHECK);
        let another = client.get("feature_skip", json!({"feature_id": BLOCKED}));
        assert_eq!((&another["new_priority"], &another["given_back"]), (&json!(8), &json!(false)));

        project.pass(NO_CHECK);
        let text = client.fail("feature_skip", json!({"feature_id": NO_CHECK}));
        assert!(text.starts_with("Error (conflict): feature #3 cannot be skipped: it is passing"), "{text}");
    }
}

#[test]
fn what_is_handed_in_is_not_given_back() {
    for era in ERAS {
        let project = Project::new();
        let mine = project.claim(NO_CHECK);
        let mut client = project.session(era, &[(NO_CHECK, &mine.token)]);
        client.get("feature_mark_passing", json!({"feature_id": NO_CHECK}));
        let before = project.last_seq();
        let question = json!({"feature_id": NO_CHECK, "prompt": "?", "fields": [{"id": "a", "label": "A"}]});
        for tool in [
            "feature_clear_in_progress",
            "feature_skip",
            "feature_mark_failing",
            "feature_request_human_input",
        ] {
            let text = client.fail(tool, question.clone());
            assert!(
                text.starts_with(
                    "Error (conflict): the work on feature #3 is handed in and waits to be merged"
                ),
                "{text}"
            );
        }
        assert_eq!(project.last_seq(), before);
        assert!(project.store.attempt(&mine.token).unwrap().submitted.is_some());
    }
}

#[test]
fn a_claim_that_was_taken_back_is_nobodys() {
    use cogwork_schemas::AttemptOutcome::Expired;
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &[]);
    for id in [NO_CHECK, TWO_CHECKS] {
        client.get("feature_claim_and_get", json!({"feature_id": id}));
    }
    for session in project.store.live_sessions().unwrap() {
        let (limits, secret) = (cogwork_store::AttemptLimits::default(), Secret::random().unwrap());
        let attempt = session.attempts[0].id;
        let token = project.store.take_over(attempt, session.process.as_ref(), &secret).unwrap();
        project.store.end_attempt(&token, &Expired, &limits).unwrap();
    }
    let free = client.get("feature_clear_in_progress", json!({"feature_id": NO_CHECK}));
    assert_eq!(free["changed"], false);
    project.claim(TWO_CHECKS);
    let text = client.fail("feature_clear_in_progress", json!({"feature_id": TWO_CHECKS}));
    assert!(text.starts_with("Error (conflict): feature #5 is claimed by session s3"), "{text}");
}

#[test]
fn the_next_attempt_is_told_what_the_last_one_tried_and_left() {
    for era in ERAS {
        for tool in ["feature_clear_in_progress", "feature_skip", "feature_mark_failing"] {
            let project = Project::new();
            let mine = project.claim(ONE_CHECK);
            let mut client = project.session(era, &[(ONE_CHECK, &mine.token)]);
            let red = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
            assert!(red.starts_with("Error (checks_failed)"), "{red}");
            let left =
                json!({"feature_id": ONE_CHECK, "reason": "no key", "note": " Begin with the parser. "});
            client.get(tool, left);
            if tool == "feature_mark_failing" {
                client.get("feature_clear_in_progress", json!({"feature_id": ONE_CHECK, "reason": "no key"}));
            }
            let mut next = project.open(era, &[]);
            let read = next.get("feature_get_by_id", json!({"feature_id": ONE_CHECK}));
            assert_eq!(
                (&read["note"], &read["earlier_attempts"]),
                (&json!("Begin with the parser."), &json!(null))
            );
            let claimed = next.get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
            assert_eq!(claimed["note"], "Begin with the parser.");
            let earlier = claimed["earlier_attempts"].as_array().unwrap();
            assert_eq!(earlier.len(), 1, "{claimed}");
            assert_eq!(earlier[0]["number"], 1);
            assert!(earlier[0]["outcome"].as_str().unwrap().starts_with("given up: "), "{claimed}");
            assert_eq!(earlier[0]["red"].as_array().unwrap().len(), 1, "{claimed}");
            let hint = claimed["hint"].as_str().unwrap();
            let told = "It was tried before: see earlier_attempts. A note was left for you: see note. ";
            assert!(hint.contains(told), "{hint}");
        }
    }
}

//! `feature_mark_passing` and `feature_claim_and_get` in a session that was given its features.

use cogwork_schemas::{AttemptOutcome, CheckVerdict, FeatureId, Proof, Status, Token};
use cogwork_store::{AttemptLimits, Merge, Secret};
use serde_json::json;

use crate::client::{Client, ERAS, Era, failed, succeeded};
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project, SLOW, TWO_CHECKS, report, wait_for};

#[test]
fn an_assigned_feature_is_confirmed_as_often_as_asked() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(ONE_CHECK);
        let mut client = project.session(era, &[(ONE_CHECK, &claim.token)]);
        for arguments in [json!({"feature_id": "1"}), json!({}), json!({"feature_id": null})] {
            let mine = client.get("feature_claim_and_get", arguments);
            assert_eq!((&mine["id"], &mine["already_claimed"]), (&json!(1), &json!(true)));
            assert_eq!(
                (&mine["claimed_by_you"], &mine["claimed_by"]),
                (&json!(true), &json!(claim.session.0))
            );
            assert_eq!(mine["status"], "claimed");
        }
        assert_eq!(project.store.attempts_of(FeatureId(ONE_CHECK)).unwrap().len(), 1);
    }
}

#[test]
fn red_then_green() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(ONE_CHECK);
        let mut client = project.session(era, &[(ONE_CHECK, &claim.token)]);

        let text = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert!(
            text.starts_with("Error (checks_failed): feature #1 does not pass yet: its only check is red"),
            "{text}"
        );
        assert!(text.contains("exit code 3") && text.ends_with("a.txt is missing"), "{text}");
        assert_eq!(project.store.feature(FeatureId(ONE_CHECK)).unwrap().status, Status::Claimed);
        assert!(project.store.attempt(&claim.token).unwrap().submitted.is_none());

        project.write("a.txt");
        let green = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert_eq!(green["changed"], true);
        assert_eq!(
            (&green["proof"], &green["state"]),
            (&json!("red_green"), &json!("waiting_for_integration"))
        );
        assert_eq!(green["next"], "You are done: end the session.");
        // Green is not passing yet: that takes the integration.
        let attempt = project.store.attempt(&claim.token).unwrap();
        assert_eq!(attempt.submitted.unwrap().proof, Proof::RedGreen);
        assert_eq!(project.store.feature(FeatureId(ONE_CHECK)).unwrap().status, Status::Claimed);
        // Both runs are on record.
        let verdicts: Vec<CheckVerdict> = project.store.attempts_of(FeatureId(ONE_CHECK)).unwrap()[0]
            .evidence
            .iter()
            .map(|evidence| evidence.report.verdict.clone())
            .collect();
        let red = |exit_code| CheckVerdict::Red { exit_code };
        assert_eq!(verdicts, [red(1), red(3), CheckVerdict::Green]);

        let again = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&again["success"], &again["changed"]), (&json!(true), &json!(false)));
        let text = client.fail("feature_claim_and_get", json!({}));
        assert!(
            text.contains("nothing is left to do") && text.ends_with("You are done: end the session."),
            "{text}"
        );
    }
}

#[test]
fn a_landed_feature_stays_a_success() {
    let project = Project::new();
    let claim = project.claim(NO_CHECK);
    let mut client = project.session(Era::Stateless, &[(NO_CHECK, &claim.token)]);
    let said = client.get("feature_mark_passing", json!({"feature_id": NO_CHECK}));
    assert_eq!((&said["proof"], &said["changed"]), (&json!("unverified"), &json!(true)));
    assert!(said["hint"].as_str().unwrap().contains("no check"), "{said}");
    let merge = Merge { commit: None, reports: Vec::new(), merge_ms: 0, check_ms: 0 };
    project.store.land(&claim.token, &merge).unwrap();
    let landed = client.get("feature_mark_passing", json!({"feature_id": NO_CHECK}));
    assert_eq!((&landed["changed"], &landed["state"]), (&json!(false), &json!("passing")));
}

#[test]
fn every_red_check_is_named() {
    let project = Project::new();
    let claim = project.claim(TWO_CHECKS);
    let mut client = project.session(Era::Initialize, &[(TWO_CHECKS, &claim.token)]);
    let text = client.fail("feature_mark_passing", json!({"feature_id": TWO_CHECKS}));
    assert!(text.contains("2 of its 2 checks are red"), "{text}");
    assert!(
        text.contains("check 1 of 2, exit code 1") && text.contains("check 2 of 2, exit code 1"),
        "{text}"
    );
    project.write("b.txt");
    let text = client.fail("feature_mark_passing", json!({"feature_id": TWO_CHECKS}));
    assert!(text.contains("1 of its 2 checks is red") && !text.contains("check 1 of 2"), "{text}");
}

#[test]
fn checks_that_were_green_before_prove_nothing() {
    let project = Project::with(json!([{"name": "Done", "checks": ["true"]}]));
    let claim = {
        let new = cogwork_store::NewSession::new(
            cogwork_schemas::Role::Coding,
            "test",
            cogwork_schemas::Isolation::Workspace,
        );
        project
            .store
            .claim(FeatureId(1), &new, &Secret::random().unwrap(), jiff::SignedDuration::from_mins(1))
            .unwrap()
    };
    project.store.record_before(&claim.token, None, &[report("true", CheckVerdict::Green)]).unwrap();
    let mut client = project.session(Era::Initialize, &[(1, &claim.token)]);
    let green = client.get("feature_mark_passing", json!({"feature_id": 1}));
    assert_eq!(green["proof"], "already_green");
    assert!(green["hint"].as_str().unwrap().contains("prove nothing"), "{green}");
}

#[test]
fn another_feature_is_refused_before_anything_is_looked_at() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(ONE_CHECK);
        project.claim(NO_CHECK);
        let mut client = project.session(era, &[(ONE_CHECK, &claim.token)]);
        for id in [NO_CHECK, BLOCKED, 99] {
            for tool in ["feature_mark_passing", "feature_claim_and_get"] {
                let text = client.fail(tool, json!({"feature_id": id}));
                assert!(
                    text.starts_with(&format!("Error (not_assigned): feature #{id} is not assigned")),
                    "{text}"
                );
                assert!(text.contains("only #1 is"), "{text}");
            }
        }
        assert!(project.store.live_attempts().unwrap().iter().all(|attempt| attempt.submitted.is_none()));
    }
}

#[test]
fn a_stale_token_is_refused() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(ONE_CHECK);
        let mut client = project.session(era, &[(ONE_CHECK, &claim.token)]);
        project.write("a.txt");
        project.store.end_attempt(&claim.token, &AttemptOutcome::Stopped, &AttemptLimits::default()).unwrap();
        let next = project.claim(ONE_CHECK);
        for tool in ["feature_mark_passing", "feature_claim_and_get"] {
            let text = client.fail(tool, json!({"feature_id": ONE_CHECK}));
            assert!(
                text.starts_with("Error (stale_token): this session no longer owns feature #1"),
                "{text}"
            );
            assert!(text.contains("(stopped)") && text.ends_with("end the session."), "{text}");
        }
        assert!(project.store.attempt(&next.token).unwrap().submitted.is_none());
    }
}

#[test]
fn a_token_is_good_for_its_own_feature_only() {
    let project = Project::new();
    let claim = project.claim(NO_CHECK);
    project.claim(ONE_CHECK);
    let made_up = Token::new("1-00000000000000000000000000000000");
    for (id, token) in [(ONE_CHECK, &claim.token), (ONE_CHECK, &made_up)] {
        let mut client = project.session(Era::Initialize, &[(id, token)]);
        let text = client.fail("feature_mark_passing", json!({"feature_id": id}));
        assert!(text.starts_with("Error (stale_token)"), "{text}");
    }
    assert!(project.store.live_attempts().unwrap().iter().all(|attempt| attempt.submitted.is_none()));
}

#[test]
fn a_session_without_a_token_can_only_read() {
    let project = Project::new();
    let mut command = project.server(&["--role", "coding"]);
    let mut client = Client::open(command.env("COGWORK_SESSION", "4"), Era::Initialize);
    client.get("feature_get_ready", json!({}));
    for tool in ["feature_mark_passing", "feature_claim_and_get"] {
        let text = client.fail(tool, json!({"feature_id": ONE_CHECK}));
        assert!(text.starts_with("Error (not_assigned)"), "{text}");
    }
}

#[test]
fn two_features_are_done_one_after_the_other() {
    let project = Project::new();
    let (one, three) = (project.claim(ONE_CHECK), project.claim(NO_CHECK));
    let mut client = project.session(Era::Stateless, &[(ONE_CHECK, &one.token), (NO_CHECK, &three.token)]);
    assert_eq!(client.get("feature_claim_and_get", json!({}))["id"], ONE_CHECK);
    project.write("a.txt");
    let first = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert_eq!(first["next"], "Call feature_claim_and_get for the next feature assigned to you.");
    assert_eq!(client.get("feature_claim_and_get", json!({}))["id"], NO_CHECK);
    let last = client.get("feature_mark_passing", json!({"feature_id": NO_CHECK}));
    assert_eq!(last["next"], "You are done: end the session.");
}

#[test]
fn the_commit_is_handed_in_and_a_newer_one_takes_its_place() {
    let project = Project::new();
    std::fs::write(project.path().join(".gitignore"), ".cogwork\n").unwrap();
    project.write("a.txt");
    let first = project.git();
    let claim = project.claim(ONE_CHECK);
    let mut client = project.session(Era::Initialize, &[(ONE_CHECK, &claim.token)]);
    let submitted = || project.store.attempt(&claim.token).unwrap().submitted.unwrap().commit.unwrap();
    project.write("left.txt");
    let answer = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert_eq!(submitted(), first);
    let hint = answer["hint"].as_str().unwrap();
    assert!(hint.contains("left.txt; commit it"), "{hint}");

    let second = project.git();
    let newer = client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert_eq!((&newer["changed"], newer.get("hint")), (&json!(true), None));
    assert_eq!(submitted(), second);
    assert_eq!(client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}))["changed"], false);

    // Newer work that is red is told so, and does not take the place of what was green.
    std::fs::remove_file(project.path().join("a.txt")).unwrap();
    project.git();
    let text = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert!(text.starts_with("Error (checks_failed)"), "{text}");
    assert_eq!(submitted(), second);
}

#[test]
fn green_without_a_commit_is_refused_until_there_is_one() {
    let project = Project::new();
    std::fs::write(project.path().join(".gitignore"), ".cogwork\n").unwrap();
    let base = project.git();
    let claim = project.claim_on(ONE_CHECK, &base);
    let mut client = project.session(Era::Initialize, &[(ONE_CHECK, &claim.token)]);
    project.write("a.txt");
    let text = client.fail("feature_mark_passing", json!({"feature_id": ONE_CHECK}));
    assert!(text.starts_with("Error (conflict): feature #1 is green without any commit"), "{text}");
    project.git();
    assert_eq!(client.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}))["proof"], "red_green");
}

#[test]
fn checks_see_no_secret_and_the_session_s_mark() {
    let project = Project::with(json!([{"name": "Env", "checks": ["env > seen; pwd >> seen"]}]));
    let claim = project.claim(1);
    let mut command = project.session_command(&[(1, &claim.token)]);
    command.env("COGWORK_MARKER", "mark#s1").env("ANTHROPIC_API_KEY", "sk-secret");
    let mut client = Client::open(&mut command, Era::Initialize);
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    let seen = std::fs::read_to_string(project.path().join("seen")).unwrap();
    assert!(seen.contains("COGWORK_MARKER=mark#s1") && seen.contains("PATH="), "{seen}");
    assert!(!seen.contains("secret") && !seen.contains(claim.token.reveal()), "{seen}");
    assert!(seen.trim_end().ends_with(project.path().file_name().unwrap().to_str().unwrap()), "{seen}");
}

#[test]
fn a_client_that_asks_is_told_how_far_it_is() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(TWO_CHECKS);
        let mut client = project.session(era, &[(TWO_CHECKS, &claim.token)]);
        let params = json!({"name": "feature_mark_passing", "arguments": {"feature_id": TWO_CHECKS},
                            "_meta": {"progressToken": "p1"}});
        failed(&client.ask("tools/call", params));
        let progress: Vec<f64> = client
            .notifications
            .iter()
            .filter(|message| message["method"] == "notifications/progress")
            .map(|message| {
                assert_eq!(message["params"]["progressToken"], "p1");
                assert_eq!(message["params"]["total"], 2.0);
                message["params"]["progress"].as_f64().unwrap()
            })
            .collect();
        assert_eq!(progress, [0.0, 1.0]);
        client.notifications.clear();
        client.fail("feature_mark_passing", json!({"feature_id": TWO_CHECKS}));
        assert!(client.notifications.is_empty(), "nobody asked: {:?}", client.notifications);
    }
}

#[test]
fn a_cancelled_check_run_leaves_nothing_and_changes_nothing() {
    let project = Project::new();
    let claim = project.claim(SLOW);
    let mut client = project.session(Era::Initialize, &[(SLOW, &claim.token)]);
    let id =
        client.send("tools/call", json!({"name": "feature_mark_passing", "arguments": {"feature_id": SLOW}}));
    let (shell, child) = (project.process("pid"), project.process("child"));
    // Other calls go on meanwhile.
    client.get("feature_get_stats", json!({}));
    client.notify("notifications/cancelled", json!({"requestId": id, "reason": "enough"}));
    wait_for(|| (!shell.exists() && !child.exists()).then_some(()));
    let attempt = project.store.attempt(&claim.token).unwrap();
    assert!(attempt.submitted.is_none());
    // The next call gets its turn; the cancelled one is never answered.
    let detail = client.get("feature_get_by_id", json!({"feature_id": SLOW}));
    assert_eq!(detail["status"], "claimed");
    let evidence = &project.store.attempts_of(FeatureId(SLOW)).unwrap()[0].evidence;
    assert_eq!(evidence.len(), 1, "only what was seen before the work: {evidence:?}");
}

#[test]
fn two_questions_at_once_run_the_checks_in_turn() {
    let check = "test ! -e busy || exit 9; touch busy; sleep 0.2; rm busy; test -f a.txt";
    let project = Project::with(json!([{"name": "Turns", "checks": [check]}]));
    let claim = project.claim(1);
    let mut client = project.session(Era::Stateless, &[(1, &claim.token)]);
    project.write("a.txt");
    let params = json!({"name": "feature_mark_passing", "arguments": {"feature_id": 1}});
    let (first, second) = (client.send("tools/call", params.clone()), client.send("tools/call", params));
    let answers = [client.message().unwrap(), client.message().unwrap()];
    let changed = |id: i64| {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap();
        succeeded(answer)["changed"].as_bool().unwrap()
    };
    assert_ne!(changed(first), changed(second), "one of them handed it in, the other saw that it was");
}

#[test]
fn a_call_that_is_cancelled_while_it_waits_its_turn_writes_nothing() {
    let project = Project::new();
    let (slow, plain, last) = (project.claim(SLOW), project.claim(NO_CHECK), project.claim(ONE_CHECK));
    let claims = [(SLOW, &slow.token), (NO_CHECK, &plain.token), (ONE_CHECK, &last.token)];
    let mut client = project.session(Era::Initialize, &claims);
    let ask = |client: &mut Client, id: i64| {
        client.send("tools/call", json!({"name": "feature_mark_passing", "arguments": {"feature_id": id}}))
    };
    let running = ask(&mut client, SLOW);
    let child = project.process("child");
    let waiting = ask(&mut client, NO_CHECK);
    let behind = ask(&mut client, ONE_CHECK);
    client.notify("notifications/cancelled", json!({"requestId": waiting}));
    client.notify("notifications/cancelled", json!({"requestId": running}));
    let answer = client.answer(behind);
    assert!(failed(&answer).starts_with("Error (checks_failed)"), "{answer}");
    assert!(!child.exists(), "the turn is passed on when everything is cleared away");
    assert!(project.store.attempt(&plain.token).unwrap().submitted.is_none());
}

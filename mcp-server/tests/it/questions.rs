//! `feature_request_human_input`: the question, the wait, and the answer.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, FeatureId, Status};
use serde_json::{Value, json};

use crate::asking::{asked_by, open_with};
use crate::client::{Client, ERAS, Era, succeeded};
use crate::project::{NO_CHECK, Project};

fn question() -> Value {
    json!({"feature_id": NO_CHECK, "prompt": "Which colour?", "fields": [
        {"id": "colour", "label": "Colour", "type": "Select", "options": ["red", {"value": "blue", "label": "Blue"}]}]})
}

fn answer(project: &Project) {
    let answers = BTreeMap::from([("colour".to_owned(), Answer::Text("red".to_owned()))]);
    project.store.answer_human(FeatureId(NO_CHECK), &answers).unwrap();
}

#[test]
fn a_question_is_asked_waited_for_and_answered() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        let asked = client.get("feature_request_human_input", question());
        assert_eq!((&asked["status"], &asked["answered"]), (&json!("needs_human"), &json!(false)));
        let feature = project.feature(NO_CHECK);
        assert_eq!((feature.status, feature.failed_attempts), (Status::NeedsHuman, 0));
        let options = &feature.human_request.unwrap().fields[0].options;
        assert_eq!((options[0].label.as_str(), options[1].label.as_str()), ("red", "Blue"));
        assert_eq!(project.store.live_sessions().unwrap(), []);
        assert_eq!(client.get("feature_get_stats", json!({}))["needs_human_input"], 1);
        let seen = client.get("feature_get_by_id", json!({"feature_id": NO_CHECK}));
        assert_eq!(
            (&seen["needs_human_input"], &seen["human_input_request"]),
            (&json!(true), &json!("Which colour?"))
        );
        let text = client.fail("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        assert!(
            text.contains("cannot be claimed: it waits for a person's answer to: Which colour?"),
            "{text}"
        );

        answer(&project);
        // Also a process that has never heard of it is told, and the next session.
        for client in [&mut client, &mut project.open(era, &[])] {
            let answered = client.get("feature_request_human_input", question());
            assert_eq!((&answered["answered"], &answered["changed"]), (&json!(true), &json!(false)));
            assert_eq!(answered["answers"], json!({"colour": "red"}));
            assert!(
                answered["next"].as_str().unwrap().starts_with("Call feature_claim_and_get"),
                "{answered}"
            );
        }
        let next = client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        assert_eq!(next["human_input_response"], json!({"colour": "red"}));
        assert!(next["hint"].as_str().unwrap().starts_with("A person has answered"), "{next}");
        let same = client.get("feature_request_human_input", question());
        assert_eq!(
            (&same["answers"], &same["next"]),
            (&json!({"colour": "red"}), &json!("Go on with the work."))
        );
        assert_eq!(project.feature(NO_CHECK).status, Status::Claimed);

        let mut another = question();
        another["prompt"] = "And which size?".into();
        assert_eq!(client.get("feature_request_human_input", another)["changed"], true);
        assert_eq!(project.feature(NO_CHECK).human_response, None);
    }
}

#[test]
fn a_session_asks_and_is_over() {
    for era in ERAS {
        let project = Project::new();
        let mine = project.claim(NO_CHECK);
        let mut client = project.session(era, &[(NO_CHECK, &mine.token)]);
        assert_eq!(client.get("feature_request_human_input", question())["changed"], true);
        assert_eq!(client.get("feature_request_human_input", question())["changed"], false);
        let mut another = question();
        another["prompt"] = "Really?".into();
        let text = client.fail("feature_request_human_input", another);
        assert!(text.contains("its claim has ended (needs human)"), "{text}");
        answer(&project);
        assert_eq!(
            client.get("feature_request_human_input", question())["answers"],
            json!({"colour": "red"})
        );
    }
}

#[test]
fn a_question_needs_a_claim_and_sense() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        let text = client.fail("feature_request_human_input", question());
        assert!(text.starts_with("Error (conflict): feature #3 is not claimed by this session"), "{text}");
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        let before = project.last_seq();
        let bad = json!({"feature_id": NO_CHECK, "prompt": " ", "fields": [
            {"id": "a", "label": "A", "type": "select"}, {"id": "a", "label": ""}]});
        assert_eq!(
            client.fail("feature_request_human_input", bad),
            "Error (invalid_argument): `prompt` is empty: say what you need to know; `fields[0].options` is empty, but \
             a select needs at least one; `fields[1].id` `a` is there twice; `fields[1].label` is empty. Correct the \
             arguments and call again."
        );
        let bad =
            json!({"feature_id": NO_CHECK, "prompt": "?", "fields": [{"id": "a", "type": "colour"}, 7]});
        let text = client.fail("feature_request_human_input", bad);
        assert!(
            text.contains("`fields[0].label` is missing (came")
                || text.contains("`fields[0].label` is missing"),
            "{text}"
        );
        assert!(text.contains("`fields[0].type` must be one of text, textarea, select, boolean"), "{text}");
        assert!(text.contains("`fields[1]` must be an object, not 7"), "{text}");
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn another_session_may_not_ask_about_it() {
    let project = Project::new();
    project.claim(NO_CHECK);
    let text = project.open(Era::Stateless, &[]).fail("feature_request_human_input", question());
    assert!(text.starts_with("Error (conflict): feature #3 is claimed by session s1"), "{text}");
}

#[test]
fn a_person_behind_the_client_is_asked_at_once_and_the_work_goes_on() {
    for era in ERAS {
        let project = Project::new();
        let mut client = open_with(&project, era, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        let ask = |client: &mut Client, result: Value| {
            let (answer, form) = asked_by("feature_request_human_input", client, era, &question(), &result);
            (succeeded(&answer), form)
        };
        // Whoever does not answer leaves the question for others.
        let (declined, form) = ask(&mut client, json!({"action": "decline"}));
        assert_eq!(form["message"], "Which colour?");
        assert_eq!((&declined["changed"], &declined["answered"]), (&json!(true), &json!(false)));
        assert_eq!(project.feature(NO_CHECK).status, Status::NeedsHuman);

        let (answered, _) = ask(&mut client, json!({"action": "accept", "content": {"colour": "blue"}}));
        assert_eq!((&answered["answered"], &answered["answers"]), (&json!(true), &json!({"colour": "blue"})));
        assert_eq!(
            (&answered["status"], &answered["next"]),
            (&json!("claimed"), &json!("Go on with the work."))
        );
        let feature = project.feature(NO_CHECK);
        assert_eq!((feature.status, feature.failed_attempts), (Status::Claimed, 0));
        assert_eq!(client.get("feature_mark_passing", json!({"feature_id": NO_CHECK}))["state"], "passing");
    }
}

#[test]
fn an_agent_that_works_alone_asks_nobody_at_once() {
    for era in ERAS {
        let project = Project::new();
        let mut client = open_with(&project, era, &["--role", "coding"]);
        client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
        assert_eq!(client.get("feature_request_human_input", question())["answered"], false);
    }
}

#[test]
fn a_person_who_answers_elsewhere_first_is_heard() {
    let project = Project::new();
    let mut client = open_with(&project, Era::Initialize, &[]);
    client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
    let call = json!({"name": "feature_request_human_input", "arguments": question()});
    let id = client.send("tools/call", call);
    let form = client.message().unwrap();
    answer(&project);
    client.reply(&form["id"], &json!({"action": "accept", "content": {"colour": "blue"}}));
    assert_eq!(succeeded(&client.answer(id))["answers"], json!({"colour": "red"}), "the first answer counts");
}

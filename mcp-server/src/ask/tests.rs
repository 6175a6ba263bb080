use serde_json::json;

use super::*;

fn request() -> HumanRequest {
    serde_json::from_value(json!({"prompt": "Which one?", "fields": [{"id": "db", "label": "Database"}]}))
        .unwrap()
}

#[test]
fn a_state_is_good_for_its_own_question_and_process() {
    let (seal, other_process) = (Seal::default(), Seal::default());
    let state = seal.state("tool\nquestion", PATIENCE).unwrap();
    seal.open(&state, "tool\nquestion").unwrap();
    let mut forged = state.clone();
    // The first character of the signature or of the body, whichever comes last, is another one.
    let at = forged.rfind('.').map_or(0, |dot| dot + 1);
    let other = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, other);
    for (state, bound_to, by) in [
        (state.as_str(), "tool\nanother question", &seal),
        (state.as_str(), "another tool\nquestion", &seal),
        (state.as_str(), "tool\nquestion", &other_process),
        (forged.as_str(), "tool\nquestion", &seal),
        ("", "tool\nquestion", &seal),
        ("answered", "tool\nquestion", &seal),
    ] {
        let error = by.open(state, bound_to).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains("is not one that this server gave for this question"), "{error}");
    }
}

#[tokio::test]
async fn a_state_does_not_last_for_ever() {
    let seal = Seal::default();
    let state = seal.state("q", Duration::from_millis(1)).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = seal.open(&state, "q").unwrap_err();
    assert!(error.to_string().contains("more than 12 hours after the question"), "{error}");
}

#[test]
fn an_answer_is_taken_for_what_it_is() {
    let outcome = |answer: Value| taken(&request(), &answer);
    assert!(matches!(outcome(json!({"action": "decline"})), Ok(Asked::Declined)));
    assert!(matches!(outcome(json!({"action": "cancel", "content": {"db": "x"}})), Ok(Asked::Dismissed)));
    let Ok(Asked::Answered(answers)) =
        outcome(json!({"action": "accept", "content": {"db": "SQLite", "more": 1}}))
    else {
        panic!("it fits");
    };
    assert_eq!(answers, BTreeMap::from([("db".to_owned(), Answer::Text("SQLite".into()))]));
    for (wrong, said) in [
        (json!({"action": "accept", "content": {}}), "the field `db` (Database) has no answer"),
        (json!({"action": "accept"}), "has no answer"),
        (json!({"action": "accept", "content": {"db": []}}), "has no answer"),
        (json!({"action": "perhaps"}), "no `action`"),
        (json!({}), "no `action`"),
        (json!("accept"), "no `action`"),
    ] {
        let error = outcome(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with("Error (invalid_argument): the client's answer") && error.contains(said),
            "{error}"
        );
    }
}

use std::path::PathBuf;

use cogwork_schemas::{AttemptId, FeatureId, Hold, SessionId, Status};
use cogwork_store::ErrorClass;
use jiff::Timestamp;

use super::*;

fn text(error: StoreError) -> String {
    ToolError::from(error).to_string()
}

#[test]
fn every_error_is_a_code_a_fact_and_a_next_step() {
    let id = FeatureId(7);
    let path = PathBuf::from("/p/.cogwork/features.db");
    for (error, expected) in [
        (
            StoreError::UnknownFeature { id, highest: Some(FeatureId(5)) },
            "Error (not_found): there is no feature #7; the highest id is #5. Call feature_get_ready or \
             feature_get_blocked for the ids there are.",
        ),
        (
            StoreError::NotClaimable { id, hold: Hold::Passing },
            "Error (conflict): feature #7 cannot be claimed: it passes already. Nothing is left to do for it. Take \
             another feature: feature_get_ready lists them.",
        ),
        (
            StoreError::AlreadyClaimed { id, owner: SessionId(2), since: Timestamp::UNIX_EPOCH },
            "Error (conflict): feature #7 is claimed by session s2 since 1970-01-01T00:00:00Z. Take another feature: \
             feature_get_ready lists them.",
        ),
        (
            StoreError::StaleToken {
                feature: Some(id),
                attempt: Some(AttemptId(1)),
                ended: Some("not_finished".into()),
            },
            "Error (stale_token): this session no longer owns feature #7: its claim has ended (not finished); nothing \
             was changed. Stop working on it and end the session.",
        ),
        (
            StoreError::DependsOnItself { feature: id },
            "Error (invalid_argument): feature #7 cannot depend on itself; nothing was changed. Name another feature.",
        ),
        (
            StoreError::TooManyDependencies { feature: id, found: 3, limit: 2 },
            "Error (limit): feature #7 would have 3 dependencies, at most 2 are allowed; nothing was changed. Depend \
             on fewer, or split the feature.",
        ),
        (
            StoreError::Cycle(Cycle { path: vec![id, FeatureId(8), id] }),
            "Error (cycle): the features #7 → #8 → #7 depend on each other in a circle: remove one of these \
             dependencies. Leave the new one of these dependencies out, or remove another first.",
        ),
        (
            StoreError::WrongStatus { id, action: "skipped", status: Status::Passing },
            "Error (conflict): feature #7 cannot be skipped: it is passing; nothing was changed. feature_explain says \
             how it stands and what comes next.",
        ),
        (
            StoreError::BadQuestion { problems: vec![("fields".into(), "is empty".into())] },
            "Error (invalid_argument): `fields` is empty. Correct the arguments and call again.",
        ),
        (
            StoreError::BadAnswer { id, misfits: vec!["the answer to `a` is empty".into()] },
            "Error (invalid_argument): the answer to `a` is empty. Correct the arguments and call again.",
        ),
        (
            StoreError::Busy { path, holder: None, waited_s: 5 },
            "Error (busy): the database was in use for too long and nothing was changed. Retry the same call.",
        ),
    ] {
        assert_eq!(text(error), expected);
    }
}

/// What people mend while the agent waits is not said to be hopeless.
#[test]
fn what_may_be_answered_later_may_be_called_again() {
    let path = || PathBuf::from("/p/.cogwork/features.db");
    let io = || std::io::Error::other("gone");
    for error in [
        StoreError::Busy { path: path(), holder: None, waited_s: 10 },
        StoreError::DiskFull { path: path() },
        StoreError::NotWritable { path: path() },
        StoreError::DiskFailed { path: path(), source: "gone".into() },
        StoreError::Io { action: "open", path: path(), source: io() },
        StoreError::Unanswered { path: path(), source: "gone".into() },
    ] {
        assert!(matches!(error.class(), ErrorClass::Again | ErrorClass::Unknown));
        let text = text(error).to_lowercase();
        assert!(text.contains("retry the same call"), "{text}");
        assert!(!text.contains("do not retry"), "{text}");
    }
    assert!(text(StoreError::Replaced { path: path() }).contains("Do not retry"));
}

#[test]
fn a_cause_that_names_the_engine_stays_in_the_log() {
    let error = StoreError::Database {
        path: PathBuf::from("/p/.cogwork/features.db"),
        source: "near \"SELEKT\": syntax error".into(),
    };
    assert!(source_chain(&error).contains("SELEKT"));
    let text = text(error);
    assert!(text.starts_with("Error (internal): the database /p/.cogwork/features.db failed"), "{text}");
    assert!(!text.contains("SELEKT"), "{text}");
}

#[test]
fn all_problems_are_told_as_far_as_there_is_room() {
    let problems = |count: usize, of: &str| -> Vec<String> {
        (0..count).map(|i| format!("`ids[{i}]` must be {of}")).collect()
    };
    let text = ToolError::bad_arguments(&problems(30, "an integer")).to_string();
    assert!(text.contains("`ids[29]` must be an integer. Correct the arguments"), "{text}");
    for of in ["an integer", &"x".repeat(50_000)] {
        let text = ToolError::bad_arguments(&problems(5_000, of)).to_string();
        assert!(text.chars().count() < 10_000, "{text}");
        let shown = text.matches("must be").count();
        assert!(text.contains(&format!("; and {} more. Correct", 5_000 - shown)), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_list_is_told_with_its_path() {
    let problem = |item, field| ListProblem { item, field, label: "l".into(), what: "it is bad".into() };
    let problems = vec![problem(Some(2), "checks"), problem(Some(3), "dependencies"), problem(None, "")];
    assert_eq!(
        text(StoreError::BadList { problems }),
        "Error (invalid_argument): `features[2].checks`: it is bad; `features[3].depends_on`: it is bad; it is bad. \
         Correct the arguments and call again."
    );
    let alone = ToolError::bad_list(&[problem(Some(0), "key")], |_| String::new()).to_string();
    assert!(alone.starts_with("Error (invalid_argument): `key`: it is bad."), "{alone}");
}

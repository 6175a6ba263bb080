use std::path::PathBuf;

use cogwork_schemas::{AttemptId, FeatureId, Hold, SessionId};
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
            StoreError::Busy { path, holder: None, waited_s: 5 },
            "Error (busy): the database was in use for too long and nothing was changed. Retry the same call.",
        ),
    ] {
        assert_eq!(text(error), expected);
    }
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
fn many_problems_are_counted_not_printed() {
    let problems: Vec<String> =
        (0..30).map(|i| format!("`ids[{i}]` must be an integer, not \"x\"")).collect();
    let text = ToolError::bad_arguments(&problems).to_string();
    assert!(text.contains("; and 20 more. Correct the arguments"), "{text}");
    assert!(text.len() < 600, "{text}");
}

//! The JSON Schemas of what other programs read or write. Generated from the types, checked in under `schemas/json/`;
//! a test fails when a file there is stale.

use schemars::{Schema, schema_for};

use crate::{Command, CommandReply, Entry, Feature, FeatureList, RunnerMessage};

/// One published schema.
pub struct Document {
    /// The file name under `schemas/json/`.
    pub file: &'static str,
    pub schema: Schema,
}

/// Returns every published schema.
pub fn documents() -> Vec<Document> {
    vec![
        Document { file: "command.json", schema: schema_for!(Command) },
        Document { file: "command-reply.json", schema: schema_for!(CommandReply) },
        Document { file: "feature-list.json", schema: schema_for!(FeatureList) },
        Document { file: "feature.json", schema: schema_for!(Feature) },
        Document { file: "journal-entry.json", schema: schema_for!(Entry) },
        Document { file: "runner-message.json", schema: schema_for!(RunnerMessage) },
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Run with `UPDATE_SCHEMAS=1` to write them anew.
    #[test]
    fn checked_in_schemas_are_current() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
        #[expect(clippy::disallowed_methods, reason = "a developer's switch for this test alone")]
        let update = std::env::var("UPDATE_SCHEMAS").is_ok();
        for Document { file, schema } in documents() {
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            if update {
                std::fs::create_dir_all(&dir).unwrap();
                std::fs::write(dir.join(file), text).unwrap();
            } else {
                let stored = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
                assert!(
                    stored == text,
                    "json/{file} is stale: UPDATE_SCHEMAS=1 cargo test -p cogwork-schemas"
                );
            }
        }
    }

    /// One entry of each kind that came with runs, landings and what sessions do.
    #[test]
    fn the_journal_schema_takes_good_entries_and_refuses_bad_ones() {
        let schema = serde_json::to_value(schema_for!(Entry)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let entry = |fact: &str| -> serde_json::Value {
            let text = format!(r#"{{"seq": 1, "at": "2026-11-29T10:00:00Z", "run": 2, "fact": {fact}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let good = [
            r#"{"kind": "session_waits", "until": "2026-11-29T11:00:00Z", "because": {"outcome": "usage_limit"}}"#,
            r#"{"kind": "session_goes_on"}"#,
            r#"{"kind": "session_active", "activity": {"tool": "Edit a.rs", "checks": {"green": 1, "total": 2}}}"#,
            r#"{"kind": "session_ended", "result": {"outcome": "completed"}, "agent_ms": 5}"#,
            r#"{"kind": "session_ended", "result": {"outcome": "completed"}, "agent_ms": 5,
                "usage": {"input_tokens": 7, "output_tokens": 8, "cost_usd": 0.5}}"#,
            r#"{"kind": "slot_idle", "slot": 2, "hold": {"hold": "nothing_ready"}}"#,
            r#"{"kind": "start_avoided", "hold": {"hold": "gate_closed", "account": "work"}}"#,
            r##"{"kind": "landing_waits", "wait": {"wait": "behind", "feature": 3}}"##,
            r#"{"kind": "landing_begun", "landing": 1, "branch": "main", "from": "a", "to": "b"}"#,
            r#"{"kind": "landing_ended", "landing": 1, "result": {"outcome": "undone", "reason": "moved"}}"#,
            r#"{"kind": "commanded", "command": {"command": "slots", "slots": 2}, "by": {"asker": "process", "pid": 7}}"#,
        ];
        for good in good.map(entry) {
            assert!(validator.is_valid(&good), "{good}");
            serde_json::from_value::<Entry>(good).unwrap();
        }
        let bad = [
            r#"{"kind": "session_waits", "because": {"outcome": "usage_limit"}}"#,
            r#"{"kind": "session_active", "activity": {"checks": {"green": 1}}}"#,
            r#"{"kind": "session_ended", "result": {"outcome": "completed"}, "agent_ms": 5, "usage": {}}"#,
            r#"{"kind": "slot_idle", "slot": 2, "hold": {"hold": "tired"}}"#,
            r#"{"kind": "landing_waits", "wait": "main"}"#,
            r#"{"kind": "landing_begun", "landing": 1, "branch": "main"}"#,
            r#"{"kind": "commanded", "command": {"command": "slots"}, "by": {"asker": "process", "pid": 7}}"#,
        ];
        for bad in bad.map(entry) {
            assert!(!validator.is_valid(&bad), "{bad}");
            serde_json::from_value::<Entry>(bad).unwrap_err();
        }
    }

    #[test]
    fn the_feature_list_schema_takes_good_lists_and_refuses_bad_ones() {
        let schema = serde_json::to_value(schema_for!(FeatureList)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let good = serde_json::json!({"features": [
            {"name": "a", "checks": ["true"]},
            {"name": "b", "key": "b", "dependencies": [1, "a"], "checks": [{"command": "true", "timeout_s": 3}]}
        ]});
        assert!(validator.is_valid(&good));
        for bad in [
            serde_json::json!({}),
            serde_json::json!({"features": [{"category": "no name"}]}),
            serde_json::json!({"features": [{"name": "a", "checks": [{"timeout_s": 3}]}]}),
            serde_json::json!({"features": [{"name": "a", "dependencies": [true]}]}),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
            assert!(serde_json::from_value::<FeatureList>(bad).is_err());
        }
    }
}

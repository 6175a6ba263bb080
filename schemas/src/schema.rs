//! The JSON Schemas of what other programs read or write. Generated from the types, checked in under `schemas/json/`;
//! a test fails when a file there is stale.

use schemars::{Schema, schema_for};

use crate::{Entry, Feature, FeatureList, RunnerMessage};

/// One published schema.
pub struct Document {
    /// The file name under `schemas/json/`.
    pub file: &'static str,
    pub schema: Schema,
}

/// Returns every published schema.
pub fn documents() -> Vec<Document> {
    vec![
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

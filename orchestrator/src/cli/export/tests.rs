//! What is exported comes back the same, whatever it is.

use std::collections::BTreeSet;

use cogwork_schemas::{Check, FeatureList};
use cogwork_store::ImportLimits;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::cli::import;

fn exported(store: &Store, format: Format, state: bool) -> String {
    let mut bytes = Vec::new();
    write(store, format, state, &mut bytes).unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

fn imported(text: &str, format: Option<Format>) -> Store {
    let store = Store::in_memory(cogwork_session::clock::source()).unwrap();
    let list = import::parse(text, format).unwrap();
    store.import(&list.list, &ImportLimits::default()).unwrap();
    store
}

fn project() -> Store {
    let list: FeatureList = serde_json::from_str(
        r#"{"features": [
            {"key": "base", "category": "core", "name": "Base", "steps": ["look"], "checks": ["make"],
             "description": "All\nof it.", "priority": 3, "estimate_s": 2.5},
            {"name": "Top", "dependencies": ["base"], "checks": [{"command": "t", "timeout_s": 7}]},
            {"name": "Gone"}, {"name": "Last"}]}"#,
    )
    .unwrap();
    let store = Store::in_memory(cogwork_session::clock::source()).unwrap();
    store.import(&list, &ImportLimits::default()).unwrap();
    store.delete_feature(cogwork_schemas::FeatureId(3)).unwrap();
    store
}

#[test]
fn a_project_is_written_for_people_and_in_lines() {
    let store = project();
    insta::assert_snapshot!(exported(&store, Format::Json, false), @r#"
    {
      "features": [
        {
          "id": 1,
          "key": "base",
          "category": "core",
          "name": "Base",
          "description": "All\nof it.",
          "steps": [
            "look"
          ],
          "checks": [
            {
              "command": "make",
              "timeout_s": 600
            }
          ],
          "priority": 3,
          "estimate_s": 2.5
        },
        {
          "id": 2,
          "category": "uncategorized",
          "name": "Top",
          "description": "",
          "checks": [
            {
              "command": "t",
              "timeout_s": 7
            }
          ],
          "dependencies": [
            1
          ],
          "priority": 4
        },
        {
          "id": 4,
          "category": "uncategorized",
          "name": "Last",
          "description": "",
          "priority": 6
        }
      ]
    }
    "#);
    insta::assert_snapshot!(exported(&store, Format::Jsonl, true), @r#"
    {"id":1,"key":"base","category":"core","name":"Base","description":"All\nof it.","steps":["look"],"checks":[{"command":"make","timeout_s":600}],"priority":3,"estimate_s":2.5,"status":"pending","failed_attempts":0}
    {"id":2,"category":"uncategorized","name":"Top","description":"","checks":[{"command":"t","timeout_s":7}],"dependencies":[1],"priority":4,"status":"pending","failed_attempts":0}
    {"id":4,"category":"uncategorized","name":"Last","description":"","priority":6,"status":"pending","failed_attempts":0}
    "#);
    assert_eq!(
        exported(&Store::in_memory(cogwork_session::clock::source()).unwrap(), Format::Json, false),
        "{\n  \"features\": []\n}\n"
    );
    assert_eq!(
        exported(&Store::in_memory(cogwork_session::clock::source()).unwrap(), Format::Jsonl, false),
        ""
    );
}

#[test]
fn numbers_come_back_only_where_none_was_given() {
    let text = exported(&project(), Format::Json, false);
    let again = imported(&text, None);
    assert_eq!(exported(&again, Format::Json, false), text);
    let ids: Vec<i64> = again.features().unwrap().iter().map(|feature| feature.id.0).collect();
    assert_eq!(ids, [1, 2, 4]);
    let list = import::parse(&text, None).unwrap().list;
    let keyless = FeatureList { features: list.features[2..].to_vec() };
    let more = again.import(&keyless, &ImportLimits::default()).unwrap();
    assert_eq!(more.created, [cogwork_schemas::FeatureId(5)]);
}

/// Any text that is no mistake in a name: something to see and no control characters.
fn name() -> impl Strategy<Value = String> {
    "\\PC{0,30}[a-zé漢]\\PC{0,30}"
        .prop_filter("no control characters", |name| !name.contains(char::is_control))
}

fn prose() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()),
        "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\\\\\"/]{0,20}",
        Just("long ".repeat(5_000)),
    ]
}

prop_compose! {
    fn a_feature()(
        category in name(),
        name in name(),
        description in prose(),
        steps in vec(prose(), 0..4),
        checks in vec(("[^\u{0}]{0,20}x", 1..u32::MAX), 0..3),
        before in vec(any::<prop::sample::Index>(), 0..4),
        priority in option::of(-1_000_000_000_000_i64..=1_000_000_000_000),
        estimate_s in option::of(prop_oneof![0.0..1e9_f64, prop::num::f64::POSITIVE]),
        gap in 1..5_i64,
        has_key in any::<bool>(),
    ) -> (ListedFeature, Vec<prop::sample::Index>, i64, bool) {
        let checks = checks.into_iter().map(|(command, timeout_s)| Check { command, timeout_s }).collect();
        let listed = ListedFeature {
            id: None, key: None, category, name, description, steps, checks, dependencies: Vec::new(), priority,
            estimate_s,
        };
        (listed, before, gap, has_key)
    }
}

fn a_list() -> impl Strategy<Value = FeatureList> {
    vec(a_feature(), 1..12).prop_map(|parts| {
        let (mut features, mut id): (Vec<ListedFeature>, i64) = (Vec::new(), 0);
        for (mut feature, before, gap, has_key) in parts {
            id += gap;
            feature.id = Some(id);
            feature.key = has_key.then(|| format!("key {id} ✓"));
            if !features.is_empty() {
                let chosen: BTreeSet<_> = before.iter().map(|index| index.get(&features).id).collect();
                feature.dependencies = chosen.into_iter().flatten().map(DependencyRef::Id).collect();
            }
            features.push(feature);
        }
        FeatureList { features }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_exported_comes_back(list in a_list()) {
        let store = Store::in_memory(cogwork_session::clock::source()).unwrap();
        store.import(&list, &ImportLimits::default()).unwrap();
        for (format, told) in [(Format::Json, None), (Format::Jsonl, None), (Format::Jsonl, Some(Format::Jsonl))] {
            let text = exported(&store, format, false);
            let again = imported(&text, told);
            prop_assert_eq!(exported(&again, format, false), text);
            prop_assert_eq!(again.features().unwrap(), store.features().unwrap());
            prop_assert_eq!(exported(&imported(&exported(&store, format, true), told), format, false), exported(&store, format, false));
        }
    }
}

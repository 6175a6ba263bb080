//! Taking over what the original left in a project.

pub(crate) mod originals;
mod refusals;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cogwork_schemas::{Answer, Fact, Feature, FeatureId, Proof, Status};
use cogwork_store::{Adoption, ImportLimits, Store, StoreError};

use crate::fixture::*;
use originals::*;
use tempfile::TempDir;

/// Every file below a directory but ours, with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && entry.file_name() != ".cogwork" {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Opens a project that must be taken over now, leave the original as it was, and be the same ever after.
fn adopt(project: &Path) -> (Store, Adoption) {
    let before = files(project);
    let (store, adoption) = Store::open_or_adopt(project, clock_at(1)).unwrap();
    assert!(files(project) == before, "the original was touched");
    store.file().check_integrity().unwrap();
    let adoption = adoption.expect("something to take over");
    assert_eq!(store.adoption().unwrap().as_ref(), Some(&adoption));
    assert_eq!(usize::try_from(adoption.features).unwrap(), store.features().unwrap().len());
    let (again, more) = Store::open_or_adopt(project, clock_at(2)).unwrap();
    assert_eq!((more, all(&again)), (None, all(&store)), "once is enough");
    (store, adoption)
}

fn adopt_sql(sql: &str) -> (Store, Adoption, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join(".autoforge/features.db"), sql);
    let (store, adoption) = adopt(dir.path());
    (store, adoption, dir)
}

fn adopt_list(text: &str) -> (Store, Adoption) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("feature_list.json"), text).unwrap();
    adopt(dir.path())
}

fn short(feature: &Feature) -> (i64, &str, Status, Vec<i64>) {
    let dependencies = feature.dependencies.iter().map(|id| id.0).collect();
    (feature.id.0, &feature.name, feature.status, dependencies)
}

#[test]
fn every_version_of_the_table_is_taken_over() {
    let versions = [
        (FIRST, vec![], vec![]),
        (WITH_PROGRESS, vec![], vec![]),
        (WITH_DEPENDENCIES, vec![1], vec![]),
        (WITH_TESTING, vec![1], vec!["`last_tested_at` of 1 features"]),
        (LAST, vec![1], vec![]),
    ];
    for (sql, dependencies, left_out) in versions {
        let (store, adoption, _dir) = adopt_sql(sql);
        let features = store.features().unwrap();
        assert_eq!(short(&features[0]), (1, "Sign in", Status::Passing, vec![]), "{sql}");
        assert_eq!(short(&features[1]), (2, "Sign out", Status::Pending, dependencies), "{sql}");
        assert_eq!(features[0].proof, Some(Proof::Unverified));
        assert_eq!((features[0].priority, features[1].priority), (1, 2));
        assert_eq!(
            (features[0].category.as_str(), features[0].description.as_str()),
            ("auth", "With a password.")
        );
        assert_eq!(features[0].steps, ["open", "type"]);
        assert_eq!(
            (adoption.source.as_str(), adoption.left_out),
            (".autoforge/features.db", left_out.into_iter().map(str::to_owned).collect::<Vec<_>>())
        );
    }
}

#[test]
fn numbers_and_places_stay_and_new_ones_follow() {
    let sql = "INSERT INTO features (id, priority, category, name, description, steps, passes, in_progress)
               VALUES (70, 7, 'c', 'later', '', '[]', 0, 1), (41, 7, 'c', 'same place', '', '[]', 0, 0)";
    let (store, adoption, _dir) = adopt_sql(&format!("{LAST}{sql}"));
    let features = store.features().unwrap();
    let places: Vec<_> = features.iter().map(|feature| (feature.id.0, feature.priority)).collect();
    assert_eq!(places, [(1, 1), (2, 2), (41, 7), (70, 7)]);
    assert!(features[3].status == Status::Pending, "who worked on it is gone");
    assert_eq!(adoption.left_out, [""; 0]);
    let imported = store.at(3).import(&list(r#"{"name": "new"}"#), &ImportLimits::default()).unwrap();
    assert_eq!(imported.created, [FeatureId(71)]);
    assert_eq!(store.feature(FeatureId(71)).unwrap().priority, 8);
    assert_eq!(
        kinds(&store, 0),
        ["adopted", "#1 created", "#2 created", "#41 created", "#70 created", "#71 created"]
    );
}

#[test]
fn what_cannot_stand_is_left_out_and_named() {
    let sql = r#"
        UPDATE features SET dependencies = '[2, 1, 9, "2", "x", 2]' WHERE id = 1;
        UPDATE features SET dependencies = '[1' WHERE id = 2;
        INSERT INTO features (id, priority, category, name, description, steps, passes, in_progress, dependencies)
        VALUES (3, 3, 'c', '', '', 'first open it, then', 0, 0, '[5]'),
               (4, 'high', '', '  ', '', '{"a": 1}', 0, 0, '[3, 3, 3]'),
               (5, 9000000000000, 'c', 'five', x'66ff', '["a", 7, null]', 0, 0, '[4]');
        INSERT INTO schedules VALUES (1, 'p', '09:00', 60, 127, 1, 0, NULL, 3, 0, '2026-01-01');
        ALTER TABLE features ADD COLUMN colour TEXT;
        UPDATE features SET colour = 'red' WHERE id > 3;
    "#;
    let (store, adoption, _dir) = adopt_sql(&format!("{LAST}{sql}"));
    insta::assert_snapshot!(adoption.left_out.join("\n"), @r#"
    the table `schedules` (rows: 1)
    #5 had bytes in its description that are no text
    `colour` of 2 features
    #1 depended on itself
    #1 depended on 9, which does not exist
    #1 depended on "x", which is no number
    #2 had the dependencies "[1", which are no list of numbers
    #4 had the priority "high", which is no number: it has 999
    #5 had the priority 9000000000000: it has 1000000000000
    #4 depended on #3, which depends on it: that was a circle
    "#);
    let features = store.features().unwrap();
    let shorts: Vec<_> = features.iter().map(short).collect();
    assert_eq!(
        shorts,
        [
            (1, "Sign in", Status::Passing, vec![2]),
            (2, "Sign out", Status::Pending, vec![]),
            (3, "Feature 3", Status::Pending, vec![5]),
            (4, "Feature 4", Status::Pending, vec![]),
            (5, "five", Status::Pending, vec![4]),
        ]
    );
    assert_eq!(features[2].steps, ["first open it, then"]);
    assert_eq!(features[3].steps, [r#"{"a":1}"#]);
    assert_eq!(features[4].steps, ["a", "7"]);
    assert_eq!((features[3].priority, features[3].category.as_str()), (999, "uncategorized"));
    assert_eq!(features[4].description, "f\u{fffd}");
}

#[test]
fn long_texts_stay_as_long_as_they_are() {
    let sql = format!(
        "{FIRST} UPDATE features SET name = '{}', category = '{}', description = '{}' WHERE id = 2",
        "n".repeat(300),
        "c".repeat(200),
        "d".repeat(300_000)
    );
    let (store, _, _dir) = adopt_sql(&sql);
    let feature = store.feature(FeatureId(2)).unwrap();
    assert_eq!((feature.name.len(), feature.category.len(), feature.description.len()), (300, 200, 300_000));
}

#[test]
fn questions_and_answers_are_taken_over() {
    let question = r#"{"prompt": "Which colour?", "fields": [
        {"id": "colour", "label": "Colour", "type": "select", "required": true, "placeholder": null,
         "options": [{"value": "red", "label": "Red"}]},
        {"id": "sure", "label": "Sure?", "type": "boolean", "required": false, "placeholder": null, "options": null}]}"#;
    let answer =
        |at: &str| format!(r#"{{"fields": {{"colour": "red", "sure": true}}, "responded_at": "{at}"}}"#);
    let row = |id: i64, waits: u8, request: &str, response: &str| {
        format!(
            "INSERT INTO features VALUES ({id}, {id}, 'c', 'n', 'd', '[]', 0, 0, NULL, {waits}, {request}, {response});"
        )
    };
    let quoted = |text: &str| format!("'{text}'");
    let question = quoted(question);
    let sql = [
        row(3, 1, &question, "NULL"),
        row(4, 0, &question, &quoted(&answer("2026-02-03T04:05:06.000007+00:00"))),
        row(5, 0, &question, &quoted(&answer("2026-02-03 04:05:06"))),
        row(6, 1, "NULL", "NULL"),
        row(7, 1, r#"'{"prompt": "", "fields": []}'"#, "NULL"),
        row(8, 0, "'null'", r#"'{"fields": {"a": 3}, "responded_at": "yesterday"}'"#),
    ];
    let (store, adoption, _dir) = adopt_sql(&format!("{LAST}{}", sql.concat()));
    insta::assert_snapshot!(adoption.left_out.join("\n"), @r"
    #6 waits for a person no more: nobody can know what was asked
    #7 had a question that cannot be read: prompt is empty: say what you need to know; fields is empty: ask for at least one thing
    #7 waits for a person no more: nobody can know what was asked
    #8 had an answer that cannot be read: `yesterday` is no time
    ");
    let statuses: Vec<_> = store.features().unwrap()[2..].iter().map(|feature| feature.status).collect();
    assert_eq!(statuses[0], Status::NeedsHuman);
    assert!(statuses[1..].iter().all(|status| *status == Status::Pending), "{statuses:?}");
    let answered = store.feature(FeatureId(4)).unwrap().human_response.unwrap();
    assert_eq!(answered.fields["sure"], Answer::Flag(true));
    assert_eq!(answered.responded_at.to_string(), "2026-02-03T04:05:06.000007Z");
    let naive = store.feature(FeatureId(5)).unwrap().human_response.unwrap();
    assert_eq!(naive.responded_at.to_string(), "2026-02-03T04:05:06Z");
    // The question is one of ours now.
    let fields = [("colour".to_owned(), Answer::Text("red".to_owned()))].into();
    store.at(3).answer_human(FeatureId(3), &fields).unwrap();
}

#[test]
fn a_list_is_taken_over_in_both_shapes() {
    let items = r#"[
        {"category": "functional", "description": "It starts.", "steps": ["start it"], "passes": true},
        {"name": "Stop", "passes": false, "dependencies": [1], "note": "later"},
        {"id": 9, "priority": 2, "name": "Pause", "passes": false, "dependencies": [2, 3]}]"#;
    let wrapped = format!(r#"{{"project": "p", "features": {items}}}"#);
    for (text, more) in [(items, None), (wrapped.as_str(), Some("the entry `project` beside the features"))] {
        let (store, adoption) = adopt_list(text);
        let features = store.features().unwrap();
        let shorts: Vec<_> = features.iter().map(short).collect();
        assert_eq!(
            shorts,
            [
                (1, "Feature 1", Status::Passing, vec![]),
                (2, "Stop", Status::Pending, vec![1]),
                (9, "Pause", Status::Pending, vec![2]),
            ]
        );
        let places: Vec<_> = features.iter().map(|feature| feature.priority).collect();
        assert_eq!(places, [1, 2, 2]);
        assert_eq!(
            (features[0].category.as_str(), features[1].category.as_str()),
            ("functional", "uncategorized")
        );
        let expected: Vec<_> = more
            .into_iter()
            .chain(["`note` of 1 features", "#9 depended on 3, which does not exist"])
            .collect();
        assert_eq!(
            (adoption.source.as_str(), adoption.left_out),
            ("feature_list.json", expected.into_iter().map(str::to_owned).collect())
        );
    }
}

#[test]
fn numbers_that_are_none_or_taken_are_replaced() {
    let (store, adoption) = adopt_list(
        r#"[{"name": "none"}, {"id": 1, "name": "one"}, {"id": 1, "name": "one, too"}, {"id": 0, "name": "zero"},
            {"name": "five", "dependencies": [1, 0]}, {"id": 99999999999999999, "name": "huge"}]"#,
    );
    let features = store.features().unwrap();
    let shorts: Vec<_> = features.iter().map(short).map(|(id, name, _, on)| (id, name, on)).collect();
    assert_eq!(
        shorts,
        [
            (1, "one", vec![]),
            (5, "five", vec![1, 8]),
            (6, "none", vec![]),
            (7, "one, too", vec![]),
            (8, "zero", vec![]),
            (9, "huge", vec![]),
        ]
    );
    assert_eq!(adoption.left_out.len(), 3, "{:?}", adoption.left_out);
}

#[test]
fn the_newest_place_goes_first_and_the_others_are_named() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("features.db"), FIRST);
    make(&dir.path().join(".autocoder/features.db"), WITH_TESTING);
    fs::write(dir.path().join(".autocoder/.agent.lock"), "123").unwrap();
    fs::write(dir.path().join("feature_list.json"), "[]").unwrap();
    let (_, adoption) = adopt(dir.path());
    assert_eq!(adoption.source, ".autocoder/features.db");
    assert_eq!(
        adoption.left_out,
        [
            "the file features.db, beside .autocoder/features.db",
            "the file feature_list.json, beside .autocoder/features.db",
            "`last_tested_at` of 1 features",
        ]
    );
}

#[test]
fn an_empty_database_gives_way_to_the_list() {
    for sql in ["", "CREATE TABLE notes (n)", &format!("{LAST} DELETE FROM features")] {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("features.db"), sql);
        fs::write(dir.path().join("feature_list.json"), r#"[{"name": "a", "passes": false}]"#).unwrap();
        assert_eq!(adopt(dir.path()).1.source, "feature_list.json");
    }
    let (store, adoption, _dir) = adopt_sql(&format!("{LAST} DELETE FROM features"));
    assert_eq!((adoption.features, store.features().unwrap().len()), (0, 0));
}

#[test]
fn a_circle_of_any_length_loses_one_dependency() {
    let sql: String = (1..=5_000)
        .map(|id| {
            format!(
                "INSERT INTO features VALUES ({id}, 1, 'c', 'n', 'd', '[]', 0, 0, '[{}]');",
                id % 5_000 + 1
            )
        })
        .collect();
    let (store, adoption, _dir) =
        adopt_sql(&format!("{WITH_DEPENDENCIES} DELETE FROM features; BEGIN; {sql} COMMIT;"));
    assert_eq!(adoption.left_out, ["#5000 depended on #1, which depends on it: that was a circle"]);
    let edges: usize = store.features().unwrap().iter().map(|feature| feature.dependencies.len()).sum();
    assert_eq!(edges, 4_999);
}

#[test]
fn making_a_project_takes_over_as_well() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("features.db"), LAST);
    let store = Store::create(dir.path(), clock_at(1)).unwrap();
    assert_eq!(store.features().unwrap().len(), 2);
    assert!(matches!(facts(&store, 0)[0], Fact::Adopted { features: 2, .. }));
}

#[test]
fn a_project_of_ours_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    make(&dir.path().join("features.db"), LAST);
    let (store, adoption) = Store::open_or_adopt(dir.path(), clock_at(1)).unwrap();
    assert_eq!((store.features().unwrap().len(), adoption), (4, None));
    assert_eq!(store.adoption().unwrap(), None);
    // Not even one that somebody emptied.
    drop(store);
    fs::write(database(dir.path()), "").unwrap();
    let error = Store::open_or_adopt(dir.path(), clock_at(1)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn without_an_original_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open_or_adopt(dir.path(), clock_at(1)).unwrap_err();
    assert!(matches!(error, StoreError::NoProject { .. }), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

//! What people do with a project beside running it: taking over an older one, lists in and out, answers, dependencies.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use cogwork_schemas::{FeatureId, HumanRequest, Isolation, Role};
use cogwork_store::{NewSession, Secret};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::place::Place;

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory in which the original left its list.
fn of_the_original() -> Place {
    let place = Place::empty();
    fs::create_dir(&place.dir).unwrap();
    let list = json!([
        {"category": "functional", "description": "It starts.", "steps": ["start it"], "passes": true},
        {"name": "Stop it", "passes": false, "dependencies": [1, 7], "owner": "Ada"},
    ]);
    fs::write(place.dir.join("feature_list.json"), list.to_string()).unwrap();
    place
}

#[test]
fn any_command_takes_over_a_project_of_the_original() {
    let left_out = "left out: `owner` of 1 features; #2 depended on 7, which does not exist";
    for first in [&["list", "--json"][..], &["why"], &["doctor"], &["export"], &["verify"], &["show", "2"]] {
        let place = of_the_original();
        let list = fs::read(place.dir.join("feature_list.json")).unwrap();
        let output = place.cogwork(first);
        let told = String::from_utf8(output.stderr.clone()).unwrap() + &text(&output);
        assert!(told.contains(left_out), "{first:?}: {told}");
        if first.contains(&"--json") {
            let features: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&features[0]["proof"], &features[1]["status"]),
                (&json!("unverified"), &json!("pending"))
            );
        }
        assert_eq!(fs::read(place.dir.join("feature_list.json")).unwrap(), list);
        let again = place.cogwork(&["status"]);
        assert!(again.stderr.is_empty(), "it is told once: {again:?}");
        assert!(text(&again).contains(&format!(
            "taken over from feature_list.json, which stays as it is: 2 features; {left_out}"
        )));
        assert!(
            text(&place.cogwork(&["doctor"]))
                .contains(&format!("taken over   2 features of feature_list.json; {left_out}"))
        );
        let status: Value = serde_json::from_slice(&place.cogwork(&["status", "--json"]).stdout).unwrap();
        assert_eq!(status["adopted"]["left_out"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_runner_takes_over_as_well() {
    let place = of_the_original();
    let output = place.cogwork(&["agent", "--agent", "exec:true", "--max-iterations", "1"]);
    assert_eq!(place.store().adoption().unwrap().unwrap().features, 2, "{output:?}");
}

#[test]
fn importing_the_list_of_the_original_takes_it_over_and_nothing_twice() {
    let place = of_the_original();
    let list = place.dir.join("feature_list.json");
    let output = place.cogwork(&["import", list.to_str().unwrap()]);
    assert!(text(&output).starts_with("taken over from feature_list.json"), "{output:?}");
    assert_eq!(place.store().features().unwrap().len(), 2);
    // Another list goes behind what was taken over.
    let place = of_the_original();
    text(&place.import(&json!({"features": [{"name": "new"}]})));
    let names: Vec<_> = place.store().features().unwrap().into_iter().map(|feature| feature.name).collect();
    assert_eq!(names, ["Feature 1", "Stop it", "new"]);
}

#[test]
fn an_original_that_is_broken_is_a_sentence_and_no_project() {
    let place = of_the_original();
    fs::write(place.dir.join("feature_list.json"), "[{").unwrap();
    for command in [&["status"][..], &["doctor"], &["run", "--agent", "exec:true"]] {
        let output = place.cogwork(command);
        let told =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("feature_list.json cannot be taken over: it is damaged"), "{told}");
        assert_eq!(output.status.code(), Some(1));
    }
    assert!(!place.dir.join(".cogwork").exists());
}

fn three() -> Place {
    Place::with_features(&json!({"features": [
        {"key": "a", "name": "A \u{1f600} \"quoted\"", "description": "One\n\u{1b}[31mtwo", "checks": ["test -e a"]},
        {"key": "b", "name": "B", "dependencies": ["a"], "priority": 9, "estimate_s": 0.1},
        {"name": "C", "dependencies": ["a", "b"], "steps": ["look", ""]},
    ]}))
}

#[test]
fn what_was_exported_is_imported_the_same() {
    let place = three();
    text(&place.cogwork(&["delete", "2", "--yes"]));
    for (format, file) in [("json", "out.json"), ("jsonl", "out.jsonl"), ("jsonl", "lines")] {
        let file = place.dir.join(file);
        let path = file.to_str().unwrap();
        text(&place.cogwork(&["export", "--format", format, "--output", path]));
        let written = fs::read(&file).unwrap();
        assert_eq!(place.cogwork(&["export", "--format", format]).stdout, written);
        let other = Place::empty();
        fs::create_dir(&other.dir).unwrap();
        assert_eq!(text(&other.cogwork(&["import", path])), "2 features imported\n");
        assert_eq!(other.cogwork(&["export", "--format", format]).stdout, written);
        assert_eq!(other.store().features().unwrap(), place.store().features().unwrap());
    }
    assert_eq!(
        fs::read_dir(&place.dir)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("draft"))
            .count(),
        0
    );
}

#[test]
fn a_list_comes_from_a_pipe_and_a_bad_line_is_named() {
    let place = three();
    let import = |text: &str| {
        let mut command = place.command(&["import", "-"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let told = failed(&import("{\"name\": \"x\"}\n{\"name\": 1}\n{\n"), 1);
    assert!(told.contains("the standard input is not a feature list:"), "{told}");
    assert!(told.contains("line 2: invalid type") && told.contains("line 3: EOF"), "{told}");
    assert_eq!(place.store().features().unwrap().len(), 3);
    let told = text(&import("{\"name\": \"x\", \"status\": \"passing\"}\n{\"name\": \"y\", \"hue\": 1}\n"));
    assert!(
        told.starts_with("2 features imported\nnote: where 1 of them stood was not taken over"),
        "{told}"
    );
    assert!(told.contains("`hue` means nothing here"), "{told}");
}

pub(crate) fn ask(place: &Place, id: i64) {
    let request: HumanRequest =
        serde_json::from_value(json!({"prompt": "Which colour\nshould it be?", "fields": [
        {"id": "colour", "label": "Colour", "type": "select", "options": [{"value": "red", "label": "Red"}]},
        {"id": "sure", "label": "Sure?", "type": "boolean"},
        {"id": "why", "label": "Why", "required": false}]}))
        .unwrap();
    let new = NewSession::new(Role::Coding, "exec:true", Isolation::Workspace);
    let store = place.store();
    let claim =
        store.claim(FeatureId(id), &new, &Secret::random().unwrap(), SignedDuration::from_hours(1)).unwrap();
    store.ask_human(&claim.token, &request).unwrap();
    let ended = cogwork_schemas::SessionOutcome::Completed;
    store.end_session(claim.session, &ended, 0).unwrap();
}

#[test]
fn a_question_is_seen_everywhere_and_answered() {
    let place = three();
    ask(&place, 1);
    let how = "cogwork answer 1 --field colour=red --field sure=yes --project-dir";
    for command in [&["show", "1"][..], &["why", "1"]] {
        let told = text(&place.cogwork(command));
        assert!(told.contains("should it be?") && told.contains("Red") && told.contains(how), "{told}");
    }
    assert!(text(&place.cogwork(&["list"])).contains("needs you"));
    let told = text(&place.cogwork(&["status"]));
    assert!(
        told.contains("#1 asks you: Which colour should it be?\n  cogwork answer 1 --project-dir"),
        "{told}"
    );
    let ended = place.cogwork(&["run", "--agent", "exec:true"]);
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    let told = String::from_utf8(ended.stdout).unwrap();
    assert!(told.contains("#1 asks you: Which colour should it be?\n  cogwork answer 1"), "{told}");

    let asked = place.cogwork(&["answer", "1"]);
    assert_eq!(asked.status.code(), Some(2));
    let told = String::from_utf8(asked.stdout).unwrap();
    assert!(
        told.contains("colour: Colour [one of red (Red)]\n") && told.contains(&format!("answer: {how}")),
        "{told}"
    );
    let told = failed(&place.cogwork(&["answer", "1", "--field", "colour=blue", "--field", "who=me"]), 1);
    for word in ["there is no field `who`", "takes one of red, not `blue`", "sure"] {
        assert!(told.contains(word), "{told}");
    }
    failed(&place.cogwork(&["answer", "1", "--field", "colour"]), 2);
    let before = place.journal().len();
    text(&place.cogwork(&["answer", "1", "--field", "colour=red", "--field", "sure=no"]));
    assert_eq!(place.journal().len(), before + 1);
    let told = text(&place.cogwork(&["show", "1"]));
    assert!(
        told.contains("Colour: red") && told.contains("Sure?: no") && !told.contains("answer: "),
        "{told}"
    );
    let told = failed(&place.cogwork(&["answer", "1", "--field", "colour=red"]), 1);
    assert!(told.contains("feature #1 cannot be answered: it is pending"), "{told}");
}

#[test]
fn an_answer_may_come_from_a_file() {
    let place = three();
    ask(&place, 1);
    let file = place.dir.join("answer.json");
    fs::write(&file, r#"{"colour": 3}"#).unwrap();
    let answer = || place.cogwork(&["answer", "1", "--json", file.to_str().unwrap()]);
    assert!(failed(&answer(), 1).contains("is not an answer"));
    fs::write(&file, r#"{"colour": "red", "sure": true, "why": "because"}"#).unwrap();
    text(&answer());
    let state: Value = serde_json::from_slice(&place.cogwork(&["export", "--state"]).stdout).unwrap();
    let first = &state["features"][0];
    assert_eq!(first["human_response"]["fields"], json!({"colour": "red", "sure": true, "why": "because"}));
    assert_eq!(
        (&first["human_request"]["fields"][1]["id"], &first["status"]),
        (&json!("sure"), &json!("pending"))
    );
}

#[test]
fn dependencies_are_changed_all_or_none() {
    let place = three();
    let of = |id: usize| place.store().features().unwrap()[id - 1].dependencies.clone();
    assert_eq!(text(&place.cogwork(&["depend", "3", "--not-on", "1", "2"])), "#3 depends on nothing now\n");
    assert_eq!(text(&place.cogwork(&["depend", "3", "--on", "2"])), "#3 depends on #2 now\n");
    assert_eq!(text(&place.cogwork(&["depend", "3", "--on", "2"])), "#3 depends on #2 already\n");
    let told = failed(&place.cogwork(&["depend", "1", "--on", "3"]), 1);
    assert!(told.contains("#1 → #3 → #2 → #1"), "{told}");
    failed(&place.cogwork(&["depend", "3", "--on", "1", "9"]), 1);
    let told = failed(&place.cogwork(&["depend", "3", "--on", "1", "--not-on", "1"]), 2);
    assert!(told.contains("nothing was changed"), "{told}");
    let told = failed(&place.cogwork(&["depend", "2", "--not-on", "3"]), 1);
    assert!(told.contains("#2 does not depend on #3, nothing was changed: it depends on #1"), "{told}");
    failed(&place.cogwork(&["depend", "3"]), 2);
    assert_eq!((of(1), of(2), of(3)), (vec![], vec![FeatureId(1)], vec![FeatureId(2)]));
}

#[test]
fn a_feature_is_deleted_when_it_is_meant() {
    let place = three();
    let told = failed(&place.cogwork(&["delete", "1"]), 2);
    assert!(
        told.contains("is what #2, #3 wait for; nothing was deleted") && told.contains("--yes"),
        "{told}"
    );
    assert_eq!(place.store().features().unwrap().len(), 3);
    let told = text(&place.cogwork(&["delete", "1", "--yes"]));
    assert!(told.starts_with("deleted #1 A") && told.ends_with("; #2, #3 depend on it no more\n"), "{told}");
    assert!(failed(&place.cogwork(&["delete", "1", "--yes"]), 1).contains("there is no feature #1"));
    assert_eq!(place.store().features().unwrap().len(), 2);
}

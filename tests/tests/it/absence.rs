//! A project whose state is lost is not taken for a new one: every command says so, and both ways out work.

use std::fs;
use std::process::Output;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

fn one_feature() -> serde_json::Value {
    json!({"features": [{"key": "a", "name": "a", "checks": ["test -e a"]}]})
}

fn run(place: &Place) -> Output {
    place.cogwork(&["run", "--agent", "exec:touch a"])
}

/// A project in which a run has landed its feature.
fn worked_on() -> Place {
    let place = Place::with_features(&one_feature());
    fs::write(place.dir.join("app_spec.md"), "a file named a\n").unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "specification"]);
    let output = run(&place);
    assert!(output.status.success(), "{output:?}");
    place
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

/// The copies outside the project, in the home of the test.
fn outside(place: &Place) -> Vec<std::path::PathBuf> {
    let ids = fs::read_dir(place.beside(".local/state/cogwork")).into_iter().flatten().flatten();
    let places = ids.flat_map(|id| fs::read_dir(id.path()).unwrap()).flatten();
    let files = places.flat_map(|place| fs::read_dir(place.path()).unwrap()).flatten();
    files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "db")).collect()
}

/// Asserts that no command takes the project for a new one, and that each names the copy and both ways.
fn assert_missed(place: &Place, copy: &str) {
    let list = place.beside("features.json");
    for command in [
        vec!["import", list.to_str().unwrap()],
        vec!["plan", "--agent", "exec:true"],
        vec!["run", "--agent", "exec:true"],
        vec!["list"],
        vec!["agent", "--role", "initializer", "--agent", "exec:true"],
        vec!["agent", "--agent", "exec:true"],
    ] {
        let output = place.cogwork(&command);
        let text = said(&output);
        assert!(!output.status.success(), "{command:?}: {text}");
        for word in ["features.db is missing", copy, "`cogwork restore --project-dir", "--begin-anew"] {
            assert!(text.contains(word), "{command:?}: `{word}` is missing in: {text}");
        }
        assert!(!place.dir.join(".cogwork/features.db").exists(), "{command:?}");
    }
    let output = place.cogwork(&["doctor"]);
    let text = said(&output);
    assert!(text.contains("BAD   database") && text.contains("is missing"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_lost_database_is_restored_from_the_projects_own_copy() {
    let place = worked_on();
    for name in ["features.db", "features.db-wal", "features.db-shm"] {
        drop(fs::remove_file(place.dir.join(".cogwork").join(name)));
    }
    assert_missed(&place, ".cogwork/backups/features-");
    let text = succeeded(&place.cogwork(&["restore"]));
    assert!(text.contains("restored from") && text.contains(".cogwork/aside-"), "{text}");
    assert_eq!(
        place.store().features().unwrap()[0].status,
        Status::Pending,
        "the copy is from the run's start"
    );
    // What landed is on the branch still, and the workspace of the forgotten session is in nobody's way.
    succeeded(&run(&place));
    assert_eq!(place.store().features().unwrap()[0].status, Status::Passing);
}

#[test]
fn a_project_that_was_cleaned_of_everything_untracked_is_restored_from_outside() {
    let place = worked_on();
    let copies = outside(&place);
    assert_eq!(copies.len(), 1);
    let text = said(&place.cogwork(&["doctor"]));
    assert!(text.contains(&format!("outside the project as well: {}", copies[0].display())), "{text}");
    place.git(&["clean", "--quiet", "-ffdx"]);
    assert!(!place.dir.join(".cogwork").exists());
    assert_missed(&place, copies[0].to_str().unwrap());
    assert!(!place.dir.join(".cogwork").exists(), "nothing is made");
    succeeded(&place.cogwork(&["restore"]));
    succeeded(&run(&place));
    assert_eq!(place.store().features().unwrap()[0].status, Status::Passing);
    let refused = place.cogwork(&["restore"]);
    assert!(said(&refused).contains("is sound and stays as it is"), "{}", said(&refused));
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn who_begins_anew_keeps_what_was_there() {
    let place = worked_on();
    place.git(&["clean", "--quiet", "-ffdx"]);
    let text = succeeded(&place.cogwork(&["restore", "--begin-anew"]));
    assert!(text.contains("the project begins anew"), "{text}");
    succeeded(&place.import(&one_feature()));
    succeeded(&run(&place));
    assert_eq!(outside(&place).len(), 2, "the old copy and the new one");
    // Beside a database that is damaged, too.
    fs::write(place.dir.join(".cogwork/features.db"), vec![7; 8192]).unwrap();
    succeeded(&place.cogwork(&["restore", "--begin-anew"]));
    succeeded(&place.import(&one_feature()));
    assert_eq!(place.store().features().unwrap().len(), 1);
}

#[test]
fn a_run_without_a_home_goes_on_and_doctor_says_what_is_missing() {
    let place = Place::with_features(&one_feature());
    let without = |args: &[&str]| place.command(args).env_remove("HOME").output().unwrap();
    succeeded(&without(&["run", "--agent", "exec:touch a"]));
    let text = succeeded(&without(&["doctor"]));
    assert!(text.contains("note  copies") && text.contains("there is no copy outside the project"), "{text}");
    assert_eq!(outside(&place), Vec::<std::path::PathBuf>::new());
    // Nor does one stop whose home cannot be written.
    let place = Place::with_features(&one_feature());
    fs::write(place.beside("file"), "").unwrap();
    let at_file = |args: &[&str]| {
        place.command(args).env("XDG_STATE_HOME", place.beside("file/state")).output().unwrap()
    };
    let text = succeeded(&at_file(&["run", "--agent", "exec:touch a"]));
    assert!(text.contains("could not be backed up outside the project"), "{text}");
    let text = succeeded(&at_file(&["doctor"]));
    assert!(text.contains("there is no copy outside the project") && text.contains("file"), "{text}");
}

#[test]
fn a_run_keeps_the_project_from_being_restored_under_it() {
    let place = Place::with_features(&one_feature());
    let mut first = place.command(&["run", "--agent", "exec:sleep 60"]);
    let mut first = first.stdout(std::process::Stdio::null()).spawn().unwrap();
    crate::place::until("the run", std::time::Duration::from_secs(20), || !place.processes().is_empty());
    for args in [vec!["restore"], vec!["restore", "--begin-anew"]] {
        let output = place.cogwork(&args);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    }
    crate::place::kill(&mut first);
    place.assert_no_processes_within(std::time::Duration::from_secs(5));
}

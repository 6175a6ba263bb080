//! What a power cut leaves of a branch is not taken for an empty repository, and the way back that is named works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

/// A project in which two features have landed.
fn landed() -> Place {
    let features = json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e f1"]},
        {"key": "b", "name": "b", "checks": ["test -e f2"], "dependencies": ["a"]},
    ]});
    let place = Place::with_features(&features);
    let output = run(&place);
    assert!(output.status.success(), "{output:?}");
    place
}

fn run(place: &Place) -> std::process::Output {
    place.cogwork(&["run", "--agent", "exec:echo $COGWORK_FEATURES > f$COGWORK_FEATURES"])
}

/// What a run says that cannot begin.
fn refused(place: &Place) -> String {
    let output = run(place);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("git commit") && !text.contains("no commit yet"), "{text}");
    let output = place.cogwork(&["doctor"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("BAD   HEAD"), "{told}");
    text
}

fn object(place: &Place, name: &str) -> PathBuf {
    let id = place.git(&["rev-parse", name]);
    let file = place.dir.join(".git/objects").join(&id[..2]).join(&id[2..]);
    assert!(file.is_file());
    file
}

fn emptied(file: &Path) {
    fs::remove_file(file).unwrap();
    fs::write(file, "").unwrap();
}

/// Does what the hint says that has these words in it, and runs to the end.
fn follow(place: &Place, text: &str, words: &str) {
    let hint = text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {text}"));
    let (_, command) = hint.rsplit_once(": ").unwrap();
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    // What was on the branch beyond that is in the files still.
    place.git(&["stash", "--include-untracked", "--quiet"]);
    let output = run(place);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let passing = place.store().features().unwrap();
    assert!(passing.iter().all(|feature| feature.status == Status::Passing), "{passing:?}");
}

#[test]
fn a_branch_on_an_object_that_is_missing_or_empty() {
    for is_empty in [false, true] {
        let place = landed();
        let (head, file) = (place.head(), object(&place, "HEAD"));
        fs::remove_file(&file).unwrap();
        if is_empty {
            fs::write(&file, "").unwrap();
        }
        let text = refused(&place);
        for word in
            ["the branch `main`", &head, "which is missing or damaged", "tail ", ".git/logs/refs/heads/main"]
        {
            assert!(text.contains(word), "`{word}` is missing in: {text}");
        }
        let before = place.store().landed_commits().unwrap();
        assert_eq!((before.len(), &before[0].commit), (2, &head));
        assert!(text.contains(&format!("update-ref refs/heads/main {}", before[1].commit)), "{text}");
        let told = String::from_utf8(place.cogwork(&["doctor"]).stdout).unwrap();
        assert!(told.contains(&head), "{told}");
    }
}

#[test]
fn the_way_back_that_is_named_works() {
    let place = landed();
    fs::write(place.dir.join("mine"), "by hand\n").unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "mine"]);
    emptied(&object(&place, "HEAD"));
    let text = refused(&place);
    follow(&place, &text, "the newest landing that is whole");
}

#[test]
fn a_commit_whose_file_is_empty_is_not_named() {
    let place = landed();
    let landings = place.store().landed_commits().unwrap();
    // A commit on top is lost, and a file of the one below, which is there itself.
    let file = object(&place, "HEAD:f2");
    place.git(&["commit", "--quiet", "--allow-empty", "--message", "mine"]);
    let head = object(&place, "HEAD");
    emptied(&file);
    emptied(&head);
    let text = refused(&place);
    assert!(!text.contains(&format!("update-ref refs/heads/main {}", landings[0].commit)), "{text}");
    assert!(text.contains(&format!("update-ref refs/heads/main {}", landings[1].commit)), "{text}");
}

#[test]
fn a_ref_that_is_empty_or_gone() {
    let place = landed();
    let landings = place.store().landed_commits().unwrap();
    let file = place.dir.join(".git/refs/heads/main");
    fs::write(&file, "").unwrap();
    let text = refused(&place);
    assert!(text.contains("the branch `main`") && text.contains("its ref is missing or damaged"), "{text}");
    assert!(text.contains(&landings[0].commit), "{text}");
    follow(&place, &text, "the newest landing that is whole");
    // With its log, it is not even there.
    fs::remove_file(&file).unwrap();
    fs::remove_file(place.dir.join(".git/logs/refs/heads/main")).unwrap();
    let text = refused(&place);
    assert!(text.contains(&format!("update-ref refs/heads/main {}", landings[0].commit)), "{text}");
    // Nor is HEAD.
    fs::write(place.dir.join(".git/HEAD"), "").unwrap();
    let text = refused(&place);
    assert!(text.contains("git does not know") && !text.contains("git init"), "{text}");
}

#[test]
fn doctor_looks_at_every_landing() {
    let place = landed();
    let doctor = || String::from_utf8(place.cogwork(&["doctor"]).stdout).unwrap();
    assert!(doctor().contains("all 2 are there, on their branch"), "{}", doctor());
    let landings = place.store().landed_commits().unwrap();
    place.git(&["reset", "--quiet", "--hard", &landings[1].commit]);
    let text = doctor();
    assert!(text.contains("note  landings") && text.contains(&landings[0].commit), "{text}");
    assert!(text.contains("ok    HEAD"), "{text}");
    let id = &landings[0].commit;
    fs::remove_file(place.dir.join(".git/objects").join(&id[..2]).join(&id[2..])).unwrap();
    let text = doctor();
    assert!(text.contains("BAD   landings") && text.contains(&format!("({id})")), "{text}");
}

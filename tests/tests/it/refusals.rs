//! Bad input gets one clear sentence, the right exit code, and changes nothing.

use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::{Place, kill};

/// Asserts that a command failed with this exit code and one sentence that holds these words.
fn refused(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

fn one_feature() -> serde_json::Value {
    json!({"features": [{"name": "a", "checks": ["test -e a"]}]})
}

#[test]
fn no_project_there() {
    let place = Place::empty();
    refused(&place.cogwork(&["run", "--agent", "scripted"]), 1, &["there is no directory", "project"]);
    fs::create_dir(&place.dir).unwrap();
    for command in ["run", "status", "list", "verify", "why"] {
        refused(&place.cogwork(&[command]), 1, &["no Cogwork project", "cogwork import"]);
    }
    refused(&place.cogwork(&["show", "1"]), 1, &["no Cogwork project"]);
    assert!(!place.dir.join(".cogwork").exists(), "reading makes nothing");
}

#[test]
fn lists_that_cannot_be_imported() {
    let place = Place::with_features(&one_feature());
    let before = place.store().features().unwrap();
    refused(&place.cogwork(&["import", "/nowhere.json"]), 1, &["cannot read /nowhere.json"]);
    refused(&place.import(&json!({"features": []})), 1, &["nothing to import"]);
    refused(&place.import(&json!({"features": [{"name": "b", "dependencies": ["nope"]}]})), 1, &["`nope`"]);
    refused(
        &place.import(&json!({"features": [{"key": "b"}, {"name": "c"}]})),
        1,
        &["features[0]", "`name`"],
    );
    let cycle = json!({"features": [
        {"key": "x", "name": "x", "dependencies": ["z"]},
        {"key": "y", "name": "y", "dependencies": ["x"]},
        {"key": "z", "name": "z", "dependencies": ["y"]},
    ]});
    refused(&place.import(&cycle), 1, &["→", "x", "y", "z"]);
    assert_eq!(place.store().features().unwrap(), before, "nothing was changed");
}

#[test]
fn ids_that_do_not_exist() {
    let place = Place::with_features(&one_feature());
    refused(&place.cogwork(&["show", "9"]), 1, &["there is no feature #9"]);
    refused(&place.cogwork(&["why", "9"]), 1, &["there is no feature #9"]);
    refused(&place.cogwork(&["show", "nine"]), 2, &["nine"]);
}

#[test]
fn a_project_without_features() {
    let place = Place::with_features(&one_feature());
    fs::remove_file(place.dir.join(".cogwork/features.db")).unwrap();
    drop(cogwork_store::Store::create(&place.dir, crate::place::clock()).unwrap());
    refused(&place.cogwork(&["run", "--agent", "exec:true"]), 1, &["has no features", "cogwork import"]);
}

#[test]
fn git_that_is_not_ready() {
    let place = Place::with_features(&one_feature());
    let run = || place.cogwork(&["run", "--agent", "exec:true"]);
    place.git(&["config", "filter.crypt.clean", "rot13"]);
    refused(&run(), 1, &["filter.crypt.clean", "--global"]);
    place.git(&["config", "--unset", "filter.crypt.clean"]);
    fs::write(place.dir.join("notes"), "mine\n").unwrap();
    refused(&run(), 1, &["not committed: notes", "git stash"]);
    fs::remove_file(place.dir.join("notes")).unwrap();
    place.git(&["checkout", "--quiet", "--detach"]);
    refused(&run(), 1, &["no branch checked out"]);
    fs::remove_dir_all(place.dir.join(".git")).unwrap();
    refused(&run(), 1, &["is not a git repository", "--isolation shared"]);
    place.git(&["init", "--quiet"]);
    refused(&run(), 1, &["has no commit yet"]);
}

#[test]
fn agents_that_cannot_be_started() {
    let place = Place::with_features(&one_feature());
    refused(&place.cogwork(&["run"]), 2, &["no agent was named", "--agent"]);
    refused(&place.cogwork(&["run", "--agent", "hal"]), 2, &["unknown agent `hal`"]);
    refused(
        &place.cogwork(&["run", "--agent", "exec:no-such-program x"]),
        1,
        &["no-such-program", "not found"],
    );
    refused(&place.cogwork(&["run", "--agent", "scripted"]), 1, &["--script"]);
    refused(&place.cogwork(&["run", "--agent", "scripted", "--script", "/nowhere"]), 1, &["/nowhere"]);
}

#[test]
fn settings_that_are_not_understood() {
    let place = Place::with_features(&one_feature());
    fs::write(place.dir.join(".cogwork/config.toml"), "agnet = \"scripted\"\n").unwrap();
    refused(&place.cogwork(&["run"]), 1, &["config.toml", "agnet"]);
}

#[test]
fn a_database_that_is_none() {
    let place = Place::with_features(&one_feature());
    let db = place.dir.join(".cogwork/features.db");
    for file in ["features.db-wal", "features.db-shm"] {
        drop(fs::remove_file(place.dir.join(".cogwork").join(file)));
    }
    fs::write(&db, "not a database, but longer than a header would be, so that it is looked at").unwrap();
    refused(&place.cogwork(&["status"]), 1, &["features.db"]);
    let kept = fs::read_to_string(&db).unwrap();
    assert!(kept.starts_with("not a database"), "a broken file is kept for a person to look at");
}

#[test]
fn a_second_run_on_the_same_project() {
    let place = Place::with_features(&one_feature());
    let mut first =
        place.command(&["run", "--agent", "exec:sleep 60"]).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while place.processes().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "the first run starts nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = first.id().to_string();
    refused(&place.cogwork(&["run", "--agent", "exec:true"]), 7, &["process", &pid, "since"]);
    let status = String::from_utf8(place.cogwork(&["status"]).stdout).unwrap();
    assert!(status.contains(&pid), "{status}");
    kill(&mut first);
    place.assert_no_processes_within(Duration::from_secs(5));
}

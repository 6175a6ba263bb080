//! The demo, as a newcomer sees it: it ends green, with evidence, and leaves nothing behind.

use std::time::Duration;

use cogwork_schemas::{Fact, Proof, Status};

use crate::place::{Place, assert_sound_journal};

#[test]
fn the_demo_ends_with_every_feature_passing_by_evidence() {
    let place = Place::empty();
    let output = place.demo().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    place.assert_no_processes_within(Duration::ZERO);

    let features = place.store().features().unwrap();
    assert!(features.len() >= 12);
    for feature in &features {
        assert_eq!(
            (feature.status, feature.proof),
            (Status::Passing, Some(Proof::RedGreen)),
            "{}",
            feature.name
        );
    }

    let journal = place.journal();
    assert_sound_journal(&journal);
    for feature in &features {
        let story: Vec<_> = journal
            .iter()
            .filter(|entry| entry.feature == Some(feature.id))
            .filter_map(|entry| match entry.fact {
                Fact::Claimed { .. } => Some("claimed"),
                Fact::ChecksRed { .. } => Some("checks red"),
                Fact::ChecksGreen { .. } => Some("checks green"),
                Fact::Integrated { .. } => Some("integrated"),
                _ => None,
            })
            .collect();
        assert_eq!(story, ["claimed", "checks red", "checks green", "integrated"], "{}", feature.name);
    }

    let ups = journal.iter().filter(|entry| matches!(entry.fact, Fact::SessionUp { .. })).count();
    assert_eq!(ups, features.len(), "each session is up once, whoever tells it first");

    let merges = place.git(&[
        "log",
        "--merges",
        "--first-parent",
        "--format=%(trailers:key=Cogwork-Feature,valueonly)",
    ]);
    let mut merged: Vec<i64> = merges.split_whitespace().map(|id| id.parse().unwrap()).collect();
    merged.sort_unstable();
    assert_eq!(
        merged,
        features.iter().map(|feature| feature.id.0).collect::<Vec<_>>(),
        "one merge per feature"
    );
    assert_eq!(place.git(&["status", "--porcelain"]), "", "the project is clean");
    assert_eq!(std::fs::read_dir(place.dir.join(".cogwork/workspaces")).map_or(0, Iterator::count), 0);

    let verify = place.cogwork(&["verify"]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    // The built program is a real one.
    let todo = place.dir.join("todo");
    let run = |args: &[&str]| {
        let output = std::process::Command::new("sh")
            .arg(&todo)
            .args(args)
            .env("TODO_FILE", place.dir.join(".list"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["add", "Buy milk"]).contains("Buy milk"));
    assert!(run(&["list"]).contains("Buy milk"));
}

#[test]
fn the_demo_finds_a_place_of_its_own_and_stops_when_asked() {
    let place = Place::empty();
    let here = place.dir.parent().unwrap();
    for name in ["cogwork-demo", "cogwork-demo-2"] {
        let mut demo = place.plain_demo().stdout(std::process::Stdio::null()).spawn().unwrap();
        let features = here.join(name).join(".cogwork/features.db");
        let start = std::time::Instant::now();
        while !features.exists() {
            assert!(start.elapsed() < Duration::from_secs(10), "there is no {name}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = rustix::process::Pid::from_child(&demo);
        std::thread::sleep(Duration::from_millis(500));
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(demo.wait().unwrap().code(), Some(5));
    }
    let names =
        std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Beside the two projects lies what a home has: their copies.
    let left: Vec<_> = names.filter(|name| name != ".local").collect();
    assert_eq!(left.len(), 2, "no draft is left: {left:?}");
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let place = Place::empty();
    assert!(place.demo().output().unwrap().status.success());
    let head = place.head();
    let again = place.cogwork(&["run"]);
    assert!(again.status.success());
    assert_eq!(place.head(), head);
    assert!(place.demo().output().unwrap().status.code() == Some(1), "a demo never overwrites a directory");
}

//! A person looks at other branches while a run lands work on the main one: what lands is on it, whatever is checked
//! out, and what is checked out stays as the person left it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use cogwork_schemas::Status;
use serde_json::{Value, json};

use crate::place::Place;

const FEATURES: usize = 12;

/// Features that land one after the other, four at a time.
fn features() -> Value {
    let feature =
        |number: usize| json!({"name": format!("f{number}"), "checks": [format!("test -e f{number}")]});
    json!({"features": (1..=FEATURES).map(feature).collect::<Vec<_>>()})
}

/// A person's git. It may be refused: a landing holds the index for a moment.
fn persons_git(place: &Place, args: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.args(args).current_dir(&place.dir).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().unwrap().success()
}

/// Everything is on the main branch: files, merges, and what the list says.
fn all_landed(place: &Place) {
    let statuses: Vec<_> = place.store().features().unwrap().iter().map(|feature| feature.status).collect();
    assert_eq!(statuses, [Status::Passing; FEATURES]);
    let files = place.git(&["ls-tree", "--name-only", "main"]);
    for number in 1..=FEATURES {
        assert!(files.lines().any(|file| file == format!("f{number}")), "f{number} is not on main: {files}");
    }
    let merges = place.git(&["log", "--merges", "--grep", "Cogwork-Feature", "--format=%h", "main"]);
    assert_eq!(merges.lines().count(), FEATURES);
}

#[test]
fn a_person_who_switches_branches_loses_no_landing() {
    let place = Place::with_features(&features());
    place.git(&["branch", "other"]);
    let base = place.head();
    let mut run = place
        .command(&["run", "--agent", "exec:echo work > f$COGWORK_FEATURES", "--concurrency", "4"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut moments = fastrand::Rng::with_seed(7);
    let mut switched = 0;
    let status = loop {
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        if persons_git(&place, &["switch", "--quiet", "other"]) {
            switched += 1;
            std::thread::sleep(Duration::from_millis(moments.u64(0..120)));
            let looks = || place.git(&["status", "--porcelain"]);
            // A landing that had begun at this moment takes its files back.
            let mut seen = looks();
            for _ in 0..20 {
                if seen.is_empty() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
                seen = looks();
            }
            assert_eq!(seen, "", "what a person sees on another branch");
        }
        switched += usize::from(persons_git(&place, &["switch", "--quiet", "main"]));
        std::thread::sleep(Duration::from_millis(moments.u64(0..120)));
    };
    assert!(status.success(), "{status}");
    assert!(switched > 4, "the person was at work: {switched}");
    all_landed(&place);
    assert_eq!(place.git(&["rev-parse", "other"]), base, "nothing landed on another branch");
    place.git(&["switch", "--quiet", "main"]);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn work_lands_while_the_main_branch_is_in_a_linked_tree() {
    let place = Place::with_features(&features());
    let linked = place.dir.with_file_name("linked");
    // The agent of the first feature plays the person.
    let agent = format!(
        "exec:echo work > f$COGWORK_FEATURES; test $COGWORK_FEATURES != 1 || (cd $COGWORK_PROJECT && \
         git switch --quiet --create other && git worktree add --quiet {0} main && echo mine > {0}/own)",
        linked.display()
    );
    let output = place.cogwork(&["run", "--agent", &agent, "--concurrency", "4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    all_landed(&place);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert_eq!(place.git(&["-C", linked.to_str().unwrap(), "status", "--porcelain"]), "?? own");
    assert_eq!(fs::read_to_string(linked.join("f2")).unwrap(), "work\n");
}

//! The main branch belongs to a person, who may use it while a run lands work on it, and to a disk, which may be cut
//! off at any moment.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use cogwork_schemas::{
    AttemptOutcome, CheckReport, CheckVerdict, Fact, FeatureId, Isolation, LandingOutcome, Role, Status,
};
use cogwork_store::{AttemptLimits, NewLanding, NewSession, Secret};
use jiff::SignedDuration;
use serde_json::json;

use crate::place::{Place, kill, until};

const AGENT: &str = "exec:echo work > f$COGWORK_FEATURES";

fn one_feature() -> serde_json::Value {
    json!({"features": [{"name": "a", "checks": ["test -e f1"]}]})
}

fn passes(place: &Place) -> bool {
    place.store().features().unwrap().iter().all(|feature| feature.status == Status::Passing)
}

#[test]
fn a_fast_forward_cut_off_in_the_middle_is_finished() {
    let place = Place::with_features(&one_feature());
    let from = place.head();
    for name in ["x", "y"] {
        fs::write(place.dir.join(name), "new\n").unwrap();
    }
    fs::write(place.dir.join("README"), "changed\n").unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "what was landing"]);
    let to = place.head();
    place.git(&["reset", "--quiet", "--hard", &from]);
    // Git had written some of the files when it was cut off, and neither its index nor the branch.
    fs::write(place.dir.join("x"), "new\n").unwrap();
    fs::write(place.dir.join("README"), "changed\n").unwrap();
    let intent = json!({"from": from, "to": to}).to_string();
    fs::write(place.dir.join(".cogwork/landing.json"), intent).unwrap();

    let output = place.cogwork(&["run", "--agent", AGENT]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(passes(&place));
    place.git(&["merge-base", "--is-ancestor", &to, "HEAD"]);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_landing_is_recorded_before_the_branch_is_touched() {
    let place = Place::with_features(&one_feature());
    let before = place.head();
    assert!(place.cogwork(&["run", "--agent", AGENT]).status.success());
    let facts: Vec<_> = place.journal().into_iter().map(|entry| entry.fact).collect();
    let begun = facts.iter().position(|fact| matches!(fact, Fact::LandingBegun { .. })).unwrap();
    let Fact::LandingBegun { branch, from, to, .. } = &facts[begun] else { panic!() };
    assert_eq!((branch.as_str(), from, to), ("main", &before, &place.head()));
    let landed = facts.iter().position(|fact| matches!(fact, Fact::Integrated { .. }));
    assert!(landed > Some(begun), "{facts:?}");
    assert_eq!(place.store().open_landings().unwrap(), []);
}

#[test]
fn the_landing_of_an_attempt_that_is_over_is_looked_for_on_its_branch() {
    let place = Place::with_features(&json!({"features": [
        {"name": "a", "checks": ["test -e f1"]},
        {"name": "b", "checks": ["test -e f2"]},
    ]}));
    let from = place.head();
    place.git(&["commit", "--quiet", "--allow-empty", "--message", "landed for nothing"]);
    let store = place.store();
    for (id, to) in [(1, place.head()), (2, "0123456789".repeat(4))] {
        let new = NewSession::new(Role::Coding, "a", Isolation::Workspace);
        let (secret, lease) = (Secret::known(format!("s{id}")), SignedDuration::from_secs(60));
        let claim = store.claim(FeatureId(id), &new, &secret, lease).unwrap();
        store.submit(&claim.token, Some(&to), &green(id)).unwrap();
        let intent = NewLanding { branch: "main".to_owned(), from: from.clone(), to };
        store.begin_landing(&claim.token, &intent).unwrap();
        let outcome = AttemptOutcome::Crashed { reason: "git hangs".to_owned() };
        store.end_attempt(&claim.token, &outcome, &AttemptLimits::default()).unwrap();
    }
    let output = place.cogwork(&["run", "--agent", AGENT]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && passes(&place), "{text}");
    let told: Vec<_> = text.lines().filter(|line| line.contains("is on the branch, though")).collect();
    assert!(matches!(told[..], [line] if line.contains("#1")), "{text}");
    let ended = place.journal().into_iter().filter_map(|entry| {
        if let Fact::LandingEnded { result, .. } = entry.fact { Some((entry.feature, result)) } else { None }
    });
    let [(Some(FeatureId(1)), LandingOutcome::Landed), (Some(FeatureId(2)), LandingOutcome::Undone { .. })] =
        &ended.collect::<Vec<_>>()[..]
    else {
        panic!("{text}")
    };
    assert_eq!(store.open_landings().unwrap(), []);
}

/// Returns what the check of a feature says of work that does what it should.
fn green(id: i64) -> Vec<CheckReport> {
    let command = format!("test -e f{id}");
    let (output_tail, output_digest) = (String::new(), String::new());
    vec![CheckReport { command, verdict: CheckVerdict::Green, duration_ms: 1, output_tail, output_digest }]
}

#[test]
fn what_is_a_persons_own_is_never_healed_away() {
    let place = Place::with_features(&one_feature());
    let from = place.head();
    fs::write(place.dir.join("x"), "new\n").unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "what was landing"]);
    let to = place.head();
    place.git(&["reset", "--quiet", "--hard", &from]);
    fs::write(place.dir.join("x"), "a person's own\n").unwrap();
    let intent = json!({"from": from, "to": to}).to_string();
    fs::write(place.dir.join(".cogwork/landing.json"), intent).unwrap();

    let output = place.cogwork(&["run", "--agent", AGENT]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not committed: x"));
    assert_eq!(fs::read_to_string(place.dir.join("x")).unwrap(), "a person's own\n");
}

#[test]
fn commits_that_a_person_makes_meanwhile_are_merged_with() {
    let place = Place::with_features(&json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e f1"]},
        {"key": "b", "name": "b", "checks": ["test -e f2"], "dependencies": ["a"]},
    ]}));
    // The agent plays the person, too: a commit on the main branch while it works.
    let agent = "exec:echo work > f$COGWORK_FEATURES; cd $COGWORK_PROJECT; echo p >> notes; git add notes; \
                 git -c user.name=P -c user.email=p@localhost commit -qm 'by hand'";
    let output = place.cogwork(&["run", "--agent", agent]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(passes(&place));
    assert_eq!(place.git(&["log", "--format=%s", "--grep", "by hand"]).lines().count(), 2);
}

#[test]
fn a_landing_waits_for_a_person_to_clear_the_way() {
    let place = Place::with_features(&one_feature());
    let agent = "exec:echo work > f1; echo mine > $COGWORK_PROJECT/f1";
    let mut run = place.command(&["run", "--agent", agent]).stdout(Stdio::piped()).spawn().unwrap();
    let submitted =
        |place: &Place| place.journal().iter().any(|entry| matches!(entry.fact, Fact::ChecksGreen { .. }));
    until("a submission", Duration::from_secs(20), || submitted(&place));
    std::thread::sleep(Duration::from_secs(1));
    assert!(!passes(&place), "nothing lands over somebody's file");
    assert_eq!(fs::read_to_string(place.dir.join("f1")).unwrap(), "mine\n");
    fs::remove_file(place.dir.join("f1")).unwrap();
    assert!(run.wait().unwrap().success());
    assert!(passes(&place));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut run.stdout.take().unwrap(), &mut text).unwrap();
    assert!(text.contains("local changes in f1"), "{text}");
}

#[test]
fn committed_work_of_a_killed_session_is_kept() {
    let place = Place::with_features(&one_feature());
    let agent = "exec:if [ -e $COGWORK_PROJECT/../again ]; then touch f1; else echo half > half; git add half; \
                 git -c user.name=A -c user.email=a@localhost commit -qm half; sleep 60; fi";
    let mut run = place.command(&["run", "--agent", agent]).stdout(Stdio::null()).spawn().unwrap();
    let half = place.dir.join(".cogwork/workspaces/s1/half");
    until("half of the work", Duration::from_secs(20), || half.exists());
    std::thread::sleep(Duration::from_millis(300));
    kill(&mut run);
    fs::write(place.dir.with_file_name("again"), "").unwrap();
    assert!(place.cogwork(&["run", "--agent", agent]).status.success());
    assert!(passes(&place));
    assert_eq!(place.git(&["log", "-1", "--format=%s", "refs/cogwork/kept/1/left"]), "half");
    assert!(!place.dir.join("half").exists(), "kept, not landed");
}

#[test]
fn what_was_submitted_lands_whatever_branch_the_agent_made() {
    let place = Place::with_features(&one_feature());
    let agent = "exec:git switch --quiet --create mine; echo work > f1; git add f1; \
                 git -c user.name=A -c user.email=a@localhost commit --quiet -m 'on my own branch'";
    let output = place.cogwork(&["run", "--agent", agent]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(place.git(&["log", "--format=%s", "--grep", "on my own branch"]).lines().count(), 1);
}

#[test]
fn green_without_a_commit_is_nobodys_work() {
    // The check of `a` leaves what `b` looks for, in a directory that git ignores, where `a` is merged.
    let place = Place::with_features(&json!({"features": [
        {"key": "a", "name": "a", "checks": ["mkdir -p built && touch built/x && test -e f1"]},
        {"key": "b", "name": "b", "checks": ["test -e built/x"], "dependencies": ["a"]},
    ]}));
    fs::write(place.dir.join(".gitignore"), "built/\n").unwrap();
    place.git(&["add", ".gitignore"]);
    place.git(&["commit", "--quiet", "--message", "ignore what is built"]);
    let agent = "exec:if [ $COGWORK_FEATURES = 1 ]; then touch f1; else mkdir -p built; touch built/x; fi";
    let output = place.cogwork(&["run", "--agent", agent, "--attempts", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("green without any commit"), "{text}");
}

#[test]
fn work_lands_while_a_person_is_on_another_branch() {
    let place = Place::with_features(&one_feature());
    place.git(&["branch", "other"]);
    let agent =
        "exec:echo work > f1; git -C $COGWORK_PROJECT switch --quiet other; echo mine > $COGWORK_PROJECT/f1";
    let output = place.cogwork(&["run", "--agent", agent]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let feature = &place.store().features().unwrap()[0];
    assert_eq!((feature.status, feature.failed_attempts), (Status::Passing, 0));
    assert_eq!(place.git(&["log", "--format=%s", "-1", "other"]), "first commit");
    // The landing did not look at the tree, where a file of the person's is in the way.
    assert_eq!(place.git(&["status", "--porcelain"]), "?? f1");
    assert_eq!(place.git(&["show", "main:f1"]), "work");
}

#[test]
fn checks_see_the_same_variables_wherever_they_run() {
    let place = Place::with_features(&json!({"features": [
        {"name": "a", "checks": ["test \"$FLAVOUR\" = sweet && test -e f1"]},
    ]}));
    let mut run = place.command(&["run", "--agent", AGENT, "--pass-env", "FLAVOUR"]);
    let output = run.env("FLAVOUR", "sweet").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(place.cogwork(&["verify"]).status.code(), Some(6));
    let mut verify = place.command(&["verify", "--pass-env", "FLAVOUR"]);
    assert!(verify.env("FLAVOUR", "sweet").output().unwrap().status.success());
}

#[test]
fn a_stop_does_not_wait_for_the_checks_of_a_merge() {
    let check = "case $PWD in *integrate) sleep 300;; esac; test -e f1";
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": [check]}]}));
    let mut run = place.command(&["run", "--agent", AGENT]).stdout(Stdio::null()).spawn().unwrap();
    let ended =
        |place: &Place| place.journal().iter().any(|entry| matches!(entry.fact, Fact::SessionEnded { .. }));
    until("the end of the session", Duration::from_secs(20), || ended(&place));
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    until("the end of the run", Duration::from_secs(10), || run.try_wait().unwrap().is_some());
    assert_eq!(run.wait().unwrap().code(), Some(5));
    place.assert_no_processes_within(Duration::ZERO);
    assert!(!passes(&place));
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

/// A run that is killed while its only feature is green and waits for a person to clear the way.
fn killed_while_it_waits_to_land() -> Place {
    let place = Place::with_features(&one_feature());
    let agent = "exec:echo work > f1; echo mine > $COGWORK_PROJECT/f1";
    let mut run = place.command(&["run", "--agent", agent]).stdout(Stdio::null()).spawn().unwrap();
    let ended =
        |place: &Place| place.journal().iter().any(|entry| matches!(entry.fact, Fact::SessionEnded { .. }));
    until("the end of the session", Duration::from_secs(20), || ended(&place));
    std::thread::sleep(Duration::from_millis(300));
    kill(&mut run);
    fs::remove_file(place.dir.join("f1")).unwrap();
    assert!(!passes(&place));
    place
}

#[test]
fn work_in_a_workspace_is_merged_even_by_a_run_that_shares_the_directory() {
    let place = killed_while_it_waits_to_land();
    let output = place.cogwork(&["run", "--agent", "exec:false", "--isolation", "shared"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(fs::read_to_string(place.dir.join("f1")).unwrap(), "work\n");
    assert_eq!(place.git(&["log", "--merges", "--format=%h"]).lines().count(), 1);
}

#[test]
fn a_clone_that_cannot_be_used_any_more_is_made_anew() {
    let place = killed_while_it_waits_to_land();
    let git = place.dir.join(".cogwork/integrate/.git");
    fs::write(git.join("index.lock"), "").unwrap();
    fs::write(git.join("objects/info/alternates"), "/nowhere\n").unwrap();
    let output = place.cogwork(&["run", "--agent", "exec:false"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(passes(&place));
}

#[test]
fn work_that_is_nowhere_any_more_is_done_again() {
    let place = killed_while_it_waits_to_land();
    fs::remove_dir_all(place.dir.join(".cogwork/workspaces")).unwrap();
    fs::remove_dir_all(place.dir.join(".cogwork/integrate")).unwrap();
    // What was handed in is in the project, where it would be found.
    for name in place.git(&["for-each-ref", "--format=%(refname)", "refs/cogwork"]).lines() {
        place.git(&["update-ref", "-d", name]);
    }
    place.git(&["prune", "--expire=now"]);
    fs::remove_dir_all(place.dir.join(".cogwork/snapshots")).unwrap();
    let output = place.cogwork(&["run", "--agent", AGENT]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("its workspace is gone"), "{text}");
    assert!(passes(&place));
}

/// A power cut may leave such refs, of ours or of a person's.
#[test]
fn refs_whose_commits_are_gone_hold_up_no_landing() {
    let place = Place::with_features(&one_feature());
    place.git(&["checkout", "--quiet", "-b", "side"]);
    fs::write(place.dir.join("side"), "").unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "side"]);
    let gone = place.head();
    place.git(&["checkout", "--quiet", "main"]);
    place.git(&["update-ref", "refs/cogwork/kept/99/left", &gone]);
    fs::remove_file(place.dir.join(".git/objects").join(&gone[..2]).join(&gone[2..])).unwrap();
    let output = place.cogwork(&["run", "--agent", AGENT]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(passes(&place));
}

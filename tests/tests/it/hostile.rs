//! Agents that break things, by mistake or on purpose. Nothing they do reaches beyond their workspace.

use std::fs;
use std::time::Duration;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

fn one_feature() -> serde_json::Value {
    json!({"features": [{"name": "a", "checks": ["test -e f1"]}]})
}

fn run(place: &Place, agent: &str) -> String {
    let output = place.cogwork(&["run", "--agent", &format!("exec:{agent}"), "--attempts", "1"]);
    place.assert_no_processes_within(Duration::ZERO);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The work has landed, and nothing else was done to the project.
fn assert_landed(place: &Place, files: &str) {
    let subjects = "Merge feature #1: a\n#1 a: what the agent left uncommitted\nfirst commit";
    assert_eq!(place.git(&["log", "--topo-order", "--format=%s"]), subjects);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert_eq!(place.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(place.git(&["ls-tree", "-r", "--name-only", "HEAD"]), files);
    assert_eq!(place.store().features().unwrap()[0].status, Status::Passing);
}

#[test]
fn a_workspace_without_a_repository_is_not_the_project() {
    let place = Place::with_features(&one_feature());
    // A git that finds no repository looks for one above, where the project is.
    let agent = "rm -rf .git; touch f1; git add -A; git -c user.name=A -c user.email=a@localhost commit -qm mine; \
                 git reset -q --hard HEAD; touch f1";
    run(&place, agent);
    assert_landed(&place, "README\nf1");
}

#[test]
fn a_workspace_that_points_at_the_project_is_not_the_project() {
    let place = Place::with_features(&one_feature());
    run(&place, "rm -rf .git; echo gitdir: $COGWORK_PROJECT/.git > .git; touch f1");
    assert_landed(&place, "README\nf1");
}

#[test]
fn a_history_without_a_common_root_is_no_part_of_what_lands() {
    let list = json!({"features": [
        {"name": "a", "checks": ["test -e f1"]},
        {"name": "b", "checks": ["test -e f2"]},
        {"name": "c", "checks": ["test -e f3"]},
    ]});
    let place = Place::with_features(&list);
    let agent = "touch f$COGWORK_FEATURES; if [ $COGWORK_FEATURES = 1 ]; then git checkout -q --orphan alone; \
                 git add -A; git -c user.name=A -c user.email=a@localhost commit -qm alone; fi; sleep 0.3";
    let text = run(&place, agent);
    let statuses: Vec<_> = place.store().features().unwrap().iter().map(|feature| feature.status).collect();
    assert_eq!(statuses, [Status::Passing; 3], "{text}");
    assert_eq!(place.git(&["log", "--format=%s", "--grep", "alone"]), "");
    // It is kept beside.
    let kept = place.git(&["for-each-ref", "--format=%(contents:subject)", "refs/cogwork/kept/1/head"]);
    assert_eq!(kept, "alone");
}

#[test]
fn nothing_that_an_agent_configures_is_run_by_cogworks_own_git() {
    let place = Place::with_features(&one_feature());
    let owned = place.dir.with_file_name("owned");
    let program = format!("touch {}; cat", owned.display());
    let agent = format!(
        "git config core.fsmonitor '{program}'; git config core.hooksPath $PWD/hooks; mkdir hooks; \
         printf '#!/bin/sh\n{program}\n' > hooks/pre-commit; chmod +x hooks/pre-commit; \
         git config 'filter.a=b.clean' '{program}'; git config filter.c.clean '{program}'; \
         printf '* filter=a=b\nREADME filter=c\n' > .gitattributes; \
         git config extensions.partialClone x; git config remote.x.uploadpack '{program}'; \
         git config remote.x.promisor true; git config remote.x.url .; touch f1"
    );
    let text = run(&place, &agent);
    assert!(!owned.exists(), "{text}");
}

#[test]
fn the_files_of_a_repository_inside_are_plain_files() {
    let place = Place::with_features(&one_feature());
    run(&place, "touch f1; mkdir deep; cd deep; git init -q; touch z");
    assert_landed(&place, "README\ndeep/z\nf1");
}

#[test]
fn an_empty_database_is_not_taken_for_a_new_project() {
    let place = Place::with_features(&one_feature());
    for file in ["features.db-wal", "features.db-shm"] {
        drop(fs::remove_file(place.dir.join(".cogwork").join(file)));
    }
    fs::write(place.dir.join(".cogwork/features.db"), "").unwrap();
    let output = place.cogwork(&["list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is empty"));
    assert_eq!(fs::metadata(place.dir.join(".cogwork/features.db")).unwrap().len(), 0);
}

#[test]
fn a_damaged_page_is_never_read_as_if_nothing_were() {
    let features: Vec<_> = (0..60)
        .map(|n| json!({"name": format!("n{n}"), "description": "what it does. ".repeat(20), "checks": ["true"]}))
        .collect();
    let place = Place::with_features(&json!({"features": features}));
    let expected = place.cogwork(&["list"]).stdout;
    let file = place.dir.join(".cogwork/features.db");
    let sound = fs::read(&file).unwrap();
    let mut said = 0;
    for page in 1..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..][..4096].fill(0);
        fs::write(&file, &damaged).unwrap();
        let output = place.cogwork(&["list"]);
        if output.status.success() {
            assert!(output.stdout == expected, "page {page} is nothing, and the list is another one");
        } else {
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.contains("features.db is damaged (") && text.contains("restore it"), "{text}");
            said += 1;
        }
        let output = place.cogwork(&["doctor"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && text.contains("BAD   database"), "page {page}: {text}");
    }
    assert!(said > 5, "{said}");
}

#[test]
fn a_run_copies_the_database_and_its_damage_names_the_copy() {
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e a"]}]}));
    let run = || place.cogwork(&["run", "--agent", "exec:touch a"]);
    assert!(run().status.success());
    let copies: Vec<_> =
        fs::read_dir(place.dir.join(".cogwork/backups")).unwrap().map(Result::unwrap).collect();
    assert_eq!(copies.len(), 1);
    let file = place.dir.join(".cogwork/features.db");
    fs::write(&file, vec![7; 8192]).unwrap();
    let output = run();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&copies[0].path().display().to_string()), "{text}");
    assert!(text.contains(&format!("cogwork restore --project-dir {}", place.dir.display())), "{text}");
    assert!(place.cogwork(&["restore"]).status.success());
    // It is from before that run: what landed meanwhile is there, and the feature passes without new work.
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.store().features().unwrap()[0].status, Status::Passing);
}

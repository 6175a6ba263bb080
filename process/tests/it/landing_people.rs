//! What a person does between any two steps of a landing: nothing is lost, nothing is reversed.

use std::process::{Command, Stdio};

use cogwork_process::git::{Landing, Step};

use crate::landing::Ahead;

/// Runs a person's commands while a landing waits for them. git may refuse them: the index is locked.
#[expect(clippy::disallowed_methods, reason = "a person's shell is none of what is tested")]
fn person(ahead: &Ahead, commands: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", commands]).current_dir(ahead.repo.git.dir());
    for who in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{who}_NAME"), "P").env(format!("GIT_{who}_EMAIL"), "p@localhost");
    }
    shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// Lands while a person does `act` once, after `step`.
async fn landed_while(ahead: &Ahead, step: Step, act: &str) -> (Landing, bool) {
    let has_acted = std::sync::Mutex::new(None);
    let on_step = |done| {
        let mut acted = has_acted.lock().unwrap();
        if done == step && acted.is_none() {
            *acted = Some(person(ahead, act));
        }
    };
    let landing = ahead.land_with(&on_step).await;
    let acted = has_acted.into_inner().unwrap();
    (landing, acted.unwrap_or(false))
}

/// What no tree may show: a path that the landing changes. Nothing else was touched, so all else is a person's.
async fn shows_only(ahead: &Ahead, dir: &str, allowed: &[&str], what: &str) {
    let status = ahead.repo.shell(&format!("git -C {dir} status --porcelain")).await;
    let strange: Vec<_> = status.lines().filter(|line| !allowed.contains(&line.trim())).collect();
    assert!(strange.is_empty(), "{what}: {strange:?}");
}

#[tokio::test]
async fn a_person_at_work_on_the_branch_loses_nothing() {
    let acts = [
        "git switch -q other",
        "git switch -q -c new",
        "git checkout -q --detach",
        "git commit -qam person",
        "git commit -q --allow-empty -m person",
        "git stash -q",
        "git reset -q --hard",
        "git symbolic-ref HEAD refs/heads/other",
        "git update-ref refs/heads/main $(git commit-tree -p main -m person main^{tree}) main",
    ];
    for act in acts {
        // A HEAD that is set by hand, without its files, is as the person sets it once all is done.
        let steps = if act.contains("symbolic-ref") { &Step::ALL[..5] } else { &Step::ALL };
        for &step in steps {
            let ahead = Ahead::new().await;
            ahead.repo.shell("git branch other; echo mine > notes").await;
            let what = format!("{act} after {step:?}");
            let (landing, _) = landed_while(&ahead, step, act).await;
            shows_only(&ahead, ".", &["M notes"], &what).await;
            let is_there = ahead.repo.git.is_ancestor(&ahead.to, "main").await.unwrap();
            assert_eq!(landing == Landing::Landed, is_there, "{what}: {landing:?}");
            assert!(matches!(landing, Landing::Landed | Landing::Moved), "{what}: {landing:?}");
            let kept =
                "cat notes; git stash show -p 2>/dev/null || :; git show HEAD:notes; git show main:notes";
            assert!(act.contains("--hard") || ahead.repo.shell(kept).await.contains("mine"), "{what}");
            ahead.repo.shell("git stash -q; git switch -q main; git fsck --no-dangling").await;
            shows_only(&ahead, ".", &[], &what).await;
        }
    }
}

#[tokio::test]
async fn a_person_who_comes_to_the_branch_finds_it_whole() {
    let acts =
        ["git switch -q main", "git worktree add -q ../linked main", "git symbolic-ref HEAD refs/heads/main"];
    for act in acts {
        for step in Step::ALL {
            let ahead = Ahead::new().await;
            ahead.repo.shell("git switch -q -c other; echo mine > notes").await;
            let what = format!("{act} after {step:?}");
            let (landing, has_acted) = landed_while(&ahead, step, act).await;
            assert!(has_acted, "{what}");
            assert_eq!(landing, Landing::Landed, "{what}");
            // Only a HEAD that was set by hand, without its files, on a branch that is there already, is as it is set.
            let is_by_hand = act.contains("symbolic-ref") && matches!(step, Step::IntentRemoved);
            if !is_by_hand {
                shows_only(&ahead, ".", &["M notes"], &what).await;
            }
            if ahead.repo.beside("linked").exists() {
                shows_only(&ahead, "../linked", &[], &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_edited_while_it_moves_is_kept() {
    for step in
        [Step::IntentWritten, Step::IndexLocked, Step::FilesMoved, Step::BranchMoved, Step::IndexMoved]
    {
        let ahead = Ahead::new().await;
        let (landing, _) = landed_while(&ahead, step, "echo mine > changed").await;
        match landing {
            Landing::Landed => assert_eq!(ahead.main().await, ahead.to, "{step:?}"),
            Landing::InUse { files, .. } => assert_eq!(files, ["changed"], "{step:?}"),
            Landing::Moved | Landing::Gone => panic!("{landing:?}"),
        }
        assert_eq!(ahead.repo.read("changed"), "mine\n", "{step:?}");
        shows_only(&ahead, ".", &["M changed"], &format!("{step:?}")).await;
    }
}

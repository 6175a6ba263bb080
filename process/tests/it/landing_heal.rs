//! What an interrupted landing left is finished or undone, whatever it left, and a person's work is never lost.
//!
//! An intent of an earlier version names no branch; its landings were `git merge --ff-only`.

use std::fs;
use std::time::Duration;

use cogwork_process::contain;
use cogwork_process::git::Healed;

use crate::contained::script;
use crate::landing::Ahead;

/// Writes the intent as this version does, or as those before it.
fn intend(ahead: &Ahead, is_old: bool) {
    let (from, to, dir) = (&ahead.from, &ahead.to, ahead.repo.git.dir().display());
    let text = if is_old {
        format!(r#"{{"from":"{from}","to":"{to}"}}"#)
    } else {
        format!(
            r#"{{"from":"{from}","to":"{to}","branch":"refs/heads/main","worktrees":["{dir}"],"message":"m"}}"#
        )
    };
    fs::write(ahead.intent(), text).unwrap();
}

/// Heals what `act` left, and returns what came of it.
async fn healed_after(ahead: &Ahead, act: &str, is_old: bool) -> Healed {
    ahead.repo.shell(&act.replace("FROM", &ahead.from).replace("TO", &ahead.to)).await;
    intend(ahead, is_old);
    let healed = ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap();
    assert!(!ahead.intent().exists());
    ahead.no_traces().await;
    let expected = if healed == Healed::Landed { &ahead.to } else { &ahead.from };
    assert_eq!(ahead.main().await, *expected, "{act}");
    assert_eq!(ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap(), Healed::NothingToDo);
    healed
}

/// What a landing may have left when it was interrupted.
const LEFT: [&str; 14] = [
    ":",
    "git show TO:changed > changed",
    "git show TO:changed > changed; rm removed link",
    "git show TO:changed > changed; rm removed; ln -sf untouched link; chmod +x mode",
    "mkdir 'new dir'; git checkout -q TO -- 'new dir'; git reset -q",
    "rm 'was file'; mkdir 'was file'; echo to > 'was file/b'",
    "rm -r 'was dir'",
    "rm -r 'was dir'; echo to > 'was dir'",
    // Cut off while a file was written.
    "printf t > changed",
    ": > changed; : > added",
    "git read-tree -m -u FROM TO",
    "GIT_INDEX_FILE=.git/cogwork-index git read-tree FROM; \
     GIT_INDEX_FILE=.git/cogwork-index git read-tree -m -u FROM TO",
    "git update-ref refs/heads/main TO",
    "GIT_INDEX_FILE=.git/cogwork-index git read-tree FROM; \
     GIT_INDEX_FILE=.git/cogwork-index git read-tree -m -u FROM TO; git update-ref refs/heads/main TO",
];

#[tokio::test]
async fn whatever_it_left_it_lands_now() {
    for act in LEFT {
        for is_old in [false, true] {
            let ahead = Ahead::new().await;
            // The copy of an index begins as one that was looked at.
            let act = act.replace(
                "git read-tree FROM;",
                "git read-tree FROM; GIT_INDEX_FILE=.git/cogwork-index git update-index -q --refresh;",
            );
            assert_eq!(healed_after(&ahead, &act, is_old).await, Healed::Landed, "{act}");
            assert_eq!(ahead.status().await, "", "{act}");
            assert_eq!(ahead.repo.read("was file/b"), "to\n");
        }
    }
}

#[tokio::test]
async fn edits_elsewhere_stay_whatever_it_left() {
    for act in LEFT.into_iter().filter(|act| !act.contains("git reset")) {
        let ahead = Ahead::new().await;
        let edits = "echo mine > untouched; git add untouched; echo more > notes; echo mine > own; ";
        let act = act.replace("git read-tree FROM;", "cp .git/index .git/cogwork-index;");
        let act = format!("{edits}{act}");
        assert_eq!(healed_after(&ahead, &act, false).await, Healed::Landed, "{act}");
        assert_eq!(ahead.status().await, " M notes\nM  untouched\n?? own", "{act}");
    }
}

#[tokio::test]
async fn work_of_a_person_in_its_way_undoes_it_and_stays() {
    let cases = [
        ("echo mine > changed", " M changed"),
        ("echo mine > changed; rm removed; echo to > added", " M changed"),
        ("echo mine > removed", " M removed"),
        (
            "mkdir 'new dir'; echo mine > 'new dir/x'; echo mine > added; echo to > changed",
            "?? added\n?? \"new dir/\"",
        ),
        ("ln -sf mine link", " M link"),
        ("echo mine > changed; git add changed; echo from > changed", "MM changed"),
        ("mkdir -p .git/info; echo added > .git/info/exclude; echo mine > added; rm removed", ""),
    ];
    for (act, status) in cases {
        let ahead = Ahead::new().await;
        assert_eq!(healed_after(&ahead, act, false).await, Healed::Undone, "{act}");
        assert_eq!(ahead.status().await, status, "{act}");
        if status.is_empty() {
            assert_eq!(ahead.repo.read("added"), "mine\n");
        }
    }
}

#[tokio::test]
async fn an_edit_on_top_of_a_landing_that_was_interrupted_is_an_edit() {
    let ahead = Ahead::new().await;
    let act = "cp .git/index .git/cogwork-index; GIT_INDEX_FILE=.git/cogwork-index git read-tree -m -u FROM TO; \
               git update-ref refs/heads/main TO; echo mine >> changed; rm added";
    assert_eq!(healed_after(&ahead, act, false).await, Healed::Landed);
    // A file that is not there is as a git leaves it between two versions, so it comes back.
    assert_eq!(ahead.status().await, " M changed");
    assert_eq!(ahead.repo.read("changed"), "to\nmine\n");
}

#[tokio::test]
async fn one_that_was_done_stays_done_whatever_a_person_does_since() {
    let ahead = Ahead::new().await;
    let act =
        "git reset -q --hard TO; echo mine > untouched; rm added; echo from > changed; echo x > removed";
    assert_eq!(healed_after(&ahead, act, false).await, Healed::Landed);
    assert_eq!(ahead.status().await, " D added\n M changed\n M untouched\n?? removed");
}

#[tokio::test]
async fn elsewhere_nothing_is_touched() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("echo x > other; git add other; git commit -qm other").await;
    let other = ahead.main().await;
    intend(&ahead, false);
    assert_eq!(ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap(), Healed::Undone);
    assert_eq!((ahead.main().await, ahead.status().await), (other, String::new()));
}

#[tokio::test]
async fn an_intent_that_says_nothing_is_cleared_away() {
    let none = "0".repeat(40);
    for text in ["", "{\"from\": \"", &format!(r#"{{"from":"{none}","to":"{none}"}}"#)] {
        let ahead = Ahead::new().await;
        fs::write(ahead.intent(), text).unwrap();
        assert_eq!(ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap(), Healed::NothingToDo);
        assert!(!ahead.intent().exists());
    }
}

#[tokio::test]
async fn line_ends_and_filters_count_as_git_counts_them() {
    let mut ahead = Ahead::new().await;
    ahead.repo.write(".gitattributes", "*.txt text eol=crlf\n");
    ahead.repo.write("a.txt", "from\r\n");
    ahead.from = ahead.repo.commit("from").await;
    ahead.repo.write("a.txt", "to\r\nto\r\n");
    ahead.to = ahead.repo.commit("to").await;
    for left in ["to\r\nto\r\n", "to\r", ""] {
        ahead.repo.git.reset_hard_clean(&ahead.from).await.unwrap();
        ahead.repo.write("a.txt", left);
        assert_eq!(healed_after(&ahead, ":", false).await, Healed::Landed, "{left:?}");
        assert_eq!(ahead.repo.read("a.txt"), "to\r\nto\r\n");
        assert_eq!(ahead.status().await, "");
    }
}

#[tokio::test]
async fn a_sparse_checkout_is_healed_and_stays_sparse() {
    for act in [
        "git update-ref refs/heads/main TO",
        "git read-tree -m -u FROM TO; git update-ref refs/heads/main TO",
        "echo to > in/b",
    ] {
        let mut ahead = Ahead::new().await;
        for name in ["in/a", "out/a"] {
            ahead.repo.write(name, "from\n");
        }
        ahead.from = ahead.repo.commit("from").await;
        for name in ["in/a", "out/a", "in/b", "out/b"] {
            ahead.repo.write(name, "to\n");
        }
        ahead.to = ahead.repo.commit("to").await;
        ahead.repo.git.reset_hard_clean(&ahead.from).await.unwrap();
        ahead.repo.shell("git sparse-checkout set in").await;
        assert_eq!(healed_after(&ahead, act, false).await, Healed::Landed, "{act}");
        assert_eq!(ahead.status().await, "", "{act}");
        assert!(!ahead.repo.path("out").exists(), "{act}");
    }
}

#[tokio::test]
async fn a_git_that_was_killed_at_any_file_is_healed() {
    let mut ahead = Ahead::new().await;
    let name = |i: usize| format!("dir{}/file{i:03}", i / 40);
    for i in 0..160 {
        ahead.repo.write(&name(i), "from\n");
    }
    ahead.from = ahead.repo.commit("from").await;
    for i in 0..160 {
        ahead.repo.write(&name(i), &"to\n".repeat(2000));
    }
    ahead.to = ahead.repo.commit("to").await;
    let mut interrupted = 0;
    for kill_at in [0, 20, 80, 140, 159] {
        ahead.repo.git.reset_hard_clean(&ahead.from).await.unwrap();
        ahead.repo.shell("cp .git/index .git/cogwork-index").await;
        let mut spawn = script(&format!(
            "GIT_INDEX_FILE=.git/cogwork-index exec git read-tree -m -u {} {}",
            ahead.from, ahead.to
        ));
        spawn.cwd = ahead.repo.git.dir().into();
        let mut git = spawn.start().unwrap();
        // git writes the files in the order of their names.
        let is_there = || fs::metadata(ahead.repo.path(&name(kill_at))).is_ok_and(|file| file.len() != 5);
        while !is_there() && contain::is_alive(git.identity()) {}
        git.kill();
        interrupted += usize::from(!git.wait().await.is_success());
        assert_eq!(healed_after(&ahead, ":", false).await, Healed::Landed, "at file {kill_at}");
        assert_eq!(ahead.status().await, "", "at file {kill_at}");
    }
    assert!(interrupted > 0);
}

#[tokio::test]
async fn a_lock_that_was_left_is_outwaited() {
    let ahead = Ahead::new().await;
    let lock = ahead.repo.path(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(written).unwrap();
    assert_eq!(healed_after(&ahead, ":", true).await, Healed::Landed);
    assert_eq!(ahead.status().await, "");
}

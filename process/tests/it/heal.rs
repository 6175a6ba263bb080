//! A fast-forward that was interrupted at any moment is finished, and nobody's work is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_process::git::{Git, Healed};
use tokio::time::sleep;

use crate::contained::script;
use crate::git::Repo;

/// A repository on `from`, and a commit `to` ahead of it that changes, adds, removes, links and chmods files.
async fn ahead() -> (Repo, String, String) {
    let repo = Repo::new().await;
    for (name, content) in
        [("changed", "from\n"), ("removed", "from\n"), ("mode", "same\n"), ("untouched", "same\n")]
    {
        repo.write(name, content);
    }
    symlink("changed", repo.path("link")).unwrap();
    let from = repo.commit("from").await;
    repo.write("changed", "to\n");
    repo.write("new dir/ad\"d\ned", "to\n");
    fs::remove_file(repo.path("removed")).unwrap();
    fs::remove_file(repo.path("link")).unwrap();
    symlink("untouched", repo.path("link")).unwrap();
    fs::set_permissions(repo.path("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    let to = repo.commit("to").await;
    repo.git.reset_hard_clean(&from).await.unwrap();
    (repo, from, to)
}

async fn healed(repo: &Repo, from: &str, to: &str) -> Healed {
    repo.git.heal_interrupted_ff(from, to).await.unwrap()
}

async fn is_at(repo: &Repo, commit: &str) -> bool {
    let own = fs::read_dir(repo.path(".git")).unwrap();
    let left = own.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("cogwork"));
    assert_eq!(left.count(), 0, "its own index is gone");
    repo.head().await == commit && repo.git.dirty_paths(9).await.unwrap().is_empty()
}

fn theirs(files: &[&str]) -> Healed {
    let files = files.iter().map(|file| (*file).to_owned()).collect();
    Healed::UsersFiles { files }
}

#[tokio::test]
async fn one_that_never_began_is_done() {
    let (repo, from, to) = ahead().await;
    assert_eq!(healed(&repo, &from, &to).await, Healed::Finished);
    assert!(is_at(&repo, &to).await);
    assert_eq!(healed(&repo, &from, &to).await, Healed::NothingToDo);
}

#[tokio::test]
async fn one_that_wrote_any_part_of_the_files_is_finished() {
    let steps = [
        "git show TO:changed > changed",
        "rm removed",
        "mkdir 'new dir'; git checkout -q TO -- 'new dir'; git reset -q",
        "ln -sf untouched link",
        "chmod +x mode",
    ];
    for done in 1..=steps.len() {
        let (repo, from, to) = ahead().await;
        repo.shell(&steps[..done].join("; ").replace("TO", &to)).await;
        assert_eq!(healed(&repo, &from, &to).await, Healed::Finished, "after {done} steps");
        assert!(is_at(&repo, &to).await, "after {done} steps");
        assert_eq!(repo.read("changed"), "to\n");
        assert!(!repo.path("removed").exists());
    }
}

#[tokio::test]
async fn one_that_wrote_files_and_index_is_finished() {
    let (repo, from, to) = ahead().await;
    repo.shell(&format!("git read-tree -m -u {from} {to}")).await;
    assert_eq!(repo.head().await, from);
    assert_eq!(healed(&repo, &from, &to).await, Healed::Finished);
    assert!(is_at(&repo, &to).await);
}

#[tokio::test]
async fn one_that_moved_only_head_is_finished() {
    let (repo, from, to) = ahead().await;
    repo.shell(&format!("git update-ref HEAD {to}")).await;
    assert_eq!(healed(&repo, &from, &to).await, Healed::Finished);
    assert!(is_at(&repo, &to).await);
}

#[tokio::test]
async fn one_that_is_done_stays_done_whatever_the_user_does_elsewhere() {
    let (repo, from, to) = ahead().await;
    repo.git.ff_only(&to).await.unwrap();
    repo.write("untouched", "mine\n");
    repo.write("mine", "mine\n");
    assert_eq!(healed(&repo, &from, &to).await, Healed::NothingToDo);
    assert_eq!(repo.read("untouched"), "mine\n");
}

#[tokio::test]
async fn work_of_the_user_stops_it_and_stays() {
    let cases: [(&str, &[&str]); 7] = [
        ("echo mine > changed", &["changed"]),
        ("echo mine > untouched; git show TO:changed > changed", &["untouched"]),
        ("echo mine > unknown; rm removed", &["unknown"]),
        ("echo mine > removed", &["removed"]),
        ("mkdir 'new dir'; echo mine > 'new dir/x'", &["new dir/x"]),
        ("ln -sf mine link", &["link"]),
        ("echo mine > changed; git add changed; echo from > changed", &["changed"]),
    ];
    for (act, files) in cases {
        let (repo, from, to) = ahead().await;
        repo.shell(&act.replace("TO", &to)).await;
        let before = repo.shell("git status --porcelain; cat changed").await;
        assert_eq!(healed(&repo, &from, &to).await, theirs(files), "{act}");
        assert_eq!(repo.head().await, from, "{act}");
        assert_eq!(repo.shell("git status --porcelain; cat changed").await, before, "{act}");
    }
}

#[tokio::test]
async fn an_ignored_file_in_the_way_is_the_users_too() {
    let repo = Repo::new().await;
    let from = repo.head().await;
    repo.write("secrets", "to\n");
    let to = repo.commit("to").await;
    repo.git.reset_hard_clean(&from).await.unwrap();
    repo.write(".git/info/exclude", "secrets\n");
    repo.write("secrets", "mine\n");
    assert_eq!(healed(&repo, &from, &to).await, theirs(&["secrets"]));
    assert_eq!(repo.read("secrets"), "mine\n");
}

#[tokio::test]
async fn elsewhere_nothing_is_touched() {
    let (repo, from, to) = ahead().await;
    repo.write("other", "");
    let other = repo.commit("other").await;
    assert_eq!(healed(&repo, &from, &to).await, Healed::Elsewhere { head: Some(other.clone()) });
    assert!(is_at(&repo, &other).await);
    assert!(repo.git.heal_interrupted_ff(&from, "none").await.is_err());
}

#[tokio::test]
async fn line_ends_and_filters_count_as_git_counts_them() {
    let repo = Repo::new().await;
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("a.txt", "from\r\n");
    let from = repo.commit("from").await;
    repo.write("a.txt", "to\r\n");
    let to = repo.commit("to").await;
    repo.git.reset_hard_clean(&from).await.unwrap();
    repo.write("a.txt", "to\r\n");
    assert_eq!(healed(&repo, &from, &to).await, Healed::Finished);
    assert_eq!(repo.read("a.txt"), "to\r\n");
}

#[tokio::test]
async fn real_kills_at_any_moment_are_healed() {
    let repo = Repo::new().await;
    let name = |i: usize| format!("dir{}/file{i:03}", i / 40);
    for i in 0..160 {
        repo.write(&name(i), "from\n");
    }
    let from = repo.commit("from").await;
    for i in 0..160 {
        repo.write(&name(i), &"to\n".repeat(2000));
    }
    let to = repo.commit("to").await;
    let mut interrupted = 0;
    for kill_at in [0, 20, 80, 140, 159] {
        repo.git.reset_hard_clean(&from).await.unwrap();
        let mut spawn = script(&format!("exec git merge -q --ff-only {to}"));
        spawn.cwd = repo.git.dir().into();
        let mut git = spawn.start().unwrap();
        // git writes the files in the order of their names.
        let is_there = || fs::metadata(repo.path(&name(kill_at))).is_ok_and(|file| file.len() != 5);
        while !is_there() && contain::is_alive(git.identity()) {}
        git.kill();
        interrupted += usize::from(!git.wait().await.is_success());
        // Nobody holds the locks of a killed git.
        repo.git.clear_stale_locks(Duration::ZERO).await.unwrap();
        match healed(&repo, &from, &to).await {
            Healed::Finished | Healed::NothingToDo => assert!(is_at(&repo, &to).await, "at file {kill_at}"),
            // The one file that it was writing.
            Healed::UsersFiles { files } => assert_eq!(files.len(), 1, "{files:?}"),
            Healed::Elsewhere { head } => panic!("{head:?}"),
        }
    }
    assert!(interrupted > 0);
}

#[tokio::test]
async fn a_lock_that_was_left_is_outwaited() {
    let (repo, from, to) = ahead().await;
    fs::write(repo.path(".git/index.lock"), "").unwrap();
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::options()
        .write(true)
        .open(repo.path(".git/index.lock"))
        .unwrap()
        .set_modified(written)
        .unwrap();
    assert_eq!(healed(&repo, &from, &to).await, Healed::Finished);
    // One that a running git gives back.
    repo.git.reset_hard_clean(&from).await.unwrap();
    fs::write(repo.path(".git/index.lock"), "").unwrap();
    let release = async {
        sleep(Duration::from_millis(300)).await;
        fs::remove_file(repo.path(".git/index.lock")).unwrap();
    };
    let (healed, ()) = tokio::join!(healed(&repo, &from, &to), release);
    assert_eq!(healed, Healed::Finished);
    assert!(is_at(&repo, &to).await);
}

#[tokio::test]
async fn only_locks_that_nobody_holds_are_removed() {
    let repo = Repo::new().await;
    let lock = repo.path(".git/index.lock");
    let ref_lock = repo.path(".git/refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    fs::write(&ref_lock, "").unwrap();
    let clear = async |age: u64| {
        let mut removed = repo.git.clear_stale_locks(Duration::from_secs(age)).await.unwrap();
        removed.sort();
        removed.iter().map(|lock| lock.file_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(clear(5).await, [""; 0], "too young");
    let mut spawn = script("exec 3< .git/index.lock; echo up; sleep 60");
    spawn.cwd = repo.git.dir().into();
    let mut holder = spawn.start().unwrap();
    holder.next().await;
    assert_eq!(clear(0).await, ["main.lock"], "the other is held");
    holder.kill();
    holder.wait().await;
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
    // A git that closed its lock and waits for its user's editor.
    let mut spawn = script("exec git cat-file --batch");
    spawn.cwd = repo.git.dir().into();
    spawn.stdin = cogwork_process::contain::Stdin::Piped;
    let mut editing = spawn.start().unwrap();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(clear(5).await, [""; 0], "a git is at work");
    editing.kill();
    editing.wait().await;
    assert_eq!(clear(5).await, ["index.lock"]);
    assert!(!lock.exists());
    assert_eq!(Git::at(repo.git.dir()).dirty_paths(9).await.unwrap(), [""; 0]);
}

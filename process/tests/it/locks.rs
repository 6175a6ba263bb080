//! Locks that a killed git left go; those of a living one stay.

use std::fs;
use std::time::Duration;

use cogwork_process::git::Git;
use tokio::time::sleep;

use crate::contained::script;
use crate::git::Repo;

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

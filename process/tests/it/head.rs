//! What HEAD leads to: a commit, a branch that is new, or nothing any more.

use std::fs;
use std::path::PathBuf;

use cogwork_process::git::{Git, Head};

use crate::git::Repo;

fn object(repo: &Repo, id: &str) -> PathBuf {
    repo.path(".git/objects").join(&id[..2]).join(&id[2..])
}

#[tokio::test]
async fn a_branch_that_is_new_is_not_broken() {
    let repo = Repo::new().await;
    let head = repo.head().await;
    assert_eq!(repo.git.look_at_head().await.unwrap(), Head::Commit(head));
    repo.shell("git checkout -q --orphan another").await;
    assert_eq!(repo.git.look_at_head().await.unwrap(), Head::Unborn);
    fs::create_dir(repo.beside("empty")).unwrap();
    let empty = Git::init(&repo.beside("empty")).await.unwrap();
    assert_eq!(empty.look_at_head().await.unwrap(), Head::Unborn);
}

#[tokio::test]
async fn a_commit_that_is_missing_is_told_with_its_branch_and_the_ones_before() {
    let repo = Repo::new().await;
    let first = repo.head().await;
    repo.write("file", "two\n");
    let second = repo.commit("second").await;
    for is_detached in [false, true] {
        if is_detached {
            fs::write(repo.path(".git/HEAD"), format!("{second}\n")).unwrap();
        }
        let file = object(&repo, &second);
        let kept = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let Head::Broken(broken) = repo.git.look_at_head().await.unwrap() else { panic!("{is_detached}") };
        assert_eq!(broken.branch.as_deref(), (!is_detached).then_some("main"));
        assert_eq!((broken.commit.as_ref(), &broken.unreadable), (Some(&second), &None));
        assert_eq!(broken.earlier, [second.clone(), first.clone()]);
        assert_eq!(repo.git.first_whole(&broken.earlier).await.unwrap().as_ref(), Some(&first));
        assert_eq!(repo.git.missing_commits(&broken.earlier).await.unwrap(), std::slice::from_ref(&second));
        fs::write(&file, kept).unwrap();
        assert_eq!(repo.git.look_at_head().await.unwrap(), Head::Commit(second.clone()));
    }
}

#[tokio::test]
async fn a_ref_of_zeros_is_named_with_its_file() {
    let repo = Repo::new().await;
    let first = repo.head().await;
    let file = repo.path(".git/refs/heads/main");
    for left in [vec![], vec![0; 41]] {
        fs::write(&file, left).unwrap();
        let Head::Broken(broken) = repo.git.look_at_head().await.unwrap() else { panic!() };
        assert_eq!((broken.branch.as_deref(), broken.commit), (Some("main"), None));
        assert_eq!(broken.unreadable.as_ref(), Some(&file));
        assert_eq!(broken.earlier, std::slice::from_ref(&first));
    }
    // A log whose end was never written tells what is before it.
    let log = repo.path(".git/logs/refs/heads/main");
    fs::write(&log, [fs::read(&log).unwrap(), vec![0; 100]].concat()).unwrap();
    let Head::Broken(broken) = repo.git.look_at_head().await.unwrap() else { panic!() };
    assert_eq!((broken.log, broken.earlier), (Some(log), vec![first]));
}

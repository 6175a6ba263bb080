//! The git directory beside a workspace: several use it, some are killed, and it can be lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use cogwork_process::git::GitError;
use cogwork_process::git::snapshot::Snapshots;
use tokio::time::{sleep, timeout};

use crate::snapshot::Site;

#[tokio::test]
async fn snapshots_at_the_same_time_wait_for_each_other() {
    let site = Site::new().await;
    site.work("echo x > x; echo more >> file; rm gone").await;
    let others = [site.reopened().await, site.reopened().await, site.reopened().await];
    let (a, b, c, d) = tokio::join!(
        site.snapshots.take_snapshot(),
        others[0].take_snapshot(),
        others[1].take_snapshot(),
        others[2].take_snapshot()
    );
    let a = a.unwrap();
    assert_eq!([&b.unwrap(), &c.unwrap(), &d.unwrap()], [&a; 3]);
    assert_eq!(a.changed.len(), 3);
    let lock = fs::File::open(site.path("own.git/cogwork.lock")).unwrap();
    lock.lock_shared().unwrap();
    assert!(timeout(Duration::from_millis(500), site.snapshots.take_snapshot()).await.is_err(), "it waits");
    drop(lock);
    assert_eq!(site.snapshots.take_snapshot().await.unwrap(), a);
}

#[tokio::test]
async fn one_that_ends_in_the_middle_is_in_nobodys_way() {
    let site = Site::with_files(300).await;
    for round in 0..25 {
        site.work(&format!("echo {round} > x; echo more >> many/0/{round}")).await;
        // Its git goes on, and nobody waits for it.
        timeout(Duration::from_millis(round * 2), site.snapshots.take_snapshot()).await.ok();
    }
    // What a killed git leaves.
    fs::write(site.path("own.git/index.lock"), "").unwrap();
    fs::write(site.path("own.git/cogwork-index-1-1.lock"), "").unwrap();
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(snapshot.changed.len(), 26);
    let left = fs::read_dir(site.path("own.git")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_str().unwrap().contains("index-")).collect();
    assert_eq!(left, [""; 0]);
    fs::remove_dir_all(site.path("own.git")).unwrap();
    assert_eq!(site.reopened().await.take_snapshot().await.unwrap(), snapshot);
}

#[tokio::test]
async fn what_is_broken_is_made_anew() {
    let site = Site::new().await;
    site.work("echo x > x; rm gone").await;
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    for breaking in [
        "rm -rf ../own.git",
        "rm -rf ../own.git/objects",
        "find ../own.git/objects -type f ! -name alternates -delete",
        "echo /nowhere > ../own.git/objects/info/alternates",
        "echo nonsense > ../own.git/config",
        "rm ../own.git/config",
        "echo nonsense > ../own.git/HEAD",
        "rm ../own.git/index",
        // In place, so that its time is still the one that is noted.
        "t=../own.git/index; touch -r $t t; echo nonsense > $t; touch -r t $t",
        "rm ../own.git/cogwork-state",
        "echo '{}' > ../own.git/cogwork-state",
        "rm ../own.git/cogwork-base",
        "echo nonsense > ../own.git/cogwork-base",
        "echo nonsense > ../own.git/cogwork-taken",
        // Another start of the machine, after a power cut.
        "cd ../own.git; echo other > cogwork-boot; for o in objects/??/*; do chmod u+w $o; : > $o; done",
        "git prune --expire=now",
    ] {
        site.project(breaking).await;
        let again =
            site.snapshots.take_snapshot().await.unwrap_or_else(|error| panic!("{breaking}: {error}"));
        assert_eq!(again, snapshot, "{breaking}");
        site.project(breaking).await;
        let again =
            site.reopened().await.take_snapshot().await.unwrap_or_else(|error| panic!("{breaking}: {error}"));
        assert_eq!(again, snapshot, "{breaking}, by another process");
        site.read(&format!("git ls-tree -r {}; git cat-file blob {0}:x", snapshot.tree)).await;
    }
}

#[tokio::test]
async fn what_was_taken_outlives_a_repair() {
    let site = Site::new().await;
    site.work("echo x > x").await;
    let before = site.snapshots.take_snapshot().await.unwrap();
    site.work("echo y > x; echo nonsense > ../own.git/config; rm ../own.git/cogwork-state").await;
    let after = site.snapshots.take_snapshot().await.unwrap();
    assert_ne!(before.tree, after.tree);
    for snapshot in [before, after] {
        let commit = site.snapshots.commit(&snapshot.tree, &[&site.base], "Work", &[]).await.unwrap();
        site.snapshots.record(&format!("refs/cogwork/{commit}"), &commit).await.unwrap();
    }
    // A new workspace has nothing to do with the one before.
    let (own, workspace, project) = (site.path("own.git"), site.path("workspace"), site.path("project"));
    Snapshots::make(&own, &workspace, &project, &site.base).await.unwrap();
    assert_eq!(site.read("find objects -type f").await, "objects/info/alternates");
}

#[tokio::test]
async fn an_index_from_before_hides_no_change() {
    let site = Site::new().await;
    for round in 10..40 {
        // The same length and the same old time, within the second that the index knows.
        site.work(&format!("echo {round} > new; echo {round} > file; touch -d 2001-01-01 new file")).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        let read = format!("git cat-file blob {0}:new; git cat-file blob {0}:file", snapshot.tree);
        assert_eq!(site.read(&read).await, format!("{round}\n{round}"));
    }
}

#[tokio::test]
async fn the_index_of_a_clone_is_taken_over_and_hides_nothing() {
    let site = Site::new().await;
    let (own, workspace, project) = (site.path("own.git"), site.path("workspace"), site.path("project"));
    for index in [
        "rm .git/index",
        "rm .git/index; mkfifo .git/index",
        "rm .git/index; ln -s ../../project/.git/index .git/index",
        "echo nonsense > .git/index",
        "git reset -q; git update-index --skip-worktree file; git update-index --assume-unchanged gone",
        "git reset -q; git update-index --split-index",
        "git reset -q; git sparse-checkout set --cone --sparse-index dir/below; git checkout -q .",
        "git reset -q; git rm -q --cached gone; git add x",
    ] {
        site.work(&format!("rm -rf .git; git clone -q --no-checkout ../project t; mv t/.git .; rmdir t; touch x; git reset -q; {index}"))
            .await;
        Snapshots::make(&own, &workspace, &project, &site.base).await.unwrap();
        site.work("echo more >> file; echo more >> gone").await;
        let tree = site.snapshots.take_snapshot().await.unwrap().tree;
        let said = site.read(&format!("git cat-file blob {tree}:file; git cat-file blob {tree}:gone")).await;
        assert!(said.starts_with("one\nmore") && said.ends_with("more"), "{index}: {said}");
        assert!(site.read(&format!("git ls-tree {tree}")).await.contains("\tx"), "{index}");
    }
}

#[tokio::test]
async fn an_index_keeps_the_time_it_was_written_at() {
    let site = Site::new().await;
    let read = async |name: &str| {
        let tree = site.snapshots.take_snapshot().await.unwrap().tree;
        site.read(&format!("git cat-file blob {tree}:{name}")).await
    };
    for round in 10..13 {
        site.work(&format!("echo {round} > new")).await;
        assert_eq!(read("new").await, round.to_string());
        // In the same second, and looked at in another.
        site.work(&format!("echo {} > new", round + 10)).await;
        sleep(Duration::from_millis(1100)).await;
        assert_eq!(read("new").await, (round + 10).to_string());
    }
    // What is noted about another index is not believed.
    for round in 30..40 {
        let work = format!(
            "echo {round} > new; touch -d 2001-01-01 new; cd ../own.git; printf '0 0 0 0\\000new' > t"
        );
        site.work(&format!("{work}; mv t cogwork-taken")).await;
        assert_eq!(read("new").await, round.to_string());
    }
}

#[tokio::test]
async fn what_comes_back_is_taken_as_if_it_had_never_been_away() {
    let site = Site::new().await;
    let first = site.snapshots.take_snapshot().await.unwrap();
    fs::write(site.path("own.git/mark"), "").unwrap();
    site.work("mkdir ../aside; mv sub dir gone ../aside; mkdir built; echo b > built/b; echo x > x").await;
    let without = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(site.gitlinks(&without.tree).await, "");
    assert_eq!(without.changed.len(), 5, "{:?}", without.changed);
    // The base has these, whatever is ignored by now; the others are ignored, whatever was taken before.
    site.work("mv ../aside/* .; printf '/built/\\n*.log\\ndir\\ngone\\nx\\n' > .gitignore").await;
    let ignoring = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(ignoring.changed, [std::path::Path::new(".gitignore")]);
    site.work("git checkout -q .gitignore; rm x").await;
    let last = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(last.tree, first.tree);
    assert!(site.path("own.git/mark").exists(), "it was not made anew for that");
}

#[tokio::test]
async fn a_workspace_moves_to_another_base() {
    let mut site = Site::new().await;
    let script = "rm -r dir; echo next > next; echo '*.new' >> .gitignore; git add -A; git commit -qm next; \
                  git rev-parse HEAD";
    let next = site.project(script).await;
    site.work("echo x > x; echo y > y.new").await;
    let before = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(before.changed.len(), 2);
    site.work("git fetch -q origin; git reset -q --hard origin/main").await;
    fs::write(site.path("own.git/mark"), "").unwrap();
    site.snapshots.move_base(&next).await.unwrap();
    let after = site.reopened().await.take_snapshot().await.unwrap();
    assert!(site.path("own.git/mark").exists(), "it was not made anew for that");
    assert_eq!(after.base, next);
    assert_eq!(after.changed, [std::path::Path::new("x")]);
    assert_eq!(after.ignored.len(), 1);
    site.work("t=../own.git/index; touch -r $t t.new; echo nonsense > $t; touch -r t.new $t").await;
    site.snapshots.move_base(&next).await.unwrap();
    assert_eq!(site.snapshots.take_snapshot().await.unwrap().tree, after.tree);
    site.work("rm t.new").await;
    assert!(site.snapshots.move_base("nothing").await.is_err());
    assert_eq!(site.snapshots.take_snapshot().await.unwrap(), after);
}

#[tokio::test]
async fn a_workspace_that_is_none_gives_an_error() {
    let site = Site::new().await;
    let (workspace, aside) = (site.path("workspace"), site.path("aside"));
    fs::rename(&workspace, &aside).unwrap();
    assert!(site.snapshots.take_snapshot().await.is_err(), "it is gone");
    symlink(site.path("elsewhere"), &workspace).unwrap();
    let error = site.snapshots.take_snapshot().await.unwrap_err();
    assert!(matches!(error, GitError::Unreadable { .. }), "{error}");
    fs::remove_file(&workspace).unwrap();
    fs::rename(&aside, &workspace).unwrap();
    assert_eq!(site.snapshots.take_snapshot().await.unwrap().changed.len(), 0);
}

#[tokio::test]
async fn what_changes_all_the_time_is_taken_or_said() {
    let site = Site::new().await;
    // A file, a directory, a link and nothing in turn, as fast as a shell can.
    let script = "i=0; while test ! -e ../stop; do i=$((i+1)); rm -rf t; echo $i > t; rm t; mkdir t; echo $i > t/x; \
                  rm -r t; ln -s ../elsewhere t; rm t; git init -q t; echo $i > t/y; done";
    let mut spawn = crate::contained::script(script);
    spawn.cwd = site.path("workspace");
    let mut changing = spawn.start().unwrap();
    let outside = site.outside();
    let take = async {
        for _ in 0..15 {
            match site.snapshots.take_snapshot().await {
                Ok(snapshot) => assert_eq!(site.gitlinks(&snapshot.tree).await, "sub"),
                Err(error) => {
                    assert!(matches!(error, GitError::Failed { .. } | GitError::Changing { .. }), "{error}");
                }
            }
        }
        assert_eq!(site.outside(), outside);
        fs::write(site.path("stop"), "").unwrap();
    };
    let (_, ()) = tokio::join!(changing.wait(), take);
    sleep(Duration::from_millis(1)).await;
    site.snapshots.take_snapshot().await.unwrap();
}

//! What the repositories of a workspace have, and the project does not, once it is kept.

use crate::snapshot::Site;

const PREFIX: &str = "refs/cogwork/kept/7";

impl Site {
    /// Keeps the history; returns `REF SUBJECT` for each ref, without the prefix.
    async fn kept(&self, known: &[&str]) -> Vec<String> {
        let snapshot = self.snapshots.take_snapshot().await.unwrap();
        let known: Vec<&str> = [self.base.as_str()].into_iter().chain(known.iter().copied()).collect();
        let refs = self.snapshots.keep_history(PREFIX, &snapshot, &known).await.unwrap();
        let list = "git for-each-ref --format='%(refname) %(contents:subject)' refs/cogwork";
        let listed = self.project(list).await;
        assert_eq!(refs.len(), listed.lines().count(), "{refs:?}\n{listed}");
        self.project("git fsck --strict 2>&1").await;
        listed
            .lines()
            .map(|line| line.trim_start_matches(PREFIX).trim_start_matches('/').to_owned())
            .collect()
    }
}

#[tokio::test]
async fn nothing_new_leaves_nothing() {
    let site = Site::new().await;
    assert_eq!(site.kept(&[]).await, [""; 0]);
    site.work("echo dirty >> file; git checkout -q -b other").await;
    assert_eq!(site.kept(&[]).await, [""; 0]);
    // It is known from elsewhere.
    let head = site.work("git commit -qam done; git rev-parse HEAD").await;
    site.project(&format!("git fetch -q ../workspace {head}")).await;
    assert_eq!(site.kept(&[&head]).await, [""; 0]);
}

#[tokio::test]
async fn each_shape_of_history_has_its_ref() {
    for (shape, work, expected) in [
        ("on its branch", "git commit -q --allow-empty -m one", vec!["head one"]),
        (
            "on another",
            "git commit -q --allow-empty -m one; git checkout -q -b b HEAD~1",
            vec!["branch/cogwork/s1 one"],
        ),
        ("detached", "git checkout -q --detach; git commit -q --allow-empty -m one", vec!["head one"]),
        (
            "and left",
            "git checkout -q --detach; git commit -q --allow-empty -m one; git checkout -q cogwork/s1",
            vec!["reflog-0 one"],
        ),
        ("reset", "git commit -q --allow-empty -m one; git reset -q --hard HEAD~1", vec!["reflog-0 one"]),
        (
            "amended",
            "git commit -q --allow-empty -m one; git commit -q --allow-empty --amend -m two",
            vec!["head two", "reflog-0 one"],
        ),
        (
            "a branch removed",
            "git checkout -q -b b; git commit -q --allow-empty -m one; git checkout -q cogwork/s1; git branch -D -q b",
            vec!["reflog-0 one"],
        ),
        ("stashed", "echo x >> file; git stash -q", vec!["stash-0 WIP on cogwork/s1:"]),
        (
            "stashed twice",
            "echo x >> file; git stash push -q -m first; echo y > new; git stash push -q -u -m second",
            vec!["stash-0 On cogwork/s1: second", "stash-1 On cogwork/s1: first"],
        ),
        (
            "stashed without a log",
            "echo x >> file; git stash push -q -m it; rm .git/logs/refs/stash",
            vec!["stash-0 On cogwork/s1: it"],
        ),
        (
            "in a linked tree",
            "git worktree add -q .claude/a -b sub; cd .claude/a; git commit -q --allow-empty -m sub",
            vec!["branch/sub sub"],
        ),
        (
            "in a detached linked tree",
            "git worktree add -q --detach a; cd a; git commit -q --allow-empty -m sub",
            vec!["reflog-0 sub"],
        ),
        (
            "in a nested one",
            "git init -q app; cd app; git commit -q --allow-empty -m inner",
            vec!["nested-0/head inner"],
        ),
        ("in a clone of another", "git clone -q ../elsewhere app", vec![]),
        (
            "in a clone gone on with",
            "git clone -q ../elsewhere app; cd app; git tag here; git checkout -q -b mine; git commit -q --allow-empty -m 'on top'",
            vec!["nested-0/head on top"],
        ),
        (
            "under any ref",
            "git update-ref refs/strange/x $(git commit-tree -m odd HEAD^{tree})",
            vec!["ref/strange/x odd"],
        ),
        (
            "under a ref with a short name",
            "git update-ref refs/mine $(git commit-tree -m odd HEAD^{tree})",
            vec!["ref/mine odd"],
        ),
        (
            "under names that are ours",
            "for n in nested-0/head head left index; do git update-ref refs/$n $(git commit-tree -m $n HEAD^{tree}); done; \
             git init -q app; cd app; git commit -q --allow-empty -m inner",
            vec![
                "nested-0/head inner",
                "ref/head head",
                "ref/index index",
                "ref/left left",
                "ref/nested-0/head nested-0/head",
            ],
        ),
        ("staged and removed", "echo P > g; git add g; rm g", vec!["index What was staged"]),
        (
            "staged and overwritten",
            "echo P > file; git add file; echo x > file",
            vec!["index What was staged"],
        ),
        ("staged although it is ignored", "echo P > a.log; git add -f a.log", vec!["index What was staged"]),
        ("staged, and so in the files", "echo P > g; git add g", vec![]),
        (
            "tags of other things",
            "git tag blob $(echo P | git hash-object -w --stdin); git tag tree $(echo x > x; git add x; git write-tree); \
             git tag -a v1 -m said HEAD; git reset -q --hard",
            vec!["tags/blob-itself ", "tags/tree-itself ", "tags/v1-itself said"],
        ),
        (
            "under a tag",
            "git tag -a v1 -m tag $(git commit-tree -m tagged HEAD^{tree})",
            vec!["tags/v1 tagged", "tags/v1-itself tag"],
        ),
        ("unborn", "git checkout -q --orphan new; git rm -rqf --cached .", vec![]),
        ("with an orphan", "git checkout -q --orphan new; git commit -qm orphan", vec!["head orphan"]),
        (
            "as somebody else",
            "git -c user.name=X -c user.email=x@y commit -q --allow-empty -m one",
            vec!["head one"],
        ),
        (
            "a rebase in progress",
            "echo a > file; git commit -qam a; git checkout -q -b b HEAD~1; echo b > file; git commit -qam b; git rebase -q cogwork/s1 2>/dev/null || true",
            vec!["branch/b b", "head a"],
        ),
        ("no repository any more", "git commit -q --allow-empty -m one; rm -rf .git", vec![]),
        ("moved away", "mv .git real; echo 'gitdir: real' > .git", vec![]),
        (
            "an index that is a link",
            "git commit -q --allow-empty -m one; mv .git/index ../index; ln -s ../../index .git/index",
            vec!["head one"],
        ),
    ] {
        let site = Site::new().await;
        site.work(&format!("set -e; {work}")).await;
        let mut said = site.kept(&[]).await;
        for line in &mut said {
            if let Some(at) = line.find("WIP on cogwork/s1:") {
                line.truncate(at + "WIP on cogwork/s1:".len());
            }
        }
        assert_eq!(said, expected, "{shape}");
    }
}

#[tokio::test]
async fn a_history_that_cannot_be_had_is_an_error_and_hides_nothing_else() {
    let site = Site::new().await;
    let work = "git commit -q --allow-empty -m one; git checkout -q -b b HEAD~1; echo x > x; git add x; git commit -qm two; \
                git rev-parse HEAD:x";
    let blob = site.work(work).await;
    site.work(&format!("rm -f .git/objects/{}/{}; git checkout -q -f cogwork/s1", &blob[..2], &blob[2..]))
        .await;
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    let error = site.snapshots.keep_history(PREFIX, &snapshot, &[&site.base]).await.unwrap_err();
    assert!(error.to_string().contains("bring over the history"), "{error}");
    let kept =
        site.project("git for-each-ref --format='%(refname)' refs/cogwork; git fsck --strict 2>&1").await;
    assert_eq!(kept, format!("{PREFIX}/head"));
}

/// With it, the project would be cut off as well.
#[tokio::test]
async fn a_history_that_is_cut_off_is_not_taken() {
    let site = Site::new().await;
    let work = "git -C ../elsewhere commit -q --allow-empty -m more; git clone -q --depth 1 file://$PWD/../elsewhere app; \
                git -C app commit -q --allow-empty -m 'on top'";
    site.work(work).await;
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    let error = site.snapshots.keep_history(PREFIX, &snapshot, &[&site.base]).await.unwrap_err();
    assert!(error.to_string().contains("git did not bring over head"), "{error}");
    assert_eq!(
        site.project("git for-each-ref refs/cogwork; git rev-parse --is-shallow-repository").await,
        "false"
    );
}

#[tokio::test]
async fn a_hostile_git_directory_is_not_waited_for() {
    let site = Site::new().await;
    site.work("git commit -q --allow-empty -m one; rm .git/HEAD; mkfifo .git/HEAD").await;
    // There may be work in it.
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    let error = site.snapshots.keep_history(PREFIX, &snapshot, &[&site.base]).await.unwrap_err();
    assert!(error.to_string().contains("no repository of its own any more"), "{error}");
    for script in ["rm -rf .git; mkfifo .git", "rm -rf .git; ln -s ../elsewhere/.git .git"] {
        let site = Site::new().await;
        site.work(&format!("git commit -q --allow-empty -m one; {script}")).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        assert_eq!(
            site.snapshots.keep_history(PREFIX, &snapshot, &[&site.base]).await.unwrap(),
            [""; 0],
            "{script}"
        );
    }
}

#[tokio::test]
async fn the_work_is_one_commit_with_the_history_that_fits() {
    for (shape, work, subjects) in [
        ("uncommitted", "echo x > x", "Work, base"),
        ("committed", "echo x > x; git add x; git commit -qm mine", "mine, base"),
        ("in part", "echo x > x; git add x; git commit -qm mine; echo y > y", "Work, mine, base"),
        (
            "and taken back",
            "echo x > x; git add x; git commit -qm mine; git reset -q --hard HEAD~1; echo z > z",
            "Work, base",
        ),
        ("from elsewhere", "git checkout -q --orphan o; git commit -qm orphan; echo x > x", "Work, base"),
        ("behind the base", "git reset -q --soft HEAD~1 2>/dev/null; echo x > x", "Work, base"),
        ("no repository", "rm -rf .git; echo x > x", "Work, base"),
        (
            "what is hidden from git",
            "echo x > x; git add x; git commit -qm mine; git update-index --skip-worktree file; echo y > file",
            "Work, mine, base",
        ),
    ] {
        let site = Site::new().await;
        site.work(work).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        let name = format!("{PREFIX}/handed-in");
        let commit = site.snapshots.keep_work(&snapshot, &name, "Work", &[]).await.unwrap();
        assert_eq!(site.project(&format!("git rev-parse {name}")).await, commit);
        let said = site.project(&format!("git log --format=%s --no-walk=unsorted $(git rev-list -3 --first-parent {commit}); git rev-parse {commit}^{{tree}}")).await;
        let mut lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.pop(), Some(snapshot.tree.as_str()), "{shape}");
        assert_eq!(lines.join(", ").trim_end_matches(", first"), subjects, "{shape}");
    }
}

#[tokio::test]
async fn work_that_is_handed_in_again_comes_after_what_was() {
    let site = Site::new().await;
    let hand_in = async |work: &str| {
        site.work(work).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        site.snapshots.keep_work(&snapshot, &format!("{PREFIX}/handed-in"), "Work", &[]).await.unwrap()
    };
    assert_eq!(hand_in("true").await, site.base);
    let one = hand_in("echo 1 > x").await;
    assert_eq!(hand_in("touch x").await, one);
    let two = hand_in("echo 2 > x").await;
    assert_eq!(
        site.project(&format!("git rev-parse {two}^ {one}^ {PREFIX}/handed-in")).await,
        format!("{one}\n{}\n{two}", site.base)
    );
    assert_eq!(hand_in("rm x").await, site.project(&format!("git rev-parse {PREFIX}/handed-in")).await);
}

#[tokio::test]
async fn refs_of_the_project_that_are_broken_keep_nothing_from_being_kept() {
    let lost = "1111111111111111111111111111111111111111";
    for broken in [
        ": > .git/refs/heads/person".to_owned(),
        format!("echo {lost} > .git/refs/heads/person"),
        format!("echo {lost} > .git/refs/tags/t; : > .git/refs/tags/u"),
        format!("mkdir -p .git/refs/cogwork/kept/3; echo {lost} > .git/refs/cogwork/kept/3/head"),
        format!("git pack-refs --all; echo '{lost} refs/heads/packed' >> .git/packed-refs"),
    ] {
        let site = Site::new().await;
        site.work("git commit -q --allow-empty -m one; git init -q nested; cd nested; git commit -q --allow-empty -m in")
            .await;
        site.project(&broken).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        let kept = site.snapshots.keep_history(PREFIX, &snapshot, &[&site.base]).await.unwrap();
        assert_eq!(kept.len(), 2, "{broken}: {kept:?}");
        for name in kept {
            site.project(&format!("git rev-list --quiet --objects {name}")).await;
        }
    }
}

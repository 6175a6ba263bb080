//! Work in the project's own directory: what of that is committed, and what is a person's.

use cogwork_process::git::Work;
use cogwork_process::git::snapshot::Snapshots;

use crate::snapshot::Site;

/// A session of that name, which begins now.
async fn session(site: &Site, name: &str, earlier: &[&str]) -> Snapshots {
    beside(site, name, earlier, &[]).await
}

/// A session that begins while others are at work.
async fn beside(site: &Site, name: &str, earlier: &[&str], live: &[&str]) -> Snapshots {
    let project = site.path("project");
    let snapshots = Snapshots::make(&site.path(name), &project, &project, "HEAD").await.unwrap();
    let paths = |names: &[&str]| names.iter().map(|name| site.path(name)).collect::<Vec<_>>();
    snapshots.begin_in_project(&paths(earlier), &paths(live)).await.unwrap();
    snapshots
}

/// The files that are committed in the project itself, and what its status says then.
async fn committed(site: &Site, snapshots: &Snapshots) -> String {
    let work = Work::look(Some(snapshots), None, None).await.unwrap();
    work.keep("refs/cogwork/kept/7/handed-in", "Work", &[]).await.unwrap();
    site.project(
        "git log -1 --format= --name-status --no-renames; git status --short; git fsck --no-dangling 2>&1",
    )
    .await
}

#[tokio::test]
async fn in_the_project_itself_what_changed_its_kind_is_committed() {
    for (shape, work, expected) in [
        ("a file that is a directory now", "rm file; mkdir file; echo x > file/x", "D\tfile\nA\tfile/x"),
        ("a directory that is a file now", "rm -r dir; echo x > dir", "A\tdir\nD\tdir/b\nD\tdir/below/c"),
        ("a nested repository", "git init -q n; cd n; echo x > x; git add x; git commit -qm n", "A\tn/x"),
        (
            "an open merge",
            "git checkout -q -b o; echo o > file; git commit -qam o; git checkout -q main; echo m > file; \
          git commit -qam m; git merge -q o >/dev/null 2>&1 || true; echo both > file",
            "M\tfile",
        ),
        ("staged", "echo x > x; git add x", "A\tx"),
        ("a link and a mode", "ln -s file l; chmod +x file", "M\tfile\nA\tl"),
    ] {
        let site = Site::new().await;
        site.project("echo mine > mine").await;
        let snapshots = session(&site, "p.git", &[]).await;
        site.project(work).await;
        assert_eq!(committed(&site, &snapshots).await, format!("{expected}\n?? mine"), "{shape}");
    }
}

/// What git was told to leave out of the working tree stays in the tree.
#[tokio::test]
async fn in_the_project_itself_a_sparse_checkout_removes_nothing() {
    let sparse = "git sparse-checkout set elsewhere";
    for (shape, person, agent, expected) in [
        ("the agent's", "true", format!("{sparse}; echo x > x"), "A\tx"),
        (
            "with a sparse index",
            "true",
            format!("{sparse} --sparse-index; git config advice.sparseIndexExpanded false; echo x > x"),
            "A\tx",
        ),
        ("the person's", sparse, "echo x > x".to_owned(), "A\tx"),
        ("ended by the agent", sparse, "git sparse-checkout disable; echo x > x".to_owned(), "A\tx"),
        (
            "said of one file",
            "true",
            "git update-index --skip-worktree gone; rm gone; echo x > x".to_owned(),
            "A\tx",
        ),
        ("and a file is gone", "true", format!("{sparse}; rm gone"), "D\tgone"),
        ("and a file of it is written", sparse, "mkdir dir; echo x > dir/b".to_owned(), "M\tdir/b"),
        (
            "and a file is in its place",
            "true",
            format!("{sparse}; echo x > dir"),
            "A\tdir\nD\tdir/b\nD\tdir/below/c",
        ),
        (
            "and a link is in its place",
            sparse,
            "ln -s file dir".to_owned(),
            "A\tdir\nD\tdir/b\nD\tdir/below/c",
        ),
        (
            "and a directory is in its place",
            "git update-index --skip-worktree gone; rm gone",
            "mkdir gone; echo x > gone/x".to_owned(),
            "D\tgone\nA\tgone/x",
        ),
    ] {
        let site = Site::new().await;
        site.project(person).await;
        let snapshots = session(&site, "p.git", &[]).await;
        site.project(&agent).await;
        assert_eq!(committed(&site, &snapshots).await, expected, "{shape}");
        assert!(!snapshots.end_in_project().await.unwrap(), "{shape}");
    }
}

#[tokio::test]
async fn in_the_project_itself_a_sparse_checkout_outlives_a_session_that_failed() {
    let site = Site::new().await;
    let first = session(&site, "1.git", &[]).await;
    site.project("git sparse-checkout set elsewhere; echo a > a").await;
    assert!(first.end_in_project().await.unwrap(), "something is left");
    let second = session(&site, "2.git", &["1.git"]).await;
    site.project("echo b > b").await;
    assert_eq!(committed(&site, &second).await, "A\ta\nA\tb");
}

/// Hands in what a session made; returns what is committed and what the status says then, or why it is refused.
async fn handed_in(site: &Site, snapshots: &Snapshots) -> String {
    let work = Work::look(Some(snapshots), None, None).await.unwrap();
    match work.objections() {
        Some(objections) => objections,
        None => committed(site, snapshots).await,
    }
}

#[tokio::test]
async fn in_the_project_itself_what_a_person_had_changed_before_is_not_handed_in() {
    for (shape, person, agent, expected) in [
        ("changed", "echo mine >> file", "echo x >> file", "`file`"),
        ("staged", "echo mine >> file; git add file", "echo x >> file; git add file", "`file`"),
        (
            "staged, and as it was",
            "echo mine > file; git add file; echo one > file",
            "echo x >> file",
            "`file`",
        ),
        ("new", "echo mine > mine", "echo x >> mine", "`mine`"),
        ("removed", "rm gone", "echo x > gone", "`gone`"),
        ("removed by the agent", "echo mine >> file", "rm file", "`file`"),
        (
            "an open merge",
            "git checkout -q -b o; echo o > file; git commit -qam o; git checkout -q main; echo m > file; git commit -qam m; git merge -q o >/dev/null 2>&1 || true",
            "echo both > file",
            "`file`",
        ),
        ("more than one", "echo mine > a; echo mine > b", "echo x > a; echo x > b", "`a`, `b`"),
    ] {
        let site = Site::new().await;
        site.project(person).await;
        let snapshots = session(&site, "p.git", &[]).await;
        site.project(&format!("{agent}; echo x > x")).await;
        let refused = handed_in(&site, &snapshots).await;
        assert!(
            refused.starts_with(&format!("the work is in {expected}, which a person had changed")),
            "{shape}: {refused}"
        );
        // The next session knows it, too, whether the person has done something about it or not.
        assert!(snapshots.end_in_project().await.unwrap(), "{shape}");
        let next = session(&site, "q.git", &["p.git"]).await;
        let refused = handed_in(&site, &next).await;
        assert!(
            refused.starts_with(&format!("the work is in {expected}, which a person had changed")),
            "{shape}: {refused}"
        );
    }
}

#[tokio::test]
async fn in_the_project_itself_what_a_person_has_committed_is_no_objection() {
    for (shape, before, meanwhile, expected) in [
        ("before the session", "echo mine >> file; git commit -qam mine", "true", "M\tfile\nA\tx"),
        ("meanwhile", "echo mine >> file", "git commit -qam mine", "M\tfile\nA\tx"),
        ("stashed", "echo mine >> dir/b", "git stash -q", "M\tfile\nA\tx"),
        (
            "elsewhere",
            "echo mine > mine; echo mine >> dir/b; git add dir",
            "true",
            "M\tfile\nA\tx\nM  dir/b\n?? mine",
        ),
    ] {
        let site = Site::new().await;
        site.project(before).await;
        let snapshots = session(&site, "p.git", &[]).await;
        site.project(&format!("{meanwhile}; echo x >> file; echo x > x")).await;
        assert_eq!(handed_in(&site, &snapshots).await, expected, "{shape}");
    }
}

#[tokio::test]
async fn in_the_project_itself_what_a_person_has_committed_is_the_next_session_s() {
    for mend in ["git commit -qm mine", "git commit -qam all", "git stash -q"] {
        let site = Site::new().await;
        site.project("echo mine >> file; git add file").await;
        let first = session(&site, "1.git", &[]).await;
        site.project("echo x >> file").await;
        assert!(first.end_in_project().await.unwrap(), "{mend}");
        site.project(mend).await;
        let second = session(&site, "2.git", &["1.git"]).await;
        site.project("echo y >> file").await;
        assert_eq!(handed_in(&site, &second).await, "M\tfile", "{mend}");
    }
}

#[tokio::test]
async fn in_the_project_itself_what_another_session_is_at_is_no_person_s() {
    let site = Site::new().await;
    site.project("echo mine >> dir/b").await;
    let first = session(&site, "1.git", &[]).await;
    site.project("echo x >> file; echo x >> dir/b").await;
    let second = beside(&site, "2.git", &[], &["1.git"]).await;
    site.project("echo y >> file").await;
    assert_eq!(handed_in(&site, &second).await, "M\tfile\n M dir/b");
    site.project("echo y >> dir/b").await;
    for session in [first, second] {
        let refused = handed_in(&site, &session).await;
        assert!(refused.starts_with("the work is in `dir/b`"), "{refused}");
    }
}

#[tokio::test]
async fn in_the_project_itself_a_session_takes_over_what_another_left() {
    let site = Site::new().await;
    site.project("echo mine > mine; echo mine >> file").await;
    let first = session(&site, "1.git", &[]).await;
    site.project("echo a > a; echo b > b; rm gone").await;
    assert!(first.end_in_project().await.unwrap(), "something is left");
    // A person has gone on with one of its files.
    site.project("echo mine >> b").await;
    // This one is killed.
    let second = session(&site, "2.git", &["1.git"]).await;
    site.project("echo c > c").await;
    drop(second);
    let third = session(&site, "3.git", &["2.git"]).await;
    assert_eq!(committed(&site, &third).await, "A\ta\nD\tgone\n M file\n?? b\n?? c\n?? mine");
    assert!(!third.end_in_project().await.unwrap(), "nothing of it is left");
}

#[tokio::test]
async fn in_the_project_itself_a_lock_leaves_everything_as_it_was() {
    let site = Site::new().await;
    let snapshots = session(&site, "p.git", &[]).await;
    site.project("echo x > x; touch .git/index.lock").await;
    let work = Work::look(Some(&snapshots), None, None).await.unwrap();
    work.keep("refs/cogwork/kept/7/handed-in", "Work", &[]).await.unwrap_err();
    assert_eq!(site.project("git rev-parse main; git status --short").await, format!("{}\n?? x", site.base));
    assert!(snapshots.end_in_project().await.unwrap());
    site.project("rm .git/index.lock").await;
    assert_eq!(committed(&site, &snapshots).await, "A\tx");
}

#[tokio::test]
async fn in_the_project_itself_the_work_is_what_changed_since_it_began() {
    let site = Site::new().await;
    site.project("echo mine > mine; echo mine >> file").await;
    let snapshots = session(&site, "p.git", &[]).await;
    site.project("echo x > x; rm gone; git add dir").await;
    let work = Work::look(Some(&snapshots), None, None).await.unwrap();
    let commit = work.keep("refs/unused", "Work", &[]).await.unwrap().unwrap();
    let said = site.project("git rev-parse main; git log -1 --format= --name-only; git status --short").await;
    assert_eq!(said, format!("{commit}\ngone\nx\n M file\n?? mine"));
    let again = Work::look(Some(&snapshots), None, Some(Some(&commit))).await.unwrap();
    assert!(matches!(again, Work::AsBefore), "{again:?}");
    // What a git directory that was made anew does not know is a person's.
    std::fs::remove_file(site.path("p.git/cogwork-start")).unwrap();
    site.project("echo y > y").await;
    let work = Work::look(Some(&snapshots), None, None).await.unwrap();
    assert!(matches!(&work, Work::Committed(Some(head)) if *head == commit), "{work:?}");
}

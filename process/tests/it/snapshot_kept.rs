//! What comes of a snapshot: commits, refs that last, and what is said of repositories inside.

use std::path::{Path, PathBuf};

use cogwork_process::git::GitError;
use cogwork_process::git::snapshot::{NestedRepository, Snapshots};

use crate::git::shell;
use crate::snapshot::Site;

#[tokio::test]
async fn a_tree_becomes_a_commit_of_the_user() {
    let site = Site::new().await;
    site.project("git config user.name Somebody; git config user.email some@body").await;
    let (own, workspace, project) = (site.path("own.git"), site.path("workspace"), site.path("project"));
    let snapshots = Snapshots::make(&own, &workspace, &project, &site.base).await.unwrap();
    site.work("git config user.name Agent; git config commit.gpgSign true; echo x > x").await;
    let snapshot = snapshots.take_snapshot().await.unwrap();
    let other = site.project("git commit-tree -m other HEAD^{tree}").await;
    let trailers = [("Feature", "#7"), ("Note", "two\nlines")];
    let parents = [site.base.as_str(), &other];
    let commit =
        snapshots.commit(&snapshot.tree, &parents, "Title\n\n# no\0 comment\n", &trailers).await.unwrap();
    let said = site.read(&format!("git log -1 --format='%an <%ae> %cn|%P|%T|%B' {commit}")).await;
    let expected = format!(
        "Somebody <some@body> Somebody|{} {other}|{}|Title\n\n# no comment\n\nFeature: #7\nNote: two lines",
        site.base, snapshot.tree
    );
    assert_eq!(said.trim_end(), expected);
    assert!(snapshots.commit(&snapshot.tree, &["--all"], "m", &[]).await.is_err());
    assert!(snapshots.commit("none", &[], "m", &[]).await.is_err());
}

#[tokio::test]
async fn a_ref_is_made_once_and_only_of_what_is_there() {
    let site = Site::new().await;
    let snapshots = &site.snapshots;
    let commit = async |work: &str| {
        site.work(work).await;
        let snapshot = snapshots.take_snapshot().await.unwrap();
        (snapshots.commit(&snapshot.tree, &[&site.base], "Work", &[]).await.unwrap(), snapshot.tree)
    };
    let (one, tree) = commit("echo 1 > x").await;
    let (two, other) = commit("echo 2 > x; echo more >> dir/b").await;
    let name = "refs/cogwork/kept/7/handed-in";
    snapshots.record(name, &one).await.unwrap();
    snapshots.record(name, &one).await.unwrap();
    assert!(matches!(snapshots.record(name, &two).await, Err(GitError::RefExists { .. })));
    assert!(matches!(snapshots.record_over(name, &two, &two).await, Err(GitError::RefExists { .. })));
    snapshots.record_over(name, &two, &one).await.unwrap();
    assert_eq!(site.project(&format!("git rev-parse {name}")).await, two);
    assert!(matches!(snapshots.record("kept/7", &one).await, Err(GitError::BadName { .. })));
    assert!(matches!(snapshots.record("refs/a", "--all").await, Err(GitError::BadName { .. })));
    let changed = snapshots.changed_between(&tree, &other).await.unwrap();
    assert_eq!(changed, [Path::new("dir/b"), Path::new("x")]);
    assert_eq!(snapshots.changed_between(&tree, &tree).await.unwrap(), [""; 0].map(PathBuf::from));
    // The person clears up, which nothing of ours is lost by.
    site.project("git prune --expire=now").await;
    snapshots.record("refs/cogwork/kept/8/handed-in", &one).await.unwrap();
    let (_, third) = commit("echo 3 > x").await;
    let half =
        format!("b=$(git rev-parse {third}:x); rm -f objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)");
    let half = site.read(&format!("{half}; git commit-tree -p {} -m half {third}", site.base)).await;
    let error = snapshots.record("refs/cogwork/kept/9/handed-in", &half).await.unwrap_err();
    assert!(error.to_string().contains("missing blob"), "{error}");
    site.project(&format!("git update-ref -d refs/cogwork/kept/8/handed-in {one}")).await;
    assert_eq!(site.project("git for-each-ref --format='%(refname)' refs/cogwork").await, name);
}

#[tokio::test]
async fn nested_repositories_say_where_they_are() {
    let site = Site::new().await;
    let script = "git init -q -b main new; git clone -q ../elsewhere loose; git clone -q ../elsewhere packed; \
                  git -C packed pack-refs --all; git clone -q ../elsewhere detached; \
                  git -C detached checkout -q --detach; git worktree add -q tree; \
                  mkdir out; echo 'gitdir: ../../elsewhere/.git' > out/.git; \
                  mkdir linked; ln -s ../../elsewhere/.git linked/.git; git init -q bad; \
                  echo 'ref: ../../../elsewhere/.git/refs/heads/main' > bad/.git/HEAD; \
                  git -c protocol.file.allow=always submodule --quiet update --init; \
                  git -C sub commit -q --allow-empty -m moved; git -C sub rev-parse HEAD HEAD~1; \
                  git -C loose rev-parse HEAD; git rev-parse HEAD";
    let said = site.work(script).await;
    let [moved, linked, elsewhere, base] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    let nested = |path: &str, head: Option<&str>, submodule: Option<&str>| NestedRepository {
        path: path.into(),
        submodule: submodule.map(str::to_owned),
        head: head.map(str::to_owned),
    };
    let expected = [
        nested("bad", None, None),
        nested("detached", Some(elsewhere), None),
        nested("linked", None, None),
        nested("loose", Some(elsewhere), None),
        nested("new", None, None),
        nested("out", None, None),
        nested("packed", Some(elsewhere), None),
        nested("sub", Some(moved), Some(linked)),
        nested("tree", Some(base), None),
    ];
    assert_eq!(snapshot.nested, expected);
}

#[tokio::test]
async fn a_project_may_be_a_worktree_a_shallow_clone_or_of_another_format() {
    for script in [
        "git -C project worktree add -q ../here",
        "git clone -q --depth 1 file://$PWD/project here",
        "git init -q -b main --object-format=sha256 here; cp -r project/dir here; git -C here add -A; \
         git -C here commit -qm base",
        "git init -q -b main --ref-format=reftable here && cp -r project/dir here; git -C here add -A; \
         git -C here commit -qm base",
    ] {
        let site = Site::new().await;
        let top = site.path("");
        let script = format!("{script}; git clone -q here there; git -C here rev-parse HEAD");
        let said = shell(&top, &script).await;
        let base = said.lines().last().unwrap().to_owned();
        let (own, workspace, project) = (site.path("here.git"), site.path("there"), site.path("here"));
        let snapshots = Snapshots::make(&own, &workspace, &project, &base).await.unwrap();
        shell(&workspace, "echo x > x").await;
        let snapshot = snapshots.take_snapshot().await.unwrap();
        let commit = snapshots.commit(&snapshot.tree, &[&base], "m", &[]).await.unwrap();
        snapshots.record("refs/cogwork/kept/1/left", &commit).await.unwrap();
        let said = shell(&project, "git cat-file blob refs/cogwork/kept/1/left:x; git fsck").await;
        assert_eq!(said.lines().next(), Some("x"), "{script}");
    }
}

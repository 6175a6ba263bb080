//! What is too much, what may not be read, and what the user's own configuration says about content.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use cogwork_process::git::GitError;
use cogwork_process::git::snapshot::{Limits, Snapshots, Weight};

#[cfg(target_os = "linux")]
use crate::part::{part, play};
use crate::snapshot::{Site, refusals};

#[tokio::test]
async fn limits_are_held() {
    let site = Site::new().await;
    let limited = |limits: Limits| site.snapshots.clone().with_limits(limits);
    let usual = Limits::default();
    site.work("mkdir -p a/b/c/d; echo x > a/b/x; echo x > a/b/c/d/x; mkdir built; touch built/1 built/2")
        .await;
    let deep = limited(Limits { depth: 3, ..usual }).take_snapshot().await.unwrap();
    assert_eq!(refusals(&deep), ["`a/b/c/d` lies in too many directories: move or remove it"]);
    assert_eq!(deep.changed, [Path::new("a/b/x")]);
    let many = limited(Limits { entries: 10, ..usual }).take_snapshot().await.unwrap_err();
    assert!(matches!(many, GitError::TooManyFiles { limit: 10 }), "{many}");
    let much = limited(Limits { new_bytes: 3, ..usual }).take_snapshot().await.unwrap_err();
    assert!(matches!(much, GitError::TooMuchContent { limit: 3 }), "{much}");
    assert_eq!(site.snapshots.take_snapshot().await.unwrap().changed.len(), 2);
}

#[tokio::test]
async fn large_files_of_the_base_may_stay_and_not_change() {
    let site = Site::new().await;
    let snapshots = site.snapshots.clone().with_limits(Limits { file_bytes: 3, ..Limits::default() });
    let before = snapshots.take_snapshot().await.unwrap();
    assert_eq!((&before.changed[..], &before.refused[..]), (&[][..], &[][..]));
    site.work("echo more >> file; rm gone; touch dir/b; seq 9 > new").await;
    for again in [false, true] {
        if again {
            fs::remove_dir_all(site.path("own.git")).unwrap();
        }
        let after = snapshots.take_snapshot().await.unwrap();
        assert_eq!(after.changed, [Path::new("gone")]);
        let refused = refusals(&after);
        assert!(refused[0].starts_with("`file` has 9 bytes, and 3 is the limit: "), "{refused:?}");
        assert!(refused[1].starts_with("`new` has 18 bytes, and 3 is the limit: "), "{refused:?}");
        assert_eq!(refused.len(), 2);
    }
}

#[tokio::test]
async fn sockets_are_listed_and_ignored_ones_are_not() {
    let site = Site::new().await;
    let at = |name: &str| site.path("workspace").join(name);
    let _listeners = ["s", "s.log"].map(|name| UnixListener::bind(at(name)).unwrap());
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(refusals(&snapshot), ["`s` is a socket, which git cannot hold: remove it"]);
    assert!(!snapshot.refused[0].why.is_kept());
    assert_eq!(snapshot.ignored.len(), 1);
}

#[tokio::test]
async fn what_is_ignored_can_be_weighed() {
    let site = Site::new().await;
    site.work("mkdir -p built/a; seq 9 > built/a/x; seq 9 > built/y; ln -s / built/l; seq 9 > z.log").await;
    let ignored = site.snapshots.take_snapshot().await.unwrap().ignored;
    let listed: Vec<_> = ignored.iter().map(|found| (found.path.to_str().unwrap(), found.bytes)).collect();
    assert_eq!(listed, [("built", None), ("z.log", Some(18))]);
    let weigh = async |path: &str, at_most| site.snapshots.weigh(Path::new(path), at_most).await.unwrap();
    assert_eq!(weigh("built", 100).await, Weight { bytes: 37, is_all: true });
    assert!(!weigh("built", 2).await.is_all);
    assert_eq!(weigh("z.log", 0).await, Weight { bytes: 18, is_all: true });
    assert_eq!(weigh("none", 9).await, Weight { bytes: 0, is_all: false });
}

#[tokio::test]
async fn what_may_not_be_read_is_said_and_stays() {
    let site = Site::new().await;
    site.work("echo x > x; mkdir new; echo y > new/y; echo z > z").await;
    let closed = ["x", "file", "dir", "new"].map(|name| site.path("workspace").join(name));
    let close = |mode| {
        for path in &closed {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    close(0o000);
    if fs::read(&closed[0]).is_ok() {
        // The administrator may read everything.
        return close(0o755);
    }
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    close(0o755);
    let refused = refusals(&snapshot);
    let expected = ["dir", "file", "new", "x"]
        .map(|path| format!("`{path}` may not be read: chmod u+r it, or remove it"));
    assert_eq!(refused, expected);
    assert_eq!(snapshot.changed, [Path::new("z")]);
}

#[tokio::test]
async fn rules_that_a_link_leads_to_do_not_count() {
    let site = Site::new().await;
    site.project("echo '*' > ../rules").await;
    site.work("mkdir new; echo x > new/x; echo more >> file").await;
    symlink("../../rules", site.path("workspace/new/.gitignore")).unwrap();
    let snapshot = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(snapshot.changed.len(), 3);
    assert_eq!(refusals(&snapshot).len(), 1);
}

#[tokio::test]
async fn in_the_project_itself_its_own_rules_count() {
    let site = Site::new().await;
    site.project("echo /mine > .git/info/exclude; git config filter.up.clean 'tr a-z A-Z'").await;
    let base = site
        .project("echo 'shout filter=up' > .gitattributes; git add -A; git commit -qm b; git rev-parse HEAD");
    let base = base.await;
    let project = site.path("project");
    let snapshots = Snapshots::make(&site.path("beside.git"), &project, &project, &base).await.unwrap();
    site.project("touch mine; echo loud > shout; echo '*' > .git/info/exclude").await;
    let snapshot = snapshots.take_snapshot().await.unwrap();
    assert_eq!(snapshot.changed, [Path::new("shout")]);
    let read = format!("GIT_DIR=../beside.git git cat-file blob {}:shout", snapshot.tree);
    assert_eq!(site.project(&read).await, "LOUD");
    assert_eq!(snapshot.ignored.len(), 1);
    // A clone never had them.
    let (own, workspace) = (site.path("own.git"), site.path("workspace"));
    let snapshots = Snapshots::make(&own, &workspace, &project, &base).await.unwrap();
    site.work("echo loud > shout; touch mine").await;
    let snapshot = snapshots.take_snapshot().await.unwrap();
    assert_eq!(
        site.read(&format!("git cat-file blob {0}:shout; git cat-file blob {0}:mine", snapshot.tree)).await,
        "loud"
    );
}

/// A user with git-lfs, or what looks like it, and rules of their own about what to ignore.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn filters_of_the_user_work() {
    let config = tempfile::tempdir().unwrap();
    let git = config.path().join("git");
    fs::create_dir(&git).unwrap();
    let text = format!(
        "[filter \"lfs\"]\n\tclean = \"echo pointer to $(wc -c) in $(git config lfs.storage)\"\n\tsmudge = cat\n\
         [core]\n\texcludesFile = {}\n",
        git.join("mine").display()
    );
    fs::write(git.join("config"), text).unwrap();
    fs::write(git.join("mine"), "*.mine\n").unwrap();
    let mut spawn = part("snapshot_limits::part_of_a_user_with_filters", "");
    spawn.env.retain(|(name, _)| name != "XDG_CONFIG_HOME");
    spawn.env.push(("XDG_CONFIG_HOME".into(), config.path().into()));
    let (lines, exit) = crate::contained::outcome(&mut spawn.start().unwrap()).await;
    assert!(exit.is_success(), "{lines:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn part_of_a_user_with_filters() {
    play(async |_| {
        let site = Site::new().await;
        let snapshots = site.snapshots.clone().with_limits(Limits { file_bytes: 100, ..Limits::default() });
        // Where the agent wants the user's filter counts, as it does in a commit. What the agent calls a filter does not.
        let trap = "touch ../ran; cat";
        site.work(&format!(
            "seq 999 > large.bin; echo x > x; echo y > y.mine; echo '* filter=lfs' > .gitattributes; \
             git config filter.lfs.clean '{trap}'; git config --worktree filter.lfs.clean '{trap}'"
        ))
        .await;
        let snapshot = snapshots.take_snapshot().await.unwrap();
        assert_eq!(snapshot.refused, []);
        assert_eq!(snapshot.ignored[0].path, Path::new("y.mine"));
        let read = async |name: &str| site.read(&format!("git cat-file blob {}:{name}", snapshot.tree)).await;
        let storage = site.path("project/.git/lfs");
        let storage = storage.canonicalize().unwrap_or(storage);
        let pointer = |bytes| format!("pointer to {bytes} in {}", storage.display());
        assert_eq!((read("large.bin").await, read("x").await), (pointer(3888), pointer(2)));
        assert!(!site.path("ran").exists());
        assert!(env::var_os("XDG_CONFIG_HOME").is_some());
    });
}

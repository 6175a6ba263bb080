//! A branch moves with the trees that have it checked out, or waits; what is a person's stays a person's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::git::{BranchMove, Git, Landing, Step};
use tokio::time::sleep;

use crate::git::Repo;

/// A repository whose branch `main` is at `from`, and a commit `to` ahead of it that changes, adds, removes, links and
/// chmods files, makes a directory of a file and a file of a directory.
pub(crate) struct Ahead {
    pub(crate) repo: Repo,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Ahead {
    pub(crate) async fn new() -> Self {
        let repo = Repo::new().await;
        let same = ["mode", "untouched", "notes"].map(|name| (name, "same\n"));
        let before = ["changed", "removed", "was file", "was dir/a"].map(|name| (name, "from\n"));
        for (name, content) in before.into_iter().chain(same) {
            repo.write(name, content);
        }
        symlink("changed", repo.path("link")).unwrap();
        let from = repo.commit("from").await;
        for gone in ["removed", "link", "was file", "was dir/a"] {
            fs::remove_file(repo.path(gone)).unwrap();
        }
        fs::remove_dir(repo.path("was dir")).unwrap();
        for name in ["changed", "new dir/ad\"d\ned", "was file/b", "was dir", "added"] {
            repo.write(name, "to\n");
        }
        symlink("untouched", repo.path("link")).unwrap();
        fs::set_permissions(repo.path("mode"), fs::Permissions::from_mode(0o755)).unwrap();
        let to = repo.commit("to").await;
        repo.git.reset_hard_clean(&from).await.unwrap();
        Self { repo, from, to }
    }

    pub(crate) fn intent(&self) -> PathBuf {
        self.repo.beside("landing.json")
    }

    pub(crate) async fn land(&self) -> Landing {
        self.land_with(&|_| {}).await
    }

    pub(crate) async fn land_with(&self, on_step: &(dyn Fn(Step) + Sync)) -> Landing {
        let (from, to, intent) = (&*self.from, &*self.to, &*self.intent());
        let wish = BranchMove { branch: "main", from, to, message: "land it", intent, on_step };
        let landing = self.repo.git.land(&wish).await.unwrap();
        assert!(!self.intent().exists(), "the intent is gone: {landing:?}");
        self.no_traces().await;
        landing
    }

    /// Fails when a lock or a draft of ours is left in any git directory.
    pub(crate) async fn no_traces(&self) {
        let left = "find -H \"$(git rev-parse --git-common-dir)\" -name '*.lock' -o -name '*cogwork-*' -o -path '*/index.*'";
        assert_eq!(self.repo.shell(left).await, "");
    }

    pub(crate) async fn status(&self) -> String {
        self.repo.shell("git status --porcelain").await
    }

    pub(crate) async fn main(&self) -> String {
        self.repo.git.resolve("refs/heads/main").await.unwrap().unwrap()
    }

    /// It is on the branch, and the tree at `dir` differs from HEAD in nothing but this.
    pub(crate) async fn landed(&self, dir: &Path, status: &str) {
        assert_eq!(self.main().await, self.to);
        let git = format!("git -C '{}' status --porcelain", dir.display());
        assert_eq!(self.repo.shell(&git).await, status);
    }
}

pub(crate) fn in_use(landing: Landing) -> (PathBuf, Vec<String>, String) {
    match landing {
        Landing::InUse { worktree, files, sentence } => (worktree, files, sentence),
        other @ (Landing::Landed | Landing::Moved | Landing::Gone) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn files_index_and_branch_move_together() {
    let ahead = Ahead::new().await;
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
    assert_eq!(ahead.repo.read("was file/b"), "to\n");
    assert_eq!(ahead.repo.read("was dir"), "to\n");
    assert_eq!(ahead.repo.read("new dir/ad\"d\ned"), "to\n");
    assert_eq!(fs::read_link(ahead.repo.path("link")).unwrap(), Path::new("untouched"));
    assert_eq!(fs::metadata(ahead.repo.path("mode")).unwrap().permissions().mode() & 0o111, 0o111);
    for log in ["main", "HEAD"] {
        assert_eq!(ahead.repo.shell(&format!("git reflog -1 --format=%gs {log}")).await, "land it");
    }
    assert_eq!(ahead.land().await, Landing::Landed, "again is no harm");
    ahead.landed(ahead.repo.git.dir(), "").await;
}

#[tokio::test]
async fn edits_elsewhere_stay_and_do_not_keep_it() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("echo mine > untouched; echo mine > notes; git add notes; echo more >> notes").await;
    ahead.repo.shell("echo mine > own; echo mine > meant; git add -N meant; git rm -q file").await;
    let before = ahead.status().await;
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), &before).await;
    assert_eq!(ahead.repo.read("notes"), "mine\nmore\n");
    assert_eq!(ahead.repo.shell("git show :notes").await, "mine");
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_no_edit() {
    let ahead = Ahead::new().await;
    sleep(Duration::from_millis(1100)).await;
    ahead.repo.shell("touch changed removed").await;
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
}

#[tokio::test]
async fn what_would_be_overwritten_keeps_it_and_is_named() {
    let cases: [(&str, &[&str]); 15] = [
        ("echo mine > changed", &["changed"]),
        ("echo mine > changed; echo mine > removed", &["changed", "removed"]),
        ("echo mine > changed; git add changed", &["changed"]),
        ("echo mine > changed; git add changed; echo from > changed", &["changed"]),
        ("echo mine > added", &["added"]),
        ("mkdir -p .git/info; echo added > .git/info/exclude; echo mine > added", &["added"]),
        ("echo mine > added; git add -N added", &["added"]),
        ("echo mine > 'new dir'", &["new dir"]),
        ("ln -s /tmp 'new dir'", &["new dir"]),
        (
            "mkdir -p .git/info; echo added > .git/info/exclude; mkdir added; echo mine > added/x",
            &["added/x"],
        ),
        ("mkdir -p .git/info; echo x > .git/info/exclude; echo mine > 'was dir/x'", &["was dir/x"]),
        ("mkdir added; echo mine > added/x", &["added/x"]),
        ("ln -sf mine link", &["link"]),
        ("rm changed", &["changed"]),
        ("git rm -q changed", &["changed"]),
    ];
    for (act, files) in cases {
        let ahead = Ahead::new().await;
        ahead.repo.shell(act).await;
        let before = ahead
            .repo
            .shell("git status --porcelain --ignored; git ls-files -s; cat changed 2>/dev/null || :")
            .await;
        let landing = ahead.land().await;
        assert_ne!(landing, Landing::Landed, "{act}");
        let (worktree, named, sentence) = in_use(landing);
        assert_eq!(named, files, "{act}");
        assert_eq!(worktree, ahead.repo.git.dir(), "{act}");
        assert!(sentence.contains(&format!("local changes in {}", files[0])), "{sentence}");
        assert_eq!(ahead.main().await, ahead.from, "{act}");
        let after = ahead
            .repo
            .shell("git status --porcelain --ignored; git ls-files -s; cat changed 2>/dev/null || :")
            .await;
        assert_eq!(after, before, "{act}");
    }
}

#[tokio::test]
async fn what_is_staged_as_it_will_be_is_no_obstacle() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("echo to > changed; git add changed; echo to > added; git add added").await;
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
}

#[tokio::test]
async fn a_branch_that_is_checked_out_nowhere_moves_alone() {
    for elsewhere in ["git switch -q -c other", "git checkout -q --detach"] {
        let ahead = Ahead::new().await;
        // What would be in the way if the tree moved.
        ahead.repo.shell(&format!("{elsewhere}; echo mine > changed; echo mine > added")).await;
        let before = ahead.status().await;
        let head = ahead.repo.head().await;
        assert_eq!(ahead.land().await, Landing::Landed);
        ahead.landed(ahead.repo.git.dir(), &before).await;
        assert_eq!(ahead.repo.head().await, head);
        ahead.repo.shell("rm added; git checkout -q -- changed; git switch -q main").await;
        ahead.landed(ahead.repo.git.dir(), "").await;
    }
}

#[tokio::test]
async fn a_linked_tree_moves_with_its_branch() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("git switch -q -c other; git worktree add -q '../a linked tree' main").await;
    let linked = ahead.repo.beside("a linked tree");
    fs::write(linked.join("added"), "mine\n").unwrap();
    let (worktree, files, sentence) = in_use(ahead.land().await);
    assert_eq!((worktree, files), (linked.clone(), vec!["added".to_owned()]));
    assert!(sentence.contains("a linked tree"), "{sentence}");
    fs::remove_file(linked.join("added")).unwrap();
    fs::write(linked.join("untouched"), "mine\n").unwrap();
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(&linked, " M untouched").await;
    assert_eq!(fs::read_to_string(linked.join("added")).unwrap(), "to\n");
    ahead.landed(ahead.repo.git.dir(), "").await;
    assert_eq!(ahead.repo.read("changed"), "from\n", "it is on another branch");
}

#[tokio::test]
async fn two_trees_on_one_branch_both_move() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("git worktree add -q --force ../second main; echo mine > ../second/changed").await;
    assert_eq!(in_use(ahead.land().await).1, ["changed"]);
    assert_eq!(ahead.status().await, "", "the first tree is as before");
    ahead.repo.shell("git -C ../second checkout -q changed").await;
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
    ahead.landed(&ahead.repo.beside("second"), "").await;
}

#[tokio::test]
async fn a_tree_that_is_not_to_be_found_counts_only_when_it_is_locked() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("git switch -q -c other; git worktree add -q ../linked main").await;
    ahead.repo.shell("git worktree lock ../linked; mv ../linked ../away").await;
    let (_, files, sentence) = in_use(ahead.land().await);
    assert_eq!(files, [""; 0]);
    assert!(sentence.contains("git worktree unlock"), "{sentence}");
    ahead.repo.shell("git worktree unlock ../linked").await;
    assert_eq!(ahead.land().await, Landing::Landed);
}

#[tokio::test]
async fn what_a_person_is_in_the_middle_of_keeps_it() {
    let conflict = "git switch -q -c side; echo side > changed; git commit -qam side; git switch -q main";
    let cases = [
        ("git merge -q --no-commit --no-ff side || :", "a merge is open"),
        ("git cherry-pick side || :", "a cherry-pick is open"),
        ("git rebase -q side || :", "is being rebased"),
        (
            "git switch -q side; git worktree add -q ../linked main; git -C ../linked rebase -q side || :",
            "is being rebased",
        ),
    ];
    for (act, why) in cases {
        let mut ahead = Ahead::new().await;
        ahead.repo.shell(conflict).await;
        // So that there is something to conflict with.
        ahead.repo.shell("echo person > changed; git commit -qam person").await;
        ahead.from = ahead.main().await;
        ahead.to = ahead.repo.shell("git commit-tree -p main -m to main^{tree}").await;
        ahead.repo.shell(&format!("({act}) >/dev/null 2>&1")).await;
        let before = ahead.status().await;
        let (_, _, sentence) = in_use(ahead.land().await);
        assert!(sentence.contains(why), "{act}: {sentence}");
        assert_eq!((ahead.main().await, ahead.status().await), (ahead.from.clone(), before), "{act}");
    }
}

#[tokio::test]
async fn conflicts_of_a_stash_keep_it() {
    let ahead = Ahead::new().await;
    ahead
        .repo
        .shell("echo a > notes; git stash -q; echo b > notes; git add notes; git stash apply -q || :")
        .await;
    ahead.repo.shell("git reset -q; git checkout -q notes; echo a > notes; git stash -q").await;
    ahead.repo.shell("echo b > notes; git commit -qam b; git stash apply >/dev/null 2>&1 || :").await;
    let mut ahead = ahead;
    ahead.from = ahead.main().await;
    ahead.to = ahead.repo.shell(&format!("git commit-tree -p main -m to {}^{{tree}}", ahead.to)).await;
    let (_, _, sentence) = in_use(ahead.land().await);
    assert!(sentence.contains("notes"), "{sentence}");
    assert_eq!(ahead.main().await, ahead.from);
}

#[tokio::test]
async fn a_branch_that_moved_or_is_gone_is_left_alone() {
    let ahead = Ahead::new().await;
    ahead.repo.write("person", "");
    let persons = ahead.repo.commit("a person's").await;
    assert_eq!(ahead.land().await, Landing::Moved);
    assert_eq!((ahead.main().await, ahead.status().await), (persons, String::new()));
    ahead.repo.shell("git switch -q -c other; git branch -q -D main").await;
    assert_eq!(ahead.land().await, Landing::Gone);
}

#[tokio::test]
async fn a_lock_of_a_persons_git_is_waited_for_and_has_its_bound() {
    let ahead = Ahead::new().await;
    let lock = ahead.repo.path(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let release = async {
        sleep(Duration::from_millis(300)).await;
        fs::remove_file(&lock).unwrap();
    };
    let (landing, ()) = tokio::join!(ahead.land(), release);
    assert_eq!(landing, Landing::Landed);

    let ahead = Ahead::new().await;
    let lock = ahead.repo.path(".git/index.lock");
    let held = fs::File::create(&lock).unwrap();
    let wish = BranchMove {
        branch: "main",
        from: &ahead.from,
        to: &ahead.to,
        message: "land it",
        intent: &ahead.intent(),
        on_step: &|_| {},
    };
    let (_, _, sentence) = in_use(ahead.repo.git.land(&wish).await.unwrap());
    assert!(sentence.contains("index.lock"), "{sentence}");
    assert!(lock.exists(), "it is not ours");
    drop(held);
    fs::remove_file(&lock).unwrap();
    assert_eq!((ahead.main().await, ahead.status().await), (ahead.from.clone(), String::new()));
}

#[tokio::test]
async fn hooks_of_the_repository_do_not_run() {
    let ahead = Ahead::new().await;
    for hook in ["reference-transaction", "post-index-change", "post-checkout", "post-merge"] {
        ahead.repo.write(&format!(".git/hooks/{hook}"), &format!("#!/bin/sh\ntouch ../{hook}\nexit 1\n"));
        let run = fs::Permissions::from_mode(0o755);
        fs::set_permissions(ahead.repo.path(&format!(".git/hooks/{hook}")), run).unwrap();
    }
    assert_eq!(ahead.land().await, Landing::Landed);
    assert!(!ahead.repo.beside("reference-transaction").exists());
    assert!(!ahead.repo.beside("post-index-change").exists());
}

#[tokio::test]
async fn a_sparse_checkout_stays_sparse() {
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
    assert!(!ahead.repo.path("out").exists());
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
    assert_eq!(ahead.repo.read("in/b"), "to\n");
    assert!(!ahead.repo.path("out").exists());
}

#[tokio::test]
async fn a_submodule_moves_in_the_index_and_keeps_its_files() {
    let mut ahead = Ahead::new().await;
    ahead.repo.shell("git init -q ../sub; cd ../sub; git commit -q --allow-empty -m 1; git commit -q --allow-empty -m 2").await;
    ahead.repo.shell("git -c protocol.file.allow=always submodule --quiet add ../sub sub; git -C sub checkout -q HEAD~1; git add sub; git commit -qm from").await;
    ahead.from = ahead.main().await;
    ahead.repo.shell("git -C sub checkout -q master 2>/dev/null || git -C sub checkout -q main; git add sub; echo to > changed; git add changed; git commit -qm to").await;
    ahead.to = ahead.main().await;
    ahead.repo.shell("git reset -q --hard HEAD~1; git -C sub checkout -q HEAD~1").await;
    assert_eq!(ahead.status().await, "");
    assert_eq!(ahead.land().await, Landing::Landed);
    // As after a pull: the person brings the submodule along.
    ahead.landed(ahead.repo.git.dir(), " M sub").await;
    ahead.repo.shell("git -c protocol.file.allow=always submodule --quiet update").await;
    ahead.landed(ahead.repo.git.dir(), "").await;
}

#[tokio::test]
async fn a_name_that_changes_its_case_alone_lands() {
    let mut ahead = Ahead::new().await;
    ahead.repo.shell("git mv untouched Untouched; git commit -qm to").await;
    ahead.to = ahead.main().await;
    ahead.repo.git.reset_hard_clean(&ahead.from).await.unwrap();
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
    assert!(ahead.repo.path("Untouched").exists());
}

#[tokio::test]
async fn what_did_not_land_is_told() {
    let ahead = Ahead::new().await;
    let (from, to, none) = (ahead.from.clone(), ahead.to.clone(), "0".repeat(40));
    let commits = [to.clone(), from, none.clone()];
    let git = Git::at(ahead.repo.git.dir());
    assert_eq!(git.not_on_branch("main", &commits).await.unwrap(), [to, none.clone()]);
    assert_eq!(ahead.land().await, Landing::Landed);
    assert_eq!(git.not_on_branch("main", &commits).await.unwrap(), [none]);
    assert_eq!(git.not_on_branch("other", &commits).await.unwrap(), commits);
}

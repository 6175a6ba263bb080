//! git in a repository that would like to be run by it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use cogwork_process::git::{BranchMove, Git, Healed, Landing, Merged};

use crate::git::{Repo, with_side};

/// Everything a repository can name that git would run, each leaving the file `ran` beside the repository.
async fn booby_trap(repo: &Repo) -> PathBuf {
    let ran = repo.beside("ran");
    let trap = repo.beside("trap");
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\nexit 1\n", ran.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    for hook in [
        "pre-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-commit",
        "post-checkout",
        "pre-merge-commit",
        "post-merge",
        "reference-transaction",
        "post-index-change",
        "post-rewrite",
        "fsmonitor-watchman",
    ] {
        symlink(&trap, repo.path(&format!(".git/hooks/{hook}"))).ok();
    }
    let trap = trap.display();
    let settings = [
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.editor",
        "core.pager",
        "core.askPass",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "gpg.program",
        "sequence.editor",
        "credential.helper",
        "core.alternateRefsCommand",
        "filter.evil.clean",
        "filter.evil.smudge",
        "merge.evil.driver",
        "filter.late.process",
        "uploadpack.packObjectsHook",
        "trailer.Feature.command",
    ];
    let set = settings.map(|key| format!("git config {key} '{trap}'; ")).concat();
    // Hooks in configuration, of git 2.54 and later.
    let hooks =
        ["pre-commit", "post-commit", "post-merge", "reference-transaction", "post-checkout"].map(|event| {
            format!("git config hook.a-{event}.event {event}; git config hook.a-{event}.command '{trap}'; ")
        });
    let set = set + &hooks.concat();
    let flags = "git config commit.gpgSign true; git config merge.verifySignatures true; \
                 git config log.showSignature true; git config filter.evil.required true";
    repo.shell(&format!("mkdir -p .git/hooks; {set}{flags}; rm -f {}", ran.display())).await;
    ran
}

#[tokio::test]
async fn nothing_that_a_hostile_repository_names_is_run() {
    let (repo, side) = with_side("side\n").await;
    fs::create_dir_all(repo.path(".git/hooks")).unwrap();
    repo.write(".gitattributes", "file filter=evil diff=evil merge=evil\nlate filter=late\n");
    let attributes = repo.commit("attributes").await;
    let ran = booby_trap(&repo).await;
    let git = Git::untrusted(repo.git.dir());
    assert!(git.is_repository().await.unwrap());
    repo.write("file", "two\n");
    repo.write("late", "");
    assert_eq!(git.dirty_paths(9).await.unwrap(), ["file", "late"]);
    let commit = git.commit_all("work", &[("Feature", "#1")]).await.unwrap().unwrap();
    assert!(
        matches!(git.merge_no_ff(&side, None, "m").await.unwrap(), Merged::Conflict { files } if files == ["file"])
    );
    git.reset_hard_clean("HEAD").await.unwrap();
    git.changed_paths(&attributes, &commit).await.unwrap();
    git.reset_hard_clean(&attributes).await.unwrap();
    let intent = repo.beside("landing.json");
    let wish = BranchMove {
        branch: "main",
        from: &attributes,
        to: &commit,
        message: "land",
        intent: &intent,
        on_step: &|_| {},
    };
    assert_eq!(git.land(&wish).await.unwrap(), Landing::Landed);
    git.create_ref("refs/cogwork/a", &commit).await.unwrap();
    git.reset_hard_clean(&attributes).await.unwrap();
    fs::write(&intent, format!(r#"{{"from": "{attributes}", "to": "{commit}"}}"#)).unwrap();
    assert_eq!(git.heal_landing(&intent).await.unwrap(), Healed::Landed);
    // Others that only read it are safe too.
    let clone = Git::clone_shared(repo.git.dir(), &repo.beside("clone"), "b").await.unwrap();
    let trap = repo.beside("trap");
    repo.shell(&format!("git -C ../clone config core.alternateRefsCommand '{}'", trap.display())).await;
    clone.fetch(repo.git.dir(), "refs/cogwork/a:refs/cogwork/b").await.unwrap();
    assert_eq!(fs::read_to_string(&ran).unwrap_or_default(), "");
    // The traps do work: plain git steps on them.
    repo.write("file", "three\n");
    repo.shell("git status >/dev/null 2>&1 || true").await;
    assert_ne!(fs::read_to_string(&ran).unwrap_or_default(), "");
}

#[tokio::test]
async fn in_the_users_own_repository_filters_work_and_hooks_do_not() {
    let repo = Repo::new().await;
    fs::create_dir_all(repo.path(".git/hooks")).unwrap();
    let ran = booby_trap(&repo).await;
    repo.shell("git config --remove-section filter.evil; git config filter.up.clean 'tr a-z A-Z'").await;
    repo.write(".gitattributes", "file filter=up\n");
    repo.write("file", "shout\n");
    repo.commit("work").await;
    assert_eq!(repo.shell("git cat-file blob HEAD:file").await, "SHOUT");
    assert_eq!(fs::read_to_string(&ran).unwrap_or_default(), "");
}

#[tokio::test]
async fn a_worktree_setting_does_not_lead_astray() {
    let (repo, elsewhere) = (Repo::new().await, Repo::new().await);
    elsewhere.write("secret", "");
    repo.shell(&format!("git config core.worktree '{}'", elsewhere.git.dir().display())).await;
    repo.write("mine", "");
    let git = Git::untrusted(repo.git.dir());
    assert_eq!(git.dirty_paths(9).await.unwrap(), ["mine"]);
}

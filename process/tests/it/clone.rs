//! A clone shares what its source has, whatever shape that is in, and does not mind what is broken there.

use std::fs;

use cogwork_process::git::{Git, GitError};

use crate::git::{Repo, shell};

async fn cloned(repo: &Repo, start: Option<&str>) -> Git {
    let clone =
        Git::clone_shared_at(repo.git.dir(), &repo.beside("clone"), "cogwork/s1", start).await.unwrap();
    assert_eq!(clone.current_branch().await.unwrap().as_deref(), Some("cogwork/s1"));
    let own = "find .git/objects -type f ! -path '*/info/*'; git status --porcelain";
    assert_eq!(shell(clone.dir(), own).await, "", "it has no objects of its own");
    clone
}

/// Fails when work in the clone does not come to the project, and a merge of it into another clone of the project.
async fn works(repo: &Repo, clone: &Git) {
    let base = repo.head().await;
    fs::write(clone.dir().join("work"), "").unwrap();
    let work = clone.commit_all("work", &[]).await.unwrap().unwrap();
    repo.git.fetch(clone.dir(), "refs/heads/cogwork/s1:refs/cogwork/attempts/1").await.unwrap();
    let other = Git::clone_shared(repo.git.dir(), &repo.beside("other"), "cogwork/s2").await.unwrap();
    other.merge_no_ff(&work, Some(&base), "merge").await.unwrap();
    let merge = other.head().await.unwrap().unwrap();
    repo.git.bring_from_clone(&other, &merge, &base).await.unwrap();
    assert!(repo.git.is_ancestor(&work, &merge).await.unwrap());
}

#[tokio::test]
async fn it_has_what_git_would_have_given_it() {
    let repo = Repo::new().await;
    repo.shell("git branch other; git tag v1").await;
    let clone = cloned(&repo, None).await;
    let theirs = "git clone --quiet --shared --no-tags --template= -- \"$PWD\" ../theirs";
    repo.shell(theirs).await;
    let told = "git for-each-ref --format='%(objectname) %(refname) %(symref) %(upstream)' | grep -v cogwork/; \
                git config --local --list | grep -v ^user; git log --format=%H";
    assert_eq!(shell(clone.dir(), told).await, shell(&repo.beside("theirs"), told).await);
    repo.shell("git commit -q --allow-empty -m more").await;
    let fetched =
        shell(clone.dir(), "git fetch -q origin; git rev-parse origin/main; git checkout -q main").await;
    assert_eq!(fetched, repo.head().await, "an agent can fetch");
}

#[tokio::test]
async fn refs_that_are_broken_are_left_out() {
    let lost = "1111111111111111111111111111111111111111";
    let in_the_way = format!(
        ": > .git/refs/heads/empty; echo {lost} > .git/refs/heads/gone; echo garbage > .git/refs/heads/garbage; \
         ln -s loop .git/refs/heads/loop; echo 'ref: refs/heads/nowhere' > .git/refs/heads/leads; \
         git rev-parse HEAD^{{tree}} > .git/refs/heads/tree; printf '\\0\\0\\0\\0' > .git/refs/heads/zeros; \
         : > .git/refs/tags/empty; echo {lost} > .git/refs/tags/gone; mkdir .git/refs/stash; : > .git/refs/stash/x; \
         printf '# pack-refs with: peeled fully-peeled sorted \\n{lost} refs/heads/packed\\n' > .git/packed-refs"
    );
    let repo = Repo::new().await;
    // Its commit is there and empty, as a power cut leaves it.
    let cut = repo.shell("git commit-tree -m cut HEAD^{tree}").await;
    let file = repo.path(".git/objects").join(&cut[..2]).join(&cut[2..]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    repo.shell(&format!("git branch whole; echo {cut} > .git/refs/heads/cut; {in_the_way}")).await;
    let clone = Git::clone_shared(repo.git.dir(), &repo.beside("clone"), "cogwork/s1").await.unwrap();
    let refs = shell(clone.dir(), "git for-each-ref --format='%(refname)' refs/remotes 2>&1").await;
    assert_eq!(refs, "refs/remotes/origin/HEAD\nrefs/remotes/origin/main\nrefs/remotes/origin/whole");
    assert_eq!(clone.head().await.unwrap(), Some(repo.head().await));
    let main = clone.follow(repo.git.dir(), "main").await.unwrap();
    assert_eq!(main, repo.head().await);
    for gone in ["gone", "empty", "cut", "none"] {
        let error = clone.follow(repo.git.dir(), gone).await.unwrap_err();
        assert!(error.to_string().contains("leads to no commit"), "{error}");
    }
}

#[tokio::test]
async fn what_is_checked_out_may_be_broken_where_it_starts_elsewhere() {
    for broken in
        [": > .git/refs/heads/other", "echo garbage > .git/HEAD.x; echo 'ref: refs/heads/none' > .git/HEAD"]
    {
        let repo = Repo::new().await;
        let main = repo.head().await;
        repo.shell(&format!("git switch -q -c other; {broken}")).await;
        let clone = cloned(&repo, Some("refs/remotes/origin/main")).await;
        assert_eq!(clone.head().await.unwrap(), Some(main), "{broken}");
    }
    let repo = Repo::new().await;
    repo.shell(": > .git/refs/heads/main").await;
    let error = Git::clone_shared(repo.git.dir(), &repo.beside("clone"), "cogwork/s1").await.unwrap_err();
    assert!(matches!(error, GitError::BadName { .. }), "{error}");
    assert!(!repo.beside("clone").exists(), "nothing is left in the place of the next try");
}

#[tokio::test]
async fn projects_of_every_shape_are_shared() {
    let shapes = [
        ("shallow", "git clone -q --depth 2 \"file://$PWD\" ../shape"),
        ("shallow at a tip", "git clone -q --depth 1 \"file://$PWD\" ../shape"),
        (
            "partial",
            "git config uploadpack.allowFilter true; git clone -q --filter=blob:none \"file://$PWD\" ../shape",
        ),
        ("shared", "git clone -q -s . ../between; git clone -q -s ../between ../shape"),
        (
            "shared by a path of its own",
            "git clone -q -s . ../shape; echo ../../../main/.git/objects > ../shape/.git/objects/info/alternates",
        ),
        ("packed", "git clone -q . ../shape; git -C ../shape gc -q"),
        (
            "of other names",
            "git init -q --object-format=sha256 ../shape; cd ../shape; echo x > file; git add file; git commit -qm x",
        ),
        (
            "of other refs",
            "git init -q --ref-format=reftable ../shape; cd ../shape; echo x > file; git add file; git commit -qm x; \
             git branch other",
        ),
        ("linked", "git worktree add -q ../shape -b linked"),
        (
            "linked to a shallow one",
            "git clone -q --depth 1 \"file://$PWD\" ../s; git -C ../s worktree add -q ../shape",
        ),
        ("detached", "git clone -q . ../shape; git -C ../shape checkout -q --detach HEAD~1"),
        ("a separate directory", "git clone -q --separate-git-dir ../apart . ../shape"),
        ("replaced", "git clone -q . ../shape; git -C ../shape replace --graft HEAD"),
        (
            "configured oddly",
            "git clone -q . ../shape; cd ../shape; git config protocol.allow never; git config clone.rejectShallow true; \
             git config uploadpack.hideRefs refs; git config transfer.hideRefs refs; git config core.bare false",
        ),
    ];
    for (what, make) in shapes {
        let mut repo = Repo::new().await;
        repo.shell("for n in 1 2 3; do echo $n > file; git commit -qam $n; done").await;
        repo.shell(&format!("{make} 2>/dev/null")).await;
        repo.git = Git::at(repo.beside("shape"));
        assert!(repo.git.is_repository().await.unwrap(), "{what}");
        let clone = cloned(&repo, None).await;
        let history = "git --no-replace-objects rev-list HEAD; git rev-parse HEAD^{tree}; cat file";
        assert_eq!(shell(clone.dir(), history).await, repo.shell(history).await, "{what}");
        if what != "partial" {
            assert_eq!(shell(clone.dir(), "git fsck --no-dangling 2>&1").await, "", "{what}");
        }
        works(&repo, &clone).await;
    }
}

#[tokio::test]
async fn names_of_all_kinds_do_no_harm() {
    // One of them is a directory of the other, or both are one.
    for name in ["cogwork", "cogwork/s1", "cogwork/s1/x", "it's-\"ü\"-#;", "HEAD/x"] {
        let repo = Repo::new().await;
        repo.git.create_ref("refs/heads/base", "HEAD").await.unwrap();
        repo.shell(&format!("git switch -q -c '{}'", name.replace('\'', "'\\''"))).await;
        let clone = cloned(&repo, Some("refs/remotes/origin/base")).await;
        let there = format!("refs/remotes/origin/{name}");
        assert_eq!(clone.resolve(&there).await.unwrap(), Some(repo.head().await), "{name}");
    }
    let mut repo = Repo::new().await;
    let odd = repo.beside(" it's \"a\" #1; \\n = [x]");
    fs::rename(repo.git.dir(), &odd).unwrap();
    repo.git = Git::at(&odd);
    let clone = cloned(&repo, None).await;
    assert_eq!(shell(clone.dir(), "git config remote.origin.url").await, odd.display().to_string());
    works(&repo, &clone).await;
}

#[tokio::test]
async fn a_clone_follows_the_branch_of_its_source() {
    let repo = Repo::new().await;
    let clone = cloned(&repo, None).await;
    repo.shell("git config protocol.allow never; git commit -q --allow-empty -m more").await;
    let more = clone.follow(repo.git.dir(), "main").await.unwrap();
    assert_eq!(more, repo.head().await);
    assert_eq!(clone.resolve("refs/remotes/origin/main").await.unwrap(), Some(more));
    // An agent made it stand alone.
    shell(
        clone.dir(),
        "git repack -q -a -d; rm .git/objects/info/alternates; git config protocol.allow never",
    )
    .await;
    repo.shell("git commit -q --allow-empty -m 'and more'").await;
    let more = clone.follow(repo.git.dir(), "main").await.unwrap();
    assert_eq!(clone.resolve("refs/remotes/origin/main").await.unwrap(), Some(more));
}

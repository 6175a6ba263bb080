//! Shapes of work: what an agent may leave in a workspace, and what a snapshot has to make of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::contained::within;
use crate::snapshot::{Item, Site, list, refusals};

/// One way to leave a workspace.
struct Shape {
    name: &'static str,
    /// What the agent does there; `$OUT` is a directory outside.
    work: &'static str,
    /// What is in the workspace and not in the tree, `.git` and what is no file apart.
    missing: &'static [&'static str],
    /// The beginnings of the refusals, in their order.
    refused: &'static [&'static str],
    /// The nested repositories.
    nested: &'static [&'static str],
    /// Whether the link to the submodule's commit is gone.
    has_no_submodule: bool,
}

const PLAIN: Shape =
    Shape { name: "", work: "", missing: &[], refused: &[], nested: &[], has_no_submodule: false };

/// Leaves the shapes one after the other, each in a site of its own, and looks at what snapshots make of them.
async fn check(shapes: &[Shape]) {
    for shape in shapes {
        within(60_000, check_one(shape)).await;
    }
}

async fn check_one(shape: &Shape) {
    let name = shape.name;
    let site = Site::new().await;
    let out = site.path("outside");
    fs::create_dir(&out).unwrap();
    site.work(&format!("export OUT='{}'; {}", out.display(), shape.work)).await;
    // As the agent left it: the workspace's own git could not say.
    let expected = list(&site.path("workspace"), shape.missing);
    let outside = site.outside();
    let snapshot = site.snapshots.take_snapshot().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(site.outside(), outside, "{name}: something outside was written to");
    let refused = refusals(&snapshot);
    let is_expected = |(said, start): (&String, &&str)| said.starts_with(start);
    assert!(
        refused.len() == shape.refused.len() && refused.iter().zip(shape.refused).all(is_expected),
        "{name}: {refused:#?}"
    );
    let nested: Vec<_> = snapshot.nested.iter().map(|nested| nested.path.to_str().unwrap()).collect();
    assert_eq!(nested, shape.nested, "{name}");
    assert_eq!(snapshot.base, site.base, "{name}");
    assert_same(name, &site.checked_out(&snapshot.tree).await, &expected);
    let gitlinks = if shape.has_no_submodule { "" } else { "sub" };
    assert_eq!(site.gitlinks(&snapshot.tree).await, gitlinks, "{name}");
    // Nothing of it depends on what was known before.
    assert_eq!(site.snapshots.take_snapshot().await.unwrap(), snapshot, "{name}: the second time");
    fs::remove_dir_all(site.path("own.git")).unwrap();
    assert_eq!(site.reopened().await.take_snapshot().await.unwrap(), snapshot, "{name}: made anew");
    let commit = site.snapshots.commit(&snapshot.tree, &[&site.base], "Work", &[]).await.unwrap();
    site.snapshots.record("refs/cogwork/kept/1/handed-in", &commit).await.unwrap();
    let said = site.project("git fsck --no-dangling 2>&1; git rev-parse refs/cogwork/kept/1/handed-in").await;
    assert_eq!(said, commit, "{name}: the project is whole");
    assert_eq!(list(&out, &[]), BTreeMap::new(), "{name}: nothing outside was written to");
}

/// Compares without printing what is the same in both.
fn assert_same(name: &str, tree: &BTreeMap<PathBuf, Item>, expected: &BTreeMap<PathBuf, Item>) {
    let differing = tree.keys().chain(expected.keys()).filter(|path| tree.get(*path) != expected.get(*path));
    let differing: Vec<_> = differing.map(|path| (path, tree.get(path), expected.get(path))).collect();
    assert!(differing.is_empty(), "{name}: path, in the tree, in the workspace: {differing:#?}");
}

#[tokio::test]
async fn work_is_taken_wherever_git_thinks_it_is() {
    let commit = "echo more >> file; echo new > dir/new; rm gone; git add -A; git commit -qm work; ";
    let work = |more: &str| -> &'static str { (commit.to_owned() + more).leak() };
    check(&[
        Shape { name: "nothing", ..PLAIN },
        Shape { name: "plain edit", work: "echo more >> file; echo new > dir/new; rm gone; rm run", ..PLAIN },
        Shape { name: "committed", work: work(""), ..PLAIN },
        Shape { name: "on another branch", work: work("git checkout -qb other; echo x > x"), ..PLAIN },
        Shape { name: "detached", work: work("git checkout -q --detach; echo x > x"), ..PLAIN },
        Shape { name: "amended", work: work("echo x > x; git add x; git commit -q --amend -m y"), ..PLAIN },
        Shape { name: "reset after a commit", work: work("git reset -q --hard HEAD~1"), ..PLAIN },
        Shape { name: "stashed", work: work("echo x >> file; git stash -q"), ..PLAIN },
        Shape {
            name: "unborn branch",
            work: work("git checkout -q --orphan none; git rm -qrf dir"),
            ..PLAIN
        },
        Shape { name: "replaced", work: work("git replace HEAD HEAD~1; echo y >> file"), ..PLAIN },
        Shape {
            name: "rebase in progress",
            work: "echo a > file; git commit -qam a; git checkout -qb o HEAD~1; echo b > file; \
                   git commit -qam b; ! git rebase cogwork/s1 >/dev/null 2>&1; test -d .git/rebase-merge",
            ..PLAIN
        },
    ])
    .await;
}

#[tokio::test]
async fn what_the_workspace_says_of_itself_is_not_believed() {
    check(&[
        Shape { name: ".git removed", work: "rm -rf .git; echo x > x", ..PLAIN },
        Shape {
            name: ".git a file that names another repository",
            work: "rm -rf .git; echo 'gitdir: ../elsewhere/.git' > .git; echo x > x",
            ..PLAIN
        },
        Shape { name: ".git a link", work: "rm -rf .git; ln -s ../elsewhere/.git .git; echo x > x", ..PLAIN },
        Shape { name: ".git a FIFO", work: "rm -rf .git; mkfifo .git; echo x > x", ..PLAIN },
        Shape {
            name: "index a link",
            work: "mv .git/index $OUT/../i; ln -s $OUT/../i .git/index; echo x > x",
            ..PLAIN
        },
        Shape {
            name: "FIFOs in .git",
            work: "rm .git/config .git/HEAD; mkfifo .git/config .git/HEAD; echo x > x",
            ..PLAIN
        },
        Shape {
            name: "everything excluded",
            work: "mkdir -p .git/info; echo '*' > .git/info/exclude; echo x > x; mkdir new; echo y > new/y",
            ..PLAIN
        },
        Shape {
            name: "hidden from its index",
            work: "git update-index --skip-worktree file; git update-index --assume-unchanged dir/b; \
                   echo x >> file; echo x >> dir/b",
            ..PLAIN
        },
        Shape {
            name: "sparse checkout",
            work: "git sparse-checkout set --no-cone /file; mkdir dir; echo x > dir/x",
            has_no_submodule: true,
            ..PLAIN
        },
        Shape {
            name: "core.worktree",
            work: "git config core.worktree ../../elsewhere; echo x > x",
            ..PLAIN
        },
        Shape {
            name: "alternates",
            work: "echo $OUT/../elsewhere/.git/objects >> .git/objects/info/alternates; echo x > x",
            ..PLAIN
        },
        Shape {
            name: "links in .git",
            work: "rm -rf .git/logs .git/refs/heads; mkdir .git/logs; ln -s $OUT/log .git/logs/HEAD; \
                   ln -s $OUT .git/refs/heads; ln -s $OUT .git/objects/aa; ln -s $OUT/m .git/COMMIT_EDITMSG; \
                   echo x > x",
            ..PLAIN
        },
        Shape {
            name: "attributes that fail",
            work: "echo '* working-tree-encoding=nonsense' > .gitattributes; echo x > x",
            ..PLAIN
        },
        Shape {
            name: "programs",
            work: "printf '#!/bin/sh\\ntouch $OUT/ran\\ncat\\n' > .git/trap; chmod +x .git/trap; t=$PWD/.git/trap; \
                   git config filter.evil.clean $t; git config filter.evil.process $t; \
                   git config filter.evil.required true; git config core.fsmonitor $t; mkdir -p .git/info; \
                   git config core.hooksPath $PWD/.git/h; mkdir .git/h; ln -s $t .git/h/post-index-change; \
                   git config diff.external $t; git config core.alternateRefsCommand $t; \
                   echo '* filter=evil diff=evil' | tee .git/info/attributes > .gitattributes; echo x > x; \
                   echo x >> file",
            ..PLAIN
        },
    ])
    .await;
}

#[tokio::test]
async fn nested_repositories_are_plain_files() {
    let nested: &[&str] = &["nested"];
    check(&[
        Shape {
            name: "without a commit",
            work: "git init -q nested; echo x > nested/x; mkdir nested/deep; echo y > nested/deep/y",
            nested,
            ..PLAIN
        },
        Shape {
            name: "with a commit",
            work: "git init -q nested; cd nested; echo x > x; echo '*.o' > .gitignore; touch a.o; git add -A; \
                   git commit -qm n",
            missing: &["nested/a.o"],
            nested,
            ..PLAIN
        },
        Shape { name: "a clone", work: "git clone -q ../elsewhere nested", nested, ..PLAIN },
        Shape {
            name: "added as a link to a commit",
            work: "git clone -q ../elsewhere nested; git add nested 2>/dev/null; git commit -qm link",
            nested,
            ..PLAIN
        },
        Shape {
            name: "a worktree",
            work: "git worktree add -q nested; echo x > nested/x",
            nested,
            refused: &["`nested/old-link` is a link to /etc/hostname, a place"],
            ..PLAIN
        },
        Shape {
            name: "in a nested one",
            work: "git init -q nested; git init -q nested/in; echo x > nested/in/x; git init -q dir/below; \
                   echo more >> dir/below/c",
            nested: &["dir/below", "nested", "nested/in"],
            ..PLAIN
        },
        Shape {
            name: "that hold up whoever reads them",
            work: "mkdir -p nested/.git dir/.git; mkfifo nested/.git/HEAD dir/.git/HEAD; echo x > nested/x; \
                   mkdir other; mkfifo other/.git; echo y > other/y; mkdir -p sub/.git; mkfifo sub/.git/HEAD",
            nested: &["dir", "nested", "other", "sub"],
            ..PLAIN
        },
        Shape {
            name: "by a file and by a link",
            work: "mkdir nested other; echo 'gitdir: ../../elsewhere/.git' > nested/.git; \
                   ln -s ../../elsewhere/.git other/.git; echo x > nested/x; echo y > other/y",
            nested: &["nested", "other"],
            ..PLAIN
        },
        Shape {
            name: "ignored",
            work: "mkdir built; git init -q built/nested; echo x > built/nested/x",
            missing: &["built"],
            ..PLAIN
        },
    ])
    .await;
}

#[tokio::test]
async fn submodules_stay_as_they_are() {
    let init = "git -c protocol.file.allow=always submodule --quiet update --init; ";
    let work = |more: &str| -> &'static str { (init.to_owned() + more).leak() };
    let (missing, nested): (&[&str], &[&str]) = (&["sub"], &["sub"]);
    check(&[
        Shape { name: "checked out", work: work(""), missing, nested, ..PLAIN },
        Shape {
            name: "moved",
            work: work("cd sub; echo x > x; git add x; git commit -qm moved; cd ..; git commit -qam moved"),
            missing,
            nested,
            ..PLAIN
        },
        Shape { name: "removed", work: "git rm -q sub", has_no_submodule: true, ..PLAIN },
        Shape { name: "a file now", work: "rmdir sub; echo x > sub", has_no_submodule: true, ..PLAIN },
        Shape {
            name: "files where it belongs",
            work: "echo x > sub/x",
            missing,
            refused: &["`sub` is a submodule that is not checked out, and has files"],
            ..PLAIN
        },
    ])
    .await;
}

#[tokio::test]
async fn links_are_taken_and_judged() {
    check(&[
        Shape { name: "inside", work: "ln -s dir/b in; ln -s ../link dir/in; ln -s none dir/n", ..PLAIN },
        Shape {
            name: "absolute",
            work: "ln -s /etc/passwd l; ln -sfn /etc/shadow old-link",
            refused: &[
                "`l` is a link to /etc/passwd, a place",
                "`old-link` is a link to /etc/shadow, a place",
            ],
            ..PLAIN
        },
        Shape {
            name: "out of the tree",
            work: "ln -s ../elsewhere/file l; ln -s dir/.. up; ln -s up/../x dir/m; ln -s .git/config n",
            refused: &[
                "`dir/m` is a link to up/../x, which is not in the tree",
                "`l` is a link to ../elsewhere/file, which is not",
                "`n` is a link to .git/config, which is not in the tree",
            ][1..],
            ..PLAIN
        },
        Shape {
            name: "instead of a directory",
            work: "rm -r dir; ln -s ../elsewhere dir",
            refused: &["`dir` is a link to ../elsewhere, which is not in the tree"],
            ..PLAIN
        },
        Shape { name: "round in circles", work: "ln -s b a; ln -s a b", ..PLAIN },
    ])
    .await;
}

#[tokio::test]
async fn what_git_cannot_hold_is_listed() {
    check(&[
        Shape { name: "FIFO", work: "mkfifo dir/f; echo x > x", refused: &["`dir/f` is a FIFO"], ..PLAIN },
        Shape {
            name: "FIFO for a file",
            work: "rm file; mkfifo file; echo x > x",
            refused: &["`file` is a FIFO, which git cannot hold: remove it"],
            ..PLAIN
        },
        Shape {
            name: "FIFOs that git would read",
            work: "rm .gitignore .gitattributes .gitmodules; mkfifo .gitignore .gitattributes .gitmodules; \
                   echo x > x; mkdir new; mkfifo new/.gitignore; echo y > new/y; mkdir built; touch built/b",
            refused: &["`.gitattributes` is", "`.gitignore` is", "`.gitmodules` is", "`new/.gitignore` is"],
            ..PLAIN
        },
        Shape {
            name: "a sparse file",
            work: "dd if=/dev/zero of=huge bs=1 count=0 seek=300000000 2>/dev/null; echo x > x",
            missing: &["huge"],
            refused: &["`huge` has 300000000 bytes, and 200000000 is the limit"],
            ..PLAIN
        },
        Shape {
            name: "names that git refuses",
            work: "mkdir -p .GIT dir/.Git; echo x > .GIT/config; echo x > dir/.Git/x; echo x > 'git~1'; \
                   echo y > y",
            missing: &[".GIT", "dir/.Git", "git~1"],
            refused: &[
                "git does not take the name of `.GIT`",
                "git does not take the name of `dir/.Git`",
                "git does not take the name of `git~1`",
            ],
            ..PLAIN
        },
    ])
    .await;
}

#[tokio::test]
async fn files_are_files_whatever_they_are_called() {
    check(&[
        Shape {
            name: "ignored",
            work: "mkdir built; echo x > built/x; touch a.log dir/b.log; mkdir new; touch new/c.log; echo x > new/x",
            missing: &["built", "a.log", "dir/b.log", "new/c.log"],
            ..PLAIN
        },
        Shape {
            name: "ignored by what is new",
            work: "mkdir -p new/a/b; git init -q new/a; mkfifo new/a/f; echo /a/ > new/.gitignore; echo x > new/a/b/x; echo file > .gitignore; \
                   echo more >> file; mkdir built; echo x > built/x; echo y > new/file",
            missing: &["new/a", "new/file"],
            ..PLAIN
        },
        Shape {
            name: "a file and a directory change places",
            work: "rm file; mkdir -p file/in; echo x > file/in/x; rm -r dir; echo x > dir",
            ..PLAIN
        },
        Shape { name: "another case", work: "mv file FILE; mv dir Dir; echo x > x; echo X > X", ..PLAIN },
        Shape {
            name: "odd names",
            work: "echo 1 > \"$(printf 'new\\nline')\"; echo 2 > \"$(printf 'byte\\377')\"; echo 3 > ./-n; \
                   echo 4 > ':(exclude)x'; echo 5 > ':!*'; mkdir -- '-d' ':d'; echo 6 > ./-d/--; echo 7 > ':d/*'; \
                   echo 8 > ' '; echo 9 > '\"q\"'; echo 10 > 'back\\slash'; echo 11 > ...",
            ..PLAIN
        },
        Shape {
            name: "everything deleted",
            work: "rm -rf .git* dir file gone link old-link run sub",
            has_no_submodule: true,
            ..PLAIN
        },
        Shape {
            name: "read-only",
            work: "echo x > x; echo more >> file; mkdir new; echo y > new/y; chmod -w x file new; chmod 400 new/y",
            ..PLAIN
        },
        Shape { name: "empty directories", work: "mkdir -p e/m/p/t/y; rm dir/below/c", ..PLAIN },
        Shape { name: "modes", work: "chmod -x run; chmod +x file", ..PLAIN },
        Shape {
            name: "LFS pointers",
            work: "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:0\\nsize 1\\n' > a.bin",
            ..PLAIN
        },
        Shape {
            name: "thousands",
            work: "for d in 1 2 3 4 5; do mkdir n$d; (cd n$d; seq 1000 | split -l 1 -a 3 -d); done",
            ..PLAIN
        },
    ])
    .await;
}

/// What an agent commits and what we take of the same files are the same, and a checkout gives the files back.
#[tokio::test]
async fn attributes_that_come_with_the_work_count() {
    for (shape, work) in [
        ("line ends", r"echo '*.bat text eol=crlf' > .gitattributes; printf 'a\r\nb\r\n' > run.bat"),
        (
            "an encoding",
            "echo '*.e text working-tree-encoding=UTF-16' > .gitattributes; printf '\\376\\377\\000a' > x.e",
        ),
        (
            "in a directory",
            r"mkdir sub2; echo '*.t text eol=crlf' > sub2/.gitattributes; printf 'a\r\n' > sub2/x.t",
        ),
        (
            "of files that were there",
            r"echo '* text=auto' > .gitattributes; printf 'a\r\n' > file; echo more > dir/b",
        ),
    ] {
        let site = Site::new().await;
        let mine = site
            .work(&format!(
                "{work}; git -c core.safecrlf=false add -A; git commit -qm mine; git rev-parse HEAD^{{tree}}"
            ))
            .await;
        let taken = site.snapshots.take_snapshot().await.unwrap();
        assert_eq!(taken.tree, mine, "{shape}");
        assert_eq!(site.snapshots.take_snapshot().await.unwrap().tree, mine, "{shape}, again");
        site.work("git rm -q --cached -r . && git reset -q --hard").await;
        assert_eq!(site.snapshots.take_snapshot().await.unwrap().tree, mine, "{shape}, checked out");
    }
}

#[tokio::test]
async fn what_lies_in_our_directory_is_no_part_of_the_work_and_no_reason_against_it() {
    let site = Site::new().await;
    site.work("mkdir -p .cogwork/a; echo precious > .cogwork/a/notes; echo x > x").await;
    let taken = site.snapshots.take_snapshot().await.unwrap();
    assert_eq!(taken.changed, [std::path::PathBuf::from("x")]);
    assert_eq!(taken.objections(), None);
    let [refusal] = &taken.refused[..] else { panic!("{:?}", taken.refused) };
    assert!(refusal.why.has_content() && !refusal.why.is_kept(), "a workspace with it stays: {refusal}");
}

//! Projects of every shape that git knows: runs land in them, and what a person does next is the person's alone.

use std::fs;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

/// It hands in a file, and leaves a commit on another branch, which has to be kept.
const AGENT: &str = "exec:git checkout -q -b side; echo side > s; git add s; git commit -qm side; \
                     git checkout -q -; echo work > f$COGWORK_FEATURES";

fn two_features() -> serde_json::Value {
    json!({"features": [
        {"name": "a", "checks": ["test -e f1"]},
        {"name": "b", "checks": ["test -e f2"]},
    ]})
}

/// A project with two features, once `act` was done in it.
fn shaped(act: &str) -> Place {
    let place = Place::with_features(&two_features());
    place.shell(act);
    place
}

/// Runs it; everything lands, and a person's next commit has what the person made.
fn lands(place: &Place, what: &str) {
    let output = place.cogwork(&["run", "--agent", AGENT, "-c", "2"]);
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {told}");
    let passing = place.store().features().unwrap();
    assert!(passing.iter().all(|feature| feature.status == Status::Passing), "{what}: {told}");
    assert_eq!(place.git(&["status", "--porcelain"]), "", "{what}");
    fs::write(place.dir.join("mine"), "mine\n").unwrap();
    place.git(&["add", "mine"]);
    place.git(&["commit", "--quiet", "--message", "mine"]);
    assert_eq!(place.git(&["show", "--name-only", "--format=", "HEAD"]), "mine", "{what}");
    assert_eq!(place.git(&["ls-tree", "--name-only", "HEAD"]), "README\nf1\nf2\nmine", "{what}");
    for attempt in ["1", "2"] {
        let side = format!("refs/cogwork/kept/{attempt}/branch/side");
        assert_eq!(place.git(&["show", "--name-only", "--format=", &side]), "s", "{what}");
    }
    let workspaces = fs::read_dir(place.dir.join(".cogwork/workspaces")).into_iter().flatten().count();
    assert_eq!(workspaces, 0, "{what}: what was in them is kept");
}

#[test]
fn a_git_directory_somewhere_else() {
    let shapes = [
        "git init --quiet --separate-git-dir ../apart .",
        "mv .git ../apart; echo 'gitdir: ../apart' > .git; git config core.worktree \"$PWD\"",
        "mkdir ../super; mv .git ../super; echo 'gitdir: ../super/.git' > .git; git config core.worktree \"$PWD\"",
        // As a submodule has it.
        "git init --quiet ../super; mkdir ../super/.git/modules; mv .git ../super/.git/modules/sub; \
         echo 'gitdir: ../super/.git/modules/sub' > .git; git config core.worktree ../../../../project",
    ];
    for act in shapes {
        lands(&shaped(act), act);
    }
}

/// Where refs are broken, as a power cut leaves them.
#[test]
fn refs_that_are_broken() {
    let lost = "1111111111111111111111111111111111111111";
    let broken = [
        ": > .git/refs/heads/person".to_owned(),
        "mkdir .git/refs/heads/p; echo garbage > .git/refs/heads/p/q".to_owned(),
        format!("echo {lost} > .git/refs/heads/person"),
        // Whose name begins as that of the main branch.
        ": > .git/refs/heads/main2".to_owned(),
        format!(": > .git/refs/tags/t; echo {lost} > .git/refs/tags/gone"),
        format!("git pack-refs --all; echo '{lost} refs/heads/packed' >> .git/packed-refs"),
        format!(
            "mkdir -p .git/refs/remotes/origin; echo {lost} > .git/refs/remotes/origin/x; : > .git/refs/stash"
        ),
        "ln -s loop .git/refs/heads/loop; echo 'ref: refs/heads/nowhere' > .git/refs/heads/leads".to_owned(),
    ];
    for act in &broken {
        lands(&shaped(act), act);
    }
}

/// Where the history is cut off, or objects are somewhere else.
#[test]
fn objects_somewhere_else() {
    let make = [
        "git clone -q --depth 1 \"file://$PWD\" ../new",
        "git clone -q --depth 2 \"file://$PWD\" ../new",
        "git config uploadpack.allowFilter true; git clone -q --filter=blob:none \"file://$PWD\" ../new",
        "git clone -q -s . ../between; git clone -q -s ../between ../new; rm -r ../between/.git/refs/heads/main",
        "git clone -q --depth 1 \"file://$PWD\" ../apart; git -C ../apart switch -q -c other; \
         git -C ../apart worktree add -q ../new main",
    ];
    for make in make {
        let place = Place::with_features(&two_features());
        place.shell("git commit -q --allow-empty -m 2; git commit -q --allow-empty -m 3");
        place.shell(&format!("{make}; mv .cogwork ../new; cd ..; mv project old; mv new project"));
        // Moved, a linked tree is found again, and what shares by a path is told of it.
        place.shell("test ! -f .git || git -C ../apart worktree repair \"$PWD\"");
        place.shell(
            "a=.git/objects/info/alternates; test ! -f $a || sed -i s,/project/,/old/, $a ../between/$a",
        );
        lands(&place, make);
    }
}

/// Where the user keeps git from what it does by default.
#[test]
fn what_the_user_configures_for_git() {
    for setting in [
        "protocol.allow never",
        "protocol.file.allow never",
        "clone.rejectShallow true",
        "clone.defaultRemoteName upstream",
        "init.defaultRefFormat reftable",
        "init.defaultObjectFormat sha256",
        "transfer.hideRefs refs",
        "uploadpack.hideRefs refs",
    ] {
        lands(&shaped(&format!("git config --global {setting}")), setting);
    }
}

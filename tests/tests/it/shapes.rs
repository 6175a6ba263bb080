//! Projects of every shape that git knows: runs land in them, and what a person does next is the person's alone.

use std::fs;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

const AGENT: &str = "exec:echo work > f$COGWORK_FEATURES";

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

//! Whatever shape an agent leaves its work in, it is on the main branch or under a ref, or else the workspace stays.
//!
//! One run, a feature for each shape. The oracle is plain git and grep: it knows nothing of ours but the
//! directory of the workspaces.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

/// What becomes of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It lands, all of it.
    Lands,
    /// It lands, and something beside it is kept.
    LandsAndKeeps,
    /// It does not land and is kept.
    Kept,
}

use Fate::{Kept, Lands, LandsAndKeeps};

/// A shape, what becomes of it, and the commands that make it. `F` is the file that the check of the feature looks for;
/// `P` is a text that must not be lost, and occurs nowhere else.
const SHAPES: &[(&str, Fate, &str)] = &[
    ("not committed", Lands, "echo P > F"),
    ("committed", Lands, "echo P > F; git add F; git commit -qm mine"),
    ("committed in part", Lands, "echo x > F; git add F; git commit -qm mine; echo P > F"),
    ("on a branch of its own", Lands, "git checkout -q -b mine; echo P > F; git add F; git commit -qm mine"),
    (
        "on a branch that was left",
        LandsAndKeeps,
        "git checkout -q -b mine; echo P > p; git add p; git commit -qm mine; git checkout -q -; echo x > F",
    ),
    ("on a detached HEAD", Lands, "git checkout -q --detach; echo P > F; git add F; git commit -qm mine"),
    (
        "on a detached HEAD that was left",
        LandsAndKeeps,
        "git checkout -q --detach; echo P > p; git add p; git commit -qm mine; git checkout -q -; echo x > F",
    ),
    (
        "amended",
        LandsAndKeeps,
        "echo P > F; git add F; git commit -qm mine; echo x > F; git commit -qa --amend -m other",
    ),
    ("reset after a commit", Kept, "echo P > F; git add F; git commit -qm mine; git reset -q --hard HEAD~1"),
    (
        "on a branch that was deleted",
        Kept,
        "git checkout -q -b mine; echo P > F; git add F; git commit -qm mine; git checkout -q -; git branch -q -D mine",
    ),
    ("a stash", Kept, "echo P > F; git add F; git stash -q"),
    (
        "the second of two stashes",
        LandsAndKeeps,
        "echo P > p; git stash -q -u; echo y > q; git stash -q -u; echo x > F",
    ),
    (
        "a linked working tree",
        LandsAndKeeps,
        "git worktree add -q ../../elsewhere-F -b sub-F; cd ../../elsewhere-F; echo P > p; git add p; git commit -qm sub; cd -; git worktree remove ../../elsewhere-F; echo x > F",
    ),
    (
        "a linked working tree inside",
        Lands,
        "git worktree add -q .claude/worktrees/F -b sub-F; echo P > .claude/worktrees/F/p; echo x > F",
    ),
    (
        "a new repository without a commit",
        Lands,
        "mkdir app-F; cd app-F; git init -q; echo P > p; cd ..; echo x > F",
    ),
    (
        "a new repository with a commit",
        LandsAndKeeps,
        "mkdir app-F; cd app-F; git init -q; echo P > p; git add p; git commit -qm in; echo x > p; git commit -qam more; cd ..; echo x > F",
    ),
    (
        "a new repository, added as a link",
        Lands,
        "mkdir app-F; cd app-F; git init -q; echo P > p; git add p; git commit -qm in; cd ..; git add app-F 2>/dev/null; git commit -qm link; echo x > F",
    ),
    (
        "a clone of another repository",
        Lands,
        "git clone -q ../../../../other app-F; echo P > app-F/p; echo x > F",
    ),
    (
        "a submodule that moved",
        LandsAndKeeps,
        "git -c protocol.file.allow=always submodule --quiet update --init; cd sub; echo P > p; git add p; git commit -qm moved; cd ..; git add sub; git commit -qm move; echo x > F",
    ),
    (
        "a pointer of git-lfs",
        Lands,
        "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:P\\nsize 3\\n' > F",
    ),
    ("built output beside it", Lands, "mkdir built; echo junk > built/x; echo P > F"),
    ("a link to this machine", Kept, "ln -s /etc/hostname here-F; echo P > F"),
    ("a link out of the tree", Kept, "ln -s ../../../.. out-F; echo P > F"),
    ("a FIFO", Kept, "mkfifo pipe-F; echo P > F"),
    (
        "a socket",
        Kept,
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket-F\")'; echo P > F",
    ),
    ("300 MB that take no room", Kept, "truncate -s 300M huge-F; echo P > F"),
    ("an unborn branch", Lands, "git checkout -q --orphan new; echo P > F"),
    ("no repository any more", Lands, "echo P > F; rm -rf .git"),
    (
        "another repository instead",
        Lands,
        "echo P > F; rm -rf .git; git init -q; git add F; git commit -qm new",
    ),
    (
        ".git that is a file",
        Lands,
        "echo P > F; mv .git real-F; echo 'gitdir: real-F' > .git; rm -rf real-F/objects/info",
    ),
    (".git that leads to the project", Lands, "echo P > F; rm -rf .git; echo 'gitdir: ../../../.git' > .git"),
    (".git that is a FIFO", Lands, "echo P > F; rm -rf .git; mkfifo .git"),
    ("a HEAD that is a FIFO", Lands, "echo P > F; rm .git/HEAD; mkfifo .git/HEAD"),
    (
        "an index that is a link",
        Lands,
        "echo P > F; mv .git/index ../index-F; ln -s ../../index-F .git/index",
    ),
    ("a locked index", Lands, "echo P > F; touch .git/index.lock .git/HEAD.lock .git/config.lock"),
    (
        "names of refs that are options",
        LandsAndKeeps,
        "c=$(echo P | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tp\\n' $c | git mktree); git update-ref 'refs/heads/--upload-pack=touch' $(git commit-tree -m odd $t); echo x > F",
    ),
    (
        "a rebase in progress",
        LandsAndKeeps,
        "echo a > README; git commit -qam a; git checkout -q -b b HEAD~1; echo P > README; git commit -qam b; git rebase -q - 2>/dev/null; git checkout -q --force --detach HEAD; echo x > F",
    ),
    (
        "as somebody else",
        Lands,
        "echo P > F; git add F; git -c user.name=Other -c user.email=o@ther commit -qm mine",
    ),
    ("what git is told not to see", Lands, "echo 'F' >> .git/info/exclude; echo P > F"),
    (
        "skip-worktree",
        Lands,
        "git update-index --skip-worktree tracked; echo P > tracked; echo x > F; git add F; git commit -qm mine; echo Q > q-F",
    ),
    (
        "merged with theirs given up",
        Lands,
        "git fetch -q origin; git merge -q -s ours -m ours origin/main 2>/dev/null; echo P > F",
    ),
];

fn git(place: &Place, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(&place.dir).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the numbers of the texts that are found.
fn found(text: &str) -> BTreeSet<usize> {
    let after = text.split("PRECIOUS-").skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[test]
fn every_shape_of_work_lands_or_is_kept() {
    let features: Vec<_> = (1..=SHAPES.len())
        .map(|number| json!({"name": SHAPES[number - 1].0, "checks": [format!("test -e f{number}")]}))
        .collect();
    let place = Place::with_features(&json!({ "features": features }));
    let home = place.dir.parent().unwrap().to_owned();
    let (other, module) = (home.join("other"), home.join("module"));
    let init = "git init -q -b main .; echo one > one; git add .; git -c user.name=t -c user.email=t@t commit -qm first";
    for dir in [&other, &module] {
        fs::create_dir(dir).unwrap();
        Command::new("sh").args(["-ec", init]).current_dir(dir).status().unwrap();
    }
    git(
        &place,
        "echo built/ > .gitignore; echo base > README; echo base > tracked; git -c protocol.file.allow=always submodule --quiet add ../module sub; \
         git add -A; git commit -qm base",
    );
    let mut script = "cat > /dev/null; export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@a\n\
                      case $COGWORK_FEATURES in\n"
        .to_owned();
    for (number, (_, _, work)) in (1..).zip(SHAPES) {
        let words = work.split_inclusive([' ', ';', '/', '-', ')', ':', '\'', '"']);
        let named = words.map(|word| {
            let end = word.find([' ', ';', '/', '-', ')', ':', '\'', '"', '\\']).unwrap_or(word.len());
            match &word[..end] {
                "F" => format!("f{number}{}", &word[end..]),
                "P" => format!("PRECIOUS-{number}{}", &word[end..]),
                _ => word.to_owned(),
            }
        });
        script.push_str(&format!("{number}) {} ;;\n", named.collect::<String>()));
    }
    script.push_str("esac\ntrue\n");
    let file = home.join("agent.sh");
    fs::write(&file, script).unwrap();
    let before: BTreeSet<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let agent = format!("exec:sh {}", file.display());
    let output =
        place.cogwork(&["run", "--agent", &agent, "-c", "2", "--attempts", "1", "--max-silence-s", "120"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}\n{}", String::from_utf8_lossy(&output.stderr));

    git(&place, "git fsck --connectivity-only 2>&1");
    let after: BTreeSet<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // Copies of the database are ours to write there.
    let after: BTreeSet<_> = after.into_iter().filter(|name| name != ".local").collect();
    assert_eq!(before, after, "nothing is written outside");
    assert_eq!(git(&place, "git status --porcelain"), "");
    let reachable =
        "git rev-list --objects --all REFS | cut -d' ' -f1 | git cat-file --batch | grep -a PRECIOUS || true";
    let on_main = found(&git(&place, &reachable.replace("--all REFS", "--no-walk main")));
    let kept = found(&git(&place, &reachable.replace("REFS", "")));
    // Nothing is lost where something could not be kept.
    let there =
        fs::read_dir(place.dir.join(".cogwork/workspaces")).unwrap().map(|entry| entry.unwrap().file_name());
    let staying: BTreeSet<_> = there.filter(|name| name.to_string_lossy().starts_with('s')).collect();
    let unread = SHAPES.iter().position(|(shape, ..)| *shape == "a HEAD that is a FIFO");
    let large = SHAPES.iter().position(|(shape, ..)| *shape == "300 MB that take no room");
    let expected = [unread, large].map(|at| format!("s{}", at.unwrap() + 1).into());
    assert_eq!(staying, BTreeSet::from(expected));
    let links = "git ls-tree -r main | grep -E '^(160000|120000)' | grep -v '\tsub$' || true";
    assert_eq!(git(&place, links), "", "no link that the base did not have");
    let status = place.store().features().unwrap();
    let mut wrong = Vec::new();
    for (number, (shape, fate, _)) in (1..).zip(SHAPES) {
        let lands = status[number - 1].status == Status::Passing;
        let is = match (lands, on_main.contains(&number), kept.contains(&number)) {
            (true, true, _) => Some(Lands),
            (true, false, true) => Some(LandsAndKeeps),
            (false, _, true) => Some(Kept),
            (_, _, false) => None,
        };
        if is != Some(*fate) {
            wrong.push(format!("{number} {shape}: {is:?} instead of {fate:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
}

/// Runs one feature whose work is stashed and so never lands.
fn with_a_stash() -> Place {
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}));
    stash(&place);
    place
}

fn stash(place: &Place) {
    let agent = "exec:cat > /dev/null; echo precious > f1; git add f1; git stash -q";
    let output = place.cogwork(&["run", "--agent", agent, "--attempts", "1"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("kept:   "), "the end of a run names it: {text}");
}

fn said(place: &Place, args: &[&str]) -> String {
    let output = place.cogwork(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_kept_is_shown_and_only_dropped_when_asked() {
    let place = with_a_stash();
    let name = "refs/cogwork/kept/1/stash-0";
    let line = said(&place, &["kept"]);
    assert!(line.starts_with("#1 attempt 1, ") && line.trim_end().ends_with(name), "{line}");
    assert!(said(&place, &["show", "1"]).contains(line.trim_end()), "show names it, too");
    // The line can be run as it stands.
    let command = line.trim_end().split_once(": ").unwrap().1;
    let shown =
        Command::new("sh").args(["-c", command]).current_dir(place.dir.parent().unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("+precious"), "{shown:?}");
    let json: serde_json::Value = serde_json::from_str(&said(&place, &["kept", "--json"])).unwrap();
    assert_eq!(
        (&json[0]["name"], &json[0]["feature"], &json[0]["attempt"]),
        (&json!(name), &json!(1), &json!(1))
    );
    for nothing in ["2", "refs/heads/main", "refs/cogwork/kept/1", "main", ""] {
        let output = place.cogwork(&["kept", "drop", "1", nothing]);
        assert_eq!(output.status.code(), Some(1), "{nothing}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(&format!("nothing is kept of `{nothing}`")), "{error}");
    }
    assert_eq!(said(&place, &["kept"]), line, "all or nothing");
    assert!(said(&place, &["kept", "drop", "1"]).starts_with(&format!("dropped {name}")));
    assert_eq!(said(&place, &["kept"]), "nothing is kept beside the main branch\n");
}

#[test]
fn a_new_database_takes_no_work_of_an_old_one_for_its_own() {
    let place = with_a_stash();
    said(&place, &["restore", "--begin-anew"]);
    assert!(place.import(&json!({"features": [{"name": "b", "checks": ["test -e f1"]}]})).status.success());
    stash(&place);
    let refs = place.git(&["for-each-ref", "--format=%(refname)", "refs/cogwork"]);
    let stashes: Vec<&str> = refs.lines().filter(|name| name.ends_with("/stash-0")).collect();
    assert_eq!(stashes.len(), 2, "{refs}");
    assert!(stashes[0].starts_with("refs/cogwork/earlier/") && stashes[1] == "refs/cogwork/kept/1/stash-0");
    assert!(said(&place, &["kept"]).contains("of a feature that is gone, "));
}

/// In a batch, a workspace is brought to the main branch for the next feature: what the one before left is kept, or else
/// the session ends there.
#[test]
fn nothing_is_lost_between_two_features_of_a_batch() {
    let quiet = "git config user.name x; git config user.email x@y";
    for (shape, left, stays) in [
        (
            "a nested repository",
            format!(
                "git init -q n; cd n; {quiet}; echo PRECIOUS > x; git add x; git commit -qm n; git rm -qf x; git commit -qm gone"
            ),
            false,
        ),
        ("a stash", format!("{quiet}; echo PRECIOUS > x; git add x; git stash -q"), false),
        ("staged alone", "echo PRECIOUS > x; git add x; rm x".to_owned(), false),
        (
            "a branch",
            format!(
                "{quiet}; git checkout -q -b b; echo PRECIOUS > x; git add x; git commit -qm b; git checkout -q -"
            ),
            false,
        ),
        ("files", "echo PRECIOUS > x".to_owned(), false),
        ("a name that git does not take", "mkdir x; echo PRECIOUS > 'x/git~1'".to_owned(), true),
        ("in our own directory", "mkdir .cogwork; echo PRECIOUS > .cogwork/x".to_owned(), true),
    ] {
        let features = json!({"features": [{"name": "a", "key": "a", "checks": ["test -e f1"]}, {"name": "b", "key": "b", "checks": ["test -e f2"]}]});
        let place = Place::with_features(&features);
        let moves = |file: &str, more: &str| {
            format!(
                "{{ move = \"write\", path = \"{file}\", content = \"x\" }}, {{ move = \"mark_passing\" }}{more}"
            )
        };
        let run = format!(", {{ move = \"run\", command = {left:?} }}");
        let script = place.beside("script.toml");
        fs::write(&script, format!("a = [{}]\nb = [{}]\n", moves("f1", &run), moves("f2", ""))).unwrap();
        let script = script.to_str().unwrap();
        let args = ["run", "--agent", "scripted", "--script", script, "-c", "1", "--batch-size", "2"];
        let output = place.cogwork(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let passing =
            place.store().features().unwrap().iter().filter(|it| it.status == Status::Passing).count();
        assert_eq!(passing, 2, "{shape}: {text}");
        let reachable =
            "git rev-list --objects --all | cut -d' ' -f1 | git cat-file --batch | grep -ac PRECIOUS || true";
        let kept = git(&place, reachable);
        let there = git(&place, "grep -rl PRECIOUS .cogwork/workspaces | wc -l");
        assert_eq!(
            (kept.trim() == "0", there.trim() != "0"),
            (stays, stays),
            "{shape}: {kept} {there}\n{text}"
        );
    }
}

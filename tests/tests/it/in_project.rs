//! Agents in the person's own directory: what passes is committed, whatever it looks like, and nothing else is.

use std::fs;

use cogwork_schemas::Status;
use serde_json::json;

use crate::place::Place;

fn place() -> Place {
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}));
    fs::write(place.dir.join("mine"), "a person's, not committed\n").unwrap();
    place
}

/// The commands that work there, which take one attempt each.
const WAYS: [&[&str]; 2] =
    [&["agent", "--max-iterations", "1"], &["run", "--isolation", "shared", "--attempts", "1"]];

fn work(place: &Place, way: &[&str], agent: &str) -> String {
    let agent = format!("exec:cat > /dev/null; {agent}");
    let output = place.cogwork(&[way, &["--agent", &agent]].concat());
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn passes(place: &Place) -> bool {
    place.store().features().unwrap()[0].status == Status::Passing
}

#[test]
fn whatever_passes_is_committed() {
    for (shape, agent, committed) in [
        (
            "a nested repository",
            "git init -q n; cd n; git config user.name x; git config user.email x@y; echo x > x; \
          git add .; git commit -qm n; echo x > ../f1",
            "f1 n/x",
        ),
        (
            "a file that is a directory now",
            "rm README; mkdir README; echo x > README/x; echo x > f1",
            "README README/x f1",
        ),
        (
            "an open merge",
            "git config user.name x; git config user.email x@y; git checkout -q -b o; echo o > README; \
          git commit -qam o; git checkout -q main; echo m > README; git commit -qam m; git merge -q o; \
          echo both > README; echo x > f1",
            "README f1",
        ),
        ("staged by the agent", "echo x > f1; git add f1", "f1"),
    ] {
        for way in WAYS {
            let place = place();
            let text = work(&place, way, agent);
            assert!(passes(&place), "{shape}, {way:?}: {text}");
            let names = place.git(&["log", "-1", "--format=", "--name-only", "--no-renames"]);
            assert_eq!(
                names.split_whitespace().collect::<Vec<_>>().join(" "),
                committed,
                "{shape}, {way:?}: {text}"
            );
            assert_eq!(place.git(&["status", "--porcelain"]), "?? mine", "{shape}, {way:?}: {text}");
        }
    }
}

/// A place whose git ignores `built/` and that has a submodule, `sub`.
fn place_with_uncommittable(check: &str) -> Place {
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": [check]}]}));
    fs::write(place.dir.join(".gitignore"), "built/\n").unwrap();
    place.git(&["init", "--quiet", "sub"]);
    place.git(&["-C", "sub", "commit", "--quiet", "--allow-empty", "--message", "of the submodule"]);
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message", "with a submodule"]);
    place
}

const AS_AGENT: &str =
    "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@x";

#[test]
fn green_without_a_commit_is_refused() {
    for (shape, agent, check) in [
        ("ignored", "mkdir built; echo x > built/f1", "test -e built/f1"),
        ("in a submodule", "echo x > sub/f1", "test -e sub/f1"),
        (
            "committed in a submodule alone",
            "cd sub; echo x > f1; git add f1; git commit -qm f1",
            "test -e sub/f1",
        ),
        ("beside the project", "echo x > ../f1", "test -e ../f1"),
        (
            "ignored, and an empty commit",
            "mkdir built; echo x > built/f1; git commit --quiet --allow-empty -m empty",
            "test -e built/f1",
        ),
        (
            "ignored, and a commit that is taken back",
            "mkdir built; echo x > built/f1; echo x > y; git add y; git commit -qm y; git revert --no-edit HEAD",
            "test -e built/f1",
        ),
    ] {
        for way in WAYS {
            let place = place_with_uncommittable(check);
            let text = work(&place, way, &format!("{AS_AGENT}; {agent}"));
            assert!(!passes(&place), "{shape}, {way:?}: {text}");
            assert!(text.contains("green without any commit"), "{shape}, {way:?}: {text}");
            let changed = place.git(&["diff", "--name-only", ":/with a submodule", "HEAD"]);
            assert_eq!(changed, "", "{shape}, {way:?}: {text}");
        }
    }
}

/// The checks were red on what a person had deleted, and not on any commit.
#[test]
fn what_brings_back_what_is_committed_passes() {
    for (shape, breaks) in
        [("deleted", "rm f1"), ("deleted and staged", "git rm --quiet f1"), ("moved away", "mv f1 elsewhere")]
    {
        for way in WAYS {
            let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}));
            place.shell(&format!("echo x > f1; git add f1; git commit --quiet --message f1; {breaks}"));
            let text = work(&place, way, "echo x > f1");
            assert!(passes(&place), "{shape}, {way:?}: {text}");
        }
    }
}

#[test]
fn what_needs_no_further_commit_passes() {
    for (shape, agent, check) in [
        ("already green", "true", "test -e README"),
        ("already green, with something ignored", "mkdir built; echo x > built/f1", "test -e README"),
        ("committed by the agent", "echo x > f1; git add f1; git commit -qm f1", "test -e f1"),
        (
            "ignored, and committed by the agent",
            "mkdir built; echo x > built/f1; git add -f built; git commit -qm f1",
            "test -e built/f1",
        ),
        (
            "a submodule's new commit, committed by the agent",
            "(cd sub; echo x > f1; git add f1; git commit -qm f1); git commit -qam f1",
            "test -e sub/f1",
        ),
    ] {
        for way in WAYS {
            let place = place_with_uncommittable(check);
            let text = work(&place, way, &format!("{AS_AGENT}; {agent}"));
            assert!(passes(&place), "{shape}, {way:?}: {text}");
        }
    }
}

/// What an attempt could not commit, or was red with, makes the next one pass: then it is committed with it.
#[test]
fn what_an_attempt_left_is_committed_when_the_next_one_passes() {
    for (shape, first, second) in [
        ("locked", "echo x > f1; touch .git/index.lock", "true"),
        ("red", "echo x > f0", "test -e f0 && echo x > f1"),
        ("failed", "echo x > f0; exit 3", "echo x > f1"),
    ] {
        for way in WAYS {
            let place = place();
            // Two attempts, in one run or in two.
            let way: Vec<&str> = if way[0] == "run" { way[..3].to_vec() } else { way.to_vec() };
            let agent = format!(
                "if [ -e ../second ]; then rm -f .git/index.lock; {second}; else touch ../second; {first}; fi"
            );
            let mut text = work(&place, &way, &agent);
            if !passes(&place) {
                text += &work(&place, &way, &agent);
            }
            assert!(passes(&place), "{shape}, {way:?}: {text}");
            assert_eq!(place.git(&["status", "--porcelain"]), "?? mine", "{shape}, {way:?}: {text}");
            assert!(!place.git(&["ls-tree", "HEAD", "f1"]).is_empty(), "{shape}, {way:?}: {text}");
        }
    }
}

/// What a person makes between two sessions is no agent's, whatever became of the first.
#[test]
fn nothing_of_a_persons_is_committed_with_the_work_of_the_next_session() {
    // The first session passes, and the next one has another feature; or it fails, and the next one has the same.
    for (first, next) in
        [("[ $COGWORK_FEATURES = 1 ] || exit 3; echo x > f1", 2), ("echo left > f0; exit 3", 1)]
    {
        for way in WAYS {
            let feature = |n| json!({"name": format!("f{n}"), "checks": [format!("test -e f{n}")]});
            let features: Vec<_> = (1..=next).map(feature).collect();
            let place = Place::with_features(&json!({ "features": features }));
            let mut text = work(&place, way, first);
            fs::write(place.dir.join("secret"), "a person's").unwrap();
            fs::write(place.dir.join("README"), "a person's line\n").unwrap();
            place.git(&["add", "README"]);
            // Given up by a run, after its one attempt.
            place.cogwork(&["retry", &next.to_string()]);
            text += &work(&place, way, "echo x > f$COGWORK_FEATURES");
            let committed = place.git(&["log", "--format=", "--name-only", "HEAD"]);
            assert!(committed.contains(&format!("f{next}")), "{way:?}: {committed}\n{text}");
            assert!(!committed.contains("secret"), "{way:?}: {committed}\n{text}");
            let status = place.git(&["status", "--porcelain"]);
            assert_eq!(status, "M  README\n?? secret", "{way:?}: {text}");
        }
    }
}

/// What a person has not committed is neither committed for them nor taken out of the index.
#[test]
fn work_on_what_a_person_had_changed_is_refused_until_that_is_committed() {
    for way in WAYS {
        let place = place();
        fs::write(place.dir.join("README"), "staged\n").unwrap();
        place.git(&["add", "README"]);
        fs::write(place.dir.join("README"), "staged\na person's line\n").unwrap();
        let agent = "echo x >> README; echo x > f1";
        let text = work(&place, way, agent);
        assert!(!passes(&place), "{way:?}: {text}");
        assert!(text.contains("the work is in `README`, which a person had changed"), "{way:?}: {text}");
        assert_eq!(place.git(&["show", ":README"]), "staged", "{way:?}: {text}");
        assert_eq!(place.git(&["log", "--format=%s"]), "first commit", "{way:?}: {text}");

        place.git(&["commit", "--quiet", "--all", "--message", "mine"]);
        // Given up by a run, after its one attempt.
        place.cogwork(&["retry", "1"]);
        let text = work(&place, way, agent);
        assert!(passes(&place), "{way:?}: {text}");
        assert_eq!(place.git(&["status", "--porcelain"]), "?? mine", "{way:?}: {text}");
    }
}

/// Work that an earlier database knew is not that of a feature of this one.
#[test]
fn a_new_database_takes_no_work_of_an_old_one_for_its_own() {
    let stash = "echo precious > f0; git add f0; git stash -q";
    let way = ["run", "--attempts", "1"];
    for next in WAYS {
        let place = place();
        fs::remove_file(place.dir.join("mine")).unwrap();
        let text = work(&place, &way, stash);
        assert!(place.git(&["for-each-ref", "refs/cogwork/kept/1/"]).contains("stash-0"), "{text}");
        assert!(place.cogwork(&["restore", "--begin-anew"]).status.success());
        assert!(
            place.import(&json!({"features": [{"name": "b", "checks": ["test -e f1"]}]})).status.success()
        );
        let text = work(&place, next, "echo x > f1");
        assert!(passes(&place), "{next:?}: {text}");
        let kept = place.cogwork(&["kept", "drop", "1"]);
        assert_eq!(kept.status.code(), Some(1), "{next:?}: nothing of it is #1's");
        let there = place.git(&["for-each-ref", "--format=%(refname)", "refs/cogwork/earlier/"]);
        assert!(there.ends_with("/1/stash-0"), "{next:?}: {there}");
    }
}

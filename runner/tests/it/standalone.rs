//! The lone agent on a project, from the first claim to the last landing.

use std::os::unix::process::ExitStatusExt;

use cogwork_conductor::RunLock;
use cogwork_schemas::{
    CheckReport, CheckVerdict, FeatureId, Isolation, ProcessIdentity, Proof, Role, Status,
};
use cogwork_store::{NewSession, Secret};
use jiff::SignedDuration;

use crate::project::Project;
use crate::runner::{binary, is_alive, lone, pid_in, run_lone, said, shell, signal};

/// Three in a row, each with the file of the same name as its check; the middle one without a key.
const CHAIN: &str = r#"[
  {"name": "one", "key": "one", "checks": ["test -f f1"]},
  {"name": "two", "key": "two", "checks": ["test -f f2"], "dependencies": ["one"]},
  {"name": "three", "checks": ["test -f f3"], "dependencies": ["two"]}
]"#;

const GOOD: &str = "exec:echo working on $COGWORK_FEATURES; touch f$COGWORK_FEATURES";

fn statuses(project: &Project) -> Vec<Status> {
    project.store.features().unwrap().iter().map(|feature| feature.status).collect()
}

#[test]
fn it_works_through_the_features_until_all_pass() {
    let project = Project::git(CHAIN);
    let said = run_lone(&project.dir, &["--agent", GOOD]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    for told in ["#1 one    claimed, attempt 1", "           | working on 1", "#3 three  the check is green"]
    {
        assert!(said.stdout.contains(told), "{told}: {}", said.stdout);
    }
    assert!(said.stdout.contains("3 features: 3 proven, after "), "{}", said.stdout);
    assert!(said.stdout.contains("; the run is complete: nothing is left to do.\n"), "{}", said.stdout);
    assert_eq!(said.stderr, "");
    for feature in project.store.features().unwrap() {
        assert_eq!((feature.status, feature.proof), (Status::Passing, Some(Proof::RedGreen)), "{feature:?}");
    }
    let facts = project.facts(2);
    assert_eq!(facts[facts.len() - 2..], ["session: the agent ended", "integrated"]);
    // What passes is committed, feature by feature.
    assert_eq!(shell(&project.dir, "git status --short").stdout, b"");
    let files = shell(&project.dir, "git log -3 --format= --name-only").stdout;
    assert_eq!(files, b"f3\nf2\nf1\n");

    let again = run_lone(&project.dir, &["--agent", GOOD]);
    assert!(again.code == 0 && !again.stdout.contains("claimed"), "{}", again.stdout);
    assert!(again.stdout.contains("; the run is complete: nothing is left to do.\n"), "{}", again.stdout);
}

#[test]
fn without_git_it_works_as_well() {
    let project = Project::plain(CHAIN);
    let said = run_lone(&project.dir, &["--agent", GOOD, "--features", "1,2"]);
    assert_eq!((said.code, statuses(&project)), (0, vec![Status::Passing, Status::Passing, Status::Pending]));
    let through = "3 features: 2 proven, 1 ready, after ";
    assert!(said.stdout.contains(through), "{}", said.stdout);
    assert!(
        said.stdout.contains("the run is through with what it was asked for, in 2 sessions"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("there is no git repository here: what passes is committed nowhere\n"));
}

#[test]
fn what_is_committed_nowhere_is_told() {
    let project = Project::plain(CHAIN);
    assert!(shell(&project.dir, "git init -q -b main").status.success());
    let said = run_lone(&project.dir, &["--agent", GOOD, "--max-iterations", "1"]);
    assert_eq!(said.code, 0, "{}", said.stdout);
    let told = "the git repository has no commit yet: what passes is committed nowhere\n";
    assert!(said.stdout.contains(told), "{}", said.stdout);
}

#[test]
fn an_agent_that_fails_is_given_up_and_told_each_time_why() {
    let project = Project::plain(CHAIN);
    let agent = "exec:cat > prompt$COGWORK_SESSION; echo no idea >&2; exit 3";
    let said = run_lone(&project.dir, &["--agent", agent]);
    assert_eq!(said.code, 4, "{}{}", said.stdout, said.stderr);
    assert_eq!(statuses(&project), [Status::Parked, Status::Pending, Status::Pending]);
    assert!(
        said.stdout.contains("given up: not finished: the agent ended with exit code 3"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("3 features: 2 blocked, 1 given up, after "), "{}", said.stdout);
    assert!(!project.read("prompt1").contains("Earlier attempts"));
    let third = project.read("prompt3");
    let reason = "not finished: the agent ended with exit code 3: no idea; `test -f f1` is red (exit 1)";
    for number in [1, 2] {
        assert!(third.contains(&format!("- Attempt {number}: {reason}")), "{third}");
    }
}

#[test]
fn it_ends_after_the_sessions_it_was_asked_for() {
    let project = Project::plain(CHAIN);
    let said = run_lone(&project.dir, &["--agent", GOOD, "--max-iterations", "1"]);
    assert_eq!((said.code, statuses(&project)), (0, vec![Status::Passing, Status::Pending, Status::Pending]));
}

#[test]
fn the_number_of_sessions_hides_no_failure() {
    let project = Project::plain(CHAIN);
    let bad = "exec:test $COGWORK_FEATURES = 1 && touch f1";
    let said = run_lone(&project.dir, &["--agent", bad, "--max-iterations", "2"]);
    assert_eq!((said.code, statuses(&project)), (4, vec![Status::Passing, Status::Pending, Status::Pending]));
    assert!(said.stdout.contains("in 2 sessions, and 1 feature not proven"), "{}", said.stdout);
    // What failed at first and passes in the end did not fail.
    let late = "exec:test $COGWORK_SESSION != 3 && touch f2";
    let said = run_lone(&project.dir, &["--agent", late, "--max-iterations", "2"]);
    assert_eq!((said.code, statuses(&project)[1]), (0, Status::Passing), "{}", said.stdout);
    let run = [&["--agent", "exec:kill -9 $$", "--max-iterations", "1"][..], &["--features", "3"]].concat();
    assert_eq!(run_lone(&project.dir, &run).code, 4, "a session that was killed is no success either");
}

#[test]
fn mistakes_are_answered_with_a_sentence_before_anything_is_claimed() {
    let project = Project::plain(CHAIN);
    for (args, code, sentence) in [
        (&["--agent", "codex"][..], 1, "the agent `codex` is not installed"),
        (&["--agent", "claude"][..], 1, "the agent `claude` is not installed"),
        (&[][..], 1, "no coding agent is installed: none of `claude`, `codex`"),
        (&["--agent", "acp:no-such-agent acp"][..], 1, "the program `no-such-agent` of the agent"),
        (&["--agent", "exec:no-such-agent -x"][..], 1, "the program `no-such-agent` of the agent"),
        (&["--agent", "scripted"][..], 1, "name one with --script FILE"),
        (&["--agent", "exec:true", "--features", "9"][..], 1, "there is no feature #9"),
        (
            &["--agent", "exec:true", "--features", "1", "--role", "testing"][..],
            1,
            "#1 does not pass: there is nothing to test",
        ),
        (&["--agent", "gpt"][..], 2, "unknown agent `gpt`; use scripted, exec:CMD"),
        (
            &["--agent", "exec:true", "--role", "boss"][..],
            2,
            "no such role: use coding, testing or initializer",
        ),
    ] {
        let said = run_lone(&project.dir, args);
        assert_eq!(said.code, code, "{args:?}: {}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains(sentence), "{args:?}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{args:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let said = run_lone(nowhere.path(), &["--agent", "exec:true"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.starts_with("error: there is no Cogwork project in "), "{}", said.stderr);
    assert!(project.store.attempts_of(FeatureId(1)).unwrap().is_empty());
}

#[test]
fn a_broken_prompt_ends_it_at_once_and_costs_nothing() {
    let project = Project::plain(CHAIN);
    project.write(".cogwork/prompts/coding.md", "{{ feature.nmae }}");
    let said = run_lone(&project.dir, &["--agent", GOOD]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stderr.contains("coding.md` is wrong in line 1"), "{}", said.stderr);
    let feature = project.store.feature(FeatureId(1)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0));
}

#[test]
fn only_one_run_works_on_a_project() {
    let project = Project::plain(CHAIN);
    let lock = RunLock::acquire(&project.dir, "2026-11-20T10:00:00Z".parse().unwrap()).unwrap();
    let said = run_lone(&project.dir, &["--agent", GOOD]);
    assert_eq!(said.code, 7);
    let sentence = format!("process {}, running since 2026-11-20T10:00:00Z: wait for it", std::process::id());
    assert!(said.stderr.contains(&sentence), "{}", said.stderr);
    assert_eq!(statuses(&project)[0], Status::Pending);
    drop(lock);
    assert_eq!(run_lone(&project.dir, &["--agent", GOOD]).code, 0);
}

#[test]
fn a_stop_gives_the_feature_back() {
    let project = Project::plain(CHAIN);
    let agent = format!("exec:echo $$ > {}/agent; exec sleep 60", project.dir.display());
    let child = lone(binary(), &project.dir, &["--agent", &agent]).spawn().unwrap();
    let agent = pid_in(&project.dir.join("agent"));
    signal("TERM", child.id());
    let said = said(child.wait_with_output().unwrap());
    assert_eq!(said.code, 5, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("the run was stopped before it was over.\n"), "{}", said.stdout);
    assert!(!is_alive(agent));
    let feature = project.store.feature(FeatureId(1)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0));
}

#[test]
fn what_a_killed_one_left_is_taken_over_by_the_next() {
    let project = Project::plain(CHAIN);
    let agent = format!(
        "exec:(setsid sh -c 'echo $$ > {0}/daemon; exec sleep 60' &); echo $$ > {0}/agent; exec sleep 60",
        project.dir.display()
    );
    let mut child = lone(binary(), &project.dir, &["--agent", &agent]).spawn().unwrap();
    let (agent, daemon) = (pid_in(&project.dir.join("agent")), pid_in(&project.dir.join("daemon")));
    signal("KILL", child.id());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let said = run_lone(&project.dir, &["--agent", GOOD]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(!is_alive(agent) && !is_alive(daemon), "what it had started is gone");
    assert_eq!(project.store.attempts_of(FeatureId(1)).unwrap().len(), 2);
    assert!(project.store.live_sessions().unwrap().is_empty());
}

#[test]
fn help_is_enough_for_a_newcomer() {
    let project = Project::plain(CHAIN);
    let said = run_lone(&project.dir, &["--help"]);
    assert_eq!(said.code, 0);
    for word in ["exec:CMD", "--features", "--max-iterations", "Exit codes", "cogwork run", "cogwork import"]
    {
        assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
    }
}

#[test]
fn work_that_was_green_when_its_runner_died_is_looked_at_again_and_landed() {
    let submitted_by_a_dead_runner = |file: &str| {
        let project = Project::plain(CHAIN);
        let new = NewSession::new(Role::Coding, "exec", Isolation::Shared);
        let claim = project
            .store
            .claim(FeatureId(1), &new, &Secret::random().unwrap(), SignedDuration::from_secs(60))
            .unwrap();
        let nobody = ProcessIdentity { pid: i32::MAX, started: 1, boot_id: "another boot".into() };
        project.store.session_up(claim.session, &nobody).unwrap();
        let green = CheckReport {
            command: "test -f f1".into(),
            verdict: CheckVerdict::Green,
            duration_ms: 1,
            output_tail: String::new(),
            output_digest: String::new(),
        };
        project.store.submit(&claim.token, None, &[green]).unwrap();
        project.write(file, "");
        project
    };
    let still_green = submitted_by_a_dead_runner("f1");
    let said = run_lone(&still_green.dir, &["--agent", GOOD, "--features", "1"]);
    assert_eq!(
        (said.code, statuses(&still_green)[0]),
        (0, Status::Passing),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert_eq!(still_green.store.attempts_of(FeatureId(1)).unwrap().len(), 1);

    let red_now = submitted_by_a_dead_runner("other");
    let said = run_lone(&red_now.dir, &["--agent", GOOD, "--features", "1"]);
    assert_eq!((said.code, statuses(&red_now)[0]), (0, Status::Passing), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("red after merge: `test -f f1` is red (exit 1)"), "{}", said.stdout);
    assert_eq!(red_now.store.attempts_of(FeatureId(1)).unwrap().len(), 2);
}

//! What the next attempt at a feature is told of the last one, and how a feature that passed is told to be repaired.

use cogwork_schemas::{FeatureId, Status};

use crate::project::Project;
use crate::runner::run_lone;

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

/// Keeps its prompt, says what it did, and tells its own token to whoever listens.
const GIVES_UP: &str = "exec:cat > prompt-$COGWORK_SESSION; echo I looked for the parser.; echo $COGWORK_TOKEN; \
                        echo It is not there.; echo helo > greeting";

#[test]
fn it_begins_with_how_the_last_one_failed_and_its_last_words() {
    let project = Project::plain(ONE);
    let said = run_lone(&project.dir, &["--agent", GIVES_UP, "--max-iterations", "2"]);
    assert_eq!(said.code, 4, "{}{}", said.stdout, said.stderr);
    assert!(!project.read("prompt-1").contains("# Earlier attempts"));
    let second = project.read("prompt-2");
    let told = "# Earlier attempts\n\nThis feature was tried before, without success. Do not repeat what failed:\n\n\
                - Attempt 1: not finished: the agent ended; `grep -q hello greeting` is red (exit 1)";
    assert!(second.contains(told), "{second}");
    assert!(second.contains("What attempt 1 left red: `grep -q hello greeting`, exit code 1\n"), "{second}");
    let words = "The note that was left for you:\n\n    It left no note; its last words were:\n    \
                 I looked for the parser.\n    [redacted]\n    It is not there.\n";
    assert!(second.contains(words), "{second}");
}

#[test]
fn what_was_stopped_leaves_no_words() {
    let project = Project::plain(ONE);
    let said = run_lone(&project.dir, &["--agent", "exec:echo bye; kill -9 $$", "--max-iterations", "1"]);
    assert_eq!(said.code, 4, "{}{}", said.stdout, said.stderr);
    assert_eq!(project.store.note(FeatureId(1)).unwrap(), None);
}

#[test]
fn a_feature_that_passed_is_repaired_from_its_evidence() {
    let project = Project::plain(ONE);
    let built = run_lone(&project.dir, &["--agent", "exec:echo hello > greeting"]);
    assert_eq!(built.code, 0, "{}{}", built.stdout, built.stderr);
    project.write("greeting", "good bye");
    // A tester that sees nothing: the check does.
    let tested = run_lone(&project.dir, &["--role", "testing", "--agent", "exec:cat > test-prompt"]);
    assert_eq!(tested.code, 4, "{}{}", tested.stdout, tested.stderr);
    assert!(project.read("test-prompt").starts_with("You are a testing agent."));
    assert_eq!(project.store.feature(FeatureId(1)).unwrap().status, Status::Pending);
    let repaired = run_lone(&project.dir, &["--agent", "exec:cat > repair-prompt; echo hello > greeting"]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let prompt = project.read("repair-prompt");
    assert!(
        prompt.starts_with("You are a coding agent. A feature of this project that worked is broken."),
        "{prompt}"
    );
    assert!(prompt.contains("# What is broken\n\n`grep -q hello greeting` is red (exit 1)"), "{prompt}");
    assert!(prompt.contains("\n`grep -q hello greeting`, exit code 1\n"), "{prompt}");
}

#[test]
fn a_tester_that_finds_nothing_confirms_and_changes_nothing() {
    let project = Project::plain(ONE);
    assert_eq!(run_lone(&project.dir, &["--agent", "exec:echo hello > greeting"]).code, 0);
    let tested = run_lone(&project.dir, &["--role", "testing", "--agent", "exec:true"]);
    assert_eq!(tested.code, 0, "{}{}", tested.stdout, tested.stderr);
    assert!(tested.stdout.contains("#1 greet  confirmed\n"), "{}", tested.stdout);
    let facts = project.facts(1);
    assert_eq!(facts.last().unwrap(), "attempt: confirmed", "{facts:?}");
    let before = facts.iter().filter(|fact| fact.starts_with("checked Before"));
    assert_eq!(before.count(), 1, "a tester's checks are run after it: {facts:?}");
    let feature = project.store.feature(FeatureId(1)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (Status::Passing, 0));
}

#[test]
fn an_initializer_has_a_server_for_planning_and_no_feature() {
    let project = Project::plain(ONE);
    project.write("app_spec.txt", "It greets.");
    let agent = "exec:cat > prompt; cp $COGWORK_MCP_CONFIG config; env > environment";
    let said = run_lone(&project.dir, &["--role", "initializer", "--agent", agent]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("nothing is new: the project has 1 feature\n"), "{}", said.stdout);
    assert!(project.read("prompt").starts_with("You plan a project"));
    let config: serde_json::Value = serde_json::from_str(&project.read("config")).unwrap();
    let args = config["mcpServers"]["features"]["args"].as_array().unwrap();
    assert!(args.windows(2).any(|pair| pair == ["--role", "initializer"]), "{args:?}");
    assert!(args.iter().all(|arg| arg != "--features"), "{args:?}");
    let environment = project.read("environment");
    assert!(
        environment.contains("COGWORK_SESSION=1\n") && !environment.contains("COGWORK_TOKEN"),
        "{environment}"
    );
}

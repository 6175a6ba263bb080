//! From a specification to features, by a scripted agent through a real MCP server; and what agents are told.

use std::fs;
use std::process::Output;

use cogwork_schemas::{FeatureId, Role, SessionOutcome};
use serde_json::{Value, json};

use crate::place::Place;

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A git repository with a specification, and a script beside it.
fn specified(script: &str) -> (Place, String) {
    let place = Place::empty();
    fs::create_dir(&place.dir).unwrap();
    fs::write(place.dir.join("app_spec.md"), "It greets, and it says good bye.\n").unwrap();
    place.git(&["init", "--quiet", "--initial-branch", "main"]);
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "--message", "first commit"]);
    let file = place.dir.parent().unwrap().join("script.toml");
    fs::write(&file, script).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (place, file)
}

/// Two features, both with checks of their own.
const PLAN: &str = r#"
[[plan]]
move = "call"
tool = "feature_create_bulk"
arguments = { features = [
  { key = "greet", category = "core", name = "Greet", description = "Says hello.", steps = [], checks = [{ command = "grep -q hello said" }] },
  { key = "leave", category = "core", name = "Leave", description = "Says good bye.", steps = [], checks = [{ command = "grep -q bye said" }], depends_on = ["greet"] },
] }
[[greet]]
move = "append"
path = "said"
content = "hello\n"
[[leave]]
move = "append"
path = "said"
content = "good bye\n"
"#;

fn names(place: &Place) -> Vec<String> {
    place.store().features().unwrap().into_iter().map(|feature| feature.name).collect()
}

#[test]
fn a_specification_becomes_features_and_planning_again_makes_nothing_twice() {
    let (place, script) = specified(PLAN);
    let args = ["plan", "--agent", "scripted", "--script", &script];
    let said = text(&place.cogwork(&args));
    assert!(said.contains("  > feature_create_bulk"), "{said}");
    assert!(said.contains("\nplanned: 2 features\n"), "{said}");
    assert!(!said.contains("look at these"), "{said}");
    let store = place.store();
    let features = store.features().unwrap();
    assert_eq!(features[1].dependencies, [FeatureId(1)]);
    assert_eq!(features[0].checks[0].command, "grep -q hello said");
    assert_eq!(store.live_sessions().unwrap(), []);
    let again: Value =
        serde_json::from_str(&text(&place.cogwork(&[&args[..], &["--json"]].concat()))).unwrap();
    assert_eq!(again, json!({"created": [], "total": 2, "rounds": 1, "findings": []}));
    assert_eq!(names(&place), ["Greet", "Leave"]);
    // What was planned can be built.
    let run = place.cogwork(&["run", "--agent", "scripted", "--script", &script]);
    assert!(text(&run).contains("2 features: 2 proven"), "{run:?}");
}

#[test]
fn a_run_of_a_project_without_features_plans_first() {
    let (place, script) = specified(PLAN);
    let run = text(&place.cogwork(&["run", "--agent", "scripted", "--script", &script]));
    assert!(run.starts_with("the project has no features: planning them from app_spec.md\n"), "{run}");
    assert!(run.contains("\nplanned: 2 features\n") && run.contains("2 features: 2 proven"), "{run}");
    let (place, script) = specified(PLAN);
    let json = text(&place.cogwork(&["run", "--json", "--agent", "scripted", "--script", &script]));
    for line in json.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert_eq!(names(&place), ["Greet", "Leave"]);
}

#[test]
fn a_run_that_could_not_land_anything_does_not_plan_either() {
    let (place, script) = specified(PLAN);
    fs::write(place.dir.join("mess"), "not committed").unwrap();
    let told = failed(&place.cogwork(&["run", "--agent", "scripted", "--script", &script]), 1);
    assert!(told.contains("has changes that are not committed: mess"), "{told}");
    assert_eq!(names(&place), Vec::<String>::new());
}

#[test]
fn more_is_added_to_what_is_there() {
    let (place, script) = specified(PLAN);
    text(&place.cogwork(&["plan", "--agent", "scripted", "--script", &script]));
    let more = place.dir.join("more.md");
    fs::write(&more, "It can be asked who it is.\n").unwrap();
    fs::write(
        &script,
        r#"
        [[plan]]
        move = "call"
        tool = "feature_create"
        arguments = { key = "who", category = "core", name = "Say who", description = "No check: nobody knows.", steps = [], depends_on = ["greet"] }
        "#,
    )
    .unwrap();
    let spec = more.to_str().unwrap();
    let shown = text(&place.cogwork(&["prompt", "show", "--role", "initializer", "--spec", spec]));
    assert!(shown.contains("- 1 `greet` Greet (core, pending)\n"), "{shown}");
    assert!(shown.ends_with("# The specification, from more.md\n\nIt can be asked who it is.\n"), "{shown}");
    let said = text(&place.cogwork(&["plan", "--spec", spec, "--agent", "scripted", "--script", &script]));
    assert!(said.contains("\nadded: 1 feature, the project has 3: #3\n"), "{said}");
    // The session was told just what was shown.
    let sessions = place.dir.join(".cogwork/sessions");
    assert_eq!(fs::read_to_string(sessions.join("s2/prompt.md")).unwrap(), shown);
}

#[test]
fn what_is_wrong_with_a_plan_is_repaired_in_a_second_round_or_told() {
    let poor = r#"
    [[plan]]
    move = "call"
    tool = "feature_create_bulk"
    arguments = { features = [
      { key = "greet", category = "core", name = "Greet", description = "Says hello.", steps = [] },
      { key = "leave", category = "core", name = "Leave", description = "Says bye.", steps = [], checks = [{ command = "true" }] },
      { key = "leave-2", category = "core", name = "leave!", description = "Says bye.", steps = [], checks = [{ command = "test -f x" }] },
    ] }
    [[replan]]
    move = "call"
    tool = "feature_set_checks"
    arguments = { feature_id = 1, checks = [{ command = "grep -q hello said" }] }
    "#;
    let (place, script) = specified(poor);
    let said = text(&place.cogwork(&["plan", "--agent", "scripted", "--script", &script]));
    assert!(said.contains("\n3 features were made; a second round repairs 2 findings\n"), "{said}");
    let left = "look at these before you run it:\n\
                - #2 Leave: the check `true` is green whatever happens; give it one that can be red\n\
                - #2, #3 are the same by name or key (Leave): delete all but one\n";
    assert!(said.contains(left), "{said}");
    assert_eq!(place.store().feature(FeatureId(1)).unwrap().checks[0].command, "grep -q hello said");
    let second = fs::read_to_string(place.dir.join(".cogwork/sessions/s2/prompt.md")).unwrap();
    assert!(
        second.contains("# Second round\n") && second.contains("- #1 Greet: it has no check; "),
        "{second}"
    );
    assert!(!second.contains("delete all but one"), "that is for a person: {second}");
}

#[test]
fn no_plan_is_an_error_in_one_sentence() {
    let place = Place::empty();
    fs::create_dir(&place.dir).unwrap();
    let plan = |agent: &str| place.cogwork(&["plan", "--agent", agent, "--max-session-s", "2"]);
    let told = failed(&plan("exec:true"), 2);
    assert!(
        told.starts_with(
            "error: there is no specification: write what the program should do into app_spec.md"
        ),
        "{told}"
    );
    assert!(!place.dir.join(".cogwork").exists(), "nothing is made for a mistake");
    fs::write(place.dir.join("app_spec.txt"), "It greets.").unwrap();
    let told = failed(&plan("exec:echo I made 20 features."), 1);
    assert!(
        told.starts_with("error: the agent ended without making a single feature from app_spec.txt: "),
        "{told}"
    );
    let told = failed(&plan("exec:echo no >&2; exit 3"), 1);
    assert_eq!(
        told,
        "error: the plan is not finished: the agent ended with exit code 3: no; no feature was made\n"
    );
    let told = failed(&plan("exec:sleep 60"), 1);
    assert!(told.contains("the agent was stopped after 2 s, the session's limit"), "{told}");
    assert_eq!(place.store().live_sessions().unwrap(), []);
}

#[test]
fn a_planning_agent_can_make_features_and_nothing_else() {
    for (tool, arguments) in [
        ("feature_claim_and_get", "{}"),
        ("feature_mark_passing", "{ feature_id = 1 }"),
        ("feature_skip", "{ feature_id = 1 }"),
    ] {
        let (place, script) = specified(&format!(
            "{PLAN}\n[[plan]]\nmove = \"call\"\ntool = \"{tool}\"\narguments = {arguments}\n"
        ));
        let told = failed(&place.cogwork(&["plan", "--agent", "scripted", "--script", &script]), 1);
        assert!(
            told.contains("2 features were made and are kept, planning again goes on from there"),
            "{told}"
        );
        assert!(told.contains(tool), "{told}");
    }
}

#[test]
fn a_planning_session_that_was_killed_is_over_for_the_next_one() {
    let (place, script) = specified(PLAN);
    fs::create_dir_all(place.dir.join(".cogwork")).unwrap();
    let mut hung = place.command(&["plan", "--agent", "exec:sleep 1000"]).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !place.dir.join(".cogwork/sessions/s1/prompt.md").exists() {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    hung.kill().unwrap();
    hung.wait().unwrap();
    let live = place.store().live_sessions().unwrap();
    assert_eq!(live.iter().map(|session| session.role).collect::<Vec<_>>(), [Role::Initializer]);
    text(&place.cogwork(&["plan", "--agent", "scripted", "--script", &script]));
    assert_eq!(place.store().live_sessions().unwrap(), []);
    let ended = place.store().journal_since(0, 1000).unwrap();
    let first = ended.iter().find_map(|entry| match &entry.fact {
        cogwork_schemas::Fact::SessionEnded { result, .. } => Some(result.clone()),
        _ => None,
    });
    assert_eq!(first, Some(SessionOutcome::Stopped));
}

#[test]
fn the_prompt_that_is_shown_is_the_prompt_that_is_given() {
    let list = json!({"features": [
        {"key": "one", "name": "One", "checks": ["test -f one"]},
        {"key": "two", "name": "Two", "dependencies": ["one"], "checks": ["test -f two"]},
    ]});
    let place = Place::with_features(&list);
    fs::write(place.dir.join("Makefile"), "test:\n").unwrap();
    place.git(&["add", "Makefile"]);
    place.git(&["commit", "--quiet", "--message", "make"]);
    // Ignored, and so in no workspace.
    fs::write(place.dir.join(".git/info/exclude"), "Cargo.toml\n").unwrap();
    fs::write(place.dir.join("Cargo.toml"), "").unwrap();
    for (session, extra) in [(1, &[][..]), (2, &["--yolo"])] {
        let shown = text(&place.cogwork(&[&["prompt", "show", "--feature", "1"], extra].concat()));
        let run = [&["run", "--agent", "exec:echo I tried.", "--attempts", "1", "--concurrency", "1"], extra]
            .concat();
        let ran = place.cogwork(&run);
        assert_eq!(ran.status.code(), Some(4), "{ran:?}");
        let given = place.dir.join(format!(".cogwork/sessions/s{session}/prompt.md"));
        assert_eq!(fs::read_to_string(given).unwrap(), shown);
        assert!(shown.contains("`make test` (Makefile)"), "{shown}");
        assert_eq!(shown.contains("I tried."), session == 2, "{shown}");
        assert_eq!(shown.contains("Do not run them yourself"), session == 2);
        text(&place.cogwork(&["retry", "1"]));
    }
    let role = |role: &str| text(&place.cogwork(&["prompt", "show", "--role", role, "--feature", "2"]));
    assert!(role("testing").starts_with("You are a testing agent."));
    assert!(role("review").starts_with("You review the work"));
    let told = failed(&place.cogwork(&["prompt", "show"]), 2);
    assert!(told.starts_with("error: which feature is it about?"), "{told}");
    let own = place.dir.join(".cogwork/prompts");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("coding.md"), "Build {{ feature.nam }}.").unwrap();
    let told = failed(&place.cogwork(&["prompt", "show", "--feature", "1"]), 1);
    assert!(told.contains("coding.md` is wrong in line 1: it uses `feature.nam`, which does not exist; `feature` has id, key,"), "{told}");
}

#[test]
fn the_limit_of_attempts_reaches_the_server_of_each_session() {
    let script = r#"
    [[greet]]
    move = "call"
    tool = "feature_clear_in_progress"
    arguments = { feature_id = 1, reason = "no key", note = "Ask for a key first." }
    "#;
    let place = Place::with_features(&json!({"features": [{"key": "greet", "name": "Greet"}]}));
    let file = place.dir.parent().unwrap().join("script.toml");
    fs::write(&file, script).unwrap();
    let args = ["run", "--agent", "scripted", "--script", file.to_str().unwrap(), "--attempts", "1"];
    assert_eq!(place.cogwork(&args).status.code(), Some(3));
    let feature = place.store().feature(FeatureId(1)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (cogwork_schemas::Status::Parked, 1));
    let shown = text(&place.cogwork(&["show", "1"]));
    assert!(shown.contains("\n  a note for the next attempt\n    Ask for a key first.\n"), "{shown}");
}

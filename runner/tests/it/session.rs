//! One session in a workspace, as an orchestrator starts it.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use cogwork_schemas::{
    AttemptOutcome, CheckPhase, FeatureId, Isolation, Proof, RunnerEvent, SessionOutcome, Status,
};
use cogwork_session::{AgentSpec, SessionLimits};
use cogwork_store::{AttemptLimits, handed_in_ref};

use crate::project::Project;
use crate::runner::{Session, is_agent_up, shell, started, until};

const ONE: &str = r#"[{"name": "greet", "steps": ["say hello"], "checks": ["grep -q hello greeting"]}]"#;

#[test]
fn a_finished_feature_is_submitted_from_its_workspace() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = "cat > /dev/null; echo hello > greeting; echo $COGWORK_FEATURES in $PWD; echo warn >&2";
    let over = Session::start(&project.command(1, &claim, agent)).end();

    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert!(over.status.success());
    let workspace = project.workspace(&claim);
    assert_eq!(over.said(), [format!("1 in {}", workspace.display())]);
    let kinds: Vec<String> = over.events.iter().map(kind).collect();
    let expected = ["up", "prepared", "checked before red (exit 2)", "agent_started"];
    assert_eq!(kinds[..4], expected);
    assert_eq!(kinds[6..], ["checked after green", "resources", "ended"]);

    // What the agent left is a commit of the project, and that is what is submitted. The workspace stays as it is.
    let attempt = project.store.attempt(&claim.token).unwrap();
    let submitted = attempt.submitted.unwrap();
    assert_eq!(shell(&workspace, "git status --short; git log --format=%s").stdout, b"?? greeting\nfirst\n");
    let name = handed_in_ref(attempt.id);
    let log = shell(&project.dir, &format!("git log --format='%H %s' {name}; git show {name}:greeting"));
    let log = String::from_utf8(log.stdout).unwrap();
    let commit = submitted.commit.unwrap();
    let base = attempt.base.unwrap();
    let subject = "#1 greet: what the agent left uncommitted";
    assert_eq!(log, format!("{commit} {subject}\n{base} first\nhello\n"));
    assert_eq!(submitted.proof, Proof::RedGreen);
    // The main branch is not this process's business, nor is the attempt's end.
    assert_eq!(shell(&project.dir, "git log --format=%s").stdout, b"first\n");
    assert_eq!(project.store.feature(FeatureId(1)).unwrap().status, Status::Claimed);
    assert!(project.store.live_sessions().unwrap().is_empty());
    assert_eq!(
        project.facts(1),
        [
            "created",
            "session_started",
            "claimed",
            "session_up",
            "checked Before red (exit 2)",
            "checks_red",
            "checked After green",
            "checks_green",
            "session: the agent ended",
        ]
    );
    // The journal is what was said, to the last line.
    let journal = std::fs::read_to_string(project.session_file(&claim, "journal.ndjson")).unwrap();
    assert_eq!(journal.lines().count(), over.events.len());
    assert!(journal.lines().last().unwrap().contains("\"ended\""));
}

fn kind(event: &RunnerEvent) -> String {
    if let RunnerEvent::Checked { phase, report, .. } = event {
        let phase = serde_json::to_value(phase).unwrap();
        return format!("checked {} {}", phase.as_str().unwrap(), report.verdict);
    }
    serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned()
}

#[test]
fn an_agent_gets_its_prompt_its_configuration_and_no_more_of_the_environment_than_it_needs() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command =
        project.command(1, &claim, "cat > prompt; env > environment; cp $COGWORK_MCP_CONFIG config");
    command.pass_env = vec!["CARGO_PKG_NAME".into()];
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    let workspace = project.workspace(&claim);
    let read = |name: &str| std::fs::read_to_string(workspace.join(name)).unwrap();

    let prompt = read("prompt");
    assert!(prompt.contains("# Feature 1: greet") && prompt.contains("grep -q hello greeting"), "{prompt}");
    assert!(!prompt.contains(claim.token.reveal()), "a prompt holds no secret");
    assert_eq!(prompt, std::fs::read_to_string(project.session_file(&claim, "prompt.md")).unwrap());

    let environment = read("environment");
    for line in [
        format!("COGWORK_PROJECT={}", project.dir.display()),
        format!("PROJECT_DIR={}", project.dir.display()),
        format!("COGWORK_SESSION={}", claim.session.0),
        "COGWORK_FEATURES=1".to_owned(),
        format!("COGWORK_TOKEN={}", claim.token.reveal()),
        format!("COGWORK_MCP_CONFIG={}", project.session_file(&claim, "mcp.json").display()),
        format!("COGWORK_MARKER={}/.cogwork#{}", project.dir.display(), claim.session),
        format!("COGWORK_WORKSPACE={}", workspace.display()),
    ] {
        assert!(environment.lines().any(|have| have == line), "{line} is not in {environment}");
    }
    // Cargo gives these to the test, which gives all it may to the runner.
    assert!(environment.contains("CARGO_PKG_NAME=") && !environment.contains("CARGO_MANIFEST_DIR="));

    let config = project.session_file(&claim, "mcp.json");
    assert_eq!(std::fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    let config: serde_json::Value = serde_json::from_str(&read("config")).unwrap();
    let server = &config["mcpServers"]["features"];
    assert_eq!((server["type"].as_str(), server["alwaysLoad"].as_bool()), (Some("stdio"), Some(true)));
    let dir = project.dir.to_str().unwrap();
    let args = ["--project-dir", dir, "--role", "coding", "--max-attempts", "3", "--features", "1"];
    let granted = ["--pass-env", "CARGO_PKG_NAME"];
    assert_eq!(server["args"], serde_json::json!([&args[..], &granted].concat()));
    assert_eq!(server["env"]["COGWORK_TOKEN"], claim.token.reveal());
}

#[test]
fn a_check_runs_what_an_agent_wrote_and_so_sees_no_token() {
    let check = r#"test -z "$COGWORK_TOKEN" && test -n "$COGWORK_MARKER" && test -f done"#;
    let project = Project::git(&serde_json::json!([{"name": "a", "checks": [check]}]).to_string());
    let claim = project.claim(1);
    Session::start(&project.command(1, &claim, "test -n \"$COGWORK_TOKEN\" && echo > done")).end();
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
}

#[test]
fn red_checks_are_not_submitted_whatever_the_agent_says() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let over =
        Session::start(&project.command(1, &claim, "echo All checks pass. The feature is done.")).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert_eq!(project.store.attempt(&claim.token).unwrap().submitted, None);
    let facts = project.facts(1);
    let end = ["checked After red (exit 2)", "note_left", "session: the agent ended"];
    assert_eq!(facts[facts.len() - 3..], end);
}

#[test]
fn green_checks_are_submitted_whatever_the_exit_code_says() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let over =
        Session::start(&project.command(1, &claim, "echo hello > greeting; echo oops >&2; exit 3")).end();
    let failed = SessionOutcome::Failed { exit_code: 3, stderr_tail: "oops\n".into() };
    assert_eq!(over.outcome(), &failed);
    assert!(over.status.success(), "the runner did its part");
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
}

#[test]
fn a_feature_without_checks_is_not_taken_for_done() {
    let project = Project::git(r#"[{"name": "greet"}]"#);
    let claim = project.claim(1);
    let over = Session::start(&project.command(1, &claim, "echo hello > greeting")).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert_eq!(project.store.attempt(&claim.token).unwrap().submitted, None);
}

#[test]
fn what_a_check_leaves_lying_about_is_not_committed_as_work() {
    let project =
        Project::git(r#"[{"name": "a", "checks": ["echo x > made-by-check; echo y >> README; test -f a"]}]"#);
    let claim = project.claim(1);
    let agent = "git status --short; cat README; echo > a; git add a; git commit -q -m mine";
    let over = Session::start(&project.command(1, &claim, agent)).end();
    assert_eq!(over.said(), ["old"]);
    let files = shell(&project.workspace(&claim), "git ls-tree --name-only HEAD; git log --format=%s");
    assert_eq!(String::from_utf8(files.stdout).unwrap(), "README\na\nmine\nfirst\n");
}

#[test]
fn a_workspace_starts_from_the_commit_it_is_told_to() {
    let project = Project::git(ONE);
    let base = shell(&project.dir, "git rev-parse HEAD").stdout;
    let base = String::from_utf8(base).unwrap().trim().to_owned();
    shell(
        &project.dir,
        "echo later > later && git add later && git -c user.name=A -c user.email=a@b.c commit -qm l",
    );
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "ls");
    command.base = Some(base);
    let over = Session::start(&command).end();
    assert_eq!(over.said(), ["README"]);
}

#[test]
fn a_project_without_git_has_no_workspaces() {
    let project = Project::plain(ONE);
    let claim = project.claim(1);
    let over = Session::start(&project.command(1, &claim, "echo hello > greeting")).end();
    let SessionOutcome::NotStarted { reason } = over.outcome() else { panic!("{:?}", over.outcome()) };
    assert!(reason.starts_with("no workspace: "), "{reason}");

    let again = Project::plain(ONE);
    let claim = again.claim(1);
    let mut command = again.command(1, &claim, "echo hello > greeting");
    command.isolation = Isolation::Shared;
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert_eq!(again.store.attempt(&claim.token).unwrap().submitted.unwrap().commit, None);
}

#[test]
fn an_agent_that_is_not_there_is_an_outcome_with_a_reason() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "");
    command.agent = AgentSpec::Codex;
    command.settings.program = Some("/no/such/codex".into());
    let over = Session::start(&command).end();
    assert_eq!(
        over.outcome().to_string(),
        "the agent could not be started: there is no program `/no/such/codex`: install it, or check its name and the PATH"
    );
    assert!(project.store.live_sessions().unwrap().is_empty());
}

#[test]
fn a_stale_token_is_refused_before_anything_is_done() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    project.store.end_attempt(&claim.token, &AttemptOutcome::Stopped, &AttemptLimits::default()).unwrap();
    let before = project.facts(1);
    let over = Session::start(&project.command(1, &claim, "echo hello > greeting")).end();
    assert_eq!(over.status.code(), Some(1));
    assert!(over.events.is_empty(), "{:?}", over.events);
    assert!(!project.workspace(&claim).exists());
    assert_eq!(project.facts(1), before);
}

#[test]
fn a_token_of_another_feature_is_refused() {
    let project = Project::git(r#"[{"name": "a"}, {"name": "b"}]"#);
    let (one, two) = (project.claim(1), project.claim(2));
    let over = Session::start(&project.command(1, &two, "true")).end();
    assert_eq!(over.status.code(), Some(1));
    let mut command = project.command(1, &one, "true");
    command.session = two.session;
    assert_eq!(Session::start(&command).end().status.code(), Some(1));
    assert_eq!(project.store.live_sessions().unwrap().len(), 2, "nobody's session was ended");
}

#[test]
fn a_claim_that_is_lost_on_the_way_stops_the_agent_and_changes_nothing_more() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo hello > greeting; exec sleep 60");
    command.limits = SessionLimits { lease_s: 1, ..SessionLimits::default() };
    let session = Session::start(&command);
    session.until(is_agent_up);
    project.store.end_attempt(&claim.token, &AttemptOutcome::Expired, &AttemptLimits::default()).unwrap();
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    assert!(over.status.success());
    let facts = project.facts(1);
    assert_eq!(facts[facts.len() - 2..], ["attempt: expired", "session: the agent was stopped"]);
    let checked =
        |phase| over.events.iter().any(|e| matches!(e, RunnerEvent::Checked { phase: p, .. } if *p == phase));
    let told = over.events.iter().filter(|event| !matches!(event, RunnerEvent::Alive)).count();
    assert!(checked(CheckPhase::Before) || told < 3, "{:#?}", over.events);
    assert!(!checked(CheckPhase::After), "the green work of a zombie is not even looked at");
}

#[test]
fn a_claim_is_kept_while_a_check_takes_longer_than_the_lease() {
    let project = Project::git(r#"[{"name": "slow", "checks": ["sleep 1.6; test -f done"]}]"#);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo > done");
    command.limits = SessionLimits { lease_s: 1, ..SessionLimits::default() };
    let session = Session::start(&command);
    session.until(|event| matches!(event, RunnerEvent::Prepared { .. }));
    let mut seen = 0;
    until("the session is over", || {
        assert_eq!(project.store.reap(&AttemptLimits::default()).unwrap(), []);
        seen += 1;
        project.store.attempt(&claim.token).unwrap().submitted.is_some()
    });
    assert!(seen > 10);
    assert_eq!(session.end().outcome(), &SessionOutcome::Completed);
}

#[test]
fn nobody_reading_is_no_reason_to_panic_but_to_stop() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    // A reader that takes the first line and goes away.
    let mut child =
        started(&project.command(1, &claim, "while :; do echo tick; sleep 0.05; done"), Stdio::piped());
    let stdout = child.stdout.take().unwrap();
    let mut first = String::new();
    let mut reader = std::io::BufReader::new(stdout);
    std::io::BufRead::read_line(&mut reader, &mut first).unwrap();
    assert!(first.contains("\"up\""), "{first}");
    drop(reader);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status:?}");
    let facts = project.facts(1);
    assert_eq!(facts.last().unwrap(), "session: the agent was stopped");
}

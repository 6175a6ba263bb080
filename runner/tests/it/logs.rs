//! What a session has written down: read by a person while it runs and after it, and played again.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};

use cogwork_schemas::{RunnerMessage, SessionOutcome};
use cogwork_session::{AgentSpec, SessionCommand, SessionLimits};
use cogwork_store::Claim;

use crate::project::Project;
use crate::runner::{
    Said, Session, below_warden, binary, is_agent_up, logs, said, shell, signal, started, until,
};

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

fn show(project: &Project, args: &[&str]) -> Said {
    said(logs(binary(), &project.dir, args).output().unwrap())
}

/// Plays the session again and expects the outcome that it had.
#[track_caller]
fn assert_replays(project: &Project, claim: &Claim, outcome: &SessionOutcome) {
    let replay = show(project, &[&claim.session.to_string(), "--replay"]);
    assert_eq!((replay.code, replay.stderr.as_str()), (0, ""), "{}", replay.stdout);
    let (same, found) = replay.stdout.trim_end().split_once(" steps: ").unwrap();
    assert!(same.starts_with("the same outcome after "), "{same}");
    assert_eq!(found, outcome.to_string());
}

/// A session of `agent` to its end.
fn session(
    project: &Project,
    agent: &str,
    change: impl FnOnce(&mut SessionCommand),
) -> (Claim, SessionOutcome) {
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, agent);
    change(&mut command);
    let over = Session::start(&command).end();
    (claim, over.outcome().clone())
}

#[test]
fn every_way_to_end_is_played_again_to_the_same_outcome() {
    let limited = |limits: SessionLimits| move |command: &mut SessionCommand| command.limits = limits;
    let brief = SessionLimits { max_session_s: 1, ..SessionLimits::default() };
    let quiet = SessionLimits { max_silence_s: 1, ..SessionLimits::default() };
    let idle = SessionLimits { max_idle_s: 1, ..SessionLimits::default() };
    let tick = "while :; do echo tick; sleep 0.05; done";
    let dots = "while :; do printf .; sleep 0.05; done";
    for (agent, limits, word) in [
        ("echo hello > greeting", SessionLimits::default(), "completed"),
        ("echo $COGWORK_TOKEN >&2; exit 3", SessionLimits::default(), "failed"),
        ("kill -9 $$", SessionLimits::default(), "killed"),
        (tick, brief, "timed_out"),
        ("exec sleep 60", quiet, "silent"),
        (dots, idle, "no_progress"),
    ] {
        let project = Project::git(ONE);
        let (claim, outcome) = session(&project, agent, limited(limits));
        assert_eq!(serde_json::to_value(&outcome).unwrap()["outcome"], word);
        assert_replays(&project, &claim, &outcome);
        let record = project.read(project.session_file(&claim, "machine.ndjson"));
        assert!(!record.contains(claim.token.reveal()), "{record}");
    }
}

#[test]
fn a_session_that_was_stopped_or_left_alone_is_played_again() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut stopped = Session::start(&project.command(1, &claim, "exec sleep 60"));
    stopped.until(is_agent_up);
    stopped.say(r#"{"control":"stop"}"#);
    assert_eq!(stopped.end().outcome(), &SessionOutcome::Stopped);
    assert_replays(&project, &claim, &SessionOutcome::Stopped);

    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut orphan = Session::start(&project.command(1, &claim, "exec sleep 60"));
    orphan.until(is_agent_up);
    orphan.hang_up();
    assert_eq!(orphan.end().outcome(), &SessionOutcome::Stopped);
    assert_replays(&project, &claim, &SessionOutcome::Stopped);
}

/// Meets its usage limit in its first life, which resets two seconds later, and works in its second.
fn limited_agent(project: &Project) -> std::path::PathBuf {
    let up = r#"{"type":"system","subtype":"init","session_id":"abc","model":"m","claude_code_version":"9"}"#;
    let path = project.write(
        "claude",
        &format!(
            r#"#!/bin/sh
cat > /dev/null
echo '{up}'
case "$*" in
*--resume*)
    echo hello > greeting
    echo '{{"type":"result","subtype":"success","is_error":false,"result":"done","total_cost_usd":0.25}}' ;;
*)
    echo '{{"type":"rate_limit_event","rate_limit_info":{{"status":"rejected","resetsAt":'$(($(date +%s) + 2))',"rateLimitType":"five_hour"}}}}'
    echo '{{"type":"result","subtype":"success","is_error":true,"result":"limit","total_cost_usd":0.5}}'
    exit 1 ;;
esac
"#
        ),
    );
    assert!(shell(&project.dir, "chmod +x claude").status.success());
    path
}

#[test]
fn a_limit_that_was_waited_for_is_played_again_without_waiting() {
    let project = Project::git(ONE);
    let program = limited_agent(&project);
    let (claim, outcome) = session(&project, "", |command| {
        command.agent = AgentSpec::Claude;
        command.settings.program = Some(program.into());
        command.limits = SessionLimits { limit_jitter_s: 0, ..SessionLimits::default() };
    });
    assert_eq!(outcome, SessionOutcome::Completed);
    assert_replays(&project, &claim, &outcome);
    let page = show(&project, &[]).stdout;
    assert!(page.contains("usage limit (five_hour) was reached; it resets at "), "{page}");
    assert!(page.contains("  agent     2 lives, 0 tool calls, 0.75 USD\n"), "{page}");
}

#[test]
fn a_record_that_was_changed_is_told_and_an_old_one_refused() {
    let project = Project::git(ONE);
    let (claim, _) = session(&project, "echo hello > greeting", |_| {});
    let path = project.session_file(&claim, "machine.ndjson");
    let record = project.read(&path);
    let changed = |from: &str, to: &str| {
        assert!(record.contains(from), "{record}");
        std::fs::write(&path, record.replacen(from, to, 1)).unwrap();
        let said = show(&project, &["--replay"]);
        assert_eq!(said.code, 1, "{}", said.stdout);
        said.stdout
    };
    let differs = changed(
        "{\"outcome\":\"completed\"},\"can_resume\"",
        "{\"outcome\":\"context_full\"},\"can_resume\"",
    );
    assert!(differs.starts_with("not the same: line "), "{differs}");
    assert!(differs.contains(" differs: after AgentExited(Death { outcome: ContextFull"), "{differs}");
    let other = changed("\"form\":1", "\"form\":0");
    assert_eq!(
        other,
        "the record of session s1 cannot be played by this version: its form is 0, and this version of Cogwork reads form 1\n"
    );
    let cut = changed(&format!("{}\n", record.lines().last().unwrap()), "{\"record\":\"st");
    assert!(cut.starts_with("no outcome: the record ends after "), "{cut}");
    std::fs::remove_file(&path).unwrap();
    let none = show(&project, &["--replay"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""));
    assert!(none.stderr.contains("session s1 has no record that could be played again"), "{}", none.stderr);
    std::fs::write(&path, record).unwrap();
    let journal = project.session_file(&claim, "journal.ndjson");
    let text = project.read(&journal).replace("{\"outcome\":\"completed\"}", "{\"outcome\":\"turn_limit\"}");
    std::fs::write(&journal, text).unwrap();
    let other = show(&project, &["--replay"]);
    assert_eq!(other.code, 1);
    assert!(
        other.stdout.contains("the session's was: the agent took as many turns as it may"),
        "{}",
        other.stdout
    );
}

#[test]
fn a_session_is_shown_with_its_times_its_evidence_and_its_outcome() {
    let project = Project::git(ONE);
    let agent = "echo hello > greeting; printf 'a\\033[2J\\033]0;title\\007b\\302\\2331mc\\n'";
    let (claim, _) = session(&project, agent, |_| {});
    let page = show(&project, &["s1"]);
    assert_eq!((page.code, page.stderr.as_str()), (0, ""));
    assert!(!page.stdout.chars().any(|c| c.is_control() && c != '\n'), "{:?}", page.stdout);
    for line in [
        "| a[2J]0;titleb1mc",
        "before: `grep -q hello greeting` is red (exit 2)",
        "after: `grep -q hello greeting` is green",
        "of them the agent's: the agent ended\n",
        "  attempt   1 of #1: handed in, waits to land\n",
        "  evidence  before the work: 0 of 1 checks green\n  evidence  after the work: 1 of 1 checks green\n",
        "  machine   at most ",
    ] {
        assert!(page.stdout.contains(line), "{line} is not in {}", page.stdout);
    }
    for (args, same) in [(&["1"][..], true), (&["--feature", "1"], true), (&["--follow"], true)] {
        assert_eq!(show(&project, args).stdout == page.stdout, same, "{args:?}");
    }

    let json = show(&project, &["1", "--json"]).stdout;
    assert!(!json.chars().any(|c| c.is_control() && c != '\n'), "{json:?}");
    let messages = |text: &str| -> Vec<RunnerMessage> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(messages(&json), messages(&project.read(project.session_file(&claim, "journal.ndjson"))));
}

#[test]
fn what_is_not_there_is_said_in_a_sentence() {
    let project = Project::git(ONE);
    for (args, code, sentence) in [
        (&[][..], 1, "there are no sessions in "),
        (&["s7"], 1, "there is no journal of session s7 in "),
        (&["--feature", "1"], 1, "there was no session of feature #1 yet"),
        (&["--feature", "9"], 1, "9"),
        (&["seven"], 2, "sessions are called s1, s2 and so on"),
        (&["1", "--feature", "1"], 2, "cannot be used with"),
        (&["1", "--replay", "--json"], 2, "cannot be used with"),
    ] {
        let said = show(&project, args);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(sentence), "{args:?}: {}", said.stderr);
    }
}

fn follow(project: &Path, stdout: Stdio) -> Child {
    logs(binary(), project, &["--follow"]).stdout(stdout).spawn().unwrap()
}

#[test]
fn a_session_is_followed_to_its_end() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = "echo one; while ! test -e ../go; do sleep 0.05; done; echo two; echo hello > greeting";
    let session = Session::start(&project.command(1, &claim, agent));
    session.until(is_agent_up);
    let mut reader = follow(&project.dir, Stdio::piped());
    let mut stdout = reader.stdout.take().unwrap();
    let (mut seen, mut buffer) = (String::new(), [0; 4096]);
    while !seen.contains("| one\n") {
        let count = stdout.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended before the session: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(reader.try_wait().unwrap().is_none());
    std::fs::write(project.workspace(&claim).parent().unwrap().join("go"), "").unwrap();
    stdout.read_to_string(&mut seen).unwrap();
    assert!(reader.wait().unwrap().success());
    assert!(seen.contains("| two\n") && seen.contains("\nsession s1 ended after "), "{seen}");
    session.end();
}

#[test]
fn a_session_whose_runner_is_killed_is_not_followed_for_ever() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut session = Session::start(&project.command(1, &claim, "echo one; exec sleep 60"));
    session.until(is_agent_up);
    let reader = follow(&project.dir, Stdio::piped());
    signal("KILL", below_warden(session.child.id()));
    session.child.wait().unwrap();
    let said = said(reader.wait_with_output().unwrap());
    assert_eq!(said.code, 0);
    assert!(said.stdout.contains("\nsession s1 has no end: its runner was gone after "), "{}", said.stdout);
    let replay = show(&project, &["--replay"]);
    assert!(replay.stdout.starts_with("no outcome: the record ends after "), "{}", replay.stdout);
    assert_eq!(replay.code, 1);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = Project::git(ONE);
    session(&project, "seq 1 20000", |_| {});
    let mut child = logs(binary(), &project.dir, &[]).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

#[test]
fn a_flood_leaves_its_beginning_its_end_and_a_note_of_what_is_missing() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = "seq -f \"%.0f $(head -c 1000 /dev/zero | tr '\\0' x)\" 1 25000; echo hello > greeting";
    let mut runner = started(&project.command(1, &claim, agent), Stdio::null());
    until("the session has begun", || project.session_file(&claim, "journal.ndjson").exists());
    let followed = follow(&project.dir, Stdio::piped());
    let followed = said(followed.wait_with_output().unwrap());
    assert!(runner.wait().unwrap().success());
    let after = show(&project, &[]);
    for page in [&followed.stdout, &after.stdout] {
        assert!(page.contains("  | 1 x") && page.contains("  | 25000 x"));
        assert!(page.contains("\nsession s1 ended after "));
    }
    assert!(after.stdout.contains(" of the journal are left out: it became too long\n"));
    let size = shell(&project.dir, "cat .cogwork/sessions/s1/journal* | wc -c").stdout;
    let size: u64 = String::from_utf8(size).unwrap().trim().parse().unwrap();
    assert!((9_000_000..17_000_000).contains(&size), "{size}");
    assert_replays(&project, &claim, &SessionOutcome::Completed);
}

#[test]
fn the_files_of_old_sessions_make_room_for_new_ones() {
    let project = Project::git(ONE);
    let sessions = project.dir.join(".cogwork/sessions");
    // Far in the future, so that the session's own files are the oldest and stay because it is live.
    for id in 1000..1250 {
        std::fs::create_dir_all(sessions.join(format!("s{id}"))).unwrap();
    }
    let (claim, _) = session(&project, "true", |_| {});
    assert!(project.session_file(&claim, "journal.ndjson").exists());
    assert_eq!(std::fs::read_dir(&sessions).unwrap().count(), 201);
}

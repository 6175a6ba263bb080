//! What a second terminal asks of a run, and what signals ask: paused, drained, stopped in part or whole, with more slots
//! or fewer. No agent may ask.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cogwork_schemas::{Asker, AttemptOutcome, Command as Asked, Fact, FeatureId, Status};
use rustix::process::Signal;
use serde_json::json;

use crate::place::{Place, assert_sound_journal, kill, signal, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Tells that it is up, waits for its word, and works.
const AGENT: &str = "exec:touch $HOME/up$COGWORK_FEATURES; \
                     until [ -e $HOME/go$COGWORK_FEATURES ] || [ -e $HOME/go ]; do sleep 0.05; done; \
                     echo work > f$COGWORK_FEATURES";

fn place(features: usize) -> Place {
    let feature = |n| json!({"name": format!("feature {n}"), "checks": [format!("test -e f{n}")]});
    Place::with_features(&json!({"features": (1..=features).map(feature).collect::<Vec<_>>()}))
}

fn begin(place: &Place, slots: &str) -> Child {
    place.command(&["run", "--agent", AGENT, "-c", slots]).stdout(Stdio::piped()).spawn().unwrap()
}

fn say(place: &Place, word: &str) {
    fs::write(place.beside(word), "").unwrap();
}

fn is_up(place: &Place, feature: i64) -> bool {
    place.beside(&format!("up{feature}")).exists()
}

fn until_up(place: &Place, features: &[i64]) {
    until("the agents' start", MINUTE, || features.iter().all(|feature| is_up(place, *feature)));
}

/// Asks, and returns what was answered.
fn ask(place: &Place, args: &[&str]) -> String {
    let output = place.cogwork(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Asks for what is refused, and returns why.
fn ask_in_vain(place: &Place, args: &[&str]) -> String {
    let output = place.cogwork(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap().trim_end().to_owned()
}

/// Waits for the end of a run, and returns its exit code and what it printed.
fn end_of_run(mut run: Child) -> (Option<i32>, String) {
    until("the end of the run", MINUTE, || run.try_wait().unwrap().is_some());
    let output = run.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn attempts(place: &Place, feature: i64) -> Vec<AttemptOutcome> {
    let attempts = place.store().attempts_of(FeatureId(feature)).unwrap();
    attempts.into_iter().filter_map(|attempt| attempt.outcome).collect()
}

fn is_passing(place: &Place, feature: i64) -> bool {
    place.store().feature(FeatureId(feature)).unwrap().status == Status::Passing
}

/// What was asked, as the journal has it.
fn recorded_commands(place: &Place) -> Vec<Asked> {
    let commands = place.journal().into_iter().filter_map(|entry| match entry.fact {
        Fact::Commanded { command, .. } => Some(command),
        _ => None,
    });
    commands.collect()
}

/// Long enough for a slot to be given away several times.
fn a_while() {
    std::thread::sleep(Duration::from_millis(1_500));
}

#[test]
fn a_paused_run_starts_nothing_and_lands_what_runs_also_after_it_was_killed() {
    let place = place(4);
    let mut run = begin(&place, "2");
    until_up(&place, &[1, 2]);
    assert_eq!(ask(&place, &["pause"]), "paused: nothing is started; 2 sessions go on");
    let status = ask(&place, &["status"]);
    assert!(status.contains("paused since ") && status.contains("until `cogwork resume`"), "{status}");
    say(&place, "go1");
    until("the landing of 1", MINUTE, || is_passing(&place, 1));
    a_while();
    assert!(!is_up(&place, 3), "nothing is started in a pause");
    kill(&mut run);
    let mut run = begin(&place, "2");
    until("the next run", MINUTE, || ask(&place, &["status"]).contains("a run is under way"));
    a_while();
    assert!(!is_up(&place, 3) && !is_up(&place, 4), "it is still paused");
    assert!(run.try_wait().unwrap().is_none(), "and waits for a word");
    say(&place, "go");
    assert_eq!(ask(&place, &["resume"]), "sessions are started again");
    let (code, text) = end_of_run(run);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(recorded_commands(&place), [Asked::Pause, Asked::Resume]);
    assert_sound_journal(&place.journal());
}

#[test]
fn a_pause_without_a_run_is_ended_without_one() {
    let place = place(2);
    let mut run = begin(&place, "1");
    until_up(&place, &[1]);
    let json: serde_json::Value = serde_json::from_str(&ask(&place, &["pause", "--json"])).unwrap();
    assert_eq!(json["reply"], "done");
    kill(&mut run);
    let paused: serde_json::Value = serde_json::from_str(&ask(&place, &["status", "--json"])).unwrap();
    assert!(paused["paused"]["since"].is_string(), "{paused}");
    assert_eq!(ask(&place, &["resume"]), "no run is under way; the next one starts sessions at once");
    say(&place, "go");
    assert_eq!(end_of_run(begin(&place, "1")).0, Some(0));
    for command in [&["pause"][..], &["resume"], &["drain"], &["stop"], &["stop", "1"], &["slots", "2"]] {
        let why = ask_in_vain(&place, command);
        assert!(why.starts_with("error: no run is under way in "), "{command:?}: {why}");
    }
}

#[test]
fn a_run_that_drains_finishes_what_runs_and_can_be_told_to_go_on() {
    let place = place(3);
    let run = begin(&place, "1");
    until_up(&place, &[1]);
    assert_eq!(ask(&place, &["drain"]), "nothing more is started; 1 session goes on, then the run ends");
    assert!(ask_in_vain(&place, &["pause"]).contains("it starts nothing already"));
    say(&place, "go1");
    let (code, text) = end_of_run(run);
    assert_eq!(code, Some(5), "{text}");
    assert!(is_passing(&place, 1) && !is_up(&place, 2));
    // Taken back before it was carried out.
    let run = begin(&place, "1");
    until_up(&place, &[2]);
    ask(&place, &["drain"]);
    ask(&place, &["resume"]);
    say(&place, "go");
    assert_eq!(end_of_run(run).0, Some(0));
}

#[test]
fn a_session_that_was_stopped_gives_its_feature_back_until_somebody_resumes() {
    let place = place(3);
    let run = begin(&place, "2");
    until_up(&place, &[1, 2]);
    let said = ask(&place, &["stop", "1"]);
    assert!(said.ends_with("is stopped; #1 is not started again before `cogwork resume`"), "{said}");
    until("the end of its attempt", MINUTE, || !attempts(&place, 1).is_empty());
    assert_eq!(attempts(&place, 1), [AttemptOutcome::Stopped]);
    assert_eq!(place.store().feature(FeatureId(1)).unwrap().failed_attempts, 0, "nothing is charged");
    until_up(&place, &[3]);
    fs::remove_file(place.beside("up1")).unwrap();
    let session = place.store().attempts_of(FeatureId(2)).unwrap()[0].session;
    ask(&place, &["stop", &session.to_string()]);
    until("the end of the other", MINUTE, || attempts(&place, 2) == [AttemptOutcome::Stopped]);
    a_while();
    assert!(!is_up(&place, 1), "neither is started again");
    for (command, id) in [(&["why", "1"][..], "#1"), (&["why"], "#2"), (&["status"], "#2")] {
        let line = format!(
            "{id} is not started again: a person has stopped its session; `cogwork resume` starts it"
        );
        let told = ask(&place, command);
        assert!(told.lines().any(|told| told == line), "{command:?}: {told}");
    }
    for (what, why) in [
        ("9", "there is no feature #9"),
        ("s99", "no session s99 runs"),
        ("1", "no session of this run works on #1"),
    ] {
        assert_eq!(ask_in_vain(&place, &["stop", what]), format!("error: {why}"));
    }
    assert_eq!(place.cogwork(&["stop", "x1"]).status.code(), Some(2));
    ask(&place, &["resume"]);
    until_up(&place, &[1]);
    say(&place, "go");
    let (code, text) = end_of_run(run);
    assert_eq!(code, Some(0), "{text}");
}

/// A run in which nothing is left but what a person has stopped is over.
#[test]
fn a_run_ends_when_only_what_was_stopped_is_left() {
    let place = place(1);
    let run = begin(&place, "1");
    until_up(&place, &[1]);
    ask(&place, &["stop", "#1"]);
    assert_eq!(end_of_run(run).0, Some(5));
}

#[test]
fn stop_ends_a_run_in_order() {
    let place = place(2);
    let run = begin(&place, "2");
    until_up(&place, &[1, 2]);
    assert_eq!(ask(&place, &["stop"]), "2 sessions are stopped, then the run ends");
    let (code, text) = end_of_run(run);
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("asked to stop, by process "), "{text}");
    place.assert_no_processes_within(Duration::from_secs(5));
}

#[test]
fn slots_are_given_and_taken_while_it_runs() {
    let place = place(4);
    let run = begin(&place, "1");
    until_up(&place, &[1]);
    assert_eq!(ask(&place, &["slots", "3"]), "at most 3 at once from now on; 1 session runs");
    until_up(&place, &[2, 3]);
    ask(&place, &["slots", "1"]);
    say(&place, "go1");
    until("the landing of 1", MINUTE, || is_passing(&place, 1));
    a_while();
    assert!(!is_up(&place, 4), "two still run, and one slot is left");
    say(&place, "go");
    assert_eq!(end_of_run(run).0, Some(0));
    assert_eq!(place.cogwork(&["slots", "0"]).status.code(), Some(2));
}

/// However an agent asks, and whatever it has started does.
#[test]
fn an_agent_may_ask_nothing_of_its_own_run() {
    let cogwork = env!("CARGO_BIN_EXE_cogwork-under-test");
    for (way, words) in [
        ("itself", "sh $HOME/ask.sh"),
        ("without its environment", "env -i HOME=$HOME PATH=$PATH sh $HOME/ask.sh"),
        ("in the background", "setsid sh $HOME/ask.sh & wait"),
        ("as a daemon", "(setsid sh $HOME/ask.sh &) ; sleep 2"),
    ] {
        let place = place(1);
        for command in ["stop", "pause", "slots 2"] {
            let ask = format!("{cogwork} {command} --project-dir {} > $HOME/said 2>&1", place.dir.display());
            fs::write(place.beside("ask.sh"), ask).unwrap();
            let agent = format!("exec:cat > /dev/null; {words}; exit 3");
            let run = place.cogwork(&["run", "--agent", &agent, "--attempts", "1"]);
            let said = fs::read_to_string(place.beside("said")).unwrap();
            assert!(said.contains("may ask nothing of its own run"), "{way}: {said}");
            assert_eq!(run.status.code(), Some(3), "{way}: {run:?}");
            assert!(place.cogwork(&["retry", "1"]).status.success());
        }
        assert!(recorded_commands(&place).is_empty(), "{way}");
    }
}

/// What closes a terminal ends no run that was told to outlive it.
#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let place = place(1);
    let begun = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let plain = place.command(&["run", "--agent", AGENT]);
    let mut nohup = Command::new("nohup");
    nohup.arg(plain.get_program()).args(plain.get_args()).current_dir(place.dir.parent().unwrap());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => nohup.env(name, value),
            None => nohup.env_remove(name),
        };
    }
    let mut run = begun(nohup.stdin(Stdio::null()));
    until_up(&place, &[1]);
    signal(&run, Signal::HUP);
    a_while();
    assert!(run.try_wait().unwrap().is_none(), "it goes on");
    say(&place, "go");
    until("the end of the run", MINUTE, || run.try_wait().unwrap().is_some());
    assert!(run.wait().unwrap().success());
    // Without it, the terminal's end is a stop.
    let place = self::place(1);
    let mut run = begun(&mut place.command(&["run", "--agent", AGENT]));
    until_up(&place, &[1]);
    signal(&run, Signal::HUP);
    until("the end of the run", MINUTE, || run.try_wait().unwrap().is_some());
    assert_eq!(run.wait().unwrap().code(), Some(5));
}

/// Its agent is at its limit until tomorrow: there is nothing to be finished.
#[test]
fn the_first_ctrl_c_ends_sessions_that_only_wait() {
    let place = place(2);
    let program = place.beside("claude");
    fs::write(
        &program,
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo '2.1.300 (Claude Code)'; exit 0; }\ncat > /dev/null\n\
         echo '{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\"mcp_servers\":[{\"name\":\"features\",\"status\":\"connected\"}]}'\n\
         echo '{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":'$(($(date +%s) + 30000000))',\"rateLimitType\":\"five_hour\"}}'\n\
         echo '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"result\":\"limit\",\"total_cost_usd\":0.5}'\nexit 1\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    let run = place
        .command(&["run", "--agent", "claude", "--program", program, "--policy", "off"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let waits = |place: &Place| {
        place.journal().iter().filter(|entry| matches!(entry.fact, Fact::SessionWaits { .. })).count()
    };
    until("the wait", MINUTE, || waits(&place) == 2);
    // Everybody who asks is told, and until when.
    let until = place.journal().into_iter().find_map(|entry| match entry.fact {
        Fact::SessionWaits { until, .. } => Some(until.to_string()),
        _ => None,
    });
    let until = until.unwrap();
    let year = &until[..4];
    for command in ["status", "why"] {
        let told = ask(&place, &[command]);
        let lines: Vec<_> = told.lines().filter(|line| line.contains(": waits until ")).collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(
            lines
                .iter()
                .all(|line| line.contains(year) && line.contains("the account's usage limit (five_hour)")),
            "{told}"
        );
    }
    let status: serde_json::Value = serde_json::from_str(&ask(&place, &["status", "--json"])).unwrap();
    for session in status["sessions"].as_array().unwrap() {
        assert_eq!(session["waits"]["because"]["outcome"], "usage_limit", "{session}");
        assert!(session["waits"]["until"].as_str().unwrap().starts_with(year), "{session}");
    }
    let asked_at = Instant::now();
    signal(&run, Signal::INT);
    let (code, text) = end_of_run(run);
    assert_eq!(code, Some(5), "{text}");
    assert!(asked_at.elapsed() < Duration::from_secs(20), "{text}");
    let by = place.journal().into_iter().find_map(|entry| match entry.fact {
        Fact::Commanded { command: Asked::Drain, by } => Some(by),
        _ => None,
    });
    assert_eq!(by, Some(Asker::Signal { name: "SIGINT".to_owned() }));
    assert_eq!(place.store().feature(FeatureId(1)).unwrap().failed_attempts, 0);
}

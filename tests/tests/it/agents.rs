//! Any program as an agent, through `exec:CMD`: what it does counts, what it says does not.

use std::process::Stdio;
use std::time::{Duration, Instant};

use cogwork_schemas::{Fact, Proof, RunOutcome, Status};
use serde_json::json;

use crate::place::{Place, assert_sound_journal};

fn run(place: &Place, agent: &str, more: &[&str]) -> std::process::Output {
    let agent = format!("exec:{agent}");
    let mut args = vec!["run", "--agent", &agent];
    args.extend(more);
    place.cogwork(&args)
}

fn ended(place: &Place) -> RunOutcome {
    let journal = place.journal();
    let mut ends = journal.iter().rev().filter_map(|entry| match &entry.fact {
        Fact::RunEnded { result } => Some(result.clone()),
        _ => None,
    });
    ends.next().unwrap()
}

/// A chain and some width: a → b → d, c.
fn graph() -> serde_json::Value {
    json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e f1"], "estimate_s": 1},
        {"key": "b", "name": "b", "checks": ["test -e f2"], "dependencies": ["a"], "estimate_s": 1},
        {"key": "c", "name": "c", "checks": ["test -e f3"]},
        {"key": "d", "name": "d", "checks": ["test -e f4 && test -e f2"], "dependencies": ["b"]},
    ]})
}

#[test]
fn a_command_works_through_a_graph() {
    let place = Place::with_features(&graph());
    // It commits nothing and never speaks MCP: its files are what counts.
    let output = run(&place, "touch f$COGWORK_FEATURES", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for feature in place.store().features().unwrap() {
        assert_eq!(feature.proof, Some(Proof::RedGreen), "{}", feature.name);
        assert!(place.dir.join(format!("f{}", feature.id.0)).exists());
    }
    assert_sound_journal(&place.journal());
}

#[test]
fn sessions_may_share_a_directory_without_git() {
    let place = Place::with_features(&graph());
    std::fs::remove_dir_all(place.dir.join(".git")).unwrap();
    let output = run(&place, "touch f$COGWORK_FEATURES", &["--isolation", "shared"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.store().features().unwrap().iter().all(|feature| feature.status == Status::Passing));
}

/// Landed, it would be the settings of the next run, and the way out of its sandbox.
#[test]
fn what_an_agent_writes_into_our_directory_does_not_land() {
    let planted = "echo 'sandbox = \"off\"' > $dir/config.toml; ln -s / $dir/sessions";
    for (dir, commits) in [(".cogwork", false), (".cogwork", true), (".COGWORK", true)] {
        let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}));
        let commit = if commits { "git add -f . && git commit -qm mine" } else { "true" };
        let agent = format!("dir={dir}; mkdir -p $dir; {planted}; touch f1; {commit}");
        run(&place, &agent, &["--attempts", "1"]);
        let feature = place.store().feature(cogwork_schemas::FeatureId(1)).unwrap();
        assert_eq!(feature.status, Status::Passing, "{dir} {commits}");
        assert_eq!(place.git(&["ls-tree", "--name-only", "HEAD"]), "README\nf1", "{dir} {commits}");
        let config = std::fs::read_to_string(place.dir.join(".cogwork/config.toml")).unwrap_or_default();
        assert!(!config.contains("sandbox"), "{dir} {commits}: {config}");
        assert!(!place.dir.join(".COGWORK").exists());
    }
}

#[test]
fn words_are_no_evidence() {
    let place = Place::with_features(&graph());
    let output = run(&place, "echo all features are passing", &["--attempts", "2"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stdout));
    let features = place.store().features().unwrap();
    let statuses: Vec<_> = features.iter().map(|feature| (feature.status, feature.failed_attempts)).collect();
    let (parked, waiting) = ((Status::Parked, 2), (Status::Pending, 0));
    assert_eq!(statuses, [parked, waiting, parked, waiting]);
    assert_eq!(ended(&place), RunOutcome::Blocked { waiting: 2, parked: 2, needs_human: 0 });
    let why = String::from_utf8(place.cogwork(&["why", "4"]).stdout).unwrap();
    assert!(why.contains("waits for #2") && why.contains("First of all, #1 has to pass"), "{why}");
    let show = String::from_utf8(place.cogwork(&["show", "1"]).stdout).unwrap();
    assert!(show.contains("given up") && show.contains("test -e f1"), "{show}");
}

#[test]
fn a_failing_exit_code_does_not_undo_green_checks_and_a_good_one_proves_nothing() {
    let list = json!({"features": [{"name": "a", "checks": ["test -e f1"]}, {"name": "b", "checks": ["test -e f2"]}]});
    let place = Place::with_features(&list);
    let output = run(&place, "touch f1; exit 3", &["--attempts", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let features = place.store().features().unwrap();
    assert_eq!(features[0].status, Status::Passing);
    assert_eq!(features[1].status, Status::Parked);
}

#[test]
fn checks_that_were_green_all_along_are_no_proof() {
    let list = json!({"features": [{"name": "a", "checks": ["true"]}]});
    let place = Place::with_features(&list);
    let output = run(&place, "true", &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(place.store().features().unwrap()[0].proof, Some(Proof::AlreadyGreen));
    assert!(text.contains("already green"), "it is shown: {text}");
}

#[test]
fn work_that_conflicts_is_given_back_and_done_again() {
    let list = json!({"features": [
        {"name": "a", "checks": ["grep -q one shared"]},
        {"name": "b", "checks": ["grep -q two shared"]},
    ]});
    let place = Place::with_features(&list);
    // Both write the same line of the same file at the same time; the second to land starts over from the first.
    let agent =
        r#"sleep 0.5; if [ "$COGWORK_FEATURES" = 1 ]; then echo one >> shared; else echo two >> shared; fi"#;
    let output = run(&place, agent, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = std::fs::read_to_string(place.dir.join("shared")).unwrap();
    assert!(text.contains("one") && text.contains("two"), "{text}");
    let conflicts =
        place.journal().iter().filter(|entry| format!("{:?}", entry.fact).contains("Conflict")).count();
    assert_eq!(conflicts, 1, "the work that did not fit is told of");
    let kept = place.git(&["for-each-ref", "--no-merged=HEAD", "refs/cogwork"]);
    assert_eq!(kept.lines().count(), 1, "and kept: {kept}");
}

#[test]
fn an_agent_that_is_killed_costs_no_attempt() {
    let list = json!({"features": [{"name": "a", "checks": ["test -e f1"]}]});
    let place = Place::with_features(&list);
    let marker = place.dir.with_file_name("tried");
    let agent = format!("if [ -e {0} ]; then touch f1; else touch {0}; kill -9 $$; fi", marker.display());
    let output = run(&place, &agent, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let feature = &place.store().features().unwrap()[0];
    assert_eq!((feature.status, feature.failed_attempts), (Status::Passing, 0));
}

#[test]
fn what_an_agent_leaves_running_is_ended() {
    let list = json!({"features": [{"name": "a", "checks": ["test -e f1"]}]});
    let place = Place::with_features(&list);
    let agent = "touch f1; (setsid sleep 300 &) ; setsid env -i PATH=/bin:/usr/bin sleep 300 & true";
    let start = Instant::now();
    assert!(run(&place, agent, &[]).status.success());
    assert!(start.elapsed() < Duration::from_secs(20));
    place.assert_no_processes_within(Duration::ZERO);
    assert_eq!(cogwork_process::contain::inside(&place.dir), Vec::<i32>::new());
}

#[test]
fn a_session_that_says_nothing_is_stopped() {
    let list = json!({"features": [{"name": "a", "checks": ["test -e f1"]}]});
    let place = Place::with_features(&list);
    let output = run(&place, "sleep 300", &["--attempts", "1", "--max-silence-s", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("without any output"), "{text}");
}

#[test]
fn ctrl_c_finishes_what_runs_and_the_next_run_goes_on() {
    let place = Place::with_features(&graph());
    let agent = "exec:sleep 1; touch f$COGWORK_FEATURES";
    let mut cogwork =
        place.command(&["run", "--agent", agent, "-c", "1"]).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while place.processes().len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(10), "nothing starts");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(cogwork.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(cogwork.wait().unwrap().code(), Some(5));
    assert_eq!(ended(&place), RunOutcome::Stopped);
    let passing = |place: &Place| {
        place.store().features().unwrap().iter().filter(|feature| feature.status == Status::Passing).count()
    };
    assert_eq!(passing(&place), 1, "what ran was finished, nothing else was started");
    assert!(place.cogwork(&["run", "--agent", agent]).status.success());
    assert_eq!(passing(&place), 4);
}

#[test]
fn the_events_are_json_as_their_schema_says() {
    let place = Place::with_features(&graph());
    let output = run(&place, "touch f$COGWORK_FEATURES", &["--json"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let entries: Vec<cogwork_schemas::Entry> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(matches!(entries.first().unwrap().fact, Fact::RunStarted { .. }));
    assert!(matches!(entries.last().unwrap().fact, Fact::RunEnded { result: RunOutcome::Complete }));
    let journal = place.journal();
    let shown: Vec<_> = journal.into_iter().filter(|entry| entry.seq >= entries[0].seq).collect();
    assert_eq!(entries, shown, "what is streamed is the journal");
    for command in [
        &["status", "--json"][..],
        &["list", "--json"],
        &["show", "1", "--json"],
        &["why", "--json"],
        &["verify", "--json"],
        &["doctor", "--json"],
    ] {
        let output = place.cogwork(command);
        assert!(output.status.success(), "{command:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    }
}

#[test]
fn on_a_terminal_it_shows_what_runs_and_how_far_it_is() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        println!("skipped: `script`, which makes a terminal, is not installed here");
        return;
    }
    let place = Place::with_features(&graph());
    let agent = "exec:echo thinking hard; sleep 0.6; touch f$COGWORK_FEATURES";
    let mut command = place.command(&["run", "--agent", agent]);
    let words: Vec<_> = command.get_args().map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let line =
        format!("stty rows 40 cols 120; '{}' {}", command.get_program().to_string_lossy(), words.join(" "));
    command = std::process::Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let output = command.env("TERM", "xterm").stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for word in [
        "4/4",
        "thinking hard",
        "2 running",
        "left",
        "4 features: 4 proven",
        "complete: nothing is left to do",
    ] {
        assert!(text.contains(word), "`{word}` is missing in {text}");
    }
}

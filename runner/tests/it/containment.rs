//! Agents that hang, flood, hide or refuse to die, and a runner that is killed: nothing is left.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::{FeatureId, RunnerEvent, SessionOutcome};
use cogwork_session::{SessionLimits, marker};

use crate::project::Project;
use crate::runner::{Session, below_warden, is_agent_up, is_alive, pid_in, signal, until};

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

/// Nothing of the session is left: neither marked, nor working in its workspace.
fn assert_nothing_left(project: &Project, session: cogwork_schemas::SessionId, workspace: &Path) {
    until("no process of the session is left", || {
        contain::marked(&marker(&project.dir, session)).is_empty() && contain::inside(workspace).is_empty()
    });
}

#[test]
fn a_silent_agent_is_stopped_and_its_work_still_counts() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo hello > greeting; exec sleep 60");
    command.limits = SessionLimits { max_silence_s: 1, ..SessionLimits::default() };
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Silent { after_s: 1 });
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
    assert_nothing_left(&project, claim.session, &project.workspace(&claim));
}

/// What was heard is not heard again when its time is over.
#[test]
fn words_put_a_silence_off_once() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo hello; exec sleep 60");
    command.limits = SessionLimits { max_silence_s: 4, ..SessionLimits::default() };
    let over = Session::start(&command).end();
    let Some(RunnerEvent::Ended { agent_ms, .. }) = over.events.last() else { panic!() };
    assert!((4_000..7_500).contains(agent_ms), "{agent_ms} ms");
}

#[test]
fn dots_without_a_line_end_are_a_sign_of_life() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = "for i in 1 2 3 4 5 6 7 8; do printf .; sleep 0.2; done";
    let mut command = project.command(1, &claim, agent);
    command.limits = SessionLimits { max_silence_s: 1, ..SessionLimits::default() };
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
}

/// Ignores SIGTERM, and so do the daemons it starts: forked twice, in a session of their own, without our marker,
/// outside of the workspace.
fn stubborn(dir: &Path) -> String {
    let pids = dir.display();
    format!(
        "trap '' TERM; echo $$ > {pids}/agent
         for i in 1 2 3; do
           (env -i PATH=\"$PATH\" setsid sh -c \"trap '' TERM; cd /; echo \\$\\$ > {pids}/daemon$i; sleep 60\" &) &
         done
         wait; echo ready; sleep 60 & wait; sleep 60"
    )
}

fn pids(dir: &Path) -> Vec<i32> {
    ["agent", "daemon1", "daemon2", "daemon3"].iter().map(|name| pid_in(&dir.join(name))).collect()
}

#[test]
fn an_agent_that_refuses_to_die_dies_with_all_its_daemons() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, &stubborn(&project.dir));
    command.limits = SessionLimits { max_session_s: 1, grace_s: 1, ..SessionLimits::default() };
    let session = Session::start(&command);
    let pids = pids(&project.dir);
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::TimedOut { after_s: 1 });
    // Not a moment later: the last message means that they are gone.
    let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.is_empty(), "{left:?} of {pids:?} are left");
    assert_nothing_left(&project, claim.session, &project.workspace(&claim));
}

#[test]
fn daemons_of_an_agent_that_ended_well_are_gone_too() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = format!(
        "echo hello > greeting; (setsid sh -c 'echo $$ > {}/server; exec sleep 60' &); \
         while ! test -s {0}/server; do sleep 0.02; done",
        project.dir.display()
    );
    let over = Session::start(&project.command(1, &claim, &agent)).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert!(!is_alive(pid_in(&project.dir.join("server"))));
}

#[test]
fn a_killed_runner_leaves_nothing_to_nobody() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut session = Session::start(&project.command(1, &claim, &stubborn(&project.dir)));
    let pids = pids(&project.dir);
    signal("KILL", below_warden(session.child.id()));
    assert_eq!(session.child.wait().unwrap().signal(), Some(9));
    // Its warden ends when all is gone.
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
    assert_nothing_left(&project, claim.session, &project.workspace(&claim));
}

#[test]
fn a_killed_warden_takes_its_runner_along() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut session = Session::start(&project.command(1, &claim, &stubborn(&project.dir)));
    let pids = pids(&project.dir);
    let runner = i32::try_from(below_warden(session.child.id())).unwrap();
    signal("KILL", session.child.id());
    session.child.wait().unwrap();
    until("the runner is gone", || !is_alive(runner));
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
    assert_nothing_left(&project, claim.session, &project.workspace(&claim));
}

#[test]
fn the_end_of_stdin_stops_the_session_soon_however_stubborn_the_agent() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut session = Session::start(&project.command(1, &claim, &stubborn(&project.dir)));
    let pids = pids(&project.dir);
    session.hang_up();
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    let Some(RunnerEvent::Ended { agent_ms, .. }) = over.events.last() else { panic!() };
    assert!(*agent_ms < 6_000, "it took {agent_ms} ms, though nobody was left to wait");
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}

#[test]
fn a_stop_message_ends_it_and_leaves_all_where_it_is() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = "echo hello > greeting; git add greeting; git commit -q -m half; echo rest > rest; sleep 60";
    let mut session = Session::start(&project.command(1, &claim, agent));
    session.until(is_agent_up);
    let workspace = project.workspace(&claim);
    until("it wrote the rest", || workspace.join("rest").exists());
    session.say("{\"control\":\"stop\"}");
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    // Stopped means now: nothing was checked, so nothing can be charged to the feature.
    assert_eq!(project.store.attempt(&claim.token).unwrap().submitted, None);
    let log = crate::runner::shell(&workspace, "git status --short; git log --format=%s");
    // Whoever clears the workspace away keeps it.
    assert_eq!(String::from_utf8(log.stdout).unwrap(), "?? rest\nhalf\nfirst\n");
}

#[test]
fn a_signal_stops_even_a_check_before_the_work_and_what_it_started() {
    let check = "(setsid sh -c 'echo $$ > daemon; exec sleep 60' &); echo $$ > pid; sleep 60";
    let project = Project::git(&serde_json::json!([{"name": "slow", "checks": [check]}]).to_string());
    let claim = project.claim(1);
    let session = Session::start(&project.command(1, &claim, "true"));
    let workspace = project.workspace(&claim);
    let (check, daemon) = (pid_in(&workspace.join("pid")), pid_in(&workspace.join("daemon")));
    signal("TERM", session.child.id());
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    assert!(over.status.success());
    assert!(!is_alive(check) && !is_alive(daemon));
    assert_eq!(project.store.feature(FeatureId(1)).unwrap().failed_attempts, 0);
}

#[test]
fn a_flood_of_garbage_is_bounded_in_memory_and_on_disk() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    // One line of 5 MB that is no UTF-8, then more than the journal holds, then peace.
    let agent = "head -c 5000000 /dev/zero | tr '\\0' '\\377'; echo; \
                 yes $(head -c 10000 /dev/zero | tr '\\0' x) | head -c 20000000; echo; \
                 echo the last word; sleep 0.3";
    let session = Session::start(&project.command(1, &claim, agent));
    let pid = session.child.id();
    let mut peak_kb = 0;
    until("the flood is over", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kb = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak_kb);
        !Path::new(&format!("/proc/{pid}/exe")).exists()
    });
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    assert_eq!(over.said().last().map(String::as_str), Some("the last word"));
    assert!((1_000..60_000).contains(&peak_kb), "{peak_kb} kB");
    let files = std::fs::read_dir(project.session_file(&claim, "")).unwrap().map(|file| file.unwrap());
    let journal = files.filter(|file| file.file_name().to_str().unwrap().starts_with("journal."));
    let journal: u64 = journal.map(|file| file.metadata().unwrap().len()).sum();
    assert!((12_000_000..17_000_000).contains(&journal), "{journal}");
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let agent = format!("trap '' TERM; echo $$ > {}/agent; while :; do sleep 1; done", project.dir.display());
    let session = Session::start(&project.command(1, &claim, &agent));
    let agent = pid_in(&project.dir.join("agent"));
    signal("INT", session.child.id());
    #[expect(clippy::disallowed_methods, reason = "the first signal has to be taken before the second")]
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_alive(agent), "the first signal asks");
    signal("INT", session.child.id());
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    let Some(RunnerEvent::Ended { agent_ms, .. }) = over.events.last() else { panic!() };
    assert!(*agent_ms < 5_000, "{agent_ms}");
}

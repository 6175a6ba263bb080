//! What a session takes of the machine, and what happens when that is more than it may have. On Linux, where it is
//! known.

use cogwork_schemas::{Resources, RunnerEvent, SessionOutcome};
use cogwork_session::SessionLimits;

use crate::project::Project;
use crate::runner::{Over, Session, logs, said};

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

/// Holds about a hundred megabytes in a child of a child that no session and no group connects with it: a line that
/// does not end is kept whole.
const EATER: &str =
    "echo hello > greeting; (head -c 100000000 /dev/zero; sleep 60) | setsid tail > /dev/null";

fn last_reading(over: &Over) -> (Resources, Resources, u64) {
    let mut readings = over.events.iter().rev().filter_map(|event| match event {
        RunnerEvent::Resources { tree, runner, peak_bytes } => Some((*tree, *runner, *peak_bytes)),
        RunnerEvent::Up { .. }
        | RunnerEvent::Alive
        | RunnerEvent::Prepared { .. }
        | RunnerEvent::Checked { .. }
        | RunnerEvent::AgentStarted { .. }
        | RunnerEvent::Waiting { .. }
        | RunnerEvent::Agent { .. }
        | RunnerEvent::LeftOut { .. }
        | RunnerEvent::Ended { .. } => None,
    });
    readings.next().unwrap()
}

#[test]
fn what_a_session_takes_is_read_and_told_at_the_end() {
    // The first reading comes before the agent does, which is gone again before the next would be due.
    let project = Project::git(r#"[{"name": "greet", "checks": ["sleep 1; false"]}]"#);
    let claim = project.claim(1);
    let agent = "(head -c 30000000 /dev/zero; sleep 1.5) | tail > /dev/null";
    let over = Session::start(&project.command(1, &claim, agent)).end();
    let (tree, runner, peak) = last_reading(&over);
    assert_eq!((tree.processes, tree.memory_bytes), (0, 0), "all are gone by then");
    assert!(tree.cpu_ms > 10, "what they used stays: {tree:?}");
    assert!((30_000_000..80_000_000).contains(&peak), "{peak}");
    assert!(runner.processes == 1 && (1_000_000..100_000_000).contains(&runner.memory_bytes), "{runner:?}");
    assert!(matches!(over.events.last(), Some(RunnerEvent::Ended { .. })));
}

#[test]
fn an_agent_with_too_much_memory_is_ended_with_all_it_has_and_its_work_still_counts() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, EATER);
    command.limits = SessionLimits { memory_limit_mb: Some(60), ..SessionLimits::default() };
    let over = Session::start(&command).end();
    let SessionOutcome::MemoryLimit { limit_mb: 60, used_mb } = over.outcome() else {
        panic!("{:?}", over.outcome())
    };
    assert!((60..200).contains(used_mb), "{used_mb}");
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
    let (tree, _, peak) = last_reading(&over);
    assert!(tree.processes == 0 && peak > 60_000_000, "{tree:?} {peak}");

    let shown = |args: &[&str]| said(logs(crate::runner::binary(), &project.dir, args).output().unwrap());
    let page = shown(&[]);
    assert!(page.stdout.contains("MB of memory; a session may have 60 MB"), "{}", page.stdout);
    let replay = shown(&["--replay"]);
    assert_eq!(replay.code, 0, "{}", replay.stdout);
    assert!(replay.stdout.starts_with("the same outcome after "), "{}", replay.stdout);
}

#[test]
fn an_agent_within_its_limit_is_left_alone() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo hello > greeting; sleep 3");
    command.limits = SessionLimits { memory_limit_mb: Some(60), ..SessionLimits::default() };
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
}

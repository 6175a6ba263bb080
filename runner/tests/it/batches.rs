//! Sessions that take further features while they run. The test plays the MCP server, which takes them.

use cogwork_schemas::{AttemptOutcome, CheckReport, CheckVerdict, RunnerEvent, SessionOutcome, Status};
use cogwork_session::{SessionCommand, SessionLimits};
use cogwork_store::{AttemptLimits, Claim, Next};
use jiff::SignedDuration;

use crate::project::{Project, now};
use crate::runner::{Session, is_agent_up, until};

const TWO: &str = r#"[{"name": "a", "checks": ["test -f a"]}, {"name": "b", "checks": ["test -f b"]}]"#;

/// An agent that does this once the test has let it go on.
fn waiting(project: &Project, claim: &Claim, then: &str) -> SessionCommand {
    let wait = "while [ ! -e $COGWORK_PROJECT/go ]; do sleep 0.05; done";
    let mut command = project.command(1, claim, &format!("{wait}; {then}"));
    command.batch = 2;
    command.base = Some("refs/remotes/origin/main".into());
    command.limits = SessionLimits { lease_s: 1, ..SessionLimits::default() };
    command
}

/// Hands in the first feature, and takes the second for the session, with its checks red.
fn goes_on(project: &Project, claim: &Claim) -> Claim {
    let second = takes_another(project, claim);
    let verdict = CheckVerdict::Red { exit_code: 1 };
    let red = CheckReport { command: "test -f b".into(), verdict, ..report() };
    project.store.record_before(&second.token, None, &[red]).unwrap();
    second
}

fn takes_another(project: &Project, claim: &Claim) -> Claim {
    let green = CheckReport { command: "test -f a".into(), ..report() };
    project.store.submit(&claim.token, Some("abc"), &[green]).unwrap();
    match project.store.claim_next(&claim.token, SignedDuration::from_secs(1)).unwrap() {
        Next::Claimed { claim, .. } => claim,
        none @ (Next::Wait | Next::Nothing) => panic!("{none:?}"),
    }
}

#[test]
fn it_keeps_and_judges_what_the_session_took_last() {
    let project = Project::git(TWO);
    let first = project.claim_batch(1, 2);
    let session = Session::start(&waiting(&project, &first, "echo > b"));
    session.until(is_agent_up);
    let second = goes_on(&project, &first);
    let lease = || project.store.attempt(&second.token).unwrap().lease_until.unwrap();
    let taken_until = lease();
    until("the claim outlives its first lease", || {
        assert_eq!(project.store.reap(&AttemptLimits::default()).unwrap(), []);
        now() > taken_until && lease() > taken_until
    });
    // What was handed in before may land at any moment.
    project.store.end_attempt(&first.token, &conflict(), &AttemptLimits::default()).unwrap();
    project.write("go", "");
    assert_eq!(session.end().outcome(), &SessionOutcome::Completed);
    let submitted = project.store.attempt(&second.token).unwrap().submitted.unwrap();
    assert_ne!(submitted.commit.as_deref(), Some("abc"));
    let facts = project.facts(2);
    let expected = ["checked Before red (exit 1)", "checks_red", "checked After green", "checks_green"];
    assert_eq!(facts[..2], ["created", "claimed"]);
    assert_eq!(facts[2..], expected);
}

fn conflict() -> AttemptOutcome {
    AttemptOutcome::Conflict { reason: "both changed a".into() }
}

#[test]
fn what_was_handed_in_is_not_touched_by_the_end_of_what_was_not() {
    let project = Project::git(TWO);
    let first = project.claim_batch(1, 2);
    let session = Session::start(&waiting(&project, &first, "rm -f a; exit 3"));
    session.until(is_agent_up);
    let second = goes_on(&project, &first);
    project.write("go", "");
    let over = session.end();
    let Some(RunnerEvent::Ended { reason, .. }) = over.events.last() else { panic!("{:?}", over.events) };
    assert!(reason.as_ref().unwrap().contains("`test -f b` is red"), "{reason:?}");
    assert_eq!(project.store.attempt(&second.token).unwrap().submitted, None);
    let submitted = project.store.attempt(&first.token).unwrap().submitted.unwrap();
    assert_eq!(submitted.commit.as_deref(), Some("abc"));
}

#[test]
fn a_session_that_has_handed_in_all_it_had_ends_without_a_word_more() {
    let project = Project::git(TWO);
    let first = project.claim_batch(1, 2);
    let session = Session::start(&waiting(&project, &first, "env > environment; cat > prompt"));
    session.until(is_agent_up);
    let second = goes_on(&project, &first);
    let green = CheckReport { command: "test -f b".into(), ..report() };
    project.store.submit(&second.token, Some("def"), &[green]).unwrap();
    project.write("go", "");
    assert_eq!(session.end().outcome(), &SessionOutcome::Completed);
    assert_eq!(project.store.attempt(&second.token).unwrap().submitted.unwrap().commit.unwrap(), "def");
    let read = |name: &str| std::fs::read_to_string(project.workspace(&first).join(name)).unwrap();
    assert!(read("environment").contains("COGWORK_BATCH=2\n"));
    assert!(read("environment").contains("COGWORK_BRANCH=main\n"));
    let prompt = read("prompt");
    assert!(
        prompt.contains("up to 2 in all") && prompt.contains("`feature_claim_and_get` without"),
        "{prompt}"
    );
}

fn report() -> CheckReport {
    CheckReport {
        command: String::new(),
        verdict: CheckVerdict::Green,
        duration_ms: 1,
        output_tail: String::new(),
        output_digest: String::new(),
    }
}

#[test]
fn a_feature_that_was_taken_and_never_handed_out_costs_nothing() {
    let project = Project::git(TWO);
    let first = project.claim_batch(1, 2);
    let session = Session::start(&waiting(&project, &first, "true"));
    session.until(is_agent_up);
    takes_another(&project, &first);
    project.write("go", "");
    assert_eq!(session.end().outcome(), &SessionOutcome::Completed);
    assert_eq!(project.facts(2), ["created", "claimed", "attempt: stopped"]);
    let feature = project.store.feature(cogwork_schemas::FeatureId(2)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0));
}

#[test]
fn a_further_claim_that_is_lost_stops_the_agent() {
    let project = Project::git(TWO);
    let first = project.claim_batch(1, 2);
    let session = Session::start(&waiting(&project, &first, "echo > b"));
    session.until(is_agent_up);
    let second = goes_on(&project, &first);
    project.store.end_attempt(&second.token, &AttemptOutcome::Expired, &AttemptLimits::default()).unwrap();
    assert_eq!(session.end().outcome(), &SessionOutcome::Stopped);
    assert!(project.store.attempt(&first.token).unwrap().submitted.is_some());
}

//! Sessions that take further features, each in a clone that is brought to the main branch for it.

use std::path::{Path, PathBuf};

use cogwork_process::git::snapshot::Snapshots;
use cogwork_schemas::{AttemptOutcome, CheckPhase, CheckVerdict, FeatureId, Proof, SessionOutcome, Status};
use cogwork_store::{AttemptLimits, Claim, Merge, snapshot_dir, workspace_dir};
use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, command, succeeded};
use crate::project::{Project, report, wait_for};

/// A project in git, and a session in a clone of it that may take `size` features one after the other.
struct Batch {
    project: Project,
    first: Claim,
    clone: PathBuf,
    base: String,
}

fn git(dir: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
    let output = command("git").args(identity).args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Batch {
    fn new(features: Value, size: u32, slots: u32) -> Self {
        let project = Project::with(features);
        std::fs::write(project.path().join(".gitignore"), ".cogwork\n").unwrap();
        let base = project.git();
        git(project.path(), &["branch", "--move", "main"]);
        let first = project.claim_batch(1, size, slots);
        let clone = workspace_dir(project.path(), first.session);
        std::fs::create_dir_all(clone.parent().unwrap()).unwrap();
        git(project.path(), &["clone", "--quiet", "--shared", ".", clone.to_str().unwrap()]);
        let own = snapshot_dir(project.path(), first.session);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Snapshots::make(&own, &clone, project.path(), &base)).unwrap();
        Self { project, first, clone, base }
    }

    fn open(&self, era: Era) -> Client {
        let mut command = self.project.session_command(&[(1, &self.first.token)]);
        command.env("COGWORK_BATCH", "3").env("COGWORK_BRANCH", "main").env("COGWORK_WORKSPACE", &self.clone);
        let mut client = Client::open(&mut command, era);
        client.secrets = vec![self.first.token.reveal().to_owned()];
        client
    }

    /// Merges what was handed in for a feature, as the orchestrator does.
    fn land(&self, id: i64) {
        let live = self.project.store.live_attempts().unwrap();
        let attempt = live.into_iter().find(|attempt| attempt.feature == FeatureId(id)).unwrap();
        let commit = attempt.submitted.unwrap().commit.unwrap();
        git(self.project.path(), &["merge", "--quiet", "--no-ff", "-m", "landed", &commit]);
        let checks = self.project.store.feature(FeatureId(id)).unwrap().checks;
        let reports = checks.iter().map(|check| report(&check.command, CheckVerdict::Green)).collect();
        let merge = Merge { commit: Some(commit), reports, merge_ms: 1, check_ms: 1 };
        self.project.store.land(&self.first.token.for_attempt(attempt.id), &merge).unwrap();
    }

    fn has(&self, file: &str) -> bool {
        self.clone.join(file).exists()
    }
}

fn docs() -> Value {
    json!([
        {"name": "a", "category": "docs", "checks": ["echo x > made-by-check; test -f a.txt"]},
        {"name": "b", "category": "docs", "checks": ["echo x > made-by-check; test -f b.txt"]},
        {"name": "c", "category": "docs"},
        {"name": "d", "category": "other"},
    ])
}

const PERHAPS: &str = "Call feature_claim_and_get without an id: it gives you your next feature, or tells you that you are done.";

#[test]
fn a_further_feature_comes_with_what_was_tried_before() {
    for era in ERAS {
        let batch = Batch::new(docs(), 3, 1);
        let tried = batch.project.claim(2);
        let reports = [report("echo x > made-by-check; test -f b.txt", CheckVerdict::Red { exit_code: 1 })];
        batch.project.store.record_checks(&tried.token, CheckPhase::After, None, &reports).unwrap();
        batch.project.store.leave_note(&tried.token, "b.txt is not enough").unwrap();
        let outcome = AttemptOutcome::NotFinished { reason: "the agent ended".into() };
        batch.project.store.end_attempt(&tried.token, &outcome, &AttemptLimits::default()).unwrap();
        let mut client = batch.open(era);
        std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
        client.get("feature_mark_passing", json!({"feature_id": 1}));
        let next = client.get("feature_claim_and_get", json!({}));
        assert_eq!((&next["id"], &next["note"]), (&json!(2), &json!("b.txt is not enough")));
        let earlier = json!([{"number": 1, "outcome": "not finished: the agent ended", "red": [
            {"command": "echo x > made-by-check; test -f b.txt", "verdict": "red (exit 1)", "output_tail": next["earlier_attempts"][0]["red"][0]["output_tail"]}]}]);
        assert_eq!(next["earlier_attempts"], earlier);
        assert!(
            next["hint"].as_str().unwrap().contains("It was tried before: see earlier_attempts. "),
            "{next}"
        );
    }
}

#[test]
fn one_feature_after_the_other_each_on_the_main_branch() {
    for era in ERAS {
        let batch = Batch::new(docs(), 3, 1);
        let store = &batch.project.store;
        let mut client = batch.open(era);
        std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
        let done = client.get("feature_mark_passing", json!({"feature_id": 1}));
        assert_eq!(done["next"], PERHAPS);
        let commit = store.attempt(&batch.first.token).unwrap().submitted.unwrap().commit.unwrap();
        assert_eq!(
            git(batch.project.path(), &["show", "--name-only", "--format=%s", &commit]),
            "#1 a: what the agent left uncommitted\n\na.txt"
        );

        let next = client.get("feature_claim_and_get", json!({}));
        assert_eq!((&next["id"], &next["already_claimed"]), (&json!(2), &json!(false)));
        assert_eq!(next["claimed_by"], batch.first.session.0);
        let hint = next["hint"].as_str().unwrap();
        assert!(hint.starts_with("The directory is at the main branch as it is now"), "{hint}");
        // What has not landed is no base for anything, and what the checks left is nobody's work.
        assert!(!batch.has("a.txt") && !batch.has("made-by-check"));
        assert_eq!(git(&batch.clone, &["rev-parse", "HEAD"]), batch.base);
        assert_eq!(git(batch.project.path(), &["rev-parse", "refs/cogwork/kept/1/handed-in"]), commit);
        let record = store.attempts_of(FeatureId(2)).unwrap().remove(0);
        let before = &record.evidence[0];
        assert_eq!((before.phase, before.commit.as_ref()), (CheckPhase::Before, Some(&batch.base)));
        assert_eq!(client.get("feature_claim_and_get", json!({}))["already_claimed"], true);

        batch.land(1);
        std::fs::write(batch.clone.join("b.txt"), "b").unwrap();
        let done = client.get("feature_mark_passing", json!({"feature_id": 2}));
        assert_eq!((&done["proof"], &done["next"]), (&json!("red_green"), &json!(PERHAPS)));
        batch.land(2);
        assert_eq!(store.feature(FeatureId(2)).unwrap().proof, Some(Proof::RedGreen));
        let again = client.get("feature_mark_passing", json!({"feature_id": 2}));
        assert_eq!((&again["state"], &again["next"]), (&json!("passing"), &json!(PERHAPS)));

        assert_eq!(client.get("feature_claim_and_get", json!({}))["id"], 3);
        assert!(batch.has("a.txt") && batch.has("b.txt"), "what has landed is there");
        let done = client.get("feature_mark_passing", json!({"feature_id": 3}));
        assert_eq!(done["next"], "You are done: end the session.");
        let text = client.fail("feature_claim_and_get", json!({}));
        assert!(text.ends_with("You are done: end the session."), "{text}");
        let text = client.fail("feature_mark_passing", json!({"feature_id": 4}));
        assert!(text.starts_with("Error (not_assigned)"), "{text}");
        assert_eq!(store.feature(FeatureId(4)).unwrap().status, Status::Pending, "no kin of it");
    }
}

#[test]
fn it_waits_for_its_own_work_to_land_and_follows_the_chain() {
    let features = json!([
        {"name": "a", "key": "a", "checks": ["test -f a.txt"]},
        {"name": "b", "category": "other", "dependencies": ["a"], "checks": ["test -f a.txt && test -f b.txt"]},
    ]);
    let batch = Batch::new(features, 2, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    let id = client.send("tools/call", json!({"name": "feature_claim_and_get", "arguments": {}}));
    // Other calls go on meanwhile.
    assert_eq!(client.get("feature_get_stats", json!({}))["passing"], 0);
    batch.land(1);
    let next = succeeded(&client.answer(id));
    assert_eq!(next["id"], 2);
    assert!(batch.has("a.txt"));
}

#[test]
fn a_drain_ends_the_wait() {
    let batch = Batch::new(json!([{"name": "a"}]), 3, 1);
    let mut client = batch.open(Era::Stateless);
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    let id = client.send("tools/call", json!({"name": "feature_claim_and_get", "arguments": {}}));
    client.get("feature_get_stats", json!({}));
    batch.project.store.close_batches().unwrap();
    let answer = client.answer(id);
    assert!(answer.to_string().contains("nothing is left to do"), "{answer}");
    let done = client.get("feature_mark_passing", json!({"feature_id": 1}));
    assert_eq!(done["next"], "You are done: end the session.");
}

#[test]
fn a_server_that_was_started_anew_knows_what_its_session_has_taken() {
    let batch = Batch::new(docs(), 3, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    client.get("feature_claim_and_get", json!({}));
    std::fs::write(batch.clone.join("b.txt"), "b").unwrap();
    drop(client);
    let mut client = batch.open(Era::Initialize);
    let mine = client.get("feature_claim_and_get", json!({}));
    assert_eq!((&mine["id"], &mine["already_claimed"]), (&json!(2), &json!(true)));
    assert!(batch.has("b.txt"), "work under way is left alone");
    client.get("feature_mark_passing", json!({"feature_id": 2}));
}

#[test]
fn what_was_given_back_is_kept_and_the_session_goes_on() {
    let batch = Batch::new(docs(), 3, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("half.txt"), "half").unwrap();
    client.get("feature_clear_in_progress", json!({"feature_id": 1}));
    let next = client.get("feature_claim_and_get", json!({}));
    assert_eq!(next["id"], 2, "another one, not the same again");
    assert!(!batch.has("half.txt"));
    assert_eq!(git(batch.project.path(), &["show", "refs/cogwork/kept/1/left:half.txt"]), "half");
}

#[test]
fn a_session_that_was_stopped_takes_nothing_more() {
    let batch = Batch::new(docs(), 3, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    let store = &batch.project.store;
    client.get("feature_claim_and_get", json!({}));
    let second = store.live_attempts().unwrap().pop().unwrap();
    store
        .end_attempt(
            &batch.first.token.for_attempt(second.id),
            &AttemptOutcome::Stopped,
            &AttemptLimits::default(),
        )
        .unwrap();
    let text = client.fail("feature_claim_and_get", json!({}));
    assert!(text.starts_with("Error (stale_token)"), "{text}");
    store.end_session(batch.first.session, &SessionOutcome::Stopped, 1).unwrap();
    assert_eq!(store.feature(FeatureId(2)).unwrap().failed_attempts, 0);
    let text = client.fail("feature_claim_and_get", json!({}));
    assert!(text.starts_with("Error (stale_token)") && text.ends_with("end the session."), "{text}");
}

#[test]
fn a_clone_that_was_broken_costs_the_next_feature_nothing() {
    let batch = Batch::new(docs(), 3, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    std::fs::remove_dir_all(batch.clone.join(".git")).unwrap();
    let text = client.fail("feature_claim_and_get", json!({}));
    assert!(
        text.contains("cannot be brought to the main branch") && text.ends_with("end the session."),
        "{text}"
    );
    let feature = batch.project.store.feature(FeatureId(2)).unwrap();
    assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0));
}

#[test]
fn what_changes_while_it_is_judged_is_not_handed_in() {
    let slow = json!([{"name": "a", "checks": ["touch judging; sleep 1; test -f a.txt"]}]);
    let batch = Batch::new(slow, 1, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "judged").unwrap();
    let meanwhile = std::thread::spawn({
        let clone = batch.clone.clone();
        move || {
            wait_for(|| clone.join("judging").exists().then_some(()));
            std::fs::write(clone.join("a.txt"), "another").unwrap();
        }
    });
    let text = client.fail("feature_mark_passing", json!({"feature_id": 1}));
    meanwhile.join().unwrap();
    assert!(text.contains("your work changed while it was judged: a.txt"), "{text}");
    let attempt = || batch.project.store.attempt(&batch.first.token).unwrap();
    assert_eq!(attempt().submitted, None);
    client.get("feature_mark_passing", json!({"feature_id": 1}));
    let commit = attempt().submitted.unwrap().commit.unwrap();
    assert_eq!(git(batch.project.path(), &["show", &format!("{commit}:a.txt")]), "another");
}

#[test]
fn what_its_checks_write_is_told_once_and_then_known() {
    let writes = json!([{"name": "a", "checks": ["date +%N >> stamp; test -f a.txt"]}]);
    let batch = Batch::new(writes, 1, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    std::fs::write(batch.clone.join("stamp"), "").unwrap();
    let text = client.fail("feature_mark_passing", json!({"feature_id": 1}));
    assert!(text.contains("changed while it was judged: stamp"), "{text}");
    client.get("feature_mark_passing", json!({"feature_id": 1}));
}

#[test]
fn what_cannot_be_handed_in_is_said_with_what_to_do() {
    let batch = Batch::new(docs(), 1, 1);
    let mut client = batch.open(Era::Initialize);
    std::fs::write(batch.clone.join("a.txt"), "a").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", batch.clone.join("here")).unwrap();
    let text = client.fail("feature_mark_passing", json!({"feature_id": 1}));
    let why = "your work cannot be handed in: `here` is a link to /etc/hostname, a place of this machine: make it relative, or remove it";
    assert!(text.contains(why), "{text}");
    std::fs::remove_file(batch.clone.join("here")).unwrap();
    git(&batch.clone, &["init", "--quiet", "app"]);
    std::fs::write(batch.clone.join("app/x"), "x").unwrap();
    let done = client.get("feature_mark_passing", json!({"feature_id": 1}));
    let hint = done["hint"].as_str().unwrap();
    assert!(
        hint.contains("Repositories of their own: app; their files are handed in as plain files"),
        "{hint}"
    );
    let commit = batch.project.store.attempt(&batch.first.token).unwrap().submitted.unwrap().commit.unwrap();
    assert_eq!(
        git(batch.project.path(), &["ls-tree", "-r", "--name-only", &commit]),
        ".gitignore\na.txt\napp/x"
    );
}

//! Whose work it is: nobody takes the claim of a process that is only stopped, and everybody that of a dead one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cogwork_process::contain;
use cogwork_schemas::{FeatureId, Isolation, NodeIdentity, ProcessIdentity, Role, Status};
use cogwork_store::NewSession;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::place::Place;

/// Takes any feature and leaves a trace of having worked.
const AGENT: &str = "exec:echo $COGWORK_FEATURES >> took; touch f$COGWORK_FEATURES";

/// The shortest lease there is.
const LEASE: SignedDuration = SignedDuration::from_secs(1);

/// Long enough for every lease of such length to run out and be looked at.
const LONG_ASLEEP: Duration = Duration::from_millis(2_500);

fn place(features: usize) -> Place {
    let feature = |number| json!({"name": format!("n{number}"), "checks": [format!("test -f f{number}")]});
    Place::with_features(&json!({"features": (1..=features).map(feature).collect::<Vec<_>>()}))
}

/// A person's MCP server that claims for itself.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(place: &Place) -> Self {
        let mut command = place.command(&["mcp"]);
        command.env("COGWORK_LEASE_S", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, stdin, stdout };
        let client = json!({"name": "it", "version": "1"});
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        server.ask("initialize", &hello);
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == 1 {
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, feature: i64) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": {"feature_id": feature}}))
    }

    fn claims(&mut self, feature: i64) {
        let answer = self.call("feature_claim_and_get", feature);
        assert_ne!(answer["isError"], true, "{answer}");
    }

    fn stop(&self) {
        signal("STOP", self.child.id());
    }

    /// Goes on where it was stopped, does its feature and hands it in.
    fn goes_on_and_finishes(&mut self, place: &Place, feature: i64) {
        signal("CONT", self.child.id());
        std::fs::write(place.dir.join(format!("f{feature}")), "").unwrap();
        let answer = self.call("feature_mark_passing", feature);
        assert_ne!(answer["isError"], true, "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A process that is only there.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        contain::identity(i32::try_from(self.0.id()).unwrap()).unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap().success());
}

/// Claims the first feature for a session of `agent` that `process` runs.
fn claimed_by(place: &Place, agent: &str, process: Option<&ProcessIdentity>, lease: SignedDuration) {
    let new = NewSession::new(Role::Coding, agent, Isolation::Shared);
    let store = place.store();
    let claim = store.claim(FeatureId(1), &new, &cogwork_store::Secret::random().unwrap(), lease).unwrap();
    if let Some(process) = process {
        store.session_up(claim.session, process).unwrap();
    }
}

fn lone(place: &Place) -> Output {
    place.cogwork(&["agent", "--agent", AGENT])
}

/// A lone agent that waits for whoever has claimed something, as any run does, and is stopped.
fn lone_that_waits(place: &Place) -> Output {
    let mut command = place.command(&["agent", "--agent", AGENT]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    signal("TERM", run.id());
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "it did not wait: {output:?}");
    output
}

fn attempts(place: &Place) -> usize {
    place.store().attempts_of(FeatureId(1)).unwrap().len()
}

fn status(place: &Place, feature: i64) -> Status {
    place.store().feature(FeatureId(feature)).unwrap().status
}

/// Fails when anybody but its owner has worked on the first feature.
fn assert_untouched(place: &Place, output: &Output) {
    assert_eq!((attempts(place), status(place, 1)), (1, Status::Claimed), "{output:?}");
    let took = std::fs::read_to_string(place.dir.join("took")).unwrap_or_default();
    assert!(!took.lines().any(|feature| feature == "1"), "{took}");
}

#[test]
fn the_lone_agent_leaves_a_stopped_server_its_claim() {
    let place = place(2);
    let mut server = Server::start(&place);
    server.claims(1);
    server.stop();
    std::thread::sleep(LONG_ASLEEP);
    for _ in 0..2 {
        assert_untouched(&place, &lone_that_waits(&place));
    }
    assert_eq!(status(&place, 2), Status::Passing, "what is free is done");
    server.goes_on_and_finishes(&place, 1);
    assert_eq!((attempts(&place), status(&place, 1)), (1, Status::Passing));
}

#[test]
fn a_second_server_leaves_a_stopped_one_its_claim() {
    let place = place(1);
    let mut server = Server::start(&place);
    server.claims(1);
    server.stop();
    std::thread::sleep(LONG_ASLEEP);
    let mut second = Server::start(&place);
    let answer = second.call("feature_claim_and_get", 1);
    assert_eq!(answer["isError"], true, "{answer}");
    server.goes_on_and_finishes(&place, 1);
    assert_eq!(attempts(&place), 1);
}

#[test]
fn a_run_beside_a_stopped_server_waits_for_it() {
    let place = place(2);
    let mut server = Server::start(&place);
    server.claims(1);
    server.stop();
    std::thread::sleep(LONG_ASLEEP);
    let mut command = place.command(&["run", "--agent", AGENT]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while status(&place, 2) != Status::Passing {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", run.try_wait());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(LONG_ASLEEP);
    assert!(run.try_wait().unwrap().is_none(), "somebody is still at the first feature");
    assert_eq!((attempts(&place), status(&place, 1)), (1, Status::Claimed));
    server.goes_on_and_finishes(&place, 1);
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((attempts(&place), status(&place, 1)), (1, Status::Passing));
}

#[test]
fn a_stopped_runner_keeps_its_lease_from_all_others() {
    let place = place(1);
    let runner = Sleeper::new();
    claimed_by(&place, "claude", Some(&runner.identity()), LEASE);
    signal("STOP", runner.0.id());
    std::thread::sleep(LONG_ASLEEP);
    assert_untouched(&place, &lone_that_waits(&place));
    std::thread::sleep(LONG_ASLEEP);
    let answer = Server::start(&place).call("feature_claim_and_get", 1);
    assert_eq!(answer["isError"], true, "{answer}");
    drop(runner);
    let output = lone(&place);
    assert_eq!((attempts(&place), status(&place, 1)), (2, Status::Passing), "{output:?}");
}

#[test]
fn a_number_that_is_anothers_now_owns_nothing() {
    let place = place(1);
    let another = Sleeper::new();
    let before = ProcessIdentity { started: another.identity().started - 1, ..another.identity() };
    claimed_by(&place, "mcp:it", Some(&before), SignedDuration::from_hours(1));
    let output = lone(&place);
    assert_eq!((attempts(&place), status(&place, 1)), (2, Status::Passing), "{output:?}");
    assert!(contain::is_alive(&another.identity()), "a stranger is not touched");
}

#[test]
fn a_process_of_another_node_is_judged_by_its_lease() {
    let place = place(1);
    let NodeIdentity { boot_id, .. } = contain::own_node();
    let elsewhere = ProcessIdentity { boot_id: format!("not {boot_id}"), ..contain::own_identity() };
    claimed_by(&place, "mcp:it", Some(&elsewhere), LEASE * 5);
    assert_untouched(&place, &lone_that_waits(&place));
    std::thread::sleep(LEASE.unsigned_abs() * 5);
    let output = lone(&place);
    assert_eq!((attempts(&place), status(&place, 1)), (2, Status::Passing), "{output:?}");
}

#[test]
fn a_server_that_has_not_said_who_it_is_has_its_lease_for_it() {
    let place = place(1);
    claimed_by(&place, "mcp:it", None, LEASE * 5);
    assert_untouched(&place, &lone_that_waits(&place));
    std::thread::sleep(LEASE.unsigned_abs() * 5);
    let output = lone(&place);
    assert_eq!((attempts(&place), status(&place, 1)), (2, Status::Passing), "{output:?}");
}

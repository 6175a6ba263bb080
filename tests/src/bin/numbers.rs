//! Measures what the README claims: `cargo run --release -p cogwork-tests --bin numbers`.
//!
//! Runs the demo several times as its own child processes, and reads everything from outside: times from the
//! journal that the demo prints, memory from the process table. With arguments it is the program `cogwork` itself,
//! so that it needs no other file.

#![expect(
    clippy::expect_used,
    reason = "a measurement that goes wrong has no result: it stops and says where"
)]
#![expect(clippy::wildcard_enum_match_arm, reason = "it picks the few facts that it measures")]
#![expect(clippy::disallowed_methods, reason = "it starts the program that it measures, and waits for it")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use cogwork_schemas::{CheckPhase, Entry, Fact, FeatureId, SessionId};
use cogwork_store::{Store, TimeSource};
use jiff::Timestamp;

/// How many demos are run; the medians of their figures are printed.
const RUNS: usize = 5;
/// The demo's own default.
const SLOTS: usize = 3;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return cogwork::main();
    }
    let demos: Vec<Demo> = (0..RUNS)
        .map(|run| demo(&std::env::temp_dir().join(format!("cogwork-numbers-{}-{run}", std::process::id()))))
        .collect();
    report(&demos);
    ExitCode::SUCCESS
}

/// The figures of one demo, times in milliseconds, memory in KiB.
struct Demo {
    dispatch: Vec<f64>,
    makespan: f64,
    bound: f64,
    sessions: f64,
    checks_in_sessions: f64,
    merges: f64,
    checks_of_merges: f64,
    orchestrator_kib: u64,
    runner_kib: u64,
}

fn demo(dir: &Path) -> Demo {
    let own = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(own)
        .args(["demo", "--json", "--dir"])
        .arg(dir)
        // Copies of a project that is thrown away are thrown away with it.
        .env("XDG_STATE_HOME", dir.join(".cogwork/state"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the demo starts");
    let stdout = child.stdout.take().expect("its stdout is a pipe");
    let mut memory = Memory::default();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map(|line| line.expect("text"));
        lines.map(|line| serde_json::from_str(&line).expect("an entry")).collect::<Vec<Entry>>()
    });
    while child.try_wait().expect("the demo can be waited for").is_none() {
        memory.look(&child);
        std::thread::sleep(Duration::from_millis(20));
    }
    let journal = reader.join().expect("the demo's lines are entries");
    let demo = figures(dir, &journal, &memory);
    fs::remove_dir_all(dir).expect("the demo's project can be removed");
    demo
}

/// The largest resident set of each program while the demo ran.
#[derive(Default)]
struct Memory {
    orchestrator_kib: u64,
    runner_kib: u64,
}

impl Memory {
    fn look(&mut self, child: &Child) {
        let pid = i32::try_from(child.id()).expect("a pid is small");
        self.orchestrator_kib = self.orchestrator_kib.max(resident_kib(pid));
        for pid in cogwork_process::contain::descendants(pid) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if line.split(|byte| *byte == 0).any(|word| word == b"session") {
                self.runner_kib = self.runner_kib.max(resident_kib(pid));
            }
        }
    }
}

fn resident_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn figures(dir: &Path, journal: &[Entry], memory: &Memory) -> Demo {
    let features = Store::open(dir, TimeSource::new(Timestamp::now))
        .expect("the project")
        .features()
        .expect("its features");
    let first = journal.first().expect("a journal").at;
    let last = journal.last().expect("a journal").at;
    let mut agent_ms: BTreeMap<FeatureId, f64> = BTreeMap::new();
    let mut owner: BTreeMap<SessionId, FeatureId> = BTreeMap::new();
    let (mut checks_in_sessions, mut merges, mut checks_of_merges) = (0.0, 0.0, 0.0);
    for entry in journal {
        match &entry.fact {
            Fact::Claimed { .. } => {
                owner.extend(entry.session.zip(entry.feature));
            }
            Fact::SessionEnded { agent_ms: ms, .. } => {
                let feature =
                    entry.session.and_then(|session| owner.get(&session)).expect("a claimed session");
                *agent_ms.entry(*feature).or_default() += *ms as f64;
            }
            Fact::Checked { phase, report, .. } if *phase != CheckPhase::Merged => {
                checks_in_sessions += report.duration_ms as f64;
            }
            Fact::Integrated { merge_ms, check_ms, .. } => {
                merges += *merge_ms as f64;
                checks_of_merges += *check_ms as f64;
            }
            _ => {}
        }
    }
    let mut longest: BTreeMap<FeatureId, f64> = BTreeMap::new();
    // A feature's dependencies have smaller ids: the demo's list is written that way.
    for feature in &features {
        let before = feature.dependencies.iter().map(|id| longest[id]).fold(0.0, f64::max);
        longest.insert(feature.id, before + agent_ms[&feature.id]);
    }
    let sessions: f64 = agent_ms.values().sum();
    let chain = longest.values().copied().fold(0.0, f64::max);
    Demo {
        dispatch: dispatch(journal, &features.iter().map(|f| (f.id, f.dependencies.clone())).collect()),
        makespan: ms(first, last),
        bound: chain.max(sessions / SLOTS as f64),
        sessions,
        checks_in_sessions,
        merges,
        checks_of_merges,
        orchestrator_kib: memory.orchestrator_kib,
        runner_kib: memory.runner_kib,
    }
}

/// Returns, for each session, the time from the moment in which its feature could start (its last dependency had
/// landed and a slot was free) until its runner process was started.
fn dispatch(journal: &[Entry], dependencies: &BTreeMap<FeatureId, Vec<FeatureId>>) -> Vec<f64> {
    let begin = journal.first().expect("a journal").at;
    let mut landed: BTreeMap<FeatureId, Timestamp> = BTreeMap::new();
    let mut owner: BTreeMap<SessionId, FeatureId> = BTreeMap::new();
    let mut running = 0;
    let mut slot_free = begin;
    let mut times = Vec::new();
    for entry in journal {
        match &entry.fact {
            Fact::Claimed { .. } => owner.extend(entry.session.zip(entry.feature)),
            Fact::SessionUp { .. } => {
                let feature =
                    entry.session.and_then(|session| owner.get(&session)).expect("a claimed session");
                let ready = dependencies[feature].iter().map(|id| landed[id]).max().unwrap_or(begin);
                times.push(ms(ready.max(slot_free), entry.at));
                running += 1;
            }
            Fact::SessionEnded { .. } => {
                // The slot that mattered was the last one: before that, another was free all along.
                if running == SLOTS {
                    slot_free = entry.at;
                }
                running -= 1;
            }
            Fact::Integrated { .. } => {
                landed.insert(entry.feature.expect("a feature"), entry.at);
            }
            _ => {}
        }
    }
    times
}

fn ms(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    values[(last * percent + 50) / 100]
}

fn report(demos: &[Demo]) {
    let median = |of: fn(&Demo) -> f64| percentile(demos.iter().map(of).collect(), 50);
    let dispatch: Vec<f64> = demos.iter().flat_map(|demo| demo.dispatch.clone()).collect();
    println!("{RUNS} demos, {} sessions started, {SLOTS} slots; medians over the demos", dispatch.len());
    println!(
        "from ready to its runner started   median {:.1} ms, p99 {:.1} ms",
        percentile(dispatch.clone(), 50),
        percentile(dispatch, 99)
    );
    println!("makespan                           {:.1} s", median(|d| d.makespan) / 1000.0);
    println!(
        "max(critical path, work / slots)   {:.1} s, the agents' own time",
        median(|d| d.bound) / 1000.0
    );
    println!("  makespan / that                  {:.2}", median(|d| d.makespan / d.bound));
    println!("work of all agents                 {:.1} s", median(|d| d.sessions) / 1000.0);
    println!("checks in the sessions             {:.1} s", median(|d| d.checks_in_sessions) / 1000.0);
    println!("merges                             {:.1} s", median(|d| d.merges) / 1000.0);
    println!("checks of the merges               {:.1} s", median(|d| d.checks_of_merges) / 1000.0);
    println!("orchestrator, resident             {:.1} MB", median(|d| d.orchestrator_kib as f64) / 1024.0);
    println!("one runner, resident               {:.1} MB", median(|d| d.runner_kib as f64) / 1024.0);
}
